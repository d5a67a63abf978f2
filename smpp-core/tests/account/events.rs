//! A model of the event stream: the order of the events of each connection slot, and the counters that follow from them.

use std::collections::BTreeSet;

use smpp_proto::account::{
    AccountEvent, AccountStats, Event, LinkEvent, MessageNumber, Options, SegmentOutcome,
};
use smpp_proto::session::Kind;

use super::log::LoggedPdu;
use super::messages::{Seen, Verdict};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SlotEvents {
    Disconnected,
    Binding,
    BindRefused,
    Bound { paused: bool, unbound: bool },
}

/// What the events and the log say that the counters must be.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    bound: u64,
    sessions: u64,
    binds_refused: u64,
    connects_failed: u64,
    links_closed: u64,
    pauses: u64,
    in_doubt: u64,
    late_outcomes: u64,
    accepted: u64,
    refused: u64,
    nacked: u64,
    never_sent: u64,
    unanswered: u64,
    matched: u64,
    unmatched: u64,
    expired: u64,
    messages: u64,
}

pub(crate) struct EventModel {
    slots: Vec<SlotEvents>,
    counts: Counts,
    /// The segments that were reported as in doubt.
    in_doubt: BTreeSet<(MessageNumber, u8)>,
    /// The messages that the account has sent, and their responses.
    submitted: u64,
    /// The generic_nacks of the SMSC.
    nacked: u64,
    answered: u64,
    /// The requests about messages that it has sent, and their responses.
    requested: u64,
    requests_answered: u64,
    /// The requests about messages that the SMSC has accepted.
    requests_accepted: u64,
    delivered: u64,
}

