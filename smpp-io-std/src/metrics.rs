//! Counters, gauges and a histogram for the `metrics` facade (feature `metrics`).
//!
//! [`publish`], [`publish_account`] and [`publish_server`] read what sessions, accounts and servers count anyway, and publish it
//! at intervals. Install a recorder of your choice before, for example an exporter for Prometheus.
//!
//! ```no_run
//! use std::thread;
//! use std::time::Duration;
//! use smpp_std::account::Account;
//! use smpp_std::{Client, Server, metrics};
//!
//! fn publish(client: &Client, account: &Account, server: &Server) {
//!     metrics::describe();
//!     thread::spawn(metrics::publish(client, "8x8", Duration::from_secs(10)));
//!     thread::spawn(metrics::publish_account(account, "8x8", Duration::from_secs(10)));
//!     thread::spawn(metrics::publish_server(server.binds(), "smsc", Duration::from_secs(10)));
//! }
//! ```
//!
//! The names and labels are those of `smpp-tokio`. A [`Connection`](crate::Connection) has no publisher, because it works
//! only in its own thread: publish its [`stats`](crate::Connection::stats) yourself.
//!
//! # Metrics of a session
//!
//! Each has the labels `role` (`esme` or `smsc`) and `session`, the name given to [`publish`]. Sessions with the same name
//! add up.
//!
//! | name | kind | further labels | what it counts |
//! | --- | --- | --- | --- |
//! | `smpp_sessions` | gauge | `state`: `open`, `bound` | sessions before and after the bind; a session that has ended is in neither |
//! | `smpp_in_flight` | gauge | | sent requests without an outcome |
//! | `smpp_unanswered` | gauge | | received requests that the application has not responded to |
//! | `smpp_pdus_total` | counter | `direction`: `in`, `out`; `kind`; `type`: `request`, `response` | PDUs read and encoded |
//! | `smpp_octets_total` | counter | `direction`, `kind` | octets of these PDUs |
//! | `smpp_transmitted_octets_total` | counter | | octets that the transport has accepted |
//! | `smpp_requests_total` | counter | `outcome` | requests of the application that are completed |
//! | `smpp_timeouts_total` | counter | | requests without a response in time, also those of the session itself |
//! | `smpp_throttled_total` | counter | | requests that the peer refused with `ESME_RTHROTTLED` or `ESME_RMSGQFUL` |
//! | `smpp_refused_total` | counter | | received requests that the session refused itself |
//! | `smpp_malformed_total` | counter | | PDUs that cannot be decoded |
//! | `smpp_unknown_commands_total` | counter | | PDUs with an unknown `command_id` |
//! | `smpp_unexpected_responses_total` | counter | | responses without a request in flight |
//! | `smpp_quirks_total` | counter | | PDUs with tolerated deviations |
//! | `smpp_response_seconds` | histogram | | time from a request to its response |
//!
//! `kind` is one of [`Kind`](smpp_proto::session::Kind): `bind`, `message`, `manage`, `enquire_link`, `unbind`, `other`.
//! `outcome` is
//! - `accepted`: a response with `ESME_ROK`;
//! - `throttled`: a response with `ESME_RTHROTTLED` or `ESME_RMSGQFUL`;
//! - `refused`: a response with another status;
//! - `nacked`: a generic_nack;
//! - `never_sent`: not sent, safe to send again;
//! - `unanswered`: sent, without a response; the peer may have accepted it.
//!
//! # Metrics of an account
//!
//! Each has the label `account`, the name given to [`publish_account`]. A segment is one submit_sm of a message. Counters
//! count from the start of the account, across all its sessions.
//!
//! | name | kind | further labels | what it counts |
//! | --- | --- | --- | --- |
//! | `smpp_account_links` | gauge | `state`: `idle`, `connecting`, `bound`, `closing` | connections |
//! | `smpp_account_queued_segments` | gauge | | segments that wait or are in flight |
//! | `smpp_account_pending_receipts` | gauge | | segments that wait for their final delivery receipt |
//! | `smpp_account_tracked_receipts` | gauge | | segments that count against the capacity of receipts: also those whose receipts have arrived recently |
//! | `smpp_account_segments_total` | counter | `outcome`: `accepted`, `refused`, `nacked`, `never_sent`, `unanswered` | segments that are completed |
//! | `smpp_account_in_doubt_total` | counter | | attempts to send a segment that got no response |
//! | `smpp_account_late_outcomes_total` | counter | | responses after the outcome of their message |
//! | `smpp_account_delivered_total` | counter | `type`: `message`, `receipt`, `unmatched_receipt` | deliveries of the SMSC |
//! | `smpp_account_receipts_expired_total` | counter | | segments whose delivery receipt did not arrive in time |
//! | `smpp_account_binds_total` | counter | `outcome`: `bound`, `refused`, `connect_failed` | attempts to bind |
//! | `smpp_account_rebinds_total` | counter | | binds of a connection slot after its first |
//! | `smpp_account_links_closed_total` | counter | | sessions that have ended |
//! | `smpp_account_pauses_total` | counter | | pauses of a bind after the SMSC refused a segment for the moment |
//!
//! For each connection slot, with the label `link` (from `0`), there is what a session has: `smpp_account_in_flight`,
//! `_unanswered`, `_pdus_total`, `_octets_total`, `_transmitted_octets_total`, `_requests_total`, `_timeouts_total`,
//! `_throttled_total`, `_refused_total`, `_malformed_total`, `_unknown_commands_total`, `_unexpected_responses_total`,
//! `_quirks_total` and `_response_seconds`, with the labels of the table above. Their sum over `link` is the account.
//! `smpp_account_requests_total` counts each attempt to send a segment, and the binds.
//!
//! # Metrics of a server
//!
//! Each has the label `server`, the name given to [`publish_server`]. Counters count from the start of the server.
//!
//! | name | kind | further labels | what it counts |
//! | --- | --- | --- | --- |
//! | `smpp_server_connections` | gauge | `state`: `unbound`, `bound`, `closing` | connections |
//! | `smpp_server_unbound_octets` | gauge | | octets that connections without a bind hold |
//! | `smpp_server_accounts` | gauge | | accounts with a bind or a delivery |
//! | `smpp_server_queued_deliveries` | gauge | | deliveries without an outcome |
//! | `smpp_server_queued_octets` | gauge | | octets of these deliveries |
//! | `smpp_server_connections_total` | counter | `outcome`: `accepted`, `rejected`, `not_bound` | accepted connections; those that were closed at once; those that ended without a bind |
//! | `smpp_server_binds_total` | counter | `outcome`: `bound`, `refused`, `ended` | binds |
//! | `smpp_server_deliveries_total` | counter | `outcome`: `accepted`, `failed` | deliveries that have ended |
//! | `smpp_server_throttled_total` | counter | | how often a bind has reached a rate limit |
//!
//! For the sessions of a server, pass [`BoundSession::peer`](crate::BoundSession::peer) to [`publish`] when one is bound.
//!
//! # Privacy
//!
//! Metrics never hold message texts, subscriber numbers or passwords. All label values are the constants above and the
//! names that the application gives.
//!
//! # Precision
//!
//! Counters are exact as of the last publication, and after the end of the session or account; gauges are momentary values.
//! The histogram gets one sample for each response, the middle of a bucket of
//! [`Histogram`](smpp_proto::session::Histogram): at most 12.5 % off. If there were more than 10,000 responses since the
//! last publication, it gets a proportional part of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use smpp_common::metrics::{MIN_INTERVAL, ServerPublisher, SessionPublisher};
use smpp_proto::session::Role;

