//! Messages of a whole data_sm or submit_multi.

use core::task::Poll::Ready;

use super::*;
use crate::pdu::{DataSm, SubmitMulti};
use crate::provider::{ReceiptDialect, ReceiptScope};
use crate::session::Operations;
use crate::tlv::{Tag, Tlv, Tlvs};

fn sim() -> Simulation {
    let session = Config { operations: Operations::all(), ..options().session };
    let mut sim = Simulation::new(Options { session, ..options() });
    sim.advance(SECOND);
    sim
}

fn data_sm() -> Message {
    let tlvs = [Tlv::new(Tag::MESSAGE_PAYLOAD, b"Hello").unwrap()];
    Message::data_sm(&DataSm {
        destination: template().destination.into(),
        registered_delivery: RegisteredDelivery::RECEIPT,
        tlvs: Tlvs::list(&tlvs),
        ..DataSm::default()
    })
}

fn submit_multi(recipients: &[&str]) -> Message {
    let destinations: Vec<_> = recipients
        .iter()
        .map(|digits| Destination::Sme(crate::Address::international(digits).unwrap()))
        .collect();
    Message::submit_multi(&SubmitMulti {
        destinations: List::new(&destinations).unwrap(),
        registered_delivery: RegisteredDelivery::RECEIPT,
        short_message: ShortMessage::new(b"Hello").unwrap(),
        ..SubmitMulti::default()
    })
}

#[test]
fn a_data_sm_is_queued_retried_and_matched_like_any_message() {
    let mut sim = sim();
    sim.submit_status = vec![CommandStatus::RTHROTTLED];
    let number = sim.account.submit(sim.now, &data_sm().in_order()).unwrap();
    sim.advance(5 * SECOND);
    let texts: Vec<_> = sim.submitted.iter().map(|(_, _, text)| text.as_str()).collect();
    assert_eq!(texts, ["Hello", "Hello"], "it was resent after the pause");
    assert_eq!(sim.outcomes()[0].1.segments, [accepted(b"other-1")]);
    sim.receipt(0, "other-1", "DELIVRD");
    sim.settle();
    assert!(matches!(&sim.matches()[..], [(S::DELIVERED, Some(matched))] if matched.message == number));
}

#[test]
fn the_outcome_of_a_submit_multi_has_the_recipients_that_the_smsc_refused() {
    let mut sim = sim();
    let message = submit_multi(&["6591234567", "6591234568"]);
    sim.account.submit(sim.now, &message).unwrap();
    sim.settle();
    let [(_, outcome)] = &sim.outcomes()[..] else { panic!("{:?}", sim.outcomes()) };
    let response = outcome.segments[0].response().unwrap();
    let refused: Vec<_> = response
        .unsuccessful()
        .map(|refused| (refused.destination.digits.to_string(), refused.error_status_code))
        .collect();
    assert_eq!(refused, [("6591234568".to_string(), CommandStatus::RINVDSTADR)]);
    assert_eq!(outcome.result().map(|ids| ids.len()), Ok(1));
}

fn receipt_from(sim: &mut Simulation, phone: &str, stat: &str) {
    let text = alloc::format!("id:other-1 stat:{stat} err:000");
    let message = DeliverSm {
        source: crate::Address::international(phone).unwrap(),
        esm_class: EsmClass::DELIVERY_RECEIPT,
        short_message: ShortMessage::new(text.as_bytes()).unwrap(),
        ..DeliverSm::default()
    };
    sim.deliver(0, &message);
    sim.settle();
}

/// The recipient, how many there are, how many are pending, and the state of the message.
type Matched = (u8, u8, u8, Option<S>);

/// Returns the state and the match of each receipt, and acknowledges it.
fn take_receipts(sim: &mut Simulation) -> Vec<(S, Option<Matched>)> {
    let mut receipts = Vec::new();
    for event in core::mem::take(&mut sim.events) {
        if let Event::Receipt { receipt, matched, ack } = event {
            let matched = matched
                .map(|matched| (matched.segment, matched.segments, matched.pending, matched.message_state));
            receipts.push((receipt.state, matched));
            sim.account.acknowledge(sim.now, ack, Ok(())).unwrap();
        }
    }
    sim.settle();
    receipts
}

