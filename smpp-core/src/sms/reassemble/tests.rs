//! Tests of reassembly: scenarios, and properties of any sequence of segments.

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::pdu::{DataCoding, EsmClass, SubmitSm};
use crate::sms::udh::{self, ConcatRef};
use crate::sms::{Codings, MessageReference, SegmentInfo, Segmentation, Text};
use crate::wire::COctets;

const SECOND: Duration = Duration::from_secs(1);

fn limits() -> ReassemblyLimits {
    ReassemblyLimits {
        max_messages: 3,
        max_octets: 10_000,
        max_messages_per_sender: 3,
        max_octets_per_sender: 10_000,
        max_age: 60 * SECOND,
        duplicate_window: 30 * SECOND,
    }
}

fn after(seconds: u32) -> Instant {
    Instant::ZERO + seconds * SECOND
}

fn segment(reference: u8, total: u8, number: u8, octets: &[u8]) -> UserData<'_> {
    let reference = MessageReference::Udh(ConcatRef::Narrow(reference));
    UserData { octets, segment: Some(SegmentInfo { reference, total, number }), ..UserData::default() }
}

/// A sender of segments.
struct Sender<T = ()> {
    number: &'static str,
    reassembler: Reassembler<T>,
}

impl<T> Sender<T> {
    fn new(limits: ReassemblyLimits) -> Self {
        Self { number: "6591234567", reassembler: Reassembler::new(limits) }
    }

    fn push(&mut self, now: Instant, user_data: &UserData<'_>, tag: T) -> Result<Pushed<T>, PushError<T>> {
        let source = Address::international(self.number).unwrap();
        let destination = Address::alphanumeric("8x8").unwrap();
        self.reassembler.push(now, source, destination, user_data, tag)
    }

    /// Pushes a segment that must not be stored.
    fn refused(&mut self, now: Instant, user_data: &UserData<'_>, tag: T) -> Option<PushErrorReason> {
        self.push(now, user_data, tag).err().map(|error| error.reason)
    }
}

#[test]
fn segments_may_arrive_in_any_order_and_repeatedly() {
    let mut sender = Sender::new(limits());
    let push = |sender: &mut Sender<_>, number, octets: &'static [u8]| {
        sender.push(Instant::ZERO, &segment(1, 3, number, octets), number).unwrap()
    };
    assert!(matches!(push(&mut sender, 3, b"c"), Pushed::Stored { segments: 1, total: 3, superseded: None }));
    assert!(matches!(push(&mut sender, 1, b"a"), Pushed::Stored { segments: 2, .. }));
    assert!(matches!(push(&mut sender, 3, b"c"), Pushed::Duplicate { tag: 3, number: 3, .. }));
    let Pushed::Complete(message) = push(&mut sender, 2, b"b") else { panic!("three of three") };
    assert_eq!((message.octets(), message.total()), (b"abc".to_vec(), 3));
    assert_eq!(message.source(), Address::international("6591234567").unwrap().into());
    assert_eq!(message.destination(), Address::alphanumeric("8x8").unwrap().into());
    assert_eq!(message.into_tags().collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!((sender.reassembler.len(), sender.reassembler.octets()), (0, 0));
}

#[test]
fn a_message_without_concatenation_is_returned() {
    let mut sender = Sender::new(limits());
    let alone = UserData { octets: b"Hi", ..UserData::default() };
    assert!(matches!(sender.push(Instant::ZERO, &alone, 7), Ok(Pushed::Standalone(7))));
    let one = sender.push(Instant::ZERO, &segment(1, 1, 1, b"Hi"), 8).unwrap();
    assert!(matches!(one, Pushed::Complete(message) if message.octets() == b"Hi"), "segment 1 of 1");
}

#[test]
fn the_key_is_addresses_reference_and_total() {
    let mut sender =
        Sender::new(ReassemblyLimits { max_messages: 9, max_messages_per_sender: 9, ..limits() });
    let mut stored = |user_data: &UserData<'_>, number| {
        sender.number = number;
        matches!(sender.push(Instant::ZERO, user_data, ()), Ok(Pushed::Stored { segments: 1, .. }))
    };
    assert!(stored(&segment(1, 2, 1, b"a"), "1"));
    assert!(stored(&segment(1, 2, 2, b"b"), "2"), "another sender");
    assert!(stored(&segment(2, 2, 2, b"b"), "1"), "another reference");
    assert!(stored(&segment(1, 3, 2, b"b"), "1"), "another total");
    for reference in [MessageReference::Udh(ConcatRef::Wide(1)), MessageReference::Sar(1)] {
        let segment = SegmentInfo { reference, total: 2, number: 2 };
        let user_data = UserData { octets: b"b", segment: Some(segment), ..UserData::default() };
        assert!(stored(&user_data, "1"), "another kind of reference");
    }
}

