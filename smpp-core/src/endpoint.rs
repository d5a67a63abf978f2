//! [`Endpoint`]: the address of an SMSC and the account there. With the feature `url` it is parsed from a URL.

use alloc::string::String;
#[cfg(feature = "url")]
use alloc::string::ToString;
use core::fmt;
#[cfg(feature = "url")]
use core::str::FromStr;

#[cfg(feature = "url")]
use percent_encoding::percent_decode_str;
#[cfg(feature = "url")]
use url::{Host, Url};

/// The registered port of SMPP.
#[cfg(feature = "url")]
const PLAIN_PORT: u16 = 2775;

/// The usual port of SMPP over TLS. It is not registered.
#[cfg(feature = "url")]
const TLS_PORT: u16 = 2776;

/// The address of an SMSC and the account there.
///
/// With the feature `url` it is parsed from `smpps://system_id:password@host:port`. The scheme `smpp` means TCP without
/// TLS, default port 2775. The scheme `smpps` means TLS, default port 2776. Percent-encode the characters in system_id
/// and password that a URL reserves. `Debug` hides the password; `Display` shows only scheme, host and port.
///
#[cfg_attr(feature = "url", doc = "```")]
#[cfg_attr(not(feature = "url"), doc = "```ignore")]
/// use smpp_core::Endpoint;
/// let endpoint: Endpoint = "smpps://shop%231:s3cret@smpp.8x8.com".parse()?;
/// assert_eq!((endpoint.host.as_str(), endpoint.port, endpoint.tls), ("smpp.8x8.com", 2776, true));
/// assert_eq!(endpoint.system_id.as_deref(), Some("shop#1"));
/// assert_eq!(endpoint.to_string(), "smpps://smpp.8x8.com:2776");
/// # Ok::<(), smpp_core::EndpointError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
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
    /// use smpp_core::Endpoint;
    /// assert_eq!(Endpoint::tls("smpp.example.com", 2776).to_string(), "smpps://smpp.example.com:2776");
    /// ```
    pub fn tls(host: impl Into<String>, port: u16) -> Self {
        Self { tls: true, ..Self::plain(host, port) }
    }

    /// Returns whether connections to both go to the same place, whatever the credentials.
    pub(crate) fn is_same_place(&self, other: &Self) -> bool {
        (self.tls, self.port, &self.host) == (other.tls, other.port, &other.host)
    }
}

/// Why a text cannot be parsed as an [`Endpoint`].
#[cfg(feature = "url")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndpointError {
    /// The text is not a valid URL.
    Url(url::ParseError),
    /// The scheme is neither `smpp` nor `smpps`.
    Scheme(String),
    /// The URL has no host.
    NoHost,
    /// A path, a query or a fragment follows the port.
    Trailing(String),
    /// The percent-decoded system_id or password is not UTF-8.
    CredentialsNotUtf8,
}

#[cfg(feature = "url")]
impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(error) => write!(f, "the text is not a valid URL ({error})")?,
            Self::Scheme(scheme) => write!(f, "the scheme \"{scheme}\" is neither smpp nor smpps")?,
            Self::NoHost => f.write_str("the URL has no host")?,
            Self::Trailing(rest) => write!(f, "the URL continues with \"{rest}\" after host and port")?,
            Self::CredentialsNotUtf8 => {
                f.write_str("the percent-decoded system_id or password is not UTF-8")?;
            }
        }
        f.write_str("; expected smpp[s]://SYSTEM_ID[:PASSWORD]@HOST[:PORT]")
    }
}

#[cfg(feature = "url")]
impl core::error::Error for EndpointError {}

#[cfg(feature = "url")]
impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let url = Url::parse(text).map_err(EndpointError::Url)?;
        let tls = match url.scheme() {
            "smpp" => false,
            "smpps" => true,
            other => return Err(EndpointError::Scheme(other.to_string())),
        };
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => name.to_string(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            _ => return Err(EndpointError::NoHost),
        };
        let trailing = text.rsplit_once('@').map_or(text, |(_, rest)| rest);
        let path = url.path().trim_start_matches('/');
        if !path.is_empty() || url.query().is_some() || url.fragment().is_some() {
            let start = trailing.find(['/', '?', '#']).unwrap_or_default();
            return Err(EndpointError::Trailing(trailing.get(start..).unwrap_or_default().to_string()));
        }
        let default_port = if tls { TLS_PORT } else { PLAIN_PORT };
        Ok(Self {
            tls,
            host,
            port: url.port().unwrap_or(default_port),
            system_id: Some(decode(url.username())?).filter(|system_id| !system_id.is_empty()),
            password: url.password().map(decode).transpose()?,
        })
    }
}

#[cfg(feature = "url")]
fn decode(text: &str) -> Result<String, EndpointError> {
    percent_decode_str(text).decode_utf8().map(Into::into).map_err(|_| EndpointError::CredentialsNotUtf8)
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

#[cfg(all(test, feature = "url"))]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn common_forms_of_urls_are_parsed() {
        let plain: Endpoint = "smpp://id@localhost".parse().unwrap();
        assert_eq!((plain.tls, plain.port, plain.password), (false, 2775, None));
        let six: Endpoint = "smpps://id:p%40ss@[::1]:9000/".parse().unwrap();
        assert_eq!((six.host.as_str(), six.port, six.password.as_deref()), ("::1", 9000, Some("p@ss")));
        assert_eq!(six.to_string(), "smpps://[::1]:9000");
        let anonymous: Endpoint = "smpp://10.0.0.1:3000".parse().unwrap();
        assert_eq!((anonymous.system_id, anonymous.host.as_str()), (None, "10.0.0.1"));
    }

    #[test]
    fn errors_name_the_wrong_part_of_the_url() {
        for (text, expected) in [
            ("localhost:2775", "scheme"),
            ("http://id@host", "scheme \"http\""),
            ("smpp://", "host"),
            ("smpp://id@host:99999", "port"),
            ("smpp://id@host/path", "\"/path\""),
            ("", "URL"),
        ] {
            let error = text.parse::<Endpoint>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(error.contains("expected smpp"), "{error}");
        }
    }

    #[test]
    fn debug_and_display_hide_the_password() {
        let endpoint: Endpoint = "smpps://id:hunter2@host".parse().unwrap();
        assert!(!format!("{endpoint} {endpoint:?}").contains("hunter2"));
    }
}
