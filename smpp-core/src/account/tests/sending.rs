//! Sending messages, and their outcomes.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::*;

#[test]
fn throttled_messages_are_resent_in_order_after_a_pause() {
    let mut sim = Simulation::new(options());
    sim.advance(SECOND);
    sim.submit_status = vec![CommandStatus::RTHROTTLED];
    for text in ["a", "b", "c"] {
        let message = Message::text(&template(), text).in_order();
        sim.account.submit(sim.now, &message).unwrap();
    }
    sim.advance(3 * SECOND);
    let texts: Vec<&str> = sim.submitted.iter().map(|(_, _, text)| text.as_str()).collect();
    assert_eq!(texts, ["a", "a", "b", "c"]);
    assert!(sim.submitted[1].1 - sim.submitted[0].1 >= SECOND);
    assert!(sim.outcomes().iter().all(|(_, outcome)| outcome.result().is_ok()));
}

#[test]
fn a_message_that_waits_is_sent_when_octets_have_left() {
    let session = Config { rate: None, ..options().session };
    let mut sim = Simulation::new(Options { session, ..options() });
    sim.advance(SECOND);
    sim.account.enqueue(sim.now, &Message::text(&template(), "one")).unwrap();
    sim.account.enqueue(sim.now, &Message::text(&template(), "x".repeat(200))).unwrap();
    let mut output = Vec::new();
    sim.account.poll_transmit(LinkId(0), &mut output);
    sim.account.handle_transmitted(sim.now, LinkId(0), output.len());
    output.clear();
    sim.account.poll_transmit(LinkId(0), &mut output);
    assert!(output.len() > 200, "both segments leave");
}

#[test]
fn an_unanswered_message_is_reported_or_resent_by_its_policy() {
    for (policy, attempts) in [(UnansweredPolicy::Report, 1), (UnansweredPolicy::Resend(1), 2)] {
        let mut sim = Simulation::new(options());
        sim.advance(SECOND);
        sim.answers = false;
        let message = Message::text(&template(), "Hello").unanswered_policy(policy);
        sim.account.submit(sim.now, &message).unwrap();
        sim.advance(60 * SECOND);
        assert_eq!(sim.submitted.len(), attempts);
        let outcomes = sim.outcomes();
        assert!(
            matches!(outcomes[..], [(_, ref outcome)] if matches!(outcome.segments[..], [SegmentOutcome::Unanswered(_)]))
        );
    }
}

#[test]
fn a_shutdown_reports_what_is_unresolved() {
    let mut sim = Simulation::new(options());
    sim.advance(SECOND);
    let accepted = sim.send("Hello");
    sim.settle();
    sim.answers = false;
    let unanswered = sim.send("Hello");
    sim.advance(SECOND);
    sim.account.shutdown(sim.now, SECOND);
    assert_eq!(sim.account.submit(sim.now, &Message::text(&template(), "x")), Err(SubmitError::ShutDown));
    sim.advance(30 * SECOND);
    let Some(Event::Closed { unresolved }) = sim.events.last() else { panic!("{:?}", sim.events.last()) };
    assert!(
        matches!(unresolved[..], [
        Unresolved::NotAccepted { message, .. },
        Unresolved::NoReceipt { message: other, .. },
    ] if message == unanswered && other == accepted),
        "{unresolved:?}"
    );
    assert!(sim.servers.is_empty());
    assert_eq!(sim.account.poll_timeout(), None);
    let ended =
        |event: &Event| matches!(event, Event::Link { event: LinkEvent::Closed { retry_in: None, .. }, .. });
    assert!(sim.events.iter().any(ended));
}

