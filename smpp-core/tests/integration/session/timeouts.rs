//! Requests that time out: their places in the window, late responses, and whether the peer is alive.

use std::time::Duration;

use smpp_proto::session::{CloseReason, Config, Instant, Refusal, Timer, UnansweredReason};
use smpp_proto::{BindMode, CommandId, CommandStatus, Pdu, SequenceNumber};

use super::support::{
    OwnedEvent, OwnedOutcome, Pair, accepted, bound_esme, just_before, octets, pdus, secs, submit_sm_resp,
};

const NOW: Instant = Instant::ZERO;

fn timeout(tag: &'static str) -> OwnedEvent {
    OwnedEvent::Outcome(tag, OwnedOutcome::Unanswered(UnansweredReason::Timeout))
}

#[test]
fn a_late_response_is_reported_with_its_content_and_frees_the_place() {
    let mut pair = Pair::bound_with(Config::default().window(1), Config::default());
    let sequence = pair.submit("slow");
    pair.advance(secs(10));
    assert_eq!(pair.esme.take_events(), [timeout("slow")]);
    assert_eq!((pair.esme.session.in_flight(), pair.esme.session.stats().timed_out), (0, 1));
    assert_eq!(pair.esme.submit(pair.now, "next"), Err(Refusal::WindowFull), "the SMSC still works on it");
    pair.smsc.accept("id-slow");
    pair.settle();
    assert_eq!(pair.esme.take_events(), [OwnedEvent::LateResponse(sequence, accepted("id-slow"))]);
    let stats = pair.esme.session.stats();
    assert_eq!((stats.late_responses, stats.unexpected_responses, stats.timed_out), (1, 0, 0));
    // The timeout slowed the session down.
    pair.advance(secs(1));
    pair.submit("next");
    pair.smsc.accept("id-next");
    pair.settle();
    assert_eq!(pair.esme.take_events(), [OwnedEvent::Outcome("next", accepted("id-next"))]);
}

#[test]
fn a_late_refusal_is_reported_too() {
    let mut pair = Pair::bound();
    let sequence = pair.submit("slow");
    pair.advance(secs(10));
    pair.esme.take_events();
    let reply = pair.smsc.submits.pop_front().unwrap();
    pair.smsc.session.respond(reply, Err(CommandStatus::RSUBMITFAIL)).unwrap();
    pair.settle();
    let refused = OwnedOutcome::Refused(CommandStatus::RSUBMITFAIL);
    assert_eq!(pair.esme.take_events(), [OwnedEvent::LateResponse(sequence, refused)]);
}

#[test]
fn a_request_that_timed_out_frees_its_place_after_late_response_timeout() {
    let config = Config::default().window(1).late_response_timeout(secs(7)).max_response_timeouts(0);
    let mut pair = Pair::bound_with(config, Config::default());
    pair.submit("lost");
    pair.advance(just_before(17));
    assert_eq!(pair.esme.take_events(), [timeout("lost")]);
    assert_eq!(pair.esme.submit(pair.now, "next"), Err(Refusal::WindowFull));
    pair.advance(Duration::from_nanos(1));
    pair.submit("next");
    pair.smsc.accept("id-lost");
    pair.settle();
    assert_eq!(pair.esme.take_events(), [OwnedEvent::UnexpectedResponse(CommandId::SUBMIT_SM_RESP)]);
}

#[test]
fn a_timeout_probes_the_link_and_suspends_requests_until_the_peer_is_heard() {
    let mut esme = bound_esme(Config::default().window(4), BindMode::Transceiver);
    for text in ["a", "b", "c"] {
        esme.submit(NOW, text).unwrap();
    }
    esme.transmit();
    let now = NOW + secs(10);
    esme.handle_timeouts(now);
    assert_eq!(esme.take_events(), ["a", "b", "c"].map(timeout));
    let output = esme.transmit();
    let [(CommandId::ENQUIRE_LINK, _, sequence, _)] = pdus(&output)[..] else { panic!("one enquire_link") };
    assert_eq!(esme.submit(now, "d"), Err(Refusal::WindowFull));
    esme.receive(now, &octets(Pdu::EnquireLinkResp, CommandStatus::ROK, sequence));
    assert_eq!(esme.submit(now, "d"), Err(Refusal::RateLimited(now + secs(1))), "a timeout slows down");
    esme.submit(now + secs(1), "d").unwrap();
}

