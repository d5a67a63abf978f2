//! The tables (3GPP TS 23.038 §6.2.1, annex A), each with its reverse table.

/// The septet that selects the extension table for the next septet.
pub(super) const ESCAPE: u8 = 0x1B;

/// The reverse tables are indexed by characters below this. All letters of the national tables are below; Greek
/// capitals, the euro sign and infinity are above.
const DIRECT: usize = 0x180;

/// The most characters of a table that are not below [`DIRECT`].
const HIGH: usize = 11;

/// Marks a character without a septet.
const NONE: u8 = 0xFF;

/// The septets of the characters below [`DIRECT`].
struct Reverse([u8; DIRECT]);

/// A table of 128 characters: the default table, or one that a locking shift selects.
pub(super) struct Locking {
    characters: &'static [char; 128],
    reverse: Reverse,
    /// The characters that are not below [`DIRECT`], with their septets.
    high: [(char, u8); HIGH],
    /// Whether a septet equals the ASCII octet of its character.
    ascii: [bool; 256],
}

/// A table for one septet after an escape: the extension table, or one that a single shift selects.
pub(super) struct Single {
    entries: &'static [(u8, char)],
    reverse: Reverse,
}

#[expect(clippy::indexing_slicing, reason = "runs in the compiler, where a bad index is an error")]
impl Reverse {
    const fn with(mut self, septet: u8, character: char) -> Self {
        if (character as usize) < DIRECT {
            self.0[character as usize] = septet;
        }
        self
    }
}

impl Reverse {
    const EMPTY: Self = Self([NONE; DIRECT]);

    /// Returns the septet of a character; `search` finds characters that are not below [`DIRECT`].
    #[inline]
    fn septet(&self, character: char, search: impl FnOnce() -> Option<u8>) -> Option<u8> {
        match self.0.get(character as usize) {
            Some(&NONE) => None,
            Some(&septet) => Some(septet),
            None => search(),
        }
    }
}

#[expect(clippy::indexing_slicing, reason = "runs in the compiler, where a bad index is an error")]
impl Locking {
    const fn new(characters: &'static [char; 128]) -> Self {
        let (mut reverse, mut ascii) = (Reverse::EMPTY, [false; 256]);
        let (mut high, mut highs) = ([('\0', 0); HIGH], 0);
        let mut septet = 0;
        while septet < characters.len() {
            if septet != ESCAPE as usize {
                reverse = reverse.with(septet as u8, characters[septet]);
                ascii[septet] = characters[septet] as usize == septet;
                if characters[septet] as usize >= DIRECT {
                    high[highs] = (characters[septet], septet as u8);
                    highs += 1;
                }
            }
            septet += 1;
        }
        Self { characters, reverse, high, ascii }
    }
}

impl Locking {
    /// An octet above `0x7F` is no septet and shows as U+FFFD.
    #[inline]
    pub(super) fn character(&self, septet: u8) -> char {
        self.characters.get(usize::from(septet)).copied().unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    #[inline]
    pub(super) fn septet(&self, character: char) -> Option<u8> {
        self.reverse.septet(character, || self.search(character))
    }

    /// Whether the octet is a septet and the ASCII octet of its character.
    #[inline]
    pub(super) fn is_ascii(&self, octet: u8) -> bool {
        self.ascii.get(usize::from(octet)) == Some(&true)
    }

    /// Returns how many of the first octets are the septets of their characters: at most `limit`.
    #[inline]
    pub(super) fn ascii_run(&self, text: &str, limit: usize) -> usize {
        let octets = text.as_bytes();
        let octets = octets.get(..limit).unwrap_or(octets);
        // Eight at a time, without a branch for each.
        let all_ascii = |octets: &[u8; 8]| octets.iter().fold(true, |all, octet| all & self.is_ascii(*octet));
        let (blocks, _) = octets.as_chunks();
        let run = 8 * blocks.iter().position(|block| !all_ascii(block)).unwrap_or(blocks.len());
        let rest = octets.get(run..).unwrap_or_default();
        run + rest.iter().position(|&octet| !self.is_ascii(octet)).unwrap_or(rest.len())
    }

    #[cold]
    fn search(&self, character: char) -> Option<u8> {
        self.high.iter().find(|(known, _)| *known == character).map(|(_, septet)| *septet)
    }
}

#[expect(clippy::indexing_slicing, reason = "runs in the compiler, where a bad index is an error")]
impl Single {
    const fn new(entries: &'static [(u8, char)]) -> Self {
        let mut reverse = Reverse::EMPTY;
        let mut entry = 0;
        while entry < entries.len() {
            reverse = reverse.with(entries[entry].0, entries[entry].1);
            entry += 1;
        }
        Self { entries, reverse }
    }
}

impl Single {
    pub(super) fn character(&self, septet: u8) -> Option<char> {
        self.entries.iter().find(|entry| entry.0 == septet).map(|entry| entry.1)
    }

