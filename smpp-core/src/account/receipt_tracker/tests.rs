//! The tracker by itself: its behaviour in small cases, against a model, and its memory.

mod memory;
mod model;

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::expiry::REMOVED_AT_ONCE;
use super::*;
use crate::account::message_key::MessageKey;
use crate::account::outcome::MessageId;
use crate::account::receipt::ReceiptDestination;
use crate::pdu::MessageState as S;
use crate::provider::ReceiptDialect;

const SECOND: Duration = Duration::from_secs(1);
const NOW: Instant = Instant::ZERO;

const fn options(scope: ReceiptScope) -> ReceiptOptions {
    ReceiptOptions {
        dialect: ReceiptDialect { scope, ..ReceiptDialect::UNSTATED },
        capacity: 1000,
        max_age: Duration::from_secs(3600),
        remember_completed: Duration::from_secs(120),
        early_capacity: 0,
    }
}

fn tracker(scope: ReceiptScope) -> ReceiptTracker {
    ReceiptTracker::new(options(scope), 7)
}

const fn message(number: u64, total: u8) -> TrackedMessage {
    let destination = ReceiptDestination::Sent;
    TrackedMessage { number: MessageNumber(number), bind: None, total, is_due: true, key: None, destination }
}

impl ReceiptTracker {
    /// Tracks a message whose segments have these ids.
    fn add(&mut self, now: Instant, message: &TrackedMessage, ids: &[&str]) {
        for (segment, id) in (0..).zip(ids) {
            self.track(now, message, segment, SegmentId::Id(id.as_bytes()));
        }
        self.complete(now, message.number);
    }

    fn receive(&mut self, now: Instant, id: &str, state: S) -> Match {
        let is_final = !matches!(state, S::ENROUTE | S::UNKNOWN);
        let key = self.submitted_key(id.as_bytes());
        self.match_receipt(now, &key, (state, is_final))
    }

    /// Receives a receipt, and acknowledges it if it is new.
    fn settle_receipt(&mut self, now: Instant, id: &str, state: S) -> Match {
        let result = self.receive(now, id, state);
        if let Match::New(matched, node) = &result {
            self.answer(now, (matched, *node), state, true);
        }
        result
    }

    fn answer(&mut self, now: Instant, (matched, node): (&ReceiptMatch, u32), state: S, is_accepted: bool) {
        let ReceiptMatch { message, previous, .. } = *matched;
        let is_final = !matches!(state, S::ENROUTE | S::UNKNOWN);
        let reported = ReportedReceipt { message, state, is_final, previous, node };
        self.acknowledge(now, &reported, is_accepted);
    }

    fn expire_all(&mut self, now: Instant) -> Vec<ExpiredMessage> {
        let removed = core::iter::from_fn(|| self.expire(now));
        let expired = removed.filter_map(|removed| match removed {
            Removed::Done => None,
            Removed::Expired(expired) => Some(expired),
        });
        expired.collect()
    }
}

/// Returns segment, pending segments, state of the message and previous state.
fn new(result: Match) -> (u8, u8, Option<S>, Option<S>) {
    let Match::New(matched, _) = result else { panic!("{result:?}") };
    (matched.segment, matched.pending, matched.message_state, matched.previous)
}

#[test]
fn one_receipt_completes_a_message_whichever_segment_it_names() {
    for (ids, named, segment) in [
        (["1", "2", "3"], "1", 0),
        (["1", "2", "3"], "3", 2),
        (["4711", "4711", "4711"], "4711", 0),
        (["", "", "9"], "9", 2),
        (["9", "", ""], "9", 0),
    ] {
        let mut tracker = tracker(ReceiptScope::Message);
        tracker.add(NOW, &message(1, 3), &ids);
        assert_eq!(tracker.awaited(), 3);
        assert_eq!(new(tracker.settle_receipt(NOW, named, S::ENROUTE)), (segment, 3, None, None));
        let delivered = Some(S::DELIVERED);
        assert_eq!(new(tracker.settle_receipt(NOW, named, S::DELIVERED)), (segment, 0, delivered, None));
        assert_eq!(tracker.receive(NOW, named, S::DELIVERED), Match::Repeated);
        assert_eq!(tracker.awaited(), 0);
        assert_eq!(tracker.poll_timeout(), Some(NOW + 120 * SECOND), "it is done");
        assert_eq!(tracker.expire_all(NOW + 120 * SECOND), []);
        assert_eq!(tracker.len(), 0);
    }
}

