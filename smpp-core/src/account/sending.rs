//! Sending messages: each segment on the bind with the most capacity, until it has an outcome.

use alloc::vec::Vec;

use super::event::Event;
use super::link::{BindId, LinkId};
use super::link_refresh::sending_of;
use super::link_slot::{LinkSlot, Phase, Tag, TimedOutSegment};
use super::outbound_pdu::{EncodedBody, OutboundPdu, PduTraits};
use super::outcome::{MessageNumber, MessageOutcome, SegmentNotSentReason, SegmentOutcome, Unresolved};
use super::per_segment::PerSegment;
use super::queue::{AttemptResult, EndedAttempt, EndedMessage, LateResult, SegmentRef};
use super::queued_message::ReceiptRequest;
use super::ready_messages::Sending;
use super::receipt_tracker::SegmentId;
use super::state::{Abandoning, Account, SLICE, Shutdown};
use crate::frame::{HEADER_LENGTH, SequenceNumber};
use crate::pdu::{CommandId, CommandStatus};
use crate::session::{
    self, Esme, NotSentReason, Observer, Operations, RateLimiter, Refusal, Response, Session,
    UnansweredReason,
};
use crate::time::Instant;

impl<O: Observer> Account<O> {
    /// Ends the messages that name a bind which has ended.
    pub(super) fn end_named(&mut self, now: Instant, bind: BindId) {
        while let Some(message) = self.queue.pop_named(bind) {
            let outcome = self.queue.abandon(message, SegmentNotSentReason::BindEnded);
            self.finish_message(now, message, outcome);
        }
    }

    /// Applies the rate limit of the account, and whether segments are spread. Ends the messages if the provider takes none
    /// any more.
    pub(super) fn apply_sending_options(&mut self, now: Instant) {
        self.queue.spread_segments = self.options.spread_segments;
        // The messages that the limiter has counted still count, also if the limit ends and another one begins.
        let before = self.rate_limiter.or(self.former_rate_limiter);
        self.rate_limiter = self.options.rate.map(|rate| {
            let mut limiter = before.unwrap_or_else(|| RateLimiter::new(rate));
            limiter.set_rate(now, Some(rate));
            limiter
        });
        self.former_rate_limiter = before;
        let command = self.message_command();
        if !self.options.session.operations.contains(Operations::of(command)) {
            self.abandon_all(now, SegmentNotSentReason::Request(NotSentReason::Unsupported(command)));
        }
    }

    /// Cancels a message that waits: the account sends no further segment of it. It asks nothing of the SMSC: a message that the
    /// SMSC has accepted is cancelled with [`MessageRequest::cancel_sm`](super::MessageRequest::cancel_sm).
    ///
    /// Segments that are in flight still get their
    /// responses, and are not resent. The account emits the [`Outcome`](Event::Outcome) as always.
    pub fn cancel(&mut self, now: Instant, message: MessageNumber) {
        let outcome = self.queue.abandon(message, SegmentNotSentReason::Cancelled);
        self.finish_message(now, message, outcome);
        self.advance(now);
    }

