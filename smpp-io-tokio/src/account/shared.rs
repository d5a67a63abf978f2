//! What the handles and the connections of an account share: the account behind a lock, and the tasks that wait on it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use smpp_common::LastFailure;
use smpp_common::telemetry::AccountTelemetry;
use smpp_proto::CommandId;
use smpp_proto::account::{
    Account, Action, Event, EventRouter, LinkEvent, Message, MessageNumber, Options, OptionsError,
    SubmitError,
};
use smpp_proto::session::Instant;
use tokio::sync::Notify;

use super::AccountError;
use super::settings::{BoxedObserver, Settings, bind_error};
use super::turns::LinkTask;
use crate::clock::Clock;
use crate::error::ConnectErrorKind;
use crate::wait::WakeList;
use crate::wait_queue::WaitQueue;

/// The most tasks that are woken after one call: the lock is released between two batches.
const WAKE_BATCH: usize = 256;

/// The number of a message that the account has taken, and whether the waker of its caller waits for the outcome.
pub(super) type Submitted = Result<(MessageNumber, bool), SubmitError>;

pub(crate) struct Shared {
    inner: Mutex<Inner>,
    pub(super) clock: Clock,
    pub(super) settings: Settings,
    /// Notified when the account can send at once, or accepts no more messages.
    pub(super) ready: Notify,
    /// How many calls wait for `ready`. A call counts itself before it locks the account and looks.
    pub(super) ready_waiting: AtomicUsize,
    /// Notified when the driver has something to do.
    pub(super) driver_wakeup: Notify,
    /// Notified when a bind is made, or none will be.
    bind_settled: Notify,
    /// Notified when the account has ended.
    pub(crate) ended: Notify,
}

pub(crate) struct Inner {
    pub(crate) telemetry: AccountTelemetry,
    pub(crate) account: Account<Option<BoxedObserver>>,
    /// Holds the events until the application fetches them.
    pub(crate) router: EventRouter<Waker>,
    /// The number of handles. At zero the account shuts down.
    pub(super) handles: usize,
    /// The actions for the driver.
    pub(super) actions: VecDeque<Action>,
    /// The deadline that the driver sleeps until, at the latest. Zero: it is awake.
    pub(super) driver_deadline: Option<Instant>,
    pub(super) links: Vec<LinkTask>,
    /// How many tasks of `links` are woken and have not had their turn.
    pub(super) scheduled: usize,
    /// The time of the last turn, or of the first call after which a task is woken.
    now: Instant,
    /// The calls of `submit` that wait for capacity, in order.
    submit_queue: WaitQueue,
    /// The first of them does not fit into this capacity.
    refused_capacity: usize,
    /// A message could not be submitted: the next one may.
    submission_failed: bool,
    /// An event of a connection or of the account has been dispatched: the tasks that wait for one are notified after the
    /// lock is released.
    state_changed: bool,
    /// The last error of a connection.
    pub(super) last_error: Option<LastFailure>,
    /// The error of a transport that has just failed, until the events of the failure are dispatched.
    pub(super) transport_error: Option<Arc<io::Error>>,
}

/// Whom to notify once the lock is released.
#[derive(Clone, Copy)]
pub(super) struct Notices {
    change: Change,
    driver: bool,
    /// More tasks than fit into one batch are to be woken.
    more: bool,
}

/// What has changed for the tasks that look at the account's state.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Nothing,
    /// The account can send at once.
    Ready,
    /// An event of a connection or of the account.
    State,
    /// The account has ended.
    Over,
}

impl Shared {
    pub(super) fn new(mut settings: Settings) -> Result<Arc<Self>, AccountError> {
        settings.options.check_endpoints().map_err(AccountError::Options)?;
        let options = smpp_common::seeded(settings.options.clone());
        let mut account = Account::new(options, Instant::ZERO).map_err(AccountError::Options)?;
        // Only a detailed receiver of events asks for them.
        account.report_handed_over(false);
        for expected in std::mem::take(&mut settings.expected) {
            account.expect(Instant::ZERO, expected).map_err(AccountError::Expect)?;
        }
        let inner = Inner {
            telemetry: AccountTelemetry::new(&settings.options.credentials.system_id),
            links: account.links().map(|_| LinkTask::default()).collect(),
            account,
            router: EventRouter::new(settings.arrivals_capacity)
                .with_events_capacity(settings.events_capacity),
            handles: 0,
            actions: VecDeque::new(),
            driver_deadline: Some(Instant::ZERO),
            scheduled: 0,
            now: Instant::ZERO,
            submit_queue: WaitQueue::default(),
            refused_capacity: 0,
            submission_failed: false,
            state_changed: false,
            last_error: None,
            transport_error: None,
        };
        let shared = Arc::new(Self {
            inner: Mutex::new(inner),
            clock: Clock::start(),
            settings,
            ready: Notify::new(),
            ready_waiting: AtomicUsize::new(0),
            driver_wakeup: Notify::new(),
            bind_settled: Notify::new(),
            ended: Notify::new(),
        });
        // Collects the action for the first bind.
        shared.with(|_, _| ());
        Ok(shared)
    }

