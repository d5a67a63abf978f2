//! What the handles and the threads of an account share, and what is seen to after each step.
//!
//! # Threads
//!
//! Each connection has a [thread](super::link) for as long as there is something to do for it: it asks for the
//! addresses, connects, reads. The [clock](super::clock) has one. Nobody else is needed: whoever causes output writes
//! it.
//!
//! # Locks
//!
//! The account's lock is held for as long as the account thinks. Nothing that can block is done under it. What is
//! written on a connection is written by who holds its *office of writing*. The office is tried under the lock, and given
//! up under it: a thread that adds to the output and finds the office taken can leave, because the holder looks at the
//! output once more before it gives up the office. Only the connection's own thread waits for the office; it holds no lock
//! while it does, and others keep out meanwhile.
//!
//! # What was sent
//!
//! What a write has taken is known once it returns, and at the end of a session that decides between *never sent* and
//! *unanswered*. So the end is told, and the time, by a thread that has the office: nobody is in the middle of a write
//! then.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread;
use std::time::{self, Duration};

use smpp_core::account::{Account, EventRouter, FirstBindError};
use smpp_core::session::Instant;

use super::inner::Inner;
use super::task::Output;
use super::{AccountConnector, AccountError};
use crate::link::{TICK, WRITE_SLICE, Written, try_take};

/// The longest read there is reason for even where a session's periods are shorter.
const SHORTEST_LOOK: Duration = Duration::from_millis(100);

/// After so many writes, or [`WRITE_SLICE`], a thread leaves what is still to be written to the clock: it has its own
/// work to do.
const ROUNDS: u32 = 16;

/// What everyone shares.
pub(super) struct Shared {
    inner: Mutex<Inner>,
    start: time::Instant,
    pub(super) connector: AccountConnector,
    /// No read lasts longer. What another thread can set meanwhile is a whole `response` or `drain` ahead: no read that
    /// has begun before ends after it.
    pub(super) look: Duration,
    /// A bind was made, or will never be.
    pub(super) settled: Condvar,
    /// The account is over.
    pub(super) ended: Condvar,
    /// There is something for the clock to do.
    pub(super) changed: Condvar,
    /// A connection may go on that does not read.
    pub(super) unheld: Condvar,
}

pub(super) type Guard<'a> = MutexGuard<'a, Inner>;

impl Shared {
    pub(super) fn new(connector: AccountConnector) -> Result<Arc<Self>, AccountError> {
        let options = &connector.options;
        let account = Account::new(options.clone(), Instant::ZERO).map_err(AccountError::Options)?;
        let look = options.session.response_timeout.min(options.session.drain_timeout).max(SHORTEST_LOOK);
        Ok(Arc::new(Self {
            inner: Mutex::new(Inner::new(account, &connector)),
            start: time::Instant::now(),
            connector,
            look,
            settled: Condvar::new(),
            ended: Condvar::new(),
            changed: Condvar::new(),
            unheld: Condvar::new(),
        }))
    }

