//! The table of connections: how many there are of each address, which are bound, and which one makes room for a new one.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use super::connection::{ConnectionId, RejectReason, address_group};
use super::options::Options;
use crate::pdu::BindMode;
use crate::time::Instant;

/// The index that ends a chain.
const NONE: u32 = u32::MAX;

/// One connection.
#[derive(Debug)]
pub(super) struct Entry {
    number: u64,
    /// The address of the client; that of the proxy while the client's is not known.
    pub(super) address: SocketAddr,
    /// Whether a proxy states the address of the client, and has not done so yet.
    pub(super) is_unidentified: bool,
    pub(super) phase: Phase,
}

/// What connections are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    Address(IpAddr),
    /// The address of the client is not known yet. They have no limit of their own.
    Unidentified,
}

impl Group {
    pub(super) fn of(address: SocketAddr) -> Self {
        Self::Address(address_group(address.ip()))
    }
}

impl Entry {
    /// Returns whether it waits for the address of its client.
    pub(super) const fn is_unidentified(&self) -> bool {
        self.is_unidentified && matches!(self.phase, Phase::Unbound(_))
    }

    fn group(&self) -> Group {
        if self.is_unidentified { Group::Unidentified } else { Group::of(self.address) }
    }
}

#[derive(Debug)]
pub(super) enum Phase {
    Unbound(Unbound),
    Bound(Bound),
    /// The adapter closes it.
    Closing,
}

/// A connection without a bind. It may be closed for a new one.
#[derive(Debug, Default)]
pub(super) struct Unbound {
    /// The octets that it holds.
    octets: usize,
    /// Until when the application has to decide on its bind, if it has sent one.
    pub(super) decision: Option<Instant>,
    /// Whether its bind was refused.
    pub(super) is_refused: bool,
}

/// A bind.
#[derive(Debug)]
pub(super) struct Bound {
    /// The index of its account.
    pub(super) account: u32,
    pub(super) mode: BindMode,
    /// The most deliveries that may be in flight on it.
    pub(super) window: u16,
    /// The deliveries that are assigned to it, sent or not, and have no outcome.
    pub(super) in_flight: u16,
    /// Whether the adapter sends what is assigned.
    pub(super) has_sender: bool,
    pub(super) availability: Availability,
    /// Until when the rate limit of its session blocks it; zero if it does not.
    pub(super) blocked_until: Instant,
    /// Its place among the binds of its account.
    members: Link,
    /// Its place among those that take a delivery.
    ready: Link,
}

/// Whether a bind takes a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Availability {
    /// It takes one, and none is in flight.
    Idle,
    /// It takes one, and others are in flight.
    Busy,
    /// As many are in flight as may be.
    Full,
    /// Its bind is not answered yet, or its session has refused one for now.
    Blocked,
    /// It is a transmitter, or no longer bound.
    Never,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    previous: u32,
    next: u32,
}

/// A doubly linked list of binds, threaded through the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    head: u32,
    tail: u32,
}

/// Which chain a bind is in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Chained {
    Members,
    Ready,
}

/// The connections of one address.
#[derive(Debug, Default)]
struct AddressState {
    /// The number of connections that are not being closed.
    open: usize,
    closing: usize,
    unbound: BTreeSet<(u64, u32)>,
}

/// The connections of a server.
#[derive(Default)]
pub(super) struct ConnectionTable {
    slots: Vec<Option<Box<Entry>>>,
    free: Vec<u32>,
    last_number: u64,
    /// The number of connections that are not being closed.
    open: usize,
    closing: usize,
    /// The connections without a bind. The lowest number is the oldest one.
    unbound: BTreeMap<u64, u32>,
    unbound_octets: usize,
    addresses: BTreeMap<Group, AddressState>,
    /// Counts look-ups, so that tests see what an operation costs.
    #[cfg(test)]
    lookups: core::cell::Cell<u64>,
}

impl Link {
    const NONE: Self = Self { previous: NONE, next: NONE };
}

impl Chain {
    pub(super) const EMPTY: Self = Self { head: NONE, tail: NONE };

    /// Returns the first bind.
    pub(super) const fn first(self) -> Option<u32> {
        if self.head == NONE { None } else { Some(self.head) }
    }
}

impl Bound {
    pub(super) const fn new(account: u32, mode: BindMode, window: u16) -> Self {
        // Its session is not bound yet.
        let availability = if mode.receives() { Availability::Blocked } else { Availability::Never };
        Self {
            account,
            mode,
            window: if window == 0 { 1 } else { window },
            in_flight: 0,
            has_sender: false,
            availability,
            blocked_until: Instant::ZERO,
            members: Link::NONE,
            ready: Link::NONE,
        }
    }

