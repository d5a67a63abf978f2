//! The transport's half of a connection that several threads use: one of them reads, one of them writes. Nothing here
//! knows what the octets mean, nor who keeps time.
//!
//! ```text
//!   who reads:   Reader::read ──▶ received() ──▶ (state machine, under its lock) ──▶ keep(left)
//!   who writes:  (state machine, under its lock) ──▶ Writer::output ──▶ Writer::write ──▶ how much has gone
//! ```
//!
//! Each half stands behind a mutex of its own, which is held for as long as a thread reads or writes; the state
//! machine's lock is never held meanwhile.

use std::io;
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use smpp_core::session::Instant;

use crate::buffer::Buffer;
use crate::stream::{Duplex, is_pause};

/// The shortest time to wait: a socket takes zero for ever.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// The longest time to wait for a peer that takes nothing: it may be waiting for us to read.
pub(crate) const WRITE_SLICE: Duration = Duration::from_millis(50);

/// More octets than a socket keeps for a program that does not read: what is read beyond them has just come.
pub(crate) const SOCKET_HOLDS: usize = 8 << 20;

/// What a read has led to.
pub(crate) enum Read {
    /// Octets have come.
    Octets,
    /// Nothing has, in the time given.
    Pause,
    /// Nothing ever will: the end of the stream, or an error.
    Lost(Option<io::Error>),
}

/// What a write has led to.
pub(crate) enum Written {
    /// The transport has taken so many octets; none, if it has written what it held back.
    Octets(usize),
    /// It has taken nothing, in the time given.
    Pause,
    /// It never will.
    Failed(io::Error),
}

/// What the thread that reads has in its hands.
pub(crate) struct Reader {
    pub(crate) received: Buffer,
    /// Whether what is `received` waits for the state machine to want it, not for more octets.
    pub(crate) held: bool,
    /// When there was last nothing to read: what came since has been in time.
    pub(crate) caught_up: Instant,
    /// Octets read since then.
    unpaused: usize,
    /// What the transport was last told, so that it is not told again.
    timeout: Option<Duration>,
}

impl Reader {
    /// Keeps `limit` octets at most.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            received: Buffer::new(limit),
            held: false,
            caught_up: Instant::ZERO,
            unpaused: 0,
            timeout: None,
        }
    }

    /// Reads once, for `wait` at most. `now` is the time before.
    pub(crate) fn read(&mut self, stream: &dyn Duplex, now: Instant, wait: Duration) -> Read {
        let wait = Some(wait.max(TICK));
        if self.timeout != wait {
            if let Err(error) = stream.set_receive_timeout(wait) {
                return Read::Lost(Some(error));
            }
            self.timeout = wait;
        }
        match stream.receive(self.received.space()) {
            Ok(0) => Read::Lost(None),
            Ok(read) => {
                self.received.advance(read);
                // What has come is read before silence is counted, however long the program was away; but a
                // peer that never pauses does not stop the clock.
                self.unpaused = self.unpaused.saturating_add(read);
                if self.unpaused > SOCKET_HOLDS {
                    self.caught_up = now;
                }
                Read::Octets
            }
            Err(error) if is_pause(&error) => {
                self.catch_up(now);
                Read::Pause
            }
            Err(error) => Read::Lost(Some(error)),
        }
    }

    /// There was nothing more to read at this time.
    pub(crate) fn catch_up(&mut self, now: Instant) {
        self.caught_up = now;
        self.unpaused = 0;
    }
}

/// What the thread that writes has in its hands.
#[derive(Default)]
pub(crate) struct Writer {
    /// On its way out, and how much of it has gone.
    output: Vec<u8>,
    gone: usize,
    /// Whether the transport may hold back what it has taken.
    unflushed: bool,
}

impl Writer {
    /// Whether there is something to write. Once all is gone, `refill` may put more into the empty buffer.
    pub(crate) fn has_output(&mut self, refill: impl FnOnce(&mut Vec<u8>)) -> bool {
        if self.gone >= self.output.len() {
            self.output.clear();
            self.gone = 0;
            refill(&mut self.output);
        }
        self.unflushed || !self.output.is_empty()
    }

    /// One write, and the flush if it was the last one.
    pub(crate) fn write(&mut self, stream: &dyn Duplex) -> Written {
        let left = self.output.get(self.gone..).unwrap_or_default();
        let written = if left.is_empty() { Ok(0) } else { taken(stream.transmit(left)) };
        match written {
            Ok(octets) => {
                self.gone += octets;
                self.unflushed = true;
                if self.gone < self.output.len() {
                    return Written::Octets(octets);
                }
                match stream.transmit_held() {
                    Ok(()) => self.unflushed = false,
                    Err(error) if octets == 0 => return failed(error),
                    // It shows again when what is held back is written.
                    Err(_) => {}
                }
                Written::Octets(octets)
            }
            Err(error) => failed(error),
        }
    }
}

/// A transport that takes nothing and does not say why will take nothing later.
fn taken(written: io::Result<usize>) -> io::Result<usize> {
    if matches!(written, Ok(0)) { Err(io::ErrorKind::WriteZero.into()) } else { written }
}

fn failed(error: io::Error) -> Written {
    if is_pause(&error) { Written::Pause } else { Written::Failed(error) }
}

/// Takes what another thread may have in its hands. A panic of that thread leaves it as it was after its last call.
pub(crate) fn try_take<T>(half: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match half.try_lock() {
        Ok(half) => Some(half),
        Err(TryLockError::Poisoned(half)) => Some(half.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
