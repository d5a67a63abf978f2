//! What the handles and the connections of an account share: the account behind a lock, and the tasks that wait on it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use smpp_core::account::{
    Account, Action, Event, EventRouter, FirstBindError, LinkEvent, LinkId, LinkState, Message,
    MessageNumber, Options, OptionsError, SubmitError,
};
use smpp_core::session::Instant;
use tokio::sync::{Notify, oneshot};

use super::error::AccountError;
use super::settings::{BoxedObserver, Settings, connect_error};
use crate::clock::Clock;
use crate::error::ConnectErrorKind;
use crate::telemetry::account::AccountTelemetry;

pub(crate) struct Shared {
    inner: Mutex<Inner>,
    pub(super) clock: Clock,
    pub(super) settings: Settings,
    /// Held by the call of `submit` that waits for capacity: calls wait in order.
    pub(super) submit_lock: tokio::sync::Mutex<()>,
    /// Notified when the queue has capacity again, or the account accepts no more messages.
    pub(super) capacity: Notify,
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
    /// The deadline that the driver sleeps until.
    pub(super) driver_deadline: Option<Instant>,
    pub(super) links: Vec<LinkTask>,
    /// An event of a connection or of the account has been dispatched: the tasks that wait for one are notified after the
    /// lock is released.
    state_changed: bool,
    /// The last error of a connection.
    pub(super) last_error: Option<String>,
    /// The error of a transport that has just failed, until the events of the failure are dispatched.
    pub(super) transport_error: Option<Arc<io::Error>>,
}

/// The task of one connection.
#[derive(Default)]
pub(super) struct LinkTask {
    /// Cancels the task when it is dropped.
    pub(super) cancel: Option<oneshot::Sender<()>>,
    pub(super) waker: Option<Waker>,
    /// What the task waits for, since the end of its last turn.
    waits: Waits,
}

/// What the task of a connection waits for. Whatever changes the account compares it with the new state, and wakes the task
/// if it has something else to do.
#[derive(Clone, Copy, Default)]
struct Waits {
    /// Its output waits for the transport, which wakes the task.
    for_transport: bool,
    /// It reads from the transport.
    for_input: bool,
    /// It sleeps until this time at most.
    until: Option<Instant>,
}

impl Shared {
    pub(super) fn new(mut settings: Settings) -> Result<Arc<Self>, AccountError> {
        settings.options.check_endpoints().map_err(AccountError::Options)?;
        let options = smpp_io_common::seeded(settings.options.clone());
        let mut account = Account::new(options, Instant::ZERO).map_err(AccountError::Options)?;
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
            driver_deadline: None,
            state_changed: false,
            last_error: None,
            transport_error: None,
        };
        let shared = Arc::new(Self {
            inner: Mutex::new(inner),
            clock: Clock::start(),
            settings,
            submit_lock: tokio::sync::Mutex::new(()),
            capacity: Notify::new(),
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
    pub(super) fn with<T>(&self, call: impl FnOnce(&mut Inner, Instant) -> T) -> T {
        let now = self.clock.now();
        let mut inner = self.lock();
        let before = inner.capacity();
        let value = call(&mut inner, now);
        inner.dispatch(now);
        let mut wakers = inner.busy_links();
        wakers.extend(inner.router.take_wakers());
        let (state_changed, is_over) = (std::mem::take(&mut inner.state_changed), inner.router.is_over());
        let after = inner.capacity();
        let has_capacity = after.0 > before.0 || after.1 > before.1;
        let driver_has_work =
            is_over || !inner.actions.is_empty() || inner.account.poll_timeout() != inner.driver_deadline;
        drop(inner);
        if state_changed {
            self.notify(is_over);
        } else if has_capacity {
            self.capacity.notify_waiters();
        }
        if driver_has_work {
            self.driver_wakeup.notify_one();
        }
        wakers.into_iter().for_each(Waker::wake);
        value
    }

    /// Notifies the tasks that wait for a bind, for capacity or for the end: they check again.
    pub(super) fn notify(&self, is_over: bool) {
        self.bind_settled.notify_waiters();
        self.capacity.notify_waiters();
        if is_over {
            self.ended.notify_waiters();
        }
    }

    /// Ends the registration of a message.
    pub(super) fn release(&self, message: MessageNumber) {
        self.lock().router.release(message);
        self.wake();
    }

    /// Wakes the tasks for which the router has something, without the lock.
    pub(super) fn wake(&self) {
        let wakers: Vec<_> = self.lock().router.take_wakers().collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Waits until `poll` finds an event in the router.
    pub(super) async fn wait<T>(
        &self,
        poll: impl Fn(&mut EventRouter<Waker>, &mut Option<Waker>) -> Poll<T>,
    ) -> T {
        poll_fn(|cx| self.poll(cx, &poll)).await
    }

    /// Returns the event that `poll` finds in the router, or registers the task to be woken.
    pub(super) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        poll: impl Fn(&mut EventRouter<Waker>, &mut Option<Waker>) -> Poll<T>,
    ) -> Poll<T> {
        // The router swaps in the waker of the poll before, which is dropped after the lock is released.
        let mut waker = Some(cx.waker().clone());
        poll(&mut self.lock().router, &mut waker)
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
                Some((Err(FirstBindError::Refused { status, response }), _)) => {
                    return Err(AccountError::Refused { status, response });
                }
                Some((Err(FirstBindError::Untrusted), error)) => {
                    return Err(AccountError::Untrusted(error.unwrap_or_default()));
                }
                None => settled.await,
            }
        }
    }
}

