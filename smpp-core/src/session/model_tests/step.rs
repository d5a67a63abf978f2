//! The steps that drive the session and the model, what arrives from the peer, and what the session reports.

use crate::pdu::CommandStatus;
use crate::session::{CloseReason, UnansweredReason};

/// Identifies a submit_sm. The model has no sequence numbers.
pub(super) type Tag = usize;

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Submits a text of this many octets.
    Submit(u64),
    /// The peer answers a request that waits, or waited, for a response. This bit of the sequence number is flipped.
    Respond(Target, Answer, Option<u32>),
    PeerDelivers,
    PeerEnquires,
    PeerUnbinds,
    /// The application answers a request of the peer.
    Answer,
    /// The transport accepts this many octets.
    Transmit(u64),
    /// This many seconds pass, one by one.
    Wait(u64),
    /// The sequence numbers wrap: the next number is that of a request that still waits for its response.
    WrapSequence(Target),
    Unbind,
    Eof,
    Disconnect,
    Abort,
}

/// A PDU of the peer that the session has not read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arrival {
    /// The last field is true if the sequence number is that of no request.
    Response(Target, Answer, bool),
    DeliverSm,
    EnquireLink,
    Unbind,
}

/// A request of the session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target {
    Submit(Tag),
    /// The enquire_link with this index, in the order of sending.
    EnquireLink(usize),
    Unbind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Answer {
    Accept,
    Refuse,
    Nack,
    /// The response to another operation.
    WrongCommand,
}

/// How a request ended, without the octets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Ended {
    Accepted,
    Refused(CommandStatus),
    Nacked(CommandStatus),
    NeverSent(CloseReason),
    Unanswered(UnansweredReason),
}

/// An event of the session, without the octets.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reported {
    Outcome(Tag, Ended),
    LateResponse(Tag, Ended),
    UnexpectedResponse,
    Request,
    Refused(CommandStatus),
    PeerUnbind,
    Closed(CloseReason),
}
