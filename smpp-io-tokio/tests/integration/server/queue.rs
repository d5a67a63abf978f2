//! The delivery queue of an account, the events of the server, and limits of accounts.

use std::collections::HashSet;

use smpp_proto::server::{
    AccountName, Admission, BindLimits, DeliverError, Delivery, DeliveryOptions, Event,
};
use smpp_proto::session::{Config, Esme, NotSentReason, Rate, RequestError, Smsc};
use smpp_proto::{BindMode, CommandStatus, QuerySm};
use smpp_tokio::{
    BindRequest, BoundSession, Client, Events, Inbound, Inbox, Listener, Server, ServerLimits, Service,
};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::server::support::{TIMEOUT, TRX, begin, bind, connect, deliver, delivered, esme, serve, submit};

async fn next(events: &mut Events, is_expected: impl Fn(&Event) -> bool) -> Event {
    let wait = async {
        loop {
            let event = events.recv().await.expect("the server runs");
            if is_expected(&event) {
                return event;
            }
        }
    };
    timeout(TIMEOUT, wait).await.expect("no such event")
}

#[tokio::test]
async fn a_queued_delivery_waits_for_a_bind_and_survives_its_end() {
    let (server, address, _test) = serve(ServerLimits::default(), Config::default()).await;
    let queued = server.queue(b"shop", &deliver(b"first")).unwrap();
    assert_eq!(server.binds().stats().deliveries, 1);
    let (client, mut inbox) = esme(address, "shop", BindMode::Receiver).await;
    let message = delivered(&mut inbox).await;
    assert_eq!(message.get().text(), b"first");
    client.abort().await;
    drop(message);
    // A temporary error sends it to the other bind, whichever is first.
    let (_second, mut second) = esme(address, "shop", TRX).await;
    let (_third, mut third) = esme(address, "shop", TRX).await;
    let mut refused = HashSet::new();
    for _ in 0..2 {
        let (number, message) = tokio::select! {
            message = delivered(&mut second) => (2, message),
            message = delivered(&mut third) => (3, message),
        };
        if refused.is_empty() {
            message.refuse(CommandStatus::RX_T_APPN).unwrap();
        } else {
            message.accept().unwrap();
        }
        assert!(refused.insert(number), "the same bind twice");
    }
    assert_eq!(timeout(TIMEOUT, queued).await.unwrap().to_string(), "accepted");
    assert_eq!(server.binds().stats().counters.deliveries_accepted, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_bind_gets_what_waits() {
    let (server, address, _test) = serve(ServerLimits::default(), Config::default()).await;
    for round in 0..100 {
        let account = format!("shop{round}");
        // Each is sent in a task of its own, which another thread may run at once.
        let queued: Vec<_> =
            (0..10).map(|_| server.queue(account.as_bytes(), &deliver(b"first")).unwrap()).collect();
        let (client, mut inbox) = esme(address, &account, TRX).await;
        for _ in 0..queued.len() {
            delivered(&mut inbox).await.accept().unwrap();
        }
        for queued in queued {
            assert_eq!(timeout(TIMEOUT, queued).await.unwrap().to_string(), "accepted");
        }
        client.unbind().await;
    }
}

#[tokio::test]
async fn a_full_queue_refuses_and_makes_deliver_wait() {
    let deliveries = DeliveryOptions::default().capacity(1);
    let limits = ServerLimits::default().deliveries(deliveries);
    let (server, address, _test) = serve(limits, Config::default()).await;
    let (_client, mut inbox) = esme(address, "shop", TRX).await;
    let queued = server.queue(b"shop", &deliver(b"1")).unwrap();
    assert_eq!(server.queue(b"shop", &deliver(b"2")).err(), Some(DeliverError::Full));
    let third = deliver(b"3");
    let (outcome, ()) = tokio::join!(server.deliver(b"shop", &third), async {
        delivered(&mut inbox).await.accept().unwrap();
        assert_eq!(queued.await.to_string(), "accepted");
        let message = delivered(&mut inbox).await;
        assert_eq!(message.get().text(), b"3");
        message.refuse(CommandStatus::RX_T_APPN).unwrap();
    });
    assert_eq!(outcome.unwrap_err().status(), Some(CommandStatus::RX_T_APPN), "`deliver` sends once");
}

#[tokio::test]
async fn deliver_waits_for_no_place_without_a_bind() {
    let deliveries = DeliveryOptions::default().capacity(1).octets(100);
    let limits = ServerLimits::default().deliveries(deliveries);
    let (server, address, _test) = serve(limits, Config::default()).await;
    let (client, mut inbox) = esme(address, "shop", TRX).await;
    // It stays in the queue.
    let _queued = server.queue(b"shop", &deliver(b"1")).unwrap();
    let message = delivered(&mut inbox).await;
    let second = deliver(b"2");
    let mut waiting = std::pin::pin!(server.deliver(b"shop", &second));
    begin(&mut waiting).await;
    let large = deliver(&[b'3'; 100]);
    let error = timeout(TIMEOUT, server.deliver(b"shop", &large)).await.expect("it never fits").unwrap_err();
    assert_eq!(error, RequestError::NeverSent(NotSentReason::TooLong));
    client.abort().await;
    drop(message);
    let error = timeout(TIMEOUT, waiting).await.expect("there is no bind").unwrap_err();
    assert_eq!(error, RequestError::NeverSent(NotSentReason::NoBind));
}

#[tokio::test]
async fn a_request_without_a_message_does_not_end_throttling() {
    let limits = ServerLimits::default().rate(Rate::per_second(1));
    let (server, address, test) = serve(limits, Config::default()).await;
    let _echo = test.echo();
    let (client, _inbox) = esme(address, "shop", TRX).await;
    let (message, query) = (submit(b"1"), QuerySm::default());
    let (first, second, _, third) = tokio::join!(
        client.submit(&message),
        client.submit(&message),
        client.request(&query),
        client.submit(&message)
    );
    assert!(first.is_ok() && second.is_err() && third.is_err());
    assert_eq!(server.binds().stats().counters.throttled, 1);
}

#[tokio::test]
async fn queued_deliveries_end_with_the_server() {
    let (server, _address, _test) = serve(ServerLimits::default(), Config::default()).await;
    let queued = server.queue(b"shop", &deliver(b"1")).unwrap();
    let expiring = Delivery::from(&deliver(b"2")).max_age(std::time::Duration::from_millis(1));
    let expiring = server.queue(b"shop", expiring).unwrap();
    assert_eq!(timeout(TIMEOUT, expiring).await.unwrap().to_string(), "not sent: no bind in time");
    let binds = server.binds().clone();
    server.shutdown(TIMEOUT).await;
    assert_eq!(timeout(TIMEOUT, queued).await.unwrap().to_string(), "not sent: the server shut down");
    assert_eq!(binds.queue(b"shop", &deliver(b"3")).err(), Some(DeliverError::ShutDown));
}

#[tokio::test]
async fn events_are_one_ordered_stream() {
    let (server, address, test) = serve(ServerLimits::default(), Config::default()).await;
    let _echo = test.echo();
    let mut events = server.binds().events();
    let (client, _inbox) = esme(address, "shop", TRX).await;
    let (guesser, _inbox) = connect(address).await;
    bind(&guesser, "shop", "guessed", TRX).await.unwrap_err();
    guesser.closed().await;
    next(&mut events, |event| event.kind() == "not_bound").await;
    client.unbind().await;
    next(&mut events, |event| event.kind() == "ended").await;
    server.shutdown(TIMEOUT).await;
    assert_eq!(next(&mut events, |event| event.kind() == "closed").await, Event::Closed);
    assert_eq!(events.recv().await, None, "it is the last event");
}

/// Ignores the case of a system_id.
struct IgnoresCase;

impl Service for IgnoresCase {
    async fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
        let name = request.bind().system_id.as_bytes().to_ascii_lowercase();
        Ok(Admission::default()
            .account(AccountName::new(&name))
            .binds(BindLimits::total(2).receivers(1))
            .account_rate(Rate::per_second(3)))
    }

    async fn request(&self, _: &BoundSession, request: Inbound<Smsc>) {
        if let Inbound::SubmitSm(message) = request {
            let _ = message.accept();
        }
    }
}

#[tokio::test]
async fn an_account_has_one_limit_however_it_is_spelled() {
    let listener = Listener::bind("127.0.0.1:0", Config::default()).await.unwrap();
    let server = Server::builder(IgnoresCase).listen(listener).start().unwrap();
    let address = server.local_addrs()[0];
    let (first, _first) = esme(address, "Shop", TRX).await;
    let (_, mut receiver) = esme(address, "SHOP", BindMode::Receiver).await;
    for mode in [TRX, BindMode::Receiver] {
        let (third, _inbox) = connect(address).await;
        let error = bind(&third, "shop", "secret", mode).await.unwrap_err();
        assert_eq!(error.status(), Some(CommandStatus::RALYBND));
    }
    let binds = server.binds().of(b"shop");
    assert_eq!(binds.iter().map(BoundSession::system_id).collect::<Vec<_>>(), [&b"Shop"[..], b"SHOP"]);
    assert!(binds.iter().all(|bound| bound.account().as_bytes() == b"shop"));
    // The rate of the account.
    let message = submit(b"1");
    let outcomes = futures_of(&first, 5, &message).await;
    let throttled = |outcome: &&Result<_, RequestError>| {
        outcome.as_ref().is_err_and(|error| error.status() == Some(CommandStatus::RTHROTTLED))
    };
    assert_eq!(outcomes.iter().filter(throttled).count(), 2);
    server.queue(b"shop", &deliver(b"1")).unwrap();
    server.queue(b"shop", &deliver(b"2")).unwrap();
    delivered(&mut receiver).await.accept().unwrap();
}

async fn futures_of(
    client: &Client,
    count: usize,
    message: &smpp_proto::SubmitSm<'_>,
) -> Vec<Result<(), RequestError>> {
    let mut outcomes = Vec::new();
    for _ in 0..count {
        outcomes.push(client.submit(message).await.map(drop));
    }
    outcomes
}

#[tokio::test(flavor = "multi_thread")]
async fn no_race_of_binds_exceeds_the_limit() {
    let limits = ServerLimits::default().binds_per_account(4);
    let (server, address, _test) = serve(limits, Config::default()).await;
    for _ in 0..60 {
        let mut binds = JoinSet::new();
        for _ in 0..24 {
            binds.spawn(async move {
                let (client, inbox): (Client, Inbox<Esme>) = connect(address).await;
                let bound = bind(&client, "shop", "secret", TRX).await.is_ok();
                (bound, client, inbox)
            });
        }
        let all = binds.join_all().await;
        assert_eq!(all.iter().filter(|(bound, ..)| *bound).count(), 4);
        // Some of the round before may still be closing their connections.
        let listed = server.binds().of(b"shop");
        assert_eq!(listed.iter().filter(|bound| bound.peer().state().is_bound()).count(), 4);
        for (bound, client, _) in all {
            if bound {
                client.unbind().await;
            }
        }
    }
    let stats = server.binds().stats();
    assert_eq!((stats.counters.bound, stats.counters.binds_refused), (240, 60 * 20));
}