#[test]
fn one_receipt_before_the_last_response_completes_the_message_and_a_refused_segment_prevents_it() {
    let mut tracker = tracker(ReceiptScope::Message);
    tracker.track(NOW, &message(1, 2), 0, SegmentId::Id(b"1"));
    assert_eq!(new(tracker.settle_receipt(NOW, "1", S::DELIVERED)), (0, 0, Some(S::DELIVERED), None));
    tracker.track(NOW, &message(1, 2), 1, SegmentId::Id(b"2"));
    tracker.complete(NOW, MessageNumber(1));
    assert_eq!((tracker.awaited(), tracker.poll_timeout()), (0, Some(NOW + 120 * SECOND)));

    tracker.track(NOW, &message(2, 2), 0, SegmentId::Id(b"3"));
    tracker.complete(NOW, MessageNumber(2));
    assert_eq!(new(tracker.settle_receipt(NOW, "3", S::DELIVERED)), (0, 0, None, None));
}

#[test]
fn a_message_without_any_id_is_not_awaited() {
    for scope in [ReceiptScope::Segment, ReceiptScope::Message] {
        let mut tracker = tracker(scope);
        tracker.add(NOW, &message(1, 2), &["", ""]);
        assert_eq!((tracker.len(), tracker.awaited(), tracker.poll_timeout()), (0, 0, None));
    }
}

#[test]
fn receipts_with_the_same_id_count_for_one_segment_each() {
    let mut tracker = tracker(ReceiptScope::Segment);
    tracker.add(NOW, &message(1, 3), &["4711", "4711", "4711"]);
    assert_eq!(new(tracker.settle_receipt(NOW, "4711", S::DELIVERED)), (0, 2, None, None));
    assert_eq!(new(tracker.settle_receipt(NOW, "4711", S::UNDELIVERABLE)), (1, 1, None, None));
    assert_eq!(new(tracker.settle_receipt(NOW, "4711", S::DELIVERED)), (2, 0, Some(S::UNDELIVERABLE), None));
    let changed = (1, 0, Some(S::DELIVERED), Some(S::UNDELIVERABLE));
    assert_eq!(new(tracker.settle_receipt(NOW, "4711", S::DELIVERED)), changed);
    assert_eq!(tracker.receive(NOW, "4711", S::DELIVERED), Match::Repeated);
}

#[test]
fn a_final_state_that_changes_is_reported_with_the_previous_one() {
    for scope in [ReceiptScope::Segment, ReceiptScope::Message] {
        let mut tracker = tracker(scope);
        tracker.add(NOW, &message(1, 1), &["1"]);
        let undelivered = Some(S::UNDELIVERABLE);
        assert_eq!(new(tracker.settle_receipt(NOW, "1", S::UNDELIVERABLE)), (0, 0, undelivered, None));
        let at = NOW + 119 * SECOND;
        assert_eq!(
            new(tracker.settle_receipt(at, "1", S::DELIVERED)),
            (0, 0, Some(S::DELIVERED), undelivered)
        );
        // Repeats, for as long as the message is remembered.
        for state in [S::DELIVERED, S::UNDELIVERABLE, S::ENROUTE] {
            assert_eq!(tracker.receive(at + 119 * SECOND, "1", state), Match::Repeated, "{state:?}");
        }
        assert_eq!(tracker.expire(at + 119 * SECOND), None, "it counts from the last receipt");
        assert_eq!(tracker.expire(at + 120 * SECOND), Some(Removed::Done));
        assert_eq!(tracker.receive(at + 120 * SECOND, "1", S::DELIVERED), Match::Unknown);
    }
}

