//! What the handles and the connections of an account share, and the task that does what it wants done.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use smpp_core::account::{
    Account, Action, Event, EventRouter, FirstBindError, LinkEvent, LinkId, LinkState, Message,
    MessageNumber, SubmitError,
};
use smpp_core::session::Instant;
use tokio::sync::{Notify, oneshot};
use tokio::time;

use super::watch::Watch;
use super::{AccountConnector, AccountError, Watcher, link};
use crate::driver::AGES;

/// What everyone shares.
pub(crate) struct Shared {
    inner: Mutex<Inner>,
    start: time::Instant,
    pub(super) connector: AccountConnector,
    /// Who may wait for room, one after another: in order.
    pub(super) turnstile: tokio::sync::Mutex<()>,
    /// The queue has room again, or takes no more.
    pub(super) room: Notify,
    /// There is something for the driver to do.
    changed: Notify,
    /// A bind was made, or will never be.
    settled: Notify,
    /// The account is over.
    pub(crate) ended: Notify,
}

pub(crate) struct Inner {
    pub(crate) watch: Watch,
    pub(crate) account: Account<Option<Watcher>>,
    /// What is to be fetched, and who waits for it.
    pub(crate) desk: EventRouter<Waker>,
    pub(super) handles: usize,
    /// What the driver is to do, and when it looks at the time if nobody wakes it.
    actions: VecDeque<Action>,
    sleeps_until: Option<Instant>,
    links: Vec<Task>,
    /// Whether something has happened to a connection, or to the account: who waits for that is notified once this is
    /// unlocked.
    has_changed: bool,
    /// What was last in the way of a bind.
    pub(super) failure: Option<String>,
}

/// The task of one connection.
#[derive(Default)]
struct Task {
    /// Dropped, the task gives up what it is doing.
    going_on: Option<oneshot::Sender<()>>,
    waker: Option<Waker>,
    /// What it has to transmit waits for the transport, which wakes it.
    is_stuck: bool,
}

impl Shared {
    pub(super) fn new(connector: AccountConnector) -> Result<Arc<Self>, AccountError> {
        let account =
            Account::new(connector.options.clone(), Instant::ZERO).map_err(AccountError::Options)?;
        let inner = Inner {
            watch: Watch::new(&connector.options.credentials.system_id),
            links: account.links().map(|_| Task::default()).collect(),
            account,
            desk: EventRouter::new(connector.arrivals_capacity),
            handles: 0,
            actions: VecDeque::new(),
            sleeps_until: None,
            has_changed: false,
            failure: None,
        };
        let shared = Arc::new(Self {
            inner: Mutex::new(inner),
            start: time::Instant::now(),
            connector,
            turnstile: tokio::sync::Mutex::new(()),
            room: Notify::new(),
            changed: Notify::new(),
            settled: Notify::new(),
            ended: Notify::new(),
        });
        // It wants its first bind.
        shared.with(|_, _| ());
        Ok(shared)
    }

