//! Connections that are not TCP: Unix sockets, and streams that the application accepts.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use smpp_proto::session::{Config, Esme};
use smpp_std::{IncomingConnection, Listener, ProxyProtocol, RejectReason, Server, ServerLimits, start};

use super::support::{TRX, bind, event, submit, test_service};

/// The path of a socket for one test, which removes it.
struct SocketPath(PathBuf);

impl SocketPath {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("smpp-std-{name}-{}.sock", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Self(path)
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn connections_of_a_unix_socket_count_as_one_address() {
    let path = SocketPath::new("one-address");
    let (service, test) = test_service();
    let limits = ServerLimits::default().connections_per_address(2);
    let listener = Listener::bind_unix(&path.0, Config::default()).unwrap();
    let server = Server::builder(service).limits(limits).listen(listener).start().unwrap();
    assert_eq!(server.local_addrs()[0].to_string(), "0.0.0.0:0");
    let events = test.echo();
    let mut clients = Vec::new();
    for _ in 0..2 {
        let stream = UnixStream::connect(&path.0).unwrap();
        let (client, inbox) = start::<Esme, _>(stream, Config::default()).unwrap();
        bind(&client, "shop", "secret", TRX).unwrap();
        assert_eq!(client.submit(&submit(b"hello")).unwrap().message_id(), b"hello");
        clients.push((client, inbox));
    }
    assert_eq!(server.binds().list()[1].peer_addr().to_string(), "0.0.0.0:0");
    let _third = UnixStream::connect(&path.0).unwrap();
    event(&events, "rejected: the limit of connections per address is reached");
    // The file is gone, and the thread that accepts still ends.
    std::fs::remove_file(&path.0).unwrap();
    assert_eq!(server.shutdown(Duration::from_secs(10)).aborted(), 0);
}

#[test]
fn a_proxy_on_a_unix_socket_states_the_address() {
    let path = SocketPath::new("proxied");
    let (service, _test) = test_service();
    let listener = Listener::bind_unix(&path.0, Config::default()).unwrap();
    // No network is trusted: the permissions of the file decide.
    let listener = listener.proxy_protocol(ProxyProtocol::from_trusted([]));
    let server = Server::builder(service).listen(listener).start().unwrap();
    let mut stream = UnixStream::connect(&path.0).unwrap();
    stream.write_all(b"PROXY TCP6 2001:db8::1 2001:db8::2 40000 2775\r\n").unwrap();
    let (client, _inbox) = start::<Esme, _>(stream, Config::default()).unwrap();
    bind(&client, "shop", "secret", TRX).unwrap();
    assert_eq!(server.binds().list()[0].peer_addr().to_string(), "[2001:db8::1]:40000");
}

#[test]
fn a_server_serves_any_stream_with_the_address_that_it_is_given() {
    let (service, test) = test_service();
    let limits = ServerLimits::default().connections_per_address(1);
    let server = Server::builder(service).limits(limits).start().unwrap();
    let _events = test.echo();
    let acceptor = server.acceptor();
    let connect = |last: u8| {
        let (near, far) = UnixStream::pair().unwrap();
        let address = ([192, 0, 2, last], 7).into();
        acceptor.serve(IncomingConnection::new(far, address, Config::default())).map(|()| near)
    };
    let mut clients = Vec::new();
    for last in [1, 2] {
        let (client, inbox) = start::<Esme, _>(connect(last).unwrap(), Config::default()).unwrap();
        bind(&client, "shop", "secret", TRX).unwrap();
        assert_eq!(client.submit(&submit(b"hello")).unwrap().message_id(), b"hello");
        clients.push((client, inbox));
    }
    assert_eq!(server.binds().list()[1].peer_addr().to_string(), "192.0.2.2:7");
    assert_eq!(connect(1).unwrap_err(), RejectReason::PerAddress);
    assert_eq!(server.shutdown(Duration::from_secs(10)).aborted(), 0);
    assert_eq!(connect(3).unwrap_err(), RejectReason::Stopping);
}
