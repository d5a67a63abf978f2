//! How a session ends: once, and with an outcome for everything.

use smpp_core::session::{CloseReason, Config, Instant, Refusal, Smsc, State, Timer, UnansweredReason};
use smpp_core::{BindMode, CommandId, CommandStatus, Pdu};

use super::support::{
    Pair, Peer, SegmentOutcome, Told, accepted, bind, bind_resp, bound_esme, bound_smsc, deliver_sm, octets,
    raw, request, said, secs, submit_sm, submit_sm_resp,
};

/// The application takes its time, and nobody tells the session of it meanwhile.
#[test]
fn an_answer_that_took_long_leaves_the_peer_its_time() {
    let config = Config {
        drain_timeout: secs(60),
        response_timeout: secs(10),
        enquire_link_interval: None,
        ..Config::default()
    };
    let late = Instant::ZERO + secs(20);
    let asked = || {
        let mut smsc = bound_smsc(config, BindMode::Transceiver);
        smsc.hear(Instant::ZERO, &request(Pdu::SubmitSm(submit_sm("hello")), 2));
        smsc
    };
    let mut smsc = asked();
    smsc.hear(Instant::ZERO, &request(Pdu::Unbind, 3));
    smsc.accept("id");
    smsc.wake(late);
    assert_eq!(smsc.closed, None);
    let spoken = smsc.speak();
    let said: Vec<_> = said(&spoken).iter().map(|(command, ..)| *command).collect();
    assert_eq!(said, [CommandId::SUBMIT_SM_RESP, CommandId::UNBIND_RESP], "neither is lost");

    let mut smsc = asked();
    smsc.session.unbind(Instant::ZERO);
    smsc.accept("id");
    smsc.wake(late);
    smsc.speak();
    assert_eq!(smsc.session.poll_timeout(), Some((late + secs(10), Timer::Shutdown)), "to answer our unbind");

    let config = Config {
        inactivity_timeout: Some(secs(5)),
        enquire_link_interval: Some(secs(5)),
        ..Config::default()
    };
    let mut smsc = Peer::<Smsc>::new(config);
    smsc.hear(Instant::ZERO, &request(Pdu::Bind(bind(BindMode::Transceiver)), 1));
    let reply = smsc.binds.pop_front().unwrap();
    smsc.session.respond(reply, Ok(bind_resp())).unwrap();
    let decided = Instant::ZERO + secs(8);
    smsc.wake(decided);
    assert_eq!(smsc.session.state(), State::Bound(BindMode::Transceiver));
    assert_eq!(smsc.session.poll_timeout().map(|(at, _)| at), Some(decided + secs(5)));
}

#[test]
fn unbind_lets_finish_what_is_in_flight() {
    let mut pair = Pair::bound();
    pair.submit("last");
    pair.esme.session.unbind(pair.now);
    pair.settle();
    assert_eq!(pair.esme.submit(pair.now, "too late"), Err(Refusal::State(State::Unbinding)));
    assert_eq!(pair.smsc.told(), [Told::Request(CommandId::SUBMIT_SM)], "no unbind yet");
    pair.smsc.accept("id");
    pair.settle();
    let told = [Told::Outcome("last", accepted("id")), Told::Closed(CloseReason::Unbound)];
    assert_eq!(pair.esme.told(), told);
    assert_eq!(pair.smsc.told(), [Told::PeerUnbind, Told::Closed(CloseReason::PeerUnbound)]);
}

#[test]
fn unbind_waits_for_the_replies_we_owe() {
    let mut pair = Pair::bound();
    pair.submit("owed");
    pair.smsc.session.unbind(pair.now);
    pair.settle();
    assert!(pair.esme.told().is_empty(), "the unbind waits");
    pair.smsc.accept("id");
    pair.settle();
    assert_eq!(pair.esme.told()[..2], [Told::Outcome("owed", accepted("id")), Told::PeerUnbind]);
    assert_eq!(pair.smsc.closed, Some(CloseReason::Unbound));
}

