//! What work takes where nothing interrupts it.

use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, measurement::WallTime};

/// Long enough for the clock, short enough that many batches are not interrupted.
const BATCH: u32 = 512;

/// Runs `work`, and gives the nanoseconds that one run took in the fastest batch. `None` if it did not run: a filter on
/// the command line leaves some out.
pub(crate) fn fastest(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    mut work: impl FnMut(),
) -> Option<f64> {
    let mut best = f64::INFINITY;
    group.bench_function(name, |b| {
        b.iter_custom(|iterations| {
            let mut total = Duration::ZERO;
            let mut left = iterations;
            while left > 0 {
                let batch = left.min(BATCH.into());
                let start = Instant::now();
                (0..batch).for_each(|_| work());
                let elapsed = start.elapsed();
                if batch == u64::from(BATCH) {
                    best = best.min(elapsed.as_secs_f64() * 1e9 / f64::from(BATCH));
                }
                total += elapsed;
                left -= batch;
            }
            total
        });
    });
    best.is_finite().then_some(best)
}
