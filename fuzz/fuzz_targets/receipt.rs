//! Fuzz target: delivery receipts and message ids.
#![no_main]

mod receipt_checks;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| receipt_checks::receipt(octets));
