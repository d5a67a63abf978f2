//! The counters of a server.

use super::delivery::DeliveryOutcome;
use super::event::Event;

/// The counters of a server since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Accepted connections.
    pub connected: u64,
    /// Connections that were closed at once.
    pub rejected: u64,
    /// Connections that ended without a bind.
    pub not_bound: u64,
    /// Binds.
    pub bound: u64,
    /// Refused binds.
    pub binds_refused: u64,
    /// Binds that have ended.
    pub ended: u64,
    /// How often a bind has reached a rate limit.
    pub throttled: u64,
    /// Deliveries that an ESME has accepted.
    pub deliveries_accepted: u64,
    /// Deliveries that ended otherwise.
    pub deliveries_failed: u64,
}

/// The counters of a server, and what there is now. [`Server::stats`](super::Server::stats) returns them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// The counters since the start.
    pub counters: Counters,
    /// Bound connections.
    pub bound: usize,
    /// Open connections without a bind.
    pub unbound: usize,
    /// Connections that are being closed.
    pub closing: usize,
    /// The octets that connections without a bind hold.
    pub unbound_octets: usize,
    /// Accounts with a bind or a delivery.
    pub accounts: usize,
    /// Deliveries without an outcome.
    pub deliveries: usize,
    /// The octets of their PDUs.
    pub delivery_octets: usize,
}

impl Counters {
    pub(super) const fn record(&mut self, event: &Event) {
        let counter = match event {
            Event::Connected { .. } => &mut self.connected,
            Event::Rejected { .. } => &mut self.rejected,
            Event::NotBound { .. } => &mut self.not_bound,
            Event::BindRefused { .. } => &mut self.binds_refused,
            Event::Bound { .. } => &mut self.bound,
            Event::Throttled { .. } => &mut self.throttled,
            Event::Ended { .. } => &mut self.ended,
            Event::Delivery { outcome: DeliveryOutcome::Accepted(_), .. } => &mut self.deliveries_accepted,
            Event::Delivery { .. } => &mut self.deliveries_failed,
            Event::Closed | Event::Lagged { .. } => return,
        };
        *counter += 1;
    }
}
