//! Compares the tags, named values and statuses of the crate with every row of the tables in `data`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test helpers")]

use std::collections::{BTreeMap, BTreeSet};

use bitflags::Flags;
use smpp_proto::sms::udh::Element;
use smpp_proto::tlv::{
    AddrSubunit, AlertOnMessageDelivery, BearerType, BroadcastAreaFormat, BroadcastAreaSuccess,
    BroadcastChannelIndicator, BroadcastContent, BroadcastFrequencyUnit, BroadcastMessageClass,
    BroadcastNetworkType, CallbackNumPresInd, CongestionState, DeliveryFailureReason, DestAddrNpResolution,
    DisplayTime, DpfResult, ItsReplyType, ItsSessionInfo, LanguageIndicator, MoreMessagesToSend,
    MsAvailabilityStatus, MsMsgWaitFacilities, MsValidityBehaviour, MsValidityUnit, NetworkErrorType,
    NetworkType, PayloadType, PrivacyIndicator, SetDpf, SubaddressTag, UssdServiceOp,
};
use smpp_proto::{
    CommandId, CommandStatus, DataCoding, EsmClass, Frame, InterfaceVersion, MessageState, Npi, PriorityFlag,
    RegisteredDelivery, ReplaceIfPresent, Tag, Tlv, Tolerance, Ton, service_type,
};

/// A row of a table, by the names of its columns.
type Row = BTreeMap<String, String>;

/// Reads CSV with a heading. A field in quotes may contain commas and doubled quotes.
fn rows(table: &str) -> Vec<Row> {
    let mut lines = table.lines().map(fields);
    let heading = lines.next().unwrap();
    lines
        .map(|fields| {
            assert_eq!(fields.len(), heading.len(), "{fields:?}");
            heading.iter().cloned().zip(fields).collect()
        })
        .collect()
}

fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut rest = line.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '"' if quoted && rest.peek() == Some(&'"') => field.extend(rest.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            _ => field.push(character),
        }
    }
    fields.push(field);
    fields
}

fn number(text: &str) -> u32 {
    let hex = text.strip_prefix("0x").map(|digits| u32::from_str_radix(digits, 16));
    hex.unwrap_or_else(|| text.parse()).unwrap_or_else(|_| panic!("{text} is not a number"))
}

/// `3` or `3..9`.
fn range(text: &str) -> (u32, u32) {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    (number(first), number(last))
}

/// Returns the numbers in the columns of both versions that are not empty.
fn both(row: &Row, columns: [&str; 2]) -> impl Iterator<Item = usize> {
    columns.map(|column| row[column].parse().ok()).into_iter().flatten()
}

#[test]
fn every_tag_has_its_number_name_and_lengths() {
    let rows = rows(include_str!("../data/tlvs.csv"));
    let rows: Vec<&Row> = rows.iter().filter(|row| row["kind"] == "tag").collect();
    assert_eq!((rows.len(), Tag::ALL.len()), (64, 64));
    for (row, tag) in rows.into_iter().zip(Tag::ALL) {
        let name = if row["name_v34"].is_empty() { &row["name_v50"] } else { &row["name_v34"] };
        assert_eq!((u32::from(tag.0), tag.name()), (number(&row["tag"]), Some(&name[..])));
        let shortest = both(row, ["min_len_v34", "min_len_v50"]).min().unwrap();
        let longest = both(row, ["max_len_v34", "max_len_v50"]).max().unwrap();
        assert_eq!(tag.lengths(), Some(shortest..=longest), "{name}");
        assert_eq!(tag.is_text(), row["type"].starts_with("cstr"), "{name}");
        assert_eq!(row["since"] == "3.4", !row["name_v34"].is_empty(), "{name}");
    }
}

/// The vendor range of the table is `0x1400..=0x3FFF`, and no defined tag is in it.
#[test]
fn no_vendor_tag_has_a_name() {
    let rows = rows(include_str!("../data/tlvs.csv"));
    let vendor = rows.iter().find(|row| row["name_v34"] == "SMSC vendor specific").unwrap();
    let vendor = number(&vendor["tag"])..=number(&vendor["tag_end"]);
    assert_eq!(vendor, 0x1400..=0x3FFF);
    assert!(Tag::ALL.iter().all(|tag| !vendor.contains(&tag.0.into())));
}

