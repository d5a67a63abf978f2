//! What the simulated SMSC delivers: receipts and mobile-originated messages.

use alloc::string::String;
use alloc::vec::Vec;

use super::bind::SimulatedBind;
use super::mobile_originated::MoId;
use crate::pdu::{Address, DataCoding, DeliverSm, EsmClass, MessageState, Npi, ShortMessage, Ton};
use crate::session::Instant;
use crate::sms::Segment;
use crate::tlv::{Tag, Tlvs};
use crate::wire::COctets;

/// A receipt or a mobile-originated (MO) message to deliver on one bind.
#[derive(Debug)]
pub struct Delivery {
    /// The bind to send it on.
    pub bind: SimulatedBind,
    /// The system_id of its account: any receiving bind of this account may deliver it.
    pub system_id: String,
    pub(super) pending: PendingDelivery,
}

#[derive(Clone, Debug)]
pub(super) struct PendingDelivery {
    pub(super) due: Instant,
    pub(super) source: OwnedAddress,
    pub(super) destination: OwnedAddress,
    /// The bind that submitted the message.
    pub(super) submitter: Option<SimulatedBind>,
    /// The number of the message that it is about or echoes.
    pub(super) number: Option<u64>,
    /// The message of [`Simulator::deliver`](super::Simulator::deliver) that it is a segment of.
    pub(super) mo: Option<MoId>,
    pub(super) content: Content,
}

/// An owned address.
#[derive(Clone, Debug)]
pub(super) struct OwnedAddress(Ton, Npi, Vec<u8>);

/// The contents of a deliver_sm.
#[derive(Clone, Debug)]
pub(super) struct Content {
    /// The state of a receipt.
    pub(super) state: Option<MessageState>,
    pub(super) esm_class: EsmClass,
    pub(super) data_coding: DataCoding,
    pub(super) octets: Vec<u8>,
    /// The TLVs, encoded.
    pub(super) tlvs: Vec<u8>,
}

impl From<Segment> for Content {
    fn from(segment: Segment) -> Self {
        let mut tlvs = Vec::new();
        segment.emit_tlvs(&mut tlvs);
        let octets = if segment.is_payload() { Vec::new() } else { segment.as_bytes().into() };
        let (esm_class, data_coding) = (segment.esm_class(), segment.data_coding());
        Self { state: None, esm_class, data_coding, octets, tlvs }
    }
}

/// Appends an encoded TLV; nothing if the value is too long for one.
pub(super) fn push_tlv(out: &mut Vec<u8>, tag: Tag, value: &[u8]) {
    if let Ok(length) = u16::try_from(value.len()) {
        out.extend_from_slice(&tag.0.to_be_bytes());
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(value);
    }
}

impl Delivery {
    pub(super) fn new(bind: SimulatedBind, system_id: String, pending: PendingDelivery) -> Self {
        Self { bind, system_id, pending }
    }

    /// Returns the deliver_sm. A receipt has its text as in SMPP 3.4 Appendix B and the message_state TLV, unless the
    /// [`Dialect`](super::Dialect) says otherwise.
    pub fn deliver_sm(&self) -> DeliverSm<'_> {
        let PendingDelivery { source, destination, content, .. } = &self.pending;
        DeliverSm {
            source: source.address(),
            destination: destination.address(),
            esm_class: content.esm_class,
            data_coding: content.data_coding,
            short_message: ShortMessage::new(&content.octets).unwrap_or_default(),
            tlvs: Tlvs::from_wire(&content.tlvs),
            ..DeliverSm::default()
        }
    }

    /// Returns the message state of a receipt; `None` for an MO message.
    pub const fn state(&self) -> Option<MessageState> {
        self.pending.content.state
    }
}

impl OwnedAddress {
    pub(super) fn address(&self) -> Address<'_> {
        let Self(ton, npi, digits) = self;
        Address { ton: *ton, npi: *npi, digits: COctets::new(digits).unwrap_or_default() }
    }
}

impl From<Address<'_>> for OwnedAddress {
    fn from(address: Address<'_>) -> Self {
        Self(address.ton, address.npi, address.digits.as_bytes().into())
    }
}
