//! Any text, and any octets as one: alphabets, headers, segments.
#![no_main]

mod texts;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| texts::sms(octets));
