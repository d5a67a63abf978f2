//! The rate limit for outgoing messages: the generic cell rate algorithm, exact in any sliding second.
//!
//! Each message has a due time. The due times are one interval apart, and a message may be sent from the slack before its
//! due time on. A caller that sends between these two times, because its timer is late, loses nothing: the next due time
//! does not depend on when it sent. A sliding second contains only messages that are due within one second and the slack,
//! and the interval is so long that no more than the limit are.

use core::num::NonZeroU32;
use core::time::Duration;

use super::invalid_option::InvalidOption;
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
    /// Creates a rate of at most `per_second` messages in any sliding second, spaced evenly but for late timers.
    ///
    /// A rate of 0 is no valid option: the checks of the options that have it refuse it, for example
    /// [`Config::check`](super::Config::check). Where no check is made, it counts as 1.
    pub const fn per_second(per_second: u32) -> Self {
        Self { per_second, burst: 1 }
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
            burst if burst > self.counted() => self.counted(),
            burst => burst,
        };
        Self { burst, ..self }
    }

    /// Returns the highest number of messages in any sliding second.
    pub const fn limit(self) -> u32 {
        self.per_second
    }

    /// Returns the limit that is kept: at least 1.
    pub(super) const fn counted(self) -> u32 {
        if self.per_second == 0 { 1 } else { self.per_second }
    }

    /// Checks that the rate, if there is one, is not 0.
    pub(crate) fn check(rate: Option<Self>, option: &'static str) -> Result<(), InvalidOption> {
        InvalidOption::check(
            rate.is_none_or(|rate| rate.per_second > 0),
            option,
            "is 0 messages per second, so none could be sent: set it to 1 or more, or None for no limit",
        )
    }

    /// Returns the interval between two due times and the slack before each, in nanoseconds. A second holds at most
    /// `(SECOND + slack) / interval` messages, rounded up: that is `per_second`.
    fn interval_and_slack(self) -> (u64, u64) {
        let (per_second, burst) = (u64::from(self.counted()), u64::from(self.burst));
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
/// use smpp_proto::session::{Instant, RateLimiter, Rate};
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
    /// use smpp_proto::session::{Instant, Rate, RateLimiter};
    /// let mut limiter = RateLimiter::new(Rate::per_second(50));
    /// let now = Instant::after(Duration::from_secs(1));
    /// assert!(limiter.ready_for(now, 30) <= now);
    /// limiter.take_many(now, 30);
    /// // 30 intervals of 20.16 ms, less 8 ms.
    /// assert_eq!(limiter.ready_at(now), now + Duration::from_micros(596_800));
    /// ```
    #[inline(always)]
    pub fn take_many(&mut self, now: Instant, messages: u32) {
        let is_unlimited = self.interval == 0 && self.slow_down.is_none();
        if is_unlimited && messages == 1 && self.due <= now.as_nanos() {
            // As below: the message costs nothing.
            self.due = now.as_nanos();
            self.unsent = self.unsent.saturating_add(1);
        } else {
            self.take_limited(now, messages);
        }
    }

    #[inline(never)]
    fn take_limited(&mut self, now: Instant, messages: u32) {
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

    /// Returns how many recorded messages have not left.
    pub(super) const fn unsent(&self) -> u32 {
        self.unsent
    }

    /// Records that so many of the recorded messages leave at `now`. If that is later than the slack allows, the next messages
    /// are due later. The other recorded messages leave later still, so they count as well; but at most those of the slack,
    /// because a bind whose transport takes nothing must not stop the others.
    pub(crate) fn leave(&mut self, now: Instant, messages: u32) {
        let unsent = u64::from(self.unsent.max(messages));
        self.forget(messages);
        if messages > 0 && self.interval > 0 {
            let most = u64::from(messages) + self.slack / self.interval();
            let cost = self.cost(now, now.as_nanos(), unsent.min(most));
            let due = now.as_nanos().saturating_add(cost);
            self.due_before = self.due_before.max(due);
            self.due = self.due.max(due);
        }
    }

    /// Records that so many of the recorded messages will never leave. They still count for the rate.
    pub(crate) const fn forget(&mut self, messages: u32) {
        self.unsent = self.unsent.saturating_sub(messages);
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
mod tests;
