//! Deliveries: which bind gets them, retries, and the bounds of their queue.

use super::*;
use crate::pdu::DataSm;
use crate::session::Operations;

const NOW: Instant = Instant::ZERO;

fn server(deliveries: DeliveryOptions) -> (Server, Application) {
    (Server::new(Options { deliveries, ..Options::default() }), Application::default())
}

fn deliver(server: &mut Server, text: &[u8]) {
    server.deliver(NOW, b"shop", delivery(text)).unwrap();
}

#[test]
fn deliveries_go_to_the_receiving_binds_in_turn() {
    let (mut server, mut application) = server(DeliveryOptions::default());
    let mut transmitter = Peer::bound(&mut server, &mut application, "shop", BindMode::Transmitter);
    let mut binds =
        [BindMode::Receiver, TRX].map(|mode| Peer::bound(&mut server, &mut application, "shop", mode));
    let mut other = Peer::bound(&mut server, &mut application, "other", TRX);
    for text in 1..=4_u8 {
        deliver(&mut server, &[text]);
    }
    for peer in [&mut transmitter, &mut other] {
        peer.exchange(&mut server, NOW, &mut application);
        assert!(peer.held.is_empty());
    }
    for peer in &mut binds {
        peer.exchange(&mut server, NOW, &mut application);
    }
    assert_eq!(binds[0].texts(), [[1], [3]]);
    assert_eq!(binds[1].texts(), [[2], [4]]);
    // A bind with nothing in flight is first.
    binds[1].answer(&mut server, &mut application, CommandStatus::ROK);
    binds[1].answer(&mut server, &mut application, CommandStatus::RX_P_APPN);
    deliver(&mut server, &[5]);
    binds[1].exchange(&mut server, NOW, &mut application);
    assert_eq!(binds[1].texts(), [[5]]);
    let ended = outcomes(&mut server);
    assert_eq!((ended[0].0, &*ended[0].1), (2, "accepted"));
    assert_eq!(ended[1].0, 4);
    assert!(ended[1].1.starts_with("refused by the peer: ESME_RX_P_APPN"), "{ended:?}");
}

#[test]
fn a_delivery_waits_for_a_bind_and_expires() {
    let (mut server, mut application) = server(DeliveryOptions::default());
    let mut transmitter = Peer::bound(&mut server, &mut application, "shop", BindMode::Transmitter);
    deliver(&mut server, &[1]);
    server.deliver(NOW, b"shop", delivery(&[2]).max_age(Duration::from_secs(1))).unwrap();
    assert_eq!(server.deliver(NOW, b"shop", delivery(&[3]).only_if_bound()), Err(DeliverError::NoBind));
    transmitter.exchange(&mut server, NOW, &mut application);
    assert_eq!(server.poll_timeout(), Some(at(1000)));
    server.handle_timeout(at(1000));
    assert_eq!(outcomes(&mut server), [(2, "not sent: no bind in time".to_string())]);
    let mut receiver = Peer::bound(&mut server, &mut application, "shop", BindMode::Receiver);
    receiver.exchange(&mut server, NOW, &mut application);
    assert_eq!(receiver.texts(), [[1]]);
}

#[test]
fn a_bind_gets_no_delivery_before_it_is_answered() {
    let mut registry = Registry::new(Options::default());
    registry.deliver(NOW, b"shop", delivery(&[1])).unwrap();
    let connection = registry.accept(address("192.0.2.1")).unwrap();
    registry.decide(connection, (b"shop", TRX), 16, Ok(&Admission::default())).unwrap();
    registry.deliver(NOW, b"shop", delivery(&[2]).only_if_bound()).unwrap();
    assert_eq!(assignment(&mut registry, NOW), None);
    registry.ready(connection);
    let assigned: Vec<_> = core::iter::from_fn(|| assignment(&mut registry, NOW)).collect();
    assert_eq!(assigned.iter().map(|(bind, _)| *bind).collect::<Vec<_>>(), [connection; 2]);
    // A bind that ends before it is answered leaves the delivery to the next one.
    registry.deliver(NOW, b"other", delivery(&[3])).unwrap();
    let [ended, next] = ["192.0.2.1"; 2].map(|from| registry.accept(address(from)).unwrap());
    for connection in [ended, next] {
        registry.decide(connection, (b"other", TRX), 16, Ok(&Admission::default())).unwrap();
    }
    registry.ended(ended, session::CloseReason::Disconnected);
    registry.ready(ended);
    assert_eq!(assignment(&mut registry, NOW), None);
    registry.ready(next);
    assert_eq!(assignment(&mut registry, NOW).map(|(bind, _)| bind), Some(next));
}