    const fn link(&mut self, chained: Chained) -> &mut Link {
        match chained {
            Chained::Members => &mut self.members,
            Chained::Ready => &mut self.ready,
        }
    }
}

impl ConnectionTable {
    #[cfg(test)]
    pub(super) fn take_lookups(&self) -> u64 {
        self.lookups.take()
    }

    #[cfg(test)]
    fn count_lookup(&self) {
        self.lookups.set(self.lookups.get() + 1);
    }

    fn slot(&self, index: usize) -> Option<&Entry> {
        #[cfg(test)]
        self.count_lookup();
        self.slots.get(index)?.as_deref()
    }

    fn slot_mut(&mut self, index: usize) -> Option<&mut Entry> {
        #[cfg(test)]
        self.count_lookup();
        self.slots.get_mut(index)?.as_deref_mut()
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Entry> {
        self.slot(id.index()).filter(|entry| entry.number == id.number)
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Entry> {
        self.slot_mut(id.index()).filter(|entry| entry.number == id.number)
    }

    /// Returns the id of the connection in this slot.
    pub(super) fn id(&self, index: u32) -> Option<ConnectionId> {
        let entry = self.slot(index as usize)?;
        Some(ConnectionId { number: entry.number, index })
    }

    /// Returns the bind in this slot.
    pub(super) fn bound(&mut self, index: u32) -> Option<&mut Bound> {
        match &mut self.slot_mut(index as usize)?.phase {
            Phase::Bound(bound) => Some(bound),
            _ => None,
        }
    }

    /// Returns the bind with this id.
    pub(super) fn bind_of(&mut self, id: ConnectionId) -> Option<&mut Bound> {
        match &mut self.get_mut(id)?.phase {
            Phase::Bound(bound) => Some(bound),
            _ => None,
        }
    }

    pub(super) fn unbound(&mut self, id: ConnectionId) -> Option<&mut Unbound> {
        match &mut self.get_mut(id)?.phase {
            Phase::Unbound(unbound) => Some(unbound),
            _ => None,
        }
    }

    /// Returns the number of connections, without those that are being closed, and of those.
    pub(super) const fn len(&self) -> (usize, usize) {
        (self.open, self.closing)
    }

    pub(super) fn unbound_len(&self) -> usize {
        self.unbound.len()
    }

    pub(super) const fn unbound_octets(&self) -> usize {
        self.unbound_octets
    }

    /// Returns which connection a new one of this group replaces, if a limit is reached.
    pub(super) fn replaced(
        &self,
        options: &Options,
        group: Group,
    ) -> Result<Option<ConnectionId>, RejectReason> {
        if self.closing >= options.connections {
            return Err(RejectReason::Connections);
        }
        if let Some(replaced) = self.replaced_in(options, group)? {
            return Ok(Some(replaced));
        }
        if self.open >= options.connections {
            return Ok(Some(self.oldest_unbound().ok_or(RejectReason::Connections)?));
        }
        let is_full = self.unbound.len() >= options.unbound_connections.max(1);
        Ok(if is_full { self.oldest_unbound() } else { None })
    }

    /// Returns which connection another one of this group replaces, if the limit of an address is reached.
    pub(super) fn replaced_in(
        &self,
        options: &Options,
        group: Group,
    ) -> Result<Option<ConnectionId>, RejectReason> {
        if group == Group::Unidentified {
            return Ok(None);
        }
        if let Some(same) = self.addresses.get(&group) {
            if same.closing >= options.connections_per_address {
                return Err(RejectReason::PerAddress);
            }
            if same.open >= options.connections_per_address {
                let (number, index) = *same.unbound.first().ok_or(RejectReason::PerAddress)?;
                return Ok(Some(ConnectionId { number, index }));
            }
        } else if options.connections_per_address == 0 {
            return Err(RejectReason::PerAddress);
        }
        Ok(None)
    }

    pub(super) fn oldest_unbound(&self) -> Option<ConnectionId> {
        self.unbound.first_key_value().map(|(number, index)| ConnectionId { number: *number, index: *index })
    }

    /// Adds a connection without a bind. `address` is that of the proxy if the client's is not known.
    pub(super) fn insert(&mut self, address: SocketAddr, is_unidentified: bool) -> ConnectionId {
        self.last_number += 1;
        let number = self.last_number;
        let phase = Phase::Unbound(Unbound::default());
        let entry = Entry { number, address, is_unidentified, phase };
        let group = entry.group();
        let entry = Some(Box::new(entry));
        let index = if let Some(index) = self.free.pop() {
            if let Some(slot) = self.slots.get_mut(index as usize) {
                *slot = entry;
            }
            index
        } else {
            self.slots.push(entry);
            self.slots.len() as u32 - 1
        };
        self.open += 1;
        self.unbound.insert(number, index);
        let same = self.addresses.entry(group).or_default();
        same.open += 1;
        same.unbound.insert((number, index));
        ConnectionId { number, index }
    }

    /// Counts a connection without a bind for the address of its client.
    pub(super) fn identify(&mut self, id: ConnectionId, client: SocketAddr) {
        let Some(entry) = self.get_mut(id) else { return };
        entry.address = client;
        entry.is_unidentified = false;
        let unbound = (id.number, id.index);
        if let Some(before) = self.addresses.get_mut(&Group::Unidentified) {
            before.open -= 1;
            before.unbound.remove(&unbound);
        }
        let same = self.addresses.entry(Group::of(client)).or_default();
        same.open += 1;
        same.unbound.insert(unbound);
    }

    /// Sets how many octets a connection without a bind holds.
    pub(super) fn set_octets(&mut self, id: ConnectionId, octets: usize) {
        let Some(unbound) = self.unbound(id) else { return };
        let before = core::mem::replace(&mut unbound.octets, octets);
        self.unbound_octets = self.unbound_octets.saturating_sub(before).saturating_add(octets);
    }

    /// Makes a connection without a bind a bind.
    pub(super) fn bind(&mut self, id: ConnectionId, bound: Bound) {
        self.remove_unbound(id);
        if let Some(entry) = self.get_mut(id) {
            entry.phase = Phase::Bound(bound);
        }
    }

    fn remove_unbound(&mut self, id: ConnectionId) {
        self.set_octets(id, 0);
        let Some(group) = self.get(id).map(Entry::group) else { return };
        self.unbound.remove(&id.number);
        if let Some(same) = self.addresses.get_mut(&group) {
            same.unbound.remove(&(id.number, id.index));
        }
    }

    /// Marks a connection as being closed. Returns what it was.
    pub(super) fn close(&mut self, id: ConnectionId) -> Option<Phase> {
        self.remove_unbound(id);
        let entry = self.get_mut(id)?;
        let phase = core::mem::replace(&mut entry.phase, Phase::Closing);
        if matches!(phase, Phase::Closing) {
            return Some(phase);
        }
        let group = entry.group();
        self.open -= 1;
        self.closing += 1;
        if let Some(same) = self.addresses.get_mut(&group) {
            same.open -= 1;
            same.closing += 1;
        }
        Some(phase)
    }

    /// Removes a connection that is being closed.
    pub(super) fn remove(&mut self, id: ConnectionId) {
        let Some(slot) = self.slots.get_mut(id.index()) else { return };
        let Some(entry) = slot.take_if(|entry| entry.number == id.number) else { return };
        self.free.push(id.index);
        self.closing -= 1;
        let group = entry.group();
        if let Some(same) = self.addresses.get_mut(&group) {
            same.closing -= 1;
            if same.open + same.closing == 0 {
                self.addresses.remove(&group);
            }
        }
    }

    /// Appends a bind to a chain.
    pub(super) fn push_back(&mut self, chain: &mut Chain, chained: Chained, index: u32) {
        let previous = chain.tail;
        if let Some(bound) = self.bound(index) {
            *bound.link(chained) = Link { previous, next: NONE };
            chain.tail = index;
            match self.bound(previous) {
                Some(bound) => bound.link(chained).next = index,
                None => chain.head = index,
            }
        }
    }

    /// Removes a bind from the chain that it is in.
    pub(super) fn unlink(&mut self, chain: &mut Chain, chained: Chained, index: u32) {
        let Some(bound) = self.bound(index) else { return };
        let Link { previous, next } = core::mem::replace(bound.link(chained), Link::NONE);
        match self.bound(previous) {
            Some(bound) => bound.link(chained).next = next,
            None => chain.head = next,
        }
        match self.bound(next) {
            Some(bound) => bound.link(chained).previous = previous,
            None => chain.tail = previous,
        }
    }

    /// Returns the bind after this one in its chain.
    pub(super) fn next(&self, chained: Chained, index: u32) -> Option<u32> {
        let Phase::Bound(bound) = &self.slot(index as usize)?.phase else { return None };
        let link = match chained {
            Chained::Members => bound.members,
            Chained::Ready => bound.ready,
        };
        (link.next != NONE).then_some(link.next)
    }
}
