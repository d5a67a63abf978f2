//! The model of the connections of a server: it knows the events, and compares the server with its limits.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use smpp_proto::BindMode;
use smpp_proto::server::{BindLimits, ConnectionId, Event, NotBoundReason, Options, RejectReason, Server};
use smpp_proto::session::{CloseReason, Config, Instant, Observer, Rate, State};

use super::harness::ticks;

/// The limits of the server, and how late its adapter runs the timers.
#[derive(Clone, Copy)]
pub(crate) struct Limits<'a> {
    pub(crate) options: &'a Options,
    pub(crate) config: &'a Config,
    /// What the application states for each bind.
    pub(crate) binds: Option<BindLimits>,
    pub(crate) account_rate: Option<Rate>,
    pub(crate) lateness: Duration,
}

/// The messages of a second, less the tolerance of the server.
const RATE_WINDOW: Duration = Duration::from_millis(950);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its proxy has not stated the address of the client.
    Unidentified,
    Unbound,
    BindRefused,
    Bound {
        account: String,
        mode: BindMode,
    },
    /// Its last event was emitted; the adapter has not closed it.
    Ended,
}

#[derive(Debug)]
pub(crate) struct ConnectionModel {
    address: SocketAddr,
    /// Whether it counts for no address: that of the client was never known.
    is_unidentified: bool,
    pub(crate) phase: Phase,
    since: Instant,
    /// Until when its bind has to be answered.
    pub(crate) decision: Option<Instant>,
    messages: Vec<(Instant, u32)>,
}

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) connections: BTreeMap<ConnectionId, ConnectionModel>,
    /// The messages that were within the rate of each account.
    messages: BTreeMap<String, Vec<(Instant, u32)>>,
    /// Whether the application has ended connections by itself.
    pub(crate) has_shut_down: bool,
    pub(crate) is_closed: bool,
}

/// Returns the addresses that count as one.
fn group(address: SocketAddr) -> IpAddr {
    match address.ip() {
        IpAddr::V6(ip) => {
            let mut octets = ip.octets();
            octets[8..].fill(0);
            IpAddr::from(octets)
        }
        ip @ IpAddr::V4(_) => ip,
    }
}

impl Model {
    fn count(&self, address: Option<SocketAddr>, is_such: impl Fn(&Phase) -> bool) -> usize {
        let same = |it: &&ConnectionModel| address.is_none_or(|address| group(it.address) == group(address));
        self.connections.values().filter(same).filter(|it| is_such(&it.phase)).count()
    }

    fn oldest_unbound(&self, address: Option<SocketAddr>) -> Option<ConnectionId> {
        let is_such = |it: &ConnectionModel| {
            matches!(it.phase, Phase::Unidentified | Phase::Unbound | Phase::BindRefused)
                && address.is_none_or(|address| group(it.address) == group(address))
        };
        self.connections.iter().find(|(_, it)| is_such(it)).map(|(id, _)| *id)
    }

    /// Records a connection from a proxy, whose address and port no other has.
    pub(crate) fn accept_proxied(&mut self, now: Instant, connection: ConnectionId, proxy: SocketAddr) {
        self.insert(now, connection, proxy, Phase::Unidentified);
    }

    /// Records that a connection from a proxy was rejected when its client was known, or could not be.
    pub(crate) fn reject_proxied(&mut self, connection: ConnectionId) {
        let model = self.connections.get_mut(&connection).unwrap();
        if model.phase == Phase::Unidentified {
            model.phase = Phase::Ended;
        }
    }

    fn insert(&mut self, now: Instant, connection: ConnectionId, address: SocketAddr, phase: Phase) {
        let model = ConnectionModel {
            address,
            is_unidentified: phase == Phase::Unidentified,
            phase,
            since: now,
            decision: None,
            messages: Vec::new(),
        };
        let last = self.connections.last_key_value().map(|(id, _)| *id);
        assert!(last.is_none_or(|last| last < connection), "ids do not grow");
        assert!(self.connections.insert(connection, model).is_none());
    }

