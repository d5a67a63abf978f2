//! Where a PDU begins and ends (SMPP 3.4 §3.2).

use alloc::vec::Vec;
use core::fmt;

use nom::Parser;
use nom::number::complete::be_u32;

use crate::pdu::{CommandId, CommandStatus, Pdu};
use crate::wire::{DecodeError, Quirks, Stop, Tolerance, Watch};

/// Octets of a PDU header.
pub const HEADER_LENGTH: usize = 16;

/// The largest PDU that [`split`] is usually given as its limit: a `message_payload` of 65,535 octets and
/// everything else a PDU can hold. Octets.
pub const DEFAULT_MAX_LENGTH: usize = 70 * 1024;

/// A sequence number: `1..=0x7FFF_FFFF` in what is sent; any value in what is read (SMPP 3.4 §3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
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
        self.0.wrapping_sub(Self::FIRST.0) < Self::LAST.0
    }
}

/// The first sixteen octets of every PDU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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
            [0x15 | 0x16, 3, ..] => f.write_str(" (the peer speaks TLS on a plain port)"),
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
    /// At least a header, and as many as it says.
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
    let Ok((_, length)) = be_u32::<_, Stop>.parse(input) else { return Ok(None) };
    if (length as usize) < HEADER_LENGTH || length as usize > limit {
        return Err(FramingError { length, limit });
    }
    let Some((octets, rest)) = input.split_at_checked(length as usize) else { return Ok(None) };
    Ok(Some((Frame { octets }, rest)))
}

impl Header {
    /// `command_length command_id command_status sequence_number`, four octets each.
    #[inline]
    fn read(octets: &[u8]) -> Option<Self> {
        let (words, _) = octets.first_chunk::<HEADER_LENGTH>()?.as_chunks();
        let [length, command, status, sequence] = *words else { return None };
        Some(Self {
            length: u32::from_be_bytes(length),
            command: CommandId(u32::from_be_bytes(command)),
            status: CommandStatus(u32::from_be_bytes(status)),
            sequence: SequenceNumber(u32::from_be_bytes(sequence)),
        })
    }

    /// The header of octets that begin with one.
    #[inline]
    pub(crate) fn of(octets: &[u8]) -> Self {
        Self::read(octets).unwrap_or_default()
    }
}

impl<B: AsRef<[u8]>> Frame<B> {
    /// A buffer that holds exactly one PDU. `None` if it does not.
    #[inline]
    pub fn new(octets: B) -> Option<Self> {
        let header = Header::read(octets.as_ref())?;
        (header.length as usize == octets.as_ref().len()).then_some(Self { octets })
    }

    /// The header.
    #[inline]
    pub fn header(&self) -> Header {
        Header::of(self.octets())
    }

    /// All octets, the header's included.
    #[inline]
    pub fn octets(&self) -> &[u8] {
        self.octets.as_ref()
    }

    /// The octets after the header.
    #[inline]
    pub fn body(&self) -> &[u8] {
        self.octets().get(HEADER_LENGTH..).unwrap_or_default()
    }

    /// The buffer.
    pub fn into_inner(self) -> B {
        self.octets
    }

    /// The same PDU, borrowed.
    pub fn as_ref(&self) -> Frame<&[u8]> {
        Frame { octets: self.octets.as_ref() }
    }

    /// Reads the fields, with the tolerated deviations that were found.
    #[inline]
    pub fn pdu(&self, tolerance: Tolerance) -> Result<(Pdu<'_>, Quirks), DecodeError> {
        Pdu::read(self.octets(), tolerance, ())
    }

    /// As [`pdu`](Self::pdu), and shows each field in wire order: of a malformed PDU, those before the fault.
    ///
    /// ```
    /// use smpp_core::{Frame, Tolerance};
    /// let octets = [&[0, 0, 0, 20, 0x80, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1][..], b"id7\0"].concat();
    /// let mut shown = String::new();
    /// let frame = Frame::new(octets).ok_or("not one PDU")?;
    /// frame.fields(Tolerance::LENIENT, &mut |field| {
    ///     shown += &format!("{} {} {:?}", field.offset, field.name, field.value);
    /// })?;
    /// assert_eq!(shown, r#"16 message_id "id7""#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fields(
        &self,
        tolerance: Tolerance,
        watch: &mut dyn FnMut(Field<'_, '_>),
    ) -> Result<(Pdu<'_>, Quirks), DecodeError> {
        let octets = self.octets();
        Pdu::read(octets, tolerance, Show { length: octets.len(), watch })
    }
}