#[test]
fn each_recipient_of_a_submit_multi_has_its_receipt() {
    let mut sim = sim();
    // The SMSC refuses the last one.
    let phones = ["6591234561", "6591234562", "6591234563", "6591234564"];
    sim.account.submit(sim.now, &submit_multi(&phones)).unwrap();
    sim.settle();
    assert_eq!((sim.account.pending_receipts(), sim.account.tracked_receipts()), (3, 3));
    receipt_from(&mut sim, phones[2], "DELIVRD");
    assert_eq!(take_receipts(&mut sim), [(S::DELIVERED, Some((2, 3, 2, None)))]);
    receipt_from(&mut sim, phones[2], "DELIVRD");
    assert_eq!(take_receipts(&mut sim), [], "it is a repetition");
    receipt_from(&mut sim, phones[1], "ENROUTE");
    assert_eq!(take_receipts(&mut sim), [(S::ENROUTE, Some((1, 3, 2, None)))]);
    receipt_from(&mut sim, "+6591234561", "UNDELIV");
    assert_eq!(take_receipts(&mut sim), [(S::UNDELIVERABLE, Some((0, 3, 1, None)))]);
    receipt_from(&mut sim, phones[1], "DELIVRD");
    assert_eq!(take_receipts(&mut sim), [(S::DELIVERED, Some((1, 3, 0, Some(S::UNDELIVERABLE))))]);
    assert_eq!(sim.account.pending_receipts(), 0);
    receipt_from(&mut sim, phones[1], "DELIVRD");
    assert_eq!(take_receipts(&mut sim), [], "it is a repetition");
}

/// The response comes after the timeout: before the message has its outcome, or after.
#[test]
fn each_recipient_of_a_submit_multi_that_is_accepted_late_has_its_receipt() {
    for policy in [UnansweredPolicy::Report, UnansweredPolicy::Resend(1)] {
        let mut sim = sim();
        sim.answers = false;
        let phones = ["6591234561", "6591234562", "6591234563"];
        sim.account.submit(sim.now, &submit_multi(&phones).unanswered_policy(policy)).unwrap();
        sim.settle();
        let first = sim.unanswered_multi.take();
        sim.advance(15 * SECOND);
        assert_eq!(sim.outcomes().len(), usize::from(policy == UnansweredPolicy::Report));
        sim.unanswered_multi = first;
        sim.answer_multi_late(&phones[1..2]);
        let outcomes = (sim.outcomes().len(), sim.late_outcomes().len());
        assert_eq!(outcomes, if policy == UnansweredPolicy::Report { (1, 1) } else { (1, 0) });
        assert_eq!((sim.account.pending_receipts(), sim.account.tracked_receipts()), (2, 2));
        take_receipts(&mut sim);
        receipt_from(&mut sim, phones[2], "DELIVRD");
        assert_eq!(take_receipts(&mut sim), [(S::DELIVERED, Some((1, 2, 1, None)))], "{policy:?}");
        receipt_from(&mut sim, phones[2], "DELIVRD");
        assert_eq!(take_receipts(&mut sim), [], "it is a repetition");
        receipt_from(&mut sim, phones[0], "UNDELIV");
        let last = (S::UNDELIVERABLE, Some((0, 2, 0, Some(S::UNDELIVERABLE))));
        assert_eq!(take_receipts(&mut sim), [last], "{policy:?}");
    }
}

/// The SMSC accepts the message and refuses each of its recipients: no receipt follows, and nobody waits for one.
#[test]
fn a_submit_multi_of_which_every_recipient_is_refused_waits_for_no_receipts() {
    let phones = ["6591234561", "6591234562"];
    for is_late in [false, true] {
        let mut sim = sim();
        sim.refused_recipients = Some(phones.into());
        sim.answers = !is_late;
        let mut router = EventRouter::<()>::new(1);
        let number = router.submit(sim.now, &mut sim.account, &submit_multi(&phones)).unwrap();
        sim.settle();
        if is_late {
            sim.advance(15 * SECOND);
            sim.answer_multi_late(&phones);
        }
        assert_eq!(sim.account.tracked_receipts(), 0);
        let expired = sim.events.iter().filter(|event| {
            matches!(event, Event::ReceiptsExpired { message, ids, .. } if *message == number && ids.is_empty())
        });
        assert_eq!(expired.count(), 1, "late: {is_late}");
        let outcome = match &sim.late_outcomes()[..] {
            [] => sim.outcomes()[0].1.segments[0].clone(),
            late => late[0].2.clone(),
        };
        assert_eq!(outcome.response().unwrap().unsuccessful().count(), 2);
        for event in core::mem::take(&mut sim.events) {
            router.handle_event(sim.now, &mut sim.account, event);
        }
        assert_eq!(router.poll_outcome(number, &mut None).map(|outcome| outcome.is_ok()), Ready(!is_late));
        let receipt = router.poll_receipt(number, &mut None).map(|receipt| receipt.is_ok());
        assert_eq!(receipt, Ready(false), "the caller does not wait for a receipt");
    }
}

