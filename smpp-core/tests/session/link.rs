//! Whether the link lives.

use smpp_core::session::{CloseReason, Config, Instant, Smsc, State, Timer, UnansweredReason};
use smpp_core::{BindMode, CommandId, CommandStatus, DeliverSmResp, EnquireLink, Pdu};

use super::support::{Pair, Peer, SegmentOutcome, Told, bound_esme, deliver_sm, octets, request, said, secs};

fn probing() -> Config {
    Config { enquire_link_interval: Some(secs(30)), response_timeout: secs(10), ..Config::default() }
}

fn patient() -> Config {
    Config { enquire_link_interval: None, ..Config::default() }
}

#[test]
fn an_idle_link_is_probed_and_lives_on() {
    let mut pair = Pair::bound_with(probing(), patient());
    pair.advance(secs(300));
    assert_eq!((pair.esme.closed, pair.smsc.closed), (None, None));
    // The bind, ten enquire_links at 30, 60, ... 300 seconds.
    assert_eq!(pair.esme.session.stats().sent.total().pdus(), 11);
    assert_eq!((pair.esme.told(), pair.smsc.told()), (vec![], vec![]), "nobody is bothered with it");
}

#[test]
fn traffic_of_the_peer_is_proof_enough() {
    let mut pair = Pair::bound_with(probing(), patient());
    for _ in 0..10 {
        pair.advance(secs(29));
        pair.smsc.request(pair.now, &deliver_sm("news"), "news").unwrap();
        pair.settle();
        let reply = pair.esme.delivers.pop_front().unwrap();
        pair.esme.session.respond(reply, Ok(DeliverSmResp::default())).unwrap();
        pair.settle();
    }
    // The bind and ten answers, no enquire_link.
    assert_eq!(pair.esme.session.stats().sent.total().pdus(), 11);
}

#[test]
fn what_we_send_ourselves_proves_nothing() {
    let mut esme = bound_esme(probing(), BindMode::Transceiver);
    esme.submit(Instant::ZERO + secs(29), "hello").unwrap();
    esme.speak();
    esme.wake(Instant::ZERO + secs(30));
    assert_eq!(said(&esme.speak())[0].0, CommandId::ENQUIRE_LINK);
}

#[test]
fn a_silent_link_is_dead_when_the_probe_has_no_answer() {
    let mut pair = Pair::bound_with(probing(), patient());
    pair.silence();
    pair.advance(secs(39));
    assert_eq!(pair.esme.closed, None);
    assert_eq!(
        pair.esme.session.poll_timeout(),
        Some((Instant::ZERO + secs(40), Timer::EnquireLinkResponse))
    );
    pair.advance(secs(1));
    assert_eq!(pair.esme.told(), [Told::Closed(CloseReason::LinkDead)]);
}

#[test]
fn any_pdu_stands_for_the_answer_to_a_probe() {
    let mut esme = bound_esme(probing(), BindMode::Transceiver);
    let probed = Instant::ZERO + secs(30);
    esme.wake(probed);
    let probe = said(&esme.speak())[0].2;
    esme.hear(probed + secs(9), &request(Pdu::EnquireLink, 77));
    esme.wake(probed + secs(38));
    assert_eq!(esme.closed, None);
    assert_eq!(esme.session.poll_timeout(), Some((probed + secs(39), Timer::EnquireLink)));
    esme.hear(probed + secs(38), &octets(Pdu::EnquireLinkResp, CommandStatus::ROK, probe));
    assert!(esme.told().is_empty(), "the answer itself may still come");
}

#[test]
fn an_enquire_link_is_answered_in_every_state() {
    let mut smsc = Peer::<Smsc>::new(Config::default());
    smsc.hear(Instant::ZERO, &request(Pdu::EnquireLink, 9));
    let answer = (CommandId::ENQUIRE_LINK_RESP, CommandStatus::ROK, 9, &b""[..]);
    assert_eq!(said(&smsc.speak()), [answer]);

    let mut esme = bound_esme(Config::default(), BindMode::Receiver);
    esme.session.unbind(Instant::ZERO);
    esme.speak();
    esme.hear(Instant::ZERO, &request(Pdu::EnquireLink, 9));
    assert_eq!(said(&esme.speak()), [answer], "also while unbinding");
}

