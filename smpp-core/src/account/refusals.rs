//! What the account does when the SMSC refuses a segment: the actions of [`Statuses`](super::Statuses).

use core::time::Duration;

use super::event::{Event, StopCause};
use super::link::LinkId;
use super::link_slot::Phase;
use super::outcome::{SegmentNotSentReason, SegmentOutcome};
use super::queue::{AttemptResult, Resend, SegmentRef};
use super::ready_messages::Sending;
use super::sending::sending;
use super::state::Account;
use crate::pdu::CommandStatus;
use crate::provider::SubmitAction;
use crate::session::{Observer, RefusedResponse, State};
use crate::time::Instant;

/// How many segments in a row a bind refuses before the account rebinds: see [`SubmitAction::Rebind`].
const REFUSALS_BEFORE_REBIND: u8 = 2;

/// How long a segment waits that no other bind can or may send: see [`SubmitAction::Rebind`].
const REBIND_DELAY: Duration = Duration::from_secs(1);

impl<O: Observer> Account<O> {
    /// Handles the refusal of a segment. The outcome has the status.
    #[cold]
    pub(super) fn handle_refusal(
        &mut self,
        now: Instant,
        id: LinkId,
        segment: SegmentRef,
        outcome: SegmentOutcome,
    ) -> AttemptResult {
        let status = outcome.status().unwrap_or_default();
        let action = self.options.statuses.submit_action(status);
        // The refusal of a copy says nothing about others if an earlier attempt turned out to be accepted.
        let is_open = self.queue.is_open(segment);
        let destination = self.queue.destination(segment).filter(|_| is_open);
        let Some(link) = self.links.get_mut(id.index()) else { return AttemptResult::Done(outcome) };
        let health = link.health();
        if !matches!(action, SubmitAction::Rebind { .. }) {
            health.refusals_in_a_row = 0;
        }
        match action {
            SubmitAction::Refuse | SubmitAction::Stop => AttemptResult::Done(outcome),
            SubmitAction::Pause { times, delay } => {
                self.pause(now, id, status, delay);
                AttemptResult::Refused { times, resend: Resend::Queued, outcome }
            }
            SubmitAction::Retry { times, delay } => {
                match (&health.refused_destination, destination) {
                    (Some(other), Some(this)) if *other != this => self.pause(now, id, status, delay),
                    (Some(_), _) | (None, None) => {}
                    (None, this) => {
                        health.refused_destination = this;
                        if times > 0 {
                            self.emit_retrying(id, status, delay);
                        }
                    }
                }
                AttemptResult::Refused { times, resend: Resend::After(now + delay), outcome }
            }
            SubmitAction::Rebind { times } => {
                health.refusals_in_a_row = health.refusals_in_a_row.saturating_add(1);
                if health.refusals_in_a_row >= REFUSALS_BEFORE_REBIND {
                    self.rebind(now, id);
                }
                let resend = match self.other_bind(now, id) {
                    Some(other) if !self.queue.names_bind(segment) => Resend::On(other),
                    _ => Resend::After(now + REBIND_DELAY),
                };
                AttemptResult::Refused { times, resend, outcome }
            }
        }
    }

    /// Records that a bind has accepted a segment.
    pub(super) fn record_acceptance(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(id.index()) {
            link.record_acceptance();
        }
    }

    /// Returns the bind to which a segment moves that this one has refused: the one with the most capacity that can send,
    /// now or soon.
    fn other_bind(&mut self, now: Instant, id: LinkId) -> Option<LinkId> {
        self.refresh_links(now);
        if let Some(other) = self.queue.ready().least_loaded().filter(|other| *other != id) {
            return Some(other);
        }
        // It has the most capacity itself, or all are full: then each bind is looked at.
        let capacities =
            sending(&self.links, now, self.message_command()).filter_map(|(link, sending)| match sending {
                Sending::Ready { capacity } if link != id => Some((link, capacity)),
                Sending::Busy if link != id => Some((link, 0)),
                _ => None,
            });
        capacities.max_by_key(|(_, capacity)| *capacity).map(|(link, _)| link)
    }

    /// Ends a bind that refuses all messages. The account binds again after the back-off.
    fn rebind(&mut self, now: Instant, id: LinkId) {
        if let Some(Phase::Open(open)) = self.links.get_mut(id.index()).map(|link| &mut link.phase)
            && let State::Bound(_) = open.session.state()
        {
            open.bind_failed = true;
            open.session.unbind(now);
            self.touch(id);
        }
    }

    /// Returns the refusal in a result that stops the account.
    pub(super) fn stop_of(&self, result: &AttemptResult) -> Option<(CommandStatus, RefusedResponse)> {
        let AttemptResult::Done(outcome) = result else { return None };
        let status = outcome.status()?;
        if self.options.statuses.submit_action(status) != SubmitAction::Stop {
            return None;
        }
        let response = match outcome {
            SegmentOutcome::Refused { response, .. } => response.clone(),
            _ => RefusedResponse::default(),
        };
        Some((status, response))
    }

    /// Stops the account because of the status of a message. Its binds stay.
    #[cold]
    pub(super) fn stop(&mut self, now: Instant, status: CommandStatus, response: RefusedResponse) {
        self.replan_all();
        if self.stopped.replace(StopCause::Message) != Some(StopCause::Message) {
            self.emit(Event::Stopped { cause: StopCause::Message, status, response });
        }
        self.abandon_all(now, SegmentNotSentReason::Stopped);
    }
}
