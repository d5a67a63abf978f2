//! Decodes and encodes every vector of `data/vectors.jsonl`.
//!
//! The vectors were written from the specifications and checked with other decoders. The `notes` of a vector explain
//! it. A malformed vector states its class of error, which either the codec reports with [`Tolerance::STRICT`], or
//! the layer above that decodes the text.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test helpers"
)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use smpp_proto::sms::{Codings, udh};
use smpp_proto::{
    CommandStatus, DecodeErrorKind, Frame, Header, Pdu, Quirks, Tag, Tlv, Tlvs, Tolerance, frame,
};

const LIMIT: usize = frame::DEFAULT_MAX_LENGTH;

struct Vector(Value);

impl Vector {
    /// Returns all vectors of a kind: `valid` or `malformed`.
    fn all(kind: &str) -> Vec<Self> {
        let all = include_str!("../data/vectors.jsonl").lines().map(|line| Self(line.parse().unwrap()));
        let all: Vec<Self> = all.filter(|vector| vector.text("kind") == kind).collect();
        assert!(!all.is_empty(), "{kind}");
        all
    }

    fn named(name: &str) -> Self {
        Self::all("valid").into_iter().find(|vector| vector.name() == name).expect(name)
    }

    fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_else(|| panic!("{key} is not text in {}", self.0))
    }

    fn name(&self) -> &str {
        self.text("name")
    }

    fn octets(&self) -> Vec<u8> {
        octets(self.text("hex"))
    }
}

fn octets(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn hex(octets: &[u8]) -> String {
    let digits = octets.iter().flat_map(|octet| [octet >> 4, octet & 15]);
    digits.map(|digit| char::from_digit(digit.into(), 16).unwrap()).collect()
}

fn number(hex: &str) -> u32 {
    u32::from_str_radix(hex.trim_start_matches("0x"), 16).unwrap()
}

/// Returns the frame of the only PDU in `octets`.
fn only_frame<'a>(name: &str, octets: &'a [u8]) -> Frame<&'a [u8]> {
    let (frame, rest) = frame::split(octets, LIMIT).expect(name).expect(name);
    assert!(rest.is_empty(), "{name}");
    assert_eq!(frame.octets(), octets, "{name}");
    frame
}

#[test]
fn every_valid_vector_decodes_to_its_fields() {
    for vector in Vector::all("valid") {
        let (name, octets) = (vector.name(), vector.octets());
        let frame = only_frame(name, &octets);
        let Header { length, command, status, sequence } = frame.header();
        assert_eq!(length as usize, octets.len(), "{name}");
        assert_eq!(command.0, number(vector.text("command_id")), "{name}");
        assert_eq!(status.0, number(vector.text("command_status")), "{name}");
        assert_eq!(u64::from(sequence.0), vector.0["sequence_number"], "{name}");
        assert_eq!(command.to_string(), vector.text("pdu"), "{name}");
        let (pdu, quirks) = frame.pdu(Tolerance::LENIENT).expect(name);
        assert_eq!(pdu.command(), command, "{name}");
        assert_eq!(quirks, deviation(name), "{name}");
        let strict = frame.pdu(Tolerance::STRICT);
        assert_eq!(strict.is_ok(), quirks.is_empty(), "{name}: {strict:?}");
        let mut fields = vector.0["fields"].clone();
        if let Some(Value::Object(short_message)) = fields.get_mut("short_message") {
            short_message.remove("ascii");
        }
        assert_eq!(fields_of(&frame), fields, "{name}");
        let tlvs: Vec<(u32, String)> =
            pdu.tlvs().iter().map(|tlv| (tlv.tag.0.into(), hex(tlv.value()))).collect();
        let listed = vector.0["tlvs"].as_array().unwrap().iter();
        let listed: Vec<(u32, String)> = listed
            .map(|tlv| (number(tlv["tag"].as_str().unwrap()), tlv["hex"].as_str().unwrap().into()))
            .collect();
        assert_eq!(tlvs, listed, "{name}");
    }
}

