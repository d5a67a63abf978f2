//! What a server reports: events, actions for the adapter, and requests of the ESMEs.

use alloc::boxed::Box;
use core::fmt;
use core::net::SocketAddr;

use super::connection::{AccountName, BindRefusal, ConnectionId, NotBoundReason, RejectReason};
use super::delivery::{DeliveryId, DeliveryOutcome};
use crate::frame::Frame;
use crate::pdu::{Bind, BindMode, CommandStatus};
use crate::session::{self, CloseReason, Request};
use crate::wire::Quirks;

/// What happened on a server, in the order in which it happened. [`poll_event`](super::Server::poll_event) returns it.
///
/// Each connection has one [`Connected`](Self::Connected) and one last event: [`NotBound`](Self::NotBound), or
/// [`Ended`](Self::Ended) after [`Bound`](Self::Bound). A connection that is [`Rejected`](Self::Rejected) has no other event.
///
/// `Display` is one line for a log. Neither `Display` nor `Debug` shows passwords, texts or phone numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A connection was accepted.
    #[non_exhaustive]
    Connected {
        /// The connection.
        connection: ConnectionId,
        /// The address of the client.
        address: SocketAddr,
    },
    /// A connection was closed at once, or before the address of its client was known.
    #[non_exhaustive]
    Rejected {
        /// The address of the client; that of the proxy if it has not stated one.
        address: SocketAddr,
        /// Why.
        reason: RejectReason,
    },
    /// A connection ended before it was bound.
    #[non_exhaustive]
    NotBound {
        /// The connection.
        connection: ConnectionId,
        /// The address of the client.
        address: SocketAddr,
        /// Why.
        reason: NotBoundReason,
    },
    /// A bind was refused. [`NotBound`](Self::NotBound) follows.
    #[non_exhaustive]
    BindRefused {
        /// The connection.
        connection: ConnectionId,
        /// The address of the ESME.
        address: SocketAddr,
        /// The system_id of the bind.
        system_id: Box<[u8]>,
        /// The mode of the bind.
        mode: BindMode,
        /// The status of the response.
        status: CommandStatus,
        /// Why.
        reason: BindRefusal,
    },
    /// An ESME has bound.
    #[non_exhaustive]
    Bound {
        /// The connection.
        connection: ConnectionId,
        /// The address of the ESME.
        address: SocketAddr,
        /// The account that the bind counts for.
        account: AccountName,
        /// The mode of the bind.
        mode: BindMode,
    },
    /// Messages of the bind are refused with [`Options::rate_status`](super::Options::rate_status), because a rate limit is
    /// reached. Emitted once until a message is accepted again.
    #[non_exhaustive]
    Throttled {
        /// The connection.
        connection: ConnectionId,
        /// The account.
        account: AccountName,
    },
    /// A bind has ended.
    #[non_exhaustive]
    Ended {
        /// The connection.
        connection: ConnectionId,
        /// The address of the ESME.
        address: SocketAddr,
        /// The account.
        account: AccountName,
        /// Why the session ended.
        reason: CloseReason,
    },
    /// A delivery ended.
    #[non_exhaustive]
    Delivery {
        /// The delivery.
        delivery: DeliveryId,
        /// The number that the caller has set: [`Delivery::key`](super::Delivery::key).
        key: u64,
        /// The account.
        account: AccountName,
        /// How the delivery ended.
        outcome: DeliveryOutcome,
    },
    /// The server is shut down. This is the last event.
    Closed,
    /// A receiver of an adapter was too slow: the oldest events were dropped. The events that follow are the newer ones.
    Lagged {
        /// How many events this receiver has lost here.
        lost: u64,
    },
}

impl Event {
    /// Returns a short name in `snake_case`, the same for all events of a variant: `bound`, `bind_refused`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Connected { .. } => "connected",
            Self::Rejected { .. } => "rejected",
            Self::NotBound { .. } => "not_bound",
            Self::BindRefused { .. } => "bind_refused",
            Self::Bound { .. } => "bound",
            Self::Throttled { .. } => "throttled",
            Self::Ended { .. } => "ended",
            Self::Delivery { .. } => "delivery",
            Self::Closed => "closed",
            Self::Lagged { .. } => "lagged",
        }
    }

    /// Returns the connection; `None` if the event belongs to none.
    pub const fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Connected { connection, .. }
            | Self::NotBound { connection, .. }
            | Self::BindRefused { connection, .. }
            | Self::Bound { connection, .. }
            | Self::Throttled { connection, .. }
            | Self::Ended { connection, .. } => Some(*connection),
            Self::Rejected { .. } | Self::Delivery { .. } | Self::Closed | Self::Lagged { .. } => None,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { connection, address } => write!(f, "connection {connection}: from {address}"),
            Self::Rejected { address, reason } => write!(f, "connection from {address} rejected: {reason}"),
            Self::NotBound { connection, address, reason } => {
                write!(f, "connection {connection}: from {address} ended without a bind: {reason}")
            }
            Self::BindRefused { connection, address, system_id, status, reason, .. } => write!(
                f,
                "connection {connection}: bind of {} from {address} refused, {reason}: {status}",
                system_id.escape_ascii()
            ),
            Self::Bound { connection, address, account, mode } => {
                write!(f, "connection {connection}: {account} bound as {mode} from {address}")
            }
            Self::Throttled { connection, account } => {
                write!(f, "connection {connection}: {account} throttled: its rate limit is reached")
            }
            Self::Ended { connection, address, account, reason } => {
                write!(f, "connection {connection}: {account} from {address} ended: {reason}")
            }
            Self::Delivery { delivery, account, outcome, .. } => {
                write!(f, "delivery {delivery} to {account}: {outcome}")
            }
            Self::Closed => f.write_str("the server is shut down"),
            Self::Lagged { lost } => write!(f, "events lost: {lost}, the receiver reads too slowly"),
        }
    }
}

/// What the adapter has to do. [`poll_action`](super::Server::poll_action) returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Close the connection, and report it with [`handle_closed`](super::Server::handle_closed). Write no more to it: what
    /// was not reported as transmitted counts as never sent.
    Close {
        /// The connection.
        connection: ConnectionId,
    },
    /// A call that did not name this connection has changed it: transmit its output, and ask for its deadline again.
    Wake {
        /// The connection.
        connection: ConnectionId,
    },
}

/// What an ESME sent, and the application or an observer handles. It borrows the input and not the server, so the application
/// can respond while it reads.
#[derive(Debug)]
#[non_exhaustive]
pub enum Inbound<'b> {
    /// A bind: call [`decide`](super::Server::decide) now or within
    /// [`decision_timeout`](super::Options::decision_timeout).
    #[non_exhaustive]
    Bind {
        /// The bind. [`Password::equals`](crate::Password::equals) compares in constant time.
        bind: Bind<'b>,
        /// The PDU as the ESME sent it.
        frame: Frame<&'b [u8]>,
    },
    /// A request of a bound ESME: respond to it with [`respond`](super::Server::respond), now or later.
    #[non_exhaustive]
    Request {
        /// The request, with the token that responds to it.
        request: Request<'b>,
        /// The PDU as the ESME sent it.
        frame: Frame<&'b [u8]>,
        /// The tolerated deviations from the specification in the PDU.
        quirks: Quirks,
    },
    /// What the session has handled by itself: a PDU that it refused, a malformed PDU, a response that matches no request.
    Other(session::Event<'b, DeliveryId>),
}
