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
#[allow(dead_code, reason = "each simulation uses what it needs")]
#[path = "../harness/mod.rs"]
mod harness;
mod log;
mod messages;
mod scenario;
mod scene;
mod smsc;
mod world;

use harness::Simulation;

const SIMULATION: Simulation = Simulation { name: "account", scenario: world::simulate };

#[test]
fn whatever_happens_the_account_keeps_its_promises() {
    let usual = if cfg!(debug_assertions) { 50 } else { 20_000 };
    SIMULATION.run(usual);
}

/// The simulation happens upon all that it is there for: otherwise it would prove nothing.
#[test]
#[cfg_attr(debug_assertions, ignore = "it takes long if it is not optimised: run it with --release")]
fn everything_happens() {
    SIMULATION.check_coverage(1_000, EXPECTED);
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
