//! What a server does for the session of one of its connections.

use std::sync::Arc;

use smpp_proto::server::DeliveryId;
use smpp_proto::session::CloseReason;

use crate::error::End;
use crate::pending_requests::RequestResult;

/// The connection of a server. The methods are called under the lock of the session, unless they say otherwise.
pub(crate) trait SessionHook: Send + Sync {
    /// Records how many octets the session holds before it is bound: those that are no whole PDU, and those that have not
    /// left.
    fn set_unbound_octets(&self, octets: usize);

    /// Records that the session is no longer bound. Its output has not left yet.
    fn unbinding(&self);

    /// Records how a delivery ended.
    fn handle_result(&self, delivery: DeliveryId, result: RequestResult);

    /// Records the end of the session.
    fn ended(&self, reason: CloseReason);

    /// Does what follows from the other calls. Called without the lock.
    fn flush(&self);

    /// The session has ended, and its transport is closed. Called without the lock, in the background thread.
    fn closed(&self, end: &End);
}

/// What a session knows about the server that it belongs to.
pub(crate) struct ServerSide {
    hook: Arc<dyn SessionHook>,
    phase: Phase,
    /// Whether [`SessionHook::flush`] has to be called.
    needs_flush: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It holds so many octets.
    Unbound(usize),
    Bound,
    /// The server knows that it is no longer bound.
    Unbinding,
}

impl ServerSide {
    pub(crate) const fn new(hook: Arc<dyn SessionHook>) -> Self {
        Self { hook, phase: Phase::Unbound(0), needs_flush: false }
    }

    /// Returns whether the session is not bound yet.
    pub(crate) const fn is_unbound(&self) -> bool {
        matches!(self.phase, Phase::Unbound(_))
    }

    /// Records what the session holds before its bind.
    pub(crate) fn set_unbound_octets(&mut self, octets: usize) {
        if self.is_unbound() && self.phase != Phase::Unbound(octets) {
            self.phase = Phase::Unbound(octets);
            self.hook.set_unbound_octets(octets);
            self.needs_flush = true;
        }
    }

    /// Records that the session has accepted its bind.
    pub(crate) const fn bound(&mut self) {
        self.phase = Phase::Bound;
    }

    /// Records whether the session is bound.
    pub(crate) fn set_bound(&mut self, is_bound: bool) {
        if !is_bound && self.phase == Phase::Bound {
            self.phase = Phase::Unbinding;
            self.hook.unbinding();
            self.needs_flush = true;
        }
    }

    pub(crate) fn handle_result(&mut self, delivery: DeliveryId, result: RequestResult) {
        self.hook.handle_result(delivery, result);
        self.needs_flush = true;
    }

    pub(crate) fn ended(&mut self, reason: CloseReason) {
        self.set_bound(false);
        self.hook.ended(reason);
        self.needs_flush = true;
    }

    /// Returns the connection if its [`flush`](SessionHook::flush) has to be called.
    pub(crate) fn take_flush(&mut self) -> Option<Arc<dyn SessionHook>> {
        std::mem::take(&mut self.needs_flush).then(|| Arc::clone(&self.hook))
    }
}
