//! [`Tlv`] and [`Tlvs`]: one optional parameter, and the optional parameters of a PDU.

use core::fmt;

use super::tag::{Tag, value_octets};
use super::value::{Short, Value};
use crate::wire::{Emit, InvalidOctets, Sink, check_text};

/// One optional parameter (TLV): borrowed octets, or a value of at most four octets.
///
/// Two parameters are equal if their encoded octets are equal.
#[derive(Clone, Copy)]
pub struct Tlv<'a> {
    /// The tag, which identifies the parameter.
    pub tag: Tag,
    content: Content<'a>,
}

#[derive(Clone, Copy)]
enum Content<'a> {
    Octets(&'a [u8]),
    /// Text without its NUL. The encoder adds the NUL.
    Text(&'a [u8]),
    Short(Short),
}

impl<'a> Tlv<'a> {
    /// Returns a parameter with these octets as its value. Returns `None` if there are more than 65,535, the maximum
    /// of a TLV.
    pub const fn new(tag: Tag, value: &'a [u8]) -> Option<Self> {
        if value.len() > 0xFFFF {
            return None;
        }
        Some(Self { tag, content: Content::Octets(value) })
    }

    /// Returns a parameter whose value is one octet.
    pub const fn u8(tag: Tag, value: u8) -> Self {
        Self::short(tag, Short::u8(value))
    }

    /// Returns a parameter whose value is a two-octet integer.
    pub const fn u16(tag: Tag, value: u16) -> Self {
        Self::short(tag, Short::u16(value))
    }

    /// Returns a parameter whose value is a four-octet integer.
    pub const fn u32(tag: Tag, value: u32) -> Self {
        Self::short(tag, Short::u32(value))
    }

    pub(super) const fn short(tag: Tag, value: Short) -> Self {
        Self { tag, content: Content::Short(value) }
    }

    /// Returns a parameter with these octets, or an error unless their number is within `min..=max`.
    pub(super) const fn octets(
        tag: Tag,
        octets: &'a [u8],
        min: usize,
        max: usize,
    ) -> Result<Self, InvalidOctets> {
        let length = octets.len();
        if length < min {
            return Err(InvalidOctets::TooShort { length, minimum: min });
        }
        if length > max {
            return Err(InvalidOctets::TooLong { length, limit: max });
        }
        Ok(Self { tag, content: Content::Octets(octets) })
    }

    /// Returns a parameter with this text, or an error unless its length is within `min..=max` and it has no NUL.
    pub(crate) const fn text(
        tag: Tag,
        text: &'a [u8],
        min: usize,
        max: usize,
    ) -> Result<Self, InvalidOctets> {
        match (check_text(text, max), Self::octets(tag, text, min, max)) {
            (Err(error), _) | (_, Err(error)) => Err(error),
            (Ok(()), Ok(_)) => Ok(Self { tag, content: Content::Text(text) }),
        }
    }

    /// Returns the octets of the value. A received text includes its NUL if the peer sent one. A text from a
    /// constructor, such as [`receipted_message_id`](Self::receipted_message_id), does not include the NUL.
    pub fn value(&self) -> &[u8] {
        match &self.content {
            Content::Octets(octets) | Content::Text(octets) => octets,
            Content::Short(short) => short.as_bytes(),
        }
    }

    /// Returns the octets that follow the value on the wire and count as part of it: the NUL of a text.
    #[inline]
    fn terminator(&self) -> &'static [u8] {
        if let Content::Text(_) = self.content { &[0] } else { &[] }
    }

    /// Returns a received parameter.
    pub(super) const fn received(tag: Tag, value: &'a [u8]) -> Self {
        Self { tag, content: Content::Octets(value) }
    }
}

/// Splits the first TLV, `tag length value`, from the octets that follow it.
#[inline(always)]
pub(super) fn split(input: &[u8]) -> Option<(Tag, &[u8], &[u8])> {
    let (header, rest) = input.split_first_chunk()?;
    let header = u32::from_be_bytes(*header);
    let (value, rest) = rest.split_at_checked((header & 0xFFFF) as usize)?;
    Some((Tag((header >> 16) as u16), value, rest))
}

impl PartialEq for Tlv<'_> {
    fn eq(&self, other: &Self) -> bool {
        let same =
            |text: &Self, wire: &Self| wire.value().strip_suffix(text.terminator()) == Some(text.value());
        self.tag == other.tag
            && match (self.content, other.content) {
                (Content::Text(_), Content::Text(_)) => self.value() == other.value(),
                (Content::Text(_), _) => same(self, other),
                _ => same(other, self),
            }
    }
}

impl Eq for Tlv<'_> {}

