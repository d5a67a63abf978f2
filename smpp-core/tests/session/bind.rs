//! How a session begins.

use smpp_core::session::{CloseReason, Config, Instant, Readiness, Refusal, Smsc, State, UnansweredReason};
use smpp_core::{BindMode, BindResp, CommandId, CommandStatus, InterfaceVersion, Pdu, Tag, Tlv, Tlvs};

use super::support::{
    Pair, Peer, SegmentOutcome, Told, accepted, bind, bind_resp, bound_esme, deliver_sm, octets, raw,
    request, said, secs,
};

const MODES: [BindMode; 3] = [BindMode::Receiver, BindMode::Transmitter, BindMode::Transceiver];

#[test]
fn a_bind_opens_the_directions_of_its_mode() {
    for mode in MODES {
        let mut pair = Pair::new(Config::default(), Config::default());
        pair.bind(mode);
        assert_eq!(pair.esme.told(), [Told::Outcome("bind", accepted("SMSC"))]);
        assert_eq!(pair.smsc.told(), [Told::Request(mode.command())]);
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
fn a_refused_bind_may_be_tried_again() {
    let mut pair = Pair::new(Config::default(), Config::default());
    pair.esme.request(pair.now, &bind(BindMode::Transceiver), "wrong").unwrap();
    pair.settle();
    let reply = pair.smsc.binds.pop_front().unwrap();
    pair.smsc.session.respond(reply, Err(CommandStatus::RINVPASWD)).unwrap();
    pair.settle();
    assert_eq!(pair.esme.told(), [Told::Outcome("wrong", SegmentOutcome::Refused(CommandStatus::RINVPASWD))]);
    assert_eq!((pair.esme.session.state(), pair.smsc.session.state()), (State::Open, State::Open));

    pair.bind(BindMode::Transceiver);
    assert_eq!(pair.esme.told(), [Told::Outcome("bind", accepted("SMSC"))]);
}

#[test]
fn a_mode_the_peer_does_not_know_is_nacked_and_another_may_follow() {
    let mut esme = Peer::new(Config::default());
    let sequence = esme.request(Instant::ZERO, &bind(BindMode::Transceiver), "transceiver").unwrap();
    esme.hear(Instant::ZERO, &octets(Pdu::GenericNack, CommandStatus::RINVCMDID, sequence.0));
    assert_eq!(esme.told(), [Told::Outcome("transceiver", SegmentOutcome::Nacked(CommandStatus::RINVCMDID))]);
    assert!(esme.request(Instant::ZERO, &bind(BindMode::Transmitter), "transmitter").is_ok());
}

#[test]
fn a_bind_while_another_is_decided_or_accepted_is_refused_without_asking() {
    let mut smsc = Peer::<Smsc>::new(Config::default());
    smsc.hear(Instant::ZERO, &request(Pdu::Bind(bind(BindMode::Receiver)), 1));
    smsc.hear(Instant::ZERO, &request(Pdu::Bind(bind(BindMode::Transmitter)), 2));
    let refused = (CommandId::BIND_TRANSMITTER_RESP, CommandStatus::RALYBND, 2, &b""[..]);
    assert_eq!(said(&smsc.speak()), [refused]);

    let reply = smsc.binds.pop_front().unwrap();
    smsc.session.respond(reply, Ok(bind_resp())).unwrap();
    smsc.hear(Instant::ZERO, &request(Pdu::Bind(bind(BindMode::Transmitter)), 3));
    let accepted = (CommandId::BIND_RECEIVER_RESP, CommandStatus::ROK, 1, &b"SMSC\0"[..]);
    let refused = (CommandId::BIND_TRANSMITTER_RESP, CommandStatus::RALYBND, 3, &b""[..]);
    assert_eq!(said(&smsc.speak()), [accepted, refused]);
    assert_eq!(smsc.session.state(), State::Bound(BindMode::Receiver));
    let told = Told::Refused(CommandId::BIND_TRANSMITTER, CommandStatus::RALYBND);
    assert_eq!(smsc.told(), [Told::Request(CommandId::BIND_RECEIVER), told.clone(), told]);
}

#[test]
fn an_smsc_does_not_bind_to_an_esme() {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    esme.hear(Instant::ZERO, &request(Pdu::Bind(bind(BindMode::Receiver)), 1));
    let refused = (CommandId::BIND_RECEIVER_RESP, CommandStatus::RINVBNDSTS, 1, &b""[..]);
    assert_eq!(said(&esme.speak()), [refused]);
}

#[test]
fn the_version_of_the_peer_is_visible() {
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
fn an_unanswered_bind_times_out_and_frees_the_way_for_another() {
    let mut pair =
        Pair::new(Config::default(), Config { session_init_timeout: secs(3600), ..Config::default() });
    pair.esme.request(pair.now, &bind(BindMode::Transceiver), "bind").unwrap();
    pair.advance(secs(10));
    let unanswered = SegmentOutcome::Unanswered(UnansweredReason::Timeout);
    assert_eq!(pair.esme.told(), [Told::Outcome("bind", unanswered)]);
    assert!(pair.esme.request(pair.now, &bind(BindMode::Transceiver), "again").is_ok());
}

#[test]
fn an_smsc_waits_for_a_bind_once_whatever_comes_meanwhile() {
    let mut smsc = Peer::<Smsc>::new(Config { session_init_timeout: secs(10), ..Config::default() });
    let enquire_link = request(Pdu::EnquireLink, 1);
    let malformed_bind = raw(CommandId::BIND_TRANSCEIVER, CommandStatus::ROK, 2, b"no NUL");
    let trickle = [&enquire_link[..], &malformed_bind, &enquire_link].concat();
    let mut now = Instant::ZERO;
    // A few octets each second do not hold the connection.
    for octets in trickle.chunks(7) {
        now = now + secs(1);
        smsc.hear(now, octets);
        smsc.wake(now);
        assert_eq!(smsc.closed, None);
    }
    smsc.hear(now, &request(Pdu::Bind(bind(BindMode::Transceiver)), 3));
    smsc.wake(Instant::ZERO + secs(10));
    assert_eq!(smsc.closed, Some(CloseReason::SessionInit), "nor does a bind that nobody has accepted yet");
}

#[test]
fn an_accepted_bind_stops_the_wait() {
    let quiet = Config { enquire_link_interval: None, ..Config::default() };
    let mut pair = Pair::bound_with(quiet, quiet);
    pair.advance(secs(3600));
    assert_eq!((pair.esme.closed, pair.smsc.closed), (None, None));
}

#[test]
fn a_refusal_with_ok_does_not_pass_for_a_success() {
    let mut pair = Pair::new(Config::default(), Config::default());
    pair.esme.request(pair.now, &bind(BindMode::Transceiver), "bind").unwrap();
    pair.settle();
    let reply = pair.smsc.binds.pop_front().unwrap();
    pair.smsc.session.respond(reply, Err(CommandStatus::ROK)).unwrap();
    pair.settle();
    assert_eq!(pair.esme.told(), [Told::Outcome("bind", SegmentOutcome::Refused(CommandStatus::RSYSERR))]);
    assert_eq!((pair.esme.session.state(), pair.smsc.session.state()), (State::Open, State::Open));
}

#[test]
fn a_bind_whose_response_is_too_long_is_refused_and_binds_nobody() {
    let config = Config { max_pdu: 40, ..Config::default() };
    let mut pair = Pair::new(Config::default(), config);
    pair.esme.request(pair.now, &bind(BindMode::Transceiver), "bind").unwrap();
    pair.settle();
    let long = [Tlv::new(Tag(0x1400), &[0; 30]).unwrap()];
    let reply = pair.smsc.binds.pop_front().unwrap();
    let response = BindResp { tlvs: Tlvs::list(&long), ..bind_resp() };
    assert_eq!(pair.smsc.session.respond(reply, Ok(response)), Err(Refusal::TooLong));
    assert_eq!(pair.smsc.session.state(), State::Open);
    pair.settle();
    assert_eq!(pair.esme.told(), [Told::Outcome("bind", SegmentOutcome::Refused(CommandStatus::RSYSERR))]);
    pair.bind(BindMode::Transceiver);
    assert_eq!(pair.smsc.session.state(), State::Bound(BindMode::Transceiver));
    pair.advance(config.session_init_timeout);
    assert_eq!(pair.smsc.closed, None, "bound in time");
}
