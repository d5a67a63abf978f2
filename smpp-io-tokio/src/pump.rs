//! Buffered reads and writes of one transport. It does not depend on the session.
//!
//! The owner of a pump polls it, reads its [`input`](Pump::input), [consumes](Pump::consume) what it has processed, and
//! [refills](Pump::refill) the output. The pump takes no lock: the owner locks once for everything that a poll has read
//! and written.
//!
//! A poll reads into a buffer on the owner's stack. The pump stores only an incomplete PDU at the end of it: an idle pump
//! holds almost no memory.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The octets of one read at most.
const READ_SIZE: usize = 16 * 1024;

/// The octets of one write at most: the size of a TLS record. A longer write may fail after some of its records have left,
/// without reporting how many; their requests would then be reported as never sent.
const MAX_WRITE: usize = 16 * 1024;

/// The written octets that the output buffer keeps at most in front of the unwritten ones.
const COMPACT_THRESHOLD: usize = 64 * 1024;

/// More octets than the receive buffer of a socket holds. After that many without a pause, the octets that are read have
/// just arrived.
const MAX_SOCKET_BUFFER: usize = 8 << 20;

/// Returns a buffer to read into, for the stack of the caller of [`Pump::poll`]: `ReadBuf::uninit(&mut scratch())`.
pub(crate) const fn scratch() -> [MaybeUninit<u8>; READ_SIZE] {
    [const { MaybeUninit::uninit() }; READ_SIZE]
}

/// One transport with its input and output buffers.
pub(crate) struct Pump<S> {
    io: S,
    /// Read by an earlier poll and not consumed: an incomplete PDU, or more while the owner does not want input.
    unconsumed: Vec<u8>,
    output: Vec<u8>,
    /// How many octets of `output` are written.
    written: usize,
    /// The transport may still hold octets that were written.
    unflushed: bool,
    /// The error of a write, until it is reported.
    write_error: Option<io::Error>,
    /// The octets read since a poll last read nothing.
    read_without_pause: usize,
    /// The peer has closed its side: the transport is not read again.
    is_at_end: bool,
    /// The output frees its memory when it is written.
    shrinks: bool,
}

