//! The tracker against a model that is as simple as possible: maps, sets and searches.

use alloc::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::sms::MessageIdPolicy;

/// A receipt: its state, and whether it is final.
type State = (u8, bool);

struct Segment {
    index: u8,
    id: Vec<u8>,
    last: Option<u8>,
    reported: BTreeSet<State>,
    unacknowledged: BTreeSet<State>,
}

struct Message {
    total: u8,
    key: Option<MessageKey>,
    is_due: bool,
    is_complete: bool,
    segments: Vec<Segment>,
    /// In which list it is, since when, and in which order.
    is_done: bool,
    at: Instant,
    order: u64,
}

struct Model {
    options: ReceiptOptions,
    messages: BTreeMap<u64, Message>,
    /// The message and the index of the segment that an id belongs to.
    ids: BTreeMap<Vec<u8>, (u64, usize)>,
    order: u64,
    /// When messages expire that wait for less than the maximum age.
    deadlines: BTreeSet<(Instant, u64)>,
}

impl Message {
    fn open(&self, one: bool) -> usize {
        if one {
            return if self.segments[0].last.is_some() { 0 } else { self.segments.len() };
        }
        self.segments.iter().filter(|segment| segment.last.is_none()).count()
    }

    fn state(&self, one: bool) -> Option<S> {
        let is_whole = self.segments.len() >= usize::from(self.total);
        if one {
            return self.segments[0].last.filter(|_| is_whole || !self.is_complete).map(S);
        }
        if !is_whole || self.open(one) > 0 {
            return None;
        }
        let mut states: Vec<_> = self.segments.iter().map(|segment| (segment.index, segment.last)).collect();
        states.sort_unstable();
        let state = states.into_iter().filter_map(|(_, last)| last).find(|state| *state != S::DELIVERED.0);
        Some(state.map_or(S::DELIVERED, S))
    }

    fn missing(&self, one: bool) -> Vec<MessageId> {
        let is_missing = |segment: &&Segment| {
            self.is_due && segment.last.is_none() && !(one && self.segments[0].last.is_some())
        };
        let mut missing: Vec<_> = self.segments.iter().filter(is_missing).collect();
        missing.sort_by_key(|segment| segment.index);
        missing
            .iter()
            .filter(|segment| !segment.id.is_empty())
            .map(|segment| MessageId::new(&segment.id))
            .collect()
    }
}

impl Model {
    fn one(&self) -> bool {
        self.options.dialect.receipt_scope() == ReceiptScope::Message
    }

    fn key(id: &[u8]) -> Vec<u8> {
        // All policies of the test agree on the ids of the test.
        id.to_ascii_lowercase()
    }

    fn track(&mut self, now: Instant, tracked: &TrackedMessage, segment: u8, id: &[u8]) {
        let one = self.one();
        if id.is_empty() && !one {
            return;
        }
        let number = tracked.number.0;
        self.order += 1;
        let message = self.messages.entry(number).or_insert_with(|| Message {
            total: tracked.total,
            key: tracked.key.clone(),
            is_due: tracked.is_due,
            is_complete: false,
            segments: Vec::new(),
            is_done: false,
            at: now,
            order: self.order,
        });
        message.segments.push(Segment {
            index: segment,
            id: id.into(),
            last: None,
            reported: BTreeSet::new(),
            unacknowledged: BTreeSet::new(),
        });
        if !id.is_empty() {
            self.ids.insert(Self::key(id), (number, message.segments.len() - 1));
        }
        self.position(now, number, false);
    }

    fn complete(&mut self, now: Instant, number: u64) {
        let Some(message) = self.messages.get_mut(&number) else { return };
        if message.segments.iter().all(|segment| segment.id.is_empty()) {
            self.messages.remove(&number);
            return;
        }
        message.is_complete = true;
        self.position(now, number, false);
    }

    /// Limits how long a message waits.
    fn expect_until(&mut self, now: Instant, number: u64, wait: Option<Duration>) {
        let Some(wait) = wait.filter(|wait| *wait < self.options.max_age) else { return };
        if self.messages.contains_key(&number) {
            self.deadlines.insert((now + wait, number));
        }
    }

    /// Moves a message to the end of the list that it belongs to.
    fn position(&mut self, now: Instant, number: u64, has_new_receipt: bool) {
        let one = self.one();
        let Some(message) = self.messages.get_mut(&number) else { return };
        let is_done = message.is_complete && message.open(one) == 0;
        if is_done != message.is_done || (is_done && has_new_receipt) {
            self.order += 1;
            (message.is_done, message.at, message.order) = (is_done, now, self.order);
        }
    }