#[test]
fn what_a_shutdown_left_unresolved_is_shown_as_text() {
    let shown = |unresolved: Unresolved| unresolved.to_string();
    let bind = BindId::new(LinkId(0), 1);
    let accepted =
        SegmentOutcome::Accepted { id: MessageId::new(b"a1"), bind, response: AcceptedResponse::default() };
    let not_sent = SegmentOutcome::NeverSent(SegmentNotSentReason::ShutDown);
    let (message, key) = (MessageNumber(7), Some(MessageKey::new(b"order-42".to_vec())));
    let outcome = |segments: &[SegmentOutcome]| MessageOutcome { segments: segments.to_vec().into() };
    let not_accepted = |key, segments: &[SegmentOutcome]| {
        shown(Unresolved::NotAccepted { message, key, outcome: outcome(segments) })
    };
    assert_eq!(not_accepted(None, core::slice::from_ref(&not_sent)), format!("message 7: {not_sent}"));
    assert_eq!(
        not_accepted(key.clone(), &[accepted, not_sent.clone()]),
        format!("message 7 (key order-42): 1 of 2 segments accepted: {not_sent}")
    );
    let no_receipt = |ids: &[&str]| {
        let ids = ids.iter().map(|id| MessageId::new(id.as_bytes())).collect();
        shown(Unresolved::NoReceipt { message, key: key.clone(), ids })
    };
    let text = "message 7 (key order-42) was accepted; without a final receipt: a1";
    assert_eq!(no_receipt(&["a1"]), text);
    assert_eq!(no_receipt(&["a1", "a2"]), format!("{text} and one more"));
    assert_eq!(no_receipt(&["a1", "a2", "a3"]), format!("{text} and 2 more"));
}

#[test]
fn of_several_shutdowns_the_earliest_deadline_counts() {
    let mut account = Account::<()>::new(options(), Instant::ZERO).unwrap();
    account.submit(Instant::ZERO, &Message::text(&template(), "Hello")).unwrap();
    for seconds in [3_600, 10, 60] {
        account.shutdown(Instant::ZERO, seconds * SECOND);
    }
    assert!(account.poll_event().is_none());
    assert_eq!(account.poll_timeout(), Some(Instant::ZERO + 10 * SECOND));
    account.handle_timeout(Instant::ZERO + 10 * SECOND);
    let Some(Event::Outcome { outcome, .. }) = account.poll_event() else { panic!() };
    assert_eq!(outcome.segments, [SegmentOutcome::NeverSent(SegmentNotSentReason::ShutDown)]);
}

#[test]
fn a_message_may_have_255_segments() {
    let mut sim = Simulation::new(options());
    sim.advance(SECOND);
    let octets = vec![7; 255 * 133];
    sim.account.submit(sim.now, &Message::octets(&template(), octets)).unwrap();
    sim.advance(20 * SECOND);
    let outcomes = sim.outcomes();
    assert_eq!(outcomes[0].1.result().map(|ids| ids.len()), Ok(255));
}

/// Returns a message whose first attempt is unanswered, and which waits to be resent because there is no bind.
fn unanswered_message() -> (Simulation, MessageNumber) {
    let mut sim = Simulation::new(options());
    sim.advance(SECOND);
    sim.answers = false;
    let message = Message::text(&template(), "Hello").unanswered_policy(UnansweredPolicy::Resend(3));
    let number = sim.account.submit(sim.now, &message).unwrap();
    sim.settle();
    sim.servers.clear();
    sim.account.handle_disconnect(sim.now, LinkId(0));
    sim.settle();
    assert_eq!(sim.account.queued(), 1);
    (sim, number)
}

#[test]
fn an_unanswered_attempt_is_never_reported_as_never_sent() {
    let (mut sim, number) = unanswered_message();
    sim.account.cancel(sim.now, number);
    sim.settle();
    assert!(matches!(sim.outcomes()[0].1.segments[..], [SegmentOutcome::Unanswered(_)]));

    let (mut sim, _) = unanswered_message();
    (sim.answers, sim.submit_status) = (true, vec![CommandStatus::RINVDSTADR]);
    sim.advance(10 * SECOND);
    let outcome = &sim.outcomes()[0].1;
    assert!(
        matches!(outcome.segments[..], [SegmentOutcome::Unanswered(_)]),
        "the SMSC may have accepted the first attempt"
    );
    assert!(!outcome.is_safe_to_resend());

    let (mut sim, _) = unanswered_message();
    sim.answers = true;
    sim.advance(10 * SECOND);
    assert!(sim.outcomes()[0].1.result().is_ok());
}

