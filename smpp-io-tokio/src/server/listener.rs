//! Accepts connections and binds one by one, without a [`Server`](super::Server).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use smpp_core::session::{Config, Observer, Refusal, Smsc};
use smpp_core::{Bind, BindResp, COctets, CommandStatus, InterfaceVersion, Tlv, Tlvs};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::registry::Slot;
use super::stream::ServerStream;
use crate::clock::after;
use crate::driver::Driver;
use crate::error::{AcceptError, End};
use crate::handle::Peer;
use crate::inbox::{Inbound, InboundRequest, Inbox};
use crate::start::open_connected;

/// Listens on a TCP address, with the configuration of the sessions. Pass it to a [`Server`](super::Server), or accept
/// connections from it yourself:
///
/// ```no_run
/// use smpp_core::session::Config;
/// use smpp_core::{COctets, CommandStatus};
/// use smpp_io_tokio::{Inbound, Listener};
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
pub struct Listener {
    tcp: TcpListener,
    tls: Option<TlsAcceptor>,
    config: Config,
}

/// An accepted connection, before the TLS handshake and the bind. [`Listener`] has an example.
pub struct IncomingConnection {
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    config: Config,
    /// The end of `session_init_timeout`.
    deadline: Instant,
    observer: Option<Box<dyn Observer + Send>>,
}

/// A bind that waits for a decision. If it is dropped, it is refused with `ESME_RBINDFAIL`, and the connection ends.
///
/// ```no_run
/// use smpp_core::{COctets, CommandStatus};
/// use smpp_io_tokio::{BindRequest, Inbox, Peer};
/// use smpp_core::session::Smsc;
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
    address: SocketAddr,
    tls: bool,
}

impl Listener {
    /// Listens on a TCP address. Sessions run with `config`.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system, for example if the port is in use.
    pub async fn bind(address: impl ToSocketAddrs, config: Config) -> io::Result<Self> {
        Ok(Self::new(TcpListener::bind(address).await?, config))
    }

    /// Uses a socket that listens already, for example with a backlog of your choice.
    pub fn new(tcp: TcpListener, config: Config) -> Self {
        Self { tcp, tls: None, config }
    }

    /// Uses TLS from the first octet. See [`tls`](crate::tls).
    #[must_use]
    pub fn tls(self, tls: Arc<ServerConfig>) -> Self {
        Self { tls: Some(tls.into()), ..self }
    }

    /// Returns the local address.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
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
        let (stream, address) = self.tcp.accept().await?;
        // With Nagle's algorithm each response would be delayed. If the option cannot be set, the connection still works.
        let _ = stream.set_nodelay(true);
        let (tls, config) = (self.tls.clone(), self.config);
        let deadline = after(config.session_init_timeout);
        Ok(IncomingConnection { stream, address, tls, config, deadline, observer: None })
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

    /// Sets the observer of the session. It gets every PDU from the bind on: see [`Handle::observe`](crate::Handle::observe).
    #[must_use]
    pub fn observe(self, observer: impl Observer + Send + 'static) -> Self {
        Self { observer: Some(Box::new(observer)), ..self }
    }

    /// Completes the TLS handshake and waits for the bind. From [`Listener::accept`] to the response of the bind, all may
    /// take [`session_init_timeout`](smpp_core::session::Config::session_init_timeout). Must be called within a tokio
    /// runtime.
    ///
    /// # Errors
    ///
    /// Returns an [`AcceptError`] if the handshake fails or the session ends before a bind. The connection is closed.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped early closes the connection.
    pub async fn bind_request(self) -> Result<BindRequest, AcceptError> {
        let from = (self.address, self.is_tls());
        let (peer, inbox, driver) = self.open(None, |stream| stream).await?;
        tokio::spawn(driver);
        first_bind(&peer, inbox, from).await
    }

    /// Completes the TLS handshake and opens a session over the transport that `wrap` returns.
    pub(super) async fn open<T>(
        self,
        slot: Option<Arc<Slot>>,
        wrap: impl FnOnce(ServerStream) -> T,
    ) -> Result<(Peer, Inbox<Smsc>, Driver<Smsc, T>), AcceptError>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let Self { stream, address, tls, mut config, deadline, observer } = self;
        let stream = match tls {
            None => ServerStream::plain(stream, slot),
            Some(tls) => match timeout_at(deadline, Box::pin(tls.accept(stream))).await {
                Ok(Ok(stream)) => ServerStream::tls(stream, slot),
                Ok(Err(error)) => return Err(AcceptError::Tls(Arc::new(error.into()))),
                Err(_) => return Err(AcceptError::Timeout),
            },
        };
        // The handshake has used part of the timeout.
        config.session_init_timeout = deadline.saturating_duration_since(Instant::now());
        let opened = open_connected(wrap(stream), address, config);
        *opened.0.shared.lock().session.observer_mut() = observer;
        Ok(opened)
    }
}

/// Waits for the bind of a session.
pub(super) async fn first_bind(
    peer: &Peer,
    mut inbox: Inbox<Smsc>,
    (address, tls): (SocketAddr, bool),
) -> Result<BindRequest, AcceptError> {
    while let Some(inbound) = inbox.recv().await {
        if let Inbound::Bind(request) = inbound {
            return Ok(BindRequest { request, inbox, address, tls });
        }
    }
    Err(AcceptError::Ended(peer.closed().await))
}

impl BindRequest {
    /// Returns the fields of the bind. [`Password::equals`](smpp_core::Password::equals) compares in constant time.
    pub fn bind(&self) -> Bind<'_> {
        self.request.get()
    }

    /// Returns the address of the ESME.
    pub const fn peer_addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns whether the connection uses TLS.
    pub const fn is_tls(&self) -> bool {
        self.tls
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
