//! What the lock of an account protects: the account, its events, the threads that wait.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use smpp_common::LastFailure;
use smpp_common::telemetry::AccountTelemetry;
use smpp_proto::Endpoint;
use smpp_proto::account::{
    Account, EventRouter, LinkId, Message, MessageNumber, Options, OptionsError, SubmitError,
};
use smpp_proto::session::Instant;

use super::connector::{AccountConnector, BoxedObserver};
use super::link_task::{Interrupt, LinkTask};
use crate::shared::MAX_BATCH;
use crate::waiter::Waiter;

/// The most threads that are woken after one call before the lock is taken again, and the most that are interrupted.
pub(super) const WAKE_BATCH: usize = 256;

/// How long a submission leaves its output, so that several leave in one write.
const MAX_DELAY: Duration = Duration::from_millis(5);

/// Threads to wake or to interrupt without the account's lock.
pub(super) struct WakeBatch {
    first: Option<Waiter>,
    others: Vec<Waiter>,
    interrupts: Vec<Interrupt>,
    /// Whether there may be more than these.
    pub(super) has_more: bool,
}

impl WakeBatch {
    /// Wakes and interrupts the threads. Returns whether there was one.
    pub(super) fn run(&self) -> bool {
        self.first.iter().chain(&self.others).for_each(Waiter::wake);
        self.interrupts.iter().for_each(Interrupt::run);
        self.first.is_some()
    }
}

pub(super) struct AccountState {
    pub(super) telemetry: AccountTelemetry,
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
    /// How many threads wait until the account can send at once.
    pub(super) ready_waiting: usize,
    pub(super) handles: usize,
    pub(super) links: Vec<LinkTask>,
    /// How many of their threads wait for a change: [`LinkTask::paused_until`].
    pub(super) paused: usize,
    /// The connections with output that the thread writes that calls the account: [`LinkTask::is_unwritten`].
    pub(super) unwritten: Vec<usize>,
    /// How many submissions have left their output there, to be written with that of others.
    left: u32,
    /// When the background thread writes what they have left, if no thread does it before.
    pub(super) write_left_at: Option<Instant>,
    /// The connections with output that the background thread writes, in turn: [`LinkTask::is_listed`].
    pub(super) deferred: VecDeque<usize>,
    /// Until when the account waits for the resolver: [`LinkTask::resolve_deadline`].
    pub(super) resolving: BTreeSet<(Instant, LinkId)>,
    /// The threads of connections to interrupt as soon as the lock is released.
    pub(super) interrupts: Vec<Interrupt>,
    /// The account has ended: the next connection whose thread is to be interrupted.
    pub(super) next_interrupt: Option<usize>,
    /// Until when the background thread sleeps if no thread wakes it.
    pub(super) background_sleeps_until: Option<Instant>,
    /// The last error of a connection.
    pub(super) last_error: Option<LastFailure>,
}

impl AccountState {
    pub(super) fn new(account: Account<Option<BoxedObserver>>, connector: &AccountConnector) -> Self {
        Self {
            telemetry: AccountTelemetry::new(&account.options().credentials.system_id),
            links: account.links().map(|(link, _)| LinkTask::new(link)).collect(),
            router: EventRouter::new(connector.arrivals_capacity)
                .with_events_capacity(connector.events_capacity),
            wait_queue: VecDeque::new(),
            next_place: 0,
            wake_list: Vec::new(),
            capacity: account.available_capacity(),
            ready_waiting: 0,
            paused: 0,
            unwritten: Vec::new(),
            left: 0,
            write_left_at: None,
            deferred: VecDeque::new(),
            resolving: BTreeSet::new(),
            interrupts: Vec::new(),
            next_interrupt: None,
            account,
            handles: 0,
            background_sleeps_until: None,
            last_error: None,
        }
    }

    /// Submits a message whose outcome and receipts a ticket will fetch. The thread of the waiter, if there is one, waits for the
    /// outcome next.
    pub(super) fn submit(
        &mut self,
        now: Instant,
        message: &Message,
        waiter: &mut Option<Waiter>,
    ) -> Result<MessageNumber, SubmitError> {
        self.router.submit_and_wait(now, &mut self.account, message, waiter)
    }

    /// Leaves the output of a submission to the next thread that writes. Returns false if it has to be written now: no other
    /// message is in flight, whose response would be an occasion to write, or many have left theirs.
    pub(super) fn leave_output(&mut self, now: Instant) -> bool {
        if self.unwritten.is_empty() {
            return true;
        }
        self.left += 1;
        let is_left = self.left < MAX_BATCH && self.account.queued() > 1;
        if is_left {
            self.write_left_at.get_or_insert(now + MAX_DELAY);
        }
        is_left
    }

