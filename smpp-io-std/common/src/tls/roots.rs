//! Which certificate authorities a client trusts that the application has given none.

use std::sync::Arc;

use rustls::ClientConfig;

use super::TlsError;

/// Makes a client that trusts the certificate authorities that the operating system trusts, read from its files or its store.
///
/// ```no_run
/// # use smpp_common::tls::{self, TlsError};
/// let config = tls::system_roots()?;
/// # Ok::<(), TlsError>(())
/// ```
///
/// # Errors
///
/// [`TlsError::NoRoots`] if the operating system has no trusted certificate authority, [`TlsError::NoProvider`] if no cryptography
/// library is built in.
#[cfg(feature = "native-roots")]
#[doc(alias = "native-roots")]
pub fn system_roots() -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(TlsError::NoRoots);
    }
    super::client(roots)
}

/// Makes a client that lets the operating system verify the certificates of servers, with its rules, its revocation lists and
/// what an administrator has set: on Windows, macOS, iOS and Android. On Android the application first
/// [initializes](https://docs.rs/rustls-platform-verifier) the crate `rustls-platform-verifier`. On other systems it is as
/// `system_roots`.
///
/// ```no_run
/// # use smpp_common::tls::{self, TlsError};
/// let config = tls::platform_verifier()?;
/// # Ok::<(), TlsError>(())
/// ```
///
/// # Errors
///
/// [`TlsError::NoRoots`] if the operating system has no trusted certificate authority, [`TlsError::NoProvider`] if no cryptography
/// library is built in.
#[cfg(feature = "platform-verifier")]
#[doc(alias = "rustls-platform-verifier")]
pub fn platform_verifier() -> Result<Arc<ClientConfig>, TlsError> {
    let provider = super::provider()?;
    let verifier = rustls_platform_verifier::Verifier::new(Arc::clone(&provider));
    let verifier = verifier.map_err(|error| match error {
        // It has read no authority.
        rustls::Error::General(_) => TlsError::NoRoots,
        error => error.into(),
    })?;
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    Ok(Arc::new(config.with_no_client_auth()))
}

/// Makes a client that trusts the certificate authorities that Mozilla's programs trust. They are compiled in: update the crate
/// `webpki-roots` to update them.
///
/// ```
/// # use smpp_common::tls::{self, TlsError};
/// let config = tls::webpki_roots()?;
/// # Ok::<(), TlsError>(())
/// ```
///
/// # Errors
///
/// [`TlsError::NoProvider`] if no cryptography library is built in.
#[cfg(feature = "webpki-roots")]
#[doc(alias = "Mozilla")]
pub fn webpki_roots() -> Result<Arc<ClientConfig>, TlsError> {
    super::client(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect())
}

type MakeClient = fn() -> Result<Arc<ClientConfig>, TlsError>;

/// What the features say to trust, the preferred one first.
const TRUST: &[MakeClient] = &[
    #[cfg(feature = "platform-verifier")]
    platform_verifier,
    #[cfg(feature = "native-roots")]
    system_roots,
    #[cfg(feature = "webpki-roots")]
    webpki_roots,
];

/// Makes the client of a connector that has no TLS configuration.
pub(super) fn default_client() -> Result<Arc<ClientConfig>, TlsError> {
    first_with_roots(TRUST)
}

/// Returns the first result that is not [`TlsError::NoRoots`].
fn first_with_roots(trust: &[MakeClient]) -> Result<Arc<ClientConfig>, TlsError> {
    let without_roots = |made: &Result<_, _>| matches!(made, Err(TlsError::NoRoots));
    let mut made = trust.iter().map(|make| make());
    made.find(|made| !without_roots(made)).unwrap_or(Err(TlsError::NoRoots))
}

#[cfg(all(test, any(feature = "ring", feature = "aws-lc-rs")))]
mod tests {
    use super::*;

    fn none() -> Result<Arc<ClientConfig>, TlsError> {
        Err(TlsError::NoRoots)
    }

    fn some() -> Result<Arc<ClientConfig>, TlsError> {
        super::super::client(rustls::RootCertStore::empty())
    }

    fn no_provider() -> Result<Arc<ClientConfig>, TlsError> {
        Err(TlsError::NoProvider)
    }

    #[test]
    fn the_next_authorities_are_used_only_where_the_system_has_none() {
        assert!(first_with_roots(&[none, some]).is_ok());
        assert!(first_with_roots(&[some, no_provider]).is_ok());
        assert!(matches!(first_with_roots(&[none, no_provider, some]), Err(TlsError::NoProvider)));
        assert!(matches!(first_with_roots(&[]), Err(TlsError::NoRoots)));
        assert!(matches!(first_with_roots(&[none]), Err(TlsError::NoRoots)));
        if cfg!(feature = "webpki-roots") {
            assert!(default_client().is_ok(), "the compiled authorities are always there");
        } else if !cfg!(any(feature = "native-roots", feature = "platform-verifier")) {
            let error = default_client().unwrap_err().to_string();
            assert!(error.contains("turn on the feature `native-roots`"), "{error}");
        }
    }
}
