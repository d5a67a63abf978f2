//! Sending messages: each segment on the bind with the most capacity, until it has an outcome.

use alloc::vec::Vec;
use core::cmp::Reverse;

use super::error::SubmitError;
use super::event::Event;
use super::link::LinkId;
use super::link_slot::{Phase, ReceiptRequest, Tag, TimedOutSegment};
use super::message::{Message, asks_for_receipts};
use super::outcome::{
    MessageId, MessageNumber, MessageOutcome, SegmentNotSentReason, SegmentOutcome, Unresolved,
};
use super::queue::{AttemptResult, LateResult, SegmentRef};
use super::receipt_tracker::{EarlyReceipt, ExpiredMessage, Removed, SegmentId, TrackedMessage};
use super::state::{Account, Shutdown};
use crate::frame::SequenceNumber;
use crate::pdu::{CommandStatus, RegisteredDelivery};
use crate::session::{self, Observer, Readiness, Refusal, Response, UnansweredReason};
use crate::time::Instant;

impl<O: Observer> Account<O> {
    /// Accepts a message, and sends it when its turn has come. A text is split into segments here.
    ///
    /// # Errors
    ///
    /// [`SubmitError`] says why the account did not accept the message. Nothing was sent.
    pub fn submit(&mut self, now: Instant, message: &Message) -> Result<MessageNumber, SubmitError> {
        match (&self.shutdown, self.stopped) {
            (Shutdown::Running, None) => {}
            (Shutdown::Running, Some(_)) => return Err(SubmitError::Stopped),
            _ => return Err(SubmitError::ShutDown),
        }
        if self.queue.available_capacity() == 0 && self.queue.capacity() > 0 {
            // No need to split the message: no segment fits.
            return Err(SubmitError::Full);
        }
        let reference = self.reference.wrapping_add(1);
        let segments = message.segments(&self.options, reference)?;
        if segments.len() > self.queue.capacity() {
            return Err(SubmitError::TooManySegments { segments: segments.len() });
        }
        if segments.len() > self.queue.available_capacity() {
            return Err(SubmitError::Full);
        }
        if segments.len() > 1 {
            self.reference = reference;
        }
        let number = self.queue.push(now, message, segments, self.options.unanswered_policy);
        self.advance(now);
        Ok(number)
    }

    /// Cancels a message: the account sends no further segment of it. Segments that are in flight still get their
    /// responses, and are not resent. The account emits the [`Outcome`](Event::Outcome) as always.
    pub fn cancel(&mut self, now: Instant, message: MessageNumber) {
        let outcome = self.queue.abandon(message, SegmentNotSentReason::Cancelled);
        self.finish_message(now, message, outcome);
        self.advance(now);
    }

    /// Abandons the messages whose deadlines have passed, then sends what can be sent now.
    pub(super) fn dispatch(&mut self, now: Instant) {
        while let Some((message, outcome)) = self.queue.expire(now) {
            self.finish_message(now, message, outcome);
        }
        if self.stopped.is_some() && self.cannot_send() {
            self.abandon_all(now, SegmentNotSentReason::Stopped);
        }
        while self.queue.is_ready()
            && let Some(link) = self.least_loaded_link(now)
        {
            let Some((segment, submit_sm)) = self.queue.next() else { return };
            let Some(session) = self.links.get_mut(link.index()).and_then(|link| link.session_mut()) else {
                return;
            };
            match session.request(now, &submit_sm, Tag::Segment(segment)).map_err(|refused| refused.reason) {
                Ok(_) => self.queue.mark_sent(segment),
                // The refusal concerns the state of this bind, not the segment: it stays queued.
                Err(Refusal::State(_) | Refusal::Closing(_) | Refusal::Closed(_)) => return,
                Err(refusal) => {
                    let Some(reason) = refusal.permanent() else { return };
                    let outcome = SegmentOutcome::NeverSent(SegmentNotSentReason::Request(reason));
                    self.finish_attempt(now, segment, AttemptResult::Done(outcome));
                }
            }
        }
    }

    /// Returns the bind that can send now and has the most capacity in its window; of several, the first.
    fn least_loaded_link(&self, now: Instant) -> Option<LinkId> {
        let capacities =
            self.links.iter().zip(0..).filter_map(|(link, index)| match link.transmitter()?.readiness(now) {
                Readiness::Ready { capacity } if link.paused_until <= now => Some((capacity, LinkId(index))),
                _ => None,
            });
        capacities.max_by_key(|&(capacity, link)| (capacity, Reverse(link))).map(|(_, link)| link)
    }

