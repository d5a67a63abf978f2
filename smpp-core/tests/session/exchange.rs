//! Requests, and what becomes of them.

use smpp_core::session::{
    CloseReason, Config, Esme, Event, Instant, Outcome, RequestError, Session, UnansweredReason,
};
use smpp_core::tlv::{Tag, Tlv, Tlvs};
use smpp_core::{
    BindMode, COctets, CommandId, CommandStatus, DecodeErrorKind, DeliverSmResp, Pdu, SequenceNumber,
    SubmitSmResp,
};

use super::support::{
    Pair, SegmentOutcome, Told, accepted, bind, bind_resp, bound_esme, deliver_sm, octets, raw, request,
    said, secs, submit_sm, submit_sm_resp,
};

#[test]
fn a_submitted_message_is_answered() {
    let mut pair = Pair::bound();
    pair.submit("hello");
    assert_eq!(pair.smsc.told(), [Told::Request(CommandId::SUBMIT_SM)]);
    assert_eq!(pair.esme.session.in_flight(), 1);
    pair.smsc.accept("id-1");
    pair.settle();
    assert_eq!(pair.esme.told(), [Told::Outcome("hello", accepted("id-1"))]);
    assert_eq!(pair.esme.session.in_flight(), 0);
}

#[test]
fn a_link_that_delivers_octet_by_octet_changes_nothing() {
    let mut pair = Pair::bound();
    (pair.to_smsc.chunk, pair.to_esme.chunk) = (1, 1);
    pair.submit("first");
    pair.submit("second");
    pair.smsc.accept("id-1");
    pair.smsc.accept("id-2");
    pair.settle();
    let told = [Told::Outcome("first", accepted("id-1")), Told::Outcome("second", accepted("id-2"))];
    assert_eq!(pair.esme.told(), told);
}

#[test]
fn answers_may_come_in_any_order() {
    let mut pair = Pair::bound();
    for text in ["a", "b", "c"] {
        pair.submit(text);
    }
    for (message_id, index) in [("id-c", 2), ("id-a", 0), ("id-b", 0)] {
        let reply = pair.smsc.submits.remove(index).unwrap();
        pair.smsc.session.respond(reply, Ok(submit_sm_resp(message_id))).unwrap();
    }
    pair.settle();
    let told = ["c", "a", "b"].map(|tag| Told::Outcome(tag, accepted(&format!("id-{tag}"))));
    assert_eq!(pair.esme.told(), told);
}

#[test]
fn a_message_may_be_refused_with_a_status() {
    let mut pair = Pair::bound();
    pair.submit("hello");
    let reply = pair.smsc.submits.pop_front().unwrap();
    pair.smsc.session.respond(reply, Err(CommandStatus(0x450))).unwrap();
    let spoken = pair.smsc.speak();
    assert_eq!(said(&spoken), [(CommandId::SUBMIT_SM_RESP, CommandStatus(0x450), 2, &b""[..])]);
    pair.esme.hear(pair.now, &spoken);
    assert_eq!(pair.esme.told(), [Told::Outcome("hello", SegmentOutcome::Refused(CommandStatus(0x450)))]);
}

#[test]
fn a_refused_delivery_has_the_body_that_deliver_sm_resp_always_has() {
    let mut pair = Pair::bound();
    pair.smsc.request(pair.now, &deliver_sm("hello"), "hello").unwrap();
    pair.settle();
    let reply = pair.esme.delivers.pop_front().unwrap();
    pair.esme.session.respond(reply, Err(CommandStatus::RX_T_APPN)).unwrap();
    let spoken = pair.esme.speak();
    assert_eq!(said(&spoken), [(CommandId::DELIVER_SM_RESP, CommandStatus::RX_T_APPN, 1, &b"\0"[..])]);
    pair.smsc.hear(pair.now, &spoken);
    assert!(
        pair.smsc.told().contains(&Told::Outcome("hello", SegmentOutcome::Refused(CommandStatus::RX_T_APPN)))
    );
}

#[test]
fn both_sides_count_for_themselves() {
    let mut pair = Pair::bound();
    let delivered = pair.smsc.request(pair.now, &deliver_sm("down"), "down").unwrap();
    let again = pair.smsc.request(pair.now, &deliver_sm("again"), "again").unwrap();
    let submitted = pair.submit("up");
    // The ESME's bind was its number 1.
    assert_eq!([delivered, again, submitted], [SequenceNumber(1), SequenceNumber(2), SequenceNumber(2)]);
    pair.smsc.accept("id-up");
    while let Some(reply) = pair.esme.delivers.pop_front() {
        pair.esme.session.respond(reply, Ok(DeliverSmResp::default())).unwrap();
    }
    pair.settle();
    assert!(pair.esme.told().contains(&Told::Outcome("up", accepted("id-up"))));
    let told = ["down", "again"].map(|tag| Told::Outcome(tag, accepted("")));
    assert!(pair.smsc.told().ends_with(&told));
}

