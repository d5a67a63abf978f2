//! Splits a stream of octets into PDUs (SMPP 3.4 §3.2), and decodes and encodes one PDU.
//!
//! [`split`] finds the end of the first PDU of a stream. [`Frame`] is one whole PDU in any buffer.

use alloc::vec::Vec;
use core::fmt;

use nom::Parser;
use nom::number::complete::be_u32;

use crate::diagnosis::ReceivedInstead;
use crate::header::CommandStatus;
use crate::pdu::{DeliverSm, Pdu};
use crate::wire::{DecodeError, FieldVisitor, ParseFailed, Quirks, Tolerance};

pub use crate::header::HEADER_LENGTH;
pub(crate) use crate::header::{Header, SequenceNumber};

/// The usual limit for [`split`], in octets: 70 KiB. It allows a `message_payload` of 65,535 octets and every other
/// field of a PDU.
pub const DEFAULT_MAX_LENGTH: usize = 70 * 1024;

/// An invalid `command_length`. The end of the PDU is unknown, so no later PDU of the stream can be read.
///
/// It is the only error of the codec that ends a session. Respond with a generic_nack with status `ESME_RINVCMDLEN` and
/// close the connection; a session does both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FramingError {
    /// The received `command_length`.
    pub length: u32,
    /// The largest accepted `command_length`, in octets.
    pub limit: u32,
}

impl FramingError {
    /// Returns what the octets are instead of a `command_length`.
    pub const fn received_instead(&self) -> ReceivedInstead {
        ReceivedInstead::from_first_octets(self.length.to_be_bytes())
    }
}

impl fmt::Display for FramingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { length, limit } = self;
        let octets = length.to_be_bytes();
        match self.received_instead() {
            ReceivedInstead::Tls => ReceivedInstead::Tls.fmt(f),
            ReceivedInstead::Http => write!(f, "{}: \"{}\"", ReceivedInstead::Http, octets.escape_ascii()),
            _ if octets.iter().all(|octet| octet.is_ascii_graphic() || octet.is_ascii_whitespace()) => {
                // It may be a part of a password, behind a bind whose command_length was too small.
                f.write_str("the peer sent text, not SMPP")
            }
            _ => write!(
                f,
                "command_length {length} is outside {HEADER_LENGTH}..={limit}: no further PDU can be read, close the \
                 connection"
            ),
        }
    }
}

impl core::error::Error for FramingError {}

/// One whole PDU in any buffer: `Frame<&[u8]>`, `Frame<Vec<u8>>`, `Frame<Bytes>`.
///
/// It is also the owned form of a PDU: store the octets, and decode them with [`Frame::pdu`] when needed.
///
/// ```
/// use smpp_proto::{CommandStatus, Frame, Pdu, SequenceNumber, ShortMessage, SubmitSm, Tolerance};
/// let message = SubmitSm { short_message: ShortMessage::new(b"Hello")?, ..SubmitSm::default() };
/// let frame: Frame<Vec<u8>> = Frame::encode(&Pdu::SubmitSm(message), CommandStatus::ROK, SequenceNumber(2));
/// let (pdu, quirks) = frame.pdu(Tolerance::LENIENT)?;
/// assert_eq!(pdu, Pdu::SubmitSm(message));
/// assert!(quirks.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame<B> {
    /// As many octets as the header states: at least a header.
    octets: B,
}

/// The first PDU of a stream, and the octets after it.
pub type Split<'a> = (Frame<&'a [u8]>, &'a [u8]);

