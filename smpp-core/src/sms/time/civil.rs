//! Calendar and clock: conversion between dates and days, without a time zone.

use core::fmt;
use core::time::Duration;

use super::error::{TimeError, check};
use super::offset::UtcOffset;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// A moment: milliseconds since 1970-01-01T00:00:00 UTC, without leap seconds.
///
/// The features `time`, `chrono` and `jiff` convert it from and to the types of those crates. With `std`, get the
/// current time like this:
///
/// ```
/// use std::time::SystemTime;
/// use smpp_proto::sms::time::UnixTime;
/// let now = UnixTime::from_duration(SystemTime::UNIX_EPOCH.elapsed()?);
/// # assert!(now > UnixTime::EPOCH);
/// # Ok::<(), std::time::SystemTimeError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub(super) i64);

/// A date and time of day without a time zone, to the tenth of a second: years 1 to 9999 of the Gregorian calendar.
///
/// [`to_unix`](Self::to_unix) needs the offset from UTC.
///
/// ```
/// use smpp_proto::sms::time::{LocalTime, UnixTime, UtcOffset};
/// let time = LocalTime::new(2026, 11, 23, 1, 2, 3)?;
/// assert_eq!(time.to_unix(UtcOffset::UTC), UnixTime::from_secs(1_795_395_723));
/// assert_eq!(time.to_string(), "2026-11-23T01:02:03");
/// assert!(LocalTime::new(2026, 4, 31, 0, 0, 0).is_err(), "April has 30 days");
/// # Ok::<(), smpp_proto::sms::time::TimeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalTime {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    tenths: u8,
}

impl UnixTime {
    /// 1970-01-01T00:00:00 UTC.
    pub const EPOCH: Self = Self(0);

    /// Creates a moment from seconds since the epoch, negative before it. Saturates at 292 million years.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(SECOND))
    }

    /// Creates a moment from milliseconds since the epoch, negative before it.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Creates a moment from the time since the epoch, in whole milliseconds. Saturates at 292 million years.
    pub fn from_duration(since_epoch: Duration) -> Self {
        Self(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }

    /// Returns whole seconds since the epoch, rounded down: -1 is the second before it.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(SECOND)
    }

    /// Returns milliseconds since the epoch, negative before it.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Returns the time since the epoch; `None` before it.
    pub fn to_duration(self) -> Option<Duration> {
        u64::try_from(self.0).ok().map(Duration::from_millis)
    }
}

