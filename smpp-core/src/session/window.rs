//! The window of requests in flight: one structure for sequence numbers, correlation, order and deadlines.
//!
//! The window is an array of slots whose length is a power of two, indexed by `sequence & mask`. The occupied slots form a
//! linked list in send order. The window skips a sequence number whose slot is occupied, so no two requests in flight have
//! the same number or slot. All requests have the same timeout, so the oldest has the earliest deadline. The array grows
//! with the requests in flight, up to at least twice the limit: a session that sends little needs little memory.
//!
//! A request that has timed out keeps its slot and its number, because the peer may still respond to it; only its tag
//! is gone. Requests time out in send order, so those that have timed out are the first of the list.

use alloc::vec::Vec;

use crate::frame::SequenceNumber;
use crate::pdu::CommandId;
use crate::time::Instant;

/// The index that ends the linked list.
const NONE: u32 = u32::MAX;

/// One request in flight.
#[derive(Debug)]
pub(super) struct Entry<T> {
    pub(super) sequence: SequenceNumber,
    pub(super) command: CommandId,
    /// When the request was encoded.
    pub(super) sent: Instant,
    /// Requests in flight at that time, including this one.
    pub(super) in_flight: u16,
    /// Position of the request's end in the output stream, in octets.
    pub(super) end: u64,
    /// `None` once the request has timed out.
    pub(super) tag: Option<T>,
}

#[derive(Debug)]
struct Slot<T> {
    entry: Entry<T>,
    previous: u32,
    next: u32,
}

#[derive(Debug)]
pub(super) struct Window<T> {
    /// Empty until the first request, so that an idle session allocates nothing.
    slots: Vec<Option<Slot<T>>>,
    limit: u16,
    len: usize,
    /// How many of them have timed out.
    timed_out: usize,
    head: u32,
    /// The oldest request that has not timed out.
    waiting: u32,
    tail: u32,
    next: SequenceNumber,
}

impl<T> Window<T> {
    pub(super) fn new(limit: u16) -> Self {
        let limit = limit.max(1);
        Self {
            slots: Vec::new(),
            limit,
            len: 0,
            timed_out: 0,
            head: NONE,
            waiting: NONE,
            tail: NONE,
            next: SequenceNumber::FIRST,
        }
    }

    /// Changes the limit. Requests in flight that exceed it stay.
    pub(super) fn set_limit(&mut self, limit: u16) {
        self.limit = limit.max(1);
    }

    #[cfg(test)]
    pub(super) fn starting_at(limit: u16, next: SequenceNumber) -> Self {
        Self { next, ..Self::new(limit) }
    }

    /// Continues with this number, as if all numbers before it had been used and had a response.
    #[cfg(test)]
    pub(super) fn skip_to(&mut self, next: SequenceNumber) {
        self.next = next;
    }

    /// Returns how many slots are taken, by requests that wait for a response and by those that have timed out.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns how many requests wait for a response and have not timed out.
    pub(super) fn waiting(&self) -> usize {
        self.len - self.timed_out
    }

    pub(super) fn is_full(&self) -> bool {
        self.len >= usize::from(self.limit)
    }

    /// Returns the next sequence number that is not in flight.
    #[inline(always)]
    pub(super) fn next_sequence(&mut self) -> SequenceNumber {
        loop {
            let sequence = self.next;
            let taken = matches!(self.slots.get(self.index(sequence) as usize), Some(Some(_)));
            if taken && self.slots.len() < 2 * usize::from(self.limit) {
                self.grow();
                continue;
            }
            self.next = sequence.next();
            if !taken {
                return sequence;
            }
        }
    }

    /// Adds a request whose number came from [`next_sequence`](Self::next_sequence).
    pub(super) fn push(&mut self, entry: Entry<T>) {
        if 2 * (self.len + 1) > self.slots.len() {
            self.grow();
        }
        let index = self.index(entry.sequence);
        let previous = self.tail;
        self.link(previous, index);
        self.tail = index;
        if entry.tag.is_none() {
            self.timed_out += 1;
        } else if self.waiting == NONE {
            self.waiting = index;
        }
        if let Some(slot) = self.slots.get_mut(index as usize) {
            *slot = Some(Slot { entry, previous, next: NONE });
            self.len += 1;
        }
    }

