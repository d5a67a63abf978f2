//! The PDUs: borrowed structs with public fields, one file per family of operations (SMPP 3.4 §4).

mod address;
mod alert;
mod bind;
mod broadcast;
mod command;
mod data;
mod link;
mod message;
mod multi;
mod query;
mod read;
mod status;
mod values;

use alloc::vec::Vec;
use core::fmt;

pub use address::{Address, Npi, Ton};
pub use alert::AlertNotification;
pub use bind::{Bind, BindMode, BindResp, InterfaceVersion, Outbind};
pub use broadcast::{
    BroadcastSm, BroadcastSmResp, CancelBroadcastSm, QueryBroadcastSm, QueryBroadcastSmResp,
};
pub use command::CommandId;
pub use data::{DataSm, DataSmResp};
pub use link::{EnquireLink, NoBody, Unbind};
pub use message::{DeliverSm, DeliverSmResp, ShortMessage, SubmitSm, SubmitSmResp};
pub use multi::{Destination, SubmitMulti, SubmitMultiResp, UnsuccessSme};
pub use query::{CancelSm, QuerySm, QuerySmResp, ReplaceSm};
pub use status::CommandStatus;
pub use values::{
    DataCoding, EsmClass, MessageState, PriorityFlag, RegisteredDelivery, ReplaceIfPresent, ServiceType,
    service_type,
};

use crate::frame::{Header, SequenceNumber};
use crate::tlv::Tlvs;
use crate::wire::{DecodeError, Emit, Quirks, Sink, SliceSink, Tolerance, Watch, WithoutTlvs};

/// A request: what it is called and what answers it.
pub trait Operation: Emit + Copy {
    /// The body of its response.
    type Response<'r>: ResponseBody;
    /// The same request, borrowed from elsewhere: `SubmitSm<'static>` names the operation, and its view is
    /// `SubmitSm<'a>`.
    type View<'a>: Operation + Default;

    /// What to answer when the application did not: try again later.
    const UNANSWERED: CommandStatus;

    /// Its `command_id`.
    fn command(&self) -> CommandId;

