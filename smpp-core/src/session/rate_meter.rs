//! How fast messages come: what an SMSC holds an ESME to.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::rate_limiter::Rate;
use crate::time::Instant;

/// How much closer together the messages of a second may arrive than they were sent: a network delays one more than
/// another.
const GRACE: Duration = Duration::from_millis(50);

const WINDOW: Duration = Duration::from_secs(1).saturating_sub(GRACE);

/// Counts messages against a [`Rate`]: no more than its limit in any 950 ms, which is a sliding second less a grace for
/// the network. An ESME that keeps the limit, as a [`RateLimiter`](super::RateLimiter) does, is never refused for a message that came
/// up to 50 ms late; the rate's burst says nothing here.
///
/// It keeps a moment for each message of the last second: 8 octets, [`Rate::limit`] times at most.
///
/// ```
/// use core::time::Duration;
/// use smpp_core::session::{Instant, RateMeter, Rate};
/// let mut meter = RateMeter::new(Rate::per_second(2));
/// let now = Instant::ZERO;
/// assert!(meter.take(now).is_ok() && meter.take(now).is_ok());
/// assert_eq!(meter.take(now), Err(now + Duration::from_millis(950)));
/// ```
#[derive(Clone, Debug)]
pub struct RateMeter {
    limit: usize,
    /// When the messages that still count came, oldest first.
    taken: VecDeque<Instant>,
}

impl RateMeter {
    /// A meter that has seen nothing yet.
    pub const fn new(rate: Rate) -> Self {
        Self { limit: rate.limit() as usize, taken: VecDeque::new() }
    }

    /// A message has come: it counts, or it is one too many, and the next one will not be from the given moment on. Hand
    /// in moments in order.
    pub fn take(&mut self, now: Instant) -> Result<(), Instant> {
        while self.taken.front().is_some_and(|&first| first + WINDOW <= now) {
            self.taken.pop_front();
        }
        match self.taken.front() {
            Some(&first) if self.taken.len() >= self.limit => Err(first + WINDOW),
            _ => {
                self.taken.push_back(now);
                Ok(())
            }
        }
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
        fn who_keeps_the_pace_is_never_refused(
            limit in 1_u32..100,
            burst in 1_u32..100,
            delays in prop::collection::vec(0_u64..50_000_000, 300),
        ) {
            let rate = Rate::per_second(limit).with_burst(burst);
            let (mut pace, mut meter) = (RateLimiter::new(rate), RateMeter::new(rate));
            let mut now = Instant::ZERO;
            let mut arrived = Instant::ZERO;
            for delay in delays {
                now = pace.ready_at(now).max(now);
                pace.take(now);
                // TCP keeps the order.
                arrived = arrived.max(now + Duration::from_nanos(delay));
                prop_assert_eq!(meter.take(arrived), Ok(()));
            }
        }
    }
}
