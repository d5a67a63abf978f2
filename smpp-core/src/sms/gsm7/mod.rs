//! The GSM 7-bit default alphabet (GSM 03.38) with its extension table, and the national language tables (3GPP TS
//! 23.038 §6.2.1, annex A).
//!
//! [`encode`] and [`decode`] convert between text and septets, and [`len`] counts the septets of a text. To send a
//! text, start from [`Text`](super::Text), which also splits it into segments.
//!
//! An encoded text has one septet per octet with a zero top bit, as SMPP transmits it; the SMSC packs the septets for
//! the air interface. If an SMSC expects packed septets, use
//! [`Alphabet::Gsm7Packed`](super::Alphabet::Gsm7Packed). A character takes one septet, or two if it is
//! in the extension table: an escape septet precedes it.
//!
//! # National language tables
//!
//! A locking shift replaces the default table by that of a language, and a single shift replaces the extension table.
//! [`Shifts`] selects the tables. They save UCS-2 for Turkish, Spanish and Portuguese, but the SMSC and the phone must
//! support them.
//!
//! # Example
//!
//! ```
//! use smpp_proto::sms::gsm7::{self, Language, Shifts};
//!
//! let mut octets = Vec::new();
//! gsm7::encode("@£€", &mut octets)?;
//! assert_eq!(octets, [0x00, 0x01, 0x1B, 0x65]);
//! assert_eq!(gsm7::decode(&octets), "@£€");
//!
//! let turkish = Shifts::single(Language::TURKISH);
//! assert_eq!((gsm7::len("ğ"), turkish.len("ğ")), (None, Some(2)));
//! # Ok::<(), smpp_proto::sms::Unencodable>(())
//! ```

#[doc(hidden)]
pub mod packed;
mod tables;

use alloc::string::String;
use alloc::vec::Vec;

use super::unencodable::Unencodable;
use crate::wire::{Sink, open_enum};
use tables::{ESCAPE, Locking, Single};

open_enum! {
    /// A language with its own tables (3GPP TS 23.038 §6.2.1.2.4), as the octet in the user data header.
    pub struct Language(u8) {
        /// The default table and its extension table.
        DEFAULT = 0,
        /// Turkish.
        TURKISH = 1,
        /// Spanish: single shift only.
        SPANISH = 2,
        /// Portuguese.
        PORTUGUESE = 3,
    }
}

/// The tables that encode a text. The user data header names them for each segment separately (3GPP TS 23.040
/// §9.2.3.24.15, §9.2.3.24.16).
///
/// The default tables apply to a language that is unknown or has no table of the kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shifts {
    /// The language whose table replaces the default table.
    pub locking: Language,
    /// The language whose table replaces the extension table.
    pub single: Language,
}

/// The septets of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Septets {
    /// One septet: the character is in the default table.
    Default(u8),
    /// An escape and this septet: the character is in the extension table.
    Extension(u8),
}

/// Returns the septets of `character`; `None` if the alphabet lacks it.
pub fn septets(character: char) -> Option<Septets> {
    Shifts::NONE.septets(character)
}

/// Returns how many septets `text` takes; `None` if the alphabet lacks one of its characters.
pub fn len(text: &str) -> Option<usize> {
    Shifts::NONE.len(text)
}

/// Appends `text` to `out`, one septet per octet.
///
/// # Errors
///
/// [`Unencodable`] with the first character that the alphabet lacks; `out` is unchanged then.
pub fn encode(text: &str, out: &mut Vec<u8>) -> Result<(), Unencodable> {
    Shifts::NONE.encode(text, out)
}

/// Returns whether the text has 8 octets at least, and only letters and digits of ASCII, spaces and common punctuation, which are
/// their own septets in the default alphabet. It looks at 8 octets at once.
#[inline]
pub(super) fn is_plain(text: &[u8]) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    // The highest bit of each octet, which is at most 0x7F, says whether it is at least `limit`.
    let at_least = |octets: u64, limit: u8| octets + ONES * u64::from(0x80 - limit);
    let plain = |octets: &[u8; 8]| {
        let octets = u64::from_le_bytes(*octets);
        let low = octets & !HIGH;
        let lower = low | ONES << 5;
        let letters = at_least(lower, b'a') & !at_least(lower, b'z' + 1);
        // All but a dollar from the space to the question mark.
        let others = at_least(low, b' ') & !at_least(low, b'@') & at_least(low ^ (ONES * u64::from(b'$')), 1);
        (letters | others) & !octets & HIGH
    };
    let (words, _) = text.as_chunks();
    // The last 8 octets overlap those before.
    text.last_chunk()
        .is_some_and(|last| words.iter().fold(plain(last), |all, word| all & plain(word)) == HIGH)
}

