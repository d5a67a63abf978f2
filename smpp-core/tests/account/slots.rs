//! A model of the connection slots: what the adapter does in each, where it connects, and when it may connect again.
//!
//! While the account has had one group of binds only, the model knows which group each slot serves, and checks the order of
//! endpoints and addresses and each back-off exactly. Otherwise a slot may serve any group that its connection fits.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use smpp_proto::BindMode;
use smpp_proto::account::{Backoff, LinkEvent, Options};
use smpp_proto::session::{CloseReason, Instant, RequestError};

use super::context::Context;
use super::log::ConnectionId;

/// The name of an endpoint's host; `None` if the options have no endpoint.
pub(crate) type Host = Option<String>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotState {
    Idle,
    /// The adapter has just reported a result, and the account may connect at this time.
    Reported(Instant),
    Resolving(Instant),
    Connecting(SocketAddr, Instant),
    Open(ConnectionId),
    Closing(Instant),
}

pub(crate) struct Slot {
    pub(crate) state: SlotState,
    /// The last connection.
    pub(crate) connection: ConnectionId,
    /// When the account emitted `Bound`.
    pub(crate) bound: Option<Instant>,
    mode: Option<BindMode>,
    refused: bool,
    not_before: Instant,
    failures: u32,
    /// Where the current or last connection goes.
    pub(crate) host: Host,
    /// Addresses of the host that the account has not tried yet.
    untried: Vec<SocketAddr>,
    /// Whether no address of the host was tried yet.
    is_fresh: bool,
    /// The hosts that follow in this round, for each group that the slot may serve.
    routes: Vec<Vec<Host>>,
    /// The binds have changed during the round: the account may go on with it or begin a new one.
    is_open_ended: bool,
}

pub(crate) struct Slots {
    pub(crate) all: Vec<Slot>,
    options: Options,
    /// The only group that the account has ever had.
    single: Option<Vec<Host>>,
    /// Whether the binds have never changed: then every bind counts for the only group.
    is_unchanged: bool,
    last_start: Option<Instant>,
    /// Failures while the only group had no bind.
    failures: u32,
    blocked_until: Instant,
    /// The host and address of the last accepted bind.
    last_good: Option<(Host, SocketAddr)>,
    /// The hosts and addresses of all accepted binds.
    good: BTreeSet<(Host, SocketAddr)>,
    pub(crate) stopped: bool,
    /// Whether the application has shut the account down.
    pub(crate) closing: bool,
    /// When a bind last ended.
    unbound: Option<Instant>,
}

/// Returns the longest back-off delay after this many failures.
fn max_delay(backoff: Backoff, failures: u32) -> Duration {
    let doubled = (1..failures).fold(backoff.initial, |wait, _| (wait * 2).min(backoff.max));
    doubled.min(backoff.max)
}

/// Returns the modes and the hosts of each group.
fn groups(options: &Options) -> Vec<(Vec<BindMode>, Vec<Host>)> {
    let group = |group: &smpp_proto::account::BindGroup| {
        let own = group.endpoints();
        let endpoints = if own.is_empty() { &options.endpoints } else { own };
        let hosts: Vec<Host> = endpoints.iter().map(|endpoint| Some(endpoint.host.clone())).collect();
        (group.modes().collect(), if hosts.is_empty() { vec![None] } else { hosts })
    };
    options.binds.groups().iter().map(group).collect()
}

const fn is_idle(slot: &Slot) -> bool {
    matches!(slot.state, SlotState::Idle | SlotState::Reported(_))
}

impl Slots {
    pub(crate) fn new(options: &Options) -> Self {
        let slot = || Slot {
            state: SlotState::Idle,
            connection: 0,
            bound: None,
            mode: None,
            refused: false,
            not_before: Instant::ZERO,
            failures: 0,
            host: None,
            untried: Vec::new(),
            is_fresh: false,
            routes: Vec::new(),
            is_open_ended: false,
        };
        let groups = groups(options);
        Self {
            all: (0..options.max_binds).map(|_| slot()).collect(),
            options: options.clone(),
            single: if groups.len() == 1 { groups.into_iter().next().map(|(_, hosts)| hosts) } else { None },
            is_unchanged: true,
            last_start: None,
            failures: 0,
            blocked_until: Instant::ZERO,
            last_good: None,
            good: BTreeSet::new(),
            stopped: false,
            closing: false,
            unbound: None,
        }
    }

