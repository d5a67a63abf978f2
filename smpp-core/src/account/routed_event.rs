//! What the SMSC delivered for no waiting message.

use alloc::vec::Vec;

use super::ack::Ack;
use super::inbound_message::InboundMessage;
use super::link::BindId;
use super::message_key::MessageKey;
use super::outcome::{MessageNumber, SegmentOutcome};
use super::receipt::{DeliveryReceipt, ReceiptMatch};
use crate::frame::Frame;

/// An arrival: something that the SMSC delivered and that belongs to no waiting message.
#[derive(Debug)]
#[non_exhaustive]
pub enum RoutedEvent {
    /// A mobile-originated (MO) message: complete, or the segments that are there if the others did not arrive in time.
    Message(InboundMessage, Ack),
    /// A receipt of a message without a slot, or of an unknown message. It has no [`Ack`] if it has been acknowledged.
    Receipt(DeliveryReceipt, Option<ReceiptMatch>, Option<Ack>),
    /// An alert_notification, which has no response.
    #[non_exhaustive]
    Notification {
        /// The bind that it arrived on.
        bind: BindId,
        /// The PDU.
        frame: Frame<Vec<u8>>,
    },
    /// The response to a segment arrived after its timeout: see [`Event::LateOutcome`](super::Event::LateOutcome).
    #[non_exhaustive]
    LateOutcome {
        /// The message.
        message: MessageNumber,
        /// The caller's own key of the message.
        key: Option<MessageKey>,
        /// The segment, from 0.
        segment: u8,
        /// How the segment ended.
        outcome: SegmentOutcome,
    },
}

impl RoutedEvent {
    /// Returns whether the SMSC does not deliver all of it again if it is refused.
    pub(super) const fn is_only_copy(&self) -> bool {
        matches!(self, Self::Message(_, ack) if ack.is_only_copy())
    }

    /// Returns how many octets of PDUs it holds.
    pub(super) fn octets(&self) -> usize {
        match self {
            Self::Message(message, _) => message.held_octets(),
            Self::Receipt(receipt, ..) => receipt.frame().octets().len(),
            Self::Notification { frame, .. } => frame.octets().len(),
            Self::LateOutcome { outcome, .. } => outcome.heap_octets(),
        }
    }
}
