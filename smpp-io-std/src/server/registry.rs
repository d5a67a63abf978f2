//! Drives the registry of `smpp-proto`: its connections, binds, deliveries and events.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::{io, time};

use smpp_common::telemetry::ServerTelemetry;
use smpp_common::{Arrival, ServerLimits};
use smpp_proto::server::{
    Admission, BindRefusal, ConnectionId, DeliverError, Delivery, DeliveryFrame, DeliveryId, DeliveryOutcome,
    Event, RejectReason, ServerStats,
};
use smpp_proto::session::{CloseReason, Config, Instant, RateMeter, Refusal, RequestError, Response};
use smpp_proto::{BindMode, CommandStatus};

use super::bound::BoundSession;
use super::events::EventLog;
use super::unbound::Unbound;
use super::workers::Workers;

mod events;

/// The registry, and the threads that wait on it.
///
/// Its lock may be taken while that of a session is held, and never the other way round. Threads are woken, and sessions called,
/// after it is released. What a thread calls then does not wait for the lock of a session.
pub(super) struct Registry {
    pub(super) limits: ServerLimits,
    start: time::Instant,
    state: Mutex<State>,
    /// Notified when a deadline has changed.
    deadline_changed: Condvar,
    /// Notified when a connection has ended, or a delivery.
    changed: Condvar,
    event_added: Condvar,
    /// Whether [`flush`](Self::flush) has something to do after a call under the lock of a session.
    needs_flush: AtomicBool,
    has_account_rates: AtomicBool,
    /// The calls of the service whose sessions have ended.
    pub(super) detached_requests: AtomicUsize,
    pub(super) workers: Arc<Workers>,
    /// Held by the thread that logs events, so that they keep their order.
    telemetry: Mutex<ServerTelemetry>,
}

struct State {
    core: smpp_proto::server::Registry,
    /// The connections, at the index of their id.
    connections: Vec<Option<Connection>>,
    /// The threads that wait for the outcome of a delivery.
    outcomes: HashMap<DeliveryId, SyncSender<DeliveryOutcome>>,
    log: EventLog,
    /// The events that are not logged yet.
    unpublished: VecDeque<Event>,
    /// Until when the thread of the timers waits, if it does.
    timer: Option<Instant>,
    /// The threads that wait for [`Registry::changed`].
    waiting: usize,
    /// How many deliveries and binds have ended.
    ended: u64,
    /// Whether a connection has ended that no event says.
    has_changed: bool,
    /// Connections that have ended, to be dropped after the lock is released.
    removed: Vec<Connection>,
    /// Whether the stream of events ends with the last session and the last delivery.
    is_closing: bool,
    /// Whether the thread of the timers has to end.
    is_stopped: bool,
}

/// A connection that has not ended.
enum Connection {
    Unbound(Arc<Unbound>),
    Bound(BoundSession),
}

/// What happens after the lock is released.
#[derive(Default)]
struct AfterUnlock {
    close: Vec<Arc<Unbound>>,
    /// The binds that need a thread that sends deliveries.
    send: Vec<BoundSession>,
    outcomes: Vec<(SyncSender<DeliveryOutcome>, DeliveryOutcome)>,
    removed: Vec<Connection>,
    has_events: bool,
    has_changed: bool,
}

impl Registry {
    /// Creates a registry whose timers do not run yet.
    pub(super) fn new(limits: ServerLimits) -> io::Result<Self> {
        Ok(Self {
            limits,
            start: time::Instant::now(),
            state: Mutex::new(State {
                core: smpp_proto::server::Registry::new(limits.options()),
                connections: Vec::new(),
                outcomes: HashMap::new(),
                log: EventLog::default(),
                unpublished: VecDeque::new(),
                timer: None,
                waiting: 0,
                ended: 0,
                has_changed: false,
                removed: Vec::new(),
                is_closing: false,
                is_stopped: false,
            }),
            deadline_changed: Condvar::new(),
            changed: Condvar::new(),
            event_added: Condvar::new(),
            needs_flush: AtomicBool::new(false),
            has_account_rates: AtomicBool::new(limits.account_rate.is_some()),
            detached_requests: AtomicUsize::new(0),
            workers: Workers::start()?,
            telemetry: Mutex::default(),
        })
    }

    fn now(&self) -> Instant {
        Instant::after(self.start.elapsed())
    }

