//! Checks the invariants of an account against random inputs of the SMSC, the network, the application and the clock. The
//! fuzz target and the tests of `smpp-proto` share it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use smpp_proto::account::{
    Account, Ack, Action, Backoff, Binds, ConnectFailure, Credentials, Event, LinkId, LinkState, Message,
    MessageKey, MessageNumber, MessageRequest, Options, Priority, ReceiptOptions, RequestNumber,
    SegmentAckMode, SegmentOutcome, Statuses, UnansweredPolicy,
};
use smpp_proto::arbitrary::{self, Unstructured};
use smpp_proto::provider::{Provider, SubmitAction};
use smpp_proto::session::{self, Config, Instant, Rate, Request, Session, Smsc};
use smpp_proto::sms::{ReassemblyLimits, Text};
use smpp_proto::{
    Address, BindResp, COctets, CancelSm, CommandStatus, DataSm, DataSmResp, DeliverSm, Endpoint, EsmClass,
    MessageClass, QuerySm, QuerySmResp, RegisteredDelivery, ReplaceSm, ShortMessage, SubmitSm, SubmitSmResp,
    Tag, Tlv, Tlvs,
};

/// Runs one input: the octets select the options, then the steps. At the end the account is shut down.
pub(crate) fn account(octets: &[u8]) {
    let mut steps = Unstructured::new(octets);
    let Ok(mut run) = Run::new(&mut steps) else { return };
    while !steps.is_empty() && run.step(&mut steps).is_ok() {
        run.check();
    }
    run.finish();
}

/// Returns options with small limits and short times, so that rare paths become common.
fn options(u: &mut Unstructured<'_>) -> arbitrary::Result<Options> {
    let max_binds = u.int_in_range(1..=4)?;
    Ok(Options::new(Credentials::new("shop", "hunter22"), &Provider::UNSTATED)
        .binds(binds(u, max_binds)?)
        .max_binds(max_binds)
        .connect_interval(time(u)?)
        .backoff(Backoff::default().initial(time(u)?).max(time(u)?).reset_after(time(u)?))
        .session(
            Config::default()
                .window(u.int_in_range(1..=3)?)
                .max_unanswered(u.int_in_range(1..=4)?)
                .rate(u.arbitrary::<bool>()?.then_some(Rate::per_second(3)))
                // Zero is no valid option.
                .response_timeout(time(u)?.max(Duration::from_nanos(1)))
                .drain_timeout(time(u)?),
        )
        .queue_capacity(u.int_in_range(1..=8)?)
        .unanswered_policy(*u.choose(&[UnansweredPolicy::Report, UnansweredPolicy::Resend(1)])?)
        .statuses(statuses(u)?)
        .rate(u.arbitrary::<bool>()?.then_some(Rate::per_second(4)))
        .spread_segments(u.arbitrary()?)
        .receipts(
            ReceiptOptions::default()
                .capacity(u.int_in_range(0..=4)?)
                .max_age(time(u)?)
                .early_capacity(u.int_in_range(0..=2)?),
        )
        .reassembly(
            ReassemblyLimits::default()
                .max_messages(2)
                .max_messages_per_sender(u.int_in_range(1..=2)?)
                .max_age(time(u)?)
                .duplicate_window(time(u)?),
        )
        .segment_ack_timeout(time(u)?)
        .segment_ack_mode(*u.choose(&[SegmentAckMode::Adaptive, SegmentAckMode::Strict])?))
}

fn statuses(u: &mut Unstructured<'_>) -> arbitrary::Result<Statuses> {
    let (times, delay) = (u.int_in_range(0..=2)?, time(u)?);
    let actions = [
        SubmitAction::Pause { times, delay },
        SubmitAction::Retry { times, delay },
        SubmitAction::Rebind { times },
        SubmitAction::Refuse,
        SubmitAction::Stop,
    ];
    Ok(Statuses::default()
        .on_submit(CommandStatus::RTHROTTLED, *u.choose(&actions[..4])?)
        .on_submit(CommandStatus::RINVDSTADR, *u.choose(&actions)?))
}

fn binds(u: &mut Unstructured<'_>, max: u16) -> arbitrary::Result<Binds> {
    let pairs = max >= 2 && u.arbitrary()?;
    let first = if pairs {
        Binds::pairs(u.int_in_range(1..=max / 2)?)
    } else {
        Binds::transceivers(u.int_in_range(1..=max)?)
    };
    Ok(match u.int_in_range(0..=7)? {
        0 => Binds::NONE,
        1 => first.at(endpoints(u)?),
        2 if first.count() < max => first.and(Binds::receivers(1).at(endpoints(u)?)),
        3 if first.count() < max => Binds::transmitters(1).at(endpoints(u)?).and(first),
        _ => first,
    })
}

