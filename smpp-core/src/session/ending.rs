//! How a session begins to be bound, is kept alive, and comes to its end.

use alloc::vec::Vec;

use super::event::{CloseReason, Event, Outcome, UnansweredReason};
use super::observer::Observer;
use super::role::Role;
use super::state::State;
use super::timers::Timer;
use super::window::Entry;
use super::{Ending, Instant, Session};
use crate::frame::SequenceNumber;
use crate::pdu::{BindMode, CommandId, CommandStatus, EnquireLink, Unbind};

impl<R: Role, T, O: Observer> Session<R, T, O> {
    /// Ends the session in good order: takes no more requests, lets what is in flight finish until
    /// [`drain`](super::Config::drain_timeout) is over, unbinds. An unbound session just ends.
    pub fn unbind(&mut self, now: Instant) {
        self.advance_clock(now);
        self.leave(CloseReason::Unbound);
    }

    /// Ends the session at once, without a word to the peer.
    pub fn abort(&mut self) {
        self.end(CloseReason::Aborted);
    }

    /// The connection has ended, or failed: nothing more comes in or goes out.
    pub fn handle_eof(&mut self) {
        self.end(match self.ending {
            // Our unbind has to have left for that.
            Ending::Unbinding(CloseReason::Unbound) if self.pending_output() > 0 => CloseReason::Disconnected,
            Ending::Unbinding(reason) | Ending::Flushing(reason) => reason,
            Ending::PeerUnbinding(_) | Ending::PeerUnbound => CloseReason::PeerUnbound,
            _ => CloseReason::Disconnected,
        });
    }

    pub(super) fn bound(&mut self, mode: BindMode) {
        self.state = State::Bound(mode);
        let peer = self.peer_version.unwrap_or(self.config.assumed_version);
        self.version = self.own_version.map_or(peer, |own| own.min(peer));
        self.last_heard = self.now;
        self.last_message = self.now;
        self.timers.set(Timer::SessionInit, None);
        self.timers.set(Timer::EnquireLink, self.config.enquire_link_interval.map(|idle| self.now + idle));
        self.timers.set(Timer::Inactivity, self.config.inactivity_timeout.map(|idle| self.now + idle));
    }

    /// An outbind was sent, or came: the bind is to follow.
    pub(super) fn outbound(&mut self) {
        self.state = State::Outbound;
        self.timers.set(Timer::SessionInit, Some(self.now + self.config.session_init_timeout));
    }

    /// Whether a PDU of this command keeps the session from being inactive.
    pub(super) fn is_activity(&self, command: CommandId) -> bool {
        self.config.enquire_link_is_activity || command.request() != CommandId::ENQUIRE_LINK
    }

    /// Begins the end that is ours to begin.
    fn leave(&mut self, reason: CloseReason) {
        if self.ending != Ending::No {
            return;
        }
        if self.state.is_bound() {
            self.ending = Ending::Draining(reason);
            self.timers.set(Timer::Ending, Some(self.now + self.config.drain_timeout));
            self.advance();
        } else {
            self.flush(reason);
        }
    }

    /// The session is over, unless it was before.
    pub(super) fn end(&mut self, reason: CloseReason) {
        if !matches!(self.ending, Ending::Ended(_) | Ending::Told) {
            self.ending = Ending::Ended(reason);
            self.timers.stop();
        }
    }

    /// The session is over once what is encoded has been transmitted, or `response` has passed.
    pub(super) fn flush(&mut self, reason: CloseReason) {
        self.ending = Ending::Flushing(reason);
        self.state = State::Unbinding;
        self.timers.stop();
        self.timers.set(Timer::Ending, Some(self.now + self.config.response_timeout));
        self.advance();
    }

    /// Takes the end a step further if there is one in sight.
    #[inline]
    pub(super) fn advance(&mut self) {
        if self.ending != Ending::No {
            self.approach();
        }
    }

    /// Takes the end a step further if what it waits for has come.
    fn approach(&mut self) {
        let idle = self.window.len() == 0 && self.unanswered == 0;
        match self.ending {
            Ending::Draining(reason) if idle => self.send_unbind(reason),
            Ending::PeerUnbinding(sequence) if self.unanswered == 0 => self.answer_unbind(sequence),
            Ending::PeerUnbound if self.window.len() == 0 => self.flush(CloseReason::PeerUnbound),
            Ending::Flushing(reason) if self.pending_output() == 0 => self.end(reason),
            _ => {}
        }
    }

