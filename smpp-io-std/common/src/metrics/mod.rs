//! What is published for the `metrics` facade: the documentation of the adapters lists it.

mod account;
mod gauge;
mod server;
mod session;
mod traffic;

use std::time::Duration;

use metrics::{Unit, describe_counter, describe_gauge};

pub use account::{AccountPublisher, AccountValues};
pub use server::ServerPublisher;
pub use session::SessionPublisher;

/// The shortest interval between two publications.
pub const MIN_INTERVAL: Duration = Duration::from_millis(1);

/// Passes the descriptions and units of all metrics to the installed recorder.
pub fn describe() {
    describe_gauge!("smpp_sessions", Unit::Count, "sessions before and after the bind");
    traffic::describe("smpp");
    traffic::describe("smpp_account");
    server::describe();
    describe_gauge!("smpp_account_links", Unit::Count, "connections, by state");
    describe_gauge!("smpp_account_queued_segments", Unit::Count, "segments that wait or are in flight");
    describe_gauge!("smpp_account_pending_receipts", Unit::Count, "segments that wait for their receipt");
    describe_gauge!(
        "smpp_account_tracked_receipts",
        Unit::Count,
        "segments that count against the capacity of receipts"
    );
    for (name, description) in [
        ("segments_total", "completed segments, by outcome"),
        ("in_doubt_total", "attempts to send a segment that got no response"),
        ("late_outcomes_total", "responses after the outcome of their message"),
        ("delivered_total", "deliveries of the SMSC, by type"),
        ("receipts_expired_total", "segments whose receipt did not arrive in time"),
        ("binds_total", "attempts to bind, by outcome"),
        ("rebinds_total", "binds of a connection slot after its first"),
        ("links_closed_total", "sessions that have ended"),
        ("pauses_total", "pauses of a bind after the SMSC refused a segment for the moment"),
    ] {
        describe_counter!(format!("smpp_account_{name}"), Unit::Count, description);
    }
}
