//! The server: a registry, and the session of each connection.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;

use super::connection::{BindRefusal, ConnectionId, RejectReason};
use super::delivery::{DeliverError, Delivery, DeliveryId, DeliveryPdu};
use super::event::{Action, Event};
use super::options::{Admission, Options};
use super::registry::Registry;
use super::stats::ServerStats;
use crate::pdu::{Bind, BindMode, BindResp, CommandStatus};
use crate::session::{
    CloseReason, Config, Event as SessionEvent, Notification, Observer, RateMeter, Readiness, Refusal, Reply,
    Session, Smsc, State, Stats, Timer,
};
use crate::time::Instant;
use crate::tlv::{Tlv, Tlvs};
use crate::wire::COctets;

/// The longest system_id of the SMSC in a bind response.
const MAX_SYSTEM_ID: usize = 15;

/// An SMSC: the sessions of all its connections, their binds, and the deliveries to them.
///
/// A server accepts and replaces connections, counts binds for accounts, limits rates, and routes deliveries to binds. It is
/// sans-IO: an adapter listens, moves octets, and does what [`poll_action`](Self::poll_action) returns. See the
/// [module documentation](super) for an example.
///
/// An [`Observer`] `O` sees the PDUs of each connection.
#[doc(alias = "SMSC")]
pub struct Server<O = ()> {
    pub(super) registry: Registry,
    pub(super) connections: Vec<Option<Box<Connection<O>>>>,
    actions: VecDeque<Action>,
    pub(super) shutdown: Shutdown,
}

/// How far the shutdown has progressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shutdown {
    Running,
    /// The sessions unbind. Those from slot `next` on have not been asked yet.
    Unbinding {
        next: u32,
        drained_by: Instant,
        deadline: Instant,
    },
    /// The sessions that are left are aborted. Those from slot `next` on have not been yet.
    Aborting {
        next: u32,
    },
    Closed,
}

/// The session of one connection.
#[expect(clippy::struct_excessive_bools, reason = "each is true or false independently of the others")]
pub(super) struct Connection<O> {
    number: u64,
    pub(super) session: Session<Smsc, DeliveryId, O>,
    /// What is needed until the connection is bound.
    before_bind: Option<Box<BeforeBind>>,
    pub(super) meter: Option<Box<RateMeter>>,
    /// Whether the last message was refused because of a rate limit.
    pub(super) is_throttled: bool,
    /// Whether the session has refused a delivery for now.
    is_blocked: bool,
    /// Whether the connection is bound for the registry.
    is_bound: bool,
    /// Whether the adapter has been asked to close it.
    is_closing: bool,
    /// Whether [`Action::Wake`] is among the actions.
    is_woken: bool,
}

struct BeforeBind {
    /// The configuration of the session once it is bound.
    config: Config,
    /// The bind that waits for a decision.
    bind: Option<PendingBind>,
    /// The octets of input that the adapter keeps.
    input: usize,
}

struct PendingBind {
    reply: Reply<Bind<'static>>,
    system_id: Box<[u8]>,
    mode: BindMode,
}

impl<O: Observer> Connection<O> {
    /// Returns whether [`Server::settle`] has nothing to record for it: the usual case.
    #[inline]
    pub(super) fn is_settled(&self) -> bool {
        self.is_bound && !self.is_blocked && matches!(self.session.state(), State::Bound(_))
    }
}

impl<O> fmt::Debug for Server<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("stats", &self.registry.stats()).finish_non_exhaustive()
    }
}

/// Returns the connection, if it has this id.
#[inline]
fn find<O>(connections: &mut [Option<Box<Connection<O>>>], id: ConnectionId) -> Option<&mut Connection<O>> {
    connections.get_mut(id.index())?.as_deref_mut().filter(|connection| connection.number == id.number)
}

/// Returns whether the session takes no delivery of any kind for now. The readiness is that for a deliver_sm, which a
/// configuration may exclude.
const fn is_blocking(readiness: Readiness) -> bool {
    let Readiness::Refusing(refusal) = readiness else { return false };
    matches!(refusal, Refusal::WindowFull | Refusal::OutputFull | Refusal::RateLimited(_))
}

impl<O: Observer> Server<O> {
    /// Creates a server without connections.
    pub fn new(options: Options) -> Self {
        Self {
            registry: Registry::new(options),
            connections: Vec::new(),
            actions: VecDeque::new(),
            shutdown: Shutdown::Running,
        }
    }