#[test]
fn a_probe_answered_while_unbinding_is_answered() {
    let mut esme = bound_esme(probing(), BindMode::Transceiver);
    let probed = Instant::ZERO + secs(30);
    esme.wake(probed);
    let probe = said(&esme.speak())[0].2;
    esme.session.unbind(probed + secs(5));
    esme.speak();
    esme.hear(probed + secs(6), &octets(Pdu::EnquireLinkResp, CommandStatus::ROK, probe));
    esme.wake(probed + secs(14));
    assert_eq!(esme.closed, None, "the link is not dead");
    esme.wake(probed + secs(15));
    assert_eq!(esme.closed, Some(CloseReason::UnbindTimeout));
}

#[test]
fn an_enquire_link_of_the_callers_own_has_an_outcome() {
    let mut esme = bound_esme(patient(), BindMode::Transceiver);
    esme.request(Instant::ZERO, &EnquireLink, "are you there").unwrap();
    esme.wake(Instant::ZERO + secs(10));
    let timeout = SegmentOutcome::Unanswered(UnansweredReason::Timeout);
    assert_eq!(esme.told(), [Told::Outcome("are you there", timeout)]);
    assert_eq!(esme.closed, None);
}

#[test]
fn an_inactive_session_unbinds() {
    let mut pair = Pair::bound_with(Config { inactivity_timeout: Some(secs(60)), ..probing() }, patient());
    pair.advance(secs(59));
    assert_eq!(pair.esme.closed, None, "enquire_links are no activity, but the time is not over");
    pair.advance(secs(1));
    assert_eq!(pair.esme.closed, Some(CloseReason::Inactive));
    assert_eq!(pair.smsc.closed, Some(CloseReason::PeerUnbound));
}

#[test]
fn a_message_in_either_direction_is_activity() {
    let inactivity = Config { inactivity_timeout: Some(secs(60)), response_timeout: secs(100), ..patient() };
    let mut pair = Pair::bound_with(inactivity, patient());
    pair.advance(secs(50));
    pair.submit("out");
    pair.advance(secs(50));
    assert_eq!(pair.esme.session.state(), State::Bound(BindMode::Transceiver));
    assert!(pair.esme.submit(pair.now, "out again").is_ok(), "50 seconds after the last message");
    pair.settle();
    pair.smsc.accept("id-1");
    pair.smsc.accept("id-2");
    pair.advance(secs(59));
    pair.smsc.request(pair.now, &deliver_sm("in"), "in").unwrap();
    pair.advance(secs(59));
    assert_eq!(pair.esme.closed, None);
    assert!(pair.esme.submit(pair.now, "59 seconds after the delivery").is_ok());
}

#[test]
fn an_answer_is_activity() {
    let config = Config { inactivity_timeout: Some(secs(60)), ..patient() };
    let mut pair = Pair::bound_with(patient(), config);
    pair.advance(secs(10));
    pair.submit("asked after 10 seconds");
    pair.advance(secs(9));
    pair.smsc.wake(pair.now);
    pair.smsc.accept("answered after 19");
    pair.advance(secs(59));
    assert_eq!(pair.smsc.session.state(), State::Bound(BindMode::Transceiver), "at 78 seconds");
    pair.advance(secs(1));
    assert_eq!(pair.smsc.closed, Some(CloseReason::Inactive));
}

#[test]
fn who_has_unbound_is_not_probed() {
    let mut esme = bound_esme(Config { drain_timeout: secs(60), ..probing() }, BindMode::Transceiver);
    esme.session.unbind(Instant::ZERO + secs(29));
    esme.wake(Instant::ZERO + secs(31));
    let spoken = esme.speak();
    let said: Vec<_> = said(&spoken).iter().map(|(command, ..)| *command).collect();
    assert_eq!(said, [CommandId::UNBIND]);

    // Nor does a probe from before cut the time for the answer short.
    let mut esme = bound_esme(probing(), BindMode::Transceiver);
    esme.wake(Instant::ZERO + secs(30));
    esme.session.unbind(Instant::ZERO + secs(35));
    esme.speak();
    esme.wake(Instant::ZERO + secs(44));
    assert_eq!(esme.closed, None);
    esme.wake(Instant::ZERO + secs(45));
    assert_eq!(esme.closed, Some(CloseReason::UnbindTimeout));
}
