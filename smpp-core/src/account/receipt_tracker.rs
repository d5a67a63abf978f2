//! The segments that wait for delivery receipts, and the matching of receipts to them.
//!
//! Each segment is a node of one table. The segments of a message are linked, an [`Order`] has the messages in order of time,
//! a [`TagIndex`] finds a segment by its id, and an [`Index`] a message of several segments by its number. So each operation
//! touches a few nodes, however many segments wait, and a segment takes less than 160 octets in all, whatever id an SMSC gives
//! it.
//!
//! Memory that is not in the processor's cache costs the most. A message of one segment is in the index of ids only: it
//! is complete when its segment is accepted, and the acknowledgement of a receipt names the node.

mod accepted;
mod early;
mod expiry;
mod node;
mod stored_id;
#[cfg(test)]
mod tests;
mod tracked_message;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use self::node::{ByNumber, Known, Node, bit};
use self::stored_id::StoredId;
use super::link::{BindId, ShortBindId};
use super::message_key::MessageKey;
use super::options::ReceiptOptions;
use super::outcome::MessageNumber;
use super::receipt::{ReceiptDestination, ReceiptMatch, ReportedReceipt};
use crate::pdu::MessageState;
use crate::provider::ReceiptScope;
use crate::sms::{MessageIdKey, MessageIdPolicy};
use crate::table::{HashKey, Index, NONE, Order, Slab, TagIndex};
use crate::time::Instant;

pub(super) use self::early::{EarlyReceipt, EarlyReceipts, recipient_of};
pub(super) use self::node::{IdKey, UNKNOWN_RECIPIENT, recipient};
pub(super) use self::tracked_message::{ExpiredMessage, Match, Removed, SegmentId, TrackedMessage};

/// Tracks accepted segments until their final receipts arrive, whatever operation submitted them: at most
/// [`ReceiptOptions::capacity`] segments, each for at most [`ReceiptOptions::max_age`]. It also holds receipts that
/// arrived before the response of their segment.
pub(super) struct ReceiptTracker {
    options: ReceiptOptions,
    hash_key: HashKey,
    nodes: Slab<Node>,
    ids: TagIndex,
    /// The messages of several segments.
    numbers: Index<ByNumber>,
    /// Messages that wait for receipts, in the order in which their first segments were accepted.
    waiting: Order,
    /// Messages that have all their receipts, in the order in which the last ones arrived.
    done: Order,
    /// When messages of an earlier process expire that wait for less than [`ReceiptOptions::max_age`].
    deadlines: BTreeSet<(Instant, MessageNumber)>,
    /// The deadlines of these messages, and their first nodes.
    limited: BTreeMap<MessageNumber, (Instant, u32)>,
    /// How many segments wait for a final receipt that is due.
    awaited: usize,
    /// How many removals of oldest messages need nothing that is not loaded yet: see [`load_oldest`](Self::load_oldest).
    loaded: usize,
    pub(super) early: EarlyReceipts,
}

impl ReceiptTracker {
    /// Creates a tracker. The seed protects against ids that an SMSC chooses to slow the tracker down.
    pub(super) const fn new(options: ReceiptOptions, seed: u64) -> Self {
        Self {
            options,
            hash_key: HashKey::new(seed),
            nodes: Slab::new(),
            ids: TagIndex::new(),
            numbers: Index::new(),
            waiting: Order::new(),
            done: Order::new(),
            deadlines: BTreeSet::new(),
            limited: BTreeMap::new(),
            awaited: 0,
            loaded: 0,
            early: EarlyReceipts::new(options.early_capacity),
        }
    }

    /// Changes the options. If message ids are compared in another way, the tracked ones are too from now on, but for those that
    /// are not kept whole: that takes a time that grows with their number.
    pub(super) fn set_options(&mut self, options: ReceiptOptions) {
        let before = mem::replace(&mut self.options, options);
        self.early.set_capacity(options.early_capacity);
        let policy = self.policy();
        if before.dialect.message_ids == policy {
            return;
        }
        self.ids = TagIndex::new();
        let segments = self.segments();
        for number in &segments {
            let Some(node) = self.nodes.get(*number) else { continue };
            let hash = match node.id.key(policy) {
                // The key by the new policy is not known.
                IdKey::Digest(_) => node.id_hash,
                key => self.hash(&key),
            };
            if let Some(node) = self.nodes.get_mut(*number) {
                (node.id_hash, node.is_indexed, node.is_shared) = (hash, false, false);
            }
        }
        for number in segments {
            if self.nodes.get(number).is_some_and(|node| !node.id.is_empty()) {
                self.index_id(number);
            }
        }
    }

