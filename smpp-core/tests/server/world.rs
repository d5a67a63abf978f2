//! The simulation: the server, its adapter, the application and the clients in simulated time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv6Addr, SocketAddr};

use smpp_proto::Tolerance;
use smpp_proto::server::{
    Action, ConnectionId, DeliveryOutcome, Event, Inbound, ProxyHeaderError, RejectReason, Server,
};
use smpp_proto::session::Instant;

use super::application::{Application, Done};
use super::client::Client;
use super::deliveries::Deliveries;
use super::harness::rng::Rng;
use super::harness::{Coverage, Recorder, Verbosity, span, ticks};
use super::model::{Model, Phase};
use super::scenario::Scenario;

struct World {
    rng: Rng,
    recorder: Recorder,
    now: Instant,
    scenario: Scenario,
    server: Server<()>,
    model: Model,
    application: Application,
    deliveries: Deliveries,
    clients: Vec<Client>,
    /// The connections that the adapter has to look at.
    touched: BTreeSet<ConnectionId>,
    /// When the timers of the connections are due, as the adapter knows it.
    deadlines: BTreeMap<ConnectionId, Instant>,
    /// When the adapter has closed the connections that are being closed.
    closes: Vec<(Instant, ConnectionId)>,
    /// When the PROXY protocol header of a connection is complete, and the address of the client in it; `None` if it is no
    /// valid header. The connection is not read before.
    headers: BTreeMap<ConnectionId, Header>,
    /// The last port of the proxy.
    last_port: u16,
    to_connect: usize,
    next_client: Instant,
    /// How often the limits were checked.
    checks: usize,
    /// Until when the server has to be closed.
    shutdown: Option<Instant>,
}

/// Runs the scenario of `seed`, panics if a check fails, and returns what happened.
pub(crate) fn simulate(seed: u64, verbosity: Verbosity) -> Coverage {
    let mut rng = Rng::new(seed);
    let scenario = Scenario::new(&mut rng);
    if verbosity == Verbosity::Steps {
        eprintln!("{scenario:#?}");
    }
    let mut world = World {
        rng,
        recorder: Recorder::new(verbosity),
        now: Instant::ZERO,
        server: Server::new(scenario.options.clone()),
        model: Model::default(),
        application: Application::new(),
        deliveries: Deliveries::default(),
        clients: Vec::new(),
        touched: BTreeSet::new(),
        deadlines: BTreeMap::new(),
        closes: Vec::new(),
        headers: BTreeMap::new(),
        last_port: 0,
        to_connect: scenario.clients,
        next_client: Instant::ZERO,
        checks: 0,
        shutdown: None,
        scenario,
    };
    world.run();
    world.recorder.coverage
}

impl World {
    fn run(&mut self) {
        let mut steps = 0;
        let early = self.scenario.early_shutdown.map(|after| Instant::ZERO + after);
        let mut is_shut_down = false;
        while !self.model.is_closed {
            self.settle();
            let is_over = self.to_connect == 0 && self.now > self.next_client + ticks(500);
            if !is_shut_down && (is_over || early.is_some_and(|at| at <= self.now)) {
                is_shut_down = true;
                self.model.has_shut_down = true;
                self.recorder.print(self.now, || "shutdown".into());
                self.shutdown = Some(self.now + self.scenario.shutdown_timeout);
                self.server.shutdown(self.now, self.scenario.shutdown_timeout);
                self.after(None);
                continue;
            }
            let next = self.next(if is_shut_down { None } else { early });
            assert!(next > self.now, "the time does not advance");
            self.now = next;
            steps += 1;
            assert!(steps < 400_000, "too many steps");
            if let Some(deadline) = self.shutdown.filter(|_| !self.model.is_closed) {
                let late = self.scenario.lateness + ticks(2);
                assert!(self.now <= deadline + late, "the server is not closed in time");
            }
        }
        // The adapter closes what is left.
        self.now = self.now + ticks(100);
        self.settle();
        let stats = self.server.stats();
        assert_eq!((stats.bound, stats.unbound, stats.closing, stats.unbound_octets), (0, 0, 0, 0));
        assert_eq!((stats.accounts, stats.deliveries, stats.delivery_octets), (0, 0, 0), "leaked");
        assert_eq!(self.server.poll_timeout(), None, "no timer runs after Closed");
        assert_eq!(self.deliveries.open, 0, "deliveries without an outcome");
        let counters = stats.counters;
        assert_eq!(counters.connected, counters.not_bound + counters.ended);
        assert_eq!(counters.bound, counters.ended);
    }

