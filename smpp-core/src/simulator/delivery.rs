//! What the simulated SMSC delivers: receipts and mobile-originated messages.

use alloc::string::String;
use alloc::vec::Vec;

use super::bind::SimulatedBind;
use crate::pdu::{Address, DataCoding, DeliverSm, EsmClass, MessageState, Npi, ShortMessage, Ton};
use crate::session::Instant;
use crate::sms::Segment;
use crate::tlv::{Tlv, Tlvs};
use crate::wire::COctets;

/// A receipt or a mobile-originated (MO) message to deliver on one bind.
#[derive(Debug)]
pub struct Delivery {
    /// The bind to send it on.
    pub bind: SimulatedBind,
    /// The system_id of its account: any receiving bind of this account may deliver it.
    pub system_id: String,
    pub(super) pending: PendingDelivery,
    tlvs: Vec<Tlv<'static>>,
}

#[derive(Clone, Debug)]
pub(super) struct PendingDelivery {
    pub(super) due: Instant,
    pub(super) source: OwnedAddress,
    pub(super) destination: OwnedAddress,
    pub(super) content: Content,
}

/// An owned address.
#[derive(Clone, Debug)]
pub(super) struct OwnedAddress(Ton, Npi, Vec<u8>);

#[derive(Clone, Debug)]
pub(super) enum Content {
    Receipt { state: MessageState, text: Vec<u8> },
    Message(Segment),
}

impl Delivery {
    pub(super) fn new(bind: SimulatedBind, system_id: String, pending: PendingDelivery) -> Self {
        let tlvs = match &pending.content {
            Content::Receipt { state, .. } => [Tlv::message_state(*state)].into(),
            Content::Message(_) => Vec::new(),
        };
        Self { bind, system_id, pending, tlvs }
    }

    /// Returns the deliver_sm. A receipt has its text as in SMPP 3.4 Appendix B, and the message_state TLV.
    pub fn deliver_sm(&self) -> DeliverSm<'_> {
        let PendingDelivery { source, destination, content, .. } = &self.pending;
        let (esm_class, data_coding, octets) = match content {
            Content::Receipt { text, .. } => {
                (EsmClass::DELIVERY_RECEIPT, DataCoding::SMSC_DEFAULT, text.as_slice())
            }
            Content::Message(segment) => (segment.esm_class(), segment.data_coding(), segment.as_bytes()),
        };
        DeliverSm {
            source: source.address(),
            destination: destination.address(),
            esm_class,
            data_coding,
            short_message: ShortMessage::new(octets).unwrap_or_default(),
            tlvs: Tlvs::list(&self.tlvs),
            ..DeliverSm::default()
        }
    }

    /// Returns the message state of a receipt; `None` for an MO message.
    pub const fn state(&self) -> Option<MessageState> {
        match &self.pending.content {
            Content::Receipt { state, .. } => Some(*state),
            Content::Message(_) => None,
        }
    }
}

impl OwnedAddress {
    fn address(&self) -> Address<'_> {
        let Self(ton, npi, digits) = self;
        Address { ton: *ton, npi: *npi, digits: COctets::new(digits).unwrap_or_default() }
    }
}

impl From<Address<'_>> for OwnedAddress {
    fn from(address: Address<'_>) -> Self {
        Self(address.ton, address.npi, address.digits.as_bytes().into())
    }
}
