//! Conversion between tokio's clock and the clock of a session or an account.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use smpp_proto::session::Instant;
use tokio::time::{self, Sleep};

/// The longest wait: 30 years. Longer durations would overflow tokio's clock.
const MAX_WAIT: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// Returns the moment on tokio's clock that is `duration` from now, 30 years at most.
pub(crate) fn after(duration: Duration) -> time::Instant {
    time::Instant::now() + duration.min(MAX_WAIT)
}

/// The clock of one session or account. It starts at `Instant::ZERO`.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    start: time::Instant,
}

impl Clock {
    /// Starts a clock.
    pub(crate) fn start() -> Self {
        Self { start: time::Instant::now() }
    }

    #[inline]
    pub(crate) fn now(&self) -> Instant {
        Instant::after(self.start.elapsed())
    }

    /// Returns the same moment on tokio's clock, 30 years from the start at most.
    #[inline]
    pub(crate) fn to_tokio(self, at: Instant) -> time::Instant {
        self.start + (at - Instant::ZERO).min(MAX_WAIT)
    }
}

/// The timer of one driver.
pub(crate) struct Timer {
    sleep: Pin<Box<Sleep>>,
    has_fired: bool,
}

impl Timer {
    /// Returns a timer that does not fire before it is set.
    pub(crate) fn new(clock: Clock) -> Self {
        let never = clock.to_tokio(Instant::after(MAX_WAIT));
        Self { sleep: Box::pin(time::sleep_until(never)), has_fired: false }
    }

    /// Sets the timer for [`poll_elapsed`](Self::poll_elapsed).
    pub(crate) fn reset(&mut self, deadline: time::Instant) {
        self.sleep.as_mut().reset(deadline);
    }

    /// Ready once the time that is set has passed.
    pub(crate) fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.sleep.as_mut().poll(cx)
    }

    /// Ready once the deadline has passed. A timer that is set too early is kept until it fires: most deadlines only move
    /// later, and resetting the timer is expensive.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, deadline: time::Instant) -> Poll<()> {
        if self.sleep.deadline() > deadline {
            self.sleep.as_mut().reset(deadline);
        }
        while self.sleep.as_mut().poll(cx).is_ready() {
            self.has_fired = true;
            if self.sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    /// Returns whether the timer has fired since the last call, on time or too early: about once in each keep-alive interval.
    pub(crate) fn take_fired(&mut self) -> bool {
        std::mem::take(&mut self.has_fired)
    }
}
