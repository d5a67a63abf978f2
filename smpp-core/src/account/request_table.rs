//! The requests about messages that have no outcome yet.

use alloc::collections::BTreeMap;

use super::message_request::{MessageRequest, RequestNumber};
use crate::time::Instant;

/// Requests without an outcome: at most `capacity`, in the order of their numbers.
#[derive(Debug)]
pub(super) struct RequestTable {
    capacity: usize,
    last_number: u64,
    pending: BTreeMap<RequestNumber, PendingRequest>,
}

/// A request without an outcome.
#[derive(Debug)]
pub(super) struct PendingRequest {
    pub(super) request: MessageRequest,
    /// Until when it waits to be sent.
    pub(super) deadline: Instant,
    pub(super) is_in_flight: bool,
}

impl RequestTable {
    pub(super) const fn new(capacity: usize) -> Self {
        Self { capacity, last_number: 0, pending: BTreeMap::new() }
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
    pub(super) fn push(&mut self, now: Instant, request: MessageRequest) -> RequestNumber {
        self.last_number += 1;
        let number = RequestNumber(self.last_number);
        let deadline = now + request.deadline;
        self.pending.insert(number, PendingRequest { request, deadline, is_in_flight: false });
        number
    }

    /// Returns a request that waits to be sent.
    pub(super) fn waiting(&self, number: RequestNumber) -> Option<&PendingRequest> {
        self.pending.get(&number).filter(|pending| !pending.is_in_flight)
    }

    /// Returns the first request after `number` that waits to be sent.
    pub(super) fn next_waiting(&self, number: RequestNumber) -> Option<RequestNumber> {
        let after = self.pending.range(RequestNumber(number.0 + 1)..);
        after.filter(|(_, pending)| !pending.is_in_flight).map(|(number, _)| *number).next()
    }

    /// Records whether the request is in flight.
    pub(super) fn set_in_flight(&mut self, number: RequestNumber, is_in_flight: bool) {
        if let Some(pending) = self.pending.get_mut(&number) {
            pending.is_in_flight = is_in_flight;
        }
    }

    /// Removes a request that has an outcome now.
    pub(super) fn remove(&mut self, number: RequestNumber) -> Option<PendingRequest> {
        self.pending.remove(&number)
    }

    /// Returns when the next request stops waiting to be sent.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let waiting = self.pending.values().filter(|pending| !pending.is_in_flight);
        waiting.map(|pending| pending.deadline).min()
    }
}
