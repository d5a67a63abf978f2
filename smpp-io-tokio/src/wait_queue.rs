//! The requests that wait for capacity: the window, the output buffer or the rate limit.
//!
//! Capacity that becomes free is reserved for the first request, which leaves the queue, and its task is woken once. Later
//! requests do not take it, and the order in which the woken tasks run does not matter: each finds its place reserved. A
//! request that is dropped gives its reserved place to the next one.
//!
//! The queue is a linked list in an array: a request leaves it from any position at the same cost.

use std::task::Waker;

use smpp_proto::CommandId;

/// The index that ends a list.
const NONE: u32 = u32::MAX;

/// The requests that wait for capacity, first in, first out, and those that have a reserved place and have not been sent.
pub(crate) struct WaitQueue {
    entries: Vec<Entry>,
    /// The first of the free entries.
    free: u32,
    /// Entries that wait or have a reserved place.
    in_use: u32,
    reserved: u32,
    first: u32,
    last: u32,
    /// The number of the next request.
    next_number: u64,
}

struct Entry {
    /// Ascends in the queue.
    number: u64,
    command: CommandId,
    state: EntryState,
    /// The waker of the task, until it is woken.
    waker: Option<Waker>,
    /// It was woken, and its task has run before it was the first: it waits for that.
    is_early: bool,
}

#[derive(Clone, Copy)]
enum EntryState {
    /// Not in use. Holds the next free entry.
    Free(u32),
    /// In the queue.
    Waiting { previous: u32, next: u32 },
    /// A place is reserved.
    Reserved,
}

impl Default for WaitQueue {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            free: NONE,
            in_use: 0,
            reserved: 0,
            first: NONE,
            last: NONE,
            next_number: 0,
        }
    }
}

impl WaitQueue {
    /// Returns whether no request waits and no place is reserved.
    #[inline]
    pub(crate) const fn is_unused(&self) -> bool {
        self.in_use == 0
    }

    /// Returns the number of reserved places.
    pub(crate) const fn reserved(&self) -> u32 {
        self.reserved
    }

    /// Returns whether a place is reserved for this request.
    pub(crate) fn is_reserved(&self, ticket: u32) -> bool {
        matches!(self.entries.get(ticket as usize), Some(Entry { state: EntryState::Reserved, .. }))
    }

    /// Returns the command of the first request in the queue.
    pub(crate) fn first(&self) -> Option<CommandId> {
        self.entries.get(self.first as usize).map(|first| first.command)
    }

    /// Adds a request to the end of the queue. Returns its ticket.
    pub(crate) fn push(&mut self, command: CommandId, waker: Waker) -> u32 {
        let number = self.next_number;
        self.next_number += 1;
        self.in_use += 1;
        let entry =
            Entry { number, command, state: EntryState::Reserved, waker: Some(waker), is_early: false };
        let ticket = if let Some(free) = self.entries.get_mut(self.free as usize) {
            let ticket = self.free;
            if let EntryState::Free(next) = free.state {
                self.free = next;
            }
            *free = entry;
            ticket
        } else {
            self.entries.push(entry);
            self.entries.len() as u32 - 1
        };
        self.link(ticket, self.last, NONE);
        ticket
    }

    /// Stores the waker of a request in the queue. If its place was reserved, the reservation ends, and the request goes back
    /// to its position in the queue. Returns a waker that is not needed.
    pub(crate) fn wait(&mut self, ticket: u32, waker: &Waker) -> Option<Waker> {
        let entry = self.entries.get_mut(ticket as usize)?;
        let (number, was_reserved) = (entry.number, matches!(entry.state, EntryState::Reserved));
        entry.is_early |= !was_reserved && entry.waker.is_none();
        let replaced = match &mut entry.waker {
            Some(known) if known.will_wake(waker) => None,
            known => known.replace(waker.clone()),
        };
        if was_reserved {
            self.reserved -= 1;
            // Only requests that were refused as well can be before it.
            let (mut previous, mut next) = (NONE, self.first);
            while let Some(Entry { number: other, state: EntryState::Waiting { next: after, .. }, .. }) =
                self.entries.get(next as usize)
                && *other < number
            {
                (previous, next) = (next, *after);
            }
            self.link(ticket, previous, next);
        }
        replaced
    }

    /// Returns whether this is the first request in the queue.
    pub(crate) const fn is_first(&self, ticket: u32) -> bool {
        self.first == ticket
    }

    /// Reserves a place for the first request in the queue. Returns the waker of its task.
    pub(crate) fn reserve_first(&mut self) -> Option<Waker> {
        let first = self.first;
        self.unlink(first);
        let entry = self.entries.get_mut(first as usize)?;
        entry.state = EntryState::Reserved;
        self.reserved += 1;
        entry.waker.take()
    }

