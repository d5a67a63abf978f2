//! The tasks that wait on a session for the result of a request, and the tasks to wake. Those that wait for capacity are in
//! the [wait queue](crate::wait_queue).
//!
//! The collections are behind the session's lock. Waking or dropping a waker may run any code, so neither happens under
//! the lock: functions return the wakers, and the caller releases the lock first.

use std::task::{Poll, Waker};

use smpp_proto::server::DeliveryId;
use smpp_proto::session::{Outcome, RequestError, Response};

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

    /// Returns whether there is no task to wake.
    pub(crate) const fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// Wakes all tasks in order, and keeps the memory for the next ones. Returns whether there were any.
    pub(crate) fn wake_all(&mut self) -> bool {
        let any = self.last.is_some();
        self.before.drain(..).chain(self.last.take()).for_each(Waker::wake);
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
    /// In flight, and a server gets its result.
    Delivery(DeliveryId),
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

    /// Adds a delivery of a server.
    pub(crate) fn insert_delivery(&mut self, delivery: DeliveryId) {
        let index = self.free as usize;
        self.insert(Waker::noop().clone());
        if let Some(slot) = self.slots.get_mut(index) {
            slot.state = SlotState::Delivery(delivery);
        }
    }

    #[cold]
    fn push(&mut self, state: SlotState) {
        self.slots.push(Slot { state, result: None });
        self.free = self.slots.len() as u32;
    }

    /// Stores the result of a request. Returns the caller's waker. The result of a delivery goes to `report`.
    #[inline]
    pub(crate) fn complete(
        &mut self,
        index: u32,
        outcome: Outcome<'_>,
        report: impl FnOnce(DeliveryId, RequestResult),
    ) -> Option<Waker> {
        let slot = self.slots.get_mut(index as usize)?;
        if let SlotState::Waiting(_) = slot.state {
            outcome.store_in(&mut slot.result);
            if let SlotState::Waiting(waker) = std::mem::replace(&mut slot.state, SlotState::Completed) {
                return Some(waker);
            }
        } else {
            self.complete_unawaited(index, outcome, report);
        }
        None
    }

    /// Returns whether there is a result. If not, stores `waker`; `replaced` receives the one that it replaces.
    #[inline]
    pub(crate) fn is_completed(&mut self, index: u32, waker: &Waker, replaced: &mut Option<Waker>) -> bool {
        let Some(slot) = self.slots.get_mut(index as usize) else { return false };
        match &mut slot.state {
            SlotState::Completed => return true,
            SlotState::Waiting(known) if !known.will_wake(waker) => {
                *replaced = Some(std::mem::replace(known, waker.clone()));
            }
            _ => {}
        }
        false
    }

    /// Releases the slot and takes its result.
    #[inline]
    pub(crate) fn take_result(&mut self, index: u32) -> Poll<RequestResult> {
        let Some(slot) = self.slots.get_mut(index as usize) else { return Poll::Pending };
        slot.state = SlotState::Free(self.free);
        self.free = index;
        self.in_use -= 1;
        slot.result.take().map_or(Poll::Pending, Poll::Ready)
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

    /// Releases the slot of a request whose result no task waits for, and reports that of a delivery.
    #[cold]
    #[inline(never)]
    fn complete_unawaited(
        &mut self,
        index: u32,
        outcome: Outcome<'_>,
        report: impl FnOnce(DeliveryId, RequestResult),
    ) {
        match self.slots.get(index as usize).map(|slot| &slot.state) {
            Some(SlotState::Delivery(delivery)) => {
                let delivery = *delivery;
                self.release(index);
                report(delivery, outcome.into_result());
            }
            Some(SlotState::Abandoned) => self.release(index),
            None | Some(SlotState::Free(_) | SlotState::Waiting(_) | SlotState::Completed) => {}
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

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use smpp_proto::session::CloseReason;

    use super::*;

    /// A task that counts how often it is woken.
    #[derive(Default)]
    pub(crate) struct Counting(pub(crate) AtomicUsize);

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

    /// Completes the request in the first slot.
    fn complete(pending: &mut PendingRequests) -> Option<Waker> {
        pending.complete(0, OUTCOME, |_, _| panic!("no delivery"))
    }

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
            assert!(complete(&mut pending).is_some_and(|caller| caller.will_wake(&waker)));
            assert!(pending.is_completed(0, &waker, &mut None));
            assert!(pending.take_result(0).is_ready());
            // Abandoned after the result, and before it.
            pending.insert(waker.clone());
            assert!(complete(&mut pending).is_some());
            assert!(pending.abandon(0).is_none());
            pending.insert(waker.clone());
            assert!(pending.abandon(0).is_some());
            assert_eq!(pending.next_slot(), 1, "the request is still in flight");
            assert!(complete(&mut pending).is_none());
        }
        assert_eq!(pending.slots.len(), 1);
        pending.insert(waker);
        pending.shrink();
        assert_eq!(pending.slots.len(), 1, "a slot in use is kept");
        assert!(complete(&mut pending).is_some() && pending.abandon(0).is_none());
        pending.shrink();
        assert_eq!((pending.slots.capacity(), pending.next_slot()), (0, 0));
    }

    #[test]
    fn a_request_that_moves_to_another_task_wakes_that_task() {
        let mut pending = PendingRequests::default();
        let ((_, first), (_, second)) = (task(), task());
        pending.insert(first.clone());
        let mut replaced = None;
        assert!(!pending.is_completed(0, &first, &mut replaced) && replaced.is_none());
        assert!(!pending.is_completed(0, &second, &mut replaced));
        assert!(replaced.is_some_and(|replaced| replaced.will_wake(&first)));
        assert!(complete(&mut pending).is_some_and(|caller| caller.will_wake(&second)));
    }
}
