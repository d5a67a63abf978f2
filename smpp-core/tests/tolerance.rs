//! Each deviation by itself: read by default and reported, refused where it is not tolerated, with the field, the
//! place and the status to answer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test helpers"
)]

use smpp_core::{
    Address, Bind, BindResp, COctets, CommandId, CommandStatus, DataSmResp, DecodeErrorKind, Destination,
    Frame, List, Octets, Pdu, QuerySmResp, Quirks, SequenceNumber, ShortMessage, SubmitMulti, SubmitSm,
    SubmitSmResp, Tag, Tlv, Tlvs, Tolerance,
};

const NUMBER: SequenceNumber = SequenceNumber(5);

/// A PDU of these octets.
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

/// The same PDU with other octets behind it.
fn with_tail(frame: &Frame<Vec<u8>>, tail: &[u8]) -> Frame<Vec<u8>> {
    raw(frame.header().command, frame.header().status, &[frame.body(), tail].concat())
}

fn submit(text: &[u8]) -> Frame<Vec<u8>> {
    let source = Address::alphanumeric("8x8").unwrap();
    let short_message = ShortMessage::new(text).unwrap();
    encoded(&Pdu::SubmitSm(SubmitSm { source, short_message, ..SubmitSm::default() }))
}

/// The deviation is read by default and by itself, and told; where it is not tolerated it is this error.
fn deviates<'f>(
    frame: &'f Frame<Vec<u8>>,
    quirk: Quirks,
    (kind, field, offset): (DecodeErrorKind, &str, usize),
    status: CommandStatus,
) -> Pdu<'f> {
    let (pdu, quirks) = frame.pdu(Tolerance::LENIENT).unwrap_or_else(|error| panic!("{quirk:?}: {error}"));
    assert_eq!(quirks, quirk, "{pdu:?}");
    assert_eq!(frame.pdu(Tolerance(quirk)), Ok((pdu, quirk)));
    for tolerance in [Tolerance::STRICT, Tolerance(Quirks::all() - quirk)] {
        let error = frame.pdu(tolerance).expect_err("it is not tolerated");
        assert_eq!((error.kind, error.field, error.offset), (kind, field, offset), "{error}");
        assert_eq!(error.command, frame.header().command);
        assert_eq!(error.status(), status, "{error}");
    }
    pdu
}

/// Refused, whatever is tolerated.
fn refused(
    frame: &Frame<Vec<u8>>,
    (kind, field, offset): (DecodeErrorKind, &str, usize),
    status: CommandStatus,
) {
    for tolerance in [Tolerance::STRICT, Tolerance::LENIENT] {
        let error = frame.pdu(tolerance).expect_err("it is never tolerated");
        assert_eq!((error.kind, error.field, error.offset), (kind, field, offset), "{error}");
        assert_eq!(error.status(), status, "{error}");
    }
}

/// Responses that have a body.
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

const BODILESS: [CommandId; 8] = [
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
fn a_response_without_its_body_is_read_whatever_its_status() {
    for command in RESPONSES {
        let error = raw(command, CommandStatus::RSYSERR, &[]);
        let (pdu, quirks) = error.pdu(Tolerance::STRICT).expect("an error response has no body");
        assert_eq!((pdu.command(), quirks), (command, Quirks::empty()));
        let ok = raw(command, CommandStatus::ROK, &[]);
        let missing = (DecodeErrorKind::MissingBody, "body", 16);
        let status = if command.is_bind() { CommandStatus::RBINDFAIL } else { CommandStatus::RINVCMDLEN };
        assert_eq!(deviates(&ok, Quirks::ABSENT_BODY, missing, status), pdu);
    }
}

#[test]
fn an_error_response_is_read_with_its_body_with_tlvs_alone_and_without() {
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
        let pdu = deviates(&alone, Quirks::TLVS_ONLY, missing, status);
        assert_eq!(pdu.tlvs(), Tlvs::list(&list), "{pdu:?}");
        // In a response that accepts, such octets are what the layout says they are.
        let accepting = raw(command, CommandStatus::ROK, &tlvs);
        assert_ne!(accepting.pdu(Tolerance::LENIENT).map(|(_, quirks)| quirks), Ok(Quirks::TLVS_ONLY));
    }
}

