//! Programs with aws-lc-rs alone, without ring.
#![cfg(feature = "aws-lc-rs")]

use rcgen::{CertificateParams, KeyPair};
use smpp_std::smpp_proto::session::Config;
use smpp_std::smpp_proto::{Bind, Endpoint};
use smpp_tokio::tls::rustls::NamedGroup;
use smpp_tokio::tls::rustls::crypto::CryptoProvider;
use smpp_tokio::tls::{self, ClientTls, PrivateKeyDer, ServerTls};
use tls_features::AcceptAll;

/// Makes a server with a self-signed certificate, and a client that trusts it.
fn pair() -> (ServerTls, ClientTls) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".into()]).unwrap().self_signed(&key).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let server = tls::server(vec![certificate.der().clone()], key).unwrap();
    (server.into(), tls::ca_pem(certificate.pem().as_bytes()).unwrap().into())
}

#[test]
fn the_library_is_aws_lc_rs() {
    let provider = tls::provider().unwrap();
    assert!(provider.kx_groups.iter().any(|group| group.name() == NamedGroup::X25519MLKEM768));
    assert!(CryptoProvider::get_default().is_none(), "the process has no default");
}

#[test]
fn a_blocking_client_and_server_connect() {
    let (server_tls, client_tls) = pair();
    let listener = smpp_std::Listener::bind("127.0.0.1:0", Config::default()).unwrap().tls(server_tls);
    let server = smpp_std::Server::builder(AcceptAll).listen(listener).start().unwrap();
    let endpoint = Endpoint::tls("localhost", server.local_addrs()[0].port());
    let connection = smpp_std::Connector::new().tls(client_tls).bind(&endpoint, &Bind::default()).unwrap();
    assert!(server.binds().list()[0].is_tls());
    connection.unbind();
}

#[tokio::test]
async fn an_async_client_and_server_connect() {
    let (server_tls, client_tls) = pair();
    let listener =
        smpp_tokio::Listener::bind("127.0.0.1:0", Config::default()).await.unwrap().tls(server_tls);
    let server = smpp_tokio::Server::builder(AcceptAll).listen(listener).start().unwrap();
    let endpoint = Endpoint::tls("localhost", server.local_addrs()[0].port());
    let connector = smpp_tokio::Connector::new().tls(client_tls);
    let (client, _inbox) = connector.bind(&endpoint, &Bind::default()).await.unwrap();
    assert!(server.binds().list()[0].is_tls());
    client.unbind().await;
}
