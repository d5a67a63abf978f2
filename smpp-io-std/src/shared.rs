//! One session that several threads use, by the leader/follower pattern: a thread that waits does the session's work.
//!
//! # Leaders and followers
//!
//! The session's work has two roles, each behind a mutex that threads only ever *try* to lock:
//!
//! - The **reader role** ([`Reader`]): one thread reads from the transport, passes the octets to the session, and advances
//!   the session's clock.
//! - The **writer role** ([`Writer`]): one thread takes output from the session and writes it to the transport.
//!
//! A thread that has something to send writes it itself, if the writer role is free. A thread that waits (for an outcome,
//! for window capacity, for a request of the peer) becomes the *leader*: it takes the roles that are free, as a program
//! with one thread would. If both are taken, the thread is a *follower*: it parks until another thread wakes it, to lead or
//! because its own wait is over. So a program that sends and waits does the work in its own thread, and nothing passes from
//! thread to thread.
//!
//! **Handing over.** A leader that has what it waited for returns to its caller. Before that it wakes one follower, which
//! takes the reader role ([`finish`](Shared::finish)). While that thread has not run yet, it is the
//! [`next_reader`](SessionState::next_reader), so that no second thread is woken for the same role. After
//! [`MAX_WRITES`] writes, a leader wakes a follower to write the rest.
//!
//! **Which threads lead.** A thread that waits for an outcome or for capacity [may lead](WaitRole::MayLead). A thread in
//! `Inbox::recv` is a [helper](WaitRole::Helper): it reads and writes, but stops as soon as it has read something for
//! another thread, which then reads on; no thread wakes it to lead. A thread in `closed()` is
//! [passive](WaitRole::Passive): it never reads or writes.
//!
//! **Senders.** A thread that sends without awaiting the outcome, and waits for capacity, is a [sender](WaitRole::Sender).
//! While another thread reads for an outcome or an inbox, a sender leaves the reader role to that thread, also between two
//! reads. If nobody has read for [`SENDER_PATIENCE`], the sender reads itself.
//!
//! **Batches.** A read wakes the threads whose responses it has brought. As long as they have not submitted their next
//! requests, a thread that submits one lets the others run before it writes: so one write takes the requests of all. A
//! thread that parks [lets others run](crate::waiter::park) first: a fast peer responds meanwhile, and neither the park nor
//! the wake-up needs a system call.
//!
//! **The background thread.** If no thread waits, nothing would read, respond to enquire_link or keep the timeouts. The
//! [background thread](crate::background) steps in: every 5 ms it checks whether another thread has read since its last
//! check, writes deferred output, and takes the reader role if no thread has read. It parks while another thread holds
//! the reader role; the thread that gives up the role wakes it if there is no follower.
//!
//! # Locks
//!
//! A thread holds the session's lock only while it calls the session. It makes no system call under the lock. A thread
//! takes and gives up a role under the lock: a thread that adds output and finds the writer role taken can return, because
//! the writing thread checks for output once more before it gives up the role. No thread ever *waits* for a role, and the
//! session's lock is the only one that threads wait for, so no lock order can be violated.
//!
//! # The end of the session
//!
//! How much of the output a write has taken is known only when the write returns, and it decides whether a request was
//! sent. So while a thread is in the middle of a write, no thread advances the session's clock or ends the session. A
//! write takes at most [`WRITE_TIMEOUT`].
//!
//! # Timeouts
//!
//! The reading thread advances the clock after a read that found nothing: octets that have come are handled before a
//! timeout counts. A read waits until the session's next deadline, as it was when the read began; another thread may set an
//! earlier one meanwhile. Each deadline that it can set is a whole `response_timeout`, `drain_timeout` or
//! `session_init_timeout` ahead. A read of the background thread, and one that follows octets, waits at most an eighth of
//! the shortest of these. The other reads are *long*: they wait until the deadline, so that an idle session costs nothing
//! before. Meanwhile the background thread [guards](crate::background) the earlier deadlines. So no timeout fires later than
//! an eighth of the shortest, plus [`WRITE_TIMEOUT`] while the transport takes nothing.