#[test]
fn unbind_does_not_wait_for_ever() {
    let mut pair =
        Pair::bound_with(Config { drain_timeout: secs(5), ..Config::default() }, Config::default());
    pair.submit("never answered");
    pair.esme.session.unbind(pair.now);
    pair.advance(secs(4));
    assert_eq!(pair.esme.session.state(), State::Bound(BindMode::Transceiver));
    pair.advance(secs(1));
    assert_eq!(pair.esme.session.state(), State::Unbinding, "the unbind is out; the SMSC still owes a reply");
    pair.smsc.accept("just in time");
    pair.settle();
    let told =
        [Told::Outcome("never answered", accepted("just in time")), Told::Closed(CloseReason::Unbound)];
    assert_eq!(pair.esme.told(), told);
}

#[test]
fn an_unanswered_unbind_ends_by_time() {
    let mut pair = Pair::bound();
    pair.submit("in flight");
    pair.silence();
    pair.esme.session.unbind(pair.now);
    pair.advance(secs(5) + secs(10));
    let why = CloseReason::UnbindTimeout;
    let told = [
        Told::Outcome("in flight", SegmentOutcome::Unanswered(UnansweredReason::Timeout)),
        Told::Closed(why),
    ];
    assert_eq!(pair.esme.told(), told);
}

#[test]
fn crossed_unbinds_are_both_answered() {
    let mut pair = Pair::bound();
    pair.esme.session.unbind(pair.now);
    pair.smsc.session.unbind(pair.now);
    let (from_esme, from_smsc) = (pair.esme.speak(), pair.smsc.speak());
    pair.esme.hear(pair.now, &from_smsc);
    pair.smsc.hear(pair.now, &from_esme);
    let (from_esme, from_smsc) = (pair.esme.speak(), pair.smsc.speak());
    for answer in [&from_esme, &from_smsc] {
        assert_eq!(said(answer)[0].0, CommandId::UNBIND_RESP);
    }
    pair.esme.hear(pair.now, &from_smsc);
    pair.smsc.hear(pair.now, &from_esme);
    pair.settle();
    assert_eq!(pair.esme.told(), [Told::Closed(CloseReason::Unbound)]);
    assert_eq!(pair.smsc.told(), [Told::Closed(CloseReason::Unbound)]);
}

#[test]
fn an_unbind_of_the_peer_overtakes_ours_while_we_drain() {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    let sequence = esme.submit(Instant::ZERO, "hello").unwrap().0;
    esme.speak();
    esme.session.unbind(Instant::ZERO);
    esme.hear(Instant::ZERO, &request(Pdu::Unbind, 1));
    assert_eq!(said(&esme.speak()), [(CommandId::UNBIND_RESP, CommandStatus::ROK, 1, &b""[..])]);
    let resp = Pdu::SubmitSmResp(Some(submit_sm_resp("id")));
    esme.hear(Instant::ZERO, &octets(resp, CommandStatus::ROK, sequence));
    assert!(esme.speak().is_empty(), "one unbind is enough");
    let told =
        [Told::PeerUnbind, Told::Outcome("hello", accepted("id")), Told::Closed(CloseReason::PeerUnbound)];
    assert_eq!(esme.told(), told);
}

#[test]
fn the_peers_unbind_is_answered_after_the_replies_we_owe() {
    let mut smsc = bound_smsc(Config::default(), BindMode::Transceiver);
    smsc.hear(Instant::ZERO, &request(Pdu::SubmitSm(submit_sm("hello")), 2));
    smsc.hear(Instant::ZERO, &request(Pdu::Unbind, 3));
    assert_eq!(smsc.told(), [Told::Request(CommandId::SUBMIT_SM), Told::PeerUnbind]);
    assert!(smsc.speak().is_empty(), "first the answer to the message");
    smsc.accept("id");
    let answers = [
        (CommandId::SUBMIT_SM_RESP, CommandStatus::ROK, 2, &b"id\0"[..]),
        (CommandId::UNBIND_RESP, CommandStatus::ROK, 3, &b""[..]),
    ];
    assert_eq!(said(&smsc.speak()), answers);
    smsc.wake(Instant::ZERO);
    assert_eq!(smsc.told(), [Told::Closed(CloseReason::PeerUnbound)]);
}

