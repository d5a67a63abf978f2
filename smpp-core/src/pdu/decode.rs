//! Decodes a PDU.
//!
//! These functions compile to two functions per PDU, with the parsers of all fields inlined. The first one, the fast
//! path, writes the struct once, directly into the result of the caller, and stops at any deviation. Then the second
//! one, the slow path, starts again and records deviations and errors. Only PDUs with deviations pay for it.

use super::wire_struct::FromTlvs;
use crate::header::{CommandId, Header, SequenceNumber};
use crate::tlv::Tlvs;
use crate::wire::{
    DecodeError, DecodeErrorKind, FastPath, FieldName, FieldVisitor, Parse, ParseFailed, Quirks, Reader,
    Tolerance, field_name,
};

const BODY: FieldName = field_name!("body");

type Decoded<P> = Result<(P, Quirks), DecodeError>;

/// The octets after the header.
pub(super) trait Body<'a>: Sized {
    /// Checks the header and reads the body.
    fn read<V: FieldVisitor>(
        reader: &mut Reader<'_, V>,
        body: &'a [u8],
    ) -> Result<Self, nom::Err<ParseFailed>>;
}

/// Decodes a PDU that has a body. `pdu` makes the PDU from the body.
#[inline(never)]
pub(super) fn with_body<'a, B: Body<'a>, V: FieldVisitor, P>(
    octets: &'a [u8],
    tolerance: Tolerance,
    visitor: V,
    pdu: impl Fn(B) -> P,
) -> Decoded<P> {
    decode(octets, tolerance, visitor, pdu)
}

/// Decodes a PDU that has no body. This takes fewer instructions than a call, so it is always inlined.
#[inline(always)]
pub(super) fn without_body<V: FieldVisitor, P>(
    octets: &[u8],
    tolerance: Tolerance,
    visitor: V,
    pdu: impl Fn() -> P,
) -> Decoded<P> {
    decode(octets, tolerance, visitor, |()| pdu())
}

/// Decodes on the fast path, and on the slow path if that fails or a visitor is given.
#[inline(always)]
fn decode<'a, B: Body<'a>, V: FieldVisitor, P>(
    octets: &'a [u8],
    tolerance: Tolerance,
    visitor: V,
    pdu: impl Fn(B) -> P,
) -> Decoded<P> {
    if !V::VISITS
        && let Some(body) = fast_path(octets, tolerance)
    {
        return Ok((pdu(body), Quirks::empty()));
    }
    slow_path(octets, tolerance, visitor, pdu)
}

/// Reads a body that has no deviations. Returns `None` for any other.
#[inline(always)]
pub(super) fn fast_path<'a, B: Body<'a>>(octets: &'a [u8], tolerance: Tolerance) -> Option<B> {
    let (mut reader, body) = Reader::new(octets, tolerance, FastPath);
    B::read(&mut reader, body).ok()
}

/// Reads a body and passes each field to `visitor`. Returns the [`Quirks`] found, or the error.
#[cold]
#[inline(never)]
fn slow_path<'a, B: Body<'a>, V: FieldVisitor, P>(
    octets: &'a [u8],
    tolerance: Tolerance,
    visitor: V,
    pdu: impl Fn(B) -> P,
) -> Decoded<P> {
    let (mut reader, body) = Reader::new(octets, tolerance, visitor);
    match B::read(&mut reader, body) {
        Ok(body) => Ok((pdu(body), reader.quirks)),
        Err(_) => Err(reader.error()),
    }
}

/// The body of a request.
impl<'a, T: Parse<'a>> Body<'a> for T {
    #[inline(always)]
    fn read<V: FieldVisitor>(
        reader: &mut Reader<'_, V>,
        body: &'a [u8],
    ) -> Result<Self, nom::Err<ParseFailed>> {
        if body.is_empty() {
            return Err(missing_body(reader, body));
        }
        check_status(reader)?;
        parse_fields(reader, body)
    }
}

