//! The send queue: which segment is sent next, and the outcome of each.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::link::{BindId, LinkId};
use super::message::{Message, Priority};
use super::message_key::MessageKey;
use super::options::UnansweredPolicy;
use super::outbound_pdu::OutboundPdu;
use super::outcome::{MessageNumber, MessageOutcome, SegmentNotSentReason, SegmentOutcome};
use super::ready_messages::{ReadyKey, ReadyMessages, Route, Sending};
use super::receipt::ReceiptDestination;
use crate::frame::Frame;
use crate::time::Instant;

/// Identifies a segment of a queued message, by its index from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SegmentRef {
    pub(super) message: MessageNumber,
    pub(super) index: u8,
}

/// Messages without an outcome: at most `capacity` segments.
#[derive(Debug)]
pub(super) struct Queue {
    capacity: usize,
    /// Whether the segments of one message may go on several binds.
    pub(super) spread_segments: bool,
    last_number: u64,
    messages: BTreeMap<MessageNumber, QueuedMessage>,
    /// The messages in [`Position::Ready`]. One that is requeued takes its old position.
    ready: ReadyMessages,
    /// The messages in [`Position::Delayed`].
    delayed: BTreeSet<(Instant, MessageNumber)>,
    /// The messages that name a bind.
    named: BTreeSet<(BindId, MessageNumber)>,
    /// In-order messages by destination: the first of each is ready or in flight, the others wait.
    lanes: BTreeMap<Box<[u8]>, BTreeSet<MessageNumber>>,
    deadlines: BTreeSet<(Instant, MessageNumber)>,
    /// How many segments have no outcome.
    open: usize,
    /// The send numbers of the segments in flight.
    in_flight: BTreeSet<u64>,
    last_sent: u64,
}

#[derive(Debug)]
struct QueuedMessage {
    key: Option<MessageKey>,
    receipt_destination: ReceiptDestination,
    segments: Vec<QueuedSegment>,
    priority: Priority,
    unanswered_policy: UnansweredPolicy,
    deadline: Option<Instant>,
    lane: Option<Box<[u8]>>,
    route: Route,
    position: Position,
    /// Until then no segment of it is sent, because the SMSC has refused one.
    delayed_until: Option<Instant>,
    /// No segment before this one waits to be sent.
    next: u8,
    /// Why no segment of it is sent any more. Those in flight still get their responses.
    abandoned: Option<SegmentNotSentReason>,
    /// How many segments have no outcome.
    open: usize,
}

/// Where a message waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    /// In its lane, for an earlier message.
    Lane,
    /// For a bind that can send it.
    Ready,
    /// For this time.
    Delayed(Instant),
    /// Nowhere: all its segments are in flight or have an outcome.
    Sent,
}

#[derive(Debug)]
struct QueuedSegment {
    frame: Frame<Vec<u8>>,
    /// The send number, while the segment is in flight.
    in_flight: Option<u64>,
    outcome: Option<SegmentOutcome>,
    /// The most severe outcome of the attempts before the current one.
    earlier: Option<SegmentOutcome>,
    /// How many attempts the SMSC refused.
    refused: u16,
    /// How many attempts got no response.
    unanswered: u16,
}

/// A message of which every segment has an outcome.
pub(super) struct EndedMessage {
    pub(super) key: Option<MessageKey>,
    pub(super) outcome: MessageOutcome,
}

/// How an attempt to send a segment ended.
pub(super) enum AttemptResult {
    /// The segment was never sent: it is requeued.
    NotSent,
    /// The SMSC refused it with a status that allows to send it again up to this many times.
    Refused { times: u16, resend: Resend, outcome: SegmentOutcome },
    /// The SMSC did not respond: it is requeued if the message's policy says so.
    Unanswered(SegmentOutcome),
    /// The segment ended with this outcome.
    Done(SegmentOutcome),
}

/// When and where a segment is sent again.
#[derive(Clone, Copy, Debug)]
pub(super) enum Resend {
    /// As soon as a bind can send it.
    Queued,
    /// Not before this time.
    After(Instant),
    /// On the bind of this slot.
    On(LinkId),
}

