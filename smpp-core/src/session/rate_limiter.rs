//! The rate limit for outgoing messages: the generic cell rate algorithm, exact in any sliding second.
//!
//! Each message has a due time. The due times are one interval apart, and a message may be sent from the slack before its
//! due time on. A caller that sends between these two times, because its timer is late, loses nothing: the next due time
//! does not depend on when it sent. A sliding second contains only messages that are due within one second and the slack,
//! and the interval is so long that no more than the limit are.

use core::num::NonZeroU32;
use core::time::Duration;

use crate::time::Instant;

const SECOND: u64 = 1_000_000_000;

/// The least slack of a rate, in nanoseconds: how late a timer may be before messages are lost from the rate. The interval
/// grows by as much in each second, so the sustained rate is 1 / 1.008 of the limit.
const CATCH_UP: u64 = 8_000_000;

/// For how long the limiter waits after a message that used up the slack, so that the next ones leave together, in
/// nanoseconds. It is a part of [`CATCH_UP`].
const GATHER: u64 = 2_000_000;

/// A rate limit: at most `per_second` messages in any sliding second.
///
/// It sustains 99.2 % of the limit although timers are late. The limiter allows a message up to 8 ms before its turn, and
/// spaces the turns by 1.008 s / `per_second` to make up for that. A timer that is up to 6 ms late loses nothing; one that
/// is later loses the time beyond. The consequences:
///
/// - After a pause, the messages of 8 ms and one more may leave at once: 1 up to 125 per second, 8 at 1,000, 40 at 5,000.
/// - Above 500 per second, the messages of 2 ms leave together, so that they cost one timer and one write.
/// - At 50 per second messages leave 20.16 ms apart, and a late one is followed by the next after 12.16 ms or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "throttle")]
#[doc(alias = "tps")]
pub struct Rate {
    per_second: u32,
    burst: u32,
}

impl Rate {
    /// Creates a rate of at most `per_second` messages in any sliding second, spaced evenly but for late timers. 0 counts
    /// as 1.
    pub const fn per_second(per_second: u32) -> Self {
        Self { per_second: if per_second == 0 { 1 } else { per_second }, burst: 1 }
    }

    /// Allows `burst` messages at once after a pause. The range is `1..=per_second`; other values are clamped.
    ///
    /// The limit in any sliding second stays, so a burst lowers the sustained rate to `per_second - burst + 1` messages per
    /// second. A burst is available again after a pause in which as many messages could have been sent. At 50 per second
    /// a burst of 10 sustains 41 per second, and a burst of 50 sustains 1. A burst of no more than the messages of 8 ms, such
    /// as 8 at 1,000 per second, changes nothing: see [`Rate`].
    #[must_use]
    pub const fn with_burst(self, burst: u32) -> Self {
        let burst = match burst {
            0 => 1,
            burst if burst > self.per_second => self.per_second,
            burst => burst,
        };
        Self { burst, ..self }
    }

    /// Returns the highest number of messages in any sliding second.
    pub const fn limit(self) -> u32 {
        self.per_second
    }

    /// Returns the interval between two due times and the slack before each, in nanoseconds. A second holds at most
    /// `(SECOND + slack) / interval` messages, rounded up: that is `per_second`.
    fn interval_and_slack(self) -> (u64, u64) {
        let (per_second, burst) = (u64::from(self.per_second), u64::from(self.burst));
        let interval = SECOND.div_ceil(per_second - burst + 1);
        let slack = interval * (burst - 1);
        if slack >= CATCH_UP {
            return (interval, slack);
        }
        ((SECOND + CATCH_UP).div_ceil(per_second), CATCH_UP)
    }
}

/// The time from a slow-down to the full rate, in nanoseconds.
const RECOVERY: u64 = 10 * SECOND;

/// The longest interval between messages that a slow-down leads to, in nanoseconds.
const MAX_INTERVAL: u64 = SECOND;

/// The shortest interval that a slow-down starts from, in nanoseconds: doubling zero would have no effect.
const MIN_INTERVAL: u64 = 1_000;

