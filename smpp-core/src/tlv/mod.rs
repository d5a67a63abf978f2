//! Optional parameters: tag, length, value (SMPP 3.4 §3.2.4, §5.3).
//!
//! [`Tlvs`] has a typed accessor for each tag of the specification, and [`Tlv`] a constructor for most. A tag that
//! the specification does not know, a vendor's own, is read by [`Tlvs::get`].

mod broadcast;
mod table;
mod value;
mod values;

use core::fmt;
use core::ops::RangeInclusive;

pub use broadcast::*;
pub use table::Tag;
pub use value::Value;
pub use values::*;

use self::value::Octets;
use crate::wire::{
    DecodeErrorKind, Emit, InvalidOctets, Name, Parse, Parsed, Quirks, Reader, Sink, Stop, Watch,
};

/// One optional parameter: borrowed octets, or a small value held in place.
///
/// ```
/// use smpp_core::{MessageState, Tlv};
/// let state = Tlv::message_state(MessageState::DELIVERED);
/// assert_eq!(state.value(), [2]);
/// assert_eq!(format!("{state:?}"), "message_state: DELIVERED");
/// ```
#[derive(Clone, Copy)]
pub struct Tlv<'a> {
    /// Which parameter it is.
    pub tag: Tag,
    content: Content<'a>,
}

#[derive(Clone, Copy)]
enum Content<'a> {
    Borrowed(&'a [u8]),
    /// A NUL follows on the wire.
    Text(&'a [u8]),
    Inline(Octets),
}

impl<'a> Tlv<'a> {
    /// A parameter with these octets. `None` if they are more than a TLV can count (65,535).
    pub const fn new(tag: Tag, value: &'a [u8]) -> Option<Self> {
        if value.len() > 0xFFFF {
            return None;
        }
        Some(Self { tag, content: Content::Borrowed(value) })
    }

    /// A parameter whose value is one octet.
    pub const fn u8(tag: Tag, value: u8) -> Self {
        Self::inline(tag, Octets::new(value as u32, 1))
    }

    /// A parameter whose value is a two-octet integer.
    pub const fn u16(tag: Tag, value: u16) -> Self {
        Self::inline(tag, Octets::new(value as u32, 2))
    }

    /// A parameter whose value is a four-octet integer.
    pub const fn u32(tag: Tag, value: u32) -> Self {
        Self::inline(tag, Octets::new(value, 4))
    }

    const fn inline(tag: Tag, octets: Octets) -> Self {
        Self { tag, content: Content::Inline(octets) }
    }

    fn borrowed(tag: Tag, value: &'a [u8], lengths: RangeInclusive<usize>) -> Result<Self, InvalidOctets> {
        if value.len() > *lengths.end() {
            return Err(InvalidOctets::TooLong { length: value.len(), limit: *lengths.end() });
        }
        if value.len() < *lengths.start() {
            return Err(InvalidOctets::TooShort { length: value.len(), least: *lengths.start() });
        }
        Ok(Self { tag, content: Content::Borrowed(value) })
    }

    fn text(tag: Tag, text: &'a [u8], lengths: RangeInclusive<usize>) -> Result<Self, InvalidOctets> {
        if let Some(at) = text.iter().position(|octet| *octet == 0) {
            return Err(InvalidOctets::Nul { at });
        }
        Self::borrowed(tag, text, lengths).map(|_| Self { tag, content: Content::Text(text) })
    }

    /// The value's octets. Of a text that was built here, those before the NUL.
    pub fn value(&self) -> &[u8] {
        match &self.content {
            Content::Borrowed(octets) | Content::Text(octets) => octets,
            Content::Inline(octets) => octets.get(),
        }
    }

    /// What follows [`value`](Self::value) on the wire.
    fn end(&self) -> &'static [u8] {
        if matches!(self.content, Content::Text(_)) { &[0] } else { &[] }
    }

    /// One that was read.
    const fn octets(tag: Tag, value: &'a [u8]) -> Self {
        Self { tag, content: Content::Borrowed(value) }
    }
}

