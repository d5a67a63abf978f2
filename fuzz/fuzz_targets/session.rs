//! Random actions of a peer, an application and a clock on a session.
#![no_main]

mod session_steps;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| session_steps::session(octets));
