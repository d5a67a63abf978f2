//! Requests in flight: sequence numbers, correlation, order and deadlines in one structure.
//!
//! A slot array of a power of two, at least twice the window, indexed by `sequence & mask` and threaded in
//! send order. A number whose slot is taken is skipped, so no two requests in flight share a number, or a
//! slot. All deadlines are the same distance after their request: the head of the thread is due first. The array
//! grows with what is in flight, so that a session that sends little holds little.

use alloc::vec::Vec;

use crate::frame::SequenceNumber;
use crate::pdu::CommandId;
use crate::time::Instant;

const NONE: u32 = u32::MAX;

/// One request in flight.
#[derive(Debug)]
pub(super) struct Entry<T> {
    pub(super) sequence: SequenceNumber,
    pub(super) command: CommandId,
    /// When it was encoded.
    pub(super) sent: Instant,
    /// Requests in flight then, itself included.
    pub(super) company: u16,
    /// Octets of the stream up to the request's end.
    pub(super) end: u64,
    pub(super) tag: T,
}

#[derive(Debug)]
struct Slot<T> {
    entry: Entry<T>,
    previous: u32,
    next: u32,
}

#[derive(Debug)]
pub(super) struct Window<T> {
    /// Empty until the first request: an idle session costs nothing here.
    slots: Vec<Option<Slot<T>>>,
    limit: u16,
    len: usize,
    head: u32,
    tail: u32,
    next: SequenceNumber,
}

impl<T> Window<T> {
    pub(super) fn new(limit: u16) -> Self {
        let limit = limit.max(1);
        Self { slots: Vec::new(), limit, len: 0, head: NONE, tail: NONE, next: SequenceNumber::FIRST }
    }

    #[cfg(test)]
    pub(super) fn starting_at(limit: u16, next: SequenceNumber) -> Self {
        Self { next, ..Self::new(limit) }
    }

    /// As if all numbers up to this one had been given and answered.
    #[cfg(test)]
    pub(super) fn skip_to(&mut self, next: SequenceNumber) {
        self.next = next;
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_full(&self) -> bool {
        self.len >= usize::from(self.limit)
    }

    /// The next number that is not in flight.
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
        if let Some(slot) = self.slots.get_mut(index as usize) {
            *slot = Some(Slot { entry, previous, next: NONE });
            self.len += 1;
        }
    }

    /// Takes the request with this number, if it is of the command that `answers` accepts.
    pub(super) fn take(
        &mut self,
        sequence: SequenceNumber,
        answers: impl FnOnce(CommandId) -> bool,
    ) -> Option<Entry<T>> {
        let index = self.index(sequence);
        let place = self.slots.get_mut(index as usize)?;
        let matches =
            place.as_ref().is_some_and(|slot| slot.entry.sequence == sequence && answers(slot.entry.command));
        if !matches {
            return None;
        }
        let slot = place.take()?;
        self.len -= 1;
        self.link(slot.previous, slot.next);
        if slot.next == NONE {
            self.tail = slot.previous;
        }
        Some(slot.entry)
    }

    /// The request that was sent first.
    pub(super) fn first(&self) -> Option<&Entry<T>> {
        self.slots.get(self.head as usize)?.as_ref().map(|slot| &slot.entry)
    }

    /// Takes the request that was sent first.
    pub(super) fn take_first(&mut self) -> Option<Entry<T>> {
        let sequence = self.first()?.sequence;
        self.take(sequence, |_| true)
    }

    /// Twice the slots. Who is in flight keeps number and order; two that did not share a slot do not share one now.
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

    /// Makes `next` follow `previous`; either may be the end of the thread.
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
            company: 1,
            end: 0,
            tag,
        });
        sequence
    }

    #[test]
    fn numbers_wrap_and_skip_what_is_in_flight() {
        let mut window = Window::starting_at(2, SequenceNumber::LAST);
        let last = push(&mut window, 0);
        let wrapped = push(&mut window, 1);
        assert_eq!((last, wrapped), (SequenceNumber::LAST, SequenceNumber(1)));
        assert!(window.is_full());
        window.take(wrapped, |_| true).unwrap();
        // LAST holds slot 3 of 4, so 3 is skipped for as long as it is in flight.
        let given: Vec<u32> = (0..3)
            .map(|tag| {
                let sequence = push(&mut window, tag);
                window.take(sequence, |_| true).unwrap();
                sequence.0
            })
            .collect();
        assert_eq!(given, [2, 4, 5]);
    }

    #[test]
    fn a_response_of_another_command_takes_nothing() {
        let mut window = Window::new(1);
        let sequence = push(&mut window, 7);
        assert!(window.take(sequence, |command| command == CommandId::BIND_RECEIVER).is_none());
        assert!(window.take(SequenceNumber(sequence.0 + 2), |_| true).is_none(), "same slot, other number");
        assert_eq!(window.take(sequence, |_| true).unwrap().tag, 7);
        assert_eq!(window.len(), 0);
    }

    proptest! {
        /// Against a plain queue: order, membership and length after any sequence of operations.
        #[test]
        fn it_is_a_queue_with_removal(
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
                        prop_assert_eq!(window.take(sequence, |_| true).map(|entry| entry.tag), Some(tag));
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
                prop_assert_eq!(window.first().map(|entry| entry.tag), model.front().map(|(_, tag)| *tag));
            }
            while let Some((_, tag)) = model.pop_front() {
                prop_assert_eq!(window.take_first().map(|entry| entry.tag), Some(tag));
            }
            prop_assert!(window.take_first().is_none());
        }
    }
}
