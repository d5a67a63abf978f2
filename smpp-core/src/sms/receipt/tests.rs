use proptest::prelude::*;

use core::str;

use super::*;
use crate::frame::{Frame, SequenceNumber};
use crate::pdu::{CommandStatus, DataCoding, DeliverSm, Pdu, ShortMessage};
use crate::pdu::{EsmClass, MessageState};
use crate::tlv::{NetworkErrorCode, Tlv, Tlvs};
use crate::tlv::{NetworkErrorType, Tag};
use crate::wire::Tolerance;
use alloc::vec::Vec;

fn parse(text: &str) -> Receipt<'_> {
    Receipt::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A receipt with an id and a state.
fn receipt<'a>(id: &'a str, stat: &'a str) -> Receipt<'a> {
    Receipt { id: id.as_bytes(), stat: stat.as_bytes(), ..Receipt::default() }
}

/// A receipt whose id is from a TLV, with another id in the text.
fn receipt_by_tlv<'a>(id: &'a str, stat: &'a str, in_text: &'a str) -> Receipt<'a> {
    Receipt { id_source: IdSource::Tlv { in_text: in_text.as_bytes() }, ..receipt(id, stat) }
}

#[test]
fn appendix_b() {
    let line = "id:0123456789 sub:001 dlvrd:001 submit date:2611230102 done date:2611230103 stat:DELIVRD \
                err:000 Text:Hello world";
    let expected = Receipt {
        id: b"0123456789",
        sub: Some(1),
        dlvrd: Some(1),
        submit_date: Some(b"2611230102"),
        done_date: Some(b"2611230103"),
        stat: b"DELIVRD",
        err: Some(b"000"),
        text: Some(b"Hello world"),
        ..Receipt::default()
    };
    assert_eq!(parse(line), expected);
    let mut out = Vec::new();
    expected.emit(&mut out);
    assert_eq!(str::from_utf8(&out), Ok(line));
}

#[test]
fn an_error_names_the_missing_field() {
    for (line, error) in [
        ("", ReceiptError::MissingId),
        ("Hello", ReceiptError::MissingId),
        ("stat:DELIVRD", ReceiptError::MissingId),
        ("id: stat:DELIVRD", ReceiptError::MissingId),
        ("myid:1 stat:DELIVRD", ReceiptError::MissingId),
        ("id:1", ReceiptError::MissingStat),
        ("id:1 stat:", ReceiptError::MissingStat),
        ("id:1 text:stat:DELIVRD", ReceiptError::MissingStat),
    ] {
        assert_eq!(Receipt::parse(line.as_bytes()), Err(error), "{line:?}");
    }
}

#[test]
fn every_word_has_a_state_and_finality() {
    for (stat, state, is_final) in [
        ("DELIVRD", Some(MessageState::DELIVERED), true),
        ("delivrd", Some(MessageState::DELIVERED), true),
        ("Delivered", Some(MessageState::DELIVERED), true),
        ("EXPIRED", Some(MessageState::EXPIRED), true),
        ("DELETED", Some(MessageState::DELETED), true),
        ("UNDELIV", Some(MessageState::UNDELIVERABLE), true),
        ("FAILED", Some(MessageState::UNDELIVERABLE), true),
        ("REJECTD", Some(MessageState::REJECTED), true),
        ("SKIPPED", Some(MessageState::SKIPPED), true),
        ("ACCEPTD", Some(MessageState::ACCEPTED), false),
        ("ENROUTE", Some(MessageState::ENROUTE), false),
        ("SENT", Some(MessageState::ENROUTE), false),
        ("SCHEDULED", Some(MessageState::SCHEDULED), false),
        ("UNKNOWN", Some(MessageState::UNKNOWN), false),
        ("BUFFERED", None, false),
    ] {
        let receipt = receipt("1", stat);
        assert_eq!((receipt.state(), receipt.is_final()), (state, is_final), "{stat}");
    }
}