#[test]
fn a_throttled_message_is_not_resent_after_its_cancellation_or_deadline() {
    for cancels in [true, false] {
        let mut sim = Simulation::new(options());
        sim.advance(SECOND);
        sim.submit_status = vec![CommandStatus::RTHROTTLED];
        let message = Message::text(&template(), "Hello").deadline(SECOND / 10);
        let number = sim.account.submit(sim.now, &message).unwrap();
        if cancels {
            sim.account.cancel(sim.now, number);
        } else {
            sim.now = sim.now + SECOND;
            sim.account.handle_timeout(sim.now);
        }
        sim.advance(5 * SECOND);
        assert_eq!(sim.submitted.len(), 1);
        let [(refused, outcome)] = &sim.outcomes()[..] else { panic!("{:?}", sim.outcomes()) };
        let statuses: Vec<_> = outcome.segments.iter().map(SegmentOutcome::status).collect();
        assert_eq!((*refused, statuses), (number, vec![Some(CommandStatus::RTHROTTLED)]));
    }
}

#[test]
fn nothing_is_sent_after_its_deadline_even_before_the_timer_runs() {
    let mut sim =
        Simulation::new(Options { session: Config { window: 1, ..Config::default() }, ..options() });
    sim.advance(SECOND);
    sim.answers = false;
    sim.send("first");
    sim.settle();
    let message = Message::text(&template(), "second").deadline(SECOND);
    sim.account.submit(sim.now, &message).unwrap();
    // The window is free again before the deadline's timer runs.
    sim.now = sim.now + 10 * SECOND;
    sim.account.handle_link_timeout(sim.now, LinkId(0));
    sim.settle();
    assert_eq!(sim.submitted.len(), 1);
    assert_eq!(sim.outcomes()[1].1.segments, [SegmentOutcome::NeverSent(SegmentNotSentReason::Expired)]);
}

#[test]
fn a_message_refused_with_rinvbndsts_is_resent_on_another_bind() {
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(2), ..options() });
    sim.advance(SECOND);
    sim.submit_status = vec![CommandStatus::RINVBNDSTS];
    sim.send("Hello");
    sim.advance(SECOND);
    assert!(sim.outcomes()[0].1.result().is_ok());
    assert_eq!(sim.submitted.iter().map(|(link, ..)| *link).collect::<Vec<_>>(), [LinkId(0), LinkId(1)]);
}

#[test]
fn twenty_thousand_in_order_messages_to_one_number_are_fast() {
    let mut sim = Simulation::new(Options { queue_capacity: 20_000, ..options() });
    for _ in 0..20_000 {
        sim.account.submit(sim.now, &Message::submit_sm(&template()).in_order()).unwrap();
    }
    sim.account.shutdown(sim.now, Duration::ZERO);
    sim.advance(Duration::ZERO);
    assert_eq!(sim.outcomes().len(), 20_000);
}

#[test]
fn the_bind_with_the_most_free_window_sends() {
    let session = Config { rate: None, ..options().session };
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(2), session, ..options() });
    sim.advance(SECOND);
    sim.answers = false;
    for _ in 0..4 {
        sim.send("Hello");
        sim.settle();
    }
    let links: Vec<usize> = sim.submitted.iter().map(|(link, ..)| link.index()).collect();
    assert_eq!(links, [0, 1, 0, 1]);
}

