//! The connections of an account as the caller sees them: their ids, states and events.

use alloc::boxed::Box;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use crate::diagnosis::{ReceivedInstead, refused_bind_advice};
use crate::pdu::{BindMode, CommandStatus};
use crate::session::{CloseReason, RequestError, State};

/// Identifies one of the account's connection slots, from 0: below the largest
/// [`max_binds`](super::Options::max_binds) that the account has had. The account reuses the slot for the next connection,
/// but never before [`handle_closed`](super::Account::handle_closed).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub(super) u16);

impl LinkId {
    /// Returns the index of the slot.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Identifies one bind: one session on one connection slot. A slot that reconnects has another bind.
///
/// What the SMSC delivers says on which bind it arrived: [`InboundMessage::bind`](super::InboundMessage::bind),
/// [`DeliveryReceipt::bind`](super::DeliveryReceipt::bind). [`Message::bind`](super::Message::bind) sends a message on the
/// same bind, as a USSD session requires.
///
/// `Display` shows the slot and the number of the session on it, from 1: `0.3`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BindId(u64);

impl BindId {
    /// How many bits the number of the session has. No slot connects as often.
    const GENERATION_BITS: u32 = 48;

    /// Creates the id of the session of this slot with this number.
    pub(super) const fn new(link: LinkId, generation: u64) -> Self {
        let generation =
            generation << (u64::BITS - Self::GENERATION_BITS) >> (u64::BITS - Self::GENERATION_BITS);
        Self((link.0 as u64) << Self::GENERATION_BITS | generation)
    }

    const fn generation(self) -> u64 {
        self.0 << (u64::BITS - Self::GENERATION_BITS) >> (u64::BITS - Self::GENERATION_BITS)
    }

    /// Returns whether it is the session of its slot with this number.
    pub(super) const fn is_generation(self, generation: u64) -> bool {
        self.generation() == generation
    }

    /// Returns the connection slot.
    pub const fn link(self) -> LinkId {
        LinkId((self.0 >> Self::GENERATION_BITS) as u16)
    }

    /// Returns it in 4 octets.
    pub(super) const fn short(self) -> ShortBindId {
        ShortBindId((self.link().0 as u32) << 16 | self.0 as u16 as u32)
    }
}

/// A bind in 4 octets: its slot, and the last 16 bits of the number of its session. So it also is another bind of the slot,
/// 65,536 connections later. The default is no bind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ShortBindId(u32);

impl ShortBindId {
    /// Returns the connection slot.
    pub(super) const fn link(self) -> LinkId {
        LinkId((self.0 >> 16) as u16)
    }
}

/// As the fields.
impl fmt::Debug for BindId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BindId").field("link", &self.link()).field("generation", &self.generation()).finish()
    }
}

impl fmt::Display for BindId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.link(), self.generation())
    }
}

/// The state of a connection slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkState {
    /// There is no connection: the account does not need one here, or waits for its next attempt.
    Idle,
    /// The adapter resolves the host's name.
    Resolving,
    /// The adapter connects to this address.
    Connecting(SocketAddr),
    /// The connection to this address is open, and its session is in this state.
    Open(SocketAddr, State),
    /// The adapter closes the connection.
    Closing,
}

