//! What there is to do for each connection, and where its thread stands.

use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use smpp_core::account::{Action, ConnectFailure, LinkId, LinkState};
use smpp_core::session::{Instant, State};

use super::inner::Inner;
use super::link::{self, Wire};
use super::shared::Shared;
use super::{AccountConnector, Watcher};

/// What there is to do for one connection, and what its thread has in its hands.
pub(super) struct Task {
    pub(super) link: LinkId,
    /// What the thread does next.
    next: Option<Action>,
    thread: Thread,
    /// Until when the addresses are waited for.
    patience: Option<Instant>,
    /// The connection, to interrupt the thread that waits for it.
    tcp: Option<TcpStream>,
    /// The transport, once the session has begun.
    pub(super) wire: Option<Arc<Wire>>,
    pub(super) output: Output,
    /// Whether the thread waits for the office of writing: nobody else takes it up then.
    wants_office: bool,
    /// Whether the thread waits to be wanted to read.
    pub(super) is_held: bool,
}

/// The thread of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Thread {
    None,
    Works,
    /// Nobody wants any more what it is doing, or what comes of it.
    GivenUp,
}

/// Who writes what is to be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// Whoever causes it.
    Flows,
    /// The clock: the transport takes nothing for now, or there is no end of it.
    Left,
    /// Nobody: the transport takes nothing any more.
    Failed,
}

impl Task {
    pub(super) const fn new(link: LinkId) -> Self {
        Self {
            link,
            next: None,
            thread: Thread::None,
            patience: None,
            tcp: None,
            wire: None,
            output: Output::Flows,
            wants_office: false,
            is_held: false,
        }
    }

    /// Nobody wants any more what the thread is doing or is to do.
    fn give_up(&mut self) -> LinkId {
        self.patience = None;
        if self.next.take().is_none() && self.thread == Thread::Works {
            self.thread = Thread::GivenUp;
            self.interrupt(Shutdown::Both);
        }
        self.link
    }

    /// Has a read return in which the thread waits. Where a system does not do so, the read returns after
    /// [`look`](Shared::look).
    pub(super) fn interrupt(&self, how: Shutdown) {
        // One that is not connected any more does not wait either.
        let _ = self.tcp.as_ref().map(|tcp| tcp.shutdown(how));
    }
}

impl Inner {
    /// Has done what the account wants done.
    pub(super) fn act(&mut self, shared: &Arc<Shared>, now: Instant, action: Action) {
        let (Action::Resolve { link } | Action::Connect { link, .. } | Action::Close { link }) = action;
        let Some(task) = self.tasks.get_mut(link.index()) else { return };
        match action {
            Action::Close { .. } if task.wire.is_some() => return task.interrupt(Shutdown::Read),
            Action::Close { .. } => {
                task.give_up();
                // Whatever its thread comes back with is thrown away, and before that it does nothing else.
                return self.account.handle_closed(now, link);
            }
            Action::Resolve { .. } => task.patience = Some(now + shared.connector.options.connect_timeout),
            Action::Connect { .. } => {}
        }
        task.next = Some(action);
        if task.thread != Thread::None {
            // It does this next.
            return;
        }
        task.thread = Thread::Works;
        if let Err(error) = link::start(shared, link) {
            (task.next, task.thread, task.patience) = (None, Thread::None, None);
            self.failure = Some(format!("there is no thread for a connection: {error}"));
            self.account.handle_resolved(now, link, &[]);
            self.account.handle_connect_failed(now, link, ConnectFailure::Network);
        }
    }

    /// Whether the connection has a session that is not over.
    pub(super) fn is_open(&self, link: LinkId) -> bool {
        !self.desk.is_over() && matches!(self.state(link), Some(LinkState::Open(..)))
    }

    /// Whether nothing more can be written on the connection.
    pub(super) fn has_failed(&self, link: LinkId) -> bool {
        self.tasks.get(link.index()).is_some_and(|task| task.output == Output::Failed)
    }

    /// Whether all that the connection waits for is the answer to its unbind.
    pub(super) fn is_unbinding(&self, link: LinkId) -> bool {
        matches!(self.state(link), Some(LinkState::Open(_, State::Unbinding)))
    }

    fn state(&self, link: LinkId) -> Option<LinkState> {
        self.account.links().nth(link.index()).map(|(_, state)| state)
    }

    /// Whether a deadline of the connection has passed at this time.
    pub(super) fn is_due(&self, link: LinkId, at: Instant) -> bool {
        self.account.poll_link_timeout(link).is_some_and(|(deadline, _)| deadline <= at)
    }

