//! The simulation: the account, its adapter, the application and the SMSC in simulated time.

use std::net::SocketAddr;

use smpp_proto::account::{Account, Action, ConnectFailure, LinkId, LinkState};
use smpp_proto::provider::SubmitAction;
use smpp_proto::session::{Instant, State, Timer};
use smpp_proto::{CommandStatus, frame};

use super::application::Application;
use super::context::Context;
use super::events::EventModel;
use super::expected::ExpectedMessages;
use super::harness::rng::Rng;
use super::harness::{Coverage, Verbosity, span, ticks};
use super::log::{ConnectionId, Log, LogObserver, LoggedPdu};
use super::messages::Messages;
use super::requests::Requests;
use super::scenario::{Fault, REFUSALS, Scenario};
use super::slots::{Host, SlotState, Slots};
use super::smsc::Smsc;

pub(crate) struct AccountSimulation {
    pub(crate) context: Context,
    pub(crate) scenario: Scenario,
    pub(crate) account: Account<LogObserver>,
    log: Log,
    links: Vec<LinkId>,
    pub(crate) slots: Slots,
    pub(crate) messages: Messages,
    pub(crate) events: EventModel,
    pub(crate) requests: Requests,
    pub(crate) expected: ExpectedMessages,
    pub(crate) smsc: Smsc,
    pub(crate) application: Application,
    /// The faults that have not begun yet.
    faults: Vec<(Instant, Instant, Fault)>,
    /// The addresses of the host's name.
    addresses: Vec<SocketAddr>,
    connections: ConnectionId,
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 2776))
}

/// Returns the addresses of a host: each host has its own.
fn addresses_of(host: &Host, addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let octet = host.as_ref().map_or(2, |host| host.as_bytes()[0]);
    let own = |address: &SocketAddr| match address {
        SocketAddr::V4(v4) => SocketAddr::from(([192, 0, octet, v4.ip().octets()[3]], v4.port())),
        SocketAddr::V6(_) => *address,
    };
    addresses.iter().map(own).collect()
}

/// Runs the scenario of `seed`, panics if a check fails, and returns what happened.
pub(crate) fn simulate(seed: u64, verbosity: Verbosity) -> Coverage {
    let mut rng = Rng::new(seed);
    let scenario = Scenario::new(&mut rng);
    if verbosity == Verbosity::Steps {
        eprintln!("{scenario:#?}");
    }
    let mut simulation = AccountSimulation::new(scenario, Context::new(rng, verbosity));
    simulation.run();
    simulation.context.recorder.coverage
}

impl AccountSimulation {
    fn new(scenario: Scenario, context: Context) -> Self {
        let account = Account::new(scenario.options.clone(), Instant::ZERO).expect("good options");
        let at = |offset| Instant::ZERO + offset;
        let faults =
            scenario.faults.iter().map(|(begin, lasts, fault)| (at(*begin), at(*begin) + *lasts, *fault));
        Self {
            links: account.links().map(|(link, _)| link).collect(),
            account,
            log: Log::default(),
            slots: Slots::new(&scenario.options),
            messages: Messages::new(&scenario.options),
            events: EventModel::new(&scenario.options),
            requests: Requests::default(),
            expected: ExpectedMessages::new(),
            smsc: Smsc::new(&scenario),
            application: Application::new(),
            faults: faults.collect(),
            addresses: vec![address(1)],
            connections: 0,
            context,
            scenario,
        }
    }

