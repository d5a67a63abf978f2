//! A message that the account has taken: its outcome, then its receipts.

use std::fmt;
use std::sync::{Arc, Condvar};
use std::time::Instant;

use smpp_core::MessageState;
use smpp_core::account::{DeliveryReceipt, MessageId, MessageNumber, NoMoreReceipts, ReceiptMatch};

use super::SendError;
use super::shared::Shared;

/// A message that the account has taken. Dropped, the message goes all the same; its receipts come out of
/// [`Arrivals`](super::Arrivals) then.
#[must_use = "the outcome tells whether the message was accepted"]
pub struct Ticket {
    owner: Owner,
}

/// Who wants to know what becomes of the message. Dropped, what it has not fetched is for whoever fetches what arrives.
struct Owner {
    message: MessageNumber,
    told: Arc<Condvar>,
    shared: Arc<Shared>,
}

impl Owner {
    /// Waits for the outcome; `None` if the deadline comes first.
    fn outcome(&self, deadline: Option<Instant>) -> Option<Result<Vec<MessageId>, SendError>> {
        self.shared.wait_until(&self.told, deadline, |desk, owner| desk.poll_outcome(self.message, owner))
    }

    /// Waits for a receipt; `None` if the deadline comes first.
    fn receipt(
        &self,
        deadline: Option<Instant>,
    ) -> Option<Result<(DeliveryReceipt, ReceiptMatch), NoMoreReceipts>> {
        self.shared.wait_until(&self.told, deadline, |desk, owner| desk.poll_receipt(self.message, owner))
    }
}

/// A message of which all parts were accepted. Dropped, its receipts come out of [`Arrivals`](super::Arrivals), also
/// those that have come and were not fetched.
///
/// Receipts that come are acknowledged to the SMSC at once, and kept here: a process that is killed loses them. Once this
/// is dropped, each is acknowledged when `Arrivals` has given it out and it is accepted; those that came before that have
/// been.
pub struct Sent {
    owner: Owner,
    ids: Vec<MessageId>,
}

impl Ticket {
    pub(super) fn new(message: MessageNumber, shared: &Arc<Shared>) -> Self {
        Self { owner: Owner { message, told: Arc::default(), shared: Arc::clone(shared) } }
    }

    /// The account's number of the message.
    pub const fn message(&self) -> MessageNumber {
        self.owner.message
    }

    /// Waits for the outcome. Without a [deadline](smpp_core::account::Message::deadline) of the message it may wait for
    /// as long as there is no bind.
    pub fn outcome(self) -> Result<Sent, SendError> {
        // Without a deadline it is never late.
        let ids = self.owner.outcome(None).unwrap_or(Err(SendError::DriverGone))?;
        Ok(Sent { owner: self.owner, ids })
    }

    /// Waits for the outcome until `deadline` at most; then the ticket is given back, and the message goes all the same
    /// unless it is [cancelled](Self::cancel).
    pub fn outcome_until(self, deadline: Instant) -> Result<Result<Sent, SendError>, Self> {
        match self.owner.outcome(Some(deadline)) {
            Some(outcome) => Ok(outcome.map(|ids| Sent { owner: self.owner, ids })),
            None => Err(self),
        }
    }

    /// Sends no more of it. What is in flight still gets its answer; the outcome says what was sent. It does not block.
    pub fn cancel(&self) {
        let Owner { message, ref shared, .. } = self.owner;
        shared.with(|inner, now| inner.account.cancel(now, message));
    }
}

impl Sent {
    /// The account's number of the message.
    pub const fn message(&self) -> MessageNumber {
        self.owner.message
    }

    /// The SMSC's ids, one for each part.
    pub fn ids(&self) -> &[MessageId] {
        &self.ids
    }

    /// Waits until the last receipt of each part has come, and says what became of the message: delivered if all parts
    /// were, otherwise what became of the first that was not.
    ///
    /// It ends only if receipts were asked for, or the account ends. Receipts that are passed over are not given out by
    /// [`next_receipt`](Self::next_receipt) any more.
    pub fn receipt(&mut self) -> Result<MessageState, NoMoreReceipts> {
        loop {
            if let Some(state) = self.next_receipt()?.1.message_state {
                return Ok(state);
            }
        }
    }

    /// As [`receipt`](Self::receipt), and waits until `deadline` at most: `None` if the last has not come by then. Wait
    /// again for it whenever you like: what has come is counted.
    pub fn receipt_until(&mut self, deadline: Instant) -> Result<Option<MessageState>, NoMoreReceipts> {
        while let Some((_, about)) = self.next_receipt_until(deadline)? {
            if about.message_state.is_some() {
                return Ok(about.message_state);
            }
        }
        Ok(None)
    }

    /// The next receipt of any part, intermediate ones included. The error says why no more will come.
    pub fn next_receipt(&mut self) -> Result<(DeliveryReceipt, ReceiptMatch), NoMoreReceipts> {
        // Without a deadline it is never late.
        self.owner.receipt(None).unwrap_or(Err(NoMoreReceipts::Closed))
    }

    /// As [`next_receipt`](Self::next_receipt), and waits until `deadline` at most: `None` if none has come by then.
    pub fn next_receipt_until(
        &mut self,
        deadline: Instant,
    ) -> Result<Option<(DeliveryReceipt, ReceiptMatch)>, NoMoreReceipts> {
        self.owner.receipt(Some(deadline)).transpose()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let mut inner = self.shared.lock();
        inner.desk.release(self.message);
        inner.wake();
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ticket").field(&self.owner.message).finish()
    }
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sent").field("message", &self.owner.message).field("ids", &self.ids).finish()
    }
}
