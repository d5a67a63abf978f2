//! A connection that was accepted, until its session starts: PROXY protocol and TLS handshake.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smpp_common::{Arrival, HeaderProgress, ProxyProtocol};
use smpp_proto::server::{ProxyHeaderError, RejectReason};
use smpp_proto::session::{CloseReason, Config, Observer, Smsc};

use super::bind_request::{BindRequest, first_bind};
use super::stream::{ServerStream, Socket};
use crate::error::{AcceptError, End};
use crate::handle::Peer;
use crate::inbox::Inbox;
use crate::session_hook::SessionHook;
use crate::start::{Surroundings, start_with};
use crate::tls::{ServerTls, TlsError, TlsInfo};
use crate::transport::{Duplex, MIN_WAIT, is_pause};

/// An accepted connection, before the PROXY protocol, the TLS handshake and the bind. [`Listener`](crate::Listener) has an example.
///
/// A [`Listener`](crate::Listener) accepts connections of TCP and Unix sockets. An application that accepts streams of another kind
/// makes one of each with [`new`](Self::new).
pub struct IncomingConnection {
    socket: Arc<Socket>,
    address: SocketAddr,
    pub(super) tls: Option<ServerTls>,
    pub(super) proxy_protocol: Option<ProxyProtocol>,
    config: Config,
    accepted: Instant,
    observer: Option<Box<dyn Observer + Send>>,
}

impl fmt::Debug for IncomingConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingConnection")
            .field("address", &self.address)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

/// Where a session comes from.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) address: SocketAddr,
    pub(super) tls: Option<Arc<TlsInfo>>,
}

impl IncomingConnection {
    /// Makes a connection from a stream that the application has accepted. Pass it to a server with
    /// [`Server::serve`](crate::Server::serve) or [`Acceptor::serve`](crate::Acceptor::serve), or call
    /// [`bind_request`](Self::bind_request). [`session_init_timeout`](Config::session_init_timeout) begins now.
    ///
    /// `address` is that of the client: the limit of connections per address counts it, and events and
    /// [`BindRequest::peer_addr`] show it. If the transport has no addresses, choose one for each client that has a limit of its
    /// own; a [`Listener`](crate::Listener) on a Unix socket uses `0.0.0.0:0` for all.
    ///
    /// A client and a server in one process:
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::os::unix::net::UnixStream;
    ///
    /// use smpp_proto::session::{Config, Esme};
    /// use smpp_proto::{Bind, CommandStatus};
    /// # use smpp_proto::session::Smsc;
    /// # use smpp_std::{Admission, BindRequest, BoundSession, HandleRoute, Inbound, Service};
    /// use smpp_std::{IncomingConnection, Server, start};
    /// # struct AcceptAll;
    /// # impl Service for AcceptAll {
    /// #     fn bind(&self, _: &BindRequest) -> Result<Admission, CommandStatus> {
    /// #         Ok(Admission::default())
    /// #     }
    /// #     fn request(&self, _: &BoundSession, _: Inbound<HandleRoute<Smsc>>) {}
    /// # }
    ///
    /// let server = Server::builder(AcceptAll).start()?;
    /// let (near, far) = UnixStream::pair()?;
    /// server.serve(IncomingConnection::new(far, ([192, 0, 2, 1], 2775).into(), Config::default()))?;
    /// let (client, _inbox) = start::<Esme, _>(near, Config::default())?;
    /// client.bind(&Bind { system_id: "shop".try_into()?, ..Bind::default() })?;
    /// assert_eq!(server.binds().list().len(), 1);
    /// # Ok(())
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    pub fn new(stream: impl Duplex + 'static, address: SocketAddr, config: Config) -> Self {
        Self::of(Socket::Other(Box::new(stream)), address, config)
    }

    /// Makes a connection from one end of a socket pair.
    #[cfg(feature = "testing")]
    pub(crate) fn in_memory(
        stream: crate::testing::MemoryStream,
        address: SocketAddr,
        config: Config,
    ) -> Self {
        #[cfg(unix)]
        let socket = Socket::Unix(stream);
        #[cfg(not(unix))]
        let socket = Socket::Tcp(stream);
        Self::of(socket, address, config)
    }

    pub(super) fn of(socket: Socket, address: SocketAddr, config: Config) -> Self {
        let (socket, accepted) = (Arc::new(socket), Instant::now());
        Self { socket, address, tls: None, proxy_protocol: None, config, accepted, observer: None }
    }

    /// Uses TLS: see [`Listener::tls`](crate::Listener::tls).
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(self, tls: impl Into<ServerTls>) -> Self {
        Self { tls: Some(tls.into()), ..self }
    }