    /// Records that the SMSC has refused the credentials.
    pub(crate) fn stop(&mut self) {
        self.stopped = true;
        self.end_rounds();
    }

    fn end_rounds(&mut self) {
        for slot in self.all.iter_mut().filter(|slot| slot.state != SlotState::Idle) {
            slot.is_open_ended = true;
        }
    }

    /// Records that the account no longer waits after its failures.
    pub(crate) fn reset_backoff(&mut self) {
        (self.failures, self.blocked_until) = (0, Instant::ZERO);
        for slot in &mut self.all {
            (slot.failures, slot.not_before) = (0, Instant::ZERO);
        }
    }

    /// Records how many slots the account has: those that it removes wait for nothing if they come back.
    pub(crate) fn record_count(&mut self, count: usize) {
        for slot in self.all.iter_mut().skip(count) {
            assert!(is_idle(slot), "a slot is removed that is in use: {:?}", slot.state);
            (slot.failures, slot.not_before) = (0, Instant::ZERO);
        }
    }

    /// Records a change of the options.
    pub(crate) fn change(&mut self, _now: Instant, options: &Options) {
        let before = std::mem::replace(&mut self.options, options.clone());
        let now = groups(options);
        self.is_unchanged &= groups(&before) == now;
        let is_same = match &now[..] {
            [] => true,
            [(_, hosts)] => self.single.as_ref() == Some(hosts),
            _ => false,
        };
        if !is_same || before.max_binds != options.max_binds {
            self.single = None;
        }
        if before.credentials != options.credentials {
            self.reset_backoff();
        }
        for slot in &mut self.all {
            // A slot that comes to serve a group at other hosts does not wait.
            if !now.iter().all(|(_, hosts)| hosts.contains(&slot.host)) {
                slot.not_before = Instant::ZERO;
            }
        }
        self.end_rounds();
    }

    /// Checks that the account may resolve the host: the next one of a round, or the first one of a new round.
    pub(crate) fn resolve(&mut self, context: &mut Context, index: usize, host: Host, due: Instant) {
        assert!(!self.stopped, "it reconnects after refused credentials");
        let now = context.now;
        let slot = &mut self.all[index];
        assert!(is_idle(slot), "the slot is in use: {:?}", slot.state);
        let is_next = |route: &Vec<Host>| route.first() == Some(&host);
        if slot.state == SlotState::Reported(now)
            && slot.untried.is_empty()
            && slot.routes.iter().any(is_next)
        {
            context.count(|| "failover to another endpoint".into());
            slot.routes.retain(is_next);
            slot.routes.iter_mut().for_each(|route| drop(route.remove(0)));
            (slot.state, slot.host) = (SlotState::Resolving(due), host);
            return;
        }
        let is_over = slot.untried.is_empty() && slot.routes.is_empty();
        assert!(is_over || slot.is_open_ended, "a new round, but {:?} was not tried", slot.routes);
        // Endpoints may have left the round.
        let is_unclear = slot.is_open_ended && slot.state == SlotState::Reported(now);
        if !is_unclear {
            self.check_start(now, index);
        }
        let groups = groups(&self.options);
        if groups.len() > 1 {
            context.count(|| "several groups".into());
        }
        let good: BTreeSet<_> = self.good.iter().map(|(host, _)| host).collect();
        let last_good = self.last_good.as_ref().map(|(host, _)| host);
        let may_begin = |hosts: &Vec<Host>| match &self.single {
            _ if is_unclear => hosts.contains(&host),
            Some(_) => host == *last_good.filter(|good| hosts.contains(good)).unwrap_or(&hosts[0]),
            None => host == hosts[0] || hosts.contains(&host) && good.contains(&host),
        };
        let fitting = groups.iter().map(|(_, hosts)| hosts).filter(|hosts| may_begin(hosts));
        let rest = |hosts: &Vec<Host>| hosts.iter().filter(|other| **other != host).cloned().collect();
        let routes: Vec<Vec<Host>> = fitting.map(rest).collect();
        assert!(!routes.is_empty(), "no group begins at {host:?}");
        let slot = &mut self.all[index];
        (slot.state, slot.host, slot.routes) = (SlotState::Resolving(due), host, routes);
        slot.untried.clear();
        slot.is_open_ended = is_unclear;
    }

