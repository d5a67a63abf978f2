//! Receipts and messages from phones: each is acknowledged once its event is stored, or the part that waits for others.

use std::collections::BTreeMap;

use smpp_proto::session::Instant;

use super::groups::GroupTask;
use super::protocol::{
    Command, DeliveryId, Event, EventBody, IdOwner, PhonePart, ReceiptDetails, Reply, Request,
};
use super::timers::Timer;
use super::{Node, Purpose};

/// What is done one request after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    /// For something that the SMSC has delivered.
    Delivery(DeliveryId),
    /// For a group whose parts have waited too long. The node counts them.
    Group(u64),
}

#[derive(Debug)]
struct Waiting {
    arrived: Instant,
    stage: Stage,
    /// A request has no reply yet.
    is_pending: bool,
}

#[derive(Clone, Debug)]
enum Stage {
    /// A receipt whose message is looked for.
    Lookup {
        ids: Vec<String>,
        receipt: ReceiptDetails,
        /// It is known that the receipt was not told before as one whose message nobody knows.
        is_new: bool,
    },
    /// Nobody knows its message yet. If it was told so before, the SMSC has delivered it again because the answer took too long.
    Checking { ids: Vec<String>, receipt: ReceiptDetails },
    /// The event is being stored.
    Publishing(Event),
    /// A part of a message.
    Group(GroupTask),
}

#[derive(Debug, Default)]
pub(super) struct Deliveries {
    waiting: BTreeMap<Task, Waiting>,
    last_message: u64,
    last_group: u64,
    /// How many groups were decided.
    last_decided: u64,
    is_housekeeping: bool,
}

impl Deliveries {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Returns how many receipts wait for their ids.
    fn lookups(&self) -> usize {
        let is_lookup = |it: &&Waiting| matches!(it.stage, Stage::Lookup { .. } | Stage::Checking { .. });
        self.waiting.values().filter(is_lookup).count()
    }
}

impl<M> Node<M> {
    /// Returns whether the node takes another receipt or message from a phone now.
    pub fn wants_deliveries(&self) -> bool {
        self.deliveries.len() < self.options.deliveries
    }

    /// Handles a receipt. `owner` is the part of the message if the account knows it; otherwise `ids` are the normalised ids
    /// that it may mean, the most likely first. [`Command::Answer`] follows.
    pub fn handle_receipt(
        &mut self,
        now: Instant,
        delivery: DeliveryId,
        owner: Option<IdOwner>,
        ids: Vec<String>,
        receipt: ReceiptDetails,
    ) {
        self.now = now;
        let stage = match owner {
            Some(owner) => Stage::Publishing(Event::receipt(Some(owner), receipt)),
            None => Stage::Lookup { ids, receipt, is_new: false },
        };
        self.start(Task::Delivery(delivery), stage);
    }

    /// Handles a message from a phone, or a part of one. [`Command::Answer`] follows.
    ///
    /// The event of a message without parts has an id of this node: if the node ends before the SMSC has read the
    /// acknowledgement, the message is told a second time under another id, because nothing distinguishes it from the same
    /// text that was written twice.
    pub fn handle_phone_part(&mut self, now: Instant, delivery: DeliveryId, part: PhonePart) {
        self.now = now;
        let stage = if part.group.is_empty() {
            self.deliveries.last_message += 1;
            let (about, detail) = (self.instance.clone(), self.deliveries.last_message.to_string());
            Stage::Publishing(Event { about, detail, body: EventBody::Message { parts: vec![part] } })
        } else {
            Stage::Group(GroupTask::of_part(part))
        };
        self.start(Task::Delivery(delivery), stage);
    }

    fn start(&mut self, task: Task, stage: Stage) {
        let waiting = Waiting { arrived: self.now, stage, is_pending: false };
        self.deliveries.waiting.insert(task, waiting);
        self.advance_delivery(task);
    }

