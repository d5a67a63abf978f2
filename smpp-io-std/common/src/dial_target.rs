//! What a dialer of the application gets.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use smpp_proto::Endpoint;

/// Where a dialer of the application connects.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DialTarget {
    /// The host name, the port, and whether the adapter makes a TLS handshake over the transport. It has no credentials.
    pub endpoint: Endpoint,
    /// The address of the host, if the adapter has resolved its name. Otherwise the address that the host itself states,
    /// or `0.0.0.0` if it is a name.
    pub address: SocketAddr,
}

impl DialTarget {
    /// Returns a target of this endpoint.
    #[doc(hidden)]
    pub fn new(endpoint: &Endpoint, address: SocketAddr) -> Self {
        let mut endpoint = endpoint.clone();
        (endpoint.system_id, endpoint.password) = (None, None);
        Self { endpoint, address }
    }
}

/// Returns the address that stands for the endpoint when its name is not resolved.
#[doc(hidden)]
pub fn unresolved(endpoint: &Endpoint) -> SocketAddr {
    let ip = endpoint.host.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    SocketAddr::new(ip, endpoint.port)
}
