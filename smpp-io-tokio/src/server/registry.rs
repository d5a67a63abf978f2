//! The connections of a server: how many there are, which are bound, and which one is closed for a new one.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use smpp_core::CommandStatus;
use tokio::sync::Notify;

use super::bound::{BindId, BoundSession};
use super::limits::{RejectReason, ServerLimits};

/// The slot of one connection. Its transport and its bind hold it; the connection is removed when both have dropped it.
pub(super) struct Slot {
    id: u64,
    /// The address that the connection counts for.
    address: IpAddr,
    registry: Arc<Registry>,
}

/// Counts the connections of a server and lists its binds.
pub(super) struct Registry {
    pub(super) limits: ServerLimits,
    state: Mutex<State>,
    /// Notified when a connection is removed.
    removed: Notify,
}

#[derive(Default)]
struct State {
    last_id: u64,
    stopping: bool,
    /// The number of connections, those that are being closed included.
    connections: usize,
    /// The connections that are being closed.
    closing: HashSet<u64>,
    /// The connections without a bind. The lowest id is the oldest one.
    unbound: BTreeMap<u64, Unbound>,
    addresses: HashMap<IpAddr, AddressState>,
    accounts: HashMap<Box<[u8]>, Vec<BoundSession>>,
}

/// A connection without a bind. It may be closed for a new one.
struct Unbound {
    address: IpAddr,
    stop: Arc<Notify>,
}

/// The connections of one address.
#[derive(Default)]
struct AddressState {
    /// The number of connections that are not being closed.
    open: usize,
    closing: usize,
    unbound: BTreeSet<u64>,
}

impl Registry {
    pub(super) fn new(limits: ServerLimits) -> Arc<Self> {
        Arc::new(Self { limits, state: Mutex::default(), removed: Notify::new() })
    }

    /// Locks the state. A poisoned lock is used as it is: no code of the application runs under it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a connection. If a limit is reached, the oldest connection without a bind is closed for it. Returns the slot,
    /// and the notification that the connection has to close at once, which is used until it is bound.
    pub(super) fn admit(
        self: &Arc<Self>,
        address: SocketAddr,
    ) -> Result<(Arc<Slot>, Arc<Notify>), RejectReason> {
        let address = address_group(address.ip());
        let mut state = self.state();
        let ServerLimits { connections, connections_per_address, .. } = self.limits;
        if state.stopping {
            return Err(RejectReason::Stopping);
        }
        if state.closing.len() >= connections {
            return Err(RejectReason::Connections);
        }
        let same = state.addresses.get(&address);
        if same.is_some_and(|same| same.closing >= connections_per_address) {
            return Err(RejectReason::PerAddress);
        }
        let oldest = if same.is_some_and(|same| same.open >= connections_per_address) {
            Some(same.and_then(|same| same.unbound.first().copied()).ok_or(RejectReason::PerAddress)?)
        } else if state.connections - state.closing.len() >= connections {
            Some(state.oldest_unbound().ok_or(RejectReason::Connections)?)
        } else {
            None
        };
        if let Some(oldest) = oldest {
            state.stop(oldest);
        }
        state.last_id += 1;
        state.connections += 1;
        let (id, stop) = (state.last_id, Arc::new(Notify::new()));
        state.unbound.insert(id, Unbound { address, stop: Arc::clone(&stop) });
        let same = state.addresses.entry(address).or_default();
        same.open += 1;
        same.unbound.insert(id);
        Ok((Arc::new(Slot { id, address, registry: Arc::clone(self) }), stop))
    }

    /// Adds a bind that the service has accepted, unless the account already has `max_binds`.
    pub(super) fn bind(&self, bound: &BoundSession, max_binds: u16) -> Result<(), CommandStatus> {
        // A bind whose session has ended does not count, even if its task has not removed it yet. This is checked without
        // the lock: an observer runs while its session is locked, and may list the binds.
        let account = self.bound(Some(bound.system_id()));
        let ended: Vec<_> = account.iter().filter(|other| !other.is_alive()).map(BoundSession::id).collect();
        let mut state = self.state();
        let BindId(id) = bound.id();
        // A connection that is being closed is not in the list.
        let address = state.unbound.get(&id).ok_or(CommandStatus::RBINDFAIL)?.address;
        let account = state.accounts.entry(bound.system_id().into()).or_default();
        let held = account.iter().filter(|other| !ended.contains(&other.id())).count();
        if held >= max_binds.into() {
            return Err(self.limits.binds_status);
        }
        account.push(bound.clone());
        state.unbound.remove(&id);
        if let Some(address) = state.addresses.get_mut(&address) {
            address.unbound.remove(&id);
        }
        Ok(())
    }

    /// Removes a bind that has ended.
    pub(super) fn release(&self, bound: &BoundSession) {
        let mut state = self.state();
        let Some(account) = state.accounts.get_mut(bound.system_id()) else { return };
        account.retain(|other| other.id() != bound.id());
        if account.is_empty() {
            state.accounts.remove(bound.system_id());
        }
    }

