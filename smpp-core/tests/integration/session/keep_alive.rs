//! Keep-alive and inactivity.

use smpp_proto::session::{CloseReason, Config, Esme, Instant, Smsc, State, Timer, UnansweredReason};
use smpp_proto::{BindMode, CommandId, CommandStatus, DeliverSmResp, EnquireLink, Pdu};

use super::support::{
    OwnedEvent, OwnedOutcome, Pair, Peer, bound_esme, deliver_sm, octets, pdus, request, secs,
};

fn with_keep_alive() -> Config {
    Config::default().enquire_link_interval(secs(30)).response_timeout(secs(10))
}

fn without_keep_alive() -> Config {
    Config::default().enquire_link_interval(None)
}

#[test]
fn an_idle_session_sends_enquire_link_and_continues() {
    let mut pair = Pair::bound_with(with_keep_alive(), without_keep_alive());
    pair.advance(secs(300));
    assert_eq!((pair.esme.closed, pair.smsc.closed), (None, None));
    // The bind, ten enquire_links at 30, 60, ... 300 seconds.
    assert_eq!(pair.esme.session.stats().sent.total().pdus(), 11);
    assert_eq!(
        (pair.esme.take_events(), pair.smsc.take_events()),
        (vec![], vec![]),
        "enquire_link causes no event"
    );
}

#[test]
fn an_interval_of_zero_sends_no_enquire_link() {
    let config = without_keep_alive().enquire_link_interval(secs(0));
    let mut pair = Pair::bound_with(config, without_keep_alive());
    pair.advance(secs(300));
    assert_eq!(pair.esme.session.stats().sent.total().pdus(), 1, "the bind");
    pair.esme.session.reconfigure(pair.now, config.window(7));
    pair.advance(secs(300));
    assert_eq!(pair.esme.session.stats().sent.total().pdus(), 1);
}

