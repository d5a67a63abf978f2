//! Drives the registry of `smpp-proto`: its connections, binds, deliveries and events.

use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use smpp_common::telemetry::ServerTelemetry;
use smpp_common::{Arrival, ServerLimits};
use smpp_proto::BindMode;
use smpp_proto::server::{
    Admission, BindRefusal, ConnectionId, DeliverError, Delivery, DeliveryFrame, DeliveryId, DeliveryOutcome,
    Event, RejectReason, ServerStats,
};
use smpp_proto::session::{CloseReason, Config, Instant, RateMeter, Refusal};
use tokio::runtime::Handle;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, broadcast, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout_at;

use super::bound::BoundSession;
use super::handlers::Handlers;
use super::sending::send_deliveries;
use crate::clock::Clock;
use crate::shared::SessionHook;
use crate::wait::RequestResult;

/// How many events a receiver may be behind.
const EVENTS: usize = 1024;

/// The slot of one connection. Its transport and its bind hold it; the connection is removed when both have dropped it.
pub(super) struct Slot {
    pub(super) id: ConnectionId,
    pub(super) registry: Arc<Registry>,
}

/// The registry, and the tasks that wait on it.
///
/// Its lock may be taken while that of a session is held, and never the other way round. Tasks are woken, and sessions called,
/// after it is released.
pub(super) struct Registry {
    pub(super) limits: ServerLimits,
    pub(super) clock: Clock,
    state: Mutex<State>,
    /// Notified when a connection is removed.
    removed: Notify,
    /// Notified when a deadline has changed.
    changed: Notify,
    /// Notified when a delivery or a bind has ended.
    delivered: Notify,
    events: broadcast::Sender<Event>,
    /// Held by the thread that passes events on, so that they keep their order.
    publishing: Mutex<ServerTelemetry>,
    /// Whether [`flush`](Self::flush) has something to do after a call under the lock of a session.
    pub(super) needs_flush: AtomicBool,
    has_account_rates: AtomicBool,
    /// The futures of the service whose sessions have ended.
    detached_requests: AtomicUsize,
    runtime: Handle,
}

struct State {
    core: smpp_proto::server::Registry,
    /// The connections, at the index of their id.
    connections: Vec<Option<Connection>>,
    /// The tasks that wait for the outcome of a delivery.
    waiting: HashMap<DeliveryId, oneshot::Sender<DeliveryOutcome>>,
    /// The events that are not passed on yet.
    events: VecDeque<Event>,
    /// Until when the task of the timers sleeps; `None` if it has no deadline.
    timer: Option<Instant>,
    /// Whether the stream of events ends with the last session and the last delivery.
    is_closing: bool,
}

/// A connection that has not ended.
enum Connection {
    Unbound(Arc<Signals>),
    Bound(BoundSession),
}

/// What the task of a connection without a bind waits for.
#[derive(Default)]
pub(super) struct Signals {
    /// It has to close at once.
    pub(super) stop: Notify,
    /// The service has not decided on its bind in time.
    pub(super) undecided: Notify,
}

/// Counts futures of the service whose session has ended.
struct DetachedRequests {
    registry: Arc<Registry>,
    count: usize,
}

impl Drop for DetachedRequests {
    fn drop(&mut self) {
        self.registry.detached_requests.fetch_sub(self.count, Ordering::Relaxed);
    }
}

/// What happens after the lock is released.
#[derive(Default)]
struct AfterUnlock {
    stop: Vec<Arc<Signals>>,
    /// The binds that need a sender.
    send: Vec<BoundSession>,
    has_events: bool,
    /// The task of the timers has to wake earlier than at its deadline.
    is_earlier: bool,
}

