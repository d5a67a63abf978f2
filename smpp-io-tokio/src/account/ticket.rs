//! A submitted message: its outcome, then its delivery receipts.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use smpp_proto::MessageState;
use smpp_proto::account::{
    AcceptedMessage, AwaitedReceipts, BindId, DeliveryReceipt, Message, MessageId, MessageKey, MessageNumber,
    NoMoreReceipts, ReceiptMatch, SendError,
};
use smpp_proto::session::AcceptedResponse;

use super::shared::Shared;
use super::submission::Submission;

/// A message that the account has accepted into its queue. If the ticket is dropped, the message is sent all the same, and
/// its receipts arrive through [`Arrivals`](super::Arrivals).
///
/// ```no_run
/// use smpp_proto::account::Message;
/// use smpp_tokio::account::Account;
///
/// # async fn example(account: Account, message: Message) -> Result<(), Box<dyn std::error::Error>> {
/// let ticket = account.submit(&message).await?;
/// println!("message {} is queued", ticket.message());
/// let sent = ticket.outcome().await?;
/// println!("accepted as {:?}", sent.ids());
/// # Ok(())
/// # }
/// ```
#[must_use = "the outcome says whether the message was accepted"]
pub struct Ticket {
    registration: Registration,
}

/// The registration of a message for its outcome and receipts. When it is dropped, receipts that are not fetched go to
/// `Arrivals`.
struct Registration {
    message: MessageNumber,
    receipts: Receipts,
    key: Option<MessageKey>,
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
    /// There are none. Nothing is registered any more.
    None(NoMoreReceipts),
}

/// A message of which the SMSC has accepted all segments.
///
/// Receipts are acknowledged to the SMSC as they arrive, and held in memory: if the process is killed, they are lost. After
/// `Sent` is dropped, its receipts arrive through [`Arrivals`](super::Arrivals): later ones are acknowledged when the
/// application accepts them, and those that were not fetched are already acknowledged. The receipts of a message with
/// [`ReceiptDestination::Arrivals`](smpp_proto::account::ReceiptDestination::Arrivals) arrive there only.
///
/// ```no_run
/// use smpp_proto::MessageState;
/// use smpp_tokio::account::Sent;
///
/// # async fn example(mut sent: Sent) {
/// match sent.receipt().await {
///     Ok(MessageState::DELIVERED) => println!("delivered"),
///     Ok(state) => println!("not delivered: {state:?}"),
///     Err(reason) => println!("no receipt: {reason}"),
/// }
/// # }
/// ```
pub struct Sent {
    registration: Registration,
    accepted: AcceptedMessage,
}

impl Registration {
    fn new(number: MessageNumber, message: &Message, shared: &Arc<Shared>) -> Self {
        let key = message.message_key().cloned();
        Self { message: number, receipts: Receipts::Open, key, shared: Arc::clone(shared) }
    }

    /// Consumes the receipts whose state the caller has. From now on the router knows what the caller has.
    fn consume_read(&mut self) {
        if let Receipts::Read = self.receipts {
            // Ready: it has returned the state before.
            let _ = self.shared.lock().router.poll_message_state(self.message, &mut None);
        }
        self.receipts = Receipts::Open;
    }

    /// Returns the outcome, or registers the task to be woken. The registration moves into the result.
    fn poll_outcome(this: &mut Option<Self>, cx: &mut Context<'_>) -> Poll<Result<Sent, SendError>> {
        let Some(Self { message, shared, .. }) = this else {
            // The future has been polled after its end.
            return Poll::Ready(Err(SendError::DriverGone));
        };
        let polled = shared.poll(cx, |router, waker| router.poll_last_outcome(*message, waker));
        let Poll::Ready(outcome) = polled else { return Poll::Pending };
        match (outcome, this.take()) {
            (Ok((accepted, receipts)), Some(mut registration)) => {
                registration.receipts = match receipts {
                    AwaitedReceipts::Open => Receipts::Open,
                    AwaitedReceipts::State(state) => Receipts::Known(state),
                    AwaitedReceipts::None(reason) => Receipts::None(reason),
                };
                Poll::Ready(Ok(Sent { registration, accepted }))
            }
            (Err(error), _) => Poll::Ready(Err(error)),
            // Unreachable: it was there.
            (Ok(_), None) => Poll::Ready(Err(SendError::DriverGone)),
        }
    }
}

/// Sends a message and waits for its outcome: [`Account::send`](super::Account::send). A future of its own, because each `await`
/// moves the outcome once more.
#[must_use]
pub(super) struct Sending<'a> {
    shared: &'a Arc<Shared>,
    message: &'a Message,
    /// Until the message is in the queue.
    submission: Option<Submission<'a>>,
    /// From then on.
    registration: Option<Registration>,
}

