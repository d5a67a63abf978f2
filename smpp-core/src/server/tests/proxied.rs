//! Connections through a proxy: what counts before and after the address of the client is known.

use super::*;

fn registry(options: Options) -> Registry {
    Registry::new(options)
}

fn proxy() -> SocketAddr {
    address("10.0.0.1")
}

fn events(registry: &mut Registry) -> Vec<String> {
    core::iter::from_fn(|| registry.poll_event()).map(|event| event.to_string()).collect()
}

#[test]
fn the_address_that_the_proxy_states_counts() {
    let options = Options { connections_per_address: 2, ..Options::default() };
    let mut registry = registry(options);
    // The proxy itself has no limit.
    let ids: Vec<_> = (0..5).map(|_| registry.accept_proxied(proxy()).unwrap()).collect();
    assert_eq!(events(&mut registry), [""; 0]);
    for id in &ids[..2] {
        registry.identify(*id, address("192.0.2.1")).unwrap();
    }
    registry.identify(ids[2], address("192.0.2.2")).unwrap();
    assert_eq!(registry.poll_close(), None);
    // The third of an address replaces the oldest of this address, also a direct one.
    registry.identify(ids[3], address("192.0.2.1")).unwrap();
    assert_eq!((registry.poll_close(), registry.poll_close()), (Some(ids[0]), None));
    registry.accept(address("192.0.2.1")).unwrap();
    assert_eq!((registry.poll_close(), registry.poll_close()), (Some(ids[1]), None));
    assert_eq!(events(&mut registry).last().unwrap(), "connection 6: from 192.0.2.1:2775");
    assert_eq!((registry.stats().counters.connected, registry.stats().unbound), (5, 4));
    for id in ids {
        registry.closed(id);
    }
    assert_eq!((registry.stats().unbound, registry.stats().closing), (1, 0));
}

#[test]
fn an_address_with_only_binds_is_rejected_by_its_name() {
    let options = Options { connections_per_address: 1, ..Options::default() };
    let mut registry = registry(options);
    let client = address("192.0.2.1");
    let bound = registry.accept(client).unwrap();
    registry.decide(bound, (b"shop", TRX), 1, Ok(&Admission::default())).unwrap();
    let second = registry.accept_proxied(proxy()).unwrap();
    assert_eq!(registry.identify(second, client), Err(RejectReason::PerAddress));
    assert_eq!(
        events(&mut registry).last().unwrap(),
        "connection from 192.0.2.1:2775 rejected: the limit of connections per address is reached"
    );
    registry.closed(second);
    assert_eq!(events(&mut registry), [""; 0]);
    assert_eq!((registry.stats().closing, registry.stats().counters.rejected), (0, 1));
}

#[test]
fn connections_without_a_header_make_room_and_have_one_event() {
    let options = Options { unbound_connections: 2, ..Options::default() };
    let mut registry = registry(options);
    let ids: Vec<_> = (0..3).map(|_| registry.accept_proxied(proxy()).unwrap()).collect();
    assert_eq!(registry.poll_close(), Some(ids[0]));
    let replaced = "connection from 10.0.0.1:2775 rejected: closed for a newer connection before its PROXY protocol \
                    header was complete";
    assert_eq!(events(&mut registry), [replaced]);
    // Its header comes too late.
    assert_eq!(registry.identify(ids[0], address("192.0.2.1")), Err(RejectReason::Replaced));
    registry.reject(ids[1], RejectReason::ProxyHeader(ProxyHeaderError::Malformed));
    registry.reject(ids[1], RejectReason::ProxyHeader(ProxyHeaderError::Timeout));
    assert_eq!(events(&mut registry).len(), 1);
    registry.closed(ids[1]);
    // Closed by the adapter without a reason.
    registry.closed(ids[2]);
    assert_eq!(
        events(&mut registry),
        [
            "connection from 10.0.0.1:2775 rejected: the connection ended before the PROXY protocol header was complete"
        ]
    );
    registry.reject_untrusted(address("192.0.2.9"));
    assert_eq!(
        events(&mut registry),
        ["connection from 192.0.2.9:2775 rejected: the address is not trusted to speak the PROXY protocol"]
    );
    registry.closed(ids[0]);
    let stats = registry.stats();
    assert_eq!(
        (stats.unbound, stats.closing, stats.counters.rejected, stats.counters.connected),
        (0, 0, 4, 0)
    );
}

#[test]
fn a_server_that_stops_rejects_them() {
    let mut registry = registry(Options::default());
    let ids = [(), ()].map(|()| registry.accept_proxied(proxy()).unwrap());
    registry.stop();
    assert_eq!(registry.identify(ids[0], address("192.0.2.1")), Err(RejectReason::Stopping));
    registry.close_all_unbound(9);
    assert_eq!(registry.poll_close(), Some(ids[1]));
    assert_eq!(registry.identify(ids[1], address("192.0.2.1")), Err(RejectReason::Stopping));
    assert_eq!(registry.accept_proxied(proxy()), Err(RejectReason::Stopping));
    let stopping = |from| alloc::format!("connection from {from}:2775 rejected: the server is shutting down");
    assert_eq!(events(&mut registry), [stopping("192.0.2.1"), stopping("10.0.0.1"), stopping("10.0.0.1")]);
}