/// What a late response has changed.
pub(super) enum LateResult {
    /// The message has no outcome yet. Its outcome, if this was the last open segment.
    Recorded(Option<EndedMessage>),
    /// It changes nothing: another attempt has ended the segment.
    Ignored,
    /// The message has an outcome already.
    Ended,
}

impl Queue {
    pub(super) const fn new(capacity: usize, spread_segments: bool) -> Self {
        Self {
            capacity,
            spread_segments,
            last_number: 0,
            messages: BTreeMap::new(),
            ready: ReadyMessages::new(),
            delayed: BTreeSet::new(),
            named: BTreeSet::new(),
            lanes: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            open: 0,
            in_flight: BTreeSet::new(),
            last_sent: 0,
        }
    }

    /// Returns how many more segments the queue can hold.
    pub(super) const fn available_capacity(&self) -> usize {
        self.capacity.saturating_sub(self.open)
    }

    pub(super) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Returns how many segments have no outcome.
    pub(super) const fn open(&self) -> usize {
        self.open
    }

    /// Returns how many segments wait to be sent.
    pub(super) fn unsent(&self) -> usize {
        self.open.saturating_sub(self.in_flight.len())
    }

    /// Returns how many times a segment was sent: the send number of the last one.
    pub(super) const fn last_sent(&self) -> u64 {
        self.last_sent
    }

    /// Returns whether a segment with this send number or an earlier one is still in flight.
    pub(super) fn is_in_flight(&self, last_sent: u64) -> bool {
        self.in_flight.first().is_some_and(|oldest| *oldest <= last_sent)
    }

    /// Returns a number that no message has had.
    pub(super) fn next_number(&mut self) -> MessageNumber {
        self.last_number += 1;
        MessageNumber(self.last_number)
    }

    /// Returns the messages that are ready to be sent.
    pub(super) const fn ready(&self) -> &ReadyMessages {
        &self.ready
    }

    /// Adds a message. The caller has checked that the queue has capacity for its segments.
    pub(super) fn push(
        &mut self,
        now: Instant,
        message: &Message,
        frames: Vec<Frame<Vec<u8>>>,
        default_policy: UnansweredPolicy,
    ) -> MessageNumber {
        let number = self.next_number();
        let lane = message.in_order.then(|| message.recipients_key());
        let segments = frames.into_iter().map(QueuedSegment::new).collect::<Vec<_>>();
        let queued = QueuedMessage {
            key: message.key.clone(),
            receipt_destination: message.receipt_destination,
            open: segments.len(),
            segments,
            priority: message.priority,
            unanswered_policy: message.unanswered_policy.unwrap_or(default_policy),
            deadline: message.deadline.map(|deadline| now + deadline),
            lane,
            route: message.bind.map_or(Route::Any, Route::Named),
            position: Position::Lane,
            delayed_until: None,
            next: 0,
            abandoned: None,
        };
        self.open += queued.open;
        self.deadlines.extend(queued.deadline.map(|at| (at, number)));
        self.named.extend(message.bind.map(|bind| (bind, number)));
        let is_first = match &queued.lane {
            Some(lane) => {
                let waiting = self.lanes.entry(lane.clone()).or_default();
                waiting.insert(number);
                waiting.len() == 1
            }
            None => true,
        };
        self.messages.insert(number, queued);
        if is_first {
            self.release(number);
        }
        number
    }

    /// Returns the segment to send next, and the bind that sends it, given what each bind can do.
    pub(super) fn next(
        &self,
        links: impl Iterator<Item = (LinkId, Sending)>,
    ) -> Option<(SegmentRef, LinkId)> {
        let (message, link) = self.ready.first(links)?;
        Some((SegmentRef { message, index: self.messages.get(&message)?.next }, link))
    }