impl Registry {
    /// Creates a registry, and a task that runs its timers until it is dropped.
    pub(super) fn start(limits: ServerLimits) -> (Arc<Self>, JoinHandle<()>) {
        let registry = Arc::new(Self {
            limits,
            clock: Clock::start(),
            state: Mutex::new(State {
                core: smpp_proto::server::Registry::new(limits.options()),
                connections: Vec::new(),
                waiting: HashMap::new(),
                events: VecDeque::new(),
                timer: None,
                is_closing: false,
            }),
            removed: Notify::new(),
            changed: Notify::new(),
            delivered: Notify::new(),
            events: broadcast::Sender::new(EVENTS),
            publishing: Mutex::default(),
            needs_flush: AtomicBool::new(false),
            has_account_rates: AtomicBool::new(limits.account_rate.is_some()),
            detached_requests: AtomicUsize::new(0),
            runtime: Handle::current(),
        });
        let timers = tokio::spawn(Arc::clone(&registry).run_timers());
        (registry, timers)
    }

    /// Runs the timers of deliveries and of decisions on binds.
    async fn run_timers(self: Arc<Self>) {
        loop {
            let (due, undecided) = self.with(|state| {
                let now = self.clock.now();
                let undecided = state.take_undecided(now);
                state.core.handle_timeout(now);
                state.timer = state.core.poll_timeout();
                (state.timer, undecided)
            });
            for signals in undecided {
                signals.undecided.notify_one();
            }
            let changed = self.changed.notified();
            match due {
                // It makes no difference which comes first.
                Some(due) => drop(timeout_at(self.clock.to_tokio(due), changed).await),
                None => changed.await,
            }
        }
    }

    /// Locks the state. A poisoned lock is used as it is: no code of the application runs under it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `act` with the state, then does what follows from it.
    fn with<T>(self: &Arc<Self>, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let value = act(&mut state);
        let after = state.settle(self.clock);
        drop(state);
        if after.is_earlier {
            self.changed.notify_one();
        }
        after.stop.iter().for_each(|signals| signals.stop.notify_one());
        for bound in after.send {
            drop(self.runtime.spawn(send_deliveries(Arc::clone(self), bound)));
        }
        if after.has_events {
            self.publish();
        }
        value
    }

    /// Does what follows from calls under the lock of a session.
    pub(super) fn flush(self: &Arc<Self>) {
        if self.needs_flush.load(Ordering::Relaxed) && self.needs_flush.swap(false, Ordering::AcqRel) {
            self.with(|_| ());
            // The account may have no bind any more.
            self.delivered.notify_waiters();
        }
    }

    /// Passes the events on, in their order.
    fn publish(&self) {
        loop {
            {
                // Another thread that does this sees the events, or this one does in its next round.
                let mut telemetry = match self.publishing.try_lock() {
                    Ok(publishing) => publishing,
                    // A waker has panicked: it guards nothing that this could leave inconsistent.
                    Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                    Err(TryLockError::WouldBlock) => return,
                };
                while let Some(event) = self.next_event() {
                    telemetry.record(self.clock.now(), &event);
                    // It fails if there is no receiver.
                    let _ = self.events.send(event);
                }
            }
            if self.lock().events.is_empty() {
                return;
            }
        }
    }

    fn next_event(&self) -> Option<Event> {
        let mut state = self.lock();
        let event = state.events.pop_front()?;
        if let Event::Delivery { delivery, outcome, .. } = &event {
            let waiting = state.waiting.remove(delivery);
            drop(state);
            if let Some(waiting) = waiting {
                // It fails if the task has stopped to wait.
                let _ = waiting.send(outcome.clone());
            }
            self.delivered.notify_waiters();
        }
        Some(event)
    }

    /// Returns a receiver of the events from now on.
    pub(super) fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    pub(super) fn stats(&self) -> ServerStats {
        self.lock().core.stats()
    }

    /// Returns the configuration of a session until it is bound.
    pub(super) fn unbound_config(&self, config: &Config) -> Config {
        self.lock().core.options().unbound_config(config)
    }

