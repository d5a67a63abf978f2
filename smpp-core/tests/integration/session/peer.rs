//! A peer that breaks the rules: the session answers it, reports it, and continues.

use smpp_proto::session::{CloseReason, Config, Instant, Refusal, Session, Smsc, State};
use smpp_proto::{
    Bind, BindMode, BindResp, CommandId, CommandStatus, DecodeErrorKind, DeliverSm, InterfaceVersion,
    Password, Pdu, Tag, Tlv, Tlvs, Tolerance,
};

use super::support::{
    OwnedEvent, Pair, Peer, bind, bound_esme, bound_smsc, deliver_sm, octets, pdus, raw, request, submit_sm,
};

fn smsc() -> Peer<Smsc> {
    bound_smsc(Config::default(), BindMode::Transceiver)
}

/// Removes the last octet of the PDU and adjusts its length.
fn shortened(mut pdu: Vec<u8>) -> Vec<u8> {
    pdu.pop();
    let length = u32::try_from(pdu.len()).unwrap();
    pdu[..4].copy_from_slice(&length.to_be_bytes());
    pdu
}

#[test]
fn a_malformed_message_is_answered_with_the_response_of_its_command() {
    let mut smsc = smsc();
    smsc.receive(Instant::ZERO, &shortened(request(Pdu::SubmitSm(submit_sm("hello")), 2)));
    assert_eq!(
        smsc.take_events(),
        [OwnedEvent::Malformed(CommandId::SUBMIT_SM, DecodeErrorKind::LengthOverrun)]
    );
    assert_eq!(pdus(&smsc.transmit()), [(CommandId::SUBMIT_SM_RESP, CommandStatus::RINVMSGLEN, 2, &b""[..])]);
    smsc.receive(Instant::ZERO, &request(Pdu::SubmitSm(submit_sm("hello")), 3));
    assert_eq!(smsc.take_events(), [OwnedEvent::Request(CommandId::SUBMIT_SM)], "the session continues");

    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    esme.receive(Instant::ZERO, &shortened(request(Pdu::DeliverSm(deliver_sm("hello")), 5)));
    assert_eq!(
        esme.take_events(),
        [OwnedEvent::Malformed(CommandId::DELIVER_SM, DecodeErrorKind::LengthOverrun)]
    );
    assert_eq!(
        pdus(&esme.transmit()),
        [(CommandId::DELIVER_SM_RESP, CommandStatus::RINVMSGLEN, 5, &b"\0"[..])]
    );
}

#[test]
fn after_a_malformed_bind_another_can_be_sent() {
    let mut smsc = Peer::<Smsc>::new(Config::default());
    smsc.receive(Instant::ZERO, &raw(CommandId::BIND_RECEIVER, CommandStatus::ROK, 1, b"ESME"));
    assert_eq!(
        pdus(&smsc.transmit()),
        [(CommandId::BIND_RECEIVER_RESP, CommandStatus::RINVSYSID, 1, &b""[..])]
    );
    smsc.receive(Instant::ZERO, &request(Pdu::Bind(bind(BindMode::Receiver)), 2));
    assert_eq!(smsc.binds.len(), 1);
}

#[test]
fn an_unknown_command_is_nacked_with_its_number() {
    let mut smsc = smsc();
    smsc.receive(Instant::ZERO, &raw(CommandId(0x0001_0200), CommandStatus::ROK, 0x8000_0042, b"body"));
    let nack = (CommandId::GENERIC_NACK, CommandStatus::RINVCMDID, 0x8000_0042, &b""[..]);
    assert_eq!(pdus(&smsc.transmit()), [nack]);
    assert_eq!(
        smsc.take_events(),
        [OwnedEvent::Malformed(CommandId(0x0001_0200), DecodeErrorKind::UnknownCommand)]
    );
}

#[test]
fn a_strict_session_nacks_an_unknown_command_too() {
    let config = Config::default().tolerance(Tolerance::STRICT);
    let mut smsc = bound_smsc(config, BindMode::Transceiver);
    smsc.receive(Instant::ZERO, &raw(CommandId(0x0000_0077), CommandStatus::ROK, 0, b""));
    smsc.receive(Instant::ZERO, &raw(CommandId(0x0000_0077), CommandStatus::RSYSERR, 2, b""));
    let nack = |sequence| (CommandId::GENERIC_NACK, CommandStatus::RINVCMDID, sequence, &b""[..]);
    assert_eq!(pdus(&smsc.transmit()), [nack(0), nack(2)], "an unknown command has no response of its own");
}

