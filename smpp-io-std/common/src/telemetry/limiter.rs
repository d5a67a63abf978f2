//! Limits how many events of one kind are logged.

use std::time::Duration;

use smpp_proto::session::Instant;

/// How many events of a kind are logged at once.
const BURST: u32 = 20;

/// The time after which a further one is logged.
const INTERVAL: Duration = Duration::from_secs(1);

/// Lets 20 events of each kind pass at once, then one per second, and counts the others.
#[derive(Debug, Default)]
pub(super) struct LogLimiter {
    /// The kinds that have occurred: there are few.
    kinds: Vec<(&'static str, Bucket)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// When all events that have passed are paid for, one per interval.
    paid: Instant,
    suppressed: u64,
}

impl LogLimiter {
    /// Returns whether the event passes, and then how many of its kind did not since the last one; otherwise `None`.
    pub(super) fn pass(&mut self, now: Instant, kind: &'static str) -> Option<u64> {
        let index = self.kinds.iter().position(|(known, _)| *known == kind).unwrap_or_else(|| {
            self.kinds.push((kind, Bucket::default()));
            self.kinds.len() - 1
        });
        let (_, bucket) = self.kinds.get_mut(index)?;
        let paid = bucket.paid.max(now) + INTERVAL;
        if paid - now > INTERVAL * BURST {
            bucket.suppressed += 1;
            return None;
        }
        bucket.paid = paid;
        Some(std::mem::take(&mut bucket.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_kind_is_thinned_and_another_kind_passes() {
        let mut limiter = LogLimiter::default();
        let at = |millis| Instant::ZERO + Duration::from_millis(millis);
        let passed = (0..1_000).filter(|_| limiter.pass(at(0), "paused").is_some()).count();
        assert_eq!(passed, 20);
        assert_eq!(limiter.pass(at(0), "bound"), Some(0));
        assert_eq!(limiter.pass(at(999), "paused"), None);
        assert_eq!(limiter.pass(at(1_000), "paused"), Some(981));
        assert_eq!(limiter.pass(at(1_000), "paused"), None);
        assert_eq!(limiter.pass(at(60_000), "paused"), Some(1));
    }
}
