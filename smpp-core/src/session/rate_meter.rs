//! Measures the rate of incoming messages, so that an SMSC can limit an ESME.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::rate_limiter::Rate;
use crate::time::Instant;

/// The network delays messages differently: those sent within a second may arrive closer together by this time.
const JITTER: Duration = Duration::from_millis(50);

const WINDOW: Duration = Duration::from_secs(1).saturating_sub(JITTER);

/// Checks incoming messages against a [`Rate`]: at most [`Rate::limit`] messages in any 950 ms, a sliding second less 50 ms
/// for network jitter. An ESME that keeps the rate limit, as a [`RateLimiter`](super::RateLimiter) does, is never refused
/// for a message that arrives up to 50 ms late. The meter ignores the burst of the rate.
///
/// The meter stores the time of each message of the last 950 ms: 8 octets each, at most [`Rate::limit`] of them.
///
/// ```
/// use core::time::Duration;
/// use smpp_proto::session::{Instant, RateMeter, Rate};
/// let mut meter = RateMeter::new(Rate::per_second(2));
/// let now = Instant::ZERO;
/// assert!(meter.take(now).is_ok() && meter.take(now).is_ok());
/// assert_eq!(meter.take(now), Err(now + Duration::from_millis(950)));
/// ```
#[derive(Clone, Debug)]
pub struct RateMeter {
    limit: usize,
    /// The arrival times of the messages that still count, oldest first.
    taken: VecDeque<Instant>,
}

impl RateMeter {
    /// Creates a meter that has counted no message.
    pub const fn new(rate: Rate) -> Self {
        Self { limit: rate.counted() as usize, taken: VecDeque::new() }
    }

    /// Counts a message that arrives at `now`. Pass the times in order.
    ///
    /// # Errors
    ///
    /// Returns the time from which the meter accepts the next message if this one exceeds the limit. A message that
    /// exceeds the limit does not count.
    pub fn take(&mut self, now: Instant) -> Result<(), Instant> {
        self.take_many(now, 1)
    }

    /// Counts a PDU that carries this many messages, such as a submit_multi with as many destinations. One with more
    /// messages than the limit is accepted if no other counts.
    ///
    /// # Errors
    ///
    /// Returns the time from which the meter accepts the PDU if it exceeds the limit. Such a PDU does not count.
    pub fn take_many(&mut self, now: Instant, messages: u32) -> Result<(), Instant> {
        self.check_many(now, messages)?;
        self.taken.extend(core::iter::repeat_n(now, self.counted(messages)));
        Ok(())
    }

    /// Returns what [`take_many`](Self::take_many) would, and counts nothing. For a PDU that two meters have to accept.
    ///
    /// # Errors
    ///
    /// As [`take_many`](Self::take_many).
    pub fn check_many(&mut self, now: Instant, messages: u32) -> Result<(), Instant> {
        while self.taken.front().is_some_and(|&first| first + WINDOW <= now) {
            self.taken.pop_front();
        }
        let exceeding = (self.taken.len() + self.counted(messages)).saturating_sub(self.limit);
        // The PDU fits once as many of the messages that count are too old.
        if let Some(&at) = exceeding.checked_sub(1).and_then(|last| self.taken.get(last)) {
            return Err(at + WINDOW);
        }
        Ok(())
    }

    fn counted(&self, messages: u32) -> usize {
        (messages as usize).clamp(1, self.limit)
    }

    /// Changes the limit. What is counted still counts.
    pub(crate) const fn set_rate(&mut self, rate: Rate) {
        self.limit = rate.counted() as usize;
    }

    /// Returns from when on no message counts; `None` if none was counted.
    pub(crate) fn counts_until(&self) -> Option<Instant> {
        self.taken.back().map(|&last| last + WINDOW)
    }
}

#[cfg(test)]
mod tests {
    use super::super::RateLimiter;
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn refused_messages_do_not_count() {
        let mut meter = RateMeter::new(Rate::per_second(1));
        let at = |millis| Instant::ZERO + Duration::from_millis(millis);
        assert_eq!(meter.take(at(10)), Ok(()));
        assert!((11..960).all(|millis| meter.take(at(millis)) == Err(at(960))));
        assert_eq!(meter.take(at(960)), Ok(()));
    }

    #[test]
    fn several_messages_at_once_count_as_many() {
        let mut meter = RateMeter::new(Rate::per_second(10));
        let at = |millis| Instant::ZERO + Duration::from_millis(millis);
        assert_eq!(meter.take_many(at(0), 4), Ok(()));
        assert_eq!(meter.take_many(at(100), 6), Ok(()));
        assert_eq!(meter.take(at(200)), Err(at(950)));
        assert_eq!(meter.take_many(at(200), 5), Err(at(1050)));
        assert_eq!(meter.take_many(at(950), 4), Ok(()));
        assert_eq!(meter.take_many(at(3000), 254), Ok(()), "alone");
        assert_eq!(meter.take_many(at(3000), 254), Err(at(3950)));
    }

    proptest! {
        #[test]
        fn no_window_holds_more_than_the_limit(
            limit in 1_u32..20,
            steps in prop::collection::vec(0_u64..200, 1..200),
        ) {
            let mut meter = RateMeter::new(Rate::per_second(limit));
            let mut now = Instant::ZERO;
            let mut taken = Vec::new();
            for step in steps {
                now = now + Duration::from_millis(step);
                let within = taken.iter().filter(|&&at| at + WINDOW > now).count();
                let expected = within < limit as usize;
                prop_assert_eq!(meter.take(now).is_ok(), expected);
                if expected {
                    taken.push(now);
                }
            }
        }

        #[test]
        fn a_peer_with_a_rate_limiter_is_never_refused(
            limit in 1_u32..100,
            burst in 1_u32..100,
            delays in prop::collection::vec((0_u64..50_000_000, 1_u32..80), 300),
        ) {
            let rate = Rate::per_second(limit).with_burst(burst);
            let (mut limiter, mut meter) = (RateLimiter::new(rate), RateMeter::new(rate));
            let mut now = Instant::ZERO;
            let mut arrived = Instant::ZERO;
            for (delay, messages) in delays {
                let messages = if messages % 2 == 0 { messages } else { 1 };
                now = limiter.ready_for(now, messages).max(now);
                limiter.take_many(now, messages);
                // TCP keeps the order.
                arrived = arrived.max(now + Duration::from_nanos(delay));
                prop_assert_eq!(meter.take_many(arrived, messages), Ok(()));
            }
        }
    }
}
