//! One connection: octets between a transport and a session, and nothing else.
//!
//! The driver is one future. Each turn of its loop writes, reads, then holds the lock for as long as the
//! session thinks; nothing is read or written under the lock. Output that gathers while a write is under way
//! leaves with the next one, so writes batch by themselves.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use smpp_core::session::{CloseReason, Config, Event, Instant, Readiness, Refusal, Reply, Role, Session};
use smpp_core::{Frame, Operation};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{self, Sleep};

use crate::answer::{Answerer, DriverSession, Responder};
use crate::inbox::Queued;
use crate::pump::{self, Moved, Pump};
use crate::waiters::{Line, Waiters, Woken};
use crate::watch::Watch;

/// How long the transport may take to say good-bye.
const LINGER: Duration = Duration::from_secs(2);

/// A time that no clock reaches is taken for so many years.
pub(crate) const AGES: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// What the driver and the handles of one connection share.
pub(crate) struct Shared<R: Role> {
    core: Mutex<Core<R>>,
    start: time::Instant,
    /// The session has ended.
    pub(crate) ended: Notify,
}

pub(crate) struct Core<R: Role> {
    pub(crate) session: DriverSession<R>,
    /// Who answers before the inbox is asked.
    pub(crate) answerer: Option<Answerer<R>>,
    /// Whose requests are in flight: their places are the tags.
    pub(crate) waiters: Waiters,
    /// Whose requests are not taken yet.
    pub(crate) line: Line,
    /// When the pace lets the first in line go, if that is what he waits for.
    pub(crate) paced: Option<Instant>,
    /// Requests that the application has not fetched: no more than `max_unanswered`. What has no response is
    /// dropped beyond it.
    pub(crate) inbox: VecDeque<Queued>,
    pub(crate) max_unanswered: usize,
    /// Whether anyone will fetch them.
    pub(crate) inbox_open: bool,
    /// Who waits for one of them.
    pub(crate) fetching: Option<Waker>,
    /// Handles of the application; at zero the session is unbound.
    pub(crate) handles: usize,
    pub(crate) end: Option<End>,
    failure: Option<Arc<io::Error>>,
    /// The driver, if it has nothing to do.
    driver: Option<Waker>,
    /// When it got something to do.
    now: Instant,
    pub(crate) watch: Watch,
}

/// How a session ended.
#[derive(Clone, Debug)]
pub struct End {
    /// Why it is over.
    pub reason: CloseReason,
    /// What the transport reported, where it failed.
    pub error: Option<Arc<io::Error>>,
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.error {
            Some(error) => write!(f, "{}: {error}", self.reason),
            None => self.reason.fmt(f),
        }
    }
}

impl std::error::Error for End {}

impl<R: Role> Shared<R> {
    pub(crate) fn new(config: Config) -> Arc<Self> {
        let core = Core {
            session: Session::with_observer(config, Instant::ZERO, None),
            answerer: None,
            waiters: Waiters::default(),
            line: Line::default(),
            paced: None,
            inbox: VecDeque::new(),
            max_unanswered: config.max_unanswered.max(1).into(),
            inbox_open: true,
            fetching: None,
            handles: 0,
            end: None,
            failure: None,
            driver: None,
            now: Instant::ZERO,
            watch: Watch::new(R::SIDE),
        };
        Arc::new(Self { core: Mutex::new(core), start: time::Instant::now(), ended: Notify::new() })
    }

    /// A panic elsewhere leaves the session as consistent as it was: each of its calls completes.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Core<R>> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something to the session, then lets the driver see what came of it.
    ///
    /// What is done between two turns of the driver leaves together and counts as done at the same time, that of
    /// the first: the clock is asked once.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Core<R>, Instant) -> T) -> T {
        let mut core = self.lock();
        if core.driver.is_some() || core.end.is_some() {
            core.now = self.now();
        }
        let now = core.now;
        let value = act(&mut core, now);
        // Not before: should an observer panic, the next one to come wakes the driver.
        let driver = core.driver.take();
        drop(core);
        if let Some(driver) = driver {
            driver.wake();
        }
        value
    }

    fn now(&self) -> Instant {
        Instant::after(self.start.elapsed())
    }

    /// The moment on tokio's clock.
    fn clock(&self, at: Instant) -> time::Instant {
        self.start + (at - Instant::ZERO).min(AGES)
    }
}

