//! Fuzzes an account: the input decides what the SMSC, the network, the application and the clock do.
#![no_main]

mod binds;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| binds::account(octets));
