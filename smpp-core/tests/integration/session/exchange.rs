//! Requests and their outcomes.

use smpp_proto::session::{
    CloseReason, Config, Esme, Event, Instant, Outcome, RequestError, Session, UnansweredReason,
};
use smpp_proto::tlv::{Tag, Tlv, Tlvs};
use smpp_proto::{
    BindMode, COctets, CommandId, CommandStatus, DecodeErrorKind, DeliverSmResp, Pdu, SequenceNumber,
    SubmitSmResp,
};

use super::support::{
    OwnedEvent, OwnedOutcome, Pair, accepted, bind, bind_resp, bound_esme, deliver_sm, octets, pdus, raw,
    request, secs, submit_sm, submit_sm_resp,
};

#[test]
fn a_submitted_message_is_answered() {
    let mut pair = Pair::bound();
    pair.submit("hello");
    assert_eq!(pair.smsc.take_events(), [OwnedEvent::Request(CommandId::SUBMIT_SM)]);
    assert_eq!(pair.esme.session.in_flight(), 1);
    pair.smsc.accept("id-1");
    pair.settle();
    assert_eq!(pair.esme.take_events(), [OwnedEvent::Outcome("hello", accepted("id-1"))]);
    assert_eq!(pair.esme.session.in_flight(), 0);
}

#[test]
fn a_link_may_deliver_one_octet_at_a_time() {
    let mut pair = Pair::bound();
    (pair.to_smsc.chunk, pair.to_esme.chunk) = (1, 1);
    pair.submit("first");
    pair.submit("second");
    pair.smsc.accept("id-1");
    pair.smsc.accept("id-2");
    pair.settle();
    let events =
        [OwnedEvent::Outcome("first", accepted("id-1")), OwnedEvent::Outcome("second", accepted("id-2"))];
    assert_eq!(pair.esme.take_events(), events);
}

#[test]
fn responses_may_arrive_in_any_order() {
    let mut pair = Pair::bound();
    for text in ["a", "b", "c"] {
        pair.submit(text);
    }
    for (message_id, index) in [("id-c", 2), ("id-a", 0), ("id-b", 0)] {
        let reply = pair.smsc.submits.remove(index).unwrap();
        pair.smsc.session.respond(reply, Ok(submit_sm_resp(message_id))).unwrap();
    }
    pair.settle();
    let events = ["c", "a", "b"].map(|tag| OwnedEvent::Outcome(tag, accepted(&format!("id-{tag}"))));
    assert_eq!(pair.esme.take_events(), events);
}

#[test]
fn a_message_can_be_refused_with_a_status() {
    let mut pair = Pair::bound();
    pair.submit("hello");
    let reply = pair.smsc.submits.pop_front().unwrap();
    pair.smsc.session.respond(reply, Err(CommandStatus(0x450))).unwrap();
    let output = pair.smsc.transmit();
    assert_eq!(pdus(&output), [(CommandId::SUBMIT_SM_RESP, CommandStatus(0x450), 2, &b""[..])]);
    pair.esme.receive(pair.now, &output);
    assert_eq!(
        pair.esme.take_events(),
        [OwnedEvent::Outcome("hello", OwnedOutcome::Refused(CommandStatus(0x450)))]
    );
}

#[test]
fn an_error_response_to_deliver_sm_has_a_body() {
    let mut pair = Pair::bound();
    pair.smsc.request(pair.now, &deliver_sm("hello"), "hello").unwrap();
    pair.settle();
    let reply = pair.esme.delivers.pop_front().unwrap();
    pair.esme.session.respond(reply, Err(CommandStatus::RX_T_APPN)).unwrap();
    let output = pair.esme.transmit();
    assert_eq!(pdus(&output), [(CommandId::DELIVER_SM_RESP, CommandStatus::RX_T_APPN, 1, &b"\0"[..])]);
    pair.smsc.receive(pair.now, &output);
    assert!(
        pair.smsc
            .take_events()
            .contains(&OwnedEvent::Outcome("hello", OwnedOutcome::Refused(CommandStatus::RX_T_APPN)))
    );
}

