//! Decisions on binds, and their limits.

use super::*;

fn server(binds: BindLimits) -> Server {
    Server::new(Options { binds, binds_status: CommandStatus::RBINDFAIL, ..Options::default() })
}

#[test]
fn binds_of_an_account_are_limited_in_all_and_for_each_mode() {
    let mut server = server(BindLimits { receivers: 1, ..BindLimits::total(3) });
    let mut application = Application::default();
    let mut bind = |mode, system_id| {
        let mut peer = Peer::connect(&mut server, Instant::ZERO, ADDRESS);
        peer.bind(&mut server, &mut application, system_id, mode)
    };
    assert_eq!(bind(BindMode::Receiver, "shop"), Some(CommandStatus::ROK));
    assert_eq!(bind(BindMode::Receiver, "shop"), Some(CommandStatus::RBINDFAIL), "a second receiver");
    assert_eq!(bind(BindMode::Transmitter, "shop"), Some(CommandStatus::ROK));
    assert_eq!(bind(TRX, "shop"), Some(CommandStatus::ROK));
    assert_eq!(bind(TRX, "shop"), Some(CommandStatus::RBINDFAIL), "a fourth bind");
    assert_eq!(bind(TRX, "other"), Some(CommandStatus::ROK));
    assert_eq!(server.registry().binds(b"shop"), 3);
    let refused: Vec<_> = lines(&mut server).into_iter().filter(|line| line.contains("bind of")).collect();
    assert!(
        refused[0].contains(" refused, the limit of binds of this mode is reached: ESME_RBINDFAIL"),
        "{refused:?}"
    );
    assert!(refused[1].contains(" refused, the limit of binds is reached: "), "{refused:?}");
}

#[test]
fn the_status_of_a_bind_above_a_limit_is_an_option() {
    for binds_status in [CommandStatus::RALYBND, CommandStatus::RBINDFAIL, CommandStatus::RSYSERR] {
        for binds in [BindLimits::total(1), BindLimits { transceivers: 1, ..BindLimits::total(9) }] {
            let mut server = Server::new(Options { binds, binds_status, ..Options::default() });
            let mut application = Application::default();
            Peer::bound(&mut server, &mut application, "shop", TRX);
            let mut second = Peer::connect(&mut server, Instant::ZERO, ADDRESS);
            let status = second.bind(&mut server, &mut application, "shop", TRX);
            assert_eq!(status, Some(binds_status), "{binds:?}");
        }
    }
}

#[test]
fn spellings_of_one_account_share_its_limit() {
    let mut server = server(BindLimits::total(1));
    let mut application = Application {
        admission: Admission { account: Some(AccountName::new(b"shop")), ..Admission::default() },
        ..Application::default()
    };
    let statuses = ["Shop", "SHOP"].map(|system_id| {
        Peer::connect(&mut server, Instant::ZERO, ADDRESS).bind(&mut server, &mut application, system_id, TRX)
    });
    assert_eq!(statuses, [Some(CommandStatus::ROK), Some(CommandStatus::RBINDFAIL)]);
}

#[test]
fn refused_binds_leave_nothing() {
    let mut server = server(BindLimits::total(0));
    let mut application = Application::default();
    for number in 0..50 {
        let mut peer = Peer::connect(&mut server, Instant::ZERO, ADDRESS);
        let system_id = alloc::format!("shop{number}");
        let status = peer.bind(&mut server, &mut application, &system_id, TRX);
        assert_eq!(status, Some(CommandStatus::RBINDFAIL));
        let mut output = Vec::new();
        server.poll_transmit(peer.connection, &mut output);
        server.handle_transmitted(Instant::ZERO, peer.connection, output.len());
        server.handle_connection_timeout(Instant::ZERO, peer.connection);
        assert_eq!(closes(&mut server), [peer.connection]);
        server.handle_closed(Instant::ZERO, peer.connection);
    }
    let stats = server.stats();
    assert_eq!((stats.accounts, stats.unbound, stats.closing, stats.bound), (0, 0, 0, 0));
    assert_eq!(server.connections.len(), 1, "one slot is enough");
}

