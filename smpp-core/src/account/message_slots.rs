//! The messages whose callers wait, and what is buffered for them: each in an array whose places are reused.
//!
//! A message is found by its number in constant time. The table of the numbers adds one bucket at a time (linear hashing), so
//! that no call moves all messages to other buckets. The arrays themselves double: with a million waiting messages, one call
//! copies about 100 MB. The tables of [`crate::table`] do not, but cost some hundred instructions more for each message.

use alloc::vec::Vec;
use core::mem;

use super::buffered_receipt::{BufferedReceipt, ReceiptSlot};
use super::error::NoMoreReceipts;
use super::message_key::MessageKey;
use super::outcome::{MessageNumber, MessageOutcome};
use super::receipt::{DeliveryReceipt, ReceiptMatch, SpareBuffers};
use crate::pdu::MessageState;

/// The index that ends a list.
const NONE: u32 = u32::MAX;

/// Spreads consecutive numbers over the buckets: 2^64 divided by the golden ratio.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// Values in an array. A place that becomes free is used again.
struct Slab<T> {
    entries: Vec<Entry<T>>,
    /// The first free entry.
    free: u32,
    len: usize,
}

enum Entry<T> {
    /// Holds the next free entry.
    Free(u32),
    Used(T),
}

impl<T> Slab<T> {
    const fn new() -> Self {
        Self { entries: Vec::new(), free: NONE, len: 0 }
    }

    /// Adds a value. Returns its index, or `None` if the array is full.
    fn insert(&mut self, value: T) -> Option<u32> {
        let index = if let Some(entry) = self.entries.get_mut(self.free as usize) {
            let index = self.free;
            if let Entry::Free(next) = *entry {
                self.free = next;
            }
            *entry = Entry::Used(value);
            index
        } else {
            let index = u32::try_from(self.entries.len()).ok().filter(|index| *index != NONE)?;
            self.entries.push(Entry::Used(value));
            index
        };
        self.len += 1;
        Some(index)
    }

    fn get(&self, index: u32) -> Option<&T> {
        match self.entries.get(index as usize) {
            Some(Entry::Used(value)) => Some(value),
            _ => None,
        }
    }

    fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        match self.entries.get_mut(index as usize) {
            Some(Entry::Used(value)) => Some(value),
            _ => None,
        }
    }

    #[inline]
    fn remove(&mut self, index: u32) -> Option<T> {
        let entry = self.entries.get_mut(index as usize).filter(|entry| matches!(entry, Entry::Used(_)))?;
        let Entry::Used(value) = mem::replace(entry, Entry::Free(self.free)) else { return None };
        self.free = index;
        self.len -= 1;
        Some(value)
    }

    /// Drops a value, without moving it.
    fn discard(&mut self, index: u32) {
        if let Some(entry @ Entry::Used(_)) = self.entries.get_mut(index as usize) {
            *entry = Entry::Free(self.free);
            self.free = index;
            self.len -= 1;
        }
    }

    /// Frees the memory if there is no value.
    fn shrink(&mut self) {
        if self.len == 0 {
            *self = Self::new();
        }
    }
}

/// The messages whose callers wait.
pub(super) struct MessageSlots<W> {
    slots: Slab<MessageSlot<W>>,
    /// The first slot of each bucket; [`MessageSlot::next`] is the one after it.
    buckets: Vec<u32>,
    /// The next power of two from the number of buckets on, less one.
    mask: usize,
    /// The outcomes that the callers have not fetched.
    outcomes: Slab<MessageOutcome>,
    /// The receipts that the callers have not fetched.
    receipts: Slab<QueuedReceipt>,
    /// How many slots have a waiter.
    waiting: usize,
    /// All slots before this one have no waiter: where [`take_waiter`](Self::take_waiter) continues.
    first_waiting: usize,
}

