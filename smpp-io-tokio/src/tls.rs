//! TLS 1.2 and 1.3 with rustls. Clients verify the server's certificate for the host name.
//!
//! A [`Connector`](crate::Connector) and an [`AccountConnector`](crate::account::AccountConnector) trust the root
//! certificates of the operating system unless they are given a configuration; a [`Listener`](crate::Listener) accepts TLS
//! once it is given one. Any `rustls` configuration works, for example one with a client certificate; the functions here
//! build the usual ones.
//!
//! ```no_run
//! use smpp_core::session::Config;
//! use smpp_io_tokio::{Connector, Listener, tls};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // A client that trusts the CA of the SMSC's operator.
//! let connector = Connector::new().tls(tls::ca_file("ca.pem".as_ref())?);
//! // A server with its own certificate.
//! let config = tls::server_files("chain.pem".as_ref(), "key.pem".as_ref())?;
//! let listener = Listener::bind("0.0.0.0:2776", Config::default()).await?.tls(config);
//! # drop((connector, listener));
//! # Ok(())
//! # }
//! ```

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
};

use crate::error::TlsError;

/// Returns a client configuration that trusts the root certificates of the operating system.
///
/// # Errors
///
/// Returns [`TlsError::NoRoots`] if the system has none.
///
/// ```no_run
/// let connector = smpp_io_tokio::Connector::new().tls(smpp_io_tokio::tls::system_roots()?);
/// # Ok::<(), smpp_io_tokio::TlsError>(())
/// ```
pub fn system_roots() -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(TlsError::NoRoots);
    }
    client(roots)
}

/// Returns a client configuration that trusts only the certificate authorities in a PEM file. A server's own self-signed
/// certificate in the file is trusted as that one certificate, for the host names that it is for.
///
/// # Errors
///
/// Returns [`TlsError::Pem`] if the file cannot be read or holds no certificate, and [`TlsError::Certificate`] if one of
/// its certificates is no valid authority.
///
/// ```no_run
/// let connector = smpp_io_tokio::Connector::new().tls(smpp_io_tokio::tls::ca_file("ca.pem".as_ref())?);
/// # Ok::<(), smpp_io_tokio::TlsError>(())
/// ```
pub fn ca_file(path: &Path) -> Result<Arc<ClientConfig>, TlsError> {
    client_trusting(certificates(path)?)
}

/// Returns a client configuration that trusts only the certificate authorities in PEM data. A server's own self-signed
/// certificate in the data is trusted as that one certificate, for the host names that it is for.
///
/// # Errors
///
/// As [`ca_file`], with no path.
///
/// ```no_run
/// # fn example(ca_pem: &str) -> Result<(), smpp_io_tokio::TlsError> {
/// let connector = smpp_io_tokio::Connector::new().tls(smpp_io_tokio::tls::ca_pem(ca_pem.as_bytes())?);
/// # Ok(())
/// # }
/// ```
pub fn ca_pem(pem: &[u8]) -> Result<Arc<ClientConfig>, TlsError> {
    let certificates = collect(CertificateDer::pem_slice_iter(pem));
    client_trusting(certificates.map_err(|error| TlsError::Pem { path: None, error })?)
}

