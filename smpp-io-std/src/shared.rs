//! One session that several threads use, and who of them does its work.
//!
//! There are two offices, each behind a mutex that is only ever tried: *reading* and *writing*. Whoever waits for
//! something (an outcome, room, a request of the peer, the end) and finds one vacant holds it, as a program with one
//! thread would; if both are taken, it parks until it is told. So a program that sends and waits does so in its own
//! thread, and nothing is handed from thread to thread. When a thread leaves, it lets another that waits for an outcome
//! know that the office of reading is vacant. While nobody waits, the [keeper](crate::keeper) reads.
//!
//! # Locks
//!
//! The session's lock is held for as long as the session thinks. No system call is made under it. The offices are
//! tried under it and given up under it: a thread that adds to the output and finds the office of writing taken can
//! leave, because the holder looks at the output once more before it gives up the office. Nobody ever *waits* for an
//! office, and the session's lock is the only one that is waited for: there is no order to get wrong.
//!
//! # The end
//!
//! What a write has taken is known once it returns. Whether a request was sent is told only then: neither the time nor the
//! end of the session is told while another thread is in the middle of a write. It takes [`WRITE_SLICE`] at most.
//!
//! # Time
//!
//! Time is told by who reads, after a read that found nothing: what has come is heard before silence is counted. Who
//! reads waits until the session's next deadline, as far as it is known then; another thread may have set an earlier
//! one since. All that it can set are a whole `response`, `drain` or `session_init` ahead, so no read waits longer than
//! an eighth of the shortest of them: no time-out is later than that.

use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::{self, Duration};

use smpp_core::session::{Config, Instant, Role, State};

use crate::link::{Read, Reader, TICK, WRITE_SLICE, Writer, Written, try_take};
use crate::locked::{Core, Keeper};
use crate::stream::Duplex;
use crate::waiters::Part;

/// How often in the shortest period who reads looks up.
const LOOKS: u32 = 8;

/// Requests that may wait for company before they are written.
const BATCH: u32 = 32;

/// So short a time is waited for without reading.
const BRIEF: Duration = Duration::from_millis(8);

/// After so many writes a thread that others wait with lets one of them go on.
const SHIFT: u32 = 16;

pub(crate) type Guard<'a, R> = MutexGuard<'a, Core<R>>;

/// What the threads of one connection share.
pub(crate) struct Shared<R: Role> {
    core: Mutex<Core<R>>,
    reader: Mutex<Reader>,
    writer: Mutex<Writer>,
    stream: Box<dyn Duplex>,
    start: time::Instant,
    /// The longest that anyone reads without a look at the time.
    pub(crate) look: Duration,
    keeper: OnceLock<Thread>,
}

/// What an attempt to write has led to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// There is nothing to write, or another thread writes.
    Nothing,
    /// Something was written.
    Some,
    /// Something was written, and another thread goes on.
    HandedOver,
    /// The transport takes nothing at present.
    Paused,
}

impl<R: Role> Shared<R> {
    pub(crate) fn new(stream: Box<dyn Duplex>, config: &Config) -> io::Result<Self> {
        stream.set_transmit_timeout(Some(WRITE_SLICE))?;
        Ok(Self {
            core: Mutex::new(Core::new(config)),
            reader: Mutex::new(Reader::new(config.max_pdu)),
            writer: Mutex::default(),
            stream,
            start: time::Instant::now(),
            look: (config.response_timeout.min(config.drain_timeout).min(config.session_init_timeout)
                / LOOKS)
                .max(TICK),
            keeper: OnceLock::new(),
        })
    }

