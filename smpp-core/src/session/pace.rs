//! How fast messages go: the generic cell rate algorithm, exact in any sliding second.

use core::time::Duration;

use super::time::Instant;

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

    /// Lets `burst` messages go at once after a pause, `1..=per_second`. The limit of any sliding second
    /// stays: what a burst takes, the rest of the second lacks.
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

/// Keeps a [`Rate`]: one addition and one comparison per message.
///
/// ```
/// use core::time::Duration;
/// use smpp_core::session::{Instant, Pace, Rate};
/// let mut pace = Pace::new(Rate::per_second(50));
/// assert_eq!(pace.take(Instant::ZERO), Ok(()));
/// assert_eq!(pace.take(Instant::ZERO), Err(Instant::ZERO + Duration::from_millis(20)));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    rate: Rate,
    /// When the next message would go if there were no burst, in nanoseconds.
    due: u64,
}

impl Pace {
    /// A pace at which nothing has gone yet.
    pub const fn new(rate: Rate) -> Self {
        Self { rate, due: 0 }
    }

    /// When the next message may go; not later than `now` if it may go at once.
    pub fn ready_at(&self, now: Instant) -> Instant {
        let slack = self.rate.interval() * u64::from(self.rate.burst - 1);
        let due = self.due.max(now.as_nanos());
        Instant::from_nanos(due.saturating_sub(slack))
    }

    /// Takes a place at `now`, or says from when on there is one.
    pub fn take(&mut self, now: Instant) -> Result<(), Instant> {
        let ready = self.ready_at(now);
        if ready > now {
            return Err(ready);
        }
        self.due = self.due.max(now.as_nanos()).saturating_add(self.rate.interval());
        Ok(())
    }

    /// Lets nothing go for `pause` from `now`.
    pub fn hold(&mut self, now: Instant, pause: Duration) {
        self.due = self.due.max((now + pause).as_nanos());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_sliding_second_holds_more_than_the_limit(
            limit in 1_u32..60,
            burst in 0_u32..60,
            steps in prop::collection::vec(0_u64..80_000_000, 1..400),
        ) {
            let mut pace = Pace::new(Rate::per_second(limit).with_burst(burst));
            let mut now = 0;
            let mut taken = Vec::new();
            for step in steps {
                now += step;
                // As many as it gives, at this moment.
                while pace.take(Instant::from_nanos(now)).is_ok() {
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
        let mut pace = Pace::new(Rate::per_second(50));
        let mut now = Instant::ZERO;
        for _ in 0..50 {
            pace.take(now).unwrap();
            now = pace.ready_at(now);
        }
        assert_eq!(now, Instant::from_nanos(SECOND), "fifty messages take one second");
    }
}
