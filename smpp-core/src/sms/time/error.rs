//! The error of an invalid time.

use core::fmt;

/// Why a time is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeError {
    /// The text does not have sixteen characters.
    Length {
        /// The number of characters.
        length: usize,
    },
    /// A character is not a digit, or the last character is not `+`, `-` or `R`.
    Character {
        /// The index of the character, from 0.
        index: usize,
    },
    /// A number is out of the range of its field. The maximum day of an absolute time depends on the month.
    Range {
        /// The field: `year`, `month`, `day`, `hour`, `minute`, `second`, `tenths`, `offset`, or for a relative time
        /// `years`, `months`, `days`, `hours`, `minutes`, `seconds`.
        field: &'static str,
        /// The number.
        value: i64,
        /// The minimum of the field.
        min: i64,
        /// The maximum of the field.
        max: i64,
    },
}

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { length } => write!(f, "a time has 16 characters, not {length}"),
            Self::Character { index } => write!(f, "the character at index {index} is not valid in a time"),
            Self::Range { field, value, min, max } => {
                write!(f, "the {field} of the time is {value}, but must be {min} to {max}")
            }
        }
    }
}

impl core::error::Error for TimeError {}

/// Checks that `value` is between `min` and `max`.
pub(super) const fn check(field: &'static str, value: i64, min: i64, max: i64) -> Result<(), TimeError> {
    if min <= value && value <= max { Ok(()) } else { Err(TimeError::Range { field, value, min, max }) }
}
