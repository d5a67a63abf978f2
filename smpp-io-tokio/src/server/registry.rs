//! Who is connected: the places that there are, and who holds them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smpp_core::CommandStatus;
use smpp_core::session::Rate;
use tokio::sync::Notify;

use super::binds::{BindId, BoundSession};

/// How many may connect and bind, and how fast a bind may send.
///
/// A connection that is not bound yet makes room where there is none: the oldest one is closed for a new one, so that
/// no number of connections without a bind keeps an ESME out. Those that are bound are never closed for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections at once, bound or not, without those that are being closed, of which there may be as many again. Stay
    /// below the number of files that the process may open. Default 1,000.
    pub connections: usize,
    /// The same for one IP address; of IPv6, one network of 64 bits. Default 100.
    pub connections_per_address: usize,
    /// Binds that an account may hold at once; one more is refused with `ESME_RALYBND`. Only those that the
    /// [`Service`](super::Service) has admitted count. Default 10.
    pub binds_per_account: u16,
    /// Messages that a bind may send, in any sliding second but a grace for the network
    /// ([`RateMeter`](smpp_core::session::RateMeter)); above it they are refused with `ESME_RTHROTTLED`. Default none.
    pub rate: Option<Rate>,
    /// How long the service may take to decide on a bind; never longer than what is left of
    /// [`session_init`](smpp_core::session::Config::session_init_timeout). Default 5 s.
    pub decision_timeout: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections: 1000,
            connections_per_address: 100,
            binds_per_account: 10,
            rate: None,
            decision_timeout: Duration::from_secs(5),
        }
    }
}

/// What is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectReason {
    /// [`ServerLimits::connections`].
    Connections,
    /// [`ServerLimits::connections_per_address`].
    PerAddress,
    /// The server is stopping.
    Stopping,
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connections => "as many connections as the server takes",
            Self::PerAddress => "as many connections as one address may have",
            Self::Stopping => "the server is stopping",
        })
    }
}

/// The place of one connection, taken until the last holder drops it: its transport and its bind.
pub(super) struct Slot {
    id: u64,
    source: IpAddr,
    registry: Arc<Registry>,
}

pub(super) struct Registry {
    pub(super) limits: ServerLimits,
    places: Mutex<Places>,
    /// A place has become free.
    freed: Notify,
}

#[derive(Default)]
struct Places {
    last: u64,
    stopping: bool,
    connections: usize,
    /// Those among them that are told to end.
    leaving: HashSet<u64>,
    /// By age, as the ids are.
    unbound: BTreeMap<u64, Unbound>,
    sources: HashMap<IpAddr, Source>,
    accounts: HashMap<Box<[u8]>, Vec<BoundSession>>,
}

/// A connection that may have to make room.
struct Unbound {
    source: IpAddr,
    stop: Arc<Notify>,
}

/// The connections of one address.
#[derive(Default)]
struct Source {
    /// Those that stay, and those that are told to end.
    staying: usize,
    leaving: usize,
    unbound: BTreeSet<u64>,
}

impl Registry {
    pub(super) fn new(limits: ServerLimits) -> Arc<Self> {
        Arc::new(Self { limits, places: Mutex::default(), freed: Notify::new() })
    }

    /// A panic elsewhere leaves it as consistent as it was: nothing in here calls anyone.
    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection, if need be that of the oldest one without a bind. With what tells it to end at
    /// once, until it is bound.
    pub(super) fn admit(
        self: &Arc<Self>,
        address: SocketAddr,
    ) -> Result<(Arc<Slot>, Arc<Notify>), RejectReason> {
        let source = network(address.ip());
        let mut places = self.places();
        let ServerLimits { connections, connections_per_address: per_address, .. } = self.limits;
        if places.stopping {
            return Err(RejectReason::Stopping);
        }
        if places.leaving.len() >= connections {
            return Err(RejectReason::Connections);
        }
        let here = places.sources.get(&source);
        if here.is_some_and(|here| here.leaving >= per_address) {
            return Err(RejectReason::PerAddress);
        }
        let oldest = if here.is_some_and(|here| here.staying >= per_address) {
            Some(here.and_then(|here| here.unbound.first().copied()).ok_or(RejectReason::PerAddress)?)
        } else if places.connections - places.leaving.len() >= connections {
            Some(places.oldest().ok_or(RejectReason::Connections)?)
        } else {
            None
        };
        if let Some(oldest) = oldest {
            places.dismiss(oldest);
        }
        places.last += 1;
        places.connections += 1;
        let (id, stop) = (places.last, Arc::new(Notify::new()));
        places.unbound.insert(id, Unbound { source, stop: Arc::clone(&stop) });
        let here = places.sources.entry(source).or_default();
        here.staying += 1;
        here.unbound.insert(id);
        Ok((Arc::new(Slot { id, source, registry: Arc::clone(self) }), stop))
    }

    /// A bind that the service has admitted takes one of the account's places, or is refused.
    pub(super) fn bind(&self, bound: &BoundSession, cap: u16) -> Result<(), CommandStatus> {
        // One whose session is over, its task yet to notice, holds no place. Asked without the lock: a session is locked
        // while its observer looks on, who may ask for the binds.
        let account = self.bound(Some(bound.system_id()));
        let over: Vec<_> = account.iter().filter(|other| !other.is_alive()).map(BoundSession::id).collect();
        let mut places = self.places();
        let BindId(id) = bound.id();
        // One that is told to end comes too late.
        let source = places.unbound.get(&id).ok_or(CommandStatus::RBINDFAIL)?.source;
        let account = places.accounts.entry(bound.system_id().into()).or_default();
        let held = account.iter().filter(|other| !over.contains(&other.id())).count();
        if held >= cap.into() {
            return Err(CommandStatus::RALYBND);
        }
        account.push(bound.clone());
        places.unbound.remove(&id);
        if let Some(source) = places.sources.get_mut(&source) {
            source.unbound.remove(&id);
        }
        Ok(())
    }