#[test]
fn a_late_answer_is_reported_and_its_receipt_is_matched() {
    let mut sim = Simulation::new(options());
    sim.advance(SECOND);
    sim.answers = false;
    let message = sim.send("Hello");
    sim.advance(15 * SECOND);
    let [(_, outcome)] = &sim.outcomes()[..] else { panic!("{:?}", sim.outcomes()) };
    assert!(matches!(outcome.segments[..], [SegmentOutcome::Unanswered(_)]), "{outcome:?}");
    sim.answer_late(Ok("late-1"));
    let accepted = accepted(b"late-1");
    assert_eq!(sim.late_outcomes(), [(message, 0, accepted)]);
    assert_eq!(sim.outcomes().len(), 1, "a message has one outcome");
    sim.receipt(0, "late-1", "DELIVRD");
    sim.settle();
    let [(S::DELIVERED, Some(matched))] = &sim.matches()[..] else { panic!("{:?}", sim.matches()) };
    assert_eq!((matched.message, matched.message_state), (message, Some(S::DELIVERED)));
}

#[test]
fn a_late_refusal_is_reported() {
    let mut sim = Simulation::new(options());
    sim.advance(SECOND);
    sim.answers = false;
    let message = sim.send("Hello");
    sim.advance(15 * SECOND);
    sim.answer_late(Err(CommandStatus::RINVDSTADR));
    let [(late, 0, outcome)] = &sim.late_outcomes()[..] else { panic!("{:?}", sim.late_outcomes()) };
    assert_eq!((*late, outcome.status()), (message, Some(CommandStatus::RINVDSTADR)));
}

#[test]
fn a_late_answer_settles_a_message_that_is_being_resent() {
    let mut sim = Simulation::new(options());
    sim.advance(SECOND);
    sim.answers = false;
    let message = Message::text(&template(), "Hello").unanswered_policy(UnansweredPolicy::Resend(3));
    sim.account.submit(sim.now, &message).unwrap();
    sim.advance(15 * SECOND);
    assert_eq!(sim.submitted.len(), 2, "the second attempt is in flight");
    sim.answer_late(Ok("first"));
    let [(number, outcome)] = &sim.outcomes()[..] else { panic!("{:?}", sim.outcomes()) };
    assert_eq!(outcome.segments, [accepted(b"first")]);
    sim.receipt(0, "first", "DELIVRD");
    sim.advance(60 * SECOND);
    assert_eq!((sim.submitted.len(), sim.outcomes().len()), (2, 1), "it is not sent again");
    assert!(matches!(&sim.matches()[..], [(S::DELIVERED, Some(matched))] if matched.message == *number));
    assert_eq!(sim.account.queued(), 0);
}

#[test]
fn a_late_answer_before_the_outcome_of_the_message_is_part_of_it() {
    let mut options = options();
    options.session.rate = Some(crate::session::Rate::per_second(1).with_burst(1));
    let mut sim = Simulation::new(options);
    sim.advance(SECOND);
    sim.answers = false;
    sim.account.submit(sim.now, &Message::octets(&template(), vec![7; 200])).unwrap();
    // The second segment was sent a second later, and is in flight when the first has timed out.
    sim.advance(SECOND * 21 / 2);
    assert_eq!((sim.submitted.len(), sim.outcomes().len()), (2, 0));
    sim.answer_late(Ok("first"));
    sim.answer_late(Ok("second"));
    let ids = [b"first".as_slice(), b"second"].map(accepted);
    assert_eq!(sim.outcomes()[0].1.segments, ids);
    assert_eq!(sim.late_outcomes(), []);
}

