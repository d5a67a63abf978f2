//! A text of any length, cut into messages that fit the air.

use core::fmt;
use core::iter::FusedIterator;

use super::udh::{ConcatRef, Concatenation};
use super::{Alphabet, Unencodable, gsm7, ucs2};
use crate::pdu::{DataCoding, EsmClass};

/// Octets of user data in one message on the air (3GPP TS 23.040 §9.2.3.16).
const AIR: usize = 140;

/// The most octets of user data that one segment has in SMPP, where each septet fills an octet.
const MAX_USER_DATA: usize = 160;

/// A text with the alphabet that it is sent in.
///
/// ```
/// use smpp_core::DataCoding;
/// use smpp_core::sms::{ConcatRef, Text};
///
/// let text = Text::new("Привет");
/// assert_eq!(text.data_coding(), DataCoding::UCS2);
/// assert_eq!(text.segments(ConcatRef::Wide(1))?.len(), 1);
/// # Ok::<(), smpp_core::sms::TooManySegments>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    content: &'a str,
    /// `Gsm7` or `Ucs2`.
    alphabet: Alphabet,
    /// Septets or UTF-16 units of all of it.
    units: usize,
}

/// The segments of a [`Text`], in order. `len()` tells how many are left.
#[derive(Clone, Debug)]
pub struct Segments<'a> {
    rest: &'a str,
    alphabet: Alphabet,
    /// `None` for a text that fits one message.
    reference: Option<ConcatRef>,
    /// How many were given out: 0 to `total`.
    number: u8,
    total: u8,
}

/// One segment: the user data of one `submit_sm`, and what the PDU has to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    user_data: UserData,
    alphabet: Alphabet,
    number: u8,
    total: u8,
}

/// A text that needs more than 255 segments, which is as far as one octet counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManySegments {
    /// How many it needs.
    pub needed: usize,
}

impl<'a> Text<'a> {
    /// `text` in the smaller alphabet that holds all of it: GSM 7-bit if it can, UCS-2 otherwise.
    ///
    /// Where `data_coding` 0 is not GSM 7-bit on the bind, use [`Text::ucs2`].
    pub fn new(text: &'a str) -> Self {
        match gsm7::len(text) {
            Some(units) => Self { content: text, alphabet: Alphabet::Gsm7, units },
            None => Self::ucs2(text),
        }
    }

    /// `text` in UCS-2, whatever its characters.
    pub fn ucs2(text: &'a str) -> Self {
        Self { content: text, alphabet: Alphabet::Ucs2, units: ucs2::len(text) }
    }

    /// `text` in the GSM 7-bit alphabet, or the first character that it lacks.
    pub fn gsm7(text: &'a str) -> Result<Self, Unencodable> {
        let lacking = text.char_indices().find(|&(_, character)| gsm7::septets(character).is_none());
        match lacking {
            Some((position, character)) => Err(Unencodable { character, position }),
            None => Ok(Self::new(text)),
        }
    }

    /// The alphabet: [`Alphabet::Gsm7`] or [`Alphabet::Ucs2`].
    pub const fn alphabet(&self) -> Alphabet {
        self.alphabet
    }

    /// The `data_coding` of all its segments: 0 or 8.
    pub const fn data_coding(&self) -> DataCoding {
        data_coding(self.alphabet)
    }

    /// Cuts the text into messages of 160 septets or 70 UTF-16 units; or, if it needs more than one, into
    /// segments of 152 or 66 with a 16-bit `reference`, 153 or 67 with an 8-bit one. No character is cut
    /// through. A text of one message carries no reference, and an empty text is one empty message.
    pub fn segments(&self, reference: ConcatRef) -> Result<Segments<'a>, TooManySegments> {
        let Self { content: rest, alphabet, units } = *self;
        if units <= capacity(alphabet, 0) {
            return Ok(Segments { rest, alphabet, reference: None, number: 0, total: 1 });
        }
        let capacity = capacity(alphabet, reference.header_len().into());
        let mut needed = 0;
        let mut uncounted = rest;
        while !uncounted.is_empty() {
            (_, uncounted) = cut(uncounted, alphabet, capacity);
            needed += 1;
        }
        let total = u8::try_from(needed).map_err(|_| TooManySegments { needed })?;
        Ok(Segments { rest, alphabet, reference: Some(reference), number: 0, total })
    }
}

