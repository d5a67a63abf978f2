//! The deliveries of the SMSC, each with its one acknowledgement.

use std::fmt;
#[cfg(feature = "stream")]
use std::pin::Pin;
use std::sync::Arc;
#[cfg(feature = "stream")]
use std::task::{Context, Poll, ready};

use smpp_proto::account::{
    Ack, AckError, BindId, DeliveryReceipt, EventRouter, InboundMessage, MessageKey, MessageNumber,
    ReceiptMatch, RoutedEvent, SegmentOutcome,
};
use smpp_proto::{CommandStatus, DeliverSm, Frame, Operation};

use super::handle::Account;
use super::shared::Shared;

/// Receives the deliveries of all binds, in the order of their arrival: mobile-originated (MO) messages, and receipts
/// that no [`Sent`](super::Sent) waits for.
///
/// With the feature `stream` it is a `Stream`.
///
/// It holds [`arrivals_capacity`](super::AccountConnector::arrivals_capacity) deliveries at most. If it is dropped,
/// messages and receipts of unknown messages are refused with a temporary error, so that the SMSC redelivers them;
/// receipts of messages of this account are acknowledged and discarded, unless a [`Sent`](super::Sent) waits for them. From
/// then on the account acknowledges no segment of a message; a message of which it has acknowledged one before is lost, and
/// reported as [`InboundMessageLost`](smpp_proto::account::AccountEvent::InboundMessageLost). Drop `Arrivals` only in a
/// program that only sends, and asks for no receipts or waits for each with `Sent`.
///
/// ```no_run
/// use smpp_tokio::account::{Arrival, Arrivals};
///
/// # async fn example(mut arrivals: Arrivals) {
/// while let Some(arrival) = arrivals.recv().await {
///     match arrival {
///         Arrival::Message(message) => {
///             println!("message from {}", message.get().source().digits);
///             let _ = message.accept();
///         }
///         Arrival::Receipt(receipt) => {
///             println!("receipt of {:?}", receipt.get().0.id);
///             let _ = receipt.accept();
///         }
///         _ => {}
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Arrivals {
    account: Account,
}

/// A delivery of the SMSC.
#[derive(Debug)]
#[non_exhaustive]
pub enum Arrival {
    /// A mobile-originated (MO) message. A concatenated message is complete, or holds the segments that have arrived in
    /// time.
    Message(Unacknowledged<InboundMessage>),
    /// A delivery receipt of a message whose [`Sent`](super::Sent) is dropped or whose receipts arrive
    /// [here only](smpp_proto::account::ReceiptDestination::Arrivals), or of an unknown message: then without a match.
    Receipt(Unacknowledged<(DeliveryReceipt, Option<ReceiptMatch>)>),
    /// An alert_notification. It has no response.
    #[non_exhaustive]
    Notification {
        /// The bind that it arrived on.
        bind: BindId,
        /// The PDU.
        frame: Frame<Vec<u8>>,
    },
    /// The SMSC responded to a segment after its timeout, which the message's outcome has reported as
    /// [`Unanswered`](SegmentOutcome::Unanswered). Receipts of an accepted segment are matched as always.
    ///
    /// It is lost if twice [`arrivals_capacity`](super::AccountConnector::arrivals_capacity) entries wait.
    #[doc(alias = "late")]
    #[non_exhaustive]
    LateOutcome {
        /// The message: the number that [`SendError::Failed`](super::SendError::Failed) carries.
        message: MessageNumber,
        /// Your key of the message: [`Message::key`](smpp_proto::account::Message::key).
        key: Option<MessageKey>,
        /// The segment, from 0.
        segment: u8,
        /// How the segment ended.
        outcome: SegmentOutcome,
    },
}

/// A delivery and its one acknowledgement. If it is dropped without one, it is refused with a temporary error, so that the
/// SMSC redelivers it.
///
/// ```no_run
/// use smpp_proto::account::InboundMessage;
/// use smpp_tokio::account::Unacknowledged;
///
/// # fn store(_: &InboundMessage) -> std::io::Result<()> { Ok(()) }
/// fn receive(message: Unacknowledged<InboundMessage>) -> std::io::Result<()> {
///     // On an error the message is dropped: the SMSC redelivers it.
///     store(message.get())?;
///     if let Err(error) = message.accept() {
///         eprintln!("not acknowledged: {error}");
///     }
///     Ok(())
/// }
/// ```
#[doc(alias = "ack")]
pub struct Unacknowledged<T> {
    delivery: T,
    ack: Option<Ack>,
    shared: Arc<Shared>,
}

