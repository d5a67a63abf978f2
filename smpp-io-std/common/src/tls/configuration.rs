//! Configurations of clients and servers from certificates and keys.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::{TlsError, pem_verifier, provider};

/// Makes a client that trusts the certificate authorities in a PEM file, and no others. A server's own self-signed
/// certificate may be in the file: it is trusted as that one certificate, for the host names in it.
///
/// ```no_run
/// # use smpp_common::tls::{self, TlsError};
/// let config = tls::ca_file("ca.pem".as_ref())?;
/// # Ok::<(), TlsError>(())
/// ```
///
/// # Errors
///
/// [`TlsError::Pem`] if the file cannot be read or holds no certificate, and [`TlsError::Certificate`] or
/// [`TlsError::Protocol`] if a certificate in it cannot be used.
#[doc(alias = "ca")]
#[doc(alias = "self-signed")]
#[doc(alias = "certificate")]
pub fn ca_file(path: &Path) -> Result<Arc<ClientConfig>, TlsError> {
    client_trusting(read_certificates(path)?)
}

/// Makes a client that trusts the certificate authorities in PEM data, and no others. A server's own self-signed
/// certificate may be in the data: it is trusted as that one certificate, for the host names in it.
///
/// ```no_run
/// # use smpp_common::tls::{self, TlsError};
/// # fn example(ca_pem: &str) -> Result<(), TlsError> {
/// let config = tls::ca_pem(ca_pem.as_bytes())?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// As [`ca_file`], with no path.
#[doc(alias = "ca")]
#[doc(alias = "self-signed")]
#[doc(alias = "certificate")]
pub fn ca_pem(pem: &[u8]) -> Result<Arc<ClientConfig>, TlsError> {
    let certificates = collect(CertificateDer::pem_slice_iter(pem));
    client_trusting(certificates.map_err(|error| TlsError::Pem { path: None, error })?)
}

/// Makes a client that trusts these root certificates.
///
/// ```
/// # use smpp_common::tls::{self, TlsError};
/// use smpp_common::rustls::RootCertStore;
///
/// let mut roots = RootCertStore::empty();
/// # let certificates: Vec<smpp_common::rustls::pki_types::CertificateDer<'static>> = Vec::new();
/// roots.add_parsable_certificates(certificates);
/// let config = tls::client(roots)?;
/// # Ok::<(), TlsError>(())
/// ```
///
/// # Errors
///
/// [`TlsError::NoProvider`] if no cryptography library is built in, [`TlsError::Protocol`] if it supports no version of TLS.
pub fn client(roots: RootCertStore) -> Result<Arc<ClientConfig>, TlsError> {
    let config = ClientConfig::builder_with_provider(provider()?).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// Makes a server with this certificate chain, the server's own certificate first, and its private key.
///
/// ```no_run
/// # use smpp_common::tls::{self, TlsError};
/// use smpp_common::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
///
/// let chain = CertificateDer::pem_file_iter("chain.pem")?.collect::<Result<_, _>>()?;
/// let config = tls::server(chain, PrivateKeyDer::from_pem_file("key.pem")?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`TlsError::Certificate`] or [`TlsError::Protocol`] if the chain or the key cannot be used.
pub fn server(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let config = ServerConfig::builder_with_provider(provider()?).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_no_client_auth().with_single_cert(chain, key)?))
}

/// Makes a client that trusts these root certificates, and shows this certificate chain, its own certificate first, to a server
/// that asks for one.
///
/// ```no_run
/// # use smpp_common::tls::{self, TlsError};
/// use smpp_common::rustls::RootCertStore;
/// use smpp_common::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
///
/// let mut roots = RootCertStore::empty();
/// roots.add_parsable_certificates(CertificateDer::pem_file_iter("ca.pem")?.flatten());
/// let chain = CertificateDer::pem_file_iter("client.pem")?.collect::<Result<_, _>>()?;
/// let config = tls::client_with_certificate(roots, chain, PrivateKeyDer::from_pem_file("client-key.pem")?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`TlsError::Certificate`] or [`TlsError::Protocol`] if the chain or the key cannot be used.
#[doc(alias = "mTLS")]
#[doc(alias = "client certificate")]
pub fn client_with_certificate(
    roots: RootCertStore,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let config = ClientConfig::builder_with_provider(provider()?).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_client_auth_cert(chain, key)?))
}

/// Makes a server with this certificate chain and its private key, which requires a certificate from every client that one of
/// `client_roots` has signed. [`TlsInfo`](super::TlsInfo) has the certificate: the server still decides which system_id it may bind as.
///
/// ```no_run
/// # use smpp_common::tls::{self, TlsError};
/// use smpp_common::rustls::RootCertStore;
/// use smpp_common::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
///
/// let mut client_roots = RootCertStore::empty();
/// client_roots.add_parsable_certificates(CertificateDer::pem_file_iter("client-ca.pem")?.flatten());
/// let chain = CertificateDer::pem_file_iter("chain.pem")?.collect::<Result<_, _>>()?;
/// let config = tls::server_verifying_clients(chain, PrivateKeyDer::from_pem_file("key.pem")?, client_roots)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`TlsError::Certificate`] or [`TlsError::Protocol`] if the chain, the key or the roots cannot be used.
#[doc(alias = "mTLS")]
#[doc(alias = "client certificate")]
pub fn server_verifying_clients(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    client_roots: RootCertStore,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = provider()?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(client_roots), Arc::clone(&provider))
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_client_cert_verifier(verifier).with_single_cert(chain, key)?))
}

/// Makes a server with the certificate chain and the private key in these PEM files.
///
/// ```no_run
/// # use smpp_common::tls::{self, TlsError};
/// let config = tls::server_files("chain.pem".as_ref(), "key.pem".as_ref())?;
/// # Ok::<(), TlsError>(())
/// ```
///
/// # Errors
///
/// [`TlsError::Pem`] with the path of the file that cannot be read or holds no certificate or key, and otherwise as
/// [`server`].
pub fn server_files(chain: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let unusable = |error| TlsError::Pem { path: Some(key.to_path_buf()), error };
    server(read_certificates(chain)?, PrivateKeyDer::from_pem_file(key).map_err(unusable)?)
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_file_iter(path).and_then(collect);
    certificates.map_err(|error| TlsError::Pem { path: Some(path.to_path_buf()), error })
}

/// Collects the certificates. None at all is an error.
fn collect(
    certificates: impl Iterator<Item = Result<CertificateDer<'static>, pem::Error>>,
) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>()?;
    if certificates.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(certificates) }
}

/// Returns a client that trusts these certificates.
fn client_trusting(trusted: Vec<CertificateDer<'static>>) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = provider()?;
    let verifier = pem_verifier::verifier(trusted, &provider)?;
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
}