#[test]
fn two_changes_that_the_application_refuses_leave_the_state_that_it_has_accepted() {
    for scope in [ReceiptScope::Segment, ReceiptScope::Message] {
        let mut tracker = tracker(scope);
        tracker.add(NOW, &message(1, 1), &["1"]);
        tracker.settle_receipt(NOW, "1", S::UNDELIVERABLE);
        let Match::New(first, node) = tracker.receive(NOW, "1", S::DELIVERED) else { panic!() };
        let Match::New(second, _) = tracker.receive(NOW, "1", S::REJECTED) else { panic!() };
        assert_eq!(second.previous, Some(S::DELIVERED));
        tracker.answer(NOW, (&first, node), S::DELIVERED, false);
        tracker.answer(NOW, (&second, node), S::REJECTED, false);
        assert_eq!(tracker.awaited(), 0, "the message has its final state");
        assert_eq!(
            new(tracker.receive(NOW, "1", S::DELIVERED)),
            (0, 0, Some(S::DELIVERED), Some(S::UNDELIVERABLE))
        );
    }
}

#[test]
fn a_change_that_the_application_refuses_is_undone() {
    let mut tracker = tracker(ReceiptScope::Segment);
    tracker.add(NOW, &message(1, 1), &["1"]);
    tracker.settle_receipt(NOW, "1", S::UNDELIVERABLE);
    let Match::New(change, node) = tracker.receive(NOW, "1", S::DELIVERED) else { panic!() };
    assert_eq!(tracker.receive(NOW, "1", S::DELIVERED), Match::Unacknowledged);
    tracker.answer(NOW, (&change, node), S::DELIVERED, false);
    assert_eq!(tracker.awaited(), 0, "the first final state counts");
    assert_eq!(
        new(tracker.receive(NOW, "1", S::DELIVERED)),
        (0, 0, Some(S::DELIVERED), Some(S::UNDELIVERABLE))
    );

    // If both are refused, the message waits again.
    tracker.add(NOW, &message(2, 1), &["2"]);
    let Match::New(first, node) = tracker.receive(NOW, "2", S::UNDELIVERABLE) else { panic!() };
    let Match::New(change, _) = tracker.receive(NOW, "2", S::DELIVERED) else { panic!() };
    tracker.answer(NOW, (&first, node), S::UNDELIVERABLE, false);
    tracker.answer(NOW, (&change, node), S::DELIVERED, false);
    assert_eq!(tracker.awaited(), 1);
    assert_eq!(new(tracker.receive(NOW, "2", S::DELIVERED)), (0, 0, Some(S::DELIVERED), None));
}

/// The state before a refused one is the last that counted, not another one that was accepted before.
#[test]
fn a_refused_change_leaves_the_last_of_several_accepted_states() {
    for (first, second) in [(S::EXPIRED, S::UNDELIVERABLE), (S::UNDELIVERABLE, S::EXPIRED)] {
        let mut tracker = tracker(ReceiptScope::Segment);
        tracker.add(NOW, &message(1, 1), &["1"]);
        tracker.settle_receipt(NOW, "1", first);
        tracker.settle_receipt(NOW, "1", second);
        let Match::New(change, node) = tracker.receive(NOW, "1", S::DELIVERED) else { panic!() };
        tracker.answer(NOW, (&change, node), S::DELIVERED, false);
        let repeated = (0, 0, Some(S::DELIVERED), Some(second));
        assert_eq!(new(tracker.receive(NOW, "1", S::DELIVERED)), repeated);
    }
}

/// A word of the provider's own may be an intermediate receipt of a state that is final otherwise.
#[test]
fn a_final_receipt_of_a_state_that_was_intermediate_is_new() {
    let mut tracker = tracker(ReceiptScope::Segment);
    tracker.add(NOW, &message(1, 1), &["1"]);
    let key = tracker.submitted_key(b"1");
    for (is_final, pending, message_state) in [(false, 1, None), (true, 0, Some(S::UNDELIVERABLE))] {
        let result = tracker.match_receipt(NOW, &key, (S::UNDELIVERABLE, is_final));
        assert_eq!(new(result), (0, pending, message_state, None));
    }
}

