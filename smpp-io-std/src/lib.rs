//! SMPP 3.4 over blocking sockets: `std::net` and rustls around the state machine of [`smpp_core`]. Client and server,
//! one thread or many; no async runtime.
//!
//! # One thread, or several
//!
//! | | [`Connection`] | [`Handle`], [`Inbox`] |
//! | --- | --- | --- |
//! | threads | yours, and no other | any number of yours, and one that keeps the session alive |
//! | the session works | while you are in one of its methods | always |
//! | keep-alive | yours: call [`recv`](Connection::recv) now and then | by itself |
//! | requests in flight | [`send`](Connection::send), [`wait`](Connection::wait) | [`submit_pipelined`](Handle::submit_pipelined), [`PendingResponse::wait`] |
//! | what the peer asks | [`recv`](Connection::recv) in between, [`respond`](Connection::respond) | [`Inbox::recv`], in a thread of its own if you like; it answers by itself |
//! | dropped | the connection is cut | the session unbinds |
//!
//! Take a [`Connection`] for a program that does one thing after another: send these messages, wait for their receipts,
//! done. Take a [`Handle`] for everything else: a service that submits from many threads, that receives while it
//! sends, that has pauses, that wants the speed of many requests in flight.
//!
//! ```text
//!   one thread                          several threads
//!
//!   yours ──▶ Connection                yours ──▶ Handle ─┐       ┌─ Inbox ◀── yours
//!                 │                     yours ──▶ Handle ─┤       │
//!                 ▼                                       ▼       ▼
//!              Session                                Session, behind a lock ◀── keeper
//!                 │                                       │
//!                 ▼                                       ▼
//!             Transport                                Duplex
//! ```
//!
//! [`Session`](smpp_core::session::Session) makes every decision; [`Transport`] and [`Duplex`] are TCP, TLS or your own.
//!
//! ## One thread
//!
//! ```no_run
//! use std::time::Duration;
//! use smpp_core::{Address, Bind, Endpoint, RegisteredDelivery, ShortMessage, SubmitSm};
//! use smpp_io_std::{Connector, Inbound};
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
//! The other side is the same type in the other role: [`Connection<Smsc, _>`](Connection::new) over a stream
//! that a [`TcpListener`](std::net::TcpListener) accepted.
//!
//! ## Several threads
//!
//! ```no_run
//! use std::thread;
//! use smpp_core::{Bind, Endpoint, SubmitSm};
//! use smpp_io_std::{Connector, Inbound};
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
//! let tickets = messages.iter().map(|message| client.submit_pipelined(message)).collect::<Result<Vec<_>, _>>()?;
//! for ticket in tickets {
//!     println!("message id {}", ticket.wait()?.message_id().escape_ascii());
//! }
//! client.unbind();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Whoever waits does the session's work: it writes what all have to say, and reads, until it has what it waits for. So
//! a thread that sends and waits needs no other thread to be woken, neither here nor at the peer. While nobody waits, a
//! thread that the session has for that, the keeper, reads, answers enquire_link and keeps time. Nothing is read or
//! written while the session is locked; what several threads have to say leaves in one write. A thread that dies of a
//! panic leaves nothing undone that others wait for.
//!
//! Time-outs are those of the session's [`Config`](smpp_core::session::Config). They come up to an eighth of the
//! shortest of `response`, `drain` and `session_init` late, and about 50 ms more while the transport takes nothing: what a
//! write has taken has to be known first. Deadlines of your own calls are kept to a few milliseconds.
//!
//! An SMSC is a [`Server`]: two threads for each connection, one for your [`Service`] and the keeper. It is for tests,
//! gateways and some hundreds of binds.
//!
//! Several binds that are made again by themselves, with the messages spread over them and each receipt brought to its
//! message, are an [`Account`](account::Account).
//!
//! # From here to tokio, or back
//!
//! | | here, several threads | here, one thread | `smpp-io-tokio` |
//! | --- | --- | --- | --- |
//! | connect | [`Connector::start`] | [`Connector::connect`], [`Connector::bind`] | `Connector::connect` |
//! | over a transport of your own | [`start`]`(duplex, config)` | [`Connection::new`]`(transport, config)` | `start(io, config)` |
//! | bind | [`Handle::bind`] | [`Connection::bind`] | `Handle::bind` |
//! | submit, deliver, any request | [`submit`](Handle::submit), [`deliver`](Handle::deliver), [`request`](Handle::request) | the same on [`Connection`] | the same, awaited |
//! | with a deadline | [`submit_until`](Handle::submit_until), [`DeadlineError`] | | `tokio::time::timeout` |
//! | many in flight | [`submit_pipelined`](Handle::submit_pipelined), [`PendingResponse`] | [`send`](Connection::send), [`SentRequest`] | many futures |
//! | what has no response | [`notify`](Handle::notify) | [`notify`](Connection::notify) | `notify` |
//! | the peer's requests | [`Inbox::recv`] | [`Connection::recv`]`(None)` | `Inbox::recv` |
//! | with a deadline | [`Inbox::recv_until`] | [`Connection::recv`]`(Some(timeout))` | `tokio::time::timeout` |
//! | to answer | [`InboundRequest::respond`], [`accept`](InboundRequest::accept), [`refuse`](InboundRequest::refuse) | [`Connection::respond`], [`accept`](Connection::accept) | `InboundRequest::respond`, `accept`, `refuse` |
//! | dropped unanswered | answers a temporary error | no answer | answers a temporary error |
//! | the end | [`unbind`](Handle::unbind), [`abort`](Handle::abort), [`closed`](Handle::closed) | [`unbind`](Connection::unbind), [`close`](Connection::close) | `unbind`, `abort`, `closed` |
//! | to look | [`state`](Handle::state), [`stats`](Handle::stats), [`observe`](Handle::observe) | the same on [`Connection`] | the same |
//! | an answer where the request is read | | | `respond_inline` |
//! | an SMSC | [`Server`], [`Service`], [`Listener`], [`ServerLimits`] | [`Connection::new`] in the role of `Smsc` | `Server`, `Service`, `Listener`, `ServerLimits` |
//! | its limits | [`ServerLimits`]: connections, those of an address, binds | your own | also a rate, the time for a decision, an IPv6 network as one |
//! | traces, metrics | [`observe`](Handle::observe), [`stats`](Handle::stats) | the same | also the features `tracing` and `metrics` |
//!
//! What differs in the types: an [`Inbound`] is `Inbound<HandleRoute<R>>` here where it is `Inbound<R>` there; what
//! becomes of a request is told by the same [`RequestError`], how a session ended by an [`End`] in each.

#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod account;
mod buffer;
mod connect;
mod connection;
mod error;
mod handle;
mod inbox;
mod incoming;
mod keeper;
mod link;
mod locked;
mod outcomes;
mod server;
mod shared;
mod stream;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tls;
mod tls_stream;
mod waiters;

pub use connect::Connector;
pub use connection::{Connection, SentRequest};
pub use error::{ConnectError, ConnectErrorKind, DeadlineError, End, TlsError};
pub use handle::{Client, Handle, Peer, PendingResponse, start};
pub use inbox::Inbox;
pub use incoming::{HandleRoute, Inbound, InboundRequest, ReplyRoute};
pub use server::{BindRequest, BoundSession, Listener, Server, ServerBuilder, ServerLimits, Service};
pub use smpp_core;
pub use smpp_core::session::{NotSentReason, RequestError, Response};
pub use stream::{Duplex, Stream, Transport};
pub use tls_stream::TlsStream;

/// The example in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
