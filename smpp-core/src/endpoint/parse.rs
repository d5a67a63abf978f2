//! Parses an [`Endpoint`] from `smpp[s]://[SYSTEM_ID[:PASSWORD]@]HOST[:PORT]` (RFC 3986).

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv6Addr;
use core::str::FromStr;

use super::Endpoint;

/// The registered port of SMPP.
const PLAIN_PORT: u16 = 2775;

/// The usual port of SMPP over TLS. It is not registered.
const TLS_PORT: u16 = 2776;

/// Why a text cannot be parsed as an [`Endpoint`].
///
/// Neither `Display` nor `Debug` shows a part of the URL that may be a password: of the URL, an error contains at most the
/// scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndpointError {
    /// The text does not start with a scheme and `://`.
    NoScheme,
    /// The scheme is neither `smpp` nor `smpps`.
    Scheme(String),
    /// The URL contains a space or a control character.
    Space,
    /// The URL has no host.
    NoHost,
    /// The host name contains characters outside ASCII. Its punycode form, `xn--...`, is accepted.
    HostNotAscii,
    /// The host name contains a character other than ASCII letters, digits, `-`, `.` and `_`.
    Host,
    /// The host is an invalid IPv6 address, or an IPv6 address without brackets.
    Ipv6,
    /// The port is not a number from 1 to 65535.
    Port,
    /// A path, a query or a fragment follows host and port, or system_id or password contain `/`, `?` or `#`.
    Trailing,
    /// In system_id or password, a `%` is not followed by two hexadecimal digits.
    Percent,
    /// The percent-decoded system_id or password is not UTF-8.
    CredentialsNotUtf8,
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoScheme => f.write_str("the URL does not start with the scheme smpp:// or smpps://")?,
            Self::Scheme(scheme) => write!(f, "the scheme \"{scheme}\" is neither smpp nor smpps")?,
            Self::Space => f.write_str(
                "the URL contains a space or a control character (a space in system_id or password is written %20)",
            )?,
            Self::NoHost => f.write_str("the URL has no host")?,
            Self::HostNotAscii => f.write_str(
                "the host name contains characters outside ASCII (write the name's punycode form, xn--...)",
            )?,
            Self::Host => f.write_str(
                "the host name contains a character other than ASCII letters, digits, \"-\", \".\" and \"_\"",
            )?,
            Self::Ipv6 => f.write_str("the host is not a valid IPv6 address in brackets, such as [2001:db8::1]")?,
            Self::Port => f.write_str("the port is not a number from 1 to 65535")?,
            Self::Trailing => f.write_str(
                "the URL continues after host and port (/ ? # in system_id or password are written %2F %3F %23)",
            )?,
            Self::Percent => f.write_str(
                "a % in system_id or password is not followed by two hexadecimal digits (% itself is written %25)",
            )?,
            Self::CredentialsNotUtf8 => f.write_str("the percent-decoded system_id or password is not UTF-8")?,
        }
        f.write_str("; expected smpp[s]://SYSTEM_ID[:PASSWORD]@HOST[:PORT]")
    }
}

impl core::error::Error for EndpointError {}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if text.contains(|c: char| c == ' ' || c.is_ascii_control()) {
            return Err(EndpointError::Space);
        }
        let (scheme, rest) = text.split_once("://").ok_or(EndpointError::NoScheme)?;
        let tls = is_tls(scheme)?;
        let (authority, trailing) = match rest.find(['/', '?', '#']) {
            Some(end) => rest.split_at(end),
            None => (rest, ""),
        };
        if !matches!(trailing, "" | "/") {
            return Err(EndpointError::Trailing);
        }
        let (credentials, location) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (system_id, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        let (host, port) = host_and_port(location)?;
        let default_port = if tls { TLS_PORT } else { PLAIN_PORT };
        Ok(Self {
            tls,
            host,
            port: if port.is_empty() { default_port } else { parse_port(port)? },
            system_id: percent_decode(system_id)?,
            password: percent_decode(password)?,
        })
    }
}

fn is_tls(scheme: &str) -> Result<bool, EndpointError> {
    if scheme.eq_ignore_ascii_case("smpp") {
        return Ok(false);
    }
    if scheme.eq_ignore_ascii_case("smpps") {
        return Ok(true);
    }
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    Err(if is_scheme { EndpointError::Scheme(scheme.to_string()) } else { EndpointError::NoScheme })
}

