//! The threads that wait: for an outcome, for room, for a request of the peer, for the end.

use std::collections::VecDeque;
use std::mem;
use std::thread::{self, Thread};

use smpp_core::session::Instant;

/// The threads that are in a call that waits, and who of them is next to send.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    threads: Vec<Option<Waiter>>,
    /// How many of them lead and are parked.
    parked_leaders: usize,
    /// Who waits for room, in order.
    queue: VecDeque<u32>,
    /// Until when the first of them keeps its turn for the pace's sake.
    paced: Option<Instant>,
    /// Places in the window that are kept for those who were woken to take them.
    granted: usize,
    /// Who is to be unparked as soon as no lock is held.
    woken: Vec<Thread>,
}

#[derive(Debug)]
struct Waiter {
    thread: Thread,
    part: Part,
    parked: bool,
    granted: bool,
}

/// What a thread does for others while it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// It works, and is woken to work: its own turn is sure to come.
    Leads,
    /// It works until it has read something for another thread, which may want more soon; that one reads on then.
    Helps,
    /// It does not work.
    Watches,
}

impl Waiter {
    fn leads(&self) -> bool {
        self.part == Part::Leads
    }
}

impl Waiters {
    /// The current thread is going to wait.
    pub(crate) fn enlist(&mut self, part: Part) -> u32 {
        let waiter = Some(Waiter { thread: thread::current(), part, parked: false, granted: false });
        let free = self.threads.iter_mut().zip(0..).find(|(place, _)| place.is_none());
        if let Some((place, number)) = free {
            *place = waiter;
            return number;
        }
        self.threads.push(waiter);
        (self.threads.len() - 1) as u32
    }

    /// It waits no more.
    pub(crate) fn dismiss(&mut self, number: u32) {
        self.leave_queue(number);
        let Some(waiter) = self.threads.get_mut(number as usize).and_then(Option::take) else { return };
        self.parked_leaders -= usize::from(waiter.parked && waiter.leads());
    }

    /// It waits for room no more.
    pub(crate) fn leave_queue(&mut self, number: u32) {
        if let Some(waiter) = self.get(number)
            && mem::take(&mut waiter.granted)
        {
            self.granted -= 1;
        }
        if self.is_first(number) {
            self.paced = None;
        }
        self.queue.retain(|queued| *queued != number);
    }

    /// It is about to park.
    pub(crate) fn park(&mut self, number: u32) {
        if let Some(waiter) = self.get(number)
            && !mem::replace(&mut waiter.parked, true)
        {
            self.parked_leaders += usize::from(waiter.leads());
        }
    }

    /// It runs again, whoever woke it.
    pub(crate) fn unpark(&mut self, number: u32) {
        if let Some(waiter) = self.get(number)
            && mem::take(&mut waiter.parked)
        {
            self.parked_leaders -= usize::from(waiter.leads());
        }
    }

    /// Has it woken, if it is parked.
    pub(crate) fn wake(&mut self, number: u32) {
        if let Some(waiter) = self.threads.get_mut(number as usize).and_then(Option::as_mut)
            && mem::take(&mut waiter.parked)
        {
            self.parked_leaders -= usize::from(waiter.leads());
            self.woken.push(waiter.thread.clone());
        }
    }

    /// Whether anyone who leads is parked.
    pub(crate) const fn has_parked_leader(&self) -> bool {
        self.parked_leaders > 0
    }

    /// Has one of those that are parked and lead woken, if there is one.
    pub(crate) fn wake_one(&mut self) -> Option<u32> {
        if !self.has_parked_leader() {
            return None;
        }
        let leads = |waiter: &Waiter| waiter.parked && waiter.leads();
        let leader = self.threads.iter().position(|waiter| waiter.as_ref().is_some_and(leads));
        let leader = leader.map(|number| number as u32);
        leader.inspect(|number| self.wake(*number))
    }

    /// Has all of them woken.
    pub(crate) fn wake_all(&mut self) {
        (0..self.threads.len()).for_each(|number| self.wake(number as u32));
    }

