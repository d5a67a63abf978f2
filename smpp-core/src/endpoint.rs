//! [`Endpoint`]: the address of an SMSC and the account there, parsed from a URL.

mod parse;

use alloc::string::String;
use core::fmt;

use crate::pdu::Bind;
use crate::wire::InvalidOctets;

pub use parse::EndpointError;

/// The address of an SMSC and the account there.
///
/// It is parsed from a URL, `smpp[s]://[SYSTEM_ID[:PASSWORD]@]HOST[:PORT]`:
///
/// - The scheme `smpp` means TCP without TLS, default port 2775. The scheme `smpps` means TLS, default port 2776.
/// - system_id and password are percent-decoded to UTF-8. Percent-encode `% @ : / ? #` and spaces in them.
/// - The host is a name, an IPv4 address, or an IPv6 address in brackets. A name outside ASCII is refused: write its
///   punycode form, `xn--...`.
///
/// `Debug` hides the password; `Display` shows only scheme, host and port. An [`EndpointError`] never shows system_id or
/// password.
///
/// ```
/// use smpp_proto::Endpoint;
/// let endpoint: Endpoint = "smpps://shop%231:s3cret@smpp.8x8.com".parse()?;
/// assert_eq!((endpoint.host.as_str(), endpoint.port, endpoint.tls), ("smpp.8x8.com", 2776, true));
/// assert_eq!(endpoint.system_id.as_deref(), Some("shop#1"));
/// assert_eq!(endpoint.to_string(), "smpps://smpp.8x8.com:2776");
/// # Ok::<(), smpp_proto::EndpointError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Endpoint {
    /// Whether the connection uses TLS from the first octet.
    pub tls: bool,
    /// A host name or an IP address. An IPv6 address has no brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// The system_id of the account, if the URL contains one.
    pub system_id: Option<String>,
    /// The password of the account, if the URL contains one.
    pub password: Option<String>,
}

impl Endpoint {
    /// Creates an endpoint for TCP without TLS, and without credentials.
    pub fn plain(host: impl Into<String>, port: u16) -> Self {
        Self { tls: false, host: host.into(), port, system_id: None, password: None }
    }

    /// Creates an endpoint for TLS from the first octet, and without credentials.
    ///
    /// ```
    /// use smpp_proto::Endpoint;
    /// assert_eq!(Endpoint::tls("smpp.example.com", 2776).to_string(), "smpps://smpp.example.com:2776");
    /// ```
    pub fn tls(host: impl Into<String>, port: u16) -> Self {
        Self { tls: true, ..Self::plain(host, port) }
    }

    /// Returns a bind with the system_id and the password of the endpoint, for one session: a transceiver, unless you set
    /// another [`mode`](Bind::mode). An [`Account`](crate::account::Account) uses the credentials of its endpoint by itself.
    ///
    /// ```
    /// use smpp_proto::{Bind, BindMode, Endpoint};
    /// let endpoint: Endpoint = "smpp://shop:s3cret@localhost".parse()?;
    /// let bind = Bind { mode: BindMode::Receiver, ..endpoint.bind()? };
    /// assert_eq!(bind.system_id.as_bytes(), b"shop");
    /// assert!(bind.password.equals(b"s3cret"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidOctets`] if the system_id has more than 15 octets, the password more than 64, or one of them a NUL.
    pub fn bind(&self) -> Result<Bind<'_>, InvalidOctets> {
        Ok(Bind {
            system_id: self.system_id.as_deref().unwrap_or_default().try_into()?,
            password: self.password.as_deref().unwrap_or_default().try_into()?,
            ..Bind::default()
        })
    }

    /// Returns whether connections to both go to the same place, whatever the credentials.
    pub(crate) fn is_same_place(&self, other: &Self) -> bool {
        (self.tls, self.port, &self.host) == (other.tls, other.port, &other.host)
    }

    crate::setters! {
        host: impl Into<String>,
        port: u16,
        system_id: Some(impl Into<String>),
        password: Some(impl Into<String>),
    }
}

/// Shows scheme, host and port, but not the account.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "smpps" } else { "smpp" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("tls", &self.tls)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("system_id", &self.system_id)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .finish()
    }
}
