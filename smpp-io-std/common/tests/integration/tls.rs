//! Handshakes in memory: which certificates a client trusts, and the texts of the errors.
#![cfg(any(feature = "ring", feature = "aws-lc-rs"))]

use std::error::Error;
use std::sync::Arc;

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use smpp_common::tls::{self, TlsError};

/// As made by tools with one command: an authority that is its own server certificate; and one that is no authority.
const SELF_SIGNED: [IsCa; 2] = [IsCa::Ca(BasicConstraints::Unconstrained), IsCa::NoCa];

fn parameters(is_ca: IsCa) -> CertificateParams {
    let mut parameters = CertificateParams::new(["localhost".into(), "smsc.example".into()]).unwrap();
    parameters.is_ca = is_ca;
    parameters
}

fn self_signed(parameters: &CertificateParams) -> (Certificate, Arc<ServerConfig>) {
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let server = tls::server(vec![certificate.der().clone()], key.into()).unwrap();
    (certificate, server)
}

/// A client that sends its ClientHello.
fn client(config: &Arc<ClientConfig>, host: &'static str) -> ClientConnection {
    ClientConnection::new(Arc::clone(config), ServerName::try_from(host).unwrap()).unwrap()
}

/// Makes a handshake, and returns the error of the client.
fn handshake(
    config: &Arc<ClientConfig>,
    host: &'static str,
    server: &Arc<ServerConfig>,
) -> Result<(), TlsError> {
    let (mut near, mut far) = (client(config, host), ServerConnection::new(Arc::clone(server)).unwrap());
    while near.is_handshaking() {
        let mut records = Vec::new();
        near.write_tls(&mut records).unwrap();
        far.read_tls(&mut &records[..]).unwrap();
        far.process_new_packets().unwrap();
        respond(&mut near, |records| _ = far.write_tls(records).unwrap())?;
    }
    Ok(())
}

/// Passes records of a server to the client.
fn respond(client: &mut ClientConnection, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), TlsError> {
    let mut records = Vec::new();
    write(&mut records);
    client.read_tls(&mut &records[..]).unwrap();
    client.process_new_packets()?;
    Ok(())
}

fn rejected(config: &Arc<ClientConfig>, host: &'static str, server: &Arc<ServerConfig>) -> String {
    let error = handshake(config, host, server).unwrap_err();
    assert!(matches!(error, TlsError::Certificate(_)) && error.is_untrusted(), "{error}");
    assert!(
        error.certificate_error().is_some() && error.source().is_some_and(<dyn Error>::is::<rustls::Error>)
    );
    error.to_string().strip_prefix("the peer's certificate was rejected: ").unwrap().into()
}

#[test]
fn a_self_signed_certificate_is_trusted_as_that_one_certificate() {
    for is_ca in SELF_SIGNED {
        let (certificate, server) = self_signed(&parameters(is_ca));
        let (_, other) = self_signed(&parameters(is_ca));
        let trusting = tls::ca_pem(certificate.pem().as_bytes()).unwrap();
        handshake(&trusting, "localhost", &server).unwrap();
        handshake(&trusting, "smsc.example", &server).unwrap();
        rejected(&trusting, "localhost", &other);
        let text = rejected(&trusting, "smsc.example.com", &server);
        assert_eq!(text, "it is not for smsc.example.com, but for localhost, smsc.example");
    }
}

#[test]
fn only_an_authority_may_sign_other_certificates() {
    let unlimited = IsCa::Ca(BasicConstraints::Unconstrained);
    let constrained = IsCa::Ca(BasicConstraints::Constrained(0));
    for (is_ca, may_sign) in
        [(unlimited, true), (constrained, true), (IsCa::ExplicitNoCa, false), (IsCa::NoCa, false)]
    {
        let key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(["signer.example".into()]).unwrap();
        authority.distinguished_name.push(DnType::CommonName, "signer");
        authority.is_ca = is_ca;
        let trusted = authority.self_signed(&key).unwrap();
        let (other, _) = self_signed(&parameters(unlimited));
        let alone = tls::ca_pem(trusted.pem().as_bytes()).unwrap();
        let with_an_authority = tls::ca_pem([trusted.pem(), other.pem()].concat().as_bytes()).unwrap();
        let server_key = KeyPair::generate().unwrap();
        let signed = parameters(IsCa::NoCa).signed_by(&server_key, &Issuer::new(authority, key)).unwrap();
        let server_key = PrivatePkcs8KeyDer::from(server_key.serialize_der());
        let server = tls::server(vec![signed.der().clone()], server_key.into()).unwrap();
        for trusting in [&alone, &with_an_authority] {
            if may_sign {
                handshake(trusting, "localhost", &server).unwrap();
            } else {
                let text = rejected(trusting, "localhost", &server);
                assert_eq!(text, "no trusted certificate authority has signed it", "{is_ca:?}");
            }
        }
    }
}

