//! Which alphabet a `data_coding` means.

use alloc::string::String;

use super::{gsm7, ucs2};
use crate::pdu::DataCoding;

/// How octets become characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Alphabet {
    /// The [GSM 7-bit default alphabet](gsm7), one septet per octet.
    Gsm7,
    /// ASCII, also known as IA5.
    Ascii,
    /// ISO 8859-1.
    Latin1,
    /// [UCS-2](ucs2), read and written as UTF-16 in network byte order.
    Ucs2,
    /// Eight-bit data: not text.
    Octets,
}

/// What the two `data_coding` values mean that every SMSC reads its own way.
///
/// `data_coding` 0 is "the SMSC default alphabet" (SMPP 3.4 §5.2.19): a property of the account, to be
/// asked of the provider, not something a message can tell. Some read 1 as the same alphabet, too.
///
/// ```
/// use smpp_core::DataCoding;
/// use smpp_core::sms::{Alphabet, Codings};
///
/// assert_eq!(Codings::default().alphabet(DataCoding(0)), Some(Alphabet::Gsm7));
/// assert_eq!(Codings::default().alphabet(DataCoding(1)), Some(Alphabet::Ascii));
/// assert_eq!(Codings::GSM7.alphabet(DataCoding(1)), Some(Alphabet::Gsm7));
///
/// let latin = Codings { smsc_default: Alphabet::Latin1, ..Codings::default() };
/// assert_eq!(latin.alphabet(DataCoding(0)), Some(Alphabet::Latin1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Codings {
    /// The alphabet of `data_coding` 0, "SMSC default". GSM 7-bit unless said otherwise.
    pub smsc_default: Alphabet,
    /// The alphabet of `data_coding` 1, "IA5". ASCII unless said otherwise.
    pub ia5: Alphabet,
}

impl Codings {
    /// Both 0 and 1 mean the GSM 7-bit default alphabet, as 8x8 documents it.
    pub const GSM7: Self = Self { smsc_default: Alphabet::Gsm7, ia5: Alphabet::Gsm7 };

    /// The alphabet that `data_coding` means, or `None` if it is reserved or this crate has no table for it
    /// (JIS, Cyrillic, Hebrew, Korean and others).
    ///
    /// | values | meaning | alphabet |
    /// | --- | --- | --- |
    /// | `0x00..=0x0F` | SMPP 3.4 §5.2.19 | one value each |
    /// | `0x10..=0x1F` | message class, general group | bits 3 and 2: GSM 7-bit, octets, UCS-2 |
    /// | `0xC0..=0xDF` | message waiting: discard, store | GSM 7-bit |
    /// | `0xE0..=0xEF` | message waiting: store | UCS-2 |
    /// | `0xF0..=0xFF` | message class | bit 2: GSM 7-bit, octets |
    ///
    /// SMPP reserves `0x10..=0x1F` and `0xE0..=0xEF`; they are read as SMSCs pass them on, like the others
    /// above `0x0F`: as the data coding scheme of 3GPP TS 23.038 §4.
    pub const fn alphabet(self, data_coding: DataCoding) -> Option<Alphabet> {
        Some(match data_coding.0 {
            0x00 => self.smsc_default,
            0x01 => self.ia5,
            0x03 => Alphabet::Latin1,
            0x10..=0x13 | 0xC0..=0xDF | 0xF0..=0xF3 | 0xF8..=0xFB => Alphabet::Gsm7,
            0x02 | 0x04 | 0x14..=0x17 | 0xF4..=0xF7 | 0xFC..=0xFF => Alphabet::Octets,
            0x08 | 0x18..=0x1B | 0xE0..=0xEF => Alphabet::Ucs2,
            _ => return None,
        })
    }
}

impl Default for Codings {
    fn default() -> Self {
        Self { smsc_default: Alphabet::Gsm7, ia5: Alphabet::Ascii }
    }
}

impl Alphabet {
    /// The smaller alphabet that holds all of `text`: GSM 7-bit if it can, UCS-2 otherwise.
    pub fn choose(text: &str) -> Self {
        if gsm7::len(text).is_some() { Self::Gsm7 } else { Self::Ucs2 }
    }

