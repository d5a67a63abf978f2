//! Strings: NUL-terminated ones and counted ones (SMPP 3.4 §3.1).

use core::fmt;

use nom::Parser;
use nom::bytes::complete::{tag, take_till};
use nom::sequence::terminated;

use super::{DecodeErrorKind, Emit, Name, Parse, Parsed, Quirks, Reader, Run, Sink, Stop, Watch, octet};

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
#[derive(Clone, Copy, Default)]
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
    /// Fewer octets than the field takes.
    TooShort {
        /// Octets given.
        length: usize,
        /// Octets the field takes at least.
        least: usize,
    },
    /// A NUL inside a NUL-terminated string.
    Nul {
        /// Where it is.
        at: usize,
    },
    /// A character that does not belong there.
    Character {
        /// Where it is.
        at: usize,
    },
    /// No digits at all.
    Empty,
    /// Not a time (SMPP 3.4 §7.1).
    Time,
}

impl fmt::Display for InvalidOctets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { length, limit } => write!(f, "{length} octets where at most {limit} fit"),
            Self::TooShort { length, least } => {
                write!(f, "{length} octets where at least {least} are wanted")
            }
            Self::Nul { at } => write!(f, "a NUL at octet {at} would end the string"),
            Self::Character { at } => write!(f, "the character at octet {at} does not belong there"),
            Self::Empty => f.write_str("the address is empty"),
            Self::Time => f.write_str("neither empty nor a time as YYMMDDhhmmsstnnp"),
        }
    }
}

impl core::error::Error for InvalidOctets {}

impl<'a, const MAX: usize> COctets<'a, MAX> {
    /// One that was read before.
    pub(crate) const fn kept(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    /// The empty string: one NUL on the wire.
    pub const EMPTY: Self = Self(&[]);

    /// A string of fewer than `MAX` octets without NUL.
    pub const fn new(octets: &'a [u8]) -> Result<Self, InvalidOctets> {
        match check(octets, MAX.saturating_sub(1)) {
            Ok(()) => Ok(Self(octets)),
            Err(error) => Err(error),
        }
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

/// As [`Password::equals`].
impl PartialEq for Password<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.equals(other.0)
    }
}

impl Eq for Password<'_> {}

/// Whether `octets` can be a NUL-terminated string of at most `limit` octets, the NUL not counted.
pub(crate) const fn check(octets: &[u8], limit: usize) -> Result<(), InvalidOctets> {
    let length = octets.len();
    if length > limit {
        return Err(InvalidOctets::TooLong { length, limit });
    }
    let mut rest = octets;
    while let [octet, after @ ..] = rest {
        if *octet == 0 {
            return Err(InvalidOctets::Nul { at: length - rest.len() });
        }
        rest = after;
    }
    Ok(())
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

/// What fits 20 octets fits 64.
impl<'a> From<COctets<'a, 21>> for COctets<'a, 65> {
    fn from(string: COctets<'a, 21>) -> Self {
        Self(string.0)
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
    type Found = Self;

    #[inline(always)]
    fn find<W: Watch>(reader: &mut Reader<'_, W>, name: Name, input: &'a [u8]) -> Parsed<'a, Self> {
        let (rest, octets) = c_octets(reader, name, MAX, input)?;
        reader.watch.field(name.get(), &Self(octets), input, rest);
        Ok((rest, Self(octets)))
    }
}

impl<const MAX: usize> Emit for COctets<'_, MAX> {
    #[inline]
    fn emit<S: Sink>(&self, out: &mut S) {
        self.emit_behind(Run::default(), out).flush(out);
    }

    #[inline(always)]
    fn emit_behind<S: Sink>(&self, run: Run, out: &mut S) -> Run {
        c_octets_behind(run, self.0, out)
    }
}

impl<'a> Parse<'a> for Password<'a> {
    type Found = Self;

    #[inline(always)]
    fn find<W: Watch>(reader: &mut Reader<'_, W>, name: Name, input: &'a [u8]) -> Parsed<'a, Self> {
        let (rest, octets) = c_octets(reader, name, Self::SPECIFIED + 1, input)?;
        reader.watch.field(name.get(), &Self(octets), input, rest);
        Ok((rest, Self(octets)))
    }
}

impl Emit for Password<'_> {
    #[inline]
    fn emit<S: Sink>(&self, out: &mut S) {
        self.emit_behind(Run::default(), out).flush(out);
    }

    #[inline(always)]
    fn emit_behind<S: Sink>(&self, run: Run, out: &mut S) -> Run {
        c_octets_behind(run, self.0, out)
    }
}

/// Most strings of a PDU are empty: no copy then.
#[inline(always)]
pub(super) fn c_octets_behind<S: Sink>(run: Run, octets: &[u8], out: &mut S) -> Run {
    run.flush(out);
    if !octets.is_empty() {
        out.put(octets);
    }
    Run::NUL
}

