//! Decodes any octets as a stream of PDUs.
#![no_main]

mod check;

libfuzzer_sys::fuzz_target!(|stream: &[u8]| check::decode(stream));