#[test]
fn every_state_has_a_word() {
    for number in 0..=9 {
        let state = MessageState(number);
        let receipt = Receipt { stat: Receipt::stat_word(state).unwrap(), ..Receipt::default() };
        assert_eq!((receipt.state(), receipt.stat.len()), (Some(state), 7));
    }
    assert_eq!(Receipt::stat_word(MessageState(10)), None);
}

/// A deliver_sm with a receipt.
fn message<'a>(text: &'a [u8], tlvs: &'a [Tlv<'a>]) -> DeliverSm<'a> {
    DeliverSm {
        esm_class: EsmClass::DELIVERY_RECEIPT,
        short_message: ShortMessage::new(text).unwrap(),
        tlvs: Tlvs::list(tlvs),
        ..DeliverSm::default()
    }
}

fn of<'a>(message: &DeliverSm<'a>) -> Option<Result<Receipt<'a>, ReceiptError>> {
    Receipt::of(message, Detection::ByEsmClass)
}

const GSM_27: NetworkErrorCode = NetworkErrorCode { network: NetworkErrorType::GSM, code: 27 };

#[test]
fn tlvs_take_precedence_over_the_text() {
    let text = b"id:1 stat:ENROUTE err:000";
    let id = Tlv::receipted_message_id(b"abc-1").unwrap();
    let (state, reserved) =
        (Tlv::message_state(MessageState::UNDELIVERABLE), Tlv::message_state(MessageState(42)));
    let no_id = Tlv::new(Tag::RECEIPTED_MESSAGE_ID, b"").unwrap();
    let long_state = Tlv::u16(Tag::MESSAGE_STATE, 2);
    let (error, reference) = (Tlv::network_error_code(GSM_27), Tlv::user_message_reference(7));

    let plain = Receipt { err: Some(b"000"), ..receipt("1", "ENROUTE") };
    for (tlvs, expected) in [
        (&[][..], plain),
        (&[id], Receipt { id: b"abc-1", id_source: IdSource::Tlv { in_text: b"1" }, ..plain }),
        (&[state], Receipt { stat: b"UNDELIV", ..plain }),
        (
            &[id, state],
            Receipt { id: b"abc-1", id_source: IdSource::Tlv { in_text: b"1" }, stat: b"UNDELIV", ..plain },
        ),
        (&[no_id, reserved], plain),
        (&[Tlv::message_state(MessageState::SCHEDULED)], plain),
        (&[long_state], plain),
        (&[error], Receipt { network_error_code: Some(GSM_27), ..plain }),
        (&[reference], Receipt { user_message_reference: Some(7), ..plain }),
    ] {
        assert_eq!(Receipt::parse_with(text, Tlvs::list(tlvs)), Ok(expected), "{tlvs:?}");
        assert_eq!(of(&message(text, tlvs)), Some(Ok(expected)), "{tlvs:?}");
    }
    for (text, tlvs, expected) in [
        (&b""[..], &[id, state][..], Ok(receipt_by_tlv("abc-1", "UNDELIV", ""))),
        (b"Hello", &[id, reserved], Ok(receipt_by_tlv("abc-1", "UNKNOWN", ""))),
        (b"", &[id], Err(ReceiptError::MissingStat)),
        (b"", &[state], Err(ReceiptError::MissingId)),
        (b"", &[], Err(ReceiptError::MissingId)),
    ] {
        assert_eq!(of(&message(text, tlvs)), Some(expected), "{tlvs:?}");
    }
}

#[test]
fn an_id_from_a_tlv_has_no_nul() {
    let mut out = Vec::new();
    let tlvs = [Tlv::receipted_message_id(b"abc-1").unwrap(), Tlv::message_state(MessageState::DELIVERED)];
    Pdu::DeliverSm(message(b"", &tlvs)).encode(CommandStatus::ROK, SequenceNumber::FIRST, &mut out);
    let frame = Frame::new(&out[..]).unwrap();
    let Ok((Pdu::DeliverSm(sm), _)) = frame.pdu(Tolerance::STRICT) else { panic!("{frame:?}") };
    assert_eq!(of(&sm), Some(Ok(receipt_by_tlv("abc-1", "DELIVRD", ""))));
}

