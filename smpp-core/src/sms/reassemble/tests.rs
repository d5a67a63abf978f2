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
        max_age: 60 * SECOND,
        duplicate_window: 30 * SECOND,
    }
}

fn after(seconds: u32) -> Instant {
    Instant::ZERO + seconds * SECOND
}

fn part(reference: u8, total: u8, number: u8, octets: &[u8]) -> UserData<'_> {
    let reference = MessageReference::Udh(ConcatRef::Narrow(reference));
    UserData { octets, segment: Some(SegmentInfo { reference, total, number }), ..UserData::default() }
}

/// A sender of segments.
struct Phone<T = ()> {
    number: &'static str,
    reassembler: Reassembler<T>,
}

impl<T> Phone<T> {
    fn new(limits: ReassemblyLimits) -> Self {
        Self { number: "6591234567", reassembler: Reassembler::new(limits) }
    }

    fn push(&mut self, now: Instant, user_data: &UserData<'_>, tag: T) -> Result<Pushed<T>, PushErrorReason> {
        let source = Address::international(self.number).unwrap();
        let destination = Address::alphanumeric("8x8").unwrap();
        self.reassembler.push(now, source, destination, user_data, tag).map_err(|unkept| unkept.reason)
    }
}

#[test]
fn parts_come_in_any_order_and_repeated() {
    let mut phone = Phone::new(limits());
    let push = |phone: &mut Phone<_>, number, octets: &'static [u8]| {
        phone.push(Instant::ZERO, &part(1, 3, number, octets), number).unwrap()
    };
    assert!(matches!(push(&mut phone, 3, b"c"), Pushed::Stored { segments: 1, total: 3, superseded: None }));
    assert!(matches!(push(&mut phone, 1, b"a"), Pushed::Stored { segments: 2, .. }));
    assert!(matches!(push(&mut phone, 3, b"c"), Pushed::Duplicate(3)));
    let Pushed::Complete(message) = push(&mut phone, 2, b"b") else { panic!("three of three") };
    assert_eq!((message.octets(), message.total()), (b"abc".to_vec(), 3));
    assert_eq!(message.source(), Address::international("6591234567").unwrap().into());
    assert_eq!(message.destination(), Address::alphanumeric("8x8").unwrap().into());
    assert_eq!(message.into_tags().collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!((phone.reassembler.len(), phone.reassembler.octets()), (0, 0));
}

#[test]
fn one_that_stands_alone_is_the_callers() {
    let mut phone = Phone::new(limits());
    let alone = UserData { octets: b"Hi", ..UserData::default() };
    assert!(matches!(phone.push(Instant::ZERO, &alone, 7), Ok(Pushed::Standalone(7))));
    let one = phone.push(Instant::ZERO, &part(1, 1, 1, b"Hi"), 8).unwrap();
    assert!(matches!(one, Pushed::Complete(message) if message.octets() == b"Hi"), "part 1 of 1");
}

#[test]
fn other_addresses_references_and_totals_are_other_messages() {
    let mut phone = Phone::new(ReassemblyLimits { max_messages: 9, ..limits() });
    let mut kept = |user_data: &UserData<'_>, number| {
        phone.number = number;
        matches!(phone.push(Instant::ZERO, user_data, ()), Ok(Pushed::Stored { segments: 1, .. }))
    };
    assert!(kept(&part(1, 2, 1, b"a"), "1"));
    assert!(kept(&part(1, 2, 2, b"b"), "2"), "another sender");
    assert!(kept(&part(2, 2, 2, b"b"), "1"), "another reference");
    assert!(kept(&part(1, 3, 2, b"b"), "1"), "another total");
    for reference in [MessageReference::Udh(ConcatRef::Wide(1)), MessageReference::Sar(1)] {
        let part = SegmentInfo { reference, total: 2, number: 2 };
        let user_data = UserData { octets: b"b", segment: Some(part), ..UserData::default() };
        assert!(kept(&user_data, "1"), "another kind of reference");
    }
}

#[test]
fn what_waits_too_long_comes_out_with_what_there_is() {
    let mut phone = Phone::new(limits());
    phone.push(after(0), &part(1, 2, 2, b"old"), "first").unwrap();
    phone.push(after(10), &part(2, 2, 1, b"young"), "second").unwrap();
    assert_eq!(phone.reassembler.poll_timeout(), Some(after(60)));
    assert!(phone.reassembler.handle_timeout(after(59)).is_none());
    let message = phone.reassembler.handle_timeout(after(60)).unwrap();
    assert!(!message.is_complete());
    assert_eq!(
        message.segments().map(|part| (part.number, part.octets)).collect::<Vec<_>>(),
        [(2, &b"old"[..])]
    );
    assert_eq!((message.started_at(), message.into_tags().next()), (after(0), Some("first")));
    assert!(phone.reassembler.handle_timeout(after(60)).is_none());
    assert_eq!(phone.reassembler.poll_timeout(), Some(after(70)));
}

