//! Delivery receipts in the dialects of providers.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use super::super::outbound_pdu::Frames;
use super::*;
use crate::pdu::Pdu;
use crate::provider::{ReceiptDialect, ReceiptScope, StateWord};
use crate::session::Rate;
use crate::sms::{IdFallback, MessageIdPolicy};
use crate::tlv::{Tlv, Tlvs};

const UNSTATED: ReceiptDialect = ReceiptDialect::UNSTATED;

fn with_dialect(dialect: ReceiptDialect) -> Options {
    let receipts = ReceiptOptions { dialect, ..ReceiptOptions::default() };
    let session = Config { enquire_link_interval: None, ..options().session };
    Options { session, receipts, ..options() }
}

/// Returns an account that has sent a message of 3 segments, which the SMSC accepted as "1", "2" and "3", or all as `id`.
fn with_three_segments(dialect: ReceiptDialect, id: Option<&'static str>) -> Simulation {
    let mut sim = Simulation::new(with_dialect(dialect));
    sim.id = id;
    sim.advance(SECOND);
    sim.send(&"A text that is cut. ".repeat(18));
    sim.advance(SECOND);
    assert_eq!((sim.submitted.len(), sim.account.pending_receipts()), (3, 3));
    sim.events.clear();
    sim
}

fn message(text: &[u8]) -> DeliverSm<'_> {
    DeliverSm {
        esm_class: EsmClass::DELIVERY_RECEIPT,
        short_message: ShortMessage::new(text).unwrap(),
        ..DeliverSm::default()
    }
}

/// Segment, pending segments, state of the message and previous state.
type Matched = (u8, u8, Option<S>, Option<S>);

/// Returns how each receipt is matched, and acknowledges it.
fn take_matches(sim: &mut Simulation) -> Vec<Option<Matched>> {
    sim.settle();
    let mut matches = Vec::new();
    for event in core::mem::take(&mut sim.events) {
        if let Event::Receipt { matched, ack, .. } = event {
            matches.push(
                matched.map(|matched| {
                    (matched.segment, matched.pending, matched.message_state, matched.previous)
                }),
            );
            sim.account.acknowledge(sim.now, ack, Ok(())).unwrap();
        }
    }
    sim.settle();
    matches
}

#[test]
fn one_receipt_completes_a_message_of_three_segments() {
    let dialect = ReceiptDialect { scope: ReceiptScope::Message, ..UNSTATED };
    for (id, named, segment) in [(None, "1", 0), (None, "3", 2), (Some("4711"), "4711", 0)] {
        let mut sim = with_three_segments(dialect, id);
        sim.receipt(0, named, "DELIVRD");
        assert_eq!(take_matches(&mut sim), [Some((segment, 0, Some(S::DELIVERED), None))], "{named}");
        assert_eq!(sim.account.pending_receipts(), 0);
        sim.advance(120 * SECOND);
        assert_eq!(sim.account.tracked_receipts(), 0);
        assert!(!sim.events.iter().any(|event| matches!(event, Event::ReceiptsExpired { .. })));
    }
}

#[test]
fn three_receipts_with_one_id_complete_a_message_of_three_segments() {
    let mut sim = with_three_segments(UNSTATED, Some("4711"));
    for expected in [(0, 2, None, None), (1, 1, None, None), (2, 0, Some(S::DELIVERED), None)] {
        sim.receipt(0, "4711", "DELIVRD");
        assert_eq!(take_matches(&mut sim), [Some(expected)]);
    }
    sim.receipt(0, "4711", "DELIVRD");
    assert_eq!(take_matches(&mut sim), []);
}

#[test]
fn only_the_last_segment_requests_a_receipt_and_it_completes_the_message() {
    let dialect = ReceiptDialect { request_on_last_segment: true, ..UNSTATED };
    let options = with_dialect(dialect);
    let template = SubmitSm {
        registered_delivery: RegisteredDelivery::RECEIPT
            | RegisteredDelivery::INTERMEDIATE
            | RegisteredDelivery::from_bits_retain(0b100),
        ..template()
    };
    for (text, expected) in
        [("Hello", vec![0b1_0101]), (&"A text that is cut. ".repeat(18), vec![0b100, 0b100, 0b1_0101])]
    {
        let mut frames = Frames::default();
        Message::text(&template, text).encode(&options, 1, &mut frames).unwrap();
        let requested = (0..frames.len()).map(|index| {
            let frame = crate::Frame::new(frames.get(index)).unwrap();
            let Ok((Pdu::SubmitSm(message), _)) = frame.pdu(crate::wire::Tolerance::STRICT) else { panic!() };
            message.registered_delivery.bits()
        });
        assert_eq!(requested.collect::<Vec<_>>(), expected);
    }
    for named in ["1", "3"] {
        let mut sim = with_three_segments(dialect, None);
        sim.receipt(0, named, "UNDELIV");
        let [Some((_, 0, Some(S::UNDELIVERABLE), None))] = take_matches(&mut sim)[..] else { panic!() };
    }
}