    fn receive(&mut self, now: Instant, id: &[u8], state: State) -> Match {
        let one = self.one();
        let Some(&(number, named)) = self.ids.get(&Self::key(id)) else { return Match::Unknown };
        let message = self.messages.get_mut(&number).unwrap();
        let rank = |index: &usize| {
            let segment = &message.segments[*index];
            let is_new = !segment.reported.contains(&state);
            let rank = match segment.last {
                None if is_new => 0,
                Some(_) if is_new && state.1 => 1,
                _ => 2,
            };
            (rank, segment.index)
        };
        let same = (0..message.segments.len())
            .filter(|index| Self::key(&message.segments[*index].id) == Self::key(id));
        let named = same.min_by_key(rank).filter(|_| message.segments.len() > 1).unwrap_or(named);
        let segment = message.segments[named].index;
        let target = &mut message.segments[if one { 0 } else { named }];
        let known = target.last.filter(|_| !state.1).map_or(state, |last| (last, true));
        if target.unacknowledged.contains(&known) {
            return Match::Unacknowledged;
        }
        if target.reported.contains(&known) {
            return Match::Repeated;
        }
        target.reported.insert(state);
        target.unacknowledged.insert(state);
        let previous = target.last.filter(|_| state.1).map(S);
        if state.1 {
            target.last = Some(state.0);
        }
        let matched = ReceiptMatch {
            message: MessageNumber(number),
            key: message.key.clone(),
            destination: ReceiptDestination::Sent,
            segment,
            segments: message.total,
            pending: message.open(one) as u8,
            message_state: message.state(one),
            previous,
        };
        self.position(now, number, true);
        // The model has no nodes.
        Match::New(matched, 0)
    }

    fn acknowledge(&mut self, now: Instant, reported: &ReportedReceipt, index: u8, is_accepted: bool) {
        let one = self.one();
        let Some(message) = self.messages.get_mut(&reported.message.0) else { return };
        let is_about = |segment: &&mut Segment| one || segment.index == index;
        let Some(segment) = message.segments.iter_mut().find(is_about) else { return };
        let state = (reported.state.0, reported.is_final);
        segment.unacknowledged.remove(&state);
        if is_accepted {
            return;
        }
        segment.reported.remove(&state);
        if reported.is_final && segment.last == Some(state.0) {
            let previous = reported.previous.map(|previous| previous.0);
            // If it was refused too, another final state that was not, rather one that was accepted.
            let finals = segment.reported.iter().filter(|(_, is_final)| *is_final).map(|(state, _)| *state);
            let other = finals.min_by_key(|state| segment.unacknowledged.contains(&(*state, true)));
            segment.last =
                previous.filter(|previous| segment.reported.contains(&(*previous, true))).or(other);
            self.position(now, reported.message.0, false);
        }
    }

    fn remove(&mut self, number: u64) -> ExpiredMessage {
        let message = self.messages.remove(&number).unwrap();
        self.ids.retain(|_, (other, _)| *other != number);
        self.deadlines.retain(|(_, other)| *other != number);
        ExpiredMessage { number: MessageNumber(number), ids: message.missing(self.one()), key: message.key }
    }

    fn oldest(&self, is_done: bool) -> Option<(Instant, u64)> {
        let list = self.messages.iter().filter(|(_, message)| message.is_done == is_done);
        list.min_by_key(|(_, message)| message.order).map(|(number, message)| (message.at, *number))
    }

    fn len(&self) -> usize {
        self.messages.values().map(|message| message.segments.len()).sum()
    }

