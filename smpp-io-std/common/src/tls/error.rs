//! Why TLS failed, in words.

use std::error::Error;
use std::fmt;
use std::io;
#[cfg(feature = "rustls")]
use std::path::PathBuf;

#[cfg(feature = "rustls")]
use rustls::{AlertDescription, CertificateError, PeerIncompatible, pki_types::pem};

/// The most names of a certificate that an error shows.
#[cfg(feature = "rustls")]
const MAX_NAMES: usize = 5;

#[cfg(feature = "rustls")]
const SECONDS_PER_DAY: u64 = 86_400;

/// A TLS handshake failed, or a certificate or key could not be used. `Display` includes the text of the error inside, which
/// [`source`](Error::source) returns.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// The peer's certificate was rejected: it is not trusted, has expired, or is for another host.
    /// [`certificate_error`](Self::certificate_error) returns why.
    #[cfg(feature = "rustls")]
    Certificate(Box<rustls::Error>),
    /// The TLS protocol failed: the peer does not speak TLS, sent an alert, or offers nothing in common.
    #[cfg(feature = "rustls")]
    Protocol(rustls::Error),
    /// The connection failed during the handshake, or the handshake took longer than its timeout.
    Io(io::Error),
    /// The host is neither a DNS name nor an IP address.
    ServerName,
    /// The PEM data hold no usable certificate or key.
    #[cfg(feature = "rustls")]
    Pem {
        /// The file; `None` if the PEM data came from memory.
        path: Option<PathBuf>,
        /// Why the data cannot be used.
        error: pem::Error,
    },
    /// There is no certificate authority to trust: the operating system has none, or the program is built without the features
    /// `native-roots`, `platform-verifier` and `webpki-roots`.
    NoRoots,
    /// There is no cryptography library: the process has no default provider, and the program is built without the features `ring`
    /// and `aws-lc-rs`.
    NoProvider,
    /// The program is built without TLS: without the feature `rustls`.
    NotBuilt,
}

impl TlsError {
    /// Returns whether no address of the host can help: the certificate is rejected, or this side has no configuration.
    pub const fn is_untrusted(&self) -> bool {
        match self {
            #[cfg(feature = "rustls")]
            Self::Certificate(_) => true,
            Self::ServerName | Self::NoRoots | Self::NoProvider | Self::NotBuilt => true,
            _ => false,
        }
    }

    /// Returns why the peer's certificate was rejected; `None` if something else failed.
    #[cfg(feature = "rustls")]
    pub fn certificate_error(&self) -> Option<&CertificateError> {
        match self {
            Self::Certificate(error) => match &**error {
                rustls::Error::InvalidCertificate(error) => Some(error),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns what the user of a client can do about a failed handshake.
    pub(crate) fn advice(&self) -> &'static str {
        match self {
            #[cfg(feature = "rustls")]
            Self::Certificate(_) => {
                self.certificate_error().map_or("ask the operator of the server", certificate_advice)
            }
            #[cfg(feature = "rustls")]
            Self::Protocol(error) if is_old_tls(error) => "ask for TLS 1.2 or 1.3 on this port",
            #[cfg(feature = "rustls")]
            Self::Protocol(rustls::Error::AlertReceived(_)) => {
                "ask the operator of the server why it refuses the handshake; it may require a client certificate"
            }
            Self::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
                "check that the port is the TLS port, and whether an IP allow-list blocks the connection"
            }
            Self::ServerName => "use a DNS name or an IP address in the URL",
            _ => "check that the port is the TLS port: smpp:// is plain, smpps:// is TLS",
        }
    }
}

/// Returns what the user of a client can do about a certificate that was rejected.
#[cfg(feature = "rustls")]
const fn certificate_advice(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "ask the operator of the server for a new certificate, and check the clock of this machine"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "check the clock of this machine"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "connect by a name that the certificate is for"
        }
        _ => {
            "trust the authority that signed the certificate, or the certificate itself if it is self-signed, and \
             connect by the name that the certificate is for"
        }
    }
}

#[cfg(feature = "rustls")]
impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(_) => Self::Certificate(Box::new(error)),
            other => Self::Protocol(other),
        }
    }
}

