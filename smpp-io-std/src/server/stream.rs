//! The transport of one connection to a server.

use std::fmt;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use crate::tls_stream::TlsStream;
use crate::transport::Duplex;

/// The transport of a connection: TCP, or TLS after the handshake. [`Service::transport`](crate::Service::transport) may wrap
/// it.
pub struct ServerStream {
    tcp: Arc<TcpStream>,
    tls: Option<Box<TlsStream>>,
}

impl ServerStream {
    pub(super) const fn new(tcp: Arc<TcpStream>, tls: Option<Box<TlsStream>>) -> Self {
        Self { tcp, tls }
    }

    /// Returns the TCP socket, for example to set its options. The session sets its timeouts.
    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    fn duplex(&self) -> &dyn Duplex {
        match &self.tls {
            Some(tls) => tls.as_ref(),
            None => self.tcp.as_ref(),
        }
    }
}

impl Duplex for ServerStream {
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

    fn stop_receiving(&self) -> io::Result<()> {
        self.duplex().stop_receiving()
    }

    fn receive_available(&self, octets: &mut [u8]) -> io::Result<usize> {
        self.duplex().receive_available(octets)
    }
}

impl fmt::Debug for ServerStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerStream").field("tcp", &self.tcp).field("tls", &self.tls.is_some()).finish()
    }
}
