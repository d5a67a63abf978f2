//! How do I log, measure and capture what happens?
//!
//! **Short answer.** Enable the feature `tracing` for logs and `metrics` for counters and gauges; neither ever contains
//! message texts, phone numbers or passwords. For the PDUs themselves register an observer (`observe`) or write a
//! capture for Wireshark; these contain everything except passwords.
//!
//! # Which tool
//!
//! | you want | use | cost |
//! | --- | --- | --- |
//! | logs: binds, refusals, reconnects, malformed PDUs | feature `tracing` | a comparison for each event of a session |
//! | dashboards and alerts | feature `metrics` | an addition for each request; the rest at intervals |
//! | what happens to an account: binds, reconnects, pauses, messages in doubt | [`Account::events`] | a copy of each event |
//! | counters in your own code, at any time | [`Account::stats`], [`Account::links`], [`Handle::stats`], [`BoundSession::stats`](crate::BoundSession::stats) | none: they are kept anyway |
//! | every PDU | [`Handle::observe`], [`AccountConnector::observe`], [`ServerBuilder::observe`](crate::ServerBuilder::observe) | one call for each PDU |
//! | malformed and refused PDUs of the peer | the same, with [`Observer::rejected`] | one call for each of them |
//! | Wireshark, also for TLS | the same, with `smpp_proto::pcap` (feature `pcap` of `smpp-proto`) | a copy of each PDU, and your file |
//! | what a server does | [`BindRegistry::events`](crate::BindRegistry::events): one ordered stream with `Display`; [`Service::event`](crate::Service::event), with the bind and the error | a copy of each event; one call for each event |
//! | counters of a server | [`BindRegistry::stats`](crate::BindRegistry::stats) | none: the server counts anyway |
//!
//! # Logging with `tracing`
//!
//! ```sh
//! cargo add smpp-tokio --features tracing
//! cargo add tracing-subscriber --features fmt,json
//! ```
//!
//! ```no_run
//! use tracing_subscriber::filter::LevelFilter;
//!
//! fn main() {
//!     tracing_subscriber::fmt().json().with_max_level(LevelFilter::INFO).init();
//!     // ... the rest of your program; the target of all events is `smpp`
//! }
//! ```
//!
//! A single session (also each one of a [`Server`](crate::Server)) has the span `smpp` with `role` (`esme` or `smsc`),
//! `peer` (the address) and `system_id`. An account has the span `smpp_account` with `system_id`, a server the span
//! `smpp_server`.
//!
//! An account logs its [event stream](#the-event-stream-of-an-account): the message is the `Display` of the event, and the
//! fields are `kind` (`bound`, `link_closed`), `link`, `number` (of a message), `error` (the whole error of a failed
//! connection) and `suppressed`. A server logs its [events](crate::BindRegistry::events) in the same way, with the fields `kind`,
//! `connection` and `suppressed`.
//!
//! | level | a session logs | an account logs | a server logs |
//! | --- | --- | --- | --- |
//! | error | | `stopped` | |
//! | warn | bind refused; malformed PDU; a request not understood or without a response in time; a response that cannot be decoded; closed for any reason but `unbind` or `abort` | `bind_refused`, `connect_failed`, `resolve_failed`, `message_in_doubt`; `link_closed` for any reason but an `unbind` of either side or an `abort` | `rejected`, `bind_refused`, `throttled`; `not_bound` of a connection that was closed for another one or held too much; `ended` for any reason but an `unbind` or an `abort` |
//! | info | bound; the peer unbinds; closed after `unbind` or `abort` | `bound`, `paused`, `peer_unbind`, `closed`, `account_resumed`; `link_closed` after an `unbind` or an `abort` | `bound`, `closed`; `ended` after an `unbind` or an `abort` |
//! | debug | connected; throttled by the peer; a request of the peer refused by the session; an unexpected response | `binding`, `throttled`, `resumed`, `message_failed`, `late_outcome`, `receipts_expired` | `connected`, `not_bound` |
//!
//! Nothing is logged for a message that goes well. Of each kind, an account or a server logs 20 events at once, then one a second;
//! `suppressed` says how many were left out since. The event stream has all of them. The texts of a session's events are
//! listed in the [crate documentation](crate). All are emitted while the session or the account is locked: use a subscriber
//! that does not block.
//!
//! # Metrics
//!
//! The feature `metrics` publishes to the facade crate `metrics`. Install any recorder, for example a Prometheus
//! exporter, then spawn the publisher:
//!
//! ```no_run
//! # #[cfg(feature = "metrics")]
//! # fn example(account: &smpp_tokio::account::Account, client: &smpp_tokio::Client, server: &smpp_tokio::Server) {
//! use std::time::Duration;
//! use smpp_tokio::metrics;
//!
//! metrics::describe();
//! tokio::spawn(metrics::publish_account(account, "8x8", Duration::from_secs(10)));
//! tokio::spawn(metrics::publish(client, "8x8", Duration::from_secs(10))); // a single session
//! tokio::spawn(metrics::publish_server(server.binds(), "smsc", Duration::from_secs(10)));
//! # }
//! ```
//!
//! The most useful names; the documentation of the module `metrics` has all of them with their labels:
//!
//! | question | metric |
//! | --- | --- |
//! | Are the binds up? | `smpp_account_links{state="bound"}` |
//! | Does the queue grow? | `smpp_account_queued_segments` |
//! | How do segments end? | `smpp_account_segments_total` by `outcome`: `accepted`, `refused`, `nacked`, `never_sent`, `unanswered` |
//! | How many segments wait for receipts? | `smpp_account_pending_receipts` |
//! | Do receipts fail to arrive? | `smpp_account_receipts_expired_total` |
//! | What did the SMSC deliver? | `smpp_account_delivered_total` by `type`: `message`, `receipt`, `unmatched_receipt` |
//! | Do binds fail? | `smpp_account_binds_total` by `outcome`: `bound`, `refused`, `connect_failed`; `smpp_account_rebinds_total` |
//! | How do the single attempts end? | `smpp_account_requests_total` by `link` and `outcome`: as above, and `throttled` |
//! | May messages be duplicated? | `smpp_account_in_doubt_total`: attempts that were sent and got no response |
//! | Is a window full? | `smpp_account_in_flight` by `link` |
//! | Is the SMSC slow? | `smpp_account_response_seconds` by `link`: a histogram with every response |
//! | Does the SMSC throttle? | `smpp_account_throttled_total` by `link`, `smpp_account_pauses_total` |
//! | Does the SMSC break the protocol? | `smpp_account_malformed_total`, `smpp_account_unknown_commands_total`, `smpp_account_quirks_total` by `link` |
//! | the same of a single session | `smpp_requests_total`, `smpp_in_flight`, `smpp_response_seconds`, ... |
//!
//! The counters of a `link` go on across its sessions; the sum over `link` is the account. Units: names that end in
//! `_seconds` are seconds, `_octets_total` octets, all others numbers.
//!
//! Alert on: no bound link for a minute; `smpp_account_queued_segments` near `queue_capacity`; a rise of
//! `unmatched_receipt`.
//!
//! # Counters without a feature
//!
//! ```no_run
//! # fn example(account: &smpp_tokio::account::Account) {
//! let stats = account.stats();
//! println!("{} queued, {} receipts pending", stats.queued, stats.pending_receipts);
//! println!("{:?}", stats.counters); // segments by outcome, receipts, binds, messages in doubt
//! for (link, stats) in stats.links.iter().enumerate() {
//!     println!(
//!         "link {link}: {} requests accepted, {} throttled, {} rebinds, 99 % of the responses within {:?}",
//!         stats.requests.accepted,
//!         stats.requests.throttled,
//!         stats.rebinds(),
//!         stats.response_histogram.quantile(0.99),
//!     );
//! }
//! # }
//! ```
//!
//! [`Account::stats`] counts from the start of the account, across all sessions. [`Account::links`] has the [`Stats`] of the
//! current sessions. `Stats` counts what the session rejected: `malformed`, `unknown_commands`, `refused` and
//! `unexpected_responses`. A session has it as [`Handle::stats`], a bind of a server as
//! [`BoundSession::stats`](crate::BoundSession::stats).
//!
//! # The event stream of an account
//!
//! [`Account::events`] returns a receiver of what happens to the account, in order: binding, bound, refused, reconnecting,
//! throttled, paused, resumed, stopped, messages that fail or are in doubt, closed. `Display` is a line for a log.
//!
//! ```no_run
//! use smpp_proto::account::{AccountEvent, LinkEvent};
//! use smpp_tokio::account::Account;
//!
//! # async fn example(account: Account) {
//! let mut events = account.events();
//! while let Some(event) = events.recv().await {
//!     println!("{event}"); // "link 0: bound as transceiver at 192.0.2.1:2775"
//!     match event {
//!         AccountEvent::Link { link, event: LinkEvent::Closed { retry_in: Some(delay), .. }, .. } => {
//!             println!("link {link} rebinds in {delay:?}");
//!         }
//!         AccountEvent::MessageInDoubt { message, .. } => println!("message {message} may have been accepted"),
//!         _ => {}
//!     }
//! }
//! # }
//! ```
//!
//! There may be several receivers. None delays the account: a receiver that has more than
//! [`AccountConnector::events_capacity`] (1,024) events left to read loses the oldest, and `AccountEvent::Lagged` says how
//! many. The first receiver also gets the events since the start, the last 64 at most; call `events` right after
//! [`AccountConnector::start`] to miss none. With the feature `stream` the receiver is a `Stream`.
//!
//! | kind | when |
//! | --- | --- |
//! | `binding`, `bound`, `link_closed` | once for each session: connected; the SMSC accepted the bind; over, and when the account rebinds |
//! | `bind_refused` | instead of `bound`: the status and the SMSC's text, or what it sent instead |
//! | `resolve_failed`, `connect_failed` | an attempt that made no connection |
//! | `paused`, `resumed` | once for each pause of a bind; before it `throttled`, if the status was `ESME_RTHROTTLED` or `ESME_RMSGQFUL` |
//! | `peer_unbind` | the SMSC ends the bind |
//! | `stopped`, `account_resumed` | the SMSC refused the credentials, or a message with a status that stops the account; the stop is over |
//! | `message_in_doubt` | a segment was sent and got no response: once for each attempt |
//! | `message_failed` | the SMSC did not accept all of a message: refused, expired, cancelled, in doubt |
//! | `late_outcome` | the response to a segment that was in doubt |
//! | `receipts_expired` | the account waits no longer for receipts of a message |
//! | `closed` | the last event |
//! | `lagged` | this receiver has lost events |
//!
//! # Observe PDUs
//!
//! ```no_run
//! use smpp_proto::session::{Direction, Instant, ObservedPdu, Observer};
//!
//! struct Log;
//!
//! impl Observer for Log {
//!     fn observe(&mut self, _: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
//!         // `Display` prints command, number, status and length only: "submit_sm_resp 7 ESME_ROK, 53 octets".
//!         println!("{direction:?} {pdu}");
//!     }
//! }
//!
//! # fn example(client: &smpp_tokio::Client) {
//! client.observe(Log); // before the bind, to see all PDUs
//! # }
//! ```
//!
//! [`ObservedPdu::octets`](smpp_proto::session::ObservedPdu::octets) has the whole PDU; passwords of binds and outbinds
//! are replaced by asterisks.
//!
//! # Malformed and refused PDUs
//!
//! The session responds to a malformed PDU, an unknown command or a request in the wrong state by itself, and the
//! application does not see it. [`Observer::rejected`] shows each of them, without a feature: why, the header, and the
//! first 256 octets. It also shows responses to no request, and the first 16 octets that break the framing (none behind a
//! bind that is not accepted yet: a password may be there).
//!
//! ```no_run
//! use std::net::SocketAddr;
//!
//! use smpp_proto::session::{
//!     Direction, Instant, ObservedPdu, Observer, RejectedPdu, RejectedPduReason,
//! };
//! use smpp_tokio::{ServerBuilder, Service};
//!
//! struct Rejections(SocketAddr);
//!
//! impl Observer for Rejections {
//!     fn observe(&mut self, _: Instant, _: Direction, _: ObservedPdu<'_>) {}
//!
//!     fn rejected(&mut self, _: Instant, pdu: RejectedPdu<'_>) {
//!         // "submit_sm 7, 53 octets: malformed: submit_sm: source_addr_ton at octet 17: ..."
//!         println!("{}: {pdu}", self.0);
//!         if let RejectedPduReason::Malformed(_) = pdu.reason() {
//!             println!("{:02x?}", pdu.octets());
//!         }
//!     }
//! }
//!
//! # fn example<S: Service>(builder: ServerBuilder<S>) -> ServerBuilder<S> {
//! builder.observe(Rejections) // each connection, from its first PDU
//! # }
//! ```
//!
//! [`Handle::observe`] does the same for one session, [`AccountConnector::observe`] for each bind of an account,
//! [`IncomingConnection::observe`](crate::IncomingConnection::observe) for a connection that you accept yourself. A peer can
//! send as many such PDUs as it likes, up to [`max_malformed`](smpp_proto::session::Config::max_malformed) and any number of
//! refused ones: limit what you log.
//!
//! # Capture for Wireshark
//!
//! The capture is made inside the process, so it also shows what TLS encrypts. Enable the
//! feature `pcap`: `cargo add smpp-proto --features pcap`.
//!
//! ```no_run
//! use std::fs::File;
//! use std::io::Write;
//! use std::sync::{Arc, Mutex};
//! use std::time::{SystemTime, UNIX_EPOCH};
//!
//! use smpp_proto::pcap::Capture;
//! use smpp_proto::session::Direction;
//!
//! # fn example(client: &smpp_tokio::Client) -> Result<(), Box<dyn std::error::Error>> {
//! let file = Arc::new(Mutex::new(File::create("session.pcap")?));
//! let capture = Capture::new(move |octets: &[u8]| {
//!     let _ = file.lock().unwrap().write_all(octets);
//! });
//! let epoch = SystemTime::now().duration_since(UNIX_EPOCH)?;
//! let (local, peer) = (([10, 0, 0, 1], 40000).into(), ([10, 0, 0, 2], 2775).into()); // may be made up
//! client.observe(capture.stream(local, peer, Direction::Out, epoch));
//! # Ok(())
//! # }
//! ```
//!
//! If Wireshark does not show SMPP, use "Decode As". `cargo run --bin smpp -- decode session.pcap` prints
//! each PDU field by field.
//!
//! # Blocking crate
//!
//! `smpp-std` has the same: the features `tracing` and `metrics` with these names, labels, spans and events, `events` (`recv`,
//! `recv_until`, an `Iterator`), `observe`, `stats`, `links` and the captures. A publisher is a function for a thread:
//! `thread::spawn(metrics::publish_account(&account, "8x8", Duration::from_secs(10)))`. A one-thread `Connection` is traced, and
//! has no publisher: publish its `stats` yourself. If both crates are in one program, a feature of one is also that of the other.
//!
//! # Privacy
//!
//! | output | texts | phone numbers | passwords | system_id, addresses of servers |
//! | --- | --- | --- | --- | --- |
//! | `tracing` events and spans, the event stream | never; a refusal shows the SMSC's explanation | never | never | yes |
//! | metrics and their labels | never | never | never | only the name you give |
//! | `Debug` of messages, receipts and options of an account | never | never | never | system_id |
//! | `Debug` of PDU structs such as `SubmitSm` | **yes** | **yes** | never | yes |
//! | observers, captures | **yes** | **yes** | never: asterisks | yes |
//!
//! Protect captures as you protect the messages.
//!
//! [`Account::events`]: crate::account::Account::events
//! [`Account::stats`]: crate::account::Account::stats
//! [`AccountConnector::events_capacity`]: crate::account::AccountConnector::events_capacity
//! [`AccountConnector::start`]: crate::account::AccountConnector::start
//! [`Account::links`]: crate::account::Account::links
//! [`AccountConnector::observe`]: crate::account::AccountConnector::observe
//! [`Handle::observe`]: crate::Handle::observe
//! [`Handle::stats`]: crate::Handle::stats
//! [`Observer::rejected`]: smpp_proto::session::Observer::rejected
//! [`Stats`]: smpp_proto::session::Stats
