//! Requests that the session does not accept, and whether it would accept one now.

use core::fmt;

use super::close_reason::CloseReason;
use super::state::State;
use crate::pdu::{CommandId, InterfaceVersion};
use crate::time::Instant;

/// A request that the session did not accept. Nothing was sent, and no outcome follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused<T> {
    /// The tag that the caller passed with the request.
    pub tag: T,
    /// Why the session did not accept the request.
    pub reason: Refusal,
}

/// Why the session did not accept a request, a response or a notification. Nothing was sent.
///
/// [`permanent`](Refusal::permanent) distinguishes refusals that waiting can resolve from those that it cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The session's state, or the mode of the bind, does not allow the request.
    State(State),
    /// The session is shutting down, and accepts no new request. It ends with this reason, unless another one comes first.
    Closing(CloseReason),
    /// The session has ended, for this reason.
    Closed(CloseReason),
    /// The request is not in [`Config::operations`](super::Config::operations): the peer does not offer it.
    Unsupported(CommandId),
    /// The request is newer than the protocol version that both sides speak.
    Version(InterfaceVersion),
    /// As many requests are in flight as [`Config::window`](super::Config::window) allows. Retry after the next
    /// [`Outcome`](super::Outcome).
    WindowFull,
    /// The rate limit, [`Config::rate`](super::Config::rate) or a slow-down after the peer throttled, allows the next
    /// message at this time. Above 500 messages per second that is up to 2 ms after the earliest possible time, so that
    /// several messages leave together. The caller must set its own timer:
    /// [`poll_timeout`](super::Session::poll_timeout) does not include this time.
    RateLimited(Instant),
    /// Backpressure: [`Config::max_output`](super::Config::max_output) octets or more wait for the transport. Retry after
    /// the next write.
    OutputFull,
    /// The request has TLVs, and the peer speaks version 3.3 or older and reads none. Send the request without TLVs.
    TlvsUnsupported,
    /// The PDU is longer than [`Config::max_pdu`](super::Config::max_pdu). A peer with the same limit would close the
    /// connection.
    TooLong,
}

/// Whether the session accepts a message now, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// The session accepts messages.
    Ready {
        /// Free places in the window: how many requests fit before [`Refusal::WindowFull`].
        capacity: u16,
    },
    /// The session accepts no message now.
    Refusing(Refusal),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(State::Open) => {
                write!(f, "the operation is not allowed while the session is {}: bind first", State::Open)
            }
            Self::State(state) => write!(f, "the operation is not allowed while the session is {state}"),
            Self::Closing(CloseReason::Unbound) => {
                f.write_str("the session is shutting down: this side unbinds")
            }
            Self::Closing(reason) => write!(f, "the session is shutting down: {reason}"),
            Self::Closed(reason) => write!(f, "the session has ended: {reason}"),
            Self::Unsupported(command) => {
                write!(f, "{command} is not in the configured operations: the peer does not offer it")
            }
            Self::Version(version) => write!(f, "the peer speaks {version}, which has no such operation"),
            Self::WindowFull => f.write_str("the window is full: retry after the next outcome"),
            Self::RateLimited(_) => f.write_str("the rate limit is reached: retry later"),
            Self::OutputFull => f.write_str("max_output octets wait for the transport: retry after a write"),
            Self::TlvsUnsupported => {
                f.write_str("the peer speaks 3.3 or older and reads no TLVs: send the request without TLVs")
            }
            Self::TooLong => f.write_str("the PDU is longer than max_pdu: send a shorter one"),
        }
    }
}

impl core::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Closing(reason) | Self::Closed(reason) => Some(reason),
            _ => None,
        }
    }
}

impl<T: fmt::Debug> fmt::Display for Refused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl<T: fmt::Debug> core::error::Error for Refused<T> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.reason)
    }
}
