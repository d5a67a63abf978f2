//! Binding: modes, refusals, versions and timeouts.

use smpp_proto::session::{CloseReason, Config, Instant, Readiness, Refusal, Smsc, State, UnansweredReason};
use smpp_proto::{BindMode, BindResp, CommandId, CommandStatus, InterfaceVersion, Pdu, Tag, Tlv, Tlvs};

use super::support::{
    OwnedEvent, OwnedOutcome, Pair, Peer, accepted, bind, bind_resp, bound_esme, deliver_sm, octets, pdus,
    raw, request, secs,
};

const MODES: [BindMode; 3] = [BindMode::Receiver, BindMode::Transmitter, BindMode::Transceiver];

#[test]
fn a_bind_opens_the_directions_of_its_mode() {
    for mode in MODES {
        let mut pair = Pair::new(Config::default(), Config::default());
        pair.bind(mode);
        assert_eq!(pair.esme.take_events(), [OwnedEvent::Outcome("bind", accepted("SMSC"))]);
        assert_eq!(pair.smsc.take_events(), [OwnedEvent::Request(mode.command())]);
        let bound = State::Bound(mode);
        assert_eq!((pair.esme.session.state(), pair.smsc.session.state()), (bound, bound));

        let submitted = pair.esme.submit(pair.now, "hello");
        let delivered = pair.smsc.request(pair.now, &deliver_sm("hello"), "hello");
        assert_eq!(submitted.err(), (!mode.transmits()).then_some(Refusal::State(bound)), "{mode:?}");
        assert_eq!(delivered.err(), (!mode.receives()).then_some(Refusal::State(bound)), "{mode:?}");
    }
}

#[test]
fn nothing_is_sent_before_the_bind_is_answered() {
    let mut pair = Pair::new(Config::default(), Config::default());
    let open = Refusal::State(State::Open);
    assert_eq!(pair.esme.submit(pair.now, "early"), Err(open));
    assert_eq!(pair.smsc.request(pair.now, &deliver_sm("early"), "early"), Err(open));
    assert_eq!(pair.esme.session.readiness(pair.now), Readiness::Refusing(open));

    pair.esme.request(pair.now, &bind(BindMode::Transceiver), "bind").unwrap();
    pair.settle();
    assert_eq!(pair.esme.submit(pair.now, "still early"), Err(open));
    assert_eq!(pair.esme.request(pair.now, &bind(BindMode::Receiver), "second bind"), Err(open));
}

#[test]
fn after_a_refused_bind_another_can_be_sent() {
    let mut pair = Pair::new(Config::default(), Config::default());
    pair.esme.request(pair.now, &bind(BindMode::Transceiver), "wrong").unwrap();
    pair.settle();
    let reply = pair.smsc.binds.pop_front().unwrap();
    pair.smsc.session.respond(reply, Err(CommandStatus::RINVPASWD)).unwrap();
    pair.settle();
    assert_eq!(
        pair.esme.take_events(),
        [OwnedEvent::Outcome("wrong", OwnedOutcome::Refused(CommandStatus::RINVPASWD))]
    );
    assert_eq!((pair.esme.session.state(), pair.smsc.session.state()), (State::Open, State::Open));

    pair.bind(BindMode::Transceiver);
    assert_eq!(pair.esme.take_events(), [OwnedEvent::Outcome("bind", accepted("SMSC"))]);
}

#[test]
fn after_a_generic_nack_for_a_bind_another_mode_can_be_tried() {
    let mut esme = Peer::new(Config::default());
    let sequence = esme.request(Instant::ZERO, &bind(BindMode::Transceiver), "transceiver").unwrap();
    esme.receive(Instant::ZERO, &octets(Pdu::GenericNack, CommandStatus::RINVCMDID, sequence.0));
    assert_eq!(
        esme.take_events(),
        [OwnedEvent::Outcome("transceiver", OwnedOutcome::Nacked(CommandStatus::RINVCMDID))]
    );
    assert!(esme.request(Instant::ZERO, &bind(BindMode::Transmitter), "transmitter").is_ok());
}

#[test]
fn the_session_refuses_a_second_bind() {
    let mut smsc = Peer::<Smsc>::new(Config::default());
    smsc.receive(Instant::ZERO, &request(Pdu::Bind(bind(BindMode::Receiver)), 1));
    smsc.receive(Instant::ZERO, &request(Pdu::Bind(bind(BindMode::Transmitter)), 2));
    let refused = (CommandId::BIND_TRANSMITTER_RESP, CommandStatus::RALYBND, 2, &b""[..]);
    assert_eq!(pdus(&smsc.transmit()), [refused]);

    let reply = smsc.binds.pop_front().unwrap();
    smsc.session.respond(reply, Ok(bind_resp())).unwrap();
    smsc.receive(Instant::ZERO, &request(Pdu::Bind(bind(BindMode::Transmitter)), 3));
    let accepted = (CommandId::BIND_RECEIVER_RESP, CommandStatus::ROK, 1, &b"SMSC\0"[..]);
    let refused = (CommandId::BIND_TRANSMITTER_RESP, CommandStatus::RALYBND, 3, &b""[..]);
    assert_eq!(pdus(&smsc.transmit()), [accepted, refused]);
    assert_eq!(smsc.session.state(), State::Bound(BindMode::Receiver));
    let refused_event = OwnedEvent::Refused(CommandId::BIND_TRANSMITTER, CommandStatus::RALYBND);
    assert_eq!(
        smsc.take_events(),
        [OwnedEvent::Request(CommandId::BIND_RECEIVER), refused_event.clone(), refused_event]
    );
}

