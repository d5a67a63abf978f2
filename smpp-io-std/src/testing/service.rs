//! What the SMSC does: the simulator of `smpp-core` decides; each connection has a thread, and one thread waits for what is
//! due later.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rustls::ServerConfig;
use smpp_core::session::{self, Config, RequestError, Smsc as Role};
use smpp_core::simulator::{
    Delivery, DeliveryFailure, Dialect, Faults, ReceiptTiming, Rng, Rules, SimulatedBind, Simulator,
    StreamEnd,
};
use smpp_core::{Bind, BindResp, COctets, CommandStatus, NoBody, SubmitSm, SubmitSmResp, Tlv, Tlvs};

use super::faults::{ConnectionFaults, FaultSwitch, FaultyTransport, lock};
use super::socket::Socket;
use crate::handle::Peer;
use crate::handle_route::HandleRoute;
use crate::inbound::{Inbound, InboundRequest};
use crate::inbox::Inbox;
use crate::start::start;
use crate::tls_stream::TlsStream;
use crate::transport::Duplex;

/// The system_id of the SMSC in its bind responses.
const NAME: &[u8] = b"8x8_demo";

/// The pause after an error of accepting connections.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

type Request<O> = InboundRequest<O, HandleRoute<Role>>;

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
    binds: HashMap<SimulatedBind, Bound>,
    /// The open connections, also those that are not bound.
    connections: Vec<Weak<OpenConnection>>,
    /// Responses that wait for their time.
    delayed: Vec<DelayedResponse>,
    is_stopping: bool,
}

/// A connection that is open.
struct OpenConnection {
    peer: Peer,
    faults: Arc<ConnectionFaults>,
}

