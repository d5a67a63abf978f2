//! Octets between a transport and whoever makes and reads them: of sessions it knows nothing.
//!
//! The owner of a pump polls it, reads its [`input`](Pump::input), [consumes](Pump::consume) what it has
//! understood, and [refills](Pump::refill) the output. Nothing here waits and nothing here locks, so that the owner
//! does both once for all that has moved.
//!
//! What is read lands in memory that the owner lends for the time of a poll, on its stack, and only the rest of it,
//! less than a PDU, is kept: a pump at rest holds next to nothing.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much is read at once. Octets.
const READ: usize = 16 * 1024;

/// How much is written at once: what TLS puts into one record. A longer write may fail after records of it
/// have gone, and not say so; what went with them would pass for never sent.
const RECORD: usize = 16 * 1024;

/// So many octets that have gone are not kept for the sake of those behind them.
const MUCH: usize = 64 * 1024;

/// More octets than a socket keeps for a program that does not read: what is read beyond them has just come.
const SOCKET_HOLDS: usize = 8 << 20;

/// Memory to read into, for the stack of whoever polls: `ReadBuf::uninit(&mut scratch())`.
pub(crate) const fn scratch() -> [MaybeUninit<u8>; READ] {
    [const { MaybeUninit::uninit() }; READ]
}

/// One transport, what was read from it and what is on its way out.
pub(crate) struct Pump<S> {
    io: S,
    /// Read before and not consumed: less than one PDU, but while the owner does not want input.
    kept: Vec<u8>,
    /// On its way out, and how much of it has gone.
    output: Vec<u8>,
    written: usize,
    /// Octets written, of which the transport may still hold some.
    unflushed: bool,
    /// Why nothing more can be written.
    failure: Option<io::Error>,
    /// Octets read since there was last nothing to read.
    unpaused: usize,
}

/// What a poll has moved, and how the transport is.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    /// Octets handed to the transport.
    pub(crate) sent: usize,
    /// Octets read.
    pub(crate) read: usize,
    /// Nothing more will come.
    pub(crate) eof: bool,
    /// The transport has failed: nothing more comes or goes.
    pub(crate) failure: Option<io::Error>,
}

impl Moved {
    /// Whether anything came or went.
    pub(crate) const fn any(&self) -> bool {
        self.sent > 0 || self.read > 0
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pump<S> {
    pub(crate) const fn new(io: S) -> Self {
        Self {
            io,
            kept: Vec::new(),
            output: Vec::new(),
            written: 0,
            unflushed: false,
            failure: None,
            unpaused: 0,
        }
    }

    /// Writes what the transport takes, then reads once if `reads`. A failed write is told once nothing more is
    /// read: what the peer said before it went is still heard.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, reads: bool, scratch: &mut ReadBuf<'_>) -> Moved {
        let mut moved = Moved::default();
        scratch.clear();
        moved.failure = self.write(cx, &mut moved.sent);
        if reads {
            match self.poll_read(cx, scratch) {
                Poll::Ready(Ok(0)) => moved.eof = true,
                Poll::Ready(Ok(octets)) => {
                    moved.read = octets;
                    self.failure = moved.failure.take();
                }
                Poll::Ready(Err(error)) => moved.failure = moved.failure.or(Some(error)),
                Poll::Pending => {}
            }
        }
        self.unpaused = if moved.read == 0 { 0 } else { self.unpaused.saturating_add(moved.read) };
        moved
    }

    /// What was read, by now and before, and not consumed. `scratch` is that of the last poll.
    pub(crate) fn input<'a>(&'a self, scratch: &'a ReadBuf<'_>) -> &'a [u8] {
        if self.kept.is_empty() { scratch.filled() } else { &self.kept }
    }

    /// So many octets of the [`input`](Self::input) are done with; the rest is kept. Call it after every poll, as
    /// `scratch` is overwritten by the next.
    pub(crate) fn consume(&mut self, octets: usize, scratch: &ReadBuf<'_>) {
        if !self.kept.is_empty() {
            self.kept.drain(..octets.min(self.kept.len()));
        } else if let Some(rest) = scratch.filled().get(octets..) {
            self.kept.extend_from_slice(rest);
        }
    }

    /// Lets `poll_transmit` put what is to be written next into the output, once all of it has gone. Whether it has
    /// put anything there.
    pub(crate) fn refill(&mut self, poll_transmit: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
        if self.written < self.output.len() {
            return false;
        }
        self.output.clear();
        self.written = 0;
        poll_transmit(&mut self.output)
    }

    /// Whether what had come by now has been read, or the peer never pauses: time to look at the time.
    pub(crate) const fn is_caught_up(&self) -> bool {
        self.unpaused == 0 || self.unpaused > SOCKET_HOLDS
    }

    /// Gives back the memory of buffers that hold nothing.
    pub(crate) fn shrink(&mut self) {
        if self.kept.is_empty() {
            self.kept = Vec::new();
        }
        if self.written == self.output.len() {
            (self.output, self.written) = (Vec::new(), 0);
        }
    }

    /// Takes leave of the peer.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    /// Writes what the transport takes, counts it, and says why it takes no more.
    fn write(&mut self, cx: &mut Context<'_>, sent: &mut usize) -> Option<io::Error> {
        if let Some(failure) = self.failure.take() {
            return Some(failure);
        }
        while let Some(rest) = self.output.get(self.written..).filter(|rest| !rest.is_empty()) {
            let rest = rest.get(..RECORD).unwrap_or(rest);
            match Pin::new(&mut self.io).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => return Some(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(octets)) => {
                    self.written += octets;
                    *sent += octets;
                    self.unflushed = true;
                }
                Poll::Ready(Err(error)) => return Some(error),
                Poll::Pending => {
                    self.give_back();
                    break;
                }
            }
        }
        if self.unflushed && self.written == self.output.len() {
            match Pin::new(&mut self.io).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(error)) => return Some(error),
                Poll::Pending => {}
            }
        }
        None
    }

    /// The transport is full: keeps what waits for it, and not what has gone before.
    fn give_back(&mut self) {
        if self.written > MUCH {
            self.output.drain(..self.written.min(self.output.len()));
            self.output.shrink_to_fit();
            self.written = 0;
        }
    }

    /// Reads once: into `scratch`, or behind what is kept.
    fn poll_read(&mut self, cx: &mut Context<'_>, scratch: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.io).poll_read(cx, scratch);
        read.map_ok(|()| {
            let read = scratch.filled();
            if !self.kept.is_empty() {
                self.kept.extend_from_slice(read);
            }
            read.len()
        })
    }
}