    /// Abandons the messages whose deadlines have passed, then sends what can be sent now.
    pub(super) fn dispatch(&mut self, now: Instant) {
        self.dispatched_at = now;
        self.blocked_until = None;
        let is_due = self.queue.poll_timeout().is_some_and(|at| at <= now);
        if (is_due || self.stopped.is_some() || self.abandoning.is_some()) && !self.abandon_due(now) {
            return;
        }
        if self.queue.ready().is_empty() {
            return;
        }
        let command = self.message_command();
        self.refresh_links(now);
        for _ in 0..SLICE {
            if self.queue.ready().is_empty() {
                return;
            }
            let Some((segment, link)) = self.queue.next() else { return };
            let Some((frame, traits)) = self.queue.frame(segment) else { return };
            let recipients = traits.recipients;
            if let Some(at) =
                self.rate_limiter.map(|limiter| limiter.ready_for(now, recipients)).filter(|at| *at > now)
            {
                self.blocked_until = Some(at);
                return;
            }
            let Some(slot) = self.links.get_mut(link.index()) else { return };
            let Some(session) = slot.session_mut() else { return };
            match request(session, now, frame, traits, segment) {
                Ok(_) => {
                    let capacity = session.window_after_request();
                    if let Some(limiter) = &mut self.rate_limiter {
                        limiter.take_many(now, recipients);
                    }
                    self.queue.mark_sent(segment, link);
                    self.handle_sent(now, segment, link, capacity);
                }
                // Another bind may send it now. The session holds all messages back until its rate allows this one.
                Err(Refusal::RateLimited(_)) => self.refresh_link(now, link, command),
                // The refusal concerns the state of this bind, not the segment: it stays queued.
                Err(Refusal::State(_) | Refusal::Closing(_) | Refusal::Closed(_)) => {
                    self.touch(link);
                    return;
                }
                Err(refusal) => {
                    let Some(reason) = refusal.permanent() else { return self.touch(link) };
                    let outcome = SegmentOutcome::NeverSent(SegmentNotSentReason::Request(reason));
                    self.finish_attempt(now, segment, AttemptResult::Done(outcome));
                }
            }
        }
        self.is_unfinished |= self.queue.next().is_some();
    }

    /// Records what a bind can send, and reports what has been sent, once its session has taken a segment. `capacity`: see
    /// [`Session::window_after_request`].
    #[inline(always)]
    pub(super) fn handle_sent(
        &mut self,
        now: Instant,
        segment: SegmentRef,
        link: LinkId,
        capacity: Option<u16>,
    ) {
        match capacity {
            Some(capacity) => self.queue.set_sending(link, Sending::Ready { capacity }),
            None => self.refresh_link(now, link, self.message_command()),
        }
        self.record_change(link);
        if self.reports_handed_over {
            self.emit_handed_over(segment, link);
        }
    }

    /// Abandons a slice of the messages whose deadlines have passed, or that the account sends no more, and makes those ready whose
    /// delay is over. Returns whether that is done, so that the others may be sent.
    #[cold]
    fn abandon_due(&mut self, now: Instant) -> bool {
        for _ in 0..SLICE {
            let Some((message, outcome)) = self.queue.expire(now) else { break };
            self.finish_message(now, message, outcome);
        }
        if self.abandoning.is_some() {
            self.continue_abandoning(now);
        } else if self.queue.unsent() > 0 && self.refuses_messages() {
            self.abandon_all(now, SegmentNotSentReason::Stopped);
        }
        self.queue.release_delayed(now, SLICE);
        // The next slice comes before what may be sent.
        let is_done = self.abandoning.is_none() && self.queue.poll_timeout().is_none_or(|at| at > now);
        self.is_unfinished |= !is_done;
        is_done
    }

    /// Reports that the octets of a segment may leave now.
    fn emit_handed_over(&mut self, segment: SegmentRef, link: LinkId) {
        let SegmentRef { message, index } = segment;
        let (key, bind) = (self.queue.key(message), self.bind_on(link));
        self.emit(Event::HandedToTransport { message, key, segment: index, bind });
    }

    /// Returns the last bind of a slot.
    fn bind_on(&self, link: LinkId) -> BindId {
        // The slot of a session exists.
        BindId::new(link, self.generation(link).unwrap_or_default())
    }

    /// Sets whether the account emits [`Event::HandedToTransport`] for each segment that it sends from now on. Default `true`. An
    /// adapter that nobody has asked for these events passes `false`:
    /// [`EventRouter::add_detailed_receiver`](super::EventRouter::add_detailed_receiver) passes `true`.
    pub const fn report_handed_over(&mut self, report: bool) {
        self.reports_handed_over = report;
    }

    /// Returns an operation that stands for all messages, to find out what a bind can send: one that the provider takes.
    pub(super) fn message_command(&self) -> CommandId {
        let operations = self.options.session.operations;
        let messages = [CommandId::SUBMIT_SM, CommandId::DATA_SM, CommandId::SUBMIT_MULTI];
        let takes = |command: &CommandId| operations.contains(Operations::of(*command));
        messages.into_iter().find(takes).unwrap_or(CommandId::SUBMIT_SM)
    }

