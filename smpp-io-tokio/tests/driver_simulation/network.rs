//! An in-memory network that delays, splits, stalls, half-closes and cuts.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::rng::Rng;

/// What happens to one connection.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    delay: Duration,
    /// How many octets one read or write takes at most.
    piece: usize,
    capacity: usize,
    /// Nothing arrives in this time, in either direction.
    stall: Option<(Instant, Instant)>,
    /// The stream to the ESME ends.
    half_close: Option<Instant>,
    /// The connection fails.
    cut: Option<Instant>,
}

impl Faults {
    pub(crate) fn new(rng: &mut Rng, faulty: bool) -> Self {
        let now = Instant::now();
        let piece = [1, 7, 64, 1 << 16][rng.below(4) as usize];
        let (stall_start, stall) = (now + rng.millis(60_000), rng.millis(40_000));
        let half_close = now + rng.millis(90_000);
        let cut = now + rng.millis(90_000);
        Self {
            delay: rng.millis(200),
            piece,
            capacity: [100, 1_000, 1 << 16][rng.below(3) as usize],
            stall: (faulty && rng.percent(40)).then_some((stall_start, stall_start + stall)),
            half_close: (faulty && rng.percent(20)).then_some(half_close),
            cut: (faulty && rng.percent(20)).then_some(cut),
        }
    }
}

/// A write that the network has accepted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write {
    pub(crate) at: Instant,
    /// The octets accepted so far, these included.
    pub(crate) total: u64,
    /// The network had accepted nothing before.
    pub(crate) was_blocked: bool,
}

/// One direction of a connection.
#[derive(Debug)]
struct Pipe {
    faults: Faults,
    chunks: VecDeque<(Instant, Vec<u8>)>,
    buffered: usize,
    /// When the writer has closed it, with the delay.
    end: Option<Instant>,
    is_reader_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    is_blocked: bool,
    total: u64,
    writes: Vec<Write>,
}

impl Pipe {
    fn new(faults: &Faults, half_close: Option<Instant>) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            faults: faults.clone(),
            chunks: VecDeque::new(),
            buffered: 0,
            end: half_close,
            is_reader_gone: false,
            reader: None,
            writer: None,
            is_blocked: false,
            total: 0,
            writes: Vec::new(),
        }))
    }

    /// Returns when octets that are written now arrive.
    fn arrival(&self) -> Instant {
        let at = Instant::now() + self.faults.delay;
        let at = match self.faults.stall {
            Some((start, end)) if at >= start && at < end => end,
            _ => at,
        };
        self.chunks.back().map_or(at, |(last, _)| at.max(*last))
    }

    fn is_cut(&self) -> bool {
        self.faults.cut.is_some_and(|cut| Instant::now() >= cut)
    }
}

/// The writes of the ESME, and the time at which it dropped the connection.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub(crate) writes: Vec<Write>,
    pub(crate) dropped: Option<Instant>,
}

/// One end of a connection.
pub(crate) struct End {
    input: Arc<Mutex<Pipe>>,
    output: Arc<Mutex<Pipe>>,
    timer: Pin<Box<Sleep>>,
    /// Wakes the writer when the connection is cut.
    cut: Option<Pin<Box<Sleep>>>,
    trace: Option<Arc<Mutex<Trace>>>,
}

/// Returns the ends of the ESME and of the SMSC.
pub(crate) fn connection(faults: &Faults, trace: &Arc<Mutex<Trace>>) -> (End, End) {
    let (to_esme, to_smsc) = (Pipe::new(faults, faults.half_close), Pipe::new(faults, None));
    let end = |input: &Arc<Mutex<Pipe>>, output: &Arc<Mutex<Pipe>>, trace| End {
        input: Arc::clone(input),
        output: Arc::clone(output),
        timer: Box::pin(sleep_until(Instant::now())),
        cut: faults.cut.map(|cut| Box::pin(sleep_until(cut))),
        trace,
    };
    (end(&to_esme, &to_smsc, Some(Arc::clone(trace))), end(&to_smsc, &to_esme, None))
}

fn reset() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

impl AsyncRead for End {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let mut guard = this.input.lock().unwrap();
        let pipe = &mut *guard;
        if pipe.is_cut() {
            return Poll::Ready(Err(reset()));
        }
        let now = Instant::now();
        let next = match pipe.chunks.front_mut() {
            // What arrives after the end of the stream is lost.
            Some((at, chunk)) if *at <= now => {
                let count = chunk.len().min(out.remaining());
                out.put_slice(&chunk[..count]);
                chunk.drain(..count);
                if chunk.is_empty() {
                    pipe.chunks.pop_front();
                }
                pipe.buffered -= count;
                let writer = pipe.writer.take();
                drop(guard);
                if let Some(writer) = writer {
                    writer.wake();
                }
                return Poll::Ready(Ok(()));
            }
            Some((at, _)) => Some(*at),
            None if pipe.end.is_some_and(|end| end <= now) => return Poll::Ready(Ok(())),
            None => pipe.end,
        };
        pipe.reader = Some(cx.waker().clone());
        let next = [next, pipe.faults.cut].into_iter().flatten().min();
        drop(guard);
        if let Some(at) = next {
            this.timer.as_mut().reset(at);
            if this.timer.as_mut().poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
        Poll::Pending
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let mut pipe = this.output.lock().unwrap();
        if pipe.is_cut() || pipe.is_reader_gone {
            return Poll::Ready(Err(reset()));
        }
        let room = pipe.faults.capacity - pipe.buffered;
        let count = octets.len().min(pipe.faults.piece).min(room);
        if count == 0 {
            pipe.is_blocked = true;
            pipe.writer = Some(cx.waker().clone());
            drop(pipe);
            if let Some(cut) = &mut this.cut
                && cut.as_mut().poll(cx).is_ready()
            {
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        pipe.total += count as u64;
        let write = Write {
            at: Instant::now(),
            total: pipe.total,
            was_blocked: std::mem::take(&mut pipe.is_blocked),
        };
        pipe.writes.push(write);
        if let Some(trace) = &this.trace {
            trace.lock().unwrap().writes.push(write);
        }
        // After a half-close of this direction, what is written is lost.
        if pipe.end.is_none_or(|end| Instant::now() < end) {
            let arrival = pipe.arrival();
            pipe.chunks.push_back((arrival, octets[..count].to_vec()));
            pipe.buffered += count;
        }
        let reader = pipe.reader.take();
        drop(pipe);
        if let Some(reader) = reader {
            reader.wake();
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        close(&self.output);
        Poll::Ready(Ok(()))
    }
}

/// Ends a direction after what is written.
fn close(output: &Mutex<Pipe>) {
    let mut pipe = output.lock().unwrap();
    let end = pipe.arrival();
    pipe.end = Some(pipe.end.map_or(end, |known| known.min(end)));
    let reader = pipe.reader.take();
    drop(pipe);
    if let Some(reader) = reader {
        reader.wake();
    }
}

impl Drop for End {
    fn drop(&mut self) {
        close(&self.output);
        let mut pipe = self.input.lock().unwrap();
        pipe.is_reader_gone = true;
        let writer = pipe.writer.take();
        drop(pipe);
        if let Some(writer) = writer {
            writer.wake();
        }
        if let Some(trace) = &self.trace {
            trace.lock().unwrap().dropped = Some(Instant::now());
        }
    }
}
