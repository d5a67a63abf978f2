//! The nodes, their accounts and connections, the network, and what goes wrong.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use smpp_gateway::node::{
    AckToken, Attempt, Command, DeliveryId, Ended, IdOwner, Invalid, ItemId, Node, Options, Priority, Reply,
    Request, RequestId, Work, WorkContent,
};
use smpp_proto::session::Instant;

use super::engine::Engine;
use super::rng::Rng;
use super::smsc::{Smsc, Submission};

/// A message that the test publishes.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) key: String,
    pub(crate) priority: Priority,
    pub(crate) resend: bool,
    pub(crate) expires: Option<Instant>,
    pub(crate) is_invalid: bool,
    pub(crate) parts: u8,
}

/// A node from its start to its end, with its account.
pub(crate) struct Run {
    pub(crate) node: Node<usize>,
    pub(crate) instance: String,
    slot: usize,
    pub(crate) is_alive: bool,
    is_cut: bool,
    /// When the node notices that it is cut off. Until then its requests wait on the connection.
    notices_at: Instant,
    unsent: Vec<(Instant, RequestId, Request)>,
    /// The attempts that it has begun, and when the rate allows the next one.
    begun: BTreeSet<u64>,
    next_start: Instant,
    pub(crate) target: u16,
    pub(crate) connections: Vec<Connection>,
    pub(crate) submissions: BTreeMap<ItemId, Submission>,
    /// The ids of responses, and what the SMSC has delivered, on which connection and when.
    pub(crate) known_ids: BTreeMap<String, IdOwner>,
    pub(crate) deliveries: BTreeMap<DeliveryId, (Delivered, u64, Instant)>,
    wake_at: Option<Instant>,
}

pub(crate) struct Connection {
    pub(crate) id: u64,
    pub(crate) is_bound: bool,
    is_draining: bool,
}

/// What the SMSC delivers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Delivered {
    Receipt(usize),
    Phone(usize),
}

