//! Messages of a whole data_sm or submit_multi.

use super::*;
use crate::pdu::{DataSm, SubmitMulti};
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

#[test]
fn receipts_of_several_recipients_are_not_matched_and_none_is_swallowed() {
    let mut sim = sim();
    let several = submit_multi(&["6591234567", "6591234568"]);
    sim.account.submit(sim.now, &several).unwrap();
    sim.settle();
    for _ in 0..2 {
        sim.receipt(0, "other-1", "DELIVRD");
        sim.settle();
    }
    assert_eq!(sim.matches(), [(S::DELIVERED, None), (S::DELIVERED, None)]);
    let mut router = EventRouter::<()>::new(1);
    let number = router.submit(sim.now, &mut sim.account, &several).unwrap();
    let to_arrivals = core::task::Poll::Ready(Err(NoMoreReceipts::ToArrivals));
    assert_eq!(router.poll_receipt(number, &mut None), to_arrivals);

    let one = sim.account.submit(sim.now, &submit_multi(&["6591234567"])).unwrap();
    sim.advance(SECOND);
    sim.receipt(0, "other-1", "DELIVRD");
    sim.settle();
    let matches = sim.matches();
    assert_eq!(matches.last().unwrap().1.as_ref().map(|matched| matched.message), Some(one));
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
