//! The sockets of the SMSC: TCP, or a pair in memory.

use std::io;
use std::net::{Shutdown, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::transport::Duplex;

/// One end of a connection in memory: a socket pair, without a port.
#[cfg(unix)]
pub type MemoryStream = UnixStream;

/// One end of a connection that only this process can have: the system has no socket pair.
#[cfg(not(unix))]
pub type MemoryStream = TcpStream;

/// Returns the two ends of a connection in memory.
#[cfg(unix)]
pub(super) fn pair() -> io::Result<(MemoryStream, MemoryStream)> {
    UnixStream::pair()
}

/// Returns the two ends of a connection on a port that closes at once.
#[cfg(not(unix))]
pub(super) fn pair() -> io::Result<(MemoryStream, MemoryStream)> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    loop {
        let (far, address) = listener.accept()?;
        if address == near.local_addr()? {
            return Ok((near, far));
        }
    }
}

/// The socket of one connection.
pub(super) enum Socket {
    Tcp(TcpStream),
    Memory(MemoryStream),
}

impl Socket {
    /// Makes the end of the socket a reset: closing it discards what is in flight. In memory it is a close.
    pub(super) fn reset_at_end(&self) {
        if let Self::Tcp(tcp) = self {
            // If it fails, the client sees a close.
            let _ = socket2::SockRef::from(tcp).set_linger(Some(Duration::ZERO));
        }
    }

    /// Closes the sending side. Fails only if the connection has ended.
    pub(super) fn half_close(&self) {
        let _ = match self {
            Self::Tcp(tcp) => tcp.shutdown(Shutdown::Write),
            Self::Memory(memory) => memory.shutdown(Shutdown::Write),
        };
    }

    fn duplex(&self) -> &dyn Duplex {
        match self {
            Self::Tcp(tcp) => tcp,
            Self::Memory(memory) => memory,
        }
    }
}

impl Duplex for Socket {
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
}
