//! SMPP 3.4 without I/O: placeholder until the crate docs are written.
#![no_std]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

extern crate alloc;

#[cfg(feature = "url")]
mod endpoint;
pub mod frame;
mod pdu;
pub mod provider;
pub mod session;
pub mod simulator;
pub mod sms;
mod wire;

#[cfg(feature = "url")]
pub use endpoint::{Endpoint, EndpointError};
pub use frame::{Frame, FramingError, Header, SequenceNumber};
pub use pdu::*;
pub use wire::{
    COctets, DecodeError, DecodeErrorKind, InvalidOctets, Octets, Password, Quirks, Tag, Tlv, TlvIter, Tlvs,
    Tolerance,
};
