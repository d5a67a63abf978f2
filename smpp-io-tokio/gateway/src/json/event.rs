//! The events that programs read.

use serde_json::{Map, Value, json};
use smpp_proto::session::Instant;
use smpp_proto::sms::{
    Codings, MessageReference, Pushed, Reassembler, ReassemblyLimits, SegmentInfo, UserData,
};
use smpp_proto::{Address, DataCoding, EsmClass, Tlvs};

use super::from_hex;
use crate::node::{Event, EventBody, IdOwner, Outcome, PhonePart};

/// Returns the JSON of an event. `codings` says what the alphabets of messages from phones are.
pub fn event_json(event: &Event, codings: Codings) -> Value {
    match &event.body {
        EventBody::Outcome { key, outcome } => outcome_json(key, outcome),
        EventBody::Receipt { owner, receipt } => {
            let mut value = object(receipt);
            if let Some(IdOwner { key, part, parts }) = owner {
                value.insert("key".into(), json!(key));
                value.insert("part".into(), json!(part));
                value.insert("parts".into(), json!(parts));
            }
            Value::Object(value)
        }
        EventBody::Message { parts } => message_json(parts, codings),
        EventBody::Invalid(invalid) => Value::Object(object(invalid)),
    }
}

/// Returns the JSON of an event about a node: `started`, `bound`, `link_closed`, `stopped`.
pub fn node_event_json(node: &str, what: &str, detail: &str) -> Value {
    json!({"node": node, "what": what, "detail": detail})
}

