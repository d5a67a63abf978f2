//! The connections of a server as the caller sees them: their ids, and why they are rejected or end.

use alloc::sync::Arc;
use core::fmt;
use core::net::{IpAddr, Ipv6Addr};

use crate::pdu::CommandStatus;
use crate::session::CloseReason;

/// Identifies one connection, and its bind once it is bound. A server never uses an id twice; a later connection has a
/// greater one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId {
    pub(super) number: u64,
    pub(super) index: u32,
}

impl ConnectionId {
    /// Returns the index of the connection in a table of the caller: below the most connections that were open at once. It
    /// is used again after [`handle_closed`](super::Server::handle_closed).
    pub const fn index(self) -> usize {
        self.index as usize
    }
}

/// The number of the connection, from 1.
impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

/// The name of an account: its binds share limits, a rate and a delivery queue. Cheap to clone.
///
/// By default it is the system_id of the bind, as it is. An application that ignores the case of a system_id names the account
/// in one spelling, so that another spelling does not have limits of its own.
///
/// ```
/// use smpp_proto::server::AccountName;
/// let name = AccountName::new(&b"Shop".to_ascii_lowercase());
/// assert_eq!((name.as_bytes(), name.to_string()), (&b"shop"[..], "shop".to_string()));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName(Arc<[u8]>);

impl AccountName {
    /// Creates a name from these octets.
    pub fn new(name: &[u8]) -> Self {
        Self(name.into())
    }

    /// Returns the octets of the name.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl core::borrow::Borrow<[u8]> for AccountName {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// Escaped.
impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.escape_ascii().fmt(f)
    }
}

impl fmt::Debug for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountName({self})")
    }
}

/// Why a server rejects a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectReason {
    /// [`Options::connections`](super::Options::connections) is reached, and all are bound or being closed.
    Connections,
    /// [`Options::connections_per_address`](super::Options::connections_per_address) is reached, and all of the address are
    /// bound or being closed.
    PerAddress,
    /// The server is shutting down.
    Stopping,
    /// It was closed for a newer connection when a limit was reached, before its PROXY protocol header was complete.
    Replaced,
    /// The listener expects the PROXY protocol, and the address is in no network that is trusted to speak it.
    UntrustedProxy,
    /// The header of the PROXY protocol cannot be used.
    ProxyHeader(ProxyHeaderError),
    /// The server could not start a thread for it. Only the server of `smpp-std` has a thread for each connection.
    NoThread,
}

impl RejectReason {
    /// Returns the reason of a connection that ends before the address of its client is known.
    pub(super) const fn of_unidentified(reason: NotBoundReason) -> Self {
        match reason {
            NotBoundReason::Replaced | NotBoundReason::Octets => Self::Replaced,
            NotBoundReason::Stopping => Self::Stopping,
            NotBoundReason::Session(CloseReason::SessionInit) => Self::ProxyHeader(ProxyHeaderError::Timeout),
            NotBoundReason::BindRefused | NotBoundReason::Session(_) | NotBoundReason::Closed => {
                Self::ProxyHeader(ProxyHeaderError::Disconnected)
            }
        }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connections => "the limit of connections is reached",
            Self::PerAddress => "the limit of connections per address is reached",
            Self::Stopping => "the server is shutting down",
            Self::Replaced => "closed for a newer connection before its PROXY protocol header was complete",
            Self::UntrustedProxy => "the address is not trusted to speak the PROXY protocol",
            Self::ProxyHeader(error) => return error.fmt(f),
            Self::NoThread => "the server could not start a thread for it",
        })
    }
}

impl core::error::Error for RejectReason {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::ProxyHeader(error) => Some(error),
            _ => None,
        }
    }
}

/// Why the header of the PROXY protocol, which a proxy sends before the octets of the client, cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyHeaderError {
    /// The first octets are no valid header of version 1 or 2: for example, the proxy does not send one.
    Malformed,
    /// The header is longer than the listener accepts.
    TooLong,
    /// The header was not complete in time.
    Timeout,
    /// The connection ended before the header was complete.
    Disconnected,
}

impl fmt::Display for ProxyHeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => {
                "the connection does not begin with a valid PROXY protocol header: check that the proxy sends one"
            }
            Self::TooLong => "the PROXY protocol header is too long",
            Self::Timeout => "the PROXY protocol header was not complete in time",
            Self::Disconnected => "the connection ended before the PROXY protocol header was complete",
        })
    }
}

impl core::error::Error for ProxyHeaderError {}

/// Why a connection ended before it was bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotBoundReason {
    /// It was closed for a newer connection: it was the oldest one without a bind when a limit was reached.
    Replaced,
    /// The connections without a bind held more than [`Options::unbound_octets`](super::Options::unbound_octets), and it was
    /// the oldest of them.
    Octets,
    /// The server is shutting down.
    Stopping,
    /// Its bind was refused.
    BindRefused,
    /// The session ended: for example [`SessionInit`](CloseReason::SessionInit), no bind in time.
    Session(CloseReason),
    /// The adapter closed the connection before its session ended.
    Closed,
}

impl fmt::Display for NotBoundReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Replaced => "closed for a newer connection",
            Self::Octets => "closed because connections without a bind held too many octets",
            Self::Stopping => "the server is shutting down",
            Self::BindRefused => "its bind was refused",
            Self::Session(reason) => return reason.fmt(f),
            Self::Closed => "the connection was closed",
        })
    }
}

impl core::error::Error for NotBoundReason {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Session(reason) => Some(reason),
            _ => None,
        }
    }
}

/// Why a bind was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BindRefusal {
    /// The application refused it with this status.
    Application(CommandStatus),
    /// The account has as many binds as it may: [`BindLimits::total`](super::BindLimits::total).
    TooManyBinds,
    /// The account has as many binds of this mode as it may.
    TooManyOfMode,
    /// The application did not decide within [`Options::decision_timeout`](super::Options::decision_timeout).
    Undecided,
    /// The connection ended before the decision, or is being closed.
    Ended,
    /// The server is shutting down.
    Stopping,
}

impl fmt::Display for BindRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Application(_) => "by the application",
            Self::TooManyBinds => "the limit of binds is reached",
            Self::TooManyOfMode => "the limit of binds of this mode is reached",
            Self::Undecided => "no decision within decision_timeout",
            Self::Ended => "the connection has ended",
            Self::Stopping => "the server is shutting down",
        })
    }
}

impl core::error::Error for BindRefusal {}

/// Returns the address that a connection counts for: an IPv4 address, or the /64 network of an IPv6 address, the least that
/// a customer has.
pub(super) fn address_group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address @ IpAddr::V4(_) => address,
    }
}
