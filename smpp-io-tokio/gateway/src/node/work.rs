//! Messages from the queue: attempt, submission, outcome, event, acknowledgement, in this order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use smpp_proto::session::Instant;

use super::protocol::{
    AckToken, Attempt, Command, Ended, Event, EventBody, EventKind, IdOwner, Invalid, ItemId, Outcome,
    Priority, Reply, Request, Work,
};
use super::timers::Timer;
use super::{Node, Purpose};

/// How often the node tries to acknowledge a message before it leaves that to the next delivery.
const MAX_ACKS: u32 = 5;

/// How far the node may be behind the rate and catch up.
const BURST: Duration = Duration::from_millis(50);

/// The messages that the node has taken from the queue.
#[derive(Debug)]
pub(super) struct WorkTable<M> {
    items: BTreeMap<ItemId, Item<M>>,
    by_key: BTreeMap<String, ItemId>,
    by_sequence: BTreeMap<u64, ItemId>,
    /// Those that wait to be submitted, by priority.
    waiting: [VecDeque<ItemId>; 3],
    in_hand: [usize; 3],
    /// How many messages were asked for and have not come yet, at most.
    pulling: [usize; 3],
    /// How many are about to be submitted, or have no outcome yet.
    active: usize,
    /// When the rate allows the next one.
    next_start: Instant,
    last_item: u64,
    last_nonce: u64,
}

impl<M> Default for WorkTable<M> {
    fn default() -> Self {
        Self {
            items: BTreeMap::new(),
            by_key: BTreeMap::new(),
            by_sequence: BTreeMap::new(),
            waiting: Default::default(),
            in_hand: [0; 3],
            pulling: [0; 3],
            active: 0,
            next_start: Instant::ZERO,
            last_item: 0,
            last_nonce: 0,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// For capacity.
    Waiting,
    /// The attempt is being written; with the outcome, if there is one.
    Writing,
    /// The attempt is being read, because it is not what the node thought, or because a reply was lost.
    Reading,
    /// The account has the message.
    Submitted,
    /// The attempt is being withdrawn: nothing was sent.
    Withdrawing,
    /// The outcome is recorded. Its ids are being stored.
    StoringIds,
    /// The event is being stored.
    Publishing,
    Acknowledging,
    Terminating,
    /// Another node has recorded another outcome. The ids of this one are being stored.
    Lost,
}

#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
#[derive(Debug)]
struct Item<M> {
    priority: Priority,
    sequence: u64,
    /// When it was published, by the engine's clock.
    published: i64,
    /// When the node took it.
    taken: Instant,
    token: AckToken,
    key: String,
    resend_when_uncertain: bool,
    expires: Option<Instant>,
    body: Option<M>,
    invalid: Option<Invalid>,
    stage: Stage,
    is_active: bool,
    /// The account has or had the message in this attempt.
    was_submitted: bool,
    /// The revision of the attempt.
    revision: u64,
    nonce: u64,
    /// How many earlier attempts may have sent it.
    sent_before: u32,
    outcome: Option<Outcome>,
    /// The accepted parts whose ids are not stored: by index, and whether a request is on its way.
    ids: BTreeMap<usize, bool>,
    /// The sequence number of the message that has the outcome: another one if it was published again under the same key.
    told_as: u64,
    acks: u32,
    /// How often the attempt was not what the node thought, one after the other.
    conflicts: u32,
    /// Another node has recorded the outcome, perhaps long ago.
    is_adopted: bool,
    /// The outcome has been recorded again: see [`recorded`](Node::recorded).
    is_renewed: bool,
    /// A request other than for ids has no reply yet.
    is_pending: bool,
}

/// Which request of an item a reply belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Main,
    /// Stores the id of an accepted part.
    Id(usize),
}

impl<M> WorkTable<M> {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    const fn next_nonce(&mut self) -> u64 {
        self.last_nonce += 1;
        self.last_nonce
    }
}

impl<M> Node<M> {
    /// Handles a message from the queue. The driver passes no more than it was asked for.
    pub fn handle_work(&mut self, now: Instant, work: Work<M>) {
        self.now = now;
        let Work { priority, sequence, published, token, content } = work;
        if let Some(item) = self.work.by_sequence.get(&sequence).and_then(|id| self.work.items.get_mut(id)) {
            // It was delivered again: the older delivery cannot be acknowledged any more.
            item.token = token;
            return;
        }
        let (key, resend_when_uncertain, expires, body, invalid) = match content {
            Ok(content) => {
                (content.key, content.resend_when_uncertain, content.expires, Some(content.body), None)
            }
            Err(invalid) => (String::new(), false, None, None, Some(invalid)),
        };
        let other = self.work.by_key.get(&key).and_then(|id| self.work.items.get(id));
        if let Some(other) = other.filter(|_| invalid.is_none()) {
            // The first stays in the queue: two nodes that have one each must not both remove the other.
            let end = if sequence < other.sequence { Command::GiveBack } else { Command::AckDuplicate };
            return self.commands.push_back(end(token));
        }
        if self.leases.target() == 0 || self.is_draining {
            return self.commands.push_back(Command::GiveBack(token));
        }
        self.work.last_item += 1;
        let id = ItemId(self.work.last_item);
        let is_invalid = invalid.is_some();
        let item = Item {
            priority,
            sequence,
            published,
            taken: now,
            token,
            key: key.clone(),
            resend_when_uncertain,
            expires,
            body,
            invalid,
            stage: Stage::Waiting,
            is_active: false,
            was_submitted: false,
            revision: 0,
            nonce: self.work.next_nonce(),
            sent_before: 0,
            outcome: None,
            ids: BTreeMap::new(),
            told_as: sequence,
            acks: 0,
            conflicts: 0,
            is_adopted: false,
            is_renewed: false,
            is_pending: false,
        };
        self.work.items.insert(id, item);
        self.work.by_sequence.insert(sequence, id);
        self.work.in_hand[priority as usize] += 1;
        self.timers.set(Timer::InProgress(id), now + self.options.ack_wait / 3);
        if is_invalid {
            self.publish(id);
        } else {
            self.work.by_key.insert(key, id);
            self.work.waiting[priority as usize].push_back(id);
        }
        self.advance_work();
    }

