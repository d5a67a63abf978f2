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
    /// Takes a slot for a request that is about to be sent.
    pub(crate) fn reserve(&mut self) -> u32 {
        if let Some(number) = self.free
            && let Some(slot) = self.slots.get_mut(number as usize)
        {
            self.free = match mem::replace(slot, Slot::Waiting(None)) {
                Slot::Free { next } => next,
                _ => None,
            };
            return number;
        }
        // It fits: each slot is a request in flight, or an outcome in memory.
        let number = self.slots.len() as u32;
        self.slots.push(Slot::Waiting(None));
        number
    }

    /// Gives up a slot: its outcome will not be fetched. A request that is `in_flight` keeps the slot until its outcome.
    pub(crate) fn abandon(&mut self, number: u32, in_flight: bool) {
        if let Some(slot) = self.slots.get_mut(number as usize) {
            match slot {
                Slot::Waiting(_) if in_flight => *slot = Slot::Abandoned,
                _ => drop(self.release(number)),
            }
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
            let numbers = [pending.reserve(), pending.reserve(), pending.reserve()];
            assert!(pending.take(numbers[1], Some(7)).is_none());
            assert_eq!(pending.complete(numbers[1], RESULT), Some(7));
            assert_eq!(pending.complete(numbers[0], RESULT), None);
            // Abandoned after its outcome, abandoned because it was never sent, and abandoned before its outcome.
            pending.abandon(numbers[0], true);
            pending.abandon(numbers[2], false);
            assert_eq!(pending.take(numbers[1], None).unwrap().unwrap_err(), RESULT.unwrap_err());
            let abandoned = pending.reserve();
            pending.abandon(abandoned, true);
            assert_eq!(pending.complete(abandoned, RESULT), None);
        }
        assert_eq!(pending.slots.len(), 3);
        let number = pending.reserve();
        pending.shrink();
        assert_eq!(pending.slots.len(), 3, "one is in use");
        pending.abandon(number, false);
        pending.shrink();
        assert_eq!((pending.slots.capacity(), pending.reserve()), (0, 0));
    }
}
