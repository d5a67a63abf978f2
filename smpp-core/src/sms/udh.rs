//! Reading and writing the user data header (UDH), which precedes the text if the UDHI bit of `esm_class` is set (3GPP
//! TS 23.040 §9.2.3.24, SMPP 3.4 §5.2.12).
//!
//! [`split`] separates a header from the text, and [`UserDataHeaderBuf`] builds a header to send. To split a long text,
//! start from [`Text`](super::Text), which writes the concatenation elements itself. To read a whole PDU, start from
//! [`UserData`](super::UserData).
//!
//! # Format
//!
//! ```text
//! header   = UDHL element*           UDHL: octets that follow
//! element  = id length data          length: octets of data
//! ```
//!
//! # Example
//!
//! ```
//! use smpp_proto::sms::udh::{self, ConcatRef};
//!
//! let (header, text) = udh::split(&[5, 0x00, 3, 0x2A, 2, 1, b'H', b'i'])?;
//! let segment = header.concatenation().ok_or("not concatenated")?;
//! assert_eq!(segment.reference(), ConcatRef::Narrow(0x2A));
//! assert_eq!((segment.number(), segment.total()), (1, 2));
//! assert_eq!(text, b"Hi");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::vec::Vec;
use core::fmt;
use core::iter::FusedIterator;
use core::ops::RangeInclusive;

use super::gsm7::{Language, Shifts};
use crate::wire::Sink;

/// A user data header. Its elements are parsed on demand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserDataHeader<'a>(pub(crate) &'a [u8]);

/// An information element of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// The element id, for example [`Element::CONCATENATION_8`].
    pub id: u8,
    /// The data of the element: 0 to 255 octets.
    pub data: &'a [u8],
}

/// An iterator over the elements of a header. It ends after an error.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    header: &'a [u8],
    rest: &'a [u8],
}

/// The reference number in the user data header of a concatenated message, which all its segments share.
///
/// Concurrent messages between the same addresses need different references. References of different widths never
/// match. A message can have a reference from sar_ parameters instead: [`MessageReference`](super::MessageReference)
/// covers both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[doc(alias = "multipart")]
pub enum ConcatRef {
    /// 8 bits: repeats after 256 messages, and leaves one more octet per segment for the text.
    Narrow(u8),
    /// 16 bits: repeats after 65,536 messages.
    Wide(u16),
}

/// Which segment of a concatenated message this is (3GPP TS 23.040 §9.2.3.24.1, §9.2.3.24.8).
///
/// Always valid: `1 <= number <= total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Concatenation {
    reference: ConcatRef,
    total: u8,
    number: u8,
}

/// The parsed content of an element whose length matches its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content<'a> {
    /// The segment number and the reference of a concatenated message.
    Concatenation(Concatenation),
    /// The destination and originator application ports (3GPP TS 23.040 §9.2.3.24.3, §9.2.3.24.4).
    Ports(Ports),
    /// A special message indication: how many messages of a kind are waiting (3GPP TS 23.040 §9.2.3.24.2).
    SpecialMessage {
        /// The kind of message, and whether to store the indication.
        indication: u8,
        /// The number of waiting messages.
        count: u8,
    },
    /// The language whose table replaces the extension table (3GPP TS 23.040 §9.2.3.24.15).
    SingleShift(Language),
    /// The language whose table replaces the default table (3GPP TS 23.040 §9.2.3.24.16).
    LockingShift(Language),
    /// The data of an element that is unknown or invalid.
    Other(&'a [u8]),
}

/// Application port numbers. Ports of 0 to 255 fit into an element of 8 bits, others need 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ports {
    /// The port of the receiving application.
    pub destination: u16,
    /// The port of the sending application.
    pub originator: u16,
}

/// A builder for a user data header.
///
/// ```
/// use smpp_proto::sms::udh::{UserDataHeaderBuf, Ports};
/// use smpp_proto::sms::Text;
/// use smpp_proto::sms::udh::ConcatRef;
///
/// let mut header = UserDataHeaderBuf::new();
/// header.push_ports(Ports { destination: 2948, originator: 9200 })?;
/// assert_eq!(header.as_bytes(), [6, 0x05, 4, 0x0B, 0x84, 0x23, 0xF0]);
/// let push = Text::octets(&[0x01, 0x06]).with_header(header.as_header())?;
/// assert_eq!(push.segments(ConcatRef::Wide(1))?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserDataHeaderBuf(Vec<u8>);

/// The error when an element does not fit: a short message has 140 octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeaderFull {
    /// The octets of the header with the element, its length octet included.
    pub length: usize,
}

