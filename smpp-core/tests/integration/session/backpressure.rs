//! Backpressure: what the session does while the application does not answer.

use std::time::Duration;

use smpp_proto::session::{CloseReason, Config, Instant, Timer};
use smpp_proto::{BindMode, CommandId, CommandStatus, Pdu};

use super::support::{
    OwnedEvent, OwnedOutcome, Pair, bound_esme, bound_smsc, deliver_sm, just_before, octets, pdus, request,
    secs, submit_sm, submit_sm_resp,
};

const NOW: Instant = Instant::ZERO;

fn flood(sequences: std::ops::Range<u32>) -> Vec<u8> {
    sequences.flat_map(|sequence| request(Pdu::SubmitSm(submit_sm("x")), sequence)).collect()
}

fn config(max_unanswered: u16) -> Config {
    Config::default().max_unanswered(max_unanswered).backpressure_timeout(secs(5))
}

#[test]
fn a_burst_of_any_size_is_accepted_if_the_application_answers() {
    let mut smsc = bound_smsc(config(4), BindMode::Transceiver);
    smsc.receive(NOW, &flood(2..3002));
    let mut accepted = 0;
    while !smsc.submits.is_empty() {
        assert!(smsc.submits.len() <= 4, "no more are given to the application than may wait for it");
        while !smsc.submits.is_empty() {
            smsc.accept("id");
            accepted += 1;
        }
        let answers = smsc.transmit();
        assert!(pdus(&answers).iter().all(|(_, status, ..)| *status == CommandStatus::ROK));
        smsc.receive(NOW, &[]);
    }
    assert_eq!((accepted, smsc.unread.len()), (3000, 0));
}

#[test]
fn the_session_stops_reading_at_max_unanswered_and_says_when_it_reads_again() {
    let mut smsc = bound_smsc(config(2), BindMode::Transceiver);
    smsc.receive(NOW, &flood(2..6));
    assert_eq!((smsc.submits.len(), smsc.session.wants_input()), (2, false));
    assert_eq!(smsc.session.poll_timeout(), Some((NOW + secs(5), Timer::Backpressure)));
    smsc.accept("id");
    assert_eq!(smsc.session.poll_timeout(), Some((NOW, Timer::Input)), "two PDUs were left over");
    smsc.receive(NOW, &[]);
    assert_eq!((smsc.submits.len(), smsc.session.wants_input()), (2, false));
}

#[test]
fn a_submit_sm_is_taken_without_an_event_only_while_the_session_accepts_it() {
    let mut smsc = bound_smsc(config(2), BindMode::Transceiver);
    let flood = flood(2..6);
    let mut input = &flood[..];
    let mut replies = Vec::new();
    while let Some((frame, reply)) = smsc.session.take_submit_sm(NOW, &mut input) {
        assert_eq!(frame.octets(), &flood[replies.len() * flood.len() / 4..][..flood.len() / 4]);
        replies.push(reply);
    }
    assert_eq!((replies.len(), input.len(), smsc.session.wants_input()), (2, flood.len() / 2, false));
    assert_eq!(smsc.session.poll_timeout(), Some((NOW + secs(5), Timer::Backpressure)));
    // Then each is refused, which takes an event.
    smsc.handle_timeouts(NOW + secs(5));
    assert!(smsc.session.wants_input() && smsc.session.take_submit_sm(NOW, &mut input).is_none());
    assert_eq!(input.len(), flood.len() / 2);

    let message = request(Pdu::SubmitSm(submit_sm("x")), 9);
    let mut receiver = bound_smsc(config(2), BindMode::Receiver);
    assert!(receiver.session.take_submit_sm(NOW, &mut &message[..]).is_none(), "not allowed");
    let mut esme = bound_esme(config(2), BindMode::Transceiver);
    assert!(esme.session.take_submit_sm(NOW, &mut &message[..]).is_none(), "not for this side");
    let mut smsc = bound_smsc(config(2), BindMode::Transceiver);
    assert!(smsc.session.take_submit_sm(NOW, &mut &message[..message.len() - 1]).is_none(), "incomplete");
    smsc.session.unbind(NOW);
    assert!(smsc.session.take_submit_sm(NOW, &mut &message[..]).is_none(), "the session is ending");
}

