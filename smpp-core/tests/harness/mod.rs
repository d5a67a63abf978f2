//! What the simulations share: chance out of a seed, time in ticks, one direction of a faulty connection, and the
//! playing of many scenarios.

pub(crate) mod link;
pub(crate) mod rng;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use smpp_core::session::Instant;

use rng::Rng;

/// All that is planned lies on multiples of this, so that things coincide.
const TICK: Duration = Duration::from_millis(10);

pub(crate) fn ticks(count: u64) -> Duration {
    Duration::from_nanos(TICK.as_nanos() as u64 * count)
}

/// A random time of so many ticks.
pub(crate) fn span(rng: &mut Rng, least: u64, most: u64) -> Duration {
    ticks(rng.within(least..=most))
}

/// How often something happened.
pub(crate) type Coverage = BTreeMap<String, u64>;

/// What is looked at besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    Nothing,
    /// How often what happens.
    Counts,
    /// Each step.
    Steps,
}

/// Counts what happens, or tells it.
pub(crate) struct Witness {
    pub(crate) coverage: Coverage,
    watch: Watch,
}

impl Witness {
    pub(crate) fn new(watch: Watch) -> Self {
        Self { coverage: Coverage::new(), watch }
    }

    pub(crate) fn count(&mut self, what: impl FnOnce() -> String) {
        if self.watch == Watch::Counts {
            *self.coverage.entry(what()).or_default() += 1;
        }
    }

    pub(crate) fn tell(&self, now: Instant, what: impl FnOnce() -> String) {
        if self.watch == Watch::Steps {
            eprintln!("{:>12} {}", now.as_nanos() / 1_000, what());
        }
    }
}

/// A kind of scenario: what a seed is played as, and the name of the tests for it.
pub(crate) struct Simulation {
    pub(crate) name: &'static str,
    pub(crate) scenario: fn(u64, Watch) -> Coverage,
}

impl Simulation {
    /// Plays the scenario of the seed in `SEED` and tells each step; without it, `usual` scenarios, or as many as
    /// `SCENARIOS` says.
    pub(crate) fn run(&self, usual: u64) {
        if let Some(seed) = variable("SEED") {
            (self.scenario)(seed, Watch::Steps);
            return;
        }
        self.play(variable("SCENARIOS").unwrap_or(usual), |seed| {
            (self.scenario)(seed, Watch::Nothing);
        });
    }

    /// Plays so many scenarios, in which each of the `expected` things is to happen.
    pub(crate) fn covers(&self, seeds: u64, expected: &[&str]) {
        let all = Mutex::new(Coverage::new());
        self.play(seeds, |seed| {
            let counts = (self.scenario)(seed, Watch::Counts);
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
        assert!(missing.is_empty(), "it never comes to {missing:?}");
    }

    /// Plays the scenarios of all seeds below `seeds`, on all processors.
    fn play(&self, seeds: u64, scenario: impl Fn(u64) + Sync) {
        let (next, failed) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        let work = || {
            while failed.load(Ordering::Relaxed) == u64::MAX {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds {
                    return;
                }
                if catch_unwind(AssertUnwindSafe(|| scenario(seed))).is_err() {
                    failed.fetch_min(seed, Ordering::Relaxed);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(work);
            }
        });
        let seed = failed.into_inner();
        if seed != u64::MAX {
            let again = format!("SEED={seed} cargo test -p smpp-core --test {} -- --nocapture", self.name);
            panic!("scenario {seed} fails; this plays it again:\n{again}\n");
        }
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}
