//! How much memory an awaited segment takes, and how long the operations take.

use alloc::format;
use alloc::string::String;
use core::hint::black_box;

use allocation_counter::measure;

use super::*;

extern crate std;

/// The most octets of an awaited segment with an id of 36 octets, with all tables.
const MOST_OCTETS: usize = 160;

/// The id of a message, as 8x8 and many others write it: 36 octets.
fn uuid(number: u64) -> String {
    let mixed = hash::splitmix(number);
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

fn check_memory(count: u64) {
    let mut tracker = large();
    let mut octets = 0;
    let allocated = measure(|| {
        octets = fill(&mut tracker, count);
        std::println!("{count} segments: {octets} octets each");
        for number in 0..count {
            assert!(matches!(tracker.receive(NOW, &uuid(number), S::DELIVERED), Match::New(_)));
        }
        for _ in 0..count {
            assert_eq!(tracker.expire(NOW + 120 * SECOND), Some(None));
        }
        assert_eq!(tracker.expire(NOW + 120 * SECOND), None);
    });
    assert!(octets <= MOST_OCTETS, "{octets} octets for each of {count}");
    // The tables follow what they hold: one chunk of each and the lists of chunks remain.
    assert!(allocated.bytes_current < 50_000 + count as i64, "{allocated:?}");
}

#[test]
fn an_awaited_segment_takes_at_most_160_octets_and_leaves_none_behind() {
    assert_eq!(uuid(1).len(), 36);
    check_memory(20_000);
    check_memory(100_000);
}

#[test]
#[ignore = "slow"]
fn of_a_million_awaited_segments_each_takes_at_most_160_octets() {
    check_memory(1_000_000);
}

/// However long the ids are that an SMSC gives, what is kept of each is bounded.
#[test]
fn a_long_id_takes_at_most_400_octets() {
    let mut tracker = large();
    let mut id = vec![b'x'; 71_000];
    let count = 2_000_u32;
    let allocated = measure(|| {
        for number in 0..count {
            id[..4].copy_from_slice(&number.to_be_bytes());
            tracker.track(NOW, &message(number.into(), 1), 0, SegmentId::Id(&id));
        }
    });
    assert_eq!(tracker.len(), count as usize);
    assert!(allocated.bytes_current / i64::from(count) <= 400, "{allocated:?}");
}

/// No single call does long work: with each, a few nodes and buckets are allocated or freed.
#[test]
fn no_call_allocates_or_frees_much_at_once() {
    let mut tracker = large();
    // One chunk of nodes, two of buckets, and the lists of chunks, which double now and then.
    let most = 64 * 1024;
    for number in 0..20_000 {
        let id = uuid(number);
        let allocated = measure(|| tracker.track(NOW, &message(number, 1), 0, SegmentId::Id(id.as_bytes())));
        assert!(allocated.bytes_max <= most && allocated.count_total <= 6, "{number}: {allocated:?}");
    }
    for number in 0..20_000 {
        let allocated = measure(|| drop(tracker.expire(NOW + 3600 * SECOND)));
        assert!(allocated.bytes_current.unsigned_abs() <= most, "{number}: {allocated:?}");
    }
    assert_eq!(tracker.len(), 0);
}

/// Prints the figures of the manual:
/// `cargo test --release -p smpp-core --lib receipt_tracker::tests::memory::figures -- --ignored --nocapture`.
#[test]
#[ignore = "prints times"]
fn figures() {
    for count in [100_000_u64, 1_000_000] {
        let mut tracker = large();
        let ids: Vec<String> = (0..count).map(uuid).collect();
        // A permutation: each number once, in no order.
        let order: Vec<u64> = (0..count).map(|number| number * 7_368_787 % count).collect();
        let time = |name: &str, work: &mut dyn FnMut(u64)| {
            let (start, mut longest) = (std::time::Instant::now(), Duration::ZERO);
            for number in 0..count {
                let one = std::time::Instant::now();
                work(number);
                longest = longest.max(one.elapsed());
            }
            let each = start.elapsed().as_nanos() / u128::from(count);
            std::println!("{count} segments, {name}: {each} ns each, longest {longest:?}");
        };
        time("nothing (the clock itself)", &mut |number| {
            black_box(number);
        });
        time("track", &mut |number| {
            let id = &ids[number as usize];
            tracker.track(NOW, &message(number, 1), 0, SegmentId::Id(id.as_bytes()));
            tracker.complete(NOW, MessageNumber(number));
        });
        time("match in any order", &mut |number| {
            let id = &ids[order[number as usize] as usize];
            assert!(matches!(black_box(tracker.receive(NOW, id, S::DELIVERED)), Match::New(_)));
        });
        time("acknowledge in any order", &mut |number| {
            let message = MessageNumber(order[number as usize]);
            let reported =
                ReportedReceipt { message, segment: 0, state: S::DELIVERED, is_final: true, previous: None };
            tracker.acknowledge(NOW, &reported, true);
        });
        time("forget after 120 s", &mut |_| {
            assert_eq!(tracker.expire(NOW + 120 * SECOND), Some(None));
        });
        assert_eq!(tracker.len(), 0);
    }
}