    fn handle_rejected(&mut self, address: SocketAddr, reason: RejectReason, options: &Options) -> String {
        let (from, limit) = match reason {
            RejectReason::Connections => (None, options.connections),
            RejectReason::PerAddress => (Some(address), options.connections_per_address),
            _ => {
                let oldest = self.oldest_unbound(None);
                let mut all = self.connections.iter_mut();
                let waiting = all.find(|(_, it)| it.phase == Phase::Unidentified && it.address == address);
                match reason {
                    RejectReason::Stopping => assert!(self.has_shut_down),
                    RejectReason::Replaced => {
                        assert_eq!(waiting.as_ref().map(|(id, _)| **id), oldest, "it is not the oldest");
                    }
                    RejectReason::ProxyHeader(_) => assert!(waiting.is_some()),
                    other => panic!("{other:?}"),
                }
                if let Some((_, waiting)) = waiting {
                    waiting.phase = Phase::Ended;
                }
                return format!("rejected {reason:?}");
            }
        };
        let is_closing = |phase: &Phase| *phase == Phase::Ended;
        let is_bound = |phase: &Phase| matches!(phase, Phase::Bound { .. });
        let is_full = self.count(from, is_bound) >= limit || self.count(from, is_closing) >= limit;
        assert!(is_full, "{reason:?} although a connection without a bind could make room");
        format!("rejected {reason:?}")
    }

    /// Records an event. Returns what happened, for the coverage.
    pub(crate) fn handle(&mut self, now: Instant, event: &Event, limits: &Limits<'_>) -> Option<String> {
        assert!(!self.is_closed, "an event after Closed: {event}");
        assert!(!event.to_string().contains("secret"), "a password is shown");
        let options = limits.options;
        match event {
            Event::Connected { connection, address, .. } => {
                let Some(model) = self.connections.get_mut(connection) else {
                    self.insert(now, *connection, *address, Phase::Unbound);
                    return None;
                };
                assert_eq!(model.phase, Phase::Unidentified);
                (model.address, model.is_unidentified, model.phase) = (*address, false, Phase::Unbound);
                Some("connected through a proxy".into())
            }
            Event::Rejected { address, reason, .. } => Some(self.handle_rejected(*address, *reason, options)),
            Event::NotBound { connection, reason, .. } => {
                let model = &self.connections[connection];
                let refused = model.phase == Phase::BindRefused;
                assert!(refused || model.phase == Phase::Unbound, "{event}: it was {:?}", model.phase);
                match reason {
                    NotBoundReason::BindRefused => assert!(refused),
                    NotBoundReason::Replaced => assert!(
                        self.oldest_unbound(None) == Some(*connection)
                            || self.oldest_unbound(Some(model.address)) == Some(*connection),
                        "an older connection has no bind"
                    ),
                    NotBoundReason::Octets => assert_eq!(self.oldest_unbound(None), Some(*connection)),
                    NotBoundReason::Stopping => assert!(self.has_shut_down),
                    _ => {}
                }
                self.end(*connection);
                let name = format!("{reason:?}");
                Some(format!("not bound {}", name.split('(').next().unwrap()))
            }
            Event::BindRefused { connection, status, reason, .. } => {
                assert!(!status.is_ok());
                let model = self.connections.get_mut(connection).unwrap();
                assert_eq!(model.phase, Phase::Unbound);
                (model.phase, model.decision) = (Phase::BindRefused, None);
                let name = format!("{reason:?}");
                Some(format!("bind refused {}", name.split('(').next().unwrap()))
            }
            Event::Bound { connection, account, mode, .. } => {
                let model = self.connections.get_mut(connection).unwrap();
                assert_eq!(model.phase, Phase::Unbound);
                model.phase = Phase::Bound { account: account.to_string(), mode: *mode };
                (model.since, model.decision) = (now, None);
                None
            }
            Event::Throttled { connection, account, .. } => {
                let phase = &self.connections[connection].phase;
                assert!(matches!(phase, Phase::Bound { account: own, .. } if *own == account.to_string()));
                None
            }
            Event::Ended { connection, account, reason, .. } => {
                let phase = &self.connections[connection].phase;
                assert!(matches!(phase, Phase::Bound { account: own, .. } if *own == account.to_string()));
                // A bound connection is never closed for another one.
                assert!(*reason != CloseReason::Aborted || self.has_shut_down, "aborted");
                self.end(*connection);
                let name = format!("{reason:?}");
                Some(format!("ended {}", name.split('(').next().unwrap()))
            }
            Event::Closed => {
                assert!(self.connections.values().all(|it| it.phase == Phase::Ended));
                self.is_closed = true;
                None
            }
            _ => None,
        }
    }