use std::io;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::{self, Duration};

use smpp_proto::session::{Config, Instant, Role, State};

use crate::halves::{Read, Reader, WRITE_TIMEOUT, Writer, Written, try_take};
use crate::session_state::{BackgroundState, SessionState};
use crate::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use crate::sync::thread;
use crate::sync::{Mutex, MutexGuard};
use crate::transport::{Duplex, MAX_LATENESS, MIN_WAIT};
use crate::waiter::{self, Registration, Waiter};
use crate::waiting_threads::WaitRole;

/// How many reads fit at least into the shortest timeout of the session.
const READS_PER_TIMEOUT: u32 = 8;

/// The most requests that are deferred to leave in one write.
pub(crate) const MAX_BATCH: u32 = 32;

/// The longest read of a session that is quiet. The background thread guards the deadlines that are set meanwhile.
const MAX_LONG_READ: Duration = Duration::from_secs(3600);

/// The length of an enquire_link or its response in octets. Every response to a message is longer.
const KEEP_ALIVE_PDU: usize = 16;

/// How long a sender that waits for capacity leaves the reader role to a thread that is between two reads.
const SENDER_PATIENCE: Duration = Duration::from_millis(1);

/// After this many writes, a thread hands the writer role to a follower, if there is one.
const MAX_WRITES: u32 = 16;

/// The session's lock. After it is released, an [`EndRequest`] takes effect that came while it was held.
pub(crate) struct Guard<'a, R: Role> {
    // Dropped in this order.
    state: MutexGuard<'a, SessionState<R>>,
    _released: Released<'a, R>,
}

/// What the threads of one session share.
pub(crate) struct Shared<R: Role> {
    state: Mutex<SessionState<R>>,
    reader: Mutex<Reader>,
    writer: Mutex<Writer>,
    pub(crate) stream: Box<dyn Duplex>,
    start: time::Instant,
    /// The longest time that one read waits.
    pub(crate) max_read: Duration,
    pub(crate) background_thread: OnceLock<Waiter>,
    /// The handles that the application holds. At zero the session unbinds.
    pub(crate) handles: AtomicUsize,
    /// The [`EndRequest`] that has not taken effect yet, or zero.
    pub(crate) end_request: AtomicU8,
}

/// What a call does with its output if the transport takes nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// It waits until the transport takes the output, or the background thread checks for it.
    Wait,
    /// It does not write at all if the background thread checks for output.
    Defer,
    /// It leaves the output to the background thread.
    Leave,
}

/// The result of trying to write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// There was no output, or another thread is writing.
    Nothing,
    /// Octets were written.
    Wrote,
    /// Octets were written, and another thread was woken to write the rest.
    HandedOver,
    /// The transport takes nothing at present.
    Blocked,
}

impl<R: Role> Shared<R> {
    pub(crate) fn new(stream: Box<dyn Duplex>, config: &Config) -> io::Result<Self> {
        stream.set_transmit_timeout(Some(WRITE_TIMEOUT))?;
        Ok(Self {
            state: Mutex::new(SessionState::new(config)),
            reader: Mutex::new(Reader::new(config)),
            writer: Mutex::default(),
            stream,
            start: time::Instant::now(),
            max_read: (config.response_timeout.min(config.drain_timeout).min(config.session_init_timeout)
                / READS_PER_TIMEOUT)
                .max(MIN_WAIT),
            background_thread: OnceLock::new(),
            handles: AtomicUsize::new(0),
            end_request: AtomicU8::new(0),
        })
    }