/// The body of a response.
impl<'a, T: Parse<'a> + FromTlvs<'a>> Body<'a> for Option<T> {
    #[inline(always)]
    fn read<V: FieldVisitor>(
        reader: &mut Reader<'_, V>,
        body: &'a [u8],
    ) -> Result<Self, nom::Err<ParseFailed>> {
        let is_error = !reader.header().status.is_ok();
        if body.is_empty() {
            if !is_error && !reader.tolerate(Quirks::ABSENT_BODY) {
                return Err(missing_body(reader, body));
            }
            check_sequence(reader)?;
            return Ok(None);
        }
        if is_error {
            if Tlvs::is_tlvs_only(body) {
                if !reader.tolerate(Quirks::TLVS_ONLY) {
                    return Err(missing_body(reader, body));
                }
                return parse_fields(reader, body).map(|tlvs| Some(T::from_tlvs(tlvs)));
            }
            check_error_body(reader, body)?;
        }
        parse_fields(reader, body).map(Some)
    }
}

/// No body.
impl<'a> Body<'a> for () {
    #[inline(always)]
    fn read<V: FieldVisitor>(
        reader: &mut Reader<'_, V>,
        body: &'a [u8],
    ) -> Result<Self, nom::Err<ParseFailed>> {
        let Header { command, sequence: SequenceNumber(number), .. } = reader.header();
        if !command.is_response() {
            check_status(reader)?;
        }
        // A generic_nack may carry 0, if its sender could not read the sequence number (SMPP 3.4 §4.3.1).
        if command != CommandId::GENERIC_NACK || number != 0 {
            check_sequence(reader)?;
        }
        check_end(reader, body)
    }
}

/// Returns the error for a `command_id` that is not supported.
#[cold]
pub(super) fn unknown_command(command: CommandId) -> DecodeError {
    DecodeError { command, field: "command_id", offset: 4, kind: DecodeErrorKind::UnknownCommand }
}

#[inline(always)]
fn missing_body<V: FieldVisitor>(reader: &mut Reader<'_, V>, body: &[u8]) -> nom::Err<ParseFailed> {
    reader.fail("body", body, DecodeErrorKind::MissingBody)
}

/// Reads all fields of a PDU. Fails if octets follow them.
#[inline(always)]
fn parse_fields<'a, T: Parse<'a>, V: FieldVisitor>(
    reader: &mut Reader<'_, V>,
    body: &'a [u8],
) -> Result<T, nom::Err<ParseFailed>> {
    check_sequence(reader)?;
    let (rest, value) = T::parse(reader, BODY, body)?;
    check_end(reader, rest)?;
    Ok(value)
}

/// Checks that the status of a request is 0.
#[inline(always)]
fn check_status<V: FieldVisitor>(reader: &mut Reader<'_, V>) -> Result<(), nom::Err<ParseFailed>> {
    if reader.header().status.is_ok() {
        return Ok(());
    }
    let kind = DecodeErrorKind::StatusInRequest;
    reader.tolerate_header_or_fail(Quirks::STATUS_IN_REQUEST, "command_status", 8, kind)
}

/// Checks that the error response is one that may have a body: those to a bind and to a submit_sm must have none.
#[inline(always)]
fn check_error_body<V: FieldVisitor>(
    reader: &mut Reader<'_, V>,
    body: &[u8],
) -> Result<(), nom::Err<ParseFailed>> {
    let Header { command, .. } = reader.header();
    if !(command.is_bind() || command == CommandId::SUBMIT_SM_RESP) {
        return Ok(());
    }
    reader.tolerate_or_fail(Quirks::BODY_ON_ERROR, "body", body, DecodeErrorKind::TrailingOctets)
}

#[inline(always)]
fn check_sequence<V: FieldVisitor>(reader: &mut Reader<'_, V>) -> Result<(), nom::Err<ParseFailed>> {
    if reader.header().sequence.is_valid() {
        return Ok(());
    }
    let kind = DecodeErrorKind::SequenceRange;
    reader.tolerate_header_or_fail(Quirks::SEQUENCE_RANGE, "sequence_number", 12, kind)
}

#[inline(always)]
fn check_end<V: FieldVisitor>(reader: &mut Reader<'_, V>, rest: &[u8]) -> Result<(), nom::Err<ParseFailed>> {
    if rest.is_empty() {
        return Ok(());
    }
    reader.visitor.visit("body", &"octets after the end of the PDU", rest, &[]);
    reader.tolerate_or_fail(Quirks::TRAILING_OCTETS, "body", rest, DecodeErrorKind::TrailingOctets)
}
