//! The end of a session: exactly one end, and an outcome for each request.

use smpp_proto::session::{CloseReason, Config, Instant, Refusal, Smsc, State, Timer, UnansweredReason};
use smpp_proto::{BindMode, CommandId, CommandStatus, Pdu};

use super::support::{
    OwnedEvent, OwnedOutcome, Pair, Peer, accepted, bind, bind_resp, bound_esme, bound_smsc, deliver_sm,
    octets, pdus, raw, request, secs, submit_sm, submit_sm_resp,
};

/// The application answers late, and the session gets no time in between.
#[test]
fn timers_that_a_late_response_starts_begin_at_the_next_known_time() {
    let config =
        Config::default().drain_timeout(secs(60)).response_timeout(secs(10)).enquire_link_interval(None);
    let late = Instant::ZERO + secs(20);
    let with_request = || {
        let mut smsc = bound_smsc(config, BindMode::Transceiver);
        smsc.receive(Instant::ZERO, &request(Pdu::SubmitSm(submit_sm("hello")), 2));
        smsc
    };
    let mut smsc = with_request();
    smsc.receive(Instant::ZERO, &request(Pdu::Unbind, 3));
    smsc.accept("id");
    smsc.handle_timeouts(late);
    assert_eq!(smsc.closed, None);
    let output = smsc.transmit();
    let commands: Vec<_> = pdus(&output).iter().map(|(command, ..)| *command).collect();
    assert_eq!(commands, [CommandId::SUBMIT_SM_RESP, CommandId::UNBIND_RESP], "both are sent");

    let mut smsc = with_request();
    smsc.session.unbind(Instant::ZERO);
    smsc.accept("id");
    smsc.handle_timeouts(late);
    smsc.transmit();
    assert_eq!(
        smsc.session.poll_timeout(),
        Some((late + secs(10), Timer::Shutdown)),
        "the peer has the whole time to answer the unbind"
    );

    let config = Config::default().inactivity_timeout(secs(5)).enquire_link_interval(secs(5));
    let mut smsc = Peer::<Smsc>::new(config);
    smsc.receive(Instant::ZERO, &request(Pdu::Bind(bind(BindMode::Transceiver)), 1));
    let reply = smsc.binds.pop_front().unwrap();
    smsc.session.respond(reply, Ok(bind_resp())).unwrap();
    let answered = Instant::ZERO + secs(8);
    smsc.handle_timeouts(answered);
    assert_eq!(smsc.session.state(), State::Bound(BindMode::Transceiver));
    assert_eq!(smsc.session.poll_timeout().map(|(at, _)| at), Some(answered + secs(5)));
}

#[test]
fn unbind_waits_for_requests_in_flight() {
    let mut pair = Pair::bound();
    pair.submit("last");
    pair.esme.session.unbind(pair.now);
    pair.settle();
    assert_eq!(pair.esme.submit(pair.now, "too late"), Err(Refusal::Closing(CloseReason::Unbound)));
    assert_eq!(pair.smsc.take_events(), [OwnedEvent::Request(CommandId::SUBMIT_SM)], "no unbind yet");
    pair.smsc.accept("id");
    pair.settle();
    let events = [OwnedEvent::Outcome("last", accepted("id")), OwnedEvent::Closed(CloseReason::Unbound)];
    assert_eq!(pair.esme.take_events(), events);
    assert_eq!(
        pair.smsc.take_events(),
        [OwnedEvent::PeerUnbind, OwnedEvent::Closed(CloseReason::PeerUnbound)]
    );
}

#[test]
fn unbind_waits_for_responses_of_the_application() {
    let mut pair = Pair::bound();
    pair.submit("owed");
    pair.smsc.session.unbind(pair.now);
    pair.settle();
    assert!(pair.esme.take_events().is_empty(), "the unbind is not sent yet");
    pair.smsc.accept("id");
    pair.settle();
    assert_eq!(
        pair.esme.take_events()[..2],
        [OwnedEvent::Outcome("owed", accepted("id")), OwnedEvent::PeerUnbind]
    );
    assert_eq!(pair.smsc.closed, Some(CloseReason::Unbound));
}

