//! Passes the events of the registry on: to receivers, the log and the metrics.

use std::sync::{PoisonError, TryLockError};
use std::time;

use smpp_proto::server::Event;

use super::Registry;
use crate::account::Ended;

impl Registry {
    /// Logs the events in their order. No thread waits for a subscriber of the log that blocks another one: that one logs the
    /// events of both.
    pub(super) fn publish(&self) {
        loop {
            {
                // Another thread that does this sees the events, or this one does in its next round.
                let mut telemetry = match self.telemetry.try_lock() {
                    Ok(telemetry) => telemetry,
                    // A subscriber has panicked: it leaves nothing inconsistent.
                    Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                    Err(TryLockError::WouldBlock) => return,
                };
                while let Some(event) = self.next_unpublished() {
                    telemetry.record(self.now(), &event);
                }
            }
            if self.lock().unpublished.is_empty() {
                return;
            }
        }
    }

    fn next_unpublished(&self) -> Option<Event> {
        self.lock().unpublished.pop_front()
    }

    /// Adds a receiver of events, and returns the number of its first one.
    pub(in crate::server) fn add_receiver(&self) -> u64 {
        self.lock().log.add_receiver()
    }

    pub(in crate::server) fn remove_receiver(&self) {
        self.lock().log.remove_receiver();
    }

    /// Waits for an event, at most until `deadline`. `Err` if there will be none.
    pub(in crate::server) fn next_event(
        &self,
        next: &mut u64,
        deadline: Option<time::Instant>,
    ) -> Result<Option<Event>, Ended> {
        let mut state = self.lock();
        loop {
            match state.log.poll(next) {
                Ok(None) => {}
                event_or_end => return event_or_end,
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(time::Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            state.log.waiting += 1;
            state = match left {
                Some(left) => {
                    self.event_added.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.event_added.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
            state.log.waiting -= 1;
        }
    }
}
