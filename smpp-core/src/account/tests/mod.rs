//! Scenario tests: one account, an SMSC made of sessions, and simulated time.

mod accepted;
mod content;
mod event_router;
mod event_stream;
mod many_links;
mod monitoring;
mod outbox;
mod outbox_restart;
mod phones;
mod queue;
mod receipts;
mod receiving;
mod reconfigure;
mod reconnect;
mod refused;
mod removed_slots;
mod requesting;
mod routes;
mod sending;
mod shape;
mod slices;
mod statuses;
mod tables;
mod whole_pdus;

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::*;
use crate::pdu::{
    BindMode, BindResp, CommandId, CommandStatus, DataSmResp, DeliverSm, Destination, EsmClass,
    MessageState as S, NoBody, QuerySmResp, RegisteredDelivery, ShortMessage, SubmitMultiResp, SubmitSm,
    SubmitSmResp, UnsuccessSme,
};
use crate::provider::Provider;
use crate::session::{self, AcceptedResponse, Config, RefusedResponse, Reply, Request, Session, Smsc};
use crate::time::Instant;
use crate::wire::{COctets, List};

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

/// Returns the outcome of a segment that the SMSC has accepted with this id and no TLVs.
fn accepted(id: &[u8]) -> SegmentOutcome {
    SegmentOutcome::Accepted {
        id: MessageId::new(id),
        bind: BindId::new(LinkId(0), 1),
        response: AcceptedResponse::default(),
    }
}

/// Returns the outcome of a segment that the SMSC has refused with this status and no body.
fn refused(status: CommandStatus) -> SegmentOutcome {
    SegmentOutcome::Refused { status, response: RefusedResponse::default() }
}

/// Returns the match of a receipt of a message without a key: the segment and the number of segments.
const fn receipt_match(
    message: MessageNumber,
    (segment, segments): (u8, u8),
    pending: u8,
    message_state: Option<S>,
) -> ReceiptMatch {
    let destination = ReceiptDestination::Sent;
    ReceiptMatch {
        message,
        key: None,
        destination,
        segment,
        segments,
        pending,
        message_state,
        previous: None,
    }
}

/// The SMSC side of one connection.
struct Server {
    link: LinkId,
    session: Session<Smsc, ()>,
}