    /// Handles the end of a [`Command::Pull`]: no more messages come from it.
    pub fn handle_pull_ended(&mut self, now: Instant, priority: Priority) {
        self.now = now;
        self.work.pulling[priority as usize] = 0;
        self.advance_work();
    }

    /// Handles the end of a submitted message.
    pub fn handle_ended(&mut self, now: Instant, id: ItemId, ended: Ended) {
        self.now = now;
        let max_resends = self.options.max_resends;
        let Some(item) = self.work.items.get_mut(&id).filter(|item| item.stage == Stage::Submitted) else {
            return;
        };
        if item.is_active {
            item.is_active = false;
            self.work.active -= 1;
        }
        let is_uncertain =
            |outcome: &Outcome| outcome.kind == EventKind::Uncertain && outcome.accepted.is_empty();
        match ended {
            Ended::Outcome(outcome)
                if is_uncertain(&outcome) && item.resend_when_uncertain && item.sent_before < max_resends =>
            {
                item.sent_before += 1;
                item.was_submitted = false;
                self.withdraw(id);
            }
            Ended::Outcome(outcome) => {
                item.ids = ids_to_store(&outcome);
                item.outcome = Some(outcome);
                self.store_ids(id);
                self.write(id);
            }
            Ended::NeverSent => {
                item.was_submitted = false;
                self.withdraw(id);
            }
        }
        self.advance_work();
    }

    /// Submits what waits while there is room, and asks for more.
    pub(super) fn advance_work(&mut self) {
        let binds = self.leases.bound().min(self.leases.target());
        let bound = usize::from(binds);
        if self.is_draining || bound == 0 {
            return;
        }
        while self.work.active < bound * self.options.window {
            if self.work.next_start > self.now {
                self.timers.set(Timer::Submit, self.work.next_start);
                break;
            }
            let Some(id) = self.work.waiting.iter_mut().find_map(VecDeque::pop_front) else { break };
            if let Some(rate) = self.options.rate {
                let interval = Duration::from_secs(1) / rate.max(1) / u32::from(binds);
                // A timer that is late costs nothing of the rate, up to the burst.
                let earliest = Instant::after((self.now - Instant::ZERO).saturating_sub(BURST));
                self.work.next_start = self.work.next_start.max(earliest) + interval;
            }
            let Some(item) = self.work.items.get_mut(&id) else { continue };
            item.is_active = true;
            self.work.active += 1;
            if item.expires.is_some_and(|expires| expires <= self.now) {
                item.outcome = Some(Outcome::new(EventKind::Expired, "the deadline has passed"));
            }
            self.write(id);
        }
        for priority in Priority::ALL {
            let index = priority as usize;
            let room = self.options.prefetch.saturating_sub(self.work.in_hand[index]);
            if self.work.pulling[index] == 0 && room > 0 && room >= self.options.prefetch / 4 {
                self.work.pulling[index] = room;
                self.commands.push_back(Command::Pull { priority, count: room });
            }
        }
    }