    /// Adds a connection. If a limit is reached, the oldest connection without a bind is closed for it. Returns the slot,
    /// and the signals of the connection, which are used until it is bound.
    pub(super) fn admit(
        self: &Arc<Self>,
        address: SocketAddr,
        arrival: Arrival,
    ) -> Result<(Arc<Slot>, Arc<Signals>), RejectReason> {
        let (id, signals) = self.with(|state| {
            let id = match arrival {
                Arrival::Direct => state.core.accept(address)?,
                Arrival::Proxied => state.core.accept_proxied(address)?,
                Arrival::Untrusted => {
                    state.core.reject_untrusted(address);
                    return Err(RejectReason::UntrustedProxy);
                }
            };
            let signals = Arc::<Signals>::default();
            let connection = Some(Connection::Unbound(Arc::clone(&signals)));
            match state.connections.get_mut(id.index()) {
                Some(slot) => *slot = connection,
                None => state.connections.push(connection),
            }
            Ok((id, signals))
        })?;
        Ok((Arc::new(Slot { id, registry: Arc::clone(self) }), signals))
    }

    /// Records the address of the client that a proxy has stated.
    pub(super) fn identify(
        self: &Arc<Self>,
        id: ConnectionId,
        client: SocketAddr,
    ) -> Result<(), RejectReason> {
        self.with(|state| state.core.identify(id, client))
    }

    /// Records that a connection has sent no usable header. Returns the reason.
    pub(super) fn reject(self: &Arc<Self>, id: ConnectionId, reason: RejectReason) -> RejectReason {
        self.with(|state| state.core.reject(id, reason));
        reason
    }

    /// Records that a connection has sent a bind: the service has to decide on it in time.
    pub(super) fn begin_decision(self: &Arc<Self>, id: ConnectionId) {
        let now = self.clock.now();
        self.with(|state| state.core.begin_decision(now, id));
    }

