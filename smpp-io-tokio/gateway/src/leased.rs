//! Connections to the SMSC that can be closed by force: when their leases end, whatever the SMSC still owes.

use std::io;
use std::net::{self, Shutdown};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The connections of an account that are open.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    all: Arc<Mutex<Vec<Weak<Switch>>>>,
}

#[derive(Debug)]
struct Switch {
    /// Another handle of the socket: a session that waits for answers neither reads nor writes.
    socket: net::TcpStream,
    is_off: AtomicBool,
    /// The task that reads.
    reader: Mutex<Option<Waker>>,
}

impl Connections {
    /// Adds a connection.
    ///
    /// # Errors
    ///
    /// The process has too many files.
    pub fn add(&self, stream: TcpStream) -> io::Result<Leased> {
        let socket = duplicate(&stream)?;
        let switch = Arc::new(Switch { socket, is_off: AtomicBool::default(), reader: Mutex::default() });
        let mut all = lock(&self.all);
        all.retain(|switch| switch.strong_count() > 0);
        all.push(Arc::downgrade(&switch));
        Ok(Leased { stream, switch })
    }

    /// Closes the newest connections until no more than this many are left. Returns how many it has closed.
    pub fn close_beyond(&self, left: usize) -> usize {
        let open: Vec<Arc<Switch>> = lock(&self.all).iter().filter_map(Weak::upgrade).collect();
        let open = open.into_iter().filter(|switch| !switch.is_off.load(Ordering::Acquire));
        let mut closed = 0;
        for switch in open.skip(left) {
            switch.is_off.store(true, Ordering::Release);
            // It fails only if the connection is closed.
            let _ = switch.socket.shutdown(Shutdown::Both);
            if let Some(reader) = lock(&switch.reader).take() {
                reader.wake();
            }
            closed += 1;
        }
        closed
    }
}

/// Returns another handle of a socket.
fn duplicate(stream: &TcpStream) -> io::Result<net::TcpStream> {
    #[cfg(unix)]
    let socket = std::os::fd::AsFd::as_fd(stream).try_clone_to_owned()?;
    #[cfg(windows)]
    let socket = std::os::windows::io::AsSocket::as_socket(stream).try_clone_to_owned()?;
    Ok(socket.into())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection that ends when its lease does.
#[derive(Debug)]
pub struct Leased {
    stream: TcpStream,
    switch: Arc<Switch>,
}

impl Leased {
    fn is_off(&self) -> bool {
        self.switch.is_off.load(Ordering::Acquire)
    }
}

impl AsyncRead for Leased {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Registered before the check, so that no wake-up is lost.
        *lock(&self.switch.reader) = Some(cx.waker().clone());
        if self.is_off() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Leased {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_off() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn the_newest_connections_are_closed_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Connections::default();
        let mut open = Vec::new();
        let mut peers = Vec::new();
        for _ in 0..3 {
            open.push(connections.add(TcpStream::connect(address).await.unwrap()).unwrap());
            peers.push(listener.accept().await.unwrap().0);
        }
        let mut last = open.pop().unwrap();
        let reading = tokio::spawn(async move { last.read_u8().await.unwrap_err().kind() });
        tokio::task::yield_now().await;
        assert_eq!(connections.close_beyond(1), 2);
        assert_eq!(reading.await.unwrap(), io::ErrorKind::ConnectionAborted);
        // No task reads or writes this one: its session has as many unanswered deliveries as it may.
        let end = timeout(Duration::from_secs(10), peers[1].read(&mut [0])).await.expect("it is open");
        assert_eq!(end.unwrap(), 0);
        assert!(open[1].write_u8(1).await.is_err());
        open[0].write_u8(1).await.unwrap();
        assert_eq!(peers[0].read_u8().await.unwrap(), 1);
        assert_eq!(connections.close_beyond(1), 0);
    }
}
