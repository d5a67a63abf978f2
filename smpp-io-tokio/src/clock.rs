//! Conversion between tokio's clock and the clock of a session or an account.

use std::time::Duration;

use smpp_core::session::Instant;
use tokio::time;

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
