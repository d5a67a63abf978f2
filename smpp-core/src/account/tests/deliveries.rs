//! Receipts, and messages from phones.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::*;

#[test]
fn a_message_in_parts_is_accepted_and_its_receipts_add_up() {
    let mut world = World::new(Options { binds: Binds::Transceivers(2), ..options() });
    world.pass(SECOND);
    let number = world.send(&"A text that is cut. ".repeat(12));
    world.pass(SECOND);
    let outcomes = world.outcomes();
    assert_eq!(outcomes.len(), 1);
    let ids: Vec<String> = outcomes[0].1.result().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!((outcomes[0].0, ids), (number, vec!["1".to_string(), "2".to_string()]));
    world.receipt(1, "2", "DELIVRD");
    world.receipt(0, "1", "ENROUTE");
    world.receipt(1, "1", "DELIVRD");
    world.receipt(0, "1", "DELIVRD");
    world.receipt(0, "7", "DELIVRD");
    world.settle();
    let about = |part, open, whole| {
        Some(ReceiptMatch {
            message: number,
            segment: part,
            segments: 2,
            pending: open,
            message_state: whole,
        })
    };
    let mut abouts = world.abouts();
    // What comes on the first bind is read first.
    abouts.sort_by_key(|(state, about)| (about.map(|about| about.segment), *state != S::ENROUTE));
    assert_eq!(
        abouts,
        [
            (S::DELIVERED, None),
            (S::ENROUTE, about(0, 2, None)),
            (S::DELIVERED, about(0, 1, None)),
            (S::DELIVERED, about(1, 0, Some(S::DELIVERED))),
        ]
    );
}

#[test]
fn a_message_in_parts_comes_whole_from_two_binds_and_is_answered_when_taken() {
    let mut world = World::new(Options { binds: Binds::Transceivers(2), ..options() });
    world.pass(SECOND);
    let text = "A text from a phone. ".repeat(12);
    let parts: Vec<_> = crate::sms::Text::new(&text)
        .segments(crate::sms::ConcatRef::Wide(9))
        .unwrap()
        .submissions(template())
        .collect();
    for (server, part) in parts.iter().enumerate() {
        let submit_sm = part.submit_sm();
        let message = DeliverSm {
            source: submit_sm.destination,
            destination: submit_sm.source,
            esm_class: submit_sm.esm_class,
            data_coding: submit_sm.data_coding,
            short_message: submit_sm.short_message,
            ..DeliverSm::default()
        };
        world.deliver(server, &message);
    }
    world.settle();
    assert_eq!(world.servers.iter().map(|server| server.session.in_flight()).sum::<usize>(), 2);
    let Some(Event::Message { message, ack }) = world.events.pop() else { panic!() };
    assert_eq!(message.text().as_deref(), Some(&text[..]));
    assert_eq!(message.source().digits.as_bytes(), b"6591234567");
    world.account.acknowledge(world.now, ack, Ok(())).unwrap();
    world.settle();
    assert_eq!(world.servers.iter().map(|server| server.session.in_flight()).sum::<usize>(), 0);
}

/// An account that has sent a message, accepted as "1".
fn accepted() -> World {
    let mut world = World::new(options());
    world.pass(SECOND);
    world.send("Hello");
    world.pass(SECOND);
    world.events.clear();
    world
}

