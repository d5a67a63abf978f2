//! A body becomes the struct of its PDU.
//!
//! One function for each PDU comes out of these, with the parsers of all its fields inside: it writes the struct
//! once, straight into the result of the caller. It gives up where anything is odd. Then a second function, made of
//! the same parsers, starts again and keeps account: what costs time there is paid by odd PDUs alone.

use super::{CommandId, Pdu};
use crate::frame::{Header, SequenceNumber};
use crate::tlv::Tlvs;
use crate::wire::{
    DecodeError, DecodeErrorKind, Hasty, Name, OfTlvs, Parse, Quirks, Reader, Stop, Tolerance, Watch, name,
};

const BODY: Name = name!("body");

type Read<'a> = Result<(Pdu<'a>, Quirks), DecodeError>;

/// What follows the header.
pub(super) trait Body<'a>: Sized {
    /// Reads it, and looks at the header too.
    fn read<W: Watch>(reader: &mut Reader<'_, W>, body: &'a [u8]) -> Result<Self, nom::Err<Stop>>;
}

/// A PDU with a body.
#[inline(never)]
pub(super) fn body<'a, B: Body<'a>, W: Watch>(
    octets: &'a [u8],
    tolerance: Tolerance,
    watch: W,
    pdu: impl Fn(B) -> Pdu<'a>,
) -> Read<'a> {
    read(octets, tolerance, watch, pdu)
}

/// A PDU without a body: less than a call takes.
#[inline(always)]
pub(super) fn bodiless<'a, W: Watch>(
    octets: &'a [u8],
    tolerance: Tolerance,
    watch: W,
    pdu: impl Fn() -> Pdu<'a>,
) -> Read<'a> {
    read(octets, tolerance, watch, |()| pdu())
}

/// In haste, and with patience where that is not enough.
#[inline(always)]
fn read<'a, B: Body<'a>, W: Watch>(
    octets: &'a [u8],
    tolerance: Tolerance,
    watch: W,
    pdu: impl Fn(B) -> Pdu<'a>,
) -> Read<'a> {
    if !W::WATCHES
        && let Some(body) = hastily(octets, tolerance)
    {
        return Ok((pdu(body), Quirks::empty()));
    }
    patiently(octets, tolerance, watch, pdu)
}

/// Without a word on what is odd, if anything is.
#[inline(always)]
pub(super) fn hastily<'a, B: Body<'a>>(octets: &'a [u8], tolerance: Tolerance) -> Option<B> {
    let (mut reader, body) = Reader::new(octets, tolerance, Hasty);
    B::read(&mut reader, body).ok()
}

/// With every [`Quirks`] noted, or where and why it stopped; each field is shown to `watch`.
#[cold]
#[inline(never)]
fn patiently<'a, B: Body<'a>, W: Watch>(
    octets: &'a [u8],
    tolerance: Tolerance,
    watch: W,
    pdu: impl Fn(B) -> Pdu<'a>,
) -> Read<'a> {
    let (mut reader, body) = Reader::new(octets, tolerance, watch);
    match B::read(&mut reader, body) {
        Ok(body) => Ok((pdu(body), reader.quirks)),
        Err(_) => Err(reader.error()),
    }
}

/// A request.
impl<'a, T: Parse<'a>> Body<'a> for T {
    #[inline(always)]
    fn read<W: Watch>(reader: &mut Reader<'_, W>, body: &'a [u8]) -> Result<Self, nom::Err<Stop>> {
        if body.is_empty() {
            return Err(missing(reader, body));
        }
        status(reader)?;
        fields(reader, body)
    }
}

/// A response.
impl<'a, T: Parse<'a> + OfTlvs<'a>> Body<'a> for Option<T> {
    #[inline(always)]
    fn read<W: Watch>(reader: &mut Reader<'_, W>, body: &'a [u8]) -> Result<Self, nom::Err<Stop>> {
        let is_error = !reader.header().status.is_ok();
        if body.is_empty() {
            if !is_error && !reader.tolerates(Quirks::ABSENT_BODY) {
                return Err(missing(reader, body));
            }
            sequence(reader)?;
            return Ok(None);
        }
        if is_error {
            if Tlvs::are_all(body) {
                if !reader.tolerates(Quirks::TLVS_ONLY) {
                    return Err(missing(reader, body));
                }
                return fields(reader, body).map(|tlvs| Some(T::of_tlvs(tlvs)));
            }
            permitted(reader, body)?;
        }
        fields(reader, body).map(Some)
    }
}

/// No body.
impl<'a> Body<'a> for () {
    #[inline(always)]
    fn read<W: Watch>(reader: &mut Reader<'_, W>, body: &'a [u8]) -> Result<Self, nom::Err<Stop>> {
        let Header { command, sequence: SequenceNumber(number), .. } = reader.header();
        if !command.is_response() {
            status(reader)?;
        }
        // A generic_nack may carry 0: its sender could not read the number (SMPP 3.4 §4.3.1).
        if command != CommandId::GENERIC_NACK || number != 0 {
            sequence(reader)?;
        }
        end(reader, body)
    }
}

#[cold]
pub(super) fn unknown(command: CommandId) -> DecodeError {
    DecodeError { command, field: "command_id", offset: 4, kind: DecodeErrorKind::UnknownCommand }
}

#[inline(always)]
fn missing<W: Watch>(reader: &mut Reader<'_, W>, body: &[u8]) -> nom::Err<Stop> {
    reader.stop("body", body, DecodeErrorKind::MissingBody)
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
fn status<W: Watch>(reader: &mut Reader<'_, W>) -> Result<(), nom::Err<Stop>> {
    if reader.header().status.is_ok() {
        return Ok(());
    }
    let kind = DecodeErrorKind::StatusInRequest;
    reader.header_deviation(Quirks::STATUS_IN_REQUEST, "command_status", 8, kind)
}

/// Two error responses are to have no body.
#[inline(always)]
fn permitted<W: Watch>(reader: &mut Reader<'_, W>, body: &[u8]) -> Result<(), nom::Err<Stop>> {
    let Header { command, .. } = reader.header();
    if !(command.is_bind() || command == CommandId::SUBMIT_SM_RESP) {
        return Ok(());
    }
    reader.deviation(Quirks::BODY_ON_ERROR, "body", body, DecodeErrorKind::TrailingOctets)
}

#[inline(always)]
fn sequence<W: Watch>(reader: &mut Reader<'_, W>) -> Result<(), nom::Err<Stop>> {
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
