//! What octets travel over: TCP, TLS over TCP, or the caller's own.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::tls_stream::TlsStream;

/// A stream of octets whose reads and writes give up after a while: what a [`Connection`](crate::Connection) needs.
///
/// A call that gives up reports [`WouldBlock`](io::ErrorKind::WouldBlock) or
/// [`TimedOut`](io::ErrorKind::TimedOut) and has moved no octet. It may give up early.
pub trait Transport: Read + Write {
    /// How long a read waits for the first octet; `None` for ever. Never zero.
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// How long a write waits until it can take an octet; `None` for ever. Never zero.
    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// Ends the connection, both ways.
    fn shutdown(&mut self) -> io::Result<()>;
}

/// A stream of octets that one thread reads while another writes: what a [`Handle`](crate::Handle) needs.
///
/// No more than one thread reads at a time, and no more than one writes. A call that gives up reports
/// [`WouldBlock`](io::ErrorKind::WouldBlock) or [`TimedOut`](io::ErrorKind::TimedOut) and has moved no octet. It may
/// give up early. A write that fails must have taken nothing: what it took would be told as never sent.
pub trait Duplex: Send + Sync {
    /// Reads; `Ok(0)` is the end of the stream.
    fn receive(&self, octets: &mut [u8]) -> io::Result<usize>;

    /// Writes a part, which may be held back until [`transmit_held`](Self::transmit_held).
    fn transmit(&self, octets: &[u8]) -> io::Result<usize>;

    /// Writes all that was taken and held back.
    fn transmit_held(&self) -> io::Result<()>;

    /// How long a read waits for the first octet; `None` for ever. Never zero.
    fn set_receive_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// How long a write waits until it can take an octet; `None` for ever. Never zero.
    fn set_transmit_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// Ends the connection, both ways: a read or write that another thread is in must end as well.
    fn close(&self) -> io::Result<()>;
}

impl Transport for TcpStream {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        Self::set_read_timeout(self, timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        Self::set_write_timeout(self, timeout)
    }

    fn shutdown(&mut self) -> io::Result<()> {
        Self::shutdown(self, Shutdown::Both)
    }
}

impl Duplex for TcpStream {
    fn receive(&self, octets: &mut [u8]) -> io::Result<usize> {
        let mut stream = self;
        stream.read(octets)
    }

    fn transmit(&self, octets: &[u8]) -> io::Result<usize> {
        let mut stream = self;
        stream.write(octets)
    }

    fn transmit_held(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_receive_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(timeout)
    }

    fn set_transmit_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_write_timeout(timeout)
    }

    fn close(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Both)
    }
}

/// What a [`Connector`](crate::Connector) connects with: TCP, or TLS over it.
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

/// Whether the call only gave up waiting, or was interrupted.
pub(crate) fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}
