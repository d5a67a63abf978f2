//! Messages on their way out: which part goes next, and what became of each.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::message::{
    self, Message, MessageNumber, MessageOutcome, Priority, SegmentNotSentReason, SegmentOutcome,
    UnansweredPolicy,
};
use crate::frame::Frame;
use crate::pdu::SubmitSm;
use crate::time::Instant;

/// A part of a message: its place in it, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PartRef {
    pub(super) message: MessageNumber,
    pub(super) index: u8,
}

/// What is ready to go, the next one first: a part that comes back takes its old place.
type Ready = (Reverse<Priority>, PartRef);

/// At most `capacity` parts that have no fate yet.
#[derive(Debug)]
pub(super) struct Queue {
    capacity: usize,
    last: u64,
    messages: BTreeMap<MessageNumber, Entry>,
    ready: BTreeSet<Ready>,
    /// Messages that go in order, by destination: the first of each is on its way, the others wait.
    lanes: BTreeMap<Box<[u8]>, BTreeSet<MessageNumber>>,
    deadlines: BTreeSet<(Instant, MessageNumber)>,
    /// Parts without a fate, and how many of them are in flight.
    open: usize,
    flying: BTreeSet<u64>,
    last_sent: u64,
}

#[derive(Debug)]
struct Entry {
    parts: Vec<Part>,
    priority: Priority,
    unanswered: UnansweredPolicy,
    deadline: Option<Instant>,
    lane: Option<Box<[u8]>>,
    /// Why nothing of it is sent any more that is not in flight.
    given_up: Option<SegmentNotSentReason>,
    /// Parts without a fate.
    open: usize,
}

#[derive(Debug)]
struct Part {
    frame: Frame<Vec<u8>>,
    /// Which of all that were sent it is, while it is in flight.
    flying: Option<u64>,
    fate: Option<SegmentOutcome>,
    /// The gravest that a try has come to which was not the last.
    earlier: Option<SegmentOutcome>,
    /// How often it was throttled, and how often left unanswered.
    throttled: u16,
    unanswered: u16,
}

/// What is to become of a part that has come back.
pub(super) enum Back {
    /// It was never sent: it goes again.
    Again,
    /// It was throttled, and may be so many times.
    Throttled(u16, SegmentOutcome),
    /// It was not answered: it goes again if the message's policy says so.
    Unanswered(SegmentOutcome),
    /// That is its fate.
    Settled(SegmentOutcome),
}

impl Queue {
    pub(super) const fn new(capacity: usize) -> Self {
        Self {
            capacity,
            last: 0,
            messages: BTreeMap::new(),
            ready: BTreeSet::new(),
            lanes: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            open: 0,
            flying: BTreeSet::new(),
            last_sent: 0,
        }
    }

    /// Parts that there is room for.
    pub(super) const fn room(&self) -> usize {
        self.capacity.saturating_sub(self.open)
    }

