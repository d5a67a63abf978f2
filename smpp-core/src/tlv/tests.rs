//! TLVs are encoded, decoded and shown.

use alloc::format;
use alloc::vec::Vec;

use super::list::Source;
use super::*;
use crate::values::{DataCoding, MessageState, Npi, Ton};
use crate::wire::{Emit, InvalidOctets};

fn wire(tlvs: &Tlvs<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    tlvs.emit(&mut out);
    out
}

/// Calls `check` with the parameter as constructed and as decoded.
fn round_trips(tlv: Tlv<'_>, octets: &[u8], check: impl Fn(Tlvs<'_>)) {
    let list = [tlv];
    let sent = Tlvs::list(&list);
    let out = wire(&sent);
    let read = Tlvs(Source::Wire(&out));
    assert_eq!(read.get(tlv.tag), Some(octets));
    assert_eq!(read, sent);
    check(sent);
    check(read);
}

#[test]
fn a_text_ends_with_nul_on_the_wire() {
    let tlv = Tlv::receipted_message_id(b"abc").unwrap();
    assert_eq!(tlv.value(), b"abc");
    round_trips(tlv, b"abc\0", |tlvs| assert_eq!(tlvs.receipted_message_id(), Some(&b"abc"[..])));
    let octets = |octets| Tlv::new(Tag::RECEIPTED_MESSAGE_ID, octets).unwrap();
    assert_eq!((tlv == octets(b"abc\0"), octets(b"abc\0") == tlv), (true, true));
    assert_eq!((tlv == octets(b"abc"), octets(b"abc") == tlv), (false, false));
    assert_eq!(Tlvs::list(&[octets(b"abc")]).receipted_message_id(), Some(&b"abc"[..]));
    round_trips(Tlv::receipted_message_id(b"").unwrap(), b"\0", |tlvs| {
        assert_eq!(tlvs.receipted_message_id(), Some(&b""[..]));
    });
}

#[test]
fn constructors_reject_values_of_wrong_length_or_with_nul() {
    let too_long = InvalidOctets::TooLong { length: 65, limit: 64 };
    assert_eq!(Tlv::receipted_message_id(&[b'1'; 65]), Err(too_long));
    assert_eq!(Tlv::receipted_message_id(b"a\0b"), Err(InvalidOctets::Nul { at: 1 }));
    let too_short = InvalidOctets::TooShort { length: 5, minimum: 6 };
    assert_eq!(Tlv::source_network_id(b"15255"), Err(too_short));
    assert_eq!(Tlv::source_node_id(b"12345"), Err(too_short));
    let payload = alloc::vec![0; 65_536];
    let too_long = InvalidOctets::TooLong { length: 65_536, limit: 65_535 };
    assert_eq!(Tlv::message_payload(&payload), Err(too_long));
    assert_eq!(Tlv::new(Tag::MESSAGE_PAYLOAD, &payload), None);
    assert!(Tlv::broadcast_end_time(b"26112301030000+").is_err());
    let time = Tlv::broadcast_end_time(b"261123010300000+").unwrap();
    round_trips(time, b"261123010300000+\0", |tlvs| {
        assert_eq!(tlvs.broadcast_end_time(), Some(&b"261123010300000+"[..]));
    });
}

#[test]
fn a_value_of_wrong_length_is_none_and_is_shown_as_such() {
    for length in [0, 1, 2, 3, 4, 16, 17, 65, 70, 256, 2_000] {
        let octets = [b'1'; 2_000];
        let list = Tag::ALL.map(|tag| Tlv::new(tag, &octets[..length]).unwrap());
        for tlv in list {
            let lengths = tlv.tag.lengths().unwrap();
            let read = match tlv.tag {
                Tag::SOURCE_TELEMATICS_ID => [1, 2].contains(&length),
                Tag::MS_VALIDITY => [1, 4].contains(&length),
                Tag::BROADCAST_END_TIME => length == 16,
                tag if tag.is_text() => (lengths.start() - 1..*lengths.end()).contains(&length),
                _ => lengths.contains(&length),
            };
            let shown = format!("{tlv:?}");
            assert_eq!(shown.ends_with(" (wrong length)"), !read, "{length}: {shown}");
        }
        let tlvs = Tlvs::list(&list);
        assert_eq!(tlvs.message_state().is_some(), length == 1);
        assert_eq!(tlvs.source_telematics_id().is_some(), [1, 2].contains(&length));
        assert_eq!(tlvs.receipted_message_id().is_some(), length < 65);
    }
}

