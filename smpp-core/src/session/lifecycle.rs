//! The life of a session: from the bind, through keep-alive, to the shutdown.

use alloc::vec::Vec;
use core::time::Duration;

use super::Session;
use super::close_reason::CloseReason;
use super::event::Event;
use super::observer::Observer;
use super::outcome::{Outcome, UnansweredReason};
use super::role::Role;
use super::shutdown::Shutdown;
use super::state::State;
use super::timers::Timer;
use super::window::Entry;
use crate::frame::SequenceNumber;
use crate::pdu::{BindMode, CommandId, CommandStatus, EnquireLink, InterfaceVersion, Unbind};
use crate::time::Instant;

/// The shortest time after which a postponed check of the link is made.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

impl<R: Role, T, O: Observer> Session<R, T, O> {
    /// Shuts the session down gracefully: refuses new requests, waits up to
    /// [`drain_timeout`](super::Config::drain_timeout) for requests in flight in both directions, then sends unbind and
    /// waits for the response. A session that is not bound only transmits its waiting output.
    ///
    /// The end is reported as [`Event::Closed`]. A second call does nothing.
    pub fn unbind(&mut self, now: Instant) {
        self.advance_clock(now);
        self.begin_shutdown(CloseReason::Unbound);
    }

    /// Shuts the session down as [`unbind`](Self::unbind) does, and sends the unbind at `drained_by` at the latest.
    pub(crate) fn unbind_by(&mut self, now: Instant, drained_by: Instant) {
        self.unbind(now);
        if matches!(self.shutdown, Shutdown::Draining(_)) {
            self.timers.bring_forward(Timer::Shutdown, drained_by);
        }
    }

    /// Ends the session immediately. The peer gets no unbind.
    ///
    /// [`handle_timeout`](Self::handle_timeout) then reports an outcome for each request in flight, and the end.
    pub fn abort(&mut self) {
        self.end(CloseReason::Aborted);
    }

    /// Reports to the session that the peer has closed its side of the connection: the transport has reached the end of the
    /// stream, and may still accept octets.
    ///
    /// The session reads no more and refuses new requests. It still transmits the responses of the application, for up to
    /// [`drain_timeout`](super::Config::drain_timeout), and then ends. Without outstanding responses it ends at once, so that
    /// requests that were not transmitted end as [`NeverSent`](Outcome::NeverSent). If the transport has failed, call
    /// [`handle_disconnect`](Self::handle_disconnect) instead.
    ///
    /// Like [`respond`](Self::respond), this method takes no time: it counts as called at the time of the next call that
    /// takes one.
    pub fn handle_eof(&mut self) {
        self.eof = true;
        self.begin_undated();
        if let Shutdown::NotStarted | Shutdown::Draining(_) | Shutdown::Unbinding(_) = self.shutdown {
            if self.shutdown == Shutdown::NotStarted {
                self.timers.set(Timer::Shutdown, Some(self.now + self.config.drain_timeout));
            }
            self.shutdown = Shutdown::PeerFinished(self.disconnect_reason());
            self.enter_unbinding();
            self.timers.set(Timer::SessionInit, None);
            self.timers.set(Timer::Unresponsive, None);
        }
        self.advance();
        self.timers.undated = false;
    }

    /// Reports to the session that the connection has failed or is closed: it carries octets in neither direction.
    ///
    /// [`handle_timeout`](Self::handle_timeout) then reports an outcome for each request in flight, and the end.
    pub fn handle_disconnect(&mut self) {
        self.end(self.disconnect_reason());
    }

    /// Returns the reason of the end if the connection ends now.
    fn disconnect_reason(&self) -> CloseReason {
        match self.shutdown {
            // If the unbind has not left, the peer did not close in response to it.
            Shutdown::Unbinding(CloseReason::Unbound) if self.pending_output() > 0 => {
                CloseReason::Disconnected
            }
            Shutdown::Unbinding(reason) | Shutdown::PeerFinished(reason) | Shutdown::Flushing(reason) => {
                reason
            }
            Shutdown::PeerUnbinding(_) | Shutdown::PeerUnbound => CloseReason::PeerUnbound,
            _ => CloseReason::Disconnected,
        }
    }

    /// Enters the bound state and starts the timers of keep-alive and inactivity.
    pub(super) fn enter_bound(&mut self, mode: BindMode) {
        self.state = State::Bound(mode);
        let known = |version: Option<InterfaceVersion>| version.and_then(InterfaceVersion::known);
        let stated = self.config.peer_version.or(known(self.peer_version));
        let peer = stated.unwrap_or(self.config.assumed_version);
        self.version = known(self.own_version).map_or(peer, |own| own.min(peer));
        self.last_received = self.now;
        self.last_activity = self.now;
        self.timers.set(Timer::SessionInit, None);
        self.timers.set(Timer::EnquireLink, self.config.keep_alive().map(|idle| self.now + idle));
        self.timers.set(Timer::Inactivity, self.config.inactivity_timeout.map(|idle| self.now + idle));
    }