impl From<io::Error> for TlsError {
    /// Unwraps the errors of rustls that are reported as I/O errors.
    fn from(error: io::Error) -> Self {
        #[cfg(feature = "rustls")]
        if let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return inner.clone().into();
        }
        Self::Io(error)
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "rustls")]
            Self::Certificate(error) => {
                f.write_str("the peer's certificate was rejected: ")?;
                match self.certificate_error() {
                    Some(error) => write_rejection(f, error),
                    None => error.fmt(f),
                }
            }
            #[cfg(feature = "rustls")]
            Self::Protocol(rustls::Error::InvalidMessage(_)) => {
                f.write_str("the peer does not speak TLS on this port")
            }
            #[cfg(feature = "rustls")]
            Self::Protocol(error) if is_old_tls(error) => {
                f.write_str("the peer offers neither TLS 1.2 nor TLS 1.3")
            }
            #[cfg(feature = "rustls")]
            Self::Protocol(error) => error.fmt(f),
            Self::Io(error) => write!(f, "the handshake was not completed: {error}"),
            Self::ServerName => f.write_str("the host is neither a DNS name nor an IP address"),
            #[cfg(feature = "rustls")]
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
            Self::NoRoots => f.write_str(NO_ROOTS),
            Self::NoProvider => f.write_str(
                "there is no cryptography library for TLS: turn on the feature `ring` or `aws-lc-rs` of smpp-tokio or smpp-std, \
                 or install a default provider of rustls for the process",
            ),
            Self::NotBuilt => f.write_str(
                "the program is built without TLS: turn on the features `ring` and `native-roots` of smpp-tokio or smpp-std",
            ),
        }
    }
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            #[cfg(feature = "rustls")]
            Self::Certificate(error) => Some(&**error),
            #[cfg(feature = "rustls")]
            Self::Protocol(error) => Some(error),
            Self::Io(error) => Some(error),
            #[cfg(feature = "rustls")]
            Self::Pem { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// The text of [`TlsError::NoRoots`].
const NO_ROOTS: &str = if cfg!(any(feature = "native-roots", feature = "platform-verifier")) {
    "the operating system has no trusted certificate authority: give the PEM file of the authority"
} else {
    "no certificate authority is trusted: give the PEM file of the authority, or turn on the feature `native-roots`, \
     `platform-verifier` or `webpki-roots` of smpp-tokio or smpp-std"
};

/// Returns whether the peer has no version of TLS that this side accepts.
#[cfg(feature = "rustls")]
const fn is_old_tls(error: &rustls::Error) -> bool {
    matches!(
        error,
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
            | rustls::Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                    | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
                    | PeerIncompatible::Tls12NotOffered
                    | PeerIncompatible::Tls12NotOfferedOrEnabled
            )
    )
}

/// Describes the common reasons to reject a certificate. rustls shows some of them as the name of its own variant.
#[cfg(feature = "rustls")]
fn write_rejection(f: &mut fmt::Formatter<'_>, error: &CertificateError) -> fmt::Result {
    f.write_str(match error {
        CertificateError::UnknownIssuer => "no trusted certificate authority has signed it",
        CertificateError::Expired => "it has expired",
        CertificateError::ExpiredContext { time, not_after } => {
            let days = time.as_secs().saturating_sub(not_after.as_secs()) / SECONDS_PER_DAY;
            return write!(f, "it has expired, {days} days ago");
        }
        CertificateError::NotValidYet => "it is not valid yet",
        CertificateError::NotValidYetContext { time, not_before } => {
            let days = not_before.as_secs().saturating_sub(time.as_secs()) / SECONDS_PER_DAY;
            return write!(f, "it is not valid yet, but in {days} days");
        }
        CertificateError::Revoked => "its authority has revoked it",
        CertificateError::NotValidForName => "it is for another host name",
        CertificateError::NotValidForNameContext { expected, presented } => {
            write!(f, "it is not for {}, but for ", expected.to_str())?;
            return write_names(f, presented);
        }
        CertificateError::BadSignature => {
            "its signature does not match: the trusted certificate of the same name has another key"
        }
        CertificateError::BadEncoding => "it cannot be decoded",
        CertificateError::UnhandledCriticalExtension => "it has a critical extension that is not supported",
        CertificateError::UnknownRevocationStatus => "it is not known whether its authority has revoked it",
        CertificateError::ApplicationVerificationFailure => "the verifier of the application rejected it",
        CertificateError::InvalidPurpose => "it is not for this purpose",
        // The error is of a type that rustls does not export.
        CertificateError::Other(other) if other.to_string() == "CaUsedAsEndEntity" => {
            "it is that of a certificate authority, probably a self-signed one, and is not trusted itself"
        }
        other => return fmt::Display::fmt(other, f),
    })
}

/// Shows the names of a certificate, each in the form `DnsName("localhost")`, without what surrounds them.
#[cfg(feature = "rustls")]
fn write_names(f: &mut fmt::Formatter<'_>, names: &[String]) -> fmt::Result {
    for (index, name) in names.iter().take(MAX_NAMES).enumerate() {
        let name = name.split_once('(').map_or(&**name, |(_, name)| name);
        let comma = if index > 0 { ", " } else { "" };
        write!(f, "{comma}{}", name.trim_matches(['"', ')']))?;
    }
    match names.len() {
        0 => f.write_str("no host"),
        count if count > MAX_NAMES => f.write_str(", ..."),
        _ => Ok(()),
    }
}