#[derive(Debug)]
pub(crate) enum Action {
    Wake(usize),
    Publish(usize),
    Apply(usize, RequestId, Request, Option<(Duration, bool)>),
    Reply(usize, RequestId, Reply),
    Pull(usize, Priority, usize, Instant),
    PullEnded(usize, Priority),
    Work(usize, AckToken, usize),
    Queue(QueueCommand, AckToken),
    Open(usize),
    Bound(usize, u64),
    Closed(usize, u64),
    Linger,
    Send(usize, ItemId),
    Arrive(usize, ItemId, u64),
    Respond(usize, ItemId),
    Deliver(Delivered),
    Fault(Fault),
    Restart(usize),
    Heal(usize),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum QueueCommand {
    InProgress,
    GiveBack,
    Delete,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    Kill,
    Cut,
    CutAll,
    Stop,
    DropConnection,
    AddNode,
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) rng: Rng,
    actions: BinaryHeap<Reverse<(Instant, u64)>>,
    pending: BTreeMap<u64, Action>,
    last_action: u64,
    pub(crate) engine: Engine,
    pub(crate) options: Options,
    pub(crate) messages: Vec<Message>,
    pub(crate) runs: Vec<Run>,
    /// The run of each machine.
    slots: Vec<Option<usize>>,
    pub(crate) smsc: Smsc,
    /// Connections of processes that were killed, until the SMSC sees it.
    lingering: usize,
    last_connection: u64,
    pub(crate) last_delivery: u64,
    is_calm: bool,
    pub(crate) verbose: bool,
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

impl World {
    pub(crate) fn new(seed: u64, verbose: bool) -> Self {
        let mut rng = Rng::new(seed);
        let lease = Duration::from_secs(3 * rng.within(1, 3));
        let ack_wait = Duration::from_secs(10 * rng.within(1, 3));
        let options = Options {
            max_binds: rng.within(1, 5) as u16,
            lease,
            ack_wait,
            prefetch: rng.within(1, 12) as usize,
            window: rng.within(1, 5) as usize,
            rate: rng.chance(500).then(|| rng.within(1, 20) as u32),
            lookup: Duration::from_secs(5),
            answer: Duration::from_secs(12),
            remember: if rng.chance(500) { rng.millis(15_000, 60_000) } else { Duration::from_secs(86_400) },
            part_age: if rng.chance(500) { rng.millis(3_000, 30_000) } else { Duration::from_secs(3_600) },
            housekeeping: rng.millis(500, 5_000),
            ..Options::default()
        };
        // Sometimes less than it takes to look for the message of a receipt.
        let smsc = Smsc::new(Duration::from_secs(if rng.chance(500) { 4 } else { 60 }));
        Self {
            now: Instant::ZERO + Duration::from_secs(1),
            rng,
            actions: BinaryHeap::new(),
            pending: BTreeMap::new(),
            last_action: 0,
            engine: Engine::new(lease, ack_wait, options.remember),
            options,
            messages: Vec::new(),
            runs: Vec::new(),
            slots: Vec::new(),
            smsc,
            lingering: 0,
            last_connection: 0,
            last_delivery: 0,
            is_calm: false,
            verbose,
            counts: BTreeMap::new(),
        }
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    pub(crate) fn after(&mut self, delay: Duration, action: Action) {
        self.last_action += 1;
        self.actions.push(Reverse((self.now + delay, self.last_action)));
        self.pending.insert(self.last_action, action);
    }

    pub(crate) fn add_node(&mut self) {
        self.slots.push(None);
        self.start(self.slots.len() - 1);
    }

    fn start(&mut self, slot: usize) {
        if self.slots[slot].is_some() {
            return;
        }
        let run = self.runs.len();
        let instance = format!("node{slot}-{run}");
        let node = Node::new(self.options.clone(), instance.clone(), self.now);
        self.runs.push(Run {
            node,
            instance,
            slot,
            is_alive: true,
            is_cut: false,
            notices_at: Instant::ZERO,
            unsent: Vec::new(),
            begun: BTreeSet::new(),
            next_start: Instant::ZERO,
            target: 0,
            connections: Vec::new(),
            submissions: BTreeMap::new(),
            known_ids: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            wake_at: None,
        });
        self.slots[slot] = Some(run);
        self.pump(run);
    }

    /// From now on nothing goes wrong any more.
    pub(crate) fn calm(&mut self) {
        self.is_calm = true;
        for run in 0..self.runs.len() {
            self.heal(run);
        }
        for slot in 0..self.slots.len() {
            self.start(slot);
        }
    }

    /// Runs until then.
    pub(crate) fn run_until(&mut self, end: Instant) {
        while let Some(Reverse((at, id))) = self.actions.peek().copied() {
            if at > end {
                break;
            }
            self.actions.pop();
            self.now = at;
            if let Some(action) = self.pending.remove(&id) {
                if self.verbose && !matches!(action, Action::Wake(_)) {
                    eprintln!("{:>9?} {action:?}", at - Instant::ZERO);
                }
                self.act(action);
                self.check_binds();
            }
        }
        self.now = end;
    }

    /// The SMSC never sees more connections than allowed, and none without a lease that the engine still has.
    fn check_binds(&self) {
        let all: usize = self.runs.iter().map(|run| run.connections.len()).sum();
        assert!(
            all + self.lingering <= usize::from(self.options.max_binds),
            "too many connections at the SMSC"
        );
        for run in self.runs.iter().filter(|run| run.is_alive) {
            let held = self.engine.held(self.now, &run.instance);
            assert!(run.connections.len() <= held, "{} has a connection without a lease", run.instance);
        }
    }

    fn act(&mut self, action: Action) {
        let now = self.now;
        match action {
            Action::Wake(run) => {
                if self.runs[run].is_alive && self.runs[run].wake_at == Some(now) {
                    self.runs[run].wake_at = None;
                    self.runs[run].node.handle_timeout(now);
                    self.pump(run);
                }
            }
            Action::Publish(message) => self.engine.publish(now, self.messages[message].priority),
            Action::Apply(run, id, request, reply) => {
                let instance = self.runs[run].instance.clone();
                let result = self.engine.handle(now, &instance, request);
                if let Some((delay, is_repeated)) = reply {
                    if is_repeated {
                        self.after(delay * 2, Action::Reply(run, id, result.clone()));
                    }
                    self.after(delay, Action::Reply(run, id, result));
                }
            }
            Action::Reply(run, id, reply) => {
                let it = &mut self.runs[run];
                if it.is_alive && (!it.is_cut || reply == Reply::Failed) {
                    it.node.handle_reply(now, id, reply);
                    self.pump(run);
                }
            }
            Action::Pull(run, priority, count, end) => self.pull(run, priority, count, end),
            Action::PullEnded(run, priority) => {
                if self.runs[run].is_alive {
                    self.runs[run].node.handle_pull_ended(now, priority);
                    self.pump(run);
                }
            }
            Action::Work(run, token, message) => self.work(run, token, message),
            Action::Queue(QueueCommand::InProgress, token) => self.engine.in_progress(now, token),
            Action::Queue(QueueCommand::GiveBack, token) => self.engine.give_back(now, token),
            Action::Queue(QueueCommand::Delete, token) => self.engine.delete(now, token),
            Action::Open(run) => self.open(run),
            Action::Bound(run, id) => {
                let connection = self.runs[run].connections.iter_mut().find(|it| it.id == id);
                if let Some(connection) = connection.filter(|it| !it.is_draining) {
                    connection.is_bound = true;
                    self.report_binds(run);
                }
            }
            Action::Closed(run, id) => self.close(run, |connection| connection.id == id),
            Action::Linger => self.lingering -= 1,
            Action::Send(run, item) => self.send(run, item),
            Action::Arrive(run, item, connection) => self.arrive(run, item, connection),
            Action::Respond(run, item) => self.respond(run, item),
            Action::Deliver(what) => self.deliver(what),
            Action::Fault(fault) => self.fault(fault),
            Action::Restart(slot) => self.start(slot),
            Action::Heal(run) => self.heal(run),
        }
    }

    /// Carries out the commands of a node.
    pub(crate) fn pump(&mut self, run: usize) {
        while let Some(command) = self.runs[run].node.poll_command() {
            match command {
                Command::Pull { priority, count } => {
                    let end = self.now + Duration::from_secs(3);
                    self.after(Duration::from_millis(3_050), Action::PullEnded(run, priority));
                    if !self.runs[run].is_cut {
                        self.after(Duration::from_millis(2), Action::Pull(run, priority, count, end));
                    }
                }
                Command::InProgress(token) => self.tell_queue(run, QueueCommand::InProgress, token),
                Command::GiveBack(token) => self.tell_queue(run, QueueCommand::GiveBack, token),
                Command::AckDuplicate(token) => self.tell_queue(run, QueueCommand::Delete, token),
                Command::Abandon(_) => self.count("abandoned"),
                Command::Request(id, request) => self.transmit(run, id, request),
                Command::Submit { item, key, body } => {
                    assert_eq!(self.messages[body].key, key);
                    self.runs[run].submissions.insert(item, Submission::new(body));
                    let delay = self.rng.millis(0, 500);
                    self.after(delay, Action::Send(run, item));
                }
                Command::Cancel(item) => self.cancel(run, item),
                Command::SetBinds(target) => self.set_binds(run, target),
                Command::CloseConnections(left) => {
                    self.count("closed by force");
                    while self.runs[run].connections.len() > usize::from(left) {
                        let last = self.runs[run].connections.last().map(|it| it.id);
                        self.close(run, |connection| Some(connection.id) == last);
                    }
                    self.report_binds(run);
                }
                Command::Answer { delivery, accept } => self.answered(run, delivery, accept),
            }
        }
        let drained = self.runs[run].node.is_drained();
        if drained && self.runs[run].is_alive {
            self.count("drained");
            assert!(self.runs[run].connections.is_empty());
            self.end_run(run);
        }
        let next = self.runs[run].node.poll_timeout();
        if let Some(next) = next
            && self.runs[run].wake_at.is_none_or(|at| next < at || at <= self.now)
            && self.runs[run].is_alive
        {
            self.runs[run].wake_at = Some(next.max(self.now));
            let delay = next - self.now;
            self.after(delay, Action::Wake(run));
        }
    }

    fn tell_queue(&mut self, run: usize, what: QueueCommand, token: AckToken) {
        if !self.runs[run].is_cut && (self.is_calm || !self.rng.chance(50)) {
            let delay = self.rng.millis(1, 20);
            self.after(delay, Action::Queue(what, token));
        }
    }

    /// Sends a request over a network that loses, delays and repeats.
    fn transmit(&mut self, run: usize, id: RequestId, request: Request) {
        if let Request::WriteAttempt { attempt, .. } = &request {
            self.check_rate(run, attempt);
        }
        if self.runs[run].is_cut && self.runs[run].notices_at <= self.now {
            return self.after(Duration::from_millis(1), Action::Reply(run, id, Reply::Failed));
        }
        self.after(Duration::from_millis(900), Action::Reply(run, id, Reply::Failed));
        if self.runs[run].is_cut {
            self.count("request waits");
            let now = self.now;
            return self.runs[run].unsent.push((now, id, request));
        }
        let (mut there, mut back) = (self.rng.millis(0, 20), Some(self.rng.millis(0, 20)));
        let mut is_repeated = false;
        if !self.is_calm {
            if self.rng.chance(30) {
                self.count("request lost");
                return;
            }
            if self.rng.chance(30) {
                there = self.rng.millis(100, 30_000).min(self.engine.remember / 2);
                self.count("request late");
            }
            match self.rng.within(0, 999) {
                0..30 => {
                    back = None;
                    self.count("reply lost");
                }
                30..60 => back = Some(self.rng.millis(100, 5_000)),
                _ => {}
            }
            is_repeated = self.rng.chance(50);
        }
        self.after(there, Action::Apply(run, id, request, back.map(|back| (back, is_repeated))));
    }

    fn pull(&mut self, run: usize, priority: Priority, count: usize, end: Instant) {
        let mut left = count;
        while left > 0
            && let Some((token, message)) = self.engine.deliver(self.now, priority)
        {
            left -= 1;
            if !self.is_calm && self.rng.chance(20) {
                self.count("work lost");
                continue;
            }
            let delay = self.rng.millis(0, 20);
            self.after(delay, Action::Work(run, token, message));
        }
        let again = Duration::from_millis(100);
        if left > 0 && self.now + again < end {
            self.after(again, Action::Pull(run, priority, left, end));
        }
    }

    fn work(&mut self, run: usize, token: AckToken, index: usize) {
        if !self.runs[run].is_alive || self.runs[run].is_cut {
            return;
        }
        let message = &self.messages[index];
        let content = if message.is_invalid {
            Err(Invalid { key: None, field: None, reason: "not JSON".into() })
        } else {
            Ok(WorkContent {
                key: message.key.clone(),
                resend_when_uncertain: message.resend,
                expires: message.expires,
                body: index,
            })
        };
        let work =
            Work { priority: message.priority, sequence: index as u64 + 1, published: 0, token, content };
        let node = &mut self.runs[run].node;
        node.handle_work(self.now, work);
        let most = 3 * self.options.prefetch;
        assert!(node.in_hand().0 <= most, "more messages in hand than allowed");
        self.pump(run);
    }

    fn set_binds(&mut self, run: usize, target: u16) {
        self.runs[run].target = target;
        let extra = self.runs[run].connections.len().saturating_sub(usize::from(target));
        let mut drained = Vec::new();
        for connection in self.runs[run].connections.iter_mut().rev().take(extra) {
            if !connection.is_draining {
                (connection.is_draining, connection.is_bound) = (true, false);
                drained.push(connection.id);
            }
        }
        for id in drained {
            let delay =
                if self.rng.chance(100) { Duration::from_secs(60) } else { self.rng.millis(0, 1_500) };
            self.after(delay, Action::Closed(run, id));
        }
        self.schedule_open(run);
        self.report_binds(run);
    }

    fn schedule_open(&mut self, run: usize) {
        let delay = self.rng.millis(10, 400);
        self.after(delay, Action::Open(run));
    }

    fn open(&mut self, run: usize) {
        if !self.runs[run].is_alive || self.runs[run].connections.len() >= usize::from(self.runs[run].target)
        {
            return;
        }
        self.last_connection += 1;
        let id = self.last_connection;
        self.runs[run].connections.push(Connection { id, is_bound: false, is_draining: false });
        let delay = self.rng.millis(10, 200);
        self.after(delay, Action::Bound(run, id));
        self.schedule_open(run);
        self.report_binds(run);
    }

    /// Closes connections of a run. What was in flight on them is uncertain, and what was delivered comes again.
    fn close(&mut self, run: usize, is_it: impl Fn(&Connection) -> bool) {
        let closed: BTreeSet<u64> =
            self.runs[run].connections.iter().filter(|it| is_it(it)).map(|it| it.id).collect();
        if closed.is_empty() {
            return;
        }
        self.runs[run].connections.retain(|it| !closed.contains(&it.id));
        self.redeliver(run, &closed);
        let in_flight: Vec<ItemId> = self.runs[run]
            .submissions
            .iter()
            .filter(|(_, it)| it.sent_on.is_some_and(|id| closed.contains(&id)))
            .map(|(item, _)| *item)
            .collect();
        for item in in_flight {
            self.end_unanswered(run, item);
        }
        if self.runs[run].is_alive {
            self.schedule_open(run);
            self.report_binds(run);
        }
    }

    pub(crate) fn report_binds(&mut self, run: usize) {
        let it = &mut self.runs[run];
        let bound = it.connections.iter().filter(|it| it.is_bound).count() as u16;
        it.node.handle_binds(self.now, it.connections.len() as u16, bound);
        self.pump(run);
    }

    pub(crate) fn ended(&mut self, run: usize, item: ItemId, ended: Ended) {
        if self.runs[run].submissions.remove(&item).is_some() && self.runs[run].is_alive {
            self.runs[run].node.handle_ended(self.now, item, ended);
            self.pump(run);
        }
    }

    fn end_run(&mut self, run: usize) {
        let slot = self.runs[run].slot;
        self.runs[run].is_alive = false;
        self.slots[slot] = None;
        for _ in 0..self.runs[run].connections.len() {
            self.lingering += 1;
            let delay = self.rng.millis(0, 100);
            self.after(delay, Action::Linger);
        }
        self.close(run, |_| true);
        let delay = self.rng.millis(0, 15_000);
        self.after(delay, Action::Restart(slot));
    }

    fn fault(&mut self, fault: Fault) {
        if self.is_calm {
            return;
        }
        let alive: Vec<usize> = (0..self.runs.len()).filter(|run| self.runs[*run].is_alive).collect();
        if alive.is_empty() {
            return;
        }
        let run = alive[self.rng.index(alive.len())];
        match fault {
            Fault::Kill => {
                self.count("killed");
                self.end_run(run);
            }
            Fault::Cut => self.cut(run),
            Fault::CutAll => alive.into_iter().for_each(|run| self.cut(run)),
            Fault::Stop => {
                self.runs[run].node.shutdown(self.now);
                self.pump(run);
            }
            Fault::DropConnection => {
                let last = self.runs[run].connections.first().map(|it| it.id);
                self.close(run, |connection| Some(connection.id) == last);
            }
            Fault::AddNode => self.add_node(),
        }
    }

    /// The node begins no more attempts than the rate of all binds allows.
    fn check_rate(&mut self, run: usize, attempt: &Attempt) {
        let Some(rate) = self.options.rate else { return };
        let it = &mut self.runs[run];
        if attempt.node.is_empty() || attempt.outcome.is_some() || !it.begun.insert(attempt.nonce) {
            return;
        }
        let earliest = Instant::after((self.now - Instant::ZERO).saturating_sub(Duration::from_millis(50)));
        let start = it.next_start.max(earliest);
        assert!(start <= self.now, "{} is faster than the rate", it.instance);
        it.next_start = start + Duration::from_secs(1) / rate / u32::from(self.options.max_binds);
    }

    /// The node reaches the engine again. What waited on the connection arrives, unless that would take too long.
    fn heal(&mut self, run: usize) {
        self.runs[run].is_cut = false;
        for (sent, id, request) in std::mem::take(&mut self.runs[run].unsent) {
            if self.now - sent <= self.engine.remember / 2 {
                self.after(Duration::ZERO, Action::Apply(run, id, request, None));
            }
        }
    }

    fn cut(&mut self, run: usize) {
        self.count("cut");
        self.runs[run].is_cut = true;
        self.runs[run].notices_at = self.now + self.rng.millis(0, 6_000);
        let delay = self.rng.millis(100, 40_000);
        self.after(delay, Action::Heal(run));
    }
}