/// Decodes one septet per octet. Never fails, because a receiver must display something:
///
/// - A septet that the extension table lacks becomes the character of the default table.
/// - An escape before another escape, or at the end, becomes a space.
/// - An octet above `0x7F` is not a septet and becomes U+FFFD.
pub fn decode(octets: &[u8]) -> String {
    Shifts::NONE.decode(octets)
}

impl Language {
    /// Returns the possible uses of the language's tables, the shortest header first. Empty for a language without
    /// tables.
    pub(super) fn shifts(self) -> impl Iterator<Item = Shifts> {
        let (has_locking, has_single) = match self {
            Self::TURKISH | Self::PORTUGUESE => (true, true),
            Self::SPANISH => (false, true),
            _ => (false, false),
        };
        let ways = [
            (has_single, Shifts::single(self)),
            (has_locking, Shifts::locking(self)),
            (has_single && has_locking, Shifts::both(self)),
        ];
        ways.into_iter().filter(|(has, _)| *has).map(|(_, shifts)| shifts)
    }
}

impl Shifts {
    /// The default table and the default extension table.
    pub const NONE: Self = Self { locking: Language::DEFAULT, single: Language::DEFAULT };

    /// The default table with the extension table of the language.
    pub const fn single(language: Language) -> Self {
        Self { single: language, ..Self::NONE }
    }

    /// The table of the language with the default extension table.
    pub const fn locking(language: Language) -> Self {
        Self { locking: language, ..Self::NONE }
    }

    /// Both tables of the language.
    pub const fn both(language: Language) -> Self {
        Self { locking: language, single: language }
    }

    /// Like [`septets`], with these tables.
    pub fn septets(self, character: char) -> Option<Septets> {
        let (locking, single) = self.tables();
        find(locking, single, character)
    }

    /// Like [`len`], with these tables.
    pub fn len(self, text: &str) -> Option<usize> {
        let (end, septets) = self.fit(text, usize::MAX);
        (end == text.len()).then_some(septets)
    }

    /// Returns how many octets of `text` fit into so many septets, and the septets that they take. Stops at a character that
    /// the tables lack.
    pub(super) fn fit(self, text: &str, capacity: usize) -> (usize, usize) {
        let (locking, single) = self.tables();
        let (mut rest, mut used) = (text, 0);
        loop {
            // Most characters of most texts are ASCII, and are their own septets.
            let run = locking.ascii_run(rest, capacity - used);
            used += run;
            rest = rest.get(run..).unwrap_or_default();
            let mut characters = rest.chars();
            let septets = characters.next().and_then(|character| find(locking, single, character));
            match septets.map(Septets::count) {
                Some(septets) if septets <= capacity - used => used += septets,
                _ => return (text.len() - rest.len(), used),
            }
            rest = characters.as_str();
        }
    }

    /// Like [`encode`], with these tables.
    pub fn encode(self, text: &str, out: &mut Vec<u8>) -> Result<(), Unencodable> {
        let start = out.len();
        out.reserve(text.len());
        self.encode_to(text, out).inspect_err(|_| out.truncate(start))
    }

    /// Appends the septets up to the first character that the tables lack.
    pub(super) fn encode_to<S: Sink>(self, text: &str, out: &mut S) -> Result<(), Unencodable> {
        let (locking, single) = self.tables();
        let mut rest = text;
        loop {
            let run = locking.ascii_run(rest, rest.len());
            let (ascii, after) = rest.split_at_checked(run).unwrap_or((rest, ""));
            if !ascii.is_empty() {
                out.put(ascii.as_bytes());
            }
            let mut characters = after.chars();
            let Some(character) = characters.next() else { return Ok(()) };
            match find(locking, single, character) {
                Some(Septets::Default(septet)) => out.octet(septet),
                Some(Septets::Extension(septet)) => out.put(&[ESCAPE, septet]),
                None => return Err(Unencodable { character, position: text.len() - after.len() }),
            }
            rest = characters.as_str();
        }
    }

    /// Like [`decode`], with these tables.
    pub fn decode(self, octets: &[u8]) -> String {
        let (locking, single) = self.tables();
        let mut text = String::with_capacity(octets.len());
        let mut rest = octets;
        loop {
            // Most octets of most texts are ASCII characters: copy them in runs.
            let plain = rest.iter().position(|&octet| !locking.is_ascii(octet)).unwrap_or(rest.len());
            let Some((ascii, after)) = rest.split_at_checked(plain) else { return text };
            text.push_str(core::str::from_utf8(ascii).unwrap_or_default());
            rest = match after {
                [] => return text,
                [ESCAPE] => {
                    text.push(' ');
                    &[]
                }
                [ESCAPE, septet, after @ ..] => {
                    let known = single.character(*septet);
                    text.push(known.unwrap_or_else(|| locking.character(*septet)));
                    after
                }
                [octet, after @ ..] => {
                    text.push(locking.character(*octet));
                    after
                }
            };
        }
    }

