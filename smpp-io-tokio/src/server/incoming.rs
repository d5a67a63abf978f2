//! A connection that was accepted, until the bind is decided: PROXY protocol, TLS handshake, session, bind.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use smpp_common::{Arrival, HeaderProgress, ProxyProtocol};
use smpp_proto::server::{ProxyHeaderError, RejectReason};
use smpp_proto::session::{Config, Observer, Refusal, Smsc};
use smpp_proto::{Bind, BindResp, COctets, CommandStatus, InterfaceVersion, Tlv, Tlvs};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use super::registry::Slot;
use super::stream::{ServerStream, Socket, accept_tls};
use crate::clock::after;
use crate::driver::Driver;
use crate::error::{AcceptError, End};
use crate::handle::Peer;
use crate::inbox::{Inbound, InboundRequest, Inbox};
use crate::start::open_connected;
use crate::tls::{ServerTls, TlsInfo};

/// An accepted connection, before the PROXY protocol, the TLS handshake and the bind. [`Listener`](super::Listener) has an
/// example.
///
/// A [`Listener`](super::Listener) accepts connections of TCP and Unix sockets. An application that accepts streams of another
/// kind, for example of websockets or in memory, makes one of each with [`new`](Self::new).
pub struct IncomingConnection {
    socket: Socket,
    address: SocketAddr,
    pub(super) tls: Option<ServerTls>,
    pub(super) proxy_protocol: Option<ProxyProtocol>,
    config: Config,
    /// The end of `session_init_timeout`.
    deadline: Instant,
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

/// A session without a bind.
pub(super) struct Opened<T> {
    pub(super) peer: Peer,
    pub(super) inbox: Inbox<Smsc>,
    pub(super) driver: Driver<Smsc, T>,
    pub(super) origin: Origin,
}

impl IncomingConnection {
    /// Makes a connection from a stream that the application has accepted. Pass it to a server with
    /// [`Server::serve`](super::Server::serve) or [`Acceptor::serve`](super::Acceptor::serve), or call
    /// [`bind_request`](Self::bind_request). [`session_init_timeout`](Config::session_init_timeout) begins now.
    ///
    /// `address` is that of the client: the limit of connections per address counts it, and events and
    /// [`BindRequest::peer_addr`] show it. If the transport has no addresses, choose one for each client that has a limit of its
    /// own; a [`Listener`](super::Listener) on a Unix socket uses `0.0.0.0:0` for all.
    ///
    /// A client and a server in one process:
    ///
    /// ```
    /// use smpp_proto::session::{Config, Esme};
    /// use smpp_proto::{Bind, CommandStatus};
    /// # use smpp_proto::session::Smsc;
    /// # use smpp_tokio::{Admission, BindRequest, BoundSession, Inbound, Service};
    /// use smpp_tokio::{IncomingConnection, Server, start};
    /// # struct AcceptAll;
    /// # impl Service for AcceptAll {
    /// #     async fn bind(&self, _: &BindRequest) -> Result<Admission, CommandStatus> {
    /// #         Ok(Admission::default())
    /// #     }
    /// #     async fn request(&self, _: &BoundSession, _: Inbound<Smsc>) {}
    /// # }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Server::builder(AcceptAll).start()?;
    /// let (near, far) = tokio::io::duplex(4096);
    /// server.serve(IncomingConnection::new(far, ([192, 0, 2, 1], 2775).into(), Config::default()))?;
    /// let (client, _inbox) = start::<Esme, _>(near, Config::default());
    /// client.bind(&Bind { system_id: "shop".try_into()?, ..Bind::default() }).await?;
    /// assert_eq!(server.binds().list().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        address: SocketAddr,
        config: Config,
    ) -> Self {
        Self::of(Socket::Other(Box::new(stream)), address, config)
    }

    pub(super) fn of(socket: Socket, address: SocketAddr, config: Config) -> Self {
        let deadline = after(config.session_init_timeout);
        Self { socket, address, tls: None, proxy_protocol: None, config, deadline, observer: None }
    }

    /// Uses TLS: see [`Listener::tls`](super::Listener::tls).
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(self, tls: impl Into<ServerTls>) -> Self {
        Self { tls: Some(tls.into()), ..self }
    }

