//! Where a text is cut, so that each piece fits the air.

use alloc::vec::Vec;

use super::gsm7::{Septets, Shifts, packed};
use super::segment::{Form, Size};
use super::udh::{self, Element};
use super::{Alphabet, ucs2};

/// Octets of user data in one message on the air (3GPP TS 23.040 §9.2.3.16).
const AIR: usize = 140;

/// What a text is made of, and what the header of each segment has besides concatenation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Content<'a> {
    pub(super) rest: Rest<'a>,
    pub(super) alphabet: Alphabet,
    pub(super) shifts: Shifts,
    elements: udh::Header<'a>,
    whole_graphemes: bool,
}

/// What is not cut off yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest<'a> {
    Text(&'a str),
    Octets(&'a [u8]),
}

impl<'a> Content<'a> {
    /// Octets of elements that leave room for concatenation, shifts and the longest character of any charset.
    pub(super) const MAX_ELEMENTS: usize = 115;

    pub(super) const fn text(text: &'a str, alphabet: Alphabet, shifts: Shifts) -> Self {
        let rest = Rest::Text(text);
        Self { rest, alphabet, shifts, elements: udh::Header::EMPTY, whole_graphemes: false }
    }

    pub(super) const fn octets(octets: &'a [u8]) -> Self {
        Self { rest: Rest::Octets(octets), ..Self::text("", Alphabet::Octets, Shifts::NONE) }
    }

    pub(super) const fn with_elements(self, elements: udh::Header<'a>) -> Self {
        Self { elements, ..self }
    }

    #[cfg(feature = "graphemes")]
    pub(super) const fn whole_graphemes(self) -> Self {
        Self { whole_graphemes: true, ..self }
    }

    /// Whether a message that stands alone has a user data header.
    pub(super) fn has_header(&self) -> bool {
        self.header_len(0) > 0
    }

    /// Octets of the user data header, its length octet included, if `concatenation` octets of it are about that.
    pub(super) fn header_len(&self, concatenation: usize) -> usize {
        let shifts = 3 * self.shift_elements().count();
        match concatenation + shifts + self.elements.octets() - 1 {
            0 => 0,
            octets => 1 + octets,
        }
    }

    fn shift_elements(&self) -> impl Iterator<Item = [u8; 3]> + use<> {
        let Shifts { locking, single } = self.shifts;
        [(Element::LOCKING_SHIFT, locking), (Element::SINGLE_SHIFT, single)]
            .into_iter()
            .filter(|(_, language)| language.0 != 0)
            .map(|(id, language)| [id, 1, language.0])
    }

    /// Appends the header's elements that are not about concatenation.
    pub(super) fn emit_elements(&self, out: &mut impl Extend<u8>) {
        self.shift_elements().for_each(|element| out.extend(element));
        out.extend(self.elements.as_bytes().iter().copied());
    }

    /// Septets, octets or UTF-16 units that fit one message behind a header of `header` octets. Septets start at a
    /// septet boundary, so some bits may stay unused (3GPP TS 23.040 §9.2.3.24).
    pub(super) const fn capacity(&self, header: usize) -> usize {
        let octets = AIR.saturating_sub(header);
        match self.alphabet {
            Alphabet::Gsm7 | Alphabet::Gsm7Packed => octets * 8 / 7,
            Alphabet::Ucs2 => octets / 2,
            _ => octets,
        }
    }

    /// As many whole characters as fit one message behind a header of `header` octets, what they take, and the rest.
    pub(super) fn cut(&self, header: usize) -> (Rest<'a>, usize, Rest<'a>) {
        let capacity = self.capacity(header);
        match self.rest {
            Rest::Octets(octets) => {
                let length = octets.len().min(capacity);
                let (octets, rest) = octets.split_at_checked(length).unwrap_or((octets, &[]));
                (Rest::Octets(octets), length, Rest::Octets(rest))
            }
            Rest::Text(text) => {
                let end = self.end(text, capacity);
                let (piece, rest) = text.split_at_checked(end).unwrap_or((text, ""));
                (Rest::Text(piece), self.units(piece), Rest::Text(rest))
            }
        }
    }

    /// Where the first piece of the text ends.
    fn end(&self, text: &str, capacity: usize) -> usize {
        let end = match self.alphabet {
            #[cfg(feature = "charsets")]
            Alphabet::Charset(_) => self.charset_end(text, capacity),
            _ => {
                let mut used = 0;
                let beyond = text.char_indices().find(|&(_, character)| {
                    used += self.cost(character);
                    used > capacity
                });
                beyond.map_or(text.len(), |(end, _)| end)
            }
        };
        let end = self.carriage_returns(text, end, capacity);
        #[cfg(feature = "graphemes")]
        let end = if self.whole_graphemes { grapheme_end(text, end) } else { end };
        end
    }

    /// A carriage return that ends the last octet of packed septets takes another one, which may not fit.
    fn carriage_returns(&self, text: &str, end: usize, capacity: usize) -> usize {
        let piece = text.get(..end).unwrap_or(text);
        if self.alphabet != Alphabet::Gsm7Packed || !piece.ends_with('\r') || self.units(piece) < capacity {
            return end;
        }
        end - 1
    }

    /// A charset may switch between states: what a piece takes is known when it is encoded.
    #[cfg(feature = "charsets")]
    fn charset_end(&self, text: &str, capacity: usize) -> usize {
        let mut ends = text.char_indices().map(|(at, character)| at + character.len_utf8());
        // Characters take one octet or more.
        let candidates = ends.by_ref().take(capacity);
        let fits = |end: &usize| text.get(..*end).is_some_and(|piece| self.units(piece) <= capacity);
        candidates.take_while(fits).last().unwrap_or(0)
    }

    /// Septets, octets or UTF-16 units of a character.
    #[inline]
    fn cost(&self, character: char) -> usize {
        match self.alphabet {
            Alphabet::Gsm7 | Alphabet::Gsm7Packed => self.shifts.septets(character).map_or(0, Septets::count),
            Alphabet::Ucs2 => character.len_utf16(),
            _ => 1,
        }
    }

    /// Septets, octets or UTF-16 units of a piece.
    fn units(&self, piece: &str) -> usize {
        match self.alphabet {
            #[cfg(feature = "charsets")]
            Alphabet::Charset(charset) => {
                super::coding::charset_octets(charset, piece).map_or(0, |octets| octets.len())
            }
            _ => piece.chars().map(|character| self.cost(character)).sum(),
        }
    }

    /// Appends a piece as it stands behind a header of `header` octets.
    pub(super) fn emit(&self, piece: Rest<'_>, header: usize, out: &mut impl Extend<u8>) {
        let text = match piece {
            Rest::Octets(octets) => return out.extend(octets.iter().copied()),
            Rest::Text(text) => text,
        };
        let septets = || text.chars().filter_map(|character| self.shifts.septets(character)).flat_map(Septets::octets);
        match self.alphabet {
            Alphabet::Gsm7 => out.extend(septets()),
            Alphabet::Gsm7Packed => {
                let septets: Vec<u8> = septets().collect();
                packed::pack(&septets, header, out);
            }
            Alphabet::Ucs2 => out.extend(ucs2::octets(text)),
            #[cfg(feature = "charsets")]
            Alphabet::Charset(charset) => {
                let octets = super::coding::charset_octets(charset, text).unwrap_or_default();
                out.extend(octets.iter().copied());
            }
            _ => out.extend(text.chars().filter_map(|character| self.alphabet.octet(character))),
        }
    }

    /// The size when it is sent in this form.
    pub(super) fn size(&self, form: Form) -> Size {
        let header = self.header_len(0);
        let (_, units, rest) = self.cut(header);
        if rest.is_empty() {
            return Size { segments: 1, units, left: self.capacity(header) - units };
        }
        let header = self.header_len(form.concatenation());
        let (mut all, mut total, mut left) = (Size { segments: 0, units: 0, left: 0 }, *self, 0);
        while !total.rest.is_empty() {
            let (_, units, rest) = total.cut(header);
            (all.segments, all.units, left) = (all.segments + 1, all.units + units, self.capacity(header) - units);
            total.rest = rest;
        }
        Size { left, ..all }
    }
}

impl Rest<'_> {
    pub(super) const fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Octets(octets) => octets.is_empty(),
        }
    }
}

/// The last boundary of graphemes up to `end`, or `end` if there is none.
#[cfg(feature = "graphemes")]
fn grapheme_end(text: &str, end: usize) -> usize {
    let mut cursor = unicode_segmentation::GraphemeCursor::new(end, text.len(), true);
    // The whole text is one chunk, so neither can ask for more.
    match cursor.is_boundary(text, 0) {
        Ok(true) => end,
        _ => cursor.prev_boundary(text, 0).ok().flatten().filter(|&boundary| boundary > 0).unwrap_or(end),
    }
}
