//! Deliveries to the binds of an account.

use std::collections::HashMap;
use std::net::SocketAddr;

use smpp_proto::session::{CloseReason, Config, NotSentReason, RequestError, UnansweredReason};
use smpp_proto::{BindMode, CommandStatus};
use smpp_tokio::{Inbound, ServerLimits};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::server::support::{TIMEOUT, TRX, begin, deliver, delivered, esme, serve};

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
    let config = Config::default().window(1);
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
