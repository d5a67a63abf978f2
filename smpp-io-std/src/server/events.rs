//! The events of a server, and their receivers.

use std::collections::VecDeque;
use std::fmt;
use std::iter::FusedIterator;
use std::sync::Arc;
use std::time::Instant;

use smpp_proto::server::Event;

use super::registry::Registry;
use crate::account::Ended;

/// How many events a receiver may be behind.
const CAPACITY: usize = 1024;

/// The latest events, while there are receivers.
#[derive(Default)]
pub(super) struct EventLog {
    events: VecDeque<Event>,
    /// How many events there were before these.
    dropped: u64,
    receivers: usize,
    /// The threads that wait for an event.
    pub(super) waiting: usize,
    is_closed: bool,
}

impl EventLog {
    pub(super) fn push(&mut self, event: &Event) {
        self.is_closed |= *event == Event::Closed;
        if self.receivers == 0 {
            self.dropped += 1;
            return;
        }
        self.events.push_back(event.clone());
        if self.events.len() > CAPACITY {
            self.events.pop_front();
            self.dropped += 1;
        }
    }

    #[cfg(feature = "metrics")]
    pub(super) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    fn end(&self) -> u64 {
        self.dropped + self.events.len() as u64
    }

    /// Adds a receiver, and returns the number of its first event.
    pub(super) fn add_receiver(&mut self) -> u64 {
        self.receivers += 1;
        self.end()
    }

    pub(super) fn remove_receiver(&mut self) {
        self.receivers -= 1;
        if self.receivers == 0 {
            self.dropped = self.end();
            self.events = VecDeque::new();
        }
    }

    /// Returns the next event of a receiver, if there is one.
    pub(super) fn poll(&self, next: &mut u64) -> Result<Option<Event>, Ended> {
        if *next < self.dropped {
            let lost = self.dropped - *next;
            *next = self.dropped;
            return Ok(Some(Event::Lagged { lost }));
        }
        // It fits: there are `CAPACITY` events.
        match self.events.get((*next - self.dropped) as usize) {
            Some(event) => {
                *next += 1;
                Ok(Some(event.clone()))
            }
            None if self.is_closed => Err(Ended),
            None => Ok(None),
        }
    }
}

/// The events of a server, in the order in which they happened: [`BindRegistry::events`](crate::BindRegistry::events). As an
/// iterator it returns what [`recv`](Self::recv) does.
///
/// A receiver that is too slow loses the oldest events: [`Event::Lagged`]. It does not keep the server running.
///
/// ```no_run
/// fn log(server: &smpp_std::Server) {
///     let events = server.binds().events();
///     std::thread::spawn(move || {
///         for event in events {
///             println!("{event}");
///         }
///     });
/// }
/// ```
pub struct Events {
    registry: Arc<Registry>,
    next: u64,
}

impl Events {
    pub(super) const fn new(registry: Arc<Registry>, next: u64) -> Self {
        Self { registry, next }
    }

    /// Waits for the next event. Returns `None` once the server is shut down.
    pub fn recv(&mut self) -> Option<Event> {
        self.registry.next_event(&mut self.next, None).ok().flatten()
    }

    /// Waits for the next event, at most until `deadline`. Returns `Ok(None)` if none happened by then.
    ///
    /// # Errors
    ///
    /// [`Ended`] once the server is shut down, and no event is left.
    pub fn recv_until(&mut self, deadline: Instant) -> Result<Option<Event>, Ended> {
        self.registry.next_event(&mut self.next, Some(deadline))
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.recv()
    }
}

impl FusedIterator for Events {}

impl Drop for Events {
    fn drop(&mut self) {
        self.registry.remove_receiver();
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("next", &self.next).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_receiver_loses_the_oldest_events_and_no_receiver_holds_none() {
        let mut log = EventLog::default();
        log.push(&Event::Lagged { lost: 0 });
        assert_eq!((log.events.len(), log.end()), (0, 1), "no receiver is left");
        let (mut slow, mut fast) = (log.add_receiver(), log.add_receiver());
        for number in 0..CAPACITY as u64 + 3 {
            log.push(&Event::Lagged { lost: number });
            assert_eq!(log.poll(&mut fast), Ok(Some(Event::Lagged { lost: number })));
        }
        assert_eq!(log.poll(&mut fast), Ok(None));
        assert_eq!(log.poll(&mut slow), Ok(Some(Event::Lagged { lost: 3 })));
        assert_eq!(log.poll(&mut slow), Ok(Some(Event::Lagged { lost: 3 })), "the fourth");
        log.push(&Event::Closed);
        assert_eq!(log.poll(&mut fast), Ok(Some(Event::Closed)));
        assert_eq!(log.poll(&mut fast), Err(Ended));
        log.remove_receiver();
        log.remove_receiver();
        assert_eq!(log.events.capacity(), 0);
    }
}
