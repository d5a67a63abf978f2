//! A text to send, and its alphabet.

use alloc::vec::Vec;
use core::fmt;

use super::alphabet::Alphabet;
use super::coding::Codings;
use super::gsm7::{self, Language, Shifts};
use super::segment::{SegmentError, Segments};
use super::segmentation::{Segmentation, TextSize};
use super::splitter::{Source, Splitter};
use super::ucs2;
use super::udh::{self, Element};
use super::unencodable::Unencodable;
use crate::pdu::{DataCoding, MessageClass};
use crate::wire::Sink;

/// How many septets one segment has without a user data header.
const GSM7_SEPTETS: usize = Splitter::text("", Alphabet::Gsm7, Shifts::NONE).capacity(0);

/// A text (or binary data) to send, with its alphabet and `data_coding`.
///
/// [`segments`](Self::segments) splits it, and [`size`](Self::size) returns how many segments it needs.
///
/// ```
/// use smpp_proto::DataCoding;
/// use smpp_proto::sms::Text;
/// use smpp_proto::sms::udh::ConcatRef;
///
/// let text = Text::new("Привет");
/// assert_eq!(text.data_coding(), DataCoding::UCS2);
/// assert_eq!(text.segments(ConcatRef::Wide(1))?.len(), 1);
/// # Ok::<(), smpp_proto::sms::SegmentError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    pub(super) splitter: Splitter<'a>,
    data_coding: DataCoding,
}

/// How a text is encoded and split, without the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextForm {
    units: Option<usize>,
    alphabet: Alphabet,
    shifts: Shifts,
    pub(crate) data_coding: DataCoding,
    whole_graphemes: bool,
}

/// The alphabets and national language tables that a bind supports. [`text`](Self::text) chooses the best for a text.
///
/// ```
/// use smpp_proto::sms::{Alphabet, Codings, TextOptions};
/// use smpp_proto::sms::gsm7::Language;
///
/// let options = TextOptions::default()
///     .codings(Codings::GSM7)
///     .alphabets(&[Alphabet::Gsm7, Alphabet::Latin1, Alphabet::Ucs2])
///     .languages(&[Language::TURKISH]);
/// assert_eq!(options.text("10 €")?.alphabet(), Alphabet::Gsm7);
/// assert_eq!(options.text("Dağ")?.shifts().single, Language::TURKISH);
/// assert_eq!(options.text("naïve")?.alphabet(), Alphabet::Latin1);
/// assert_eq!(options.text("五")?.alphabet(), Alphabet::Ucs2);
/// # Ok::<(), smpp_proto::sms::TextError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextOptions<'a> {
    /// The meaning of the `data_coding` values on the bind.
    pub codings: Codings,
    /// The alphabets to choose from, in order of preference. The alphabet that needs the fewest segments is chosen, and
    /// the first of several that need equally many. An alphabet without a `data_coding` on the bind is skipped.
    ///
    /// Default: GSM 7-bit, packed GSM 7-bit, UCS-2.
    pub alphabets: &'a [Alphabet],
    /// The languages whose national tables may be used with GSM 7-bit. Default: none, because an SMSC or a phone that
    /// lacks a table shows wrong letters.
    pub languages: &'a [Language],
}

/// Why a text cannot be sent with the given options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextError {
    /// None of the alphabets has a `data_coding` on the bind.
    NoAlphabet,
    /// None of the alphabets has all characters of the text. Contains the first unencodable character for the alphabet
    /// that gets furthest.
    Unencodable(Unencodable),
    /// The `data_coding` means binary data, or is reserved: no text can be sent with it.
    NotText(DataCoding),
}

impl Default for TextOptions<'_> {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl<'a> TextOptions<'a> {
    /// The default, for constants.
    pub const DEFAULT: Self = Self {
        codings: Codings::DEFAULT,
        alphabets: &[Alphabet::Gsm7, Alphabet::Gsm7Packed, Alphabet::Ucs2],
        languages: &[],
    };

    crate::setters! {
        const codings: Codings,
        const alphabets: &'a [Alphabet],
        const languages: &'a [Language],
    }
}

