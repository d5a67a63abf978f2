//! A client over real sockets with TLS, against the SMSC of the module `testing`.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use smpp_proto::session::CloseReason;
use smpp_proto::sms::Receipt;
use smpp_proto::{
    Address, Bind, BindMode, COctets, CommandStatus, Endpoint, MessageState, Password, RegisteredDelivery,
    ShortMessage, SubmitSm,
};
use smpp_tokio::testing::{ACCOUNT, TestSmsc};
use smpp_tokio::tls::{self, CertificateDer, RootCertStore, TlsError};
use smpp_tokio::{ConnectError, ConnectErrorKind, Connector, Inbound, RequestError};

fn trusting(smsc: &TestSmsc) -> Connector {
    Connector::new().tls(smsc.client_tls())
}

fn endpoint(host: &str, port: u16, tls: bool) -> Endpoint {
    if tls { Endpoint::tls(host, port) } else { Endpoint::plain(host, port) }
}

fn bind(mode: BindMode, password: &'static str) -> Bind<'static> {
    Bind {
        mode,
        system_id: COctets::new(ACCOUNT.0.as_bytes()).unwrap(),
        password: Password::new(password.as_bytes()).unwrap(),
        ..Bind::default()
    }
}

fn message() -> SubmitSm<'static> {
    SubmitSm {
        source: Address::alphanumeric("8x8").unwrap(),
        destination: Address::international("6591234567").unwrap(),
        registered_delivery: RegisteredDelivery::RECEIPT,
        short_message: ShortMessage::new(b"Hello").unwrap(),
        ..SubmitSm::default()
    }
}

#[tokio::test]
async fn the_receiver_gets_the_receipt_of_the_transmitters_message() {
    let smsc = TestSmsc::builder().tls().start().await.unwrap();
    let connector = trusting(&smsc);
    let there = endpoint("localhost", smsc.local_addr().port(), true);
    let (transmitter, _) = connector.connect(&there).await.unwrap();
    transmitter.bind(&bind(BindMode::Transmitter, ACCOUNT.1)).await.unwrap();
    let (receiver, mut inbox) = connector.connect(&there).await.unwrap();
    let answer = receiver.bind(&bind(BindMode::Receiver, ACCOUNT.1)).await.unwrap();
    assert_eq!(answer.bind_resp().tlvs.sc_interface_version().map(|version| version.0), Some(0x34));

    let response = transmitter.submit(&message()).await.unwrap();
    let Some(Inbound::DeliverSm(receipt)) = inbox.recv().await else { panic!("no receipt") };
    let sm = receipt.get();
    assert!(sm.esm_class.is_receipt());
    let parsed = Receipt::parse(sm.text()).unwrap();
    assert_eq!((parsed.id, parsed.state()), (response.message_id(), Some(MessageState::DELIVERED)));
    receipt.accept().unwrap();

    assert_eq!(transmitter.unbind().await.reason, CloseReason::Unbound);
    assert_eq!(receiver.unbind().await.reason, CloseReason::Unbound);
    assert!(inbox.recv().await.is_none());
}

#[tokio::test]
async fn a_refused_receipt_is_redelivered() {
    let smsc = TestSmsc::builder().tls().start().await.unwrap();
    let connector = trusting(&smsc);
    let (client, mut inbox) =
        connector.connect(&endpoint("localhost", smsc.local_addr().port(), true)).await.unwrap();
    client.bind(&bind(BindMode::Transceiver, ACCOUNT.1)).await.unwrap();
    client.submit(&message()).await.unwrap();
    // Dropped without a response: refused with a temporary error.
    drop(inbox.recv().await.unwrap());
    let Some(Inbound::DeliverSm(again)) = inbox.recv().await else { panic!("the receipt is lost") };
    again.accept().unwrap();
}

#[tokio::test]
async fn refused_binds_report_their_status() {
    let smsc = TestSmsc::builder().tls().start().await.unwrap();
    let connector = trusting(&smsc);
    let there = endpoint("localhost", smsc.local_addr().port(), true);
    let (client, _inbox) = connector.connect(&there).await.unwrap();
    let error = client.bind(&bind(BindMode::Transceiver, "guess")).await.unwrap_err();
    assert_eq!(error.status(), Some(CommandStatus::RINVPASWD));
    assert!(error.to_string().contains("ESME_RINVPASWD"));
    // The SMSC closes the connection after its response.
    assert_eq!(client.closed().await.reason, CloseReason::Disconnected);

    let mut held = Vec::new();
    for _ in 0..4 {
        let (client, inbox) = connector.connect(&there).await.unwrap();
        client.bind(&bind(BindMode::Transceiver, ACCOUNT.1)).await.unwrap();
        held.push((client, inbox));
    }
    let (fifth, _inbox) = connector.connect(&there).await.unwrap();
    let error = fifth.bind(&bind(BindMode::Transceiver, ACCOUNT.1)).await.unwrap_err();
    assert_eq!(error.status(), Some(CommandStatus::RALYBND), "the limit is four binds");
}

#[tokio::test]
async fn certificates_are_verified_for_issuer_and_host_name() {
    let smsc = TestSmsc::builder().tls().start().await.unwrap();
    let other = TestSmsc::builder().tls().start().await.unwrap();
    let cases = [("localhost", &other), ("127.0.0.1", &smsc)];
    for (host, trusted) in cases {
        match trusting(trusted).connect(&endpoint(host, smsc.local_addr().port(), true)).await {
            Err(ConnectError { kind: ConnectErrorKind::Handshake(_, TlsError::Certificate(_)), .. }) => {}
            other => panic!("{host}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_supported() {
    let smsc = TestSmsc::builder().tls().start().await.unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(smsc.certificate().ca_pem().as_bytes()).unwrap()).unwrap();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let only = ClientConfig::builder_with_provider(tls::provider().unwrap());
        let only = only.with_protocol_versions(&[version]).unwrap();
        let only = only.with_root_certificates(roots.clone()).with_no_client_auth();
        let connector = Connector::new().tls(Arc::new(only));
        let (client, _inbox) =
            connector.connect(&endpoint("localhost", smsc.local_addr().port(), true)).await.unwrap();
        client.bind(&bind(BindMode::Transceiver, ACCOUNT.1)).await.unwrap();
    }
}

#[tokio::test]
async fn connection_errors_report_their_cause() {
    // Nothing listens on the port: it refuses connections.
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let connector = Connector::new().timeout(Duration::from_secs(5));
    let refused = connector.connect(&endpoint("127.0.0.1", port, false)).await.unwrap_err();
    assert!(matches!(&refused.kind, ConnectErrorKind::Connect(attempts) if attempts.len() == 1), "{refused}");
    let unknown = connector.connect(&endpoint("no-such-host.invalid", 2775, false)).await.unwrap_err();
    assert!(matches!(unknown.kind, ConnectErrorKind::Resolve(_)), "{unknown}");
    // Plain SMPP on a TLS port.
    let smsc = TestSmsc::builder().tls().start().await.unwrap();
    let (client, _inbox) =
        connector.connect(&endpoint("localhost", smsc.local_addr().port(), false)).await.unwrap();
    let error = client.bind(&bind(BindMode::Transceiver, ACCOUNT.1)).await.unwrap_err();
    assert!(matches!(error, RequestError::Unanswered(_)), "{error}");
    assert!(tls::ca_file("Cargo.toml".as_ref()).unwrap_err().to_string().contains("Cargo.toml"));
    let error = tls::ca_pem(b"no certificate").unwrap_err().to_string();
    assert_eq!(error, "cannot use the PEM data: it holds no certificate or key in PEM format");
}
