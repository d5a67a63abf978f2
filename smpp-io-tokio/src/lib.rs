//! SMPP 3.4 over tokio: a thin driver around the session of [`smpp_core`], for ESME and SMSC.
//!
//! A [`Client`] binds and submits; whatever the SMSC sends comes out of its [`Inbox`], each request with the
//! right to answer it. Clone the client and share it: requests are borrowed, encoded straight into the output,
//! and written in batches.
//!
//! ```no_run
//! use smpp_core::{Address, Bind, COctets, Endpoint, Password, RegisteredDelivery, ShortMessage, SubmitSm};
//! use smpp_io_tokio::{Connector, Inbound};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let endpoint: Endpoint = "smpps://smpp.8x8.com".parse()?;
//! let (client, mut inbox) = Connector::new().connect(&endpoint).await?;
//! client
//!     .bind(&Bind {
//!         system_id: COctets::new(b"my_subaccount")?,
//!         password: Password::new(b"secret")?,
//!         ..Bind::default()
//!     })
//!     .await?;
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
//! # An SMSC
//!
//! A [`Server`] listens, and asks a [`Service`] who may bind and what to answer:
//!
//! ```no_run
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! use smpp_core::session::{Config, Rate, Smsc};
//! use smpp_core::{COctets, CommandStatus, SubmitSmResp};
//! use smpp_io_tokio::{Admission, BindRequest, BoundSession, Inbound, ServerLimits, Listener, Server, Service};
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
//!         // What is not a message is dropped, and so refused.
//!         let Inbound::SubmitSm(message) = request else { return };
//!         let id = self.messages.fetch_add(1, Ordering::Relaxed).to_string();
//!         let message_id = COctets::new(id.as_bytes()).unwrap_or_default();
//!         let _ = message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
//!     }
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::builder(Shop { messages: AtomicU64::new(1) })
//!     .limits(ServerLimits { binds_per_account: 4, rate: Some(Rate::per_second(50)), ..ServerLimits::default() })
//!     .listen(Listener::bind("0.0.0.0:2775", Config::default()).await?)
//!     .start()?;
//! # drop(server);
//! # Ok(())
//! # }
//! ```
//!
//! # What becomes of a request
//!
//! [`RequestError`] tells the four outcomes apart: refused by the peer, not understood, never sent (safe to send
//! again), sent and unanswered (the peer may have accepted it). Nothing is lost without its sender being told
//! which it was.
//!
//! # Speed
//!
//! What is submitted between two turns of the session's task leaves in one write, and all that comes back in one
//! read is handed out at once: so have many requests under way, in as many tasks as you like or several in one, up
//! to the window. A request costs no allocation, nor does its response. A server that knows its answer at once gives
//! it where the request is read, by [`Handle::respond_inline`]; what it has to think about comes out of the [`Inbox`].
//!
//! # Bounds
//!
//! Each session runs within its [`Config`](smpp_core::session::Config): the window, the requests of the peer that
//! wait for an answer, the octets that wait to be written. Above the last, nothing more is read, and TCP pushes
//! back on the peer. A server runs within its [`ServerLimits`]: connections, those of one address, the binds of an account,
//! the messages of a bind.
//!
//! # Looking on
//!
//! | what | how | what it costs |
//! | --- | --- | --- |
//! | every PDU, without passwords: a log or a count of your own | [`Handle::observe`] with an [`Observer`](smpp_core::session::Observer) | the call of it, for each PDU |
//! | the counters of a session, at any time | [`Handle::stats`] | nothing: they are kept anyway |
//! | a file for Wireshark, also of what goes over TLS | [`Handle::observe`] with a `Stream` of `smpp_core::pcap`, feature `pcap` of `smpp-core` | a copy of each PDU, and your writing of it |
//! | what happens on each connection, as spans and events | feature `tracing` | a comparison for each event of the session |
//! | counters, gauges and response times for a monitoring system | `metrics::publish`, `metrics::publish_account`, feature `metrics` | an addition for each request; the rest at intervals |
//!
//! With `tracing`, each connection has a span `smpp`, a child of the one in which it was started, with the fields `role`
//! (`esme` or `smsc`), `peer` (the address; of connections that [`Connector`] and [`Listener`] make) and `system_id` (once
//! the ESME wants to bind). The events in it, of the target `smpp_io_tokio`:
//!
//! | level | events |
//! | --- | --- |
//! | info | `bound`, `the peer unbinds`, `closed` as either side asked |
//! | warn | `bind refused`, `malformed PDU`, `not understood by the peer`, `not answered in time`, `the answer cannot be read`, `closed` for any other reason |
//! | debug | `connected`, `throttled by the peer`, `refused by the session`, `a response to nothing` |
//!
//! An [`account`] has a span `smpp_account` with its `system_id`; its events name the connection (`link`):
//!
//! | level | events |
//! | --- | --- |
//! | error | `the SMSC refuses the account` |
//! | info | `bound`, `the peer unbinds`, `the bind is over`, `the account is closed` |
//! | warn | `bind refused`, `no connection`, `the host has no address` |
//! | debug | `not all of the message was accepted`, `receipts have not come in time` |
//!
//! No event or label holds a message, the number of a subscriber, or a password. Events are told while the session is
//! locked: a subscriber that blocks holds it up.
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod account;
mod answer;
mod client;
mod connect;
mod driver;
mod error;
mod inbox;
#[cfg(feature = "metrics")]
pub mod metrics;
mod pump;
mod request;
mod server;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tls;
#[cfg(feature = "tracing")]
mod trace;
mod waiters;
mod watch;

pub use answer::Responder;
pub use client::{Client, Handle, Peer, start};
pub use connect::Connector;
pub use driver::End;
pub use error::{AcceptError, ConnectError, TlsError};
pub use inbox::{Inbound, InboundRequest, Inbox};
pub use server::{
    Admission, BindId, BindRegistry, BindRequest, BoundSession, IncomingConnection, Listener, RejectReason,
    Server, ServerBuilder, ServerEvent, ServerLimits, ServerStream, Service, Shutdown,
};
pub use smpp_core;
pub use smpp_core::session::{NotSentReason, RequestError, Response};

/// The examples in the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[doc = include_str!("../README.md")]
mod readme {}