    /// Gives back what is not sent yet: the node has no bind for it any more.
    pub(super) fn release_unsent(&mut self) {
        for id in std::mem::take(&mut self.work.waiting).into_iter().flatten() {
            self.give_back(id);
        }
        let submitted = self.work.items.iter().filter(|(_, item)| item.stage == Stage::Submitted);
        self.commands.extend(submitted.map(|(id, _)| Command::Cancel(*id)));
    }

    fn give_back(&mut self, id: ItemId) {
        if let Some(item) = self.work.items.get(&id) {
            self.commands.push_back(Command::GiveBack(item.token));
            self.forget(id);
        }
    }

    /// The queue delivers the message again if nobody acknowledges it.
    fn abandon(&mut self, id: ItemId) {
        if let Some(item) = self.work.items.get(&id) {
            self.commands.push_back(Command::Abandon(item.token));
            self.forget(id);
        }
    }

    fn forget(&mut self, id: ItemId) {
        let Some(item) = self.work.items.remove(&id) else { return };
        self.timers.clear(Timer::Retry(id));
        self.timers.clear(Timer::InProgress(id));
        self.work.by_sequence.remove(&item.sequence);
        if item.invalid.is_none() {
            self.work.by_key.remove(&item.key);
        }
        self.work.in_hand[item.priority as usize] -= 1;
        if item.is_active {
            self.work.active -= 1;
        }
    }

    fn item_request(&mut self, id: ItemId, request: Request) {
        if let Some(item) = self.work.items.get_mut(&id) {
            item.is_pending = true;
        }
        self.request(request, Purpose::Item(id, Step::Main));
    }

    /// Writes the attempt, with the outcome if there is one.
    fn write(&mut self, id: ItemId) {
        let (instance, is_too_old) = (self.instance.clone(), self.is_too_old(id));
        let Some(item) = self.work.items.get_mut(&id) else { return };
        if item.revision == 0 && is_too_old {
            let was_requested = item.stage != Stage::Waiting;
            return if was_requested && !item.was_submitted { self.withdraw(id) } else { self.lost(id) };
        }
        item.stage = Stage::Writing;
        if let Some(outcome) = &mut item.outcome {
            outcome.possible_duplicate = item.sent_before > 0;
        }
        let attempt = Attempt {
            node: instance,
            nonce: item.nonce,
            sequence: item.told_as,
            sent_before: item.sent_before,
            outcome: item.outcome.clone(),
        };
        let request = Request::WriteAttempt { key: item.key.clone(), revision: item.revision, attempt };
        self.item_request(id, request);
    }

    /// Returns whether the node has had a message for so long that another node may have told its outcome, and the attempt may be
    /// forgotten. If that is not so, the queue still has the message.
    fn is_too_old(&self, id: ItemId) -> bool {
        let taken = self.work.items.get(&id).map(|item| item.taken);
        taken.is_some_and(|taken| self.now - taken >= self.options.remember / 2)
    }

    fn read(&mut self, id: ItemId) {
        let Some(item) = self.work.items.get_mut(&id) else { return };
        item.stage = Stage::Reading;
        let request = Request::ReadAttempt { key: item.key.clone() };
        self.item_request(id, request);
    }

    /// Withdraws the attempt: no node submits the message now. The entry stays, so that a request to create it that is still
    /// on its way has no effect.
    fn withdraw(&mut self, id: ItemId) {
        let Some(item) = self.work.items.get_mut(&id) else { return };
        item.stage = Stage::Withdrawing;
        let attempt = Attempt {
            node: String::new(),
            nonce: item.nonce,
            sequence: item.sequence,
            sent_before: item.sent_before,
            outcome: None,
        };
        let request = Request::WriteAttempt { key: item.key.clone(), revision: item.revision, attempt };
        self.item_request(id, request);
    }

