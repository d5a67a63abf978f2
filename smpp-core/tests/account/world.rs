//! The account, its adapter, the application and the SMSC, and what happens when.

use std::net::SocketAddr;

use smpp_core::account::{Account, Action, ConnectFailure, LinkId, LinkState};
use smpp_core::frame;
use smpp_core::session::Instant;

use super::application::Application;
use super::connections::{Doing, Places};
use super::harness::rng::Rng;
use super::harness::{Coverage, Verbosity, span, ticks};
use super::log::{ConnectionId, Log, Said, Spy};
use super::messages::Messages;
use super::scenario::{Fault, Scenario};
use super::scene::Scene;
use super::smsc::Smsc;

pub(crate) struct World {
    pub(crate) scene: Scene,
    pub(crate) scenario: Scenario,
    pub(crate) account: Account<Spy>,
    log: Log,
    links: Vec<LinkId>,
    pub(crate) places: Places,
    pub(crate) messages: Messages,
    pub(crate) smsc: Smsc,
    pub(crate) application: Application,
    /// Faults that are still to come.
    faults: Vec<(Instant, Instant, Fault)>,
    /// What the host's name means.
    addresses: Vec<SocketAddr>,
    connections: ConnectionId,
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 2776))
}

/// Plays the scenario of `seed`, and panics where something is not as it should be. Says what happened.
pub(crate) fn simulate(seed: u64, watch: Verbosity) -> Coverage {
    let mut rng = Rng::new(seed);
    let scenario = Scenario::new(&mut rng);
    if watch == Verbosity::Steps {
        eprintln!("{scenario:#?}");
    }
    let mut world = World::new(scenario, Scene::new(rng, watch));
    world.play();
    world.scene.witness.coverage
}

impl World {
    fn new(scenario: Scenario, scene: Scene) -> Self {
        let account = Account::new(scenario.options.clone(), Instant::ZERO).expect("good options");
        let at = |offset| Instant::ZERO + offset;
        let faults =
            scenario.faults.iter().map(|(begin, lasts, fault)| (at(*begin), at(*begin) + *lasts, *fault));
        Self {
            links: account.links().map(|(link, _)| link).collect(),
            account,
            log: Log::default(),
            places: Places::new(&scenario.options),
            messages: Messages::new(&scenario.options),
            smsc: Smsc::new(&scenario),
            application: Application::new(),
            faults: faults.collect(),
            addresses: vec![address(1)],
            connections: 0,
            scene,
            scenario,
        }
    }

    fn play(&mut self) {
        self.after();
        let active = Instant::ZERO + self.scenario.active;
        if self.scenario.quits {
            let when = Instant::ZERO + span(&mut self.scene.rng, 0, 2000).min(self.scenario.active);
            self.run_until(when);
            self.quit();
        }
        self.run_until(active);
        self.recover();
        let patience = self.scene.now + ticks(60_000);
        while !self.is_quiet() {
            assert!(self.scene.now < patience, "all is well, and something is left to do");
            self.run_until(self.scene.now + ticks(50));
        }
        if self.application.quit.is_none() {
            self.submit_at_last();
        }
        if self.application.quit.is_none() {
            if self.smsc.deliveries.is_done() {
                self.smsc.deliveries.check_end(&self.messages);
            }
            self.quit();
        }
        while !self.application.closed {
            assert!(self.scene.now < patience + ticks(5000), "it does not close");
            self.run_until(self.scene.now + ticks(50));
        }
        self.run_until(self.scene.now + ticks(2000));
        assert_eq!(self.account.poll_timeout(), None, "it is over");
        assert_eq!((self.account.queued(), self.account.awaited()), (0, 0));
        self.messages.check_end(&self.smsc.seen);
    }

    /// All goes well from now on.
    fn recover(&mut self) {
        self.scene.tell(|| "all is well again".into());
        self.faults.clear();
        self.smsc.recover();
        self.scenario.habits.app_thinks = 0;
        self.addresses = vec![address(1)];
        self.application.acts = None;
    }

    /// When all is well, a message is accepted; if the SMSC is slow, or the connections are, another.
    fn submit_at_last(&mut self) {
        for _ in 0..40 {
            let Some(number) = self.submit() else { continue };
            let index = self.messages.index(number);
            let patience = self.scene.now + ticks(10_000);
            while !self.is_quiet() {
                assert!(self.scene.now < patience, "all is well, and a message has no outcome");
                self.run_until(self.scene.now + ticks(50));
            }
            if self.messages.all[index].outcome.as_ref().is_some_and(|outcome| outcome.result().is_ok()) {
                return;
            }
        }
        assert!(self.application.stopped.is_some(), "no message is accepted when all is well");
    }

    /// Whether nothing is left to do for anyone.
    fn is_quiet(&self) -> bool {
        if self.application.quit.is_some() {
            return self.application.closed;
        }
        let done = self.messages.open_parts() == 0 && !self.application.owes();
        done && (self.application.stopped.is_some() || self.smsc.deliveries.is_done())
    }

