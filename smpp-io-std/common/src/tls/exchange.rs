//! TLS configurations that can be replaced while they are in use.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::{ClientConfig, ServerConfig};

use super::{TlsError, roots};

/// The TLS configuration of one or more connectors. It can be replaced while they run, for example when the client's certificate is
/// renewed. Clones share it.
///
/// `ClientTls::default()` is what a connector has to which none was given: on the first connection it trusts what the features say:
/// the operating system's verifier (`platform-verifier`), or its certificate authorities (`native-roots`, on by default), or those of
/// Mozilla (`webpki-roots`), the first of them that is on. If the operating system has no authority, those of Mozilla are used if that
/// feature is on.
///
/// ```no_run
/// # use smpp_common::tls::{self, TlsError};
/// use smpp_common::tls::ClientTls;
/// use smpp_common::rustls::RootCertStore;
/// use smpp_common::rustls::pki_types::pem::PemObject;
/// use smpp_common::rustls::pki_types::{CertificateDer, PrivateKeyDer};
///
/// # fn example(roots: RootCertStore) -> Result<(), Box<dyn std::error::Error>> {
/// let with_certificate = || -> Result<_, Box<dyn std::error::Error>> {
///     let chain = CertificateDer::pem_file_iter("client.pem")?.collect::<Result<_, _>>()?;
///     let key = PrivateKeyDer::from_pem_file("client-key.pem")?;
///     Ok(tls::client_with_certificate(roots.clone(), chain, key)?)
/// };
/// let client_tls = ClientTls::new(with_certificate()?);
/// // Give a clone of `client_tls` to a connector. When the files have changed:
/// client_tls.replace(with_certificate()?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct ClientTls(Arc<RwLock<Option<Arc<ClientConfig>>>>);

impl ClientTls {
    /// Uses this configuration until another one replaces it.
    pub fn new(config: Arc<ClientConfig>) -> Self {
        Self(Arc::new(RwLock::new(Some(config))))
    }

    /// Uses this configuration for handshakes that begin from now on, also for the reconnects of an account. Connections that exist
    /// stay as they are. TLS sessions of the configuration before are not resumed.
    pub fn replace(&self, config: Arc<ClientConfig>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(config);
    }

    /// Returns the configuration. The default one is made at the first call, from files of the operating system, and kept: the
    /// connections of all clones share it, and resume TLS sessions.
    ///
    /// # Errors
    ///
    /// For a default configuration, [`TlsError::NoRoots`] if there is no certificate authority to trust, [`TlsError::NoProvider`] if
    /// no cryptography library is built in. The next call tries again.
    pub fn config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        if let Some(config) = self.loaded() {
            return Ok(config);
        }
        let mut config = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = &*config {
            return Ok(Arc::clone(config));
        }
        Ok(Arc::clone(config.insert(roots::default_client()?)))
    }

    /// Returns the configuration, without making the default one.
    #[doc(hidden)]
    pub fn loaded(&self) -> Option<Arc<ClientConfig>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl From<Arc<ClientConfig>> for ClientTls {
    fn from(config: Arc<ClientConfig>) -> Self {
        Self::new(config)
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").finish_non_exhaustive()
    }
}

/// The TLS configuration of one or more listeners. It can be replaced while they run, for example when a certificate is renewed.
/// Clones share it.
///
/// ```no_run
/// # use smpp_common::tls::{self, TlsError};
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

#[cfg(all(test, any(feature = "native-roots", feature = "platform-verifier", feature = "webpki-roots")))]
mod tests {
    use super::*;

    #[test]
    fn the_default_configuration_is_made_once_for_all_clones_until_it_is_replaced() {
        let tls = ClientTls::default();
        assert!(tls.loaded().is_none());
        // A system may have no authorities.
        let Ok(first) = tls.config() else { return };
        assert!(Arc::ptr_eq(&first, &tls.clone().config().unwrap()));
        let other = ClientTls::default().config().unwrap();
        tls.clone().replace(Arc::clone(&other));
        assert!(Arc::ptr_eq(&tls.config().unwrap(), &other) && !Arc::ptr_eq(&first, &other));
    }
}
