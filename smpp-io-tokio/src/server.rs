//! The SMSC's side: listen, handshake, decide on the bind.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use smpp_core::session::{Config, Refusal, Smsc};
use smpp_core::{Bind, BindResp, COctets, CommandStatus, InterfaceVersion, Tlv, Tlvs};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::client::Peer;
use crate::driver::End;
use crate::error::AcceptError;
use crate::inbox::{Inbound, Inbox, Incoming};
use crate::watch::start;

/// Accepts connections of ESMEs.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<TlsAcceptor>,
    config: Config,
}

/// A connection that has been accepted, before TLS and before the bind.
pub struct Connecting {
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    config: Config,
}

/// A bind that waits for a decision. Dropped, it is refused with `ESME_RBINDFAIL` and the connection ends.
#[derive(Debug)]
pub struct BindRequest {
    request: Incoming<Smsc, Bind<'static>>,
    inbox: Inbox<Smsc>,
}

impl Listener {
    /// Listens on a TCP address; sessions run with `config`.
    pub async fn bind(address: impl ToSocketAddrs, config: Config) -> io::Result<Self> {
        Ok(Self { tcp: TcpListener::bind(address).await?, tls: None, config })
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
    pub async fn accept(&self) -> io::Result<Connecting> {
        let (stream, address) = self.tcp.accept().await?;
        // Without it, Nagle's algorithm delays each response; a failure to set it harms nothing.
        let _ = stream.set_nodelay(true);
        Ok(Connecting { stream, address, tls: self.tls.clone(), config: self.config })
    }
}

impl Connecting {
    /// Who connects.
    pub const fn peer_addr(&self) -> SocketAddr {
        self.address
    }

    /// Completes the TLS handshake and waits for the bind; each may take `Config::session_init`.
    ///
    /// Cancel-safe: dropped before it is done, the connection is closed.
    pub async fn bind_request(self) -> Result<BindRequest, AcceptError> {
        let Self { stream, address, tls, config } = self;
        let Some(tls) = tls else { return first_bind(start(stream, address, config)).await };
        match timeout(config.session_init, tls.accept(stream)).await {
            Ok(Ok(stream)) => first_bind(start(stream, address, config)).await,
            Ok(Err(error)) => Err(AcceptError::Tls(Arc::new(error.into()))),
            Err(_) => Err(AcceptError::Timeout),
        }
    }
}

async fn first_bind((peer, mut inbox): (Peer, Inbox<Smsc>)) -> Result<BindRequest, AcceptError> {
    while let Some(inbound) = inbox.recv().await {
        if let Inbound::Bind(request) = inbound {
            return Ok(BindRequest { request, inbox });
        }
    }
    Err(AcceptError::Ended(peer.closed().await))
}

impl BindRequest {
    /// Who wants to bind, and how.
    pub fn bind(&self) -> Bind<'_> {
        self.request.get()
    }

    /// Admits the ESME; `system_id` is the SMSC's own name. Fails if the ESME has gone.
    pub fn accept(self, system_id: COctets<'_, 16>) -> Result<(Peer, Inbox<Smsc>), Refusal> {
        let tlvs = [Tlv::sc_interface_version(InterfaceVersion::V3_4)];
        self.request.respond(Ok(BindResp { system_id, tlvs: Tlvs::list(&tlvs) }))?;
        self.inbox.handle().shared.lock().watch.answered(CommandStatus::ROK);
        Ok((self.inbox.handle().clone(), self.inbox))
    }

    /// Refuses with a status, and ends the connection once the answer is out.
    pub async fn refuse(self, status: CommandStatus) -> End {
        let peer = self.inbox.handle().clone();
        peer.shared.lock().watch.answered(status);
        // If the ESME has gone, the end says so.
        let _ = self.request.refuse(status);
        peer.unbind().await
    }
}