/// Splits the first PDU off a stream of octets.
///
/// Returns `Ok(None)` if the PDU is incomplete: call again with more octets. `limit` is the largest accepted PDU, in
/// octets. It bounds the input that the caller must buffer.
///
/// # Errors
///
/// [`FramingError`] if `command_length` is below 16 or above `limit`.
///
/// ```
/// use smpp_proto::{CommandId, frame};
/// let stream = [0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0];
/// let (pdu, rest) = frame::split(&stream, 1024)?.expect("one whole PDU is there");
/// assert_eq!(pdu.header().command, CommandId::ENQUIRE_LINK);
/// assert_eq!(frame::split(rest, 1024)?, None);
/// # Ok::<(), smpp_proto::FramingError>(())
/// ```
pub fn split(input: &[u8], limit: usize) -> Result<Option<Split<'_>>, FramingError> {
    let Ok((_, length)) = be_u32::<_, ParseFailed>.parse(input) else { return Ok(None) };
    if (length as usize) < HEADER_LENGTH || length as usize > limit {
        return Err(FramingError { length, limit: u32::try_from(limit).unwrap_or(u32::MAX) });
    }
    let Some((octets, rest)) = input.split_at_checked(length as usize) else { return Ok(None) };
    Ok(Some((Frame { octets }, rest)))
}

impl<B: AsRef<[u8]>> Frame<B> {
    /// Returns a frame of this buffer, or `None` if the buffer does not contain exactly one PDU. The body is not
    /// checked.
    #[inline]
    pub fn new(octets: B) -> Option<Self> {
        let header = Header::read(octets.as_ref())?;
        (header.length as usize == octets.as_ref().len()).then_some(Self { octets })
    }

    /// Returns the header.
    #[inline]
    pub fn header(&self) -> Header {
        Header::of(self.octets())
    }

    /// Returns all octets, including the header.
    #[inline]
    pub fn octets(&self) -> &[u8] {
        self.octets.as_ref()
    }

    /// Returns the octets after the header.
    #[inline]
    pub fn body(&self) -> &[u8] {
        self.octets().get(HEADER_LENGTH..).unwrap_or_default()
    }

    /// Returns the buffer.
    pub fn into_inner(self) -> B {
        self.octets
    }

    /// Copies the octets.
    pub(crate) fn to_vec(&self) -> Frame<Vec<u8>> {
        Frame { octets: self.octets().to_vec() }
    }

    /// Copies the octets into a buffer, whose content it replaces.
    pub(crate) fn copy_into(&self, mut buffer: Vec<u8>) -> Frame<Vec<u8>> {
        buffer.clear();
        buffer.extend_from_slice(self.octets());
        Frame { octets: buffer }
    }

    /// Returns a frame that borrows this one.
    pub fn as_ref(&self) -> Frame<&[u8]> {
        Frame { octets: self.octets.as_ref() }
    }

    /// Decodes the PDU. Returns it with the tolerated deviations that it contains.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the PDU is malformed, or has a deviation that `tolerance` does not accept.
    #[inline]
    pub fn pdu(&self, tolerance: Tolerance) -> Result<(Pdu<'_>, Quirks), DecodeError> {
        Pdu::read(self.octets(), tolerance, ())
    }

    /// Decodes the PDU as [`pdu`](Self::pdu) does, and passes each field to `visit` in wire order. For a malformed PDU
    /// these are the fields before the error.
    ///
    /// ```
    /// use smpp_proto::{Frame, Tolerance};
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
        visit: &mut dyn FnMut(Field<'_, '_>),
    ) -> Result<(Pdu<'_>, Quirks), DecodeError> {
        let octets = self.octets();
        Pdu::read(octets, tolerance, FieldCallback { length: octets.len(), visit })
    }
}

/// One field of a PDU: its name, its octets on the wire and its value.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Field<'a, 'v> {
    /// The name in the specification, such as `source_addr_ton`. For a TLV the name of its tag, or `tlv` if the tag is
    /// unknown.
    pub name: &'static str,
    /// The position: octets from the first octet of the PDU.
    pub offset: usize,
    /// The octets: a string includes its NUL, a TLV its header. The octets of a password are the password itself.
    pub octets: &'a [u8],
    /// The decoded value. It hides a password.
    pub value: &'v dyn fmt::Debug,
}

/// Shows name, position and value, but not the octets, since they may be a password.
impl fmt::Debug for Field<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at octet {}: {:?}", self.name, self.offset, self.value)
    }
}

/// Passes each field to a closure.
struct FieldCallback<'f> {
    /// The length of the PDU.
    length: usize,
    visit: &'f mut dyn FnMut(Field<'_, '_>),
}