#[test]
fn every_valid_vector_encodes_to_its_octets() {
    for vector in Vector::all("valid") {
        let (name, octets) = (vector.name(), vector.octets());
        let frame = only_frame(name, &octets);
        let Header { status, sequence, .. } = frame.header();
        let (pdu, _) = frame.pdu(Tolerance::LENIENT).expect(name);

        let mut out = b"before".to_vec();
        pdu.encode(status, sequence, &mut out);
        assert_eq!(hex(&out), hex(b"before") + vector.text("hex"), "{name}");

        let mut slice = vec![0xEE; octets.len() + 1];
        assert_eq!(pdu.encode_into(status, sequence, &mut slice), Ok(octets.len()), "{name}");
        assert_eq!(slice.split_last(), Some((&0xEE, &octets[..])), "{name}: nothing is written past the end");
        for available in 0..octets.len() {
            let too_small = pdu.encode_into(status, sequence, &mut slice[..available]).unwrap_err();
            assert_eq!((too_small.needed, too_small.available), (octets.len(), available), "{name}");
        }

        let values: Vec<(Tag, Vec<u8>)> =
            pdu.tlvs().iter().map(|tlv| (tlv.tag, tlv.value().to_vec())).collect();
        let list: Vec<Tlv<'_>> = values.iter().map(|(tag, value)| Tlv::new(*tag, value).unwrap()).collect();
        let rebuilt = with_tlvs(pdu, Tlvs::list(&list));
        assert_eq!(rebuilt, pdu, "{name}: the same parameters, given as a list");
        out.clear();
        rebuilt.encode(status, sequence, &mut out);
        assert_eq!(hex(&out), vector.text("hex"), "{name}: TLVs written from a list");
    }
}

/// Returns the typed value of the only parameter: a number, a text, or octets.
fn typed_value(name: &str, tlvs: Tlvs<'_>) -> Value {
    macro_rules! by_name {
        ($($name:ident: |$value:ident| $json:expr;)+) => {
            match name {
                $(stringify!($name) => tlvs.$name().map(|$value| json!($json)),)+
                _ => panic!("{name} has no accessor in this test"),
            }
        };
    }
    let text = |octets| str::from_utf8(octets).ok();
    let pair = |first: u8, second: u16| hex(&[&[first][..], &second.to_be_bytes()].concat());
    let value = by_name! {
        additional_status_info_text: |value| text(value);
        alert_on_message_delivery: |value| if value.0 == 0 { String::new() } else { hex(&[value.0]) };
        billing_identification: |value| hex(&value.to_vec());
        broadcast_area_identifier: |value| hex(&value.to_vec());
        broadcast_area_success: |value| value.0;
        broadcast_channel_indicator: |value| value.0;
        broadcast_content_type: |value| pair(value.network.0, value.content.0);
        broadcast_content_type_info: |value| hex(value);
        broadcast_end_time: |value| text(value);
        broadcast_error_status: |value| value.0;
        broadcast_frequency_interval: |value| pair(value.unit.0, value.count);
        broadcast_message_class: |value| value.0;
        broadcast_rep_num: |value| value;
        broadcast_service_group: |value| hex(value);
        callback_num: |value| hex(&value.to_vec());
        callback_num_atag: |value| hex(&value.to_vec());
        callback_num_pres_ind: |value| value.bits();
        congestion_state: |value| value.0;
        delivery_failure_reason: |value| value.0;
        dest_addr_np_country: |value| hex(value);
        dest_addr_np_information: |value| hex(value);
        dest_addr_np_resolution: |value| value.0;
        dest_addr_subunit: |value| value.0;
        dest_bearer_type: |value| value.0;
        dest_network_id: |value| text(value);
        dest_network_type: |value| value.0;
        dest_node_id: |value| hex(value);
        dest_subaddress: |value| hex(&value.to_vec());
        dest_telematics_id: |value| value;
        destination_port: |value| value;
        display_time: |value| value.0;
        dpf_result: |value| value.0;
        its_reply_type: |value| value.0;
        its_session_info: |value| hex(&[value.session, value.sequence << 1 | u8::from(value.ends)]);
        language_indicator: |value| value.0;
        message_payload: |value| hex(value);
        message_state: |value| value.0;
        more_messages_to_send: |value| value.0;
        ms_availability_status: |value| value.0;
        ms_msg_wait_facilities: |value| value.bits();
        ms_validity: |value| match value.period {
            Some(period) => hex(&[value.behaviour.0, period.unit.0]) + &hex(&period.count.to_be_bytes()),
            None => hex(&[value.behaviour.0]),
        };
        network_error_code: |value| pair(value.network.0, value.code);
        number_of_messages: |value| value;
        payload_type: |value| value.0;
        privacy_indicator: |value| value.0;
        qos_time_to_live: |value| value;
        receipted_message_id: |value| text(value);
        sar_msg_ref_num: |value| value;
        sar_segment_seqnum: |value| value;
        sar_total_segments: |value| value;
        sc_interface_version: |value| value.0;
        set_dpf: |value| value.0;
        sms_signal: |value| value;
        source_addr_subunit: |value| value.0;
        source_bearer_type: |value| value.0;
        source_network_id: |value| text(value);
        source_network_type: |value| value.0;
        source_node_id: |value| hex(value);
        source_port: |value| value;
        source_subaddress: |value| hex(&value.to_vec());
        source_telematics_id: |value| value;
        user_message_reference: |value| value;
        user_response_code: |value| value;
        ussd_service_op: |value| value.0;
    };
    value.unwrap_or(Value::Null)
}

