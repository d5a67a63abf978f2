//! The counters of a session.

use core::ops::AddAssign;
use core::time::Duration;

use super::outcome::Outcome;
use crate::pdu::{CommandId, CommandStatus};

/// The counters of one session since its start. [`Session::stats`](super::Session::stats) returns them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// PDUs encoded, by kind.
    pub sent: Traffic,
    /// PDUs received, by kind. Malformed PDUs count.
    pub received: Traffic,
    /// Octets that the transport has accepted. The difference to the octets in [`sent`](Self::sent) waits.
    pub transmitted: u64,
    /// Requests of this side that are in flight now: accepted and without an outcome.
    pub in_flight: u16,
    /// Requests of this side that have timed out and still hold a place in the window, at this moment.
    pub timed_out: u16,
    /// Requests of the peer that wait for the application's response now.
    pub unanswered: u16,
    /// Responses to requests that had timed out: [`Event::LateResponse`](super::Event::LateResponse).
    pub late_responses: u64,
    /// Responses that match no request in flight: [`Event::UnexpectedResponse`](super::Event::UnexpectedResponse).
    pub unexpected_responses: u64,
    /// PDUs with tolerated deviations from the specification.
    pub quirks: u64,
    /// Malformed PDUs of the peer, without unknown commands: [`Event::Malformed`](super::Event::Malformed), and responses
    /// whose body cannot be decoded.
    pub malformed: u64,
    /// PDUs of the peer with an unknown `command_id`.
    pub unknown_commands: u64,
    /// Requests of the peer that the session refused by itself: [`Event::Refused`](super::Event::Refused).
    pub refused: u64,
    /// Requests of this side that had no response within [`response_timeout`](super::Config::response_timeout).
    pub timeouts: u64,
    /// Requests of this side that the peer refused for now: `ESME_RTHROTTLED` or `ESME_RMSGQFUL`.
    pub throttled: u64,
    /// How long the peer takes to respond to requests of this side.
    pub response_times: ResponseTimes,
}

/// Adds the counters of two sessions. The smoothed response time of the sum is that of the session with more responses.
impl AddAssign<&Self> for Stats {
    fn add_assign(&mut self, other: &Self) {
        self.sent += &other.sent;
        self.received += &other.received;
        self.transmitted += other.transmitted;
        self.in_flight = self.in_flight.saturating_add(other.in_flight);
        self.timed_out = self.timed_out.saturating_add(other.timed_out);
        self.unanswered = self.unanswered.saturating_add(other.unanswered);
        self.late_responses += other.late_responses;
        self.unexpected_responses += other.unexpected_responses;
        self.quirks += other.quirks;
        self.malformed += other.malformed;
        self.unknown_commands += other.unknown_commands;
        self.refused += other.refused;
        self.timeouts += other.timeouts;
        self.throttled += other.throttled;
        self.response_times += &other.response_times;
    }
}

/// The requests of one side that are completed, by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestCounts {
    /// A response with `ESME_ROK`.
    pub accepted: u64,
    /// A response with `ESME_RTHROTTLED` or `ESME_RMSGQFUL`.
    pub throttled: u64,
    /// A response with another status.
    pub refused: u64,
    /// A generic_nack.
    pub nacked: u64,
    /// Not sent: safe to resend.
    pub never_sent: u64,
    /// Sent, without a response: the peer may have accepted it.
    pub unanswered: u64,
}

impl RequestCounts {
    /// Counts the outcome of a request.
    #[inline]
    pub fn record(&mut self, outcome: &Outcome<'_>) {
        *match outcome {
            Outcome::Accepted(_) => &mut self.accepted,
            Outcome::Refused { status: CommandStatus::RTHROTTLED | CommandStatus::RMSGQFUL, .. } => {
                &mut self.throttled
            }
            Outcome::Refused { .. } => &mut self.refused,
            Outcome::Nacked(_) => &mut self.nacked,
            Outcome::NeverSent(_) => &mut self.never_sent,
            Outcome::Unanswered(_) => &mut self.unanswered,
        } += 1;
    }