pub use crate::account::publish::publish_account;
use crate::handle::Handle;
use crate::server::BindRegistry;
use crate::waiting_threads::WaitRole;
#[doc(inline)]
pub use smpp_common::metrics::describe;

/// The longest interval: the clock of the operating system has a range.
const MAX_INTERVAL: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// Returns a function that publishes the metrics of a session at the given interval, and once more when the session has ended.
/// Then it returns. Spawn it as a thread.
///
/// `session` is the value of the label `session`. The interval is 1 ms at least. The function does not keep the session
/// alive. It uses the recorder that is installed when `publish` is called.
///
/// ```no_run
/// use std::thread;
/// use std::time::Duration;
/// use smpp_std::{Client, metrics};
///
/// fn publish(client: &Client) {
///     thread::spawn(metrics::publish(client, "8x8", Duration::from_secs(10)));
/// }
/// ```
pub fn publish<R: Role>(
    handle: &Handle<R>,
    session: impl Into<String>,
    interval: Duration,
) -> impl FnOnce() + Send + 'static {
    let shared = Arc::clone(&handle.shared);
    let mut publisher = SessionPublisher::new(R::SIDE, session.into());
    move || loop {
        let (session, stats, counters, has_ended) = {
            let state = shared.lock();
            let counters = state.telemetry.counters.clone();
            (state.session.state(), state.session.stats(), counters, state.end.is_some())
        };
        publisher.publish(session, &stats, &counters);
        if has_ended {
            return;
        }
        // Waits for the end of the session or of the interval.
        let until = shared.session_time(end_of(interval));
        shared.wait(
            WaitRole::Passive,
            Some(until),
            |state, _| {
                if state.end.is_some() { Ok(()) } else { Err(None) }
            },
        );
    }
}

/// Returns a function that publishes the metrics of a server at the given interval, and once more when it is shut down. Then it
/// returns. Spawn it as a thread.
///
/// `server` is the value of the label `server`. The interval is 1 ms at least. The function does not keep the server running.
/// It uses the recorder that is installed when `publish_server` is called.
///
/// ```no_run
/// use std::thread;
/// use std::time::Duration;
/// use smpp_std::{Server, metrics};
///
/// fn publish(server: &Server) {
///     thread::spawn(metrics::publish_server(server.binds(), "smsc", Duration::from_secs(10)));
/// }
/// ```
pub fn publish_server(
    binds: &BindRegistry,
    server: impl Into<String>,
    interval: Duration,
) -> impl FnOnce() + Send + 'static {
    let binds = binds.clone();
    let mut publisher = ServerPublisher::new(&server.into());
    move || loop {
        let is_closed = binds.wait_for_close(Instant::now());
        publisher.publish(&binds.stats());
        if is_closed {
            return;
        }
        binds.wait_for_close(end_of(interval));
    }
}

/// Returns the end of an interval that begins now.
pub(crate) fn end_of(interval: Duration) -> Instant {
    Instant::now() + interval.clamp(MIN_INTERVAL, MAX_INTERVAL)
}
