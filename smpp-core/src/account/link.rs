//! The connections of an account as the caller sees them: their ids, states and events.

use alloc::boxed::Box;
use core::fmt;
use core::net::SocketAddr;

use crate::diagnosis::ReceivedInstead;
use crate::pdu::BindMode;
use crate::session::{CloseReason, RequestError, State};
use crate::time::Instant;

/// Identifies one of the account's connection slots: 0 to `max_binds - 1`. The account reuses the slot for the next
/// connection, but never before [`handle_closed`](super::Account::handle_closed).
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BindId {
    link: LinkId,
    generation: u64,
}

impl BindId {
    /// Creates the id of the session of this slot with this number.
    pub(super) const fn new(link: LinkId, generation: u64) -> Self {
        Self { link, generation }
    }

    /// Returns whether it is the session of its slot with this number.
    pub(super) const fn is_generation(self, generation: u64) -> bool {
        self.generation == generation
    }

    /// Returns the connection slot.
    pub const fn link(self) -> LinkId {
        self.link
    }
}

impl fmt::Display for BindId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.link, self.generation)
    }
}

/// The state of a connection slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// What happened on a connection: bound, failed to connect, refused, closed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkEvent {
    /// The SMSC accepted the bind.
    Bound {
        /// The bind: [`Message::bind`](super::Message::bind) sends on it.
        bind: BindId,
        /// The mode of the bind.
        mode: BindMode,
        /// The server's address.
        address: SocketAddr,
    },
    /// The host's name has no address, or the name server did not answer.
    ResolveFailed {
        /// The error in words, for example that of the operating system; at most 200 octets.
        detail: Box<str>,
        /// When the account resolves it again.
        retry_at: Instant,
    },
    /// The connection to this address failed.
    ConnectFailed {
        /// The server's address.
        address: SocketAddr,
        /// Why it failed.
        failure: ConnectFailure,
        /// The error in words, for example that of the operating system; at most 200 octets.
        detail: Box<str>,
        /// When the account tries the host again; `None` if it tries the host's next address at once.
        retry_at: Option<Instant>,
    },
    /// The SMSC did not accept the bind. [`Closed`](Self::Closed) follows, and says when the account tries again.
    BindRefused {
        /// The server's address.
        address: SocketAddr,
        /// The SMSC's response with its status and TLVs, or why there was none.
        error: RequestError,
        /// What the peer sent instead of a response; `None` if it responded.
        received: Option<ReceivedInstead>,
    },
    /// The peer sent unbind: the session ends once it has responded.
    PeerUnbind,
    /// The session ended.
    Closed {
        /// The server's address.
        address: SocketAddr,
        /// Why it ended.
        reason: CloseReason,
        /// When the account tries the host again; `None` if it tries the host's next address at once, or does not
        /// reconnect.
        retry_at: Option<Instant>,
    },
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
