//! Observers of sessions that hold a handle, or that panic.

use smpp_proto::CommandStatus;
use smpp_proto::server::Delivery;
use smpp_proto::session::{
    CloseReason, Config, Direction, Instant, ObservedPdu, Observer, Rate, RequestError, UnansweredReason,
};
use smpp_tokio::{Client, ServerLimits};
use tokio::time::timeout;

use crate::server::support::{TIMEOUT, TRX, bind, connect, deliver, delivered, esme, event, serve, submit};

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
    let limits = ServerLimits::default().rate(Rate::per_second(1));
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

#[tokio::test]
async fn an_observer_that_panics_on_a_delivery_leaves_nothing() {
    struct Panics;
    impl Observer for Panics {
        fn observe(&mut self, _: Instant, _: Direction, _: ObservedPdu<'_>) {
            panic!("expected panic");
        }
    }
    let (server, address, _test) = serve(ServerLimits::default(), Config::default()).await;
    let (_shop, mut inbox) = esme(address, "shop", TRX).await;
    let peer = server.binds().of(b"shop")[0].peer().clone();
    peer.observe(Panics);
    let queued = server.queue(b"shop", Delivery::from(&deliver(b"1")).max_attempts(1)).unwrap();
    let outcome = timeout(TIMEOUT, queued).await.expect("it has an outcome");
    assert!(outcome.to_string().starts_with("sent but not answered"), "{outcome}");
    assert_eq!(server.binds().stats().deliveries, 0);
    peer.observe(());
    let second = server.queue(b"shop", &deliver(b"2")).unwrap();
    while delivered(&mut inbox).await.get().text() != b"2" {}
    drop(second);
}