    /// Expects the PROXY protocol: see [`Listener::proxy_protocol`](super::Listener::proxy_protocol).
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
            Some(_) if matches!(self.socket, Socket::Unix(_)) => Arrival::Proxied,
            Some(proxy_protocol) => proxy_protocol.arrival(self.address),
        }
    }

    /// Reads the header of the PROXY protocol, and uses the address that it states.
    pub(super) async fn read_proxy_header(&mut self) -> Result<(), ProxyHeaderError> {
        let Some(proxy_protocol) = self.proxy_protocol.take() else { return Ok(()) };
        let deadline = after(proxy_protocol.header_timeout()).min(self.deadline);
        let mut reader = proxy_protocol.reader();
        let reading = async {
            loop {
                let read = self.socket.read(reader.space()).await.unwrap_or(0);
                if read == 0 {
                    return Err(ProxyHeaderError::Disconnected);
                }
                if let HeaderProgress::Complete(stated) = reader.advance(read)? {
                    return Ok(stated);
                }
            }
        };
        let stated = timeout_at(deadline, reading).await.unwrap_or(Err(ProxyHeaderError::Timeout))?;
        self.address = stated.unwrap_or(self.address);
        Ok(())
    }

    /// Reads the header of the PROXY protocol if one is expected, completes the TLS handshake, and waits for the bind. From
    /// [`Listener::accept`](super::Listener::accept) to the response of the bind, all may take
    /// [`session_init_timeout`](smpp_proto::session::Config::session_init_timeout). Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// Returns an [`AcceptError`] if the header or the handshake fails, or the session ends before a bind. The connection is
    /// closed.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped early closes the connection.
    pub async fn bind_request(mut self) -> Result<BindRequest, AcceptError> {
        match self.arrival() {
            Arrival::Direct => {}
            Arrival::Proxied => {
                let read = self.read_proxy_header().await;
                read.map_err(|error| AcceptError::Rejected(RejectReason::ProxyHeader(error)))?;
            }
            Arrival::Untrusted => return Err(AcceptError::Rejected(RejectReason::UntrustedProxy)),
        }
        let Opened { peer, inbox, driver, origin } = self.open(None, |stream| stream).await?;
        tokio::spawn(driver);
        first_bind(&peer, inbox, origin).await
    }

    /// Completes the TLS handshake and opens a session over the transport that `wrap` returns.
    pub(super) async fn open<T>(
        self,
        slot: Option<Arc<Slot>>,
        wrap: impl FnOnce(ServerStream) -> T,
    ) -> Result<Opened<T>, AcceptError>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let Self { socket, address, tls, mut config, deadline, observer, .. } = self;
        let (stream, tls) = match tls {
            None => (ServerStream::plain(socket, slot), None),
            Some(tls) => {
                let accepting = Box::pin(accept_tls(&tls, socket, slot));
                match timeout_at(deadline, accepting).await {
                    Ok(Ok((stream, info))) => (stream, Some(Arc::new(info))),
                    Ok(Err(error)) => return Err(AcceptError::Tls(Arc::new(error.into()))),
                    Err(_) => return Err(AcceptError::Timeout),
                }
            }
        };
        // The handshake has used part of the timeout.
        config.session_init_timeout = deadline.saturating_duration_since(Instant::now());
        let (peer, inbox, driver) = open_connected(wrap(stream), address, config);
        *peer.shared.lock().session.observer_mut() = observer;
        Ok(Opened { peer, inbox, driver, origin: Origin { address, tls } })
    }
}

/// Waits for the bind of a session.
pub(super) async fn first_bind(
    peer: &Peer,
    mut inbox: Inbox<Smsc>,
    origin: Origin,
) -> Result<BindRequest, AcceptError> {
    while let Some(inbound) = inbox.recv().await {
        if let Inbound::Bind(request) = inbound {
            return Ok(BindRequest { request, inbox, origin });
        }
    }
    Err(AcceptError::Ended(peer.closed().await))
}

/// A bind that waits for a decision. If it is dropped, it is refused with `ESME_RBINDFAIL`, and the connection ends.
///
/// ```no_run
/// use smpp_proto::{COctets, CommandStatus};
/// use smpp_tokio::{BindRequest, Inbox, Peer};
/// use smpp_proto::session::Smsc;
///
/// async fn decide(request: BindRequest) -> Option<(Peer, Inbox<Smsc>)> {
///     println!("{} from {}", request.bind().system_id, request.peer_addr());
///     if request.bind().password.equals(b"secret") {
///         request.accept(COctets::default()).ok()
///     } else {
///         request.refuse(CommandStatus::RINVPASWD).await;
///         None
///     }
/// }
/// ```
#[derive(Debug)]
pub struct BindRequest {
    request: InboundRequest<Smsc, Bind<'static>>,
    inbox: Inbox<Smsc>,
    origin: Origin,
}

