//! Times that SMSCs report, in all known formats.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while_m_n};
use nom::character::complete::{digit1, one_of};
use nom::combinator::{all_consuming, opt, value, verify};
use nom::sequence::preceded;
use nom::{IResult, Parser};

use super::civil::{LocalTime, UnixTime};
use super::format::{number, two_digits};
use super::offset::UtcOffset;
use super::value::TimeValue;

/// A time that an SMSC reports: a date of a [`Receipt`](crate::sms::Receipt), or the `final_date` of a `query_sm_resp`.
///
/// ```
/// use smpp_proto::sms::Receipt;
/// use smpp_proto::sms::time::{ReportedTime, UnixTime, UtcOffset};
///
/// let receipt = Receipt::parse(b"id:1 submit date:2611230902 done date:2026-11-23T01:02:03Z stat:DELIVRD")?;
/// let [submitted, done] = [receipt.submit_date, receipt.done_date].map(|date| date.and_then(ReportedTime::parse));
/// // Eight hours ahead, as the provider said elsewhere.
/// let singapore = UtcOffset::from_quarters(32).unwrap();
/// assert_eq!(submitted.map(|time| time.to_unix(singapore)), Some(UnixTime::from_secs(1_795_395_720)));
/// assert_eq!(done.map(|time| time.to_unix(singapore)), Some(UnixTime::from_secs(1_795_395_723)));
/// # Ok::<(), smpp_proto::sms::ReceiptError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReportedTime {
    /// Local time of the SMSC. Its offset from UTC is unknown: ask the provider.
    Local(LocalTime),
    /// An exact moment: the text has an offset from UTC.
    Exact(UnixTime),
}

impl ReportedTime {
    /// Parses a time. Returns `None` for any other text, including an empty one.
    ///
    /// | text | used in |
    /// | --- | --- |
    /// | `YYMMDDhhmm` | receipts (SMPP 3.4 Appendix B) |
    /// | `YYMMDDhhmmss` | `final_date` in local time, receipts |
    /// | `YYYYMMDDhhmm`, `YYYYMMDDhhmmss` | receipts |
    /// | `YYMMDDhhmmsstnn+`, `YYMMDDhhmmsstnn-` | `final_date` (SMPP 3.4 §7.1.1.1) |
    /// | `2026-11-23 01:02:03`, `2026-11-23T01:02:03.4Z`, `2026-11-23T01:02+08:00` | receipts (ISO 8601) |
    ///
    /// Years of two digits are 2000 to 2099, missing seconds are 0, and fractions are truncated to tenths. Twelve
    /// digits that begin with `20` are read as `YYMMDDhhmmss` if that is a valid time, and as `YYYYMMDDhhmm` otherwise.
    /// From 2013 on this is unambiguous, because months end at 12.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = text.trim_ascii();
        if !text.iter().all(u8::is_ascii_digit) {
            return absolute(text).or_else(|| iso(text));
        }
        let local = match text.len() {
            10 => digits(20, text),
            12 => digits(20, text).or_else(|| digits(20, text.strip_prefix(b"20")?)),
            14 => text.split_first_chunk::<2>().and_then(|(century, rest)| digits(number(century), rest)),
            _ => None,
        };
        local.map(Self::Local)
    }

    /// Returns the moment in UTC. `assumed` is the offset of a local time.
    #[must_use]
    pub fn to_unix(self, assumed: UtcOffset) -> UnixTime {
        match self {
            Self::Local(time) => time.to_unix(assumed),
            Self::Exact(time) => time,
        }
    }
}

/// Parses the digits `YYMMDDhhmm` or `YYMMDDhhmmss`.
fn digits(century: u8, text: &[u8]) -> Option<LocalTime> {
    let mut padded = *b"000000000000";
    padded.split_at_mut_checked(text.len())?.0.copy_from_slice(text);
    let [year, month, day, hour, minute, second] = two_digits(&padded);
    let year = 100 * u16::from(century) + u16::from(year);
    LocalTime::new(year, month, day, hour, minute, second).ok()
}

/// Parses an absolute time of the wire format.
fn absolute(text: &[u8]) -> Option<ReportedTime> {
    match TimeValue::parse(text) {
        Ok(TimeValue::Absolute(time)) => Some(ReportedTime::Exact(time.to_unix())),
        _ => None,
    }
}

/// ```text
/// iso      = year "-" two "-" two ("T" | " ") two ":" two [":" two [fraction]] [zone]
/// fraction = ("." | ",") digit+
/// ```
fn iso(text: &[u8]) -> Option<ReportedTime> {
    let year = (two, two).map(|(century, year)| 100 * u16::from(century) + u16::from(year));
    let date = (year, preceded(tag("-"), two), preceded(tag("-"), two));
    let second = (preceded(tag(":"), two), opt(preceded(one_of(".,"), digit1)));
    let time = (two, preceded(tag(":"), two), opt(second));
    let (_, (date, _, time, zone)) =
        all_consuming((date, one_of("Tt "), time, opt(zone))).parse(text).ok()?;

    let ((year, month, day), (hour, minute, second)) = (date, time);
    let (second, fraction) = second.unwrap_or_default();
    let tenths = fraction.and_then(<[u8]>::first).map_or(0, |tenths| tenths - b'0');
    let local = LocalTime::new(year, month, day, hour, minute, second).ok()?.with_tenths(tenths).ok()?;
    Some(zone.map_or(ReportedTime::Local(local), |minutes| {
        ReportedTime::Exact(local.to_unix_with_minutes(minutes))
    }))
}

