//! The PDUs: borrowed structs with public fields, one file per family of operations (SMPP 3.4 §4).
//!
//! The files depend on each other in this order: `wire_struct` (the macro that defines a PDU), one file per
//! family, `decode`, `variants` (the enum [`Pdu`]), `operation` (which response belongs to which request).

mod alert;
mod bind;
mod broadcast;
mod data;
mod decode;
mod link;
mod message;
mod multi;
mod operation;
mod query;
mod variants;
mod wire_struct;

pub use alert::AlertNotification;
pub use bind::{Bind, BindMode, BindResp, Outbind};
pub use broadcast::{
    BroadcastSm, BroadcastSmResp, CancelBroadcastSm, QueryBroadcastSm, QueryBroadcastSmResp,
};
pub use data::{DataSm, DataSmResp};
pub use link::{EnquireLink, NoBody, Unbind};
pub use message::{DeliverSm, DeliverSmResp, ShortMessage, SubmitSm, SubmitSmResp};
pub use multi::{Destination, SubmitMulti, SubmitMultiResp, UnsuccessSme};
pub use operation::{Operation, ResponseBody};
pub use query::{CancelSm, QuerySm, QuerySmResp, ReplaceSm};
pub(crate) use variants::encode;
pub use variants::{BufferTooSmall, Pdu};

pub use crate::header::{CommandId, CommandStatus, InterfaceVersion};
pub use crate::values::{
    Address, DataCoding, EsmClass, MessageClass, MessageState, Npi, PriorityFlag, RegisteredDelivery,
    ReplaceIfPresent, ServiceType, Ton, service_type,
};