    /// Returns when a bind may send that waits only for its pause, for its rate limit or for that of the account.
    pub(super) fn next_dispatch(&self) -> Option<Instant> {
        let ready = self.queue.ready();
        if ready.is_empty() || self.blocked_until.is_some() {
            return self.blocked_until.filter(|_| !ready.is_empty());
        }
        let rate_at = self.rate_limiter.map_or(Instant::ZERO, |limiter| limiter.ready_at(Instant::ZERO));
        let (at, _) = self.wakes.first()?;
        Some((*at).max(rate_at)).filter(|at| *at > self.dispatched_at)
    }

    /// Handles the outcome of a `submit_sm` that was in flight.
    pub(super) fn handle_submit_outcome(
        &mut self,
        now: Instant,
        (link, sequence): (LinkId, SequenceNumber),
        segment: SegmentRef,
        outcome: session::Outcome<'_>,
    ) {
        let (mut early, mut expired) = (Vec::new(), None);
        let result = match outcome {
            session::Outcome::Accepted(response) => {
                let (id, outcome) = SegmentOutcome::accepted(self.bind_on(link), response);
                self.record_acceptance(link);
                let scope = self.options.receipts.dialect.receipt_scope();
                if let Some((key, receipts)) = self.queue.end_only_attempt(segment.message, scope) {
                    return self.finish_accepted(now, segment, (key, receipts), (id, outcome));
                }
                if let Some((receipts, key)) = self.queue.receipt_request(segment, scope) {
                    let recipients = self.recipients(segment, receipts);
                    (early, expired) =
                        self.track_receipts(now, segment, key, (receipts, recipients), (id, &outcome));
                }
                AttemptResult::Done(outcome)
            }
            session::Outcome::Refused { status, response } => {
                self.handle_refusal(now, link, segment, refused(status, response))
            }
            session::Outcome::Nacked(status) => {
                self.handle_refusal(now, link, segment, SegmentOutcome::Nacked(status))
            }
            session::Outcome::NeverSent(_) => AttemptResult::NotSent,
            session::Outcome::Unanswered(reason) => {
                if reason == UnansweredReason::Timeout {
                    self.record_timeout(link, sequence, segment);
                }
                self.emit_in_doubt(link, segment, reason);
                AttemptResult::Unanswered(SegmentOutcome::Unanswered(reason))
            }
        };
        let stop = self.stop_of(&result);
        self.finish_attempt(now, segment, result);
        if let Some((status, response)) = stop {
            self.stop(now, status, response);
        }
        // The outcome is emitted first: after the final receipt the caller expects no further event of the message.
        if let Some(event) = expired {
            self.emit(*event);
        }
        for receipt in early {
            self.handle_early_receipt(now, receipt);
        }
    }