    /// Sends the request of the stage, or gives the task up.
    pub(super) fn advance_delivery(&mut self, task: Task) {
        let Some(waiting) = self.deliveries.waiting.get_mut(&task).filter(|it| !it.is_pending) else {
            return;
        };
        if self.now - waiting.arrived >= self.options.answer {
            return self.answer(task, false);
        }
        waiting.is_pending = true;
        let request = match &waiting.stage {
            Stage::Lookup { ids, .. } => Request::FindId { ids: ids.clone() },
            Stage::Checking { receipt, .. } => {
                Request::FindEvent(Box::new(Event::receipt(None, receipt.clone())))
            }
            Stage::Publishing(event) => Request::Publish(Box::new(event.clone())),
            Stage::Group(group) => group.request(),
        };
        self.request(request, Purpose::Task(task));
    }

    fn answer(&mut self, task: Task, accept: bool) {
        self.deliveries.waiting.remove(&task);
        self.timers.clear(Timer::Delivery(task));
        if let Task::Delivery(delivery) = task {
            self.commands.push_back(Command::Answer { delivery, accept });
        }
    }

    /// Handles the reply to a request of a task.
    pub(super) fn handle_task_reply(&mut self, task: Task, reply: Reply) {
        let (now, lookup) = (self.now, self.options.lookup);
        let has_room = self.deliveries.lookups() <= self.options.lookups;
        let last_decided = &mut self.deliveries.last_decided;
        let Some(waiting) = self.deliveries.waiting.get_mut(&task) else { return };
        waiting.is_pending = false;
        match (&mut waiting.stage, reply) {
            (Stage::Lookup { ids, receipt, is_new: false }, Reply::Owner(None)) => {
                waiting.stage = Stage::Checking { ids: std::mem::take(ids), receipt: receipt.clone() };
                return self.advance_delivery(task);
            }
            (Stage::Checking { ids, receipt }, Reply::Found(false)) => {
                let (ids, receipt) = (std::mem::take(ids), receipt.clone());
                waiting.stage = Stage::Lookup { ids, receipt, is_new: true };
                if !has_room {
                    return self.answer(task, false);
                }
            }
            (Stage::Lookup { receipt, .. }, Reply::Owner(owner)) => {
                if owner.is_some() || now - waiting.arrived >= lookup {
                    waiting.stage = Stage::Publishing(Event::receipt(owner, receipt.clone()));
                    return self.advance_delivery(task);
                }
                if !has_room {
                    return self.answer(task, false);
                }
            }
            (Stage::Publishing(_), Reply::Done(_) | Reply::Conflict)
            | (Stage::Checking { .. }, Reply::Found(true)) => return self.answer(task, true),
            (Stage::Group(group), Reply::Failed) => group.failed(),
            (Stage::Group(group), reply) => {
                let decided = || {
                    *last_decided += 1;
                    format!("{}-{last_decided}", self.instance)
                };
                return if group.handle_reply(reply, decided) {
                    self.answer(task, true);
                } else {
                    self.advance_delivery(task);
                };
            }
            _ => {}
        }
        self.timers.set(Timer::Delivery(task), now + self.options.retry);
    }

    /// Looks for parts that have waited too long, and for keys that nobody needs any more, if the node has the first lease.
    pub(super) fn keep_house(&mut self) {
        self.timers.set(Timer::Housekeeping, self.now + self.options.housekeeping);
        if self.leases.numbers().next() == Some(0) && !self.is_draining && !self.deliveries.is_housekeeping {
            self.deliveries.is_housekeeping = true;
            self.request(Request::ListGroups { age: self.options.part_age }, Purpose::Housekeeping);
            self.request(Request::ForgetKeys, Purpose::Housekeeping);
        }
    }

    pub(super) fn handle_housekeeping_reply(&mut self, reply: Reply) {
        self.deliveries.is_housekeeping = false;
        if let Reply::Groups(groups) = reply {
            if !groups.is_empty() {
                // There may be more.
                self.timers.set(Timer::Housekeeping, self.now + self.options.retry);
            }
            for (name, revision) in groups {
                self.deliveries.last_group += 1;
                let task = Task::Group(self.deliveries.last_group);
                self.start(task, Stage::Group(GroupTask::of_old_group(name, revision)));
            }
        }
    }
}
