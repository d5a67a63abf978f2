//! What calls cost, in look-ups in the tables: it does not grow with the number of connections.

use super::*;

const NOW: Instant = Instant::ZERO;

/// Returns a server with this many binds of one account, and the look-ups that they took.
fn bound(binds: u16) -> (Server, Application, Vec<Peer>, u64) {
    let mut server = Server::new(Options {
        connections: 100_000,
        connections_per_address: 100_000,
        binds: BindLimits::total(u16::MAX),
        ..Options::default()
    });
    let mut application = Application::default();
    let peers = (0..binds).map(|_| Peer::bound(&mut server, &mut application, "shop", TRX)).collect();
    let lookups = server.registry.connections.take_lookups();
    while server.poll_event().is_some() {}
    while server.poll_action().is_some() {}
    (server, application, peers, lookups)
}

/// Delivers a message, lets a bind accept it, and returns the look-ups.
fn deliver(server: &mut Server, application: &mut Application, peers: &mut [Peer]) -> u64 {
    server.deliver(NOW, b"shop", delivery(&[1])).unwrap();
    let Some(Action::Wake { connection }) = server.poll_action() else { panic!("no bind has it") };
    let peer = peers.iter_mut().find(|peer| peer.connection == connection).unwrap();
    peer.exchange(server, NOW, application);
    peer.answer(server, application, CommandStatus::ROK);
    assert_eq!(outcomes(server).len(), 1);
    server.registry.connections.take_lookups()
}

#[test]
fn binds_take_time_linear_in_their_number() {
    let few = bound(10).3;
    let many = bound(2_000).3;
    assert_eq!(many / 2_000, few / 10);
}

#[test]
fn a_delivery_costs_the_same_with_any_number_of_binds() {
    let cost = |binds| {
        let (mut server, mut application, mut peers, _) = bound(binds);
        (0..10).map(|_| deliver(&mut server, &mut application, &mut peers)).max().unwrap()
    };
    let (few, many) = (cost(2), cost(2_000));
    assert_eq!(few, many);
    assert!(few < 60, "{few} look-ups");
}

#[test]
fn a_turn_of_a_connection_costs_the_same_with_any_number_of_connections() {
    let cost = |binds| {
        let (mut server, mut application, mut peers, _) = bound(binds);
        let peer = peers.last_mut().unwrap();
        peer.request(&mut server, &mut application, &crate::pdu::SubmitSm::default(), "message");
        server.handle_connection_timeout(NOW, peer.connection);
        server.handle_timeout(NOW);
        server.registry.connections.take_lookups()
    };
    assert_eq!(cost(1), cost(2_000));
}
