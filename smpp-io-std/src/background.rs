//! The background thread of a session: it reads and keeps the timeouts while no other thread does.

use std::sync::Arc;
use std::time::Duration;

use smpp_core::session::Role;

use crate::session_state::BackgroundState;
use crate::shared::{EndRequest, Shared};
use crate::sync::thread;

/// How often the background thread checks whether other threads do the work. So long can a session be without a reader,
/// and so long can deferred output wait.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The background thread. If it panics, it aborts the session, so that no thread waits without limit.
pub(crate) struct BackgroundThread<R: Role>(pub(crate) Arc<Shared<R>>);

impl<R: Role> BackgroundThread<R> {
    /// Runs until the session has ended.
    ///
    /// Once the thread has read something for another thread, it leaves the reader role to the threads that wait. It
    /// takes the role again when no thread has read for a [`POLL_INTERVAL`]. So a thread that sends and waits in a loop
    /// reads its responses itself.
    pub(crate) fn run(self) {
        let shared = &self.0;
        shared.register_background_thread();
        let mut reads_seen = None;
        let mut state = shared.lock();
        loop {
            state.background = BackgroundState::Working;
            let is_idle = reads_seen == Some(state.reads);
            let (next, rests) = if is_idle {
                shared.write_and_read(state)
            } else {
                (shared.write_deferred(state), Some(true))
            };
            state = next;
            if state.end.is_some() {
                break;
            }
            reads_seen = Some(state.reads);
            let Some(rests) = rests else {
                // The reading thread wakes this thread.
                state = shared.park_background(state);
                reads_seen = None;
                continue;
            };
            if rests {
                state.background = BackgroundState::Polling;
                shared.unlock_and_wake(state);
                thread::park_timeout(POLL_INTERVAL);
                state = shared.lock();
            }
        }
        shared.unlock_and_wake(state);
    }
}

impl<R: Role> Drop for BackgroundThread<R> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.request_end(EndRequest::Abort);
        }
    }
}