    fn tables(self) -> (&'static Locking, &'static Single) {
        let locking = match self.locking {
            Language::TURKISH => &tables::TURKISH_LOCKING,
            Language::PORTUGUESE => &tables::PORTUGUESE_LOCKING,
            _ => &tables::DEFAULT,
        };
        let single = match self.single {
            Language::TURKISH => &tables::TURKISH_SINGLE,
            Language::SPANISH => &tables::SPANISH_SINGLE,
            Language::PORTUGUESE => &tables::PORTUGUESE_SINGLE,
            _ => &tables::EXTENSION,
        };
        (locking, single)
    }
}

/// Searches the default table first, because its characters take one septet.
#[inline]
fn find(locking: &Locking, single: &Single, character: char) -> Option<Septets> {
    let plain = locking.septet(character).map(Septets::Default);
    plain.or_else(|| single.septet(character).map(Septets::Extension))
}

impl Septets {
    /// Returns the number of septets: 1 or 2.
    pub const fn count(self) -> usize {
        match self {
            Self::Default(_) => 1,
            Self::Extension(_) => 2,
        }
    }

    /// Returns the septets in transmission order, one per octet.
    pub fn octets(self) -> impl Iterator<Item = u8> {
        let (escape, septet) = match self {
            Self::Default(septet) => (None, septet),
            Self::Extension(septet) => (Some(ESCAPE), septet),
        };
        escape.into_iter().chain([septet])
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    /// All pairs of tables, including languages without their own tables.
    fn shifts() -> Vec<Shifts> {
        let languages = || (0..=4).map(Language);
        languages().flat_map(|locking| languages().map(move |single| Shifts { locking, single })).collect()
    }

    /// All characters of the alphabet, those of the default table first.
    fn alphabet(shifts: Shifts) -> Vec<char> {
        let (locking, _) = shifts.tables();
        let default = (0..128).filter(|&septet| septet != ESCAPE).map(|septet| locking.character(septet));
        default.chain((0..128).filter_map(|septet| shifts.tables().1.character(septet))).collect()
    }

    /// The rows of the specification's tables: table, septet, character.
    fn rows() -> impl Iterator<Item = (&'static str, u8, Option<char>)> {
        include_str!("../../../tests/data/gsm0338.csv").lines().skip(1).map(|line| {
            let mut fields = line.split(',');
            let (table, _, septet, code) =
                (fields.next().unwrap(), fields.next(), fields.next().unwrap(), fields.next().unwrap());
            let septet = u8::from_str_radix(septet.strip_prefix("0x").unwrap(), 16).unwrap();
            let code = code.strip_prefix("U+").map(|code| u32::from_str_radix(code, 16).unwrap());
            (table, septet, code.map(|code| char::from_u32(code).unwrap()))
        })
    }

    #[test]
    fn the_tables_match_the_specification() {
        let of = |table: &str| match table {
            "default" | "default_extension" => (Shifts::NONE, table == "default"),
            "turkish_locking" => (Shifts::locking(Language::TURKISH), true),
            "portuguese_locking" => (Shifts::locking(Language::PORTUGUESE), true),
            "turkish_single" => (Shifts::single(Language::TURKISH), false),
            "spanish_single" => (Shifts::single(Language::SPANISH), false),
            "portuguese_single" => (Shifts::single(Language::PORTUGUESE), false),
            _ => panic!("{table}?"),
        };
        let mut counts = [0; 2];
        for (table, septet, character) in rows() {
            let (shifts, locking) = of(table);
            counts[usize::from(locking)] += 1;
            let octets: &[u8] = if locking { &[septet] } else { &[ESCAPE, septet] };
            let Some(character) = character else {
                assert_eq!(shifts.decode(octets), " ", "{table} {septet:#04X}");
                continue;
            };
            assert_eq!(shifts.decode(octets), String::from(character), "{table} {septet:#04X}");
            let (tables, extension) = shifts.tables();
            let found = if locking { tables.septet(character) } else { extension.septet(character) };
            assert_eq!(found, Some(septet), "{table} {character}");
        }
        assert_eq!(counts, [471 - 3 * 128, 3 * 128]);
        // Septets that the extension table lacks decode with the default table.
        for shifts in shifts() {
            let (locking, single) = shifts.tables();
            for septet in (0..128).filter(|septet| single.character(*septet).is_none()) {
                assert_eq!(shifts.decode(&[ESCAPE, septet]), String::from(locking.character(septet)));
            }
        }
    }

    #[test]
    fn the_default_tables_have_137_distinct_characters() {
        let mut characters = alphabet(Shifts::NONE);
        characters.sort_unstable();
        characters.dedup();
        assert_eq!(characters.len(), 127 + 10);
    }

    #[test]
    fn characters_with_other_codes_than_ascii() {
        let mut octets = Vec::new();
        encode("£$@Ö[]{}€", &mut octets).unwrap();
        assert_eq!(octets, [1, 2, 0, 0x5C, 0x1B, 0x3C, 0x1B, 0x3E, 0x1B, 0x28, 0x1B, 0x29, 0x1B, 0x65],);
        assert_eq!(len("£$@Ö[]{}€"), Some(octets.len()));
    }

    #[test]
    fn national_tables_encode_their_letters() {
        let encode = |shifts: Shifts, text| {
            let mut octets = Vec::new();
            shifts.encode(text, &mut octets).map(|()| octets)
        };
        assert_eq!(encode(Shifts::locking(Language::TURKISH), "ğİ€"), Ok(vec![0x0C, 0x40, 0x04]));
        assert_eq!(encode(Shifts::single(Language::TURKISH), "ğ"), Ok(vec![ESCAPE, 0x67]));
        assert_eq!(encode(Shifts::single(Language::SPANISH), "á"), Ok(vec![ESCAPE, 0x61]));
        assert_eq!(encode(Shifts::both(Language::PORTUGUESE), "ã∞Φ"), Ok(vec![0x7B, 0x15, ESCAPE, 0x12]));
        let error = encode(Shifts::locking(Language::PORTUGUESE), "aΦ");
        assert_eq!(error, Err(Unencodable { character: 'Φ', position: 1 }));
        assert_eq!(
            encode(Shifts::locking(Language::SPANISH), "á").ok(),
            None,
            "Spanish has no locking table"
        );
    }

    #[test]
    fn a_space_is_not_encoded_as_an_escape() {
        for shifts in shifts() {
            assert_eq!(shifts.septets(' '), Some(Septets::Default(0x20)));
        }
    }

    #[test]
    fn an_error_has_the_character_and_the_output_is_unchanged() {
        let mut octets = vec![7];
        let error = encode("fünf 五", &mut octets).unwrap_err();
        assert_eq!(error, Unencodable { character: '五', position: 6 });
        assert_eq!(octets, [7]);
        assert_eq!(len("fünf 五"), None);
        assert_eq!(septets('ç'), None, "the table has only the capital");
    }

    #[test]
    fn decoding_never_fails() {
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

    #[test]
    fn plain_text_is_its_own_septets() {
        for octet in 0..=u8::MAX {
            for (at, length) in (8..20).flat_map(|length| (0..length).map(move |at| (at, length))) {
                let mut text = b"Your code is 123456.".to_vec();
                text.truncate(length);
                text[at] = octet;
                let is_expected =
                    octet.is_ascii_alphabetic() || (b' '..=b'?').contains(&octet) && octet != b'$';
                assert_eq!(is_plain(&text), is_expected, "{octet:02X} at {at} of {length}");
                if is_expected {
                    let mut octets = Vec::new();
                    encode(core::str::from_utf8(&text).unwrap(), &mut octets).unwrap();
                    assert_eq!(octets, text);
                }
            }
        }
        assert!(!is_plain(b"1234567"), "it is too short");
    }

    proptest! {
        #[test]
        fn encoded_text_decodes_to_itself(
            (shifts, text) in prop::sample::select(shifts()).prop_flat_map(|shifts| {
                (Just(shifts), prop::collection::vec(prop::sample::select(alphabet(shifts)), 0..300))
            }),
        ) {
            let text: String = text.into_iter().collect();
            let mut octets = Vec::new();
            shifts.encode(&text, &mut octets).unwrap();
            prop_assert_eq!(shifts.len(&text), Some(octets.len()));
            prop_assert_eq!(shifts.decode(&octets), text);
        }

        #[test]
        fn encode_and_len_agree_on_any_text(text in any::<String>(), shifts in prop::sample::select(shifts())) {
            let mut octets = Vec::new();
            prop_assert_eq!(shifts.encode(&text, &mut octets).is_ok(), shifts.len(&text).is_some());
        }

        #[test]
        fn any_octets_decode(octets in any::<Vec<u8>>(), shifts in prop::sample::select(shifts())) {
            prop_assert!(shifts.decode(&octets).chars().count() <= octets.len());
        }
    }
}
