//! Alphabets: encoding and decoding the octets of a message.

use alloc::string::String;
use alloc::vec::Vec;

use super::gsm7::{Shifts, packed};
use super::ucs2;
use super::unencodable::Unencodable;

/// An alphabet (character encoding) of a message.
///
/// [`Codings::alphabet`](super::Codings::alphabet) maps a `data_coding` to its alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Alphabet {
    /// The [GSM 7-bit default alphabet](super::gsm7) with one septet per octet.
    Gsm7,
    /// The GSM 7-bit default alphabet with eight septets packed into seven octets (3GPP TS 23.038 §6.1.2).
    Gsm7Packed,
    /// ASCII (IA5).
    Ascii,
    /// ISO 8859-1 (Latin-1).
    Latin1,
    /// [UCS-2](ucs2), encoded and decoded as UTF-16 in network byte order.
    #[doc(alias = "unicode")]
    #[doc(alias = "emoji")]
    Ucs2,
    /// Eight-bit binary data, which is not text.
    Octets,
    /// Another character set, with the feature `charsets`.
    #[cfg(feature = "charsets")]
    Charset(&'static encoding_rs::Encoding),
}

impl Alphabet {
    /// Decodes `octets` without a user data header. Returns `None` for [`Octets`](Self::Octets), which are not text.
    ///
    /// Decoding text never fails: each octet sequence that the alphabet lacks becomes U+FFFD.
    pub fn decode(self, octets: &[u8]) -> Option<String> {
        self.decode_shifted(Shifts::NONE, octets)
    }

    pub(super) fn decode_shifted(self, shifts: Shifts, octets: &[u8]) -> Option<String> {
        match self {
            Self::Gsm7 => Some(shifts.decode(octets)),
            Self::Gsm7Packed => Some(shifts.decode(&packed::unpack(octets, 0))),
            Self::Ascii => Some(octets.iter().map(|&octet| ascii(octet)).collect()),
            Self::Latin1 => Some(octets.iter().copied().map(char::from).collect()),
            Self::Ucs2 => Some(ucs2::decode(octets)),
            Self::Octets => None,
            #[cfg(feature = "charsets")]
            Self::Charset(charset) => Some(charset.decode_without_bom_handling(octets).0.into()),
        }
    }

    /// Appends the encoded `text` to `out`.
    ///
    /// # Errors
    ///
    /// [`Unencodable`] with the first character that the alphabet lacks; `out` is unchanged then. The alphabet
    /// [`Octets`](Self::Octets) has no characters.
    ///
    /// ```
    /// use smpp_proto::sms::{Alphabet, Unencodable};
    /// let mut out = Vec::new();
    /// Alphabet::Latin1.encode("é", &mut out)?;
    /// assert_eq!(out, [0xE9]);
    /// let error = Alphabet::Latin1.encode("5 €", &mut out).unwrap_err();
    /// assert_eq!((error.character, error.position), ('€', 2));
    /// # Ok::<(), Unencodable>(())
    /// ```
    pub fn encode(self, text: &str, out: &mut Vec<u8>) -> Result<(), Unencodable> {
        match self {
            Self::Gsm7 => Shifts::NONE.encode(text, out),
            Self::Gsm7Packed => {
                let mut septets = Vec::new();
                Shifts::NONE.encode(text, &mut septets)?;
                packed::pack(&septets, 0, out);
                Ok(())
            }
            Self::Ucs2 => {
                ucs2::encode(text, out);
                Ok(())
            }
            Self::Ascii | Self::Latin1 | Self::Octets => {
                let start = out.len();
                for (position, character) in text.char_indices() {
                    let Some(octet) = self.octet(character) else {
                        out.truncate(start);
                        return Err(Unencodable { character, position });
                    };
                    out.push(octet);
                }
                Ok(())
            }
            #[cfg(feature = "charsets")]
            Self::Charset(charset) => {
                out.extend_from_slice(&charset_octets(charset, text)?);
                Ok(())
            }
        }
    }

    /// Returns the octet of a character, for alphabets that use exactly one octet per character.
    pub(super) fn octet(self, character: char) -> Option<u8> {
        match self {
            Self::Ascii => u8::try_from(character).ok().filter(u8::is_ascii),
            Self::Latin1 => u8::try_from(character).ok(),
            _ => None,
        }
    }
}

/// Encodes `text` in another character set, starting and ending in its initial shift state.
///
/// Returns an error if the result would not decode to the same text, so UTF-16 is always an error.
#[cfg(feature = "charsets")]
pub(super) fn charset_octets<'a>(
    charset: &'static encoding_rs::Encoding,
    text: &'a str,
) -> Result<alloc::borrow::Cow<'a, [u8]>, Unencodable> {
    if text.is_empty() {
        return Ok(alloc::borrow::Cow::default());
    }
    // An encoder may replace one character by another, for example half-width katakana by full-width katakana.
    let round_trip = |text: &'a str| {
        let (octets, used, unmappable) = charset.encode(text);
        let same = || charset.decode_without_bom_handling(&octets).0 == text;
        (!unmappable && used == charset && same()).then_some(octets)
    };
    round_trip(text).ok_or_else(|| {
        let mut characters = text.char_indices();
        let unencodable = characters.find(|&(position, character)| {
            let alone = text.get(position..position + character.len_utf8());
            alone.and_then(round_trip).is_none()
        });
        let (position, character) = unencodable.unwrap_or_default();
        Unencodable { character, position }
    })
}

fn ascii(octet: u8) -> char {
    if octet.is_ascii() { char::from(octet) } else { char::REPLACEMENT_CHARACTER }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_decode_in_every_alphabet() {
        for (alphabet, text) in [
            (Alphabet::Gsm7, Some("ä\u{FFFD}")),
            (Alphabet::Ascii, Some("{\u{FFFD}")),
            (Alphabet::Latin1, Some("{é")),
            (Alphabet::Ucs2, Some("\u{7BE9}")),
            (Alphabet::Gsm7Packed, Some("äR")),
            (Alphabet::Charset(&encoding_rs::ISO_8859_5_INIT), Some("{щ")),
            (Alphabet::Octets, None),
        ] {
            assert_eq!(alphabet.decode(&[0x7B, 0xE9]).as_deref(), text, "{alphabet:?}");
        }
    }

    #[test]
    fn the_error_has_the_first_unencodable_character() {
        for (alphabet, text, character, position) in [
            (Alphabet::Ascii, "aé", 'é', 1),
            (Alphabet::Latin1, "é€", '€', 2),
            (Alphabet::Gsm7, "@ç", 'ç', 1),
            (Alphabet::Gsm7Packed, "@ç", 'ç', 1),
            (Alphabet::Octets, "a", 'a', 0),
            (Alphabet::Charset(&encoding_rs::ISO_8859_5_INIT), "бé", 'é', 2),
            (Alphabet::Charset(&encoding_rs::ISO_2022_JP_INIT), "漢б😀", '😀', 5),
        ] {
            let mut out = Vec::from(*b"before");
            let error = Unencodable { character, position };
            assert_eq!(alphabet.encode(text, &mut out), Err(error), "{alphabet:?}");
            assert_eq!(out, b"before");
        }
    }
    #[test]
    fn an_empty_text_has_no_octets_in_any_charset() {
        for charset in [encoding_rs::UTF_16BE, encoding_rs::ISO_2022_JP, encoding_rs::KOI8_R] {
            assert_eq!(charset_octets(charset, "").as_deref(), Ok(&[][..]));
        }
        assert!(charset_octets(encoding_rs::UTF_16BE, "a").is_err(), "there is no encoder for it");
    }
}
