//! What the lock of a session protects: the session, its inbox and outcomes, the threads that wait.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use smpp_common::telemetry::SessionTelemetry;
use smpp_proto::session::{
    Config, Event, Instant, NotSentReason, Observer, Readiness, Refusal, Role, SentBy, Session, Side, State,
};
use smpp_proto::{CommandId, Frame, Operation};

use crate::error::End;
use crate::halves::Reader;
use crate::inbound::Inbound;
use crate::pending_requests::PendingRequests;
use crate::session_hook::{ServerSide, SessionHook};
use crate::sync::thread::ThreadId;
use crate::waiting_threads::{WaitRole, WaitingThreads};

#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
pub(crate) struct SessionState<R: Role> {
    pub(crate) session: Session<R, u32, Option<Box<dyn Observer + Send>>>,
    pub(crate) pending: PendingRequests,
    pub(crate) waiting: WaitingThreads,
    /// Requests of the peer that the application has not fetched: at most `max_unanswered`. A notification or a late
    /// response that comes while there are as many entries is dropped.
    pub(crate) inbox: VecDeque<Inbound>,
    max_unanswered: usize,
    /// Whether the application still has its `Inbox`.
    pub(crate) inbox_open: bool,
    /// The thread that waits for the next request of the peer.
    pub(crate) inbox_waiter: Option<u32>,
    window: usize,
    pub(crate) end: Option<End>,
    /// The transport's error, until the end of the session reports it.
    pub(crate) transport_error: Option<Arc<io::Error>>,
    /// Whether the transport takes no more octets.
    pub(crate) write_failed: bool,
    /// Whether there may be output to write.
    pub(crate) has_output: bool,
    /// Requests in the output that were deferred, so that several leave in one write.
    pub(crate) deferred: u32,
    /// The thread that was woken to take the reader role and has not run yet.
    pub(crate) next_reader: Option<u32>,
    /// How many reads have begun.
    pub(crate) reads: u64,
    /// The thread that reads for an outcome or an inbox: it was the last one to read. Senders leave the reader role to it.
    pub(crate) main_reader: Option<ThreadId>,
    /// Whether the last read found nothing, so that the session is probably quiet.
    pub(crate) is_quiet: bool,
    /// Until when the current read waits, if that is longer than `max_read`. The background thread guards the deadlines
    /// that are set meanwhile.
    pub(crate) long_read: Option<Instant>,
    /// Until when the background thread sleeps, while it is parked and a long read waits; `None` without limit.
    pub(crate) guarded_until: Option<Instant>,
    pub(crate) background: BackgroundState,
    /// The time of the last call.
    pub(crate) now: Instant,
    /// The latest time at which all received octets had been read.
    pub(crate) caught_up: Instant,
    /// Whether [`advance_clock`](Self::advance_clock) has something to do.
    pub(crate) clock_pending: bool,
    /// An end that the session does not know yet. It takes effect as soon as no thread is writing.
    pub(crate) forced_end: Option<ForcedEnd>,
    /// Whether the transport is to be closed.
    pub(crate) close_transport: bool,
    /// The server that the session belongs to, until the session has ended.
    pub(crate) server: Option<ServerSide>,
    pub(crate) telemetry: SessionTelemetry,
    /// The longest PDU that the session accepts.
    pub(crate) max_pdu: usize,
    /// Whether the last reading thread did not read, because the session wanted no input.
    pub(crate) is_paused: bool,
}

/// An end of the session that does not come from the session.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ForcedEnd {
    /// The peer has closed its side of the connection. The session ends once it has transmitted its responses.
    EndOfStream,
    /// The transport has failed.
    Lost,
    /// The application has aborted the session.
    Aborted,
}

/// What the background thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BackgroundState {
    /// It checks every few milliseconds whether other threads still do the work.
    Polling,
    /// It reads, or is about to check.
    Working,
    /// Another thread reads, and will wake it. Meanwhile it guards the deadlines that a long read does not know.
    Parked,
}

/// Why the session did not accept a request.
pub(crate) enum NotAdmitted {
    /// It never will.
    Never(NotSentReason),
    /// It may later. The time is when the rate limit allows the request, if the rate limit is the reason.
    Later(Option<Instant>),
}