#[test]
fn unbind_waits_only_until_the_drain_timeout() {
    let mut pair = Pair::bound_with(Config::default().drain_timeout(secs(5)), Config::default());
    pair.submit("never answered");
    pair.esme.session.unbind(pair.now);
    pair.advance(secs(4));
    assert_eq!(pair.esme.session.state(), State::Bound(BindMode::Transceiver));
    pair.advance(secs(1));
    assert_eq!(
        pair.esme.session.state(),
        State::Unbinding,
        "the unbind is sent; the SMSC has not answered the message"
    );
    pair.smsc.accept("just in time");
    pair.settle();
    let events = [
        OwnedEvent::Outcome("never answered", accepted("just in time")),
        OwnedEvent::Closed(CloseReason::Unbound),
    ];
    assert_eq!(pair.esme.take_events(), events);
}

#[test]
fn an_unanswered_unbind_times_out() {
    let mut pair = Pair::bound();
    pair.submit("in flight");
    pair.lose_octets();
    pair.esme.session.unbind(pair.now);
    pair.advance(secs(5) + secs(10));
    let reason = CloseReason::UnbindTimeout;
    let events = [
        OwnedEvent::Outcome("in flight", OwnedOutcome::Unanswered(UnansweredReason::Timeout)),
        OwnedEvent::Closed(reason),
    ];
    assert_eq!(pair.esme.take_events(), events);
}

#[test]
fn crossed_unbinds_are_both_answered() {
    let mut pair = Pair::bound();
    pair.esme.session.unbind(pair.now);
    pair.smsc.session.unbind(pair.now);
    let (from_esme, from_smsc) = (pair.esme.transmit(), pair.smsc.transmit());
    pair.esme.receive(pair.now, &from_smsc);
    pair.smsc.receive(pair.now, &from_esme);
    let (from_esme, from_smsc) = (pair.esme.transmit(), pair.smsc.transmit());
    for answer in [&from_esme, &from_smsc] {
        assert_eq!(pdus(answer)[0].0, CommandId::UNBIND_RESP);
    }
    pair.esme.receive(pair.now, &from_smsc);
    pair.smsc.receive(pair.now, &from_esme);
    pair.settle();
    assert_eq!(pair.esme.take_events(), [OwnedEvent::Closed(CloseReason::Unbound)]);
    assert_eq!(pair.smsc.take_events(), [OwnedEvent::Closed(CloseReason::Unbound)]);
}

#[test]
fn an_unbind_of_the_peer_replaces_ours_while_we_drain() {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    let sequence = esme.submit(Instant::ZERO, "hello").unwrap().0;
    esme.transmit();
    esme.session.unbind(Instant::ZERO);
    esme.receive(Instant::ZERO, &request(Pdu::Unbind, 1));
    assert_eq!(pdus(&esme.transmit()), [(CommandId::UNBIND_RESP, CommandStatus::ROK, 1, &b""[..])]);
    let resp = Pdu::SubmitSmResp(Some(submit_sm_resp("id")));
    esme.receive(Instant::ZERO, &octets(resp, CommandStatus::ROK, sequence));
    assert!(esme.transmit().is_empty(), "the session sends no unbind of its own");
    let events = [
        OwnedEvent::PeerUnbind,
        OwnedEvent::Outcome("hello", accepted("id")),
        OwnedEvent::Closed(CloseReason::PeerUnbound),
    ];
    assert_eq!(esme.take_events(), events);
}

#[test]
fn the_peers_unbind_is_answered_after_the_responses_of_the_application() {
    let mut smsc = bound_smsc(Config::default(), BindMode::Transceiver);
    smsc.receive(Instant::ZERO, &request(Pdu::SubmitSm(submit_sm("hello")), 2));
    smsc.receive(Instant::ZERO, &request(Pdu::Unbind, 3));
    assert_eq!(smsc.take_events(), [OwnedEvent::Request(CommandId::SUBMIT_SM), OwnedEvent::PeerUnbind]);
    assert!(smsc.transmit().is_empty(), "the message is answered first");
    smsc.accept("id");
    let answers = [
        (CommandId::SUBMIT_SM_RESP, CommandStatus::ROK, 2, &b"id\0"[..]),
        (CommandId::UNBIND_RESP, CommandStatus::ROK, 3, &b""[..]),
    ];
    assert_eq!(pdus(&smsc.transmit()), answers);
    smsc.handle_timeouts(Instant::ZERO);
    assert_eq!(smsc.take_events(), [OwnedEvent::Closed(CloseReason::PeerUnbound)]);
}