fn client_trusting(trusted: Vec<CertificateDer<'static>>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in &trusted {
        roots.add(certificate.clone())?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let authorities = verifier.build().map_err(|error| rustls::Error::General(error.to_string()))?;
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let verifier = Arc::new(FileVerifier { authorities, trusted });
    Ok(Arc::new(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
}

/// Returns a client configuration that trusts these root certificates.
///
/// # Errors
///
/// Returns [`TlsError::Protocol`] if the crypto provider supports no TLS version.
///
/// ```
/// use rustls::RootCertStore;
///
/// let mut roots = RootCertStore::empty();
/// # let certificates: Vec<rustls::pki_types::CertificateDer<'static>> = Vec::new();
/// roots.add_parsable_certificates(certificates);
/// let connector = smpp_io_tokio::Connector::new().tls(smpp_io_tokio::tls::client(roots)?);
/// # Ok::<(), smpp_io_tokio::TlsError>(())
/// ```
pub fn client(roots: RootCertStore) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// Returns a server configuration with a private key and its certificate chain, the server's own certificate first.
///
/// # Errors
///
/// Returns [`TlsError::Protocol`] or [`TlsError::Certificate`] if the key or the chain cannot be used.
///
/// ```no_run
/// use rustls::pki_types::pem::PemObject;
/// use rustls::pki_types::{CertificateDer, PrivateKeyDer};
///
/// let chain = CertificateDer::pem_file_iter("chain.pem")?.collect::<Result<_, _>>()?;
/// let config = smpp_io_tokio::tls::server(chain, PrivateKeyDer::from_pem_file("key.pem")?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn server(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_no_client_auth().with_single_cert(chain, key)?))
}

/// Returns a server configuration with the certificate chain and the private key in two PEM files.
///
/// # Errors
///
/// Returns [`TlsError::Pem`] if a file cannot be read or holds no certificate or key, otherwise as [`server`].
///
/// ```no_run
/// let config = smpp_io_tokio::tls::server_files("chain.pem".as_ref(), "key.pem".as_ref())?;
/// # Ok::<(), smpp_io_tokio::TlsError>(())
/// ```
pub fn server_files(chain: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let error = |error| TlsError::Pem { path: Some(key.to_path_buf()), error };
    server(certificates(chain)?, PrivateKeyDer::from_pem_file(key).map_err(error)?)
}

/// Accepts the certificates that the authorities of a file have signed, and those that are in the file themselves.
#[derive(Debug)]
struct FileVerifier {
    authorities: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for FileVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.authorities.verify_server_cert(certificate, intermediates, name, ocsp, now);
        match verified {
            // A self-signed certificate is an authority, which is not accepted as the certificate of a server.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::Other(_),
            )) if self.trusted.iter().any(|trusted| trusted == certificate) => {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.authorities.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.authorities.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_file_iter(path).and_then(collect);
    certificates.map_err(|error| TlsError::Pem { path: Some(path.to_path_buf()), error })
}

/// Collects certificates. None at all is an error.
fn collect(
    certificates: impl Iterator<Item = Result<CertificateDer<'static>, pem::Error>>,
) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    let certificates = certificates.collect::<Result<Vec<_>, _>>()?;
    if certificates.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(certificates) }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use std::path::PathBuf;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
    use tokio::io::duplex;
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::dial::ClientTls;

    /// A self-signed certificate for `localhost`: its server, and the PEM file of the certificate.
    fn self_signed(name: &str, is_ca: IsCa) -> (Arc<ServerConfig>, PathBuf) {
        let mut params = CertificateParams::new(["localhost".into()]).unwrap();
        params.is_ca = is_ca;
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let path = std::env::temp_dir().join(format!("smpp-io-tokio-{}-{name}.pem", std::process::id()));
        std::fs::write(&path, certificate.pem()).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        (server(vec![certificate.der().clone()], key).unwrap(), path)
    }

    async fn handshake(server: &Arc<ServerConfig>, ca: &Path, host: &str) -> Result<(), TlsError> {
        let client = ClientTls::from(ca_file(ca)?);
        let (near, far) = duplex(1 << 16);
        let accepting = tokio::spawn(TlsAcceptor::from(Arc::clone(server)).accept(far));
        let connected = client.handshake(host, near).await;
        let _ = accepting.await;
        connected.map(drop)
    }

    #[tokio::test]
    async fn a_self_signed_certificate_in_the_file_is_trusted_as_that_one_certificate() {
        for (name, is_ca) in [("ca", IsCa::Ca(BasicConstraints::Unconstrained)), ("no-ca", IsCa::NoCa)] {
            let (server, path) = self_signed(name, is_ca);
            let (other, other_path) = self_signed(&format!("other-{name}"), is_ca);
            handshake(&server, &path, "localhost").await.unwrap();
            for (server, host) in [(&server, "smsc.example.com"), (&other, "localhost")] {
                let error = handshake(server, &path, host).await.unwrap_err();
                assert!(matches!(error, TlsError::Certificate(_)), "{error}");
            }
            for path in [path, other_path] {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
}
