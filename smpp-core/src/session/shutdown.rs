//! The phases of a session's shutdown.

use super::close_reason::CloseReason;
use super::refusal::Refusal;
use crate::frame::SequenceNumber;

/// How far the shutdown of a session has progressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shutdown {
    /// The shutdown has not begun.
    NotStarted,
    /// The session waits for the requests in flight, in both directions, and then sends unbind. It ends with this reason.
    Draining(CloseReason),
    /// The session has sent unbind. It ends with this reason.
    Unbinding(CloseReason),
    /// The peer has sent unbind with this number. The session responds to it after the application's responses.
    PeerUnbinding(SequenceNumber),
    /// The session has responded to the peer's unbind. Responses of the peer may still arrive.
    PeerUnbound,
    /// The peer has closed its side of the connection. The session still transmits the application's responses, and ends with
    /// this reason.
    PeerFinished(CloseReason),
    /// The session ends with this reason once its last octets are transmitted.
    Flushing(CloseReason),
    /// The session has ended. It still has outcomes, and the end, to report.
    Reporting(CloseReason),
    /// The session has ended with this reason and has reported everything.
    Done(CloseReason),
}

impl Shutdown {
    /// Returns why the session accepts no new request once its shutdown has begun.
    pub(super) const fn refusal(self) -> Option<Refusal> {
        Some(match self {
            Self::NotStarted => return None,
            Self::Draining(reason)
            | Self::Unbinding(reason)
            | Self::PeerFinished(reason)
            | Self::Flushing(reason) => Refusal::Closing(reason),
            Self::PeerUnbinding(_) | Self::PeerUnbound => Refusal::Closing(CloseReason::PeerUnbound),
            Self::Reporting(reason) | Self::Done(reason) => Refusal::Closed(reason),
        })
    }
}