    /// Returns the options.
    pub const fn options(&self) -> &Options {
        self.registry.options()
    }

    /// Returns the registry of connections and accounts.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns the counters since the start, and what there is now.
    pub fn stats(&self) -> ServerStats {
        self.registry.stats()
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.registry.poll_event()
    }

    /// Returns the next action for the adapter.
    pub fn poll_action(&mut self) -> Option<Action> {
        let action = self.actions.pop_front()?;
        if let Action::Wake { connection } = action
            && let Some(open) = self.find(connection)
        {
            open.is_woken = false;
        }
        Some(action)
    }

    /// Accepts a connection from this address. Its session has the `config` once it is bound; until then it holds less
    /// ([`Options::unbound_pdu`]). If a limit is reached, the oldest connection without a bind is closed for it.
    ///
    /// # Errors
    ///
    /// Returns why the connection is not accepted: close it. [`Event::Rejected`] reports it.
    pub fn accept(
        &mut self,
        now: Instant,
        address: SocketAddr,
        config: Config,
        observer: O,
    ) -> Result<ConnectionId, RejectReason> {
        let accepted = self.registry.accept(address);
        self.open(now, accepted, config, observer)
    }

    /// Creates the session of a connection, if it is accepted.
    pub(super) fn open(
        &mut self,
        now: Instant,
        accepted: Result<ConnectionId, RejectReason>,
        config: Config,
        observer: O,
    ) -> Result<ConnectionId, RejectReason> {
        self.close_replaced(now);
        let connection = accepted?;
        let unbound = self.registry.options.unbound_config(&config);
        let open = Some(Box::new(Connection {
            number: connection.number,
            session: Session::with_observer(unbound, now, observer),
            before_bind: Some(Box::new(BeforeBind { config, bind: None, input: 0 })),
            meter: None,
            is_throttled: false,
            is_blocked: false,
            is_bound: false,
            is_closing: false,
            is_woken: false,
        }));
        match self.connections.get_mut(connection.index()) {
            Some(slot) => *slot = open,
            None => self.connections.push(open),
        }
        Ok(connection)
    }

    /// Ends the sessions of the connections that the registry closes.
    pub(super) fn close_replaced(&mut self, now: Instant) {
        while let Some(connection) = self.registry.poll_close() {
            self.abort(now, connection);
        }
    }

    #[inline]
    pub(super) fn find(&mut self, connection: ConnectionId) -> Option<&mut Connection<O>> {
        find(&mut self.connections, connection)
    }

    fn get(&self, connection: ConnectionId) -> Option<&Connection<O>> {
        let open = self.connections.get(connection.index())?.as_deref();
        open.filter(|open| open.number == connection.number)
    }

    /// Remembers the bind that waits for a decision.
    pub(super) fn begin_decision(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        bind: &Bind<'_>,
        reply: Reply<Bind<'static>>,
    ) {
        self.registry.begin_decision(now, connection);
        let Some(before) = self.find(connection).and_then(|open| open.before_bind.as_deref_mut()) else {
            return;
        };
        let system_id = bind.system_id.as_bytes().into();
        before.bind = Some(PendingBind { reply, system_id, mode: bind.mode });
    }

    /// Acts on the application's decision on a bind: accepts it, if the limits allow it, or refuses it with a status.
    ///
    /// # Errors
    ///
    /// Returns why the bind is refused, also if that is the decision. [`BindRefusal::Ended`] means that there is no bind that
    /// waits: the connection has ended, or [`Options::decision_timeout`] has passed.
    pub fn decide(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        decision: Result<Admission, CommandStatus>,
    ) -> Result<(), BindRefusal> {
        self.decide_for(now, connection, decision.map_err(BindRefusal::Application))
    }