    /// Checks that the account may begin a new round in this slot.
    fn check_start(&mut self, now: Instant, index: usize) {
        let any_bound = self.all.iter().any(|slot| slot.bound.is_some());
        // An attempt that begins in the call which ends the binds at the shutdown: the account ends it, too.
        let is_closing = self.closing && self.unbound == Some(now);
        if !any_bound && !is_closing {
            // A connection that closes may have belonged to a group that there was before the binds changed.
            let is_gone = |slot: &Slot| !self.is_unchanged && matches!(slot.state, SlotState::Closing(_));
            let is_probe = |slot: &&Slot| !is_idle(slot) && !slot.is_open_ended && !is_gone(slot);
            let probes = self.all.iter().filter(is_probe).count();
            let most = groups(&self.options).len();
            // With several groups, those that began while a bind was there may go on.
            if self.single.is_some() || self.good.is_empty() {
                assert!(probes < most, "{probes} other connections at a time, and no bind of {most} groups");
            }
            if self.single.is_some() {
                assert!(now >= self.blocked_until, "a connection during the shared back-off");
            }
        }
        assert!(now >= self.all[index].not_before, "a connection during the back-off");
        let is_spaced = self.last_start.is_none_or(|last| now - last >= self.options.connect_interval);
        assert!(is_spaced, "a connection within connect_interval");
        self.last_start = Some(now);
        let busy = self.all.iter().filter(|slot| !is_idle(slot)).count();
        assert!(busy < usize::from(self.options.max_binds), "more connections than max_binds");
    }

    /// Records the addresses of the host.
    pub(crate) fn resolved(&mut self, now: Instant, index: usize, addresses: &[SocketAddr]) {
        let slot = &mut self.all[index];
        slot.state = SlotState::Reported(now);
        slot.untried = addresses.to_vec();
        slot.is_fresh = true;
        if self.single.is_some() {
            // The address of the last accepted bind goes first.
            let good = self.last_good.as_ref().filter(|(host, _)| *host == slot.host);
            let good = good.map(|(_, address)| *address);
            slot.untried.sort_by_key(|address| Some(*address) != good);
        }
    }

    /// Checks that the account may connect to the address.
    pub(crate) fn connect(&mut self, now: Instant, index: usize, address: SocketAddr, due: Instant) {
        assert!(!self.stopped, "it connects after refused credentials");
        let slot = &mut self.all[index];
        assert_eq!(slot.state, SlotState::Reported(now), "a connection that was not expected");
        let is_good = self.single.is_none()
            && std::mem::take(&mut slot.is_fresh)
            && slot.untried.contains(&address)
            && self.good.contains(&(slot.host.clone(), address));
        assert!(is_good || slot.untried.first() == Some(&address), "not the next address");
        slot.untried.retain(|other| *other != address);
        slot.state = SlotState::Connecting(address, due);
        slot.refused = false;
    }

    pub(crate) fn close(&mut self, index: usize, due: Instant) -> Option<ConnectionId> {
        let was = std::mem::replace(&mut self.all[index].state, SlotState::Closing(due));
        match was {
            SlotState::Open(connection) => Some(connection),
            SlotState::Resolving(_) | SlotState::Connecting(..) => {
                self.all[index].end_round();
                None
            }
            other => panic!("nothing to close: {other:?}"),
        }
    }

