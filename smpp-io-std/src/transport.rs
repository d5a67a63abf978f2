//! The two traits of a byte stream: [`Transport`] for one thread, [`Duplex`] for several; and TCP.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

/// A byte stream with read and write timeouts. A [`Connection`](crate::Connection) runs over it.
///
/// A read or write that reaches its timeout returns [`WouldBlock`](io::ErrorKind::WouldBlock) or
/// [`TimedOut`](io::ErrorKind::TimedOut) and must have moved no octet. It may return earlier than its timeout.
///
/// [`TcpStream`], on Unix `UnixStream`, [`TlsStream`](crate::TlsStream) and [`Stream`](crate::Stream) implement it. Implement it for a transport
/// of your own, for example to count octets:
///
/// ```
/// use std::io::{self, Read, Write};
/// use std::net::TcpStream;
/// use std::time::Duration;
/// use smpp_std::Transport;
///
/// struct Counted {
///     tcp: TcpStream,
///     received: u64,
/// }
///
/// impl Read for Counted {
///     fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
///         let read = self.tcp.read(octets)?;
///         self.received += read as u64;
///         Ok(read)
///     }
/// }
///
/// impl Write for Counted {
///     fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
///         self.tcp.write(octets)
///     }
///
///     fn flush(&mut self) -> io::Result<()> {
///         self.tcp.flush()
///     }
/// }
///
/// impl Transport for Counted {
///     fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
///         self.tcp.set_read_timeout(timeout)
///     }
///
///     fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
///         self.tcp.set_write_timeout(timeout)
///     }
///
///     fn shutdown(&mut self) -> io::Result<()> {
///         Transport::shutdown(&mut self.tcp)
///     }
/// }
/// ```
pub trait Transport: Read + Write {
    /// Sets how long a read waits for the first octet. `None` waits without limit. The session never passes zero.
    ///
    /// # Errors
    ///
    /// Returns the transport's error. The session treats it as a lost connection.
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// Sets how long a write waits until the transport can take an octet. `None` waits without limit. The session never
    /// passes zero.
    ///
    /// # Errors
    ///
    /// Returns the transport's error. [`Connection::new`](crate::Connection::new) returns it to the caller.
    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// Closes both directions of the connection.
    ///
    /// # Errors
    ///
    /// Returns the transport's error. The session ignores it: it has ended already.
    fn shutdown(&mut self) -> io::Result<()>;

    /// Reads what is there and does not wait. Leaves the read timeout at any value.
    ///
    /// By default it reads with a read timeout of 1 ms, which many operating systems extend to some milliseconds.
    ///
    /// # Errors
    ///
    /// As a read: [`WouldBlock`](io::ErrorKind::WouldBlock) or [`TimedOut`](io::ErrorKind::TimedOut) if nothing is there.
    fn read_available(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        self.set_read_timeout(Some(MIN_WAIT))?;
        self.read(octets)
    }
}

/// The shortest read timeout: to a socket, zero means no timeout.
pub(crate) const MIN_WAIT: Duration = Duration::from_millis(1);

/// How much later than its timeout a read may return: the operating system rounds the timeout up to its ticks.
pub(crate) const MAX_LATENESS: Duration = Duration::from_millis(8);

/// A byte stream that one thread reads while another thread writes. A [`Handle`](crate::Handle) runs over it.
///
/// At most one thread reads at a time, and at most one thread writes. A call that reaches its timeout returns
/// [`WouldBlock`](io::ErrorKind::WouldBlock) or [`TimedOut`](io::ErrorKind::TimedOut) and must have moved no octet. It may
/// return earlier than its timeout; one that returns later delays the timeouts of the session. A
/// [`transmit`](Self::transmit) that fails must consume nothing; otherwise the session reports a request as never sent
/// although the peer may receive it. After a `transmit` that has failed, the session ends as soon as it has read what was
/// received before: see [`stop_receiving`](Self::stop_receiving).
///
/// [`TcpStream`], on Unix `UnixStream`, [`TlsStream`](crate::TlsStream), [`Stream`](crate::Stream) and an [`Arc`] of a `Duplex` implement it.
/// Implement it for a transport of your own:
///
/// ```no_run
/// use std::io;
/// use std::net::TcpStream;
/// use std::time::Duration;
/// use smpp_proto::session::{Config, Esme};
/// use smpp_std::{Duplex, start};
///
/// /// Prints how many octets each read returns.
/// struct Printed(TcpStream);
///
/// impl Duplex for Printed {
///     fn receive(&self, octets: &mut [u8]) -> io::Result<usize> {
///         self.0.receive(octets).inspect(|read| println!("{read} octets"))
///     }
///     fn transmit(&self, octets: &[u8]) -> io::Result<usize> {
///         self.0.transmit(octets)
///     }
///     fn transmit_held(&self) -> io::Result<()> {
///         self.0.transmit_held()
///     }
///     fn set_receive_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
///         self.0.set_receive_timeout(timeout)
///     }
///     fn set_transmit_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
///         self.0.set_transmit_timeout(timeout)
///     }
///     fn close(&self) -> io::Result<()> {
///         self.0.close()
///     }
/// }
///
/// let tcp = TcpStream::connect("localhost:2775")?;
/// let (client, inbox) = start::<Esme, _>(Printed(tcp), Config::default())?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Duplex: Send + Sync {
    /// Reads some octets. `Ok(0)` is the end of the stream.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, `TimedOut` and `Interrupted` mean that no octet came; any other error ends the session.
    fn receive(&self, octets: &mut [u8]) -> io::Result<usize>;

    /// Takes some of the octets and writes them. The transport may hold them back until
    /// [`transmit_held`](Self::transmit_held).
    ///
    /// # Errors
    ///
    /// `WouldBlock`, `TimedOut` and `Interrupted` mean that no octet was taken; any other error ends the session.
    fn transmit(&self, octets: &[u8]) -> io::Result<usize>;

    /// Writes all octets that the transport has taken and holds back.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, `TimedOut` and `Interrupted` mean that octets are still held back; any other error ends the session.
    fn transmit_held(&self) -> io::Result<()>;

    /// Sets how long a read waits for the first octet. `None` waits without limit. The session never passes zero.
    ///
    /// # Errors
    ///
    /// Returns the transport's error. The session treats it as a lost connection.
    fn set_receive_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// Sets how long a write waits until the transport can take an octet. `None` waits without limit. The session never
    /// passes zero.
    ///
    /// # Errors
    ///
    /// Returns the transport's error. [`start`](crate::start) returns it to the caller.
    fn set_transmit_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// Closes both directions of the connection. A read or a write that another thread has begun must return as well. It
    /// must not block.
    ///
    /// # Errors
    ///
    /// Returns the transport's error. The session ignores it: it has ended already.
    fn close(&self) -> io::Result<()>;

    /// Makes a read return that another thread has begun: a write has failed, and the session is about to end. It must not
    /// block.
    ///
    /// Later reads should return the octets that were received before, then the end of the stream or an error: the session
    /// still takes responses from them. By default it [closes](Self::close) the transport.
    ///
    /// # Errors
    ///
    /// Returns the transport's error. The session ignores it.
    fn stop_receiving(&self) -> io::Result<()> {
        self.close()
    }

    /// Reads what is there and does not wait. Leaves the read timeout at any value.
    ///
    /// Only the one thread of a [`Connection`](crate::Connection) calls it, so no write is going on. By default it reads
    /// with a read timeout of 1 ms, which many operating systems extend to some milliseconds.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive).
    fn receive_available(&self, octets: &mut [u8]) -> io::Result<usize> {
        self.set_receive_timeout(Some(MIN_WAIT))?;
        self.receive(octets)
    }
}

