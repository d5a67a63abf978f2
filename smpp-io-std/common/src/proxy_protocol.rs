//! The PROXY protocol, versions 1 and 2: a proxy states the address of the client before the client's octets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proxy_header::{ParseConfig, ProxyHeader};
use smpp_proto::server::ProxyHeaderError;

use crate::network::Network;

/// The longest header that is accepted by default. A version 2 header may carry, for example, the client's certificate.
const MAX_HEADER: usize = 4096;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Accepts the PROXY protocol on a listener, versions 1 and 2, from proxies in trusted networks.
///
/// A proxy or load balancer in front of a server sends a header with the address of the client, before TLS. This address is then
/// the one that counts: for the limits of connections per address, in events, and as that of the peer. The header is required
/// from every connection that a trusted address makes. Octets after the header are not read with it, and extensions of version 2
/// (TLVs) are not used.
///
/// The transport's address stays if the header states none: version 1 with `UNKNOWN`; version 2 with the command `LOCAL` (health
/// checks of the proxy), the address family `AF_UNSPEC` (0x00), or the address of a Unix socket.
///
/// A connection from elsewhere is refused, unless [`accept_direct`](Self::accept_direct) is set. Every connection on a Unix socket
/// is trusted: the permissions of its file decide who connects.
///
/// ```
/// # use smpp_common::ProxyProtocol;
/// let proxies = ["10.0.0.0/8".parse()?, "2001:db8::1".parse()?];
/// let proxy_protocol = ProxyProtocol::from_trusted(proxies);
/// # drop(proxy_protocol);
/// # Ok::<(), smpp_common::NetworkError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ProxyProtocol {
    trusted: Arc<[Network]>,
    accept_direct: bool,
    max_header: usize,
    timeout: Duration,
}

/// What a listener with the PROXY protocol does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum Arrival {
    /// It begins with the octets of the client.
    Direct,
    /// It begins with a header.
    Proxied,
    /// It is refused.
    Untrusted,
}

impl ProxyProtocol {
    /// Trusts the proxies in these networks.
    pub fn from_trusted(networks: impl IntoIterator<Item = Network>) -> Self {
        Self {
            trusted: networks.into_iter().collect(),
            accept_direct: false,
            max_header: MAX_HEADER,
            timeout: TIMEOUT,
        }
    }

    /// Sets whether a connection from an address that is not trusted is accepted without a header, with its own address. It is
    /// for listeners that proxies and clients share. Default: no.
    #[must_use]
    pub fn accept_direct(self, accept_direct: bool) -> Self {
        Self { accept_direct, ..self }
    }

    /// Sets the longest header in octets. A header of version 1 has at most 107. Default 4,096.
    #[must_use]
    pub fn max_header(self, octets: usize) -> Self {
        Self { max_header: octets, ..self }
    }

    /// Sets how long the header may take; never longer than
    /// [`session_init_timeout`](smpp_proto::session::Config::session_init_timeout). Default 5 s.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Returns what happens to a connection from this address.
    #[doc(hidden)]
    pub fn arrival(&self, address: SocketAddr) -> Arrival {
        if self.trusted.iter().any(|network| network.contains(address.ip())) {
            Arrival::Proxied
        } else if self.accept_direct {
            Arrival::Direct
        } else {
            Arrival::Untrusted
        }
    }

    /// Returns how long the header may take.
    #[doc(hidden)]
    pub const fn header_timeout(&self) -> Duration {
        self.timeout
    }

    /// Returns a reader of one header.
    #[doc(hidden)]
    pub const fn reader(&self) -> ProxyHeaderReader {
        ProxyHeaderReader { octets: Vec::new(), length: 0, max_header: self.max_header }
    }
}

/// Reads a header, and no octet after it. It is sans-IO: the adapter reads into [`space`](Self::space), and reports it with
/// [`advance`](Self::advance).
#[derive(Debug)]
#[doc(hidden)]
pub struct ProxyHeaderReader {
    octets: Vec<u8>,
    /// How many of them have arrived.
    length: usize,
    max_header: usize,
}

/// What a reader has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum HeaderProgress {
    /// The header is incomplete.
    Incomplete,
    /// The header is complete, and states this address of the client, or none.
    Complete(Option<SocketAddr>),
}

impl ProxyHeaderReader {
    const SIGNATURE: &'static [u8] = b"\r\n\r\n\0\r\nQUIT\n";
    /// The longest header of version 1.
    const MAX_V1: usize = 107;
    /// The signature, the command, the family and the length of version 2.
    const V2_START: usize = 16;

