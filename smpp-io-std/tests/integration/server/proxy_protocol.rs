//! Connections through a proxy: the address that its header states counts.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use smpp_proto::Endpoint;
use smpp_proto::server::Event;
use smpp_proto::session::{CloseReason, Config, Esme};
use smpp_std::testing::Certificate;
use smpp_std::{
    AcceptError, Client, Connector, Inbox, Listener, ProxyHeaderError, ProxyProtocol, RejectReason, Server,
    ServerLimits, start,
};

use super::support::{TIMEOUT, TRX, TestHandle, bind, closed, submit, test_service, until};

const V1: &[u8] = b"PROXY TCP4 192.0.2.1 10.0.0.1 40000 2775\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C\xC0\0\x02\x02\x0A\0\0\x01\x9C\x40\x0A\xD7";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

fn trusted(network: &str) -> ProxyProtocol {
    ProxyProtocol::from_trusted([network.parse().unwrap()])
}

/// A server that trusts proxies in this network.
fn serve(limits: ServerLimits, proxies: ProxyProtocol) -> (Server, SocketAddr, TestHandle) {
    let (service, test) = test_service();
    let listener = Listener::bind("127.0.0.1:0", Config::default()).unwrap().proxy_protocol(proxies);
    let server = Server::builder(service).limits(limits).listen(listener).start().unwrap();
    let address = server.local_addrs()[0];
    (server, address, test)
}

fn connect(server: SocketAddr, octets: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.write_all(octets).unwrap();
    stream
}

/// Sends a header, and binds.
fn through_proxy(server: SocketAddr, header: &[u8]) -> (Client, Inbox<Esme>) {
    let (client, inbox) = start(connect(server, header), Config::default()).unwrap();
    bind(&client, "shop", "secret", TRX).unwrap();
    (client, inbox)
}

fn peers(server: &Server) -> Vec<String> {
    server.binds().list().iter().map(|bound| bound.peer_addr().to_string()).collect()
}

#[test]
fn the_address_of_the_client_is_the_one_in_the_header() {
    let (server, address, _test) = serve(ServerLimits::default(), trusted("127.0.0.0/8"));
    let mut events = server.binds().events();
    let mut next = || events.recv_until(Instant::now() + TIMEOUT).unwrap().expect("no event").to_string();
    for (index, (header, client)) in
        [(V1, "192.0.2.1:40000"), (V2, "192.0.2.2:40000")].into_iter().enumerate()
    {
        let (esme, _inbox) = through_proxy(address, header);
        let connection = index + 1;
        assert_eq!(next(), format!("connection {connection}: from {client}"));
        assert_eq!(next(), format!("connection {connection}: shop bound as transceiver from {client}"));
        assert_eq!(peers(&server), [client]);
        esme.unbind();
        assert!(next().contains(client));
    }
    // A health check of the proxy, and a client without addresses.
    for header in [LOCAL, b"PROXY UNKNOWN\r\n"] {
        let (esme, _inbox) = through_proxy(address, header);
        assert!(peers(&server)[0].starts_with("127.0.0.1:"));
        esme.unbind();
        until(|| server.binds().list().is_empty());
    }
}

#[test]
fn tls_begins_after_the_header() {
    let certificate = Certificate::for_localhost().unwrap();
    let (service, test) = test_service();
    let listener = Listener::bind("127.0.0.1:0", Config::default()).unwrap();
    let listener = listener.tls(certificate.server_tls()).proxy_protocol(trusted("127.0.0.1"));
    let server = Server::builder(service).listen(listener).start().unwrap();
    let _events = test.echo();
    for header in [V1, V2] {
        let connector = Connector::new().tls(certificate.client_tls()).dial(move |target| {
            let mut stream = TcpStream::connect(target.address)?;
            stream.write_all(header)?;
            Ok(stream)
        });
        let endpoint = Endpoint::tls("localhost", server.local_addrs()[0].port());
        let (client, _inbox) = connector.start(&endpoint).unwrap();
        bind(&client, "shop", "secret", TRX).unwrap();
        assert_eq!(client.submit(&submit(b"over TLS")).unwrap().message_id(), b"over TLS");
        assert!(server.binds().list()[0].is_tls() && peers(&server)[0].starts_with("192.0.2."));
        client.unbind();
        until(|| server.binds().list().is_empty());
    }
}

