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
//! use smpp_io_tokio::{Admission, BindRequest, Bound, Inbound, Limits, Listener, Server, Service};
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
//!     async fn request(&self, _: &Bound, request: Inbound<Smsc>) {
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
//!     .limits(Limits { binds: 4, rate: Some(Rate::per_second(50)), ..Limits::default() })
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
//! # Bounds
//!
//! Each session runs within its [`Config`](smpp_core::session::Config): the window, the requests of the peer that
//! wait for an answer, the octets that wait to be written. Above the last, nothing more is read, and TCP pushes
//! back on the peer. A server runs within its [`Limits`]: connections, those of one address, the binds of an account,
//! the messages of a bind.
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod account;
mod client;
mod connect;
mod driver;
mod error;
mod inbox;
mod pump;
mod server;
pub mod tls;

pub use client::{Client, Handle, Peer, start};
pub use connect::Connector;
pub use driver::End;
pub use error::{AcceptError, ConnectError, TlsError};
pub use inbox::{Inbound, Inbox, Incoming};
pub use server::{
    Admission, BindId, BindRequest, Binds, Bound, Cap, Connecting, Limits, Listener, Server, ServerBuilder,
    ServerEvent, ServerStream, Service, Shutdown,
};
pub use smpp_core::session::{NotSent, RequestError, Response};

/// The examples in the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
