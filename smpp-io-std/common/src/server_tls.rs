//! The TLS configuration of a server while it runs, and what a handshake has agreed on.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::CertificateDer;
use rustls::{ProtocolVersion, ServerConfig, ServerConnection};

/// The TLS configuration of one or more listeners. It can be replaced while they run, for example when a certificate is renewed.
/// Clones share it.
///
/// ```no_run
/// # use smpp_common::{TlsError, tls};
/// use smpp_common::tls::ServerTls;
///
/// let files = || tls::server_files("chain.pem".as_ref(), "key.pem".as_ref());
/// let server_tls = ServerTls::new(files()?);
/// // Give a clone of `server_tls` to a listener. Later:
/// server_tls.replace(files()?);
/// # Ok::<(), TlsError>(())
/// ```
#[derive(Clone)]
pub struct ServerTls(Arc<RwLock<Arc<ServerConfig>>>);

impl ServerTls {
    /// Uses this configuration until another one replaces it.
    pub fn new(config: Arc<ServerConfig>) -> Self {
        Self(Arc::new(RwLock::new(config)))
    }

    /// Uses this configuration for handshakes that begin from now on, and returns the one before. Connections that exist stay as
    /// they are. TLS sessions of the configuration before cannot be resumed: their clients make a full handshake.
    pub fn replace(&self, config: Arc<ServerConfig>) -> Arc<ServerConfig> {
        std::mem::replace(&mut self.0.write().unwrap_or_else(PoisonError::into_inner), config)
    }

    /// Returns the configuration.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl From<Arc<ServerConfig>> for ServerTls {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self::new(config)
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

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