#[test]
fn an_id_that_is_given_twice_belongs_to_the_later_message() {
    let mut tracker = tracker(ReceiptScope::Segment);
    for number in 1..=500 {
        tracker.add(NOW, &message(number, 1), &["same"]);
    }
    assert_eq!(tracker.len(), 500);
    let Match::New(matched, _) = tracker.receive(NOW, "same", S::DELIVERED) else { panic!() };
    assert_eq!(matched.message, MessageNumber(500));
    let expired = tracker.expire_all(NOW + 3600 * SECOND);
    assert_eq!(expired.len(), 499);
    assert_eq!(expired[0].ids, [MessageId::new(b"same")]);
}

#[test]
fn ids_of_any_length_are_told_apart_by_all_their_octets() {
    let mut tracker = tracker(ReceiptScope::Segment);
    let lengths = [1, 36, 38, 39, 63, 64, 65, 71_000];
    let ids: Vec<Vec<u8>> = lengths
        .into_iter()
        .flat_map(|length| [b'a', b'b'].map(|last| [vec![b'x'; length - 1], vec![last]].concat()))
        .collect();
    for (number, id) in (1..).zip(&ids) {
        tracker.track(NOW, &message(number, 1), 0, SegmentId::Id(id));
        tracker.complete(NOW, MessageNumber(number));
    }
    for (number, id) in (1..).zip(&ids).step_by(2) {
        let key = tracker.submitted_key(id);
        let Match::New(matched, _) = tracker.match_receipt(NOW, &key, (S::DELIVERED, true)) else { panic!() };
        assert_eq!(matched.message, MessageNumber(number), "{} octets", id.len());
    }
    let expired = tracker.expire_all(NOW + 3600 * SECOND);
    let missing: Vec<_> = ids.iter().skip(1).step_by(2).map(|id| vec![MessageId::new(id)]).collect();
    assert_eq!(expired.into_iter().map(|expired| expired.ids).collect::<Vec<_>>(), missing);
}

#[test]
fn expected_ids_and_keys_of_an_earlier_run_are_matched_and_keep_the_key_of_the_user() {
    let mut tracker = tracker(ReceiptScope::Segment);
    let policy = ReceiptDialect::UNSTATED.message_ids;
    let segments = [
        (0, SegmentId::Id(b"1")),
        (2, SegmentId::Key(policy.submitted_key(b"3"))),
        (3, SegmentId::Key(policy.submitted_key(b""))),
    ];
    let expected = TrackedMessage { key: Some(MessageKey::new((*b"row 7").into())), ..message(1, 2) };
    tracker.expect(NOW, &expected, segments, None);
    assert_eq!(tracker.key(MessageNumber(1)), expected.key.as_ref());
    assert_eq!(new(tracker.settle_receipt(NOW, "3", S::DELIVERED)), (2, 1, None, None));
    let expired = tracker.expire_all(NOW + 3600 * SECOND);
    let ids = vec![MessageId::new(b"1")];
    assert_eq!(expired, [ExpiredMessage { number: MessageNumber(1), ids, key: expected.key }]);

    tracker.expect(NOW, &message(2, 1), [(0, SegmentId::Key(policy.submitted_key(b"9")))], None);
    let removed = tracker.remove_oldest().map(|message| message.ids);
    assert_eq!((removed, tracker.remove_oldest()), (Some(Vec::new()), None), "its id is not known");
    assert_eq!((tracker.len(), tracker.key(MessageNumber(2))), (0, None));
}

