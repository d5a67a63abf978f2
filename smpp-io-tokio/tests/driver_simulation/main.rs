//! Seeded simulations through the real drivers: accounts and single sessions over an in-memory network that delays, splits,
//! stalls, half-closes and cuts, on a paused clock, against an SMSC that answers, answers late, refuses, throttles, keeps
//! silent and unbinds.
//!
//! Each scenario checks that every message has one outcome, that every deadline is kept to the millisecond, that every PDU
//! leaves at the instant at which it is encoded if the network takes it, and that no task is left.
//!
//! A failure prints its seed:
//!
//! ```text
//! SEED=1234 cargo test -p smpp-tokio --test driver_simulation -- --nocapture
//! ```
//!
//! `SCENARIOS` sets the number of scenarios.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

mod account;
mod checks;
mod network;
mod rng;
mod session;
mod smsc;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};

use rng::Rng;

/// Returns a number from the environment.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

/// Runs the scenarios of one kind.
fn simulate<F: Future<Output = ()>>(scenario: impl Fn(Rng) -> F) {
    let default = if cfg!(debug_assertions) { 300 } else { 10_000 };
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SCENARIOS").unwrap_or(default),
    };
    for seed in seeds {
        let run = || {
            let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async {
                timeout(Duration::from_secs(3600), scenario(Rng::new(seed)))
                    .await
                    .expect("the scenario does not end");
                // The other side notices a dead link within 20 s and three timeouts.
                sleep(Duration::from_secs(120)).await;
                let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
                assert_eq!(tasks, 0, "tasks are left");
            });
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
            eprintln!("SEED={seed}");
            resume_unwind(panic);
        }
    }
}

#[test]
fn accounts() {
    simulate(account::run);
}

#[test]
fn sessions() {
    simulate(session::run);
}
