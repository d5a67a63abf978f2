//! TCP, or TLS over TCP: the stream that a [`Connector`](crate::Connector) and a [`Server`](crate::Server) use.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::tls_stream::TlsStream;
use crate::transport::{Duplex, Transport};

/// The stream that a [`Connector`](crate::Connector) makes: TCP, or TLS over TCP.
#[derive(Debug)]
pub enum Stream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream>),
}

impl Stream {
    fn inner(&mut self) -> &mut dyn Transport {
        match self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => stream.as_mut(),
        }
    }

    fn duplex(&self) -> &dyn Duplex {
        match self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => stream.as_ref(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        self.inner().read(octets)
    }
}

impl Write for Stream {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.inner().write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner().flush()
    }
}

impl Transport for Stream {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.inner().set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.inner().set_write_timeout(timeout)
    }

    fn shutdown(&mut self) -> io::Result<()> {
        self.inner().shutdown()
    }

    fn read_available(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        self.inner().read_available(octets)
    }
}

impl Duplex for Stream {
    fn receive(&self, octets: &mut [u8]) -> io::Result<usize> {
        self.duplex().receive(octets)
    }

    fn transmit(&self, octets: &[u8]) -> io::Result<usize> {
        self.duplex().transmit(octets)
    }

    fn transmit_held(&self) -> io::Result<()> {
        self.duplex().transmit_held()
    }

    fn set_receive_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.duplex().set_receive_timeout(timeout)
    }

    fn set_transmit_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.duplex().set_transmit_timeout(timeout)
    }

    fn close(&self) -> io::Result<()> {
        self.duplex().close()
    }
}
