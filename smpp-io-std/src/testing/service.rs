//! The service of the SMSC: the simulator of `smpp-proto` decides, a [`Server`](crate::Server) carries it out; one thread waits
//! for what is due later.

use std::collections::HashMap;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use smpp_proto::session::{self, RequestError, Smsc as Role};
use smpp_proto::simulator::{
    Delivery, DeliveryFailure, Dialect, Faults, ReceiptTiming, ResponseFault, Rng, Rules, SimulatedBind,
    Simulator, StreamEnd,
};
use smpp_proto::{Bind, COctets, CommandStatus, NoBody, SequenceNumber, SubmitSm, SubmitSmResp, Tlvs};

use super::faults::{ConnectionFaults, FaultSwitch, FaultyTransport, lock};
use crate::{
    Admission, BindId, BindRequest, BoundSession, Duplex, HandleRoute, Inbound, InboundRequest, Peer,
    ServerEvent, ServerStream, Service,
};

/// The largest number of deliveries without an outcome. Further ones wait in the simulator, which bounds them.
const MAX_DELIVERIES: usize = 1000;

type Request<O> = InboundRequest<O, HandleRoute<Role>>;

/// The [`Service`] that responds with the simulator's decisions.
pub(super) struct SimulatorService(pub(super) Arc<Shared>);

/// The state that all threads share.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Wakes the thread that waits for what is due.
    changed: Condvar,
    /// Wakes the tests that wait for an entry of the log.
    logged: Condvar,
    pub(super) faults: Arc<FaultSwitch>,
    dialect: Dialect,
    start: Instant,
}

pub(super) struct State {
    pub(super) simulator: Simulator,
    rng: Rng,
    /// The simulator's id of each bind of the server.
    ids: HashMap<BindId, SimulatedBind>,
    binds: HashMap<SimulatedBind, Bound>,
    /// The faults of each connection that is open.
    connections: HashMap<BindId, Weak<ConnectionFaults>>,
    /// Responses that wait for their time.
    delayed: Vec<DelayedResponse>,
    /// The deliveries without an outcome.
    in_flight: usize,
    is_stopping: bool,
}

/// A bind, and where its deliveries go.
struct Bound {
    peer: Peer,
    /// `None` before the first delivery.
    deliveries: Option<Sender<Dispatched>>,
}

/// A delivery in the queue of its bind. The other part is dropped when the delivery has been sent.
type Dispatched = (Delivery, Option<Sender<()>>);

/// A response that waits for its time.
struct DelayedResponse {
    due: Instant,
    response: Response,
}

/// The response to a message.
struct Response {
    bind: SimulatedBind,
    message: Request<SubmitSm<'static>>,
    outcome: Result<String, CommandStatus>,
}