#[test]
fn each_side_has_its_own_sequence_numbers() {
    let mut pair = Pair::bound();
    let delivered = pair.smsc.request(pair.now, &deliver_sm("down"), "down").unwrap();
    let again = pair.smsc.request(pair.now, &deliver_sm("again"), "again").unwrap();
    let submitted = pair.submit("up");
    // The bind of the ESME had sequence number 1.
    assert_eq!([delivered, again, submitted], [SequenceNumber(1), SequenceNumber(2), SequenceNumber(2)]);
    pair.smsc.accept("id-up");
    while let Some(reply) = pair.esme.delivers.pop_front() {
        pair.esme.session.respond(reply, Ok(DeliverSmResp::default())).unwrap();
    }
    pair.settle();
    assert!(pair.esme.take_events().contains(&OwnedEvent::Outcome("up", accepted("id-up"))));
    let events = ["down", "again"].map(|tag| OwnedEvent::Outcome(tag, accepted("")));
    assert!(pair.smsc.take_events().ends_with(&events));
}

#[test]
fn each_request_has_its_own_deadline() {
    let mut pair = Pair::bound();
    pair.submit("first");
    pair.advance(secs(4));
    pair.submit("second");
    pair.advance(secs(6));
    assert_eq!(
        pair.esme.take_events(),
        [OwnedEvent::Outcome("first", OwnedOutcome::Unanswered(UnansweredReason::Timeout))]
    );
    pair.advance(secs(4));
    assert_eq!(
        pair.esme.take_events(),
        [OwnedEvent::Outcome("second", OwnedOutcome::Unanswered(UnansweredReason::Timeout))]
    );
    assert_eq!(pair.esme.session.stats().timeouts, 2);
}

#[test]
fn a_response_at_the_deadline_counts() {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    let sequence = esme.submit(Instant::ZERO, "hello").unwrap();
    let deadline = esme.session.poll_timeout().unwrap().0;
    let resp = Pdu::SubmitSmResp(Some(submit_sm_resp("id-1")));
    esme.receive(deadline, &octets(resp, CommandStatus::ROK, sequence.0));
    esme.handle_timeouts(deadline);
    assert_eq!(esme.take_events(), [OwnedEvent::Outcome("hello", accepted("id-1"))]);
}

#[test]
fn a_response_of_another_command_is_unexpected() {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    let sequence = esme.submit(Instant::ZERO, "hello").unwrap();
    for other in [Pdu::EnquireLinkResp, Pdu::UnbindResp, Pdu::DeliverSmResp(None)] {
        esme.receive(Instant::ZERO, &octets(other, CommandStatus::ROK, sequence.0));
        assert_eq!(esme.take_events(), [OwnedEvent::UnexpectedResponse(other.command())]);
    }
    let resp = octets(Pdu::SubmitSmResp(Some(submit_sm_resp("id"))), CommandStatus::ROK, sequence.0);
    esme.receive(Instant::ZERO, &[&resp[..], &resp].concat());
    let events = [
        OwnedEvent::Outcome("hello", accepted("id")),
        OwnedEvent::UnexpectedResponse(CommandId::SUBMIT_SM_RESP),
    ];
    assert_eq!(esme.take_events(), events, "the repeated response is unexpected");
}

#[test]
fn a_generic_nack_ends_the_request_with_the_same_number() {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    let sequence = esme.submit(Instant::ZERO, "hello").unwrap();
    esme.receive(Instant::ZERO, &octets(Pdu::GenericNack, CommandStatus::RINVCMDLEN, 0));
    assert_eq!(
        esme.take_events(),
        [OwnedEvent::UnexpectedResponse(CommandId::GENERIC_NACK)],
        "no request has number 0"
    );
    esme.receive(Instant::ZERO, &octets(Pdu::GenericNack, CommandStatus::RINVCMDID, sequence.0));
    assert_eq!(
        esme.take_events(),
        [OwnedEvent::Outcome("hello", OwnedOutcome::Nacked(CommandStatus::RINVCMDID))]
    );
    assert_eq!(esme.transmit().len(), submit_sm_length(), "only the submit_sm is sent");
}

fn submit_sm_length() -> usize {
    request(Pdu::SubmitSm(submit_sm("hello")), 1).len()
}

