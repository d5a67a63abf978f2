//! The limits of a server.

use std::time::Duration;

use smpp_proto::CommandStatus;
use smpp_proto::server::{BindLimits, DeliveryOptions, Options};
use smpp_proto::session::Rate;

/// How many connections and binds a server accepts, how fast a bind may send, and how many deliveries wait.
///
/// When a connection limit is reached, a new connection replaces the oldest one that is not bound: connections without a
/// bind cannot keep an ESME out. Bound connections are never closed for others.
///
/// ```
/// use smpp_proto::session::Rate;
/// use smpp_common::ServerLimits;
///
/// let limits = ServerLimits::default().binds_per_account(4).rate(Rate::per_second(50));
/// assert_eq!(limits.connections, 1000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerLimits {
    /// Open connections, bound or not. Connections that are being closed do not count; with them there may be twice as many.
    /// Set it below half the number of files that the process may open. Default 1,000.
    pub connections: usize,
    /// As `connections`, for one IP address; for IPv6, for one /64 network. Default 100.
    pub connections_per_address: usize,
    /// Open connections without a bind. Above it a new connection replaces the oldest of them. 0 counts as 1. Default 1,000.
    pub unbound_connections: usize,
    /// The octets that all connections without a bind hold together: incomplete PDUs, and responses that have not left. TLS
    /// has buffers of its own. Above it the oldest of them is closed. Default 1 MiB.
    pub unbound_octets: usize,
    /// The largest PDU in octets before the bind; never more than [`Config::max_pdu`](smpp_proto::session::Config::max_pdu). A
    /// bind has at most 103 octets without TLVs. Default 1,024.
    pub unbound_pdu: usize,
    /// Simultaneous binds of an account. Further ones are refused with [`binds_status`](Self::binds_status). Only binds that
    /// the application has accepted count. Default 10.
    pub binds_per_account: u16,
    /// The status of a bind above `binds_per_account`, or above
    /// [`Admission::binds`](smpp_proto::server::Admission::binds). Default `ESME_RALYBND`.
    pub binds_status: CommandStatus,
    /// The rate limit of a bind: messages in any sliding second, with a tolerance for network jitter (see
    /// [`RateMeter`](smpp_proto::session::RateMeter)). A submit_multi counts as many messages as it has destinations. Messages
    /// above it are refused with [`rate_status`](Self::rate_status). Default none.
    pub rate: Option<Rate>,
    /// As `rate`, for all binds of an account together. Default none.
    pub account_rate: Option<Rate>,
    /// The status of a message above a rate limit. Default `ESME_RTHROTTLED`.
    pub rate_status: CommandStatus,
    /// How long `Service::bind` may take; never longer than what is left of
    /// [`session_init_timeout`](smpp_proto::session::Config::session_init_timeout). Default 5 s.
    pub decision_timeout: Duration,
    /// The bounds of the delivery queues.
    pub deliveries: DeliveryOptions,
    /// How many calls of `Service::request` may go on after the end of their session. In `smpp-tokio`, above it the futures
    /// of a session are dropped with it. In `smpp-std` a call that runs cannot be stopped; above it the requests that wait
    /// for one are dropped, and each call also keeps its connection among those that are being closed. Default 10,000.
    pub detached_requests: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl ServerLimits {
    /// The default, for constants.
    pub const DEFAULT: Self = Self {
        connections: 1000,
        connections_per_address: 100,
        unbound_connections: 1000,
        unbound_octets: 1024 * 1024,
        unbound_pdu: 1024,
        binds_per_account: 10,
        binds_status: CommandStatus::RALYBND,
        rate: None,
        account_rate: None,
        rate_status: CommandStatus::RTHROTTLED,
        decision_timeout: Duration::from_secs(5),
        deliveries: DeliveryOptions::DEFAULT,
        detached_requests: 10_000,
    };

    smpp_proto::setters! {
        const connections: usize,
        const connections_per_address: usize,
        const unbound_connections: usize,
        const unbound_octets: usize,
        const unbound_pdu: usize,
        const binds_per_account: u16,
        const binds_status: CommandStatus,
        rate: impl Into<Option<Rate>>,
        account_rate: impl Into<Option<Rate>>,
        const rate_status: CommandStatus,
        const decision_timeout: Duration,
        const deliveries: DeliveryOptions,
        const detached_requests: usize,
    }

    /// Returns these limits as the options of a [`Registry`](smpp_proto::server::Registry).
    pub fn options(&self) -> Options {
        Options::default()
            .connections(self.connections)
            .connections_per_address(self.connections_per_address)
            .unbound_connections(self.unbound_connections)
            .unbound_octets(self.unbound_octets)
            .unbound_pdu(self.unbound_pdu)
            .binds(BindLimits::total(self.binds_per_account))
            .binds_status(self.binds_status)
            .rate(self.rate)
            .account_rate(self.account_rate)
            .rate_status(self.rate_status)
            .decision_timeout(self.decision_timeout)
            .deliveries(self.deliveries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_that_of_the_core() {
        assert_eq!(ServerLimits::DEFAULT.options(), Options::default());
    }
}
