//! Routes deliveries to the binds of their account.

use alloc::sync::Arc;

use super::account_table::Account;
use super::connection::{AccountName, ConnectionId};
use super::connection_table::{Availability, Chained};
use super::delivery::{
    DeliverError, Delivery, DeliveryFrame, DeliveryId, DeliveryNotSentReason, DeliveryOutcome,
};
use super::delivery_queue::{DeliveryState, PendingDelivery};
use super::event::Event;
use super::registry::Registry;
use crate::pdu::CommandStatus;
use crate::session::{NotSentReason, Outcome, Refusal, RequestError, Response};
use crate::time::Instant;

/// The statuses with which an ESME refuses a delivery for now.
const TEMPORARY: [CommandStatus; 4] =
    [CommandStatus::RX_T_APPN, CommandStatus::RTHROTTLED, CommandStatus::RMSGQFUL, CommandStatus::RSYSERR];

/// The shortest delay of a delivery that was refused. It prevents a busy loop if the configured one is 0.
const MIN_DELAY: core::time::Duration = core::time::Duration::from_millis(1);

/// How many deliveries one call of [`Registry::handle_timeout`] handles at most.
const SLICE: usize = 256;

impl Registry {
    /// Queues a delivery for an account. It is sent on one of its binds that receive, and on another one if that ends or
    /// refuses it with a temporary error. While the account has no bind, it waits. [`Event::Delivery`] reports how it ended.
    ///
    /// The deliveries of an account leave on one bind in the order of these calls. One that is sent again leaves after those that
    /// were sent meanwhile.
    ///
    /// # Errors
    ///
    /// Returns a [`DeliverError`] if the delivery is not queued. It has no event.
    pub fn deliver(
        &mut self,
        now: Instant,
        account: &[u8],
        delivery: Delivery,
    ) -> Result<DeliveryId, DeliverError> {
        if self.stopping {
            return Err(DeliverError::ShutDown);
        }
        let limits = self.options.deliveries;
        let found = self.accounts.find(account);
        let held = found.and_then(|index| self.accounts.get(index));
        let (deliveries, octets) = held.map_or((0, 0), |account| (account.deliveries, account.octets));
        if delivery.only_if_bound && !held.is_some_and(Account::has_receiver) {
            return Err(DeliverError::NoBind);
        }
        let more = delivery.pdu.len();
        if limits.capacity == 0 || more > limits.octets.min(limits.total_octets) {
            return Err(DeliverError::TooLarge);
        }
        if deliveries >= limits.capacity
            || octets + more > limits.octets
            || self.deliveries.octets() + more > limits.total_octets
        {
            return Err(DeliverError::Full);
        }
        let index = found.unwrap_or_else(|| self.accounts.find_or_insert(&AccountName::new(account)));
        self.accounts.end_retention(index);
        let Delivery { pdu, key, max_age, max_attempts, at_most_once, only_if_bound } = delivery;
        let id = self.deliveries.insert(PendingDelivery {
            account: index,
            pdu,
            key,
            deadline: now + max_age.unwrap_or(limits.max_age),
            max_attempts: max_attempts.unwrap_or(limits.max_attempts).max(1),
            at_most_once,
            only_if_bound,
            attempts: 0,
            state: DeliveryState::Waiting,
            avoid: None,
            in_doubt: None,
            refused: None,
        });
        if let Some(account) = self.accounts.get_mut(index) {
            account.deliveries += 1;
            account.octets += more;
            account.add_waiting(id, only_if_bound);
        }
        self.schedule(index);
        Ok(DeliveryId(id))
    }

    /// Returns how many deliveries of an account have no outcome.
    pub fn deliveries(&self, account: &[u8]) -> usize {
        self.accounts.find(account).and_then(|index| self.accounts.get(index)).map_or(0, |it| it.deliveries)
    }

    /// Lists the account among those that may have a delivery for a bind.
    pub(super) fn schedule(&mut self, index: u32) {
        let Some(account) = self.accounts.get_mut(index) else { return };
        let has_bind = account.idle.first().is_some() || account.busy.first().is_some();
        if has_bind && account.first_waiting().is_some() && !account.is_scheduled {
            account.is_scheduled = true;
            self.scheduled.push_back(index);
        }
    }

    /// Returns whether [`poll_sender`](Self::poll_sender) may return something.
    pub fn has_assignments(&self) -> bool {
        !self.scheduled.is_empty()
    }