    /// Locks the account. A poisoned lock is used as it is: a call of the account that panics leaves it consistent.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn try_lock(&self) -> bool {
        self.inner.try_lock().is_ok()
    }

    /// Calls `call` with the locked account, dispatches the events, and wakes the tasks that have something to do.
    ///
    /// The calls between the wake-up of a connection's task and its turn get the time of the first one, so that the clock is
    /// read once. The turn does the rest for all of them: their messages are sent together and leave in one write.
    pub(super) fn with<T>(&self, call: impl FnOnce(&mut Inner, Instant) -> T) -> T {
        let mut inner = self.lock();
        if inner.scheduled == 0 {
            inner.now = inner.now.max(self.clock.now());
        }
        let now = inner.now;
        let value = call(&mut inner, now);
        if inner.scheduled > 0 {
            return value;
        }
        let mut wake = WakeList::default();
        let notices = inner.end_call(now, self, &mut wake, false);
        drop(inner);
        self.announce(notices, &mut wake);
        value
    }

    /// As [`with`](Self::with), at the current time: for the tasks of the account.
    pub(super) fn with_now<T>(&self, call: impl FnOnce(&mut Inner, Instant) -> T) -> T {
        let mut wake = WakeList::default();
        let now = self.clock.now();
        let mut inner = self.lock();
        let now = inner.advance_clock(now);
        let value = call(&mut inner, now);
        let notices = inner.end_call(now, self, &mut wake, true);
        drop(inner);
        self.announce(notices, &mut wake);
        value
    }

    /// Notifies and wakes the tasks, without the lock.
    pub(super) fn announce(&self, notices: Notices, wake: &mut WakeList) {
        let Notices { change, driver, more } = notices;
        match change {
            Change::Nothing => {}
            Change::Ready => self.ready.notify_waiters(),
            Change::State | Change::Over => self.notify(change == Change::Over),
        }
        if driver {
            self.driver_wakeup.notify_one();
        }
        wake.wake_all();
        if more {
            self.wake();
        }
    }

    /// Notifies the tasks that wait for a bind, for capacity or for the end: they check again.
    pub(super) fn notify(&self, is_over: bool) {
        self.bind_settled.notify_waiters();
        self.ready.notify_waiters();
        if is_over {
            self.ended.notify_waiters();
        }
    }

    /// Ends the registration of a message. `has_state`: the caller has the state that its receipts report.
    #[inline(always)]
    pub(super) fn release(&self, message: MessageNumber, has_state: bool) {
        let mut inner = self.lock();
        if has_state {
            inner.router.release_with_state(message);
        } else {
            inner.router.release(message);
        }
        let has_wakers = inner.router.has_wakers();
        drop(inner);
        if has_wakers {
            self.wake();
        }
    }

    /// Wakes the tasks for which the router has something, without the lock.
    #[cold]
    pub(super) fn wake(&self) {
        let mut wake = WakeList::default();
        loop {
            let more = self.lock().take_router_wakers(&mut wake);
            wake.wake_all();
            if !more {
                return;
            }
        }
    }

    /// Waits until `poll` finds an event in the router.
    pub(super) async fn wait<T>(
        &self,
        poll: impl Fn(&mut EventRouter<Waker>, &mut Option<Waker>) -> Poll<T>,
    ) -> T {
        poll_fn(|cx| self.poll(cx, &poll)).await
    }

    /// Returns the event that `poll` finds in the router, or registers the task to be woken.
    #[inline(always)]
    pub(super) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        poll: impl Fn(&mut EventRouter<Waker>, &mut Option<Waker>) -> Poll<T>,
    ) -> Poll<T> {
        let (mut before, mut waker) = (None, None);
        let mut inner = self.lock();
        let mut has_waker = false;
        let polled = loop {
            let polled = poll(&mut inner.router, &mut waker);
            // Often the event is there already: then no waker is needed.
            if has_waker || polled.is_ready() {
                break polled;
            }
            // The router has swapped in the waker of the poll before, which is dropped after the lock is released.
            before = waker.replace(cx.waker().clone());
            has_waker = true;
        };
        drop(inner);
        drop((before, waker));
        polled
    }

    /// Waits for the first bind, or until there will be none.
    pub(super) async fn first_bind(&self) -> Result<(), AccountError> {
        loop {
            let mut settled = pin!(self.bind_settled.notified());
            settled.as_mut().enable();
            let result = {
                let inner = self.lock();
                inner.router.first_bind().map(|result| (result, inner.last_error.clone()))
            };
            match result {
                Some((Ok(()), _)) => return Ok(()),
                Some((Err(error), failure)) => return Err(AccountError::no_first_bind(error, failure)),
                None => settled.await,
            }
        }
    }
}