    /// The operation in a PDU, if it is this one.
    fn view(pdu: Pdu<'_>) -> Option<Self::View<'_>>;
}

/// The body of a response.
pub trait ResponseBody: Emit + Copy + Default {
    /// Whether an error response carries a body too; the default one is sent then.
    const BODY_ON_ERROR: bool;
}

/// `operation!(SubmitSm = SUBMIT_SM, SubmitSmResp, unanswered)`: a request of one command, and its response.
macro_rules! operation {
    ($name:ident = $command:ident, NoBody, $unanswered:expr) => {
        $crate::pdu::operation!(@ $name = $command, $crate::pdu::NoBody, $unanswered);
    };
    ($name:ident = $command:ident, $response:ident, $unanswered:expr) => {
        $crate::pdu::operation!(@ $name = $command, $response<'r>, $unanswered);
    };
    (@ $name:ident = $command:ident, $response:ty, $unanswered:expr) => {
        impl $crate::pdu::Operation for $name<'_> {
            type Response<'r> = $response;
            type View<'a> = $name<'a>;

            const UNANSWERED: $crate::pdu::CommandStatus = $unanswered;

            fn command(&self) -> $crate::pdu::CommandId {
                $crate::pdu::CommandId::$command
            }

            fn view(pdu: $crate::pdu::Pdu<'_>) -> Option<$name<'_>> {
                if let $crate::pdu::Pdu::$name(body) = pdu { Some(body) } else { None }
            }
        }
    };
}
pub(crate) use operation;

/// Each PDU once, with its command. Those of a bind are apart: three commands share them.
macro_rules! pdus {
    (
        requests { $($(#[$request_meta:meta])* $request:ident = $request_id:ident,)+ }
        responses { $($(#[$response_meta:meta])* $response:ident = $response_id:ident,)+ }
        without_body { $($(#[$empty_meta:meta])* $empty:ident = $empty_id:ident,)+ }
    ) => {
        /// Any PDU.
        ///
        /// A response whose body is absent, as it is in most error responses, is `None` inside.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        #[non_exhaustive]
        pub enum Pdu<'a> {
            /// bind_receiver, bind_transmitter or bind_transceiver.
            Bind(Bind<'a>),
            /// The response to a bind of this mode.
            BindResp(BindMode, Option<BindResp<'a>>),
            $($(#[$request_meta])* $request($request<'a>),)+
            $($(#[$response_meta])* $response(Option<$response<'a>>),)+
            $($(#[$empty_meta])* $empty,)+
        }

        impl<'a> Pdu<'a> {
            /// Its `command_id`.
            pub const fn command(&self) -> CommandId {
                match self {
                    Self::Bind(bind) => bind.mode.command(),
                    Self::BindResp(mode, _) => mode.command().response(),
                    $(Self::$request(_) => CommandId::$request_id,)+
                    $(Self::$response(_) => CommandId::$response_id,)+
                    $(Self::$empty => CommandId::$empty_id,)+
                }
            }

            /// Its optional parameters, whatever PDU it is.
            pub fn tlvs(&self) -> Tlvs<'a> {
                match self {
                    Self::Bind(body) => body.tlvs,
                    Self::BindResp(_, Some(body)) => body.tlvs,
                    $(Self::$request(body) => body.tlvs,)+
                    $(Self::$response(Some(body)) => body.tlvs,)+
                    _ => Tlvs::EMPTY,
                }
            }

            /// Reads a whole PDU, and shows each field of its body to `watch`.
            #[inline]
            pub(crate) fn read<W: Watch>(
                octets: &'a [u8],
                tolerance: Tolerance,
                watch: W,
            ) -> Result<(Self, Quirks), DecodeError> {
                match Header::of(octets).command {
                    CommandId::BIND_RECEIVER | CommandId::BIND_TRANSMITTER | CommandId::BIND_TRANSCEIVER => {
                        read::body(octets, tolerance, watch, Self::Bind)
                    }
                    $(CommandId::$request_id => read::body(octets, tolerance, watch, Self::$request),)+
                    $(CommandId::$response_id => {
                        read::body(octets, tolerance, watch, Self::$response)
                    })+
                    $(CommandId::$empty_id => read::bodiless(octets, tolerance, watch, || Self::$empty),)+
                    command => match BindMode::of(command) {
                        Some(mode) => {
                            read::body(octets, tolerance, watch, |body| Self::BindResp(mode, body))
                        }
                        None => Err(read::unknown(command)),
                    },
                }
            }

            fn emit<S: Sink>(&self, status: CommandStatus, sequence: SequenceNumber, out: &mut S) {
                let mut header = |command| emit_header(command, status, sequence, out);
                match self {
                    $(Self::$request(body) => {
                        header(CommandId::$request_id);
                        body.emit(out);
                    })+
                    $(Self::$response(body) => {
                        header(CommandId::$response_id);
                        body.emit(out);
                    })+
                    $(Self::$empty => header(CommandId::$empty_id),)+
                    Self::Bind(body) => {
                        header(body.mode.command());
                        body.emit(out);
                    }
                    Self::BindResp(mode, body) => {
                        header(mode.command().response());
                        body.emit(out);
                    }
                }
            }
        }
    };
}

pdus! {
    requests {
        /// outbind.
        Outbind = OUTBIND,
        /// submit_sm.
        SubmitSm = SUBMIT_SM,
        /// submit_multi.
        SubmitMulti = SUBMIT_MULTI,
        /// deliver_sm.
        DeliverSm = DELIVER_SM,
        /// data_sm.
        DataSm = DATA_SM,
        /// query_sm.
        QuerySm = QUERY_SM,
        /// cancel_sm.
        CancelSm = CANCEL_SM,
        /// replace_sm.
        ReplaceSm = REPLACE_SM,
        /// alert_notification.
        AlertNotification = ALERT_NOTIFICATION,
        /// broadcast_sm (SMPP 5.0).
        BroadcastSm = BROADCAST_SM,
        /// query_broadcast_sm (SMPP 5.0).
        QueryBroadcastSm = QUERY_BROADCAST_SM,
        /// cancel_broadcast_sm (SMPP 5.0).
        CancelBroadcastSm = CANCEL_BROADCAST_SM,
    }
    responses {
        /// submit_sm_resp.
        SubmitSmResp = SUBMIT_SM_RESP,
        /// submit_multi_resp.
        SubmitMultiResp = SUBMIT_MULTI_RESP,
        /// deliver_sm_resp.
        DeliverSmResp = DELIVER_SM_RESP,
        /// data_sm_resp.
        DataSmResp = DATA_SM_RESP,
        /// query_sm_resp.
        QuerySmResp = QUERY_SM_RESP,
        /// broadcast_sm_resp (SMPP 5.0).
        BroadcastSmResp = BROADCAST_SM_RESP,
        /// query_broadcast_sm_resp (SMPP 5.0).
        QueryBroadcastSmResp = QUERY_BROADCAST_SM_RESP,
    }
    without_body {
        /// cancel_sm_resp.
        CancelSmResp = CANCEL_SM_RESP,
        /// replace_sm_resp.
        ReplaceSmResp = REPLACE_SM_RESP,
        /// cancel_broadcast_sm_resp (SMPP 5.0).
        CancelBroadcastSmResp = CANCEL_BROADCAST_SM_RESP,
        /// unbind.
        Unbind = UNBIND,
        /// unbind_resp.
        UnbindResp = UNBIND_RESP,
        /// enquire_link.
        EnquireLink = ENQUIRE_LINK,
        /// enquire_link_resp.
        EnquireLinkResp = ENQUIRE_LINK_RESP,
        /// generic_nack.
        GenericNack = GENERIC_NACK,
    }
}

impl Pdu<'_> {
    /// See [`Frame::is_message_id`](crate::Frame::is_message_id).
    #[inline(always)]
    pub(crate) fn is_message_id(octets: &[u8]) -> bool {
        let Header { command, status, .. } = Header::of(octets);
        if !matches!(command, CommandId::SUBMIT_SM_RESP | CommandId::DELIVER_SM_RESP) || !status.is_ok() {
            return false;
        }
        let body = read::hastily::<Option<SubmitSmResp<'_>>>(octets, Tolerance::STRICT);
        body.flatten().is_some_and(|body| body.tlvs.is_empty())
    }

    /// Appends the whole PDU. A body that is absent stays so.
    pub fn encode(&self, status: CommandStatus, sequence: SequenceNumber, out: &mut Vec<u8>) {
        let start = out.len();
        self.emit(status, sequence, out);
        patch_length(out, start);
    }

    /// Writes the whole PDU to the start of `out` and gives the number of octets written.
    pub fn encode_into(
        &self,
        status: CommandStatus,
        sequence: SequenceNumber,
        out: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let available = out.len();
        let mut sink = SliceSink::new(out);
        self.emit(status, sequence, &mut sink);
        let needed = sink.needed();
        if needed > available {
            return Err(BufferTooSmall { needed, available });
        }
        patch_length(out.get_mut(..needed).unwrap_or_default(), 0);
        Ok(needed)
    }
}

/// The slice given to [`Pdu::encode_into`] does not hold the PDU. Its contents are unspecified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferTooSmall {
    /// Octets that the PDU takes.
    pub needed: usize,
    /// Octets that the slice has.
    pub available: usize,
}

impl fmt::Display for BufferTooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the PDU takes {} octets, the buffer has {}", self.needed, self.available)
    }
}

impl core::error::Error for BufferTooSmall {}

/// Appends one PDU with this body, or with none; its TLVs only if `tlvs`. Whether nothing was left out.
pub(crate) fn encode<B: Emit>(
    command: CommandId,
    status: CommandStatus,
    sequence: SequenceNumber,
    body: Option<&B>,
    tlvs: bool,
    out: &mut Vec<u8>,
) -> bool {
    let start = out.len();
    let mut complete = true;
    emit_header(command, status, sequence, out);
    match body {
        Some(body) if tlvs => body.emit(out),
        Some(body) => {
            let mut sink = WithoutTlvs { out, left_out: false };
            body.emit(&mut sink);
            complete = !sink.left_out;
        }
        None => {}
    }
    patch_length(out, start);
    complete
}

/// The header with a length of zero, to be patched.
#[inline]
fn emit_header<S: Sink>(command: CommandId, status: CommandStatus, sequence: SequenceNumber, out: &mut S) {
    let words = [0, command.0, status.0, sequence.0].map(u32::to_be_bytes);
    out.put(words.as_flattened());
}

/// Writes the length of the PDU that begins at `start` and ends with `out`.
fn patch_length(out: &mut [u8], start: usize) {
    let length = (out.len() - start) as u32;
    if let Some(octets) = out.get_mut(start..start + 4) {
        octets.copy_from_slice(&length.to_be_bytes());
    }
}