    fn run(&mut self) {
        self.expect_earlier();
        self.after();
        let active = Instant::ZERO + self.scenario.active;
        if self.scenario.shuts_down_early {
            let when = Instant::ZERO + span(&mut self.context.rng, 0, 2000).min(self.scenario.active);
            self.run_until(when);
            self.shut_down();
        }
        self.run_until(active);
        self.recover();
        let limit = self.context.now + ticks(60_000);
        while !self.is_quiet() {
            assert!(self.context.now < limit, "work is left long after the faults ended");
            self.run_until(self.context.now + ticks(50));
        }
        if self.application.shutdown.is_none() {
            self.submit_after_recovery();
        }
        if self.application.shutdown.is_none() && self.application.stopped.is_none() {
            let limit = self.context.now + ticks(10_000);
            while !self.slots.has_all_binds() {
                assert!(self.context.now < limit, "binds are missing long after the faults ended");
                self.run_until(self.context.now + ticks(50));
            }
        }
        if self.application.shutdown.is_none() {
            if self.smsc.deliveries.is_done() {
                self.smsc.deliveries.check_end(&self.messages);
            }
            self.shut_down();
        }
        while !self.application.closed {
            assert!(self.context.now < limit + ticks(5000), "the account does not close");
            self.run_until(self.context.now + ticks(50));
        }
        self.smsc.shut_down(&mut self.context);
        self.run_until(self.context.now + ticks(2000));
        self.smsc.check_end();
        assert_eq!(self.account.poll_timeout(), None, "no timer runs after Closed");
        let account = &self.account;
        assert_eq!((account.queued(), account.pending_receipts(), account.tracked_receipts()), (0, 0, 0));
        self.messages.check_end(&self.smsc.seen);
        self.events.check_end(&self.account.stats(), &self.smsc.seen);
        self.smsc.deliveries.check_floods();
        self.requests.check_end();
    }

    /// Ends all faults.
    fn recover(&mut self) {
        self.context.trace(|| "all faults end".into());
        self.faults.clear();
        self.smsc.recover();
        self.scenario.behaviour.app_delay = 0;
        self.addresses = vec![address(1)];
        self.application.next_action = None;
        if self.application.shutdown.is_none() {
            if self.context.rng.chance(500) {
                self.resume();
            }
            self.restore_binds();
        }
    }

    /// Checks that a message is accepted after the faults. A slow SMSC or connection may fail some attempts.
    fn submit_after_recovery(&mut self) {
        for _ in 0..40 {
            let Some(number) = self.submit() else { continue };
            let index = self.messages.index(number);
            let limit = self.context.now + ticks(10_000);
            while !self.is_quiet() {
                assert!(self.context.now < limit, "a message has no outcome long after the faults ended");
                self.run_until(self.context.now + ticks(50));
            }
            if self.messages.all[index].outcome.as_ref().is_some_and(|outcome| outcome.result().is_ok()) {
                return;
            }
        }
        assert!(self.application.stopped.is_some(), "no message is accepted after the faults ended");
    }

    /// Returns whether nothing is left to do.
    fn is_quiet(&self) -> bool {
        if self.application.shutdown.is_some() {
            return self.application.closed;
        }
        let done = self.messages.open_segments() == 0
            && self.requests.pending() == 0
            && !self.application.has_pending_acks();
        done && (self.application.stopped.is_some() || self.smsc.deliveries.is_done())
    }

    fn run_until(&mut self, end: Instant) {
        let mut steps = 0;
        loop {
            self.settle();
            let Some(next) = self.next().filter(|at| *at <= end) else { break };
            assert!(next > self.context.now, "the time does not advance");
            self.context.now = next;
            steps += 1;
            assert!(steps < 50_000, "too many steps");
        }
        self.context.now = end;
    }

    /// Returns when something is due next. What is due now has been done.
    fn next(&self) -> Option<Instant> {
        let late = self.scenario.lateness;
        let links = self.links.iter().filter_map(|link| self.account.poll_link_timeout(*link));
        let timers = links.map(|(at, _)| at).chain(self.account.poll_timeout()).map(|at| at + late);
        let slots = self.slots.all.iter().filter_map(|slot| match slot.state {
            SlotState::Resolving(due) | SlotState::Connecting(_, due) | SlotState::Closing(due) => Some(due),
            _ => None,
        });
        let faults = self.faults.first().map(|(at, ..)| *at);
        let now = self.context.now;
        // What is due and could not be done may be possible a tick later. What is due earlier than that is not delayed by it.
        let next = |at: Instant| if at <= now { now + ticks(1) } else { at };
        let all = timers.chain(slots).chain(self.smsc.due(now)).chain(self.application.due()).chain(faults);
        all.map(next).min()
    }