#[test]
fn a_late_refusal_before_the_outcome_of_the_message_is_part_of_it() {
    let mut options = options();
    options.session.rate = Some(crate::session::Rate::per_second(1).with_burst(1));
    let mut sim = Simulation::new(options);
    sim.advance(SECOND);
    sim.answers = false;
    sim.account.submit(sim.now, &Message::octets(&template(), vec![7; 200])).unwrap();
    sim.advance(SECOND * 21 / 2);
    assert_eq!((sim.submitted.len(), sim.outcomes().len()), (2, 0));
    sim.answer_late(Err(CommandStatus::RINVDSTADR));
    sim.answer_late(Ok("second"));
    let segments = [refused(CommandStatus::RINVDSTADR), accepted(b"second")];
    assert_eq!(sim.outcomes()[0].1.segments, segments);
    assert_eq!(sim.late_outcomes(), []);
}

#[test]
fn receipts_are_tracked_for_one_attempt() {
    let mut sim = Simulation::new(options());
    sim.advance(SECOND);
    sim.answers = false;
    let message = Message::octets(&template(), vec![7; 200]).unanswered_policy(UnansweredPolicy::Resend(3));
    sim.account.submit(sim.now, &message).unwrap();
    sim.advance(15 * SECOND);
    assert_eq!(sim.unanswered.len(), 4, "two attempts of two segments");
    sim.answer_late(Ok("first"));
    sim.unanswered.swap(0, 1);
    // The SMSC has accepted the first segment twice.
    sim.answer_late(Ok("repeated"));
    sim.answer_late(Ok("second"));
    sim.answer_late(Ok("repeated, too"));
    let ids = [b"first".as_slice(), b"second"].map(accepted);
    assert_eq!(sim.outcomes()[0].1.segments, ids);
    assert_eq!((sim.outcomes().len(), sim.late_outcomes().len()), (1, 0));
    sim.receipt(0, "first", "DELIVRD");
    sim.receipt(0, "second", "DELIVRD");
    sim.settle();
    let pending: Vec<_> =
        sim.matches().into_iter().map(|(_, matched)| matched.map(|matched| matched.pending)).collect();
    assert_eq!(pending, [Some(1), Some(0)]);
}

#[test]
fn a_slow_smsc_is_not_sent_more_than_it_answers() {
    let mut options = options();
    options.session.window = 4;
    options.session.rate = None;
    let mut sim = Simulation::new(options);
    sim.advance(SECOND);
    sim.answers = false;
    for _ in 0..60 {
        sim.send("Hello");
    }
    // Each answer comes five seconds after the timeout.
    for _ in 0..600 {
        sim.advance(SECOND);
        while !sim.unanswered.is_empty() && sim.now - sim.submitted[oldest_unanswered(&sim)].1 >= 15 * SECOND
        {
            let id = alloc::format!("{}", oldest_unanswered(&sim));
            sim.answer_late(Ok(&id));
        }
    }
    let known = sim.late_outcomes().len()
        + sim.outcomes().iter().filter(|(_, outcome)| outcome.result().is_ok()).count();
    assert_eq!((sim.submitted.len(), known), (60, 60), "the account knows the id of every message");
}

/// Returns the index of the oldest message that the SMSC has not answered.
fn oldest_unanswered(sim: &Simulation) -> usize {
    sim.submitted.len() - sim.unanswered.len()
}

#[test]
fn a_send_error_says_whether_resending_is_safe() {
    let failed = |segments: Vec<SegmentOutcome>| {
        let outcome = MessageOutcome { segments: segments.into() };
        SendError::Failed { message: MessageNumber(1), key: None, outcome }.is_safe_to_resend()
    };
    let unanswered = SegmentOutcome::Unanswered(session::UnansweredReason::Timeout);
    let never_sent = SegmentOutcome::NeverSent(SegmentNotSentReason::Expired);
    let accepted = accepted(b"1");
    assert!(SendError::NotAccepted(SubmitError::Full).is_safe_to_resend());
    assert!(!SendError::DriverGone.is_safe_to_resend());
    assert!(failed(vec![refused(CommandStatus::RSYSERR), never_sent.clone()]));
    assert!(!failed(vec![refused(CommandStatus::RSYSERR), unanswered]));
    assert!(!failed(vec![accepted, never_sent]));
}

