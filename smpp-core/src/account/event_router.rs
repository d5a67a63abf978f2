//! Routes the events of an account to the callers that wait for them.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::mem;
use core::task::Poll;

use super::account_event::AccountEvent;
use super::ack::Ack;
use super::buffered_receipt::BufferedReceipt;
use super::error::{FirstBindError, NoMoreReceipts};
use super::event::{Event, StopCause};
use super::event_log::EventLog;
use super::link::{ConnectFailure, LinkEvent};
use super::message_request::{MessageRequest, MessageRequestError, RequestNotSentReason, RequestNumber};
use super::message_slots::{FetchedReceipt, MessageSlots, RemovedSlot};
use super::outcome::{MessageNumber, Unresolved};
use super::receipt::{DeliveryReceipt, ReceiptDestination, ReceiptMatch, SpareBuffers};
use super::request_slots::RequestSlots;
use super::routed_event::RoutedEvent;
use super::state::Account;
use crate::pdu::{DeliverSm, MessageState, Operation};
use crate::session::{Observer, Response};
use crate::time::Instant;

/// How many octets of PDUs the arrivals may have on average. One that arrives below the limit may exceed it.
const AVERAGE_ARRIVAL_OCTETS: usize = 1024;

/// The most events that a receiver of the event stream may have left to read, by default.
const EVENT_CAPACITY: usize = 1_024;

/// Buffers the events of an [`Account`] until the callers that wait for them fetch them: the outcome and the receipts of
/// each message, and the arrivals, which belong to no waiting message. Adapters whose users wait are built on it.
///
/// Pass each [`Event`] to [`handle_event`](Self::handle_event). A `poll_` method returns what has arrived, or stores the
/// waiter `W`: a [`Waker`](core::task::Waker), a condition variable, or another handle that wakes a user of the adapter.
/// [`take_wakers`](Self::take_wakers) returns the waiters to wake. There is one waiter for each message, each request and
/// each receiver of events, and one for the arrivals. A later waiter replaces an earlier one, and the `poll_` method swaps
/// the earlier one into its argument: so the router drops no waiter. Dropping one may run foreign code, which must not
/// happen while the adapter holds a lock.
///
/// # What it buffers
///
/// - Each message has a slot from [`submit`](Self::submit) to [`release`](Self::release). The slot holds up to 1,024
///   receipts with 255 KiB of PDUs, which are acknowledged at once. Further ones are refused with `ESME_RX_T_APPN`: the SMSC
///   keeps them.
/// - Each request about a message has a slot with its outcome, from [`request`](Self::request) to
///   [`release_request`](Self::release_request).
/// - MO messages, receipts without a slot, and those of a message that passes them
///   [to the arrivals](ReceiptDestination::Arrivals) are queued as arrivals, up to a limit, and up to as many KiB of PDUs.
///   Beyond it they are refused with `ESME_RX_T_APPN`. An alert_notification, which has no response, is lost then.
/// - What the SMSC does not repeat is queued as arrivals up to twice that limit: late outcomes ([`Event::LateOutcome`]), and
///   MO messages of which a segment has been acknowledged ([`SegmentAckMode`](super::SegmentAckMode)). Beyond it, or once
///   the adapter has dropped its arrivals, they are lost; [`AccountEvent::InboundMessageLost`] reports such a message.
/// - The event stream keeps 1,024 events ([`with_events_capacity`](Self::with_events_capacity)) and 256 KiB for its slowest
///   [receiver](Self::add_receiver). Before there is a first receiver, it keeps the last 64 events.
///
/// ```
/// use core::task::Poll;
/// use core::time::Duration;
/// use smpp_proto::account::{Account, Credentials, EventRouter, Message, Options, SendError};
/// use smpp_proto::provider::Provider;
/// use smpp_proto::session::Instant;
/// use smpp_proto::{Address, SubmitSm};
///
/// let now = Instant::ZERO;
/// let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::EIGHT_BY_EIGHT);
/// let mut account = Account::<()>::new(options, now)?;
/// let mut router = EventRouter::new(1_000);
/// let template = SubmitSm { destination: Address::international("6591234567")?, ..SubmitSm::default() };
/// let number = router.submit(now, &mut account, &Message::text(&template, "Hello"))?;
/// assert!(router.poll_outcome(number, &mut Some("sender")).is_pending());
///
/// account.shutdown(now, Duration::ZERO);
/// while let Some(event) = account.poll_event() {
///     router.handle_event(now, &mut account, event);
/// }
/// assert_eq!(router.take_wakers().collect::<Vec<_>>(), ["sender"]);
/// let Poll::Ready(Err(SendError::Failed { outcome, .. })) = router.poll_outcome(number, &mut None) else { panic!() };
/// assert!(outcome.is_safe_to_resend());
/// router.release(number);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct EventRouter<W> {
    pub(super) messages: MessageSlots<W>,
    requests: RequestSlots<W>,
    arrivals: VecDeque<RoutedEvent>,
    arrival_octets: usize,
    max_arrivals: usize,
    /// Whether the adapter still fetches arrivals.
    accepts_arrivals: bool,
    arrival_waiter: Option<W>,
    pub(super) event_log: EventLog<W>,
    /// The events of `event_log`, and those of each segment, for the receivers that ask for them.
    pub(super) detailed_log: EventLog<W>,
    /// The reports of lost messages that the adapter has not taken for its log.
    pub(super) lost: Vec<AccountEvent>,
    /// Whether a receiver has made the account report what is handed to the transport.
    pub(super) has_turned_on_reports: bool,
    pub(super) wakers: VecDeque<W>,
    first_bind: Option<Result<(), FirstBindError>>,
    /// The endpoint that has refused a bind, until there is a first one.
    refused_at: Option<String>,
    unresolved: Vec<Unresolved>,
    /// Those of receipts that were consumed: the account fills them again.
    pub(super) spare_buffers: SpareBuffers,
    pub(super) is_over: bool,
}