impl TextOptions<'_> {
    /// Returns `text` with the alphabet that encodes all of it in the fewest segments, assuming a 16-bit reference and
    /// no additional header elements.
    ///
    /// # Errors
    ///
    /// [`TextError`] if no alphabet of the options can encode the text on this bind.
    pub fn text<'t>(&self, text: &'t str) -> Result<Text<'t>, TextError> {
        self.shortest(text, self.alphabets, |alphabet| self.codings.data_coding(alphabet))
    }

    /// As [`text`](Self::text), with a message class: in GSM 7-bit or UCS-2, as far as they are among the
    /// [`alphabets`](Self::alphabets), with a `data_coding` of `0x10..=0x1B`.
    ///
    /// ```
    /// use smpp_proto::sms::TextOptions;
    /// use smpp_proto::{DataCoding, MessageClass};
    ///
    /// let flash = |text| TextOptions::default().text_of_class(text, MessageClass::Flash).map(|text| text.data_coding());
    /// assert_eq!(flash("Leave now"), Ok(DataCoding(0x10)));
    /// assert_eq!(flash("快离开"), Ok(DataCoding(0x18)));
    /// ```
    ///
    /// # Errors
    ///
    /// [`TextError`] if no such alphabet can encode the text.
    pub fn text_of_class<'t>(&self, text: &'t str, class: MessageClass) -> Result<Text<'t>, TextError> {
        self.shortest(text, self.alphabets, |alphabet| self.codings.data_coding_of_class(alphabet, class))
    }

    /// Returns `text` in the alphabet that `data_coding` means, to be sent with this `data_coding`.
    ///
    /// One alphabet may be replaced: a text that GSM 7-bit lacks goes as UCS-2 (`0x18..=0x1B`) with the same message class if
    /// `data_coding` states a class and UCS-2 is among the [`alphabets`](Self::alphabets).
    ///
    /// ```
    /// use smpp_proto::DataCoding;
    /// use smpp_proto::sms::{TextError, TextOptions};
    ///
    /// let sent = |text, data_coding| TextOptions::default().text_as(text, data_coding).map(|text| text.data_coding());
    /// assert_eq!(sent("Hello", DataCoding::UCS2), Ok(DataCoding::UCS2));
    /// assert_eq!(sent("快离开", DataCoding(0xF0)), Ok(DataCoding(0x18)));
    /// assert!(matches!(sent("快离开", DataCoding::LATIN1), Err(TextError::Unencodable(_))));
    /// assert_eq!(sent("Hello", DataCoding::OCTETS), Err(TextError::NotText(DataCoding::OCTETS)));
    /// ```
    ///
    /// # Errors
    ///
    /// [`TextError::NotText`] if `data_coding` means no alphabet, and [`TextError::Unencodable`] if its alphabet lacks a
    /// character of the text.
    pub fn text_as<'t>(&self, text: &'t str, data_coding: DataCoding) -> Result<Text<'t>, TextError> {
        let alphabet = match self.codings.alphabet(data_coding) {
            None | Some(Alphabet::Octets) => return Err(TextError::NotText(data_coding)),
            Some(alphabet) => alphabet,
        };
        let coded = self.shortest(text, &[alphabet], |_| Some(data_coding));
        match data_coding.message_class() {
            Some(class) if coded.is_err() && self.alphabets.contains(&Alphabet::Ucs2) => {
                self.shortest(text, &[Alphabet::Ucs2], |ucs2| self.codings.data_coding_of_class(ucs2, class))
            }
            _ => coded,
        }
    }

    /// Returns the text in the alphabet and the national language tables that encode it in the fewest segments.
    fn shortest<'t>(
        &self,
        text: &'t str,
        alphabets: &[Alphabet],
        data_coding: impl Fn(Alphabet) -> Option<DataCoding>,
    ) -> Result<Text<'t>, TextError> {
        let mut best: Option<(usize, Text<'t>)> = None;
        let mut error = TextError::NoAlphabet;
        for &alphabet in alphabets {
            let Some(data_coding) = data_coding(alphabet) else { continue };
            let is_gsm7 = matches!(alphabet, Alphabet::Gsm7 | Alphabet::Gsm7Packed);
            let languages = if is_gsm7 { self.languages } else { &[] };
            let national = languages.iter().flat_map(|language| language.shifts());
            for shifts in [Shifts::NONE].into_iter().chain(national) {
                match Text::coded(text, alphabet, shifts, data_coding) {
                    Ok(candidate) => {
                        let segmentation = Segmentation::Udh(udh::ConcatRef::Wide(0));
                        let least = candidate.splitter.least_segments(segmentation);
                        if best.is_some_and(|(segments, _)| segments <= least) {
                            continue;
                        }
                        let segments = candidate.size(segmentation).segments;
                        if segments == 1 {
                            // None is shorter. An earlier candidate would have been returned.
                            return Ok(candidate);
                        }
                        if best.is_none_or(|(least, _)| segments < least) {
                            best = Some((segments, candidate));
                        }
                    }
                    Err(unencodable) => error = error.furthest(unencodable),
                }
            }
        }
        best.map(|(_, text)| text).ok_or(error)
    }
}