    /// Locks the session. Ignores poisoning: a panic of another thread leaves the session consistent, as each of its calls
    /// completes.
    pub(crate) fn lock(&self) -> Guard<'_, R> {
        self.guard(self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Locks the session, unless another thread holds the lock.
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, R>> {
        try_take(&self.state).map(|state| self.guard(state))
    }

    const fn guard<'a>(&'a self, state: MutexGuard<'a, SessionState<R>>) -> Guard<'a, R> {
        Guard { state, _released: Released(self) }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::after(self.start.elapsed())
    }

    /// Converts a time to the session's clock. A time before the start of the session becomes its start.
    pub(crate) fn session_time(&self, at: time::Instant) -> Instant {
        Instant::after(at.saturating_duration_since(self.start))
    }

    /// Registers the current thread as the background thread.
    pub(crate) fn register_background_thread(&self) {
        self.background_thread.get_or_init(Waiter::current);
    }

    /// Calls the session, then writes the output of the call.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut SessionState<R>, Instant) -> T) -> T {
        let mut state = self.lock();
        let now = self.now();
        let value = act(&mut state, now);
        state.mark_output(now);
        self.finish(state, Output::Wait);
        value
    }

    /// Calls the session. If the call returns true, its output may be deferred, so that more leaves in one write.
    pub(crate) fn with_deferred_write<T>(
        &self,
        act: impl FnOnce(&mut SessionState<R>, Instant) -> (T, bool),
    ) -> T {
        let mut state = self.lock();
        let now = self.now();
        let (value, may_defer) = act(&mut state, now);
        state.mark_output(now);
        state.deferred += 1;
        let defer = may_defer && state.deferred < MAX_BATCH;
        self.finish(state, if defer { Output::Defer } else { Output::Wait });
        value
    }

    /// Reads, writes or parks until `ready` returns `Ok`, or until `until`, which returns `None`.
    ///
    /// `ready` runs under the lock, whenever something may have changed. Its second argument is the number under which the
    /// current thread is registered, once it has one: `ready` records it as the thread to wake. Its error is the latest
    /// time at which to call it again, if it knows one.
    pub(crate) fn wait<T>(
        &self,
        role: WaitRole,
        until: Option<Instant>,
        mut ready: impl FnMut(&mut SessionState<R>, &mut Option<u32>) -> Result<T, Option<Instant>>,
    ) -> Option<T> {
        let mut waiting = Waiting { shared: self, number: None };
        let mut state = self.lock();
        let mut rests = false;
        let mut yielded = false;
        // For which number of reads a sender has waited for the main reader, without another read.
        let mut patient_at = None;
        loop {
            let again = match ready(&mut state, &mut waiting.number) {
                Ok(value) => {
                    waiting.finish(state);
                    return Some(value);
                }
                Err(again) => again,
            };
            if until.is_some_and(|until| until <= self.now()) {
                waiting.finish(state);
                return None;
            }
            let until = until.into_iter().chain(again).min();
            if role != WaitRole::Passive && !rests {
                if role == WaitRole::MayLead
                    && state.has_output
                    && !mem::replace(&mut yielded, true)
                    && state.waiting.expects_requests()
                {
                    // The threads that the last read woke submit their requests: one write takes them all.
                    self.unlock_and_wake(state);
                    thread::yield_now();
                    state = self.lock();
                    continue;
                }
                let (next, progress) = self.write_output(state);
                state = next;
                if matches!(progress, Progress::Wrote | Progress::HandedOver) {
                    continue;
                }
                // A read may return late. It ends early, and the thread parks for the rest: that keeps the rate limit exactly.
                let last_read =
                    again.map(|again| Instant::after((again - Instant::ZERO).saturating_sub(MAX_LATENESS)));
                let too_short = last_read.is_some_and(|last_read| last_read <= self.now());
                let may_read = !too_short && state.may_read(role, thread::current_id(), patient_at);
                if let Some(reader) = try_take(&self.reader).filter(|_| may_read) {
                    state.main_reader = (role != WaitRole::Sender).then(thread::current_id);
                    let busy = state.wants_read() || progress == Progress::Blocked;
                    let until = until.into_iter().chain(last_read).min();
                    let (next, woke) = self.read_once(state, reader, until, progress, true);
                    state = next;
                    rests = !busy || (woke && role == WaitRole::Helper);
                    continue;
                }
                if progress == Progress::Blocked {
                    continue;
                }
            }
            // The lock was not released since `ready` was called, so no change is missed.
            match waiting.number {
                Some(number) => {
                    patient_at = Some(state.reads);
                    let is_free = role == WaitRole::Sender && try_take(&self.reader).is_some();
                    let patience =
                        (is_free && state.main_reader.is_some()).then(|| self.now() + SENDER_PATIENCE);
                    state = self.park(state, number, until.into_iter().chain(patience).min());
                    rests = false;
                }
                // Register first, so that `ready` can record which thread to wake.
                None => waiting.number = Some(state.waiting.register(role)),
            }
        }
    }

