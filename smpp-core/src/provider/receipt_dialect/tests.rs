use alloc::vec::Vec;

use super::*;
use crate::pdu::{DataCoding, DataSm, DeliverSm, ShortMessage};
use crate::tlv::{Tag, Tlv, Tlvs};

const UNSTATED: ReceiptDialect = ReceiptDialect::UNSTATED;
const RECEIPT: &[u8] = b"id:4711 sub:001 dlvrd:001 stat:DELIVRD err:000 text:";

fn message(class: u8, text: &[u8]) -> DeliverSm<'_> {
    DeliverSm {
        esm_class: EsmClass::from_bits_retain(class),
        short_message: ShortMessage::new(text).unwrap(),
        ..DeliverSm::default()
    }
}

/// The id, the state, and whether it is final.
type Read = (Vec<u8>, Option<MessageState>, bool);

/// Returns `None` if the message is not a receipt, or not readable.
fn read(dialect: &ReceiptDialect, message: &DeliverSm<'_>) -> Option<Read> {
    let mut buffer = Vec::new();
    let receipt = dialect.read(message, &mut buffer)?.ok()?;
    Some((receipt.id.to_vec(), dialect.state(&receipt), dialect.is_final(&receipt)))
}

/// Returns what [`RECEIPT`] says.
fn delivered() -> Read {
    (b"4711".to_vec(), Some(MessageState::DELIVERED), true)
}

#[test]
fn esm_classes_add_to_those_of_the_specification() {
    const CLASSES: [EsmClass; 2] = [EsmClass::DELIVERY_ACKNOWLEDGEMENT, EsmClass::from_bits_retain(0x27)];
    let dialect = ReceiptDialect { esm_classes: &CLASSES, ..UNSTATED };
    for (class, unstated, stated) in [
        (0x00, None, None),
        (0x04, Some(delivered()), Some(delivered())),
        (0x08, None, Some(delivered())),
        (0x0B, None, Some(delivered())),
        (0x10, None, None),
        (0x20, Some(delivered()), Some(delivered())),
        (0x24, None, Some(delivered())),
    ] {
        assert_eq!(read(&UNSTATED, &message(class, RECEIPT)), unstated, "{class:#04x}");
        assert_eq!(read(&dialect, &message(class, RECEIPT)), stated, "{class:#04x}");
    }
    let mut buffer = Vec::new();
    let other = dialect.read(&message(0x08, b"Yes, I have got it"), &mut buffer);
    assert_eq!(other, None, "a message of the subscriber is not lost as an unreadable receipt");
}

#[test]
fn final_states_and_words_are_those_of_the_dialect() {
    const UNKNOWN_IS_FINAL: ReceiptDialect = ReceiptDialect {
        final_states: &[MessageState::DELIVERED, MessageState::UNDELIVERABLE, MessageState::UNKNOWN],
        ..UNSTATED
    };
    const WORDS: ReceiptDialect = ReceiptDialect {
        state_words: &[
            StateWord { word: "NACK", state: MessageState::REJECTED, is_final: true },
            StateWord { word: "Sent", state: MessageState::DELIVERED, is_final: true },
            StateWord { word: "UNDELIV", state: MessageState::UNDELIVERABLE, is_final: false },
        ],
        ..UNSTATED
    };
    for (stat, [unstated, unknown_is_final, words]) in [
        ("DELIVRD", [(Some(MessageState::DELIVERED), true); 3]),
        (
            "UNKNOWN",
            [
                (Some(MessageState::UNKNOWN), false),
                (Some(MessageState::UNKNOWN), true),
                (Some(MessageState::UNKNOWN), false),
            ],
        ),
        ("NACK", [(None, false), (None, false), (Some(MessageState::REJECTED), true)]),
        ("nack", [(None, false), (None, false), (Some(MessageState::REJECTED), true)]),
        (
            "SENT",
            [
                (Some(MessageState::ENROUTE), false),
                (Some(MessageState::ENROUTE), false),
                (Some(MessageState::DELIVERED), true),
            ],
        ),
        (
            "EXPIRED",
            [
                (Some(MessageState::EXPIRED), true),
                (Some(MessageState::EXPIRED), false),
                (Some(MessageState::EXPIRED), true),
            ],
        ),
        (
            "UNDELIV",
            [
                (Some(MessageState::UNDELIVERABLE), true),
                (Some(MessageState::UNDELIVERABLE), true),
                (Some(MessageState::UNDELIVERABLE), false),
            ],
        ),
    ] {
        let receipt = Receipt { id: b"1", stat: stat.as_bytes(), ..Receipt::default() };
        let of = |dialect: &ReceiptDialect| (dialect.state(&receipt), dialect.is_final(&receipt));
        assert_eq!(of(&UNSTATED), unstated, "{stat}");
        assert_eq!(of(&UNKNOWN_IS_FINAL), unknown_is_final, "{stat}");
        assert_eq!(of(&WORDS), words, "{stat}");
        assert_eq!(unstated, (receipt.state(), receipt.is_final()), "{stat}");
    }
}

