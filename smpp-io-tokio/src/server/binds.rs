//! The list of the binds of a server, and deliveries to them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use smpp_proto::server::{
    DeliverError, Delivery, DeliveryId, DeliveryNotSentReason, DeliveryOutcome, ServerStats,
};
use smpp_proto::session::{NotSentReason, RequestError, Response};
use tokio::sync::oneshot;

use super::bound::BoundSession;
use super::events::Events;
use super::registry::Registry;

/// The binds of a server: lists them, and delivers to them. Clone it to deliver from several tasks; it does not keep the
/// server running.
///
/// ```no_run
/// use smpp_proto::{Address, DeliverSm, ShortMessage};
/// use smpp_tokio::BindRegistry;
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
/// // Waits for a bind, and is sent again after a temporary error.
/// let queued = binds.queue(b"shop", &message)?;
/// println!("{}", queued.await);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct BindRegistry {
    pub(super) registry: Arc<Registry>,
}

impl fmt::Debug for BindRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BindRegistry").field("stats", &self.stats()).finish()
    }
}

/// A delivery in the queue of an account. The future completes with its outcome.
///
/// # Cancel safety
///
/// Dropping it changes nothing: the delivery goes on, and its outcome is among the [events](BindRegistry::events).
#[derive(Debug)]
pub struct QueuedDelivery {
    id: DeliveryId,
    outcome: oneshot::Receiver<DeliveryOutcome>,
}

impl QueuedDelivery {
    /// Returns the id of the delivery.
    pub const fn id(&self) -> DeliveryId {
        self.id
    }
}

impl Future for QueuedDelivery {
    type Output = DeliveryOutcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<DeliveryOutcome> {
        // The sender is dropped only with the server.
        let ended = DeliveryOutcome::NeverSent(DeliveryNotSentReason::ShutDown);
        Pin::new(&mut self.outcome).poll(cx).map(|outcome| outcome.unwrap_or(ended))
    }
}

impl BindRegistry {
    /// Returns all binds, the oldest first: each from the decision on, a moment before its response leaves. Until then its peer takes no
    /// delivery (`NotSentReason::State`).
    pub fn list(&self) -> Vec<BoundSession> {
        self.registry.bound(None)
    }

    /// Returns the binds of one account, the oldest first.
    pub fn of(&self, account: &[u8]) -> Vec<BoundSession> {
        self.registry.bound(Some(account))
    }

    /// Returns the number of connections, bound or not, including those that are being closed.
    pub fn connections(&self) -> usize {
        self.registry.connections()
    }

    /// Returns the counters of the server, and what there is now.
    pub fn stats(&self) -> ServerStats {
        self.registry.stats()
    }

    /// Returns a receiver of the server's events from now on.
    pub fn events(&self) -> Events {
        Events::new(self.registry.events())
    }

    /// Delivers a mobile-originated (MO) message or a delivery receipt (`&DeliverSm`, `&DataSm`) to an account, once, on one of
    /// its receiving binds: one with no delivery in flight, or else the next one. If that bind ends before the request is
    /// sent, it is sent on another one.
    ///
    /// It waits while the windows of all binds are full, and while the queue of the account is.
    ///
    /// Messages leave on one bind in the order in which they were queued: see [`queue`](Self::queue). The first poll queues this
    /// one, unless the queue is full.
    ///
    /// # Errors
    ///
    /// Returns `NeverSent` with [`NotSentReason::NoBind`] if the account has no receiving bind, and with
    /// [`NotSentReason::TooLong`] if the message exceeds the bounds of an empty queue; otherwise as
    /// [`Handle::request`](crate::Handle::request). An unanswered request is not sent again, because the ESME may have
    /// received it.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after its first poll, the message may be delivered all the same.
    pub async fn deliver(
        &self,
        account: &[u8],
        message: impl Into<Delivery>,
    ) -> Result<Response, RequestError> {
        let delivery = message.into().max_attempts(1).only_if_bound();
        let (_, outcome) = loop {
            let delivered = self.registry.delivered();
            match self.registry.queue(account, delivery.clone()) {
                Ok(queued) => break queued,
                Err(DeliverError::Full) => delivered.await,
                Err(DeliverError::TooLarge) => return Err(RequestError::NeverSent(NotSentReason::TooLong)),
                Err(_) => return Err(RequestError::NeverSent(NotSentReason::NoBind)),
            }
        };
        let ended = DeliveryOutcome::NeverSent(DeliveryNotSentReason::ShutDown);
        outcome.await.unwrap_or(ended).into_result()
    }

    /// Queues a message or a receipt for an account. It waits while no bind receives, and is sent again after a temporary error
    /// or a lost connection, within the bounds of [`ServerLimits::deliveries`](crate::ServerLimits::deliveries).
    ///
    /// # Order
    ///
    /// The deliveries of an account leave on one bind in the order in which they were queued. One that is sent again, because its
    /// bind has ended or the ESME has refused it for now, leaves after those that were sent meanwhile; those that a bind leaves at
    /// its end keep their order. There is no order between two binds of an account, and none with the requests that the
    /// application sends on [`BoundSession::peer`].
    ///
    /// # Errors
    ///
    /// Returns a [`DeliverError`] if the queue is full, the message exceeds its bounds, or the server is shutting down.
    pub fn queue(
        &self,
        account: &[u8],
        message: impl Into<Delivery>,
    ) -> Result<QueuedDelivery, DeliverError> {
        let (id, outcome) = self.registry.queue(account, message.into())?;
        Ok(QueuedDelivery { id, outcome })
    }
}