impl TextError {
    /// Returns the error with the later position.
    fn furthest(self, other: Unencodable) -> Self {
        match self {
            Self::Unencodable(known) if known.position >= other.position => self,
            _ => Self::Unencodable(other),
        }
    }
}

impl<'a> Text<'a> {
    /// Creates a text in GSM 7-bit if that has all characters, and in UCS-2 otherwise.
    ///
    /// Use [`TextOptions::text`] if `data_coding` 0 is not GSM 7-bit on the bind, or if it supports other alphabets.
    pub fn new(text: &'a str) -> Self {
        Self::gsm7(text).unwrap_or_else(|_| Self::ucs2(text))
    }

    /// Creates a text in UCS-2, which has all characters.
    pub const fn ucs2(text: &'a str) -> Self {
        Self { splitter: Splitter::text(text, Alphabet::Ucs2, Shifts::NONE), data_coding: DataCoding::UCS2 }
    }

    /// Creates a text in the GSM 7-bit default alphabet.
    ///
    /// # Errors
    ///
    /// [`Unencodable`] with the first character that the alphabet lacks.
    pub fn gsm7(text: &'a str) -> Result<Self, Unencodable> {
        Self::coded(text, Alphabet::Gsm7, Shifts::NONE, DataCoding::SMSC_DEFAULT)
    }

    /// Creates a text in the given alphabet, to be sent with the given `data_coding`.
    ///
    /// `shifts` apply only to the two GSM 7-bit alphabets: the header of each segment names the tables.
    ///
    /// # Errors
    ///
    /// [`Unencodable`] with the first character that the alphabet and the tables lack.
    pub fn coded(
        text: &'a str,
        alphabet: Alphabet,
        shifts: Shifts,
        data_coding: DataCoding,
    ) -> Result<Self, Unencodable> {
        let check_characters = |contains: &dyn Fn(char) -> bool| {
            let unencodable = text.char_indices().find(|&(_, character)| !contains(character));
            unencodable.map_or(Ok(()), |(position, character)| Err(Unencodable { character, position }))
        };
        let mut units = None;
        let shifts = match alphabet {
            Alphabet::Gsm7 | Alphabet::Gsm7Packed => {
                let (position, count) = shifts.fit(text, usize::MAX);
                if let Some(character) = text.get(position..).and_then(|rest| rest.chars().next()) {
                    return Err(Unencodable { character, position });
                }
                units = Some(count);
                shifts
            }
            Alphabet::Ucs2 => {
                units = Some(ucs2::len(text));
                Shifts::NONE
            }
            #[cfg(feature = "charsets")]
            Alphabet::Charset(charset) => {
                super::alphabet::charset_octets(charset, text)?;
                Shifts::NONE
            }
            _ => {
                check_characters(&|character| alphabet.octet(character).is_some())?;
                Shifts::NONE
            }
        };
        Ok(Self { splitter: Splitter { units, ..Splitter::text(text, alphabet, shifts) }, data_coding })
    }

    /// Creates binary (8-bit) data. It is split and sent like a text, with up to 140 octets in a segment.
    ///
    /// ```
    /// use smpp_proto::sms::{Text, udh};
    /// use smpp_proto::sms::udh::ConcatRef;
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

    /// Replaces the `data_coding`. The new value must mean the same alphabet on the bind: for example `0x10` is GSM
    /// 7-bit and `0x18` UCS-2 as a flash message (message class 0, displayed immediately).
    #[must_use]
    pub const fn with_data_coding(self, data_coding: DataCoding) -> Self {
        Self { data_coding, ..self }
    }

