//! What a program with a database needs: keys, the transport, and acknowledgements only after the commit.

use super::*;

fn keyed(key: &str) -> Message {
    Message::text(&template(), "Hello").key(key)
}

#[expect(clippy::unnecessary_wraps, reason = "events have optional keys")]
fn key(key: &str) -> Option<MessageKey> {
    Some(MessageKey::new(key.into()))
}

/// Returns the events that concern messages, with the keys that they have.
fn keys(sim: &Simulation) -> Vec<(&'static str, Option<MessageKey>)> {
    let key = |event: &Event| match event {
        Event::HandedToTransport { key, .. } => Some(("handed", key.clone())),
        Event::Outcome { key, .. } => Some(("outcome", key.clone())),
        Event::LateOutcome { key, .. } => Some(("late", key.clone())),
        Event::Receipt { matched, .. } => Some(("receipt", matched.as_ref()?.key.clone())),
        Event::ReceiptsExpired { key, .. } => Some(("expired", key.clone())),
        _ => None,
    };
    sim.events.iter().filter_map(key).collect()
}

#[test]
fn every_event_of_a_message_has_its_key() {
    let receipts = ReceiptOptions { max_age: 60 * SECOND, ..ReceiptOptions::default() };
    let session = Config { rate: None, ..options().session };
    let mut sim = Simulation::new(Options { session, receipts, ..options() });
    sim.advance(SECOND);
    for message in [&keyed("row 1"), &Message::text(&template(), "Hello"), &keyed("")] {
        sim.account.submit(sim.now, message).unwrap();
    }
    sim.advance(SECOND);
    sim.receipt(0, "1", "DELIVRD");
    sim.receipt(0, "3", "DELIVRD");
    sim.advance(70 * SECOND);
    let all = [key("row 1"), None, key("")];
    assert_eq!(keys(&sim)[..3], all.clone().map(|key| ("handed", key)));
    assert_eq!(keys(&sim)[3..6], all.map(|key| ("outcome", key)));
    assert_eq!(keys(&sim)[6..], [("receipt", key("row 1")), ("receipt", key("")), ("expired", None)]);

    // A late response, after the outcome.
    let mut sim = Simulation::new(options());
    sim.advance(SECOND);
    sim.answers = false;
    sim.account.submit(sim.now, &keyed("row 2")).unwrap();
    sim.advance(15 * SECOND);
    sim.answer_late(Ok("late-1"));
    sim.receipt(0, "late-1", "DELIVRD");
    sim.settle();
    assert_eq!(keys(&sim), ["handed", "outcome", "late", "receipt"].map(|event| (event, key("row 2"))));
    let seen: Vec<_> = sim.events.iter().filter_map(AccountEvent::new).collect();
    let seen = seen.iter().filter(|event| event.message().is_some());
    let expected = ["message_in_doubt", "message_failed", "late_outcome"].map(|kind| (kind, key("row 2")));
    assert_eq!(seen.map(|event| (event.kind(), event.key().cloned())).collect::<Vec<_>>(), expected);
    let expired = Event::ReceiptsExpired {
        message: MessageNumber(1),
        key: key("row 3"),
        ids: vec![MessageId::new(b"1")],
    };
    assert_eq!(AccountEvent::new(&expired).unwrap().key(), key("row 3").as_ref());
}

#[test]
fn unresolved_messages_have_their_keys() {
    let mut sim = Simulation::new(options());
    sim.advance(SECOND);
    sim.account.submit(sim.now, &keyed("accepted")).unwrap();
    sim.advance(SECOND);
    sim.answers = false;
    sim.account.submit(sim.now, &keyed("unanswered")).unwrap();
    sim.account.shutdown(sim.now, SECOND);
    sim.advance(30 * SECOND);
    let Some(Event::Closed { unresolved }) = sim.events.last() else { panic!("{:?}", sim.events) };
    let [Unresolved::NotAccepted { key: first, .. }, Unresolved::NoReceipt { key: second, .. }] =
        &unresolved[..]
    else {
        panic!("{unresolved:?}")
    };
    assert_eq!((first, second), (&key("unanswered"), &key("accepted")));
}

