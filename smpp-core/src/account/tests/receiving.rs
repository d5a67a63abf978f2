//! Delivery receipts, and MO messages.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::*;

#[test]
fn receipts_of_all_segments_give_the_message_state() {
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(2), ..options() });
    sim.advance(SECOND);
    let number = sim.send(&"A text that is cut. ".repeat(12));
    sim.advance(SECOND);
    let outcomes = sim.outcomes();
    assert_eq!(outcomes.len(), 1);
    let ids: Vec<String> = outcomes[0].1.result().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!((outcomes[0].0, ids), (number, vec!["1".to_string(), "2".to_string()]));
    sim.receipt(1, "2", "DELIVRD");
    sim.receipt(0, "1", "ENROUTE");
    sim.receipt(1, "1", "DELIVRD");
    sim.receipt(0, "1", "DELIVRD");
    sim.receipt(0, "7", "DELIVRD");
    sim.settle();
    let expected =
        |segment, pending, message_state| Some(receipt_match(number, (segment, 2), pending, message_state));
    let mut matches = sim.matches();
    // The account reads the first bind before the second.
    matches.sort_by_key(|(state, matched)| {
        (matched.as_ref().map(|matched| matched.segment), *state != S::ENROUTE)
    });
    assert_eq!(
        matches,
        [
            (S::DELIVERED, None),
            (S::ENROUTE, expected(0, 2, None)),
            (S::DELIVERED, expected(0, 1, None)),
            (S::DELIVERED, expected(1, 0, Some(S::DELIVERED))),
        ]
    );
}

#[test]
fn segments_on_two_binds_are_reassembled_and_acknowledged_with_the_message() {
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(2), ..options() });
    sim.advance(SECOND);
    let text = "A text from a phone. ".repeat(12);
    let segments: Vec<_> = crate::sms::Text::new(&text)
        .segments(crate::sms::ConcatRef::Wide(9))
        .unwrap()
        .submissions(template())
        .collect();
    for (server, segment) in segments.iter().enumerate() {
        let submit_sm = segment.submit_sm();
        let message = DeliverSm {
            source: submit_sm.destination,
            destination: submit_sm.source,
            esm_class: submit_sm.esm_class,
            data_coding: submit_sm.data_coding,
            short_message: submit_sm.short_message,
            ..DeliverSm::default()
        };
        sim.deliver(server, &message);
    }
    sim.settle();
    assert_eq!(sim.servers.iter().map(|server| server.session.in_flight()).sum::<usize>(), 2);
    let Some(Event::Message { message, ack }) = sim.events.pop() else { panic!() };
    assert_eq!(message.text().as_deref(), Some(&text[..]));
    assert_eq!(message.source().digits.as_bytes(), b"6591234567");
    sim.account.acknowledge(sim.now, ack, Ok(())).unwrap();
    sim.settle();
    assert_eq!(sim.servers.iter().map(|server| server.session.in_flight()).sum::<usize>(), 0);
}

/// Returns an account that has sent a message, which the SMSC accepted as "1".
fn with_accepted_message() -> Simulation {
    let mut sim = Simulation::new(options());
    sim.advance(SECOND);
    sim.send("Hello");
    sim.advance(SECOND);
    sim.events.clear();
    sim
}

/// Returns the receipt of the last event: its state, its match and its ack.
fn pop_receipt(sim: &mut Simulation) -> (S, Option<ReceiptMatch>, Ack) {
    match sim.events.pop() {
        Some(Event::Receipt { receipt, matched, ack }) => (receipt.state, matched, ack),
        other => panic!("{other:?}"),
    }
}

