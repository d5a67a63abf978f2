//! How fast messages go: the generic cell rate algorithm, exact in any sliding second.

use core::time::Duration;

use crate::time::Instant;

const SECOND: u64 = 1_000_000_000;

/// At most so many messages in any sliding second, so many of them at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    per_second: u32,
    burst: u32,
}

impl Rate {
    /// At most `per_second` messages in any sliding second, evenly spaced; 0 counts as 1.
    pub const fn per_second(per_second: u32) -> Self {
        Self { per_second: if per_second == 0 { 1 } else { per_second }, burst: 1 }
    }

    /// Lets `burst` messages go at once after a pause, `1..=per_second`.
    ///
    /// The limit of any sliding second stays, so a burst has its price: in the long run
    /// `per_second - burst + 1` messages go in a second, and a whole burst comes back after as many messages as it has
    /// could have gone. A burst of 10 at 50 a second leaves 41; one of 50 leaves 1.
    #[must_use]
    pub const fn with_burst(self, burst: u32) -> Self {
        let burst = match burst {
            0 => 1,
            burst if burst > self.per_second => self.per_second,
            burst => burst,
        };
        Self { burst, ..self }
    }

    /// Messages in any sliding second.
    pub const fn limit(self) -> u32 {
        self.per_second
    }

    /// Between two messages, in nanoseconds. In a second there are `burst` messages and one for each
    /// interval that ends within it: `burst + (per_second - burst)`.
    fn interval(self) -> u64 {
        SECOND.div_ceil(u64::from(self.per_second - self.burst) + 1)
    }
}

/// How long it takes from a slow-down to the full rate again, in nanoseconds.
const RECOVERY: u64 = 10 * SECOND;

/// Nothing is slowed down below one message in this time, in nanoseconds.
const SLOWEST: u64 = SECOND;

/// What counts as the time between two messages if the clock has seen none, in nanoseconds: half of nothing is nothing.
const FASTEST: u64 = 1_000;

/// Keeps a [`Rate`], or less of it while the peer is overloaded: one addition and one comparison per message.
///
/// ```
/// use core::time::Duration;
/// use smpp_core::session::{Instant, RateLimiter, Rate};
/// let mut pace = RateLimiter::new(Rate::per_second(50));
/// assert_eq!(pace.ready_at(Instant::ZERO), Instant::ZERO);
/// pace.take(Instant::ZERO);
/// assert_eq!(pace.ready_at(Instant::ZERO), Instant::ZERO + Duration::from_millis(20));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RateLimiter {
    /// Between two messages at the full rate, in nanoseconds; 0: there is no limit.
    interval: u64,
    /// How much sooner than its time a message may go: the burst, in nanoseconds.
    slack: u64,
    /// When the next message would go if there were no burst, in nanoseconds.
    due: u64,
    slowed: Option<Slowed>,
}

/// The peer was overloaded.
#[derive(Clone, Copy, Debug)]
struct Slowed {
    /// When that became known.
    at: Instant,
    /// Between two messages then, in nanoseconds, longer than that of the full rate.
    interval: u64,
}

/// How much slower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// The peer has refused a message, or says that it is full: half the speed.
    Full,
    /// The peer says that it is nearly full: eight ninths of the speed.
    NearlyFull,
}

impl RateLimiter {
    /// A pace at which nothing has gone yet.
    pub fn new(rate: Rate) -> Self {
        let interval = rate.interval();
        Self { interval, slack: interval * u64::from(rate.burst - 1), due: 0, slowed: None }
    }

    /// Without a limit, unless the peer is overloaded.
    pub(super) const fn unlimited() -> Self {
        Self { interval: 0, slack: 0, due: 0, slowed: None }
    }

    /// When the next message may go; not later than `now` if it may go at once.
    pub fn ready_at(&self, now: Instant) -> Instant {
        Instant::from_nanos(self.due.max(now.as_nanos()).saturating_sub(self.slack))
    }

    /// A message goes at `now`, which is not before [`ready_at`](Self::ready_at).
    #[inline]
    pub fn take(&mut self, now: Instant) {
        self.due = self.due.max(now.as_nanos()).saturating_add(self.interval_at(now));
    }

    /// The peer was overloaded by a message that was sent at `sent`, when messages went out so far apart.
    ///
    /// Speed is halved at once and grows back in a straight line (additive increase, multiplicative decrease).
    /// What was sent before the last slow-down says nothing new.
    pub(super) fn slow_down(&mut self, now: Instant, sent: Instant, apart: Duration, load: Load) {
        if self.slowed.is_some_and(|slowed| sent < slowed.at) {
            return;
        }
        let apart = u64::try_from(apart.as_nanos()).unwrap_or(u64::MAX).min(SLOWEST);
        let interval = self.interval_at(now).max(apart).max(FASTEST);
        let longer = match load {
            Load::Full => interval.saturating_mul(2),
            Load::NearlyFull => interval.saturating_add(interval / 8),
        };
        let interval = longer.min(SLOWEST).max(self.interval);
        self.slowed = Some(Slowed { at: now, interval });
        self.due = self.due.max(now.as_nanos().saturating_add(interval).saturating_add(self.slack));
    }

