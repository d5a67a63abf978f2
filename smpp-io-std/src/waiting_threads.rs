//! The threads that wait: for an outcome, for window capacity, for a request of the peer, for the end of the session.

use std::collections::VecDeque;
use std::mem;

use smpp_proto::session::Instant;

use crate::waiter::Waiter;

/// The threads that are in a waiting call, and the queue of those that wait for window capacity.
#[derive(Debug, Default)]
pub(crate) struct WaitingThreads {
    threads: Vec<Option<WaitingThread>>,
    /// The free slots of `threads`.
    free: Vec<u32>,
    /// How many threads are followers: they may lead, and are parked.
    followers: usize,
    /// How many of the parked threads are senders.
    senders: usize,
    /// How many of the parked threads have another role.
    others: usize,
    /// How many of the threads that the last read woke have not submitted a request since.
    expected: usize,
    /// The threads that wait for capacity, in the order in which they came.
    wait_queue: VecDeque<u32>,
    /// Until when the rate limit holds back the first thread of the queue, if it does.
    rate_limited_until: Option<Instant>,
    /// Places in the window that are reserved for threads that were woken to take them.
    granted: usize,
    /// The threads to unpark as soon as the session's lock is released.
    wake_list: Vec<Waiter>,
}

#[derive(Debug)]
struct WaitingThread {
    waiter: Waiter,
    role: WaitRole,
    parked: bool,
    granted: bool,
    /// Whether it is in the queue for capacity.
    queued: bool,
}

/// Which part of the session's work a thread does while it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitRole {
    /// It reads and writes. While it is parked, another thread may wake it to do so.
    MayLead,
    /// It reads and writes, and waits only for capacity. It leaves the reader role to a thread that reads for an outcome
    /// or an inbox.
    Sender,
    /// It reads and writes until it has read something for another thread. That thread then reads on.
    Helper,
    /// It neither reads nor writes.
    Passive,
}

impl WaitingThreads {
    /// Registers the current thread and returns its number.
    pub(crate) fn register(&mut self, role: WaitRole) -> u32 {
        let waiter = Waiter::current();
        let waiter = Some(WaitingThread { waiter, role, parked: false, granted: false, queued: false });
        if let Some(number) = self.free.pop()
            && let Some(slot) = self.threads.get_mut(number as usize)
        {
            *slot = waiter;
            return number;
        }
        self.threads.push(waiter);
        (self.threads.len() - 1) as u32
    }

    /// Removes a thread: it waits no longer.
    pub(crate) fn unregister(&mut self, number: u32) {
        self.leave_queue(number);
        self.unpark(number);
        if self.threads.get_mut(number as usize).and_then(Option::take).is_some() {
            self.free.push(number);
        }
    }

    /// Removes a thread from the queue for capacity.
    pub(crate) fn leave_queue(&mut self, number: u32) {
        let Some(waiter) = self.get(number) else { return };
        let (granted, queued) = (mem::take(&mut waiter.granted), mem::take(&mut waiter.queued));
        self.granted -= usize::from(granted);
        if queued && self.is_first(number) {
            self.rate_limited_until = None;
            self.wait_queue.pop_front();
        } else if queued {
            self.wait_queue.retain(|queued| *queued != number);
        }
    }

    /// Records that a thread is about to park.
    pub(crate) fn park(&mut self, number: u32) {
        if let Some(waiter) = self.get(number)
            && !mem::replace(&mut waiter.parked, true)
        {
            waiter.waiter.arm();
            let role = waiter.role;
            *self.count(role) += 1;
        }
    }

    /// Records that a thread runs again, woken by another thread or not.
    pub(crate) fn unpark(&mut self, number: u32) {
        if let Some(waiter) = self.get(number)
            && mem::take(&mut waiter.parked)
        {
            let role = waiter.role;
            *self.count(role) -= 1;
        }
    }

    /// Puts a thread on the wake list, if it is parked.
    pub(crate) fn wake(&mut self, number: u32) {
        if let Some(waiter) = self.threads.get_mut(number as usize).and_then(Option::as_mut)
            && mem::take(&mut waiter.parked)
        {
            let role = waiter.role;
            self.wake_list.push(waiter.waiter.clone());
            *self.count(role) -= 1;
        }
    }

    /// The number of parked threads with this role, as far as it is counted.
    fn count(&mut self, role: WaitRole) -> &mut usize {
        match role {
            WaitRole::MayLead => &mut self.followers,
            WaitRole::Sender => &mut self.senders,
            WaitRole::Helper | WaitRole::Passive => &mut self.others,
        }
    }

