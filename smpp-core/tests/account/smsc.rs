//! The SMSC: its end of each connection, what it accepts, and what it delivers.

use smpp_core::provider::ReceiptDialect;
use smpp_core::session::{
    Config, Event, Instant, Outcome, Readiness, Reply, Request, Session, Smsc as Role, State,
};
use smpp_core::sms::MessageIdPolicy;
use smpp_core::{
    BindMode, BindResp, COctets, CommandStatus, MessageState, Pdu, RegisteredDelivery, SubmitSm,
    SubmitSmResp, Tolerance,
};

use super::deliveries::{Deliveries, What};
use super::harness::link::{Pipe, PipeSettings};
use super::harness::{span, ticks};
use super::log::{ConnectionId, name};
use super::messages::{Messages, Seen, Verdict};
use super::scenario::{Fault, Scenario};
use super::scene::Scene;

/// One connection, both ends of it.
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    /// From the account, and to it.
    pub(crate) up: Pipe,
    pub(crate) down: Pipe,
    /// The account's end: taken from its session and not yet by the connection; arrived and not read.
    pub(crate) output: Vec<u8>,
    pub(crate) unread: Vec<u8>,
    /// Whether the account's end has closed it.
    pub(crate) left: bool,
    pub(crate) heard_end: bool,
    session: Session<Role, usize>,
    server_output: Vec<u8>,
    server_unread: Vec<u8>,
    ended: bool,
}

/// An answer that is thought about.
struct Answer {
    due: Instant,
    connection: ConnectionId,
    to: AnswerTo,
}

enum AnswerTo {
    Bind(Reply<smpp_core::Bind<'static>>, Result<(), CommandStatus>),
    Message(Reply<SubmitSm<'static>>, Result<String, CommandStatus>),
}

pub(crate) struct Smsc {
    pub(crate) connections: Vec<Connection>,
    answers: Vec<Answer>,
    pub(crate) seen: Vec<Seen>,
    pub(crate) deliveries: Deliveries,
    /// What goes wrong at present, and until when.
    pub(crate) faults: Vec<(Instant, Fault)>,
    policy: MessageIdPolicy,
    dull: Option<&'static str>,
    cap: usize,
    ids: u64,
    habits: super::scenario::Habits,
    way: PipeSettings,
    /// Whether all goes well.
    pub(crate) healthy: bool,
}

impl Smsc {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let ReceiptDialect { message_ids, .. } = scenario.options.receipts.dialect;
        let dull = scenario.dull.is_some();
        Self {
            connections: Vec::new(),
            answers: Vec::new(),
            seen: Vec::new(),
            deliveries: Deliveries::new(&scenario.options, scenario.roomy, scenario.piecewise, dull),
            faults: Vec::new(),
            policy: message_ids,
            dull: scenario.dull,
            cap: usize::from(scenario.options.max_binds) + scenario.spare,
            ids: 0xFFF0,
            habits: scenario.habits,
            way: scenario.way,
            healthy: false,
        }
    }

    pub(crate) fn is(&self, fault: Fault) -> bool {
        self.faults.iter().any(|(_, other)| *other == fault)
    }

    pub(crate) fn accept(&mut self, now: Instant, id: ConnectionId) {
        let config = Config {
            window: 4,
            max_unanswered: 1000,
            response_timeout: ticks(400),
            enquire_link_interval: Some(ticks(400)),
            session_init_timeout: ticks(300),
            drain_timeout: ticks(50),
            ..Config::default()
        };
        self.connections.push(Connection {
            id,
            up: Pipe::new(self.way, now),
            down: Pipe::new(self.way, now),
            output: Vec::new(),
            unread: Vec::new(),
            left: false,
            heard_end: false,
            session: Session::new(config, now),
            server_output: Vec::new(),
            server_unread: Vec::new(),
            ended: false,
        });
    }

    pub(crate) fn connection(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|connection| connection.id == id)
    }

    /// When something is due next here.
    pub(crate) fn due(&self) -> Option<Instant> {
        let sessions = self.connections.iter().filter(|connection| !connection.ended);
        let timers = sessions.filter_map(|connection| connection.session.poll_timeout()).map(|(at, _)| at);
        let pipes = self.connections.iter().flat_map(|connection| {
            let up = connection.up.arrival().or(connection.up.end().filter(|_| !connection.ended));
            let down = connection.down.arrival().or(connection.down.end().filter(|_| !connection.heard_end));
            [up, down.filter(|_| !connection.left)]
        });
        let answers = self.answers.iter().map(|answer| answer.due);
        let receives = self.connections.iter().any(|connection| receives(connection, Instant::ZERO));
        let deliveries = self.deliveries.queue.first().map(|(at, _)| *at).filter(|_| receives);
        let faults = self.faults.iter().map(|(until, _)| *until);
        timers.chain(pipes.flatten()).chain(answers).chain(deliveries).chain(faults).min()
    }