/// What several deviations at once, and tags of vendors, do to it.
#[test]
fn an_error_response_of_tlvs_alone_may_be_cut_or_begin_with_a_vendors() {
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
    // An id is text: it is not taken for a tag.
    let id = raw(CommandId::DATA_SM_RESP, status, b"0123456789\0");
    assert_eq!(id.pdu(Tolerance::STRICT).map(|(_, quirks)| quirks), Ok(Quirks::empty()));
}

#[test]
fn the_error_response_to_a_bind_or_a_submit_sm_may_have_a_body() {
    let odd = (DecodeErrorKind::TrailingOctets, "body", 16);
    for command in RESPONSES {
        let body = if command == CommandId::QUERY_SM_RESP { &b"id\0\0\0\0"[..] } else { b"id\0" };
        let body = if command == CommandId::SUBMIT_MULTI_RESP { b"id\0\0" } else { body };
        let refusing = raw(command, CommandStatus::RSYSERR, body);
        if command.is_bind() || command == CommandId::SUBMIT_SM_RESP {
            deviates(&refusing, Quirks::BODY_ON_ERROR, odd, CommandStatus::RINVCMDLEN);
        } else {
            assert_eq!(refusing.pdu(Tolerance::STRICT).map(|(_, quirks)| quirks), Ok(Quirks::empty()));
        }
    }
}

#[test]
fn one_nul_behind_the_text_is_dropped() {
    let text = submit(b"Hello");
    let at = text.octets().len();
    let odd = (DecodeErrorKind::TlvHeader, "tlv", at);
    let nul = with_tail(&text, &[0]);
    deviates(&nul, Quirks::TRAILING_NUL, odd, CommandStatus::RINVOPTPARSTREAM);

    let parameter = [0x02, 0x04, 0, 2, 0, 7];
    let before_tlvs = with_tail(&text, &[&[0], &parameter[..]].concat());
    let pdu = before_tlvs.pdu(Tolerance::LENIENT).unwrap();
    assert_eq!(pdu.0.tlvs().user_message_reference(), Some(7));
    assert_eq!(pdu.1, Quirks::TRAILING_NUL);
    assert!(matches!(pdu.0, Pdu::SubmitSm(message) if message.text() == b"Hello"));
    // Even where the NUL and the tag behind it look like a TLV for a while.
    let payload = [&[0, 0x12, 0x01, 0, 1, 0, 0x04, 0x24, 1, 44][..], &[b'x'; 300]].concat();
    let frame = raw(CommandId::SUBMIT_SM, CommandStatus::ROK, &[submit(b"").body(), &payload].concat());
    let (pdu, quirks) = frame.pdu(Tolerance::LENIENT).unwrap();
    assert_eq!((quirks, pdu.tlvs().message_payload()), (Quirks::TRAILING_NUL, Some(&[b'x'; 300][..])));
    // Two are not one.
    let twice = with_tail(&text, &[0, 0]);
    refused(&twice, (DecodeErrorKind::TlvHeader, "tlv", at), CommandStatus::RINVOPTPARSTREAM);
}

#[test]
fn text_in_a_tlv_may_lack_its_nul() {
    let text = submit(b"Hello");
    let at = text.octets().len();
    let frame = with_tail(&text, &[0x00, 0x1E, 0, 3, b'i', b'd', b'7']);
    let odd = (DecodeErrorKind::TlvUnterminated, "receipted_message_id", at);
    let pdu = deviates(&frame, Quirks::UNTERMINATED_TLV, odd, CommandStatus::RINVOPTPARAMVAL);
    assert_eq!(pdu.tlvs().receipted_message_id(), Some(&b"id7"[..]));
    let frame = with_tail(&text, &[0x00, 0x1E, 0, 4, b'i', b'd', b'7', 0]);
    let (pdu, _) = frame.pdu(Tolerance::STRICT).expect("the NUL belongs there");
    assert_eq!(pdu.tlvs().receipted_message_id(), Some(&b"id7"[..]));
}

