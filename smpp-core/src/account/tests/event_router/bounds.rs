//! The limits of what the router buffers, and what it does with a message that the SMSC does not deliver again.

use super::*;
use crate::tlv::{Tag, Tlv, Tlvs};

const ACKNOWLEDGED: Duration = Duration::from_millis(100);

impl RouterTest {
    /// Delivers a segment of a concatenated message.
    fn segment(&mut self, reference: u8, number: u8, total: u8) {
        let octets = [&[5, 0, 3, reference, total, number][..], b"text"].concat();
        self.sim.deliver(
            0,
            &DeliverSm {
                esm_class: EsmClass::UDHI,
                short_message: ShortMessage::new(&octets).unwrap(),
                ..DeliverSm::default()
            },
        );
        self.route_events();
    }

    /// Delivers a message or a receipt whose PDU has this many octets, and some more.
    fn large(&mut self, esm_class: EsmClass, id: u8, octets: usize) {
        let text = [&b"id:7 stat:ENROUTE text:"[..], &vec![id; octets]].concat();
        let list = [Tlv::new(Tag::MESSAGE_PAYLOAD, &text).unwrap()];
        self.sim.deliver(0, &DeliverSm { esm_class, tlvs: Tlvs::list(&list), ..DeliverSm::default() });
    }

    /// Fetches the next arrival, which must be a message, and accepts it.
    fn accept_message(&mut self) -> Option<InboundMessage> {
        match self.router.poll_arrival(&mut None) {
            Ready(Some(RoutedEvent::Message(message, ack))) => {
                let _ = self.sim.account.acknowledge(self.sim.now, ack, Ok(()));
                self.route_events();
                Some(message)
            }
            _ => None,
        }
    }

    /// Returns how many segments of each lost message had arrived.
    fn lost(&mut self, receiver: &ReceiverId) -> Vec<usize> {
        let mut lost = Vec::new();
        while let Ready(Some(event)) = self.router.poll_event(receiver, &mut None) {
            if let AccountEvent::InboundMessageLost { bind, segments } = event {
                assert_eq!((event.kind(), event.link()), ("inbound_message_lost", Some(bind.link())));
                assert!(event.to_string().contains("of an inbound message lost"), "{event}");
                lost.push(segments);
            }
        }
        lost
    }
}

#[test]
fn a_message_acknowledged_in_part_is_kept_beyond_the_limit_and_a_lost_one_is_reported() {
    let mut test = RouterTest::new(1);
    let receiver = test.router.add_receiver();
    for reference in 1..=3 {
        test.segment(reference, 1, 2);
        test.advance(ACKNOWLEDGED);
        assert_eq!(test.unanswered(), usize::from(reference.min(3) - 1), "the first segment is acknowledged");
        test.segment(reference, 2, 2);
        let refused = usize::from(reference == 3);
        assert_eq!(test.sim.refusals.len(), refused, "{reference}");
        assert_eq!(test.lost(&receiver), vec![2; refused], "{reference}");
        assert_eq!(test.router.take_lost().count(), refused, "for the log of the adapter");
    }
    test.sim.deliver(0, &DeliverSm::default());
    test.route_events();
    assert_eq!(test.sim.refusals.len(), 2, "the SMSC keeps a message of one PDU");
    for _ in 0..2 {
        assert!(test.accept_message().is_some_and(|message| message.is_complete()));
    }
    assert!(test.accept_message().is_none());
    assert_eq!(test.lost(&receiver), []);
}

