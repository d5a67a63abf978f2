//! One bound ESME.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use smpp_proto::BindMode;
use smpp_proto::server::{AccountName, ConnectionId};
use smpp_proto::session::Stats;

use crate::handle::Peer;

/// Identifies a connection, and its bind once it is bound. A server never uses an id twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BindId(pub(super) ConnectionId);

impl fmt::Display for BindId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One bound ESME. Cheap to clone.
///
/// If you drop it, the session goes on. If you keep it, the session still ends when its connection does; the socket is closed,
/// and its descriptor is free once the last clone is dropped.
///
/// ```no_run
/// fn list(server: &smpp_std::Server) {
///     for bound in server.binds().list() {
///         let received = bound.stats().received.total().requests;
///         println!("{} from {}: {received}", bound.system_id().escape_ascii(), bound.peer_addr());
///     }
/// }
/// ```
#[derive(Clone)]
pub struct BoundSession(Arc<Inner>);

struct Inner {
    id: BindId,
    /// `None` if it is the account.
    system_id: Option<Box<[u8]>>,
    account: AccountName,
    mode: BindMode,
    address: SocketAddr,
    tls: bool,
    /// Whether its last message was refused because of a rate limit.
    is_throttled: AtomicBool,
    since: Instant,
    peer: Peer,
}

impl BoundSession {
    pub(super) fn new(
        id: BindId,
        (system_id, mode): (&[u8], BindMode),
        account: AccountName,
        (address, tls): (SocketAddr, bool),
        peer: Peer,
    ) -> Self {
        let system_id = (system_id != account.as_bytes()).then(|| system_id.into());
        Self(Arc::new(Inner {
            id,
            system_id,
            account,
            mode,
            address,
            tls,
            is_throttled: AtomicBool::new(false),
            since: Instant::now(),
            peer,
        }))
    }

    /// Returns the id of the bind.
    pub fn id(&self) -> BindId {
        self.0.id
    }

    /// Returns the system_id of the bind.
    pub fn system_id(&self) -> &[u8] {
        self.0.system_id.as_deref().unwrap_or(self.0.account.as_bytes())
    }

    /// Returns the account that the bind counts for: the system_id, unless [`Service::bind`](crate::Service::bind) has named
    /// another one.
    pub fn account(&self) -> &AccountName {
        &self.0.account
    }

    /// Returns the mode of the bind: transmitter, receiver or transceiver.
    pub fn mode(&self) -> BindMode {
        self.0.mode
    }

    /// Returns the address of the ESME.
    pub fn peer_addr(&self) -> SocketAddr {
        self.0.address
    }

    /// Returns whether the connection uses TLS.
    pub fn is_tls(&self) -> bool {
        self.0.tls
    }

    /// Returns when the ESME has bound.
    pub fn since(&self) -> Instant {
        self.0.since
    }

    /// Returns the counters of the session.
    pub fn stats(&self) -> Stats {
        self.0.peer.stats()
    }

    /// Returns the handle of the session: it delivers on this bind, and ends it.
    pub fn peer(&self) -> &Peer {
        &self.0.peer
    }

    /// Records whether the last message was refused because of a rate limit. Returns what was before.
    pub(super) fn set_throttled(&self, is_throttled: bool) -> bool {
        let flag = &self.0.is_throttled;
        let before = flag.load(Ordering::Relaxed);
        if before != is_throttled {
            flag.store(is_throttled, Ordering::Relaxed);
        }
        before
    }
}

impl fmt::Debug for BoundSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundSession")
            .field("id", &format_args!("{}", self.id()))
            .field("system_id", &format_args!("{}", self.system_id().escape_ascii()))
            .field("mode", &self.mode())
            .field("peer_addr", &self.peer_addr())
            .finish_non_exhaustive()
    }
}
