//! The timers of a session: an enum and an array of deadlines.

use core::time::Duration;

use crate::time::Instant;

/// The reason for a deadline of [`poll_timeout`](super::Session::poll_timeout).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timer {
    /// [`session_init_timeout`](super::Config::session_init_timeout): no bind has been accepted, or no outbind has arrived.
    SessionInit,
    /// Keep-alive: the session checks whether to send enquire_link.
    EnquireLink,
    /// Keep-alive: the peer has sent nothing since the session's enquire_link.
    EnquireLinkResponse,
    /// [`inactivity_timeout`](super::Config::inactivity_timeout): the session checks whether messages have passed.
    Inactivity,
    /// Output waits: the session checks whether the transport has accepted octets.
    Transmit,
    /// The current phase of the shutdown takes too long: draining, unbinding, or transmitting the last octets.
    Shutdown,
    /// [`backpressure_timeout`](super::Config::backpressure_timeout): the application responds to no request.
    Backpressure,
    /// [`max_response_timeouts`](super::Config::max_response_timeouts): the peer responds to no request.
    Unresponsive,
    /// [`response_timeout`](super::Config::response_timeout) of the oldest request in flight.
    Response,
    /// [`late_response_timeout`](super::Config::late_response_timeout) of the oldest request that has timed out.
    LateResponse,
    /// The session reads input again: pass the input that was left over to
    /// [`handle_input`](super::Session::handle_input) at once.
    Input,
    /// The session has ended and has events to report: call [`handle_timeout`](super::Session::handle_timeout) at once.
    Closed,
}

/// The timers that [`Timers`] holds. The others follow from the state of the session.
const STORED: [Timer; 8] = [
    Timer::SessionInit,
    Timer::EnquireLink,
    Timer::EnquireLinkResponse,
    Timer::Inactivity,
    Timer::Transmit,
    Timer::Shutdown,
    Timer::Backpressure,
    Timer::Unresponsive,
];

/// The deadline of a stopped timer: 584 years after the start.
const STOPPED: Instant = Instant::from_nanos(u64::MAX);

#[derive(Clone, Copy, Debug)]
pub(super) struct Timers {
    due: [Instant; STORED.len()],
    /// Timers that a call without a time has set, such as `respond`. Their deadlines start at the time of an earlier call
    /// until [`postpone`](Self::postpone) corrects them.
    provisional: [bool; STORED.len()],
    /// Whether a call that takes no time is setting timers.
    pub(super) undated: bool,
}

impl Default for Timers {
    fn default() -> Self {
        Self { due: [STOPPED; STORED.len()], provisional: Default::default(), undated: false }
    }
}

impl Timers {
    /// Sets the timer, or stops it with `None`.
    pub(super) fn set(&mut self, timer: Timer, at: Option<Instant>) {
        let slots = self.due.get_mut(timer as usize).zip(self.provisional.get_mut(timer as usize));
        if let Some((due, provisional)) = slots {
            (*due, *provisional) = (at.unwrap_or(STOPPED), self.undated && at.is_some());
        }
    }

    /// Moves the deadline of the timer, if it runs.
    pub(super) fn extend(&mut self, timer: Timer, by: Duration) {
        if let Some(due) = self.due.get_mut(timer as usize).filter(|due| **due < STOPPED) {
            *due = *due + by;
        }
    }

    /// Moves the deadline of the timer forward to `at`, if it runs and is later.
    pub(super) fn bring_forward(&mut self, timer: Timer, at: Instant) {
        if let Some(due) = self.due.get_mut(timer as usize).filter(|due| **due < STOPPED) {
            *due = at.min(*due);
        }
    }

    /// Returns whether the timer runs.
    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.due.get(timer as usize).is_some_and(|due| *due < STOPPED)
    }

    /// Returns whether the timer runs and its deadline has come.
    pub(super) fn is_due(&self, timer: Timer, now: Instant) -> bool {
        self.is_set(timer) && self.due.get(timer as usize).is_some_and(|due| *due <= now)
    }

    /// Stops all timers.
    pub(super) fn stop(&mut self) {
        *self = Self { undated: self.undated, ..Self::default() };
    }

    /// Moves the deadlines of provisional timers by the time that had passed when those calls were made.
    pub(super) fn postpone(&mut self, passed: Duration) {
        if passed.is_zero() {
            self.provisional = Default::default();
            return;
        }
        for (due, provisional) in self.due.iter_mut().zip(&mut self.provisional) {
            if core::mem::take(provisional) {
                *due = *due + passed;
            }
        }
    }

    /// Returns the earliest deadline and its timer.
    pub(super) fn first(&self) -> Option<(Instant, Timer)> {
        let all = STORED.into_iter().zip(self.due).map(|(timer, at)| (at, timer));
        all.min_by_key(|(at, _)| *at).filter(|(at, _)| *at < STOPPED)
    }
}