#[test]
fn handle_timeout_returns_an_expired_message_with_its_segments() {
    let mut sender = Sender::new(limits());
    sender.push(after(0), &segment(1, 2, 2, b"old"), "first").unwrap();
    sender.push(after(10), &segment(2, 2, 1, b"young"), "second").unwrap();
    assert_eq!(sender.reassembler.poll_timeout(), Some(after(60)));
    assert!(sender.reassembler.handle_timeout(after(59)).is_none());
    let message = sender.reassembler.handle_timeout(after(60)).unwrap();
    assert!(!message.is_complete());
    assert_eq!(
        message.segments().map(|segment| (segment.number, segment.octets)).collect::<Vec<_>>(),
        [(2, &b"old"[..])]
    );
    assert_eq!((message.started_at(), message.into_tags().next()), (after(0), Some("first")));
    assert!(sender.reassembler.handle_timeout(after(60)).is_none());
    assert_eq!(sender.reassembler.poll_timeout(), Some(after(70)));
}

#[test]
fn a_repeated_segment_of_a_completed_message_is_a_duplicate() {
    let mut sender = Sender::new(limits());
    sender.push(after(0), &segment(1, 2, 1, b"a"), 1).unwrap();
    sender.push(after(0), &segment(1, 2, 2, b"b"), 2).unwrap();
    assert!(matches!(
        sender.push(after(1), &segment(1, 2, 2, b"b"), 3),
        Ok(Pushed::Duplicate { tag: 3, .. })
    ));
    assert!(sender.reassembler.is_empty());
    // The sender reuses the reference for another text with the same last segment.
    assert!(matches!(sender.push(after(2), &segment(1, 2, 1, b"A"), 4), Ok(Pushed::Stored { .. })));
    let again = sender.push(after(2), &segment(1, 2, 2, b"b"), 5).unwrap();
    assert!(matches!(again, Pushed::Complete(message) if message.octets() == b"Ab"));
    // The completed message expires.
    assert!(matches!(
        sender.push(after(31), &segment(1, 2, 2, b"b"), 6),
        Ok(Pushed::Duplicate { tag: 6, .. })
    ));
    assert!(matches!(sender.push(after(32), &segment(1, 2, 2, b"b"), 7), Ok(Pushed::Stored { .. })));
}

#[test]
fn another_message_under_the_same_reference_supersedes_the_first() {
    let mut sender = Sender::new(limits());
    sender.push(after(0), &segment(1, 3, 1, b"old"), "old").unwrap();
    let Ok(Pushed::Stored { segments: 1, superseded: Some(old), .. }) =
        sender.push(after(1), &segment(1, 3, 1, b"new"), "new")
    else {
        panic!("the old message can never be complete")
    };
    assert_eq!((old.octets(), old.into_tags().next()), (b"old".to_vec(), Some("old")));
    assert_eq!(sender.reassembler.len(), 1);
}

#[test]
fn a_segment_above_the_limits_is_returned_until_there_is_room() {
    let mut sender = Sender::new(ReassemblyLimits { max_messages_per_sender: 9, ..limits() });
    for reference in 0..3 {
        sender.push(after(0), &segment(reference, 2, 1, b"a"), reference).unwrap();
    }
    assert_eq!(sender.refused(after(0), &segment(3, 2, 1, b"a"), 3), Some(PushErrorReason::Full));
    let completes = sender.push(after(0), &segment(0, 2, 2, b"b"), 4);
    assert!(matches!(completes, Ok(Pushed::Complete(_))), "the last segment needs no room");
    assert!(matches!(sender.push(after(0), &segment(3, 2, 1, b"a"), 5), Ok(Pushed::Stored { .. })));
    assert_eq!(sender.refused(after(0), &segment(4, 2, 1, b"a"), 6), Some(PushErrorReason::Full));
    assert_eq!(
        sender.reassembler.evict().map(|oldest| oldest.reference()),
        Some(MessageReference::Udh(ConcatRef::Narrow(1)))
    );
    assert!(sender.push(after(0), &segment(4, 2, 1, b"a"), 7).is_ok());
}