    /// Adds elements to the user data header of each segment, for example application ports.
    ///
    /// # Errors
    ///
    /// - [`SegmentError::HeaderTooLong`] above 115 octets of elements, so that a character fits after any header.
    /// - [`SegmentError::ReservedElement`] for concatenation and national language elements, which the segment writes
    ///   itself.
    /// - [`SegmentError::MalformedHeader`] for malformed elements.
    pub fn with_header(self, elements: udh::UserDataHeader<'a>) -> Result<Self, SegmentError> {
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

    /// Splits the text only between grapheme clusters (UAX #29), the characters that a reader sees: not between a
    /// letter and its accent, nor inside an emoji of several code points. A grapheme cluster longer than a segment is
    /// split nevertheless.
    #[cfg(feature = "graphemes")]
    #[must_use]
    pub const fn whole_graphemes(self) -> Self {
        Self { splitter: self.splitter.whole_graphemes(), ..self }
    }

    /// Returns the text or data, and its form without both.
    pub(crate) const fn into_parts(self) -> (Source<'a>, udh::UserDataHeader<'a>, TextForm) {
        let Self { splitter, data_coding } = self;
        let Splitter { rest, units, alphabet, shifts, elements, whole_graphemes } = splitter;
        (rest, elements, TextForm { units, alphabet, shifts, data_coding, whole_graphemes })
    }

    /// Creates the text again that [`into_parts`](Self::into_parts) has taken apart, without a header.
    pub(crate) const fn from_parts(source: Source<'a>, form: TextForm) -> Self {
        let TextForm { units, alphabet, shifts, data_coding, whole_graphemes } = form;
        Self {
            splitter: Splitter {
                rest: source,
                units,
                whole_graphemes,
                ..Splitter::text("", alphabet, shifts)
            },
            data_coding,
        }
    }

    /// Appends the user data of the only segment of a text, as [`segments`](Self::segments) would make it. Returns false, and
    /// appends nothing, if the text needs several segments, a user data header or the TLV `message_payload`.
    pub(crate) fn emit_only_segment<S: Sink>(&self, segmentation: Segmentation, out: &mut S) -> bool {
        if segmentation == Segmentation::Payload || self.splitter.has_header() {
            return false;
        }
        let (chunk, _, rest) = self.splitter.split(0);
        if rest.is_empty() {
            self.splitter.emit(chunk, 0, out);
        }
        rest.is_empty()
    }

    /// Appends the septets of a text that fits into one segment of GSM 7-bit without national tables: measured and encoded in one
    /// pass. Returns false for another one, and perhaps for one with more than 160 octets of UTF-8: then it has appended some
    /// of it.
    #[inline]
    pub(crate) fn emit_gsm7_segment(text: &str, out: &mut Vec<u8>) -> bool {
        let (start, most) = (out.len(), GSM7_SEPTETS);
        if text.len() <= most && gsm7::is_plain(text.as_bytes()) {
            out.extend_from_slice(text.as_bytes());
            return true;
        }
        text.len() <= most && Shifts::NONE.encode_to(text, out).is_ok() && out.len() - start <= most
    }

    /// Returns the alphabet.
    pub const fn alphabet(&self) -> Alphabet {
        self.splitter.alphabet
    }

    /// Returns the national language tables.
    pub const fn shifts(&self) -> Shifts {
        self.splitter.shifts
    }

    /// Returns the `data_coding` of all segments.
    pub const fn data_coding(&self) -> DataCoding {
        self.data_coding
    }

    /// Returns the length of the text and the number of its segments, like the character counter of a phone.
    ///
    /// ```
    /// use smpp_proto::sms::{TextSize, Text};
    /// use smpp_proto::sms::udh::ConcatRef;
    /// let size = Text::new("Hello").size(ConcatRef::Wide(1));
    /// assert_eq!((size.segments, size.units, size.remaining), (1, 5, 155));
    /// let size = Text::new(&"五".repeat(71)).size(ConcatRef::Wide(1));
    /// assert_eq!((size.segments, size.units, size.remaining), (2, 71, 2 * 66 - 71));
    /// ```
    pub fn size(&self, segmentation: impl Into<Segmentation>) -> TextSize {
        self.splitter.size(segmentation.into())
    }

    /// Splits the text into segments of 160 septets, 140 octets or 70 UTF-16 units, less what the user data header
    /// takes.
    ///
    /// A text that needs several segments is concatenated as `segmentation` says. No character is split. A text of one
    /// segment has no reference, and an empty text is one empty segment.
    ///
    /// | header | octets | septets | octets | UTF-16 units |
    /// | --- | --- | --- | --- | --- |
    /// | none | 0 | 160 | 140 | 70 |
    /// | 8-bit reference | 6 | 153 | 134 | 67 |
    /// | 16-bit reference; `sar_` parameters | 7 | 152 | 133 | 66 |
    /// | 8-bit reference, one shift | 9 | 149 | 131 | 65 |
    ///
    /// # Errors
    ///
    /// [`SegmentError::TooMany`] above 255 segments, and [`SegmentError::HeaderWithSar`] for several segments by
    /// [`Segmentation::Sar`] with a user data header.
    pub fn segments(&self, segmentation: impl Into<Segmentation>) -> Result<Segments<'a>, SegmentError> {
        Segments::new(self.splitter, self.data_coding, segmentation.into())
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAlphabet => f.write_str(
                "no alphabet of the options has a data_coding on this bind: add one to TextOptions::alphabets, for \
                 example Alphabet::Ucs2",
            ),
            Self::Unencodable(unencodable) => {
                write!(f, "{unencodable}: replace it, or add Alphabet::Ucs2 to TextOptions::alphabets")
            }
            Self::NotText(data_coding) => write!(
                f,
                "data_coding {:#04x} is not for text: leave it at 0, so that the alphabet is chosen by the text, or send \
                 octets",
                data_coding.0
            ),
        }
    }
}

