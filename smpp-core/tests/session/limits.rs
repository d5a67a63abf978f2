//! What the session refuses to hold.

use std::time::Duration;

use smpp_core::session::{CloseReason, Config, Event, Instant, Rate, Readiness, Refusal};
use smpp_core::{BindMode, CommandId, CommandStatus, Pdu};

use super::support::{
    Pair, Told, accepted, bound_esme, bound_smsc, deliver_sm, request, said, secs, submit_sm, submit_sm_resp,
};

#[test]
fn a_full_window_refuses_until_an_outcome_frees_a_place() {
    let mut pair = Pair::bound_with(Config { window: 2, ..Config::default() }, Config::default());
    assert_eq!(pair.esme.session.readiness(pair.now), Readiness::Ready { capacity: 2 });
    pair.submit("a");
    pair.submit("b");
    assert_eq!(pair.esme.submit(pair.now, "c"), Err(Refusal::WindowFull));
    assert_eq!(pair.esme.session.readiness(pair.now), Readiness::Refusing(Refusal::WindowFull));
    pair.smsc.accept("id-a");
    pair.settle();
    assert_eq!(pair.esme.told(), [Told::Outcome("a", accepted("id-a"))]);
    assert_eq!(pair.esme.session.readiness(pair.now), Readiness::Ready { capacity: 1 });
    assert!(pair.esme.submit(pair.now, "c").is_ok());
}

#[test]
fn a_window_of_nothing_counts_as_one() {
    let mut pair = Pair::bound_with(Config { window: 0, ..Config::default() }, Config::default());
    pair.submit("a");
    assert_eq!(pair.esme.submit(pair.now, "b"), Err(Refusal::WindowFull));
}

#[test]
fn an_output_of_nothing_counts_as_one_octet() {
    let config = Config { max_output: 0, ..Config::default() };
    let mut pair = Pair::bound_with(config, config);
    pair.submit("a");
    assert_eq!(pair.smsc.submits.len(), 1);
}

#[test]
fn the_window_does_not_hold_back_a_probe_or_an_unbind() {
    let mut esme = bound_esme(
        Config { window: 1, response_timeout: secs(60), ..Config::default() },
        BindMode::Transceiver,
    );
    esme.submit(Instant::ZERO, "a").unwrap();
    esme.speak();
    esme.wake(Instant::ZERO + secs(30));
    assert_eq!(said(&esme.speak())[0].0, CommandId::ENQUIRE_LINK);
    esme.session.unbind(Instant::ZERO + secs(30));
    esme.wake(Instant::ZERO + secs(35));
    assert_eq!(said(&esme.speak())[0].0, CommandId::UNBIND);
}

#[test]
fn a_paced_session_says_when() {
    let config = Config { rate: Some(Rate::per_second(50)), ..Config::default() };
    let mut pair = Pair::bound_with(config, Config::default());
    pair.submit("a");
    let ready = pair.now + Duration::from_millis(20);
    assert_eq!(pair.esme.submit(pair.now, "b"), Err(Refusal::RateLimited(ready)));
    assert_eq!(pair.esme.session.readiness(pair.now), Readiness::Refusing(Refusal::RateLimited(ready)));
    pair.now = ready;
    assert!(pair.esme.submit(pair.now, "b").is_ok());
}

