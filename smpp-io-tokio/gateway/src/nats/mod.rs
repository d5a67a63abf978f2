//! The engine: NATS JetStream.

mod engine;
mod setup;
mod work;

pub use engine::Engine;
pub use setup::{StreamSettings, connect, create_streams};
pub use work::pull;

/// Why NATS cannot be used.
#[derive(Debug)]
pub struct NatsError {
    what: String,
}

impl NatsError {
    /// Creates an error: what was tried, and what happened.
    pub fn new(what: &str, error: impl std::fmt::Display) -> Self {
        Self { what: format!("{what}: {error}") }
    }
}

impl std::fmt::Display for NatsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for NatsError {}
