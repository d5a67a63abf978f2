//! A server as the SMSC: its adapter and its application, and a model of its limits.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{Ipv6Addr, SocketAddr};
use std::rc::Rc;

use smpp_proto::server::{
    Action, Admission, BindLimits, BindRefusal, ConnectionId as ServerId, DeliverError, Delivery,
    DeliveryOutcome, Event, Inbound as ServerInbound, Server,
};
use smpp_proto::session::{self, CloseReason, Config, Instant, Refusal, Reply, Request};
use smpp_proto::{CommandStatus, Operation};

use super::super::answers::{ReplyTo, Responder};
use super::super::context::Context;
use super::super::harness::{span, ticks};
use super::super::log::ConnectionId;
use super::super::server_model::{Limits, Model, Phase};
use super::server_log::{ServerLog, ServerObserver};
use super::settings::{self, ServerSettings};
use super::side::Inbound;

/// The number of connections that do not belong to the account.
const STRANGER: ConnectionId = ConnectionId::MAX;

/// The account that the binds count for, whatever the case of their system_id.
const ACCOUNT: &[u8] = b"shop";

pub(super) struct ServerHost {
    pub(super) server: Server<ServerObserver>,
    pub(super) settings: ServerSettings,
    config: Config,
    model: Model,
    pub(super) log: Rc<RefCell<ServerLog>>,
    ids: BTreeMap<ServerId, ConnectionId>,
    /// When the adapter has closed the connections that are being closed.
    closes: Vec<(Instant, ServerId)>,
    /// The deliveries that have ended, and that the application has not handled.
    pub(super) ended: Vec<(usize, DeliveryOutcome)>,
    /// The connections of binds that have ended because of their framing.
    pub(super) misframed: Vec<ConnectionId>,
    /// Until when the shutdown has to be finished.
    deadline: Option<Instant>,
    /// Whether the server is not started again after its shutdown.
    is_last: bool,
}

/// Responds to the requests of one connection.
struct OnConnection<'a> {
    server: &'a mut Server<ServerObserver>,
    now: Instant,
    connection: ServerId,
}

impl Responder for OnConnection<'_> {
    fn respond<P: Operation>(
        &mut self,
        reply: Reply<P>,
        result: Result<P::Response<'_>, CommandStatus>,
    ) -> Result<(), Refusal> {
        self.server.respond(self.now, self.connection, reply, result)
    }
}

impl ServerHost {
    pub(super) fn new(settings: ServerSettings) -> Self {
        Self {
            server: Server::new(settings.options.clone()),
            settings,
            config: settings::config(),
            model: Model::default(),
            log: Rc::default(),
            ids: BTreeMap::new(),
            closes: Vec::new(),
            ended: Vec::new(),
            misframed: Vec::new(),
            deadline: None,
            is_last: false,
        }
    }

