//! Tests each deviation separately: by default it is decoded and reported as a quirk. If it is not tolerated, it is an
//! error with the right field, offset and status.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test helpers"
)]

use smpp_proto::{
    Address, Bind, BindResp, COctets, CommandId, CommandStatus, DataSmResp, DecodeErrorKind, Destination,
    Frame, List, Octets, Pdu, QuerySmResp, Quirks, SequenceNumber, ShortMessage, SubmitMulti, SubmitSm,
    SubmitSmResp, Tag, Tlv, Tlvs, Tolerance,
};

const NUMBER: SequenceNumber = SequenceNumber(5);

/// Returns a PDU with this body.
fn raw(command: CommandId, status: CommandStatus, body: &[u8]) -> Frame<Vec<u8>> {
    let length = u32::try_from(16 + body.len()).unwrap();
    let header = [length, command.0, status.0, NUMBER.0].map(u32::to_be_bytes);
    Frame::new([header.as_flattened(), body].concat()).unwrap()
}

fn request(command: CommandId, body: &[u8]) -> Frame<Vec<u8>> {
    raw(command, CommandStatus::ROK, body)
}

fn encoded(pdu: &Pdu<'_>) -> Frame<Vec<u8>> {
    Frame::encode(pdu, CommandStatus::ROK, NUMBER)
}

/// Returns the same PDU with more octets at the end.
fn with_tail(frame: &Frame<Vec<u8>>, tail: &[u8]) -> Frame<Vec<u8>> {
    raw(frame.header().command, frame.header().status, &[frame.body(), tail].concat())
}

fn submit(text: &[u8]) -> Frame<Vec<u8>> {
    let source = Address::alphanumeric("8x8").unwrap();
    let short_message = ShortMessage::new(text).unwrap();
    encoded(&Pdu::SubmitSm(SubmitSm { source, short_message, ..SubmitSm::default() }))
}

/// Checks that the PDU decodes with exactly this quirk, and is this error if the quirk is not tolerated.
fn expect_quirk<'f>(
    frame: &'f Frame<Vec<u8>>,
    quirk: Quirks,
    (kind, field, offset): (DecodeErrorKind, &str, usize),
    status: CommandStatus,
) -> Pdu<'f> {
    let (pdu, quirks) = frame.pdu(Tolerance::LENIENT).unwrap_or_else(|error| panic!("{quirk:?}: {error}"));
    assert_eq!(quirks, quirk, "{pdu:?}");
    assert_eq!(frame.pdu(Tolerance(quirk)), Ok((pdu, quirk)));
    for tolerance in [Tolerance::STRICT, Tolerance(Quirks::all() - quirk)] {
        let error = frame.pdu(tolerance).expect_err("the quirk is not tolerated");
        assert_eq!((error.kind, error.field, error.offset), (kind, field, offset), "{error}");
        assert_eq!(error.command, frame.header().command);
        assert_eq!(error.status(), status, "{error}");
    }
    pdu
}

/// Checks that the PDU is this error even if everything is tolerated.
fn expect_error(
    frame: &Frame<Vec<u8>>,
    (kind, field, offset): (DecodeErrorKind, &str, usize),
    status: CommandStatus,
) {
    for tolerance in [Tolerance::STRICT, Tolerance::LENIENT] {
        let error = frame.pdu(tolerance).expect_err("the error is never tolerated");
        assert_eq!((error.kind, error.field, error.offset), (kind, field, offset), "{error}");
        assert_eq!(error.status(), status, "{error}");
    }
}

/// The responses that have a body.
const RESPONSES: [CommandId; 10] = [
    CommandId::BIND_RECEIVER_RESP,
    CommandId::BIND_TRANSMITTER_RESP,
    CommandId::BIND_TRANSCEIVER_RESP,
    CommandId::SUBMIT_SM_RESP,
    CommandId::SUBMIT_MULTI_RESP,
    CommandId::DELIVER_SM_RESP,
    CommandId::DATA_SM_RESP,
    CommandId::QUERY_SM_RESP,
    CommandId::BROADCAST_SM_RESP,
    CommandId::QUERY_BROADCAST_SM_RESP,
];