impl EventModel {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            slots: vec![SlotEvents::Disconnected; options.max_binds.into()],
            counts: Counts::default(),
            in_doubt: BTreeSet::new(),
            submitted: 0,
            nacked: 0,
            answered: 0,
            requested: 0,
            requests_answered: 0,
            requests_accepted: 0,
            delivered: 0,
        }
    }

    /// Counts an entry of the log of the account's sessions.
    pub(crate) fn count_pdu(&mut self, pdu: &LoggedPdu) {
        *match pdu {
            LoggedPdu::Submitted { .. } => &mut self.submitted,
            LoggedPdu::Requested { .. } => &mut self.requested,
            LoggedPdu::RequestAnswered => &mut self.requests_answered,
            LoggedPdu::Answered { .. } => &mut self.answered,
            LoggedPdu::Nacked { .. } => &mut self.nacked,
            LoggedPdu::Delivered { .. } | LoggedPdu::Unreadable => &mut self.delivered,
            LoggedPdu::Notified { .. } => return,
        } += 1;
    }

    /// Checks an event, and returns its kind if the event stream shows it.
    pub(crate) fn handle(&mut self, event: &Event) -> Option<&'static str> {
        self.count(event);
        let shown = AccountEvent::new(event)?;
        for text in [shown.to_string(), format!("{shown:?}")] {
            assert!(!text.contains("s3cret") && !text.contains('\n'), "{text}");
        }
        if let AccountEvent::Link { link, event, .. } = &shown {
            self.handle_link_event(link.index(), event);
        }
        if let AccountEvent::Closed { .. } = &shown {
            let open = self.slots.iter().filter(|slot| **slot != SlotEvents::Disconnected);
            assert_eq!(open.count(), 0, "a connection is open at the end");
        }
        Some(shown.kind())
    }

    fn handle_link_event(&mut self, slot: usize, event: &LinkEvent) {
        let slot = &mut self.slots[slot];
        let before = *slot;
        *slot = match (before, event) {
            (SlotEvents::Disconnected, LinkEvent::Binding { .. }) => SlotEvents::Binding,
            (SlotEvents::Binding, LinkEvent::Bound { .. }) => {
                SlotEvents::Bound { paused: false, unbound: false }
            }
            (SlotEvents::Binding, LinkEvent::BindRefused { .. }) => SlotEvents::BindRefused,
            (SlotEvents::Bound { paused: false, .. }, LinkEvent::Throttled { .. })
            | (SlotEvents::Bound { .. }, LinkEvent::Retrying { .. }) => before,
            (SlotEvents::Bound { paused: false, unbound }, LinkEvent::Paused { .. }) => {
                SlotEvents::Bound { paused: true, unbound }
            }
            (SlotEvents::Bound { paused: true, unbound }, LinkEvent::Resumed) => {
                SlotEvents::Bound { paused: false, unbound }
            }
            (SlotEvents::Bound { paused, unbound: false }, LinkEvent::PeerUnbind) => {
                SlotEvents::Bound { paused, unbound: true }
            }
            (SlotEvents::Disconnected, LinkEvent::ResolveFailed { .. } | LinkEvent::ConnectFailed { .. })
            | (SlotEvents::Bound { .. } | SlotEvents::BindRefused, LinkEvent::Closed { .. }) => {
                SlotEvents::Disconnected
            }
            _ => panic!("{event:?} after {before:?}"),
        };
    }

    fn count(&mut self, event: &Event) {
        let counts = &mut self.counts;
        match event {
            Event::Outcome { message, outcome, .. } => {
                for (outcome, segment) in outcome.segments.iter().zip(0..) {
                    *match outcome {
                        SegmentOutcome::Accepted { .. } => &mut counts.accepted,
                        SegmentOutcome::Refused { .. } => &mut counts.refused,
                        SegmentOutcome::Nacked(_) => &mut counts.nacked,
                        SegmentOutcome::NeverSent(_) => &mut counts.never_sent,
                        SegmentOutcome::Unanswered(_) => {
                            let was_reported = self.in_doubt.contains(&(*message, segment));
                            assert!(
                                was_reported,
                                "{message}, {segment}: unanswered, and not in doubt before"
                            );
                            &mut counts.unanswered
                        }
                        other => panic!("{other:?}"),
                    } += 1;
                }
            }
            Event::InDoubt { message, segment, .. } => {
                self.in_doubt.insert((*message, *segment));
                counts.in_doubt += 1;
            }
            Event::LateOutcome { message, segment, .. } => {
                let was_reported = self.in_doubt.contains(&(*message, *segment));
                assert!(was_reported, "a late outcome of a segment that was not in doubt");
                counts.late_outcomes += 1;
            }
            Event::Receipt { matched, .. } => {
                *if matched.is_some() { &mut counts.matched } else { &mut counts.unmatched } += 1;
            }
            Event::RequestOutcome { result, .. } => self.requests_accepted += u64::from(result.is_ok()),
            Event::ReceiptsExpired { ids, .. } => counts.expired += ids.len() as u64,
            Event::Message { .. } => counts.messages += 1,
            Event::Link { event, .. } => match event {
                LinkEvent::Binding { .. } => counts.sessions += 1,
                LinkEvent::Bound { .. } => counts.bound += 1,
                LinkEvent::BindRefused { .. } => counts.binds_refused += 1,
                LinkEvent::ResolveFailed { .. } | LinkEvent::ConnectFailed { .. } => {
                    counts.connects_failed += 1;
                }
                LinkEvent::Paused { .. } => counts.pauses += 1,
                LinkEvent::Closed { .. } => counts.links_closed += 1,
                _ => {}
            },
            _ => {}
        }
    }

    /// Compares the counters of the whole life of the account with the events, the log, and what the SMSC has received.
    pub(crate) fn check_end(&self, stats: &AccountStats, seen: &[Seen]) {
        let (total, counters) = (&stats.total, &stats.counters);
        let counted = Counts {
            bound: total.bound,
            sessions: total.sessions,
            binds_refused: counters.binds_refused,
            connects_failed: counters.connects_failed,
            links_closed: counters.links_closed,
            pauses: counters.pauses,
            in_doubt: counters.in_doubt,
            late_outcomes: counters.late_outcomes,
            accepted: counters.segments_accepted,
            refused: counters.segments_refused,
            nacked: counters.segments_nacked,
            never_sent: counters.segments_never_sent,
            unanswered: counters.segments_unanswered,
            matched: counters.receipts_matched,
            unmatched: counters.receipts_unmatched,
            expired: counters.receipts_expired,
            messages: counters.messages_received,
        };
        assert_eq!(counted, self.counts, "the counters and the events");
        assert_eq!(total.sessions, counters.links_closed, "every session has ended");

        let session = &total.session;
        assert_eq!((session.in_flight, session.timed_out, session.unanswered), (0, 0, 0));
        let (sent, received) = (session.sent.of(Kind::Message), session.received.of(Kind::Message));
        assert_eq!(sent.requests, self.submitted, "every submit_sm is counted");
        assert_eq!((received.responses, received.requests), (self.answered, self.delivered));

        let requests = total.requests;
        let responded = requests.accepted + requests.throttled + requests.refused + requests.nacked;
        let timed = session.response_times.count();
        assert_eq!(timed, responded + session.late_responses, "every response is timed");
        assert_eq!(total.response_histogram.count(), timed, "every response is in the histogram");
        let late = session.late_responses;
        assert!((requests.throttled..=requests.throttled + late).contains(&session.throttled));
        let binds = session.received.of(Kind::Bind).responses;
        let unused = session.late_responses + session.unexpected_responses;
        let responses = self.answered + self.requests_answered + binds;
        // A generic_nack may refuse what is no request of these.
        assert!(responded <= responses + self.nacked && responded + unused >= responses);
        assert_eq!(
            responded + requests.never_sent + requests.unanswered,
            self.submitted + self.requested + total.sessions,
            "every request has one outcome"
        );

        let accepted = seen.iter().filter(|seen| matches!(seen.verdict, Verdict::Accepted(_))).count() as u64;
        assert!(seen.len() as u64 <= self.submitted, "the SMSC has received more than was sent");
        let counted = requests.accepted - total.bound - self.requests_accepted;
        assert!(counted <= accepted, "more is counted than the SMSC has accepted");
        assert!(counters.segments_accepted <= accepted);
        let lost = requests.never_sent + requests.unanswered + unused;
        assert!(accepted <= counted + lost, "an acceptance is not counted");

        let mut sum = smpp_proto::account::LinkStats::default();
        stats.links.iter().for_each(|link| sum += link);
        assert_eq!((sum.requests, sum.session.sent), (requests, session.sent), "the sum of all slots");
    }
}
