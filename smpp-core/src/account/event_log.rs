//! The event stream of an account: a bounded log that several receivers read, each at its own pace.

use alloc::collections::{BTreeMap, VecDeque};
use core::mem;
use core::task::Poll;

use super::account_event::AccountEvent;

/// How many events the log keeps for its first receiver.
const BEFORE_FIRST: usize = 64;

/// The most octets of texts and responses that the log keeps. Beyond it, the oldest events are dropped.
const MAX_OCTETS: usize = 256 * 1024;

/// Identifies a receiver of the event stream: see [`EventRouter::add_receiver`](super::EventRouter::add_receiver).
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReceiverId {
    pub(super) number: u64,
    /// Whether it receives the detailed stream: see
    /// [`EventRouter::add_detailed_receiver`](super::EventRouter::add_detailed_receiver).
    pub(super) is_detailed: bool,
}

/// A log of the events that some receiver has not read, and the waiters `W` of the receivers.
pub(super) struct EventLog<W> {
    capacity: usize,
    events: VecDeque<AccountEvent>,
    /// How many events were removed: the number of the first in `events`.
    removed: u64,
    /// The octets that `events` hold outside of themselves.
    octets: usize,
    receivers: BTreeMap<u64, Receiver<W>>,
    /// How many receivers there have been.
    created: u64,
    /// Whether no further event follows.
    is_over: bool,
}

struct Receiver<W> {
    /// The number of the event that it reads next.
    next: u64,
    waiter: Option<W>,
}

impl<W> EventLog<W> {
    pub(super) const fn new(capacity: usize) -> Self {
        Self {
            capacity,
            events: VecDeque::new(),
            removed: 0,
            octets: 0,
            receivers: BTreeMap::new(),
            created: 0,
            is_over: false,
        }
    }

    pub(super) const fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    /// Returns whether an event would be kept.
    pub(super) fn is_needed(&self) -> bool {
        self.created == 0 || !self.receivers.is_empty()
    }

    pub(super) fn has_receivers(&self) -> bool {
        !self.receivers.is_empty()
    }

    /// Adds an event. If there are more than the capacity, drops the oldest.
    pub(super) fn push(&mut self, event: AccountEvent, wakers: &mut VecDeque<W>) {
        self.octets += event.heap_octets();
        self.events.push_back(event);
        let capacity = if self.created == 0 { self.capacity.min(BEFORE_FIRST) } else { self.capacity };
        while self.events.len() > capacity.max(1) || self.octets > MAX_OCTETS && self.events.len() > 1 {
            self.remove_first();
        }
        wakers.extend(self.receivers.values_mut().filter_map(|receiver| receiver.waiter.take()));
    }

    fn remove_first(&mut self) -> Option<AccountEvent> {
        let event = self.events.pop_front()?;
        self.removed += 1;
        self.octets -= event.heap_octets();
        Some(event)
    }

    /// Adds a receiver. The first one begins with the oldest event that is kept, a later one with the next event.
    pub(super) fn add_receiver(&mut self) -> ReceiverId {
        let next = if self.created == 0 { self.removed } else { self.removed + self.events.len() as u64 };
        self.created += 1;
        self.receivers.insert(self.created, Receiver { next, waiter: None });
        ReceiverId { number: self.created, is_detailed: false }
    }

    /// Removes a receiver, and returns its waiter.
    pub(super) fn remove_receiver(&mut self, id: &ReceiverId) -> Option<W> {
        let removed = self.receivers.remove(&id.number)?;
        self.remove_read();
        removed.waiter
    }

    /// Removes the events that every receiver has read.
    fn remove_read(&mut self) {
        let next = self.receivers.values().map(|receiver| receiver.next).min();
        while next.is_none_or(|next| self.removed < next) && self.remove_first().is_some() {}
    }

    /// Returns the next event of a receiver; `None` once there will be none.
    pub(super) fn poll(&mut self, id: &ReceiverId, waiter: &mut Option<W>) -> Poll<Option<AccountEvent>> {
        let Some(receiver) = self.receivers.get_mut(&id.number) else { return Poll::Ready(None) };
        let lost = self.removed.saturating_sub(receiver.next);
        if lost > 0 {
            receiver.next = self.removed;
            return Poll::Ready(Some(AccountEvent::Lagged { lost }));
        }
        // The number of unread events fits: they are in memory.
        let index = (receiver.next - self.removed) as usize;
        let Some(event) = self.events.get(index) else {
            if self.is_over {
                return Poll::Ready(None);
            }
            mem::swap(&mut receiver.waiter, waiter);
            return Poll::Pending;
        };
        receiver.next += 1;
        let is_only = self.receivers.len() == 1 && index == 0;
        let event = if is_only { self.remove_first() } else { Some(event.clone()) };
        if !is_only {
            self.remove_read();
        }
        Poll::Ready(event)
    }

    /// Ends the stream: each receiver still gets the events that are there. Returns the waiters.
    pub(super) fn close(&mut self) -> impl Iterator<Item = W> {
        self.is_over = true;
        self.receivers.values_mut().filter_map(|receiver| receiver.waiter.take())
    }

    pub(super) fn shrink(&mut self) {
        self.events.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_that_every_receiver_has_read_are_dropped() {
        let mut log = EventLog::<()>::new(9);
        let (first, second) = (log.add_receiver(), log.add_receiver());
        for lost in 1..=3 {
            log.push(AccountEvent::Lagged { lost }, &mut VecDeque::new());
        }
        for id in [&first, &first, &second] {
            assert!(matches!(log.poll(id, &mut None), Poll::Ready(Some(_))));
        }
        assert_eq!(log.events.len(), 2, "the second receiver has not read them");
        log.remove_receiver(&second);
        assert_eq!(log.events.len(), 1);
    }
}
