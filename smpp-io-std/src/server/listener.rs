//! Listens for connections: on TCP and Unix sockets, with TLS and the PROXY protocol.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::UnixListener;
#[cfg(unix)]
use std::path::Path;

use smpp_common::{ProxyProtocol, check_listener};
use smpp_proto::session::Config;

use super::accept_waker::AcceptWaker;
use super::incoming::IncomingConnection;
use super::stream::Socket;
use crate::tls::ServerTls;

/// The address of a Unix socket.
#[cfg(unix)]
pub(super) const NO_ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

/// A TCP address or a Unix socket on which a [`Server`](crate::Server) listens, and the configuration of the sessions that are accepted there.
///
/// ```no_run
/// use std::path::Path;
/// use smpp_proto::session::Config;
/// use smpp_std::{Listener, tls};
///
/// let plain = Listener::bind("0.0.0.0:2775", Config::default())?;
/// let certificate = tls::server_files(Path::new("chain.pem"), Path::new("key.pem"))?;
/// let secure = Listener::bind("0.0.0.0:2776", Config::default())?.tls(certificate);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Or accept connections from it yourself, without a server:
///
/// ```no_run
/// use std::thread;
/// use smpp_proto::session::Config;
/// use smpp_proto::{COctets, CommandStatus};
/// use smpp_std::{Inbound, Listener};
///
/// let listener = Listener::bind("0.0.0.0:2775", Config::default())?;
/// loop {
///     let connection = listener.accept()?;
///     // A thread for each connection: a slow client does not delay the others.
///     thread::spawn(move || {
///         let request = match connection.bind_request() {
///             Ok(request) => request,
///             Err(error) => return eprintln!("{error}"),
///         };
///         if !request.bind().password.equals(b"secret") {
///             request.refuse(CommandStatus::RINVPASWD);
///             return;
///         }
///         let Ok((_peer, inbox)) = request.accept(COctets::default()) else { return };
///         for inbound in inbox {
///             if let Inbound::SubmitSm(message) = inbound {
///                 let _ = message.accept();
///             }
///         }
///     });
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// If you drop it, the address is closed.
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
    /// Listens on a TCP address. `config` is the configuration of each session. From the TCP connection to the bind,
    /// including the TLS handshake, an ESME has [`Config::session_init_timeout`].
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system, for example if the address is in use; that of [`Config::check`] as
    /// [`InvalidInput`](io::ErrorKind::InvalidInput).
    pub fn bind(address: impl ToSocketAddrs, config: Config) -> io::Result<Self> {
        check_listener(&config)?;
        Ok(Self::new(TcpListener::bind(address)?, config))
    }

    /// Uses a socket that listens already, for example with a backlog of your choice.
    pub const fn new(tcp: TcpListener, config: Config) -> Self {
        Self::of(ListeningSocket::Tcp(tcp), config)
    }

    /// Listens on a Unix socket of this path.
    ///
    /// Its connections have the address `0.0.0.0:0`, unless a proxy states another one ([`proxy_protocol`](Self::proxy_protocol)):
    /// together they count as one address for [`connections_per_address`](crate::ServerLimits::connections_per_address).
    ///
    /// The file must not exist. Its permissions decide who may connect. It stays when the listener is dropped: remove it.
    ///
    /// ```no_run
    /// # use smpp_std::{Listener, Server, Service};
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

    /// Requires TLS from the first octet, or from the first one after the header of the PROXY protocol. Make the configuration with
    /// [`tls::server`](crate::tls::server) or [`tls::server_files`](crate::tls::server_files).
    ///
    /// To replace the certificate while the server runs, keep a clone of a [`ServerTls`]:
    ///
    /// ```no_run
    /// use smpp_std::{Listener, tls};
    ///
    /// let files = || tls::server_files("chain.pem".as_ref(), "key.pem".as_ref());
    /// let server_tls = tls::ServerTls::new(files()?);
    /// let listener = Listener::bind("0.0.0.0:2776", Default::default())?.tls(server_tls.clone());
    /// // Later, when the files have changed: connections that exist go on.
    /// server_tls.replace(files()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(self, tls: impl Into<ServerTls>) -> Self {
        Self { tls: Some(tls.into()), ..self }
    }

    /// Expects the PROXY protocol, version 1 or 2, from the proxies that it trusts. The address of the client that a proxy states
    /// is then the one that counts: for [`connections_per_address`](crate::ServerLimits::connections_per_address), in events, and
    /// for [`BindRequest::peer_addr`](crate::BindRequest::peer_addr). Off by default.
    ///
    /// A connection without a valid header, or from an address that is not trusted, is closed, and reported with its
    /// [`RejectReason`](crate::RejectReason).
    ///
    /// ```no_run
    /// use smpp_std::{Listener, ProxyProtocol};
    ///
    /// let proxies = ProxyProtocol::from_trusted(["10.0.0.0/8".parse()?]);
    /// let listener = Listener::bind("0.0.0.0:2775", Default::default())?.proxy_protocol(proxies);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn proxy_protocol(self, proxy_protocol: ProxyProtocol) -> Self {
        Self { proxy_protocol: Some(proxy_protocol), ..self }
    }

    /// Returns the address: `0.0.0.0:0` for a Unix socket. If the port was 0, it is the port that the operating system has chosen.
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

    /// Waits for a connection.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system, for example if too many files are open. A later call may succeed.
    pub fn accept(&self) -> io::Result<IncomingConnection> {
        let (socket, address) = match &self.socket {
            ListeningSocket::Tcp(tcp) => {
                let (stream, address) = tcp.accept()?;
                // With Nagle's algorithm each response would be delayed. If the option cannot be set, the connection still works.
                let _ = stream.set_nodelay(true);
                (Socket::Tcp(stream), address)
            }
            #[cfg(unix)]
            ListeningSocket::Unix(unix) => (Socket::Unix(unix.accept()?.0), NO_ADDRESS),
        };
        let mut connection = IncomingConnection::of(socket, address, self.config);
        connection.tls.clone_from(&self.tls);
        connection.proxy_protocol.clone_from(&self.proxy_protocol);
        Ok(connection)
    }

    /// Returns what ends a call of [`accept`](Self::accept) in another thread.
    pub(super) fn waker(&self) -> io::Result<AcceptWaker> {
        Ok(match &self.socket {
            ListeningSocket::Tcp(tcp) => AcceptWaker::tcp(tcp.local_addr()?),
            #[cfg(unix)]
            ListeningSocket::Unix(unix) => AcceptWaker::unix(unix)?,
        })
    }
}
