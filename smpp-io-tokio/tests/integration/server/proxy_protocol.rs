//! Connections through a proxy: the address that its header states counts.

use std::net::SocketAddr;

use smpp_proto::Endpoint;
use smpp_proto::server::Event;
use smpp_proto::session::{CloseReason, Config, Esme};
use smpp_tokio::testing::Certificate;
use smpp_tokio::{
    AcceptError, Client, Connector, Events, Inbox, IncomingConnection, Listener, ProxyHeaderError,
    ProxyProtocol, RejectReason, Server, ServerLimits, start,
};
use std::time::Duration;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpStream;
use tokio::time::{advance, timeout};

use super::support::{TIMEOUT, TRX, TestHandle, bind, closed, submit, test_service};

const V1: &[u8] = b"PROXY TCP4 192.0.2.1 10.0.0.1 40000 2775\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C\xC0\0\x02\x02\x0A\0\0\x01\x9C\x40\x0A\xD7";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

fn trusted(network: &str) -> ProxyProtocol {
    ProxyProtocol::from_trusted([network.parse().unwrap()])
}

/// A server that trusts proxies in this network.
async fn serve(limits: ServerLimits, proxies: ProxyProtocol) -> (Server, SocketAddr, TestHandle) {
    let (service, test) = test_service();
    let listener = Listener::bind("127.0.0.1:0", Config::default()).await.unwrap();
    let server =
        Server::builder(service).limits(limits).listen(listener.proxy_protocol(proxies)).start().unwrap();
    let address = server.local_addrs()[0];
    (server, address, test)
}

/// Sends a header, and binds.
async fn through_proxy(server: SocketAddr, header: &[u8]) -> (Client, Inbox<Esme>) {
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(header).await.unwrap();
    let (client, inbox) = start(stream, Config::default());
    bind(&client, "shop", "secret", TRX).await.unwrap();
    (client, inbox)
}

async fn next(events: &mut Events) -> Event {
    timeout(TIMEOUT, events.recv()).await.expect("no event").expect("no event")
}

#[tokio::test]
async fn the_address_of_the_client_is_the_one_in_the_header() {
    let (server, address, _test) = serve(ServerLimits::default(), trusted("127.0.0.0/8")).await;
    let mut events = server.binds().events();
    for (index, (header, client)) in
        [(V1, "192.0.2.1:40000"), (V2, "192.0.2.2:40000")].into_iter().enumerate()
    {
        let (esme, _inbox) = through_proxy(address, header).await;
        let connection = index + 1;
        assert_eq!(next(&mut events).await.to_string(), format!("connection {connection}: from {client}"));
        let bound = format!("connection {connection}: shop bound as transceiver from {client}");
        assert_eq!(next(&mut events).await.to_string(), bound);
        let addresses: Vec<_> =
            server.binds().list().iter().map(|bound| bound.peer_addr().to_string()).collect();
        assert_eq!(addresses, [client]);
        esme.unbind().await;
        assert!(next(&mut events).await.to_string().contains(client));
    }
    // A health check of the proxy, and a client without addresses.
    for header in [LOCAL, b"PROXY UNKNOWN\r\n"] {
        let (esme, _inbox) = through_proxy(address, header).await;
        assert_eq!(server.binds().list()[0].peer_addr().ip().to_string(), "127.0.0.1");
        esme.unbind().await;
    }
}

#[tokio::test]
async fn tls_begins_after_the_header() {
    let certificate = Certificate::for_localhost().unwrap();
    let (service, test) = test_service();
    let listener = Listener::bind("127.0.0.1:0", Config::default()).await.unwrap();
    let listener = listener.tls(certificate.server_tls()).proxy_protocol(trusted("127.0.0.1"));
    let server = Server::builder(service).listen(listener).start().unwrap();
    let _events = test.echo();
    for header in [V1, V2] {
        let connector = Connector::new().tls(certificate.client_tls()).dial(move |target| async move {
            let mut stream = TcpStream::connect(target.address).await?;
            // Not flushed before the first octets of TLS, which may arrive with the header.
            stream.set_nodelay(false)?;
            stream.write_all(header).await?;
            Ok(stream)
        });
        let endpoint = Endpoint::tls("localhost", server.local_addrs()[0].port());
        let (client, _inbox) = connector.connect(&endpoint).await.unwrap();
        bind(&client, "shop", "secret", TRX).await.unwrap();
        let sent = client.submit(&submit(b"over TLS")).await.unwrap();
        assert_eq!(sent.message_id(), b"over TLS");
        assert!(server.binds().list()[0].is_tls());
        client.unbind().await;
    }
}

#[tokio::test]
async fn the_limit_per_address_counts_clients_and_not_the_proxy() {
    let limits = ServerLimits::default().connections_per_address(1);
    let (server, address, mut test) = serve(limits, trusted("127.0.0.1/32")).await;
    let _first = through_proxy(address, V1).await;
    let _second = through_proxy(address, V2).await;
    assert_eq!(server.binds().list().len(), 2);
    let mut third = TcpStream::connect(address).await.unwrap();
    third.write_all(V1).await.unwrap();
    test.event("rejected: the limit of connections per address is reached").await;
    closed(&mut third).await;
    assert_eq!(server.binds().stats().counters.rejected, 1);
}