/// Whether both are the same on the wire.
impl PartialEq for Tlv<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.tag == other.tag
            && self.value().iter().chain(self.end()).eq(other.value().iter().chain(other.end()))
    }
}

impl Eq for Tlv<'_> {}

/// The name of the tag and the value as what it is.
impl fmt::Debug for Tlv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: ", self.tag)?;
        table::show(self.tag, self.value(), f)
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

    /// The typed values of all parameters with this tag, in wire order: for the few that may repeat.
    ///
    /// ```
    /// use smpp_core::CommandStatus;
    /// use smpp_core::{Tag, Tlv, Tlvs};
    /// let list = [CommandStatus::RSYSERR, CommandStatus::RINVBCASTAREAFMT].map(Tlv::broadcast_error_status);
    /// let mut errors = Tlvs::list(&list).all(Tag::BROADCAST_ERROR_STATUS);
    /// assert_eq!(errors.next(), Some(Some(CommandStatus::RSYSERR)));
    /// assert_eq!(errors.next(), Some(Some(CommandStatus::RINVBCASTAREAFMT)));
    /// assert_eq!(errors.next(), None);
    /// ```
    pub fn all<T: Value<'a>>(self, tag: Tag) -> impl Iterator<Item = Option<T>> + use<'a, T> {
        let (octets, list) = match self.0 {
            Source::Wire(octets) => (octets, &[][..]),
            Source::List(list) => (&[][..], list),
        };
        let mut rest = octets;
        let read = core::iter::from_fn(move || {
            let (tag, value, after) = split(rest)?;
            rest = after;
            Some((tag, value))
        });
        let own = list.iter().map(|tlv| (tlv.tag, tlv.value()));
        read.chain(own).filter(move |(found, _)| *found == tag).map(|(_, value)| T::read(value))
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
        if !W::WATCHES && is_sound(input, reader.has_text) {
            return Ok((&[], Self(Source::Wire(input))));
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
        // Most PDUs have none: they are not to pay for the others.
        if !self.is_empty() && out.takes_tlvs() {
            self.emit_all(out);
        }
    }
}

impl Tlvs<'_> {
    #[inline(never)]
    fn emit_all<S: Sink>(&self, out: &mut S) {
        if let Source::Wire(octets) = self.0 {
            return out.put(octets);
        }
        for tlv in self {
            let (value, end) = (tlv.value(), tlv.end());
            out.put(&tlv.tag.0.to_be_bytes());
            // At most 65,535 octets: the constructors check it.
            out.put(&((value.len() + end.len()) as u16).to_be_bytes());
            out.put(value);
            out.put(end);
        }
    }
}

/// A value as what its tag says it is.
struct Shown<'a>(Tag, &'a [u8]);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        table::show(self.0, self.1, f)
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

/// Whether the octets are whole TLVs and nothing is to be said about any of them, as it nearly always is: all that
/// is worth being fast.
fn is_sound(octets: &[u8], has_text: bool) -> bool {
    let mut rest = octets;
    let mut odd = false;
    while let Some((tag, value, after)) = split(rest) {
        odd |= !table::fits(tag, value) || (has_text && tag == Tag::MESSAGE_PAYLOAD);
        rest = after;
    }
    rest.is_empty() && !odd
}

/// Steps over each TLV, says what is to be said, and gives the octets that are whole TLVs: all of `input`, unless it is damaged.
#[cold]
#[inline(never)]
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
        if let Some((quirk, kind)) = table::objection(tag, value) {
            reader.deviation(quirk, tag.name().unwrap_or("tlv"), rest, kind).map_err(|_| Stop)?;
        }
        reader.watch.field(tag.name().unwrap_or("tlv"), &Shown(tag, value), rest, after);
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
