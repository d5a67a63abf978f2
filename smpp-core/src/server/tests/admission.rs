//! Which connections are accepted, and which make room.

use super::*;

fn options(connections: usize, connections_per_address: usize) -> Options {
    Options { connections, connections_per_address, ..Options::default() }
}

fn accept(server: &mut Server, from: &str) -> Result<ConnectionId, RejectReason> {
    server.accept(Instant::ZERO, address(from), Config::default(), ())
}

#[test]
fn the_oldest_connection_without_a_bind_makes_room() {
    let mut server = Server::new(options(3, 2));
    let ids = ["::1", "192.0.2.1", "192.0.2.1"].map(|from| accept(&mut server, from).unwrap());
    // The limit of the address is reached: its oldest connection is closed, not the oldest of all.
    accept(&mut server, "::ffff:192.0.2.1").unwrap();
    assert_eq!(closes(&mut server), [ids[1]]);
    // The limit of the server is reached: the oldest of all is closed.
    accept(&mut server, "192.0.2.2").unwrap();
    assert_eq!(closes(&mut server), [ids[0]]);
    assert_eq!(kinds(&mut server).iter().filter(|kind| **kind == "not_bound").count(), 2);
    assert_eq!((server.stats().unbound, server.stats().closing), (3, 2));
    server.handle_closed(Instant::ZERO, ids[0]);
    assert_eq!((server.stats().unbound, server.stats().closing), (3, 1));
}

#[test]
fn a_bound_connection_never_makes_room() {
    let mut server = Server::new(options(2, 2));
    let mut application = Application::default();
    let first = Peer::bound(&mut server, &mut application, "shop", TRX);
    let second = Peer::bound(&mut server, &mut application, "shop", TRX);
    assert_eq!(accept(&mut server, "192.0.2.1"), Err(RejectReason::PerAddress));
    assert_eq!(accept(&mut server, "192.0.2.9"), Err(RejectReason::Connections));
    assert!(first.is_bound() && second.is_bound());
    assert_eq!(closes(&mut server), []);
    assert_eq!(
        lines(&mut server).last().unwrap(),
        "connection from 192.0.2.9:2775 rejected: the limit of connections is reached"
    );
}

#[test]
fn connections_that_do_not_close_count_up_to_twice_the_limit() {
    let mut server = Server::new(options(2, 2));
    let ids: Vec<_> = (0..4).map(|_| accept(&mut server, "192.0.2.1").unwrap()).collect();
    assert_eq!(accept(&mut server, "192.0.2.1"), Err(RejectReason::Connections));
    server.handle_closed(Instant::ZERO, ids[0]);
    assert!(accept(&mut server, "192.0.2.1").is_ok());
}

#[test]
fn the_addresses_of_an_ipv6_network_count_as_one() {
    let mut server = Server::new(options(10, 1));
    let first = accept(&mut server, "2001:db8::1").unwrap();
    accept(&mut server, "2001:db8::2:0:0:1").unwrap();
    assert_eq!(closes(&mut server), [first]);
    accept(&mut server, "2001:db8:0:1::1").unwrap();
    assert_eq!(closes(&mut server), []);
}

#[test]
fn connections_without_a_bind_are_limited_in_number() {
    let mut server = Server::new(Options { unbound_connections: 2, ..Options::default() });
    let mut application = Application::default();
    let peer = Peer::bound(&mut server, &mut application, "shop", TRX);
    let ids = [1, 2, 3].map(|last| {
        server.accept(Instant::ZERO, SocketAddr::from(([192, 0, 2, last], 1)), Config::default(), ()).unwrap()
    });
    assert_eq!(closes(&mut server), [ids[0]]);
    assert!(peer.is_bound());
}

#[test]
fn connections_without_a_bind_are_limited_in_octets() {
    let mut server = Server::new(Options { unbound_octets: 100, ..Options::default() });
    let [first, second] = ["192.0.2.1", "192.0.2.2"].map(|from| accept(&mut server, from).unwrap());
    let mut input = &[&[0, 0, 0, 200, 0, 0, 0, 9][..], &[0; 52]].concat()[..];
    assert!(server.handle_input(Instant::ZERO, first, &mut input).is_none());
    assert_eq!((server.stats().unbound_octets, input.len()), (60, 60));
    // The oldest is closed, whoever exceeds the limit.
    assert!(server.handle_input(Instant::ZERO, second, &mut input).is_none());
    assert_eq!(closes(&mut server), [first]);
    assert_eq!(server.stats().unbound_octets, 60);
}

#[test]
fn a_large_pdu_is_read_only_after_the_bind() {
    let large = [&[0, 0, 8, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 2][..], &[0; 2032]].concat();
    let mut server = Server::new(Options::default());
    let unbound = accept(&mut server, "192.0.2.1").unwrap();
    // Its length alone ends the session.
    assert!(server.handle_input(Instant::ZERO, unbound, &mut &large[..16]).is_none());
    let mut output = Vec::new();
    server.poll_transmit(unbound, &mut output);
    server.handle_transmitted(Instant::ZERO, unbound, output.len());
    server.handle_connection_timeout(Instant::ZERO, unbound);
    assert_eq!(closes(&mut server), [unbound]);
    let peer = Peer::bound(&mut server, &mut Application::default(), "shop", TRX);
    let mut input = &large[..];
    while server.handle_input(Instant::ZERO, peer.connection, &mut input).is_some() {}
    assert!(input.is_empty());
    assert_eq!(server.state(peer.connection), Some(State::Bound(TRX)));
}

#[test]
fn a_connection_that_does_not_bind_ends() {
    let mut server = Server::new(Options::default());
    let connection = accept(&mut server, "192.0.2.1").unwrap();
    let (due, _) = server.poll_connection_timeout(connection).unwrap();
    server.handle_connection_timeout(due, connection);
    assert_eq!(closes(&mut server), [connection]);
    assert_eq!(
        lines(&mut server)[1],
        "connection 1: from 192.0.2.1:2775 ended without a bind: no bind within session_init_timeout"
    );
    server.handle_closed(due, connection);
    assert_eq!(server.stats().closing, 0);
    // The id is used no more.
    let next = accept(&mut server, "192.0.2.1").unwrap();
    assert_eq!((next.index(), next > connection), (connection.index(), true));
    assert_eq!(server.state(connection), None);
    server.handle_eof(due, connection);
    server.handle_closed(due, connection);
    assert_eq!(server.state(next), Some(State::Open));
}
