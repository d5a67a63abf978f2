//! The value of a time field: absolute or relative.

use super::absolute::AbsoluteTime;
use super::civil::UnixTime;
use super::error::TimeError;
use super::format::{TimeText, number, two_digits};
use super::relative::RelativeTime;
use crate::wire::Time;

/// What a [`Time`] that is not empty says (SMPP 3.4 §7.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeValue {
    /// A point in time: `p` is `+` or `-`.
    Absolute(AbsoluteTime),
    /// A span from the SMSC's now: `p` is `R`.
    Relative(RelativeTime),
}

impl TimeValue {
    /// The value of a field, `None` if it is empty: at once, or the SMSC's default.
    ///
    /// A day that its month does not have is an error here though it is a [`Time`]; so is all that
    /// [`Quirks::TIME_FORMAT`](crate::Quirks::TIME_FORMAT) was told of. `final_date` may be local time, which is
    /// neither absolute nor relative: see [`ReportedTime`].
    pub fn read(time: Time<'_>) -> Result<Option<Self>, TimeError> {
        if time.is_empty() { Ok(None) } else { Self::parse(time.as_bytes()).map(Some) }
    }

    /// The value of sixteen characters `YYMMDDhhmmsstnnp`; years are 2000 to 2099.
    ///
    /// Tenths and quarters of a relative time are not looked at (SMPP 3.4 §7.1.1.2), but they are digits.
    pub fn parse(text: &[u8]) -> Result<Self, TimeError> {
        let Some((pairs, &[tenths, tens, units, end])) = text.split_first_chunk::<12>() else {
            return Err(TimeError::Length { length: text.len() });
        };
        if let Some(at) = text.iter().take(15).position(|character| !character.is_ascii_digit()) {
            return Err(TimeError::Character { at });
        }
        let pairs = two_digits(pairs);
        let quarters = number(&[tens, units]).cast_signed();
        match end {
            b'R' => RelativeTime::of(pairs).map(Self::Relative),
            b'+' => AbsoluteTime::of(pairs, tenths - b'0', quarters).map(Self::Absolute),
            b'-' => AbsoluteTime::of(pairs, tenths - b'0', -quarters).map(Self::Absolute),
            _ => Err(TimeError::Character { at: 15 }),
        }
    }

    /// As the wire has it.
    pub fn encode(self) -> TimeText {
        match self {
            Self::Absolute(time) => time.encode(),
            Self::Relative(span) => span.encode(),
        }
    }

    /// The moment in UTC, where it is `now` if the time is relative.
    #[must_use]
    pub fn to_unix(self, now: UnixTime) -> UnixTime {
        match self {
            Self::Absolute(time) => time.to_unix(),
            Self::Relative(span) => span.after(now),
        }
    }
}

impl From<AbsoluteTime> for TimeValue {
    fn from(time: AbsoluteTime) -> Self {
        Self::Absolute(time)
    }
}

impl From<RelativeTime> for TimeValue {
    fn from(span: RelativeTime) -> Self {
        Self::Relative(span)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::sms::time::{LocalTime, UtcOffset};

    #[test]
    fn the_specifications_span() {
        let span = RelativeTime::new(2, 6, 10, 23, 34, 29).unwrap();
        assert_eq!(TimeValue::parse(b"020610233429000R"), Ok(span.into()));
        assert_eq!(span.encode().as_time().as_bytes(), b"020610233429000R");
        let local = |year, month, day, hour, minute, second| {
            LocalTime::new(year, month, day, hour, minute, second).unwrap().to_unix(UtcOffset::UTC)
        };
        let now = local(2026, 11, 23, 1, 2, 3);
        assert_eq!(TimeValue::from(span).to_unix(now), local(2029, 6, 3, 0, 36, 32));
    }

    #[test]
    fn tenths_and_quarters_of_a_span_are_not_looked_at() {
        let day = TimeValue::from(RelativeTime::new(0, 0, 1, 0, 0, 0).unwrap());
        assert_eq!(TimeValue::parse(b"000001000000999R"), Ok(day));
        assert_eq!(day.encode().to_string(), "000001000000000R");
    }

    #[test]
    fn no_quarters_behind_utc_are_none_ahead() {
        let behind = TimeValue::parse(b"260101000000000-").unwrap();
        assert_eq!(behind.encode().to_string(), "260101000000000+");
    }

    #[test]
    fn an_error_says_what_and_where() {
        for (text, error) in [
            ("", "0 characters where a time has 16"),
            ("261123010203", "12 characters where a time has 16"),
            ("26112301020304+", "15 characters where a time has 16"),
            ("26112301020304+++", "17 characters where a time has 16"),
            ("26112301x203048+", "the character at octet 8 does not belong in a time"),
            ("26112301020304x+", "the character at octet 14 does not belong in a time"),
            ("261123010203048Z", "the character at octet 15 does not belong in a time"),
            ("261323010203048+", "month 13 where 1 to 12 are possible"),
            ("260431010203048+", "day 31 where 1 to 30 are possible"),
            ("260229010203048+", "day 29 where 1 to 28 are possible"),
            ("261123240203048+", "hour 24 where 0 to 23 are possible"),
            ("261123016003048+", "minute 60 where 0 to 59 are possible"),
            ("261123010260048+", "second 60 where 0 to 59 are possible"),
            ("261123010203049+", "offset 49 where -48 to 48 are possible"),
            ("261123010203099-", "offset -99 where -48 to 48 are possible"),
            ("991331235959000R", "months 13 where 0 to 12 are possible"),
        ] {
            let error_told = TimeValue::parse(text.as_bytes()).unwrap_err().to_string();
            assert_eq!(error_told, error, "{text}");
        }
    }

    #[test]
    fn an_empty_field_has_no_value() {
        assert_eq!(TimeValue::read(Time::EMPTY), Ok(None));
        // A day that April does not have is text in its ranges, and no time.
        let time = Time::new(b"260431010203000+").unwrap();
        let error = TimeError::Range { field: "day", value: 31, least: 1, most: 30 };
        assert_eq!(TimeValue::read(time), Err(error));
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same(text in "[0-9]{2}(0[0-9]|1[0-2])([0-2][0-9]|3[01])([01][0-9]|2[0-3])\
            [0-5][0-9][0-5][0-9]([0-9]([0-3][0-9]|4[0-8])[-+]|000R)") {
            let time = Time::new(text.as_bytes());
            match TimeValue::parse(text.as_bytes()) {
                Ok(value) => {
                    let written = value.encode();
                    // "No quarters behind" is written as "none ahead".
                    let expected = text.replace("00-", "00+");
                    prop_assert_eq!(written.to_string(), expected);
                    prop_assert_eq!(TimeValue::read(written.as_time()), Ok(Some(value)));
                    prop_assert!(Time::new(written.as_time().as_bytes()).is_ok());
                }
                // The day is all that makes text in its ranges no time.
                Err(TimeError::Range { field, .. }) => prop_assert!(field == "day" || time.is_err()),
                Err(error) => prop_assert!(false, "{text}: {error}"),
            }
        }

        #[test]
        fn any_octets_are_a_time_or_an_error(octets in any::<Vec<u8>>(), text in "[0-9]{15}[-+R]") {
            for text in [&octets, text.as_bytes()] {
                if TimeValue::parse(text).is_ok() {
                    prop_assert!(Time::new(text).is_ok());
                }
            }
        }
    }
}
