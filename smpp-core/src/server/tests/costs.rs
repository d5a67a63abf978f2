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

/// Returns a registry with a bind, and with this many deliveries in flight on it and behind them.
fn with_deliveries(in_flight: u16, waiting: u16) -> (Registry, ConnectionId) {
    let deliveries =
        DeliveryOptions { capacity: 100_000, max_age: Duration::from_secs(1), ..DeliveryOptions::default() };
    let deliveries = DeliveryOptions { octets: 1 << 30, ..deliveries };
    let mut registry = Registry::new(Options { deliveries, ..Options::default() });
    let connection = registry.accept(address("192.0.2.1")).unwrap();
    registry.decide(connection, (b"shop", TRX), in_flight, Ok(&Admission::default())).unwrap();
    registry.ready(connection);
    for _ in 0..in_flight + waiting {
        registry.deliver(NOW, b"shop", delivery(&[1])).unwrap();
    }
    while assignment(&mut registry, NOW).is_some() {}
    registry.deliveries.take_lookups();
    (registry, connection)
}

#[test]
fn the_end_of_all_deliveries_looks_at_each_once() {
    let (mut registry, _) = with_deliveries(5_000, 5_000);
    registry.stop();
    let mut calls = 0;
    while registry.end_deliveries() {
        calls += 1;
    }
    assert!(calls >= 20, "it is done in slices: {calls} calls");
    let lookups = registry.deliveries.take_lookups();
    assert!(lookups <= 10_000 + 2 * (calls + 1), "{lookups} look-ups");
    assert_eq!(registry.stats().deliveries, 5_000, "those in flight wait for their outcomes");
    // An outcome after that ends its delivery for good.
    let refused = crate::session::Refusal::WindowFull;
    for id in 1..=5_000 {
        registry.handle_refused(NOW, DeliveryId(id), refused);
    }
    assert_eq!(registry.stats().deliveries, 0);
}

#[test]
fn deadlines_of_deliveries_in_flight_are_handled_in_slices() {
    let (mut registry, _) = with_deliveries(5_000, 10);
    let mut most = 0;
    while registry.poll_timeout().is_some_and(|due| due <= at(1000)) {
        registry.handle_timeout(at(1000));
        most = most.max(registry.deliveries.take_lookups());
    }
    assert!(most <= 300, "{most} look-ups in one call");
    assert_eq!(registry.stats().deliveries, 5_000);
    assert_eq!(registry.poll_timeout(), None, "they wait for their outcomes");
}

#[test]
fn a_bind_that_ends_looks_only_at_the_deliveries_that_end() {
    let (mut registry, connection) = with_deliveries(1, 20_000);
    registry.deliver(NOW, b"shop", delivery(&[2]).only_if_bound()).unwrap();
    registry.deliveries.take_lookups();
    registry.ended(connection, session::CloseReason::Disconnected);
    let lookups = registry.deliveries.take_lookups();
    assert!(lookups <= 10, "{lookups} look-ups");
    assert_eq!(registry.stats().deliveries, 20_001);
}

#[test]
fn many_deliveries_that_end_with_their_bind_do_so_in_slices() {
    let (mut registry, connection) = with_deliveries(1, 0);
    for _ in 0..1_000 {
        registry.deliver(NOW, b"shop", delivery(&[2]).only_if_bound()).unwrap();
    }
    registry.unbinding(connection);
    let mut left = registry.stats().deliveries;
    assert!(left > 700, "{left} are left");
    while registry.poll_timeout() == Some(Instant::ZERO) {
        registry.handle_timeout(NOW);
        let now_left = registry.stats().deliveries;
        assert!(left - now_left <= 257, "{left} and then {now_left}");
        left = now_left;
    }
    assert_eq!(left, 1, "the one in flight");
}
