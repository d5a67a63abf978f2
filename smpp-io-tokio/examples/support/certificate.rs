//! A certificate authority, made when it is needed and forgotten afterwards.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use smpp_io_tokio::tls;

/// A server with a certificate for `localhost`, and who vouches for it.
pub(crate) struct Made {
    pub(crate) server: Arc<ServerConfig>,
    pub(crate) authority: rcgen::Certificate,
}

/// Makes the authority and the certificate.
pub(crate) fn for_localhost() -> Result<Made, Box<dyn std::error::Error>> {
    let ca_key = rcgen::KeyPair::generate()?;
    let mut ca = rcgen::CertificateParams::new(Vec::new())?;
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = ca.self_signed(&ca_key)?;
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate()?;
    let certificate = rcgen::CertificateParams::new(vec!["localhost".into()])?.signed_by(&key, &issuer)?;
    let key = PrivateKeyDer::try_from(key.serialize_der())?;
    Ok(Made { server: tls::server(vec![certificate.der().clone()], key)?, authority })
}
