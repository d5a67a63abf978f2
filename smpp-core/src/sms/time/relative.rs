//! A span from the current time of the SMSC.

use core::fmt;
use core::time::Duration;

use super::civil::{DAY, UnixTime, add};
use super::error::{TimeError, check};
use super::format::TimeText;

/// A relative time, `YYMMDDhhmmss000R`: a span from the current time of the SMSC (SMPP 3.4 §7.1.1.2).
///
/// Each field has its own limit, without carry into the next: a span can be 31 days or one month, but not 32 days. The
/// SMSC may shorten a span that exceeds its maximum.
///
/// ```
/// use core::time::Duration;
/// use smpp_proto::sms::time::RelativeTime;
/// let three_days = RelativeTime::from_duration(Duration::from_secs(3 * 24 * 60 * 60))?;
/// let half_a_year = RelativeTime::new(0, 6, 0, 0, 0, 0)?;
/// assert_eq!(three_days.encode().to_string(), "000003000000000R");
/// assert_eq!(half_a_year.encode().to_string(), "000600000000000R");
/// # Ok::<(), smpp_proto::sms::time::TimeError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RelativeTime {
    years: u8,
    months: u8,
    days: u8,
    hours: u8,
    minutes: u8,
    seconds: u8,
}

impl RelativeTime {
    /// An empty span.
    pub const ZERO: Self = Self { years: 0, months: 0, days: 0, hours: 0, minutes: 0, seconds: 0 };

    /// Creates a span of up to 99 years, 12 months, 31 days, 23 hours, 59 minutes and 59 seconds.
    ///
    /// # Errors
    ///
    /// [`TimeError::Range`] if a number exceeds its limit.
    pub fn new(
        years: u8,
        months: u8,
        days: u8,
        hours: u8,
        minutes: u8,
        seconds: u8,
    ) -> Result<Self, TimeError> {
        check("years", years.into(), 0, 99)?;
        check("months", months.into(), 0, 12)?;
        check("days", days.into(), 0, 31)?;
        check("hours", hours.into(), 0, 23)?;
        check("minutes", minutes.into(), 0, 59)?;
        check("seconds", seconds.into(), 0, 59)?;
        Ok(Self { years, months, days, hours, minutes, seconds })
    }

    /// Converts a duration to days, hours, minutes and seconds. It is rounded up to a whole second, so that a message
    /// does not expire early.
    ///
    /// # Errors
    ///
    /// [`TimeError::Range`] for 32 days and more. Longer spans need months and years, whose length depends on the
    /// start: use [`new`](Self::new) or an [`AbsoluteTime`](super::AbsoluteTime).
    pub fn from_duration(duration: Duration) -> Result<Self, TimeError> {
        let seconds = duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0));
        let days = seconds / (24 * 60 * 60);
        check("days", days.cast_signed(), 0, 31)?;
        Ok(Self {
            days: days as u8,
            hours: (seconds / (60 * 60) % 24) as u8,
            minutes: (seconds / 60 % 60) as u8,
            seconds: (seconds % 60) as u8,
            ..Self::ZERO
        })
    }

    pub(super) fn of(pairs: [u8; 6]) -> Result<Self, TimeError> {
        let [years, months, days, hours, minutes, seconds] = pairs;
        Self::new(years, months, days, hours, minutes, seconds)
    }

    /// Returns the end of a span that begins at `now`, computed in UTC.
    ///
    /// Years and months are added first: the result is the same day of another month, or the last day of that month if
    /// it is shorter. Days, hours, minutes and seconds are added afterwards: one month and one day after 30 January is
    /// 1 March.
    #[must_use]
    pub fn after(self, now: UnixTime) -> UnixTime {
        let months = 12 * i64::from(self.years) + i64::from(self.months);
        let minutes = 60 * i64::from(self.hours) + i64::from(self.minutes);
        let seconds = 60 * minutes + i64::from(self.seconds);
        add(now, months, DAY * i64::from(self.days) + 1_000 * seconds)
    }

    /// Returns the years, 0 to 99.
    pub const fn years(self) -> u8 {
        self.years
    }

    /// Returns the months, 0 to 12.
    pub const fn months(self) -> u8 {
        self.months
    }

    /// Returns the days, 0 to 31.
    pub const fn days(self) -> u8 {
        self.days
    }

    /// Returns the hours, 0 to 23.
    pub const fn hours(self) -> u8 {
        self.hours
    }

    /// Returns the minutes, 0 to 59.
    pub const fn minutes(self) -> u8 {
        self.minutes
    }

    /// Returns the seconds, 0 to 59.
    pub const fn seconds(self) -> u8 {
        self.seconds
    }

    /// Encodes the span for a PDU field.
    pub fn encode(self) -> TimeText {
        let Self { years, months, days, hours, minutes, seconds } = self;
        TimeText::new([years, months, days, hours, minutes, seconds], 0, 0, b'R')
    }
}

