//! Simulates an account and the SMSC that it binds to, over faulty connections in simulated time.
//!
//! The seed decides everything: the options, most of them tiny, what the application does, the addresses of the host, how
//! fast the connections are, what the SMSC answers, and the faults. After every step the account is compared with models of
//! its guarantees: one of its [connection slots](slots), one of its [messages](messages), one of the
//! [deliveries](deliveries), one of its [event stream](events). The models use the log of an observer of its sessions and what the SMSC has received, nothing
//! of its internal state. A scenario that fails prints its seed; this command runs it again, with a trace of each step:
//!
//! ```text
//! SEED=1234 cargo test -p smpp-proto --test account -- --nocapture
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

mod alerts;
mod answers;
mod application;
mod content;
mod context;
mod deliveries;
mod events;
mod expected;
mod handed;
#[allow(dead_code, reason = "each simulation uses what it needs")]
#[path = "../harness/mod.rs"]
mod harness;
mod log;
mod messages;
mod requests;
mod scenario;
#[allow(dead_code, reason = "each simulation uses what it needs")]
#[path = "../harness/server_model.rs"]
mod server_model;
mod shape;
mod simulation;
mod slots;
mod smsc;

use harness::Simulation;

const SIMULATION: Simulation = Simulation { name: "account", scenario: simulation::simulate };

#[test]
fn the_account_keeps_its_guarantees_in_random_scenarios() {
    let usual = if cfg!(debug_assertions) { 50 } else { 50_000 };
    SIMULATION.run(usual);
}

/// Checks that the scenarios reach every case that the simulation is there for.
#[test]
#[cfg_attr(debug_assertions, ignore = "slow without optimisation: run it with --release")]
fn the_scenarios_reach_every_case() {
    SIMULATION.check_coverage(3_000, EXPECTED);
}

/// Checks how many scenarios have a server as their SMSC, and how many a scripted one.
#[test]
fn a_server_is_the_smsc_of_most_scenarios() {
    let with_server = (0..1_000).filter(|seed| {
        let mut rng = harness::rng::Rng::new(*seed);
        scenario::Scenario::new(&mut rng).server.is_some()
    });
    let share = with_server.count();
    assert!((760..840).contains(&share), "{share} of 1,000 instead of about {}", smsc::SERVER_SHARE);
}

const EXPECTED: &[&str] = &[
    "MO message, complete false",
    "MO message, complete true",
    "MO message in a data_sm",
    "SMSC alert_notification",
    "SMSC drops the answer",
    "SMSC drops the message",
    "SMSC accepts 0 of several recipients",
    "SMSC accepts 1 of several recipients",
    "SMSC accepts 3 of several recipients",
    "SMSC has unbound",
    "SMSC session closed, framing",
    "SMSC one receipt for a segment",
    "SMSC one receipt for several segments",
    "SMSC too many binds",
    "SMSC waits for the acknowledgement of a segment",
    "a dead bind is made again",
    "a message names a bind",
    "acknowledge false false",
    "acknowledge false true",
    "acknowledge true false",
    "acknowledge true true",
    "bind replaced",
    "alert_notification while it unbinds",
    "binds changed",
    "binds changed to none",
    "closed",
    "corrupted body down",
    "corrupted PDU down",
    "corrupted PDU up",
    "corrupted body up",
    "corrupted command of a PDU",
    "corrupted fields of a PDU",
    "corrupted length down",
    "corrupted length up",
    "corrupted request down",
    "corrupted request up",
    "corrupted response down",
    "corrupted response up",
    "corrupted sequence number of a PDU",
    "delivery accepted",
    "delivery in a data_sm",
    "delivery refused",
    "delivery without answer",
    "event bind_refused",
    "event binding",
    "event bound",
    "event closed",
    "event connect_failed",
    "event late_outcome",
    "event link_closed",
    "event message_failed",
    "event message_in_doubt",
    "event notification",
    "event paused",
    "event peer_unbind",
    "event receipts_expired",
    "event resolve_failed",
    "event resumed",
    "event retrying",
    "event stopped",
    "event throttled",
    "failover to another endpoint",
    "fault BlackHole",
    "fault Busy",
    "fault Corrupted",
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
    "fault Restart",
    "fault Renamed",
    "fault Stall",
    "fault Unbind",
    "fault WrongPassword",
    "first segments of one sender: 3",
    "first segments of one sender: 60",
    "late outcome Accepted",
    "link BindRefused",
    "link Bound",
    "link Closed Aborted",
    "link Closed Disconnected",
    "link Closed Framing",
    "link Closed LinkDead",
    "link Closed PeerUnbound",
    "link Closed Stalled",
    "link Closed UnbindTimeout",
    "link Closed Unbound",
    "link ConnectFailed",
    "link PeerUnbind",
    "link ResolveFailed",
    "not accepted, Full",
    "not accepted, ShutDown",
    "not accepted, Stopped",
    "not accepted, TooManySegments",
    "outcome Accepted",
    "outcome NeverSent Abandoned",
    "outcome NeverSent BindEnded",
    "outcome NeverSent Cancelled",
    "outcome NeverSent Expired",
    "outcome NeverSent ShutDown",
    "outcome NeverSent Stopped",
    "outcome Refused",
    "outcome Unanswered",
    "receipt of a message of an earlier process",
    "receipt that changes the state",
    "receipt in a data_sm, known false",
    "receipt in a data_sm, known true",
    "receipt, known false",
    "receipt, known true",
    "receipts expired",
    "receipts of all segments",
    "reconfigured Binds",
    "reconfigured Credentials",
    "reconfigured Endpoints",
    "reconfigured Limits",
    "reconfigured Nothing",
    "reconfigured Reassembly",
    "reconfigured Receipts",
    "reconfigured Sending",
    "reconfigured Statuses",
    "resumed",
    "server: a stranger",
    "server: bind refused Application",
    "server: bind refused TooManyBinds",
    "server: bind refused Undecided",
    "server: decision after the end",
    "server: delivery not accepted Full",
    "server: delivery not accepted NoBind",
    "server: ended Aborted",
    "server: ended Disconnected",
    "server: ended Framing",
    "server: ended LinkDead",
    "server: ended PeerUnbound",
    "server: ended Unbound",
    "server: event throttled",
    "server: not bound BindRefused",
    "server: not bound Replaced",
    "server: not bound Session",
    "server: not bound Stopping",
    "server: rate limit",
    "server: rejected Connections",
    "server: rejected PerAddress",
    "server: rejected Stopping",
    "server: started again",
    "several groups",
    "request NeverSent BindEnded",
    "request NeverSent Expired",
    "request NeverSent Request",
    "request NeverSent ShutDown",
    "request NeverSent Stopped",
    "request NeverSent Withdrawn",
    "request Ok",
    "request Refused",
    "request Unanswered",
    "request about a message that is tracked",
    "request not accepted, Full",
    "request not accepted, ShutDown",
    "response with a TLV",
    "stopped",
    "submitted a data_sm",
    "submitted a message class",
    "submitted a submit_multi",
    "submitted a submit_multi to several recipients",
    "submitted ports",
    "submitted, one segment",
    "submitted, several segments",
    "the unbind timeout ends the shutdown",
];
