//! SMPP 3.4 over tokio.

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