impl<W> EventRouter<W> {
    /// Creates a router that buffers up to this many arrivals, and as many KiB of their PDUs.
    pub const fn new(max_arrivals: usize) -> Self {
        Self {
            messages: MessageSlots::new(),
            requests: RequestSlots::new(),
            arrivals: VecDeque::new(),
            arrival_octets: 0,
            max_arrivals,
            accepts_arrivals: true,
            arrival_waiter: None,
            event_log: EventLog::new(EVENT_CAPACITY),
            detailed_log: EventLog::new(EVENT_CAPACITY),
            lost: Vec::new(),
            has_turned_on_reports: false,
            wakers: VecDeque::new(),
            first_bind: None,
            refused_at: None,
            unresolved: Vec::new(),
            spare_buffers: SpareBuffers::new(),
            is_over: false,
        }
    }

    /// Buffers an event for the caller that waits for it. What cannot be buffered is refused at once.
    pub fn handle_event<O: Observer>(&mut self, now: Instant, account: &mut Account<O>, event: Event) {
        self.log_event(&event);
        match event {
            Event::Outcome { message, outcome, .. } => {
                let scope = account.options().receipts.dialect.receipt_scope();
                self.record_outcome(message, outcome, scope);
            }
            Event::RequestOutcome { request, result } => {
                self.wakers.extend(self.requests.record(request, result));
            }
            Event::Receipt { receipt, matched, ack } => {
                account.spare_buffers.refill(&mut self.spare_buffers);
                self.handle_receipt(now, account, receipt, matched, ack);
            }
            Event::ReceiptsExpired { message, .. } => {
                let waiter = self.messages.end_receipts(message, NoMoreReceipts::NotReceived);
                self.wake(waiter);
            }
            Event::Message { message, ack } => {
                self.queue_arrival(now, account, RoutedEvent::Message(message, ack));
            }
            Event::Notification { bind, frame } => {
                self.queue_arrival(now, account, RoutedEvent::Notification { bind, frame });
            }
            Event::LateOutcome { message, key, segment, outcome } => {
                if self.has_room(2) {
                    self.push_arrival(RoutedEvent::LateOutcome { message, key, segment, outcome });
                }
            }
            Event::Link { event: LinkEvent::Bound { .. }, .. } => {
                self.first_bind.get_or_insert(Ok(()));
            }
            Event::Link {
                event: LinkEvent::ConnectFailed { failure: ConnectFailure::Untrusted, retry_in: Some(_), .. },
                ..
            } => {
                self.first_bind.get_or_insert(Err(FirstBindError::Untrusted));
            }
            Event::Link { link, event: LinkEvent::BindRefused { .. } } if self.first_bind.is_none() => {
                self.refused_at = account.endpoint(link).map(ToString::to_string);
            }
            Event::HandedToTransport { .. } => self.turn_off_unused_reports(account),
            // If a message was refused, there is or was a bind.
            Event::Link { .. } | Event::InDoubt { .. } | Event::Stopped { cause: StopCause::Message, .. } => {
            }
            Event::Stopped { cause: StopCause::Bind, status, response } => {
                let (endpoint, system_id) =
                    (self.refused_at.take(), account.options().credentials.system_id.clone());
                self.first_bind.get_or_insert(Err(FirstBindError::Refused {
                    endpoint,
                    system_id,
                    status,
                    response,
                }));
            }
            Event::Resumed => {
                // The first bind may still be made.
                self.first_bind = self.first_bind.take().filter(Result::is_ok);
            }
            Event::Closed { unresolved } => {
                self.unresolved = unresolved;
                self.close();
            }
        }
    }