    /// Enters the outbound state after an outbind was sent or received: the ESME must bind now.
    pub(super) fn enter_outbound(&mut self) {
        self.state = State::Outbound;
        self.timers.set(Timer::SessionInit, Some(self.now + self.config.session_init_timeout));
    }

    /// Returns whether a PDU of this command restarts the inactivity timeout.
    pub(super) fn is_activity(&self, command: CommandId) -> bool {
        self.config.enquire_link_is_activity || command.request() != CommandId::ENQUIRE_LINK
    }

    /// Begins a shutdown from this side, unless one has begun.
    fn begin_shutdown(&mut self, reason: CloseReason) {
        if self.shutdown != Shutdown::NotStarted {
            return;
        }
        if self.state.is_bound() {
            self.shutdown = Shutdown::Draining(reason);
            self.timers.set(Timer::Shutdown, Some(self.now + self.config.drain_timeout));
            self.advance();
        } else {
            self.flush(reason);
        }
    }

    /// Ends the session, unless it has ended.
    pub(super) fn end(&mut self, reason: CloseReason) {
        if !matches!(self.shutdown, Shutdown::Reporting(_) | Shutdown::Done(_)) {
            self.shutdown = Shutdown::Reporting(reason);
            self.timers.stop();
        }
    }

    /// Ends the session once the waiting output is transmitted, or `response_timeout` has passed.
    pub(super) fn flush(&mut self, reason: CloseReason) {
        self.shutdown = Shutdown::Flushing(reason);
        self.state = State::Unbinding;
        self.timers.stop();
        self.timers.set(Timer::Shutdown, Some(self.now + self.config.response_timeout));
        self.advance();
    }

    /// Advances a shutdown in progress to its next phase if nothing is left to wait for.
    #[inline]
    pub(super) fn advance(&mut self) {
        if self.shutdown != Shutdown::NotStarted {
            self.advance_shutdown();
        }
    }

    fn advance_shutdown(&mut self) {
        let idle = self.window.waiting() == 0 && self.unanswered == 0;
        match self.shutdown {
            Shutdown::Draining(reason) if idle => self.send_unbind(reason),
            Shutdown::PeerUnbinding(sequence) if self.unanswered == 0 => self.respond_to_unbind(sequence),
            Shutdown::PeerUnbound if self.window.waiting() == 0 || self.eof => {
                self.flush(CloseReason::PeerUnbound);
            }
            Shutdown::PeerFinished(reason)
                if self.unanswered == 0 && self.responses_end <= self.transmitted =>
            {
                self.end(reason);
            }
            Shutdown::Flushing(reason) if self.pending_output() == 0 => self.end(reason),
            _ => {}
        }
    }

    fn send_unbind(&mut self, reason: CloseReason) {
        let sequence = self.next_sequence();
        self.unbind = Some(sequence);
        self.encode(CommandId::UNBIND, CommandStatus::ROK, sequence, Some(&Unbind));
        self.enter_unbinding();
        self.shutdown = Shutdown::Unbinding(reason);
        self.timers.set(Timer::Shutdown, Some(self.now + self.config.response_timeout));
    }

    fn respond_to_unbind(&mut self, sequence: SequenceNumber) {
        self.respond_empty(CommandId::UNBIND, CommandStatus::ROK, sequence);
        self.enter_unbinding();
        self.shutdown = Shutdown::PeerUnbound;
        self.advance();
    }

    /// Leaves the bound state and stops the checks of the link. `Timer::Shutdown` limits the rest of the shutdown.
    fn enter_unbinding(&mut self) {
        self.state = State::Unbinding;
        for timer in [Timer::EnquireLink, Timer::EnquireLinkResponse, Timer::Inactivity, Timer::Unresponsive]
        {
            self.timers.set(timer, None);
        }
    }