/// The PDUs that have no body.
const WITHOUT_BODY: [CommandId; 8] = [
    CommandId::UNBIND,
    CommandId::UNBIND_RESP,
    CommandId::ENQUIRE_LINK,
    CommandId::ENQUIRE_LINK_RESP,
    CommandId::CANCEL_SM_RESP,
    CommandId::REPLACE_SM_RESP,
    CommandId::CANCEL_BROADCAST_SM_RESP,
    CommandId::GENERIC_NACK,
];

#[test]
fn a_response_without_body_is_decoded_with_any_status() {
    for command in RESPONSES {
        let error = raw(command, CommandStatus::RSYSERR, &[]);
        let (pdu, quirks) = error.pdu(Tolerance::STRICT).expect("an error response has no body");
        assert_eq!((pdu.command(), quirks), (command, Quirks::empty()));
        let ok = raw(command, CommandStatus::ROK, &[]);
        let missing = (DecodeErrorKind::MissingBody, "body", 16);
        let status = if command.is_bind() { CommandStatus::RBINDFAIL } else { CommandStatus::RINVCMDLEN };
        assert_eq!(expect_quirk(&ok, Quirks::ABSENT_BODY, missing, status), pdu);
    }
}

#[test]
fn an_error_response_is_decoded_with_its_body_or_with_tlvs_only() {
    let tlvs = [0x04, 0x25, 0, 1, 3, 0x00, 0x1D, 0, 3, b'o', b'k', 0];
    let list = [Tlv::u8(Tag::DELIVERY_FAILURE_REASON, 3), Tlv::new(Tag(0x001D), b"ok\0").unwrap()];
    let tlvs_only = |message_id| DataSmResp { message_id, tlvs: Tlvs::list(&list) };
    let id = COctets::new(b"id").unwrap();

    let whole = raw(CommandId::DATA_SM_RESP, CommandStatus::RDELIVERYFAILURE, &[b"id\0", &tlvs[..]].concat());
    let read = (Pdu::DataSmResp(Some(tlvs_only(id))), Quirks::empty());
    assert_eq!(whole.pdu(Tolerance::STRICT), Ok(read));
    let empty = raw(CommandId::DATA_SM_RESP, CommandStatus::RDELIVERYFAILURE, &[&[0], &tlvs[..]].concat());
    let read = (Pdu::DataSmResp(Some(tlvs_only(COctets::EMPTY))), Quirks::empty());
    assert_eq!(empty.pdu(Tolerance::STRICT), Ok(read));

    let missing = (DecodeErrorKind::MissingBody, "body", 16);
    for command in RESPONSES {
        let alone = raw(command, CommandStatus::RDELIVERYFAILURE, &tlvs);
        let status = if command.is_bind() { CommandStatus::RBINDFAIL } else { CommandStatus::RINVCMDLEN };
        let pdu = expect_quirk(&alone, Quirks::TLVS_ONLY, missing, status);
        assert_eq!(pdu.tlvs(), Tlvs::list(&list), "{pdu:?}");
        // With status ESME_ROK such octets are decoded as the fields of the body.
        let accepted = raw(command, CommandStatus::ROK, &tlvs);
        assert_ne!(accepted.pdu(Tolerance::LENIENT).map(|(_, quirks)| quirks), Ok(Quirks::TLVS_ONLY));
    }
}