#[test]
fn esm_class_marks_receipts() {
    let receipt_message = message(b"id:1 stat:ENROUTE", &[]);
    let other = message(b"Hello, call me", &[]);
    let plain = receipt("1", "ENROUTE");
    let intermediate = Receipt { is_intermediate: true, ..plain };
    let missing = Some(Err(ReceiptError::MissingId));
    for (class, by_class, by_content, of_other) in [
        (0x00, None, Some(Ok(plain)), None),
        (0x03, None, Some(Ok(plain)), None),
        (0x04, Some(Ok(plain)), Some(Ok(plain)), missing),
        (0x87, Some(Ok(plain)), Some(Ok(plain)), missing),
        (0x08, None, None, None),
        (0x10, None, None, None),
        (0x18, None, None, None),
        (0x20, Some(Ok(intermediate)), Some(Ok(intermediate)), None),
        (0x24, None, None, None),
    ] {
        let esm_class = EsmClass::from_bits_retain(class);
        let (receipt_message, other) =
            (DeliverSm { esm_class, ..receipt_message }, DeliverSm { esm_class, ..other });
        assert_eq!(of(&receipt_message), by_class, "{class:#04x}");
        assert_eq!(Receipt::of(&receipt_message, Detection::ByContent), by_content, "{class:#04x}");
        assert_eq!(of(&other), of_other, "{class:#04x}");
        assert_eq!(Receipt::of(&other, Detection::ByContent), of_other, "{class:#04x}");
    }
}

#[test]
fn by_content_a_receipt_starts_with_a_field_or_is_only_in_tlvs() {
    let tlvs = [Tlv::receipted_message_id(b"1").unwrap(), Tlv::message_state(MessageState::DELIVERED)];
    let delivered = Some(Ok(receipt("1", "DELIVRD")));
    for (text, tlvs, expected) in [
        (&b"id:1 stat:DELIVRD"[..], &[][..], delivered),
        (b"STAT:DELIVRD\nID:1", &[], delivered),
        (b"", &tlvs, Some(Ok(receipt_by_tlv("1", "DELIVRD", "")))),
        (b"id:7", &tlvs, Some(Ok(receipt_by_tlv("1", "DELIVRD", "7")))),
        (b"Did you get id:1 stat:DELIVRD", &[], None),
        (b"Hello", &tlvs, Some(Ok(receipt_by_tlv("1", "DELIVRD", "")))),
        (b"Hello", &tlvs[..1], None),
        (b"Hello", &tlvs[1..], None),
        (b"id:1 is mine", &[], None),
        (b"", &[], None),
    ] {
        let message = DeliverSm { esm_class: EsmClass::empty(), ..message(text, tlvs) };
        assert_eq!(Receipt::of(&message, Detection::ByContent), expected, "{:?}", text.escape_ascii());
        assert_eq!(of(&message), None);
    }
}

#[test]
fn by_tlvs_a_receipt_has_id_and_state_in_tlvs() {
    let tlvs = [Tlv::receipted_message_id(b"1").unwrap(), Tlv::message_state(MessageState::DELIVERED)];
    for (class, text, tlvs, expected) in [
        (0x00, &b"Delivered"[..], &tlvs[..], Some(Ok(receipt_by_tlv("1", "DELIVRD", "")))),
        (0x00, b"id:1 stat:DELIVRD", &[], None),
        (0x00, b"id:1 stat:DELIVRD", &tlvs[..1], None),
        (0x08, b"Delivered", &tlvs, None),
        (0x04, b"id:1 stat:DELIVRD", &[], Some(Ok(receipt("1", "DELIVRD")))),
    ] {
        let message = DeliverSm { esm_class: EsmClass::from_bits_retain(class), ..message(text, tlvs) };
        assert_eq!(
            Receipt::of(&message, Detection::ByTlvs),
            expected,
            "{class:#04x} {}",
            text.escape_ascii()
        );
    }
}