/// Reads `code,,,,,,id`.
fn commas<'a>(message: &ReceiptCarrier<'a>) -> Option<Receipt<'a>> {
    let mut values = message.text().split(|octet| *octet == b',');
    let (code, id) = (values.next()?, values.nth(5)?);
    let receipt = Receipt { id, stat: b"DELIVRD", err: Some(code), ..Receipt::default() };
    message.esm_class.is_receipt().then_some(receipt)
}

/// Reads the same as [`commas`], and is another function.
fn other<'a>(message: &ReceiptCarrier<'a>) -> Option<Receipt<'a>> {
    commas(message).map(|receipt| Receipt { stat: b"UNDELIV", ..receipt })
}

#[test]
fn a_parser_is_called_first_and_the_built_in_one_reads_the_rest() {
    let dialect = ReceiptDialect { parser: Some(ReceiptParser(commas)), ..UNSTATED };
    let csv = b"00,2509011201,2509011200,,6591234567,Shop,4711";
    assert_eq!(read(&UNSTATED, &message(0x04, csv)), None);
    assert_eq!(read(&dialect, &message(0x04, csv)), Some(delivered()));
    assert_eq!(read(&dialect, &message(0x00, csv)), None, "anyone can send it");
    assert_eq!(read(&dialect, &message(0x04, RECEIPT)), Some(delivered()));
    let tlvs = [Tlv::new(Tag::MESSAGE_PAYLOAD, csv).unwrap()];
    let data_sm =
        DataSm { esm_class: EsmClass::DELIVERY_RECEIPT, tlvs: Tlvs::list(&tlvs), ..DataSm::default() };
    assert_eq!(dialect.read(&data_sm, &mut Vec::new()).unwrap().unwrap().id, b"4711");
    assert_eq!(dialect, dialect.clone());
    assert_ne!(dialect, UNSTATED);
    assert_ne!(dialect.parser, Some(ReceiptParser(other)));
    assert!(alloc::format!("{dialect:?}").contains("parser: Some(ReceiptParser)"));
}

#[test]
fn a_receipt_on_the_last_segment_only_is_about_the_message() {
    assert_eq!(UNSTATED.receipt_scope(), ReceiptScope::Segment);
    let one = ReceiptDialect { scope: ReceiptScope::Message, ..UNSTATED };
    let on_last = ReceiptDialect { request_on_last_segment: true, ..UNSTATED };
    assert_eq!([one, on_last].map(|dialect| dialect.receipt_scope()), [ReceiptScope::Message; 2]);
}

#[test]
fn the_text_may_be_ucs2_and_the_nul_before_it_is_ignored() {
    let wide: Vec<_> = RECEIPT.iter().flat_map(|&octet| [0, octet]).collect();
    assert_eq!(read(&UNSTATED, &message(0x04, &wide)), Some(delivered()));
    assert_eq!(
        read(&UNSTATED, &DeliverSm { data_coding: DataCoding::UCS2, ..message(0x04, RECEIPT) }),
        Some(delivered())
    );
    assert_eq!(read(&UNSTATED, &message(0x04, &[b"\0", RECEIPT].concat())), Some(delivered()));
}
