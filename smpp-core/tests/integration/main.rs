//! The tests of the public interface that need no process of their own: one binary, so that it is built and linked once.
//! `cargo test -p smpp-proto --test integration session::` runs those of one module.

#[path = "../../../fuzz/fuzz_targets/check.rs"]
mod check;
mod corpus;
mod pcap;
mod properties;
mod receipts;
mod serialize;
mod session;
mod setters;
mod tables;
mod tolerance;
mod vectors;
