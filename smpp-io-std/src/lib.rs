//! SMPP 3.4 over blocking sockets: `std::net` and rustls around the state machine of [`smpp_core`]. No async
//! runtime, no thread of its own.
//!
//! ```text
//!   your thread ──▶ Connection ──▶ Session (smpp-core): every decision
//!                        │
//!                        └───────▶ Transport: TcpStream, TlsStream, or your own
//! ```
//!
//! A [`Connection`] works while you are in one of its methods, and at no other time: [`submit`] and the others
//! write, read and keep time until they have their result; [`recv`] does so until a message comes. A program
//! that pauses between calls for longer than the peer waits for the answer to its enquire_link, usually 30
//! seconds, calls `recv` now and then.
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
//! [`submit`]: Connection::submit
//! [`recv`]: Connection::recv

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
mod outcomes;
mod shared;
mod stream;
pub mod tls;
mod tls_stream;
mod waiters;

pub use connect::Connector;
pub use connection::{Connection, Pending};
pub use error::{ConnectError, End, Failure, Late, TlsError};
pub use handle::{Client, Handle, Peer, Ticket, start};
pub use inbox::Inbox;
pub use incoming::{Inbound, Incoming, Line, Threaded};
pub use smpp_core::session::{NotSent, RequestError, Response};
pub use stream::{Duplex, Stream, Transport};
pub use tls_stream::TlsStream;
