//! A message in the queue: its segments, and where it waits.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::message::{Message, Priority};
use super::message_key::MessageKey;
use super::options::UnansweredPolicy;
use super::outbound_pdu::{Frames, PduTraits};
use super::outcome::{SegmentNotSentReason, SegmentOutcome};
use super::per_segment::PerSegment;
use super::ready_messages::Route;
use super::receipt::ReceiptDestination;
use crate::provider::ReceiptScope;
use crate::time::Instant;

/// How many segments after the first one a message that is used again keeps memory for.
const KEPT_SEGMENTS: usize = 8;

#[derive(Debug)]
pub(super) struct QueuedMessage {
    pub(super) key: Option<MessageKey>,
    pub(super) receipt_destination: ReceiptDestination,
    /// The PDUs of its segments.
    pub(super) frames: Frames,
    /// What the PDUs of all segments have in common.
    pub(super) traits: PduTraits,
    /// The states of the first segment and of those after it.
    pub(super) first: QueuedSegment,
    pub(super) rest: Vec<QueuedSegment>,
    pub(super) priority: Priority,
    pub(super) unanswered_policy: UnansweredPolicy,
    pub(super) deadline: Option<Instant>,
    pub(super) lane: Option<Box<[u8]>>,
    pub(super) route: Route,
    pub(super) position: Position,
    /// Until then no segment of it is sent, because the SMSC has refused one.
    pub(super) delayed_until: Option<Instant>,
    /// No segment before this one waits to be sent.
    pub(super) next: u8,
    /// Why no segment of it is sent any more. Those in flight still get their responses.
    pub(super) abandoned: Option<SegmentNotSentReason>,
    /// How many segments have no outcome.
    pub(super) open: usize,
}

/// Where a message waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// In its lane, for an earlier message.
    Lane,
    /// For a bind that can send it.
    Ready,
    /// For this time.
    Delayed(Instant),
    /// Nowhere: all its segments are in flight or have an outcome.
    Sent,
}

/// The state of a segment.
#[derive(Debug, Default)]
pub(super) struct QueuedSegment {
    /// When it was sent, while it is in flight: see [`SendPeriods`](super::send_periods::SendPeriods).
    pub(super) in_flight: Option<u64>,
    pub(super) outcome: Option<SegmentOutcome>,
    /// The most severe outcome of the attempts before the current one.
    pub(super) earlier: Option<Box<SegmentOutcome>>,
    /// How many attempts the SMSC refused.
    pub(super) refused: u16,
    /// How many attempts got no response.
    pub(super) unanswered: u16,
}

/// What a segment says about its receipts.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReceiptRequest {
    /// How many segments the message has.
    pub(super) total: u8,
    /// How many recipients have a receipt each: 1 unless it is a submit_multi.
    pub(super) recipients: u8,
    /// Whether a final receipt is due in any final state.
    pub(super) is_due: bool,
    /// Where an adapter passes them.
    pub(super) destination: ReceiptDestination,
}

impl QueuedMessage {
    /// Creates a message without content, to be [filled](Self::fill).
    pub(super) const fn empty() -> Self {
        Self {
            key: None,
            receipt_destination: ReceiptDestination::Sent,
            frames: Frames::new(),
            traits: PduTraits::NONE,
            first: QueuedSegment::NEW,
            rest: Vec::new(),
            priority: Priority::Normal,
            unanswered_policy: UnansweredPolicy::Report,
            deadline: None,
            lane: None,
            route: Route::Any,
            position: Position::Lane,
            delayed_until: None,
            next: 0,
            abandoned: None,
            open: 0,
        }
    }

    /// Takes over what the caller states about the message. Its PDUs are in `frames` already.
    #[inline(always)]
    pub(super) fn fill(&mut self, now: Instant, message: &Message, default_policy: UnansweredPolicy) {
        let total = self.frames.len().max(1);
        if message.key.is_some() {
            self.key.clone_from(&message.key);
        }
        self.receipt_destination = message.receipt_destination;
        self.traits = message.traits;
        if total > 1 {
            self.rest.extend((1..total).map(|_| QueuedSegment::NEW));
        }
        self.priority = message.priority;
        self.unanswered_policy = message.unanswered_policy.unwrap_or(default_policy);
        self.deadline = message.deadline.map(|deadline| now + deadline);
        if message.in_order {
            self.lane = Some(message.recipients_key());
        }
        self.route = message.bind.map_or(Route::Any, Route::Named);
        self.position = Position::Lane;
        self.open = total;
    }