    fn submit(&mut self, id: ItemId) {
        let may_submit = self.leases.target() > 0 && !self.is_draining;
        if !may_submit {
            return self.withdraw(id);
        }
        let Some(item) = self.work.items.get_mut(&id) else { return };
        item.stage = Stage::Submitted;
        item.was_submitted = true;
        let Some(body) = item.body.take() else { return };
        let key = item.key.clone();
        self.commands.push_back(Command::Submit { item: id, key, body });
    }

    /// Asks to store the ids that are not stored and not being stored.
    fn store_ids(&mut self, id: ItemId) {
        let Some(item) = self.work.items.get_mut(&id) else { return };
        let Some(outcome) = &item.outcome else { return };
        let mut requests = Vec::new();
        for (index, is_pending) in &mut item.ids {
            let Some(part) = outcome.accepted.get(*index).filter(|_| !*is_pending) else { continue };
            *is_pending = true;
            let owner = IdOwner { key: item.key.clone(), part: part.part, parts: outcome.parts };
            requests.push((*index, Request::StoreId { id: part.normalised.clone(), owner }));
        }
        for (index, request) in requests {
            self.request(request, Purpose::Item(id, Step::Id(index)));
        }
    }

    /// The outcome is recorded: once the ids are stored, the event follows. If it may have been recorded long ago, it is recorded again
    /// first, so that it is not forgotten while a node still has an earlier delivery of the message.
    fn recorded(&mut self, id: ItemId) {
        let is_too_old = self.is_too_old(id);
        let Some(item) = self.work.items.get_mut(&id) else { return };
        if item.is_active {
            item.is_active = false;
            self.work.active -= 1;
        }
        item.stage = Stage::StoringIds;
        if !item.ids.is_empty() {
            return;
        }
        // A message that was published again under the same key does not prolong it.
        let is_own = item.told_as == item.sequence;
        if is_own && (is_too_old || item.is_adopted) && !item.is_renewed {
            item.is_renewed = true;
            return self.write(id);
        }
        self.publish(id);
    }

    /// Stores the event. If it is stored already, another node has told it, or this one and the reply was lost.
    fn publish(&mut self, id: ItemId) {
        let Some(item) = self.work.items.get_mut(&id) else { return };
        item.stage = Stage::Publishing;
        let event = match (&item.invalid, &item.outcome) {
            (Some(invalid), _) => Event {
                about: invalid.key.clone().unwrap_or_default(),
                detail: format!("{}-{}", item.sequence, item.published),
                body: EventBody::Invalid(invalid.clone()),
            },
            (None, Some(outcome)) => Event::outcome(&item.key, item.told_as, outcome.clone()),
            (None, None) => return,
        };
        self.item_request(id, Request::Publish(Box::new(event)));
    }

    fn acknowledge(&mut self, id: ItemId) {
        let Some(item) = self.work.items.get_mut(&id) else { return };
        item.acks += 1;
        let token = item.token;
        let (stage, request) = if item.invalid.is_some() {
            (Stage::Terminating, Request::Terminate(token))
        } else {
            (Stage::Acknowledging, Request::Acknowledge(token))
        };
        item.stage = stage;
        self.item_request(id, request);
    }

    /// Another node has decided about the message: only the ids count.
    fn lost(&mut self, id: ItemId) {
        let Some(item) = self.work.items.get_mut(&id) else { return };
        item.stage = Stage::Lost;
        if item.ids.is_empty() {
            self.abandon(id);
        }
    }

    /// Handles the reply to a request about a message.
    pub(super) fn handle_item_reply(&mut self, id: ItemId, step: Step, reply: Reply) {
        let Some(item) = self.work.items.get_mut(&id) else { return };
        if let Step::Id(index) = step {
            if matches!(reply, Reply::Done(_)) {
                item.ids.remove(&index);
                match item.stage {
                    Stage::StoringIds => self.recorded(id),
                    Stage::Lost => self.lost(id),
                    _ => {}
                }
            } else {
                item.ids.insert(index, false);
                self.retry(id);
            }
            return;
        }
        item.is_pending = false;
        match (item.stage, reply) {
            (Stage::Writing, Reply::Done(revision)) => {
                (item.revision, item.conflicts) = (revision, 0);
                if item.outcome.is_some() { self.recorded(id) } else { self.submit(id) }
            }
            (Stage::Writing, Reply::Conflict) => {
                item.conflicts += 1;
                if item.conflicts > 1 { self.retry(id) } else { self.read(id) }
            }
            (Stage::Reading, Reply::Attempt(found)) => self.handle_attempt(id, found),
            // There is an attempt: perhaps a request to create it was still on its way.
            (Stage::Withdrawing, Reply::Conflict) if item.revision == 0 => self.read(id),
            (Stage::Withdrawing, Reply::Done(_) | Reply::Conflict) => self.give_back(id),
            (Stage::Publishing, Reply::Done(_) | Reply::Conflict) => self.acknowledge(id),
            (Stage::Acknowledging | Stage::Terminating, Reply::Done(_)) => self.forget(id),
            (Stage::Acknowledging | Stage::Terminating, _) if item.acks >= MAX_ACKS => self.abandon(id),
            _ => self.retry(id),
        }
        self.advance_work();
    }