    /// Removes and returns the request with this number if `answers` accepts its command.
    pub(super) fn take(
        &mut self,
        sequence: SequenceNumber,
        answers: impl FnOnce(CommandId) -> bool,
    ) -> Option<Entry<T>> {
        let index = self.index(sequence);
        let slot = self.slots.get_mut(index as usize)?;
        let matches =
            slot.as_ref().is_some_and(|slot| slot.entry.sequence == sequence && answers(slot.entry.command));
        if !matches {
            return None;
        }
        let slot = slot.take()?;
        self.len -= 1;
        self.timed_out -= usize::from(slot.entry.tag.is_none());
        if self.waiting == index {
            self.waiting = slot.next;
        }
        self.link(slot.previous, slot.next);
        if slot.next == NONE {
            self.tail = slot.previous;
        }
        Some(slot.entry)
    }

    /// Returns whether the request with this number is in flight, has this command and has not timed out.
    #[inline(always)]
    pub(super) fn is_waiting(&self, sequence: SequenceNumber, command: CommandId) -> bool {
        let slot = self.slots.get(self.index(sequence) as usize).and_then(Option::as_ref);
        slot.is_some_and(|Slot { entry, .. }| {
            entry.sequence == sequence && entry.command == command && entry.tag.is_some()
        })
    }

    /// Returns the oldest request that has not timed out.
    pub(super) fn first_waiting(&self) -> Option<&Entry<T>> {
        self.slots.get(self.waiting as usize)?.as_ref().map(|slot| &slot.entry)
    }

    /// Returns the oldest request if it has timed out.
    pub(super) fn first_timed_out(&self) -> Option<&Entry<T>> {
        let slot = self.slots.get(self.head as usize)?.as_ref()?;
        slot.entry.tag.is_none().then_some(&slot.entry)
    }

    /// Removes and returns the oldest request.
    pub(super) fn take_first(&mut self) -> Option<Entry<T>> {
        let sequence = self.slots.get(self.head as usize)?.as_ref()?.entry.sequence;
        self.take(sequence, |_| true)
    }

    /// Lets the oldest request that has not timed out do so. Returns its tag and a copy of the rest.
    pub(super) fn time_out_first(&mut self) -> Option<(T, Entry<()>)> {
        let slot = self.slots.get_mut(self.waiting as usize)?.as_mut()?;
        let tag = slot.entry.tag.take()?;
        let Entry { sequence, command, sent, in_flight, end, .. } = slot.entry;
        self.waiting = slot.next;
        self.timed_out += 1;
        Some((tag, Entry { sequence, command, sent, in_flight, end, tag: None }))
    }

    /// Frees the slots if none is taken.
    pub(super) fn shrink(&mut self) {
        if self.len == 0 {
            *self = Self { next: self.next, ..Self::new(self.limit) };
        }
    }

    /// Doubles the slots. Requests in flight keep their number and order. They had different slots before, so they have
    /// different slots after.
    #[cold]
    fn grow(&mut self) {
        let mut grown = Self { next: self.next, ..Self::new(self.limit) };
        let slots = (2 * self.slots.len()).max(2);
        grown.slots.reserve_exact(slots);
        grown.slots.resize_with(slots, || None);
        while let Some(entry) = self.take_first() {
            grown.push(entry);
        }
        *self = grown;
    }

    fn index(&self, sequence: SequenceNumber) -> u32 {
        sequence.0 & (self.slots.len() as u32).wrapping_sub(1)
    }

