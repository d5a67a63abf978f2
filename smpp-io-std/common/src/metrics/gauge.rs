//! Helpers for publishing differences.

use metrics::{Counter, Gauge};

/// The share of one publisher in a gauge that several publishers add to.
#[derive(Debug)]
pub(super) struct GaugeShare {
    gauge: Gauge,
    added: f64,
}

impl GaugeShare {
    pub(super) fn new(gauge: Gauge) -> Self {
        Self { gauge, added: 0.0 }
    }

    pub(super) fn set(&mut self, value: f64) {
        self.gauge.increment(value - self.added);
        self.added = value;
    }
}

/// Removes the share from the gauge.
impl Drop for GaugeShare {
    fn drop(&mut self) {
        self.set(0.0);
    }
}

/// Adds the difference of two counts to a counter.
pub(super) fn add(counter: &Counter, now: u64, before: u64) {
    counter.increment(now.saturating_sub(before));
}

/// Converts a number to the value of a gauge, which is exact up to 32 bits.
pub(super) fn level(number: usize) -> f64 {
    u32::try_from(number).unwrap_or(u32::MAX).into()
}
