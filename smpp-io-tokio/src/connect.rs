//! Connects a client: name resolution, TCP, TLS, session.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use smpp_core::Endpoint;
use smpp_core::session::{Config, Esme};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::{ConnectError, TlsError};
use crate::handle::Client;
use crate::inbox::Inbox;
use crate::start::start_connected;
use crate::tls;

/// Connects client sessions over TCP or TLS.
///
/// A connector makes one connection for each call of [`connect`](Self::connect) and does not reconnect. Use an
/// [`AccountConnector`](crate::account::AccountConnector) for automatic reconnect and rebind.
///
/// ```no_run
/// use std::time::Duration;
///
/// use smpp_core::session::Config;
/// use smpp_core::{Bind, Endpoint};
/// use smpp_io_tokio::Connector;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let endpoint: Endpoint = "smpps://smpp.8x8.com".parse()?;
/// let connector = Connector::new()
///     .timeout(Duration::from_secs(5))
///     .config(Config { window: 32, ..Config::default() });
/// let (client, inbox) = connector.connect(&endpoint).await?;
/// client.bind(&Bind { system_id: "shop".try_into()?, password: "secret".try_into()?, ..Bind::default() }).await?;
/// # drop(inbox);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Connector {
    config: Config,
    tls: Option<Arc<ClientConfig>>,
    timeout: Duration,
}

impl Default for Connector {
    fn default() -> Self {
        Self::new()
    }
}

impl Connector {
    /// Creates a connector with the default session configuration, the root certificates of the operating system and
    /// a timeout of 10 s.
    pub fn new() -> Self {
        Self { config: Config::default(), tls: None, timeout: Duration::from_secs(10) }
    }

    /// Sets the configuration of the sessions: timeouts, window, rate limit and bounds.
    #[must_use]
    pub fn config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    /// Sets the TLS configuration for `smpps` endpoints. Default: trust the root certificates of the operating system.
    /// See [`tls`](crate::tls).
    #[must_use]
    pub fn tls(self, tls: Arc<ClientConfig>) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Sets the timeout of each connection attempt to an address, and of the TLS handshake. Default 10 s.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Connects to the first address of the host that accepts a connection, and starts a session. The session is not bound
    /// yet: call [`Client::bind`](crate::Handle::bind). Must be called within a tokio runtime.
    ///
    /// The credentials of the endpoint are not used.
    ///
    /// # Errors
    ///
    /// Returns a [`ConnectError`] with what was tried.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped early closes the connection.
    pub async fn connect(&self, endpoint: &Endpoint) -> Result<(Client, Inbox<Esme>), ConnectError> {
        let (stream, address) = self.dial(endpoint).await?;
        if !endpoint.tls {
            return Ok(start_connected(stream, address, self.config));
        }
        let host = &endpoint.host;
        match timeout(self.timeout, handshake(host, self.tls.as_ref(), stream)).await {
            Ok(Ok(stream)) => Ok(start_connected(stream, address, self.config)),
            Ok(Err(error)) => Err(ConnectError::Tls { host: host.clone(), error }),
            Err(_) => Err(ConnectError::Timeout { host: host.clone(), after: self.timeout }),
        }
    }

    /// Connects to the first address that accepts a TCP connection. Returns the stream and the address.
    async fn dial(&self, endpoint: &Endpoint) -> Result<(TcpStream, SocketAddr), ConnectError> {
        let host = endpoint.host.clone();
        let addresses = match lookup_host((endpoint.host.as_str(), endpoint.port)).await {
            Ok(addresses) => addresses,
            Err(error) => return Err(ConnectError::Resolve { host, error }),
        };
        let mut attempts = Vec::new();
        for address in addresses {
            match timeout(self.timeout, tcp(address)).await.unwrap_or_else(|elapsed| Err(elapsed.into())) {
                Ok(stream) => return Ok((stream, address)),
                Err(error) => attempts.push((address, error)),
            }
        }
        Err(ConnectError::Connect { host, attempts })
    }
}

/// Opens a TCP connection.
pub(crate) async fn tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // With Nagle's algorithm each response would be delayed. If the option cannot be set, the connection still works.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Performs the TLS handshake and verifies the certificate for the host; without a `config`, against the system's roots.
pub(crate) async fn handshake(
    host: &str,
    config: Option<&Arc<ClientConfig>>,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, TlsError> {
    let config = match config {
        Some(config) => Arc::clone(config),
        None => tls::system_roots()?,
    };
    let name = ServerName::try_from(host.to_owned()).map_err(|_| TlsError::ServerName)?;
    Ok(TlsConnector::from(config).connect(name, stream).await?)
}