    /// Makes `next` follow `previous`. Either may be the end of the linked list.
    fn link(&mut self, previous: u32, next: u32) {
        match self.slots.get_mut(previous as usize) {
            Some(Some(slot)) => slot.next = next,
            _ => self.head = next,
        }
        if let Some(Some(slot)) = self.slots.get_mut(next as usize) {
            slot.previous = previous;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::VecDeque;
    use proptest::prelude::*;

    fn push(window: &mut Window<u32>, tag: u32) -> SequenceNumber {
        let sequence = window.next_sequence();
        window.push(Entry {
            sequence,
            command: CommandId::SUBMIT_SM,
            sent: Instant::ZERO,
            in_flight: 1,
            end: 0,
            tag: Some(tag),
        });
        sequence
    }

    #[test]
    fn sequence_numbers_wrap_and_skip_those_in_flight() {
        let mut window = Window::starting_at(2, SequenceNumber::LAST);
        let last = push(&mut window, 0);
        let wrapped = push(&mut window, 1);
        assert_eq!((last, wrapped), (SequenceNumber::LAST, SequenceNumber(1)));
        assert!(window.is_full());
        window.take(wrapped, |_| true).unwrap();
        // LAST occupies slot 3 of 4, so number 3 is skipped while LAST is in flight.
        let used: Vec<u32> = (0..3)
            .map(|tag| {
                let sequence = push(&mut window, tag);
                window.take(sequence, |_| true).unwrap();
                sequence.0
            })
            .collect();
        assert_eq!(used, [2, 4, 5]);
    }

    #[test]
    fn a_response_of_another_command_removes_nothing() {
        let mut window = Window::new(1);
        let sequence = push(&mut window, 7);
        assert!(window.take(sequence, |command| command == CommandId::BIND_RECEIVER).is_none());
        assert!(window.take(SequenceNumber(sequence.0 + 2), |_| true).is_none(), "same slot, other number");
        assert_eq!(window.take(sequence, |_| true).unwrap().tag, Some(7));
        assert_eq!(window.len(), 0);
    }

    #[test]
    fn a_request_that_has_timed_out_does_not_wait() {
        let mut window = Window::new(2);
        let (late, waiting) = (push(&mut window, 1), push(&mut window, 2));
        window.time_out_first().unwrap();
        assert!(!window.is_waiting(late, CommandId::SUBMIT_SM));
        assert!(window.is_waiting(waiting, CommandId::SUBMIT_SM));
        assert!(!window.is_waiting(waiting, CommandId::DATA_SM));
        assert_eq!(window.take(waiting, |_| true).unwrap().tag, Some(2));
        assert!(!window.is_waiting(waiting, CommandId::SUBMIT_SM));
        assert_eq!((window.len(), window.waiting()), (1, 0));
        assert!(window.take(late, |_| true).is_some());
    }

    proptest! {
        /// Compares order, membership and length with those of a plain queue, after any sequence of operations.
        #[test]
        fn the_window_is_a_queue_with_removal(
            limit in 1_u16..9,
            start in prop_oneof![Just(1_u32), 0x7FFF_FFF0_u32..=0x7FFF_FFFF],
            picks in prop::collection::vec(any::<Option<prop::sample::Index>>(), 1..200),
        ) {
            let mut window = Window::starting_at(limit, SequenceNumber(start));
            let mut model: VecDeque<(SequenceNumber, u32)> = VecDeque::new();
            for (tag, pick) in picks.into_iter().enumerate() {
                match pick {
                    Some(pick) if !model.is_empty() => {
                        let (sequence, tag) = model.remove(pick.index(model.len())).unwrap();
                        prop_assert!(window.is_waiting(sequence, CommandId::SUBMIT_SM));
                        prop_assert!(!window.is_waiting(sequence, CommandId::DATA_SM));
                        prop_assert!(window.take(sequence, |_| false).is_none(), "another command removes nothing");
                        let taken = window.take(sequence, |_| true);
                        prop_assert_eq!(taken.and_then(|entry| entry.tag), Some(tag));
                    }
                    _ if window.is_full() => prop_assert_eq!(model.len(), usize::from(limit)),
                    _ => {
                        let sequence = push(&mut window, tag as u32);
                        prop_assert!(sequence.is_valid());
                        prop_assert!(model.iter().all(|(other, _)| *other != sequence));
                        model.push_back((sequence, tag as u32));
                    }
                }
                prop_assert_eq!(window.len(), model.len());
                prop_assert_eq!(window.first_waiting().and_then(|entry| entry.tag), model.front().map(|(_, tag)| *tag));
            }
            while let Some((_, tag)) = model.pop_front() {
                prop_assert_eq!(window.take_first().and_then(|entry| entry.tag), Some(tag));
            }
            prop_assert!(window.take_first().is_none());
        }
    }
}
