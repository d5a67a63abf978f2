//! Which cryptography library TLS uses.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

use super::TlsError;

/// Returns the cryptography provider of all configurations that this module makes: the process's default if the application has
/// [installed](CryptoProvider::install_default) one, otherwise the library of the feature `fips`, `aws-lc-rs` or `ring`, the first of
/// them that is on. It does not change the process's default.
///
/// ```
/// # use smpp_common::tls::{self, TlsError};
/// use smpp_common::rustls::{ClientConfig, RootCertStore, version};
///
/// // A client of your own that speaks TLS 1.3 alone.
/// let config = ClientConfig::builder_with_provider(tls::provider()?)
///     .with_protocol_versions(&[&version::TLS13])?
///     .with_root_certificates(RootCertStore::empty())
///     .with_no_client_auth();
/// # let _ = config;
/// # Ok::<(), TlsError>(())
/// ```
///
/// # Errors
///
/// [`TlsError::NoProvider`] if none of the features is on and the process has no default.
#[doc(alias = "ring")]
#[doc(alias = "aws-lc-rs")]
#[doc(alias = "FIPS")]
pub fn provider() -> Result<Arc<CryptoProvider>, TlsError> {
    match (CryptoProvider::get_default(), BUILT_IN.first()) {
        (Some(provider), _) => Ok(Arc::clone(provider)),
        (None, Some(built_in)) => Ok(Arc::new(built_in())),
        (None, None) => Err(TlsError::NoProvider),
    }
}

/// The libraries of the features, the preferred one first.
const BUILT_IN: &[fn() -> CryptoProvider] = &[
    #[cfg(feature = "fips")]
    rustls::crypto::default_fips_provider,
    #[cfg(feature = "aws-lc-rs")]
    rustls::crypto::aws_lc_rs::default_provider,
    #[cfg(feature = "ring")]
    rustls::crypto::ring::default_provider,
];
