//! A server over real sockets: limits, binds, deliveries, panics and shutdown.

mod flood;
mod observers;
mod stalled;
mod support;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use smpp_core::session::{
    CloseReason, Config, Direction, Esme, Instant, NotSentReason, ObservedPdu, Observer, Rate, RequestError,
    UnansweredReason,
};
use smpp_core::{Bind, BindMode, COctets, CommandStatus, Endpoint, Password};
use smpp_io_tokio::testing::Certificate;
use smpp_io_tokio::{BoundSession, Client, Connector, Inbound, Listener, Server, ServerLimits, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use support::{
    TIMEOUT, TRX, begin, bind, closed, connect, deliver, delivered, esme, event, serve, submit, test_service,
};

#[tokio::test]
async fn the_fifth_bind_is_refused_until_one_ends() {
    let limits = ServerLimits { binds_per_account: 4, ..ServerLimits::default() };
    let (server, address, mut test) = serve(limits, Config::default()).await;
    let mut held = Vec::new();
    for mode in [TRX, BindMode::Receiver, BindMode::Transmitter, TRX] {
        // A bind with a wrong password does not count.
        let (guesser, inbox) = connect(address).await;
        let error = bind(&guesser, "shop", "guessed", mode).await.unwrap_err();
        assert_eq!(error.status(), Some(CommandStatus::RINVPASWD));
        held.push((guesser, inbox));
        held.push(esme(address, "shop", mode).await);
    }
    let (fifth, _inbox) = connect(address).await;
    let error = bind(&fifth, "shop", "secret", TRX).await.unwrap_err();
    assert_eq!(error.status(), Some(CommandStatus::RALYBND));
    test.event("refused shop: ESME_RALYBND").await;
    // The limit is for each account. The service sets that of `vip`.
    let _vip = esme(address, "vip", TRX).await;
    let (second, _inbox) = connect(address).await;
    let error = bind(&second, "vip", "secret", TRX).await.unwrap_err();
    assert_eq!(error.status(), Some(CommandStatus::RALYBND));

    let modes: Vec<_> = server.binds().of(b"shop").iter().map(BoundSession::mode).collect();
    assert_eq!(modes, [TRX, BindMode::Receiver, BindMode::Transmitter, TRX]);
    assert_eq!(held[1].0.unbind().await.reason, CloseReason::Unbound);
    let (fifth, _inbox) = esme(address, "shop", TRX).await;
    // A bind that is aborted does not count either.
    fifth.abort().await;
    test.event("ended shop: the connection ended without unbind").await;
    esme(address, "shop", TRX).await;
}

#[tokio::test]
async fn binds_are_listed() {
    let (service, test) = test_service();
    let certificate = Certificate::for_localhost().unwrap();
    let config = Config::default();
    let secure = Listener::bind("127.0.0.1:0", config).await.unwrap();
    let secure = secure.tls(certificate.server_config());
    let plain = Listener::bind("127.0.0.1:0", config).await.unwrap();
    let name = COctets::new(b"our_smsc").unwrap();
    let server = Server::builder(service).system_id(name).listen(plain).listen(secure).start().unwrap();
    let [plain, secure] = *server.local_addrs() else { panic!() };
    let mut events = test.echo();

    let (client, _inbox) = esme(plain, "shop", BindMode::Transmitter).await;
    client.submit(&submit(b"1")).await.unwrap();
    let endpoint = Endpoint {
        tls: true,
        host: "localhost".into(),
        port: secure.port(),
        system_id: None,
        password: None,
    };
    let connector = Connector::new().tls(certificate.client_config());
    let (client, _inbox) = connector.connect(&endpoint).await.unwrap();
    let answer =
        client.bind(&Bind { password: Password::new(b"secret").unwrap(), ..Bind::default() }).await.unwrap();
    assert_eq!(answer.bind_resp().system_id.as_bytes(), b"our_smsc");

    let list = server.binds().list();
    let seen: Vec<_> = list.iter().map(|it| (it.system_id(), it.mode(), it.is_tls())).collect();
    assert_eq!(seen, [(&b"shop"[..], BindMode::Transmitter, false), (b"", TRX, true)]);
    assert_eq!(list[0].stats().received.total().pdus(), 2, "the bind and one message");
    assert!(list[0].peer_addr().ip().is_loopback() && list[0].id() < list[1].id());
    assert_eq!(server.binds().connections(), 2);
    event(&mut events, "bound shop").await;
    event(&mut events, "bound ").await;
}

#[tokio::test]
async fn bound_connections_are_not_closed_for_new_ones() {
    let limits = ServerLimits { connections_per_address: 2, ..ServerLimits::default() };
    let (server, address, mut test) = serve(limits, Config::default()).await;
    let first = esme(address, "shop", TRX).await;
    let second = esme(address, "shop", TRX).await;
    let mut third = TcpStream::connect(address).await.unwrap();
    closed(&mut third).await;
    test.event("rejected: the limit of connections per address is reached").await;
    assert_eq!(server.binds().list().len(), 2);
    second.0.unbind().await;
    // Waits until its socket is closed.
    while server.binds().connections() > 1 {
        tokio::task::yield_now().await;
    }
    let (_third, _inbox) = esme(address, "shop", TRX).await;
    drop(first);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn connections_are_limited_per_address_and_in_total() {
    let limits = ServerLimits { connections_per_address: 1, connections: 2, ..ServerLimits::default() };
    let (server, address, mut test) = serve(limits, Config::default()).await;
    let from = async |host: [u8; 4]| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((host, 0).into()).unwrap();
        socket.connect(address).await.unwrap()
    };
    let bound = async |host| {
        let (client, inbox) = start::<Esme, _>(from(host).await, Config::default());
        bind(&client, "shop", "secret", TRX).await.unwrap();
        (client, inbox)
    };
    let _first = bound([127, 0, 0, 1]).await;
    let _second = bound([127, 0, 0, 2]).await;
    closed(&mut from([127, 0, 0, 2]).await).await;
    test.event("rejected: the limit of connections per address is reached").await;
    closed(&mut from([127, 0, 0, 3]).await).await;
    test.event("rejected: the limit of connections is reached").await;
    assert_eq!(server.binds().connections(), 2);
}

#[tokio::test]
async fn ten_thousand_connections_without_a_bind_do_not_block_binds() {
    let limits = ServerLimits { connections: 100, connections_per_address: 100, ..ServerLimits::default() };
    let (server, address, test) = serve(limits, Config::default()).await;
    let _events = test.echo();
    let (early, _inbox) = esme(address, "shop", TRX).await;
    let mut idle = VecDeque::new();
    for number in 0..10_000 {
        let stream = TcpStream::connect(address).await.unwrap();
        // A reset frees the port at once.
        stream.set_zero_linger().unwrap();
        idle.push_back(stream);
        if idle.len() > 500 {
            idle.pop_front();
        }
        if number % 1000 == 999 {
            let (client, _inbox) = esme(address, "shop", TRX).await;
            let answer = client.submit(&submit(b"accepted")).await.unwrap();
            assert_eq!(answer.message_id(), b"accepted");
            client.unbind().await;
            assert!(server.binds().connections() <= 200, "twice the limit");
        }
    }
    let answer = early.submit(&submit(b"still bound")).await.unwrap();
    assert_eq!(answer.message_id(), b"still bound");
}

#[tokio::test]
async fn a_client_that_does_not_bind_in_time_is_closed() {
    let (service, mut test) = test_service();
    let certificate = Certificate::for_localhost().unwrap();
    let config = Config { session_init_timeout: Duration::from_millis(300), ..Config::default() };
    let secure = Listener::bind("127.0.0.1:0", config).await.unwrap();
    let secure = secure.tls(certificate.server_config());
    let plain = Listener::bind("127.0.0.1:0", config).await.unwrap();
    let server = Server::builder(service).listen(plain).listen(secure).start().unwrap();
    let [plain, secure] = *server.local_addrs() else { panic!() };

    // A client that sends nothing, then clients that send an incomplete PDU, octet by octet.
    closed(&mut TcpStream::connect(secure).await.unwrap()).await;
    test.event("not bound: the client did not complete the TLS handshake within session_init_timeout").await;
    let hello = [0x16, 0x03, 0x01, 0x40, 0x00];
    let bind = [0, 0, 0, 100, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1];
    for (address, octets, expected) in [
        (
            secure,
            &hello[..],
            "not bound: the client did not complete the TLS handshake within session_init_timeout",
        ),
        (plain, &bind[..], "not bound: the session ended before a bind: no bind within session_init_timeout"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut octets = octets.iter().copied().chain(std::iter::repeat(b'x')).take(80);
        let mut answer = [0; 64];
        let slowly = async {
            loop {
                // Fails after the server has closed the connection.
                if let Some(octet) = octets.next()
                    && stream.write_all(&[octet]).await.is_err()
                {
                    return;
                }
                let read = timeout(Duration::from_millis(20), stream.read(&mut answer)).await;
                if let Ok(Ok(0) | Err(_)) = read {
                    return;
                }
            }
        };
        timeout(TIMEOUT, slowly).await.expect("the connection is not closed");
        test.event(expected).await;
    }
    while server.binds().connections() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn deliveries_are_spread_over_the_receiving_binds() {
    let (server, address, _test) = serve(ServerLimits::default(), Config::default()).await;
    let (_transmitter, mut nothing) = esme(address, "shop", BindMode::Transmitter).await;
    let error = server.deliver(b"shop", &deliver(b"?")).await.unwrap_err();
    assert_eq!(error, RequestError::NeverSent(NotSentReason::NoBind), "a transmitter receives nothing");
    assert!(error.is_safe_to_resend());

    let (_receiver, mut first) = esme(address, "shop", BindMode::Receiver).await;
    let (_transceiver, mut second) = esme(address, "shop", TRX).await;
    let (_other, mut other) = esme(address, "other", TRX).await;
    let mut sent = Vec::new();
    for number in 0..4 {
        let binds = server.binds().clone();
        let mut sending = Box::pin(async move { binds.deliver(b"shop", &deliver(&[number])).await });
        begin(&mut sending).await;
        sent.push(sending);
    }
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(delivered(&mut first).await);
        held.push(delivered(&mut second).await);
    }
    // The status of the ESME is returned.
    held.pop().unwrap().refuse(CommandStatus::RX_P_APPN).unwrap();
    for message in held {
        message.accept().unwrap();
    }
    let mut outcomes = Vec::new();
    for sending in sent {
        outcomes.push(sending.await.map_err(|error| error.status()).map(drop));
    }
    let refused = Err(Some(CommandStatus::RX_P_APPN));
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 3);
    assert_eq!(outcomes[3], refused, "the last delivery on the second bind");
    drop(server);
    assert!(
        other.recv().await.is_none() && nothing.recv().await.is_none(),
        "no other bind received anything"
    );
}

#[tokio::test]
async fn a_delivery_moves_to_another_bind_only_if_it_never_left() {
    let config = Config { window: 1, ..Config::default() };
    let (server, address, _test) = serve(ServerLimits::default(), config).await;
    let (leaving, mut first) = esme(address, "shop", TRX).await;
    let (sent, waits) = (deliver(b"sent"), deliver(b"waits"));
    let mut sent = Box::pin(server.deliver(b"shop", &sent));
    begin(&mut sent).await;
    let held = delivered(&mut first).await;
    // The window is full.
    let mut waits = Box::pin(server.deliver(b"shop", &waits));
    begin(&mut waits).await;
    let (_staying, mut second) = esme(address, "shop", TRX).await;
    leaving.abort().await;
    drop(held);
    let closed = UnansweredReason::Closed(CloseReason::Disconnected);
    assert_eq!(sent.await.unwrap_err(), RequestError::Unanswered(closed), "the ESME may have it");
    let (outcome, ()) = tokio::join!(waits, async {
        let message = delivered(&mut second).await;
        assert_eq!(message.get().text(), b"waits");
        message.accept().unwrap();
    });
    outcome.unwrap();
}

/// Binds, accepts 20 messages, aborts the connection, and starts again.
async fn unstable_receiver(address: SocketAddr, seen: mpsc::UnboundedSender<Vec<u8>>) {
    loop {
        let (client, mut inbox) = esme(address, "shop", BindMode::Receiver).await;
        for _ in 0..20 {
            let Some(Inbound::DeliverSm(message)) = inbox.recv().await else { break };
            let _ = seen.send(message.get().text().to_vec());
            let _ = message.accept();
        }
        client.abort().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unstable_receivers_get_no_message_twice() {
    let (server, address, _test) = serve(ServerLimits::default(), Config::default()).await;
    let (sender, mut seen) = mpsc::unbounded_channel();
    let mut receivers = tokio::task::JoinSet::new();
    for _ in 0..3 {
        receivers.spawn(unstable_receiver(address, sender.clone()));
    }
    let mut deliveries = tokio::task::JoinSet::new();
    for number in 0..1000_u32 {
        let binds = server.binds().clone();
        deliveries.spawn(async move {
            let text = number.to_be_bytes();
            loop {
                match binds.deliver(b"shop", &deliver(&text)).await {
                    // Not sent: safe to deliver again.
                    Err(RequestError::NeverSent(_)) => tokio::task::yield_now().await,
                    outcome => return (text, outcome.map(|_| ())),
                }
            }
        });
    }
    let outcomes = timeout(TIMEOUT, deliveries.join_all()).await.expect("a delivery hangs");
    receivers.shutdown().await;
    drop(sender);
    let mut times = HashMap::new();
    while let Some(text) = seen.recv().await {
        *times.entry(text).or_insert(0) += 1;
    }
    for (text, outcome) in &outcomes {
        let times = times.get(&text[..]).copied().unwrap_or(0);
        match outcome {
            Ok(()) => assert_eq!(times, 1, "{text:?}"),
            Err(RequestError::Unanswered(_)) => assert!(times <= 1, "{text:?} was sent {times} times"),
            Err(error) => panic!("{error}"),
        }
    }
    let unknown = outcomes.iter().filter(|(_, outcome)| outcome.is_err()).count();
    assert!(unknown > 0 && unknown < 1000, "some deliveries are interrupted: {unknown}");
}

#[tokio::test]
async fn a_bind_above_its_rate_limit_is_throttled() {
    let limits = ServerLimits { rate: Some(Rate::per_second(5)), ..ServerLimits::default() };
    let (_server, address, test) = serve(limits, Config::default()).await;
    let mut events = test.echo();
    let (shop, _inbox) = esme(address, "shop", TRX).await;
    let (vip, _inbox) = esme(address, "vip", TRX).await;
    let count = async |client: &Client| {
        let mut submits = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let client = client.clone();
            submits.spawn(async move { client.submit(&submit(b"id")).await.map_err(|error| error.status()) });
        }
        let outcomes = submits.join_all().await;
        let throttled = |outcome: &&Result<_, _>| matches!(outcome, Err(Some(CommandStatus::RTHROTTLED)));
        outcomes.iter().filter(throttled).count()
    };
    assert_eq!(count(&shop).await, 3, "five of eight are within the limit");
    event(&mut events, "throttled shop").await;
    assert_eq!(count(&vip).await, 0, "the service sets a higher limit");
}

#[tokio::test]
async fn requests_can_be_answered_later_or_dropped() {
    let config = Config { max_unanswered: 2, ..Config::default() };
    let (_server, address, mut test) = serve(ServerLimits::default(), config).await;
    let (client, _inbox) = esme(address, "shop", TRX).await;
    let messages = [submit(b"1"), submit(b"2"), submit(b"3")];
    let [mut first, mut second, third] = messages.each_ref().map(|message| Box::pin(client.submit(message)));
    begin(&mut first).await;
    begin(&mut second).await;
    let (bound, held) = test.message().await;
    let (_, dropped) = test.message().await;
    assert_eq!((bound.system_id(), held.get().text()), (&b"shop"[..], &b"1"[..]));
    // The limit of unanswered requests is reached.
    assert_eq!(third.await.unwrap_err().status(), Some(CommandStatus::RTHROTTLED));
    drop(dropped);
    let error = second.await.unwrap_err();
    assert_eq!(error.status(), Some(CommandStatus::RSYSERR), "a temporary error");
    held.accept().unwrap();
    first.await.unwrap();
}

#[tokio::test]
async fn requests_run_concurrently_and_are_cancelled_with_their_session() {
    let (_server, address, test) = serve(ServerLimits::default(), Config::default()).await;
    let mut events = test.echo();
    let (client, _inbox) = esme(address, "shop", TRX).await;
    let forever = submit(b"forever");
    let mut waits = Box::pin(client.submit(&forever));
    begin(&mut waits).await;
    assert_eq!(client.submit(&submit(b"2")).await.unwrap().message_id(), b"2");
    begin(&mut waits).await;
    client.abort().await;
    event(&mut events, "request dropped").await;
}

#[tokio::test]
async fn a_bind_works_while_all_its_requests_wait() {
    let config = Config { max_unanswered: 1, ..Config::default() };
    let (server, address, test) = serve(ServerLimits::default(), config).await;
    let mut events = test.echo();
    let (client, mut inbox) = esme(address, "shop", TRX).await;
    let (forever, receipt) = (submit(b"forever"), deliver(b"3"));
    let mut waits = Box::pin(client.submit(&forever));
    begin(&mut waits).await;
    let error = client.submit(&submit(b"2")).await.unwrap_err();
    assert_eq!(error.status(), Some(CommandStatus::RTHROTTLED));
    let (outcome, ()) = tokio::join!(server.deliver(b"shop", &receipt), async {
        delivered(&mut inbox).await.accept().unwrap();
    });
    outcome.unwrap();
    client.abort().await;
    event(&mut events, "ended shop: the connection ended without unbind").await;
}

#[tokio::test]
async fn a_panic_of_the_service_affects_one_request() {
    let (server, address, test) = serve(ServerLimits::default(), Config::default()).await;
    let mut events = test.echo();
    let (client, _inbox) = esme(address, "shop", TRX).await;
    for text in ["panic", "panic later"] {
        let error = client.submit(&submit(text.as_bytes())).await.unwrap_err();
        assert_eq!(error.status(), Some(CommandStatus::RSYSERR));
    }
    assert_eq!(client.submit(&submit(b"1")).await.unwrap().message_id(), b"1");
    let (panics, _inbox) = connect(address).await;
    let error = bind(&panics, "panic", "secret", TRX).await.unwrap_err();
    assert_eq!(error.status(), Some(CommandStatus::RBINDFAIL));
    panics.closed().await;
    assert_eq!(server.binds().list().len(), 1);
    event(&mut events, "bound shop").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_can_bind_again_at_once_after_its_unbind() {
    let (_server, address, _test) = serve(ServerLimits::default(), Config::default()).await;
    for _ in 0..200 {
        let (client, _inbox) = esme(address, "vip", TRX).await;
        assert_eq!(client.unbind().await.reason, CloseReason::Unbound);
    }
}

#[tokio::test]
async fn a_shutdown_completes_requests_in_flight() {
    let (server, address, mut test) = serve(ServerLimits::default(), Config::default()).await;
    let (client, mut inbox) = esme(address, "shop", TRX).await;
    let idle = connect(address).await.0;
    let (question, receipt) = (submit(b"?"), deliver(b"!"));
    let mut submitted = Box::pin(client.submit(&question));
    begin(&mut submitted).await;
    let (_, held) = test.message().await;
    let binds = server.binds().clone();
    let mut delivering = Box::pin(binds.deliver(b"shop", &receipt));
    begin(&mut delivering).await;
    let arrived = delivered(&mut inbox).await;

    let stopping = tokio::spawn(server.shutdown(TIMEOUT));
    // Connections without a bind are closed.
    idle.closed().await;
    held.accept().unwrap();
    submitted.await.unwrap();
    arrived.accept().unwrap();
    let (shutdown, delivered) = tokio::join!(stopping, delivering);
    delivered.unwrap();
    let shutdown = shutdown.unwrap();
    assert_eq!((shutdown.aborted(), shutdown.not_bound), (0, 1));
    let reasons: Vec<_> = shutdown.ended.iter().map(|(_, end)| end.reason).collect();
    assert_eq!(reasons, [CloseReason::Unbound]);
    assert_eq!(client.closed().await.reason, CloseReason::PeerUnbound);
    assert_eq!(binds.connections(), 0);
    assert!(TcpStream::connect(address).await.is_err(), "the server still listens");
    let error = binds.deliver(b"shop", &receipt).await.unwrap_err();
    assert_eq!(error, RequestError::NeverSent(NotSentReason::NoBind));
}

#[tokio::test]
async fn a_shutdown_aborts_after_its_timeout() {
    let (server, address, mut test) = serve(ServerLimits::default(), Config::default()).await;
    let (client, _inbox) = esme(address, "shop", TRX).await;
    let question = submit(b"?");
    let mut submitted = Box::pin(client.submit(&question));
    begin(&mut submitted).await;
    let (_, _held) = test.message().await;
    let shutdown = server.shutdown(Duration::from_millis(50)).await;
    assert_eq!((shutdown.aborted(), shutdown.ended.len()), (1, 1));
    let error = submitted.await.unwrap_err();
    assert_eq!(error, RequestError::Unanswered(UnansweredReason::Closed(CloseReason::Disconnected)));
    test.event("ended shop: aborted").await;
}

#[tokio::test]
async fn dropping_a_server_aborts_every_session() {
    let (server, address, mut test) = serve(ServerLimits::default(), Config::default()).await;
    let (bound, _inbox) = esme(address, "shop", TRX).await;
    let (idle, _inbox) = connect(address).await;
    let binds = server.binds().clone();
    drop(server);
    assert_eq!(bound.closed().await.reason, CloseReason::Disconnected);
    idle.closed().await;
    test.event("ended shop: aborted").await;
    timeout(TIMEOUT, async {
        while binds.connections() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert!(binds.list().is_empty());
}

#[tokio::test]
async fn a_bind_decision_is_cancelled_by_disconnect_shutdown_and_timeout() {
    let drain_timeout = Duration::from_millis(50);
    let config = Config { drain_timeout, ..Config::default() };
    let (server, address, mut test) = serve(ServerLimits::default(), config).await;
    let (client, _inbox) = connect(address).await;
    let undecided = Bind { system_id: COctets::new(b"undecided").unwrap(), ..Bind::default() };
    let mut binding = Box::pin(client.bind(&undecided));
    begin(&mut binding).await;
    test.event("decision begun").await;
    client.abort().await;
    test.event("decision dropped").await;
    test.event("not bound: the session ended before a bind: the connection ended without unbind").await;

    let (client, _inbox) = connect(address).await;
    let mut binding = Box::pin(client.bind(&undecided));
    begin(&mut binding).await;
    test.event("decision begun").await;
    let (shutdown, answer) = tokio::join!(server.shutdown(TIMEOUT), binding);
    assert_eq!(answer.unwrap_err().status(), Some(CommandStatus::RBINDFAIL));
    assert_eq!((shutdown.not_bound, shutdown.ended.len()), (1, 0));
    test.event("decision dropped").await;

    let limits = ServerLimits { decision_timeout: Duration::from_millis(50), ..ServerLimits::default() };
    let (_server, address, mut test) = serve(limits, Config::default()).await;
    let (client, _inbox) = connect(address).await;
    let answer = client.bind(&undecided).await;
    assert_eq!(answer.unwrap_err().status(), Some(CommandStatus::RBINDFAIL));
    test.event("decision dropped").await;
    test.event("refused undecided: ESME_RBINDFAIL").await;
}

#[tokio::test]
async fn timeouts_may_be_unlimited() {
    let config = Config { session_init_timeout: Duration::MAX, ..Config::default() };
    let limits = ServerLimits { decision_timeout: Duration::MAX, ..ServerLimits::default() };
    let (server, address, _test) = serve(limits, config).await;
    let (client, _inbox) = esme(address, "shop", TRX).await;
    let (shutdown, end) = tokio::join!(server.shutdown(Duration::MAX), client.closed());
    assert_eq!((shutdown.ended.len(), shutdown.aborted()), (1, 0));
    assert_eq!(end.reason, CloseReason::PeerUnbound);
}

#[tokio::test]
async fn an_observer_that_holds_a_handle_can_be_replaced() {
    struct Holds(#[expect(dead_code, reason = "held for its drop")] Client);
    impl Observer for Holds {
        fn observe(&mut self, _: Instant, _: Direction, _: ObservedPdu<'_>) {}
    }
    let (_server, address, _test) = serve(ServerLimits::default(), Config::default()).await;
    let (client, _inbox) = connect(address).await;
    client.observe(Holds(client.clone()));
    client.observe(());
    bind(&client, "shop", "secret", TRX).await.unwrap();
}

#[tokio::test]
async fn an_observer_that_panics_ends_only_its_session() {
    struct Panics;
    impl Observer for Panics {
        fn observe(&mut self, _: Instant, _: Direction, _: ObservedPdu<'_>) {
            panic!("expected panic");
        }
    }
    let (server, address, mut test) = serve(ServerLimits::default(), Config::default()).await;
    let (panics, _inbox) = esme(address, "panics", TRX).await;
    let (shop, _inbox) = esme(address, "shop", TRX).await;
    server.binds().of(b"panics")[0].peer().observe(Panics);
    let error = panics.submit(&submit(b"1")).await.unwrap_err();
    assert_eq!(error, RequestError::Unanswered(UnansweredReason::Closed(CloseReason::Disconnected)));
    test.event("ended panics: aborted").await;
    let _events = test.echo();
    assert_eq!(shop.submit(&submit(b"2")).await.unwrap().message_id(), b"2");
    assert_eq!(server.binds().list().len(), 1);
}

#[tokio::test]
async fn an_observer_that_panics_on_a_response_does_not_end_the_bind() {
    struct Panics;
    impl Observer for Panics {
        fn observe(&mut self, _: Instant, direction: Direction, _: ObservedPdu<'_>) {
            assert_eq!(direction, Direction::In, "expected panic");
        }
    }
    let limits = ServerLimits { rate: Some(Rate::per_second(1)), ..ServerLimits::default() };
    let (server, address, test) = serve(limits, Config::default()).await;
    let mut events = test.echo();
    let (shop, _inbox) = esme(address, "shop", TRX).await;
    shop.submit(&submit(b"1")).await.unwrap();
    server.binds().of(b"shop")[0].peer().observe(Panics);
    let error = shop.submit(&submit(b"2")).await.unwrap_err();
    assert_eq!(error.status(), Some(CommandStatus::RTHROTTLED));
    server.binds().of(b"shop")[0].peer().observe(());
    shop.unbind().await;
    event(&mut events, "ended shop: the peer unbound").await;
}
