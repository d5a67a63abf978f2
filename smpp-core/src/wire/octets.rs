//! Strings: NUL-terminated ones and counted ones (SMPP 3.4 §3.1).

use core::fmt;

use nom::Parser;
use nom::bytes::complete::{take, take_till};
use nom::number::complete::be_u8;

use super::{DecodeErrorKind, Emit, Fault, Parse, Parsed, Quirks, Reader, Sink};

/// A C-Octet String: at most `MAX` octets, the NUL included (SMPP 3.4 §3.1).
///
/// [`new`](Self::new) keeps to the limit, so what is built here always encodes. A value read from a
/// tolerated peer may be longer; [`Quirks::LONG_STRING`] said so.
///
/// ```
/// use smpp_core::COctets;
/// let system_id: COctets<16> = "SMPP3TEST".try_into()?;
/// assert_eq!(system_id.as_bytes(), b"SMPP3TEST");
/// assert!(COctets::<16>::new(b"sixteen-octets-!").is_err(), "no room for the NUL");
/// # Ok::<(), smpp_core::InvalidOctets>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct COctets<'a, const MAX: usize>(&'a [u8]);

/// An Octet String counted by one octet before it: at most `MAX` octets, any values (SMPP 3.4 §3.1).
///
/// This is `sm_length` and `short_message` in one.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Octets<'a, const MAX: usize>(&'a [u8]);

/// The password of a bind. `Debug` hides it.
///
/// SMPP 3.4 §5.2.2 allows 8 octets; providers issue longer ones, so up to 64 can be sent. A strict peer
/// answers `ESME_RINVPASWD` to more than 8.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Password<'a>(&'a [u8]);

/// Octets that the field cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidOctets {
    /// More octets than the field takes.
    TooLong {
        /// Octets given.
        length: usize,
        /// Octets the field takes, its NUL not counted.
        limit: usize,
    },
    /// A NUL inside a NUL-terminated string.
    Nul {
        /// Where it is.
        at: usize,
    },
    /// A character that an address of this kind does not take.
    Character {
        /// Where it is.
        at: usize,
    },
    /// No digits at all.
    Empty,
}

impl fmt::Display for InvalidOctets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { length, limit } => write!(f, "{length} octets where at most {limit} fit"),
            Self::Nul { at } => write!(f, "a NUL at octet {at} would end the string"),
            Self::Character { at } => write!(f, "the character at octet {at} does not belong in an address"),
            Self::Empty => f.write_str("the address is empty"),
        }
    }
}

impl core::error::Error for InvalidOctets {}

impl<'a, const MAX: usize> COctets<'a, MAX> {
    /// The empty string: one NUL on the wire.
    pub const EMPTY: Self = Self(&[]);

    /// A string of fewer than `MAX` octets without NUL.
    pub fn new(octets: &'a [u8]) -> Result<Self, InvalidOctets> {
        check(octets, MAX.saturating_sub(1)).map(|()| Self(octets))
    }

    /// The octets, without the NUL.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// The text, where the octets are UTF-8 (ASCII, by the specification).
    pub fn to_str(&self) -> Option<&'a str> {
        core::str::from_utf8(self.0).ok()
    }

    /// Whether only the NUL is on the wire.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a, const MAX: usize> Octets<'a, MAX> {
    /// No octets: a length of zero on the wire.
    pub const EMPTY: Self = Self(&[]);

    /// At most `MAX` octets.
    pub fn new(octets: &'a [u8]) -> Result<Self, InvalidOctets> {
        let limit = if MAX < 255 { MAX } else { 255 };
        if octets.len() > limit {
            return Err(InvalidOctets::TooLong { length: octets.len(), limit });
        }
        Ok(Self(octets))
    }

    /// The octets.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Whether the length is zero.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Password<'a> {
    /// Octets that SMPP 3.4 §5.2.2 allows.
    pub const SPECIFIED: usize = 8;
    /// Octets that can be sent.
    pub const LIMIT: usize = 64;

    /// A password of at most [`LIMIT`](Self::LIMIT) octets without NUL.
    pub fn new(octets: &'a [u8]) -> Result<Self, InvalidOctets> {
        check(octets, Self::LIMIT).map(|()| Self(octets))
    }

    /// The secret itself: compare it, do not print it.
    pub const fn reveal(&self) -> &'a [u8] {
        self.0
    }

    /// Whether the password is `other`, in a time that depends on the lengths alone.
    pub fn equals(&self, other: &[u8]) -> bool {
        let differing = self.0.iter().zip(other).fold(0, |differing, (a, b)| differing | (a ^ b));
        self.0.len() == other.len() && core::hint::black_box(differing) == 0
    }
}

fn check(octets: &[u8], limit: usize) -> Result<(), InvalidOctets> {
    if octets.len() > limit {
        return Err(InvalidOctets::TooLong { length: octets.len(), limit });
    }
    octets.iter().position(|&octet| octet == 0).map_or(Ok(()), |at| Err(InvalidOctets::Nul { at }))
}

