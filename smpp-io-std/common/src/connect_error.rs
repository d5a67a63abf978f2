//! Why connecting or binding failed.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use smpp_proto::Endpoint;
use smpp_proto::account::ConnectFailure;
use smpp_proto::diagnosis::{ReceivedInstead, refused_bind_advice};
use smpp_proto::session::{CloseReason, InvalidOption, NotSentReason, RequestError, UnansweredReason};

use crate::tls::TlsError;

/// Connecting or binding failed. `Display` says what failed, at which endpoint, and what to do, with the texts of the errors inside;
/// [`source`](Error::source) returns the error inside, for example that of the operating system. Print one of them.
///
/// ```
/// # use smpp_common::{ConnectError, ConnectErrorKind};
/// use smpp_proto::CommandStatus;
/// use smpp_proto::session::RequestError;
///
/// fn report(error: &ConnectError) {
///     match &error.kind {
///         ConnectErrorKind::Bind(RequestError::Refused { status: CommandStatus::RALYBND, .. }) => {
///             println!("bound already");
///         }
///         _ => println!("{error}"),
///     }
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct ConnectError {
    /// Scheme, host and port.
    pub endpoint: Box<str>,
    /// The step that failed.
    pub kind: ConnectErrorKind,
    bind: Option<Box<BindName>>,
}

/// The system_id of a bind. In a box, so that a `Result` with the error stays small.
#[derive(Debug)]
struct BindName(String);

/// The step at which connecting or binding failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// The configuration of the session or the timeout of the connector has a value that cannot work. No connection was tried.
    Config(InvalidOption),
    /// The host name could not be resolved, or it has no address.
    Resolve(io::Error),
    /// The TLS configuration could not be made. No connection was tried.
    Tls(TlsError),
    /// No address accepted a TCP connection. Lists each address with its error, in the order in which they were tried.
    Connect(Vec<(SocketAddr, io::Error)>),
    /// The address accepted the TCP connection, but the TLS handshake failed.
    Handshake(SocketAddr, TlsError),
    /// The connection was made, but setting it up failed: a socket option, or the session's thread.
    Socket(io::Error),
    /// The SMSC refused the bind, or the bind was not sent.
    Bind(RequestError),
    /// The bind was not answered.
    BindUnanswered {
        /// What the peer sent instead of a bind response.
        received: ReceivedInstead,
        /// The outcome of the bind.
        error: RequestError,
        /// The transport's error, if the transport failed.
        transport: Option<Arc<io::Error>>,
    },
}

impl ConnectError {
    /// Creates the error of a step that failed at this endpoint. It does not keep the credentials of the endpoint.
    pub fn new(endpoint: &Endpoint, kind: ConnectErrorKind) -> Self {
        Self { endpoint: endpoint.to_string().into(), kind, bind: None }
    }

    /// Creates the error of a bind that failed at this endpoint.
    #[doc(hidden)]
    pub fn bind(endpoint: &Endpoint, system_id: impl fmt::Display, kind: ConnectErrorKind) -> Self {
        Self { bind: Some(Box::new(BindName(system_id.to_string()))), ..Self::new(endpoint, kind) }
    }

    /// Returns the system_id of the bind that failed; `None` if there was no bind.
    pub fn system_id(&self) -> Option<&str> {
        self.bind.as_ref().map(|bind| &*bind.0)
    }
}

impl ConnectErrorKind {
    /// Returns the error of a bind. `received` is the result of
    /// [`Session::diagnose_bind`](smpp_proto::session::Session::diagnose_bind), `transport` the error of the transport, if it
    /// failed.
    #[doc(hidden)]
    pub fn bind(
        error: RequestError,
        received: Option<ReceivedInstead>,
        transport: Option<Arc<io::Error>>,
    ) -> Self {
        match received {
            Some(received) => Self::BindUnanswered { received, error, transport },
            None => Self::Bind(error),
        }
    }

    /// Returns the error of a host name that has no address.
    #[doc(hidden)]
    pub fn no_address() -> Self {
        Self::Resolve(io::Error::new(io::ErrorKind::NotFound, "it has no address"))
    }

