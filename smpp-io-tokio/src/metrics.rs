//! Counters, gauges and a histogram for the `metrics` facade (feature `metrics`).
//!
//! [`publish`] and [`publish_account`] read what sessions and accounts count anyway, and publish it at intervals. Install
//! a recorder of your choice before, for example an exporter for Prometheus.
//!
//! ```no_run
//! use std::time::Duration;
//! use smpp_io_tokio::metrics;
//!
//! # fn example(client: smpp_io_tokio::Client, account: smpp_io_tokio::account::Account) {
//! metrics::describe();
//! tokio::spawn(metrics::publish(&client, "8x8", Duration::from_secs(10)));
//! tokio::spawn(metrics::publish_account(&account, "8x8", Duration::from_secs(10)));
//! # }
//! ```
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
//! `kind` is one of [`Kind`](smpp_core::session::Kind): `bind`, `message`, `manage`, `enquire_link`, `unbind`, `other`.
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
//! Each has the label `account`, the name given to [`publish_account`]. A segment is one submit_sm of a message.
//!
//! | name | kind | further labels | what it counts |
//! | --- | --- | --- | --- |
//! | `smpp_account_links` | gauge | `state`: `idle`, `connecting`, `bound`, `closing` | connections |
//! | `smpp_account_queued_segments` | gauge | | segments that wait or are in flight |
//! | `smpp_account_pending_receipts` | gauge | | segments that wait for their delivery receipt |
//! | `smpp_account_segments_total` | counter | `outcome`: `accepted`, `refused`, `nacked`, `never_sent`, `unanswered` | segments that are completed |
//! | `smpp_account_delivered_total` | counter | `type`: `message`, `receipt`, `unmatched_receipt` | deliveries of the SMSC |
//! | `smpp_account_binds_total` | counter | `outcome`: `bound`, `refused`, `connect_failed` | attempts to bind |
//! | `smpp_account_receipts_expired_total` | counter | | segments whose delivery receipt did not arrive in time |
//!
//! # Privacy
//!
//! Metrics never hold message texts, subscriber numbers or passwords. All label values are the constants above and the
//! names that the application gives.
//!
//! # Precision
//!
//! Counters are exact as of the last publication, and after the end of the session; gauges are momentary values. At each
//! publication the histogram gets the mean response time since the one before, once for each response, 1,000 times at most:
//! its mean is exact up to that limit, its quantiles are those of the means and hide single slow responses. For exact
//! quantiles use [`Stats::response_times`](smpp_core::session::Stats::response_times) or an observer.

mod account;
mod gauge;
mod session;
mod traffic;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

pub use account::publish_account;
pub use session::publish;

/// Passes the descriptions and units of all metrics to the installed recorder.
pub fn describe() {
    describe_gauge!("smpp_sessions", Unit::Count, "sessions before and after the bind");
    describe_gauge!("smpp_in_flight", Unit::Count, "sent requests without an outcome");
    describe_gauge!(
        "smpp_unanswered",
        Unit::Count,
        "received requests that the application has not responded to"
    );
    describe_counter!("smpp_pdus_total", Unit::Count, "PDUs read and encoded");
    describe_counter!("smpp_octets_total", Unit::Bytes, "octets of PDUs read and encoded");
    describe_counter!("smpp_transmitted_octets_total", Unit::Bytes, "octets that the transport has accepted");
    describe_counter!(
        "smpp_requests_total",
        Unit::Count,
        "completed requests of the application, by outcome"
    );
    describe_counter!("smpp_timeouts_total", Unit::Count, "requests without a response in time");
    describe_counter!("smpp_throttled_total", Unit::Count, "requests that the peer throttled");
    describe_counter!("smpp_refused_total", Unit::Count, "received requests that the session refused");
    describe_counter!("smpp_malformed_total", Unit::Count, "PDUs that cannot be decoded");
    describe_counter!("smpp_unknown_commands_total", Unit::Count, "PDUs with an unknown command_id");
    describe_counter!(
        "smpp_unexpected_responses_total",
        Unit::Count,
        "responses without a request in flight"
    );
    describe_counter!("smpp_quirks_total", Unit::Count, "PDUs with tolerated deviations");
    describe_histogram!("smpp_response_seconds", Unit::Seconds, "time from a request to its response");
    describe_gauge!("smpp_account_links", Unit::Count, "connections, by state");
    describe_gauge!("smpp_account_queued_segments", Unit::Count, "segments that wait or are in flight");
    describe_gauge!("smpp_account_pending_receipts", Unit::Count, "segments that wait for their receipt");
    describe_counter!("smpp_account_segments_total", Unit::Count, "completed segments, by outcome");
    describe_counter!("smpp_account_delivered_total", Unit::Count, "deliveries of the SMSC, by type");
    describe_counter!("smpp_account_binds_total", Unit::Count, "attempts to bind, by outcome");
    describe_counter!(
        "smpp_account_receipts_expired_total",
        Unit::Count,
        "segments whose receipt did not arrive in time"
    );
}
