//! The errors of an account and of a handle say what was found.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::thread;
use std::time::Duration;

use crate::common::{bind, watched};
use smpp_proto::Endpoint;
use smpp_proto::account::{AccountEvent, ConnectFailure, Credentials, LinkEvent, Options};
use smpp_proto::provider::Provider;
use smpp_std::account::{AccountConnector, AccountError};
use smpp_std::testing::TestSmsc;
use smpp_std::{Connector, ReceivedInstead};

/// A server that reads once from each connection, sends these octets, and closes the connection.
fn answering(octets: &'static [u8]) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("smpp://{}", listener.local_addr().unwrap()).parse().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // The whole request, so that the close resets nothing.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(octets);
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    endpoint
}

/// Starts an account at the endpoint, and returns the first failure of its connection.
fn first_failure(endpoint: &Endpoint) -> LinkEvent {
    let options = Options::new(Credentials::new("shop", "secret"), &Provider::UNSTATED);
    let (account, _arrivals) = AccountConnector::new(endpoint, options).start().unwrap();
    let mut failures = account.events().filter_map(|event| match event {
        AccountEvent::Link { event: LinkEvent::Binding { .. }, .. } => None,
        AccountEvent::Link { event, .. } => Some(event),
        other => panic!("{other}"),
    });
    let failure = failures.next().unwrap();
    account.shutdown(Duration::ZERO);
    failure
}

#[test]
fn an_account_says_what_the_peer_sent() {
    watched(|| {
        for (octets, expected) in [
            (&b"HTTP/1.1 400 Bad Request\r\n"[..], ReceivedInstead::Http),
            (&[0x15, 3, 3, 0, 2, 2, 70], ReceivedInstead::Tls),
            (b"SSH-2.0-OpenSSH_9.6\r\n", ReceivedInstead::OtherProtocol),
            (&[0, 0, 0, 20, 0x80], ReceivedInstead::IncompletePdu),
            (b"", ReceivedInstead::Nothing),
        ] {
            let event = first_failure(&answering(octets));
            let LinkEvent::BindRefused { received, .. } = event else { panic!("{event:?}") };
            assert_eq!(received, Some(expected));
        }
    });
}

#[test]
fn an_account_keeps_the_error_of_the_operating_system() {
    watched(|| {
        // Nothing listens on the port: it refuses connections.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        for scheme in ["smpp", "smpps"] {
            let event = first_failure(&format!("{scheme}://127.0.0.1:{port}").parse().unwrap());
            let LinkEvent::ConnectFailed { failure: ConnectFailure::Network, detail, .. } = event else {
                panic!("{event:?}")
            };
            let error = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
            assert_eq!(*detail, *error.to_string());
        }
    });
}

#[test]
fn the_errors_of_an_account_name_the_endpoint_and_the_advice() {
    watched(|| {
        let smsc = TestSmsc::builder().tls().start().unwrap();
        let stranger = TestSmsc::builder().tls().start().unwrap();
        let options = Options::new(Credentials::new("shop", "secret"), &Provider::UNSTATED);
        let connector = AccountConnector::new(&smsc.endpoint(), options).tls(stranger.client_tls());
        let Err(AccountError::Untrusted(failure)) = connector.connect() else { panic!() };
        let text = failure.to_string();
        let endpoint = smsc.endpoint().to_string();
        for part in
            ["the TLS handshake with", &endpoint, "the peer's certificate was rejected", "; trust the"]
        {
            assert!(text.contains(part), "{text}");
        }
    });
}

#[test]
fn a_handle_can_diagnose_its_bind() {
    watched(|| {
        let endpoint = answering(b"HTTP/1.1 400 Bad Request\r\n");
        let (client, _inbox) = Connector::new().start(&endpoint).unwrap();
        let error = client.bind(&bind("secret")).unwrap_err();
        assert_eq!(client.diagnose_bind(&error), Some(ReceivedInstead::Http));
    });
}
