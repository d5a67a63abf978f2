//! What an account tells, and what it wants done.

use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;

use super::incoming::{Ack, InboundMessage};
use super::message::{MessageId, MessageNumber, MessageOutcome};
use super::receipts::{DeliveryReceipt, ReceiptMatch};
use crate::frame::Frame;
use crate::pdu::{BindMode, CommandStatus};
use crate::session::{CloseReason, RequestError};
use crate::time::Instant;

/// One of the account's connections, by its place: 0 to `max_binds - 1`. It is used again for the next connection, but
/// never before [`handle_closed`](super::Account::handle_closed).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub(super) u16);

impl LinkId {
    /// The place.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What the adapter is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask for the addresses of the host, anew, and pass all of them to
    /// [`handle_resolved`](super::Account::handle_resolved).
    Resolve {
        /// For this connection.
        link: LinkId,
    },
    /// Connect to this address, TLS included, within [`Options::connect_timeout`](super::Options::connect_timeout), and tell
    /// [`handle_connected`](super::Account::handle_connected) or
    /// [`handle_connect_failed`](super::Account::handle_connect_failed).
    Connect {
        /// This connection.
        link: LinkId,
        /// Where to.
        address: SocketAddr,
    },
    /// Give up the connection, whatever it is doing: resolving, connecting, or open. Once it is gone, so that the peer
    /// is told, call [`handle_closed`](super::Account::handle_closed).
    Close {
        /// This connection.
        link: LinkId,
    },
}

/// What happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A message has come to its end. Said exactly once for each message that was taken.
    Outcome {
        /// Which one.
        message: MessageNumber,
        /// How it ended, part by part.
        outcome: MessageOutcome,
    },
    /// A delivery receipt.
    Receipt {
        /// What it says.
        receipt: DeliveryReceipt,
        /// Which message it is about; `None` if that is none that is waited for.
        about: Option<ReceiptMatch>,
        /// Answer it once it is safe.
        ack: Ack,
    },
    /// Receipts of a message are not waited for any more: they have not come in time, or there was no room for them.
    ReceiptsExpired {
        /// Which one.
        message: MessageNumber,
        /// The ids of its parts that have no last receipt. None if receipts were asked for only about some ends, as
        /// about a failure: then there was perhaps none to come.
        ids: Vec<MessageId>,
    },
    /// A message from a phone; or what there is of one whose other parts have not come in time.
    Message {
        /// The message.
        message: InboundMessage,
        /// Answer it once it is safe.
        ack: Ack,
    },
    /// The SMSC tells something that has no response: alert_notification.
    Notification {
        /// The PDU.
        frame: Frame<Vec<u8>>,
    },
    /// What a connection does.
    Link {
        /// Which one.
        link: LinkId,
        /// What.
        event: LinkEvent,
    },
    /// The SMSC refuses the account: no bind will be tried any more. Said once.
    Stopped {
        /// What it answered.
        status: CommandStatus,
    },
    /// The account is shut down: the last event.
    Closed {
        /// What is not known to have come to a good end.
        unresolved: Vec<Unresolved>,
    },
}

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkEvent {
    /// It is bound.
    Bound {
        /// In this mode.
        mode: BindMode,
        /// To this server.
        address: SocketAddr,
    },
    /// The host's name has no address, or could not be asked for.
    ResolveFailed {
        /// When it is tried again.
        retry_at: Instant,
    },
    /// There is no connection to this address.
    ConnectFailed {
        /// Where to.
        address: SocketAddr,
        /// What is in the way.
        failure: ConnectFailure,
        /// When the host is tried again; `None` if its next address is tried at once.
        retry_at: Option<Instant>,
    },
    /// The bind was not accepted.
    BindRefused {
        /// By this server.
        address: SocketAddr,
        /// How.
        error: RequestError,
    },
    /// The peer wants to end the session.
    PeerUnbind,
    /// The session is over.
    Closed {
        /// With this server.
        address: SocketAddr,
        /// Why.
        reason: CloseReason,
        /// When the host is tried again; `None` if its next address is tried at once, or nothing is tried any more.
        retry_at: Option<Instant>,
    },
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectFailure {
    /// Nobody answers, or the connection broke.
    Network,
    /// The server's certificate is not trusted, or not for this host.
    Untrusted,
}

/// A message that is not known to have come to a good end when the account was shut down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unresolved {
    /// Not all of it was accepted. The same outcome was told for it.
    NotAccepted {
        /// Which one.
        message: MessageNumber,
        /// How it ended, part by part.
        outcome: MessageOutcome,
    },
    /// It was accepted, and receipts of it have not come. They will come on the account's next bind.
    NoReceipt {
        /// Which one.
        message: MessageNumber,
        /// The ids of its parts that have no last receipt.
        ids: Vec<MessageId>,
    },
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Network => "no connection",
            Self::Untrusted => "the server's certificate is not accepted",
        })
    }
}