#[test]
fn nuls_before_the_text_and_separators_after_the_values_are_ignored() {
    let expected = Receipt { sub: Some(1), err: Some(b"000"), ..receipt("4711", "DELIVRD") };
    for text in [
        "\0id:4711 sub:001 stat:DELIVRD err:000",
        "\0\0 id:4711 sub:001 stat:DELIVRD err:000\0",
        "id:4711, sub:001, stat:DELIVRD, err:000,",
        "id:4711; sub:001; stat:DELIVRD; err:000;",
        "id:4711 , sub:001 , stat:DELIVRD , err:000 ,",
    ] {
        assert_eq!(parse(text), expected, "{text:?}");
        let by_content = DeliverSm { esm_class: EsmClass::empty(), ..message(text.as_bytes(), &[]) };
        assert_eq!(Receipt::of(&by_content, Detection::ByContent), Some(Ok(expected)), "{text:?}");
    }
    assert_eq!(Receipt::parse(b"id:, stat:DELIVRD"), Err(ReceiptError::MissingId));
    assert_eq!(parse("id:4711 stat:DELIVRD err:; 000"), receipt("4711", "DELIVRD"));
    assert_eq!(parse("id:4711 sub:, 001 dlvrd:; 001 stat:DELIVRD"), receipt("4711", "DELIVRD"), "not 0");
    let expected =
        Receipt { submit_date: Some(b"2601010000"), done_date: Some(b"26 01"), ..receipt("4711", "DELIVRD") };
    for text in [
        "id:4711 ; submit date:2601010000 ; done date:26 01 ; stat:DELIVRD ;",
        "id:4711 , submit date:2601010000 ,;, done date:26 01 , ; , stat:DELIVRD",
    ] {
        assert_eq!(parse(text), expected, "{text:?}");
    }
}

#[test]
fn ucs2_is_recognised_under_another_data_coding_and_other_texts_under_that_of_ucs2() {
    let wide: Vec<_> = b"id:4711 stat:DELIVRD text:a".iter().flat_map(|&octet| [0, octet]).collect();
    let plain = b"id:4711 stat:DELIVRD";
    for (text, data_coding, value) in [
        (&wide[..], 0, Some(&b"\0a"[..])),
        (&wide, 1, Some(b"\0a")),
        (&wide, 8, Some(b"\0a")),
        (plain, 8, None),
    ] {
        let message = DeliverSm { data_coding: DataCoding(data_coding), ..message(text, &[]) };
        let mut buffer = Vec::new();
        let read = Receipt::of_with_buffer(&message, Detection::ByEsmClass, &mut buffer);
        assert_eq!(read, Some(Ok(Receipt { text: value, ..receipt("4711", "DELIVRD") })), "{data_coding}");
    }
}

#[test]
fn the_udhi_bit_alone_is_not_a_header() {
    let delivered = Some(Ok(receipt("1", "DELIVRD")));
    let long = [b"id:1 stat:DELIVRD filler:", &[b'x'; 120][..]].concat();
    let wide = b"\0i\0d\0:\x001\0 \0s\0t\0a\0t\0:\0D\0E\0L\0I\0V\0R\0D";
    // Read as a header, the first letter would be its length, but the elements would be malformed.
    let with_prefix = [b"DLR for you: ", &long[..]].concat();
    for (text, data_coding) in [
        (&b"\x05\x00\x03\x2A\x01\x01id:1 stat:DELIVRD"[..], DataCoding(0)),
        (b"\x00id:1 stat:DELIVRD", DataCoding(0)),
        // The UDHI bit without a header.
        (b"id:1 stat:DELIVRD", DataCoding(0)),
        (&long, DataCoding(0)),
        (&with_prefix, DataCoding(0)),
        (wide, DataCoding::UCS2),
        (&[b"\x05\x00\x03\x2A\x01\x01", &wide[..]].concat(), DataCoding::UCS2),
    ] {
        let esm_class = EsmClass::DELIVERY_RECEIPT | EsmClass::UDHI;
        let message = DeliverSm { esm_class, data_coding, ..message(text, &[]) };
        let mut buffer = Vec::new();
        let receipt = Receipt::of_with_buffer(&message, Detection::ByEsmClass, &mut buffer);
        assert_eq!(receipt, delivered, "{:?}", text.escape_ascii());
    }
    let esm_class = EsmClass::DELIVERY_RECEIPT | EsmClass::UDHI;
    let truncated = DeliverSm { esm_class, ..message(b"\x7F\x00\x03", &[]) };
    assert_eq!(of(&truncated), Some(Err(ReceiptError::MissingId)));
}