    /// Returns when a bind may send that waits only for its pause or its rate limit.
    pub(super) fn next_dispatch(&self) -> Option<Instant> {
        if !self.queue.is_ready() {
            return None;
        }
        let times = self.links.iter().filter_map(|link| {
            // The rate limit is checked again at the end of the pause.
            match link.transmitter()?.readiness(link.paused_until) {
                Readiness::Ready { .. } => Some(link.paused_until),
                Readiness::Refusing(Refusal::RateLimited(at)) => Some(at),
                Readiness::Refusing(_) => None,
            }
        });
        times.min()
    }

    /// Handles the outcome of a `submit_sm` that was in flight.
    pub(super) fn handle_submit_outcome(
        &mut self,
        now: Instant,
        (link, sequence): (LinkId, SequenceNumber),
        segment: SegmentRef,
        outcome: session::Outcome<'_>,
    ) {
        let mut early = Vec::new();
        let result = match outcome {
            session::Outcome::Accepted(response) => {
                let id = response.message_id();
                if let Some(receipts) = self.receipt_request(segment) {
                    early = self.track_receipts(now, segment, receipts, id);
                }
                AttemptResult::Done(SegmentOutcome::Accepted(MessageId::new(id)))
            }
            session::Outcome::Refused { status, response } if is_temporary(status) => {
                if let Some(link) = self.links.get_mut(link.index()) {
                    link.paused_until = link.paused_until.max(now + self.options.throttle_pause);
                }
                AttemptResult::Throttled(self.options.throttle_retries, refused(status, response))
            }
            session::Outcome::Refused { status, response } => AttemptResult::Done(refused(status, response)),
            session::Outcome::Nacked(status) => AttemptResult::Done(SegmentOutcome::Nacked(status)),
            session::Outcome::NeverSent(_) => AttemptResult::NotSent,
            session::Outcome::Unanswered(reason) => {
                if reason == UnansweredReason::Timeout {
                    self.record_timeout(link, sequence, segment);
                }
                AttemptResult::Unanswered(SegmentOutcome::Unanswered(reason))
            }
        };
        self.finish_attempt(now, segment, result);
        // The outcome is emitted first: after the final receipt the caller expects no further event of the message.
        for receipt in early {
            self.handle_early_receipt(now, receipt);
        }
    }

    /// Records that a segment may still get a response, unless a late response to an earlier attempt has ended it.
    fn record_timeout(&mut self, link: LinkId, sequence: SequenceNumber, segment: SegmentRef) {
        if !self.queue.is_open(segment) {
            return;
        }
        let receipts = self.receipt_request(segment);
        let window = usize::from(self.options.session.window.max(1));
        if let Some(Phase::Open(open)) = self.links.get_mut(link.index()).map(|link| &mut link.phase) {
            // The session keeps no more places than its window has: the oldest was given up.
            while open.timed_out.len() >= window {
                open.timed_out.pop_front();
            }
            open.timed_out.push_back(TimedOutSegment { sequence, segment, receipts });
        }
    }

    /// Handles a response that arrived after the timeout of its `submit_sm`.
    ///
    /// If the segment was accepted, its receipts are tracked, and it is not resent. If the message has ended, the account
    /// reports the late outcome.
    pub(super) fn handle_late_outcome(
        &mut self,
        now: Instant,
        (link, sequence): (LinkId, SequenceNumber),
        outcome: session::Outcome<'_>,
    ) {
        let Some(Phase::Open(open)) = self.links.get_mut(link.index()).map(|link| &mut link.phase) else {
            return;
        };
        let Some(index) = open.timed_out.iter().position(|segment| segment.sequence == sequence) else {
            return;
        };
        let Some(TimedOutSegment { segment, receipts, .. }) = open.timed_out.remove(index) else { return };
        let mut accepted = None;
        let outcome = match outcome {
            session::Outcome::Accepted(response) => {
                let response = accepted.insert(response);
                SegmentOutcome::Accepted(MessageId::new(response.message_id()))
            }
            session::Outcome::Refused { status, response } => refused(status, response),
            session::Outcome::Nacked(status) => SegmentOutcome::Nacked(status),
            // It is still unknown how it ended.
            session::Outcome::NeverSent(_) | session::Outcome::Unanswered(_) => return,
        };
        let result = self.queue.handle_late_outcome(segment, outcome.clone());
        let mut early = Vec::new();
        if let (LateResult::Recorded(_) | LateResult::Ended, Some(receipts), Some(response)) =
            (&result, receipts, accepted)
        {
            early = self.track_receipts(now, segment, receipts, response.message_id());
        }
        match result {
            LateResult::Recorded(outcome) => self.finish_message(now, segment.message, outcome),
            LateResult::Ignored => {}
            LateResult::Ended => {
                if outcome.is_accepted() {
                    self.retain_timed_out(|timed_out| timed_out != segment);
                }
                let SegmentRef { message, index } = segment;
                self.emit(Event::LateOutcome { message, segment: index, outcome });
                self.receipts.complete(now, message);
            }
        }
        for receipt in early {
            self.handle_early_receipt(now, receipt);
        }
    }

