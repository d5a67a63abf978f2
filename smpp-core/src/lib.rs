//! SMPP 3.4 without I/O.
#![no_std]

extern crate alloc;

pub mod frame;
mod pdu;
pub mod session;
pub mod sms;
mod wire;

pub use frame::{Frame, FramingError, Header, SequenceNumber};
pub use pdu::*;
pub use wire::{
    COctets, DecodeError, DecodeErrorKind, InvalidOctets, Octets, Password, Quirks, Tag, Tlv, TlvIter, Tlvs,
    Tolerance,
};
