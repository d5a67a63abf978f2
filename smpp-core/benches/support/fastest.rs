//! Measures the shortest time of a benchmark, which is least disturbed by interrupts.

use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, measurement::WallTime};

/// The runs per batch: enough for the resolution of the clock, few enough that many batches are not interrupted.
const BATCH: u32 = 512;

/// Runs `work` and returns the nanoseconds of one run in the fastest batch. Returns `None` if a filter on the command
/// line excludes the benchmark.
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