    /// A panic elsewhere leaves the account as consistent as it was: each of its calls completes.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something to the account, then sees to what came of it.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Inner, Instant) -> T) -> T {
        self.act(None, act)
    }

    /// The same for the task of a connection, which sees itself to what came of it there.
    pub(super) fn with_link<T>(&self, link: LinkId, act: impl FnOnce(&mut Inner, Instant) -> T) -> T {
        self.act(Some(link), act)
    }

    fn act<T>(&self, by: Option<LinkId>, act: impl FnOnce(&mut Inner, Instant) -> T) -> T {
        let now = self.now();
        let mut inner = self.lock();
        let before = inner.account.available_capacity();
        let value = act(&mut inner, now);
        inner.dispatch(self, now);
        let mut wakers = inner.busy_links(by);
        wakers.extend(inner.desk.take_wakers());
        let (has_changed, is_over) = (std::mem::take(&mut inner.has_changed), inner.desk.is_over());
        let has_room = inner.account.available_capacity() > before;
        let asks_driver = !inner.actions.is_empty() || inner.account.poll_timeout() != inner.sleeps_until;
        drop(inner);
        if has_changed {
            self.notify(is_over);
        } else if has_room {
            self.room.notify_waiters();
        }
        if asks_driver {
            self.changed.notify_one();
        }
        wakers.into_iter().for_each(Waker::wake);
        value
    }

    /// Notifies those who wait for a bind, for room, for the end: they look again.
    fn notify(&self, is_over: bool) {
        self.settled.notify_waiters();
        self.room.notify_waiters();
        if is_over {
            self.ended.notify_waiters();
        }
    }

    /// Nobody waits for the message any more.
    pub(super) fn release(&self, message: MessageNumber) {
        let mut inner = self.lock();
        inner.desk.release(message);
        let woken: Vec<_> = inner.desk.take_wakers().collect();
        drop(inner);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Waits until there is something at the desk.
    pub(super) async fn wait<T>(
        &self,
        poll: impl Fn(&mut EventRouter<Waker>, &mut Option<Waker>) -> Poll<T>,
    ) -> T {
        poll_fn(|cx| {
            // Comes back as whoever waited before, to be dropped once this is unlocked.
            let mut waiter = Some(cx.waker().clone());
            poll(&mut self.lock().desk, &mut waiter)
        })
        .await
    }

    pub(super) fn now(&self) -> Instant {
        Instant::after(self.start.elapsed())
    }

    /// The moment on tokio's clock.
    pub(super) fn clock(&self, at: Instant) -> time::Instant {
        self.start + (at - Instant::ZERO).min(AGES)
    }

    /// Waits for the first bind, or for why there will be none.
    pub(super) async fn first_bind(&self) -> Result<(), AccountError> {
        loop {
            let mut settled = pin!(self.settled.notified());
            settled.as_mut().enable();
            let found = {
                let inner = self.lock();
                inner.desk.first_bind().map(|found| (found, inner.failure.clone()))
            };
            match found {
                Some((Ok(()), _)) => return Ok(()),
                Some((Err(FirstBindError::Refused(status)), _)) => return Err(AccountError::Refused(status)),
                Some((Err(FirstBindError::Untrusted), failure)) => {
                    return Err(AccountError::Untrusted(failure.unwrap_or_default()));
                }
                None => settled.await,
            }
        }
    }
}

impl Inner {
    /// Gives the account a message that someone waits for.
    pub(super) fn submit(&mut self, now: Instant, message: &Message) -> Result<MessageNumber, SubmitError> {
        self.desk.submit(now, &mut self.account, message)
    }

    /// Passes on what the account tells, and notes what it wants done.
    fn dispatch(&mut self, shared: &Shared, now: Instant) {
        while let Some(event) = self.account.poll_event() {
            self.watch.note(&event);
            self.has_changed |=
                matches!(event, Event::Link { .. } | Event::Stopped { .. } | Event::Closed { .. });
            if let Event::Link { link, event: change } = event {
                self.link_changed(shared, link, change);
            }
            self.desk.handle_event(now, &mut self.account, event);
        }
        self.actions.extend(std::iter::from_fn(|| self.account.poll_action()));
    }

    fn link_changed(&mut self, shared: &Shared, link: LinkId, change: LinkEvent) {
        if let LinkEvent::BindRefused { address, error } = change {
            self.failure = Some(format!("{address}: bind {error}"));
        }
        if let Some(watch) = &shared.connector.subscriber {
            // If it panics over that, nobody else has to suffer.
            let _ = catch_unwind(AssertUnwindSafe(|| watch(link, change)));
        }
    }

    /// The connections that have something to do.
    fn busy_links(&mut self, but: Option<LinkId>) -> Vec<Waker> {
        let Self { account, links, .. } = self;
        let woken = |(link, state): (LinkId, LinkState)| {
            let task = links.get_mut(link.index())?;
            let is_busy = state == LinkState::Closing || account.wants_transmit(link) && !task.is_stuck;
            if is_busy && Some(link) != but { task.waker.take() } else { None }
        };
        account.links().filter_map(woken).collect()
    }

