//! The GSM 7-bit default alphabet with its extension table (3GPP TS 23.038 §6.2.1).
//!
//! One septet per octet, top bit zero: the form that SMPP carries. The SMSC packs the septets for the air.
//! A character takes one septet, or two if it stands in the extension table: an escape comes first.
//!
//! ```
//! use smpp_core::sms::gsm7;
//!
//! let mut octets = Vec::new();
//! gsm7::encode("@£€", &mut octets)?;
//! assert_eq!(octets, [0x00, 0x01, 0x1B, 0x65]);
//! assert_eq!(gsm7::decode(&octets), "@£€");
//! # Ok::<(), smpp_core::sms::Unencodable>(())
//! ```

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The septet that selects the extension table for the next one.
const ESCAPE: u8 = 0x1B;

/// The default table, by septet. The escape has no character: it shows as a space where nothing that is
/// known follows (3GPP TS 23.038 §6.2.1, note 1).
#[rustfmt::skip]
static DEFAULT: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å',
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', ' ', 'Æ', 'æ', 'ß', 'É',
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§',
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

/// The extension table (3GPP TS 23.038 §6.2.1.1).
static EXTENSION: [(u8, char); 10] = [
    (0x0A, '\u{0C}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

/// Both tables the other way round, for the characters up to U+00FF.
static LATIN: [Option<Septets>; 256] = latin();

#[expect(clippy::indexing_slicing, reason = "runs in the compiler, where a bad index is an error")]
const fn latin() -> [Option<Septets>; 256] {
    let mut table = [None; 256];
    let mut septet = 0;
    while septet < DEFAULT.len() {
        let character = DEFAULT[septet] as usize;
        if character < table.len() && septet != ESCAPE as usize {
            table[character] = Some(Septets::Default(septet as u8));
        }
        septet += 1;
    }
    let mut entry = 0;
    while entry < EXTENSION.len() {
        let (septet, character) = EXTENSION[entry];
        if (character as usize) < table.len() {
            table[character as usize] = Some(Septets::Extension(septet));
        }
        entry += 1;
    }
    table
}

/// Where a character stands in the alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Septets {
    /// In the default table: this septet alone.
    Default(u8),
    /// In the extension table: an escape, then this septet.
    Extension(u8),
}

/// A character that the alphabet lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unencodable {
    /// The first such character of the text.
    pub character: char,
    /// Bytes from the start of the text to the character.
    pub position: usize,
}

/// The septets of `character`, or `None` if the alphabet lacks it.
pub fn septets(character: char) -> Option<Septets> {
    match LATIN.get(character as usize) {
        Some(known) => *known,
        None => beyond_latin(character),
    }
}

/// How many septets `text` takes, or `None` if the alphabet lacks one of its characters.
pub fn len(text: &str) -> Option<usize> {
    text.chars().map(|character| septets(character).map(Septets::count)).sum()
}

/// Appends `text` to `out`, one septet per octet. On error `out` is as it was.
pub fn encode(text: &str, out: &mut Vec<u8>) -> Result<(), Unencodable> {
    let start = out.len();
    out.reserve(text.len());
    for (position, character) in text.char_indices() {
        let Some(septets) = septets(character) else {
            out.truncate(start);
            return Err(Unencodable { character, position });
        };
        out.extend(septets.octets());
    }
    Ok(())
}

/// Reads one septet per octet. Never fails, as a receiver must show something:
///
/// - a septet that the extension table lacks shows as the default table's character,
/// - an escape before an escape, or at the end, shows as a space,
/// - an octet above `0x7F` is no septet and shows as U+FFFD.
pub fn decode(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    let mut octets = octets.iter().copied();
    while let Some(octet) = octets.next() {
        text.push(match octet {
            ESCAPE => octets.next().map_or(' ', extension_character),
            _ => default_character(octet),
        });
    }
    text
}

impl Septets {
    /// How many septets: 1 or 2.
    pub const fn count(self) -> usize {
        match self {
            Self::Default(_) => 1,
            Self::Extension(_) => 2,
        }
    }