#[test]
fn a_receipt_in_ucs2_differs_from_a_text_value_in_ucs2() {
    let mut buffer = Vec::new();
    let ucs2 = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
    let wide = ucs2("\u{FEFF}id:\u{4F60}1 stat:DELIVRD text:Привет 😀\0");
    let data_coding = DataCoding::UCS2;
    let sm = DeliverSm { data_coding, ..message(&wide, &[]) };
    let value = ucs2("Привет 😀");
    let expected = Receipt { id: b"?1", text: Some(&value), ..receipt("1", "DELIVRD") };
    assert_eq!(
        Receipt::of_with_buffer(&sm, Detection::ByEsmClass, &mut buffer),
        Some(Ok(expected)),
        "a character above U+00FF is returned only in the text"
    );
    assert_eq!(of(&DeliverSm { data_coding: DataCoding(0), ..sm }), Some(Err(ReceiptError::MissingId)));

    for (text, nuls) in [("Привет 😀", 0), ("Привет 😀", 1), ("Привет 😀", 2), ("Привет", 1), ("Привет", 2)]
    {
        let value = ucs2(text);
        let mixed = [b"id:1 stat:DELIVRD text:", &value[..], &[0, 0][..nuls]].concat();
        let sm = DeliverSm { data_coding, ..message(&mixed, &[]) };
        let mut buffer = b"before".to_vec();
        let expected = Receipt { text: Some(&value), ..receipt("1", "DELIVRD") };
        assert_eq!(of(&sm), Some(Ok(expected)), "{text} and {nuls} NULs");
        assert_eq!(Receipt::of_with_buffer(&sm, Detection::ByEsmClass, &mut buffer), Some(Ok(expected)));
        assert_eq!(buffer, b"before");
    }
    let half = DeliverSm { data_coding, ..message(b"id:1 stat:DELIVRD text:\x04\x1F\x04", &[]) };
    let expected = Receipt { text: Some(b"\x04\x1F\x04"), ..receipt("1", "DELIVRD") };
    assert_eq!(of(&half), Some(Ok(expected)), "the last character is truncated");
}

#[test]
fn a_text_in_ucs2_is_ignored_if_tlvs_suffice() {
    let tlvs = [Tlv::receipted_message_id(b"1").unwrap(), Tlv::message_state(MessageState::DELIVERED)];
    let sm = DeliverSm { data_coding: DataCoding::UCS2, ..message(b"\0i\0d\0:\x007", &tlvs) };
    assert_eq!(of(&sm), Some(Ok(receipt_by_tlv("1", "DELIVRD", ""))));
    let by_content = DeliverSm { esm_class: EsmClass::empty(), ..sm };
    assert_eq!(
        Receipt::of(&by_content, Detection::ByContent),
        Some(Ok(receipt_by_tlv("1", "DELIVRD", ""))),
        "the text is not read"
    );
}

#[test]
fn tlvs_omit_invalid_values() {
    let long = [b'x'; 65];
    for (receipt, tags) in [
        (receipt("1", "DELIVRD"), &[Tag::RECEIPTED_MESSAGE_ID, Tag::MESSAGE_STATE][..]),
        (receipt("1", "BUFFERED"), &[Tag::RECEIPTED_MESSAGE_ID]),
        (receipt("1\0", "DELIVRD"), &[Tag::MESSAGE_STATE]),
        (Receipt { id: &long, ..receipt("", "DELIVRD") }, &[Tag::MESSAGE_STATE]),
        (
            Receipt {
                network_error_code: Some(GSM_27),
                user_message_reference: Some(7),
                ..receipt("1", "UNDELIV")
            },
            &[
                Tag::RECEIPTED_MESSAGE_ID,
                Tag::MESSAGE_STATE,
                Tag::NETWORK_ERROR_CODE,
                Tag::USER_MESSAGE_REFERENCE,
            ],
        ),
    ] {
        assert!(receipt.tlvs().map(|tlv| tlv.tag).eq(tags.iter().copied()), "{receipt:?}");
    }
}