    /// Returns the binds of an account, or of all accounts.
    pub(super) fn bound(&self, account: Option<&[u8]>) -> Vec<BoundSession> {
        let state = self.state();
        match account {
            Some(system_id) => state.accounts.get(system_id).cloned().unwrap_or_default(),
            None => state.accounts.values().flatten().cloned().collect(),
        }
    }

    /// Returns the number of connections, those that are being closed included.
    pub(super) fn connections(&self) -> usize {
        self.state().connections
    }

    /// Rejects new connections from now on, and closes those without a bind. Returns their number.
    pub(super) fn stop(&self) -> usize {
        let mut state = self.state();
        state.stopping = true;
        let unbound = state.unbound.len();
        while let Some(oldest) = state.oldest_unbound() {
            state.stop(oldest);
        }
        unbound
    }

    /// Rejects new connections from now on, and ends all connections at once.
    pub(super) fn abort_all(&self) {
        self.stop();
        // Without the lock, as in `bind`.
        self.bound(None).iter().for_each(BoundSession::abort);
    }

    /// Waits until there is no connection.
    pub(super) async fn all_removed(&self) {
        loop {
            let removed = self.removed.notified();
            if self.connections() == 0 {
                return;
            }
            removed.await;
        }
    }
}

impl State {
    fn oldest_unbound(&self) -> Option<u64> {
        self.unbound.first_key_value().map(|(id, _)| *id)
    }

    /// Lets a connection without a bind close.
    fn stop(&mut self, id: u64) {
        let Some(Unbound { address, stop }) = self.unbound.remove(&id) else { return };
        self.closing.insert(id);
        stop.notify_one();
        if let Some(address) = self.addresses.get_mut(&address) {
            address.unbound.remove(&id);
            address.open -= 1;
            address.closing += 1;
        }
    }

    fn remove(&mut self, id: u64, address: IpAddr) {
        self.connections -= 1;
        self.unbound.remove(&id);
        let was_closing = self.closing.remove(&id);
        let Some(same) = self.addresses.get_mut(&address) else { return };
        same.unbound.remove(&id);
        if was_closing {
            same.closing -= 1;
        } else {
            same.open -= 1;
        }
        if same.open + same.closing == 0 {
            self.addresses.remove(&address);
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
        self.registry.state().remove(self.id, self.address);
        self.registry.removed.notify_waiters();
    }
}

/// Returns the address that a connection counts for: an IPv4 address, or the /64 network of an IPv6 address, the least that
/// a customer has.
fn address_group(address: IpAddr) -> IpAddr {
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
        let mut notified = std::pin::pin!(stop.notified());
        notified.as_mut().enable()
    }

    #[test]
    fn the_oldest_unbound_connection_is_closed_for_a_new_one() {
        let limits = ServerLimits { connections: 3, connections_per_address: 2, ..ServerLimits::default() };
        let registry = Registry::new(limits);
        let slots: Vec<_> = ["::1", "192.0.2.1", "192.0.2.1"]
            .iter()
            .map(|from| registry.admit(address(from)).unwrap())
            .collect();
        // The limit of the address is reached: its oldest connection is closed, not the oldest of all.
        let third = registry.admit(address("::ffff:192.0.2.1")).unwrap();
        assert_eq!(slots.iter().map(stopped).collect::<Vec<_>>(), [false, true, false]);
        // The limit of the server is reached: the oldest of all is closed.
        let fourth = registry.admit(address("192.0.2.2")).unwrap();
        assert!(stopped(&slots[0]));
        assert_eq!(registry.connections(), 5, "two are being closed");
        drop(slots);
        assert_eq!(registry.connections(), 2);
        drop((third, fourth));
        assert!(registry.state().addresses.is_empty() && registry.state().unbound.is_empty());
    }

    #[test]
    fn connections_that_do_not_close_count_up_to_twice_the_limit() {
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
    fn an_ipv6_network_counts_as_one_address() {
        let registry = Registry::new(ServerLimits { connections_per_address: 1, ..ServerLimits::default() });
        let first = registry.admit(address("2001:db8::1")).unwrap();
        let _second = registry.admit(address("2001:db8::2:0:0:1")).unwrap();
        assert!(stopped(&first));
        let _other = registry.admit(address("2001:db8:0:1::1")).unwrap();
        assert_eq!(registry.connections(), 3);
    }

    #[test]
    fn a_server_that_stops_rejects_connections() {
        let registry = Registry::new(ServerLimits::default());
        let slot = registry.admit(address("192.0.2.1")).unwrap();
        assert_eq!(registry.stop(), 1);
        assert!(stopped(&slot));
        assert_eq!(registry.admit(address("192.0.2.1")).err(), Some(RejectReason::Stopping));
    }
}
