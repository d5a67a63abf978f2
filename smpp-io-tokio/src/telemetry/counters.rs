//! Counters for `crate::metrics` that neither the session nor the account of the core keeps.

use smpp_core::CommandStatus;
use smpp_core::account::{Event as AccountEvent, LinkEvent, SegmentOutcome};
use smpp_core::session::{Event, Outcome};

/// The values of the label `outcome` of a request, in the order of [`RequestCounters`].
pub(crate) const REQUEST_OUTCOMES: [&str; 6] =
    ["accepted", "throttled", "refused", "nacked", "never_sent", "unanswered"];

/// The requests of one session, by outcome.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RequestCounters(pub(crate) [u64; REQUEST_OUTCOMES.len()]);

impl RequestCounters {
    #[inline]
    pub(crate) fn record<T>(&mut self, event: &Event<'_, T>) {
        let Event::Outcome { outcome, .. } = event else { return };
        let [accepted, throttled, refused, nacked, never_sent, unanswered] = &mut self.0;
        *match outcome {
            Outcome::Accepted(_) => accepted,
            Outcome::Refused { status: CommandStatus::RTHROTTLED | CommandStatus::RMSGQFUL, .. } => throttled,
            Outcome::Refused { .. } => refused,
            Outcome::Nacked(_) => nacked,
            Outcome::NeverSent(_) => never_sent,
            Outcome::Unanswered(_) => unanswered,
        } += 1;
    }
}

/// The values of the label `outcome` of a segment.
pub(crate) const SEGMENT_OUTCOMES: [&str; 5] = ["accepted", "refused", "nacked", "never_sent", "unanswered"];

/// The values of the label `type` of a delivery.
pub(crate) const DELIVERY_TYPES: [&str; 3] = ["message", "receipt", "unmatched_receipt"];

/// The values of the label `outcome` of an attempt to bind.
pub(crate) const BIND_OUTCOMES: [&str; 3] = ["bound", "refused", "connect_failed"];

/// The counters of one account. Each array has the order of its labels.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AccountCounters {
    pub(crate) segments: [u64; SEGMENT_OUTCOMES.len()],
    pub(crate) delivered: [u64; DELIVERY_TYPES.len()],
    pub(crate) binds: [u64; BIND_OUTCOMES.len()],
    /// Segments whose receipts have expired.
    pub(crate) receipts_expired: u64,
}

impl AccountCounters {
    pub(crate) fn record(&mut self, event: &AccountEvent) {
        let [message, receipt, unmatched] = &mut self.delivered;
        let [bound, refused, connect_failed] = &mut self.binds;
        match event {
            AccountEvent::Outcome { outcome, .. } => {
                outcome.segments.iter().for_each(|segment| self.record_segment(segment));
            }
            AccountEvent::Receipt { matched: Some(_), .. } => *receipt += 1,
            AccountEvent::Receipt { matched: None, .. } => *unmatched += 1,
            AccountEvent::Message { .. } => *message += 1,
            AccountEvent::ReceiptsExpired { ids, .. } => self.receipts_expired += ids.len() as u64,
            AccountEvent::Link { event, .. } => match event {
                LinkEvent::Bound { .. } => *bound += 1,
                LinkEvent::BindRefused { .. } => *refused += 1,
                LinkEvent::ConnectFailed { .. } | LinkEvent::ResolveFailed { .. } => *connect_failed += 1,
                _ => {}
            },
            _ => {}
        }
    }

    fn record_segment(&mut self, outcome: &SegmentOutcome) {
        let [accepted, refused, nacked, never_sent, unanswered] = &mut self.segments;
        match outcome {
            SegmentOutcome::Accepted { .. } => *accepted += 1,
            SegmentOutcome::Refused { .. } => *refused += 1,
            SegmentOutcome::Nacked(_) => *nacked += 1,
            SegmentOutcome::NeverSent(_) => *never_sent += 1,
            SegmentOutcome::Unanswered(_) => *unanswered += 1,
            _ => {}
        }
    }
}
