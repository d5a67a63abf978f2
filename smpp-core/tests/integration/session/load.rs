//! An overloaded peer, and the counters of a session.

use std::time::Duration;

use smpp_proto::session::{Config, Instant, Kind, Rate, Refusal};
use smpp_proto::tlv::CongestionState;
use smpp_proto::{
    Address, BindMode, CommandStatus, Destination, List, Pdu, SubmitMulti, SubmitSmResp, Tlv, Tlvs,
};

use super::support::{
    OwnedEvent, OwnedOutcome, Pair, Peer, bound_esme, octets, secs, submit_sm, submit_sm_resp,
};

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The time from one message to the next at 50 per second.
const INTERVAL: Duration = Duration::from_micros(20_160);

/// How much earlier a message may be sent.
const SLACK: Duration = Duration::from_millis(8);

fn fifty_per_second() -> Config {
    Config::default().rate(Rate::per_second(50)).window(100)
}

/// Submits a message, and receives the response `after` that time.
fn exchange(
    esme: &mut Peer<smpp_proto::session::Esme>,
    now: Instant,
    after: Duration,
    status: CommandStatus,
    load: Option<u8>,
) {
    let sequence = esme.submit(now, "hello").unwrap();
    esme.transmit();
    let list = load.map(|load| Tlv::congestion_state(CongestionState(load)));
    let tlvs = Tlvs::list(list.as_slice());
    let resp = SubmitSmResp { tlvs, ..submit_sm_resp("id") };
    esme.receive(now + after, &octets(Pdu::SubmitSmResp(Some(resp)), status, sequence.0));
    esme.take_events();
}