    pub(super) fn decide_for(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        decision: Result<Admission, BindRefusal>,
    ) -> Result<(), BindRefusal> {
        let open = find(&mut self.connections, connection).ok_or(BindRefusal::Ended)?;
        let before = open.before_bind.as_deref_mut().ok_or(BindRefusal::Ended)?;
        let PendingBind { reply, system_id, mode } = before.bind.take().ok_or(BindRefusal::Ended)?;
        let config = before.config;
        let decided = self.registry.decide(
            connection,
            (&system_id, mode),
            config.window,
            decision.as_ref().map_err(|refusal| *refusal),
        );
        let admission = match (decided, decision) {
            (Ok(()), Ok(admission)) => admission,
            (Err(refusal), _) | (_, Err(refusal)) => {
                // It fails if the session has ended: then no response is needed.
                let status = self.registry.status_of(refusal);
                let _ = open.session.at(now, |session| session.respond(reply, Err(status)));
                open.session.unbind(now);
                self.settle(now, connection, true);
                return Err(refusal);
            }
        };
        open.before_bind = None;
        open.is_bound = true;
        open.meter = admission.rate.or(self.registry.options.rate).map(|rate| Box::new(RateMeter::new(rate)));
        let config = Config {
            tolerance: admission.tolerance.or(config.tolerance),
            peer_version: admission.peer_version.or(config.peer_version),
            ..config
        };
        open.session.reconfigure(now, config);
        open.session.raise_max_pdu(config.max_pdu);
        let options = &self.registry.options;
        let own = options.system_id.get(..MAX_SYSTEM_ID).unwrap_or(&options.system_id);
        let version = options.interface_version.map(Tlv::sc_interface_version);
        let system_id = COctets::new(own).unwrap_or_default();
        let response = BindResp { system_id, tlvs: Tlvs::list(version.as_slice()) };
        // If the session has ended, it is no longer bound.
        if open.session.at(now, |session| session.respond(reply, Ok(response))).is_ok() {
            self.registry.ready(connection);
        }
        self.settle(now, connection, true);
        Ok(())
    }

    /// Records what a call has changed on a connection, and sends the deliveries that can be sent. `wakes` says whether the
    /// adapter has to be asked to transmit, because it may not have named the connection in the call.
    pub(super) fn settle(&mut self, now: Instant, connection: ConnectionId, wakes: bool) {
        let Some(open) = find(&mut self.connections, connection) else { return };
        if open.is_bound {
            if !matches!(open.session.state(), State::Bound(_)) {
                open.is_bound = false;
                self.registry.unbinding(connection);
            } else if open.is_blocked && !is_blocking(open.session.readiness(now)) {
                open.is_blocked = false;
                self.registry.ready(connection);
            }
        } else if let Some(before) = &open.before_bind {
            let octets = before.input + open.session.pending_output();
            self.registry.set_unbound_octets(connection, octets);
            self.close_replaced(now);
        }
        if wakes {
            self.wake(connection);
        }
        if self.registry.has_assignments() {
            self.dispatch(now, Some(connection));
        }
    }

    /// Sends each delivery that a bind takes.
    pub(super) fn dispatch(&mut self, now: Instant, current: Option<ConnectionId>) {
        while let Some(connection) = self.registry.poll_sender(now) {
            while let Some((delivery, frame)) = self.registry.take_delivery(connection) {
                let Some(open) = find(&mut self.connections, connection) else {
                    self.registry.handle_refused(now, delivery, Refusal::Closed(CloseReason::Disconnected));
                    continue;
                };
                let sent = match frame.pdu() {
                    DeliveryPdu::DeliverSm(message) => open.session.request(now, &message, delivery),
                    DeliveryPdu::DataSm(message) => open.session.request(now, &message, delivery),
                };
                match sent {
                    Ok(_) if current != Some(connection) => self.wake(connection),
                    Ok(_) => {}
                    Err(refused) => {
                        open.is_blocked = true;
                        self.registry.handle_refused(now, delivery, refused.reason);
                    }
                }
            }
        }
    }

    pub(super) fn wake(&mut self, connection: ConnectionId) {
        let Some(open) = find(&mut self.connections, connection) else { return };
        if !core::mem::replace(&mut open.is_woken, true) {
            self.actions.push_back(Action::Wake { connection });
        }
    }

    /// Queues a delivery for an account: see [`Registry::deliver`]. [`Event::Delivery`] reports how it ended.
    ///
    /// # Errors
    ///
    /// As [`Registry::deliver`].
    pub fn deliver(
        &mut self,
        now: Instant,
        account: &[u8],
        delivery: Delivery,
    ) -> Result<DeliveryId, DeliverError> {
        let id = self.registry.deliver(now, account, delivery)?;
        self.dispatch(now, None);
        Ok(id)
    }