#[test]
fn a_response_is_never_answered() {
    let mut smsc = smsc();
    smsc.receive(Instant::ZERO, &raw(CommandId(0x8000_0077), CommandStatus::ROK, 1, b""));
    smsc.receive(Instant::ZERO, &raw(CommandId::SUBMIT_SM_RESP, CommandStatus::ROK, 1, &[0x41, 0, 9]));
    smsc.receive(Instant::ZERO, &octets(Pdu::GenericNack, CommandStatus::RINVCMDID, 1));
    smsc.receive(Instant::ZERO, &octets(Pdu::EnquireLinkResp, CommandStatus::ROK, 1));
    assert_eq!(smsc.transmit(), b"", "two peers could answer each other for ever");
    let events = [
        OwnedEvent::Malformed(CommandId(0x8000_0077), DecodeErrorKind::UnknownCommand),
        OwnedEvent::UnexpectedResponse(CommandId::SUBMIT_SM_RESP),
        OwnedEvent::UnexpectedResponse(CommandId::GENERIC_NACK),
        OwnedEvent::UnexpectedResponse(CommandId::ENQUIRE_LINK_RESP),
    ];
    assert_eq!(smsc.take_events(), events);
}

#[test]
fn a_request_in_the_wrong_state_or_direction_is_refused() {
    let mut smsc = Peer::<Smsc>::new(Config::default());
    smsc.receive(Instant::ZERO, &request(Pdu::SubmitSm(submit_sm("early")), 1));
    assert_eq!(pdus(&smsc.transmit()), [(CommandId::SUBMIT_SM_RESP, CommandStatus::RINVBNDSTS, 1, &b""[..])]);
    assert_eq!(smsc.take_events(), [OwnedEvent::Refused(CommandId::SUBMIT_SM, CommandStatus::RINVBNDSTS)]);
    assert_eq!(smsc.session.state(), State::Open);

    let mut receiver = bound_smsc(Config::default(), BindMode::Receiver);
    receiver.receive(Instant::ZERO, &request(Pdu::SubmitSm(submit_sm("wrong mode")), 2));
    receiver.receive(Instant::ZERO, &request(Pdu::DeliverSm(deliver_sm("wrong side")), 3));
    let refused = [
        (CommandId::SUBMIT_SM_RESP, CommandStatus::RINVBNDSTS, 2, &b""[..]),
        (CommandId::DELIVER_SM_RESP, CommandStatus::RINVBNDSTS, 3, &b"\0"[..]),
    ];
    assert_eq!(pdus(&receiver.transmit()), refused);

    let mut transmitter = bound_esme(Config::default(), BindMode::Transmitter);
    transmitter.receive(Instant::ZERO, &request(Pdu::DeliverSm(deliver_sm("not bound for this")), 1));
    let refused = (CommandId::DELIVER_SM_RESP, CommandStatus::RINVBNDSTS, 1, &b"\0"[..]);
    assert_eq!(pdus(&transmitter.transmit()), [refused]);
}

#[test]
fn too_many_malformed_pdus_end_the_session() {
    let mut smsc = bound_smsc(Config::default().max_malformed(2), BindMode::Transceiver);
    smsc.receive(Instant::ZERO, &raw(CommandId(0x77), CommandStatus::ROK, 2, b""));
    for sequence in 3..10 {
        smsc.receive(Instant::ZERO, &raw(CommandId::SUBMIT_SM, CommandStatus::ROK, sequence, b"no NUL"));
    }
    assert_eq!(pdus(&smsc.transmit()).len(), 3, "the last one is also answered, and no more are read");
    let stats = smsc.session.stats();
    assert_eq!(
        (stats.unknown_commands, stats.malformed),
        (1, 2),
        "an unknown command counts against the limit"
    );
    smsc.handle_timeouts(Instant::ZERO);
    assert_eq!(smsc.closed, Some(CloseReason::TooManyMalformed));
}

