//! What the lock of an account protects: the account, its events, the threads that wait.

use std::collections::VecDeque;
use std::time::Duration;

use smpp_core::Endpoint;
use smpp_core::account::{
    Account, EventRouter, LinkId, Message, MessageNumber, Options, OptionsError, SubmitError,
};
use smpp_core::session::Instant;

use super::connector::{AccountConnector, BoxedObserver};
use super::link_task::LinkTask;
use crate::waiter::Waiter;

pub(super) struct AccountState {
    pub(super) account: Account<Option<BoxedObserver>>,
    /// The events that were not fetched, and the threads that wait for them.
    pub(super) router: EventRouter<Waiter>,
    /// The threads that wait for capacity in the account's queue, in the order in which they came.
    wait_queue: VecDeque<(u64, Waiter)>,
    /// The place of the next thread in the queue.
    next_place: u64,
    /// The threads to wake as soon as the lock is released.
    wake_list: Vec<Waiter>,
    /// The free capacity of the account's queue when it was last checked.
    capacity: usize,
    /// How many segments the account could send at once when that was last checked.
    ready_capacity: Option<usize>,
    pub(super) handles: usize,
    pub(super) links: Vec<LinkTask>,
    /// Until when the background thread sleeps if no thread wakes it.
    pub(super) background_sleeps_until: Option<Instant>,
    /// The last error of a connection.
    pub(super) last_error: Option<String>,
}

impl AccountState {
    pub(super) fn new(account: Account<Option<BoxedObserver>>, connector: &AccountConnector) -> Self {
        Self {
            links: account.links().map(|(link, _)| LinkTask::new(link)).collect(),
            router: EventRouter::new(connector.arrivals_capacity)
                .with_events_capacity(connector.events_capacity),
            wait_queue: VecDeque::new(),
            next_place: 0,
            wake_list: Vec::new(),
            capacity: account.available_capacity(),
            ready_capacity: None,
            account,
            handles: 0,
            background_sleeps_until: None,
            last_error: None,
        }
    }

    /// Submits a message whose outcome and receipts a ticket will fetch.
    pub(super) fn submit(&mut self, now: Instant, message: &Message) -> Result<MessageNumber, SubmitError> {
        self.router.submit(now, &mut self.account, message)
    }

    /// Changes the options of the account.
    pub(super) fn reconfigure(&mut self, now: Instant, options: Options) -> Result<(), OptionsError> {
        options.check_endpoints()?;
        self.account.reconfigure(now, options)?;
        let known = self.links.len();
        self.links.extend(self.account.links().skip(known).map(|(link, _)| LinkTask::new(link)));
        Ok(())
    }

    /// Returns where the connection of this slot goes, and how long an attempt may take.
    pub(super) fn attempt(&self, link: LinkId) -> Option<(Endpoint, Duration)> {
        Some((self.account.endpoint(link)?.clone(), self.account.options().connect_timeout))
    }

    /// Removes and returns the threads to wake: one, and the others.
    pub(super) fn take_wake_list(&mut self) -> (Option<Waiter>, Vec<Waiter>) {
        self.wake_list.extend(self.router.take_wakers());
        // One thread to wake costs no allocation.
        let first = self.wake_list.pop();
        (first, if self.wake_list.is_empty() { Vec::new() } else { std::mem::take(&mut self.wake_list) })
    }

    /// Wakes the first thread in the queue, if there is more capacity than at the last check.
    pub(super) fn wake_if_capacity(&mut self) {
        let capacity = self.account.available_capacity();
        if capacity > std::mem::replace(&mut self.capacity, capacity) {
            self.wake_first();
        }
    }

    /// Returns whether the account can send more at once than at the last check, or accepts no more messages.
    pub(super) fn has_become_ready(&mut self) -> bool {
        let capacity = self.account.ready_capacity().ok();
        let before = std::mem::replace(&mut self.ready_capacity, capacity);
        capacity > before || capacity.is_none() && before.is_some()
    }

    /// Returns whether no thread waits for capacity.
    pub(super) fn is_queue_empty(&self) -> bool {
        self.wait_queue.is_empty()
    }

    /// Puts the current thread at the end of the queue for capacity. Returns its place.
    pub(super) fn join_queue(&mut self) -> u64 {
        let place = self.next_place;
        self.next_place += 1;
        self.wait_queue.push_back((place, Waiter::current()));
        place
    }

    /// Returns whether this is the place of the first thread in the queue.
    pub(super) fn is_first(&self, place: u64) -> bool {
        self.wait_queue.front().is_some_and(|(first, _)| *first == place)
    }

    /// Removes a thread from the queue, and wakes the next one so that it checks for capacity.
    pub(super) fn leave_queue(&mut self, place: u64) {
        // The places ascend.
        if let Ok(index) = self.wait_queue.binary_search_by_key(&place, |(place, _)| *place) {
            self.wait_queue.remove(index);
        }
        self.wake_first();
    }

    /// Wakes the first thread in the queue, so that it checks for capacity.
    pub(super) fn wake_first(&mut self) {
        self.wake_list.extend(self.wait_queue.front().map(|(_, waiter)| waiter.clone()));
    }
}

#[cfg(test)]
mod tests {
    use smpp_core::account::Credentials;
    use smpp_core::provider::Provider;

    use super::*;

    #[test]
    fn the_queue_for_capacity_wakes_one_thread_at_a_time_in_order() {
        let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED);
        let account = Account::new(options.clone(), Instant::ZERO).unwrap();
        let connector = AccountConnector::new(&"smpp://localhost".parse().unwrap(), options);
        let mut state = AccountState::new(account, &connector);
        let places = [(); 4].map(|()| state.join_queue());
        assert!(state.is_first(places[0]) && state.take_wake_list().0.is_none());
        for (left, first) in [(1, 0), (0, 2), (2, 3)] {
            state.leave_queue(places[left]);
            assert!(state.is_first(places[first]));
            let (woken, others) = state.take_wake_list();
            assert!(woken.is_some() && others.is_empty());
        }
        state.leave_queue(places[3]);
        state.leave_queue(places[3]);
        assert!(state.is_queue_empty() && state.take_wake_list().0.is_none());
    }
}
