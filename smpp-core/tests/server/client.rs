//! A client of the server: an ESME, or one that floods the server before it binds.

use smpp_proto::server::ConnectionId;
use smpp_proto::session::{Config, Esme, Event, Instant, Reply, Request, Session, State};
use smpp_proto::{
    Bind, BindMode, COctets, CommandId, CommandStatus, DeliverSm, DeliverSmResp, Destination, List, Password,
    ShortMessage, SubmitMulti, SubmitSm,
};

use super::deliveries::Deliveries;
use super::harness::link::Pipe;
use super::harness::rng::Rng;
use super::harness::span;
use super::scenario::Scenario;

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It binds, submits messages, and accepts deliveries.
    Esme { mode: BindMode, account: &'static str },
    /// It does not bind: it sends these octets, some at a time, and reads nothing.
    Flood(Flood),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flood {
    Nothing,
    /// The beginning of a bind.
    Incomplete,
    /// A PDU that is too large before a bind.
    Large,
    /// Requests that are refused before a bind.
    Refused,
    Junk,
}

const NAMES: [&str; 4] = ["a", "A", "b", "B"];

#[expect(clippy::struct_excessive_bools, reason = "each is independent of the others")]
pub(crate) struct Client {
    pub(crate) kind: Kind,
    pub(crate) connection: ConnectionId,
    session: Session<Esme, ()>,
    /// Towards the server.
    pub(crate) up: Pipe,
    pub(crate) down: Pipe,
    output: Vec<u8>,
    input: Vec<u8>,
    /// What the server has to send, and what it has not read.
    pub(crate) server_output: Vec<u8>,
    pub(crate) server_input: Vec<u8>,
    /// Whether the server has seen the end of the stream.
    pub(crate) server_saw_end: bool,
    /// Whether the server has closed its side.
    pub(crate) is_closed_by_server: bool,
    pub(crate) is_done: bool,
    next_action: Option<Instant>,
    replies: Vec<(Instant, Reply<DeliverSm<'static>>, u32)>,
    misbehaves: bool,
    quits_at: Instant,
}

impl Client {
    pub(crate) fn new(rng: &mut Rng, now: Instant, scenario: &Scenario, connection: ConnectionId) -> Self {
        let kind = if rng.chance(scenario.floods) {
            Kind::Flood(rng.pick(&[
                Flood::Nothing,
                Flood::Incomplete,
                Flood::Large,
                Flood::Refused,
                Flood::Junk,
            ]))
        } else {
            let mode = rng.pick(&[BindMode::Receiver, BindMode::Transmitter, BindMode::Transceiver]);
            Kind::Esme { mode, account: rng.pick(&NAMES) }
        };
        let config = Config::default().window(4).enquire_link_interval(None);
        let mut client = Self {
            kind,
            connection,
            session: Session::new(config, now),
            up: Pipe::new(scenario.way, now),
            down: Pipe::new(scenario.way, now),
            output: Vec::new(),
            input: Vec::new(),
            server_output: Vec::new(),
            server_input: Vec::new(),
            server_saw_end: false,
            is_closed_by_server: false,
            is_done: false,
            next_action: Some(now + span(rng, 0, scenario.client_pause)),
            replies: Vec::new(),
            misbehaves: rng.chance(scenario.misbehaves),
            quits_at: now + span(rng, 10, 3_000),
        };
        match kind {
            Kind::Esme { mode, account } => {
                let password: &[u8] = if rng.chance(100) { b"wrong" } else { b"secret" };
                let bind = Bind {
                    mode,
                    system_id: COctets::new(account.as_bytes()).unwrap(),
                    password: Password::new(password).unwrap(),
                    ..Bind::default()
                };
                client.session.request(now, &bind, ()).unwrap();
            }
            Kind::Flood(flood) => client.output = flood.octets(),
        }
        client
    }

    /// Returns whether the client is bound from its own point of view.
    pub(crate) fn is_bound(&self) -> bool {
        matches!(self.session.state(), State::Bound(_))
    }

    /// Returns when the client does something next.
    pub(crate) fn due(&self) -> Option<Instant> {
        if self.is_done {
            return None;
        }
        let timer = self.session.poll_timeout().map(|(at, _)| at);
        let reply = self.replies.iter().map(|(at, ..)| *at).min();
        let pipes = [self.down.arrival(), self.down.end()];
        [timer, reply, self.next_action, Some(self.quits_at)]
            .into_iter()
            .chain(if matches!(self.kind, Kind::Esme { .. }) { pipes } else { [None, self.down.end()] })
            .flatten()
            .min()
    }

    /// Returns when something from the client arrives at the server.
    pub(crate) fn server_due(&self) -> Option<Instant> {
        let end = self.up.end().filter(|_| !self.server_saw_end);
        [self.up.arrival(), end].into_iter().flatten().filter(|_| !self.is_closed_by_server).min()
    }

    /// Returns whether octets wait on one of the sides.
    pub(crate) fn has_octets(&self) -> bool {
        [&self.output, &self.input, &self.server_output, &self.server_input].iter().any(|it| !it.is_empty())
            || self.session.wants_transmit()
    }

    /// Does what is due. Returns whether it did anything.
    pub(crate) fn step(
        &mut self,
        rng: &mut Rng,
        now: Instant,
        scenario: &Scenario,
        deliveries: &mut Deliveries,
    ) -> bool {
        if self.is_done {
            return false;
        }
        let mut moved = self.carry(rng, now, scenario, deliveries);
        moved |= self.act(rng, now, scenario);
        if self.session.state() == State::Closed || self.down.end().is_some_and(|at| at <= now) {
            while self.session.handle_timeout(now).is_some() {}
            self.end(now);
            return true;
        }
        moved
    }

    fn end(&mut self, now: Instant) {
        self.is_done = true;
        self.up.finish(now);
    }

    fn carry(
        &mut self,
        rng: &mut Rng,
        now: Instant,
        scenario: &Scenario,
        deliveries: &mut Deliveries,
    ) -> bool {
        let mut moved = self.output.is_empty() && self.session.poll_transmit(&mut self.output);
        let is_message = moved && self.output.get(4..8) == Some(&CommandId::SUBMIT_SM.0.to_be_bytes());
        if is_message && rng.chance(scenario.quirks) {
            // A request with a status: a quirk.
            self.output[11] = 1;
        }
        let (taken, _) = self.up.accept(rng, now, &self.output);
        self.output.drain(..taken);
        if let Kind::Flood(_) = self.kind {
            return taken > 0;
        }
        self.session.handle_transmitted(taken);
        moved |= taken > 0;
        while self.down.arrival().is_some_and(|at| at <= now) && self.session.wants_input() {
            self.input.extend(self.down.deliver(rng));
            moved = true;
        }
        let input = std::mem::take(&mut self.input);
        let mut rest = &input[..];
        while let Some(event) =
            self.session.handle_input(now, &mut rest).or_else(|| self.session.handle_timeout(now))
        {
            moved = true;
            if let Event::Request { request: Request::DeliverSm(message, reply), .. } = event {
                let number = u32::from_be_bytes(message.text().try_into().unwrap());
                let Kind::Esme { account, .. } = self.kind else { continue };
                deliveries.record_received(number, account, self.connection, scenario);
                if self.misbehaves && rng.chance(300) {
                    continue;
                }
                self.replies.push((now + span(rng, 0, scenario.client_pause), reply, number));
            }
        }
        self.input = rest.to_vec();
        while let Some(index) = self.replies.iter().position(|(at, ..)| *at <= now) {
            let (_, reply, number) = self.replies.remove(index);
            let status = match rng.chance(scenario.refuses) {
                true if rng.chance(800) => Some(CommandStatus::RX_T_APPN),
                true => Some(CommandStatus::RX_P_APPN),
                false => None,
            };
            let result = status.map_or(Ok(DeliverSmResp::default()), Err);
            if self.session.respond(reply, result).is_ok() {
                deliveries.record_answered(number, status.is_none());
            }
            moved = true;
        }
        moved
    }

    fn act(&mut self, rng: &mut Rng, now: Instant, scenario: &Scenario) -> bool {
        if self.quits_at <= now {
            self.quits_at = Instant::ZERO + std::time::Duration::from_secs(1 << 30);
            match rng.index(3) {
                0 if !self.misbehaves => {}
                1 if self.misbehaves => {
                    self.up.cut(now);
                    self.down.cut(now);
                    self.end(now);
                    return true;
                }
                _ => {
                    self.session.unbind(now);
                    if self.session.state() != State::Bound(BindMode::Transceiver) {
                        // A client without a bind closes the connection.
                        self.quits_at = now + span(rng, 1, 50);
                    }
                    return true;
                }
            }
            // It closes its side, and still reads.
            self.up.finish(now);
            return true;
        }
        if self.next_action.is_none_or(|at| at > now) {
            return false;
        }
        self.next_action = Some(now + span(rng, 1, scenario.client_pause));
        if let Kind::Flood(flood) = self.kind {
            if flood == Flood::Refused && self.output.len() < 1_000 {
                self.output.extend(flood.octets());
            }
            return true;
        }
        if !self.is_bound() {
            return false;
        }
        let address = smpp_proto::Address::international("6591234567").unwrap();
        // Refused in a receiver, if the window is full, and while it unbinds.
        if rng.chance(200) {
            let count = rng.count(4);
            let all = vec![Destination::Sme(address); count];
            let message = SubmitMulti {
                destinations: List::new(&all).unwrap(),
                short_message: ShortMessage::new(b"x").unwrap(),
                ..SubmitMulti::default()
            };
            let _ = self.session.request(now, &message, ());
        } else {
            let message = SubmitSm { destination: address, ..SubmitSm::default() };
            let _ = self.session.request(now, &message, ());
        }
        true
    }
}

impl Flood {
    fn octets(self) -> Vec<u8> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Incomplete => [&[0, 0, 0, 90, 0, 0, 0, 9][..], &[0; 60]].concat(),
            Self::Large => [&[0, 0, 8, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1][..], &[0; 500]].concat(),
            Self::Refused => [0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 1].repeat(5),
            Self::Junk => b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        }
    }
}