/// Why a user data header is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MalformedHeader {
    /// The user data is empty, without the length of the header.
    Missing,
    /// The header is longer than the user data.
    TooLong {
        /// The length of the header, as its first octet says.
        length: u8,
        /// The octets after the first one.
        available: usize,
    },
    /// An element is longer than the rest of the header, or ends before its length octet.
    Element {
        /// The position of the element: octets from the start of the user data.
        offset: usize,
    },
}

/// Splits user data that starts with a header into the header and the following text or data.
///
/// # Errors
///
/// [`MalformedHeader`] if the header is longer than the user data. A malformed element is reported by
/// [`UserDataHeader::elements`] instead, so that the text stays readable.
pub fn split(user_data: &[u8]) -> Result<(UserDataHeader<'_>, &[u8]), MalformedHeader> {
    let (&length, following) = user_data.split_first().ok_or(MalformedHeader::Missing)?;
    let available = following.len();
    following
        .split_at_checked(usize::from(length))
        .map(|(elements, rest)| (UserDataHeader(elements), rest))
        .ok_or(MalformedHeader::TooLong { length, available })
}

impl<'a> UserDataHeader<'a> {
    /// A header without elements.
    pub const EMPTY: Self = Self(&[]);

    /// Returns the elements without the length octet before them.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Returns the elements, in order.
    pub const fn elements(&self) -> Elements<'a> {
        Elements { header: self.0, rest: self.0 }
    }

    /// Returns the octets of the header, its length octet included.
    pub const fn encoded_len(&self) -> usize {
        1 + self.0.len()
    }

    /// Returns which segment of a concatenated message this is; `None` if the message is not concatenated.
    ///
    /// As 3GPP TS 23.040 §9.2.3.24 requires, a malformed header counts as none, an invalid element is skipped, and the
    /// last of several elements applies.
    pub fn concatenation(&self) -> Option<Concatenation> {
        self.last(|content| match content {
            Content::Concatenation(concatenation) => Some(concatenation),
            _ => None,
        })
    }

    /// Returns the application ports, by the same rules as [`concatenation`](Self::concatenation).
    pub fn ports(&self) -> Option<Ports> {
        self.last(|content| match content {
            Content::Ports(ports) => Some(ports),
            _ => None,
        })
    }

    /// Returns the national language tables of the text, by the same rules as [`concatenation`](Self::concatenation).
    pub fn shifts(&self) -> Shifts {
        let locking = self.last(|content| match content {
            Content::LockingShift(language) => Some(language),
            _ => None,
        });
        let single = self.last(|content| match content {
            Content::SingleShift(language) => Some(language),
            _ => None,
        });
        Shifts { locking: locking.unwrap_or_default(), single: single.unwrap_or_default() }
    }

    fn last<T>(&self, read: impl Fn(Content<'a>) -> Option<T>) -> Option<T> {
        let mut last = None;
        for element in self.elements() {
            last = read(element.ok()?.content()).or(last);
        }
        last
    }
}

impl<'a> Element<'a> {
    /// Parses the content of the element.
    pub fn content(&self) -> Content<'a> {
        if let Some(concatenation) = Concatenation::from_element(*self) {
            return Content::Concatenation(concatenation);
        }
        match (self.id, self.data) {
            (Self::PORTS_8, &[destination, originator]) => {
                Content::Ports(Ports { destination: destination.into(), originator: originator.into() })
            }
            (Self::PORTS_16, &[a, b, c, d]) => Content::Ports(Ports {
                destination: u16::from_be_bytes([a, b]),
                originator: u16::from_be_bytes([c, d]),
            }),
            (Self::SPECIAL_MESSAGE, &[indication, count]) => Content::SpecialMessage { indication, count },
            (Self::SINGLE_SHIFT, &[language]) => Content::SingleShift(Language(language)),
            (Self::LOCKING_SHIFT, &[language]) => Content::LockingShift(Language(language)),
            (_, data) => Content::Other(data),
        }
    }
}

