//! Times as values: when a message is to be sent, how long it is good for, when it was delivered.
//!
//! A [`Time`] of a PDU is text, `YYMMDDhhmmsstnnp`, and stays as the peer wrote it. Here it becomes an
//! [`AbsoluteTime`], a point in time with its distance from UTC, or a [`RelativeTime`], a span from the SMSC's now
//! (SMPP 3.4 §7.1.1); and either becomes a [`UnixTime`], a moment in UTC. There is no clock here: now is an argument.
//!
//! Sending a message on Christmas Eve, good for two hours:
//!
//! ```
//! use core::time::Duration;
//! use smpp_core::SubmitSm;
//! use smpp_core::sms::time::{AbsoluteTime, RelativeTime, UnixTime, UtcOffset};
//!
//! let schedule = AbsoluteTime::from_unix(UnixTime::from_secs(1_798_135_200), UtcOffset::UTC)?.encode();
//! let validity = RelativeTime::from_duration(Duration::from_secs(2 * 60 * 60))?.encode();
//! let message = SubmitSm {
//!     schedule_delivery_time: schedule.as_time(),
//!     validity_period: validity.as_time(),
//!     ..SubmitSm::default()
//! };
//! assert_eq!(message.schedule_delivery_time.as_bytes(), b"261224180000000+");
//! assert_eq!(message.validity_period.as_bytes(), b"000000020000000R");
//! # Ok::<(), smpp_core::sms::time::TimeError>(())
//! ```
//!
//! Reading them, as an SMSC does:
//!
//! ```
//! # use smpp_core::SubmitSm;
//! use smpp_core::sms::time::{TimeValue, UnixTime};
//! # let validity = smpp_core::Time::new(b"000000020000000R").unwrap();
//! # let message = SubmitSm { validity_period: validity, ..SubmitSm::default() };
//! let now = UnixTime::from_secs(1_798_135_200);
//! let expires = TimeValue::read(message.validity_period)?.map(|validity| validity.to_unix(now));
//! assert_eq!(expires, Some(UnixTime::from_secs(1_798_142_400)));
//! assert_eq!(TimeValue::read(message.schedule_delivery_time)?, None, "at once");
//! # Ok::<(), smpp_core::sms::time::TimeError>(())
//! ```
//!
//! What an SMSC reports, `final_date` and the dates of a receipt, comes in more forms: [`ReportedTime`] reads them.

use core::fmt;

use crate::wire::Time;

mod absolute;
mod civil;
#[cfg(any(feature = "chrono", feature = "jiff", feature = "time"))]
mod convert;
mod relative;
mod reported;

pub use absolute::{AbsoluteTime, UtcOffset};
pub use civil::{LocalTime, UnixTime};
pub use relative::RelativeTime;
pub use reported::ReportedTime;

/// What a [`Time`] that is not empty says (SMPP 3.4 §7.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeValue {
    /// A point in time: `p` is `+` or `-`.
    Absolute(AbsoluteTime),
    /// A span from the SMSC's now: `p` is `R`.
    Relative(RelativeTime),
}

/// Why there is no such time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeError {
    /// Not sixteen characters.
    Length {
        /// Characters given.
        length: usize,
    },
    /// A character that is no digit, or a last one that is none of `+`, `-` and `R`.
    Character {
        /// Where it is, from 0.
        at: usize,
    },
    /// A number that its field does not have. The days of an absolute time end with the month.
    Range {
        /// Which one: `year`, `month`, `day`, `hour`, `minute`, `second`, `tenths`, `offset`, or a span's `years`,
        /// `months`, `days`, `hours`, `minutes`, `seconds`.
        field: &'static str,
        /// The number.
        value: i64,
        /// The least that the field takes.
        least: i64,
        /// The most that the field takes.
        most: i64,
    },
}

/// The sixteen characters of a time, owned: lends the [`Time`] of a field.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeText([u8; 16]);

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

impl TimeText {
    /// The numbers of two digits, tenths, quarters of an hour, and what they mean; each within its digits.
    fn new(pairs: [u8; 6], tenths: u8, quarters: u8, end: u8) -> Self {
        let pairs = pairs.into_iter().flat_map(|pair| [pair / 10, pair % 10]);
        let digits = pairs.chain([tenths, quarters / 10, quarters % 10]);
        let mut text = [end; 16];
        text.iter_mut().zip(digits).for_each(|(character, digit)| *character = b'0' + digit);
        Self(text)
    }

    /// The time, for a field of a PDU.
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

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { length } => write!(f, "{length} characters where a time has 16"),
            Self::Character { at } => write!(f, "the character at octet {at} does not belong in a time"),
            Self::Range { field, value, least, most } => {
                write!(f, "{field} {value} where {least} to {most} are possible")
            }
        }
    }
}

impl core::error::Error for TimeError {}

/// `value`, if it is between `least` and `most`.
const fn check(field: &'static str, value: i64, least: i64, most: i64) -> Result<(), TimeError> {
    if least <= value && value <= most { Ok(()) } else { Err(TimeError::Range { field, value, least, most }) }
}

/// The numbers that six pairs of decimal digits spell.
fn two_digits(digits: &[u8; 12]) -> [u8; 6] {
    let mut pairs = [0; 6];
    pairs.iter_mut().zip(digits.chunks(2)).for_each(|(pair, digits)| *pair = number(digits));
    pairs
}

/// The number that one or two decimal digits spell.
fn number(digits: &[u8]) -> u8 {
    digits.iter().fold(0, |number, digit| number * 10 + (digit - b'0'))
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

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