    /// Does what is due. Whether there was anything.
    pub(crate) fn step(&mut self, scene: &mut Scene, messages: &Messages) -> bool {
        let now = scene.now;
        let mut moved = false;
        for index in 0..self.connections.len() {
            moved |= self.hear(scene, index, messages);
            moved |= self.wake(scene, index, messages);
        }
        moved |= self.answer(scene);
        moved |= self.deliver(scene);
        for connection in &mut self.connections {
            let mut octets = Vec::new();
            if connection.server_output.is_empty() && connection.session.poll_transmit(&mut octets) {
                connection.server_output = octets;
            }
            while !connection.server_output.is_empty() {
                if connection.left {
                    connection.server_output.clear();
                    break;
                }
                let (taken, _) = connection.down.accept(&mut scene.rng, now, &connection.server_output);
                if taken == 0 {
                    break;
                }
                connection.server_output.drain(..taken);
                connection.session.handle_transmitted(taken);
                moved = true;
            }
            if connection.ended && connection.server_output.is_empty() {
                connection.down.finish(now);
            }
        }
        self.connections.retain(|connection| !(connection.ended && connection.left));
        moved
    }

    /// Reads what has arrived at the server.
    fn hear(&mut self, scene: &mut Scene, index: usize, messages: &Messages) -> bool {
        let now = scene.now;
        let mut moved = false;
        let connection = &mut self.connections[index];
        while connection.up.arrival().is_some_and(|at| at <= now)
            && (connection.session.wants_input() || connection.ended)
        {
            let octets = connection.up.deliver(&mut scene.rng);
            connection.server_unread.extend(octets);
            moved = true;
        }
        let unread = std::mem::take(&mut self.connections[index].server_unread);
        let mut input = &unread[..];
        while let Some(event) = self.connections[index].session.handle_input(now, &mut input) {
            self.event(scene, messages, index, event);
        }
        self.connections[index].server_unread = input.to_vec();
        let connection = &mut self.connections[index];
        if !connection.ended && connection.up.end().is_some_and(|at| at <= now) {
            connection.session.handle_eof();
            moved = true;
        }
        moved
    }

    fn wake(&mut self, scene: &mut Scene, index: usize, messages: &Messages) -> bool {
        let mut moved = false;
        while let Some(event) = self.connections[index].session.handle_timeout(scene.now) {
            self.event(scene, messages, index, event);
            moved = true;
        }
        moved
    }

    fn event(&mut self, scene: &mut Scene, messages: &Messages, index: usize, event: Event<'_, usize>) {
        let id = self.connections[index].id;
        match event {
            Event::Request { request: Request::Bind(_, reply), .. } => {
                let verdict = self.verdict_on_bind(scene);
                scene.tell(|| format!("  SMSC is asked to bind on {id}: {verdict:?}"));
                if let Some(status) = verdict {
                    let due = scene.now + span(&mut scene.rng, 0, self.habits.smsc_thinks);
                    let to = AnswerTo::Bind(reply, status);
                    self.answers.push(Answer { due, connection: id, to });
                }
            }
            Event::Request { request: Request::SubmitSm(message, reply), .. } => {
                self.submitted(scene, id, &message, reply);
            }
            Event::Refused { frame, status } => {
                // It is being unbound.
                let (pdu, _) = frame.into_pdu(Tolerance::LENIENT).expect("as it was sent");
                if let Pdu::SubmitSm(message) = pdu {
                    let (message, part) = name(&message);
                    self.seen.push(Seen { message, part, verdict: Verdict::Refused(status) });
                    scene.count(|| "SMSC has unbound".into());
                }
            }
            Event::Outcome { tag, outcome, .. } => self.delivered(scene, messages, (id, tag), outcome),
            Event::Closed(reason) => {
                scene.tell(|| format!("  SMSC's end of {id} is over: {reason:?}"));
                self.connections[index].ended = true;
            }
            _ => {}
        }
    }

    /// `None`: no answer.
    fn verdict_on_bind(&mut self, scene: &mut Scene) -> Option<Result<(), CommandStatus>> {
        let bound = |connection: &&Connection| connection.session.state().is_bound();
        let bound = self.connections.iter().filter(bound).count();
        let welcomes = |answer: &&Answer| matches!(answer.to, AnswerTo::Bind(_, Ok(())));
        let answering = self.answers.iter().filter(welcomes).count();
        let others = if self.is(Fault::Crowded) { self.cap - 1 } else { 0 };
        if self.is(Fault::IgnoresBinds) && scene.rng.chance(700) {
            return None;
        }
        Some(if self.is(Fault::WrongPassword) {
            Err(scene.rng.pick(&[CommandStatus::RINVPASWD, CommandStatus::RINVSYSID]))
        } else if bound + answering + others >= self.cap {
            scene.count(|| "SMSC too many binds".into());
            Err(CommandStatus::RALYBND)
        } else if self.is(Fault::RefusesBinds) {
            let all = [CommandStatus::RALYBND, CommandStatus::RBINDFAIL, CommandStatus::RSYSERR];
            Err(scene.rng.pick(&all))
        } else {
            Ok(())
        })
    }