impl<R: Role> Core<R> {
    /// Passes on what the session has to tell `next`, and notes who is to be woken. Whether there was anything.
    #[inline(always)]
    fn dispatch<'b>(
        &mut self,
        woken: &mut Woken,
        next: impl FnOnce(&mut DriverSession<R>) -> Option<Event<'b, u32>>,
    ) -> bool {
        let event = next(&mut self.session);
        if let Some(event) = &event {
            self.watch.note(event, self.failure.as_deref());
        }
        match event {
            Some(Event::Outcome { tag, outcome, .. }) => {
                woken.add(self.waiters.tell(tag, outcome));
            }
            Some(event) => self.heed(event, woken),
            None => return false,
        }
        true
    }

    /// Does what an event asks for that is no outcome.
    fn heed(&mut self, event: Event<'_, u32>, woken: &mut Woken) {
        match event {
            Event::Request { request, frame, .. } => {
                let responder = Responder { session: &mut self.session };
                let left = match &mut self.answerer {
                    Some(answer) => answer(request, responder),
                    None => Some(request),
                };
                if let Some(request) = left {
                    self.keep(request, frame);
                    woken.add(self.fetching.take());
                }
            }
            Event::Notification { frame, .. }
                if self.inbox_open && self.inbox.len() < self.max_unanswered =>
            {
                let frame = Frame::new(Bytes::copy_from_slice(frame.octets()));
                self.inbox.extend(frame.map(Queued::Notification));
                woken.add(self.fetching.take());
            }
            Event::Closed(reason) => {
                self.end = Some(End { reason, error: self.failure.take() });
                self.line.call(usize::MAX).for_each(|waker| woken.add(Some(waker)));
                woken.add(self.fetching.take());
            }
            // Counted in the session's statistics, answered by the session if it has a response.
            _ => {}
        }
    }

    /// How many of those in line may find room.
    pub(crate) fn room(&mut self, now: Instant) -> usize {
        if self.line.is_empty() || self.paced.is_some_and(|at| at > now) {
            return 0;
        }
        self.paced = None;
        match self.session.readiness(now) {
            Readiness::Ready { capacity: room } => room.into(),
            Readiness::Refusing(Refusal::WindowFull | Refusal::OutputFull) => 0,
            // Whatever else is in the way, the first will see.
            Readiness::Refusing(_) => 1,
        }
    }

    /// Calls the first in line if there may be room for him.
    pub(crate) fn call_next(&mut self, now: Instant) -> Option<Waker> {
        let room = self.room(now);
        self.line.call(room.min(1)).next()
    }

    /// Gives back the memory of what holds nothing.
    fn shrink(&mut self) {
        self.waiters.shrink();
        if self.inbox.is_empty() {
            self.inbox = VecDeque::new();
        }
    }

    /// Keeps the request for the application, or answers it where there is none to ask.
    pub(crate) fn queue<O: Operation>(
        &mut self,
        frame: Frame<&[u8]>,
        reply: Reply<O>,
        queued: fn(Frame<Bytes>, Reply<O>) -> Queued,
    ) {
        if self.inbox.capacity() == 0 {
            // The first is the bind; many a session has nothing else to ask.
            self.inbox.reserve_exact(1);
        }
        match Frame::new(Bytes::copy_from_slice(frame.octets())) {
            Some(frame) if self.inbox_open => self.inbox.push_back(queued(frame, reply)),
            // A session that is over needs no answer.
            _ => drop(self.session.respond(reply, Err(O::UNANSWERED))),
        }
    }
}

/// Carries octets between a transport and the session until the session has ended.
pub(crate) struct Driver<R: Role, S> {
    shared: Arc<Shared<R>>,
    pump: Pump<S>,
    wants_input: bool,
    timer: Pin<Box<Sleep>>,
    /// The session has ended, the transport not yet.
    leaving: bool,
}

/// Dropped before the end, with its runtime perhaps: nobody waits for ever.
impl<R: Role, S> Drop for Driver<R, S> {
    fn drop(&mut self) {
        let shared = &self.shared;
        let mut core = shared.lock();
        if core.end.is_some() {
            return;
        }
        core.session.abort();
        let now = shared.now();
        let mut woken = Woken::default();
        while core.dispatch(&mut woken, |session| session.handle_timeout(now)) {}
        drop(core);
        woken.wake();
        shared.ended.notify_waiters();
    }
}