#[test]
fn a_tlv_may_have_an_odd_length() {
    let text = submit(b"Hello");
    let at = text.octets().len() + 6;
    for (value, reference) in [(&[][..], None), (&[7], None), (&[0, 7], Some(7)), (&[0, 0, 7], None)] {
        let good = [0x02, 0x0A, 0, 2, 0x40, 0];
        let head = [0x02, 0x04, 0, u8::try_from(value.len()).unwrap()];
        let frame = with_tail(&text, &[&good[..], &head, value].concat());
        let (pdu, _) = frame.pdu(Tolerance::LENIENT).unwrap();
        assert_eq!(pdu.tlvs().user_message_reference(), reference);
        assert_eq!(pdu.tlvs().source_port(), Some(0x4000), "what is beside it is read");
        if reference.is_none() {
            let odd = (DecodeErrorKind::TlvLength, "user_message_reference", at);
            deviates(&frame, Quirks::TLV_LENGTH, odd, CommandStatus::RINVPARLEN);
        }
    }
    // Of a vendor's tags nothing is known.
    let vendor = with_tail(&text, &[0x15, 0x03, 0, 1, b'5']);
    assert_eq!(vendor.pdu(Tolerance::STRICT).map(|(_, quirks)| quirks), Ok(Quirks::empty()));
}

#[test]
fn the_last_tlv_may_be_cut_within_its_header() {
    let text = submit(b"Hello");
    let whole = with_tail(&text, &[0x02, 0x04, 0, 2, 0, 7]);
    let at = whole.octets().len();
    for half in [&[0x02][..], &[0x04, 0x24], &[0x02, 0x0A, 0], &[0x15, 0x01], &[0x14]] {
        let frame = with_tail(&whole, half);
        let cut = (DecodeErrorKind::TlvHeader, "tlv", at);
        let pdu = deviates(&frame, Quirks::TRUNCATED_TLV, cut, CommandStatus::RINVOPTPARSTREAM);
        assert_eq!(pdu.tlvs().user_message_reference(), Some(7));
        assert_eq!(pdu.tlvs().iter().count(), 1);
    }
    // What cannot be the beginning of one is the end of a text whose length is wrong: it is not cut in silence.
    let cut = (DecodeErrorKind::TlvHeader, "tlv", at);
    for letters in [&b"o"[..], b"lo", b"llo"] {
        refused(&with_tail(&whole, letters), cut, CommandStatus::RINVOPTPARSTREAM);
    }
    // Nobody reads a text in a response.
    let response = request(CommandId::SUBMIT_SM_RESP, b"id7\0lo");
    let cut = (DecodeErrorKind::TlvHeader, "tlv", 20);
    deviates(&response, Quirks::TRUNCATED_TLV, cut, CommandStatus::RINVOPTPARSTREAM);
    // A value that crosses the frame is something else.
    let at = whole.octets().len();
    let overrun = (DecodeErrorKind::TlvOverrun, "tlv", at);
    refused(&with_tail(&whole, &[0x02, 0x0A, 0, 2, 0]), overrun, CommandStatus::RINVOPTPARSTREAM);
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
    deviates(&bind(16, 8, 12, 40), quirk, (long, "system_id", 16), CommandStatus::RINVSYSID);
    deviates(&bind(15, 9, 12, 40), quirk, (long, "password", 32), CommandStatus::RINVPASWD);
    deviates(&bind(15, 8, 13, 40), quirk, (long, "system_type", 41), CommandStatus::RINVSYSTYP);
    deviates(&bind(15, 8, 12, 41), quirk, (long, "address_range", 57), CommandStatus::RBINDFAIL);
    let source = [&[0, 1, 1][..], &x(21), &[0; 14]].concat();
    let source = request(CommandId::SUBMIT_SM, &source);
    deviates(&source, quirk, (long, "source_addr", 19), CommandStatus::RINVSRCADR);
    let id = request(CommandId::SUBMIT_SM_RESP, &[&x(65)[..], &[0]].concat());
    let pdu = deviates(&id, quirk, (long, "message_id", 16), CommandStatus::RINVMSGID);
    assert!(matches!(pdu, Pdu::SubmitSmResp(Some(resp)) if resp.message_id.as_bytes() == x(65)));
}