#[test]
fn replies_that_never_come_do_not_keep_the_peers_unbind_waiting() {
    let mut smsc = bound_smsc(Config::default(), BindMode::Transceiver);
    smsc.hear(Instant::ZERO, &request(Pdu::SubmitSm(submit_sm("hello")), 2));
    smsc.hear(Instant::ZERO, &request(Pdu::Unbind, 3));
    smsc.wake(Instant::ZERO + secs(5));
    assert_eq!(said(&smsc.speak()), [(CommandId::UNBIND_RESP, CommandStatus::ROK, 3, &b""[..])]);
    smsc.wake(Instant::ZERO + secs(5));
    assert_eq!(smsc.closed, Some(CloseReason::PeerUnbound));
    let late = smsc.session.respond(smsc.submits.pop_front().unwrap(), Ok(submit_sm_resp("late")));
    assert_eq!(late, Err(Refusal::State(State::Closed)), "the caller learns that nobody saw it");
}

#[test]
fn answers_may_still_come_after_the_peers_unbind() {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    let sequence = esme.submit(Instant::ZERO, "hello").unwrap().0;
    esme.speak();
    esme.hear(Instant::ZERO, &request(Pdu::Unbind, 1));
    assert_eq!(said(&esme.speak())[0].0, CommandId::UNBIND_RESP);
    assert_eq!(esme.submit(Instant::ZERO, "late"), Err(Refusal::State(State::Unbinding)));
    let resp = Pdu::SubmitSmResp(Some(submit_sm_resp("id")));
    esme.hear(Instant::ZERO, &octets(resp, CommandStatus::ROK, sequence));
    let told =
        [Told::PeerUnbind, Told::Outcome("hello", accepted("id")), Told::Closed(CloseReason::PeerUnbound)];
    assert_eq!(esme.told(), told);
}

#[test]
fn answers_that_do_not_come_after_the_peers_unbind_are_given_up() {
    let mut esme = bound_esme(Config { drain_timeout: secs(5), ..Config::default() }, BindMode::Transceiver);
    esme.submit(Instant::ZERO, "hello").unwrap();
    esme.hear(Instant::ZERO, &request(Pdu::Unbind, 1));
    esme.speak();
    esme.wake(Instant::ZERO + secs(5));
    let why = CloseReason::PeerUnbound;
    let unanswered = SegmentOutcome::Unanswered(UnansweredReason::Closed(why));
    assert_eq!(esme.told(), [Told::PeerUnbind, Told::Outcome("hello", unanswered), Told::Closed(why)]);
}

#[test]
fn a_peer_that_closes_instead_of_answering_has_unbound() {
    let mut pair = Pair::bound();
    pair.esme.session.unbind(pair.now);
    pair.esme.speak();
    pair.cut();
    assert_eq!(pair.esme.told(), [Told::Closed(CloseReason::Unbound)]);
    assert_eq!(pair.smsc.told(), [Told::Closed(CloseReason::Disconnected)], "it never saw the unbind");
}

#[test]
fn an_unbind_before_the_bind_is_refused_to_the_peer_and_just_ends_for_us() {
    let mut smsc = Peer::<Smsc>::new(Config::default());
    smsc.hear(Instant::ZERO, &request(Pdu::Unbind, 1));
    assert_eq!(smsc.told(), [Told::Refused(CommandId::UNBIND, CommandStatus::RINVBNDSTS)]);
    smsc.session.unbind(Instant::ZERO);
    smsc.wake(Instant::ZERO);
    assert_eq!(smsc.closed, None, "the answer is not out yet");
    assert_eq!(said(&smsc.speak()), [(CommandId::UNBIND_RESP, CommandStatus::RINVBNDSTS, 1, &b""[..])]);
    smsc.wake(Instant::ZERO);
    assert_eq!(smsc.told(), [Told::Closed(CloseReason::Unbound)]);
}

