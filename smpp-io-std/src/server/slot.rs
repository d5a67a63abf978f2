//! What the threads of one connection share with the registry.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use smpp_proto::server::{ConnectionId, DeliveryId};
use smpp_proto::session::{CloseReason, RequestError, Response};

use super::bound::BoundSession;
use super::connection::ServerContext;
use super::service::ServerEvent;
use crate::error::End;
use crate::handle::Peer;
use crate::session_hook::SessionHook;

/// The service runs for this connection.
const IN_SERVICE: u8 = 1;

/// The session has ended.
const ENDED: u8 = 2;

/// One connection. Its threads hold it; the connection is removed when all of them have dropped it.
pub(super) struct Slot {
    pub(super) id: ConnectionId,
    pub(super) context: Arc<ServerContext>,
    /// [`IN_SERVICE`] and [`ENDED`].
    activity: AtomicU8,
    announced: Mutex<Announced>,
    peer: OnceLock<Peer>,
}

/// Orders the events `Bound` and `Ended`, which two threads emit.
#[derive(Default)]
struct Announced {
    /// The bind, between the two events.
    bound: Option<BoundSession>,
    end: Option<End>,
}

/// A call of the service. Dropped when it has returned.
pub(super) struct ServiceCall<'a>(&'a Slot);

impl Slot {
    pub(super) fn new(id: ConnectionId, context: Arc<ServerContext>) -> Self {
        Self { id, context, activity: AtomicU8::new(0), announced: Mutex::default(), peer: OnceLock::new() }
    }

    /// Begins a call of the service. Returns `None` if the session has ended, and too many calls go on whose sessions have.
    pub(super) fn begin_call(&self) -> Option<ServiceCall<'_>> {
        let registry = &self.context.registry;
        if self.activity.fetch_or(IN_SERVICE, Ordering::SeqCst) & ENDED != 0 {
            let before = registry.detached_requests.fetch_add(1, Ordering::SeqCst);
            if before >= registry.limits.detached_requests {
                drop(ServiceCall(self));
                return None;
            }
            registry.notify_changed();
        }
        Some(ServiceCall(self))
    }

    /// Records the session.
    pub(super) fn set_peer(&self, peer: &Peer) {
        self.peer.get_or_init(|| peer.clone());
    }

    /// Ends the session, because the thread that handles its requests has panicked: in an observer, for example.
    pub(super) fn abort(&self) {
        self.peer.get().inspect(|peer| peer.begin_abort());
    }

    /// Emits that the connection is bound, and that it has ended if it has meanwhile.
    pub(super) fn announce(&self, bound: &BoundSession) {
        self.context.emit(ServerEvent::Bound(bound));
        let mut announced = self.announced.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(end) = announced.end.take() else {
            announced.bound = Some(bound.clone());
            return;
        };
        drop(announced);
        self.context.emit(ServerEvent::Ended { bound, end: &end });
    }
}

impl Drop for ServiceCall<'_> {
    fn drop(&mut self) {
        let Slot { activity, context, .. } = self.0;
        if activity.fetch_and(!IN_SERVICE, Ordering::SeqCst) & ENDED != 0 {
            context.registry.detached_requests.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl SessionHook for Slot {
    fn set_unbound_octets(&self, octets: usize) {
        self.context.registry.set_unbound_octets(self.id, octets);
    }

    fn unbinding(&self) {
        self.context.registry.unbinding(self.id);
    }

    fn handle_result(&self, delivery: DeliveryId, result: Result<Response, RequestError>) {
        self.context.registry.handle_result(delivery, result);
    }

    fn ended(&self, reason: CloseReason) {
        let registry = &self.context.registry;
        if self.activity.fetch_or(ENDED, Ordering::SeqCst) & (ENDED | IN_SERVICE) == IN_SERVICE {
            registry.detached_requests.fetch_add(1, Ordering::SeqCst);
        }
        registry.ended(self.id, reason);
    }

    fn flush(&self) {
        self.context.registry.flush();
    }

    fn closed(&self, end: &End) {
        let mut announced = self.announced.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bound) = announced.bound.take() else {
            announced.end = Some(end.clone());
            return;
        };
        drop(announced);
        self.context.emit(ServerEvent::Ended { bound: &bound, end });
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.context.registry.closed(self.id);
    }
}
