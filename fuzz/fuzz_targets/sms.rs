//! Fuzz target: sms_checks, alphabets, headers, segments, reassembly and times.
#![no_main]

mod sms_checks;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| sms_checks::sms(octets));
