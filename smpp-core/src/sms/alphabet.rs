//! Alphabets: how octets become characters.

use alloc::string::String;
use alloc::vec::Vec;

use super::gsm7::{Shifts, packed};
use super::ucs2;
use super::unencodable::Unencodable;

/// How octets become characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Alphabet {
    /// The [GSM 7-bit default alphabet](super::gsm7), one septet per octet.
    Gsm7,
    /// The same, eight septets in [seven octets](super::gsm7::packed).
    Gsm7Packed,
    /// ASCII, also known as IA5.
    Ascii,
    /// ISO 8859-1.
    Latin1,
    /// [UCS-2](ucs2), read and written as UTF-16 in network byte order.
    Ucs2,
    /// Eight-bit data: not text.
    Octets,
    /// Another character set.
    #[cfg(feature = "charsets")]
    Charset(&'static encoding_rs::Encoding),
}

impl Alphabet {
    /// The text that `octets` spell, without any user data header. `None` for [`Octets`](Self::Octets),
    /// which are no text.
    ///
    /// What the alphabet does not know shows as U+FFFD; a text never fails to be read.
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

    /// Appends `text` to `out`, or tells the first character that the alphabet lacks; `out` is as it was then.
    ///
    /// [`Octets`](Self::Octets) have no characters at all.
    ///
    /// ```
    /// use smpp_core::sms::{Alphabet, Unencodable};
    /// let mut out = Vec::new();
    /// Alphabet::Latin1.encode("é", &mut out)?;
    /// assert_eq!(out, [0xE9]);
    /// let euro = Alphabet::Latin1.encode("5 €", &mut out);
    /// assert_eq!(euro, Err(Unencodable { character: '€', position: 2 }));
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

    /// The octet of a character, in the alphabets that have one for each.
    pub(super) fn octet(self, character: char) -> Option<u8> {
        match self {
            Self::Ascii => u8::try_from(character).ok().filter(u8::is_ascii),
            Self::Latin1 => u8::try_from(character).ok(),
            _ => None,
        }
    }
}

/// A text in another character set, if it reads back the same: UTF-16 and what cannot be written never does. Each call
/// starts and ends in its initial state.
#[cfg(feature = "charsets")]
pub(super) fn charset_octets<'a>(
    charset: &'static encoding_rs::Encoding,
    text: &'a str,
) -> Result<alloc::borrow::Cow<'a, [u8]>, Unencodable> {
    if text.is_empty() {
        return Ok(alloc::borrow::Cow::default());
    }
    // An encoder may put one character in the place of another: full-width katakana for half-width ones.
    let faithful = |text: &'a str| {
        let (octets, used, lacking) = charset.encode(text);
        let same = || charset.decode_without_bom_handling(&octets).0 == text;
        (!lacking && used == charset && same()).then_some(octets)
    };
    faithful(text).ok_or_else(|| {
        let mut characters = text.char_indices();
        let unencodable = characters.find(|&(position, character)| {
            let alone = text.get(position..position + character.len_utf8());
            alone.and_then(faithful).is_none()
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
    fn one_octet_in_every_alphabet() {
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
    fn the_first_character_that_is_lacking_is_named() {
        for (alphabet, text, character, position) in [
            (Alphabet::Ascii, "aé", 'é', 1),
            (Alphabet::Latin1, "é€", '€', 2),
            (Alphabet::Gsm7, "@ç", 'ç', 1),
            (Alphabet::Gsm7Packed, "@ç", 'ç', 1),
            (Alphabet::Octets, "a", 'a', 0),
            (Alphabet::Charset(&encoding_rs::ISO_8859_5_INIT), "бé", 'é', 2),
            (Alphabet::Charset(&encoding_rs::ISO_2022_JP_INIT), "漢б😀", '😀', 5),
        ] {
            let mut out = Vec::from(*b"kept");
            let error = Unencodable { character, position };
            assert_eq!(alphabet.encode(text, &mut out), Err(error), "{alphabet:?}");
            assert_eq!(out, b"kept");
        }
    }
}
