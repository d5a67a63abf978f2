//! A certificate authority, made when it is needed and forgotten afterwards.

use std::sync::Arc;

use rustls::pki_types::PrivateKeyDer;
use rustls::{RootCertStore, ServerConfig};
use smpp_io_tokio::tls;

/// A server with a certificate for `localhost`, and the authority to trust for it.
pub(crate) fn for_localhost() -> Result<(Arc<ServerConfig>, RootCertStore), Box<dyn std::error::Error>> {
    let ca_key = rcgen::KeyPair::generate()?;
    let mut ca = rcgen::CertificateParams::new(Vec::new())?;
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key)?;
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate()?;
    let certificate = rcgen::CertificateParams::new(vec!["localhost".into()])?.signed_by(&key, &issuer)?;
    let key = PrivateKeyDer::try_from(key.serialize_der())?;
    let mut roots = RootCertStore::empty();
    roots.add(ca_certificate.der().clone())?;
    Ok((tls::server(vec![certificate.der().clone()], key)?, roots))
}
