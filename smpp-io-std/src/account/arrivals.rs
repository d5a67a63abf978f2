//! Messages and delivery receipts that the SMSC delivers, each with the right to acknowledge it once.

use std::fmt;
use std::iter::FusedIterator;
use std::sync::Arc;
use std::time::Instant;

use smpp_proto::account::{
    Ack, AckError, BindId, DeliveryReceipt, EventRouter, InboundMessage, MessageKey, MessageNumber,
    ReceiptMatch, RoutedEvent, SegmentOutcome,
};
use smpp_proto::{CommandStatus, DeliverSm, Frame, Operation};

use super::error::Ended;
use super::handle::Account;
use super::shared::Shared;

/// Receives what the SMSC delivers on any bind of the account, in the order in which it came: mobile-originated (MO)
/// messages, and delivery receipts that no [`Ticket`](super::Ticket) or [`Sent`](super::Sent) waits for.
///
/// ```no_run
/// use std::thread;
/// use smpp_std::account::{Arrival, Arrivals};
///
/// fn receive(mut arrivals: Arrivals) {
///     thread::spawn(move || {
///         while let Some(arrival) = arrivals.recv() {
///             match arrival {
///                 Arrival::Message(message) => {
///                     println!("{} wrote {:?}", message.get().source().digits, message.get().text());
///                     // Store it, then acknowledge it: the SMSC forgets the message.
///                     let _ = message.accept();
///                 }
///                 Arrival::Receipt(receipt) => drop(receipt.accept()),
///                 _ => {}
///             }
///         }
///     });
/// }
/// ```
///
/// It holds at most [`AccountConnector::arrivals_capacity`](super::AccountConnector::arrivals_capacity) of them; beyond that
/// the account refuses deliveries with a temporary error.
///
/// If you drop it, the account refuses messages, and receipts of unknown messages, with a temporary error, so that the SMSC
/// keeps them. Receipts of messages of this account are then acknowledged and dropped, unless a [`Sent`](super::Sent) waits
/// for them. From then on the account acknowledges no segment of a message; a message of which it has acknowledged one
/// before is lost, and reported as [`InboundMessageLost`](smpp_proto::account::AccountEvent::InboundMessageLost). Drop
/// `Arrivals` only in a program that only sends, and asks for no receipts or waits for each with `Sent`.
#[derive(Debug)]
pub struct Arrivals {
    account: Account,
}

/// One delivery of the SMSC.
#[derive(Debug)]
#[non_exhaustive]
pub enum Arrival {
    /// A mobile-originated (MO) message: complete, or the segments of a concatenated message whose other segments have not
    /// come in time.
    Message(Unacknowledged<InboundMessage>),
    /// A delivery receipt: of a message whose [`Sent`](super::Sent) was dropped or whose receipts arrive
    /// [here only](smpp_proto::account::ReceiptDestination::Arrivals), or of a message that the account does not know (then
    /// without a [`ReceiptMatch`]).
    Receipt(Unacknowledged<(DeliveryReceipt, Option<ReceiptMatch>)>),
    /// A PDU that has no response: alert_notification.
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

/// A delivery that is not acknowledged yet, and the right to do so once.
///
/// ```no_run
/// use smpp_proto::CommandStatus;
/// use smpp_proto::account::InboundMessage;
/// use smpp_std::account::Unacknowledged;
///
/// fn handle(message: Unacknowledged<InboundMessage>) {
///     let result = match message.get().text() {
///         Some(text) => {
///             println!("{text}");
///             message.accept()
///         }
///         None => message.refuse(CommandStatus::RX_P_APPN),
///     };
///     if let Err(error) = result {
///         println!("not acknowledged: {error}");
///     }
/// }
/// ```
///
/// If you drop it, it is refused with a temporary error, so that the SMSC keeps the message and redelivers it.
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
            RoutedEvent::Receipt(receipt, matched, ack) => {
                Self::Receipt(Unacknowledged::new((receipt, matched), ack, shared))
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
    pub(super) const fn new(account: Account) -> Self {
        Self { account }
    }

    /// Waits for the next delivery. Returns `None` once the account has ended and every delivery was fetched.
    pub fn recv(&mut self) -> Option<Arrival> {
        self.receive(None).ok().flatten()
    }

    /// Waits for the next delivery, at most until `deadline`. Returns `Ok(None)` if none came by then.
    ///
    /// # Errors
    ///
    /// [`Ended`] once the account has ended and every delivery was fetched.
    pub fn recv_until(&mut self, deadline: Instant) -> Result<Option<Arrival>, Ended> {
        self.receive(Some(deadline))
    }

    fn receive(&mut self, deadline: Option<Instant>) -> Result<Option<Arrival>, Ended> {
        let shared = self.account.shared();
        loop {
            match shared.wait_until(deadline, EventRouter::poll_arrival) {
                Some(Some(event)) => match Arrival::new(event, shared) {
                    None => {}
                    arrival => return Ok(arrival),
                },
                Some(None) => return Err(Ended),
                None => return Ok(None),
            }
        }
    }
}

/// Iterates over the deliveries, as [`recv`](Arrivals::recv) returns them: each step waits.
///
/// ```no_run
/// use smpp_std::account::{Arrival, Arrivals};
///
/// fn receive(arrivals: Arrivals) {
///     for arrival in arrivals {
///         if let Arrival::Message(message) = arrival {
///             println!("{} wrote {:?}", message.get().source().digits, message.get().text());
///             let _ = message.accept();
///         }
///     }
///     println!("the account has ended");
/// }
/// ```
impl Iterator for Arrivals {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        self.recv()
    }
}

impl FusedIterator for Arrivals {}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.account.shared().with(|state, now| state.router.close_arrivals(now, &mut state.account));
    }
}

impl<T> Unacknowledged<T> {
    fn new(delivery: T, ack: Option<Ack>, shared: &Arc<Shared>) -> Self {
        Self { delivery, ack, shared: Arc::clone(shared) }
    }

    /// Returns what was delivered.
    pub const fn get(&self) -> &T {
        &self.delivery
    }

    /// Returns whether the delivery was acknowledged before: a receipt that arrived while a [`Sent`](super::Sent) waited for
    /// it. This process has the only copy. [`Message::receipts_to`](smpp_proto::account::Message::receipts_to) prevents that.
    pub const fn is_acknowledged(&self) -> bool {
        self.ack.is_none()
    }

    /// Acknowledges the delivery, with all segments of a message: the SMSC forgets it.
    ///
    /// # Errors
    ///
    /// - [`AckError::BindEnded`] if a bind on which a segment came has ended. The SMSC has received no response there, and
    ///   will redeliver the segment.
    /// - [`AckError::AlreadyAcknowledged`] for a receipt that was acknowledged when it arrived, because a
    ///   [`Sent`](super::Sent) waited for it: [`is_acknowledged`](Self::is_acknowledged). The SMSC does not redeliver it.
    pub fn accept(mut self) -> Result<(), AckError> {
        self.acknowledge(Ok(()))
    }

    /// Responds with a status other than `ESME_ROK`. After a temporary status such as `ESME_RX_T_APPN` the SMSC redelivers
    /// the message; after others it gives up.
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
        self.shared.with(|state, now| state.account.acknowledge(now, ack, result))
    }
}

impl<T> Drop for Unacknowledged<T> {
    fn drop(&mut self) {
        // If the bind has ended, the SMSC has received no response, and keeps the message as well.
        let _ = self.acknowledge(Err(DeliverSm::UNANSWERED));
    }
}

impl<T: fmt::Debug> fmt::Debug for Unacknowledged<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.delivery.fmt(f)
    }
}