    /// Runs a future in a task of its own.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(self.runtime.spawn(future));
    }

    /// Records how many octets a connection holds before it is bound.
    pub(super) fn set_unbound_octets(self: &Arc<Self>, id: ConnectionId, octets: usize) {
        self.with(|state| state.core.set_unbound_octets(id, octets));
    }

    /// Acts on the decision on a bind. `bound` creates the bind for its account.
    pub(super) fn decide(
        self: &Arc<Self>,
        id: ConnectionId,
        bind: (&[u8], BindMode),
        window: u16,
        decision: Result<&Admission, BindRefusal>,
        bound: impl FnOnce(smpp_proto::server::AccountName) -> BoundSession,
    ) -> Result<BoundSession, smpp_proto::CommandStatus> {
        // What is left of it is dropped after the lock is released.
        let mut bound = Some(bound);
        self.with(|state| {
            let decided = state.core.decide(id, bind, window, decision);
            decided.map_err(|refusal| state.core.status_of(refusal))?;
            self.has_account_rates.store(state.core.has_account_rates(), Ordering::Relaxed);
            let account = state.core.account(id).cloned().ok_or(smpp_proto::CommandStatus::RBINDFAIL)?;
            let bound =
                bound.take().map(|bound| bound(account)).ok_or(smpp_proto::CommandStatus::RBINDFAIL)?;
            if let Some(slot) = state.connections.get_mut(id.index()) {
                *slot = Some(Connection::Bound(bound.clone()));
            }
            Ok(bound)
        })
    }

    /// Records that the session of a bind has accepted it, and sends deliveries.
    pub(super) fn ready(self: &Arc<Self>, id: ConnectionId) {
        self.with(|state| state.core.ready(id));
    }

    /// Returns whether an account may have a rate limit.
    pub(super) fn has_account_rates(&self) -> bool {
        self.has_account_rates.load(Ordering::Relaxed)
    }

    /// Counts messages against the rate limits. Returns whether they are within them.
    pub(super) fn take_rate(&self, id: ConnectionId, meter: Option<&mut RateMeter>, messages: u32) -> bool {
        if self.has_account_rates() {
            return self.lock().core.take_rate(self.clock.now(), id, meter, messages);
        }
        meter.is_none_or(|meter| meter.take_many(self.clock.now(), messages).is_ok())
    }

    /// Reports that messages of a bind are refused.
    pub(super) fn throttled(self: &Arc<Self>, id: ConnectionId) {
        self.with(|state| state.core.throttled(id));
    }

    /// Calls `act` under the lock of a session; [`flush`](Self::flush) follows.
    fn in_session(&self, act: impl FnOnce(&mut State)) {
        act(&mut self.lock());
        self.needs_flush.store(true, Ordering::Release);
    }

    /// Returns the next delivery to send on a bind. Called under the lock of the session, which sends it or puts it back.
    pub(super) fn take_delivery(&self, id: ConnectionId) -> Option<(DeliveryId, DeliveryFrame)> {
        self.lock().core.take_delivery(id)
    }

    /// Puts a delivery back that the session does not accept now. Called under the lock of the session.
    pub(super) fn put_back(&self, delivery: DeliveryId) {
        self.in_session(|state| state.core.put_back(self.clock.now(), delivery));
    }

    /// Records how a delivery ended. Called under the lock of the session.
    pub(super) fn handle_result(&self, delivery: DeliveryId, result: RequestResult) {
        self.in_session(|state| state.core.handle_result(self.clock.now(), delivery, result));
    }

    /// Records that the sender of a bind has ended too early, because the runtime ends. No other sender starts: it would not run.
    pub(super) fn lose_sender(&self, id: ConnectionId) {
        self.in_session(|state| state.refuse_assigned(self.clock.now(), id, CloseReason::Aborted));
    }

    /// Lets the futures of a session that has ended go on in a task, unless too many do.
    pub(super) fn detach<F>(self: &Arc<Self>, mut handlers: Handlers<F>)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let running = handlers.running();
        if running == 0 {
            return;
        }
        let detached = DetachedRequests { registry: Arc::clone(self), count: running };
        let before = self.detached_requests.fetch_add(running, Ordering::Relaxed);
        if before + running <= self.limits.detached_requests {
            drop(self.runtime.spawn(async move {
                let _detached = detached;
                poll_fn(|cx| handlers.poll_all(cx)).await;
            }));
        }
    }

    /// Records the end of a session.
    pub(super) fn ended(self: &Arc<Self>, id: ConnectionId, reason: CloseReason) {
        // Dropped after the lock is released: it may be the last handle of the session.
        let _bound = self.with(|state| {
            state.core.ended(id, reason);
            state.take(id)
        });
        self.delivered.notify_waiters();
    }

    /// Queues a delivery. Returns its id, and a receiver of its outcome.
    pub(super) fn queue(
        self: &Arc<Self>,
        account: &[u8],
        delivery: Delivery,
    ) -> Result<(DeliveryId, oneshot::Receiver<DeliveryOutcome>), DeliverError> {
        let now = self.clock.now();
        self.with(|state| {
            let id = state.core.deliver(now, account, delivery)?;
            let (sender, receiver) = oneshot::channel();
            state.waiting.insert(id, sender);
            Ok((id, receiver))
        })
    }

    /// Returns a future that completes when a delivery or a bind ends after this call.
    pub(super) fn delivered(&self) -> Notified<'_> {
        self.delivered.notified()
    }

    /// Returns the binds of an account, or of all accounts, the oldest first.
    pub(super) fn bound(&self, account: Option<&[u8]>) -> Vec<BoundSession> {
        let state = self.lock();
        if let Some(account) = account {
            return state.core.connections_of(account).filter_map(|id| state.bound(id)).cloned().collect();
        }
        let bound = |connection: &Option<Connection>| match connection {
            Some(Connection::Bound(bound)) => Some(bound.clone()),
            _ => None,
        };
        let mut all: Vec<_> = state.connections.iter().filter_map(bound).collect();
        all.sort_unstable_by_key(BoundSession::id);
        all
    }

    /// Returns the number of connections, those that are being closed included.
    pub(super) fn connections(&self) -> usize {
        let stats = self.stats();
        stats.bound + stats.unbound + stats.closing
    }

    /// Rejects new connections, binds and deliveries from now on, and closes the connections without a bind. Returns their
    /// number.
    pub(super) fn stop(self: &Arc<Self>) -> usize {
        self.with(|state| {
            state.core.stop();
            let unbound = state.core.stats().unbound;
            state.core.close_all_unbound(usize::MAX);
            unbound
        })
    }

    /// Ends the deliveries that wait, and the stream of events once those in flight have ended.
    pub(super) fn close(self: &Arc<Self>) {
        while self.with(|state| state.core.end_deliveries()) {}
        self.with(|state| state.is_closing = true);
    }

    /// Waits until every delivery has ended.
    pub(super) async fn all_delivered(&self) {
        loop {
            let delivered = self.delivered();
            if self.stats().deliveries == 0 {
                return;
            }
            delivered.await;
        }
    }

    /// Rejects new connections from now on, and ends all connections at once.
    pub(super) fn abort_all(self: &Arc<Self>) {
        self.stop();
        // Without the lock, which may not be held when that of a session is taken.
        self.bound(None).iter().for_each(BoundSession::abort);
        self.close();
    }

    /// Waits until there is no connection.
    pub(super) async fn all_removed(&self) {
        loop {
            let removed = self.removed.notified();
            if self.connections() == 0 {
                return;
            }
            removed.await;
        }
    }
}