    /// Records that a thread writes what was left.
    pub(super) const fn forget_left(&mut self) {
        (self.left, self.write_left_at) = (0, None);
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

    /// Returns whether [`take_wake_batch`](Self::take_wake_batch) may return a thread.
    pub(super) fn has_wake_batch(&self) -> bool {
        let has_interrupts = !self.interrupts.is_empty() || self.next_interrupt.is_some();
        has_interrupts || !self.wake_list.is_empty() || self.router.has_wakers()
    }

    /// Removes the threads to wake, and those to interrupt, up to [`WAKE_BATCH`] of each. Returns them, and whether there may be
    /// more.
    pub(super) fn take_wake_batch(&mut self) -> WakeBatch {
        let Self { router, wake_list, interrupts, links, next_interrupt, .. } = self;
        let mut waiters = std::iter::from_fn(|| wake_list.pop()).chain(router.take_wakers());
        // One thread to wake costs no allocation.
        let first = waiters.next();
        let others: Vec<_> =
            if first.is_some() { waiters.take(WAKE_BATCH - 1).collect() } else { Vec::new() };
        while let Some(next) = next_interrupt
            && interrupts.len() < WAKE_BATCH
        {
            match links.get(*next) {
                Some(task) => interrupts.extend(task.interrupt()),
                None => *next_interrupt = None,
            }
            if let Some(next) = next_interrupt {
                *next += 1;
            }
        }
        let rest = interrupts.len().saturating_sub(WAKE_BATCH);
        let interrupts = if interrupts.is_empty() { Vec::new() } else { interrupts.split_off(rest) };
        let has_more = others.len() == WAKE_BATCH - 1 || rest > 0 || next_interrupt.is_some();
        WakeBatch { first, others, interrupts, has_more }
    }

    /// Wakes the first thread in the queue, if there is more capacity than at the last check.
    pub(super) fn wake_if_capacity(&mut self) {
        let capacity = self.account.available_capacity();
        if capacity > std::mem::replace(&mut self.capacity, capacity) {
            self.wake_first();
        }
    }

    /// Returns whether a thread waits until the account can send at once, and it can, or accepts no more messages.
    pub(super) fn is_ready_awaited(&self) -> bool {
        self.ready_waiting > 0 && self.account.ready_capacity() != Ok(0)
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
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;

    use smpp_proto::SubmitSm;
    use smpp_proto::account::Credentials;
    use smpp_proto::provider::Provider;

    use super::super::link_task::Connection;
    use super::*;

    #[test]
    fn the_queue_for_capacity_wakes_one_thread_at_a_time_in_order() {
        let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED);
        let account = Account::new(options.clone(), Instant::ZERO).unwrap();
        let connector = AccountConnector::new(&"smpp://localhost".parse().unwrap(), options);
        let mut state = AccountState::new(account, &connector);
        let places = [(); 4].map(|()| state.join_queue());
        assert!(state.is_first(places[0]) && !state.take_wake_batch().run());
        for (left, first) in [(1, 0), (0, 2), (2, 3)] {
            state.leave_queue(places[left]);
            assert!(state.is_first(places[first]));
            let woken = state.take_wake_batch();
            assert!(woken.first.is_some() && woken.others.is_empty() && !woken.has_more);
        }
        state.leave_queue(places[3]);
        state.leave_queue(places[3]);
        assert!(state.is_queue_empty() && !state.take_wake_batch().run());
    }

    fn state() -> AccountState {
        let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED);
        let options = options.queue_capacity(20_000);
        let account = Account::new(options.clone(), Instant::ZERO).unwrap();
        let connector = AccountConnector::new(&"smpp://localhost".parse().unwrap(), options);
        AccountState::new(account, &connector)
    }

    #[test]
    fn ten_thousand_threads_are_woken_in_batches() {
        let mut state = state();
        let message = Message::submit_sm(&SubmitSm::default());
        for _ in 0..10_000 {
            let mut waiter = Some(Waiter::current());
            assert!(state.submit(Instant::ZERO, &message, &mut waiter).is_ok() && waiter.is_none());
        }
        state.router.close();
        let (mut batches, mut woken) = (0, 0);
        loop {
            let batch = state.take_wake_batch();
            let threads = usize::from(batch.first.is_some()) + batch.others.len();
            assert!(threads <= WAKE_BATCH, "{threads}");
            (batches, woken) = (batches + 1, woken + threads);
            if !batch.has_more {
                break;
            }
        }
        assert_eq!((batches, woken), (10_000 / WAKE_BATCH + 1, 10_000));
    }

    #[test]
    fn output_is_left_for_a_while_if_other_messages_are_in_flight() {
        let mut state = state();
        let message = Message::submit_sm(&SubmitSm::default());
        let submit = |state: &mut AccountState| {
            state.submit(Instant::ZERO, &message, &mut None).unwrap();
            state.leave_output(Instant::ZERO)
        };
        assert!(state.leave_output(Instant::ZERO) && state.write_left_at.is_none(), "there is no output");
        state.unwritten.push(0);
        assert!(!submit(&mut state), "no other is in flight");
        state.forget_left();
        let left = (0..100).take_while(|_| submit(&mut state)).count();
        assert_eq!((left, state.write_left_at), (31, Some(Instant::after(MAX_DELAY))));
        state.forget_left();
        assert!(submit(&mut state));
    }

    #[test]
    fn the_threads_of_all_connections_are_interrupted_in_batches() {
        let mut state = state();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp = Arc::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        let link = state.links[0].link;
        let connected = || {
            let connection = Some(Connection::Tcp(Arc::clone(&tcp)));
            LinkTask { connection, ..LinkTask::new(link) }
        };
        state.links = (0..600).map(|_| connected()).collect();
        state.next_interrupt = Some(0);
        let batches = [(); 3].map(|()| state.take_wake_batch());
        assert_eq!(batches.each_ref().map(|batch| batch.interrupts.len()), [256, 256, 88]);
        assert_eq!(batches.map(|batch| batch.has_more), [true, true, false]);
    }

    #[test]
    fn a_call_looks_only_at_the_connections_that_have_changed() {
        let mut state = state();
        state.check_changed_links();
        assert_eq!(state.account.poll_changed_link(), None, "nothing has happened since");
        assert!(state.unwritten.is_empty() && state.next_unwritten().is_none());
    }
}
