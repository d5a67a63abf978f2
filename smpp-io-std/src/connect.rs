//! From an endpoint to a bind: resolve, connect, handshake, bind.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use smpp_core::session::{Config, Esme};
use smpp_core::{Bind, Endpoint};

use crate::connection::Connection;
use crate::error::{ConnectError, ConnectErrorKind, TlsError};
use crate::handle::{self, Client};
use crate::inbox::Inbox;
use crate::stream::Stream;
use crate::tls_stream::TlsStream;

/// Connects ESMEs: how long it may take, whom to trust, what the session may do.
///
/// ```no_run
/// use std::path::Path;
/// use std::time::Duration;
/// use smpp_core::provider::Provider;
/// use smpp_io_std::{Connector, tls};
///
/// let connector = Connector::new()
///     .config(Provider::EIGHT_BY_EIGHT.config())
///     .tls(tls::ca_file(Path::new("ca.pem"))?)
///     .timeout(Duration::from_secs(5));
/// let connection = connector.connect(&"smpps://localhost:2776".parse()?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
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
    /// Gives each address 10 s and the TLS handshake 10 s, trusts the system's roots, and runs sessions with
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

    /// How long to wait for each address, and for the TLS handshake. How long the name server may take is
    /// the operating system's setting.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Connects to the first address of the host that answers, and binds.
    pub fn bind(
        &self,
        endpoint: &Endpoint,
        bind: &Bind<'_>,
    ) -> Result<Connection<Esme, Stream>, ConnectError> {
        let mut connection = self.connect(endpoint)?;
        match connection.bind(bind) {
            Ok(_) => Ok(connection),
            Err(error) => Err(failed(endpoint, ConnectErrorKind::Bind(error))),
        }
    }

    /// Connects to the first address of the host that answers; the session is open, not yet bound.
    pub fn connect(&self, endpoint: &Endpoint) -> Result<Connection<Esme, Stream>, ConnectError> {
        let stream = self.stream(endpoint).map_err(|failure| failed(endpoint, failure))?;
        Connection::new(stream, self.config)
            .map_err(|error| failed(endpoint, ConnectErrorKind::Socket(error)))
    }

    /// Connects to the first address of the host that answers, and runs the session with a thread of its own: see
    /// [`Handle`](crate::Handle). It blocks until there is a connection; the session is open, not yet bound.
    pub fn start(&self, endpoint: &Endpoint) -> Result<(Client, Inbox<Esme>), ConnectError> {
        let stream = self.stream(endpoint).map_err(|failure| failed(endpoint, failure))?;
        handle::start(stream, self.config).map_err(|error| failed(endpoint, ConnectErrorKind::Socket(error)))
    }

    fn stream(&self, endpoint: &Endpoint) -> Result<Stream, ConnectErrorKind> {
        // Before any connection is made, so that a missing CA is not mistaken for a bad network.
        let tls =
            endpoint.tls.then(|| trusted(self.tls.as_ref())).transpose().map_err(ConnectErrorKind::Tls)?;
        let (address, tcp) = self.dial(endpoint)?;
        let Some(config) = tls else { return Ok(Stream::Tcp(tcp)) };
        let tls = TlsStream::connect(tcp, &endpoint.host, config, self.timeout);
        tls.map(|tls| Stream::Tls(Box::new(tls))).map_err(|error| ConnectErrorKind::Handshake(address, error))
    }

    /// A TCP connection to one of the host's addresses.
    fn dial(&self, endpoint: &Endpoint) -> Result<(SocketAddr, TcpStream), ConnectErrorKind> {
        let addresses = (endpoint.host.as_str(), endpoint.port).to_socket_addrs();
        let mut attempts = Vec::new();
        for address in addresses.map_err(ConnectErrorKind::Resolve)? {
            match tcp(address, self.timeout) {
                Ok(tcp) => return Ok((address, tcp)),
                Err(error) => attempts.push((address, error)),
            }
        }
        if attempts.is_empty() {
            return Err(ConnectErrorKind::Resolve(io::ErrorKind::NotFound.into()));
        }
        Err(ConnectErrorKind::Connect(attempts))
    }
}

/// A TCP connection to this address.
pub(crate) fn tcp(address: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect_timeout(&address, timeout)?;
    // Without it, Nagle's algorithm delays each PDU; a failure to set it harms nothing.
    let _ = tcp.set_nodelay(true);
    Ok(tcp)
}

/// Whom to trust: the system's roots unless said otherwise.
pub(crate) fn trusted(tls: Option<&Arc<ClientConfig>>) -> Result<Arc<ClientConfig>, TlsError> {
    match tls {
        Some(config) => Ok(Arc::clone(config)),
        #[cfg(feature = "native-roots")]
        None => crate::tls::system_roots(),
        #[cfg(not(feature = "native-roots"))]
        None => Err(TlsError::NoRoots),
    }
}

fn failed(endpoint: &Endpoint, failure: ConnectErrorKind) -> ConnectError {
    ConnectError { endpoint: endpoint.to_string(), kind: failure }
}
