//! The transport of a connection, with the faults that the simulator decides on.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use smpp_proto::SequenceNumber;
use smpp_proto::simulator::{FaultFilter, Faults, ResponseFault, Rng, StreamEnd};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::ServerStream;

/// How long [`Faults::coalesce`] holds output back.
const COALESCE_DELAY: Duration = Duration::from_millis(50);

/// Octets of output that are held back before they are written anyway.
const MAX_HELD: usize = 64 * 1024;

/// The faults of all connections. They may change at any time.
#[derive(Debug, Default)]
pub(super) struct FaultSwitch {
    /// Whether there is any fault: most SMSCs have none, and then read no more than this.
    any: AtomicBool,
    faults: Mutex<Faults>,
}

impl FaultSwitch {
    pub(super) fn new(faults: Faults) -> Self {
        let switch = Self::default();
        switch.set(faults);
        switch
    }

    pub(super) fn set(&self, faults: Faults) {
        let mut current = lock(&self.faults);
        *current = faults;
        self.any.store(faults != Faults::default(), Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Faults {
        if self.any.load(Ordering::Relaxed) { *lock(&self.faults) } else { Faults::default() }
    }
}

/// The faults of one connection, which its transport and the SMSC share.
#[derive(Debug)]
pub(super) struct ConnectionFaults {
    filter: Mutex<FaultFilter>,
    /// Wakes the task of the session.
    waker: Mutex<Option<Waker>>,
}

impl ConnectionFaults {
    pub(super) fn new(rng: Rng) -> Self {
        Self { filter: Mutex::new(FaultFilter::new(rng)), waker: Mutex::default() }
    }

    /// Plans a fault of the response with this sequence number.
    pub(super) fn plan(&self, sequence: SequenceNumber, fault: ResponseFault) {
        lock(&self.filter).plan(sequence, fault);
    }

    /// Ends the connection.
    pub(super) fn end(&self, end: StreamEnd) {
        lock(&self.filter).end(end);
        // Woken after the lock is released.
        let waker = lock(&self.waker).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn stream_end(&self) -> Option<StreamEnd> {
        lock(&self.filter).stream_end()
    }

    fn register(&self, cx: &Context<'_>) {
        let mut waker = lock(&self.waker);
        // Dropped after the lock is released.
        let replaced = match &*waker {
            Some(waker) if waker.will_wake(cx.waker()) => None,
            _ => waker.replace(cx.waker().clone()),
        };
        drop(waker);
        drop(replaced);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection with injected faults.
pub(super) struct FaultyTransport {
    /// `None` once a task waits for the end of the connection.
    io: Option<ServerStream>,
    switch: Arc<FaultSwitch>,
    connection: Arc<ConnectionFaults>,
    /// PDUs that wait to be written.
    output: Vec<u8>,
    /// When the held output is written.
    timer: Option<Pin<Box<Sleep>>>,
    is_half_closed: bool,
}

impl FaultyTransport {
    /// Returns a transport that injects the faults of the switch, and those that are planned for the connection.
    pub(super) const fn new(
        io: ServerStream,
        switch: Arc<FaultSwitch>,
        connection: Arc<ConnectionFaults>,
    ) -> Self {
        Self { io: Some(io), switch, connection, output: Vec::new(), timer: None, is_half_closed: false }
    }

    fn io(&mut self) -> io::Result<&mut ServerStream> {
        self.io.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Writes the output, and then ends the connection if a fault does.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.connection.stream_end() == Some(StreamEnd::Reset) {
            // Without lingering, closing resets the connection and discards what is in flight.
            let reset = self.io()?.tcp().map_or(Ok(()), TcpStream::set_zero_linger);
            return Poll::Ready(reset.and(Err(io::ErrorKind::ConnectionReset.into())));
        }
        let max_write = self.switch.get().max_write;
        while !self.output.is_empty() {
            let octets = first(&self.output, max_write);
            let io = self.io.as_mut().ok_or(io::ErrorKind::NotConnected)?;
            let written = ready!(Pin::new(io).poll_write(cx, octets))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.drain(..written);
        }
        self.timer = None;
        let Some(end) = self.connection.stream_end() else {
            return Pin::new(self.io()?).poll_flush(cx);
        };
        if !self.is_half_closed {
            ready!(Pin::new(self.io()?).poll_shutdown(cx))?;
        }
        self.is_half_closed = true;
        match end {
            StreamEnd::HalfClose => Poll::Ready(Ok(())),
            _ => Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
        }
    }

    /// Returns whether the connection is to end, and has not ended so far.
    fn is_ending(&self) -> bool {
        let end = self.connection.stream_end();
        end.is_some() && !(self.is_half_closed && end == Some(StreamEnd::HalfClose))
    }
}

/// Returns at most `max` of the first octets; all if it is 0.
fn first(octets: &[u8], max: usize) -> &[u8] {
    octets.get(..max).filter(|first| !first.is_empty()).unwrap_or(octets)
}

impl AsyncRead for FaultyTransport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.connection.register(cx);
        if self.is_ending()
            && let Poll::Ready(drained) = self.poll_drain(cx)
        {
            drained?;
        }
        Pin::new(self.io()?).poll_read(cx, out)
    }
}

impl AsyncWrite for FaultyTransport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let faults = self.switch.get();
        let connection = Arc::clone(&self.connection);
        let unchanged =
            if self.output.is_empty() { lock(&connection.filter).unchanged(&faults, octets) } else { 0 };
        if unchanged > 0 {
            let octets = first(octets.get(..unchanged).unwrap_or(octets), faults.max_write);
            let written = ready!(Pin::new(self.io()?).poll_write(cx, octets))?;
            lock(&connection.filter).advance(octets.get(..written).unwrap_or(octets));
            return Poll::Ready(Ok(written));
        }
        if self.output.len() >= MAX_HELD {
            ready!(self.poll_drain(cx))?;
        }
        lock(&connection.filter).filter(&faults, octets, &mut self.output);
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.switch.get().coalesce && !self.output.is_empty() && self.output.len() < MAX_HELD {
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(COALESCE_DELAY)));
            ready!(timer.as_mut().poll(cx));
        }
        self.poll_drain(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_half_closed || self.connection.stream_end() == Some(StreamEnd::Reset) {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_drain(cx))?;
        let unanswered = lock(&self.connection.filter).is_unbind_unanswered();
        if let Some(io) = self.io.take_if(|_| unanswered) {
            tokio::spawn(wait_for_end(io));
            return Poll::Ready(Ok(()));
        }
        Pin::new(self.io()?).poll_shutdown(cx)
    }
}

/// Keeps the connection open until the client closes it.
async fn wait_for_end(mut io: ServerStream) {
    let mut ignored = [0; 1024];
    while let Ok(1..) = io.read(&mut ignored).await {}
}
