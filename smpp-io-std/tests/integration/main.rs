//! The tests of the public interface that need no process of their own: one binary, so that it is built and linked once.
//! `cargo test -p smpp-std --test integration server::` runs those of one module.

mod account_scenarios;
mod backpressure;
#[path = "../common/mod.rs"]
mod common;
mod connect_errors;
mod deadlocks;
mod dial;
mod dialects;
mod forced_end;
mod late_responses;
mod long_reads;
mod options;
mod refusals;
mod scenarios;
mod scripted_transport;
mod server;
mod sockets;
mod testing;
mod threads;
mod tls;
mod wake_ups;