/// Limits outgoing messages to a [`Rate`], and to less while the peer is overloaded. It costs a few additions and
/// comparisons per message.
///
/// ```
/// use core::time::Duration;
/// use smpp_core::session::{Instant, RateLimiter, Rate};
/// let mut limiter = RateLimiter::new(Rate::per_second(50));
/// assert_eq!(limiter.ready_at(Instant::ZERO), Instant::ZERO);
/// limiter.take(Instant::ZERO);
/// // The next message is due after 20.16 ms, and may be sent up to 8 ms earlier.
/// assert_eq!(limiter.ready_at(Instant::ZERO), Instant::ZERO + Duration::from_micros(12_160));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RateLimiter {
    /// The interval between two messages at the full rate, in nanoseconds. 0 means no limit.
    interval: u32,
    /// Messages that are recorded and have not left yet.
    unsent: u32,
    /// How much before `due` a message may be sent: for late timers or a burst, in nanoseconds.
    slack: u64,
    /// When the next message would be sent if there were no slack, in nanoseconds.
    due: u64,
    /// Until when single messages wait so that several leave together, in nanoseconds.
    gather_until: u64,
    /// The value of `due` while several messages at once wait, and what it was before: single messages wait for them.
    held: u64,
    due_before: u64,
    slow_down: Option<SlowDown>,
}

/// The last time the peer was overloaded.
#[derive(Clone, Copy, Debug)]
struct SlowDown {
    /// When the overload became known.
    at: Instant,
    /// The interval between two messages then, in nanoseconds. It is not shorter than at the full rate.
    interval: NonZeroU32,
}

/// The load that the peer reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// The peer refused a message or reports full load: halve the rate.
    Full,
    /// The peer reports nearly full load: lower the rate to 8/9.
    NearlyFull,
}

impl RateLimiter {
    /// Creates a limiter for `rate` that has counted no message.
    pub fn new(rate: Rate) -> Self {
        let (interval, slack) = rate.interval_and_slack();
        Self { interval: interval.min(u64::from(u32::MAX)) as u32, slack, ..Self::unlimited() }
    }

    /// Creates a limiter that limits messages only while the peer is overloaded.
    pub(super) const fn unlimited() -> Self {
        Self {
            interval: 0,
            unsent: 0,
            slack: 0,
            due: 0,
            gather_until: 0,
            held: 0,
            due_before: 0,
            slow_down: None,
        }
    }

    /// Returns the interval between two messages at the full rate, in nanoseconds. 0 means no limit.
    const fn interval(&self) -> u64 {
        self.interval as u64
    }

    /// Changes the rate. The next message is due one interval of the new rate after the last one, and not earlier than
    /// before; the slack is available only after a pause. What was sent in a burst counts at the new rate, for a second at
    /// most. So no sliding second holds more than the higher limit of those in it. An equal rate changes nothing. A
    /// limit that begins after there was none counts the last message alone.
    pub(crate) fn set_rate(&mut self, now: Instant, rate: Option<Rate>) {
        let new = rate.map_or(Self::unlimited(), Self::new);
        let (interval, slack) = (new.interval(), new.slack);
        if (interval, slack) == (self.interval(), self.slack) {
            return;
        }
        let now = now.as_nanos();
        let due = self.due_without_hold();
        // When the last message was sent, or earlier if a part of the slack is left.
        let last = due.saturating_sub(self.interval().saturating_add(self.slack));
        let ready_at = due.max(now).saturating_sub(self.slack);
        if interval == 0 {
            self.due = last;
        } else {
            let before = (self.interval(), self.slack, due);
            let caught_up = now.saturating_add(catch_up(now, before, (interval, slack)));
            let next = ready_at.max(last.saturating_add(interval)).max(caught_up);
            self.due = next.max(now).saturating_add(slack);
        }
        (self.interval, self.slack) = (new.interval, slack);
        (self.gather_until, self.held, self.due_before) = (0, 0, 0);
    }

    /// Returns when the next message may be sent. A time not later than `now` means immediately.
    pub fn ready_at(&self, now: Instant) -> Instant {
        let ready_at = self.due.max(now.as_nanos()).saturating_sub(self.slack);
        Instant::from_nanos(ready_at.max(self.gather_until))
    }

    /// Returns when `messages` may be sent at once, such as a submit_multi with as many destinations. A time not later than
    /// `now` means immediately.
    ///
    /// They wait until the second before them has room for all. More messages than the limit wait for a second without
    /// any, and are then sent although they exceed the limit: the pause after them is longer instead.
    #[inline]
    pub fn ready_for(&self, now: Instant, messages: u32) -> Instant {
        if messages <= 1 { self.ready_at(now) } else { self.ready_for_many(now, messages) }
    }

