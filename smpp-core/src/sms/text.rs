//! A text and the alphabet it is sent in.

use core::fmt;

use super::alphabet::Alphabet;
use super::coding::Codings;
use super::gsm7::{Language, Shifts};
use super::segment::{SegmentError, Segments};
use super::segmentation::{Segmentation, TextSize};
use super::splitter::Splitter;
use super::udh::{self, Element};
use super::unencodable::Unencodable;
use crate::pdu::DataCoding;

/// What is sent: a text with the alphabet it is sent in, or octets.
///
/// ```
/// use smpp_core::DataCoding;
/// use smpp_core::sms::{ConcatRef, Text};
///
/// let text = Text::new("Привет");
/// assert_eq!(text.data_coding(), DataCoding::UCS2);
/// assert_eq!(text.segments(ConcatRef::Wide(1))?.len(), 1);
/// # Ok::<(), smpp_core::sms::SegmentError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    pub(super) splitter: Splitter<'a>,
    data_coding: DataCoding,
}

/// Which alphabets and tables a bind takes, to choose from for each text.
///
/// ```
/// use smpp_core::sms::{Alphabet, Codings, Language, TextOptions};
///
/// let options = TextOptions {
///     codings: Codings::GSM7,
///     alphabets: &[Alphabet::Gsm7, Alphabet::Latin1, Alphabet::Ucs2],
///     languages: &[Language::TURKISH],
/// };
/// assert_eq!(options.text("10 €")?.alphabet(), Alphabet::Gsm7);
/// assert_eq!(options.text("Dağ")?.shifts().single, Language::TURKISH);
/// assert_eq!(options.text("naïve")?.alphabet(), Alphabet::Latin1);
/// assert_eq!(options.text("五")?.alphabet(), Alphabet::Ucs2);
/// # Ok::<(), smpp_core::sms::TextError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextOptions<'a> {
    /// What the `data_coding` values mean on the bind.
    pub codings: Codings,
    /// The alphabets that may be used, the best first: of those that need the fewest segments the first is taken. One
    /// without a `data_coding` on the bind is passed over. GSM 7-bit, packed or not, and UCS-2 unless said otherwise.
    pub alphabets: &'a [Alphabet],
    /// Languages whose national tables may be used with GSM 7-bit. None unless said otherwise: an SMSC or a phone
    /// that lacks a table shows other letters in their places.
    pub languages: &'a [Language],
}

/// Why a text cannot be sent as the options want it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextError {
    /// No alphabet of the options has a `data_coding` on the bind.
    NoAlphabet,
    /// No alphabet of the options has all characters: how far the best of them gets.
    Unencodable(Unencodable),
}

impl Default for TextOptions<'_> {
    fn default() -> Self {
        let alphabets = &[Alphabet::Gsm7, Alphabet::Gsm7Packed, Alphabet::Ucs2];
        Self { codings: Codings::default(), alphabets, languages: &[] }
    }
}

impl TextOptions<'_> {
    /// `text` in the smallest alphabet that holds all of it: the one with which it takes the fewest segments, with a
    /// 16-bit reference and no further header.
    pub fn text<'t>(&self, text: &'t str) -> Result<Text<'t>, TextError> {
        let mut best: Option<(usize, Text<'t>)> = None;
        let mut error = TextError::NoAlphabet;
        for &alphabet in self.alphabets {
            let Some(data_coding) = self.codings.data_coding(alphabet) else { continue };
            let of_gsm7 = matches!(alphabet, Alphabet::Gsm7 | Alphabet::Gsm7Packed);
            let languages = if of_gsm7 { self.languages } else { &[] };
            let national = languages.iter().flat_map(|language| language.shifts());
            for shifts in [Shifts::NONE].into_iter().chain(national) {
                match Text::coded(text, alphabet, shifts, data_coding) {
                    Ok(candidate) => {
                        let segments = candidate.size(Segmentation::Udh(udh::ConcatRef::Wide(0))).segments;
                        if best.is_none_or(|(least, _)| segments < least) {
                            best = Some((segments, candidate));
                        }
                    }
                    Err(unencodable) => error = error.or_later(unencodable),
                }
            }
        }
        best.map(|(_, text)| text).ok_or(error)
    }
}