    /// Who is to be unparked now.
    pub(crate) fn woken(&mut self) -> &mut Vec<Thread> {
        &mut self.woken
    }

    /// Whether anyone waits for room.
    pub(crate) fn is_queue_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether the thread may take one of `room` places: it was granted one, or is the first that wants one.
    pub(crate) fn may_take(&mut self, number: Option<u32>, room: usize) -> bool {
        let first = number.map_or(self.queue.is_empty(), |number| self.is_first(number));
        let granted = number.and_then(|number| self.get(number)).is_some_and(|waiter| waiter.granted);
        granted || (first && room > self.granted)
    }

    /// It waits for room, behind those that do already; or before them, if it was its turn already.
    pub(crate) fn queue(&mut self, number: u32, paced: Option<Instant>) {
        if let Some(waiter) = self.get(number)
            && mem::take(&mut waiter.granted)
        {
            self.granted -= 1;
            self.queue.push_front(number);
        } else if !self.queue.contains(&number) {
            self.queue.push_back(number);
        }
        if self.is_first(number) {
            self.paced = paced;
        }
    }

    /// Grants `room` places to those who wait for them, and has them woken.
    pub(crate) fn grant(&mut self, room: usize) {
        while self.paced.is_none() && room > self.granted {
            let Some(number) = self.queue.pop_front() else { return };
            if let Some(waiter) = self.get(number) {
                waiter.granted = true;
                self.granted += 1;
                self.wake(number);
            }
        }
    }

    fn is_first(&self, number: u32) -> bool {
        self.queue.front() == Some(&number)
    }

    fn get(&mut self, number: u32) -> Option<&mut Waiter> {
        self.threads.get_mut(number as usize)?.as_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_in_the_order_in_which_it_was_asked_for() {
        let mut waiters = Waiters::default();
        let [a, b, c] = [(); 3].map(|()| waiters.enlist(Part::Leads));
        for number in [a, b, c] {
            waiters.queue(number, None);
            waiters.park(number);
        }
        assert!(!waiters.may_take(None, 1), "behind the others");
        waiters.grant(2);
        assert_eq!((waiters.woken().len(), waiters.granted), (2, 2));
        assert!(waiters.may_take(Some(a), 0) && waiters.may_take(Some(b), 0));
        assert!(!waiters.may_take(Some(c), 2) && waiters.may_take(Some(c), 3));
        // One finds no room all the same: it is the first again.
        waiters.queue(b, None);
        assert!(!waiters.may_take(Some(c), 3) && waiters.may_take(Some(b), 2));
        waiters.dismiss(a);
        waiters.dismiss(b);
        assert_eq!((waiters.granted, waiters.parked_leaders), (0, 1));
        assert!(waiters.may_take(Some(c), 1));
    }

    #[test]
    fn the_pace_holds_all_of_them_back() {
        let mut waiters = Waiters::default();
        let [a, b] = [(); 2].map(|()| waiters.enlist(Part::Leads));
        waiters.queue(a, Some(Instant::from_nanos(5)));
        waiters.queue(b, None);
        waiters.grant(10);
        assert_eq!(waiters.granted, 0);
        waiters.dismiss(a);
        waiters.grant(10);
        assert!(waiters.is_queue_empty() && waiters.may_take(Some(b), 0));
    }

    #[test]
    fn nobody_is_woken_twice() {
        let mut waiters = Waiters::default();
        let [a, b] = [(); 2].map(|()| waiters.enlist(Part::Leads));
        waiters.park(a);
        waiters.wake(b);
        let c = waiters.enlist(Part::Helps);
        waiters.park(c);
        assert_eq!(
            [waiters.wake_one(), waiters.wake_one()],
            [Some(a), None],
            "who helps is not woken to lead"
        );
        assert!(!waiters.has_parked_leader());
        waiters.wake_all();
        waiters.wake(a);
        assert_eq!(waiters.woken().len(), 2);
        waiters.dismiss(a);
        assert_eq!(waiters.enlist(Part::Leads), a, "places are used again");
    }
}
