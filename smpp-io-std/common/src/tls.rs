//! TLS configurations for rustls: TLS 1.2 and 1.3. A client verifies the server's certificate for the host name.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
};

pub use crate::server_tls::{ServerTls, TlsInfo};
use crate::tls_error::TlsError;

/// Makes a client that trusts the certificate authorities that the operating system trusts. A connector uses it unless you
/// set another configuration.
///
/// ```no_run
/// # use smpp_common::{TlsError, tls};
/// let config = tls::system_roots()?;
/// # Ok::<(), TlsError>(())
/// ```
///
/// # Errors
///
/// [`TlsError::NoRoots`] if the operating system has no trusted certificate authority.
#[cfg(feature = "native-roots")]
pub fn system_roots() -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(TlsError::NoRoots);
    }
    client(roots)
}

/// Makes a client that trusts the certificate authorities in a PEM file, and no others. A server's own self-signed
/// certificate may be in the file: it is trusted as that one certificate, for the host names in it.
///
/// ```no_run
/// # use smpp_common::{TlsError, tls};
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
/// # use smpp_common::{TlsError, tls};
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
/// # use smpp_common::{TlsError, tls};
/// use rustls::RootCertStore;
///
/// let mut roots = RootCertStore::empty();
/// # let certificates: Vec<rustls::pki_types::CertificateDer<'static>> = Vec::new();
/// roots.add_parsable_certificates(certificates);
/// let config = tls::client(roots)?;
/// # Ok::<(), TlsError>(())
/// ```
///
/// # Errors
///
/// [`TlsError::Protocol`] if the cryptography provider supports no TLS version.
pub fn client(roots: RootCertStore) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// Makes a server with this certificate chain, the server's own certificate first, and its private key.
///
/// ```no_run
/// # use smpp_common::{TlsError, tls};
/// use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
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
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_no_client_auth().with_single_cert(chain, key)?))
}

/// Makes a client that trusts these root certificates, and shows this certificate chain, its own certificate first, to a server
/// that asks for one.
///
/// ```no_run
/// # use smpp_common::{TlsError, tls};
/// use rustls::RootCertStore;
/// use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
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
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_client_auth_cert(chain, key)?))
}

/// Makes a server with this certificate chain and its private key, which requires a certificate from every client that one of
/// `client_roots` has signed. [`TlsInfo`] has the certificate: the server still decides which system_id it may bind as.
///
/// ```no_run
/// # use smpp_common::{TlsError, tls};
/// use rustls::RootCertStore;
/// use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
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
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(client_roots), Arc::clone(&provider))
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_client_cert_verifier(verifier).with_single_cert(chain, key)?))
}

/// Makes a server with the certificate chain and the private key in these PEM files.
///
/// ```no_run
/// # use smpp_common::{TlsError, tls};
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

fn client_trusting(trusted: Vec<CertificateDer<'static>>) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = |roots: RootCertStore| {
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))
    };
    let (mut all, mut authorities) = (RootCertStore::empty(), RootCertStore::empty());
    for certificate in &trusted {
        all.add(certificate.clone())?;
        if is_authority(certificate) {
            authorities.add(certificate.clone())?;
        }
    }
    let authorities = if authorities.is_empty() { None } else { Some(verifier(authorities)?) };
    let verifier = Arc::new(PemVerifier { all: verifier(all)?, authorities, trusted });
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
}

/// Returns whether a certificate may sign others: it has the extension basicConstraints with `cA` true (RFC 5280 §4.2.1.9). A
/// trust anchor of rustls has no such check.
fn is_authority(certificate: &[u8]) -> bool {
    const SEQUENCE: u8 = 0x30;
    const EXTENSIONS: u8 = 0xA3;
    const BASIC_CONSTRAINTS: (u8, &[u8]) = (6, &[0x55, 0x1D, 0x13]);
    const TRUE: (u8, &[u8]) = (1, &[0xFF]);
    let extensions = first(certificate, SEQUENCE)
        .and_then(|certificate| first(certificate, SEQUENCE))
        .and_then(|to_be_signed| first(to_be_signed, EXTENSIONS))
        .and_then(|extensions| first(extensions, SEQUENCE));
    let constraints = |extension| {
        let mut fields = elements(extension);
        if fields.next()? == BASIC_CONSTRAINTS { fields.find(|field| field.0 == 4) } else { None }
    };
    let found = elements(extensions.unwrap_or_default()).find_map(|(_, extension)| constraints(extension));
    let found = found.and_then(|(_, value)| first(value, SEQUENCE));
    found.and_then(|constraints| elements(constraints).next()) == Some(TRUE)
}

/// Returns the content of the first DER element with this tag.
fn first(input: &[u8], tag: u8) -> Option<&[u8]> {
    elements(input).find(|element| element.0 == tag).map(|element| element.1)
}

/// Returns the tags and contents of DER elements, up to one that is not valid.
fn elements(mut input: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (&[tag, length], rest) = input.split_first_chunk()?;
        let (length, rest) = if length < 0x80 {
            (usize::from(length), rest)
        } else {
            let (octets, rest) =
                rest.split_at_checked(usize::from(length & 0x7F)).filter(|_| length < 0x84)?;
            (octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
        };
        let (content, rest) = rest.split_at_checked(length)?;
        input = rest;
        Some((tag, content))
    })
}

/// Accepts the certificates that the authorities of PEM data have signed, and those that are in the data themselves.
#[derive(Debug)]
struct PemVerifier {
    all: Arc<WebPkiServerVerifier>,
    authorities: Option<Arc<WebPkiServerVerifier>>,
    trusted: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for PemVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.trusted.iter().any(|trusted| trusted == certificate) {
            return match self.all.verify_server_cert(certificate, intermediates, name, ocsp, now) {
                // Its dates are valid. A self-signed certificate is an authority, which is not accepted as the certificate
                // of a server, or it is none, and then no authority has signed it.
                Err(rustls::Error::InvalidCertificate(
                    CertificateError::UnknownIssuer | CertificateError::Other(_),
                )) => {
                    verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                    Ok(ServerCertVerified::assertion())
                }
                verified => verified,
            };
        }
        if let Some(authorities) = &self.authorities
            && let Ok(verified) = authorities.verify_server_cert(certificate, intermediates, name, ocsp, now)
        {
            return Ok(verified);
        }
        // Only for the error, which may name a certificate of the data. One of them that may not sign counts for nothing.
        self.all
            .verify_server_cert(certificate, intermediates, name, ocsp, now)
            .and_then(|_| Err(CertificateError::UnknownIssuer.into()))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.all.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.all.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.all.supported_verify_schemes()
    }
}