    #[cold]
    fn ready_for_many(&self, now: Instant, messages: u32) -> Instant {
        // After a pause the due time lies in the past: then more than a burst may be sent at once, if as much time is free
        // after them.
        let due = self.due_without_hold();
        let more = self.cost(now, due, u64::from(messages).min(self.limit()) - 1);
        Instant::from_nanos(due.saturating_add(more).saturating_sub(self.slack))
    }

    /// Returns the highest number of messages in any sliding second: see [`Rate::interval_and_slack`].
    const fn limit(&self) -> u64 {
        match self.interval() {
            0 => u64::MAX,
            interval => SECOND.saturating_add(self.slack).div_ceil(interval),
        }
    }

    /// Returns `due`, or what it was before [`hold_until`](Self::hold_until) if no message has been sent since.
    const fn due_without_hold(&self) -> u64 {
        if self.due == self.held { self.due_before } else { self.due }
    }

    /// Delays single messages until `at`, because [several at once](Self::ready_for) wait until then.
    pub(crate) fn hold_until(&mut self, at: Instant) {
        self.due_before = self.due_without_hold();
        self.due = self.due.max(at.as_nanos().saturating_add(self.slack));
        self.held = self.due;
    }

    /// Returns when a message may be sent if `reserved` others are sent before it, at `now` or as soon as they may.
    pub(super) fn ready_after(&self, now: Instant, reserved: u32) -> Instant {
        let due = self.due.max(now.as_nanos());
        let taken = self.cost(now, due, u64::from(reserved));
        let ready_at = due.saturating_add(taken).saturating_sub(self.slack);
        Instant::from_nanos(ready_at.max(self.gather_until))
    }

    /// Records a message that is sent at `now`. `now` must not be before [`ready_at`](Self::ready_at).
    #[inline]
    pub fn take(&mut self, now: Instant) {
        self.take_many(now, 1);
    }

    /// Records `messages` that are sent at `now`. `now` must not be before [`ready_for`](Self::ready_for) them.
    ///
    /// ```
    /// use core::time::Duration;
    /// use smpp_core::session::{Instant, Rate, RateLimiter};
    /// let mut limiter = RateLimiter::new(Rate::per_second(50));
    /// let now = Instant::after(Duration::from_secs(1));
    /// assert!(limiter.ready_for(now, 30) <= now);
    /// limiter.take_many(now, 30);
    /// // 30 intervals of 20.16 ms, less 8 ms.
    /// assert_eq!(limiter.ready_at(now), now + Duration::from_micros(596_800));
    /// ```
    #[inline]
    pub fn take_many(&mut self, now: Instant, messages: u32) {
        if messages > 1 {
            self.due = self.due_without_hold();
        }
        let due = self.due.max(now.as_nanos());
        self.due = due.saturating_add(self.cost(now, due, u64::from(messages)));
        self.unsent = self.unsent.saturating_add(messages);
        let ready_at = self.due.saturating_sub(self.slack);
        if ready_at > now.as_nanos() {
            self.gather(ready_at);
        }
    }

    /// Delays the next message that is ready at `ready_at`, so that those of [`GATHER`] leave together.
    fn gather(&mut self, ready_at: u64) {
        let interval = self.interval();
        let others = GATHER.checked_div(interval).unwrap_or(0);
        self.gather_until = ready_at.saturating_add(others * interval);
    }

    /// Returns the number of recorded messages that have not left, and begins to count anew.
    pub(super) const fn take_unsent(&mut self) -> u32 {
        core::mem::replace(&mut self.unsent, 0)
    }

    /// Records that the last messages, so many, leave at `now`. If that is later than the slack allows, the next messages are
    /// due later.
    pub(crate) fn leave(&mut self, now: Instant, messages: u32) {
        if messages > 0 && self.interval > 0 {
            let cost = self.cost(now, now.as_nanos(), u64::from(messages));
            let due = now.as_nanos().saturating_add(cost);
            self.due_before = self.due_before.max(due);
            self.due = self.due.max(due);
        }
    }

    /// Returns how long `messages` take from `due` on at the rate at `now`, in nanoseconds.
    ///
    /// The rate at `now` may be slow, and grows: they take no longer than the rest of the slow-down, and then as long as
    /// at the full rate.
    fn cost(&self, now: Instant, due: u64, messages: u64) -> u64 {
        let full = self.interval().saturating_mul(messages);
        let Some(SlowDown { at, .. }) = self.slow_down else { return full };
        let rest = at.as_nanos().saturating_add(RECOVERY).saturating_sub(due);
        self.interval_at(now).saturating_mul(messages).min(full.saturating_add(rest))
    }

