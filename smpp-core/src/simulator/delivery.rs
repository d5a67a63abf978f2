//! What the simulated service has to deliver: receipts, and messages from phones.

use alloc::string::String;
use alloc::vec::Vec;

use super::BindId;
use crate::pdu::{Address, DataCoding, DeliverSm, EsmClass, MessageState, Npi, ShortMessage, Ton};
use crate::session::Instant;
use crate::sms::Segment;
use crate::tlv::{Tlv, Tlvs};
use crate::wire::COctets;

/// A receipt or a message, ready to be sent on one bind.
#[derive(Debug)]
pub struct Delivery {
    /// Where to send it.
    pub bind: BindId,
    /// Whose it is: any receiving bind of this account will do.
    pub system_id: String,
    pub(super) pending: Pending,
    tlvs: Vec<Tlv<'static>>,
}

#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) due: Instant,
    pub(super) source: Party,
    pub(super) destination: Party,
    pub(super) content: Content,
}

/// An address that is kept.
#[derive(Clone, Debug)]
pub(super) struct Party(Ton, Npi, Vec<u8>);

#[derive(Clone, Debug)]
pub(super) enum Content {
    Receipt { state: MessageState, text: Vec<u8> },
    Message(Segment),
}

impl Delivery {
    pub(super) fn new(bind: BindId, system_id: String, pending: Pending) -> Self {
        let tlvs = match &pending.content {
            Content::Receipt { state, .. } => [Tlv::message_state(*state)].into(),
            Content::Message(_) => Vec::new(),
        };
        Self { bind, system_id, pending, tlvs }
    }

    /// Its deliver_sm. A receipt's text is as in SMPP 3.4 Appendix B, with the message_state TLV.
    pub fn deliver_sm(&self) -> DeliverSm<'_> {
        let Pending { source, destination, content, .. } = &self.pending;
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

    /// The state that it reports, if it is a receipt.
    pub const fn state(&self) -> Option<MessageState> {
        match &self.pending.content {
            Content::Receipt { state, .. } => Some(*state),
            Content::Message(_) => None,
        }
    }
}

impl Party {
    fn address(&self) -> Address<'_> {
        let Self(ton, npi, digits) = self;
        Address { ton: *ton, npi: *npi, digits: COctets::new(digits).unwrap_or_default() }
    }
}

impl From<Address<'_>> for Party {
    fn from(address: Address<'_>) -> Self {
        Self(address.ton, address.npi, address.digits.as_bytes().into())
    }
}
