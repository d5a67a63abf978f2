//! The feature `stream`: `Arrivals` and `Inbox` as streams.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::Stream;
use smpp_proto::Address;
use smpp_proto::account::{Credentials, Options};
use smpp_proto::provider::Provider;
use smpp_proto::session::Esme;
use smpp_tokio::account::{AccountConnector, Arrival};
use smpp_tokio::testing::{ACCOUNT, TestSmsc};
use smpp_tokio::{Connector, Inbound};
use tokio::sync::mpsc;

async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)).await
}

fn originate(smsc: &TestSmsc, text: &str) {
    let (phone, account) =
        (Address::international("6591234567").unwrap(), Address::international("65800").unwrap());
    smsc.originate(ACCOUNT.0, phone, account, text).unwrap();
}

#[tokio::test]
async fn arrivals_are_a_stream_that_ends_with_the_account() {
    let smsc = TestSmsc::start().await.unwrap();
    let options = Options::new(Credentials::new(ACCOUNT.0, ACCOUNT.1), &Provider::UNSTATED);
    let (account, mut arrivals) = AccountConnector::new(&smsc.endpoint(), options).connect().await.unwrap();
    // A stream that was polled once is woken by the delivery.
    assert!(Pin::new(&mut arrivals).poll_next(&mut Context::from_waker(Waker::noop())).is_pending());
    let receiving = crate::spawn(async move {
        let mut texts = Vec::new();
        while let Some(arrival) = next(&mut arrivals).await {
            let Arrival::Message(message) = arrival else { panic!("{arrival:?}") };
            texts.push(message.get().text().unwrap());
            message.accept().unwrap();
            if texts.len() == 2 {
                account.shutdown(Duration::from_secs(1)).await;
            }
        }
        assert!(next(&mut arrivals).await.is_none(), "it stays at its end");
        texts
    });
    originate(&smsc, "one");
    originate(&smsc, "two");
    assert_eq!(receiving.await.unwrap(), ["one", "two"]);
}

#[tokio::test]
async fn an_inbox_is_a_stream_that_ends_with_the_session() {
    /// Accepts the requests of a stream, reports each, and returns how many there were.
    async fn accept_all(
        requests: impl Stream<Item = Inbound<Esme>>,
        accepted: mpsc::UnboundedSender<()>,
    ) -> usize {
        let mut requests = pin!(requests);
        let mut count = 0;
        while let Some(request) = poll_fn(|cx| requests.as_mut().poll_next(cx)).await {
            let Inbound::DeliverSm(message) = request else { panic!("{request:?}") };
            message.accept().unwrap();
            accepted.send(()).unwrap();
            count += 1;
        }
        count
    }
    let smsc = TestSmsc::start().await.unwrap();
    let (client, inbox) = Connector::new().connect(&smsc.endpoint()).await.unwrap();
    client.bind(&smsc.bind()).await.unwrap();
    let (accepted, mut reports) = mpsc::unbounded_channel();
    let receiving = crate::spawn(accept_all(inbox, accepted));
    for text in ["one", "two", "three"] {
        originate(&smsc, text);
        reports.recv().await.unwrap();
    }
    client.unbind().await;
    assert_eq!(receiving.await.unwrap(), 3);
}

/// A stream can be moved between threads and polled without pinning it.
#[test]
fn streams_are_send_and_unpin() {
    fn check<T: Stream + Send + Unpin>() -> Option<Poll<T::Item>> {
        None
    }
    assert!(check::<smpp_tokio::account::Arrivals>().is_none());
    assert!(check::<smpp_tokio::Inbox<smpp_proto::session::Smsc>>().is_none());
}
