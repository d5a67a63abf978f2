//! The list of the binds of a server, and deliveries to them.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use smpp_proto::server::{
    DeliverError, Delivery, DeliveryId, DeliveryNotSentReason, DeliveryOutcome, ServerStats,
};
use smpp_proto::session::{NotSentReason, RequestError, Response};

use super::bound::BoundSession;
use super::events::Events;
use super::registry::Registry;

/// The binds of a server: lists them, and delivers to them. Clone it to deliver from several threads; it does not keep the
/// server running.
///
/// ```no_run
/// use smpp_proto::{Address, DeliverSm, ShortMessage};
/// use smpp_std::BindRegistry;
///
/// fn receipt(binds: &BindRegistry) -> Result<(), Box<dyn std::error::Error>> {
///     let message = DeliverSm {
///         source: Address::international("6591234567")?,
///         short_message: ShortMessage::new(b"Hello")?,
///         ..DeliverSm::default()
///     };
///     match binds.deliver(b"shop", &message) {
///         Ok(_) => println!("delivered"),
///         Err(error) if error.is_safe_to_resend() => println!("refused or not sent, retry it later: {error}"),
///         Err(error) => println!("the account may have it: {error}"),
///     }
///     // Waits for a bind, and is sent again after a temporary error.
///     let queued = binds.queue(b"shop", &message)?;
///     println!("{}", queued.wait());
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct BindRegistry {
    pub(super) registry: Arc<Registry>,
}

/// A delivery in the queue of an account: [`BindRegistry::queue`] returns it.
///
/// If you drop it, the delivery goes on, and its outcome is among the [events](BindRegistry::events).
#[derive(Debug)]
#[must_use = "its outcome says whether the ESME has it; drop it if that is not needed"]
pub struct QueuedDelivery {
    id: DeliveryId,
    outcome: Receiver<DeliveryOutcome>,
}

impl QueuedDelivery {
    /// What a delivery ends with if the server is gone.
    const ENDED: DeliveryOutcome = DeliveryOutcome::NeverSent(DeliveryNotSentReason::ShutDown);

    /// Returns the id of the delivery.
    pub const fn id(&self) -> DeliveryId {
        self.id
    }

    /// Waits for the outcome.
    pub fn wait(self) -> DeliveryOutcome {
        self.outcome.recv().unwrap_or(Self::ENDED)
    }

    /// Waits for the outcome, at most until `deadline`.
    ///
    /// # Errors
    ///
    /// Returns the delivery if it has no outcome by then.
    pub fn wait_until(self, deadline: Instant) -> Result<DeliveryOutcome, Self> {
        match self.outcome.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(outcome) => Ok(outcome),
            Err(RecvTimeoutError::Disconnected) => Ok(Self::ENDED),
            Err(RecvTimeoutError::Timeout) => Err(self),
        }
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

    /// Waits until the server is shut down, at most until `deadline`. Returns whether it is.
    #[cfg(feature = "metrics")]
    pub(crate) fn wait_for_close(&self, deadline: Instant) -> bool {
        self.registry.wait_for_close(deadline)
    }

    /// Returns a receiver of the server's events from now on.
    pub fn events(&self) -> Events {
        Events::new(Arc::clone(&self.registry), self.registry.add_receiver())
    }

    /// Delivers a mobile-originated (MO) message or a delivery receipt (`&DeliverSm`, `&DataSm`) to an account, once, on one of
    /// its receiving binds: one with no delivery in flight, or else the next one. If that bind ends before the request is
    /// sent, it is sent on another one.
    ///
    /// It waits for the outcome. While the windows of all binds are full, and while the queue of the account is, it waits for
    /// its turn first.
    ///
    /// Messages leave on one bind in the order in which they were queued: see [`queue`](Self::queue). This one is queued at once, unless
    /// the queue is full.
    ///
    /// # Errors
    ///
    /// Returns `NeverSent` with [`NotSentReason::NoBind`] if the account has no receiving bind, and with
    /// [`NotSentReason::TooLong`] if the message exceeds the bounds of an empty queue; otherwise as
    /// [`Handle::request`](crate::Handle::request). An unanswered request is not sent again, because the ESME may have
    /// received it.
    pub fn deliver(&self, account: &[u8], message: impl Into<Delivery>) -> Result<Response, RequestError> {
        let delivery = message.into().max_attempts(1).only_if_bound();
        let queued = loop {
            let ended = self.registry.deliveries_ended();
            match self.queue(account, delivery.clone()) {
                Ok(queued) => break queued,
                Err(DeliverError::Full) => self.registry.wait_for_room(ended),
                Err(DeliverError::TooLarge) => return Err(RequestError::NeverSent(NotSentReason::TooLong)),
                Err(_) => return Err(RequestError::NeverSent(NotSentReason::NoBind)),
            }
        };
        queued.wait().into_result()
    }

    /// Queues a message or a receipt for an account. It waits while no bind receives, and is sent again after a temporary error
    /// or a lost connection, within the bounds of [`ServerLimits::deliveries`](crate::ServerLimits::deliveries). Does not block.
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

impl fmt::Debug for BindRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BindRegistry").field("stats", &self.stats()).finish()
    }
}
