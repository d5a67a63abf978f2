//! Graceful shutdown of an account.

use alloc::vec::Vec;
use core::time::Duration;

use super::event::Event;
use super::link_slot::LinkSlot;
use super::outcome::{SegmentNotSentReason, Unresolved};
use super::state::{Account, Shutdown};
use crate::session::Observer;
use crate::time::Instant;

impl<O: Observer> Account<O> {
    /// Shuts the account down gracefully: accepts no more messages, sends the queued ones until `timeout` has passed,
    /// then unbinds.
    ///
    /// The last event is [`Event::Closed`]. It arrives at the latest after `timeout`,
    /// [`drain_timeout`](crate::session::Config::drain_timeout) and
    /// [`response_timeout`](crate::session::Config::response_timeout), if the adapter does each
    /// [`Action::Close`](super::Action::Close). Of several calls the earliest deadline counts.
    pub fn shutdown(&mut self, now: Instant, timeout: Duration) {
        let until = now + timeout;
        match &mut self.shutdown {
            Shutdown::Running => {
                self.shutdown = Shutdown::Draining { deadline: until, unresolved: Vec::new() };
            }
            Shutdown::Draining { deadline, .. } => *deadline = until.min(*deadline),
            Shutdown::Unbinding { .. } | Shutdown::Closed => {}
        }
        self.advance(now);
    }

    /// Moves the shutdown to its next stage if the current one is finished.
    pub(super) fn advance_shutdown(&mut self, now: Instant) {
        let is_drained = self.queue.open() == 0 || self.cannot_send();
        if let Shutdown::Draining { deadline, ref mut unresolved } = self.shutdown
            && (is_drained || deadline <= now)
        {
            self.shutdown = Shutdown::Unbinding { unresolved: core::mem::take(unresolved) };
            self.abandon_all(now, SegmentNotSentReason::ShutDown);
            self.release_inbound(now);
            self.start_links(now);
        }
        if let Shutdown::Unbinding { ref mut unresolved } = self.shutdown
            && self.links.iter().all(LinkSlot::is_idle)
        {
            let mut unresolved = core::mem::take(unresolved);
            self.shutdown = Shutdown::Closed;
            self.release_inbound(now);
            self.release_early(now);
            let missing = self.receipts.drain();
            unresolved.extend(
                missing.map(|expired| Unresolved::NoReceipt { message: expired.number, ids: expired.ids }),
            );
            self.emit(Event::Closed { unresolved });
        }
    }
}
