//! Where outcomes wait for those who sent the requests.

use std::mem;

use smpp_core::session::{RequestError, Response};

/// How a request ended.
pub(crate) type Answer = Result<Response, RequestError>;

/// One place for each request that is in flight or whose outcome nobody has fetched yet. Places are used again: in
/// the long run a request costs no allocation here.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    places: Vec<Place>,
    /// The first of the free places; they are threaded.
    free: Option<u32>,
}

#[derive(Debug)]
enum Place {
    Free {
        next: Option<u32>,
    },
    /// In flight, and who waits for its outcome.
    Awaited(Option<u32>),
    /// In flight, and nobody wants to know.
    Forgotten,
    Known(Answer),
}

impl Outcomes {
    /// A place for a request that is about to be sent.
    pub(crate) fn open(&mut self) -> u32 {
        if let Some(number) = self.free
            && let Some(place) = self.places.get_mut(number as usize)
        {
            self.free = match mem::replace(place, Place::Awaited(None)) {
                Place::Free { next } => next,
                _ => None,
            };
            return number;
        }
        // No more than there are numbers: each place is a request in flight, or an outcome in memory.
        let number = self.places.len() as u32;
        self.places.push(Place::Awaited(None));
        number
    }

    /// The request was not sent after all, or nobody wants its outcome any more.
    pub(crate) fn forget(&mut self, number: u32, in_flight: bool) {
        if let Some(place) = self.places.get_mut(number as usize) {
            match place {
                Place::Awaited(_) if in_flight => *place = Place::Forgotten,
                _ => drop(self.release(number)),
            }
        }
    }

    /// The request has ended. Who waits for it?
    pub(crate) fn tell(&mut self, number: u32, answer: Answer) -> Option<u32> {
        let place = self.places.get_mut(number as usize)?;
        if let Place::Awaited(waiter) = mem::replace(place, Place::Known(answer)) {
            return waiter;
        }
        self.release(number);
        None
    }

    /// The outcome, if it is known; the place is free then. If not, `waiter` is whom to wake.
    pub(crate) fn take(&mut self, number: u32, waiter: Option<u32>) -> Option<Answer> {
        let place = self.places.get_mut(number as usize)?;
        if let Place::Awaited(waits) = place {
            *waits = waiter;
            return None;
        }
        match self.release(number) {
            Some(Place::Known(answer)) => Some(answer),
            _ => None,
        }
    }

    fn release(&mut self, number: u32) -> Option<Place> {
        let place = self.places.get_mut(number as usize)?;
        let next = self.free.replace(number);
        Some(mem::replace(place, Place::Free { next }))
    }
}

#[cfg(test)]
mod tests {
    use smpp_core::session::UnansweredReason;

    use super::*;

    const ANSWER: Answer = Err(RequestError::Unanswered(UnansweredReason::Timeout));

    #[test]
    fn a_place_is_used_again() {
        let mut outcomes = Outcomes::default();
        for _ in 0..3 {
            let numbers = [outcomes.open(), outcomes.open(), outcomes.open()];
            assert!(outcomes.take(numbers[1], Some(7)).is_none());
            assert_eq!(outcomes.tell(numbers[1], ANSWER), Some(7));
            assert_eq!(outcomes.tell(numbers[0], ANSWER), None);
            // Forgotten before its outcome, after it, and never sent.
            outcomes.forget(numbers[0], true);
            outcomes.forget(numbers[2], false);
            assert_eq!(outcomes.take(numbers[1], None).unwrap().unwrap_err(), ANSWER.unwrap_err());
            let late = outcomes.open();
            outcomes.forget(late, true);
            assert_eq!(outcomes.tell(late, ANSWER), None);
        }
        assert_eq!(outcomes.places.len(), 3);
    }
}
