//! A message that the account has taken: its outcome, then its receipts.

use std::collections::VecDeque;
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use smpp_core::MessageState;
use smpp_core::account::{About, DeliveryReceipt, MessageId, MessageNumber, NoReceipt, Outcome};
use tokio::sync::Notify;

use super::SendError;
use super::driver::Shared;

/// What the driver and the owner of a message share.
pub(super) struct Slot {
    pub(super) message: MessageNumber,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    outcome: Option<Outcome>,
    receipts: VecDeque<(DeliveryReceipt, About)>,
    /// Why no more receipts will come.
    end: Option<NoReceipt>,
    /// No outcome will come.
    is_lost: bool,
    /// Whether anyone wants to know.
    is_owned: bool,
}

/// Receipts of one message that wait for its owner; more are left to the SMSC. A message has 255 parts at most, and each
/// part few states.
const RECEIPTS: usize = 1024;

impl Slot {
    /// `asks` tells whether receipts were asked for.
    pub(super) fn new(message: MessageNumber, asks: bool) -> Arc<Self> {
        let end = if asks { None } else { Some(NoReceipt::NotAsked) };
        let state = State { is_owned: true, end, ..State::default() };
        Arc::new(Self { message, state: Mutex::new(state), changed: Notify::new() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The message has come to its end. Whether receipts of it may come, for the owner.
    pub(super) fn conclude(&self, outcome: Outcome) -> bool {
        let mut state = self.lock();
        let accepted = outcome.result().is_ok();
        if outcome.ids().any(|id| id.as_bytes().is_empty()) {
            // Of the part that the SMSC gave no id no receipt is known by its own.
            state.end.get_or_insert(NoReceipt::Unreported);
        }
        state.outcome = Some(outcome);
        let goes_on = state.is_owned && accepted && state.end.is_none();
        drop(state);
        self.changed.notify_waiters();
        goes_on
    }

    /// Gives the owner a receipt, or gives it back where there is none, or too many wait.
    pub(super) fn receipt(
        &self,
        receipt: DeliveryReceipt,
        about: About,
    ) -> Result<(), (DeliveryReceipt, Unwanted)> {
        let mut state = self.lock();
        if !state.is_owned {
            return Err((receipt, Unwanted::Unowned));
        }
        if state.receipts.len() >= RECEIPTS {
            return Err((receipt, Unwanted::TooMany));
        }
        state.receipts.push_back((receipt, about));
        if about.whole.is_some() {
            state.end = Some(NoReceipt::AllTold);
        }
        drop(state);
        self.changed.notify_waiters();
        Ok(())
    }

    /// No more receipts will come. Whether the outcome is known.
    pub(super) fn end(&self, why: NoReceipt) -> bool {
        let mut state = self.lock();
        state.end.get_or_insert(why);
        let concluded = state.outcome.is_some();
        state.is_lost = why == NoReceipt::Closed && !concluded;
        drop(state);
        self.changed.notify_waiters();
        concluded
    }

    /// Its owner has gone, and leaves these.
    pub(super) fn disown(&self) -> VecDeque<(DeliveryReceipt, About)> {
        let mut state = self.lock();
        state.is_owned = false;
        std::mem::take(&mut state.receipts)
    }

    async fn wait<T>(&self, look: impl Fn(&mut State) -> Option<T>) -> T {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(found) = look(&mut self.lock()) {
                return found;
            }
            changed.await;
        }
    }
}

/// Why a receipt is not for the owner of its message.
pub(super) enum Unwanted {
    /// There is none any more.
    Unowned,
    /// It fetches none.
    TooMany,
}

/// A message that the account has taken. Dropped, the message goes all the same; its receipts come out of
/// [`Arrivals`](super::Arrivals) then.
#[must_use = "the outcome tells whether the message was accepted"]
pub struct Ticket {
    owner: Owner,
}

/// Who wants to know what becomes of the message. Dropped, what it has not fetched is for whoever fetches what arrives.
struct Owner {
    slot: Arc<Slot>,
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
    pub(super) fn new(slot: Arc<Slot>, shared: &Arc<Shared>) -> Self {
        Self { owner: Owner { slot, shared: Arc::clone(shared) } }
    }

    /// The account's number of the message.
    pub fn message(&self) -> MessageNumber {
        self.owner.slot.message
    }

    /// Waits for the outcome.
    ///
    /// Cancel-safe as dropping the ticket is: the message goes all the same.
    pub async fn outcome(self) -> Result<Sent, SendError> {
        let outcome = self
            .owner
            .slot
            .wait(|state| match &state.outcome {
                Some(outcome) => Some(Some(outcome.clone())),
                None => state.is_lost.then_some(None),
            })
            .await;
        let Some(outcome) = outcome else { return Err(SendError::Lost) };
        match outcome.result() {
            Ok(ids) => {
                let ids = ids.into_iter().cloned().collect();
                Ok(Sent { owner: self.owner, ids })
            }
            Err(_) => Err(SendError::Failed { message: self.owner.slot.message, outcome }),
        }
    }

    /// Sends no more of it. What is in flight still gets its answer; the outcome says what was sent.
    pub fn cancel(&self) {
        let Owner { slot, shared } = &self.owner;
        shared.with(|inner, now| inner.account.cancel(now, slot.message));
    }
}

impl Sent {
    /// The account's number of the message.
    pub fn message(&self) -> MessageNumber {
        self.owner.slot.message
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
    pub async fn receipt(&mut self) -> Result<MessageState, NoReceipt> {
        loop {
            if let Some(state) = self.next_receipt().await?.1.whole {
                return Ok(state);
            }
        }
    }

    /// The next receipt of any part, intermediate ones included.
    ///
    /// The error says why no more will come. Cancel-safe.
    pub async fn next_receipt(&mut self) -> Result<(DeliveryReceipt, About), NoReceipt> {
        let next = |state: &mut State| match (state.receipts.pop_front(), state.end) {
            (Some(receipt), _) => Some(Ok(receipt)),
            (None, Some(why)) => Some(Err(why)),
            (None, None) => None,
        };
        self.owner.slot.wait(next).await
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.lock().disown(&self.shared, &self.slot);
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ticket").field(&self.owner.slot.message).finish()
    }
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sent").field("message", &self.owner.slot.message).field("ids", &self.ids).finish()
    }
}
