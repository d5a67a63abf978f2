//! One SMPP account on many machines: a gateway between SMPP 3.4 and NATS JetStream.
//!
//! Any number of nodes share the binds of one account. Programs in any language publish JSON to NATS to send messages, and read
//! there what becomes of them. A node keeps no state that matters: it may die at any moment.
//!
//! - [`node`]: the logic of a node, without I/O.
//! - [`json`]: what programs publish and read.
//! - [`nats`]: the engine, JetStream.
//! - [`driver`]: runs a node with an account of `smpp-tokio`.
//!
//! The README of the package describes the command `smpp-gateway`.

pub mod account;
pub mod bench;
pub mod demo;
pub mod driver;
pub mod json;
pub mod leased;
pub mod metrics;
pub mod names;
pub mod nats;
pub mod node;
pub mod settings;
pub mod status;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Writes a line to the log: to standard error. Never a text or a phone number.
pub fn log(node: &str, text: &str) {
    let now = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
    // One write, so that the lines of several processes do not mix.
    let line = format!("{now} {node} {text}\n");
    eprint!("{line}");
}
