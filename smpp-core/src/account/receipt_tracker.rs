//! The segments that wait for delivery receipts, and the matching of receipts to them.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::ack::Ack;
use super::expected::{Expected, ExpectedId};
use super::message_key::MessageKey;
use super::options::ReceiptOptions;
use super::outcome::{MessageId, MessageNumber};
use super::receipt::{DeliveryReceipt, ReceiptDestination, ReceiptMatch, ReportedReceipt};
use crate::pdu::MessageState;
use crate::sms::MessageIdKey;
use crate::time::Instant;

/// The result of matching a receipt.
#[derive(Clone, Debug)]
pub(super) enum Match {
    /// It belongs to this message, and is new.
    New(ReceiptMatch),
    /// It was emitted before, and the application acknowledged it.
    Repeated,
    /// It was emitted before, and the application has not acknowledged it yet.
    Unacknowledged,
    /// Its id is not known.
    Unknown,
}

/// Tracks accepted segments until their final receipts arrive: at most [`ReceiptOptions::capacity`] segments, each for
/// at most [`ReceiptOptions::max_age`]. It also holds receipts that arrived before the `submit_sm_resp` of their segment.
pub(super) struct ReceiptTracker {
    options: ReceiptOptions,
    ids: BTreeMap<MessageIdKey, (MessageNumber, u8)>,
    messages: BTreeMap<MessageNumber, TrackedMessage>,
    /// All segments of `messages`: more than there are ids, if the SMSC gives an id twice.
    segments: usize,
    /// Messages that wait for receipts, in the order in which they expire.
    waiting: BTreeSet<(Instant, MessageNumber)>,
    /// Messages that have all their receipts, in the order in which these were complete.
    done: BTreeSet<(Instant, MessageNumber)>,
    /// Receipts with an unknown id, the oldest first.
    early: BTreeMap<u64, EarlyReceipt>,
    /// The keys of `early`, by message id.
    early_ids: BTreeSet<(MessageIdKey, u64)>,
    last_early: u64,
}

struct TrackedMessage {
    key: Option<MessageKey>,
    destination: ReceiptDestination,
    /// How many segments the message has.
    total: u8,
    /// The segments that were accepted.
    segments: Vec<PendingReceipt>,
    /// How many of them lack their final receipt.
    open: u8,
    /// Whether no further segment will be accepted.
    is_complete: bool,
    /// Whether the message requested a final receipt for every final state.
    is_receipt_due: bool,
    /// Until when it waits for receipts.
    expires: Instant,
    /// When the last receipt of the accepted segments arrived.
    done: Option<Instant>,
}

/// A segment that waits for its final receipt, or had it recently.
struct PendingReceipt {
    segment: u8,
    id: MessageId,
    key: MessageIdKey,
    /// The state in its final receipt.
    last: Option<MessageState>,
    /// The states that were emitted: one bit each.
    reported: u16,
    /// The states of `reported` that the application has not acknowledged yet.
    unacknowledged: u16,
}

/// A receipt with an unknown id, held because its `submit_sm_resp` may still arrive.
pub(super) struct EarlyReceipt {
    /// [`Queue::last_sent`](super::queue::Queue::last_sent) when the receipt arrived.
    last_sent: u64,
    pub(super) key: MessageIdKey,
    pub(super) receipt: DeliveryReceipt,
    pub(super) ack: Ack,
}

/// Returns the bit of a state. The states that no version of SMPP defines share one.
fn bit(state: MessageState) -> u16 {
    1 << state.0.min(15)
}

impl ReceiptTracker {
    pub(super) const fn new(options: ReceiptOptions) -> Self {
        Self {
            options,
            ids: BTreeMap::new(),
            messages: BTreeMap::new(),
            segments: 0,
            waiting: BTreeSet::new(),
            done: BTreeSet::new(),
            early: BTreeMap::new(),
            early_ids: BTreeSet::new(),
            last_early: 0,
        }
    }

    /// Returns whether this many more segments fit, after those that have all their receipts have made room.
    pub(super) fn make_room(&mut self, segments: usize) -> bool {
        while self.segments + segments > self.options.capacity
            && let Some(&(_, message)) = self.done.first()
        {
            self.remove(message);
        }
        self.segments + segments <= self.options.capacity
    }

    /// Starts to track the segments of a message of an earlier process, and returns the receipts that have arrived already.
    pub(super) fn expect(
        &mut self,
        now: Instant,
        message: MessageNumber,
        expected: Expected,
    ) -> Vec<EarlyReceipt> {
        let Expected { segments: total, ids, key, wait } = expected;
        let max_age = wait.unwrap_or(self.options.max_age);
        let mut early = Vec::new();
        for (segment, id) in ids {
            let (id, id_key) = match id {
                ExpectedId::Id(id) => {
                    let key = self.options.dialect.message_ids.submitted_key(&id);
                    (MessageId::new(&id), key)
                }
                ExpectedId::Key(key) => (MessageId::new(&[]), key),
            };
            if !id_key.is_empty() {
                let tracked = (message, key.clone(), ReceiptDestination::Arrivals);
                self.insert(now + max_age, tracked, total, segment, (id, id_key), true);
                early.extend(self.take_early_key(id_key));
            }
        }
        self.complete(now, message);
        early
    }