    /// Returns where the next octets belong: at most as many as the header certainly has, and not empty while it is incomplete.
    pub fn space(&mut self) -> &mut [u8] {
        let missing = self.missing();
        self.octets.resize(self.length + missing, 0);
        self.octets.get_mut(self.length..).unwrap_or_default()
    }

    /// Returns how many octets the header certainly has after those that have arrived.
    fn missing(&self) -> usize {
        let arrived = self.arrived();
        // Long enough to tell the versions apart, and shorter than any header.
        let Some(rest) = Self::SIGNATURE.len().checked_sub(arrived.len()).filter(|rest| *rest > 0) else {
            return match self.v2_length() {
                Some(length) => length.saturating_sub(arrived.len()),
                None if arrived.starts_with(Self::SIGNATURE) => Self::V2_START.saturating_sub(arrived.len()),
                None => missing_v1(arrived).min(Self::MAX_V1.saturating_sub(arrived.len())),
            };
        };
        rest
    }

    fn arrived(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }

    /// Returns the length of a header of version 2, once it has arrived.
    fn v2_length(&self) -> Option<usize> {
        let rest = self.arrived().strip_prefix(Self::SIGNATURE)?;
        let (&[_, _, high, low], _) = rest.split_first_chunk()?;
        Some(Self::V2_START + usize::from(u16::from_be_bytes([high, low])))
    }

    /// Records that so many octets of [`space`](Self::space) have arrived.
    pub fn advance(&mut self, octets: usize) -> Result<HeaderProgress, ProxyHeaderError> {
        self.length = (self.length + octets).min(self.octets.len());
        let arrived = self.arrived();
        if Self::SIGNATURE.starts_with(arrived) || arrived.starts_with(Self::SIGNATURE) {
            return self.check_v2();
        }
        for start in [b"PROXY TCP4 ", b"PROXY TCP6 ", &b"PROXY UNKNOWN"[..]] {
            if start.starts_with(arrived) || arrived.starts_with(start) {
                return self.check_v1();
            }
        }
        Err(ProxyHeaderError::Malformed)
    }

    fn check_v1(&self) -> Result<HeaderProgress, ProxyHeaderError> {
        let arrived = self.arrived();
        if arrived.contains(&b'\n') {
            return self.parse();
        }
        if arrived.len() >= Self::MAX_V1.min(self.max_header) {
            return Err(ProxyHeaderError::TooLong);
        }
        Ok(HeaderProgress::Incomplete)
    }

    fn check_v2(&self) -> Result<HeaderProgress, ProxyHeaderError> {
        const LOCAL: u8 = 0x20;
        const PROXY: u8 = 0x21;
        let command = self.arrived().get(Self::SIGNATURE.len());
        if command.is_some_and(|command| ![LOCAL, PROXY].contains(command)) {
            return Err(ProxyHeaderError::Malformed);
        }
        match self.v2_length() {
            Some(length) if length > self.max_header => Err(ProxyHeaderError::TooLong),
            Some(length) if length > self.length => Ok(HeaderProgress::Incomplete),
            // The rest does not count, and may be of a family that does not exist yet.
            Some(_) if command == Some(&LOCAL) => Ok(HeaderProgress::Complete(None)),
            Some(_) => self.parse(),
            None => Ok(HeaderProgress::Incomplete),
        }
    }

    fn parse(&self) -> Result<HeaderProgress, ProxyHeaderError> {
        let config = ParseConfig { include_tlvs: false, ..ParseConfig::default() };
        match ProxyHeader::parse(self.arrived(), config) {
            Ok((header, length)) if length == self.length => {
                Ok(HeaderProgress::Complete(header.proxied_address().map(|addresses| addresses.source)))
            }
            _ => Err(ProxyHeaderError::Malformed),
        }
    }
}

/// Returns how many octets a line of version 1 certainly has after these.
fn missing_v1(arrived: &[u8]) -> usize {
    /// `PROXY TCP4 192.0.2.1 192.0.2.2 40000 2775`
    const SPACES: usize = 5;
    let spaces = arrived.split(|octet| *octet == b' ').count() - 1;
    // After `UNKNOWN` there may be anything.
    let fields = if arrived.starts_with(b"PROXY TCP") { SPACES.saturating_sub(spaces) } else { 0 };
    // Each field that is missing has a space before it and an octet at least.
    2 * fields + if arrived.ends_with(b"\r") { 1 } else { 2 }
}

#[cfg(test)]
mod tests;