    /// Returns how an account handles the error: it gives up at its start if the server is not trusted.
    #[doc(hidden)]
    pub const fn failure(&self) -> ConnectFailure {
        match self {
            Self::Tls(_) => ConnectFailure::Untrusted,
            Self::Handshake(_, error) if error.is_untrusted() => ConnectFailure::Untrusted,
            _ => ConnectFailure::Network,
        }
    }

    /// Returns the text of the error inside, without endpoint and advice: for one address, that of the operating system.
    pub fn detail(&self) -> String {
        match self {
            Self::Config(error) => error.to_string(),
            Self::Resolve(error) | Self::Socket(error) => error.to_string(),
            Self::Tls(error) | Self::Handshake(_, error) => error.to_string(),
            Self::Connect(attempts) => {
                let texts: Vec<_> = attempts.iter().map(|(_, error)| error.to_string()).collect();
                texts.join("; ")
            }
            Self::Bind(error) => error.to_string(),
            Self::BindUnanswered { received, error, .. } => Unanswered(*received, error).to_string(),
        }
    }

    /// Returns what the user can do about the error; `None` if the error text says all there is.
    pub fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::Resolve(_) => "check the spelling of the host, and the name server",
            Self::Connect(_) => {
                "check host and port, and whether a firewall or an IP allow-list blocks the connection"
            }
            Self::Config(_) | Self::Tls(_) | Self::Bind(RequestError::NeverSent(_)) => return None,
            Self::Socket(_) => "check the limits of the process on open files and threads",
            Self::Handshake(_, error) => error.advice(),
            Self::Bind(RequestError::Refused { status, .. }) => refused_bind_advice(*status),
            Self::BindUnanswered { received, .. } => received.advice_for_esme(),
            Self::Bind(_) => "check that an SMSC for SMPP 3.4 listens on this port",
        })
    }
}

/// Returns the error of a connection that was not made in time, or of a step of it that had only this time left.
#[doc(hidden)]
pub fn no_answer(timeout: Duration) -> io::Error {
    let seconds = (timeout.as_secs_f64() * 1_000.0).round() / 1_000.0;
    let text = if timeout.is_zero() {
        "no time was left for it: the steps before it have taken the whole timeout".into()
    } else {
        format!("no answer within {seconds} s")
    };
    io::Error::new(io::ErrorKind::TimedOut, text)
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, kind, .. } = self;
        let of_bind = Name(self.system_id());
        match kind {
            ConnectErrorKind::Config(error) => {
                write!(f, "no connection to {endpoint} is tried with these options: {error}")
            }
            ConnectErrorKind::Resolve(error) => write!(f, "cannot resolve the host of {endpoint}: {error}"),
            ConnectErrorKind::Tls(error) => {
                write!(f, "cannot make the TLS configuration for {endpoint}: {error}")
            }
            ConnectErrorKind::Connect(attempts) => {
                write!(f, "cannot connect to {endpoint}")?;
                attempts.iter().try_for_each(|(address, error)| write!(f, "; {address}: {error}"))
            }
            ConnectErrorKind::Handshake(address, error) => {
                write!(f, "the TLS handshake with {endpoint} at {address} failed: {error}")
            }
            ConnectErrorKind::Socket(error) => {
                write!(f, "cannot set up the connection to {endpoint}: {error}")
            }
            ConnectErrorKind::Bind(error) => write!(f, "the bind to {endpoint}{of_bind} failed: {error}"),
            ConnectErrorKind::BindUnanswered { received, error, transport } => {
                write!(f, "the bind to {endpoint}{of_bind} failed: {}", Unanswered(*received, error))?;
                transport.as_ref().map_or(Ok(()), |error| write!(f, " (transport error: {error})"))
            }
        }?;
        kind.advice().map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

/// Shows the system_id of a bind.
struct Name<'a>(Option<&'a str>);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |system_id| write!(f, " as \"{system_id}\""))
    }
}

/// Shows what the peer sent instead of a bind response, and the end of the session.
struct Unanswered<'a>(ReceivedInstead, &'a RequestError);

