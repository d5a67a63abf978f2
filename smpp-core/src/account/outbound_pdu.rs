//! The PDU of a segment that the account sends: a submit_sm, a data_sm or a submit_multi.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::frame::{Frame, SequenceNumber};
use crate::pdu::{
    CommandStatus, DataSm, Destination, Operation, Pdu, RegisteredDelivery, SubmitMulti, SubmitSm,
};
use crate::provider::ReceiptScope;
use crate::wire::{Emit, Quirks, Tolerance};

/// A request that carries a message.
#[derive(Clone, Copy, Debug)]
pub(super) enum OutboundPdu<'a> {
    SubmitSm(SubmitSm<'a>),
    DataSm(DataSm<'a>),
    SubmitMulti(SubmitMulti<'a>),
}

/// The bits that request a final receipt or intermediate notifications.
pub(super) const RECEIPT_REQUEST: RegisteredDelivery = RegisteredDelivery::from_bits_retain(0b1_0011);

/// Encodes a request. The session sets the sequence number later.
pub(super) fn encode(pdu: &Pdu<'_>) -> Frame<Vec<u8>> {
    Frame::encode(pdu, CommandStatus::ROK, SequenceNumber::FIRST)
}

/// Decodes the request that [`encode`] encoded.
pub(super) fn decode(frame: &Frame<Vec<u8>>) -> Pdu<'_> {
    match frame.pdu(Tolerance(Quirks::all())) {
        Ok((pdu, _)) => pdu,
        // Unreachable: the frame was encoded from a request.
        Err(_) => Pdu::SubmitSm(SubmitSm::default()),
    }
}

impl<'a> OutboundPdu<'a> {
    /// Decodes the request that [`encode`] encoded.
    pub(super) fn decode(frame: &'a Frame<Vec<u8>>) -> Self {
        match decode(frame) {
            Pdu::SubmitSm(message) => Self::SubmitSm(message),
            Pdu::DataSm(message) => Self::DataSm(message),
            Pdu::SubmitMulti(message) => Self::SubmitMulti(message),
            // Unreachable: the account sends no other messages.
            _ => Self::SubmitSm(SubmitSm::default()),
        }
    }

    pub(super) const fn registered_delivery(&self) -> RegisteredDelivery {
        match self {
            Self::SubmitSm(message) => message.registered_delivery,
            Self::DataSm(message) => message.registered_delivery,
            Self::SubmitMulti(message) => message.registered_delivery,
        }
    }

    /// Returns whether the message requests delivery receipts, final or intermediate (SMPP 3.4 §5.2.17).
    pub(super) const fn asks_for_receipts(&self) -> bool {
        self.registered_delivery().intersects(RECEIPT_REQUEST)
    }

    /// Returns how many recipients have receipts of their own that can be matched: 1 unless the message is a submit_multi; 0 if
    /// they cannot be matched. Several recipients have receipts with the same id: as many as there are. Those of a
    /// distribution list are not known, and an SMSC with one receipt for each message may send one for all.
    pub(super) fn receipts_of_each(&self, scope: ReceiptScope) -> u8 {
        let Self::SubmitMulti(message) = self else { return 1 };
        let is_address = |destination| matches!(destination, Destination::Sme(_));
        match message.destinations.iter().count() {
            _ if !message.destinations.iter().all(is_address) => 0,
            1 => 1,
            // The list has 255 elements at most.
            count if scope == ReceiptScope::Segment => count as u8,
            _ => 0,
        }
    }

    /// Returns how many messages count against a rate limit: one for each recipient.
    pub(super) fn recipients(&self) -> u32 {
        match self {
            Self::SubmitSm(message) => message.recipients(),
            Self::DataSm(message) => message.recipients(),
            Self::SubmitMulti(message) => message.recipients(),
        }
    }

    /// Returns the key of the recipients: messages with equal keys have the same recipients.
    pub(super) fn recipients_key(&self) -> Box<[u8]> {
        let mut key = Vec::new();
        match self {
            Self::SubmitSm(message) => message.destination.emit(&mut key),
            Self::DataSm(message) => message.destination.emit(&mut key),
            Self::SubmitMulti(message) => {
                message.destinations.iter().for_each(|destination| match destination {
                    Destination::Sme(address) => address.emit(&mut key),
                    list @ Destination::DistributionList(_) => list.emit(&mut key),
                });
            }
        }
        key.into()
    }
}
