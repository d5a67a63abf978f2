//! The handle of an account.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use smpp_proto::account::{
    AccountStats, Binds, ExpectError, Expected, LinkId, LinkState, Message, MessageNumber, Options,
    OptionsError, SendError, SubmitError, Unresolved,
};
use smpp_proto::session::Stats;

use super::events::Events;
use super::shared::Shared;
use super::submission::Submission;
use super::ticket::{Sending, Sent, Ticket};

/// A handle of an account. Clone it to send from several tasks.
///
/// When the last handle and the [`Arrivals`](super::Arrivals) are dropped, the account shuts down: segments that wait are
/// not sent, those in flight may complete, then the binds unbind.
///
/// ```no_run
/// use std::time::Duration;
///
/// use smpp_proto::account::{Message, SendError};
/// use smpp_proto::{Address, SubmitSm};
/// use smpp_tokio::account::Account;
///
/// # async fn example(account: Account) -> Result<(), Box<dyn std::error::Error>> {
/// let template = SubmitSm { destination: Address::international("6591234567")?, ..SubmitSm::default() };
/// match account.send(&Message::text(&template, "Hello")).await {
///     Ok(sent) => println!("accepted as {:?}", sent.ids()),
///     Err(SendError::Failed { outcome, .. }) if outcome.is_safe_to_resend() => println!("retry it later"),
///     Err(error) => println!("{error}"),
/// }
/// account.shutdown(Duration::from_secs(10)).await;
/// # Ok(())
/// # }
/// ```
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

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Sends a message and waits for its outcome. Waits for capacity in the queue first (backpressure).
    ///
    /// # Errors
    ///
    /// Returns [`SendError::NotAccepted`] if the account does not accept the message, [`SendError::Failed`] with the
    /// outcome of each segment if the SMSC did not accept all of them, and [`SendError::DriverGone`] if the account's task
    /// has ended.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped while it waits for capacity sends nothing. If it is dropped later, the message is sent all
    /// the same and its outcome is discarded; its receipts arrive through [`Arrivals`](super::Arrivals).
    pub fn send<'a>(
        &'a self,
        message: &'a Message,
    ) -> impl Future<Output = Result<Sent, SendError>> + use<'a> {
        Sending::new(&self.shared, Submission::awaiting_outcome(&self.shared, message), message)
    }

    /// Puts a message into the queue, and does not wait for its outcome. Waits for capacity in the queue first
    /// (backpressure). Messages that wait are queued in the order of the calls.
    ///
    /// ```no_run
    /// use smpp_proto::account::Message;
    /// use smpp_tokio::account::Account;
    ///
    /// # async fn example(account: Account, messages: Vec<Message>) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut tickets = Vec::new();
    /// for message in &messages {
    ///     tickets.push(account.submit(message).await?);
    /// }
    /// for ticket in tickets {
    ///     println!("{:?}", ticket.outcome().await?.ids());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns a [`SubmitError`] if the message is invalid or the account is shut down; never [`SubmitError::Full`].
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped early sends nothing.
    pub async fn submit(&self, message: &Message) -> Result<Ticket, SubmitError> {
        let (number, _) = Submission::new(&self.shared, message).await?;
        Ok(Ticket::new(number, message, &self.shared))
    }

    /// Puts a message into the queue if there is capacity now.
    ///
    /// ```no_run
    /// use smpp_proto::account::{Message, SubmitError};
    /// use smpp_tokio::account::Account;
    ///
    /// # fn example(account: &Account, message: &Message) {
    /// match account.try_submit(message) {
    ///     Ok(ticket) => println!("queued as message {}", ticket.message()),
    ///     Err(SubmitError::Full) => println!("overloaded, retry later"),
    ///     Err(error) => println!("{error}"),
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`SubmitError::Full`] if the queue is full; otherwise as [`submit`](Self::submit).
    pub fn try_submit(&self, message: &Message) -> Result<Ticket, SubmitError> {
        let number = self.shared.with(|inner, now| inner.submit(now, message, &mut None))?;
        Ok(Ticket::new(number, message, &self.shared))
    }

    /// Waits until the account can send at once, and returns how many segments it can send without waiting for a response:
    /// at least 1, see [`ready_capacity`](smpp_proto::account::Account::ready_capacity).
    ///
    /// A program whose queue is a database waits here, marks that many messages as being sent, commits, and submits them.
    /// Then few messages are in doubt if the process is killed: see the
    /// [manual](crate::manual::storing_messages_and_receipts).
    ///
    /// ```no_run
    /// # use smpp_tokio::account::Account;
    /// # use smpp_proto::account::Message;
    /// # trait Rows { async fn mark_as_sending(&mut self, limit: usize) -> Vec<Message>; }
    /// # async fn example(account: Account, mut rows: impl Rows) -> Result<(), Box<dyn std::error::Error>> {
    /// loop {
    ///     let capacity = account.ready().await?;
    ///     for message in rows.mark_as_sending(capacity).await {
    ///         let ticket = account.submit(&message).await?;
    ///         # drop(ticket);
    ///         // Wait for the outcome in another task.
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`SubmitError::ShutDown`] or [`SubmitError::Stopped`] if the account accepts no more messages.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: the future has no effect on the account. It reserves nothing: let one task submit.
    pub async fn ready(&self) -> Result<usize, SubmitError> {
        let waiting = &self.shared.ready_waiting;
        waiting.fetch_add(1, Ordering::Relaxed);
        let _counted = Counted(waiting);
        loop {
            let mut ready = pin!(self.shared.ready.notified());
            // Enabled before the check, so that no notification is missed.
            ready.as_mut().enable();
            match self.shared.lock().account.ready_capacity()? {
                0 => {}
                segments => return Ok(segments),
            }
            ready.await;
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
        self.shared.with(|inner, now| inner.account.expect(now, expected))
    }

    /// Cancels the segments of a message that are not sent yet, as [`Ticket::cancel`] does: for a caller whose ticket waits for
    /// the [outcome](Ticket::outcome). Has no effect on a message that has ended.
    pub fn cancel(&self, message: MessageNumber) {
        self.shared.with(|inner, now| inner.account.cancel(now, message));
    }

    /// Changes the number, the modes and the endpoints of the binds: see
    /// [`set_binds`](smpp_proto::account::Account::set_binds). Returns at once.
    ///
    /// # Errors
    ///
    /// Returns an [`OptionsError`] if the options of the account do not allow these binds.
    pub fn set_binds(&self, binds: Binds) -> Result<(), OptionsError> {
        self.shared.with(|inner, now| inner.account.set_binds(now, binds))
    }

    /// Returns the options of the account: a start for [`reconfigure`](Self::reconfigure). They have the endpoint and the
    /// credentials of the connector's URL.
    pub fn options(&self) -> Options {
        self.shared.lock().account.options().clone()
    }

    /// Changes the options while the account runs, without losing messages and receipts: credentials, endpoints, binds, rate
    /// limits, windows, timeouts, capacities. The core's [`reconfigure`](smpp_proto::account::Account::reconfigure) says
    /// when each takes effect. Returns at once.
    ///
    /// ```no_run
    /// use smpp_proto::account::{Credentials, Options};
    ///
    /// # fn example(account: &smpp_tokio::account::Account) -> Result<(), smpp_proto::account::OptionsError> {
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
        self.shared.with(|inner, now| inner.reconfigure(now, options))
    }

    /// Resumes an account that has stopped, because the SMSC refused its credentials or a message: it makes its binds again,
    /// with the same credentials, at once. See [`resume`](smpp_proto::account::Account::resume).
    pub fn resume(&self) {
        self.shared.with(|inner, now| inner.account.resume(now));
    }

    /// Shuts down the account gracefully, for all handles: it accepts no more messages, sends what is queued until
    /// `timeout` has passed, unbinds, and returns the messages that were not accepted since this call, or whose final
    /// receipts are missing.
    ///
    /// Whatever the SMSC does, the call takes at most `timeout` +
    /// [`unbind_timeout`](smpp_proto::account::Options::unbind_timeout) (3 s) + 2 s to close the connections. A queue that is
    /// empty earlier leaves the rest of `timeout` for the unbinds. Of several calls the earliest deadline counts; one call
    /// returns the list, the others return an empty one.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use smpp_proto::account::Unresolved;
    ///
    /// # async fn example(account: smpp_tokio::account::Account) {
    /// for unresolved in account.shutdown(Duration::from_secs(10)).await {
    ///     match unresolved {
    ///         Unresolved::NotAccepted { message, .. } => println!("{message} is not accepted"),
    ///         Unresolved::NoReceipt { message, .. } => println!("{message} has no receipt yet"),
    ///         _ => {}
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// The account shuts down also if the future is dropped after its first poll.
    #[doc(alias = "graceful")]
    #[doc(alias = "disconnect")]
    pub async fn shutdown(&self, timeout: Duration) -> Vec<Unresolved> {
        // Wakes the calls that wait for capacity: they fail now.
        self.shared.with_now(|inner, now| inner.shutdown(now, timeout));
        self.closed().await;
        self.shared.lock().router.take_unresolved()
    }

    /// Waits until the account has ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: the future has no effect on the account.
    pub async fn closed(&self) {
        loop {
            let mut ended = pin!(self.shared.ended.notified());
            ended.as_mut().enable();
            if self.shared.lock().router.is_over() {
                return;
            }
            ended.await;
        }
    }

    /// Returns a receiver of the events of the account: bound, refused, reconnecting, throttled, messages in doubt.
    ///
    /// The first receiver also gets the events since the start of the account, the last 64 at most; a later one gets those that
    /// follow. See [`Events`].
    ///
    /// ```no_run
    /// # async fn example(account: smpp_tokio::account::Account) {
    /// let mut events = account.events();
    /// while let Some(event) = events.recv().await {
    ///     println!("{event}"); // "link 0: bound as transceiver at 192.0.2.1:2775"
    /// }
    /// # }
    /// ```
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
    /// # fn example(account: smpp_tokio::account::Account) {
    /// let stats = account.stats();
    /// println!("{} accepted, {} wait", stats.counters.segments_accepted, stats.queued);
    /// println!("99 % of the responses within {:?}", stats.total.response_histogram.quantile(0.99));
    /// # }
    /// ```
    pub fn stats(&self) -> AccountStats {
        self.shared.lock().account.stats()
    }

    /// Returns the state of each connection, and the counters of its current session if it has one.
    ///
    /// ```no_run
    /// # fn example(account: smpp_tokio::account::Account) {
    /// for (link, state, stats) in account.links() {
    ///     let in_flight = stats.map_or(0, |stats| stats.in_flight);
    ///     println!("link {link}: {state:?}, {in_flight} in flight");
    /// }
    /// # }
    /// ```
    pub fn links(&self) -> Vec<(LinkId, LinkState, Option<Stats>)> {
        let inner = self.shared.lock();
        let account = &inner.account;
        account.links().map(|(link, state)| (link, state, account.session_stats(link))).collect()
    }

    /// Returns the number of segments that wait or are in flight.
    pub fn queued(&self) -> usize {
        self.shared.lock().account.queued()
    }
}

/// Counts a call as long as it lives.
struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Clone for Account {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.shared))
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let mut inner = self.shared.lock();
        inner.handles -= 1;
        let last = inner.handles == 0;
        drop(inner);
        if last {
            self.shared.with_now(|inner, now| inner.shutdown(now, Duration::ZERO));
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.lock().account.fmt(f)
    }
}