impl<const MAX: usize> fmt::Debug for COctets<'_, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// Shows octets outside printable ASCII as escapes, so that a log line stays a line.
impl<const MAX: usize> fmt::Display for COctets<'_, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl<const MAX: usize> fmt::Debug for Octets<'_, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl fmt::Debug for Password<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "\"\"" } else { "***" })
    }
}

impl<'a, const MAX: usize> TryFrom<&'a str> for COctets<'a, MAX> {
    type Error = InvalidOctets;

    fn try_from(text: &'a str) -> Result<Self, InvalidOctets> {
        Self::new(text.as_bytes())
    }
}

impl<'a, const MAX: usize> TryFrom<&'a [u8]> for Octets<'a, MAX> {
    type Error = InvalidOctets;

    fn try_from(octets: &'a [u8]) -> Result<Self, InvalidOctets> {
        Self::new(octets)
    }
}

impl<'a> TryFrom<&'a str> for Password<'a> {
    type Error = InvalidOctets;

    fn try_from(text: &'a str) -> Result<Self, InvalidOctets> {
        Self::new(text.as_bytes())
    }
}

impl<'a, const MAX: usize> Parse<'a> for COctets<'a, MAX> {
    #[inline]
    fn parse(reader: &mut Reader, field: &'static str, input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, octets) = c_octets(reader, field, MAX, input)?;
        Ok((input, Self(octets)))
    }
}

impl<const MAX: usize> Emit for COctets<'_, MAX> {
    #[inline]
    fn emit<S: Sink>(&self, out: &mut S) {
        out.put(self.0);
        out.put(&[0]);
    }
}

impl<'a> Parse<'a> for Password<'a> {
    fn parse(reader: &mut Reader, field: &'static str, input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, octets) = c_octets(reader, field, Self::SPECIFIED + 1, input)?;
        Ok((input, Self(octets)))
    }
}

impl Emit for Password<'_> {
    fn emit<S: Sink>(&self, out: &mut S) {
        out.put(self.0);
        out.put(&[0]);
    }
}

/// Octets up to a NUL, at most `max` with it: `*(%x01-FF) %x00`.
#[inline]
fn c_octets<'a>(
    reader: &mut Reader,
    field: &'static str,
    max: usize,
    input: &'a [u8],
) -> Parsed<'a, &'a [u8]> {
    let (rest, octets): (&[u8], &[u8]) = take_till::<_, _, Fault>(|octet| octet == 0).parse(input)?;
    let Ok((rest, _)) = take::<_, _, Fault>(1_usize).parse(rest) else {
        return unterminated(reader, field, max, input);
    };
    if octets.len() >= max && !reader.tolerates(Quirks::LONG_STRING) {
        return Fault::new(field, input, DecodeErrorKind::TooLong);
    }
    Ok((rest, octets))
}

/// The string runs to the end of the PDU. That is read only where nothing can have been lost: an absent
/// `address_range` of a bind, or the `message_id` or `system_id` that ends a response.
#[cold]
fn unterminated<'a>(
    reader: &mut Reader,
    field: &'static str,
    max: usize,
    input: &'a [u8],
) -> Parsed<'a, &'a [u8]> {
    let tolerated = match field {
        "address_range" => input.is_empty() && reader.tolerates(Quirks::ABSENT_ADDRESS_RANGE),
        "message_id" | "system_id" if reader.command.is_response() => {
            input.len() < max && reader.tolerates(Quirks::UNTERMINATED_STRING)
        }
        _ => false,
    };
    if tolerated {
        return Ok((&[], input));
    }
    Fault::new(field, input, DecodeErrorKind::Unterminated)
}

impl<'a, const MAX: usize> Parse<'a> for Octets<'a, MAX> {
    /// `length octets`, counted by the first octet.
    #[inline]
    fn parse(reader: &mut Reader, _: &'static str, input: &'a [u8]) -> Parsed<'a, Self> {
        let name = |error| Fault::rename(error, "sm_length");
        let (rest, length) = be_u8.parse(input).map_err(name)?;
        let Ok((rest, octets)) = take::<_, _, Fault>(length).parse(rest) else {
            return Fault::new("sm_length", input, DecodeErrorKind::LengthOverrun);
        };
        if octets.len() > MAX && !reader.tolerates(Quirks::LONG_SHORT_MESSAGE) {
            return Fault::new("sm_length", input, DecodeErrorKind::TooLong);
        }
        Ok((rest, Self(octets)))
    }
}

impl<const MAX: usize> Emit for Octets<'_, MAX> {
    #[inline]
    fn emit<S: Sink>(&self, out: &mut S) {
        // At most 255 octets: `new` checks it, and a parsed value was counted by one octet.
        out.put(&[self.0.len() as u8]);
        out.put(self.0);
    }
}