#[test]
fn no_receipt_is_awaited_if_the_segment_that_requests_it_was_not_accepted() {
    for (request_on_last_segment, pending) in [(true, 0), (false, 2)] {
        let dialect = ReceiptDialect { request_on_last_segment, ..UNSTATED };
        let mut sim = Simulation::new(with_dialect(dialect));
        sim.submit_status = vec![CommandStatus::ROK, CommandStatus::ROK, CommandStatus::RINVDSTADR];
        sim.advance(SECOND);
        sim.send(&"A text that is cut. ".repeat(18));
        sim.advance(SECOND);
        let (_, outcome) = &sim.outcomes()[0];
        assert_eq!(outcome.segments[1..], [accepted(b"2"), refused(CommandStatus::RINVDSTADR)]);
        assert_eq!(sim.account.pending_receipts(), pending);
        assert_eq!(sim.account.tracked_receipts(), pending);
    }
}

#[test]
fn a_late_acceptance_of_an_earlier_segment_is_not_tracked_if_the_last_was_not_accepted() {
    for (request_on_last_segment, pending) in [(true, 0), (false, 1)] {
        let mut options = with_dialect(ReceiptDialect { request_on_last_segment, ..UNSTATED });
        options.session.window = 1;
        let mut sim = Simulation::new(options);
        sim.advance(SECOND);
        sim.answers = false;
        sim.send(&"A text that is cut. ".repeat(18));
        sim.advance(sim.account.options.session.response_timeout);
        assert_eq!((sim.submitted.len(), sim.outcomes().len(), sim.account.tracked_receipts()), (1, 1, 0));
        sim.answer_late(Ok("4711"));
        assert_eq!(sim.late_outcomes().len(), 1);
        assert_eq!((sim.account.pending_receipts(), sim.account.tracked_receipts()), (pending, pending));
    }
}

#[test]
fn a_final_state_that_changes_is_emitted_and_its_redelivery_is_not() {
    let mut sim = with_three_segments(UNSTATED, None);
    sim.receipt(0, "1", "UNDELIV");
    assert_eq!(take_matches(&mut sim), [Some((0, 2, None, None))]);
    sim.receipt(0, "2", "DELIVRD");
    sim.receipt(0, "3", "DELIVRD");
    assert_eq!(take_matches(&mut sim).len(), 2);
    sim.advance(119 * SECOND);
    sim.receipt(0, "1", "DELIVRD");
    let changed = (0, 0, Some(S::DELIVERED), Some(S::UNDELIVERABLE));
    assert_eq!(take_matches(&mut sim), [Some(changed)]);
    sim.advance(119 * SECOND);
    sim.receipt(0, "1", "UNDELIV");
    sim.receipt(0, "1", "DELIVRD");
    assert_eq!(take_matches(&mut sim), []);
    assert_eq!(sim.servers[0].session.in_flight(), 0, "they are acknowledged");
}

#[test]
fn remember_completed_is_an_option() {
    let mut options = with_dialect(UNSTATED);
    options.receipts.remember_completed = 5 * SECOND;
    let mut sim = Simulation::new(options);
    sim.advance(SECOND);
    sim.send("Hello");
    sim.advance(SECOND);
    sim.receipt(0, "1", "DELIVRD");
    take_matches(&mut sim);
    sim.advance(4 * SECOND);
    sim.receipt(0, "1", "DELIVRD");
    assert_eq!(take_matches(&mut sim), []);
    sim.advance(SECOND);
    sim.receipt(0, "1", "DELIVRD");
    assert_eq!(take_matches(&mut sim), [None]);
}

