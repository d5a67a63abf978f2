//! The alphabet of each `data_coding`.

use super::alphabet::Alphabet;
use crate::pdu::{DataCoding, MessageClass};

/// Maps `data_coding` values to alphabets, and back.
///
/// SMSCs differ in two values. `data_coding` 0 is "the SMSC default alphabet" (SMPP 3.4 §5.2.19), which is a property
/// of the account: ask the provider, a message does not say it. Some SMSCs also use that alphabet for `data_coding` 1.
///
/// ```
/// use smpp_proto::DataCoding;
/// use smpp_proto::sms::{Alphabet, Codings};
///
/// assert_eq!(Codings::default().alphabet(DataCoding(0)), Some(Alphabet::Gsm7));
/// assert_eq!(Codings::default().alphabet(DataCoding(1)), Some(Alphabet::Ascii));
/// assert_eq!(Codings::GSM7.alphabet(DataCoding(1)), Some(Alphabet::Gsm7));
///
/// let latin = Codings::default().smsc_default(Alphabet::Latin1);
/// assert_eq!(latin.alphabet(DataCoding(0)), Some(Alphabet::Latin1));
/// assert_eq!(latin.data_coding(Alphabet::Gsm7), None, "no data_coding means it");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Codings {
    /// The alphabet of `data_coding` 0, "SMSC default". Default: GSM 7-bit, one septet per octet.
    pub smsc_default: Alphabet,
    /// The alphabet of `data_coding` 1, "IA5". Default: ASCII.
    pub ia5: Alphabet,
}

impl Codings {
    /// What the specification suggests: GSM 7-bit for `data_coding` 0, ASCII for 1. The same as `Codings::default()`, for constants.
    pub const DEFAULT: Self = Self { smsc_default: Alphabet::Gsm7, ia5: Alphabet::Ascii };

    /// GSM 7-bit for both `data_coding` 0 and 1, as documented by 8x8.
    pub const GSM7: Self = Self { smsc_default: Alphabet::Gsm7, ia5: Alphabet::Gsm7 };

    /// Returns the alphabet of a `data_coding`; `None` if the value is reserved or its character set is not supported.
    ///
    /// | values | meaning | alphabet |
    /// | --- | --- | --- |
    /// | `0x00..=0x0F` | SMPP 3.4 §5.2.19 | one per value |
    /// | `0x10..=0x1F` | message class, general group | bits 3 and 2: GSM 7-bit, octets, UCS-2 |
    /// | `0xC0..=0xDF` | message waiting: discard, store | GSM 7-bit |
    /// | `0xE0..=0xEF` | message waiting: store | UCS-2 |
    /// | `0xF0..=0xFF` | message class | bit 2: GSM 7-bit, octets |
    ///
    /// SMPP reserves `0x10..=0x1F` and `0xE0..=0xEF`. Like all values above `0x0F` they are read as a data coding
    /// scheme of 3GPP TS 23.038 §4, because SMSCs pass it on unchanged. GSM 7-bit is packed in these groups if it is
    /// packed for `data_coding` 0.
    ///
    /// The feature `charsets` adds the other character sets of SMPP 3.4 §5.2.19. The specification does not name their
    /// encodings, so the usual ones apply: 5 (JIS) is Shift_JIS, 6 ISO 8859-5, 7 ISO 8859-8, 10 ISO-2022-JP, 13
    /// (Extended Kanji JIS) EUC-JP, 14 (KS C 5601) EUC-KR.
    pub const fn alphabet(self, data_coding: DataCoding) -> Option<Alphabet> {
        Some(match data_coding.0 {
            0x00 => self.smsc_default,
            0x01 => self.ia5,
            0x03 => Alphabet::Latin1,
            0x10..=0x13 | 0xC0..=0xDF | 0xF0..=0xF3 | 0xF8..=0xFB => match self.smsc_default {
                Alphabet::Gsm7Packed => Alphabet::Gsm7Packed,
                _ => Alphabet::Gsm7,
            },
            0x02 | 0x04 | 0x14..=0x17 | 0xF4..=0xF7 | 0xFC..=0xFF => Alphabet::Octets,
            0x08 | 0x18..=0x1B | 0xE0..=0xEF => Alphabet::Ucs2,
            #[cfg(feature = "charsets")]
            0x05 => Alphabet::Charset(&encoding_rs::SHIFT_JIS_INIT),
            #[cfg(feature = "charsets")]
            0x06 => Alphabet::Charset(&encoding_rs::ISO_8859_5_INIT),
            #[cfg(feature = "charsets")]
            0x07 => Alphabet::Charset(&encoding_rs::ISO_8859_8_INIT),
            #[cfg(feature = "charsets")]
            0x0A => Alphabet::Charset(&encoding_rs::ISO_2022_JP_INIT),
            #[cfg(feature = "charsets")]
            0x0D => Alphabet::Charset(&encoding_rs::EUC_JP_INIT),
            #[cfg(feature = "charsets")]
            0x0E => Alphabet::Charset(&encoding_rs::EUC_KR_INIT),
            _ => return None,
        })
    }

