//! How a request ended: borrowed from the input, or as an owned result.

use core::fmt;

use super::close_reason::CloseReason;
use super::refusal::Refusal;
use super::response::{RefusedResponse, Response, ShownText};
use super::state::State;
use crate::pdu::{CommandId, CommandStatus, InterfaceVersion};
use crate::wire::DecodeError;

/// How a request of the caller ended. Each accepted request has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'b> {
    /// The peer responded with `ESME_ROK`.
    Accepted(Response<&'b [u8]>),
    /// The peer responded with another status.
    Refused {
        /// The `command_status`, never `ESME_ROK`.
        status: CommandStatus,
        /// The response.
        response: Response<&'b [u8]>,
    },
    /// The peer responded with generic_nack: it did not understand the request (SMPP 3.4 §4.3).
    Nacked(CommandStatus),
    /// The session ended before the request's last octet was transmitted. The peer cannot have accepted the request: it
    /// is safe to resend.
    NeverSent(CloseReason),
    /// The request was transmitted, and no readable response arrived. The peer may have accepted the request.
    Unanswered(UnansweredReason),
}

/// Why a request that was transmitted has no response. The peer may have accepted the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnansweredReason {
    /// No response arrived within [`response_timeout`](super::Config::response_timeout).
    Timeout,
    /// The session ended before a response arrived.
    Closed(CloseReason),
    /// A response with `ESME_ROK` arrived, and its body is malformed.
    Unreadable(DecodeError),
}

/// Why a request did not succeed.
///
/// ```
/// use smpp_proto::session::{RequestError, UnansweredReason};
/// let error = RequestError::Unanswered(UnansweredReason::Timeout);
/// assert!(!error.is_safe_to_resend(), "the peer may have accepted the request");
/// ```
///
/// `Display` shows the status by name, and the peer's `additional_status_info_text`: at most 256 characters, escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// The peer refused the request.
    Refused {
        /// The `command_status`, never `ESME_ROK`.
        status: CommandStatus,
        /// The response, with its TLVs.
        response: RefusedResponse,
    },
    /// The peer responded with generic_nack: it did not understand the request (SMPP 3.4 §4.3).
    Nacked(CommandStatus),
    /// The request was never transmitted as a whole. The peer cannot have accepted it: it is safe to resend.
    NeverSent(NotSentReason),
    /// The request was transmitted, and no readable response arrived. The peer may have accepted it: resending may send
    /// a message twice.
    Unanswered(UnansweredReason),
}

/// Why a request was never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotSentReason {
    /// The session's state, or the mode of the bind, does not allow the request.
    State(State),
    /// The session is shutting down and accepts no new request. It ends with this reason, unless another one comes first.
    Closing(CloseReason),
    /// The request is not in [`Config::operations`](super::Config::operations): the peer does not offer it.
    Unsupported(CommandId),
    /// The request is newer than the protocol version that both sides speak.
    Version(InterfaceVersion),
    /// The request has TLVs, and the peer speaks version 3.3 or older and reads none.
    TlvsUnsupported,
    /// The PDU is longer than [`Config::max_pdu`](super::Config::max_pdu).
    TooLong,
    /// The session has ended, or ended before the request was transmitted.
    Closed(CloseReason),
    /// No bind can send the request: on a server, no bound receiver or transceiver of the account is connected.
    NoBind,
}

impl Refusal {
    /// Returns the reason if waiting does not help, and `None` if it can: for a full window, the rate limit and full
    /// output. A wrong [`State`] is permanent, although a bind may change it.
    pub const fn permanent(self) -> Option<NotSentReason> {
        match self {
            Self::State(state) => Some(NotSentReason::State(state)),
            Self::Closing(reason) => Some(NotSentReason::Closing(reason)),
            Self::Closed(reason) => Some(NotSentReason::Closed(reason)),
            Self::Unsupported(command) => Some(NotSentReason::Unsupported(command)),
            Self::Version(version) => Some(NotSentReason::Version(version)),
            Self::TlvsUnsupported => Some(NotSentReason::TlvsUnsupported),
            Self::TooLong => Some(NotSentReason::TooLong),
            Self::WindowFull | Self::RateLimited(_) | Self::OutputFull => None,
        }
    }
}

