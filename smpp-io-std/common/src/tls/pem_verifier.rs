//! Trust in the certificates of PEM data: authorities, and self-signed certificates of servers.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::TlsError;

/// Returns a verifier that trusts these certificates.
pub(super) fn verifier(
    trusted: Vec<CertificateDer<'static>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let verifier = |roots: RootCertStore| {
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
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
    Ok(Arc::new(PemVerifier { all: verifier(all)?, authorities, trusted }))
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
