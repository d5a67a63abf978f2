//! The requests that are in flight, and the outcomes that no thread has fetched yet.

use std::mem;

use smpp_proto::server::DeliveryId;
use smpp_proto::session::{RequestError, Response};

/// The outcome of a request.
pub(crate) type RequestResult = Result<Response, RequestError>;

/// One slot for each request that is in flight or whose outcome was not fetched. Slots are used again, so that in the long
/// run a request costs no allocation here.
#[derive(Debug, Default)]
pub(crate) struct PendingRequests {
    slots: Vec<Slot>,
    /// The first free slot. Each free slot holds the number of the next.
    free: Option<u32>,
}

#[derive(Debug)]
enum Slot {
    Free {
        next: Option<u32>,
    },
    /// The request is in flight. The number is that of the thread that waits for the outcome.
    Waiting(Option<u32>),
    /// The request is in flight, and its outcome is dropped when it comes.
    Abandoned,
    /// The request is in flight, and a server gets its outcome.
    Delivery(DeliveryId),
    Completed(RequestResult),
}

impl PendingRequests {
    /// Returns the slot that the next [`insert`](Self::insert) takes.
    pub(crate) const fn next_slot(&self) -> u32 {
        match self.free {
            Some(number) => number,
            // It fits: each slot is a request in flight, or an outcome in memory.
            None => self.slots.len() as u32,
        }
    }

    /// Takes a slot for a request that was sent.
    pub(crate) fn insert(&mut self) -> u32 {
        let number = self.next_slot();
        match self.slots.get_mut(number as usize) {
            Some(slot) => {
                self.free = match mem::replace(slot, Slot::Waiting(None)) {
                    Slot::Free { next } => next,
                    _ => None,
                };
            }
            None => self.slots.push(Slot::Waiting(None)),
        }
        number
    }

    /// Gives up a slot, because no thread fetches its outcome. A request in flight keeps it until then.
    pub(crate) fn abandon(&mut self, number: u32) {
        match self.slots.get_mut(number as usize) {
            Some(slot @ Slot::Waiting(_)) => *slot = Slot::Abandoned,
            Some(Slot::Completed(_)) => drop(self.release(number)),
            _ => {}
        }
    }

    /// Gives the outcome of a request that was sent to a server.
    pub(crate) fn set_delivery(&mut self, number: u32, delivery: DeliveryId) {
        if let Some(slot) = self.slots.get_mut(number as usize) {
            *slot = Slot::Delivery(delivery);
        }
    }

    /// Returns the delivery of a server whose request has its outcome, and frees the slot.
    pub(crate) fn take_delivery(&mut self, number: u32) -> Option<DeliveryId> {
        let Slot::Delivery(delivery) = self.slots.get(number as usize)? else { return None };
        let delivery = *delivery;
        self.release(number);
        Some(delivery)
    }

    /// Stores the outcome of a request. Returns the thread that waits for it.
    pub(crate) fn complete(&mut self, number: u32, result: RequestResult) -> Option<u32> {
        let slot = self.slots.get_mut(number as usize)?;
        if let Slot::Waiting(waiter) = mem::replace(slot, Slot::Completed(result)) {
            return waiter;
        }
        self.release(number);
        None
    }

    /// Takes the outcome and frees the slot. If there is no outcome yet, records `waiter` as the thread to wake.
    pub(crate) fn take(&mut self, number: u32, waiter: Option<u32>) -> Option<RequestResult> {
        let slot = self.slots.get_mut(number as usize)?;
        if let Slot::Waiting(waiting) = slot {
            *waiting = waiter;
            return None;
        }
        match self.release(number) {
            Some(Slot::Completed(result)) => Some(result),
            _ => None,
        }
    }

    /// Frees the memory if no slot is in use.
    pub(crate) fn shrink(&mut self) {
        if self.slots.iter().all(|slot| matches!(slot, Slot::Free { .. })) {
            *self = Self::default();
        }
    }

    /// Returns how many slots are in use.
    #[cfg(test)]
    pub(crate) fn in_use(&self) -> usize {
        self.slots.iter().filter(|slot| !matches!(slot, Slot::Free { .. })).count()
    }

    fn release(&mut self, number: u32) -> Option<Slot> {
        let slot = self.slots.get_mut(number as usize)?;
        let next = self.free.replace(number);
        Some(mem::replace(slot, Slot::Free { next }))
    }
}

#[cfg(test)]
mod tests {
    use smpp_proto::session::UnansweredReason;

    use super::*;

    const RESULT: RequestResult = Err(RequestError::Unanswered(UnansweredReason::Timeout));

    #[test]
    fn slots_are_used_again() {
        let mut pending = PendingRequests::default();
        for _ in 0..3 {
            let numbers = [(); 2].map(|()| {
                let next = pending.next_slot();
                assert_eq!(pending.insert(), next);
                next
            });
            assert!(pending.take(numbers[1], Some(7)).is_none());
            assert_eq!(pending.complete(numbers[1], RESULT), Some(7));
            assert_eq!(pending.complete(numbers[0], RESULT), None);
            // Abandoned after its outcome, and before it.
            pending.abandon(numbers[0]);
            assert_eq!(pending.take(numbers[1], None).unwrap().unwrap_err(), RESULT.unwrap_err());
            let abandoned = pending.insert();
            pending.abandon(abandoned);
            assert_eq!((pending.in_use(), pending.complete(abandoned, RESULT)), (1, None));
            assert_eq!(pending.in_use(), 0);
            // Its outcome was fetched.
            pending.abandon(abandoned);
        }
        assert_eq!(pending.slots.len(), 2);
        let number = pending.insert();
        pending.shrink();
        assert_eq!(pending.slots.len(), 2, "one is in use");
        assert!(pending.complete(number, RESULT).is_none() && pending.take(number, None).is_some());
        pending.shrink();
        assert_eq!((pending.slots.capacity(), pending.insert()), (0, 0));
    }
}