/// ```text
/// zone = "Z" | ("+" | "-") two [[":"] two]
/// ```
///
/// Returns minutes ahead of UTC. Some places are more than twelve hours ahead.
fn zone(input: &[u8]) -> IResult<&[u8], i64> {
    let sign = alt((value(1, tag("+")), value(-1, tag("-"))));
    let hours = verify(two, |&hours| hours < 24);
    let minutes = verify(preceded(opt(tag(":")), two), |&minutes| minutes < 60);
    let minutes = (sign, hours, opt(minutes)).map(|(sign, hours, minutes)| {
        sign * (60 * i64::from(hours) + i64::from(minutes.unwrap_or_default()))
    });
    alt((value(0, one_of("Zz")), minutes)).parse(input)
}

/// Parses two digits.
fn two(input: &[u8]) -> IResult<&[u8], u8> {
    take_while_m_n(2, 2, |octet: u8| octet.is_ascii_digit()).map(number).parse(input)
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn local_times_with_and_without_seconds_and_century() {
        for (text, expected) in [
            ("2611230102", "2026-11-23T01:02:00"),
            ("261123010203", "2026-11-23T01:02:03"),
            ("202611230102", "2026-11-23T01:02:00"),
            ("20261123010203", "2026-11-23T01:02:03"),
            ("19991231235959", "1999-12-31T23:59:59"),
            // Not 12 November 2012 at 01:02: the format of the protocol takes precedence.
            ("201211120102", "2020-12-11T12:01:02"),
            ("2026-11-23 01:02:03", "2026-11-23T01:02:03"),
            ("2026-11-23T01:02:03", "2026-11-23T01:02:03"),
            ("2026-11-23t01:02", "2026-11-23T01:02:00"),
            ("2026-11-23T01:02:03.456", "2026-11-23T01:02:03.4"),
            ("2026-11-23 01:02:03,9", "2026-11-23T01:02:03.9"),
            (" 2611230102\r\n", "2026-11-23T01:02:00"),
            ("2402290000", "2024-02-29T00:00:00"),
        ] {
            match ReportedTime::parse(text.as_bytes()) {
                Some(ReportedTime::Local(time)) => assert_eq!(time.to_string(), expected, "{text}"),
                other => panic!("{text} was read as {other:?}"),
            }
        }
    }

    #[test]
    fn an_offset_in_the_text_takes_precedence() {
        for (text, expected) in [
            ("2026-11-23T01:02:03Z", 1_795_395_723_000),
            ("2026-11-23 01:02:03z", 1_795_395_723_000),
            ("2026-11-23T01:02:03.25Z", 1_795_395_723_200),
            ("2026-11-23T01:02Z", 1_795_395_720_000),
            ("2026-11-23T09:02:03+08:00", 1_795_395_723_000),
            ("2026-11-23T09:02:03+0800", 1_795_395_723_000),
            ("2026-11-23T09:02:03+08", 1_795_395_723_000),
            ("2026-11-22T21:32:03-03:30", 1_795_395_723_000),
            // Kiribati is further ahead of UTC than the wire format allows.
            ("2026-11-23T15:02:03+14:00", 1_795_395_723_000),
            ("261123090203432+", 1_795_395_723_400),
            ("261122193203022-", 1_795_395_723_000),
        ] {
            let expected = UnixTime::from_millis(expected);
            for assumed in [-48, 0, 32] {
                let time = ReportedTime::parse(text.as_bytes())
                    .map(|time| time.to_unix(UtcOffset::from_quarters(assumed).unwrap()));
                assert_eq!(time, Some(expected), "{text}");
            }
        }
    }

    #[test]
    fn a_local_time_uses_the_assumed_offset() {
        let time = ReportedTime::parse(b"261123090203").unwrap();
        let singapore = UtcOffset::from_quarters(32).unwrap();
        assert_eq!(time.to_unix(singapore), UnixTime::from_secs(1_795_395_723));
        assert_eq!(time.to_unix(UtcOffset::UTC), UnixTime::from_secs(1_795_424_523));
    }

    #[test]
    fn other_texts_are_not_times() {
        for text in [
            "",
            " ",
            "0",
            "N/A",
            "0000000000",
            "000000000000",
            "00000000000000",
            "26112301",
            "26112301020",
            "261123010203040",
            "2613230102",
            "2602290102",
            "2611232402",
            "261123010260",
            "000001000000000R",
            "261123010203049+",
            "2026-11-23",
            "2026-02-29T01:02:03Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T01:02:60",
            "2026-11-23T01:02:03+24:00",
            "2026-11-23T01:02:03+08:60",
            "2026-11-23T01:02:03+8",
            "2026-11-23T01:02:03 UTC",
            "2026-11-23T01:02:03.",
            "2026-1-23T01:02:03",
            "2026-11-23T01",
            "1795395723",
            "\u{661}\u{661}",
        ] {
            assert_eq!(ReportedTime::parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_parse(octets in any::<Vec<u8>>(), text in "[-0-9T:.+Z ]{8,30}") {
            let _ = ReportedTime::parse(&octets);
            let _ = ReportedTime::parse(text.as_bytes());
        }

        #[test]
        fn any_second_parses_in_every_format(secs in 946_684_800_i64..4_102_444_800) {
            let moment = UnixTime::from_secs(secs);
            let iso = LocalTime::from_unix(moment, UtcOffset::UTC).unwrap().to_string();
            let long: Vec<u8> = iso.bytes().filter(u8::is_ascii_digit).collect();
            for text in [long.as_slice(), &long[2..], iso.as_bytes()] {
                let time = ReportedTime::parse(text).map(|time| time.to_unix(UtcOffset::UTC));
                prop_assert_eq!(time, Some(moment));
            }
        }
    }
}