impl Arrival {
    /// Returns `None` for an event that this version does not pass on.
    fn new(event: RoutedEvent, shared: &Arc<Shared>) -> Option<Self> {
        Some(match event {
            RoutedEvent::Message(message, ack) => {
                Self::Message(Unacknowledged::new(message, Some(ack), shared))
            }
            RoutedEvent::Receipt(receipt, about, ack) => {
                Self::Receipt(Unacknowledged::new((receipt, about), ack, shared))
            }
            RoutedEvent::Notification { bind, frame, .. } => Self::Notification { bind, frame },
            RoutedEvent::LateOutcome { message, key, segment, outcome, .. } => {
                Self::LateOutcome { message, key, segment, outcome }
            }
            _ => return None,
        })
    }
}

impl Arrivals {
    pub(super) fn new(account: Account) -> Self {
        Self { account }
    }

    /// Waits for the next delivery. Returns `None` once the account has ended and none is left.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a future that is dropped takes no delivery.
    pub async fn recv(&mut self) -> Option<Arrival> {
        let shared = self.account.shared();
        loop {
            let event = shared.wait(EventRouter::poll_arrival).await?;
            if let Some(arrival) = Arrival::new(event, shared) {
                return Some(arrival);
            }
        }
    }
}

/// With the feature `stream`: a stream of the deliveries, as [`recv`](Arrivals::recv) returns them. It ends once the
/// account has ended and no delivery is left. A dropped future of a combinator takes no delivery.
///
/// ```no_run
/// use std::pin::pin;
///
/// use futures_core::Stream;
/// use smpp_tokio::account::{Arrival, Arrivals};
///
/// async fn count(deliveries: impl Stream<Item = Arrival>) -> usize {
///     let mut deliveries = pin!(deliveries);
///     let mut count = 0;
///     while let Some(arrival) = std::future::poll_fn(|cx| deliveries.as_mut().poll_next(cx)).await {
///         count += 1;
///         if let Arrival::Message(message) = arrival {
///             let _ = message.accept();
///         }
///     }
///     count
/// }
///
/// # async fn example(arrivals: Arrivals) {
/// println!("{} deliveries", count(arrivals).await);
/// # }
/// ```
#[cfg(feature = "stream")]
impl futures_core::Stream for Arrivals {
    type Item = Arrival;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Arrival>> {
        let shared = self.account.shared();
        loop {
            let Some(event) = ready!(shared.poll(cx, EventRouter::poll_arrival)) else {
                return Poll::Ready(None);
            };
            if let Some(arrival) = Arrival::new(event, shared) {
                return Poll::Ready(Some(arrival));
            }
        }
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.account.shared().with(|inner, now| inner.router.close_arrivals(now, &mut inner.account));
    }
}

impl<T> Unacknowledged<T> {
    fn new(delivery: T, ack: Option<Ack>, shared: &Arc<Shared>) -> Self {
        Self { delivery, ack, shared: Arc::clone(shared) }
    }

    /// Returns the delivery.
    pub const fn get(&self) -> &T {
        &self.delivery
    }

    /// Returns whether the delivery was acknowledged before: a receipt that arrived while a [`Sent`](super::Sent) waited for
    /// it. This process has the only copy. [`Message::receipts_to`](smpp_proto::account::Message::receipts_to) prevents that.
    pub const fn is_acknowledged(&self) -> bool {
        self.ack.is_none()
    }

    /// Acknowledges the delivery, all its segments, with `ESME_ROK`. The SMSC deletes it.
    ///
    /// # Errors
    ///
    /// - [`AckError::BindEnded`] if a bind on which it arrived has ended. The SMSC has received no response there and
    ///   redelivers it.
    /// - [`AckError::AlreadyAcknowledged`] for a receipt that was acknowledged when it arrived, because a
    ///   [`Sent`](super::Sent) waited for it: [`is_acknowledged`](Self::is_acknowledged). The SMSC does not redeliver it.
    pub fn accept(mut self) -> Result<(), AckError> {
        self.acknowledge(Ok(()))
    }

    /// Refuses the delivery with a status. After a temporary status, for example `ESME_RX_T_APPN`, the SMSC redelivers it;
    /// after another one it does not.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept); also [`AckError::AlreadyAcknowledged`] for a concatenated message of which a segment
    /// was acknowledged after [`segment_ack_timeout`](smpp_proto::account::Options::segment_ack_timeout).
    pub fn refuse(mut self, status: CommandStatus) -> Result<(), AckError> {
        self.acknowledge(Err(status))
    }

    fn acknowledge(&mut self, result: Result<(), CommandStatus>) -> Result<(), AckError> {
        let ack = self.ack.take().ok_or(AckError::AlreadyAcknowledged)?;
        self.shared.with(|inner, now| inner.account.acknowledge(now, ack, result))
    }
}

impl<T> Drop for Unacknowledged<T> {
    fn drop(&mut self) {
        // Fails if the bind has ended: without a response the SMSC redelivers it too.
        let _ = self.acknowledge(Err(DeliverSm::UNANSWERED));
    }
}

impl<T: fmt::Debug> fmt::Debug for Unacknowledged<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.delivery.fmt(f)
    }
}