#[test]
fn a_refusal_takes_nothing_from_the_rate() {
    let config = Config { window: 1, rate: Some(Rate::per_second(50)), ..Config::default() };
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
fn a_flood_of_requests_is_throttled_without_asking() {
    let mut smsc = bound_smsc(Config { max_unanswered: 2, ..Config::default() }, BindMode::Transceiver);
    let flood: Vec<u8> =
        (2..6).flat_map(|sequence| request(Pdu::SubmitSm(submit_sm("x")), sequence)).collect();
    smsc.hear(Instant::ZERO, &flood);
    let taken = Told::Request(CommandId::SUBMIT_SM);
    let throttled = Told::Refused(CommandId::SUBMIT_SM, CommandStatus::RTHROTTLED);
    assert_eq!(smsc.told(), [taken.clone(), taken.clone(), throttled.clone(), throttled]);
    let answers =
        [4, 5].map(|sequence| (CommandId::SUBMIT_SM_RESP, CommandStatus::RTHROTTLED, sequence, &b""[..]));
    assert_eq!(said(&smsc.speak()), answers);

    smsc.accept("id");
    smsc.hear(Instant::ZERO, &request(Pdu::SubmitSm(submit_sm("x")), 6));
    assert_eq!(smsc.told(), [taken], "an answer makes room");
    smsc.hear(Instant::ZERO, &request(Pdu::EnquireLink, 7));
    assert!(smsc.told().is_empty(), "an enquire_link asks nobody");
}

#[test]
fn a_peer_that_does_not_read_is_not_read_either() {
    let config = Config { max_output: 1024, max_pdu: 512, ..Config::default() };
    let mut smsc = bound_smsc(config, BindMode::Transceiver);
    let flood: Vec<u8> = (0..1000).flat_map(|sequence| request(Pdu::EnquireLink, sequence)).collect();
    smsc.hear(Instant::ZERO, &flood);
    assert!(!smsc.session.wants_input());
    let refused = smsc.request(Instant::ZERO, &deliver_sm("news"), "news");
    assert_eq!(refused, Err(Refusal::OutputFull));

    let most = 2 * config.max_output + config.max_pdu;
    let mut output = Vec::new();
    smsc.session.poll_transmit(&mut output);
    assert_eq!(output.len(), most, "so much was answered, and no more");
    assert!(!smsc.session.wants_input(), "taken by the adapter is not transmitted");
    smsc.session.handle_transmitted(16);
    assert!(smsc.session.wants_input());
    smsc.session.handle_transmitted(most - 16);
    smsc.hear(Instant::ZERO, &[]);
    assert_eq!(smsc.speak().len(), most, "reading goes on where it stopped");
}

#[test]
fn two_sides_that_both_send_more_than_fits_do_not_wait_for_each_other() {
    let config = Config { max_output: 100, window: 100, ..Config::default() };
    let mut pair = Pair::bound_with(config, config);
    (pair.to_smsc.stalled, pair.to_esme.stalled) = (true, true);
    while pair.esme.submit(pair.now, "x").is_ok() {}
    while pair.smsc.request(pair.now, &deliver_sm(&"y".repeat(200)), "y").is_ok() {}
    assert!(pair.esme.session.wants_input() && pair.smsc.session.wants_input(), "answers can still come");
}

#[test]
fn a_peer_that_takes_nothing_is_left() {
    let mut pair =
        Pair::bound_with(Config { enquire_link_interval: None, ..Config::default() }, Config::default());
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
fn a_stalled_link_holds_back_the_requests() {
    let small = Config { window: 100, max_output: 500, ..Config::default() };
    let mut pair = Pair::bound_with(small, Config::default());
    pair.to_smsc.stalled = true;
    let taken = (0..100).take_while(|_| pair.esme.submit(pair.now, "x").is_ok()).count();
    assert_eq!(pair.esme.submit(pair.now, "x"), Err(Refusal::OutputFull));
    let length = request(Pdu::SubmitSm(submit_sm("x")), 1).len();
    assert_eq!(taken, 500_usize.div_ceil(length), "the limit is crossed by one PDU at most");
    pair.to_smsc.stalled = false;
    pair.settle();
    assert_eq!(pair.smsc.submits.len(), taken);
    assert!(pair.esme.submit(pair.now, "x").is_ok());
}

#[test]
fn a_pdu_of_exactly_the_limit_is_taken() {
    let message = request(Pdu::SubmitSm(submit_sm("hello")), 2);
    let mut smsc = bound_smsc(Config { max_pdu: message.len(), ..Config::default() }, BindMode::Transceiver);
    smsc.hear(Instant::ZERO, &message);
    assert_eq!(smsc.submits.len(), 1);
}

#[test]
fn a_pdu_above_the_limit_is_not_waited_for() {
    let mut smsc = bound_smsc(Config { max_pdu: 100, ..Config::default() }, BindMode::Transceiver);
    smsc.hear(Instant::ZERO, &[0, 0, 0, 101]);
    assert_eq!(said(&smsc.speak()), [(CommandId::GENERIC_NACK, CommandStatus::RINVCMDLEN, 0, &b""[..])]);
}

#[test]
fn a_reply_is_taken_even_when_the_output_is_full() {
    let config = Config { max_output: 16, max_pdu: 80, ..Config::default() };
    let mut smsc = bound_smsc(config, BindMode::Transceiver);
    smsc.hear(Instant::ZERO, &request(Pdu::SubmitSm(submit_sm("a")), 2));
    for sequence in 3..10 {
        smsc.hear(Instant::ZERO, &request(Pdu::EnquireLink, sequence));
    }
    assert!(!smsc.session.wants_input());
    let reply = smsc.submits.pop_front().unwrap();
    assert_eq!(smsc.session.respond(reply, Ok(submit_sm_resp("id"))), Ok(()));
    assert_eq!(said(&smsc.speak()).len(), 8);
}
