//! Time as an argument: nothing here has a clock.

use core::ops::{Add, Sub};
use core::time::Duration;

/// A moment on the caller's monotonic clock: nanoseconds since any fixed start, 584 years at most.
///
/// ```
/// use core::time::Duration;
/// use smpp_core::session::Instant;
/// let start = Instant::ZERO;
/// assert_eq!(start + Duration::from_secs(2) - start, Duration::from_secs(2));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The start.
    pub const ZERO: Self = Self(0);

    /// So many nanoseconds after the start.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// This much after the start; the clock of an adapter is `elapsed()` since it began.
    pub fn after(elapsed: Duration) -> Self {
        Self::ZERO + elapsed
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Ends at the last moment there is, rather than overflow.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub for Instant {
    type Output = Duration;

    /// Zero if `earlier` is later.
    fn sub(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}
