//! The tasks that wait on a session for the result of a request, and the tasks to wake. Those that wait for capacity are in
//! the [wait queue](crate::wait_queue).
//!
//! The collections are behind the session's lock. Waking or dropping a waker may run any code, so neither happens under
//! the lock: functions return the wakers, and the caller releases the lock first.

use std::task::{Poll, Waker};

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