    /// Removes the content, so that the memory can be used for another message.
    pub(super) fn clear(&mut self) {
        if self.key.is_some() || self.lane.is_some() {
            (self.key, self.lane) = (None, None);
        }
        (self.delayed_until, self.next, self.abandoned) = (None, 0, None);
        if !self.first.is_new() {
            self.first = QueuedSegment::NEW;
        }
        self.rest.clear();
        if self.rest.capacity() > KEPT_SEGMENTS {
            self.rest = Vec::new();
        }
        self.clear_frames();
    }

    fn clear_frames(&mut self) {
        if !self.frames.clear() {
            self.frames = Frames::new();
        }
    }

    /// As [`clear`](Self::clear), for a message that was its [only attempt](Self::is_only_attempt), and whose key and lane were
    /// taken.
    #[inline]
    pub(super) fn clear_only_attempt(&mut self) {
        (self.first.in_flight, self.first.refused) = (None, 0);
        (self.delayed_until, self.next, self.abandoned) = (None, 0, None);
        self.clear_frames();
    }

    /// Returns whether its outcome is that of the attempt in flight if the SMSC accepts it: it has one segment with one recipient,
    /// and no other attempt matters for it.
    pub(super) fn is_only_attempt(&self) -> bool {
        self.rest.is_empty() && self.traits.recipients <= 1 && self.first.is_only_attempt()
    }

    pub(super) fn segment(&self, index: u8) -> Option<&QueuedSegment> {
        match index {
            0 => Some(&self.first),
            _ => self.rest.get(usize::from(index) - 1),
        }
    }

    pub(super) fn segment_mut(&mut self, index: u8) -> Option<&mut QueuedSegment> {
        match index {
            0 => Some(&mut self.first),
            _ => self.rest.get_mut(usize::from(index) - 1),
        }
    }

    pub(super) fn segments_mut(&mut self) -> impl Iterator<Item = &mut QueuedSegment> {
        core::iter::once(&mut self.first).chain(&mut self.rest)
    }

    /// Returns how many segments it has: 1 to 255.
    pub(super) fn total(&self) -> u8 {
        self.rest.len() as u8 + 1
    }

    /// Returns what it says about the receipts of each segment; `None` if it requests none that can be matched.
    pub(super) fn receipt_request(&self, scope: ReceiptScope) -> Option<ReceiptRequest> {
        let traits = &self.traits;
        let recipients = traits.receipts_of_each(scope);
        (traits.asks_for_receipts() && recipients > 0).then(|| ReceiptRequest {
            total: self.total(),
            recipients,
            is_due: traits.is_receipt_due(),
            destination: self.receipt_destination,
        })
    }

    /// Moves `next` to the first segment that waits to be sent. Returns whether there is one.
    pub(super) fn find_next(&mut self) -> bool {
        while let Some(segment) = self.segment(self.next) {
            if segment.outcome.is_none() && segment.in_flight.is_none() {
                return true;
            }
            // A message has 255 segments at most.
            self.next += 1;
        }
        false
    }

    /// Removes the outcomes of all segments, once each has one. Returns also whether an attempt got no
    /// response whose segment has ended otherwise.
    pub(super) fn take_outcomes(&mut self) -> (PerSegment<SegmentOutcome>, bool) {
        let had_unanswered = self.segments_mut().any(|segment| {
            segment.unanswered > 0 && !matches!(segment.outcome, Some(SegmentOutcome::Unanswered(_)))
        });
        let outcomes = self.segments_mut().filter_map(|segment| segment.outcome.take()).collect();
        (outcomes, had_unanswered)
    }
}

impl QueuedSegment {
    pub(super) const NEW: Self =
        Self { in_flight: None, outcome: None, earlier: None, refused: 0, unanswered: 0 };

    /// Returns whether nothing has happened to it.
    fn is_new(&self) -> bool {
        self.in_flight.is_none() && self.refused == 0 && self.is_untried()
    }

    fn is_only_attempt(&self) -> bool {
        self.in_flight.is_some() && self.is_untried()
    }

    /// Returns whether it has neither an outcome nor an attempt that matters for it.
    const fn is_untried(&self) -> bool {
        self.outcome.is_none() && self.earlier.is_none() && self.unanswered == 0
    }

    /// Returns the more severe of this attempt's outcome and the earlier ones. An accepted attempt always wins.
    pub(super) fn most_severe(&self, outcome: SegmentOutcome) -> SegmentOutcome {
        match &self.earlier {
            Some(earlier) if !outcome.is_accepted() && earlier.severity() > outcome.severity() => {
                SegmentOutcome::clone(earlier)
            }
            _ => outcome,
        }
    }
}
