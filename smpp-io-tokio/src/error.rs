//! What can go wrong, for whom to mend.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Why there is no connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The host name has no address.
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        error: io::Error,
    },
    /// None of the addresses takes a connection.
    Connect {
        /// The host name or address.
        host: String,
        /// What each address answered; the last one tried is last.
        attempts: Vec<(SocketAddr, io::Error)>,
    },
    /// The TLS handshake failed.
    Tls {
        /// The name the certificate has to be for.
        host: String,
        /// What went wrong.
        error: TlsError,
    },
    /// The handshake took longer than allowed.
    Timeout {
        /// The host name or address.
        host: String,
        /// How long it was given.
        after: Duration,
    },
}

/// What is wrong with TLS.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// The certificate is not trusted, or not for this host.
    Certificate(rustls::CertificateError),
    /// The protocol failed.
    Protocol(rustls::Error),
    /// The transport failed during the handshake.
    Io(io::Error),
    /// The host is neither a DNS name nor an IP address.
    ServerName,
    /// Certificates or keys could not be read from this file.
    File {
        /// Its path.
        path: std::path::PathBuf,
        /// What went wrong.
        error: rustls::pki_types::pem::Error,
    },
    /// No root certificate was found on this system.
    NoRoots,
}

impl From<io::Error> for TlsError {
    /// What rustls reports comes wrapped in an I/O error.
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
            Self::Certificate(error) => write!(f, "the server's certificate is not accepted: {error}"),
            Self::Protocol(rustls::Error::InvalidMessage(_)) => {
                f.write_str("the server does not speak TLS on this port")
            }
            Self::Protocol(error) => error.fmt(f),
            Self::Io(error) => write!(f, "the connection failed during the handshake: {error}"),
            Self::ServerName => f.write_str("neither a DNS name nor an IP address"),
            Self::File { path, error } => write!(f, "{}: {error}", path.display()),
            Self::NoRoots => f.write_str("no root certificates on this system: give a CA file"),
        }
    }
}

impl std::error::Error for TlsError {}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve { host, error } => write!(f, "cannot resolve {host}: {error}"),
            Self::Connect { host, attempts } => {
                write!(f, "cannot connect to {host}")?;
                attempts.iter().try_for_each(|(address, error)| write!(f, "; {address}: {error}"))
            }
            Self::Tls { host, error } => write!(f, "no TLS with {host}: {error}"),
            Self::Timeout { host, after } => write!(f, "{host} did not complete the handshake in {after:?}"),
        }
    }
}

impl std::error::Error for ConnectError {}

/// Why a connection to a server did not become a bind.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AcceptError {
    /// The TLS handshake failed.
    Tls(Arc<TlsError>),
    /// The handshake took longer than `Config::session_init_timeout`.
    Timeout,
    /// The session ended before a bind came.
    Ended(crate::End),
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls(error) => write!(f, "no TLS with the client: {error}"),
            Self::Timeout => f.write_str("the client did not complete the TLS handshake in time"),
            Self::Ended(end) => write!(f, "no bind: {end}"),
        }
    }
}

impl std::error::Error for AcceptError {}