    /// Returns the numbers of all nodes, those of the oldest message first.
    fn segments(&self) -> Vec<u32> {
        let heads = self.done.iter().chain(self.waiting.iter());
        heads.flat_map(|head| self.siblings(head).map(|(number, _)| number)).collect()
    }

    const fn policy(&self) -> MessageIdPolicy {
        self.options.dialect.message_ids
    }

    /// Returns whether a message has one receipt, not one for each segment.
    fn has_one_receipt(&self) -> bool {
        self.options.dialect.receipt_scope() == ReceiptScope::Message
    }

    /// Returns the key of an id in a response.
    pub(super) fn submitted_key(&self, id: &[u8]) -> MessageIdKey {
        self.policy().submitted_key(id)
    }

    #[inline(always)]
    fn hash(&self, key: &IdKey<'_>) -> u32 {
        // The SMSC can add an id only by accepting a message of this account.
        self.hash_key.fast_hash(key.octets()) as u32
    }

    /// Returns the first node of a message of several segments.
    fn find_message(&self, number: MessageNumber) -> Option<u32> {
        self.numbers.find(&self.nodes, ByNumber::hash_of(number), |node| node.number == number)
    }

    /// Returns the bind that sent the segment with this id of a response; `None` if it is not tracked.
    pub(super) fn bind(&self, id: &[u8]) -> Option<ShortBindId> {
        let key = IdKey::submitted(self.policy(), id);
        Some(self.nodes.get(self.find_id(&key, self.hash(&key))?)?.bind)
    }

    #[inline(always)]
    fn find_id(&self, key: &IdKey<'_>, hash: u32) -> Option<u32> {
        let policy = self.policy();
        self.ids.find(hash, |number| self.nodes.get(number).is_some_and(|node| node.id.has_key(policy, key)))
    }

    /// Returns the numbers of a message's nodes, the first one first.
    fn siblings(&self, head: u32) -> impl Iterator<Item = (u32, &Node)> {
        let next = |(_, node): &(u32, &Node)| Some((node.sibling, self.nodes.get(node.sibling)?));
        core::iter::successors(self.nodes.get(head).map(|node| (head, node)), next)
    }

    /// Starts to track a segment that was accepted with this id, and returns the first node of its message; `None` if no
    /// receipt can name the segment. An id that the SMSC gives to two messages belongs to the later one.
    ///
    /// The only segment of a message completes it. Others need [`complete`](Self::complete).
    pub(super) fn track(
        &mut self,
        now: Instant,
        message: &TrackedMessage,
        segment: u8,
        id: SegmentId<'_>,
    ) -> Option<u32> {
        if message.total == 1 {
            let TrackedMessage { number, bind, is_due, ref key, destination, .. } = *message;
            let bind = bind.map(BindId::short).unwrap_or_default();
            return self.track_only(now, (number, segment), bind, (is_due, destination, key.as_ref()), id);
        }
        let policy = self.policy();
        let key = self.key_of(id);
        if key.is_empty() && !self.has_one_receipt() {
            return None;
        }
        let found = self.find_message(message.number);
        let node = Node {
            id: StoredId::of(policy, id),
            number: message.number,
            id_hash: self.hash(&key),
            bind: message.bind.map(BindId::short).unwrap_or_default(),
            segment,
            total: message.total,
            is_due: message.is_due,
            at: now,
            destination: message.destination,
            // Of the first node only.
            key: if found.is_none() { message.key.clone() } else { None },
            ..Node::default()
        };
        self.track_one_of(now, found, node, key.is_empty())
    }