impl LocalTime {
    /// Creates a local time: year 1 to 9999, month 1 to 12, a day of that month, hour 0 to 23, minute and second 0 to
    /// 59.
    ///
    /// # Errors
    ///
    /// [`TimeError::Range`] for any other number.
    pub fn new(year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> Result<Self, TimeError> {
        check("year", year.into(), 1, 9999)?;
        check("month", month.into(), 1, 12)?;
        check("day", day.into(), 1, days_in_month(year.into(), month.into()))?;
        check("hour", hour.into(), 0, 23)?;
        check("minute", minute.into(), 0, 59)?;
        check("second", second.into(), 0, 59)?;
        Ok(Self { year, month, day, hour, minute, second, tenths: 0 })
    }

    /// Sets the tenths of the second.
    ///
    /// # Errors
    ///
    /// [`TimeError::Range`] unless they are 0 to 9.
    pub fn with_tenths(self, tenths: u8) -> Result<Self, TimeError> {
        check("tenths", tenths.into(), 0, 9)?;
        Ok(Self { tenths, ..self })
    }

    /// Converts a moment to local time with this offset from UTC. Fractions below a tenth of a second are dropped.
    ///
    /// # Errors
    ///
    /// [`TimeError::Range`] if the local year is not 1 to 9999.
    pub fn from_unix(time: UnixTime, offset: UtcOffset) -> Result<Self, TimeError> {
        let millis = time.0.saturating_add(offset.minutes() * MINUTE);
        let (year, month, day) = date(millis.div_euclid(DAY));
        check("year", year, 1, 9999)?;
        let millis_of_day = millis.rem_euclid(DAY);
        let clock = [
            millis_of_day / HOUR,
            millis_of_day / MINUTE % 60,
            millis_of_day / SECOND % 60,
            millis_of_day % SECOND / 100,
        ];
        // No number is negative or above 59.
        let [month, day] = [month, day].map(|number| number.unsigned_abs() as u8);
        let [hour, minute, second, tenths] = clock.map(|number| number.unsigned_abs() as u8);
        Ok(Self { year: year.unsigned_abs() as u16, month, day, hour, minute, second, tenths })
    }

    /// Returns the moment of this local time: UTC is local time minus the offset (SMPP 3.4 §7.1.1.1).
    #[must_use]
    pub fn to_unix(self, offset: UtcOffset) -> UnixTime {
        self.to_unix_with_minutes(offset.minutes())
    }

    /// Returns the moment if local time is `minutes` ahead of UTC, at most one day.
    pub(super) fn to_unix_with_minutes(self, minutes: i64) -> UnixTime {
        let days = days(self.year.into(), self.month.into(), self.day.into());
        let millis_of_day = i64::from(self.hour) * HOUR
            + i64::from(self.minute) * MINUTE
            + i64::from(self.second) * SECOND
            + i64::from(self.tenths) * 100;
        UnixTime(days * DAY + millis_of_day - minutes * MINUTE)
    }

    /// Returns the year, 1 to 9999.
    pub const fn year(self) -> u16 {
        self.year
    }

    /// Returns the month, 1 to 12.
    pub const fn month(self) -> u8 {
        self.month
    }

    /// Returns the day of the month, from 1.
    pub const fn day(self) -> u8 {
        self.day
    }

    /// Returns the hour, 0 to 23.
    pub const fn hour(self) -> u8 {
        self.hour
    }

    /// Returns the minute, 0 to 59.
    pub const fn minute(self) -> u8 {
        self.minute
    }

    /// Returns the second, 0 to 59.
    pub const fn second(self) -> u8 {
        self.second
    }

    /// Returns the tenths of a second, 0 to 9.
    pub const fn tenths(self) -> u8 {
        self.tenths
    }
}

/// Formats as ISO 8601: `2026-11-23T01:02:03`, with `.4` appended if there are tenths.
impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second, tenths } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if *tenths == 0 { Ok(()) } else { write!(f, ".{tenths}") }
    }
}

/// Adds calendar months, then milliseconds: see [`RelativeTime::after`](super::RelativeTime::after).
pub(super) fn add(time: UnixTime, months: i64, millis: i64) -> UnixTime {
    let (year, month, day) = date(time.0.div_euclid(DAY));
    let months = year * 12 + month - 1 + months;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
    let days = days(year, month, day.min(days_in_month(year, month)));
    UnixTime(days.saturating_mul(DAY).saturating_add(time.0.rem_euclid(DAY)).saturating_add(millis))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days in 400 years, the period of the Gregorian calendar.
const ERA: i64 = 146_097;

/// Days from 1 March of the year 0 to 1970-01-01.
const EPOCH: i64 = 719_468;

/// Returns the days from 1970-01-01 to the date.
///
/// Years begin in March here, so that the leap day is the last day of its year. Every five months from March have 153
/// days.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - EPOCH
}