    /// Assigns the next deliveries to binds: the accounts in turn, and of an account the bind that has had none in flight for
    /// longest, or else the one whose turn it is. It costs the same for any number of binds.
    ///
    /// Returns the next bind that has a delivery to send and no sender; call it until it returns `None`. The adapter then starts
    /// one sender for each of these binds, which calls [`take_delivery`](Self::take_delivery) until that returns `None`.
    pub fn poll_sender(&mut self, now: Instant) -> Option<ConnectionId> {
        while let Some(index) = self.scheduled.pop_front() {
            if let Some(account) = self.accounts.get_mut(index) {
                account.is_scheduled = false;
            }
            let assigned = self.assign(now, index);
            self.schedule(index);
            let Some(connection) = assigned else {
                self.accounts.remove_if_unused(index);
                continue;
            };
            let bound = self.connections.bind_of(connection);
            if bound.is_some_and(|bound| !core::mem::replace(&mut bound.has_sender, true)) {
                return Some(connection);
            }
        }
        None
    }

    /// Returns the next delivery to send on this bind. The deliveries of an account are returned in the order in which they were
    /// queued. So that they leave in this order, call it under the lock of the session that sends them, and send the delivery
    /// before the lock is released, or [put it back](Self::put_back).
    ///
    /// If there is none, the sender of this bind ends: [`poll_sender`](Self::poll_sender) returns the bind again when it needs
    /// another one.
    pub fn take_delivery(&mut self, connection: ConnectionId) -> Option<(DeliveryId, DeliveryFrame)> {
        while let Some(id) = self.pop_assigned(connection) {
            let Some(delivery) = self.deliveries.get_mut(id) else { continue };
            delivery.state = DeliveryState::InFlight(connection);
            delivery.attempts = delivery.attempts.saturating_add(1);
            return Some((DeliveryId(id), DeliveryFrame(Arc::clone(&delivery.pdu))));
        }
        self.connections.bind_of(connection)?.has_sender = false;
        None
    }

    /// Removes the first delivery that is assigned to a bind and not sent.
    fn pop_assigned(&mut self, connection: ConnectionId) -> Option<u64> {
        let first = *self.assigned.range((connection, 0)..=(connection, u64::MAX)).next()?;
        self.assigned.remove(&first);
        Some(first.1)
    }

    /// Puts a delivery back that was [taken](Self::take_delivery) and that the session does not accept now: it is taken
    /// again before all that were queued later. If its bind has ended, it goes to another one; if it has expired, or the server
    /// [stops](Self::stop), it ends.
    pub fn put_back(&mut self, now: Instant, delivery: DeliveryId) {
        let Some(pending) = self.deliveries.get_mut(delivery.0) else { return };
        let DeliveryState::InFlight(connection) = pending.state else { return };
        pending.attempts = pending.attempts.saturating_sub(1);
        match self.connections.bind_of(connection) {
            Some(bound)
                if bound.availability != Availability::Never && now < pending.deadline && !self.stopping =>
            {
                pending.state = DeliveryState::Assigned(connection);
                self.assigned.insert((connection, delivery.0));
            }
            _ => {
                self.release_place(connection);
                self.requeue(now, delivery.0);
            }
        }
    }

    /// Puts the deliveries of a bind that are not sent back to their places in the queue of the account.
    pub(super) fn unassign(&mut self, connection: ConnectionId) {
        let Some(bound) = self.connections.bind_of(connection) else { return };
        let index = bound.account;
        while let Some(id) = self.pop_assigned(connection) {
            let Some(delivery) = self.deliveries.get_mut(id) else { continue };
            delivery.state = DeliveryState::Waiting;
            let Some(account) = self.accounts.get_mut(index) else { continue };
            account.add_waiting(id, delivery.only_if_bound);
            if let Some(bound) = self.connections.bind_of(connection) {
                bound.in_flight = bound.in_flight.saturating_sub(1);
            }
        }
        self.schedule(index);
    }

