//! Messages on their way out: which part goes next, and what became of each.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::message::{self, Fate, Message, MessageNumber, Outcome, Priority, Unanswered, Unsent};
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
    lanes: BTreeMap<Box<[u8]>, VecDeque<MessageNumber>>,
    deadlines: BTreeSet<(Instant, MessageNumber)>,
    /// Parts without a fate, and how many of them are in flight.
    open: usize,
    flying: usize,
}

#[derive(Debug)]
struct Entry {
    parts: Vec<Part>,
    priority: Priority,
    unanswered: Unanswered,
    deadline: Option<Instant>,
    lane: Option<Box<[u8]>>,
    /// Whether its lane has let it go.
    released: bool,
    /// Parts without a fate.
    open: usize,
}

#[derive(Debug)]
struct Part {
    frame: Frame<Vec<u8>>,
    flying: bool,
    fate: Option<Fate>,
    /// How often it was throttled, and how often left unanswered.
    throttled: u16,
    unanswered: u16,
}

/// What is to become of a part that has come back.
pub(super) enum Back {
    /// It was never sent: it goes again.
    Again,
    /// It was throttled, and may be so many times.
    Throttled(u16, Fate),
    /// It was not answered: it goes again if the message's policy says so.
    Unanswered(Fate),
    /// That is its fate.
    Settled(Fate),
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
            flying: 0,
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

    pub(super) const fn flying(&self) -> usize {
        self.flying
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
        unanswered: Unanswered,
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
            released: false,
        };
        self.open += entry.open;
        self.deadlines.extend(entry.deadline.map(|at| (at, number)));
        let first = match &entry.lane {
            Some(lane) => {
                let waiting = self.lanes.entry(lane.clone()).or_default();
                waiting.push_back(number);
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
            part.flying = true;
            self.flying += 1;
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
    pub(super) fn back(&mut self, part: PartRef, back: Back) -> Option<Outcome> {
        let entry = self.messages.get_mut(&part.message)?;
        let ready = (Reverse(entry.priority), part);
        let policy = entry.unanswered;
        let held = entry.parts.get_mut(usize::from(part.index))?;
        if held.fate.is_some() {
            return None;
        }
        self.flying -= usize::from(core::mem::take(&mut held.flying));
        let fate = match back {
            Back::Again => None,
            Back::Throttled(times, fate) => {
                held.throttled = held.throttled.saturating_add(1);
                (held.throttled > times).then_some(fate)
            }
            Back::Unanswered(fate) => {
                held.unanswered = held.unanswered.saturating_add(1);
                let again = matches!(policy, Unanswered::SendAgain(times) if held.unanswered <= times);
                (!again).then_some(fate)
            }
            Back::Settled(fate) => Some(fate),
        };
        let Some(fate) = fate else {
            if let Some(why) = entry.obituary() {
                return self.settle(part, Fate::NeverSent(why));
            }
            self.ready.insert(ready);
            return None;
        };
        let is_accepted = fate.is_accepted();
        let outcome = self.settle(part, fate);
        if outcome.is_some() || is_accepted { outcome } else { self.give_up(part.message, Unsent::Abandoned) }
    }

    /// Parts of the message that are not in flight are not sent any more. The message stays, as one part has no fate
    /// yet; or its outcome is told.
    pub(super) fn give_up(&mut self, number: MessageNumber, why: Unsent) -> Option<Outcome> {
        let entry = self.messages.get_mut(&number)?;
        for (index, part) in (0..).zip(&mut entry.parts) {
            if part.fate.is_none() && !part.flying {
                part.fate = Some(Fate::NeverSent(why));
                self.ready.remove(&(Reverse(entry.priority), PartRef { message: number, index }));
                entry.open -= 1;
                self.open -= 1;
            }
        }
        self.finish(number)
    }

    fn settle(&mut self, part: PartRef, fate: Fate) -> Option<Outcome> {
        let entry = self.messages.get_mut(&part.message)?;
        let held = entry.parts.get_mut(usize::from(part.index))?;
        if held.fate.is_none() {
            self.ready.remove(&(Reverse(entry.priority), part));
            entry.open -= 1;
            self.open -= 1;
        }
        held.fate = Some(fate);
        self.finish(part.message)
    }

    /// Takes the message out if all its parts have a fate.
    fn finish(&mut self, number: MessageNumber) -> Option<Outcome> {
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
        Some(Outcome { parts: entry.parts.into_iter().filter_map(|part| part.fate).collect() })
    }

    fn leave(&mut self, lane: &[u8], number: MessageNumber) {
        let Some(waiting) = self.lanes.get_mut(lane) else { return };
        waiting.retain(|other| *other != number);
        match waiting.front().copied() {
            Some(next) => self.release(next),
            None => drop(self.lanes.remove(lane)),
        }
    }

    /// The message's turn in its lane has come.
    fn release(&mut self, number: MessageNumber) {
        let Some(entry) = self.messages.get_mut(&number) else { return };
        if !core::mem::replace(&mut entry.released, true) {
            let parts = (0..).zip(&entry.parts).filter(|(_, part)| part.fate.is_none());
            let priority = Reverse(entry.priority);
            self.ready.extend(parts.map(|(index, _)| (priority, PartRef { message: number, index })));
        }
    }

    /// A message whose deadline has passed with parts of it not sent: they will not be. Call again until it gives
    /// none. The outcome, unless parts are in flight.
    pub(super) fn expire(&mut self, now: Instant) -> Option<(MessageNumber, Option<Outcome>)> {
        let (at, number) = *self.deadlines.first()?;
        if at > now {
            return None;
        }
        self.deadlines.remove(&(at, number));
        if let Some(entry) = self.messages.get_mut(&number) {
            entry.deadline = None;
        }
        Some((number, self.give_up(number, Unsent::Expired)))
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

impl Entry {
    /// Why a part that was not sent will not be, if others were given up before.
    fn obituary(&self) -> Option<Unsent> {
        self.parts.iter().find_map(|part| match &part.fate {
            Some(Fate::NeverSent(Unsent::Session(_))) => Some(Unsent::Abandoned),
            Some(Fate::NeverSent(why)) => Some(*why),
            Some(Fate::Accepted(_)) | None => None,
            Some(_) => Some(Unsent::Abandoned),
        })
    }
}

impl Part {
    const fn new(frame: Frame<Vec<u8>>) -> Self {
        Self { frame, flying: false, fate: None, throttled: 0, unanswered: 0 }
    }
}

/// What a destination is known by.
fn lane(message: &SubmitSm<'_>) -> Box<[u8]> {
    let to = message.destination;
    [&[to.ton.0, to.npi.0], to.digits.as_bytes()].concat().into()
}
