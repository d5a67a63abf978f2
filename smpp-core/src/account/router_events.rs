//! The event streams of an event router, and their receivers.

use core::mem;
use core::task::Poll;

use super::account_event::AccountEvent;
use super::event::Event;
use super::event_log::ReceiverId;
use super::event_router::EventRouter;
use super::state::Account;
use crate::session::Observer;

/// How many reports of lost messages wait for [`EventRouter::take_lost`].
const MAX_LOST: usize = 16;

impl<W> EventRouter<W> {
    /// Sets how many events a [receiver](Self::add_receiver) may have left to read, at least 1; the oldest are dropped beyond
    /// it. Default 1,024.
    #[must_use]
    pub fn with_events_capacity(mut self, capacity: usize) -> Self {
        self.event_log.set_capacity(capacity);
        self.detailed_log.set_capacity(capacity);
        self
    }

    /// Adds a receiver of the event stream. The first one also gets the events before it, 64 at most; a later one gets those
    /// that follow. [`remove_receiver`](Self::remove_receiver) ends it.
    pub fn add_receiver(&mut self) -> ReceiverId {
        self.event_log.add_receiver()
    }

    /// Adds a receiver of the detailed event stream: it also gets [`AccountEvent::HandedToTransport`] for each segment, in the
    /// order in which all events happened, from now on. The account [reports](Account::report_handed_over) them as long as there
    /// is such a receiver.
    pub fn add_detailed_receiver<O: Observer>(&mut self, account: &mut Account<O>) -> ReceiverId {
        self.has_turned_on_reports |= !account.reports_handed_over;
        account.report_handed_over(true);
        ReceiverId { is_detailed: true, ..self.detailed_log.add_receiver() }
    }

    /// Removes a receiver of an event stream.
    pub fn remove_receiver(&mut self, id: &ReceiverId) {
        let log = if id.is_detailed { &mut self.detailed_log } else { &mut self.event_log };
        self.wakers.extend(log.remove_receiver(id));
    }

    /// Returns the next event of the stream for this receiver; `None` once the account has ended and none is left. If the
    /// receiver has lost events, the first one is [`AccountEvent::Lagged`].
    pub fn poll_event(&mut self, id: &ReceiverId, waiter: &mut Option<W>) -> Poll<Option<AccountEvent>> {
        let log = if id.is_detailed { &mut self.detailed_log } else { &mut self.event_log };
        log.poll(id, waiter)
    }

    /// Removes and returns the reports of lost messages ([`AccountEvent::InboundMessageLost`]), for the log of the adapter: the
    /// router reports them itself, so they are no [`Event`] of the account. It keeps the first 16 that nobody has taken.
    pub fn take_lost(&mut self) -> impl Iterator<Item = AccountEvent> {
        // Nearly always there are none: cheaper than to drain them.
        mem::take(&mut self.lost).into_iter()
    }

    /// Stops the detailed events of the account once no receiver is left, if a receiver had turned them on.
    pub(super) fn turn_off_unused_reports<O: Observer>(&mut self, account: &mut Account<O>) {
        if self.has_turned_on_reports && !self.detailed_log.has_receivers() {
            self.has_turned_on_reports = false;
            account.report_handed_over(false);
        }
    }

    /// Adds what an operator wants to see of an event to the streams.
    pub(super) fn log_event(&mut self, event: &Event) {
        let is_detailed = self.detailed_log.has_receivers();
        if !is_detailed && !self.event_log.is_needed() {
            return;
        }
        if let Event::HandedToTransport { message, key, segment, bind } = event {
            if is_detailed {
                let (message, key, segment, bind) = (*message, key.clone(), *segment, *bind);
                let event = AccountEvent::HandedToTransport { message, key, segment, bind };
                self.detailed_log.push(event, &mut self.wakers);
            }
        } else if let Some(event) = AccountEvent::new(event) {
            self.report(event);
        }
    }

    fn report(&mut self, event: AccountEvent) {
        if self.detailed_log.has_receivers() {
            self.detailed_log.push(event.clone(), &mut self.wakers);
        }
        if self.event_log.is_needed() {
            self.event_log.push(event, &mut self.wakers);
        }
    }

    pub(super) fn report_lost(&mut self, event: AccountEvent) {
        if self.lost.len() < MAX_LOST {
            self.lost.push(event.clone());
        }
        self.report(event);
    }
}
