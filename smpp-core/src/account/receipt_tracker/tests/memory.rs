//! How much memory an awaited segment takes, and how long the operations take.

use alloc::format;
use alloc::string::String;
use core::hint::black_box;

use allocation_counter::measure;

use super::*;

extern crate std;

/// The most octets of an awaited segment, with all tables.
const MOST_OCTETS: usize = 160;

/// The id of a message, as 8x8 and many others write it: 36 octets.
fn uuid(number: u64) -> String {
    let mixed = crate::table::splitmix(number);
    format!(
        "{:08x}-{:04x}-4{:03x}-9{:03x}-{number:012x}",
        mixed >> 32,
        mixed & 0xFFFF,
        mixed >> 20 & 0xFFF,
        mixed >> 16 & 0xFFF
    )
}

fn large() -> ReceiptTracker {
    ReceiptTracker::new(ReceiptOptions { capacity: usize::MAX, ..options(ReceiptScope::Segment) }, 7)
}

/// Tracks this many messages, and returns the octets that were allocated for each.
fn fill(tracker: &mut ReceiptTracker, count: u64) -> usize {
    let allocated = measure(|| {
        for number in 0..count {
            let id = uuid(number);
            tracker.track(NOW, &message(number, 1), 0, SegmentId::Id(id.as_bytes()));
            tracker.complete(NOW, MessageNumber(number));
        }
    });
    usize::try_from(allocated.bytes_current).unwrap().div_ceil(count as usize)
}

fn check_memory(count: u32) {
    let mut tracker = large();
    let mut octets = 0;
    let allocated = measure(|| {
        octets = fill(&mut tracker, count.into());
        std::println!("{count} segments: {octets} octets each");
        for number in 0..count {
            assert!(matches!(tracker.receive(NOW, &uuid(number.into()), S::DELIVERED), Match::New(..)));
        }
        for _ in 0..count {
            assert_eq!(tracker.expire(NOW + 120 * SECOND), Some(Removed::Done));
        }
        assert_eq!(tracker.expire(NOW + 120 * SECOND), None);
    });
    assert!(octets <= MOST_OCTETS, "{octets} octets for each of {count}");
    // The tables follow what they hold: one chunk of each and the lists of chunks remain.
    assert!(allocated.bytes_current < 50_000 + i64::from(count), "{allocated:?}");
}

#[test]
fn an_awaited_segment_takes_at_most_160_octets_and_leaves_none_behind() {
    assert_eq!(uuid(1).len(), 36);
    check_memory(20_000);
    check_memory(100_000);
}

#[test]
#[ignore = "slow: it tracks a million segments"]
fn of_a_million_awaited_segments_each_takes_at_most_160_octets() {
    check_memory(1_000_000);
}

/// However long the ids are that an SMSC gives, what is kept of each is bounded: the figures in the documentation of
/// [`ReceiptOptions::capacity`].
#[test]
fn an_id_of_any_length_takes_few_octets() {
    for length in [1, 36, 38, 39, 48, 64, 65, 1_000] {
        let mut tracker = large();
        let mut id = vec![b'x'; 71_000];
        // Long ids take long to hash, and no more memory.
        let count = if length < 1_000 { 10_000_u32 } else { 2_000 };
        let allocated = measure(|| {
            for number in 0..count {
                // Of one octet, the later segment has the id.
                let different = length.min(4);
                id[..different].copy_from_slice(&number.to_le_bytes()[..different]);
                // Some are longer than any that a PDU holds: one that was kept would exceed the limit for all.
                let length = if length == 1_000 && number % 100 == 0 { id.len() } else { length };
                tracker.track(NOW, &message(number.into(), 1), 0, SegmentId::Id(&id[..length]));
            }
        });
        let each = usize::try_from(allocated.bytes_current).unwrap().div_ceil(count as usize);
        std::println!("an id of {length} octets: {each} octets");
        assert_eq!(tracker.len(), count as usize);
        assert!(each <= MOST_OCTETS, "an id of {length} octets takes {each}");
    }
}

/// No single call does long work: with each, a few nodes and buckets are allocated or freed.
#[test]
fn no_call_allocates_or_frees_much_at_once() {
    let mut tracker = large();
    // One chunk of nodes, two of the index, one of the order, and the lists of chunks, which double now and then: the first
    // call allocates all of them.
    let most = 64 * 1024;
    for number in 0..20_000 {
        let id = uuid(number);
        let allocated = measure(|| {
            let _ = tracker.track(NOW, &message(number, 1), 0, SegmentId::Id(id.as_bytes()));
        });
        assert!(allocated.bytes_max <= most && allocated.count_total <= 7, "{number}: {allocated:?}");
    }
    for number in 0..20_000 {
        let allocated = measure(|| drop(tracker.expire(NOW + 3600 * SECOND)));
        assert!(allocated.bytes_current.unsigned_abs() <= most, "{number}: {allocated:?}");
    }
    assert_eq!(tracker.len(), 0);
}

/// Returns for how many nanoseconds this thread has run.
fn thread_time() -> u128 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

/// Prints the nanoseconds of each operation, without the time that other threads take from this one (on Linux):
/// `cargo test --release -p smpp-proto --lib receipt_tracker::tests::memory::figures -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement: it prints times and asserts nothing"]
fn figures() {
    for count in [100_000_u64, 1_000_000] {
        let mut tracker = large();
        let ids: Vec<[u8; 36]> =
            (0..count).map(|number| uuid(number).into_bytes().try_into().unwrap()).collect();
        // A permutation: each number once, in no order.
        let order: Vec<u64> = (0..count).map(|number| number * 7_368_787 % count).collect();
        let received: Vec<[u8; 36]> = order.iter().map(|number| ids[*number as usize]).collect();
        let time = |name: &str, work: &mut dyn FnMut(usize)| {
            let start = thread_time();
            (0..count as usize).for_each(work);
            let each = (thread_time() - start) / u128::from(count);
            std::println!("{count} segments, {name}: {each} ns each");
        };
        time("track", &mut |index| {
            tracker.track(NOW, &message(index as u64, 1), 0, SegmentId::Id(&ids[index]));
            tracker.complete(NOW, MessageNumber(index as u64));
        });
        let mut nodes = Vec::with_capacity(count as usize);
        let receive = |tracker: &mut ReceiptTracker, id: &[u8]| {
            // As an account does for each receipt.
            let key = IdKey::submitted(tracker.policy(), id);
            tracker.match_receipt_of(NOW, &key, (S::DELIVERED, true), || UNKNOWN_RECIPIENT)
        };
        time("match in any order", &mut |index| {
            let result = receive(&mut tracker, &received[index]);
            let Match::New(_, node) = black_box(result) else { panic!() };
            nodes.push(node);
        });
        time("recognise a repeat in any order", &mut |index| {
            assert_eq!(receive(&mut tracker, &received[index]), Match::Unacknowledged);
        });
        time("acknowledge in any order", &mut |index| {
            let message = MessageNumber(order[index]);
            let (state, node) = (S::DELIVERED, nodes[index]);
            let reported = ReportedReceipt { message, state, is_final: true, previous: None, node };
            tracker.acknowledge(NOW, &reported, true);
        });
        time("forget", &mut |_| assert_eq!(tracker.expire(NOW + 120 * SECOND), Some(Removed::Done)));
        assert_eq!(tracker.len(), 0);
    }
}