impl TextError {
    /// The later of the characters in the way.
    fn or_later(self, other: Unencodable) -> Self {
        match self {
            Self::Unencodable(known) if known.position >= other.position => self,
            _ => Self::Unencodable(other),
        }
    }
}

impl<'a> Text<'a> {
    /// `text` in the smaller alphabet that holds all of it: GSM 7-bit if it can, UCS-2 otherwise.
    ///
    /// Where `data_coding` 0 is not GSM 7-bit on the bind, or there are more alphabets, use [`TextOptions::text`].
    pub fn new(text: &'a str) -> Self {
        Self::gsm7(text).unwrap_or_else(|_| Self::ucs2(text))
    }

    /// `text` in UCS-2, whatever its characters.
    pub const fn ucs2(text: &'a str) -> Self {
        Self { splitter: Splitter::text(text, Alphabet::Ucs2, Shifts::NONE), data_coding: DataCoding::UCS2 }
    }

    /// `text` in the GSM 7-bit alphabet, or the first character that it lacks.
    pub fn gsm7(text: &'a str) -> Result<Self, Unencodable> {
        Self::coded(text, Alphabet::Gsm7, Shifts::NONE, DataCoding::SMSC_DEFAULT)
    }

    /// `text` in this alphabet, under this `data_coding`, or the first character that the alphabet lacks. `shifts` count
    /// for the two GSM 7-bit alphabets alone; each segment has a header that names them.
    pub fn coded(
        text: &'a str,
        alphabet: Alphabet,
        shifts: Shifts,
        data_coding: DataCoding,
    ) -> Result<Self, Unencodable> {
        let first_lacking = |holds: &dyn Fn(char) -> bool| {
            let lacking = text.char_indices().find(|&(_, character)| !holds(character));
            lacking.map_or(Ok(()), |(position, character)| Err(Unencodable { character, position }))
        };
        let shifts = match alphabet {
            Alphabet::Gsm7 | Alphabet::Gsm7Packed => {
                // The quick way first: a text that cannot be written is rare.
                if shifts.len(text).is_none() {
                    first_lacking(&|character| shifts.septets(character).is_some())?;
                }
                shifts
            }
            Alphabet::Ucs2 => Shifts::NONE,
            #[cfg(feature = "charsets")]
            Alphabet::Charset(charset) => {
                super::alphabet::charset_octets(charset, text)?;
                Shifts::NONE
            }
            _ => {
                first_lacking(&|character| alphabet.octet(character).is_some())?;
                Shifts::NONE
            }
        };
        Ok(Self { splitter: Splitter::text(text, alphabet, shifts), data_coding })
    }

