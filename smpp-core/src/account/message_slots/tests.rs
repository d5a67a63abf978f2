//! Messages are found, and what they occupied is freed.

use alloc::boxed::Box;

use super::super::slot_slab::Entry;
use super::*;
use crate::account::link::{BindId, LinkId};
use crate::account::receipt::ReceiptDestination;
use crate::frame::{Frame, SequenceNumber};
use crate::pdu::{CommandStatus, Pdu};
use crate::sms::Receipt;

/// Returns the most slots of one bucket.
fn longest_bucket(slots: &MessageSlots<u64>) -> usize {
    let next = |index: &u32| slots.slots.get(*index).map(|slot| slot.next);
    let length = |first: &u32| core::iter::successors(Some(*first), next).count() - 1;
    slots.buckets.iter().map(length).max().unwrap_or_default()
}

#[test]
fn messages_are_found_by_their_numbers_whatever_the_distance_between_them() {
    for step in [1, 2, 64, 1_000, 1 << 20, 1 << 40] {
        let mut slots = MessageSlots::new();
        let number = |index: u64| MessageNumber(1 + index * step);
        for index in 0..3_000 {
            slots.insert(number(index), None, None, None);
            slots.wait(number(index), &mut Some(index));
            if index % 3 > 0 {
                let removed = slots.remove(number(index / 3), None).and_then(|removed| removed.waiter);
                assert_eq!(removed, (index % 3 == 1).then_some(index / 3));
            }
        }
        let found: Vec<_> = (0..3_000).filter(|index| slots.find(number(*index)).is_some()).collect();
        assert_eq!(found, (1_000..3_000).collect::<Vec<_>>());
        assert_eq!((slots.len(), slots.waiting), (2_000, 2_000));
        assert!(longest_bucket(&slots) <= 8, "{}", longest_bucket(&slots));
        let mut waiters: Vec<_> = core::iter::from_fn(|| slots.take_waiter()).collect();
        waiters.sort_unstable();
        assert_eq!(waiters, found);
        for index in found {
            assert!(slots.remove(number(index), None).is_some_and(|removed| removed.waiter.is_none()));
        }
        slots.shrink();
        assert_eq!((slots.len(), slots.slots.entries.capacity(), slots.buckets.capacity()), (0, 0, 0));
    }
}

#[test]
fn places_are_reused_and_a_bucket_is_added_at_a_time() {
    let mut slots = MessageSlots::<u64>::new();
    for number in 0..10_000 {
        let before = slots.buckets.len();
        slots.insert(MessageNumber(number), None, None, None);
        assert!(slots.buckets.len() <= before + 1);
        slots.remove(MessageNumber(number.saturating_sub(99)), None);
    }
    assert_eq!(slots.len(), 99);
    assert!(slots.slots.entries.len() <= 101 && slots.buckets.len() <= 101);
}

#[test]
fn a_slot_that_waits_for_a_receipt_takes_little_memory() {
    let octets = size_of::<Entry<MessageSlot<core::task::Waker>>>();
    assert!(octets <= 112, "{octets}");
}

#[test]
fn receipts_that_were_fetched_by_their_state_leave_nothing() {
    let mut slots = MessageSlots::<()>::new();
    let number = MessageNumber(1);
    slots.insert(number, None, None, None);
    let pdu = Frame::encode(&Pdu::EnquireLink, CommandStatus::ROK, SequenceNumber::FIRST);
    for message_state in [None, None, Some(MessageState::DELIVERED)] {
        let slot = slots.receipt_slot(number, false).unwrap();
        let receipt = Receipt { id: b"7", stat: b"DELIVRD", ..Receipt::default() };
        let states = (MessageState::DELIVERED, true);
        let receipt = DeliveryReceipt::new(&receipt, states, pdu.clone(), BindId::new(LinkId(0), 1));
        let destination = ReceiptDestination::Sent;
        let (message, key, previous) = (number, None, None);
        let (segment, segments, pending) = (0, 1, 0);
        let matched =
            ReceiptMatch { message, key, destination, segment, segments, pending, message_state, previous };
        slots.push_receipt(&slot, BufferedReceipt::Read(Box::new((receipt, matched))));
    }
    let state = slots.fetch_state(number, &mut SpareBuffers::new());
    assert!(matches!(state, FetchedReceipt::Receipt(MessageState::DELIVERED)));
    assert_eq!(slots.receipts.len, 0);
    assert!(matches!(slots.fetch_receipt(number), FetchedReceipt::NoMore(NoMoreReceipts::AllReceived)));
}
