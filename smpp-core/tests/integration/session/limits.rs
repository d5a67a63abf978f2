//! Limits: window, rate limit, output, and PDU length.

use std::time::Duration;

use smpp_proto::session::{CloseReason, Config, Event, Instant, Rate, Readiness, Refusal};
use smpp_proto::{BindMode, CommandId, CommandStatus, Pdu};

use super::support::{
    OwnedEvent, Pair, accepted, bound_esme, bound_smsc, deliver_sm, pdus, request, secs, submit_sm,
    submit_sm_resp,
};

#[test]
fn a_full_window_refuses_requests_until_an_outcome() {
    let mut pair = Pair::bound_with(Config::default().window(2), Config::default());
    assert_eq!(pair.esme.session.readiness(pair.now), Readiness::Ready { capacity: 2 });
    pair.submit("a");
    pair.submit("b");
    assert_eq!(pair.esme.submit(pair.now, "c"), Err(Refusal::WindowFull));
    assert_eq!(pair.esme.session.readiness(pair.now), Readiness::Refusing(Refusal::WindowFull));
    pair.smsc.accept("id-a");
    pair.settle();
    assert_eq!(pair.esme.take_events(), [OwnedEvent::Outcome("a", accepted("id-a"))]);
    assert_eq!(pair.esme.session.readiness(pair.now), Readiness::Ready { capacity: 1 });
    assert!(pair.esme.submit(pair.now, "c").is_ok());
}

#[test]
fn reserved_requests_count_for_the_window_the_output_and_the_rate_limit() {
    let command = CommandId::SUBMIT_SM;
    let refusing = Readiness::Refusing;
    let pair = Pair::bound_with(Config::default().window(3), Config::default());
    let readiness = |reserved| pair.esme.session.readiness_after(pair.now, reserved, command);
    assert_eq!(readiness(2), Readiness::Ready { capacity: 1 });
    assert_eq!(readiness(3), refusing(Refusal::WindowFull));
    assert_eq!(readiness(u32::MAX), refusing(Refusal::WindowFull));

    let bind = pair.esme.session.stats().sent.total().octets;
    let config = Config::default().max_output(2 * bind as usize).window(100);
    let pair = Pair::bound_with(config, Config::default());
    let readiness = |reserved| pair.esme.session.readiness_after(pair.now, reserved, command);
    assert_eq!(readiness(1), Readiness::Ready { capacity: 99 });
    assert_eq!(readiness(2), refusing(Refusal::OutputFull));

    let config = Config::default().rate(Rate::per_second(51).with_burst(2)).window(100);
    let mut pair = Pair::bound_with(config, Config::default());
    let readiness = |pair: &Pair, reserved| pair.esme.session.readiness_after(pair.now, reserved, command);
    assert_eq!(readiness(&pair, 1), Readiness::Ready { capacity: 99 });
    let after = |millis| refusing(Refusal::RateLimited(pair.now + Duration::from_millis(millis)));
    assert_eq!((readiness(&pair, 2), readiness(&pair, 4)), (after(20), after(60)));
    let query = pair.esme.session.readiness_after(pair.now, 4, CommandId::QUERY_SM);
    assert_eq!(query, Readiness::Ready { capacity: 96 });
    // The same as after requests that are sent.
    let expected = (readiness(&pair, 2), readiness(&pair, 3));
    pair.submit("a");
    assert_eq!((readiness(&pair, 1), readiness(&pair, 2)), expected);
}

/// `Config::check` refuses it. A session whose configuration is not checked works nevertheless.
#[test]
fn a_window_of_zero_counts_as_one() {
    let mut pair = Pair::bound_with(Config::default().window(0), Config::default());
    pair.submit("a");
    assert_eq!(pair.esme.submit(pair.now, "b"), Err(Refusal::WindowFull));
}

