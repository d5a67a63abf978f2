//! Counters, and the events about pauses and segments in doubt.

use core::time::Duration;

use super::event::Event;
use super::link::{BindId, LinkEvent, LinkId};
use super::link_slot::{LinkSlot, Phase, Tag};
use super::queue::SegmentRef;
use super::state::Account;
use super::stats::{AccountStats, LinkStats};
use crate::pdu::CommandStatus;
use crate::session::{self, Observer, UnansweredReason};
use crate::time::Instant;

/// For how many different statuses of one bind [`LinkEvent::Retrying`] is emitted.
const MAX_REPORTED_RETRIES: usize = 16;

impl<O: Observer> Account<O> {
    /// Returns the counters of the account since its start, across all its sessions: for each connection slot, and summed.
    ///
    /// It copies about 1.5 KiB for each connection slot.
    pub fn stats(&self) -> AccountStats {
        let removed = self.removed_stats.iter().rev().copied();
        let links = self.links.iter().map(link_stats).chain(removed).collect::<alloc::vec::Vec<_>>();
        let mut total = LinkStats::default();
        for link in &links {
            total += link;
        }
        AccountStats {
            total,
            links,
            counters: self.counters,
            queued: self.queued(),
            pending_receipts: self.pending_receipts(),
            tracked_receipts: self.tracked_receipts(),
        }
    }

    /// Counts the outcome of a request, and the time of its response. A late response counts its time alone.
    pub(super) fn count_session_event(&mut self, link: LinkId, event: &session::Event<'_, Tag>) {
        let Some(slot) = self.links.get_mut(link.index()) else { return };
        match event {
            session::Event::Outcome { outcome, .. } => slot.stats.requests.record(outcome),
            session::Event::LateResponse { .. } => {}
            _ => return,
        }
        record_response_time(slot);
    }

    /// As [`count_session_event`](Self::count_session_event), for a segment that the SMSC has accepted. Returns the bind, which
    /// [accepts messages](LinkSlot::record_acceptance).
    #[inline]
    pub(super) fn count_acceptance(&mut self, link: LinkId) -> BindId {
        // The slot of a session exists.
        let Some(slot) = self.links.get_mut(link.index()) else { return BindId::new(link, 0) };
        slot.stats.requests.accepted += 1;
        record_response_time(slot);
        slot.record_acceptance();
        BindId::new(link, slot.generation)
    }

    /// Lets a bind send nothing for `delay`, because the SMSC refused a segment for the moment.
    pub(super) fn pause(&mut self, now: Instant, link: LinkId, status: CommandStatus, delay: Duration) {
        let Some(slot) = self.links.get_mut(link.index()) else { return };
        let before = slot.paused_until;
        slot.paused_until = before.max(now + delay);
        let (until, resume_in) = (slot.paused_until, slot.paused_until - now);
        let Phase::Open(open) = &mut slot.phase else { return };
        let was_paused = core::mem::replace(&mut open.is_paused, true);
        self.touch(link);
        if was_paused {
            self.pauses.remove(&(before, link));
        }
        self.pauses.insert((until, link));
        if was_paused {
            return;
        }
        if matches!(status, CommandStatus::RTHROTTLED | CommandStatus::RMSGQFUL) {
            self.emit(Event::Link { link, event: LinkEvent::Throttled { status } });
        }
        self.emit(Event::Link { link, event: LinkEvent::Paused { status, resume_in } });
    }

    /// Reports that the SMSC refused a segment which is sent again while the bind goes on: once for each status of a bind.
    pub(super) fn emit_retrying(&mut self, link: LinkId, status: CommandStatus, retry_in: Duration) {
        let Some(Phase::Open(open)) = self.links.get_mut(link.index()).map(|slot| &mut slot.phase) else {
            return;
        };
        let reported = &mut open.reported_retries;
        if reported.len() < MAX_REPORTED_RETRIES && !reported.contains(&status) {
            reported.push(status);
            self.emit(Event::Link { link, event: LinkEvent::Retrying { status, retry_in } });
        }
    }

    /// Reports the pauses that are over.
    pub(super) fn resume_links(&mut self, now: Instant) {
        while let Some(&(at, link)) = self.pauses.first()
            && at <= now
        {
            self.pauses.pop_first();
            let Some(slot) = self.links.get_mut(link.index()) else { continue };
            let Phase::Open(open) = &mut slot.phase else { continue };
            if slot.paused_until > now {
                // Another pause has followed that of an earlier session.
                self.pauses.extend(open.is_paused.then_some((slot.paused_until, link)));
            } else if core::mem::take(&mut open.is_paused) {
                self.emit(Event::Link { link, event: LinkEvent::Resumed });
            }
        }
    }

    /// Returns when the next pause is over.
    pub(super) fn next_resume(&self) -> Option<Instant> {
        self.pauses.first().map(|(at, _)| *at)
    }

    /// Reports a segment that was sent and got no response, unless a late response to an earlier attempt has ended it.
    pub(super) fn emit_in_doubt(&mut self, link: LinkId, segment: SegmentRef, reason: UnansweredReason) {
        if self.queue.is_open(segment) {
            // A message that names its bind ends with it.
            let has_bind = !matches!(reason, UnansweredReason::Closed(_)) || !self.queue.names_bind(segment);
            let resend = has_bind && self.queue.will_resend(segment);
            let SegmentRef { message, index } = segment;
            let key = self.queue.key(message);
            self.emit(Event::InDoubt { message, key, segment: index, link, reason, resend });
        }
    }
}

/// Returns the counters of a slot, those of its current session included.
fn link_stats<O: Observer>(link: &LinkSlot<O>) -> LinkStats {
    let mut stats = link.stats;
    if let Some(session) = link.session() {
        stats.session += &session.stats();
    }
    stats
}

/// Counts the time of the last response of a slot's session, if there is a new one.
#[inline]
fn record_response_time<O: Observer>(slot: &mut LinkSlot<O>) {
    if let Phase::Open(open) = &mut slot.phase {
        slot.stats.record_response(&mut open.counted, open.session.response_times());
    }
}