#[test]
fn every_status_has_its_number_and_name() {
    let rows = rows(include_str!("../data/status.csv"));
    let codes: Vec<&Row> = rows.iter().filter(|row| row["kind"] == "code").collect();
    assert_eq!(codes.len(), 67);
    for row in &codes {
        let name = if row["name_v34"].is_empty() { &row["name_v50"] } else { &row["name_v34"] };
        assert_eq!(CommandStatus(number(&row["value"])).name(), Some(&name[..]));
    }
    let known: BTreeSet<u32> = codes.iter().map(|row| number(&row["value"])).collect();
    for status in (0..=0xFFFF).filter(|status| !known.contains(status)) {
        assert_eq!(CommandStatus(status).name(), None, "{status:#x}");
    }
    for row in rows.iter().filter(|row| row["kind"] == "range") {
        let meaning = CommandStatus(number(&row["value"])).meaning();
        assert_eq!(meaning.contains("vendor"), row["meaning"].contains("vendor"), "{row:?}");
    }
}

/// Lists enumerations: the name in the table, and a function from a number to the name in the crate.
macro_rules! enums {
    ($($name:literal: $type:ident;)+) => {
        [$(($name, (|number| $type(number.try_into().ok()?).name()) as fn(u32) -> Option<&'static str>),)+]
    };
}

#[test]
fn every_value_has_the_name_of_its_row() {
    let enums = enums! {
        "ton": Ton;
        "npi": Npi;
        "interface_version": InterfaceVersion;
        "priority_flag": PriorityFlag;
        "replace_if_present_flag": ReplaceIfPresent;
        "data_coding": DataCoding;
        "message_state": MessageState;
        "addr_subunit": AddrSubunit;
        "network_type": NetworkType;
        "bearer_type": BearerType;
        "payload_type": PayloadType;
        "privacy_indicator": PrivacyIndicator;
        "subaddress_tag": SubaddressTag;
        "language_indicator": LanguageIndicator;
        "display_time": DisplayTime;
        "ms_validity": MsValidityBehaviour;
        "ms_validity_unit": MsValidityUnit;
        "dpf_result": DpfResult;
        "set_dpf": SetDpf;
        "ms_availability_status": MsAvailabilityStatus;
        "network_error_type": NetworkErrorType;
        "delivery_failure_reason": DeliveryFailureReason;
        "more_messages_to_send": MoreMessagesToSend;
        "alert_on_message_delivery": AlertOnMessageDelivery;
        "its_reply_type": ItsReplyType;
        "ussd_service_op": UssdServiceOp;
        "congestion_state": CongestionState;
        "dest_addr_np_resolution": DestAddrNpResolution;
        "broadcast_channel_indicator": BroadcastChannelIndicator;
        "broadcast_message_class": BroadcastMessageClass;
        "broadcast_area_format": BroadcastAreaFormat;
        "broadcast_frequency_unit": BroadcastFrequencyUnit;
        "broadcast_area_success": BroadcastAreaSuccess;
        "broadcast_network_type": BroadcastNetworkType;
        "broadcast_content_type": BroadcastContent;
    };
    let rows = rows(include_str!("../data/enums.csv"));
    for (name, name_of) in enums {
        let mut named = BTreeSet::new();
        let values = rows.iter().filter(|row| row["enum"] == name && row["name"] != "reserved");
        for row in values {
            let (first, last) = range(&row["value"]);
            if first == last {
                let expected = match (name, &row["name"][..]) {
                    ("data_coding", "ia5_ascii") => "ia5",
                    ("data_coding", "octet_unspecified") => "octets",
                    ("data_coding", "octet_unspecified_tdma_cdma") => "octets_tdma_cdma",
                    (_, value) => value,
                };
                let value = name_of(first).map(str::to_lowercase);
                assert_eq!(value.as_deref(), Some(&expected.to_lowercase()[..]), "{name} {first:#x}");
                named.insert(first);
            }
        }
        assert!(!named.is_empty(), "{name} is not in the table");
        // The table has 3.3 only as the upper end of a range.
        named.extend((name == "interface_version").then_some(0x33));
        for number in (0..=0xFFFF).filter(|number| !named.contains(number)) {
            assert_eq!(name_of(number), None, "{name} {number:#x}");
        }
    }
}

#[test]
fn every_range_has_a_method() {
    for row in rows(include_str!("../data/enums.csv")) {
        if !row["value"].contains("..") {
            continue;
        }
        let (first, last) = range(&row["value"]);
        for number in first..=last {
            let octet = u8::try_from(number).unwrap();
            match (&row["enum"][..], &row["name"][..]) {
                ("interface_version", _) => assert!(!InterfaceVersion(octet).reads_tlvs()),
                ("data_coding", "gsm_message_class") => {
                    assert_eq!(DataCoding(octet).message_class().map(|class| class as u8), Some(octet & 3));
                }
                // Reserved by SMPP, and message waiting in GSM.
                ("data_coding", _) => assert!(DataCoding(octet).is_message_waiting()),
                ("congestion_state", name) => {
                    let load = format!("{:?}", CongestionState(octet).load().unwrap()).to_lowercase();
                    assert_eq!(load, name.replace('_', ""), "{number}");
                }
                ("broadcast_area_success", _) => {
                    assert_eq!(BroadcastAreaSuccess(octet).percent(), Some(octet));
                }
                ("ussd_service_op", _) => assert_eq!(UssdServiceOp(octet).name(), None),
                ("udh_iei", _) => {}
                other => panic!("{other:?} has a range"),
            }
        }
    }
}

#[test]
fn every_bit_has_the_name_of_its_row() {
    fn bits<T: Flags<Bits = u8>>(name: &str) -> u8 {
        T::from_name(name).unwrap_or_else(|| panic!("{name}")).bits()
    }
    let mut compared = 0;
    for row in rows(include_str!("../data/enums.csv")) {
        let name = row["enum"].clone();
        // Zero means that no bit of the field is set.
        if row["mask"].is_empty() || ["any", "0x00"].contains(&&row["value"][..]) || row["name"] == "reserved"
        {
            continue;
        }
        let value = row["name"].trim_start_matches("mode_").trim_start_matches("type_").replace("sme_", "");
        let value = match value.trim_start_matches("gsm_") {
            "store_forward" => "STORE_AND_FORWARD".to_owned(),
            "delivery_ack" | "ack_delivery" => "DELIVERY_ACKNOWLEDGEMENT".to_owned(),
            "user_ack" | "ack_user" => "USER_ACKNOWLEDGEMENT".to_owned(),
            "receipt_success_or_failure" => "RECEIPT".to_owned(),
            "receipt_failure" => "RECEIPT_ON_FAILURE".to_owned(),
            "receipt_success" => "RECEIPT_ON_SUCCESS".to_owned(),
            other => other.to_uppercase(),
        };
        let found = match (&name[..], &value[..]) {
            ("esm_class_esme_to_smsc" | "esm_class_smsc_to_esme", "UDHI_REPLY_PATH") => {
                (EsmClass::UDHI | EsmClass::REPLY_PATH).bits()
            }
            ("esm_class_esme_to_smsc" | "esm_class_smsc_to_esme", value) => bits::<EsmClass>(value),
            ("registered_delivery", "ACK_BOTH") => {
                bits::<RegisteredDelivery>("DELIVERY_ACKNOWLEDGEMENT")
                    | bits::<RegisteredDelivery>("USER_ACKNOWLEDGEMENT")
            }
            ("registered_delivery", value) => bits::<RegisteredDelivery>(value),
            ("ms_msg_wait_facilities", value) => bits::<MsMsgWaitFacilities>(value),
            ("callback_num_pres_ind", value) => bits::<CallbackNumPresInd>(value),
            ("its_session_info", "SESSION_ENDS") => {
                let ends = ItsSessionInfo { session: 0, sequence: 0, ends: true };
                Tlv::its_session_info(ends).value()[1]
            }
            other => panic!("{other:?} is not compared"),
        };
        assert_eq!(u32::from(found), number(&row["value"]), "{name} {value}");
        if row["mask"].starts_with("0x") && !row["mask"].contains(' ') {
            assert_eq!(u32::from(found) & !number(&row["mask"]), 0, "{name} {value}");
        }
        compared += 1;
    }
    assert_eq!(compared, 33);
}

#[test]
fn every_service_type_has_the_text_of_its_row() {
    let names = [
        ("default", service_type::DEFAULT),
        ("cellular_messaging", service_type::CELLULAR_MESSAGING),
        ("cellular_paging", service_type::CELLULAR_PAGING),
        ("voice_mail_notification", service_type::VOICE_MAIL_NOTIFICATION),
        ("voice_mail_alerting", service_type::VOICE_MAIL_ALERTING),
        ("wap", service_type::WAP),
        ("ussd", service_type::USSD),
        ("cell_broadcast", service_type::CELL_BROADCAST),
        ("guts", service_type::GUTS),
    ];
    let rows = rows(include_str!("../data/enums.csv"));
    let rows = rows.iter().filter(|row| row["enum"] == "service_type");
    let listed: Vec<_> =
        rows.map(|row| (&row["name"][..], row["value"].trim_matches('"').as_bytes())).collect();
    assert_eq!(names.map(|(name, text)| (name, text.as_bytes())).as_slice(), listed);
}

#[test]
fn every_user_data_header_element_has_the_id_of_its_row() {
    let names = [
        ("concat_8bit", Element::CONCATENATION_8..=Element::CONCATENATION_8),
        ("special_message_indication", Element::SPECIAL_MESSAGE..=Element::SPECIAL_MESSAGE),
        ("ports_8bit", Element::PORTS_8..=Element::PORTS_8),
        ("ports_16bit", Element::PORTS_16..=Element::PORTS_16),
        ("smsc_control", Element::SMSC_CONTROL..=Element::SMSC_CONTROL),
        ("udh_source", Element::UDH_SOURCE..=Element::UDH_SOURCE),
        ("concat_16bit", Element::CONCATENATION_16..=Element::CONCATENATION_16),
        ("wcmp", Element::WCMP..=Element::WCMP),
        ("text_formatting", Element::TEXT_FORMATTING..=Element::TEXT_FORMATTING),
        ("rfc822_header", Element::RFC822_HEADER..=Element::RFC822_HEADER),
        ("reply_address", Element::REPLY_ADDRESS..=Element::REPLY_ADDRESS),
        ("national_single_shift", Element::SINGLE_SHIFT..=Element::SINGLE_SHIFT),
        ("national_locking_shift", Element::LOCKING_SHIFT..=Element::LOCKING_SHIFT),
        ("sim_toolkit", Element::SIM_TOOLKIT),
    ];
    let rows = rows(include_str!("../data/enums.csv"));
    let rows = rows.iter().filter(|row| row["enum"] == "udh_iei");
    let listed: Vec<_> = rows
        .map(|row| {
            let (first, last) = if row["value"].contains("..") {
                range(&row["value"])
            } else {
                (number(&row["value"]), number(&row["value"]))
            };
            (&row["name"][..], first..=last)
        })
        .collect();
    assert_eq!(
        names.map(|(name, ids)| (name, (*ids.start()).into()..=(*ids.end()).into())).as_slice(),
        listed
    );
}

/// Fails if the table gets an enumeration that these tests do not compare.
#[test]
fn every_enumeration_of_the_table_is_compared_or_listed_here() {
    let not_compared = ["receipt_stat", "dest_flag", "udh_iei", "national_language"];
    let rows = rows(include_str!("../data/enums.csv"));
    let all: BTreeSet<&str> = rows.iter().map(|row| &row["enum"][..]).collect();
    assert_eq!(all.len(), 46);
    assert!(not_compared.iter().all(|name| all.contains(name)));
    // 35 with named values, five with bits, one with texts, and its_session_info.
    assert_eq!(all.len() - not_compared.len(), 35 + 5 + 1 + 1);
}

/// Returns the names of the fields of a PDU, each once, in the order of their first occurrence, without TLVs.
fn field_names(frame: &Frame<Vec<u8>>) -> Vec<&'static str> {
    let mut names = Vec::new();
    let read = frame.fields(Tolerance::LENIENT, &mut |field| {
        let is_tlv = Tag::ALL
            .iter()
            .any(|tag| tag.name() == Some(field.name) && field.octets.starts_with(&tag.0.to_be_bytes()));
        if !is_tlv && field.name != "tlv" && !names.contains(&field.name) {
            names.push(field.name);
        }
    });
    read.unwrap();
    names
}

#[test]
fn every_pdu_has_the_fields_of_its_rows_in_order() {
    let mut longest: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for line in include_str!("../data/vectors.jsonl").lines() {
        let vector: serde_json::Value = line.parse().unwrap();
        if vector["kind"] != "valid" {
            continue;
        }
        let octets: Vec<u8> = vector["hex"]
            .as_str()
            .unwrap()
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        let names = field_names(&Frame::new(octets).unwrap());
        let pdu = longest.entry(vector["pdu"].as_str().unwrap().into()).or_default();
        if names.len() > pdu.len() {
            *pdu = names;
        }
    }
    let mut expected: BTreeMap<String, (u32, Vec<String>)> = BTreeMap::new();
    for row in rows(include_str!("../data/pdus.csv")) {
        if row["pdu"] == "(header)" || row["since"] == "3.3-only" {
            continue;
        }
        let (_, fields) =
            expected.entry(row["pdu"].clone()).or_insert_with(|| (number(&row["command_id"]), Vec::new()));
        // The table lists a list by the fields of its items. A required TLV is not a field.
        let field = row["field"].rsplit('.').next().unwrap();
        if !field.ends_with("[]") && !["none", "tlv"].contains(&&row["type"][..]) {
            fields.push(field.to_owned());
        }
    }
    assert_eq!(expected.len(), 33);
    for (pdu, (command, fields)) in expected {
        assert_eq!(CommandId(command).to_string(), pdu);
        assert_eq!(longest[&pdu], fields, "{pdu}");
    }
}