/// However many messages are too old at once, one call emits few of them, and the next one is due at once.
#[test]
fn messages_that_are_too_old_are_emitted_in_slices() {
    let mut sim = Simulation::new(options());
    sim.advance(SECOND);
    for number in 0..100 {
        let sender = alloc::format!("65912345{number:02}");
        let user_data = [5, 0, 3, number, 2, 1, b'a'];
        let first = DeliverSm {
            source: crate::Address::international(&sender).unwrap(),
            esm_class: EsmClass::UDHI,
            short_message: ShortMessage::new(&user_data).unwrap(),
            ..DeliverSm::default()
        };
        sim.deliver(0, &first);
        sim.advance(SECOND);
    }
    let late = sim.now + 700 * SECOND;
    let mut emitted = vec![];
    while emitted.iter().sum::<usize>() < 100 {
        assert!(sim.account.poll_timeout().is_some_and(|at| at <= late), "{emitted:?}");
        sim.account.handle_timeout(late);
        let events = core::iter::from_fn(|| sim.account.poll_event());
        emitted.push(events.filter(|event| matches!(event, Event::Message { .. })).count());
    }
    assert_eq!(emitted, [64, 36]);
}

#[test]
fn a_text_of_a_phone_in_the_form_of_a_receipt_is_a_message() {
    let mut sim = with_accepted_message();
    let forged =
        b"id:1 sub:001 dlvrd:001 submit date:2611230102 done date:2611230103 stat:DELIVRD err:000 text:";
    let short_message = ShortMessage::new(forged).unwrap();
    sim.deliver(0, &DeliverSm { short_message, ..DeliverSm::default() });
    sim.settle();
    assert!(matches!(sim.events.pop(), Some(Event::Message { .. })), "only esm_class marks a receipt");
    assert_eq!(sim.account.pending_receipts(), 1);
}

#[test]
fn a_refused_receipt_is_emitted_again_when_redelivered() {
    let mut sim = with_accepted_message();
    sim.receipt(0, "1", "DELIVRD");
    sim.settle();
    let (_, matched, ack) = pop_receipt(&mut sim);
    assert_eq!(matched.unwrap().message_state, Some(S::DELIVERED));
    sim.account.acknowledge(sim.now, ack, Err(CommandStatus::RX_T_APPN)).unwrap();
    sim.receipt(0, "1", "DELIVRD");
    sim.settle();
    let (_, matched, ack) = pop_receipt(&mut sim);
    assert_eq!(matched.unwrap().message_state, Some(S::DELIVERED), "emitted again");
    sim.account.acknowledge(sim.now, ack, Ok(())).unwrap();
    sim.receipt(0, "1", "DELIVRD");
    sim.settle();
    assert!(sim.events.is_empty(), "the application has accepted it");
    assert_eq!(sim.servers[0].session.in_flight(), 0, "the repetition is acknowledged");
}

#[test]
fn a_repeated_receipt_is_refused_until_the_first_is_acknowledged() {
    let mut sim = with_accepted_message();
    sim.receipt(0, "1", "DELIVRD");
    sim.receipt(0, "1", "DELIVRD");
    sim.settle();
    let (.., ack) = pop_receipt(&mut sim);
    assert!(sim.events.is_empty());
    assert_eq!(sim.refusals, [CommandStatus::RX_T_APPN]);
    sim.account.acknowledge(sim.now, ack, Ok(())).unwrap();
}

#[test]
fn each_intermediate_state_is_emitted_once() {
    let mut sim = with_accepted_message();
    for stat in ["ENROUTE", "ACCEPTD", "ENROUTE"] {
        sim.receipt(0, "1", stat);
        sim.settle();
    }
    let states: Vec<S> = sim.matches().into_iter().map(|(state, _)| state).collect();
    assert_eq!(states, [S::ENROUTE, S::ACCEPTED]);
}

#[test]
fn a_message_with_a_refused_segment_has_no_message_state() {
    let mut sim = Simulation::new(options());
    sim.advance(SECOND);
    sim.submit_status = vec![CommandStatus::ROK, CommandStatus::RINVDSTADR];
    sim.send(&"A text that is cut. ".repeat(12));
    sim.advance(SECOND);
    sim.receipt(0, "1", "DELIVRD");
    sim.settle();
    let [(S::DELIVERED, Some(matched))] = &sim.matches()[..] else { panic!("{:?}", sim.matches()) };
    assert_eq!((matched.segments, matched.pending, matched.message_state), (2, 0, None));
}

