//! Requests about messages that the SMSC has: query_sm, cancel_sm, replace_sm.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::link::BindId;
use super::outbound_pdu::{decode, encode};
use crate::frame::Frame;
use crate::pdu::{CancelSm, CommandId, CommandStatus, Pdu, QuerySm, ReplaceSm};
use crate::session::{NotSentReason, RefusedResponse, RequestError, UnansweredReason, fmt_refused};

/// A request about a message that the SMSC has accepted: `query_sm`, `cancel_sm` or `replace_sm`.
///
/// The account sends it once, on the bind that [`bind`](Self::bind) names, otherwise on the bind that sent the message, if the
/// account tracks the receipts of the message and that bind is bound, otherwise on any bind that transmits. It has no place in
/// the queue of messages, and does not count against their rate limit.
///
/// ```
/// use core::time::Duration;
/// use smpp_proto::account::MessageRequest;
/// use smpp_proto::{Address, COctets, QuerySm};
///
/// let query = QuerySm {
///     message_id: COctets::new(b"2130747826")?,
///     source: Address::alphanumeric("8x8")?,
///     ..QuerySm::default()
/// };
/// let request = MessageRequest::query_sm(&query).deadline(Duration::from_secs(3));
/// # let _ = request;
/// # Ok::<(), smpp_proto::InvalidOctets>(())
/// ```
#[derive(Clone)]
pub struct MessageRequest {
    pub(super) pdu: Frame<Vec<u8>>,
    pub(super) bind: Option<BindId>,
    pub(super) deadline: Duration,
}

/// The account's own number of a [`MessageRequest`]. It is never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestNumber(pub(super) u64);

impl fmt::Display for RequestNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl MessageRequest {
    /// How long a request waits to be sent, unless it states another [`deadline`](Self::deadline).
    pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(10);

    fn new(pdu: &Pdu<'_>) -> Self {
        Self { pdu: encode(pdu), bind: None, deadline: Self::DEFAULT_DEADLINE }
    }

    /// Creates a request for the state of a message (SMPP 3.4 §4.8). The response has it:
    /// [`Response::query_sm_resp`](crate::session::Response::query_sm_resp).
    pub fn query_sm(request: &QuerySm<'_>) -> Self {
        Self::new(&Pdu::QuerySm(*request))
    }

    /// Creates a request to cancel a message that the SMSC has accepted and not delivered (SMPP 3.4 §4.9). A message that
    /// waits in the account's own queue is withdrawn with [`Account::cancel`](super::Account::cancel).
    pub fn cancel_sm(request: &CancelSm<'_>) -> Self {
        Self::new(&Pdu::CancelSm(*request))
    }

    /// Creates a request to replace the text of a message that the SMSC has accepted and not delivered (SMPP 3.4 §4.10).
    pub fn replace_sm(request: &ReplaceSm<'_>) -> Self {
        Self::new(&Pdu::ReplaceSm(*request))
    }

    /// Sends the request on this bind only: an SMSC may know a message only on the bind that submitted it.
    /// [`SegmentOutcome::Accepted`](super::SegmentOutcome::Accepted) and an adapter's `Sent` have that bind.
    ///
    /// Default the bind that sent the message, as long as the account tracks the receipts of the message and that bind is bound.
    /// Otherwise, also for a message that requested no receipts, any bind that transmits, the one with the most capacity.
    #[must_use]
    pub fn bind(self, bind: BindId) -> Self {
        Self { bind: Some(bind), ..self }
    }

    /// Limits how long the request waits to be sent, from when the account accepted it. The response may take
    /// [`response_timeout`](crate::session::Config::response_timeout) longer. Default
    /// [10 s](Self::DEFAULT_DEADLINE).
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Returns the request.
    pub fn pdu(&self) -> Pdu<'_> {
        decode(&self.pdu)
    }

    pub(super) fn command(&self) -> CommandId {
        self.pdu.header().command
    }
}

