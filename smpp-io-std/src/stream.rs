//! What octets travel over: TCP, TLS over TCP, or the caller's own.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};

use crate::error::TlsError;

/// A stream of octets whose reads and writes give up after a while.
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

/// TLS over TCP, either side, its handshake completed.
///
/// A read makes one system call at most, so that a peer that sends a record octet by octet cannot hold it for
/// longer than the read timeout.
#[derive(Debug)]
pub struct TlsStream {
    tls: rustls::Connection,
    tcp: TcpStream,
}

impl TlsStream {
    /// The client's side: verifies that the server's certificate is for `host`, a DNS name or an IP address.
    ///
    /// The whole handshake takes `timeout` at most.
    pub fn connect(
        tcp: TcpStream,
        host: &str,
        config: Arc<ClientConfig>,
        timeout: Duration,
    ) -> Result<Self, TlsError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| TlsError::ServerName)?;
        let tls = ClientConnection::new(config, name)?;
        Self { tls: tls.into(), tcp }.handshake(timeout)
    }

    /// The server's side. The whole handshake takes `timeout` at most.
    pub fn accept(tcp: TcpStream, config: Arc<ServerConfig>, timeout: Duration) -> Result<Self, TlsError> {
        Self { tls: ServerConnection::new(config)?.into(), tcp }.handshake(timeout)
    }

    fn handshake(mut self, timeout: Duration) -> Result<Self, TlsError> {
        let began = Instant::now();
        while self.tls.is_handshaking() || self.tls.wants_write() {
            let left = timeout.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time").into());
            }
            self.tcp.set_write_timeout(Some(left))?;
            self.tcp.set_read_timeout(Some(left))?;
            match self.exchange() {
                // The loop looks at the time.
                Err(TlsError::Io(error)) if is_pause(&error) => {}
                done => done?,
            }
        }
        Ok(self)
    }

    /// One step of the handshake: all that is to be sent, then one read.
    fn exchange(&mut self) -> Result<(), TlsError> {
        self.send()?;
        if self.tls.is_handshaking() {
            if self.tls.read_tls(&mut self.tcp)? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            self.process()?;
        }
        Ok(())
    }

    /// Acts on what was read; if it is wrong, tells the peer so.
    fn process(&mut self) -> Result<(), rustls::Error> {
        self.tls.process_new_packets().map(drop).inspect_err(|_| {
            // The alert is a courtesy: the first error is the one to report.
            let _ = self.send();
        })
    }

    /// Hands all records to TCP.
    fn send(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            if self.tls.write_tls(&mut self.tcp)? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }
}

impl Read for TlsStream {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        match self.tls.reader().read(octets) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
        self.tls.read_tls(&mut self.tcp)?;
        self.process().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        self.send()?;
        // Nothing yet if the record is not complete: the caller looks at the time and reads again.
        self.tls.reader().read(octets)
    }
}

impl Write for TlsStream {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        // What was written before comes first, so that no more than one write is ever in between.
        self.send()?;
        self.tls.writer().write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}

impl Transport for TlsStream {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.tcp.set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.tcp.set_write_timeout(timeout)
    }

    /// Says close_notify first.
    fn shutdown(&mut self) -> io::Result<()> {
        self.tls.send_close_notify();
        let sent = self.send();
        self.tcp.shutdown(Shutdown::Both).and(sent)
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

/// Whether the call only gave up waiting, or was interrupted.
pub(crate) fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}
