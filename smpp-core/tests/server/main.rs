//! Simulates a server and its clients, over faulty connections in simulated time.
//!
//! The seed decides everything: the options, most of them tiny, what the clients and the application do, how fast the
//! connections are, and the faults. Some clients flood the server before they bind. After every step the limits of the server
//! are compared with a [model](model) that knows only its events and the states of its sessions, and what the clients have
//! received. A scenario that fails prints its seed; this command runs it again, with a trace of each step:
//!
//! ```text
//! SEED=1234 cargo test -p smpp-proto --test server -- --nocapture
//! ```
//!
//! `SCENARIOS` sets how many scenarios run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test helpers"
)]

mod application;
mod client;
mod deliveries;
#[allow(dead_code, reason = "each simulation uses what it needs")]
#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/server_model.rs"]
mod model;
mod scenario;
mod world;

use harness::Simulation;

const SIMULATION: Simulation = Simulation { name: "server", scenario: world::simulate };

#[test]
fn the_server_keeps_its_guarantees_in_random_scenarios() {
    let usual = if cfg!(debug_assertions) { 10 } else { 20_000 };
    SIMULATION.run(usual);
}

/// Checks that the scenarios reach every case that the simulation is there for.
#[test]
#[cfg_attr(debug_assertions, ignore = "slow without optimisation: run it with --release")]
fn the_scenarios_reach_every_case() {
    SIMULATION.check_coverage(3_000, EXPECTED);
}

const EXPECTED: &[&str] = &[
    "bind refused Application",
    "bind refused TooManyBinds",
    "bind refused TooManyOfMode",
    "bind refused Undecided",
    "connected through a proxy",
    "decision after the end",
    "decision never",
    "delivery Accepted",
    "delivery NeverSent Expired",
    "delivery NeverSent Refused",
    "delivery NeverSent ShutDown",
    "delivery Refused",
    "delivery Unanswered",
    "delivery not accepted Full",
    "delivery not accepted NoBind",
    "delivery not accepted ShutDown",
    "delivery tried again",
    "ended Aborted",
    "ended Disconnected",
    "ended PeerUnbound",
    "ended Unbound",
    "event bind_refused",
    "event bound",
    "event closed",
    "event connected",
    "event delivery",
    "event ended",
    "event not_bound",
    "event rejected",
    "event throttled",
    "not identified PerAddress",
    "not bound BindRefused",
    "not bound Octets",
    "not bound Replaced",
    "not bound Session",
    "not bound Stopping",
    "quirk tolerated",
    "reply after the end",
    "rejected Connections",
    "rejected PerAddress",
    "rejected ProxyHeader(Disconnected)",
    "rejected ProxyHeader(Malformed)",
    "rejected Replaced",
    "rejected Stopping",
    "submit_multi",
];
