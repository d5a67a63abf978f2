//! Short stories: one account, an SMSC made of sessions, and time that passes when told.

mod deliveries;
mod event_router;
mod links;
mod messages;
mod queue;

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::pdu::{
    BindResp, DeliverSm, EsmClass, MessageState as S, RegisteredDelivery, ShortMessage, SubmitSm,
    SubmitSmResp,
};
use crate::provider::Provider;
use crate::session::{self, Config, Request, Session, Smsc};
use crate::wire::COctets;

const PORT: u16 = 2776;

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], PORT))
}

fn options() -> Options {
    Options::new(Credentials::new("shop", "s3cret"), &Provider::EIGHT_BY_EIGHT)
}

fn template() -> SubmitSm<'static> {
    SubmitSm {
        source: crate::Address::alphanumeric("8x8").unwrap(),
        destination: crate::Address::international("6591234567").unwrap(),
        registered_delivery: RegisteredDelivery::RECEIPT,
        ..SubmitSm::default()
    }
}

/// The SMSC's end of one connection.
struct Server {
    link: LinkId,
    session: Session<Smsc, ()>,
}

/// An account and the SMSC it binds to.
struct World {
    now: Instant,
    account: Account,
    servers: Vec<Server>,
    /// What the host's name resolves to, and which of it nobody answers at.
    addresses: Vec<SocketAddr>,
    dead: Vec<SocketAddr>,
    /// What binds and messages are answered with.
    bind_status: Vec<CommandStatus>,
    submit_status: Vec<CommandStatus>,
    /// Whether messages are answered at all.
    answers: bool,
    /// The id that each is accepted with; a number of its own if none is given.
    id: Option<&'static str>,
    /// What deliveries were refused with.
    refusals: Vec<CommandStatus>,
    /// What was submitted: on which connection, when, the text.
    submitted: Vec<(LinkId, Instant, String)>,
    connects: Vec<(Instant, SocketAddr)>,
    events: Vec<Event>,
}

