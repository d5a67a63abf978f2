//! Shared by the simulations: random numbers from a seed, time in ticks, one direction of a faulty connection, and a runner
//! for many scenarios.

pub(crate) mod link;
pub(crate) mod rng;

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use smpp_proto::session::Instant;

use rng::Rng;

/// All planned times are multiples of this, so that events coincide.
const TICK: Duration = Duration::from_millis(10);

pub(crate) fn ticks(count: u64) -> Duration {
    Duration::from_nanos(TICK.as_nanos() as u64 * count)
}

/// Returns a random duration between `least` and `most` ticks.
pub(crate) fn span(rng: &mut Rng, least: u64, most: u64) -> Duration {
    ticks(rng.within(least..=most))
}

/// How often each situation occurred.
pub(crate) type Coverage = BTreeMap<String, u64>;

/// What a simulation records besides checking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verbosity {
    Quiet,
    /// Counts how often each situation occurs.
    Coverage,
    /// Prints each step.
    Steps,
}

/// Counts situations, or prints steps.
pub(crate) struct Recorder {
    pub(crate) coverage: Coverage,
    verbosity: Verbosity,
}

impl Recorder {
    pub(crate) fn new(verbosity: Verbosity) -> Self {
        Self { coverage: Coverage::new(), verbosity }
    }

    pub(crate) fn count(&mut self, what: impl FnOnce() -> String) {
        if self.verbosity == Verbosity::Coverage {
            *self.coverage.entry(what()).or_default() += 1;
        }
    }

    pub(crate) fn print(&self, now: Instant, what: impl FnOnce() -> String) {
        if self.verbosity == Verbosity::Steps {
            eprintln!("{:>12} {}", now.as_nanos() / 1_000, what());
        }
    }
}

/// A simulation: the name of its test target, and the function that runs the scenario of a seed.
pub(crate) struct Simulation {
    pub(crate) name: &'static str,
    pub(crate) scenario: fn(u64, Verbosity) -> Coverage,
}

impl Simulation {
    /// Runs the scenario of the seed in the environment variable `SEED` and prints each step. Without `SEED` it runs
    /// `SCENARIOS` scenarios, by default `usual`, from the seed `FIRST_SEED` on, by default 0: so a long run can be split.
    pub(crate) fn run(&self, usual: u64) {
        if let Some(seed) = variable("SEED") {
            (self.scenario)(seed, Verbosity::Steps);
            return;
        }
        let first = variable("FIRST_SEED").unwrap_or(0);
        self.run_seeds(first..first + variable("SCENARIOS").unwrap_or(usual), |seed| {
            (self.scenario)(seed, Verbosity::Quiet);
        });
    }

    /// Runs this many scenarios, and checks that each of the `expected` situations occurs in them.
    pub(crate) fn check_coverage(&self, seeds: u64, expected: &[&str]) {
        let all = Mutex::new(Coverage::new());
        self.run_seeds(0..seeds, |seed| {
            let counts = (self.scenario)(seed, Verbosity::Coverage);
            let mut all = all.lock().unwrap();
            for (what, count) in counts {
                *all.entry(what).or_default() += count;
            }
        });
        let all = all.into_inner().unwrap();
        for (what, count) in &all {
            println!("{count:>8} {what}");
        }
        let missing: Vec<_> = expected.iter().filter(|what| !all.contains_key(**what)).collect();
        assert!(missing.is_empty(), "these situations never occur: {missing:?}");
    }

    /// Runs the scenarios of these seeds, on all processors.
    fn run_seeds(&self, seeds: Range<u64>, scenario: impl Fn(u64) + Sync) {
        let (next, failed) = (AtomicU64::new(seeds.start), AtomicU64::new(u64::MAX));
        let worker = || {
            while failed.load(Ordering::Relaxed) == u64::MAX {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds.end {
                    return;
                }
                if catch_unwind(AssertUnwindSafe(|| scenario(seed))).is_err() {
                    failed.fetch_min(seed, Ordering::Relaxed);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(worker);
            }
        });
        let seed = failed.into_inner();
        if seed != u64::MAX {
            let again = format!("SEED={seed} cargo test -p smpp-proto --test {} -- --nocapture", self.name);
            panic!("scenario {seed} fails; repeat it with:\n{again}\n");
        }
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}
