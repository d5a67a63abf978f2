//! The handle of an account: sends messages, shuts down.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smpp_proto::account::{
    AccountStats, Binds, ExpectError, Expected, LinkId, LinkState, Message, MessageNumber, Options,
    OptionsError, SendError, SubmitError, Unresolved,
};
use smpp_proto::session::{self, Stats};

use super::events::Events;
use super::shared::{Guard, QueuePlace, Shared, WakeOnPanic};
use super::state::AccountState;
use super::ticket::{Sent, Ticket};
use crate::waiter::{self, Waiter};

/// A handle of an account: several binds that reconnect and rebind by themselves. Clone it freely, and use it in any
/// thread.
///
/// ```no_run
/// use std::time::Duration;
/// use smpp_proto::account::{Credentials, Message, Options};
/// use smpp_proto::provider::Provider;
/// use smpp_proto::{Address, RegisteredDelivery, SubmitSm};
/// use smpp_std::account::Account;
///
/// let options = Options::new(Credentials::new("shop", "secret"), &Provider::EIGHT_BY_EIGHT);
/// let (account, _arrivals) = Account::connect("smpps://smpp.8x8.com", options)?;
/// let template = SubmitSm {
///     destination: Address::international("6591234567")?,
///     registered_delivery: RegisteredDelivery::RECEIPT,
///     ..SubmitSm::default()
/// };
/// let mut sent = account.send(&Message::text(&template, "Hello"))?;
/// println!("accepted as {:?}", sent.ids());
/// println!("final state {:?}", sent.receipt()?);
/// account.shutdown(Duration::from_secs(10));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// When the last handle and the [`Arrivals`](super::Arrivals) are dropped, the account shuts down: it does not send the
/// messages that wait in its queue, waits for the requests in flight, and unbinds. The drop does not wait for that.
#[doc(alias = "client")]
#[doc(alias = "pool")]
pub struct Account {
    shared: Arc<Shared>,
}

