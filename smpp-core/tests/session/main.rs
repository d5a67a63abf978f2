//! Stories about a session, told in simulated time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test helpers"
)]

mod bind;
mod ending;
mod exchange;
mod limits;
mod link;
mod load;
mod matrix;
mod observer;
mod operations;
mod peer;
mod support;
mod version;