impl Inner {
    /// Returns how many segments the queue can hold, and how many the account can send at once.
    fn capacity(&self) -> (usize, usize) {
        (self.account.available_capacity(), self.account.ready_capacity().unwrap_or_default())
    }

    /// Puts a message into the queue and registers it for its outcome.
    pub(super) fn submit(&mut self, now: Instant, message: &Message) -> Result<MessageNumber, SubmitError> {
        self.router.submit(now, &mut self.account, message)
    }

    /// Changes the options of the account.
    pub(super) fn reconfigure(&mut self, now: Instant, options: Options) -> Result<(), OptionsError> {
        options.check_endpoints()?;
        self.account.reconfigure(now, options)?;
        let links = self.account.links().count();
        if links > self.links.len() {
            self.links.resize_with(links, LinkTask::default);
        }
        Ok(())
    }

    /// Routes the events of the account, and collects the actions for the driver.
    pub(super) fn dispatch(&mut self, now: Instant) {
        while let Some(event) = self.account.poll_event() {
            self.state_changed |=
                matches!(event, Event::Link { .. } | Event::Stopped { .. } | Event::Closed { .. });
            if let Event::Link { link, event: LinkEvent::BindRefused { error, received, .. } } = &event {
                let kind = ConnectErrorKind::bind(error.clone(), *received, self.transport_error.take());
                self.last_error = self.account.endpoint(*link).map(|endpoint| connect_error(endpoint, kind));
            }
            self.telemetry.record(now, &event, self.last_error.as_deref());
            self.router.handle_event(now, &mut self.account, event);
        }
        for event in self.router.take_lost() {
            self.telemetry.record_event(now, &event);
        }
        self.transport_error = None;
        self.actions.extend(std::iter::from_fn(|| self.account.poll_action()));
    }

    /// Takes the wakers of the connections whose tasks have something else to do than what they wait for.
    pub(super) fn busy_links(&mut self) -> Vec<Waker> {
        let Self { account, links, .. } = self;
        let waker = |(link, state): (LinkId, LinkState)| {
            let task = links.get_mut(link.index()).filter(|task| task.waker.is_some())?;
            let waits = task.waits;
            let is_busy = state == LinkState::Closing
                || account.wants_transmit(link) && !waits.for_transport
                || account.wants_input(link) && !waits.for_input
                || account
                    .poll_link_timeout(link)
                    .is_some_and(|(at, _)| waits.until.is_none_or(|until| at < until));
            if is_busy { task.waker.take() } else { None }
        };
        account.links().filter_map(waker).collect()
    }

    /// Records what the task of a connection waits for at the end of its turn, and its waker. Output that is left waits for
    /// the transport: without this distinction, two connections that cannot write would wake each other forever. Returns
    /// whether the task reads from the transport, and when it has to act at the latest.
    pub(super) fn end_turn(&mut self, link: LinkId, waker: &Waker) -> (bool, Option<Instant>) {
        let waits = Waits {
            for_transport: self.account.wants_transmit(link),
            for_input: self.account.wants_input(link),
            until: self.account.poll_link_timeout(link).map(|(at, _)| at),
        };
        if let Some(task) = self.links.get_mut(link.index()) {
            task.waits = waits;
            if !task.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
                task.waker = Some(waker.clone());
            }
        }
        (waits.for_input, waits.until)
    }
}
