//! The transport of one connection to a server.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

#[cfg(feature = "testing")]
use super::bound::BindId;
use super::registry::Slot;
use crate::dial::BoxedTransport;
use crate::tls::{ServerTls, TlsInfo};

/// The transport of a connection, or TLS over it after the handshake. [`Service::transport`](super::Service::transport) may
/// wrap it. The connection counts for the limits of the server until the stream is dropped.
pub struct ServerStream {
    io: Io,
    /// Held for its drop.
    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "held for its drop"))]
    slot: Option<Arc<Slot>>,
}

impl fmt::Debug for ServerStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_tls = !matches!(self.io, Io::Plain(_));
        f.debug_struct("ServerStream").field("tls", &is_tls).finish_non_exhaustive()
    }
}

enum Io {
    Plain(Socket),
    #[cfg(feature = "rustls")]
    Tls(Box<tokio_rustls::server::TlsStream<Socket>>),
}

/// What octets travel through.
pub(super) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    /// A stream that the application has accepted.
    Other(BoxedTransport),
}

impl ServerStream {
    pub(super) const fn plain(io: Socket, slot: Option<Arc<Slot>>) -> Self {
        Self { io: Io::Plain(io), slot }
    }

    /// Returns the TCP socket, for example to set its options; `None` if the transport is another one.
    pub fn tcp(&self) -> Option<&TcpStream> {
        match self.socket() {
            Socket::Tcp(io) => Some(io),
            _ => None,
        }
    }

    /// Returns the Unix socket, for example to ask for the credentials of the peer's process; `None` if the transport is another
    /// one.
    #[cfg(unix)]
    pub fn unix(&self) -> Option<&UnixStream> {
        match self.socket() {
            Socket::Unix(io) => Some(io),
            _ => None,
        }
    }

    /// Returns the id that the bind of this connection will have; `None` without a server.
    #[cfg(feature = "testing")]
    pub(crate) fn bind_id(&self) -> Option<BindId> {
        self.slot.as_ref().map(|slot| BindId(slot.id))
    }

    fn socket(&self) -> &Socket {
        match &self.io {
            Io::Plain(io) => io,
            #[cfg(feature = "rustls")]
            Io::Tls(io) => io.get_ref().0,
        }
    }
}

/// Makes the TLS handshake of a server.
#[cfg(feature = "rustls")]
pub(super) async fn accept_tls(
    tls: &ServerTls,
    socket: Socket,
    slot: Option<Arc<Slot>>,
) -> io::Result<(ServerStream, TlsInfo)> {
    let stream = tokio_rustls::TlsAcceptor::from(tls.config()).accept(socket).await?;
    let info = TlsInfo::of(stream.get_ref().1);
    Ok((ServerStream { io: Io::Tls(Box::new(stream)), slot }, info))
}

/// Stands for the handshake in a program without TLS: it has no configuration of a server.
#[cfg(not(feature = "rustls"))]
pub(super) async fn accept_tls(
    tls: &ServerTls,
    _: Socket,
    _: Option<Arc<Slot>>,
) -> io::Result<(ServerStream, TlsInfo)> {
    match *tls {}
}

/// Implements the traits of transports for an enum of them.
macro_rules! transport {
    ($type:ty, |$this:ident| $inner:expr, [$($(#[$cfg:meta])? $variant:path),+]) => {
        impl AsyncRead for $type {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                out: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                let $this = self.get_mut();
                match $inner {
                    $($(#[$cfg])? $variant(io) => Pin::new(io).poll_read(cx, out),)+
                }
            }
        }

        impl AsyncWrite for $type {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                octets: &[u8],
            ) -> Poll<io::Result<usize>> {
                let $this = self.get_mut();
                match $inner {
                    $($(#[$cfg])? $variant(io) => Pin::new(io).poll_write(cx, octets),)+
                }
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                let $this = self.get_mut();
                match $inner {
                    $($(#[$cfg])? $variant(io) => Pin::new(io).poll_flush(cx),)+
                }
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                let $this = self.get_mut();
                match $inner {
                    $($(#[$cfg])? $variant(io) => Pin::new(io).poll_shutdown(cx),)+
                }
            }
        }
    };
}

transport!(
    ServerStream,
    |this| &mut this.io,
    [
        Io::Plain,
        #[cfg(feature = "rustls")]
        Io::Tls
    ]
);
transport!(
    Socket,
    |this| this,
    [
        Socket::Tcp,
        #[cfg(unix)]
        Socket::Unix,
        Socket::Other
    ]
);