    /// Assigns the delivery that waits longest, and can be sent, to a bind.
    fn assign(&mut self, now: Instant, index: u32) -> Option<ConnectionId> {
        loop {
            let account = self.accounts.get_mut(index)?;
            let (idle, busy) = (account.idle.first(), account.busy.first());
            let first = idle.or(busy)?;
            let id = account.first_waiting()?;
            let avoid = self.deliveries.get(id)?.avoid;
            let is_avoided = |bind: &u32| avoid.is_some() && self.connections.id(*bind) == avoid;
            let other = || {
                let next = self.connections.next(Chained::Ready, first);
                next.or(if idle.is_some() { busy } else { None }).filter(|bind| !is_avoided(bind))
            };
            let bind = if is_avoided(&first) { other() } else { Some(first) };
            let Some(connection) = bind.and_then(|bind| self.connections.id(bind)) else {
                // Only the bind that has refused it takes one now: later deliveries do not wait for it.
                account.remove_waiting(id);
                self.delay(now, id);
                continue;
            };
            account.remove_waiting(id);
            self.deliveries.get_mut(id)?.state = DeliveryState::Assigned(connection);
            self.assigned.insert((connection, id));
            let bound = self.connections.bind_of(connection)?;
            bound.in_flight += 1;
            let next = if bound.in_flight < bound.window { Availability::Busy } else { Availability::Full };
            self.set_availability(connection, next);
            return Some(connection);
        }
    }

    /// Moves a bind between the chains of its account. To the one that it is in: to its end.
    pub(super) fn set_availability(&mut self, connection: ConnectionId, next: Availability) {
        let Some(bound) = self.connections.bind_of(connection) else { return };
        let before = core::mem::replace(&mut bound.availability, next);
        let until = core::mem::replace(&mut bound.blocked_until, Instant::ZERO);
        let Some(account) = self.accounts.get_mut(bound.account) else { return };
        if until > Instant::ZERO {
            self.blocked.remove(&(until, connection));
        }
        match before {
            Availability::Idle => {
                self.connections.unlink(&mut account.idle, Chained::Ready, connection.index);
            }
            Availability::Busy => {
                self.connections.unlink(&mut account.busy, Chained::Ready, connection.index);
            }
            Availability::Full | Availability::Blocked | Availability::Never => {}
        }
        match next {
            Availability::Idle => {
                self.connections.push_back(&mut account.idle, Chained::Ready, connection.index);
            }
            Availability::Busy => {
                self.connections.push_back(&mut account.busy, Chained::Ready, connection.index);
            }
            Availability::Full | Availability::Blocked | Availability::Never => {}
        }
    }

    /// Records that the session of the bind does not accept a delivery that was [taken](Self::take_delivery). If it may later, the
    /// bind gets no other one until [`ready`](Self::ready) is called, or its rate limit allows it.
    pub fn handle_refused(&mut self, now: Instant, delivery: DeliveryId, reason: Refusal) {
        let Some((connection, pending)) = self.take_from_bind(delivery) else { return };
        pending.attempts = pending.attempts.saturating_sub(1);
        if let Some(reason) = reason.permanent() {
            return self.handle_not_sent(now, delivery.0, connection, reason);
        }
        let until = if let Refusal::RateLimited(at) = reason { Some(at) } else { None };
        self.block(connection, until);
        self.requeue(now, delivery.0);
    }

    /// A delivery was not sent. If that is because of its bind, it goes to another one.
    fn handle_not_sent(&mut self, now: Instant, id: u64, connection: ConnectionId, reason: NotSentReason) {
        match reason {
            NotSentReason::State(_)
            | NotSentReason::Closing(_)
            | NotSentReason::Closed(_)
            | NotSentReason::NoBind => {
                self.block(connection, None);
                self.requeue(now, id);
            }
            _ => {
                let reason = DeliveryNotSentReason::Refused(reason);
                self.end_delivery(id, DeliveryOutcome::NeverSent(reason));
            }
        }
    }

    /// Lets a bind take no deliveries for now. Those that are assigned to it go to other binds.
    fn block(&mut self, connection: ConnectionId, until: Option<Instant>) {
        if self.connections.bind_of(connection).is_none_or(|it| it.availability == Availability::Never) {
            return;
        }
        self.set_availability(connection, Availability::Blocked);
        self.unassign(connection);
        if let Some(until) = until
            && let Some(bound) = self.connections.bind_of(connection)
        {
            bound.blocked_until = until;
            self.blocked.insert((until, connection));
        }
    }

    /// Records that the session of a bind accepts deliveries: for the first time once it has accepted the bind, after
    /// [`decide`](Self::decide), and again after [`handle_refused`](Self::handle_refused).
    pub fn ready(&mut self, connection: ConnectionId) {
        let Some(bound) = self.connections.bind_of(connection) else { return };
        if bound.availability != Availability::Blocked {
            return;
        }
        let account = bound.account;
        let next = match bound.in_flight {
            0 => Availability::Idle,
            in_flight if in_flight < bound.window => Availability::Busy,
            _ => Availability::Full,
        };
        self.set_availability(connection, next);
        self.schedule(account);
    }

