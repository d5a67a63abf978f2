//! A connection of an ESME and one of an SMSC over loopback, TCP and TLS, each side in its own thread.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::common::{Certificates, bind, certificates, message};
use smpp_proto::session::{CloseReason, Config, Rate, Smsc, State, UnansweredReason};
use smpp_proto::{
    BindResp, COctets, CommandStatus, DeliverSm, DeliverSmResp, Endpoint, EsmClass, Pdu, ShortMessage,
    SubmitSmResp,
};
use smpp_std::tls::{self, TlsError};
use smpp_std::{
    ConnectErrorKind, Connection, Connector, End, Inbound, NotSentReason, ReceivedInstead, RequestError,
    TlsStream, Transport,
};

const SECOND: Duration = Duration::from_secs(1);

/// Runs `smsc` on the first connection, in a thread of its own.
fn serve<T: Send + 'static>(
    scheme: &str,
    smsc: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (Endpoint, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = thread::spawn(move || smsc(listener.accept().unwrap().0));
    (format!("{scheme}://localhost:{port}").parse().unwrap(), thread)
}

/// An SMSC that accepts one password, returns message ids, sends delivery receipts, and runs until the ESME unbinds.
fn smsc(stream: impl Transport) -> End {
    let mut connection = Connection::<Smsc, _>::new(stream, Config::default()).unwrap();
    loop {
        match connection.recv(None) {
            Ok(Some(Inbound::Bind(bind))) => {
                let known = bind.get().password.equals(b"secret");
                let system_id = COctets::new(b"test").unwrap();
                let answer = BindResp { system_id, ..BindResp::default() };
                let answer = if known { Ok(answer) } else { Err(CommandStatus::RINVPASWD) };
                // If the session has ended, `recv` returns the end.
                let _ = connection.respond(bind, answer);
            }
            Ok(Some(Inbound::SubmitSm(message))) => {
                let message_id = COctets::new(b"id-1").unwrap();
                let response = SubmitSmResp { message_id, ..SubmitSmResp::default() };
                let _ = connection.respond(message, Ok(response));
                let receipt = DeliverSm {
                    esm_class: EsmClass::DELIVERY_RECEIPT,
                    short_message: ShortMessage::new(b"id:id-1 stat:DELIVRD").unwrap(),
                    ..DeliverSm::default()
                };
                // Not `deliver`: the ESME may wait for the response to its next message.
                drop(connection.send(&receipt));
            }
            Ok(_) => {}
            Err(end) => return end,
        }
    }
}

fn bind_submit_receive_unbind(connector: &Connector, endpoint: &Endpoint) {
    let mut connection = connector.bind(endpoint, &bind("secret")).unwrap();
    assert!(connection.is_bound());
    assert_eq!(connection.submit(&message()).unwrap().message_id(), b"id-1");
    let Some(Inbound::DeliverSm(receipt)) = connection.recv(Some(10 * SECOND)).unwrap() else { panic!() };
    assert!(receipt.get().esm_class.is_receipt());
    assert_eq!(receipt.get().text(), b"id:id-1 stat:DELIVRD");
    connection.accept(receipt).unwrap();
    assert_eq!(connection.unbind().reason, CloseReason::Unbound);
}

#[test]
fn a_receive_that_does_not_wait_costs_microseconds() {
    for secure in [false, true] {
        let Certificates { ca_pem, server } = certificates();
        let (endpoint, _smsc) = serve(if secure { "smpps" } else { "smpp" }, move |tcp| {
            if secure { smsc(TlsStream::accept(tcp, server, 5 * SECOND).unwrap()) } else { smsc(tcp) }
        });
        let connector = Connector::new().tls(tls::ca_pem(ca_pem.as_bytes()).unwrap());
        let mut connection = connector.bind(&endpoint, &bind("secret")).unwrap();
        let cheapest = (0..200).map(|_| {
            let began = Instant::now();
            assert!(connection.recv(Some(Duration::ZERO)).unwrap().is_none());
            began.elapsed()
        });
        // The least of many, so that the load of the machine does not count. With a read timeout it takes 1 ms at least.
        let cheapest = cheapest.min().unwrap();
        assert!(cheapest < Duration::from_micros(200), "{cheapest:?}");
        println!("recv(ZERO), TLS {secure}: {cheapest:?}");
    }
}