    /// The bind is over.
    pub(super) fn release(&self, bound: &BoundSession) {
        let mut places = self.places();
        let Some(account) = places.accounts.get_mut(bound.system_id()) else { return };
        account.retain(|other| other.id() != bound.id());
        if account.is_empty() {
            places.accounts.remove(bound.system_id());
        }
    }

    /// The binds of this account, or of all.
    pub(super) fn bound(&self, account: Option<&[u8]>) -> Vec<BoundSession> {
        let places = self.places();
        match account {
            Some(system_id) => places.accounts.get(system_id).cloned().unwrap_or_default(),
            None => places.accounts.values().flatten().cloned().collect(),
        }
    }

    /// How many are connected, bound or not.
    pub(super) fn connections(&self) -> usize {
        self.places().connections
    }

    /// Nobody is let in any more, and who is not bound is told to end: how many those are.
    pub(super) fn stop(&self) -> usize {
        let mut places = self.places();
        places.stopping = true;
        let unbound = places.unbound.len();
        while let Some(oldest) = places.oldest() {
            places.dismiss(oldest);
        }
        unbound
    }

    /// Everyone is told to end.
    pub(super) fn cut(&self) {
        self.stop();
        // Without the lock, as above.
        self.bound(None).iter().for_each(BoundSession::abort);
    }

    /// Waits until nobody is connected.
    pub(super) async fn emptied(&self) {
        loop {
            let freed = self.freed.notified();
            if self.connections() == 0 {
                return;
            }
            freed.await;
        }
    }
}

impl Places {
    /// Of those without a bind.
    fn oldest(&self) -> Option<u64> {
        self.unbound.first_key_value().map(|(id, _)| *id)
    }

    /// Tells a connection without a bind to end, and counts it as one that does.
    fn dismiss(&mut self, id: u64) {
        let Some(Unbound { source, stop }) = self.unbound.remove(&id) else { return };
        self.leaving.insert(id);
        stop.notify_one();
        if let Some(source) = self.sources.get_mut(&source) {
            source.unbound.remove(&id);
            source.staying -= 1;
            source.leaving += 1;
        }
    }

    /// The connection is gone.
    fn remove(&mut self, id: u64, address: IpAddr) {
        self.connections -= 1;
        self.unbound.remove(&id);
        let leaving = self.leaving.remove(&id);
        let Some(source) = self.sources.get_mut(&address) else { return };
        source.unbound.remove(&id);
        if leaving {
            source.leaving -= 1;
        } else {
            source.staying -= 1;
        }
        if source.staying + source.leaving == 0 {
            self.sources.remove(&address);
        }
    }
}

impl Slot {
    pub(super) const fn id(&self) -> BindId {
        BindId(self.id)
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.registry.places().remove(self.id, self.source);
        self.registry.freed.notify_waiters();
    }
}

/// What counts as one address: a customer of IPv6 has a network of 64 bits, at least.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        SocketAddr::new(text.parse().unwrap(), 2775)
    }

    fn stopped((_, stop): &(Arc<Slot>, Arc<Notify>)) -> bool {
        let mut told = std::pin::pin!(stop.notified());
        told.as_mut().enable()
    }

    #[test]
    fn the_oldest_without_a_bind_makes_room() {
        let limits = ServerLimits { connections: 3, connections_per_address: 2, ..ServerLimits::default() };
        let registry = Registry::new(limits);
        let slots: Vec<_> = ["::1", "192.0.2.1", "192.0.2.1"]
            .iter()
            .map(|from| registry.admit(address(from)).unwrap())
            .collect();
        // Of the address that is full its own oldest goes, not the oldest of all.
        let third = registry.admit(address("::ffff:192.0.2.1")).unwrap();
        assert_eq!(slots.iter().map(stopped).collect::<Vec<_>>(), [false, true, false]);
        // Where all is full, the oldest of all.
        let fourth = registry.admit(address("192.0.2.2")).unwrap();
        assert!(stopped(&slots[0]));
        assert_eq!(registry.connections(), 5, "two are leaving");
        drop(slots);
        assert_eq!(registry.connections(), 2);
        drop((third, fourth));
        assert!(registry.places().sources.is_empty() && registry.places().unbound.is_empty());
    }

    #[test]
    fn those_that_do_not_go_keep_others_out_at_twice_the_cap() {
        let registry = Registry::new(ServerLimits {
            connections: 2,
            connections_per_address: 2,
            ..ServerLimits::default()
        });
        let from = address("192.0.2.1");
        let slots: Vec<_> = (0..4).map(|_| registry.admit(from).unwrap()).collect();
        assert_eq!(registry.admit(from).err(), Some(RejectReason::Connections));
        drop(slots);
        assert!(registry.admit(from).is_ok());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let registry = Registry::new(ServerLimits { connections_per_address: 1, ..ServerLimits::default() });
        let first = registry.admit(address("2001:db8::1")).unwrap();
        let _second = registry.admit(address("2001:db8::2:0:0:1")).unwrap();
        assert!(stopped(&first));
        let _other = registry.admit(address("2001:db8:0:1::1")).unwrap();
        assert_eq!(registry.connections(), 3);
    }

    #[test]
    fn a_server_that_stops_lets_nobody_in() {
        let registry = Registry::new(ServerLimits::default());
        let slot = registry.admit(address("192.0.2.1")).unwrap();
        assert_eq!(registry.stop(), 1);
        assert!(stopped(&slot));
        assert_eq!(registry.admit(address("192.0.2.1")).err(), Some(RejectReason::Stopping));
    }
}
