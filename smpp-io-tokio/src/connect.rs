//! From an endpoint to a session: resolve, connect, handshake.

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

use crate::client::Client;
use crate::error::{ConnectError, TlsError};
use crate::inbox::Inbox;
use crate::tls;
use crate::watch::start;

/// Connects ESMEs: how long it may take, whom to trust, what the session may do.
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
    /// Trusts the system's roots, gives each address 10 s and the TLS handshake 10 s, and runs sessions with
    /// the default configuration.
    pub fn new() -> Self {
        Self { config: Config::default(), tls: None, timeout: Duration::from_secs(10) }
    }

    /// What each session may do, wait for and hold.
    #[must_use]
    pub fn config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    /// Whom to trust instead of the system's roots: see [`tls`](crate::tls), or bring your own.
    #[must_use]
    pub fn tls(self, tls: Arc<ClientConfig>) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// How long to wait for each address, and for the TLS handshake.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Connects to the first address of the host that answers; the session is open, not yet bound.
    ///
    /// Cancel-safe: dropped before it is done, the connection is closed.
    pub async fn connect(&self, endpoint: &Endpoint) -> Result<(Client, Inbox<Esme>), ConnectError> {
        let (stream, address) = self.dial(endpoint).await?;
        if !endpoint.tls {
            return Ok(start(stream, address, self.config));
        }
        let host = &endpoint.host;
        match timeout(self.timeout, handshake(host, self.tls.as_ref(), stream)).await {
            Ok(Ok(stream)) => Ok(start(stream, address, self.config)),
            Ok(Err(error)) => Err(ConnectError::Tls { host: host.clone(), error }),
            Err(_) => Err(ConnectError::Timeout { host: host.clone(), after: self.timeout }),
        }
    }

    /// A TCP connection to one of the host's addresses, and which.
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

/// A TCP connection.
pub(crate) async fn tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // Without it, Nagle's algorithm delays each response; a failure to set it harms nothing.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// TLS over it, with the certificate verified for the host; `trusted` instead of the system's roots.
pub(crate) async fn handshake(
    host: &str,
    trusted: Option<&Arc<ClientConfig>>,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, TlsError> {
    let config = match trusted {
        Some(config) => Arc::clone(config),
        None => tls::system_roots()?,
    };
    let name = ServerName::try_from(host.to_owned()).map_err(|_| TlsError::ServerName)?;
    Ok(TlsConnector::from(config).connect(name, stream).await?)
}