    /// Accepts a connection: of the account, which has the addresses of one network, or of a stranger.
    pub(super) fn accept(&mut self, context: &mut Context, connection: ConnectionId) -> Option<ServerId> {
        let address = if connection == STRANGER {
            SocketAddr::from(([192, 0, 2, context.rng.next() as u8], 40_000))
        } else {
            let host = context.rng.next() as u16;
            SocketAddr::from((Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host), 40_000))
        };
        let observer = ServerObserver { connection, log: Rc::clone(&self.log) };
        let accepted = self.server.accept(context.now, address, self.config, observer);
        if let Ok(id) = accepted {
            self.ids.insert(id, connection);
        }
        self.handle_events(context);
        accepted.ok()
    }

    /// Others connect, and do not bind.
    pub(super) fn accept_strangers(&mut self, context: &mut Context) {
        for _ in 0..context.rng.count(4) {
            if self.accept(context, STRANGER).is_some() {
                context.count(|| "server: a stranger".into());
            }
        }
    }

    pub(super) fn handle_input<'b>(
        &mut self,
        now: Instant,
        id: ServerId,
        input: &mut &'b [u8],
    ) -> Option<Inbound<'b>> {
        Some(match self.server.handle_input(now, id, input)? {
            ServerInbound::Bind { .. } => {
                let model = self.model.connections.get_mut(&id).expect("it is open");
                model.decision = Some(now + self.settings.options.decision_timeout);
                Inbound::Bind(None)
            }
            ServerInbound::Request { request, frame, .. } => {
                self.log.borrow_mut().record_passed(self.ids[&id], frame.header().sequence);
                let messages = match &request {
                    Request::SubmitSm(..) | Request::DataSm(..) => 1,
                    Request::SubmitMulti(message, _) => message.destinations.iter().count() as u32,
                    _ => 0,
                };
                let limits = limits(&self.settings, &self.config);
                self.model.record_messages(now, id, messages, &limits);
                Inbound::Request(request)
            }
            ServerInbound::Other(session::Event::Refused { frame, status, .. }) => {
                Inbound::Refused(frame, status)
            }
            _ => Inbound::Other,
        })
    }

    /// Responds to a request, or decides on a bind. While others hold the binds of the account, it may have one.
    pub(super) fn answer(&mut self, context: &mut Context, id: ServerId, to: ReplyTo, is_crowded: bool) {
        let now = context.now;
        let ReplyTo::Decision(result) = to else {
            // If the session has ended, the answer is lost.
            let _ = to.answer(&mut OnConnection { server: &mut self.server, now, connection: id });
            return;
        };
        let binds = is_crowded.then_some(BindLimits::total(1));
        let decision = result.map(|()| Admission::default().binds(binds));
        match self.server.decide(now, id, decision) {
            Err(BindRefusal::TooManyBinds) => context.count(|| "SMSC too many binds".into()),
            Err(BindRefusal::Ended) => context.count(|| "server: decision after the end".into()),
            _ => {}
        }
    }

    /// Queues a delivery.
    pub(super) fn deliver(
        &mut self,
        context: &mut Context,
        key: usize,
        delivery: Delivery,
    ) -> Result<(), DeliverError> {
        let mut delivery = delivery.key(key as u64);
        if context.rng.chance(self.settings.at_most_once) {
            delivery = delivery.at_most_once();
        }
        if context.rng.chance(self.settings.only_if_bound) {
            delivery = delivery.only_if_bound();
        }
        let queued = self.server.deliver(context.now, ACCOUNT, delivery);
        if let Err(error) = queued {
            context.count(|| format!("server: delivery not accepted {error:?}"));
        }
        queued.map(drop)
    }

    /// Shuts the server down; it is started again unless it is the last one.
    pub(super) fn shut_down(&mut self, context: &mut Context, is_last: bool) {
        self.is_last |= is_last;
        let timeout = span(&mut context.rng, 0, self.settings.shutdown);
        self.model.has_shut_down = true;
        let deadline = context.now + timeout;
        self.deadline = Some(self.deadline.map_or(deadline, |before| before.min(deadline)));
        self.server.shutdown(context.now, timeout);
    }

    pub(super) fn takes_deliveries(&self) -> bool {
        !self.model.has_shut_down
    }

    pub(super) fn due(&self) -> Option<Instant> {
        let strangers = self.ids.iter().filter(|(_, connection)| **connection == STRANGER);
        let timers = strangers.filter_map(|(id, _)| self.server.poll_connection_timeout(*id));
        let closes = self.closes.iter().map(|(at, _)| *at);
        timers.map(|(at, _)| at).chain(closes).chain(self.server.poll_timeout()).min()
    }

    /// Runs the timers that are not those of a connection of the account. Returns whether there were any.
    pub(super) fn run_timers(&mut self, now: Instant) -> bool {
        let mut moved = false;
        for round in 0.. {
            if self.server.poll_timeout().is_none_or(|at| at > now) {
                break;
            }
            assert!(round < 1_000, "a timer of the server stays due");
            self.server.handle_timeout(now);
            moved = true;
        }
        let is_due =
            |id: &ServerId| self.server.poll_connection_timeout(*id).is_some_and(|(at, _)| at <= now);
        let strangers = self.ids.iter().filter(|(id, connection)| **connection == STRANGER && is_due(id));
        for id in strangers.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.server.handle_connection_timeout(now, id);
            moved = true;
        }
        moved
    }

    /// Returns the next connection that the adapter has closed.
    pub(super) fn next_close(&mut self, now: Instant) -> Option<ServerId> {
        let index = self.closes.iter().position(|(at, _)| *at <= now)?;
        Some(self.closes.swap_remove(index).1)
    }

    /// Reports that a connection is closed.
    pub(super) fn close(&mut self, context: &mut Context, id: ServerId) {
        self.server.handle_closed(context.now, id);
        self.handle_events(context);
        let model = self.model.connections.remove(&id).expect("it was open");
        assert_eq!(model.phase, Phase::Ended, "{id} has no last event");
        self.ids.remove(&id);
        self.closes.retain(|(_, other)| *other != id);
    }

    /// Handles the events and actions of the server.
    pub(super) fn handle_events(&mut self, context: &mut Context) {
        let now = context.now;
        while let Some(event) = self.server.poll_event() {
            context.trace(|| format!("  server: {event}"));
            let limits = limits(&self.settings, &self.config);
            if let Some(what) = self.model.handle(now, &event, &limits) {
                context.count(|| format!("server: {what}"));
            }
            if let Event::Throttled { .. } = event {
                context.count(|| "server: event throttled".into());
            }
            match event {
                Event::Delivery { key, outcome, account, .. } => {
                    assert_eq!(account.as_bytes(), ACCOUNT);
                    self.ended.push((key as usize, outcome));
                }
                Event::Ended { connection, reason, .. } => {
                    if let CloseReason::Framing(_) = reason {
                        self.misframed.push(self.ids[&connection]);
                    }
                    self.log.borrow_mut().record_end(self.ids[&connection]);
                }
                _ => {}
            }
        }
        let Self { ids, model, log, .. } = self;
        let is_open = |(id, connection): (&ServerId, &ConnectionId), which: ConnectionId| {
            *connection == which && model.connections.get(id).is_some_and(|it| it.phase != Phase::Ended)
        };
        log.borrow_mut().check_moved(|which| !ids.iter().any(|each| is_open(each, which)));
        while let Some(action) = self.server.poll_action() {
            if let Action::Close { connection } = action {
                let due = now + span(&mut context.rng, 0, self.settings.close_delay);
                self.closes.push((due, connection));
            }
        }
    }

    /// Starts the server again once it is shut down, and all its connections are closed.
    pub(super) fn restart(&mut self, context: &mut Context) -> bool {
        if !self.model.is_closed || self.is_last || !self.ids.is_empty() {
            return false;
        }
        self.check_empty();
        assert!(self.ended.is_empty());
        context.count(|| "server: started again".into());
        context.trace(|| "  the server starts again".into());
        *self = Self::new(self.settings.clone());
        true
    }

    /// Compares the server with its limits.
    pub(super) fn check(&self, now: Instant, queued: usize) {
        self.model.check(now, &self.server, &limits(&self.settings, &self.config));
        let (stats, bounds) = (self.server.stats(), &self.settings.options.deliveries);
        assert_eq!(stats.deliveries, queued, "deliveries without an outcome");
        assert_eq!(self.server.registry().deliveries(ACCOUNT), queued);
        assert!(queued <= bounds.capacity && stats.delivery_octets <= bounds.octets, "too many deliveries");
        assert!(stats.accounts <= 1);
        if let Some(deadline) = self.deadline.filter(|_| !self.model.is_closed) {
            assert!(now <= deadline + ticks(2), "the server is not closed in time");
        }
    }

    fn check_empty(&self) {
        let stats = self.server.stats();
        assert_eq!((stats.bound, stats.unbound, stats.closing, stats.unbound_octets), (0, 0, 0, 0));
        assert_eq!((stats.accounts, stats.deliveries, stats.delivery_octets), (0, 0, 0), "leaked");
        let counters = stats.counters;
        assert_eq!(counters.connected, counters.not_bound + counters.ended);
        assert_eq!(counters.bound, counters.ended);
    }

    /// Checks that the last server has ended, and has left nothing.
    pub(super) fn check_end(&self) {
        assert!(self.model.is_closed && self.ids.is_empty(), "the server is not closed: {:?}", self.server);
        self.check_empty();
        assert_eq!(self.server.poll_timeout(), None, "no timer runs long after Closed");
    }
}

const fn limits<'a>(settings: &'a ServerSettings, config: &'a Config) -> Limits<'a> {
    let options = &settings.options;
    Limits { options, config, binds: None, account_rate: None, lateness: std::time::Duration::ZERO }
}