    /// Slows down because the peer was overloaded by a message sent at `sent`. `observed` is the interval between messages
    /// at that time.
    ///
    /// The rate drops at once and recovers linearly (additive increase, multiplicative decrease). A message sent before
    /// the last slow-down gives no new information and is ignored.
    pub(super) fn slow_down(&mut self, now: Instant, sent: Instant, observed: Duration, load: Load) {
        if self.slow_down.is_some_and(|last| sent < last.at) {
            return;
        }
        let observed = u64::try_from(observed.as_nanos()).unwrap_or(u64::MAX).min(MAX_INTERVAL);
        let interval = self.interval_at(now).max(observed).max(MIN_INTERVAL);
        let longer = match load {
            Load::Full => interval.saturating_mul(2),
            Load::NearlyFull => interval.saturating_add(interval / 8),
        };
        let interval = longer.min(MAX_INTERVAL).max(self.interval());
        self.slow_down = NonZeroU32::new(interval as u32).map(|interval| SlowDown { at: now, interval });
        self.due = self.due.max(now.as_nanos().saturating_add(interval).saturating_add(self.slack));
    }

    /// Returns the interval between two messages at `now`, in nanoseconds. It is never shorter than at the full rate.
    fn interval_at(&self, now: Instant) -> u64 {
        let Some(SlowDown { at, interval }) = self.slow_down else { return self.interval() };
        let elapsed = u64::try_from((now - at).as_nanos()).unwrap_or(u64::MAX);
        if elapsed >= RECOVERY {
            return self.interval();
        }
        let interval = u64::from(interval.get());
        // Without a rate limit, the rate recovers to twice the slowed rate, and then the limit ends.
        let full = if self.interval == 0 { interval / 2 } else { self.interval() };
        // The rates are 1/interval and 1/full. Interpolate linearly between the rates.
        let (slow, full) = (u128::from(interval), u128::from(full));
        let (elapsed, all) = (u128::from(elapsed), u128::from(RECOVERY));
        let between = (slow * full * all).checked_div(full * all + slow.saturating_sub(full) * elapsed);
        between.and_then(|nanos| u64::try_from(nanos).ok()).unwrap_or(interval).max(self.interval())
    }
}

