//! The outcome of a request in a form that can be kept and passed on.

use alloc::vec::Vec;
use core::fmt;

use super::event::{CloseReason, Outcome, Refusal, UnansweredReason};
use super::state::State;
use crate::frame::{Frame, HEADER_LENGTH};
use crate::pdu::{BindResp, CommandId, CommandStatus, InterfaceVersion, Pdu};
use crate::wire::{Quirks, Tolerance};

/// The longest submit_sm_resp without TLVs: a header and a message_id of 65 octets (SMPP 3.4 §4.4.2).
const SHORT: usize = HEADER_LENGTH + 65;

/// The response to a request, as it came. Its fields are read when they are asked for.
///
/// The session tells of one in the input, `Response<&[u8]>`; [`into_owned`](Response::into_owned) copies it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Response<B = ResponseBuf>(B);

/// The octets of a PDU, copied. Those of a short one, as most are, cost no allocation.
#[derive(Clone)]
pub struct ResponseBuf(Octets);

#[derive(Clone)]
enum Octets {
    Short { length: u8, octets: [u8; SHORT] },
    Long(Vec<u8>),
}

impl ResponseBuf {
    const NONE: Self = Self(Octets::Short { length: 0, octets: [0; SHORT] });

    #[cold]
    fn long(octets: &[u8]) -> Self {
        Self(Octets::Long(octets.to_vec()))
    }

    #[inline(always)]
    fn copy(&mut self, from: &[u8]) {
        if let Octets::Short { length, octets } = &mut self.0
            && let Some(place) = octets.get_mut(..from.len())
        {
            place.copy_from_slice(from);
            *length = from.len() as u8;
        } else {
            *self = Self::long(from);
        }
    }
}

impl AsRef<[u8]> for ResponseBuf {
    fn as_ref(&self) -> &[u8] {
        match &self.0 {
            Octets::Short { length, octets } => octets.get(..usize::from(*length)).unwrap_or_default(),
            Octets::Long(octets) => octets,
        }
    }
}

/// The header alone, as a [`Frame`].
impl fmt::Debug for ResponseBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Frame::from_valid(self.as_ref()).fmt(f)
    }
}

/// Why a request did not succeed: exactly one of four things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// The peer refused it, with this status.
    Refused(CommandStatus),
    /// The peer did not understand it: generic_nack (SMPP 3.4 §4.3).
    Nacked(CommandStatus),
    /// It never left this process as a whole, so the peer cannot have taken it: safe to send again.
    NeverSent(NotSentReason),
    /// It was sent and not answered: the peer may have accepted it.
    Unanswered(UnansweredReason),
}

/// Why a request never left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotSentReason {
    /// The session was not in a state, or the bind not in a mode, that allows it.
    State(State),
    /// Not among the [`operations`](super::Config::operations) that the other side offers.
    Unsupported(CommandId),
    /// Newer than the version that both sides speak.
    Version(InterfaceVersion),
    /// The peer speaks version 3.3 or older and reads no TLVs.
    TlvsUnsupported,
    /// Longer than [`max_pdu`](super::Config::max_pdu).
    TooLong,
    /// The session ended first.
    Closed(CloseReason),
    /// There is no bind to send it on: a server's account has none that receives.
    NoBind,
}

impl Refusal {
    /// Why waiting does not help. `None`: room, or time, may. Another state, as after a bind, is nothing to wait for.
    pub const fn permanent(self) -> Option<NotSentReason> {
        match self {
            Self::State(state) => Some(NotSentReason::State(state)),
            Self::Unsupported(command) => Some(NotSentReason::Unsupported(command)),
            Self::Version(version) => Some(NotSentReason::Version(version)),
            Self::TlvsUnsupported => Some(NotSentReason::TlvsUnsupported),
            Self::TooLong => Some(NotSentReason::TooLong),
            Self::WindowFull | Self::RateLimited(_) | Self::OutputFull => None,
        }
    }
}