    /// Locks the state. A poisoned lock is used as it is: no code of the application runs under it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `act` with the state, then does what follows from it.
    fn with<T>(self: &Arc<Self>, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let value = act(&mut state);
        let after = state.settle(|| self.now());
        let due = state.core.poll_timeout();
        let is_earlier = due.is_some_and(|due| state.timer.is_some_and(|timer| due < timer));
        let has_receivers = after.has_events && state.log.waiting > 0;
        let has_waiting = after.has_changed && state.waiting > 0;
        drop(state);
        if is_earlier {
            self.deadline_changed.notify_one();
        }
        if has_receivers {
            self.event_added.notify_all();
        }
        // First, because code of the application may panic in what follows: a delivery that is assigned has to end.
        for bound in after.send {
            let registry = Arc::clone(self);
            self.workers.run(move || registry.send_deliveries(&bound));
        }
        if after.has_events {
            self.publish();
        }
        for (waiting, outcome) in after.outcomes {
            // It fails if the thread has stopped to wait.
            let _ = waiting.try_send(outcome);
        }
        if has_waiting {
            self.changed.notify_all();
        }
        after.close.iter().for_each(|unbound| unbound.close(&self.workers));
        drop(after.removed);
        value
    }

    /// Runs the timers until the server ends. `refuse` refuses a bind that the service has not decided on in time.
    pub(super) fn run_timers(self: &Arc<Self>, refuse: impl Fn(ConnectionId, Arc<Unbound>)) {
        loop {
            let undecided = self.with(|state| {
                let now = self.now();
                let undecided: Vec<_> = std::iter::from_fn(|| state.core.poll_undecided(now)).collect();
                state.core.handle_timeout(now);
                undecided.into_iter().filter_map(|id| Some((id, state.unbound(id)?))).collect::<Vec<_>>()
            });
            for (id, unbound) in undecided {
                refuse(id, unbound);
            }
            let mut state = self.lock();
            loop {
                if state.is_stopped {
                    return;
                }
                let (due, now) = (state.core.poll_timeout(), self.now());
                if due.is_some_and(|due| due <= now) {
                    break;
                }
                state.timer = Some(due.unwrap_or(Instant::after(time::Duration::MAX)));
                state = match due {
                    Some(due) => {
                        let waited = self.deadline_changed.wait_timeout(state, due - now);
                        waited.unwrap_or_else(PoisonError::into_inner).0
                    }
                    None => self.deadline_changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                };
                state.timer = None;
            }
        }
    }

    /// Does what follows from calls under the lock of a session.
    pub(super) fn flush(self: &Arc<Self>) {
        if self.needs_flush.load(Ordering::Relaxed) && self.needs_flush.swap(false, Ordering::AcqRel) {
            self.with(|_| ());
        }
    }