#[test]
fn receipts_of_a_submit_multi_that_do_not_name_the_recipient_are_counted() {
    let mut sim = sim();
    sim.account.submit(sim.now, &submit_multi(&["6591234561", "6591234562", "6591234563"])).unwrap();
    sim.settle();
    for expected in [(0, 2, 1, None), (1, 2, 0, Some(S::DELIVERED))] {
        sim.receipt(0, "other-1", "DELIVRD");
        sim.settle();
        assert_eq!(take_receipts(&mut sim), [(S::DELIVERED, Some(expected))]);
    }
}

#[test]
fn the_caller_of_a_submit_multi_waits_for_the_receipts_unless_they_cannot_be_matched() {
    let list = [Destination::DistributionList(COctets::new(b"friends").unwrap())];
    let to_list = Message::submit_multi(&SubmitMulti {
        destinations: List::new(&list).unwrap(),
        registered_delivery: RegisteredDelivery::RECEIPT,
        ..SubmitMulti::default()
    });
    let several = submit_multi(&["6591234567", "6591234568", "6591234569"]);
    let (segment, message) = (ReceiptScope::Segment, ReceiptScope::Message);
    for (submitted, scope, is_matched) in
        [(&several, segment, true), (&several, message, false), (&to_list, segment, false)]
    {
        let mut sim = sim();
        let dialect = ReceiptDialect { scope, ..ReceiptDialect::UNSTATED };
        let receipts = ReceiptOptions { dialect, ..ReceiptOptions::default() };
        sim.account.reconfigure(sim.now, Options { receipts, ..sim.account.options().clone() }).unwrap();
        let mut router = EventRouter::<()>::new(1);
        let number = router.submit(sim.now, &mut sim.account, submitted).unwrap();
        sim.settle();
        let waits = router.poll_receipt(number, &mut None);
        let to_arrivals = core::task::Poll::Ready(Err(NoMoreReceipts::ToArrivals));
        assert_eq!(if is_matched { core::task::Poll::Pending } else { to_arrivals }, waits);
        assert_eq!(sim.account.tracked_receipts(), if is_matched { 2 } else { 0 });
        sim.receipt(0, "other-1", "DELIVRD");
        sim.settle();
        assert_eq!(sim.matches()[0].1.is_some(), is_matched);
    }
}

#[test]
fn a_message_of_another_operation_does_not_hold_up_the_queue() {
    let session = Config { operations: Operations::DATA_SM | Operations::BINDS, ..options().session };
    let mut sim = Simulation::new(Options { session, ..options() });
    sim.advance(SECOND);
    let refused = sim.account.submit(sim.now, &Message::text(&template(), "Hello"));
    assert_eq!(refused, Err(SubmitError::Unsupported(CommandId::SUBMIT_SM)));
    sim.account.submit(sim.now, &data_sm()).unwrap();
    sim.settle();
    assert_eq!(sim.outcomes().len(), 1, "the provider takes only data_sm");
}

#[test]
fn a_submit_multi_to_one_recipient_is_matched_by_its_id_alone() {
    let mut sim = sim();
    sim.account.submit(sim.now, &submit_multi(&["6591234567"])).unwrap();
    sim.settle();
    // The receipt has the number in another form.
    sim.receipt(0, "other-1", "DELIVRD");
    sim.settle();
    let receipts = sim.matches();
    let [(S::DELIVERED, Some(matched))] = &receipts[..] else { panic!("{receipts:?}") };
    assert_eq!(matched.message_state, Some(S::DELIVERED));
}