    #[inline]
    pub(super) fn septet(&self, character: char) -> Option<u8> {
        self.reverse.septet(character, || self.search(character))
    }

    #[cold]
    fn search(&self, character: char) -> Option<u8> {
        self.entries.iter().find(|entry| entry.1 == character).map(|entry| entry.0)
    }
}

/// The default table (3GPP TS 23.038 §6.2.1). The escape has no character: it shows as a space.
#[rustfmt::skip]
pub(super) static DEFAULT: Locking = Locking::new(&[
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å',
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', ' ', 'Æ', 'æ', 'ß', 'É',
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§',
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
]);

/// Turkish (3GPP TS 23.038 §A.3.1).
#[rustfmt::skip]
pub(super) static TURKISH_LOCKING: Locking = Locking::new(&[
    '@', '£', '$', '¥', '€', 'é', 'ù', 'ı', 'ò', 'Ç', '\n', 'Ğ', 'ğ', '\r', 'Å', 'å',
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', ' ', 'Ş', 'ş', 'ß', 'É',
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
    'İ', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§',
    'ç', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
]);

/// Portuguese (3GPP TS 23.038 §A.3.3).
#[rustfmt::skip]
pub(super) static PORTUGUESE_LOCKING: Locking = Locking::new(&[
    '@', '£', '$', '¥', 'ê', 'é', 'ú', 'í', 'ó', 'ç', '\n', 'Ô', 'ô', '\r', 'Á', 'á',
    'Δ', '_', 'ª', 'Ç', 'À', '∞', '^', '\\', '€', 'Ó', '|', ' ', 'Â', 'â', 'Ê', 'É',
    ' ', '!', '"', '#', 'º', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
    'Í', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ã', 'Õ', 'Ú', 'Ü', '§',
    '~', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ã', 'õ', '`', 'ü', 'à',
]);

/// The extension table (3GPP TS 23.038 §6.2.1.1).
#[rustfmt::skip]
pub(super) static EXTENSION: Single = Single::new(&[
    (0x0A, '\u{0C}'), (0x14, '^'), (0x28, '{'), (0x29, '}'), (0x2F, '\\'), (0x3C, '['),
    (0x3D, '~'), (0x3E, ']'), (0x40, '|'), (0x65, '€'),
]);

/// Turkish (3GPP TS 23.038 §A.2.1).
#[rustfmt::skip]
pub(super) static TURKISH_SINGLE: Single = Single::new(&[
    (0x0A, '\u{0C}'), (0x14, '^'), (0x28, '{'), (0x29, '}'), (0x2F, '\\'), (0x3C, '['),
    (0x3D, '~'), (0x3E, ']'), (0x40, '|'), (0x47, 'Ğ'), (0x49, 'İ'), (0x53, 'Ş'),
    (0x63, 'ç'), (0x65, '€'), (0x67, 'ğ'), (0x69, 'ı'), (0x73, 'ş'),
]);

/// Spanish (3GPP TS 23.038 §A.2.2).
#[rustfmt::skip]
pub(super) static SPANISH_SINGLE: Single = Single::new(&[
    (0x09, 'ç'), (0x0A, '\u{0C}'), (0x14, '^'), (0x28, '{'), (0x29, '}'), (0x2F, '\\'),
    (0x3C, '['), (0x3D, '~'), (0x3E, ']'), (0x40, '|'), (0x41, 'Á'), (0x49, 'Í'),
    (0x4F, 'Ó'), (0x55, 'Ú'), (0x61, 'á'), (0x65, '€'), (0x69, 'í'), (0x6F, 'ó'),
    (0x75, 'ú'),
]);

/// Portuguese (3GPP TS 23.038 §A.2.3).
#[rustfmt::skip]
pub(super) static PORTUGUESE_SINGLE: Single = Single::new(&[
    (0x05, 'ê'), (0x09, 'ç'), (0x0A, '\u{0C}'), (0x0B, 'Ô'), (0x0C, 'ô'), (0x0E, 'Á'),
    (0x0F, 'á'), (0x12, 'Φ'), (0x13, 'Γ'), (0x14, '^'), (0x15, 'Ω'), (0x16, 'Π'),
    (0x17, 'Ψ'), (0x18, 'Σ'), (0x19, 'Θ'), (0x1F, 'Ê'), (0x28, '{'), (0x29, '}'),
    (0x2F, '\\'), (0x3C, '['), (0x3D, '~'), (0x3E, ']'), (0x40, '|'), (0x41, 'À'),
    (0x49, 'Í'), (0x4F, 'Ó'), (0x55, 'Ú'), (0x5B, 'Ã'), (0x5C, 'Õ'), (0x61, 'Â'),
    (0x65, '€'), (0x69, 'í'), (0x6F, 'ó'), (0x75, 'ú'), (0x7B, 'ã'), (0x7C, 'õ'),
    (0x7F, 'â'),
]);