impl Account {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        shared.lock().handles += 1;
        Self { shared }
    }

    pub(super) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Sends a message and waits for its outcome: until the SMSC has accepted all segments, or one has failed. If the
    /// account's queue is full, it waits for capacity first (backpressure).
    ///
    /// Without a [deadline](smpp_proto::account::Message::deadline) of the message it may wait for as long as the account has
    /// no bind.
    ///
    /// # Errors
    ///
    /// [`SendError::NotAccepted`] if the account did not accept the message, and [`SendError::Failed`] with the outcome of
    /// each segment if not all segments were accepted.
    pub fn send(&self, message: &Message) -> Result<Sent, SendError> {
        self.submit_in_turn(message, None, true).map_err(SendError::NotAccepted)?.outcome()
    }

    /// As [`send`](Self::send), and waits at most until `deadline`.
    ///
    /// ```no_run
    /// use std::time::{Duration, Instant};
    /// use smpp_proto::account::Message;
    /// # fn example(account: &smpp_std::account::Account, message: &Message) {
    /// match account.send_until(message, Instant::now() + Duration::from_secs(30)) {
    ///     Ok(Ok(sent)) => println!("accepted as {:?}", sent.ids()),
    ///     Ok(Err(error)) => println!("{error}"),
    ///     Err(ticket) => {
    ///         ticket.cancel(); // no further segment is sent; the outcome follows soon
    ///         println!("{:?}", ticket.outcome());
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The outer error returns the ticket if there is no outcome by then. The message is sent all the same, unless you
    /// [cancel](Ticket::cancel) it. The inner error is that of [`send`](Self::send); with [`SubmitError::Full`] the queue had
    /// no capacity by then, and nothing was sent.
    pub fn send_until(
        &self,
        message: &Message,
        deadline: Instant,
    ) -> Result<Result<Sent, SendError>, Ticket> {
        match self.submit_in_turn(message, Some(deadline), true) {
            Ok(ticket) => ticket.outcome_until(deadline),
            Err(error) => Ok(Err(SendError::NotAccepted(error))),
        }
    }

    /// Puts a message into the account's queue and does not wait for its outcome. If the queue is full, it waits for capacity
    /// (backpressure), in the order of the calls.
    ///
    /// While other messages of the account have no outcome, up to 32 messages leave in one write: when a thread waits for
    /// something of the account or its queue, when a connection writes, and after 5 ms at the latest.
    ///
    /// # Errors
    ///
    /// [`SubmitError`] says why the account did not accept the message.
    pub fn submit(&self, message: &Message) -> Result<Ticket, SubmitError> {
        self.submit_in_turn(message, None, false)
    }

    /// As [`submit`](Self::submit), and waits at most until `deadline`.
    ///
    /// # Errors
    ///
    /// [`SubmitError::Full`] if the queue has no capacity by then; otherwise as [`submit`](Self::submit).
    pub fn submit_until(&self, message: &Message, deadline: Instant) -> Result<Ticket, SubmitError> {
        self.submit_in_turn(message, Some(deadline), false)
    }

    /// Puts a message into the queue as soon as there is capacity. If the caller then waits for the outcome, `and_wait`, it is
    /// registered for it at once.
    fn submit_in_turn(
        &self,
        message: &Message,
        deadline: Option<Instant>,
        and_wait: bool,
    ) -> Result<Ticket, SubmitError> {
        let shared = &self.shared;
        let _wake_on_panic = WakeOnPanic(shared);
        let mut state = shared.lock();
        let mut now = shared.now();
        let mut attempt = if state.is_queue_empty() {
            Attempt::new(&mut state, now, message, and_wait)
        } else {
            Attempt::FULL
        };
        if let Err(SubmitError::Full) = attempt.submitted {
            (state, now, attempt) = self.submit_when_first(state, now, message, deadline, and_wait);
        }
        let Attempt { submitted, registered } = attempt;
        // Before the next call, in which an observer may panic: if it does, the ticket releases the message.
        let ticket = submitted.map(|number| Ticket::new(number, message, shared, registered));
        if and_wait {
            shared.process_and_unlock(state, now);
        } else {
            shared.process_submission(state, now);
        }
        ticket
    }

    /// Waits in the queue of the threads until there is capacity, at most until `deadline`, and submits the message. Returns the time
    /// of the last attempt as well.
    #[cold]
    fn submit_when_first<'a>(
        &'a self,
        state: Guard<'a>,
        mut now: session::Instant,
        message: &Message,
        deadline: Option<Instant>,
        and_wait: bool,
    ) -> (Guard<'a>, session::Instant, Attempt) {
        let shared = &self.shared;
        let until = deadline.map(|deadline| shared.account_time(deadline));
        let mut queue = QueuePlace::new(shared);
        // After `queue`, so that it is released first if an observer panics.
        let mut state = state;
        let mut attempt = Attempt::FULL;
        while let Err(SubmitError::Full) = attempt.submitted
            && until.is_none_or(|until| now < until)
        {
            let place = *queue.place.get_or_insert_with(|| state.join_queue());
            state =
                if state.unwritten.is_empty() { shared.park(state, until) } else { shared.write_left(state) };
            now = shared.now();
            if state.is_first(place) {
                attempt = Attempt::new(&mut state, now, message, and_wait);
            }
        }
        if let Some(place) = queue.place.take() {
            state.leave_queue(place);
        }
        (state, now, attempt)
    }

    /// Puts a message into the account's queue if there is capacity now. Does not wait.
    ///
    /// # Errors
    ///
    /// [`SubmitError::Full`] if the queue is full; otherwise as [`submit`](Self::submit).
    pub fn try_submit(&self, message: &Message) -> Result<Ticket, SubmitError> {
        let shared = &self.shared;
        let _wake_on_panic = WakeOnPanic(shared);
        let mut state = shared.lock();
        let now = shared.now();
        let submitted = state.submit(now, message, &mut None);
        let ticket = submitted.map(|number| Ticket::new(number, message, shared, None));
        shared.process_submission(state, now);
        ticket
    }

    /// Waits until the account can send at once, and returns how many segments it can send without waiting for a response:
    /// at least 1, see [`ready_capacity`](smpp_proto::account::Account::ready_capacity).
    ///
    /// A program whose queue is a database waits here, marks that many messages as being sent, commits, and submits them.
    /// Then few messages are in doubt if the process is killed. It reserves nothing: let one thread submit.
    ///
    /// ```no_run
    /// # use smpp_std::account::Account;
    /// # use smpp_proto::account::Message;
    /// # trait Rows { fn mark_as_sending(&mut self, limit: usize) -> Vec<Message>; }
    /// # fn example(account: Account, mut rows: impl Rows) -> Result<(), Box<dyn std::error::Error>> {
    /// loop {
    ///     let capacity = account.ready()?;
    ///     for message in rows.mark_as_sending(capacity) {
    ///         let ticket = account.submit(&message)?;
    ///         # drop(ticket);
    ///         // Wait for the outcome in another thread.
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SubmitError::ShutDown`] or [`SubmitError::Stopped`] if the account accepts no more messages.
    pub fn ready(&self) -> Result<usize, SubmitError> {
        self.wait_until_ready(None)
    }

    /// As [`ready`](Self::ready), and waits at most until `deadline`. Returns 0 if the account cannot send by then.
    ///
    /// # Errors
    ///
    /// As [`ready`](Self::ready).
    pub fn ready_until(&self, deadline: Instant) -> Result<usize, SubmitError> {
        self.wait_until_ready(Some(deadline))
    }

    fn wait_until_ready(&self, deadline: Option<Instant>) -> Result<usize, SubmitError> {
        let shared = &self.shared;
        let until = deadline.map(|deadline| shared.account_time(deadline));
        let mut state = shared.lock();
        loop {
            if state.router.is_over() {
                return Err(SubmitError::ShutDown);
            }
            let segments = state.account.ready_capacity()?;
            if segments > 0 || until.is_some_and(|until| until <= shared.now()) {
                return Ok(segments);
            }
            if !state.unwritten.is_empty() {
                state = shared.write_left(state);
                continue;
            }
            state.ready_waiting += 1;
            state = shared.wait(&shared.ready, state, until);
            state.ready_waiting -= 1;
        }
    }

    /// Waits for the receipts of a message that an earlier process sent: they arrive through [`Arrivals`](super::Arrivals) with
    /// the key of the message. See [`expect`](smpp_proto::account::Account::expect). For messages whose receipts may arrive
    /// with the first bind, use [`AccountConnector::expect`](super::AccountConnector::expect).
    ///
    /// # Errors
    ///
    /// Returns an [`ExpectError`] if too many segments wait for receipts, or the expectation is invalid.
    pub fn expect(&self, expected: Expected) -> Result<MessageNumber, ExpectError> {
        self.shared.with(|state, now| state.account.expect(now, expected))
    }

    /// Cancels the segments of a message that are not sent yet, as [`Ticket::cancel`] does: for a caller whose ticket waits for
    /// the [outcome](Ticket::outcome). Has no effect on a message that has ended. Does not block.
    pub fn cancel(&self, message: MessageNumber) {
        self.shared.with(|state, now| state.account.cancel(now, message));
    }

    /// Changes the number, the modes and the endpoints of the binds: see
    /// [`set_binds`](smpp_proto::account::Account::set_binds). Does not wait for the binds.
    ///
    /// # Errors
    ///
    /// Returns an [`OptionsError`] if the options of the account do not allow these binds.
    pub fn set_binds(&self, binds: Binds) -> Result<(), OptionsError> {
        self.shared.with(|state, now| state.account.set_binds(now, binds))
    }

    /// Returns the options of the account: a start for [`reconfigure`](Self::reconfigure). They have the endpoint and the
    /// credentials of the connector's URL.
    pub fn options(&self) -> Options {
        self.shared.lock().account.options().clone()
    }

    /// Changes the options while the account runs, without losing messages and receipts: credentials, endpoints, binds, rate
    /// limits, windows, timeouts, capacities. The core's [`reconfigure`](smpp_proto::account::Account::reconfigure) says
    /// when each takes effect. Does not wait. A read that waits when timeouts get shorter may delay them once, by the old
    /// `response_timeout` at most.
    ///
    /// ```no_run
    /// use smpp_proto::account::{Credentials, Options};
    ///
    /// # fn example(account: &smpp_std::account::Account) -> Result<(), smpp_proto::account::OptionsError> {
    /// let mut options = account.options();
    /// options.credentials.password = "n3w".into();
    /// account.reconfigure(options)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an [`OptionsError`] if the options are invalid, or a group of binds has no endpoint. Then nothing changes.
    pub fn reconfigure(&self, options: Options) -> Result<(), OptionsError> {
        self.shared.with(|state, now| state.reconfigure(now, options))
    }

    /// Resumes an account that has stopped, because the SMSC refused its credentials or a message: it makes its binds again,
    /// with the same credentials, at once. See [`resume`](smpp_proto::account::Account::resume).
    pub fn resume(&self) {
        self.shared.with(|state, now| state.account.resume(now));
    }

    /// Shuts down the account gracefully, for all handles: it accepts no more messages, sends what is queued until
    /// `timeout` has passed, unbinds, and returns the messages that were not accepted since this call, or whose final
    /// receipts are missing.
    ///
    /// Whatever the SMSC does, the call takes at most `timeout` +
    /// [`unbind_timeout`](smpp_proto::account::Options::unbind_timeout) (3 s) + 2 s to close the connections. A queue that is
    /// empty earlier leaves the rest of `timeout` for the unbinds. Of several calls the earliest deadline counts; one call
    /// returns the list, the others return an empty one.
    #[doc(alias = "graceful")]
    #[doc(alias = "disconnect")]
    pub fn shutdown(&self, timeout: Duration) -> Vec<Unresolved> {
        self.shared.with(|state, now| {
            state.account.shutdown(now, timeout);
            state.wake_first();
        });
        self.closed();
        self.shared.lock().router.take_unresolved()
    }

    /// Waits until the account has ended.
    pub fn closed(&self) {
        self.wait_for_end(None);
    }

    /// Waits until the account has ended, at most until `deadline`. Returns whether it has ended.
    pub fn closed_until(&self, deadline: Instant) -> bool {
        self.wait_for_end(Some(deadline))
    }

    fn wait_for_end(&self, deadline: Option<Instant>) -> bool {
        let shared = &self.shared;
        let until = deadline.map(|deadline| shared.account_time(deadline));
        let mut state = shared.lock();
        while !state.router.is_over() && until.is_none_or(|until| shared.now() < until) {
            state = shared.wait(&shared.ended, state, until);
        }
        state.router.is_over()
    }

    /// Returns a receiver of the events of the account: bound, refused, reconnecting, throttled, messages in doubt.
    ///
    /// The first receiver also gets the events since the start of the account, the last 64 at most; a later one gets those that
    /// follow. See [`Events`].
    #[doc(alias = "subscribe")]
    #[doc(alias = "logging")]
    pub fn events(&self) -> Events {
        Events::new(&self.shared)
    }

    /// Returns a receiver as [`events`](Self::events) does that also gets [`AccountEvent::HandedToTransport`] for each
    /// segment, from now on: what may have reached the SMSC and has no outcome yet. Without such a receiver these events cost
    /// nothing.
    ///
    /// The event happens before the octets leave, and the account does not wait for the receiver: a program that must have
    /// stored it before then embeds the core. Several of these events may arrive at once: raise
    /// [`events_capacity`](super::AccountConnector::events_capacity) to the segments that you send in the time that the
    /// receiver takes.
    ///
    /// [`AccountEvent::HandedToTransport`]: smpp_proto::account::AccountEvent::HandedToTransport
    pub fn detailed_events(&self) -> Events {
        Events::detailed(&self.shared)
    }

    /// Returns the counters of the account since its start, across all its sessions: of each connection slot, and summed.
    ///
    /// ```no_run
    /// # fn example(account: smpp_std::account::Account) {
    /// let stats = account.stats();
    /// println!("{} accepted, {} wait", stats.counters.segments_accepted, stats.queued);
    /// println!("99 % of the responses within {:?}", stats.total.response_histogram.quantile(0.99));
    /// # }
    /// ```
    pub fn stats(&self) -> AccountStats {
        self.shared.lock().account.stats()
    }

    /// Returns the state of each connection, with the counters of its current session if it has one.
    pub fn links(&self) -> Vec<(LinkId, LinkState, Option<Stats>)> {
        let state = self.shared.lock();
        let account = &state.account;
        account.links().map(|(link, state)| (link, state, account.session_stats(link))).collect()
    }

    /// Returns the number of segments that wait to be sent or are in flight.
    pub fn queued(&self) -> usize {
        self.shared.lock().account.queued()
    }
}