/// What happened on a connection: binding, bound, failed to connect, refused, paused, closed.
///
/// On each connection slot [`Binding`](Self::Binding) comes first, then [`Bound`](Self::Bound) or
/// [`BindRefused`](Self::BindRefused), then [`Closed`](Self::Closed). [`Paused`](Self::Paused) is followed by
/// [`Resumed`](Self::Resumed) or [`Closed`](Self::Closed). A connection that was not made has
/// [`ResolveFailed`](Self::ResolveFailed) or [`ConnectFailed`](Self::ConnectFailed) alone.
///
/// `Display` says what happened, where, and what the account does next; it shows no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkEvent {
    /// The connection is open, TLS included, and the account sends its bind.
    #[non_exhaustive]
    Binding {
        /// The mode of the bind.
        mode: BindMode,
        /// The server's address.
        address: SocketAddr,
    },
    /// The SMSC accepted the bind. The event follows the call that has read the response: an
    /// [observer](crate::session::Observer) has seen the response before.
    #[non_exhaustive]
    Bound {
        /// The bind: [`Message::bind`](super::Message::bind) sends on it.
        bind: BindId,
        /// The mode of the bind.
        mode: BindMode,
        /// The server's address.
        address: SocketAddr,
    },
    /// The host's name has no address, or the name server did not answer.
    #[non_exhaustive]
    ResolveFailed {
        /// The error in words, for example that of the operating system; at most 200 octets.
        detail: Box<str>,
        /// After which time the account resolves it again, at the earliest; `None` if it tries the next endpoint at once.
        retry_in: Option<Duration>,
    },
    /// The connection to this address failed.
    #[non_exhaustive]
    ConnectFailed {
        /// The server's address.
        address: SocketAddr,
        /// Why it failed.
        failure: ConnectFailure,
        /// The error in words, for example that of the operating system; at most 200 octets.
        detail: Box<str>,
        /// After which time the account tries again, at the earliest; `None` if it tries the next address or the next
        /// endpoint at once.
        retry_in: Option<Duration>,
    },
    /// The SMSC did not accept the bind. [`Closed`](Self::Closed) follows, and says when the account tries again.
    #[non_exhaustive]
    BindRefused {
        /// The server's address.
        address: SocketAddr,
        /// The SMSC's response with its status and TLVs, or why there was none.
        error: RequestError,
        /// What the peer sent instead of a response; `None` if it responded.
        received: Option<ReceivedInstead>,
    },
    /// The SMSC throttled a segment: `ESME_RTHROTTLED` or `ESME_RMSGQFUL`. Emitted once for each pause of the bind, not for
    /// each segment; [`Stats::throttled`](crate::session::Stats::throttled) counts the segments.
    #[non_exhaustive]
    Throttled {
        /// The status.
        status: CommandStatus,
    },
    /// The bind sends no segments for a while, because the SMSC refused one for the moment. Further refusals may extend the
    /// pause.
    #[non_exhaustive]
    Paused {
        /// The status of that refusal.
        status: CommandStatus,
        /// How long the pause lasts, unless it is extended.
        resume_in: Duration,
    },
    /// The SMSC refused a segment for the moment. Only its message waits; the bind sends others meanwhile:
    /// [`SubmitAction::Retry`](crate::provider::SubmitAction::Retry). Emitted once for each status of a bind, for 16 different
    /// ones at most, not for each segment.
    #[non_exhaustive]
    Retrying {
        /// The status.
        status: CommandStatus,
        /// After which time the segment is sent again, at the earliest.
        retry_in: Duration,
    },
    /// The pause is over: the bind sends again.
    Resumed,
    /// The peer sent unbind: the session ends once it has responded.
    PeerUnbind,
    /// The session ended.
    #[non_exhaustive]
    Closed {
        /// The server's address.
        address: SocketAddr,
        /// Why it ended.
        reason: CloseReason,
        /// The status with which the SMSC refused the bind, if it did: then the account has ended the session.
        refused: Option<CommandStatus>,
        /// After which time the account rebinds, at the earliest; `None` if it tries the next address or the next endpoint
        /// at once, or does not reconnect.
        retry_in: Option<Duration>,
    },
}

