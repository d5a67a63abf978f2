//! The engine: NATS JetStream.

mod engine;
mod setup;
mod work;

use std::error::Error;
use std::time::Duration;

pub use engine::Engine;
pub(crate) use setup::context;
pub use setup::{StreamSettings, connect, create_streams};
pub use work::pull;

/// How far the clocks of the servers of a cluster may differ.
pub(crate) const CLOCK_SKEW: Duration = Duration::from_secs(10);

/// Why NATS cannot be used.
#[derive(Debug)]
pub struct NatsError {
    what: String,
    is_final: bool,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl NatsError {
    /// Creates an error: what was tried, and what happened.
    pub fn new(what: &str, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let cause = cause.into();
        Self { what: format!("{what}: {cause}"), is_final: false, cause: Some(cause) }
    }

    /// Creates an error that only other settings mend.
    pub const fn settings(what: String) -> Self {
        Self { what, is_final: true, cause: None }
    }

    /// Returns whether it is useless to try again.
    pub const fn is_final(&self) -> bool {
        self.is_final
    }
}

impl std::fmt::Display for NatsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for NatsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_returns_its_cause() {
        let error = NatsError::new("the nkey of NATS", std::io::Error::from_raw_os_error(2));
        assert!(error.source().is_some_and(<dyn Error>::is::<std::io::Error>));
        assert!(error.to_string().starts_with("the nkey of NATS: "), "{error}");
        assert!(NatsError::settings("other times".into()).source().is_none());
    }
}
