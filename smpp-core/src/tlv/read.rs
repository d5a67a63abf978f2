//! Reads the TLVs at the end of a PDU and reports their deviations.

use super::accessors::TypedValue;
use super::list::{Source, Tlv, Tlvs, split};
use super::tag::{Tag, deviation, is_valid};
use crate::wire::{DecodeErrorKind, FieldName, FieldVisitor, Parse, ParseFailed, Parsed, Quirks, Reader};

impl<'a> Parse<'a> for Tlvs<'a> {
    type Located = Self;

    /// `*(tag length value)` to the end of the PDU.
    #[inline(always)]
    fn locate<V: FieldVisitor>(
        reader: &mut Reader<'_, V>,
        _: FieldName,
        input: &'a [u8],
    ) -> Parsed<'a, Self> {
        if input.is_empty() {
            return Ok((input, Self(Source::Wire(input))));
        }
        let octets = if !V::FAST_PATH {
            check_each(reader, input)
        } else if all_valid(input, reader.has_text) {
            Ok(input)
        } else {
            Err(ParseFailed)
        };
        octets.map(|octets| (&[][..], Self(Source::Wire(octets)))).map_err(nom::Err::Error)
    }
}

/// Returns whether the octets are complete TLVs without deviations.
///
/// It is never inlined: most PDUs have no TLVs, and the loop would take registers from their decoders.
#[inline(never)]
fn all_valid(octets: &[u8], has_text: bool) -> bool {
    let mut rest = octets;
    while let Some((tag, value, after)) = split(rest) {
        if !is_valid(tag, value, has_text) {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}

/// Visits each TLV and reports its deviations. Returns the octets that are complete TLVs: all of `input`, unless its
/// end is damaged.
fn check_each<'a, V: FieldVisitor>(
    reader: &mut Reader<'_, V>,
    input: &'a [u8],
) -> Result<&'a [u8], ParseFailed> {
    if let (false, Some(after)) = (all_complete(input), after_stray_nul(input)) {
        reader.visitor.visit("tlv", &"a NUL outside any field", input, after);
        let kind = DecodeErrorKind::TlvHeader;
        reader.tolerate_or_fail(Quirks::TRAILING_NUL, "tlv", input, kind).map_err(|_| ParseFailed)?;
        return check_each(reader, after);
    }
    let mut octets = input;
    let mut rest = input;
    let mut payload = None;
    while !rest.is_empty() {
        let Some((tag, value, after)) = split(rest) else {
            check_incomplete(reader, rest)?;
            octets = input.get(..input.len() - rest.len()).unwrap_or_default();
            break;
        };
        if tag == Tag::MESSAGE_PAYLOAD && !value.is_empty() {
            payload = Some(rest);
        }
        let name = tag.name().unwrap_or("tlv");
        reader.visitor.visit(name, &TypedValue(Tlv::received(tag, value)), rest, after);
        if let Some((quirk, kind)) = deviation(tag, value) {
            reader.tolerate_or_fail(quirk, name, rest, kind).map_err(|_| ParseFailed)?;
        }
        rest = after;
    }
    if let (Some(at), true) = (payload, reader.has_text) {
        let kind = DecodeErrorKind::BothMessageFields;
        reader
            .tolerate_or_fail(Quirks::BOTH_MESSAGE_FIELDS, "message_payload", at, kind)
            .map_err(|_| ParseFailed)?;
    }
    Ok(octets)
}

/// Returns the octets after a NUL that is not part of a TLV, if they are complete TLVs or none.
fn after_stray_nul(input: &[u8]) -> Option<&[u8]> {
    let [0, after @ ..] = input else { return None };
    all_complete(after).then_some(after)
}

/// Handles `rest`, the end of a PDU that is not a complete TLV. A value that reaches past the end of the PDU is
/// always an error. An incomplete header can be tolerated.
#[cold]
#[inline(never)]
fn check_incomplete<V: FieldVisitor>(reader: &mut Reader<'_, V>, rest: &[u8]) -> Result<(), ParseFailed> {
    let kind = if rest.len() < 4 { DecodeErrorKind::TlvHeader } else { DecodeErrorKind::TlvOverrun };
    // A response has no text that these octets could belong to. In a request they may be the end of a text.
    let is_header = rest.len() < 4 && (reader.header().command.is_response() || starts_like_tlv(rest));
    if is_header && reader.tolerate(Quirks::TRUNCATED_TLV) {
        reader.visitor.visit("tlv", &"an incomplete TLV header", rest, &[]);
        return Ok(());
    }
    reader.fail("tlv", rest, kind);
    Err(ParseFailed)
}

/// Returns the octets after the last complete TLV.
fn after_last_tlv(octets: &[u8]) -> &[u8] {
    let mut rest = octets;
    while let Some((_, _, after)) = split(rest) {
        rest = after;
    }
    rest
}

/// Returns whether the octets are complete TLVs.
fn all_complete(octets: &[u8]) -> bool {
    after_last_tlv(octets).is_empty()
}

/// Returns whether the octets can be the start of a TLV with a tag of the specification or of a vendor. Only the vendor
/// tags below `0x2000` count, because the others can also be text.
fn starts_like_tlv(octets: &[u8]) -> bool {
    match octets {
        [0x14..=0x1F, ..] => true,
        [high] => Tag::ALL.iter().any(|tag| tag.0.to_be_bytes().starts_with(&[*high])),
        [high, low, ..] => Tag(u16::from_be_bytes([*high, *low])).name().is_some(),
        [] => false,
    }
}

impl Tlvs<'_> {
    /// Returns whether the body of an error response consists of TLVs only. The header of the last one may be
    /// incomplete.
    pub(crate) fn is_tlvs_only(body: &[u8]) -> bool {
        body.len() >= 4 && starts_like_tlv(body) && after_last_tlv(body).len() < 4
    }

    /// Checks that all `tags` are present. An error response may omit them.
    #[inline]
    pub(crate) fn require<V: FieldVisitor>(
        &self,
        reader: &mut Reader<'_, V>,
        tags: &[Tag],
        rest: &[u8],
    ) -> Result<(), nom::Err<ParseFailed>> {
        let header = reader.header();
        if header.command.is_response() && !header.status.is_ok() {
            return Ok(());
        }
        match tags.iter().find(|tag| self.get(**tag).is_none()) {
            Some(tag) => {
                let field = tag.name().unwrap_or("tlv");
                reader.tolerate_or_fail(Quirks::MISSING_TLV, field, rest, DecodeErrorKind::MissingTlv)
            }
            None => Ok(()),
        }
    }
}
