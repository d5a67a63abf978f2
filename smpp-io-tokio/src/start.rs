//! Starts a session over a transport.

use std::net::SocketAddr;
use std::sync::Arc;

use smpp_proto::session::{Config, Role};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::driver::Driver;
use crate::handle::Handle;
use crate::inbox::Inbox;
use crate::shared::Shared;

/// Starts a session over any transport. It runs in a task of its own. Must be called within a tokio runtime.
///
/// [`Connector`](crate::Connector) and [`Listener`](crate::Listener) do this for TCP and TLS. Use `start` for a transport
/// of your own. A `poll_write` that fails must consume nothing; otherwise a sent request is reported as `NeverSent`.
///
/// A client and a server in one process, over a pipe:
///
/// ```
/// use smpp_proto::session::{Config, Esme, Smsc};
/// use smpp_proto::Bind;
/// use smpp_tokio::{Inbound, start};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (near, far) = tokio::io::duplex(4096);
/// let (client, _client_inbox) = start::<Esme, _>(near, Config::default());
/// let (_peer, mut inbox) = start::<Smsc, _>(far, Config::default());
/// tokio::spawn(async move {
///     while let Some(Inbound::Bind(bind)) = inbox.recv().await {
///         let _ = bind.accept();
///     }
/// });
/// client.bind(&Bind { system_id: "shop".try_into()?, ..Bind::default() }).await?;
/// println!("{}", client.unbind().await);
/// # Ok(())
/// # }
/// ```
pub fn start<R, S>(io: S, config: Config) -> (Handle<R>, Inbox<R>)
where
    R: Role,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (handle, inbox, driver) = open(io, config);
    tokio::spawn(driver);
    (handle, inbox)
}

/// Starts a session over a connection to `peer`, in a task of its own.
pub(crate) fn start_connected<R, S>(io: S, peer: SocketAddr, config: Config) -> (Handle<R>, Inbox<R>)
where
    R: Role,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (handle, inbox, driver) = open_connected(io, peer, config);
    tokio::spawn(driver);
    (handle, inbox)
}

/// Opens a session over a connection to `peer`. It runs while the caller polls the driver.
pub(crate) fn open_connected<R, S>(
    io: S,
    peer: SocketAddr,
    config: Config,
) -> (Handle<R>, Inbox<R>, Driver<R, S>)
where
    R: Role,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (handle, inbox, driver) = open(io, config);
    handle.shared.lock().telemetry.connected(peer);
    (handle, inbox, driver)
}

fn open<R, S>(io: S, config: Config) -> (Handle<R>, Inbox<R>, Driver<R, S>)
where
    R: Role,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let shared = Shared::new(config);
    let driver = Driver::new(Arc::clone(&shared), io);
    let handle = Handle::new(shared);
    (handle.clone(), Inbox::new(handle), driver)
}