#[test]
fn a_message_that_ends_is_forgotten_in_the_same_call_if_nothing_is_remembered() {
    let mut options = with_dialect(UNSTATED);
    options.receipts.remember_completed = Duration::ZERO;
    options.rate = Some(Rate::per_second(1));
    let mut sim = Simulation::new(options);
    sim.advance(SECOND);
    let text = "A text that is cut. ".repeat(18);
    let message = Message::text(&template(), &text).deadline(SECOND / 2);
    sim.account.submit(sim.now, &message).unwrap();
    sim.settle();
    sim.receipt(0, "1", "DELIVRD");
    assert_eq!(take_matches(&mut sim).len(), 1);
    assert_eq!((sim.account.queued(), sim.account.tracked_receipts()), (2, 1));

    sim.now = sim.now + SECOND / 2;
    sim.account.handle_timeout(sim.now);
    assert_eq!((sim.account.queued(), sim.account.tracked_receipts()), (0, 0));
    assert!(sim.account.poll_timeout().is_none_or(|at| at > sim.now));
}

#[test]
fn unknown_and_words_of_the_provider_can_be_final_and_the_word_is_kept() {
    let dialect = ReceiptDialect {
        final_states: &[S::DELIVERED, S::UNDELIVERABLE, S::UNKNOWN],
        state_words: &[StateWord { word: "NACK", state: S::REJECTED, is_final: true }],
        ..UNSTATED
    };
    for (stat, plain, stated) in [
        ("UNKNOWN", (S::UNKNOWN, false), (S::UNKNOWN, true)),
        ("NACK", (S::UNKNOWN, false), (S::REJECTED, true)),
        ("LATER", (S::UNKNOWN, false), (S::UNKNOWN, false)),
    ] {
        for (dialect, (state, is_final)) in [(UNSTATED, plain), (dialect, stated)] {
            let mut sim = Simulation::new(with_dialect(dialect));
            sim.advance(SECOND);
            sim.send("Hello");
            sim.advance(SECOND);
            sim.receipt(0, "1", stat);
            sim.settle();
            let Some(Event::Receipt { receipt, matched: Some(matched), .. }) = sim.events.last() else {
                panic!()
            };
            assert_eq!(
                (receipt.state, receipt.is_final, &receipt.stat[..]),
                (state, is_final, stat.as_bytes())
            );
            assert_eq!(matched.message_state, is_final.then_some(state), "{stat}");
        }
    }
}

/// Receipts with another id, or in another notation, than the policy says.
#[test]
fn other_ids_of_a_receipt_are_tried_if_the_dialect_says_so() {
    let hex = MessageIdPolicy::HEXADECIMAL_TO_DECIMAL;
    for (policy, fallback, text, tlv, is_matched) in [
        (MessageIdPolicy::EXACT, IdFallback::None, "3a00beef", Some("A-99"), false),
        (MessageIdPolicy::EXACT, IdFallback::OtherId, "3a00beef", Some("A-99"), true),
        (MessageIdPolicy::EXACT, IdFallback::OtherId, "A-99", Some("3a00beef"), true),
        (hex, IdFallback::None, "0973127407", None, true),
        (hex, IdFallback::None, "0973127407", Some("973127407"), false),
        (hex, IdFallback::OtherId, "0973127407", Some("973127407"), true),
        (hex, IdFallback::OtherId, "", Some("973127407"), false),
        (hex, IdFallback::OtherNotation, "", Some("973127407"), true),
        (hex, IdFallback::OtherNotation, "3A00BEEF", None, true),
        (hex, IdFallback::OtherNotation, "973127408", Some("973127408"), false),
    ] {
        for in_flight in [false, true] {
            let dialect = ReceiptDialect { message_ids: policy, id_fallback: fallback, ..UNSTATED };
            let mut sim = Simulation::new(with_dialect(dialect));
            sim.id = Some("3a00beef");
            sim.advance(SECOND);
            sim.send("Hello");
            sim.advance(SECOND);
            if in_flight {
                // The response of this message could have the id.
                (sim.answers, sim.id) = (false, Some("other"));
                sim.send("Hello again");
                sim.settle();
            }
            let list: Vec<_> =
                tlv.iter().map(|id| Tlv::receipted_message_id(id.as_bytes()).unwrap()).collect();
            let text = alloc::format!("id:{text} stat:DELIVRD");
            sim.deliver(0, &DeliverSm { tlvs: Tlvs::list(&list), ..message(text.as_bytes()) });
            sim.settle();
            if in_flight {
                sim.answer_late(Ok("other"));
            }
            let matched = take_matches(&mut sim);
            assert_eq!(matched.len(), 1);
            assert_eq!(
                matched[0].is_some(),
                is_matched,
                "{text} {tlv:?} {policy:?} {fallback:?} {in_flight}"
            );
        }
    }
}