    /// Eight-bit data: not text, but cut and sent like one, 140 octets in a message.
    ///
    /// ```
    /// use smpp_core::sms::{ConcatRef, Text, udh};
    /// // WAP push, from port 9200 to port 2948.
    /// let (ports, _) = udh::split(&[6, 0x05, 4, 0x0B, 0x84, 0x23, 0xF0])?;
    /// let text = Text::octets(&[0x01, 0x06]).with_header(ports)?;
    /// let segment = text.segments(ConcatRef::Wide(1))?.next().ok_or("none")?;
    /// assert_eq!(segment.as_bytes(), [6, 0x05, 4, 0x0B, 0x84, 0x23, 0xF0, 0x01, 0x06]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn octets(data: &'a [u8]) -> Self {
        Self { splitter: Splitter::octets(data), data_coding: DataCoding::OCTETS }
    }

    /// The same under another `data_coding`, which has to mean the same alphabet on the bind: `0x10` is GSM 7-bit and
    /// `0x18` UCS-2, both shown at once ("flash").
    #[must_use]
    pub const fn with_data_coding(self, data_coding: DataCoding) -> Self {
        Self { data_coding, ..self }
    }

    /// The same with further elements, ports for example, in the user data header of each segment.
    ///
    /// At most 115 octets, so that a character fits behind whatever else is in a header. Elements of concatenation and
    /// national tables are refused, as they would stand against those of the segment; so are malformed ones.
    pub fn with_header(self, elements: udh::Header<'a>) -> Result<Self, SegmentError> {
        for element in elements.elements() {
            let id = element.map_err(SegmentError::MalformedHeader)?.id;
            if [
                Element::CONCATENATION_8,
                Element::CONCATENATION_16,
                Element::SINGLE_SHIFT,
                Element::LOCKING_SHIFT,
            ]
            .contains(&id)
            {
                return Err(SegmentError::ReservedElement { id });
            }
        }
        if elements.encoded_len() > Splitter::MAX_ELEMENTS + 1 {
            return Err(SegmentError::HeaderTooLong { length: elements.encoded_len() });
        }
        Ok(Self { splitter: self.splitter.with_elements(elements), ..self })
    }

    /// The same, cut between what a reader takes for characters, as the Unicode standard has it (UAX #29): not between a
    /// letter and its accent, nor within an emoji of several code points. One that is longer than a segment is cut all
    /// the same.
    #[cfg(feature = "graphemes")]
    #[must_use]
    pub const fn whole_graphemes(self) -> Self {
        Self { splitter: self.splitter.whole_graphemes(), ..self }
    }

    /// The alphabet.
    pub const fn alphabet(&self) -> Alphabet {
        self.splitter.alphabet
    }

    /// The national tables.
    pub const fn shifts(&self) -> Shifts {
        self.splitter.shifts
    }

    /// The `data_coding` of all its segments.
    pub const fn data_coding(&self) -> DataCoding {
        self.data_coding
    }

    /// How long it is, as a phone shows it while one writes.
    ///
    /// ```
    /// use smpp_core::sms::{ConcatRef, TextSize, Text};
    /// let size = Text::new("Hello").size(ConcatRef::Wide(1));
    /// assert_eq!(size, TextSize { segments: 1, units: 5, remaining: 155 });
    /// let size = Text::new(&"五".repeat(71)).size(ConcatRef::Wide(1));
    /// assert_eq!(size, TextSize { segments: 2, units: 71, remaining: 2 * 66 - 71 });
    /// ```
    pub fn size(&self, segmentation: impl Into<Segmentation>) -> TextSize {
        self.splitter.size(segmentation.into())
    }

    /// Cuts the text into messages of 160 septets, 140 octets or 70 UTF-16 units, less what their header takes; one
    /// that needs more than one is concatenated in the given form. No character is cut through. A text of one message
    /// carries no reference, and an empty text is one empty message.
    ///
    /// | header | octets | septets | octets | UTF-16 units |
    /// | --- | --- | --- | --- | --- |
    /// | none | 0 | 160 | 140 | 70 |
    /// | 8-bit reference | 6 | 153 | 134 | 67 |
    /// | 16-bit reference; `sar_` parameters | 7 | 152 | 133 | 66 |
    /// | 8-bit reference, one shift | 9 | 149 | 131 | 65 |
    pub fn segments(&self, segmentation: impl Into<Segmentation>) -> Result<Segments<'a>, SegmentError> {
        Segments::new(self.splitter, self.data_coding, segmentation.into())
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAlphabet => f.write_str("none of the alphabets has a data_coding on this bind"),
            Self::Unencodable(unencodable) => unencodable.fmt(f),
        }
    }
}

impl core::error::Error for TextError {}

