//! The client of each adapter against the server of the other one, over TLS.

use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use smpp_proto::session::{CloseReason, Config, Smsc};
use smpp_proto::sms::Receipt;
use smpp_proto::{
    Address, Bind, BindResp, COctets, DeliverSm, Endpoint, EsmClass, MessageState, Password,
    RegisteredDelivery, ShortMessage, SubmitSm, SubmitSmResp,
};
use smpp_std::{Connection, TlsStream};
use smpp_tokio::testing::{self, ACCOUNT, Certificate};
use smpp_tokio::{Connector, Inbound};

const TIMEOUT: Duration = Duration::from_secs(20);

fn localhost(port: u16) -> Endpoint {
    Endpoint::tls("localhost", port)
}

fn bind() -> Bind<'static> {
    let (system_id, password) = ACCOUNT;
    Bind {
        system_id: COctets::new(system_id.as_bytes()).unwrap(),
        password: Password::new(password.as_bytes()).unwrap(),
        ..Bind::default()
    }
}

fn message() -> SubmitSm<'static> {
    SubmitSm {
        destination: Address::international("6591234567").unwrap(),
        registered_delivery: RegisteredDelivery::RECEIPT,
        short_message: ShortMessage::new(b"Hello").unwrap(),
        ..SubmitSm::default()
    }
}

#[tokio::test]
async fn a_blocking_client_and_a_tokio_server() {
    let smsc = testing::TestSmsc::builder().tls().start().await.unwrap();
    let trust = smsc.client_tls();
    let client = tokio::task::spawn_blocking(move || {
        let connector = smpp_std::Connector::new().tls(trust);
        let mut connection = connector.bind(&localhost(smsc.local_addr().port()), &bind()).unwrap();
        let response = connection.submit(&message()).unwrap();
        let inbound = connection.recv(Some(TIMEOUT)).unwrap();
        let Some(smpp_std::Inbound::DeliverSm(receipt)) = inbound else { panic!("no receipt") };
        let sm = receipt.get();
        let parsed = Receipt::parse(sm.text()).unwrap();
        assert_eq!((parsed.id, parsed.state()), (response.message_id(), Some(MessageState::DELIVERED)));
        connection.accept(receipt).unwrap();
        assert_eq!(connection.unbind().reason, CloseReason::Unbound);
    });
    client.await.unwrap();
}

#[tokio::test]
async fn a_tokio_client_and_a_blocking_server() {
    let certificate = Certificate::for_localhost().unwrap();
    let client_tls = certificate.client_tls();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let stream = TlsStream::accept(stream, certificate.server_tls(), TIMEOUT).unwrap();
        let mut connection = Connection::<Smsc, _>::new(stream, Config::default()).unwrap();
        let inbound = connection.recv(Some(TIMEOUT)).unwrap();
        let Some(smpp_std::Inbound::Bind(request)) = inbound else { panic!("no bind") };
        assert_eq!(request.get(), bind());
        connection.respond(request, Ok(BindResp::default())).unwrap();
        let inbound = connection.recv(Some(TIMEOUT)).unwrap();
        let Some(smpp_std::Inbound::SubmitSm(submitted)) = inbound else { panic!("no message") };
        assert_eq!(submitted.get(), message());
        let message_id = COctets::new(b"std-1").unwrap();
        connection.respond(submitted, Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() })).unwrap();
        let receipt = DeliverSm {
            esm_class: EsmClass::DELIVERY_RECEIPT,
            short_message: ShortMessage::new(b"id:std-1 stat:DELIVRD").unwrap(),
            ..DeliverSm::default()
        };
        connection.deliver(&receipt).unwrap();
        connection.recv(Some(TIMEOUT)).unwrap_err().reason
    });
    let connector = Connector::new().tls(client_tls);
    let (client, mut inbox) = connector.connect(&localhost(port)).await.unwrap();
    client.bind(&bind()).await.unwrap();
    assert_eq!(client.submit(&message()).await.unwrap().message_id(), b"std-1");
    let Some(Inbound::DeliverSm(receipt)) = inbox.recv().await else { panic!("no receipt") };
    assert!(receipt.get().esm_class.is_receipt());
    receipt.accept().unwrap();
    assert_eq!(client.unbind().await.reason, CloseReason::Unbound);
    assert_eq!(server.join().unwrap(), CloseReason::PeerUnbound);
}
