//! The service of the SMSC: the simulator of `smpp-proto` decides, a [`Server`](crate::Server) carries it out.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::SystemTime;

use smpp_proto::session::{Instant, RequestError, Smsc as Role};
use smpp_proto::simulator::{
    self, Delivery, DeliveryFailure, DeliveryRoute, Dialect, Faults, ReceiptTiming, ResponseFault, Rng,
    Rules, Simulator, StreamEnd,
};
use smpp_proto::{
    Bind, COctets, CommandStatus, DeliverSm, NoBody, SequenceNumber, SubmitSm, SubmitSmResp, Tlvs,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::task::{JoinSet, unconstrained};
use tokio::time;

use super::builder::{Subscriber, TestSmscEvent};
use super::faults::{ConnectionFaults, FaultSwitch, FaultyTransport};
use crate::request::RequestFuture;
use crate::{
    Admission, BindId, BindRegistry, BindRequest, BoundSession, Inbound, InboundRequest, Response,
    ServerEvent, ServerStream, Service,
};

/// The largest number of deliveries in flight.
const MAX_DELIVERIES: usize = 1000;

/// The state that all connections share.
pub(super) struct Shared {
    simulator: Mutex<Simulator>,
    binds: Mutex<HashMap<BindId, BindEntry>>,
    /// Held while a delivery is taken from the simulator and begun: deliveries leave in the order in which they are due.
    sending: Mutex<()>,
    rng: Mutex<Rng>,
    pub(super) faults: Arc<FaultSwitch>,
    /// The faults of each connection that is open.
    connections: Mutex<HashMap<BindId, Weak<ConnectionFaults>>>,
    /// The binds of the server, once it runs.
    pub(super) registry: OnceLock<BindRegistry>,
    dialect: Dialect,
    subscriber: Subscriber,
    /// Wakes the delivery task: a delivery may be due.
    pub(super) changed: Notify,
    /// Wakes the tests that wait for an entry of the log.
    pub(super) logged: Notify,
    start: time::Instant,
}

/// A bind of the server.
#[derive(Clone)]
struct BindEntry {
    id: simulator::SimulatedBind,
    /// Held by the delivery that is to leave next on this bind.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// The rest of a delivery that has begun.
type Delivering = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The [`Service`] that responds with the simulator's decisions.
pub(super) struct SimulatorService(pub(super) Arc<Shared>);

impl Service for SimulatorService {
    async fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
        let bind = request.bind();
        self.0.faults.get().refuse_binds.map_or(Ok(()), Err)?;
        self.0.simulator().authenticate(&bind)?;
        Ok(Admission::default())
    }

    async fn request(&self, bound: &BoundSession, request: Inbound<Role>) {
        let shared = &self.0;
        let Some(BindEntry { id, turn }) = shared.binds().get(&bound.id()).cloned() else { return };
        let Some(message) = shared.answer(id, request) else { return };
        let response = shared.simulator().respond(shared.now(), id, &message.get());
        shared.logged.notify_waiters();
        if let Some(fault) = response.fault {
            shared.plan(bound.id(), message.frame().header().sequence, fault);
        }
        let outcome = response.outcome.as_deref().map_err(|status| *status);
        let timing = shared.simulator().rules().receipt_timing;
        (shared.subscriber)(TestSmscEvent::Submitted { bound, message: &message.get(), outcome });
        if timing == ReceiptTiming::BeforeResponse {
            shared.deliver_on(bound, id, &turn).await;
        }
        shared.changed.notify_one();
        let delay = response.delay + shared.faults.get().delay(&mut shared.rng());
        if !delay.is_zero() {
            time::sleep(delay).await;
        }
        // It fails only if the session has ended: no response is expected then.
        let tlvs = shared.dialect.tlvs_of_response();
        let _ = message.respond(outcome.map(|message_id| SubmitSmResp {
            message_id: COctets::new(message_id.as_bytes()).unwrap_or_default(),
            tlvs: Tlvs::list(&tlvs),
        }));
        shared.simulator().responded(id);
    }

    fn event(&self, event: ServerEvent<'_>) {
        let shared = &self.0;
        match event {
            ServerEvent::Bound(bound) => {
                let peer = Some(bound.peer_addr());
                let id = shared.simulator().admit_from(bound.system_id(), bound.mode(), peer);
                shared.binds().extend(id.map(|id| (bound.id(), BindEntry { id, turn: Arc::default() })));
                shared.changed.notify_one();
            }
            ServerEvent::BindRefused { address, system_id, mode, status, .. } => {
                let system_id = COctets::new(system_id).unwrap_or_default();
                let bind = Bind { mode, system_id, ..Bind::default() };
                shared.simulator().record_refused_bind(&bind, Some(address), status);
            }
            ServerEvent::Ended { bound, end } => {
                let ended = shared.binds().remove(&bound.id());
                if let Some(ended) = ended {
                    shared.simulator().release_for(ended.id, Some(end.reason));
                }
            }
            _ => {}
        }
        shared.logged.notify_waiters();
        (shared.subscriber)(TestSmscEvent::Server(event));
    }

    fn transport(&self, stream: ServerStream) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
        let faults = Arc::new(ConnectionFaults::new(Rng::new(self.0.rng().next_u64())));
        let mut connections = lock(&self.0.connections);
        connections.retain(|_, faults| faults.strong_count() > 0);
        connections.extend(stream.bind_id().map(|id| (id, Arc::downgrade(&faults))));
        FaultyTransport::new(stream, Arc::clone(&self.0.faults), faults)
    }
}