    /// Returns whether there is a follower: a parked thread that may lead. Senders are followers only if `senders` is true.
    pub(crate) const fn has_follower(&self, senders: bool) -> bool {
        self.followers > 0 || (senders && self.senders > 0)
    }

    /// Puts one follower on the wake list and returns its number.
    pub(crate) fn wake_follower(&mut self, senders: bool) -> Option<u32> {
        if !self.has_follower(senders) {
            return None;
        }
        let role = if self.followers > 0 { WaitRole::MayLead } else { WaitRole::Sender };
        let is_follower = |waiter: &WaitingThread| waiter.parked && waiter.role == role;
        let follower = self.threads.iter().position(|waiter| waiter.as_ref().is_some_and(is_follower));
        let follower = follower.map(|number| number as u32);
        follower.inspect(|number| self.wake(*number))
    }

    /// Puts all parked threads on the wake list.
    pub(crate) fn wake_all(&mut self) {
        (0..self.threads.len()).for_each(|number| self.wake(number as u32));
    }

    /// Returns the threads to unpark.
    pub(crate) fn wake_list(&mut self) -> &mut Vec<Waiter> {
        &mut self.wake_list
    }

    /// Records that a read has ended: the threads on the wake list are expected to submit their next requests soon.
    pub(crate) fn expect_requests(&mut self) {
        self.expected = self.wake_list.len();
    }

    /// Records that a request was submitted.
    pub(crate) fn count_request(&mut self) {
        self.expected = self.expected.saturating_sub(1);
    }

    /// Returns whether other threads are expected to submit requests soon, which can leave in the same write.
    pub(crate) const fn expects_requests(&self) -> bool {
        self.expected > 0
    }

    /// Records that a write begins: it waits for no more requests.
    pub(crate) const fn expect_no_requests(&mut self) {
        self.expected = 0;
    }

    /// Returns whether no thread waits for capacity.
    pub(crate) fn is_queue_empty(&self) -> bool {
        self.wait_queue.is_empty()
    }

    /// Returns whether the thread may take one of `capacity` free places in the window: a place is reserved for it, or it
    /// is the first that wants one.
    pub(crate) fn may_take(&mut self, number: Option<u32>, capacity: usize) -> bool {
        let first = number.map_or(self.wait_queue.is_empty(), |number| self.is_first(number));
        let granted = number.and_then(|number| self.get(number)).is_some_and(|waiter| waiter.granted);
        granted || (first && capacity > self.granted)
    }

    /// Adds a thread to the queue for capacity: at the end, or at the front if a place was reserved for it.
    pub(crate) fn enqueue(&mut self, number: u32, rate_limited_until: Option<Instant>) {
        if let Some(waiter) = self.get(number)
            && mem::take(&mut waiter.granted)
        {
            waiter.queued = true;
            self.granted -= 1;
            self.wait_queue.push_front(number);
        } else if let Some(waiter) = self.get(number)
            && !mem::replace(&mut waiter.queued, true)
        {
            self.wait_queue.push_back(number);
        }
        if self.is_first(number) {
            self.rate_limited_until = rate_limited_until;
        }
    }

    /// Reserves up to `capacity` places for the threads in the queue, in order, and wakes these threads. `is_due` returns
    /// whether the rate limit allows a message after so many others. The first thread finds that out by itself, and waits for
    /// the rate limit if it has to.
    pub(crate) fn grant(&mut self, capacity: usize, is_due: impl Fn(usize) -> bool) {
        while self.rate_limited_until.is_none()
            && capacity > self.granted
            && (self.granted == 0 || is_due(self.granted))
        {
            let Some(number) = self.wait_queue.pop_front() else { return };
            if let Some(waiter) = self.get(number) {
                waiter.granted = true;
                waiter.queued = false;
                self.granted += 1;
                self.wake(number);
            }
        }
    }

    /// Frees the memory of threads that wait no longer.
    pub(crate) fn shrink(&mut self) {
        while self.threads.last().is_some_and(Option::is_none) {
            self.threads.pop();
        }
        let length = self.threads.len();
        self.free.retain(|number| (*number as usize) < length);
        self.free.shrink_to_fit();
        self.threads.shrink_to_fit();
        self.wait_queue.shrink_to_fit();
        self.wake_list.shrink_to_fit();
    }

    fn is_first(&self, number: u32) -> bool {
        self.wait_queue.front() == Some(&number)
    }

