//! The session's clocks: an enum and an array.

use core::time::Duration;

use crate::time::Instant;

/// Why a session wants to be called at a certain time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timer {
    /// No bind so far, or no outbind.
    SessionInit,
    /// The peer has been silent: time for an enquire_link.
    EnquireLink,
    /// Our enquire_link is unanswered.
    EnquireLinkResponse,
    /// No message has passed for long.
    Inactivity,
    /// Output waits, and the transport takes none of it.
    Transmit,
    /// The end is near: draining, unbinding, or flushing the last octets.
    Ending,
    /// The oldest request is unanswered.
    Response,
    /// The session is over and has events to tell: call `handle_timeout` at once.
    Ended,
}

const KEPT: [Timer; 6] = [
    Timer::SessionInit,
    Timer::EnquireLink,
    Timer::EnquireLinkResponse,
    Timer::Inactivity,
    Timer::Transmit,
    Timer::Ending,
];

/// When a timer goes off that is stopped: after 584 years, that is.
const NEVER: Instant = Instant::from_nanos(u64::MAX);

#[derive(Clone, Copy, Debug)]
pub(super) struct Timers {
    due: [Instant; KEPT.len()],
    /// Which of them were set by an answer, from a time that may be an old one: an answer passes none in.
    early: [bool; KEPT.len()],
    /// Whether an answer is being given.
    pub(super) answering: bool,
}

impl Default for Timers {
    fn default() -> Self {
        Self { due: [NEVER; KEPT.len()], early: Default::default(), answering: false }
    }
}

impl Timers {
    /// Sets the timer, or stops it.
    pub(super) fn set(&mut self, timer: Timer, at: Option<Instant>) {
        let slots = self.due.get_mut(timer as usize).zip(self.early.get_mut(timer as usize));
        if let Some((due, early)) = slots {
            (*due, *early) = (at.unwrap_or(NEVER), self.answering && at.is_some());
        }
    }

    /// Stops all of them.
    pub(super) fn stop(&mut self) {
        *self = Self { answering: self.answering, ..Self::default() };
    }

    /// So much time had passed when the answers were given.
    pub(super) fn postpone(&mut self, passed: Duration) {
        if passed.is_zero() {
            self.early = Default::default();
            return;
        }
        for (due, early) in self.due.iter_mut().zip(&mut self.early) {
            if core::mem::take(early) {
                *due = *due + passed;
            }
        }
    }

    /// The timer that is due first.
    pub(super) fn first(&self) -> Option<(Instant, Timer)> {
        let all = KEPT.into_iter().zip(self.due).map(|(timer, at)| (at, timer));
        all.min_by_key(|(at, _)| *at).filter(|(at, _)| *at < NEVER)
    }
}
