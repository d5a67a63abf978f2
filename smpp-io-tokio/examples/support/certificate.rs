//! A certificate authority, made when it is needed and forgotten afterwards.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate for `localhost`, and who vouches for it.
pub(crate) struct Made {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) authority: Certificate,
}

/// Makes the authority and the certificate.
pub(crate) fn for_localhost() -> Result<Made, Box<dyn std::error::Error>> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::new(Vec::new())?;
    // Names of their own: a certificate whose subject is its issuer's counts as self-signed.
    ca.distinguished_name.push(DnType::CommonName, "SMPP test authority");
    ca.key_usages.push(KeyUsagePurpose::KeyCertSign);
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = ca.self_signed(&ca_key)?;
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate()?;
    let mut localhost = CertificateParams::new(vec!["localhost".into()])?;
    localhost.distinguished_name.push(DnType::CommonName, "localhost");
    localhost.use_authority_key_identifier_extension = true;
    let certificate = localhost.signed_by(&key, &issuer)?;
    let key = PrivateKeyDer::try_from(key.serialize_der())?;
    Ok(Made { chain: vec![certificate.der().clone()], key, authority })
}
