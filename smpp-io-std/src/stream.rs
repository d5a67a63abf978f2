//! TCP, TLS, or a transport of the application: the stream that a [`Connector`](crate::Connector) and a [`Server`](crate::Server) use.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use crate::tls::{ClientConfig, TlsError};
#[cfg(feature = "rustls")]
use crate::tls_stream::TlsStream;
use crate::transport::{Duplex, Transport, delegate_duplex};

/// The stream that a [`Connector`](crate::Connector) makes: TCP, TLS, or a transport of the application.
#[non_exhaustive]
pub enum Stream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS over TCP, or over a transport of the application.
    #[cfg(feature = "rustls")]
    Tls(Box<TlsStream>),
    /// A transport that the function given to [`Connector::dial`](crate::Connector::dial) has made.
    Dialed(Box<dyn Duplex>),
}

impl Stream {
    /// Makes the client's TLS handshake over the stream.
    #[cfg(feature = "rustls")]
    pub(crate) fn connect_tls(
        self,
        host: &str,
        config: &Arc<ClientConfig>,
        timeout: Duration,
    ) -> Result<Self, TlsError> {
        let transport: Box<dyn Duplex> = match self {
            Self::Tcp(tcp) => Box::new(tcp),
            Self::Tls(tls) => tls,
            Self::Dialed(transport) => transport,
        };
        Ok(Self::Tls(Box::new(TlsStream::connect_boxed(transport, host, Arc::clone(config), timeout)?)))
    }

    /// Stands for the handshake in a program without TLS: it has no configuration of a client.
    #[cfg(not(feature = "rustls"))]
    pub(crate) fn connect_tls(
        self,
        _: &str,
        config: &Arc<ClientConfig>,
        _: Duration,
    ) -> Result<Self, TlsError> {
        drop(self);
        match **config {}
    }

    fn duplex(&self) -> &dyn Duplex {
        match self {
            Self::Tcp(stream) => stream,
            #[cfg(feature = "rustls")]
            Self::Tls(stream) => stream.as_ref(),
            Self::Dialed(stream) => stream.as_ref(),
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(stream) => f.debug_tuple("Tcp").field(stream).finish(),
            #[cfg(feature = "rustls")]
            Self::Tls(stream) => f.debug_tuple("Tls").field(stream).finish(),
            Self::Dialed(_) => f.debug_tuple("Dialed").finish_non_exhaustive(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        self.receive(octets)
    }
}

impl Write for Stream {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.transmit(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.transmit_held()
    }
}

impl Transport for Stream {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_receive_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_transmit_timeout(timeout)
    }

    fn shutdown(&mut self) -> io::Result<()> {
        self.close()
    }

    fn read_available(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        self.receive_available(octets)
    }
}

delegate_duplex!(Stream);