#[test]
fn a_malformed_response_leaves_the_request_unanswered() {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    let sequence = esme.submit(Instant::ZERO, "hello").unwrap();
    let damaged = [&b"id\0"[..], &[0x04, 0x24, 0, 9, 1]].concat();
    esme.receive(Instant::ZERO, &raw(CommandId::SUBMIT_SM_RESP, CommandStatus::ROK, sequence.0, &damaged));
    let [OwnedEvent::Outcome("hello", OwnedOutcome::Unanswered(UnansweredReason::Unreadable(error)))] =
        esme.take_events()[..]
    else {
        panic!("the message may have been accepted");
    };
    assert_eq!((error.kind, error.offset), (DecodeErrorKind::TlvOverrun, 19));
    assert_eq!(esme.session.in_flight(), 0);
}

#[test]
fn a_status_that_nobody_defines_is_a_refusal_with_that_status() {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    for status in [0x400, 0x4FF, 0x500, 0xDEAD_BEEF, u32::MAX].map(CommandStatus) {
        for body in [&b""[..], b"4711\0", b"\xFF"] {
            let sequence = esme.submit(Instant::ZERO, "hello").unwrap().0;
            esme.receive(Instant::ZERO, &raw(CommandId::SUBMIT_SM_RESP, status, sequence, body));
            let refused = OwnedEvent::Outcome("hello", OwnedOutcome::Refused(status));
            assert_eq!(esme.take_events(), [refused], "{status} {body:?}");
        }
    }
    assert!(esme.session.state().is_bound());
}

#[test]
fn an_error_response_with_a_malformed_body_is_a_refusal() {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    let sequence = esme.submit(Instant::ZERO, "hello").unwrap().0;
    let pdu = raw(CommandId::SUBMIT_SM_RESP, CommandStatus::RTHROTTLED, sequence, b"\0no TLV");
    esme.receive(Instant::ZERO, &pdu);
    assert_eq!(
        esme.take_events(),
        [OwnedEvent::Outcome("hello", OwnedOutcome::Refused(CommandStatus::RTHROTTLED))]
    );
    assert_eq!(esme.session.stats().malformed, 1);
}

#[test]
fn the_malformed_body_of_an_error_response_counts_as_absent() {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    let sequence = esme.submit(Instant::ZERO, "hello").unwrap().0;
    let pdu = raw(CommandId::SUBMIT_SM_RESP, CommandStatus::RTHROTTLED, sequence, b"\0no TLV");
    let Some(Event::Outcome { outcome: Outcome::Refused { response, .. }, .. }) =
        esme.session.handle_input(Instant::ZERO, &mut &pdu[..])
    else {
        panic!("the refusal is reported");
    };
    assert_eq!(response.pdu(), Some(Pdu::SubmitSmResp(None)));
}

#[test]
fn an_outcome_can_be_owned() {
    let mut esme = Session::<Esme, ()>::new(Config::default(), Instant::ZERO);
    let sequence = esme.request(Instant::ZERO, &bind(BindMode::Transceiver), ()).unwrap();
    let resp = Pdu::BindResp(BindMode::Transceiver, Some(bind_resp()));
    let owned = {
        let octets = octets(resp, CommandStatus::ROK, sequence.0);
        let Some(Event::Outcome { outcome, .. }) = esme.handle_input(Instant::ZERO, &mut &octets[..]) else {
            panic!("the bind has an outcome");
        };
        outcome.into_result().unwrap()
    };
    assert_eq!(owned.bind_resp(), bind_resp());
    assert_eq!(owned.frame().octets(), octets(resp, CommandStatus::ROK, sequence.0));
    assert_eq!(owned.message_id(), b"", "a bind response has no message_id");
}

