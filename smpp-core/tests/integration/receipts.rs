//! Delivery receipts of real SMSCs: each line of `data/receipts.jsonl` has a text and its expected fields.
//!
//! In `text` and in the values, one character stands for one octet. Fields that a line does not have are missing in the
//! receipt.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

use std::sync::LazyLock;

use allocation_counter::measure;
use serde_json::Value;
use smpp_proto::sms::{Detection, MessageIdPolicy, Receipt, ReceiptError};
use smpp_proto::{DataCoding, DataSm, DeliverSm, EsmClass, MessageState, ShortMessage, Tag, Tlv, Tlvs};

const FINAL: [&str; 6] = ["DELIVERED", "EXPIRED", "DELETED", "UNDELIVERABLE", "REJECTED", "SKIPPED"];

struct Sample {
    text: Vec<u8>,
    values: [Option<Vec<u8>>; 6],
    line: Value,
}

static SAMPLES: LazyLock<Vec<Sample>> = LazyLock::new(|| {
    let lines = include_str!("../data/receipts.jsonl").lines();
    let samples: Vec<_> = lines.map(|line| Sample::new(serde_json::from_str(line).unwrap())).collect();
    assert!(samples.len() >= 60);
    samples
});

impl Sample {
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
        let mut receipt = Receipt::default().id(id.unwrap()).stat(stat.unwrap());
        (receipt.sub, receipt.dlvrd) = (number("sub"), number("dlvrd"));
        (receipt.submit_date, receipt.done_date) = (submit_date, done_date);
        (receipt.err, receipt.text) = (err, text);
        receipt
    }
}

/// Calls `check` with a message that has this text, in `message_payload` if it is too long for `short_message`.
fn with_message<R>(text: &[u8], check: impl FnOnce(DeliverSm<'_>) -> R) -> R {
    let message = DeliverSm { esm_class: EsmClass::DELIVERY_RECEIPT, ..DeliverSm::default() };
    match ShortMessage::new(text) {
        Ok(short_message) => check(DeliverSm { short_message, ..message }),
        Err(_) => check(DeliverSm { tlvs: Tlvs::list(&[payload(text)]), ..message }),
    }
}

fn payload(text: &[u8]) -> Tlv<'_> {
    Tlv::new(Tag::MESSAGE_PAYLOAD, text).unwrap()
}

/// Encodes ISO 8859-1 as UTF-16 in network byte order.
fn to_utf16(text: &[u8]) -> Vec<u8> {
    text.iter().flat_map(|&octet| [0, octet]).collect()
}

#[test]
fn every_field_is_read() {
    for sample in &*SAMPLES {
        let receipt = Receipt::parse(&sample.text);
        assert_eq!(receipt, Ok(sample.receipt()), "{}", sample.line);
        let state = sample.line.get("state").map(|state| state.as_str().unwrap());
        assert_eq!(receipt.unwrap().state().and_then(MessageState::name), state, "{}", sample.line);
        assert_eq!(
            receipt.unwrap().is_final(),
            state.is_some_and(|state| FINAL.contains(&state)),
            "{}",
            sample.line
        );
    }
}

#[test]
fn a_receipt_is_read_from_every_pdu() {
    for sample in &*SAMPLES {
        let expected = Some(Ok(sample.receipt()));
        with_message(&sample.text, |message| {
            assert_eq!(Receipt::of(&message, Detection::ByEsmClass), expected, "{}", sample.line);
        });
        let tlvs = [payload(&sample.text)];
        let data =
            DataSm { esm_class: EsmClass::DELIVERY_RECEIPT, tlvs: Tlvs::list(&tlvs), ..DataSm::default() };
        assert_eq!(Receipt::of(&data, Detection::ByEsmClass), expected, "{}", sample.line);
        let with_header = [b"\x05\x00\x03\x2A\x01\x01", &sample.text[..]].concat();
        with_message(&with_header, |message| {
            let esm_class = EsmClass::DELIVERY_RECEIPT | EsmClass::UDHI;
            let with_header = DeliverSm { esm_class, ..message };
            assert_eq!(Receipt::of(&with_header, Detection::ByEsmClass), expected, "{}", sample.line);
        });
    }
}

#[test]
fn a_receipt_in_ucs2_is_read_and_its_text_stays_ucs2() {
    for sample in &*SAMPLES {
        let text_value = sample.values[5].as_ref().map(|text| to_utf16(text));
        let mut expected = sample.receipt();
        expected.text = text_value.as_deref();
        with_message(&to_utf16(&sample.text), |message| {
            let message = DeliverSm { data_coding: DataCoding::UCS2, ..message };
            let mut buffer = b"what was in it".to_vec();
            let receipt = Receipt::of_with_buffer(&message, Detection::ByEsmClass, &mut buffer);
            assert_eq!(receipt, Some(Ok(expected)), "{}", sample.line);
            let receipt = Receipt::of(&message, Detection::ByEsmClass);
            assert_eq!(receipt, Some(Err(ReceiptError::Ucs2)), "{}", sample.line);
        });
    }
}

#[test]
fn without_esm_class_only_detection_by_content_reads_a_receipt() {
    for sample in &*SAMPLES {
        with_message(&sample.text, |message| {
            let forged = DeliverSm { esm_class: EsmClass::empty(), ..message };
            assert_eq!(Receipt::of(&forged, Detection::ByEsmClass), None, "{}", sample.line);
            assert_eq!(Receipt::of(&forged, Detection::default()), None, "{}", sample.line);
            let starts_with_a_field = sample.line["note"] != "words before it";
            let expected = starts_with_a_field.then(|| Ok(sample.receipt()));
            assert_eq!(Receipt::of(&forged, Detection::ByContent), expected, "{}", sample.line);
        });
    }
}

#[test]
fn an_emitted_receipt_parses_to_itself() {
    for sample in &*SAMPLES {
        let mut out = Vec::new();
        sample.receipt().emit(&mut out);
        assert_eq!(Receipt::parse(&out), Ok(sample.receipt()), "{}", sample.line);
    }
}

#[test]
fn reading_a_receipt_does_not_allocate() {
    let mut buffer = Vec::with_capacity(1000);
    for sample in &*SAMPLES {
        let utf16 = to_utf16(&sample.text);
        let allocated = measure(|| {
            with_message(&sample.text, |message| {
                let receipt = Receipt::of(&message, Detection::ByEsmClass).unwrap().unwrap();
                assert!(receipt.tlvs().count() >= 1);
                assert!(MessageIdPolicy::EXACT.same(receipt.id, receipt.id));
            });
            with_message(&utf16, |message| {
                let message = DeliverSm { data_coding: DataCoding::UCS2, ..message };
                let receipt = Receipt::of_with_buffer(&message, Detection::ByEsmClass, &mut buffer);
                assert!(matches!(receipt, Some(Ok(_))));
            });
        });
        assert_eq!(allocated.count_total, 0, "{}", sample.line);
    }
}
