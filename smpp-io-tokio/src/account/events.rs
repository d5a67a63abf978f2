//! The event stream of an account.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use smpp_proto::account::{AccountEvent, ReceiverId};

use super::shared::Shared;

/// A receiver of the events of an account, in the order in which they happened: [`Account::events`](super::Account::events)
/// makes it.
///
/// There may be several receivers; each gets every event. Nothing waits for a receiver: if it has more than
/// [`events_capacity`](super::AccountConnector::events_capacity) events left to read, it loses the oldest, and
/// [`AccountEvent::Lagged`] says how many. It does not keep the account alive.
///
/// ```no_run
/// use smpp_proto::account::{AccountEvent, LinkEvent};
/// use smpp_tokio::account::Account;
///
/// # fn example(account: Account) {
/// let mut events = account.events();
/// tokio::spawn(async move {
///     while let Some(event) = events.recv().await {
///         println!("{event}");
///         if let AccountEvent::Link { event: LinkEvent::BindRefused { .. }, .. } = event {
///             println!("alert the operator");
///         }
///     }
/// });
/// # }
/// ```
pub struct Events {
    shared: Arc<Shared>,
    id: ReceiverId,
}

impl Events {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let id = shared.lock().router.add_receiver();
        Self { shared: Arc::clone(shared), id }
    }

    /// Receives the detailed stream.
    pub(super) fn detailed(shared: &Arc<Shared>) -> Self {
        let mut locked = shared.lock();
        let inner = &mut *locked;
        let id = inner.router.add_detailed_receiver(&mut inner.account);
        drop(locked);
        Self { shared: Arc::clone(shared), id }
    }

    /// Waits for the next event. Returns `None` once the account has ended and no event is left.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a future that is dropped takes no event.
    pub async fn recv(&mut self) -> Option<AccountEvent> {
        std::future::poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Polls for the next event: as [`recv`](Self::recv).
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<AccountEvent>> {
        // The router swaps in the waker of the poll before, which is dropped after the lock is released.
        let mut waker = Some(cx.waker().clone());
        self.shared.lock().router.poll_event(&self.id, &mut waker)
    }
}

/// The same as [`Events::recv`], for the combinators of `futures` and `tokio-stream`.
#[cfg(feature = "stream")]
impl futures_core::Stream for Events {
    type Item = AccountEvent;

    fn poll_next(mut self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<AccountEvent>> {
        self.poll_recv(cx)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.shared.lock().router.remove_receiver(&self.id);
        // Drops the waker, without the lock.
        self.shared.wake();
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Events").field(&self.id).finish()
    }
}
