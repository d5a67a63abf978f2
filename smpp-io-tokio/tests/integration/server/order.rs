//! The order in which deliveries leave, with several threads.

use std::net::SocketAddr;

use smpp_proto::BindMode;
use smpp_proto::server::DeliveryOptions;
use smpp_proto::session::{Config, Esme};
use smpp_tokio::{Client, Inbox, Server, ServerLimits};

use crate::server::support::{TRX, deliver, delivered, esme, serve};

/// Waits for these messages in their order, and accepts them.
async fn expect(inbox: &mut Inbox<Esme>, texts: std::ops::Range<u8>, round: u32) {
    for expected in texts {
        let message = delivered(inbox).await;
        assert_eq!(message.get().text(), [expected], "round {round}");
        message.accept().unwrap();
    }
}

/// An ESME that has received ten messages and accepts none.
async fn holding(server: &Server, address: SocketAddr, account: &str) -> (Client, impl Sized) {
    let (client, mut inbox) = esme(address, account, TRX).await;
    let mut held = Vec::new();
    for number in 0..10 {
        drop(server.queue(account.as_bytes(), &deliver(&[number])).unwrap());
    }
    for _ in 0..10 {
        held.push(delivered(&mut inbox).await);
    }
    (client, (inbox, held))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queued_deliveries_leave_in_their_order() {
    // Most wait, and leave when the ESME has responded to others.
    let (server, address, _test) = serve(ServerLimits::default(), Config::default().window(8)).await;
    let (_client, mut inbox) = esme(address, "shop", BindMode::Receiver).await;
    for round in 0..20 {
        for number in 0..100 {
            drop(server.queue(b"shop", &deliver(&[number])).unwrap());
        }
        expect(&mut inbox, 0..100, round).await;
    }
}

/// The requests of the application take places in the window of the session, so that the deliveries wait for them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_that_wait_for_other_requests_leave_in_their_order() {
    let (server, address, _test) = serve(ServerLimits::default(), Config::default().window(8)).await;
    let (_client, mut inbox) = esme(address, "shop", TRX).await;
    let bound = server.binds().of(b"shop").remove(0);
    for round in 0..20 {
        let own = deliver(b"own");
        let own = async {
            let peer = bound.peer();
            let requests = [(); 4].map(|()| peer.deliver(&own));
            let [first, second, third, fourth] = requests;
            let _ = tokio::join!(first, second, third, fourth);
        };
        let queued = async {
            for number in 0..50 {
                drop(server.queue(b"shop", &deliver(&[number])).unwrap());
            }
            let (mut expected, mut own) = (0, 0);
            while expected < 50 || own < 4 {
                let message = delivered(&mut inbox).await;
                if message.get().text() == b"own" {
                    own += 1;
                } else {
                    assert_eq!(message.get().text(), [expected], "round {round}");
                    expected += 1;
                }
                message.accept().unwrap();
            }
        };
        tokio::join!(own, queued);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_of_a_bind_that_ends_move_in_their_order() {
    let (server, address, _test) = serve(ServerLimits::default(), Config::default().window(16)).await;
    for round in 0..20 {
        let account = format!("shop{round}");
        let (leaving, _held) = holding(&server, address, &account).await;
        let (_staying, mut second) = esme(address, &account, TRX).await;
        leaving.abort().await;
        expect(&mut second, 0..10, round).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_that_are_sent_again_later_keep_their_order() {
    let retry = DeliveryOptions::default().retry_interval(std::time::Duration::from_millis(1));
    let limits = ServerLimits::default().deliveries(retry);
    let (server, address, _test) = serve(limits, Config::default().window(16)).await;
    for round in 0..20 {
        let account = format!("shop{round}");
        let (leaving, _held) = holding(&server, address, &account).await;
        leaving.abort().await;
        let (_next, mut inbox) = esme(address, &account, TRX).await;
        expect(&mut inbox, 0..10, round).await;
    }
}