impl FieldVisitor for FieldCallback<'_> {
    fn visit(&mut self, name: &'static str, value: &dyn fmt::Debug, before: &[u8], after: &[u8]) {
        let octets = before.get(..before.len() - after.len()).unwrap_or_default();
        (self.visit)(Field { name, offset: self.length.saturating_sub(before.len()), octets, value });
    }
}

impl Frame<Vec<u8>> {
    /// Encodes a PDU.
    pub fn encode(pdu: &Pdu<'_>, status: CommandStatus, sequence: SequenceNumber) -> Self {
        let mut octets = Vec::new();
        pdu.encode(status, sequence, &mut octets);
        Self { octets }
    }
}

impl<B> Frame<B> {
    /// Returns a frame of octets that are known to be one PDU.
    pub(crate) const fn from_valid(octets: B) -> Self {
        Self { octets }
    }
}

impl Frame<Vec<u8>> {
    /// Takes the octets out of a frame that is not used any more.
    pub(crate) fn take_octets(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.octets)
    }
}

impl<'a> Frame<&'a [u8]> {
    /// Returns the header without the body.
    pub(crate) fn header_only(self) -> Self {
        Self { octets: self.octets.get(..HEADER_LENGTH).unwrap_or(self.octets) }
    }

    /// Decodes the PDU as [`pdu`](Self::pdu) does. The result lives as long as the octets.
    ///
    /// # Errors
    ///
    /// As for [`pdu`](Self::pdu).
    #[inline]
    pub fn into_pdu(self, tolerance: Tolerance) -> Result<(Pdu<'a>, Quirks), DecodeError> {
        Pdu::read(self.octets, tolerance, ())
    }

    /// Returns whether the PDU is a submit_sm_resp or deliver_sm_resp with status `ESME_ROK` that carries only a
    /// message id and has no deviations. Most responses are like this and need no further decoding.
    #[inline(always)]
    pub(crate) fn is_plain_message_id(self) -> bool {
        Pdu::is_plain_message_id(self.octets)
    }
}

impl<'a> Frame<&'a [u8]> {
    /// Returns the message id of a plain submit_sm_resp: see [`is_plain_message_id`](Self::is_plain_message_id). The caller has
    /// checked the command and the status.
    #[inline(always)]
    pub(crate) fn plain_message_id(self) -> Option<&'a [u8]> {
        Pdu::plain_message_id(self.octets)
    }

    /// Decodes a deliver_sm that has no deviations; `None` for any other PDU.
    #[inline(always)]
    pub(crate) fn plain_deliver_sm(self) -> Option<DeliverSm<'a>> {
        Pdu::plain_deliver_sm(self.octets)
    }

    /// Returns whether the PDU is a submit_sm that has no deviations.
    #[inline(always)]
    pub(crate) fn is_plain_submit_sm(self) -> bool {
        Pdu::is_plain_submit_sm(self.octets)
    }
}

/// Shows only the header, since the body may contain a password.
impl<B: AsRef<[u8]>> fmt::Debug for Frame<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame").field("header", &self.header()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::CommandId;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn a_framing_error_names_another_protocol() {
        let text = |octets: &[u8]| split(octets, DEFAULT_MAX_LENGTH).unwrap_err().to_string();
        assert_eq!(text(b"GET / HTTP/1.1"), "the peer sent HTTP, not SMPP: \"GET \"");
        assert_eq!(text(b"HTTP/1.1 400 Bad Request"), "the peer sent HTTP, not SMPP: \"HTTP\"");
        assert_eq!(text(&[0x16, 3, 1, 2, 0]), "the peer sent TLS on a connection without TLS");
        for banner in [&b"SSH-2.0"[..], b"220 mail.example ESMTP", b"\r\nlogin:"] {
            assert_eq!(text(banner), "the peer sent text, not SMPP");
        }
        let other = text(&[0, 0, 0, 15]);
        assert!(other.starts_with("command_length 15 is outside 16..=71680: "), "{other}");
    }

    proptest! {
        /// `is_plain_message_id` agrees with the full decoder.
        #[test]
        fn a_plain_message_id_is_decoded_as_one_without_quirks(
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
            prop_assert_eq!(frame.is_plain_message_id(), status == 0 && id.is_some());
        }
    }
}
