//! Removing messages: those that are too old, and those that exceed the capacity.

use alloc::vec::Vec;
use core::hint::black_box;

use super::{ExpiredMessage, ReceiptTracker, Removed};
use crate::table::Order;
use crate::time::Instant;

/// How much one call does at once, so that no call takes long.
pub(super) const REMOVED_AT_ONCE: usize = 64;

/// Of how many messages the memory is loaded at once.
const LOADED_AT_ONCE: usize = 16;

/// How many chunks of messages are forgotten in one call at shutdown.
const CHUNKS_AT_ONCE: usize = 64;

impl ReceiptTracker {
    /// Returns whether this many more segments fit, after messages that have all their receipts have made room: at most
    /// [`REMOVED_AT_ONCE`] more than needed. If the capacity was lowered, [`expire`](Self::expire) removes the others.
    pub(in crate::account) fn make_room(&mut self, segments: usize) -> bool {
        for _ in 0..segments + REMOVED_AT_ONCE {
            if self.nodes.len() + segments <= self.options.capacity {
                break;
            }
            let Some(oldest) = self.done.first() else { break };
            self.load_oldest(true);
            self.remove(oldest);
        }
        self.nodes.len() + segments <= self.options.capacity
    }

    /// Removes one message that is too old or exceeds the capacity, and returns it. Returns `None` if there is none, or if
    /// the call has done enough: then [`poll_timeout`](Self::poll_timeout) is due at once.
    pub(in crate::account) fn expire(&mut self, now: Instant) -> Option<Removed> {
        let is_over = self.exceeds_capacity();
        let due = |oldest: Option<u32>, max_age| {
            oldest
                .filter(|head| self.nodes.get(*head).is_some_and(|node| is_over || now - node.at >= max_age))
        };
        if let Some(done) = due(self.done.first(), self.options.remember_completed) {
            self.load_oldest(true);
            return self.remove(done).map(|_| Removed::Done);
        }
        if let Some(waiting) = due(self.waiting.first(), self.options.max_age) {
            self.load_oldest(false);
            return self.remove(waiting).map(Removed::Expired);
        }
        for _ in 0..REMOVED_AT_ONCE {
            let (at, number) = *self.deadlines.first()?;
            if at > now {
                return None;
            }
            self.deadlines.pop_first();
            let (_, head) = self.limited.remove(&number)?;
            if self.nodes.get(head).is_some_and(|node| !node.is_done) {
                return self.remove(head).map(Removed::Expired);
            }
        }
        None
    }

    /// Before each [`LOADED_AT_ONCE`]th removal of the oldest message of a list, loads what the next ones will need. The processor
    /// waits once for all of it, instead of twice for each message: first for the node, then for the line of the index.
    #[inline]
    fn load_oldest(&mut self, are_done: bool) {
        if let Some(loaded) = self.loaded.checked_sub(1) {
            self.loaded = loaded;
            return;
        }
        self.loaded = LOADED_AT_ONCE - 1;
        let (list, mut hashes) = (if are_done { &self.done } else { &self.waiting }, [0; LOADED_AT_ONCE]);
        for (hash, number) in hashes.iter_mut().zip(list.iter()) {
            *hash = self.nodes.get(number).map_or(0, |node| node.id_hash);
        }
        black_box(hashes.into_iter().fold(0, |all, hash| all ^ self.ids.load(hash)));
    }

    /// Returns whether more segments are tracked than [`ReceiptOptions::capacity`].
    pub(in crate::account) const fn exceeds_capacity(&self) -> bool {
        self.nodes.len() > self.options.capacity
    }

    /// Returns when to call [`expire`](Self::expire).
    pub(in crate::account) fn poll_timeout(&self) -> Option<Instant> {
        if self.exceeds_capacity() {
            return Some(Instant::ZERO);
        }
        let oldest = |list: &Order| Some(self.nodes.get(list.first()?)?.at);
        let waiting = oldest(&self.waiting).map(|at| at + self.options.max_age);
        let done = oldest(&self.done).map(|at| at + self.options.remember_completed);
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        waiting.into_iter().chain(done).chain(deadline).min()
    }

    /// Removes a message.
    pub(super) fn remove(&mut self, head: u32) -> Option<ExpiredMessage> {
        self.unlink(head);
        let node = self.nodes.get(head)?;
        if node.total == 1 && node.last.is_some() && node.open == 0 && self.limited.is_empty() {
            return self.remove_done(head);
        }
        if node.total != 1 {
            self.numbers.remove(&mut self.nodes, head);
        }
        let node = self.nodes.get_mut(head)?;
        if node.is_due {
            self.awaited = self.awaited.saturating_sub(node.open.into());
        }
        let (number, key, is_due) = (node.number, node.key.take(), node.is_due);
        if let Some((at, _)) = self.limited.remove(&number) {
            self.deadlines.remove(&(at, number));
        }
        // The one receipt of a message is recorded in its first node.
        let lacks_receipts = node.last.is_none() || !self.has_one_receipt();
        let (mut ids, mut next) = (Vec::new(), head);
        while let Some(node) = self.nodes.get(next) {
            let (this, sibling) = (next, node.sibling);
            if is_due && lacks_receipts && node.last.is_none() {
                ids.extend(node.id.to_message_id().map(|id| (node.segment, id)));
            }
            if node.is_indexed {
                self.ids.remove(node.id_hash, this);
            }
            self.nodes.free_node(this);
            next = sibling;
        }
        ids.sort_unstable_by_key(|(segment, _)| *segment);
        let ids = ids.into_iter().map(|(_, id)| id).collect();
        Some(ExpiredMessage { number, ids, key })
    }

    /// Removes a message of one segment that has its receipt: the usual case.
    fn remove_done(&mut self, head: u32) -> Option<ExpiredMessage> {
        let node = self.nodes.get_mut(head)?;
        if node.is_indexed {
            self.ids.remove(node.id_hash, head);
        }
        let (number, key) = (node.number, node.key.take());
        self.nodes.free_node(head);
        Some(ExpiredMessage { number, ids: Vec::new(), key })
    }

    /// Removes the message whose receipts the account has waited for longest. Its ids are those without a final receipt. If there
    /// is none, forgets some of the messages that it remembers. The account is shut down: nothing expires or arrives any more.
    pub(in crate::account) fn remove_oldest(&mut self) -> Option<ExpiredMessage> {
        let has_deadlines = !self.limited.is_empty();
        let remembered = || self.done.first().filter(|_| has_deadlines);
        if let Some(oldest) = self.waiting.first().or_else(remembered) {
            return self.remove(oldest);
        }
        // Nothing is looked for any more: what refers to the messages needs no change.
        self.nodes.remove_chunks(CHUNKS_AT_ONCE);
        None
    }
}