#[test]
fn a_bind_counts_until_its_session_unbinds() {
    let mut server = server(BindLimits::total(1));
    let mut application = Application::default();
    let mut first = Peer::bound(&mut server, &mut application, "shop", TRX);
    first.session.unbind(Instant::ZERO);
    let (mut up, mut down) = (Vec::new(), Vec::new());
    first.session.poll_transmit(&mut up);
    application.read(&mut server, Instant::ZERO, first.connection, &up);
    // Before the response leaves, the ESME may bind again.
    assert_eq!(server.registry().binds(b"shop"), 0);
    assert!(server.poll_transmit(first.connection, &mut down));
    let second = Peer::bound(&mut server, &mut application, "shop", TRX);
    assert!(second.is_bound());
    server.handle_closed(Instant::ZERO, first.connection);
    assert_eq!(server.registry().binds(b"shop"), 1);
    let all: Vec<_> = server.registry().connections_of(b"shop").collect();
    assert_eq!(all, [second.connection]);
}

#[test]
fn a_bind_without_a_decision_is_refused_in_time() {
    let mut server = server(BindLimits::total(1));
    let mut application = Application { undecided: true, ..Application::default() };
    let mut peer = Peer::connect(&mut server, Instant::ZERO, ADDRESS);
    assert_eq!(peer.bind(&mut server, &mut application, "shop", TRX), None);
    let due = server.poll_timeout().unwrap();
    assert_eq!(due, Instant::ZERO + server.options().decision_timeout);
    server.handle_timeout(due);
    assert_eq!(server.poll_action(), Some(Action::Wake { connection: peer.connection }));
    peer.exchange(&mut server, due, &mut application);
    assert_eq!(peer.outcomes, [("bind", Some(CommandStatus::RBINDFAIL))]);
    let late = server.decide(due, peer.connection, Ok(Admission::default()));
    assert_eq!(late, Err(BindRefusal::Ended));
    assert_eq!((server.stats().bound, server.poll_timeout()), (0, None));
}

#[test]
fn a_decision_may_come_later() {
    let mut server = server(BindLimits::total(1));
    let mut application = Application { undecided: true, ..Application::default() };
    let mut peer = Peer::connect(&mut server, Instant::ZERO, ADDRESS);
    peer.bind(&mut server, &mut application, "shop", TRX);
    assert_eq!(server.decide(at(100), peer.connection, Ok(Admission::default())), Ok(()));
    assert_eq!(server.poll_action(), Some(Action::Wake { connection: peer.connection }));
    peer.exchange(&mut server, at(100), &mut application);
    assert!(peer.is_bound());
    assert_eq!(server.poll_timeout(), None);
    // Two decisions on one bind.
    assert_eq!(
        server.decide(at(100), peer.connection, Err(CommandStatus::RINVPASWD)),
        Err(BindRefusal::Ended)
    );
    assert_eq!(server.state(peer.connection), Some(State::Bound(TRX)));
}

#[test]
fn the_decision_sets_rates_version_and_tolerance() {
    let mut server = Server::new(Options::default());
    let mut application = Application {
        admission: Admission {
            rate: Some(crate::session::Rate::per_second(1)),
            peer_version: Some(crate::pdu::InterfaceVersion::V3_3),
            ..Admission::default()
        },
        ..Application::default()
    };
    let mut peer = Peer::bound(&mut server, &mut application, "shop", TRX);
    let message = crate::pdu::SubmitSm::default();
    assert_eq!(peer.request(&mut server, &mut application, &message, "first"), None);
    let throttled = peer.request(&mut server, &mut application, &message, "second");
    assert_eq!(throttled, Some(CommandStatus::RTHROTTLED));
    // A request that 3.3 does not have ends the delivery.
    server.deliver(Instant::ZERO, b"shop", Delivery::data_sm(&crate::pdu::DataSm::default()).key(1)).unwrap();
    let ended = outcomes(&mut server);
    assert!(ended[0].1.starts_with("not sent: the peer speaks"), "{ended:?}");
}

