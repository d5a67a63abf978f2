//! Optional parameters: tag, length, value (SMPP 3.4 §3.2.4, §5.3).

use core::fmt;

use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::be_u16;

use super::{DecodeErrorKind, Emit, Fault, Parse, Parsed, Quirks, Reader, Sink, open_enum};
use crate::pdu::MessageState;

open_enum! {
    /// The tag of an optional parameter (SMPP 3.4 §5.3.2). Vendors use `0x1400..=0x3FFF`.
    pub struct Tag(u16) {
        /// `additional_status_info_text`: text about a status.
        ADDITIONAL_STATUS_INFO_TEXT = 0x001D,
        /// `receipted_message_id`: the id of the message that a receipt is about.
        RECEIPTED_MESSAGE_ID = 0x001E,
        /// `user_message_reference`: a number the ESME gave the message.
        USER_MESSAGE_REFERENCE = 0x0204,
        /// `sar_msg_ref_num`: which message a segment belongs to.
        SAR_MSG_REF_NUM = 0x020C,
        /// `sar_total_segments`: how many segments the message has.
        SAR_TOTAL_SEGMENTS = 0x020E,
        /// `sar_segment_seqnum`: which segment this is, from 1.
        SAR_SEGMENT_SEQNUM = 0x020F,
        /// `sc_interface_version`: the version the SMSC speaks.
        SC_INTERFACE_VERSION = 0x0210,
        /// `network_error_code`: network type and error.
        NETWORK_ERROR_CODE = 0x0423,
        /// `message_payload`: the text, when `short_message` is too small for it.
        MESSAGE_PAYLOAD = 0x0424,
        /// `message_state`: what became of the message.
        MESSAGE_STATE = 0x0427,
        /// `congestion_state`: the peer's load in percent (SMPP 5.0 §4.8.4.18).
        CONGESTION_STATE = 0x0428,
    }
}

/// One optional parameter: borrowed octets, or a small number held in place.
#[derive(Clone, Copy)]
pub struct Tlv<'a> {
    /// Which parameter it is.
    pub tag: Tag,
    value: Value<'a>,
}

#[derive(Clone, Copy)]
enum Value<'a> {
    Octets(&'a [u8]),
    /// A big-endian integer in the last `1..=4` octets.
    Integer {
        octets: [u8; 4],
        length: u8,
    },
}

impl<'a> Tlv<'a> {
    /// A parameter with these octets. `None` if they are more than a TLV can count (65,535).
    pub const fn new(tag: Tag, value: &'a [u8]) -> Option<Self> {
        if value.len() > 0xFFFF {
            return None;
        }
        Some(Self { tag, value: Value::Octets(value) })
    }

    /// A parameter whose value is one octet.
    pub const fn u8(tag: Tag, value: u8) -> Self {
        Self { tag, value: Value::Integer { octets: (value as u32).to_be_bytes(), length: 1 } }
    }

    /// A parameter whose value is a two-octet integer.
    pub const fn u16(tag: Tag, value: u16) -> Self {
        Self { tag, value: Value::Integer { octets: (value as u32).to_be_bytes(), length: 2 } }
    }

    /// A parameter whose value is a four-octet integer.
    pub const fn u32(tag: Tag, value: u32) -> Self {
        Self { tag, value: Value::Integer { octets: value.to_be_bytes(), length: 4 } }
    }

    /// The value's octets.
    pub fn value(&self) -> &[u8] {
        match &self.value {
            Value::Octets(octets) => octets,
            Value::Integer { octets, length } => {
                octets.get(octets.len().saturating_sub(usize::from(*length))..).unwrap_or_default()
            }
        }
    }

    /// `tag length value`.
    fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (rest, (tag, length)) = (be_u16, be_u16).parse(input)?;
        take(length).map(|value| Self { tag: Tag(tag), value: Value::Octets(value) }).parse(rest)
    }
}

impl PartialEq for Tlv<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.tag == other.tag && self.value() == other.value()
    }
}

impl Eq for Tlv<'_> {}

