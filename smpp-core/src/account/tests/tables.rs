//! Small tables of the account: entries are found, and memory is given back.

use super::*;
use crate::account::message_slots::{FetchedOutcome, MessageSlots};
use crate::account::receipt::SpareBuffers;

#[test]
fn spare_buffers_are_small_and_few() {
    let mut spare = SpareBuffers::new();
    spare.put(Vec::with_capacity(513));
    assert_eq!(spare.take().capacity(), 0, "a large buffer is not kept");
    for _ in 0..100 {
        spare.put(Vec::with_capacity(512));
    }
    let kept = core::iter::from_fn(|| Some(spare.take()).filter(|buffer| buffer.capacity() > 0));
    assert_eq!(kept.count(), 64);
}

#[test]
fn a_slot_that_is_released_with_its_outcome_leaves_the_others() {
    let outcome = || MessageOutcome { segments: vec![accepted(b"1")].into() };
    // Any distance between the numbers: some of them share a bucket.
    for step in [1, 2, 8, 64] {
        for released in 0..16 {
            let mut slots = MessageSlots::<()>::new();
            let number = |index: u64| MessageNumber(1 + index * step);
            for index in 0..16 {
                slots.insert(number(index), None, None, None);
                slots.record_outcome(number(index), outcome(), false);
            }
            let fetched = slots.fetch_outcome(number(released), true);
            assert!(matches!(
                fetched,
                FetchedOutcome::Accepted { receipts: crate::account::AwaitedReceipts::None(_), .. }
            ));
            assert_eq!(slots.len(), 15);
            // Its place is used again.
            slots.insert(number(99), None, None, None);
            for index in (0..16).filter(|index| *index != released).chain([99]) {
                assert!(
                    slots.remove(number(index), None).is_some(),
                    "{index} of those with the distance {step}"
                );
            }
            assert!(slots.remove(number(released), None).is_none());
        }
    }
}

#[test]
fn the_outcomes_of_segments_are_compared() {
    let outcomes: PerSegment<u8> = vec![1, 2].into();
    assert!(outcomes == vec![1, 2] && outcomes != vec![1, 3] && outcomes != vec![1]);
    assert!(outcomes == [1, 2] && outcomes != [2, 2]);
}
