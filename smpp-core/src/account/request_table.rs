//! The requests about messages that have no outcome yet.

use alloc::collections::{BTreeMap, BTreeSet};
use core::ops::Bound;

use super::link::BindId;
use super::message_request::{MessageRequest, RequestNumber};
use crate::time::Instant;

/// Requests without an outcome: at most `capacity`.
#[derive(Debug)]
pub(super) struct RequestTable {
    capacity: usize,
    last_number: u64,
    pending: BTreeMap<RequestNumber, PendingRequest>,
    /// Those that wait to be sent, by the bind that is to send them.
    waiting: BTreeSet<(Option<BindId>, RequestNumber)>,
    /// When they stop waiting.
    deadlines: BTreeSet<(Instant, RequestNumber)>,
}

/// A request without an outcome.
#[derive(Debug)]
pub(super) struct PendingRequest {
    pub(super) request: MessageRequest,
    /// The bind that is to send it: the one that it names, or else the one that sent its message, if that is known and bound.
    pub(super) bind: Option<BindId>,
    /// Until when it waits to be sent.
    pub(super) deadline: Instant,
    pub(super) is_in_flight: bool,
}

impl RequestTable {
    pub(super) const fn new(capacity: usize) -> Self {
        Self {
            capacity,
            last_number: 0,
            pending: BTreeMap::new(),
            waiting: BTreeSet::new(),
            deadlines: BTreeSet::new(),
        }
    }

    /// Changes how many requests it holds. Those that it has stay.
    pub(super) const fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    pub(super) fn is_full(&self) -> bool {
        self.pending.len() >= self.capacity
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Adds a request that waits to be sent. The caller has checked that the table is not full.
    pub(super) fn push(
        &mut self,
        now: Instant,
        request: MessageRequest,
        bind: Option<BindId>,
    ) -> RequestNumber {
        self.last_number += 1;
        let number = RequestNumber(self.last_number);
        let deadline = now + request.deadline;
        self.pending.insert(number, PendingRequest { request, bind, deadline, is_in_flight: true });
        self.set_in_flight(number, false);
        number
    }

    /// Returns a request that waits to be sent.
    pub(super) fn waiting(&self, number: RequestNumber) -> Option<&PendingRequest> {
        self.pending.get(&number).filter(|pending| !pending.is_in_flight)
    }

    /// Returns whether a request waits to be sent.
    pub(super) fn any_waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Returns the first request that waits to be sent and follows this bind and number: those of any bind come first, then
    /// those of each bind.
    pub(super) fn next_waiting(
        &self,
        after: (Option<BindId>, RequestNumber),
    ) -> Option<(Option<BindId>, RequestNumber)> {
        self.waiting.range((Bound::Excluded(after), Bound::Unbounded)).next().copied()
    }

    /// Returns a request whose time to be sent is over.
    pub(super) fn next_expired(&self, now: Instant) -> Option<RequestNumber> {
        self.deadlines.first().filter(|(at, _)| *at <= now).map(|(_, number)| *number)
    }

    /// Records whether the request is in flight.
    pub(super) fn set_in_flight(&mut self, number: RequestNumber, is_in_flight: bool) {
        let Some(pending) = self.pending.get_mut(&number) else { return };
        pending.is_in_flight = is_in_flight;
        let (waiting, deadline) = ((pending.bind, number), (pending.deadline, number));
        if is_in_flight {
            self.waiting.remove(&waiting);
            self.deadlines.remove(&deadline);
        } else {
            self.waiting.insert(waiting);
            self.deadlines.insert(deadline);
        }
    }

    /// Lets any bind send a request that waits.
    pub(super) fn allow_any_bind(&mut self, number: RequestNumber) {
        if let Some(pending) = self.pending.get_mut(&number) {
            self.waiting.remove(&(pending.bind.take(), number));
            self.waiting.insert((None, number));
        }
    }

    /// Removes a request that has an outcome now.
    pub(super) fn remove(&mut self, number: RequestNumber) -> Option<PendingRequest> {
        self.set_in_flight(number, true);
        self.pending.remove(&number)
    }

    /// Returns when the next request stops waiting to be sent.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }
}