proptest! {
    #[test]
    fn an_emitted_receipt_parses_to_itself(
        (id, err) in ("[!-~]{0,63}[!-+\\--:<-~]", prop::option::of("[0-9A-Za-z]{1,5}")),
        stat in "[A-Za-z]{1,15}",
        state in prop::option::of((0..=9_u8).prop_map(MessageState)),
        (sub, dlvrd) in any::<(Option<u32>, Option<u32>)>(),
        dates in prop::array::uniform2(prop::option::of("[0-9]{10,14}|[0-9-]{10} [0-9:]{8}")),
        text in prop::option::of(prop::collection::vec(any::<u8>(), 0..100)),
        error in prop::option::of(any::<(u8, u16)>()),
        (user_message_reference, is_intermediate) in any::<(Option<u16>, bool)>(),
    ) {
        prop_assume!(!text.as_ref().is_some_and(|text| text.ends_with(b"\0")));
        let in_text = Receipt {
            id: id.as_bytes(),
            sub,
            dlvrd,
            submit_date: dates[0].as_deref().map(str::as_bytes),
            done_date: dates[1].as_deref().map(str::as_bytes),
            stat: state.and_then(Receipt::stat_word).unwrap_or(stat.as_bytes()),
            err: err.as_deref().map(str::as_bytes),
            text: text.as_deref(),
            ..Receipt::default()
        };
        let mut out = Vec::new();
        in_text.emit(&mut out);
        prop_assert_eq!(Receipt::parse(&out), Ok(in_text));

        let whole = Receipt {
            network_error_code: error
                .map(|(network, code)| NetworkErrorCode { network: NetworkErrorType(network), code }),
            user_message_reference,
            is_intermediate,
            id_source: IdSource::Tlv { in_text: in_text.id },
            stat: in_text.state().and_then(Receipt::stat_word).unwrap_or(in_text.stat),
            ..in_text
        };
        let mut tlvs: Vec<_> = whole.tlvs().collect();
        tlvs.push(Tlv::new(Tag::MESSAGE_PAYLOAD, &out).unwrap());
        let esm_class = whole.esm_class();
        let message = DeliverSm { esm_class, tlvs: Tlvs::list(&tlvs), ..DeliverSm::default() };
        prop_assert_eq!(of(&message), Some(Ok(whole)));
    }

    #[test]
    fn any_message_can_be_read(
        (esm_class, data_coding) in any::<(u8, u8)>(),
        user_data in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let carrier = ReceiptCarrier {
            esm_class: EsmClass::from_bits_retain(esm_class),
            data_coding: DataCoding(data_coding),
            user_data: &user_data,
            tlvs: Tlvs::EMPTY,
        };
        for detection in [Detection::ByEsmClass, Detection::ByContent] {
            let mut buffer = Vec::new();
            Receipt::of(carrier, detection);
            Receipt::of_with_buffer(carrier, detection, &mut buffer);
            prop_assert!(2 * buffer.len() <= user_data.len());
        }
    }

    #[test]
    fn any_octets_can_be_parsed(octets in any::<Vec<u8>>()) {
        let _ = Receipt::parse(&octets);
    }

    #[test]
    fn any_mixture_of_keys_can_be_parsed(
        keys in prop::collection::vec(
            prop::sample::select(&["id:", "stat:", "submit", "date:", "text:", "Done_date:", " ", "\n", "7", "x"][..]),
            0..40,
        ),
    ) {
        let line = keys.concat();
        if let Ok(receipt) = Receipt::parse(line.as_bytes()) {
            prop_assert!(!receipt.id.is_empty() && !receipt.stat.is_empty());
            receipt.state();
        }
    }
}
