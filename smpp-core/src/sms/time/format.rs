//! The sixteen characters of a time on the wire.

use core::fmt;

use crate::wire::Time;

/// An encoded time: the sixteen characters `YYMMDDhhmmsstnnp`. [`as_time`](Self::as_time) returns it for a PDU field.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeText([u8; 16]);

impl TimeText {
    /// Formats the numbers of two digits, the tenths, the quarters of an hour and the last character. Each number must
    /// fit its digits.
    pub(super) fn new(pairs: [u8; 6], tenths: u8, quarters: u8, end: u8) -> Self {
        let pairs = pairs.into_iter().flat_map(|pair| [pair / 10, pair % 10]);
        let digits = pairs.chain([tenths, quarters / 10, quarters % 10]);
        let mut text = [end; 16];
        text.iter_mut().zip(digits).for_each(|(character, digit)| *character = b'0' + digit);
        Self(text)
    }

    /// Returns the time for a field of a PDU.
    pub const fn as_time(&self) -> Time<'_> {
        Time::encoded(&self.0)
    }
}

impl<'a> From<&'a TimeText> for Time<'a> {
    fn from(text: &'a TimeText) -> Self {
        text.as_time()
    }
}

impl fmt::Debug for TimeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_time().fmt(f)
    }
}

impl fmt::Display for TimeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_time(), f)
    }
}

/// Parses six pairs of decimal digits.
pub(super) fn two_digits(digits: &[u8; 12]) -> [u8; 6] {
    let mut pairs = [0; 6];
    pairs.iter_mut().zip(digits.chunks(2)).for_each(|(pair, digits)| *pair = number(digits));
    pairs
}

/// Parses one or two decimal digits.
pub(super) fn number(digits: &[u8]) -> u8 {
    digits.iter().fold(0, |number, digit| number * 10 + (digit - b'0'))
}
