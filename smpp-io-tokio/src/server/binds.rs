//! The ESMEs that are bound, and what is delivered to them.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use smpp_core::session::{NotSentReason, RequestError, Response, SentBy, Smsc, State, Stats};
use smpp_core::{BindMode, Operation};
use tokio::time::Instant;

use super::registry::Registry;
use crate::client::Peer;

/// Names a bind among all that a server ever has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BindId(pub(super) u64);

impl fmt::Display for BindId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One bound ESME. Cheap to clone.
#[derive(Clone)]
pub struct BoundSession(Arc<Inner>);

struct Inner {
    id: BindId,
    system_id: Box<[u8]>,
    mode: BindMode,
    address: SocketAddr,
    tls: bool,
    since: Instant,
    peer: Peer,
    /// Deliveries of [`BindRegistry::deliver`] that have no outcome yet, those that wait for room included.
    delivering: AtomicU32,
}

impl BoundSession {
    pub(super) fn new(
        id: BindId,
        (system_id, mode): (&[u8], BindMode),
        (address, tls): (SocketAddr, bool),
        peer: Peer,
    ) -> Self {
        let (since, delivering) = (Instant::now(), AtomicU32::new(0));
        let system_id = system_id.into();
        Self(Arc::new(Inner { id, system_id, mode, address, tls, since, peer, delivering }))
    }

    /// Its name among all binds of the server, past and future.
    pub fn id(&self) -> BindId {
        self.0.id
    }

    /// The account.
    pub fn system_id(&self) -> &[u8] {
        &self.0.system_id
    }

    /// In which directions messages go.
    pub fn mode(&self) -> BindMode {
        self.0.mode
    }

    /// Where the ESME connects from.
    pub fn peer_addr(&self) -> SocketAddr {
        self.0.address
    }

    /// Whether the connection is encrypted.
    pub fn is_tls(&self) -> bool {
        self.0.tls
    }

    /// Since when it is bound.
    pub fn since(&self) -> Instant {
        self.0.since
    }

    /// The counters of its session.
    pub fn stats(&self) -> Stats {
        self.0.peer.stats()
    }

    /// A handle on its session: delivers on this very bind, ends it.
    pub fn peer(&self) -> &Peer {
        &self.0.peer
    }

    /// Whether its session goes on.
    pub(super) fn is_alive(&self) -> bool {
        !matches!(self.0.peer.state(), State::Unbinding | State::Closed)
    }

    /// Ends its session at once.
    pub(super) fn abort(&self) {
        self.0.peer.shared.with(|core, _| core.session.abort());
    }

    /// Requests to it that have no outcome: the fewer, the more room.
    fn load(&self) -> u32 {
        self.0.delivering.load(Ordering::Relaxed).max(self.stats().in_flight.into())
    }
}

impl fmt::Debug for BoundSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundSession")
            .field("id", &self.id().0)
            .field("system_id", &format_args!("{}", self.system_id().escape_ascii()))
            .field("mode", &self.mode())
            .field("peer_addr", &self.peer_addr())
            .finish_non_exhaustive()
    }
}

/// The binds of a server: who is there, and what is delivered to them. Clone it freely; it keeps no server running.
#[derive(Clone)]
pub struct BindRegistry {
    pub(super) registry: Arc<Registry>,
}

impl BindRegistry {
    /// All binds, in the order they came.
    pub fn list(&self) -> Vec<BoundSession> {
        let mut bound = self.registry.bound(None);
        bound.sort_by_key(BoundSession::id);
        bound
    }

    /// The binds of one account, in the order they came.
    pub fn of(&self, system_id: &[u8]) -> Vec<BoundSession> {
        self.registry.bound(Some(system_id))
    }

    /// How many connections there are, bound or not, those that are being closed included.
    pub fn connections(&self) -> usize {
        self.registry.connections()
    }

    /// Delivers a message or a receipt (deliver_sm, data_sm) to an account: on the receiving bind of it that has most
    /// room. If that one ends before the request has left, on the next one.
    ///
    /// It waits for a turn as [`Handle::request`](crate::Handle::request) does, and is cancel-safe in the same sense.
    /// `NeverSent` with [`NotSentReason::NoBind`]: the account has no receiving bind. `Unanswered` is not repeated: that may
    /// make a second message.
    pub async fn deliver<O>(&self, system_id: &[u8], message: &O) -> Result<Response, RequestError>
    where
        O: Operation + SentBy<Smsc>,
    {
        let mut tried = Vec::new();
        let mut outcome = RequestError::NeverSent(NotSentReason::NoBind);
        while let Some(bound) = self.receiver(system_id, &tried) {
            let turn = Turn::new(&bound);
            match bound.peer().request(message).await {
                Err(error @ RequestError::NeverSent(_)) => outcome = error,
                outcome => return outcome,
            }
            tried.push(turn.0.id);
        }
        Err(outcome)
    }

    /// The receiving bind of the account that has most room.
    fn receiver(&self, system_id: &[u8], tried: &[BindId]) -> Option<BoundSession> {
        let account = self.registry.bound(Some(system_id));
        let receives = |bound: &BoundSession| {
            !tried.contains(&bound.id())
                && matches!(bound.peer().state(), State::Bound(mode) if mode.receives())
        };
        account.into_iter().filter(receives).min_by_key(BoundSession::load)
    }
}

/// Counts a delivery while it is under way.
struct Turn<'a>(&'a Inner);

impl<'a> Turn<'a> {
    fn new(bound: &'a BoundSession) -> Self {
        bound.0.delivering.fetch_add(1, Ordering::Relaxed);
        Self(&bound.0)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.delivering.fetch_sub(1, Ordering::Relaxed);
    }
}
