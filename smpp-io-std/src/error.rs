//! The errors of connecting, and how a session ended.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem;
use rustls::{AlertDescription, CertificateError, PeerIncompatible};
use smpp_core::CommandStatus;
use smpp_core::session::{CloseReason, RequestError};

/// How a session ended: the reason, and the transport's error if there was one.
#[derive(Clone, Debug)]
pub struct End {
    /// Why the session ended.
    pub reason: CloseReason,
    /// The transport's error, if the transport failed.
    pub error: Option<Arc<io::Error>>,
}

/// Connecting or binding failed. `Display` says what failed, at which endpoint, and what to do.
///
/// ```no_run
/// use smpp_core::{Bind, CommandStatus, Endpoint};
/// use smpp_io_std::{ConnectErrorKind, Connector, RequestError};
///
/// fn check(endpoint: &Endpoint, bind: &Bind<'_>) {
///     match Connector::new().bind(endpoint, bind) {
///         Ok(connection) => println!("{}", connection.unbind()),
///         Err(error) => match error.kind {
///             ConnectErrorKind::Bind(RequestError::Refused { status: CommandStatus::RALYBND, .. }) => {
///                 println!("bound already");
///             }
///             _ => println!("{error}"),
///         },
///     }
/// }
/// ```
#[derive(Debug)]
pub struct ConnectError {
    /// Scheme, host and port.
    pub endpoint: String,
    /// The step that failed.
    pub kind: ConnectErrorKind,
}

/// The step at which connecting or binding failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectErrorKind {
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
    /// The bind was sent and got no response.
    BindUnanswered {
        /// What the peer sent instead of a bind response.
        received: ReceivedInstead,
        /// The outcome of the bind.
        error: RequestError,
        /// How the session ended, with the error of the operating system if there was one; `None` if the bind has timed
        /// out.
        end: Option<End>,
    },
}

/// What a peer sent instead of a bind response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceivedInstead {
    /// No octet.
    Nothing,
    /// Octets of HTTP: a web server, an HTTP API or a proxy.
    Http,
    /// A TLS record: the port expects TLS.
    Tls,
    /// Octets of another protocol.
    OtherProtocol,
    /// SMPP PDUs, none of which is the response to the bind.
    OtherPdus,
}

impl ReceivedInstead {
    /// Names the protocol of these first octets, which are no `command_length`.
    pub(crate) const fn from_first_octets(octets: [u8; 4]) -> Self {
        match &octets {
            b"HTTP" | b"GET " | b"POST" | b"<htm" | b"<HTM" | b"<!DO" | b"<!do" => Self::Http,
            // Alert or handshake, of SSL 3.0 to TLS 1.3.
            [0x15 | 0x16, 3, 0..=4, _] => Self::Tls,
            _ => Self::OtherProtocol,
        }
    }
}

impl fmt::Display for ReceivedInstead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "the peer sent nothing",
            Self::Http => "the peer sent HTTP",
            Self::Tls => "the peer sent TLS",
            Self::OtherProtocol => "the peer sent octets that are not SMPP",
            Self::OtherPdus => "the peer sent SMPP PDUs, but no response to the bind",
        })
    }
}

/// A TLS handshake failed, or a certificate or key could not be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// The peer's certificate was rejected: it is not trusted, has expired, or is for another host.
    Certificate(CertificateError),
    /// The TLS protocol failed: the peer does not speak TLS, sent an alert, or offers nothing in common.
    Protocol(rustls::Error),
    /// The connection failed during the handshake, or the handshake took longer than its timeout.
    Io(io::Error),
    /// The host is neither a DNS name nor an IP address.
    ServerName,
    /// The PEM data hold no usable certificate or key, or the file cannot be read.
    Pem {
        /// The file; `None` if the PEM data came from memory.
        path: Option<PathBuf>,
        /// Why the data cannot be used.
        error: pem::Error,
    },
    /// The operating system has no trusted certificate authority.
    NoRoots,
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(error) => Self::Certificate(error),
            other => Self::Protocol(other),
        }
    }
}

impl From<io::Error> for TlsError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)?;
        self.error.as_ref().map_or(Ok(()), |error| write!(f, " (transport error: {error})"))
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, kind } = self;
        match kind {
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
            ConnectErrorKind::Bind(error) => write!(f, "the bind to {endpoint} failed: {error}"),
            ConnectErrorKind::BindUnanswered { received, error, end } => {
                write!(f, "the bind to {endpoint} failed: {received}; ")?;
                match end {
                    Some(end) => write!(f, "the session ended: {end}"),
                    None => error.fmt(f),
                }
            }
        }?;
        kind.advice().map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

