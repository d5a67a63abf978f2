//! Two sessions, an ESME's and an SMSC's, over a faulty link in simulated time.
//!
//! A seed decides everything: the configurations, most of them tiny, what the applications want, how the link
//! carries and what goes wrong with it. After every call each session is compared with a [model](model) of what it
//! promises. A scenario that fails prints its seed; this plays it again, telling each step:
//!
//! ```text
//! SEED=1234 cargo test -p smpp-core --test simulation -- --nocapture
//! ```
//!
//! `SCENARIOS` says how many are played.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test helpers"
)]

mod lifetime;
mod link;
mod messages;
mod model;
mod peer;
mod rng;
mod scenario;
mod scene;
mod settings;
mod trace;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use scene::Coverage;
use world::simulate;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn whatever_the_link_does_the_sessions_keep_their_promises() {
    if let Some(seed) = variable("SEED") {
        simulate(seed, true, None);
        return;
    }
    let scenarios = variable("SCENARIOS").unwrap_or(if cfg!(debug_assertions) { 3_000 } else { 100_000 });
    let (next, failed) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while failed.load(Ordering::Relaxed) == u64::MAX {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= scenarios {
                        return;
                    }
                    if catch_unwind(AssertUnwindSafe(|| simulate(seed, false, None))).is_err() {
                        failed.fetch_min(seed, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let seed = failed.into_inner();
    let again = format!("SEED={seed} cargo test -p smpp-core --test simulation -- --nocapture");
    assert_eq!(seed, u64::MAX, "scenario {seed} fails; this plays it again:\n{again}\n");
}

/// The simulation happens upon everything that can happen: otherwise it would prove nothing.
#[test]
fn everything_happens() {
    let coverage = (0..2_000)
        .fold(Coverage::new(), |coverage, seed| simulate(seed, false, Some(coverage)).unwrap_or_default());
    for (what, count) in &coverage {
        println!("{count:>8} {what}");
    }
}
