//! A message that waits for capacity in the account's queue.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use smpp_core::account::{Message, MessageNumber, SubmitError};

use super::shared::Shared;

/// Submits a message once the queue has capacity for it, after the calls before it. It allocates nothing unless it has to
/// wait, and each poll takes the lock once.
pub(super) struct Submission<'a> {
    shared: &'a Shared,
    message: &'a Message,
    /// The ticket in the queue of those that wait, once it has had to wait.
    ticket: Option<u32>,
}

impl<'a> Submission<'a> {
    pub(super) const fn new(shared: &'a Shared, message: &'a Message) -> Self {
        Self { shared, message, ticket: None }
    }
}

impl Future for Submission<'_> {
    type Output = Result<MessageNumber, SubmitError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { shared, message, ticket } = self.get_mut();
        // The waker that is not needed is dropped after the lock is released.
        let (submitted, _unused) =
            shared.with(|inner, now| inner.submit_or_wait(now, message, ticket, cx.waker()));
        submitted
    }
}

/// A message that is dropped while it waits leaves the queue. If it was woken, the next one is woken.
impl Drop for Submission<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let unused = self.shared.with(|inner, _| inner.leave_submit_queue(ticket));
            drop(unused);
        }
    }
}
