//! The send queue: which segment is sent next, and the outcome of each.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use core::cmp::Reverse;

use super::link::{BindId, LinkId};
use super::message_key::MessageKey;
use super::message_table::MessageTable;
use super::options::UnansweredPolicy;
use super::outbound_pdu::{OutboundPdu, PduTraits};
use super::outcome::{MessageNumber, MessageOutcome, SegmentNotSentReason, SegmentOutcome};
use super::queued_message::{Position, QueuedMessage, QueuedSegment, ReceiptRequest};
use super::ready_messages::{ReadyKey, ReadyMessages, Route, Sending};
use super::send_periods::SendPeriods;
use crate::provider::ReceiptScope;
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
    messages: MessageTable,
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
    in_flight: SendPeriods,
}

/// A message of which every segment has an outcome.
pub(super) struct EndedMessage {
    pub(super) key: Option<MessageKey>,
    pub(super) outcome: MessageOutcome,
    /// Whether an attempt got no response whose segment has ended otherwise: a late one changes nothing any more.
    pub(super) had_late: bool,
}

/// What is left of a message of one segment that the SMSC has accepted: its key, and what it says about its receipts.
pub(super) type EndedAttempt = (Option<MessageKey>, Option<ReceiptRequest>);

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
            messages: MessageTable::new(),
            ready: ReadyMessages::new(),
            delayed: BTreeSet::new(),
            named: BTreeSet::new(),
            lanes: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            open: 0,
            in_flight: SendPeriods::new(),
        }
    }

    /// Returns how many more segments the queue can hold.
    pub(super) const fn available_capacity(&self) -> usize {
        self.capacity.saturating_sub(self.open)
    }

    /// Changes the capacity. Messages that exceed it stay.
    pub(super) const fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
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
        self.open.saturating_sub(self.in_flight.total())
    }

    /// Returns the period of the segments in flight: see [`SendPeriods`].
    pub(super) fn last_sent(&self) -> u64 {
        self.in_flight.last()
    }

    /// Counts what is sent from now on as sent later than what is in flight.
    pub(super) fn separate_sent(&mut self) {
        self.in_flight.separate();
    }

    /// Returns whether a segment of this period or an earlier one is still in flight.
    pub(super) fn is_in_flight(&self, period: u64) -> bool {
        self.in_flight.is_in_flight(period)
    }

    /// Returns a message with an empty buffer for its PDUs. [`push`](Self::push) it, or [`discard`](Self::discard) it.
    pub(super) fn take_spare(&mut self) -> Box<QueuedMessage> {
        self.messages.take_spare()
    }

    /// Keeps the memory of a message that is not pushed.
    pub(super) fn discard(&mut self, message: Box<QueuedMessage>) {
        self.messages.recycle(message);
    }

    /// Frees the memory that is kept for later messages.
    pub(super) fn shrink(&mut self) {
        self.messages.shrink();
        self.ready.shrink();
        self.in_flight.shrink();
    }

    /// Returns the highest number that a message has.
    pub(super) const fn last_number(&self) -> MessageNumber {
        MessageNumber(self.last_number)
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

    /// Adds a message with this number, which is new. The caller has checked that the queue has capacity for its segments.
    pub(super) fn push(&mut self, number: MessageNumber, message: Box<QueuedMessage>) {
        self.open += message.open;
        if let Some(at) = message.deadline {
            self.deadlines.insert((at, number));
        }
        if let Route::Named(bind) = message.route {
            self.named.insert((bind, number));
        }
        let is_first = match &message.lane {
            Some(lane) => {
                let waiting = self.lanes.entry(lane.clone()).or_default();
                waiting.insert(number);
                waiting.len() == 1
            }
            None => true,
        };
        self.messages.insert(number, message);
        if is_first {
            self.release(number);
        }
    }

    /// Returns the bind that sends a new message of one segment at once; `None` if another message is to be sent before it, or no
    /// bind can send it.
    #[inline]
    pub(super) fn direct_link(&self, now: Instant, message: &QueuedMessage) -> Option<LinkId> {
        let is_first = self.ready.is_empty() && self.delayed.is_empty();
        let is_plain = message.open == 1
            && message.route == Route::Any
            && message.lane.is_none()
            && message.deadline.is_none_or(|at| at > now);
        if is_first && is_plain { self.ready.least_loaded() } else { None }
    }

    /// As [`push`](Self::push), for a message whose only segment a bind has sent already: see [`direct_link`](Self::direct_link).
    #[inline]
    pub(super) fn push_sent(&mut self, number: MessageNumber, mut message: Box<QueuedMessage>) {
        self.open += 1;
        if let Some(at) = message.deadline {
            self.deadlines.insert((at, number));
        }
        message.position = Position::Sent;
        message.next = 1;
        message.first.in_flight = Some(self.in_flight.begin());
        self.messages.insert(number, message);
    }

    /// Sets what the bind of a slot can do.
    #[inline(always)]
    pub(super) fn set_sending(&mut self, link: LinkId, sending: Sending) {
        self.ready.set_sending(link, sending);
    }

    /// Returns the segment to send next, and the bind that sends it.
    pub(super) fn next(&self) -> Option<(SegmentRef, LinkId)> {
        let (message, link) = self.ready.first()?;
        Some((SegmentRef { message, index: self.messages.get(message)?.next }, link))
    }

    /// Records that the bind of this slot has sent the segment. The others of the message follow on it.
    pub(super) fn mark_sent(&mut self, segment: SegmentRef, link: LinkId) {
        let Some(message) = self.messages.get_mut(segment.message) else { return };
        if let Some(segment) = message.segment_mut(segment.index) {
            segment.in_flight = Some(self.in_flight.begin());
        }
        let follows = !self.spread_segments && message.total() > 1;
        self.update(segment.message, follows.then_some(link));
    }

    /// Moves a message to where it waits now. `link` is the slot of the bind that is to send its next segments.
    fn update(&mut self, number: MessageNumber, link: Option<LinkId>) {
        let Some(message) = self.messages.get_mut(number) else { return };
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
        if let Some(message) = self.messages.get_mut(number) {
            message.position = Position::Sent;
            self.update(number, None);
        }
    }

    /// Makes the messages ready whose delay is over, at most this many.
    pub(super) fn release_delayed(&mut self, now: Instant, most: usize) {
        for _ in 0..most {
            let Some(&(at, number)) = self.delayed.first() else { return };
            if at > now {
                return;
            }
            match self.messages.get_mut(number) {
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
        self.messages.get(segment.message).is_some_and(|message| matches!(message.route, Route::Named(_)))
    }

    /// Returns the key of a segment's destination.
    pub(super) fn destination(&self, segment: SegmentRef) -> Option<Box<[u8]>> {
        let message = self.messages.get(segment.message)?;
        Some(OutboundPdu::decode(message.frames.get(segment.index.into())).recipients_key())
    }

    /// Returns the caller's key of a message.
    pub(super) fn key(&self, message: MessageNumber) -> Option<MessageKey> {
        self.messages.get(message)?.key.clone()
    }

    /// Returns the encoded PDU of a segment.
    pub(super) fn frame(&self, segment: SegmentRef) -> Option<(&[u8], PduTraits)> {
        let message = self.messages.get(segment.message)?;
        Some((message.frames.get(segment.index.into()), message.traits))
    }

    /// Returns what a segment without an outcome says about its receipts, and the caller's key of its message; `None` if it
    /// requests none.
    pub(super) fn receipt_request(
        &self,
        segment: SegmentRef,
        scope: ReceiptScope,
    ) -> Option<(ReceiptRequest, Option<MessageKey>)> {
        let message = self.messages.get(segment.message)?;
        // Otherwise a late response to an earlier attempt has ended it.
        let is_open = message.segment(segment.index)?.outcome.is_none();
        is_open.then(|| message.receipt_request(scope))?.map(|request| (request, message.key.clone()))
    }

    fn segment(&self, segment: SegmentRef) -> Option<&QueuedSegment> {
        self.messages.get(segment.message)?.segment(segment.index)
    }

    /// Records how an attempt ended, and requeues the segment if it may be resent. Returns the outcome of the message
    /// if this was its last open segment.
    pub(super) fn handle_result(
        &mut self,
        segment_ref: SegmentRef,
        result: AttemptResult,
    ) -> Option<EndedMessage> {
        let message = self.messages.get_mut(segment_ref.message)?;
        let (unanswered_policy, abandoned) = (message.unanswered_policy, message.abandoned);
        let segment = message.segment_mut(segment_ref.index)?;
        if segment.outcome.is_some() {
            return None;
        }
        if let Some(sent) = segment.in_flight.take() {
            self.in_flight.end(sent);
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
                let may_resend = matches!(unanswered_policy, UnansweredPolicy::Resend(times) if segment.unanswered <= times);
                (Some(outcome), may_resend)
            }
            AttemptResult::Done(outcome) => (Some(outcome), false),
        };
        let is_accepted = matches!(outcome, Some(SegmentOutcome::Accepted { .. }));
        match (abandoned, outcome) {
            (None, outcome) if may_resend => {
                segment.earlier =
                    outcome.map(|outcome| Box::new(segment.most_severe(outcome))).or(segment.earlier.take());
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

    /// Returns whether an attempt that ends now without a response is followed by another one.
    pub(super) fn will_resend(&self, segment: SegmentRef) -> bool {
        let Some(message) = self.messages.get(segment.message) else { return false };
        let unanswered = self.segment(segment).map_or(0, |segment| segment.unanswered);
        let may_resend =
            matches!(message.unanswered_policy, UnansweredPolicy::Resend(times) if unanswered < times);
        may_resend && message.abandoned.is_none()
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
        let Some(message) = self.messages.get_mut(segment_ref.message) else { return LateResult::Ended };
        let Some(segment) = message.segment_mut(segment_ref.index) else {
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
                segment.earlier = Some(Box::new(outcome));
            }
            return LateResult::Recorded(None);
        }
        segment.outcome = Some(outcome);
        if let Some(sent) = segment.in_flight.take() {
            self.in_flight.end(sent);
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
        let message = self.messages.get_mut(number)?;
        message.abandoned.get_or_insert(reason);
        let mut ended = 0;
        for segment in message.segments_mut() {
            if segment.outcome.is_none() && segment.in_flight.is_none() {
                segment.outcome = Some(segment.most_severe(SegmentOutcome::NeverSent(reason)));
                ended += 1;
            }
        }
        message.open -= ended;
        self.open -= ended;
        self.update(number, None);
        self.finish(number)
    }

    /// Ends a message of one segment that the SMSC has accepted, and returns its key and what it says about its receipts. Returns
    /// `None`, and changes nothing, if more has to be considered: see [`handle_result`](Self::handle_result).
    #[inline(always)]
    pub(super) fn end_only_attempt(
        &mut self,
        number: MessageNumber,
        scope: ReceiptScope,
    ) -> Option<EndedAttempt> {
        let mut message = self.messages.remove_if(number, QueuedMessage::is_only_attempt)?;
        if let Some(sent) = message.first.in_flight {
            self.in_flight.end(sent);
        }
        self.open -= 1;
        self.remove_entries(number, &mut message);
        let ended = (message.key.take(), message.receipt_request(scope));
        message.clear_only_attempt();
        self.messages.recycle_cleared(message);
        Some(ended)
    }

    /// Removes the message if all its segments have an outcome.
    fn finish(&mut self, number: MessageNumber) -> Option<EndedMessage> {
        let mut message = self.messages.remove_if(number, |message| message.open == 0)?;
        self.remove_entries(number, &mut message);
        let (segments, had_late) = message.take_outcomes();
        let key = message.key.take();
        self.messages.recycle(message);
        Some(EndedMessage { key, outcome: MessageOutcome { segments }, had_late })
    }

    /// Removes the entries of a message that has ended from the other tables.
    #[inline(always)]
    fn remove_entries(&mut self, number: MessageNumber, message: &mut QueuedMessage) {
        if let Some(at) = message.deadline {
            self.deadlines.remove(&(at, number));
        }
        if let Route::Named(bind) = message.route {
            self.named.remove(&(bind, number));
        }
        if let Some(lane) = message.lane.take() {
            self.leave_lane(&lane, number);
        }
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
        if let Some(message) = self.messages.get_mut(number) {
            message.deadline = None;
        }
        Some((number, self.abandon(number, SegmentNotSentReason::Expired)))
    }

    /// Returns when the next deadline or delay passes.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let first = |times: &BTreeSet<(Instant, MessageNumber)>| times.first().map(|(at, _)| *at);
        first(&self.deadlines).into_iter().chain(first(&self.delayed)).min()
    }

    /// Returns the messages without an outcome from this one on, the oldest first.
    pub(super) fn messages_from(&self, first: MessageNumber) -> impl Iterator<Item = MessageNumber> {
        self.messages.numbers_from(first)
    }
}
