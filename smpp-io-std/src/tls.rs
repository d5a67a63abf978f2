//! TLS by rustls: 1.2 and 1.3, the server's certificate verified for the host's name.
//!
//! What these functions make is rustls' own configuration. For client certificates, pinned versions or another
//! cryptography provider, make one yourself.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::error::TlsError;

/// A client that trusts the certificate authorities that the operating system trusts.
#[cfg(feature = "native-roots")]
pub fn system_roots() -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(TlsError::NoRoots);
    }
    client(roots)
}

/// A client that trusts the certificate authorities in a PEM file, and no others.
pub fn ca_file(path: &Path) -> Result<Arc<ClientConfig>, TlsError> {
    trusting(certificates(path)?)
}

/// A client that trusts the certificate authorities in PEM data, and no others.
pub fn ca_pem(pem: &[u8]) -> Result<Arc<ClientConfig>, TlsError> {
    let found = all(CertificateDer::pem_slice_iter(pem));
    trusting(found.map_err(|error| TlsError::Pem { path: None, error })?)
}

/// A server with this certificate chain, the server's own certificate first, and its key.
pub fn server(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_no_client_auth().with_single_cert(chain, key)?))
}

/// A server with the certificate chain and the key in these PEM files.
pub fn server_files(chain: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let unusable = |error| TlsError::Pem { path: Some(key.to_path_buf()), error };
    server(certificates(chain)?, PrivateKeyDer::from_pem_file(key).map_err(unusable)?)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_file_iter(path).and_then(all);
    found.map_err(|error| TlsError::Pem { path: Some(path.to_path_buf()), error })
}

fn all(
    found: impl Iterator<Item = Result<CertificateDer<'static>, pem::Error>>,
) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    let found: Vec<_> = found.collect::<Result<_, _>>()?;
    if found.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(found) }
}

fn trusting(authorities: Vec<CertificateDer<'static>>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority)?;
    }
    client(roots)
}

fn client(roots: RootCertStore) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}