/// The result of a poll.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The octets that the transport has accepted.
    pub(crate) sent: usize,
    /// The octets read.
    pub(crate) read: usize,
    /// The transport has failed: it neither reads nor writes any more.
    pub(crate) error: Option<io::Error>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pump<S> {
    pub(crate) const fn new(io: S) -> Self {
        Self {
            io,
            unconsumed: Vec::new(),
            output: Vec::new(),
            written: 0,
            unflushed: false,
            write_error: None,
            read_without_pause: 0,
            is_at_end: false,
            shrinks: false,
        }
    }

    /// Writes as much as the transport accepts, then reads once if `reads`. The error of a write is reported only when
    /// there is nothing left to read: responses that the peer sent before the failure are still processed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, reads: bool, scratch: &mut ReadBuf<'_>) -> Progress {
        let mut progress = Progress::default();
        scratch.clear();
        progress.error = self.write(cx, &mut progress.sent);
        if reads && !self.is_at_end {
            match self.poll_read(cx, scratch) {
                Poll::Ready(Ok(0)) => self.is_at_end = true,
                Poll::Ready(Ok(octets)) => {
                    progress.read = octets;
                    self.write_error = progress.error.take();
                }
                Poll::Ready(Err(error)) => progress.error = progress.error.or(Some(error)),
                Poll::Pending => {}
            }
        }
        self.read_without_pause =
            if progress.read == 0 { 0 } else { self.read_without_pause.saturating_add(progress.read) };
        progress
    }

    /// Returns whether the peer has closed its side. There may still be [`input`](Self::input) that is not consumed.
    pub(crate) const fn is_at_end(&self) -> bool {
        self.is_at_end
    }

    /// Returns the octets that are read and not consumed. `scratch` is the buffer of the last poll.
    pub(crate) fn input<'a>(&'a self, scratch: &'a ReadBuf<'_>) -> &'a [u8] {
        if self.unconsumed.is_empty() { scratch.filled() } else { &self.unconsumed }
    }

    /// Removes `octets` from the front of the [`input`](Self::input) and stores the rest. Must be called after every poll,
    /// because the next one overwrites `scratch`.
    pub(crate) fn consume(&mut self, octets: usize, scratch: &ReadBuf<'_>) {
        if !self.unconsumed.is_empty() {
            self.unconsumed.drain(..octets.min(self.unconsumed.len()));
        } else if let Some(rest) = scratch.filled().get(octets..) {
            self.unconsumed.extend_from_slice(rest);
        }
    }

    /// Calls `poll_transmit` to fill the output buffer, if all of it is written. Returns whether there is new output.
    pub(crate) fn refill(&mut self, poll_transmit: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
        if self.written < self.output.len() {
            return false;
        }
        self.output.clear();
        self.written = 0;
        let has_output = poll_transmit(&mut self.output);
        if !has_output && std::mem::take(&mut self.shrinks) {
            self.output = Vec::new();
        }
        has_output
    }

    /// Returns whether timeouts may be checked: everything that had arrived is read, or the peer sends without a pause.
    pub(crate) const fn is_caught_up(&self) -> bool {
        self.read_without_pause == 0 || self.read_without_pause > MAX_SOCKET_BUFFER
    }

    /// Returns how many octets are read and not consumed, or not written.
    pub(crate) fn held(&self) -> usize {
        self.unconsumed.len() + self.output.len().saturating_sub(self.written)
    }

    /// Frees the memory of empty buffers, of the output once it is written.
    pub(crate) fn shrink(&mut self) {
        if self.unconsumed.is_empty() {
            self.unconsumed = Vec::new();
        }
        self.shrinks = true;
    }

    /// Closes the transport.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    /// Writes as much as the transport accepts and adds it to `sent`. Returns the error if the transport has failed.
    fn write(&mut self, cx: &mut Context<'_>, sent: &mut usize) -> Option<io::Error> {
        if let Some(error) = self.write_error.take() {
            return Some(error);
        }
        while let Some(rest) = self.output.get(self.written..).filter(|rest| !rest.is_empty()) {
            let rest = rest.get(..MAX_WRITE).unwrap_or(rest);
            match Pin::new(&mut self.io).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => return Some(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(octets)) => {
                    self.written += octets;
                    *sent += octets;
                    self.unflushed = true;
                }
                Poll::Ready(Err(error)) => return Some(error),
                Poll::Pending => {
                    self.compact();
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

    /// Frees the memory of written octets while the transport accepts no more.
    fn compact(&mut self) {
        if self.written > COMPACT_THRESHOLD {
            self.output.drain(..self.written.min(self.output.len()));
            self.output.shrink_to_fit();
            self.written = 0;
        }
    }

    /// Reads once into `scratch`, and appends to the unconsumed octets if there are any.
    fn poll_read(&mut self, cx: &mut Context<'_>, scratch: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.io).poll_read(cx, scratch);
        read.map_ok(|()| {
            let read = scratch.filled();
            if !self.unconsumed.is_empty() {
                self.unconsumed.extend_from_slice(read);
            }
            read.len()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::task::Waker;

    use super::*;

    /// A transport whose reads and writes have these results, in order, and then wait.
    #[derive(Default)]
    struct Mock {
        reads: VecDeque<io::Result<&'static [u8]>>,
        writes: VecDeque<io::Result<usize>>,
        flushes: usize,
    }

    impl AsyncRead for Mock {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            out: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let Some(read) = self.reads.pop_front() else { return Poll::Pending };
            Poll::Ready(read.map(|octets| out.put_slice(octets)))
        }
    }

    impl AsyncWrite for Mock {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            self.writes.pop_front().map_or(Poll::Pending, Poll::Ready)
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.flushes += 1;
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    type Reads = Vec<io::Result<&'static [u8]>>;

    /// A pump with `output` octets to write.
    fn pump(output: usize, reads: Reads, writes: Vec<io::Result<usize>>) -> Pump<Mock> {
        let mut pump = Pump::new(Mock { reads: reads.into(), writes: writes.into(), flushes: 0 });
        assert_eq!(refill(&mut pump, output), output > 0);
        pump
    }

    fn refill(pump: &mut Pump<Mock>, output: usize) -> bool {
        pump.refill(|out| {
            out.resize(output, 1);
            output > 0
        })
    }

    /// Polls the pump, and consumes `consumed` octets of the input.
    fn poll(pump: &mut Pump<Mock>, consumed: usize) -> Progress {
        let mut memory = scratch();
        let mut scratch = ReadBuf::uninit(&mut memory);
        let progress = pump.poll(&mut Context::from_waker(Waker::noop()), true, &mut scratch);
        pump.consume(consumed, &scratch);
        progress
    }

    fn kind(progress: &Progress) -> Option<io::ErrorKind> {
        progress.error.as_ref().map(io::Error::kind)
    }

    #[test]
    fn the_error_of_a_write_is_reported_once_nothing_is_left_to_read() {
        let reads: Reads = vec![Ok(b"one"), Ok(b"two")];
        let mut pump = pump(10, reads, vec![Err(io::ErrorKind::BrokenPipe.into()), Ok(10)]);
        assert_eq!(kind(&poll(&mut pump, 3)), None);
        assert_eq!(kind(&poll(&mut pump, 3)), None);
        let last = poll(&mut pump, 0);
        assert_eq!((last.sent, kind(&last)), (0, Some(io::ErrorKind::BrokenPipe)));
        assert_eq!(pump.io.writes.len(), 1, "it does not write again");
    }

    #[test]
    fn a_transport_is_not_read_after_its_end() {
        let reads: Reads = vec![Ok(b"last"), Ok(b""), Ok(b"more")];
        let mut pump = pump(0, reads, Vec::new());
        assert_eq!(poll(&mut pump, 4).read, 4);
        assert!(!pump.is_at_end());
        for _ in 0..2 {
            assert_eq!(poll(&mut pump, 0).read, 0);
            assert!(pump.is_at_end());
        }
        assert_eq!(pump.io.reads.len(), 1);
    }

    #[test]
    fn a_transport_that_accepts_no_octet_has_failed() {
        let progress = poll(&mut pump(10, Vec::new(), vec![Ok(4), Ok(0)]), 0);
        assert_eq!((progress.sent, kind(&progress)), (4, Some(io::ErrorKind::WriteZero)));
    }

    #[test]
    fn output_is_flushed_once_after_its_last_octet() {
        let mut pump = pump(10, Vec::new(), vec![Ok(4)]);
        poll(&mut pump, 0);
        assert_eq!(pump.io.flushes, 0, "there is more to write");
        pump.io.writes.push_back(Ok(6));
        poll(&mut pump, 0);
        poll(&mut pump, 0);
        assert_eq!(pump.io.flushes, 1);
    }

    #[test]
    fn written_octets_are_freed_while_the_transport_accepts_no_more() {
        let writes = |octets: usize| (0..octets / MAX_WRITE).map(|_| Ok(MAX_WRITE)).collect();
        let mut few = pump(2 * COMPACT_THRESHOLD, Vec::new(), writes(COMPACT_THRESHOLD));
        assert_eq!(poll(&mut few, 0).sent, COMPACT_THRESHOLD);
        assert_eq!((few.output.len(), few.written), (2 * COMPACT_THRESHOLD, COMPACT_THRESHOLD));
        let mut many = pump(2 * COMPACT_THRESHOLD, Vec::new(), writes(COMPACT_THRESHOLD + MAX_WRITE));
        assert_eq!(poll(&mut many, 0).sent, COMPACT_THRESHOLD + MAX_WRITE);
        assert_eq!((many.output.len(), many.written), (COMPACT_THRESHOLD - MAX_WRITE, 0));
        assert!(many.output.capacity() < 2 * COMPACT_THRESHOLD);
    }

    #[test]
    fn memory_is_freed_when_it_is_empty_and_the_session_is_quiet() {
        let mut pump = pump(10, vec![Ok(b"part"), Ok(b" of a PDU")], vec![Ok(10)]);
        poll(&mut pump, 0);
        pump.shrink();
        assert_eq!(pump.unconsumed, b"part", "the rest of the PDU follows");
        poll(&mut pump, 13);
        assert!(pump.unconsumed.is_empty() && pump.unconsumed.capacity() > 0);
        // New output keeps the buffer, until it is written.
        assert!(refill(&mut pump, 5) && pump.output.len() == 5);
        pump.io.writes.push_back(Ok(5));
        poll(&mut pump, 0);
        assert!(!refill(&mut pump, 0));
        assert_eq!(pump.output.capacity(), 0);
        pump.shrink();
        assert_eq!(pump.unconsumed.capacity(), 0);
        // A session that is busy keeps its buffer.
        assert!(!refill(&mut pump, 0) && refill(&mut pump, 5));
        pump.io.writes.push_back(Ok(5));
        poll(&mut pump, 0);
        assert!(!refill(&mut pump, 0));
        assert!(pump.output.capacity() > 0);
    }
}
