//! Durations as people write them.

use core::fmt;
use core::time::Duration;

use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};

use super::value::Value;

/// A duration: `"1m30s"`, or a number of seconds.
pub(super) struct Span(Duration);

impl Value for Span {
    type Field = Duration;

    fn value(self) -> Duration {
        self.0
    }
}

/// A duration above zero.
pub(super) struct PositiveSpan(Duration);

impl Value for PositiveSpan {
    type Field = Duration;

    fn value(self) -> Duration {
        self.0
    }
}

impl<'de> Deserialize<'de> for PositiveSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Span(duration) = Span::deserialize(deserializer)?;
        if duration.is_zero() {
            return Err(de::Error::invalid_value(
                Unexpected::Other("zero"),
                &"a duration above zero, such as \"10s\"",
            ));
        }
        Ok(Self(duration))
    }
}

/// Parses numbers with units, and adds them.
fn parse(text: &str) -> Option<Duration> {
    let (mut rest, mut total) = (text.trim(), Duration::ZERO);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|end| *end > 0)?;
        let (number, after) = rest.split_at_checked(number)?;
        let after = after.trim_start();
        let unit = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit)?;
        let nanos_in_unit: u128 = match unit {
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" | "min" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            _ => return None,
        };
        total = total.checked_add(nanos(decimal(number)?, nanos_in_unit)?)?;
        rest = after.trim_start();
    }
    Some(total)
}

/// Parses a decimal number of at most 9 decimal places. Returns it in units of 10⁻⁹.
fn decimal(number: &str) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || whole.len() > 15 || !(1..=9).contains(&fraction.len()) || fraction.contains('.') {
        return None;
    }
    let scale = (fraction.len()..9).fold(1, |scale, _| scale * 10);
    Some(whole.parse::<u128>().ok()? * 1_000_000_000 + fraction.parse::<u128>().ok()? * scale)
}

/// Returns so many units, given in units of 10⁻⁹, of so many nanoseconds each.
fn nanos(billionths: u128, nanos_in_unit: u128) -> Option<Duration> {
    let nanos = billionths.checked_mul(nanos_in_unit)? / 1_000_000_000;
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    Some(Duration::new(seconds, u32::try_from(nanos % 1_000_000_000).ok()?))
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl Visitor<'_> for Any {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration, such as \"30s\", \"1m30s\" or \"250ms\", or a number of seconds")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
                parse(text).map(Span).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Span, E> {
                Ok(Span(Duration::from_secs(seconds)))
            }

            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Span, E> {
                let unsigned = u64::try_from(seconds);
                unsigned
                    .map(|seconds| Span(Duration::from_secs(seconds)))
                    .map_err(|_| E::invalid_value(Unexpected::Signed(seconds), &self))
            }

            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Span, E> {
                let duration = Duration::try_from_secs_f64(seconds);
                duration.map(Span).map_err(|_| E::invalid_value(Unexpected::Float(seconds), &self))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, expected) in [
            ("30s", Some(Duration::from_secs(30))),
            ("1m30s", Some(Duration::from_secs(90))),
            ("1 m 30 s", Some(Duration::from_secs(90))),
            ("1.5s", Some(Duration::from_millis(1500))),
            ("250ms", Some(Duration::from_millis(250))),
            ("0.000000001s", Some(Duration::from_nanos(1))),
            ("72h", Some(Duration::from_secs(72 * 3600))),
            ("2d", Some(Duration::from_secs(2 * 86_400))),
            ("0s", Some(Duration::ZERO)),
            ("30", None),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("1.2.3s", None),
            (".5s", None),
            ("1.s", None),
            ("30 parsecs", None),
            ("999999999999999999s", None),
            ("999999999999999s", Some(Duration::from_secs(999_999_999_999_999))),
            ("999999999999999d", None),
        ] {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }
}