#[test]
fn a_part_that_comes_again_after_the_last_is_known() {
    let mut phone = Phone::new(limits());
    phone.push(after(0), &part(1, 2, 1, b"a"), 1).unwrap();
    phone.push(after(0), &part(1, 2, 2, b"b"), 2).unwrap();
    assert!(matches!(phone.push(after(1), &part(1, 2, 2, b"b"), 3), Ok(Pushed::Duplicate(3))));
    assert!(phone.reassembler.is_empty());
    // The sender reuses the reference for another text with the same last segment.
    assert!(matches!(phone.push(after(2), &part(1, 2, 1, b"A"), 4), Ok(Pushed::Stored { .. })));
    let again = phone.push(after(2), &part(1, 2, 2, b"b"), 5).unwrap();
    assert!(matches!(again, Pushed::Complete(message) if message.octets() == b"Ab"));
    // The completed message expires.
    assert!(matches!(phone.push(after(31), &part(1, 2, 2, b"b"), 6), Ok(Pushed::Duplicate(6))));
    assert!(matches!(phone.push(after(32), &part(1, 2, 2, b"b"), 7), Ok(Pushed::Stored { .. })));
}

#[test]
fn another_message_under_the_same_reference_supersedes_the_first() {
    let mut phone = Phone::new(limits());
    phone.push(after(0), &part(1, 3, 1, b"old"), "old").unwrap();
    let Ok(Pushed::Stored { segments: 1, superseded: Some(old), .. }) =
        phone.push(after(1), &part(1, 3, 1, b"new"), "new")
    else {
        panic!("the old one can never be complete")
    };
    assert_eq!((old.octets(), old.into_tags().next()), (b"old".to_vec(), Some("old")));
    assert_eq!(phone.reassembler.len(), 1);
}

#[test]
fn what_does_not_fit_is_handed_back_until_there_is_room() {
    let mut phone = Phone::new(limits());
    for reference in 0..3 {
        phone.push(after(0), &part(reference, 2, 1, b"a"), reference).unwrap();
    }
    assert_eq!(phone.push(after(0), &part(3, 2, 1, b"a"), 3).err(), Some(PushErrorReason::Full));
    let completes = phone.push(after(0), &part(0, 2, 2, b"b"), 4);
    assert!(matches!(completes, Ok(Pushed::Complete(_))), "no room is needed for another message");
    assert!(matches!(phone.push(after(0), &part(3, 2, 1, b"a"), 5), Ok(Pushed::Stored { .. })));
    assert_eq!(phone.push(after(0), &part(4, 2, 1, b"a"), 6).err(), Some(PushErrorReason::Full));
    assert_eq!(
        phone.reassembler.evict().map(|oldest| oldest.reference()),
        Some(MessageReference::Udh(ConcatRef::Narrow(1)))
    );
    assert!(phone.push(after(0), &part(4, 2, 1, b"a"), 7).is_ok());
}

#[test]
fn what_can_never_fit_is_told_from_what_has_to_wait() {
    let mut phone = Phone::new(ReassemblyLimits { max_octets: 2_000, ..limits() });
    let refused = phone.push(after(0), &part(1, 2, 1, &[0; 2_000]), 1).err();
    assert_eq!(refused, Some(PushErrorReason::TooLarge), "one part");
    assert!(phone.push(after(0), &part(1, 3, 1, &[0; 800]), 2).is_ok());
    let refused = phone.push(after(0), &part(1, 3, 2, &[0; 800]), 3).err();
    assert_eq!(refused, Some(PushErrorReason::TooLarge), "two parts of one message");
    let refused = phone.push(after(0), &part(2, 3, 1, &[0; 800]), 4).err();
    assert_eq!(refused, Some(PushErrorReason::Full), "a part that would fit alone");
    assert_eq!(phone.reassembler.len(), 1, "what was there stays");
    phone.reassembler.evict();
    assert!(phone.push(after(0), &part(2, 3, 1, &[0; 800]), 5).is_ok());

    let mut nothing = Phone::new(ReassemblyLimits { max_messages: 0, ..limits() });
    assert_eq!(nothing.push(after(0), &part(1, 2, 1, b"a"), 1).err(), Some(PushErrorReason::TooLarge));
    assert!(matches!(nothing.push(after(0), &part(1, 1, 1, b"a"), 2), Ok(Pushed::Complete(_))));
}