    pub(crate) fn handle_link_event(&mut self, context: &mut Context, index: usize, event: &LinkEvent) {
        let (now, backoff) = (context.now, self.options.backoff);
        let groups = groups(&self.options);
        let slot = &mut self.all[index];
        let has_next = !slot.untried.is_empty() || slot.routes.iter().any(|route| !route.is_empty());
        match event {
            LinkEvent::Bound { address, mode, .. } => {
                assert!(slot.bound.is_none(), "bound twice");
                let fits =
                    groups.iter().any(|(modes, hosts)| modes.contains(mode) && hosts.contains(&slot.host));
                assert!(fits || slot.is_open_ended, "no group has a {mode} at {:?}", slot.host);
                slot.end_round();
                (slot.bound, slot.mode) = (Some(now), Some(*mode));
                self.good.insert((slot.host.clone(), *address));
                self.last_good = Some((slot.host.clone(), *address));
            }
            LinkEvent::BindRefused { error, .. } => {
                slot.refused = true;
                if matches!(error, RequestError::Refused { .. } | RequestError::Nacked(_)) {
                    // The next endpoint may accept the bind.
                    slot.untried.clear();
                }
            }
            LinkEvent::Closed { reason, retry_in, .. } => {
                let lived = slot.bound.take().map(|since| now - since);
                self.unbound = lived.map(|_| now).or(self.unbound);
                if lived.is_some_and(|lived| lived >= backoff.reset_after) {
                    slot.failures = 0;
                    self.failures = 0;
                }
                if *reason == CloseReason::Unbound && !slot.refused && *retry_in == Some(Duration::ZERO) {
                    context.count(|| "bind replaced".into());
                    slot.end_round();
                    return;
                }
                self.back_off(now, index, *retry_in);
            }
            LinkEvent::ResolveFailed { retry_in, .. } | LinkEvent::ConnectFailed { retry_in, .. } => {
                // After a change of the binds it may be a new round, with endpoints that the model has not counted.
                let goes_on = has_next || slot.is_open_ended;
                assert!(retry_in.is_some() || goes_on, "neither the next attempt nor a time");
                self.back_off(now, index, *retry_in);
            }
            _ => {}
        }
    }

    fn back_off(&mut self, now: Instant, index: usize, retry_in: Option<Duration>) {
        let Some(delay) = retry_in else { return };
        let retry_at = now + delay;
        let backoff = self.options.backoff;
        let is_unbound = self.all.iter().all(|slot| slot.bound.is_none());
        let slot = &mut self.all[index];
        let is_tried =
            slot.untried.is_empty() && (slot.routes.is_empty() || slot.routes.iter().any(Vec::is_empty));
        assert!(
            is_tried || slot.is_open_ended,
            "every address of every endpoint is tried before the back-off"
        );
        slot.end_round();
        let failures = if is_unbound { slot.failures.max(self.failures) } else { slot.failures } + 1;
        let max = max_delay(backoff, failures);
        if self.single.is_some() && self.is_unchanged {
            assert!(delay >= max / 2 && delay <= max, "{delay:?} after {failures} failures");
        } else {
            assert!(delay >= backoff.initial.min(backoff.max) / 2 && delay <= backoff.max, "{delay:?}");
        }
        (slot.failures, slot.not_before) = (failures, retry_at);
        if is_unbound {
            (self.failures, self.blocked_until) = (failures, retry_at);
        }
    }

    /// Returns whether each bind of each group is there, at an endpoint of its group, and no other.
    pub(crate) fn has_all_binds(&self) -> bool {
        let bound = self.all.iter().filter(|slot| slot.bound.is_some());
        let bound: Vec<(BindMode, &Host)> = bound.filter_map(|slot| Some((slot.mode?, &slot.host))).collect();
        let groups = groups(&self.options);
        let wanted = groups.iter().flat_map(|(modes, hosts)| modes.iter().map(move |mode| (*mode, hosts)));
        let wanted: Vec<(BindMode, &Vec<Host>)> = wanted.collect();
        bound.len() == wanted.len() && fits(&wanted, &bound)
    }
}

/// Returns whether each bind can have a place of its own.
fn fits(wanted: &[(BindMode, &Vec<Host>)], bound: &[(BindMode, &Host)]) -> bool {
    let Some(((mode, hosts), rest)) = wanted.split_first() else { return true };
    (0..bound.len()).any(|index| {
        let (is, host) = bound[index];
        let others = [&bound[..index], &bound[index + 1..]].concat();
        is == *mode && hosts.contains(host) && fits(rest, &others)
    })
}

impl Slot {
    fn end_round(&mut self) {
        self.untried.clear();
        self.routes.clear();
        self.is_open_ended = false;
    }
}
