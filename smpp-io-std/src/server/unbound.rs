//! A connection without a bind, as it is closed for another one, or because the server stops.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::bind_request::PendingBind;
use super::stream::Socket;
use super::workers::Workers;
use crate::handle::Peer;
use crate::transport::Duplex as _;

/// A connection that is not bound.
pub(super) struct Unbound {
    socket: Arc<Socket>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The session, once there is one.
    peer: Option<Peer>,
    /// The bind that waits for a decision.
    bind: Option<Arc<PendingBind>>,
    is_closed: bool,
}

impl Unbound {
    pub(super) fn new(socket: Arc<Socket>) -> Self {
        Self { socket, state: Mutex::default() }
    }

    /// A poisoned lock is used as it is: no code of the application runs under it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the connection was closed for another one, or because the server stops.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Records the session. Returns whether the connection goes on.
    pub(super) fn set_peer(&self, peer: &Peer) -> bool {
        let mut state = self.lock();
        state.peer = Some(peer.clone());
        !state.is_closed
    }

    /// Records the bind that waits for a decision. Returns whether the connection goes on.
    pub(super) fn set_bind(&self, bind: &Arc<PendingBind>) -> bool {
        let mut state = self.lock();
        state.bind = Some(Arc::clone(bind));
        !state.is_closed
    }

    /// Returns the bind that waits for a decision.
    pub(super) fn bind(&self) -> Option<Arc<PendingBind>> {
        self.lock().bind.clone()
    }

    /// Closes the connection. Does not wait for the lock of its session. A bind that waits for a decision is refused.
    pub(super) fn close(&self, workers: &Arc<Workers>) {
        let mut state = self.lock();
        state.is_closed = true;
        let (peer, bind) = (state.peer.take(), state.bind.take());
        drop(state);
        match (peer, bind.and_then(|bind| bind.take_reply().map(|reply| (bind, reply)))) {
            (_, Some((bind, reply))) => {
                workers.run(move || bind.refuse_unanswered(reply));
            }
            (Some(peer), None) => peer.begin_abort(),
            (None, None) => {
                // It is closed in any case. The stream may be one of the application, and panic: others are still closed.
                let _ = catch_unwind(AssertUnwindSafe(|| self.socket.close()));
            }
        }
    }
}
