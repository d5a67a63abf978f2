//! What a handshake has agreed on.

use std::fmt;

use rustls::pki_types::CertificateDer;
use rustls::{ProtocolVersion, ServerConnection};

/// What the TLS handshake with a client has agreed on, and the certificates that the client has shown.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// The version of TLS.
    pub version: ProtocolVersion,
    /// The host name that the client asked for (SNI).
    pub server_name: Option<String>,
    /// The application protocol that was agreed on (ALPN).
    pub alpn: Option<Vec<u8>>,
    /// The chain of certificates that the client has shown, in DER, its own first; empty if it has shown none. The verifier of the
    /// server's configuration has accepted it.
    pub client_certificates: Vec<CertificateDer<'static>>,
}

impl TlsInfo {
    /// Returns what a connection after its handshake has.
    #[doc(hidden)]
    pub fn of(connection: &ServerConnection) -> Self {
        let certificates = connection.peer_certificates().unwrap_or_default();
        Self {
            version: connection.protocol_version().unwrap_or(ProtocolVersion::Unknown(0)),
            server_name: connection.server_name().map(Into::into),
            alpn: connection.alpn_protocol().map(Into::into),
            client_certificates: certificates.iter().map(|it| it.clone().into_owned()).collect(),
        }
    }

    /// Returns the client's own certificate, in DER.
    pub fn client_certificate(&self) -> Option<&CertificateDer<'static>> {
        self.client_certificates.first()
    }
}

/// The certificates as their number.
impl fmt::Debug for TlsInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alpn = self.alpn.as_deref().map(|alpn| alpn.escape_ascii().to_string());
        f.debug_struct("TlsInfo")
            .field("version", &self.version)
            .field("server_name", &self.server_name)
            .field("alpn", &alpn)
            .field("client_certificates", &self.client_certificates.len())
            .finish()
    }
}
