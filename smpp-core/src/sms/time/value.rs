//! The value of a time field: absolute or relative.

use super::absolute::AbsoluteTime;
use super::civil::UnixTime;
use super::error::TimeError;
use super::format::{TimeText, number, two_digits};
use super::relative::RelativeTime;
use crate::wire::Time;

/// The value of a [`Time`] field (SMPP 3.4 §7.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeValue {
    /// A point in time: `p` is `+` or `-`.
    Absolute(AbsoluteTime),
    /// A span from the current time of the SMSC: `p` is `R`.
    Relative(RelativeTime),
}

impl TimeValue {
    /// Returns the value of a field; `None` if it is empty, which means immediately, or the default of the SMSC.
    ///
    /// # Errors
    ///
    /// [`TimeError`] for a day that its month does not have, although that is a valid [`Time`]; and for every text that
    /// [`Quirks::TIME_FORMAT`](crate::Quirks::TIME_FORMAT) reports. `final_date` may be local time, which is neither
    /// absolute nor relative: use [`ReportedTime`](super::ReportedTime).
    pub fn read(time: Time<'_>) -> Result<Option<Self>, TimeError> {
        if time.is_empty() { Ok(None) } else { Self::parse(time.as_bytes()).map(Some) }
    }

    /// Parses the sixteen characters `YYMMDDhhmmsstnnp`; years are 2000 to 2099.
    ///
    /// The tenths and quarters of a relative time must be digits and are otherwise ignored (SMPP 3.4 §7.1.1.2).
    ///
    /// # Errors
    ///
    /// [`TimeError`] if the text is not a valid time.
    pub fn parse(text: &[u8]) -> Result<Self, TimeError> {
        let Some((pairs, &[tenths, tens, units, end])) = text.split_first_chunk::<12>() else {
            return Err(TimeError::Length { length: text.len() });
        };
        if let Some(index) = text.iter().take(15).position(|character| !character.is_ascii_digit()) {
            return Err(TimeError::Character { index });
        }
        let pairs = two_digits(pairs);
        let quarters = number(&[tens, units]).cast_signed();
        match end {
            b'R' => RelativeTime::of(pairs).map(Self::Relative),
            b'+' => AbsoluteTime::of(pairs, tenths - b'0', quarters).map(Self::Absolute),
            b'-' => AbsoluteTime::of(pairs, tenths - b'0', -quarters).map(Self::Absolute),
            _ => Err(TimeError::Character { index: 15 }),
        }
    }

    /// Encodes the value for a PDU field.
    pub fn encode(self) -> TimeText {
        match self {
            Self::Absolute(time) => time.encode(),
            Self::Relative(span) => span.encode(),
        }
    }

    /// Returns the moment in UTC; `now` is the start of a relative time.
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
    fn the_example_of_the_specification() {
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
    fn tenths_and_quarters_of_a_relative_time_are_ignored() {
        let day = TimeValue::from(RelativeTime::new(0, 0, 1, 0, 0, 0).unwrap());
        assert_eq!(TimeValue::parse(b"000001000000999R"), Ok(day));
        assert_eq!(day.encode().to_string(), "000001000000000R");
    }

    #[test]
    fn a_negative_zero_offset_is_written_as_positive() {
        let negative = TimeValue::parse(b"260101000000000-").unwrap();
        assert_eq!(negative.encode().to_string(), "260101000000000+");
    }

    #[test]
    fn an_error_message_has_the_field_and_the_range() {
        for (text, error) in [
            ("", "a time has 16 characters, not 0"),
            ("261123010203", "a time has 16 characters, not 12"),
            ("26112301020304+", "a time has 16 characters, not 15"),
            ("26112301020304+++", "a time has 16 characters, not 17"),
            ("26112301x203048+", "the character at index 8 is not valid in a time"),
            ("26112301020304x+", "the character at index 14 is not valid in a time"),
            ("261123010203048Z", "the character at index 15 is not valid in a time"),
            ("261323010203048+", "the month of the time is 13, but must be 1 to 12"),
            ("260431010203048+", "the day of the time is 31, but must be 1 to 30"),
            ("260229010203048+", "the day of the time is 29, but must be 1 to 28"),
            ("261123240203048+", "the hour of the time is 24, but must be 0 to 23"),
            ("261123016003048+", "the minute of the time is 60, but must be 0 to 59"),
            ("261123010260048+", "the second of the time is 60, but must be 0 to 59"),
            ("261123010203049+", "the offset of the time is 49, but must be -48 to 48"),
            ("261123010203099-", "the offset of the time is -99, but must be -48 to 48"),
            ("991331235959000R", "the months of the time is 13, but must be 0 to 12"),
        ] {
            let message = TimeValue::parse(text.as_bytes()).unwrap_err().to_string();
            assert_eq!(message, error, "{text}");
        }
    }

    #[test]
    fn an_empty_field_has_no_value() {
        assert_eq!(TimeValue::read(Time::EMPTY), Ok(None));
        // A `Time` checks only the range of each number: it accepts a day that April does not have.
        let time = Time::new(b"260431010203000+").unwrap();
        let error = TimeError::Range { field: "day", value: 31, min: 1, max: 30 };
        assert_eq!(TimeValue::read(time), Err(error));
    }

    proptest! {
        #[test]
        fn a_parsed_time_is_encoded_to_the_same_text(text in "[0-9]{2}(0[0-9]|1[0-2])([0-2][0-9]|3[01])([01][0-9]|2[0-3])\
            [0-5][0-9][0-5][0-9]([0-9]([0-3][0-9]|4[0-8])[-+]|000R)") {
            let time = Time::new(text.as_bytes());
            match TimeValue::parse(text.as_bytes()) {
                Ok(value) => {
                    let written = value.encode();
                    // An offset of zero is always written as `00+`.
                    let expected = text.replace("00-", "00+");
                    prop_assert_eq!(written.to_string(), expected);
                    prop_assert_eq!(TimeValue::read(written.as_time()), Ok(Some(value)));
                    prop_assert!(Time::new(written.as_time().as_bytes()).is_ok());
                }
                // Only the day can be invalid in a valid `Time`.
                Err(TimeError::Range { field, .. }) => prop_assert!(field == "day" || time.is_err()),
                Err(error) => prop_assert!(false, "{text}: {error}"),
            }
        }

        #[test]
        fn every_time_value_is_a_valid_time(octets in any::<Vec<u8>>(), text in "[0-9]{15}[-+R]") {
            for text in [&octets, text.as_bytes()] {
                if TimeValue::parse(text).is_ok() {
                    prop_assert!(Time::new(text).is_ok());
                }
            }
        }
    }
}
