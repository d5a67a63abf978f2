//! What the account's state has to do with its connections.

use std::io;
use std::sync::Arc;

use smpp_common::LastFailure;
use smpp_proto::account::{Action, ConnectFailure, LinkId, LinkState};
use smpp_proto::session::{Instant, State};

use super::connector::{BoxedObserver, connect_error};
use super::link_task::{Connection, LinkTransport, OutputMode, ThreadState};
use super::state::AccountState;
use crate::error::ConnectErrorKind;

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

    /// Looks at the connections on which something has changed: records which have output. Returns whether the thread of one
    /// waits and has something to do.
    pub(super) fn check_changed_links(&mut self) -> bool {
        let mut must_resume = false;
        while let Some(link) = self.account.poll_changed_link() {
            must_resume |= self.paused > 0 && self.must_resume(link);
            if self.account.wants_transmit(link) {
                self.add_unwritten(link.index());
            }
        }
        must_resume
    }

    /// Returns whether the thread of the connection waits and has something to do: the session wants input, has an earlier
    /// deadline than the thread waits for, or has ended.
    fn must_resume(&self, link: LinkId) -> bool {
        self.links.get(link.index()).and_then(|task| task.paused_until).is_some_and(|paused_until| {
            let deadline = self.account.poll_link_timeout(link);
            self.account.wants_input(link)
                || deadline.is_none_or(|(deadline, _)| deadline < paused_until)
                || !self.is_open(link)
        })
    }

    /// Records that a connection may have output, for the thread that calls the account.
    pub(super) fn add_unwritten(&mut self, index: usize) {
        if let Some(task) = self.links.get_mut(index)
            && task.output == OutputMode::Immediate
            && task.transport.is_some()
            && !std::mem::replace(&mut task.is_unwritten, true)
        {
            self.unwritten.push(index);
        }
    }

    /// Records that every connection may have output: a call of the account has panicked.
    pub(super) fn add_all_unwritten(&mut self) {
        (0..self.links.len()).for_each(|index| self.add_unwritten(index));
    }

    /// Returns the next connection that may have output, for the thread that calls the account.
    pub(super) fn next_unwritten(&mut self) -> Option<usize> {
        loop {
            let index = self.unwritten.pop()?;
            if let Some(task) = self.links.get_mut(index) {
                task.is_unwritten = false;
                if task.output == OutputMode::Immediate {
                    return Some(index);
                }
            }
        }
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
        let resolving = self.resolving.first().map(|(deadline, _)| *deadline);
        self.account.poll_timeout().into_iter().chain(resolving).chain(self.write_left_at).min()
    }

    /// As [`next_deadline`](Self::next_deadline), of those only that a message can have set that was just submitted.
    pub(super) fn next_submit_deadline(&self) -> Option<Instant> {
        self.account.poll_submit_timeout().into_iter().chain(self.write_left_at).min()
    }

    /// Handles the deadlines that have passed at `now`.
    pub(super) fn advance_clock(&mut self, now: Instant) {
        if self.account.poll_timeout().is_some_and(|at| at <= now) {
            self.account.handle_timeout(now);
        }
        while let Some(&(deadline, link)) = self.resolving.first()
            && deadline <= now
        {
            self.abandon(link);
            let kind = ConnectErrorKind::Resolve(io::ErrorKind::TimedOut.into());
            let detail = kind.detail();
            self.last_error = self.account.endpoint(link).map(|endpoint| connect_error(endpoint, kind));
            self.account.handle_resolved(now, link, Err(&detail));
        }
    }

    /// Sets until when to wait for the resolver of a connection.
    pub(super) fn set_resolve_deadline(&mut self, link: LinkId, deadline: Option<Instant>) {
        let Some(task) = self.links.get_mut(link.index()) else { return };
        if let Some(before) = std::mem::replace(&mut task.resolve_deadline, deadline) {
            self.resolving.remove(&(before, link));
        }
        self.resolving.extend(deadline.map(|deadline| (deadline, link)));
    }

    /// Abandons what the thread of a connection is doing or is about to do.
    pub(super) fn abandon(&mut self, link: LinkId) {
        self.set_resolve_deadline(link, None);
        let Some(task) = self.links.get_mut(link.index()) else { return };
        if task.next.take().is_none() && task.thread == ThreadState::Running {
            task.thread = ThreadState::Abandoned;
            // The result of the thread is dropped, with or without an error here.
            let _ = task.connection.as_ref().map(|connection| connection.duplex().close());
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
        let task = self.links.get(link.index());
        let wanted = task.is_some_and(|task| task.thread == ThreadState::Running);
        if wanted {
            self.set_resolve_deadline(link, None);
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
        self.add_all_unwritten();
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
        let error = Arc::new(error);
        self.last_error = Some(LastFailure::Transport(Arc::clone(&error)));
        if let Some(task) = self.links.get_mut(link.index()) {
            task.transport_error.get_or_insert(error);
        }
    }

    pub(super) fn take_transport_error(&mut self, link: LinkId) -> Option<Arc<io::Error>> {
        self.links.get_mut(link.index())?.transport_error.take()
    }

    /// Records until when the connection's thread waits at most for the session to want input, if it does.
    pub(super) fn set_paused(&mut self, link: LinkId, paused_until: Option<Instant>) {
        if let Some(task) = self.links.get_mut(link.index()) {
            self.paused -= usize::from(task.paused_until.is_some());
            self.paused += usize::from(paused_until.is_some());
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

    /// Returns the next connection with deferred output: each in turn.
    pub(super) fn next_deferred(&mut self) -> Option<usize> {
        loop {
            let index = self.deferred.pop_front()?;
            if let Some(task) = self.links.get_mut(index) {
                task.is_listed = false;
                if task.output == OutputMode::Deferred {
                    return Some(index);
                }
            }
        }
    }

    /// Sets which thread writes the output of this connection.
    pub(super) fn set_output(&mut self, index: usize, output: OutputMode) {
        if let Some(task) = self.links.get_mut(index) {
            task.output = output;
            match output {
                OutputMode::Immediate => {}
                OutputMode::Deferred => {
                    if !std::mem::replace(&mut task.is_listed, true) {
                        self.deferred.push_back(index);
                    }
                }
                // Octets that the peer sent before the failure are still read.
                OutputMode::Failed => task.stop_receiving(),
            }
        }
    }

    /// Leaves all remaining output to the background thread.
    pub(super) fn defer_output(&mut self) {
        while let Some(index) = self.next_unwritten() {
            self.set_output(index, OutputMode::Deferred);
        }
    }
}