impl fmt::Display for Unanswered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(received, error) = self;
        match error {
            // The reason says what was received.
            RequestError::Unanswered(UnansweredReason::Closed(CloseReason::Framing(error)))
            | RequestError::NeverSent(NotSentReason::Closed(CloseReason::Framing(error))) => error.fmt(f),
            RequestError::Unanswered(reason) => write!(f, "{received}; {reason}"),
            RequestError::NeverSent(reason) => write!(f, "{received}; {reason}"),
            error => write!(f, "{received}; {error}"),
        }
    }
}

/// The cause: of several addresses, the error of the last.
impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            ConnectErrorKind::Config(error) => Some(error),
            ConnectErrorKind::Resolve(error) | ConnectErrorKind::Socket(error) => Some(error),
            ConnectErrorKind::Tls(error) | ConnectErrorKind::Handshake(_, error) => Some(error),
            ConnectErrorKind::Connect(attempts) => attempts.last().map(|(_, error)| error as _),
            ConnectErrorKind::Bind(error)
            | ConnectErrorKind::BindUnanswered { error, transport: None, .. } => Some(error),
            ConnectErrorKind::BindUnanswered { transport: Some(error), .. } => Some(&**error),
        }
    }
}

#[cfg(test)]
mod tests {
    use smpp_proto::frame::{DEFAULT_MAX_LENGTH, split};
    use smpp_proto::{CommandStatus, FramingError};

    use smpp_proto::session::RefusedResponse;

    use super::*;

    fn text(kind: ConnectErrorKind) -> String {
        let error = ConnectError { endpoint: "smpp://smsc:2775".into(), kind, bind: None };
        assert!(error.source().is_some(), "{error}");
        error.to_string()
    }

    fn unanswered(received: ReceivedInstead, reason: CloseReason) -> String {
        let error = RequestError::Unanswered(UnansweredReason::Closed(reason));
        text(ConnectErrorKind::bind(error, Some(received), None))
    }

    fn framing(octets: &[u8]) -> FramingError {
        split(octets, DEFAULT_MAX_LENGTH).unwrap_err()
    }

    #[test]
    fn the_error_of_a_bind_names_its_system_id_and_no_password() {
        let endpoint = Endpoint::tls("smsc", 2776).system_id("other").password("s3cret");
        let refused =
            RequestError::Refused { status: CommandStatus::RINVPASWD, response: RefusedResponse::default() };
        let error = ConnectError::bind(&endpoint, "shop", ConnectErrorKind::Bind(refused));
        assert_eq!(error.system_id(), Some("shop"));
        let expected =
            "the bind to smpps://smsc:2776 as \"shop\" failed: refused by the peer: ESME_RINVPASWD ";
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(
            !error.to_string().contains("s3cret") && !format!("{error:?}").contains("s3cret"),
            "{error:?}"
        );
        assert!(ConnectError::new(&endpoint, ConnectErrorKind::no_address()).system_id().is_none());
    }

    #[test]
    fn a_bind_error_says_what_was_found_and_what_to_check() {
        let cases = [
            (
                framing(b"HTTP/1.1"),
                "the peer sent HTTP, not SMPP: \"HTTP\"; check the port: this is that of a web server",
            ),
            (framing(&[0x15, 3, 3, 0]), "the peer sent TLS on a connection without TLS; connect by smpps://"),
            (framing(b"SSH-2.0"), "the peer sent text, not SMPP; check the port: no SMSC"),
        ];
        for (error, expected) in cases {
            let text = unanswered(error.received_instead(), CloseReason::Framing(error));
            assert!(text.starts_with(&format!("the bind to smpp://smsc:2775 failed: {expected}")), "{text}");
        }
        let text = unanswered(ReceivedInstead::Nothing, CloseReason::Disconnected);
        assert!(
            text.contains(" failed: the peer sent nothing; the connection ended without unbind; check "),
            "{text}"
        );
    }

