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
        let again = format!("SEED={seed} cargo test -p smpp-core --test simulation -- --nocapture");
        panic!("scenario {seed} fails; this plays it again:\n{again}\n");
    }
}

#[test]
fn whatever_the_link_does_the_sessions_keep_their_promises() {
    if let Some(seed) = variable("SEED") {
        simulate(seed, Watch::Steps);
        return;
    }
    let usual = if cfg!(debug_assertions) { 3_000 } else { 100_000 };
    play(variable("SCENARIOS").unwrap_or(usual), |seed| {
        simulate(seed, Watch::Nothing);
    });
}

/// The simulation happens upon all that it is there for: otherwise it would prove nothing.
#[test]
fn everything_happens() {
    let all = Mutex::new(Coverage::new());
    play(4_000, |seed| {
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

/// What a session was told once, and what it said then: one file for each story.
#[test]
fn stored_traces_are_replayed() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/traces");
    let mut stories = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let story = std::fs::read_to_string(&path).unwrap();
        let told: Vec<&str> = story.lines().filter(|line| !line.starts_with('#')).collect();
        let replayed = trace::replay(&story);
        assert_eq!(replayed.lines().collect::<Vec<_>>(), told, "{}:\n{replayed}", path.display());
        stories += 1;
    }
    assert!(stories > 0, "no traces in {folder}");
}

const EXPECTED: &[&str] = &[
    "answer false",
    "answer true",
    "asked bind_receiver",
    "asked bind_transceiver",
    "asked bind_transmitter",
    "asked broadcast_sm",
    "asked cancel_broadcast_sm",
    "asked cancel_sm",
    "asked data_sm",
    "asked deliver_sm",
    "asked query_broadcast_sm",
    "asked query_sm",
    "asked replace_sm",
    "asked submit_multi",
    "asked submit_sm",
    "calm",
    "closed Aborted",
    "closed Disconnected",
    "closed Framing",
    "closed Inactive",
    "closed LinkDead",
    "closed PeerUnbound",
    "closed SessionInit",
    "closed Stalled",
    "closed TooManyMalformed",
    "closed UnbindTimeout",
    "closed Unbound",
    "event Malformed",
    "event Notification",
    "event PeerUnbind",
    "event Refused",
    "event Stray",
    "fault Corrupt",
    "fault Cut",
    "fault Flood",
    "fault HalfClose",
    "fault Hold",
    "fault Loss",
    "fault Noise",
    "fault Nonsense",
    "fault Squeeze",
    "fault Stall",
    "fault Strangers",
    "never answered",
    "notify alert_notification true",
    "notify outbind true",
    "outcome Accepted",
    "outcome Nacked",
    "outcome NeverSent",
    "outcome Refused",
    "outcome Unanswered Closed",
    "outcome Unanswered Timeout",
    "outcome Unanswered Unreadable",
    "refusal OutputFull",
    "refusal Paced",
    "refusal State",
    "refusal Tlvs",
    "refusal TooLong",
    "refusal Version",
    "refusal WindowFull",
    "replayed",
    "request enquire_link",
    "unbinds crossed",
];