#[test]
fn missing_responses_of_the_application_delay_the_answer_to_unbind_only_until_the_drain_timeout() {
    let mut smsc = bound_smsc(Config::default(), BindMode::Transceiver);
    smsc.receive(Instant::ZERO, &request(Pdu::SubmitSm(submit_sm("hello")), 2));
    smsc.receive(Instant::ZERO, &request(Pdu::Unbind, 3));
    smsc.handle_timeouts(Instant::ZERO + secs(5));
    assert_eq!(pdus(&smsc.transmit()), [(CommandId::UNBIND_RESP, CommandStatus::ROK, 3, &b""[..])]);
    smsc.handle_timeouts(Instant::ZERO + secs(5));
    assert_eq!(smsc.closed, Some(CloseReason::PeerUnbound));
    let late = smsc.session.respond(smsc.submits.pop_front().unwrap(), Ok(submit_sm_resp("late")));
    let closed = Refusal::Closed(CloseReason::PeerUnbound);
    assert_eq!(late, Err(closed), "the caller learns that the response was not sent");
}

#[test]
fn responses_may_arrive_after_the_peers_unbind() {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    let sequence = esme.submit(Instant::ZERO, "hello").unwrap().0;
    esme.transmit();
    esme.receive(Instant::ZERO, &request(Pdu::Unbind, 1));
    assert_eq!(pdus(&esme.transmit())[0].0, CommandId::UNBIND_RESP);
    assert_eq!(esme.submit(Instant::ZERO, "late"), Err(Refusal::Closing(CloseReason::PeerUnbound)));
    let resp = Pdu::SubmitSmResp(Some(submit_sm_resp("id")));
    esme.receive(Instant::ZERO, &octets(resp, CommandStatus::ROK, sequence));
    let events = [
        OwnedEvent::PeerUnbind,
        OwnedEvent::Outcome("hello", accepted("id")),
        OwnedEvent::Closed(CloseReason::PeerUnbound),
    ];
    assert_eq!(esme.take_events(), events);
}

#[test]
fn after_the_peers_unbind_missing_responses_time_out() {
    let mut esme = bound_esme(Config::default().drain_timeout(secs(5)), BindMode::Transceiver);
    esme.submit(Instant::ZERO, "hello").unwrap();
    esme.receive(Instant::ZERO, &request(Pdu::Unbind, 1));
    esme.transmit();
    esme.handle_timeouts(Instant::ZERO + secs(5));
    let reason = CloseReason::PeerUnbound;
    let unanswered = OwnedOutcome::Unanswered(UnansweredReason::Closed(reason));
    assert_eq!(
        esme.take_events(),
        [OwnedEvent::PeerUnbind, OwnedEvent::Outcome("hello", unanswered), OwnedEvent::Closed(reason)]
    );
}

#[test]
fn closing_the_connection_counts_as_an_answer_to_unbind() {
    let mut pair = Pair::bound();
    pair.esme.session.unbind(pair.now);
    pair.esme.transmit();
    pair.cut();
    assert_eq!(pair.esme.take_events(), [OwnedEvent::Closed(CloseReason::Unbound)]);
    assert_eq!(
        pair.smsc.take_events(),
        [OwnedEvent::Closed(CloseReason::Disconnected)],
        "the unbind did not arrive"
    );
}

#[test]
fn before_a_bind_an_unbind_of_the_peer_is_refused_and_one_of_ours_ends_the_session() {
    let mut smsc = Peer::<Smsc>::new(Config::default());
    smsc.receive(Instant::ZERO, &request(Pdu::Unbind, 1));
    assert_eq!(smsc.take_events(), [OwnedEvent::Refused(CommandId::UNBIND, CommandStatus::RINVBNDSTS)]);
    smsc.session.unbind(Instant::ZERO);
    smsc.handle_timeouts(Instant::ZERO);
    assert_eq!(smsc.closed, None, "the response is not transmitted yet");
    assert_eq!(pdus(&smsc.transmit()), [(CommandId::UNBIND_RESP, CommandStatus::RINVBNDSTS, 1, &b""[..])]);
    smsc.handle_timeouts(Instant::ZERO);
    assert_eq!(smsc.take_events(), [OwnedEvent::Closed(CloseReason::Unbound)]);
}