    /// The septets in the order they are sent, one per octet.
    pub fn octets(self) -> impl Iterator<Item = u8> {
        let (escape, septet) = match self {
            Self::Default(septet) => (None, septet),
            Self::Extension(septet) => (Some(ESCAPE), septet),
        };
        escape.into_iter().chain([septet])
    }
}

/// The Greek capitals, which stand together in the default table, and the euro sign.
#[cold]
fn beyond_latin(character: char) -> Option<Septets> {
    let greek = (0x10..ESCAPE).find(|&septet| default_character(septet) == character);
    greek.map(Septets::Default).or_else(|| {
        EXTENSION.iter().find(|entry| entry.1 == character).map(|entry| Septets::Extension(entry.0))
    })
}

fn default_character(septet: u8) -> char {
    DEFAULT.get(usize::from(septet)).copied().unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn extension_character(septet: u8) -> char {
    EXTENSION
        .iter()
        .find(|entry| entry.0 == septet)
        .map_or_else(|| default_character(septet), |entry| entry.1)
}

impl fmt::Display for Unencodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { character, position } = self;
        write!(f, "{character:?} at byte {position} is not in the GSM 7-bit alphabet")
    }
}

impl core::error::Error for Unencodable {}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    /// Every character of the alphabet, the default table first.
    fn alphabet() -> Vec<char> {
        let default = (0..128).filter(|&septet| septet != ESCAPE).map(default_character);
        default.chain(EXTENSION.iter().map(|entry| entry.1)).collect()
    }

    #[test]
    fn the_tables_hold_137_characters_each_once() {
        let mut characters = alphabet();
        characters.sort_unstable();
        characters.dedup();
        assert_eq!(characters.len(), 127 + 10);
    }

    #[test]
    fn what_looks_like_ascii_and_is_not() {
        let mut octets = Vec::new();
        encode("£$@Ö[]{}€", &mut octets).unwrap();
        assert_eq!(octets, [1, 2, 0, 0x5C, 0x1B, 0x3C, 0x1B, 0x3E, 0x1B, 0x28, 0x1B, 0x29, 0x1B, 0x65],);
        assert_eq!(len("£$@Ö[]{}€"), Some(octets.len()));
    }

    #[test]
    fn the_space_is_the_space_and_not_the_escape() {
        assert_eq!(septets(' '), Some(Septets::Default(0x20)));
    }

    #[test]
    fn an_error_names_the_character_and_leaves_the_output_alone() {
        let mut octets = vec![7];
        let error = encode("fünf 五", &mut octets).unwrap_err();
        assert_eq!(error, Unencodable { character: '五', position: 6 });
        assert_eq!(octets, [7]);
        assert_eq!(len("fünf 五"), None);
        assert_eq!(septets('ç'), None, "the table has the capital alone");
    }

    #[test]
    fn reading_never_fails() {
        for (octets, text) in [
            (&[][..], ""),
            (&[0x1B], " "),
            (&[0x1B, 0x1B], " "),
            (&[0x1B, 0x1B, 0x28], " ("),
            (&[0x1B, 0x41], "A"),
            (&[0x1B, 0x00], "@"),
            (&[0x41, 0x80, 0xFF, 0x42], "A\u{FFFD}\u{FFFD}B"),
            (&[0x1B, 0x9B], "\u{FFFD}"),
        ] {
            assert_eq!(decode(octets), text, "{octets:02X?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(text in prop::collection::vec(prop::sample::select(alphabet()), 0..300)) {
            let text: String = text.into_iter().collect();
            let mut octets = Vec::new();
            encode(&text, &mut octets).unwrap();
            prop_assert_eq!(len(&text), Some(octets.len()));
            prop_assert_eq!(decode(&octets), text);
        }

        #[test]
        fn any_text_is_encoded_or_refused(text in any::<String>()) {
            let mut octets = Vec::new();
            prop_assert_eq!(encode(&text, &mut octets).is_ok(), len(&text).is_some());
        }

        #[test]
        fn any_octets_are_read(octets in any::<Vec<u8>>()) {
            prop_assert!(decode(&octets).chars().count() <= octets.len());
        }
    }
}
