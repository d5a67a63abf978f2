//! The event stream of an account.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use smpp_proto::account::{AccountEvent, EventRouter, ReceiverId};

use super::error::Ended;
use super::shared::Shared;

/// A receiver of the events of an account, in the order in which they happened: [`Account::events`](super::Account::events)
/// makes it.
///
/// There may be several receivers; each gets every event. Nothing waits for a receiver: if it has more than
/// [`events_capacity`](super::AccountConnector::events_capacity) events left to read, it loses the oldest, and
/// [`AccountEvent::Lagged`] says how many. It does not keep the account alive. As an iterator it returns what
/// [`recv`](Self::recv) does.
///
/// ```no_run
/// use smpp_proto::account::{AccountEvent, LinkEvent};
/// use smpp_std::account::Account;
///
/// fn watch(account: &Account) {
///     let events = account.events();
///     std::thread::spawn(move || {
///         for event in events {
///             println!("{event}");
///             if let AccountEvent::Link { event: LinkEvent::BindRefused { .. }, .. } = event {
///                 println!("alert the operator");
///             }
///         }
///     });
/// }
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
    pub fn recv(&mut self) -> Option<AccountEvent> {
        self.wait(None).ok().flatten()
    }

    /// Waits for the next event, at most until `deadline`. Returns `Ok(None)` if none happened by then.
    ///
    /// # Errors
    ///
    /// [`Ended`] once the account has ended and no event is left.
    pub fn recv_until(&mut self, deadline: Instant) -> Result<Option<AccountEvent>, Ended> {
        self.wait(Some(deadline))
    }

    fn wait(&self, deadline: Option<Instant>) -> Result<Option<AccountEvent>, Ended> {
        let poll = |router: &mut EventRouter<_>, waiter: &mut Option<_>| router.poll_event(&self.id, waiter);
        match self.shared.wait_until(deadline, poll) {
            Some(Some(event)) => Ok(Some(event)),
            Some(None) => Err(Ended),
            None => Ok(None),
        }
    }
}

impl Iterator for Events {
    type Item = AccountEvent;

    fn next(&mut self) -> Option<AccountEvent> {
        self.recv()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.router.remove_receiver(&self.id);
        self.shared.unlock(state);
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Events").field(&self.id).finish()
    }
}