    /// Removes a request from the queue, or ends its reservation. Returns its waker.
    pub(crate) fn remove(&mut self, ticket: u32) -> Option<Waker> {
        self.unlink(ticket);
        let entry = self.entries.get_mut(ticket as usize)?;
        if let EntryState::Reserved = entry.state {
            self.reserved -= 1;
        }
        entry.state = EntryState::Free(self.free);
        self.free = ticket;
        self.in_use -= 1;
        entry.waker.take()
    }

    /// Takes the wakers of all requests in the queue, in order.
    pub(crate) fn take_wakers(&mut self) -> impl Iterator<Item = Waker> {
        self.entries.iter_mut().for_each(|entry| entry.is_early = false);
        self.take_first_wakers(usize::MAX)
    }

    /// Takes the wakers of so many requests at the front of the queue, in order. They stay in the queue. A request whose task
    /// has run too early is woken when it is the first: tasks that run in any other order than this one wake each other no
    /// more than once.
    pub(crate) fn take_first_wakers(&mut self, count: usize) -> impl Iterator<Item = Waker> {
        let (first, mut next) = (self.first, self.first);
        let wakers = std::iter::from_fn(move || {
            let ticket = next;
            let entry = self.entries.get_mut(ticket as usize)?;
            next = match entry.state {
                EntryState::Waiting { next, .. } => next,
                _ => NONE,
            };
            if entry.is_early && ticket != first {
                return Some(None);
            }
            entry.is_early = false;
            Some(entry.waker.take())
        });
        wakers.take(count).flatten()
    }

    /// Frees the memory if it is not in use.
    pub(crate) fn shrink(&mut self) {
        if self.is_unused() {
            *self = Self::default();
        }
    }

    /// Puts an entry into the queue, between two others.
    fn link(&mut self, ticket: u32, previous: u32, next: u32) {
        if let Some(entry) = self.entries.get_mut(ticket as usize) {
            entry.state = EntryState::Waiting { previous, next };
        }
        self.set_next(previous, ticket);
        self.set_previous(next, ticket);
    }

    /// Takes an entry out of the queue, if it is there. Its state does not change.
    fn unlink(&mut self, ticket: u32) {
        let Some(entry) = self.entries.get(ticket as usize) else { return };
        let EntryState::Waiting { previous, next } = entry.state else { return };
        self.set_next(previous, next);
        self.set_previous(next, previous);
    }

    fn set_next(&mut self, of: u32, to: u32) {
        match self.entries.get_mut(of as usize) {
            Some(Entry { state: EntryState::Waiting { next, .. }, .. }) => *next = to,
            _ => self.first = to,
        }
    }

    fn set_previous(&mut self, of: u32, to: u32) {
        match self.entries.get_mut(of as usize) {
            Some(Entry { state: EntryState::Waiting { previous, .. }, .. }) => *previous = to,
            _ => self.last = to,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Random calls, compared with an ordered map of numbers.
    #[test]
    fn the_queue_is_the_same_as_a_simple_model() {
        let waker = Waker::noop();
        let mut state = 1_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below.max(1)
        };
        let mut queue = WaitQueue::default();
        let mut numbers = 0_u32..;
        // The tickets by number. The command of a request is its number.
        let (mut waiting, mut reserved) = (BTreeMap::new(), BTreeMap::new());
        let nth =
            |map: &BTreeMap<u32, u32>, nth| map.iter().nth(nth).map(|(number, ticket)| (*number, *ticket));
        for _ in 0..100_000 {
            match random(5) {
                0 if waiting.len() < 50 => {
                    let number = numbers.next().unwrap();
                    waiting.insert(number, queue.push(CommandId(number), waker.clone()));
                }
                1 => {
                    let first = waiting.pop_first();
                    assert_eq!(queue.reserve_first().is_some(), first.is_some());
                    reserved.extend(first);
                }
                2 => {
                    if let Some((number, ticket)) = nth(&waiting, random(waiting.len())) {
                        waiting.remove(&number);
                        assert!(queue.remove(ticket).is_some());
                    }
                }
                3 => {
                    if let Some((number, ticket)) = nth(&reserved, random(reserved.len())) {
                        reserved.remove(&number);
                        assert!(queue.remove(ticket).is_none());
                    }
                }
                _ => {
                    if let Some((number, ticket)) = nth(&reserved, random(reserved.len())) {
                        reserved.remove(&number);
                        assert!(queue.wait(ticket, waker).is_none());
                        waiting.insert(number, ticket);
                    }
                }
            }
            assert_eq!(queue.first(), waiting.keys().next().map(|number| CommandId(*number)));
            assert_eq!(queue.reserved() as usize, reserved.len());
            assert_eq!(queue.is_unused(), waiting.is_empty() && reserved.is_empty());
            assert!(reserved.values().all(|ticket| queue.is_reserved(*ticket)));
            assert!(!waiting.values().any(|ticket| queue.is_reserved(*ticket)));
        }
        assert!(queue.entries.len() < 200, "entries are used again");
        assert_eq!(queue.take_wakers().count(), waiting.len());
    }
}
