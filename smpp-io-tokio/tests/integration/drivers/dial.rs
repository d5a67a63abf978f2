//! Transports of the application.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use smpp_proto::session::{Config, Smsc};
use smpp_proto::{Bind, Endpoint};
use smpp_tokio::testing::Certificate;
use smpp_tokio::{ConnectErrorKind, Connector, Inbound, start};
use tokio::io::{DuplexStream, duplex};
use tokio_rustls::TlsAcceptor;

#[tokio::test(start_paused = true)]
async fn a_connector_uses_the_transport_of_the_application() {
    let dialed = Arc::new(Mutex::new(Vec::new()));
    let addresses = Arc::clone(&dialed);
    let connector = Connector::new().dial(move |target| {
        addresses.lock().unwrap().push(target.address);
        async {
            let (near, far) = duplex(1 << 16);
            let (_peer, mut inbox) = start::<Smsc, _>(far, Config::default());
            crate::spawn(async move {
                while let Some(Inbound::Bind(bind)) = inbox.recv().await {
                    bind.accept().unwrap();
                }
            });
            io::Result::Ok(near)
        }
    });
    let endpoint: Endpoint = "smpp://192.0.2.1:2775".parse().unwrap();
    let (client, _inbox) = connector.connect(&endpoint).await.unwrap();
    client.bind(&Bind::default()).await.unwrap();
    assert_eq!(*dialed.lock().unwrap(), [SocketAddr::from(([192, 0, 2, 1], 2775))]);
}

#[tokio::test]
async fn tls_runs_over_the_transport_of_the_application() {
    let certificate = Certificate::for_localhost().unwrap();
    let server = certificate.server_tls();
    let connector = Connector::new().tls(certificate.client_tls()).dial(move |_| {
        let (near, far) = duplex(1 << 16);
        let acceptor = TlsAcceptor::from(server.config());
        crate::spawn(async move {
            let stream = acceptor.accept(far).await.unwrap();
            let (_peer, mut inbox) = start::<Smsc, _>(stream, Config::default());
            while let Some(Inbound::Bind(bind)) = inbox.recv().await {
                bind.accept().unwrap();
            }
        });
        async { io::Result::Ok(near) }
    });
    let endpoint: Endpoint = "smpps://localhost:2776".parse().unwrap();
    let (client, _inbox) = connector.connect(&endpoint).await.unwrap();
    client.bind(&Bind::default()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dial_that_fails_is_reported_with_its_error() {
    let connector = Connector::new().dial(|_| async { Err::<DuplexStream, _>(io::Error::other("no proxy")) });
    let error = connector.connect(&"smpp://192.0.2.1".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error.kind, ConnectErrorKind::Connect(_)));
    assert!(error.to_string().contains("no proxy"), "{error}");
}