#[test]
fn accessors_return_the_typed_values() {
    let mut seen = BTreeSet::new();
    for vector in Vector::all("valid") {
        for listed in vector.0["tlvs"].as_array().unwrap() {
            let name = listed["name"].as_str().unwrap();
            if name == "(vendor)" {
                continue;
            }
            let tag = Tag(number(listed["tag"].as_str().unwrap()).try_into().unwrap());
            assert_eq!(tag.name(), Some(name));
            let octets = octets(listed["hex"].as_str().unwrap());
            let list = [Tlv::new(tag, &octets).unwrap()];
            // For octets and values of several parts the vector has only the hexadecimal form.
            let expected = listed.get("value").unwrap_or(&listed["hex"]);
            assert_eq!(typed_value(name, Tlvs::list(&list)), *expected, "{}: {name}", vector.name());
            seen.insert(tag);
        }
    }
    assert!(seen.into_iter().eq(Tag::ALL), "some parameter is in no vector");
}

#[test]
fn an_incomplete_vector_needs_more_octets() {
    for vector in Vector::all("malformed").iter().filter(|vector| vector.text("severity") == "incomplete") {
        assert_eq!(frame::split(&vector.octets(), LIMIT), Ok(None), "{}", vector.name());
    }
}

#[test]
fn only_an_invalid_length_is_a_framing_error() {
    for vector in Vector::all("malformed") {
        let (name, octets) = (vector.name(), vector.octets());
        let mut rest = &octets[..];
        let mut read = 0;
        let error = loop {
            match frame::split(rest, LIMIT) {
                Ok(Some((_, after))) => (rest, read) = (after, read + 1),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        assert_eq!(error.is_some(), vector.text("severity") == "fatal", "{name}");
        if let Some(error) = error {
            assert_eq!(error.length.to_be_bytes(), rest[..4], "{name}");
            let too_short = vector.text("error") == "command_length_too_short";
            assert_eq!((error.length < 16, error.length as usize > LIMIT), (too_short, !too_short), "{name}");
            assert_eq!(
                read,
                usize::from(name == "bad_two_pdus_second_broken"),
                "{name}: PDUs before the error"
            );
        }
    }
}

#[test]
fn every_malformed_vector_is_its_error_or_decodes_with_its_quirk() {
    for vector in Vector::all("malformed") {
        let (name, octets) = (vector.name(), vector.octets());
        if ["fatal", "incomplete"].contains(&vector.text("severity")) {
            continue;
        }
        let frame = only_frame(name, &octets);
        let (lenient, strict) = (frame.pdu(Tolerance::LENIENT), frame.pdu(Tolerance::STRICT));
        let Some(kind) = kind(&vector) else {
            let (_, quirks) = strict.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(quirks, Quirks::empty(), "{name}");
            assert_eq!(lenient, strict, "{name}");
            continue;
        };
        let error = strict.expect_err(name);
        assert_eq!(error.kind, kind, "{name}: {error}");
        assert!(error.offset <= octets.len(), "{name}: {error}");
        assert_eq!(error.command, frame.header().command, "{name}");
        let answer =
            vector.text("suggested_response").split([' ', ',']).find(|word| word.starts_with("ESME_"));
        // For a deviation that is ignored by default the vector suggests no error status.
        if let Some(status) = answer.filter(|status| *status != "ESME_ROK") {
            assert_eq!(error.status().name(), Some(status), "{name}: {error}");
        }
        if vector.text("severity") == "lenient" {
            assert!(lenient.is_ok(), "{name}: {lenient:?}");
        }
        let quirk = deviation(name);
        match lenient {
            Ok((_, quirks)) => assert_eq!((quirks, quirk.is_empty()), (quirk, false), "{name}"),
            Err(lenient) => assert_eq!((lenient, quirk), (error, Quirks::empty()), "{name}"),
        }
    }
}

/// The codec decodes these vectors; the module `sms` reports the error.
#[test]
fn an_error_in_text_or_user_data_header_is_reported_by_the_sms_module() {
    let mut seen = BTreeMap::new();
    for vector in Vector::all("malformed") {
        let (name, class, octets) = (vector.name(), vector.text("error"), vector.octets());
        if !class.starts_with("udh_") && class != "text_encoding" {
            continue;
        }
        let (pdu, _) = only_frame(name, &octets).into_pdu(Tolerance::STRICT).expect(name);
        let Pdu::SubmitSm(message) = pdu else { panic!("{name}: {pdu:?}") };
        let header = udh::split(message.text());
        match class {
            "udh_length" => {
                header.expect_err(name);
            }
            "udh_element_overrun" => {
                let (header, _) = header.expect(name);
                assert!(header.elements().any(|element| element.is_err()), "{name}");
            }
            "udh_concat_value" => {
                let (header, _) = header.expect(name);
                assert!(header.elements().all(|element| element.is_ok()), "{name}");
                assert_eq!(header.concatenation(), None, "{name}: the element is ignored");
            }
            _ => {
                let alphabet = Codings::default().alphabet(message.data_coding).expect(name);
                let text = alphabet.decode(message.text()).expect(name);
                assert!(text.contains(char::REPLACEMENT_CHARACTER), "{name}: {text:?}");
            }
        }
        *seen.entry(class.to_owned()).or_insert(0) += 1;
        let lenient = ["udh_concat_value", "text_encoding"].contains(&class);
        assert_eq!(vector.text("severity") == "lenient", lenient, "{name}");
    }
    let count: u32 = seen.values().sum();
    assert_eq!((seen.len(), count), (4, 8), "{seen:?}");
}

#[test]
fn a_deviation_decodes_if_only_its_quirk_is_tolerated() {
    let names = Vector::all("malformed").into_iter().chain(Vector::all("valid"));
    let mut seen = Quirks::empty();
    for vector in names {
        let (name, octets) = (vector.name(), vector.octets());
        let quirk = deviation(name);
        if quirk.is_empty() {
            continue;
        }
        let frame = only_frame(name, &octets);
        assert_eq!(frame.pdu(Tolerance(quirk)).expect(name).1, quirk, "{name}");
        assert!(frame.pdu(Tolerance(Quirks::all().difference(quirk))).is_err(), "{name}");
        seen |= quirk;
    }
    // No vector has these.
    let not_in_vectors = Quirks::TRAILING_NUL | Quirks::NON_ASCII | Quirks::TLVS_ONLY;
    assert_eq!(seen, Quirks::all().difference(not_in_vectors));
}

/// Returns `submit_sm_gsm7` with more octets at the end.
fn message_with_tail(octets: &[u8]) -> Vec<u8> {
    let mut pdu = [&Vector::named("submit_sm_gsm7").octets()[..], octets].concat();
    pdu[3] += u8::try_from(octets.len()).unwrap();
    pdu
}

#[test]
fn one_nul_after_the_text_is_a_quirk() {
    let octets = message_with_tail(&[0]);
    let frame = only_frame("one NUL after the text", &octets);
    let (pdu, quirks) = frame.pdu(Tolerance::LENIENT).unwrap();
    assert_eq!(quirks, Quirks::TRAILING_NUL);
    assert!(matches!(pdu, Pdu::SubmitSm(message) if message.text() == b"Hello world"), "{pdu:?}");
    let error = frame.pdu(Tolerance::STRICT).unwrap_err();
    assert_eq!((error.kind, error.offset), (DecodeErrorKind::TlvHeader, octets.len() - 1));
    assert_eq!(error.status(), CommandStatus::RINVOPTPARSTREAM);
}

#[test]
fn a_tlv_that_reaches_past_the_end_of_the_pdu_is_an_error() {
    let all = Tolerance(Quirks::all());
    for (octets, overrun) in [(&[2, 4, 0][..], false), (&[2, 4, 0, 0], false), (&[2, 4, 0, 1], true)] {
        let pdu = message_with_tail(octets);
        let error = only_frame("a TLV cut short", &pdu).pdu(all).err().map(|error| error.kind);
        assert_eq!(error, overrun.then_some(DecodeErrorKind::TlvOverrun), "{octets:?}");
    }
}

#[test]
fn a_string_without_nul_is_decoded_only_if_no_data_can_be_lost() {
    let cases = [
        ("bind_receiver_range", "^1234\0", Ok(Quirks::ABSENT_ADDRESS_RANGE)),
        ("bind_receiver_range", "\0", Err(DecodeErrorKind::Unterminated)),
        ("submit_sm_resp_ok", "\0", Ok(Quirks::UNTERMINATED_STRING)),
        ("bind_transmitter_resp_plain", "\0", Ok(Quirks::UNTERMINATED_STRING | Quirks::MISSING_TLV)),
    ];
    for (name, end, expected) in cases {
        let mut octets = Vector::named(name).octets();
        octets.truncate(octets.len() - end.len());
        octets[3] -= u8::try_from(end.len()).unwrap();
        let read = only_frame(name, &octets).into_pdu(Tolerance(Quirks::all()));
        assert_eq!(
            read.map(|(_, quirks)| quirks).map_err(|error| error.kind),
            expected,
            "{name} without {end:?}"
        );
    }
}

/// Returns the quirk with which a vector decodes by default. Empty if it decodes without quirk, or is an error.
fn deviation(name: &str) -> Quirks {
    match name {
        "bad_system_id_too_long"
        | "bad_password_too_long"
        | "bad_system_type_too_long"
        | "bad_address_range_too_long"
        | "bad_submit_service_type_too_long"
        | "bad_submit_source_addr_too_long"
        | "bad_submit_destination_addr_too_long"
        | "bad_submit_validity_too_long"
        | "bad_multi_dl_name_too_long"
        | "bad_submit_resp_id_too_long" => Quirks::LONG_STRING,
        "bad_submit_validity_15_chars"
        | "bad_submit_schedule_bad_char"
        | "bad_submit_schedule_month_13"
        | "bad_submit_schedule_offset_49" => Quirks::TIME_FORMAT,
        "bad_bind_missing_address_range" => Quirks::ABSENT_ADDRESS_RANGE,
        "bad_submit_resp_unterminated" => Quirks::UNTERMINATED_STRING,
        "bad_submit_sm_length_255_v34" | "submit_sm_255_v50" => Quirks::LONG_SHORT_MESSAGE,
        "bad_submit_message_and_payload" => Quirks::BOTH_MESSAGE_FIELDS,
        "bad_enquire_link_with_body" => Quirks::TRAILING_OCTETS,
        "bad_sequence_zero" | "bad_sequence_high_bit" => Quirks::SEQUENCE_RANGE,
        "bad_request_with_status" => Quirks::STATUS_IN_REQUEST,
        "bad_tlv_header_truncated" => Quirks::TRUNCATED_TLV,
        "bad_tlv_wrong_length_u16"
        | "bad_tlv_wrong_length_u8"
        | "bad_tlv_callback_num_short"
        | "bad_tlv_receipted_id_long" => Quirks::TLV_LENGTH,
        "bad_multi_zero_dests" => Quirks::DESTINATION_COUNT,
        // Many peers answer a deliver_sm without a body.
        "deliver_sm_resp_nobody" => Quirks::ABSENT_BODY,
        "bind_transmitter_resp_error_body" | "submit_sm_resp_queue_full_body" => Quirks::BODY_ON_ERROR,
        "bind_transmitter_resp_plain" => Quirks::MISSING_TLV,
        "deliver_sm_receipt_id_without_nul" => Quirks::UNTERMINATED_TLV,
        _ => Quirks::empty(),
    }
}

/// Returns the error of the codec for a malformed vector. `None` if the layer above reports the error.
fn kind(vector: &Vector) -> Option<DecodeErrorKind> {
    use DecodeErrorKind as Kind;
    if vector.name() == "bad_enquire_link_with_body" {
        // The vector treats the octets as malformed TLVs, but this PDU cannot have TLVs.
        return Some(Kind::TrailingOctets);
    }
    Some(match vector.text("error") {
        "unknown_command_id" => Kind::UnknownCommand,
        "missing_body" => Kind::MissingBody,
        "truncated_body" => Kind::Truncated,
        "unterminated_string" => Kind::Unterminated,
        "string_too_long" | "sm_length_not_allowed" => Kind::TooLong,
        "sm_length_overrun" => Kind::LengthOverrun,
        "bad_dest_flag" => Kind::DestFlag,
        "number_of_dests" => Kind::DestinationCount,
        "both_message_fields" => Kind::BothMessageFields,
        "time_format" => Kind::Time,
        "tlv_length" => Kind::TlvLength,
        "tlv_header_truncated" => Kind::TlvHeader,
        "tlv_overrun" => Kind::TlvOverrun,
        "sequence_number_range" => Kind::SequenceRange,
        "status_in_request" => Kind::StatusInRequest,
        "text_encoding" => return None,
        class if class.starts_with("udh_") => return None,
        class => panic!("{}: unknown class {class}", vector.name()),
    })
}

/// Returns the mandatory fields by their names in the specification. An absent body has none.
fn fields_of(frame: &Frame<&[u8]>) -> Value {
    let mut fields = json!({});
    let mut after = frame::HEADER_LENGTH;
    let decoded = frame.fields(Tolerance::LENIENT, &mut |field| {
        assert_eq!(field.offset, after, "{}: an octet is missing or visited twice", field.name);
        assert_eq!(field.octets, &frame.octets()[field.offset..field.offset + field.octets.len()]);
        after += field.octets.len();
        if let [high, low, _, _, ..] = *field.octets
            && Tag(u16::from_be_bytes([high, low])).name().unwrap_or("tlv") == field.name
        {
            // Another test compares the TLVs.
            return;
        }
        let list = match field.name {
            "dest_flag" | "dl_name" => "dest_address",
            "dest_addr_ton" | "dest_addr_npi" | "destination_addr" if fields["number_of_dests"].is_u64() => {
                "dest_address"
            }
            "dest_addr_ton" | "dest_addr_npi" | "destination_addr" if fields["no_unsuccess"].is_u64() => {
                "unsuccess_sme"
            }
            "error_status_code" => "unsuccess_sme",
            _ => "",
        };
        let value = match (field.name, field.octets) {
            ("short_message", octets) => json!({ "hex": hex(octets) }),
            ("error_status_code", octets) => json!(u32::from_be_bytes(octets.try_into().unwrap())),
            (_, [octets @ .., 0]) if !is_number(field.name) => json!(str::from_utf8(octets).unwrap()),
            (_, [octet]) => json!(octet),
            (name, octets) => panic!("{name}: {octets:?}"),
        };
        match field.name {
            "number_of_dests" => fields["dest_address"] = json!([]),
            "no_unsuccess" => fields["unsuccess_sme"] = json!([]),
            _ => {}
        }
        if list.is_empty() {
            fields[field.name] = value;
            return;
        }
        let items = fields[list].as_array_mut().unwrap();
        if ["dest_flag", "dest_addr_ton"].contains(&field.name)
            && items.last().is_none_or(|item| item.get(field.name).is_some() || field.name == "dest_flag")
        {
            items.push(json!({}));
        }
        items.last_mut().unwrap()[field.name] = value;
    });
    decoded.unwrap();
    assert_eq!(after, frame.octets().len(), "some octet is not visited");
    fields
}

/// Returns whether a field is one octet and not a string.
fn is_number(name: &str) -> bool {
    let ends =
        ["_ton", "_npi", "_id", "_flag", "_length", "_version", "_dests", "_unsuccess", "_coding", "_class"];
    let strings = ["system_id", "message_id"];
    let names = ["registered_delivery", "message_state", "error_code"];
    names.contains(&name) || (ends.iter().any(|end| name.ends_with(end)) && !strings.contains(&name))
}

fn with_tlvs<'a>(mut pdu: Pdu<'a>, tlvs: Tlvs<'a>) -> Pdu<'a> {
    match &mut pdu {
        Pdu::Bind(body) => body.tlvs = tlvs,
        Pdu::Outbind(body) => body.tlvs = tlvs,
        Pdu::SubmitSm(body) => body.tlvs = tlvs,
        Pdu::SubmitMulti(body) => body.tlvs = tlvs,
        Pdu::DeliverSm(body) => body.tlvs = tlvs,
        Pdu::DataSm(body) => body.tlvs = tlvs,
        Pdu::QuerySm(body) => body.tlvs = tlvs,
        Pdu::CancelSm(body) => body.tlvs = tlvs,
        Pdu::ReplaceSm(body) => body.tlvs = tlvs,
        Pdu::AlertNotification(body) => body.tlvs = tlvs,
        Pdu::BroadcastSm(body) => body.tlvs = tlvs,
        Pdu::QueryBroadcastSm(body) => body.tlvs = tlvs,
        Pdu::CancelBroadcastSm(body) => body.tlvs = tlvs,
        Pdu::BindResp(_, Some(body)) => body.tlvs = tlvs,
        Pdu::SubmitSmResp(Some(body)) => body.tlvs = tlvs,
        Pdu::SubmitMultiResp(Some(body)) => body.tlvs = tlvs,
        Pdu::DeliverSmResp(Some(body)) => body.tlvs = tlvs,
        Pdu::DataSmResp(Some(body)) => body.tlvs = tlvs,
        Pdu::QuerySmResp(Some(body)) => body.tlvs = tlvs,
        Pdu::BroadcastSmResp(Some(body)) => body.tlvs = tlvs,
        Pdu::QueryBroadcastSmResp(Some(body)) => body.tlvs = tlvs,
        _ => {}
    }
    pdu
}
