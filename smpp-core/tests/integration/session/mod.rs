//! Scenarios of a session in simulated time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test helpers"
)]

mod backpressure;
mod bind;
mod exchange;
mod keep_alive;
mod limits;
mod load;
mod matrix;
mod observer;
mod operations;
mod peer;
mod rate;
mod reconfigure;
mod refused;
mod shutdown;
mod support;
mod timeouts;
mod version;
