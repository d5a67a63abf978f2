//! The receipts in a record, read whatever their dialect is. No I/O.

use std::time::Duration;

use smpp_proto::sms::{Detection, IdSource, Receipt, ReceiptCarrier};
use smpp_proto::{DataCoding, EsmClass, MessageState, Tlvs};

use super::record::{Delivered, Record};

/// A receipt.
#[derive(Clone, Debug)]
pub(super) struct Received {
    /// Its position among the PDUs.
    pub(super) index: usize,
    pub(super) bind: u16,
    pub(super) at: Duration,
    pub(super) esm_class: EsmClass,
    pub(super) leading_nul: bool,
    pub(super) text_id: Option<Vec<u8>>,
    pub(super) tlv_id: Option<Vec<u8>>,
    /// The state, and the word or TLV that says it.
    pub(super) state: Option<MessageState>,
    pub(super) stat: String,
    pub(super) is_final: bool,
    pub(super) has_state_tlv: bool,
    /// The user_message_reference TLV.
    pub(super) reference: Option<u16>,
    pub(super) submit_date: Option<Vec<u8>>,
    pub(super) done_date: Option<Vec<u8>>,
}

/// What was delivered: receipts, messages, and what is marked as a receipt and cannot be read.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    pub(super) receipts: Vec<Received>,
    /// The positions of the messages.
    pub(super) messages: Vec<usize>,
    /// The texts of the unreadable receipts.
    pub(super) unreadable: Vec<String>,
}

impl Deliveries {
    pub(super) fn of(record: &Record) -> Self {
        let mut deliveries = Self::default();
        for (index, observed, delivered) in record.delivered() {
            let carrier = carrier(delivered);
            let without_nul = carrier.user_data.iter().take_while(|octet| **octet == 0).count();
            let text = carrier.user_data.get(without_nul..).unwrap_or_default();
            let marked = !carrier.esm_class.message_type().is_empty();
            let mut buffer = Vec::new();
            match read(carrier.user_data(text), marked, &mut buffer) {
                Some(receipt) => deliveries.receipts.push(Received {
                    index,
                    bind: observed.bind,
                    at: observed.at,
                    esm_class: carrier.esm_class,
                    leading_nul: without_nul > 0 && !text.is_empty(),
                    ..received(&receipt, carrier.tlvs)
                }),
                None if marked => deliveries.unreadable.push(text.escape_ascii().to_string()),
                None => deliveries.messages.push(index),
            }
        }
        deliveries
    }
}

fn carrier(delivered: Delivered<'_>) -> ReceiptCarrier<'_> {
    match &delivered {
        Delivered::DeliverSm(sm) => sm.into(),
        Delivered::DataSm(sm) => sm.into(),
    }
}

/// Reads a receipt: anything with an `esm_class` that marks it as more than a message, and anything that looks like one.
fn read<'a>(carrier: ReceiptCarrier<'a>, marked: bool, buffer: &'a mut Vec<u8>) -> Option<Receipt<'a>> {
    let header = carrier.esm_class & EsmClass::UDHI;
    let esm_class = if marked { header | EsmClass::DELIVERY_RECEIPT } else { carrier.esm_class };
    let carrier = carrier.esm_class(esm_class);
    Receipt::of_with_buffer(carrier, Detection::ByContent, buffer).and_then(Result::ok)
}

fn received(receipt: &Receipt<'_>, tlvs: Tlvs<'_>) -> Received {
    let (text_id, tlv_id) = match receipt.id_source {
        IdSource::Tlv { in_text } => (in_text, Some(receipt.id.to_vec())),
        _ => (receipt.id, None),
    };
    Received {
        index: 0,
        bind: 0,
        at: Duration::ZERO,
        esm_class: EsmClass::empty(),
        leading_nul: false,
        text_id: (!text_id.is_empty()).then(|| text_id.to_vec()),
        tlv_id,
        state: receipt.state(),
        stat: String::from_utf8_lossy(receipt.stat).into_owned(),
        is_final: receipt.is_final(),
        has_state_tlv: tlvs.message_state().is_some(),
        reference: receipt.user_message_reference,
        submit_date: receipt.submit_date.map(<[u8]>::to_vec),
        done_date: receipt.done_date.map(<[u8]>::to_vec),
    }
}

/// The user data of a message that came back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Returned<'a> {
    pub(super) bind: u16,
    pub(super) index: usize,
    /// The position of the probe's response.
    pub(super) acknowledged: Option<usize>,
    pub(super) data_coding: DataCoding,
    /// The octets after a user data header.
    pub(super) octets: &'a [u8],
    /// The number of the segment, for a segment.
    pub(super) segment: Option<u8>,
}

/// Returns the messages that came back.
pub(super) fn returned<'a>(record: &'a Record, deliveries: &Deliveries) -> Vec<Returned<'a>> {
    let messages = record.delivered().filter(|(index, ..)| deliveries.messages.binary_search(index).is_ok());
    messages
        .filter_map(|(index, observed, delivered)| {
            let user_data = match delivered {
                Delivered::DeliverSm(sm) => sm.user_data(),
                Delivered::DataSm(sm) => sm.user_data(),
            };
            let user_data = user_data.ok()?;
            Some(Returned {
                bind: observed.bind,
                index,
                acknowledged: record.acknowledged(observed),
                data_coding: user_data.data_coding,
                octets: user_data.octets,
                segment: user_data.segment.map(|segment| segment.number),
            })
        })
        .collect()
}