impl Iterator for Segments<'_> {
    type Item = Segment;

    fn next(&mut self) -> Option<Segment> {
        let Self { alphabet, reference, total, .. } = *self;
        if self.number == total {
            return None;
        }
        self.number += 1;
        let mut user_data = UserData::EMPTY;
        if let Some(part) = reference.and_then(|reference| Concatenation::new(reference, total, self.number))
        {
            user_data.extend([part.reference().header_len() - 1]);
            part.emit(&mut user_data);
        }
        let (text, rest) = cut(self.rest, alphabet, capacity(alphabet, user_data.length));
        self.rest = rest;
        match alphabet {
            Alphabet::Gsm7 => {
                user_data.extend(text.chars().filter_map(gsm7::septets).flat_map(gsm7::Septets::octets));
            }
            _ => user_data.extend(ucs2::octets(text)),
        }
        Some(Segment { user_data, alphabet, number: self.number, total })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::from(self.total - self.number);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Segments<'_> {}
impl FusedIterator for Segments<'_> {}

impl Segment {
    /// The user data, its header included: at most 160 octets, for `short_message`.
    pub fn as_bytes(&self) -> &[u8] {
        self.user_data.as_bytes()
    }

    /// The `data_coding` for the PDU: 0 or 8.
    pub const fn data_coding(&self) -> DataCoding {
        data_coding(self.alphabet)
    }

    /// The `esm_class` bits for the PDU: UDHI if the segment has a header, none otherwise.
    pub const fn esm_class(&self) -> EsmClass {
        if self.total > 1 { EsmClass::UDHI } else { EsmClass::empty() }
    }

    /// Which segment this is: 1 to [`total`](Self::total).
    pub const fn number(&self) -> u8 {
        self.number
    }

    /// How many segments the text has: 1 to 255.
    pub const fn total(&self) -> u8 {
        self.total
    }
}

const fn data_coding(alphabet: Alphabet) -> DataCoding {
    match alphabet {
        Alphabet::Gsm7 => DataCoding::SMSC_DEFAULT,
        _ => DataCoding::UCS2,
    }
}

/// Septets or UTF-16 units that fit one message behind a header of `header` octets. Septets start at a
/// septet boundary, so some bits may stay unused (3GPP TS 23.040 §9.2.3.24).
const fn capacity(alphabet: Alphabet, header: usize) -> usize {
    let octets = AIR.saturating_sub(header);
    match alphabet {
        Alphabet::Gsm7 => octets * 8 / 7,
        _ => octets / 2,
    }
}

/// Splits off as many whole characters as fit `capacity`.
fn cut(text: &str, alphabet: Alphabet, capacity: usize) -> (&str, &str) {
    let mut used = 0;
    let end = text.char_indices().find(|&(_, character)| {
        used += match alphabet {
            Alphabet::Gsm7 => gsm7::septets(character).map_or(0, gsm7::Septets::count),
            _ => character.len_utf16(),
        };
        used > capacity
    });
    end.and_then(|(end, _)| text.split_at_checked(end)).unwrap_or((text, ""))
}

/// Octets in place: a segment needs no allocation.
#[derive(Clone, PartialEq, Eq)]
struct UserData {
    octets: [u8; MAX_USER_DATA],
    length: usize,
}

impl UserData {
    const EMPTY: Self = Self { octets: [0; MAX_USER_DATA], length: 0 };

    fn as_bytes(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }
}

impl Extend<u8> for UserData {
    fn extend<I: IntoIterator<Item = u8>>(&mut self, octets: I) {
        for (place, octet) in self.octets.iter_mut().skip(self.length).zip(octets) {
            *place = octet;
            self.length += 1;
        }
    }
}

impl fmt::Debug for UserData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().fmt(f)
    }
}

impl fmt::Display for TooManySegments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the text needs {} segments, 255 can be numbered", self.needed)
    }
}

