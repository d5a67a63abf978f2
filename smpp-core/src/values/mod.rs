//! The types of message fields that PDUs and TLVs share (SMPP 3.4 §5.2).

mod address;
mod message;

pub use address::{Address, Npi, Ton};
pub use message::{
    DataCoding, EsmClass, MessageClass, MessageState, PriorityFlag, RegisteredDelivery, ReplaceIfPresent,
    ServiceType, service_type,
};