    /// The turn of a connection is over: who is to be woken if it has something to do. What it leaves to be transmitted
    /// waits for the transport: two that cannot write would wake each other for ever.
    pub(super) fn rest(&mut self, link: LinkId, waker: &Waker) {
        let is_stuck = self.account.wants_transmit(link);
        let Some(task) = self.links.get_mut(link.index()) else { return };
        task.is_stuck = is_stuck;
        if !task.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            task.waker = Some(waker.clone());
        }
    }
}

/// Does what the account wants done, until it is over.
pub(super) struct Driver(pub(super) Arc<Shared>);

impl Driver {
    pub(super) async fn run(self) {
        let shared = &self.0;
        loop {
            let (actions, deadline, over) = {
                let mut inner = shared.lock();
                inner.sleeps_until = inner.account.poll_timeout();
                (std::mem::take(&mut inner.actions), inner.sleeps_until, inner.desk.is_over())
            };
            for action in actions {
                self.act(action);
            }
            if over {
                return;
            }
            let changed = shared.changed.notified();
            let Some(at) = deadline else {
                changed.await;
                continue;
            };
            if time::timeout_at(shared.clock(at), changed).await.is_err() {
                shared.with(|inner, now| inner.account.handle_timeout(now));
            }
        }
    }

    fn act(&self, action: Action) {
        let (Action::Resolve { link } | Action::Connect { link, .. } | Action::Close { link }) = action;
        let (going_on, gives_up) = oneshot::channel();
        {
            let mut inner = self.0.lock();
            let Some(task) = inner.links.get_mut(link.index()) else { return };
            // What it was doing is over, or is to be.
            task.going_on = None;
            if matches!(action, Action::Close { .. }) {
                return;
            }
            task.going_on = Some(going_on);
        }
        let shared = Arc::clone(&self.0);
        match action {
            Action::Resolve { .. } => drop(tokio::spawn(async move {
                link::unless_it_panics(&shared, link, link::resolve(&shared, link, gives_up)).await;
            })),
            Action::Connect { address, .. } => drop(tokio::spawn(async move {
                link::unless_it_panics(&shared, link, link::connect(&shared, link, address, gives_up)).await;
            })),
            Action::Close { .. } => {}
        }
    }
}

/// Dropped before the end, with its runtime perhaps: nobody waits for ever.
impl Drop for Driver {
    fn drop(&mut self) {
        let shared = &self.0;
        let now = shared.now();
        let mut inner = shared.lock();
        if inner.desk.is_over() {
            return;
        }
        // No connection outlives this: what was in flight is in doubt, the rest is not sent.
        inner.account.shutdown(now, Duration::ZERO);
        let links: Vec<_> = inner.account.links().map(|(link, _)| link).collect();
        for link in links {
            inner.account.handle_closed(now, link);
        }
        inner.dispatch(shared, now);
        // Their tasks see that it is over, if they still run.
        let tasks = std::mem::take(&mut inner.links);
        let woken: Vec<_> = inner.desk.take_wakers().collect();
        drop(inner);
        shared.notify(true);
        tasks.into_iter().filter_map(|task| task.waker).chain(woken).for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake};

    use smpp_core::SubmitSm;
    use smpp_core::account::{Credentials, Options, SendError};
    use smpp_core::provider::Provider;

    use super::super::{Account, Arrivals, Ticket};
    use super::*;

    fn shared() -> Arc<Shared> {
        let credentials = Credentials::new("shop", "s3cret");
        let options = Options { queue_capacity: 1, ..Options::new(credentials, &Provider::UNSTATED) };
        let endpoint = "smpp://localhost".parse().unwrap();
        Shared::new(AccountConnector::new(&endpoint, options)).unwrap()
    }

    fn submit(shared: &Arc<Shared>) -> Ticket {
        let message = Message::text(&SubmitSm::default(), "Hello");
        Ticket::new(shared.with(|inner, now| inner.submit(now, &message)).unwrap(), shared)
    }

    fn poll<T>(future: Pin<&mut impl Future<Output = T>>, waker: &Waker) -> Poll<T> {
        future.poll(&mut Context::from_waker(waker))
    }

