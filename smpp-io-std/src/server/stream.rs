//! The transport of one connection to a server.

use std::fmt;
use std::net::TcpStream;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use super::bound::BindId;
use crate::tls::{ServerTls, TlsError, TlsInfo};
#[cfg(feature = "rustls")]
use crate::tls_stream::TlsStream;
use crate::transport::{Duplex, delegate_duplex};

/// The transport of a connection, or TLS over it after the handshake. [`Service::transport`](crate::Service::transport) may wrap
/// it.
pub struct ServerStream {
    socket: Arc<Socket>,
    #[cfg(feature = "rustls")]
    tls: Option<Box<TlsStream>>,
    /// The id that the bind of the connection will have; `None` without a server.
    #[cfg(feature = "testing")]
    bind_id: Option<BindId>,
}

/// What octets travel through.
pub(super) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    /// A stream that the application has accepted.
    Other(Box<dyn Duplex>),
}

impl Socket {
    pub(super) fn duplex(&self) -> &dyn Duplex {
        match self {
            Self::Tcp(socket) => socket,
            #[cfg(unix)]
            Self::Unix(socket) => socket,
            Self::Other(stream) => stream.as_ref(),
        }
    }
}

impl ServerStream {
    pub(super) const fn plain(socket: Arc<Socket>) -> Self {
        Self {
            socket,
            #[cfg(feature = "rustls")]
            tls: None,
            #[cfg(feature = "testing")]
            bind_id: None,
        }
    }

    /// Makes the TLS handshake of a server.
    #[cfg(feature = "rustls")]
    pub(super) fn accept_tls(
        socket: Arc<Socket>,
        tls: &ServerTls,
        timeout: Duration,
    ) -> Result<(Self, Option<TlsInfo>), TlsError> {
        let stream = TlsStream::accept(Arc::clone(&socket), tls.clone(), timeout)?;
        let info = stream.server_info();
        Ok((Self { tls: Some(Box::new(stream)), ..Self::plain(socket) }, info))
    }

    /// Stands for the handshake in a program without TLS: it has no configuration of a server.
    #[cfg(not(feature = "rustls"))]
    pub(super) fn accept_tls(
        _: Arc<Socket>,
        tls: &ServerTls,
        _: Duration,
    ) -> Result<(Self, Option<TlsInfo>), TlsError> {
        match *tls {}
    }

    /// Sets the id that the bind of the connection will have.
    #[cfg_attr(
        not(feature = "testing"),
        expect(unused_variables, reason = "only the module testing asks for it")
    )]
    pub(super) fn of_bind(self, id: BindId) -> Self {
        Self {
            #[cfg(feature = "testing")]
            bind_id: Some(id),
            ..self
        }
    }

    /// Returns the id that the bind of the connection will have; `None` without a server.
    #[cfg(feature = "testing")]
    pub(crate) const fn bind_id(&self) -> Option<BindId> {
        self.bind_id
    }

    /// Returns the TCP socket, for example to set its options; `None` if the transport is another one. The session sets its
    /// timeouts.
    pub fn tcp(&self) -> Option<&TcpStream> {
        match &*self.socket {
            Socket::Tcp(socket) => Some(socket),
            _ => None,
        }
    }

    /// Returns the Unix socket; `None` if the transport is another one.
    #[cfg(unix)]
    pub fn unix(&self) -> Option<&UnixStream> {
        match &*self.socket {
            Socket::Unix(socket) => Some(socket),
            _ => None,
        }
    }

    fn duplex(&self) -> &dyn Duplex {
        #[cfg(feature = "rustls")]
        if let Some(tls) = &self.tls {
            return tls.as_ref();
        }
        self.socket.duplex()
    }
}

delegate_duplex!(ServerStream);
delegate_duplex!(Socket);

impl fmt::Debug for ServerStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ServerStream");
        #[cfg(feature = "rustls")]
        shown.field("tls", &self.tls.is_some());
        shown.finish_non_exhaustive()
    }
}