/// Formats as ISO 8601 with all fields: `P2Y6M10DT23H34M29S`.
impl fmt::Display for RelativeTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { years, months, days, hours, minutes, seconds } = self;
        write!(f, "P{years}Y{months}M{days}DT{hours}H{minutes}M{seconds}S")
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::super::{LocalTime, UtcOffset};
    use super::*;

    const HOUR: u64 = 60 * 60;

    fn utc(year: u16, month: u8, day: u8, hour: u8) -> UnixTime {
        LocalTime::new(year, month, day, hour, 0, 0).unwrap().to_unix(UtcOffset::UTC)
    }

    #[test]
    fn a_duration_becomes_days_to_seconds() {
        for (duration, text) in [
            (Duration::ZERO, "000000000000000R"),
            (Duration::from_nanos(1), "000000000001000R"),
            (Duration::from_millis(59_001), "000000000100000R"),
            (Duration::from_secs(26 * HOUR + 61), "000001020101000R"),
            (Duration::from_secs(32 * 24 * HOUR - 1), "000031235959000R"),
        ] {
            assert_eq!(RelativeTime::from_duration(duration).unwrap().encode().to_string(), text);
        }
        let days = |value| Err(TimeError::Range { field: "days", value, min: 0, max: 31 });
        assert_eq!(RelativeTime::from_duration(Duration::from_secs(32 * 24 * HOUR)), days(32));
        let over = Duration::from_secs(32 * 24 * HOUR - 1) + Duration::from_nanos(1);
        assert_eq!(RelativeTime::from_duration(over), days(32));
        assert_eq!(RelativeTime::from_duration(Duration::MAX), days((u64::MAX / (24 * HOUR)).cast_signed()));
    }

    #[test]
    fn each_field_has_its_limit() {
        let longest = RelativeTime::new(99, 12, 31, 23, 59, 59).unwrap();
        assert_eq!(longest.to_string(), "P99Y12M31DT23H59M59S");
        assert_eq!((longest.years(), longest.months(), longest.days()), (99, 12, 31));
        assert_eq!((longest.hours(), longest.minutes(), longest.seconds()), (23, 59, 59));
        let range = |field, value, max| Err(TimeError::Range { field, value, min: 0, max });
        for (span, error) in [
            (RelativeTime::new(100, 0, 0, 0, 0, 0), range("years", 100, 99)),
            (RelativeTime::new(0, 13, 0, 0, 0, 0), range("months", 13, 12)),
            (RelativeTime::new(0, 0, 32, 0, 0, 0), range("days", 32, 31)),
            (RelativeTime::new(0, 0, 0, 24, 0, 0), range("hours", 24, 23)),
            (RelativeTime::new(0, 0, 0, 0, 60, 0), range("minutes", 60, 59)),
            (RelativeTime::new(0, 0, 0, 0, 0, 60), range("seconds", 60, 59)),
        ] {
            assert_eq!(span, error);
        }
    }

    #[test]
    fn adding_months_keeps_the_day_or_uses_the_last_one() {
        for (now, span, then) in [
            ((2026, 1, 15, 6), (0, 1, 0), (2026, 2, 15, 6)),
            ((2026, 1, 31, 6), (0, 1, 0), (2026, 2, 28, 6)),
            ((2028, 1, 31, 6), (0, 1, 0), (2028, 2, 29, 6)),
            ((2028, 2, 29, 6), (1, 0, 0), (2029, 2, 28, 6)),
            ((2028, 2, 29, 6), (4, 0, 0), (2032, 2, 29, 6)),
            ((2026, 3, 31, 6), (0, 8, 0), (2026, 11, 30, 6)),
            ((2026, 12, 31, 6), (0, 12, 0), (2027, 12, 31, 6)),
            ((2026, 12, 1, 6), (0, 1, 0), (2027, 1, 1, 6)),
            // Years and months are added before days.
            ((2026, 1, 30, 6), (0, 1, 1), (2026, 3, 1, 6)),
            ((2026, 12, 31, 6), (0, 0, 31), (2027, 1, 31, 6)),
            ((2099, 12, 31, 6), (99, 12, 31), (2200, 1, 31, 6)),
        ] {
            let (years, months, days) = span;
            let (year, month, day, hour) = now;
            let ends =
                RelativeTime::new(years, months, days, 0, 0, 0).unwrap().after(utc(year, month, day, hour));
            let (year, month, day, hour) = then;
            assert_eq!(ends, utc(year, month, day, hour), "{now:?} and {span:?}");
        }
    }

    #[test]
    fn the_result_saturates() {
        let longest = RelativeTime::new(99, 12, 31, 23, 59, 59).unwrap();
        assert_eq!(longest.after(UnixTime::from_millis(i64::MAX)), UnixTime::from_millis(i64::MAX));
        assert!(longest.after(UnixTime::from_millis(i64::MIN)) > UnixTime::from_millis(i64::MIN));
    }

    proptest! {
        #[test]
        fn a_span_of_a_duration_is_as_long(now in -(1_i64 << 45)..1 << 45, millis in 0..32 * 24 * HOUR * 1_000 - 999) {
            let span = RelativeTime::from_duration(Duration::from_millis(millis)).unwrap();
            let lasted = span.after(UnixTime::from_millis(now)).as_millis() - now;
            prop_assert_eq!(lasted, millis.next_multiple_of(1_000).cast_signed());
        }
    }
}