impl Shared {
    pub(super) fn new(
        rules: Rules,
        accounts: &[(String, String)],
        faults: Faults,
        log_capacity: usize,
    ) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (rng, dialect) = (Rng::new(rules.seed), rules.dialect.clone());
        let mut simulator = Simulator::new(rules.epoch(now.as_secs()).rate(None));
        for (system_id, password) in accounts {
            simulator.add_account(system_id, password);
        }
        simulator.log_mut().set_capacity(log_capacity);
        let state = State {
            simulator,
            rng,
            ids: HashMap::new(),
            binds: HashMap::new(),
            connections: HashMap::new(),
            delayed: Vec::new(),
            in_flight: 0,
            is_stopping: false,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            logged: Condvar::new(),
            faults: Arc::new(FaultSwitch::new(faults)),
            dialect,
            start: Instant::now(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Wakes the thread that waits for what is due, and the tests.
    pub(super) fn notify(&self) {
        self.changed.notify_one();
        self.logged.notify_all();
    }

    /// Waits until `find` finds something, for `limit` at most.
    pub(super) fn wait_for<T>(
        &self,
        limit: Duration,
        mut find: impl FnMut(&mut Simulator) -> Option<T>,
    ) -> Option<T> {
        let until = Instant::now().checked_add(limit);
        let mut state = self.state();
        loop {
            if let Some(found) = find(&mut state.simulator) {
                return Some(found);
            }
            // Without an end, it waits for a day at a time.
            let left = until
                .map_or(Duration::from_secs(86_400), |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return None;
            }
            let waited = self.logged.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn now(&self) -> session::Instant {
        session::Instant::after(self.start.elapsed())
    }

    /// Ends all connections that are open.
    pub(super) fn end_connections(&self, end: StreamEnd) {
        let connections: Vec<_> = self.state().connections.values().filter_map(Weak::upgrade).collect();
        for connection in connections {
            connection.end(end);
        }
    }

    /// Ends the thread that sends what is due. The requests whose responses wait are refused.
    pub(super) fn stop_sending(&self) {
        let mut state = self.state();
        state.is_stopping = true;
        let delayed = std::mem::take(&mut state.delayed);
        // See `stop`.
        drop(state);
        drop(delayed);
        self.notify();
    }

    /// Ends the connections and the threads, without waiting for them.
    pub(super) fn stop(&self) {
        let mut state = self.state();
        state.is_stopping = true;
        // Dropped after the lock is released: a handle takes the lock of its session, which must not be taken under this one.
        let delayed = std::mem::take(&mut state.delayed);
        let binds = std::mem::take(&mut state.binds);
        drop(state);
        // Before the requests are dropped: that refuses them.
        self.end_connections(StreamEnd::Close);
        drop((delayed, binds));
        self.notify();
    }

    /// Plans a fault of the response to this request.
    fn plan(&self, id: BindId, sequence: SequenceNumber, fault: ResponseFault) {
        let connection = self.state().connections.get(&id).and_then(Weak::upgrade);
        if let Some(connection) = connection {
            connection.plan(sequence, fault);
        }
    }

    fn answer_message(
        self: &Arc<Self>,
        bound: &BoundSession,
        bind: SimulatedBind,
        message: Request<SubmitSm<'static>>,
    ) {
        let now = self.now();
        let faults = self.faults.get();
        let mut state = self.state();
        let decided = state.simulator.respond(now, bind, &message.get());
        let delay = decided.delay + faults.delay(&mut state.rng);
        let is_first = state.simulator.rules().receipt_timing == ReceiptTiming::BeforeResponse;
        let (sending, sent) = mpsc::channel();
        if is_first {
            for delivery in state.due(now) {
                let sending = (delivery.bind == bind).then(|| sending.clone());
                self.dispatch(&mut state, (delivery, sending));
            }
        }
        drop((state, sending));
        self.notify();
        if let Some(fault) = decided.fault {
            self.plan(bound.id(), message.frame().header().sequence, fault);
        }
        // It fails once what is due on this bind has been sent.
        let _ = sent.recv();
        let response = Response { bind, message, outcome: decided.outcome };
        if delay.is_zero() {
            return self.send(response);
        }
        let due = Instant::now() + delay;
        let mut state = self.state();
        // At the end of the SMSC no response is expected.
        if !state.is_stopping {
            state.delayed.push(DelayedResponse { due, response });
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Sends a response.
    fn send(&self, Response { bind, message, outcome }: Response) {
        let tlvs = self.dialect.tlvs_of_response();
        let response = outcome.as_ref().map(|id| SubmitSmResp {
            message_id: COctets::new(id.as_bytes()).unwrap_or_default(),
            tlvs: Tlvs::list(&tlvs),
        });
        // It fails only if the session has ended: no response is expected then.
        let _ = message.respond(response.map_err(|status| *status));
        self.state().simulator.responded(bind);
    }

    /// Responds to a request about a message. Refuses any other request, by dropping it.
    fn answer_about_message(&self, bind: SimulatedBind, request: Inbound<HandleRoute<Role>>) {
        let now = self.now();
        // They fail only if the session has ended: no response is expected then.
        let _ = match request {
            Inbound::QuerySm(request) => {
                let message_id = request.get().message_id.as_bytes().to_vec();
                let found = self.state().simulator.query(now, bind, &request.get());
                let response = found.as_ref().map(|found| found.response(&message_id));
                request.respond(response.map_err(|status| *status))
            }
            Inbound::CancelSm(request) => {
                let result = self.state().simulator.cancel(now, bind, &request.get());
                request.respond(result.map(|()| NoBody))
            }
            Inbound::ReplaceSm(request) => {
                let result = self.state().simulator.replace(now, bind, &request.get());
                request.respond(result.map(|()| NoBody))
            }
            _ => Ok(()),
        };
        self.changed.notify_one();
    }

    /// Sends what is due, until the SMSC stops.
    pub(super) fn run(self: Arc<Self>) {
        let mut state = self.state();
        while !state.is_stopping {
            for delivery in state.due(self.now()) {
                self.dispatch(&mut state, (delivery, None));
            }
            let now = Instant::now();
            let (ready, waiting) =
                std::mem::take(&mut state.delayed).into_iter().partition(|delayed| delayed.due <= now);
            state.delayed = waiting;
            let mut ready: Vec<DelayedResponse> = ready;
            if !ready.is_empty() {
                drop(state);
                ready.sort_by_key(|delayed| delayed.due);
                for delayed in ready {
                    self.send(delayed.response);
                }
                state = self.state();
                continue;
            }
            // The next outcome wakes this thread.
            let is_full = state.in_flight >= MAX_DELIVERIES;
            let delivery = state.simulator.poll_timeout().filter(|_| !is_full);
            let delivery = delivery.map(|due| self.start + (due - session::Instant::ZERO));
            let response = state.delayed.iter().map(|delayed| delayed.due).min();
            state = match delivery.into_iter().chain(response).min() {
                Some(due) => {
                    let left = due.saturating_duration_since(Instant::now());
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Passes a delivery to the thread of its bind: under the lock under which it was taken, so that deliveries keep their order.
    fn dispatch(self: &Arc<Self>, state: &mut State, dispatched: Dispatched) {
        let Some(bound) = state.binds.get_mut(&dispatched.0.bind) else {
            return state.redeliver(self.now(), dispatched.0);
        };
        let deliveries = bound.deliveries.get_or_insert_with(|| {
            let (sender, deliveries) = mpsc::channel();
            let (shared, peer) = (Arc::clone(self), bound.peer.clone());
            let deliver = move || shared.deliver_all(&peer, deliveries);
            // Without a thread, the channel is closed, and the delivery is tried again.
            let _ = thread::Builder::new().name("smsc deliveries".into()).spawn(deliver);
            sender
        });
        if let Err(mpsc::SendError((delivery, _))) = deliveries.send(dispatched) {
            state.redeliver(self.now(), delivery);
        }
    }

    /// Sends the deliveries of a bind until it ends; another thread waits for their outcomes, so that a client may keep some
    /// unanswered.
    fn deliver_all(self: Arc<Self>, peer: &Peer, deliveries: mpsc::Receiver<Dispatched>) {
        let (sender, sent) = mpsc::channel::<(Delivery, crate::PendingResponse<Role>)>();
        let shared = Arc::clone(&self);
        let wait = move || {
            for (delivery, sent) in sent {
                shared.delivered(delivery, sent.wait().map(drop));
            }
        };
        let waiting = thread::Builder::new().name("smsc outcomes".into()).spawn(wait);
        for (delivery, sending) in deliveries {
            let sent = peer.deliver_pipelined(&delivery.deliver_sm());
            drop(sending);
            match sent {
                Ok(sent) => {
                    // Without the other thread, this one waits.
                    if let Err(mpsc::SendError((delivery, sent))) = sender.send((delivery, sent)) {
                        self.delivered(delivery, sent.wait().map(drop));
                    }
                }
                Err(error) => self.delivered(delivery, Err(error)),
            }
        }
        drop((sender, waiting));
    }

    /// Records the outcome of a delivery, and schedules one that failed again.
    fn delivered(&self, delivery: Delivery, outcome: Result<(), RequestError>) {
        let now = self.now();
        let mut state = self.state();
        match outcome {
            // The client has not seen it.
            Err(RequestError::NeverSent(_)) => state.redeliver(now, delivery),
            outcome => {
                state.in_flight = state.in_flight.saturating_sub(1);
                let failure = |error: RequestError| {
                    error.status().map_or(DeliveryFailure::Unanswered, DeliveryFailure::Refused)
                };
                state.simulator.delivered(now, delivery, outcome.map_err(failure));
            }
        }
        drop(state);
        self.notify();
    }
}

impl State {
    /// Returns the deliveries that are due. Each counts as in flight until its outcome.
    fn due(&mut self, now: session::Instant) -> Vec<Delivery> {
        let free = MAX_DELIVERIES.saturating_sub(self.in_flight);
        let due: Vec<_> = std::iter::from_fn(|| self.simulator.poll_delivery(now)).take(free).collect();
        self.in_flight += due.len();
        due
    }

    /// Schedules a delivery again that has not left.
    fn redeliver(&mut self, now: session::Instant, delivery: Delivery) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.simulator.redeliver(now, delivery);
    }
}

impl Service for SimulatorService {
    fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
        let (bind, state) = (request.bind(), self.0.state());
        self.0.faults.get().refuse_binds.map_or(Ok(()), Err)?;
        state.simulator.authenticate(&bind)?;
        Ok(Admission::default())
    }

    fn request(&self, bound: &BoundSession, request: Inbound<HandleRoute<Role>>) {
        let Some(id) = self.0.state().ids.get(&bound.id()).copied() else { return };
        match request {
            Inbound::SubmitSm(message) => self.0.answer_message(bound, id, message),
            request => self.0.answer_about_message(id, request),
        }
    }

    fn event(&self, event: ServerEvent<'_>) {
        let mut state = self.0.state();
        match event {
            ServerEvent::Bound(bound) => {
                let peer = Some(bound.peer_addr());
                if let Some(id) = state.simulator.admit_from(bound.system_id(), bound.mode(), peer) {
                    state.ids.insert(bound.id(), id);
                    drop(state);
                    // Not under the lock: a handle takes the lock of its session.
                    let peer = bound.peer().clone();
                    self.0.state().binds.insert(id, Bound { peer, deliveries: None });
                }
            }
            ServerEvent::BindRefused { address, system_id, mode, status, .. } => {
                let system_id = COctets::new(system_id).unwrap_or_default();
                let bind = Bind { mode, system_id, ..Bind::default() };
                state.simulator.record_refused_bind(&bind, Some(address), status);
            }
            ServerEvent::Ended { bound, end } => {
                if let Some(id) = state.ids.remove(&bound.id()) {
                    state.simulator.release_for(id, Some(end.reason));
                    let ended = state.binds.remove(&id);
                    drop(state);
                    drop(ended);
                }
            }
            _ => {}
        }
        self.0.notify();
    }

    fn transport(&self, stream: ServerStream) -> Box<dyn Duplex> {
        let (id, stream) = (stream.bind_id(), Arc::new(stream));
        let mut state = self.0.state();
        let rng = Rng::new(state.rng.next_u64());
        let faults = Arc::new(ConnectionFaults::new(Arc::clone(&stream), rng));
        state.connections.retain(|_, faults| faults.strong_count() > 0);
        state.connections.extend(id.map(|id| (id, Arc::downgrade(&faults))));
        drop(state);
        Box::new(FaultyTransport::new(stream, Arc::clone(&self.0.faults), faults))
    }
}

#[cfg(test)]
mod tests {
    use smpp_proto::{Address, BindMode};

    use super::*;

    #[test]
    fn deliveries_without_an_outcome_are_bounded_and_further_ones_wait() {
        let accounts = [("shop".to_owned(), String::new())];
        let shared = Shared::new(Rules::default(), &accounts, Faults::default(), 0);
        let (mut state, now) = (shared.state(), session::Instant::ZERO);
        state.simulator.admit_from(b"shop", BindMode::Transceiver, None).unwrap();
        for _ in 0..MAX_DELIVERIES + 2 {
            let phone = Address::international("6591234567").unwrap();
            state.simulator.originate(now, "shop", (phone, phone), "text").unwrap();
        }
        let mut due = state.due(now);
        assert_eq!((due.len(), state.simulator.pending()), (MAX_DELIVERIES, 2));
        assert!(state.due(now).is_empty());
        drop(state);
        let refused = RequestError::Unanswered(session::UnansweredReason::Timeout);
        shared.delivered(due.remove(0), Ok(()));
        shared.delivered(due.remove(0), Err(refused));
        let mut state = shared.state();
        assert_eq!(state.due(now).len(), 2, "one for each outcome");
    }
}