/// The id that is in another notation is that of a message whose response has not arrived yet.
#[test]
fn the_first_reading_of_an_id_is_not_overtaken_by_another() {
    let dialect = ReceiptDialect {
        message_ids: MessageIdPolicy::HEXADECIMAL_TO_DECIMAL,
        id_fallback: IdFallback::OtherNotation,
        ..UNSTATED
    };
    let mut sim = Simulation::new(with_dialect(dialect));
    sim.id = Some("14");
    sim.advance(SECOND);
    sim.send("The decimal number of its id is 20");
    sim.advance(SECOND);
    sim.events.clear();
    sim.answers = false;
    let number = sim.send("Its id is 20");
    sim.settle();
    let list = [Tlv::receipted_message_id(b"20").unwrap()];
    sim.deliver(0, &DeliverSm { tlvs: Tlvs::list(&list), ..message(b"stat:DELIVRD") });
    sim.settle();
    sim.answer_late(Ok("20"));
    let [(S::DELIVERED, Some(matched))] = &sim.matches()[..] else { panic!("{:?}", sim.matches()) };
    assert_eq!(matched.message, number);
}

#[test]
fn receipts_expire_in_slices_and_the_next_one_is_due_at_once() {
    let mut options = with_dialect(UNSTATED);
    options.receipts.max_age = 60 * SECOND;
    options.session.rate = None;
    let mut sim = Simulation::new(options);
    sim.advance(SECOND);
    for _ in 0..200 {
        sim.send("Hello");
    }
    sim.advance(SECOND);
    assert_eq!(sim.account.pending_receipts(), 200);
    sim.events.clear();
    sim.now = sim.now + 100 * SECOND;
    for left in [136, 72, 8, 0] {
        assert!(sim.account.poll_timeout().is_some_and(|at| at <= sim.now));
        sim.account.handle_timeout(sim.now);
        assert_eq!((sim.account.pending_receipts(), sim.account.tracked_receipts()), (left, left));
    }
    let expired = core::iter::from_fn(|| sim.account.poll_event());
    assert_eq!(expired.filter(|event| matches!(event, Event::ReceiptsExpired { .. })).count(), 200);
}

#[test]
fn early_receipts_are_bounded_in_octets() {
    let mut options = with_dialect(UNSTATED);
    options.receipts.early_capacity = 3;
    let mut sim = Simulation::new(options);
    sim.advance(SECOND);
    sim.answers = false;
    sim.send("Hello");
    sim.settle();
    for (text, unmatched) in [(1_000, 0), (1_000, 0), (1_500, 1), (3_500, 4)] {
        let text = [&b"id:7 stat:DELIVRD text:"[..], &vec![b'x'; text]].concat();
        let list = [Tlv::new(crate::tlv::Tag::MESSAGE_PAYLOAD, &text).unwrap()];
        sim.deliver(0, &DeliverSm { tlvs: Tlvs::list(&list), ..message(b"") });
        sim.settle();
        assert_eq!(sim.matches().len(), unmatched);
    }
}

#[test]
fn early_receipts_beyond_a_lowered_capacity_come_out() {
    let mut options = with_dialect(UNSTATED);
    options.receipts.early_capacity = 3;
    let mut sim = Simulation::new(options.clone());
    sim.advance(SECOND);
    sim.answers = false;
    sim.send("Hello");
    sim.settle();
    for id in ["7", "8", "9"] {
        sim.receipt(0, id, "DELIVRD");
        sim.settle();
    }
    assert_eq!(sim.matches(), []);
    options.receipts.early_capacity = 1;
    sim.account.reconfigure(sim.now, options).unwrap();
    sim.settle();
    assert_eq!(sim.matches(), [(S::DELIVERED, None), (S::DELIVERED, None)]);
}

#[test]
fn a_message_id_is_kept_in_64_octets_and_compared_as_a_whole() {
    let long = vec![b'x'; 71_000];
    let mut other = long.clone();
    other[70_999] = b'y';
    let [id, same, different, shorter] = [&long[..], &long, &other, &long[..70_999]].map(MessageId::new);
    assert_eq!(id, same);
    assert!(id != different && id != shorter);
    assert_eq!((id.as_bytes(), id.sent_length()), (&[b'x'; 64][..], 71_000));
    assert_eq!(id.to_string(), alloc::format!("{}... (71000 octets)", "x".repeat(64)));
    let whole = MessageId::new(&[b'x'; 64]);
    assert_eq!((whole.as_bytes(), whole.sent_length()), (&[b'x'; 64][..], 64));
    assert_ne!(whole, MessageId::new(&[b'x'; 65]));
    assert!(size_of::<MessageId>() <= 40, "an id of 36 octets needs no allocation");
}