    /// Records that a segment may still get a response, unless a late response to an earlier attempt has ended it.
    fn record_timeout(&mut self, link: LinkId, sequence: SequenceNumber, segment: SegmentRef) {
        if !self.queue.is_open(segment) {
            return;
        }
        let scope = self.options.receipts.dialect.receipt_scope();
        let receipts = self.queue.receipt_request(segment, scope).map(|(receipts, _)| receipts);
        let recipients = receipts.map(|receipts| self.recipients(segment, receipts)).unwrap_or_default();
        let key = self.queue.key(segment.message);
        if let Some(Phase::Open(open)) = self.links.get_mut(link.index()).map(|link| &mut link.phase) {
            // The session keeps no more places than its window has: the oldest was given up.
            while open.timed_out.len() >= usize::from(open.window.max(1)) {
                open.timed_out.pop_front();
            }
            open.timed_out.push_back(TimedOutSegment { sequence, segment, key, receipts, recipients });
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
        let bind = self.bind_on(link);
        let Some(Phase::Open(open)) = self.links.get_mut(link.index()).map(|link| &mut link.phase) else {
            return;
        };
        let Some(index) = open.timed_out.iter().position(|segment| segment.sequence == sequence) else {
            return;
        };
        let Some(TimedOutSegment { segment, key, receipts, recipients, .. }) = open.timed_out.remove(index)
        else {
            return;
        };
        let mut accepted = None;
        let outcome = match outcome {
            session::Outcome::Accepted(response) => {
                let (id, outcome) = SegmentOutcome::accepted(bind, response);
                accepted = Some(id);
                outcome
            }
            session::Outcome::Refused { status, response } => refused(status, response),
            session::Outcome::Nacked(status) => SegmentOutcome::Nacked(status),
            // It is still unknown how it ended.
            session::Outcome::NeverSent(_) | session::Outcome::Unanswered(_) => return,
        };
        let result = self.queue.handle_late_outcome(segment, outcome.clone());
        let (mut early, mut expired) = (Vec::new(), None);
        if let (LateResult::Recorded(_) | LateResult::Ended, Some(receipts), Some(id)) =
            (&result, receipts, accepted)
        {
            (early, expired) =
                self.track_receipts(now, segment, key.clone(), (receipts, recipients), (id, &outcome));
        }
        match result {
            LateResult::Recorded(outcome) => self.finish_message(now, segment.message, outcome),
            LateResult::Ignored => {}
            LateResult::Ended => {
                if outcome.is_accepted() {
                    self.retain_timed_out(|timed_out| timed_out != segment);
                }
                let SegmentRef { message, index } = segment;
                self.emit(Event::LateOutcome { message, key, segment: index, outcome });
                self.receipts.complete(now, message);
            }
        }
        if let Some(event) = expired {
            self.emit(*event);
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

    fn finish_attempt(&mut self, now: Instant, segment: SegmentRef, result: AttemptResult) {
        let outcome = self.queue.handle_result(segment, result);
        self.finish_message(now, segment.message, outcome);
        self.release_early(now);
    }

    /// Ends a message of one segment that the SMSC has accepted, and returns its key and what it says about its receipts: the caller
    /// [tracks](Self::track_accepted) them and passes on the outcome. Returns `None`, and changes nothing, if more has to be
    /// considered: see [`handle_submit_outcome`](Self::handle_submit_outcome).
    #[inline(always)]
    pub(super) fn end_accepted(&mut self, message: MessageNumber) -> Option<EndedAttempt> {
        // Receipts that have arrived before follow the outcome.
        if !self.receipts.early.is_empty() {
            return None;
        }
        self.queue.end_only_attempt(message, self.options.receipts.dialect.receipt_scope())
    }

    /// Tracks the receipts of a segment that was accepted with this id by this bind, after [`end_accepted`](Self::end_accepted).
    #[inline(always)]
    pub(super) fn track_accepted(
        &mut self,
        now: Instant,
        (segment, bind, id): (SegmentRef, BindId, &[u8]),
        (key, receipts): EndedAttempt,
    ) {
        if let Some(ReceiptRequest { is_due, destination, .. }) = receipts {
            // It has one segment and one recipient.
            let receipts = (is_due, destination, key.as_ref());
            let number = (segment.message, segment.index);
            self.receipts.track_only(now, number, bind.short(), receipts, SegmentId::Id(id));
        }
        self.counters.segments_accepted += 1;
    }

    /// Emits the outcome of a message of one segment that the SMSC has accepted, after the queue has ended it, and tracks its
    /// receipts.
    fn finish_accepted(
        &mut self,
        now: Instant,
        segment: SegmentRef,
        (key, receipts): EndedAttempt,
        (id, outcome): (&[u8], SegmentOutcome),
    ) {
        let message = segment.message;
        let mut early = Vec::new();
        if let Some(receipts) = receipts {
            let response = (id, &outcome);
            (early, _) = self.track_receipts(now, segment, key.clone(), (receipts, Vec::new()), response);
        }
        self.counters.segments_accepted += 1;
        let outcome = MessageOutcome { segments: PerSegment::one(outcome) };
        self.events.push_back(Event::Outcome { message, key, outcome });
        self.release_early(now);
        for receipt in early {
            self.handle_early_receipt(now, receipt);
        }
    }

    /// Emits the outcome of a message, if it has one.
    pub(super) fn finish_message(
        &mut self,
        now: Instant,
        message: MessageNumber,
        ended: Option<EndedMessage>,
    ) {
        let Some(EndedMessage { key, outcome, had_late }) = ended else { return };
        if had_late {
            // A late response can change only the outcome of a segment that got no response.
            self.retain_timed_out(|timed_out| {
                let outcome = outcome.segments.get(usize::from(timed_out.index));
                timed_out.message != message || matches!(outcome, Some(SegmentOutcome::Unanswered(_)))
            });
        }
        let asks_on_last =
            self.options.receipts.dialect.request_on_last_segment && outcome.segments.len() > 1;
        let may_be_accepted = |last: &SegmentOutcome| {
            matches!(last, SegmentOutcome::Accepted { .. } | SegmentOutcome::Unanswered(_))
        };
        if asks_on_last && !outcome.segments.last().is_some_and(may_be_accepted) {
            self.stop_receipts(message);
        } else {
            self.receipts.complete(now, message);
        }
        if let Shutdown::Draining { unresolved, .. } | Shutdown::Unbinding { unresolved, .. } =
            &mut self.shutdown
            && outcome.result().is_err()
        {
            unresolved.push(Unresolved::NotAccepted { message, key: key.clone(), outcome: outcome.clone() });
        }
        self.emit(Event::Outcome { message, key, outcome });
    }

    /// Stops sending all messages, a slice at a time. What is in flight still gets its response.
    pub(super) fn abandon_all(&mut self, now: Instant, reason: SegmentNotSentReason) {
        let last = self.queue.last_number();
        match &mut self.abandoning {
            // The messages before still end with the earlier reason.
            Some(abandoning) => abandoning.last = last,
            None => self.abandoning = Some(Abandoning { next: MessageNumber(0), last, reason }),
        }
        self.continue_abandoning(now);
    }

    /// Abandons the next messages of [`abandon_all`](Self::abandon_all).
    fn continue_abandoning(&mut self, now: Instant) {
        let Some(Abandoning { next, last, reason }) = self.abandoning else { return };
        let numbers = self.queue.messages_from(next).take_while(|number| *number <= last);
        let mut slice: Vec<_> = numbers.take(SLICE + 1).collect();
        let rest = if slice.len() > SLICE { slice.pop() } else { None };
        self.abandoning = rest.map(|next| Abandoning { next, last, reason });
        self.is_unfinished |= rest.is_some();
        for message in slice {
            let outcome = self.queue.abandon(message, reason);
            self.finish_message(now, message, outcome);
        }
    }
}

/// Passes the encoded PDU of a segment to a session.
#[inline]
pub(super) fn request<O: Observer>(
    session: &mut Session<Esme, Tag, O>,
    now: Instant,
    frame: &[u8],
    traits: PduTraits,
    segment: SegmentRef,
) -> Result<SequenceNumber, Refusal> {
    let tag = Tag::Segment(segment);
    if session.reads_tlvs() {
        let body = EncodedBody(frame.get(HEADER_LENGTH..).unwrap_or_default());
        let PduTraits { command, recipients, .. } = traits;
        // Most messages are a submit_sm: a session knows all about a command that is constant.
        let sent = if command == CommandId::SUBMIT_SM {
            session.request_body(now, CommandId::SUBMIT_SM, 1, &body, tag)
        } else {
            session.request_body(now, command, recipients, &body, tag)
        };
        return sent.map_err(|refused| refused.reason);
    }
    match OutboundPdu::decode(frame) {
        OutboundPdu::SubmitSm(message) => session.request(now, &message, tag),
        OutboundPdu::DataSm(message) => session.request(now, &message, tag),
        OutboundPdu::SubmitMulti(message) => session.request(now, &message, tag),
    }
    .map_err(|refused| refused.reason)
}

/// Returns the outcome of a segment that the SMSC refused.
#[cold]
fn refused(status: CommandStatus, response: Response<&[u8]>) -> SegmentOutcome {
    SegmentOutcome::Refused { status, response: response.into_refused() }
}

/// Returns what the bind of each slot can do now.
pub(super) fn sending<O: Observer>(
    links: &[LinkSlot<O>],
    now: Instant,
    command: CommandId,
) -> impl Iterator<Item = (LinkId, Sending)> + use<'_, O> {
    links.iter().zip(0..).map(move |(link, index)| (LinkId(index), sending_of(link, now, command).0))
}