#[test]
fn a_tolerated_deviation_is_accepted_and_counted() {
    let mut smsc = smsc();
    smsc.receive(Instant::ZERO, &octets(Pdu::SubmitSm(submit_sm("hello")), CommandStatus::RSYSERR, 0));
    assert_eq!(smsc.take_events(), [OwnedEvent::Request(CommandId::SUBMIT_SM)]);
    smsc.accept("id");
    assert_eq!(pdus(&smsc.transmit()), [(CommandId::SUBMIT_SM_RESP, CommandStatus::ROK, 0, &b"id\0"[..])]);
    assert_eq!((smsc.session.stats().quirks, smsc.session.stats().malformed), (1, 0));
}

#[test]
fn debug_output_hides_the_password() {
    let mut esme = Peer::new(Config::default());
    esme.request(Instant::ZERO, &bind(BindMode::Transceiver), "bind").unwrap();
    let mut smsc = Session::<Smsc, ()>::new(Config::default(), Instant::ZERO);
    let printed = format!("{:?}", esme.session);
    let octets = esme.transmit();
    let event = smsc.handle_input(Instant::ZERO, &mut &octets[..]);
    let printed = printed + &format!("{event:?} {smsc:?}");
    for secret in ["secret", "115, 101, 99, 114, 101, 116", "73, 65, 63"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[test]
fn a_peer_of_version_3_3_gets_no_tlvs() {
    let mut pair = Pair::new(Config::default(), Config::default());
    let old = Bind { interface_version: InterfaceVersion::V3_3, ..bind(BindMode::Transceiver) };
    pair.esme.request(pair.now, &old, "bind").unwrap();
    pair.settle();
    let tlvs = [Tlv::u8(Tag::SC_INTERFACE_VERSION, 0x34)];
    let reply = pair.smsc.binds.pop_front().unwrap();
    let response = BindResp { tlvs: Tlvs::list(&tlvs), ..BindResp::default() };
    pair.smsc.session.respond(reply, Ok(response)).unwrap();
    assert_eq!(
        pdus(&pair.smsc.transmit()),
        [(CommandId::BIND_TRANSCEIVER_RESP, CommandStatus::ROK, 1, &b"\0"[..])]
    );

    let text = [Tlv::new(Tag::MESSAGE_PAYLOAD, b"the text").unwrap()];
    let message = DeliverSm { tlvs: Tlvs::list(&text), ..deliver_sm("") };
    assert_eq!(
        pair.smsc.request(pair.now, &message, "news"),
        Err(Refusal::TlvsUnsupported),
        "the message is not sent without its text"
    );
    assert!(pair.smsc.request(pair.now, &deliver_sm("text"), "news").is_ok());
}

#[test]
fn an_smsc_refuses_a_message_that_it_cannot_deliver_as_it_was_meant() {
    let sm = request(Pdu::SubmitSm(submit_sm("hello")), 2);
    let body = &sm[16..];
    let truncated = [body, b"\x04\x24\0"].concat();
    let mut long_address = body.to_vec();
    let at = long_address.windows(10).position(|digits| digits == b"6591234567").unwrap();
    long_address.splice(at..at, [b'1'; 30]);
    for (body, status) in
        [(truncated, CommandStatus::RINVOPTPARSTREAM), (long_address, CommandStatus::RINVDSTADR)]
    {
        let mut smsc = smsc();
        smsc.receive(Instant::ZERO, &raw(CommandId::SUBMIT_SM, CommandStatus::ROK, 2, &body));
        let answers = smsc.transmit();
        let [(CommandId::SUBMIT_SM_RESP, answered, 2, _)] = pdus(&answers)[..] else { panic!("{answers:?}") };
        assert_eq!(answered, status);
        // An ESME reads the same with its quirk.
        let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
        let quirks = esme.session.stats().quirks;
        esme.receive(Instant::ZERO, &raw(CommandId::DELIVER_SM, CommandStatus::ROK, 2, &body));
        assert_eq!(esme.take_events(), [OwnedEvent::Request(CommandId::DELIVER_SM)]);
        assert_eq!(esme.session.stats().quirks, quirks + 1);
    }
}

#[test]
fn an_smsc_accepts_a_password_that_is_too_long_by_default() {
    let mut smsc = Peer::<Smsc>::new(Config::default());
    let password = Password::new(b"ten-octets").unwrap();
    smsc.receive(Instant::ZERO, &request(Pdu::Bind(Bind { password, ..bind(BindMode::Transceiver) }), 1));
    assert_eq!(smsc.take_events(), [OwnedEvent::Request(CommandId::BIND_TRANSCEIVER)]);
}