#[test]
fn a_delivery_only_for_a_bind_ends_with_the_last_one() {
    let (mut server, mut application) = server(DeliveryOptions::default());
    let peer =
        Peer::connect_with(&mut server, NOW, (ADDRESS, 1).into(), Config { window: 1, ..Config::default() });
    let mut peer = peer;
    peer.bind(&mut server, &mut application, "shop", TRX);
    for text in 1..=3 {
        server.deliver(NOW, b"shop", delivery(&[text]).only_if_bound().at_most_once()).unwrap();
    }
    peer.exchange(&mut server, NOW, &mut application);
    server.handle_closed(NOW, peer.connection);
    let ended = outcomes(&mut server);
    let no_bind = ended.iter().filter(|(_, outcome)| outcome.starts_with("not sent: no bind can send it"));
    assert_eq!(no_bind.count(), 2, "{ended:?}");
    let mut keys: Vec<_> = ended.iter().map(|(key, _)| *key).collect();
    keys.sort_unstable();
    assert_eq!(keys, [1, 2, 3]);
    assert!(ended.iter().any(|(key, outcome)| *key == 1 && outcome.starts_with("sent but not answered")));
    assert_eq!(server.stats().accounts, 0);
}

#[test]
fn a_temporary_error_moves_a_delivery_to_another_bind_and_then_delays_it() {
    let (mut server, mut application) =
        server(DeliveryOptions { max_attempts: 3, ..DeliveryOptions::default() });
    let mut first = Peer::bound(&mut server, &mut application, "shop", TRX);
    let mut second = Peer::bound(&mut server, &mut application, "shop", TRX);
    deliver(&mut server, &[1]);
    first.exchange(&mut server, NOW, &mut application);
    first.answer(&mut server, &mut application, CommandStatus::RX_T_APPN);
    second.exchange(&mut server, NOW, &mut application);
    assert_eq!((first.texts().len(), second.texts()), (0, alloc::vec![&[1][..]]));
    second.answer(&mut server, &mut application, CommandStatus::RMSGQFUL);
    first.exchange(&mut server, NOW, &mut application);
    assert!(first.held.is_empty() && second.held.is_empty(), "both have refused it");
    // Others do not wait for it.
    deliver(&mut server, &[2]);
    first.exchange(&mut server, NOW, &mut application);
    assert_eq!(first.texts(), [[2]]);
    let due = server.poll_timeout().unwrap();
    assert_eq!(due, NOW + server.options().deliveries.retry_interval);
    server.handle_timeout(due);
    second.exchange(&mut server, due, &mut application);
    assert_eq!(second.texts(), [[1]]);
    second.answer(&mut server, &mut application, CommandStatus::RSYSERR);
    let ended = outcomes(&mut server);
    assert!(ended[0].1.starts_with("refused by the peer: ESME_RSYSERR"), "the third attempt: {ended:?}");
}

#[test]
fn a_delivery_moves_to_another_bind_when_its_bind_ends() {
    let (mut server, mut application) = server(DeliveryOptions::default());
    let mut first = Peer::bound(&mut server, &mut application, "shop", TRX);
    deliver(&mut server, &[1]);
    server.deliver(NOW, b"shop", delivery(&[2]).at_most_once()).unwrap();
    first.exchange(&mut server, NOW, &mut application);
    assert_eq!(first.texts(), [[1], [2]]);
    let mut second = Peer::bound(&mut server, &mut application, "shop", TRX);
    server.handle_closed(NOW, first.connection);
    second.exchange(&mut server, NOW, &mut application);
    assert_eq!(second.texts(), [[1]], "the ESME may get it twice, unless that is excluded");
    second.answer(&mut server, &mut application, CommandStatus::ROK);
    let ended = outcomes(&mut server);
    assert_eq!(ended[0].0, 2);
    assert!(ended[0].1.starts_with("sent but not answered"), "{ended:?}");
    assert_eq!(ended[1], (1, "accepted".to_string()));
}

#[test]
fn a_delivery_that_never_left_is_sent_on_another_bind_even_if_only_once() {
    let (mut server, mut application) = server(DeliveryOptions::default());
    let first = Peer::bound(&mut server, &mut application, "shop", TRX);
    server.deliver(NOW, b"shop", delivery(&[1]).at_most_once()).unwrap();
    let mut second = Peer::bound(&mut server, &mut application, "shop", TRX);
    // Nothing was transmitted on the first.
    server.handle_closed(NOW, first.connection);
    second.exchange(&mut server, NOW, &mut application);
    assert_eq!(second.texts(), [[1]]);
}

#[test]
fn what_is_in_doubt_stays_so() {
    let (mut server, mut application) = server(DeliveryOptions::default());
    let mut first = Peer::bound(&mut server, &mut application, "shop", TRX);
    deliver(&mut server, &[1]);
    first.exchange(&mut server, NOW, &mut application);
    server.handle_closed(NOW, first.connection);
    let mut second = Peer::bound(&mut server, &mut application, "shop", TRX);
    let due = server.poll_timeout().unwrap();
    server.handle_timeout(due);
    second.exchange(&mut server, due, &mut application);
    second.answer(&mut server, &mut application, CommandStatus::RX_P_APPN);
    let ended = outcomes(&mut server);
    assert!(ended[0].1.starts_with("sent but not answered"), "{ended:?}");
}