impl Element<'_> {
    /// Concatenation with an 8-bit reference.
    pub const CONCATENATION_8: u8 = 0x00;
    /// Concatenation with a 16-bit reference.
    pub const CONCATENATION_16: u8 = 0x08;
    /// Special message indication.
    pub const SPECIAL_MESSAGE: u8 = 0x01;
    /// Application ports of 8 bits.
    pub const PORTS_8: u8 = 0x04;
    /// Application ports of 16 bits.
    pub const PORTS_16: u8 = 0x05;
    /// SMSC control parameters.
    pub const SMSC_CONTROL: u8 = 0x06;
    /// UDH source indicator: who added the header.
    pub const UDH_SOURCE: u8 = 0x07;
    /// Wireless control message protocol.
    pub const WCMP: u8 = 0x09;
    /// EMS text formatting.
    pub const TEXT_FORMATTING: u8 = 0x0A;
    /// RFC 822 e-mail header.
    pub const RFC822_HEADER: u8 = 0x20;
    /// Reply address.
    pub const REPLY_ADDRESS: u8 = 0x22;
    /// National language single shift.
    pub const SINGLE_SHIFT: u8 = 0x24;
    /// National language locking shift.
    pub const LOCKING_SHIFT: u8 = 0x25;
    /// SIM application toolkit security headers.
    pub const SIM_TOOLKIT: RangeInclusive<u8> = 0x70..=0x7F;
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, MalformedHeader>;

    fn next(&mut self) -> Option<Self::Item> {
        let input = core::mem::take(&mut self.rest);
        if input.is_empty() {
            return None;
        }
        if let &[id, length, ref rest @ ..] = input
            && let Some((data, rest)) = rest.split_at_checked(usize::from(length))
        {
            self.rest = rest;
            return Some(Ok(Element { id, data }));
        }
        let offset = 1 + self.header.len() - input.len();
        Some(Err(MalformedHeader::Element { offset }))
    }
}

impl FusedIterator for Elements<'_> {}

impl ConcatRef {
    /// Returns the octets of a header that has only this concatenation element, its length octet included: 6 or 7.
    pub const fn header_len(self) -> u8 {
        match self {
            Self::Narrow(_) => 6,
            Self::Wide(_) => 7,
        }
    }
}

impl Concatenation {
    /// Creates the information for segment `number` of `total`, counted from 1. Returns `None` unless `1 <= number <=
    /// total`.
    pub const fn new(reference: ConcatRef, total: u8, number: u8) -> Option<Self> {
        if 1 <= number && number <= total { Some(Self { reference, total, number }) } else { None }
    }

    /// Parses an element. Returns `None` if it is not a valid concatenation element.
    pub const fn from_element(element: Element<'_>) -> Option<Self> {
        match (element.id, element.data) {
            (Element::CONCATENATION_8, &[reference, total, number]) => {
                Self::new(ConcatRef::Narrow(reference), total, number)
            }
            (Element::CONCATENATION_16, &[high, low, total, number]) => {
                Self::new(ConcatRef::Wide(u16::from_be_bytes([high, low])), total, number)
            }
            _ => None,
        }
    }

    /// Returns the octets of the element: 5 or 6.
    pub const fn encoded_len(&self) -> usize {
        match self.reference {
            ConcatRef::Narrow(_) => 5,
            ConcatRef::Wide(_) => 6,
        }
    }

    /// Appends the element to a header: 5 or 6 octets. The caller writes the length octet of the header.
    pub fn emit(&self, out: &mut Vec<u8>) {
        self.emit_to(out);
    }

    pub(super) fn emit_to<S: Sink>(self, out: &mut S) {
        let Self { reference, total, number } = self;
        match reference {
            ConcatRef::Narrow(reference) => out.put(&[Element::CONCATENATION_8, 3, reference, total, number]),
            ConcatRef::Wide(reference) => {
                let [high, low] = reference.to_be_bytes();
                out.put(&[Element::CONCATENATION_16, 4, high, low, total, number]);
            }
        }
    }

    /// Returns the reference that all segments share.
    pub const fn reference(&self) -> ConcatRef {
        self.reference
    }

    /// Returns the number of segments: 1 to 255.
    pub const fn total(&self) -> u8 {
        self.total
    }

    /// Returns the segment number: 1 to [`total`](Self::total).
    pub const fn number(&self) -> u8 {
        self.number
    }
}

impl UserDataHeaderBuf {
    /// The maximum octets of a header: those of a short message.
    const MAX: usize = 140;

    /// Creates a header without elements.
    pub fn new() -> Self {
        Self(alloc::vec![0])
    }

    /// Adds an element.
    ///
    /// # Errors
    ///
    /// [`HeaderFull`] if the header would exceed 140 octets; it is unchanged then.
    pub fn push(&mut self, element: Element<'_>) -> Result<(), HeaderFull> {
        let length = self.0.len() + 2 + element.data.len();
        if length > Self::MAX {
            return Err(HeaderFull { length });
        }
        if let Some(counted) = self.0.first_mut() {
            *counted = (length - 1) as u8;
        }
        self.0.extend_from_slice(&[element.id, element.data.len() as u8]);
        self.0.extend_from_slice(element.data);
        Ok(())
    }