#[test]
fn a_lost_connection_ends_every_request() {
    let mut pair = Pair::bound();
    for text in ["a", "b"] {
        pair.submit(text);
    }
    pair.cut();
    let why = CloseReason::Disconnected;
    let unanswered = |tag| Told::Outcome(tag, SegmentOutcome::Unanswered(UnansweredReason::Closed(why)));
    assert_eq!(pair.esme.told(), [unanswered("a"), unanswered("b"), Told::Closed(why)]);
    let reply = pair.smsc.submits.pop_front().unwrap();
    assert!(pair.smsc.session.respond(reply, Ok(submit_sm_resp("id"))).is_err());
}

#[test]
fn abort_ends_without_a_word() {
    let mut pair = Pair::bound();
    pair.esme.submit(pair.now, "not sent").unwrap();
    pair.esme.session.abort();
    assert_eq!(pair.esme.speak(), b"");
    pair.settle();
    let why = CloseReason::Aborted;
    assert_eq!(
        pair.esme.told(),
        [Told::Outcome("not sent", SegmentOutcome::NeverSent(why)), Told::Closed(why)]
    );
    assert_eq!(pair.smsc.told(), [Told::Closed(CloseReason::Disconnected)]);
}

#[test]
fn a_broken_length_ends_the_session_after_the_pdus_before_it() {
    let mut smsc = bound_smsc(Config::default(), BindMode::Transceiver);
    let message = request(Pdu::SubmitSm(submit_sm("hello")), 2);
    let broken = [[0, 0, 0, 15], [0, 0, 0, 0x15], [0; 4], [0, 0, 0, 3]].concat();
    smsc.hear(Instant::ZERO, &[&message[..], &request(Pdu::EnquireLink, 3), &broken, &message].concat());
    assert_eq!(smsc.told(), [Told::Request(CommandId::SUBMIT_SM)]);
    assert!(smsc.unread.is_empty(), "what follows cannot be read, and is not kept");
    let spoken = smsc.speak();
    let nack = (CommandId::GENERIC_NACK, CommandStatus::RINVCMDLEN, 0, &b""[..]);
    assert_eq!(said(&spoken)[1], nack, "after the enquire_link_resp");
    smsc.wake(Instant::ZERO);
    assert!(matches!(smsc.told()[..], [Told::Closed(CloseReason::Framing(error))] if error.length == 15));
}

#[test]
fn the_last_words_do_not_wait_for_a_transport_that_takes_nothing() {
    let mut smsc = bound_smsc(Config::default(), BindMode::Transceiver);
    smsc.hear(Instant::ZERO, &[0xFF; 16]);
    assert!(!smsc.session.wants_input());
    smsc.wake(Instant::ZERO + secs(9));
    assert_eq!(smsc.closed, None);
    smsc.wake(Instant::ZERO + secs(10));
    assert!(matches!(smsc.closed, Some(CloseReason::Framing(error)) if error.length == u32::MAX));
}

#[test]
fn nothing_follows_the_end() {
    let mut pair = Pair::bound();
    pair.submit("owed");
    pair.cut();
    pair.smsc.told();
    let smsc = &mut pair.smsc;
    smsc.hear(pair.now, &request(Pdu::EnquireLink, 7));
    smsc.hear(pair.now, &raw(CommandId(0x77), CommandStatus::ROK, 8, b""));
    smsc.hear(pair.now, &[0xFF; 16]);
    smsc.session.unbind(pair.now);
    smsc.session.abort();
    smsc.session.handle_eof();
    smsc.session.handle_transmitted(1000);
    smsc.wake(pair.now + secs(86_400));
    assert!(smsc.told().is_empty());
    assert_eq!(smsc.speak(), b"");
    assert_eq!((smsc.session.state(), smsc.session.poll_timeout()), (State::Closed, None));
    assert!(!smsc.session.wants_input());
    let refused = smsc.request(pair.now, &deliver_sm("no"), "no");
    assert_eq!(refused, Err(Refusal::State(State::Closed)));
}