impl core::error::Error for TextError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Unencodable(unencodable) => Some(unencodable),
            _ => None,
        }
    }
}

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
    fn the_caller_can_choose_the_alphabet() {
        assert_eq!(Text::gsm7("5 €").map(|text| text.alphabet()), Ok(Alphabet::Gsm7));
        assert_eq!(Text::gsm7("5 ₽"), Err(Unencodable { character: '₽', position: 2 }));
        let latin = Text::coded("5 é₽", Alphabet::Latin1, Shifts::NONE, DataCoding::LATIN1);
        assert_eq!(latin, Err(Unencodable { character: '₽', position: 4 }));
        assert!(
            Text::coded("a", Alphabet::Octets, Shifts::NONE, DataCoding::OCTETS).is_err(),
            "octets are not text"
        );
    }

    #[test]
    fn the_alphabet_with_the_fewest_segments_is_chosen() {
        let alphabets = [Alphabet::Gsm7, Alphabet::Latin1, Alphabet::Ucs2];
        let languages = [Language::TURKISH, Language::SPANISH];
        let options = TextOptions { codings: Codings::GSM7, alphabets: &alphabets, languages: &languages };
        let chosen = |text: &str| options.text(text).map(|text| (text.alphabet(), text.shifts())).unwrap();
        assert_eq!(chosen(""), (Alphabet::Gsm7, Shifts::NONE));
        assert_eq!(chosen("10 € Grüße"), (Alphabet::Gsm7, Shifts::NONE));
        assert_eq!(chosen("ğ"), (Alphabet::Gsm7, Shifts::single(Language::TURKISH)));
        // 80 characters of two septets are 160 septets, which do not fit after a header. With one septet each they fit.
        assert_eq!(chosen(&"ğ".repeat(80)), (Alphabet::Gsm7, Shifts::locking(Language::TURKISH)));
        assert_eq!(chosen("á"), (Alphabet::Gsm7, Shifts::single(Language::SPANISH)));
        // 77 characters of two septets are 154 septets, but 140 characters of one octet fit.
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
        let unencodable = Unencodable { character: '五', position: 1 };
        assert_eq!(options.text("a五"), Err(TextError::Unencodable(unencodable)));
        let turkish = TextOptions {
            alphabets: &[Alphabet::Gsm7],
            languages: &[Language::TURKISH],
            ..TextOptions::default()
        };
        let unencodable = Unencodable { character: '五', position: 2 };
        assert_eq!(
            turkish.text("¡五"),
            Err(TextError::Unencodable(unencodable)),
            "the default table has the first character"
        );
    }

    #[test]
    fn size_counts_the_unused_units() {
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
        assert_eq!(size(&"a".repeat(300 * 152), wide), (300, 300 * 152, 0), "more segments than can be sent");
        assert_eq!(size(&"a".repeat(150), Segmentation::Sar(1)), (1, 150, 10));
        assert_eq!(
            size(&"a".repeat(161), Segmentation::Payload),
            (2, 161, 304 - 161),
            "as the SMSC splits it"
        );
    }
}