#[test]
fn a_session_over_tcp() {
    let (endpoint, thread) = serve("smpp", smsc);
    bind_submit_receive_unbind(&Connector::new(), &endpoint);
    assert_eq!(thread.join().unwrap().reason, CloseReason::PeerUnbound);
}

#[test]
fn a_session_over_tls() {
    let Certificates { ca_pem, server } = certificates();
    let (endpoint, thread) =
        serve("smpps", move |tcp| smsc(TlsStream::accept(tcp, server, 10 * SECOND).unwrap()));
    let connector = Connector::new().tls(tls::ca_pem(ca_pem.as_bytes()).unwrap());
    bind_submit_receive_unbind(&connector, &endpoint);
    assert_eq!(thread.join().unwrap().reason, CloseReason::PeerUnbound);
}

#[test]
fn the_error_of_a_wrong_password_names_the_status() {
    let (endpoint, thread) = serve("smpp", smsc);
    let error = Connector::new().bind(&endpoint, &bind("hunter2")).unwrap_err();
    assert!(matches!(
        error.kind,
        ConnectErrorKind::Bind(RequestError::Refused { status: CommandStatus::RINVPASWD, .. })
    ));
    let text = error.to_string();
    for part in ["ESME_RINVPASWD", "check the password", &endpoint.to_string()] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!format!("{text} {error:?}").contains("hunter2"));
    assert_eq!(thread.join().unwrap().reason, CloseReason::Disconnected);
}

#[test]
fn an_untrusted_certificate_ends_the_handshake_on_both_sides() {
    let server = certificates().server;
    let (endpoint, thread) = serve("smpps", move |tcp| TlsStream::accept(tcp, server, 10 * SECOND).err());
    let others = tls::ca_pem(certificates().ca_pem.as_bytes()).unwrap();
    let error = Connector::new().tls(others).connect(&endpoint).unwrap_err();
    assert!(matches!(error.kind, ConnectErrorKind::Handshake(_, TlsError::Certificate(_))), "{error}");
    assert!(error.to_string().contains("the peer's certificate was rejected"), "{error}");
    assert!(thread.join().unwrap().is_some(), "the server receives an alert");
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let Certificates { ca_pem, server } = certificates();
    let (mut endpoint, thread) = serve("smpps", move |tcp| drop(TlsStream::accept(tcp, server, 10 * SECOND)));
    endpoint.host = "127.0.0.1".into();
    let connector = Connector::new().tls(tls::ca_pem(ca_pem.as_bytes()).unwrap());
    let error = connector.connect(&endpoint).unwrap_err();
    assert!(matches!(error.kind, ConnectErrorKind::Handshake(_, TlsError::Certificate(_))), "{error}");
    thread.join().unwrap();
}

/// Keeps the connection open and sends nothing, until the peer closes it.
fn silent(mut tcp: TcpStream) {
    let _ = tcp.read_to_end(&mut Vec::new());
}

#[test]
fn a_handshake_without_an_answer_times_out() {
    let (endpoint, thread) = serve("smpps", silent);
    let trust = tls::ca_pem(certificates().ca_pem.as_bytes()).unwrap();
    let connector = Connector::new().tls(trust).timeout(Duration::from_millis(50));
    let error = connector.connect(&endpoint).unwrap_err();
    assert!(matches!(error.kind, ConnectErrorKind::Handshake(_, TlsError::Io(_))), "{error}");
    thread.join().unwrap();
}

#[test]
fn a_bind_without_a_response_times_out() {
    let (endpoint, thread) = serve("smpp", silent);
    let config = Config::default().response_timeout(Duration::from_millis(50));
    let error = Connector::new().config(config).bind(&endpoint, &bind("secret")).unwrap_err();
    let ConnectErrorKind::BindUnanswered {
        received: ReceivedInstead::Nothing,
        error: RequestError::Unanswered(UnansweredReason::Timeout),
        ..
    } = error.kind
    else {
        panic!("{error}")
    };
    thread.join().unwrap();
}