    /// A panic elsewhere leaves the session as consistent as it was: each of its calls completes.
    pub(crate) fn lock(&self) -> Guard<'_, R> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::after(self.start.elapsed())
    }

    /// The moment on the session's clock; its start if that was later.
    pub(crate) fn moment(&self, at: time::Instant) -> Instant {
        Instant::after(at.saturating_duration_since(self.start))
    }

    /// The current thread is the keeper.
    pub(crate) fn keep(&self) {
        self.keeper.get_or_init(thread::current);
    }

    /// Does something to the session, then sees to it that what came of it is written.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Core<R>, Instant) -> T) -> T {
        let mut core = self.lock();
        let now = self.now();
        let value = act(&mut core, now);
        core.written(now);
        self.leave(core, false);
        value
    }

    /// Does something to the session; what came of it may wait a little for company.
    pub(crate) fn with_company<T>(&self, act: impl FnOnce(&mut Core<R>, Instant) -> (T, bool)) -> T {
        let mut core = self.lock();
        let now = self.now();
        let (value, more) = act(&mut core, now);
        core.written(now);
        core.deferred += 1;
        let defer = more && core.deferred < BATCH;
        self.leave(core, defer);
        value
    }

    /// Works and waits until `ready` gives a value, which is `Some`, or `until`.
    ///
    /// `ready` is asked under the lock, whenever something may have changed, and with the number that the thread waits
    /// under, once it has one: it is to note whom to wake. It says when to ask again at the latest, if it knows.
    pub(crate) fn wait<T>(
        &self,
        part: Part,
        until: Option<Instant>,
        mut ready: impl FnMut(&mut Core<R>, &mut Option<u32>) -> Result<T, Option<Instant>>,
    ) -> Option<T> {
        let mut waiting = Waiting { shared: self, number: None };
        let mut core = self.lock();
        let mut rests = false;
        loop {
            let again = match ready(&mut core, &mut waiting.number) {
                Ok(value) => {
                    waiting.leave(core);
                    return Some(value);
                }
                Err(again) => again,
            };
            if until.is_some_and(|until| until <= self.now()) {
                waiting.leave(core);
                return None;
            }
            let until = until.into_iter().chain(again).min();
            if part != Part::Watches && !rests {
                let (next, progress) = self.write(core);
                core = next;
                if matches!(progress, Progress::Some | Progress::HandedOver) {
                    continue;
                }
                // A read may take longer than it should, by a few milliseconds: the pace is kept by a better clock.
                let brief = again.is_some_and(|again| again - self.now() < BRIEF);
                if let Some(reader) = try_take(&self.reader).filter(|_| !brief) {
                    let busy = core.session.wants_input() || progress == Progress::Paused;
                    let (next, woke) = self.turn(core, reader, until, progress);
                    core = next;
                    rests = !busy || (woke && part == Part::Helps);
                    continue;
                }
                if progress == Progress::Paused {
                    continue;
                }
            }
            // Between the last look and this the lock was never let go of: nothing is missed.
            match waiting.number {
                Some(number) => {
                    core = self.park(core, number, until);
                    rests = false;
                }
                // `ready` is to know whom to wake.
                None => waiting.number = Some(core.waiters.enlist(part)),
            }
        }
    }

    /// Parks until it is woken, or `until`.
    fn park<'a>(&'a self, mut core: Guard<'a, R>, number: u32, until: Option<Instant>) -> Guard<'a, R> {
        core.waiters.park(number);
        core.succeed(number);
        // While nothing is to be read, somebody has to look at the time.
        let idle = (!core.session.wants_input()).then_some(self.look);
        self.unlock(core);
        let wait = until.map(|until| until - self.now()).into_iter().chain(idle).min();
        match wait {
            Some(wait) => thread::park_timeout(wait),
            None => thread::park(),
        }
        let mut core = self.lock();
        core.waiters.unpark(number);
        core
    }

    /// Writes what is left, then reads once. Whether the thread may rest: another has something of what came, or
    /// nothing is to be read. `None` if another thread reads.
    pub(crate) fn work<'a>(&'a self, mut core: Guard<'a, R>) -> (Guard<'a, R>, Option<bool>) {
        let (next, progress) = self.write(core);
        core = next;
        let Some(reader) = try_take(&self.reader) else { return (core, None) };
        let reads = core.session.wants_input();
        let (core, woke) = self.turn(core, reader, None, progress);
        (core, Some(woke || !(reads || progress == Progress::Paused)))
    }

    /// Writes what others have left.
    pub(crate) fn write_rest<'a>(&'a self, core: Guard<'a, R>) -> Guard<'a, R> {
        self.write(core).0
    }

    /// Reads once, and tells the session what came and what time it is. Whether another thread has something of it.
    ///
    /// Waits until the session's next deadline, and until `until` at most.
    fn turn<'a>(
        &'a self,
        mut core: Guard<'a, R>,
        mut reader: MutexGuard<'a, Reader>,
        until: Option<Instant>,
        progress: Progress,
    ) -> (Guard<'a, R>, bool) {
        core.turns += 1;
        core.successor = None;
        // Where nobody has a deadline, the time of the last call is good enough: no read is longer than `look`.
        let now = if until.is_some() { self.now() } else { core.now };
        if !reader.held && core.session.wants_input() {
            let deadline = core.session.poll_timeout().map(|(at, _)| at);
            let wait =
                deadline.into_iter().chain(until).min().map_or(self.look, |at| self.look.min(at - now));
            // With output left, a pause in writing is what there was time for.
            let wait = if core.failed || progress == Progress::Paused { TICK } else { wait };
            self.unlock(core);
            let read = reader.read(&*self.stream, now, wait);
            core = self.lock();
            match read {
                Read::Lost(error) => core.lose(error),
                Read::Pause if core.failed => core.lose(None),
                Read::Octets | Read::Pause => {}
            }
        } else {
            reader.catch_up(now);
            if core.failed {
                // What keeps the session from reading never leaves.
                core.lose(None);
            }
        }
        core.now = self.now();
        core.tell(&mut reader);
        self.pass(&mut core);
        drop(reader);
        let woke = !core.waiters.woken().is_empty();
        if woke || core.closing {
            self.unlock(core);
            core = self.lock();
        }
        (core, woke)
    }

    /// Writes until nothing is left or the transport takes no more, unless another thread does already.
    fn write<'a>(&'a self, mut core: Guard<'a, R>) -> (Guard<'a, R>, Progress) {
        let mut progress = Progress::Nothing;
        if !core.is_unsent() {
            return (core, progress);
        }
        let Some(mut writer) = try_take(&self.writer) else { return (core, progress) };
        for round in 1.. {
            let has_output = writer.has_output(|out| _ = core.session.poll_transmit(out));
            core.unsent = has_output;
            core.deferred = 0;
            if !has_output || core.failed || core.end.is_some() {
                break;
            }
            if round > SHIFT && core.waiters.wake_one().is_some() {
                progress = Progress::HandedOver;
                break;
            }
            self.unlock(core);
            let written = writer.write(&*self.stream);
            core = self.lock();
            match written {
                Written::Octets(octets) => {
                    core.transmitted(octets);
                    progress = Progress::Some;
                }
                Written::Pause => progress = Progress::Paused,
                Written::Failed(error) => {
                    // What the peer said before it went is still read.
                    core.failure = Some(Arc::new(error));
                    core.failed = true;
                    progress = Progress::Some;
                }
            }
            if core.untold {
                core.pass();
            }
            if progress == Progress::Paused {
                break;
            }
        }
        (core, progress)
    }

    /// Tells the session what time it is and what has ended it, unless another thread is writing, which will.
    fn pass(&self, core: &mut Core<R>) {
        core.untold |= core.over.is_some() || core.session.state() == State::Closed;
        if core.untold && try_take(&self.writer).is_some() {
            core.pass();
        }
    }

    /// Leaves the session to others: nothing is left to write, or somebody will; and somebody reads, or will.
    ///
    /// `defer` is whether what there is to write may wait for the keeper.
    fn leave<'a>(&'a self, mut core: Guard<'a, R>, mut defer: bool) {
        self.pass(&mut core);
        while core.is_unsent() && !(defer && core.keeper == Keeper::OnGuard) {
            let (next, progress) = self.write(core);
            core = next;
            match progress {
                Progress::Nothing | Progress::HandedOver => break,
                Progress::Some => {}
                Progress::Paused => {
                    defer = true;
                    self.rouse(&mut core);
                }
            }
        }
        let others = core.keeper == Keeper::Asleep || core.waiters.has_parked_leader();
        if others && core.successor.is_none() && core.end.is_none() && try_take(&self.reader).is_some() {
            core.successor = core.waiters.wake_one();
            if core.successor.is_none() {
                self.rouse(&mut core);
            }
        }
        self.unlock(core);
    }

    /// Nobody else will do the work: the keeper is to look.
    fn rouse(&self, core: &mut Core<R>) {
        if core.keeper == Keeper::Asleep {
            core.keeper = Keeper::OnGuard;
            core.waiters.woken().extend(self.keeper.get().cloned());
        }
    }

    /// Lets go of the lock, then wakes who is to be woken and closes what is to be closed.
    pub(crate) fn unlock(&self, mut core: Guard<'_, R>) {
        let woken = mem::take(core.waiters.woken());
        let closing = mem::take(&mut core.closing);
        if closing {
            // It may be in the middle of a long pause.
            self.keeper.get().inspect(|keeper| keeper.unpark());
        }
        drop(core);
        woken.iter().for_each(Thread::unpark);
        if closing {
            // The session is over either way.
            let _ = self.stream.close();
        }
    }
}

/// A thread that waits. However it stops, others are told that they have to do what it did.
struct Waiting<'a, R: Role> {
    shared: &'a Shared<R>,
    number: Option<u32>,
}

impl<R: Role> Waiting<'_, R> {
    fn leave(&mut self, mut core: Guard<'_, R>) {
        if let Some(number) = self.number.take() {
            core.waiters.dismiss(number);
            core.succeed(number);
            core.grant();
        }
        self.shared.leave(core, true);
    }
}

/// Does something only when a panic unwinds the thread.
impl<R: Role> Drop for Waiting<'_, R> {
    fn drop(&mut self) {
        if thread::panicking() {
            let core = self.shared.lock();
            self.leave(core);
        }
    }
}