#[test]
fn a_lost_connection_gives_each_request_an_outcome() {
    let mut pair = Pair::bound();
    for text in ["a", "b"] {
        pair.submit(text);
    }
    pair.cut();
    let reason = CloseReason::Disconnected;
    let unanswered =
        |tag| OwnedEvent::Outcome(tag, OwnedOutcome::Unanswered(UnansweredReason::Closed(reason)));
    assert_eq!(pair.esme.take_events(), [unanswered("a"), unanswered("b"), OwnedEvent::Closed(reason)]);
    let reply = pair.smsc.submits.pop_front().unwrap();
    assert!(pair.smsc.session.respond(reply, Ok(submit_sm_resp("id"))).is_err());
}

#[test]
fn abort_sends_nothing() {
    let mut pair = Pair::bound();
    pair.esme.submit(pair.now, "not sent").unwrap();
    pair.esme.session.abort();
    assert_eq!(pair.esme.transmit(), b"");
    pair.settle();
    let reason = CloseReason::Aborted;
    assert_eq!(
        pair.esme.take_events(),
        [OwnedEvent::Outcome("not sent", OwnedOutcome::NeverSent(reason)), OwnedEvent::Closed(reason)]
    );
    assert_eq!(pair.smsc.take_events(), [OwnedEvent::Closed(CloseReason::Disconnected)]);
}

#[test]
fn an_invalid_command_length_ends_the_session_after_the_pdus_before_it() {
    let mut smsc = bound_smsc(Config::default(), BindMode::Transceiver);
    let message = request(Pdu::SubmitSm(submit_sm("hello")), 2);
    let invalid = [[0, 0, 0, 15], [0, 0, 0, 0x15], [0; 4], [0, 0, 0, 3]].concat();
    smsc.receive(Instant::ZERO, &[&message[..], &request(Pdu::EnquireLink, 3), &invalid, &message].concat());
    assert_eq!(smsc.take_events(), [OwnedEvent::Request(CommandId::SUBMIT_SM)]);
    assert!(smsc.unread.is_empty(), "the octets after an invalid length are discarded");
    let output = smsc.transmit();
    let nack = (CommandId::GENERIC_NACK, CommandStatus::RINVCMDLEN, 0, &b""[..]);
    assert_eq!(pdus(&output)[1], nack, "after the enquire_link_resp");
    smsc.handle_timeouts(Instant::ZERO);
    assert!(
        matches!(smsc.take_events()[..], [OwnedEvent::Closed(CloseReason::Framing(error))] if error.length == 15)
    );
}

#[test]
fn the_last_output_waits_for_the_transport_only_until_the_response_timeout() {
    let mut smsc = bound_smsc(Config::default(), BindMode::Transceiver);
    smsc.receive(Instant::ZERO, &[0xFF; 16]);
    assert!(!smsc.session.wants_input());
    smsc.handle_timeouts(Instant::ZERO + secs(9));
    assert_eq!(smsc.closed, None);
    smsc.handle_timeouts(Instant::ZERO + secs(10));
    assert!(matches!(smsc.closed, Some(CloseReason::Framing(error)) if error.length == u32::MAX));
}

#[test]
fn no_event_and_no_output_follow_the_end() {
    let mut pair = Pair::bound();
    pair.submit("owed");
    pair.cut();
    pair.smsc.take_events();
    let smsc = &mut pair.smsc;
    smsc.receive(pair.now, &request(Pdu::EnquireLink, 7));
    smsc.receive(pair.now, &raw(CommandId(0x77), CommandStatus::ROK, 8, b""));
    smsc.receive(pair.now, &[0xFF; 16]);
    smsc.session.unbind(pair.now);
    smsc.session.abort();
    smsc.session.handle_eof();
    smsc.session.handle_disconnect();
    smsc.session.handle_transmitted(1000);
    smsc.handle_timeouts(pair.now + secs(86_400));
    assert!(smsc.take_events().is_empty());
    assert_eq!(smsc.transmit(), b"");
    assert_eq!((smsc.session.state(), smsc.session.poll_timeout()), (State::Closed, None));
    assert!(!smsc.session.wants_input());
    let refused = smsc.request(pair.now, &deliver_sm("no"), "no");
    assert_eq!(refused, Err(Refusal::Closed(smsc.closed.unwrap())));
}
