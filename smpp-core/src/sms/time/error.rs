//! The error of a time that is not valid.

use core::fmt;

/// Why there is no such time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeError {
    /// Not sixteen characters.
    Length {
        /// Characters given.
        length: usize,
    },
    /// A character that is no digit, or a last one that is none of `+`, `-` and `R`.
    Character {
        /// Where it is, from 0.
        at: usize,
    },
    /// A number that its field does not have. The days of an absolute time end with the month.
    Range {
        /// Which one: `year`, `month`, `day`, `hour`, `minute`, `second`, `tenths`, `offset`, or a span's `years`,
        /// `months`, `days`, `hours`, `minutes`, `seconds`.
        field: &'static str,
        /// The number.
        value: i64,
        /// The least that the field takes.
        least: i64,
        /// The most that the field takes.
        most: i64,
    },
}

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { length } => write!(f, "{length} characters where a time has 16"),
            Self::Character { at } => write!(f, "the character at octet {at} does not belong in a time"),
            Self::Range { field, value, least, most } => {
                write!(f, "{field} {value} where {least} to {most} are possible")
            }
        }
    }
}

impl core::error::Error for TimeError {}

/// `value`, if it is between `least` and `most`.
pub(super) const fn check(field: &'static str, value: i64, least: i64, most: i64) -> Result<(), TimeError> {
    if least <= value && value <= most { Ok(()) } else { Err(TimeError::Range { field, value, least, most }) }
}