    #[test]
    fn errors_of_the_operating_system_are_kept() {
        let refused = || io::Error::from_raw_os_error(111);
        let address = SocketAddr::from(([127, 0, 0, 1], 2775));
        let kind = ConnectErrorKind::Connect(vec![(address, refused())]);
        assert_eq!((kind.detail(), kind.failure()), (refused().to_string(), ConnectFailure::Network));
        let text = super::tests::text(kind);
        assert!(
            text.starts_with(&format!("cannot connect to smpp://smsc:2775; {address}: {}; ", refused())),
            "{text}"
        );
        let error = RequestError::NeverSent(NotSentReason::Closed(CloseReason::Disconnected));
        let kind = ConnectErrorKind::bind(error, Some(ReceivedInstead::Nothing), Some(Arc::new(refused())));
        let text = super::tests::text(kind);
        assert!(text.contains(&format!(" (transport error: {}); check ", refused())), "{text}");
    }

    #[test]
    fn a_refused_bind_names_the_status_and_what_to_check() {
        let kind = ConnectErrorKind::bind(
            RequestError::Refused { status: CommandStatus::RINVPASWD, response: RefusedResponse::default() },
            None,
            None,
        );
        let text = text(kind);
        assert!(text.contains("ESME_RINVPASWD") && text.ends_with("; check the password"), "{text}");
    }

    #[test]
    fn an_error_returns_its_cause() {
        let address = SocketAddr::from(([127, 0, 0, 1], 2776));
        let os_error = |code| io::Error::from_raw_os_error(code);
        let error = |kind| ConnectError { endpoint: "smpps://smsc:2776".into(), kind, bind: None };
        let code = |error: &(dyn Error + 'static)| {
            let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
            source.and_then(io::Error::raw_os_error)
        };
        assert_eq!(code(&error(ConnectErrorKind::Resolve(os_error(2)))), Some(2));
        assert_eq!(code(&error(ConnectErrorKind::Socket(os_error(24)))), Some(24));
        let attempts = vec![(address, os_error(111)), (address, os_error(113))];
        assert_eq!(code(&error(ConnectErrorKind::Connect(attempts))), Some(113), "of the last address");
        let handshake = error(ConnectErrorKind::Handshake(address, TlsError::Io(os_error(104))));
        assert_eq!(handshake.source().map(code), Some(Some(104)));
        assert!(
            error(ConnectErrorKind::Tls(TlsError::NoRoots))
                .source()
                .is_some_and(|tls| tls.source().is_none())
        );

        let unsent = RequestError::NeverSent(NotSentReason::Closed(CloseReason::Disconnected));
        let bind = error(ConnectErrorKind::bind(unsent.clone(), None, None));
        assert_eq!(bind.source().and_then(|source| source.downcast_ref()), Some(&unsent));
        let unanswered = |transport| {
            error(ConnectErrorKind::bind(unsent.clone(), Some(ReceivedInstead::Nothing), transport))
        };
        assert_eq!(unanswered(None).source().and_then(|source| source.downcast_ref()), Some(&unsent));
        assert_eq!(code(&unanswered(Some(Arc::new(os_error(104))))), Some(104), "of the transport");
    }

