//! The messages of an event router: from submitting them to their outcomes.

use core::task::Poll;

use super::error::{AwaitedReceipts, NoMoreReceipts, SendError, SubmitError};
use super::event_router::EventRouter;
use super::message::Message;
use super::message_slots::FetchedOutcome;
use super::outcome::{AcceptedMessage, MessageNumber, MessageOutcome};
use super::receipt::ReceiptDestination;
use super::state::Account;
use crate::provider::ReceiptScope;
use crate::session::Observer;
use crate::time::Instant;

impl<W> EventRouter<W> {
    /// Submits a message to the account, and creates its slot. The slot lives until the message is
    /// [released](Self::release).
    ///
    /// # Errors
    ///
    /// The error of [`Account::submit`]; there is no slot then.
    pub fn submit<O: Observer>(
        &mut self,
        now: Instant,
        account: &mut Account<O>,
        message: &Message,
    ) -> Result<MessageNumber, SubmitError> {
        self.submit_and_wait(now, account, message, &mut None)
    }

    /// As [`submit`](Self::submit), with the waiter for the outcome, if there is one: as if it were passed to
    /// [`poll_outcome`](Self::poll_outcome) at once. The waiter is taken if it is stored; otherwise `poll_outcome` is ready.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    pub fn submit_and_wait<O: Observer>(
        &mut self,
        now: Instant,
        account: &mut Account<O>,
        message: &Message,
        waiter: &mut Option<W>,
    ) -> Result<MessageNumber, SubmitError> {
        let number = account.submit(now, message)?;
        self.add_message(account, number, message, waiter);
        Ok(number)
    }

    /// As [`submit_and_wait`](Self::submit_and_wait), with [`Account::enqueue`]: [`Account::send_queued`] sends what is not sent at
    /// once.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    pub fn enqueue<O: Observer>(
        &mut self,
        now: Instant,
        account: &mut Account<O>,
        message: &Message,
        waiter: &mut Option<W>,
    ) -> Result<MessageNumber, SubmitError> {
        let number = account.enqueue(now, message)?;
        self.add_message(account, number, message, waiter);
        Ok(number)
    }

    #[inline(always)]
    fn add_message<O: Observer>(
        &mut self,
        account: &Account<O>,
        number: MessageNumber,
        message: &Message,
        waiter: &mut Option<W>,
    ) {
        let scope = account.options().receipts.dialect.receipt_scope();
        let no_more_receipts = match message.receipt_destination {
            _ if !message.asks_for_receipts() => Some(NoMoreReceipts::NotRequested),
            ReceiptDestination::Sent if message.has_matched_receipts(scope) => None,
            ReceiptDestination::Sent | ReceiptDestination::Arrivals => Some(NoMoreReceipts::ToArrivals),
        };
        let waiter = if self.is_over { None } else { waiter.take() };
        self.messages.insert(number, message.key.clone(), no_more_receipts, waiter);
    }

    /// Takes the outcomes of accepted messages that come next among the events of the account, as
    /// [`handle_event`](Self::handle_event) does, without a copy of each event. An adapter calls it before each
    /// [`Account::poll_event`]. [`AccountEvent::new`](super::AccountEvent::new) reports none of them.
    pub fn take_outcomes<O: Observer>(&mut self, account: &mut Account<O>) {
        let scope = account.options().receipts.dialect.receipt_scope();
        while let Some((message, outcome)) = account.pop_accepted() {
            self.record_outcome(message, outcome, scope);
        }
    }

    pub(super) fn record_outcome(
        &mut self,
        message: MessageNumber,
        outcome: MessageOutcome,
        scope: ReceiptScope,
    ) {
        let cannot_be_named = match scope {
            ReceiptScope::Segment => outcome.ids().any(|id| id.as_bytes().is_empty()),
            ReceiptScope::Message => outcome.ids().all(|id| id.as_bytes().is_empty()),
        };
        // No receipt can name a segment without an id.
        let waiter = self.messages.record_outcome(message, outcome, !cannot_be_named);
        self.wake(waiter);
    }

    /// Returns the SMSC's ids of the message's segments, and its responses, once all were accepted: once.
    ///
    /// # Errors
    ///
    /// [`SendError::Failed`] if not all were accepted; [`SendError::DriverGone`] if the router was closed before the
    /// message had an outcome, or the message has no slot, or a call has returned its outcome before.
    pub fn poll_outcome(
        &mut self,
        message: MessageNumber,
        waiter: &mut Option<W>,
    ) -> Poll<Result<AcceptedMessage, SendError>> {
        self.fetch_outcome(message, false, waiter).map_ok(|(accepted, _)| accepted)
    }

    /// As [`poll_outcome`](Self::poll_outcome). It also returns what is known of the receipts: if the message gets none, it is
    /// [released](Self::release), and the caller needs no other call for it.
    ///
    /// # Errors
    ///
    /// As [`poll_outcome`](Self::poll_outcome).
    pub fn poll_last_outcome(
        &mut self,
        message: MessageNumber,
        waiter: &mut Option<W>,
    ) -> Poll<Result<(AcceptedMessage, AwaitedReceipts), SendError>> {
        self.fetch_outcome(message, true, waiter)
    }

    #[inline]
    fn fetch_outcome(
        &mut self,
        message: MessageNumber,
        releases: bool,
        waiter: &mut Option<W>,
    ) -> Poll<Result<(AcceptedMessage, AwaitedReceipts), SendError>> {
        let failed = |key, outcome| Err(SendError::Failed { message, key, outcome });
        Poll::Ready(match self.messages.fetch_outcome(message, releases) {
            FetchedOutcome::Pending if !self.is_over => {
                self.messages.wait(message, waiter);
                return Poll::Pending;
            }
            FetchedOutcome::Pending | FetchedOutcome::Missing => Err(SendError::DriverGone),
            FetchedOutcome::Accepted { outcome, receipts } => match outcome.into_accepted() {
                Ok(accepted) => Ok((accepted, receipts)),
                // Unreachable: all segments were accepted.
                Err(outcome) => failed(None, outcome),
            },
            FetchedOutcome::Failed { key, outcome } => failed(key, outcome),
        })
    }
}
