//! What follows each call of the account: its events reach the threads that wait, its actions start, its output is
//! written.

use std::sync::Arc;

use smpp_core::account::{Action, ConnectFailure, Event, LinkEvent};
use smpp_core::session::Instant;

use super::connector::connect_error;
use super::link_task::{LinkTask, OutputMode, ThreadState};
use super::link_thread;
use super::shared::{Guard, Shared, WakeOnPanic};
use super::state::AccountState;
use crate::error::ConnectErrorKind;
use crate::halves::{WRITE_TIMEOUT, Written, try_take};

/// After this many writes on a connection, or after [`WRITE_TIMEOUT`], a thread leaves the remaining output to the
/// background thread and returns.
const MAX_WRITES: u32 = 16;

impl Shared {
    /// Calls the account, then processes the result of the call.
    pub(super) fn with<T>(self: &Arc<Self>, act: impl FnOnce(&mut AccountState, Instant) -> T) -> T {
        let _wake_on_panic = WakeOnPanic(self);
        let mut state = self.lock();
        let value = act(&mut state, self.now());
        self.process_and_unlock(state);
        value
    }

    /// Processes the result of a call: emits events, starts actions, writes the output. Releases the lock.
    pub(super) fn process_and_unlock<'a>(self: &'a Arc<Self>, mut state: Guard<'a>) {
        self.dispatch(&mut state);
        for _ in 0..MAX_WRITES {
            let mut wrote = false;
            for index in 0..state.links.len() {
                if state.wants_immediate_write(index) {
                    let (next, any) = self.write_link(state, index);
                    (state, wrote) = (next, wrote || any);
                }
            }
            if !wrote {
                return Self::unlock(state);
            }
        }
        state.defer_output();
        self.background_wakeup.notify_one();
        Self::unlock(state);
    }

    /// Emits the events of the account, starts its actions, and wakes the threads that have something to do.
    fn dispatch(self: &Arc<Self>, state: &mut AccountState) {
        // The clock is asked once for all events and actions.
        let mut time = None;
        loop {
            while let Some(event) = state.account.poll_event() {
                let now = *time.get_or_insert_with(|| self.now());
                self.handle_event(state, now, event);
            }
            match state.account.poll_action() {
                Some(action) if !state.router.is_over() => {
                    let now = *time.get_or_insert_with(|| self.now());
                    self.start_action(state, now, action);
                }
                Some(_) => {}
                None => break,
            }
        }
        state.wake_if_capacity();
        if state.has_become_ready() {
            self.ready.notify_all();
        }
        if state.has_thread_to_resume() {
            self.resumed.notify_all();
        }
        let is_earlier = match (state.next_deadline(), state.background_sleeps_until) {
            (Some(deadline), Some(sleeps_until)) => deadline < sleeps_until,
            (deadline, None) => deadline.is_some(),
            (None, _) => false,
        };
        if is_earlier || state.router.is_over() {
            self.background_wakeup.notify_one();
        }
    }

    fn handle_event(&self, state: &mut AccountState, now: Instant, event: Event) {
        if let Event::Link { link, event: LinkEvent::BindRefused { error, received, .. } } = &event {
            let kind = ConnectErrorKind::bind(error.clone(), *received, state.take_transport_error(*link));
            state.last_error = state.account.endpoint(*link).map(|endpoint| connect_error(endpoint, kind));
        }
        match &event {
            Event::Link { .. } => self.bind_settled.notify_all(),
            Event::Stopped { .. } => {
                self.bind_settled.notify_all();
                state.wake_first();
            }
            Event::Closed { .. } => self.end(state),
            _ => {}
        }
        state.router.handle_event(now, &mut state.account, event);
    }

    /// Wakes every thread that waits: the account has ended.
    pub(super) fn end(&self, state: &mut AccountState) {
        state.router.close();
        state.links.iter().for_each(LinkTask::interrupt_ended);
        state.wake_first();
        self.ready.notify_all();
        self.ended.notify_all();
    }

    /// Starts an action of the account on a connection.
    fn start_action(self: &Arc<Self>, state: &mut AccountState, now: Instant, action: Action) {
        let (Action::Resolve { link } | Action::Connect { link, .. } | Action::Close { link }) = action;
        let connect_timeout = state.account.options().connect_timeout;
        let Some(task) = state.links.get_mut(link.index()) else { return };
        match action {
            Action::Close { .. } if task.transport.is_some() => return task.interrupt_ended(),
            Action::Close { .. } => {
                task.abandon();
                // The result of the thread will be dropped. The thread does nothing else before.
                return state.account.handle_closed(now, link);
            }
            Action::Resolve { .. } => {
                task.resolve_deadline = Some(now + connect_timeout);
            }
            Action::Connect { .. } => {}
        }
        task.next = Some(action);
        if task.thread != ThreadState::None {
            // The thread does this next.
            return;
        }
        task.thread = ThreadState::Running;
        if let Err(error) = link_thread::start(self, link) {
            (task.next, task.thread, task.resolve_deadline) = (None, ThreadState::None, None);
            let detail = format!("cannot start a thread for a connection: {error}");
            state.account.handle_resolved(now, link, Err(&detail));
            state.account.handle_connect_failed(now, link, ConnectFailure::Network, &detail);
            state.last_error = Some(detail);
        }
    }

    /// Writes the output of one connection, as far as the transport takes it, unless another thread writes it. Returns
    /// whether anything was done.
    pub(super) fn write_link<'a>(
        self: &'a Arc<Self>,
        mut state: Guard<'a>,
        index: usize,
    ) -> (Guard<'a>, bool) {
        let Some((link, transport)) = state.writable_link(index) else {
            state.set_output(index, OutputMode::Immediate);
            return (state, false);
        };
        let Some(mut writer) = try_take(&transport.writer) else {
            // The writing thread checks for output again.
            state.set_output(index, OutputMode::Immediate);
            return (state, false);
        };
        let began = self.now();
        for round in 0.. {
            if !state.is_open(link) || !writer.has_output(|out| _ = state.account.poll_transmit(link, out)) {
                state.set_output(index, OutputMode::Immediate);
                return (state, round > 0);
            }
            if round == MAX_WRITES || self.now() - began >= WRITE_TIMEOUT {
                state.set_output(index, OutputMode::Deferred);
                break;
            }
            Self::unlock(state);
            let written = writer.write(&transport.stream);
            state = self.lock();
            match written {
                Written::Octets(octets) => {
                    let now = self.now();
                    state.account.handle_transmitted(now, link, octets);
                    self.dispatch(&mut state);
                }
                Written::Pause => {
                    state.set_output(index, OutputMode::Deferred);
                    break;
                }
                Written::Failed(error) => {
                    state.last_error = Some(error.to_string());
                    state.set_transport_error(link, error);
                    state.set_output(index, OutputMode::Failed);
                    self.resumed.notify_all();
                    break;
                }
            }
        }
        self.background_wakeup.notify_one();
        (state, true)
    }
}
