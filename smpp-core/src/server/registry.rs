//! What all connections of a server share, without their sessions.

use alloc::collections::{BTreeSet, VecDeque};
use core::fmt;
use core::net::SocketAddr;

use super::account_table::{Account, AccountTable, check_limits};
use super::connection::{AccountName, BindRefusal, ConnectionId, NotBoundReason, RejectReason};
use super::connection_table::{Availability, Bound, Chained, ConnectionTable, Group, Phase};
use super::delivery_queue::DeliveryQueue;
use super::event::Event;
use super::options::{Admission, Options};
use super::stats::{Counters, ServerStats};
use crate::pdu::{BindMode, CommandStatus};
use crate::session::{CloseReason, RateMeter};
use crate::time::Instant;

/// A server without its sessions: it decides which connections are accepted and replaced, counts the binds and the rates of
/// accounts, and routes deliveries.
///
/// [`Server`](super::Server) is a registry with the session of each connection. Use a registry alone in an adapter that locks
/// each session by itself. No method takes long, and none calls a session, so the adapter may lock the registry while it holds
/// the lock of one session. In such an adapter:
///
/// - a connection is accepted with [`accept`](Self::accept); those that [`poll_close`](Self::poll_close) returns are aborted;
///   [`closed`](Self::closed) follows once the transport of any of them is closed;
/// - a connection through a proxy is accepted with [`accept_proxied`](Self::accept_proxied), and counts for the address of its
///   client after [`identify`](Self::identify);
/// - until its bind the session has the [`unbound_config`](Options::unbound_config), and the adapter reports what it holds with
///   [`set_unbound_octets`](Self::set_unbound_octets);
/// - [`begin_decision`](Self::begin_decision) (optional), then [`decide`](Self::decide), before the bind is answered;
///   [`ready`](Self::ready) once it is accepted in the session, which then sends deliveries;
/// - [`unbinding`](Self::unbinding) before the response to an unbind leaves, [`ended`](Self::ended) with the end of the session;
/// - for each bind that [`poll_sender`](Self::poll_sender) returns, the adapter sends the deliveries that
///   [`take_delivery`](Self::take_delivery) returns under the lock of the session;
///   [`handle_refused`](Self::handle_refused) or [`handle_outcome`](Self::handle_outcome) says what became of each. If the outcomes
///   are recorded under this lock too, deliveries that are sent again keep their order;
/// - at [`poll_timeout`](Self::poll_timeout), [`poll_undecided`](Self::poll_undecided) until it returns `None`, then
///   [`handle_timeout`](Self::handle_timeout).
///
/// ```
/// use smpp_proto::BindMode;
/// use smpp_proto::server::{Admission, BindLimits, BindRefusal, Options, Registry};
/// use smpp_proto::session::Instant;
///
/// let mut registry = Registry::new(Options::default().binds(BindLimits::total(1)));
/// let mut bind = |last| {
///     let connection = registry.accept(([192, 0, 2, last], 2775).into()).unwrap();
///     registry.decide(connection, (b"shop", BindMode::Transceiver), 16, Ok(&Admission::default()))
/// };
/// assert_eq!(bind(1), Ok(()));
/// assert_eq!(bind(2), Err(BindRefusal::TooManyBinds));
/// ```
pub struct Registry {
    pub(super) options: Options,
    pub(super) connections: ConnectionTable,
    pub(super) accounts: AccountTable,
    pub(super) deliveries: DeliveryQueue,
    /// The accounts that may have a delivery for a bind.
    pub(super) scheduled: VecDeque<u32>,
    /// The deliveries that are assigned to binds and not sent: those of a bind leave in the order of their ids.
    pub(super) assigned: BTreeSet<(ConnectionId, u64)>,
    /// The binds that the rate limits of their sessions block.
    pub(super) blocked: BTreeSet<(Instant, ConnectionId)>,
    /// The accounts with deliveries that end because no bind receives them.
    pub(super) without_bind: BTreeSet<u32>,
    /// The deliveries from this one on were not ended by [`end_deliveries`](Self::end_deliveries).
    pub(super) next_to_end: u64,
    /// The binds without a decision.
    decisions: BTreeSet<(Instant, ConnectionId)>,
    /// The connections that were replaced.
    closing: VecDeque<ConnectionId>,
    pub(super) events: VecDeque<Event>,
    pub(super) counters: Counters,
    pub(super) stopping: bool,
    is_closed: bool,
    /// Whether an account has a rate limit, or has had one.
    has_account_rates: bool,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Registry {
    /// Creates a registry without connections.
    pub fn new(options: Options) -> Self {
        Self {
            has_account_rates: options.account_rate.is_some(),
            options,
            connections: ConnectionTable::default(),
            accounts: AccountTable::default(),
            deliveries: DeliveryQueue::default(),
            scheduled: VecDeque::new(),
            assigned: BTreeSet::new(),
            blocked: BTreeSet::new(),
            without_bind: BTreeSet::new(),
            next_to_end: 0,
            decisions: BTreeSet::new(),
            closing: VecDeque::new(),
            events: VecDeque::new(),
            counters: Counters::default(),
            stopping: false,
            is_closed: false,
        }
    }

    /// Returns the options.
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// Returns the counters since the start, and what there is now.
    pub fn stats(&self) -> ServerStats {
        let (open, closing) = self.connections.len();
        let unbound = self.connections.unbound_len();
        ServerStats {
            counters: self.counters,
            bound: open - unbound,
            unbound,
            closing,
            unbound_octets: self.connections.unbound_octets(),
            accounts: self.accounts.len(),
            deliveries: self.deliveries.len(),
            delivery_octets: self.deliveries.octets(),
        }
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Returns the next connection that is closed for another one, or because the server stops: abort its session.
    pub fn poll_close(&mut self) -> Option<ConnectionId> {
        self.closing.pop_front()
    }

    pub(super) fn emit(&mut self, event: Event) {
        if self.is_closed {
            return;
        }
        self.is_closed = event == Event::Closed;
        self.counters.record(&event);
        self.events.push_back(event);
    }

    /// Accepts a connection from this address. If a limit is reached, the oldest connection without a bind is closed for it.
    ///
    /// # Errors
    ///
    /// Returns why it is not accepted: close it. [`Event::Rejected`] reports it, unless the server is [closed](Event::Closed).
    pub fn accept(&mut self, address: SocketAddr) -> Result<ConnectionId, RejectReason> {
        self.make_room(address, Group::of(address))?;
        let connection = self.connections.insert(address, false);
        self.emit(Event::Connected { connection, address });
        Ok(connection)
    }

    /// Closes the connection that a new one of this group replaces, if a limit is reached.
    pub(super) fn make_room(&mut self, address: SocketAddr, group: Group) -> Result<(), RejectReason> {
        let replaced = if self.stopping {
            Err(RejectReason::Stopping)
        } else {
            self.connections.replaced(&self.options, group)
        };
        match replaced {
            Ok(Some(oldest)) => self.close_unbound(oldest, NotBoundReason::Replaced),
            Ok(None) => {}
            Err(reason) => {
                self.emit(Event::Rejected { address, reason });
                return Err(reason);
            }
        }
        Ok(())
    }

    /// Closes a connection that is not bound.
    pub(super) fn close_unbound(&mut self, connection: ConnectionId, reason: NotBoundReason) {
        self.leave_unbound(connection, reason);
        self.closing.push_back(connection);
    }

    fn leave_unbound(&mut self, connection: ConnectionId, reason: NotBoundReason) {
        let Some(entry) = self.connections.get(connection) else { return };
        let (address, is_unidentified) = (entry.address, entry.is_unidentified);
        if let Some(Phase::Unbound(unbound)) = self.connections.close(connection)
            && let Some(deadline) = unbound.decision
        {
            self.decisions.remove(&(deadline, connection));
        }
        self.emit(if is_unidentified {
            Event::Rejected { address, reason: RejectReason::of_unidentified(reason) }
        } else {
            Event::NotBound { connection, address, reason }
        });
    }

    /// Records how many octets a connection holds before it is bound: input that is no whole PDU, and output that has not left.
    /// If all of them hold more than [`Options::unbound_octets`], the oldest are closed.
    pub fn set_unbound_octets(&mut self, connection: ConnectionId, octets: usize) {
        self.connections.set_octets(connection, octets);
        while self.connections.unbound_octets() > self.options.unbound_octets {
            let Some(oldest) = self.connections.oldest_unbound() else { return };
            self.close_unbound(oldest, NotBoundReason::Octets);
        }
    }

    /// Records that a connection has sent a bind. Returns until when the application has to decide on it;
    /// [`poll_undecided`](Self::poll_undecided) then returns the connection. An adapter that runs this timer itself does not call
    /// it; [`decide`](Self::decide) needs no call before.
    pub fn begin_decision(&mut self, now: Instant, connection: ConnectionId) -> Instant {
        let deadline = now + self.options.decision_timeout;
        if let Some(unbound) = self.connections.unbound(connection) {
            if let Some(before) = unbound.decision.replace(deadline) {
                self.decisions.remove(&(before, connection));
            }
            self.decisions.insert((deadline, connection));
        }
        deadline
    }

    /// Returns the next connection whose bind has had no decision in time: refuse it with [`BindRefusal::Undecided`].
    pub fn poll_undecided(&mut self, now: Instant) -> Option<ConnectionId> {
        let (_, connection) = *self.decisions.first().filter(|(at, _)| *at <= now)?;
        self.decisions.pop_first();
        if let Some(unbound) = self.connections.unbound(connection) {
            unbound.decision = None;
        }
        Some(connection)
    }

    /// Acts on the application's decision on a bind: counts it for its account, if the limits allow it. `window` is the
    /// number of deliveries that may be in flight on it. It gets the first one after [`ready`](Self::ready).
    ///
    /// # Errors
    ///
    /// Returns why the bind is refused: respond with its [`status`](Self::status_of), and end the session.
    pub fn decide(
        &mut self,
        connection: ConnectionId,
        (system_id, mode): (&[u8], BindMode),
        window: u16,
        decision: Result<&Admission, BindRefusal>,
    ) -> Result<(), BindRefusal> {
        let admitted = self.admit(connection, (system_id, mode), window, decision);
        if let Err(reason) = admitted
            && let Some(address) = self.connections.get(connection).map(|entry| entry.address)
            && let Some(unbound) = self.connections.unbound(connection)
        {
            unbound.is_refused = true;
            let status = self.status_of(reason);
            let system_id = system_id.into();
            self.emit(Event::BindRefused { connection, address, system_id, mode, status, reason });
        }
        admitted
    }

    fn admit(
        &mut self,
        connection: ConnectionId,
        (system_id, mode): (&[u8], BindMode),
        window: u16,
        decision: Result<&Admission, BindRefusal>,
    ) -> Result<(), BindRefusal> {
        let entry = self.connections.get(connection).ok_or(BindRefusal::Ended)?;
        let address = entry.address;
        let unbound = self.connections.unbound(connection).ok_or(BindRefusal::Ended)?;
        if let Some(deadline) = unbound.decision.take() {
            self.decisions.remove(&(deadline, connection));
        }
        let admission = decision?;
        if self.stopping {
            return Err(BindRefusal::Stopping);
        }
        let limits = admission.binds.unwrap_or(self.options.binds);
        let name = admission.account.as_ref().map_or(system_id, AccountName::as_bytes);
        let account = self.accounts.find(name).and_then(|index| self.accounts.get(index));
        check_limits(account, limits, mode)?;
        let account = account.map(|account| account.name.clone());
        let name = account.or(admission.account.clone()).unwrap_or_else(|| AccountName::new(system_id));
        let index = self.accounts.find_or_insert(&name);
        let bound = Bound::new(index, mode, window);
        self.connections.bind(connection, bound);
        if let Some(account) = self.accounts.get_mut(index) {
            let is_first = account.members.first().is_none();
            account.add_bind(mode);
            self.connections.push_back(&mut account.members, Chained::Members, connection.index);
            let takes_default = is_first || account.meter.is_none();
            let default = self.options.account_rate.filter(|_| takes_default);
            match (admission.account_rate.or(default), &mut account.meter) {
                (Some(rate), Some(meter)) => meter.set_rate(rate),
                (Some(rate), meter) => {
                    self.has_account_rates = true;
                    *meter = Some(RateMeter::new(rate));
                }
                (None, meter) if is_first => *meter = None,
                (None, _) => {}
            }
        }
        self.emit(Event::Bound { connection, address, account: name, mode });
        Ok(())
    }

    /// Returns the status of a bind that is refused.
    pub const fn status_of(&self, refusal: BindRefusal) -> CommandStatus {
        match refusal {
            BindRefusal::Application(status) if !status.is_ok() => status,
            BindRefusal::TooManyBinds | BindRefusal::TooManyOfMode => self.options.binds_status,
            BindRefusal::Application(_)
            | BindRefusal::Undecided
            | BindRefusal::Ended
            | BindRefusal::Stopping => CommandStatus::RBINDFAIL,
        }
    }

    /// Returns the account of a bind; `None` if the connection is not bound.
    pub fn account(&self, connection: ConnectionId) -> Option<&AccountName> {
        match &self.connections.get(connection)?.phase {
            Phase::Bound(bound) => self.accounts.get(bound.account).map(|account| &account.name),
            _ => None,
        }
    }

    /// Returns how many binds of an account count now.
    pub fn binds(&self, account: &[u8]) -> usize {
        self.accounts.find(account).and_then(|index| self.accounts.get(index)).map_or(0, Account::binds)
    }

    /// Returns the connections that are bound for an account, in the order of their binds, including those that unbind.
    pub fn connections_of(&self, account: &[u8]) -> impl Iterator<Item = ConnectionId> {
        let account = self.accounts.find(account).and_then(|index| self.accounts.get(index));
        let first = account.and_then(|account| account.members.first());
        core::iter::successors(first, |index| self.connections.next(Chained::Members, *index))
            .filter_map(|index| self.connections.id(index))
    }

    /// Returns whether [`take_rate`](Self::take_rate) has to be asked.
    pub const fn has_account_rates(&self) -> bool {
        self.has_account_rates
    }

    /// Counts a PDU with this many messages against the rate limit of the account, and against that of its bind. One that
    /// exceeds one of them counts for none. Returns whether it is within both.
    pub fn take_rate(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        meter: Option<&mut RateMeter>,
        messages: u32,
    ) -> bool {
        let account = match self.connections.get(connection).map(|entry| &entry.phase) {
            Some(Phase::Bound(bound)) => self.accounts.get_mut(bound.account),
            _ => None,
        };
        let of_account = account.and_then(|account| account.meter.as_mut());
        match (meter, of_account) {
            (Some(meter), Some(of_account)) => {
                meter.check_many(now, messages).is_ok()
                    && of_account.take_many(now, messages).is_ok()
                    && meter.take_many(now, messages).is_ok()
            }
            (Some(meter), None) | (None, Some(meter)) => meter.take_many(now, messages).is_ok(),
            (None, None) => true,
        }
    }

    /// Reports that messages of a bind are refused because of a rate limit. Call it once until one is accepted again.
    pub fn throttled(&mut self, connection: ConnectionId) {
        if let Some(account) = self.account(connection).cloned() {
            self.emit(Event::Throttled { connection, account });
        }
    }

    /// Records that the session of a bind no longer is bound, although it has not ended: the bind counts no more, and takes no
    /// deliveries.
    pub fn unbinding(&mut self, connection: ConnectionId) {
        let Some(entry) = self.connections.get(connection) else { return };
        let Phase::Bound(bound) = &entry.phase else { return };
        let (index, mode) = (bound.account, bound.mode);
        if bound.window == 0 {
            return;
        }
        self.set_availability(connection, Availability::Never);
        if let Some(bound) = self.connections.bind_of(connection) {
            // It counts once.
            bound.window = 0;
        }
        if let Some(account) = self.accounts.get_mut(index) {
            account.remove_bind(mode);
        }
        self.unassign(connection);
        self.end_deliveries_without_bind(index);
    }

    /// Records the end of a session, after the outcomes of its deliveries. The adapter closes the transport.
    pub fn ended(&mut self, connection: ConnectionId, reason: CloseReason) {
        self.unbinding(connection);
        let Some(entry) = self.connections.get(connection) else { return };
        let address = entry.address;
        match &entry.phase {
            Phase::Unbound(unbound) => {
                let reason = if unbound.is_refused {
                    NotBoundReason::BindRefused
                } else {
                    NotBoundReason::Session(reason)
                };
                self.leave_unbound(connection, reason);
            }
            Phase::Bound(bound) => {
                let index = bound.account;
                if let Some(account) = self.accounts.get_mut(index) {
                    self.connections.unlink(&mut account.members, Chained::Members, connection.index);
                    let account = account.name.clone();
                    self.emit(Event::Ended { connection, address, account, reason });
                }
                self.connections.close(connection);
                self.accounts.remove_if_unused(index);
            }
            Phase::Closing => {}
        }
    }

    /// Records that the transport of a connection is closed: the connection no longer counts.
    pub fn closed(&mut self, connection: ConnectionId) {
        match self.connections.get(connection).map(|entry| &entry.phase) {
            Some(Phase::Unbound(unbound)) if !unbound.is_refused => {
                self.leave_unbound(connection, NotBoundReason::Closed);
            }
            Some(_) => self.ended(connection, CloseReason::Disconnected),
            None => return,
        }
        self.connections.remove(connection);
    }

    /// Rejects new connections, binds and deliveries from now on. No delivery is sent again.
    pub fn stop(&mut self) {
        self.stopping = true;
    }

    /// Ends the stream of events with [`Event::Closed`], once no connection is open and no delivery waits.
    pub fn close(&mut self) {
        self.emit(Event::Closed);
    }

    /// Closes up to `limit` connections without a bind. Returns whether some are left.
    pub fn close_all_unbound(&mut self, limit: usize) -> bool {
        for _ in 0..limit {
            let Some(oldest) = self.connections.oldest_unbound() else { return false };
            self.close_unbound(oldest, NotBoundReason::Stopping);
        }
        self.connections.oldest_unbound().is_some()
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout), or [`poll_undecided`](Self::poll_undecided).
    pub fn poll_timeout(&self) -> Option<Instant> {
        let decision = self.decisions.first().map(|(at, _)| *at);
        let blocked = self.blocked.first().map(|(at, _)| *at);
        let without_bind = self.without_bind.first().map(|_| Instant::ZERO);
        let timers =
            [decision, blocked, without_bind, self.deliveries.poll_timeout(), self.accounts.poll_timeout()];
        timers.into_iter().flatten().min()
    }
}