impl Outcome<'_> {
    /// Converts the outcome to a result that owns its response.
    pub fn into_result(self) -> Result<Response, RequestError> {
        match self {
            Self::Accepted(response) => Ok(response.into_owned()),
            Self::Refused { status, response } => {
                Err(RequestError::Refused { status, response: response.into_refused() })
            }
            Self::Nacked(status) => Err(RequestError::Nacked(status)),
            Self::NeverSent(reason) => Err(RequestError::NeverSent(NotSentReason::Closed(reason))),
            Self::Unanswered(reason) => Err(RequestError::Unanswered(reason)),
        }
    }

    /// Stores the result of [`into_result`](Self::into_result) in `slot`. It copies a response only once, straight to
    /// its place.
    #[inline]
    pub fn store_in(self, slot: &mut Option<Result<Response, RequestError>>) {
        match self {
            Self::Accepted(response) => {
                if let Ok(owned) = slot.insert(Ok(Response::EMPTY)) {
                    owned.copy_from(response);
                }
            }
            other => other.store_error_in(slot),
        }
    }

    #[cold]
    fn store_error_in(self, slot: &mut Option<Result<Response, RequestError>>) {
        *slot = Some(self.into_result());
    }
}

impl RequestError {
    /// Returns whether sending the same request again cannot make the peer accept it twice: true for all but
    /// [`Unanswered`](Self::Unanswered).
    pub const fn is_safe_to_resend(&self) -> bool {
        !matches!(self, Self::Unanswered(_))
    }

    /// Returns the `command_status` if the peer sent one.
    pub const fn status(&self) -> Option<CommandStatus> {
        match self {
            Self::Refused { status, .. } | Self::Nacked(status) => Some(*status),
            Self::NeverSent(_) | Self::Unanswered(_) => None,
        }
    }
}

impl fmt::Display for UnansweredReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("no response within response_timeout"),
            Self::Closed(reason) => reason.fmt(f),
            Self::Unreadable(error) => write!(f, "the response is malformed: {error}"),
        }
    }
}

impl core::error::Error for UnansweredReason {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Timeout => None,
            Self::Closed(reason) => Some(reason),
            Self::Unreadable(error) => Some(error),
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status, response } => fmt_refused(*status, response, f),
            Self::Nacked(status) => write!(f, "not understood by the peer (generic_nack): {status}"),
            Self::NeverSent(reason) => write!(f, "not sent: {reason}"),
            Self::Unanswered(reason) => {
                write!(f, "sent but not answered, the peer may have accepted it: {reason}")
            }
        }
    }
}

/// Writes why the peer refused a request: the status, and the peer's text if there is one.
pub(crate) fn fmt_refused(
    status: CommandStatus,
    response: &RefusedResponse,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    write!(f, "refused by the peer: {status}")?;
    match response.additional_status_info_text() {
        Some(text) if !text.is_empty() => write!(f, "; the peer says {}", ShownText(&text)),
        _ => Ok(()),
    }
}

impl core::error::Error for RequestError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::NeverSent(reason) => Some(reason),
            Self::Unanswered(reason) => Some(reason),
            Self::Refused { .. } | Self::Nacked(_) => None,
        }
    }
}

impl fmt::Display for NotSentReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(state) => Refusal::State(*state).fmt(f),
            Self::Closing(reason) => Refusal::Closing(*reason).fmt(f),
            Self::Unsupported(command) => Refusal::Unsupported(*command).fmt(f),
            Self::Version(version) => Refusal::Version(*version).fmt(f),
            Self::TlvsUnsupported => Refusal::TlvsUnsupported.fmt(f),
            Self::TooLong => Refusal::TooLong.fmt(f),
            Self::Closed(reason) => Refusal::Closed(*reason).fmt(f),
            Self::NoBind => f.write_str("no bind can send it: retry when one is bound"),
        }
    }
}

impl core::error::Error for NotSentReason {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Closing(reason) | Self::Closed(reason) => Some(reason),
            _ => None,
        }
    }
}