    pub(super) const fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) const fn open(&self) -> usize {
        self.open
    }

    /// How many parts have ever been sent: the number of the last one.
    pub(super) const fn last_sent(&self) -> u64 {
        self.last_sent
    }

    /// Whether one of the parts that had been sent by then is in flight still.
    pub(super) fn is_flying(&self, last_sent: u64) -> bool {
        self.flying.first().is_some_and(|oldest| *oldest <= last_sent)
    }

    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes a message; there is room for its parts.
    pub(super) fn push(
        &mut self,
        now: Instant,
        message: &Message,
        frames: Vec<Frame<Vec<u8>>>,
        unanswered: UnansweredPolicy,
    ) -> MessageNumber {
        self.last += 1;
        let number = MessageNumber(self.last);
        let lane = message.in_order.then(|| lane(&message.template()));
        let parts = frames.into_iter().map(Part::new).collect::<Vec<_>>();
        let entry = Entry {
            open: parts.len(),
            parts,
            priority: message.priority,
            unanswered: message.unanswered.unwrap_or(unanswered),
            deadline: message.deadline.map(|within| now + within),
            lane,
            given_up: None,
        };
        self.open += entry.open;
        self.deadlines.extend(entry.deadline.map(|at| (at, number)));
        let first = match &entry.lane {
            Some(lane) => {
                let waiting = self.lanes.entry(lane.clone()).or_default();
                waiting.insert(number);
                waiting.len() == 1
            }
            None => true,
        };
        self.messages.insert(number, entry);
        if first {
            self.release(number);
        }
        number
    }

    /// The part that goes next, and its PDU.
    pub(super) fn next(&self) -> Option<(PartRef, SubmitSm<'_>)> {
        let (_, part) = *self.ready.first()?;
        Some((part, message::submit_sm(&self.part(part)?.frame)))
    }

    /// The part has been sent.
    pub(super) fn sent(&mut self, part: PartRef) {
        let Some(entry) = self.messages.get_mut(&part.message) else { return };
        self.ready.remove(&(Reverse(entry.priority), part));
        if let Some(part) = entry.parts.get_mut(usize::from(part.index)) {
            self.last_sent += 1;
            self.flying.insert(self.last_sent);
            part.flying = Some(self.last_sent);
        }
    }

    /// The PDU of a part, and how many parts its message has.
    pub(super) fn pdu(&self, part: PartRef) -> Option<(SubmitSm<'_>, u8)> {
        let parts = self.messages.get(&part.message)?.parts.len();
        // A message has 255 parts at most.
        Some((message::submit_sm(&self.part(part)?.frame), parts as u8))
    }

    fn part(&self, part: PartRef) -> Option<&Part> {
        self.messages.get(&part.message)?.parts.get(usize::from(part.index))
    }

    /// A part has come back, in flight before or not. The outcome of its message, if that was its last.
    pub(super) fn back(&mut self, part: PartRef, back: Back) -> Option<MessageOutcome> {
        let entry = self.messages.get_mut(&part.message)?;
        let held = entry.parts.get_mut(usize::from(part.index))?;
        if held.fate.is_some() {
            return None;
        }
        if let Some(sent) = held.flying.take() {
            self.flying.remove(&sent);
        }
        let (fate, again) = match back {
            Back::Again => (None, true),
            Back::Throttled(times, fate) => {
                held.throttled = held.throttled.saturating_add(1);
                (Some(fate), held.throttled <= times)
            }
            Back::Unanswered(fate) => {
                held.unanswered = held.unanswered.saturating_add(1);
                let again =
                    matches!(entry.unanswered, UnansweredPolicy::Resend(times) if held.unanswered <= times);
                (Some(fate), again)
            }
            Back::Settled(fate) => (Some(fate), false),
        };
        let is_accepted = matches!(fate, Some(SegmentOutcome::Accepted(_)));
        match (entry.given_up, fate) {
            (None, fate) if again => {
                held.earlier = fate.map(|fate| held.ended(fate)).or(held.earlier.take());
                self.ready.insert((Reverse(entry.priority), part));
                return None;
            }
            (Some(why), None) => held.fate = Some(held.ended(SegmentOutcome::NeverSent(why))),
            (_, fate) => held.fate = fate.map(|fate| held.ended(fate)),
        }
        self.ready.remove(&(Reverse(entry.priority), part));
        entry.open -= 1;
        self.open -= 1;
        if is_accepted {
            self.finish(part.message)
        } else {
            self.give_up(part.message, SegmentNotSentReason::Abandoned)
        }
    }

    /// Parts of the message that are not in flight are not sent any more, and those that are not again. The message
    /// stays as long as one part has no fate; otherwise its outcome is told.
    pub(super) fn give_up(
        &mut self,
        number: MessageNumber,
        why: SegmentNotSentReason,
    ) -> Option<MessageOutcome> {
        let entry = self.messages.get_mut(&number)?;
        entry.given_up.get_or_insert(why);
        for (part, index) in entry.parts.iter_mut().zip(0..) {
            if part.fate.is_none() && part.flying.is_none() {
                part.fate = Some(part.ended(SegmentOutcome::NeverSent(why)));
                self.ready.remove(&(Reverse(entry.priority), PartRef { message: number, index }));
                entry.open -= 1;
                self.open -= 1;
            }
        }
        self.finish(number)
    }

    /// Takes the message out if all its parts have a fate.
    fn finish(&mut self, number: MessageNumber) -> Option<MessageOutcome> {
        if self.messages.get(&number)?.open > 0 {
            return None;
        }
        let entry = self.messages.remove(&number)?;
        if let Some(at) = entry.deadline {
            self.deadlines.remove(&(at, number));
        }
        if let Some(lane) = &entry.lane {
            self.leave(lane, number);
        }
        Some(MessageOutcome { segments: entry.parts.into_iter().filter_map(|part| part.fate).collect() })
    }

    fn leave(&mut self, lane: &[u8], number: MessageNumber) {
        let Some(waiting) = self.lanes.get_mut(lane) else { return };
        let was_first = waiting.first() == Some(&number);
        waiting.remove(&number);
        match waiting.first().copied() {
            Some(next) if was_first => self.release(next),
            Some(_) => {}
            None => drop(self.lanes.remove(lane)),
        }
    }

    /// The message's turn in its lane has come.
    fn release(&mut self, number: MessageNumber) {
        let Some(entry) = self.messages.get(&number) else { return };
        let priority = Reverse(entry.priority);
        let parts = entry.parts.iter().zip(0..).map(|(_, index)| PartRef { message: number, index });
        self.ready.extend(parts.map(|part| (priority, part)));
    }

    /// A message whose deadline has passed with parts of it not sent: they will not be. Call again until it gives
    /// none. The outcome, unless parts are in flight.
    pub(super) fn expire(&mut self, now: Instant) -> Option<(MessageNumber, Option<MessageOutcome>)> {
        let (at, number) = *self.deadlines.first()?;
        if at > now {
            return None;
        }
        self.deadlines.remove(&(at, number));
        if let Some(entry) = self.messages.get_mut(&number) {
            entry.deadline = None;
        }
        Some((number, self.give_up(number, SegmentNotSentReason::Expired)))
    }

    /// When the next deadline passes.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Messages without an outcome, the oldest first.
    pub(super) fn messages(&self) -> impl Iterator<Item = MessageNumber> {
        self.messages.keys().copied()
    }
}

impl Part {
    const fn new(frame: Frame<Vec<u8>>) -> Self {
        Self { frame, flying: None, fate: None, earlier: None, throttled: 0, unanswered: 0 }
    }

    /// How it ends if its last try came to `fate`: what an earlier one has left in doubt stays so, unless it is
    /// accepted.
    fn ended(&self, fate: SegmentOutcome) -> SegmentOutcome {
        match &self.earlier {
            Some(earlier) if !fate.is_accepted() && earlier.gravity() > fate.gravity() => earlier.clone(),
            _ => fate,
        }
    }
}

/// What a destination is known by.
fn lane(message: &SubmitSm<'_>) -> Box<[u8]> {
    let to = message.destination;
    [&[to.ton.0, to.npi.0], to.digits.as_bytes()].concat().into()
}
