//! The two halves of a transport that several threads use: one thread at a time reads, one thread at a time writes.
//! This file knows no PDU and keeps no time.
//!
//! ```text
//!   reading thread:  Reader::read ──▶ received() ──▶ (session, under its lock) ──▶ keep_last(remaining)
//!   writing thread:  (session, under its lock) ──▶ Writer::has_output ──▶ Writer::write ──▶ number of octets taken
//! ```
//!
//! Each half has a mutex of its own. A thread holds it while it reads or writes, and does not hold the session's lock
//! meanwhile.

use std::io;
use std::sync::TryLockError;
use std::time::Duration;

use smpp_proto::session::{Config, Instant};

use crate::buffer::Buffer;
use crate::sync::{Mutex, MutexGuard};
use crate::transport::{Duplex, MIN_WAIT, is_pause};

/// The longest time that one write waits for a peer that takes nothing. The peer may itself wait until we read.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_millis(50);

/// More octets than a socket buffers for a program that does not read. Octets that are read beyond this number have just
/// arrived.
pub(crate) const SOCKET_BUFFER_MAX: usize = 8 << 20;

/// Returns how often a session frees the memory of empty buffers and tables: once in each keep-alive period.
pub(crate) fn shrink_interval(config: &Config) -> Duration {
    config.enquire_link_interval.unwrap_or(Duration::from_secs(20))
}

/// The result of one read.
pub(crate) enum Read {
    /// Octets were received.
    Octets,
    /// No octet came within the timeout.
    Pause,
    /// The peer has closed its side of the connection.
    EndOfStream,
    /// The transport has failed.
    Failed(io::Error),
}

/// The result of one write.
pub(crate) enum Written {
    /// The transport took this many octets. Zero if it only wrote octets that it had held back.
    Octets(usize),
    /// The transport took no octet within the timeout.
    Pause,
    /// The transport failed.
    Failed(io::Error),
}

/// The reading half: the receive buffer, and what is known about the socket.
pub(crate) struct Reader {
    pub(crate) received: Buffer,
    /// Whether `received` holds octets that the session does not want yet, rather than an incomplete PDU.
    pub(crate) held: bool,
    /// How many octets of `received` the session has consumed, while they are passed to it.
    pub(crate) passed: usize,
    /// The last time at which the socket had nothing to read. Octets that came later came in time.
    pub(crate) caught_up: Instant,
    /// Octets read since `caught_up`.
    octets_since: usize,
    /// The read timeout that was set last, so that it is not set again.
    timeout: Option<Duration>,
    shrink_interval: Duration,
    /// When the memory of empty buffers is freed next.
    shrink_at: Instant,
}

impl Reader {
    /// Makes the reader of a session.
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            received: Buffer::new(config.max_pdu),
            held: false,
            passed: 0,
            caught_up: Instant::ZERO,
            octets_since: 0,
            timeout: None,
            shrink_interval: shrink_interval(config),
            shrink_at: Instant::ZERO,
        }
    }

    /// Returns whether the memory of empty buffers and tables is to be freed at `now`: once in each keep-alive period.
    /// They grow again when they are needed.
    pub(crate) fn is_shrink_due(&mut self, now: Instant) -> bool {
        let is_due = self.shrink_at <= now;
        if is_due {
            self.shrink_at = now + self.shrink_interval;
        }
        is_due
    }

    /// Reads once, and waits at most `wait`. `now` is the time before the read.
    pub(crate) fn read(&mut self, stream: &dyn Duplex, now: Instant, wait: Duration) -> Read {
        let wait = Some(wait.max(MIN_WAIT));
        if self.timeout != wait {
            if let Err(error) = stream.set_receive_timeout(wait) {
                return Read::Failed(error);
            }
            self.timeout = wait;
        }
        match stream.receive(self.received.space()) {
            Ok(0) => Read::EndOfStream,
            Ok(read) => {
                self.received.advance(read);
                // A timeout counts only after all received octets were read, however late the program reads them.
                // But a peer that never pauses must not stop the clock.
                self.octets_since = self.octets_since.saturating_add(read);
                if self.octets_since > SOCKET_BUFFER_MAX {
                    self.caught_up = now;
                }
                Read::Octets
            }
            Err(error) if is_pause(&error) => {
                self.catch_up(now);
                Read::Pause
            }
            Err(error) => Read::Failed(error),
        }
    }

    /// Begins to pass the received octets to the session. If a panic of an observer has interrupted the last time, the
    /// octets after those that were consumed are still there. If one interrupts this time, the next reading thread
    /// passes the octets again before it reads.
    pub(crate) fn begin_pass(&mut self) {
        if self.passed > 0 {
            let remaining = self.received.received().len().saturating_sub(self.passed);
            self.end_pass(remaining);
        }
        self.held = true;
    }

    /// Records that the session has consumed all octets but the last `remaining`.
    pub(crate) fn end_pass(&mut self, remaining: usize) {
        self.received.keep_last(remaining);
        self.passed = 0;
    }

    /// Records that there was nothing more to read at `now`.
    pub(crate) fn catch_up(&mut self, now: Instant) {
        self.caught_up = now;
        self.octets_since = 0;
    }
}

/// The writing half: the octets that are being written.
#[derive(Default)]
pub(crate) struct Writer {
    output: Vec<u8>,
    /// How many octets of `output` the transport has taken.
    written: usize,
    /// Whether the transport may hold back octets that it has taken.
    unflushed: bool,
}

impl Writer {
    /// Returns whether there is something to write. If the buffer is empty, `refill` may add more output to it.
    pub(crate) fn has_output(&mut self, refill: impl FnOnce(&mut Vec<u8>)) -> bool {
        if self.written >= self.output.len() {
            self.output.clear();
            self.written = 0;
            refill(&mut self.output);
        }
        self.unflushed || !self.output.is_empty()
    }

    /// Frees memory if all octets are written.
    pub(crate) fn shrink(&mut self) {
        if self.written >= self.output.len() {
            self.output = Vec::new();
            self.written = 0;
        }
    }

    /// Writes once, and flushes after the last octets.
    pub(crate) fn write(&mut self, stream: &dyn Duplex) -> Written {
        let remaining = self.output.get(self.written..).unwrap_or_default();
        let result = if remaining.is_empty() { Ok(0) } else { reject_zero(stream.transmit(remaining)) };
        match result {
            Ok(octets) => {
                self.written += octets;
                self.unflushed = true;
                if self.written < self.output.len() {
                    return Written::Octets(octets);
                }
                match stream.transmit_held() {
                    Ok(()) => self.unflushed = false,
                    Err(error) if octets == 0 => return failed(error),
                    // The next write flushes again and returns the error.
                    Err(_) => {}
                }
                Written::Octets(octets)
            }
            Err(error) => failed(error),
        }
    }
}

/// Turns a write of zero octets into an error: a transport that returned it would return it again.
fn reject_zero(written: io::Result<usize>) -> io::Result<usize> {
    if matches!(written, Ok(0)) { Err(io::ErrorKind::WriteZero.into()) } else { written }
}

fn failed(error: io::Error) -> Written {
    if is_pause(&error) { Written::Pause } else { Written::Failed(error) }
}

/// Locks one half, unless another thread holds it. Ignores poisoning: a panic leaves the half as it was after its last
/// call.
pub(crate) fn try_take<T>(half: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match half.try_lock() {
        Ok(half) => Some(half),
        Err(TryLockError::Poisoned(half)) => Some(half.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