#[test]
fn an_smsc_that_gives_all_messages_one_id_does_not_exceed_the_capacity() {
    let receipts = ReceiptOptions { capacity: 10, ..ReceiptOptions::default() };
    let mut sim = Simulation::new(Options { receipts, ..options() });
    sim.id = Some("same");
    sim.advance(SECOND);
    for _ in 0..50 {
        sim.send("Hello");
    }
    sim.advance(10 * SECOND);
    assert_eq!(sim.outcomes().len(), 50);
    assert_eq!((sim.account.pending_receipts(), sim.account.tracked_receipts()), (10, 10));
    let expired = sim.events.iter().filter(|event| matches!(event, Event::ReceiptsExpired { .. }));
    assert_eq!(expired.count(), 40);
}

#[test]
fn shutdown_emits_an_incomplete_message_only_if_a_segment_was_acknowledged() {
    for (wait, emitted) in [(Duration::from_millis(49), 0), (SECOND, 1)] {
        let mut sim = Simulation::new(options());
        sim.advance(SECOND);
        let text = "A text from a phone. ".repeat(12);
        let segments = crate::sms::Text::new(&text).segments(crate::sms::ConcatRef::Wide(9)).unwrap();
        let first = segments.submissions(template()).next().unwrap();
        let submit_sm = first.submit_sm();
        let message = DeliverSm {
            esm_class: submit_sm.esm_class,
            short_message: submit_sm.short_message,
            ..DeliverSm::default()
        };
        sim.deliver(0, &message);
        // After 50 ms it is acknowledged, and the SMSC does not have it any more.
        sim.advance(wait);
        sim.account.shutdown(sim.now, SECOND);
        sim.advance(20 * SECOND);
        let messages = sim.events.iter().filter(|event| matches!(event, Event::Message { .. }));
        assert_eq!(messages.count(), emitted, "after {wait:?}");
    }
}

#[test]
fn missing_receipts_expire_after_max_age() {
    let receipts = ReceiptOptions { max_age: 60 * SECOND, ..ReceiptOptions::default() };
    let session = Config { enquire_link_interval: None, ..options().session };
    let mut sim = Simulation::new(Options { session, receipts, ..options() });
    let number = sim.send("Hello");
    sim.advance(59 * SECOND);
    let expired = |sim: &Simulation| {
        let is_expired =
            |event: &Event| matches!(event, Event::ReceiptsExpired { message, .. } if *message == number);
        sim.events.iter().filter(|event| is_expired(event)).count()
    };
    assert_eq!(expired(&sim), 0);
    sim.advance(2 * SECOND);
    assert_eq!((expired(&sim), sim.account.pending_receipts()), (1, 0));
}

#[test]
fn an_early_receipt_is_held_until_the_requests_in_flight_are_answered() {
    let mut sim = Simulation::new(options());
    sim.advance(SECOND);
    sim.answers = false;
    let number = sim.send("Hello");
    sim.settle();
    sim.receipt(0, "7", "DELIVRD");
    sim.settle();
    assert_eq!(sim.matches(), []);
    // A later request does not extend the wait.
    sim.advance(5 * SECOND);
    sim.send("Hello");
    sim.advance(5 * SECOND);
    assert_eq!(sim.outcomes().iter().map(|(number, _)| *number).collect::<Vec<_>>(), [number]);
    assert_eq!(sim.matches(), [(S::DELIVERED, None)]);
}