#[test]
fn the_cause_of_a_send_error_is_the_outcome_of_a_segment() {
    use core::error::Error;

    let outcome = SegmentOutcome::NeverSent(SegmentNotSentReason::Expired);
    let segments = vec![accepted(b"1"), outcome.clone()];
    let error = SendError::Failed {
        message: MessageNumber(1),
        key: None,
        outcome: MessageOutcome { segments: segments.into() },
    };
    let segment = error.source().unwrap();
    assert_eq!(segment.downcast_ref(), Some(&outcome));
    assert_eq!(segment.source().unwrap().downcast_ref(), Some(&SegmentNotSentReason::Expired));
}

/// Each bind gets a segment: the outcome says which.
#[test]
fn the_outcome_of_each_segment_has_the_bind_that_sent_it() {
    let mut options = Options { binds: Binds::transceivers(3), spread_segments: true, ..options() };
    options.session.window = 1;
    let mut sim = Simulation::new(options);
    sim.advance(SECOND);
    sim.account.handle_disconnect(sim.now, LinkId(1));
    sim.servers.retain(|server| server.link != LinkId(1));
    sim.advance(20 * SECOND);
    sim.account.submit(sim.now, &Message::text(&template(), &*"x".repeat(400))).unwrap();
    sim.advance(SECOND);
    let (_, outcome) = &sim.outcomes()[0];
    let handed = sim.events.iter().filter_map(|event| match event {
        Event::HandedToTransport { bind, .. } => Some(*bind),
        _ => None,
    });
    assert_eq!(outcome.binds().collect::<Vec<_>>(), handed.collect::<Vec<_>>());
    let accepted = outcome.clone().into_accepted().unwrap();
    let shown: Vec<_> = accepted.binds().iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["0.1", "1.2", "2.1"]);
    assert_eq!(accepted.bind(), Some(BindId::new(LinkId(2), 1)));
}

#[test]
fn a_bind_is_its_slot_and_the_number_of_its_session() {
    for (link, generation) in [(0, 1), (1, 1), (u16::MAX, 0xFFFF_FFFF_FFFF)] {
        let bind = BindId::new(LinkId(link), generation);
        assert_eq!((bind.link(), bind.to_string()), (LinkId(link), alloc::format!("{link}.{generation}")));
        assert!(bind.is_generation(generation) && !bind.is_generation(generation - 1));
        assert_eq!(bind.short().link(), LinkId(link));
        assert_ne!(bind.short(), BindId::new(LinkId(link), generation - 1).short());
        assert!(bind > BindId::new(LinkId(link), generation - 1));
        assert_eq!(
            alloc::format!("{bind:?}"),
            alloc::format!("BindId {{ link: LinkId({link}), generation: {generation} }}")
        );
    }
}

#[test]
fn a_bind_that_is_slowed_down_does_not_hold_back_another() {
    let session = Config { window: 64, rate: None, ..options().session };
    let mut sim =
        Simulation::new(Options { session, rate: None, binds: Binds::transceivers(2), ..options() });
    sim.advance(5 * SECOND);
    sim.submit_status = vec![CommandStatus::RTHROTTLED];
    sim.account.submit(sim.now, &Message::submit_sm(&template())).unwrap();
    // The pause of the first bind ends; its session still sends slowly.
    sim.advance(2 * SECOND);
    core::iter::from_fn(|| sim.account.poll_event()).for_each(drop);
    for _ in 0..20 {
        sim.account.submit(sim.now, &Message::submit_sm(&template())).unwrap();
    }
    let mut handed = core::iter::from_fn(|| sim.account.poll_event());
    let mut handed_to = |number| {
        let is_there = |event: &Event| matches!(event, Event::HandedToTransport { bind, .. } if bind.link() == LinkId(number));
        handed.by_ref().filter(is_there).count()
    };
    assert!(handed_to(1) >= 18, "before any octet is transmitted");
}