    /// Records how a delivery that the session of the bind accepted ended. It may be sent again, if that can help.
    pub fn handle_outcome(&mut self, now: Instant, delivery: DeliveryId, outcome: Outcome<'_>) {
        self.handle_result(now, delivery, outcome.into_result());
    }

    /// As [`handle_outcome`](Self::handle_outcome), with the result of a request of an adapter.
    pub fn handle_result(
        &mut self,
        now: Instant,
        delivery: DeliveryId,
        result: Result<Response, RequestError>,
    ) {
        let id = delivery.0;
        let Some((connection, pending)) = self.take_from_bind(delivery) else { return };
        let may_retry = pending.attempts < pending.max_attempts;
        match result {
            Ok(response) => self.end_delivery(id, DeliveryOutcome::Accepted(response)),
            Err(RequestError::Refused { status, response }) => {
                if may_retry && TEMPORARY.contains(&status) {
                    pending.refused = Some((status, response));
                    self.retry(now, id, connection);
                } else {
                    self.end_delivery(id, DeliveryOutcome::Refused { status, response });
                }
            }
            Err(RequestError::Nacked(status)) => self.end_delivery(id, DeliveryOutcome::Nacked(status)),
            Err(RequestError::NeverSent(reason)) => {
                pending.attempts = pending.attempts.saturating_sub(1);
                self.handle_not_sent(now, id, connection, reason);
            }
            Err(RequestError::Unanswered(reason)) => {
                pending.in_doubt = Some(reason);
                if may_retry && !pending.at_most_once {
                    self.retry(now, id, connection);
                } else {
                    self.end_delivery(id, DeliveryOutcome::Unanswered(reason));
                }
            }
        }
    }

    /// Returns a delivery that was in flight, and its bind, which has one less now.
    fn take_from_bind(&mut self, delivery: DeliveryId) -> Option<(ConnectionId, &mut PendingDelivery)> {
        let pending = self.deliveries.get_mut(delivery.0)?;
        let DeliveryState::InFlight(connection) = pending.state else { return None };
        pending.state = DeliveryState::Waiting;
        self.release_place(connection);
        self.deliveries.get_mut(delivery.0).map(|pending| (connection, pending))
    }

    /// A delivery is no longer in flight on a bind.
    fn release_place(&mut self, connection: ConnectionId) {
        let Some(bound) = self.connections.bind_of(connection) else { return };
        bound.in_flight = bound.in_flight.saturating_sub(1);
        let account = bound.account;
        let next = if bound.in_flight == 0 { Availability::Idle } else { Availability::Busy };
        let is_moved = match bound.availability {
            Availability::Full => true,
            Availability::Busy => next == Availability::Idle,
            Availability::Idle | Availability::Blocked | Availability::Never => false,
        };
        if is_moved {
            self.set_availability(connection, next);
            self.schedule(account);
        }
    }

    /// Sends a delivery again after a bind has refused it: at once on another bind, unless each has refused it.
    fn retry(&mut self, now: Instant, id: u64, refused_by: ConnectionId) {
        if self.stopping {
            return self.end_stopped(id);
        }
        let Some(pending) = self.deliveries.get_mut(id) else { return };
        let is_second = pending.avoid.is_some_and(|other| other != refused_by);
        pending.avoid = Some(refused_by);
        let account = self.accounts.get(pending.account);
        if is_second || account.is_none_or(|account| account.binds() < 2) {
            if now < pending.deadline {
                self.delay(now, id);
            } else {
                self.expire(id);
            }
        } else {
            self.requeue(now, id);
        }
    }

    fn delay(&mut self, now: Instant, id: u64) {
        if let Some(pending) = self.deliveries.get_mut(id) {
            pending.avoid = None;
        }
        self.deliveries.delay(id, now + self.options.deliveries.retry_interval.max(MIN_DELAY));
    }

    /// Puts a delivery back to its place in the queue of its account.
    fn requeue(&mut self, now: Instant, id: u64) {
        if self.stopping {
            return self.end_stopped(id);
        }
        let Some(pending) = self.deliveries.get_mut(id) else { return };
        pending.state = DeliveryState::Waiting;
        if pending.deadline <= now {
            return self.expire(id);
        }
        let (index, only_if_bound) = (pending.account, pending.only_if_bound);
        let Some(account) = self.accounts.get_mut(index) else { return };
        if only_if_bound && !account.has_receiver() {
            return self.end_without_bind(id);
        }
        account.add_waiting(id, only_if_bound);
        self.schedule(index);
    }

