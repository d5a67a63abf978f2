//! What the account's state has to do with its connections.

use std::io;
use std::sync::Arc;

use smpp_core::account::{Action, ConnectFailure, LinkId, LinkState};
use smpp_core::session::{Instant, State};

use super::connector::{BoxedObserver, connect_error};
use super::link_task::{Connection, LinkTask, LinkTransport, OutputMode, ThreadState};
use super::state::AccountState;
use crate::error::ConnectErrorKind;
use crate::halves::try_take;

const PANICKED: &str = "a resolver or observer of the application has panicked";

impl AccountState {
    /// Returns whether the connection has a session that has not ended.
    pub(super) fn is_open(&self, link: LinkId) -> bool {
        !self.router.is_over() && matches!(self.link_state(link), Some(LinkState::Open(..)))
    }

    /// Returns whether nothing more can be written on the connection.
    pub(super) fn has_write_failed(&self, link: LinkId) -> bool {
        self.links.get(link.index()).is_some_and(|task| task.output == OutputMode::Failed)
    }

    /// Returns whether the connection waits only for the response to its unbind.
    pub(super) fn is_unbinding(&self, link: LinkId) -> bool {
        matches!(self.link_state(link), Some(LinkState::Open(_, State::Unbinding)))
    }

    /// Returns whether a thread of a connection waits that has something to do: the session wants input, has an earlier
    /// deadline than the thread waits for, or has ended.
    pub(super) fn has_thread_to_resume(&self) -> bool {
        self.links.iter().any(|task| {
            task.paused_until.is_some_and(|paused_until| {
                let deadline = self.account.poll_link_timeout(task.link);
                self.account.wants_input(task.link)
                    || deadline.is_none_or(|(deadline, _)| deadline < paused_until)
                    || !self.is_open(task.link)
            })
        })
    }

    fn link_state(&self, link: LinkId) -> Option<LinkState> {
        self.account.link_state(link)
    }

    /// Returns whether a deadline of the connection has passed at `now`.
    pub(super) fn is_due(&self, link: LinkId, now: Instant) -> bool {
        self.account.poll_link_timeout(link).is_some_and(|(deadline, _)| deadline <= now)
    }