    /// Stops waiting for late responses to segments, except those for which `keep` returns true.
    fn retain_timed_out(&mut self, keep: impl Fn(SegmentRef) -> bool) {
        for link in &mut self.links {
            if let Phase::Open(open) = &mut link.phase {
                open.timed_out.retain(|timed_out| keep(timed_out.segment));
            }
        }
    }

    /// Returns what a segment without an outcome says about its receipts; `None` if it requests none.
    fn receipt_request(&self, segment: SegmentRef) -> Option<ReceiptRequest> {
        if !self.queue.is_open(segment) {
            // A late response to an earlier attempt has ended it.
            return None;
        }
        let (_, total) = self.queue.pdu(segment)?;
        // Perhaps only the last segment requests a receipt, for all of them.
        let last = SegmentRef { index: total.saturating_sub(1), ..segment };
        let (submit_sm, _) = self.queue.pdu(last)?;
        let is_due = is_receipt_due(submit_sm.registered_delivery);
        asks_for_receipts(&submit_sm).then_some(ReceiptRequest { total, is_due })
    }

    /// Starts to track the receipts of an accepted segment, and returns those that have already arrived.
    fn track_receipts(
        &mut self,
        now: Instant,
        segment: SegmentRef,
        ReceiptRequest { total, is_due }: ReceiptRequest,
        id: &[u8],
    ) -> Vec<EarlyReceipt> {
        let message = TrackedMessage { number: segment.message, total, is_due, key: None };
        self.receipts.track(now, &message, segment.index, SegmentId::Id(id));
        let key = self.receipts.submitted_key(id);
        self.receipts.early.take(&key)
    }

    fn finish_attempt(&mut self, now: Instant, segment: SegmentRef, result: AttemptResult) {
        let outcome = self.queue.handle_result(segment, result);
        self.finish_message(now, segment.message, outcome);
        self.release_early(now);
    }

    /// Emits the outcome of a message, if it has one.
    fn finish_message(&mut self, now: Instant, message: MessageNumber, outcome: Option<MessageOutcome>) {
        let Some(outcome) = outcome else { return };
        // A late response can change only the outcome of a segment that got no response.
        self.retain_timed_out(|timed_out| {
            let outcome = outcome.segments.get(usize::from(timed_out.index));
            timed_out.message != message || matches!(outcome, Some(SegmentOutcome::Unanswered(_)))
        });
        self.receipts.complete(now, message);
        if let Shutdown::Draining { unresolved, .. } | Shutdown::Unbinding { unresolved } = &mut self.shutdown
            && outcome.result().is_err()
        {
            unresolved.push(Unresolved::NotAccepted { message, outcome: outcome.clone() });
        }
        self.emit(Event::Outcome { message, outcome });
    }

    /// Stops sending all messages. What is in flight still gets its response.
    pub(super) fn abandon_all(&mut self, now: Instant, reason: SegmentNotSentReason) {
        let all: Vec<_> = self.queue.messages().collect();
        for message in all {
            let outcome = self.queue.abandon(message, reason);
            self.finish_message(now, message, outcome);
        }
    }

    /// Gives up the messages that exceed the capacity of the receipt tracker, and some of those whose receipts are too
    /// old. The next call, which is due at once, continues: so no call takes long, however many messages are too old.
    pub(super) fn expire_receipts(&mut self, now: Instant) {
        let mut count = 0;
        while (count < EXPIRED_AT_ONCE || self.receipts.exceeds_capacity())
            && let Some(expired) = self.receipts.expire(now)
        {
            count += 1;
            if let Removed::Expired(ExpiredMessage { number, ids, .. }) = expired {
                self.emit(Event::ReceiptsExpired { message: number, ids });
            }
        }
    }
}

/// How many messages are given up in one call because their receipts are too old.
const EXPIRED_AT_ONCE: usize = 64;

/// Returns the outcome of a segment that the SMSC refused.
#[cold]
fn refused(status: CommandStatus, response: Response<&[u8]>) -> SegmentOutcome {
    SegmentOutcome::Refused { status, response: response.into_refused() }
}

/// Returns whether the refusal is temporary: the SMSC throttles, its queue is full, or it has begun to end the bind.
fn is_temporary(status: CommandStatus) -> bool {
    matches!(status, CommandStatus::RTHROTTLED | CommandStatus::RMSGQFUL | CommandStatus::RINVBNDSTS)
}

/// Returns whether the message requests a final receipt for every final state: bits 1 and 0 (SMPP 3.4 §5.2.17). A receipt
/// that was requested only for some states may never be due.
fn is_receipt_due(registered_delivery: RegisteredDelivery) -> bool {
    registered_delivery.bits() & 0b11 == RegisteredDelivery::RECEIPT.bits()
}