impl World {
    fn new(options: Options) -> Self {
        let account = Account::new(options, Instant::ZERO).unwrap();
        Self {
            now: Instant::ZERO,
            account,
            servers: Vec::new(),
            addresses: vec![address(1)],
            dead: Vec::new(),
            bind_status: Vec::new(),
            submit_status: Vec::new(),
            answers: true,
            id: None,
            refusals: Vec::new(),
            submitted: Vec::new(),
            connects: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Lets everything happen that can happen now.
    fn settle(&mut self) {
        loop {
            self.events.extend(core::iter::from_fn(|| self.account.poll_event()));
            let action = self.account.poll_action();
            match action {
                Some(Action::Resolve { link }) => {
                    self.account.handle_resolved(self.now, link, &self.addresses);
                }
                Some(Action::Connect { link, address }) => {
                    self.connects.push((self.now, address));
                    if self.dead.contains(&address) {
                        self.account.handle_connect_failed(self.now, link, ConnectFailure::Network);
                    } else {
                        let session = Session::new(Config { rate: None, ..Config::default() }, self.now);
                        self.servers.push(Server { link, session });
                        assert!(self.account.handle_connected(self.now, link, ()));
                    }
                }
                Some(Action::Close { link }) => {
                    self.servers.retain(|server| server.link != link);
                    self.account.handle_closed(self.now, link);
                }
                None if self.exchange() => {}
                None => return,
            }
        }
    }

    /// Moves octets both ways. Whether there were any.
    fn exchange(&mut self) -> bool {
        let mut moved = false;
        for index in 0..self.servers.len() {
            let link = self.servers[index].link;
            let mut octets = Vec::new();
            if self.account.poll_transmit(link, &mut octets) {
                moved = true;
                self.account.handle_transmitted(self.now, link, octets.len());
                self.serve(index, &octets);
            }
            let server = &mut self.servers[index];
            let mut octets = Vec::new();
            if server.session.poll_transmit(&mut octets) {
                moved = true;
                server.session.handle_transmitted(octets.len());
                let mut rest = &octets[..];
                self.account.handle_input(self.now, link, &mut rest);
                assert!(rest.is_empty());
            }
        }
        moved
    }

    fn serve(&mut self, index: usize, mut octets: &[u8]) {
        let server = &mut self.servers[index];
        while let Some(event) = server.session.handle_input(self.now, &mut octets) {
            match event {
                session::Event::Request { request: Request::Bind(_, reply), .. } => {
                    let status = if self.bind_status.is_empty() {
                        CommandStatus::ROK
                    } else {
                        self.bind_status.remove(0)
                    };
                    let result = if status.is_ok() { Ok(BindResp::default()) } else { Err(status) };
                    server.session.respond(reply, result).unwrap();
                }
                session::Event::Request { request: Request::SubmitSm(message, reply), .. } => {
                    let text =
                        Provider::EIGHT_BY_EIGHT.codings.decode(message.data_coding, None, message.text());
                    self.submitted.push((server.link, self.now, text.unwrap_or_default()));
                    if !self.answers {
                        continue;
                    }
                    let status = if self.submit_status.is_empty() {
                        CommandStatus::ROK
                    } else {
                        self.submit_status.remove(0)
                    };
                    let id = self.id.map_or_else(|| self.submitted.len().to_string(), ToString::to_string);
                    let message_id = COctets::new(id.as_bytes()).unwrap();
                    let response = SubmitSmResp { message_id, ..SubmitSmResp::default() };
                    let result = if status.is_ok() { Ok(response) } else { Err(status) };
                    server.session.respond(reply, result).unwrap();
                }
                session::Event::Outcome { outcome: session::Outcome::Refused { status, .. }, .. } => {
                    self.refusals.push(status);
                }
                _ => {}
            }
        }
    }

    /// Time passes, deadline by deadline.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.settle();
            let links: Vec<LinkId> = self.account.links().map(|(link, _)| link).collect();
            let link_at =
                links.iter().filter_map(|link| self.account.poll_link_timeout(*link)).map(|(at, _)| at).min();
            let next = self.account.poll_timeout().into_iter().chain(link_at).min();
            let Some(at) = next.filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            for link in links {
                self.account.handle_link_timeout(self.now, link);
            }
            self.account.handle_timeout(self.now);
        }
        self.now = end;
        self.settle();
    }

    fn send(&mut self, text: &str) -> MessageNumber {
        self.account.submit(self.now, &Message::text(&template(), text)).unwrap()
    }

    fn deliver(&mut self, server: usize, message: &DeliverSm<'_>) {
        self.servers[server].session.request(self.now, message, ()).unwrap();
    }

    fn receipt(&mut self, server: usize, id: &str, stat: &str) {
        let text = alloc::format!("id:{id} stat:{stat} err:000");
        let message = DeliverSm {
            esm_class: EsmClass::DELIVERY_RECEIPT,
            short_message: ShortMessage::new(text.as_bytes()).unwrap(),
            ..DeliverSm::default()
        };
        self.deliver(server, &message);
    }

    fn bound(&self) -> usize {
        self.account.links().filter(|(link, _)| self.account.mode(*link).is_some()).count()
    }

    fn outcomes(&self) -> Vec<(MessageNumber, MessageOutcome)> {
        let outcome = |event: &Event| match event {
            Event::Outcome { message, outcome } => Some((*message, outcome.clone())),
            _ => None,
        };
        self.events.iter().filter_map(outcome).collect()
    }

    fn abouts(&self) -> Vec<(S, Option<ReceiptMatch>)> {
        let about = |event: &Event| match event {
            Event::Receipt { receipt, about, .. } => Some((receipt.state, *about)),
            _ => None,
        };
        self.events.iter().filter_map(about).collect()
    }
}

const SECOND: Duration = Duration::from_secs(1);
