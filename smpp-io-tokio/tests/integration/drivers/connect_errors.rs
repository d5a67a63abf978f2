//! The errors of connecting and binding say what was found and what to check.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use smpp_proto::account::{AccountEvent, ConnectFailure, Credentials, LinkEvent, Options};
use smpp_proto::provider::Provider;
use smpp_proto::session::{Config, RequestError, UnansweredReason};
use smpp_proto::{Bind, CommandStatus, Endpoint, Pdu, SequenceNumber};
use smpp_tokio::account::{AccountConnector, AccountError};
use smpp_tokio::testing::Certificate;
use smpp_tokio::tls::TlsError;
use smpp_tokio::{ConnectError, ConnectErrorKind, Connector, Listener, ReceivedInstead};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A server for one connection: reads once, sends these octets, and closes the connection.
async fn answering(scheme: &str, octets: Vec<u8>) -> (Endpoint, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = crate::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // The whole request, so that the close resets nothing.
        let _ = stream.read(&mut [0; 4096]).await.unwrap();
        stream.write_all(&octets).await.unwrap();
        stream.shutdown().await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    (format!("{scheme}://localhost:{port}").parse().unwrap(), serving)
}

fn other_response() -> Vec<u8> {
    let mut octets = Vec::new();
    Pdu::SubmitSmResp(None).encode(CommandStatus::ROK, SequenceNumber(1), &mut octets);
    octets
}

/// The octets that a peer sends instead of a bind response, what they are, and parts of the error.
fn other_answers() -> [(Vec<u8>, ReceivedInstead, &'static [&'static str]); 7] {
    [
        (
            b"HTTP/1.1 400 Bad Request\r\n".into(),
            ReceivedInstead::Http,
            &["the peer sent HTTP", "web server"],
        ),
        (b"GET / HTTP/1.1\r\n".into(), ReceivedInstead::Http, &["the peer sent HTTP"]),
        (vec![0x15, 3, 3, 0, 2, 2, 70], ReceivedInstead::Tls, &["the peer sent TLS", "smpps://"]),
        (b"SSH-2.0-OpenSSH_9.6\r\n".into(), ReceivedInstead::OtherProtocol, &["not SMPP", "check the port"]),
        (vec![0, 0, 0, 20, 0x80], ReceivedInstead::IncompletePdu, &["the beginning of a PDU"]),
        (other_response(), ReceivedInstead::OtherPdus, &["none for this bind", "bind mode"]),
        (Vec::new(), ReceivedInstead::Nothing, &["the peer sent nothing", "IP allow-list"]),
    ]
}

#[tokio::test]
async fn the_error_of_a_bind_says_what_the_peer_sent() {
    for (octets, expected, texts) in other_answers() {
        let (endpoint, serving) = answering("smpp", octets).await;
        let error = Connector::new().bind(&endpoint, &Bind::default()).await.unwrap_err();
        let ConnectErrorKind::BindUnanswered { received, .. } = error.kind else { panic!("{error}") };
        assert_eq!(received, expected, "{error}");
        for text in texts {
            assert!(error.to_string().contains(text), "{error}");
        }
        serving.await.unwrap();
    }
}

#[tokio::test]
async fn the_error_of_a_bind_keeps_that_of_the_operating_system() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint: Endpoint = format!("smpp://{}", listener.local_addr().unwrap()).parse().unwrap();
    let serving = crate::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // Octets that are not read reset the connection.
        let _ = stream.read(&mut [0; 1]).await;
    });
    let error = Connector::new().bind(&endpoint, &Bind::default()).await.unwrap_err();
    let ConnectErrorKind::BindUnanswered { transport: Some(os_error), .. } = &error.kind else {
        panic!("{error}")
    };
    assert_eq!(os_error.kind(), io::ErrorKind::ConnectionReset);
    assert!(error.to_string().contains(&os_error.to_string()), "{error}");
    serving.await.unwrap();
}

#[tokio::test]
async fn a_server_that_offers_only_tls_1_1_is_named() {
    // It answers with the alert protocol_version.
    let (endpoint, serving) = answering("smpps", vec![0x15, 3, 2, 0, 2, 2, 70]).await;
    let connector = Connector::new().tls(Certificate::for_localhost().unwrap().client_tls());
    let error = connector.connect(&endpoint).await.unwrap_err();
    assert!(matches!(error.kind, ConnectErrorKind::Handshake(_, TlsError::Protocol(_))), "{error}");
    assert!(error.to_string().contains("the peer offers neither TLS 1.2 nor TLS 1.3"), "{error}");
    serving.await.unwrap();
}

