//! A submitted message: first its outcome, then its delivery receipts.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use smpp_proto::MessageState;
use smpp_proto::account::{
    AcceptedMessage, AwaitedReceipts, BindId, DeliveryReceipt, Message, MessageId, MessageKey, MessageNumber,
    NoMoreReceipts, ReceiptMatch, SendError,
};
use smpp_proto::session::AcceptedResponse;

use super::shared::Shared;
use crate::waiter;

/// A message that the account has accepted into its queue, and whose outcome was not fetched yet.
///
/// ```no_run
/// use smpp_proto::SubmitSm;
/// use smpp_proto::account::Message;
/// use smpp_std::account::Account;
///
/// fn send_all(account: &Account, texts: &[&str]) -> Result<(), Box<dyn std::error::Error>> {
///     let template = SubmitSm::default();
///     let tickets = texts.iter().map(|text| account.submit(&Message::text(&template, *text)));
///     for ticket in tickets.collect::<Result<Vec<_>, _>>()? {
///         println!("accepted as {:?}", ticket.outcome()?.ids());
///     }
///     Ok(())
/// }
/// ```
///
/// If the ticket is dropped, the message is sent all the same; its delivery receipts arrive through
/// [`Arrivals`](super::Arrivals). [`cancel`](Self::cancel) stops the message.
#[must_use = "the outcome says whether the message was accepted"]
pub struct Ticket {
    registration: Registration,
}

/// The registration of a message for its outcome and receipts. If it is dropped, the receipts that were not fetched go
/// to [`Arrivals`](super::Arrivals).
struct Registration {
    message: MessageNumber,
    key: Option<MessageKey>,
    receipts: Receipts,
    /// How the current thread is registered for the outcome, if it is and has not waited since.
    registered: Option<waiter::Registration>,
    shared: Arc<Shared>,
}

/// What the caller knows of the receipts of its message.
#[derive(Clone, Copy)]
enum Receipts {
    /// Nothing, or more than the state: the router has the rest.
    Open,
    /// The router has had this state of the message with the outcome.
    Known(MessageState),
    /// The caller has that state. The router still has the receipts that report it.
    Read,
    /// There are none. The message has been released with its outcome: no later call needs the account's lock.
    None(NoMoreReceipts),
}

impl Registration {
    /// Waits for the outcome. Returns `None` if the deadline passes first.
    fn outcome(&mut self, deadline: Option<Instant>) -> Option<Result<AcceptedMessage, SendError>> {
        let message = self.message;
        if let Some(registration) = self.registered.take() {
            let until = deadline.map(|deadline| self.shared.account_time(deadline));
            self.shared.park_unlocked(registration, until);
        }
        let outcome =
            self.shared.wait_until(deadline, |router, waiter| router.poll_last_outcome(message, waiter))?;
        Some(outcome.map(|(accepted, receipts)| {
            self.receipts = match receipts {
                AwaitedReceipts::Open => Receipts::Open,
                AwaitedReceipts::State(state) => Receipts::Known(state),
                AwaitedReceipts::None(reason) => Receipts::None(reason),
            };
            accepted
        }))
    }

    /// Consumes the receipts whose state the caller has. From now on the router knows what the caller has.
    fn consume_read(&mut self) {
        if let Receipts::Read = self.receipts {
            // Ready: it has returned the state before.
            let _ = self.shared.lock().router.poll_message_state(self.message, &mut None);
        }
        self.receipts = Receipts::Open;
    }

    /// Waits for a receipt. Returns `None` if the deadline passes first.
    fn receipt(
        &mut self,
        deadline: Option<Instant>,
    ) -> Option<Result<(DeliveryReceipt, ReceiptMatch), NoMoreReceipts>> {
        if let Receipts::None(reason) = self.receipts {
            return Some(Err(reason));
        }
        self.consume_read();
        self.shared.wait_until(deadline, |router, waiter| router.poll_receipt(self.message, waiter))
    }

    /// Waits for the state of the message, and consumes the receipts up to there. Returns `None` if the deadline passes first.
    fn state(&mut self, deadline: Option<Instant>) -> Option<Result<MessageState, NoMoreReceipts>> {
        match self.receipts {
            Receipts::Known(state) => {
                self.receipts = Receipts::Read;
                return Some(Ok(state));
            }
            Receipts::None(reason) => return Some(Err(reason)),
            Receipts::Read | Receipts::Open => {}
        }
        self.consume_read();
        self.shared.wait_until(deadline, |router, waiter| router.poll_message_state(self.message, waiter))
    }
}