/// Such a response may have more deviations, and may begin with a vendor tag.
#[test]
fn an_error_response_of_tlvs_only_may_be_truncated_or_begin_with_a_vendor_tag() {
    let status = CommandStatus::RSYSERR;
    let body = [0x04, 0x24, 0, 3, 1, 0, 0, 0x04, 0x27, 0, 1, 2, 2];
    let cut = raw(CommandId::DELIVER_SM_RESP, status, &body);
    let (pdu, quirks) = cut.pdu(Tolerance::LENIENT).unwrap();
    assert_eq!(quirks, Quirks::TLVS_ONLY | Quirks::TRUNCATED_TLV);
    assert_eq!(pdu.tlvs().message_payload(), Some(&[1, 0, 0][..]));
    assert_eq!(pdu.tlvs().iter().count(), 2);
    for value in [&b"A"[..], b"ABCD"] {
        let head = [0x14, 0x01, 0, u8::try_from(value.len()).unwrap()];
        let vendor = raw(CommandId::DATA_SM_RESP, status, &[&head, value].concat());
        let (pdu, quirks) = vendor.pdu(Tolerance::LENIENT).unwrap();
        assert_eq!((quirks, pdu.tlvs().get(Tag(0x1401))), (Quirks::TLVS_ONLY, Some(value)));
    }
    // A message id is text, not a tag.
    let id = raw(CommandId::DATA_SM_RESP, status, b"0123456789\0");
    assert_eq!(id.pdu(Tolerance::STRICT).map(|(_, quirks)| quirks), Ok(Quirks::empty()));
}

#[test]
fn the_error_response_to_a_bind_or_a_submit_sm_may_have_a_body() {
    let deviation = (DecodeErrorKind::TrailingOctets, "body", 16);
    for command in RESPONSES {
        let body = if command == CommandId::QUERY_SM_RESP { &b"id\0\0\0\0"[..] } else { b"id\0" };
        let body = if command == CommandId::SUBMIT_MULTI_RESP { b"id\0\0" } else { body };
        let rejected = raw(command, CommandStatus::RSYSERR, body);
        if command.is_bind() || command == CommandId::SUBMIT_SM_RESP {
            expect_quirk(&rejected, Quirks::BODY_ON_ERROR, deviation, CommandStatus::RINVCMDLEN);
        } else {
            assert_eq!(rejected.pdu(Tolerance::STRICT).map(|(_, quirks)| quirks), Ok(Quirks::empty()));
        }
    }
}

#[test]
fn one_nul_after_the_text_is_dropped() {
    let text = submit(b"Hello");
    let at = text.octets().len();
    let deviation = (DecodeErrorKind::TlvHeader, "tlv", at);
    let nul = with_tail(&text, &[0]);
    expect_quirk(&nul, Quirks::TRAILING_NUL, deviation, CommandStatus::RINVOPTPARSTREAM);

    let parameter = [0x02, 0x04, 0, 2, 0, 7];
    let before_tlvs = with_tail(&text, &[&[0], &parameter[..]].concat());
    let pdu = before_tlvs.pdu(Tolerance::LENIENT).unwrap();
    assert_eq!(pdu.0.tlvs().user_message_reference(), Some(7));
    assert_eq!(pdu.1, Quirks::TRAILING_NUL);
    assert!(matches!(pdu.0, Pdu::SubmitSm(message) if message.text() == b"Hello"));
    // Also if the NUL and the tag after it look like the start of a TLV.
    let payload = [&[0, 0x12, 0x01, 0, 1, 0, 0x04, 0x24, 1, 44][..], &[b'x'; 300]].concat();
    let frame = raw(CommandId::SUBMIT_SM, CommandStatus::ROK, &[submit(b"").body(), &payload].concat());
    let (pdu, quirks) = frame.pdu(Tolerance::LENIENT).unwrap();
    assert_eq!((quirks, pdu.tlvs().message_payload()), (Quirks::TRAILING_NUL, Some(&[b'x'; 300][..])));
    // Two NULs are an error.
    let twice = with_tail(&text, &[0, 0]);
    expect_error(&twice, (DecodeErrorKind::TlvHeader, "tlv", at), CommandStatus::RINVOPTPARSTREAM);
}

#[test]
fn text_in_a_tlv_may_have_no_nul() {
    let text = submit(b"Hello");
    let at = text.octets().len();
    let frame = with_tail(&text, &[0x00, 0x1E, 0, 3, b'i', b'd', b'7']);
    let deviation = (DecodeErrorKind::TlvUnterminated, "receipted_message_id", at);
    let pdu = expect_quirk(&frame, Quirks::UNTERMINATED_TLV, deviation, CommandStatus::RINVOPTPARAMVAL);
    assert_eq!(pdu.tlvs().receipted_message_id(), Some(&b"id7"[..]));
    let frame = with_tail(&text, &[0x00, 0x1E, 0, 4, b'i', b'd', b'7', 0]);
    let (pdu, _) = frame.pdu(Tolerance::STRICT).expect("the text ends with NUL");
    assert_eq!(pdu.tlvs().receipted_message_id(), Some(&b"id7"[..]));
}