    fn run_until(&mut self, end: Instant) {
        let mut steps = 0;
        loop {
            self.settle();
            let Some(next) = self.next().filter(|at| *at <= end) else { break };
            assert!(next > self.scene.now, "time stands still");
            self.scene.now = next;
            steps += 1;
            assert!(steps < 50_000, "too much happens");
        }
        self.scene.now = end;
    }

    /// When something is due next. What is due now has been done.
    fn next(&self) -> Option<Instant> {
        let late = self.scenario.lateness;
        let links = self.links.iter().filter_map(|link| self.account.poll_link_timeout(*link));
        let timers = links.map(|(at, _)| at).chain(self.account.poll_timeout()).map(|at| at + late);
        let places = self.places.all.iter().filter_map(|place| match place.doing {
            Doing::Resolving(due) | Doing::IncomingConnection(_, due) | Doing::Closing(due) => Some(due),
            _ => None,
        });
        let faults = self.faults.first().map(|(at, ..)| *at);
        let next =
            timers.chain(places).chain(self.smsc.due()).chain(self.application.due()).chain(faults).min();
        // What the SMSC cannot do now it can do after another has done something.
        next.map(|at| if at <= self.scene.now { self.scene.now + ticks(1) } else { at })
    }

    /// Everything happens that can happen now.
    fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 3000, "it does not come to rest");
            let mut moved = self.fail();
            moved |= self.adapt();
            for index in 0..self.links.len() {
                moved |= self.carry(index);
            }
            moved |= self.smsc.step(&mut self.scene, &self.messages);
            moved |= self.apply();
            if !moved && !self.wake() {
                return;
            }
        }
    }

    /// Faults begin and end.
    fn fail(&mut self) -> bool {
        let now = self.scene.now;
        let before = self.smsc.faults.len();
        self.smsc.faults.retain(|(until, _)| *until > now);
        let mut moved = before != self.smsc.faults.len();
        if moved {
            self.smsc.heal();
        }
        while let Some((at, until, fault)) = self.faults.first().copied().filter(|(at, ..)| *at <= now) {
            self.faults.remove(0);
            self.scene.tell(|| format!("{fault:?} from {at:?} until {until:?}"));
            self.scene.count(|| format!("fault {fault:?}"));
            self.smsc.faults.push((until, fault));
            if fault == Fault::Renamed {
                let count = self.scene.rng.count(3);
                self.addresses = (0..count).map(|_| address(self.scene.rng.within(1..=4) as u8)).collect();
            }
            self.smsc.fail(&mut self.scene, fault);
            moved = true;
        }
        moved
    }

    /// Timers that are due. Whether there were any.
    fn wake(&mut self) -> bool {
        let (now, late) = (self.scene.now, self.scenario.lateness);
        let mut woken = false;
        for index in 0..self.links.len() {
            let link = self.links[index];
            if self.account.poll_link_timeout(link).is_some_and(|(at, _)| at + late <= now) {
                self.account.handle_link_timeout(now, link);
                self.hear_log();
                if let Doing::Open(connection) = self.places.all[index].doing {
                    self.messages.time_out(now, connection);
                }
                self.after();
                woken = true;
                let again = self.account.poll_link_timeout(link).is_some_and(|(at, _)| at <= now);
                assert!(!again, "a timer of a connection stays due");
            }
        }
        if self.account.poll_timeout().is_some_and(|at| at + late <= now) {
            self.account.handle_timeout(now);
            self.after();
            woken = true;
            let again = self.account.poll_timeout().filter(|at| *at <= now);
            assert_eq!(again, None, "a timer stays due at {now:?}");
        }
        woken
    }

    /// What the adapter was told to do comes to its end.
    fn adapt(&mut self) -> bool {
        let now = self.scene.now;
        let mut moved = false;
        for index in 0..self.links.len() {
            let link = self.links[index];
            match self.places.all[index].doing {
                Doing::Resolving(due) if due <= now => {
                    let addresses = if self.smsc.is(Fault::NoName) { &[][..] } else { &self.addresses[..] };
                    self.places.resolved(now, index, addresses);
                    self.account.handle_resolved(now, link, addresses);
                }
                Doing::IncomingConnection(_, due) if due <= now => self.connected(index),
                Doing::Closing(due) if due <= now => {
                    self.places.all[index].doing = Doing::Between(now);
                    self.account.handle_closed(now, link);
                }
                _ => continue,
            }
            moved = true;
            self.after();
        }
        moved
    }

    fn connected(&mut self, index: usize) {
        let (now, link) = (self.scene.now, self.links[index]);
        if self.smsc.is(Fault::Down) && self.scene.rng.chance(700) {
            self.places.all[index].doing = Doing::Between(now);
            self.account.handle_connect_failed(now, link, ConnectFailure::Network);
            return;
        }
        let connection = self.connections;
        self.connections += 1;
        self.smsc.accept(now, connection);
        self.places.all[index].doing = Doing::Open(connection);
        let spy = Spy { connection, log: self.log.clone() };
        assert!(self.account.handle_connected(now, link, spy), "it is wanted");
    }

    /// Moves octets between the account's session and its connection.
    fn carry(&mut self, index: usize) -> bool {
        let Doing::Open(id) = self.places.all[index].doing else { return false };
        let (now, link) = (self.scene.now, self.links[index]);
        let mut moved = false;
        let connection = self.smsc.connection(id).expect("it is there until both have left");
        if connection.output.is_empty() && self.account.poll_transmit(link, &mut connection.output) {
            moved = true;
        }
        let (taken, _) = connection.up.accept(&mut self.scene.rng, now, &connection.output);
        connection.output.drain(..taken);
        while connection.down.arrival().is_some_and(|at| at <= now) && self.account.wants_input(link) {
            let octets = connection.down.deliver(&mut self.scene.rng);
            connection.unread.extend(octets);
            moved = true;
        }
        let ends = !connection.heard_end && connection.down.end().is_some_and(|at| at <= now);
        connection.heard_end |= ends;
        if taken > 0 {
            self.account.handle_transmitted(now, link, taken);
            self.after();
            moved = true;
        }
        self.read(index, id);
        if ends && self.places.all[index].doing == Doing::Open(id) {
            if self.scene.rng.chance(300) {
                // The adapter is done with it without being asked.
                self.leave(id);
                self.places.all[index].doing = Doing::Between(now);
                self.account.handle_closed(now, link);
            } else {
                self.account.handle_eof(now, link);
            }
            self.after();
            moved = true;
        }
        moved
    }

    /// The account reads what has arrived.
    fn read(&mut self, index: usize, id: ConnectionId) {
        let (now, link) = (self.scene.now, self.links[index]);
        let Some(connection) = self.smsc.connection(id) else { return };
        let unread = std::mem::take(&mut connection.unread);
        let mut input = &unread[..];
        while self.scenario.piecewise
            && self.places.all[index].doing == Doing::Open(id)
            && let Ok(Some((frame, rest))) = frame::split(input, 70_000)
        {
            let mut one = frame.into_inner();
            self.account.handle_input(now, link, &mut one);
            self.after();
            if !one.is_empty() {
                // It does not want to read now.
                break;
            }
            input = rest;
        }
        if !self.scenario.piecewise && !input.is_empty() {
            self.account.handle_input(now, link, &mut input);
            self.after();
        }
        if let Some(connection) = self.smsc.connection(id) {
            connection.unread = input.to_vec();
        }
    }

    fn leave(&mut self, id: ConnectionId) {
        let now = self.scene.now;
        if let Some(connection) = self.smsc.connection(id) {
            connection.left = true;
            connection.up.finish(now);
        }
    }

    /// What was sent and heard is told to the models.
    pub(crate) fn hear_log(&mut self) {
        let lines = std::mem::take(&mut *self.log.borrow_mut());
        let alive = self.alive();
        for line in lines {
            if matches!(line.what, Said::Submits { .. }) {
                // All that was heard has been.
                self.messages.doubt(&alive);
            }
            self.scene.tell(|| format!("on {}: {:?}", line.connection, line.what));
            self.messages.hear(&line, &alive);
            if let Said::Delivered { delivery: Some(delivery) } = line.what {
                self.smsc.deliveries.arrives(self.scene.now, delivery);
            }
        }
        self.messages.doubt(&alive);
    }

    /// The connections whose sessions are not over.
    fn alive(&self) -> Vec<ConnectionId> {
        let places = self.account.links().zip(&self.places.all);
        let open = places.filter_map(|((_, state), place)| match (state, place.doing) {
            (LinkState::Open(..), Doing::Open(connection)) => Some(connection),
            _ => None,
        });
        open.collect()
    }

    /// After each call: what the account wants and tells, and whether it keeps its bounds.
    pub(crate) fn after(&mut self) {
        self.hear_log();
        let now = self.scene.now;
        while let Some(event) = self.account.poll_event() {
            self.hear(event);
        }
        while let Some(action) = self.account.poll_action() {
            self.scene.tell(|| format!("the account wants {action:?}"));
            let due = now + span(&mut self.scene.rng, 0, self.scenario.habits.adapter);
            match action {
                Action::Resolve { link } => self.places.resolve(now, link.index(), due),
                Action::Connect { link, address } => self.places.connect(now, link.index(), address, due),
                Action::Close { link } => {
                    if let Some(connection) = self.places.close(link.index(), due) {
                        self.leave(connection);
                    }
                }
            }
        }
        let options = &self.scenario.options;
        assert!(self.account.queued() <= options.queue_capacity, "more waits than may");
        assert!(self.account.queued() <= self.messages.open_parts(), "what has its fate does not wait");
        assert!(self.account.awaited() <= options.receipts.capacity, "more receipts are awaited than may be");
    }
}