#[test]
fn a_max_output_of_zero_counts_as_one_octet() {
    let config = Config::default().max_output(0);
    let mut pair = Pair::bound_with(config, config);
    pair.submit("a");
    assert_eq!(pair.smsc.submits.len(), 1);
}

#[test]
fn a_full_window_does_not_delay_enquire_link_or_unbind() {
    let mut esme = bound_esme(Config::default().window(1).response_timeout(secs(60)), BindMode::Transceiver);
    esme.submit(Instant::ZERO, "a").unwrap();
    esme.transmit();
    esme.handle_timeouts(Instant::ZERO + secs(30));
    assert_eq!(pdus(&esme.transmit())[0].0, CommandId::ENQUIRE_LINK);
    esme.session.unbind(Instant::ZERO + secs(30));
    esme.handle_timeouts(Instant::ZERO + secs(35));
    assert_eq!(pdus(&esme.transmit())[0].0, CommandId::UNBIND);
}

#[test]
fn a_rate_limited_session_returns_when_to_retry() {
    let config = Config::default().rate(Rate::per_second(50));
    let mut pair = Pair::bound_with(config, Config::default());
    pair.submit("a");
    // It is due after 20.16 ms, and may be sent up to 8 ms earlier.
    let ready = pair.now + Duration::from_micros(12_160);
    assert_eq!(pair.esme.submit(pair.now, "b"), Err(Refusal::RateLimited(ready)));
    assert_eq!(pair.esme.session.readiness(pair.now), Readiness::Refusing(Refusal::RateLimited(ready)));
    pair.now = ready;
    assert!(pair.esme.submit(pair.now, "b").is_ok());
}

#[test]
fn a_refused_request_does_not_count_for_the_rate_limit() {
    let config = Config::default().window(1).rate(Rate::per_second(50));
    let mut pair = Pair::bound_with(config, Config::default());
    pair.submit("a");
    pair.now = pair.now + Duration::from_millis(20);
    for _ in 0..100 {
        assert_eq!(pair.esme.submit(pair.now, "b"), Err(Refusal::WindowFull));
    }
    pair.smsc.accept("id");
    pair.settle();
    assert!(pair.esme.submit(pair.now, "b").is_ok());
}

#[test]
fn the_session_reads_no_input_while_the_peer_does_not_read() {
    let config = Config::default().max_output(1024).max_pdu(512);
    let mut smsc = bound_smsc(config, BindMode::Transceiver);
    let flood: Vec<u8> = (0..1000).flat_map(|sequence| request(Pdu::EnquireLink, sequence)).collect();
    smsc.receive(Instant::ZERO, &flood);
    assert!(!smsc.session.wants_input());
    let refused = smsc.request(Instant::ZERO, &deliver_sm("news"), "news");
    assert_eq!(refused, Err(Refusal::OutputFull));

    let most = 2 * config.max_output + config.max_pdu;
    let mut output = Vec::new();
    smsc.session.poll_transmit(&mut output);
    assert_eq!(output.len(), most, "responses take max_output and one PDU more");
    assert!(!smsc.session.wants_input(), "`poll_transmit` does not mean transmitted");
    smsc.session.handle_transmitted(16);
    assert!(smsc.session.wants_input());
    smsc.session.handle_transmitted(most - 16);
    smsc.receive(Instant::ZERO, &[]);
    assert_eq!(smsc.transmit().len(), most, "reading continues where it stopped");
}

#[test]
fn two_sides_with_full_output_do_not_deadlock() {
    let config = Config::default().max_output(100).window(100);
    let mut pair = Pair::bound_with(config, config);
    (pair.to_smsc.stalled, pair.to_esme.stalled) = (true, true);
    while pair.esme.submit(pair.now, "x").is_ok() {}
    while pair.smsc.request(pair.now, &deliver_sm(&"y".repeat(200)), "y").is_ok() {}
    assert!(pair.esme.session.wants_input() && pair.smsc.session.wants_input(), "both still read responses");
}

