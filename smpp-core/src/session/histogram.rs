//! A histogram of durations in fixed buckets.

use core::fmt;
use core::ops::AddAssign;
use core::time::Duration;

/// A unit is this many nanoseconds as a power of two: 1,024 ns.
const UNIT: u32 = 10;

/// The buckets of one power of two, as a power of two.
const SUB_BUCKETS: u32 = 2;

/// The power of two of the last buckets, in units: 137 s to 275 s.
const LAST_POWER: u32 = 27;

const BUCKETS: usize = ((LAST_POWER - SUB_BUCKETS + 2) as usize) << SUB_BUCKETS;

/// How often durations fell into each of 108 buckets, without allocation: four buckets for each power of two from 1 µs to
/// 275 s, so that the upper bound of a bucket is at most 25 % above its lower bound. The last bucket also counts longer
/// durations.
///
/// ```
/// use core::time::Duration;
/// use smpp_proto::session::Histogram;
///
/// let mut times = Histogram::default();
/// for millis in 1..=100 {
///     times.record(Duration::from_millis(millis));
/// }
/// let p99 = times.quantile(0.99).unwrap();
/// assert!(p99 >= Duration::from_millis(99) && p99 <= Duration::from_millis(124));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Histogram([u64; BUCKETS]);

impl Default for Histogram {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Histogram {
    /// Counts a duration.
    pub fn record(&mut self, duration: Duration) {
        self.record_nanos(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Counts a duration in nanoseconds.
    #[inline]
    pub(crate) fn record_nanos(&mut self, nanos: u64) {
        if let Some(bucket) = self.0.get_mut(index(nanos)) {
            *bucket += 1;
        }
    }

    /// Returns how many durations were counted.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Returns the buckets, the shortest durations first: the lower bound, which belongs to the bucket, the upper bound,
    /// which does not, and how many durations were counted.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, Duration, u64)> {
        self.0.iter().enumerate().map(|(index, count)| (lower_bound(index), lower_bound(index + 1), *count))
    }

    /// Returns the upper bound of the bucket that holds this quantile, for example 0.99 for the 99th percentile: at most 25 %
    /// above the exact value. `None` if nothing was counted. Values below 0 count as 0, values above 1 as 1.
    #[doc(alias = "percentile")]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "the casts saturate, and beyond 2^53 durations the rank is approximate"
    )]
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        let count = self.count();
        let exact = count as f64 * quantile;
        // Rounds up.
        let rank = exact as u64 + u64::from((exact as u64 as f64) < exact);
        let rank = rank.clamp(1, count.max(1));
        let mut counted = 0;
        self.buckets().find_map(|(_, upper, count)| {
            counted += count;
            (counted >= rank).then_some(upper)
        })
    }

    /// Returns the durations that were counted since `earlier`, an earlier copy of this histogram.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut difference = *self;
        for (bucket, before) in difference.0.iter_mut().zip(&earlier.0) {
            *bucket = bucket.saturating_sub(*before);
        }
        difference
    }
}

impl AddAssign<&Self> for Histogram {
    fn add_assign(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(bucket, more)| *bucket += more);
    }
}

/// Shows the count and three quantiles.
impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram")
            .field("count", &self.count())
            .field("p50", &self.quantile(0.5))
            .field("p90", &self.quantile(0.9))
            .field("p99", &self.quantile(0.99))
            .finish()
    }
}

/// Returns the bucket of a duration.
fn index(nanos: u64) -> usize {
    let units = nanos >> UNIT;
    let index = match units.checked_ilog2() {
        // The buckets of 0 to 3 units have one unit each.
        None | Some(0 | 1) => units,
        Some(power) => {
            let sub = (units >> (power - SUB_BUCKETS)) & ((1 << SUB_BUCKETS) - 1);
            (u64::from(power - SUB_BUCKETS + 1) << SUB_BUCKETS) + sub
        }
    };
    (index as usize).min(BUCKETS - 1)
}

/// Returns the shortest duration of a bucket.
fn lower_bound(index: usize) -> Duration {
    let (power, sub) = (index as u32 >> SUB_BUCKETS, index as u64 & ((1 << SUB_BUCKETS) - 1));
    let units = if power == 0 { sub } else { ((1 << SUB_BUCKETS) + sub) << (power - 1) };
    Duration::from_nanos(units << UNIT)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn a_duration_is_counted_in_the_bucket_with_its_bounds() {
        let samples = (0..=63).flat_map(|shift| [(1_u64 << shift) - 1, 1 << shift, 5 << shift >> 2]);
        for nanos in samples {
            let mut histogram = Histogram::default();
            histogram.record(Duration::from_nanos(nanos));
            let hits: Vec<_> =
                histogram.buckets().enumerate().filter(|(_, (.., count))| *count > 0).collect();
            let [(index, (lower, upper, 1))] = hits[..] else { panic!("{nanos}: {hits:?}") };
            let duration = Duration::from_nanos(nanos);
            assert!(lower <= duration, "{nanos}: {lower:?}");
            assert!(duration < upper || index == BUCKETS - 1, "{nanos}: {upper:?}");
            assert!(index < 4 || upper <= lower * 5 / 4, "{lower:?} to {upper:?}");
        }
    }

    #[test]
    fn the_buckets_follow_each_other_up_to_275_seconds() {
        let bounds: Vec<_> = Histogram::default().buckets().map(|(lower, upper, _)| (lower, upper)).collect();
        assert_eq!((bounds.len(), bounds[0].0), (108, Duration::ZERO));
        assert!(bounds.windows(2).all(|pair| pair[0].1 == pair[1].0 && pair[0].0 < pair[1].0));
        assert_eq!(bounds[BUCKETS - 1].1.as_secs(), 274);
    }

    #[test]
    fn quantiles_sums_and_differences() {
        assert_eq!(Histogram::default().quantile(0.5), None);
        let mut fast = Histogram::default();
        for _ in 0..99 {
            fast.record(Duration::from_millis(10));
        }
        let before = fast;
        let mut slow = Histogram::default();
        slow.record(Duration::from_secs(3));
        fast += &slow;
        let near = |at: Option<Duration>, millis: u64| {
            let at = at.unwrap().as_millis() as u64;
            assert!(at >= millis && at <= millis * 5 / 4 + 1, "{at} ms is not near {millis} ms");
        };
        assert_eq!(fast.count(), 100);
        near(fast.quantile(0.0), 10);
        near(fast.quantile(0.99), 10);
        near(fast.quantile(0.991), 3000);
        near(fast.quantile(1.0), 3000);
        assert_eq!(fast.since(&before), slow);
    }
}
