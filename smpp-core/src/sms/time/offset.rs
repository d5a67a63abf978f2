//! The offset of local time from UTC.

use core::fmt;

use super::error::{TimeError, check};

/// The offset of local time from UTC: -48 to 48 quarters of an hour (SMPP 3.4 §7.1.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcOffset(i8);

impl UtcOffset {
    /// UTC itself: no offset.
    pub const UTC: Self = Self(0);

    /// Creates an offset of `quarters` of an hour ahead of UTC: `32` is Singapore, `22` is India, `-20` is New York in
    /// winter.
    ///
    /// # Errors
    ///
    /// [`TimeError::Range`] unless it is -48 to 48.
    pub const fn from_quarters(quarters: i8) -> Result<Self, TimeError> {
        match check("offset", quarters as i64, -48, 48) {
            Ok(()) => Ok(Self(quarters)),
            Err(error) => Err(error),
        }
    }

    /// Returns the quarters of an hour ahead of UTC, -48 to 48.
    pub const fn quarters(self) -> i8 {
        self.0
    }

    /// Returns the minutes ahead of UTC.
    pub(super) fn minutes(self) -> i64 {
        15 * i64::from(self.0)
    }
}

/// Formats as ISO 8601: `+01:00`.
impl fmt::Display for UtcOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { '-' } else { '+' };
        let quarters = self.0.unsigned_abs();
        write!(f, "{sign}{:02}:{:02}", quarters / 4, quarters % 4 * 15)
    }
}