    /// Returns the lowest `data_coding` without a message class that means `alphabet`; `None` if there is none.
    pub fn data_coding(self, alphabet: Alphabet) -> Option<DataCoding> {
        // Both 2 and 4 mean octets: 2 is defined for TDMA and CDMA.
        let usual = if alphabet == Alphabet::Octets { 0x04 } else { 0x00 };
        (usual..=0x0F).map(DataCoding).find(|&data_coding| self.alphabet(data_coding) == Some(alphabet))
    }

    /// Returns the `data_coding` with a message class that means `alphabet`: `0x10..=0x1B`. `None` if there is none: a class
    /// goes with GSM 7-bit, octets and UCS-2.
    pub fn data_coding_of_class(self, alphabet: Alphabet, class: MessageClass) -> Option<DataCoding> {
        let of_class = |group: u8| DataCoding(group | class as u8);
        [0x10, 0x14, 0x18].map(of_class).into_iter().find(|&coding| self.alphabet(coding) == Some(alphabet))
    }

    /// Returns the `data_coding` that means the same alphabet and this message class; the same value if it states the class
    /// already. `None` if it states another class or a message waiting indication, or if no value means its alphabet with a
    /// class.
    ///
    /// ```
    /// use smpp_proto::sms::Codings;
    /// use smpp_proto::{DataCoding, MessageClass};
    ///
    /// let flash = |data_coding| Codings::default().with_class(data_coding, MessageClass::Flash);
    /// assert_eq!(flash(DataCoding::SMSC_DEFAULT), Some(DataCoding::GSM_GENERAL_7BIT_CLASS0));
    /// assert_eq!(flash(DataCoding::UCS2), Some(DataCoding::GSM_GENERAL_UCS2_CLASS0));
    /// assert_eq!(flash(DataCoding::GSM_7BIT_CLASS0), Some(DataCoding::GSM_7BIT_CLASS0));
    /// assert_eq!(flash(DataCoding::GSM_7BIT_CLASS1), None, "it states another class");
    /// assert_eq!(flash(DataCoding::LATIN1), None, "no value means Latin-1 and a class");
    /// ```
    pub fn with_class(self, data_coding: DataCoding, class: MessageClass) -> Option<DataCoding> {
        match data_coding.message_class() {
            Some(stated) => (stated == class).then_some(data_coding),
            None if data_coding.is_message_waiting() => None,
            None => self.data_coding_of_class(self.alphabet(data_coding)?, class),
        }
    }

    crate::setters! {
        const smsc_default: Alphabet,
        const ia5: Alphabet,
    }
}