fn object(value: &impl serde::Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

fn outcome_json(key: &str, outcome: &Outcome) -> Value {
    let mut value = Map::new();
    value.insert("key".into(), json!(key));
    if outcome.parts > 0 {
        value.insert("parts".into(), json!(outcome.parts));
    }
    let ids: Vec<Value> =
        outcome.accepted.iter().map(|part| json!({"part": part.part, "id": part.id})).collect();
    if !ids.is_empty() {
        value.insert("accepted".into(), json!(ids));
    }
    if let Some(reason) = &outcome.reason {
        value.insert("reason".into(), json!(reason));
    }
    if let Some(status) = outcome.status {
        value.insert("status".into(), json!(status));
    }
    if outcome.possible_duplicate {
        value.insert("possible_duplicate".into(), json!(true));
    }
    Value::Object(value)
}

fn message_json(parts: &[PhonePart], codings: Codings) -> Value {
    let mut value = Map::new();
    if let Some(first) = parts.first() {
        value.insert("from".into(), json!(first.from));
        value.insert("to".into(), json!(first.to));
        value.insert("data_coding".into(), json!(first.data_coding));
    }
    let total = parts.first().map_or(1, |first| first.total);
    value.insert("parts".into(), json!(total));
    let is_there = |number: &u8| parts.iter().any(|part| part.number == *number);
    let missing: Vec<u8> = (1..=total).filter(|number| !is_there(number)).collect();
    if !missing.is_empty() {
        value.insert("missing".into(), json!(missing));
    }
    if let Some(text) = phone_text(parts, codings) {
        value.insert("text".into(), json!(text));
    } else {
        let octets: String = parts.iter().map(|part| part.octets.as_str()).collect();
        value.insert("octets".into(), json!(octets));
    }
    Value::Object(value)
}

/// Returns the text of a message from a phone, or of the parts that are there; `None` if it is none.
pub fn phone_text(parts: &[PhonePart], codings: Codings) -> Option<String> {
    let octets: Option<Vec<Vec<u8>>> = parts.iter().map(|part| from_hex(&part.octets)).collect();
    let octets = octets?;
    // Together, because a character may be cut in two.
    let mut reassembler = Reassembler::new(ReassemblyLimits::default());
    let nobody = Address::<21>::default();
    for (part, octets) in parts.iter().zip(&octets) {
        let mut user_data = user_data(part, octets);
        if part.total == 1 {
            return user_data.text(codings);
        }
        let reference = MessageReference::Sar(0);
        user_data.segment = Some(SegmentInfo { reference, total: part.total, number: part.number });
        let pushed = reassembler.push(Instant::ZERO, nobody, nobody, &user_data, ());
        if let Ok(Pushed::Complete(message)) = pushed {
            return message.text(codings);
        }
    }
    reassembler.evict()?.text(codings)
}

/// Returns the user data of a part. A header that is malformed is shown as part of the text.
fn user_data<'a>(part: &PhonePart, octets: &'a [u8]) -> UserData<'a> {
    let esm_class = EsmClass::from_bits_retain(part.esm_class);
    let data_coding = DataCoding(part.data_coding);
    let whole = UserData::default().octets(octets).esm_class(esm_class).data_coding(data_coding);
    UserData::of(esm_class, data_coding, octets, &Tlvs::default()).unwrap_or(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::{AcceptedPart, EventKind, Invalid, ReceiptDetails};

    #[test]
    fn events_are_flat_objects() {
        let accepted = Outcome {
            parts: 1,
            accepted: vec![AcceptedPart { part: 1, id: "7f".into(), normalised: "027f".into() }],
            reason: None,
            ..Outcome::new(EventKind::Accepted, "")
        };
        let event = Event::outcome("k", 1, accepted);
        let expected = r#"{"accepted":[{"id":"7f","part":1}],"key":"k","parts":1}"#;
        assert_eq!(event_json(&event, Codings::default()).to_string(), expected);
        let receipt = ReceiptDetails {
            id: "7f".into(),
            state: "DELIVERED".into(),
            is_final: true,
            stat: "DELIVRD".into(),
            err: None,
            digest: "d".into(),
        };
        let owner = Some(IdOwner { key: "k".into(), part: 1, parts: 2 });
        let event = Event::receipt(owner, receipt);
        let expected =
            r#"{"final":true,"id":"7f","key":"k","part":1,"parts":2,"stat":"DELIVRD","state":"DELIVERED"}"#;
        assert_eq!(event_json(&event, Codings::default()).to_string(), expected);
    }

    #[test]
    fn a_character_that_was_cut_in_two_is_whole_again() {
        let part = |number, octets: &str| PhonePart {
            group: "g".into(),
            number,
            total: 2,
            digest: String::new(),
            from: "+65".into(),
            to: "8x8".into(),
            data_coding: 8,
            esm_class: 0x40,
            octets: format!("050003010{total}0{number}{octets}", total = 2),
        };
        // U+1F600, a surrogate pair.
        let parts = [part(1_u8, "0041d83d"), part(2, "de00")];
        assert_eq!(phone_text(&parts, Codings::default()).as_deref(), Some("A\u{1f600}"));
    }

    #[test]
    fn a_message_of_which_parts_are_missing_says_which() {
        let part = |number: u8, octets: &str| PhonePart {
            group: "g".into(),
            number,
            total: 3,
            digest: String::new(),
            from: "+65".into(),
            to: "8x8".into(),
            data_coding: 0,
            esm_class: 0x40,
            octets: format!("050003010{total}0{number}{octets}", total = 3),
        };
        let body = EventBody::Message { parts: vec![part(1, "4142"), part(3, "4344")] };
        let event = Event { about: "g".into(), detail: "1".into(), body };
        let expected = r#"{"data_coding":0,"from":"+65","missing":[2],"parts":3,"text":"ABCD","to":"8x8"}"#;
        assert_eq!(event_json(&event, Codings::default()).to_string(), expected);
    }

    /// Checks the fields of an object against a schema: those that it must have, and that it has no others.
    fn check(schema: &Value, of_kind: &Value, value: &Value) {
        let of_kind = match of_kind.get("$ref").and_then(Value::as_str) {
            Some(reference) => &schema["$defs"][reference.rsplit('/').next().unwrap()],
            None => of_kind,
        };
        let fields = value.as_object().unwrap();
        for field in fields.keys() {
            assert!(of_kind["properties"].get(field).is_some(), "the schema has no {field}: {value}");
        }
        for field in of_kind["required"].as_array().unwrap() {
            assert!(fields.contains_key(field.as_str().unwrap()), "{field} is missing: {value}");
        }
    }

    #[test]
    fn the_schema_of_events_has_their_fields() {
        let schema: Value = serde_json::from_str(crate::json::EVENT_SCHEMA).unwrap();
        let outcome = Outcome {
            parts: 2,
            accepted: vec![AcceptedPart { part: 1, id: "7f".into(), normalised: "027f".into() }],
            status: Some(88),
            possible_duplicate: true,
            ..Outcome::new(EventKind::Refused, "throttled")
        };
        let receipt = ReceiptDetails {
            id: "7f".into(),
            state: "DELIVERED".into(),
            is_final: true,
            stat: "DELIVRD".into(),
            err: Some("000".into()),
            digest: String::new(),
        };
        let owner = IdOwner { key: "k".into(), part: 1, parts: 2 };
        let part = |total| PhonePart {
            group: String::new(),
            number: 1,
            total,
            digest: String::new(),
            from: "+65".into(),
            to: "8x8".into(),
            data_coding: 4,
            esm_class: 0,
            octets: "00".into(),
        };
        let message = |total| EventBody::Message { parts: vec![part(total)] };
        let invalid =
            Invalid { key: Some("k".into()), field: Some("to".into()), reason: "not a number".into() };
        let new = |body| Event { about: "a".into(), detail: "d".into(), body };
        let events = [
            Event::outcome("k", 1, outcome),
            Event::receipt(Some(owner), receipt.clone()),
            Event::receipt(None, receipt),
            new(message(1)),
            new(message(2)),
            new(EventBody::Invalid(invalid)),
        ];
        for event in events {
            let of_kind = &schema["properties"][event.kind().name()];
            check(&schema, of_kind, &event_json(&event, Codings::default()));
        }
        check(&schema, &schema["properties"]["node"], &node_event_json("n", "started", ""));
    }
}
