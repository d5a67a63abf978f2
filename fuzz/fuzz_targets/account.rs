//! Whatever an SMSC, a network, an application and a clock do to an account.
#![no_main]

mod binds;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| binds::account(octets));