/// The buffered events of one message.
struct MessageSlot<W> {
    number: MessageNumber,
    /// The next slot of the same bucket.
    next: u32,
    outcome: Outcome,
    /// The first and the last receipt, and how many octets their PDUs have.
    first_receipt: u32,
    last_receipt: u32,
    receipts: u32,
    receipt_octets: u32,
    /// Why no more receipts will arrive.
    no_more_receipts: Option<NoMoreReceipts>,
    key: Option<MessageKey>,
    waiter: Option<W>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Pending,
    /// Holds its index. `is_accepted`: the SMSC accepted all segments.
    Buffered {
        index: u32,
        is_accepted: bool,
    },
    /// The caller has fetched it.
    Fetched {
        is_accepted: bool,
    },
}

struct QueuedReceipt {
    receipt: BufferedReceipt,
    /// The next receipt of the same message.
    next: u32,
}

/// Where a slot is linked: the one before it in its bucket, and the one after it.
struct Place {
    bucket: usize,
    previous: u32,
    index: u32,
    next: u32,
}

/// What the caller of a message gets when it asks for its outcome.
pub(super) enum FetchedOutcome {
    /// There is none yet.
    Pending,
    /// All segments were accepted. `ended`: why there will be no receipts, if the slot has been removed.
    Accepted {
        outcome: MessageOutcome,
        ended: Option<NoMoreReceipts>,
    },
    Failed {
        key: Option<MessageKey>,
        outcome: MessageOutcome,
    },
    /// The message has no slot, or its outcome was fetched before.
    Missing,
}

/// What the caller of a message gets when it asks for a receipt, or for the state that the receipts report.
pub(super) enum FetchedReceipt<T> {
    /// There is none yet.
    Pending,
    Receipt(T),
    /// None will arrive.
    NoMore(NoMoreReceipts),
    /// The message has no slot.
    Missing,
}

/// What a slot had when it was removed.
pub(super) struct RemovedSlot<W> {
    pub(super) waiter: Option<W>,
    /// The receipts that the caller has not fetched.
    pub(super) receipts: Vec<(DeliveryReceipt, ReceiptMatch)>,
}