    #[cfg(feature = "rustls")]
    #[test]
    fn a_failed_handshake_says_why_and_what_to_do() {
        use rustls::pki_types::{ServerName, UnixTime};
        use rustls::{AlertDescription, CertificateError as Rejected, InvalidMessage, PeerIncompatible};

        let day = |day: u64| UnixTime::since_unix_epoch(std::time::Duration::from_secs(day * 86_400));
        let names = |count| {
            let presented = (0..count).map(|number| format!("DnsName(\"{number}.example\")")).collect();
            let expected = ServerName::try_from("smsc").unwrap();
            TlsError::from(rustls::Error::from(Rejected::NotValidForNameContext { expected, presented }))
        };
        let (renew, clock) =
            ("ask the operator of the server for a new certificate", "check the clock of this machine");
        let (name, trust) = (
            "connect by a name that the certificate is for",
            "trust the authority that signed the certificate",
        );
        let (port, version) =
            ("check that the port is the TLS port: ", "ask for TLS 1.2 or 1.3 on this port");
        let old = "the peer offers neither TLS 1.2 nor TLS 1.3";
        let rejected = [
            (Rejected::UnknownIssuer, "no trusted certificate authority has signed it", trust),
            (Rejected::Expired, "it has expired", renew),
            (
                Rejected::ExpiredContext { time: day(100), not_after: day(97) },
                "it has expired, 3 days ago",
                renew,
            ),
            (Rejected::NotValidYet, "it is not valid yet", clock),
            (
                Rejected::NotValidYetContext { time: day(97), not_before: day(100) },
                "it is not valid yet, but in 3 days",
                clock,
            ),
            (Rejected::Revoked, "its authority has revoked it", trust),
            (Rejected::NotValidForName, "it is for another host name", name),
            (Rejected::BadSignature, "its signature does not match: ", trust),
            (Rejected::BadEncoding, "it cannot be decoded", trust),
            (
                Rejected::UnhandledCriticalExtension,
                "it has a critical extension that is not supported",
                trust,
            ),
            (
                Rejected::UnknownRevocationStatus,
                "it is not known whether its authority has revoked it",
                trust,
            ),
            (Rejected::ApplicationVerificationFailure, "the verifier of the application rejected it", trust),
            (Rejected::InvalidPurpose, "it is not for this purpose", trust),
        ];
        let rejected = rejected.map(|(error, why, advice)| {
            (rustls::Error::from(error).into(), format!("the peer's certificate was rejected: {why}"), advice)
        });
        let protocol = [
            (
                rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType),
                "the peer does not speak TLS on this port",
                port,
            ),
            (rustls::Error::AlertReceived(AlertDescription::ProtocolVersion), old, version),
            (PeerIncompatible::ServerDoesNotSupportTls12Or13.into(), old, version),
            (
                rustls::Error::AlertReceived(AlertDescription::HandshakeFailure),
                "received fatal alert",
                "ask the operator of the server why it refuses",
            ),
        ];
        let protocol = protocol.map(|(error, why, advice)| (TlsError::from(error), why.to_owned(), advice));
        let others = [
            (names(0), "the peer's certificate was rejected: it is not for smsc, but for no host", name),
            (names(1), "the peer's certificate was rejected: it is not for smsc, but for 0.example", name),
            (
                names(6),
                "the peer's certificate was rejected: it is not for smsc, but for 0.example, 1.example, 2.example, 3.example, 4.example, ...",
                name,
            ),
            (
                TlsError::Io(io::ErrorKind::TimedOut.into()),
                "the handshake was not completed: timed out",
                "check that the port is the TLS port, and whether an IP allow-list blocks",
            ),
            (
                TlsError::ServerName,
                "the host is neither a DNS name nor an IP address",
                "use a DNS name or an IP address in the URL",
            ),
            (TlsError::NoProvider, "there is no cryptography library for TLS", port),
            (TlsError::NotBuilt, "the program is built without TLS", port),
        ];
        let others = others.map(|(error, why, advice)| (error, why.to_owned(), advice));
        let address = SocketAddr::from(([127, 0, 0, 1], 2776));
        for (error, why, advice) in rejected.into_iter().chain(protocol).chain(others) {
            let text = text(ConnectErrorKind::Handshake(address, error));
            let start = format!("the TLS handshake with smpp://smsc:2775 at {address} failed: {why}");
            assert!(text.starts_with(&start) && text.contains(&format!("; {advice}")), "{text}");
        }
    }

    #[test]
    fn only_a_server_that_is_not_trusted_is_reported_as_untrusted() {
        let address = SocketAddr::from(([127, 0, 0, 1], 2776));
        let handshake = |error| ConnectErrorKind::Handshake(address, error).failure();
        assert_eq!(ConnectErrorKind::Tls(TlsError::NoRoots).failure(), ConnectFailure::Untrusted);
        assert_eq!(handshake(TlsError::ServerName), ConnectFailure::Untrusted);
        assert_eq!(handshake(TlsError::Io(io::ErrorKind::TimedOut.into())), ConnectFailure::Network);
        assert_eq!(ConnectErrorKind::no_address().failure(), ConnectFailure::Network);
    }
}
