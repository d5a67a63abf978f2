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
use smpp_core::session::{
    Closed, Config, Event, Instant, Observer, Reply, RequestError, Response, Role, Session,
};
use smpp_core::{Frame, Operation};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, oneshot};
use tokio::time::{self, Sleep};

use crate::inbox::Queued;
use crate::pump::{self, Moved, Pump};
use crate::watch::Watch;

/// What the waiter of a request is told.
pub(crate) type Answer = Result<Response, RequestError>;

/// How long the transport may take to say good-bye.
const LINGER: Duration = Duration::from_secs(2);

/// What the driver and the handles of one connection share.
pub(crate) struct Shared<R: Role> {
    core: Mutex<Core<R>>,
    start: time::Instant,
    /// Who may wait for room, one after another: in order, and without waking everyone for one place.
    pub(crate) turnstile: tokio::sync::Mutex<()>,
    /// A place in the window or the output has become free.
    pub(crate) room: Notify,
    /// Something has come into the inbox, or nothing will any more.
    pub(crate) arrived: Notify,
    /// The session has ended.
    pub(crate) ended: Notify,
}

pub(crate) struct Core<R: Role> {
    pub(crate) session: Session<R, oneshot::Sender<Answer>, Option<Box<dyn Observer + Send>>>,
    /// Requests that the application has not fetched: no more than `max_unanswered`. What has no response is
    /// dropped beyond it.
    pub(crate) inbox: VecDeque<Queued>,
    max_unanswered: usize,
    /// Whether anyone will fetch them.
    pub(crate) inbox_open: bool,
    /// Handles of the application; at zero the session is unbound.
    pub(crate) handles: usize,
    pub(crate) end: Option<End>,
    failure: Option<Arc<io::Error>>,
    driver: Option<Waker>,
    pub(crate) watch: Watch,
}

/// How a session ended.
#[derive(Clone, Debug)]
pub struct End {
    /// Why it is over.
    pub reason: Closed,
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
            inbox: VecDeque::new(),
            max_unanswered: config.max_unanswered.max(1).into(),
            inbox_open: true,
            handles: 0,
            end: None,
            failure: None,
            driver: None,
            watch: Watch::new(R::SIDE),
        };
        Arc::new(Self {
            core: Mutex::new(core),
            start: time::Instant::now(),
            turnstile: tokio::sync::Mutex::new(()),
            room: Notify::new(),
            arrived: Notify::new(),
            ended: Notify::new(),
        })
    }

    /// A panic elsewhere leaves the session as consistent as it was: each of its calls completes.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Core<R>> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something to the session, then lets the driver see what came of it.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Core<R>, Instant) -> T) -> T {
        let mut core = self.lock();
        let value = act(&mut core, self.now());
        let driver = core.driver.take();
        drop(core);
        if let Some(driver) = driver {
            driver.wake();
        }
        value
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::after(self.start.elapsed())
    }

    /// The moment on tokio's clock.
    pub(crate) fn clock(&self, at: Instant) -> time::Instant {
        self.start + (at - Instant::ZERO)
    }
}

impl<R: Role> Core<R> {
    /// Passes on what the session tells, and counts the outcomes.
    fn dispatch(&mut self, event: Event<'_, oneshot::Sender<Answer>>, arrived: &Notify) -> usize {
        self.watch.note(&event, self.failure.as_deref());
        match event {
            Event::Request { request, frame, .. } => {
                self.keep(request, frame);
                arrived.notify_one();
                0
            }
            Event::Notification { frame, .. } => {
                if self.inbox_open && self.inbox.len() < self.max_unanswered {
                    let frame = Frame::new(Bytes::copy_from_slice(frame.octets()));
                    self.inbox.extend(frame.map(Queued::Notification));
                    arrived.notify_one();
                }
                0
            }
            Event::Outcome { tag, sequence, outcome } => {
                // Whoever stopped waiting does not want to know.
                let _ = tag.send(outcome.into_result(sequence));
                1
            }
            Event::Closed(reason) => {
                self.end = Some(End { reason, error: self.failure.take() });
                0
            }
            // Counted in the session's statistics, answered by the session.
            _ => 0,
        }
    }
}

