//! A body becomes the struct of its PDU.
//!
//! One function for each PDU comes out of these, with the parsers of all its fields inside: it writes the struct
//! once, straight into the result of the caller.

use super::{CommandId, Pdu};
use crate::frame::{Header, SequenceNumber};
use crate::tlv::Tlvs;
use crate::wire::{
    DecodeError, DecodeErrorKind, Name, OfTlvs, Parse, Quirks, Reader, Stop, Tolerance, Watch, name,
};

const BODY: Name = name!("body");

type Read<'a> = Result<(Pdu<'a>, Quirks), DecodeError>;

#[inline(never)]
pub(super) fn request<'a, T: Parse<'a>, W: Watch>(
    octets: &'a [u8],
    tolerance: Tolerance,
    watch: W,
    pdu: impl FnOnce(T) -> Pdu<'a>,
) -> Read<'a> {
    let (mut reader, body) = Reader::new(octets, tolerance, watch);
    if body.is_empty() {
        return Err(missing(&mut reader, body));
    }
    match status(&mut reader).and_then(|()| fields(&mut reader, body)) {
        Ok(value) => Ok((pdu(value), reader.quirks)),
        Err(_) => Err(reader.error()),
    }
}

#[inline(never)]
pub(super) fn response<'a, T: Parse<'a> + OfTlvs<'a>, W: Watch>(
    octets: &'a [u8],
    tolerance: Tolerance,
    watch: W,
    pdu: impl FnOnce(Option<T>) -> Pdu<'a>,
) -> Read<'a> {
    let (mut reader, body) = Reader::new(octets, tolerance, watch);
    if body.is_empty() {
        if reader.header().status.is_ok() && !reader.tolerates(Quirks::ABSENT_BODY) {
            return Err(missing(&mut reader, body));
        }
        return match sequence(&mut reader) {
            Ok(()) => Ok((pdu(None), reader.quirks)),
            Err(_) => Err(reader.error()),
        };
    }
    if !reader.header().status.is_ok() && Tlvs::are_all(body) {
        if !reader.tolerates(Quirks::TLVS_ONLY) {
            return Err(missing(&mut reader, body));
        }
        return match fields(&mut reader, body) {
            Ok(tlvs) => Ok((pdu(Some(T::of_tlvs(tlvs))), reader.quirks)),
            Err(_) => Err(reader.error()),
        };
    }
    match permitted(&mut reader, body).and_then(|()| fields(&mut reader, body)) {
        Ok(value) => Ok((pdu(Some(value)), reader.quirks)),
        Err(_) => Err(reader.error()),
    }
}

pub(super) fn bodiless<'a, W: Watch>(
    octets: &[u8],
    tolerance: Tolerance,
    watch: W,
    pdu: impl FnOnce() -> Pdu<'a>,
) -> Read<'a> {
    let (mut reader, body) = Reader::new(octets, tolerance, watch);
    let Header { command, sequence: SequenceNumber(number), .. } = reader.header();
    // A generic_nack may carry 0: its sender could not read the number (SMPP 3.4 §4.3.1).
    let unread = command == CommandId::GENERIC_NACK && number == 0;
    let number = if unread { Ok(()) } else { sequence(&mut reader) };
    let status = if command.is_response() { Ok(()) } else { status(&mut reader) };
    match number.and(status).and_then(|()| end(&mut reader, body)) {
        Ok(()) => Ok((pdu(), reader.quirks)),
        Err(_) => Err(reader.error()),
    }
}

#[cold]
pub(super) fn unknown(command: CommandId) -> DecodeError {
    DecodeError { command, field: "command_id", offset: 4, kind: DecodeErrorKind::UnknownCommand }
}

#[cold]
fn missing<W>(reader: &mut Reader<'_, W>, body: &[u8]) -> DecodeError {
    reader.stop("body", body, DecodeErrorKind::MissingBody);
    reader.error()
}

/// All fields of a PDU, and nothing after them.
#[inline(always)]
fn fields<'a, T: Parse<'a>, W: Watch>(
    reader: &mut Reader<'_, W>,
    body: &'a [u8],
) -> Result<T, nom::Err<Stop>> {
    sequence(reader)?;
    let (rest, value) = T::parse(reader, BODY, body)?;
    end(reader, rest)?;
    Ok(value)
}

/// A request has no status.
#[inline(always)]
fn status<W>(reader: &mut Reader<'_, W>) -> Result<(), nom::Err<Stop>> {
    if reader.header().status.is_ok() {
        return Ok(());
    }
    let kind = DecodeErrorKind::StatusInRequest;
    reader.header_deviation(Quirks::STATUS_IN_REQUEST, "command_status", 8, kind)
}

/// Two error responses are to have no body.
#[inline(always)]
fn permitted<W: Watch>(reader: &mut Reader<'_, W>, body: &[u8]) -> Result<(), nom::Err<Stop>> {
    let Header { command, status, .. } = reader.header();
    if status.is_ok() || !(command.is_bind() || command == CommandId::SUBMIT_SM_RESP) {
        return Ok(());
    }
    reader.deviation(Quirks::BODY_ON_ERROR, "body", body, DecodeErrorKind::TrailingOctets)
}

#[inline(always)]
fn sequence<W>(reader: &mut Reader<'_, W>) -> Result<(), nom::Err<Stop>> {
    if reader.header().sequence.is_valid() {
        return Ok(());
    }
    let kind = DecodeErrorKind::SequenceRange;
    reader.header_deviation(Quirks::SEQUENCE_RANGE, "sequence_number", 12, kind)
}

#[inline(always)]
fn end<W: Watch>(reader: &mut Reader<'_, W>, rest: &[u8]) -> Result<(), nom::Err<Stop>> {
    if rest.is_empty() {
        return Ok(());
    }
    reader.watch.field("body", &"octets that belong to nothing", rest, &[]);
    reader.deviation(Quirks::TRAILING_OCTETS, "body", rest, DecodeErrorKind::TrailingOctets)
}