    /// Starts to track a segment that was accepted with this id and requested receipts. An id that the SMSC gives twice
    /// belongs to the later segment.
    pub(super) fn track(
        &mut self,
        now: Instant,
        (message, segment): (MessageNumber, u8),
        (key, destination): (Option<MessageKey>, ReceiptDestination),
        total: u8,
        id: &MessageId,
        is_receipt_due: bool,
    ) {
        if id.as_bytes().is_empty() {
            // No receipt can name the segment.
            return;
        }
        let id_key = self.options.dialect.message_ids.submitted_key(id.as_bytes());
        let expires = now + self.options.max_age;
        let tracked = (message, key, destination);
        self.insert(expires, tracked, total, segment, (id.clone(), id_key), is_receipt_due);
    }

    fn insert(
        &mut self,
        expires: Instant,
        (message, key, destination): (MessageNumber, Option<MessageKey>, ReceiptDestination),
        total: u8,
        segment: u8,
        (id, id_key): (MessageId, MessageIdKey),
        is_receipt_due: bool,
    ) {
        let waiting = &mut self.waiting;
        let tracked = self.messages.entry(message).or_insert_with(|| {
            waiting.insert((expires, message));
            TrackedMessage {
                key,
                destination,
                total,
                segments: Vec::new(),
                open: 0,
                is_complete: false,
                is_receipt_due,
                expires,
                done: None,
            }
        });
        tracked.open += 1;
        tracked.segments.push(PendingReceipt {
            segment,
            id,
            key: id_key,
            last: None,
            reported: 0,
            unacknowledged: 0,
        });
        self.segments += 1;
        self.ids.insert(id_key, (message, segment));
    }

    /// Records that no further segment of the message will be accepted.
    pub(super) fn complete(&mut self, now: Instant, message: MessageNumber) {
        if let Some(tracked) = self.messages.get_mut(&message) {
            tracked.is_complete = true;
            self.update_position(now, message);
        }
    }

    /// Finds the message that a receipt belongs to, and records the receipt as reported if it is new.
    pub(super) fn match_receipt(
        &mut self,
        now: Instant,
        receipt: &DeliveryReceipt,
        key: MessageIdKey,
    ) -> Match {
        let Some((message, segment)) = self.ids.get(&key).copied() else { return Match::Unknown };
        let Some(pending) = self.pending(message, segment) else { return Match::Unknown };
        // A receipt after the final one changes nothing: it counts as a repetition of the final one.
        let known = bit(pending.last.unwrap_or(receipt.state));
        if pending.unacknowledged & known != 0 {
            return Match::Unacknowledged;
        }
        if pending.reported & known != 0 {
            return Match::Repeated;
        }
        pending.reported |= known;
        pending.unacknowledged |= known;
        pending.last = receipt.is_final.then_some(receipt.state);
        let Some(tracked) = self.messages.get_mut(&message) else { return Match::Unknown };
        tracked.open -= u8::from(receipt.is_final);
        let (pending, segments, message_state) = (tracked.open, tracked.total, tracked.state());
        let (key, destination) = (tracked.key.clone(), tracked.destination);
        self.update_position(now, message);
        let previous = None;
        Match::New(ReceiptMatch {
            message,
            key,
            destination,
            segment,
            segments,
            pending,
            message_state,
            previous,
        })
    }

    /// Records whether the application accepted a reported receipt. If not, the SMSC redelivers it, and it counts as new.
    pub(super) fn acknowledge(&mut self, now: Instant, reported: ReportedReceipt, is_accepted: bool) {
        let ReportedReceipt { message, segment, state } = reported;
        let Some(pending) = self.pending(message, segment) else { return };
        pending.unacknowledged &= !bit(state);
        if is_accepted {
            return;
        }
        pending.reported &= !bit(state);
        if pending.last == Some(state) {
            pending.last = None;
            if let Some(tracked) = self.messages.get_mut(&message) {
                tracked.open += 1;
            }
            self.update_position(now, message);
        }
    }

    fn pending(&mut self, message: MessageNumber, segment: u8) -> Option<&mut PendingReceipt> {
        self.messages.get_mut(&message)?.segments.iter_mut().find(|pending| pending.segment == segment)
    }

    /// Moves the message between `waiting` and `done`.
    fn update_position(&mut self, now: Instant, message: MessageNumber) {
        let Some(tracked) = self.messages.get_mut(&message) else { return };
        let waiting = (tracked.expires, message);
        match tracked.done {
            None if tracked.open == 0 && tracked.is_complete => {
                tracked.done = Some(now);
                self.waiting.remove(&waiting);
                self.done.insert((now, message));
            }
            Some(at) if tracked.open > 0 => {
                tracked.done = None;
                self.done.remove(&(at, message));
                self.waiting.insert(waiting);
            }
            _ => {}
        }
    }

