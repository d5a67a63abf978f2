//! One session that several threads use, and who of them does its work.
//!
//! There are two offices, each behind a mutex that is only ever tried: *reading* and *writing*. Whoever waits for
//! something (an outcome, room, a request of the peer, the end) and finds one vacant holds it, as a program with one
//! thread would; if both are taken, it parks until it is told. So a program that sends and waits does so in its own
//! thread, and nothing is handed from thread to thread. When a thread leaves, it lets one that is parked know that the
//! office of reading is vacant. While nobody waits, the [keeper](crate::keeper) reads.
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

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::{self, Duration};

use smpp_core::Frame;
use smpp_core::session::{Config, Event, Instant, Observer, Role, Session, State};

use crate::error::End;
use crate::incoming::Inbound;
use crate::link::{Read, Reader, TICK, WRITE_SLICE, Writer, Written, try_take};
use crate::outcomes::Outcomes;
use crate::stream::Duplex;
use crate::waiters::Waiters;

/// How often in the shortest period who reads looks up.
const LOOKS: u32 = 8;

/// Requests that may wait for company before they are written.
const BATCH: u32 = 32;

/// So short a time is waited for without reading.
const BRIEF: Duration = Duration::from_millis(8);

/// After so many writes a thread that others wait with lets one of them go on.
const SHIFT: u32 = 16;

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

pub(crate) type Guard<'a, R> = MutexGuard<'a, Core<R>>;

pub(crate) struct Core<R: Role> {
    pub(crate) session: Session<R, u32, Option<Box<dyn Observer + Send>>>,
    pub(crate) outcomes: Outcomes,
    pub(crate) waiters: Waiters,
    /// Requests that the application has not fetched: no more than `max_unanswered`. What has no response is
    /// dropped beyond it.
    pub(crate) inbox: VecDeque<Inbound>,
    max_unanswered: usize,
    /// Whether anyone will fetch them.
    pub(crate) inbox_open: bool,
    /// Who waits for them.
    pub(crate) receiver: Option<u32>,
    /// Handles of the application; at zero the session is unbound.
    pub(crate) handles: usize,
    window: usize,
    pub(crate) end: Option<End>,
    /// Why nothing more can be written.
    failure: Option<Arc<io::Error>>,
    failed: bool,
    /// Whether there may be something to write.
    unsent: bool,
    /// Requests that wait for company.
    deferred: u32,
    /// How often anyone has begun to read.
    pub(crate) turns: u64,
    pub(crate) keeper: Keeper,
    /// The latest time at which all that had come was read.
    caught_up: Instant,
    /// How the session is to end, as soon as no write is under way.
    over: Option<Over>,
    /// Whether the transport is to be closed.
    closing: bool,
}

/// An end that does not come from the session.
#[derive(Clone, Copy, Debug)]
enum Over {
    Aborted,
    Lost,
}

/// What the keeper does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeper {
    /// It looks every few milliseconds whether anything was left undone.
    OnGuard,
    /// It reads, or is about to look.
    Busy,
    /// Another thread reads, and will wake it.
    Asleep,
}

/// What an attempt to write has led to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// There is nothing to write, or another thread writes.
    Nothing,
    /// Something was written.
    Some,
    /// The transport takes nothing at present.
    Paused,
}

impl<R: Role> Shared<R> {
    pub(crate) fn new(stream: Box<dyn Duplex>, config: &Config) -> io::Result<Self> {
        stream.set_transmit_timeout(Some(WRITE_SLICE))?;
        let core = Core {
            session: Session::with_observer(*config, Instant::ZERO, None),
            outcomes: Outcomes::default(),
            waiters: Waiters::default(),
            inbox: VecDeque::new(),
            max_unanswered: config.max_unanswered.max(1).into(),
            inbox_open: true,
            receiver: None,
            handles: 0,
            window: config.window.max(1).into(),
            end: None,
            failure: None,
            failed: false,
            unsent: false,
            deferred: 0,
            turns: 0,
            keeper: Keeper::Busy,
            caught_up: Instant::ZERO,
            over: None,
            closing: false,
        };
        Ok(Self {
            core: Mutex::new(core),
            reader: Mutex::new(Reader::new(config.max_pdu)),
            writer: Mutex::default(),
            stream,
            start: time::Instant::now(),
            look: (config.response.min(config.drain).min(config.session_init) / LOOKS).max(TICK),
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
        let value = act(&mut core, self.now());
        core.unsent = true;
        self.leave(core, false);
        value
    }

    /// Does something to the session; what came of it may wait a little for company.
    pub(crate) fn with_company<T>(&self, act: impl FnOnce(&mut Core<R>, Instant) -> (T, bool)) -> T {
        let mut core = self.lock();
        let (value, more) = act(&mut core, self.now());
        core.unsent = true;
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
        until: Option<Instant>,
        mut ready: impl FnMut(&mut Core<R>, &mut Option<u32>, Instant) -> Result<T, Option<Instant>>,
    ) -> Option<T> {
        let mut waiting = Waiting { shared: self, number: None };
        let mut core = self.lock();
        loop {
            let now = self.now();
            let again = match ready(&mut core, &mut waiting.number, now) {
                Ok(value) => {
                    waiting.leave(core);
                    return Some(value);
                }
                Err(again) => again,
            };
            if until.is_some_and(|until| until <= now) {
                waiting.leave(core);
                return None;
            }
            let (next, progress) = self.write(core);
            core = next;
            if progress == Progress::Some {
                continue;
            }
            let until = until.into_iter().chain(again).min();
            // A read may take longer than it should, by a few milliseconds: the pace is kept by a better clock.
            let brief = again.is_some_and(|again| again - now < BRIEF);
            let mut busy = progress == Progress::Paused;
            if let Some(reader) = try_take(&self.reader).filter(|_| !brief) {
                busy |= core.session.wants_input();
                (core, _) = self.turn(core, reader, until, progress);
            }
            if !busy {
                match waiting.number {
                    Some(number) => core = self.park(core, number, until),
                    // `ready` is to know whom to wake.
                    None => waiting.number = Some(core.waiters.enlist()),
                }
            }
        }
    }

    /// Parks until it is woken, or `until`.
    fn park<'a>(&'a self, mut core: Guard<'a, R>, number: u32, until: Option<Instant>) -> Guard<'a, R> {
        core.waiters.park(number);
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
        let now = self.now();
        if !reader.held && core.session.wants_input() {
            let deadline = core.session.poll_timeout().map(|(at, _)| at);
            let wait = deadline.into_iter().chain(until).min().map_or(self.look, |at| self.look.min(at - now));
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
        }
        core.tell(&mut reader, self.now());
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
            if round > SHIFT && core.waiters.wake_one() {
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
                }
            }
            core.pass();
            if progress == Progress::Paused {
                break;
            }
        }
        (core, progress)
    }

