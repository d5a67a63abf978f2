//! NUL-terminated and counted strings (SMPP 3.4 §3.1).

use core::fmt;

use nom::Parser;
use nom::bytes::complete::{tag, take_till};
use nom::sequence::terminated;

use super::error::{DecodeErrorKind, ParseFailed, Parsed};
use super::name::FieldName;
use super::quirks::Quirks;
use super::reader::{FieldVisitor, Parse, Reader, octet};
use super::sink::{Emit, PendingOctets, Sink};

/// A NUL-terminated string (C-Octet String): at most `MAX` octets, including the NUL (SMPP 3.4 §3.1).
///
/// [`new`](Self::new) checks the limit, so encoding cannot fail. A received value may be longer if the deviation is
/// tolerated; [`Quirks::LONG_STRING`] is then reported with the PDU.
///
/// ```
/// use smpp_proto::COctets;
/// let system_id: COctets<16> = "SMPP3TEST".try_into()?;
/// assert_eq!(system_id.as_bytes(), b"SMPP3TEST");
/// assert!(COctets::<16>::new(b"sixteen-octets-!").is_err(), "no room for the NUL");
/// # Ok::<(), smpp_proto::InvalidOctets>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct COctets<'a, const MAX: usize>(&'a [u8]);

/// A counted string (Octet String): one octet for the length, then at most `MAX` octets of any value
/// (SMPP 3.4 §3.1).
///
/// It covers two fields of the specification, such as `sm_length` and `short_message`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Octets<'a, const MAX: usize>(&'a [u8]);

/// The password of a bind. `Debug` and `serde` output hide it.
///
/// SMPP 3.4 §5.2.2 allows 8 octets. Providers issue longer passwords, so up to 64 octets can be sent. A strict peer
/// rejects more than 8 octets with `ESME_RINVPASWD`.
///
/// ```
/// use smpp_proto::Password;
/// let password = Password::new(b"s3cret")?;
/// assert!(password.equals(b"s3cret"));
/// assert_eq!(format!("{password:?}"), "***");
/// # Ok::<(), smpp_proto::InvalidOctets>(())
/// ```
#[derive(Clone, Copy, Default)]
pub struct Password<'a>(&'a [u8]);

/// A value that a field cannot hold: returned when the application builds a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidOctets {
    /// The value is too long.
    TooLong {
        /// The length of the value, in octets; in items for a [`List`](crate::List).
        length: usize,
        /// The maximum length, not counting a NUL at the end.
        limit: usize,
    },
    /// The value is too short.
    TooShort {
        /// The length of the value, in octets.
        length: usize,
        /// The minimum length, in octets.
        minimum: usize,
    },
    /// A NUL-terminated string contains a NUL.
    Nul {
        /// The index of the NUL, in octets from the start of the value.
        at: usize,
    },
    /// An address contains a character that its type does not allow.
    Character {
        /// The index of the character, in octets from the start of the value.
        at: usize,
    },
    /// An address has no characters.
    Empty,
    /// The value is not a time in the format of SMPP 3.4 §7.1.
    Time,
}

impl fmt::Display for InvalidOctets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { length, limit } => {
                write!(f, "the value has length {length}, but the field allows at most {limit}: shorten it")
            }
            Self::TooShort { length, minimum } => {
                write!(
                    f,
                    "the value has length {length}, but the field requires at least {minimum}: lengthen it"
                )
            }
            Self::Nul { at } => {
                write!(f, "the value has a NUL at octet {at}, which would end the string there: remove it")
            }
            Self::Character { at } => write!(
                f,
                "the address has a character at octet {at} that its type does not allow: use digits for an \
                 international number, printable ASCII for an alphanumeric sender"
            ),
            Self::Empty => f.write_str("the address is empty: give at least one character"),
            Self::Time => f.write_str(
                "the value is not a time: leave it empty, or give 16 characters as YYMMDDhhmmsstnnp",
            ),
        }
    }
}

impl core::error::Error for InvalidOctets {}