/// A message of which the SMSC has accepted all segments. It waits for the delivery receipts of the message.
///
/// ```no_run
/// use std::time::{Duration, Instant};
/// use smpp_proto::account::Message;
/// use smpp_std::account::Account;
///
/// fn send(account: &Account, message: &Message) -> Result<(), Box<dyn std::error::Error>> {
///     let mut sent = account.send(message)?;
///     match sent.receipt_until(Instant::now() + Duration::from_secs(60))? {
///         Some(state) => println!("final state {state:?}"),
///         None => println!("no final receipt yet"),
///     }
///     Ok(())
/// }
/// ```
///
/// While you hold it, the account acknowledges each receipt of the message to the SMSC as it arrives, and keeps it in
/// memory: a process that is killed loses the receipts that it has not fetched. After you drop it, later receipts arrive
/// through [`Arrivals`](super::Arrivals) and are acknowledged when you accept them. Receipts that arrived before the drop and
/// were not fetched also arrive through `Arrivals`; they were acknowledged already. The receipts of a message with
/// [`ReceiptDestination::Arrivals`](smpp_proto::account::ReceiptDestination::Arrivals) arrive there only.
pub struct Sent {
    registration: Registration,
    accepted: AcceptedMessage,
}

impl Ticket {
    /// Creates the ticket of a message. `registered`: how the current thread is registered for the outcome, if it is.
    pub(super) fn new(
        number: MessageNumber,
        message: &Message,
        shared: &Arc<Shared>,
        registered: Option<waiter::Registration>,
    ) -> Self {
        let key = message.message_key().cloned();
        Self {
            registration: Registration {
                message: number,
                key,
                receipts: Receipts::Open,
                registered,
                shared: Arc::clone(shared),
            },
        }
    }

    /// Returns the account's number of the message.
    pub const fn message(&self) -> MessageNumber {
        self.registration.message
    }

    /// Returns your key of the message: [`Message::key`].
    pub const fn key(&self) -> Option<&MessageKey> {
        self.registration.key.as_ref()
    }

    /// Waits for the outcome. Without a [deadline](smpp_proto::account::Message::deadline) of the message it may wait for as
    /// long as the account has no bind.
    ///
    /// # Errors
    ///
    /// [`SendError::Failed`] with the outcome of each segment, if not all segments were accepted.
    pub fn outcome(mut self) -> Result<Sent, SendError> {
        // Without a deadline, the wait ends only with an outcome.
        let accepted = self.registration.outcome(None).unwrap_or(Err(SendError::DriverGone))?;
        Ok(Sent { registration: self.registration, accepted })
    }

    /// Waits for the outcome, at most until `deadline`.
    ///
    /// # Errors
    ///
    /// The outer error returns the ticket if there is no outcome by then. The message is sent all the same, unless you
    /// [cancel](Self::cancel) it. The inner error is that of [`outcome`](Self::outcome).
    pub fn outcome_until(mut self, deadline: Instant) -> Result<Result<Sent, SendError>, Self> {
        match self.registration.outcome(Some(deadline)) {
            Some(outcome) => Ok(outcome.map(|accepted| Sent { registration: self.registration, accepted })),
            None => Err(self),
        }
    }

    /// Sends no further segment of the message. Segments in flight still get their responses, and the outcome says which
    /// segments were sent. Does not block.
    pub fn cancel(&self) {
        let Registration { message, ref shared, .. } = self.registration;
        shared.with(|state, now| state.account.cancel(now, message));
    }
}

impl Sent {
    /// Returns the account's number of the message.
    pub const fn message(&self) -> MessageNumber {
        self.registration.message
    }

    /// Returns your key of the message: [`Message::key`].
    pub const fn key(&self) -> Option<&MessageKey> {
        self.registration.key.as_ref()
    }

    /// Returns the SMSC's message ids, one for each segment.
    pub fn ids(&self) -> &[MessageId] {
        self.accepted.ids()
    }

