//! [`Instant`]: the caller passes the time, since the library has no clock.

use core::ops::{Add, Sub};
use core::time::Duration;

/// A point in time on the monotonic clock of the caller: nanoseconds since a fixed start that the caller chooses. The
/// maximum is about 584 years.
///
/// ```
/// use core::time::Duration;
/// use smpp_proto::session::Instant;
/// let start = Instant::ZERO;
/// assert_eq!(start + Duration::from_secs(2) - start, Duration::from_secs(2));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The start of the clock.
    pub const ZERO: Self = Self(0);

    /// Returns the instant this many nanoseconds after the start.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Returns the nanoseconds since the start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Returns the instant this long after the start. With `std`, pass `elapsed()` of a `std::time::Instant` that marks
    /// the start.
    pub fn after(elapsed: Duration) -> Self {
        Self::ZERO + elapsed
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Returns the later instant, or the last possible instant instead of an overflow.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub for Instant {
    type Output = Duration;

    /// Returns the time since `earlier`, or zero if `earlier` is later.
    fn sub(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}