#[test]
fn requests_are_throttled_only_after_the_grace_period() {
    let mut smsc = bound_smsc(config(2), BindMode::Transceiver);
    smsc.receive(NOW, &flood(2..6));
    let before = NOW + just_before(5);
    smsc.handle_timeouts(before);
    assert_eq!(smsc.take_events(), [CommandId::SUBMIT_SM; 2].map(OwnedEvent::Request));
    smsc.handle_timeouts(NOW + secs(5));
    let throttled = OwnedEvent::Refused(CommandId::SUBMIT_SM, CommandStatus::RTHROTTLED);
    assert_eq!(smsc.take_events(), [throttled.clone(), throttled]);
    let answers =
        [4, 5].map(|sequence| (CommandId::SUBMIT_SM_RESP, CommandStatus::RTHROTTLED, sequence, &b""[..]));
    assert_eq!(pdus(&smsc.transmit()), answers);
    // One answer ends it: the next full load is held back again.
    smsc.accept("id");
    smsc.receive(NOW + secs(6), &flood(6..9));
    assert_eq!(smsc.take_events(), [OwnedEvent::Request(CommandId::SUBMIT_SM)]);
    assert_eq!(smsc.session.poll_timeout(), Some((NOW + secs(11), Timer::Backpressure)));
}

#[test]
fn a_response_behind_requests_is_reached_after_the_grace_period() {
    let mut esme = bound_esme(config(1), BindMode::Transceiver);
    let sequence = esme.submit(NOW, "mine").unwrap();
    esme.transmit();
    let mut input: Vec<u8> =
        (1..4).flat_map(|sequence| request(Pdu::DeliverSm(deliver_sm("news")), sequence)).collect();
    input.extend(octets(Pdu::SubmitSmResp(Some(submit_sm_resp("id"))), CommandStatus::ROK, sequence.0));
    esme.receive(NOW, &input);
    assert_eq!(esme.take_events(), [OwnedEvent::Request(CommandId::DELIVER_SM)]);
    // The application waits for its own response before it answers.
    esme.handle_timeouts(NOW + secs(5));
    let throttled = OwnedEvent::Refused(CommandId::DELIVER_SM, CommandStatus::RTHROTTLED);
    let accepted = OwnedEvent::Outcome("mine", super::support::accepted("id"));
    assert_eq!(esme.take_events(), [throttled.clone(), throttled, accepted]);
}

#[test]
fn a_session_that_does_not_read_does_not_take_the_peer_for_dead() {
    let smsc = config(1).enquire_link_interval(secs(2)).response_timeout(secs(1));
    let mut pair = Pair::bound_with(Config::default().window(4), smsc);
    pair.submit("first");
    pair.submit("second");
    pair.advance(secs(4));
    assert_eq!((pair.smsc.closed, pair.smsc.session.wants_input()), (None, false));
    pair.smsc.accept("id");
    pair.settle();
    pair.advance(secs(20));
    assert_eq!(pair.smsc.closed, None, "the peer has answered enquire_link");
}

#[test]
fn keep_alive_is_punctual_while_the_session_does_not_read() {
    let config = config(1).enquire_link_interval(secs(2)).response_timeout(secs(60));
    let mut smsc = bound_smsc(config, BindMode::Transceiver);
    smsc.receive(NOW, &flood(2..4));
    assert!(!smsc.session.wants_input());
    smsc.handle_timeouts(NOW + secs(1));
    assert!(smsc.transmit().is_empty());
    smsc.handle_timeouts(NOW + secs(2));
    let [(CommandId::ENQUIRE_LINK, ..)] = pdus(&smsc.transmit())[..] else { panic!("one enquire_link") };
}

#[test]
fn a_response_timeout_of_zero_is_no_endless_loop() {
    let enquire_link_interval = Some(Duration::from_millis(100));
    let config = config(1).enquire_link_interval(enquire_link_interval).response_timeout(Duration::ZERO);
    let mut smsc = bound_smsc(config, BindMode::Transceiver);
    smsc.receive(NOW, &flood(2..4));
    smsc.handle_timeouts(NOW + secs(1));
    assert_eq!(smsc.closed, Some(CloseReason::Stalled), "the transport has not taken enquire_link");
}

#[test]
fn a_late_call_reads_what_has_arrived_before_it_takes_the_peer_for_dead() {
    let config = config(1).enquire_link_interval(secs(1)).response_timeout(secs(7));
    let mut smsc = bound_smsc(config, BindMode::Transceiver);
    smsc.handle_timeouts(NOW);
    smsc.handle_timeouts(NOW + secs(1));
    let output = smsc.transmit();
    let [(CommandId::ENQUIRE_LINK, _, sequence, _)] = pdus(&output)[..] else { panic!("one enquire_link") };
    // The request stops the session from reading until 7 s. The peer answers, and the response waits.
    smsc.receive(NOW + secs(2), &flood(2..3));
    smsc.handle_timeouts(NOW + secs(20));
    assert_eq!(smsc.closed, None);
    smsc.receive(NOW + secs(20), &octets(Pdu::EnquireLinkResp, CommandStatus::ROK, sequence));
    smsc.handle_timeouts(NOW + secs(28));
    assert_eq!(smsc.closed, None);
}