#[test]
fn a_tlv_may_have_a_wrong_length() {
    let text = submit(b"Hello");
    let at = text.octets().len() + 6;
    for (value, reference) in [(&[][..], None), (&[7], None), (&[0, 7], Some(7)), (&[0, 0, 7], None)] {
        let good = [0x02, 0x0A, 0, 2, 0x40, 0];
        let head = [0x02, 0x04, 0, u8::try_from(value.len()).unwrap()];
        let frame = with_tail(&text, &[&good[..], &head, value].concat());
        let (pdu, _) = frame.pdu(Tolerance::LENIENT).unwrap();
        assert_eq!(pdu.tlvs().user_message_reference(), reference);
        assert_eq!(pdu.tlvs().source_port(), Some(0x4000), "the other TLV is decoded");
        if reference.is_none() {
            let deviation = (DecodeErrorKind::TlvLength, "user_message_reference", at);
            expect_quirk(&frame, Quirks::TLV_LENGTH, deviation, CommandStatus::RINVPARLEN);
        }
    }
    // A vendor tag may have any length.
    let vendor = with_tail(&text, &[0x15, 0x03, 0, 1, b'5']);
    assert_eq!(vendor.pdu(Tolerance::STRICT).map(|(_, quirks)| quirks), Ok(Quirks::empty()));
}

#[test]
fn the_header_of_the_last_tlv_may_be_incomplete() {
    let text = submit(b"Hello");
    let whole = with_tail(&text, &[0x02, 0x04, 0, 2, 0, 7]);
    let at = whole.octets().len();
    for half in [&[0x02][..], &[0x04, 0x24], &[0x02, 0x0A, 0], &[0x15, 0x01], &[0x14]] {
        let frame = with_tail(&whole, half);
        let cut = (DecodeErrorKind::TlvHeader, "tlv", at);
        let pdu = expect_quirk(&frame, Quirks::TRUNCATED_TLV, cut, CommandStatus::RINVOPTPARSTREAM);
        assert_eq!(pdu.tlvs().user_message_reference(), Some(7));
        assert_eq!(pdu.tlvs().iter().count(), 1);
    }
    // Octets that cannot start a TLV are the end of a text with a wrong length. Dropping them would shorten the text.
    let cut = (DecodeErrorKind::TlvHeader, "tlv", at);
    for letters in [&b"o"[..], b"lo", b"llo"] {
        expect_error(&with_tail(&whole, letters), cut, CommandStatus::RINVOPTPARSTREAM);
    }
    // A response has no text.
    let response = request(CommandId::SUBMIT_SM_RESP, b"id7\0lo");
    let cut = (DecodeErrorKind::TlvHeader, "tlv", 20);
    expect_quirk(&response, Quirks::TRUNCATED_TLV, cut, CommandStatus::RINVOPTPARSTREAM);
    // A value that reaches past the end of the PDU is always an error.
    let at = whole.octets().len();
    let overrun = (DecodeErrorKind::TlvOverrun, "tlv", at);
    expect_error(&with_tail(&whole, &[0x02, 0x0A, 0, 2, 0]), overrun, CommandStatus::RINVOPTPARSTREAM);
}