    /// A task that looks at the account whenever it is woken or is no more, if it can.
    struct Neighbour {
        shared: Arc<Shared>,
        looked: Arc<AtomicUsize>,
    }

    impl Neighbour {
        fn look(&self) {
            let can = self.shared.inner.try_lock().is_ok();
            self.looked.fetch_add(usize::from(can), Ordering::Relaxed);
        }
    }

    impl Wake for Neighbour {
        fn wake(self: Arc<Self>) {
            self.look();
        }
    }

    impl Drop for Neighbour {
        fn drop(&mut self) {
            self.look();
        }
    }

    #[test]
    fn no_waker_is_woken_or_dropped_under_the_lock() {
        let shared = shared();
        let looked = Arc::new(AtomicUsize::new(0));
        let neighbour = || {
            let (shared, looked) = (Arc::clone(&shared), Arc::clone(&looked));
            Waker::from(Arc::new(Neighbour { shared, looked }))
        };
        let mut outcome = pin!(submit(&shared).outcome());
        let mut arrivals = Arrivals::new(Account::new(Arc::clone(&shared)));
        let mut arrival = pin!(arrivals.recv());
        let account = Account::new(Arc::clone(&shared));
        let message = Message::text(&SubmitSm::default(), "Hello");
        let (mut room, mut closed) = (pin!(account.submit(&message)), pin!(account.closed()));
        assert!(poll(room.as_mut(), &neighbour()).is_pending());
        assert!(poll(closed.as_mut(), &neighbour()).is_pending());
        // Each takes the place of the one before.
        for _ in 0..2 {
            assert!(poll(outcome.as_mut(), &neighbour()).is_pending());
            assert!(poll(arrival.as_mut(), &neighbour()).is_pending());
        }
        assert_eq!(looked.load(Ordering::Relaxed), 2, "the first of each is no more");
        drop(Driver(Arc::clone(&shared)));
        assert_eq!(looked.load(Ordering::Relaxed), 10, "the others were woken, and are no more");
        assert!(poll(outcome.as_mut(), Waker::noop()).is_ready());
        assert!(poll(arrival.as_mut(), Waker::noop()).is_ready());
        assert!(poll(room.as_mut(), Waker::noop()).is_ready());
        assert!(poll(closed.as_mut(), Waker::noop()).is_ready());
    }

    #[test]
    fn a_driver_that_is_gone_ends_the_account_before_its_time() {
        let shared = shared();
        let ticket = submit(&shared);
        shared.with(|inner, now| inner.account.shutdown(now, Duration::from_secs(60)));
        let account = Account::new(Arc::clone(&shared));
        let mut closed = pin!(account.closed());
        assert!(poll(closed.as_mut(), Waker::noop()).is_pending());
        drop(Driver(shared));
        assert!(poll(closed.as_mut(), Waker::noop()).is_ready());
        assert_eq!(account.shared.lock().desk.take_unresolved().len(), 1);
        let outcome = poll(pin!(ticket.outcome()), Waker::noop());
        assert!(matches!(outcome, Poll::Ready(Err(SendError::Failed { .. }))));
    }

    #[test]
    fn what_waits_for_the_transport_is_woken_by_the_transport_alone() {
        let shared = shared();
        let link = shared.lock().account.links().next().unwrap().0;
        let now = shared.now();
        shared.with(|inner, _| {
            inner.account.handle_resolved(now, link, &[([192, 0, 2, 1], 2775).into()]);
            assert!(inner.account.handle_connected(now, link, None));
        });
        let busy = |inner: &mut Inner| inner.busy_links(None).len();
        let mut inner = shared.lock();
        // The transport is full: the bind stays.
        inner.rest(link, Waker::noop());
        assert_eq!((inner.account.wants_transmit(link), busy(&mut inner)), (true, 0));
        // It takes all there is.
        assert!(inner.account.poll_transmit(link, &mut Vec::new()));
        inner.rest(link, Waker::noop());
        assert_eq!(busy(&mut inner), 0);
        inner.account.shutdown(now, Duration::from_secs(1));
        inner.account.handle_eof(now, link);
        assert_eq!(busy(&mut inner), 1, "it is to be closed");
    }
}
