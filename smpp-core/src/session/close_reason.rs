//! The reason why a session ended.

use core::fmt;

use crate::frame::FramingError;

/// The reason why a session ended; [`Event::Closed`](super::Event::Closed) carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The caller asked for a graceful shutdown with [`unbind`](super::Session::unbind). The peer responded to the
    /// unbind, or closed the connection instead.
    Unbound,
    /// The peer sent unbind. The session responded to it, unless the connection closed before.
    PeerUnbound,
    /// The connection closed or failed, and neither side had unbound.
    Disconnected,
    /// The caller called [`abort`](super::Session::abort).
    Aborted,
    /// [`session_init_timeout`](super::Config::session_init_timeout) passed without an accepted bind; on an ESME that
    /// [awaits an outbind](super::Config::awaits_outbind), also without an outbind.
    SessionInit,
    /// Keep-alive failed: the transport has taken an enquire_link of the session, and the peer sent no PDU within
    /// [`response_timeout`](super::Config::response_timeout), or within one to two of them if the transport did not take it at
    /// once. If the enquire_link itself has not left, see [`Stalled`](Self::Stalled).
    LinkDead,
    /// The peer responded to enquire_link, but to no request for
    /// [`max_response_timeouts`](super::Config::max_response_timeouts) times
    /// [`response_timeout`](super::Config::response_timeout).
    Unresponsive,
    /// Output waited, and the transport took no octet of it for one to two times
    /// [`response_timeout`](super::Config::response_timeout), or an enquire_link did not leave within two of them and nothing
    /// was heard: the peer does not read.
    Stalled,
    /// No message passed for [`inactivity_timeout`](super::Config::inactivity_timeout), and the session unbound.
    Inactive,
    /// The peer did not respond to the session's unbind within [`response_timeout`](super::Config::response_timeout).
    UnbindTimeout,
    /// The peer sent an impossible `command_length`: the session cannot find the next PDU in the stream. The session
    /// responded with generic_nack.
    Framing(FramingError),
    /// The peer sent more malformed PDUs and unknown commands than [`max_malformed`](super::Config::max_malformed) allows.
    TooManyMalformed,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unbound => "closed by unbind of this side",
            Self::PeerUnbound => "the peer unbound",
            Self::Disconnected => "the connection ended without unbind",
            Self::Aborted => "aborted",
            Self::SessionInit => "no bind within session_init_timeout",
            Self::LinkDead => "the peer did not answer enquire_link within response_timeout",
            Self::Unresponsive => "the peer answered enquire_link but no request for max_response_timeouts",
            Self::Stalled => "the peer does not read: output did not leave within response_timeout",
            Self::Inactive => "no message within inactivity_timeout",
            Self::UnbindTimeout => "the peer did not answer unbind within response_timeout",
            Self::Framing(error) => return error.fmt(f),
            Self::TooManyMalformed => "the peer sent more malformed PDUs than max_malformed allows",
        })
    }
}

impl core::error::Error for CloseReason {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Framing(error) => Some(error),
            _ => None,
        }
    }
}