#[test]
fn the_last_part_needs_no_room() {
    let mut phone = Phone::new(limits());
    phone.push(after(0), &part(1, 2, 1, b"a"), 1).unwrap();
    let mut full = Phone::new(ReassemblyLimits { max_octets: phone.reassembler.octets(), ..limits() });
    full.push(after(0), &part(1, 2, 1, b"a"), 1).unwrap();
    assert_eq!(full.push(after(0), &part(2, 2, 1, b"a"), 2).err(), Some(PushErrorReason::Full));
    let whole = full.push(after(0), &part(1, 2, 2, &[b'b'; 500]), 3);
    assert!(matches!(whole, Ok(Pushed::Complete(message)) if message.octets().len() == 501));
    assert!(full.push(after(0), &part(2, 2, 1, b"a"), 4).is_ok());
}

#[test]
fn what_has_waited_too_long_is_not_joined() {
    let mut phone = Phone::new(limits());
    phone.push(after(0), &part(1, 2, 1, b"old"), 1).unwrap();
    for (octets, tag) in [(&b"new"[..], 2), (b"new", 3)] {
        let seconds = 60 * (tag - 1);
        let pushed = phone.push(after(seconds), &part(1, 2, 2, octets), tag).unwrap();
        let Pushed::Stored { segments: 1, superseded: Some(old), .. } = pushed else { panic!("{pushed:?}") };
        assert_eq!(old.into_tags().collect::<Vec<_>>(), [tag - 1], "not even if the part is the same");
        assert_eq!(phone.reassembler.poll_timeout(), Some(after(seconds + 60)));
    }
}

#[test]
fn a_message_that_has_begun_anew_has_no_part_of_the_one_before() {
    let mut phone = Phone::new(limits());
    phone.push(after(0), &part(1, 2, 1, b"a"), 1).unwrap();
    phone.push(after(0), &part(1, 2, 2, b"b"), 2).unwrap();
    phone.push(after(1), &part(1, 2, 1, b"A"), 3).unwrap();
    phone.reassembler.evict();
    let pushed = phone.push(after(2), &part(1, 2, 2, b"b"), 4);
    assert!(matches!(pushed, Ok(Pushed::Stored { .. })), "the latest message with the reference counts");
}