    fn submitted(
        &mut self,
        scene: &mut Scene,
        connection: ConnectionId,
        message: &SubmitSm<'_>,
        reply: Reply<SubmitSm<'static>>,
    ) {
        let (number, part) = name(message);
        let wants = message.registered_delivery;
        let busy = self.is(Fault::Busy) && scene.rng.chance(400);
        let forgets = self.is(Fault::Forgetful) && scene.rng.chance(300);
        let refuses = !self.healthy && scene.rng.chance(self.habits.smsc_refuses);
        let result = if busy {
            Err(scene.rng.pick(&[CommandStatus::RTHROTTLED, CommandStatus::RMSGQFUL]))
        } else if refuses {
            Err(scene.rng.pick(&[CommandStatus::RINVDSTADR, CommandStatus::RSYSERR]))
        } else {
            Ok(self.next_id())
        };
        let dropped = forgets && scene.rng.chance(500);
        let verdict = match &result {
            _ if dropped => Verdict::Dropped,
            Ok((id, _)) => Verdict::Accepted(id.clone().into_bytes()),
            Err(status) => Verdict::Refused(*status),
        };
        scene.tell(|| {
            format!("  SMSC is sent {number} part {part} on {connection}: {result:?}, forgets {forgets}")
        });
        self.seen.push(Seen { message: number, part, verdict });
        if let Ok(ids) = &result
            && !dropped
            && !wants.is_empty()
        {
            self.report(scene, (number, part), ids, wants);
        }
        if forgets {
            // The place of the answer is lost with it.
            let _ = reply;
            scene.count(|| format!("SMSC forgets {}", if dropped { "all" } else { "the answer" }));
            return;
        }
        let due = scene.now + span(&mut scene.rng, 0, self.habits.smsc_thinks);
        let to = AnswerTo::Message(reply, result.map(|(id, _)| id));
        self.answers.push(Answer { due, connection, to });
    }

    /// A new id as a response writes it, and as a receipt does.
    fn next_id(&mut self) -> (String, String) {
        self.ids += 1;
        let number = self.ids;
        if let Some(dull) = self.dull {
            return (dull.into(), dull.into());
        }
        if self.policy == MessageIdPolicy::HEXADECIMAL_TO_DECIMAL {
            (format!("{number:x}"), format!("{number}"))
        } else if self.policy == MessageIdPolicy::DECIMAL_TO_HEXADECIMAL {
            (format!("{number}"), format!("{number:X}"))
        } else if self.policy == MessageIdPolicy::IGNORE_LEADING_ZEROS {
            (format!("{number}"), format!("000{number}"))
        } else {
            (format!("id-{number}"), format!("id-{number}"))
        }
    }

    /// Plans the receipts of a message.
    fn report(
        &mut self,
        scene: &mut Scene,
        (message, part): (usize, u8),
        (id, receipted): &(String, String),
        wants: RegisteredDelivery,
    ) {
        let rng = &mut scene.rng;
        let last = rng.pick(&[
            MessageState::DELIVERED,
            MessageState::DELIVERED,
            MessageState::UNDELIVERABLE,
            MessageState::EXPIRED,
        ]);
        if wants == RegisteredDelivery::RECEIPT_ON_FAILURE && last == MessageState::DELIVERED {
            return;
        }
        let mut at = scene.now + span(rng, 0, 60);
        for state in [MessageState::ENROUTE, MessageState::ACCEPTED, last] {
            if state == last || rng.chance(200) {
                self.deliveries.receipt(at, (id, receipted), What::Receipt { message, part, state });
                at = at + span(rng, 0, 60);
            }
        }
    }

    /// A receipt of another program of the account, or a message from a phone.
    pub(crate) fn originate(&mut self, scene: &mut Scene) {
        let rng = &mut scene.rng;
        let now = scene.now;
        if rng.chance(400) {
            self.ids += 1;
            let (id, receipted) = self.next_id();
            return self.deliveries.receipt(now + span(rng, 0, 20), (&id, &receipted), What::Foreign);
        }
        let length = rng.pick(&[3, 20, 200, 500]);
        let text = text(rng, length);
        self.deliveries.mo(text, || now + span(rng, 0, 100));
    }