/// An attempt to put a message into the account's queue.
struct Attempt {
    submitted: Result<MessageNumber, SubmitError>,
    /// How the current thread is registered for the outcome, if it is.
    registered: Option<waiter::Registration>,
}

impl Attempt {
    const FULL: Self = Self { submitted: Err(SubmitError::Full), registered: None };

    /// Submits the message. If the caller then waits for the outcome, `and_wait`, it is registered for it at once.
    #[inline]
    fn new(state: &mut AccountState, now: session::Instant, message: &Message, and_wait: bool) -> Self {
        let mut waiter = and_wait.then(Waiter::current);
        // An observer, which is called next, may wait for something else.
        let registered = waiter.is_some().then(waiter::Registration::last);
        let submitted = state.submit(now, message, &mut waiter);
        Self { submitted, registered: registered.filter(|_| waiter.is_none()) }
    }
}

impl Clone for Account {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.shared))
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.handles -= 1;
        let last = state.handles == 0;
        drop(state);
        if last {
            self.shared.with(|state, now| state.account.shutdown(now, Duration::ZERO));
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.lock().account.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use smpp_proto::account::{Credentials, Options};
    use smpp_proto::provider::Provider;

    use super::super::connector::AccountConnector;
    use super::*;

    #[test]
    fn two_accounts_of_one_process_have_different_seeds_unless_they_are_given() {
        let seed = |seed| {
            let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED);
            let options = options.seed(seed);
            let connector = AccountConnector::new(&"smpp://localhost".parse().unwrap(), options);
            Shared::new(connector).unwrap().lock().account.options().seed
        };
        let seeds = [seed(None), seed(None)];
        assert!(seeds[0].is_some() && seeds[0] != seeds[1], "{seeds:?}");
        assert_eq!([seed(Some(7)), seed(Some(7))], [Some(7); 2]);
    }
}
