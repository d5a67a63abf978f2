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
//! An SMSC listens, decides on each bind, answers what is submitted and delivers what it has:
//!
//! ```no_run
//! use smpp_core::session::Config;
//! use smpp_core::{COctets, CommandStatus, SubmitSmResp};
//! use smpp_io_tokio::{Inbound, Listener};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = Listener::bind("127.0.0.1:2775", Config::default()).await?;
//! loop {
//!     let connecting = listener.accept().await?;
//!     tokio::spawn(async move {
//!         let Ok(request) = connecting.bind_request().await else { return };
//!         if !request.bind().password.equals(b"secret") {
//!             request.refuse(CommandStatus::RINVPASWD).await;
//!             return;
//!         }
//!         let Ok((_peer, mut inbox)) = request.accept(COctets::new(b"my_smsc").unwrap_or_default()) else { return };
//!         while let Some(inbound) = inbox.recv().await {
//!             if let Inbound::SubmitSm(message) = inbound {
//!                 let message_id = COctets::new(b"1").unwrap_or_default();
//!                 let _ = message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
//!             }
//!         }
//!     });
//! }
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
//! it where the request is read, by [`Handle::answer_with`]; what it has to think about comes out of the [`Inbox`].
//!
//! # Bounds
//!
//! Each session runs within its [`Config`](smpp_core::session::Config): the window, the requests of the peer that
//! wait for an answer, the octets that wait to be written. Above the last, nothing more is read, and TCP pushes
//! back on the peer.
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod answer;
mod client;
mod connect;
mod driver;
mod error;
mod inbox;
mod pump;
mod request;
mod server;
pub mod tls;
mod waiters;

pub use answer::Responder;
pub use client::{Client, Handle, Peer, start};
pub use connect::Connector;
pub use driver::End;
pub use error::{AcceptError, ConnectError, TlsError};
pub use inbox::{Inbound, Inbox, Incoming};
pub use server::{BindRequest, Connecting, Listener};
pub use smpp_core::session::{NotSent, RequestError, Response};

/// The examples in the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