impl Inner {
    /// Sets the clock, which never goes back. Returns its time.
    pub(super) fn advance_clock(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }

    /// Dispatches the events of a call. Adds the tasks to wake to `wake`, and returns whom to notify: the driver, if there are
    /// actions, or if it has to wake up earlier. If the task of a connection is woken by it, its turn looks at that; a call by a
    /// task of the account, `by_task`, looks at that itself.
    pub(super) fn end_call(
        &mut self,
        now: Instant,
        shared: &Shared,
        wake: &mut WakeList,
        by_task: bool,
    ) -> Notices {
        self.dispatch(now);
        self.schedule_links(wake);
        let more = self.take_router_wakers(wake);
        let state_changed = std::mem::take(&mut self.state_changed);
        if !self.submit_queue.is_unused() {
            self.wake_submissions(wake, state_changed);
        }
        let is_ready = shared.ready_waiting.load(Ordering::Relaxed) > 0
            && self.account.ready_capacity().is_ok_and(|capacity| capacity > 0);
        let is_over = self.router.is_over();
        let is_awake = self.driver_deadline == Some(Instant::ZERO);
        let checks_timeout = by_task || self.scheduled == 0;
        let driver =
            !is_awake && (is_over || !self.actions.is_empty() || checks_timeout && self.is_driver_late());
        if driver {
            self.driver_deadline = Some(Instant::ZERO);
        }
        let change = match state_changed {
            true if is_over => Change::Over,
            true => Change::State,
            false if is_ready => Change::Ready,
            false => Change::Nothing,
        };
        Notices { change, driver, more }
    }

    /// Adds the calls of `submit` that may proceed to `wake`: as many as segments fit, unless the first does not fit.
    #[cold]
    fn wake_submissions(&mut self, wake: &mut WakeList, all: bool) {
        let available = self.account.available_capacity();
        let fitting = if available > self.refused_capacity { available } else { 0 };
        let failing = usize::from(std::mem::take(&mut self.submission_failed));
        if all {
            return self.submit_queue.take_wakers().for_each(|waker| wake.add(Some(waker)));
        }
        let first = self.submit_queue.take_first_wakers(fitting.max(failing));
        first.for_each(|waker| wake.add(Some(waker)));
    }

    /// Puts a message into the queue of the account if it is its turn: `ticket` is its place among those that wait for
    /// capacity. Otherwise it waits, with this waker. `awaits_outcome`: the waker then waits for the outcome, too. Returns whether
    /// it does, and a waker that is not needed: drop it without the lock.
    pub(super) fn submit_or_wait(
        &mut self,
        now: Instant,
        message: &Message,
        ticket: &mut Option<u32>,
        waker: &Waker,
        awaits_outcome: bool,
    ) -> (Poll<Submitted>, Option<Waker>) {
        let is_next = match *ticket {
            None => self.submit_queue.is_unused(),
            Some(ticket) => self.submit_queue.is_first(ticket),
        };
        let mut outcome_waker = if awaits_outcome && is_next { Some(waker.clone()) } else { None };
        let submitted =
            if is_next { self.submit(now, message, &mut outcome_waker) } else { Err(SubmitError::Full) };
        if let Err(SubmitError::Full) = submitted {
            if is_next {
                self.refused_capacity = self.account.available_capacity();
            }
            let unused = if let Some(ticket) = *ticket {
                self.submit_queue.wait(ticket, waker)
            } else {
                // All messages wait for the same capacity: the command does not matter.
                let waker = outcome_waker.unwrap_or_else(|| waker.clone());
                *ticket = Some(self.submit_queue.push(CommandId::SUBMIT_SM, waker));
                None
            };
            return (Poll::Pending, unused);
        }
        // The next one may fit, or fails as well.
        self.submission_failed |= submitted.is_err();
        let unused = ticket.take().and_then(|ticket| self.leave_submit_queue(ticket));
        let waits = awaits_outcome && outcome_waker.is_none();
        (Poll::Ready(submitted.map(|number| (number, waits))), unused.or(outcome_waker))
    }

