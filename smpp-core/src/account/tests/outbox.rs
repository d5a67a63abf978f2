//! What a program with a database needs: keys, the transport, and acknowledgements only after the commit.

use super::*;

fn keyed(key: &str) -> Message {
    Message::text(&template(), "Hello").key(key)
}

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
    let mut sim = Simulation::new(Options { receipts, session, ..options() });
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
            let mut sim = Simulation::new(options());
            sim.advance(SECOND);
            let text = "A text from a phone. ".repeat(12);
            let segments = crate::sms::Text::new(&text).segments(crate::sms::ConcatRef::Wide(9)).unwrap();
            for submission in segments.submissions(template()) {
                let submit_sm = submission.submit_sm();
                sim.deliver(
                    0,
                    &DeliverSm {
                        esm_class: submit_sm.esm_class,
                        short_message: submit_sm.short_message,
                        ..DeliverSm::default()
                    },
                );
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
        }
    }
}
