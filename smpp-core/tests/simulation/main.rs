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

#[allow(dead_code, reason = "each simulation uses what it needs")]
#[path = "../harness/mod.rs"]
mod harness;
mod lifetime;
mod messages;
mod model;
mod peer;
mod scenario;
mod scene;
mod settings;
mod trace;
mod world;

use harness::Simulation;

const SIMULATION: Simulation = Simulation { name: "simulation", scenario: world::simulate };

#[test]
fn whatever_the_link_does_the_sessions_keep_their_promises() {
    let usual = if cfg!(debug_assertions) { 3_000 } else { 100_000 };
    SIMULATION.run(usual);
}

/// The simulation happens upon all that it is there for: otherwise it would prove nothing.
#[test]
fn everything_happens() {
    SIMULATION.covers(4_000, EXPECTED);
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