#[tokio::test]
async fn connections_without_a_valid_header_are_closed_and_counted() {
    let (server, address, mut test) = serve(ServerLimits::default(), trusted("127.0.0.1")).await;
    let mut events = server.binds().events();
    let malformed =
        "the connection does not begin with a valid PROXY protocol header: check that the proxy sends one";
    let long = [V2[..14].to_vec(), vec![0xFF, 0xFF]].concat();
    for (octets, reason) in [
        (&b"\0\0\0\x10\0\0\0\x15\0\0\0\0\0\0\0\x01"[..], malformed),
        (b"PROXY TCP4 192.0.2.1 10.0.0.1 40000 99999\r\n", malformed),
        (&long, "the PROXY protocol header is too long"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(octets).await.unwrap();
        test.event(&format!("rejected: {reason}")).await;
        closed(&mut stream).await;
        let event = next(&mut events).await;
        assert!(matches!(&event, Event::Rejected { address, .. } if address.ip().to_string() == "127.0.0.1"));
        assert!(event.to_string().ends_with(reason), "{event}");
    }
    drop(TcpStream::connect(address).await.unwrap());
    test.event("rejected: the connection ended before the PROXY protocol header was complete").await;
    assert_eq!((server.binds().stats().counters.rejected, server.binds().stats().counters.connected), (4, 0));
}

#[tokio::test]
async fn only_trusted_addresses_may_state_another_one() {
    let (_server, address, mut test) = serve(ServerLimits::default(), trusted("192.0.2.0/24")).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    test.event("rejected: the address is not trusted to speak the PROXY protocol").await;
    closed(&mut stream).await;

    let (server, address, mut test) =
        serve(ServerLimits::default(), trusted("192.0.2.0/24").accept_direct(true)).await;
    let (_client, _inbox) = through_proxy(address, b"").await;
    assert_eq!(server.binds().list()[0].peer_addr().ip().to_string(), "127.0.0.1");
    // A header from there is no SMPP.
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(V1).await.unwrap();
    closed(&mut stream).await;
    test.event("bound shop").await;
}

/// A server in memory, and a connection of a proxy to it.
fn in_memory(limits: ServerLimits) -> (Server, DuplexStream, TestHandle) {
    let (service, test) = test_service();
    let server = Server::builder(service).limits(limits).start().unwrap();
    let near = connect(&server);
    (server, near, test)
}

fn connect(server: &Server) -> DuplexStream {
    let (near, far) = duplex(1024);
    let connection = IncomingConnection::new(far, ([10, 0, 0, 1], 2775).into(), Config::default());
    server.serve(connection.proxy_protocol(trusted("10.0.0.0/8"))).unwrap();
    near
}

#[tokio::test(start_paused = true)]
async fn a_header_has_a_time_limit() {
    let (server, mut near, mut test) = in_memory(ServerLimits::default());
    near.write_all(&V1[..20]).await.unwrap();
    advance(Duration::from_millis(4999)).await;
    near.write_all(&V1[20..30]).await.unwrap();
    assert_eq!(server.binds().stats().unbound, 1);
    advance(Duration::from_millis(2)).await;
    test.event("rejected: the PROXY protocol header was not complete in time").await;
    assert_eq!(server.binds().stats().counters.rejected, 1);
}

#[tokio::test(start_paused = true)]
async fn connections_that_wait_for_a_header_make_room_for_new_ones() {
    let limits = ServerLimits::default().unbound_connections(2);
    let (server, _first, mut test) = in_memory(limits);
    let mut second = connect(&server);
    let third = connect(&server);
    test.event("rejected: closed for a newer connection before its PROXY protocol header was complete").await;
    second.write_all(V2).await.unwrap();
    let (client, _inbox) = start::<Esme, _>(second, Config::default());
    bind(&client, "shop", "secret", TRX).await.unwrap();
    // The one that waits is closed when the server stops.
    let shutdown = server.shutdown(Duration::from_secs(1)).await;
    assert_eq!((shutdown.ended.len(), shutdown.not_bound), (1, 1));
    test.event("rejected: the server is shutting down").await;
    drop(third);
}

#[tokio::test]
async fn a_listener_alone_reads_the_header_too() {
    let listener = Listener::bind("127.0.0.1:0", Config::default()).await.unwrap();
    let listener = listener.proxy_protocol(trusted("127.0.0.1"));
    let address = listener.local_addr().unwrap();
    for header in [V1, b"no header"] {
        let client = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(header).await.unwrap();
            let (client, _inbox) = start::<Esme, _>(stream, Config::default());
            let _ = bind(&client, "shop", "secret", TRX).await;
            client.closed().await
        };
        let smsc = async {
            let connection = listener.accept().await.unwrap();
            match connection.bind_request().await {
                Ok(request) => {
                    assert_eq!(request.peer_addr().to_string(), "192.0.2.1:40000");
                    request.refuse(smpp_proto::CommandStatus::RINVSYSID).await;
                }
                Err(error) => {
                    let expected = RejectReason::ProxyHeader(ProxyHeaderError::Malformed);
                    assert!(matches!(error, AcceptError::Rejected(reason) if reason == expected), "{error}");
                    assert!(
                        error.to_string().starts_with("the connection was rejected: the connection does not")
                    );
                }
            }
        };
        let (end, ()) = tokio::join!(client, smsc);
        assert_ne!(end.reason, CloseReason::Aborted);
    }
}
