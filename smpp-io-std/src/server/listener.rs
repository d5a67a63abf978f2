//! A TCP address on which a server listens, and the connections that it accepts.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Instant;

use rustls::ServerConfig;
use smpp_core::session::{CloseReason, Config, Observer, Smsc};

use super::bind_request::{BindRequest, first_bind};
use super::stream::ServerStream;
use crate::error::{AcceptError, End, TlsError};
use crate::handle::Peer;
use crate::inbox::Inbox;
use crate::session_hook::SessionHook;
use crate::start::{Surroundings, start_with};
use crate::tls_stream::TlsStream;
use crate::transport::Duplex;

/// An address on which a [`Server`](crate::Server) listens, and the configuration of the sessions that are accepted there.
///
/// ```no_run
/// use std::path::Path;
/// use smpp_core::session::Config;
/// use smpp_io_std::{Listener, tls};
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
/// use smpp_core::session::Config;
/// use smpp_core::{COctets, CommandStatus};
/// use smpp_io_std::{Inbound, Listener};
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
    tcp: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    config: Config,
}

/// An accepted connection, before the TLS handshake and the bind. [`Listener`] has an example.
pub struct IncomingConnection {
    tcp: Arc<TcpStream>,
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    config: Config,
    accepted: Instant,
    observer: Option<Box<dyn Observer + Send>>,
}

impl Listener {
    /// Listens on a TCP address. `config` is the configuration of each session. From the TCP connection to the bind,
    /// including the TLS handshake, an ESME has [`Config::session_init_timeout`].
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system, for example if the address is in use.
    pub fn bind(address: impl ToSocketAddrs, config: Config) -> io::Result<Self> {
        Ok(Self::new(TcpListener::bind(address)?, config))
    }

    /// Uses a socket that listens already, for example with a backlog of your choice.
    pub const fn new(tcp: TcpListener, config: Config) -> Self {
        Self { tcp, tls: None, config }
    }

    /// Requires TLS from the first octet. Make the configuration with [`tls::server`](crate::tls::server) or
    /// [`tls::server_files`](crate::tls::server_files).
    #[must_use]
    pub fn tls(self, tls: Arc<ServerConfig>) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Returns the address. If the port was 0, it is the port that the operating system has chosen.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Waits for a connection.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system, for example if too many files are open. A later call may succeed.
    pub fn accept(&self) -> io::Result<IncomingConnection> {
        let (tcp, address) = self.tcp.accept()?;
        // With Nagle's algorithm each response would be delayed. If the option cannot be set, the connection still works.
        let _ = tcp.set_nodelay(true);
        let (tcp, tls) = (Arc::new(tcp), self.tls.clone());
        Ok(IncomingConnection {
            tcp,
            address,
            tls,
            config: self.config,
            accepted: Instant::now(),
            observer: None,
        })
    }
}

impl IncomingConnection {
    /// Returns the address of the client.
    pub const fn peer_addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns whether the listener uses TLS.
    pub const fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Returns the configuration of the session.
    pub(super) const fn config(&self) -> Config {
        self.config
    }

    /// Changes the configuration of the session.
    pub(super) fn with_config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    pub(super) const fn tcp(&self) -> &Arc<TcpStream> {
        &self.tcp
    }

    /// Sets the observer of the session. It gets every PDU from the bind on: see [`Handle::observe`](crate::Handle::observe).
    #[must_use]
    pub fn observe(self, observer: impl Observer + Send + 'static) -> Self {
        Self { observer: Some(Box::new(observer)), ..self }
    }

    /// Completes the TLS handshake and waits for the bind. From [`Listener::accept`] to the response of the bind, all may
    /// take [`session_init_timeout`](smpp_core::session::Config::session_init_timeout).
    ///
    /// # Errors
    ///
    /// Returns an [`AcceptError`] if the handshake fails or the session ends before a bind. The connection is closed.
    pub fn bind_request(self) -> Result<BindRequest, AcceptError> {
        let from = (self.address, self.is_tls());
        let (peer, inbox) = self.open(None, |stream| Box::new(stream))?;
        first_bind(peer, inbox, from)
    }

    /// Completes the TLS handshake and starts a session over the transport that `wrap` returns.
    pub(super) fn open(
        self,
        hook: Option<Arc<dyn SessionHook>>,
        wrap: impl FnOnce(ServerStream) -> Box<dyn Duplex>,
    ) -> Result<(Peer, Inbox<Smsc>), AcceptError> {
        let Self { tcp, address, tls, mut config, accepted, observer } = self;
        let left = |timeout: std::time::Duration| timeout.saturating_sub(accepted.elapsed());
        let stream = match tls {
            None => ServerStream::new(tcp, None),
            Some(tls) => {
                let timeout = left(config.session_init_timeout);
                match TlsStream::accept(Arc::clone(&tcp), tls, timeout) {
                    Ok(stream) => ServerStream::new(tcp, Some(Box::new(stream))),
                    Err(TlsError::Io(error)) if error.kind() == io::ErrorKind::TimedOut => {
                        return Err(AcceptError::Timeout);
                    }
                    Err(error) => return Err(AcceptError::Tls(Arc::new(error))),
                }
            }
        };
        // The handshake has used part of the timeout.
        config.session_init_timeout = left(config.session_init_timeout);
        let surroundings = Surroundings { observer, hook, peer: Some(address) };
        start_with::<Smsc>(wrap(stream), config, surroundings).map_err(|error| {
            let error = Some(Arc::new(error));
            AcceptError::Ended(End { reason: CloseReason::Disconnected, error })
        })
    }
}
