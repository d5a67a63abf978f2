//! Times as text (SMPP 3.4 §7.1).

use core::fmt;

use super::error::{DecodeErrorKind, Parsed};
use super::name::FieldName;
use super::octets::{InvalidOctets, c_octet_string, emit_c_octet_string};
use super::quirks::Quirks;
use super::reader::{FieldVisitor, Parse, Reader};
use super::sink::{Emit, PendingOctets, Sink};

/// A time: empty, or sixteen characters `YYMMDDhhmmsstnnp` (SMPP 3.4 §7.1.1).
///
/// The last character `p` gives the meaning of the digits:
///
/// - `+` or `-`: an absolute time in local time, `nn` quarters of an hour ahead of UTC or behind it.
/// - `R`: a time relative to the current time of the SMSC.
///
/// [`new`](Self::new) checks the format. A received value may have any content if the deviation is tolerated;
/// [`Quirks::TIME_FORMAT`] is then reported with the PDU. [`sms::time`](crate::sms::time) converts from and to
/// timestamps and durations.
///
/// ```
/// use smpp_proto::Time;
/// let tomorrow: Time = "000001000000000R".try_into()?;
/// let christmas: Time = "261224180000004+".try_into()?;
/// assert!(Time::new(b"261324180000004+").is_err(), "there is no month 13");
/// # Ok::<(), smpp_proto::InvalidOctets>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Time<'a>(&'a [u8]);

impl<'a> Time<'a> {
    /// No time: the SMSC delivers at once, or uses its default validity period.
    pub const EMPTY: Self = Self(&[]);

    /// Returns a time of sixteen characters, or an empty one.
    ///
    /// # Errors
    ///
    /// [`InvalidOctets::Time`] for any other text.
    pub fn new(text: &'a [u8]) -> Result<Self, InvalidOctets> {
        if text.is_empty() || is_time(text) { Ok(Self(text)) } else { Err(InvalidOctets::Time) }
    }

    /// Returns a time of sixteen characters that are known to be valid.
    pub(crate) const fn encoded(text: &'a [u8; 16]) -> Self {
        Self(text)
    }

    /// Returns the characters, without the NUL.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Returns the characters as text, or `None` if they are not UTF-8. The specification allows only ASCII.
    pub fn to_str(&self) -> Option<&'a str> {
        core::str::from_utf8(self.0).ok()
    }

    /// Returns whether the time is empty.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Returns whether the text is `YYMMDDhhmmsstnnp` with each number in its range.
fn is_time(text: &[u8]) -> bool {
    let Some((digits, [end])) = text.split_first_chunk::<15>() else { return false };
    if !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let number = |at: usize| {
        let pair = digits.get(at..at + 2).unwrap_or_default();
        pair.iter().fold(0, |number, digit| number * 10 + (digit - b'0'))
    };
    let (month, day, quarters) = (number(2), number(4), number(13));
    let in_day = number(6) < 24 && number(8) < 60 && number(10) < 60;
    match end {
        b'+' | b'-' => (1..=12).contains(&month) && (1..=31).contains(&day) && in_day && quarters <= 48,
        // A relative time: the specification ignores tenths and quarters.
        b'R' => month <= 12 && day <= 31 && in_day,
        _ => false,
    }
}

impl<'a> TryFrom<&'a str> for Time<'a> {
    type Error = InvalidOctets;

    fn try_from(text: &'a str) -> Result<Self, InvalidOctets> {
        Self::new(text.as_bytes())
    }
}

impl fmt::Debug for Time<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// Shows octets outside printable ASCII as escapes.
impl fmt::Display for Time<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl<'a> Parse<'a> for Time<'a> {
    type Located = Self;

    #[inline(always)]
    fn locate<V: FieldVisitor>(
        reader: &mut Reader<'_, V>,
        name: FieldName,
        input: &'a [u8],
    ) -> Parsed<'a, Self> {
        let (rest, text) = c_octet_string(reader, name, 17, input)?;
        reader.visitor.visit(name.get(), &Self(text), input, rest);
        if !text.is_empty() && !has_valid_format(name, text) {
            reader.tolerate_or_fail(Quirks::TIME_FORMAT, name.get(), input, DecodeErrorKind::Time)?;
        }
        Ok((rest, Self(text)))
    }
}

/// Returns whether the text deviates in nothing that [`Quirks::TIME_FORMAT`] reports. A separate function, because
/// most times are empty and need no check.
#[inline(never)]
fn has_valid_format(name: FieldName, text: &[u8]) -> bool {
    // The final_date that an SMSC reports may be local time, YYMMDDhhmmss (SMPP 3.4 §7.1.1).
    let reported = name.get() == "final_date" && text.len() == 12 && text.iter().all(u8::is_ascii_digit);
    // A text that is too long was already reported as such.
    is_time(text) || reported || text.len() > 16
}

impl Emit for Time<'_> {
    #[inline]
    fn emit<S: Sink>(&self, out: &mut S) {
        self.emit_after(PendingOctets::default(), out).flush(out);
    }

    #[inline(always)]
    fn emit_after<S: Sink>(&self, pending: PendingOctets, out: &mut S) -> PendingOctets {
        emit_c_octet_string(pending, self.0, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_sixteen_characters_in_their_ranges() {
        let good = [
            "261231235959948+",
            "260101000000000-",
            "020610233429000R",
            "000000000000000R",
            "991231235959999R",
        ];
        for time in good {
            assert!(is_time(time.as_bytes()), "{time}");
        }
        let bad = [
            "",
            "26123123595994+",
            "2612312359599480+",
            "2612312359599x8+",
            "261331235959948+",
            "260001235959948+",
            "260132235959948+",
            "260100235959948+",
            "260131245959948+",
            "260131236059948+",
            "260131235960948+",
            "260131235959949+",
            "260131235959948Z",
            "001300000000000R",
            "000032000000000R",
            "000000240000000R",
        ];
        for time in bad {
            assert!(!is_time(time.as_bytes()), "{time}");
        }
        assert_eq!(Time::new(b"26"), Err(InvalidOctets::Time));
        assert_eq!(Time::new(b""), Ok(Time::EMPTY));
    }
}