impl<'a, const MAX: usize> COctets<'a, MAX> {
    /// Returns a string of octets that come from a decoded string.
    pub(crate) const fn from_valid(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    /// The empty string. It is encoded as one NUL.
    pub const EMPTY: Self = Self(&[]);

    /// Returns a string of these octets, without the NUL at the end.
    ///
    /// # Errors
    ///
    /// [`InvalidOctets::TooLong`] from `MAX` octets on, [`InvalidOctets::Nul`] if there is a NUL among them.
    pub const fn new(octets: &'a [u8]) -> Result<Self, InvalidOctets> {
        match check(octets, MAX.saturating_sub(1)) {
            Ok(()) => Ok(Self(octets)),
            Err(error) => Err(error),
        }
    }

    /// Returns the octets, without the NUL.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Returns the octets as text, or `None` if they are not UTF-8. The specification allows only ASCII.
    pub fn to_str(&self) -> Option<&'a str> {
        core::str::from_utf8(self.0).ok()
    }

    /// Returns whether the string is empty.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a, const MAX: usize> Octets<'a, MAX> {
    /// The empty string. It is encoded as a length of zero.
    pub const EMPTY: Self = Self(&[]);

    /// Returns a string of these octets.
    ///
    /// # Errors
    ///
    /// [`InvalidOctets::TooLong`] above `MAX` octets, or above 255.
    pub fn new(octets: &'a [u8]) -> Result<Self, InvalidOctets> {
        let limit = if MAX < 255 { MAX } else { 255 };
        if octets.len() > limit {
            return Err(InvalidOctets::TooLong { length: octets.len(), limit });
        }
        Ok(Self(octets))
    }

    /// Returns the octets.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Returns whether the string is empty.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Password<'a> {
    /// The maximum length that SMPP 3.4 §5.2.2 allows, in octets.
    pub const SPECIFIED: usize = 8;
    /// The maximum length that can be sent, in octets.
    pub const LIMIT: usize = 64;

    /// Returns a password of these octets.
    ///
    /// # Errors
    ///
    /// [`InvalidOctets::TooLong`] above [`LIMIT`](Self::LIMIT) octets, [`InvalidOctets::Nul`] if there is a NUL among
    /// them.
    pub fn new(octets: &'a [u8]) -> Result<Self, InvalidOctets> {
        check(octets, Self::LIMIT).map(|()| Self(octets))
    }

    /// Returns the secret octets. Do not print or log them.
    pub const fn reveal(&self) -> &'a [u8] {
        self.0
    }

    /// Returns whether the password equals `other`. The comparison takes a time that depends only on the lengths.
    pub fn equals(&self, other: &[u8]) -> bool {
        let differing = self.0.iter().zip(other).fold(0, |differing, (a, b)| differing | (a ^ b));
        self.0.len() == other.len() && core::hint::black_box(differing) == 0
    }
}

/// Compares as [`Password::equals`] does.
impl PartialEq for Password<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.equals(other.0)
    }
}

impl Eq for Password<'_> {}

/// Checks that `octets` can be a NUL-terminated string of at most `limit` octets, not counting the NUL.
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

/// Shows octets outside printable ASCII as escapes, so that the value never breaks a log line.
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

/// Every string of at most 20 octets also fits a field of 64.
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
    type Located = Self;

    #[inline(always)]
    fn locate<V: FieldVisitor>(
        reader: &mut Reader<'_, V>,
        name: FieldName,
        input: &'a [u8],
    ) -> Parsed<'a, Self> {
        let (rest, octets) = c_octet_string(reader, name, MAX, input)?;
        reader.visitor.visit(name.get(), &Self(octets), input, rest);
        Ok((rest, Self(octets)))
    }
}

impl<const MAX: usize> Emit for COctets<'_, MAX> {
    #[inline]
    fn emit<S: Sink>(&self, out: &mut S) {
        self.emit_after(PendingOctets::default(), out).flush(out);
    }

    #[inline(always)]
    fn emit_after<S: Sink>(&self, pending: PendingOctets, out: &mut S) -> PendingOctets {
        emit_c_octet_string(pending, self.0, out)
    }
}

