//! The simulated SMSC: its side of each connection, what it accepts, and what it delivers.
//!
//! In most scenarios it is a [`Server`](smpp_proto::server::Server), which the account is tested against, and which has a model
//! of its own: it admits connections, counts binds, limits rates, and routes and repeats deliveries. The application on it
//! answers wrongly, late or never, as the scenario says. In the others it is scripted: one session for each connection, and
//! deliveries on any bind, also on the one that has just refused it.

mod corruption;
mod delivering;
mod faults;
mod host;
mod on_server;
mod receipts;
mod server_log;
mod settings;
mod side;
mod stored;

use std::collections::BTreeMap;

use smpp_proto::provider::ReceiptDialect;
use smpp_proto::session::{CloseReason, Instant, Outcome, Request, Session, State};
use smpp_proto::sms::MessageIdPolicy;
use smpp_proto::{CommandStatus, Pdu, RegisteredDelivery, Tolerance};

pub(crate) use self::corruption::Corrupted;
use self::corruption::Junk;
use self::delivering::receives;
pub(crate) use self::delivering::text;
use self::host::ServerHost;
pub(crate) use self::settings::{SERVER_SHARE, ServerSettings};
use self::side::{Inbound, Side};
pub(crate) use self::stored::RequestAnswer;
use self::stored::StoredMessage;
use super::alerts::Alerts;
use super::answers::{MessageReply, ReplyTo};
use super::context::Context;
use super::deliveries::Deliveries;
use super::harness::link::{Pipe, PipeSettings};
use super::harness::span;
use super::log::{ConnectionId, request_index, segment_of_pdu};
use super::messages::{Messages, Seen, Verdict};
use super::scenario::{Fault, REFUSALS, ReceiptStyle, Scenario};

/// One connection, with both its sides.
#[expect(clippy::struct_excessive_bools, reason = "independent facts about one connection")]
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    /// From the account to the SMSC.
    pub(crate) up: Pipe,
    /// From the SMSC to the account.
    pub(crate) down: Pipe,
    /// Octets that the account's session has produced and the connection has not taken.
    pub(crate) output: Vec<u8>,
    /// Octets that have arrived at the account and were not read.
    pub(crate) unread: Vec<u8>,
    /// Whether the account's side has closed the connection.
    pub(crate) closed_by_account: bool,
    pub(crate) end_seen: bool,
    /// What comes between two PDUs in each direction, as soon as it can.
    junk_up: Option<Junk>,
    junk_down: Option<Junk>,
    /// The segment whose octets were changed, and how many octets leave until all of its have.
    changed: Option<(usize, usize, u8)>,
    side: Side,
    server_output: Vec<u8>,
    server_unread: Vec<u8>,
    /// Whether the SMSC has seen that the account's side closed the connection.
    server_end_seen: bool,
    ended: bool,
}

/// An answer that the SMSC sends later.
struct ScheduledAnswer {
    due: Instant,
    connection: ConnectionId,
    to: ReplyTo,
}

#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(crate) struct Smsc {
    /// The server; `None` if the SMSC is scripted.
    host: Option<Box<ServerHost>>,
    /// Until then the application queues no deliveries: the queue of the server was full.
    is_full_until: Instant,
    pub(crate) connections: Vec<Connection>,
    answers: Vec<ScheduledAnswer>,
    pub(crate) seen: Vec<Seen>,
    /// The requests about messages that have just arrived, and what the SMSC answers.
    pub(crate) requested: Vec<(usize, Option<RequestAnswer>)>,
    /// The accepted messages, by their ids.
    stored: BTreeMap<String, StoredMessage>,
    /// Whether it knows a message only on the connection that it came on.
    asks_same_bind: bool,
    pub(crate) deliveries: Deliveries,
    pub(crate) alerts: Alerts,
    pub(crate) corrupted: Corrupted,
    /// The current faults, and when each ends.
    pub(crate) faults: Vec<(Instant, Fault)>,
    receipts: ReceiptStyle,
    has_shared_ids: bool,
    /// The ids of messages whose segments have the same.
    shared_ids: BTreeMap<usize, (String, String)>,
    /// The ids of the segments that were accepted, of messages with one receipt.
    accepted: BTreeMap<usize, BTreeMap<u8, (String, String)>>,
    policy: MessageIdPolicy,
    /// Whether the account requests receipts in last segments only.
    on_last_segment: bool,
    fixed_id: Option<&'static str>,
    max_binds: usize,
    ids: u64,
    behaviour: super::scenario::Behaviour,
    way: PipeSettings,
    has_ample_limits: bool,
    /// Whether the faults have ended.
    pub(crate) healthy: bool,
}