    /// Returns the count of each outcome, with its name: the label `outcome` of the metrics.
    pub const fn by_outcome(&self) -> [(&'static str, u64); 6] {
        [
            ("accepted", self.accepted),
            ("throttled", self.throttled),
            ("refused", self.refused),
            ("nacked", self.nacked),
            ("never_sent", self.never_sent),
            ("unanswered", self.unanswered),
        ]
    }
}

impl AddAssign<&Self> for RequestCounts {
    fn add_assign(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.throttled += other.throttled;
        self.refused += other.refused;
        self.nacked += other.nacked;
        self.never_sent += other.never_sent;
        self.unanswered += other.unanswered;
    }
}

/// The kind of a PDU, for the counters. A response has the kind of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The three binds and outbind.
    Bind,
    /// PDUs that carry a message: submit_sm, submit_multi, deliver_sm, data_sm, broadcast_sm.
    Message,
    /// Requests about earlier messages: query_sm, cancel_sm, replace_sm, query_broadcast_sm, cancel_broadcast_sm.
    Manage,
    /// enquire_link.
    EnquireLink,
    /// unbind.
    Unbind,
    /// generic_nack, alert_notification, and unknown commands.
    Other,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::Bind, Self::Message, Self::Manage, Self::EnquireLink, Self::Unbind, Self::Other];

    /// Returns the kind of a request or response.
    pub const fn of(command: CommandId) -> Self {
        if command.request().is_message() { Self::Message } else { Self::of_other(command) }
    }

    #[cold]
    const fn of_other(command: CommandId) -> Self {
        match command.request() {
            CommandId::ENQUIRE_LINK => Self::EnquireLink,
            CommandId::QUERY_SM
            | CommandId::CANCEL_SM
            | CommandId::REPLACE_SM
            | CommandId::QUERY_BROADCAST_SM
            | CommandId::CANCEL_BROADCAST_SM => Self::Manage,
            CommandId::BIND_RECEIVER
            | CommandId::BIND_TRANSMITTER
            | CommandId::BIND_TRANSCEIVER
            | CommandId::OUTBIND => Self::Bind,
            CommandId::UNBIND => Self::Unbind,
            _ => Self::Other,
        }
    }
}

/// The number of PDUs of one kind in one direction, and their octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Count {
    /// Requests, and PDUs that have no response.
    pub requests: u64,
    /// Responses.
    pub responses: u64,
    /// Octets of requests and responses, headers included.
    pub octets: u64,
}

impl Count {
    /// Returns the number of requests and responses.
    pub const fn pdus(self) -> u64 {
        self.requests + self.responses
    }
}

impl AddAssign<&Self> for Count {
    fn add_assign(&mut self, other: &Self) {
        self.requests += other.requests;
        self.responses += other.responses;
        self.octets += other.octets;
    }
}

/// The PDUs in one direction, counted by [`Kind`].
///
/// ```
/// use smpp_proto::session::{Config, Esme, Instant, Kind, Session};
/// let now = Instant::ZERO;
/// let mut session = Session::<Esme, ()>::new(Config::default(), now);
/// session.request(now, &smpp_proto::Bind::default(), ()).unwrap();
/// let sent = session.stats().sent;
/// assert_eq!((sent.of(Kind::Bind).requests, sent.total().octets), (1, 23));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic([Count; Kind::ALL.len()]);

impl Traffic {
    /// Returns the count of this kind.
    pub fn of(&self, kind: Kind) -> Count {
        self.0.get(kind as usize).copied().unwrap_or_default()
    }

    /// Returns the count of all PDUs.
    pub fn total(&self) -> Count {
        self.0.iter().fold(Count::default(), |mut sum, count| {
            sum += count;
            sum
        })
    }

    #[inline]
    pub(super) fn count(&mut self, command: CommandId, octets: usize) {
        if let Some(count) = self.0.get_mut(Kind::of(command) as usize) {
            if command.is_response() {
                count.responses += 1;
            } else {
                count.requests += 1;
            }
            count.octets += octets as u64;
        }
    }
}

impl AddAssign<&Self> for Traffic {
    fn add_assign(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(count, more)| *count += more);
    }
}

/// The times from a request of this side to its response. The session's own enquire_link and unbind do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseTimes {
    count: u64,
    total: u64,
    shortest: u64,
    longest: u64,
    smoothed: u64,
}

