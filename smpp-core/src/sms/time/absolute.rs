//! A point in local time with its offset from UTC.

use core::fmt;

use super::civil::{LocalTime, UnixTime};
use super::error::{TimeError, check};
use super::format::TimeText;
use super::offset::UtcOffset;

/// An absolute time, `YYMMDDhhmmsstnn+` or `YYMMDDhhmmsstnn-`: local time of the years 2000 to 2099 with its offset
/// from UTC (SMPP 3.4 §7.1.1.1).
///
/// The format has no century: years are 2000 to 2099.
///
/// ```
/// use smpp_proto::sms::time::{AbsoluteTime, LocalTime, UnixTime, UtcOffset};
/// let singapore = UtcOffset::from_quarters(8 * 4)?;
/// let time = AbsoluteTime::new(LocalTime::new(2026, 11, 23, 9, 2, 3)?, singapore)?;
/// assert_eq!(time.to_unix(), UnixTime::from_secs(1_795_395_723));
/// assert_eq!(time.encode().to_string(), "261123090203032+");
/// # Ok::<(), smpp_proto::sms::time::TimeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AbsoluteTime {
    local: LocalTime,
    offset: UtcOffset,
}

impl AbsoluteTime {
    /// Creates a time from the local time and its offset from UTC.
    ///
    /// # Errors
    ///
    /// [`TimeError::Range`] unless the year is 2000 to 2099.
    pub fn new(local: LocalTime, offset: UtcOffset) -> Result<Self, TimeError> {
        check("year", local.year().into(), 2000, 2099)?;
        Ok(Self { local, offset })
    }

    /// Converts a moment to local time with this offset from UTC. Fractions below a tenth of a second are dropped.
    ///
    /// # Errors
    ///
    /// [`TimeError::Range`] if the local year is not 2000 to 2099.
    pub fn from_unix(time: UnixTime, offset: UtcOffset) -> Result<Self, TimeError> {
        Self::new(LocalTime::from_unix(time, offset)?, offset)
    }

    pub(super) fn of(pairs: [u8; 6], tenths: u8, quarters: i8) -> Result<Self, TimeError> {
        let [year, month, day, hour, minute, second] = pairs;
        let local = LocalTime::new(2000 + u16::from(year), month, day, hour, minute, second)?;
        Self::new(local.with_tenths(tenths)?, UtcOffset::from_quarters(quarters)?)
    }

    /// Returns the local time.
    pub const fn local(self) -> LocalTime {
        self.local
    }

    /// Returns the offset of the local time from UTC.
    pub const fn offset(self) -> UtcOffset {
        self.offset
    }

    /// Returns the moment in UTC.
    #[must_use]
    pub fn to_unix(self) -> UnixTime {
        self.local.to_unix(self.offset)
    }

    /// Encodes the time for a PDU field. An offset of zero becomes `00+`.
    pub fn encode(self) -> TimeText {
        let Self { local, offset } = self;
        let year = (local.year() - 2000) as u8;
        let pairs = [year, local.month(), local.day(), local.hour(), local.minute(), local.second()];
        let end = if offset.quarters() < 0 { b'-' } else { b'+' };
        TimeText::new(pairs, local.tenths(), offset.quarters().unsigned_abs(), end)
    }
}

/// Formats as ISO 8601: `2026-12-24T18:00:00+01:00`.
impl fmt::Display for AbsoluteTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.local, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn utc_is_local_time_minus_the_offset() {
        let noon = LocalTime::new(2026, 6, 1, 12, 0, 0).unwrap();
        for (quarters, utc, iso, text) in [
            (0, "2026-06-01T12:00:00", "2026-06-01T12:00:00+00:00", "260601120000000+"),
            (4, "2026-06-01T11:00:00", "2026-06-01T12:00:00+01:00", "260601120000004+"),
            (23, "2026-06-01T06:15:00", "2026-06-01T12:00:00+05:45", "260601120000023+"),
            (-14, "2026-06-01T15:30:00", "2026-06-01T12:00:00-03:30", "260601120000014-"),
            (48, "2026-06-01T00:00:00", "2026-06-01T12:00:00+12:00", "260601120000048+"),
            (-48, "2026-06-02T00:00:00", "2026-06-01T12:00:00-12:00", "260601120000048-"),
        ] {
            let offset = UtcOffset::from_quarters(quarters).unwrap();
            let time = AbsoluteTime::new(noon, offset).unwrap();
            let shown = LocalTime::from_unix(time.to_unix(), UtcOffset::UTC).unwrap();
            assert_eq!((shown.to_string().as_str(), time.to_string().as_str()), (utc, iso));
            assert_eq!(time.encode().to_string(), text);
            assert_eq!((time.local(), time.offset().quarters()), (noon, quarters));
        }
    }

    #[test]
    fn the_year_is_checked_in_local_time() {
        let (first, last) = (UnixTime::from_secs(946_684_800), UnixTime::from_secs(4_102_444_799));
        let [behind, ahead] = [-1, 1].map(|quarters| UtcOffset::from_quarters(quarters).unwrap());
        let year = |value| Err(TimeError::Range { field: "year", value, min: 2000, max: 2099 });
        assert_eq!(AbsoluteTime::from_unix(first, behind), year(1999));
        assert_eq!(AbsoluteTime::from_unix(last, ahead), year(2100));
        let text = |time, offset| AbsoluteTime::from_unix(time, offset).unwrap().encode().to_string();
        assert_eq!(text(first, UtcOffset::UTC), "000101000000000+");
        assert_eq!(text(last, behind), "991231234459001-");
    }

    #[test]
    fn an_offset_is_at_most_twelve_hours() {
        for quarters in [-128, -49, 49, 127] {
            let error = TimeError::Range { field: "offset", value: quarters.into(), min: -48, max: 48 };
            assert_eq!(UtcOffset::from_quarters(quarters), Err(error));
        }
    }

    proptest! {
        #[test]
        fn a_moment_is_the_same_with_every_offset(tenths in 9_466_848_000_i64..41_024_448_000) {
            let moment = UnixTime::from_millis(tenths * 100);
            for quarters in -48..=48 {
                let offset = UtcOffset::from_quarters(quarters).unwrap();
                if let Ok(time) = AbsoluteTime::from_unix(moment, offset) {
                    prop_assert_eq!(time.to_unix(), moment);
                } else {
                    let edge = 12 * 60 * 60 * 10;
                    prop_assert!(!(9_466_848_000 + edge..41_024_448_000 - edge).contains(&tenths));
                }
            }
        }
    }
}