impl State {
    /// Returns the bind of a connection.
    fn bound(&self, id: ConnectionId) -> Option<&BoundSession> {
        match self.connections.get(id.index())? {
            Some(Connection::Bound(bound)) if bound.id().0 == id => Some(bound),
            _ => None,
        }
    }

    /// Removes a connection.
    fn take(&mut self, id: ConnectionId) -> Option<Connection> {
        self.connections.get_mut(id.index())?.take()
    }

    /// Returns the signals of the connections whose binds have had no decision in time.
    fn take_undecided(&mut self, now: Instant) -> Vec<Arc<Signals>> {
        let mut undecided = Vec::new();
        while let Some(id) = self.core.poll_undecided(now) {
            if let Some(Some(Connection::Unbound(signals))) = self.connections.get(id.index()) {
                undecided.push(Arc::clone(signals));
            }
        }
        undecided
    }

    /// Collects what happens after the lock is released.
    fn settle(&mut self, clock: Clock) -> AfterUnlock {
        let mut after = AfterUnlock::default();
        while let Some(id) = self.core.poll_close() {
            if let Some(Connection::Unbound(signals)) = self.take(id) {
                after.stop.push(signals);
            }
        }
        if self.core.has_assignments() {
            let now = clock.now();
            while let Some(id) = self.core.poll_sender(now) {
                match self.bound(id) {
                    Some(bound) => after.send.push(bound.clone()),
                    // The bind ends in this moment.
                    None => self.refuse_assigned(now, id, CloseReason::Disconnected),
                }
            }
        }
        if self.is_closing {
            let stats = self.core.stats();
            if stats.bound + stats.unbound + stats.deliveries == 0 {
                self.core.close();
            }
        }
        while let Some(event) = self.core.poll_event() {
            self.events.push_back(event);
        }
        after.has_events = !self.events.is_empty();
        let due = self.core.poll_timeout();
        after.is_earlier = due.is_some_and(|due| self.timer.is_none_or(|timer| due < timer));
        if after.is_earlier {
            self.timer = due;
        }
        after
    }

    /// Records that a bind sends none of the deliveries that are assigned to it.
    fn refuse_assigned(&mut self, now: Instant, id: ConnectionId, reason: CloseReason) {
        while let Some((delivery, _)) = self.core.take_delivery(id) {
            self.core.handle_refused(now, delivery, Refusal::Closed(reason));
        }
    }
}

impl SessionHook for Slot {
    fn unbinding(&self) {
        self.registry.in_session(|state| state.core.unbinding(self.id));
    }

    fn handle_result(&self, delivery: DeliveryId, result: RequestResult) {
        self.registry.handle_result(delivery, result);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // Dropped after the lock is released.
        let _dropped = self.registry.with(|state| {
            state.core.closed(self.id);
            state.take(self.id)
        });
        self.registry.removed.notify_waiters();
    }
}