impl ConnectErrorKind {
    /// Returns what the user can do about the error; `None` if the error text says all there is.
    pub fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::Resolve(_) => "check the spelling of the host, and the name server",
            Self::Connect(_) => {
                "check host and port, and whether a firewall or an IP allow-list blocks the connection"
            }
            Self::Tls(_) => return None,
            Self::Socket(_) => "check the limits of the process on open files and threads",
            Self::Handshake(_, TlsError::Certificate(_)) => {
                "trust the authority that signed the certificate, or the certificate itself if it is self-signed, and \
                 connect by the name that the certificate is for"
            }
            Self::Handshake(_, TlsError::Protocol(error)) if is_old_tls(error) => {
                "ask for TLS 1.2 or 1.3 on this port"
            }
            Self::Handshake(_, TlsError::Io(error)) if error.kind() == io::ErrorKind::TimedOut => {
                "check that the port is the TLS port, and whether an IP allow-list blocks the connection"
            }
            Self::Handshake(..) => "check that the port is the TLS port: smpp:// is plain, smpps:// is TLS",
            Self::Bind(RequestError::Refused { status, .. }) => match *status {
                CommandStatus::RINVPASWD => "check the password",
                CommandStatus::RINVSYSID => "check the system_id",
                CommandStatus::RALYBND => {
                    "the account has reached its number of binds: end one, or wait until the SMSC has closed an old one"
                }
                _ => "check system_id, password and whether the account may connect from this address",
            },
            Self::BindUnanswered { received: ReceivedInstead::Nothing, .. } => {
                "check that an SMSC listens on this port, whether it expects TLS (smpps://), and its IP allow-list"
            }
            Self::BindUnanswered { received: ReceivedInstead::Http, .. } => {
                "check the port: this is that of a web server, an HTTP API or a proxy, not of an SMSC"
            }
            Self::BindUnanswered { received: ReceivedInstead::Tls, .. } => {
                "connect by smpps:// to this port, or to the plain port"
            }
            Self::BindUnanswered { received: ReceivedInstead::OtherPdus, .. } => {
                "check the bind mode, and whether the SMSC echoes the sequence number and the command of a request"
            }
            Self::BindUnanswered { .. } => "check the port: no SMSC answers there",
            Self::Bind(_) => "check that an SMSC for SMPP 3.4 listens on this port",
        })
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(error) => {
                f.write_str("the peer's certificate was rejected: ")?;
                match rejection(error) {
                    Some(reason) => f.write_str(reason),
                    None => error.fmt(f),
                }
            }
            Self::Protocol(rustls::Error::InvalidMessage(_)) => {
                f.write_str("the peer does not speak TLS on this port")
            }
            Self::Protocol(error) if is_old_tls(error) => {
                f.write_str("the peer offers neither TLS 1.2 nor TLS 1.3")
            }
            Self::Protocol(error) => error.fmt(f),
            Self::Io(error) => write!(f, "the handshake was not completed: {error}"),
            Self::ServerName => f.write_str("the host is neither a DNS name nor an IP address"),
            Self::Pem { path, error } => {
                match path {
                    Some(path) => write!(f, "cannot use {}: ", path.display())?,
                    None => f.write_str("cannot use the PEM data: ")?,
                }
                match error {
                    pem::Error::NoItemsFound => f.write_str("it holds no certificate or key in PEM format"),
                    other => other.fmt(f),
                }
            }
            Self::NoRoots => f.write_str(
                "the operating system has no trusted certificate authority: give the PEM file of the authority",
            ),
        }
    }
}

/// Returns whether the peer has no version of TLS that this side accepts.
const fn is_old_tls(error: &rustls::Error) -> bool {
    matches!(
        error,
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
            | rustls::Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                    | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            )
    )
}

/// Describes the common reasons to reject a certificate. rustls shows some of them as the name of its own variant.
fn rejection(error: &CertificateError) -> Option<&'static str> {
    Some(match error {
        CertificateError::UnknownIssuer => "no trusted certificate authority has signed it",
        CertificateError::Expired => "it has expired",
        CertificateError::NotValidYet => "it is not valid yet",
        CertificateError::Revoked => "its authority has revoked it",
        CertificateError::NotValidForName => "it is for another host name",
        CertificateError::BadSignature => "its signature is wrong",
        CertificateError::BadEncoding => "it cannot be decoded",
        _ => return None,
    })
}

impl Error for End {}
impl Error for ConnectError {}
impl Error for TlsError {}