#[test]
fn strings_may_be_longer_than_their_fields() {
    let x = |length: usize| vec![b'x'; length];
    let bind = |id, password, kind, range| {
        let strings = [x(id), vec![0], x(password), vec![0], x(kind), vec![0, 0x34, 0, 0], x(range), vec![0]];
        request(CommandId::BIND_TRANSMITTER, &strings.concat())
    };
    let (long, quirk) = (DecodeErrorKind::TooLong, Quirks::LONG_STRING);
    assert_eq!(bind(15, 8, 12, 40).pdu(Tolerance::STRICT).map(|(_, quirks)| quirks), Ok(Quirks::empty()));
    expect_quirk(&bind(16, 8, 12, 40), quirk, (long, "system_id", 16), CommandStatus::RINVSYSID);
    expect_quirk(&bind(15, 9, 12, 40), quirk, (long, "password", 32), CommandStatus::RINVPASWD);
    expect_quirk(&bind(15, 8, 13, 40), quirk, (long, "system_type", 41), CommandStatus::RINVSYSTYP);
    expect_quirk(&bind(15, 8, 12, 41), quirk, (long, "address_range", 57), CommandStatus::RBINDFAIL);
    let source = [&[0, 1, 1][..], &x(21), &[0; 14]].concat();
    let source = request(CommandId::SUBMIT_SM, &source);
    expect_quirk(&source, quirk, (long, "source_addr", 19), CommandStatus::RINVSRCADR);
    let id = request(CommandId::SUBMIT_SM_RESP, &[&x(65)[..], &[0]].concat());
    let pdu = expect_quirk(&id, quirk, (long, "message_id", 16), CommandStatus::RINVMSGID);
    assert!(matches!(pdu, Pdu::SubmitSmResp(Some(resp)) if resp.message_id.as_bytes() == x(65)));
}

#[test]
fn times_may_have_other_formats() {
    let deviation = |field, offset| (DecodeErrorKind::Time, field, offset);
    for time in ["1", "2611230358", "261123035800", "26112303580000", "2611230358000000", "261323035800000+"]
    {
        let body = [&[0; 10], time.as_bytes(), &[0; 7]].concat();
        let frame = request(CommandId::SUBMIT_SM, &body);
        let at = deviation("schedule_delivery_time", 26);
        let pdu = expect_quirk(&frame, Quirks::TIME_FORMAT, at, CommandStatus::RINVSCHED);
        let Pdu::SubmitSm(message) = pdu else { panic!("{pdu:?}") };
        assert_eq!(message.schedule_delivery_time.to_str(), Some(time));
        let body = [&[0; 11], time.as_bytes(), &[0; 6]].concat();
        let frame = request(CommandId::SUBMIT_SM, &body);
        expect_quirk(
            &frame,
            Quirks::TIME_FORMAT,
            deviation("validity_period", 27),
            CommandStatus::RINVEXPIRY,
        );
    }
    let long = request(CommandId::SUBMIT_SM, &[&[0; 10][..], b"2611230358000000+", &[0; 7]].concat());
    let too_long = (DecodeErrorKind::TooLong, "schedule_delivery_time", 26);
    expect_quirk(&long, Quirks::LONG_STRING, too_long, CommandStatus::RINVSCHED);
    // final_date may be local time without an offset.
    let reported = request(CommandId::QUERY_SM_RESP, b"m1\x00261123035800\x00\x02\x00");
    let read = reported.pdu(Tolerance::STRICT);
    assert!(
        matches!(read, Ok((Pdu::QuerySmResp(Some(QuerySmResp { final_date, .. })), quirks))
            if quirks.is_empty() && final_date.as_bytes() == b"261123035800"),
        "{read:?}"
    );
}

#[test]
fn addresses_may_contain_octets_above_0x7f() {
    let name = "Café".as_bytes();
    for (before, field, offset) in [(3_usize, "source_addr", 19_usize), (6, "destination_addr", 22)] {
        let body = [&vec![0; before], name, &vec![0; 17 - before]].concat();
        let frame = request(CommandId::SUBMIT_SM, &body);
        let status =
            if field == "source_addr" { CommandStatus::RINVSRCADR } else { CommandStatus::RINVDSTADR };
        let deviation = (DecodeErrorKind::NonAscii, field, offset);
        let pdu = expect_quirk(&frame, Quirks::NON_ASCII, deviation, status);
        let Pdu::SubmitSm(message) = pdu else { panic!("{pdu:?}") };
        let address = if before == 3 { message.source } else { message.destination };
        assert_eq!(address.digits.as_bytes(), name);
    }
    // At any position of a string of any length.
    for length in 1..20 {
        for at in 0..length {
            let mut digits = vec![b'7'; length];
            digits[at] = 0x80;
            let frame = request(CommandId::SUBMIT_SM, &[&[0; 3], &digits[..], &[0; 14]].concat());
            let quirks = frame.pdu(Tolerance::LENIENT).map(|(_, quirks)| quirks);
            assert_eq!(quirks, Ok(Quirks::NON_ASCII), "octet {at} of {length}");
            digits[at] = 0x7F;
            let frame = request(CommandId::SUBMIT_SM, &[&[0; 3], &digits[..], &[0x80; 14]].concat());
            assert!(frame.pdu(Tolerance::LENIENT).is_err(), "the NUL is missing");
        }
    }
}

