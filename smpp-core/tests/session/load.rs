//! A peer that is overloaded, and what a session counts.

use std::time::Duration;

use smpp_core::session::{Config, Instant, Kind, Rate, Refusal};
use smpp_core::tlv::CongestionState;
use smpp_core::{BindMode, CommandStatus, Pdu, SubmitSmResp, Tlv, Tlvs};

use super::support::{Pair, Peer, SegmentOutcome, Told, bound_esme, octets, secs, submit_sm, submit_sm_resp};

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn fifty() -> Config {
    Config { rate: Some(Rate::per_second(50)), window: 100, ..Config::default() }
}

/// Submits, and hears the answer `after` that.
fn exchange(
    esme: &mut Peer<smpp_core::session::Esme>,
    now: Instant,
    after: Duration,
    status: CommandStatus,
    load: Option<u8>,
) {
    let sequence = esme.submit(now, "hello").unwrap();
    esme.speak();
    let list = load.map(|load| Tlv::congestion_state(CongestionState(load)));
    let tlvs = Tlvs::list(list.as_slice());
    let resp = SubmitSmResp { tlvs, ..submit_sm_resp("id") };
    esme.hear(now + after, &octets(Pdu::SubmitSmResp(Some(resp)), status, sequence.0));
    esme.told();
}

