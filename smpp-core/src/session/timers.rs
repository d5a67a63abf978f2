//! The session's clocks: an enum and an array.

use super::time::Instant;

/// Why a session wants to be called at a certain time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timer {
    /// No bind so far (SMSC side).
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

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timers([Option<Instant>; KEPT.len()]);

impl Timers {
    /// Sets the timer, or stops it.
    pub(super) fn set(&mut self, timer: Timer, at: Option<Instant>) {
        if let Some(slot) = self.0.get_mut(timer as usize) {
            *slot = at;
        }
    }

    /// The timer that is due first.
    pub(super) fn first(&self) -> Option<(Instant, Timer)> {
        let armed = KEPT.into_iter().zip(self.0).filter_map(|(timer, at)| Some((at?, timer)));
        armed.min_by_key(|(at, _)| *at)
    }
}
