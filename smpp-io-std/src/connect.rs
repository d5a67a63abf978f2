//! Connecting an ESME: resolve the host, connect, make the TLS handshake, bind.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use smpp_proto::session::{Config, Esme};
use smpp_proto::{Bind, Endpoint};

use crate::connection::Connection;
use crate::dial::{Dialer, tcp};
use crate::error::{ConnectError, ConnectErrorKind, DialTarget, check_connector, unresolved};
use crate::handle::Client;
use crate::inbox::Inbox;
use crate::start::{Surroundings, start_with};
use crate::stream::Stream;
use crate::tls::ClientTls;
use crate::transport::Duplex;

/// Connects an ESME to an SMSC: with a timeout, trusted certificate authorities, and a session configuration.
///
/// ```no_run
/// use std::path::Path;
/// use std::time::Duration;
/// use smpp_proto::provider::Provider;
/// use smpp_std::{Connector, tls};
///
/// let connector = Connector::new()
///     .config(Provider::EIGHT_BY_EIGHT.config())
///     .tls(tls::ca_file(Path::new("ca.pem"))?)
///     .timeout(Duration::from_secs(5));
/// let connection = connector.connect(&"smpps://localhost:2776".parse()?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It connects once. An [`Account`](crate::account::Account) reconnects and rebinds by itself.
#[derive(Clone, Debug)]
pub struct Connector {
    config: Config,
    tls: ClientTls,
    dialer: Option<Dialer>,
    /// Whether the names of hosts are resolved.
    resolves: bool,
    timeout: Duration,
}

impl Default for Connector {
    fn default() -> Self {
        Self::new()
    }
}

impl Connector {
    /// Makes a connector with the defaults: 10 s for each address and 10 s for the TLS handshake, the certificate
    /// authorities that the operating system trusts, and the default session configuration.
    pub fn new() -> Self {
        Self {
            config: Config::default(),
            tls: ClientTls::default(),
            dialer: None,
            resolves: true,
            timeout: Duration::from_secs(10),
        }
    }

    /// Sets the configuration of each session: timeouts, window, rate limit and bounds. [`connect`](Self::connect) and
    /// [`start`](Self::start) refuse values that cannot work ([`Config::check`]).
    #[must_use]
    pub fn config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    /// Sets the TLS configuration for `smpps` endpoints. Default: trust the root certificates of the operating system, or what the
    /// features say: [`ClientTls`]. See [`tls`](crate::tls).
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(self, tls: impl Into<ClientTls>) -> Self {
        Self { tls: tls.into(), ..self }
    }

