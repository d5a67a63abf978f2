//! Which connection starts next, and which slots have changed: known slot by slot, so that a start costs the same with one slot
//! as with thousands.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::mem;

use super::link::LinkId;
use crate::time::Instant;

/// What of a slot decides when its connection starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SlotKey {
    /// The group of the bind that it serves; `None` if the account needs none here.
    pub(super) group: Option<usize>,
    pub(super) is_idle: bool,
    pub(super) is_bound: bool,
    /// The earliest time of its next connection attempt.
    pub(super) ready_at: Instant,
}

#[derive(Debug, Default)]
struct IndexedSlot {
    key: SlotKey,
    is_pending: bool,
}

/// The slots that serve the binds of one group.
#[derive(Debug, Default)]
pub(super) struct GroupIndex {
    /// How many are bound.
    pub(super) bound: usize,
    /// How many are not idle.
    pub(super) busy: usize,
    idle: BTreeSet<(Instant, LinkId)>,
}

/// All slots.
#[derive(Debug, Default)]
pub(super) struct LinkIndex {
    slots: Vec<IndexedSlot>,
    groups: Vec<GroupIndex>,
    /// How many slots are not idle, whatever they serve.
    busy: usize,
    /// The slots on which something has changed that decides which connections start and end.
    pending: Vec<LinkId>,
    /// Whether that is so for all of them.
    is_all_pending: bool,
    /// Counts the slots that were looked at, so that tests see what an operation costs.
    #[cfg(test)]
    pub(super) visits: core::cell::Cell<usize>,
}

impl GroupIndex {
    fn count(&mut self, link: LinkId, key: SlotKey, is_added: bool) {
        let counts = [(key.is_bound, &mut self.bound), (!key.is_idle, &mut self.busy)];
        for (_, count) in counts.into_iter().filter(|(is_such, _)| *is_such) {
            *count = if is_added { *count + 1 } else { count.saturating_sub(1) };
        }
        if key.is_idle && is_added {
            self.idle.insert((key.ready_at, link));
        } else if key.is_idle {
            self.idle.remove(&(key.ready_at, link));
        }
    }

    /// Returns the idle slot that may start first.
    pub(super) fn first_idle(&self) -> Option<(Instant, LinkId)> {
        self.idle.first().copied()
    }

    /// Returns the first of the idle slots that may start by this time, in the order of their ids; otherwise the one that may
    /// start first. It looks at all of them: only for a group without a bind, which makes one attempt at a time.
    pub(super) fn lowest_idle(&self, by: Instant) -> Option<(Instant, LinkId)> {
        let ready = self.idle.range(..=(by, LinkId(u16::MAX)));
        ready.min_by_key(|(_, link)| *link).copied().or_else(|| self.first_idle())
    }
}

impl LinkIndex {
    /// Records what of a slot decides when its connection starts.
    pub(super) fn set(&mut self, link: LinkId, key: SlotKey) {
        #[cfg(test)]
        self.visits.set(self.visits.get() + 1);
        if self.slots.len() <= link.index() {
            let idle =
                || IndexedSlot { key: SlotKey { is_idle: true, ..SlotKey::default() }, is_pending: false };
            self.slots.resize_with(link.index() + 1, idle);
        }
        let Some(slot) = self.slots.get_mut(link.index()) else { return };
        let before = mem::replace(&mut slot.key, key);
        if before == key {
            return;
        }
        for (key, is_added) in [(before, false), (key, true)] {
            if !key.is_idle {
                self.busy = if is_added { self.busy + 1 } else { self.busy.saturating_sub(1) };
            }
            let Some(group) = key.group else { continue };
            if self.groups.len() <= group {
                self.groups.resize_with(group + 1, GroupIndex::default);
            }
            if let Some(group) = self.groups.get_mut(group) {
                group.count(link, key, is_added);
            }
        }
    }

    /// Forgets the slots from this number on. They are idle.
    pub(super) fn truncate(&mut self, slots: usize) {
        while let Some(last) = self.slots.len().checked_sub(1).filter(|last| *last >= slots) {
            // There is a slot for each `u16` at most.
            self.set(LinkId(last as u16), SlotKey { is_idle: true, ..SlotKey::default() });
            self.slots.pop();
        }
    }

    /// Adds a slot to those that have changed.
    pub(super) fn add_pending(&mut self, link: LinkId) {
        if let Some(slot) = self.slots.get_mut(link.index())
            && !mem::replace(&mut slot.is_pending, true)
        {
            self.pending.push(link);
        }
    }

    /// Adds all slots to those that have changed.
    pub(super) const fn add_all_pending(&mut self) {
        self.is_all_pending = true;
    }

    /// Returns the slots that have changed since the last call; `None` if these are perhaps all.
    pub(super) fn take_pending(&mut self) -> Option<Vec<LinkId>> {
        let pending = mem::take(&mut self.pending);
        for link in &pending {
            if let Some(slot) = self.slots.get_mut(link.index()) {
                slot.is_pending = false;
            }
        }
        (!mem::take(&mut self.is_all_pending)).then_some(pending)
    }

    /// Returns the slots that have changed since the last call of [`take_pending`](Self::take_pending).
    pub(super) fn pending(&self) -> &[LinkId] {
        &self.pending
    }

    /// Returns how many slots are not idle.
    pub(super) const fn busy(&self) -> usize {
        self.busy
    }

    pub(super) fn group(&self, group: usize) -> Option<&GroupIndex> {
        self.groups.get(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(group: usize, is_idle: bool, ready_at: u64) -> SlotKey {
        let ready_at = Instant::ZERO + core::time::Duration::from_secs(ready_at);
        SlotKey { group: Some(group), is_idle, is_bound: !is_idle, ready_at }
    }

    #[test]
    fn slots_are_counted_for_their_groups() {
        let mut index = LinkIndex::default();
        for (link, at) in [(0, 3), (1, 1), (2, 2)] {
            index.set(LinkId(link), key(1, true, at));
        }
        index.set(LinkId(3), key(0, false, 0));
        assert_eq!(index.group(1).and_then(GroupIndex::first_idle).map(|(_, link)| link), Some(LinkId(1)));
        index.set(LinkId(1), key(1, false, 1));
        let group = index.group(1).unwrap();
        assert_eq!((group.bound, group.busy, index.busy()), (1, 1, 2));
        assert_eq!(group.first_idle().map(|(_, link)| link), Some(LinkId(2)));
        index.set(LinkId(1), key(1, true, 9));
        index.truncate(2);
        let group = index.group(1).unwrap();
        assert_eq!((group.bound, group.busy, group.idle.len(), index.busy()), (0, 0, 2, 0));
    }

    #[test]
    fn a_slot_is_pending_once() {
        let mut index = LinkIndex::default();
        index.set(LinkId(1), key(0, true, 0));
        index.add_pending(LinkId(1));
        index.add_pending(LinkId(1));
        index.add_pending(LinkId(7));
        assert_eq!(index.pending(), [LinkId(1)], "there is no slot 7");
        assert_eq!(index.take_pending().as_deref(), Some(&[LinkId(1)][..]));
        index.add_all_pending();
        assert_eq!(index.take_pending(), None);
        assert_eq!(index.take_pending().as_deref(), Some(&[][..]));
    }
}