    /// Expects the PROXY protocol: see [`Listener::proxy_protocol`](crate::Listener::proxy_protocol).
    #[must_use]
    pub fn proxy_protocol(self, proxy_protocol: ProxyProtocol) -> Self {
        Self { proxy_protocol: Some(proxy_protocol), ..self }
    }

    /// Returns the address of the client: that of the transport, because no header of the PROXY protocol is read yet.
    pub const fn peer_addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns whether the connection uses TLS.
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

    pub(super) const fn socket(&self) -> &Arc<Socket> {
        &self.socket
    }

    /// Sets the observer of the session. It gets every PDU from the bind on: see [`Handle::observe`](crate::Handle::observe).
    #[must_use]
    pub fn observe(self, observer: impl Observer + Send + 'static) -> Self {
        Self { observer: Some(Box::new(observer)), ..self }
    }

    /// Returns what the connection begins with.
    pub(super) fn arrival(&self) -> Arrival {
        match &self.proxy_protocol {
            None => Arrival::Direct,
            // The permissions of the socket's file decide who connects.
            #[cfg(unix)]
            Some(_) if matches!(*self.socket, Socket::Unix(_)) => Arrival::Proxied,
            Some(proxy_protocol) => proxy_protocol.arrival(self.address),
        }
    }

    /// Reads the header of the PROXY protocol, and uses the address that it states.
    pub(super) fn read_proxy_header(&mut self) -> Result<(), ProxyHeaderError> {
        let Some(proxy_protocol) = self.proxy_protocol.take() else { return Ok(()) };
        let left = self.config.session_init_timeout.saturating_sub(self.accepted.elapsed());
        let (began, timeout) = (Instant::now(), left.min(proxy_protocol.header_timeout()));
        let (mut reader, stream) = (proxy_protocol.reader(), self.socket.duplex());
        loop {
            let left = timeout.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Err(ProxyHeaderError::Timeout);
            }
            stream
                .set_receive_timeout(Some(left.max(MIN_WAIT)))
                .map_err(|_| ProxyHeaderError::Disconnected)?;
            match stream.receive(reader.space()) {
                // The loop checks the timeout.
                Err(error) if is_pause(&error) => {}
                Ok(0) | Err(_) => return Err(ProxyHeaderError::Disconnected),
                Ok(octets) => {
                    if let HeaderProgress::Complete(stated) = reader.advance(octets)? {
                        self.address = stated.unwrap_or(self.address);
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Reads the header of the PROXY protocol if one is expected, completes the TLS handshake, and waits for the bind. From
    /// [`Listener::accept`](crate::Listener::accept) to the response of the bind, all may take
    /// [`session_init_timeout`](smpp_proto::session::Config::session_init_timeout).
    ///
    /// # Errors
    ///
    /// Returns an [`AcceptError`] if the header or the handshake fails, or the session ends before a bind. The connection is
    /// closed.
    pub fn bind_request(mut self) -> Result<BindRequest, AcceptError> {
        match self.arrival() {
            Arrival::Direct => {}
            Arrival::Proxied => {
                let read = self.read_proxy_header();
                read.map_err(|error| AcceptError::Rejected(RejectReason::ProxyHeader(error)))?;
            }
            Arrival::Untrusted => return Err(AcceptError::Rejected(RejectReason::UntrustedProxy)),
        }
        let (peer, inbox, origin) = self.open(None, |stream| Box::new(stream))?;
        first_bind(peer, inbox, origin)
    }

    /// Completes the TLS handshake and starts a session over the transport that `wrap` returns.
    pub(super) fn open(
        self,
        hook: Option<Arc<dyn SessionHook>>,
        wrap: impl FnOnce(ServerStream) -> Box<dyn Duplex>,
    ) -> Result<(Peer, Inbox<Smsc>, Origin), AcceptError> {
        let Self { socket, address, tls, mut config, accepted, observer, .. } = self;
        let left = |timeout: Duration| timeout.saturating_sub(accepted.elapsed());
        let (stream, tls) = match tls {
            None => (ServerStream::plain(socket), None),
            Some(tls) => {
                let timeout = left(config.session_init_timeout);
                match ServerStream::accept_tls(socket, &tls, timeout) {
                    Ok((stream, info)) => (stream, info.map(Arc::new)),
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
        let started = start_with::<Smsc>(wrap(stream), config, surroundings);
        let (peer, inbox) = started.map_err(|error| {
            let error = Some(Arc::new(error));
            AcceptError::Ended(End::new(CloseReason::Disconnected, error))
        })?;
        Ok((peer, inbox, Origin { address, tls }))
    }
}
