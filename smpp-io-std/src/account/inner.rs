//! The account with all that belongs to it: who waits for what, and what is told to whom.

use std::collections::{HashMap, VecDeque};
use std::net::Shutdown;
use std::sync::{Arc, Condvar};

use smpp_core::account::{
    About, Account, Ack, Change, ConnectFailure, DeliveryReceipt, Event, LinkId, Message, MessageNumber,
    NoReceipt, Unaccepted, Unresolved,
};
use smpp_core::session::Instant;
use smpp_core::{CommandStatus, DeliverSm, Operation};

use super::arrivals::Queued;
use super::shared::Shared;
use super::task::Task;
use super::ticket::{Slot, Unwanted};
use super::{AccountConnector, Watcher};

pub(super) struct Inner {
    pub(super) account: Account<Option<Watcher>>,
    /// Those that someone waits for.
    slots: HashMap<MessageNumber, Arc<Slot>>,
    /// Who waits for room, in order.
    pub(super) waiting: VecDeque<Arc<Condvar>>,
    /// The room that there was when it was last looked at.
    room: usize,
    pub(super) arrivals: VecDeque<Queued>,
    max_arrivals: usize,
    /// Whether anyone fetches what arrives.
    pub(super) is_fetched: bool,
    pub(super) handles: usize,
    pub(super) tasks: Vec<Task>,
    /// When the clock looks at the time if nobody wakes it.
    pub(super) sleeps_until: Option<Instant>,
    /// Whether there has been a bind, or why there will be none.
    pub(super) settled: Option<Result<(), Settled>>,
    /// What was last in the way of a bind.
    pub(super) failure: Option<String>,
    pub(super) unresolved: Vec<Unresolved>,
    pub(super) over: bool,
}

/// Why there will be no bind.
#[derive(Clone)]
pub(super) enum Settled {
    Refused(CommandStatus),
    Untrusted,
}

impl Inner {
    pub(super) fn new(account: Account<Option<Watcher>>, connector: &AccountConnector) -> Self {
        Self {
            tasks: account.links().map(|(link, _)| Task::new(link)).collect(),
            slots: HashMap::new(),
            waiting: VecDeque::new(),
            room: account.room(),
            account,
            arrivals: VecDeque::new(),
            max_arrivals: connector.arrivals,
            is_fetched: true,
            handles: 0,
            sleeps_until: None,
            settled: None,
            failure: None,
            unresolved: Vec::new(),
            over: false,
        }
    }

    /// Gives the account a message that someone waits for.
    pub(super) fn submit(&mut self, now: Instant, message: &Message) -> Result<Arc<Slot>, Unaccepted> {
        let number = self.account.submit(now, message)?;
        let slot = Slot::new(number, message.asks_for_receipts());
        self.slots.insert(number, Arc::clone(&slot));
        Ok(slot)
    }

    /// Has whoever is first in the queue look if there is more room.
    pub(super) fn tell_room(&mut self) {
        let room = self.account.room();
        if room > std::mem::replace(&mut self.room, room) {
            self.wake_first();
        }
    }

    /// Waits for room no more: the next may look.
    pub(super) fn leave_queue(&mut self, turn: &Arc<Condvar>) {
        self.waiting.retain(|waiting| !Arc::ptr_eq(waiting, turn));
        self.wake_first();
    }

    /// Who waits for room may look.
    pub(super) fn wake_first(&self) {
        self.waiting.front().inspect(|first| first.notify_one());
    }

    /// Tells all there is to tell, and has done all there is to do.
    pub(super) fn dispatch(&mut self, shared: &Arc<Shared>, now: Instant) {
        loop {
            while let Some(event) = self.account.poll_event() {
                self.tell(shared, now, event);
            }
            match self.account.poll_action() {
                Some(action) if !self.over => self.act(shared, now, action),
                Some(_) => {}
                None => return,
            }
        }
    }