    /// Passes a request about a message to the account, and creates its slot. The slot lives until the request is
    /// [released](Self::release_request).
    ///
    /// # Errors
    ///
    /// The error of [`Account::request`]; there is no slot then.
    pub fn request<O: Observer>(
        &mut self,
        now: Instant,
        account: &mut Account<O>,
        request: &MessageRequest,
    ) -> Result<RequestNumber, RequestNotSentReason> {
        let number = account.request(now, request)?;
        self.requests.open(number);
        Ok(number)
    }

    /// Returns the outcome of a request, once.
    ///
    /// # Errors
    ///
    /// [`MessageRequestError`] says why the request did not succeed: also [`DriverGone`](MessageRequestError::DriverGone) if the
    /// router was closed before the request had an outcome, or the request has no slot.
    pub fn poll_request(
        &mut self,
        request: RequestNumber,
        waiter: &mut Option<W>,
    ) -> Poll<Result<Response, MessageRequestError>> {
        self.requests.poll(request, self.is_over, waiter)
    }

    /// Removes the slot of a request for which no caller waits any more. A request that was not sent is withdrawn.
    pub fn release_request<O: Observer>(
        &mut self,
        now: Instant,
        account: &mut Account<O>,
        request: RequestNumber,
    ) {
        self.wakers.extend(self.requests.release(request));
        account.withdraw_request(now, request);
    }

    pub(super) fn wake(&mut self, waiter: Option<W>) {
        if let Some(waiter) = waiter {
            self.wakers.push_back(waiter);
        }
    }

    fn handle_receipt<O: Observer>(
        &mut self,
        now: Instant,
        account: &mut Account<O>,
        receipt: DeliveryReceipt,
        matched: Option<ReceiptMatch>,
        ack: Ack,
    ) {
        let to_sent = matched.as_ref().filter(|matched| matched.destination == ReceiptDestination::Sent);
        let is_discarded = to_sent.is_some() && !self.accepts_arrivals;
        let slot = to_sent
            .and_then(|matched| self.messages.receipt_slot(matched.message, matched.previous.is_some()));
        let (matched, slot) = match (matched, slot) {
            (Some(matched), Some(slot)) => (matched, slot),
            // The adapter discards receipts of its own messages.
            (Some(_), None) if is_discarded => {
                let _ = account.acknowledge_event(now, ack, Ok(()));
                return;
            }
            (matched, _) => {
                return self.queue_arrival(now, account, RoutedEvent::Receipt(receipt, matched, Some(ack)));
            }
        };
        // If the bind has ended, the SMSC redelivers the receipt. If it was accepted, it counts as repeated.
        let _ = if slot.is_full() {
            account.acknowledge_event(now, ack, Err(DeliverSm::UNANSWERED))
        } else {
            let waiter =
                self.messages.push_receipt(&slot, BufferedReceipt::Read(Box::new((receipt, matched))));
            self.wake(waiter);
            account.acknowledge_event(now, ack, Ok(()))
        };
    }

    fn queue_arrival<O: Observer>(&mut self, now: Instant, account: &mut Account<O>, arrival: RoutedEvent) {
        // What the SMSC does not repeat may use as much room again as what it keeps.
        if self.has_room(if arrival.is_only_copy() { 2 } else { 1 }) {
            self.push_arrival(arrival);
        } else {
            self.refuse_arrival(now, account, arrival);
        }
    }