#[test]
fn a_silent_link_ends_one_response_timeout_after_the_first_timeout() {
    let mut pair = Pair::bound_with(Config::default().window(4), Config::default());
    for text in ["a", "b", "c", "d"] {
        pair.esme.submit(pair.now, text).unwrap();
    }
    pair.lose_octets();
    pair.advance(secs(20));
    let mut expected: Vec<_> = ["a", "b", "c", "d"].map(timeout).into();
    expected.push(OwnedEvent::Closed(CloseReason::LinkDead));
    assert_eq!(pair.esme.take_events(), expected, "no more than the window is in doubt");
}

#[test]
fn a_peer_that_answers_only_enquire_link_is_left() {
    let config = Config::default().max_response_timeouts(3);
    let mut pair = Pair::bound_with(config, Config::default());
    pair.submit("lost");
    pair.advance(just_before(30));
    assert_eq!((pair.esme.take_events(), pair.esme.closed), (vec![timeout("lost")], None));
    pair.advance(Duration::from_nanos(1));
    assert_eq!(pair.esme.take_events(), [OwnedEvent::Closed(CloseReason::Unresponsive)]);
}

#[test]
fn any_response_shows_that_the_peer_works() {
    let config = Config::default().max_response_timeouts(2);
    let mut esme = bound_esme(config, BindMode::Transceiver);
    let sequence = esme.submit(NOW, "late").unwrap();
    esme.transmit();
    esme.handle_timeouts(NOW + secs(10));
    let resp = octets(Pdu::SubmitSmResp(Some(submit_sm_resp("id"))), CommandStatus::ROK, sequence.0);
    esme.receive(NOW + secs(19), &resp);
    let keep_alive = octets(Pdu::EnquireLinkResp, CommandStatus::ROK, sequence.0 + 1);
    esme.receive(NOW + secs(19), &keep_alive);
    esme.handle_timeouts(NOW + secs(20));
    assert_eq!(esme.closed, None);
    assert!(!matches!(esme.session.poll_timeout(), Some((_, Timer::Unresponsive))));
}

#[test]
fn an_end_reports_nothing_twice() {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    let SequenceNumber(_) = esme.submit(NOW, "timed out").unwrap();
    esme.transmit();
    esme.handle_timeouts(NOW + secs(10));
    assert_eq!(esme.take_events(), [timeout("timed out")]);
    esme.session.handle_disconnect();
    esme.handle_timeouts(NOW + secs(10));
    assert_eq!(esme.take_events(), [OwnedEvent::Closed(CloseReason::Disconnected)]);
}

#[test]
fn after_an_unbind_only_its_own_timeout_ends_the_session() {
    let config = Config::default().max_response_timeouts(2);
    let mut esme = bound_esme(config, BindMode::Transceiver);
    esme.submit(NOW, "lost").unwrap();
    esme.transmit();
    esme.handle_timeouts(NOW + secs(10));
    esme.session.unbind(NOW + secs(11));
    esme.transmit();
    esme.handle_timeouts(NOW + secs(20));
    assert_eq!(esme.closed, None);
    esme.handle_timeouts(NOW + secs(21));
    assert_eq!(esme.closed, Some(CloseReason::UnbindTimeout));
}

#[test]
fn the_largest_window_times_out_as_others_do() {
    let config = Config::default().window(u16::MAX).max_output(usize::MAX);
    let mut esme = bound_esme(config, BindMode::Transceiver);
    for _ in 0..u16::MAX {
        esme.submit(NOW, "lost").unwrap();
    }
    esme.handle_timeouts(NOW + secs(10));
    assert_eq!(esme.session.stats().timed_out, u16::MAX);
}

#[test]
fn a_peer_that_answers_only_enquire_link_is_left_whatever_becomes_of_the_places() {
    for late in [0, 5, 60] {
        let config = Config::default().late_response_timeout(secs(late)).max_response_timeouts(1);
        let mut esme = bound_esme(config, BindMode::Transceiver);
        esme.submit(NOW, "lost").unwrap();
        esme.handle_timeouts(NOW + secs(10));
        assert_eq!(esme.closed, Some(CloseReason::Unresponsive), "late_response_timeout {late} s");
    }
}

#[test]
fn the_longest_timeouts_do_not_overflow() {
    let config = Config::default().response_timeout(Duration::MAX).late_response_timeout(Duration::MAX);
    let mut esme = bound_esme(config, BindMode::Transceiver);
    esme.submit(NOW, "lost").unwrap();
    esme.handle_timeouts(Instant::from_nanos(u64::MAX));
    assert_eq!(esme.take_events(), [timeout("lost")]);
}