/// A bind, and where its deliveries go.
struct Bound {
    peer: Peer,
    /// `None` before the first delivery.
    deliveries: Option<Sender<Delivery>>,
}

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
        let mut simulator = Simulator::new(Rules { epoch: now.as_secs(), ..rules });
        for (system_id, password) in accounts {
            simulator.add_account(system_id, password);
        }
        simulator.log_mut().set_capacity(log_capacity);
        let state = State {
            simulator,
            rng,
            binds: HashMap::new(),
            connections: Vec::new(),
            delayed: Vec::new(),
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

    /// Returns the configuration of the sessions.
    pub(super) fn config(&self) -> Config {
        let inactivity_timeout = self.dialect.idle_timeout;
        Config { inactivity_timeout, enquire_link_is_activity: true, ..Config::default() }
    }

    /// Ends all connections that are open.
    pub(super) fn end_connections(&self, end: StreamEnd) {
        let connections: Vec<_> = self.state().connections.iter().filter_map(Weak::upgrade).collect();
        for connection in connections {
            connection.faults.end(end);
        }
    }

    /// Ends the threads and the sessions, without waiting for them.
    pub(super) fn stop(&self) {
        let mut state = self.state();
        state.is_stopping = true;
        let delayed = std::mem::take(&mut state.delayed);
        let connections: Vec<_> = state.connections.iter().filter_map(Weak::upgrade).collect();
        drop(state);
        self.notify();
        for connection in connections {
            connection.peer.begin_abort();
            connection.faults.end(StreamEnd::Close);
        }
        drop(delayed);
    }

    /// Accepts connections until the SMSC stops.
    pub(super) fn accept(self: Arc<Self>, listener: &TcpListener, tls: Option<&Arc<ServerConfig>>) {
        loop {
            let accepted = listener.accept();
            if self.state().is_stopping {
                return;
            }
            let Ok((tcp, address)) = accepted else {
                // The process may have too many open files.
                thread::sleep(ACCEPT_PAUSE);
                continue;
            };
            // Without it, Nagle's algorithm delays each response.
            let _ = tcp.set_nodelay(true);
            self.spawn(Socket::Tcp(tcp), address, tls.cloned());
        }
    }

    /// Serves a connection in a thread of its own. If there is no thread for it, it is closed.
    pub(super) fn spawn(
        self: &Arc<Self>,
        socket: Socket,
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
    ) {
        let shared = Arc::clone(self);
        // The client sees how a connection ends.
        let serve = move || drop(shared.serve(socket, address, tls));
        let _ = thread::Builder::new().name("smsc connection".into()).spawn(serve);
    }

    /// Serves one connection until its session ends.
    fn serve(
        self: &Arc<Self>,
        socket: Socket,
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
    ) -> io::Result<()> {
        let config = self.config();
        let socket = Arc::new(socket);
        let io: Box<dyn Duplex> = match tls {
            Some(tls) => {
                let stream = TlsStream::accept(Arc::clone(&socket), tls, config.session_init_timeout);
                Box::new(stream.map_err(io::Error::other)?)
            }
            None => Box::new(Arc::clone(&socket)),
        };
        let rng = Rng::new(self.state().rng.next_u64());
        let faults = Arc::new(ConnectionFaults::new(socket, rng));
        let transport = FaultyTransport::new(io, Arc::clone(&self.faults), Arc::clone(&faults));
        let (peer, inbox) = start::<Role, _>(transport, config)?;
        let open = Arc::new(OpenConnection { peer: peer.clone(), faults });
        let mut state = self.state();
        state.connections.retain(|connection| connection.strong_count() > 0);
        state.connections.push(Arc::downgrade(&open));
        let is_stopping = state.is_stopping;
        drop(state);
        if is_stopping {
            peer.begin_abort();
        }
        self.answer_all(&open, inbox, address);
        Ok(())
    }

    /// Responds to the requests of a session until it ends.
    fn answer_all(self: &Arc<Self>, open: &OpenConnection, mut inbox: Inbox<Role>, address: SocketAddr) {
        let mut bind = None;
        while let Some(request) = inbox.recv() {
            match (request, bind) {
                (Inbound::Bind(request), None) => bind = self.answer_bind(open, request, address),
                (Inbound::SubmitSm(message), Some(bind)) => self.answer_message(open, bind, message),
                // The session lets no other request through before the bind. One that is dropped is refused.
                (request, Some(bind)) => self.answer_about_message(bind, request),
                _ => {}
            }
        }
        if let Some(bind) = bind {
            let reason = open.peer.try_end().map(|end| end.reason);
            let mut state = self.state();
            state.simulator.release_for(bind, reason);
            // Dropped after the lock is released.
            let bound = state.binds.remove(&bind);
            drop(state);
            drop(bound);
            self.notify();
        }
    }

    /// Decides on a bind. One that is refused ends the session.
    fn answer_bind(
        &self,
        open: &OpenConnection,
        request: Request<Bind<'static>>,
        address: SocketAddr,
    ) -> Option<SimulatedBind> {
        let bind = request.get();
        let mut state = self.state();
        let admitted = match self.faults.get().refuse_binds {
            Some(status) => {
                state.simulator.record_refused_bind(&bind, Some(address), status);
                Err(status)
            }
            None => state.simulator.bind_from(&bind, Some(address)),
        };
        if let Ok(id) = admitted {
            state.binds.insert(id, Bound { peer: open.peer.clone(), deliveries: None });
        }
        drop(state);
        let system_id = COctets::new(NAME).unwrap_or_default();
        let version = self.dialect.sc_interface_version.map(Tlv::sc_interface_version);
        let response = BindResp { system_id, tlvs: Tlvs::list(version.as_slice()) };
        // It fails only if the session has ended: no response is expected then.
        let _ = request.respond(admitted.map(|_| response));
        self.notify();
        if admitted.is_err() {
            open.peer.begin_unbind();
        }
        admitted.ok()
    }

    fn answer_message(
        self: &Arc<Self>,
        open: &OpenConnection,
        bind: SimulatedBind,
        message: Request<SubmitSm<'static>>,
    ) {
        let now = self.now();
        let faults = self.faults.get();
        let mut state = self.state();
        let decided = state.simulator.respond(now, bind, &message.get());
        let delay = decided.delay + faults.delay(&mut state.rng);
        let is_first = state.simulator.rules().receipt_timing == ReceiptTiming::BeforeResponse;
        let receipts = if is_first { due(&mut state.simulator, now) } else { Vec::new() };
        drop(state);
        self.notify();
        if let Some(fault) = decided.fault {
            open.faults.plan(message.frame().header().sequence, fault);
        }
        for receipt in receipts {
            self.deliver_first(open, bind, receipt);
        }
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

    /// Sends a receipt before the response to a message of the same bind, without waiting for its outcome.
    fn deliver_first(self: &Arc<Self>, open: &OpenConnection, bind: SimulatedBind, receipt: Delivery) {
        if receipt.bind != bind {
            return self.dispatch(&mut self.state(), receipt);
        }
        match open.peer.deliver_pipelined(&receipt.deliver_sm()) {
            Ok(sent) => {
                let shared = Arc::clone(self);
                // A test has few of these.
                let wait = move || shared.delivered(receipt, sent.wait().map(drop));
                let _ = thread::Builder::new().name("smsc receipt".into()).spawn(wait);
            }
            Err(error) => self.delivered(receipt, Err(error)),
        }
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
            for delivery in due(&mut state.simulator, self.now()) {
                self.dispatch(&mut state, delivery);
            }
            let now = Instant::now();
            let (ready, waiting) =
                std::mem::take(&mut state.delayed).into_iter().partition(|delayed| delayed.due <= now);
            state.delayed = waiting;
            let mut ready: Vec<DelayedResponse> = ready;
            if !ready.is_empty() {
                drop(state);
                ready.sort_by_key(|delayed| delayed.due);
                ready.into_iter().for_each(|delayed| self.send(delayed.response));
                state = self.state();
                continue;
            }
            let delivery =
                state.simulator.poll_timeout().map(|due| self.start + (due - session::Instant::ZERO));
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

    /// Passes a delivery to the thread of its bind.
    fn dispatch(self: &Arc<Self>, state: &mut State, delivery: Delivery) {
        let Some(bound) = state.binds.get_mut(&delivery.bind) else {
            return state.simulator.redeliver(self.now(), delivery);
        };
        let deliveries = bound.deliveries.get_or_insert_with(|| {
            let (sender, deliveries) = mpsc::channel();
            let (shared, peer) = (Arc::clone(self), bound.peer.clone());
            let deliver = move || shared.deliver_all(&peer, deliveries);
            // Without a thread, the channel is closed, and the delivery is tried again.
            let _ = thread::Builder::new().name("smsc deliveries".into()).spawn(deliver);
            sender
        });
        if let Err(mpsc::SendError(delivery)) = deliveries.send(delivery) {
            state.simulator.redeliver(self.now(), delivery);
        }
    }

    /// Sends the deliveries of a bind until it ends; another thread waits for their outcomes, so that a client may keep some
    /// unanswered.
    fn deliver_all(self: Arc<Self>, peer: &Peer, deliveries: mpsc::Receiver<Delivery>) {
        let (sender, sent) = mpsc::channel::<(Delivery, crate::PendingResponse<Role>)>();
        let shared = Arc::clone(&self);
        let wait = move || {
            sent.into_iter().for_each(|(delivery, sent)| shared.delivered(delivery, sent.wait().map(drop)))
        };
        let waiting = thread::Builder::new().name("smsc outcomes".into()).spawn(wait);
        for delivery in deliveries {
            match peer.deliver_pipelined(&delivery.deliver_sm()) {
                // The other thread ends only after this one.
                Ok(sent) => drop(sender.send((delivery, sent))),
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
            Err(RequestError::NeverSent(_)) => state.simulator.redeliver(now, delivery),
            outcome => {
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

/// Returns the deliveries that are due.
fn due(simulator: &mut Simulator, now: session::Instant) -> Vec<Delivery> {
    std::iter::from_fn(|| simulator.poll_delivery(now)).collect()
}