/// Omits addresses, message id and text.
impl fmt::Debug for MessageRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageRequest")
            .field("command", &self.command())
            .field("bind", &self.bind)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// Why a [`MessageRequest`] did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageRequestError {
    /// The SMSC refused it.
    Refused {
        /// The `command_status`, never `ESME_ROK`.
        status: CommandStatus,
        /// The response, with its TLVs.
        response: RefusedResponse,
    },
    /// The SMSC responded with generic_nack: it did not understand the request (SMPP 3.4 §4.3).
    Nacked(CommandStatus),
    /// It was never sent as a whole.
    NeverSent(RequestNotSentReason),
    /// It was sent and got no response: the SMSC may have done what it asks for. The account does not repeat it.
    Unanswered(UnansweredReason),
    /// The runtime or thread that drove the account is gone: the SMSC may have done what the request asks for.
    DriverGone,
}

impl MessageRequestError {
    /// Returns whether the SMSC has certainly not done what the request asks for.
    pub const fn is_safe_to_resend(&self) -> bool {
        !matches!(self, Self::Unanswered(_) | Self::DriverGone)
    }

    /// Returns the `command_status` with which the SMSC refused the request, if it did.
    pub const fn status(&self) -> Option<CommandStatus> {
        match self {
            Self::Refused { status, .. } | Self::Nacked(status) => Some(*status),
            Self::NeverSent(_) | Self::Unanswered(_) | Self::DriverGone => None,
        }
    }
}

/// Shows what the peer says with a refusal: at most 256 characters, escaped.
impl fmt::Display for MessageRequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status, response } => fmt_refused(*status, response, f),
            Self::Nacked(status) => RequestError::Nacked(*status).fmt(f),
            Self::NeverSent(reason) => write!(f, "not sent: {reason}"),
            Self::Unanswered(reason) => RequestError::Unanswered(*reason).fmt(f),
            Self::DriverGone => f.write_str(
                "the runtime or thread that drove the account is gone; the SMSC may have received the request",
            ),
        }
    }
}

impl core::error::Error for MessageRequestError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::NeverSent(reason) => Some(reason),
            Self::Unanswered(reason) => Some(reason),
            Self::Refused { .. } | Self::Nacked(_) | Self::DriverGone => None,
        }
    }
}

/// Why a [`MessageRequest`] was never sent: repeating it is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestNotSentReason {
    /// [`Options::request_capacity`](super::Options::request_capacity) requests have no outcome yet.
    Full,
    /// No session can send it: the provider does not take the operation, or it is too long, or the peer's version has no such
    /// operation, or the bind that it names does not transmit.
    Request(NotSentReason),
    /// Its [deadline](MessageRequest::deadline) passed: no bind could send it in time.
    Expired,
    /// The bind that it names has ended.
    BindEnded,
    /// The caller [withdrew](super::Account::withdraw_request) it.
    Withdrawn,
    /// The caller [shut the account down](super::Account::shutdown).
    ShutDown,
    /// The account has stopped, because the SMSC refuses its credentials or its messages
    /// ([`Event::Stopped`](super::Event::Stopped)), and there is no bind.
    Stopped,
}

impl fmt::Display for RequestNotSentReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => {
                "too many requests have no outcome yet: retry after one of them, or raise request_capacity"
            }
            Self::Request(reason) => return reason.fmt(f),
            Self::Expired => {
                "no bind could send it before its deadline: retry later, or set a longer deadline"
            }
            Self::BindEnded => "the bind that it names has ended: send it on any bind",
            Self::Withdrawn => "it was withdrawn",
            Self::ShutDown => "the account is being shut down: send it with another account",
            Self::Stopped => {
                "the account has stopped, because the SMSC refuses its credentials or its messages: reconfigure or resume it"
            },
        })
    }
}

impl core::error::Error for RequestNotSentReason {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Request(reason) => Some(reason),
            _ => None,
        }
    }
}
