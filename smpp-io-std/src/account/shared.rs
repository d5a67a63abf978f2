//! What the handles and the threads of an account share: the lock, and what threads wait for.
//!
//! # Threads
//!
//! Each connection has a [thread](super::link_thread) while there is something to do for it: the thread resolves the host,
//! connects and reads. The account has one [background thread](super::background), which keeps the time. The thread that
//! causes output writes it, or leaves it for 5 ms at most if it does not wait and other messages are in flight: then that of
//! several messages leaves in one write.
//!
//! # Locks
//!
//! A thread holds the account's lock only while it calls the account, and does nothing under it that can block: a transport
//! that is abandoned, or whose write has failed, is closed under the lock, which must not block. It wakes the threads that
//! have something to fetch after it has released the lock, in batches. A call looks only at the connections on which something
//! has changed.
//!
//! The output of a connection is written by the thread that has its *writer role*: the mutex of a
//! [`Writer`](crate::halves::Writer). A thread takes and gives up the role under the account's lock, and only tries to take
//! it: a thread that adds output and finds the role taken can return, because the writing thread checks for output once more
//! before it gives up the role. Only the connection's own thread waits for the role. It holds no lock while it does, and no
//! other thread takes the role meanwhile.
//!
//! # The end of a session
//!
//! How much of the output a write has taken is known only when the write returns. At the end of a session it decides
//! between *never sent* and *unanswered*. So only a thread that has the writer role passes the end and the time to the
//! session: then no thread is in the middle of a write.

use std::sync::{Arc, PoisonError};
use std::task::Poll;
use std::time::{self, Duration};

use smpp_proto::account::{Account, EventRouter, Options};
use smpp_proto::session::Instant;

use super::AccountError;
use super::connector::AccountConnector;
use super::state::AccountState;
use crate::sync::{Condvar, Mutex, MutexGuard, thread};
use crate::transport::MIN_WAIT;
use crate::waiter::{self, Registration, Waiter};

/// The least value of [`max_read`], also for sessions with shorter timeouts.
const MIN_MAX_READ: Duration = Duration::from_millis(100);

/// Returns the longest time that one read waits. A deadline that another thread sets meanwhile is a whole `response_timeout`
/// or `drain_timeout`, or two thirds of `unbind_timeout`, ahead, so no read that began before ends after it. Only a read that
/// began before a change of the options may.
pub(super) fn max_read(options: &Options) -> Duration {
    let session = options.session.response_timeout.min(options.session.drain_timeout);
    session.min(options.unbind_timeout / 3 * 2).max(MIN_MAX_READ)
}

/// What the handles and threads of an account share.
pub(super) struct Shared {
    state: Mutex<AccountState>,
    start: time::Instant,
    pub(super) connector: AccountConnector,
    /// Notified when a bind may have been made, or none will be: a connection has changed, or the account has stopped.
    pub(super) bind_settled: Condvar,
    /// Notified when the account can send more at once, or accepts no more messages.
    pub(super) ready: Condvar,
    /// Notified when the account has ended.
    pub(super) ended: Condvar,
    /// Notified when the background thread has something to do.
    pub(super) background_wakeup: Condvar,
    /// Notified when the thread of a connection may go on that waited until its session wants input.
    pub(super) resumed: Condvar,
}

pub(super) type Guard<'a> = MutexGuard<'a, AccountState>;

impl Shared {
    pub(super) fn new(mut connector: AccountConnector) -> Result<Arc<Self>, AccountError> {
        let expected = std::mem::take(&mut connector.expected);
        let options = &connector.options;
        options.check_endpoints().map_err(AccountError::Options)?;
        let seeded = smpp_common::seeded(options.clone());
        let mut account = Account::new(seeded, Instant::ZERO).map_err(AccountError::Options)?;
        // Only a detailed receiver of events asks for them.
        account.report_handed_over(false);
        for expected in expected {
            account.expect(Instant::ZERO, expected).map_err(AccountError::Expect)?;
        }
        Ok(Arc::new(Self {
            state: Mutex::new(AccountState::new(account, &connector)),
            start: time::Instant::now(),
            connector,
            bind_settled: Condvar::new(),
            ready: Condvar::new(),
            ended: Condvar::new(),
            background_wakeup: Condvar::new(),
            resumed: Condvar::new(),
        }))
    }

