//! Short stories: one account, an SMSC made of sessions, and time that passes when told.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::pdu::BindMode::{Receiver, Transmitter};
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
                    let id = self.submitted.len().to_string();
                    let message_id = COctets::new(id.as_bytes()).unwrap();
                    let response = SubmitSmResp { message_id, ..SubmitSmResp::default() };
                    let result = if status.is_ok() { Ok(response) } else { Err(status) };
                    server.session.respond(reply, result).unwrap();
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

    fn outcomes(&self) -> Vec<(MessageNumber, Outcome)> {
        let outcome = |event: &Event| match event {
            Event::Outcome { message, outcome } => Some((*message, outcome.clone())),
            _ => None,
        };
        self.events.iter().filter_map(outcome).collect()
    }

    fn abouts(&self) -> Vec<(S, Option<About>)> {
        let about = |event: &Event| match event {
            Event::Receipt { receipt, about, .. } => Some((receipt.state, *about)),
            _ => None,
        };
        self.events.iter().filter_map(about).collect()
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn one_bind_finds_the_way_and_the_others_follow_staggered() {
    let mut world = World::new(Options { binds: Binds::Pairs(2), ..options() });
    world.pass(SECOND);
    assert_eq!(world.bound(), 4);
    let starts: Vec<u64> = world.connects.iter().map(|(at, _)| at.as_nanos() / 1_000_000).collect();
    assert_eq!(starts, [0, 200, 400, 600]);
    let modes: Vec<_> = world.account.links().filter_map(|(link, _)| world.account.mode(link)).collect();
    assert_eq!(modes, [Transmitter, Receiver, Transmitter, Receiver]);
}

#[test]
fn a_message_in_parts_is_accepted_and_its_receipts_add_up() {
    let mut world = World::new(Options { binds: Binds::Transceivers(2), ..options() });
    world.pass(SECOND);
    let number = world.send(&"A text that is cut. ".repeat(12));
    world.pass(SECOND);
    let outcomes = world.outcomes();
    assert_eq!(outcomes.len(), 1);
    let ids: Vec<String> = outcomes[0].1.result().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!((outcomes[0].0, ids), (number, vec!["1".to_string(), "2".to_string()]));
    world.receipt(1, "2", "DELIVRD");
    world.receipt(0, "1", "ENROUTE");
    world.receipt(1, "1", "DELIVRD");
    world.receipt(0, "1", "DELIVRD");
    world.receipt(0, "7", "DELIVRD");
    world.settle();
    let about = |part, open, whole| Some(About { message: number, part, parts: 2, open, whole });
    let mut abouts = world.abouts();
    // What comes on the first bind is read first.
    abouts.sort_by_key(|(state, about)| (about.map(|about| about.part), *state != S::ENROUTE));
    assert_eq!(
        abouts,
        [
            (S::DELIVERED, None),
            (S::ENROUTE, about(0, 2, None)),
            (S::DELIVERED, about(0, 1, None)),
            (S::DELIVERED, about(1, 0, Some(S::DELIVERED))),
        ]
    );
}

#[test]
fn refused_credentials_stop_all() {
    let mut world = World::new(Options { binds: Binds::Transceivers(4), ..options() });
    world.bind_status = vec![CommandStatus::RINVPASWD];
    let number = world.send("Hello");
    world.pass(600 * SECOND);
    assert_eq!(world.connects.len(), 1, "no second try");
    assert!(
        world.events.iter().any(|event| matches!(event, Event::Stopped { status: CommandStatus::RINVPASWD }))
    );
    assert_eq!(world.outcomes(), [(number, Outcome { parts: vec![Fate::NeverSent(Unsent::Stopped)] })]);
    assert_eq!(world.account.submit(world.now, &Message::text(&template(), "x")), Err(Unaccepted::Stopped));
}

#[test]
fn a_full_account_is_waited_for_and_every_address_is_tried() {
    let mut world = World::new(Options { binds: Binds::Transceivers(1), ..options() });
    world.addresses = vec![address(1), address(2), address(3)];
    world.dead = vec![address(1), address(2)];
    world.bind_status = vec![CommandStatus::RALYBND; 3];
    world.pass(60 * SECOND);
    assert_eq!(world.bound(), 1);
    assert_eq!(world.connects.len(), 4 * 3);
    let gaps: Vec<Duration> =
        world.connects.windows(4).step_by(3).map(|tries| tries[3].0 - tries[0].0).collect();
    assert!(gaps.iter().zip(1..).all(|(gap, n)| *gap >= SECOND * (1 << n) / 4), "{gaps:?}");
    // The good one is the first from now on.
    world.servers[0].session.abort();
    let link = world.servers[0].link;
    world.account.handle_eof(world.now, link);
    world.pass(5 * SECOND);
    assert_eq!(world.connects.last().map(|(_, address)| *address), Some(address(3)));
    assert_eq!(world.connects.len(), 13);
}

#[test]
fn no_bind_is_faster_than_its_rate_and_all_are_used() {
    let mut world = World::new(Options { binds: Binds::Transceivers(2), ..options() });
    world.pass(SECOND);
    for _ in 0..200 {
        world.send("Hello");
    }
    world.pass(SECOND);
    let of = |world: &World, link| world.submitted.iter().filter(|(on, ..)| *on == link).count();
    let (first, second) = (of(&world, LinkId(0)), of(&world, LinkId(1)));
    assert!((50..=51).contains(&first) && (50..=51).contains(&second), "{first} and {second} in a second");
    world.pass(SECOND);
    assert_eq!(world.outcomes().len(), 200);
}

#[test]
fn throttled_messages_go_again_in_their_order_after_a_pause() {
    let mut world = World::new(options());
    world.pass(SECOND);
    world.submit_status = vec![CommandStatus::RTHROTTLED];
    for text in ["a", "b", "c"] {
        let message = Message::text(&template(), text).in_order();
        world.account.submit(world.now, &message).unwrap();
    }
    world.pass(3 * SECOND);
    let texts: Vec<&str> = world.submitted.iter().map(|(_, _, text)| text.as_str()).collect();
    assert_eq!(texts, ["a", "a", "b", "c"]);
    assert!(world.submitted[1].1 - world.submitted[0].1 >= SECOND);
    assert!(world.outcomes().iter().all(|(_, outcome)| outcome.result().is_ok()));
}

#[test]
fn what_was_sent_and_not_answered_is_told_or_sent_again_as_the_caller_says() {
    for (policy, times) in [(Unanswered::Report, 1), (Unanswered::SendAgain(1), 2)] {
        let mut world = World::new(options());
        world.pass(SECOND);
        world.answers = false;
        let message = Message::text(&template(), "Hello").unanswered(policy);
        world.account.submit(world.now, &message).unwrap();
        world.pass(60 * SECOND);
        assert_eq!(world.submitted.len(), times);
        let outcomes = world.outcomes();
        assert!(
            matches!(outcomes[..], [(_, ref outcome)] if matches!(outcome.parts[..], [Fate::Unanswered(_)]))
        );
    }
}

#[test]
fn a_shutdown_tells_what_is_unresolved() {
    let mut world = World::new(options());
    world.pass(SECOND);
    let accepted = world.send("Hello");
    world.settle();
    world.answers = false;
    let unanswered = world.send("Hello");
    world.pass(SECOND);
    world.account.shutdown(world.now, SECOND);
    assert_eq!(world.account.submit(world.now, &Message::text(&template(), "x")), Err(Unaccepted::ShutDown));
    world.pass(30 * SECOND);
    let Some(Event::Closed { unresolved }) = world.events.last() else { panic!("{:?}", world.events.last()) };
    assert!(
        matches!(unresolved[..], [
        Unresolved::NotAccepted { message, .. },
        Unresolved::NoReceipt { message: other, .. },
    ] if message == unanswered && other == accepted),
        "{unresolved:?}"
    );
    assert!(world.servers.is_empty());
    assert_eq!(world.account.poll_timeout(), None);
    let ended =
        |event: &Event| matches!(event, Event::Link { change: Change::Ended { retry: None, .. }, .. });
    assert!(world.events.iter().any(ended));
}

#[test]
fn a_message_in_parts_comes_whole_from_two_binds_and_is_answered_when_taken() {
    let mut world = World::new(Options { binds: Binds::Transceivers(2), ..options() });
    world.pass(SECOND);
    let text = "A text from a phone. ".repeat(12);
    let parts: Vec<_> = crate::sms::Text::new(&text)
        .segments(crate::sms::ConcatRef::Wide(9))
        .unwrap()
        .submissions(template())
        .collect();
    for (server, part) in parts.iter().enumerate() {
        let submit_sm = part.submit_sm();
        let message = DeliverSm {
            source: submit_sm.destination,
            destination: submit_sm.source,
            esm_class: submit_sm.esm_class,
            data_coding: submit_sm.data_coding,
            short_message: submit_sm.short_message,
            ..DeliverSm::default()
        };
        world.deliver(server, &message);
    }
    world.settle();
    assert_eq!(world.servers.iter().map(|server| server.session.in_flight()).sum::<usize>(), 2);
    let Some(Event::Message { message, ack }) = world.events.pop() else { panic!() };
    assert_eq!(message.text().as_deref(), Some(&text[..]));
    assert_eq!(message.source().digits.as_bytes(), b"6591234567");
    world.account.answer(world.now, ack, Ok(())).unwrap();
    world.settle();
    assert_eq!(world.servers.iter().map(|server| server.session.in_flight()).sum::<usize>(), 0);
}

#[test]
fn an_early_receipt_waits_for_what_was_in_flight_when_it_came_and_no_longer() {
    let mut world = World::new(options());
    world.pass(SECOND);
    world.answers = false;
    let number = world.send("Hello");
    world.settle();
    world.receipt(0, "7", "DELIVRD");
    world.settle();
    assert_eq!(world.abouts(), []);
    // What is sent later does not keep it.
    world.pass(5 * SECOND);
    world.send("Hello");
    world.pass(5 * SECOND);
    assert_eq!(world.outcomes().iter().map(|(number, _)| *number).collect::<Vec<_>>(), [number]);
    assert_eq!(world.abouts(), [(S::DELIVERED, None)]);
}
