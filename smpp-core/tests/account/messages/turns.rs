//! In which order the segments are sent, and on which bind.

use smpp_proto::session::Instant;

use super::super::log::ConnectionId;
use super::stops::Abandoned;
use super::{Messages, Segment, Sender, State};

impl Messages {
    /// Checks that the segments of one message go on one bind in order, as long as that bind can send. A bind that is being
    /// ended sends nothing more.
    pub(super) fn check_route(&mut self, at: Instant, index: usize, segment: u8, connection: ConnectionId) {
        assert!(!self.ended.contains(&connection), "a message left the bind, and another one goes on it");
        let message = &self.all[index];
        let Some((before, last)) =
            message.last_sent.filter(|_| !self.options.spread_segments && message.segments.len() > 1)
        else {
            return;
        };
        let response = self.options.session.response_timeout;
        let is_fresh = |segment: &Segment| {
            let timed_out = matches!(segment.state, State::InFlight(_, _, sent) if at - sent >= response);
            segment.refused.is_empty() && !timed_out
        };
        let is_first_attempt = !message.was_in_doubt && message.segments.iter().all(is_fresh);
        assert!(!is_first_attempt || segment > last, "segments out of order");
        let is_paused =
            |sender: &Sender| sender.is_unclear || sender.paused_until.is_some_and(|until| until > at);
        let can_send = self.bound.contains(&before) && !self.senders.get(&before).is_some_and(is_paused);
        if before != connection && !message.moved && can_send {
            self.ended.push(before);
        }
    }

    /// Checks that no other segment should have been sent first.
    pub(super) fn check_turn(&self, at: Instant, index: usize, segment: u8) {
        let sent = &self.all[index];
        let in_doubt = |segment: &Segment| match segment.state {
            State::InFlight(_, _, sent) => at - sent >= self.options.session.response_timeout,
            state => state == State::InDoubt,
        };
        for other_index in &self.open {
            let other = &self.all[*other_index];
            if other.lane.is_some() && other.lane == sent.lane && *other_index < index {
                let waits = |segment: &Segment| match segment.state {
                    State::Waiting => true,
                    State::InFlight(_, _, sent) => at - sent < self.options.session.response_timeout,
                    State::InDoubt | State::Done => false,
                };
                // A response that was nearly too late may have ended it.
                let may_wait = !other.failed && !other.cancelled && !other.was_answered_too_late;
                let in_time = other.deadline.is_none_or(|deadline| at < deadline);
                let bind_ended = other.named.is_some_and(|named| !self.alive.contains(&named));
                let overtaken = may_wait && in_time && !bind_ended && other.segments.iter().all(waits);
                assert!(!overtaken, "{index} overtakes {other_index} in its lane");
            }
            let released = other.lane.is_none_or(|lane| {
                self.open.iter().all(|before| {
                    before >= other_index
                        || self.all[*before].lane != Some(lane)
                        || self.all[*before].is_done()
                })
            });
            // Others may wait for their bind, or for the end of a delay.
            let is_fresh = other.segments.iter().all(|segment| segment.refused.is_empty())
                && (self.options.spread_segments || other.segments.len() == 1 || other.last_sent.is_none());
            let ready = released
                && is_fresh
                && !other.moved
                && other.named.is_none()
                && !other.was_in_doubt
                && !other.segments.iter().any(in_doubt)
                && !other.failed
                && !other.cancelled
                && other.abandoned == Abandoned::No
                && other.deadline.is_none_or(|deadline| at < deadline);
            let before = |number: usize| {
                other.priority > sent.priority
                    || (other.priority == sent.priority
                        && (*other_index, number) < (index, usize::from(segment)))
            };
            let missed =
                |(number, segment): (usize, &Segment)| segment.state == State::Waiting && before(number);
            assert!(
                !(ready && other.segments.iter().enumerate().any(missed)),
                "{index} is sent before {other_index}, which should go first"
            );
        }
    }
}
