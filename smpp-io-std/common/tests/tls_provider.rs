//! Which cryptography provider the configurations use. One test: the default of a process is set once.
#![cfg(any(feature = "ring", feature = "aws-lc-rs"))]

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{NamedGroup, RootCertStore};
use smpp_common::tls::{self, ClientTls, TlsError};

/// Returns the providers of all configurations that can be made.
fn providers() -> Vec<Arc<CryptoProvider>> {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".into()]).unwrap().self_signed(&key).unwrap();
    let chain = || vec![CertificateDer::from(certificate.der().to_vec())];
    let key = || PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let clients = [
        tls::client(roots.clone()),
        tls::ca_pem(certificate.pem().as_bytes()),
        tls::client_with_certificate(roots.clone(), chain(), key()),
        ClientTls::default().config(),
        #[cfg(feature = "native-roots")]
        tls::system_roots(),
        #[cfg(feature = "platform-verifier")]
        tls::platform_verifier(),
        #[cfg(feature = "webpki-roots")]
        tls::webpki_roots(),
    ];
    let servers = [tls::server(chain(), key()), tls::server_verifying_clients(chain(), key(), roots)];
    let mut providers = Vec::new();
    for client in clients {
        match client {
            Ok(client) => providers.push(Arc::clone(client.crypto_provider())),
            // A system may have no authorities.
            Err(error) => assert!(matches!(error, TlsError::NoRoots), "{error}"),
        }
    }
    providers.extend(servers.map(|server| Arc::clone(server.unwrap().crypto_provider())));
    providers
}

#[test]
fn the_default_provider_of_the_process_is_used_if_there_is_one() {
    let built_in = tls::provider().unwrap();
    let is_aws_lc = built_in.kx_groups.iter().any(|group| group.name() == NamedGroup::X25519MLKEM768);
    assert_eq!(is_aws_lc, cfg!(feature = "aws-lc-rs"), "aws-lc-rs goes before ring");
    assert_eq!(built_in.fips(), cfg!(feature = "fips"));
    let suites = built_in.cipher_suites.len();
    assert!(providers().iter().all(|provider| provider.cipher_suites.len() == suites));
    assert!(CryptoProvider::get_default().is_none(), "the application may still install its own");

    let [first, ..] = built_in.cipher_suites[..] else { panic!("no cipher suite") };
    let of_application = CryptoProvider { cipher_suites: vec![first], ..(*built_in).clone() };
    of_application.install_default().unwrap();
    let default = CryptoProvider::get_default().unwrap();
    assert!(Arc::ptr_eq(&tls::provider().unwrap(), default));
    assert!(providers().iter().all(|provider| Arc::ptr_eq(provider, default)));
}
