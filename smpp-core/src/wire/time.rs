//! Times, as text (SMPP 3.4 §7.1).

use core::fmt;

use super::octets::{c_octets, c_octets_behind};
use super::{DecodeErrorKind, Emit, InvalidOctets, Name, Parse, Parsed, Quirks, Reader, Run, Sink, Watch};

/// A time: empty, or sixteen characters `YYMMDDhhmmsstnnp` (SMPP 3.4 §7.1.1).
///
/// `p` says what the digits are: `+` or `-`, a point in local time that is `nn` quarters of an hour ahead of UTC or
/// behind it; `R`, a span from the SMSC's now.
///
/// [`new`](Self::new) takes nothing else, so what is built here is always a time. A value read from a tolerated
/// peer may be anything; [`Quirks::TIME_FORMAT`] said so. [`sms::time`](crate::sms::time) has its value, and writes
/// one.
///
/// ```
/// use smpp_core::Time;
/// let tomorrow: Time = "000001000000000R".try_into()?;
/// let christmas: Time = "261224180000004+".try_into()?;
/// assert!(Time::new(b"261324180000004+").is_err(), "there is no month 13");
/// # Ok::<(), smpp_core::InvalidOctets>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Time<'a>(&'a [u8]);

impl<'a> Time<'a> {
    /// No time: at once, or the SMSC's default.
    pub const EMPTY: Self = Self(&[]);

    /// A time of sixteen characters, or none.
    pub fn new(text: &'a [u8]) -> Result<Self, InvalidOctets> {
        if text.is_empty() || is_time(text) { Ok(Self(text)) } else { Err(InvalidOctets::Time) }
    }

    /// Sixteen characters that are known to be a time.
    pub(crate) const fn encoded(text: &'a [u8; 16]) -> Self {
        Self(text)
    }

    /// The characters, without the NUL.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// The text, where the octets are UTF-8 (ASCII, by the specification).
    pub fn to_str(&self) -> Option<&'a str> {
        core::str::from_utf8(self.0).ok()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether the text is `YYMMDDhhmmsstnnp` with each number in its range.
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
        // A span; tenths and quarters are not looked at.
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
    type Found = Self;

    #[inline(always)]
    fn find<W: Watch>(reader: &mut Reader<'_, W>, name: Name, input: &'a [u8]) -> Parsed<'a, Self> {
        let (rest, text) = c_octets(reader, name, 17, input)?;
        reader.watch.field(name.get(), &Self(text), input, rest);
        if !text.is_empty() && !is_readable(name, text) {
            reader.deviation(Quirks::TIME_FORMAT, name.get(), input, DecodeErrorKind::Time)?;
        }
        Ok((rest, Self(text)))
    }
}

/// Whether nothing is to be said about the text. Most times are empty: this is not for the others to wait for.
#[inline(never)]
fn is_readable(name: Name, text: &[u8]) -> bool {
    // What an SMSC reports may be local time, YYMMDDhhmmss (SMPP 3.4 §7.1.1).
    let reported = name.get() == "final_date" && text.len() == 12 && text.iter().all(u8::is_ascii_digit);
    // One that is too long was told as that.
    is_time(text) || reported || text.len() > 16
}

impl Emit for Time<'_> {
    #[inline]
    fn emit<S: Sink>(&self, out: &mut S) {
        self.emit_behind(Run::default(), out).flush(out);
    }

    #[inline(always)]
    fn emit_behind<S: Sink>(&self, run: Run, out: &mut S) -> Run {
        c_octets_behind(run, self.0, out)
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