#[test]
fn a_session_whose_transport_takes_nothing_ends_as_stalled() {
    let mut pair = Pair::bound_with(Config::default().enquire_link_interval(None), Config::default());
    let response = Config::default().response_timeout;
    pair.esme.submit(pair.now, "x").unwrap();
    pair.esme.submit(pair.now, "y").unwrap();
    let session = &mut pair.esme.session;
    // One octet in the first interval, none in the second.
    session.handle_transmitted(1);
    let (mut now, mut closed) = (pair.now, None);
    for _ in 0..2 {
        now = now + response;
        while let Some(event) = session.handle_timeout(now) {
            if let Event::Closed(reason) = event {
                closed = Some((reason, now - pair.now));
            }
        }
    }
    assert_eq!(closed, Some((CloseReason::Stalled, response * 2)));
}

#[test]
fn a_stalled_link_causes_refused_requests() {
    let small = Config::default().window(100).max_output(500);
    let mut pair = Pair::bound_with(small, Config::default());
    pair.to_smsc.stalled = true;
    let accepted = (0..100).take_while(|_| pair.esme.submit(pair.now, "x").is_ok()).count();
    assert_eq!(pair.esme.submit(pair.now, "x"), Err(Refusal::OutputFull));
    let length = request(Pdu::SubmitSm(submit_sm("x")), 1).len();
    assert_eq!(accepted, 500_usize.div_ceil(length), "at most one PDU exceeds the limit");
    pair.to_smsc.stalled = false;
    pair.settle();
    assert_eq!(pair.smsc.submits.len(), accepted);
    assert!(pair.esme.submit(pair.now, "x").is_ok());
}

#[test]
fn a_pdu_of_max_pdu_octets_is_accepted() {
    let message = request(Pdu::SubmitSm(submit_sm("hello")), 2);
    let mut smsc = bound_smsc(Config::default().max_pdu(message.len()), BindMode::Transceiver);
    smsc.receive(Instant::ZERO, &message);
    assert_eq!(smsc.submits.len(), 1);
}

#[test]
fn a_longer_pdu_is_refused_by_its_length_alone() {
    let mut smsc = bound_smsc(Config::default().max_pdu(100), BindMode::Transceiver);
    smsc.receive(Instant::ZERO, &[0, 0, 0, 101]);
    assert_eq!(pdus(&smsc.transmit()), [(CommandId::GENERIC_NACK, CommandStatus::RINVCMDLEN, 0, &b""[..])]);
}

#[test]
fn a_response_is_accepted_even_when_the_output_is_full() {
    let config = Config::default().max_output(16).max_pdu(80);
    let mut smsc = bound_smsc(config, BindMode::Transceiver);
    smsc.receive(Instant::ZERO, &request(Pdu::SubmitSm(submit_sm("a")), 2));
    for sequence in 3..10 {
        smsc.receive(Instant::ZERO, &request(Pdu::EnquireLink, sequence));
    }
    assert!(!smsc.session.wants_input());
    let reply = smsc.submits.pop_front().unwrap();
    assert_eq!(smsc.session.respond(reply, Ok(submit_sm_resp("id"))), Ok(()));
    assert_eq!(pdus(&smsc.transmit()).len(), 8);
}

#[test]
fn a_session_whose_output_is_full_says_so() {
    let mut esme = bound_esme(Config::default().max_output(60), BindMode::Transceiver);
    assert!(!esme.session.is_full());
    while esme.submit(Instant::ZERO, "x").is_ok() {}
    assert!(esme.session.is_full());
    esme.transmit();
    assert!(!esme.session.is_full());
}

#[test]
fn freeing_memory_loses_nothing() {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    esme.submit(Instant::ZERO, "waits").unwrap();
    esme.session.shrink();
    assert_eq!(pdus(&esme.transmit()).len(), 1);
    assert_eq!(esme.session.in_flight(), 1);
}
