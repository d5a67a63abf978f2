//! The error of encoding: a character that an alphabet lacks.

use core::fmt;

/// A character that the alphabet lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unencodable {
    /// The first such character of the text.
    pub character: char,
    /// Bytes from the start of the text to the character.
    pub position: usize,
}

impl fmt::Display for Unencodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { character, position } = self;
        write!(f, "{character:?} at byte {position} is not in the alphabet")
    }
}

impl core::error::Error for Unencodable {}