/// Returns the year, month and day of the day that is `days` after 1970-01-01: the inverse of [`days`].
pub(super) fn date(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH;
    let (era, day_of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    // Without leap days every year has 365 days: there is one every 4 years, none every 100, one every 400.
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = 400 * era + year_of_era;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;

    fn local(year: u16, month: u8, day: u8) -> LocalTime {
        LocalTime::new(year, month, day, 0, 0, 0).unwrap()
    }

    #[test]
    fn every_day_of_the_century() {
        // 2000-01-01: the days of 30 years with 7 leap days.
        let mut expected = 30 * 365 + 7;
        for year in 2000_u16..=2099 {
            // In this century every fourth year is a leap year.
            let february = if year % 4 == 0 { 29 } else { 28 };
            for (month, length) in (1..).zip([31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
                for day in 1..=length {
                    let time = local(year, month, day);
                    assert_eq!(time.to_unix(UtcOffset::UTC), UnixTime(expected * DAY), "{time}");
                    assert_eq!(LocalTime::from_unix(UnixTime(expected * DAY), UtcOffset::UTC), Ok(time));
                    expected += 1;
                }
                let after = LocalTime::new(year, month, length + 1, 0, 0, 0);
                let (value, max) = (i64::from(length) + 1, i64::from(length));
                assert_eq!(after, Err(TimeError::Range { field: "day", value, min: 1, max }));
            }
        }
        assert_eq!(local(2100, 1, 1).to_unix(UtcOffset::UTC), UnixTime(expected * DAY));
    }

    #[test]
    fn known_moments() {
        for (time, secs) in [
            ((1970, 1, 1, 0, 0, 0), 0),
            ((1969, 12, 31, 23, 59, 59), -1),
            ((2000, 2, 29, 0, 0, 0), 951_782_400),
            ((2001, 9, 9, 1, 46, 40), 1_000_000_000),
            ((2038, 1, 19, 3, 14, 8), 1 << 31),
            ((1, 1, 1, 0, 0, 0), -62_135_596_800),
            ((9999, 12, 31, 23, 59, 59), 253_402_300_799),
        ] {
            let (year, month, day, hour, minute, second) = time;
            let time = LocalTime::new(year, month, day, hour, minute, second).unwrap();
            assert_eq!(time.to_unix(UtcOffset::UTC), UnixTime::from_secs(secs), "{time}");
            assert_eq!(LocalTime::from_unix(UnixTime::from_secs(secs), UtcOffset::UTC), Ok(time));
        }
    }

    #[test]
    fn leap_years_are_gregorian() {
        for (year, leap) in [(1900, false), (2000, true), (2023, false), (2024, true), (2100, false)] {
            assert_eq!(LocalTime::new(year, 2, 29, 0, 0, 0).is_ok(), leap, "{year}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_errors() {
        let range = |field, value, min, max| Err(TimeError::Range { field, value, min, max });
        for (time, error) in [
            (LocalTime::new(0, 1, 1, 0, 0, 0), range("year", 0, 1, 9999)),
            (LocalTime::new(10_000, 1, 1, 0, 0, 0), range("year", 10_000, 1, 9999)),
            (LocalTime::new(2026, 0, 1, 0, 0, 0), range("month", 0, 1, 12)),
            (LocalTime::new(2026, 13, 1, 0, 0, 0), range("month", 13, 1, 12)),
            (LocalTime::new(2026, 1, 0, 0, 0, 0), range("day", 0, 1, 31)),
            (LocalTime::new(2026, 1, 1, 24, 0, 0), range("hour", 24, 0, 23)),
            (LocalTime::new(2026, 1, 1, 0, 60, 0), range("minute", 60, 0, 59)),
            (LocalTime::new(2026, 1, 1, 0, 0, 60), range("second", 60, 0, 59)),
            (local(2026, 1, 1).with_tenths(10), range("tenths", 10, 0, 9)),
        ] {
            assert_eq!(time, error);
        }
        let after_9999 = UnixTime::from_secs(253_402_300_800);
        assert_eq!(LocalTime::from_unix(after_9999, UtcOffset::UTC), range("year", 10_000, 1, 9999));
    }

    #[test]
    fn moments_in_seconds_milliseconds_and_durations() {
        let time = UnixTime::from_millis(-1);
        assert_eq!((time.as_secs(), time.as_millis(), time.to_duration()), (-1, -1, None));
        let time = UnixTime::from_duration(Duration::new(5, 678_999_999));
        assert_eq!((time.as_secs(), time.as_millis()), (5, 5_678));
        assert_eq!(time.to_duration(), Some(Duration::from_millis(5_678)));
        assert_eq!(UnixTime::from_secs(i64::MAX), UnixTime::from_duration(Duration::MAX));
        let local = LocalTime::from_unix(time, UtcOffset::UTC).unwrap();
        assert_eq!(local.to_string(), "1970-01-01T00:00:05.6");
        assert_eq!(
            (
                local.year(),
                local.month(),
                local.day(),
                local.hour(),
                local.minute(),
                local.second(),
                local.tenths()
            ),
            (1970, 1, 1, 0, 0, 5, 6)
        );
    }

    proptest! {
        #[test]
        fn any_moment_converts_to_local_time_and_back(millis: i64, quarters in -48_i8..=48) {
            let offset = UtcOffset::from_quarters(quarters).unwrap();
            if let Ok(local) = LocalTime::from_unix(UnixTime(millis), offset) {
                let tenth = UnixTime(millis - millis.rem_euclid(100));
                prop_assert_eq!(local.to_unix(offset), tenth);
            }
        }

        #[test]
        fn days_and_dates_are_inverse(day_number: i32) {
            let (year, month, day) = date(day_number.into());
            prop_assert_eq!(days(year, month, day), i64::from(day_number));
            prop_assert!((1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day));
        }
    }
}
