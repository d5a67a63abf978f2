//! The engine: NATS JetStream.

mod engine;
mod setup;
mod work;

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
}

impl NatsError {
    /// Creates an error: what was tried, and what happened.
    pub fn new(what: &str, error: impl std::fmt::Display) -> Self {
        Self { what: format!("{what}: {error}"), is_final: false }
    }

    /// Creates an error that only other settings mend.
    pub const fn settings(what: String) -> Self {
        Self { what, is_final: true }
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

impl std::error::Error for NatsError {}