    /// Runs until nothing is left to do at this time.
    fn settle(&mut self) {
        // Refusals that are retried at once, an octet at a time, take many.
        let at_once = |status: &CommandStatus| match self.scenario.options.statuses.submit_action(*status) {
            SubmitAction::Retry { delay, .. } | SubmitAction::Pause { delay, .. } => delay.is_zero(),
            _ => false,
        };
        let most = if REFUSALS.iter().any(at_once) { 30_000 } else { 3_000 };
        for round in 0.. {
            assert!(round < most, "too many rounds at one time");
            let mut moved = self.update_faults();
            moved |= self.run_adapter();
            for index in 0..self.links.len() {
                moved |= self.carry(index);
            }
            moved |= self.smsc.step(&mut self.context, &self.messages);
            for (request, answer) in std::mem::take(&mut self.smsc.requested) {
                self.requests.record_received(request, answer);
            }
            moved |= self.run_application();
            if !moved && !self.run_timers() {
                return;
            }
        }
    }

    /// Begins and ends the faults that are due.
    fn update_faults(&mut self) -> bool {
        let now = self.context.now;
        let before = self.smsc.faults.len();
        self.smsc.faults.retain(|(until, _)| *until > now);
        let mut moved = before != self.smsc.faults.len();
        if moved {
            self.smsc.heal();
        }
        while let Some((at, until, fault)) = self.faults.first().copied().filter(|(at, ..)| *at <= now) {
            self.faults.remove(0);
            self.context.trace(|| format!("{fault:?} from {at:?} until {until:?}"));
            self.context.count(|| format!("fault {fault:?}"));
            self.smsc.faults.push((until, fault));
            if fault == Fault::Renamed {
                let count = self.context.rng.count(3);
                self.addresses = (0..count).map(|_| address(self.context.rng.within(1..=4) as u8)).collect();
            }
            self.smsc.fail(&mut self.context, fault);
            moved = true;
        }
        moved
    }

    /// Runs the timers that are due, and returns whether there were any.
    fn run_timers(&mut self) -> bool {
        let (now, late) = (self.context.now, self.scenario.lateness);
        let mut any = false;
        for index in 0..self.links.len() {
            let link = self.links[index];
            if let Some((_, timer)) = self.account.poll_link_timeout(link).filter(|(at, _)| *at + late <= now)
            {
                self.account.handle_link_timeout(now, link);
                self.process_log();
                if let SlotState::Open(connection) = self.slots.all[index].state {
                    self.messages.time_out(now, connection);
                }
                self.after();
                any = true;
                // `carry` passes the input that was left over. The account may have begun to unbind, without any time to
                // drain.
                let unbinds = timer != Timer::Shutdown;
                let may_stay = |timer| timer == Timer::Input || (timer == Timer::Shutdown && unbinds);
                let again = self.account.poll_link_timeout(link);
                let again = again.filter(|(at, timer)| *at <= now && !may_stay(*timer));
                assert_eq!(again, None, "a timer of a connection stays due");
            }
        }
        if self.account.poll_timeout().is_some_and(|at| at + late <= now) {
            self.account.handle_timeout(now);
            self.after();
            any = true;
            let again = self.account.poll_timeout().filter(|at| *at <= now);
            assert_eq!(again, None, "a timer stays due at {now:?}");
        }
        any
    }