    /// Removes a message that is dropped from those that wait for capacity, and returns its waker.
    pub(super) fn abandon_submission(&mut self, ticket: u32) -> Option<Waker> {
        // The next one may have run before its turn.
        self.submission_failed |= self.submit_queue.is_first(ticket);
        self.leave_submit_queue(ticket)
    }

    /// Removes a message from those that wait for capacity, and returns its waker.
    fn leave_submit_queue(&mut self, ticket: u32) -> Option<Waker> {
        if self.submit_queue.is_first(ticket) {
            self.refused_capacity = 0;
        }
        self.submit_queue.remove(ticket)
    }

    /// Shuts down the account. All who wait for capacity are notified: their calls fail.
    pub(super) fn shutdown(&mut self, now: Instant, timeout: Duration) {
        self.account.shutdown(now, timeout);
        self.state_changed = true;
    }

    /// Returns whether a timeout of the account is due before the driver wakes up.
    fn is_driver_late(&self) -> bool {
        match (self.driver_deadline, self.account.poll_timeout()) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(deadline), Some(at)) => at < deadline,
        }
    }

    /// Adds the tasks for which the router has something to `wake`, as many as one batch has. Returns whether there are more.
    pub(super) fn take_router_wakers(&mut self, wake: &mut WakeList) -> bool {
        let mut count = 0;
        for waker in self.router.take_wakers().take(WAKE_BATCH) {
            wake.add(Some(waker));
            count += 1;
        }
        count == WAKE_BATCH
    }

    /// Puts a message into the queue and registers it for its outcome, with the waker that waits for it, if there is one. If the
    /// task of a connection is woken, its turn sends what waits.
    pub(super) fn submit(
        &mut self,
        now: Instant,
        message: &Message,
        waker: &mut Option<Waker>,
    ) -> Result<MessageNumber, SubmitError> {
        if self.scheduled > 0 {
            self.router.enqueue(now, &mut self.account, message, waker)
        } else {
            self.router.submit_and_wait(now, &mut self.account, message, waker)
        }
    }

    /// Sends the messages of the calls since the task of a connection was woken, and dispatches the events.
    pub(super) fn send_queued(&mut self, now: Instant) {
        let now = self.advance_clock(now);
        self.account.send_queued(now);
        self.dispatch(now);
    }

    /// Changes the options of the account.
    pub(super) fn reconfigure(&mut self, now: Instant, options: Options) -> Result<(), OptionsError> {
        options.check_endpoints()?;
        self.account.reconfigure(now, options)?;
        // A message that waits may have fewer segments now.
        self.refused_capacity = 0;
        let links = self.account.links().count();
        if links > self.links.len() {
            self.links.resize_with(links, LinkTask::default);
        }
        Ok(())
    }

    /// Routes the events of the account, and collects the actions for the driver.
    pub(super) fn dispatch(&mut self, now: Instant) {
        loop {
            self.router.take_outcomes(&mut self.account);
            let Some(event) = self.account.poll_event() else { break };
            self.state_changed |=
                matches!(event, Event::Link { .. } | Event::Stopped { .. } | Event::Closed { .. });
            if let Event::Link { link, event: LinkEvent::BindRefused { error, received, .. }, .. } = &event {
                let kind = ConnectErrorKind::bind(error.clone(), *received, self.transport_error.take());
                self.last_error = self.account.endpoint(*link).map(|endpoint| {
                    bind_error(endpoint, kind, &self.account.options().credentials.system_id)
                });
            }
            self.telemetry.record(now, &event, self.last_error.as_ref());
            self.router.handle_event(now, &mut self.account, event);
        }
        for event in self.router.take_lost() {
            self.telemetry.record_event(now, &event);
        }
        self.transport_error = None;
        self.actions.extend(std::iter::from_fn(|| self.account.poll_action()));
    }

    /// Takes the wakers of all who wait for capacity.
    pub(super) fn take_submissions(&mut self) -> Vec<Waker> {
        self.submit_queue.take_wakers().collect()
    }
}