#[test]
fn while_the_peer_sends_pdus_no_enquire_link_is_sent() {
    let mut pair = Pair::bound_with(with_keep_alive(), without_keep_alive());
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
fn own_pdus_do_not_replace_enquire_link() {
    let mut esme = bound_esme(with_keep_alive(), BindMode::Transceiver);
    esme.submit(Instant::ZERO + secs(29), "hello").unwrap();
    esme.transmit();
    esme.handle_timeouts(Instant::ZERO + secs(30));
    assert_eq!(pdus(&esme.transmit())[0].0, CommandId::ENQUIRE_LINK);
}

#[test]
fn a_session_without_an_answer_to_enquire_link_ends_as_link_dead() {
    let mut pair = Pair::bound_with(with_keep_alive(), without_keep_alive());
    pair.lose_octets();
    pair.advance(secs(39));
    assert_eq!(pair.esme.closed, None);
    assert_eq!(
        pair.esme.session.poll_timeout(),
        Some((Instant::ZERO + secs(40), Timer::EnquireLinkResponse))
    );
    pair.advance(secs(1));
    assert_eq!(pair.esme.take_events(), [OwnedEvent::Closed(CloseReason::LinkDead)]);
}

/// The peer has not received the enquire_link: its silence proves nothing about the link.
#[test]
fn a_session_whose_enquire_link_has_not_left_ends_as_stalled() {
    let mut esme = bound_esme(with_keep_alive(), BindMode::Transceiver);
    // All octets but one leave.
    esme.submit(Instant::ZERO + secs(29), "hello").unwrap();
    esme.handle_timeouts(Instant::ZERO + secs(30));
    let mut output = Vec::new();
    esme.session.poll_transmit(&mut output);
    esme.session.handle_transmitted(output.len() - 1);
    for second in 31..49 {
        esme.handle_timeouts(Instant::ZERO + secs(second));
        assert_eq!(esme.closed, None, "not LinkDead 10 s after the enquire_link");
    }
    // Twice response_timeout after the first octet that did not leave.
    esme.handle_timeouts(Instant::ZERO + secs(49));
    assert_eq!(esme.closed, Some(CloseReason::Stalled));
}

/// Returns an ESME whose enquire_link was encoded at 30 s, and the length of its output.
fn with_a_waiting_enquire_link() -> (Peer<Esme>, usize) {
    let mut esme = bound_esme(with_keep_alive(), BindMode::Transceiver);
    esme.handle_timeouts(Instant::ZERO + secs(30));
    let mut output = Vec::new();
    esme.session.poll_transmit(&mut output);
    (esme, output.len())
}

#[test]
fn an_enquire_link_that_leaves_late_gives_the_peer_more_time() {
    let (mut esme, length) = with_a_waiting_enquire_link();
    esme.session.handle_transmitted(length - 1);
    esme.handle_timeouts(Instant::ZERO + secs(31));
    esme.session.handle_transmitted(1);
    let due = Some((Instant::ZERO + secs(50), Timer::EnquireLinkResponse));
    assert_eq!(esme.session.poll_timeout(), due, "the peer has at least 10 s");
    esme.handle_timeouts(Instant::ZERO + secs(50));
    assert_eq!(esme.closed, Some(CloseReason::LinkDead));
}

#[test]
fn a_dead_link_is_noticed_in_time_although_no_time_is_passed_after_the_write() {
    let (mut esme, length) = with_a_waiting_enquire_link();
    esme.session.handle_transmitted(length);
    let due = Some((Instant::ZERO + secs(40), Timer::EnquireLinkResponse));
    assert_eq!(esme.session.poll_timeout(), due);
    esme.handle_timeouts(Instant::ZERO + secs(40));
    assert_eq!(esme.closed, Some(CloseReason::LinkDead));
}

#[test]
fn an_enquire_link_that_leaves_octet_by_octet_ends_the_session_in_the_end() {
    let (mut esme, _) = with_a_waiting_enquire_link();
    for second in (31..50).step_by(3) {
        esme.session.handle_transmitted(1);
        esme.handle_timeouts(Instant::ZERO + secs(second));
        assert_eq!(esme.closed, None, "at {second} s");
    }
    esme.handle_timeouts(Instant::ZERO + secs(50));
    assert_eq!(esme.closed, Some(CloseReason::Stalled));
}

#[test]
fn any_pdu_counts_as_an_answer_to_enquire_link() {
    let mut esme = bound_esme(with_keep_alive(), BindMode::Transceiver);
    let sent_at = Instant::ZERO + secs(30);
    esme.handle_timeouts(sent_at);
    let enquire_link = pdus(&esme.transmit())[0].2;
    esme.receive(sent_at + secs(9), &request(Pdu::EnquireLink, 77));
    esme.handle_timeouts(sent_at + secs(38));
    assert_eq!(esme.closed, None);
    assert_eq!(esme.session.poll_timeout(), Some((sent_at + secs(39), Timer::EnquireLink)));
    esme.receive(sent_at + secs(38), &octets(Pdu::EnquireLinkResp, CommandStatus::ROK, enquire_link));
    assert!(esme.take_events().is_empty(), "the enquire_link_resp may arrive later");
}

#[test]
fn an_enquire_link_is_answered_in_every_state() {
    let mut smsc = Peer::<Smsc>::new(Config::default());
    smsc.receive(Instant::ZERO, &request(Pdu::EnquireLink, 9));
    let answer = (CommandId::ENQUIRE_LINK_RESP, CommandStatus::ROK, 9, &b""[..]);
    assert_eq!(pdus(&smsc.transmit()), [answer]);

    let mut esme = bound_esme(Config::default(), BindMode::Receiver);
    esme.session.unbind(Instant::ZERO);
    esme.transmit();
    esme.receive(Instant::ZERO, &request(Pdu::EnquireLink, 9));
    assert_eq!(pdus(&esme.transmit()), [answer], "also while unbinding");
}

#[test]
fn an_enquire_link_resp_is_accepted_while_unbinding() {
    let mut esme = bound_esme(with_keep_alive(), BindMode::Transceiver);
    let sent_at = Instant::ZERO + secs(30);
    esme.handle_timeouts(sent_at);
    let enquire_link = pdus(&esme.transmit())[0].2;
    esme.session.unbind(sent_at + secs(5));
    esme.transmit();
    esme.receive(sent_at + secs(6), &octets(Pdu::EnquireLinkResp, CommandStatus::ROK, enquire_link));
    esme.handle_timeouts(sent_at + secs(14));
    assert_eq!(esme.closed, None, "the link works");
    esme.handle_timeouts(sent_at + secs(15));
    assert_eq!(esme.closed, Some(CloseReason::UnbindTimeout));
}

#[test]
fn an_enquire_link_of_the_caller_has_an_outcome() {
    let mut esme = bound_esme(without_keep_alive(), BindMode::Transceiver);
    esme.request(Instant::ZERO, &EnquireLink, "are you there").unwrap();
    esme.handle_timeouts(Instant::ZERO + secs(10));
    let timeout = OwnedOutcome::Unanswered(UnansweredReason::Timeout);
    assert_eq!(esme.take_events(), [OwnedEvent::Outcome("are you there", timeout)]);
    assert_eq!(esme.closed, None);
}

#[test]
fn an_inactive_session_unbinds() {
    let mut pair = Pair::bound_with(with_keep_alive().inactivity_timeout(secs(60)), without_keep_alive());
    pair.advance(secs(59));
    assert_eq!(pair.esme.closed, None, "the timeout has not passed yet");
    pair.advance(secs(1));
    assert_eq!(pair.esme.closed, Some(CloseReason::Inactive));
    assert_eq!(pair.smsc.closed, Some(CloseReason::PeerUnbound));
}

#[test]
fn a_message_in_either_direction_is_activity() {
    let inactivity = without_keep_alive().inactivity_timeout(secs(60)).response_timeout(secs(100));
    let mut pair = Pair::bound_with(inactivity, without_keep_alive());
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
fn a_response_is_activity() {
    let config = without_keep_alive().inactivity_timeout(secs(60));
    let mut pair = Pair::bound_with(without_keep_alive(), config);
    pair.advance(secs(10));
    pair.submit("asked after 10 seconds");
    pair.advance(secs(9));
    pair.smsc.handle_timeouts(pair.now);
    pair.smsc.accept("answered after 19");
    pair.advance(secs(59));
    assert_eq!(pair.smsc.session.state(), State::Bound(BindMode::Transceiver), "at 78 seconds");
    pair.advance(secs(1));
    assert_eq!(pair.smsc.closed, Some(CloseReason::Inactive));
}

#[test]
fn after_an_unbind_no_enquire_link_is_sent() {
    let mut esme = bound_esme(with_keep_alive().drain_timeout(secs(60)), BindMode::Transceiver);
    esme.session.unbind(Instant::ZERO + secs(29));
    esme.handle_timeouts(Instant::ZERO + secs(31));
    let output = esme.transmit();
    let commands: Vec<_> = pdus(&output).iter().map(|(command, ..)| *command).collect();
    assert_eq!(commands, [CommandId::UNBIND]);

    // An earlier enquire_link does not shorten the timeout of the unbind.
    let mut esme = bound_esme(with_keep_alive(), BindMode::Transceiver);
    esme.handle_timeouts(Instant::ZERO + secs(30));
    esme.session.unbind(Instant::ZERO + secs(35));
    esme.transmit();
    esme.handle_timeouts(Instant::ZERO + secs(44));
    assert_eq!(esme.closed, None);
    esme.handle_timeouts(Instant::ZERO + secs(45));
    assert_eq!(esme.closed, Some(CloseReason::UnbindTimeout));
}
