//! The sockets of the SMSC: TCP, or a pair in memory.

use std::io;
use std::net::Shutdown;
#[cfg(not(unix))]
use std::net::TcpStream;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::ServerStream;

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

/// Makes the end of a connection a reset: closing it discards what is in flight. In memory it is a close.
pub(super) fn reset_at_end(stream: &ServerStream) {
    if let Some(tcp) = stream.tcp() {
        // If it fails, the client sees a close.
        let _ = socket2::SockRef::from(tcp).set_linger(Some(Duration::ZERO));
    }
}

/// Closes the sending side of a connection. Fails only if the connection has ended.
pub(super) fn half_close(stream: &ServerStream) {
    let _ = stream.tcp().map(|tcp| tcp.shutdown(Shutdown::Write));
    #[cfg(unix)]
    let _ = stream.unix().map(|unix| unix.shutdown(Shutdown::Write));
}