impl<R: Role> SessionState<R> {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            session: Session::with_observer(*config, Instant::ZERO, None),
            pending: PendingRequests::default(),
            waiting: WaitingThreads::default(),
            inbox: VecDeque::new(),
            max_unanswered: config.max_unanswered.max(1).into(),
            inbox_open: true,
            inbox_waiter: None,
            window: config.window.max(1).into(),
            end: None,
            transport_error: None,
            write_failed: false,
            has_output: false,
            deferred: 0,
            next_reader: None,
            reads: 0,
            main_reader: None,
            is_quiet: false,
            long_read: None,
            guarded_until: None,
            background: BackgroundState::Working,
            now: Instant::ZERO,
            caught_up: Instant::ZERO,
            clock_pending: false,
            forced_end: None,
            close_transport: false,
            server: None,
            telemetry: SessionTelemetry::new(R::SIDE),
            max_pdu: config.max_pdu,
            is_paused: false,
        }
    }

    /// Records a call at `now` that may have added output.
    pub(crate) fn mark_output(&mut self, now: Instant) {
        self.now = now;
        self.has_output = true;
    }

    /// Records that the thread runs, if it was woken to take the reader role.
    pub(crate) fn end_handover(&mut self, number: u32) {
        if self.next_reader == Some(number) {
            self.next_reader = None;
        }
    }

    /// Returns whether a thread should read from the transport.
    pub(crate) fn wants_read(&self) -> bool {
        self.session.wants_input() && self.forced_end.is_none()
    }

    /// Wakes a thread that reads on, if no thread does and the session wants input again because the application has
    /// responded. While the inbox holds requests, the application comes back for them, and its thread reads then: so a
    /// burst costs no wake-up for each response. Returns whether the background thread is the one to wake.
    pub(crate) fn resume_reading(&mut self) -> bool {
        if !(self.is_paused && self.inbox.is_empty() && self.wants_read()) {
            return false;
        }
        self.is_paused = false;
        match self.inbox_waiter {
            Some(waiter) => {
                self.waiting.wake(waiter);
                false
            }
            None => self.background != BackgroundState::Working,
        }
    }

    /// Returns whether a thread that waits may take the reader role. A sender leaves it to another thread that reads for an
    /// outcome or an inbox, unless that has not read since the sender began to wait: `waited_since` is the number of reads
    /// then.
    pub(crate) fn may_read(&self, role: WaitRole, thread: ThreadId, waited_since: Option<u64>) -> bool {
        role != WaitRole::Sender
            || waited_since == Some(self.reads)
            || self.main_reader.is_none_or(|reader| reader == thread)
    }

    /// Returns the session's next deadline, if it comes before the end of a long read, which does not know it.
    pub(crate) fn unguarded_deadline(&self) -> Option<Instant> {
        let long_read = self.long_read?;
        self.session.poll_timeout().map(|(at, _)| at).filter(|at| *at < long_read)
    }

    /// Returns whether a thread should try to write.
    pub(crate) fn wants_write(&self) -> bool {
        self.has_output && !self.write_failed && self.end.is_none()
    }

    /// Submits a request, unless threads wait in the queue for capacity. Returns the slot of its outcome.
    pub(crate) fn try_request<O>(&mut self, now: Instant, operation: &O) -> Result<u32, NotAdmitted>
    where
        O: Operation + SentBy<R>,
    {
        if self.waiting.may_take(None, self.capacity()) {
            self.submit(now, operation)
        } else {
            Err(NotAdmitted::Later(None))
        }
    }

    /// Submits a request, or puts the current thread into the queue for capacity. Returns the slot of its outcome.
    pub(crate) fn request_or_queue<O>(
        &mut self,
        now: Instant,
        operation: &O,
        role: WaitRole,
        waiter: &mut Option<u32>,
    ) -> Result<u32, NotAdmitted>
    where
        O: Operation + SentBy<R>,
    {
        let submitted = if self.end.is_some() || self.waiting.may_take(*waiter, self.capacity()) {
            self.submit(now, operation)
        } else {
            Err(NotAdmitted::Later(None))
        };
        if let Err(NotAdmitted::Later(at)) = &submitted {
            let number = *waiter.get_or_insert_with(|| self.waiting.register(role));
            self.waiting.enqueue(number, *at);
        } else if let Some(number) = waiter {
            self.waiting.leave_queue(*number);
            self.grant_capacity();
        }
        submitted
    }

    fn submit<O>(&mut self, now: Instant, operation: &O) -> Result<u32, NotAdmitted>
    where
        O: Operation + SentBy<R>,
    {
        // An observer may panic: then no slot is taken.
        let slot = self.pending.next_slot();
        let Err(refused) = self.session.request(now, operation, slot) else {
            self.mark_output(now);
            self.waiting.count_request();
            return Ok(self.pending.insert());
        };
        Err(match (refused.reason.permanent(), refused.reason) {
            (Some(reason), _) => NotAdmitted::Never(reason),
            (None, Refusal::RateLimited(at)) => NotAdmitted::Later(Some(at)),
            (None, _) => NotAdmitted::Later(None),
        })
    }

    /// Records that the transport has taken `octets`.
    pub(crate) fn handle_transmitted(&mut self, octets: usize) {
        let (was_full, wanted_input) = (self.session.is_full(), self.session.wants_input());
        self.session.handle_transmitted(octets);
        // A session that waited for its last octets to leave has ended now.
        self.clock_pending |= self.session.state() == State::Closed;
        if was_full && !self.session.is_full() {
            self.grant_capacity();
        }
        if !wanted_input && self.session.wants_input() {
            self.waiting.wake_follower(self.main_reader.is_none());
        }
    }

    /// Passes received octets to the session.
    pub(crate) fn handle_input(&mut self, reader: &mut Reader) {
        let now = self.now;
        reader.received.raise_limit(self.max_pdu);
        reader.begin_pass();
        let Reader { received, passed, .. } = reader;
        let mut input = received.received();
        let length = input.len();
        loop {
            if self.inbox_open
                && let Some((frame, reply)) = self.session.take_submit_sm(now, &mut input)
            {
                *passed = length - input.len();
                self.inbox.extend(Inbound::submit_sm(frame, reply));
                self.wake_inbox();
                continue;
            }
            let Some(event) = self.session.handle_input(now, &mut input) else { break };
            *passed = length - input.len();
            self.handle_event(event);
        }
        let remaining = input.len();
        reader.end_pass(remaining);
        reader.held = remaining > 0 && !self.session.wants_input();
        if let Some(server) = self.server.as_mut().filter(|server| server.is_unbound()) {
            server.set_unbound_octets(remaining + self.session.pending_output());
        }
        self.clock_pending |= self.caught_up < reader.caught_up;
        self.caught_up = self.caught_up.max(reader.caught_up);
        self.has_output |= self.session.wants_transmit();
        self.grant_capacity();
    }

    /// Passes a forced end to the session, and the time up to which all received octets were read.
    pub(crate) fn advance_clock(&mut self) {
        self.clock_pending = false;
        match self.forced_end.take() {
            Some(ForcedEnd::Aborted) => self.session.abort(),
            Some(ForcedEnd::Lost) => self.session.handle_disconnect(),
            Some(ForcedEnd::EndOfStream) => self.session.handle_eof(),
            None => {}
        }
        while let Some(event) = self.session.handle_timeout(self.caught_up) {
            self.handle_event(event);
        }
        self.has_output = true;
        self.grant_capacity();
    }

    /// Reserves free places in the window for the threads that wait for them.
    pub(crate) fn grant_capacity(&mut self) {
        if !self.waiting.is_queue_empty() && !self.session.is_full() {
            // Requests that have timed out still hold places. `submit` refuses a request that finds none.
            let timed_out = usize::from(self.session.stats().timed_out);
            let capacity = self.capacity().saturating_sub(timed_out);
            let command = if R::SIDE == Side::Esme { CommandId::SUBMIT_SM } else { CommandId::DELIVER_SM };
            let (session, now) = (&self.session, self.now);
            let is_due = |others: usize| {
                let readiness = session.readiness_after(now, others as u32, command);
                !matches!(readiness, Readiness::Refusing(Refusal::RateLimited(_)))
            };
            self.waiting.grant(capacity, is_due);
        }
    }

    /// Returns the number of free places in the window, with those of requests that have timed out.
    fn capacity(&self) -> usize {
        self.window.saturating_sub(self.session.in_flight())
    }

    /// Frees the memory of empty buffers and tables.
    pub(crate) fn shrink(&mut self) {
        self.session.shrink();
        self.pending.shrink();
        self.waiting.shrink();
        self.inbox.shrink_to_fit();
    }

    fn handle_event(&mut self, event: Event<'_, u32>) {
        let times = self.session.response_times();
        self.telemetry.record(&event, times, self.transport_error.as_deref());
        match event {
            Event::Request { request, frame, .. } => {
                if self.inbox_open {
                    self.inbox.extend(Inbound::new(request, frame));
                    self.wake_inbox();
                } else {
                    // If the session has ended, the peer sees no response and keeps the message.
                    let _ = self.session.refuse(request);
                }
            }
            Event::Notification { frame, .. }
                if self.inbox_open && self.inbox.len() < self.max_unanswered =>
            {
                let frame = Frame::new(frame.octets().to_vec());
                self.inbox.extend(frame.map(Inbound::Notification));
                self.wake_inbox();
            }
            Event::LateResponse { sequence, outcome, .. }
                if self.inbox_open && self.inbox.len() < self.max_unanswered =>
            {
                self.inbox.push_back(Inbound::LateResponse { sequence, result: outcome.into_result() });
                self.wake_inbox();
            }
            Event::Outcome { tag, outcome, .. } => {
                if let Some(server) = &mut self.server
                    && let Some(delivery) = self.pending.take_delivery(tag)
                {
                    server.handle_result(delivery, outcome.into_result());
                } else if let Some(waiter) = self.pending.complete(tag, outcome.into_result()) {
                    self.waiting.wake(waiter);
                }
            }
            Event::Closed(reason) => {
                self.end = Some(End::new(reason, self.transport_error.take()));
                self.waiting.wake_all();
                self.close_transport = true;
                if let Some(server) = &mut self.server {
                    server.ended(reason);
                }
            }
            // The session counts these, and responds to them where a response is due.
            _ => {}
        }
    }

    /// Returns the connection of a server for which something has to be done without the lock.
    pub(crate) fn take_flush(&mut self) -> Option<Arc<dyn SessionHook>> {
        let hook = self.server.as_mut()?.take_flush();
        if self.end.is_some() {
            self.server = None;
        }
        hook
    }

    fn wake_inbox(&mut self) {
        if let Some(waiter) = self.inbox_waiter {
            self.waiting.wake(waiter);
        }
    }

    /// Records that the transport has failed: with `error`, or with the error of an earlier write.
    pub(crate) fn handle_disconnect(&mut self, error: Option<io::Error>) {
        self.transport_error = self.transport_error.take().or(error.map(Arc::new));
        self.force_end(ForcedEnd::Lost);
    }

    /// Records that the peer has closed its side of the connection.
    pub(crate) fn handle_eof(&mut self) {
        self.forced_end.get_or_insert(ForcedEnd::EndOfStream);
    }

    /// Records that the application has aborted the session, whatever became of the transport because of that.
    pub(crate) fn abort(&mut self) {
        self.forced_end = Some(ForcedEnd::Aborted);
        self.transport_error = None;
        // So that a read or a write that another thread has begun returns.
        self.close_transport = true;
    }

    /// Records an end, unless an earlier one says more. An end of the stream may be followed by a failure.
    fn force_end(&mut self, end: ForcedEnd) {
        if matches!(self.forced_end, None | Some(ForcedEnd::EndOfStream)) {
            self.forced_end = Some(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use smpp_proto::session::Esme;

    use super::*;

    #[test]
    fn a_sender_leaves_the_reader_role_to_a_thread_that_reads_for_an_outcome() {
        let mut state = SessionState::<Esme>::new(&Config::default());
        let [sender, other] = [(); 2].map(|()| std::thread::spawn(|| ()).thread().id());
        assert!(state.may_read(WaitRole::Sender, sender, None), "nobody reads");
        state.main_reader = Some(other);
        assert!(!state.may_read(WaitRole::Sender, sender, None));
        assert!(state.may_read(WaitRole::MayLead, sender, None), "it waits for an outcome");
        // It waits, and the other thread reads; then the other thread reads no more.
        state.reads = 7;
        assert!(!state.may_read(WaitRole::Sender, sender, Some(6)));
        assert!(state.may_read(WaitRole::Sender, sender, Some(7)));
        // The thread itself was the last one to read.
        assert!(state.may_read(WaitRole::Sender, other, None));
    }
}