/// Octets up to a NUL, at most `max` with it: `*(%x01-7F) %x00`.
#[inline(always)]
pub(super) fn c_octets<'a, W: Watch>(
    reader: &mut Reader<'_, W>,
    name: Name,
    max: usize,
    input: &'a [u8],
) -> Parsed<'a, &'a [u8]> {
    if let [0, rest @ ..] = input {
        // Empty where it is: one pointer less to keep.
        return Ok((rest, input.get(..0).unwrap_or_default()));
    }
    let (octets, rest) = match input.split_at_checked(ascii(input)) {
        Some((octets, [0, rest @ ..])) => (octets, rest),
        _ if W::HASTY => return Err(nom::Err::Error(Stop)),
        _ => match terminated(take_till(|octet| octet == 0), tag::<_, _, Stop>(&[0][..])).parse(input) {
            Ok((rest, octets)) => (octets, rest),
            Err(_) => return unterminated(reader, name, max, input).map(|()| (&[][..], input)),
        },
    };
    if octets.len() >= max {
        reader.deviation(Quirks::LONG_STRING, name.get(), input, DecodeErrorKind::TooLong)?;
    }
    if !W::HASTY && !octets.is_ascii() {
        reader.deviation(Quirks::NON_ASCII, name.get(), input, DecodeErrorKind::NonAscii)?;
    }
    Ok((rest, octets))
}

/// How many octets stand before the first that is NUL, or no ASCII.
///
/// It looks at eight octets at a time, which takes a tenth of the branches that a loop over octets takes.
#[inline(always)]
fn ascii(input: &[u8]) -> usize {
    let mut rest = input;
    while let Some((word, after)) = rest.split_first_chunk() {
        let ends = ends(u64::from_le_bytes(*word));
        if ends != 0 {
            return input.len() - rest.len() + ends.trailing_zeros() as usize / 8;
        }
        rest = after;
    }
    match input.last_chunk() {
        // Nothing ends in those of the last eight that were looked at before.
        Some(last) => input.len() - last.len() + first(u64::from_le_bytes(*last)),
        None => in_short(input),
    }
}

/// The first octet of eight that is NUL, or no ASCII; 8 if there is none.
#[inline(always)]
fn first(word: u64) -> usize {
    ends(word).trailing_zeros() as usize / 8
}

/// The lowest bit that is set marks the first octet that is NUL, or no ASCII; higher ones may be mistaken.
#[inline(always)]
fn ends(word: u64) -> u64 {
    (word.wrapping_sub(u64::from_ne_bytes([0x01; 8])) | word) & u64::from_ne_bytes([0x80; 8])
}

/// As [`ascii`], of at most seven octets.
#[inline(never)]
fn in_short(input: &[u8]) -> usize {
    // Zeros stand for what is missing.
    first(input.iter().rev().fold(0, |word, octet| word << 8 | u64::from(*octet)))
}

/// The PDU ends within a string. Where nothing can have been lost, its end stands for the NUL.
#[cold]
#[inline(never)]
fn unterminated<W: Watch>(
    reader: &mut Reader<'_, W>,
    name: Name,
    max: usize,
    input: &[u8],
) -> Result<(), nom::Err<Stop>> {
    let tolerated = match name.get() {
        "address_range" => input.is_empty() && reader.tolerates(Quirks::ABSENT_ADDRESS_RANGE),
        "message_id" | "system_id" if reader.header().command.is_response() => {
            input.len() < max && reader.tolerates(Quirks::UNTERMINATED_STRING)
        }
        _ => false,
    };
    if !tolerated {
        return Err(reader.stop(name.get(), input, DecodeErrorKind::Unterminated));
    }
    if input.is_ascii() {
        return Ok(());
    }
    reader.deviation(Quirks::NON_ASCII, name.get(), input, DecodeErrorKind::NonAscii)
}

impl<'a, const MAX: usize> Parse<'a> for Octets<'a, MAX> {
    type Found = Self;

    /// `length octets`, counted by the first octet.
    #[inline(always)]
    fn find<W: Watch>(reader: &mut Reader<'_, W>, name: Name, input: &'a [u8]) -> Parsed<'a, Self> {
        let (counted, length) = octet(reader, name, input)?;
        let Some((octets, rest)) = counted.split_at_checked((*length).into()) else {
            return Err(reader.stop(name.get(), input, DecodeErrorKind::LengthOverrun));
        };
        reader.watch.field(name.get(), length, input, counted);
        reader.watch.field(name.part(1).get(), &Self(octets), counted, rest);
        if octets.len() > MAX {
            let kind = DecodeErrorKind::TooLong;
            reader.deviation(Quirks::LONG_SHORT_MESSAGE, name.get(), input, kind)?;
        }
        reader.has_text = !octets.is_empty();
        Ok((rest, Self(octets)))
    }
}

impl<const MAX: usize> Emit for Octets<'_, MAX> {
    #[inline]
    fn emit<S: Sink>(&self, out: &mut S) {
        self.emit_behind(Run::default(), out).flush(out);
    }

    #[inline(always)]
    fn emit_behind<S: Sink>(&self, run: Run, out: &mut S) -> Run {
        // At most 255 octets: `new` checks it, and a parsed value was counted by one octet.
        run.octet(self.0.len() as u8, out).flush(out);
        if !self.0.is_empty() {
            out.put(self.0);
        }
        Run::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_ends_before_the_first_octet_that_is_nul_or_above_0x7f() {
        for length in 0..30 {
            for filling in [1, b'x', 0x7F] {
                let all = [filling; 30];
                assert_eq!(ascii(&all[..length]), length);
                for (at, end) in (0..length).flat_map(|at| [0, 0x80, 0x81, 0xFF].map(|end| (at, end))) {
                    for behind in [filling, 0, 0x80] {
                        let mut octets = all;
                        octets[at] = end;
                        octets[at + 1..length].fill(behind);
                        assert_eq!(ascii(&octets[..length]), at, "{:x?}", &octets[..length]);
                    }
                }
            }
        }
    }
}