#[test]
fn a_server_ends_the_session_of_a_proxied_connection_that_it_rejects() {
    let options = Options { connections_per_address: 1, ..Options::default() };
    let mut server = Server::new(options);
    let now = Instant::ZERO;
    let mut application = Application::default();
    let mut bound = Peer::connect(&mut server, now, ADDRESS);
    bound.bind(&mut server, &mut application, "shop", TRX);
    let client = |last| SocketAddr::from(([192, 0, 2, last], 4000));
    let [full, malformed, accepted] =
        [(); 3].map(|()| server.accept_proxied(now, proxy(), Config::default(), ()).unwrap());
    assert!(!server.wants_input(accepted), "the header is not for the session");
    assert_eq!(server.identify(now, full, client(1)), Err(RejectReason::PerAddress));
    assert_eq!(closes(&mut server), [full]);
    server.reject(now, malformed, RejectReason::ProxyHeader(ProxyHeaderError::Malformed));
    assert_eq!(closes(&mut server), [malformed]);
    assert_eq!(server.identify(now, accepted, client(2)), Ok(()));
    assert!(server.wants_input(accepted));
    // A second header changes nothing, nor does a reason to reject that comes too late.
    let _ = server.identify(now, accepted, client(1));
    server.reject(now, accepted, RejectReason::ProxyHeader(ProxyHeaderError::Timeout));
    assert_eq!(closes(&mut server), []);
    assert!(server.wants_input(accepted));
    server.handle_eof(now, accepted);
    assert!(!server.wants_input(accepted), "the session reads no more");
}

/// What a model of the registry knows of a connection that is not closed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Model {
    Waiting,
    Open(SocketAddr),
    Closing,
}

#[test]
fn limits_and_events_hold_whatever_proxies_do() {
    let options =
        Options { connections: 12, connections_per_address: 3, unbound_connections: 8, ..Options::default() };
    for seed in 1..=300_u64 {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % below as u64).unwrap()
        };
        let mut registry = registry(options.clone());
        let mut model: Vec<(ConnectionId, Model)> = Vec::new();
        let (mut connected, mut ended, mut rejected) = (0, 0, 0);
        for step in 0..200 {
            let client = address(["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"][random(4)]);
            let picked = (!model.is_empty()).then(|| random(model.len()));
            match (random(10), picked) {
                (0..=1, _) => {
                    if let Ok(id) = registry.accept(client) {
                        model.push((id, Model::Open(client)));
                    }
                }
                (2..=5, _) => {
                    if let Ok(id) = registry.accept_proxied(proxy()) {
                        model.push((id, Model::Waiting));
                    }
                }
                (6..=7, Some(index)) => {
                    let (id, phase) = model[index];
                    let identified = registry.identify(id, client);
                    assert!(identified.is_err() || phase == Model::Waiting);
                    if phase == Model::Waiting {
                        model[index].1 =
                            if identified.is_ok() { Model::Open(client) } else { Model::Closing };
                    }
                }
                (8, Some(index)) => {
                    let (id, phase) = model[index];
                    registry.reject(id, RejectReason::ProxyHeader(ProxyHeaderError::Malformed));
                    if phase == Model::Waiting {
                        model[index].1 = Model::Closing;
                    }
                }
                (9, Some(index)) => registry.closed(model.swap_remove(index).0),
                _ if step > 190 => registry.stop(),
                _ => {}
            }
            while let Some(id) = registry.poll_close() {
                let closed = model.iter_mut().find(|(other, _)| *other == id).unwrap();
                assert!(closed.1 != Model::Closing);
                closed.1 = Model::Closing;
            }
            while let Some(event) = registry.poll_event() {
                match event.kind() {
                    "connected" => connected += 1,
                    "not_bound" => ended += 1,
                    "rejected" => rejected += 1,
                    other => panic!("{other}"),
                }
            }
            let count = |is_such: &dyn Fn(Model) -> bool| model.iter().filter(|(_, it)| is_such(*it)).count();
            let (closing, figures) = (count(&|it| it == Model::Closing), registry.stats());
            assert_eq!((figures.unbound, figures.closing), (model.len() - closing, closing));
            assert!(figures.unbound <= 8);
            let identified = count(&|it| matches!(it, Model::Open(_)));
            assert_eq!(identified, connected - ended, "each has one last event");
            assert!(count(&|it| it == Model::Open(client)) <= 3);
        }
        for (id, _) in model {
            registry.closed(id);
        }
        while let Some(event) = registry.poll_event() {
            match event.kind() {
                "not_bound" => ended += 1,
                _ => rejected += 1,
            }
        }
        let figures = registry.stats();
        assert_eq!((figures.unbound, figures.closing, connected - ended), (0, 0, 0));
        assert_eq!(figures.counters.rejected, rejected);
    }
}
