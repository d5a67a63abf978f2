//! What the features `tracing` and `metrics` record while sessions and accounts run. Without these features the types here
//! have no size and their methods do nothing.
//!
//! This module depends on the core only: `crate::metrics` reads the counters of a session and publishes them.

pub(crate) mod account;
#[cfg(feature = "metrics")]
pub(crate) mod counters;
#[cfg(feature = "tracing")]
mod limiter;
pub(crate) mod session;
#[cfg(feature = "tracing")]
mod trace;