    /// Parks the current thread until another thread wakes it, or until `until`.
    fn park<'a>(&'a self, mut state: Guard<'a, R>, number: u32, until: Option<Instant>) -> Guard<'a, R> {
        state.waiting.park(number);
        let registration = Registration::last();
        state.end_handover(number);
        // While the session wants no input, no read returns to advance the clock: a parked thread has to.
        let now = self.now();
        let idle = (!state.wants_read()).then(|| {
            let deadline = state.session.poll_timeout().map(|(at, _)| (at - now).max(MIN_WAIT));
            deadline.map_or(self.max_read, |left| left.min(self.max_read))
        });
        self.guard_deadline(&mut state);
        self.unlock_and_wake(state);
        let wait = until.map(|until| until - now).into_iter().chain(idle).min();
        waiter::park(registration, wait);
        let mut state = self.lock();
        state.waiting.unpark(number);
        state
    }

    /// Writes the output, then reads once. Returns whether the thread may rest: it has woken another thread, or the
    /// session wants no input. Returns `None` if another thread reads and no output is left: that thread may read for long.
    pub(crate) fn write_and_read<'a>(&'a self, mut state: Guard<'a, R>) -> (Guard<'a, R>, Option<bool>) {
        let (next, progress) = self.write_output(state);
        state = next;
        let Some(reader) = try_take(&self.reader) else {
            return (state, (progress == Progress::Blocked).then_some(true));
        };
        let reads = state.wants_read();
        state.main_reader = None;
        let (state, woke) = self.read_once(state, reader, None, progress, false);
        (state, Some(woke || !(reads || progress == Progress::Blocked)))
    }

    /// Writes the output that other threads have deferred.
    pub(crate) fn write_deferred<'a>(&'a self, state: Guard<'a, R>) -> Guard<'a, R> {
        self.write_output(state).0
    }

    /// Reads once, passes the octets to the session, and advances its clock. Returns whether this woke another thread.
    ///
    /// Waits until the session's next deadline, and at most until `until`.
    fn read_once<'a>(
        &'a self,
        mut state: Guard<'a, R>,
        mut reader: MutexGuard<'a, Reader>,
        until: Option<Instant>,
        progress: Progress,
        may_be_long: bool,
    ) -> (Guard<'a, R>, bool) {
        state.reads += 1;
        state.next_reader = None;
        state.is_paused = !state.wants_read();
        if state.is_paused {
            reader.catch_up(self.now());
            if state.write_failed {
                // The session wants no input until its output has left, which is no longer possible.
                state.handle_disconnect(None);
            }
        } else if !reader.held {
            let until = state.session.poll_timeout().map(|(at, _)| at).into_iter().chain(until).min();
            let max_read = if may_be_long && state.is_quiet { MAX_LONG_READ } else { self.max_read };
            // If there is no deadline near, the time of the last call is exact enough.
            let is_near = until.is_some_and(|until| until - state.now < max_read);
            let now = if is_near { self.now() } else { state.now };
            let wait = until.map_or(max_read, |until| max_read.min(until - now));
            // If the transport is blocked, read only for as long as it takes to try to write again.
            let wait = if state.write_failed || progress == Progress::Blocked { MIN_WAIT } else { wait };
            state.long_read = (wait > self.max_read).then(|| now + wait);
            self.unlock_and_wake(state);
            let read = reader.read(&*self.stream, now, wait);
            state = self.lock();
            state.long_read = None;
            state.is_quiet = match read {
                Read::Pause => true,
                // An enquire_link, or its response, interrupts no silence.
                Read::Octets => state.is_quiet && reader.received.received().len() <= KEEP_ALIVE_PDU,
                _ => false,
            };
            match read {
                Read::Failed(error) => state.handle_disconnect(Some(error)),
                Read::Pause | Read::EndOfStream if state.write_failed => state.handle_disconnect(None),
                Read::EndOfStream => state.handle_eof(),
                Read::Octets | Read::Pause => {}
            }
        }
        // Otherwise the session reads again: it gets the input that was left over, and only then more is read.
        state.now = self.now();
        state.handle_input(&mut reader);
        self.advance_clock(&mut state);
        if reader.is_shrink_due(state.now) {
            self.shrink(&mut state, &mut reader);
        }
        drop(reader);
        state.waiting.expect_requests();
        let woke = !state.waiting.wake_list().is_empty();
        if woke || state.close_transport {
            self.unlock_and_wake(state);
            state = self.lock();
        }
        (state, woke)
    }

    /// Frees the memory of empty buffers and tables.
    #[cold]
    fn shrink(&self, state: &mut SessionState<R>, reader: &mut Reader) {
        state.shrink();
        reader.received.shrink();
        // A thread that is writing has output.
        if let Some(mut writer) = try_take(&self.writer) {
            writer.shrink();
        }
    }

    /// Writes until there is no output or the transport takes no more, unless another thread is writing.
    pub(crate) fn write_output<'a>(&'a self, mut state: Guard<'a, R>) -> (Guard<'a, R>, Progress) {
        let mut progress = Progress::Nothing;
        if !state.wants_write() {
            return (state, progress);
        }
        let Some(mut writer) = try_take(&self.writer) else { return (state, progress) };
        for round in 1.. {
            let is_bound = state.session.state().is_bound();
            if let Some(server) = &mut state.server {
                server.set_bound(is_bound);
            }
            let has_output = writer.has_output(|out| _ = state.session.poll_transmit(out));
            state.has_output = has_output;
            state.deferred = 0;
            if !has_output || state.write_failed || state.end.is_some() {
                break;
            }
            let senders = state.main_reader.is_none();
            if round > MAX_WRITES && state.waiting.wake_follower(senders).is_some() {
                progress = Progress::HandedOver;
                break;
            }
            state.waiting.expect_no_requests();
            self.unlock_and_wake(state);
            let written = writer.write(&*self.stream);
            state = self.lock();
            match written {
                Written::Octets(octets) => {
                    state.handle_transmitted(octets);
                    progress = Progress::Wrote;
                }
                Written::Pause => progress = Progress::Blocked,
                Written::Failed(error) => {
                    // Octets that the peer sent before the failure are still read.
                    state.transport_error = Some(Arc::new(error));
                    state.write_failed = true;
                    progress = Progress::Wrote;
                    self.unlock_and_wake(state);
                    // The session ends, with or without an error here.
                    let _ = self.stream.stop_receiving();
                    state = self.lock();
                }
            }
            if state.clock_pending {
                state.advance_clock();
            }
            if progress == Progress::Blocked {
                break;
            }
        }
        (state, progress)
    }

    /// Advances the session's clock, unless another thread is writing: that thread does it after its write.
    pub(crate) fn advance_clock(&self, state: &mut SessionState<R>) {
        if self.end_request.load(Ordering::SeqCst) != 0 {
            self.apply_end_request(state);
        }
        state.clock_pending |= state.forced_end.is_some() || state.session.state() == State::Closed;
        if state.clock_pending && try_take(&self.writer).is_some() {
            state.advance_clock();
        }
    }

    /// Ends a call: writes the output, or leaves it to another thread; hands the reader role over if it is free.
    pub(crate) fn finish<'a>(&'a self, mut state: Guard<'a, R>, mut output: Output) {
        self.advance_clock(&mut state);
        while state.wants_write()
            && !(output == Output::Defer && state.background == BackgroundState::Polling)
        {
            let (next, progress) = self.write_output(state);
            state = next;
            match progress {
                Progress::Nothing | Progress::HandedOver => break,
                Progress::Wrote => {}
                Progress::Blocked => {
                    self.wake_background(&mut state);
                    if output == Output::Leave {
                        break;
                    }
                    output = Output::Defer;
                }
            }
        }
        if state.resume_reading() {
            if state.background == BackgroundState::Parked {
                state.background = BackgroundState::Polling;
            }
            state.waiting.wake_list().extend(self.background_thread.get().cloned());
        }
        self.guard_deadline(&mut state);
        let senders = state.main_reader.is_none();
        let others = state.background == BackgroundState::Parked || state.waiting.has_follower(senders);
        // The threads that were just woken, or run already, take the role when they wait again.
        if others && state.next_reader.is_none() && state.end.is_none() && try_take(&self.reader).is_some() {
            state.next_reader = state.waiting.wake_follower(senders);
            if state.next_reader.is_none() {
                self.wake_background(&mut state);
            }
        }
        self.unlock_and_wake(state);
    }

    /// Releases the lock, then wakes the threads on the wake list, closes the transport if that is due, and does what the
    /// server of the session has to do.
    pub(crate) fn unlock_and_wake(&self, mut state: Guard<'_, R>) {
        let wake_list = mem::take(state.waiting.wake_list());
        let close_transport = mem::take(&mut state.close_transport);
        let server = state.take_flush();
        drop(state);
        wake_list.iter().for_each(Waiter::wake);
        if close_transport {
            // The background thread may be parked for a long time.
            self.background_thread.get().inspect(|background| background.wake());
            // The session has ended, with or without an error here.
            let _ = self.stream.close();
        }
        if let Some(server) = server {
            server.flush();
        }
    }
}