    /// Returns whether another arrival fits into so many times the limit.
    fn has_room(&self, times: usize) -> bool {
        let limit = self.max_arrivals.saturating_mul(times);
        let is_full = self.arrivals.len() >= limit
            || self.arrival_octets >= limit.saturating_mul(AVERAGE_ARRIVAL_OCTETS);
        self.accepts_arrivals && !is_full
    }

    fn push_arrival(&mut self, arrival: RoutedEvent) {
        self.arrival_octets += arrival.octets();
        self.arrivals.push_back(arrival);
        self.wakers.extend(self.arrival_waiter.take());
    }

    /// Refuses it with a temporary status, so that the SMSC keeps it, and reports what the SMSC does not keep.
    fn refuse_arrival<O: Observer>(&mut self, now: Instant, account: &mut Account<O>, arrival: RoutedEvent) {
        if let RoutedEvent::Message(message, _) = &arrival
            && arrival.is_only_copy()
        {
            let segments = message.segments().count();
            self.report_lost(AccountEvent::InboundMessageLost { bind: message.bind(), segments });
        }
        let (RoutedEvent::Message(_, ack) | RoutedEvent::Receipt(_, _, Some(ack))) = arrival else { return };
        // If the bind has ended, the SMSC has seen no response, and keeps it too.
        let _ = account.acknowledge(now, ack, Err(DeliverSm::UNANSWERED));
    }

    /// Frees the memory of empty buffers. Call it when the account is quiet, as [`Account::shrink`].
    pub fn shrink(&mut self) {
        self.messages.shrink();
        self.arrivals.shrink_to_fit();
        self.spare_buffers = SpareBuffers::new();
        self.event_log.shrink();
        self.detailed_log.shrink();
        self.wakers.shrink_to_fit();
    }

    /// Returns whether [`take_wakers`](Self::take_wakers) may return a waiter.
    pub fn has_wakers(&self) -> bool {
        self.is_over || !self.wakers.is_empty()
    }

    /// Removes and returns the waiters for which something has arrived, each once. Wake them: they then poll again. An iterator
    /// that is dropped early leaves the others for the next call, so that an adapter can wake them in batches, each outside of
    /// its lock.
    pub fn take_wakers(&mut self) -> impl Iterator<Item = W> {
        core::iter::from_fn(|| {
            let waiter = self.wakers.pop_front();
            waiter.or_else(|| if self.is_over { self.messages.take_waiter() } else { None })
        })
    }

    /// Returns the next receipt of a message, intermediate ones included. A receipt that changes a final state
    /// ([`ReceiptMatch::previous`]) may still arrive after [`NoMoreReceipts::AllReceived`]: this returns it then.
    ///
    /// # Errors
    ///
    /// [`NoMoreReceipts`] if no further receipt will arrive.
    pub fn poll_receipt(
        &mut self,
        message: MessageNumber,
        waiter: &mut Option<W>,
    ) -> Poll<Result<(DeliveryReceipt, ReceiptMatch), NoMoreReceipts>> {
        let fetched = self.messages.fetch_receipt(message);
        self.poll_fetched(message, fetched, waiter)
    }

    /// Returns what was fetched, or stores the waiter.
    #[inline]
    fn poll_fetched<T>(
        &mut self,
        message: MessageNumber,
        fetched: FetchedReceipt<T>,
        waiter: &mut Option<W>,
    ) -> Poll<Result<T, NoMoreReceipts>> {
        Poll::Ready(match fetched {
            FetchedReceipt::Receipt(receipt) => Ok(receipt),
            FetchedReceipt::NoMore(reason) => Err(reason),
            FetchedReceipt::Missing => Err(NoMoreReceipts::Closed),
            FetchedReceipt::Pending if self.is_over => Err(NoMoreReceipts::Closed),
            FetchedReceipt::Pending => {
                self.messages.wait(message, waiter);
                return Poll::Pending;
            }
        })
    }

    /// Returns the state of a message, once it has all its final receipts: [`ReceiptMatch::message_state`]. It consumes the
    /// receipts up to there, without returning them.
    ///
    /// # Errors
    ///
    /// As [`poll_receipt`](Self::poll_receipt).
    pub fn poll_message_state(
        &mut self,
        message: MessageNumber,
        waiter: &mut Option<W>,
    ) -> Poll<Result<MessageState, NoMoreReceipts>> {
        let fetched = self.messages.fetch_state(message, &mut self.spare_buffers);
        self.poll_fetched(message, fetched, waiter)
    }

