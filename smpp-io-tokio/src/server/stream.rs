//! The transport of one connection to a server.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::registry::Slot;

/// The transport of a connection: TCP, or TLS after the handshake. [`Service::transport`](super::Service::transport) may
/// wrap it. The connection counts for the limits of the server until the stream is dropped.
pub struct ServerStream {
    io: Io,
    /// Held for its drop.
    _slot: Option<Arc<Slot>>,
}

enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl ServerStream {
    pub(super) const fn plain(io: TcpStream, slot: Option<Arc<Slot>>) -> Self {
        Self { io: Io::Plain(io), _slot: slot }
    }

    pub(super) fn tls(io: TlsStream<TcpStream>, slot: Option<Arc<Slot>>) -> Self {
        Self { io: Io::Tls(Box::new(io)), _slot: slot }
    }

    /// Returns the TCP socket, for example to set its options.
    pub fn tcp(&self) -> &TcpStream {
        match &self.io {
            Io::Plain(io) => io,
            Io::Tls(io) => io.get_ref().0,
        }
    }
}

/// Calls a method of the plain or TLS stream.
macro_rules! delegate {
    ($self:ident, $method:ident($($argument:expr),+)) => {
        match &mut $self.get_mut().io {
            Io::Plain(io) => Pin::new(io).$method($($argument),+),
            Io::Tls(io) => Pin::new(io).$method($($argument),+),
        }
    };
}

impl AsyncRead for ServerStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        delegate!(self, poll_read(cx, out))
    }
}

impl AsyncWrite for ServerStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self, poll_write(cx, octets))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, poll_shutdown(cx))
    }
}