    fn tell(&mut self, shared: &Shared, now: Instant, event: Event) {
        match event {
            Event::Outcome { message, outcome } => {
                if let Some(slot) = self.slots.get(&message)
                    && !slot.conclude(outcome)
                {
                    self.slots.remove(&message);
                }
            }
            Event::Receipt { receipt, about, ack } => self.receipt(shared, now, receipt, about, ack),
            Event::Message { message, ack } => self.arrive(shared, now, Queued::Message(message, ack)),
            Event::Notification { frame } => self.arrive(shared, now, Queued::Notification(frame)),
            Event::Unreported { message, .. }
                if self.slots.get(&message).is_some_and(|slot| slot.end(NoReceipt::Unreported)) =>
            {
                self.slots.remove(&message);
            }
            Event::Link { link, change } => self.link_changed(shared, link, change),
            Event::Stopped { status } => {
                self.settle(shared, Err(Settled::Refused(status)));
                self.wake_first();
            }
            Event::Closed { unresolved } => {
                self.unresolved = unresolved;
                self.end(shared);
            }
            _ => {}
        }
    }

    fn receipt(
        &mut self,
        shared: &Shared,
        now: Instant,
        mut receipt: DeliveryReceipt,
        about: Option<About>,
        ack: Ack,
    ) {
        if let Some(told) = about
            && let Some(slot) = self.slots.get(&told.message)
        {
            match slot.receipt(receipt, told) {
                Ok(()) => {
                    if told.whole.is_some() {
                        self.slots.remove(&told.message);
                    }
                    // If the bind is gone, it will come again, and count as repeated.
                    let _ = self.account.answer(now, ack, Ok(()));
                    return;
                }
                Err((_, Unwanted::TooMany)) => {
                    let _ = self.account.answer(now, ack, Err(DeliverSm::UNANSWERED));
                    return;
                }
                Err((given_back, Unwanted::Unowned)) => {
                    receipt = given_back;
                    self.slots.remove(&told.message);
                }
            }
        }
        if about.is_some() && !self.is_fetched {
            // Nobody wants to know.
            let _ = self.account.answer(now, ack, Ok(()));
            return;
        }
        self.arrive(shared, now, Queued::Receipt(receipt, about, Some(ack)));
    }

    /// Nobody waits for the message any more. Receipts that were not fetched, and are acknowledged, go to whoever fetches
    /// what arrives: they do not take the room of those that can be left to the SMSC, but as much again at most.
    pub(super) fn disown(&mut self, shared: &Shared, slot: &Slot) {
        self.slots.remove(&slot.message);
        for (receipt, about) in slot.disown() {
            if self.is_fetched && self.arrivals.len() < self.max_arrivals.saturating_mul(2) {
                self.arrivals.push_back(Queued::Receipt(receipt, Some(about), None));
                shared.arrived.notify_one();
            }
        }
    }

    fn arrive(&mut self, shared: &Shared, now: Instant, queued: Queued) {
        if self.is_fetched && self.arrivals.len() < self.max_arrivals {
            self.arrivals.push_back(queued);
            shared.arrived.notify_one();
        } else {
            queued.refuse(self, now);
        }
    }

    fn link_changed(&mut self, shared: &Shared, link: LinkId, change: Change) {
        match change {
            Change::Bound { .. } => self.settle(shared, Ok(())),
            Change::Unreachable { failure: ConnectFailure::Untrusted, retry: Some(_), .. } => {
                self.settle(shared, Err(Settled::Untrusted));
            }
            Change::Refused { address, error } => self.failure = Some(format!("{address}: bind {error}")),
            _ => {}
        }
        if let Some(watch) = &shared.connector.watch {
            watch(link, change);
        }
    }

    fn settle(&mut self, shared: &Shared, result: Result<(), Settled>) {
        self.settled.get_or_insert(result);
        shared.settled.notify_all();
    }

    /// Lets everyone who waits see that the account is over.
    pub(super) fn end(&mut self, shared: &Shared) {
        self.over = true;
        self.slots.drain().for_each(|(_, slot)| {
            slot.end(NoReceipt::Closed);
        });
        self.tasks.iter().for_each(|task| task.interrupt(Shutdown::Read));
        self.wake_first();
        shared.arrived.notify_all();
        shared.ended.notify_all();
    }
}