impl BindRequest {
    /// Returns the fields of the bind. [`Password::equals`](smpp_proto::Password::equals) compares in constant time.
    pub fn bind(&self) -> Bind<'_> {
        self.request.get()
    }

    /// Returns the address of the ESME.
    pub const fn peer_addr(&self) -> SocketAddr {
        self.origin.address
    }

    /// Returns whether the connection uses TLS.
    pub const fn is_tls(&self) -> bool {
        self.origin.tls.is_some()
    }

    /// Returns what the TLS handshake has agreed on, and the certificates that the client has shown; `None` without TLS.
    ///
    /// A service that accepts a system_id only with the certificate that belongs to it. The TLS configuration asks clients for a
    /// certificate ([`tls::server_verifying_clients`](crate::tls::server_verifying_clients)):
    ///
    /// ```
    /// use std::collections::HashMap;
    ///
    /// use smpp_proto::session::Smsc;
    /// use smpp_proto::CommandStatus;
    /// use smpp_tokio::tls::CertificateDer;
    /// use smpp_tokio::{Admission, BindRequest, BoundSession, Inbound, Service};
    ///
    /// struct Accounts {
    ///     /// The certificate of each system_id.
    ///     certificates: HashMap<Vec<u8>, CertificateDer<'static>>,
    /// }
    ///
    /// impl Service for Accounts {
    ///     async fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
    ///         let expected = self.certificates.get(request.bind().system_id.as_bytes());
    ///         let expected = expected.ok_or(CommandStatus::RINVSYSID)?;
    ///         match request.tls().and_then(|tls| tls.client_certificate()) {
    ///             Some(shown) if shown == expected => Ok(Admission::default()),
    ///             _ => Err(CommandStatus::RBINDFAIL),
    ///         }
    ///     }
    ///
    ///     async fn request(&self, _: &BoundSession, _: Inbound<Smsc>) {}
    /// }
    /// ```
    #[cfg(feature = "rustls")]
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.origin.tls.as_deref()
    }

    /// Returns the handle of the session, which is not bound yet.
    pub fn peer(&self) -> &Peer {
        self.inbox.handle()
    }

    /// Accepts the bind. `system_id` is that of the SMSC; it may be empty.
    ///
    /// # Errors
    ///
    /// Returns a [`Refusal`] if the session has ended.
    pub fn accept(self, system_id: COctets<'_, 16>) -> Result<(Peer, Inbox<Smsc>), Refusal> {
        self.accept_as(system_id, Some(InterfaceVersion::V3_4))
    }

    /// Accepts the bind. The response states the version, or none.
    pub(super) fn accept_as(
        mut self,
        system_id: COctets<'_, 16>,
        version: Option<InterfaceVersion>,
    ) -> Result<(Peer, Inbox<Smsc>), Refusal> {
        let tlvs = version.map(Tlv::sc_interface_version);
        self.request.respond(Ok(BindResp { system_id, tlvs: Tlvs::list(tlvs.as_slice()) }))?;
        self.inbox.handle().shared.lock().telemetry.bind_answered(CommandStatus::ROK);
        // Many sessions never use the inbox again.
        self.inbox.shrink();
        Ok((self.inbox.handle().clone(), self.inbox))
    }

    /// Refuses the bind with a status, and ends the session after the response is sent. Returns how the session ended.
    ///
    /// # Cancel safety
    ///
    /// The bind is refused and the session ends also if the future is dropped after its first poll.
    pub async fn refuse(self, status: CommandStatus) -> End {
        let peer = self.inbox.handle().clone();
        self.respond(status);
        peer.unbind().await
    }

    /// Refuses the bind with a status, without waiting.
    pub(super) fn respond(self, status: CommandStatus) {
        self.inbox.handle().shared.lock().telemetry.bind_answered(status);
        // Fails if the session has ended, which is reported elsewhere.
        let _ = self.request.refuse(status);
    }
}