#[test]
fn a_key_has_64_octets_at_most() {
    let mut sim = Simulation::new(options());
    let octets = [b'k'; MessageKey::MAX_OCTETS + 1];
    let message = Message::text(&template(), "Hello").key(octets);
    let refused = sim.account.submit(sim.now, &message).unwrap_err();
    assert_eq!((refused, sim.account.queued()), (SubmitError::KeyTooLong { octets: 65 }, 0));
    assert_eq!(refused.to_string(), "the key has 65 octets, more than 64: shorten it");
    let message = message.key(&octets[1..]);
    assert!(sim.account.submit(sim.now, &message).is_ok());
    assert!(alloc::format!("{message:?}").contains(r#"key: Some("kkk"#), "{message:?}");
}

/// Returns the segments that were handed to a transport: message, segment and bind.
fn handed(events: impl IntoIterator<Item = Event>) -> Vec<(MessageNumber, u8, String)> {
    let handed = |event| match event {
        Event::HandedToTransport { message, segment, bind, .. } => Some((message, segment, bind.to_string())),
        _ => None,
    };
    events.into_iter().filter_map(handed).collect()
}

#[test]
fn a_segment_is_reported_as_handed_to_the_transport_before_its_octets_can_leave() {
    let session = Config { window: 2, rate: None, ..options().session };
    let mut sim = Simulation::new(Options { session, ..options() });
    let number = sim.send(&"A text that is cut. ".repeat(20));
    sim.account.poll_action();
    assert_eq!(handed(core::iter::from_fn(|| sim.account.poll_event())), [], "without a bind");
    let link = sim.account.links().next().unwrap().0;
    sim.account.handle_resolved(sim.now, link, Ok(&[address(1)]));
    sim.answers = false;
    sim.advance(Duration::from_millis(1));
    // Of three segments the window has places for two.
    let events = core::mem::take(&mut sim.events);
    assert_eq!(handed(events), [(number, 0, "0.1".into()), (number, 1, "0.1".into())]);
    assert_eq!(sim.submitted.len(), 2);

    // The event is there before the octets.
    let mut sim = Simulation::new(options());
    sim.advance(SECOND);
    let number = sim.send("Hello");
    assert!(sim.account.wants_transmit(link));
    assert_eq!(handed(core::iter::from_fn(|| sim.account.poll_event())), [(number, 0, "0.1".into())]);
    // The bind ends before they leave: the segment is handed to the next one.
    sim.account.handle_disconnect(sim.now, link);
    sim.advance(5 * SECOND);
    let events = core::mem::take(&mut sim.events);
    assert_eq!(handed(events), [(number, 0, "0.2".into())]);
}

#[test]
fn what_the_ready_capacity_allows_is_handed_to_the_transport_at_once() {
    let session = Config { window: 3, rate: None, ..options().session };
    let mut sim = Simulation::new(Options { session, binds: Binds::transceivers(2), ..options() });
    assert_eq!(sim.account.ready_capacity(), Ok(0), "there is no bind");
    let waiting = sim.send("Hello");
    sim.answers = false;
    sim.advance(SECOND);
    assert_eq!(sim.account.ready_capacity(), Ok(5));
    sim.events.clear();
    for _ in 0..5 {
        assert_ne!(sim.account.ready_capacity(), Ok(0));
        sim.send("Hello");
    }
    assert_eq!(sim.account.ready_capacity(), Ok(0));
    sim.send("Hello");
    sim.settle();
    assert_eq!((handed(core::mem::take(&mut sim.events)).len(), sim.account.queued()), (5, 7));
    // The first response makes room for the message that waits in the queue.
    sim.answer_late(Ok("1"));
    assert_eq!(sim.outcomes()[0].0, waiting);
    assert_eq!(sim.account.ready_capacity(), Ok(0));
    sim.answer_late(Ok("2"));
    assert_eq!(sim.account.ready_capacity(), Ok(1));
    sim.account.shutdown(sim.now, SECOND);
    assert_eq!(sim.account.ready_capacity(), Err(SubmitError::ShutDown));
}

#[test]
fn refusing_a_message_with_an_acknowledged_segment_is_an_error() {
    // After 10 seconds, more than `segment_ack_timeout`, the first segment has been acknowledged.
    for (wait, result) in [(SECOND, Ok(())), (10 * SECOND, Err(AckError::AlreadyAcknowledged))] {
        for status in [Ok(()), Err(CommandStatus::RX_T_APPN)] {
            let segment_ack_mode = SegmentAckMode::Strict;
            let mut sim = Simulation::new(Options { segment_ack_mode, ..options() });
            sim.advance(SECOND);
            let text = "A text from a phone. ".repeat(12);
            let segments = crate::sms::Text::new(&text).segments(crate::sms::ConcatRef::Wide(9)).unwrap();
            let submissions: Vec<_> = segments.submissions(template()).collect();
            let segment = |index: usize| {
                let submit_sm = submissions[index].submit_sm();
                let (esm_class, short_message) = (submit_sm.esm_class, submit_sm.short_message);
                DeliverSm { esm_class, short_message, ..DeliverSm::default() }
            };
            for index in 0..submissions.len() {
                sim.deliver(0, &segment(index));
                sim.advance(wait);
            }
            let ack = sim.events.drain(..).find_map(|event| match event {
                Event::Message { ack, .. } => Some(ack),
                _ => None,
            });
            let acknowledged = sim.account.acknowledge(sim.now, ack.unwrap(), status);
            assert_eq!(
                acknowledged,
                if status.is_ok() { Ok(()) } else { result },
                "{status:?} after {wait:?}"
            );
            sim.settle();
            // The SMSC redelivers the last segment, which was refused.
            sim.deliver(0, &segment(submissions.len() - 1));
            sim.advance(SECOND);
            let is_kept = status.is_ok() || result.is_err();
            assert_eq!(
                sim.servers[0].session.in_flight(),
                usize::from(!is_kept),
                "{status:?} after {wait:?}"
            );
            sim.advance(700 * SECOND);
            let emitted = sim.events.iter().filter(|event| matches!(event, Event::Message { .. })).count();
            assert_eq!(emitted, usize::from(!is_kept), "{status:?} after {wait:?}");
        }
    }
}

#[test]
fn receipts_of_messages_of_an_earlier_process_are_matched_and_have_their_keys() {
    let mut sim = Simulation::new(options());
    let policy = sim.account.options().receipts.dialect.message_ids;
    let stored = policy.submitted_key(b"old-3").to_octets();
    let id_key = crate::sms::MessageIdKey::from_octets(&stored).unwrap();
    let whole = Expected::new(2).id(0, b"old-1").id(1, b"old-2").key("row 1");
    let rest = Expected::new(2).id_key(1, id_key).key("row 2");
    let numbers = [whole, rest].map(|expected| sim.account.expect(sim.now, expected).unwrap());
    assert_eq!(sim.account.pending_receipts(), 3);
    sim.advance(SECOND);
    let next = sim.send("Hello");
    assert!(next > numbers[1] && numbers[1] > numbers[0], "no number is used twice");
    sim.advance(SECOND);
    for (id, stat) in [("old-3", "DELIVRD"), ("old-2", "EXPIRED"), ("old-1", "DELIVRD"), ("old-1", "DELIVRD")]
    {
        sim.receipt(0, id, stat);
        sim.settle();
    }
    let [(_, Some(rest)), (_, Some(first)), (_, Some(second))] = &sim.matches()[..] else {
        panic!("the last one repeats the one before: {:?}", sim.matches())
    };
    let summary = |matched: &ReceiptMatch| {
        (matched.message, matched.key.clone(), matched.segment, matched.pending, matched.message_state)
    };
    assert_eq!(summary(rest), (numbers[1], key("row 2"), 1, 0, None), "segment 0 is not expected");
    assert_eq!(summary(first), (numbers[0], key("row 1"), 1, 1, None));
    assert_eq!(summary(second), (numbers[0], key("row 1"), 0, 0, Some(S::EXPIRED)));
    assert_eq!((rest.segments, rest.destination), (2, ReceiptDestination::Arrivals));
}

#[test]
fn an_expected_receipt_may_arrive_early_and_expires_in_its_own_time() {
    let mut sim = Simulation::new(options());
    sim.advance(SECOND);
    sim.answers = false;
    sim.send("Hello");
    sim.settle();
    // It is held, because a request is in flight.
    sim.receipt(0, "old", "DELIVRD");
    sim.settle();
    assert_eq!(sim.matches(), []);
    let number = sim.account.expect(sim.now, Expected::new(1).id(0, b"old").key("row 1")).unwrap();
    sim.settle();
    let [(S::DELIVERED, Some(matched))] = &sim.matches()[..] else { panic!("{:?}", sim.matches()) };
    assert_eq!((matched.message, &matched.key), (number, &key("row 1")));

    let short = Expected::new(1).id(0, b"short").key("short").wait(60 * SECOND);
    sim.account.expect(sim.now, short).unwrap();
    sim.advance(59 * SECOND);
    sim.events.clear();
    sim.advance(2 * SECOND);
    assert_eq!(keys(&sim), [("expired", key("short"))]);
}

#[test]
fn expectations_are_bounded_and_checked() {
    let receipts = ReceiptOptions { capacity: 2, ..ReceiptOptions::default() };
    let mut sim = Simulation::new(Options { receipts, ..options() });
    let mut expect = |expected: Expected| sim.account.expect(sim.now, expected).map(|_| ());
    let (segment, segments) = (2, 2);
    assert_eq!(expect(Expected::new(2).id(2, b"1")), Err(ExpectError::NoSuchSegment { segment, segments }));
    assert_eq!(
        expect(Expected::new(1).id(0, b"1").key([0; 65])),
        Err(ExpectError::KeyTooLong { octets: 65 })
    );
    let twice = (0..=255).fold(Expected::new(9), |expected, id: u8| expected.id(id % 9, &[id]));
    assert_eq!(expect(twice), Err(ExpectError::SegmentTwice { segment: 0 }));
    assert_eq!(expect(Expected::new(1).id(0, b"")), Ok(()), "no receipt can name it");
    assert_eq!(expect(Expected::new(3).id(0, b"1").id(1, b"2").id(2, b"3")), Err(ExpectError::Full));
    assert_eq!(expect(Expected::new(2).id(0, b"1").id(1, b"2")), Ok(()));
    assert_eq!(expect(Expected::new(1).id(0, b"3")), Err(ExpectError::Full));
    assert_eq!(sim.account.pending_receipts(), 2);
    // A message that has its receipts makes room.
    sim.advance(SECOND);
    sim.receipt(0, "1", "DELIVRD");
    sim.receipt(0, "2", "DELIVRD");
    sim.settle();
    assert!(sim.account.expect(sim.now, Expected::new(1).id(0, b"3")).is_ok());
    sim.account.shutdown(sim.now, SECOND);
    assert_eq!(sim.account.expect(sim.now, Expected::new(1).id(0, b"4")), Err(ExpectError::ShutDown));
}