#[test]
fn after_close_arrivals_segments_are_neither_held_nor_acknowledged() {
    let mut test = RouterTest::new(4);
    let receiver = test.router.add_receiver();
    for number in 1..=2 {
        test.segment(9, number, 2);
    }
    assert!(test.accept_message().is_some());
    test.segment(1, 1, 2);
    test.advance(10 * SECOND);
    assert_eq!(test.unanswered(), 0, "it is acknowledged");
    test.segment(2, 1, 2);
    assert_eq!((test.unanswered(), test.sim.refusals.len()), (1, 0), "it is held");
    test.close_arrivals();
    assert_eq!((test.unanswered(), test.sim.refusals.len()), (0, 1), "the held one is refused");
    assert_eq!(test.lost(&receiver), [1], "the other one is lost");
    for (reference, number, total) in [(2, 1, 2), (2, 2, 2), (3, 1, 1)] {
        test.segment(reference, number, total);
        assert_eq!(test.unanswered(), 0, "{reference} {number}");
    }
    test.sim.deliver(0, &DeliverSm::default());
    test.route_events();
    assert_eq!((test.unanswered(), &test.sim.refusals[..]), (0, &[CommandStatus::RX_T_APPN; 5][..]));
    test.segment(9, 1, 2);
    assert_eq!((test.unanswered(), test.sim.refusals.len()), (0, 5), "the application has it");
    assert_eq!(test.lost(&receiver), [], "the SMSC has all of the others");

    // What was refused counts as new.
    test.sim.account.refuse_messages(test.sim.now, false);
    test.router = EventRouter::new(4);
    for (reference, number, total) in [(2, 1, 2), (2, 2, 2), (3, 1, 1)] {
        test.segment(reference, number, total);
    }
    for _ in 0..2 {
        assert!(test.accept_message().is_some_and(|message| message.is_complete()));
    }
}

#[test]
fn a_final_state_that_changes_reaches_the_caller_that_holds_the_message() {
    for closes in [false, true] {
        let mut test = RouterTest::new(1);
        let number = test.send("Hello");
        if closes {
            test.close_arrivals();
        }
        test.receipt("1", "UNDELIV");
        assert_eq!(test.poll_receipt(number), Ready(Ok(S::UNDELIVERABLE)));
        assert_eq!(test.poll_receipt(number), Ready(Err(NoMoreReceipts::AllReceived)));
        test.receipt("1", "DELIVRD");
        assert_eq!(test.poll_receipt(number), Ready(Ok(S::DELIVERED)));
        assert_eq!(test.poll_receipt(number), Ready(Err(NoMoreReceipts::AllReceived)));
        assert!(test.poll_arrival().is_none());
        assert_eq!((test.unanswered(), test.sim.refusals.len()), (0, 0));
    }
}

#[test]
fn arrivals_are_bounded_in_octets() {
    let mut test = RouterTest::new(3);
    for (id, refused) in [(1, 0), (2, 0), (3, 1)] {
        test.large(EsmClass::default(), id, 2_000);
        test.route_events();
        assert_eq!(test.sim.refusals.len(), refused);
    }
    assert!(test.accept_message().is_some());
    test.large(EsmClass::default(), 3, 2_000);
    test.route_events();
    assert_eq!(test.sim.refusals.len(), 1, "there is room again");
    assert!(test.accept_message().is_some() && test.accept_message().is_some());
    assert!(test.accept_message().is_none());
}

#[test]
fn the_receipts_of_a_message_are_bounded_in_octets() {
    let mut test = RouterTest::new(1);
    let number = test.send("Hello");
    let matched = receipt_match(number, (0, 1), 1, None);
    let mut refused = Vec::new();
    for count in 0..11 {
        if count == 10 {
            assert!(test.poll_receipt(number).is_ready());
        }
        test.large(EsmClass::DELIVERY_RECEIPT, count, 30_000);
        test.sim.settle();
        let Some(Event::Receipt { receipt, ack, .. }) = test.sim.events.pop() else { panic!() };
        let event = Event::Receipt { receipt, matched: Some(matched.clone()), ack };
        test.router.handle_event(test.sim.now, &mut test.sim.account, event);
        test.route_events();
        refused.push(test.sim.refusals.len());
    }
    assert_eq!(refused, [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
}