/// Runs the session to its end, then closes the transport. Written by hand, as it is most of what an idle session
/// costs: an `async fn` holds its arguments twice, and a timer for the end from the start.
impl<R: Role, S: AsyncRead + AsyncWrite + Unpin> Future for Driver<R, S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if !this.leaving {
            ready!(this.poll_session(cx));
            this.shared.ended.notify_waiters();
            this.timer.as_mut().reset(time::Instant::now() + LINGER);
            this.leaving = true;
        }
        // The session is over whether or not the transport takes its leave.
        match this.pump.poll_shutdown(cx) {
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => this.timer.as_mut().poll(cx),
        }
    }
}

impl<R: Role, S: AsyncRead + AsyncWrite + Unpin> Driver<R, S> {
    pub(crate) fn new(shared: Arc<Shared<R>>, io: S) -> Self {
        let timer = Box::pin(time::sleep_until(shared.start));
        Self { shared, pump: Pump::new(io), wants_input: true, timer, leaving: false }
    }

    fn poll_session(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut memory = pump::scratch();
        let mut scratch = ReadBuf::uninit(&mut memory);
        loop {
            let wanted_input = self.wants_input;
            let moved = self.pump.poll(cx, wanted_input, &mut scratch);
            let read = moved.read > 0;
            let mut woken = Woken::default();
            let turn = self.turn(cx, moved, &scratch, &mut woken);
            let woke = woken.wake();
            let Some((took, deadline)) = turn else { return Poll::Ready(()) };
            let elapsed = self.poll_timer(cx, deadline).is_ready();
            if elapsed {
                // A session that has been busy may be quiet by now.
                self.pump.shrink();
                self.shared.lock().shrink();
            }
            if read && woke {
                // Those who were woken go first: however fast the peer is, it does not fill the inbox of someone
                // who would empty it, and what they send leaves now.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !read && !took && !elapsed && wanted_input >= self.wants_input {
                return Poll::Pending;
            }
        }
    }

    /// The session's turn: what was sent, what was read, what time it is; then what to write next and when to
    /// wake. `None` once it has ended.
    fn turn(
        &mut self,
        cx: &mut Context<'_>,
        moved: Moved,
        scratch: &ReadBuf<'_>,
        woken: &mut Woken,
    ) -> Option<(bool, Option<Instant>)> {
        let now = self.shared.now();
        let mut core = self.shared.lock();
        let core = &mut *core;
        core.session.handle_transmitted(moved.sent);
        let input = self.pump.input(scratch);
        let mut rest = input;
        while core.dispatch(woken, |session| session.handle_input(now, &mut rest)) {}
        let consumed = input.len() - rest.len();
        self.pump.consume(consumed, scratch);
        if moved.eof || moved.failure.is_some() {
            core.failure = moved.failure.map(Arc::new);
            core.session.handle_eof();
        }
        // What has come is read before silence is counted, however long the runtime was busy; but a peer that
        // never pauses does not stop the clock.
        if self.pump.is_caught_up() {
            while core.dispatch(woken, |session| session.handle_timeout(now)) {}
        }
        if core.end.is_some() {
            return None;
        }
        // As many as there is room for, so that what they send leaves together; each still waits for those before him.
        let room = core.room(now);
        core.line.call(room).for_each(|waker| woken.add(Some(waker)));
        let took = self.pump.refill(|output| core.session.poll_transmit(output));
        self.wants_input = core.session.wants_input();
        if !core.driver.as_ref().is_some_and(|driver| driver.will_wake(cx.waker())) {
            core.driver = Some(cx.waker().clone());
        }
        let deadline = core.session.poll_timeout().map(|(at, _)| at);
        Some((took, [deadline, core.paced].into_iter().flatten().min()))
    }

    /// Ready once the deadline has passed. The timer is left alone where it is early: most deadlines only move on.
    fn poll_timer(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        let deadline = self.shared.clock(deadline);
        if self.timer.deadline() > deadline {
            self.timer.as_mut().reset(deadline);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if self.timer.deadline() >= deadline {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}