#[test]
fn the_application_has_drain_timeout_from_the_end_of_the_stream() {
    let config = Config::default().drain_timeout(secs(3));
    let mut smsc = bound_smsc(config, BindMode::Transceiver);
    smsc.receive(NOW, &flood(2..3));
    // Nothing happens for four seconds.
    smsc.session.handle_eof();
    smsc.handle_timeouts(NOW + secs(4));
    assert_eq!(smsc.session.poll_timeout(), Some((NOW + secs(7), Timer::Shutdown)));
    smsc.accept("in time");
    assert_eq!(pdus(&smsc.transmit()).len(), 1);
}

#[test]
fn responses_are_transmitted_after_the_peer_has_closed_its_side() {
    let mut smsc = bound_smsc(Config::default(), BindMode::Transceiver);
    smsc.receive(NOW, &flood(2..7));
    smsc.session.handle_eof();
    assert!(!smsc.session.wants_input());
    smsc.handle_timeouts(NOW + secs(4));
    for _ in 0..5 {
        smsc.accept("id");
    }
    assert_eq!(pdus(&smsc.transmit()).len(), 5);
    smsc.handle_timeouts(NOW + secs(4));
    assert_eq!(smsc.closed, Some(CloseReason::Disconnected));
}

#[test]
fn after_the_peer_has_closed_its_side_the_application_has_drain_timeout() {
    let config = Config::default().drain_timeout(secs(3));
    let mut smsc = bound_smsc(config, BindMode::Transceiver);
    smsc.receive(NOW, &flood(2..4));
    smsc.session.handle_eof();
    smsc.accept("in time");
    assert_eq!(pdus(&smsc.transmit()).len(), 1);
    smsc.handle_timeouts(NOW);
    assert_eq!(smsc.session.poll_timeout(), Some((NOW + secs(3), Timer::Shutdown)));
    smsc.handle_timeouts(NOW + secs(3));
    assert_eq!(smsc.closed, Some(CloseReason::Disconnected));
}

#[test]
fn without_outstanding_responses_the_end_of_the_stream_ends_the_session_at_once() {
    let mut smsc = bound_smsc(Config::default(), BindMode::Transceiver);
    smsc.session.handle_eof();
    smsc.handle_timeouts(NOW);
    assert_eq!(smsc.closed, Some(CloseReason::Disconnected));
}

#[test]
fn a_request_that_was_not_transmitted_before_the_end_of_the_stream_is_never_sent() {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    esme.submit(NOW, "not sent").unwrap();
    esme.session.handle_eof();
    esme.handle_timeouts(NOW);
    let lost = CloseReason::Disconnected;
    assert_eq!(
        esme.take_events(),
        [OwnedEvent::Outcome("not sent", OwnedOutcome::NeverSent(lost)), OwnedEvent::Closed(lost)]
    );
}

#[test]
fn the_peers_unbind_is_answered_after_it_has_closed_its_side() {
    let mut smsc = bound_smsc(Config::default(), BindMode::Transceiver);
    let mut input = flood(2..4);
    input.extend(request(Pdu::Unbind, 4));
    smsc.receive(NOW, &input);
    smsc.session.handle_eof();
    smsc.accept("a");
    smsc.accept("b");
    let commands: Vec<_> = pdus(&smsc.transmit()).iter().map(|(command, ..)| *command).collect();
    assert_eq!(commands, [CommandId::SUBMIT_SM_RESP, CommandId::SUBMIT_SM_RESP, CommandId::UNBIND_RESP]);
    smsc.handle_timeouts(NOW);
    assert_eq!(smsc.closed, Some(CloseReason::PeerUnbound));
}

#[test]
fn a_late_timeout_reads_what_has_arrived_before_it_takes_the_peer_for_dead() {
    let timers = config(1).enquire_link_interval(secs(3)).response_timeout(secs(3));
    for late in [secs(6), secs(7)] {
        let mut smsc = bound_smsc(timers, BindMode::Transceiver);
        // The response to the enquire_link of the session arrives behind messages.
        smsc.receive(NOW, &flood(2..4));
        smsc.handle_timeouts(NOW + secs(3));
        smsc.transmit();
        smsc.receive(NOW + secs(4), &octets(Pdu::EnquireLinkResp, CommandStatus::ROK, 1));
        smsc.handle_timeouts(NOW + late);
        assert_eq!((smsc.closed, smsc.unread.len()), (None, 0), "after {late:?}");
    }
}