fn endpoints(u: &mut Unstructured<'_>) -> arbitrary::Result<Vec<Endpoint>> {
    let lists: [&[&str]; 4] = [&[], &["a"], &["a", "b"], &["b", "c", "a"]];
    let hosts = *u.choose(&lists)?;
    Ok(hosts.iter().map(|host| Endpoint::plain(*host, 2775)).collect())
}

fn time(u: &mut Unstructured<'_>) -> arbitrary::Result<Duration> {
    Ok(Duration::from_millis(*u.choose(&[1000, 100, 10_000, 1, 0])?))
}

fn address(last: u8) -> SocketAddr {
    ([192, 0, 2, last], 2776).into()
}

/// The SMSC side of a connection.
struct Server {
    session: Session<Smsc, ()>,
    /// Octets in transit to the account.
    octets: VecDeque<u8>,
    /// Octets that have arrived and were not read.
    input: Vec<u8>,
}

struct Run {
    account: Account,
    now: Instant,
    max_binds: usize,
    queue_capacity: usize,
    actions: VecDeque<Action>,
    /// The links that are connecting.
    connecting: HashSet<LinkId>,
    servers: HashMap<LinkId, Server>,
    open: HashSet<MessageNumber>,
    /// The requests about messages without an outcome.
    asked: HashSet<RequestNumber>,
    /// How many message ids the SMSC has given.
    ids: u32,
    /// The texts that the SMSC has received.
    received: HashSet<String>,
    /// The texts of the messages of which the SMSC has received a segment: the source address has their number.
    arrived: HashSet<String>,
    /// The texts of the messages that were handed to a transport.
    handed: HashSet<String>,
    /// The texts that were submitted.
    texts: HashMap<MessageNumber, String>,
    acks: Vec<Ack>,
    messages: u32,
    closed: bool,
}

impl Run {
    fn new(u: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        let options = options(u)?;
        let (max_binds, queue_capacity) = (usize::from(options.max_binds), options.queue_capacity);
        let account = Account::new(options, Instant::ZERO).expect("valid options");
        Ok(Self {
            account,
            now: Instant::ZERO,
            max_binds,
            queue_capacity,
            actions: VecDeque::new(),
            connecting: HashSet::new(),
            servers: HashMap::new(),
            open: HashSet::new(),
            asked: HashSet::new(),
            ids: 0,
            received: HashSet::new(),
            arrived: HashSet::new(),
            handed: HashSet::new(),
            texts: HashMap::new(),
            acks: Vec::new(),
            messages: 0,
            closed: false,
        })
    }

    fn step(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        match u.int_in_range(0..=16)? {
            0 => self.advance(time(u)?),
            1..=3 => self.do_action(u)?,
            4..=6 => self.exchange(u)?,
            7 => self.deliver(u)?,
            8 => self.disturb(u)?,
            9..=11 => self.submit(u)?,
            12 => {
                if let Some(message) = self.open.iter().min().copied() {
                    self.account.cancel(self.now, message);
                }
            }
            13 => match u.int_in_range(0..=3)? {
                0 => self.reconfigure(u)?,
                1 => self.account.resume(self.now),
                _ => {
                    let binds = binds(u, self.account.options().max_binds)?;
                    self.account.set_binds(self.now, binds).expect("within max_binds");
                }
            },
            14 if !self.acks.is_empty() => {
                let ack = self.acks.swap_remove(u.choose_index(self.acks.len())?);
                let result = if u.arbitrary()? { Ok(()) } else { Err(CommandStatus::RX_T_APPN) };
                let _ = self.account.acknowledge(self.now, ack, result);
            }
            15 => self.ask(u)?,
            _ if u.ratio(1, 8)? => self.account.shutdown(self.now, time(u)?),
            _ => {}
        }
        Ok(())
    }

