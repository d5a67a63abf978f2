//! Serializes PDUs with `serde`.
#![allow(clippy::unwrap_used, reason = "test helpers")]

use serde_json::json;
use smpp_proto::{
    Address, Bind, Destination, List, MessageState, Password, Pdu, Quirks, SequenceNumber, ShortMessage,
    SubmitMulti, Tlv, Tlvs,
};

#[test]
fn a_pdu_is_serialized_with_the_names_of_its_fields() {
    let to = [Destination::Sme(Address::international("6591234567").unwrap())];
    let list = [Tlv::message_state(MessageState::DELIVERED)];
    let message = SubmitMulti {
        destinations: List::new(&to).unwrap(),
        short_message: ShortMessage::new(b"\x1B\x65").unwrap(),
        tlvs: Tlvs::list(&list),
        ..SubmitMulti::default()
    };
    let json = serde_json::to_value(Pdu::SubmitMulti(message)).unwrap();
    let body = &json["SubmitMulti"];
    assert_eq!(body["destinations"], json!([{ "Sme": { "ton": 1, "npi": 1, "digits": "6591234567" } }]));
    assert_eq!((&body["short_message"], &body["esm_class"]), (&json!("1b65"), &json!(0)));
    assert_eq!(body["tlvs"], json!([{ "tag": 0x0427, "name": "message_state", "value": "02" }]));
    let quirks = Quirks::LONG_STRING | Quirks::NON_ASCII;
    assert_eq!(serde_json::to_value(quirks).unwrap(), json!(["LONG_STRING", "NON_ASCII"]));
    assert_eq!(serde_json::to_value(SequenceNumber(7)).unwrap(), json!(7));
}

#[test]
fn the_password_is_hidden() {
    let password = Password::new(b"s3cret").unwrap();
    let bind = Bind { system_id: "shop".try_into().unwrap(), password, ..Bind::default() };
    let json = serde_json::to_string(&Pdu::Bind(bind)).unwrap();
    assert!(json.contains("shop") && json.contains("***") && !json.contains("s3cret"), "{json}");
}