    fn get(&mut self, number: u32) -> Option<&mut WaitingThread> {
        self.threads.get_mut(number as usize)?.as_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacity_is_granted_in_the_order_of_the_queue() {
        let mut waiting = WaitingThreads::default();
        let [a, b, c] = [(); 3].map(|()| waiting.register(WaitRole::MayLead));
        for number in [a, b, c] {
            waiting.enqueue(number, None);
            waiting.park(number);
        }
        assert!(!waiting.may_take(None, 1), "behind the others");
        waiting.grant(2, |_| true);
        assert_eq!((waiting.wake_list().len(), waiting.granted), (2, 2));
        assert!(waiting.may_take(Some(a), 0) && waiting.may_take(Some(b), 0));
        assert!(!waiting.may_take(Some(c), 2) && waiting.may_take(Some(c), 3));
        // A thread that finds no capacity although a place was reserved becomes the first again.
        waiting.enqueue(b, None);
        assert!(!waiting.may_take(Some(c), 3) && waiting.may_take(Some(b), 2));
        waiting.unregister(a);
        waiting.unregister(b);
        assert_eq!((waiting.granted, waiting.followers), (0, 1));
        assert!(waiting.may_take(Some(c), 1));
    }

    #[test]
    fn the_rate_limit_holds_back_the_whole_queue() {
        let mut waiting = WaitingThreads::default();
        let [a, b] = [(); 2].map(|()| waiting.register(WaitRole::MayLead));
        waiting.enqueue(a, Some(Instant::from_nanos(5)));
        waiting.enqueue(b, None);
        waiting.grant(10, |_| true);
        assert_eq!(waiting.granted, 0);
        waiting.unregister(a);
        waiting.grant(10, |_| true);
        assert!(waiting.is_queue_empty() && waiting.may_take(Some(b), 0));
    }

    #[test]
    fn no_more_threads_are_woken_than_the_rate_limit_allows() {
        let mut waiting = WaitingThreads::default();
        let numbers = [(); 9].map(|()| waiting.register(WaitRole::MayLead));
        for number in numbers {
            waiting.enqueue(number, None);
            waiting.park(number);
        }
        waiting.grant(9, |others| others < 3);
        assert_eq!((waiting.wake_list().len(), waiting.granted), (3, 3));
        for number in &numbers[..3] {
            waiting.unregister(*number);
        }
        // The first one finds out when the next message is due.
        waiting.grant(9, |_| false);
        assert_eq!((waiting.wake_list().len(), waiting.granted), (4, 1));
    }

    #[test]
    fn no_thread_is_woken_twice() {
        let mut waiting = WaitingThreads::default();
        let [a, b] = [(); 2].map(|()| waiting.register(WaitRole::MayLead));
        waiting.park(a);
        waiting.wake(b);
        let c = waiting.register(WaitRole::Helper);
        waiting.park(c);
        assert_eq!(
            [waiting.wake_follower(true), waiting.wake_follower(true)],
            [Some(a), None],
            "a helper is not woken to lead"
        );
        assert!(!waiting.has_follower(true));
        waiting.wake_all();
        waiting.wake(a);
        assert_eq!(waiting.wake_list().len(), 2);
        waiting.unregister(a);
        waiting.unregister(c);
        waiting.shrink();
        assert_eq!(waiting.threads.len(), 2, "up to the last one that waits");
        assert_eq!(waiting.register(WaitRole::MayLead), a, "slots are used again");
    }

    #[test]
    fn a_sender_is_woken_to_lead_only_if_no_other_thread_reads() {
        let mut waiting = WaitingThreads::default();
        let [sender, leader] = [WaitRole::Sender, WaitRole::MayLead].map(|role| waiting.register(role));
        waiting.park(sender);
        assert!(!waiting.has_follower(false) && waiting.has_follower(true));
        assert_eq!(waiting.wake_follower(false), None);
        waiting.park(leader);
        assert_eq!([waiting.wake_follower(true), waiting.wake_follower(true)], [Some(leader), Some(sender)]);
    }

    #[test]
    fn requests_are_expected_of_the_threads_that_the_last_read_woke() {
        let mut waiting = WaitingThreads::default();
        for _ in 0..3 {
            let number = waiting.register(WaitRole::MayLead);
            waiting.park(number);
        }
        waiting.wake_all();
        waiting.expect_requests();
        // The reading thread and two of the others submit theirs: the write waits for no more.
        let expected = [(); 3].map(|()| {
            waiting.count_request();
            waiting.expects_requests()
        });
        assert_eq!(expected, [true, true, false]);
        waiting.expect_requests();
        waiting.expect_no_requests();
        assert!(!waiting.expects_requests(), "after a write");
    }
}
