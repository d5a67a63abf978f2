//! The background thread of a session: it reads and keeps the timeouts while no other thread does.

use std::sync::Arc;
use std::time::Duration;

use smpp_proto::session::{CloseReason, Instant, Role};

use crate::end_request::EndRequest;
use crate::error::End;
use crate::halves::WRITE_TIMEOUT;
use crate::session_hook::SessionHook;
use crate::session_state::{BackgroundState, SessionState};
use crate::shared::{Guard, Progress, Shared};
use crate::sync::thread;
use crate::transport::{MAX_LATENESS, MIN_WAIT};

/// How often the background thread checks whether other threads do the work. So long can a session be without a reader,
/// and so long can deferred output wait.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The background thread. If it panics, it aborts the session, so that no thread waits without limit.
pub(crate) struct BackgroundThread<R: Role> {
    pub(crate) shared: Arc<Shared<R>>,
    /// The connection of a server.
    pub(crate) hook: Option<Arc<dyn SessionHook>>,
}

impl<R: Role> BackgroundThread<R> {
    /// Runs until the session has ended.
    ///
    /// Once the thread has read something for another thread, it leaves the reader role to the threads that wait. It
    /// takes the role again when no thread has read for a [`POLL_INTERVAL`]. So a thread that sends and waits in a loop
    /// reads its responses itself.
    pub(crate) fn run(self) {
        let shared = &self.shared;
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

impl<R: Role> Shared<R> {
    /// Wakes the background thread if another thread is in a long read, and a deadline was set that neither knows.
    pub(crate) fn guard_deadline(&self, state: &mut SessionState<R>) {
        if state.long_read.is_some()
            && state.background == BackgroundState::Parked
            && let Some(deadline) = state.unguarded_deadline()
            && state.guarded_until.is_none_or(|guarded| deadline < guarded)
        {
            state.guarded_until = Some(deadline);
            state.waiting.wake_list().extend(self.background_thread.get().cloned());
        }
    }

    /// Waits, in the background thread, until no other thread reads. If the session has a deadline that a long read does not
    /// know, keeps it: a read that has not returned a [`guard_delay`](Self::guard_delay) after the deadline has found nothing.
    fn park_background<'a>(&'a self, mut state: Guard<'a, R>) -> Guard<'a, R> {
        state.background = BackgroundState::Parked;
        let mut due: Option<(u64, Instant)> = None;
        while state.background == BackgroundState::Parked && state.end.is_none() {
            let now = self.now();
            let deadline = state.unguarded_deadline();
            let until = match (deadline, due) {
                (Some(_), Some((reads, at))) if reads == state.reads && at + self.guard_delay() <= now => {
                    state.caught_up = state.caught_up.max(at);
                    state.clock_pending = true;
                    self.advance_clock(&mut state);
                    let (next, progress) = self.write_output(state);
                    state = next;
                    if progress == Progress::Blocked {
                        state.background = BackgroundState::Polling;
                    }
                    due = None;
                    // Another thread may be writing: it advances the clock.
                    Some(now + MAX_LATENESS)
                }
                (Some(_), Some((reads, at))) if reads == state.reads => Some(at + self.guard_delay()),
                (Some(deadline), _) if deadline <= now => {
                    due = Some((state.reads, now));
                    Some(now + self.guard_delay())
                }
                (deadline, _) => {
                    due = None;
                    deadline
                }
            };
            state.guarded_until = until;
            self.unlock_and_wake(state);
            match until {
                Some(until) => thread::park_timeout((until - now).max(MIN_WAIT)),
                None => thread::park(),
            }
            state = self.lock();
        }
        state.guarded_until = None;
        state
    }

    /// How long after a deadline a thread that is in a long read has the time to return with octets that came before: an
    /// eighth of the shortest timeout, or [`WRITE_TIMEOUT`] if that is longer.
    fn guard_delay(&self) -> Duration {
        self.max_read.max(WRITE_TIMEOUT)
    }

    /// Puts the background thread on the wake list, if it is parked.
    pub(crate) fn wake_background(&self, state: &mut SessionState<R>) {
        if state.background == BackgroundState::Parked {
            state.background = BackgroundState::Polling;
            state.waiting.wake_list().extend(self.background_thread.get().cloned());
        }
    }
}

impl<R: Role> Drop for BackgroundThread<R> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.shared.request_end(EndRequest::Abort);
        }
        if let Some(hook) = &self.hook {
            // A thread that panics may hold the lock itself. Otherwise another one has it for a moment.
            let state = if thread::panicking() { self.shared.try_lock() } else { Some(self.shared.lock()) };
            let end = state.and_then(|state| state.end.clone());
            hook.closed(&end.unwrap_or(End::new(CloseReason::Aborted, None)));
        }
    }
}