impl<R: Role> Core<R> {
    /// Keeps the request for the application, or answers it where there is none to ask.
    pub(crate) fn queue<O: Operation>(
        &mut self,
        frame: Frame<&[u8]>,
        reply: Reply<O>,
        queued: fn(Frame<Bytes>, Reply<O>) -> Queued,
    ) {
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
        while let Some(event) = core.session.handle_timeout(now) {
            core.dispatch(event, &shared.arrived);
        }
        drop(core);
        self.announce();
    }
}

impl<R: Role, S> Driver<R, S> {
    /// Lets everyone who waits see that the session is over.
    fn announce(&self) {
        self.shared.room.notify_waiters();
        self.shared.arrived.notify_one();
        self.shared.ended.notify_waiters();
    }
}

impl<R: Role, S: AsyncRead + AsyncWrite + Unpin> Driver<R, S> {
    pub(crate) fn new(shared: Arc<Shared<R>>, io: S) -> Self {
        let timer = Box::pin(time::sleep_until(shared.start));
        Self { shared, pump: Pump::new(io), wants_input: true, timer }
    }

    /// Runs the session to its end, then closes the transport.
    pub(crate) async fn run(mut self) {
        std::future::poll_fn(|cx| self.poll_session(cx)).await;
        self.announce();
        // The session is over whether or not the transport takes its leave.
        let _ = time::timeout(LINGER, self.pump.shutdown()).await;
    }

    fn poll_session(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut memory = pump::scratch();
        let mut scratch = ReadBuf::uninit(&mut memory);
        loop {
            let moved = self.pump.poll(cx, self.wants_input, &mut scratch);
            let went = moved.any();
            let Some((took, deadline)) = self.turn(cx, moved, &scratch) else { return Poll::Ready(()) };
            let elapsed = self.poll_timer(cx, deadline).is_ready();
            if elapsed {
                // A session that has been busy may be quiet by now.
                self.pump.shrink();
            } else if !went && !took {
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
    ) -> Option<(bool, Option<Instant>)> {
        let now = self.shared.now();
        let shared = Arc::clone(&self.shared);
        let mut core = shared.lock();
        let core = &mut *core;
        let was_full = core.session.is_full();
        core.session.handle_transmitted(moved.sent);
        if was_full && !core.session.is_full() {
            // Whoever was refused because too much was waiting may try again.
            shared.room.notify_waiters();
        }
        let mut outcomes = 0;
        let input = self.pump.input(scratch);
        let mut rest = input;
        while let Some(event) = core.session.handle_input(now, &mut rest) {
            outcomes += core.dispatch(event, &shared.arrived);
        }
        let consumed = input.len() - rest.len();
        self.pump.consume(consumed, scratch);
        if moved.eof || moved.failure.is_some() {
            core.failure = moved.failure.map(Arc::new);
            core.session.handle_eof();
        }
        // What has come is read before silence is counted, however long the runtime was busy; but a peer that
        // never pauses does not stop the clock.
        if self.pump.is_caught_up() {
            while let Some(event) = core.session.handle_timeout(now) {
                outcomes += core.dispatch(event, &shared.arrived);
            }
        }
        (0..outcomes).for_each(|_| shared.room.notify_one());
        if core.end.is_some() {
            return None;
        }
        let took = self.pump.refill(|output| core.session.poll_transmit(output));
        self.wants_input = core.session.wants_input();
        if !core.driver.as_ref().is_some_and(|driver| driver.will_wake(cx.waker())) {
            core.driver = Some(cx.waker().clone());
        }
        Some((took, core.session.poll_timeout().map(|(at, _)| at)))
    }

    /// Ready once the deadline has passed.
    fn poll_timer(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        let deadline = self.shared.clock(deadline);
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
        ready!(self.timer.as_mut().poll(cx));
        Poll::Ready(())
    }
}