    /// Records that the bind of this slot has sent the segment. The others of the message follow on it.
    pub(super) fn mark_sent(&mut self, segment: SegmentRef, link: LinkId) {
        let Some(message) = self.messages.get_mut(&segment.message) else { return };
        if let Some(segment) = message.segments.get_mut(usize::from(segment.index)) {
            self.last_sent += 1;
            self.in_flight.insert(self.last_sent);
            segment.in_flight = Some(self.last_sent);
        }
        let follows = !self.spread_segments && message.segments.len() > 1;
        self.update(segment.message, follows.then_some(link));
    }

    /// Moves a message to where it waits now. `link` is the slot of the bind that is to send its next segments.
    fn update(&mut self, number: MessageNumber, link: Option<LinkId>) {
        let Some(message) = self.messages.get_mut(&number) else { return };
        let (before, route) = (message.position, message.route);
        if let Some(link) = link
            && !matches!(route, Route::Named(_))
        {
            message.route = Route::Following(link);
        }
        let after = match (message.find_next(), before) {
            (_, Position::Lane) => Position::Lane,
            (false, _) => Position::Sent,
            (true, _) => message.delayed_until.map_or(Position::Ready, Position::Delayed),
        };
        message.position = after;
        let (key, next_route): (ReadyKey, _) = ((Reverse(message.priority), number), message.route);
        if (before, route) == (after, next_route) {
            return;
        }
        match before {
            Position::Ready => self.ready.remove(route, key),
            Position::Delayed(at) => drop(self.delayed.remove(&(at, number))),
            Position::Lane | Position::Sent => {}
        }
        match after {
            Position::Ready => self.ready.insert(next_route, key),
            Position::Delayed(at) => drop(self.delayed.insert((at, number))),
            Position::Lane | Position::Sent => {}
        }
    }

    /// Lets a message be sent that has waited in its lane.
    fn release(&mut self, number: MessageNumber) {
        if let Some(message) = self.messages.get_mut(&number) {
            message.position = Position::Sent;
            self.update(number, None);
        }
    }

    /// Makes the messages ready whose delay is over.
    pub(super) fn release_delayed(&mut self, now: Instant) {
        while let Some(&(at, number)) = self.delayed.first()
            && at <= now
        {
            match self.messages.get_mut(&number) {
                Some(message) => {
                    message.delayed_until = None;
                    self.update(number, None);
                }
                // Unreachable: a message is removed from all tables at once.
                None => drop(self.delayed.pop_first()),
            }
        }
    }

    /// Returns the next message that names this bind, and forgets that it does: the bind has ended. Call it until it
    /// returns `None`, and [abandon](Self::abandon) each.
    pub(super) fn pop_named(&mut self, bind: BindId) -> Option<MessageNumber> {
        let first = (bind, MessageNumber(0));
        let found = self.named.range(first..).next().copied().filter(|(named, _)| *named == bind)?;
        self.named.remove(&found);
        Some(found.1)
    }

    /// Returns whether the message of a segment names its bind.
    pub(super) fn names_bind(&self, segment: SegmentRef) -> bool {
        self.messages.get(&segment.message).is_some_and(|message| matches!(message.route, Route::Named(_)))
    }

    /// Returns the key of a segment's destination.
    pub(super) fn destination(&self, segment: SegmentRef) -> Option<Box<[u8]>> {
        Some(OutboundPdu::decode(&self.segment(segment)?.frame).recipients_key())
    }

    /// Returns the caller's key of a message, and where its receipts go.
    pub(super) fn key(&self, message: MessageNumber) -> (Option<MessageKey>, ReceiptDestination) {
        let message = self.messages.get(&message);
        message.map(|message| (message.key.clone(), message.receipt_destination)).unwrap_or_default()
    }

    /// Returns the PDU of a segment, and how many segments its message has.
    pub(super) fn pdu(&self, segment: SegmentRef) -> Option<(OutboundPdu<'_>, u8)> {
        let total = self.messages.get(&segment.message)?.segments.len();
        // A message has 255 segments at most.
        Some((OutboundPdu::decode(&self.segment(segment)?.frame), total as u8))
    }