    /// Adds application ports in an element of 8 bits if both fit, and of 16 bits otherwise.
    ///
    /// # Errors
    ///
    /// [`HeaderFull`] as for [`push`](Self::push).
    pub fn push_ports(&mut self, ports: Ports) -> Result<(), HeaderFull> {
        let Ports { destination, originator } = ports;
        if let (Ok(destination), Ok(originator)) = (u8::try_from(destination), u8::try_from(originator)) {
            return self.push(Element { id: Element::PORTS_8, data: &[destination, originator] });
        }
        let ([a, b], [c, d]) = (destination.to_be_bytes(), originator.to_be_bytes());
        self.push(Element { id: Element::PORTS_16, data: &[a, b, c, d] })
    }

    /// Returns the encoded header: its length octet, then the elements.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the header, for example for [`Text::with_header`](super::Text::with_header).
    pub fn as_header(&self) -> UserDataHeader<'_> {
        UserDataHeader(self.0.get(1..).unwrap_or_default())
    }
}

impl Default for UserDataHeaderBuf {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for HeaderFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a user data header of {} octets is too long: a short message has {}",
            self.length,
            UserDataHeaderBuf::MAX
        )
    }
}

impl core::error::Error for HeaderFull {}

impl fmt::Display for MalformedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("the user data is empty where its header should start"),
            Self::TooLong { length, available } => {
                write!(f, "the user data header has a length of {length} octets, but only {available} follow")
            }
            Self::Element { offset } => {
                write!(f, "the element at octet {offset} reaches past the end of the user data header")
            }
        }
    }
}