#[test]
fn the_limit_per_address_counts_clients_and_not_the_proxy() {
    let limits = ServerLimits::default().connections_per_address(1);
    let (server, address, test) = serve(limits, trusted("127.0.0.1/32"));
    let _first = through_proxy(address, V1);
    let _second = through_proxy(address, V2);
    assert_eq!(server.binds().list().len(), 2);
    let mut third = connect(address, V1);
    test.event("rejected: the limit of connections per address is reached");
    closed(&mut third);
    assert_eq!(server.binds().stats().counters.rejected, 1);
}

#[test]
fn connections_without_a_valid_header_are_closed_and_counted() {
    let limits = ServerLimits::default().unbound_connections(2);
    let proxies = trusted("127.0.0.1").timeout(Duration::from_millis(500));
    let (server, address, test) = serve(limits, proxies);
    let mut events = server.binds().events();
    let malformed =
        "the connection does not begin with a valid PROXY protocol header: check that the proxy sends one";
    let long = [V2[..14].to_vec(), vec![0xFF, 0xFF]].concat();
    for (octets, reason) in [
        (&b"\0\0\0\x10\0\0\0\x15\0\0\0\0\0\0\0\x01"[..], malformed),
        (b"PROXY TCP4 192.0.2.1 10.0.0.1 40000 99999\r\n", malformed),
        (&long, "the PROXY protocol header is too long"),
        (b"PROXY TCP4 192.0.2.1", "the PROXY protocol header was not complete in time"),
    ] {
        let mut stream = connect(address, octets);
        test.event(&format!("rejected: {reason}"));
        closed(&mut stream);
        let event = events.recv_until(Instant::now() + TIMEOUT).unwrap().expect("no event");
        assert!(matches!(&event, Event::Rejected { address, .. } if address.ip().to_string() == "127.0.0.1"));
        assert!(event.to_string().ends_with(reason), "{event}");
    }
    drop(connect(address, b""));
    test.event("rejected: the connection ended before the PROXY protocol header was complete");
    assert_eq!((server.binds().stats().counters.rejected, server.binds().stats().counters.connected), (5, 0));
}

#[test]
fn connections_that_wait_for_a_header_make_room_for_new_ones() {
    let limits = ServerLimits::default().unbound_connections(2);
    let (server, address, test) = serve(limits, trusted("127.0.0.1"));
    let mut first = connect(address, b"");
    until(|| server.binds().stats().unbound == 1);
    let second = connect(address, b"");
    until(|| server.binds().stats().unbound == 2);
    let _third = connect(address, b"");
    test.event("rejected: closed for a newer connection before its PROXY protocol header was complete");
    closed(&mut first);
    (&second).write_all(V2).unwrap();
    let (client, _inbox) = start::<Esme, _>(second, Config::default()).unwrap();
    bind(&client, "shop", "secret", TRX).unwrap();
    // The one that waits is closed when the server stops.
    let shutdown = server.shutdown(Duration::from_secs(10));
    assert_eq!((shutdown.ended.len(), shutdown.not_bound), (1, 1));
    test.event("rejected: the server is shutting down");
}

#[test]
fn only_trusted_addresses_may_state_another_one() {
    let (_server, address, test) = serve(ServerLimits::default(), trusted("192.0.2.0/24"));
    closed(&mut connect(address, b""));
    test.event("rejected: the address is not trusted to speak the PROXY protocol");

    let proxies = trusted("192.0.2.0/24").accept_direct(true);
    let (server, address, _test) = serve(ServerLimits::default(), proxies);
    let (_client, _inbox) = through_proxy(address, b"");
    assert!(peers(&server)[0].starts_with("127.0.0.1:"));
    // A header from there is no SMPP.
    closed(&mut connect(address, V1));
}

#[test]
fn a_listener_alone_reads_the_header_too() {
    let listener = Listener::bind("127.0.0.1:0", Config::default()).unwrap();
    let listener = listener.proxy_protocol(trusted("127.0.0.1"));
    let address = listener.local_addr().unwrap();
    for header in [V1, b"no header"] {
        let smsc = || match listener.accept().unwrap().bind_request() {
            Ok(request) => {
                assert_eq!(request.peer_addr().to_string(), "192.0.2.1:40000");
                request.refuse(smpp_proto::CommandStatus::RINVSYSID);
            }
            Err(error) => {
                let expected = RejectReason::ProxyHeader(ProxyHeaderError::Malformed);
                assert!(matches!(error, AcceptError::Rejected(reason) if reason == expected), "{error}");
            }
        };
        thread::scope(|scope| {
            scope.spawn(smsc);
            let (client, _inbox) = start::<Esme, _>(connect(address, header), Config::default()).unwrap();
            bind(&client, "shop", "secret", TRX).unwrap_err();
            assert_ne!(client.closed().reason, CloseReason::Aborted);
        });
    }
}