    /// When the clock is to look next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let patience = self.tasks.iter().filter_map(|task| task.patience);
        self.account.poll_timeout().into_iter().chain(patience).min()
    }

    /// Acts on the time, as the clock does.
    pub(super) fn keep_time(&mut self, connector: &AccountConnector, now: Instant) {
        if self.account.poll_timeout().is_some_and(|at| at <= now) {
            self.account.handle_timeout(now);
        }
        let late = |task: &&mut Task| task.patience.is_some_and(|patience| patience <= now);
        let late: Vec<_> = self.tasks.iter_mut().filter(late).map(Task::give_up).collect();
        for link in late {
            let (host, limit) = (&connector.endpoint.host, connector.options.connect_timeout);
            self.failure = Some(format!("cannot resolve {host}: no answer within {limit:?}"));
            self.account.handle_resolved(now, link, &[]);
        }
    }

    /// What the connection's thread does next. If there is nothing, the thread ends.
    pub(super) fn next_action(&mut self, link: LinkId) -> Option<Action> {
        let task = self.tasks.get_mut(link.index())?;
        task.tcp = None;
        task.thread = if task.next.is_some() { Thread::Works } else { Thread::None };
        task.next.take()
    }

    /// Whether what the connection's thread has done is still wanted.
    pub(super) fn is_wanted(&mut self, link: LinkId) -> bool {
        let Some(task) = self.tasks.get_mut(link.index()) else { return false };
        let wanted = task.thread == Thread::Works;
        if wanted {
            task.patience = None;
        }
        wanted
    }

    /// The connection's thread waits for this connection. Whether it is still wanted.
    pub(super) fn dialed(&mut self, link: LinkId, tcp: TcpStream) -> bool {
        let Some(task) = self.tasks.get_mut(link.index()) else { return false };
        task.tcp = Some(tcp);
        task.thread == Thread::Works
    }

    /// Begins the session. Whether it is still wanted.
    pub(super) fn open(
        &mut self,
        now: Instant,
        link: LinkId,
        observer: Option<Watcher>,
        wire: Arc<Wire>,
    ) -> bool {
        let wanted = self.is_wanted(link) && self.account.handle_connected(now, link, observer);
        if let Some(task) = self.tasks.get_mut(link.index()).filter(|_| wanted) {
            (task.wire, task.output, task.wants_office) = (Some(wire), Output::Flows, false);
        }
        wanted
    }

    /// The connection is closed.
    pub(super) fn closed(&mut self, now: Instant, link: LinkId) {
        if let Some(task) = self.tasks.get_mut(link.index()) {
            (task.wire, task.tcp) = (None, None);
        }
        self.account.handle_closed(now, link);
    }

    /// The connection's thread has panicked: in the resolver, or in the observer.
    pub(super) fn panicked(&mut self, now: Instant, link: LinkId) {
        if self.is_wanted(link) {
            // Each does nothing unless that is what the connection was doing.
            self.account.handle_resolved(now, link, &[]);
            self.account.handle_connect_failed(now, link, ConnectFailure::Network);
            self.closed(now, link);
        }
    }

    /// The connection's thread waits to be wanted to read, or does not.
    pub(super) fn hold(&mut self, link: LinkId, is_held: bool) {
        if let Some(task) = self.tasks.get_mut(link.index()) {
            task.is_held = is_held;
        }
    }

    /// The connection's thread wants the office of writing, or has it.
    pub(super) fn want_office(&mut self, link: LinkId, wants_office: bool) {
        if let Some(task) = self.tasks.get_mut(link.index()) {
            task.wants_office = wants_office;
        }
    }

    /// A connection that others may write on.
    pub(super) fn writable(&self, index: usize) -> Option<(LinkId, Arc<Wire>)> {
        let task = self.tasks.get(index).filter(|task| !task.wants_office)?;
        Some((task.link, Arc::clone(task.wire.as_ref()?)))
    }

    /// The next connection, from this one on and round, of those whose output is left to the clock.
    pub(super) fn next_left(&self, from: usize) -> Option<usize> {
        let left = |(index, task): (usize, &Task)| (task.output == Output::Left).then_some(index);
        let mut all = self.tasks.iter().enumerate().filter_map(left);
        let first = all.next()?;
        Some(if first >= from { first } else { all.find(|index| *index >= from).unwrap_or(first) })
    }

    /// Who writes on this connection from now on.
    pub(super) fn leave(&mut self, index: usize, output: Output) {
        if let Some(task) = self.tasks.get_mut(index) {
            task.output = output;
            if output == Output::Failed {
                // What the peer said before it went is still read.
                task.interrupt(Shutdown::Read);
            }
        }
    }

    /// The clock writes what is still to be written.
    pub(super) fn leave_output(&mut self) {
        let Self { account, tasks, .. } = self;
        for task in tasks {
            if task.output == Output::Flows && account.wants_transmit(task.link) {
                task.output = Output::Left;
            }
        }
    }
}