    fn retry(&mut self, id: ItemId) {
        self.timers.set(Timer::Retry(id), self.now + self.options.retry);
    }

    /// Repeats what failed.
    pub(super) fn retry_item(&mut self, id: ItemId) {
        self.store_ids(id);
        let Some(item) = self.work.items.get(&id).filter(|item| !item.is_pending) else { return };
        match item.stage {
            // Perhaps it was written.
            Stage::Writing | Stage::Reading => self.read(id),
            Stage::Withdrawing => self.withdraw(id),
            Stage::Publishing => self.publish(id),
            Stage::Acknowledging | Stage::Terminating => self.acknowledge(id),
            Stage::Waiting | Stage::Submitted | Stage::StoringIds | Stage::Lost => {}
        }
    }

    /// Decides what an attempt that is stored means.
    fn handle_attempt(&mut self, id: ItemId, found: Option<(u64, Attempt)>) {
        let (max_resends, is_too_old) = (self.options.max_resends, self.is_too_old(id));
        let Some(item) = self.work.items.get_mut(&id) else { return };
        let Some((revision, attempt)) = found else {
            item.revision = 0;
            return self.write(id);
        };
        let is_mine = attempt.node == self.instance && attempt.nonce == item.nonce;
        if is_mine {
            item.revision = revision;
            return match (&attempt.outcome, &item.outcome) {
                (Some(_), _) => self.recorded(id),
                (None, Some(_)) => self.write(id),
                (None, None) if is_too_old => self.withdraw(id),
                (None, None) => self.submit(id),
            };
        }
        if item.was_submitted {
            return self.lost(id);
        }
        if let Some(outcome) = attempt.outcome {
            // An earlier node did all but the rest.
            item.ids = ids_to_store(&outcome);
            item.outcome = Some(outcome);
            (item.told_as, item.sent_before, item.revision) =
                (attempt.sequence, attempt.sent_before, revision);
            item.is_adopted = true;
            self.store_ids(id);
            return self.recorded(id);
        }
        let is_own = attempt.node == self.instance;
        if is_too_old || self.leases.is_alive(&attempt.node) {
            return self.give_back(id);
        }
        item.revision = revision;
        item.sent_before = attempt.sent_before;
        // An attempt of this node for which there is no item was withdrawn before it was submitted.
        if !attempt.node.is_empty() && !is_own {
            item.sent_before += 1;
        }
        let may_resend = item.outcome.is_none() && item.resend_when_uncertain;
        if item.sent_before > if may_resend { max_resends } else { 0 } {
            let reason = "a node ended while it sent the message: the SMSC may have accepted it";
            item.outcome = Some(Outcome::new(EventKind::Uncertain, reason));
        }
        self.write(id);
    }

    /// Keeps the queue from delivering a message again.
    pub(super) fn keep_in_progress(&mut self, id: ItemId) {
        let Some(item) = self.work.items.get(&id) else { return };
        self.commands.push_back(Command::InProgress(item.token));
        self.timers.set(Timer::InProgress(id), self.now + self.options.ack_wait / 3);
    }

    /// Returns the keys of the messages in hand: for tests and for the status.
    pub fn keys_in_hand(&self) -> BTreeSet<String> {
        self.work.by_key.keys().cloned().collect()
    }
}

/// Returns the accepted parts whose ids are to be stored: by index, and that no request is on its way.
fn ids_to_store(outcome: &Outcome) -> BTreeMap<usize, bool> {
    let all = outcome.accepted.iter().enumerate();
    all.filter(|(_, part)| !part.normalised.is_empty()).map(|(index, _)| (index, false)).collect()
}