    /// Returns the bind that sent the last segment, to ask about the message on the same bind:
    /// [`MessageRequest::bind`](smpp_proto::account::MessageRequest::bind).
    pub fn bind(&self) -> Option<BindId> {
        self.accepted.bind()
    }

    /// Returns the binds that sent the segments, one for each segment.
    pub fn binds(&self) -> &[BindId] {
        self.accepted.binds()
    }

    /// Returns the SMSC's responses, one for each segment: their TLVs, such as a price, and for a submit_multi the recipients
    /// that the SMSC refused.
    ///
    /// ```no_run
    /// use smpp_proto::tlv::Tag;
    /// # fn example(sent: &smpp_std::account::Sent) {
    /// for response in sent.responses() {
    ///     println!("a vendor's TLV: {:?}", response.tlv(Tag(0x1400)));
    /// }
    /// # }
    /// ```
    pub fn responses(&self) -> impl Iterator<Item = &AcceptedResponse> {
        self.accepted.responses()
    }

    /// Waits until the final receipt of each segment has arrived, and returns the state of the message: delivered if all
    /// segments are delivered, otherwise the state of the first segment that is not. A receipt is waited for
    /// [`max_age`](smpp_proto::account::ReceiptOptions::max_age) at most, 72 h by default: use
    /// [`receipt_until`](Self::receipt_until) for a shorter wait.
    ///
    /// The SMSC may change a final state later ([`ReceiptMatch::previous`]): this returns the first one. While you hold the
    /// `Sent`, [`next_receipt`](Self::next_receipt) returns a change that has arrived.
    ///
    /// [`next_receipt`](Self::next_receipt) does not return the receipts that this method has consumed: use one of the two.
    ///
    /// # Errors
    ///
    /// Returns [`NoMoreReceipts`] if no further receipt will arrive: none was requested, it did not arrive in time, the SMSC
    /// gave no message id, or the account has ended.
    pub fn receipt(&mut self) -> Result<MessageState, NoMoreReceipts> {
        // Without a deadline, the wait ends only with the state or an error.
        self.registration.state(None).unwrap_or(Err(NoMoreReceipts::Closed))
    }

    /// As [`receipt`](Self::receipt), and waits at most until `deadline`. Returns `None` if the last receipt has not arrived by
    /// then. You may call it again: receipts that have arrived still count.
    ///
    /// # Errors
    ///
    /// [`NoMoreReceipts`] says why no further receipt will arrive.
    pub fn receipt_until(&mut self, deadline: Instant) -> Result<Option<MessageState>, NoMoreReceipts> {
        self.registration.state(Some(deadline)).transpose()
    }

    /// Waits for the next delivery receipt of any segment, including intermediate ones.
    ///
    /// A receipt that changes a final state ([`ReceiptMatch::previous`]) may arrive after
    /// [`NoMoreReceipts::AllReceived`]: a later call returns it.
    ///
    /// # Errors
    ///
    /// [`NoMoreReceipts`] says why no further receipt will arrive.
    pub fn next_receipt(&mut self) -> Result<(DeliveryReceipt, ReceiptMatch), NoMoreReceipts> {
        // Without a deadline, the wait ends only with a receipt or an error.
        self.registration.receipt(None).unwrap_or(Err(NoMoreReceipts::Closed))
    }

    /// As [`next_receipt`](Self::next_receipt), and waits at most until `deadline`. Returns `None` if no receipt has arrived by
    /// then.
    ///
    /// # Errors
    ///
    /// [`NoMoreReceipts`] says why no further receipt will arrive.
    pub fn next_receipt_until(
        &mut self,
        deadline: Instant,
    ) -> Result<Option<(DeliveryReceipt, ReceiptMatch)>, NoMoreReceipts> {
        self.registration.receipt(Some(deadline)).transpose()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let has_state = match self.receipts {
            Receipts::None(_) => return,
            Receipts::Read => true,
            Receipts::Open | Receipts::Known(_) => false,
        };
        let mut state = self.shared.lock();
        if has_state {
            state.router.release_with_state(self.message);
        } else {
            state.router.release(self.message);
        }
        self.shared.unlock(state);
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ticket").field(&self.registration.message).finish()
    }
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sent")
            .field("message", &self.registration.message)
            .field("ids", &self.ids())
            .finish_non_exhaustive()
    }
}