/// Runs after the session's lock is released.
struct Released<'a, R: Role>(&'a Shared<R>);

impl<R: Role> Drop for Released<'_, R> {
    fn drop(&mut self) {
        // A panic of an observer may repeat.
        if !thread::panicking() {
            self.0.process_end_request();
        }
    }
}

impl<R: Role> Deref for Guard<'_, R> {
    type Target = SessionState<R>;

    fn deref(&self) -> &SessionState<R> {
        &self.state
    }
}

impl<R: Role> DerefMut for Guard<'_, R> {
    fn deref_mut(&mut self) -> &mut SessionState<R> {
        &mut self.state
    }
}

/// A thread in [`Shared::wait`]. However its wait ends, also by a panic, it hands its role over.
struct Waiting<'a, R: Role> {
    shared: &'a Shared<R>,
    number: Option<u32>,
}

impl<R: Role> Waiting<'_, R> {
    fn finish(&mut self, mut state: Guard<'_, R>) {
        if let Some(number) = self.number.take() {
            state.waiting.unregister(number);
            state.end_handover(number);
            state.grant_capacity();
        }
        self.shared.finish(state, Output::Defer);
    }
}

/// Acts only when a panic unwinds the thread.
impl<R: Role> Drop for Waiting<'_, R> {
    fn drop(&mut self) {
        if thread::panicking() {
            let state = self.shared.lock();
            self.finish(state);
        }
    }
}