impl From<Unencodable> for TextError {
    fn from(unencodable: Unencodable) -> Self {
        Self::Unencodable(unencodable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sms::ConcatRef;

    #[test]
    fn the_alphabet_can_be_the_callers() {
        assert_eq!(Text::gsm7("5 €").map(|text| text.alphabet()), Ok(Alphabet::Gsm7));
        assert_eq!(Text::gsm7("5 ₽"), Err(Unencodable { character: '₽', position: 2 }));
        let latin = Text::coded("5 é₽", Alphabet::Latin1, Shifts::NONE, DataCoding::LATIN1);
        assert_eq!(latin, Err(Unencodable { character: '₽', position: 4 }));
        assert!(Text::coded("a", Alphabet::Octets, Shifts::NONE, DataCoding::OCTETS).is_err(), "no text");
    }

    #[test]
    fn the_smallest_alphabet_is_chosen() {
        let alphabets = [Alphabet::Gsm7, Alphabet::Latin1, Alphabet::Ucs2];
        let languages = [Language::TURKISH, Language::SPANISH];
        let options = TextOptions { codings: Codings::GSM7, alphabets: &alphabets, languages: &languages };
        let chosen = |text: &str| options.text(text).map(|text| (text.alphabet(), text.shifts())).unwrap();
        assert_eq!(chosen(""), (Alphabet::Gsm7, Shifts::NONE));
        assert_eq!(chosen("10 € Grüße"), (Alphabet::Gsm7, Shifts::NONE));
        assert_eq!(chosen("ğ"), (Alphabet::Gsm7, Shifts::single(Language::TURKISH)));
        // 80 of two septets are 160 and do not fit behind a header; of one they do.
        assert_eq!(chosen(&"ğ".repeat(80)), (Alphabet::Gsm7, Shifts::locking(Language::TURKISH)));
        assert_eq!(chosen("á"), (Alphabet::Gsm7, Shifts::single(Language::SPANISH)));
        // 77 of two septets are 154, of one octet 140 fit.
        assert_eq!(chosen(&"á".repeat(140)), (Alphabet::Latin1, Shifts::NONE));
        assert_eq!(chosen("五"), (Alphabet::Ucs2, Shifts::NONE));
    }

    #[test]
    fn an_alphabet_needs_a_data_coding_on_the_bind() {
        let latin = Codings { smsc_default: Alphabet::Latin1, ..Codings::default() };
        let options = TextOptions { codings: latin, ..TextOptions::default() };
        assert_eq!(options.text("a").map(|text| text.data_coding()), Ok(DataCoding::UCS2));
        let options = TextOptions { alphabets: &[Alphabet::Gsm7], ..options };
        assert_eq!(options.text("a"), Err(TextError::NoAlphabet));
        let options = TextOptions { alphabets: &[Alphabet::Gsm7, Alphabet::Latin1], ..options };
        assert_eq!(options.text("é").map(|text| text.data_coding()), Ok(DataCoding::SMSC_DEFAULT));
        let lacking = Unencodable { character: '五', position: 1 };
        assert_eq!(options.text("a五"), Err(TextError::Unencodable(lacking)));
        let turkish = TextOptions {
            alphabets: &[Alphabet::Gsm7],
            languages: &[Language::TURKISH],
            ..TextOptions::default()
        };
        let lacking = Unencodable { character: '五', position: 2 };
        assert_eq!(
            turkish.text("¡五"),
            Err(TextError::Unencodable(lacking)),
            "the default table has the first"
        );
    }

    #[test]
    fn a_phone_counts_what_is_left() {
        let size = |text: &str, segmentation: Segmentation| {
            let TextSize { segments, units, remaining } = Text::new(text).size(segmentation);
            (segments, units, remaining)
        };
        let (narrow, wide) = (Segmentation::Udh(ConcatRef::Narrow(0)), Segmentation::Udh(ConcatRef::Wide(0)));
        assert_eq!(size("", wide), (1, 0, 160));
        assert_eq!(size(&"€".repeat(80), wide), (1, 160, 0));
        assert_eq!(size(&"a".repeat(161), narrow), (2, 161, 306 - 161));
        // The escape that does not fit leaves a septet unused.
        assert_eq!(size(&("a".repeat(151) + "€" + &"a".repeat(10)), wide), (2, 163, 304 - 164));
        assert_eq!(size(&"я".repeat(70), wide), (1, 70, 0));
        assert_eq!(size(&"a".repeat(300 * 152), wide), (300, 300 * 152, 0), "more than can be sent");
        assert_eq!(size(&"a".repeat(150), Segmentation::Sar(1)), (1, 150, 10));
        assert_eq!(size(&"a".repeat(161), Segmentation::Payload), (2, 161, 304 - 161), "on the air");
    }
}
