//! The errors of connecting and accepting, and how a session ended.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::CertificateError;
use rustls::pki_types::pem;
use smpp_core::session::CloseReason;

/// How a session ended.
#[derive(Clone, Debug)]
pub struct End {
    /// The reason that the session gives.
    pub reason: CloseReason,
    /// The error of the transport, if it failed.
    pub error: Option<Arc<io::Error>>,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)?;
        self.error.as_ref().map_or(Ok(()), |error| write!(f, " (transport error: {error})"))
    }
}

/// Why [`Connector::connect`](crate::Connector::connect) failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The host name has no address.
    Resolve {
        /// The host name.
        host: String,
        /// The error of the resolver.
        error: io::Error,
    },
    /// None of the addresses accepts a TCP connection.
    Connect {
        /// The host name or address.
        host: String,
        /// The error of each address, in the order of the attempts.
        attempts: Vec<(SocketAddr, io::Error)>,
    },
    /// The TLS handshake failed.
    Tls {
        /// The host name that the certificate must be for.
        host: String,
        /// Why.
        error: TlsError,
    },
    /// The TLS handshake took longer than [`Connector::timeout`](crate::Connector::timeout).
    Timeout {
        /// The host name or address.
        host: String,
        /// The timeout.
        after: Duration,
    },
}

/// A TLS handshake failed, or a certificate or key cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// The peer's certificate was rejected: it is not trusted, has expired, or is for another host.
    Certificate(CertificateError),
    /// The TLS protocol failed: the peer does not speak TLS, sent an alert, or offers nothing in common.
    Protocol(rustls::Error),
    /// The connection failed during the handshake.
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

impl From<io::Error> for TlsError {
    /// Unwraps the errors that rustls reports as I/O errors.
    fn from(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(inner) => inner.clone().into(),
            None => Self::Io(error),
        }
    }
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(error) => Self::Certificate(error),
            other => Self::Protocol(other),
        }
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

impl ConnectError {
    /// Returns what the user can do about the error.
    fn advice(&self) -> &'static str {
        match self {
            Self::Resolve { .. } => "check the spelling of the host, and the name server",
            Self::Connect { .. } => {
                "check host and port, and whether a firewall or an IP allow-list blocks the connection"
            }
            Self::Tls { error: TlsError::Certificate(_), .. } => {
                "trust the authority that signed the certificate, and connect by the name that the certificate is for"
            }
            Self::Tls { error: TlsError::NoRoots, .. } => "see Connector::tls",
            Self::Tls { .. } | Self::Timeout { .. } => {
                "check that the port is the TLS port: smpp:// is plain, smpps:// is TLS"
            }
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve { host, error } => write!(f, "cannot resolve {host}: {error}"),
            Self::Connect { host, attempts } => {
                write!(f, "cannot connect to {host}")?;
                attempts.iter().try_for_each(|(address, error)| write!(f, "; {address}: {error}"))
            }
            Self::Tls { host, error } => write!(f, "the TLS handshake with {host} failed: {error}"),
            Self::Timeout { host, after } => {
                write!(f, "{host} did not complete the TLS handshake within {after:?}")
            }
        }?;
        write!(f, "; {}", self.advice())
    }
}

/// Why an accepted connection did not send a bind.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AcceptError {
    /// The TLS handshake failed.
    Tls(Arc<TlsError>),
    /// The TLS handshake took longer than [`session_init_timeout`](smpp_core::session::Config::session_init_timeout).
    Timeout,
    /// The session ended before a bind arrived.
    Ended(End),
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls(error) => write!(f, "the TLS handshake with the client failed: {error}"),
            Self::Timeout => {
                f.write_str("the client did not complete the TLS handshake within session_init_timeout")
            }
            Self::Ended(end) => write!(f, "the session ended before a bind: {end}"),
        }
    }
}

impl Error for End {}
impl Error for ConnectError {}
impl Error for TlsError {}
impl Error for AcceptError {}
