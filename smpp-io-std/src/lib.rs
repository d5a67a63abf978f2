//! SMPP 3.4 over blocking sockets: an adapter that runs the state machines of [`smpp_proto`] over `std::net` and rustls.
//! Use it to send and receive SMS from a program without an async runtime, as an ESME (client) or as an SMSC (server). It
//! handles TLS, keep-alive, timeouts, the window and the rate limit; an [`Account`](account::Account) also reconnects,
//! rebinds, and matches delivery receipts (DLRs) to messages.
//!
//! # Which API do I need?
//!
//! | you want to | use | threads |
//! | --- | --- | --- |
//! | send messages and receive receipts in production: several binds, reconnect, rebind | [`Account`](account::Account) | any number of yours; one of the account, and one for each connection |
//! | control one bind, with many requests in flight, from many threads | [`Handle`] and [`Inbox`] | any number of yours; one of the session |
//! | do one thing after another on one bind: a script, a test, a command-line tool | [`Connection`] | yours, and no other |
//! | accept ESMEs, as an SMSC | [`Server`] | two for each connection, one for each listener, two of the server |
//!
//! ```text
//!   one thread                          several threads
//!
//!   yours ──▶ Connection                yours ──▶ Handle ─┐       ┌─ Inbox ◀── yours
//!                 │                     yours ──▶ Handle ─┤       │
//!                 ▼                                       ▼       ▼
//!              Session                                Session, behind a lock ◀── background thread
//!                 │                                       │
//!                 ▼                                       ▼
//!             Transport                                Duplex
//! ```
//!
//! [`Session`](smpp_proto::session::Session) makes every decision. [`Transport`] and [`Duplex`] are TCP, TLS, or a transport
//! of your own.
//!
//! For tasks that span several types (error handling, rate limits, graceful shutdown, logging), see the manual in
//! `smpp_tokio::manual`: it applies here as well. To open it, run
//! `cargo doc --no-deps --features full -p smpp-tokio --open` in the repository and select the module `manual`.
//!
//! ## Account
//!
//! ```no_run
//! use std::thread;
//! use std::time::Duration;
//! use smpp_proto::account::{Credentials, Message, Options};
//! use smpp_proto::provider::Provider;
//! use smpp_proto::{Address, RegisteredDelivery, SubmitSm};
//! use smpp_std::account::{Account, Arrival};
//!
//! let options = Options::new(Credentials::new("shop", "secret"), &Provider::EIGHT_BY_EIGHT);
//! let (account, mut arrivals) = Account::connect("smpps://smpp.8x8.com", options)?;
//! thread::spawn(move || {
//!     while let Some(arrival) = arrivals.recv() {
//!         match arrival {
//!             Arrival::Message(message) => {
//!                 println!("{} wrote {:?}", message.get().source().digits, message.get().text());
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
//! let mut sent = account.send(&Message::text(&template, "Hello"))?;
//! println!("accepted as {:?}", sent.ids());
//! println!("final state {:?}", sent.receipt()?);
//! account.shutdown(Duration::from_secs(10));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ## Handle: one bind, many threads
//!
//! ```no_run
//! use std::thread;
//! use smpp_proto::{Bind, Endpoint, SubmitSm};
//! use smpp_std::{Connector, Inbound};
//!
//! let endpoint: Endpoint = "smpps://smpp.8x8.com".parse()?;
//! let (client, mut inbox) = Connector::new().start(&endpoint)?;
//! client.bind(&Bind { system_id: "shop".try_into()?, password: "secret".try_into()?, ..Bind::default() })?;
//! thread::spawn(move || {
//!     while let Some(inbound) = inbox.recv() {
//!         if let Inbound::DeliverSm(receipt) = inbound {
//!             println!("{}", receipt.get().text().escape_ascii());
//!             let _ = receipt.accept();
//!         }
//!     }
//! });
//!
//! let messages = [SubmitSm::default(), SubmitSm::default()];
//! let pending = messages.iter().map(|message| client.submit_pipelined(message)).collect::<Result<Vec<_>, _>>()?;
//! for pending in pending {
//!     println!("message id {}", pending.wait()?.message_id().escape_ascii());
//! }
//! client.unbind();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ## Connection: one bind, one thread
//!
//! ```no_run
//! use std::time::Duration;
//! use smpp_proto::{Address, Bind, Endpoint, RegisteredDelivery, ShortMessage, SubmitSm};
//! use smpp_std::{Connector, Inbound};
//!
//! let endpoint: Endpoint = "smpps://smpp.8x8.com".parse()?;
//! let bind = Bind { system_id: "shop".try_into()?, password: "secret".try_into()?, ..Bind::default() };
//! let mut connection = Connector::new().bind(&endpoint, &bind)?;
//!
//! let response = connection.submit(&SubmitSm {
//!     source: Address::alphanumeric("8x8")?,
//!     destination: Address::international("6591234567")?,
//!     registered_delivery: RegisteredDelivery::RECEIPT,
//!     short_message: ShortMessage::new(b"Hello")?,
//!     ..SubmitSm::default()
//! })?;
//! println!("message id {}", response.message_id().escape_ascii());
//!
//! if let Some(Inbound::DeliverSm(receipt)) = connection.recv(Some(Duration::from_secs(30)))? {
//!     println!("{}", receipt.get().text().escape_ascii());
//!     connection.accept(receipt)?;
//! }
//! connection.unbind();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An SMSC in one thread is a [`Connection<Smsc, _>`](Connection::new) over a stream that a
//! [`TcpListener`](std::net::TcpListener) has accepted.
//!
//! ## Server: an SMSC
//!
//! ```no_run
//! use smpp_proto::session::{Config, Smsc};
//! use smpp_proto::{CommandStatus, SubmitSmResp};
//! use smpp_std::{Admission, BindRequest, BoundSession, HandleRoute, Inbound, Listener, Server, Service};
//!
//! struct Shop;
//!
//! impl Service for Shop {
//!     fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
//!         if request.bind().password.equals(b"secret") { Ok(Admission::default()) } else { Err(CommandStatus::RINVPASWD) }
//!     }
//!
//!     fn request(&self, _: &BoundSession, request: Inbound<HandleRoute<Smsc>>) {
//!         // Dropped without a response, a request is refused with a temporary error.
//!         let Inbound::SubmitSm(message) = request else { return };
//!         let message_id = "1".try_into().unwrap_or_default();
//!         let _ = message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
//!     }
//! }
//!
//! let server = Server::builder(Shop).listen(Listener::bind("0.0.0.0:2775", Config::default())?).start()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Threads and keep-alive
//!
//! | | [`Connection`] | [`Handle`], [`Inbox`] |
//! | --- | --- | --- |
//! | threads | yours, and no other | any number of yours, and a background thread |
//! | the session works | while you are in one of its methods | always |
//! | keep-alive (enquire_link) | call [`recv`](Connection::recv) often enough | automatic |
//! | requests in flight | [`send`](Connection::send), [`wait`](Connection::wait) | [`submit_pipelined`](Handle::submit_pipelined), [`PendingResponse::wait`] |
//! | requests of the peer | [`recv`](Connection::recv) in between, [`respond`](Connection::respond) | [`Inbox::recv`], in any thread; each request has its own [`respond`](InboundRequest::respond) |
//! | dropped | the connection is closed without unbind | the session shuts down gracefully |
//!
//! With a [`Handle`], a thread that waits does the session's work: it writes the output of all threads and reads, until
//! it has what it waits for. So a thread that sends and waits wakes no other thread, neither here nor at the peer.
//! While no thread waits, the background thread of the session reads, responds to enquire_link and keeps the timeouts.
//! No thread reads or writes while it holds the session's lock, and the output of several threads leaves in one write.
//! If a thread panics, the others take over its work.
//!
//! A [`Server`] has two threads for each connection: one for your [`Service`], and the background thread; one for each
//! listener; one for its timers, and one for deliveries. It is for tests, gateways, and up to some hundreds of binds.
//!
//! # Timeouts and their accuracy
//!
//! The timeouts of a session are those of its [`Config`](smpp_proto::session::Config).
//!
//! | | fires late by at most |
//! | --- | --- |
//! | a session with a [`Handle`] | an eighth of the shortest of `response_timeout`, `drain_timeout` and `session_init_timeout`; about 50 ms more while the transport takes nothing, because the result of the current write has to be known first |
//! | a session in a [`Connection`] | a few milliseconds while you are in one of its methods, about 50 ms more while the transport takes nothing; otherwise at your next call |
//! | a bind of an [`Account`](account::Account) | one or two milliseconds, about 50 ms more while the transport takes nothing: see [`account`] |
//! | a deadline of your own call (`*_until`) | a few milliseconds |
//!
//! A timeout fires only after all received octets were read: a response in the socket counts, however late the program
//! reads it.
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
//! | `testing` | no | the module `testing`: an SMSC inside the process, for tests |
//! | `full` | no | all of these but `aws-lc-rs` and `fips` |
//!
//! Without TLS: `default-features = false`. With `aws-lc-rs` alone: also `features = ["aws-lc-rs", "native-roots"]`.
//!
//! # Observability
//!
//! | what | how | cost |
//! | --- | --- | --- |
//! | events: connections, binds, reconnects, messages in doubt | [`Account::events`](account::Account::events), [`BindRegistry::events`], [`Service::event`] | a copy of each event; one call |
//! | PDUs: a log, a capture file for Wireshark (`smpp_proto::pcap`) | [`Handle::observe`], [`Connection::observe`], [`ServerBuilder::observe`] | one call for each PDU |
//! | malformed and refused PDUs of the peer | [`Observer::rejected`](smpp_proto::session::Observer::rejected) of the same observers | one call for each of them |
//! | counters | [`Handle::stats`], [`Account::stats`](account::Account::stats), [`BindRegistry::stats`], [`BoundSession::stats`] | none: they are kept anyway |
//! | logs and spans | feature `tracing` | a comparison for each event of the session |
//! | metrics | feature `metrics`: `metrics::publish`, `metrics::publish_account`, `metrics::publish_server` | an addition for each request, the rest at intervals |
//!
//! The names, labels, spans and events of logs and metrics are those of `smpp-tokio`; its manual, in the chapter
//! `observability`, lists them. The target of all log events is `smpp`. Logs and metrics never hold message texts, subscriber
//! numbers or passwords. The events of sessions and accounts are emitted under their locks: a subscriber that blocks delays them.
//!
//! # How names map to smpp-tokio
//!
//! | | here, several threads | here, one thread | `smpp-tokio` |
//! | --- | --- | --- | --- |
//! | connect | [`Connector::start`] | [`Connector::connect`], [`Connector::bind`] | `Connector::connect`, `Connector::bind` |
//! | a transport of your own | [`start`]`(duplex, config)` | [`Connection::new`]`(transport, config)` | `start(io, config)` |
//! | a connector with a transport of your own | [`Connector::dial`], [`Connector::dial_by_name`] | the same | the same |
//! | bind | [`Handle::bind`] | [`Connection::bind`] | `Handle::bind` |
//! | submit, deliver, any request | [`submit`](Handle::submit), [`deliver`](Handle::deliver), [`request`](Handle::request) | the same on [`Connection`] | the same, awaited |
//! | with a deadline | [`submit_until`](Handle::submit_until), [`request_until`](Handle::request_until), [`DeadlineError`] | [`submit_until`](Connection::submit_until), [`request_until`](Connection::request_until) | `tokio::time::timeout` |
//! | many in flight | [`submit_pipelined`](Handle::submit_pipelined), [`PendingResponse`] | [`send`](Connection::send), [`SentRequest`] | many futures |
//! | a PDU without a response | [`notify`](Handle::notify) | [`notify`](Connection::notify) | `notify` |
//! | requests of the peer | [`Inbox::recv`] | [`Connection::recv`]`(None)` | `Inbox::recv` |
//! | with a deadline | [`Inbox::recv_until`] | [`Connection::recv`]`(Some(timeout))` | `tokio::time::timeout` |
//! | respond | [`InboundRequest::respond`], [`accept`](InboundRequest::accept), [`refuse`](InboundRequest::refuse) | [`Connection::respond`], [`accept`](Connection::accept) | `InboundRequest::respond`, `accept`, `refuse` |
//! | a request dropped without a response | is refused with a temporary error | gets no response | is refused with a temporary error |
//! | end the session | [`unbind`](Handle::unbind), [`abort`](Handle::abort), [`closed`](Handle::closed) | [`unbind`](Connection::unbind), [`close`](Connection::close) | `unbind`, `abort`, `closed` |
//! | inspect the session | [`state`](Handle::state), [`stats`](Handle::stats), [`observe`](Handle::observe) | the same on [`Connection`] | the same |
//! | respond where the request is read | | | `respond_inline` |
//! | observe each connection of an SMSC | [`ServerBuilder::observe`] | [`Connection::observe`] | `ServerBuilder::observe` |
//! | an SMSC | [`Server`], [`Service`], [`Listener`], [`ServerLimits`], [`Admission`] | [`Connection::new`] with the role `Smsc` | the same |
//! | deliveries and events of an SMSC | [`BindRegistry::deliver`], [`BindRegistry::queue`], [`QueuedDelivery::wait`], [`BindRegistry::events`] | | the same, awaited |
//! | accept connections of an SMSC yourself | [`Listener::accept`], [`IncomingConnection`], [`BindRequest::accept`] | [`Connection::new`] | the same, awaited |
//! | logging, metrics | features `tracing`, `metrics` | feature `tracing`; [`stats`](Connection::stats) | features `tracing`, `metrics` |
//! | iterators | [`account::Arrivals`], [`account::Events`] | | `Stream`s with the feature `stream`, also `Inbox` |
//! | several binds, reconnect | [`account`] | | `account`: see the table in [`account`] |
//!
//! An [`Inbound`] of an inbox is `Inbound<HandleRoute<R>>` here and `Inbound<R>` there. Both crates
//! return the same types: [`RequestError`] for a request, [`End`] for a session, [`ConnectError`] and [`tls::TlsError`].

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod account;
#[cfg(test)]
mod auto_traits;
mod background;
mod buffer;
mod connect;
mod connection;
mod dial;
mod end_request;
mod error;
mod halves;
mod handle;
mod handle_route;
mod inbound;
mod inbox;
#[cfg(feature = "metrics")]
pub mod metrics;
mod pending_requests;
mod pending_response;
mod sent_request;
mod server;
mod session_hook;
mod session_state;
mod shared;
mod start;
mod stream;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tls;
#[cfg(feature = "rustls")]
mod tls_stream;
mod transport;
mod waiter;
mod waiting_threads;

pub use connect::Connector;
pub use connection::Connection;
pub use error::{AcceptError, ConnectError, ConnectErrorKind, DialTarget, End, ReceivedInstead};
pub use handle::{Client, Handle, Peer};
pub use handle_route::HandleRoute;
pub use inbound::{Inbound, InboundRequest, ReplyRoute};
pub use inbox::Inbox;
pub use pending_response::{DeadlineError, PendingResponse};
pub use sent_request::SentRequest;
pub use server::{
    Acceptor, Admission, BindId, BindRegistry, BindRequest, BoundSession, Events, IncomingConnection,
    Listener, ProxyHeaderError, QueuedDelivery, RejectReason, Server, ServerBuilder, ServerEvent,
    ServerLimits, ServerStream, Service, Shutdown,
};
pub use smpp_common::{LastFailure, Network, NetworkError, ProxyProtocol};
pub use smpp_proto;
pub use smpp_proto::session::{NotSentReason, RefusedResponse, RequestError, Response};
pub use start::start;
pub use stream::Stream;
#[cfg(feature = "rustls")]
pub use tls_stream::TlsStream;
pub use transport::{Duplex, Transport};

/// The example in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