#[test]
fn a_part_keeps_all_that_came_with_it() {
    let (header, octets) = udh::split(&[4, 0x24, 2, 1, 2, b'H', b'i']).unwrap();
    let (esm_class, data_coding) = (EsmClass::UDHI | EsmClass::REPLY_PATH, DataCoding::LATIN1);
    let user_data = UserData { header: Some(header), esm_class, data_coding, ..part(1, 2, 2, octets) };
    let empty = UserData { header: Some(udh::Header::EMPTY), ..part(1, 2, 1, b"") };
    let mut phone = Phone::new(limits());
    phone.push(after(0), &user_data, ()).unwrap();
    let Ok(Pushed::Complete(message)) = phone.push(after(0), &empty, ()) else { panic!("both are there") };
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
fn a_superseded_message_stays_if_there_is_no_room_for_the_new_one() {
    let mut phone = Phone::new(ReassemblyLimits { max_octets: 1_000, ..limits() });
    phone.push(after(0), &part(1, 2, 1, b"old"), 1).unwrap();
    let octets = phone.reassembler.octets();
    assert_eq!(phone.push(after(1), &part(1, 2, 1, &[0; 1_000]), 2).err(), Some(PushErrorReason::TooLarge));
    assert_eq!((phone.reassembler.octets(), phone.reassembler.poll_timeout()), (octets, Some(after(60))));
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
    in_time: bool,
    reference: u8,
    total: u8,
    number: u8,
    octets: &'static [u8],
    evict: bool,
}

impl Step {
    fn user_data(&self) -> UserData<'static> {
        part(self.reference, self.total, self.number, self.octets)
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    let octets = prop_oneof![8 => Just(&b""[..]), 4 => Just(&b"a"[..]), 1 => Just(&[b'z'; 500][..])];
    let numbers = (1..4_u8).prop_flat_map(|total| (Just(total), 1..=total));
    let flags = (prop::bool::weighted(0.8), prop::bool::weighted(0.1));
    (0..5_u32, 0..2_u8, numbers, octets, flags).prop_map(
        |(pause, reference, (total, number), octets, (in_time, evict))| Step {
            pause,
            in_time,
            reference,
            total,
            number,
            octets,
            evict,
        },
    )
}

proptest! {
    #[test]
    fn each_text_comes_out_once_whatever_the_order(
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
        let mut parts: Vec<_> =
            submissions.iter().flat_map(|(at, parts)| parts.iter().map(move |part| (*at, part))).collect();
        // Five segments are pushed twice, and all in random order.
        let twice: Vec<_> = order.iter().take(5).map(|index| *index.get(&parts)).collect();
        parts.extend(twice);
        for (at, index) in order.iter().enumerate().take(parts.len()) {
            let other = index.index(parts.len());
            parts.swap(at, other);
        }
        let mut reassembler = Reassembler::new(ReassemblyLimits::default());
        let mut whole = vec![0; messages.len()];
        for (at, part) in parts {
            let (sender, text, _) = &messages[at];
            let sender = [b'0' + sender];
            let source: Address<'_> = Address { digits: COctets::new(&sender).unwrap(), ..Address::default() };
            let submit_sm = part.submit_sm();
            let user_data = submit_sm.user_data().unwrap();
            let pushed = reassembler.push(Instant::ZERO, source, Address::<21>::default(), &user_data, at);
            if let Pushed::Complete(message) = pushed.unwrap() {
                prop_assert_eq!(message.text(Codings::default()), Some(text.clone()));
                prop_assert!(message.into_tags().all(|tag| tag == at));
                whole[at] += 1;
            }
        }
        prop_assert!(whole.iter().all(|count| *count == 1), "{:?}", whole);
        prop_assert!(reassembler.is_empty() && reassembler.octets() == 0);
    }

    #[test]
    fn any_part_is_taken_or_handed_back(
        parts in prop::collection::vec((0..2_u8, any::<(u8, u8)>(), any::<u64>()), 0..20),
    ) {
        let mut phone = Phone::new(limits());
        for (reference, (total, number), nanos) in parts {
            let makes_sense = 1 <= number && number <= total;
            let pushed = phone.push(Instant::from_nanos(nanos), &part(reference, total, number, b""), ());
            prop_assert_eq!(matches!(pushed, Ok(Pushed::Standalone(()))), !makes_sense);
        }
    }

    #[test]
    fn every_tag_comes_back_once_and_no_bound_is_exceeded(
        (messages, octets, age, repeats) in (0..4_usize, 300..4_000_usize, 0..20_u32, 0..20_u32),
        steps in prop::collection::vec(any_step(), 0..80),
    ) {
        let limits = ReassemblyLimits { max_messages: messages, max_octets: octets, max_age: age * SECOND, duplicate_window: repeats * SECOND };
        let mut phone = Phone::new(limits);
        let (mut seconds, mut out) = (0, Vec::new());
        // Returns the tags of a message and checks that each belongs to its segment.
        let tags = |message: ReassembledMessage<usize>| {
            let (total, reference) = (message.total(), message.reference());
            let numbers: Vec<_> =
                message.segments().map(|part| (part.number, part.octets.to_vec())).collect();
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
            while step.in_time && let Some(old) = phone.reassembler.handle_timeout(after(seconds)) {
                prop_assert!(after(seconds) - old.started_at() >= limits.max_age && !old.is_complete());
                out.extend(tags(old));
            }
            let before = (phone.reassembler.octets(), phone.reassembler.poll_timeout());
            match phone.push(after(seconds), &step.user_data(), tag) {
                Ok(Pushed::Standalone(_)) => panic!("it is a part"),
                Ok(Pushed::Duplicate(tag)) => out.push(tag),
                Ok(Pushed::Stored { segments, total, superseded }) => {
                    prop_assert!(0 < segments && segments < total);
                    out.extend(superseded.into_iter().flat_map(tags));
                }
                Ok(Pushed::Complete(message)) => {
                    prop_assert!(message.is_complete());
                    prop_assert!(message.total() == 1 || message.started_at() + limits.max_age > after(seconds));
                    out.extend(tags(message));
                }
                Err(why) => {
                    let now = (phone.reassembler.octets(), phone.reassembler.poll_timeout());
                    prop_assert_eq!(now, before, "nothing changes");
                    out.push(tag);
                    prop_assert!(why == PushErrorReason::TooLarge || !phone.reassembler.is_empty(), "one can be evicted");
                }
            }
            if step.evict {
                out.extend(phone.reassembler.evict().into_iter().flat_map(tags));
            }
            prop_assert!(phone.reassembler.len() <= limits.max_messages);
            prop_assert!(phone.reassembler.octets() <= limits.max_octets);
            prop_assert!(phone.reassembler.completed.memory_octets() <= limits.max_octets);
            prop_assert!(phone.reassembler.completed.len() <= limits.max_messages);
            prop_assert_eq!(phone.reassembler.poll_timeout().is_some(), !phone.reassembler.is_empty());
        }
        while let Some(left) = phone.reassembler.evict() {
            out.extend(tags(left));
        }
        prop_assert_eq!(phone.reassembler.octets(), 0);
        out.sort_unstable();
        prop_assert_eq!(out, (0..steps.len()).collect::<Vec<_>>());
    }
}