#[test]
fn too_large_and_full_are_different_errors() {
    let mut sender = Sender::new(ReassemblyLimits { max_octets: 1_700, ..limits() });
    let refused = sender.refused(after(0), &segment(1, 2, 1, &[0; 1_700]), 1);
    assert_eq!(refused, Some(PushErrorReason::TooLarge), "one segment");
    assert!(sender.push(after(0), &segment(1, 3, 1, &[0; 800]), 2).is_ok());
    let refused = sender.refused(after(0), &segment(1, 3, 2, &[0; 800]), 3);
    assert_eq!(refused, Some(PushErrorReason::TooLarge), "two segments of one message");
    let refused = sender.refused(after(0), &segment(2, 3, 1, &[0; 800]), 4);
    assert_eq!(refused, Some(PushErrorReason::Full), "a segment that would fit into an empty reassembler");
    assert_eq!(sender.reassembler.len(), 1, "stored segments are unchanged");
    sender.reassembler.evict();
    assert!(sender.push(after(0), &segment(2, 3, 1, &[0; 800]), 5).is_ok());

    let mut nothing = Sender::new(ReassemblyLimits { max_messages: 0, ..limits() });
    assert_eq!(nothing.refused(after(0), &segment(1, 2, 1, b"a"), 1), Some(PushErrorReason::TooLarge));
    assert!(matches!(nothing.push(after(0), &segment(1, 1, 1, b"a"), 2), Ok(Pushed::Complete(_))));
}

#[test]
fn one_sender_does_not_keep_out_others() {
    let mut sender = Sender::new(ReassemblyLimits::default());
    let first = |reference: u16| {
        let info = SegmentInfo { reference: MessageReference::Sar(reference), total: 2, number: 1 };
        UserData { octets: &[b'a'; 134], segment: Some(info), ..UserData::default() }
    };
    let mut evicted = Vec::new();
    for reference in 0..1_000 {
        if let Err(error) = sender.push(after(0), &first(reference), reference) {
            assert_eq!(error.reason, PushErrorReason::SenderFull);
            evicted.extend(sender.reassembler.evict_for(&error).unwrap().into_tags());
            sender.push(after(0), &first(reference), reference).unwrap();
        }
    }
    assert_eq!(evicted, (0..950).collect::<Vec<_>>(), "the oldest message makes room");
    assert_eq!(sender.reassembler.len(), 50);
    sender.number = "6587654321";
    for reference in 0..50 {
        assert!(sender.push(after(0), &first(reference), reference).is_ok());
    }
    // The first sender completes a message that was not evicted.
    sender.number = "6591234567";
    let last = SegmentInfo { number: 2, ..first(999).segment.unwrap() };
    let last = UserData { segment: Some(last), ..first(999) };
    assert!(matches!(sender.push(after(0), &last, 0), Ok(Pushed::Complete(_))));
}

#[test]
fn a_segment_does_not_displace_its_own_message() {
    let limits = ReassemblyLimits { max_octets_per_sender: 2_200, ..limits() };
    let mut sender = Sender::new(limits);
    sender.push(after(0), &segment(1, 3, 1, &[b'a'; 700]), 1).unwrap();
    sender.push(after(1), &segment(2, 3, 1, &[b'b'; 700]), 2).unwrap();
    let error = sender.push(after(2), &segment(1, 3, 2, &[b'c'; 700]), 3).unwrap_err();
    assert_eq!(error.reason, PushErrorReason::SenderFull);
    let evicted = sender.reassembler.evict_for(&error).unwrap();
    assert_eq!(evicted.into_tags().collect::<Vec<_>>(), [2], "the older message is the segment's own");
    assert!(matches!(
        sender.push(after(2), &segment(1, 3, 2, &[b'c'; 700]), 3),
        Ok(Pushed::Stored { segments: 2, .. })
    ));
}

#[test]
fn a_segment_displaces_the_oldest_message_but_its_own_when_all_is_full() {
    let limits = ReassemblyLimits { max_octets: 2_200, ..limits() };
    let mut sender = Sender::new(limits);
    for (number, tag) in [("1", 1), ("2", 2)] {
        sender.number = number;
        sender.push(after(tag), &segment(1, 3, 1, &[b'a'; 700]), tag).unwrap();
    }
    sender.number = "1";
    let error = sender.push(after(3), &segment(1, 3, 2, &[b'c'; 700]), 3).unwrap_err();
    assert_eq!(error.reason, PushErrorReason::Full);
    assert_eq!(sender.reassembler.evict_for(&error).unwrap().into_tags().collect::<Vec<_>>(), [2]);
    assert!(sender.push(after(3), &segment(1, 3, 2, &[b'c'; 700]), 3).is_ok());
}