/// Ids that are kept whole are compared as the new options say. The others keep the key that they had.
#[test]
fn other_options_compare_the_ids_that_wait_in_another_way() {
    let (mut same_key, mut upper) = (alloc::string::String::new(), alloc::string::String::new());
    for _ in 0..12 {
        same_key.push_str("~!?,.");
        upper.push_str("~!?,A");
    }
    let packed = "ABCDEF0123456789".repeat(4);
    let mut tracker = tracker(ReceiptScope::Segment);
    let mut exact = options(ReceiptScope::Segment);
    exact.dialect.message_ids = MessageIdPolicy::EXACT;
    tracker.set_options(exact);
    for (number, id) in (1..).zip(["Short", &packed, &same_key, &upper]) {
        tracker.add(NOW, &message(number, 1), &[id]);
    }
    let mut options = exact;
    options.dialect.message_ids = MessageIdPolicy::IGNORE_CASE;
    tracker.set_options(options);
    for (number, id) in (1..).zip(["sHORT", &packed.to_ascii_lowercase(), &same_key]) {
        let Match::New(matched, _) = tracker.receive(NOW, id, S::DELIVERED) else { panic!("{id}") };
        assert_eq!(matched.message, MessageNumber(number));
    }
    assert_eq!(tracker.receive(NOW, &upper, S::DELIVERED), Match::Unknown);
    tracker.set_options(exact);
    assert!(matches!(tracker.receive(NOW, &upper, S::DELIVERED), Match::New(..)));
}

/// However far the capacity is lowered, one call removes few messages, and the next one is due at once.
#[test]
fn a_lower_capacity_takes_effect_in_slices() {
    let mut tracker = tracker(ReceiptScope::Segment);
    for number in 1..=500 {
        let id = alloc::format!("{number}");
        tracker.add(NOW, &message(number, 1), &[&id]);
        tracker.settle_receipt(NOW, &id, S::DELIVERED);
    }
    tracker.set_options(ReceiptOptions { capacity: 10, ..options(ReceiptScope::Segment) });
    assert!(!tracker.make_room(1));
    assert_eq!(tracker.len(), 500 - 1 - REMOVED_AT_ONCE);
    assert_eq!(tracker.poll_timeout(), Some(NOW));
    tracker.expire_all(NOW);
    assert!(!tracker.exceeds_capacity() && tracker.make_room(1));
}

/// Messages that have all their receipts have no deadline any more: one call passes over few of them.
#[test]
fn deadlines_that_do_not_count_any_more_are_passed_in_slices() {
    let mut tracker = tracker(ReceiptScope::Segment);
    for number in 1..=200 {
        let id = alloc::format!("{number}");
        tracker.expect(NOW, &message(number, 1), [(0, SegmentId::Id(id.as_bytes()))], Some(SECOND));
        tracker.settle_receipt(NOW, &id, S::DELIVERED);
    }
    tracker.expect(NOW, &message(201, 1), [(0, SegmentId::Id(b"201"))], Some(2 * SECOND));
    let mut calls = 0;
    while tracker.poll_timeout() == Some(NOW + SECOND) {
        let before = tracker.deadlines.len();
        assert_eq!(tracker.expire(NOW + SECOND), None);
        assert!(before - tracker.deadlines.len() <= REMOVED_AT_ONCE);
        calls += 1;
    }
    assert_eq!((calls, tracker.poll_timeout()), (4, Some(NOW + 2 * SECOND)));
    assert!(
        matches!(tracker.expire(NOW + 2 * SECOND), Some(Removed::Expired(expired)) if expired.ids.len() == 1)
    );
    assert!(tracker.limited.is_empty() && tracker.deadlines.is_empty());
}

#[test]
fn the_capacity_makes_room_first_from_messages_that_have_all_their_receipts() {
    let mut tracker =
        ReceiptTracker::new(ReceiptOptions { capacity: 2, ..options(ReceiptScope::Segment) }, 7);
    for (number, id) in [(1, "1"), (2, "2"), (3, "3")] {
        tracker.add(NOW, &message(number, 1), &[id]);
    }
    tracker.settle_receipt(NOW, "2", S::DELIVERED);
    assert!(tracker.exceeds_capacity() && tracker.poll_timeout() == Some(NOW));
    assert_eq!(tracker.expire(NOW), Some(Removed::Done));
    assert_eq!(tracker.expire(NOW), None);
    tracker.add(NOW, &message(4, 1), &["4"]);
    assert!(
        matches!(tracker.expire(NOW), Some(Removed::Expired(expired)) if expired.number == MessageNumber(1))
    );
    assert_eq!(tracker.expire(NOW), None);
}
