//! A message that the account has taken: its outcome, then its receipts.

use std::fmt;
use std::sync::Arc;

use smpp_core::MessageState;
use smpp_core::account::{DeliveryReceipt, MessageId, MessageNumber, NoMoreReceipts, ReceiptMatch};

use super::SendError;
use super::driver::Shared;

/// A message that the account has taken. Dropped, the message goes all the same; its receipts come out of
/// [`Arrivals`](super::Arrivals) then.
#[must_use = "the outcome tells whether the message was accepted"]
pub struct Ticket {
    owner: Owner,
}

/// Who wants to know what becomes of the message. Dropped, what it has not fetched is for whoever fetches what arrives.
struct Owner {
    message: MessageNumber,
    shared: Arc<Shared>,
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
        Self { owner: Owner { message, shared: Arc::clone(shared) } }
    }

    /// The account's number of the message.
    pub const fn message(&self) -> MessageNumber {
        self.owner.message
    }

    /// Waits for the outcome.
    ///
    /// Cancel-safe as dropping the ticket is: the message goes all the same.
    pub async fn outcome(self) -> Result<Sent, SendError> {
        let Owner { message, ref shared } = self.owner;
        let ids = shared.wait(|desk, owner| desk.poll_outcome(message, owner)).await?;
        Ok(Sent { owner: self.owner, ids })
    }

    /// Sends no more of it. What is in flight still gets its answer; the outcome says what was sent.
    pub fn cancel(&self) {
        let Owner { message, ref shared } = self.owner;
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
    /// It ends only if receipts were asked for, or the account ends. Cancel-safe: what has come is not lost, but receipts
    /// that are passed over are not given out by [`next_receipt`](Self::next_receipt) any more.
    pub async fn receipt(&mut self) -> Result<MessageState, NoMoreReceipts> {
        loop {
            if let Some(state) = self.next_receipt().await?.1.message_state {
                return Ok(state);
            }
        }
    }

    /// The next receipt of any part, intermediate ones included.
    ///
    /// The error says why no more will come. Cancel-safe.
    pub async fn next_receipt(&mut self) -> Result<(DeliveryReceipt, ReceiptMatch), NoMoreReceipts> {
        let Owner { message, ref shared } = self.owner;
        shared.wait(|desk, owner| desk.poll_receipt(message, owner)).await
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.release(self.message);
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
