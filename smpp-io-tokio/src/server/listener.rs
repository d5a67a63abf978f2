//! One connection in one's own hands: listen, handshake, decide on the bind.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use smpp_core::session::{Config, Refusal, Smsc};
use smpp_core::{Bind, BindResp, COctets, CommandStatus, InterfaceVersion, Tlv, Tlvs};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::after;
use super::registry::Slot;
use super::stream::ServerStream;
use crate::client::Peer;
use crate::driver::{Driver, End};
use crate::error::AcceptError;
use crate::inbox::{Inbound, InboundRequest, Inbox};
use crate::watch;

/// Where an SMSC listens, and how the sessions run that come in there. Give it to a [`Server`](super::Server), or
/// accept connections from it yourself.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<TlsAcceptor>,
    config: Config,
}

/// A connection that has been accepted, before TLS and before the bind.
pub struct IncomingConnection {
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    config: Config,
    /// When it has to be bound.
    deadline: Instant,
}

/// A bind that waits for a decision. Dropped, it is refused with `ESME_RBINDFAIL` and the connection ends.
#[derive(Debug)]
pub struct BindRequest {
    request: InboundRequest<Smsc, Bind<'static>>,
    inbox: Inbox<Smsc>,
    address: SocketAddr,
    tls: bool,
}

impl Listener {
    /// Listens on a TCP address; sessions run with `config`.
    pub async fn bind(address: impl ToSocketAddrs, config: Config) -> io::Result<Self> {
        Ok(Self::new(TcpListener::bind(address).await?, config))
    }

    /// Listens on a socket that was made elsewhere, with a backlog of its own perhaps.
    pub fn new(tcp: TcpListener, config: Config) -> Self {
        Self { tcp, tls: None, config }
    }

    /// Speaks TLS from the first octet.
    #[must_use]
    pub fn tls(self, tls: Arc<ServerConfig>) -> Self {
        Self { tls: Some(tls.into()), ..self }
    }

    /// Where it listens.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// The next connection. Go on in a task of its own: the client may be slow from here.
    ///
    /// Cancel-safe. An error concerns one connection, or the process is short of something, of file descriptors
    /// perhaps: pause a little and accept again.
    pub async fn accept(&self) -> io::Result<IncomingConnection> {
        let (stream, address) = self.tcp.accept().await?;
        // Without it, Nagle's algorithm delays each response; a failure to set it harms nothing.
        let _ = stream.set_nodelay(true);
        let (tls, config) = (self.tls.clone(), self.config);
        Ok(IncomingConnection { stream, address, tls, config, deadline: after(config.session_init_timeout) })
    }
}

impl IncomingConnection {
    /// Who connects.
    pub const fn peer_addr(&self) -> SocketAddr {
        self.address
    }

    /// Whether it is to speak TLS.
    pub const fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Completes the TLS handshake and waits for the bind. From accept to the answered bind, all of it may take
    /// `Config::session_init_timeout`.
    ///
    /// Cancel-safe: dropped before it is done, the connection is closed.
    pub async fn bind_request(self) -> Result<BindRequest, AcceptError> {
        let from = (self.address, self.is_tls());
        let (peer, inbox, driver) = self.open(None, |stream| stream).await?;
        tokio::spawn(driver);
        first_bind(&peer, inbox, from).await
    }

    /// Completes the TLS handshake and opens a session over the transport that `wrap` makes of the stream.
    pub(super) async fn open<T>(
        self,
        slot: Option<Arc<Slot>>,
        wrap: impl FnOnce(ServerStream) -> T,
    ) -> Result<(Peer, Inbox<Smsc>, Driver<Smsc, T>), AcceptError>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let Self { stream, address, tls, mut config, deadline, .. } = self;
        let stream = match tls {
            None => ServerStream::plain(stream, slot),
            Some(tls) => match timeout_at(deadline, Box::pin(tls.accept(stream))).await {
                Ok(Ok(stream)) => ServerStream::tls(stream, slot),
                Ok(Err(error)) => return Err(AcceptError::Tls(Arc::new(error.into()))),
                Err(_) => return Err(AcceptError::Timeout),
            },
        };
        // What the handshake has taken is gone.
        config.session_init_timeout = deadline.saturating_duration_since(Instant::now());
        Ok(watch::open(wrap(stream), address, config))
    }
}

/// Waits for the bind of a session from this address, with TLS or without.
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
    /// Who wants to bind, and how. [`Password::equals`](smpp_core::Password::equals) compares in constant time.
    pub fn bind(&self) -> Bind<'_> {
        self.request.get()
    }

    /// Where the ESME connects from.
    pub const fn peer_addr(&self) -> SocketAddr {
        self.address
    }

    /// Whether the connection is encrypted.
    pub const fn is_tls(&self) -> bool {
        self.tls
    }

    /// A handle on the session, which is not bound yet.
    pub fn peer(&self) -> &Peer {
        self.inbox.handle()
    }

    /// Admits the ESME; `system_id` is the SMSC's own name. Fails if the ESME has gone.
    pub fn accept(mut self, system_id: COctets<'_, 16>) -> Result<(Peer, Inbox<Smsc>), Refusal> {
        let tlvs = [Tlv::sc_interface_version(InterfaceVersion::V3_4)];
        self.request.respond(Ok(BindResp { system_id, tlvs: Tlvs::list(&tlvs) }))?;
        self.inbox.handle().shared.lock().watch.answered(CommandStatus::ROK);
        // Many an ESME asks nothing else.
        self.inbox.shrink();
        Ok((self.inbox.handle().clone(), self.inbox))
    }

    /// Refuses with a status, and ends the connection once the answer is out.
    pub async fn refuse(self, status: CommandStatus) -> End {
        let peer = self.inbox.handle().clone();
        self.answer(status);
        peer.unbind().await
    }

    /// Refuses with a status, without waiting for anything.
    pub(super) fn answer(self, status: CommandStatus) {
        self.inbox.handle().shared.lock().watch.answered(status);
        // If the ESME has gone, the end says so.
        let _ = self.request.refuse(status);
    }
}