    #[inline(always)]
    fn key_of<'a>(&self, id: SegmentId<'a>) -> IdKey<'a> {
        match id {
            SegmentId::Id(id) => IdKey::submitted(self.policy(), id),
            SegmentId::Key(key) => IdKey::Key(key),
        }
    }

    /// As [`track`](Self::track), for the only segment of a message. `receipts`: whether a final receipt is due, where the receipts
    /// go, and the caller's key. The node is filled in place: it is large.
    #[inline(always)]
    pub(super) fn track_only(
        &mut self,
        now: Instant,
        (message, segment): (MessageNumber, u8),
        bind: ShortBindId,
        receipts: (bool, ReceiptDestination, Option<&MessageKey>),
        id: SegmentId<'_>,
    ) -> Option<u32> {
        let (policy, key) = (self.policy(), self.key_of(id));
        if key.is_empty() {
            return None;
        }
        let hash = self.hash(&key);
        if let Some(other) = self.find_id(&key, hash) {
            self.remove_from_index(other);
        }
        let number = self.nodes.vacant()?;
        let position = self.waiting.push(number, set_position(&mut self.nodes))?;
        let (is_due, destination, key) = receipts;
        let node = self.nodes.occupy()?;
        node.id = StoredId::of(policy, id);
        (node.number, node.id_hash) = (message, hash);
        (node.head, node.sibling, node.position) = (number, NONE, position);
        (node.reported, node.unacknowledged, node.recipient, node.last) = (0, 0, 0, None);
        (node.bind, node.at, node.segment, node.destination) = (bind, now, segment, destination);
        (node.total, node.accepted, node.open) = (1, 1, 1);
        (node.is_complete, node.is_due, node.is_done) = (true, is_due, false);
        (node.is_indexed, node.is_shared) = (true, false);
        if let Some(key) = key {
            node.key = Some(key.clone());
        }
        self.awaited += usize::from(is_due);
        self.ids.insert(hash, number);
        Some(number)
    }

    /// Adds one of several segments of a message. `found` is the first of them, if it is tracked.
    fn track_one_of(
        &mut self,
        now: Instant,
        found: Option<u32>,
        node: Node,
        is_unnamed: bool,
    ) -> Option<u32> {
        let has_one_receipt = self.has_one_receipt();
        let number = self.nodes.insert(node)?;
        let head = found.unwrap_or(number);
        if let Some(node) = self.nodes.get_mut(number) {
            node.head = head;
        }
        if head == number {
            self.numbers.insert(&mut self.nodes, head);
            self.push(head);
        }
        if let Some(node) = self.nodes.get_mut(head) {
            let sibling = if head == number { NONE } else { mem::replace(&mut node.sibling, number) };
            node.accepted = node.accepted.saturating_add(1);
            // The one receipt of the message may have arrived.
            if !has_one_receipt || node.last.is_none() {
                node.open = node.open.saturating_add(1);
                self.awaited += usize::from(node.is_due);
            }
            if let Some(node) = self.nodes.get_mut(number) {
                node.sibling = sibling;
            }
        }
        if !is_unnamed {
            self.index_id(number);
        }
        self.update_position(now, head, false);
        Some(head)
    }

    /// Starts to track one of the recipients of a submit_multi, as if each were a segment. They all have the same id.
    pub(super) fn track_recipient(
        &mut self,
        now: Instant,
        message: &TrackedMessage,
        index: u8,
        id: &[u8],
        recipient: u32,
    ) {
        let before = self.nodes.len();
        let head = self.track(now, message, index, SegmentId::Id(id));
        let Some(head) = head.filter(|_| self.nodes.len() > before) else { return };
        let sibling = self.nodes.get(head).map_or(NONE, |node| node.sibling);
        // A new segment follows the first one.
        if let Some(node) = self.nodes.get_mut(if sibling == NONE { head } else { sibling }) {
            node.recipient = recipient;
        }
    }

    /// Makes a segment the one that its id belongs to.
    fn index_id(&mut self, number: u32) {
        let policy = self.policy();
        let Some(node) = self.nodes.get(number) else { return };
        let (key, hash) = (node.id.key(policy), node.id_hash);
        let is_shared = self
            .siblings(node.head)
            .any(|(other, node)| other != number && node.id_hash == hash && node.id.has_key(policy, &key));
        if let Some(other) = self.find_id(&key, hash) {
            self.remove_from_index(other);
        }
        if let Some(node) = self.nodes.get_mut(number) {
            (node.is_indexed, node.is_shared) = (true, is_shared);
        }
        self.ids.insert(hash, number);
    }

    /// Removes a segment from the index of ids: its id belongs to another one.
    #[cold]
    fn remove_from_index(&mut self, number: u32) {
        if let Some(node) = self.nodes.get_mut(number) {
            node.is_indexed = false;
            self.ids.remove(node.id_hash, number);
        }
    }

    /// Records that no further segment of the message will be accepted. Does nothing for a message of one segment.
    pub(super) fn complete(&mut self, now: Instant, message: MessageNumber) {
        let Some(head) = self.find_message(message) else { return };
        if self.siblings(head).all(|(_, node)| node.id.is_empty()) {
            // No receipt can name the message.
            self.remove(head);
            return;
        }
        if let Some(node) = self.nodes.get_mut(head) {
            node.is_complete = true;
        }
        self.update_position(now, head, false);
    }

    /// Stops tracking a message: no receipt of it was requested.
    pub(super) fn forget(&mut self, message: MessageNumber) {
        if let Some(head) = self.find_message(message) {
            self.remove(head);
        }
    }

    /// Tracks a message of an earlier process, with the ids of its segments that lack their final receipt. It waits until
    /// `wait` has passed, at most for [`ReceiptOptions::max_age`].
    pub(super) fn expect<'a>(
        &mut self,
        now: Instant,
        message: &TrackedMessage,
        segments: impl IntoIterator<Item = (u8, SegmentId<'a>)>,
        wait: Option<Duration>,
    ) {
        let mut head = None;
        for (segment, id) in segments {
            head = self.track(now, message, segment, id).or(head);
        }
        self.complete(now, message.number);
        if let (Some(wait), Some(head)) = (wait.filter(|wait| *wait < self.options.max_age), head)
            && self.nodes.get(head).is_some_and(|node| node.number == message.number)
        {
            self.deadlines.insert((now + wait, message.number));
            self.limited.insert(message.number, (now + wait, head));
        }
    }

    /// Returns the caller's own key of a message.
    #[cfg(test)]
    fn key(&self, message: MessageNumber) -> Option<&MessageKey> {
        let nodes = self.segments().into_iter().filter_map(|number| self.nodes.get(number));
        nodes.filter(|node| node.number == message).find_map(|node| node.key.as_ref())
    }

    #[cfg(test)]
    fn match_receipt(&mut self, now: Instant, key: &MessageIdKey, state: (MessageState, bool)) -> Match {
        self.match_receipt_of(now, &IdKey::Key(*key), state, || UNKNOWN_RECIPIENT)
    }

    /// Finds the message that a receipt belongs to, and records the receipt as reported if it is new. `recipient` returns the
    /// [number](recipient) of the phone that it is about.
    pub(super) fn match_receipt_of(
        &mut self,
        now: Instant,
        key: &IdKey<'_>,
        (state, is_final): (MessageState, bool),
        recipient: impl FnOnce() -> u32,
    ) -> Match {
        let Some(named) = self.find_id(key, self.hash(key)) else { return Match::Unknown };
        if self.nodes.get(named).is_some_and(|node| node.total == 1) {
            return self.match_only(now, named, (state, is_final)).unwrap_or(Match::Unknown);
        }
        let named = self.next_of_id(named, (state, is_final), recipient);
        let has_one_receipt = self.has_one_receipt();
        let Some(node) = self.nodes.get_mut(named) else { return Match::Unknown };
        let (segment, head) = (node.segment, node.head);
        let (recorded_in, node) = if has_one_receipt && head != named {
            let Some(node) = self.nodes.get_mut(head) else { return Match::Unknown };
            (head, node)
        } else {
            (named, node)
        };
        match node.known((state, is_final)) {
            Known::Unacknowledged => return Match::Unacknowledged,
            Known::Acknowledged => return Match::Repeated,
            Known::New => {}
        }
        let new = bit(state, is_final);
        node.reported |= new;
        node.unacknowledged |= new;
        let previous = node.last.filter(|_| is_final);
        if is_final {
            node.last = Some(state);
            if previous.is_none() {
                self.settle(head);
            }
        }
        self.update_position(now, head, true);
        let message_state = self.message_state(head);
        let Some(node) = self.nodes.get(head) else { return Match::Unknown };
        let matched = ReceiptMatch {
            message: node.number,
            key: node.key.clone(),
            destination: node.destination,
            segment,
            segments: node.total,
            pending: node.open,
            message_state,
            previous,
        };
        Match::New(matched, recorded_in)
    }

    /// Returns the node that a receipt is about: `named`, unless several segments or recipients of the message have its id.
    fn next_of_id(
        &self,
        named: u32,
        (state, is_final): (MessageState, bool),
        recipient: impl FnOnce() -> u32,
    ) -> u32 {
        let Some(node) = self.nodes.get(named).filter(|node| node.is_shared) else { return named };
        // The SMSC has given one id to several segments: each receipt is about the next of them, or about its recipient.
        let recipient = if node.recipient == 0 { 0 } else { recipient() };
        let policy = self.policy();
        let (key, new) = (node.id.key(policy), bit(state, is_final));
        let rank = |other: &Node| match other.last {
            None if other.reported & new == 0 => 0,
            Some(_) if is_final && other.reported & new == 0 => 1,
            _ => 2,
        };
        let same_id = self
            .siblings(node.head)
            .filter(|(_, other)| other.id_hash == node.id_hash && other.id.has_key(policy, &key));
        let next =
            same_id.min_by_key(|(_, other)| (other.recipient != recipient, rank(other), other.segment));
        next.map_or(named, |(number, _)| number)
    }

    /// Records that a final receipt has arrived.
    fn settle(&mut self, head: u32) {
        let has_one_receipt = self.has_one_receipt();
        let Some(node) = self.nodes.get_mut(head) else { return };
        let settled = if has_one_receipt { node.open } else { node.open.min(1) };
        node.open -= settled;
        if node.is_due {
            self.awaited = self.awaited.saturating_sub(settled.into());
        }
    }

    /// Records that a final receipt is missing again.
    fn unsettle(&mut self, head: u32) {
        let has_one_receipt = self.has_one_receipt();
        let Some(node) = self.nodes.get_mut(head) else { return };
        let missing = if has_one_receipt { node.accepted } else { 1 };
        node.open = node.open.saturating_add(missing);
        if node.is_due {
            self.awaited += usize::from(missing);
        }
    }

    /// Returns the state of the whole message, once it has all its final receipts.
    fn message_state(&self, head: u32) -> Option<MessageState> {
        let node = self.nodes.get(head)?;
        let is_whole = node.accepted >= node.total;
        if self.has_one_receipt() {
            // The receipt is about the whole message. It may come before the last response.
            return node.last.filter(|_| is_whole || !node.is_complete);
        }
        if node.open > 0 || !is_whole {
            return None;
        }
        if node.total == 1 {
            return node.last;
        }
        let undelivered = |(_, node): (u32, &Node)| {
            node.last.filter(|state| *state != MessageState::DELIVERED).map(|state| (node.segment, state))
        };
        let first = self.siblings(head).filter_map(undelivered).min_by_key(|(segment, _)| *segment);
        Some(first.map_or(MessageState::DELIVERED, |(_, state)| state))
    }

    /// Records whether the application accepted a reported receipt. If not, the SMSC redelivers it, and it counts as new.
    pub(super) fn acknowledge(&mut self, now: Instant, reported: &ReportedReceipt, is_accepted: bool) {
        let Some(node) = self.nodes.get_mut(reported.node) else { return };
        if node.number != reported.message {
            // The message is not tracked any more.
            return;
        }
        let head = node.head;
        let bits = bit(reported.state, reported.is_final);
        node.unacknowledged &= !bits;
        if is_accepted {
            return;
        }
        node.reported &= !bits;
        if reported.is_final && node.last == Some(reported.state) {
            node.last = node.final_state_before(reported.previous);
            if node.last.is_none() {
                self.unsettle(head);
            }
            self.update_position(now, head, false);
        }
    }

    /// Moves the message to the end of the list that it belongs to, if it belongs to another one, or had all its receipts
    /// and has a new one.
    fn update_position(&mut self, now: Instant, head: u32, has_new_receipt: bool) {
        let Some(node) = self.nodes.get(head) else { return };
        let is_done = node.is_complete && node.open == 0;
        if is_done == node.is_done && !(is_done && has_new_receipt) {
            return;
        }
        self.unlink(head);
        if let Some(node) = self.nodes.get_mut(head) {
            (node.is_done, node.at) = (is_done, now);
        }
        self.push(head);
    }

    /// Puts a message at the end of its list.
    fn push(&mut self, head: u32) {
        let Some(node) = self.nodes.get(head) else { return };
        let list = if node.is_done { &mut self.done } else { &mut self.waiting };
        // There are more positions than nodes can exist.
        let position = list.push(head, set_position(&mut self.nodes)).unwrap_or(NONE);
        set_position(&mut self.nodes)(head, position);
    }

    /// Takes a message out of its list.
    fn unlink(&mut self, head: u32) {
        let Some(node) = self.nodes.get(head) else { return };
        let (position, list) = (node.position, if node.is_done { &mut self.done } else { &mut self.waiting });
        list.remove(position, set_position(&mut self.nodes));
    }

    /// Returns how many segments are tracked.
    pub(super) const fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns how many segments wait for a final receipt that is due.
    pub(super) const fn awaited(&self) -> usize {
        self.awaited
    }
}

/// Returns a function that stores the position of a message.
fn set_position(nodes: &mut Slab<Node>) -> impl FnMut(u32, u32) {
    |head, position| {
        if let Some(node) = nodes.get_mut(head) {
            node.position = position;
        }
    }
}