impl Smsc {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let ReceiptDialect { message_ids, request_on_last_segment, .. } = scenario.options.receipts.dialect;
        Self {
            host: scenario.server.clone().map(|settings| Box::new(ServerHost::new(settings))),
            is_full_until: Instant::ZERO,
            connections: Vec::new(),
            answers: Vec::new(),
            seen: Vec::new(),
            requested: Vec::new(),
            stored: BTreeMap::new(),
            asks_same_bind: scenario.asks_same_bind,
            deliveries: Deliveries::new(scenario),
            alerts: Alerts::default(),
            corrupted: Corrupted::default(),
            receipts: scenario.receipts,
            has_shared_ids: scenario.has_shared_ids(),
            shared_ids: BTreeMap::new(),
            accepted: BTreeMap::new(),
            faults: Vec::new(),
            policy: message_ids,
            on_last_segment: request_on_last_segment,
            fixed_id: scenario.fixed_id,
            max_binds: usize::from(scenario.options.max_binds) + scenario.spare_binds,
            ids: 0xFFF0,
            behaviour: scenario.behaviour,
            way: scenario.way,
            has_ample_limits: scenario.ample_limits,
            healthy: false,
        }
    }

    pub(crate) fn is(&self, fault: Fault) -> bool {
        self.faults.iter().any(|(_, other)| *other == fault)
    }

    pub(crate) fn accept(&mut self, context: &mut Context, id: ConnectionId) {
        let now = context.now;
        let side = match &mut self.host {
            None => Side::Scripted(Box::new(Session::new(settings::config(), now))),
            Some(host) => Side::Server(host.accept(context, id)),
        };
        self.connections.push(Connection {
            id,
            up: Pipe::new(self.way, now),
            down: Pipe::new(self.way, now),
            output: Vec::new(),
            unread: Vec::new(),
            closed_by_account: false,
            end_seen: false,
            junk_up: None,
            junk_down: None,
            changed: None,
            server_output: Vec::new(),
            server_unread: Vec::new(),
            server_end_seen: false,
            // The adapter of the server closes a connection that it rejects.
            ended: matches!(side, Side::Server(None)),
            side,
        });
    }

    pub(crate) fn connection(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|connection| connection.id == id)
    }

    /// Returns when something is due at the SMSC: what is due already and waits, and what is due next after `now`.
    pub(crate) fn due(&self, now: Instant) -> impl Iterator<Item = Instant> {
        let host = self.host.as_deref();
        let sessions = self.connections.iter().filter(|connection| !connection.ended);
        let timers = sessions.filter_map(|connection| connection.side.poll_timeout(host));
        let pipes = self.connections.iter().flat_map(|connection| {
            let up = connection.up.arrival().or(connection.up.end().filter(|_| !connection.server_end_seen));
            let down = connection.down.arrival().or(connection.down.end().filter(|_| !connection.end_seen));
            [up, down.filter(|_| !connection.closed_by_account)]
        });
        let answers = self.answers.iter().map(|answer| answer.due);
        let receives = match host {
            Some(host) => host.takes_deliveries(),
            None => self.connections.iter().any(|connection| receives(connection, Instant::ZERO)),
        };
        let deliveries = self.deliveries.queue.first().map(|(at, _)| *at).filter(|_| receives);
        let deliveries = deliveries.map(|at| at.max(self.is_full_until));
        let faults = self.faults.iter().map(|(until, _)| *until);
        let server = host.and_then(ServerHost::due);
        let all: Vec<_> = timers
            .chain(pipes.flatten())
            .chain(answers)
            .chain(deliveries)
            .chain(faults)
            .chain(server)
            .collect();
        let (waiting, later): (Vec<_>, Vec<_>) = all.into_iter().partition(|at| *at <= now);
        waiting.into_iter().min().into_iter().chain(later.into_iter().min())
    }

    /// Does what is due, and returns whether there was anything.
    pub(crate) fn step(&mut self, context: &mut Context, messages: &Messages) -> bool {
        let now = context.now;
        let mut moved = false;
        for index in 0..self.connections.len() {
            moved |= self.read(context, index, messages);
            moved |= self.run_timers(context, index, messages);
        }
        moved |= self.answer(context);
        moved |= self.deliver(context);
        moved |= self.run_server(context, messages);
        moved |= self.corrupt_down(context);
        let Self { connections, host, .. } = self;
        for connection in connections.iter_mut() {
            let mut octets = Vec::new();
            if connection.server_output.is_empty()
                && connection.side.poll_transmit(host.as_deref_mut(), &mut octets)
            {
                connection.server_output = octets;
                connection.change_down(context);
            }
            while !connection.server_output.is_empty() {
                if connection.closed_by_account {
                    connection.server_output.clear();
                    break;
                }
                let (taken, _) = connection.down.accept(&mut context.rng, now, &connection.server_output);
                if taken == 0 {
                    break;
                }
                connection.server_output.drain(..taken);
                connection.side.handle_transmitted(host.as_deref_mut(), now, taken);
                moved = true;
            }
            if connection.ended && connection.server_output.is_empty() {
                connection.down.finish(now);
            }
        }
        connections.retain(|connection| !(connection.ended && connection.closed_by_account));
        self.handle_server_events(context, messages);
        if let Some(host) = self.host.as_deref().filter(|_| moved) {
            host.check(now, self.deliveries.in_flight);
        }
        moved
    }

    /// Reads the octets that have arrived at the SMSC.
    fn read(&mut self, context: &mut Context, index: usize, messages: &Messages) -> bool {
        let now = context.now;
        let mut moved = false;
        let Self { connections, host, .. } = self;
        let connection = &mut connections[index];
        while connection.up.arrival().is_some_and(|at| at <= now)
            && (connection.ended || connection.side.wants_input(host.as_deref()))
        {
            let octets = connection.up.deliver(&mut context.rng);
            connection.server_unread.extend(octets);
            moved = true;
        }
        let unread = std::mem::take(&mut self.connections[index].server_unread);
        let mut input = &unread[..];
        if !unread.is_empty() {
            loop {
                let side = &mut self.connections[index].side;
                let inbound = side.handle_input(self.host.as_deref_mut(), now, &mut input);
                self.handle_server_events(context, messages);
                let Some(inbound) = inbound else { break };
                self.handle(context, messages, index, inbound);
            }
        }
        self.connections[index].server_unread = input.to_vec();
        let connection = &mut self.connections[index];
        if !connection.server_end_seen && connection.up.end().is_some_and(|at| at <= now) {
            connection.server_end_seen = true;
            self.handle_eof(context, messages, index);
            moved = true;
        }
        moved
    }

    fn run_timers(&mut self, context: &mut Context, index: usize, messages: &Messages) -> bool {
        let Side::Scripted(session) = &mut self.connections[index].side else {
            return self.run_timers_of_server(context, index, messages);
        };
        let mut moved = false;
        let mut next = session.handle_timeout(context.now);
        while let Some(event) = next {
            self.handle(context, messages, index, Inbound::from(event));
            moved = true;
            let Side::Scripted(session) = &mut self.connections[index].side else { break };
            next = session.handle_timeout(context.now);
        }
        moved
    }

    fn handle(&mut self, context: &mut Context, messages: &Messages, index: usize, inbound: Inbound<'_>) {
        let id = self.connections[index].id;
        match inbound {
            Inbound::Bind(reply) => {
                let verdict = self.bind_result(context);
                context.trace(|| format!("  SMSC: bind on {id}: {verdict:?}"));
                if let Some(status) = verdict {
                    let due = context.now + span(&mut context.rng, 0, self.behaviour.smsc_delay);
                    let to = match reply {
                        Some(reply) => ReplyTo::Bind(reply, status),
                        None => ReplyTo::Decision(status),
                    };
                    self.answers.push(ScheduledAnswer { due, connection: id, to });
                }
            }
            Inbound::Request(Request::SubmitSm(message, reply)) => {
                let reply = MessageReply::SubmitSm(reply);
                self.submitted(
                    context,
                    messages,
                    id,
                    Pdu::SubmitSm(message),
                    message.registered_delivery,
                    reply,
                );
            }
            Inbound::Request(Request::DataSm(message, reply)) => {
                let reply = MessageReply::DataSm(reply);
                self.submitted(
                    context,
                    messages,
                    id,
                    Pdu::DataSm(message),
                    message.registered_delivery,
                    reply,
                );
            }
            Inbound::Request(Request::SubmitMulti(message, reply)) => {
                let reply = MessageReply::SubmitMulti(reply, Vec::new());
                self.submitted(
                    context,
                    messages,
                    id,
                    Pdu::SubmitMulti(message),
                    message.registered_delivery,
                    reply,
                );
            }
            Inbound::Request(request) => self.requested(context, id, request),
            Inbound::Refused(frame, status) => {
                // The session is unbinding, or the PDU was changed on the way.
                let sequence = frame.header().sequence;
                let Ok((pdu, _)) = frame.into_pdu(Tolerance::LENIENT) else {
                    self.corrupted.check_changed(id, sequence);
                    return;
                };
                self.requested.extend(request_index(&pdu).map(|index| (index, Some(Err(status)))));
                if self.host.is_none()
                    && let Some((message, segment)) = segment_of_pdu(&pdu)
                {
                    self.seen.push(Seen { message, segment, verdict: Verdict::Refused(status) });
                    context.count(|| "SMSC has unbound".into());
                }
            }
            Inbound::Outcome(tag, outcome) => self.delivered(context, messages, (id, tag), outcome),
            Inbound::Closed(reason) => {
                context.trace(|| format!("  SMSC: session {id} closed: {reason:?}"));
                if let CloseReason::Framing(_) = reason {
                    context.count(|| "SMSC session closed, framing".into());
                    self.corrupted.check_up(id);
                }
                self.connections[index].ended = true;
            }
            Inbound::Other => {}
        }
    }

    /// Returns the answer to a bind; `None` if the SMSC does not answer.
    fn bind_result(&mut self, context: &mut Context) -> Option<Result<(), CommandStatus>> {
        // The server counts its binds itself.
        let bound = |connection: &&Connection| connection.side.state().is_some_and(State::is_bound);
        let bound = self.connections.iter().filter(bound).count();
        let accepts = |answer: &&ScheduledAnswer| matches!(answer.to, ReplyTo::Bind(_, Ok(())));
        let answering = self.answers.iter().filter(accepts).count();
        let others = if self.is(Fault::Crowded) { self.max_binds - 1 } else { 0 };
        if self.is(Fault::IgnoresBinds) && context.rng.chance(700) {
            return None;
        }
        Some(if self.is(Fault::WrongPassword) {
            Err(context.rng.pick(&[CommandStatus::RINVPASWD, CommandStatus::RINVSYSID]))
        } else if self.host.is_none() && bound + answering + others >= self.max_binds {
            context.count(|| "SMSC too many binds".into());
            Err(CommandStatus::RALYBND)
        } else if self.is(Fault::RefusesBinds) {
            let all = [CommandStatus::RALYBND, CommandStatus::RBINDFAIL, CommandStatus::RSYSERR];
            Err(context.rng.pick(&all))
        } else {
            Ok(())
        })
    }

    fn submitted(
        &mut self,
        context: &mut Context,
        messages: &Messages,
        connection: ConnectionId,
        pdu: Pdu<'_>,
        registered_delivery: RegisteredDelivery,
        mut reply: MessageReply,
    ) {
        let Some((number, segment)) = segment_of_pdu(&pdu) else { return };
        let before = self.seen.iter().filter(|seen| (seen.message, seen.segment) == (number, segment));
        messages.check_received(number, segment, before.count() + 1);
        let busy = self.is(Fault::Busy) && context.rng.chance(400);
        let drops_answer = self.is(Fault::Forgetful) && context.rng.chance(300);
        let refuses = !self.healthy && context.rng.chance(self.behaviour.smsc_refuses);
        let result = if busy {
            Err(context.rng.pick(&REFUSALS[..3]))
        } else if refuses {
            Err(context.rng.pick(&REFUSALS[3..]))
        } else {
            Ok(self.id_of(number))
        };
        let dropped = drops_answer && context.rng.chance(500);
        let verdict = match &result {
            _ if dropped => Verdict::Dropped,
            Ok((id, _)) => Verdict::Accepted(id.clone().into_bytes()),
            Err(status) => Verdict::Refused(*status),
        };
        context.trace(|| {
            format!(
                "  SMSC: message {number} segment {segment} on {connection}: {result:?}, no answer: {drops_answer}"
            )
        });
        self.seen.push(Seen { message: number, segment, verdict });
        if let Ok(ids) = &result
            && !dropped
        {
            self.store(&ids.0, connection);
            if let MessageReply::SubmitMulti(_, refused) = &mut reply
                && messages.all[number].recipients > 1
            {
                *refused = self.accept_recipients(context, number, ids, registered_delivery);
            } else if self.deliveries.has_one_receipt() {
                self.schedule_one_receipt(context, messages, (number, segment), ids, registered_delivery);
            } else if !registered_delivery.is_empty() {
                self.schedule_receipts(context, (number, segment), ids, registered_delivery);
            }
        }
        if drops_answer {
            // The SMSC never answers: the reply token is dropped.
            let _ = reply;
            context.count(|| format!("SMSC drops {}", if dropped { "the message" } else { "the answer" }));
            return;
        }
        let due = context.now + span(&mut context.rng, 0, self.behaviour.smsc_delay);
        let to = ReplyTo::Message(reply, result.map(|(id, _)| id), context.rng.chance(300));
        self.answers.push(ScheduledAnswer { due, connection, to });
    }

    fn answer(&mut self, context: &mut Context) -> bool {
        let mut moved = false;
        while let Some(index) = self.answers.iter().position(|answer| answer.due <= context.now) {
            let ScheduledAnswer { connection, to, .. } = self.answers.swap_remove(index);
            moved = true;
            let flapping = self.is(Fault::Flapping);
            let is_crowded = self.is(Fault::Crowded);
            let Self { connections, host, .. } = self;
            let Some(connection) = connections.iter_mut().find(|other| other.id == connection) else {
                continue;
            };
            let is_accepted = matches!(to, ReplyTo::Bind(_, Ok(())) | ReplyTo::Decision(Ok(())));
            match (&mut connection.side, host.as_deref_mut()) {
                (Side::Scripted(session), _) => {
                    // If the session has ended, the answer is lost.
                    let _ = to.answer(&mut **session);
                }
                (Side::Server(Some(id)), Some(host)) => host.answer(context, *id, to, is_crowded),
                _ => continue,
            }
            if is_accepted && flapping {
                connection.side.unbind(host.as_deref_mut(), context.now);
            }
        }
        moved
    }

    fn delivered(
        &mut self,
        context: &mut Context,
        messages: &Messages,
        (connection, index): (ConnectionId, usize),
        outcome: Outcome<'_>,
    ) {
        context.trace(|| format!("  SMSC: delivery {index} on {connection}: {outcome:?}"));
        if let Outcome::Refused { status: CommandStatus::RX_T_APPN, .. } = outcome {
            self.deliveries.check_refused(index);
        }
        let result = match outcome {
            Outcome::Accepted(_) => Some(true),
            Outcome::Refused { .. } => Some(false),
            _ => None,
        };
        self.end_delivery(context, messages, index, result);
    }

    /// A delivery was accepted, refused, or has got no response. It may be delivered again.
    fn end_delivery(
        &mut self,
        context: &mut Context,
        messages: &Messages,
        index: usize,
        result: Option<bool>,
    ) {
        self.deliveries.in_flight -= 1;
        let again = match result {
            Some(true) => {
                self.deliveries.check_acknowledged(context.now, index, messages);
                context.count(|| "delivery accepted".into());
                !self.healthy && context.rng.chance(self.behaviour.repeats)
            }
            Some(false) => {
                context.count(|| "delivery refused".into());
                true
            }
            None => {
                context.count(|| "delivery without answer".into());
                true
            }
        };
        if again {
            let wait = span(&mut context.rng, 1, self.behaviour.retry);
            self.deliveries.queue.insert((context.now + wait, index));
        }
    }
}