    fn expire(&mut self, now: Instant) -> Vec<ExpiredMessage> {
        let mut expired = Vec::new();
        loop {
            let is_over = self.len() > self.options.capacity;
            let is_old =
                |found: Option<(Instant, u64)>, age| found.filter(|(at, _)| is_over || now - *at >= age);
            if let Some((_, number)) = is_old(self.oldest(true), self.options.remember_completed) {
                self.remove(number);
            } else if let Some((_, number)) = is_old(self.oldest(false), self.options.max_age) {
                expired.push(self.remove(number));
            } else if let Some(&(at, number)) = self.deadlines.first().filter(|(at, _)| *at <= now) {
                self.deadlines.remove(&(at, number));
                if self.messages.get(&number).is_some_and(|message| !message.is_done) {
                    expired.push(self.remove(number));
                }
            } else {
                return expired;
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.len() > self.options.capacity {
            return Some(Instant::ZERO);
        }
        let waiting = self.oldest(false).map(|(at, _)| at + self.options.max_age);
        let done = self.oldest(true).map(|(at, _)| at + self.options.remember_completed);
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        waiting.into_iter().chain(done).chain(deadline).min()
    }
}

#[derive(Clone, Debug)]
enum Operation {
    /// Tracks the next segment of the message that is open, or of a new one.
    Track {
        id: usize,
    },
    /// Completes the message that is open.
    Complete,
    /// A message is accepted as a whole.
    Expect {
        ids: Vec<usize>,
        has_key: bool,
        is_due: bool,
        wait: Option<u32>,
    },
    /// A late response completes an earlier message.
    Late {
        message: u64,
        id: usize,
    },
    Receive {
        id: usize,
        state: usize,
    },
    Acknowledge {
        which: usize,
        is_accepted: bool,
    },
    Expire {
        seconds: u64,
    },
}

/// Few, so that they are given twice.
const IDS: [&[u8]; 8] =
    [b"", b"1", b"2", b"3", b"4", b"a-uuid-of-36-characters-as-many-have", &[b'x'; 50], &[b'y'; 100]];

const STATES: [State; 6] = [(2, true), (5, true), (3, true), (1, false), (7, false), (5, false)];

fn operation() -> impl Strategy<Value = Operation> {
    let id = || 0..IDS.len();
    prop_oneof![
        4 => id().prop_map(|id| Operation::Track { id }),
        2 => Just(Operation::Complete),
        3 => (prop::collection::vec(id(), 0..4), any::<bool>(), any::<bool>(), prop::option::of(0..100_u32))
            .prop_map(|(ids, has_key, is_due, wait)| Operation::Expect { ids, has_key, is_due, wait }),
        1 => (1..30_u64, id()).prop_map(|(message, id)| Operation::Late { message, id }),
        8 => (id(), 0..STATES.len()).prop_map(|(id, state)| Operation::Receive { id, state }),
        5 => (any::<usize>(), any::<bool>())
            .prop_map(|(which, is_accepted)| Operation::Acknowledge { which, is_accepted }),
        2 => (0..40_u64).prop_map(|seconds| Operation::Expire { seconds }),
    ]
}

/// The tracker and the model, and what the test itself must remember.
struct Both {
    tracker: ReceiptTracker,
    model: Model,
    now: Instant,
    last: u64,
    /// How many late responses there were: each is of another segment.
    late: u8,
    /// The message that is open, and how many segments it has so far.
    open: Option<(u64, u8)>,
    /// The receipts and their segments.
    reported: Vec<(ReportedReceipt, u8)>,
}

impl Both {
    fn track(&mut self, tracked: &TrackedMessage, segment: u8, id: usize) {
        self.tracker.track(self.now, tracked, segment, SegmentId::Id(IDS[id]));
        self.model.track(self.now, tracked, segment, IDS[id]);
    }

    fn complete(&mut self, number: u64) {
        self.tracker.complete(self.now, MessageNumber(number));
        self.model.complete(self.now, number);
    }

    fn run(&mut self, operation: &Operation) {
        match operation {
            Operation::Track { id } => {
                let (number, segment) = self.open.unwrap_or((self.last + 1, 0));
                self.last = self.last.max(number);
                self.track(&message(number, 3), segment, *id);
                self.open = (segment < 2).then_some((number, segment + 1));
                if self.open.is_none() {
                    self.complete(number);
                }
            }
            Operation::Complete => {
                if let Some((number, _)) = self.open.take() {
                    self.complete(number);
                }
            }
            Operation::Expect { ids, has_key, is_due, wait } => {
                self.open = None;
                self.last += 1;
                let key = has_key.then(|| MessageKey::new((*b"row").into()));
                let wait = wait.map(|seconds| SECOND * seconds);
                let tracked = TrackedMessage { is_due: *is_due, key, ..message(self.last, ids.len() as u8) };
                let segments = (0..).zip(ids.iter().map(|id| SegmentId::Id(IDS[*id])));
                self.tracker.expect(self.now, &tracked, segments, wait);
                for (segment, id) in (0..).zip(ids) {
                    self.model.track(self.now, &tracked, segment, IDS[*id]);
                }
                self.model.complete(self.now, self.last);
                self.model.expect_until(self.now, self.last, wait);
            }
            // A late response is one of an earlier message, and the only segment of a message is accepted once.
            Operation::Late { message: number, .. }
                if *number > self.last
                    || self.model.messages.get(number).is_some_and(|message| message.total == 1) => {}
            Operation::Late { message: number, id } => {
                self.late += 1;
                self.track(&message(*number, 3), 10 + self.late, *id);
                self.complete(*number);
            }
            Operation::Receive { id, state } => {
                let (state, is_final) = STATES[*state];
                let key = self.tracker.submitted_key(IDS[*id]);
                let result = self.tracker.match_receipt(self.now, &key, (S(state), is_final));
                let expected = self.model.receive(self.now, IDS[*id], (state, is_final));
                let Match::New(matched, node) = result else { return assert_eq!(result, expected) };
                assert_eq!(Match::New(matched.clone(), 0), expected);
                let ReceiptMatch { message, segment, previous, .. } = matched;
                let reported = ReportedReceipt { message, state: S(state), is_final, previous, node };
                self.reported.push((reported, segment));
            }
            Operation::Acknowledge { which, is_accepted } if !self.reported.is_empty() => {
                let (reported, segment) = self.reported.swap_remove(*which % self.reported.len());
                self.tracker.acknowledge(self.now, &reported, *is_accepted);
                self.model.acknowledge(self.now, &reported, segment, *is_accepted);
            }
            Operation::Acknowledge { .. } => {}
            Operation::Expire { seconds } => {
                self.now = self.now + SECOND * *seconds as u32;
                assert_eq!(self.tracker.expire_all(self.now), self.model.expire(self.now));
            }
        }
        self.check();
    }

    fn check(&self) {
        let one = self.model.one();
        assert_eq!(self.tracker.len(), self.model.len());
        assert_eq!(self.tracker.poll_timeout(), self.model.poll_timeout());
        let awaited: usize = self
            .model
            .messages
            .values()
            .filter(|message| message.is_due)
            .map(|message| message.open(one))
            .sum();
        assert_eq!(self.tracker.awaited(), awaited);
        for (number, message) in &self.model.messages {
            assert_eq!(self.tracker.key(MessageNumber(*number)), message.key.as_ref());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2 * ProptestConfig::default().cases))]

    #[test]
    fn the_tracker_does_what_the_model_does(
        operations in prop::collection::vec(operation(), 1..120),
        (one, ignore_case) in any::<(bool, bool)>(),
        capacity in prop::sample::select(&[0_usize, 3, 20, 1000][..]),
        seed: u64,
    ) {
        let scope = if one { ReceiptScope::Message } else { ReceiptScope::Segment };
        let mut options = ReceiptOptions {
            capacity,
            max_age: 100 * SECOND,
            remember_completed: 30 * SECOND,
            ..options(scope)
        };
        options.dialect.message_ids = MessageIdPolicy { ignore_case, ..MessageIdPolicy::EXACT };
        let model = Model { options, messages: BTreeMap::new(), ids: BTreeMap::new(), order: 0, deadlines: BTreeSet::new() };
        let tracker = ReceiptTracker::new(options, seed);
        let mut both = Both { tracker, model, now: NOW, last: 0, late: 0, open: None, reported: Vec::new() };
        for operation in &operations {
            both.run(operation);
        }
        let mut left: Vec<_> = both.model.messages.iter().map(|(number, message)| (message.is_done, message.order, *number)).collect();
        left.sort_unstable();
        let missing = left.into_iter().map(|(.., number)| both.model.remove(number));
        let missing: Vec<_> = missing.filter(|message| !message.ids.is_empty()).collect();
        let removed: Vec<_> = core::iter::from_fn(|| both.tracker.remove_oldest()).collect();
        let removed = removed.into_iter().filter(|message| !message.ids.is_empty()).collect::<Vec<_>>();
        prop_assert_eq!(removed, missing);
        while both.tracker.len() > 0 {
            prop_assert_eq!(both.tracker.remove_oldest(), None);
        }
        prop_assert_eq!((both.tracker.len(), both.tracker.awaited(), both.tracker.poll_timeout()), (0, 0, None));
    }

    /// Many nodes, so that the tables grow and shrink.
    #[test]
    fn every_segment_is_found_while_the_tables_grow_and_shrink(
        steps in prop::collection::vec((0..200_u64, 0..200_u64), 1..6),
        seed: u64,
    ) {
        let mut tracker = ReceiptTracker::new(ReceiptOptions { capacity: 100_000, ..options(ReceiptScope::Segment) }, seed);
        let (mut first, mut next) = (0, 0);
        for (added, removed) in steps {
            for number in next..next + added {
                tracker.add(NOW, &message(number, 1), &[&alloc::format!("id-{number}")]);
            }
            next += added;
            for number in first..next {
                let result = tracker.receive(NOW, &alloc::format!("id-{number}"), S::ENROUTE);
                prop_assert!(matches!(result, Match::New(..) | Match::Unacknowledged), "{} {:?}", number, result);
            }
            for number in first..next.min(first + removed) {
                tracker.receive(NOW, &alloc::format!("id-{number}"), S::DELIVERED);
                prop_assert_eq!(tracker.expire(NOW + 120 * SECOND), Some(Removed::Done));
            }
            first = next.min(first + removed);
            prop_assert_eq!(tracker.len() as u64, next - first);
        }
    }
}
