//! What can go wrong, and for whom to mend it.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem;
use smpp_core::CommandStatus;
use smpp_core::session::{CloseReason, RequestError, Role};

use crate::handle::PendingResponse;

/// How a connection ended.
#[derive(Clone, Debug)]
pub struct End {
    /// Why the session is over.
    pub reason: CloseReason,
    /// What the transport reported, where it failed.
    pub error: Option<Arc<io::Error>>,
}

/// What became of a request whose deadline has passed.
pub enum DeadlineError<R: Role> {
    /// It was never sent: there was no room, or the rate was reached. It is safe to send again.
    NeverSent,
    /// It is in flight: the peer may accept it yet.
    InFlight(PendingResponse<R>),
}

/// Why there is no connection, or no bind: what failed, where, and what to do about it.
#[derive(Debug)]
pub struct ConnectError {
    /// Scheme, host and port.
    pub endpoint: String,
    /// What failed.
    pub kind: ConnectErrorKind,
}

/// The step at which connecting failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// The host name has no address.
    Resolve(io::Error),
    /// The TLS configuration cannot be made.
    Tls(TlsError),
    /// No address takes a connection: what each answered, in the order they were tried.
    Connect(Vec<(SocketAddr, io::Error)>),
    /// The address took the connection, and the TLS handshake failed.
    Handshake(SocketAddr, TlsError),
    /// The connection cannot be used.
    Socket(io::Error),
    /// The SMSC did not accept the bind.
    Bind(RequestError),
}

/// What is wrong with TLS.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// The peer's certificate is not trusted, has expired, or is not for this host.
    Certificate(rustls::CertificateError),
    /// The protocol failed.
    Protocol(rustls::Error),
    /// The connection failed, or the peer took too long.
    Io(io::Error),
    /// The host is neither a DNS name nor an IP address.
    ServerName,
    /// The PEM data hold no usable certificate or key.
    Pem {
        /// The file; `None` for PEM data from memory.
        path: Option<PathBuf>,
        /// What is wrong.
        error: pem::Error,
    },
    /// The operating system trusts no certificate authority.
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
        self.error.as_ref().map_or(Ok(()), |error| write!(f, " ({error})"))
    }
}

impl<R: Role> fmt::Debug for DeadlineError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeverSent => "NeverSent",
            Self::InFlight(_) => "InFlight",
        })
    }
}

impl<R: Role> fmt::Display for DeadlineError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeverSent => "not sent in time",
            Self::InFlight(_) => "sent, and not answered in time",
        })
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, kind: failure } = self;
        match failure {
            ConnectErrorKind::Resolve(error) => write!(f, "cannot find the host of {endpoint}: {error}"),
            ConnectErrorKind::Tls(error) => write!(f, "cannot prepare TLS for {endpoint}: {error}"),
            ConnectErrorKind::Connect(attempts) => {
                write!(f, "cannot connect to {endpoint}")?;
                attempts.iter().try_for_each(|(address, error)| write!(f, "; {address}: {error}"))
            }
            ConnectErrorKind::Handshake(address, error) => {
                write!(f, "no TLS connection to {endpoint} at {address}: {error}")
            }
            ConnectErrorKind::Socket(error) => {
                write!(f, "the connection to {endpoint} cannot be used: {error}")
            }
            ConnectErrorKind::Bind(error) => write!(f, "{endpoint} did not accept the bind: {error}"),
        }?;
        failure.advice().map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

impl ConnectErrorKind {
    /// What to do about it.
    pub fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::Resolve(_) => "check the spelling of the host and the name server",
            Self::Connect(_) => "check host and port, and whether a firewall or an allow-list is between",
            Self::Tls(_) | Self::Socket(_) => return None,
            Self::Handshake(_, TlsError::Certificate(_)) => {
                "trust the authority that signed it, and connect by the name it is for"
            }
            Self::Handshake(..) => "check that the port is the TLS port: smpp:// is plain, smpps:// is TLS",
            Self::Bind(RequestError::Refused(status)) => match *status {
                CommandStatus::RINVPASWD => "check the password",
                CommandStatus::RINVSYSID => "check the system_id",
                CommandStatus::RALYBND => "the account holds as many binds as it may: end one, or wait",
                _ => "check system_id, password and whether the account may connect from here",
            },
            Self::Bind(RequestError::Unanswered(_)) => {
                "check that an SMSC listens there, whether it wants TLS, and its allow-list"
            }
            Self::Bind(_) => "check that an SMSC for SMPP 3.4 listens there",
        })
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
            Self::Io(error) => write!(f, "the handshake was not completed: {error}"),
            Self::ServerName => f.write_str("the host is neither a DNS name nor an IP address"),
            Self::Pem { path: Some(path), error } => write!(f, "{}: {error}", path.display()),
            Self::Pem { path: None, error } => error.fmt(f),
            Self::NoRoots => {
                f.write_str("the system trusts no certificate authority: give the CA's PEM file")
            }
        }
    }
}

impl Error for End {}
impl<R: Role> Error for DeadlineError<R> {}
impl Error for ConnectError {}
impl Error for TlsError {}
