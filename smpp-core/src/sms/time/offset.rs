//! The distance of local time from UTC.

use core::fmt;

use super::error::{TimeError, check};

/// How far local time is ahead of UTC: quarters of an hour, -48 to 48 (SMPP 3.4 §7.1.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcOffset(i8);

impl UtcOffset {
    /// UTC itself.
    pub const UTC: Self = Self(0);

    /// So many quarters of an hour ahead of UTC, -48 to 48: `32` is Singapore, `22` is India, `-20` is New York in
    /// winter.
    pub const fn from_quarters(quarters: i8) -> Result<Self, TimeError> {
        match check("offset", quarters as i64, -48, 48) {
            Ok(()) => Ok(Self(quarters)),
            Err(error) => Err(error),
        }
    }

    /// Quarters of an hour ahead of UTC, -48 to 48.
    pub const fn quarters(self) -> i8 {
        self.0
    }

    /// Minutes ahead of UTC.
    pub(super) fn minutes(self) -> i64 {
        15 * i64::from(self.0)
    }
}

/// As ISO 8601: `+01:00`.
impl fmt::Display for UtcOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { '-' } else { '+' };
        let quarters = self.0.unsigned_abs();
        write!(f, "{sign}{:02}:{:02}", quarters / 4, quarters % 4 * 15)
    }
}
