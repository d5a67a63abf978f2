//! What the features `tracing` and `metrics` record while sessions, accounts and servers run. Without these features the types
//! here have no size and their methods do nothing.
//!
//! This module depends on the core only: [`metrics`](crate::metrics) publishes the counters of a session.

mod account;
#[cfg(feature = "metrics")]
mod counters;
#[cfg(feature = "tracing")]
mod limiter;
mod server;
mod session;
#[cfg(feature = "tracing")]
mod trace;

pub use account::AccountTelemetry;
#[cfg(feature = "metrics")]
pub use counters::SessionCounters;
pub use server::ServerTelemetry;
pub use session::SessionTelemetry;

/// The target of all events and spans, of both adapters.
#[cfg(feature = "tracing")]
const TARGET: &str = "smpp";
