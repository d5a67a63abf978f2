//! Requests to end a session, which do not wait for the session's lock.

use smpp_proto::session::Role;

use crate::session_state::SessionState;
use crate::shared::{Output, Shared};
use crate::sync::atomic::Ordering;

/// A request to end the session. It does not wait for the session's lock: if an observer blocks the thread that holds the
/// lock, the request takes effect when the observer returns.
#[derive(Clone, Copy)]
pub(crate) enum EndRequest {
    Unbind = 1,
    /// It replaces an `Unbind`.
    Abort = 2,
}

impl<R: Role> Shared<R> {
    /// Begins to end the session. Does not wait for the session's lock, and makes one write at most.
    pub(crate) fn request_end(&self, request: EndRequest) {
        self.end_request.fetch_max(request as u8, Ordering::SeqCst);
        if !self.process_end_request() && matches!(request, EndRequest::Abort) {
            // The thread that holds the lock may do so for long. The session has ended, with or without an error here.
            let _ = self.stream.close();
        }
    }

    /// Lets an [`EndRequest`] take effect, unless another thread holds the lock: that thread does it. Returns whether none
    /// is left.
    pub(crate) fn process_end_request(&self) -> bool {
        // A read-modify-write, so that the one that comes second sees the other: the request, or the released lock.
        if self.end_request.fetch_or(0, Ordering::SeqCst) != 0 {
            let Some(state) = self.try_lock() else { return false };
            self.finish(state, Output::Leave);
        }
        true
    }

    /// Passes an [`EndRequest`] to the session.
    #[cold]
    pub(crate) fn apply_end_request(&self, state: &mut SessionState<R>) {
        if self.end_request.swap(0, Ordering::SeqCst) == EndRequest::Abort as u8 {
            state.abort();
        } else {
            let now = self.now();
            state.session.unbind(now);
            state.mark_output(now);
        }
    }
}