impl fmt::Debug for Tlv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: \"{}\"", self.tag, self.value().escape_ascii())
    }
}

/// The optional parameters of a PDU: what the peer sent, octet for octet, or a list of one's own.
///
/// Order, duplicates, unknown and vendor tags are kept. Where a tag repeats, the accessors give the first.
///
/// ```
/// use smpp_core::{Tag, Tlv, Tlvs};
/// let list = [Tlv::u16(Tag::USER_MESSAGE_REFERENCE, 7), Tlv::new(Tag(0x1401), b"mine").unwrap()];
/// let tlvs = Tlvs::list(&list);
/// assert_eq!(tlvs.user_message_reference(), Some(7));
/// assert_eq!(tlvs.get(Tag(0x1401)), Some(&b"mine"[..]));
/// ```
#[derive(Clone, Copy)]
pub struct Tlvs<'a>(Source<'a>);

#[derive(Clone, Copy)]
enum Source<'a> {
    Wire(&'a [u8]),
    List(&'a [Tlv<'a>]),
}

impl<'a> Tlvs<'a> {
    /// No parameters.
    pub const EMPTY: Self = Self(Source::Wire(&[]));

    /// These parameters, to be sent in this order.
    pub const fn list(list: &'a [Tlv<'a>]) -> Self {
        Self(Source::List(list))
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        match self.0 {
            Source::Wire(octets) => octets.is_empty(),
            Source::List(list) => list.is_empty(),
        }
    }

    /// Each parameter, in wire order.
    pub const fn iter(&self) -> TlvIter<'a> {
        TlvIter(self.0)
    }

    /// The value of the first parameter with this tag.
    pub fn get(&self, tag: Tag) -> Option<&'a [u8]> {
        match self.0 {
            Source::List(list) => list.iter().find(|tlv| tlv.tag == tag).map(Tlv::value),
            Source::Wire(_) => self.iter().find(|tlv| tlv.tag == tag).and_then(|tlv| match tlv.value {
                Value::Octets(octets) => Some(octets),
                Value::Integer { .. } => None,
            }),
        }
    }

    fn octet(&self, tag: Tag) -> Option<u8> {
        match self.get(tag)? {
            [octet] => Some(*octet),
            _ => None,
        }
    }

    fn pair(&self, tag: Tag) -> Option<u16> {
        self.get(tag)?.try_into().ok().map(u16::from_be_bytes)
    }

    /// `receipted_message_id` without its NUL; peers omit the NUL, both are read (SMPP 3.4 §5.3.2.12).
    pub fn receipted_message_id(&self) -> Option<&'a [u8]> {
        self.get(Tag::RECEIPTED_MESSAGE_ID).map(|value| value.strip_suffix(&[0]).unwrap_or(value))
    }

    /// `message_state` (SMPP 3.4 §5.3.2.35).
    pub fn message_state(&self) -> Option<MessageState> {
        self.octet(Tag::MESSAGE_STATE).map(MessageState)
    }

    /// `network_error_code`: network type and error code (SMPP 3.4 §5.3.2.31).
    pub fn network_error_code(&self) -> Option<(u8, u16)> {
        match self.get(Tag::NETWORK_ERROR_CODE)? {
            [network, high, low] => Some((*network, u16::from_be_bytes([*high, *low]))),
            _ => None,
        }
    }

    /// `message_payload` (SMPP 3.4 §5.3.2.32).
    pub fn message_payload(&self) -> Option<&'a [u8]> {
        self.get(Tag::MESSAGE_PAYLOAD)
    }

    /// `user_message_reference` (SMPP 3.4 §5.3.2.17).
    pub fn user_message_reference(&self) -> Option<u16> {
        self.pair(Tag::USER_MESSAGE_REFERENCE)
    }

    /// `sar_msg_ref_num` (SMPP 3.4 §5.3.2.22).
    pub fn sar_msg_ref_num(&self) -> Option<u16> {
        self.pair(Tag::SAR_MSG_REF_NUM)
    }

    /// `sar_total_segments`, `1..=255` (SMPP 3.4 §5.3.2.23).
    pub fn sar_total_segments(&self) -> Option<u8> {
        self.octet(Tag::SAR_TOTAL_SEGMENTS)
    }

    /// `sar_segment_seqnum`, `1..=255` (SMPP 3.4 §5.3.2.24).
    pub fn sar_segment_seqnum(&self) -> Option<u8> {
        self.octet(Tag::SAR_SEGMENT_SEQNUM)
    }

    /// `sc_interface_version` (SMPP 3.4 §5.3.2.25).
    pub fn sc_interface_version(&self) -> Option<u8> {
        self.octet(Tag::SC_INTERFACE_VERSION)
    }

    /// `congestion_state` in percent (SMPP 5.0 §4.8.4.18).
    pub fn congestion_state(&self) -> Option<u8> {
        self.octet(Tag::CONGESTION_STATE)
    }
}