    /// Removes the slot of a message for which no caller waits any more.
    ///
    /// Its buffered receipts, which are acknowledged already, become arrivals. They do not use the capacity of arrivals
    /// that the SMSC could keep, but at most as much again; further ones are lost. Later receipts of the message become
    /// arrivals too, to be acknowledged by the caller that fetches them.
    pub fn release(&mut self, message: MessageNumber) {
        let removed = self.messages.remove(message, None);
        self.keep_unfetched(removed);
    }

    /// As [`poll_message_state`](Self::poll_message_state) and then [`release`](Self::release): for a caller that has the state
    /// already, from [`AwaitedReceipts::State`](super::AwaitedReceipts::State).
    #[inline]
    pub fn release_with_state(&mut self, message: MessageNumber) {
        let removed = self.messages.remove(message, Some(&mut self.spare_buffers));
        self.keep_unfetched(removed);
    }

    #[inline(always)]
    fn keep_unfetched(&mut self, removed: Option<RemovedSlot<W>>) {
        let Some(RemovedSlot { waiter, receipts }) = removed else { return };
        self.wake(waiter);
        if let Some(receipts) = receipts {
            self.queue_unfetched(receipts);
        }
    }

    #[cold]
    fn queue_unfetched(&mut self, receipts: Vec<(DeliveryReceipt, ReceiptMatch)>) {
        for (receipt, matched) in receipts {
            if self.has_room(2) {
                self.push_arrival(RoutedEvent::Receipt(receipt, Some(matched), None));
            }
        }
    }

    /// Returns the next arrival, in the order of delivery; `None` once the account has ended and none is left, or the
    /// arrivals are [closed](Self::close_arrivals).
    pub fn poll_arrival(&mut self, waiter: &mut Option<W>) -> Poll<Option<RoutedEvent>> {
        match self.arrivals.pop_front() {
            None if self.accepts_arrivals && !self.is_over => {
                mem::swap(&mut self.arrival_waiter, waiter);
                Poll::Pending
            }
            arrival => {
                self.arrival_octets -= arrival.as_ref().map_or(0, RoutedEvent::octets);
                Poll::Ready(arrival)
            }
        }
    }

    /// Stops buffering arrivals, because no caller fetches them any more. From now on the router refuses MO messages and
    /// receipts of unknown messages with `ESME_RX_T_APPN`, including those that are buffered: the SMSC keeps them. So are
    /// the receipts of messages that pass them [to the arrivals](ReceiptDestination::Arrivals). It acknowledges and discards
    /// the receipts of this account's other messages.
    ///
    /// The account then holds and acknowledges no segment of an MO message ([`Account::refuse_messages`]). A message of which
    /// it has acknowledged one before is lost: [`AccountEvent::InboundMessageLost`] reports it.
    pub fn close_arrivals<O: Observer>(&mut self, now: Instant, account: &mut Account<O>) {
        self.accepts_arrivals = false;
        self.wakers.extend(self.arrival_waiter.take());
        self.arrival_octets = 0;
        for arrival in mem::take(&mut self.arrivals) {
            self.refuse_arrival(now, account, arrival);
        }
        account.refuse_messages(now, true);
    }

    /// Returns whether the account has had a bind, or why it has none; `None` while the first attempts are in progress, also
    /// those after [`Event::Resumed`].
    pub fn first_bind(&self) -> Option<Result<(), FirstBindError>> {
        self.first_bind.clone()
    }

    /// Returns whether the account has ended: no further event will arrive.
    pub const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Removes and returns what was unresolved when the account was shut down ([`Event::Closed`]).
    pub fn take_unresolved(&mut self) -> Vec<Unresolved> {
        mem::take(&mut self.unresolved)
    }

    /// Ends all waits, although the account has not emitted [`Event::Closed`]: its driver is gone. A message without an
    /// outcome ends with [`SendError::DriverGone`](super::SendError::DriverGone).
    pub fn close(&mut self) {
        self.is_over = true;
        let waiters = self.arrival_waiter.take().into_iter().chain(self.requests.take_waiters());
        // The waiters of messages follow: `take_wakers`.
        self.wakers.extend(waiters.chain(self.event_log.close()).chain(self.detailed_log.close()));
    }
}

impl<W> fmt::Debug for EventRouter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventRouter")
            .field("messages", &self.messages.len())
            .field("arrivals", &self.arrivals.len())
            .finish_non_exhaustive()
    }
}
