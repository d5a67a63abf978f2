//! Ends the threads that accept connections.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

#[cfg(unix)]
use unix::UnixWaker;

/// How long a thread has to end after a connection has woken it, before the next connection is made.
const WAKE_INTERVAL: Duration = Duration::from_millis(20);

/// Ends a call of [`Listener::accept`](super::Listener::accept) in another thread, with a connection. Another process, or a clone
/// of the socket that the application has, may accept that connection: so there may have to be several.
#[derive(Debug)]
pub(super) enum AcceptWaker {
    Tcp(SocketAddr),
    #[cfg(unix)]
    Unix(UnixWaker),
}

/// A thread that accepts connections.
pub(super) struct AcceptThread {
    pub(super) waker: AcceptWaker,
    pub(super) thread: JoinHandle<()>,
    /// Disconnected when the thread ends.
    pub(super) ended: Mutex<Receiver<()>>,
}

impl AcceptThread {
    /// Wakes the thread until it ends. After `deadline` it is left: it ends with the next connection that it accepts.
    pub(super) fn end(mut self, deadline: Instant) {
        let ended = self.ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        loop {
            self.waker.wake();
            if ended.recv_timeout(WAKE_INTERVAL) == Err(RecvTimeoutError::Disconnected) {
                // The thread returns nothing.
                return drop(self.thread.join());
            }
            if Instant::now() >= deadline {
                return;
            }
        }
    }
}

impl AcceptWaker {
    pub(super) const fn tcp(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }

    #[cfg(unix)]
    pub(super) fn unix(socket: &std::os::unix::net::UnixListener) -> std::io::Result<Self> {
        UnixWaker::new(socket).map(Self::Unix)
    }

    /// Ends the call, unless another one accepts the connection.
    fn wake(&mut self) {
        match self {
            Self::Tcp(address) => {
                let local = match address.ip() {
                    IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
                    IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
                    _ => *address,
                };
                // If it fails, there is another attempt.
                let _ = TcpStream::connect_timeout(&local, WAKE_INTERVAL);
            }
            #[cfg(unix)]
            Self::Unix(unix) => unix.wake(),
        }
    }
}

#[cfg(unix)]
mod unix {
    use std::net::Shutdown;
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
    use std::path::Path;
    use std::sync::Arc;
    use std::thread::{self, JoinHandle};
    use std::{fs, io};

    #[derive(Debug)]
    pub(in crate::server) struct UnixWaker {
        socket: Arc<UnixListener>,
        address: SocketAddr,
        file: Option<FileId>,
        /// Makes a connection: that blocks while the queue of the socket is full.
        connecting: Option<JoinHandle<()>>,
    }

    /// The device and the inode of a file.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct FileId(u64, u64);

    impl FileId {
        fn of(path: &Path) -> Option<Self> {
            fs::metadata(path).map(|file| Self(file.dev(), file.ino())).ok()
        }
    }

    impl UnixWaker {
        pub(super) fn new(socket: &UnixListener) -> io::Result<Self> {
            let (socket, address) = (Arc::new(socket.try_clone()?), socket.local_addr()?);
            let file = address.as_pathname().and_then(FileId::of);
            Ok(Self { socket, address, file, connecting: None })
        }

        /// Connects to the socket. If it cannot be reached, for example because its file is gone, the socket is shut down, which
        /// ends the call on Linux: then no client can reach a clone of it either.
        pub(super) fn wake(&mut self) {
            let is_of_socket = |path| self.file.is_some() && FileId::of(path) == self.file;
            if !self.address.as_pathname().is_none_or(is_of_socket) {
                return shut_down(&self.socket);
            }
            if self.connecting.as_ref().is_some_and(|connecting| !connecting.is_finished()) {
                return;
            }
            let (address, socket) = (self.address.clone(), Arc::clone(&self.socket));
            let connect = move || {
                if UnixStream::connect_addr(&address).is_err() {
                    shut_down(&socket);
                }
            };
            // Without a thread, there is another attempt.
            self.connecting = thread::Builder::new().name("smpp wake".into()).spawn(connect).ok();
        }
    }

    fn shut_down(socket: &UnixListener) {
        // Without a descriptor, there is another attempt.
        if let Ok(socket) = socket.try_clone() {
            // It fails if it is shut down already.
            let _ = UnixStream::from(OwnedFd::from(socket)).shutdown(Shutdown::Both);
        }
    }
}
