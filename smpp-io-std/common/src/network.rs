//! Networks of IP addresses.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network of IP addresses: an address and the length of its prefix in bits.
///
/// It is written as in `10.0.0.0/8` or `2001:db8::/32`; an address without a prefix is a network of this one address. The bits
/// after the prefix do not matter. An IPv4 address also matches in its IPv6 form, as a socket that listens for both reports it.
///
/// ```
/// # use smpp_common::Network;
/// let network: Network = "10.0.0.0/8".parse()?;
/// assert!(network.contains("10.1.2.3".parse()?) && network.contains("::ffff:10.1.2.3".parse()?));
/// assert!(!network.contains("11.0.0.1".parse()?));
/// assert!("10.0.0.0/33".parse::<Network>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    /// The first address.
    address: IpAddr,
    prefix: u8,
}

/// A text is no [`Network`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkError(());

impl Network {
    /// All addresses that have the first `prefix` bits of this one. Returns `None` if it has no such prefix: IPv4 addresses have
    /// 32 bits, IPv6 addresses 128.
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let (address, prefix) = match (address, address.to_canonical()) {
            // An IPv4 network in its IPv6 form.
            (IpAddr::V6(_), IpAddr::V4(mapped)) if prefix >= 96 => (IpAddr::V4(mapped), prefix - 96),
            (address, _) => (address, prefix),
        };
        Some(Self { address: first(address, prefix)?, prefix })
    }

    /// Returns whether the address is in the network.
    pub fn contains(&self, address: IpAddr) -> bool {
        [address, address.to_canonical()].into_iter().any(|address| {
            address.is_ipv4() == self.address.is_ipv4() && first(address, self.prefix) == Some(self.address)
        })
    }
}

/// Returns the address with the bits after the prefix cleared.
fn first(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    let shift = |bits: u32| bits.checked_sub(prefix.into());
    Some(match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(shift(32)?).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(shift(128)?).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    })
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, prefix: if address.is_ipv4() { 32 } else { 128 } }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let address = |text: &str| text.parse::<IpAddr>().map_err(|_| NetworkError(()));
        match text.split_once('/') {
            None => Ok(address(text)?.into()),
            Some((start, prefix)) => {
                let prefix = Some(prefix).filter(|prefix| prefix.bytes().all(|digit| digit.is_ascii_digit()));
                let prefix = prefix.and_then(|prefix| prefix.parse().ok()).ok_or(NetworkError(()))?;
                Self::new(address(start)?, prefix).ok_or(NetworkError(()))
            }
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no network: write ADDRESS/PREFIX, such as 10.0.0.0/8 or 2001:db8::/32, or one address")
    }
}

impl Error for NetworkError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn the_prefix_decides() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("10.1.2.3/8", "10.0.0.0", "9.255.255.255"),
            ("192.0.2.128/25", "192.0.2.129", "192.0.2.127"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("192.0.2.1/32", "::ffff:192.0.2.1", "::ffff:192.0.2.2"),
            ("::ffff:10.0.0.0/104", "10.9.9.9", "11.0.0.0"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
            ("0.0.0.0/0", "192.0.2.1", "2001:db8::1"),
        ] {
            assert!(contains(network, inside), "{inside} in {network}");
            assert!(!contains(network, outside), "{outside} in {network}");
        }
        assert_eq!("10.1.2.3/8".parse::<Network>().unwrap().to_string(), "10.0.0.0/8");
    }

    #[test]
    fn texts_that_are_no_network_are_refused() {
        for text in [
            "",
            "/",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "10.0.0/8",
            "::/129",
            "::/256",
            "a/8",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