#[test]
fn octets_after_a_pdu_without_body_are_ignored() {
    for command in WITHOUT_BODY {
        let deviation = (DecodeErrorKind::TrailingOctets, "body", 16);
        for tail in [&[0][..], b"abcdefgh"] {
            let frame = request(command, tail);
            let pdu = expect_quirk(&frame, Quirks::TRAILING_OCTETS, deviation, CommandStatus::RINVCMDLEN);
            assert_eq!(pdu.command(), command);
        }
    }
}

#[test]
fn sequence_numbers_may_be_out_of_range() {
    for number in [0, 0x8000_0000, u32::MAX] {
        for pdu in [
            Pdu::EnquireLink,
            Pdu::SubmitSm(SubmitSm::default()),
            Pdu::SubmitSmResp(Some(SubmitSmResp::default())),
        ] {
            let frame = Frame::encode(&pdu, CommandStatus::ROK, SequenceNumber(number));
            let deviation = (DecodeErrorKind::SequenceRange, "sequence_number", 12);
            assert_eq!(expect_quirk(&frame, Quirks::SEQUENCE_RANGE, deviation, CommandStatus::RSYSERR), pdu);
        }
    }
    let nack = Frame::encode(&Pdu::GenericNack, CommandStatus::RINVCMDLEN, SequenceNumber(0x8000_0000));
    assert_eq!(nack.pdu(Tolerance::LENIENT), Ok((Pdu::GenericNack, Quirks::SEQUENCE_RANGE)));
    let nack = Frame::encode(&Pdu::GenericNack, CommandStatus::RINVCMDLEN, SequenceNumber(0));
    assert_eq!(nack.pdu(Tolerance::STRICT), Ok((Pdu::GenericNack, Quirks::empty())));
}

#[test]
fn a_text_may_have_255_octets() {
    let text = [b'x'; 255];
    let body = [&[0; 16][..], &[255], &text].concat();
    let frame = request(CommandId::SUBMIT_SM, &body);
    let long = (DecodeErrorKind::TooLong, "sm_length", 32);
    let pdu = expect_quirk(&frame, Quirks::LONG_SHORT_MESSAGE, long, CommandStatus::RINVMSGLEN);
    assert!(matches!(pdu, Pdu::SubmitSm(message) if message.text() == text));
    assert!(Octets::<254>::new(&text).is_err(), "the encoder does not send 255 octets");
}

#[test]
fn both_message_fields_may_contain_text() {
    let payload = [0x04, 0x24, 0, 2, b'h', b'i'];
    let frame = with_tail(&submit(b"Hello"), &payload);
    let at = submit(b"Hello").octets().len();
    let both = (DecodeErrorKind::BothMessageFields, "message_payload", at);
    let pdu = expect_quirk(&frame, Quirks::BOTH_MESSAGE_FIELDS, both, CommandStatus::RINVMSGLEN);
    assert_eq!(pdu.tlvs().message_payload(), Some(&b"hi"[..]));
    let second = with_tail(&submit(b"Hello"), &[&[0x02, 0x04, 0, 2, 0, 7], &payload[..]].concat());
    let both = (DecodeErrorKind::BothMessageFields, "message_payload", at + 6);
    expect_quirk(&second, Quirks::BOTH_MESSAGE_FIELDS, both, CommandStatus::RINVMSGLEN);
    for (text, payload) in [(&b""[..], &payload[..]), (b"Hello", &[0x04, 0x24, 0, 0])] {
        let one = with_tail(&submit(text), payload);
        assert_eq!(one.pdu(Tolerance::STRICT).map(|(_, quirks)| quirks), Ok(Quirks::empty()));
    }
}