impl Default for Tlvs<'_> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl PartialEq for Tlvs<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (Source::Wire(mine), Source::Wire(theirs)) => mine == theirs,
            _ => self.iter().eq(other.iter()),
        }
    }
}

impl Eq for Tlvs<'_> {}

impl fmt::Debug for Tlvs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for Tlvs<'a> {
    type Item = Tlv<'a>;
    type IntoIter = TlvIter<'a>;

    fn into_iter(self) -> TlvIter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &Tlvs<'a> {
    type Item = Tlv<'a>;
    type IntoIter = TlvIter<'a>;

    fn into_iter(self) -> TlvIter<'a> {
        self.iter()
    }
}

/// Iterates over the parameters of a [`Tlvs`].
#[derive(Clone, Debug)]
pub struct TlvIter<'a>(Source<'a>);

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Tlvs(*self).fmt(f)
    }
}

impl<'a> Iterator for TlvIter<'a> {
    type Item = Tlv<'a>;

    fn next(&mut self) -> Option<Tlv<'a>> {
        match &mut self.0 {
            Source::Wire(octets) => {
                let (rest, tlv) = Tlv::parse(octets).ok()?;
                *octets = rest;
                Some(tlv)
            }
            Source::List(list) => {
                let (tlv, rest) = list.split_first()?;
                *list = rest;
                Some(*tlv)
            }
        }
    }
}

impl<'a> Parse<'a> for Tlvs<'a> {
    /// `*(tag length value)` to the end of the PDU.
    #[inline]
    fn parse(reader: &mut Reader, _: &'static str, input: &'a [u8]) -> Parsed<'a, Self> {
        let mut rest = input;
        while !rest.is_empty() {
            match Tlv::parse(rest) {
                Ok((after, _)) => rest = after,
                Err(_) => return damaged(reader, input, rest),
            }
        }
        Ok((rest, Self(Source::Wire(input))))
    }
}

impl Emit for Tlvs<'_> {
    #[inline]
    fn emit<S: Sink>(&self, out: &mut S) {
        if self.is_empty() || !out.takes_tlvs() {
            return;
        }
        if let Source::Wire(octets) = self.0 {
            return out.put(octets);
        }
        for tlv in self {
            let value = tlv.value();
            out.put(&tlv.tag.0.to_be_bytes());
            // At most 65,535 octets: `Tlv::new` checks it.
            out.put(&(value.len() as u16).to_be_bytes());
            out.put(value);
        }
    }
}

/// `rest`, the end of `input`, is no TLV. One that crosses the frame is never read.
#[cold]
fn damaged<'a>(reader: &mut Reader, input: &'a [u8], rest: &'a [u8]) -> Parsed<'a, Tlvs<'a>> {
    if rest.len() >= 4 {
        return Fault::new("tlv", rest, DecodeErrorKind::TlvOverrun);
    }
    let quirk = if rest == [0] { Quirks::TRAILING_NUL } else { Quirks::TRUNCATED_TLV };
    if reader.tolerates(quirk) {
        let whole = input.get(..input.len() - rest.len()).unwrap_or_default();
        return Ok((&[], Tlvs(Source::Wire(whole))));
    }
    Fault::new("tlv", rest, DecodeErrorKind::TlvHeader)
}
