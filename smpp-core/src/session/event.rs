//! What a session tells, and the tokens that answer it.

use core::fmt;
use core::marker::PhantomData;

use super::Session;
use super::answer::Response;
use super::observer::Observer;
use super::role::Role;
use super::state::State;
use crate::frame::{Frame, FramingError, Header, SequenceNumber};
use crate::pdu::{
    Bind, BroadcastSm, CancelBroadcastSm, CancelSm, CommandId, CommandStatus, DataSm, DeliverSm,
    InterfaceVersion, Operation, Pdu, QueryBroadcastSm, QuerySm, ReplaceSm, SubmitMulti, SubmitSm,
};
use crate::time::Instant;
use crate::wire::{DecodeError, Quirks};

/// What happened. It borrows the input, not the session: answer while you still read.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'b, T> {
    /// The peer asks for something. Answer with [`respond`](super::Session::respond).
    Request {
        /// What it asks, with the token that answers it.
        request: Request<'b>,
        /// The PDU as it came.
        frame: Frame<&'b [u8]>,
        /// The deviations that were tolerated in it.
        quirks: Quirks,
    },
    /// The peer tells something that has no response: outbind, alert_notification.
    Notification {
        /// What it tells.
        pdu: Pdu<'b>,
        /// The PDU as it came.
        frame: Frame<&'b [u8]>,
        /// The deviations that were tolerated in it.
        quirks: Quirks,
    },
    /// A request of ours has come to its end. Said exactly once for each request that was taken.
    Outcome {
        /// What the caller gave with the request.
        tag: T,
        /// The request's number.
        sequence: SequenceNumber,
        /// How it ended.
        outcome: Outcome<'b>,
    },
    /// The peer sent a request the session refused by itself; it is already answered, if it has a response.
    Refused {
        /// The PDU as it came.
        frame: Frame<&'b [u8]>,
        /// What it was answered with, or would have been.
        status: CommandStatus,
    },
    /// The peer sent a PDU that cannot be read. A request is already answered; the stream is intact.
    Malformed {
        /// The PDU as it came.
        frame: Frame<&'b [u8]>,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// A response to nothing: late, repeated, or never asked for. It changed nothing.
    UnexpectedResponse {
        /// The PDU as it came.
        frame: Frame<&'b [u8]>,
    },
    /// The peer wants to end the session. No requests from now on; what is in flight may still be answered.
    PeerUnbind,
    /// The session is over: the last event, and the only one of its kind. Close the connection.
    Closed(CloseReason),
}

/// How a request of ours ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'b> {
    /// Answered with `ESME_ROK`.
    Accepted(Response<&'b [u8]>),
    /// Answered with another status.
    Refused {
        /// The status, never `ESME_ROK`.
        status: CommandStatus,
        /// The response.
        response: Response<&'b [u8]>,
    },
    /// Answered with generic_nack: the peer did not understand the request.
    Nacked(CommandStatus),
    /// It never left this process as a whole, so the peer cannot have taken it: safe to send again.
    NeverSent(CloseReason),
    /// It left and was not answered: the peer may have accepted it.
    Unanswered(UnansweredReason),
}

/// Why a request remained unanswered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnansweredReason {
    /// No response in time.
    Timeout,
    /// The session ended first.
    Closed(CloseReason),
    /// A response came that cannot be read.
    Unreadable(DecodeError),
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// We asked to unbind, and the peer answered, or closed the connection instead.
    Unbound,
    /// The peer asked to unbind; it was answered, unless it was gone before.
    PeerUnbound,
    /// The connection ended without an unbind.
    Disconnected,
    /// [`abort`](super::Session::abort) was called.
    Aborted,
    /// No bind in time; of an ESME that awaits it, no outbind.
    SessionInit,
    /// No answer to an enquire_link.
    LinkDead,
    /// The peer took no octet for [`response`](super::Config::response_timeout), or twice that.
    Stalled,
    /// No message for too long.
    Inactive,
    /// No answer to our unbind in time.
    UnbindTimeout,
    /// The stream cannot be read on.
    Framing(FramingError),
    /// More malformed PDUs than the configuration allows.
    TooManyMalformed,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unbound => "unbound as asked",
            Self::PeerUnbound => "the peer unbound",
            Self::Disconnected => "the connection ended without unbind",
            Self::Aborted => "aborted",
            Self::SessionInit => "no bind in time",
            Self::LinkDead => "enquire_link was not answered",
            Self::Stalled => "the peer reads nothing",
            Self::Inactive => "no message for too long",
            Self::UnbindTimeout => "unbind was not answered in time",
            Self::Framing(error) => return error.fmt(f),
            Self::TooManyMalformed => "too many malformed PDUs",
        })
    }
}

