//! Splitting a text so that each segment fits into one short message.

use alloc::vec::Vec;

use super::alphabet::Alphabet;
use super::gsm7::{Shifts, packed};
use super::segmentation::{Segmentation, TextSize};
use super::ucs2;
use super::udh::{self, Element};
use crate::wire::Sink;

/// The octets of user data in one short message on the air interface (3GPP TS 23.040 §9.2.3.16).
const MAX_USER_DATA: usize = 140;

/// A text with its alphabet, and the user data header of each segment except for the concatenation element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Splitter<'a> {
    pub(super) rest: Source<'a>,
    /// The septets or UTF-16 units of `rest`, so that they are counted once; `None` if they are not known.
    pub(super) units: Option<usize>,
    pub(super) alphabet: Alphabet,
    pub(super) shifts: Shifts,
    pub(super) elements: udh::UserDataHeader<'a>,
    pub(super) whole_graphemes: bool,
}

/// A text or binary data, or the rest of it that is not split off yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source<'a> {
    Text(&'a str),
    Octets(&'a [u8]),
}

impl<'a> Splitter<'a> {
    /// The maximum octets of additional elements: they leave room for concatenation, shifts and the longest character
    /// of any charset.
    pub(super) const MAX_ELEMENTS: usize = 115;

    pub(super) const fn text(text: &'a str, alphabet: Alphabet, shifts: Shifts) -> Self {
        let (rest, elements) = (Source::Text(text), udh::UserDataHeader::EMPTY);
        Self { rest, units: None, alphabet, shifts, elements, whole_graphemes: false }
    }

    pub(super) const fn octets(octets: &'a [u8]) -> Self {
        Self { rest: Source::Octets(octets), ..Self::text("", Alphabet::Octets, Shifts::NONE) }
    }

    pub(super) const fn with_elements(self, elements: udh::UserDataHeader<'a>) -> Self {
        Self { elements, ..self }
    }

    #[cfg(feature = "graphemes")]
    pub(super) const fn whole_graphemes(self) -> Self {
        Self { whole_graphemes: true, ..self }
    }

    /// Returns whether even a text of one segment has a user data header.
    pub(super) fn has_header(&self) -> bool {
        self.header_len(0) > 0
    }

    /// Returns the octets of the user data header, its length octet included, if its concatenation element has
    /// `concatenation` octets.
    pub(super) fn header_len(&self, concatenation: usize) -> usize {
        let shifts = 3 * self.shift_elements().count();
        match concatenation + shifts + self.elements.encoded_len() - 1 {
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

    /// Appends all elements of the header except for concatenation.
    pub(super) fn emit_elements<S: Sink>(&self, out: &mut S) {
        self.shift_elements().for_each(|element| out.put(&element));
        out.put(self.elements.as_bytes());
    }

    /// Returns the septets, octets or UTF-16 units that fit into one segment after a header of `header` octets.
    ///
    /// Septets start at a septet boundary, so some bits may stay unused (3GPP TS 23.040 §9.2.3.24).
    pub(super) const fn capacity(&self, header: usize) -> usize {
        let octets = MAX_USER_DATA.saturating_sub(header);
        match self.alphabet {
            Alphabet::Gsm7 | Alphabet::Gsm7Packed => octets * 8 / 7,
            Alphabet::Ucs2 => octets / 2,
            _ => octets,
        }
    }

    /// Splits off as many whole characters as fit into one segment after a header of `header` octets. Returns them, the
    /// septets, octets or UTF-16 units that they take, and the rest.
    #[inline]
    pub(super) fn split(&self, header: usize) -> (Source<'a>, usize, Source<'a>) {
        let capacity = self.capacity(header);
        // Packed septets that are full may end with a carriage return, which needs another one.
        let is_full = |units| units == capacity && self.alphabet == Alphabet::Gsm7Packed;
        match (self.units, self.rest) {
            (Some(units), Source::Text(_)) if units <= capacity && !is_full(units) => {
                (self.rest, units, Source::Text(""))
            }
            _ => self.split_off(capacity),
        }
    }

    /// Advances to the rest that [`split`](Self::split) has returned after so many units.
    pub(super) fn advance(&mut self, units: usize, rest: Source<'a>) {
        self.rest = rest;
        self.units = self.units.map(|all| all.saturating_sub(units));
    }

    fn split_off(&self, capacity: usize) -> (Source<'a>, usize, Source<'a>) {
        match self.rest {
            Source::Octets(octets) => {
                let length = octets.len().min(capacity);
                let (octets, rest) = octets.split_at_checked(length).unwrap_or((octets, &[]));
                (Source::Octets(octets), length, Source::Octets(rest))
            }
            Source::Text(text) => {
                let (end, units) = self.split_point(text, capacity);
                let (chunk, rest) = text.split_at_checked(end).unwrap_or((text, ""));
                (Source::Text(chunk), units, Source::Text(rest))
            }
        }
    }

    /// Returns where the first segment of the text ends, and the septets, octets or UTF-16 units that it takes.
    fn split_point(&self, text: &str, capacity: usize) -> (usize, usize) {
        let (end, units) = self.fit(text, capacity);
        let mut earlier = end;
        // A carriage return that ends the last octet of packed septets needs another one, which does not fit.
        let full = self.alphabet == Alphabet::Gsm7Packed && units == capacity;
        if full && text.as_bytes().get(end - 1) == Some(&b'\r') {
            earlier -= 1;
        }
        #[cfg(feature = "graphemes")]
        if self.whole_graphemes {
            earlier = grapheme_end(text, earlier);
        }
        match text.get(..earlier) {
            Some(chunk) if earlier < end => self.fit(chunk, capacity),
            _ => (end, units),
        }
    }

    /// Returns how many bytes of the text fit into the capacity, and the septets, octets or UTF-16 units that they
    /// take.
    fn fit(&self, text: &str, capacity: usize) -> (usize, usize) {
        match self.alphabet {
            Alphabet::Gsm7 | Alphabet::Gsm7Packed => self.shifts.fit(text, capacity),
            Alphabet::Ucs2 => ucs2::fit(text, capacity),
            #[cfg(feature = "charsets")]
            Alphabet::Charset(charset) if charset != encoding_rs::ISO_2022_JP => {
                fit(text, capacity, |character| charset.encode(character.encode_utf8(&mut [0; 4])).0.len())
            }
            #[cfg(feature = "charsets")]
            Alphabet::Charset(charset) => {
                // The encoding has shift states, so the length of a chunk is known only after encoding it.
                let ends = text.char_indices().map(|(at, character)| at + character.len_utf8());
                let prefixes = ends.map_while(|end| {
                    let octets = super::alphabet::charset_octets(charset, text.get(..end)?).ok()?.len();
                    (octets <= capacity).then_some((end, octets))
                });
                prefixes.last().unwrap_or_default()
            }
            _ => fit(text, capacity, |_| 1),
        }
    }

    /// Appends a chunk, encoded for its place after a header of `header` octets.
    pub(super) fn emit<S: Sink>(&self, chunk: Source<'_>, header: usize, out: &mut S) {
        let text = match chunk {
            Source::Octets(octets) => return out.put(octets),
            Source::Text(text) => text,
        };
        // Encoding cannot fail: the constructor of the text has checked all characters.
        match self.alphabet {
            Alphabet::Gsm7 => _ = self.shifts.encode_to(text, out),
            Alphabet::Gsm7Packed => {
                let mut septets = Vec::with_capacity(text.len());
                _ = self.shifts.encode_to(text, &mut septets);
                packed::pack_to(&septets, header, out);
            }
            Alphabet::Ucs2 => ucs2::encode_to(text, out),
            #[cfg(feature = "charsets")]
            Alphabet::Charset(charset) => {
                out.put(&super::alphabet::charset_octets(charset, text).unwrap_or_default());
            }
            _ => text
                .chars()
                .filter_map(|character| self.alphabet.octet(character))
                .for_each(|octet| out.octet(octet)),
        }
    }

    /// Returns the least number of segments that the text may need, if its units are known.
    pub(super) fn least_segments(&self, segmentation: Segmentation) -> usize {
        let Some(units) = self.units else { return 1 };
        if units <= self.capacity(self.header_len(0)) {
            return 1;
        }
        units.div_ceil(self.capacity(self.header_len(segmentation.concatenation())).max(1))
    }

    /// Returns the size of the text if it is sent with this segmentation.
    pub(super) fn size(&self, segmentation: Segmentation) -> TextSize {
        let header = self.header_len(0);
        let (_, units, rest) = self.split(header);
        if rest.is_empty() {
            return TextSize { segments: 1, units, remaining: self.capacity(header) - units };
        }
        let header = self.header_len(segmentation.concatenation());
        let (mut size, mut unsplit) = (TextSize { segments: 0, units: 0, remaining: 0 }, *self);
        while !unsplit.rest.is_empty() {
            let (_, units, rest) = unsplit.split(header);
            size.segments += 1;
            size.units += units;
            size.remaining = self.capacity(header) - units;
            unsplit.advance(units, rest);
        }
        size
    }
}

/// Compares what is sent.
impl PartialEq for Splitter<'_> {
    fn eq(&self, other: &Self) -> bool {
        let of = |splitter: &Self| {
            let Self { rest, units: _, alphabet, shifts, elements, whole_graphemes } = *splitter;
            (rest, alphabet, shifts, elements, whole_graphemes)
        };
        of(self) == of(other)
    }
}

impl Eq for Splitter<'_> {}

impl Source<'_> {
    pub(super) const fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Octets(octets) => octets.is_empty(),
        }
    }
}

/// Returns how many bytes of `text` fit into `capacity`, and what they take. `cost` returns what a character takes.
#[inline]
fn fit(text: &str, capacity: usize, cost: impl Fn(char) -> usize) -> (usize, usize) {
    let mut used = 0;
    for (at, character) in text.char_indices() {
        let more = used + cost(character);
        if more > capacity {
            return (at, used);
        }
        used = more;
    }
    (text.len(), used)
}

/// Returns the last grapheme boundary up to `end`, or `end` if there is none.
#[cfg(feature = "graphemes")]
fn grapheme_end(text: &str, end: usize) -> usize {
    let mut cursor = unicode_segmentation::GraphemeCursor::new(end, text.len(), true);
    // The cursor has the whole text as one chunk, so it never asks for another chunk.
    match cursor.is_boundary(text, 0) {
        Ok(true) => end,
        _ => cursor.prev_boundary(text, 0).ok().flatten().filter(|&boundary| boundary > 0).unwrap_or(end),
    }
}