/// The last event's receipt: its state, and what it is about.
fn last(world: &mut World) -> (S, Option<ReceiptMatch>, Ack) {
    match world.events.pop() {
        Some(Event::Receipt { receipt, about, ack }) => (receipt.state, about, ack),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_receipt_that_is_not_taken_comes_again() {
    let mut world = accepted();
    world.receipt(0, "1", "DELIVRD");
    world.settle();
    let (_, about, ack) = last(&mut world);
    assert_eq!(about.unwrap().message_state, Some(S::DELIVERED));
    world.account.acknowledge(world.now, ack, Err(CommandStatus::RX_T_APPN)).unwrap();
    world.receipt(0, "1", "DELIVRD");
    world.settle();
    let (_, about, ack) = last(&mut world);
    assert_eq!(about.unwrap().message_state, Some(S::DELIVERED), "it is told again");
    world.account.acknowledge(world.now, ack, Ok(())).unwrap();
    world.receipt(0, "1", "DELIVRD");
    world.settle();
    assert!(world.events.is_empty(), "it was taken");
    assert_eq!(world.servers[0].session.in_flight(), 0, "and is acknowledged");
}

#[test]
fn a_receipt_that_comes_again_is_not_acknowledged_before_the_first_is_taken() {
    let mut world = accepted();
    world.receipt(0, "1", "DELIVRD");
    world.receipt(0, "1", "DELIVRD");
    world.settle();
    let (.., ack) = last(&mut world);
    assert!(world.events.is_empty());
    assert_eq!(world.refusals, [CommandStatus::RX_T_APPN]);
    world.account.acknowledge(world.now, ack, Ok(())).unwrap();
}

#[test]
fn states_on_the_way_are_told_once_each() {
    let mut world = accepted();
    for stat in ["ENROUTE", "ACCEPTD", "ENROUTE"] {
        world.receipt(0, "1", stat);
        world.settle();
    }
    let states: Vec<S> = world.abouts().into_iter().map(|(state, _)| state).collect();
    assert_eq!(states, [S::ENROUTE, S::ACCEPTED]);
}

#[test]
fn a_message_that_was_not_accepted_as_a_whole_did_not_arrive_as_one() {
    let mut world = World::new(options());
    world.pass(SECOND);
    world.submit_status = vec![CommandStatus::ROK, CommandStatus::RINVDSTADR];
    world.send(&"A text that is cut. ".repeat(12));
    world.pass(SECOND);
    world.receipt(0, "1", "DELIVRD");
    world.settle();
    let [(S::DELIVERED, Some(about))] = world.abouts()[..] else { panic!("{:?}", world.abouts()) };
    assert_eq!((about.segments, about.pending, about.message_state), (2, 0, None));
}

#[test]
fn an_smsc_that_gives_one_id_to_all_fills_nothing() {
    let receipts = ReceiptOptions { capacity: 10, ..ReceiptOptions::default() };
    let mut world = World::new(Options { receipts, ..options() });
    world.id = Some("same");
    world.pass(SECOND);
    for _ in 0..50 {
        world.send("Hello");
    }
    world.pass(10 * SECOND);
    assert_eq!(world.outcomes().len(), 50);
    assert_eq!(world.account.awaited(), 10);
    let unreported = world.events.iter().filter(|event| matches!(event, Event::ReceiptsExpired { .. }));
    assert_eq!(unreported.count(), 40);
}

#[test]
fn what_the_smsc_still_has_is_not_told_in_pieces_at_the_end() {
    for (waits, told) in [(SECOND, 0), (10 * SECOND, 1)] {
        let mut world = World::new(options());
        world.pass(SECOND);
        let text = "A text from a phone. ".repeat(12);
        let segments = crate::sms::Text::new(&text).segments(crate::sms::ConcatRef::Wide(9)).unwrap();
        let first = segments.submissions(template()).next().unwrap();
        let submit_sm = first.submit_sm();
        let message = DeliverSm {
            esm_class: submit_sm.esm_class,
            short_message: submit_sm.short_message,
            ..DeliverSm::default()
        };
        world.deliver(0, &message);
        // After `hold` it is answered, and nobody else has it.
        world.pass(waits);
        world.account.shutdown(world.now, SECOND);
        world.pass(20 * SECOND);
        let messages = world.events.iter().filter(|event| matches!(event, Event::Message { .. }));
        assert_eq!(messages.count(), told, "after {waits:?}");
    }
}

#[test]
fn receipts_that_do_not_come_are_given_up_in_time() {
    let receipts = ReceiptOptions { max_age: 60 * SECOND, ..ReceiptOptions::default() };
    let session = Config { enquire_link_interval: None, ..options().session };
    let mut world = World::new(Options { session, receipts, ..options() });
    let number = world.send("Hello");
    world.pass(59 * SECOND);
    let unreported = |world: &World| {
        let told =
            |event: &Event| matches!(event, Event::ReceiptsExpired { message, .. } if *message == number);
        world.events.iter().filter(|event| told(event)).count()
    };
    assert_eq!(unreported(&world), 0);
    world.pass(2 * SECOND);
    assert_eq!((unreported(&world), world.account.awaited()), (1, 0));
}

#[test]
fn an_early_receipt_waits_for_what_was_in_flight_when_it_came_and_no_longer() {
    let mut world = World::new(options());
    world.pass(SECOND);
    world.answers = false;
    let number = world.send("Hello");
    world.settle();
    world.receipt(0, "7", "DELIVRD");
    world.settle();
    assert_eq!(world.abouts(), []);
    // What is sent later does not keep it.
    world.pass(5 * SECOND);
    world.send("Hello");
    world.pass(5 * SECOND);
    assert_eq!(world.outcomes().iter().map(|(number, _)| *number).collect::<Vec<_>>(), [number]);
    assert_eq!(world.abouts(), [(S::DELIVERED, None)]);
}

#[test]
fn the_outcome_is_told_before_a_receipt_that_came_first() {
    let mut world = World::new(options());
    world.pass(SECOND);
    let number = world.send("Hello");
    let mut octets = Vec::new();
    let link = world.servers[0].link;
    assert!(world.account.poll_transmit(link, &mut octets));
    world.account.handle_transmitted(world.now, link, octets.len());
    world.receipt(0, "1", "DELIVRD");
    world.serve(0, &octets);
    world.settle();
    let told: Vec<_> = world.events.iter().filter(|event| !matches!(event, Event::Link { .. })).collect();
    let [Event::Outcome { message, .. }, Event::Receipt { about: Some(about), .. }] = told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((*message, about.message, about.message_state), (number, number, Some(S::DELIVERED)));
}

#[test]
fn receipts_about_failures_only_are_not_waited_for_for_ever() {
    let receipts = ReceiptOptions { max_age: 60 * SECOND, ..ReceiptOptions::default() };
    let session = Config { enquire_link_interval: None, ..options().session };
    let mut world = World::new(Options { session, receipts, ..options() });
    let template = SubmitSm { registered_delivery: RegisteredDelivery::RECEIPT_ON_FAILURE, ..template() };
    let message = Message::text(&template, "Hello");
    assert!(message.asks_for_receipts());
    let number = world.account.submit(world.now, &message).unwrap();
    world.pass(61 * SECOND);
    let told = |event: &Event| matches!(event, Event::ReceiptsExpired { message, ids } if *message == number && ids.is_empty());
    assert_eq!((world.events.iter().filter(|event| told(event)).count(), world.account.awaited()), (1, 0));
}
