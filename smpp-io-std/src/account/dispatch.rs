//! What follows each call of the account: its events reach the threads that wait, its actions start, its output is
//! written.

use std::io;
use std::sync::Arc;

use smpp_common::LastFailure;
use smpp_proto::account::{Action, ConnectFailure, Event, LinkEvent};
use smpp_proto::session::Instant;

use super::connector::bind_error;
use super::link_task::{OutputMode, ThreadState};
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
        let now = self.now();
        let value = act(&mut state, now);
        self.process_and_unlock(state, now);
        value
    }

    /// Processes the result of a call at `now`: emits events, starts actions, writes the output. Releases the lock.
    pub(super) fn process_and_unlock<'a>(self: &'a Arc<Self>, mut state: Guard<'a>, now: Instant) {
        self.dispatch(&mut state, now);
        let state = self.write_output(state, now);
        self.unlock(state);
    }

    /// As [`process_and_unlock`](Self::process_and_unlock), for a message of a thread that does not wait for it. While other
    /// messages have no outcome, its output is left, so that several leave in one write.
    pub(super) fn process_submission<'a>(self: &'a Arc<Self>, mut state: Guard<'a>, now: Instant) {
        let has_events = self.pass_events(&mut state, now);
        let is_left = state.leave_output(now);
        self.guard_deadline(&mut state, |state| {
            if has_events { state.next_deadline() } else { state.next_submit_deadline() }
        });
        if !is_left {
            state = self.write_output(state, now);
        }
        self.unlock(state);
    }

    /// Returns whether a thread that waits until `until` at most writes what was left before: there is something, and the writes end
    /// in time. Otherwise the background thread writes it.
    pub(super) fn should_write_left(&self, state: &AccountState, until: Option<Instant>) -> bool {
        let longest = WRITE_TIMEOUT * u32::try_from(state.unwritten.len()).unwrap_or(u32::MAX);
        !state.unwritten.is_empty() && until.is_none_or(|until| until - self.now() > longest)
    }

    /// Writes the output that [`process_submission`](Self::process_submission) has left, before a thread waits.
    pub(super) fn write_left<'a>(self: &'a Arc<Self>, state: Guard<'a>) -> Guard<'a> {
        if state.unwritten.is_empty() {
            return state;
        }
        let _wake_on_panic = WakeOnPanic(self);
        self.write_output(state, self.now())
    }

    /// Writes the output of the connections. `now`: a time shortly before.
    pub(super) fn write_output<'a>(self: &'a Arc<Self>, mut state: Guard<'a>, now: Instant) -> Guard<'a> {
        state.forget_left();
        let mut writes = 0;
        let max_writes = MAX_WRITES as usize * state.unwritten.len();
        while let Some(index) = state.next_unwritten() {
            if writes == max_writes {
                state.set_output(index, OutputMode::Deferred);
                state.defer_output();
                self.background_wakeup.notify_one();
                break;
            }
            // Of several connections, the writes of the first one may have taken long.
            let now = if writes == 0 { now } else { self.now() };
            writes += 1;
            state = self.write_link(state, index, now);
        }
        state
    }

    /// Emits the events of the account, starts its actions, and wakes the threads that have something to do.
    pub(super) fn dispatch(self: &Arc<Self>, state: &mut AccountState, now: Instant) {
        self.pass_events(state, now);
        self.guard_deadline(state, AccountState::next_deadline);
    }

    /// As [`dispatch`](Self::dispatch), but does not wake the background thread. Returns whether there were events or actions.
    fn pass_events(self: &Arc<Self>, state: &mut AccountState, now: Instant) -> bool {
        let mut has_events = false;
        loop {
            loop {
                state.router.take_outcomes(&mut state.account);
                let Some(event) = state.account.poll_event() else { break };
                has_events = true;
                self.handle_event(state, now, event);
            }
            for event in state.router.take_lost() {
                state.telemetry.record_event(now, &event);
            }
            match state.account.poll_action() {
                Some(action) if !state.router.is_over() => self.start_action(state, now, action),
                Some(_) => {}
                None => break,
            }
            has_events = true;
        }
        state.wake_if_capacity();
        if state.is_ready_awaited() {
            self.ready.notify_all();
        }
        if state.check_changed_links() {
            self.resumed.notify_all();
        }
        has_events
    }

    /// Wakes the background thread if it sleeps longer than until `deadline`.
    #[inline(always)]
    fn guard_deadline(
        &self,
        state: &mut AccountState,
        deadline: impl FnOnce(&AccountState) -> Option<Instant>,
    ) {
        let is_earlier = match state.background_sleeps_until {
            // It is awake.
            Some(Instant::ZERO) => false,
            sleeps_until => deadline(state)
                .is_some_and(|deadline| sleeps_until.is_none_or(|sleeps_until| deadline < sleeps_until)),
        };
        if is_earlier || state.router.is_over() {
            // Until it has looked, no further call needs to wake it.
            state.background_sleeps_until = Some(Instant::ZERO);
            self.background_wakeup.notify_one();
        }
    }

    fn handle_event(&self, state: &mut AccountState, now: Instant, event: Event) {
        if let Event::Link { link, event: LinkEvent::BindRefused { error, received, .. }, .. } = &event {
            let kind = ConnectErrorKind::bind(error.clone(), *received, state.take_transport_error(*link));
            state.last_error = state
                .account
                .endpoint(*link)
                .map(|endpoint| bind_error(endpoint, kind, &state.account.options().credentials.system_id));
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
        state.telemetry.record(now, &event, state.last_error.as_ref());
        state.router.handle_event(now, &mut state.account, event);
    }

    /// Wakes every thread that waits: the account has ended.
    pub(super) fn end(&self, state: &mut AccountState) {
        state.router.close();
        state.next_interrupt = Some(0);
        state.wake_first();
        self.resumed.notify_all();
        self.ready.notify_all();
        self.ended.notify_all();
    }

    /// Starts an action of the account on a connection.
    fn start_action(self: &Arc<Self>, state: &mut AccountState, now: Instant, action: Action) {
        let (Action::Resolve { link } | Action::Connect { link, .. } | Action::Close { link }) = action;
        let connect_timeout = state.account.options().connect_timeout;
        let Some(task) = state.links.get_mut(link.index()) else { return };
        match action {
            Action::Close { .. } if task.transport.is_some() => {
                return state.interrupts.extend(task.interrupt());
            }
            Action::Close { .. } => {
                state.abandon(link);
                // The result of the thread will be dropped. The thread does nothing else before.
                return state.account.handle_closed(now, link);
            }
            Action::Resolve { .. } => state.set_resolve_deadline(link, Some(now + connect_timeout)),
            Action::Connect { .. } => {}
        }
        let Some(task) = state.links.get_mut(link.index()) else { return };
        task.next = Some(action);
        if task.thread != ThreadState::None {
            // The thread does this next.
            return;
        }
        task.thread = ThreadState::Running;
        if let Err(error) = link_thread::start(self, link) {
            (task.next, task.thread) = (None, ThreadState::None);
            state.set_resolve_deadline(link, None);
            let detail = format!("cannot start a thread for a connection: {error}");
            state.account.handle_resolved(now, link, Err(&detail));
            state.account.handle_connect_failed(now, link, ConnectFailure::Network, &detail);
            state.last_error = Some(LastFailure::Transport(Arc::new(io::Error::new(error.kind(), detail))));
        }
    }

    /// Writes the output of one connection, as far as the transport takes it, unless another thread writes it. `now`: a time shortly
    /// before.
    pub(super) fn write_link<'a>(
        self: &'a Arc<Self>,
        mut state: Guard<'a>,
        index: usize,
        now: Instant,
    ) -> Guard<'a> {
        let Some((link, transport)) = state.writable_link(index) else {
            state.set_output(index, OutputMode::Immediate);
            return state;
        };
        let Some(mut writer) = try_take(&transport.writer) else {
            // The writing thread checks for output again.
            state.set_output(index, OutputMode::Immediate);
            return state;
        };
        for round in 0.. {
            let is_open = state.is_open(link);
            let refill = |out: &mut Vec<u8>| {
                if state.account.wants_transmit(link) {
                    // Other threads may have left it a while ago.
                    let at = if round == 0 { now } else { self.now() };
                    state.account.poll_transmit_at(at, link, out);
                }
            };
            if !is_open || !writer.has_output(refill) {
                state.set_output(index, OutputMode::Immediate);
                return state;
            }
            if round == MAX_WRITES || (round > 0 && self.now() - now >= WRITE_TIMEOUT) {
                state.set_output(index, OutputMode::Deferred);
                break;
            }
            self.unlock(state);
            let written = writer.write(&transport.stream);
            state = self.lock();
            match written {
                Written::Octets(octets) => {
                    let mut at = None;
                    if state.account.handle_transmitted_at(link, octets, || *at.insert(self.now())) {
                        self.dispatch(&mut state, at.unwrap_or(now));
                    } else if state.paused > 0 && state.check_changed_links() {
                        // If no thread waits for a change, the next call looks at it.
                        self.resumed.notify_all();
                    }
                }
                Written::Pause => {
                    state.set_output(index, OutputMode::Deferred);
                    break;
                }
                Written::Failed(error) => {
                    state.set_transport_error(link, error);
                    state.set_output(index, OutputMode::Failed);
                    self.resumed.notify_all();
                    break;
                }
            }
        }
        self.background_wakeup.notify_one();
        state
    }
}