    /// Changes options while the account runs.
    fn reconfigure(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let options = self.account.options().clone();
        let max_binds = u.int_in_range(1..=self.max_binds as u16)?;
        let session = options
            .session
            .window(u.int_in_range(1..=3)?)
            .rate(u.arbitrary::<bool>()?.then_some(Rate::per_second(2)));
        let options = options
            .credentials(Credentials::new("shop", *u.choose(&["hunter22", "hunter23"])?))
            .max_binds(max_binds)
            .binds(binds(u, max_binds)?)
            .endpoints(endpoints(u)?)
            .session(session);
        self.account.reconfigure(self.now, options).expect("valid options");
        Ok(())
    }

    fn advance(&mut self, time: Duration) {
        self.now = self.now + time;
        for link in self.links() {
            self.account.handle_link_timeout(self.now, link);
        }
        self.account.handle_timeout(self.now);
    }

    fn links(&self) -> Vec<LinkId> {
        self.account.links().map(|(link, _)| link).collect()
    }

    /// Does one action of the account.
    fn do_action(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        self.fetch_actions();
        let Some(action) = self.actions.pop_front() else { return Ok(()) };
        match action {
            Action::Resolve { link } => {
                let found: Vec<_> = (0..u.int_in_range(0..=3)?).map(address).collect();
                self.account.handle_resolved(self.now, link, Ok(&found));
            }
            Action::Connect { link, .. } => {
                assert!(!self.servers.contains_key(&link), "the old connection is still open");
                if u.ratio(1, 4)? {
                    self.account.handle_connect_failed(self.now, link, ConnectFailure::Network, "refused");
                    self.connecting.remove(&link);
                } else if self.account.handle_connected(self.now, link, ()) {
                    let session = Session::new(Config::default(), self.now);
                    self.connecting.remove(&link);
                    self.servers.insert(link, Server { session, octets: VecDeque::new(), input: Vec::new() });
                } else {
                    self.close(link);
                }
            }
            Action::Close { link } => self.close(link),
        }
        Ok(())
    }

    fn close(&mut self, link: LinkId) {
        self.servers.remove(&link);
        self.connecting.remove(&link);
        self.account.handle_closed(self.now, link);
    }

    fn fetch_actions(&mut self) {
        while let Some(action) = self.account.poll_action() {
            if let Action::Connect { link, .. } = action {
                self.connecting.insert(link);
            }
            self.actions.push_back(action);
        }
    }

