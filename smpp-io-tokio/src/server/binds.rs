//! The list of the binds of a server, and deliveries to them.

use std::sync::Arc;

use smpp_core::Operation;
use smpp_core::session::{NotSentReason, RequestError, Response, SentBy, Smsc, State};

use super::bound::{BindId, BoundSession};
use super::registry::Registry;

/// The binds of a server: lists them, and delivers to them. Clone it to deliver from several tasks; it does not keep the
/// server running.
///
/// ```no_run
/// use smpp_core::{Address, DeliverSm, ShortMessage};
/// use smpp_io_tokio::BindRegistry;
///
/// # async fn example(binds: BindRegistry) -> Result<(), Box<dyn std::error::Error>> {
/// let message = DeliverSm {
///     source: Address::international("6591234567")?,
///     short_message: ShortMessage::new(b"Hello")?,
///     ..DeliverSm::default()
/// };
/// match binds.deliver(b"shop", &message).await {
///     Ok(_) => println!("delivered"),
///     Err(error) if error.is_safe_to_resend() => println!("refused or not sent, retry it later: {error}"),
///     Err(error) => println!("the account may have it: {error}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct BindRegistry {
    pub(super) registry: Arc<Registry>,
}

impl BindRegistry {
    /// Returns all binds, the oldest first.
    pub fn list(&self) -> Vec<BoundSession> {
        let mut bound = self.registry.bound(None);
        bound.sort_by_key(BoundSession::id);
        bound
    }

    /// Returns the binds of one account, the oldest first.
    pub fn of(&self, system_id: &[u8]) -> Vec<BoundSession> {
        self.registry.bound(Some(system_id))
    }

    /// Returns the number of connections, bound or not, including those that are being closed.
    pub fn connections(&self) -> usize {
        self.registry.connections()
    }

    /// Delivers a mobile-originated (MO) message or a delivery receipt (deliver_sm, data_sm) to an account, on its
    /// receiving bind with the fewest requests in flight. If that bind ends before the request is sent, it is sent on the
    /// next one.
    ///
    /// Waits for its turn as [`Handle::request`](crate::Handle::request) does.
    ///
    /// # Errors
    ///
    /// Returns `NeverSent` with [`NotSentReason::NoBind`] if the account has no receiving bind; otherwise as
    /// [`Handle::request`](crate::Handle::request). An unanswered request is not sent again, because the ESME may have
    /// received it.
    ///
    /// # Cancel safety
    ///
    /// As [`Handle::request`](crate::Handle::request).
    pub async fn deliver<O>(&self, system_id: &[u8], message: &O) -> Result<Response, RequestError>
    where
        O: Operation + SentBy<Smsc>,
    {
        let mut tried = Vec::new();
        let mut outcome = RequestError::NeverSent(NotSentReason::NoBind);
        while let Some(bound) = self.receiver(system_id, &tried) {
            let _guard = bound.begin_delivery();
            match bound.peer().request(message).await {
                Err(error @ RequestError::NeverSent(_)) => outcome = error,
                outcome => return outcome,
            }
            tried.push(bound.id());
        }
        Err(outcome)
    }

    /// Returns the receiving bind of the account with the fewest requests in flight.
    fn receiver(&self, system_id: &[u8], tried: &[BindId]) -> Option<BoundSession> {
        let account = self.registry.bound(Some(system_id));
        let receives = |bound: &BoundSession| {
            !tried.contains(&bound.id())
                && matches!(bound.peer().state(), State::Bound(mode) if mode.receives())
        };
        account.into_iter().filter(receives).min_by_key(BoundSession::load)
    }
}
