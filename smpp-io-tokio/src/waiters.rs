//! Who waits on a session: in line for a place, then for the outcome of a request.
//!
//! Both live under the session's lock. No waker is woken or dropped there, as that may run anyone's code: whoever
//! takes one out lets go of the lock first.

use std::collections::VecDeque;
use std::task::Waker;

use smpp_core::session::{RequestError, Response};

/// What the waiter of a request is told.
pub(crate) type Answer = Result<Response, RequestError>;

/// Where there are two tasks to be woken at once, there are often more.
const SEVERAL: usize = 64;

/// Who is to be woken.
#[derive(Default)]
pub(crate) struct Woken {
    last: Option<Waker>,
    before: Vec<Waker>,
}

impl Woken {
    /// Adds one. A task that waits for several things is woken once.
    pub(crate) fn add(&mut self, waker: Option<Waker>) {
        let Some(waker) = waker else { return };
        match &self.last {
            Some(last) if last.will_wake(&waker) => {}
            None => self.last = Some(waker),
            Some(_) => {
                if self.before.capacity() == 0 {
                    self.before.reserve(SEVERAL);
                }
                self.before.extend(self.last.replace(waker));
            }
        }
    }

    /// Wakes them all, in order. Whether there was anyone.
    pub(crate) fn wake(self) -> bool {
        let any = self.last.is_some();
        self.before.into_iter().chain(self.last).for_each(Waker::wake);
        any
    }
}

/// Those whose requests are in flight, or told of and not yet heard. A place is used again, so that a request costs
/// no allocation.
#[derive(Default)]
pub(crate) struct Waiters {
    places: Vec<Place>,
    /// The first place that is free, or as many as there are places.
    free: u32,
    taken: u32,
}

enum Place {
    /// Nobody's, and the next that is so.
    Free(u32),
    Waiting(Waker),
    Told(Answer),
    /// Its owner has stopped waiting.
    Forsaken,
}

impl Waiters {
    /// The place that is taken next.
    pub(crate) const fn next(&self) -> u32 {
        self.free
    }

    /// Takes the next place for someone who waits.
    pub(crate) fn take(&mut self, waker: Waker) {
        self.taken += 1;
        let taken = Place::Waiting(waker);
        let Some(slot) = self.places.get_mut(self.free as usize) else {
            self.places.push(taken);
            self.free = self.places.len() as u32;
            return;
        };
        if let Place::Free(next) = std::mem::replace(slot, taken) {
            self.free = next;
        }
    }

    /// Tells the owner of the place, who is to be woken.
    pub(crate) fn tell(&mut self, place: u32, answer: Answer) -> Option<Waker> {
        let slot = self.places.get_mut(place as usize)?;
        if let Place::Forsaken = slot {
            self.release(place);
            return None;
        }
        match std::mem::replace(slot, Place::Told(answer)) {
            Place::Waiting(waker) => Some(waker),
            _ => None,
        }
    }

    /// What the owner of the place was told, who gives it up with that. If nothing yet, `waker` is to be woken, and
    /// another no more.
    pub(crate) fn hear(&mut self, place: u32, waker: &Waker) -> Result<Answer, Option<Waker>> {
        match self.places.get_mut(place as usize) {
            Some(Place::Waiting(known)) if known.will_wake(waker) => Err(None),
            Some(Place::Waiting(known)) => Err(Some(std::mem::replace(known, waker.clone()))),
            Some(Place::Told(_)) => match self.release(place) {
                Some(Place::Told(answer)) => Ok(answer),
                _ => Err(None),
            },
            _ => Err(None),
        }
    }

    /// The owner of the place waits no longer.
    pub(crate) fn forsake(&mut self, place: u32) -> Option<Waker> {
        match self.places.get_mut(place as usize)? {
            slot @ Place::Waiting(_) => match std::mem::replace(slot, Place::Forsaken) {
                Place::Waiting(waker) => Some(waker),
                _ => None,
            },
            Place::Told(_) => {
                self.release(place);
                None
            }
            _ => None,
        }
    }

    /// Makes the place free.
    fn release(&mut self, place: u32) -> Option<Place> {
        let slot = self.places.get_mut(place as usize)?;
        let was = std::mem::replace(slot, Place::Free(self.free));
        self.free = place;
        self.taken -= 1;
        Some(was)
    }

    /// Gives back the memory if nobody waits.
    pub(crate) fn shrink(&mut self) {
        if self.taken == 0 {
            *self = Self::default();
        }
    }
}

/// Those who wait for a place in the window, for room in the output, or for the pace: first come, first served.
#[derive(Default)]
pub(crate) struct Line {
    /// By ticket, the lowest first. Who has been called has no waker.
    waiting: VecDeque<(u64, Option<Waker>)>,
    next: u64,
}

impl Line {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether nobody comes before the holder of this ticket, or before someone without one.
    pub(crate) fn is_first(&self, ticket: Option<u64>) -> bool {
        self.waiting.front().is_none_or(|(first, _)| Some(*first) == ticket)
    }

    /// Stands in line: where the ticket says, or at the end. Gives the ticket, and a waker that is of no use any more.
    pub(crate) fn stand(&mut self, ticket: Option<u64>, waker: &Waker) -> (u64, Option<Waker>) {
        let known = ticket.and_then(|ticket| self.find(ticket)).and_then(|at| self.waiting.get_mut(at));
        if let Some((ticket, known)) = known {
            return (*ticket, known.replace(waker.clone()));
        }
        let ticket = self.next;
        self.next += 1;
        self.waiting.push_back((ticket, Some(waker.clone())));
        (ticket, None)
    }

    /// Leaves the line.
    pub(crate) fn leave(&mut self, ticket: u64) -> Option<Waker> {
        self.waiting.remove(self.find(ticket)?)?.1
    }

    /// Calls so many of the first, those aside who have been called.
    pub(crate) fn call(&mut self, first: usize) -> impl Iterator<Item = Waker> {
        self.waiting.iter_mut().take(first).filter_map(|(_, waker)| waker.take())
    }

    fn find(&self, ticket: u64) -> Option<usize> {
        self.waiting.binary_search_by_key(&ticket, |(ticket, _)| *ticket).ok()
    }
}