    fn segment(&self, segment: SegmentRef) -> Option<&QueuedSegment> {
        self.messages.get(&segment.message)?.segments.get(usize::from(segment.index))
    }

    /// Records how an attempt ended, and requeues the segment if it may be resent. Returns the outcome of the message
    /// if this was its last open segment.
    pub(super) fn handle_result(
        &mut self,
        segment_ref: SegmentRef,
        result: AttemptResult,
    ) -> Option<EndedMessage> {
        let message = self.messages.get_mut(&segment_ref.message)?;
        let segment = message.segments.get_mut(usize::from(segment_ref.index))?;
        if segment.outcome.is_some() {
            return None;
        }
        if let Some(sent) = segment.in_flight.take() {
            self.in_flight.remove(&sent);
        }
        let (mut delayed_until, mut other_link) = (None, None);
        let (outcome, may_resend) = match result {
            AttemptResult::NotSent => (None, true),
            AttemptResult::Refused { times, resend, outcome } => {
                segment.refused = segment.refused.saturating_add(1);
                match resend {
                    Resend::Queued => {}
                    Resend::After(at) => delayed_until = Some(at),
                    Resend::On(link) => other_link = Some(link),
                }
                (Some(outcome), segment.refused <= times)
            }
            AttemptResult::Unanswered(outcome) => {
                segment.unanswered = segment.unanswered.saturating_add(1);
                let may_resend = matches!(message.unanswered_policy, UnansweredPolicy::Resend(times) if segment.unanswered <= times);
                (Some(outcome), may_resend)
            }
            AttemptResult::Done(outcome) => (Some(outcome), false),
        };
        let is_accepted = matches!(outcome, Some(SegmentOutcome::Accepted { .. }));
        match (message.abandoned, outcome) {
            (None, outcome) if may_resend => {
                segment.earlier =
                    outcome.map(|outcome| segment.most_severe(outcome)).or(segment.earlier.take());
                message.next = message.next.min(segment_ref.index);
                message.delayed_until = message.delayed_until.max(delayed_until);
                self.update(segment_ref.message, other_link);
                return None;
            }
            (Some(reason), None) => {
                segment.outcome = Some(segment.most_severe(SegmentOutcome::NeverSent(reason)));
            }
            (_, outcome) => segment.outcome = outcome.map(|outcome| segment.most_severe(outcome)),
        }
        message.open -= 1;
        self.open -= 1;
        if is_accepted {
            self.finish(segment_ref.message)
        } else {
            self.abandon(segment_ref.message, SegmentNotSentReason::Abandoned)
        }
    }

    /// Returns whether the segment has no outcome yet.
    pub(super) fn is_open(&self, segment: SegmentRef) -> bool {
        self.segment(segment).is_some_and(|segment| segment.outcome.is_none())
    }

    /// Records a response to an earlier attempt that had timed out. If the segment was accepted, it is not resent, and the
    /// response to an attempt in flight does not matter. If it was refused, only the attempts after it can be in doubt.
    pub(super) fn handle_late_outcome(
        &mut self,
        segment_ref: SegmentRef,
        outcome: SegmentOutcome,
    ) -> LateResult {
        let Some(message) = self.messages.get_mut(&segment_ref.message) else { return LateResult::Ended };
        let Some(segment) = message.segments.get_mut(usize::from(segment_ref.index)) else {
            return LateResult::Ended;
        };
        match &segment.outcome {
            // Other segments of the message are still in flight.
            Some(SegmentOutcome::Unanswered(_)) if outcome.is_accepted() || segment.unanswered == 1 => {
                segment.outcome = Some(outcome);
                return LateResult::Recorded(None);
            }
            Some(_) => return LateResult::Ignored,
            None => {}
        }
        if !outcome.is_accepted() {
            if segment.unanswered == 1 {
                segment.earlier = Some(outcome);
            }
            return LateResult::Recorded(None);
        }
        segment.outcome = Some(outcome);
        if let Some(sent) = segment.in_flight.take() {
            self.in_flight.remove(&sent);
        }
        message.open -= 1;
        self.open -= 1;
        self.update(segment_ref.message, None);
        LateResult::Recorded(self.finish(segment_ref.message))
    }