#[test]
fn times_may_have_other_forms() {
    let odd = |field, offset| (DecodeErrorKind::Time, field, offset);
    for time in ["1", "2611230358", "261123035800", "26112303580000", "2611230358000000", "261323035800000+"]
    {
        let body = [&[0; 10], time.as_bytes(), &[0; 7]].concat();
        let frame = request(CommandId::SUBMIT_SM, &body);
        let at = odd("schedule_delivery_time", 26);
        let pdu = deviates(&frame, Quirks::TIME_FORMAT, at, CommandStatus::RINVSCHED);
        let Pdu::SubmitSm(message) = pdu else { panic!("{pdu:?}") };
        assert_eq!(message.schedule_delivery_time.to_str(), Some(time));
        let body = [&[0; 11], time.as_bytes(), &[0; 6]].concat();
        let frame = request(CommandId::SUBMIT_SM, &body);
        deviates(&frame, Quirks::TIME_FORMAT, odd("validity_period", 27), CommandStatus::RINVEXPIRY);
    }
    let long = request(CommandId::SUBMIT_SM, &[&[0; 10][..], b"2611230358000000+", &[0; 7]].concat());
    let too_long = (DecodeErrorKind::TooLong, "schedule_delivery_time", 26);
    deviates(&long, Quirks::LONG_STRING, too_long, CommandStatus::RINVSCHED);
    // What an SMSC reports may be local time.
    let reported = request(CommandId::QUERY_SM_RESP, b"m1\x00261123035800\x00\x02\x00");
    let read = reported.pdu(Tolerance::STRICT);
    assert!(
        matches!(read, Ok((Pdu::QuerySmResp(Some(QuerySmResp { final_date, .. })), quirks))
            if quirks.is_empty() && final_date.as_bytes() == b"261123035800"),
        "{read:?}"
    );
}