    fn send_unbind(&mut self, reason: CloseReason) {
        let sequence = self.next_sequence();
        self.unbind = Some(sequence);
        self.encode(CommandId::UNBIND, CommandStatus::ROK, sequence, Some(&Unbind));
        self.part();
        self.ending = Ending::Unbinding(reason);
        self.timers.set(Timer::Ending, Some(self.now + self.config.response_timeout));
    }

    fn answer_unbind(&mut self, sequence: SequenceNumber) {
        self.answer(CommandId::UNBIND, CommandStatus::ROK, sequence);
        self.part();
        self.ending = Ending::PeerUnbound;
        self.advance();
    }

    /// No longer bound: nobody asks whether the link lives, or is used. `Timer::Ending` bounds what is left.
    fn part(&mut self) {
        self.state = State::Unbinding;
        for timer in [Timer::EnquireLink, Timer::EnquireLinkResponse, Timer::Inactivity] {
            self.timers.set(timer, None);
        }
    }

    /// A timer other than that of a response is due.
    pub(super) fn expire(&mut self, timer: Timer) {
        self.timers.set(timer, None);
        match timer {
            Timer::SessionInit => self.end(CloseReason::SessionInit),
            Timer::EnquireLinkResponse => self.end(CloseReason::LinkDead),
            Timer::EnquireLink => self.probe(),
            Timer::Inactivity => self.check_activity(),
            Timer::Transmit if core::mem::take(&mut self.moved) => {
                self.timers.set(Timer::Transmit, Some(self.now + self.config.response_timeout));
            }
            Timer::Transmit => self.end(CloseReason::Stalled),
            Timer::Ending => match self.ending {
                Ending::Draining(reason) => self.send_unbind(reason),
                Ending::PeerUnbinding(sequence) => {
                    // What is still owed will not be answered.
                    self.timers.set(Timer::Ending, Some(self.now + self.config.response_timeout));
                    self.answer_unbind(sequence);
                }
                Ending::PeerUnbound => self.flush(CloseReason::PeerUnbound),
                Ending::Unbinding(CloseReason::Unbound) => self.end(CloseReason::UnbindTimeout),
                Ending::Unbinding(reason) | Ending::Flushing(reason) => self.end(reason),
                Ending::No | Ending::Ended(_) | Ending::Told => {}
            },
            Timer::Response | Timer::Ended => {}
        }
    }

    /// Sends an enquire_link if the peer has been silent for the whole time. Traffic does not touch the
    /// timer: it is looked at when it fires.
    fn probe(&mut self) {
        let Some(idle) = self.config.enquire_link_interval else { return };
        let due = self.last_heard + idle;
        if due > self.now {
            return self.timers.set(Timer::EnquireLink, Some(due));
        }
        let sequence = self.next_sequence();
        self.enquire_link = Some(sequence);
        self.encode(CommandId::ENQUIRE_LINK, CommandStatus::ROK, sequence, Some(&EnquireLink));
        self.timers.set(Timer::EnquireLinkResponse, Some(self.now + self.config.response_timeout));
        if self.is_activity(CommandId::ENQUIRE_LINK) {
            self.last_message = self.now;
        }
    }

    fn check_activity(&mut self) {
        let Some(limit) = self.config.inactivity_timeout else { return };
        let due = self.last_message + limit;
        if due > self.now {
            return self.timers.set(Timer::Inactivity, Some(due));
        }
        self.leave(CloseReason::Inactive);
    }

    /// What is left to tell of a session that is over: an outcome for each request, then the end.
    pub(super) fn poll_end(&mut self) -> Option<Event<'static, T>> {
        let Ending::Ended(reason) = self.ending else { return None };
        let Some(Entry { tag, sequence, end, .. }) = self.window.take_first() else {
            self.ending = Ending::Told;
            self.output = Vec::new();
            return Some(Event::Closed(reason));
        };
        let outcome = if end > self.transmitted {
            Outcome::NeverSent(reason)
        } else {
            Outcome::Unanswered(UnansweredReason::Closed(reason))
        };
        Some(Event::Outcome { tag, sequence, outcome })
    }
}