/// From `now` to when the next message may go.
fn pause(esme: &mut Peer<smpp_core::session::Esme>, now: Instant) -> Duration {
    match esme.submit(now, "next") {
        Ok(_) => Duration::ZERO,
        Err(Refusal::RateLimited(at)) => at - now,
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_peer_that_throttles_is_sent_less() {
    for (status, load, expected) in [
        (CommandStatus::ROK, None, millis(15)),
        (CommandStatus::RTHROTTLED, None, millis(40)),
        (CommandStatus::RMSGQFUL, None, millis(40)),
        (CommandStatus::RSUBMITFAIL, None, millis(15)),
        (CommandStatus::ROK, Some(89), millis(15)),
        (CommandStatus::ROK, Some(90), Duration::from_micros(22_500)),
        (CommandStatus::ROK, Some(100), millis(40)),
    ] {
        let mut esme = bound_esme(fifty(), BindMode::Transceiver);
        let now = Instant::ZERO + secs(1);
        exchange(&mut esme, now, millis(5), status, load);
        assert_eq!(pause(&mut esme, now + millis(5)), expected, "{status} {load:?}");
    }
}

#[test]
fn a_peer_that_throttles_is_sent_as_much_if_so_configured() {
    let config = Config { slow_down_when_throttled: false, ..fifty() };
    let mut esme = bound_esme(config, BindMode::Transceiver);
    exchange(&mut esme, Instant::ZERO, millis(5), CommandStatus::RTHROTTLED, Some(100));
    assert_eq!(pause(&mut esme, Instant::ZERO + millis(5)), millis(15));
    assert_eq!(esme.session.stats().throttled, 1, "counted nevertheless");
}

#[test]
fn several_refusals_of_one_moment_slow_down_once() {
    let config = Config { rate: Some(Rate::per_second(50).with_burst(10)), ..fifty() };
    let mut esme = bound_esme(config, BindMode::Transceiver);
    let now = Instant::ZERO + secs(1);
    let texts = ["a", "b", "c", "d", "e"];
    let sequences = texts.map(|text| esme.submit(now, text).unwrap());
    esme.speak();
    for sequence in sequences {
        let resp = Pdu::SubmitSmResp(None);
        esme.hear(now + millis(5), &octets(resp, CommandStatus::RTHROTTLED, sequence.0));
    }
    // Half of 41 a second: what a burst of 10 leaves of 50 in any second.
    let interval = Duration::from_nanos(2 * 1_000_000_000_u64.div_ceil(41));
    assert_eq!(pause(&mut esme, now + millis(5)), interval);
}

#[test]
fn without_a_rate_the_speed_follows_from_what_is_in_flight() {
    let mut esme = bound_esme(Config { window: 100, ..Config::default() }, BindMode::Transceiver);
    let now = Instant::ZERO + secs(1);
    let first = esme.submit(now, "first").unwrap();
    for text in ["b", "c", "d"] {
        esme.submit(now, text).unwrap();
    }
    esme.speak();
    // Four in flight for 100 ms: one in 25 ms. Half of that now.
    let later = now + millis(100);
    esme.hear(later, &octets(Pdu::SubmitSmResp(None), CommandStatus::RTHROTTLED, first.0));
    assert_eq!(esme.told(), [Told::Outcome("first", SegmentOutcome::Refused(CommandStatus::RTHROTTLED))]);
    assert_eq!(pause(&mut esme, later), millis(50));
    assert_eq!(pause(&mut esme, later + secs(10)), Duration::ZERO);
    assert_eq!(pause(&mut esme, later + secs(10)), Duration::ZERO, "there is no limit any more");
}

#[test]
fn the_last_of_a_batch_of_responses_tells_as_much_as_the_first() {
    for throttled in [0, 15] {
        let mut esme = bound_esme(Config { window: 16, ..Config::default() }, BindMode::Transceiver);
        let now = Instant::ZERO + secs(1);
        let texts = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"];
        let sequences = texts.map(|text| esme.submit(now, text).unwrap());
        esme.speak();
        let later = now + millis(160);
        for (place, sequence) in sequences.into_iter().enumerate() {
            let (pdu, status) = if place == throttled {
                (Pdu::SubmitSmResp(None), CommandStatus::RTHROTTLED)
            } else {
                (Pdu::SubmitSmResp(Some(submit_sm_resp("id"))), CommandStatus::ROK)
            };
            esme.hear(later, &octets(pdu, status, sequence.0));
        }
        assert_eq!(pause(&mut esme, later), millis(20), "sixteen in 160 ms, and half of that now");
    }
}

#[test]
fn what_went_and_came_is_counted_by_kind() {
    let mut pair = Pair::bound();
    pair.submit("hello");
    pair.smsc.accept("id-1");
    pair.settle();
    pair.submit("again");
    let (esme, smsc) = (pair.esme.session.stats(), pair.smsc.session.stats());
    let message = esme.sent.of(Kind::Message);
    assert_eq!((message.requests, message.responses), (2, 0));
    let mut octets = Vec::new();
    for (number, text) in [(2, "hello"), (3, "again")] {
        octets.extend(super::support::request(Pdu::SubmitSm(submit_sm(text)), number));
    }
    assert_eq!(message.octets, octets.len() as u64);
    assert_eq!(esme.received.of(Kind::Message).responses, 1);
    assert_eq!((esme.sent, esme.received), (smsc.received, smsc.sent), "each hears what the other says");
    assert_eq!((esme.in_flight, smsc.unanswered), (1, 1));
    assert_eq!((smsc.in_flight, esme.unanswered), (0, 0));
    assert_eq!(esme.transmitted, esme.sent.total().octets);
}

#[test]
fn response_times_are_those_of_requests() {
    let mut pair = Pair::bound();
    for (text, took) in [("a", 40), ("b", 80)] {
        pair.submit(text);
        pair.advance(millis(took));
        pair.smsc.accept("id");
        pair.settle();
    }
    let times = pair.esme.session.stats().response_times;
    assert_eq!(times.count(), 3, "the bind, which took no time, and two messages");
    assert_eq!((times.shortest(), times.mean()), (Some(Duration::ZERO), Some(millis(40))));
    assert_eq!((times.longest(), times.smoothed()), (Some(millis(80)), Some(Duration::from_micros(14_375))));
}

#[test]
fn requests_that_the_session_refuses_are_counted() {
    let mut smsc = super::support::bound_smsc(Config::default(), BindMode::Receiver);
    smsc.hear(Instant::ZERO, &super::support::request(Pdu::SubmitSm(submit_sm("hello")), 2));
    assert_eq!(smsc.session.stats().refused, 1);
}