    /// Returns when the background thread has to advance the clock next.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let resolving = self.links.iter().filter_map(|task| task.resolve_deadline);
        self.account.poll_timeout().into_iter().chain(resolving).min()
    }

    /// Handles the deadlines that have passed at `now`.
    pub(super) fn advance_clock(&mut self, now: Instant) {
        if self.account.poll_timeout().is_some_and(|at| at <= now) {
            self.account.handle_timeout(now);
        }
        let late = |task: &&mut LinkTask| task.resolve_deadline.is_some_and(|deadline| deadline <= now);
        let late: Vec<_> = self.links.iter_mut().filter(late).map(LinkTask::abandon).collect();
        for link in late {
            let kind = ConnectErrorKind::Resolve(io::ErrorKind::TimedOut.into());
            let detail = kind.detail();
            self.last_error = self.account.endpoint(link).map(|endpoint| connect_error(endpoint, kind));
            self.account.handle_resolved(now, link, Err(&detail));
        }
    }

    /// Returns what the connection's thread does next. If there is nothing, the thread ends.
    pub(super) fn next_action(&mut self, link: LinkId) -> Option<Action> {
        let task = self.links.get_mut(link.index())?;
        // The connection was not made, or it is no longer wanted: with or without an error here.
        let _ = task.connection.take().map(|connection| connection.duplex().close());
        task.thread = if task.next.is_some() { ThreadState::Running } else { ThreadState::None };
        task.next.take()
    }

    /// Returns whether the result of the connection's thread is still wanted.
    pub(super) fn is_wanted(&mut self, link: LinkId) -> bool {
        let Some(task) = self.links.get_mut(link.index()) else { return false };
        let wanted = task.thread == ThreadState::Running;
        if wanted {
            task.resolve_deadline = None;
        }
        wanted
    }

    /// Registers the connection for which the link's thread waits. Returns whether it is still wanted.
    pub(super) fn register_connection(&mut self, link: LinkId, connection: Connection) -> bool {
        let Some(task) = self.links.get_mut(link.index()) else { return false };
        task.connection = Some(connection);
        task.thread == ThreadState::Running
    }

    /// Begins the session of a connection. Returns whether the connection is still wanted.
    pub(super) fn open_session(
        &mut self,
        now: Instant,
        link: LinkId,
        observer: Option<BoxedObserver>,
        transport: Arc<LinkTransport>,
    ) -> bool {
        let wanted = self.is_wanted(link) && self.account.handle_connected(now, link, observer);
        if let Some(task) = self.links.get_mut(link.index()).filter(|_| wanted) {
            (task.transport, task.output, task.wants_writer) =
                (Some(transport), OutputMode::Immediate, false);
            task.transport_error = None;
        }
        wanted
    }

    /// Records that the connection is closed.
    pub(super) fn handle_closed(&mut self, now: Instant, link: LinkId) {
        if let Some(task) = self.links.get_mut(link.index()) {
            (task.transport, task.connection) = (None, None);
        }
        self.account.handle_closed(now, link);
    }

    /// Records that the connection's thread has panicked: in the resolver or the observer.
    pub(super) fn handle_panic(&mut self, now: Instant, link: LinkId) {
        if self.is_wanted(link) {
            // Each call does nothing unless the connection is in that state.
            self.account.handle_resolved(now, link, Err(PANICKED));
            self.account.handle_connect_failed(now, link, ConnectFailure::Network, PANICKED);
            if let Some(connection) = self.links.get(link.index()).and_then(|task| task.connection.as_ref()) {
                // The application may hold the transport of its `dial`.
                let _ = connection.duplex().close();
            }
            self.handle_closed(now, link);
        }
    }

    /// Records the error of the transport, unless it has failed before.
    pub(super) fn set_transport_error(&mut self, link: LinkId, error: io::Error) {
        if let Some(task) = self.links.get_mut(link.index()) {
            task.transport_error.get_or_insert(Arc::new(error));
        }
    }

    pub(super) fn take_transport_error(&mut self, link: LinkId) -> Option<Arc<io::Error>> {
        self.links.get_mut(link.index())?.transport_error.take()
    }

    /// Records until when the connection's thread waits at most for the session to want input, if it does.
    pub(super) fn set_paused(&mut self, link: LinkId, paused_until: Option<Instant>) {
        if let Some(task) = self.links.get_mut(link.index()) {
            task.paused_until = paused_until;
        }
    }

    /// Records whether the connection's thread waits for the writer role.
    pub(super) fn set_wants_writer(&mut self, link: LinkId, wants_writer: bool) {
        if let Some(task) = self.links.get_mut(link.index()) {
            task.wants_writer = wants_writer;
        }
    }

    /// Returns the transport of a connection on which any thread may write.
    pub(super) fn writable_link(&self, index: usize) -> Option<(LinkId, Arc<LinkTransport>)> {
        let task = self.links.get(index).filter(|task| !task.wants_writer)?;
        Some((task.link, Arc::clone(task.transport.as_ref()?)))
    }

    /// Returns whether the thread that calls the account should try to write on this connection.
    pub(super) fn wants_immediate_write(&self, index: usize) -> bool {
        self.links.get(index).is_some_and(|task| {
            task.output == OutputMode::Immediate
                && task.transport.as_ref().is_some_and(|transport| {
                    // A writer that is taken may hold octets; its thread checks for output again.
                    self.account.wants_transmit(task.link)
                        || try_take(&transport.writer).is_some_and(|writer| writer.is_pending())
                })
        })
    }

    /// Returns the next connection with deferred output, from `from` on and around.
    pub(super) fn next_deferred(&self, from: usize) -> Option<usize> {
        let deferred =
            |(index, task): (usize, &LinkTask)| (task.output == OutputMode::Deferred).then_some(index);
        let mut all = self.links.iter().enumerate().filter_map(deferred);
        let first = all.next()?;
        Some(if first >= from { first } else { all.find(|index| *index >= from).unwrap_or(first) })
    }

    /// Sets which thread writes the output of this connection.
    pub(super) fn set_output(&mut self, index: usize, output: OutputMode) {
        if let Some(task) = self.links.get_mut(index) {
            task.output = output;
            if output == OutputMode::Failed {
                // Octets that the peer sent before the failure are still read.
                task.stop_receiving();
            }
        }
    }

    /// Leaves all remaining output to the background thread.
    pub(super) fn defer_output(&mut self) {
        let Self { account, links, .. } = self;
        for task in links {
            if task.output == OutputMode::Immediate && account.wants_transmit(task.link) {
                task.output = OutputMode::Deferred;
            }
        }
    }
}