    /// Locks the account. Ignores poisoning: the account goes on after a panic of an observer, except that a message whose PDU
    /// the observer saw then may have no outcome.
    pub(super) fn lock(&self) -> Guard<'_> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Instant {
        Instant::after(self.start.elapsed())
    }

    /// Converts a time to the account's clock. A time before the start of the account becomes its start.
    pub(super) fn account_time(&self, at: time::Instant) -> Instant {
        Instant::after(at.saturating_duration_since(self.start))
    }

    /// Waits until the condvar is notified, at most until `until`. It may return early.
    pub(super) fn wait<'a>(&self, condvar: &Condvar, state: Guard<'a>, until: Option<Instant>) -> Guard<'a> {
        let Some(until) = until else {
            return condvar.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        let left = (until - self.now()).max(MIN_WAIT);
        condvar.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Releases the lock, then wakes the threads that have something to fetch or to check: in batches, so that no thread holds
    /// the lock for long. Returns whether it has woken one.
    #[inline]
    pub(super) fn unlock<'a>(&'a self, state: Guard<'a>) -> bool {
        state.has_wake_batch() && self.unlock_and_wake(state)
    }

    #[inline(never)]
    fn unlock_and_wake<'a>(&'a self, mut state: Guard<'a>) -> bool {
        let mut has_woken = false;
        loop {
            let batch = state.take_wake_batch();
            drop(state);
            has_woken |= batch.run();
            if !batch.has_more {
                return has_woken;
            }
            state = self.lock();
        }
    }

    /// Parks the current thread, which is registered to be woken, until another thread wakes it, at most until `until`. It
    /// may return early.
    pub(super) fn park<'a>(&'a self, state: Guard<'a>, until: Option<Instant>) -> Guard<'a> {
        // What woke it before has led to nothing under this lock.
        let registration = Registration::renew();
        self.unlock(state);
        self.park_unlocked(registration, until);
        self.lock()
    }

    /// As [`park`](Self::park), without the lock: the thread is registered to be woken.
    pub(super) fn park_unlocked(&self, registration: Registration, until: Option<Instant>) {
        waiter::park(registration, until.map(|until| (until - self.now()).max(MIN_WAIT)));
    }

    /// Waits until `poll` returns something from the router. Returns `None` if the deadline comes first.
    pub(super) fn wait_until<T>(
        self: &Arc<Self>,
        deadline: Option<time::Instant>,
        poll: impl Fn(&mut EventRouter<Waiter>, &mut Option<Waiter>) -> Poll<T>,
    ) -> Option<T> {
        let until = deadline.map(|deadline| self.account_time(deadline));
        let mut state = self.lock();
        // Often it is there already: then no waiter is needed.
        let (mut waiter, mut is_registered) = (None, false);
        loop {
            // One call, so that it is inlined and what it returns is moved once.
            if let Poll::Ready(found) = poll(&mut state.router, &mut waiter) {
                return Some(found);
            }
            if is_registered {
                if until.is_some_and(|until| until <= self.now()) {
                    return None;
                }
                state = if self.should_write_left(&state, until) {
                    self.write_left(state)
                } else {
                    self.park(state, until)
                };
            }
            waiter = Some(Waiter::current());
            is_registered = true;
        }
    }

    /// Waits for the first bind, or until it is known that there will be none, at most for `timeout`.
    pub(super) fn wait_for_first_bind(&self, timeout: Duration) -> Result<(), AccountError> {
        let until = self.now() + timeout;
        let mut state = self.lock();
        loop {
            match state.router.first_bind() {
                Some(Ok(())) => return Ok(()),
                Some(Err(error)) => return Err(AccountError::no_first_bind(error, state.last_error.take())),
                None if until <= self.now() => {
                    return Err(AccountError::timeout(timeout, state.last_error.take(), &state.account));
                }
                None => state = self.wait(&self.bind_settled, state, Some(until)),
            }
        }
    }
}

/// A place in the queue of the threads that wait for capacity. If the thread panics, it leaves the queue.
pub(super) struct QueuePlace<'a> {
    shared: &'a Shared,
    /// The place, once the thread is in the queue.
    pub(super) place: Option<u64>,
}

impl<'a> QueuePlace<'a> {
    pub(super) const fn new(shared: &'a Shared) -> Self {
        Self { shared, place: None }
    }
}

impl Drop for QueuePlace<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            let mut state = self.shared.lock();
            state.leave_queue(place);
            self.shared.unlock(state);
        }
    }
}

/// Wakes the background thread if an observer panics in a thread of the application, so that it finishes the call.
pub(super) struct WakeOnPanic<'a>(pub(super) &'a Shared);

impl Drop for WakeOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.lock().add_all_unwritten();
            self.0.background_wakeup.notify_one();
        }
    }
}