#[test]
fn the_tolerance_of_the_decision_replaces_that_of_the_connection() {
    // A submit_sm without any text, and an octet that is no whole TLV.
    let mut quirky = [0; 34];
    quirky[3] = 34;
    quirky[7] = 4;
    quirky[15] = 9;
    for (of_decision, of_connection, accepted) in [
        (None, Tolerance::LENIENT, 1),
        (None, Tolerance::STRICT, 0),
        (Some(Tolerance::STRICT), Tolerance::LENIENT, 0),
        (Some(Tolerance::LENIENT), Tolerance::STRICT, 1),
    ] {
        let mut server = Server::new(Options::default());
        let mut application = Application::default();
        application.admission.tolerance = of_decision;
        let config = Config { tolerance: Some(of_connection), ..Config::default() };
        let from = SocketAddr::from((ADDRESS, 4000));
        let mut peer = Peer::connect_with(&mut server, Instant::ZERO, from, config);
        assert_eq!(peer.bind(&mut server, &mut application, "shop", TRX), Some(CommandStatus::ROK));
        application.read(&mut server, Instant::ZERO, peer.connection, &quirky);
        assert_eq!(application.requests.len(), accepted, "{of_decision:?} over {of_connection:?}");
    }
}

/// An adapter that decides after it has stopped the registry: the server itself has closed the connection by then.
#[test]
fn a_registry_that_has_stopped_accepts_no_bind_and_no_connection() {
    let mut registry = Registry::new(Options::default());
    let connection = registry.accept(address("192.0.2.1")).unwrap();
    registry.stop();
    let decided = registry.decide(connection, (b"shop", TRX), 16, Ok(&Admission::default()));
    assert_eq!(decided, Err(BindRefusal::Stopping));
    assert_eq!(registry.accept(address("192.0.2.1")).err(), Some(RejectReason::Stopping));
}

#[test]
fn a_decision_that_begins_again_has_one_deadline() {
    let mut registry = Registry::new(Options::default());
    let connection = registry.accept(address("192.0.2.1")).unwrap();
    let first = registry.begin_decision(Instant::ZERO, connection);
    let second = registry.begin_decision(at(100), connection);
    assert_eq!(registry.poll_timeout(), Some(second));
    assert_eq!(registry.poll_undecided(first), None);
    assert_eq!(registry.poll_undecided(second), Some(connection));
    assert_eq!(registry.poll_timeout(), None);
}

#[test]
fn a_connection_that_ends_needs_no_decision() {
    let mut registry = Registry::new(Options::default());
    let ended = registry.accept(address("192.0.2.1")).unwrap();
    let deadline = registry.begin_decision(Instant::ZERO, ended);
    assert_eq!(registry.poll_timeout(), Some(deadline));
    registry.closed(ended);
    assert_eq!(registry.poll_undecided(deadline), None);
    // Nor does the next connection in its slot, if a call for the former one comes late.
    let next = registry.accept(address("192.0.2.1")).unwrap();
    assert_eq!(next.index(), ended.index());
    registry.begin_decision(Instant::ZERO, ended);
    assert_eq!((registry.poll_timeout(), registry.poll_undecided(deadline)), (None, None));
}

#[test]
fn the_keep_alive_of_a_bind_counts_from_its_decision() {
    let mut server = Server::new(Options::default());
    let mut application = Application { undecided: true, ..Application::default() };
    let mut peer = Peer::connect_with(&mut server, at(0), address("192.0.2.1"), Config::default());
    assert_eq!(peer.bind(&mut server, &mut application, "shop", TRX), None);
    let connection = peer.connection;
    server.decide(at(3000), connection, Ok(Admission::default())).unwrap();
    let mut response = Vec::new();
    server.poll_transmit(connection, &mut response);
    server.handle_transmitted(at(3000), connection, response.len());
    let (due, timer) = server.poll_connection_timeout(connection).unwrap();
    assert_eq!((due, timer), (at(23_000), session::Timer::EnquireLink));
    server.handle_connection_timeout(due, connection);
    assert!(server.poll_transmit(connection, &mut Vec::new()), "an enquire_link");
}