#[test]
fn a_receipt_that_was_held_beyond_the_end_of_its_bind_is_given_once() {
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(2), ..options() });
    sim.advance(2 * SECOND);
    sim.answers = false;
    sim.send("Hello");
    sim.settle();
    let other = usize::from(sim.servers[0].link == sim.unanswered[0].0);
    sim.receipt(other, "7", "DELIVRD");
    sim.settle();
    let link = sim.servers[other].link;
    sim.cut(link);
    sim.answer_late(Ok("8"));
    assert_eq!(sim.matches(), [(S::DELIVERED, None)]);
    // The SMSC redelivers it on another bind: the application's answer to the first copy goes there.
    sim.receipt(0, "7", "DELIVRD");
    sim.settle();
    assert_eq!(sim.matches().len(), 1, "the application has it");
    let ack = sim.events.iter().position(|event| matches!(event, Event::Receipt { .. }));
    let Event::Receipt { ack, .. } = sim.events.remove(ack.unwrap()) else { panic!() };
    assert_eq!(sim.account.acknowledge(sim.now, ack, Err(CommandStatus::RX_T_APPN)), Ok(()));
    sim.settle();
    assert_eq!(sim.refusals, [CommandStatus::RX_T_APPN]);
}

#[test]
fn the_outcome_is_emitted_before_an_early_receipt() {
    let mut sim = Simulation::new(options());
    sim.advance(SECOND);
    let number = sim.send("Hello");
    let mut octets = Vec::new();
    let link = sim.servers[0].link;
    assert!(sim.account.poll_transmit(link, &mut octets));
    sim.account.handle_transmitted(sim.now, link, octets.len());
    sim.receipt(0, "1", "DELIVRD");
    sim.serve(0, &octets);
    sim.settle();
    let events: Vec<_> = sim.events.iter().filter(|event| !matches!(event, Event::Link { .. })).collect();
    let [
        Event::HandedToTransport { .. },
        Event::Outcome { message, .. },
        Event::Receipt { matched: Some(matched), .. },
    ] = events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((*message, matched.message, matched.message_state), (number, number, Some(S::DELIVERED)));
}

#[test]
fn receipts_on_failure_expire_without_ids() {
    let receipts = ReceiptOptions { max_age: 60 * SECOND, ..ReceiptOptions::default() };
    let session = Config { enquire_link_interval: None, ..options().session };
    let mut sim = Simulation::new(Options { session, receipts, ..options() });
    let template = SubmitSm { registered_delivery: RegisteredDelivery::RECEIPT_ON_FAILURE, ..template() };
    let message = Message::text(&template, "Hello");
    assert!(message.asks_for_receipts());
    let number = sim.account.submit(sim.now, &message).unwrap();
    sim.advance(SECOND);
    assert_eq!(
        (sim.account.pending_receipts(), sim.account.tracked_receipts()),
        (0, 1),
        "perhaps none is due"
    );
    sim.advance(60 * SECOND);
    let is_expired = |event: &Event| matches!(event, Event::ReceiptsExpired { message, ids, .. } if *message == number && ids.is_empty());
    assert_eq!(
        (sim.events.iter().filter(|event| is_expired(event)).count(), sim.account.tracked_receipts()),
        (1, 0)
    );
}

#[test]
fn the_timers_of_a_response_count_from_its_time() {
    let session = Config { enquire_link_interval: None, ..options().session };
    let mut sim = Simulation::new(Options { session, binds: Binds::transceivers(1), ..options() });
    sim.advance(SECOND);
    sim.deliver(0, &DeliverSm { short_message: ShortMessage::new(b"yes").unwrap(), ..DeliverSm::default() });
    sim.settle();
    let Some(Event::Message { ack, .. }) = sim.events.pop() else { panic!("no message") };
    let link = sim.servers[0].link;
    sim.account.acknowledge(sim.now, ack, Ok(())).unwrap();
    // The transport takes nothing: the session ends after the response timeout.
    let due = sim.account.poll_link_timeout(link).map(|(at, _)| at);
    assert_eq!(due, Some(sim.now + session.response_timeout));
    sim.account.handle_link_timeout(sim.now + 5 * SECOND, link);
    assert_eq!(sim.account.poll_link_timeout(link).map(|(at, _)| at), due);
}

#[test]
fn an_account_reads_from_the_connections_whose_sessions_read() {
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(1), ..options() });
    let link = LinkId(0);
    assert!(!sim.account.wants_input(link), "there is no connection");
    sim.advance(SECOND);
    assert!(sim.account.wants_input(link));
    sim.account.handle_eof(sim.now, link);
    assert!(!sim.account.wants_input(link));
}