impl<'a> Sending<'a> {
    pub(super) const fn new(
        shared: &'a Arc<Shared>,
        submission: Submission<'a>,
        message: &'a Message,
    ) -> Self {
        Self { shared, message, submission: Some(submission), registration: None }
    }
}

impl Future for Sending<'_> {
    type Output = Result<Sent, SendError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { shared, message, submission, registration } = self.get_mut();
        if let Some(submitting) = submission {
            let submitted = ready!(Pin::new(submitting).poll(cx));
            *submission = None;
            let (number, is_registered) = match submitted {
                Ok(submitted) => submitted,
                Err(error) => return Poll::Ready(Err(SendError::NotAccepted(error))),
            };
            *registration = Some(Registration::new(number, message, shared));
            if is_registered {
                return Poll::Pending;
            }
        }
        Registration::poll_outcome(registration, cx)
    }
}

impl Ticket {
    pub(super) fn new(number: MessageNumber, message: &Message, shared: &Arc<Shared>) -> Self {
        Self { registration: Registration::new(number, message, shared) }
    }

    /// Returns the account's number of the message.
    pub const fn message(&self) -> MessageNumber {
        self.registration.message
    }

    /// Returns your key of the message: [`Message::key`].
    pub const fn key(&self) -> Option<&MessageKey> {
        self.registration.key.as_ref()
    }

    /// Waits for the outcome of the message.
    ///
    /// # Errors
    ///
    /// Returns [`SendError::Failed`] with the outcome of each segment if the SMSC did not accept all of them, and
    /// [`SendError::DriverGone`] if the account's task has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the ticket: the message is sent all the same.
    pub async fn outcome(self) -> Result<Sent, SendError> {
        let mut registration = Some(self.registration);
        poll_fn(|cx| Registration::poll_outcome(&mut registration, cx)).await
    }

    /// Cancels the segments that are not sent yet. Those in flight still get their response; the
    /// [`outcome`](Self::outcome) says which ones were sent.
    pub fn cancel(&self) {
        let Registration { message, ref shared, .. } = self.registration;
        shared.with(|inner, now| inner.account.cancel(now, message));
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

    /// Returns the message ids of the SMSC, one for each segment.
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
    /// # fn example(sent: &smpp_tokio::account::Sent) {
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
    /// [`max_age`](smpp_proto::account::ReceiptOptions::max_age) at most, 72 h by default: use `tokio::time::timeout` for a
    /// shorter wait.
    ///
    /// The SMSC may change a final state later ([`ReceiptMatch::previous`]): this returns the first one. While you hold the
    /// `Sent`, [`next_receipt`](Self::next_receipt) returns a change that has arrived.
    ///
    /// # Errors
    ///
    /// Returns [`NoMoreReceipts`] if no further receipt will arrive: none was requested, it did not arrive in time, the SMSC
    /// gave no message id, or the account has ended.
    ///
    /// # Cancel safety
    ///
    /// You may call it again: receipts that have arrived still count. [`next_receipt`](Self::next_receipt) does not return
    /// the receipts that this method has consumed: use one of the two.
    pub async fn receipt(&mut self) -> Result<MessageState, NoMoreReceipts> {
        let receipts = &mut self.registration.receipts;
        match *receipts {
            Receipts::Known(state) => {
                *receipts = Receipts::Read;
                return Ok(state);
            }
            Receipts::None(reason) => return Err(reason),
            Receipts::Read | Receipts::Open => {}
        }
        self.registration.consume_read();
        let Registration { message, ref shared, .. } = self.registration;
        shared.wait(|router, waker| router.poll_message_state(message, waker)).await
    }

    /// Waits for the next receipt of any segment, intermediate ones included.
    ///
    /// A receipt that changes a final state ([`ReceiptMatch::previous`]) may arrive after
    /// [`NoMoreReceipts::AllReceived`]: a later call returns it.
    ///
    /// # Errors
    ///
    /// Returns [`NoMoreReceipts`] if no further receipt will arrive.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a future that is dropped consumes no receipt.
    pub async fn next_receipt(&mut self) -> Result<(DeliveryReceipt, ReceiptMatch), NoMoreReceipts> {
        if let Receipts::None(reason) = self.registration.receipts {
            return Err(reason);
        }
        self.registration.consume_read();
        let Registration { message, ref shared, .. } = self.registration;
        shared.wait(|router, waker| router.poll_receipt(message, waker)).await
    }
}

impl Drop for Registration {
    #[inline]
    fn drop(&mut self) {
        match self.receipts {
            Receipts::None(_) => {}
            Receipts::Read => self.shared.release(self.message, true),
            Receipts::Open | Receipts::Known(_) => self.shared.release(self.message, false),
        }
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
