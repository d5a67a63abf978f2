//! A server over real sockets: here binds, limits, requests and panics of the service.

mod certificates;
mod deliveries;
mod flood;
mod observed_connections;
mod observers;
mod order;
mod proxy_protocol;
mod queue;
mod shutdown;
mod stalled;
mod support;
#[cfg(unix)]
mod transports;

use std::collections::VecDeque;
use std::time::Duration;

use smpp_proto::session::{CloseReason, Config, Rate};
use smpp_proto::{
    Address, Bind, BindMode, COctets, CommandStatus, Destination, Endpoint, List, Password, SubmitMulti,
};
use smpp_tokio::testing::Certificate;
use smpp_tokio::{BoundSession, Client, Connector, Listener, Server, ServerLimits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use support::{
    TIMEOUT, TRX, begin, bind, closed, connect, deliver, delivered, esme, event, serve, submit, test_service,
};

/// A short time in which a session waits for an application that does not respond.
fn impatient() -> Config {
    let soon = Duration::from_millis(50);
    Config::default().backpressure_timeout(soon).drain_timeout(soon)
}

#[tokio::test]
async fn the_fifth_bind_is_refused_until_one_ends() {
    let limits = ServerLimits::default().binds_per_account(4);
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
async fn the_limits_have_statuses_of_their_own() {
    let limits = ServerLimits::default()
        .binds_per_account(1)
        .binds_status(CommandStatus::RBINDFAIL)
        .rate(Rate::per_second(1))
        .rate_status(CommandStatus::RMSGQFUL);
    let (_server, address, test) = serve(limits, Config::default()).await;
    let _events = test.echo();
    let (client, _inbox) = esme(address, "shop", TRX).await;
    let (second, _inbox) = connect(address).await;
    let error = bind(&second, "shop", "secret", TRX).await.unwrap_err();
    assert_eq!(error.status(), Some(CommandStatus::RBINDFAIL));
    let messages = [submit(b"1"), submit(b"2"), submit(b"3")];
    let [first, second, third] = messages.each_ref().map(|message| client.submit(message));
    let outcomes = tokio::join!(first, second, third);
    let statuses = [outcomes.0, outcomes.1, outcomes.2].map(|it| it.err().and_then(|error| error.status()));
    assert_eq!(statuses[2], Some(CommandStatus::RMSGQFUL), "{statuses:?}");
}

#[tokio::test]
async fn binds_are_listed() {
    let (service, test) = test_service();
    let certificate = Certificate::for_localhost().unwrap();
    let config = Config::default();
    let secure = Listener::bind("127.0.0.1:0", config).await.unwrap();
    let secure = secure.tls(certificate.server_tls());
    let plain = Listener::bind("127.0.0.1:0", config).await.unwrap();
    let name = COctets::new(b"our_smsc").unwrap();
    let server = Server::builder(service).system_id(name).listen(plain).listen(secure).start().unwrap();
    let [plain, secure] = *server.local_addrs() else { panic!() };
    let mut events = test.echo();

    let (client, _inbox) = esme(plain, "shop", BindMode::Transmitter).await;
    client.submit(&submit(b"1")).await.unwrap();
    let endpoint = Endpoint::tls("localhost", secure.port());
    let connector = Connector::new().tls(certificate.client_tls());
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
    let limits = ServerLimits::default().connections_per_address(2);
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
    use smpp_proto::session::Esme;
    use smpp_tokio::start;
    use tokio::net::TcpSocket;

    let limits = ServerLimits::default().connections_per_address(1).connections(2);
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
async fn thousands_of_connections_without_a_bind_do_not_block_binds() {
    let limits = ServerLimits::default().connections(100).connections_per_address(100);
    let (server, address, test) = serve(limits, Config::default()).await;
    let _events = test.echo();
    let (early, _inbox) = esme(address, "shop", TRX).await;
    let mut idle = VecDeque::new();
    for number in 0..3_000 {
        let stream = TcpStream::connect(address).await.unwrap();
        // A reset frees the port at once.
        stream.set_zero_linger().unwrap();
        idle.push_back(stream);
        if idle.len() > 500 {
            idle.pop_front();
        }
        if number % 500 == 499 {
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
    let config = Config::default().session_init_timeout(Duration::from_millis(300));
    let secure = Listener::bind("127.0.0.1:0", config).await.unwrap();
    let secure = secure.tls(certificate.server_tls());
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
async fn a_bind_above_its_rate_limit_is_throttled() {
    let limits = ServerLimits::default().rate(Rate::per_second(5));
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

    // A submit_multi counts its destinations: two with three each exceed the limit.
    let (many, _inbox) = esme(address, "many", TRX).await;
    let destination = Destination::Sme(Address::international("6591234567").unwrap());
    let destinations = [destination; 3];
    let message = SubmitMulti { destinations: List::new(&destinations).unwrap(), ..SubmitMulti::default() };
    let (first, second) = tokio::join!(many.request(&message), many.request(&message));
    assert_ne!(first.unwrap_err().status(), Some(CommandStatus::RTHROTTLED), "the service drops it");
    assert_eq!(second.unwrap_err().status(), Some(CommandStatus::RTHROTTLED));
}

#[tokio::test]
async fn requests_can_be_answered_later_or_dropped() {
    let config = impatient().max_unanswered(2);
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
async fn requests_run_concurrently_and_outlive_their_session() {
    let (server, address, mut test) = serve(ServerLimits::default(), impatient()).await;
    let (client, _inbox) = esme(address, "shop", TRX).await;
    let work = submit(b"work");
    let mut waits = [(); 3].map(|()| Box::pin(client.submit(&work)));
    for waits in &mut waits {
        begin(waits).await;
    }
    // Each request was passed before this one.
    let last = submit(b"2");
    let mut last = Box::pin(client.submit(&last));
    begin(&mut last).await;
    let _held = test.message().await;
    client.abort().await;
    test.event("ended shop: the connection ended without unbind").await;
    assert!(server.binds().list().is_empty());
    test.work.notify_waiters();
    for _ in 0..3 {
        test.event("work done").await;
    }
}

#[tokio::test]
async fn too_many_requests_are_cancelled_with_their_session() {
    let limits = ServerLimits::default().detached_requests(0);
    let (_server, address, test) = serve(limits, impatient()).await;
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
    let config = impatient().max_unanswered(1);
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