    /// Finishes the adapter's actions that are due.
    fn run_adapter(&mut self) -> bool {
        let now = self.context.now;
        let mut moved = false;
        for index in 0..self.links.len() {
            let link = self.links[index];
            match self.slots.all[index].state {
                SlotState::Resolving(due) if due <= now => {
                    let host = &self.slots.all[index].host;
                    // A fault of the name server need not affect all hosts.
                    let fails =
                        self.smsc.is(Fault::NoName) && (host.is_none() || self.context.rng.chance(800));
                    let addresses = if fails { Vec::new() } else { addresses_of(host, &self.addresses) };
                    self.slots.resolved(now, index, &addresses);
                    self.account.handle_resolved(now, link, Ok(&addresses));
                }
                SlotState::Connecting(_, due) if due <= now => self.connected(index),
                SlotState::Closing(due) if due <= now => {
                    self.slots.all[index].state = SlotState::Reported(now);
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
        let (now, link) = (self.context.now, self.links[index]);
        if self.smsc.is(Fault::Down) && self.context.rng.chance(700) {
            self.slots.all[index].state = SlotState::Reported(now);
            self.account.handle_connect_failed(now, link, ConnectFailure::Network, "down");
            return;
        }
        let connection = self.connections;
        self.connections += 1;
        self.smsc.accept(&mut self.context, connection);
        self.slots.all[index].state = SlotState::Open(connection);
        self.slots.all[index].connection = connection;
        let observer = LogObserver { connection, log: self.log.clone() };
        assert!(self.account.handle_connected(now, link, observer), "the connection is wanted");
    }

    /// Moves octets between the account's session and its connection.
    fn carry(&mut self, index: usize) -> bool {
        let SlotState::Open(id) = self.slots.all[index].state else { return false };
        let (now, link) = (self.context.now, self.links[index]);
        let mut moved = self.smsc.corrupt_up(&mut self.context, id);
        let connection = self.smsc.connection(id).expect("open until both sides have closed it");
        if connection.output.is_empty() && self.account.poll_transmit(link, &mut connection.output) {
            self.smsc.change_up(&mut self.context, id);
            moved = true;
        }
        let connection = self.smsc.connection(id).expect("open until both sides have closed it");
        let (taken, _) = connection.up.accept(&mut self.context.rng, now, &connection.output);
        connection.output.drain(..taken);
        let unreadable = connection.leave(taken);
        self.smsc.seen.extend(unreadable);
        let connection = self.smsc.connection(id).expect("open until both sides have closed it");
        while connection.down.arrival().is_some_and(|at| at <= now) && self.account.wants_input(link) {
            let octets = connection.down.deliver(&mut self.context.rng);
            connection.unread.extend(octets);
            moved = true;
        }
        let ends = !connection.end_seen && connection.down.end().is_some_and(|at| at <= now);
        connection.end_seen |= ends;
        if taken > 0 {
            self.smsc.deliveries.record_transmitted(id);
            self.account.handle_transmitted(now, link, taken);
            self.after();
            moved = true;
        }
        moved |= self.read(index, id);
        if ends && self.slots.all[index].state == SlotState::Open(id) {
            if self.context.rng.chance(300) {
                // The adapter closes the connection without `Action::Close`.
                self.close_connection(id);
                self.slots.all[index].state = SlotState::Reported(now);
                self.account.handle_closed(now, link);
            } else {
                self.account.handle_eof(now, link);
            }
            self.after();
            moved = true;
        }
        moved
    }

    /// Passes the octets that have arrived to the account, and returns whether it took some.
    fn read(&mut self, index: usize, id: ConnectionId) -> bool {
        let (now, link) = (self.context.now, self.links[index]);
        let Some(connection) = self.smsc.connection(id) else { return false };
        let unread = std::mem::take(&mut connection.unread);
        let mut input = &unread[..];
        while self.scenario.piecewise
            && self.slots.all[index].state == SlotState::Open(id)
            && let Ok(Some((frame, rest))) = frame::split(input, 70_000)
        {
            let mut one = frame.into_inner();
            self.account.handle_input(now, link, &mut one);
            self.after();
            if !one.is_empty() {
                // The session reads no input now.
                break;
            }
            input = rest;
        }
        let is_open = self.slots.all[index].state == SlotState::Open(id);
        if self.scenario.piecewise && is_open && frame::split(input, 70_000).is_err() {
            let before = input.len();
            self.account.handle_input(now, link, &mut input);
            self.after();
            let goes_on = self.connections_if(State::is_bound).contains(&id);
            assert!(!goes_on || input.len() == before, "the account goes on after an impossible length");
        }
        if !self.scenario.piecewise && !input.is_empty() {
            self.account.handle_input(now, link, &mut input);
            self.after();
        }
        if let Some(connection) = self.smsc.connection(id) {
            connection.unread = input.to_vec();
        }
        input.len() < unread.len()
    }

    fn close_connection(&mut self, id: ConnectionId) {
        let now = self.context.now;
        if let Some(connection) = self.smsc.connection(id) {
            connection.closed_by_account = true;
            connection.up.finish(now);
        }
    }

    /// Passes the log to the models.
    pub(crate) fn process_log(&mut self) {
        let entries = std::mem::take(&mut *self.log.borrow_mut());
        let alive = self.connections_if(|_| true);
        // A call reads what has arrived before it ends other connections.
        let alive_before = std::mem::replace(&mut self.messages.alive, alive);
        self.messages.bound =
            self.connections_if(|state| matches!(state, State::Bound(mode) if mode.transmits()));
        for entry in entries {
            if matches!(entry.pdu, LoggedPdu::Submitted { .. }) {
                // All entries before it have been processed.
                self.messages.mark_in_doubt();
            }
            self.context.trace(|| format!("on {}: {:?}", entry.connection, entry.pdu));
            self.messages.handle_entry(&entry);
            self.events.count_pdu(&entry.pdu);
            if let LoggedPdu::Requested { request } = entry.pdu {
                self.requests.record_sent(entry.at, request, entry.connection, &self.messages.bound);
            }
            if let LoggedPdu::Notified { alert } = entry.pdu {
                self.smsc.alerts.record_arrival(alert, entry.connection);
            }
            if let LoggedPdu::Delivered { delivery: Some(delivery) } = entry.pdu {
                let connection = entry.connection;
                if self.smsc.deliveries.is_data_sm(delivery) {
                    self.context.count(|| "delivery in a data_sm".into());
                }
                self.smsc.deliveries.record_arrival(self.context.now, delivery, connection, &alive_before);
            }
        }
        self.messages.mark_in_doubt();
    }

    /// Returns the open connections whose sessions are in such a state.
    pub(crate) fn connections_if(&self, is_such: impl Fn(State) -> bool) -> Vec<ConnectionId> {
        let slots = self.account.links().zip(&self.slots.all);
        let open = slots.filter_map(|((_, state), slot)| match (state, slot.state) {
            (LinkState::Open(_, state), SlotState::Open(connection)) if is_such(state) => Some(connection),
            _ => None,
        });
        open.collect()
    }

    /// Runs after each call: handles the account's events and actions, and checks its bounds.
    pub(crate) fn after(&mut self) {
        self.process_log();
        let now = self.context.now;
        while let Some(event) = self.account.poll_event() {
            self.handle_event(event);
        }
        while let Some(action) = self.account.poll_action() {
            self.context.trace(|| format!("the account requests {action:?}"));
            let due = now + span(&mut self.context.rng, 0, self.scenario.behaviour.adapter_delay);
            match action {
                Action::Resolve { link } => {
                    let host = self.account.endpoint(link).map(|endpoint| endpoint.host.clone());
                    self.slots.resolve(&mut self.context, link.index(), host, due);
                }
                Action::Connect { link, address } => self.slots.connect(now, link.index(), address, due),
                Action::Close { link } => {
                    if let Some(connection) = self.slots.close(link.index(), due) {
                        self.close_connection(connection);
                    }
                }
            }
        }
        self.check_alerts();
        self.slots.record_count(self.account.links().count());
        self.messages.check_handed();
        let options = &self.scenario.options;
        assert!(self.account.queued() <= options.queue_capacity, "the queue exceeds its capacity");
        assert!(
            self.account.queued() <= self.messages.open_segments(),
            "the queue holds segments that have an outcome"
        );
        assert!(
            self.account.tracked_receipts() <= options.receipts.capacity,
            "more tracked receipts than the capacity"
        );
        assert!(self.account.pending_receipts() <= self.account.tracked_receipts(), "not all are tracked");
    }
}