#[test]
fn a_late_response_is_a_stray_and_frees_nothing() {
    let mut pair = Pair::bound_with(Config { window: 1, ..Config::default() }, Config::default());
    pair.submit("slow");
    pair.advance(secs(10));
    assert_eq!(
        pair.esme.told(),
        [Told::Outcome("slow", SegmentOutcome::Unanswered(UnansweredReason::Timeout))]
    );
    pair.submit("next");
    pair.smsc.accept("id-slow");
    pair.settle();
    assert_eq!(pair.esme.told(), [Told::Stray(CommandId::SUBMIT_SM_RESP)]);
    assert_eq!((pair.esme.session.in_flight(), pair.esme.session.stats().unexpected_responses), (1, 1));
    pair.smsc.accept("id-next");
    pair.settle();
    assert_eq!(pair.esme.told(), [Told::Outcome("next", accepted("id-next"))]);
}

#[test]
fn each_request_has_its_own_deadline() {
    let mut pair = Pair::bound();
    pair.submit("first");
    pair.advance(secs(4));
    pair.submit("second");
    pair.advance(secs(6));
    assert_eq!(
        pair.esme.told(),
        [Told::Outcome("first", SegmentOutcome::Unanswered(UnansweredReason::Timeout))]
    );
    pair.advance(secs(4));
    assert_eq!(
        pair.esme.told(),
        [Told::Outcome("second", SegmentOutcome::Unanswered(UnansweredReason::Timeout))]
    );
    assert_eq!(pair.esme.session.stats().timeouts, 2);
}

#[test]
fn a_response_at_the_deadline_is_in_time() {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    let sequence = esme.submit(Instant::ZERO, "hello").unwrap();
    let deadline = esme.session.poll_timeout().unwrap().0;
    let resp = Pdu::SubmitSmResp(Some(submit_sm_resp("id-1")));
    esme.hear(deadline, &octets(resp, CommandStatus::ROK, sequence.0));
    esme.wake(deadline);
    assert_eq!(esme.told(), [Told::Outcome("hello", accepted("id-1"))]);
}

#[test]
fn a_response_of_another_command_answers_nothing() {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    let sequence = esme.submit(Instant::ZERO, "hello").unwrap();
    for other in [Pdu::EnquireLinkResp, Pdu::UnbindResp, Pdu::DeliverSmResp(None)] {
        esme.hear(Instant::ZERO, &octets(other, CommandStatus::ROK, sequence.0));
        assert_eq!(esme.told(), [Told::Stray(other.command())]);
    }
    let resp = octets(Pdu::SubmitSmResp(Some(submit_sm_resp("id"))), CommandStatus::ROK, sequence.0);
    esme.hear(Instant::ZERO, &[&resp[..], &resp].concat());
    let told = [Told::Outcome("hello", accepted("id")), Told::Stray(CommandId::SUBMIT_SM_RESP)];
    assert_eq!(esme.told(), told, "the second time it is a stray");
}

#[test]
fn a_generic_nack_ends_the_request_with_its_number() {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    let sequence = esme.submit(Instant::ZERO, "hello").unwrap();
    esme.hear(Instant::ZERO, &octets(Pdu::GenericNack, CommandStatus::RINVCMDLEN, 0));
    assert_eq!(esme.told(), [Told::Stray(CommandId::GENERIC_NACK)], "number 0 is nobody's");
    esme.hear(Instant::ZERO, &octets(Pdu::GenericNack, CommandStatus::RINVCMDID, sequence.0));
    assert_eq!(esme.told(), [Told::Outcome("hello", SegmentOutcome::Nacked(CommandStatus::RINVCMDID))]);
    assert_eq!(esme.speak().len(), submit_sm_length(), "nothing but the submit_sm goes out");
}

fn submit_sm_length() -> usize {
    request(Pdu::SubmitSm(submit_sm("hello")), 1).len()
}

#[test]
fn a_response_that_cannot_be_read_leaves_the_outcome_open() {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    let sequence = esme.submit(Instant::ZERO, "hello").unwrap();
    let damaged = [&b"id\0"[..], &[0x04, 0x24, 0, 9, 1]].concat();
    esme.hear(Instant::ZERO, &raw(CommandId::SUBMIT_SM_RESP, CommandStatus::ROK, sequence.0, &damaged));
    let [Told::Outcome("hello", SegmentOutcome::Unanswered(UnansweredReason::Unreadable(error)))] =
        esme.told()[..]
    else {
        panic!("the message may have been accepted");
    };
    assert_eq!((error.kind, error.offset), (DecodeErrorKind::TlvOverrun, 19));
    assert_eq!(esme.session.in_flight(), 0);
}

