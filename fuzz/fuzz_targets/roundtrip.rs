//! Encodes and decodes any valid PDU.
#![no_main]

mod check;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| check::round_trip(octets));