#[test]
fn the_error_of_an_untrusted_certificate_says_why() {
    let (_, none_of_them) = self_signed(&parameters(IsCa::NoCa));
    let mut named = parameters(IsCa::NoCa);
    named.distinguished_name.push(DnType::CommonName, "stranger");
    let (stranger, _) = self_signed(&named);
    let trusting = tls::ca_pem(stranger.pem().as_bytes()).unwrap();
    let text = rejected(&trusting, "localhost", &none_of_them);
    assert_eq!(text, "no trusted certificate authority has signed it");
    let (_, authority) = self_signed(&parameters(IsCa::Ca(BasicConstraints::Unconstrained)));
    let text = rejected(&trusting, "localhost", &authority);
    assert!(text.contains("probably a self-signed one"), "{text}");
    // A renewed certificate has the name of the trusted one, and another key.
    let (_, renewed) = self_signed(&parameters(IsCa::NoCa));
    let trusting = tls::ca_pem(self_signed(&parameters(IsCa::NoCa)).0.pem().as_bytes()).unwrap();
    let text = rejected(&trusting, "localhost", &renewed);
    assert_eq!(
        text,
        "its signature does not match: the trusted certificate of the same name has another key"
    );
    // Also without a list of trusted certificates.
    let text = rejected(&tls::client(RootCertStore::empty()).unwrap(), "localhost", &authority);
    assert!(text.contains("probably a self-signed one"), "{text}");
}

#[test]
fn the_error_of_a_certificate_out_of_its_time_says_so() {
    let date = |year| rcgen::date_time_ymd(year, 1, 1);
    let mut past = parameters(IsCa::NoCa);
    (past.not_before, past.not_after) = (date(2020), date(2021));
    let mut future = parameters(IsCa::NoCa);
    (future.not_before, future.not_after) = (date(2970), date(2971));
    for (parameters, start) in [(past, "it has expired, "), (future, "it is not valid yet, but in ")] {
        let (certificate, server) = self_signed(&parameters);
        // Trusting the certificate does not change its time.
        let text = rejected(&tls::ca_pem(certificate.pem().as_bytes()).unwrap(), "localhost", &server);
        assert!(text.starts_with(start) && text.contains(" days"), "{text}");
    }
}

#[test]
fn a_server_that_offers_only_tls_1_1_is_named() {
    let trusting = tls::client(RootCertStore::empty()).unwrap();
    let alert = [0x15, 3, 2, 0, 2, 2, 70];
    // A ServerHello of TLS 1.1 without extensions.
    let hello = [&[0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2][..], &[7; 32], &[0, 0, 0x2F, 0]].concat();
    for records in [&alert[..], &hello] {
        let error = respond(&mut client(&trusting, "localhost"), |out| out.extend_from_slice(records));
        let error = error.unwrap_err();
        assert_eq!(error.to_string(), "the peer offers neither TLS 1.2 nor TLS 1.3");
        assert!(error.source().is_some_and(<dyn Error>::is::<rustls::Error>));
    }
}

#[test]
fn pem_data_without_a_certificate_are_refused() {
    for (path, text) in [
        ("Cargo.toml", "cannot use Cargo.toml: it holds no certificate or key in PEM format"),
        ("no/such.pem", "cannot use no/such.pem: "),
    ] {
        let error = tls::ca_file(path.as_ref()).unwrap_err();
        assert!(error.to_string().starts_with(text), "{error}");
        assert!(error.source().is_some_and(<dyn Error>::is::<rustls::pki_types::pem::Error>));
        assert!(tls::server_files(path.as_ref(), path.as_ref()).is_err());
    }
    let error = tls::ca_pem(b"").unwrap_err();
    assert_eq!(error.to_string(), "cannot use the PEM data: it holds no certificate or key in PEM format");
}
