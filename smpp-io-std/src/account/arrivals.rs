//! What the SMSC delivers, each with the right to answer it once.

use std::fmt;
use std::sync::{Arc, Condvar};
use std::time::Instant;

use smpp_core::account::{Ack, DeliveryReceipt, EventRouter, InboundMessage, ReceiptMatch, RoutedEvent};
use smpp_core::session::Refusal;
use smpp_core::{CommandStatus, DeliverSm, Frame, Operation};

use super::Account;
use super::shared::Shared;

/// What is delivered to the account on any of its binds, in the order it came: messages from phones, and receipts that
/// nobody else waits for.
///
/// Bounded by [`AccountConnector::arrivals_capacity`](super::AccountConnector::arrivals_capacity). Once it is dropped, messages and
/// receipts about unknown messages are left to the SMSC, and receipts of messages of this account are accepted and
/// forgotten.
#[derive(Debug)]
pub struct Arrivals {
    account: Account,
    arrived: Arc<Condvar>,
}

/// What has been delivered.
#[derive(Debug)]
#[non_exhaustive]
pub enum Arrival {
    /// A message from a phone, whole, or what there is of one whose other parts have not come in time.
    Message(Unacknowledged<InboundMessage>),
    /// A receipt: of a message whose [`Sent`](super::Sent) is gone, or about no message that is known.
    Receipt(Unacknowledged<(DeliveryReceipt, Option<ReceiptMatch>)>),
    /// What has no response: alert_notification.
    Notification(Frame<Vec<u8>>),
}

/// Something delivered, and the right to answer it once. Dropped unanswered, it answers a temporary error by itself, so
/// that the SMSC keeps it and delivers it again.
pub struct Unacknowledged<T> {
    what: T,
    ack: Option<Ack>,
    shared: Arc<Shared>,
}

impl Arrival {
    fn new(delivery: RoutedEvent, shared: &Arc<Shared>) -> Self {
        match delivery {
            RoutedEvent::Message(message, ack) => {
                Self::Message(Unacknowledged::new(message, Some(ack), shared))
            }
            RoutedEvent::Receipt(receipt, about, ack) => {
                Self::Receipt(Unacknowledged::new((receipt, about), ack, shared))
            }
            RoutedEvent::Notification(frame) => Self::Notification(frame),
        }
    }
}

impl Arrivals {
    pub(super) fn new(account: Account) -> Self {
        Self { account, arrived: Arc::default() }
    }

    /// The next that was delivered; `None` once the account has ended and none is left. It blocks until then.
    pub fn recv(&mut self) -> Option<Arrival> {
        self.next(None).ok().flatten()
    }

    /// The next that is delivered until `deadline`; `None` if nothing is. The error says that the account has ended and
    /// nothing is left.
    pub fn recv_until(&mut self, deadline: Instant) -> Result<Option<Arrival>, Ended> {
        self.next(Some(deadline))
    }

    fn next(&mut self, deadline: Option<Instant>) -> Result<Option<Arrival>, Ended> {
        let shared = &self.account.shared;
        match shared.wait_until(&self.arrived, deadline, EventRouter::poll_arrival) {
            Some(Some(delivery)) => Ok(Some(Arrival::new(delivery, shared))),
            Some(None) => Err(Ended),
            None => Ok(None),
        }
    }
}

/// The account has ended, and nothing is left to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended;

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the account has ended")
    }
}

impl std::error::Error for Ended {}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.account.shared.with(|inner, now| inner.desk.close_arrivals(now, &mut inner.account));
    }
}

impl<T> Unacknowledged<T> {
    fn new(what: T, ack: Option<Ack>, shared: &Arc<Shared>) -> Self {
        Self { what, ack, shared: Arc::clone(shared) }
    }

    /// What was delivered.
    pub const fn get(&self) -> &T {
        &self.what
    }

    /// Tells the SMSC that it is safe here, all parts of it.
    ///
    /// Refused if a bind that it came on is gone: the SMSC has seen no answer there, and will deliver it again.
    pub fn accept(mut self) -> Result<(), Refusal> {
        self.answer(Ok(()))
    }

    /// Answers with a status other than `ESME_ROK`. A temporary one such as `ESME_RX_T_APPN` makes the SMSC deliver it
    /// again, others give it up.
    pub fn refuse(mut self, status: CommandStatus) -> Result<(), Refusal> {
        self.answer(Err(status))
    }

    fn answer(&mut self, result: Result<(), CommandStatus>) -> Result<(), Refusal> {
        let Some(ack) = self.ack.take() else { return Ok(()) };
        self.shared.with(|inner, now| inner.account.acknowledge(now, ack, result))
    }
}

impl<T> Drop for Unacknowledged<T> {
    fn drop(&mut self) {
        // If the bind is gone, the SMSC has seen no answer, and keeps it too.
        let _ = self.answer(Err(DeliverSm::UNANSWERED));
    }
}

impl<T: fmt::Debug> fmt::Debug for Unacknowledged<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what.fmt(f)
    }
}