#[test]
fn debug_shows_the_typed_value() {
    let shown = [
        (Tlv::message_state(MessageState::DELIVERED), "message_state: DELIVERED"),
        (Tlv::message_state(MessageState(0x77)), "message_state: MessageState(0x77)"),
        (Tlv::user_message_reference(7), "user_message_reference: 7"),
        (Tlv::receipted_message_id(b"abc").unwrap(), r#"receipted_message_id: "abc""#),
        (Tlv::new(Tag::RECEIPTED_MESSAGE_ID, b"abc\0").unwrap(), r#"receipted_message_id: "abc""#),
        (Tlv::new(Tag(0x1501), b"a\0").unwrap(), r#"0x1501: "a\x00""#),
        (Tlv::u16(Tag::MESSAGE_STATE, 2), r#"message_state: "\x00\x02" (wrong length)"#),
        (
            Tlv::alert_on_message_delivery(AlertOnMessageDelivery::DEFAULT),
            "alert_on_message_delivery: DEFAULT",
        ),
        (
            Tlv::new(Tag::SOURCE_SUBADDRESS, b"\xA0A\n").unwrap(),
            r#"source_subaddress: Subaddress { tag: USER_SPECIFIED, octets: "A\n" }"#,
        ),
    ];
    for (tlv, line) in shown {
        assert_eq!(format!("{tlv:?}"), line);
    }
}

#[test]
fn values_of_several_parts_round_trip() {
    let relative = MsValidityPeriod { unit: MsValidityUnit::DAYS, count: 5 };
    let relative = MsValidity { behaviour: MsValidityBehaviour::RELATIVE, period: Some(relative) };
    round_trips(Tlv::ms_validity(relative), &[4, 3, 0, 5], |tlvs| {
        assert_eq!(tlvs.ms_validity(), Some(relative));
    });
    let power_down = MsValidityBehaviour::POWER_DOWN.into();
    round_trips(Tlv::ms_validity(power_down), &[1], |tlvs| {
        assert_eq!(tlvs.ms_validity(), Some(power_down));
    });
    for (alert, octets) in [(AlertOnMessageDelivery::DEFAULT, &[][..]), (AlertOnMessageDelivery::HIGH, &[3])]
    {
        round_trips(Tlv::alert_on_message_delivery(alert), octets, |tlvs| {
            assert_eq!(tlvs.alert_on_message_delivery(), Some(alert));
        });
    }
    let zero = [Tlv::u8(Tag::ALERT_ON_MESSAGE_DELIVERY, 0)];
    assert_eq!(Tlvs::list(&zero).alert_on_message_delivery(), Some(AlertOnMessageDelivery::DEFAULT));
    let error = NetworkErrorCode { network: NetworkErrorType::GSM, code: 0x1B };
    round_trips(Tlv::network_error_code(error), &[3, 0, 0x1B], |tlvs| {
        assert_eq!(tlvs.network_error_code(), Some(error));
    });
    let its = ItsSessionInfo { session: 7, sequence: 1, ends: true };
    round_trips(Tlv::its_session_info(its), &[7, 3], |tlvs| assert_eq!(tlvs.its_session_info(), Some(its)));
    let content =
        BroadcastContentType { network: BroadcastNetworkType::GSM, content: BroadcastContent::EMERGENCY };
    round_trips(Tlv::broadcast_content_type(content), &[1, 0, 1], |tlvs| {
        assert_eq!(tlvs.broadcast_content_type(), Some(content));
    });
    let interval = BroadcastFrequencyInterval { unit: BroadcastFrequencyUnit::MINUTES, count: 10 };
    round_trips(Tlv::broadcast_frequency_interval(interval), &[9, 0, 10], |tlvs| {
        assert_eq!(tlvs.broadcast_frequency_interval(), Some(interval));
    });
}

#[test]
fn values_of_parts_and_octets_round_trip() {
    macro_rules! round_trip {
        ($tag:ident, $accessor:ident, $octets:literal, $value:expr) => {
            let (value, octets) = ($value, $value.to_vec());
            assert_eq!(octets, $octets);
            round_trips(Tlv::new(Tag::$tag, &octets).unwrap(), $octets, |tlvs| {
                assert_eq!(tlvs.$accessor(), Some(value));
            });
        };
    }
    round_trip!(
        SOURCE_SUBADDRESS,
        source_subaddress,
        b"\xA0ABC",
        Subaddress { tag: SubaddressTag::USER_SPECIFIED, octets: b"ABC" }
    );
    round_trip!(
        CALLBACK_NUM,
        callback_num,
        b"\x01\x01\x0112345",
        CallbackNum {
            digit_mode: DigitMode::ASCII,
            ton: Ton::INTERNATIONAL,
            npi: Npi::ISDN,
            digits: b"12345"
        }
    );
    round_trip!(
        CALLBACK_NUM_ATAG,
        callback_num_atag,
        b"\x01Bob",
        CallbackNumAtag { data_coding: DataCoding::IA5, text: b"Bob" }
    );
    round_trip!(
        BROADCAST_AREA_IDENTIFIER,
        broadcast_area_identifier,
        b"\0Area51",
        BroadcastAreaIdentifier { format: BroadcastAreaFormat::ALIAS_NAME, area: b"Area51" }
    );
    round_trip!(
        BILLING_IDENTIFICATION,
        billing_identification,
        b"\x80bill",
        BillingIdentification { format: 0x80, octets: b"bill" }
    );
}

#[test]
fn repeated_parameters_are_returned_in_order() {
    let list = [
        Tlv::new(Tag::CALLBACK_NUM, b"\x01\x01\x01111").unwrap(),
        Tlv::callback_num_pres_ind(CallbackNumPresInd::PRESENTATION_RESTRICTED),
        Tlv::new(Tag::CALLBACK_NUM, b"\x01").unwrap(),
        Tlv::new(Tag::CALLBACK_NUM, b"\x01\x01\x01222").unwrap(),
    ];
    let out = wire(&Tlvs::list(&list));
    for tlvs in [Tlvs::list(&list), Tlvs(Source::Wire(&out))] {
        let digits: Vec<_> = tlvs
            .all::<CallbackNum<'_>>(Tag::CALLBACK_NUM)
            .map(|each| each.map(|number| number.digits))
            .collect();
        assert_eq!(digits, [Some(&b"111"[..]), None, Some(b"222")]);
        assert_eq!(tlvs.callback_num().map(|number| number.digits), Some(&b"111"[..]));
    }
}

#[test]
fn accessors_return_the_bit_fields_of_an_octet() {
    let hidden = CallbackNumPresInd::from_bits_retain(0x09);
    assert_eq!(hidden.presentation(), CallbackNumPresInd::NUMBER_NOT_AVAILABLE);
    assert_eq!(hidden.screening(), CallbackNumPresInd::VERIFIED_PASSED);
    let fax = MsMsgWaitFacilities::from_bits_retain(0x81);
    assert!(fax.contains(MsMsgWaitFacilities::ACTIVE));
    assert_eq!(fax.indicator(), MsMsgWaitFacilities::FAX);
    assert_eq!([0, 29, 90, 91, 100, 101].map(|load| CongestionState(load).load()), {
        use Load::{Congested, Idle, Low, NearingCongestion, Optimum};
        [Some(Idle), Some(Low), Some(Optimum), Some(NearingCongestion), Some(Congested), None]
    });
    assert_eq!(
        [0, 100, 101, 255].map(|rate| BroadcastAreaSuccess(rate).percent()),
        [Some(0), Some(100), None, None]
    );
}
