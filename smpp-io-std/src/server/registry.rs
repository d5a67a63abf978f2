//! The connections of a server, and the limits on their number.

use std::collections::HashMap;
use std::net::IpAddr;

use smpp_core::CommandStatus;

use super::service::BoundSession;
use crate::handle::Peer;

/// Limits on the connections and binds of a [`Server`](crate::Server).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// The most connections at a time, bound or not. A further one is closed as soon as it is accepted. Default 1,000.
    pub connections: usize,
    /// The most connections at a time from one IP address. A further one is closed as soon as it is accepted. Default 100.
    pub connections_per_address: usize,
    /// The most binds at a time with one system_id. A further one is refused with [`binds_status`](Self::binds_status).
    /// Default 10.
    pub binds_per_account: u16,
    /// The status of a bind above `binds_per_account`. Default `ESME_RALYBND`.
    pub binds_status: CommandStatus,
}

impl Default for ServerLimits {
    fn default() -> Self {
        let binds_status = CommandStatus::RALYBND;
        Self { connections: 1000, connections_per_address: 100, binds_per_account: 10, binds_status }
    }
}

/// The open connections of a server. Its lock is never held while the lock of a session is taken: an observer may block
/// that one.
#[derive(Default)]
pub(super) struct ConnectionRegistry {
    pub(super) all: HashMap<u64, Connection>,
    last_number: u64,
    /// Counts deliveries, so that the binds of an account receive in turn.
    deliveries: usize,
}

pub(super) struct Connection {
    address: IpAddr,
    /// The session, as soon as there is one: also before the bind.
    pub(super) peer: Option<Peer>,
    bound: Option<BoundSession>,
}

impl ConnectionRegistry {
    /// Registers a connection and returns its number, unless a limit is reached.
    pub(super) fn register(&mut self, address: IpAddr, limits: ServerLimits) -> Option<u64> {
        let same_address = self.all.values().filter(|connection| connection.address == address).count();
        if self.all.len() >= limits.connections || same_address >= limits.connections_per_address {
            return None;
        }
        self.last_number += 1;
        self.all.insert(self.last_number, Connection { address, peer: None, bound: None });
        Some(self.last_number)
    }

    /// Returns the sessions whose bind was admitted, answered or not. They count towards the limit of binds.
    pub(super) fn admitted(&self) -> impl Iterator<Item = &BoundSession> {
        self.all.values().filter_map(|connection| connection.bound.as_ref())
    }

    /// Registers the bind of a connection, unless its system_id has `limit` binds. Returns whether it did.
    pub(super) fn bind(&mut self, number: u64, bound: &BoundSession, limit: u16) -> bool {
        let same = self.admitted().filter(|other| other.system_id == bound.system_id).count();
        if same >= limit.into() {
            return false;
        }
        if let Some(connection) = self.all.get_mut(&number) {
            connection.bound = Some(bound.clone());
        }
        true
    }

    /// Returns the number of the next delivery, and the sessions of the account.
    pub(super) fn next_delivery(&mut self, system_id: &[u8]) -> (usize, Vec<BoundSession>) {
        self.deliveries = self.deliveries.wrapping_add(1);
        let account = self.admitted().filter(|bound| bound.system_id() == system_id);
        (self.deliveries, account.cloned().collect())
    }
}