    /// Waits until the condition holds, at most until `deadline`.
    fn wait_until(&self, deadline: Option<time::Instant>, mut is_met: impl FnMut(&State) -> bool) {
        let mut state = self.lock();
        while !is_met(&state) {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(time::Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return;
            }
            state.waiting += 1;
            state = match left {
                Some(left) => {
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
            state.waiting -= 1;
        }
    }

    pub(super) fn stats(&self) -> ServerStats {
        self.lock().core.stats()
    }

    /// Returns the configuration of a session until it is bound.
    pub(super) fn unbound_config(&self, config: &Config) -> Config {
        self.lock().core.options().unbound_config(config)
    }

    /// Adds a connection. If a limit is reached, the oldest connection without a bind is closed for it.
    pub(super) fn accept(
        self: &Arc<Self>,
        address: SocketAddr,
        arrival: Arrival,
        unbound: &Arc<Unbound>,
    ) -> Result<ConnectionId, RejectReason> {
        self.with(|state| {
            let id = match arrival {
                Arrival::Direct => state.core.accept(address)?,
                Arrival::Proxied => state.core.accept_proxied(address)?,
                Arrival::Untrusted => {
                    state.core.reject_untrusted(address);
                    return Err(RejectReason::UntrustedProxy);
                }
            };
            let connection = Some(Connection::Unbound(Arc::clone(unbound)));
            match state.connections.get_mut(id.index()) {
                Some(slot) => *slot = connection,
                None => state.connections.push(connection),
            }
            Ok(id)
        })
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

    /// Records that a connection has sent a bind.
    pub(super) fn begin_decision(self: &Arc<Self>, id: ConnectionId) {
        self.with(|state| state.core.begin_decision(self.now(), id));
    }

    /// Acts on the decision on a bind. `bound` creates the bind for its account.
    pub(super) fn decide(
        self: &Arc<Self>,
        id: ConnectionId,
        bind: (&[u8], BindMode),
        window: u16,
        decision: Result<&Admission, BindRefusal>,
        bound: impl FnOnce(smpp_proto::server::AccountName) -> BoundSession,
    ) -> Result<BoundSession, CommandStatus> {
        // What is left of it is dropped after the lock is released.
        let mut bound = Some(bound);
        self.with(|state| {
            let decided = state.core.decide(id, bind, window, decision);
            decided.map_err(|refusal| state.core.status_of(refusal))?;
            self.has_account_rates.store(state.core.has_account_rates(), Ordering::Relaxed);
            let account = state.core.account(id).cloned().ok_or(CommandStatus::RBINDFAIL)?;
            let bound = bound.take().map(|bound| bound(account)).ok_or(CommandStatus::RBINDFAIL)?;
            if let Some(slot) = state.connections.get_mut(id.index()) {
                let before = slot.replace(Connection::Bound(bound.clone()));
                state.removed.extend(before);
            }
            Ok(bound)
        })
    }

    /// Records that a bind is refused. Returns the status of its response.
    pub(super) fn refuse(
        self: &Arc<Self>,
        id: ConnectionId,
        bind: (&[u8], BindMode),
        refusal: BindRefusal,
    ) -> CommandStatus {
        self.with(|state| {
            // The refusal is an error.
            let _ = state.core.decide(id, bind, 1, Err(refusal));
            state.core.status_of(refusal)
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
            return self.lock().core.take_rate(self.now(), id, meter, messages);
        }
        meter.is_none_or(|meter| meter.take_many(self.now(), messages).is_ok())
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

    /// Records how many octets a connection holds before it is bound. Called under the lock of the session.
    pub(super) fn set_unbound_octets(&self, id: ConnectionId, octets: usize) {
        self.in_session(|state| state.core.set_unbound_octets(id, octets));
    }

    /// Records that a session is no longer bound. Called under the lock of the session.
    pub(super) fn unbinding(&self, id: ConnectionId) {
        self.in_session(|state| {
            state.core.unbinding(id);
            state.end_bind();
        });
    }

    /// Records the end of a session. May be called under the lock of the session; [`flush`](Self::flush) follows.
    pub(super) fn ended(&self, id: ConnectionId, reason: CloseReason) {
        self.in_session(|state| {
            state.core.ended(id, reason);
            state.end_bind();
            let removed = state.take(id);
            state.removed.extend(removed);
        });
    }

    /// Returns the next delivery to send on a bind. Called under the lock of the session, which sends it or puts it back.
    pub(super) fn take_delivery(&self, id: ConnectionId) -> Option<(DeliveryId, DeliveryFrame)> {
        self.lock().core.take_delivery(id)
    }

    /// Puts a delivery back that the session does not accept now. Called under the lock of the session.
    pub(super) fn put_back(&self, delivery: DeliveryId) {
        self.in_session(|state| state.core.put_back(self.now(), delivery));
    }

    /// Records how a delivery ended. Called under the lock of the session.
    pub(super) fn handle_result(&self, delivery: DeliveryId, result: Result<Response, RequestError>) {
        self.in_session(|state| state.core.handle_result(self.now(), delivery, result));
    }

    /// Records that the transport of a connection is closed, and that none of its threads is left.
    pub(super) fn closed(self: &Arc<Self>, id: ConnectionId) {
        self.with(|state| {
            state.core.closed(id);
            state.has_changed = true;
            let removed = state.take(id);
            state.removed.extend(removed);
        });
    }

    /// Queues a delivery. Returns its id, and a receiver of its outcome.
    pub(super) fn queue(
        self: &Arc<Self>,
        account: &[u8],
        delivery: Delivery,
    ) -> Result<(DeliveryId, Receiver<DeliveryOutcome>), DeliverError> {
        self.with(|state| {
            let id = state.core.deliver(self.now(), account, delivery)?;
            let (sender, receiver) = sync_channel(1);
            state.outcomes.insert(id, sender);
            Ok((id, receiver))
        })
    }

    /// Returns how many deliveries and binds have ended.
    pub(super) fn deliveries_ended(&self) -> u64 {
        self.lock().ended
    }

    /// Waits until a delivery or a bind has ended since `before`.
    pub(super) fn wait_for_room(&self, before: u64) {
        self.wait_until(None, |state| state.ended != before);
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
        connections(&self.stats())
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

    /// Waits until there is no connection but those of calls of the service that go on, at most until `deadline`.
    pub(super) fn wait_for_connections(&self, deadline: time::Instant) {
        self.wait_until(Some(deadline), |state| {
            connections(&state.core.stats()) <= self.detached_requests.load(Ordering::SeqCst)
        });
    }

    /// Ends the deliveries that wait, and the stream of events once those in flight have ended.
    pub(super) fn close(self: &Arc<Self>) {
        while self.with(|state| state.core.end_deliveries()) {}
        self.with(|state| state.is_closing = true);
    }

    /// Waits until every delivery has ended, at most until `deadline`.
    pub(super) fn wait_for_deliveries(&self, deadline: time::Instant) {
        self.wait_until(Some(deadline), |state| state.core.stats().deliveries == 0);
    }

    /// Waits until the stream of events has ended, at most until `deadline`. Returns whether it has.
    #[cfg(feature = "metrics")]
    pub(super) fn wait_for_close(&self, deadline: time::Instant) -> bool {
        self.wait_until(Some(deadline), |state| state.log.is_closed());
        self.lock().log.is_closed()
    }

    /// Ends the threads of the server.
    pub(super) fn end_threads(&self) {
        self.lock().is_stopped = true;
        self.deadline_changed.notify_all();
        self.workers.close();
    }

    /// Wakes the threads that wait for the end of connections: a call of the service has begun for a session that has ended.
    pub(super) fn notify_changed(&self) {
        // Under the lock, so that a thread that is about to wait sees the change.
        drop(self.lock());
        self.changed.notify_all();
    }
}

fn connections(stats: &ServerStats) -> usize {
    stats.bound + stats.unbound + stats.closing
}

impl State {
    /// Returns the bind of a connection.
    fn bound(&self, id: ConnectionId) -> Option<&BoundSession> {
        match self.connections.get(id.index())? {
            Some(Connection::Bound(bound)) if bound.id().0 == id => Some(bound),
            _ => None,
        }
    }

    /// Returns a connection that is not bound. The core has named it, so it is the one in this slot.
    fn unbound(&self, id: ConnectionId) -> Option<Arc<Unbound>> {
        match self.connections.get(id.index())? {
            Some(Connection::Unbound(unbound)) => Some(Arc::clone(unbound)),
            _ => None,
        }
    }

    /// Records that the account of a bind may have none any more.
    const fn end_bind(&mut self) {
        self.ended += 1;
        self.has_changed = true;
    }

    /// Removes a connection. Its slot is free for another one only after [`closed`](smpp_proto::server::Registry::closed).
    fn take(&mut self, id: ConnectionId) -> Option<Connection> {
        self.connections.get_mut(id.index())?.take()
    }

    /// Collects what happens after the lock is released.
    fn settle(&mut self, now: impl FnOnce() -> Instant) -> AfterUnlock {
        let mut after = AfterUnlock { removed: std::mem::take(&mut self.removed), ..AfterUnlock::default() };
        after.has_changed = std::mem::take(&mut self.has_changed);
        while let Some(id) = self.core.poll_close() {
            if let Some(Connection::Unbound(unbound)) = self.take(id) {
                after.close.push(unbound);
            }
        }
        if self.core.has_assignments() {
            let now = now();
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
            if let Event::Delivery { delivery, outcome, .. } = &event {
                self.ended += 1;
                if let Some(waiting) = self.outcomes.remove(delivery) {
                    after.outcomes.push((waiting, outcome.clone()));
                }
            }
            self.log.push(&event);
            self.unpublished.push_back(event);
            after.has_events = true;
        }
        after.has_changed |= after.has_events;
        after
    }

    /// Records that a bind sends none of the deliveries that are assigned to it.
    fn refuse_assigned(&mut self, now: Instant, id: ConnectionId, reason: CloseReason) {
        while let Some((delivery, _)) = self.core.take_delivery(id) {
            self.core.handle_refused(now, delivery, Refusal::Closed(reason));
        }
    }
}