#[test]
fn the_error_of_a_bind_says_what_the_peer_sent() {
    let other_response = crate::common::octets(&Pdu::SubmitSmResp(None), 1);
    let cases: [(&[u8], _, &[&str]); 6] = [
        (b"HTTP/1.1 400 Bad Request\r\n", ReceivedInstead::Http, &["the peer sent HTTP", "web server"]),
        (b"GET / HTTP/1.1\r\n", ReceivedInstead::Http, &["the peer sent HTTP"]),
        (
            &[0x15, 3, 3, 0, 2, 2, 70],
            ReceivedInstead::Tls,
            &["the peer sent TLS on a connection without TLS", "smpps://"],
        ),
        (b"SSH-2.0-OpenSSH_9.6\r\n", ReceivedInstead::OtherProtocol, &["not SMPP", "check the port"]),
        (&other_response, ReceivedInstead::OtherPdus, &["SMPP PDUs, but none for this bind", "bind mode"]),
        (b"", ReceivedInstead::Nothing, &["the peer sent nothing", "IP allow-list"]),
    ];
    for (sent, expected, texts) in cases {
        let sent = sent.to_vec();
        let (endpoint, thread) = serve("smpp", move |mut tcp| {
            // The whole bind, so that the close resets nothing.
            let _ = tcp.read(&mut [0; 1024]);
            tcp.write_all(&sent).unwrap();
        });
        let error = Connector::new().bind(&endpoint, &bind("secret")).unwrap_err();
        let ConnectErrorKind::BindUnanswered { received, .. } = error.kind else { panic!("{error}") };
        assert_eq!(received, expected, "{error}");
        for text in texts {
            assert!(error.to_string().contains(text), "{error}");
        }
        thread.join().unwrap();
    }
}

#[test]
fn the_error_of_a_bind_keeps_that_of_the_operating_system() {
    let (endpoint, thread) = serve("smpp", |mut tcp| {
        let _ = tcp.read(&mut [0; 1]);
        // Octets that were not read reset the connection.
    });
    let error = Connector::new().bind(&endpoint, &bind("secret")).unwrap_err();
    let ConnectErrorKind::BindUnanswered { transport: Some(os_error), .. } = &error.kind else {
        panic!("{error}")
    };
    assert_eq!(os_error.kind(), std::io::ErrorKind::ConnectionReset);
    assert!(error.to_string().contains(&os_error.to_string()), "{error}");
    thread.join().unwrap();
}

#[test]
fn a_self_signed_certificate_is_trusted_as_that_one_certificate() {
    // As made by tools with one command: an authority that is its own server certificate; and one that is no authority.
    for is_authority in [true, false] {
        let make = || {
            let mut parameters = rcgen::CertificateParams::new(["localhost".into()]).unwrap();
            if is_authority {
                parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            }
            let key = rcgen::KeyPair::generate().unwrap();
            (parameters.self_signed(&key).unwrap(), key)
        };
        let (certificate, key) = make();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
        let server = tls::server(vec![certificate.der().clone()], key.into()).unwrap();
        let handshake = |trusted: &str, host: &str| {
            let server = std::sync::Arc::clone(&server);
            let (mut endpoint, thread) =
                serve("smpps", move |tcp| drop(TlsStream::accept(tcp, server, 10 * SECOND)));
            endpoint.host = host.into();
            let connector = Connector::new().tls(tls::ca_pem(trusted.as_bytes()).unwrap());
            let result = connector.connect(&endpoint).map(drop);
            thread.join().unwrap();
            result
        };
        handshake(&certificate.pem(), "localhost").unwrap();
        let error = handshake(&certificate.pem(), "127.0.0.1").unwrap_err();
        assert!(error.to_string().contains("the peer's certificate was rejected"), "{error}");
        let error = handshake(&make().0.pem(), "localhost").unwrap_err();
        assert!(matches!(error.kind, ConnectErrorKind::Handshake(_, TlsError::Certificate(_))), "{error}");
    }
}

#[test]
fn a_server_with_an_old_tls_version_is_named() {
    // A server that supports only TLS 1.1 answers with the alert protocol_version.
    let (endpoint, thread) = serve("smpps", |mut tcp| {
        let _ = tcp.read(&mut [0; 4096]);
        tcp.write_all(&[0x15, 3, 2, 0, 2, 2, 70]).unwrap();
    });
    let trust = tls::ca_pem(certificates().ca_pem.as_bytes()).unwrap();
    let error = Connector::new().tls(trust).connect(&endpoint).unwrap_err();
    assert!(error.to_string().contains("the peer offers neither TLS 1.2 nor TLS 1.3"), "{error}");
    thread.join().unwrap();
}

