//! The counters of an account.

use alloc::vec::Vec;
use core::ops::AddAssign;

use super::event::Event;
use super::link::LinkEvent;
use super::outcome::SegmentOutcome;
use crate::session::{Histogram, RequestCounts, ResponseTimes, Stats};

/// The counters of an account since its start, across all its sessions, and its queues at this moment.
/// [`Account::stats`](super::Account::stats) returns them.
///
/// ```
/// use smpp_proto::account::{Account, Credentials, Options};
/// use smpp_proto::provider::Provider;
/// use smpp_proto::session::Instant;
///
/// let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::EIGHT_BY_EIGHT);
/// let account = Account::<()>::new(options, Instant::ZERO)?;
/// let stats = account.stats();
/// println!(
///     "{} accepted, {} throttled, 99 % of the responses within {:?}",
///     stats.total.requests.accepted,
///     stats.total.requests.throttled,
///     stats.total.response_histogram.quantile(0.99),
/// );
/// assert_eq!((stats.queued, stats.links.len()), (0, 4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountStats {
    /// The sum of [`links`](Self::links).
    pub total: LinkStats,
    /// The counters of each connection slot, in the order of the ids: of its ended sessions and of the one that it has now.
    /// A slot that was removed because [`max_binds`](super::Options::max_binds) became smaller keeps its place here.
    pub links: Vec<LinkStats>,
    /// The counters that belong to no connection.
    pub counters: AccountCounters,
    /// Segments that wait in the queue or are in flight now.
    pub queued: usize,
    /// Segments that wait for their final delivery receipt now: see
    /// [`Account::pending_receipts`](super::Account::pending_receipts).
    pub pending_receipts: usize,
    /// Segments that count against [`ReceiptOptions::capacity`](super::ReceiptOptions::capacity) now: see
    /// [`Account::tracked_receipts`](super::Account::tracked_receipts).
    pub tracked_receipts: usize,
}

/// The counters of one connection slot over the account's life: of all its sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkStats {
    /// The counters of the sessions, summed. `in_flight`, `timed_out` and `unanswered` are those of the current session.
    pub session: Stats,
    /// The requests of the account, binds included, by outcome. A segment that is resent counts each time.
    pub requests: RequestCounts,
    /// The response times of these requests, late responses included.
    pub response_histogram: Histogram,
    /// How many sessions have begun.
    pub sessions: u64,
    /// How many binds the SMSC accepted.
    pub bound: u64,
}

impl LinkStats {
    /// Returns how often the slot was bound again after its first bind.
    pub const fn rebinds(&self) -> u64 {
        self.bound.saturating_sub(1)
    }

    /// Counts an event of the slot.
    pub(super) const fn record(&mut self, event: &LinkEvent) {
        match event {
            LinkEvent::Binding { .. } => self.sessions += 1,
            LinkEvent::Bound { .. } => self.bound += 1,
            _ => {}
        }
    }

    /// Counts the time of a response, if one has arrived. `counted` are the response times of its session that were counted
    /// before: a session counts one response at a time.
    #[inline(always)]
    pub(super) fn record_response(&mut self, counted: &mut ResponseTimes, times: &ResponseTimes) {
        if times.count() > counted.count() {
            self.response_histogram.record_nanos(times.nanos_since(counted));
        }
        *counted = *times;
    }

    /// Adds the counters of a session that has ended.
    pub(super) fn end_session(&mut self, session: &Stats) {
        self.session += &Stats { in_flight: 0, timed_out: 0, unanswered: 0, ..*session };
    }
}

impl AddAssign<&Self> for LinkStats {
    fn add_assign(&mut self, other: &Self) {
        self.session += &other.session;
        self.requests += &other.requests;
        self.response_histogram += &other.response_histogram;
        self.sessions += other.sessions;
        self.bound += other.bound;
    }
}

/// The counters of an account that belong to no connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountCounters {
    /// Segments that the SMSC accepted.
    pub segments_accepted: u64,
    /// Segments that the SMSC refused for good.
    pub segments_refused: u64,
    /// Segments that the SMSC did not understand (generic_nack).
    pub segments_nacked: u64,
    /// Segments that were never sent.
    pub segments_never_sent: u64,
    /// Segments that were sent, and ended without a response.
    pub segments_unanswered: u64,
    /// Attempts to send a segment that got no response ([`Event::InDoubt`]), resent ones included.
    pub in_doubt: u64,
    /// Responses that arrived after the outcome of their message ([`Event::LateOutcome`]).
    pub late_outcomes: u64,
    /// Binds that the SMSC refused or did not answer.
    pub binds_refused: u64,
    /// Connections that were not made, and host names that were not resolved.
    pub connects_failed: u64,
    /// Sessions that have ended.
    pub links_closed: u64,
    /// Pauses of a bind after a refusal for the moment.
    pub pauses: u64,
    /// Delivery receipts that belong to a message of the account.
    pub receipts_matched: u64,
    /// Delivery receipts that the account could not match.
    pub receipts_unmatched: u64,
    /// Segments whose delivery receipts did not arrive in time.
    pub receipts_expired: u64,
    /// Mobile-originated messages, concatenated ones once.
    pub messages_received: u64,
}

impl AccountCounters {
    /// Counts an event.
    pub(super) fn record(&mut self, event: &Event) {
        match event {
            Event::Outcome { outcome, .. } => {
                outcome.segments.iter().for_each(|segment| self.record_segment(segment));
            }
            Event::InDoubt { .. } => self.in_doubt += 1,
            Event::LateOutcome { .. } => self.late_outcomes += 1,
            Event::Receipt { matched: Some(_), .. } => self.receipts_matched += 1,
            Event::Receipt { matched: None, .. } => self.receipts_unmatched += 1,
            Event::ReceiptsExpired { ids, .. } => self.receipts_expired += ids.len() as u64,
            Event::Message { .. } => self.messages_received += 1,
            Event::Link { event, .. } => match event {
                LinkEvent::BindRefused { .. } => self.binds_refused += 1,
                LinkEvent::ConnectFailed { .. } | LinkEvent::ResolveFailed { .. } => {
                    self.connects_failed += 1;
                }
                LinkEvent::Closed { .. } => self.links_closed += 1,
                LinkEvent::Paused { .. } => self.pauses += 1,
                _ => {}
            },
            _ => {}
        }
    }

    fn record_segment(&mut self, outcome: &SegmentOutcome) {
        *match outcome {
            SegmentOutcome::Accepted { .. } => &mut self.segments_accepted,
            SegmentOutcome::Refused { .. } => &mut self.segments_refused,
            SegmentOutcome::Nacked(_) => &mut self.segments_nacked,
            SegmentOutcome::NeverSent(_) => &mut self.segments_never_sent,
            SegmentOutcome::Unanswered(_) => &mut self.segments_unanswered,
        } += 1;
    }
}