#[test]
fn an_owned_response_of_any_length_equals_the_received_one() {
    for (id, info) in [(0, 0), (10, 0), (64, 0), (64, 1), (64, 200)] {
        let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
        let sequence = esme.submit(Instant::ZERO, "hello").unwrap().0;
        let text = "x".repeat(info);
        let tlvs = [Tlv::new(Tag::ADDITIONAL_STATUS_INFO_TEXT, text.as_bytes()).unwrap()];
        let id = "7".repeat(id);
        let body = SubmitSmResp {
            message_id: COctets::new(id.as_bytes()).unwrap(),
            tlvs: Tlvs::list(if info > 0 { &tlvs } else { &[] }),
        };
        let octets = octets(Pdu::SubmitSmResp(Some(body)), CommandStatus::ROK, sequence);
        let Some(Event::Outcome { outcome, .. }) = esme.session.handle_input(Instant::ZERO, &mut &octets[..])
        else {
            panic!("the message has an outcome");
        };
        let mut slot = Some(Err(RequestError::Unanswered(UnansweredReason::Timeout)));
        outcome.store_in(&mut slot);
        for owned in [outcome.into_result().unwrap(), slot.unwrap().unwrap()] {
            assert_eq!(owned.frame().octets(), octets);
            assert_eq!(owned.message_id(), id.as_bytes());
        }
    }
}

#[test]
fn only_an_unanswered_request_is_not_safe_to_resend() {
    let errors = [
        (Outcome::Nacked(CommandStatus::RINVCMDID), true, Some(CommandStatus::RINVCMDID)),
        (Outcome::NeverSent(CloseReason::Disconnected), true, None),
        (Outcome::Unanswered(UnansweredReason::Timeout), false, None),
        (Outcome::Unanswered(UnansweredReason::Closed(CloseReason::LinkDead)), false, None),
    ];
    for (outcome, safe, status) in errors {
        let error = outcome.into_result().unwrap_err();
        let mut slot = None;
        outcome.store_in(&mut slot);
        assert_eq!(slot.unwrap().unwrap_err(), error);
        assert_eq!((error.is_safe_to_resend(), error.status()), (safe, status), "{error}");
    }
}

#[test]
fn a_lost_connection_distinguishes_sent_from_unsent_requests() {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    let mut output = Vec::new();
    let mut lengths = ["sent", "half sent", "not sent"].map(|text| {
        esme.submit(Instant::ZERO, text).unwrap();
        let before = output.len();
        esme.session.poll_transmit(&mut output);
        output.len() - before
    });
    lengths[1] /= 2;
    // `poll_transmit` does not mean transmitted: the transport took the first message and half of the second.
    esme.session.handle_transmitted(lengths[0]);
    esme.session.handle_transmitted(lengths[1]);
    esme.session.handle_disconnect();
    esme.handle_timeouts(Instant::ZERO);
    let lost = CloseReason::Disconnected;
    assert_eq!(
        esme.take_events(),
        [
            OwnedEvent::Outcome("sent", OwnedOutcome::Unanswered(UnansweredReason::Closed(lost))),
            OwnedEvent::Outcome("half sent", OwnedOutcome::NeverSent(lost)),
            OwnedEvent::Outcome("not sent", OwnedOutcome::NeverSent(lost)),
            OwnedEvent::Closed(lost),
        ]
    );
}

#[test]
fn a_time_before_the_latest_one_does_not_reorder_deadlines() {
    let mut pair = Pair::bound();
    let early = pair.now;
    pair.advance(secs(3));
    pair.esme.submit(pair.now, "first").unwrap();
    pair.esme.submit(early, "second").unwrap();
    let due = pair.now + Config::default().response_timeout;
    assert_eq!(pair.esme.session.poll_timeout().map(|(at, _)| at), Some(due));
    while pair.esme.session.handle_timeout(due).is_some() {}
    assert_eq!(pair.esme.session.in_flight(), 0, "both are due at once");
}

#[test]
fn extra_octets_after_the_message_id_do_not_make_the_response_malformed() {
    for tail in [&[0_u8, 0][..], &[0, 0, 0]] {
        let mut pair = Pair::bound();
        pair.submit("hello");
        let sequence = pair.smsc.submits.pop_front().map(|_| 2).unwrap();
        let body = [b"id-1\0", tail].concat();
        pair.esme.receive(pair.now, &raw(CommandId::SUBMIT_SM_RESP, CommandStatus::ROK, sequence, &body));
        assert_eq!(pair.esme.take_events(), [OwnedEvent::Outcome("hello", accepted("id-1"))]);
    }
}