impl core::error::Error for MalformedHeader {}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    fn concatenation(user_data: &[u8]) -> Option<Concatenation> {
        split(user_data).unwrap().0.concatenation()
    }

    #[test]
    fn elements_are_in_order() {
        let (header, rest) = split(&[9, 0x05, 4, 0x0B, 0x84, 0x23, 0xF0, 0x24, 1, 3, 0xAA]).unwrap();
        let elements: Result<Vec<_>, _> = header.elements().collect();
        let ports = Element { id: 0x05, data: &[0x0B, 0x84, 0x23, 0xF0] };
        assert_eq!(elements, Ok(vec![ports, Element { id: 0x24, data: &[3] }]));
        assert_eq!(header.concatenation(), None);
        assert_eq!(rest, [0xAA]);
    }

    #[test]
    fn an_empty_header_has_no_elements() {
        let (header, rest) = split(&[0, 0x41]).unwrap();
        assert_eq!(header.elements().next(), None);
        assert_eq!(rest, [0x41]);
    }

    #[test]
    fn a_header_longer_than_the_user_data_is_malformed() {
        assert_eq!(split(&[]), Err(MalformedHeader::Missing));
        assert_eq!(split(&[5, 0, 3]), Err(MalformedHeader::TooLong { length: 5, available: 2 }));
    }

    #[test]
    fn an_element_longer_than_the_header_is_malformed_and_the_text_is_readable() {
        for (user_data, offset) in
            [(&[1, 0x00, b'H'][..], 1), (&[4, 0x00, 3, 9, 9, b'H'], 1), (&[4, 0x24, 1, 3, 0x25, b'H'], 4)]
        {
            let (header, text) = split(user_data).unwrap();
            let mut elements = header.elements().skip_while(Result::is_ok);
            assert_eq!(elements.next(), Some(Err(MalformedHeader::Element { offset })), "{user_data:02X?}");
            assert_eq!(elements.next(), None);
            assert_eq!(text, b"H");
        }
    }

    #[test]
    fn a_malformed_header_has_no_concatenation() {
        assert_eq!(concatenation(&[7, 0x00, 3, 9, 2, 1, 0x24, 1]), None);
    }

    #[test]
    fn invalid_segment_numbers_are_ignored() {
        for [total, number] in [[0, 0], [0, 1], [2, 0], [2, 3]] {
            assert_eq!(concatenation(&[5, 0x00, 3, 9, total, number]), None, "segment {number} of {total}");
            assert_eq!(
                concatenation(&[6, 0x08, 4, 9, 9, total, number]),
                None,
                "segment {number} of {total}"
            );
        }
        assert_eq!(concatenation(&[4, 0x00, 2, 9, 2]), None, "too short");
        assert_eq!(concatenation(&[6, 0x00, 4, 9, 9, 2, 1]), None, "too long");
    }

    #[test]
    fn every_element_has_its_content() {
        let content = |id, data| Element { id, data }.content();
        let segment = Concatenation::new(ConcatRef::Narrow(9), 3, 2).unwrap();
        assert_eq!(content(0x00, &[9, 3, 2]), Content::Concatenation(segment));
        assert_eq!(content(0x00, &[9, 3, 4]), Content::Other(&[9, 3, 4]), "segment 4 of 3");
        let ports = Ports { destination: 0x0B84, originator: 0x23F0 };
        assert_eq!(content(0x05, &[0x0B, 0x84, 0x23, 0xF0]), Content::Ports(ports));
        assert_eq!(content(0x05, &[0x0B, 0x84, 0x23]), Content::Other(&[0x0B, 0x84, 0x23]));
        assert_eq!(content(0x04, &[1, 2]), Content::Ports(Ports { destination: 1, originator: 2 }));
        assert_eq!(content(0x01, &[0x80, 3]), Content::SpecialMessage { indication: 0x80, count: 3 });
        assert_eq!(content(0x24, &[1]), Content::SingleShift(Language::TURKISH));
        assert_eq!(content(0x25, &[3]), Content::LockingShift(Language::PORTUGUESE));
        assert_eq!(content(0x7A, b"x"), Content::Other(b"x"), "unknown elements keep their data");
    }

    #[test]
    fn the_last_valid_element_applies_for_ports_and_tables() {
        let header = |octets| split(octets).unwrap().0;
        let elements = header(&[11, 0x24, 1, 1, 0x24, 1, 2, 0x25, 2, 1, 1, 0x6F]);
        assert_eq!(elements.shifts(), Shifts::NONE, "the last element is truncated");
        let elements = header(&[10, 0x24, 1, 1, 0x24, 1, 2, 0x25, 2, 1, 1]);
        assert_eq!(elements.shifts(), Shifts::single(Language::SPANISH), "a table is one octet");
        assert_eq!(elements.ports(), None);
        let elements = header(&[10, 0x04, 2, 1, 2, 0x05, 4, 1, 2, 3, 4]);
        assert_eq!(elements.ports(), Some(Ports { destination: 0x0102, originator: 0x0304 }));
    }

    #[test]
    fn elements_are_added_until_the_header_is_full() {
        let mut header = UserDataHeaderBuf::new();
        assert_eq!(header.as_bytes(), [0]);
        header.push_ports(Ports { destination: 240, originator: 241 }).unwrap();
        header.push(Element { id: 0x7A, data: &[1; 130] }).unwrap();
        assert_eq!(header.as_bytes()[..6], [136, 0x04, 2, 240, 241, 0x7A]);
        let full = header.push(Element { id: 0x7A, data: &[2; 2] });
        assert_eq!(full, Err(HeaderFull { length: 141 }));
        assert_eq!(header.push(Element { id: 0x7A, data: &[2] }), Ok(()));
        assert_eq!(header.as_header().elements().flatten().count(), 3);
        assert_eq!(split(header.as_bytes()), Ok((header.as_header(), &[][..])));
    }

    #[test]
    fn the_last_valid_concatenation_applies() {
        let wide = Concatenation::new(ConcatRef::Wide(0x0102), 3, 2);
        assert_eq!(concatenation(&[11, 0x00, 3, 9, 2, 1, 0x08, 4, 1, 2, 3, 2]), wide);
        assert_eq!(concatenation(&[11, 0x08, 4, 1, 2, 3, 2, 0x00, 3, 9, 0, 1]), wide);
    }

    proptest! {
        #[test]
        fn an_emitted_concatenation_parses_to_itself(wide: bool, reference: u16, total: u8, number: u8) {
            let [_, low] = reference.to_be_bytes();
            let reference = if wide { ConcatRef::Wide(reference) } else { ConcatRef::Narrow(low) };
            let Some(written) = Concatenation::new(reference, total, number) else { return Ok(()) };
            let mut octets = vec![reference.header_len() - 1];
            written.emit(&mut octets);
            prop_assert_eq!(octets.len(), usize::from(reference.header_len()));
            prop_assert_eq!(concatenation(&octets), Some(written));
        }

        #[test]
        fn any_octets_parse(user_data in any::<Vec<u8>>()) {
            if let Ok((header, rest)) = split(&user_data) {
                let fitting: usize = header.elements().flatten().map(|element| 2 + element.data.len()).sum();
                prop_assert!(1 + fitting + rest.len() <= user_data.len());
                header.concatenation();
            }
        }
    }
}
