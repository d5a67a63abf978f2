//! The tasks that wait on a session: first in a queue for capacity, then for the result of a request.
//!
//! Both collections are behind the session's lock. Waking or dropping a waker may run any code, so neither happens under
//! the lock: functions return the wakers, and the caller releases the lock first.

use std::collections::VecDeque;
use std::task::Waker;

use smpp_core::session::{Outcome, RequestError, Response};

/// The result of a request.
pub(crate) type RequestResult = Result<Response, RequestError>;

/// The capacity that a list of wakers starts with: where two tasks are woken at once, there are often more.
const WAKE_LIST_CAPACITY: usize = 64;

/// Wakers to wake once the lock is released. The first one needs no allocation.
#[derive(Default)]
pub(crate) struct WakeList {
    last: Option<Waker>,
    before: Vec<Waker>,
}

impl WakeList {
    /// Adds a waker, unless the one before it wakes the same task.
    #[inline]
    pub(crate) fn add(&mut self, waker: Option<Waker>) {
        let Some(waker) = waker else { return };
        match &self.last {
            Some(last) if last.will_wake(&waker) => {}
            _ => self.add_another(waker),
        }
    }

    #[inline(never)]
    fn add_another(&mut self, waker: Waker) {
        if let Some(last) = self.last.replace(waker) {
            if self.before.capacity() == 0 {
                self.before.reserve(WAKE_LIST_CAPACITY);
            }
            self.before.push(last);
        }
    }

    /// Wakes all tasks in order. Returns whether there were any.
    pub(crate) fn wake_all(self) -> bool {
        let any = self.last.is_some();
        self.before.into_iter().chain(self.last).for_each(Waker::wake);
        any
    }
}

/// The requests in flight, and those whose result the caller has not taken yet. Slots are reused, so that a request
/// costs no allocation.
#[derive(Default)]
pub(crate) struct PendingRequests {
    slots: Vec<Slot>,
    /// The head of the list of free slots; `slots.len()` if none is free.
    free: u32,
    in_use: u32,
}

struct Slot {
    state: SlotState,
    /// The result, until the caller takes it.
    result: Option<RequestResult>,
}

enum SlotState {
    /// Not in use. Holds the next free slot.
    Free(u32),
    /// In flight. Holds the waker of the caller.
    Waiting(Waker),
    /// The result is there.
    Completed,
    /// In flight, but the caller has dropped the request.
    Abandoned,
}

impl PendingRequests {
    /// Returns the slot that the next [`insert`](Self::insert) uses.
    pub(crate) const fn next_slot(&self) -> u32 {
        self.free
    }

    /// Adds a request.
    #[inline]
    pub(crate) fn insert(&mut self, waker: Waker) {
        self.in_use += 1;
        let state = SlotState::Waiting(waker);
        match self.slots.get_mut(self.free as usize) {
            Some(slot) => {
                if let SlotState::Free(next) = slot.state {
                    self.free = next;
                }
                slot.state = state;
            }
            None => self.push(state),
        }
    }

    #[cold]
    fn push(&mut self, state: SlotState) {
        self.slots.push(Slot { state, result: None });
        self.free = self.slots.len() as u32;
    }

    /// Stores the result of a request. Returns the caller's waker.
    #[inline]
    pub(crate) fn complete(&mut self, index: u32, outcome: Outcome<'_>) -> Option<Waker> {
        let slot = self.slots.get_mut(index as usize)?;
        if let SlotState::Abandoned = slot.state {
            self.release(index);
            return None;
        }
        outcome.store_in(&mut slot.result);
        match std::mem::replace(&mut slot.state, SlotState::Completed) {
            SlotState::Waiting(waker) => Some(waker),
            _ => None,
        }
    }

    /// Takes the result and releases the slot. If there is no result yet, stores `waker` and returns the one that it
    /// replaces.
    #[inline]
    pub(crate) fn take_result(&mut self, index: u32, waker: &Waker) -> Result<RequestResult, Option<Waker>> {
        let Some(slot) = self.slots.get_mut(index as usize) else { return Err(None) };
        if let Some(result) = slot.result.take() {
            self.release(index);
            return Ok(result);
        }
        match &mut slot.state {
            SlotState::Waiting(known) if !known.will_wake(waker) => {
                Err(Some(std::mem::replace(known, waker.clone())))
            }
            _ => Err(None),
        }
    }

    /// Discards the result of a request, now or when it comes. Returns the caller's waker.
    pub(crate) fn abandon(&mut self, index: u32) -> Option<Waker> {
        let slot = self.slots.get_mut(index as usize)?;
        if slot.result.take().is_some() {
            self.release(index);
            return None;
        }
        match std::mem::replace(&mut slot.state, SlotState::Abandoned) {
            SlotState::Waiting(waker) => Some(waker),
            _ => None,
        }
    }

    #[inline]
    fn release(&mut self, index: u32) {
        if let Some(slot) = self.slots.get_mut(index as usize) {
            slot.state = SlotState::Free(self.free);
            self.free = index;
            self.in_use -= 1;
        }
    }

    /// Frees the memory if no slot is in use.
    pub(crate) fn shrink(&mut self) {
        if self.in_use == 0 {
            *self = Self::default();
        }
    }
}

/// The requests that wait for capacity: the window, the output buffer or the rate limit. First in, first out.
#[derive(Default)]
pub(crate) struct WaitQueue {
    /// In ascending order of the tickets. A waiter that has been woken has no waker.
    waiters: VecDeque<(u64, Option<Waker>)>,
    next_ticket: u64,
}