impl Outcome<'_> {
    /// The same, without what it borrows.
    pub fn into_result(self) -> Result<Response, RequestError> {
        match self {
            Self::Accepted(response) => Ok(response.into_owned()),
            Self::Refused { status, .. } => Err(RequestError::Refused(status)),
            Self::Nacked(status) => Err(RequestError::Nacked(status)),
            Self::NeverSent(closed) => Err(RequestError::NeverSent(NotSentReason::Closed(closed))),
            Self::Unanswered(cause) => Err(RequestError::Unanswered(cause)),
        }
    }

    /// As [`into_result`](Self::into_result), to where it is kept: a response is written there, and not moved.
    #[inline]
    pub fn store_in(self, place: &mut Option<Result<Response, RequestError>>) {
        match self {
            Self::Accepted(response) => {
                if let Ok(Response(kept)) = place.insert(Ok(Response(ResponseBuf::NONE))) {
                    kept.copy(response.0);
                }
            }
            other => other.store_error_in(place),
        }
    }

    #[cold]
    fn store_error_in(self, place: &mut Option<Result<Response, RequestError>>) {
        *place = Some(self.into_result());
    }
}

impl<'a> Response<&'a [u8]> {
    pub(super) fn new(frame: Frame<&'a [u8]>) -> Self {
        Self(frame.into_inner())
    }

    /// The same, without what it borrows.
    pub fn into_owned(self) -> Response {
        let mut kept = ResponseBuf::NONE;
        kept.copy(self.0);
        Response(kept)
    }
}

impl<B: AsRef<[u8]>> Response<B> {
    /// The PDU as it came.
    pub fn frame(&self) -> Frame<&[u8]> {
        Frame::from_valid(self.0.as_ref())
    }

    /// The id the SMSC gave a message, whichever operation it came by, as it sent it (SMPP 3.4 §4.4.2); empty if it
    /// gave none.
    pub fn message_id(&self) -> &[u8] {
        match self.pdu() {
            Some(Pdu::SubmitSmResp(Some(response))) => response.message_id.as_bytes(),
            Some(Pdu::SubmitMultiResp(Some(response))) => response.message_id.as_bytes(),
            Some(Pdu::DataSmResp(Some(response))) => response.message_id.as_bytes(),
            Some(Pdu::BroadcastSmResp(Some(response))) => response.message_id.as_bytes(),
            _ => &[],
        }
    }

    /// The answer to a bind: the SMSC's name and version (SMPP 3.4 §4.1.2).
    pub fn bind_resp(&self) -> BindResp<'_> {
        match self.pdu() {
            Some(Pdu::BindResp(_, Some(response))) => response,
            _ => BindResp::default(),
        }
    }

    /// The fields. There are some always: the session has read the PDU, so it can be read again. The body of a refusal
    /// may have been damaged: what nobody can read counts as absent, what only the session's
    /// [`tolerance`](super::Config::tolerance) forbids is read all the same.
    pub fn pdu(&self) -> Option<Pdu<'_>> {
        let frame = self.frame();
        let all = Tolerance(Quirks::all());
        let read = frame.into_pdu(all).or_else(|_| frame.header_only().into_pdu(all));
        read.ok().map(|(pdu, _)| pdu)
    }
}

impl<B: AsRef<[u8]>> fmt::Debug for Response<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pdu() {
            Some(pdu) => pdu.fmt(f),
            None => self.frame().fmt(f),
        }
    }
}

impl RequestError {
    /// Whether sending the same request again cannot make a message go twice.
    pub const fn is_safe_to_resend(&self) -> bool {
        !matches!(self, Self::Unanswered(_))
    }

    /// The status, where the peer gave one.
    pub const fn status(&self) -> Option<CommandStatus> {
        match self {
            Self::Refused(status) | Self::Nacked(status) => Some(*status),
            Self::NeverSent(_) | Self::Unanswered(_) => None,
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(status) => write!(f, "refused: {status}"),
            Self::Nacked(status) => write!(f, "not understood (generic_nack): {status}"),
            Self::NeverSent(why) => write!(f, "not sent: {why}"),
            Self::Unanswered(cause) => write!(f, "sent, outcome unknown: {cause}"),
        }
    }
}

impl core::error::Error for RequestError {}

impl fmt::Display for NotSentReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(state) => Refusal::State(*state).fmt(f),
            Self::Unsupported(command) => Refusal::Unsupported(*command).fmt(f),
            Self::Version(version) => Refusal::Version(*version).fmt(f),
            Self::TlvsUnsupported => Refusal::TlvsUnsupported.fmt(f),
            Self::TooLong => Refusal::TooLong.fmt(f),
            Self::Closed(closed) => closed.fmt(f),
            Self::NoBind => f.write_str("no bind to send it on"),
        }
    }
}
