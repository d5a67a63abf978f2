//! Unit tests of the server.

mod admission;
mod binds;
mod costs;
mod deliveries;
mod ends;
mod order;
mod proxied;
mod requests;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::*;
use crate::pdu::ShortMessage;
use crate::pdu::{Bind, BindMode, CommandStatus, DeliverSm, DeliverSmResp, Operation};
use crate::session::{self, Config, Esme, Instant, Outcome, Request, SentBy, Session, State};
use crate::wire::{COctets, Password, Tolerance};

const TRX: BindMode = BindMode::Transceiver;
const ADDRESS: [u8; 4] = [192, 0, 2, 1];

fn at(millis: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(millis)
}

fn address(text: &str) -> SocketAddr {
    SocketAddr::new(text.parse().unwrap(), 2775)
}

/// An ESME on a connection without latency.
struct Peer {
    connection: ConnectionId,
    session: Session<Esme, &'static str>,
    /// The deliveries that it has not answered.
    held: Vec<(Vec<u8>, session::Reply<DeliverSm<'static>>)>,
    /// How its requests ended.
    outcomes: Vec<(&'static str, Option<CommandStatus>)>,
}

/// What the server has passed to the application.
#[derive(Default)]
struct Application {
    /// The binds that it leaves undecided.
    undecided: bool,
    admission: Admission,
    /// The requests that it has not answered.
    requests: Vec<session::Reply<crate::pdu::SubmitSm<'static>>>,
}

impl Peer {
    fn connect(server: &mut Server, now: Instant, from: [u8; 4]) -> Self {
        Self::connect_with(server, now, SocketAddr::from((from, 4000)), Config::default())
    }

    fn connect_with(server: &mut Server, now: Instant, from: SocketAddr, config: Config) -> Self {
        let connection = server.accept(now, from, config, ()).unwrap();
        let config = Config { enquire_link_interval: None, ..Config::default() };
        let session = Session::new(config, now);
        Self { connection, session, held: Vec::new(), outcomes: Vec::new() }
    }

    /// Connects and binds.
    fn bound(server: &mut Server, application: &mut Application, system_id: &str, mode: BindMode) -> Self {
        let mut peer = Self::connect(server, Instant::ZERO, ADDRESS);
        peer.bind(server, application, system_id, mode);
        peer
    }

    fn bind(
        &mut self,
        server: &mut Server,
        application: &mut Application,
        system_id: &str,
        mode: BindMode,
    ) -> Option<CommandStatus> {
        let bind = Bind {
            mode,
            system_id: COctets::new(system_id.as_bytes()).unwrap(),
            password: Password::new(b"secret").unwrap(),
            ..Bind::default()
        };
        self.request(server, application, &bind, "bind")
    }

    /// Sends a request. Returns the status of the response, if there is one.
    fn request<P: Operation + SentBy<Esme>>(
        &mut self,
        server: &mut Server,
        application: &mut Application,
        operation: &P,
        tag: &'static str,
    ) -> Option<CommandStatus> {
        self.session.request(Instant::ZERO, operation, tag).unwrap();
        let before = self.outcomes.len();
        self.exchange(server, Instant::ZERO, application);
        self.outcomes.get(before).and_then(|(_, status)| *status)
    }

    /// Carries octets until both sides are quiet.
    fn exchange(&mut self, server: &mut Server, now: Instant, application: &mut Application) {
        let (mut up, mut down) = (Vec::new(), Vec::new());
        while self.session.poll_transmit(&mut up) | server.poll_transmit(self.connection, &mut down) {
            self.session.handle_transmitted(up.len());
            server.handle_transmitted(now, self.connection, down.len());
            application.read(server, now, self.connection, &up);
            self.read(now, &down);
            (up, down) = (Vec::new(), Vec::new());
        }
    }

    fn read(&mut self, now: Instant, octets: &[u8]) {
        let mut input = octets;
        while let Some(event) = self.session.handle_input(now, &mut input) {
            match event {
                session::Event::Outcome { tag, outcome, .. } => {
                    let status = match outcome {
                        Outcome::Accepted(_) => Some(CommandStatus::ROK),
                        Outcome::Refused { status, .. } | Outcome::Nacked(status) => Some(status),
                        Outcome::NeverSent(_) | Outcome::Unanswered(_) => None,
                    };
                    self.outcomes.push((tag, status));
                }
                session::Event::Request { request: Request::DeliverSm(message, reply), .. } => {
                    self.held.push((message.text().to_vec(), reply));
                }
                _ => {}
            }
        }
    }

    /// Answers the oldest delivery that it holds.
    fn answer(&mut self, server: &mut Server, application: &mut Application, status: CommandStatus) {
        let (_, reply) = self.held.remove(0);
        let result = if status.is_ok() { Ok(DeliverSmResp::default()) } else { Err(status) };
        self.session.respond(reply, result).unwrap();
        self.exchange(server, Instant::ZERO, application);
    }

    fn texts(&self) -> Vec<&[u8]> {
        self.held.iter().map(|(text, _)| &text[..]).collect()
    }

    fn is_bound(&self) -> bool {
        matches!(self.session.state(), State::Bound(_))
    }
}

impl Application {
    fn read(&mut self, server: &mut Server, now: Instant, connection: ConnectionId, octets: &[u8]) {
        let mut input = octets;
        while let Some(inbound) = server.handle_input(now, connection, &mut input) {
            match inbound {
                Inbound::Bind { bind, .. } if !self.undecided => {
                    let known = bind.password.equals(b"secret");
                    let decision =
                        if known { Ok(self.admission.clone()) } else { Err(CommandStatus::RINVPASWD) };
                    // It may be refused because of a limit.
                    let _ = server.decide(now, connection, decision);
                }
                Inbound::Request { request: Request::SubmitSm(_, reply), .. } => self.requests.push(reply),
                Inbound::Request { request, .. } => server.refuse(now, connection, request).unwrap(),
                _ => {}
            }
        }
    }
}

/// Returns the events as lines.
fn lines(server: &mut Server) -> Vec<String> {
    core::iter::from_fn(|| server.poll_event()).map(|event| event.to_string()).collect()
}

/// Returns the kinds of the events.
fn kinds(server: &mut Server) -> Vec<&'static str> {
    core::iter::from_fn(|| server.poll_event()).map(|event| event.kind()).collect()
}

/// Returns the connections to close.
fn closes(server: &mut Server) -> Vec<ConnectionId> {
    let mut closes = Vec::new();
    while let Some(action) = server.poll_action() {
        if let Action::Close { connection } = action {
            closes.push(connection);
        }
    }
    closes
}

fn delivery(text: &[u8]) -> Delivery {
    let message = DeliverSm { short_message: ShortMessage::new(text).unwrap(), ..DeliverSm::default() };
    Delivery::deliver_sm(&message).key(text.first().copied().unwrap_or_default().into())
}

/// Takes the next delivery, and ends the sender of its bind.
fn assignment(registry: &mut Registry, now: Instant) -> Option<(ConnectionId, DeliveryId)> {
    let connection = registry.poll_sender(now)?;
    let (delivery, _) = registry.take_delivery(connection)?;
    assert!(registry.take_delivery(connection).is_none());
    Some((connection, delivery))
}

/// Returns the keys and outcomes of the deliveries that have ended.
fn outcomes(server: &mut Server) -> Vec<(u64, String)> {
    let mut outcomes = Vec::new();
    while let Some(event) = server.poll_event() {
        if let Event::Delivery { key, outcome, .. } = event {
            outcomes.push((key, outcome.to_string()));
        }
    }
    outcomes
}
