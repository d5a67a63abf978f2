//! When the node has to look at what.

use std::collections::{BTreeMap, BTreeSet};

use smpp_proto::session::Instant;

use super::deliveries::Task;
use super::protocol::ItemId;

/// What has a deadline. Each has at most one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The leases that were not renewed in time.
    Leases,
    /// The rate allows another message.
    Submit,
    /// The leases and the node's entry are renewed.
    Members,
    /// The node's entry, whose renewal has failed, is renewed again.
    Entry,
    /// A lease whose renewal has failed is renewed again.
    Renew(u16),
    /// A request about a message is repeated.
    Retry(ItemId),
    /// A message is kept from being redelivered.
    InProgress(ItemId),
    /// A request about a delivery or a group is repeated.
    Delivery(Task),
    /// Old parts and keys are looked for.
    Housekeeping,
}

#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: BTreeSet<(Instant, Timer)>,
    deadlines: BTreeMap<Timer, Instant>,
}

impl Timers {
    /// Sets the deadline, in place of an earlier one.
    pub(super) fn set(&mut self, timer: Timer, at: Instant) {
        if let Some(before) = self.deadlines.insert(timer, at) {
            self.queue.remove(&(before, timer));
        }
        self.queue.insert((at, timer));
    }

    pub(super) fn clear(&mut self, timer: Timer) {
        if let Some(before) = self.deadlines.remove(&timer) {
            self.queue.remove(&(before, timer));
        }
    }

    /// Returns the first deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Removes and returns one whose deadline has passed.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Timer> {
        let (at, timer) = *self.queue.first()?;
        if at > now {
            return None;
        }
        self.clear(timer);
        Some(timer)
    }
}