#[test]
fn the_error_of_a_closed_port_names_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = Connector::new().connect(&format!("smpp://{address}").parse().unwrap()).unwrap_err();
    assert!(
        matches!(&error.kind, ConnectErrorKind::Connect(attempts) if attempts[0].0 == address),
        "{error}"
    );
}

#[test]
fn a_request_is_unanswered_if_the_peer_closes_the_connection() {
    let (endpoint, thread) = serve("smpp", |tcp| {
        let mut connection = Connection::<Smsc, _>::new(tcp, Config::default()).unwrap();
        while let Ok(Some(inbound)) = connection.recv(None) {
            match inbound {
                Inbound::Bind(bind) => connection.accept(bind).unwrap(),
                _ => return connection.close(),
            }
        }
    });
    let mut connection = Connector::new().bind(&endpoint, &bind("secret")).unwrap();
    let error = connection.submit(&message()).unwrap_err();
    assert!(
        matches!(error, RequestError::Unanswered(UnansweredReason::Closed(CloseReason::Disconnected))),
        "{error}"
    );
    let error = connection.submit(&message()).unwrap_err();
    assert!(matches!(error, RequestError::NeverSent(NotSentReason::Closed(_))), "{error}");
    thread.join().unwrap();
}

#[test]
fn the_smsc_receives_the_outcome_of_each_delivery() {
    let (endpoint, thread) = serve("smpp", |tcp| {
        let mut connection = Connection::<Smsc, _>::new(tcp, Config::default()).unwrap();
        let Some(Inbound::Bind(bind)) = connection.recv(None).unwrap() else { panic!() };
        connection.accept(bind).unwrap();
        let accepted = connection.deliver(&DeliverSm::default());
        let refused = connection.deliver(&DeliverSm::default());
        let end = connection.recv(None).unwrap_err();
        (accepted, refused, end)
    });
    let mut connection = Connector::new().bind(&endpoint, &bind("secret")).unwrap();
    for answer in [Ok(DeliverSmResp::default()), Err(CommandStatus::RX_P_APPN)] {
        let Some(Inbound::DeliverSm(delivery)) = connection.recv(Some(10 * SECOND)).unwrap() else {
            panic!()
        };
        connection.respond(delivery, answer).unwrap();
    }
    assert_eq!(connection.unbind().reason, CloseReason::Unbound);
    let (accepted, refused, end) = thread.join().unwrap();
    assert!(accepted.is_ok());
    assert!(matches!(refused, Err(RequestError::Refused { status: CommandStatus::RX_P_APPN, .. })));
    assert_eq!(end.reason, CloseReason::PeerUnbound);
}

#[test]
fn several_requests_in_flight_each_have_their_outcome() {
    let (endpoint, thread) = serve("smpp", smsc);
    let mut connection = Connector::new().bind(&endpoint, &bind("secret")).unwrap();
    let pending: Vec<_> = (0..10).map(|_| connection.send(&message()).unwrap()).collect();
    for pending in pending {
        assert_eq!(connection.wait(pending).unwrap().message_id(), b"id-1");
    }
    let last = connection.send(&message()).unwrap();
    drop(connection);
    assert!(matches!(last.try_outcome(), Ok(Err(RequestError::Unanswered(_)))));
    thread.join().unwrap();
}

#[test]
fn a_request_before_the_bind_is_not_sent() {
    let (endpoint, thread) = serve("smpp", silent);
    let mut connection = Connector::new().connect(&endpoint).unwrap();
    let error = connection.submit(&message()).unwrap_err();
    assert!(matches!(error, RequestError::NeverSent(NotSentReason::State(State::Open))), "{error}");
    connection.close();
    thread.join().unwrap();
}

#[test]
fn messages_above_the_rate_wait_for_their_turn() {
    let (endpoint, thread) = serve("smpp", smsc);
    let config = Config::default().rate(Rate::per_second(50));
    let mut connection = Connector::new().config(config).bind(&endpoint, &bind("secret")).unwrap();
    let start = std::time::Instant::now();
    for _ in 0..3 {
        connection.submit(&message()).unwrap();
    }
    assert!(start.elapsed() >= Duration::from_millis(32), "two intervals of 20.16 ms, less 8 ms");
    assert_eq!(connection.unbind().reason, CloseReason::Unbound);
    thread.join().unwrap();
}
