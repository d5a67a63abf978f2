//! Delivery receipts of real SMSCs: each line of `data/receipts.jsonl` has a text and its expected fields.
//!
//! In `text` and in the values, one character stands for one octet. Fields that a line does not have are missing in the
//! receipt.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

use std::sync::LazyLock;

use allocation_counter::measure;
use serde_json::Value;
use smpp_core::sms::{Detection, MessageIdPolicy, Receipt, ReceiptError};
use smpp_core::{DataCoding, DataSm, DeliverSm, EsmClass, MessageState, ShortMessage, Tag, Tlv, Tlvs};

const FINAL: [&str; 6] = ["DELIVERED", "EXPIRED", "DELETED", "UNDELIVERABLE", "REJECTED", "SKIPPED"];

struct Known {
    text: Vec<u8>,
    values: [Option<Vec<u8>>; 6],
    line: Value,
}

static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let lines = include_str!("data/receipts.jsonl").lines();
    let known: Vec<_> = lines.map(|line| Known::new(serde_json::from_str(line).unwrap())).collect();
    assert!(known.len() >= 60);
    known
});

impl Known {
    fn new(line: Value) -> Self {
        let octets = |key: &str| {
            let value = line.get(key)?.as_str().unwrap();
            Some(
                value
                    .chars()
                    .map(|character| u8::try_from(u32::from(character)).unwrap())
                    .collect::<Vec<_>>(),
            )
        };
        let text = octets("text").unwrap();
        let values = ["id", "stat", "submit_date", "done_date", "err", "began"].map(octets);
        Self { text, values, line }
    }

    fn receipt(&self) -> Receipt<'_> {
        let [id, stat, submit_date, done_date, err, text] =
            [0, 1, 2, 3, 4, 5].map(|index| self.values[index].as_deref());
        let number =
            |key: &str| self.line.get(key).map(|number| number.as_u64().unwrap().try_into().unwrap());
        Receipt {
            id: id.unwrap(),
            sub: number("sub"),
            dlvrd: number("dlvrd"),
            submit_date,
            done_date,
            stat: stat.unwrap(),
            err,
            text,
            ..Receipt::default()
        }
    }
}

/// Calls `check` with a message that has this text, in `message_payload` if it is too long for `short_message`.
fn with_message<R>(text: &[u8], look: impl FnOnce(DeliverSm<'_>) -> R) -> R {
    let message = DeliverSm { esm_class: EsmClass::DELIVERY_RECEIPT, ..DeliverSm::default() };
    match ShortMessage::new(text) {
        Ok(short_message) => look(DeliverSm { short_message, ..message }),
        Err(_) => look(DeliverSm { tlvs: Tlvs::list(&[payload(text)]), ..message }),
    }
}

fn payload(text: &[u8]) -> Tlv<'_> {
    Tlv::new(Tag::MESSAGE_PAYLOAD, text).unwrap()
}

/// Encodes ISO 8859-1 as UTF-16 in network byte order.
fn wide(text: &[u8]) -> Vec<u8> {
    text.iter().flat_map(|&octet| [0, octet]).collect()
}

#[test]
fn every_field_is_read() {
    for known in &*KNOWN {
        let receipt = Receipt::parse(&known.text);
        assert_eq!(receipt, Ok(known.receipt()), "{}", known.line);
        let state = known.line.get("state").map(|state| state.as_str().unwrap());
        assert_eq!(receipt.unwrap().state().and_then(MessageState::name), state, "{}", known.line);
        assert_eq!(
            receipt.unwrap().is_final(),
            state.is_some_and(|state| FINAL.contains(&state)),
            "{}",
            known.line
        );
    }
}

#[test]
fn every_message_that_carries_one_is_read_alike() {
    for known in &*KNOWN {
        let expected = Some(Ok(known.receipt()));
        with_message(&known.text, |message| {
            assert_eq!(Receipt::of(&message, Detection::ByEsmClass), expected, "{}", known.line);
        });
        let tlvs = [payload(&known.text)];
        let data =
            DataSm { esm_class: EsmClass::DELIVERY_RECEIPT, tlvs: Tlvs::list(&tlvs), ..DataSm::default() };
        assert_eq!(Receipt::of(&data, Detection::ByEsmClass), expected, "{}", known.line);
        let headed = [b"\x05\x00\x03\x2A\x01\x01", &known.text[..]].concat();
        with_message(&headed, |message| {
            let esm_class = EsmClass::DELIVERY_RECEIPT | EsmClass::UDHI;
            let headed = DeliverSm { esm_class, ..message };
            assert_eq!(Receipt::of(&headed, Detection::ByEsmClass), expected, "{}", known.line);
        });
    }
}

#[test]
fn in_ucs_2_every_field_is_read_and_the_text_stays_wide() {
    for known in &*KNOWN {
        let began = known.values[5].as_ref().map(|text| wide(text));
        let expected = Receipt { text: began.as_deref(), ..known.receipt() };
        with_message(&wide(&known.text), |message| {
            let message = DeliverSm { data_coding: DataCoding::UCS2, ..message };
            let mut buffer = b"what was in it".to_vec();
            let receipt = Receipt::of_with_buffer(&message, Detection::ByEsmClass, &mut buffer);
            assert_eq!(receipt, Some(Ok(expected)), "{}", known.line);
            let receipt = Receipt::of(&message, Detection::ByEsmClass);
            assert_eq!(receipt, Some(Err(ReceiptError::Ucs2)), "{}", known.line);
        });
    }
}

#[test]
fn from_a_phone_none_is_a_receipt_unless_allowed() {
    for known in &*KNOWN {
        with_message(&known.text, |message| {
            let forged = DeliverSm { esm_class: EsmClass::empty(), ..message };
            assert_eq!(Receipt::of(&forged, Detection::ByEsmClass), None, "{}", known.line);
            assert_eq!(Receipt::of(&forged, Detection::default()), None, "{}", known.line);
            let begins_with_a_field = known.line["note"] != "words before it";
            let expected = begins_with_a_field.then(|| Ok(known.receipt()));
            assert_eq!(Receipt::of(&forged, Detection::ByContent), expected, "{}", known.line);
        });
    }
}

#[test]
fn every_receipt_that_is_written_reads_back() {
    for known in &*KNOWN {
        let mut out = Vec::new();
        known.receipt().emit(&mut out);
        assert_eq!(Receipt::parse(&out), Ok(known.receipt()), "{}", known.line);
    }
}

#[test]
fn no_receipt_costs_an_allocation() {
    let mut buffer = Vec::with_capacity(1000);
    for known in &*KNOWN {
        let wide = wide(&known.text);
        let allocated = measure(|| {
            with_message(&known.text, |message| {
                let receipt = Receipt::of(&message, Detection::ByEsmClass).unwrap().unwrap();
                assert!(receipt.tlvs().count() >= 1);
                assert!(MessageIdPolicy::EXACT.same(receipt.id, receipt.id));
            });
            with_message(&wide, |message| {
                let message = DeliverSm { data_coding: DataCoding::UCS2, ..message };
                let receipt = Receipt::of_with_buffer(&message, Detection::ByEsmClass, &mut buffer);
                assert!(matches!(receipt, Some(Ok(_))));
            });
        });
        assert_eq!(allocated.count_total, 0, "{}", known.line);
    }
}
