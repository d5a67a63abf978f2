//! What a session reports to the caller.

use super::close_reason::CloseReason;
use super::outcome::Outcome;
use super::request::Request;
use crate::frame::{Frame, SequenceNumber};
use crate::pdu::{CommandStatus, Pdu};
use crate::wire::{DecodeError, Quirks};

/// What happened in a session. [`handle_input`](super::Session::handle_input) and
/// [`handle_timeout`](super::Session::handle_timeout) return events.
///
/// An event borrows the input and not the session, so the caller can respond while it reads.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'b, T> {
    /// The peer sent a request. Respond to it with [`respond`](super::Session::respond).
    #[non_exhaustive]
    Request {
        /// The request, with the token that responds to it.
        request: Request<'b>,
        /// The PDU as the peer sent it.
        frame: Frame<&'b [u8]>,
        /// The tolerated deviations from the specification in the PDU.
        quirks: Quirks,
    },
    /// The peer sent a PDU that has no response: outbind or alert_notification.
    #[non_exhaustive]
    Notification {
        /// The PDU.
        pdu: Pdu<'b>,
        /// The PDU as the peer sent it.
        frame: Frame<&'b [u8]>,
        /// The tolerated deviations from the specification in the PDU.
        quirks: Quirks,
    },
    /// A request of the caller ended. The session emits exactly one for each request that it accepted.
    #[non_exhaustive]
    Outcome {
        /// The tag that the caller passed with the request.
        tag: T,
        /// The sequence number of the request.
        sequence: SequenceNumber,
        /// How the request ended.
        outcome: Outcome<'b>,
    },
    /// The session refused a request of the peer by itself, because of its state or a limit. It has already sent the
    /// response, if the request has one.
    #[non_exhaustive]
    Refused {
        /// The PDU as the peer sent it.
        frame: Frame<&'b [u8]>,
        /// The `command_status` of the refusal.
        status: CommandStatus,
    },
    /// The peer sent a PDU that cannot be decoded. The session has already responded to it if it is a request. The
    /// stream is intact and the session continues.
    #[non_exhaustive]
    Malformed {
        /// The PDU as the peer sent it.
        frame: Frame<&'b [u8]>,
        /// What is wrong with the PDU.
        error: DecodeError,
    },
    /// The peer responded to a request that had timed out: [`Event::Outcome`] has reported
    /// [`UnansweredReason::Timeout`](super::UnansweredReason::Timeout) with this sequence number. Now it is known how
    /// the request ended.
    #[non_exhaustive]
    LateResponse {
        /// The sequence number of the request.
        sequence: SequenceNumber,
        /// How the request ended: [`Accepted`](Outcome::Accepted), [`Refused`](Outcome::Refused) or
        /// [`Nacked`](Outcome::Nacked), or [`Unanswered`](Outcome::Unanswered) if the response is malformed.
        outcome: Outcome<'b>,
    },
    /// The peer sent a response that matches no request in flight: very late, repeated, or unsolicited. It changed nothing.
    #[non_exhaustive]
    UnexpectedResponse {
        /// The PDU as the peer sent it.
        frame: Frame<&'b [u8]>,
    },
    /// The peer asked to end the session. The session accepts no more requests; requests in flight may still get a
    /// response.
    PeerUnbind,
    /// The session ended. This is the last event, and it occurs exactly once. Close the connection.
    Closed(CloseReason),
}