impl ResponseTimes {
    /// Returns how many responses were counted.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Returns the sum of all response times.
    pub const fn total(&self) -> Duration {
        Duration::from_nanos(self.total)
    }

    /// Returns the sum of the response times that were counted after `before`, in nanoseconds.
    #[inline]
    pub(crate) const fn nanos_since(&self, before: &Self) -> u64 {
        self.total.saturating_sub(before.total)
    }

    /// Returns the mean of all response times; `None` before the first response.
    pub fn mean(&self) -> Option<Duration> {
        Some(Duration::from_nanos(self.total.checked_div(self.count)?))
    }

    /// Returns the shortest response time; `None` before the first response.
    pub fn shortest(&self) -> Option<Duration> {
        self.if_counted(self.shortest)
    }

    /// Returns the longest response time; `None` before the first response.
    pub fn longest(&self) -> Option<Duration> {
        self.if_counted(self.longest)
    }

    /// Returns the exponentially smoothed response time: each response has a weight of 1/8. `None` before the first
    /// response.
    pub fn smoothed(&self) -> Option<Duration> {
        self.if_counted(self.smoothed)
    }

    fn if_counted(&self, nanos: u64) -> Option<Duration> {
        (self.count > 0).then(|| Duration::from_nanos(nanos))
    }

    #[inline]
    pub(super) fn count_response(&mut self, nanos: u64) {
        let first = self.count == 0;
        self.count += 1;
        self.total = self.total.saturating_add(nanos);
        self.shortest = if first { nanos } else { self.shortest.min(nanos) };
        self.longest = self.longest.max(nanos);
        self.smoothed = if first { nanos } else { self.smoothed - self.smoothed / 8 + nanos / 8 };
    }
}

impl AddAssign<&Self> for ResponseTimes {
    fn add_assign(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        *self = Self {
            count: self.count + other.count,
            total: self.total.saturating_add(other.total),
            shortest: if self.count == 0 { other.shortest } else { self.shortest.min(other.shortest) },
            longest: self.longest.max(other.longest),
            smoothed: if self.count > other.count { self.smoothed } else { other.smoothed },
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_times_have_sum_mean_extremes_and_smoothed_value() {
        let mut times = ResponseTimes::default();
        assert_eq!((times.mean(), times.smoothed()), (None, None));
        for millis in [80, 160, 0] {
            times.count_response(millis * 1_000_000);
        }
        assert_eq!((times.count(), times.total()), (3, Duration::from_millis(240)));
        let millis = |millis| Some(Duration::from_millis(millis));
        assert_eq!((times.shortest(), times.mean(), times.longest()), (millis(0), millis(80), millis(160)));
        // 80, then 70 + 20, then 90 - 11.25.
        assert_eq!(times.smoothed(), Some(Duration::from_micros(78_750)));
    }

    #[test]
    fn each_kind_has_its_own_counter() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
        }
    }

    #[test]
    fn the_sum_of_two_sessions_has_all_their_counters() {
        let mut first = Stats { transmitted: 1, in_flight: 2, quirks: 3, throttled: 4, ..Stats::default() };
        first.sent.count(CommandId::SUBMIT_SM, 50);
        let mut second = Stats { timeouts: 5, late_responses: 6, ..first };
        second.received.count(CommandId::SUBMIT_SM_RESP, 20);
        second.response_times.count_response(70);
        second.response_times.count_response(30);
        let mut sum = first;
        sum += &second;
        assert_eq!((sum.transmitted, sum.in_flight, sum.quirks, sum.throttled), (2, 4, 6, 8));
        assert_eq!((sum.timeouts, sum.late_responses), (5, 6));
        assert_eq!(sum.sent.of(Kind::Message), Count { requests: 2, responses: 0, octets: 100 });
        assert_eq!(sum.received.total(), Count { requests: 0, responses: 1, octets: 20 });
        assert_eq!(sum.response_times, second.response_times, "the first session has no response");
        sum += &second;
        let nanos = |nanos| Some(Duration::from_nanos(nanos));
        assert_eq!((sum.response_times.count(), sum.response_times.total()), (4, Duration::from_nanos(200)));
        assert_eq!((sum.response_times.shortest(), sum.response_times.longest()), (nanos(30), nanos(70)));
    }
}