    /// A panic elsewhere leaves the account as consistent as it was: each of its calls completes.
    pub(super) fn lock(&self) -> Guard<'_> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Instant {
        Instant::after(self.start.elapsed())
    }

    /// The moment on the account's clock.
    pub(super) fn moment(&self, deadline: time::Instant) -> Instant {
        Instant::after(deadline.saturating_duration_since(self.start))
    }

    /// Waits to be notified, until then at most. It may wake for nothing.
    pub(super) fn wait<'a>(&self, condvar: &Condvar, inner: Guard<'a>, until: Option<Instant>) -> Guard<'a> {
        let Some(until) = until else {
            return condvar.wait(inner).unwrap_or_else(PoisonError::into_inner);
        };
        let left = (until - self.now()).max(TICK);
        condvar.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits until there is something at the desk; `None` if the deadline comes first.
    pub(super) fn wait_until<T>(
        &self,
        condvar: &Arc<Condvar>,
        deadline: Option<time::Instant>,
        poll: impl Fn(&mut EventRouter<Arc<Condvar>>, &mut Option<Arc<Condvar>>) -> Poll<T>,
    ) -> Option<T> {
        let until = deadline.map(|deadline| self.moment(deadline));
        let mut inner = self.lock();
        loop {
            if let Poll::Ready(found) = poll(&mut inner.desk, &mut Some(Arc::clone(condvar))) {
                return Some(found);
            }
            if until.is_some_and(|until| until <= self.now()) {
                return None;
            }
            inner = self.wait(condvar, inner, until);
        }
    }

    /// Does something to the account, then sees to what came of it.
    pub(super) fn with<T>(self: &Arc<Self>, act: impl FnOnce(&mut Inner, Instant) -> T) -> T {
        let _alarm = Alarm(self);
        let mut inner = self.lock();
        let value = act(&mut inner, self.now());
        self.see_to(inner);
        value
    }

    /// Sees to what came of a call: tells it, has it done, writes what there is. Lets go of the lock.
    pub(super) fn see_to<'a>(self: &'a Arc<Self>, mut inner: Guard<'a>) {
        self.pass_on(&mut inner);
        for _ in 0..ROUNDS {
            let mut wrote = false;
            for index in 0..inner.tasks.len() {
                if inner.tasks.get(index).is_some_and(|task| task.output == Output::Flows) {
                    let (next, any) = self.write(inner, index);
                    (inner, wrote) = (next, wrote || any);
                }
            }
            if !wrote {
                return;
            }
        }
        inner.leave_output();
        self.changed.notify_one();
    }

    /// Passes on what the account tells, and wakes who has something to do now.
    fn pass_on(self: &Arc<Self>, inner: &mut Inner) {
        inner.dispatch(self, self.now());
        inner.tell_room();
        let Inner { account, tasks, .. } = &*inner;
        if tasks
            .iter()
            .any(|task| task.is_held && (account.wants_input(task.link) || !inner.is_open(task.link)))
        {
            self.unheld.notify_all();
        }
        let is_earlier = match (inner.deadline(), inner.sleeps_until) {
            (Some(deadline), Some(sleeps_until)) => deadline < sleeps_until,
            (deadline, None) => deadline.is_some(),
            (None, _) => false,
        };
        if is_earlier || inner.desk.is_over() {
            self.changed.notify_one();
        }
    }

    /// Writes what there is on one connection, as far as the transport takes it, unless another thread does. Whether
    /// anything was done.
    pub(super) fn write<'a>(self: &'a Arc<Self>, mut inner: Guard<'a>, index: usize) -> (Guard<'a>, bool) {
        let Some((link, wire)) = inner.writable(index) else {
            inner.leave(index, Output::Flows);
            return (inner, false);
        };
        let Some(mut writer) = try_take(&wire.writer) else {
            // Whoever has the office looks at the output again.
            inner.leave(index, Output::Flows);
            return (inner, false);
        };
        let began = self.now();
        for round in 0.. {
            if !inner.is_open(link) || !writer.has_output(|out| _ = inner.account.poll_transmit(link, out)) {
                inner.leave(index, Output::Flows);
                return (inner, round > 0);
            }
            if round == ROUNDS || self.now() - began >= WRITE_SLICE {
                inner.leave(index, Output::Left);
                break;
            }
            drop(inner);
            let written = writer.write(&wire.stream);
            inner = self.lock();
            match written {
                Written::Octets(octets) => {
                    let now = self.now();
                    inner.account.handle_transmitted(now, link, octets);
                    self.pass_on(&mut inner);
                }
                Written::Pause => {
                    inner.leave(index, Output::Left);
                    break;
                }
                Written::Failed(error) => {
                    inner.failure = Some(error.to_string());
                    inner.leave(index, Output::Failed);
                    self.unheld.notify_all();
                    break;
                }
            }
        }
        self.changed.notify_one();
        (inner, true)
    }

    /// Waits for the first bind, or for why there will be none, for so long at most.
    pub(super) fn first_bind(&self, within: Duration) -> Result<(), AccountError> {
        let until = self.now() + within;
        let mut inner = self.lock();
        loop {
            match inner.desk.first_bind() {
                Some(Ok(())) => return Ok(()),
                Some(Err(FirstBindError::Refused(status))) => return Err(AccountError::Refused(status)),
                Some(Err(FirstBindError::Untrusted)) => {
                    return Err(AccountError::Untrusted(inner.failure.take().unwrap_or_default()));
                }
                None if until <= self.now() => {
                    return Err(AccountError::Timeout { after: within, last: inner.failure.take() });
                }
                None => inner = self.wait(&self.settled, inner, Some(until)),
            }
        }
    }
}

/// A place in the queue of those who wait for room.
pub(super) struct Turn<'a> {
    shared: &'a Shared,
    pub(super) condvar: Arc<Condvar>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(shared: &'a Shared) -> Self {
        Self { shared, condvar: Arc::new(Condvar::new()) }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.shared.lock().leave_queue(&self.condvar);
        }
    }
}

/// Has the clock see to it if an observer panics in a thread that is not the account's own.
pub(super) struct Alarm<'a>(pub(super) &'a Shared);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use smpp_core::SubmitSm;
    use smpp_core::account::{Credentials, Message, Options};
    use smpp_core::provider::Provider;

    use super::super::Account as Handle;
    use super::*;

    #[test]
    fn a_message_has_no_place_that_nobody_got_a_ticket_for() {
        let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED);
        let endpoint = "smpp://localhost".parse().unwrap();
        let connector =
            AccountConnector::new(&endpoint, options).subscribe(|_, _| panic!("a hook that fails"));
        let shared = Shared::new(connector).unwrap();
        let account = Handle::new(Arc::clone(&shared));
        let message = Message::text(&SubmitSm::default(), "Hello");
        let submit = [Handle::submit, Handle::try_submit];
        for (submit, queued) in submit.into_iter().zip(1..) {
            // Something is to be told of a connection.
            let mut inner = shared.lock();
            let link = inner.account.links().next().unwrap().0;
            inner.account.handle_timeout(Instant::ZERO + Duration::from_secs(3_600));
            inner.account.handle_resolved(Instant::ZERO, link, &[]);
            drop(inner);
            assert!(catch_unwind(AssertUnwindSafe(|| submit(&account, &message))).is_err());
            assert_eq!(account.queued(), queued, "it goes all the same");
            assert!(format!("{:?}", shared.lock().desk).contains("messages: 0"));
        }
    }
}