/// One field of a PDU, as it stands on the wire.
#[derive(Clone, Copy)]
pub struct Field<'a, 'v> {
    /// Its name in the specification: `source_addr_ton`. A TLV has its tag's, or `tlv` if that is unknown.
    pub name: &'static str,
    /// Octets from the first octet of the PDU.
    pub offset: usize,
    /// Its octets: a string with its NUL, a TLV with its header. Those of a password are the password.
    pub octets: &'a [u8],
    /// What it means. A password is hidden here.
    pub value: &'v dyn fmt::Debug,
}

/// Name, place and meaning: the octets may be a password's.
impl fmt::Debug for Field<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at octet {}: {:?}", self.name, self.offset, self.value)
    }
}

struct Show<'w> {
    length: usize,
    watch: &'w mut dyn FnMut(Field<'_, '_>),
}

impl Watch for Show<'_> {
    fn field(&mut self, name: &'static str, value: &dyn fmt::Debug, before: &[u8], after: &[u8]) {
        let octets = before.get(..before.len() - after.len()).unwrap_or_default();
        (self.watch)(Field { name, offset: self.length.saturating_sub(before.len()), octets, value });
    }
}

impl Frame<Vec<u8>> {
    /// A PDU of one's own, as it goes over the wire.
    pub fn encode(pdu: &Pdu<'_>, status: CommandStatus, sequence: SequenceNumber) -> Self {
        let mut octets = Vec::new();
        pdu.encode(status, sequence, &mut octets);
        Self { octets }
    }
}

impl<B> Frame<B> {
    /// Octets that are known to be one PDU.
    pub(crate) const fn whole(octets: B) -> Self {
        Self { octets }
    }
}

impl<'a> Frame<&'a [u8]> {
    /// The header and no body.
    pub(crate) fn bare(self) -> Self {
        Self { octets: self.octets.get(..HEADER_LENGTH).unwrap_or(self.octets) }
    }

    /// As [`pdu`](Self::pdu), for as long as the octets live.
    #[inline]
    pub fn into_pdu(self, tolerance: Tolerance) -> Result<(Pdu<'a>, Quirks), DecodeError> {
        Pdu::read(self.octets, tolerance, ())
    }

    /// Whether it is the answer to a message that was accepted, with its id and nothing else, and nothing is odd about it:
    /// so most responses are, and there is nothing more to read in them.
    #[inline(always)]
    pub(crate) fn is_message_id(self) -> bool {
        Pdu::is_message_id(self.octets)
    }
}

/// The header alone: a body may hold a password.
impl<B: AsRef<[u8]>> fmt::Debug for Frame<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame").field("header", &self.header()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What passes for a mere message id is read as one, without a word on it; and the other way round.
        #[test]
        fn a_message_id_is_nothing_more(
            command in prop_oneof![
                Just(CommandId::SUBMIT_SM_RESP),
                Just(CommandId::DELIVER_SM_RESP),
                Just(CommandId::DATA_SM_RESP),
                Just(CommandId::SUBMIT_SM),
            ],
            status in prop_oneof![3 => Just(0), 1 => any::<u32>()],
            sequence in prop_oneof![3 => 1_u32..9, 1 => any::<u32>()],
            body in prop_oneof![
                "[ -~]{0,70}".prop_map(|id| [id.as_bytes(), &[0]].concat()),
                prop::collection::vec(prop_oneof![4 => 1_u8..0x80, 1 => Just(0), 1 => any::<u8>()], 0..80),
            ],
        ) {
            let header = [HEADER_LENGTH as u32 + body.len() as u32, command.0, status, sequence];
            let octets = [header.map(u32::to_be_bytes).as_flattened(), &body].concat();
            let frame = Frame::new(&octets[..]).unwrap();
            let read = frame.into_pdu(Tolerance::LENIENT).ok().filter(|(_, quirks)| quirks.is_empty());
            let id = match read.map(|(pdu, _)| pdu) {
                Some(Pdu::SubmitSmResp(Some(body))) if body.tlvs.is_empty() => Some(body.message_id),
                Some(Pdu::DeliverSmResp(Some(body))) if body.tlvs.is_empty() => Some(body.message_id),
                _ => None,
            };
            prop_assert_eq!(frame.is_message_id(), status == 0 && id.is_some());
        }
    }
}
