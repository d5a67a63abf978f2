//! The PDUs: borrowed structs with public fields, one file per family of operations (SMPP 3.4 §4).

mod address;
mod bind;
mod command;
mod link;
mod message;
mod status;

use alloc::vec::Vec;
use core::fmt;

pub use address::{Address, Npi, Ton};
pub use bind::{Bind, BindMode, BindResp, InterfaceVersion};
pub use command::CommandId;
pub use link::{EnquireLink, NoBody, Unbind};
pub use message::{
    DataCoding, DeliverSm, DeliverSmResp, EsmClass, MessageState, PriorityFlag, RegisteredDelivery,
    ShortMessage, SubmitSm, SubmitSmResp,
};
pub use status::CommandStatus;

use crate::frame::{HEADER_LENGTH, Header, SequenceNumber};
use crate::wire::{
    DecodeError, DecodeErrorKind, Emit, Fault, Parse, Quirks, Reader, Sink, SliceSink, Tolerance, WithoutTlvs,
};

/// A request: what it is called and what answers it.
pub trait Operation: Emit + Copy {
    /// The body of its response.
    type Response<'r>: Response;
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
pub trait Response: Emit + Copy + Default {
    /// Whether an error response carries a body too; the default one is sent then.
    const BODY_ON_ERROR: bool;
}

/// Any PDU.
///
/// A response whose body is absent, as it is in most error responses, is `None` inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pdu<'a> {
    /// bind_receiver, bind_transmitter or bind_transceiver.
    Bind(Bind<'a>),
    /// The response to a bind of this mode.
    BindResp(BindMode, Option<BindResp<'a>>),
    /// submit_sm.
    SubmitSm(SubmitSm<'a>),
    /// submit_sm_resp.
    SubmitSmResp(Option<SubmitSmResp<'a>>),
    /// deliver_sm.
    DeliverSm(DeliverSm<'a>),
    /// deliver_sm_resp.
    DeliverSmResp(Option<DeliverSmResp<'a>>),
    /// unbind.
    Unbind,
    /// unbind_resp.
    UnbindResp,
    /// enquire_link.
    EnquireLink,
    /// enquire_link_resp.
    EnquireLinkResp,
    /// generic_nack.
    GenericNack,
}

impl<'a> Pdu<'a> {
    /// Its `command_id`.
    pub const fn command(&self) -> CommandId {
        match self {
            Self::Bind(bind) => bind.mode.command(),
            Self::BindResp(mode, _) => mode.command().response(),
            Self::SubmitSm(_) => CommandId::SUBMIT_SM,
            Self::SubmitSmResp(_) => CommandId::SUBMIT_SM_RESP,
            Self::DeliverSm(_) => CommandId::DELIVER_SM,
            Self::DeliverSmResp(_) => CommandId::DELIVER_SM_RESP,
            Self::Unbind => CommandId::UNBIND,
            Self::UnbindResp => CommandId::UNBIND_RESP,
            Self::EnquireLink => CommandId::ENQUIRE_LINK,
            Self::EnquireLinkResp => CommandId::ENQUIRE_LINK_RESP,
            Self::GenericNack => CommandId::GENERIC_NACK,
        }
    }

    /// Reads the body that belongs to `header`.
    pub(crate) fn decode(
        header: Header,
        body: &'a [u8],
        tolerance: Tolerance,
    ) -> Result<(Self, Quirks), DecodeError> {
        let mut reader = Reader::new(header.command, tolerance);
        let read = &mut reader;
        let pdu = match header.command {
            CommandId::BIND_RECEIVER | CommandId::BIND_TRANSMITTER | CommandId::BIND_TRANSCEIVER => {
                request(read, body).map(Self::Bind)
            }
            CommandId::SUBMIT_SM => request(read, body).map(Self::SubmitSm),
            CommandId::DELIVER_SM => request(read, body).map(Self::DeliverSm),
            CommandId::SUBMIT_SM_RESP => response(read, header, body).map(Self::SubmitSmResp),
            CommandId::DELIVER_SM_RESP => response(read, header, body).map(Self::DeliverSmResp),
            CommandId::UNBIND => bodiless(read, body, Self::Unbind),
            CommandId::UNBIND_RESP => bodiless(read, body, Self::UnbindResp),
            CommandId::ENQUIRE_LINK => bodiless(read, body, Self::EnquireLink),
            CommandId::ENQUIRE_LINK_RESP => bodiless(read, body, Self::EnquireLinkResp),
            CommandId::GENERIC_NACK => bodiless(read, body, Self::GenericNack),
            command => match BindMode::of(command) {
                Some(mode) => response(read, header, body).map(|resp| Self::BindResp(mode, resp)),
                None => Err(Fault {
                    field: "command_id",
                    left: body.len() + HEADER_LENGTH - 4,
                    kind: DecodeErrorKind::UnknownCommand,
                }),
            },
        };
        let fault = match pdu {
            Ok(pdu) => match header_fields(&mut reader, header) {
                Ok(()) => return Ok((pdu, reader.quirks)),
                Err(fault) => fault,
            },
            Err(fault) => fault,
        };
        Err(fault.locate(header.command, HEADER_LENGTH + body.len()))
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

    fn emit<S: Sink>(&self, status: CommandStatus, sequence: SequenceNumber, out: &mut S) {
        emit_header(self.command(), status, sequence, out);
        match self {
            Self::Bind(body) => body.emit(out),
            Self::SubmitSm(body) => body.emit(out),
            Self::DeliverSm(body) => body.emit(out),
            Self::BindResp(_, Some(body)) => body.emit(out),
            Self::SubmitSmResp(Some(body)) => body.emit(out),
            Self::DeliverSmResp(Some(body)) => body.emit(out),
            Self::BindResp(_, None)
            | Self::SubmitSmResp(None)
            | Self::DeliverSmResp(None)
            | Self::Unbind
            | Self::UnbindResp
            | Self::EnquireLink
            | Self::EnquireLinkResp
            | Self::GenericNack => {}
        }
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
    if let Some((octets, _)) = out.get_mut(start..).and_then(<[u8]>::split_first_chunk_mut) {
        *octets = length.to_be_bytes();
    }
}

fn header_fields(reader: &mut Reader, header: Header) -> Result<(), Fault> {
    let fault = |field, offset: usize, kind| {
        Err(Fault { field, left: (header.length as usize).saturating_sub(offset), kind })
    };
    // A generic_nack may carry 0: its sender could not read the number (SMPP 3.4 §4.3.1).
    let numbered = header.sequence.is_valid() || header.command == CommandId::GENERIC_NACK;
    if !numbered && !reader.tolerates(Quirks::SEQUENCE_RANGE) {
        return fault("sequence_number", 12, DecodeErrorKind::SequenceRange);
    }
    let status_fits = header.status.is_ok() || header.command.is_response();
    if !status_fits && !reader.tolerates(Quirks::STATUS_IN_REQUEST) {
        return fault("command_status", 8, DecodeErrorKind::StatusInRequest);
    }
    Ok(())
}

fn request<'a, T: Parse<'a>>(reader: &mut Reader, body: &'a [u8]) -> Result<T, Fault> {
    if body.is_empty() {
        return Err(Fault { field: "body", left: 0, kind: DecodeErrorKind::MissingBody });
    }
    fields(reader, body)
}

fn response<'a, T: Parse<'a>>(
    reader: &mut Reader,
    header: Header,
    body: &'a [u8],
) -> Result<Option<T>, Fault> {
    if !body.is_empty() {
        return fields(reader, body).map(Some);
    }
    if header.status.is_ok() && !reader.tolerates(Quirks::ABSENT_BODY) {
        return Err(Fault { field: "body", left: 0, kind: DecodeErrorKind::MissingBody });
    }
    Ok(None)
}

fn bodiless<'a>(reader: &mut Reader, body: &[u8], pdu: Pdu<'a>) -> Result<Pdu<'a>, Fault> {
    if !body.is_empty() && !reader.tolerates(Quirks::TRAILING_OCTETS) {
        return Err(Fault { field: "body", left: body.len(), kind: DecodeErrorKind::TrailingOctets });
    }
    Ok(pdu)
}

/// All fields of a body, and nothing after them.
fn fields<'a, T: Parse<'a>>(reader: &mut Reader, body: &'a [u8]) -> Result<T, Fault> {
    match T::parse(reader, "body", body) {
        Ok((rest, _)) if !rest.is_empty() && !reader.tolerates(Quirks::TRAILING_OCTETS) => {
            Err(Fault { field: "body", left: rest.len(), kind: DecodeErrorKind::TrailingOctets })
        }
        Ok((_, value)) => Ok(value),
        Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => Err(fault),
        Err(nom::Err::Incomplete(_)) => {
            Err(Fault { field: "body", left: 0, kind: DecodeErrorKind::Truncated })
        }
    }
}