    fn end(&mut self, connection: ConnectionId) {
        let model = self.connections.get_mut(&connection).unwrap();
        model.decision = None;
        let before = std::mem::replace(&mut model.phase, Phase::Ended);
        if let Phase::Bound { account, .. } = before
            && !self
                .connections
                .values()
                .any(|it| matches!(&it.phase, Phase::Bound { account: own, .. } if *own == account))
        {
            self.messages.remove(&account);
        }
    }

    /// Records messages that were within the rate limits.
    pub(crate) fn record_messages(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        messages: u32,
        limits: &Limits<'_>,
    ) {
        let model = self.connections.get_mut(&connection).unwrap();
        let Phase::Bound { account, .. } = &model.phase else { panic!("a message without a bind") };
        let of_account = limits.account_rate.or(limits.options.account_rate);
        check_rate(&mut model.messages, now, messages, limits.options.rate);
        check_rate(self.messages.entry(account.clone()).or_default(), now, messages, of_account);
    }

    /// Compares the server with its limits.
    pub(crate) fn check<O: Observer>(&self, now: Instant, server: &Server<O>, limits: &Limits<'_>) {
        let (options, stats) = (limits.options, server.stats());
        let unbound =
            self.count(None, |it| matches!(it, Phase::Unidentified | Phase::Unbound | Phase::BindRefused));
        let bound = self.count(None, |it| matches!(it, Phase::Bound { .. }));
        let closing = self.count(None, |it| *it == Phase::Ended);
        assert_eq!((stats.bound, stats.unbound, stats.closing), (bound, unbound, closing));
        assert!(bound + unbound <= options.connections, "too many connections");
        assert!(bound + unbound + closing <= 2 * options.connections, "too many with those being closed");
        assert!(unbound <= options.unbound_connections.max(1), "too many connections without a bind");
        assert!(stats.unbound_octets <= options.unbound_octets, "too many octets before a bind");
        let mut addresses: BTreeMap<IpAddr, [usize; 2]> = BTreeMap::new();
        let mut binds: BTreeMap<&str, Vec<BindMode>> = BTreeMap::new();
        for (id, connection) in &self.connections {
            if !connection.is_unidentified {
                let counts = addresses.entry(group(connection.address)).or_default();
                counts[usize::from(connection.phase == Phase::Ended)] += 1;
            }
            let late = limits.lateness + ticks(1);
            if let Some(deadline) = connection.decision {
                assert!(now <= deadline + late, "the bind of {id} has no answer");
            }
            match &connection.phase {
                Phase::Unidentified | Phase::Unbound | Phase::BindRefused => {
                    // Until the bind, until the decision, and until the refusal has left: longer if the peer has closed its side
                    // before, because then it may still read.
                    let config = limits.config;
                    let leaves = config.response_timeout.max(config.drain_timeout);
                    let most = config.session_init_timeout + options.decision_timeout + leaves;
                    assert!(now <= connection.since + most + late + late, "{id} stays without a bind");
                }
                Phase::Bound { account, mode } => {
                    if server.state(*id) == Some(State::Bound(*mode)) {
                        binds.entry(account).or_default().push(*mode);
                    }
                }
                Phase::Ended => {}
            }
        }
        for counts in addresses.values() {
            let [open, closing] = counts;
            let limit = options.connections_per_address;
            assert!(*open <= limit && open + closing <= 2 * limit, "of one address: {counts:?}");
        }
        let most = limits.binds.unwrap_or(options.binds);
        for (account, modes) in binds {
            let count = |mode| modes.iter().filter(|it| **it == mode).count();
            let [receivers, transmitters, transceivers] =
                [BindMode::Receiver, BindMode::Transmitter, BindMode::Transceiver].map(count);
            assert_eq!(
                server.registry().binds(account.as_bytes()),
                modes.len(),
                "{account}: binds that count"
            );
            assert!(modes.len() <= most.total.into(), "{account} has too many binds");
            assert!(
                receivers <= most.receivers.into()
                    && transmitters <= most.transmitters.into()
                    && transceivers <= most.transceivers.into(),
                "{account} has too many binds of a mode"
            );
        }
    }
}

/// Records messages, and checks that those of a second do not exceed the rate.
fn check_rate(all: &mut Vec<(Instant, u32)>, now: Instant, messages: u32, rate: Option<Rate>) {
    let Some(limit) = rate.map(Rate::limit) else { return };
    all.retain(|(at, _)| *at + RATE_WINDOW > now);
    all.push((now, messages.min(limit)));
    let sum: u32 = all.iter().map(|(_, messages)| messages).sum();
    assert!(sum <= limit, "{sum} messages of {limit} in a second");
}