/// Returns the time from `now` until the next message is accepted.
fn wait_time(esme: &mut Peer<smpp_proto::session::Esme>, now: Instant) -> Duration {
    match esme.submit(now, "next") {
        Ok(_) => Duration::ZERO,
        Err(Refusal::RateLimited(at)) => at - now,
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_peer_that_throttles_slows_the_session_down() {
    let full_rate = INTERVAL.saturating_sub(SLACK + millis(5));
    for (status, load, expected) in [
        (CommandStatus::ROK, None, full_rate),
        (CommandStatus::RTHROTTLED, None, INTERVAL * 2),
        // It may be about the queue of one subscriber.
        (CommandStatus::RMSGQFUL, None, full_rate),
        (CommandStatus::RSUBMITFAIL, None, full_rate),
        (CommandStatus::ROK, Some(89), full_rate),
        (CommandStatus::ROK, Some(90), INTERVAL * 9 / 8),
        (CommandStatus::ROK, Some(100), INTERVAL * 2),
    ] {
        let mut esme = bound_esme(fifty_per_second(), BindMode::Transceiver);
        let now = Instant::ZERO + secs(1);
        exchange(&mut esme, now, millis(5), status, load);
        assert_eq!(wait_time(&mut esme, now + millis(5)), expected, "{status} {load:?}");
    }
}

#[test]
fn a_submit_multi_counts_its_destinations() {
    let numbers: Vec<String> = (0..30).map(|number| format!("65{number:08}")).collect();
    let destinations: Vec<_> =
        numbers.iter().map(|number| Destination::Sme(Address::international(number).unwrap())).collect();
    let to_many = SubmitMulti { destinations: List::new(&destinations).unwrap(), ..SubmitMulti::default() };
    let mut esme = bound_esme(fifty_per_second(), BindMode::Transceiver);
    let now = Instant::ZERO + secs(1);
    esme.session.request(now, &to_many, "many").unwrap();
    // The second holds 20 more.
    let thirty = (INTERVAL * 30).saturating_sub(SLACK);
    assert_eq!(wait_time(&mut esme, now), thirty);
    let refused = esme.session.request(now, &to_many, "many").unwrap_err();
    let at = now + thirty + INTERVAL * 29;
    assert_eq!(refused.reason, Refusal::RateLimited(at));
    // Single messages do not delay it further.
    assert_eq!(wait_time(&mut esme, now + millis(600)), at - (now + millis(600)));
    assert!(esme.session.request(at, &to_many, "many").is_ok());
    assert_eq!(wait_time(&mut esme, at), thirty);
    let one = SubmitMulti { destinations: List::new(&destinations[..1]).unwrap(), ..SubmitMulti::default() };
    assert!(esme.session.request(at + millis(600), &one, "one").is_ok());
}

#[test]
fn slowing_down_can_be_disabled() {
    let config = fifty_per_second().slow_down_when_throttled(false);
    let mut esme = bound_esme(config, BindMode::Transceiver);
    exchange(&mut esme, Instant::ZERO, millis(5), CommandStatus::RTHROTTLED, Some(100));
    assert_eq!(wait_time(&mut esme, Instant::ZERO + millis(5)), INTERVAL.saturating_sub(SLACK + millis(5)));
    assert_eq!(esme.session.stats().throttled, 1, "the counter still counts");
}

#[test]
fn simultaneous_refusals_slow_down_once() {
    let config = fifty_per_second().rate(Rate::per_second(50).with_burst(10));
    let mut esme = bound_esme(config, BindMode::Transceiver);
    let now = Instant::ZERO + secs(1);
    let texts = ["a", "b", "c", "d", "e"];
    let sequences = texts.map(|text| esme.submit(now, text).unwrap());
    esme.transmit();
    for sequence in sequences {
        let resp = Pdu::SubmitSmResp(None);
        esme.receive(now + millis(5), &octets(resp, CommandStatus::RTHROTTLED, sequence.0));
    }
    // Half of 41 a second: what a burst of 10 leaves of 50 in any second.
    let interval = Duration::from_nanos(2 * 1_000_000_000_u64.div_ceil(41));
    assert_eq!(wait_time(&mut esme, now + millis(5)), interval);
}

#[test]
fn without_a_rate_limit_the_rate_follows_from_the_requests_in_flight() {
    let mut esme = bound_esme(Config::default().window(100), BindMode::Transceiver);
    let now = Instant::ZERO + secs(1);
    let first = esme.submit(now, "first").unwrap();
    for text in ["b", "c", "d"] {
        esme.submit(now, text).unwrap();
    }
    esme.transmit();
    // Four requests in flight for 100 ms: one message per 25 ms. The session halves that rate.
    let later = now + millis(100);
    esme.receive(later, &octets(Pdu::SubmitSmResp(None), CommandStatus::RTHROTTLED, first.0));
    assert_eq!(
        esme.take_events(),
        [OwnedEvent::Outcome("first", OwnedOutcome::Refused(CommandStatus::RTHROTTLED))]
    );
    assert_eq!(wait_time(&mut esme, later), millis(50));
    assert_eq!(wait_time(&mut esme, later + secs(10)), Duration::ZERO);
    assert_eq!(wait_time(&mut esme, later + secs(10)), Duration::ZERO, "the limit has ended");
}

#[test]
fn all_responses_of_a_batch_slow_down_equally() {
    for throttled in [0, 15] {
        let mut esme = bound_esme(Config::default().window(16), BindMode::Transceiver);
        let now = Instant::ZERO + secs(1);
        let texts = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"];
        let sequences = texts.map(|text| esme.submit(now, text).unwrap());
        esme.transmit();
        let later = now + millis(160);
        for (index, sequence) in sequences.into_iter().enumerate() {
            let (pdu, status) = if index == throttled {
                (Pdu::SubmitSmResp(None), CommandStatus::RTHROTTLED)
            } else {
                (Pdu::SubmitSmResp(Some(submit_sm_resp("id"))), CommandStatus::ROK)
            };
            esme.receive(later, &octets(pdu, status, sequence.0));
        }
        assert_eq!(wait_time(&mut esme, later), millis(20), "half of sixteen messages per 160 ms");
    }
}

#[test]
fn sent_and_received_pdus_are_counted_by_kind() {
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
    assert_eq!(
        (esme.sent, esme.received),
        (smsc.received, smsc.sent),
        "each side receives what the other sends"
    );
    assert_eq!((esme.in_flight, smsc.unanswered), (1, 1));
    assert_eq!((smsc.in_flight, esme.unanswered), (0, 0));
    assert_eq!(esme.transmitted, esme.sent.total().octets);
}

#[test]
fn response_times_are_recorded_for_requests() {
    let mut pair = Pair::bound();
    for (text, took) in [("a", 40), ("b", 80)] {
        pair.submit(text);
        pair.advance(millis(took));
        pair.smsc.accept("id");
        pair.settle();
    }
    let times = pair.esme.session.stats().response_times;
    assert_eq!(times.count(), 3, "the bind, answered at once, and two messages");
    assert_eq!((times.shortest(), times.mean()), (Some(Duration::ZERO), Some(millis(40))));
    assert_eq!((times.longest(), times.smoothed()), (Some(millis(80)), Some(Duration::from_micros(14_375))));
}

#[test]
fn requests_refused_by_the_session_are_counted() {
    let mut smsc = super::support::bound_smsc(Config::default(), BindMode::Receiver);
    smsc.receive(Instant::ZERO, &super::support::request(Pdu::SubmitSm(submit_sm("hello")), 2));
    assert_eq!(smsc.session.stats().refused, 1);
}
