//! The error for a character that an alphabet lacks.

use core::fmt;

/// The error when an alphabet lacks a character of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unencodable {
    /// The first character that the alphabet lacks.
    pub character: char,
    /// The position of the character: bytes from the start of the text.
    pub position: usize,
}

impl fmt::Display for Unencodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { character, position } = self;
        write!(f, "the alphabet lacks the character {character:?} at byte {position} of the text")
    }
}

impl core::error::Error for Unencodable {}
