//! The logic of a node, without I/O: which binds it may have, which messages it submits, and what becomes of them.
//!
//! A [`Node`] keeps no state that matters. Everything is stored in an engine that other nodes see too; what the node holds in
//! memory can be found there again, or is reported as uncertain.
//!
//! ```text
//!   handle_work, handle_ended,     handle_reply      poll_command: Pull, Submit, SetBinds, Answer, Request...
//!   handle_receipt, handle_binds       │                  ▲
//!   ┌────▼─────────────────────────────▼──────────────────┴───┐
//!   │ leases    work: attempt -> submit -> outcome -> event   │
//!   │           deliveries: receipt -> key, part -> message   │
//!   └─────────────────────────────────────────────────────────┘
//! ```
//!
//! The driver calls a `handle_` method for each thing that happens, then takes [`poll_command`](Node::poll_command) until it
//! returns `None` and carries out each command at once, then sleeps until [`poll_timeout`](Node::poll_timeout).
//!
//! # A message
//!
//! 1. It is taken from the queue, and waits until a bind has capacity.
//! 2. The **attempt** is created under the message's key. It exists already if another node had the message. If that node
//!    lives, the message goes back to the queue. If it does not, the SMSC may have the message: it is reported as
//!    `uncertain`, or sent again if it says so.
//! 3. It is submitted.
//! 4. Its outcome is written into the attempt, if nobody has changed that meanwhile: so each message has one outcome,
//!    whatever dies or is slow. The ids of the SMSC are stored beside it.
//! 5. The event is stored, unless it is stored already, then the message acknowledged. The attempt is forgotten later; until then
//!    a message that is published again under the same key is acknowledged and not sent.
//!
//! Whatever a node did of this, the next one does the rest.
//!
//! # Events
//!
//! The engine stores no two events of the same id for as long as it keeps the first. The id says what the event is about, whoever
//! tells it: so a node may die, or a request be repeated or arrive at any later time, and the event is told once.
//!
//! # Binds
//!
//! Each bind needs a lease. The node counts the life of a lease from when it *sent* the last renewal that succeeded. At two
//! thirds of it the account no longer uses the bind and unbinds; at eleven twelfths the connection is closed by force. Only
//! after the whole life can another node have the lease.

mod deliveries;
mod groups;
mod leases;
mod options;
mod protocol;
#[cfg(test)]
mod tests;
mod timers;
mod work;

use std::collections::{BTreeMap, VecDeque};

use smpp_proto::session::Instant;

use deliveries::{Deliveries, Task};
use leases::{Leases, MemberPurpose};
pub use options::Options;
pub use protocol::{
    AcceptedPart, AckToken, Attempt, Command, DeliveryId, Ended, Event, EventBody, EventKind, Group, IdOwner,
    Invalid, ItemId, Outcome, PhonePart, Priority, ReceiptDetails, Reply, Request, RequestId, ToldPart, Work,
    WorkContent,
};
use timers::{Timer, Timers};
use work::{Step, WorkTable};

/// What a request is for.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    Member(MemberPurpose),
    Item(ItemId, Step),
    Task(Task),
    Housekeeping,
}

/// The logic of one node. `M` is a message as the driver submits it.
#[derive(Debug)]
pub struct Node<M> {
    options: Options,
    instance: String,
    now: Instant,
    commands: VecDeque<Command<M>>,
    /// The requests without a reply, and when each was sent.
    requests: BTreeMap<RequestId, (Instant, Purpose)>,
    last_request: u64,
    timers: Timers,
    leases: Leases,
    work: WorkTable<M>,
    deliveries: Deliveries,
    is_draining: bool,
    /// The node's entry is deleted.
    is_gone: bool,
}

impl<M> Node<M> {
    fn request(&mut self, request: Request, purpose: Purpose) {
        self.last_request += 1;
        let id = RequestId(self.last_request);
        self.requests.insert(id, (self.now, purpose));
        self.commands.push_back(Command::Request(id, request));
    }

    /// Returns the next command. The driver carries it out before it asks for another.
    pub fn poll_command(&mut self) -> Option<Command<M>> {
        let command = self.commands.pop_front();
        if let Some(Command::SetBinds(_)) = command {
            self.leases.binds_were_set();
        }
        command
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Returns how many binds the leases allow now.
    pub fn binds(&self) -> u16 {
        self.leases.target()
    }

    /// Returns the numbers of the leases that the node has.
    pub fn leases(&self) -> Vec<u16> {
        self.leases.numbers().collect()
    }

    /// Returns how many messages are in hand, and how many receipts and messages from phones.
    pub fn in_hand(&self) -> (usize, usize) {
        (self.work.len(), self.deliveries.len())
    }

    /// Returns whether the node has ended: it has no lease, no message and no delivery, and its entry is deleted.
    pub fn is_drained(&self) -> bool {
        self.is_gone && self.requests.is_empty() && self.commands.is_empty()
    }
}

impl<M> Node<M> {
    /// Creates a node. No two nodes may ever have the same `instance`, not even one after the other.
    pub fn new(options: Options, instance: String, now: Instant) -> Self {
        let mut node = Self {
            options,
            instance,
            now,
            commands: VecDeque::new(),
            requests: BTreeMap::new(),
            last_request: 0,
            timers: Timers::default(),
            leases: Leases::default(),
            work: WorkTable::default(),
            deliveries: Deliveries::default(),
            is_draining: false,
            is_gone: false,
        };
        node.renew_members();
        node.timers.set(Timer::Housekeeping, now + node.options.housekeeping);
        node
    }

    /// Handles the reply to a request. Replies that were given before are ignored.
    pub fn handle_reply(&mut self, now: Instant, id: RequestId, reply: Reply) {
        self.now = now;
        let Some((sent, purpose)) = self.requests.remove(&id) else { return };
        match purpose {
            Purpose::Member(purpose) => self.handle_member_reply(sent, purpose, reply),
            Purpose::Item(item, step) => self.handle_item_reply(item, step, reply),
            Purpose::Task(task) => self.handle_task_reply(task, reply),
            Purpose::Housekeeping => self.handle_housekeeping_reply(reply),
        }
        self.advance_drain();
    }

    /// Handles the deadlines that have passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        while let Some(timer) = self.timers.pop(now) {
            match timer {
                Timer::Leases => self.check_leases(),
                Timer::Members => self.renew_members(),
                Timer::Entry => self.put_entry(),
                Timer::Renew(number) => self.renew(number),
                Timer::Submit => self.advance_work(),
                Timer::Retry(item) => self.retry_item(item),
                Timer::InProgress(item) => self.keep_in_progress(item),
                Timer::Delivery(task) => self.advance_delivery(task),
                Timer::Housekeeping => self.keep_house(),
            }
        }
        self.advance_drain();
    }

    /// Ends the node gracefully: what is not sent goes back to the queue, what is in flight gets its outcome, the binds and
    /// their leases are given up. [`is_drained`](Self::is_drained) says when.
    pub fn shutdown(&mut self, now: Instant) {
        self.now = now;
        if self.is_draining {
            return;
        }
        self.is_draining = true;
        self.release_unsent();
        self.give_up_leases();
        self.renew_members();
        self.advance_drain();
    }

    /// Deletes the node's entry once nothing else is left.
    fn advance_drain(&mut self) {
        let is_empty = self.leases.is_empty() && self.work.is_empty() && self.deliveries.len() == 0;
        if self.is_draining && !self.is_gone && is_empty {
            self.timers.clear(Timer::Members);
            self.delete_entry();
        }
    }
}