#[test]
fn the_queue_of_an_account_is_bounded() {
    let options =
        DeliveryOptions { capacity: 2, octets: 110, total_octets: 120, ..DeliveryOptions::default() };
    let (mut server, _) = server(options);
    let small = || delivery(&[1]);
    let large = delivery(&[0; 60]);
    assert_eq!(
        server.deliver(NOW, b"shop", delivery(&[0; 80])),
        Err(DeliverError::TooLarge),
        "of 110 octets"
    );
    assert_eq!(server.stats().accounts, 0, "a refused delivery leaves no account");
    server.deliver(NOW, b"shop", small()).unwrap();
    assert_eq!(server.deliver(NOW, b"shop", large), Err(DeliverError::Full), "its octets");
    server.deliver(NOW, b"shop", small()).unwrap();
    assert_eq!(server.deliver(NOW, b"shop", small()), Err(DeliverError::Full), "their number");
    server.deliver(NOW, b"other", small()).unwrap();
    assert_eq!(server.deliver(NOW, b"other", small()), Err(DeliverError::Full), "the octets of all");
    assert_eq!(server.stats().delivery_octets, 3 * 34);
    for options in [
        DeliveryOptions { capacity: 0, ..DeliveryOptions::default() },
        DeliveryOptions { octets: 33, ..DeliveryOptions::default() },
        DeliveryOptions { total_octets: 33, ..DeliveryOptions::default() },
    ] {
        let (mut server, _) = self::server(options);
        assert_eq!(server.deliver(NOW, b"shop", small()), Err(DeliverError::TooLarge), "it never fits");
    }
}

#[test]
fn no_more_than_the_window_is_in_flight_on_a_bind() {
    let (mut server, mut application) = server(DeliveryOptions::default());
    let config = Config { window: 2, ..Config::default() };
    let mut peer = Peer::connect_with(&mut server, NOW, (ADDRESS, 1).into(), config);
    peer.bind(&mut server, &mut application, "shop", TRX);
    for text in 1..=5 {
        deliver(&mut server, &[text]);
    }
    peer.exchange(&mut server, NOW, &mut application);
    assert_eq!(peer.texts(), [[1], [2]]);
    peer.answer(&mut server, &mut application, CommandStatus::ROK);
    assert_eq!(peer.texts(), [[2], [3]]);
}

#[test]
fn full_output_delays_deliveries_without_deliver_sm() {
    let (mut server, mut application) = server(DeliveryOptions::default());
    let operations = Operations::all().difference(Operations::DELIVER_SM);
    let config = Config { operations, max_output: 1, ..Config::default() };
    let mut peer = Peer::connect_with(&mut server, NOW, (ADDRESS, 1).into(), config);
    peer.bind(&mut server, &mut application, "shop", TRX);
    for _ in 0..3 {
        server.deliver(NOW, b"shop", Delivery::data_sm(&DataSm::default())).unwrap();
    }
    assert_eq!(server.registry().deliveries(b"shop"), 3);
    peer.exchange(&mut server, NOW, &mut application);
    assert_eq!(server.session_stats(peer.connection).unwrap().sent.total().requests, 3);
}

#[test]
fn the_rate_limit_of_a_bind_delays_deliveries() {
    let (mut server, mut application) = server(DeliveryOptions::default());
    let config = Config { rate: Some(crate::session::Rate::per_second(10)), ..Config::default() };
    let mut peer = Peer::connect_with(&mut server, NOW, (ADDRESS, 1).into(), config);
    peer.bind(&mut server, &mut application, "shop", TRX);
    for text in 1..=3 {
        deliver(&mut server, &[text]);
    }
    peer.exchange(&mut server, NOW, &mut application);
    assert_eq!(peer.texts(), [[1]]);
    let due = server.poll_timeout().unwrap();
    assert!(due > NOW && due <= at(100), "{due:?}");
    server.handle_timeout(due);
    assert_eq!(server.poll_action(), Some(Action::Wake { connection: peer.connection }));
    peer.exchange(&mut server, due, &mut application);
    assert_eq!(peer.texts(), [[1], [2]]);
}

/// Returns a registry with two binds, and the first delivery of an account, which is in flight on the first.
fn assigned(delivery: Delivery) -> (Registry, DeliveryId) {
    let mut registry = Registry::new(Options::default());
    for _ in 0..2 {
        let connection = registry.accept(address("192.0.2.1")).unwrap();
        registry.decide(connection, (b"shop", TRX), 16, Ok(&Admission::default())).unwrap();
        registry.ready(connection);
    }
    let id = registry.deliver(NOW, b"shop", delivery).unwrap();
    assert!(assignment(&mut registry, NOW).is_some());
    (registry, id)
}

