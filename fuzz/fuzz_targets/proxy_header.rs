//! Fuzz target: headers of the PROXY protocol.
#![no_main]

mod proxy_header_checks;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| proxy_header_checks::header(octets));
