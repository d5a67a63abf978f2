//! Any octets as a receipt, and as the ids that receipts are matched by.
#![no_main]

mod told;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| told::receipt(octets));