#[tokio::test]
async fn plain_smpp_on_a_tls_port_is_named() {
    let (endpoint, serving) = answering("smpps", other_response()).await;
    let connector = Connector::new().tls(Certificate::for_localhost().unwrap().client_tls());
    let error = connector.connect(&endpoint).await.unwrap_err();
    assert!(error.to_string().contains("the peer does not speak TLS on this port"), "{error}");
    serving.await.unwrap();
}

/// Connects to a peer that keeps the connection open and sends nothing.
fn silent() -> Connector {
    let open = Arc::new(Mutex::new(Vec::new()));
    Connector::new().dial(move |_| {
        let (near, far) = duplex(1 << 16);
        open.lock().unwrap().push(far);
        async { io::Result::Ok(near) }
    })
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_named() {
    let plain: Endpoint = "smpp://192.0.2.1".parse().unwrap();
    let error = silent().bind(&plain, &Bind::default()).await.unwrap_err();
    let ConnectErrorKind::BindUnanswered {
        received: ReceivedInstead::Nothing,
        error: RequestError::Unanswered(UnansweredReason::Timeout),
        ..
    } = error.kind
    else {
        panic!("{error}")
    };
    assert!(
        error.to_string().contains("the peer sent nothing; no response within response_timeout"),
        "{error}"
    );

    let secure: Endpoint = "smpps://192.0.2.1".parse().unwrap();
    let connector = silent().tls(Certificate::for_localhost().unwrap().client_tls());
    let error = connector.connect(&secure).await.unwrap_err();
    let ConnectErrorKind::Handshake(_, TlsError::Io(os_error)) = &error.kind else { panic!("{error}") };
    assert_eq!(os_error.kind(), io::ErrorKind::TimedOut);
    assert!(error.to_string().contains("check that the port is the TLS port"), "{error}");
}

#[tokio::test]
async fn a_handle_can_diagnose_its_bind() {
    let (endpoint, serving) = answering("smpp", b"HTTP/1.1 400 Bad Request\r\n".into()).await;
    let (client, _inbox) = Connector::new().connect(&endpoint).await.unwrap();
    let error = client.bind(&Bind::default()).await.unwrap_err();
    assert!(error.to_string().contains("the peer sent HTTP, not SMPP"), "{error}");
    assert_eq!(client.diagnose_bind(&error), Some(ReceivedInstead::Http));
    assert_eq!(client.diagnose_bind(&RequestError::Nacked(CommandStatus::RBINDFAIL)), None);
    serving.await.unwrap();
}

/// Starts an account that cannot bind, and returns its error.
async fn failing(connector: AccountConnector) -> AccountError {
    connector.bind_timeout(Duration::from_secs(20)).connect().await.unwrap_err()
}

/// Starts an account that cannot bind, and returns the first failure of a connection.
async fn first_failure(connector: AccountConnector) -> LinkEvent {
    let (account, _arrivals) = connector.start().unwrap();
    let mut events = account.events();
    loop {
        match events.recv().await.unwrap() {
            AccountEvent::Link { event: LinkEvent::Binding { .. }, .. } => {}
            AccountEvent::Link { event, .. } => return event,
            other => panic!("{other}"),
        }
    }
}

fn account(url: &str) -> AccountConnector {
    let options = Options::new(Credentials::new("shop", "secret"), &Provider::UNSTATED);
    AccountConnector::new(&url.parse().unwrap(), options)
}

#[tokio::test(start_paused = true)]
async fn the_error_of_an_account_says_what_the_peer_sent() {
    for (octets, expected, texts) in other_answers() {
        let connector = || {
            let octets = octets.clone();
            account("smpp://192.0.2.1").dial(move |_| {
                let (near, mut far) = duplex(1 << 16);
                let octets = octets.clone();
                crate::spawn(async move {
                    let _ = far.read(&mut [0; 4096]).await;
                    let _ = far.write_all(&octets).await;
                });
                async { io::Result::Ok(near) }
            })
        };
        let (error, event) = (failing(connector()).await, first_failure(connector()).await);
        assert!(matches!(error, AccountError::Timeout { .. }), "{error}");
        for text in texts {
            assert!(error.to_string().contains(text), "{error}");
        }
        let LinkEvent::BindRefused { received, .. } = event else { panic!("{event}") };
        assert_eq!(received, Some(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_keeps_the_error_of_the_operating_system() {
    for url in ["smpp://192.0.2.1", "smpps://192.0.2.1"] {
        let refused = || io::Error::from_raw_os_error(111);
        let connector = || {
            account(url)
                .tls(Certificate::for_localhost().unwrap().client_tls())
                .dial(move |_| async move { Err::<DuplexStream, _>(refused()) })
        };
        let (error, event) = (failing(connector()).await, first_failure(connector()).await);
        let error = error.to_string();
        assert!(error.contains(&refused().to_string()) && error.contains("cannot connect to"), "{error}");
        assert!(!error.contains("handshake"), "{error}");
        let LinkEvent::ConnectFailed { failure, detail, .. } = event else { panic!("{event}") };
        assert_eq!((failure, &*detail), (ConnectFailure::Network, &*refused().to_string()));
    }
}

/// A transport that accepts all octets, and whose reads fail.
struct Reset;

impl AsyncRead for Reset {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::Error::from_raw_os_error(104)))
    }
}

impl AsyncWrite for Reset {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn the_error_of_an_account_keeps_that_of_the_transport() {
    let error = failing(account("smpp://192.0.2.1").dial(|_| async { Ok(Reset) })).await;
    let reset = io::Error::from_raw_os_error(104).to_string();
    assert!(error.to_string().contains(&format!("(transport error: {reset})")), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_account_names_the_step_that_timed_out() {
    for (url, step) in [("smpp://192.0.2.1", "the bind to"), ("smpps://192.0.2.1", "the TLS handshake with")]
    {
        let open = Arc::new(Mutex::new(Vec::new()));
        let connector = account(url).tls(Certificate::for_localhost().unwrap().client_tls());
        let connector = connector.dial(move |_| {
            let (near, far) = duplex(1 << 16);
            open.lock().unwrap().push(far);
            async { io::Result::Ok(near) }
        });
        let error = failing(connector).await;
        assert!(error.to_string().contains(step), "{error}");
    }
    let hanging = account("smpps://192.0.2.1").tls(Certificate::for_localhost().unwrap().client_tls());
    let hanging = hanging.dial(|_| std::future::pending::<io::Result<DuplexStream>>());
    let error = failing(hanging).await.to_string();
    let last = "last failure: cannot connect to smpps://192.0.2.1:2776; 192.0.2.1:2776: no answer within 10 s; check ";
    assert!(error.contains(last), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_account_says_what_it_waited_for_when_nothing_has_failed_yet() {
    let connector = || account("smpp://192.0.2.1").bind_timeout(Duration::from_secs(5));
    let hanging = connector().dial(|_| std::future::pending::<io::Result<DuplexStream>>());
    let unresolved = connector().resolver(|_| std::future::pending());
    let (near, _far) = duplex(1 << 16);
    let near = Mutex::new(Some(near));
    let silent = connector().dial(move |_| {
        let near = near.lock().unwrap().take();
        async { near.ok_or_else(|| io::Error::other("there is only one")) }
    });
    for (connector, pending) in [
        (hanging, "the connection to smpp://192.0.2.1:2775 at 192.0.2.1:2775 was not made yet"),
        (unresolved, "the host of smpp://192.0.2.1:2775 was not resolved yet"),
        (silent, "smpp://192.0.2.1:2775 at 192.0.2.1:2775 had not answered the bind"),
    ] {
        let error = connector.connect().await.err().unwrap().to_string();
        let expected = format!("no bind succeeded within 5s; at the end, {pending}; check ");
        assert!(error.starts_with(&expected), "{error}");
    }
}

#[tokio::test]
async fn a_server_names_a_client_of_another_protocol() {
    let client_hello = vec![0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3];
    for (octets, texts) in [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), ["the peer sent HTTP", "health check"]),
        (client_hello, ["the peer sent TLS on a connection without TLS", "configure TLS here"]),
    ] {
        let listener = Listener::bind("127.0.0.1:0", Config::default()).await.unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        stream.write_all(&octets).await.unwrap();
        let error = listener.accept().await.unwrap().bind_request().await.unwrap_err();
        for text in texts {
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}

#[tokio::test]
async fn both_adapters_have_the_same_errors() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    // Nothing listens on the port: it refuses connections.
    let endpoint: Endpoint = format!("smpp://127.0.0.1:{port}").parse().unwrap();
    let here: ConnectError = Connector::new().connect(&endpoint).await.unwrap_err();
    let blocking =
        tokio::task::spawn_blocking(move || smpp_std::Connector::new().connect(&endpoint).unwrap_err());
    let there: ConnectError = blocking.await.unwrap();
    assert_eq!(here.to_string(), there.to_string());
    assert!(matches!(here.kind, ConnectErrorKind::Connect(attempts) if attempts.len() == 1));
}