    /// The text that `octets` spell, without any user data header. `None` for [`Octets`](Self::Octets),
    /// which are no text.
    ///
    /// What the alphabet does not know shows as U+FFFD; a text never fails to be read.
    pub fn decode(self, octets: &[u8]) -> Option<String> {
        match self {
            Self::Gsm7 => Some(gsm7::decode(octets)),
            Self::Ascii => Some(octets.iter().map(|&octet| ascii(octet)).collect()),
            Self::Latin1 => Some(octets.iter().copied().map(char::from).collect()),
            Self::Ucs2 => Some(ucs2::decode(octets)),
            Self::Octets => None,
        }
    }
}

fn ascii(octet: u8) -> char {
    if octet.is_ascii() { char::from(octet) } else { char::REPLACEMENT_CHARACTER }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_data_coding_with_a_meaning() {
        use Alphabet::{Ascii, Gsm7, Latin1, Octets, Ucs2};
        for (data_codings, alphabet) in [
            (0x00..=0x00, Some(Gsm7)),
            (0x01..=0x01, Some(Ascii)),
            (0x02..=0x02, Some(Octets)),
            (0x03..=0x03, Some(Latin1)),
            (0x04..=0x04, Some(Octets)),
            (0x05..=0x07, None),
            (0x08..=0x08, Some(Ucs2)),
            (0x09..=0x0F, None),
            (0x10..=0x13, Some(Gsm7)),
            (0x14..=0x17, Some(Octets)),
            (0x18..=0x1B, Some(Ucs2)),
            (0x1C..=0xBF, None),
            (0xC0..=0xDF, Some(Gsm7)),
            (0xE0..=0xEF, Some(Ucs2)),
            (0xF0..=0xF3, Some(Gsm7)),
            (0xF4..=0xF7, Some(Octets)),
            (0xF8..=0xFB, Some(Gsm7)),
            (0xFC..=0xFF, Some(Octets)),
        ] {
            for data_coding in data_codings {
                let found = Codings::default().alphabet(DataCoding(data_coding));
                assert_eq!(found, alphabet, "{data_coding:#04X}");
            }
        }
    }

    #[test]
    fn the_class_groups_do_not_depend_on_the_bind() {
        let latin = Codings { smsc_default: Alphabet::Latin1, ia5: Alphabet::Latin1 };
        assert_eq!(latin.alphabet(DataCoding(0x00)), Some(Alphabet::Latin1));
        assert_eq!(latin.alphabet(DataCoding(0x01)), Some(Alphabet::Latin1));
        assert_eq!(latin.alphabet(DataCoding(0xF0)), Some(Alphabet::Gsm7));
    }

    #[test]
    fn one_octet_in_every_alphabet() {
        for (alphabet, text) in [
            (Alphabet::Gsm7, Some("ä\u{FFFD}")),
            (Alphabet::Ascii, Some("{\u{FFFD}")),
            (Alphabet::Latin1, Some("{é")),
            (Alphabet::Ucs2, Some("\u{7BE9}")),
            (Alphabet::Octets, None),
        ] {
            assert_eq!(alphabet.decode(&[0x7B, 0xE9]).as_deref(), text, "{alphabet:?}");
        }
    }

    #[test]
    fn the_smaller_alphabet_is_chosen() {
        assert_eq!(Alphabet::choose(""), Alphabet::Gsm7);
        assert_eq!(Alphabet::choose("10 € Grüße"), Alphabet::Gsm7);
        assert_eq!(Alphabet::choose("garçon"), Alphabet::Ucs2);
        assert_eq!(Alphabet::choose("👍"), Alphabet::Ucs2);
    }

    proptest! {
        #[test]
        fn any_octets_are_read(data_coding: u8, octets in any::<Vec<u8>>()) {
            if let Some(alphabet) = Codings::default().alphabet(DataCoding(data_coding)) {
                prop_assert_eq!(alphabet.decode(&octets).is_none(), alphabet == Alphabet::Octets);
            }
        }
    }
}
