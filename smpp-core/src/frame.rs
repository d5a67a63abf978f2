//! Where a PDU begins and ends (SMPP 3.4 §3.2).

use alloc::vec::Vec;
use core::fmt;

use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::be_u32;

use crate::pdu::{CommandId, CommandStatus, Pdu};
use crate::wire::{DecodeError, Fault, Quirks, Tolerance};

/// Octets of a PDU header.
pub const HEADER_LENGTH: usize = 16;

/// The largest PDU that [`split`] is usually given as its limit: a `message_payload` of 65,535 octets and
/// everything else a PDU can hold. Octets.
pub const DEFAULT_MAX_LENGTH: usize = 70 * 1024;

/// A sequence number: `1..=0x7FFF_FFFF` in what is sent; any value in what is read (SMPP 3.4 §3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceNumber(pub u32);

impl SequenceNumber {
    /// The first number of a session.
    pub const FIRST: Self = Self(1);
    /// The last number before numbers start again.
    pub const LAST: Self = Self(0x7FFF_FFFF);

    /// The number after this one: 1 follows `0x7FFF_FFFF`.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.0 >= Self::LAST.0 { Self::FIRST } else { Self(self.0 + 1) }
    }

    /// Whether the specification allows the number in a request.
    pub const fn is_valid(self) -> bool {
        self.0 >= Self::FIRST.0 && self.0 <= Self::LAST.0
    }
}

/// The first sixteen octets of every PDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// `command_length`: octets of the whole PDU, these sixteen included.
    pub length: u32,
    /// `command_id`.
    pub command: CommandId,
    /// `command_status`: 0 in requests.
    pub status: CommandStatus,
    /// `sequence_number`.
    pub sequence: SequenceNumber,
}

/// A `command_length` that cannot be: the position in the stream is lost, nothing after it can be read.
///
/// The only error that ends a session. Answer with generic_nack `ESME_RINVCMDLEN` and close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FramingError {
    /// The `command_length` received.
    pub length: u32,
    /// The largest one accepted.
    pub limit: usize,
}

impl fmt::Display for FramingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { length, limit } = self;
        write!(
            f,
            "command_length {length} is outside {HEADER_LENGTH}..={limit}: the stream cannot be read on"
        )?;
        match length.to_be_bytes() {
            [0x16, 3, ..] => f.write_str(" (the peer speaks TLS on a plain port)"),
            text if text.iter().all(u8::is_ascii_graphic) => {
                write!(f, " (the peer sent text, not SMPP: \"{}\")", text.escape_ascii())
            }
            _ => Ok(()),
        }
    }
}

impl core::error::Error for FramingError {}

/// One whole PDU in any buffer: `Frame<&[u8]>`, `Frame<Vec<u8>>`, `Frame<Bytes>`.
///
/// This is the owned form of a PDU too: keep the octets, look at them through [`Frame::pdu`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame<B> {
    header: Header,
    octets: B,
}

/// The first PDU of a stream, and what follows it.
pub type Split<'a> = (Frame<&'a [u8]>, &'a [u8]);

/// Splits the first PDU off a stream of octets.
///
/// `Ok(None)` means that more octets are needed. `limit` is the largest PDU accepted, in octets: nothing is
/// waited for, or allocated, beyond it.
///
/// ```
/// use smpp_core::{CommandId, frame};
/// let stream = [0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0];
/// let (pdu, rest) = frame::split(&stream, 1024)?.expect("one whole PDU is there");
/// assert_eq!(pdu.header().command, CommandId::ENQUIRE_LINK);
/// assert_eq!(frame::split(rest, 1024)?, None);
/// # Ok::<(), smpp_core::FramingError>(())
/// ```
pub fn split(input: &[u8], limit: usize) -> Result<Option<Split<'_>>, FramingError> {
    let Ok((_, length)) = be_u32::<_, Fault>.parse(input) else { return Ok(None) };
    if (length as usize) < HEADER_LENGTH || length as usize > limit {
        return Err(FramingError { length, limit });
    }
    let Some((octets, rest)) = input.split_at_checked(length as usize) else { return Ok(None) };
    Ok(header(octets).map(|header| (Frame { header, octets }, rest)))
}

/// `command_length command_id command_status sequence_number`, four octets each.
fn header(octets: &[u8]) -> Option<Header> {
    let (_, (length, command, status, sequence)) =
        (be_u32::<_, Fault>, be_u32, be_u32, be_u32).parse(octets).ok()?;
    Some(Header {
        length,
        command: CommandId(command),
        status: CommandStatus(status),
        sequence: SequenceNumber(sequence),
    })
}

impl<B: AsRef<[u8]>> Frame<B> {
    /// A buffer that holds exactly one PDU. `None` if it does not.
    pub fn new(octets: B) -> Option<Self> {
        let header = header(octets.as_ref())?;
        (header.length as usize == octets.as_ref().len()).then_some(Self { header, octets })
    }

    /// The header.
    pub const fn header(&self) -> Header {
        self.header
    }

    /// All octets, the header's included.
    pub fn octets(&self) -> &[u8] {
        self.octets.as_ref()
    }

    /// The octets after the header.
    pub fn body(&self) -> &[u8] {
        take::<_, _, Fault>(HEADER_LENGTH).parse(self.octets()).map_or(&[], |(body, _)| body)
    }

    /// The buffer.
    pub fn into_inner(self) -> B {
        self.octets
    }

    /// The same PDU, borrowed.
    pub fn as_ref(&self) -> Frame<&[u8]> {
        Frame { header: self.header, octets: self.octets.as_ref() }
    }

    /// Reads the fields, with the tolerated deviations that were found.
    pub fn pdu(&self, tolerance: Tolerance) -> Result<(Pdu<'_>, Quirks), DecodeError> {
        Pdu::decode(self.header, self.body(), tolerance)
    }
}

impl Frame<Vec<u8>> {
    /// A PDU of one's own, as it goes over the wire.
    pub fn encode(pdu: &Pdu<'_>, status: CommandStatus, sequence: SequenceNumber) -> Self {
        let mut octets = Vec::new();
        pdu.encode(status, sequence, &mut octets);
        let length = octets.len() as u32;
        Self { header: Header { length, command: pdu.command(), status, sequence }, octets }
    }
}

impl<'a> Frame<&'a [u8]> {
    /// As [`pdu`](Self::pdu), for as long as the octets live.
    pub fn into_pdu(self, tolerance: Tolerance) -> Result<(Pdu<'a>, Quirks), DecodeError> {
        let body = self.octets.get(HEADER_LENGTH..).unwrap_or_default();
        Pdu::decode(self.header, body, tolerance)
    }
}

/// The header alone: a body may hold a password.
impl<B> fmt::Debug for Frame<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame").field("header", &self.header).finish_non_exhaustive()
    }
}