    /// Between two messages at this moment, in nanoseconds; never less than at the full rate.
    fn interval_at(&self, now: Instant) -> u64 {
        let Some(Slowed { at, interval }) = self.slowed else { return self.interval };
        let elapsed = u64::try_from((now - at).as_nanos()).unwrap_or(u64::MAX);
        if elapsed >= RECOVERY {
            return self.interval;
        }
        // Without a rate it grows to twice the speed, and then is free.
        let full = if self.interval == 0 { interval / 2 } else { self.interval };
        // The speeds are 1/interval and 1/full; what lies between them is added bit by bit.
        let (slow, full) = (u128::from(interval), u128::from(full));
        let (elapsed, all) = (u128::from(elapsed), u128::from(RECOVERY));
        let between = (slow * full * all).checked_div(full * all + slow.saturating_sub(full) * elapsed);
        between.and_then(|nanos| u64::try_from(nanos).ok()).unwrap_or(interval).max(self.interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const START: Instant = Instant::ZERO;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// How many messages go in the second from `start` on, if each goes as soon as it may.
    fn speed(pace: &mut RateLimiter, start: Instant) -> usize {
        let end = start + millis(1000);
        let mut now = start.max(pace.ready_at(start));
        let mut sent = 0;
        while now < end {
            pace.take(now);
            sent += 1;
            now = now.max(pace.ready_at(now));
        }
        sent
    }

    #[test]
    fn an_overloaded_peer_gets_half_and_then_gradually_more() {
        for burst in [1, 10] {
            let mut pace = RateLimiter::new(Rate::per_second(50).with_burst(burst));
            let at = |seconds: u64| START + millis(1000 * seconds);
            pace.slow_down(at(0), at(0), millis(1), Load::Full);
            let speeds: Vec<usize> = (0..12).map(|second| speed(&mut pace, at(second))).collect();
            let half = (51 - burst as usize) / 2;
            assert!((half - 2..=half + 2).contains(&speeds[0]), "{speeds:?}");
            assert!(speeds.is_sorted(), "{speeds:?}");
            assert!(speeds[5] > half + 5 && speeds[5] < 46, "{speeds:?}");
            assert!(speeds[11] >= 50 - burst as usize, "{speeds:?}");
        }
    }

    #[test]
    fn what_was_sent_before_a_slow_down_slows_nothing() {
        let mut pace = RateLimiter::new(Rate::per_second(10));
        let later = START + millis(50);
        for _ in 0..5 {
            pace.slow_down(later, START, millis(1), Load::Full);
        }
        assert_eq!(pace.ready_at(later), later + millis(200));
        pace.slow_down(later, later, millis(1), Load::NearlyFull);
        assert_eq!(pace.ready_at(later), later + millis(225));
    }

    #[test]
    fn it_never_comes_to_a_standstill() {
        let mut pace = RateLimiter::new(Rate::per_second(50));
        for step in 0..40 {
            let now = START + millis(step);
            pace.slow_down(now, now, Duration::MAX, Load::Full);
        }
        assert!(pace.ready_at(START) <= START + millis(1040));
        let mut slower = RateLimiter::new(Rate::per_second(1));
        slower.slow_down(START, START, Duration::ZERO, Load::Full);
        assert_eq!(slower.ready_at(START), START + millis(1000), "a rate below that is kept");
    }

    #[test]
    fn a_fast_session_is_halved_too_and_no_more() {
        for mut pace in [RateLimiter::new(Rate::per_second(10_000)), RateLimiter::unlimited()] {
            pace.slow_down(START, START, Duration::from_micros(100), Load::Full);
            assert_eq!(pace.ready_at(START), START + Duration::from_micros(200));
        }
    }

    #[test]
    fn without_a_rate_the_speed_of_late_is_halved() {
        let mut pace = RateLimiter::unlimited();
        pace.take(START);
        pace.take(START);
        pace.slow_down(START, START, millis(5), Load::Full);
        assert_eq!(pace.ready_at(START), START + millis(10));
        let recovered = START + Duration::from_secs(10);
        pace.take(recovered);
        assert_eq!(pace.ready_at(recovered), recovered, "there is no limit again");
    }

    proptest! {
        #[test]
        fn no_sliding_second_holds_more_than_the_limit(
            limit in 1_u32..60,
            burst in 0_u32..60,
            steps in prop::collection::vec((0_u64..80_000_000, prop::bool::weighted(0.1)), 1..400),
        ) {
            let mut pace = RateLimiter::new(Rate::per_second(limit).with_burst(burst));
            let mut now = 0;
            let mut taken = Vec::new();
            for (step, overloaded) in steps {
                now += step;
                if overloaded {
                    let now = Instant::from_nanos(now);
                    pace.slow_down(now, now, Duration::ZERO, Load::Full);
                }
                // As many as it gives, at this moment.
                while pace.ready_at(Instant::from_nanos(now)).as_nanos() <= now {
                    pace.take(Instant::from_nanos(now));
                    taken.push(now);
                }
            }
            for (index, &start) in taken.iter().enumerate() {
                let within = taken[index..].iter().take_while(|&&at| at < start + SECOND).count();
                prop_assert!(within <= limit as usize, "{within} in a second at a limit of {limit}");
            }
        }
    }

    #[test]
    fn without_burst_it_keeps_the_full_rate() {
        let mut pace = RateLimiter::new(Rate::per_second(50));
        let mut now = Instant::ZERO;
        for _ in 0..50 {
            pace.take(now);
            now = pace.ready_at(now);
        }
        assert_eq!(now, Instant::from_nanos(SECOND), "fifty messages take one second");
    }
}
