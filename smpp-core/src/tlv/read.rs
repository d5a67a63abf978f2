//! The TLVs at the end of a PDU: where they begin and end, and what is odd about them.

use super::{Shown, Source, Tag, Tlv, Tlvs, split, table};
use crate::wire::{DecodeErrorKind, Name, Parse, Parsed, Quirks, Reader, Stop, Watch};

impl<'a> Parse<'a> for Tlvs<'a> {
    type Found = Self;

    /// `*(tag length value)` to the end of the PDU.
    #[inline(always)]
    fn find<W: Watch>(reader: &mut Reader<'_, W>, _: Name, input: &'a [u8]) -> Parsed<'a, Self> {
        if input.is_empty() {
            return Ok((input, Self(Source::Wire(input))));
        }
        let read = if !W::HASTY {
            walk(reader, input)
        } else if is_sound(input, reader.has_text) {
            Ok(input)
        } else {
            Err(Stop)
        };
        read.map(|octets| (&[][..], Self(Source::Wire(octets)))).map_err(nom::Err::Error)
    }
}

/// Whether the octets are whole TLVs and nothing is to be said about any of them.
///
/// A call, since most PDUs have no TLVs: they are not to give registers away to the loop.
#[inline(never)]
fn is_sound(octets: &[u8], has_text: bool) -> bool {
    let mut rest = octets;
    while let Some((tag, value, after)) = split(rest) {
        if !table::fits(tag, value, has_text) {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}

/// Steps over each TLV, says what is to be said, and gives the octets that are whole TLVs: all of `input`, unless it
/// is damaged.
fn walk<'a, W: Watch>(reader: &mut Reader<'_, W>, input: &'a [u8]) -> Result<&'a [u8], Stop> {
    if let (false, Some(after)) = (is_whole(input), after_nul(input)) {
        reader.watch.field("tlv", &"a NUL that belongs to nothing", input, after);
        let kind = DecodeErrorKind::TlvHeader;
        reader.deviation(Quirks::TRAILING_NUL, "tlv", input, kind).map_err(|_| Stop)?;
        return walk(reader, after);
    }
    let mut octets = input;
    let mut rest = input;
    let mut payload = None;
    while !rest.is_empty() {
        let Some((tag, value, after)) = split(rest) else {
            truncated(reader, rest)?;
            octets = input.get(..input.len() - rest.len()).unwrap_or_default();
            break;
        };
        if tag == Tag::MESSAGE_PAYLOAD && !value.is_empty() {
            payload = Some(rest);
        }
        reader.watch.field(tag.name().unwrap_or("tlv"), &Shown(Tlv::read(tag, value)), rest, after);
        if let Some((quirk, kind)) = table::objection(tag, value) {
            reader.deviation(quirk, tag.name().unwrap_or("tlv"), rest, kind).map_err(|_| Stop)?;
        }
        rest = after;
    }
    if let (Some(at), true) = (payload, reader.has_text) {
        let kind = DecodeErrorKind::BothMessageFields;
        reader.deviation(Quirks::BOTH_MESSAGE_FIELDS, "message_payload", at, kind).map_err(|_| Stop)?;
    }
    Ok(octets)
}

/// What follows a NUL that is no part of a TLV: nothing, or whole TLVs.
fn after_nul(input: &[u8]) -> Option<&[u8]> {
    let [0, after @ ..] = input else { return None };
    is_whole(after).then_some(after)
}

/// `rest`, the end of a PDU, is no TLV. One that crosses the frame is never read; half a header may be dropped.
#[cold]
#[inline(never)]
fn truncated<W: Watch>(reader: &mut Reader<'_, W>, rest: &[u8]) -> Result<(), Stop> {
    let kind = if rest.len() < 4 { DecodeErrorKind::TlvHeader } else { DecodeErrorKind::TlvOverrun };
    // Of a response nothing is lost that anyone reads; in a request it may be the end of a text.
    let header = rest.len() < 4 && (reader.header().command.is_response() || begins_a_tlv(rest));
    if header && reader.tolerates(Quirks::TRUNCATED_TLV) {
        reader.watch.field("tlv", &"cut short", rest, &[]);
        return Ok(());
    }
    reader.stop("tlv", rest, kind);
    Err(Stop)
}

/// What is left of the octets behind the last whole TLV.
fn tail(octets: &[u8]) -> &[u8] {
    let mut rest = octets;
    while let Some((_, _, after)) = split(rest) {
        rest = after;
    }
    rest
}

/// Whether the octets are whole TLVs.
fn is_whole(octets: &[u8]) -> bool {
    tail(octets).is_empty()
}

/// Whether the octets, the last of a request or the first of a response, can be the beginning of a TLV that the
/// specification defines, or of a vendor's. Of vendors only tags below `0x2000` count: from there on it may as well
/// be text.
fn begins_a_tlv(octets: &[u8]) -> bool {
    match octets {
        [0x14..=0x1F, ..] => true,
        [high] => Tag::ALL.iter().any(|tag| tag.0.to_be_bytes().starts_with(&[*high])),
        [high, low, ..] => Tag(u16::from_be_bytes([*high, *low])).name().is_some(),
        [] => false,
    }
}

impl Tlvs<'_> {
    /// Whether the body of an error response is TLVs alone; the last one may be cut short.
    pub(crate) fn are_all(body: &[u8]) -> bool {
        body.len() >= 4 && begins_a_tlv(body) && tail(body).len() < 4
    }

    /// Stops the reading of a PDU that is no error response and lacks one of the tags.
    #[inline]
    pub(crate) fn need<W: Watch>(
        &self,
        reader: &mut Reader<'_, W>,
        tags: &[Tag],
        rest: &[u8],
    ) -> Result<(), nom::Err<Stop>> {
        let header = reader.header();
        if header.command.is_response() && !header.status.is_ok() {
            return Ok(());
        }
        match tags.iter().find(|tag| self.get(**tag).is_none()) {
            Some(tag) => {
                let field = tag.name().unwrap_or("tlv");
                reader.deviation(Quirks::MISSING_TLV, field, rest, DecodeErrorKind::MissingTlv)
            }
            None => Ok(()),
        }
    }
}
