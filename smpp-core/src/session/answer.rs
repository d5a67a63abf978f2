//! The outcome of a request in a form that can be kept and passed on.

use alloc::vec::Vec;
use core::fmt;

use super::event::{Cause, Closed, Outcome, Refusal};
use super::state::State;
use crate::frame::{Frame, HEADER_LENGTH, SequenceNumber};
use crate::pdu::{BindResp, CommandId, CommandStatus, InterfaceVersion, Pdu};
use crate::wire::{Quirks, Tolerance};

/// The longest submit_sm_resp without TLVs: a header and a message_id of 65 octets (SMPP 3.4 §4.4.2).
const SHORT: usize = HEADER_LENGTH + 65;

/// The response to a request that was accepted.
#[derive(Clone)]
pub struct Response(Octets);

/// One PDU. A short one, as most are, costs no allocation.
#[derive(Clone)]
enum Octets {
    Short { length: u8, octets: [u8; SHORT] },
    Long(Vec<u8>),
}

impl AsRef<[u8]> for Octets {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Short { length, octets } => octets.get(..usize::from(*length)).unwrap_or_default(),
            Self::Long(octets) => octets,
        }
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
    NeverSent(NotSent),
    /// It was sent and not answered: the peer may have accepted it.
    Unanswered(Cause),
}

/// Why a request never left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotSent {
    /// The session was not in a state, or the bind not in a mode, that allows it.
    State(State),
    /// Not among the [`operations`](super::Config::operations) that the other side offers.
    Unsupported(CommandId),
    /// Newer than the version that both sides speak.
    Version(InterfaceVersion),
    /// The peer speaks version 3.3 or older and reads no TLVs.
    Tlvs,
    /// Longer than [`max_pdu`](super::Config::max_pdu).
    TooLong,
    /// The session ended first.
    Closed(Closed),
    /// There is no bind to send it on: a server's account has none that receives.
    NoBind,
}

impl Refusal {
    /// Why waiting does not help. `None`: room, or time, may. Another state, as after a bind, is nothing to wait for.
    pub const fn lasting(self) -> Option<NotSent> {
        match self {
            Self::State(state) => Some(NotSent::State(state)),
            Self::Unsupported(command) => Some(NotSent::Unsupported(command)),
            Self::Version(version) => Some(NotSent::Version(version)),
            Self::Tlvs => Some(NotSent::Tlvs),
            Self::TooLong => Some(NotSent::TooLong),
            Self::WindowFull | Self::Paced(_) | Self::OutputFull => None,
        }
    }
}

impl Outcome<'_> {
    /// The same, without what it borrows.
    ///
    /// It is borrowed for the time of the call alone, as a PDU is large.
    pub fn into_result(&self, sequence: SequenceNumber) -> Result<Response, RequestError> {
        match self {
            Self::Accepted(pdu) => Ok(Response::new(pdu, sequence)),
            Self::Refused { status, .. } => Err(RequestError::Refused(*status)),
            Self::Nacked(status) => Err(RequestError::Nacked(*status)),
            Self::NeverSent(closed) => Err(RequestError::NeverSent(NotSent::Closed(*closed))),
            Self::Unanswered(cause) => Err(RequestError::Unanswered(*cause)),
        }
    }
}

impl Response {
    fn new(pdu: &Pdu<'_>, sequence: SequenceNumber) -> Self {
        let short = match pdu {
            Pdu::SubmitSmResp(Some(response)) if response.tlvs.is_empty() => {
                Self::short(sequence, response.message_id.as_bytes())
            }
            _ => None,
        };
        short.unwrap_or_else(|| Self::any(pdu, sequence))
    }

    /// A submit_sm_resp without TLVs, as most responses are: it is written in two pieces, the NUL is there.
    #[inline(always)]
    fn short(sequence: SequenceNumber, message_id: &[u8]) -> Option<Self> {
        let length = (HEADER_LENGTH + message_id.len() + 1) as u8;
        let header = [length.into(), CommandId::SUBMIT_SM_RESP.0, CommandStatus::ROK.0, sequence.0];
        let mut octets = [0; SHORT];
        let (front, [body @ .., _]) = octets.split_first_chunk_mut::<HEADER_LENGTH>()? else { return None };
        front.copy_from_slice(header.map(u32::to_be_bytes).as_flattened());
        body.get_mut(..message_id.len())?.copy_from_slice(message_id);
        Some(Self(Octets::Short { length, octets }))
    }

    #[cold]
    fn any(pdu: &Pdu<'_>, sequence: SequenceNumber) -> Self {
        let mut octets = [0; SHORT];
        Self(match pdu.encode_into(CommandStatus::ROK, sequence, &mut octets) {
            Ok(length) => Octets::Short { length: length as u8, octets },
            Err(_) => Octets::Long(Frame::encode(pdu, CommandStatus::ROK, sequence).into_inner()),
        })
    }

    /// The PDU, its octets written anew.
    pub fn frame(&self) -> Frame<&[u8]> {
        Frame::whole(self.0.as_ref())
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

    /// The fields. There are some always: the session has read the PDU, so it can be read again.
    pub fn pdu(&self) -> Option<Pdu<'_>> {
        self.frame().into_pdu(Tolerance(Quirks::all())).ok().map(|(pdu, _)| pdu)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pdu().fmt(f)
    }
}

impl RequestError {
    /// Whether sending the same request again cannot make a message go twice.
    pub const fn is_safe_to_repeat(&self) -> bool {
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

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(state) => Refusal::State(*state).fmt(f),
            Self::Unsupported(command) => Refusal::Unsupported(*command).fmt(f),
            Self::Version(version) => Refusal::Version(*version).fmt(f),
            Self::Tlvs => Refusal::Tlvs.fmt(f),
            Self::TooLong => Refusal::TooLong.fmt(f),
            Self::Closed(closed) => closed.fmt(f),
            Self::NoBind => f.write_str("no bind to send it on"),
        }
    }
}
