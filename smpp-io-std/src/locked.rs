//! What stands behind the session's lock: the session, what it has told, and who waits for it.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use smpp_core::Frame;
use smpp_core::session::{Config, Event, Instant, Observer, Role, Session, State};

use crate::error::End;
use crate::incoming::Inbound;
use crate::link::Reader;
use crate::outcomes::Outcomes;
use crate::waiters::Waiters;

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
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
    pub(crate) failure: Option<Arc<io::Error>>,
    pub(crate) failed: bool,
    /// Whether there may be something to write.
    pub(crate) unsent: bool,
    /// Requests that wait for company.
    pub(crate) deferred: u32,
    /// Who was woken to read, and has not come yet.
    pub(crate) successor: Option<u32>,
    /// How often anyone has begun to read.
    pub(crate) turns: u64,
    pub(crate) keeper: Keeper,
    /// The time of the last call.
    pub(crate) now: Instant,
    /// The latest time at which all that had come was read.
    pub(crate) caught_up: Instant,
    /// Whether the session is to be told of that, or of its end.
    pub(crate) untold: bool,
    /// How the session is to end, as soon as no write is under way.
    pub(crate) over: Option<Over>,
    /// Whether the transport is to be closed.
    pub(crate) closing: bool,
}

/// An end that does not come from the session.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Over {
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

impl<R: Role> Core<R> {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
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
            successor: None,
            turns: 0,
            keeper: Keeper::Busy,
            now: Instant::ZERO,
            caught_up: Instant::ZERO,
            untold: false,
            over: None,
            closing: false,
        }
    }

    /// Something may have been added to the output.
    pub(crate) fn written(&mut self, now: Instant) {
        self.now = now;
        self.unsent = true;
    }

    /// The thread has come to see what is to be done, if it was to.
    pub(crate) fn succeed(&mut self, number: u32) {
        if self.successor == Some(number) {
            self.successor = None;
        }
    }

    pub(crate) fn is_unsent(&self) -> bool {
        self.unsent && !self.failed && self.end.is_none()
    }

    /// The transport has taken so many octets.
    pub(crate) fn transmitted(&mut self, octets: usize) {
        let (was_full, wanted) = (self.session.is_full(), self.session.wants_input());
        self.session.handle_transmitted(octets);
        // The last octets may have been waited for.
        self.untold |= self.session.state() == State::Closed;
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
    pub(crate) fn tell(&mut self, reader: &mut Reader) {
        let now = self.now;
        let mut input = reader.received.received();
        while let Some(event) = self.session.handle_input(now, &mut input) {
            self.keep(event);
        }
        let left = input.len();
        reader.received.keep(left);
        reader.held = left > 0 && !self.session.wants_input();
        self.untold |= self.caught_up < reader.caught_up;
        self.caught_up = reader.caught_up;
        self.unsent |= self.session.wants_transmit();
        self.grant();
    }

    /// Tells the session how it ends, if it does, and what time it was when there was nothing more to read.
    pub(crate) fn pass(&mut self) {
        self.untold = false;
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
            Event::Notification { frame, .. }
                if self.inbox_open && self.inbox.len() < self.max_unanswered =>
            {
                let frame = Frame::new(frame.octets().to_vec());
                self.inbox.extend(frame.map(Inbound::Notification));
                self.arrived();
            }
            Event::Outcome { tag, outcome, .. } => {
                if let Some(waiter) = self.outcomes.tell(tag, outcome.into_result()) {
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
    pub(crate) fn lose(&mut self, error: Option<io::Error>) {
        self.failure = self.failure.take().or(error.map(Arc::new));
        self.over.get_or_insert(Over::Lost);
    }
}