    /// Sets the timeout for the TCP connection to each address, and for the TLS handshake. Above zero. Default 10 s. The time for
    /// resolving the host is a setting of the operating system.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sets a function that makes the connection to an address, instead of TCP: from a local address, with socket options of
    /// your own, or in memory. It also gets the endpoint with the host's name. For `smpps://` the TLS handshake is made over it. The
    /// [timeout](Self::timeout) does not apply to the function.
    ///
    /// ```no_run
    /// use std::net::TcpStream;
    /// use smpp_std::Connector;
    ///
    /// let connector = Connector::new().dial(|target| {
    ///     let tcp = TcpStream::connect(target.address)?;
    ///     tcp.set_ttl(10)?;
    ///     Ok(tcp)
    /// });
    /// ```
    #[must_use]
    pub fn dial<S: Duplex + 'static>(
        self,
        dialer: impl Fn(DialTarget) -> io::Result<S> + Send + Sync + 'static,
    ) -> Self {
        Self { dialer: Some(Dialer::new(dialer)), resolves: true, ..self }
    }

    /// As [`dial`](Self::dial), but the host's name is not resolved: the function gets it in
    /// [`DialTarget::endpoint`](crate::DialTarget::endpoint). For a proxy that resolves names, and for transports without
    /// addresses, for example a Unix socket. Errors and events name the address `0.0.0.0` then.
    ///
    /// ```no_run
    /// # #[cfg(unix)]
    /// use std::os::unix::net::UnixStream;
    ///
    /// # #[cfg(unix)]
    /// # fn example(connector: smpp_std::Connector) -> smpp_std::Connector {
    /// connector.dial_by_name(|target| UnixStream::connect(format!("/run/smsc/{}", target.endpoint.host)))
    /// # }
    /// ```
    #[must_use]
    pub fn dial_by_name<S: Duplex + 'static>(
        self,
        dialer: impl Fn(DialTarget) -> io::Result<S> + Send + Sync + 'static,
    ) -> Self {
        Self { dialer: Some(Dialer::new(dialer)), resolves: false, ..self }
    }

    /// Connects to the first address of the host that accepts a connection, and binds. The credentials are those of the bind; if
    /// those in the URL are meant, pass [`Endpoint::bind`].
    ///
    /// # Errors
    ///
    /// [`ConnectError`] says which step failed. If the bind fails, the connection is closed.
    pub fn bind(
        &self,
        endpoint: &Endpoint,
        bind: &Bind<'_>,
    ) -> Result<Connection<Esme, Stream>, ConnectError> {
        let mut connection = self.connect(endpoint)?;
        match connection.bind(bind) {
            Ok(_) => Ok(connection),
            Err(error) => {
                let received = connection.diagnose_bind(&error);
                let transport = connection.end().and_then(|end| end.error.clone());
                let kind = ConnectErrorKind::bind(error, received, transport);
                Err(ConnectError::bind(endpoint, bind.system_id, kind))
            }
        }
    }

    /// Connects to the first address of the host that accepts a connection. The session is open and not bound yet.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] says which step failed.
    pub fn connect(&self, endpoint: &Endpoint) -> Result<Connection<Esme, Stream>, ConnectError> {
        let (address, stream) = self.stream(endpoint).map_err(|kind| failed(endpoint, kind))?;
        let connection = Connection::new(stream, self.config);
        let connection = connection.map_err(|error| failed(endpoint, ConnectErrorKind::Socket(error)))?;
        connection.connected(address);
        Ok(connection)
    }

    /// Connects to the first address of the host that accepts a connection, and starts a session with a background thread:
    /// see [`Handle`](crate::Handle). It blocks until the connection is made. The session is open and not bound yet.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] says which step failed.
    pub fn start(&self, endpoint: &Endpoint) -> Result<(Client, Inbox<Esme>), ConnectError> {
        let (address, stream) = self.stream(endpoint).map_err(|kind| failed(endpoint, kind))?;
        let surroundings = Surroundings { peer: Some(address), ..Surroundings::default() };
        start_with(Box::new(stream), self.config, surroundings)
            .map_err(|error| failed(endpoint, ConnectErrorKind::Socket(error)))
    }

    fn stream(&self, endpoint: &Endpoint) -> Result<(SocketAddr, Stream), ConnectErrorKind> {
        check_connector(&self.config, self.timeout).map_err(ConnectErrorKind::Config)?;
        // Before connecting, so that the error about a missing CA does not depend on the network.
        let tls = endpoint.tls.then(|| self.tls.config()).transpose().map_err(ConnectErrorKind::Tls)?;
        let (address, stream) = self.first_connection(endpoint)?;
        let Some(config) = tls else { return Ok((address, stream)) };
        let tls = stream.connect_tls(&endpoint.host, &config, self.timeout);
        let tls = tls.map_err(|error| ConnectErrorKind::Handshake(address, error))?;
        Ok((address, tls))
    }

    /// Makes a connection to one of the host's addresses.
    fn first_connection(&self, endpoint: &Endpoint) -> Result<(SocketAddr, Stream), ConnectErrorKind> {
        let addresses = if self.resolves {
            let found = (endpoint.host.as_str(), endpoint.port).to_socket_addrs();
            found.map_err(ConnectErrorKind::Resolve)?.collect()
        } else {
            vec![unresolved(endpoint)]
        };
        let mut attempts = Vec::new();
        for address in addresses {
            let stream = match &self.dialer {
                Some(dialer) => dialer.dial(endpoint, address).map(Stream::Dialed),
                None => tcp(address, self.timeout).map(Stream::Tcp),
            };
            match stream {
                Ok(stream) => return Ok((address, stream)),
                Err(error) => attempts.push((address, error)),
            }
        }
        if attempts.is_empty() {
            return Err(ConnectErrorKind::no_address());
        }
        Err(ConnectErrorKind::Connect(attempts))
    }
}

fn failed(endpoint: &Endpoint, kind: ConnectErrorKind) -> ConnectError {
    ConnectError::new(endpoint, kind)
}
