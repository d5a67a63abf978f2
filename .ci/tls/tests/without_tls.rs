//! Programs that cannot make a TLS connection: without TLS, or without a cryptography library.
#![cfg(not(any(feature = "aws-lc-rs", feature = "webpki-roots")))]

use smpp_std::smpp_proto::session::Config;
use smpp_std::smpp_proto::{Bind, Endpoint};
use smpp_std::tls::TlsError;
use smpp_tokio::ConnectErrorKind;
use tls_features::{AcceptAll, options};

/// What `smpps://` gives: the error, and the feature that its text names.
const EXPECTED: (fn(&TlsError) -> bool, &str) = if cfg!(feature = "rustls") {
    (
        |error| matches!(error, TlsError::NoRoots),
        "turn on the feature `native-roots`, `platform-verifier` or `webpki-roots`",
    )
} else {
    (
        |error| matches!(error, TlsError::NotBuilt),
        "turn on the features `ring` and `native-roots` of smpp-tokio or smpp-std",
    )
};

/// Nobody listens there: the error does not depend on it.
fn secure() -> Endpoint {
    Endpoint::tls("192.0.2.1", 2776)
}

fn assert_names_the_feature(error: &smpp_std::ConnectError) {
    let ConnectErrorKind::Tls(tls) = &error.kind else { panic!("{error}") };
    assert!(EXPECTED.0(tls), "{tls:?}");
    let text = error.to_string();
    assert!(text.starts_with("cannot make the TLS configuration for smpps://192.0.2.1:2776: "), "{text}");
    assert!(text.contains(EXPECTED.1), "{text}");
}

#[test]
fn a_blocking_program_learns_which_feature_smpps_needs() {
    assert_names_the_feature(&smpp_std::Connector::new().connect(&secure()).unwrap_err());
    assert_names_the_feature(&smpp_std::Connector::new().start(&secure()).unwrap_err());
    let account = smpp_std::account::AccountConnector::new(&secure(), options());
    let error = account.connect().unwrap_err();
    assert!(matches!(error, smpp_std::account::AccountError::Untrusted(_)), "{error:?}");
    assert!(error.to_string().contains(EXPECTED.1), "{error}");
}

#[tokio::test]
async fn an_async_program_learns_which_feature_smpps_needs() {
    assert_names_the_feature(&smpp_tokio::Connector::new().connect(&secure()).await.unwrap_err());
    let account = smpp_tokio::account::AccountConnector::new(&secure(), options());
    let error = account.connect().await.unwrap_err();
    assert!(matches!(error, smpp_tokio::account::AccountError::Untrusted(_)), "{error:?}");
    assert!(error.to_string().contains(EXPECTED.1), "{error}");
}

#[test]
fn a_blocking_client_and_server_work_without_tls() {
    let listener = smpp_std::Listener::bind("127.0.0.1:0", Config::default()).unwrap();
    let server = smpp_std::Server::builder(AcceptAll).listen(listener).start().unwrap();
    let endpoint = Endpoint::plain("127.0.0.1", server.local_addrs()[0].port());
    let connection = smpp_std::Connector::new().bind(&endpoint, &Bind::default()).unwrap();
    assert!(!server.binds().list()[0].is_tls());
    connection.unbind();
}

#[tokio::test]
async fn an_async_client_and_server_work_without_tls() {
    let listener = smpp_tokio::Listener::bind("127.0.0.1:0", Config::default()).await.unwrap();
    let server = smpp_tokio::Server::builder(AcceptAll).listen(listener).start().unwrap();
    let endpoint = Endpoint::plain("127.0.0.1", server.local_addrs()[0].port());
    let (client, _inbox) = smpp_tokio::Connector::new().bind(&endpoint, &Bind::default()).await.unwrap();
    assert!(!server.binds().list()[0].is_tls());
    client.unbind().await;
}

#[cfg(feature = "rustls")]
#[test]
fn a_configuration_without_a_cryptography_library_is_refused() {
    let error = smpp_tokio::tls::client(smpp_tokio::tls::RootCertStore::empty()).unwrap_err();
    assert!(matches!(error, TlsError::NoProvider), "{error:?}");
    assert!(error.to_string().contains("turn on the feature `ring` or `aws-lc-rs`"), "{error}");
}