    fn end_without_bind(&mut self, id: u64) {
        let reason = DeliveryNotSentReason::Refused(NotSentReason::NoBind);
        self.end_delivery(id, DeliveryOutcome::NeverSent(reason));
    }

    /// Ends the deliveries of an account that are only for a bind, if it has none. It ends a limited number now, and the others in
    /// [`handle_timeout`](Self::handle_timeout).
    pub(super) fn end_deliveries_without_bind(&mut self, index: u32) {
        for _ in 0..SLICE {
            let Some(id) = self.accounts.get(index).and_then(Account::first_without_bind) else { return };
            self.end_without_bind(id);
        }
        if self.accounts.get(index).is_some_and(|account| account.first_without_bind().is_some()) {
            self.without_bind.insert(index);
        }
    }

    /// Ends a delivery because the server is shutting down.
    fn end_stopped(&mut self, id: u64) {
        self.end_delivery(id, DeliveryOutcome::NeverSent(DeliveryNotSentReason::ShutDown));
    }

    fn expire(&mut self, id: u64) {
        self.end_delivery(id, DeliveryOutcome::NeverSent(DeliveryNotSentReason::Expired));
    }

    /// Ends a delivery that is not in flight. What an earlier attempt has left in doubt stays so.
    fn end_delivery(&mut self, id: u64, outcome: DeliveryOutcome) {
        let Some(delivery) = self.deliveries.remove(id) else { return };
        if let DeliveryState::Assigned(connection) = delivery.state {
            self.assigned.remove(&(connection, id));
            self.release_place(connection);
        }
        let outcome = match (outcome, delivery.in_doubt, delivery.refused) {
            (outcome @ DeliveryOutcome::Accepted(_), ..) => outcome,
            (_, Some(reason), _) => DeliveryOutcome::Unanswered(reason),
            (DeliveryOutcome::NeverSent(_), None, Some((status, response))) => {
                DeliveryOutcome::Refused { status, response }
            }
            (outcome, ..) => outcome,
        };
        let Some(account) = self.accounts.get_mut(delivery.account) else { return };
        account.remove_waiting(id);
        account.deliveries -= 1;
        account.octets -= delivery.pdu.len();
        let account = account.name.clone();
        self.emit(Event::Delivery { delivery: DeliveryId(id), key: delivery.key, account, outcome });
        self.accounts.remove_if_unused(delivery.account);
    }

    /// Ends deliveries that have expired, and sends those again whose delay is over. It handles a limited number; call it until
    /// [`poll_timeout`](Self::poll_timeout) is later than `now`. It does not handle binds without a decision: call
    /// [`poll_undecided`](Self::poll_undecided) until it returns `None` first, or `poll_timeout` stays at their time.
    pub fn handle_timeout(&mut self, now: Instant) {
        for _ in 0..SLICE {
            let Some((id, ends)) = self.deliveries.next_expired(now) else { break };
            if ends {
                self.expire(id);
            }
        }
        for _ in 0..SLICE {
            let Some(id) = self.deliveries.next_delayed(now) else { break };
            self.requeue(now, id);
        }
        for _ in 0..SLICE {
            let Some((_, connection)) = self.blocked.first().copied().filter(|(at, _)| *at <= now) else {
                break;
            };
            self.blocked.pop_first();
            self.ready(connection);
        }
        for _ in 0..SLICE {
            if !self.accounts.remove_next_retained(now) {
                break;
            }
        }
        if let Some(index) = self.without_bind.pop_first() {
            self.end_deliveries_without_bind(index);
        }
    }

    /// Ends deliveries that are not in flight, because the server [stops](Self::stop); those in flight end with their outcomes.
    /// Returns whether some are left. It handles a limited number; all calls together look at each delivery once.
    pub fn end_deliveries(&mut self) -> bool {
        for _ in 0..SLICE {
            let Some((id, is_waiting)) = self.deliveries.next_from(self.next_to_end) else { return false };
            self.next_to_end = id + 1;
            if is_waiting {
                self.end_stopped(id);
            }
        }
        self.deliveries.next_from(self.next_to_end).is_some()
    }
}