impl WaitQueue {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    /// Returns whether a request with this ticket, or a new one without a ticket, is first.
    pub(crate) fn is_first(&self, ticket: Option<u64>) -> bool {
        self.waiters.front().is_none_or(|(first, _)| Some(*first) == ticket)
    }

    /// Adds a waiter to the end, or stores a new waker for the one with this ticket. Returns the ticket and the waker that
    /// was replaced.
    pub(crate) fn wait(&mut self, ticket: Option<u64>, waker: &Waker) -> (u64, Option<Waker>) {
        let known = ticket.and_then(|ticket| self.find(ticket)).and_then(|at| self.waiters.get_mut(at));
        if let Some((ticket, known)) = known {
            return (*ticket, known.replace(waker.clone()));
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiters.push_back((ticket, Some(waker.clone())));
        (ticket, None)
    }

    pub(crate) fn remove(&mut self, ticket: u64) -> Option<Waker> {
        self.waiters.remove(self.find(ticket)?)?.1
    }

    /// Takes the wakers of the first `count` waiters. Those that have been woken before have none.
    pub(crate) fn take_wakers(&mut self, count: usize) -> impl Iterator<Item = Waker> {
        self.waiters.iter_mut().take(count).filter_map(|(_, waker)| waker.take())
    }

    /// Frees the memory if nothing waits.
    pub(crate) fn shrink(&mut self) {
        if self.waiters.is_empty() {
            self.waiters = VecDeque::new();
        }
    }

    fn find(&self, ticket: u64) -> Option<usize> {
        self.waiters.binary_search_by_key(&ticket, |(ticket, _)| *ticket).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use smpp_core::session::CloseReason;

    use super::*;

    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn task() -> (Arc<Counting>, Waker) {
        let task = Arc::new(Counting::default());
        (Arc::clone(&task), task.into())
    }

    fn woken(task: &Counting) -> usize {
        task.0.load(Ordering::SeqCst)
    }

    const OUTCOME: Outcome<'_> = Outcome::NeverSent(CloseReason::Aborted);

    #[test]
    fn a_wake_list_wakes_a_task_that_follows_itself_once() {
        let ((first, first_waker), (second, second_waker)) = (task(), task());
        assert!(!WakeList::default().wake_all());
        let mut list = WakeList::default();
        for waker in [&first_waker, &first_waker, &second_waker, &first_waker] {
            list.add(Some(waker.clone()));
        }
        list.add(None);
        assert!(list.wake_all());
        assert_eq!((woken(&first), woken(&second)), (2, 1));
    }

    #[test]
    fn a_slot_is_free_once_its_result_is_taken_or_discarded() {
        let mut pending = PendingRequests::default();
        let (_, waker) = task();
        for round in 0..3 {
            // Taken.
            assert_eq!(pending.next_slot(), 0, "round {round}");
            pending.insert(waker.clone());
            assert!(pending.complete(0, OUTCOME).is_some_and(|caller| caller.will_wake(&waker)));
            assert!(pending.take_result(0, &waker).is_ok());
            // Abandoned after the result, and before it.
            pending.insert(waker.clone());
            assert!(pending.complete(0, OUTCOME).is_some());
            assert!(pending.abandon(0).is_none());
            pending.insert(waker.clone());
            assert!(pending.abandon(0).is_some());
            assert_eq!(pending.next_slot(), 1, "the request is still in flight");
            assert!(pending.complete(0, OUTCOME).is_none());
        }
        assert_eq!(pending.slots.len(), 1);
        pending.insert(waker);
        pending.shrink();
        assert_eq!(pending.slots.len(), 1, "a slot in use is kept");
        assert!(pending.complete(0, OUTCOME).is_some() && pending.abandon(0).is_none());
        pending.shrink();
        assert_eq!((pending.slots.capacity(), pending.next_slot()), (0, 0));
    }

    #[test]
    fn a_request_that_moves_to_another_task_wakes_that_task() {
        let mut pending = PendingRequests::default();
        let ((_, first), (_, second)) = (task(), task());
        pending.insert(first.clone());
        assert!(matches!(pending.take_result(0, &first), Err(None)));
        let replaced = pending.take_result(0, &second);
        assert!(matches!(replaced, Err(Some(replaced)) if replaced.will_wake(&first)));
        assert!(pending.complete(0, OUTCOME).is_some_and(|caller| caller.will_wake(&second)));
    }

    #[test]
    fn the_wait_queue_keeps_the_order_and_the_last_waker_of_each() {
        let mut queue = WaitQueue::default();
        let ((_, first), (_, second)) = (task(), task());
        assert!(queue.is_first(None), "nothing waits");
        let (ticket, replaced) = queue.wait(None, &first);
        assert!(replaced.is_none());
        let (other, _) = queue.wait(None, &first);
        assert!(!queue.is_first(None) && queue.is_first(Some(ticket)) && !queue.is_first(Some(other)));
        let (same, replaced) = queue.wait(Some(ticket), &second);
        assert!(same == ticket && replaced.is_some_and(|replaced| replaced.will_wake(&first)));
        let taken: Vec<_> = queue.take_wakers(1).collect();
        assert!(matches!(&taken[..], [waker] if waker.will_wake(&second)));
        assert_eq!(queue.take_wakers(1).count(), 0, "it has been woken");
        queue.shrink();
        assert!(queue.remove(ticket).is_none() && queue.is_first(Some(other)));
        assert!(queue.remove(other).is_some() && queue.is_empty());
        queue.shrink();
        assert_eq!(queue.waiters.capacity(), 0);
    }
}
