//! An account and the SMSC it binds to, over faulty connections in simulated time.
//!
//! A seed decides everything: the options, most of them tiny, what the application wants, what the host's name means,
//! how the connections carry, what the SMSC does and what goes wrong. After every step the account is compared with
//! models of what it promises: one of its [connections](connections), one of its [messages](messages), one of what is
//! [delivered](deliveries) to it. They know what an observer of its sessions sees and what the SMSC has seen, nothing
//! of its inside. A scenario that fails prints its seed; this plays it again, telling each step:
//!
//! ```text
//! SEED=1234 cargo test -p smpp-core --test account -- --nocapture
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

mod application;
mod connections;
mod deliveries;
#[allow(dead_code, reason = "the simulation of sessions has more faults")]
#[path = "../simulation/link.rs"]
mod link;
mod log;
mod messages;
#[allow(dead_code, reason = "the simulation of sessions draws in more ways")]
#[path = "../simulation/rng.rs"]
mod rng;
mod scenario;
mod scene;
mod smsc;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use scene::{Coverage, Watch};
use world::simulate;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Plays the scenarios of all seeds below `seeds`, on all processors.
fn play(seeds: u64, scenario: impl Fn(u64) + Sync) {
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
        let again = format!("SEED={seed} cargo test -p smpp-core --test account -- --nocapture");
        panic!("scenario {seed} fails; this plays it again:\n{again}\n");
    }
}

#[test]
fn whatever_happens_the_account_keeps_its_promises() {
    if let Some(seed) = variable("SEED") {
        simulate(seed, Watch::Steps);
        return;
    }
    let usual = if cfg!(debug_assertions) { 50 } else { 20_000 };
    play(variable("SCENARIOS").unwrap_or(usual), |seed| {
        simulate(seed, Watch::Nothing);
    });
}

/// The simulation happens upon all that it is there for: otherwise it would prove nothing.
#[test]
#[cfg_attr(debug_assertions, ignore = "it takes long if it is not optimised: run it with --release")]
fn everything_happens() {
    let all = Mutex::new(Coverage::new());
    play(1_000, |seed| {
        let counts = simulate(seed, Watch::Counts);
        let mut all = all.lock().unwrap();
        for (what, count) in counts {
            *all.entry(what).or_default() += count;
        }
    });
    let all = all.into_inner().unwrap();
    for (what, count) in &all {
        println!("{count:>8} {what}");
    }
    let missing: Vec<_> = EXPECTED.iter().filter(|what| !all.contains_key(**what)).collect();
    assert!(missing.is_empty(), "it never comes to {missing:?}");
}

const EXPECTED: &[&str] = &[
    "SMSC forgets all",
    "SMSC forgets the answer",
    "SMSC has unbound",
    "SMSC too many binds",
    "answer false false",
    "answer false true",
    "answer true false",
    "answer true true",
    "binds changed",
    "closed",
    "delivery accepted",
    "delivery refused",
    "delivery without answer",
    "fate Accepted",
    "fate NeverSent Abandoned",
    "fate NeverSent Cancelled",
    "fate NeverSent Expired",
    "fate NeverSent ShutDown",
    "fate NeverSent Stopped",
    "fate Refused",
    "fate Unanswered",
    "fault Busy",
    "fault Crowded",
    "fault Cut",
    "fault CutUnseenByAccount",
    "fault CutUnseenByServer",
    "fault Down",
    "fault Flapping",
    "fault Forgetful",
    "fault IgnoresBinds",
    "fault NoName",
    "fault RefusesBinds",
    "fault Renamed",
    "fault Stall",
    "fault Unbind",
    "fault WrongPassword",
    "link Bound",
    "link Ended Aborted",
    "link Ended Disconnected",
    "link Ended LinkDead",
    "link Ended PeerUnbound",
    "link Ended Stalled",
    "link Ended UnbindTimeout",
    "link Ended Unbound",
    "link PeerUnbind",
    "link Refused",
    "link Unreachable",
    "link Unresolved",
    "message from a phone, whole false",
    "message from a phone, whole true",
    "not taken, Full",
    "not taken, ShutDown",
    "not taken, Stopped",
    "not taken, TooManyParts",
    "receipt, known false",
    "receipt, known true",
    "receipts of all parts",
    "stopped",
    "submitted, one part",
    "submitted, several parts",
    "unreported",
];
