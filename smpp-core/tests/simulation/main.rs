//! Two sessions, an ESME and an SMSC, over a faulty link in simulated time.
//!
//! A seed decides everything: the configurations, which often have tiny limits, the actions of the applications, and the
//! properties and faults of the link. After every call the test compares each session with a [model](model) of what it
//! guarantees. A scenario that fails prints its seed. This command repeats it and prints each step:
//!
//! ```text
//! SEED=1234 cargo test -p smpp-proto --test simulation -- --nocapture
//! ```
//!
//! `SCENARIOS` sets the number of scenarios.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test helpers"
)]

mod context;
mod end;
#[allow(dead_code, reason = "each simulation uses a part of it")]
#[path = "../harness/mod.rs"]
mod harness;
mod liveness;
mod messages;
mod model;
mod peer;
mod scenario;
mod settings;
mod trace;
mod world;

use harness::Simulation;

const SIMULATION: Simulation = Simulation { name: "simulation", scenario: world::simulate };

#[test]
fn sessions_keep_their_guarantees_under_faults() {
    let usual = if cfg!(debug_assertions) { 300 } else { 100_000 };
    SIMULATION.run(usual);
}

/// Every situation that the simulation is meant to test must occur.
#[test]
#[cfg_attr(debug_assertions, ignore = "slow without optimisation: run it with --release")]
fn every_situation_occurs() {
    SIMULATION.check_coverage(4_000, EXPECTED);
}

/// Replays recorded calls and compares the results: one file per scenario.
#[test]
fn stored_traces_are_replayed() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/traces");
    let mut traces = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let trace = std::fs::read_to_string(&path).unwrap();
        let recorded: Vec<&str> = trace.lines().filter(|line| !line.starts_with('#')).collect();
        let replayed = trace::replay(&trace);
        assert_eq!(replayed.lines().collect::<Vec<_>>(), recorded, "{}:\n{replayed}", path.display());
        traces += 1;
    }
    assert!(traces > 0, "no traces in {folder}");
}

const EXPECTED: &[&str] = &[
    "alert_notification sent",
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
    "closed Unresponsive",
    "event LateResponse",
    "event Malformed",
    "event Notification",
    "event PeerUnbind",
    "event Refused",
    "event UnexpectedResponse",
    "fault Corrupt",
    "fault Cut",
    "fault Flood",
    "fault HalfClose",
    "fault Hold",
    "fault Loss",
    "fault MalformedPdus",
    "fault RandomOctets",
    "fault SmallBuffer",
    "fault Stall",
    "fault UnsolicitedPdus",
    "half-close served",
    "input resumed",
    "never answered",
    "outbind sent",
    "outcome Accepted",
    "outcome Nacked",
    "outcome NeverSent",
    "outcome Refused",
    "outcome Unanswered Closed",
    "outcome Unanswered Timeout",
    "outcome Unanswered Unreadable",
    "own request enquire_link",
    "refusal OutputFull",
    "refusal RateLimited",
    "refusal State",
    "refusal TlvsUnsupported",
    "refusal TooLong",
    "refusal Version",
    "refusal WindowFull",
    "replayed",
    "request of peer bind_receiver",
    "request of peer bind_transceiver",
    "request of peer bind_transmitter",
    "request of peer broadcast_sm",
    "request of peer cancel_broadcast_sm",
    "request of peer cancel_sm",
    "request of peer data_sm",
    "request of peer deliver_sm",
    "request of peer query_broadcast_sm",
    "request of peer query_sm",
    "request of peer replace_sm",
    "request of peer submit_multi",
    "request of peer submit_sm",
    "response refused",
    "response sent",
    "suspended",
    "throttled after backpressure_timeout",
    "unbinds crossed",
    "waits for its own response",
];
