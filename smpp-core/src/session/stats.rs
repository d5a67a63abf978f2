//! What a session counts.

use core::time::Duration;

use crate::pdu::CommandId;

/// Counters of one session, since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// PDUs encoded, by kind.
    pub sent: Traffic,
    /// PDUs read, by kind, those that are malformed included.
    pub received: Traffic,
    /// Octets handed to the transport: what is sent and not among them waits.
    pub transmitted: u64,
    /// Requests of ours without an outcome at this moment.
    pub in_flight: u16,
    /// Requests of the peer that the application has not answered at this moment.
    pub unanswered: u16,
    /// Responses to nothing.
    pub unexpected_responses: u64,
    /// PDUs read with tolerated deviations.
    pub quirks: u64,
    /// PDUs that could not be read, unknown commands aside.
    pub malformed: u64,
    /// Requests of the peer that the session refused by itself.
    pub refused: u64,
    /// Requests of ours that were not answered in time.
    pub timeouts: u64,
    /// Requests of ours that the peer had no room for: `ESME_RTHROTTLED`, `ESME_RMSGQFUL`.
    pub throttled: u64,
    /// How long the peer takes to respond.
    pub response_times: ResponseTimes,
}

/// What PDUs are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The three binds, outbind.
    Bind,
    /// What carries a message: submit_sm, submit_multi, deliver_sm, data_sm, broadcast_sm.
    Message,
    /// What is asked about messages sent before: query_sm, cancel_sm, replace_sm and those for broadcasts.
    Manage,
    /// enquire_link.
    EnquireLink,
    /// unbind.
    Unbind,
    /// generic_nack, alert_notification, and commands that are unknown.
    Other,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Bind, Self::Message, Self::Manage, Self::EnquireLink, Self::Unbind, Self::Other];

    /// That of a request, and of its response.
    pub const fn of(command: CommandId) -> Self {
        if command.request().is_message() { Self::Message } else { Self::of_no_message(command) }
    }

    #[cold]
    const fn of_no_message(command: CommandId) -> Self {
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

/// PDUs of one kind in one direction, and their octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Requests, and what has no response.
    pub requests: u64,
    /// Responses.
    pub responses: u64,
    /// Octets of both, headers included.
    pub octets: u64,
}

impl Count {
    /// Requests and responses.
    pub const fn pdus(self) -> u64 {
        self.requests + self.responses
    }
}

/// What went in one direction.
///
/// ```
/// use smpp_core::session::{Config, Esme, Instant, Kind, Session};
/// let now = Instant::ZERO;
/// let mut session = Session::<Esme, ()>::new(Config::default(), now);
/// session.request(now, &smpp_core::Bind::default(), ()).unwrap();
/// let sent = session.stats().sent;
/// assert_eq!((sent.of(Kind::Bind).requests, sent.total().octets), (1, 23));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic([Count; Kind::ALL.len()]);

impl Traffic {
    /// PDUs of this kind.
    pub fn of(&self, kind: Kind) -> Count {
        self.0.get(kind as usize).copied().unwrap_or_default()
    }

    /// All PDUs.
    pub fn total(&self) -> Count {
        self.0.iter().fold(Count::default(), |sum, count| Count {
            requests: sum.requests + count.requests,
            responses: sum.responses + count.responses,
            octets: sum.octets + count.octets,
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

/// From a request of ours to its response, probes of the link aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseTimes {
    count: u64,
    total: u64,
    shortest: u64,
    longest: u64,
    smoothed: u64,
}

impl ResponseTimes {
    /// Responses counted.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The sum of all.
    pub const fn total(&self) -> Duration {
        Duration::from_nanos(self.total)
    }

    /// The mean of all.
    pub fn mean(&self) -> Option<Duration> {
        Some(Duration::from_nanos(self.total.checked_div(self.count)?))
    }

    /// The shortest.
    pub fn shortest(&self) -> Option<Duration> {
        self.known(self.shortest)
    }

    /// The longest.
    pub fn longest(&self) -> Option<Duration> {
        self.known(self.longest)
    }

    /// How long it takes as of late: each response counts for an eighth, and what was before it for the rest.
    pub fn smoothed(&self) -> Option<Duration> {
        self.known(self.smoothed)
    }

    fn known(&self, nanos: u64) -> Option<Duration> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_times_are_summed_up() {
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
    fn each_kind_has_its_place() {
        for (place, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place);
        }
    }
}