#[test]
fn segments_of_a_message_that_was_used_incomplete_are_duplicates() {
    let mut sender = Sender::new(limits());
    sender.push(after(0), &segment(1, 3, 2, b"b"), 1).unwrap();
    let old = sender.reassembler.handle_timeout(after(60)).unwrap();
    sender.reassembler.record_incomplete(after(60), &old);
    assert!(matches!(sender.push(after(61), &segment(1, 3, 2, b"b"), 2), Ok(Pushed::Duplicate { .. })));
    sender.reassembler.renew_completed(after(80), &old.identity());
    assert!(matches!(sender.push(after(109), &segment(1, 3, 2, b"b"), 3), Ok(Pushed::Duplicate { .. })));
    // The missing segment starts the message anew, and forgets the record.
    assert!(matches!(sender.push(after(109), &segment(1, 3, 1, b"a"), 4), Ok(Pushed::Stored { .. })));
    assert!(matches!(
        sender.push(after(109), &segment(1, 3, 2, b"b"), 5),
        Ok(Pushed::Stored { segments: 2, .. })
    ));
}

/// However many records are too old, one call forgets few of them, and none of them counts.
#[test]
fn records_that_are_too_old_are_forgotten_in_slices() {
    let limits = ReassemblyLimits { max_messages: 1_000, max_octets: 1_000_000, ..limits() };
    let mut sender = Sender::new(limits);
    for reference in 0..200 {
        assert!(matches!(
            sender.push(after(0), &segment(reference, 1, 1, b"a"), ()),
            Ok(Pushed::Complete(_))
        ));
    }
    let mut left = 200;
    for reference in (150..200).rev() {
        let again = sender.push(after(30), &segment(reference, 1, 1, b"a"), ()).unwrap();
        assert!(matches!(again, Pushed::Complete(_)), "the record of {reference} is too old");
        let records = sender.reassembler.completed.len();
        assert!(left <= records + FORGOTTEN_AT_ONCE, "{left} before, {records} after");
        left = records;
    }
    assert_eq!(left, 50, "the new ones");

    // A lower limit takes effect with the next records.
    sender.reassembler.set_limits(ReassemblyLimits { max_messages: 1, ..limits });
    for reference in 0..10 {
        sender.push(after(30), &segment(reference, 1, 1, b"a"), ()).unwrap();
    }
    assert_eq!(sender.reassembler.completed.len(), 1);
}

#[test]
fn records_of_a_busy_sender_do_not_displace_those_of_others() {
    let limits = ReassemblyLimits { max_messages: 4, ..limits() };
    let mut sender = Sender::new(limits);
    let complete = |sender: &mut Sender, number, reference| {
        sender.number = number;
        let pushed = sender.push(after(0), &segment(reference, 1, 1, b"a"), ()).unwrap();
        matches!(pushed, Pushed::Complete(_))
    };
    assert!(complete(&mut sender, "1", 0));
    for reference in 0..100 {
        assert!(complete(&mut sender, "2", reference));
    }
    assert!(complete(&mut sender, "3", 0), "another sender displaces one of the busiest");
    for (number, reference) in [("1", 0), ("3", 0), ("2", 98), ("2", 99)] {
        assert!(!complete(&mut sender, number, reference), "{number} {reference} is still remembered");
    }
    assert!(complete(&mut sender, "2", 97));
}

#[test]
fn the_last_segment_needs_no_room() {
    let mut sender = Sender::new(limits());
    sender.push(after(0), &segment(1, 2, 1, b"a"), 1).unwrap();
    let mut full = Sender::new(ReassemblyLimits { max_octets: sender.reassembler.octets(), ..limits() });
    full.push(after(0), &segment(1, 2, 1, b"a"), 1).unwrap();
    assert_eq!(full.refused(after(0), &segment(2, 2, 1, b"a"), 2), Some(PushErrorReason::Full));
    let completed = full.push(after(0), &segment(1, 2, 2, &[b'b'; 500]), 3);
    assert!(matches!(completed, Ok(Pushed::Complete(message)) if message.octets().len() == 501));
    assert!(full.push(after(0), &segment(2, 2, 1, b"a"), 4).is_ok());
}