impl Default for Codings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_data_coding_has_its_alphabet() {
        use Alphabet::{Ascii, Charset, Gsm7, Latin1, Octets, Ucs2};
        for (data_codings, alphabet) in [
            (0x00..=0x00, Some(Gsm7)),
            (0x01..=0x01, Some(Ascii)),
            (0x02..=0x02, Some(Octets)),
            (0x03..=0x03, Some(Latin1)),
            (0x04..=0x04, Some(Octets)),
            (0x05..=0x05, Some(Charset(&encoding_rs::SHIFT_JIS_INIT))),
            (0x06..=0x06, Some(Charset(&encoding_rs::ISO_8859_5_INIT))),
            (0x07..=0x07, Some(Charset(&encoding_rs::ISO_8859_8_INIT))),
            (0x08..=0x08, Some(Ucs2)),
            (0x09..=0x09, None),
            (0x0A..=0x0A, Some(Charset(&encoding_rs::ISO_2022_JP_INIT))),
            (0x0B..=0x0C, None),
            (0x0D..=0x0D, Some(Charset(&encoding_rs::EUC_JP_INIT))),
            (0x0E..=0x0E, Some(Charset(&encoding_rs::EUC_KR_INIT))),
            (0x0F..=0x0F, None),
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
    fn message_class_groups_ignore_the_default_alphabet() {
        let latin = Codings { smsc_default: Alphabet::Latin1, ia5: Alphabet::Latin1 };
        assert_eq!(latin.alphabet(DataCoding(0x00)), Some(Alphabet::Latin1));
        assert_eq!(latin.alphabet(DataCoding(0x01)), Some(Alphabet::Latin1));
        assert_eq!(latin.alphabet(DataCoding(0xF0)), Some(Alphabet::Gsm7));
    }

    #[test]
    fn every_decodable_alphabet_has_a_data_coding() {
        for smsc_default in [Alphabet::Gsm7, Alphabet::Gsm7Packed, Alphabet::Latin1] {
            let codings = Codings { smsc_default, ..Codings::default() };
            for alphabet in (0..=0xFF).filter_map(|value| codings.alphabet(DataCoding(value))) {
                let lowest = codings.data_coding(alphabet);
                let of_class = alphabet == Alphabet::Gsm7 && smsc_default == Alphabet::Latin1;
                assert_eq!(lowest.is_none(), of_class, "{alphabet:?} needs a message class here");
                assert!(lowest.is_none_or(|lowest| codings.alphabet(lowest) == Some(alphabet)));
            }
        }
        let codings = Codings { smsc_default: Alphabet::Gsm7Packed, ..Codings::default() };
        assert_eq!(codings.alphabet(DataCoding(0xF0)), Some(Alphabet::Gsm7Packed));
        assert_eq!(codings.data_coding(Alphabet::Octets), Some(DataCoding::OCTETS));
        assert_eq!(Codings::GSM7.data_coding(Alphabet::Gsm7), Some(DataCoding::SMSC_DEFAULT));
        assert_eq!(Codings::GSM7.data_coding(Alphabet::Ascii), None);
    }

    proptest! {
        #[test]
        fn encoded_text_decodes_to_itself(text in ".*|[ -~àéß]*|[a-zабв]*|[a漢字カ\u{A5}ｶ−]*|[a가나]*|[a-zא-ת]*") {
            let of_value = (0..=0x0F).filter_map(|value| Codings::default().alphabet(DataCoding(value)));
            for alphabet in of_value.chain([Alphabet::Gsm7Packed]) {
                let mut octets = Vec::new();
                match alphabet.encode(&text, &mut octets) {
                    // A carriage return at the end of packed septets is read as padding.
                    Ok(()) if alphabet == Alphabet::Gsm7Packed && text.ends_with('\r') => {}
                    Ok(()) if alphabet == Alphabet::Octets => prop_assert_eq!(&text, ""),
                    Ok(()) => prop_assert_eq!(alphabet.decode(&octets), Some(text.clone()), "{:?}", alphabet),
                    Err(error) => {
                        prop_assert!(text[error.position..].starts_with(error.character));
                        let before = alphabet.encode(&text[..error.position], &mut octets);
                        prop_assert_eq!(before, Ok(()), "{:?} cannot encode an earlier character", alphabet);
                    }
                }
            }
        }

        #[test]
        fn any_octets_decode(data_coding: u8, octets in any::<Vec<u8>>()) {
            if let Some(alphabet) = Codings::default().alphabet(DataCoding(data_coding)) {
                prop_assert_eq!(alphabet.decode(&octets).is_none(), alphabet == Alphabet::Octets);
            }
        }
    }
}