    /// Sends an ESME a PDU that has no response: see [`Session::notify`].
    ///
    /// # Errors
    ///
    /// As [`Session::notify`]; [`Refusal::Closed`] if the connection has ended.
    pub fn notify<N: Notification>(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        notification: &N,
    ) -> Result<(), Refusal> {
        let open = self.find(connection).ok_or(Refusal::Closed(CloseReason::Disconnected))?;
        open.session.notify(now, notification)?;
        self.settle(now, connection, true);
        Ok(())
    }

    /// Ends a connection gracefully: see [`Session::unbind`].
    pub fn unbind(&mut self, now: Instant, connection: ConnectionId) {
        let Some(open) = self.find(connection) else { return };
        open.session.unbind(now);
        self.settle(now, connection, true);
    }

    /// Ends a connection at once, without an unbind.
    pub fn abort(&mut self, now: Instant, connection: ConnectionId) {
        let Some(open) = self.find(connection) else { return };
        open.session.abort();
        self.handle_connection_timeout(now, connection);
    }

    /// Records the end of a session. The adapter closes the transport.
    pub(super) fn record_end(&mut self, connection: ConnectionId, reason: CloseReason) {
        self.registry.ended(connection, reason);
        let Some(open) = find(&mut self.connections, connection) else { return };
        (open.is_bound, open.before_bind, open.meter) = (false, None, None);
        if !core::mem::replace(&mut open.is_closing, true) {
            self.actions.push_back(Action::Close { connection });
        }
    }

    /// Records how much input of a connection without a bind the adapter keeps.
    pub(super) fn record_input(&mut self, connection: ConnectionId, octets: usize) {
        if let Some(before) = self.find(connection).and_then(|open| open.before_bind.as_deref_mut()) {
            before.input = octets;
        }
    }

    /// Forgets a connection.
    pub(super) fn forget(&mut self, connection: ConnectionId) {
        if let Some(slot) = self.connections.get_mut(connection.index()) {
            slot.take_if(|open| open.number == connection.number);
        }
        self.registry.closed(connection);
    }

    /// Returns the state of the session; `None` if there is no such connection.
    pub fn state(&self, connection: ConnectionId) -> Option<State> {
        self.get(connection).map(|open| open.session.state())
    }

    /// Returns the counters of the session.
    pub fn session_stats(&self, connection: ConnectionId) -> Option<Stats> {
        self.get(connection).map(|open| open.session.stats())
    }

    /// Returns the observer of a connection for modification.
    pub fn observer_mut(&mut self, connection: ConnectionId) -> Option<&mut O> {
        self.find(connection).map(|open| open.session.observer_mut())
    }

    /// Returns when to call [`handle_connection_timeout`](Self::handle_connection_timeout), and for which timer.
    pub fn poll_connection_timeout(&self, connection: ConnectionId) -> Option<(Instant, Timer)> {
        self.get(connection)?.session.poll_timeout()
    }

    /// Returns whether the connection has output.
    pub fn wants_transmit(&self, connection: ConnectionId) -> bool {
        self.get(connection).is_some_and(|open| open.session.wants_transmit())
    }

    /// Returns whether the connection reads input: see [`Session::wants_input`].
    pub fn wants_input(&self, connection: ConnectionId) -> bool {
        !self.registry.is_unidentified(connection)
            && self.get(connection).is_some_and(|open| open.session.wants_input())
    }

    /// Appends the octets to transmit to `out`: see [`Session::poll_transmit`].
    pub fn poll_transmit(&mut self, connection: ConnectionId, out: &mut Vec<u8>) -> bool {
        self.find(connection).is_some_and(|open| open.session.poll_transmit(out))
    }

    /// Frees unused memory of a connection that is quiet: see [`Session::shrink`].
    pub fn shrink(&mut self, connection: ConnectionId) {
        if let Some(open) = self.find(connection) {
            open.session.shrink();
        }
    }

    /// Handles an event of a session other than a request. Returns it if it is not about a delivery or the end.
    pub(super) fn handle_session_event<'b>(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        event: SessionEvent<'b, DeliveryId>,
    ) -> Option<SessionEvent<'b, DeliveryId>> {
        match event {
            SessionEvent::Outcome { tag, outcome, .. } => self.registry.handle_outcome(now, tag, outcome),
            SessionEvent::Closed(reason) => self.record_end(connection, reason),
            other => return Some(other),
        }
        None
    }
}