/// Implements [`Transport`] and [`Duplex`] for a socket of the operating system.
macro_rules! socket_transport {
    ($socket:ty) => {
        impl Transport for $socket {
            fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
                Self::set_read_timeout(self, timeout)
            }

            fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
                Self::set_write_timeout(self, timeout)
            }

            fn shutdown(&mut self) -> io::Result<()> {
                Self::shutdown(self, Shutdown::Both)
            }

            fn read_available(&mut self, octets: &mut [u8]) -> io::Result<usize> {
                self.receive_available(octets)
            }
        }

        impl Duplex for $socket {
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

            fn stop_receiving(&self) -> io::Result<()> {
                self.shutdown(Shutdown::Read)
            }

            fn receive_available(&self, octets: &mut [u8]) -> io::Result<usize> {
                self.set_nonblocking(true)?;
                let read = self.receive(octets);
                self.set_nonblocking(false)?;
                read
            }
        }
    };
}

socket_transport!(TcpStream);
#[cfg(unix)]
socket_transport!(UnixStream);

/// So that the application can keep a transport that it has passed on, for example to close it.
impl<S: Duplex + ?Sized> Duplex for Arc<S> {
    fn receive(&self, octets: &mut [u8]) -> io::Result<usize> {
        (**self).receive(octets)
    }

    fn transmit(&self, octets: &[u8]) -> io::Result<usize> {
        (**self).transmit(octets)
    }

    fn transmit_held(&self) -> io::Result<()> {
        (**self).transmit_held()
    }

    fn set_receive_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        (**self).set_receive_timeout(timeout)
    }

    fn set_transmit_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        (**self).set_transmit_timeout(timeout)
    }

    fn close(&self) -> io::Result<()> {
        (**self).close()
    }

    fn stop_receiving(&self) -> io::Result<()> {
        (**self).stop_receiving()
    }

    fn receive_available(&self, octets: &mut [u8]) -> io::Result<usize> {
        (**self).receive_available(octets)
    }
}

/// Returns whether the call reached its timeout or was interrupted, and the transport still works.
pub(crate) fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// Implements [`Duplex`] for a type with a method `duplex` that returns the transport inside.
macro_rules! delegate_duplex {
    ($type:ty) => {
        impl $crate::transport::Duplex for $type {
            fn receive(&self, octets: &mut [u8]) -> std::io::Result<usize> {
                self.duplex().receive(octets)
            }

            fn transmit(&self, octets: &[u8]) -> std::io::Result<usize> {
                self.duplex().transmit(octets)
            }

            fn transmit_held(&self) -> std::io::Result<()> {
                self.duplex().transmit_held()
            }

            fn set_receive_timeout(&self, timeout: Option<std::time::Duration>) -> std::io::Result<()> {
                self.duplex().set_receive_timeout(timeout)
            }

            fn set_transmit_timeout(&self, timeout: Option<std::time::Duration>) -> std::io::Result<()> {
                self.duplex().set_transmit_timeout(timeout)
            }

            fn close(&self) -> std::io::Result<()> {
                self.duplex().close()
            }

            fn stop_receiving(&self) -> std::io::Result<()> {
                self.duplex().stop_receiving()
            }

            fn receive_available(&self, octets: &mut [u8]) -> std::io::Result<usize> {
                self.duplex().receive_available(octets)
            }
        }
    };
}

pub(crate) use delegate_duplex;