/// Splits host from port. The port is empty if the URL has none.
fn host_and_port(location: &str) -> Result<(String, &str), EndpointError> {
    if let Some(bracketed) = location.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']').ok_or(EndpointError::Ipv6)?;
        let address: Ipv6Addr = address.parse().map_err(|_| EndpointError::Ipv6)?;
        let port = if port.is_empty() { port } else { port.strip_prefix(':').ok_or(EndpointError::Ipv6)? };
        return Ok((address.to_string(), port));
    }
    let (host, port) = location.split_once(':').unwrap_or((location, ""));
    if port.contains(':') {
        return Err(EndpointError::Ipv6);
    }
    if host.is_empty() {
        return Err(EndpointError::NoHost);
    }
    if !host.is_ascii() {
        return Err(EndpointError::HostNotAscii);
    }
    if !host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')) {
        return Err(EndpointError::Host);
    }
    Ok((host.to_string(), port))
}

fn parse_port(digits: &str) -> Result<u16, EndpointError> {
    // `u16::from_str` also accepts a plus sign.
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(EndpointError::Port);
    }
    digits.parse().ok().filter(|port| *port != 0).ok_or(EndpointError::Port)
}

/// Decodes a system_id or a password; `None` if it is empty.
fn percent_decode(text: &str) -> Result<Option<String>, EndpointError> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        decoded.push(if octet == b'%' {
            let mut digit = || octets.next().and_then(|digit| char::from(digit).to_digit(16));
            match (digit(), digit()) {
                (Some(high), Some(low)) => (high << 4 | low) as u8,
                _ => return Err(EndpointError::Percent),
            }
        } else {
            octet
        });
    }
    let decoded = String::from_utf8(decoded).map_err(|_| EndpointError::CredentialsNotUtf8)?;
    Ok(Some(decoded).filter(|decoded| !decoded.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use proptest::prelude::*;

    #[test]
    fn common_forms_of_urls_are_parsed() {
        let plain: Endpoint = "smpp://id@localhost".parse().unwrap();
        assert_eq!((plain.tls, plain.port, plain.password), (false, 2775, None));
        let six: Endpoint = "smpps://id:p%40ss@[0:0::1]:9000/".parse().unwrap();
        assert_eq!((six.host.as_str(), six.port, six.password.as_deref()), ("::1", 9000, Some("p@ss")));
        assert_eq!(six.to_string(), "smpps://[::1]:9000");
        let anonymous: Endpoint = "smpp://10.0.0.1:3000".parse().unwrap();
        assert_eq!((anonymous.system_id, anonymous.host.as_str()), (None, "10.0.0.1"));
        let upper: Endpoint = "SMPPS://ID:a:b@c@Smsc_1.Example:".parse().unwrap();
        assert_eq!((upper.tls, upper.host.as_str(), upper.port), (true, "Smsc_1.Example", 2776));
        assert_eq!((upper.system_id.as_deref(), upper.password.as_deref()), (Some("ID"), Some("a:b@c")));
        let letters: Endpoint = "smpp://caf%C3%A9:naïve@xn--caf-dma.example".parse().unwrap();
        assert_eq!(
            (letters.system_id.as_deref(), letters.password.as_deref()),
            (Some("café"), Some("naïve"))
        );
        for empty in ["smpp://@host", "smpp://:@host", "smpp://host"] {
            let endpoint: Endpoint = empty.parse().unwrap();
            assert_eq!((endpoint.system_id, endpoint.password), (None, None), "{empty}");
        }
    }

    #[test]
    fn errors_name_the_wrong_part_of_the_url() {
        for (text, error, expected) in [
            ("localhost:2775", EndpointError::NoScheme, "scheme smpp://"),
            ("", EndpointError::NoScheme, "scheme smpp://"),
            ("smpp:host", EndpointError::NoScheme, "scheme"),
            ("http://id@host", EndpointError::Scheme("http".into()), "scheme \"http\""),
            ("smpp://", EndpointError::NoHost, "host"),
            ("smpp://id@:2775", EndpointError::NoHost, "host"),
            ("smpp://id@host:99999", EndpointError::Port, "port"),
            ("smpp://id@host:0", EndpointError::Port, "1 to 65535"),
            ("smpp://id@host:+1", EndpointError::Port, "port"),
            ("smpp://id:s3cret", EndpointError::Port, "port"),
            ("smpp://id@host/path", EndpointError::Trailing, "continues"),
            ("smpp://id@host?x", EndpointError::Trailing, "continues"),
            ("smpp://id@host#x", EndpointError::Trailing, "continues"),
            ("smpp://id:a#b@host", EndpointError::Trailing, "%23"),
            ("smpps://id@münchen.example", EndpointError::HostNotAscii, "punycode"),
            ("smpp://id@ho%73t", EndpointError::Host, "letters"),
            ("smpp://id@host\\", EndpointError::Host, "letters"),
            ("smpp://id@::1", EndpointError::Ipv6, "brackets"),
            ("smpp://id@[::1", EndpointError::Ipv6, "brackets"),
            ("smpp://id@[fe80::1%25eth0]", EndpointError::Ipv6, "IPv6"),
            ("smpp://id@[::1]2775", EndpointError::Ipv6, "IPv6"),
            ("smpp://id@[127.0.0.1]", EndpointError::Ipv6, "IPv6"),
            ("smpp://id:100%@host", EndpointError::Percent, "%25"),
            ("smpp://id:%4@host", EndpointError::Percent, "%25"),
            ("smpp://id:%+4@host", EndpointError::Percent, "%25"),
            ("smpp://id:%FF@host", EndpointError::CredentialsNotUtf8, "UTF-8"),
            ("smpp://id:a b@host", EndpointError::Space, "%20"),
            ("smpp://id@host\n", EndpointError::Space, "control"),
        ] {
            let result = text.parse::<Endpoint>().unwrap_err();
            assert_eq!(result, error, "{text}");
            let message = result.to_string();
            assert!(message.contains(expected), "{text}: {message}");
            assert!(message.contains("expected smpp"), "{message}");
        }
    }

    #[test]
    fn neither_an_endpoint_nor_an_error_shows_the_password() {
        let endpoint: Endpoint = "smpps://id:hunter2@host".parse().unwrap();
        assert!(!format!("{endpoint} {endpoint:?}").contains("hunter2"));
        for text in [
            "smpp://shop:12/hunter2",
            "smpp://shop:12/hunter2@host",
            "smpp://shop:hunter2#1@host",
            "smpp://shop:hunter2",
            "smpp://shop:hunter2@",
            "smpp://shop:hunter2%@host",
            "smpp://shop:hunter2%FF@host",
            "smpp://shop@hunter2 host",
            "shop:hunter2@host",
            "shop:hunter2://host",
            "http://shop:hunter2@host",
        ] {
            let error = text.parse::<Endpoint>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{text}: {error:?}");
        }
    }

    fn percent_encode(text: Option<&String>) -> String {
        let octets = text.into_iter().flat_map(|text| text.bytes());
        octets.map(|octet| format!("%{octet:02X}")).collect::<Vec<_>>().concat()
    }

    proptest! {
        #[test]
        fn what_is_written_as_a_url_is_parsed_back(
            tls: bool,
            host in prop_oneof!["[A-Za-z0-9_.-]{1,40}", any::<Ipv6Addr>().prop_map(|address| address.to_string())],
            port in 1_u16..,
            system_id in proptest::option::of("\\PC{1,20}|[ -~\0]{1,20}"),
            password in proptest::option::of("\\PC{1,20}|[ -~\0]{1,20}"),
        ) {
            let endpoint = Endpoint { tls, host, port, system_id, password };
            let place = endpoint.to_string();
            let (scheme, location) = place.split_once("://").unwrap();
            let [system_id, password] = [&endpoint.system_id, &endpoint.password].map(|text| percent_encode(text.as_ref()));
            let url = format!("{scheme}://{system_id}:{password}@{location}");
            prop_assert_eq!(url.parse::<Endpoint>(), Ok(endpoint.clone()));
            let public = Endpoint { system_id: None, password: None, ..endpoint };
            prop_assert_eq!(place.parse::<Endpoint>(), Ok(public));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC*|(smpps?://)?[a%:@/?#\\[\\].0-9é]{0,30}") {
            if let Ok(endpoint) = text.parse::<Endpoint>() {
                let public = Endpoint { system_id: None, password: None, ..endpoint.clone() };
                prop_assert_eq!(endpoint.to_string().parse::<Endpoint>(), Ok(public));
            }
        }
    }
}
