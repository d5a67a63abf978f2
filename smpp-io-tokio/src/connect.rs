//! Connects a client: name resolution, TCP, TLS, session.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use smpp_proto::session::{Config, Esme};
use smpp_proto::{Bind, Endpoint};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::lookup_host;

use crate::clock::after;
use crate::dial::{Dialer, handshake, in_time, tcp, tls_config};
use crate::error::{ConnectError, ConnectErrorKind, DialTarget, check_connector, unresolved};
use crate::handle::Client;
use crate::inbox::Inbox;
use crate::start::start_connected;
use crate::tls::ClientTls;

/// Connects client sessions over TCP or TLS.
///
/// A connector makes one connection for each call of [`connect`](Self::connect) and does not reconnect. Use an
/// [`AccountConnector`](crate::account::AccountConnector) for automatic reconnect and rebind.
///
/// ```no_run
/// use std::time::Duration;
///
/// use smpp_proto::session::Config;
/// use smpp_proto::{Bind, Endpoint};
/// use smpp_tokio::Connector;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let endpoint: Endpoint = "smpps://smpp.8x8.com".parse()?;
/// let connector = Connector::new()
///     .timeout(Duration::from_secs(5))
///     .config(Config::default().window(32));
/// let (client, inbox) = connector.connect(&endpoint).await?;
/// client.bind(&Bind { system_id: "shop".try_into()?, password: "secret".try_into()?, ..Bind::default() }).await?;
/// # drop(inbox);
/// # Ok(())
/// # }
/// ```
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
    /// Creates a connector with the default session configuration, the root certificates of the operating system and
    /// a timeout of 10 s.
    pub fn new() -> Self {
        Self {
            config: Config::default(),
            tls: ClientTls::default(),
            dialer: None,
            resolves: true,
            timeout: Duration::from_secs(10),
        }
    }

    /// Sets the configuration of the sessions: timeouts, window, rate limit and bounds. [`connect`](Self::connect) refuses values
    /// that cannot work ([`Config::check`]).
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

    /// Sets the function that opens the transport to an address, instead of a TCP connection: from a local address, with
    /// socket options of your choice, or in memory for a test. It also gets the endpoint with the host's name. With an
    /// `smpps` endpoint, TLS runs over the transport.
    ///
    /// As for [`start`](crate::start), a `poll_write` that fails must consume nothing.
    ///
    /// ```
    /// use tokio::net::TcpSocket;
    ///
    /// # fn example(connector: smpp_tokio::Connector) -> smpp_tokio::Connector {
    /// connector.dial(|target| async move {
    ///     let socket = TcpSocket::new_v4()?;
    ///     socket.bind(([192, 0, 2, 7], 0).into())?;
    ///     socket.connect(target.address).await
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn dial<F, T>(self, dialer: impl Fn(DialTarget) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<T>> + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Self { dialer: Some(Dialer::new(dialer)), resolves: true, ..self }
    }

    /// As `dial`, but the host's name is not resolved: the function gets it in
    /// [`DialTarget::endpoint`](crate::DialTarget::endpoint). For a proxy that resolves names, and for transports without
    /// addresses, for example a Unix socket. Errors and events name the address `0.0.0.0` then.
    ///
    /// ```
    /// # #[cfg(unix)]
    /// use tokio::net::UnixStream;
    ///
    /// # #[cfg(unix)]
    /// # fn example(connector: smpp_tokio::Connector) -> smpp_tokio::Connector {
    /// connector.dial_by_name(|target| UnixStream::connect(format!("/run/smsc/{}", target.endpoint.host)))
    /// # }
    /// ```
    #[must_use]
    pub fn dial_by_name<F, T>(self, dialer: impl Fn(DialTarget) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<T>> + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Self { dialer: Some(Dialer::new(dialer)), resolves: false, ..self }
    }

    /// Sets the timeout of each connection attempt to an address, and of the TLS handshake. Above zero. Default 10 s.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Connects to the first address of the host that accepts a connection, and starts a session. The session is not bound
    /// yet: call [`Client::bind`](crate::Handle::bind). Must be called within a tokio runtime.
    ///
    /// The credentials of the endpoint are not used: [`Endpoint::bind`] returns a bind with them.
    ///
    /// # Errors
    ///
    /// Returns a [`ConnectError`], which says which step failed.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped early closes the connection.
    pub async fn connect(&self, endpoint: &Endpoint) -> Result<(Client, Inbox<Esme>), ConnectError> {
        let connected = match &self.dialer {
            Some(dialer) => self.connect_with(endpoint, |address| dialer.dial(endpoint, address)).await,
            None => self.connect_with(endpoint, tcp).await,
        };
        connected.map_err(|kind| ConnectError::new(endpoint, kind))
    }

    /// Connects as [`connect`](Self::connect) does, and binds. The credentials are those of the bind; if those in the URL are meant,
    /// pass [`Endpoint::bind`].
    ///
    /// ```no_run
    /// use smpp_proto::{Bind, Endpoint};
    /// use smpp_tokio::Connector;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let endpoint: Endpoint = "smpps://smpp.8x8.com".parse()?;
    /// let bind = Bind { system_id: "shop".try_into()?, password: "secret".try_into()?, ..Bind::default() };
    /// let (client, inbox) = Connector::new().bind(&endpoint, &bind).await?;
    /// # drop((client, inbox));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns a [`ConnectError`], which says which step failed. If the SMSC does not answer the bind, the error names what
    /// answered instead: HTTP, TLS, another protocol, or silence. If the bind fails, the connection is closed.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped early ends the session.
    pub async fn bind(
        &self,
        endpoint: &Endpoint,
        bind: &Bind<'_>,
    ) -> Result<(Client, Inbox<Esme>), ConnectError> {
        let (client, inbox) = self.connect(endpoint).await?;
        let Err(error) = client.bind(bind).await else { return Ok((client, inbox)) };
        let received = client.diagnose_bind(&error);
        let transport = client.abort().await.error;
        let kind = ConnectErrorKind::bind(error, received, transport);
        Err(ConnectError::bind(endpoint, bind.system_id, kind))
    }

    async fn connect_with<F, T>(
        &self,
        endpoint: &Endpoint,
        dial: impl Fn(SocketAddr) -> F,
    ) -> Result<(Client, Inbox<Esme>), ConnectErrorKind>
    where
        F: Future<Output = io::Result<T>>,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        check_connector(&self.config, self.timeout).map_err(ConnectErrorKind::Config)?;
        if !endpoint.tls {
            let (stream, address) = self.first_connection(endpoint, dial).await?;
            return Ok(start_connected(stream, address, self.config));
        }
        // Before connecting, so that the error about a missing authority does not depend on the network.
        let config = tls_config(&self.tls).await.map_err(ConnectErrorKind::Tls)?;
        let (stream, address) = self.first_connection(endpoint, dial).await?;
        let stream = handshake(config, &endpoint.host, stream, after(self.timeout)).await;
        let stream = stream.map_err(|error| ConnectErrorKind::Handshake(address, error))?;
        Ok(start_connected(stream, address, self.config))
    }

    /// Connects to the first address that accepts a connection. Returns the transport and the address.
    async fn first_connection<F, T>(
        &self,
        endpoint: &Endpoint,
        dial: impl Fn(SocketAddr) -> F,
    ) -> Result<(T, SocketAddr), ConnectErrorKind>
    where
        F: Future<Output = io::Result<T>>,
    {
        let addresses = if self.resolves {
            let found = lookup_host((endpoint.host.as_str(), endpoint.port)).await;
            found.map_err(ConnectErrorKind::Resolve)?.collect()
        } else {
            vec![unresolved(endpoint)]
        };
        let mut attempts = Vec::new();
        for address in addresses {
            match in_time(after(self.timeout), dial(address)).await {
                Ok(stream) => return Ok((stream, address)),
                Err(error) => attempts.push((address, error)),
            }
        }
        if attempts.is_empty() {
            return Err(ConnectErrorKind::no_address());
        }
        Err(ConnectErrorKind::Connect(attempts))
    }
}