    /// Acts on a timer that is due, except [`Timer::Response`].
    pub(super) fn expire(&mut self, timer: Timer) {
        self.timers.set(timer, None);
        match timer {
            Timer::SessionInit => self.end(CloseReason::SessionInit),
            // What the peer has sent is not read: it proves nothing that nothing was heard.
            Timer::EnquireLinkResponse | Timer::Unresponsive if !self.wants_input() => {
                self.postpone_check(timer);
            }
            // The peer cannot respond to what it has not received.
            Timer::EnquireLinkResponse if self.enquire_link_end > self.transmitted => {
                if core::mem::replace(&mut self.enquire_link_is_late, true) {
                    self.end(CloseReason::Stalled);
                } else {
                    self.postpone_check(timer);
                }
            }
            Timer::EnquireLinkResponse => self.end(CloseReason::LinkDead),
            Timer::EnquireLink => self.check_keep_alive(),
            Timer::Inactivity => self.check_inactivity(),
            Timer::Transmit if core::mem::take(&mut self.has_progress) => {
                self.timers.set(Timer::Transmit, Some(self.now + self.config.response_timeout));
            }
            Timer::Transmit => self.end(CloseReason::Stalled),
            Timer::Backpressure => {
                self.is_overloaded = true;
                // If this call is late, other timers are due as well. What has arrived is read before they act.
                for timer in [Timer::EnquireLinkResponse, Timer::Unresponsive] {
                    if self.timers.is_due(timer, self.now) {
                        self.postpone_check(timer);
                    }
                }
            }
            Timer::Unresponsive if self.window.len() > 0 => self.end(CloseReason::Unresponsive),
            Timer::Shutdown => match self.shutdown {
                Shutdown::Draining(reason) => self.send_unbind(reason),
                Shutdown::PeerUnbinding(sequence) => {
                    // The application does not respond in time: do not let the peer wait longer.
                    self.timers.set(Timer::Shutdown, Some(self.now + self.config.response_timeout));
                    self.respond_to_unbind(sequence);
                }
                Shutdown::PeerUnbound => self.flush(CloseReason::PeerUnbound),
                Shutdown::Unbinding(CloseReason::Unbound) => self.end(CloseReason::UnbindTimeout),
                Shutdown::PeerFinished(reason) | Shutdown::Unbinding(reason) | Shutdown::Flushing(reason) => {
                    self.end(reason);
                }
                Shutdown::NotStarted | Shutdown::Reporting(_) | Shutdown::Done(_) => {}
            },
            // Nothing waits for a response, or another method acts on the timer.
            Timer::Unresponsive | Timer::Response | Timer::LateResponse | Timer::Input | Timer::Closed => {}
        }
    }

    /// Checks again after `response_timeout`, and not at once if that is zero.
    fn postpone_check(&mut self, timer: Timer) {
        let wait = self.config.response_timeout.max(SHORTEST_WAIT);
        self.timers.set(timer, Some(self.now + wait));
    }

    /// Sends enquire_link if the peer has been silent for the whole interval. Traffic does not reset the timer: the time
    /// of the last PDU is checked only when the timer fires, so that keep-alive costs nothing per PDU.
    fn check_keep_alive(&mut self) {
        let Some(idle) = self.config.keep_alive() else { return };
        let due = self.last_received + idle;
        if due > self.now {
            return self.timers.set(Timer::EnquireLink, Some(due));
        }
        self.send_enquire_link();
    }

    /// Sends enquire_link. The peer's next PDU restarts the interval of keep-alive.
    pub(super) fn send_enquire_link(&mut self) {
        self.timers.set(Timer::EnquireLink, None);
        let sequence = self.next_sequence();
        self.enquire_link = Some(sequence);
        self.encode(CommandId::ENQUIRE_LINK, CommandStatus::ROK, sequence, Some(&EnquireLink));
        (self.enquire_link_end, self.enquire_link_at) = (self.encoded, self.now);
        self.enquire_link_is_late = false;
        self.timers.set(Timer::EnquireLinkResponse, Some(self.now + self.config.response_timeout));
        if self.is_activity(CommandId::ENQUIRE_LINK) {
            self.last_activity = self.now;
        }
    }

    /// The transport has taken an enquire_link. If it did not so at once, extends the timeout by another `response_timeout`, so
    /// that the peer has at least that long: `handle_transmitted` has no time.
    #[cold]
    pub(super) fn extend_enquire_link_timeout(&mut self) {
        if self.now > self.enquire_link_at {
            self.timers.extend(Timer::EnquireLinkResponse, self.config.response_timeout);
        }
    }

    /// Begins a shutdown if no message has passed for the whole inactivity timeout.
    fn check_inactivity(&mut self) {
        let Some(limit) = self.config.inactivity_timeout else { return };
        let due = self.last_activity + limit;
        if due > self.now {
            return self.timers.set(Timer::Inactivity, Some(due));
        }
        self.begin_shutdown(CloseReason::Inactive);
    }

    /// Returns the next event of a session that has ended: an outcome for each request in flight, then the end.
    pub(super) fn poll_end(&mut self) -> Option<Event<'static, T>> {
        let Shutdown::Reporting(reason) = self.shutdown else { return None };
        let (tag, sequence, end) = loop {
            match self.window.take_first() {
                Some(Entry { tag: Some(tag), sequence, end, .. }) => break (tag, sequence, end),
                // Its timeout was reported.
                Some(Entry { tag: None, .. }) => {}
                None => {
                    self.shutdown = Shutdown::Done(reason);
                    self.output = Vec::new();
                    return Some(Event::Closed(reason));
                }
            }
        };
        let outcome = if end > self.transmitted {
            Outcome::NeverSent(reason)
        } else {
            Outcome::Unanswered(UnansweredReason::Closed(reason))
        };
        Some(Event::Outcome { tag, sequence, outcome })
    }
}