    fn any_server(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<Option<LinkId>> {
        let mut links: Vec<_> = self.servers.keys().copied().collect();
        links.sort();
        Ok(if links.is_empty() { None } else { Some(*u.choose(&links)?) })
    }

    /// Moves octets of one connection both ways; the SMSC answers what it has read.
    fn exchange(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let Some(link) = self.any_server(u)? else { return Ok(()) };
        let mut octets = Vec::new();
        self.account.poll_transmit(link, &mut octets);
        let taken = if u.ratio(1, 8)? { u.int_in_range(0..=octets.len())? } else { octets.len() };
        self.account.handle_transmitted(self.now, link, taken);
        let Some(server) = self.servers.get_mut(&link) else { return Ok(()) };
        server.input.extend_from_slice(&octets[..taken]);
        let input = std::mem::take(&mut server.input);
        let mut rest = &input[..];
        while let Some(event) = server.session.handle_input(self.now, &mut rest) {
            match event {
                session::Event::Request { request: Request::Bind(_, reply), .. } => {
                    let statuses =
                        [CommandStatus::RALYBND, CommandStatus::RBINDFAIL, CommandStatus::RINVPASWD];
                    let result =
                        if u.ratio(1, 4)? { Err(*u.choose(&statuses)?) } else { Ok(BindResp::default()) };
                    let _ = server.session.respond(reply, result);
                }
                session::Event::Request { request: Request::SubmitSm(message, reply), .. } => {
                    let text = String::from_utf8_lossy(message.short_message.as_bytes()).into_owned();
                    self.received.insert(text);
                    self.arrived.insert(format!("message {}", message.source.digits));
                    self.ids += 1;
                    let id = self.ids.to_string();
                    let message_id = COctets::new(id.as_bytes()).expect("a short number");
                    let statuses =
                        [CommandStatus::RTHROTTLED, CommandStatus::RINVDSTADR, CommandStatus::RMSGQFUL];
                    match u.int_in_range(0..=7)? {
                        // The SMSC never answers.
                        0 => {}
                        1..=2 => drop(server.session.respond(reply, Err(*u.choose(&statuses)?))),
                        _ => {
                            let response = SubmitSmResp { message_id, ..SubmitSmResp::default() };
                            let _ = server.session.respond(reply, Ok(response));
                        }
                    }
                }
                session::Event::Request { request: Request::DataSm(message, reply), .. } => {
                    self.received.insert(String::from_utf8_lossy(message.text()).into_owned());
                    self.arrived.insert(format!("message {}", message.source.digits));
                    let message_id = COctets::new(b"data").expect("short");
                    let response = DataSmResp { message_id, ..DataSmResp::default() };
                    let _ = server.session.respond(reply, Ok(response));
                }
                session::Event::Request { request: Request::QuerySm(_, reply), .. } => {
                    let _ = server.session.respond(reply, Ok(QuerySmResp::default()));
                }
                // The SMSC refuses some requests, and does not answer the others.
                session::Event::Request { request, .. } if u.arbitrary()? => {
                    let _ = server.session.refuse(request);
                }
                _ => {}
            }
        }
        server.input = rest.to_vec();
        if taken < octets.len() {
            // The connection fails, and the other octets are lost.
            self.account.handle_eof(self.now, link);
            return Ok(());
        }
        self.deliver_octets(link, u)
    }

    /// Delivers some of the SMSC's octets to the account.
    fn deliver_octets(&mut self, link: LinkId, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let Some(server) = self.servers.get_mut(&link) else { return Ok(()) };
        let mut octets = Vec::new();
        server.session.poll_transmit(&mut octets);
        server.session.handle_transmitted(octets.len());
        server.octets.extend(octets);
        let all = server.octets.len();
        let count = if u.ratio(1, 4)? { u.int_in_range(0..=all)? } else { all };
        let input: Vec<u8> = server.octets.iter().take(count).copied().collect();
        let mut rest = &input[..];
        self.account.handle_input(self.now, link, &mut rest);
        server.octets.drain(..input.len() - rest.len());
        Ok(())
    }

    /// The SMSC delivers a receipt, of a known or an unknown message, or an MO message or segment.
    fn deliver(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let Some(link) = self.any_server(u)? else { return Ok(()) };
        let Some(server) = self.servers.get_mut(&link) else { return Ok(()) };
        let id = u.int_in_range(0..=self.ids + 1)?;
        let state = *u.choose(&["DELIVRD", "ENROUTE", "UNDELIV", "FANCY"])?;
        let receipt = format!("id:{id} stat:{state}");
        let segment = [5, 0, 3, u.int_in_range(0..=1)?, 2, u.int_in_range(1..=3)?, b'x'];
        let (esm_class, octets) = match u.int_in_range(0..=3)? {
            0 => (EsmClass::UDHI, &segment[..]),
            1 => (EsmClass::empty(), &b"Hello"[..]),
            _ => (EsmClass::DELIVERY_RECEIPT, receipt.as_bytes()),
        };
        let short_message = ShortMessage::new(octets).expect("short");
        let message = DeliverSm { esm_class, short_message, ..DeliverSm::default() };
        let _ = server.session.request(self.now, &message, ());
        self.deliver_octets(link, u)
    }

    /// Disturbs a connection: an unbind, its end, octets that are no PDU, or a timeout.
    fn disturb(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let Some(link) = self.any_server(u)? else { return Ok(()) };
        let Some(server) = self.servers.get_mut(&link) else { return Ok(()) };
        match u.int_in_range(0..=3)? {
            0 => server.session.unbind(self.now),
            1 => self.account.handle_eof(self.now, link),
            2 => {
                let length = u.int_in_range(0..=32)?;
                server.octets.extend(u.bytes(length.min(u.len()))?);
            }
            _ => {
                server.session.handle_timeout(self.now);
            }
        }
        self.deliver_octets(link, u)
    }

    fn submit(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        self.messages += 1;
        let number = self.messages.to_string();
        let template = SubmitSm {
            source: Address::international(&number).expect("a number"),
            destination: Address::international(u.choose(&["6591234567", "4471234567"])?).expect("a number"),
            registered_delivery: *u.choose(&[RegisteredDelivery::RECEIPT, RegisteredDelivery::empty()])?,
            ..SubmitSm::default()
        };
        let text = format!("message {number}");
        let payload = [Tlv::new(Tag::MESSAGE_PAYLOAD, text.as_bytes()).expect("short")];
        let data_sm = DataSm {
            source: template.source.into(),
            destination: template.destination.into(),
            registered_delivery: template.registered_delivery,
            tlvs: Tlvs::list(&payload),
            ..DataSm::default()
        };
        let message = match u.int_in_range(0..=5)? {
            0 => Message::text(&template, text.repeat(u.int_in_range(1..=40)?)),
            1 => Message::data_sm(&data_sm),
            2 => Message::prepared(&template, &Text::new(&text)).class(MessageClass::Flash),
            _ => Message::text(&template, &*text),
        };
        let message = message.key(text.as_str()).priority(*u.choose(&[
            Priority::Low,
            Priority::Normal,
            Priority::High,
        ])?);
        let message = if u.ratio(1, 4)? { message.deadline(time(u)?) } else { message };
        let message = if u.ratio(1, 4)? { message.in_order() } else { message };
        if let Ok(number) = self.account.submit(self.now, &message) {
            assert!(self.open.insert(number), "the number was used before");
            self.texts.insert(number, text);
        }
        Ok(())
    }

    /// Sends a request about a message.
    fn ask(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let request = match u.int_in_range(0..=2)? {
            0 => MessageRequest::query_sm(&QuerySm::default()),
            1 => MessageRequest::cancel_sm(&CancelSm::default()),
            _ => MessageRequest::replace_sm(&ReplaceSm::default()),
        };
        if let Ok(number) = self.account.request(self.now, &request.deadline(time(u)?)) {
            assert!(self.asked.insert(number), "the number was used before");
            if u.ratio(1, 4)? {
                self.account.withdraw_request(self.now, number);
            }
        }
        Ok(())
    }

    /// Checks the invariants.
    fn check(&mut self) {
        self.fetch_actions();
        while let Some(event) = self.account.poll_event() {
            assert!(!self.closed, "an event after the end: {event:?}");
            match event {
                Event::HandedToTransport { message, .. } => {
                    assert!(self.open.contains(&message), "handed to a transport after the outcome");
                    self.handed.insert(self.texts[&message].clone());
                }
                Event::Outcome { message, key, outcome, .. } => {
                    assert!(self.open.remove(&message), "a second outcome, or one of an unknown message");
                    let text = &self.texts[&message];
                    assert_eq!(key.as_ref().map(MessageKey::as_bytes), Some(text.as_bytes()));
                    if let [SegmentOutcome::NeverSent(_)] = outcome.segments[..] {
                        assert!(!self.received.contains(text), "{text} was sent");
                    }
                    if let [SegmentOutcome::Accepted { .. }] = outcome.segments[..] {
                        assert!(
                            self.received.iter().any(|received| received.starts_with(text)),
                            "{text} was not sent"
                        );
                    }
                }
                Event::RequestOutcome { request, .. } => {
                    assert!(self.asked.remove(&request), "a second outcome, or one of an unknown request");
                }
                Event::Receipt { matched, ack, .. } => {
                    assert!(
                        matched.is_none_or(|matched| matched.segment < matched.segments
                            && matched.pending <= matched.segments)
                    );
                    self.acks.push(ack);
                }
                Event::Message { ack, .. } => self.acks.push(ack),
                Event::Closed { .. } => self.closed = true,
                _ => {}
            }
        }
        // The events come before the octets.
        assert!(self.arrived.is_subset(&self.handed), "not handed to a transport");
        assert!(self.account.queued() <= self.queue_capacity);
        assert!(self.connecting.len() + self.servers.len() <= self.max_binds);
        let busy = self.account.links().filter(|(_, state)| *state != LinkState::Idle).count();
        assert!(busy <= self.max_binds);
    }

    /// Shuts the account down, and checks that it closes and that every message has an outcome.
    fn finish(&mut self) {
        self.account.shutdown(self.now, Duration::from_secs(1));
        for _ in 0..100 {
            self.check();
            if self.closed {
                assert!(self.open.is_empty(), "messages without an outcome");
                assert!(self.asked.is_empty(), "requests without an outcome");
                assert_eq!(self.account.poll_timeout(), None);
                return;
            }
            let mut no_octets = Unstructured::new(&[]);
            while !self.actions.is_empty() {
                self.do_action(&mut no_octets).expect("an empty input reads as zeros");
                self.fetch_actions();
            }
            for link in self.links() {
                let mut octets = Vec::new();
                self.account.poll_transmit(link, &mut octets);
                self.account.handle_transmitted(self.now, link, octets.len());
            }
            self.advance(Duration::from_secs(1));
        }
        panic!("the account does not close: {:?}", self.account.links().collect::<Vec<_>>());
    }
}