#[test]
fn a_bind_may_have_no_address_range_and_its_response_no_version() {
    let bind = encoded(&Pdu::Bind(Bind::default()));
    let cut = request(bind.header().command, &bind.body()[..bind.body().len() - 1]);
    let absent = (DecodeErrorKind::Unterminated, "address_range", cut.octets().len());
    let pdu = expect_quirk(&cut, Quirks::ABSENT_ADDRESS_RANGE, absent, CommandStatus::RBINDFAIL);
    assert_eq!(pdu, Pdu::Bind(Bind::default()));

    let resp = request(CommandId::BIND_TRANSCEIVER_RESP, b"8x8\0");
    let missing = (DecodeErrorKind::MissingTlv, "sc_interface_version", 20);
    let pdu = expect_quirk(&resp, Quirks::MISSING_TLV, missing, CommandStatus::RMISSINGOPTPARAM);
    let Pdu::BindResp(_, Some(BindResp { system_id, tlvs })) = pdu else { panic!("{pdu:?}") };
    assert_eq!((system_id.as_bytes(), tlvs.is_empty()), (&b"8x8"[..], true));
    let rejected = raw(CommandId::BIND_TRANSCEIVER_RESP, CommandStatus::RBINDFAIL, b"8x8\0");
    assert_eq!(rejected.pdu(Tolerance::LENIENT).map(|(_, quirks)| quirks), Ok(Quirks::BODY_ON_ERROR));
    // A request requires its TLVs with any status.
    let broadcast = raw(CommandId::BROADCAST_SM, CommandStatus::RINVMSGLEN, &[0; 11]);
    let quirks = broadcast.pdu(Tolerance::LENIENT).map(|(_, quirks)| quirks);
    assert_eq!(quirks, Ok(Quirks::MISSING_TLV | Quirks::STATUS_IN_REQUEST));
}

#[test]
fn a_submit_multi_may_have_0_or_255_destinations() {
    let to = [Destination::Sme(Address::default()); 255];
    for (count, allowed) in [(0, false), (1, true), (254, true), (255, false)] {
        let destinations = List::new(&to[..count]).unwrap();
        let frame = encoded(&Pdu::SubmitMulti(SubmitMulti { destinations, ..SubmitMulti::default() }));
        if allowed {
            assert_eq!(frame.pdu(Tolerance::STRICT).map(|(_, quirks)| quirks), Ok(Quirks::empty()));
            continue;
        }
        let deviation = (DecodeErrorKind::DestinationCount, "number_of_dests", 20);
        let pdu = expect_quirk(&frame, Quirks::DESTINATION_COUNT, deviation, CommandStatus::RINVNUMDESTS);
        assert!(matches!(pdu, Pdu::SubmitMulti(message) if message.destinations.len() == count));
    }
    assert!(List::new(&[to[0]; 256]).is_err());
}

#[test]
fn a_field_that_reaches_past_the_end_of_the_pdu_is_an_error() {
    let message = submit(b"Hello");
    let body = message.body();
    // A submit_sm that is truncated at any octet is an error.
    for length in 1..body.len() {
        let cut = request(CommandId::SUBMIT_SM, &body[..length]);
        let error = cut.pdu(Tolerance::LENIENT).expect_err("the PDU is cut");
        assert!(error.offset <= cut.octets().len() && error.offset >= 16, "{error}");
    }
    let overrun = (DecodeErrorKind::LengthOverrun, "sm_length", 35);
    expect_error(&request(CommandId::SUBMIT_SM, &body[..body.len() - 1]), overrun, CommandStatus::RINVMSGLEN);
    let flag = (DecodeErrorKind::DestFlag, "dest_flag", 21);
    expect_error(&request(CommandId::SUBMIT_MULTI, &[0, 0, 0, 0, 1, 3]), flag, CommandStatus::RINVDESTFLAG);
}
