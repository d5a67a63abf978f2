//! Conversions from and to the moments of other crates. Conversions to [`UnixTime`] round down to a millisecond.

use super::civil::UnixTime;

#[cfg(feature = "time")]
mod with_time {
    use time::OffsetDateTime;
    use time::error::ComponentRange;

    use super::UnixTime;

    impl From<OffsetDateTime> for UnixTime {
        fn from(time: OffsetDateTime) -> Self {
            // Cannot overflow: a million years are 2^55 milliseconds.
            Self(time.unix_timestamp_nanos().div_euclid(1_000_000) as i64)
        }
    }

    /// Converts to UTC. An error if the year is out of range for `time`.
    impl TryFrom<UnixTime> for OffsetDateTime {
        type Error = ComponentRange;

        fn try_from(time: UnixTime) -> Result<Self, ComponentRange> {
            Self::from_unix_timestamp_nanos(i128::from(time.0) * 1_000_000)
        }
    }
}

#[cfg(feature = "chrono")]
mod with_chrono {
    use chrono::{DateTime, Datelike, TimeZone, Utc};

    use super::UnixTime;
    use crate::sms::time::civil::{DAY, date};
    use crate::sms::time::error::TimeError;

    impl<Z: TimeZone> From<DateTime<Z>> for UnixTime {
        fn from(time: DateTime<Z>) -> Self {
            Self(time.timestamp_millis())
        }
    }

    /// An error if the year is out of range for `chrono`.
    impl TryFrom<UnixTime> for DateTime<Utc> {
        type Error = TimeError;

        fn try_from(time: UnixTime) -> Result<Self, TimeError> {
            let (year, ..) = date(time.0.div_euclid(DAY));
            let (min, max) = (Self::MIN_UTC.year().into(), Self::MAX_UTC.year().into());
            let error = TimeError::Range { field: "year", value: year, min, max };
            Self::from_timestamp_millis(time.0).ok_or(error)
        }
    }
}

#[cfg(feature = "jiff")]
mod with_jiff {
    use jiff::Timestamp;

    use super::UnixTime;

    impl From<Timestamp> for UnixTime {
        fn from(time: Timestamp) -> Self {
            // Cannot overflow: ten thousand years are 2^49 milliseconds.
            Self(time.as_nanosecond().div_euclid(1_000_000) as i64)
        }
    }

    /// An error if the year is out of range for `jiff`.
    impl TryFrom<UnixTime> for Timestamp {
        type Error = jiff::Error;

        fn try_from(time: UnixTime) -> Result<Self, jiff::Error> {
            Self::from_millisecond(time.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23T01:02:03.456 UTC.
    const MOMENT: UnixTime = UnixTime::from_millis(1_795_395_723_456);

    #[cfg(feature = "time")]
    #[test]
    fn moments_of_time() {
        use time::{Date, Month, OffsetDateTime, Time, UtcOffset};
        let date = Date::from_calendar_date(2026, Month::November, 23).unwrap();
        let theirs = date.with_time(Time::from_hms_nano(1, 2, 3, 456_000_000).unwrap()).assume_utc();
        assert_eq!(OffsetDateTime::try_from(MOMENT), Ok(theirs));
        assert_eq!(UnixTime::from(theirs.to_offset(UtcOffset::from_hms(8, 0, 0).unwrap())), MOMENT);
        let before = OffsetDateTime::from_unix_timestamp_nanos(-1).unwrap();
        assert_eq!(UnixTime::from(before), UnixTime::from_millis(-1));
        assert!(OffsetDateTime::try_from(UnixTime::from_millis(i64::MAX)).is_err());
    }

    #[cfg(feature = "chrono")]
    #[test]
    fn moments_of_chrono() {
        use chrono::{DateTime, FixedOffset, TimeDelta, TimeZone, Utc};
        let theirs = Utc.with_ymd_and_hms(2026, 11, 23, 1, 2, 3).unwrap() + TimeDelta::milliseconds(456);
        assert_eq!(DateTime::<Utc>::try_from(MOMENT), Ok(theirs));
        assert_eq!(UnixTime::from(theirs.with_timezone(&FixedOffset::east_opt(8 * 3600).unwrap())), MOMENT);
        let before = DateTime::UNIX_EPOCH - TimeDelta::nanoseconds(1);
        assert_eq!(UnixTime::from(before), UnixTime::from_millis(-1));
        assert!(DateTime::<Utc>::try_from(UnixTime::from_millis(i64::MAX)).is_err());
    }

    #[cfg(feature = "jiff")]
    #[test]
    fn moments_of_jiff() {
        use jiff::Timestamp;
        let theirs: Timestamp = "2026-11-23T01:02:03.456Z".parse().unwrap();
        assert_eq!(Timestamp::try_from(MOMENT).unwrap(), theirs);
        assert_eq!(UnixTime::from(theirs), MOMENT);
        let before = Timestamp::from_nanosecond(-1).unwrap();
        assert_eq!(UnixTime::from(before), UnixTime::from_millis(-1));
        assert!(Timestamp::try_from(UnixTime::from_millis(i64::MAX)).is_err());
    }
}