    /// Holds a receipt with an unknown id. Returns the oldest one if there are more than
    /// [`ReceiptOptions::early_capacity`].
    pub(super) fn hold_early(
        &mut self,
        last_sent: u64,
        key: MessageIdKey,
        receipt: DeliveryReceipt,
        ack: Ack,
    ) -> Option<EarlyReceipt> {
        self.last_early += 1;
        self.early.insert(self.last_early, EarlyReceipt { last_sent, key, receipt, ack });
        self.early_ids.insert((key, self.last_early));
        if self.early.len() > self.options.early_capacity { self.pop_early() } else { None }
    }

    /// Removes and returns the early receipts with this id, in the order in which they arrived.
    pub(super) fn take_early(&mut self, id: &MessageId) -> Vec<EarlyReceipt> {
        if self.early.is_empty() {
            return Vec::new();
        }
        self.take_early_key(self.options.dialect.message_ids.submitted_key(id.as_bytes()))
    }

    fn take_early_key(&mut self, key: MessageIdKey) -> Vec<EarlyReceipt> {
        let found: Vec<_> = self.early_ids.range((key, 0)..=(key, u64::MAX)).copied().collect();
        let take = |found: (MessageIdKey, u64)| {
            self.early_ids.remove(&found);
            self.early.remove(&found.1)
        };
        found.into_iter().filter_map(take).collect()
    }

    /// Removes and returns the oldest early receipt.
    pub(super) fn pop_early(&mut self) -> Option<EarlyReceipt> {
        let (number, early) = self.early.pop_first()?;
        self.early_ids.remove(&(early.key, number));
        Some(early)
    }

    /// Returns the last send number when the oldest early receipt arrived.
    pub(super) fn oldest_early(&self) -> Option<u64> {
        self.early.first_key_value().map(|(_, early)| early.last_sent)
    }

    /// Removes a message that is too old or exceeds the capacity. Returns it, and the ids of its segments that lack a
    /// receipt that was due. Call it until it returns `None`.
    pub(super) fn expire(
        &mut self,
        now: Instant,
    ) -> Option<(MessageNumber, Option<MessageKey>, Vec<MessageId>)> {
        while let Some(&(at, message)) = self.done.first()
            && (now - at >= self.options.remember_completed || self.segments > self.options.capacity)
        {
            self.remove(message);
        }
        let (expires, message) = self.waiting.first().copied()?;
        if now < expires && self.segments <= self.options.capacity {
            return None;
        }
        let tracked = self.remove(message)?;
        Some((message, tracked.key.clone(), tracked.missing_receipts()))
    }

    /// Returns when the next message is too old.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let oldest = self.waiting.first().map(|(expires, _)| *expires);
        let done = self.done.first().map(|(at, _)| *at + self.options.remember_completed);
        oldest.into_iter().chain(done).min()
    }

    fn remove(&mut self, message: MessageNumber) -> Option<TrackedMessage> {
        let tracked = self.messages.remove(&message)?;
        self.waiting.remove(&(tracked.expires, message));
        if let Some(at) = tracked.done {
            self.done.remove(&(at, message));
        }
        self.segments -= tracked.segments.len();
        for pending in &tracked.segments {
            if self.ids.get(&pending.key).is_some_and(|(other, _)| *other == message) {
                self.ids.remove(&pending.key);
            }
        }
        Some(tracked)
    }

    /// Removes all messages. Returns those that lack a receipt that was due, with the ids of the segments.
    pub(super) fn drain(
        &mut self,
    ) -> impl Iterator<Item = (MessageNumber, Option<MessageKey>, Vec<MessageId>)> {
        let options = self.options;
        let all = core::mem::replace(self, Self::new(options)).messages.into_iter();
        all.map(|(message, tracked)| (message, tracked.key.clone(), tracked.missing_receipts()))
            .filter(|(_, _, ids)| !ids.is_empty())
    }

    /// Returns how many segments are tracked.
    pub(super) const fn len(&self) -> usize {
        self.segments
    }
}

impl TrackedMessage {
    /// Returns the state of the whole message, once each segment has its final receipt.
    fn state(&self) -> Option<MessageState> {
        if self.open > 0 || self.segments.len() < usize::from(self.total) {
            return None;
        }
        let undelivered = |pending: &PendingReceipt| {
            pending
                .last
                .filter(|state| *state != MessageState::DELIVERED)
                .map(|state| (pending.segment, state))
        };
        let first = self.segments.iter().filter_map(undelivered).min_by_key(|(segment, _)| *segment);
        Some(first.map_or(MessageState::DELIVERED, |(_, state)| state))
    }

    /// Returns the ids of the segments that lack a receipt that was due.
    fn missing_receipts(self) -> Vec<MessageId> {
        let is_missing = |pending: &PendingReceipt| self.is_receipt_due && pending.last.is_none();
        self.segments.into_iter().filter(is_missing).map(|pending| pending.id).collect()
    }
}
