//! Graceful shutdown of an account.

use alloc::vec::Vec;
use core::time::Duration;

use super::event::Event;
use super::link_slot::LinkSlot;
use super::message_request::RequestNotSentReason;
use super::outcome::{SegmentNotSentReason, Unresolved};
use super::receipt_tracker::ExpiredMessage;
use super::state::{Account, SLICE, Shutdown};
use crate::session::{Observer, Session};
use crate::time::Instant;

impl<O: Observer> Account<O> {
    /// Shuts the account down gracefully: accepts no more messages, sends the queued ones until `timeout` has passed,
    /// then unbinds.
    ///
    /// The last event is [`Event::Closed`]. Whatever the SMSC does, it arrives at the latest after `timeout` and
    /// [`unbind_timeout`](super::Options::unbind_timeout) (3 s), and the time that the adapter takes for each
    /// [`Action::Close`](super::Action::Close). A queue that is empty earlier leaves the rest of `timeout` for the requests in
    /// flight and the unbinds. Of several calls the earliest deadline counts.
    pub fn shutdown(&mut self, now: Instant, timeout: Duration) {
        let until = now + timeout;
        self.replan_all();
        match &mut self.shutdown {
            Shutdown::Running => {
                self.shutdown = Shutdown::Draining { deadline: until, unresolved: Vec::new() };
            }
            Shutdown::Draining { deadline, .. } => *deadline = until.min(*deadline),
            Shutdown::Unbinding { drained_by, until: Some(at), .. } => {
                let (drained, end) = unbind_deadlines(now, until, self.options.unbind_timeout);
                (*drained_by, *at) = (drained.min(*drained_by), end.min(*at));
            }
            Shutdown::Unbinding { until: None, .. } | Shutdown::Closed => {}
        }
        self.advance(now);
    }

    /// Moves the shutdown to its next stage if the current one is finished.
    pub(super) fn advance_shutdown(&mut self, now: Instant) {
        if matches!(self.shutdown, Shutdown::Running | Shutdown::Closed) {
            return;
        }
        let is_drained = self.queue.open() == 0 && self.requests.is_empty() || self.cannot_send();
        if let Shutdown::Draining { deadline, ref mut unresolved } = self.shutdown
            && (is_drained || deadline <= now)
        {
            let (drained_by, until) = unbind_deadlines(now, deadline, self.options.unbind_timeout);
            self.shutdown = Shutdown::Unbinding {
                drained_by,
                until: Some(until),
                unresolved: core::mem::take(unresolved),
            };
            self.abandon_all(now, SegmentNotSentReason::ShutDown);
            self.end_waiting_requests(RequestNotSentReason::ShutDown);
            self.release_inbound(now);
            self.replan_all();
            self.start_links(now);
        }
        if let Shutdown::Unbinding { until, .. } = &mut self.shutdown
            && until.is_some_and(|until| until <= now)
        {
            *until = None;
            self.touch_all();
            self.links.iter_mut().filter_map(LinkSlot::session_mut).for_each(Session::abort);
            self.start_links(now);
        }
        if matches!(self.shutdown, Shutdown::Unbinding { .. })
            && self.abandoning.is_none()
            && self.link_index.busy() == 0
        {
            self.release_inbound(now);
            self.release_early(now);
            let Shutdown::Unbinding { unresolved, .. } = &mut self.shutdown else { return };
            for _ in 0..SLICE {
                let Some(ExpiredMessage { number, key, ids }) = self.receipts.remove_oldest() else { break };
                if !ids.is_empty() {
                    unresolved.push(Unresolved::NoReceipt { message: number, key, ids });
                }
            }
            if self.receipts.len() > 0 {
                self.is_unfinished = true;
                return;
            }
            let unresolved = core::mem::take(unresolved);
            self.shutdown = Shutdown::Closed;
            self.emit(Event::Closed { unresolved });
        }
    }
}

/// Returns when the sessions stop waiting for the requests in flight and unbind, and when they end in any case.
fn unbind_deadlines(now: Instant, deadline: Instant, unbind_timeout: Duration) -> (Instant, Instant) {
    let left = (deadline - now).max(unbind_timeout);
    (now + left / 3 * 2, now + left)
}