fn outcome(registry: &mut Registry) -> Option<DeliveryOutcome> {
    core::iter::from_fn(|| registry.poll_event()).find_map(|event| match event {
        Event::Delivery { outcome, .. } => Some(outcome),
        _ => None,
    })
}

#[test]
fn a_delivery_that_expires_in_flight_does_not_return_to_the_queue() {
    let (mut registry, id) = assigned(delivery(&[1]).max_age(Duration::from_secs(1)));
    registry.handle_timeout(at(1000));
    assert_eq!((outcome(&mut registry), registry.poll_timeout()), (None, None), "it waits for its outcome");
    registry.handle_refused(at(1000), id, session::Refusal::WindowFull);
    assert_eq!(outcome(&mut registry), Some(DeliveryOutcome::NeverSent(DeliveryNotSentReason::Expired)));
    assert_eq!(registry.stats().deliveries, 0);
}

#[test]
fn an_attempt_that_never_left_does_not_count() {
    let closed = session::NotSentReason::Closed(session::CloseReason::Disconnected);
    let not_sent: [fn(&mut Registry, DeliveryId, session::NotSentReason); 2] = [
        |registry, id, reason| {
            registry.handle_result(NOW, id, Err(session::RequestError::NeverSent(reason)));
        },
        |registry, id, _| registry.handle_refused(NOW, id, session::Refusal::WindowFull),
    ];
    for not_sent in not_sent {
        let (mut registry, id) = assigned(delivery(&[1]).max_attempts(2));
        not_sent(&mut registry, id, closed);
        assert!(assignment(&mut registry, NOW).is_some(), "on the other bind");
        let refused = session::RequestError::Refused {
            status: CommandStatus::RX_T_APPN,
            response: session::RefusedResponse::default(),
        };
        registry.handle_result(NOW, id, Err(refused));
        assert_eq!(outcome(&mut registry), None, "the second attempt is left");
    }
}

/// Returns how a temporary refusal by the ESME ends an attempt.
fn refused() -> Result<session::Response, session::RequestError> {
    let response = session::RefusedResponse::default();
    Err(session::RequestError::Refused { status: CommandStatus::RX_T_APPN, response })
}

#[test]
fn a_refused_delivery_goes_to_a_busy_bind_rather_than_wait() {
    let (mut registry, first) = assigned(delivery(&[1]));
    registry.deliver(NOW, b"shop", delivery(&[2])).unwrap();
    let (busy, _) = assignment(&mut registry, NOW).unwrap();
    // The bind that has refused it has nothing in flight, and would be first.
    registry.handle_result(NOW, first, refused());
    assert_eq!(assignment(&mut registry, NOW), Some((busy, first)));
}

#[test]
fn a_refused_delivery_only_for_a_bind_goes_to_the_other_bind() {
    let (mut registry, id) = assigned(delivery(&[1]).only_if_bound());
    registry.handle_result(NOW, id, refused());
    assert_eq!(outcome(&mut registry), None);
    assert_eq!(assignment(&mut registry, NOW).map(|(_, delivery)| delivery), Some(id));
}

#[test]
fn the_rate_limit_of_each_bind_ends_at_its_own_time() {
    let (mut registry, first) = assigned(delivery(&[1]));
    let second = registry.deliver(NOW, b"shop", delivery(&[2])).unwrap();
    let (later, _) = assignment(&mut registry, NOW).unwrap();
    registry.handle_refused(NOW, second, session::Refusal::RateLimited(at(90)));
    registry.handle_refused(NOW, first, session::Refusal::RateLimited(at(30)));
    assert_eq!(assignment(&mut registry, NOW), None);
    registry.handle_timeout(at(30));
    let sooner = assignment(&mut registry, at(30)).map(|(bind, _)| bind);
    assert!(sooner.is_some_and(|bind| bind != later), "{sooner:?}");
    // A bind that is ready before its time has no timer any more.
    assert_eq!(registry.poll_timeout(), Some(at(90)));
    registry.ready(later);
    assert!(registry.poll_timeout().unwrap() > at(90), "only the deadlines of the deliveries are left");
}

#[test]
fn a_delivery_has_the_key_0_by_default() {
    let mut registry = Registry::new(Options::default());
    let message = Delivery::deliver_sm(&DeliverSm::default()).max_age(Duration::ZERO);
    registry.deliver(NOW, b"shop", message).unwrap();
    registry.handle_timeout(NOW);
    assert!(matches!(registry.poll_event(), Some(Event::Delivery { key: 0, .. })));
}
