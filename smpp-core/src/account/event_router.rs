//! What an account tells, kept until whoever waits for it fetches it.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::fmt;
use core::mem;
use core::task::Poll;

use super::Account;
use super::event::{ConnectFailure, Event, LinkEvent, Unresolved};
use super::incoming::{Ack, InboundMessage};
use super::message::{Message, MessageId, MessageNumber, MessageOutcome, SendError, SubmitError};
use super::receipts::{DeliveryReceipt, NoMoreReceipts, ReceiptMatch};
use crate::frame::Frame;
use crate::pdu::{CommandStatus, DeliverSm, Operation};
use crate::session::Observer;
use crate::time::Instant;

/// Receipts of one message that wait for its owner; more are left to the SMSC. A message has 255 parts at most, and each
/// part few states.
const RECEIPTS: usize = 1024;

/// Keeps what an [`Account`] tells until it is fetched: the outcome and the receipts of each message for its owner, and
/// what arrives for nobody in particular. For an adapter whose users wait: it says whom to wake.
///
/// Pass each [`Event`] to [`handle_event`](Self::handle_event). A `poll_` method gives what there is, or keeps the waiter
/// `W`, a [`Waker`](core::task::Waker) or whatever else wakes a user; [`woken`](Self::woken) gives it back once there is
/// something. One waits for a message at a time, and one for the arrivals: a later waiter takes the place of an earlier,
/// who is handed back in exchange. So none is dropped here: that may run anyone's code, and is for where nothing is locked.
///
/// # What is kept
///
/// - A message has its place from [`submit`](Self::submit) to [`release`](Self::release). Up to 1,024 of its receipts wait
///   there, and are acknowledged to the SMSC; more are left to the SMSC.
/// - Messages from phones wait among the arrivals, and receipts for which no message waits. Beyond the limit the SMSC is
///   told to keep them (`ESME_RX_T_APPN`); an alert_notification, which has no response, is lost then.
///
/// ```
/// use core::task::Poll;
/// use core::time::Duration;
/// use smpp_core::account::{Account, Credentials, EventRouter, Message, Options, SendError};
/// use smpp_core::provider::Provider;
/// use smpp_core::session::Instant;
/// use smpp_core::{Address, SubmitSm};
///
/// let now = Instant::ZERO;
/// let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::EIGHT_BY_EIGHT);
/// let mut account = Account::<()>::new(options, now)?;
/// let mut desk = EventRouter::new(1_000);
/// let template = SubmitSm { destination: Address::international("6591234567")?, ..SubmitSm::default() };
/// let number = desk.submit(now, &mut account, &Message::text(&template, "Hello"))?;
/// assert!(desk.poll_outcome(number, &mut Some("its sender")).is_pending());
///
/// account.shutdown(now, Duration::ZERO);
/// while let Some(event) = account.poll_event() {
///     desk.handle_event(now, &mut account, event);
/// }
/// assert_eq!(desk.woken().collect::<Vec<_>>(), ["its sender"]);
/// let Poll::Ready(Err(SendError::Failed { outcome, .. })) = desk.poll_outcome(number, &mut None) else { panic!() };
/// assert!(outcome.is_safe_to_resend());
/// desk.release(number);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct EventRouter<W> {
    slots: BTreeMap<MessageNumber, Slot<W>>,
    arrivals: VecDeque<RoutedEvent>,
    max_arrivals: usize,
    /// Whether anyone fetches what arrives.
    is_fetched: bool,
    receiver: Option<W>,
    woken: Vec<W>,
    first_bind: Option<Result<(), FirstBindError>>,
    unresolved: Vec<Unresolved>,
    over: bool,
}

/// What there is for the owner of one message.
struct Slot<W> {
    outcome: Option<MessageOutcome>,
    receipts: VecDeque<(DeliveryReceipt, ReceiptMatch)>,
    /// Why no more receipts will come.
    end: Option<NoMoreReceipts>,
    owner: Option<W>,
}

/// Something that has been delivered.
#[derive(Debug)]
pub enum RoutedEvent {
    /// A message from a phone, whole, or what there is of one whose other parts have not come in time.
    Message(InboundMessage, Ack),
    /// A receipt: of a message that nobody waits for, or about none that is known. Without the right to answer it if it
    /// has been acknowledged.
    Receipt(DeliveryReceipt, Option<ReceiptMatch>, Option<Ack>),
    /// What has no response: alert_notification.
    Notification(Frame<Vec<u8>>),
}

/// Why there will be no first bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstBindError {
    /// The SMSC refuses the account.
    Refused(CommandStatus),
    /// The server's certificate is not accepted, at whichever address. The account goes on trying.
    Untrusted,
}