    fn answer(&mut self, scene: &mut Scene) -> bool {
        let mut moved = false;
        while let Some(index) = self.answers.iter().position(|answer| answer.due <= scene.now) {
            let Answer { connection, to, .. } = self.answers.swap_remove(index);
            moved = true;
            let flapping = self.is(Fault::Flapping);
            let Some(connection) = self.connection(connection) else { continue };
            let session = &mut connection.session;
            // If the session is over, the answer is lost.
            let _ = match to {
                AnswerTo::Bind(reply, Ok(())) => {
                    let answered = session.respond(reply, Ok(BindResp::default()));
                    if flapping {
                        session.unbind(scene.now);
                    }
                    answered
                }
                AnswerTo::Bind(reply, Err(status)) => session.respond(reply, Err(status)),
                AnswerTo::Message(reply, Ok(id)) => {
                    let message_id = COctets::new(id.as_bytes()).expect("short");
                    session.respond(reply, Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }))
                }
                AnswerTo::Message(reply, Err(status)) => session.respond(reply, Err(status)),
            };
        }
        moved
    }

    /// Delivers what is due on any bind that receives.
    fn deliver(&mut self, scene: &mut Scene) -> bool {
        let now = scene.now;
        let mut moved = false;
        while let Some((due, index)) = self.deliveries.queue.first().copied()
            && due <= now
        {
            let receivers: Vec<usize> = (0..self.connections.len())
                .filter(|connection| receives(&self.connections[*connection], now))
                .collect();
            if receivers.is_empty() {
                break;
            }
            let connection = &mut self.connections[receivers[scene.rng.index(receivers.len())]];
            let session = &mut connection.session;
            let sent =
                self.deliveries.with_pdu(index, |message| session.request(now, message, index).is_ok());
            assert!(sent, "it is ready");
            self.deliveries.queue.pop_first();
            self.deliveries.flying += 1;
            moved = true;
        }
        moved
    }

    fn delivered(
        &mut self,
        scene: &mut Scene,
        messages: &Messages,
        (connection, index): (ConnectionId, usize),
        outcome: Outcome<'_>,
    ) {
        scene.tell(|| format!("  SMSC: delivery {index} on {connection}: {outcome:?}"));
        self.deliveries.flying -= 1;
        let again = match outcome {
            Outcome::Accepted(_) => {
                self.deliveries.acknowledged(scene.now, index, messages);
                scene.count(|| "delivery accepted".into());
                !self.healthy && scene.rng.chance(self.habits.repeats)
            }
            Outcome::Refused { .. } => {
                scene.count(|| "delivery refused".into());
                true
            }
            _ => {
                scene.count(|| "delivery without answer".into());
                true
            }
        };
        if again {
            let wait = span(&mut scene.rng, 1, self.habits.retry);
            self.deliveries.queue.insert((scene.now + wait, index));
        }
    }

    /// Something goes wrong with a connection, or all of them.
    pub(crate) fn fail(&mut self, scene: &mut Scene, fault: Fault) {
        let now = scene.now;
        if self.connections.is_empty() {
            return;
        }
        let chosen = scene.rng.index(self.connections.len());
        let all = scene.rng.chance(200);
        for (index, connection) in self.connections.iter_mut().enumerate() {
            if index != chosen && !all {
                continue;
            }
            match fault {
                Fault::Stall => (connection.up.stalled, connection.down.held) = (true, true),
                Fault::Cut => {
                    connection.up.cut(now);
                    connection.down.cut(now);
                }
                Fault::CutUnseenByServer => {
                    connection.up.cut(now);
                    connection.up.held = true;
                    connection.down.cut(now);
                }
                Fault::CutUnseenByAccount => {
                    connection.up.cut(now);
                    connection.down.cut(now);
                    connection.down.held = true;
                }
                Fault::Unbind => connection.session.unbind(now),
                _ => {}
            }
        }
    }

    /// All goes well from now on, and new connections are fast.
    pub(crate) fn recover(&mut self) {
        self.faults.clear();
        self.healthy = true;
        self.habits.smsc_thinks = 0;
        self.way.capacity = 100_000;
        self.heal();
    }

    /// What can recover does, on all connections.
    pub(crate) fn heal(&mut self) {
        for connection in &mut self.connections {
            connection.up.heal();
            connection.down.heal();
        }
    }
}

fn receives(connection: &Connection, now: Instant) -> bool {
    let State::Bound(mode) = connection.session.state() else { return false };
    mode != BindMode::Transmitter && matches!(connection.session.readiness(now), Readiness::Ready { .. })
}

/// A text of so many characters.
pub(crate) fn text(rng: &mut super::harness::rng::Rng, length: usize) -> String {
    let alphabet: &[char] = if rng.chance(200) { &['ж', 'б', 'a'] } else { &['a', 'b', '€', ' '] };
    (0..length).map(|_| rng.pick(alphabet)).collect()
}