#[test]
fn a_refusal_with_a_damaged_body_is_a_refusal() {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    let sequence = esme.submit(Instant::ZERO, "hello").unwrap().0;
    let pdu = raw(CommandId::SUBMIT_SM_RESP, CommandStatus::RTHROTTLED, sequence, b"\0no TLV");
    esme.hear(Instant::ZERO, &pdu);
    assert_eq!(esme.told(), [Told::Outcome("hello", SegmentOutcome::Refused(CommandStatus::RTHROTTLED))]);
    assert_eq!(esme.session.stats().malformed, 1);
}

#[test]
fn the_damaged_body_of_a_refusal_counts_as_absent() {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    let sequence = esme.submit(Instant::ZERO, "hello").unwrap().0;
    let pdu = raw(CommandId::SUBMIT_SM_RESP, CommandStatus::RTHROTTLED, sequence, b"\0no TLV");
    let Some(Event::Outcome { outcome: Outcome::Refused { response, .. }, .. }) =
        esme.session.handle_input(Instant::ZERO, &mut &pdu[..])
    else {
        panic!("the refusal is told");
    };
    assert_eq!(response.pdu(), Some(Pdu::SubmitSmResp(None)));
}

#[test]
fn an_outcome_can_be_kept_when_the_octets_are_gone() {
    let mut esme = Session::<Esme, ()>::new(Config::default(), Instant::ZERO);
    let sequence = esme.request(Instant::ZERO, &bind(BindMode::Transceiver), ()).unwrap();
    let resp = Pdu::BindResp(BindMode::Transceiver, Some(bind_resp()));
    let kept = {
        let octets = octets(resp, CommandStatus::ROK, sequence.0);
        let Some(Event::Outcome { outcome, .. }) = esme.handle_input(Instant::ZERO, &mut &octets[..]) else {
            panic!("the bind has an outcome");
        };
        outcome.into_result().unwrap()
    };
    assert_eq!(kept.bind_resp(), bind_resp());
    assert_eq!(kept.frame().octets(), octets(resp, CommandStatus::ROK, sequence.0));
    assert_eq!(kept.message_id(), b"", "that is for a submit_sm_resp");
}

#[test]
fn a_response_of_any_length_is_kept_as_it_came() {
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
        let mut place = Some(Err(RequestError::Unanswered(UnansweredReason::Timeout)));
        outcome.store_in(&mut place);
        for kept in [outcome.into_result().unwrap(), place.unwrap().unwrap()] {
            assert_eq!(kept.frame().octets(), octets);
            assert_eq!(kept.message_id(), id.as_bytes());
        }
    }
}

#[test]
fn only_an_unanswered_request_is_not_safe_to_repeat() {
    let errors = [
        (Outcome::Nacked(CommandStatus::RINVCMDID), true, Some(CommandStatus::RINVCMDID)),
        (Outcome::NeverSent(CloseReason::Disconnected), true, None),
        (Outcome::Unanswered(UnansweredReason::Timeout), false, None),
        (Outcome::Unanswered(UnansweredReason::Closed(CloseReason::LinkDead)), false, None),
    ];
    for (outcome, safe, status) in errors {
        let error = outcome.into_result().unwrap_err();
        let mut place = None;
        outcome.store_in(&mut place);
        assert_eq!(place.unwrap().unwrap_err(), error);
        assert_eq!((error.is_safe_to_resend(), error.status()), (safe, status), "{error}");
    }
}

#[test]
fn a_lost_connection_tells_what_was_sent_from_what_was_not() {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    let mut output = Vec::new();
    let mut lengths = ["sent", "half sent", "not sent"].map(|text| {
        esme.submit(Instant::ZERO, text).unwrap();
        let before = output.len();
        esme.session.poll_transmit(&mut output);
        output.len() - before
    });
    lengths[1] /= 2;
    // Taken by the adapter is not transmitted: the transport took the first message and half of the second.
    esme.session.handle_transmitted(lengths[0]);
    esme.session.handle_transmitted(lengths[1]);
    esme.session.handle_eof();
    esme.wake(Instant::ZERO);
    let lost = CloseReason::Disconnected;
    assert_eq!(
        esme.told(),
        [
            Told::Outcome("sent", SegmentOutcome::Unanswered(UnansweredReason::Closed(lost))),
            Told::Outcome("half sent", SegmentOutcome::NeverSent(lost)),
            Told::Outcome("not sent", SegmentOutcome::NeverSent(lost)),
            Told::Closed(lost),
        ]
    );
}

#[test]
fn a_clock_that_was_read_too_early_does_not_turn_deadlines_around() {
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
fn octets_behind_the_id_do_not_make_an_accepted_message_doubtful() {
    for tail in [&[0_u8, 0][..], &[0, 0, 0]] {
        let mut pair = Pair::bound();
        pair.submit("hello");
        let sequence = pair.smsc.submits.pop_front().map(|_| 2).unwrap();
        let body = [b"id-1\0", tail].concat();
        pair.esme.hear(pair.now, &raw(CommandId::SUBMIT_SM_RESP, CommandStatus::ROK, sequence, &body));
        assert_eq!(pair.esme.told(), [Told::Outcome("hello", accepted("id-1"))]);
    }
}