impl<W> Slot<W> {
    /// Whether receipts are the owner's. Without an outcome, and that it has to be told first, nobody can say that none
    /// will come.
    fn takes_receipts(&self) -> bool {
        self.outcome.as_ref().is_none_or(|outcome| outcome.result().is_ok() && self.end.is_none())
    }
}

impl<W> EventRouter<W> {
    /// With room for so many arrivals.
    pub const fn new(max_arrivals: usize) -> Self {
        Self {
            slots: BTreeMap::new(),
            arrivals: VecDeque::new(),
            max_arrivals,
            is_fetched: true,
            receiver: None,
            woken: Vec::new(),
            first_bind: None,
            unresolved: Vec::new(),
            over: false,
        }
    }

    /// Gives the account a message that someone waits for. It has its place until it is [released](Self::release).
    pub fn submit<O: Observer>(
        &mut self,
        now: Instant,
        account: &mut Account<O>,
        message: &Message,
    ) -> Result<MessageNumber, SubmitError> {
        let number = account.submit(now, message)?;
        let end = if message.asks_for_receipts() { None } else { Some(NoMoreReceipts::NotRequested) };
        self.slots.insert(number, Slot { outcome: None, receipts: VecDeque::new(), end, owner: None });
        Ok(number)
    }

    /// Keeps what an event says for whoever waits for it. What is not kept is answered for at once.
    pub fn handle_event<O: Observer>(&mut self, now: Instant, account: &mut Account<O>, event: Event) {
        match event {
            Event::Outcome { message, outcome } => self.conclude(message, outcome),
            Event::Receipt { receipt, about, ack } => self.receipt(now, account, receipt, about, ack),
            Event::ReceiptsExpired { message, .. } => {
                if let Some(slot) = self.slots.get_mut(&message) {
                    slot.end.get_or_insert(NoMoreReceipts::NotReceived);
                    self.woken.extend(slot.owner.take());
                }
            }
            Event::Message { message, ack } => self.arrive(now, account, RoutedEvent::Message(message, ack)),
            Event::Notification { frame } => self.arrive(now, account, RoutedEvent::Notification(frame)),
            Event::Link { event: LinkEvent::Bound { .. }, .. } => {
                self.first_bind.get_or_insert(Ok(()));
            }
            Event::Link {
                event: LinkEvent::ConnectFailed { failure: ConnectFailure::Untrusted, retry_at: Some(_), .. },
                ..
            } => {
                self.first_bind.get_or_insert(Err(FirstBindError::Untrusted));
            }
            Event::Link { .. } => {}
            Event::Stopped { status } => {
                self.first_bind.get_or_insert(Err(FirstBindError::Refused(status)));
            }
            Event::Closed { unresolved } => {
                self.unresolved = unresolved;
                self.close();
            }
        }
    }

    fn conclude(&mut self, message: MessageNumber, outcome: MessageOutcome) {
        let Some(slot) = self.slots.get_mut(&message) else { return };
        if outcome.ids().any(|id| id.as_bytes().is_empty()) {
            // Of the part that the SMSC gave no id no receipt is known by its own.
            slot.end.get_or_insert(NoMoreReceipts::NotReceived);
        }
        slot.outcome = Some(outcome);
        self.woken.extend(slot.owner.take());
    }

    fn receipt<O: Observer>(
        &mut self,
        now: Instant,
        account: &mut Account<O>,
        receipt: DeliveryReceipt,
        about: Option<ReceiptMatch>,
        ack: Ack,
    ) {
        let slot = about.and_then(|about| Some((about, self.slots.get_mut(&about.message)?)));
        // If the bind is gone, the receipt comes again, and counts as repeated if it was accepted.
        let _ = match slot {
            Some((about, slot)) if slot.takes_receipts() => {
                if slot.receipts.len() >= RECEIPTS {
                    account.acknowledge(now, ack, Err(DeliverSm::UNANSWERED))
                } else {
                    slot.receipts.push_back((receipt, about));
                    if about.message_state.is_some() {
                        slot.end = Some(NoMoreReceipts::AllReceived);
                    }
                    self.woken.extend(slot.owner.take());
                    account.acknowledge(now, ack, Ok(()))
                }
            }
            // Nobody wants to know.
            _ if about.is_some() && !self.is_fetched => account.acknowledge(now, ack, Ok(())),
            _ => return self.arrive(now, account, RoutedEvent::Receipt(receipt, about, Some(ack))),
        };
    }

    fn arrive<O: Observer>(&mut self, now: Instant, account: &mut Account<O>, delivery: RoutedEvent) {
        if self.is_fetched && self.arrivals.len() < self.max_arrivals {
            self.arrivals.push_back(delivery);
            self.woken.extend(self.receiver.take());
        } else {
            delivery.refuse(now, account);
        }
    }

    /// Those who waited for what there is now, each once: wake them, and let them look again.
    pub fn woken(&mut self) -> impl Iterator<Item = W> {
        self.woken.drain(..)
    }

