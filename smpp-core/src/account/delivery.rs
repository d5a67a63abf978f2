//! What the SMSC delivers: a deliver_sm or a data_sm.

use super::receipt_tracker::recipient_of;
use crate::pdu::{DataSm, DeliverSm, Pdu};
use crate::sms::ReceiptCarrier;

/// A request that delivers a receipt or a message.
#[derive(Clone, Copy)]
pub(super) enum Delivery<'p, 'a> {
    DeliverSm(&'p DeliverSm<'a>),
    DataSm(&'p DataSm<'a>),
}

impl<'a> Delivery<'_, 'a> {
    pub(super) const fn pdu(self) -> Pdu<'a> {
        match self {
            Self::DeliverSm(message) => Pdu::DeliverSm(*message),
            Self::DataSm(message) => Pdu::DataSm(*message),
        }
    }

    /// Returns the number of the phone that a receipt is about: see [`recipient_of`].
    pub(super) fn recipient(self) -> u32 {
        recipient_of(self.pdu())
    }
}

impl<'a> From<Delivery<'_, 'a>> for ReceiptCarrier<'a> {
    fn from(delivery: Delivery<'_, 'a>) -> Self {
        match delivery {
            Delivery::DeliverSm(message) => message.into(),
            Delivery::DataSm(message) => message.into(),
        }
    }
}
