//! Optional parameters: tag, length, value (SMPP 3.4 §3.2.4, §5.3).

use core::fmt;

use crate::pdu::MessageState;
use crate::wire::{
    DecodeErrorKind, Emit, Name, Parse, Parsed, Quirks, Reader, Sink, Stop, Watch, open_enum,
};

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
        /// x
        BROADCAST_AREA_IDENTIFIER = 0x0606,
        /// x
        BROADCAST_CONTENT_TYPE = 0x0601,
        /// x
        BROADCAST_REP_NUM = 0x0604,
        /// x
        BROADCAST_FREQUENCY_INTERVAL = 0x0605,
        /// x
        BROADCAST_AREA_SUCCESS = 0x0608,
        /// `message_state`: what became of the message.
        MESSAGE_STATE = 0x0427,
        /// `congestion_state`: the peer's load in percent (SMPP 5.0 §4.8.4.18).
        CONGESTION_STATE = 0x0428,
        /// x
        MORE_MESSAGES_TO_SEND = 0x0426,
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

    /// One that was read.
    const fn octets(tag: Tag, value: &'a [u8]) -> Self {
        Self { tag, value: Value::Octets(value) }
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
            Source::Wire(octets) => {
                let mut rest = octets;
                loop {
                    let (found, value, after) = split(rest)?;
                    if found == tag {
                        return Some(value);
                    }
                    rest = after;
                }
            }
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
                let (tag, value, rest) = split(octets)?;
                *octets = rest;
                Some(Tlv::octets(tag, value))
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
    #[inline(always)]
    fn parse<W: Watch>(reader: &mut Reader<'_, W>, _: Name, input: &'a [u8]) -> Parsed<'a, Self> {
        if input.is_empty() {
            return Ok((input, Self::EMPTY));
        }
        match walk(reader, input) {
            Ok(octets) => Ok((&[], Self(Source::Wire(octets)))),
            Err(stop) => Err(nom::Err::Error(stop)),
        }
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

/// The first TLV, `tag length value`, and what follows it.
#[inline(always)]
fn split(input: &[u8]) -> Option<(Tag, &[u8], &[u8])> {
    let ([high, low, long, short], rest) = input.split_first_chunk()?;
    let length = u16::from_be_bytes([*long, *short]);
    let (value, rest) = rest.split_at_checked(length.into())?;
    Some((Tag(u16::from_be_bytes([*high, *low])), value, rest))
}

/// Steps over each TLV, and gives the octets that are whole TLVs: all of `input`, unless it is damaged.
fn walk<'a, W: Watch>(reader: &mut Reader<'_, W>, input: &'a [u8]) -> Result<&'a [u8], Stop> {
    let mut octets = input;
    let mut rest = input;
    let mut has_payload = false;
    while !rest.is_empty() {
        let Some((tag, value, after)) = split(rest) else {
            if let (true, Some(after)) = (rest.len() == input.len(), after_nul(input)) {
                let kind = DecodeErrorKind::TlvHeader;
                reader.deviation(Quirks::TRAILING_NUL, "tlv", rest, kind).map_err(|_| Stop)?;
                return walk(reader, after);
            }
            truncated(reader, rest)?;
            octets = input.get(..input.len() - rest.len()).unwrap_or_default();
            break;
        };
        has_payload |= tag == Tag::MESSAGE_PAYLOAD && !value.is_empty();
        reader.watch.field(tag.name().unwrap_or("tlv"), &Tlv::octets(tag, value), rest, after);
        rest = after;
    }
    if has_payload && reader.has_text {
        let kind = DecodeErrorKind::BothMessageFields;
        reader.deviation(Quirks::BOTH_MESSAGE_FIELDS, "message_payload", input, kind).map_err(|_| Stop)?;
    }
    Ok(octets)
}

/// What follows a NUL that is no part of a TLV: nothing, or whole TLVs.
#[cold]
fn after_nul(input: &[u8]) -> Option<&[u8]> {
    let [0, after @ ..] = input else { return None };
    is_whole(after).then_some(after)
}

/// `rest`, the end of a PDU, is no TLV. One that crosses the frame is never read; half a header may be dropped.
#[cold]
#[inline(never)]
fn truncated<W>(reader: &mut Reader<'_, W>, rest: &[u8]) -> Result<(), Stop> {
    let kind = if rest.len() < 4 { DecodeErrorKind::TlvHeader } else { DecodeErrorKind::TlvOverrun };
    // Of a response nothing is lost that anyone reads; in a request it may be the end of a text.
    let header = rest.len() < 4 && (reader.header().command.is_response() || begins_a_tlv(rest));
    if header && reader.tolerates(Quirks::TRUNCATED_TLV) {
        return Ok(());
    }
    reader.stop("tlv", rest, kind);
    Err(Stop)
}

/// Whether the octets are whole TLVs.
fn is_whole(octets: &[u8]) -> bool {
    let mut rest = octets;
    while let Some((_, _, after)) = split(rest) {
        rest = after;
    }
    rest.is_empty()
}

/// Whether one to three octets can be the beginning of a TLV that the specification defines.
fn begins_a_tlv(octets: &[u8]) -> bool {
    match octets {
        [high] => matches!(high, 0..=6 | 0x12 | 0x13),
        [high, low, ..] => Tag(u16::from_be_bytes([*high, *low])).name().is_some(),
        [] => false,
    }
}

impl Tlvs<'_> {
    /// Whether the body of a response is TLVs alone, the first of a tag that the specification defines.
    pub(crate) fn are_all(body: &[u8]) -> bool {
        body.len() >= 4 && begins_a_tlv(body) && is_whole(body)
    }

    /// Stops the reading of a PDU that is no error response and lacks one of the tags.
    pub(crate) fn need<W>(
        &self,
        reader: &mut Reader<'_, W>,
        tags: &[Tag],
        rest: &[u8],
    ) -> Result<(), nom::Err<Stop>> {
        match tags.iter().find(|tag| self.get(**tag).is_none()) {
            Some(tag) if reader.header().status.is_ok() => {
                let field = tag.name().unwrap_or("tlv");
                reader.deviation(Quirks::MISSING_TLV, field, rest, DecodeErrorKind::MissingTlv)
            }
            _ => Ok(()),
        }
    }
}