#[test]
fn addresses_may_hold_octets_above_0x7f() {
    let name = "Café".as_bytes();
    for (before, field, offset) in [(3_usize, "source_addr", 19_usize), (6, "destination_addr", 22)] {
        let body = [&vec![0; before], name, &vec![0; 17 - before]].concat();
        let frame = request(CommandId::SUBMIT_SM, &body);
        let status =
            if field == "source_addr" { CommandStatus::RINVSRCADR } else { CommandStatus::RINVDSTADR };
        let odd = (DecodeErrorKind::NonAscii, field, offset);
        let pdu = deviates(&frame, Quirks::NON_ASCII, odd, status);
        let Pdu::SubmitSm(message) = pdu else { panic!("{pdu:?}") };
        let address = if before == 3 { message.source } else { message.destination };
        assert_eq!(address.digits.as_bytes(), name);
    }
    // Wherever in the string it is, and in strings of any length.
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
fn octets_behind_a_pdu_without_body_are_ignored() {
    for command in BODILESS {
        let odd = (DecodeErrorKind::TrailingOctets, "body", 16);
        for tail in [&[0][..], b"abcdefgh"] {
            let frame = request(command, tail);
            let pdu = deviates(&frame, Quirks::TRAILING_OCTETS, odd, CommandStatus::RINVCMDLEN);
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
            let odd = (DecodeErrorKind::SequenceRange, "sequence_number", 12);
            assert_eq!(deviates(&frame, Quirks::SEQUENCE_RANGE, odd, CommandStatus::RSYSERR), pdu);
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
    let pdu = deviates(&frame, Quirks::LONG_SHORT_MESSAGE, long, CommandStatus::RINVMSGLEN);
    assert!(matches!(pdu, Pdu::SubmitSm(message) if message.text() == text));
    assert!(Octets::<254>::new(&text).is_err(), "we do not send it");
}

#[test]
fn both_message_fields_may_hold_a_text() {
    let payload = [0x04, 0x24, 0, 2, b'h', b'i'];
    let frame = with_tail(&submit(b"Hello"), &payload);
    let at = submit(b"Hello").octets().len();
    let both = (DecodeErrorKind::BothMessageFields, "message_payload", at);
    let pdu = deviates(&frame, Quirks::BOTH_MESSAGE_FIELDS, both, CommandStatus::RINVMSGLEN);
    assert_eq!(pdu.tlvs().message_payload(), Some(&b"hi"[..]));
    let second = with_tail(&submit(b"Hello"), &[&[0x02, 0x04, 0, 2, 0, 7], &payload[..]].concat());
    let both = (DecodeErrorKind::BothMessageFields, "message_payload", at + 6);
    deviates(&second, Quirks::BOTH_MESSAGE_FIELDS, both, CommandStatus::RINVMSGLEN);
    for (text, payload) in [(&b""[..], &payload[..]), (b"Hello", &[0x04, 0x24, 0, 0])] {
        let one = with_tail(&submit(text), payload);
        assert_eq!(one.pdu(Tolerance::STRICT).map(|(_, quirks)| quirks), Ok(Quirks::empty()));
    }
}

#[test]
fn a_bind_may_lack_its_address_range_and_its_response_the_version() {
    let bind = encoded(&Pdu::Bind(Bind::default()));
    let cut = request(bind.header().command, &bind.body()[..bind.body().len() - 1]);
    let absent = (DecodeErrorKind::Unterminated, "address_range", cut.octets().len());
    let pdu = deviates(&cut, Quirks::ABSENT_ADDRESS_RANGE, absent, CommandStatus::RBINDFAIL);
    assert_eq!(pdu, Pdu::Bind(Bind::default()));

    let resp = request(CommandId::BIND_TRANSCEIVER_RESP, b"8x8\0");
    let missing = (DecodeErrorKind::MissingTlv, "sc_interface_version", 20);
    let pdu = deviates(&resp, Quirks::MISSING_TLV, missing, CommandStatus::RMISSINGOPTPARAM);
    let Pdu::BindResp(_, Some(BindResp { system_id, tlvs })) = pdu else { panic!("{pdu:?}") };
    assert_eq!((system_id.as_bytes(), tlvs.is_empty()), (&b"8x8"[..], true));
    let refusing = raw(CommandId::BIND_TRANSCEIVER_RESP, CommandStatus::RBINDFAIL, b"8x8\0");
    assert_eq!(refusing.pdu(Tolerance::LENIENT).map(|(_, quirks)| quirks), Ok(Quirks::BODY_ON_ERROR));
    // A request needs them whatever its status says.
    let broadcast = raw(CommandId::BROADCAST_SM, CommandStatus::RINVMSGLEN, &[0; 11]);
    let quirks = broadcast.pdu(Tolerance::LENIENT).map(|(_, quirks)| quirks);
    assert_eq!(quirks, Ok(Quirks::MISSING_TLV | Quirks::STATUS_IN_REQUEST));
}

#[test]
fn a_submit_multi_may_have_no_destination_or_255() {
    let to = [Destination::Sme(Address::default()); 255];
    for (count, fine) in [(0, false), (1, true), (254, true), (255, false)] {
        let destinations = List::new(&to[..count]).unwrap();
        let frame = encoded(&Pdu::SubmitMulti(SubmitMulti { destinations, ..SubmitMulti::default() }));
        if fine {
            assert_eq!(frame.pdu(Tolerance::STRICT).map(|(_, quirks)| quirks), Ok(Quirks::empty()));
            continue;
        }
        let odd = (DecodeErrorKind::DestinationCount, "number_of_dests", 20);
        let pdu = deviates(&frame, Quirks::DESTINATION_COUNT, odd, CommandStatus::RINVNUMDESTS);
        assert!(matches!(pdu, Pdu::SubmitMulti(message) if message.destinations.len() == count));
    }
    assert!(List::new(&[to[0]; 256]).is_err());
}

#[test]
fn a_field_that_crosses_its_frame_is_never_read() {
    let message = submit(b"Hello");
    let body = message.body();
    // Whatever is cut off the end, what is left is not a submit_sm.
    for length in 1..body.len() {
        let cut = request(CommandId::SUBMIT_SM, &body[..length]);
        let error = cut.pdu(Tolerance::LENIENT).expect_err("it is cut");
        assert!(error.offset <= cut.octets().len() && error.offset >= 16, "{error}");
    }
    let overrun = (DecodeErrorKind::LengthOverrun, "sm_length", 35);
    refused(&request(CommandId::SUBMIT_SM, &body[..body.len() - 1]), overrun, CommandStatus::RINVMSGLEN);
    let flag = (DecodeErrorKind::DestFlag, "dest_flag", 21);
    refused(&request(CommandId::SUBMIT_MULTI, &[0, 0, 0, 0, 1, 3]), flag, CommandStatus::RINVDESTFLAG);
}