    /// Tells the session what time it is and what has ended it, unless another thread is writing, which will.
    fn pass(&self, core: &mut Core<R>) {
        if try_take(&self.writer).is_some() {
            core.pass();
        }
    }

    /// Leaves the session to others: nothing is left to write, or somebody will; and somebody reads, or will.
    ///
    /// `defer` is whether what there is to write may wait for the keeper.
    fn leave<'a>(&'a self, mut core: Guard<'a, R>, mut defer: bool) {
        if core.over.is_some() || core.session.state() == State::Closed {
            self.pass(&mut core);
        }
        while core.is_unsent() && !(defer && core.keeper == Keeper::OnGuard) {
            let (next, progress) = self.write(core);
            core = next;
            match progress {
                Progress::Nothing => break,
                Progress::Some => {}
                Progress::Paused => {
                    defer = true;
                    self.rouse(&mut core);
                }
            }
        }
        if core.end.is_none() && try_take(&self.reader).is_some() && !core.waiters.wake_one() {
            self.rouse(&mut core);
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

impl<R: Role> Core<R> {
    fn is_unsent(&self) -> bool {
        self.unsent && !self.failed && self.end.is_none()
    }

    /// The transport has taken so many octets.
    fn transmitted(&mut self, octets: usize) {
        let (was_full, wanted) = (self.session.is_full(), self.session.wants_input());
        self.session.handle_transmitted(octets);
        if was_full && !self.session.is_full() {
            self.grant();
        }
        if !wanted && self.session.wants_input() {
            self.waiters.wake_one();
        }
    }

    /// Ends the session at once.
    pub(crate) fn abort(&mut self) {
        self.over.get_or_insert(Over::Aborted);
        // A thread that is in the middle of a read or a write is to return.
        self.closing = true;
    }

    /// Tells the session what was received.
    fn tell(&mut self, reader: &mut Reader, now: Instant) {
        let mut input = reader.received.received();
        while let Some(event) = self.session.handle_input(now, &mut input) {
            self.keep(event);
        }
        let left = input.len();
        reader.received.keep(left);
        reader.held = left > 0 && !self.session.wants_input();
        self.caught_up = reader.caught_up;
        self.unsent = true;
        self.grant();
    }

    /// Tells the session how it ends, if it does, and what time it was when there was nothing more to read.
    fn pass(&mut self) {
        match self.over.take() {
            Some(Over::Aborted) => self.session.abort(),
            Some(Over::Lost) => self.session.handle_eof(),
            None => {}
        }
        while let Some(event) = self.session.handle_timeout(self.caught_up) {
            self.keep(event);
        }
        self.unsent = true;
        self.grant();
    }

    /// Room in the window goes to those who wait for it.
    pub(crate) fn grant(&mut self) {
        if !self.waiters.is_queue_empty() && !self.session.is_full() {
            self.waiters.grant(self.room());
        }
    }

    /// Free places in the window.
    pub(crate) fn room(&self) -> usize {
        self.window.saturating_sub(self.session.in_flight())
    }

    /// Passes on what the session tells.
    fn keep(&mut self, event: Event<'_, u32>) {
        match event {
            Event::Request { request, frame, .. } => {
                if self.inbox_open {
                    self.inbox.extend(Inbound::new(request, frame));
                    self.arrived();
                } else {
                    // If the session has ended, the peer knows that nothing was taken.
                    let _ = self.session.refuse(request);
                }
            }
            Event::Notification { frame, .. } if self.inbox_open && self.inbox.len() < self.max_unanswered => {
                let frame = Frame::new(frame.octets().to_vec());
                self.inbox.extend(frame.map(Inbound::Notification));
                self.arrived();
            }
            Event::Outcome { tag, sequence, outcome } => {
                if let Some(waiter) = self.outcomes.tell(tag, outcome.into_result(sequence)) {
                    self.waiters.wake(waiter);
                }
            }
            Event::Closed(reason) => {
                self.end = Some(End { reason, error: self.failure.take() });
                self.waiters.wake_all();
                self.closing = true;
            }
            // Counted in the session's statistics, answered by the session.
            _ => {}
        }
    }

    fn arrived(&mut self) {
        if let Some(receiver) = self.receiver {
            self.waiters.wake(receiver);
        }
    }

    /// The transport is of no use any more.
    fn lose(&mut self, error: Option<io::Error>) {
        self.failure = self.failure.take().or(error.map(Arc::new));
        self.over.get_or_insert(Over::Lost);
    }
}
