//! Listens for connections: on TCP and Unix sockets, with TLS and the PROXY protocol.

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;

use smpp_common::{ProxyProtocol, check_listener};
use smpp_proto::session::Config;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::net::{TcpListener, ToSocketAddrs};

use super::incoming::IncomingConnection;
use super::stream::Socket;
use crate::tls::ServerTls;

/// The address of a Unix socket.
#[cfg(unix)]
pub(super) const NO_ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

/// Listens on a TCP address or a Unix socket, with the configuration of the sessions. Pass it to a [`Server`](super::Server), or accept
/// connections from it yourself:
///
/// ```no_run
/// use smpp_proto::session::Config;
/// use smpp_proto::{COctets, CommandStatus};
/// use smpp_tokio::{Inbound, Listener};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = Listener::bind("0.0.0.0:2775", Config::default()).await?;
/// loop {
///     let connection = listener.accept().await?;
///     // A task for each connection: a slow client does not delay the others.
///     tokio::spawn(async move {
///         let request = match connection.bind_request().await {
///             Ok(request) => request,
///             Err(error) => return eprintln!("{error}"),
///         };
///         if !request.bind().password.equals(b"secret") {
///             request.refuse(CommandStatus::RINVPASWD).await;
///             return;
///         }
///         let Ok((_peer, mut inbox)) = request.accept(COctets::default()) else { return };
///         while let Some(inbound) = inbox.recv().await {
///             if let Inbound::SubmitSm(message) = inbound {
///                 let _ = message.accept();
///             }
///         }
///     });
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Listener {
    socket: ListeningSocket,
    tls: Option<ServerTls>,
    proxy_protocol: Option<ProxyProtocol>,
    config: Config,
}

#[derive(Debug)]
enum ListeningSocket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

impl Listener {
    /// Listens on a TCP address. Sessions run with `config`.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system, for example if the port is in use; that of [`Config::check`] as
    /// [`InvalidInput`](io::ErrorKind::InvalidInput).
    pub async fn bind(address: impl ToSocketAddrs, config: Config) -> io::Result<Self> {
        check_listener(&config)?;
        Ok(Self::new(TcpListener::bind(address).await?, config))
    }

    /// Uses a socket that listens already, for example with a backlog of your choice.
    pub const fn new(tcp: TcpListener, config: Config) -> Self {
        Self::of(ListeningSocket::Tcp(tcp), config)
    }

    /// Listens on a Unix socket of this path. Must be called within a tokio runtime.
    ///
    /// Its connections have the address `0.0.0.0:0`, unless a proxy states another one ([`proxy_protocol`](Self::proxy_protocol)):
    /// together they count as one address for [`connections_per_address`](super::ServerLimits::connections_per_address).
    ///
    /// The file must not exist. Its permissions decide who may connect. It stays when the listener is dropped: remove it.
    ///
    /// ```no_run
    /// # use smpp_tokio::{Listener, Server, Service};
    /// # fn example(service: impl Service) -> std::io::Result<Server> {
    /// let listener = Listener::bind_unix("/run/smsc.sock", Default::default())?;
    /// Server::builder(service).listen(listener).start()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system, for example if the file exists; that of [`Config::check`] as
    /// [`InvalidInput`](io::ErrorKind::InvalidInput).
    #[cfg(unix)]
    pub fn bind_unix(path: impl AsRef<Path>, config: Config) -> io::Result<Self> {
        check_listener(&config)?;
        Ok(Self::unix(UnixListener::bind(path)?, config))
    }

    /// Uses a Unix socket that listens already: see [`bind_unix`](Self::bind_unix).
    #[cfg(unix)]
    pub const fn unix(socket: UnixListener, config: Config) -> Self {
        Self::of(ListeningSocket::Unix(socket), config)
    }

    /// Checks the configuration of the sessions.
    pub(super) fn check(&self) -> io::Result<()> {
        check_listener(&self.config)
    }

    const fn of(socket: ListeningSocket, config: Config) -> Self {
        Self { socket, tls: None, proxy_protocol: None, config }
    }

    /// Uses TLS from the first octet, or from the first one after the header of the PROXY protocol. See [`tls`](crate::tls).
    ///
    /// To replace the certificate while the server runs, keep a clone of a [`ServerTls`]:
    ///
    /// ```no_run
    /// use smpp_tokio::{Listener, tls};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let files = || tls::server_files("chain.pem".as_ref(), "key.pem".as_ref());
    /// let server_tls = tls::ServerTls::new(files()?);
    /// let listener = Listener::bind("0.0.0.0:2776", Default::default()).await?.tls(server_tls.clone());
    /// // Later, when the files have changed: connections that exist go on.
    /// server_tls.replace(files()?);
    /// # drop(listener);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(self, tls: impl Into<ServerTls>) -> Self {
        Self { tls: Some(tls.into()), ..self }
    }

    /// Expects the PROXY protocol, version 1 or 2, from the proxies that it trusts. The address of the client that a proxy states
    /// is then the one that counts: for [`connections_per_address`](super::ServerLimits::connections_per_address), in events, and
    /// for [`BindRequest::peer_addr`](super::BindRequest::peer_addr). Off by default.
    ///
    /// A connection without a valid header, or from an address that is not trusted, is closed, and reported with its
    /// [`RejectReason`](super::RejectReason).
    ///
    /// ```no_run
    /// use smpp_tokio::{Listener, ProxyProtocol};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let proxies = ProxyProtocol::from_trusted(["10.0.0.0/8".parse()?]);
    /// let listener = Listener::bind("0.0.0.0:2775", Default::default()).await?.proxy_protocol(proxies);
    /// # drop(listener);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn proxy_protocol(self, proxy_protocol: ProxyProtocol) -> Self {
        Self { proxy_protocol: Some(proxy_protocol), ..self }
    }

    /// Returns the local address: `0.0.0.0:0` for a Unix socket.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.socket {
            ListeningSocket::Tcp(tcp) => tcp.local_addr(),
            #[cfg(unix)]
            ListeningSocket::Unix(_) => Ok(NO_ADDRESS),
        }
    }

    /// Accepts the next connection. Handle it in a task of its own, because the client may be slow.
    ///
    /// # Errors
    ///
    /// An error concerns one connection, or a resource of the process such as file descriptors: pause and accept again.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a future that is dropped loses no connection.
    pub async fn accept(&self) -> io::Result<IncomingConnection> {
        let (socket, address) = match &self.socket {
            ListeningSocket::Tcp(tcp) => {
                let (stream, address) = tcp.accept().await?;
                // With Nagle's algorithm each response would be delayed. If the option cannot be set, the connection still works.
                let _ = stream.set_nodelay(true);
                (Socket::Tcp(stream), address)
            }
            #[cfg(unix)]
            ListeningSocket::Unix(unix) => (Socket::Unix(unix.accept().await?.0), NO_ADDRESS),
        };
        let mut connection = IncomingConnection::of(socket, address, self.config);
        connection.tls.clone_from(&self.tls);
        connection.proxy_protocol.clone_from(&self.proxy_protocol);
        Ok(connection)
    }
}