impl LinkEvent {
    /// Returns a short name in `snake_case`, the same for all events of a variant: `bound`, `link_closed`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Binding { .. } => "binding",
            Self::Bound { .. } => "bound",
            Self::ResolveFailed { .. } => "resolve_failed",
            Self::ConnectFailed { .. } => "connect_failed",
            Self::BindRefused { .. } => "bind_refused",
            Self::Throttled { .. } => "throttled",
            Self::Paused { .. } => "paused",
            Self::Retrying { .. } => "retrying",
            Self::Resumed => "resumed",
            Self::PeerUnbind => "peer_unbind",
            Self::Closed { .. } => "link_closed",
        }
    }

    /// Returns the server's address; `None` if the event has none.
    pub const fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Binding { address, .. }
            | Self::Bound { address, .. }
            | Self::ConnectFailed { address, .. }
            | Self::BindRefused { address, .. }
            | Self::Closed { address, .. } => Some(*address),
            Self::ResolveFailed { .. }
            | Self::Throttled { .. }
            | Self::Paused { .. }
            | Self::Retrying { .. }
            | Self::Resumed
            | Self::PeerUnbind => None,
        }
    }
}

impl fmt::Display for LinkEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Binding { mode, address } => write!(f, "connected to {address}, binding as {mode}"),
            Self::Bound { mode, address, .. } => write!(f, "bound as {mode} at {address}"),
            Self::ResolveFailed { detail, retry_in } => {
                write!(f, "cannot resolve the host: {detail}; ")?;
                match retry_in {
                    Some(delay) => write!(f, "next attempt in {}", ShownDuration(*delay)),
                    None => f.write_str("trying the next endpoint"),
                }
            }
            Self::ConnectFailed { address, failure, detail, retry_in } => {
                write!(f, "cannot connect to {address}: {failure}: {detail}; ")?;
                match retry_in {
                    Some(delay) => write!(f, "next attempt in {}", ShownDuration(*delay)),
                    None => f.write_str("trying the next address"),
                }
            }
            Self::BindRefused { address, error, received } => {
                write!(f, "bind failed at {address}: {error}")?;
                match (received, error) {
                    (Some(received), _) => write!(f, "; {received}; {}", received.advice_for_esme()),
                    (None, RequestError::Refused { status, .. }) => {
                        write!(f, "; {}", refused_bind_advice(*status))
                    }
                    (None, _) => Ok(()),
                }
            }
            Self::Throttled { status } => {
                write!(f, "throttled by the SMSC: {status}; the segment is sent again later")
            }
            Self::Paused { status, resume_in } => {
                write!(f, "sending is paused for {}: {status}", ShownDuration(*resume_in))
            }
            Self::Retrying { status, retry_in } => write!(
                f,
                "the SMSC refuses messages for the moment: {status}; each is sent again in {}, others meanwhile",
                ShownDuration(*retry_in)
            ),
            Self::Resumed => f.write_str("sending is resumed"),
            Self::PeerUnbind => f.write_str("the SMSC sent unbind; the account answers it and rebinds"),
            Self::Closed { address, reason, refused, retry_in } => {
                write!(f, "connection to {address} closed: ")?;
                match refused {
                    Some(status) => write!(f, "the SMSC refused the bind: {status}")?,
                    None => write!(f, "{reason}")?,
                }
                match retry_in {
                    Some(Duration::ZERO) => f.write_str("; rebinding now"),
                    Some(delay) => write!(f, "; rebinding in {}", ShownDuration(*delay)),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Shows a duration as a log line does: `250 ms`, `1.5 s`, `120 s`.
pub(super) struct ShownDuration(pub(super) Duration);

impl fmt::Display for ShownDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_millis() {
            millis @ 0..1_000 => write!(f, "{millis} ms"),
            millis @ 1_000..60_000 => write!(f, "{}.{} s", millis / 1_000, millis % 1_000 / 100),
            millis => write!(f, "{} s", millis / 1_000),
        }
    }
}

/// Why a connection attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectFailure {
    /// The server did not respond, or the connection broke.
    #[doc(alias = "unreachable")]
    Network,
    /// The server's certificate is not trusted, or not valid for this host.
    Untrusted,
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Network => "no connection to the server",
            Self::Untrusted => {
                "the server's certificate is not trusted: check the host name and the root certificates"
            }
        })
    }
}
