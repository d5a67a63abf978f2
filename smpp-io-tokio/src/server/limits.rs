//! The limits of a server.

use std::fmt;
use std::time::Duration;

use smpp_core::CommandStatus;
use smpp_core::session::Rate;

/// How many connections and binds a server accepts, and how fast a bind may send.
///
/// When a connection limit is reached, a new connection replaces the oldest one that is not bound: connections without a
/// bind cannot keep an ESME out. Bound connections are never closed for others.
///
/// ```
/// use smpp_core::session::Rate;
/// use smpp_io_tokio::ServerLimits;
///
/// let limits = ServerLimits {
///     binds_per_account: 4,
///     rate: Some(Rate::per_second(50)),
///     ..ServerLimits::default()
/// };
/// assert_eq!(limits.connections, 1000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Open connections, bound or not. Connections that are being closed do not count; there may be as many of those again.
    /// Set it below half the number of files that the process may open. Default 1,000.
    pub connections: usize,
    /// As `connections`, for one IP address; for IPv6, for one /64 network. Default 100.
    pub connections_per_address: usize,
    /// Simultaneous binds of an account. Further ones are refused with [`binds_status`](Self::binds_status). Only binds that
    /// the [`Service`](super::Service) has accepted count. Default 10.
    pub binds_per_account: u16,
    /// The status of a bind above `binds_per_account`, or above [`Admission::binds`](super::Admission::binds). Default
    /// `ESME_RALYBND`.
    pub binds_status: CommandStatus,
    /// The rate limit of a bind: messages in any sliding second, with a tolerance for network jitter (see
    /// [`RateMeter`](smpp_core::session::RateMeter)). Messages above it are refused with
    /// [`rate_status`](Self::rate_status). Default none.
    pub rate: Option<Rate>,
    /// The status of a message above the rate limit. Default `ESME_RTHROTTLED`.
    pub rate_status: CommandStatus,
    /// How long [`Service::bind`](super::Service::bind) may take; never longer than what is left of
    /// [`session_init_timeout`](smpp_core::session::Config::session_init_timeout). Default 5 s.
    pub decision_timeout: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections: 1000,
            connections_per_address: 100,
            binds_per_account: 10,
            binds_status: CommandStatus::RALYBND,
            rate: None,
            rate_status: CommandStatus::RTHROTTLED,
            decision_timeout: Duration::from_secs(5),
        }
    }
}

/// Why a server rejects a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectReason {
    /// [`ServerLimits::connections`] is reached.
    Connections,
    /// [`ServerLimits::connections_per_address`] is reached.
    PerAddress,
    /// The server is shutting down.
    Stopping,
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connections => "the limit of connections is reached",
            Self::PerAddress => "the limit of connections per address is reached",
            Self::Stopping => "the server is shutting down",
        })
    }
}