impl Shared {
    pub(super) fn new(
        rules: Rules,
        accounts: &[(String, String)],
        faults: Faults,
        subscriber: Subscriber,
    ) -> Arc<Self> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (rng, dialect) = (Rng::new(rules.seed), rules.dialect.clone());
        let mut simulator = Simulator::new(rules.epoch(now.as_secs()).rate(None));
        for (system_id, password) in accounts {
            simulator.add_account(system_id, password);
        }
        Arc::new(Self {
            simulator: Mutex::new(simulator),
            binds: Mutex::default(),
            sending: Mutex::default(),
            rng: Mutex::new(rng),
            faults: Arc::new(FaultSwitch::new(faults)),
            connections: Mutex::default(),
            registry: OnceLock::new(),
            dialect,
            subscriber,
            changed: Notify::new(),
            logged: Notify::new(),
            start: time::Instant::now(),
        })
    }

    /// Delivers receipts and messages when they are due. Never returns.
    pub(super) async fn run(self: Arc<Self>, binds: BindRegistry) {
        let mut in_flight = JoinSet::new();
        loop {
            let due = self.simulator().poll_timeout();
            match due {
                Some(due) => {
                    let due = self.start + (due - Instant::ZERO);
                    let _ = time::timeout_at(due, self.changed.notified()).await;
                }
                None => self.changed.notified().await,
            }
            let deliver =
                |delivery| -> Delivering { Box::pin(Arc::clone(&self).deliver(binds.clone(), delivery)) };
            while poll_fn(|cx| {
                let spawn = |delivering| drop(in_flight.spawn(delivering));
                Poll::Ready(self.begin_next(cx, deliver, spawn))
            })
            .await
            {
                if in_flight.len() >= MAX_DELIVERIES {
                    in_flight.join_next().await;
                }
            }
            while in_flight.try_join_next().is_some() {}
        }
    }

    fn next_delivery(&self) -> Option<Delivery> {
        self.simulator().poll_delivery(self.now())
    }

    /// Takes the next delivery that is due, and begins it. What is left of it, if it has not ended at once, goes to `spawn`. Returns
    /// whether a delivery was due.
    fn begin_next(
        &self,
        cx: &mut Context<'_>,
        deliver: impl FnOnce(Delivery) -> Delivering,
        spawn: impl FnOnce(Delivering),
    ) -> bool {
        let _sending = lock(&self.sending);
        let Some(delivery) = self.next_delivery() else { return false };
        let mut delivering = deliver(delivery);
        if delivering.as_mut().poll(cx).is_pending() {
            spawn(delivering);
        }
        true
    }

    /// Delivers on any bind of the account, or on the one that the dialect chooses.
    async fn deliver(self: Arc<Self>, binds: BindRegistry, delivery: Delivery) {
        let outcome = match self.chosen(&binds, &delivery) {
            Some((bound, turn)) => deliver_in_turn(&bound, &turn, &delivery.deliver_sm()).await,
            None => binds.deliver(delivery.system_id.as_bytes(), &delivery.deliver_sm()).await,
        };
        self.delivered(delivery, outcome.as_ref().map(|_| ()));
    }

    /// Returns the bind that the dialect chooses; `None` if any will do or it has ended.
    fn chosen(
        &self,
        binds: &BindRegistry,
        delivery: &Delivery,
    ) -> Option<(BoundSession, Arc<tokio::sync::Mutex<()>>)> {
        if self.dialect.route == DeliveryRoute::Any {
            return None;
        }
        let of_account = binds.of(delivery.system_id.as_bytes());
        let simulated = self.binds();
        of_account.into_iter().find_map(|bound| {
            let BindEntry { id, turn } = simulated.get(&bound.id())?;
            (*id == delivery.bind).then(|| (bound, Arc::clone(turn)))
        })
    }

    /// Sends the deliveries that are due, without waiting for their responses: those of this bind before it returns.
    async fn deliver_on(
        self: &Arc<Self>,
        bound: &BoundSession,
        id: simulator::SimulatedBind,
        turn: &Arc<tokio::sync::Mutex<()>>,
    ) {
        let Some(binds) = self.registry.get() else { return };
        let deliver = |delivery: Delivery| -> Delivering {
            let shared = Arc::clone(self);
            if delivery.bind != id {
                return Box::pin(shared.deliver(binds.clone(), delivery));
            }
            let (bound, turn) = (bound.clone(), Arc::clone(turn));
            Box::pin(async move {
                let outcome = deliver_in_turn(&bound, &turn, &delivery.deliver_sm()).await;
                shared.delivered(delivery, outcome.as_ref().map(|_| ()));
            })
        };
        // The first poll writes the deliver_sm to the output, so that the submit_sm_resp follows it.
        let spawn = |delivering| drop(tokio::spawn(delivering));
        while poll_fn(|cx| Poll::Ready(self.begin_next(cx, deliver, spawn))).await {}
    }

    /// Emits the outcome of a delivery, and schedules one that failed again.
    fn delivered(&self, delivery: Delivery, outcome: Result<(), &RequestError>) {
        let (system_id, state) = (&*delivery.system_id, delivery.state());
        (self.subscriber)(TestSmscEvent::Delivered { system_id, state, outcome });
        let failed = outcome.is_err();
        match outcome {
            // The ESME has not seen it.
            Err(RequestError::NeverSent(_)) => self.simulator().redeliver(self.now(), delivery),
            outcome => {
                let outcome = outcome.map_err(|error| {
                    error.status().map_or(DeliveryFailure::Unanswered, DeliveryFailure::Refused)
                });
                self.simulator().delivered(self.now(), delivery, outcome);
            }
        }
        self.logged.notify_waiters();
        if failed || self.dialect.one_at_a_time {
            self.changed.notify_one();
        }
    }

    pub(super) fn now(&self) -> Instant {
        Instant::after(self.start.elapsed())
    }

    /// Plans a fault of the response to this request.
    fn plan(&self, id: BindId, sequence: SequenceNumber, fault: ResponseFault) {
        let connection = lock(&self.connections).get(&id).and_then(Weak::upgrade);
        if let Some(connection) = connection {
            connection.plan(sequence, fault);
        }
    }

    /// Ends all connections.
    pub(super) fn end_connections(&self, end: StreamEnd) {
        let connections: Vec<_> = lock(&self.connections).values().filter_map(Weak::upgrade).collect();
        for connection in connections {
            connection.end(end);
        }
    }

    /// Responds to a request about a message, and returns a message. Refuses any other request, by dropping it.
    fn answer(
        &self,
        id: simulator::SimulatedBind,
        request: Inbound<Role>,
    ) -> Option<InboundRequest<Role, SubmitSm<'static>>> {
        let now = self.now();
        // They fail only if the session has ended: no response is expected then.
        let _ = match request {
            Inbound::SubmitSm(message) => return Some(message),
            Inbound::QuerySm(request) => {
                let found = self.simulator().query(now, id, &request.get());
                let message_id = request.get().message_id.as_bytes().to_vec();
                request.respond(
                    found.as_ref().map(|found| found.response(&message_id)).map_err(|status| *status),
                )
            }
            Inbound::CancelSm(request) => {
                let result = self.simulator().cancel(now, id, &request.get());
                self.changed.notify_one();
                request.respond(result.map(|()| NoBody))
            }
            Inbound::ReplaceSm(request) => {
                let result = self.simulator().replace(now, id, &request.get());
                request.respond(result.map(|()| NoBody))
            }
            _ => Ok(()),
        };
        None
    }

    pub(super) fn simulator(&self) -> MutexGuard<'_, Simulator> {
        lock(&self.simulator)
    }

    fn binds(&self) -> MutexGuard<'_, HashMap<BindId, BindEntry>> {
        lock(&self.binds)
    }

    fn rng(&self) -> MutexGuard<'_, Rng> {
        lock(&self.rng)
    }
}

/// Sends a delivery on a bind after those that have begun before, and waits for its outcome.
async fn deliver_in_turn(
    bound: &BoundSession,
    turn: &tokio::sync::Mutex<()>,
    message: &DeliverSm<'_>,
) -> Result<Response, RequestError> {
    // Even if the task has used up its budget, the first poll enters the queue.
    let turn = unconstrained(turn.lock()).await;
    let mut request = RequestFuture::new(&bound.peer().shared, message);
    let ended = poll_fn(|cx| match Pin::new(&mut request).poll(cx) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending if request.is_waiting() => Poll::Pending,
        Poll::Pending => Poll::Ready(None),
    });
    let ended = ended.await;
    drop(turn);
    match ended {
        Some(result) => result,
        None => request.await,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