#[test]
fn an_expired_message_is_not_continued() {
    let mut sender = Sender::new(limits());
    sender.push(after(0), &segment(1, 2, 1, b"old"), 1).unwrap();
    for (octets, tag) in [(&b"new"[..], 2), (b"new", 3)] {
        let seconds = 60 * (tag - 1);
        let pushed = sender.push(after(seconds), &segment(1, 2, 2, octets), tag).unwrap();
        let Pushed::Stored { segments: 1, superseded: Some(old), .. } = pushed else { panic!("{pushed:?}") };
        assert_eq!(old.into_tags().collect::<Vec<_>>(), [tag - 1], "even if the segment is the same");
        assert_eq!(sender.reassembler.poll_timeout(), Some(after(seconds + 60)));
    }
}

#[test]
fn a_new_message_has_no_segments_of_a_completed_one() {
    let mut sender = Sender::new(limits());
    sender.push(after(0), &segment(1, 2, 1, b"a"), 1).unwrap();
    sender.push(after(0), &segment(1, 2, 2, b"b"), 2).unwrap();
    sender.push(after(1), &segment(1, 2, 1, b"A"), 3).unwrap();
    sender.reassembler.evict();
    let pushed = sender.push(after(2), &segment(1, 2, 2, b"b"), 4);
    assert!(matches!(pushed, Ok(Pushed::Stored { .. })), "only the latest message with the reference counts");
}

#[test]
fn a_segment_has_all_fields_of_its_user_data() {
    let (header, octets) = udh::split(&[4, 0x24, 2, 1, 2, b'H', b'i']).unwrap();
    let (esm_class, data_coding) = (EsmClass::UDHI | EsmClass::REPLY_PATH, DataCoding::LATIN1);
    let user_data = UserData { header: Some(header), esm_class, data_coding, ..segment(1, 2, 2, octets) };
    let empty = UserData { header: Some(udh::UserDataHeader::EMPTY), ..segment(1, 2, 1, b"") };
    let mut sender = Sender::new(limits());
    sender.push(after(0), &user_data, ()).unwrap();
    let Ok(Pushed::Complete(message)) = sender.push(after(0), &empty, ()) else {
        panic!("both segments were pushed")
    };
    let second = ReceivedSegment { number: 2, header: Some(header), octets: b"Hi", esm_class, data_coding };
    let first = ReceivedSegment {
        number: 1,
        header: empty.header,
        octets: b"",
        esm_class: EsmClass::empty(),
        data_coding: DataCoding(0),
    };
    assert_eq!(message.segments().collect::<Vec<_>>(), [first, second]);
}

#[test]
fn a_message_is_not_superseded_by_a_segment_above_the_limits() {
    let mut sender = Sender::new(ReassemblyLimits { max_octets: 1_000, ..limits() });
    sender.push(after(0), &segment(1, 2, 1, b"old"), 1).unwrap();
    let octets = sender.reassembler.octets();
    assert_eq!(sender.refused(after(1), &segment(1, 2, 1, &[0; 1_000]), 2), Some(PushErrorReason::TooLarge));
    assert_eq!((sender.reassembler.octets(), sender.reassembler.poll_timeout()), (octets, Some(after(60))));
}

/// A sender and a text in some segmentation.
fn any_message() -> impl Strategy<Value = (u8, alloc::string::String, Segmentation)> {
    let text = prop_oneof!["[a-z€ ]{161,700}", "[а-я😀]{71,300}"];
    let segmentation = prop_oneof![
        any::<u8>().prop_map(|reference| Segmentation::Udh(ConcatRef::Narrow(reference))),
        any::<u16>().prop_map(|reference| Segmentation::Udh(ConcatRef::Wide(reference))),
        any::<u16>().prop_map(Segmentation::Sar),
    ];
    (0..3_u8, text, segmentation)
}

/// A segment to push. There are so few different ones that duplicates and conflicting segments are likely.
#[derive(Clone, Copy, Debug)]
struct Step {
    pause: u32,
    /// Whether `handle_timeout` is called first.
    expire_first: bool,
    reference: u8,
    total: u8,
    number: u8,
    octets: &'static [u8],
    evict: bool,
    sender: usize,
    /// Whether another message makes room for the segment.
    makes_room: bool,
}