impl<'a> Parse<'a> for Password<'a> {
    type Located = Self;

    #[inline(always)]
    fn locate<V: FieldVisitor>(
        reader: &mut Reader<'_, V>,
        name: FieldName,
        input: &'a [u8],
    ) -> Parsed<'a, Self> {
        let (rest, octets) = c_octet_string(reader, name, Self::SPECIFIED + 1, input)?;
        reader.visitor.visit(name.get(), &Self(octets), input, rest);
        Ok((rest, Self(octets)))
    }
}

impl Emit for Password<'_> {
    #[inline]
    fn emit<S: Sink>(&self, out: &mut S) {
        self.emit_after(PendingOctets::default(), out).flush(out);
    }

    #[inline(always)]
    fn emit_after<S: Sink>(&self, pending: PendingOctets, out: &mut S) -> PendingOctets {
        emit_c_octet_string(pending, self.0, out)
    }
}

/// Emits a NUL-terminated string. Most strings of a PDU are empty; those need no copy.
#[inline(always)]
pub(super) fn emit_c_octet_string<S: Sink>(
    pending: PendingOctets,
    octets: &[u8],
    out: &mut S,
) -> PendingOctets {
    pending.flush(out);
    if !octets.is_empty() {
        out.put(octets);
    }
    PendingOctets::NUL
}

/// Reads a NUL-terminated string of at most `max` octets, including the NUL: `*(%x01-7F) %x00`.
#[inline(always)]
pub(super) fn c_octet_string<'a, V: FieldVisitor>(
    reader: &mut Reader<'_, V>,
    name: FieldName,
    max: usize,
    input: &'a [u8],
) -> Parsed<'a, &'a [u8]> {
    if let [0, rest @ ..] = input {
        // An empty slice of `input` itself: a pointer less to keep in a register.
        return Ok((rest, input.get(..0).unwrap_or_default()));
    }
    let (octets, rest) = match input.split_at_checked(ascii_length(input)) {
        Some((octets, [0, rest @ ..])) => (octets, rest),
        _ if V::FAST_PATH => return Err(nom::Err::Error(ParseFailed)),
        _ => match terminated(take_till(|octet| octet == 0), tag::<_, _, ParseFailed>(&[0][..])).parse(input)
        {
            Ok((rest, octets)) => (octets, rest),
            Err(_) => return unterminated(reader, name, max, input).map(|()| (&[][..], input)),
        },
    };
    if octets.len() >= max {
        reader.tolerate_or_fail(Quirks::LONG_STRING, name.get(), input, DecodeErrorKind::TooLong)?;
    }
    if !V::FAST_PATH && !octets.is_ascii() {
        reader.tolerate_or_fail(Quirks::NON_ASCII, name.get(), input, DecodeErrorKind::NonAscii)?;
    }
    Ok((rest, octets))
}

/// Returns the number of octets before the first that is NUL or not ASCII.
///
/// It checks eight octets at a time, which takes a tenth of the branches of a loop over octets.
#[inline(always)]
fn ascii_length(input: &[u8]) -> usize {
    let mut rest = input;
    while let Some((word, after)) = rest.split_first_chunk() {
        let markers = end_markers(u64::from_le_bytes(*word));
        if markers != 0 {
            return input.len() - rest.len() + markers.trailing_zeros() as usize / 8;
        }
        rest = after;
    }
    match input.last_chunk() {
        // The last eight octets may overlap octets that the loop checked already: those contain no end.
        Some(last) => input.len() - last.len() + first_end(u64::from_le_bytes(*last)),
        None => ascii_length_short(input),
    }
}

/// Returns the index of the first octet of eight that is NUL or not ASCII, or 8 if there is none.
#[inline(always)]
fn first_end(word: u64) -> usize {
    end_markers(word).trailing_zeros() as usize / 8
}