/// The optional parameters (TLVs) of a PDU: borrowed octets of a received PDU, or a slice of parameters to send.
///
/// Order, duplicates, unknown tags and vendor tags are kept. A typed accessor returns the first parameter with its tag,
/// and `None` if there is none or its length is wrong. [`all`](Self::all) returns every parameter with a tag.
///
/// ```
/// use smpp_proto::{Tag, Tlv, Tlvs};
/// let list = [Tlv::user_message_reference(7), Tlv::new(Tag(0x1401), b"mine").unwrap()];
/// let tlvs = Tlvs::list(&list);
/// assert_eq!(tlvs.user_message_reference(), Some(7));
/// assert_eq!(tlvs.get(Tag(0x1401)), Some(&b"mine"[..]));
/// ```
#[derive(Clone, Copy)]
pub struct Tlvs<'a>(pub(super) Source<'a>);

#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    Wire(&'a [u8]),
    List(&'a [Tlv<'a>]),
}

impl<'a> Tlvs<'a> {
    /// No parameters.
    pub const EMPTY: Self = Self(Source::Wire(&[]));

    /// Returns a list of these parameters, to be sent in this order.
    pub const fn list(list: &'a [Tlv<'a>]) -> Self {
        Self(Source::List(list))
    }

    /// Returns the parameters in these octets, which an encoder wrote.
    pub(crate) const fn from_wire(octets: &'a [u8]) -> Self {
        Self(Source::Wire(octets))
    }

    /// Returns how many octets the encoded parameters have.
    pub(crate) fn encoded_len(&self) -> usize {
        match self.0 {
            Source::Wire(octets) => octets.len(),
            Source::List(list) => list.iter().map(|tlv| 4 + tlv.value().len() + tlv.terminator().len()).sum(),
        }
    }

    /// Returns whether there are no parameters.
    pub const fn is_empty(&self) -> bool {
        match self.0 {
            Source::Wire(octets) => octets.is_empty(),
            Source::List(list) => list.is_empty(),
        }
    }

    /// Returns an iterator over the parameters, in wire order.
    pub const fn iter(&self) -> TlvIter<'a> {
        TlvIter(self.0)
    }

    /// Returns the value of the first parameter with this tag, as [`Tlv::value`] returns it.
    pub fn get(&self, tag: Tag) -> Option<&'a [u8]> {
        self.octets_of(tag).next()
    }

    /// Returns the typed values of all parameters with this tag, in wire order. A value of a wrong length is `None`.
    ///
    /// ```
    /// use smpp_proto::tlv::{CongestionState, Tag, Tlv, Tlvs};
    /// let list = [80, 99].map(|load| Tlv::congestion_state(CongestionState(load)));
    /// let loads = Tlvs::list(&list).all::<CongestionState>(Tag::CONGESTION_STATE);
    /// assert!(loads.eq([Some(CongestionState(80)), Some(CongestionState(99))]));
    /// ```
    pub fn all<T: Value<'a>>(&self, tag: Tag) -> impl Iterator<Item = Option<T>> + use<'a, T> {
        self.octets_of(tag).map(move |octets| value_octets(tag, octets).and_then(T::read))
    }

    /// Returns the octets of all parameters with this tag.
    fn octets_of(&self, tag: Tag) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut source = self.0;
        let each = core::iter::from_fn(move || source.next());
        each.filter_map(move |(found, octets)| (found == tag).then_some(octets))
    }
}

impl<'a> Source<'a> {
    /// Returns the tag and the octets of the next parameter.
    #[inline]
    fn next(&mut self) -> Option<(Tag, &'a [u8])> {
        match self {
            Source::Wire(octets) => {
                let (tag, value, rest) = split(octets)?;
                *octets = rest;
                Some((tag, value))
            }
            Source::List(list) => {
                let (tlv, rest) = list.split_first()?;
                *list = rest;
                Some((tlv.tag, tlv.value()))
            }
        }
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

/// An iterator over the parameters of a [`Tlvs`].
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
                Some(Tlv::received(tag, value))
            }
            Source::List(list) => {
                let (tlv, rest) = list.split_first()?;
                *list = rest;
                Some(*tlv)
            }
        }
    }
}

impl Emit for Tlvs<'_> {
    #[inline]
    fn emit<S: Sink>(&self, out: &mut S) {
        // Most PDUs have no parameters, so the loop is a call of its own.
        if !self.is_empty() && out.accepts_tlvs() {
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
            let (value, terminator) = (tlv.value(), tlv.terminator());
            out.put(&tlv.tag.0.to_be_bytes());
            // There are at most 65,535 octets: every constructor of a `Tlv` checks it.
            out.put(&((value.len() + terminator.len()) as u16).to_be_bytes());
            out.put(value);
            out.put(terminator);
        }
    }
}
