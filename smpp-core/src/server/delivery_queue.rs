//! The deliveries of all accounts that have no outcome.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;

use super::connection::ConnectionId;
use crate::pdu::CommandStatus;
use crate::session::{RefusedResponse, UnansweredReason};
use crate::time::Instant;

/// A delivery without an outcome.
#[derive(Debug)]
pub(super) struct PendingDelivery {
    /// The index of its account.
    pub(super) account: u32,
    pub(super) pdu: Arc<[u8]>,
    pub(super) key: u64,
    pub(super) deadline: Instant,
    /// How often it is sent at most.
    pub(super) max_attempts: u16,
    pub(super) at_most_once: bool,
    pub(super) only_if_bound: bool,
    pub(super) attempts: u16,
    pub(super) state: DeliveryState,
    /// The bind that has refused it last: another one is tried first.
    pub(super) avoid: Option<ConnectionId>,
    /// Why an earlier attempt got no response.
    pub(super) in_doubt: Option<UnansweredReason>,
    /// The last refusal.
    pub(super) refused: Option<(CommandStatus, RefusedResponse)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeliveryState {
    /// In the queue of its account.
    Waiting,
    /// Refused: it returns to the queue at this time.
    Delayed(Instant),
    /// In the queue of this bind.
    Assigned(ConnectionId),
    /// Sent on this bind.
    InFlight(ConnectionId),
}

#[derive(Debug, Default)]
pub(super) struct DeliveryQueue {
    all: BTreeMap<u64, PendingDelivery>,
    last_id: u64,
    octets: usize,
    deadlines: BTreeSet<(Instant, u64)>,
    delayed: BTreeSet<(Instant, u64)>,
    /// Counts the deliveries that were looked at, so that tests see what an operation costs.
    #[cfg(test)]
    lookups: core::cell::Cell<u64>,
}

impl DeliveryQueue {
    #[cfg(test)]
    pub(super) fn take_lookups(&self) -> u64 {
        self.lookups.take()
    }

    #[cfg(test)]
    fn count_lookup(&self) {
        self.lookups.set(self.lookups.get() + 1);
    }

    pub(super) fn get(&self, id: u64) -> Option<&PendingDelivery> {
        #[cfg(test)]
        self.count_lookup();
        self.all.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut PendingDelivery> {
        #[cfg(test)]
        self.count_lookup();
        self.all.get_mut(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns the octets of the PDUs.
    pub(super) const fn octets(&self) -> usize {
        self.octets
    }

    pub(super) fn insert(&mut self, delivery: PendingDelivery) -> u64 {
        self.last_id += 1;
        self.octets += delivery.pdu.len();
        self.deadlines.insert((delivery.deadline, self.last_id));
        self.all.insert(self.last_id, delivery);
        self.last_id
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<PendingDelivery> {
        let delivery = self.all.remove(&id)?;
        self.octets -= delivery.pdu.len();
        self.deadlines.remove(&(delivery.deadline, id));
        if let DeliveryState::Delayed(at) = delivery.state {
            self.delayed.remove(&(at, id));
        }
        Some(delivery)
    }

    /// Delays a delivery until `at`.
    pub(super) fn delay(&mut self, id: u64, at: Instant) {
        if let Some(delivery) = self.all.get_mut(&id) {
            delivery.state = DeliveryState::Delayed(at);
            self.delayed.insert((at, id));
        }
    }

    /// Returns the next delivery whose delay is over, and ends the delay.
    pub(super) fn next_delayed(&mut self, now: Instant) -> Option<u64> {
        let (_, id) = *self.delayed.first().filter(|(at, _)| *at <= now)?;
        self.delayed.pop_first();
        if let Some(delivery) = self.all.get_mut(&id) {
            delivery.state = DeliveryState::Waiting;
        }
        Some(id)
    }

    /// Returns the next delivery whose deadline has passed, and whether it can end now: one in flight waits for its outcome, and
    /// is not returned again.
    pub(super) fn next_expired(&mut self, now: Instant) -> Option<(u64, bool)> {
        let (_, id) = *self.deadlines.first().filter(|(at, _)| *at <= now)?;
        let is_in_flight = matches!(self.get(id)?.state, DeliveryState::InFlight(_));
        if is_in_flight {
            self.deadlines.pop_first();
        }
        Some((id, !is_in_flight))
    }

    /// Returns the oldest delivery from `id` on, and whether it waits: it is not in flight.
    pub(super) fn next_from(&self, id: u64) -> Option<(u64, bool)> {
        #[cfg(test)]
        self.count_lookup();
        let (id, delivery) = self.all.range(id..).next()?;
        Some((*id, !matches!(delivery.state, DeliveryState::InFlight(_))))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let first = |times: &BTreeSet<(Instant, u64)>| times.first().map(|(at, _)| *at);
        [first(&self.deadlines), first(&self.delayed)].into_iter().flatten().min()
    }
}
