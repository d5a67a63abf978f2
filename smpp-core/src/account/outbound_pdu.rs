//! The PDU of a segment that the account sends: a submit_sm, a data_sm or a submit_multi.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::frame::{Frame, SequenceNumber};
use crate::pdu::{
    CommandId, CommandStatus, DataCoding, DataSm, Destination, Operation, Pdu, RegisteredDelivery,
    SubmitMulti, SubmitSm,
};
use crate::provider::ReceiptScope;
use crate::wire::{Emit, Quirks, Sink, Tolerance};

/// What the account has to know of the PDUs of a message: that of a template, and of each segment that it becomes.
#[derive(Clone, Copy, Debug)]
pub(super) struct PduTraits {
    pub(super) command: CommandId,
    /// How many messages it counts as against a rate limit: one for each recipient.
    pub(super) recipients: u32,
    registered_delivery: RegisteredDelivery,
    /// How many recipients are phones, if all are; otherwise 0: those of a distribution list are not known.
    phones: u8,
}

impl PduTraits {
    /// Those of a message that has no PDU yet.
    pub(super) const NONE: Self = Self {
        command: CommandId::SUBMIT_SM,
        recipients: 1,
        registered_delivery: RegisteredDelivery::from_bits_retain(0),
        phones: 1,
    };

    pub(super) fn new(pdu: &Pdu<'_>) -> Self {
        let (recipients, registered_delivery, phones) = match pdu {
            Pdu::DataSm(message) => (message.recipients(), message.registered_delivery, 1),
            Pdu::SubmitMulti(message) => {
                let is_phone = |destination| matches!(destination, Destination::Sme(_));
                let all_are = message.destinations.iter().all(is_phone);
                // The list has 255 elements at most.
                let phones = if all_are { message.destinations.iter().count() as u8 } else { 0 };
                (message.recipients(), message.registered_delivery, phones)
            }
            Pdu::SubmitSm(message) => (message.recipients(), message.registered_delivery, 1),
            // Unreachable: the account sends no other messages.
            _ => (1, RegisteredDelivery::default(), 1),
        };
        Self { command: pdu.command(), recipients, registered_delivery, phones }
    }

    /// Returns how many recipients have receipts of their own that can be matched: 1 unless the message is a submit_multi; 0 if
    /// they cannot be matched. Several recipients have receipts with the same id: as many as there are. An SMSC with one
    /// receipt for each message may send one for all.
    pub(super) const fn receipts_of_each(&self, scope: ReceiptScope) -> u8 {
        match (self.phones, scope) {
            (phones @ (0 | 1), _) | (phones, ReceiptScope::Segment) => phones,
            _ => 0,
        }
    }

    /// Returns whether the message requests delivery receipts, final or intermediate (SMPP 3.4 §5.2.17).
    pub(super) const fn asks_for_receipts(&self) -> bool {
        self.registered_delivery.intersects(RECEIPT_REQUEST)
    }

    /// Returns whether the message requests a final receipt for every final state: bits 1 and 0 (SMPP 3.4 §5.2.17). A receipt
    /// that was requested only for some states may never be due.
    pub(super) const fn is_receipt_due(&self) -> bool {
        self.registered_delivery.bits() & 0b11 == RegisteredDelivery::RECEIPT.bits()
    }
}

/// The encoded PDUs of the segments of a message, one behind the other. The buffer is used again for later messages.
#[derive(Debug, Default)]
pub(super) struct Frames {
    octets: Vec<u8>,
    /// Where each PDU but the last ends.
    ends: Vec<u32>,
}

impl Frames {
    pub(super) const fn new() -> Self {
        Self { octets: Vec::new(), ends: Vec::new() }
    }

    /// Adds a PDU. The session sets the sequence number later.
    pub(super) fn push(&mut self, pdu: &Pdu<'_>) {
        self.begin();
        pdu.encode(CommandStatus::ROK, SequenceNumber::FIRST, &mut self.octets);
    }

    /// Adds an encoded PDU.
    pub(super) fn push_frame(&mut self, frame: &Frame<Vec<u8>>) {
        self.begin();
        self.octets.extend_from_slice(frame.octets());
    }