    /// The SMSC's ids of a message, one for each part, if all of it was accepted; otherwise what became of it.
    pub fn poll_outcome(
        &mut self,
        message: MessageNumber,
        owner: &mut Option<W>,
    ) -> Poll<Result<Vec<MessageId>, SendError>> {
        let Some(slot) = self.slots.get_mut(&message) else { return Poll::Ready(Err(SendError::DriverGone)) };
        let Some(outcome) = &slot.outcome else {
            if self.over {
                return Poll::Ready(Err(SendError::DriverGone));
            }
            mem::swap(&mut slot.owner, owner);
            return Poll::Pending;
        };
        Poll::Ready(match outcome.result() {
            Ok(ids) => Ok(ids.into_iter().cloned().collect()),
            Err(_) => Err(SendError::Failed { message, outcome: outcome.clone() }),
        })
    }

    /// The next receipt of a message, intermediate ones included, or why no more will come.
    pub fn poll_receipt(
        &mut self,
        message: MessageNumber,
        owner: &mut Option<W>,
    ) -> Poll<Result<(DeliveryReceipt, ReceiptMatch), NoMoreReceipts>> {
        let Some(slot) = self.slots.get_mut(&message) else {
            return Poll::Ready(Err(NoMoreReceipts::Closed));
        };
        if let Some(receipt) = slot.receipts.pop_front() {
            return Poll::Ready(Ok(receipt));
        }
        if let Some(why) = slot.end.or(self.over.then_some(NoMoreReceipts::Closed)) {
            return Poll::Ready(Err(why));
        }
        mem::swap(&mut slot.owner, owner);
        Poll::Pending
    }

    /// Nobody waits for the message any more. Its receipts that were not fetched, and are acknowledged, go to the arrivals:
    /// they do not take the room of those that can be left to the SMSC, but as much again at most; what is more is lost.
    /// Those that are still to come go there too, to be acknowledged by whoever fetches them.
    pub fn release(&mut self, message: MessageNumber) {
        let Some(slot) = self.slots.remove(&message) else { return };
        self.woken.extend(slot.owner);
        for (receipt, about) in slot.receipts {
            if self.is_fetched && self.arrivals.len() < self.max_arrivals.saturating_mul(2) {
                self.arrivals.push_back(RoutedEvent::Receipt(receipt, Some(about), None));
                self.woken.extend(self.receiver.take());
            }
        }
    }

    /// The next that was delivered, in the order it came; `None` once the account has ended and none is left, or if
    /// [nobody fetches them](Self::close_arrivals).
    pub fn poll_arrival(&mut self, receiver: &mut Option<W>) -> Poll<Option<RoutedEvent>> {
        match self.arrivals.pop_front() {
            None if self.is_fetched && !self.over => {
                mem::swap(&mut self.receiver, receiver);
                Poll::Pending
            }
            arrival => Poll::Ready(arrival),
        }
    }

    /// Nobody fetches what arrives any more. Messages and receipts about unknown messages are left to the SMSC from now
    /// on, what waits included; receipts of messages of this account are accepted and forgotten.
    pub fn close_arrivals<O: Observer>(&mut self, now: Instant, account: &mut Account<O>) {
        self.is_fetched = false;
        self.woken.extend(self.receiver.take());
        for delivery in mem::take(&mut self.arrivals) {
            delivery.refuse(now, account);
        }
    }

    /// Whether there has been a bind, or why there will be none; `None` as long as nobody can say.
    pub const fn first_bind(&self) -> Option<Result<(), FirstBindError>> {
        self.first_bind
    }

    /// Whether the account is over: nothing will be told any more.
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// What was not known to have come to a good end when the account was shut down. Told once.
    pub fn take_unresolved(&mut self) -> Vec<Unresolved> {
        mem::take(&mut self.unresolved)
    }

    /// Nobody drives the account any more, though it has not said that it is [closed](Event::Closed). Nobody waits for
    /// ever: a message without an outcome is [lost](SendError::DriverGone).
    pub fn close(&mut self) {
        self.over = true;
        let owners = self.slots.values_mut().filter_map(|slot| slot.owner.take());
        self.woken.extend(owners.chain(self.receiver.take()));
    }
}

impl RoutedEvent {
    /// Leaves it to the SMSC.
    fn refuse<O: Observer>(self, now: Instant, account: &mut Account<O>) {
        let (Self::Message(_, ack) | Self::Receipt(_, _, Some(ack))) = self else { return };
        // If the bind is gone, the SMSC has seen no answer, and keeps it too.
        let _ = account.acknowledge(now, ack, Err(DeliverSm::UNANSWERED));
    }
}

impl<W> fmt::Debug for EventRouter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventRouter")
            .field("messages", &self.slots.len())
            .field("arrivals", &self.arrivals.len())
            .finish_non_exhaustive()
    }
}
