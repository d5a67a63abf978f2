//! The errors of connecting and accepting, and how a session ended.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

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
        match &self.error {
            Some(error) => write!(f, "{}: {error}", self.reason),
            None => self.reason.fmt(f),
        }
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

/// Why TLS cannot be set up, or a handshake failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// The certificate is not trusted, or is for another host.
    Certificate(rustls::CertificateError),
    /// The peer violated the TLS protocol, or both sides have no version or cipher in common.
    Protocol(rustls::Error),
    /// The transport failed during the handshake.
    Io(io::Error),
    /// The host is neither a DNS name nor an IP address.
    ServerName,
    /// Certificates or keys cannot be read from a PEM file.
    File {
        /// The path of the file.
        path: std::path::PathBuf,
        /// Why.
        error: rustls::pki_types::pem::Error,
    },
    /// The operating system has no root certificates.
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
            Self::Certificate(error) => write!(f, "the certificate is not accepted: {error}"),
            Self::Protocol(rustls::Error::InvalidMessage(_)) => {
                f.write_str("the peer does not speak TLS on this port")
            }
            Self::Protocol(error) => error.fmt(f),
            Self::Io(error) => write!(f, "the connection failed during the TLS handshake: {error}"),
            Self::ServerName => f.write_str("the host is neither a DNS name nor an IP address"),
            Self::File { path, error } => write!(f, "cannot read {}: {error}", path.display()),
            Self::NoRoots => f.write_str("the system has no root certificates: set a PEM file of the CA"),
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve { host, error } => {
                write!(f, "cannot resolve {host}: {error}; check the host name and the name server")
            }
            Self::Connect { host, attempts } => {
                write!(f, "cannot connect to {host}")?;
                attempts.iter().try_for_each(|(address, error)| write!(f, "; {address}: {error}"))?;
                f.write_str("; check host, port and firewall")
            }
            Self::Tls { host, error } => write!(f, "cannot set up TLS with {host}: {error}"),
            Self::Timeout { host, after } => {
                write!(
                    f,
                    "{host} did not complete the TLS handshake within {after:?}; check that the port is a TLS port"
                )
            }
        }
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
            Self::Tls(error) => write!(f, "cannot set up TLS with the client: {error}"),
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