const NUMBERS: [&str; 2] = ["6591234567", "6587654321"];

impl Step {
    fn user_data(&self) -> UserData<'static> {
        segment(self.reference, self.total, self.number, self.octets)
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    let octets = prop_oneof![8 => Just(&b""[..]), 4 => Just(&b"a"[..]), 1 => Just(&[b'z'; 500][..])];
    let numbers = (1..4_u8).prop_flat_map(|total| (Just(total), 1..=total));
    let flags = (prop::bool::weighted(0.8), prop::bool::weighted(0.1), 0..2_usize, prop::bool::weighted(0.5));
    (0..5_u32, 0..2_u8, numbers, octets, flags).prop_map(
        |(pause, reference, (total, number), octets, (expire_first, evict, sender, makes_room))| Step {
            pause,
            expire_first,
            reference,
            total,
            number,
            octets,
            evict,
            sender,
            makes_room,
        },
    )
}

proptest! {
    #[test]
    fn each_text_is_reassembled_once_in_any_order(
        messages in prop::collection::vec(any_message(), 1..5),
        order in prop::collection::vec(any::<prop::sample::Index>(), 200),
    ) {
        let mut seen = BTreeSet::new();
        let messages: Vec<_> = messages
            .into_iter()
            .filter(|(sender, _, segmentation)| seen.insert((*sender, alloc::format!("{segmentation:?}"))))
            .collect();
        let submissions: Vec<(usize, Vec<_>)> = messages
            .iter()
            .enumerate()
            .map(|(at, (_, text, segmentation))| {
                (at, Text::new(text).segments(*segmentation).unwrap().submissions(SubmitSm::default()).collect())
            })
            .collect();
        let mut segments: Vec<_> =
            submissions.iter().flat_map(|(at, segments)| segments.iter().map(move |segment| (*at, segment))).collect();
        // Five segments are pushed twice, and all in random order.
        let twice: Vec<_> = order.iter().take(5).map(|index| *index.get(&segments)).collect();
        segments.extend(twice);
        for (at, index) in order.iter().enumerate().take(segments.len()) {
            let other = index.index(segments.len());
            segments.swap(at, other);
        }
        let mut reassembler = Reassembler::new(ReassemblyLimits::default());
        let mut completed = vec![0; messages.len()];
        for (at, segment) in segments {
            let (sender, text, _) = &messages[at];
            let sender = [b'0' + sender];
            let source: Address<'_> = Address { digits: COctets::new(&sender).unwrap(), ..Address::default() };
            let submit_sm = segment.submit_sm();
            let user_data = submit_sm.user_data().unwrap();
            let pushed = reassembler.push(Instant::ZERO, source, Address::<21>::default(), &user_data, at);
            if let Pushed::Complete(message) = pushed.unwrap() {
                prop_assert_eq!(message.text(Codings::default()), Some(text.clone()));
                prop_assert!(message.into_tags().all(|tag| tag == at));
                completed[at] += 1;
            }
        }
        prop_assert!(completed.iter().all(|count| *count == 1), "{:?}", completed);
        prop_assert!(reassembler.is_empty() && reassembler.octets() == 0);
    }

    #[test]
    fn push_accepts_any_segment_number(
        segments in prop::collection::vec((0..2_u8, any::<(u8, u8)>(), any::<u64>()), 0..20),
    ) {
        let mut sender = Sender::new(limits());
        for (reference, (total, number), nanos) in segments {
            let is_valid = 1 <= number && number <= total;
            let pushed = sender.push(Instant::from_nanos(nanos), &segment(reference, total, number, b""), ());
            prop_assert_eq!(matches!(pushed, Ok(Pushed::Standalone(()))), !is_valid);
        }
    }

    #[test]
    fn every_tag_is_returned_once_and_no_limit_is_exceeded(
        (messages, octets, age, repeats) in (0..4_usize, 300..4_000_usize, 0..20_u32, 0..20_u32),
        (messages_per_sender, octets_per_sender) in (0..4_usize, 300..4_000_usize),
        steps in prop::collection::vec(any_step(), 0..80),
    ) {
        let limits = ReassemblyLimits {
            max_messages: messages,
            max_octets: octets,
            max_messages_per_sender: messages_per_sender,
            max_octets_per_sender: octets_per_sender,
            max_age: age * SECOND,
            duplicate_window: repeats * SECOND,
        };
        let mut sender = Sender::new(limits);
        let (mut seconds, mut out) = (0, Vec::new());
        // Returns the tags of a message and checks that each belongs to its segment.
        let tags = |message: ReassembledMessage<usize>| {
            let (total, reference) = (message.total(), message.reference());
            let numbers: Vec<_> =
                message.segments().map(|segment| (segment.number, segment.octets.to_vec())).collect();
            let tags: Vec<_> = message.into_tags().collect();
            for ((number, octets), tag) in numbers.iter().zip(&tags) {
                let pushed = steps[*tag].user_data();
                assert_eq!(pushed.segment, Some(SegmentInfo { reference, total, number: *number }));
                assert_eq!(pushed.octets, octets);
            }
            tags
        };
        for (tag, step) in steps.iter().enumerate() {
            seconds += step.pause;
            while step.expire_first && let Some(old) = sender.reassembler.handle_timeout(after(seconds)) {
                prop_assert!(after(seconds) - old.started_at() >= limits.max_age && !old.is_complete());
                out.extend(tags(old));
            }
            let mut before = (sender.reassembler.octets(), sender.reassembler.poll_timeout());
            sender.number = NUMBERS[step.sender];
            let pushed = loop {
                match sender.push(after(seconds), &step.user_data(), tag) {
                    Err(error) if step.makes_room && error.reason != PushErrorReason::TooLarge => {
                        let messages = sender.reassembler.len();
                        let evicted = sender.reassembler.evict_for(&error).expect("another message makes room");
                        let is_sender = evicted.source() == Address::international(sender.number).unwrap().into();
                        prop_assert!(is_sender || error.reason == PushErrorReason::Full);
                        prop_assert_eq!(sender.reassembler.len(), messages - 1);
                        out.extend(tags(evicted));
                        before = (sender.reassembler.octets(), sender.reassembler.poll_timeout());
                    }
                    result => break result.map_err(|error| error.reason),
                }
            };
            match pushed {
                Ok(Pushed::Standalone(_)) => panic!("it is a segment"),
                Ok(Pushed::Duplicate { tag, message, number }) => {
                    prop_assert_eq!(step.number, number);
                    let first = sender.reassembler.tag(&message, number);
                    prop_assert!(first.is_none_or(|first| steps[*first].octets == step.octets));
                    out.push(tag);
                }
                Ok(Pushed::Stored { segments, total, superseded }) => {
                    prop_assert!(0 < segments && segments < total);
                    out.extend(superseded.into_iter().flat_map(tags));
                }
                Ok(Pushed::Complete(message)) => {
                    prop_assert!(message.is_complete());
                    prop_assert!(message.total() == 1 || message.started_at() + limits.max_age > after(seconds));
                    out.extend(tags(message));
                }
                Err(reason) => {
                    let now = (sender.reassembler.octets(), sender.reassembler.poll_timeout());
                    prop_assert_eq!(now, before, "an error changes nothing");
                    out.push(tag);
                    prop_assert!(reason == PushErrorReason::TooLarge || !sender.reassembler.is_empty(), "a message can be evicted");
                }
            }
            if step.evict {
                out.extend(sender.reassembler.evict().into_iter().flat_map(tags));
            }
            let mut sum = 0;
            for number in NUMBERS {
                let number = Address::<21>::international(number).unwrap();
                let any = SegmentInfo { reference: MessageReference::Sar(0), total: 1, number: 1 };
                let usage = sender.reassembler.incomplete.usage(&MessageKey::new(number, number, any));
                prop_assert!(usage.messages <= limits.max_messages_per_sender);
                prop_assert!(usage.octets <= limits.max_octets_per_sender);
                sum += usage.octets;
            }
            prop_assert_eq!(sum, sender.reassembler.octets());
            prop_assert!(sender.reassembler.len() <= limits.max_messages);
            prop_assert!(sender.reassembler.octets() <= limits.max_octets);
            prop_assert!(sender.reassembler.completed.memory_octets() <= limits.max_octets);
            prop_assert!(sender.reassembler.completed.len() <= limits.max_messages);
            prop_assert_eq!(sender.reassembler.poll_timeout().is_some(), !sender.reassembler.is_empty());
        }
        while let Some(left) = sender.reassembler.evict() {
            out.extend(tags(left));
        }
        prop_assert_eq!(sender.reassembler.octets(), 0);
        out.sort_unstable();
        prop_assert_eq!(out, (0..steps.len()).collect::<Vec<_>>());
    }
}
