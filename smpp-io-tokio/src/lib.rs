//! SMPP 3.4 clients and servers over tokio, with TCP and TLS. The protocol logic is in [`smpp_proto`], a sans-IO session;
//! this crate provides sockets, tasks, timers and TLS. It sends and receives SMS messages and delivery receipts as an ESME
//! (client), and accepts binds as an SMSC (server).
//!
//! For guides on sending, receipts, reconnecting, rate limits, errors, shutdown and observability, see the module [`manual`].
//!
//! # Which API to use
//!
//! | you want | use |
//! | --- | --- |
//! | to send and receive messages as a client, with several binds on one or several hosts, automatic reconnect and rebind, long messages, and receipts matched to messages | [`account::Account`] |
//! | to control one client session: one bind, each request and response, no automatic reconnect | [`Connector`], which returns a [`Client`] and an [`Inbox`] |
//! | to accept binds from clients (an SMSC, a gateway, a test server) | [`Server`] with a [`Service`] |
//! | to accept connections and binds one by one | [`Listener`] |
//! | to run a session over your own transport | [`start`] |
//!
//! # Account
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use smpp_proto::account::{Binds, Credentials, Message, Options};
//! use smpp_proto::provider::Provider;
//! use smpp_proto::{Address, RegisteredDelivery, SubmitSm};
//! use smpp_tokio::account::{Account, Arrival};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let options = Options::new(Credentials::new("my_subaccount", "secret"), &Provider::EIGHT_BY_EIGHT)
//!     .binds(Binds::transceivers(2));
//! let (account, mut arrivals) = Account::connect("smpps://smpp.8x8.com", options).await?;
//!
//! // Mobile-originated messages, and receipts without a `Sent` that waits for them.
//! tokio::spawn(async move {
//!     while let Some(arrival) = arrivals.recv().await {
//!         match arrival {
//!             Arrival::Message(message) => {
//!                 println!("message from {}", message.get().source().digits);
//!                 let _ = message.accept();
//!             }
//!             Arrival::Receipt(receipt) => drop(receipt.accept()), // of an earlier process, for example
//!             // `send` had failed with `Unanswered`; `message` is the number in `SendError::Failed`.
//!             Arrival::LateOutcome { message, outcome, .. } => println!("late: {message}: {outcome}"),
//!             _ => {}
//!         }
//!     }
//! });
//!
//! let template = SubmitSm {
//!     source: Address::alphanumeric("8x8")?,
//!     destination: Address::international("6591234567")?,
//!     registered_delivery: RegisteredDelivery::RECEIPT,
//!     ..SubmitSm::default()
//! };
//! let mut sent = account.send(&Message::text(&template, "Hello, however long this is")).await?;
//! println!("accepted as {:?}", sent.ids());
//! println!("final state: {:?}", sent.receipt().await?);
//! account.shutdown(Duration::from_secs(10)).await;
//! # Ok(())
//! # }
//! ```
//!
//! # Client session
//!
//! ```no_run
//! use smpp_proto::{Address, Bind, Endpoint, RegisteredDelivery, ShortMessage, SubmitSm};
//! use smpp_tokio::{Connector, Inbound};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let endpoint: Endpoint = "smpps://smpp.8x8.com".parse()?;
//! let (client, mut inbox) = Connector::new().connect(&endpoint).await?;
//! let bind = Bind { system_id: "my_subaccount".try_into()?, password: "secret".try_into()?, ..Bind::default() };
//! client.bind(&bind).await?;
//! let response = client
//!     .submit(&SubmitSm {
//!         source: Address::alphanumeric("8x8")?,
//!         destination: Address::international("6591234567")?,
//!         registered_delivery: RegisteredDelivery::RECEIPT,
//!         short_message: ShortMessage::new(b"Hello")?,
//!         ..SubmitSm::default()
//!     })
//!     .await?;
//! println!("accepted as {}", response.message_id().escape_ascii());
//! if let Some(Inbound::DeliverSm(receipt)) = inbox.recv().await {
//!     println!("{}", receipt.get().text().escape_ascii());
//!     receipt.accept()?;
//! }
//! println!("{}", client.unbind().await);
//! # Ok(())
//! # }
//! ```
//!
//! # Server
//!
//! ```no_run
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! use smpp_proto::session::{Config, Rate, Smsc};
//! use smpp_proto::{COctets, CommandStatus, SubmitSmResp};
//! use smpp_tokio::{Admission, BindRequest, BoundSession, Inbound, Listener, Server, ServerLimits, Service};
//!
//! struct Shop {
//!     messages: AtomicU64,
//! }
//!
//! impl Service for Shop {
//!     async fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
//!         let bind = request.bind();
//!         match bind.system_id.as_bytes() {
//!             b"shop" if bind.password.equals(b"secret") => Ok(Admission::default()),
//!             b"shop" => Err(CommandStatus::RINVPASWD),
//!             _ => Err(CommandStatus::RINVSYSID),
//!         }
//!     }
//!
//!     async fn request(&self, _: &BoundSession, request: Inbound<Smsc>) {
//!         // Other requests are dropped: refused with a temporary error.
//!         let Inbound::SubmitSm(message) = request else { return };
//!         let id = self.messages.fetch_add(1, Ordering::Relaxed).to_string();
//!         let message_id = COctets::new(id.as_bytes()).unwrap_or_default();
//!         let _ = message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
//!     }
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::builder(Shop { messages: AtomicU64::new(1) })
//!     .limits(ServerLimits::default().binds_per_account(4).rate(Rate::per_second(50)))
//!     .listen(Listener::bind("0.0.0.0:2775", Config::default()).await?)
//!     .start()?;
//! # drop(server);
//! # Ok(())
//! # }
//! ```
//!
//! # Errors
//!
//! [`RequestError`] distinguishes four outcomes of a request that is not accepted: refused by the peer, not understood by
//! the peer (generic_nack), never sent (safe to send again), and sent without a response (the peer may have accepted it). A
//! refusal keeps its response: [`additional_status_info_text`](RefusedResponse::additional_status_info_text) and vendor
//! TLVs. Every request gets exactly one outcome, also when the connection fails.
//!
//! # Performance
//!
//! Requests of all tasks leave in one write for each turn of the session's task, and all responses of one read are handed
//! out at once. So keep many requests in flight, up to the window, from any number of tasks. A request and its response
//! allocate nothing. A server that can respond at once does so with [`Handle::respond_inline`]; requests that take longer
//! go through the [`Inbox`].
//!
//! # Bounds and backpressure
//!
//! All memory is bounded. The [`Config`](smpp_proto::session::Config) of a session bounds the window (requests in flight),
//! the peer's requests without a response, and the octets that wait to be written; above the last limit the session stops
//! reading, and TCP pushes back on the peer. A full window makes [`Handle::request`] wait. An account has
//! [`queue_capacity`](smpp_proto::account::Options::queue_capacity) and
//! [`arrivals_capacity`](account::AccountConnector::arrivals_capacity). A server has [`ServerLimits`]: connections,
//! connections of one address, binds of an account, and the rate of a bind.
//!
//! # Cancel safety
//!
//! Every async function has a section *Cancel safety* that says what happens if its future is dropped before it completes.
//! *Cancel-safe* means that nothing is lost and the call can be repeated, for example in `tokio::select!`.
//!
//! # Streams
//!
//! With the feature `stream`, [`Inbox`], [`account::Arrivals`] and [`account::Events`] are `Stream`s of the crate
//! `futures-core`, for the combinators of `futures` and `tokio-stream`.
//!
//! # Observability
//!
//! | what | how | cost |
//! | --- | --- | --- |
//! | events: connections, binds, reconnects, messages in doubt | [`Account::events`](account::Account::events), [`Service::event`] | a copy of each event; one call |
//! | PDUs: a log, a capture file for Wireshark (`smpp_proto::pcap`, feature `pcap` of `smpp-proto`, also for TLS) | [`Handle::observe`], [`AccountConnector::observe`](account::AccountConnector::observe), [`ServerBuilder::observe`] with an [`Observer`](smpp_proto::session::Observer) | one call for each PDU |
//! | malformed and refused PDUs of the peer | [`Observer::rejected`](smpp_proto::session::Observer::rejected) of the same observers | one call for each of them |
//! | counters | [`Handle::stats`], [`Account::stats`](account::Account::stats), [`BoundSession::stats`] | none: sessions and accounts count anyway |
//! | logs and spans | feature `tracing` | a comparison for each event of the session |
//! | metrics | feature `metrics`: `metrics::publish`, `metrics::publish_account`, `metrics::publish_server` | an addition for each request, the rest at intervals |
//!
//! **Privacy:** logs (`tracing`) and metrics never hold message texts, subscriber numbers or passwords. Observers and
//! captures hold everything but passwords.
//!
//! With `tracing`, each connection has a span `smpp`, a child of the span in which it was started, with the fields `role`
//! (`esme` or `smsc`), `peer` (the address; for connections of [`Connector`] and [`Listener`]) and `system_id` (from the
//! bind request on). Its events have the target `smpp`:
//!
//! | level | events |
//! | --- | --- |
//! | info | `bound`, `peer unbind`, `closed` after an unbind or an abort |
//! | warn | `bind refused`, `malformed PDU`, `request nacked`, `response timeout`, `unreadable response`, `closed` for any other reason |
//! | debug | `connected`, `throttled`, `request refused`, `unexpected response`, `late response` |
//!
//! Of `malformed PDU`, `request refused` and `unexpected response`, which a peer can repeat, a connection emits the
//! first, the second, the fourth, the eighth and so on, with their number as `count`. A `system_id` is cut to 16
//! octets. `bind refused` has the SMSC's explanation as `text`, if it gives one: escaped, at most 256 characters. The
//! field `status` is the name of a status (`ESME_RTHROTTLED`) or, without a name, its number (`0x0000ffff`).
//!
//! An [`account`] has a span `smpp_account` with the field `system_id`. It logs its events with the text of
//! [`AccountEvent`](smpp_proto::account::AccountEvent) and the fields `kind`, `link` (the connection), `number` (the message),
//! `suppressed` and, for failed connections, `error`. A [`Server`] has a span `smpp_server`, and logs its
//! [events](BindRegistry::events) with the fields `kind`, `connection` and `suppressed`. The [manual](manual::observability) has
//! their levels and kinds.
//!
//! Events are emitted while the session or the account is locked: a subscriber that blocks delays it.
//!
//! # Features
//!
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `rustls` | yes | TLS: the module [`tls`]. Without it, `smpps://` fails with an error that says so |
//! | `ring` | yes | the cryptography library of TLS |
//! | `aws-lc-rs`, `fips` | no | another one, used instead of `ring`; `fips`: its module that is certified for FIPS 140-3. The process's default provider of rustls goes before all of them |
//! | `native-roots` | yes | trusts the certificate authorities of the operating system: `tls::system_roots` |
//! | `platform-verifier` | no | the operating system verifies certificates: `tls::platform_verifier` |
//! | `webpki-roots` | no | trusts Mozilla's certificate authorities, compiled in: `tls::webpki_roots` |
//! | `metrics` | no | the module `metrics`: counters, gauges and a histogram of sessions, accounts and servers, for the facade `metrics` |
//! | `tracing` | no | a span for each session (`smpp`), account (`smpp_account`) and server (`smpp_server`), and log events for what happens on it |
//! | `stream` | no | receivers are `Stream`s of `futures-core` |
//! | `testing` | no | the module `testing`: an SMSC inside the process, for tests |
//! | `full` | no | all of these but `aws-lc-rs` and `fips` |
//!
//! Without TLS: `default-features = false`. With `aws-lc-rs` alone: also `features = ["aws-lc-rs", "native-roots"]`.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod account;
#[cfg(test)]
mod auto_traits;
mod clock;
mod connect;
mod dial;
mod driver;
mod error;
mod handle;
mod inbound_queue;
mod inbox;
mod macros;
pub mod manual;
#[cfg(feature = "metrics")]
pub mod metrics;
mod pump;
mod request;
mod responder;
mod server;
mod shared;
mod start;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tls;
mod wait;
mod wait_queue;

pub use connect::Connector;
pub use error::{AcceptError, ConnectError, ConnectErrorKind, DialTarget, End};
pub use handle::{Client, Handle, Peer};
pub use inbox::{Inbound, InboundRequest, Inbox};
pub use responder::Responder;
pub use server::{
    Acceptor, Admission, BindId, BindRegistry, BindRequest, BoundSession, Events, IncomingConnection,
    Listener, ProxyHeaderError, QueuedDelivery, RejectReason, Server, ServerBuilder, ServerEvent,
    ServerLimits, ServerStream, Service, Shutdown,
};
pub use smpp_common::{LastFailure, Network, NetworkError, ProxyProtocol};
pub use smpp_proto;
pub use smpp_proto::diagnosis::ReceivedInstead;
pub use smpp_proto::session::{NotSentReason, RefusedResponse, RequestError, Response};
pub use start::start;

/// The examples in the README compile.
#[cfg(doctest)]
#[doc = include_str!("manual/overview.md")]
#[doc = include_str!("../README.md")]
mod readme {}