    /// Adds the submit_sm of a text of one segment as the first PDU: the encoded template, whose TLVs have `tlvs` octets, with
    /// the text in it. `emit_text` appends the text; it returns false if the text needs more than one segment. Then this
    /// returns false too, and adds nothing.
    #[inline]
    pub(super) fn push_text(
        &mut self,
        template: &[u8],
        tlvs: usize,
        data_coding: DataCoding,
        emit_text: impl FnOnce(&mut Vec<u8>) -> bool,
    ) -> bool {
        // Before the TLVs are data_coding, sm_default_msg_id and sm_length (SMPP 3.4 §4.4.1); the short_message is empty.
        let Some((fields, tlvs)) =
            template.len().checked_sub(tlvs).and_then(|at| template.split_at_checked(at))
        else {
            return false;
        };
        if !self.octets.is_empty()
            || fields.last_chunk().is_none_or(|[_, id, length]| (*id, *length) != (0, 0))
        {
            return false;
        }
        self.octets.reserve(template.len() + MAX_TEXT_OCTETS);
        self.octets.extend_from_slice(fields);
        let start = fields.len();
        if let Some([coding, ..]) = self.octets.last_chunk_mut::<3>() {
            *coding = data_coding.0;
        }
        if !emit_text(&mut self.octets) {
            self.octets.clear();
            return false;
        }
        // At most 160 octets.
        let length = (self.octets.len() - start) as u8;
        if let Some(sm_length) = self.octets.get_mut(start - 1) {
            *sm_length = length;
        }
        if !tlvs.is_empty() {
            self.octets.extend_from_slice(tlvs);
        }
        let length = self.octets.len() as u32;
        if let Some(command_length) = self.octets.first_chunk_mut() {
            *command_length = length.to_be_bytes();
        }
        true
    }

    fn begin(&mut self) {
        if !self.octets.is_empty() {
            // At most 255 PDUs of the length of a text.
            self.ends.push(self.octets.len() as u32);
        }
    }

    pub(super) fn len(&self) -> usize {
        if self.octets.is_empty() { 0 } else { self.ends.len() + 1 }
    }

    /// Returns the octets of a PDU.
    pub(super) fn get(&self, index: usize) -> &[u8] {
        let start =
            index.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).map(|end| *end as usize));
        let end = self.ends.get(index).map_or(self.octets.len(), |end| *end as usize);
        start.and_then(|start| self.octets.get(start..end)).unwrap_or_default()
    }

    /// Removes the PDUs. Returns whether the buffer is small enough to be kept.
    pub(super) fn clear(&mut self) -> bool {
        self.octets.clear();
        self.ends.clear();
        self.octets.capacity() <= MAX_SPARE_OCTETS
    }
}

/// The most octets of a text of one segment: a septet takes a whole octet.
const MAX_TEXT_OCTETS: usize = 160;

/// The most octets that a buffer has which is used again.
const MAX_SPARE_OCTETS: usize = 1024;

/// The body of an encoded request, as it is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct EncodedBody<'a>(pub(super) &'a [u8]);

impl Emit for EncodedBody<'_> {
    fn emit<S: Sink>(&self, out: &mut S) {
        out.put(self.0);
    }
}

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
    decode_octets(frame.octets())
}

fn decode_octets(octets: &[u8]) -> Pdu<'_> {
    match Frame::from_valid(octets).into_pdu(Tolerance(Quirks::all())) {
        Ok((pdu, _)) => pdu,
        // Unreachable: the frame was encoded from a request.
        Err(_) => Pdu::SubmitSm(SubmitSm::default()),
    }
}

impl<'a> OutboundPdu<'a> {
    /// Decodes the request that [`encode`] encoded.
    pub(super) fn decode(octets: &'a [u8]) -> Self {
        match decode_octets(octets) {
            Pdu::SubmitSm(message) => Self::SubmitSm(message),
            Pdu::DataSm(message) => Self::DataSm(message),
            Pdu::SubmitMulti(message) => Self::SubmitMulti(message),
            // Unreachable: the account sends no other messages.
            _ => Self::SubmitSm(SubmitSm::default()),
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