    /// Stops sending a message: ends the segments that are not in flight, and resends none. Returns the outcome of the
    /// message unless a segment is still in flight.
    pub(super) fn abandon(
        &mut self,
        number: MessageNumber,
        reason: SegmentNotSentReason,
    ) -> Option<EndedMessage> {
        let message = self.messages.get_mut(&number)?;
        message.abandoned.get_or_insert(reason);
        for segment in &mut message.segments {
            if segment.outcome.is_none() && segment.in_flight.is_none() {
                segment.outcome = Some(segment.most_severe(SegmentOutcome::NeverSent(reason)));
                message.open -= 1;
                self.open -= 1;
            }
        }
        self.update(number, None);
        self.finish(number)
    }

    /// Removes the message if all its segments have an outcome.
    fn finish(&mut self, number: MessageNumber) -> Option<EndedMessage> {
        if self.messages.get(&number)?.open > 0 {
            return None;
        }
        let message = self.messages.remove(&number)?;
        if let Some(at) = message.deadline {
            self.deadlines.remove(&(at, number));
        }
        if let Route::Named(bind) = message.route {
            self.named.remove(&(bind, number));
        }
        if let Some(lane) = &message.lane {
            self.leave_lane(lane, number);
        }
        let segments = message.segments.into_iter().filter_map(|segment| segment.outcome).collect();
        Some(EndedMessage { key: message.key, outcome: MessageOutcome { segments } })
    }

    /// Removes a message from its lane, and makes the next one ready.
    fn leave_lane(&mut self, lane: &[u8], number: MessageNumber) {
        let Some(waiting) = self.lanes.get_mut(lane) else { return };
        let was_first = waiting.first() == Some(&number);
        waiting.remove(&number);
        match waiting.first().copied() {
            Some(next) if was_first => self.release(next),
            Some(_) => {}
            None => drop(self.lanes.remove(lane)),
        }
    }

    /// Abandons the next message whose deadline has passed, and returns its outcome unless a segment is in flight. Call
    /// it until it returns `None`.
    pub(super) fn expire(&mut self, now: Instant) -> Option<(MessageNumber, Option<EndedMessage>)> {
        let (at, number) = *self.deadlines.first()?;
        if at > now {
            return None;
        }
        self.deadlines.remove(&(at, number));
        if let Some(message) = self.messages.get_mut(&number) {
            message.deadline = None;
        }
        Some((number, self.abandon(number, SegmentNotSentReason::Expired)))
    }

    /// Returns when the next deadline or delay passes.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let first = |times: &BTreeSet<(Instant, MessageNumber)>| times.first().map(|(at, _)| *at);
        first(&self.deadlines).into_iter().chain(first(&self.delayed)).min()
    }

    /// Returns the messages without an outcome, the oldest first.
    pub(super) fn messages(&self) -> impl Iterator<Item = MessageNumber> {
        self.messages.keys().copied()
    }
}

impl QueuedMessage {
    /// Moves `next` to the first segment that waits to be sent. Returns whether there is one.
    fn find_next(&mut self) -> bool {
        while let Some(segment) = self.segments.get(usize::from(self.next)) {
            if segment.outcome.is_none() && segment.in_flight.is_none() {
                return true;
            }
            // A message has 255 segments at most.
            self.next += 1;
        }
        false
    }
}

impl QueuedSegment {
    const fn new(frame: Frame<Vec<u8>>) -> Self {
        Self { frame, in_flight: None, outcome: None, earlier: None, refused: 0, unanswered: 0 }
    }

    /// Returns the more severe of this attempt's outcome and the earlier ones. An accepted attempt always wins.
    fn most_severe(&self, outcome: SegmentOutcome) -> SegmentOutcome {
        match &self.earlier {
            Some(earlier) if !outcome.is_accepted() && earlier.severity() > outcome.severity() => {
                earlier.clone()
            }
            _ => outcome,
        }
    }
}