impl core::error::Error for CloseReason {}

impl fmt::Display for UnansweredReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("no response in time"),
            Self::Closed(closed) => closed.fmt(f),
            Self::Unreadable(error) => write!(f, "the response cannot be read: {error}"),
        }
    }
}

/// The requests that have a response, each with its token.
macro_rules! requests {
    ($($(#[$meta:meta])* $name:ident,)+) => {
        /// A request of the peer, with the token that answers it.
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum Request<'b> {
            $($(#[$meta])* $name($name<'b>, Reply<$name<'static>>),)+
        }

        impl<'b> Request<'b> {
            /// The request in `pdu`, where the application is to answer it.
            pub(super) fn new(header: Header, pdu: Pdu<'b>) -> Option<Self> {
                match pdu {
                    $(Pdu::$name(body) => Some(Self::$name(body, Reply::new(header))),)+
                    _ => None,
                }
            }

            /// Answers that it is not done, whatever it is.
            pub(super) fn refuse<R: Role, T, O: Observer>(
                self,
                session: &mut Session<R, T, O>,
            ) -> Result<(), Refusal> {
                match self {
                    $(Self::$name(_, reply) => {
                        session.respond(reply, Err(<$name<'static> as Operation>::UNANSWERED))
                    })+
                }
            }
        }
    };
}

requests! {
    /// A bind, of any mode.
    Bind,
    /// submit_sm.
    SubmitSm,
    /// deliver_sm.
    DeliverSm,
    /// data_sm.
    DataSm,
    /// submit_multi.
    SubmitMulti,
    /// query_sm.
    QuerySm,
    /// cancel_sm.
    CancelSm,
    /// replace_sm.
    ReplaceSm,
    /// broadcast_sm (SMPP 5.0).
    BroadcastSm,
    /// query_broadcast_sm (SMPP 5.0).
    QueryBroadcastSm,
    /// cancel_broadcast_sm (SMPP 5.0).
    CancelBroadcastSm,
}

/// The right to answer one request, once. It fixes the type of the response.
///
/// A token that is dropped leaves the peer without an answer, and one place of
/// [`max_unanswered`](super::Config::max_unanswered) taken for good.
#[must_use = "a request must be answered"]
pub struct Reply<O> {
    pub(super) command: CommandId,
    pub(super) sequence: SequenceNumber,
    operation: PhantomData<fn(O)>,
}

impl<O: Operation> Reply<O> {
    fn new(header: Header) -> Self {
        Self { command: header.command, sequence: header.sequence, operation: PhantomData }
    }
}

impl<O> fmt::Debug for Reply<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({} {})", self.command, self.sequence.0)
    }
}

/// A request that was not taken, with the tag given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused<T> {
    /// What the caller gave with the request.
    pub tag: T,
    /// Why it was not taken.
    pub reason: Refusal,
}

/// Why a request was not taken. Nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Not in this state, or not in this mode of bind.
    State(State),
    /// Not among the [`operations`](super::Config::operations) that the other side offers.
    Unsupported(CommandId),
    /// Newer than the version that both sides speak.
    Version(InterfaceVersion),
    /// As many requests are in flight as the window allows. Try after the next outcome.
    WindowFull,
    /// The rate allows the next message at this time. Nobody waits for it but the caller:
    /// [`poll_timeout`](super::Session::poll_timeout) does not tell of it.
    RateLimited(Instant),
    /// Too many octets wait to be transmitted. Try after the next write.
    OutputFull,
    /// The peer speaks version 3.3 or older and reads no TLVs: send it without.
    TlvsUnsupported,
    /// Longer than [`max_pdu`](super::Config::max_pdu): a peer like this session would not read on behind it.
    TooLong,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(state) => write!(f, "not allowed in state {state:?}"),
            Self::Unsupported(command) => write!(f, "{command} is not among the operations configured"),
            Self::Version(version) => write!(f, "the peer speaks {version}, which has no such operation"),
            Self::WindowFull => f.write_str("the window is full"),
            Self::RateLimited(_) => f.write_str("the rate limit is reached"),
            Self::OutputFull => f.write_str("too much waits to be transmitted"),
            Self::TlvsUnsupported => f.write_str("the peer's version reads no TLVs"),
            Self::TooLong => f.write_str("the PDU is longer than max_pdu"),
        }
    }
}

impl core::error::Error for Refusal {}

impl<T: fmt::Debug> fmt::Display for Refused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl<T: fmt::Debug> core::error::Error for Refused<T> {}