impl<W> MessageSlots<W> {
    pub(super) const fn new() -> Self {
        Self {
            slots: Slab::new(),
            buckets: Vec::new(),
            mask: 0,
            outcomes: Slab::new(),
            receipts: Slab::new(),
            waiting: 0,
            first_waiting: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.slots.len
    }

    /// Returns the bucket of a number.
    fn bucket(&self, number: MessageNumber) -> usize {
        // The high bits depend on all bits of the number.
        let bucket = number.0.wrapping_mul(SPREAD).swap_bytes() as usize & self.mask;
        // The second half is not complete: its other buckets have not been split off yet.
        if bucket < self.buckets.len() { bucket } else { bucket & (self.mask / 2) }
    }

    /// Adds a bucket. The slots that belong there come from one other bucket.
    fn add_bucket(&mut self) {
        let added = self.buckets.len();
        self.buckets.push(NONE);
        self.mask = self.buckets.len().next_power_of_two() - 1;
        if added == 0 {
            return;
        }
        let split = added - (added + 1).next_power_of_two() / 2;
        let mut index = self.buckets.get(split).copied().unwrap_or(NONE);
        let (mut kept, mut moved) = (NONE, NONE);
        while let Some(number) = self.slots.get(index).map(|slot| slot.number) {
            let goes = self.bucket(number) == added;
            let Some(slot) = self.slots.get_mut(index) else { break };
            let list = if goes { &mut moved } else { &mut kept };
            index = mem::replace(&mut slot.next, mem::replace(list, index));
        }
        for (bucket, first) in [(split, kept), (added, moved)] {
            if let Some(bucket) = self.buckets.get_mut(bucket) {
                *bucket = first;
            }
        }
    }

    fn find(&self, number: MessageNumber) -> Option<u32> {
        let mut index = *self.buckets.get(self.bucket(number))?;
        loop {
            let slot = self.slots.get(index)?;
            if slot.number == number {
                return Some(index);
            }
            index = slot.next;
        }
    }

    /// Adds the slot of a message, with the waiter for its outcome.
    pub(super) fn insert(
        &mut self,
        number: MessageNumber,
        key: Option<MessageKey>,
        no_more_receipts: Option<NoMoreReceipts>,
        waiter: Option<W>,
    ) {
        if self.slots.len >= self.buckets.len() {
            self.add_bucket();
        }
        let bucket = self.bucket(number);
        let next = self.buckets.get(bucket).copied().unwrap_or(NONE);
        let waits = waiter.is_some();
        let inserted = self.slots.insert(MessageSlot {
            number,
            next,
            outcome: Outcome::Pending,
            first_receipt: NONE,
            last_receipt: NONE,
            receipts: 0,
            receipt_octets: 0,
            no_more_receipts,
            key,
            waiter,
        });
        if let (Some(index), Some(bucket)) = (inserted, self.buckets.get_mut(bucket)) {
            *bucket = index;
            if waits {
                self.waiting += 1;
                self.first_waiting = self.first_waiting.min(index as usize);
            }
        }
    }

    /// Records an outcome. `has_receipts`: the SMSC may send receipts that name the message. Returns the waiter.
    pub(super) fn record_outcome(
        &mut self,
        number: MessageNumber,
        outcome: MessageOutcome,
        has_receipts: bool,
    ) -> Option<W> {
        let index = self.find(number)?;
        let is_accepted = outcome.is_accepted();
        let outcome = self.outcomes.insert(outcome)?;
        let slot = self.slots.get_mut(index)?;
        slot.outcome = Outcome::Buffered { index: outcome, is_accepted };
        if !has_receipts {
            slot.no_more_receipts.get_or_insert(NoMoreReceipts::NotReceived);
        }
        let waiter = slot.waiter.take();
        self.waiting -= usize::from(waiter.is_some());
        waiter
    }

    /// Records why no more receipts of a message will arrive, unless that is known. Returns the waiter.
    pub(super) fn end_receipts(&mut self, number: MessageNumber, reason: NoMoreReceipts) -> Option<W> {
        let index = self.find(number)?;
        self.slots.get_mut(index)?.no_more_receipts.get_or_insert(reason);
        self.take_waiter_of(index)
    }

    /// Returns the slot of the message that a receipt belongs to; `None` if the receipt does not go into it. Before the outcome it
    /// does; later only if the message was accepted and more receipts may arrive, or the receipt changes a final state:
    /// `is_change`.
    #[inline]
    pub(super) fn receipt_slot(&self, message: MessageNumber, is_change: bool) -> Option<ReceiptSlot> {
        let index = self.find(message)?;
        let slot = self.slots.get(index)?;
        let is_expected = match slot.no_more_receipts {
            None => true,
            Some(reason) => reason == NoMoreReceipts::AllReceived && is_change,
        };
        let accepts = match slot.outcome {
            Outcome::Pending => true,
            Outcome::Buffered { is_accepted, .. } | Outcome::Fetched { is_accepted } => {
                is_accepted && is_expected
            }
        };
        let (receipts, octets) = (slot.receipts as usize, slot.receipt_octets as usize);
        accepts.then_some(ReceiptSlot { index, receipts, octets })
    }

    /// Buffers a receipt. Returns the waiter.
    #[inline]
    pub(super) fn push_receipt(
        &mut self,
        ReceiptSlot { index: slot, .. }: &ReceiptSlot,
        receipt: BufferedReceipt,
    ) -> Option<W> {
        let is_final = receipt.message_state().is_some();
        let octets = receipt.octets() as u32;
        let index = self.receipts.insert(QueuedReceipt { receipt, next: NONE })?;
        let message = self.slots.get_mut(*slot)?;
        if is_final {
            message.no_more_receipts = Some(NoMoreReceipts::AllReceived);
        }
        message.receipts += 1;
        message.receipt_octets = message.receipt_octets.saturating_add(octets);
        match self.receipts.get_mut(mem::replace(&mut message.last_receipt, index)) {
            Some(last) => last.next = index,
            None => message.first_receipt = index,
        }
        self.take_waiter_of(*slot)
    }

    /// Returns the outcome of a message, once. `releases`: if the message was accepted and gets no receipts, its slot is removed,
    /// too.
    #[inline]
    pub(super) fn fetch_outcome(&mut self, number: MessageNumber, releases: bool) -> FetchedOutcome {
        let Some(place) = self.find_place(number) else { return FetchedOutcome::Missing };
        let Some(slot) = self.slots.get_mut(place.index) else { return FetchedOutcome::Missing };
        let (outcome, is_accepted) = match slot.outcome {
            Outcome::Pending => return FetchedOutcome::Pending,
            Outcome::Fetched { .. } => return FetchedOutcome::Missing,
            Outcome::Buffered { index, is_accepted } => (self.outcomes.remove(index), is_accepted),
        };
        slot.outcome = Outcome::Fetched { is_accepted };
        let Some(outcome) = outcome else { return FetchedOutcome::Missing };
        if !is_accepted {
            return FetchedOutcome::Failed { key: slot.key.clone(), outcome };
        }
        let ended = if releases { slot.ended() } else { None };
        if ended.is_some() {
            self.unlink(&place);
            self.slots.discard(place.index);
        }
        FetchedOutcome::Accepted { outcome, ended }
    }

    /// Returns the next receipt of a message.
    pub(super) fn fetch_receipt(
        &mut self,
        number: MessageNumber,
    ) -> FetchedReceipt<(DeliveryReceipt, ReceiptMatch)> {
        let Some(index) = self.find(number) else { return FetchedReceipt::Missing };
        let Some(slot) = self.slots.get_mut(index) else { return FetchedReceipt::Missing };
        match slot.next_receipt(&mut self.receipts) {
            Some(receipt) => FetchedReceipt::Receipt(receipt),
            None => slot.no_more_receipts.map_or(FetchedReceipt::Pending, FetchedReceipt::NoMore),
        }
    }

    /// Removes the receipts of a message up to the one that reports the state of the whole message, which it returns. The buffers
    /// of their PDUs are `spare` afterwards.
    pub(super) fn fetch_state(
        &mut self,
        number: MessageNumber,
        spare: &mut SpareBuffers,
    ) -> FetchedReceipt<MessageState> {
        let Some(index) = self.find(number) else { return FetchedReceipt::Missing };
        let Some(slot) = self.slots.get_mut(index) else { return FetchedReceipt::Missing };
        while let Some(buffered) = self.receipts.get_mut(slot.first_receipt) {
            let state = buffered.receipt.message_state();
            let (first, octets) = (slot.first_receipt, buffered.receipt.take_buffer());
            slot.remove_first(buffered.next, octets.len());
            self.receipts.discard(first);
            spare.put(octets);
            if let Some(state) = state {
                return FetchedReceipt::Receipt(state);
            }
        }
        slot.no_more_receipts.map_or(FetchedReceipt::Pending, FetchedReceipt::NoMore)
    }

    /// Stores the waiter of a message, and leaves the one before it in `waiter`.
    pub(super) fn wait(&mut self, number: MessageNumber, waiter: &mut Option<W>) {
        let Some(index) = self.find(number) else { return };
        let Some(slot) = self.slots.get_mut(index) else { return };
        mem::swap(&mut slot.waiter, waiter);
        self.waiting = self.waiting + usize::from(slot.waiter.is_some()) - usize::from(waiter.is_some());
        self.first_waiting = self.first_waiting.min(index as usize);
    }

    fn take_waiter_of(&mut self, index: u32) -> Option<W> {
        let waiter = self.slots.get_mut(index)?.waiter.take()?;
        self.waiting -= 1;
        Some(waiter)
    }

    /// Returns the waiter of some message.
    pub(super) fn take_waiter(&mut self) -> Option<W> {
        while self.waiting > 0 && self.first_waiting < self.slots.entries.len() {
            let index = self.first_waiting as u32;
            self.first_waiting += 1;
            let waiter = self.take_waiter_of(index);
            if waiter.is_some() {
                return waiter;
            }
        }
        None
    }

    /// Removes a slot.
    pub(super) fn remove(&mut self, number: MessageNumber) -> Option<RemovedSlot<W>> {
        let place = self.find_place(number)?;
        self.unlink(&place);
        let waiter = self.take_waiter_of(place.index);
        if let Some(MessageSlot { receipts: 0, outcome: Outcome::Fetched { .. }, .. }) =
            self.slots.get(place.index)
        {
            self.slots.discard(place.index);
            return Some(RemovedSlot { waiter, receipts: Vec::new() });
        }
        let mut slot = self.slots.remove(place.index)?;
        if let Outcome::Buffered { index, .. } = slot.outcome {
            self.outcomes.remove(index);
        }
        let mut receipts = Vec::new();
        while slot.receipts > 0
            && let Some(receipt) = slot.next_receipt(&mut self.receipts)
        {
            receipts.push(receipt);
        }
        Some(RemovedSlot { waiter, receipts })
    }

    /// Finds a slot, and where it is linked.
    fn find_place(&self, number: MessageNumber) -> Option<Place> {
        let bucket = self.bucket(number);
        let mut index = *self.buckets.get(bucket)?;
        let mut previous = NONE;
        loop {
            let slot = self.slots.get(index)?;
            if slot.number == number {
                return Some(Place { bucket, previous, index, next: slot.next });
            }
            previous = mem::replace(&mut index, slot.next);
        }
    }

    /// Takes a slot out of its bucket.
    fn unlink(&mut self, Place { bucket, previous, next, .. }: &Place) {
        match self.slots.get_mut(*previous) {
            Some(previous) => previous.next = *next,
            None => {
                if let Some(bucket) = self.buckets.get_mut(*bucket) {
                    *bucket = *next;
                }
            }
        }
    }

    /// Frees the memory of empty arrays.
    pub(super) fn shrink(&mut self) {
        self.outcomes.shrink();
        self.receipts.shrink();
        if self.slots.len == 0 {
            self.slots.shrink();
            (self.buckets, self.mask, self.first_waiting) = (Vec::new(), 0, 0);
        }
    }
}

impl<W> MessageSlot<W> {
    /// Returns why the message gets no further receipt, if its caller has fetched all that it gets.
    fn ended(&self) -> Option<NoMoreReceipts> {
        let Outcome::Fetched { .. } = self.outcome else { return None };
        let is_empty = self.receipts == 0 && self.waiter.is_none();
        self.no_more_receipts.filter(|reason| is_empty && *reason != NoMoreReceipts::AllReceived)
    }

    fn next_receipt(
        &mut self,
        receipts: &mut Slab<QueuedReceipt>,
    ) -> Option<(DeliveryReceipt, ReceiptMatch)> {
        let QueuedReceipt { receipt, next } = receipts.remove(self.first_receipt)?;
        self.remove_first(next, receipt.octets());
        Some(receipt.read(self.number, self.key.as_ref()))
    }

    /// Records that the first receipt, whose PDU has so many octets, was removed. `next` is the one after it.
    fn remove_first(&mut self, next: u32, octets: usize) {
        self.first_receipt = next;
        if next == NONE {
            self.last_receipt = NONE;
        }
        self.receipts -= 1;
        self.receipt_octets = self.receipt_octets.saturating_sub(octets as u32);
    }
}

#[cfg(test)]
mod tests;