#[test]
fn an_esme_refuses_a_bind() {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    esme.receive(Instant::ZERO, &request(Pdu::Bind(bind(BindMode::Receiver)), 1));
    let refused = (CommandId::BIND_RECEIVER_RESP, CommandStatus::RINVBNDSTS, 1, &b""[..]);
    assert_eq!(pdus(&esme.transmit()), [refused]);
}

#[test]
fn the_peer_version_is_available() {
    let mut pair = Pair::new(Config::default(), Config::default());
    pair.esme.request(pair.now, &bind(BindMode::Transceiver), "bind").unwrap();
    pair.settle();
    assert_eq!(pair.smsc.session.peer_version(), Some(InterfaceVersion::V3_4));
    let version = [Tlv::u8(Tag::SC_INTERFACE_VERSION, 0x50)];
    let reply = pair.smsc.binds.pop_front().unwrap();
    let resp = BindResp { tlvs: Tlvs::list(&version), ..bind_resp() };
    pair.smsc.session.respond(reply, Ok(resp)).unwrap();
    pair.settle();
    assert_eq!(pair.esme.session.peer_version(), Some(InterfaceVersion::V5_0));
}

#[test]
fn after_an_unanswered_bind_another_can_be_sent() {
    let mut pair = Pair::new(Config::default(), Config::default().session_init_timeout(secs(3600)));
    pair.esme.request(pair.now, &bind(BindMode::Transceiver), "bind").unwrap();
    pair.advance(secs(10));
    let unanswered = OwnedOutcome::Unanswered(UnansweredReason::Timeout);
    assert_eq!(pair.esme.take_events(), [OwnedEvent::Outcome("bind", unanswered)]);
    assert!(pair.esme.request(pair.now, &bind(BindMode::Transceiver), "again").is_ok());
}

#[test]
fn other_pdus_do_not_extend_the_session_init_timeout() {
    let mut smsc = Peer::<Smsc>::new(Config::default().session_init_timeout(secs(10)));
    let enquire_link = request(Pdu::EnquireLink, 1);
    let malformed_bind = raw(CommandId::BIND_TRANSCEIVER, CommandStatus::ROK, 2, b"no NUL");
    let slow_input = [&enquire_link[..], &malformed_bind, &enquire_link].concat();
    let mut now = Instant::ZERO;
    // A few octets each second do not keep the connection open.
    for octets in slow_input.chunks(7) {
        now = now + secs(1);
        smsc.receive(now, octets);
        smsc.handle_timeouts(now);
        assert_eq!(smsc.closed, None);
    }
    smsc.receive(now, &request(Pdu::Bind(bind(BindMode::Transceiver)), 3));
    smsc.handle_timeouts(Instant::ZERO + secs(10));
    assert_eq!(
        smsc.closed,
        Some(CloseReason::SessionInit),
        "a bind that is not accepted yet does not stop the timeout"
    );
}

#[test]
fn an_accepted_bind_stops_the_session_init_timeout() {
    let quiet = Config::default().enquire_link_interval(None);
    let mut pair = Pair::bound_with(quiet, quiet);
    pair.advance(secs(3600));
    assert_eq!((pair.esme.closed, pair.smsc.closed), (None, None));
}

#[test]
fn an_error_response_with_rok_is_sent_as_rsyserr() {
    let mut pair = Pair::new(Config::default(), Config::default());
    pair.esme.request(pair.now, &bind(BindMode::Transceiver), "bind").unwrap();
    pair.settle();
    let reply = pair.smsc.binds.pop_front().unwrap();
    pair.smsc.session.respond(reply, Err(CommandStatus::ROK)).unwrap();
    pair.settle();
    assert_eq!(
        pair.esme.take_events(),
        [OwnedEvent::Outcome("bind", OwnedOutcome::Refused(CommandStatus::RSYSERR))]
    );
    assert_eq!((pair.esme.session.state(), pair.smsc.session.state()), (State::Open, State::Open));
}

#[test]
fn a_bind_response_that_is_too_long_is_replaced_by_a_refusal() {
    let config = Config::default().max_pdu(40);
    let mut pair = Pair::new(Config::default(), config);
    pair.esme.request(pair.now, &bind(BindMode::Transceiver), "bind").unwrap();
    pair.settle();
    let long = [Tlv::new(Tag(0x1400), &[0; 30]).unwrap()];
    let reply = pair.smsc.binds.pop_front().unwrap();
    let response = BindResp { tlvs: Tlvs::list(&long), ..bind_resp() };
    assert_eq!(pair.smsc.session.respond(reply, Ok(response)), Err(Refusal::TooLong));
    assert_eq!(pair.smsc.session.state(), State::Open);
    pair.settle();
    assert_eq!(
        pair.esme.take_events(),
        [OwnedEvent::Outcome("bind", OwnedOutcome::Refused(CommandStatus::RSYSERR))]
    );
    pair.bind(BindMode::Transceiver);
    assert_eq!(pair.smsc.session.state(), State::Bound(BindMode::Transceiver));
    pair.advance(config.session_init_timeout);
    assert_eq!(pair.smsc.closed, None, "the bind was accepted within the timeout");
}
