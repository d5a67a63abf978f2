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
//! | counters in your own code, at any time | [`Handle::stats`], [`Account::links`], [`BoundSession::stats`](crate::BoundSession::stats) | none: they are kept anyway |
//! | what each bind of an account does | [`AccountConnector::subscribe`] | one call for each change |
//! | every PDU | [`Handle::observe`], [`AccountConnector::observe`], [`ServerBuilder::observe`](crate::ServerBuilder::observe) | one call for each PDU |
//! | malformed and refused PDUs of the peer | the same, with [`Observer::rejected`] | one call for each of them |
//! | Wireshark, also for TLS | the same, with `smpp_core::pcap` (feature `pcap` of `smpp-core`) | a copy of each PDU, and your file |
//! | what a server does | [`Service::event`](crate::Service::event) | one call for each event |
//!
//! # Logging with `tracing`
//!
//! ```sh
//! cargo add smpp-io-tokio --features tracing
//! cargo add tracing-subscriber --features fmt,json
//! ```
//!
//! ```no_run
//! use tracing_subscriber::filter::LevelFilter;
//!
//! fn main() {
//!     tracing_subscriber::fmt().json().with_max_level(LevelFilter::INFO).init();
//!     // ... the rest of your program; the target of all events is `smpp_io_tokio`
//! }
//! ```
//!
//! A single session (also each one of a [`Server`](crate::Server)) has the span `smpp` with `role` (`esme` or `smsc`),
//! `peer` (the address) and `system_id`. An account has the span `smpp_account` with `system_id`; its events name the
//! link (`link`).
//!
//! | level | a session logs | an account logs |
//! | --- | --- | --- |
//! | error | | the SMSC rejected the credentials: the account is stopped until it is resumed |
//! | warn | bind refused; malformed PDU; a request not understood or without a response in time; a response that cannot be decoded; closed for any reason but `unbind` or `abort` | bind refused; no connection; the host has no address |
//! | info | bound; the peer unbinds; closed after `unbind` or `abort` | bound; the peer unbinds; a bind is over, and why; the account is closed |
//! | debug | connected; throttled by the peer; a request of the peer refused by the session; an unexpected response | a message not accepted as a whole; receipts that did not come in time |
//!
//! Nothing is logged for a message that goes well. The texts of the events are listed in the [crate
//! documentation](crate). They are emitted while the session is locked: use a subscriber that does not block.
//!
//! # Metrics
//!
//! The feature `metrics` publishes to the facade crate `metrics`. Install any recorder, for example a Prometheus
//! exporter, then spawn the publisher:
//!
//! ```no_run
//! # #[cfg(feature = "metrics")]
//! # fn example(account: &smpp_io_tokio::account::Account, client: &smpp_io_tokio::Client) {
//! use std::time::Duration;
//! use smpp_io_tokio::metrics;
//!
//! metrics::describe();
//! tokio::spawn(metrics::publish_account(account, "8x8", Duration::from_secs(10)));
//! tokio::spawn(metrics::publish(client, "8x8", Duration::from_secs(10))); // a single session
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
//! | Do binds fail? | `smpp_account_binds_total` by `outcome`: `bound`, `refused`, `connect_failed` |
//! | How do requests of a single session end? | `smpp_requests_total` by `outcome`: as above, and `throttled` |
//! | Is the window of a session full? | `smpp_in_flight` |
//! | Is the SMSC slow? | `smpp_response_seconds` (histogram of means: right for averages, not for percentiles) |
//! | Does the peer throttle a session? | `smpp_throttled_total` |
//! | Does the peer break the protocol? | `smpp_malformed_total`, `smpp_unknown_commands_total`, `smpp_quirks_total` |
//!
//! Alert on: no bound link for a minute; `smpp_account_queued_segments` near `queue_capacity`; a rise of
//! `unmatched_receipt`.
//!
//! # Counters without a feature
//!
//! ```no_run
//! # fn example(account: &smpp_io_tokio::account::Account) {
//! for (link, state, stats) in account.links() {
//!     let Some(stats) = stats else { continue };
//!     println!(
//!         "{link}: {state:?}, {} in flight, {} throttled, response time {:?}",
//!         stats.in_flight, stats.throttled, stats.response_times.smoothed(),
//!     );
//! }
//! # }
//! ```
//!
//! [`Stats`] counts what the session rejected: `malformed`, `unknown_commands`, `refused` and `unexpected_responses`. A
//! session has it as [`Handle::stats`], a bind of a server as [`BoundSession::stats`](crate::BoundSession::stats).
//!
//! # Watch reconnects
//!
//! ```no_run
//! use smpp_core::account::LinkEvent;
//! use smpp_io_tokio::account::AccountConnector;
//!
//! # fn example(connector: AccountConnector) -> AccountConnector {
//! connector.subscribe(|link, event| match event {
//!     LinkEvent::Bound { address, .. } => println!("link {link} is bound at {address}"),
//!     LinkEvent::BindRefused { address, error, .. } => println!("link {link}: {address}: {error}"),
//!     LinkEvent::ResolveFailed { detail, .. } => println!("link {link}: host name: {detail}"),
//!     LinkEvent::ConnectFailed { address, detail, .. } => println!("link {link}: {address}: {detail}"),
//!     LinkEvent::Closed { reason, .. } => println!("link {link} closed: {reason}"),
//!     _ => {}
//! })
//! # }
//! ```
//!
//! Subscribers and observers run while the account or session is locked: return quickly, and do not call its methods.
//!
//! # Observe PDUs
//!
//! ```no_run
//! use smpp_core::session::{Direction, Instant, ObservedPdu, Observer};
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
//! # fn example(client: &smpp_io_tokio::Client) {
//! client.observe(Log); // before the bind, to see all PDUs
//! # }
//! ```
//!
//! [`ObservedPdu::octets`](smpp_core::session::ObservedPdu::octets) has the whole PDU; passwords of binds and outbinds
//! are replaced by asterisks.
//!
//! # Malformed and refused PDUs
//!
//! The session responds to a malformed PDU, an unknown command or a request in the wrong state by itself, and the application
//! does not see it. [`Observer::rejected`] shows each of them, without a feature: why, the header, and the first 256
//! octets. It also shows responses to no request, and the first 16 octets that break the framing (none behind a bind that is not
//! accepted yet: a password may be there).
//!
//! ```no_run
//! use std::net::SocketAddr;
//!
//! use smpp_core::session::{
//!     Direction, Instant, ObservedPdu, Observer, RejectedPdu, RejectedPduReason,
//! };
//! use smpp_io_tokio::{ServerBuilder, Service};
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
//! send as many such PDUs as it likes, up to [`max_malformed`](smpp_core::session::Config::max_malformed) and any number of
//! refused ones: limit what you log.
//!
//! # Capture for Wireshark
//!
//! The capture is made inside the process, so it also shows what TLS encrypts. Enable the
//! feature `pcap`: `cargo add smpp-core --features pcap`.
//!
//! ```no_run
//! use std::fs::File;
//! use std::io::Write;
//! use std::sync::{Arc, Mutex};
//! use std::time::{SystemTime, UNIX_EPOCH};
//!
//! use smpp_core::pcap::Capture;
//! use smpp_core::session::Direction;
//!
//! # fn example(client: &smpp_io_tokio::Client) -> Result<(), Box<dyn std::error::Error>> {
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
//! If Wireshark does not show SMPP, use "Decode As". `cargo run --release --bin smpp -- decode session.pcap` prints
//! each PDU field by field.
//!
//! # Blocking crate
//!
//! `smpp-io-std` has `subscribe`, `observe`, `stats`, `links` and the captures; it has no `tracing` or `metrics` features.
//!
//! # Privacy
//!
//! | output | texts | phone numbers | passwords | system_id, addresses of servers |
//! | --- | --- | --- | --- | --- |
//! | `tracing` events and spans | never; `bind refused` shows the SMSC's explanation | never | never | yes |
//! | metrics and their labels | never | never | never | only the name you give |
//! | `Debug` of messages, receipts and options of an account | never | never | never | system_id |
//! | `Debug` of PDU structs such as `SubmitSm` | **yes** | **yes** | never | yes |
//! | observers, captures | **yes** | **yes** | never: asterisks | yes |
//!
//! Protect captures as you protect the messages.
//!
//! [`Account::links`]: crate::account::Account::links
//! [`AccountConnector::observe`]: crate::account::AccountConnector::observe
//! [`AccountConnector::subscribe`]: crate::account::AccountConnector::subscribe
//! [`Handle::observe`]: crate::Handle::observe
//! [`Handle::stats`]: crate::Handle::stats
//! [`Observer::rejected`]: smpp_core::session::Observer::rejected
//! [`Stats`]: smpp_core::session::Stats
