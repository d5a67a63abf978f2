//! Whatever a peer, an application and a clock do to a session.
#![no_main]

mod play;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| play::session(octets));
