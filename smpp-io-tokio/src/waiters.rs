//! Who waits on a session: in line for a place, then for the outcome of a request.
//!
//! Both live under the session's lock. No waker is woken or dropped there, as that may run anyone's code: whoever
//! takes one out lets go of the lock first.

use std::collections::VecDeque;
use std::task::Waker;

use smpp_core::session::{Outcome, RequestError, Response};

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
                self.before.reserve(SEVERAL);
            }
            self.before.push(last);
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

struct Place {
    owner: Owner,
    /// What the owner was told.
    answer: Option<Answer>,
}

enum Owner {
    /// Nobody, and the next place that is so.
    None(u32),
    Waits(Waker),
    Told,
    /// It has stopped waiting.
    Gone,
}

impl Waiters {
    /// The place that is taken next.
    pub(crate) const fn next(&self) -> u32 {
        self.free
    }

    /// Takes the next place for someone who waits.
    #[inline]
    pub(crate) fn take(&mut self, waker: Waker) {
        self.taken += 1;
        let owner = Owner::Waits(waker);
        match self.places.get_mut(self.free as usize) {
            Some(place) => {
                if let Owner::None(next) = place.owner {
                    self.free = next;
                }
                place.owner = owner;
            }
            None => self.add(owner),
        }
    }

    #[cold]
    fn add(&mut self, owner: Owner) {
        self.places.push(Place { owner, answer: None });
        self.free = self.places.len() as u32;
    }

    /// Tells the owner of the place, who is to be woken.
    #[inline]
    pub(crate) fn tell(&mut self, place: u32, outcome: Outcome<'_>) -> Option<Waker> {
        let slot = self.places.get_mut(place as usize)?;
        if let Owner::Gone = slot.owner {
            self.release(place);
            return None;
        }
        outcome.store_in(&mut slot.answer);
        match std::mem::replace(&mut slot.owner, Owner::Told) {
            Owner::Waits(waker) => Some(waker),
            _ => None,
        }
    }

    /// What the owner of the place was told, who gives it up with that. If nothing yet, `waker` is to be woken, and
    /// another no more.
    #[inline]
    pub(crate) fn hear(&mut self, place: u32, waker: &Waker) -> Result<Answer, Option<Waker>> {
        let Some(slot) = self.places.get_mut(place as usize) else { return Err(None) };
        if let Some(answer) = slot.answer.take() {
            self.release(place);
            return Ok(answer);
        }
        match &mut slot.owner {
            Owner::Waits(known) if !known.will_wake(waker) => {
                Err(Some(std::mem::replace(known, waker.clone())))
            }
            _ => Err(None),
        }
    }

    /// The owner of the place waits no longer.
    pub(crate) fn forsake(&mut self, place: u32) -> Option<Waker> {
        let slot = self.places.get_mut(place as usize)?;
        if slot.answer.take().is_some() {
            self.release(place);
            return None;
        }
        match std::mem::replace(&mut slot.owner, Owner::Gone) {
            Owner::Waits(waker) => Some(waker),
            _ => None,
        }
    }

    /// Makes the place free.
    #[inline]
    fn release(&mut self, place: u32) {
        if let Some(slot) = self.places.get_mut(place as usize) {
            slot.owner = Owner::None(self.free);
            self.free = place;
            self.taken -= 1;
        }
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