    /// Returns when something is due next.
    fn next(&self, shutdown: Option<Instant>) -> Instant {
        let late = self.scenario.lateness;
        let timers = self.deadlines.values().copied().chain(self.server.poll_timeout()).map(|at| at + late);
        let clients =
            self.clients.iter().flat_map(|client| self.server_due(client).into_iter().chain(client.due()));
        let connect = (self.to_connect > 0).then_some(self.next_client);
        let closes = self.closes.iter().map(|(at, _)| *at);
        let headers = self.headers.values().map(|(at, _)| *at);
        let soon = self.now + ticks(50);
        let next = timers
            .chain(clients)
            .chain(connect)
            .chain(closes)
            .chain(headers)
            .chain(shutdown)
            .chain(self.application.due())
            .chain([soon])
            .min();
        next.filter(|at| *at > self.now).unwrap_or(self.now + ticks(1))
    }

    /// Returns when something from the client arrives that the server reads.
    fn server_due(&self, client: &Client) -> Option<Instant> {
        if self.headers.contains_key(&client.connection) { client.up.end() } else { client.server_due() }
    }

    /// Runs until nothing is left to do at this time.
    fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 5_000, "too many rounds at one time");
            let mut moved = self.connect() | self.identify();
            while let Some(Done { connection }) = self.application.step(
                &mut self.rng,
                &mut self.recorder,
                (self.now, &self.scenario),
                &mut self.server,
                &mut self.deliveries,
            ) {
                moved = true;
                self.after(connection);
            }
            for index in 0..self.clients.len() {
                let client = &mut self.clients[index];
                let is_due = client.server_due().into_iter().chain(client.due()).any(|at| at <= self.now);
                let is_busy = client.has_octets() || self.touched.contains(&client.connection);
                if !is_due && !is_busy {
                    continue;
                }
                moved |= self.serve(index);
                let client = &mut self.clients[index];
                moved |= client.step(&mut self.rng, self.now, &self.scenario, &mut self.deliveries);
            }
            moved |= self.close();
            self.clients.retain(|client| !client.is_done || !client.is_closed_by_server);
            if !moved && !self.run_timers() {
                break;
            }
        }
        for client in self.clients.iter().filter(|client| !client.is_closed_by_server) {
            let connection = client.connection;
            let is_waiting = !client.server_output.is_empty() || !self.server.wants_transmit(connection);
            assert!(is_waiting, "{connection} has output, and the adapter does not know");
            let deadline = self.server.poll_connection_timeout(connection).map(|(at, _)| at);
            let known = self.deadlines.get(&connection).copied();
            assert!(
                known.is_some_and(|known| deadline.is_none_or(|at| known <= at || at <= self.now))
                    || deadline.is_none(),
                "{connection} has a deadline that the adapter does not know"
            );
        }
    }

    fn connect(&mut self) -> bool {
        if self.to_connect == 0 || self.next_client > self.now {
            return false;
        }
        self.to_connect -= 1;
        self.next_client = self.now + span(&mut self.rng, 0, self.scenario.connect_pause);
        let number = self.rng.index(self.scenario.addresses) as u16;
        let address = if self.rng.chance(500) {
            SocketAddr::from(([192, 0, 2, number as u8], 40_000))
        } else {
            // A network of addresses.
            let host = self.rng.next() as u16;
            SocketAddr::from((Ipv6Addr::new(0x2001, 0xdb8, 0, number, 0, 0, 0, host), 40_000))
        };
        let (now, config) = (self.now, self.scenario.config);
        let accepted = if self.rng.chance(self.scenario.proxied) {
            self.last_port += 1;
            let proxy = SocketAddr::from(([10, 0, 0, 1], self.last_port));
            let accepted = self.server.accept_proxied(now, proxy, config, ());
            if let Ok(connection) = accepted {
                self.model.accept_proxied(now, connection, proxy);
                let client = (!self.rng.chance(100)).then_some(address);
                let due = now + span(&mut self.rng, 0, self.scenario.header_delay);
                self.headers.insert(connection, (due, client));
            }
            accepted
        } else {
            self.server.accept(now, address, config, ())
        };
        if let Ok(connection) = accepted {
            let client = Client::new(&mut self.rng, self.now, &self.scenario, connection);
            self.recorder.print(self.now, || format!("{connection} is {:?}", client.kind));
            self.clients.push(client);
            self.after(Some(connection));
        } else {
            self.after(None);
        }
        true
    }

    /// Reads the headers of proxies that are complete.
    fn identify(&mut self) -> bool {
        let now = self.now;
        let due = self.headers.iter().find(|(_, (at, _))| *at <= now);
        let Some((&connection, &(_, client))) = due else { return false };
        self.headers.remove(&connection);
        if let Some(client) = client {
            if let Err(reason) = self.server.identify(now, connection, client) {
                self.recorder.count(|| format!("not identified {reason:?}"));
                self.handle_events();
                self.model.reject_proxied(connection);
            }
        } else {
            let reason = RejectReason::ProxyHeader(ProxyHeaderError::Malformed);
            self.server.reject(now, connection, reason);
        }
        self.after(Some(connection));
        true
    }

    /// Moves octets between the server and the connection of a client.
    fn serve(&mut self, index: usize) -> bool {
        let now = self.now;
        let client = &mut self.clients[index];
        let connection = client.connection;
        if client.is_closed_by_server {
            return false;
        }
        let mut moved = false;
        if self.touched.contains(&connection) && client.server_output.is_empty() {
            self.touched.remove(&connection);
            moved = self.server.poll_transmit(connection, &mut client.server_output);
        }
        let (taken, _) = client.down.accept(&mut self.rng, now, &client.server_output);
        client.server_output.drain(..taken);
        if taken > 0 {
            self.server.handle_transmitted(now, connection, taken);
            moved = true;
            self.after(Some(connection));
        }
        let client = &mut self.clients[index];
        let is_identified = !self.headers.contains_key(&connection);
        while is_identified
            && client.up.arrival().is_some_and(|at| at <= now)
            && self.server.wants_input(connection)
        {
            client.server_input.extend(client.up.deliver(&mut self.rng));
            moved = true;
        }
        if !client.server_input.is_empty() && self.server.wants_input(connection) {
            moved |= self.read(index);
            // A call that consumed nothing may have sent a delivery whose time has come: its octets are taken next.
            let is_next = self.clients[index].server_output.is_empty() && self.touched.contains(&connection);
            moved |= is_next && self.server.wants_transmit(connection);
        }
        let client = &mut self.clients[index];
        let is_at_end = client.up.end().is_some_and(|at| at <= now);
        if is_at_end && !client.server_saw_end && !client.is_closed_by_server {
            client.server_saw_end = true;
            if self.rng.chance(300) {
                self.close_now(connection);
            } else {
                self.server.handle_eof(now, connection);
            }
            moved = true;
            self.after(Some(connection));
        }
        moved
    }

    /// Passes the octets that have arrived to the server.
    fn read(&mut self, index: usize) -> bool {
        let now = self.now;
        let connection = self.clients[index].connection;
        let octets = std::mem::take(&mut self.clients[index].server_input);
        let mut input = &octets[..];
        while let Some(inbound) = self.server.handle_input(now, connection, &mut input) {
            let scenario = &self.scenario;
            match inbound {
                Inbound::Bind { bind, .. } => {
                    let model = self.model.connections.get_mut(&connection).unwrap();
                    model.decision = Some(now + scenario.options.decision_timeout);
                    self.application.begin_decision(
                        &mut self.rng,
                        &mut self.recorder,
                        (now, scenario),
                        connection,
                        &bind,
                    );
                }
                Inbound::Request { request, quirks, .. } => {
                    if !quirks.is_empty() {
                        assert_ne!(scenario.tolerance, Some(Tolerance::STRICT), "{quirks:?} is tolerated");
                        self.recorder.count(|| "quirk tolerated".into());
                    }
                    let messages =
                        self.application.handle_request(&mut self.rng, (now, scenario), connection, request);
                    if messages > 1 {
                        self.recorder.count(|| "submit_multi".into());
                    }
                    self.model.record_messages(now, connection, messages, &scenario.limits());
                }
                _ => {}
            }
            self.after(Some(connection));
        }
        self.clients[index].server_input = input.to_vec();
        self.after(Some(connection));
        input.len() < octets.len()
    }

    /// Finishes the closes that are due.
    fn close(&mut self) -> bool {
        let mut moved = false;
        while let Some(index) = self.closes.iter().position(|(at, _)| *at <= self.now) {
            let (_, connection) = self.closes.swap_remove(index);
            self.close_now(connection);
            self.after(None);
            moved = true;
        }
        moved
    }

    fn close_now(&mut self, connection: ConnectionId) {
        let Some(client) = self.clients.iter_mut().find(|client| client.connection == connection) else {
            return;
        };
        if !std::mem::replace(&mut client.is_closed_by_server, true) {
            client.down.finish(self.now);
            self.server.handle_closed(self.now, connection);
            self.handle_events();
            let model = self.model.connections.remove(&connection).unwrap();
            assert_eq!(model.phase, Phase::Ended, "{connection} has no last event");
            self.after(None);
            self.touched.remove(&connection);
            self.deadlines.remove(&connection);
            self.headers.remove(&connection);
        }
    }

    /// Runs the timers that are due, and returns whether there were any.
    fn run_timers(&mut self) -> bool {
        let (now, late) = (self.now, self.scenario.lateness);
        let due: Vec<_> =
            self.deadlines.iter().filter(|(_, at)| **at + late <= now).map(|(id, _)| *id).collect();
        let mut moved = false;
        for connection in due {
            self.deadlines.remove(&connection);
            if self.server.poll_connection_timeout(connection).is_some_and(|(at, _)| at <= now) {
                let before = self.server.poll_connection_timeout(connection);
                self.server.handle_connection_timeout(now, connection);
                // Input that was left over is passed again if the session reads it.
                moved |= self.server.poll_connection_timeout(connection) != before;
            }
            self.after(Some(connection));
        }
        if self.server.poll_timeout().is_some_and(|at| at + late <= now) {
            for round in 0.. {
                assert!(round < 1_000, "a timer stays due");
                self.server.handle_timeout(now);
                self.after(None);
                if self.server.poll_timeout().is_none_or(|at| at > now) {
                    break;
                }
            }
            moved = true;
        }
        moved
    }

    /// Runs after each call: handles events and actions, and checks the limits.
    fn after(&mut self, named: Option<ConnectionId>) {
        let now = self.now;
        self.touched.extend(named);
        self.handle_events();
        while let Some(action) = self.server.poll_action() {
            match action {
                Action::Close { connection } => {
                    // What it has taken and not written never leaves.
                    let closed = self.clients.iter_mut().filter(|client| client.connection == connection);
                    closed.for_each(|client| client.server_output.clear());
                    let due = now + span(&mut self.rng, 0, self.scenario.close_delay);
                    self.closes.push((due, connection));
                }
                Action::Wake { connection } => {
                    self.touched.insert(connection);
                    self.note_deadline(connection);
                }
                _ => {}
            }
        }
        if let Some(connection) = named {
            self.note_deadline(connection);
        }
        self.check();
    }

    fn handle_events(&mut self) {
        let now = self.now;
        while let Some(event) = self.server.poll_event() {
            self.recorder.print(now, || event.to_string());
            self.recorder.count(|| format!("event {}", event.kind()));
            if let Some(what) = self.model.handle(now, &event, &self.scenario.limits()) {
                self.recorder.count(|| what);
            }
            if let Event::Delivery { delivery, key, account, outcome, .. } = event {
                self.recorder.count(|| describe(&outcome));
                let account = account.to_string();
                if self.deliveries.record_outcome(now, (delivery, key), &account, outcome) {
                    self.recorder.count(|| "delivery tried again".into());
                }
            }
        }
    }

    fn note_deadline(&mut self, connection: ConnectionId) {
        match self.server.poll_connection_timeout(connection) {
            Some((at, _)) => self.deadlines.insert(connection, at),
            None => self.deadlines.remove(&connection),
        };
    }

    fn check(&mut self) {
        // With many connections the comparison of each takes long: then not after each step.
        self.checks += 1;
        if self.model.connections.len() < 40 || self.checks.is_multiple_of(64) {
            self.model.check(self.now, &self.server, &self.scenario.limits());
        }
        if self.checks.is_multiple_of(64) {
            let late = self.scenario.lateness + ticks(2);
            self.deliveries.check_deadlines(self.now, self.scenario.config.response_timeout + late + late);
        }
        let limits = &self.scenario.options.deliveries;
        let stats = self.server.stats();
        assert!(stats.delivery_octets <= limits.total_octets, "too many octets of deliveries");
        for account in ["a", "A", "b", "B"] {
            let queued = self.server.registry().deliveries(account.as_bytes());
            let (open, octets) = self.deliveries.open_of(account);
            assert_eq!(queued, open, "deliveries of {account} without an outcome");
            assert!(open <= limits.capacity && octets <= limits.octets, "{account} has too many deliveries");
        }
    }
}

type Header = (Instant, Option<SocketAddr>);

fn describe(outcome: &DeliveryOutcome) -> String {
    let name = match outcome {
        DeliveryOutcome::Accepted(_) => "Accepted".into(),
        DeliveryOutcome::Refused { .. } => "Refused".into(),
        DeliveryOutcome::Nacked(_) => "Nacked".into(),
        DeliveryOutcome::Unanswered(_) => "Unanswered".into(),
        DeliveryOutcome::NeverSent(reason) => {
            let name = format!("{reason:?}");
            format!("NeverSent {}", name.split('(').next().unwrap())
        }
    };
    format!("delivery {name}")
}
