//! PDUs of the peer that the session rejects, as an observer sees them.

use alloc::borrow::Cow;
use core::fmt;

use super::password::{has_password, mask_password};
use crate::frame::{Frame, FramingError, HEADER_LENGTH, Header};
use crate::pdu::CommandStatus;
use crate::wire::{DecodeError, DecodeErrorKind};

/// The octets of a rejected PDU that an observer sees at most.
const MAX_OCTETS: usize = 256;

/// A PDU of the peer that the session rejected by itself: malformed, refused, or unexpected. An
/// [`Observer`](super::Observer) gets it in [`rejected`](super::Observer::rejected).
///
/// `Display` shows one line without the body: `submit_sm 7, 53 octets: refused with ESME_RINVBNDSTS (0x00000004): ...`.
#[derive(Clone, Copy)]
pub struct RejectedPdu<'a> {
    /// At most [`MAX_OCTETS`].
    octets: &'a [u8],
    reason: RejectedPduReason,
}

/// Why the session rejected a PDU of the peer. Each reason but [`Framing`](Self::Framing) has a counter in
/// [`Stats`](super::Stats).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RejectedPduReason {
    /// It cannot be decoded: [`Stats::malformed`](super::Stats::malformed). If it is a response, it still ends its request.
    Malformed(DecodeError),
    /// Its `command_id` is unknown: [`Stats::unknown_commands`](super::Stats::unknown_commands).
    UnknownCommand,
    /// The session refused the request with this status, because of its state or a limit:
    /// [`Stats::refused`](super::Stats::refused).
    Refused(CommandStatus),
    /// It is a response that matches no request in flight:
    /// [`Stats::unexpected_responses`](super::Stats::unexpected_responses).
    UnexpectedResponse,
    /// Its `command_length` is impossible. The session ends with
    /// [`CloseReason::Framing`](super::CloseReason::Framing).
    Framing(FramingError),
}

impl<'a> RejectedPdu<'a> {
    pub(super) fn new(frame: Frame<&'a [u8]>, reason: RejectedPduReason) -> Self {
        let octets = frame.into_inner();
        Self { octets: octets.get(..MAX_OCTETS).unwrap_or(octets), reason }
    }

    /// `input` begins with the octets that are no PDU. Nothing says where a password is: behind a bind with a wrong
    /// command_length it may be anywhere, and at the beginning of a stream behind the length of a header.
    pub(super) fn framing(input: &'a [u8], is_shown: bool, error: FramingError) -> Self {
        let octets = if is_shown { input.get(..HEADER_LENGTH).unwrap_or(input) } else { &[] };
        Self { octets, reason: RejectedPduReason::Framing(error) }
    }

    /// Returns why the session rejected the PDU.
    pub const fn reason(&self) -> RejectedPduReason {
        self.reason
    }

    /// Returns the header, with the length of the whole PDU. `None` if the framing is broken and fewer than 16
    /// [`octets`](Self::octets) are shown.
    pub fn header(&self) -> Option<Header> {
        Header::read(self.octets)
    }

    /// Returns the first octets of the PDU, header included: at most 256. If the framing is broken, at most the header,
    /// and nothing behind a PDU before the bind is accepted: a password may be there.
    /// Each octet of the password in a bind or an outbind is replaced by an asterisk.
    pub fn octets(&self) -> Cow<'a, [u8]> {
        match self.header() {
            Some(header) if has_password(header.command) => Cow::Owned(mask_password(self.octets)),
            _ => Cow::Borrowed(self.octets),
        }
    }
}

impl From<DecodeError> for RejectedPduReason {
    fn from(error: DecodeError) -> Self {
        match error.kind {
            DecodeErrorKind::UnknownCommand => Self::UnknownCommand,
            _ => Self::Malformed(error),
        }
    }
}

impl fmt::Display for RejectedPduReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => write!(f, "malformed: {error}"),
            Self::UnknownCommand => f.write_str("unknown command_id"),
            Self::Refused(status) => write!(f, "refused with {status}"),
            Self::UnexpectedResponse => f.write_str("a response to no request in flight"),
            Self::Framing(error) => error.fmt(f),
        }
    }
}

/// One line, without the body.
impl fmt::Display for RejectedPdu<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(Header { length, command, sequence, .. }), false) =
            (self.header(), matches!(self.reason, RejectedPduReason::Framing(_)))
        {
            write!(f, "{command} {}, {length} octets: ", sequence.0)?;
        }
        self.reason.fmt(f)
    }
}

/// The same as `Display`: it shows nothing of the body.
impl fmt::Debug for RejectedPdu<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