/// An account and the SMSC that it binds to.
struct Simulation {
    now: Instant,
    account: Account,
    servers: Vec<Server>,
    /// The addresses of the host's name.
    addresses: Vec<SocketAddr>,
    /// The addresses of the names of endpoints; those of other endpoints are `addresses`.
    hosts: Vec<(&'static str, Vec<SocketAddr>)>,
    /// The addresses at which no server answers.
    unreachable: Vec<SocketAddr>,
    /// The bind requests: connection, octets of the PDU.
    binds: Vec<(LinkId, Vec<u8>)>,
    /// The statuses of the next bind responses; then `ESME_ROK`.
    bind_status: Vec<CommandStatus>,
    /// The statuses of the next `submit_sm_resp`; then `ESME_ROK`.
    submit_status: Vec<CommandStatus>,
    /// The texts that it refuses, and their statuses.
    refused_texts: Vec<(&'static str, CommandStatus)>,
    /// Whether the SMSC answers messages.
    answers: bool,
    /// Whether the SMSC reads nothing and sends nothing.
    mute: bool,
    /// The messages that it has not answered.
    unanswered: Vec<(LinkId, Reply<SubmitSm<'static>>)>,
    /// The submit_multi that it has not answered.
    unanswered_multi: Option<(LinkId, Reply<crate::pdu::SubmitMulti<'static>>)>,
    /// The recipients that it refuses; `None` if it refuses the last of several.
    refused_recipients: Option<Vec<&'static str>>,
    /// The id of each accepted message; a new number for each if `None`.
    id: Option<&'static str>,
    /// The statuses with which the account refused deliveries.
    refusals: Vec<CommandStatus>,
    /// The submitted messages: connection, time, text.
    submitted: Vec<(LinkId, Instant, String)>,
    /// The requests about messages: connection, operation.
    requested: Vec<(LinkId, CommandId)>,
    connects: Vec<(Instant, SocketAddr)>,
    events: Vec<Event>,
    /// Gets all events at once, and the input too if it is `direct`.
    router: Option<EventRouter<&'static str>>,
    direct: bool,
}

impl Simulation {
    fn new(options: Options) -> Self {
        let account = Account::new(options, Instant::ZERO).unwrap();
        Self {
            now: Instant::ZERO,
            account,
            servers: Vec::new(),
            addresses: vec![address(1)],
            hosts: Vec::new(),
            binds: Vec::new(),
            unreachable: Vec::new(),
            bind_status: Vec::new(),
            submit_status: Vec::new(),
            refused_texts: Vec::new(),
            answers: true,
            mute: false,
            unanswered: Vec::new(),
            unanswered_multi: None,
            refused_recipients: None,
            id: None,
            refusals: Vec::new(),
            submitted: Vec::new(),
            requested: Vec::new(),
            connects: Vec::new(),
            events: Vec::new(),
            router: None,
            direct: false,
        }
    }

    /// Moves octets and does actions until nothing is left to do at this time.
    fn settle(&mut self) {
        loop {
            while let Some(event) = self.account.poll_event() {
                match &mut self.router {
                    Some(router) => router.handle_event(self.now, &mut self.account, event),
                    None => self.events.push(event),
                }
            }
            if let Some(action) = self.account.poll_action() {
                self.do_action(action);
            } else if !self.exchange() {
                return;
            }
        }
    }

    fn do_action(&mut self, action: Action) {
        match action {
            Action::Resolve { link } => {
                let host = self.account.endpoint(link).map(|endpoint| endpoint.host.as_str());
                let known = self.hosts.iter().find(|(name, _)| host == Some(*name));
                let addresses = known.map_or(&self.addresses, |(_, addresses)| addresses);
                self.account.handle_resolved(self.now, link, Ok(addresses));
            }
            Action::Connect { link, address } => {
                self.connects.push((self.now, address));
                if self.unreachable.contains(&address) {
                    self.account.handle_connect_failed(
                        self.now,
                        link,
                        ConnectFailure::Network,
                        "Connection refused (os error 111)",
                    );
                } else {
                    let session =
                        Session::new(Config { rate: None, window: 2_000, ..Config::default() }, self.now);
                    self.servers.push(Server { link, session });
                    assert!(self.account.handle_connected(self.now, link, ()));
                }
            }
            Action::Close { link } => {
                self.servers.retain(|server| server.link != link);
                self.account.handle_closed(self.now, link);
            }
        }
    }

    /// Moves octets both ways, and returns whether there were any.
    fn exchange(&mut self) -> bool {
        let mut moved = false;
        for index in 0..self.servers.len() {
            let link = self.servers[index].link;
            let mut octets = Vec::new();
            if self.account.poll_transmit(link, &mut octets) {
                moved = true;
                self.account.handle_transmitted(self.now, link, octets.len());
                if !self.mute {
                    self.serve(index, &octets);
                }
            }
            if self.mute {
                continue;
            }
            let server = &mut self.servers[index];
            let mut octets = Vec::new();
            if server.session.poll_transmit(&mut octets) {
                moved = true;
                server.session.handle_transmitted(octets.len());
                let mut rest = &octets[..];
                match &mut self.router {
                    Some(router) if self.direct => {
                        router.handle_input(self.now, &mut self.account, link, &mut rest);
                    }
                    _ => self.account.handle_input(self.now, link, &mut rest),
                }
                assert!(rest.is_empty());
            }
        }
        moved
    }

    fn serve(&mut self, index: usize, mut octets: &[u8]) {
        while let Some(event) = self.servers[index].session.handle_input(self.now, &mut octets) {
            let server = &mut self.servers[index];
            match event {
                session::Event::Request { request: Request::Bind(_, reply), frame, .. } => {
                    self.binds.push((server.link, frame.octets().to_vec()));
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
                        self.unanswered.push((server.link, reply));
                        continue;
                    }
                    let text = self.submitted.last().map(|(_, _, text)| text.as_str());
                    let refusal = self.refused_texts.iter().find(|(refused, _)| Some(*refused) == text);
                    let status = if let Some((_, status)) = refusal {
                        *status
                    } else if self.submit_status.is_empty() {
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
                session::Event::Request { request, .. } => self.serve_other(index, request),
                session::Event::Outcome { outcome: session::Outcome::Refused { status, .. }, .. } => {
                    self.refusals.push(status);
                }
                _ => {}
            }
        }
    }

    /// Answers another request than a bind and a submit_sm. A submit_multi refuses the last of several recipients.
    fn serve_other(&mut self, index: usize, request: Request<'_>) {
        let server = &mut self.servers[index];
        let status =
            if self.submit_status.is_empty() { CommandStatus::ROK } else { self.submit_status.remove(0) };
        let message_id = COctets::new(b"other-1").unwrap();
        let answered = match request {
            Request::DataSm(message, reply) => {
                self.submitted.push((
                    server.link,
                    self.now,
                    String::from_utf8_lossy(message.text()).into_owned(),
                ));
                let response = DataSmResp { message_id, ..DataSmResp::default() };
                server.session.respond(reply, if status.is_ok() { Ok(response) } else { Err(status) })
            }
            Request::SubmitMulti(message, reply) => {
                self.submitted.push((
                    server.link,
                    self.now,
                    String::from_utf8_lossy(message.text()).into_owned(),
                ));
                if !self.answers {
                    self.unanswered_multi = Some((server.link, reply));
                    return;
                }
                let is_refused = |index: usize, destination: &Destination<'_>| match destination {
                    Destination::Sme(address) => match &self.refused_recipients {
                        Some(refused) => refused.contains(&&*address.digits.to_string()),
                        None => index > 0 && index + 1 == message.destinations.iter().count(),
                    },
                    Destination::DistributionList(_) => false,
                };
                let destinations = message.destinations.iter().enumerate();
                let refused = destinations.filter(|(index, destination)| is_refused(*index, destination));
                let refused: Vec<_> = refused
                    .map(|(_, destination)| destination)
                    .filter_map(|destination| match destination {
                        Destination::Sme(destination) => Some(destination),
                        Destination::DistributionList(_) => None,
                    })
                    .map(|destination| UnsuccessSme {
                        destination,
                        error_status_code: CommandStatus::RINVDSTADR,
                    })
                    .collect();
                let unsuccessful = List::new(&refused).unwrap();
                let response = SubmitMultiResp { message_id, unsuccessful, ..SubmitMultiResp::default() };
                server.session.respond(reply, if status.is_ok() { Ok(response) } else { Err(status) })
            }
            Request::QuerySm(query, reply) => {
                self.requested.push((server.link, CommandId::QUERY_SM));
                if !self.answers {
                    return;
                }
                let response = QuerySmResp {
                    message_id: query.message_id,
                    message_state: S::ENROUTE,
                    ..QuerySmResp::default()
                };
                server.session.respond(reply, if status.is_ok() { Ok(response) } else { Err(status) })
            }
            Request::CancelSm(_, reply) => {
                self.requested.push((server.link, CommandId::CANCEL_SM));
                server.session.respond(reply, if status.is_ok() { Ok(NoBody) } else { Err(status) })
            }
            Request::ReplaceSm(_, reply) => {
                self.requested.push((server.link, CommandId::REPLACE_SM));
                server.session.respond(reply, if status.is_ok() { Ok(NoBody) } else { Err(status) })
            }
            _ => return,
        };
        answered.unwrap();
    }

    /// Advances the time, deadline by deadline.
    fn advance(&mut self, time: Duration) {
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

    /// Answers the oldest message that the SMSC has not answered.
    fn answer_late(&mut self, result: Result<&str, CommandStatus>) {
        let (link, reply) = self.unanswered.remove(0);
        let server = self.servers.iter_mut().find(|server| server.link == link).unwrap();
        let response = |id: &'static [u8]| SubmitSmResp {
            message_id: COctets::new(id).unwrap(),
            ..SubmitSmResp::default()
        };
        let result = result.map(|id| response(String::from(id).leak().as_bytes()));
        server.session.respond(reply, result).unwrap();
        self.settle();
    }

    /// Accepts the submit_multi that the SMSC has not answered, without these recipients.
    fn answer_multi_late(&mut self, refused: &[&str]) {
        let (link, reply) = self.unanswered_multi.take().unwrap();
        let refused: Vec<_> = refused
            .iter()
            .map(|digits| UnsuccessSme {
                destination: crate::Address::international(digits).unwrap(),
                error_status_code: CommandStatus::RINVDSTADR,
            })
            .collect();
        let response = SubmitMultiResp {
            message_id: COctets::new(b"other-1").unwrap(),
            unsuccessful: List::new(&refused).unwrap(),
            ..SubmitMultiResp::default()
        };
        let server = self.servers.iter_mut().find(|server| server.link == link).unwrap();
        server.session.respond(reply, Ok(response)).unwrap();
        self.settle();
    }

    fn late_outcomes(&self) -> Vec<(MessageNumber, u8, SegmentOutcome)> {
        let outcome = |event: &Event| match event {
            Event::LateOutcome { message, segment, outcome, .. } => {
                Some((*message, *segment, outcome.clone()))
            }
            _ => None,
        };
        self.events.iter().filter_map(outcome).collect()
    }

    fn deliver(&mut self, server: usize, message: &DeliverSm<'_>) {
        self.servers[server].session.request(self.now, message, ()).unwrap();
    }

    fn receipt(&mut self, server: usize, id: &str, stat: &str) {
        self.receipt_text(server, &alloc::format!("id:{id} stat:{stat} err:000"));
    }

    fn receipt_text(&mut self, server: usize, text: &str) {
        let message = DeliverSm {
            esm_class: EsmClass::DELIVERY_RECEIPT,
            short_message: ShortMessage::new(text.as_bytes()).unwrap(),
            ..DeliverSm::default()
        };
        self.deliver(server, &message);
    }

    /// Ends the connection of this slot, as if it were lost.
    fn cut(&mut self, link: LinkId) {
        self.servers.retain(|server| server.link != link);
        self.account.handle_disconnect(self.now, link);
    }

    /// Returns the slot, the mode and the last octet of the address of each bind.
    fn bound(&self) -> Vec<(u16, BindMode, u8)> {
        let bound = |(link, state): (LinkId, LinkState)| match state {
            LinkState::Open(SocketAddr::V4(address), session::State::Bound(mode)) => {
                Some((link.0, mode, address.ip().octets()[3]))
            }
            _ => None,
        };
        self.account.links().filter_map(bound).collect()
    }

    fn bound_links(&self) -> usize {
        self.account.links().filter(|(link, _)| self.account.mode(*link).is_some()).count()
    }

    fn outcomes(&self) -> Vec<(MessageNumber, MessageOutcome)> {
        let outcome = |event: &Event| match event {
            Event::Outcome { message, outcome, .. } => Some((*message, outcome.clone())),
            _ => None,
        };
        self.events.iter().filter_map(outcome).collect()
    }

    fn matches(&self) -> Vec<(S, Option<ReceiptMatch>)> {
        let matched = |event: &Event| match event {
            Event::Receipt { receipt, matched, .. } => Some((receipt.state, matched.clone())),
            _ => None,
        };
        self.events.iter().filter_map(matched).collect()
    }
}

const SECOND: Duration = Duration::from_secs(1);