impl core::error::Error for TooManySegments {}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::sms::udh;

    fn segments(text: &str, reference: ConcatRef) -> Vec<Segment> {
        Text::new(text).segments(reference).unwrap().collect()
    }

    /// Lengths of the segments' user data.
    fn lengths(text: &str, reference: ConcatRef) -> Vec<usize> {
        segments(text, reference).iter().map(|segment| segment.as_bytes().len()).collect()
    }

    #[test]
    fn capacities_are_those_of_the_air() {
        for (header, septets, units) in
            [(0, 160, 70), (6, 153, 67), (7, 152, 66), (4, 155, 68), (9, 149, 65), (12, 146, 64)]
        {
            assert_eq!(capacity(Alphabet::Gsm7, header), septets, "header of {header} octets");
            assert_eq!(capacity(Alphabet::Ucs2, header), units, "header of {header} octets");
        }
    }

    #[test]
    fn septets_fill_160_then_152_or_153() {
        let (narrow, wide) = (ConcatRef::Narrow(1), ConcatRef::Wide(1));
        assert_eq!(lengths(&"a".repeat(160), wide), [160]);
        assert_eq!(lengths(&"a".repeat(161), wide), [7 + 152, 7 + 9]);
        assert_eq!(lengths(&"a".repeat(304), wide), [7 + 152, 7 + 152]);
        assert_eq!(lengths(&"a".repeat(305), wide), [7 + 152, 7 + 152, 7 + 1]);
        assert_eq!(lengths(&"a".repeat(306), narrow), [6 + 153, 6 + 153]);
        assert_eq!(lengths(&"a".repeat(307), narrow), [6 + 153, 6 + 153, 6 + 1]);
    }

    #[test]
    fn units_fill_70_then_66_or_67() {
        let (narrow, wide) = (ConcatRef::Narrow(1), ConcatRef::Wide(1));
        assert_eq!(lengths(&"я".repeat(70), wide), [140]);
        assert_eq!(lengths(&"я".repeat(71), wide), [7 + 132, 7 + 10]);
        assert_eq!(lengths(&"я".repeat(132), wide), [7 + 132, 7 + 132]);
        assert_eq!(lengths(&"я".repeat(134), narrow), [6 + 134, 6 + 134]);
        assert_eq!(lengths(&"я".repeat(135), narrow), [6 + 134, 6 + 134, 6 + 2]);
    }

    #[test]
    fn an_escape_stays_with_its_septet() {
        let text = "a".repeat(151) + "€" + &"a".repeat(10);
        assert_eq!(lengths(&text, ConcatRef::Wide(1)), [7 + 151, 7 + 12]);
    }

    #[test]
    fn a_surrogate_pair_stays_together() {
        let text = "я".repeat(65) + "😀" + &"я".repeat(10);
        assert_eq!(lengths(&text, ConcatRef::Wide(1)), [7 + 130, 7 + 24]);
    }

    #[test]
    fn the_header_counts_the_segments() {
        let all = segments(&"a".repeat(200), ConcatRef::Wide(0xABCD));
        assert_eq!(all[0].as_bytes()[..8], [6, 8, 4, 0xAB, 0xCD, 2, 1, b'a']);
        assert_eq!(all[1].as_bytes()[..8], [6, 8, 4, 0xAB, 0xCD, 2, 2, b'a']);
        assert_eq!((all[1].number(), all[1].total()), (2, 2));
        assert_eq!((all[1].esm_class(), all[1].data_coding()), (EsmClass::UDHI, DataCoding(0)));

        let all = segments(&"я".repeat(71), ConcatRef::Narrow(0xAB));
        assert_eq!(all[1].as_bytes()[..8], [5, 0, 3, 0xAB, 2, 2, 0x04, 0x4F]);
        assert_eq!(all[1].data_coding(), DataCoding(8));
    }

    #[test]
    fn one_message_has_no_header() {
        for text in ["", "hello", "привет"] {
            let all = segments(text, ConcatRef::Wide(1));
            assert_eq!(all.len(), 1);
            assert_eq!((all[0].number(), all[0].total()), (1, 1));
            assert_eq!(all[0].esm_class(), EsmClass::empty());
        }
    }

    #[test]
    fn the_alphabet_can_be_the_callers() {
        assert_eq!(Text::gsm7("5 €").map(|text| text.alphabet()), Ok(Alphabet::Gsm7));
        assert_eq!(Text::gsm7("5 ₽"), Err(Unencodable { character: '₽', position: 2 }));
        assert_eq!(
            Text::ucs2("hi").segments(ConcatRef::Wide(1)).unwrap().next().unwrap().as_bytes(),
            b"\0h\0i"
        );
    }

    #[test]
    fn there_are_255_segments_and_no_more() {
        let most = "a".repeat(255 * 152);
        let mut all = Text::new(&most).segments(ConcatRef::Wide(1)).unwrap();
        assert_eq!(all.len(), 255);
        assert_eq!(all.by_ref().last().unwrap().number(), 255);
        assert_eq!(all.next(), None);

        let more = most + "a";
        let refused = Text::new(&more).segments(ConcatRef::Wide(1)).err();
        assert_eq!(refused, Some(TooManySegments { needed: 256 }));
        assert!(Text::new(&more).segments(ConcatRef::Narrow(1)).is_ok(), "255 * 153 fit");
    }

    /// How many segments there should be, by cutting the encoded text instead of the characters.
    fn count<T>(units: &[T], alone: usize, capacity: usize, opens_a_pair: impl Fn(&T) -> bool) -> usize {
        if units.len() <= alone {
            return 1;
        }
        let (mut count, mut start) = (0, 0);
        while start < units.len() {
            let end = start + capacity;
            start = if end < units.len() && opens_a_pair(&units[end - 1]) { end - 1 } else { end };
            count += 1;
        }
        count
    }

    fn texts(characters: &'static str) -> impl Strategy<Value = String> {
        let characters: Vec<char> = characters.chars().collect();
        prop::collection::vec(prop::sample::select(characters), 0..1000).prop_map(String::from_iter)
    }

    fn any_text() -> impl Strategy<Value = String> {
        prop_oneof![
            texts("ab@£ \n€[]{}|^Ωà"),
            texts("ab€я你😀👍🏽"),
            prop::collection::vec(any::<char>(), 0..200).prop_map(String::from_iter),
        ]
    }

    fn any_reference() -> impl Strategy<Value = ConcatRef> {
        prop_oneof![any::<u8>().prop_map(ConcatRef::Narrow), any::<u16>().prop_map(ConcatRef::Wide)]
    }

    proptest! {
        #[test]
        fn the_segments_spell_the_text(text in any_text(), reference in any_reference()) {
            let mut joined = String::new();
            let all = segments(&text, reference);
            for (segment, number) in all.iter().zip(1..) {
                let part = Concatenation::new(reference, all.len() as u8, number);
                let octets = if segment.esm_class().contains(EsmClass::UDHI) {
                    let (header, octets) = udh::split(segment.as_bytes()).unwrap();
                    prop_assert_eq!(header.concatenation(), part);
                    octets
                } else {
                    segment.as_bytes()
                };
                joined += &segment.alphabet.decode(octets).unwrap();
            }
            prop_assert_eq!(joined, text);
        }

        #[test]
        fn every_segment_fits_the_air(text in any_text(), reference in any_reference()) {
            for segment in segments(&text, reference) {
                let octets = segment.as_bytes().len();
                let header = if segment.total() > 1 { usize::from(reference.header_len()) } else { 0 };
                let on_air = match segment.alphabet {
                    Alphabet::Gsm7 => {
                        let fill = (7 - 8 * header % 7) % 7;
                        (8 * header + fill + 7 * (octets - header)).div_ceil(8)
                    }
                    _ => octets,
                };
                prop_assert!(on_air <= 140, "{} octets on the air", on_air);
            }
        }

        #[test]
        fn there_are_as_many_segments_as_it_takes(text in any_text(), reference in any_reference()) {
            let narrow = matches!(reference, ConcatRef::Narrow(_));
            let mut octets = Vec::new();
            let expected = if gsm7::encode(&text, &mut octets).is_ok() {
                count(&octets, 160, if narrow { 153 } else { 152 }, |&septet| septet == 0x1B)
            } else {
                let units: Vec<u16> = text.encode_utf16().collect();
                let high_surrogate = |unit: &u16| (0xD800..0xDC00).contains(unit);
                count(&units, 70, if narrow { 67 } else { 66 }, high_surrogate)
            };
            let all = Text::new(&text).segments(reference).unwrap();
            prop_assert_eq!(all.len(), expected);
            prop_assert_eq!(all.count(), expected);
        }
    }
}