/// Returns how long messages wait at `now` at a new interval and slack, because of what was sent `before`: at an interval,
/// with a slack, and until a due time.
fn catch_up(now: u64, before: (u64, u64, u64), (interval, slack): (u64, u64)) -> u64 {
    let (old_interval, old_slack, due) = before;
    // The limit in a second allows the messages of the slack in addition to what the interval allows.
    let burst = old_slack.checked_div(old_interval).min(slack.checked_div(interval)).unwrap_or(0);
    let sent = u128::from(due.saturating_sub(now)) * u128::from(interval);
    let wait = sent.div_ceil(u128::from(old_interval.max(1))).min(u128::from(u64::MAX)) as u64;
    wait.saturating_sub(burst.saturating_mul(interval)).min(SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const START: Instant = Instant::ZERO;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Counts the messages in the second after `start` if each is sent as soon as the limiter allows. It counts to 10,000.
    fn sent_in_a_second(limiter: &mut RateLimiter, start: Instant) -> usize {
        let end = start + millis(1000);
        let mut now = start.max(limiter.ready_at(start));
        let mut sent = 0;
        while now < end && sent < 10_000 {
            limiter.take(now);
            sent += 1;
            now = now.max(limiter.ready_at(now));
        }
        sent
    }

    #[test]
    fn an_overloaded_peer_halves_the_rate_which_then_recovers() {
        for burst in [1, 10] {
            let mut limiter = RateLimiter::new(Rate::per_second(50).with_burst(burst));
            let at = |seconds: u64| START + millis(1000 * seconds);
            limiter.slow_down(at(0), at(0), millis(1), Load::Full);
            let counts: Vec<usize> =
                (0..12).map(|second| sent_in_a_second(&mut limiter, at(second))).collect();
            let half = (51 - burst as usize) / 2;
            assert!((half - 2..=half + 2).contains(&counts[0]), "{counts:?}");
            assert!(counts[..10].is_sorted(), "{counts:?}");
            assert!(counts[5] > half + 5 && counts[5] < 46, "{counts:?}");
            assert!(counts[10..].iter().all(|count| *count >= 50 - burst as usize), "{counts:?}");
        }
    }

    #[test]
    fn a_message_sent_before_a_slow_down_causes_no_further_slow_down() {
        let mut limiter = RateLimiter::new(Rate::per_second(10));
        let later = START + millis(50);
        for _ in 0..5 {
            limiter.slow_down(later, START, millis(1), Load::Full);
        }
        assert_eq!(limiter.ready_at(later), later + Duration::from_micros(2 * 100_800));
        limiter.slow_down(later, later, millis(1), Load::NearlyFull);
        assert_eq!(limiter.ready_at(later), later + Duration::from_micros(2 * 100_800 * 9 / 8));
    }

    #[test]
    fn a_slow_down_never_stops_messages() {
        let mut limiter = RateLimiter::new(Rate::per_second(50));
        for step in 0..40 {
            let now = START + millis(step);
            limiter.slow_down(now, now, Duration::MAX, Load::Full);
        }
        assert!(limiter.ready_at(START) <= START + millis(1040));
        let mut slower = RateLimiter::new(Rate::per_second(1));
        slower.slow_down(START, START, Duration::ZERO, Load::Full);
        assert_eq!(slower.ready_at(START), START + millis(1008), "a lower rate stays");
    }

    #[test]
    fn a_high_rate_is_halved_exactly() {
        for (mut limiter, nanos) in
            [(RateLimiter::new(Rate::per_second(10_000)), 100_800), (RateLimiter::unlimited(), 100_000)]
        {
            limiter.slow_down(START, START, Duration::from_micros(100), Load::Full);
            assert_eq!(limiter.ready_at(START), START + Duration::from_nanos(2 * nanos));
        }
    }

    #[test]
    fn without_a_rate_limit_the_observed_rate_is_halved() {
        let mut limiter = RateLimiter::unlimited();
        limiter.take(START);
        limiter.take(START);
        limiter.slow_down(START, START, millis(5), Load::Full);
        assert_eq!(limiter.ready_at(START), START + millis(10));
        // The rate grows from 100 messages per second to 200, by 10 in each second.
        for second in 0..10 {
            let sent = sent_in_a_second(&mut limiter, START + millis(1000 * second as u64));
            let expected = 100 + 10 * second;
            assert!((expected - 3..=expected + 13).contains(&sent), "{sent} in second {second}");
        }
        let recovered = START + Duration::from_secs(11);
        limiter.take(recovered);
        assert_eq!(limiter.ready_at(recovered), recovered, "the limit has ended");
    }

    proptest! {
        #[test]
        fn no_sliding_second_holds_more_than_the_limit(
            limit in 1_u32..60,
            burst in 0_u32..60,
            steps in prop::collection::vec((0_u64..80_000_000, prop::bool::weighted(0.1)), 1..400),
        ) {
            let mut limiter = RateLimiter::new(Rate::per_second(limit).with_burst(burst));
            let mut now = 0;
            let mut taken = Vec::new();
            for (step, overloaded) in steps {
                now += step;
                if overloaded {
                    let now = Instant::from_nanos(now);
                    limiter.slow_down(now, now, Duration::ZERO, Load::Full);
                }
                // Send as many as the limiter allows at this time.
                while limiter.ready_at(Instant::from_nanos(now)).as_nanos() <= now {
                    limiter.take(Instant::from_nanos(now));
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
    fn several_at_once_wait_no_longer_than_the_slow_down() {
        let fifty = (RateLimiter::new(Rate::per_second(50)), Duration::from_micros(20_160));
        for (mut limiter, full_rate) in [(RateLimiter::unlimited(), millis(0)), fifty] {
            limiter.slow_down(START, START, Duration::MAX, Load::Full);
            let recovered = START + Duration::from_nanos(RECOVERY);
            assert_eq!(limiter.ready_for(START, 2), START + millis(2000));
            assert!(limiter.ready_for(START, 200) <= recovered + 49 * full_rate);
            assert!(limiter.ready_after(START, 200) <= recovered + 200 * full_rate);
            let sent = START + millis(1000);
            limiter.take_many(sent, 200);
            assert!(limiter.ready_at(sent) >= recovered);
            assert!(limiter.ready_at(sent) <= recovered + 200 * full_rate);
        }
    }

    #[test]
    fn a_burst_counts_after_a_change_of_the_rate() {
        let burst = Rate::per_second(50).with_burst(10);
        let even = Some(Rate::per_second(50));
        for changes in [vec![even], vec![Some(burst), even, even]] {
            let mut limiter = RateLimiter::new(burst);
            let now = START + millis(5000);
            for _ in 0..10 {
                limiter.take(now);
            }
            for rate in &changes {
                limiter.set_rate(now, *rate);
            }
            let sent = sent_in_a_second(&mut limiter, now);
            assert!((30..=40).contains(&sent), "{sent} after {changes:?}");
        }
        let mut limiter = RateLimiter::new(burst);
        limiter.set_rate(START, Some(burst));
        for _ in 0..10 {
            limiter.take(START);
        }
        assert!(limiter.ready_at(START) > START, "an equal rate keeps the burst, and no more");
    }

    proptest! {
        #[test]
        fn no_sliding_second_holds_more_than_the_higher_limit_when_the_rate_changes(
            first in (1_u32..60, 0_u32..60),
            steps in prop::collection::vec(
                (0_u64..300_000_000, 1_u32..40, prop::option::weighted(0.2, (1_u32..60, 0_u32..60))),
                1..200,
            ),
        ) {
            let rate = |(limit, burst): (u32, u32)| Rate::per_second(limit).with_burst(burst);
            let mut limiter = RateLimiter::new(rate(first));
            let mut now = 0;
            // The limits by the times from which they hold.
            let mut limits = vec![(0, first.0)];
            let mut taken: Vec<(u64, u32)> = Vec::new();
            for (step, messages, change) in steps {
                now += step;
                let at = Instant::from_nanos(now);
                if let Some(change) = change {
                    limiter.set_rate(at, Some(rate(change)));
                    limits.push((now, change.0));
                } else if messages > 20 {
                    while limiter.ready_at(at) <= at {
                        limiter.take(at);
                        taken.push((now, 1));
                    }
                } else if limiter.ready_for(at, messages) <= at {
                    limiter.take_many(at, messages);
                    taken.push((now, messages));
                }
            }
            for (index, &(start, _)) in taken.iter().enumerate() {
                let end = start + SECOND;
                let within = taken[index..].iter().take_while(|(at, _)| *at < end);
                let count: u32 = within.clone().map(|(_, messages)| messages).sum();
                // The rate may have changed at the time of the first message, before or after it.
                let first = limits.iter().rposition(|(from, _)| *from < start).unwrap_or(0);
                let held = limits[first..].iter().take_while(|(from, _)| *from < end);
                let limit = held.map(|(_, limit)| *limit).max().unwrap_or(0);
                let is_alone = within.count() == 1;
                prop_assert!(is_alone || count <= limit, "{count} in a second at a limit of {limit}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_sliding_second_holds_more_than_the_limit_when_several_are_sent_at_once(
            limit in 1_u32..60,
            burst in 0_u32..60,
            steps in prop::collection::vec((0_u64..300_000_000, 1_u32..70), 1..300),
        ) {
            let mut limiter = RateLimiter::new(Rate::per_second(limit).with_burst(burst));
            let mut now = 0;
            let mut taken: Vec<(u64, u32)> = Vec::new();
            for (step, messages) in steps {
                now += step;
                if messages % 3 == 0 {
                    // Send single messages as long as the limiter allows.
                    while limiter.ready_for(Instant::from_nanos(now), 1).as_nanos() <= now {
                        limiter.take(Instant::from_nanos(now));
                        taken.push((now, 1));
                    }
                    continue;
                }
                let ready = limiter.ready_for(Instant::from_nanos(now), messages).as_nanos();
                if ready > now {
                    prop_assert!(ready - now <= 120 * SECOND, "they wait too long");
                    limiter.hold_until(Instant::from_nanos(ready));
                    prop_assert!(limiter.ready_at(Instant::from_nanos(now)).as_nanos() >= ready);
                    now = ready;
                }
                limiter.take_many(Instant::from_nanos(now), messages);
                taken.push((now, messages));
            }
            for (index, &(start, messages)) in taken.iter().enumerate() {
                let within = taken[index..].iter().take_while(|(at, _)| *at < start + SECOND);
                let count: u32 = within.clone().map(|(_, messages)| messages).sum();
                let is_alone = within.count() == 1 && messages > limit;
                prop_assert!(is_alone || count <= limit, "{count} in a second at a limit of {limit}");
            }
        }
    }

    #[test]
    fn without_burst_the_full_rate_is_sustained() {
        let mut limiter = RateLimiter::new(Rate::per_second(50));
        let mut now = Instant::ZERO;
        for _ in 0..50 {
            limiter.take(now);
            now = limiter.ready_at(now);
        }
        assert_eq!(now, Instant::from_nanos(SECOND), "fifty messages take one second");
    }
}