/// Returns a number whose lowest set bit marks the first octet that is NUL or not ASCII. Higher bits may be wrong.
#[inline(always)]
fn end_markers(word: u64) -> u64 {
    (word.wrapping_sub(u64::from_ne_bytes([0x01; 8])) | word) & u64::from_ne_bytes([0x80; 8])
}

/// As [`ascii_length`], for at most seven octets.
#[inline(never)]
fn ascii_length_short(input: &[u8]) -> usize {
    // Zeros replace the missing octets.
    first_end(input.iter().rev().fold(0, |word, octet| word << 8 | u64::from(*octet)))
}

/// Handles a string without NUL before the end of the PDU. It is tolerated only in fields where no data can have
/// been lost: there the end of the PDU counts as the NUL.
#[cold]
#[inline(never)]
fn unterminated<V: FieldVisitor>(
    reader: &mut Reader<'_, V>,
    name: FieldName,
    max: usize,
    input: &[u8],
) -> Result<(), nom::Err<ParseFailed>> {
    let tolerated = match name.get() {
        "address_range" => input.is_empty() && reader.tolerate(Quirks::ABSENT_ADDRESS_RANGE),
        "message_id" | "system_id" if reader.header().command.is_response() => {
            input.len() < max && reader.tolerate(Quirks::UNTERMINATED_STRING)
        }
        _ => false,
    };
    if !tolerated {
        return Err(reader.fail(name.get(), input, DecodeErrorKind::Unterminated));
    }
    if input.is_ascii() {
        return Ok(());
    }
    reader.tolerate_or_fail(Quirks::NON_ASCII, name.get(), input, DecodeErrorKind::NonAscii)
}

impl<'a, const MAX: usize> Parse<'a> for Octets<'a, MAX> {
    type Located = Self;

    /// `length octets`: the first octet counts the others.
    #[inline(always)]
    fn locate<V: FieldVisitor>(
        reader: &mut Reader<'_, V>,
        name: FieldName,
        input: &'a [u8],
    ) -> Parsed<'a, Self> {
        let (counted, length) = octet(reader, name, input)?;
        let Some((octets, rest)) = counted.split_at_checked((*length).into()) else {
            return Err(reader.fail(name.get(), input, DecodeErrorKind::LengthOverrun));
        };
        reader.visitor.visit(name.get(), length, input, counted);
        reader.visitor.visit(name.part(1).get(), &Self(octets), counted, rest);
        if octets.len() > MAX {
            let kind = DecodeErrorKind::TooLong;
            reader.tolerate_or_fail(Quirks::LONG_SHORT_MESSAGE, name.get(), input, kind)?;
        }
        reader.has_text = !octets.is_empty();
        Ok((rest, Self(octets)))
    }
}

impl<const MAX: usize> Emit for Octets<'_, MAX> {
    #[inline]
    fn emit<S: Sink>(&self, out: &mut S) {
        self.emit_after(PendingOctets::default(), out).flush(out);
    }

    #[inline(always)]
    fn emit_after<S: Sink>(&self, pending: PendingOctets, out: &mut S) -> PendingOctets {
        // There are at most 255 octets: `new` checks it, and one octet counts a received value.
        pending.octet(self.0.len() as u8, out).flush(out);
        if !self.0.is_empty() {
            out.put(self.0);
        }
        PendingOctets::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_length_stops_before_the_first_octet_that_is_nul_or_above_0x7f() {
        for length in 0..30 {
            for filling in [1, b'x', 0x7F] {
                let all = [filling; 30];
                assert_eq!(ascii_length(&all[..length]), length);
                for (at, end) in (0..length).flat_map(|at| [0, 0x80, 0x81, 0xFF].map(|end| (at, end))) {
                    for following in [filling, 0, 0x80] {
                        let mut octets = all;
                        octets[at] = end;
                        octets[at + 1..length].fill(following);
                        assert_eq!(ascii_length(&octets[..length]), at, "{:x?}", &octets[..length]);
                    }
                }
            }
        }
    }
}
