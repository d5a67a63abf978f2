//! SMPP 3.4 over tokio.
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod client;
mod connect;
mod driver;
mod error;
mod inbox;
mod server;
pub mod tls;

pub use client::{Client, Handle, Peer, Response, start};
pub use connect::Connector;
pub use driver::End;
pub use error::{AcceptError, ConnectError, NotSent, RequestError, TlsError};
pub use inbox::{Inbound, Inbox, Incoming};
pub use server::{BindRequest, Connecting, Listener};
