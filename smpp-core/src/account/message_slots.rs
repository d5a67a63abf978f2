//! The messages whose callers wait, and what is buffered for them: each in an array whose places are reused.
//!
//! A message is found by its number in constant time. The table of the numbers adds one bucket at a time (linear hashing), so
//! that no call moves all messages to other buckets. The arrays themselves double: with a million waiting messages, one call
//! copies about 100 MB. The tables of [`crate::table`] do not, but cost some hundred instructions more for each message.

use alloc::vec::Vec;
use core::mem;

use super::buffered_receipt::{BufferedReceipt, ReceiptSlot};
use super::error::{AwaitedReceipts, NoMoreReceipts};
use super::link::BindId;
use super::message_key::MessageKey;
use super::outcome::{MessageNumber, MessageOutcome};
use super::receipt::{DeliveryReceipt, ReceiptMatch, SpareBuffers};
use super::slot_slab::{NONE, Slab};
use crate::pdu::MessageState;

/// Spreads consecutive numbers over the buckets: 2^64 divided by the golden ratio.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

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
    /// All segments were accepted.
    Accepted {
        outcome: MessageOutcome,
        receipts: AwaitedReceipts,
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
    /// The receipts that the caller has not fetched, if there may be some.
    pub(super) receipts: Option<Vec<(DeliveryReceipt, ReceiptMatch)>>,
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
    #[inline(always)]
    fn bucket(&self, number: MessageNumber) -> usize {
        // The high bits depend on all bits of the number.
        let bucket = number.0.wrapping_mul(SPREAD).swap_bytes() as usize & self.mask;
        // The second half is not complete: its other buckets have not been split off yet.
        if bucket < self.buckets.len() { bucket } else { bucket & (self.mask / 2) }
    }

    /// Adds a bucket. The slots that belong there come from one other bucket.
    #[cold]
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

    #[inline(always)]
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

    /// As [`record_outcome`](Self::record_outcome), for a message of one segment that the SMSC has accepted with this id and nothing
    /// else: no receipt can name it if the id is empty.
    #[inline(always)]
    pub(super) fn record_accepted(&mut self, number: MessageNumber, id: &[u8], bind: BindId) -> Option<W> {
        let index = self.find(number)?;
        let outcome = self.outcomes.insert(MessageOutcome::accepted(id, bind))?;
        let slot = self.slots.get_mut(index)?;
        slot.outcome = Outcome::Buffered { index: outcome, is_accepted: true };
        if id.is_empty() {
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
    #[inline(always)]
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
    #[inline(always)]
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
        let first = self.receipts.get(slot.first_receipt);
        let receipts = match first.and_then(|first| first.receipt.message_state()) {
            Some(state) => AwaitedReceipts::State(state),
            None => match slot.ended().filter(|_| releases) {
                Some(reason) => {
                    self.unlink(&place);
                    self.slots.discard(place.index);
                    AwaitedReceipts::None(reason)
                }
                None => AwaitedReceipts::Open,
            },
        };
        FetchedOutcome::Accepted { outcome, receipts }
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
        match slot.read_state(&mut self.receipts, spare) {
            Some(state) => FetchedReceipt::Receipt(state),
            None => slot.no_more_receipts.map_or(FetchedReceipt::Pending, FetchedReceipt::NoMore),
        }
    }

    /// Stores the waiter of a message, and leaves the one before it in `waiter`.
    pub(super) fn wait(&mut self, number: MessageNumber, waiter: &mut Option<W>) {
        let Some(index) = self.find(number) else { return };
        let Some(slot) = self.slots.get_mut(index) else { return };
        mem::swap(&mut slot.waiter, waiter);
        self.waiting = self.waiting + usize::from(slot.waiter.is_some()) - usize::from(waiter.is_some());
        self.first_waiting = self.first_waiting.min(index as usize);
    }

    #[inline(always)]
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

    /// Removes a slot. With `spare`, the receipts up to the one that reports the state of the whole message are consumed before, as
    /// [`fetch_state`](Self::fetch_state) does.
    #[inline(always)]
    pub(super) fn remove(
        &mut self,
        number: MessageNumber,
        spare: Option<&mut SpareBuffers>,
    ) -> Option<RemovedSlot<W>> {
        let place = self.find_place(number)?;
        self.unlink(&place);
        let slot = self.slots.get_mut(place.index)?;
        if let Some(spare) = spare {
            slot.read_state(&mut self.receipts, spare);
        }
        let waiter = slot.waiter.take();
        self.waiting -= usize::from(waiter.is_some());
        if slot.receipts == 0 && matches!(slot.outcome, Outcome::Fetched { .. }) {
            self.slots.discard(place.index);
            return Some(RemovedSlot { waiter, receipts: None });
        }
        Some(RemovedSlot { waiter, receipts: Some(self.take_receipts(place.index)) })
    }

    /// Removes a slot with an outcome or receipts that the caller has not fetched. Returns the receipts.
    #[cold]
    fn take_receipts(&mut self, index: u32) -> Vec<(DeliveryReceipt, ReceiptMatch)> {
        let Some(mut slot) = self.slots.remove(index) else { return Vec::new() };
        if let Outcome::Buffered { index, .. } = slot.outcome {
            self.outcomes.remove(index);
        }
        let mut receipts = Vec::new();
        while slot.receipts > 0
            && let Some(receipt) = slot.next_receipt(&mut self.receipts)
        {
            receipts.push(receipt);
        }
        receipts
    }

    /// Finds a slot, and where it is linked.
    #[inline(always)]
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
    #[inline(always)]
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

    /// Removes the receipts up to the one that reports the state of the whole message, which it returns. The buffers of their PDUs
    /// are `spare` afterwards.
    #[inline(always)]
    fn read_state(
        &mut self,
        receipts: &mut Slab<QueuedReceipt>,
        spare: &mut SpareBuffers,
    ) -> Option<MessageState> {
        loop {
            let first = self.first_receipt;
            let QueuedReceipt { receipt, next } = receipts.get_mut(first)?;
            let (state, next, octets) = (receipt.message_state(), *next, receipt.take_buffer());
            self.remove_first(next, octets.len());
            receipts.discard(first);
            spare.put(octets);
            if state.is_some() {
                return state;
            }
        }
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
