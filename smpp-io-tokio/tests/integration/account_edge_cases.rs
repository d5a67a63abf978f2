//! An account whose SMSC the test controls step by step, and one whose callbacks panic.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use smpp_proto::account::{
    Backoff, Credentials, ExpectError, Expected, Message, MessageKey, Options, ReceiptDestination,
    SegmentOutcome, SubmitError, Unresolved,
};
use smpp_proto::provider::Provider;
use smpp_proto::session::{Config, Direction, Instant, ObservedPdu, Observer, Smsc};
use smpp_proto::{
    Address, COctets, CommandStatus, DeliverSm, Endpoint, EsmClass, MessageState, RegisteredDelivery,
    ShortMessage, SubmitSm, SubmitSmResp,
};
use smpp_tokio::account::{
    Account, AccountConnector, AckError, Arrival, Arrivals, NoMoreReceipts, SendError,
};
use smpp_tokio::testing::{self, ACCOUNT};
use smpp_tokio::{Inbound, InboundRequest, Inbox, Listener, Peer};

fn options() -> Options {
    let (system_id, password) = ACCOUNT;
    let backoff = Backoff::default().initial(Duration::from_millis(2));
    Options::new(Credentials::new(system_id, password), &Provider::UNSTATED).backoff(backoff)
}

fn template() -> SubmitSm<'static> {
    SubmitSm {
        destination: Address::international("6591234567").unwrap(),
        registered_delivery: RegisteredDelivery::RECEIPT,
        ..SubmitSm::default()
    }
}

/// Connects an account to an SMSC that the test controls, with one bind.
async fn connected() -> (Peer, Inbox<Smsc>, Account, Arrivals) {
    let listener = Listener::bind("127.0.0.1:0", Config::default()).await.unwrap();
    let endpoint = format!("smpp://localhost:{}", listener.local_addr().unwrap().port()).parse().unwrap();
    let admit = async {
        let request = listener.accept().await.unwrap().bind_request().await.unwrap();
        request.accept(COctets::default()).unwrap()
    };
    let connecting = AccountConnector::new(&endpoint, options()).connect();
    let ((peer, inbox), connected) = tokio::join!(admit, connecting);
    let (account, arrivals) = connected.unwrap();
    (peer, inbox, account, arrivals)
}

async fn submitted(inbox: &mut Inbox<Smsc>) -> InboundRequest<Smsc, SubmitSm<'static>> {
    match inbox.recv().await {
        Some(Inbound::SubmitSm(message)) => message,
        other => panic!("{other:?}"),
    }
}

fn accept(message: InboundRequest<Smsc, SubmitSm<'static>>, id: &[u8]) {
    let message_id = COctets::new(id).unwrap();
    message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() })).unwrap();
}

fn delivered() -> DeliverSm<'static> {
    DeliverSm {
        esm_class: EsmClass::DELIVERY_RECEIPT,
        short_message: ShortMessage::new(b"id:1 stat:DELIVRD err:000").unwrap(),
        ..DeliverSm::default()
    }
}

#[tokio::test]
async fn a_receipt_before_the_response_is_returned_after_the_outcome() {
    let (peer, mut inbox, account, _arrivals) = connected().await;
    let ticket = account.submit(&Message::text(&template(), "Hello")).await.unwrap();
    let message = submitted(&mut inbox).await;
    let receipt = delivered();
    let mut delivering = pin!(peer.deliver(&receipt));
    // The receipt is sent, and waits for its response.
    assert!(polled_once(delivering.as_mut()).await.is_none());
    accept(message, b"1");
    let mut sent = ticket.outcome().await.unwrap();
    assert_eq!(sent.receipt().await, Ok(MessageState::DELIVERED));
    delivering.await.unwrap();
}

#[tokio::test]
async fn a_state_that_is_known_with_the_outcome_is_returned_once() {
    let (peer, mut inbox, account, mut arrivals) = connected().await;
    let sent = async |inbox: &mut Inbox<Smsc>, id: &[u8]| {
        let ticket = account.submit(&Message::text(&template(), "Hello")).await.unwrap();
        accept(submitted(inbox).await, id);
        let text = [b"id:", id, b" stat:DELIVRD err:000"].concat();
        let short_message = ShortMessage::new(&text).unwrap();
        // The receipt is acknowledged before the outcome is fetched.
        peer.deliver(&DeliverSm { short_message, ..delivered() }).await.unwrap();
        ticket.outcome().await.unwrap()
    };
    let mut by_state = sent(&mut inbox, b"1").await;
    assert_eq!(by_state.receipt().await, Ok(MessageState::DELIVERED));
    assert_eq!(by_state.receipt().await, Err(NoMoreReceipts::AllReceived));
    assert_eq!(by_state.next_receipt().await.unwrap_err(), NoMoreReceipts::AllReceived);
    let mut by_receipt = sent(&mut inbox, b"2").await;
    assert_eq!(by_receipt.next_receipt().await.unwrap().0.state, MessageState::DELIVERED);
    assert_eq!(by_receipt.receipt().await, Err(NoMoreReceipts::AllReceived));
    let mut both = sent(&mut inbox, b"3").await;
    assert_eq!(both.receipt().await, Ok(MessageState::DELIVERED));
    assert_eq!(both.next_receipt().await.unwrap_err(), NoMoreReceipts::AllReceived);
    let mut read = sent(&mut inbox, b"4").await;
    assert_eq!(read.receipt().await, Ok(MessageState::DELIVERED));
    let unread = sent(&mut inbox, b"5").await;
    drop((by_state, by_receipt, both, read, unread));
    let Some(Arrival::Receipt(receipt)) = arrivals.recv().await else { panic!("no receipt") };
    assert_eq!(receipt.get().0.id.as_bytes(), b"5", "only this one was not fetched");
    account.shutdown(Duration::from_secs(1)).await;
    assert!(arrivals.recv().await.is_none());
}

/// Polls a future once.
async fn polled_once<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

#[tokio::test]
async fn a_receipt_that_is_not_fetched_goes_to_the_arrivals() {
    let (peer, mut inbox, account, mut arrivals) = connected().await;
    let ticket = account.submit(&Message::text(&template(), "Hello")).await.unwrap();
    accept(submitted(&mut inbox).await, b"1");
    let sent = ticket.outcome().await.unwrap();
    // The receipt is acknowledged before `Sent` is dropped.
    peer.deliver(&delivered()).await.unwrap();
    drop(sent);
    let Some(Arrival::Receipt(receipt)) = arrivals.recv().await else { panic!("no receipt") };
    assert_eq!(receipt.get().1.as_ref().unwrap().message_state, Some(MessageState::DELIVERED));
    // The SMSC does not deliver it again.
    assert!(receipt.is_acknowledged());
    let error = receipt.refuse(CommandStatus::RX_T_APPN).unwrap_err();
    assert_eq!(error, AckError::AlreadyAcknowledged);
    assert!(error.to_string().starts_with("it has been acknowledged before"), "{error}");
}

#[tokio::test]
async fn receipts_to_arrivals_are_acknowledged_when_the_application_accepts_them() {
    let (peer, mut inbox, account, mut arrivals) = connected().await;
    let key = |key: Option<&MessageKey>| key.map(|key| key.as_bytes().to_vec());
    let message = Message::text(&template(), "Hello").key("row 1").receipts_to(ReceiptDestination::Arrivals);
    let ticket = account.submit(&message).await.unwrap();
    assert_eq!(key(ticket.key()), Some(b"row 1".to_vec()));
    accept(submitted(&mut inbox).await, b"1");
    let mut sent = ticket.outcome().await.unwrap();
    assert_eq!(key(sent.key()), Some(b"row 1".to_vec()));
    assert_eq!(sent.receipt().await, Err(NoMoreReceipts::ToArrivals));
    let receipt = delivered();
    let mut delivering = pin!(peer.deliver(&receipt));
    let arrival = tokio::select! {
        biased;
        acknowledged = delivering.as_mut() => panic!("before it is stored: {acknowledged:?}"),
        arrival = arrivals.recv() => arrival,
    };
    let Some(Arrival::Receipt(receipt)) = arrival else { panic!("{arrival:?}") };
    assert_eq!(key(receipt.get().1.as_ref().unwrap().key.as_ref()), Some(b"row 1".to_vec()));
    assert!(!receipt.is_acknowledged());
    assert!(polled_once(delivering.as_mut()).await.is_none());
    receipt.accept().unwrap();
    delivering.await.unwrap();
}

#[tokio::test]
async fn an_account_is_ready_while_its_binds_have_free_windows() {
    let listener = Listener::bind("127.0.0.1:0", Config::default()).await.unwrap();
    let endpoint = format!("smpp://localhost:{}", listener.local_addr().unwrap().port()).parse().unwrap();
    let session = options().session.window(2);
    let connector = AccountConnector::new(&endpoint, options().session(session));
    let expected = Expected::new(1).id(0, b"1").key("row 0");
    let (account, mut arrivals) = connector.expect([expected]).start().unwrap();
    let mut ready = pin!(account.ready());
    assert!(polled_once(ready.as_mut()).await.is_none(), "there is no bind");
    let request = listener.accept().await.unwrap().bind_request().await.unwrap();
    let (peer, mut inbox) = request.accept(COctets::default()).unwrap();
    assert_eq!(ready.await, Ok(2));
    let tickets = [1, 2].map(|_| account.try_submit(&Message::text(&template(), "Hello")).unwrap());
    let mut ready = pin!(account.ready());
    assert!(polled_once(ready.as_mut()).await.is_none(), "the window is full");
    accept(submitted(&mut inbox).await, b"2");
    assert_eq!(ready.await, Ok(1));

    // The receipt of an earlier process.
    let (receipt, arrival) = (delivered(), async { arrivals.recv().await });
    let acknowledge = async {
        let Some(Arrival::Receipt(receipt)) = arrival.await else { panic!("no receipt") };
        let matched = receipt.get().1.clone().unwrap();
        receipt.accept().unwrap();
        matched
    };
    let (acknowledged, matched) = tokio::join!(peer.deliver(&receipt), acknowledge);
    acknowledged.unwrap();
    assert_eq!(matched.key.unwrap().as_bytes(), b"row 0");
    let twice = Expected::new(1).id(1, b"1");
    assert!(matches!(account.expect(twice), Err(ExpectError::NoSuchSegment { .. })));

    let mut full = pin!(account.ready());
    let waiting = account.try_submit(&Message::text(&template(), "Hello")).unwrap();
    assert!(polled_once(full.as_mut()).await.is_none());
    drop((peer, inbox, listener));
    account.shutdown(Duration::ZERO).await;
    assert_eq!(full.await, Err(SubmitError::ShutDown));
    drop((tickets, waiting));
}

#[tokio::test]
async fn messages_without_an_id_or_a_requested_receipt_get_none() {
    let (_peer, mut inbox, account, _arrivals) = connected().await;
    let acknowledgement = RegisteredDelivery::from_bits_retain(0b0100);
    for (requested, expected) in [
        (RegisteredDelivery::RECEIPT, NoMoreReceipts::NotReceived),
        (acknowledgement, NoMoreReceipts::NotRequested),
    ] {
        let template = SubmitSm { registered_delivery: requested, ..template() };
        let ticket = account.submit(&Message::text(&template, "Hello")).await.unwrap();
        accept(submitted(&mut inbox).await, b"");
        let mut sent = ticket.outcome().await.unwrap();
        assert_eq!(sent.receipt().await, Err(expected));
    }
}

#[test]
fn an_account_without_its_runtime_refuses_messages_and_reports_those_in_flight() {
    let elsewhere = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (account, ticket) = elsewhere.block_on(async {
        let (peer, mut inbox, account, arrivals) = connected().await;
        let ticket = account.submit(&Message::text(&template(), "Hello")).await.unwrap();
        // Received, and never answered.
        std::mem::forget(submitted(&mut inbox).await);
        std::mem::forget((inbox, peer, arrivals));
        (account, ticket)
    });
    drop(elsewhere);
    let here = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    here.block_on(async {
        let refused = account.submit(&Message::text(&template(), "Hello")).await;
        assert!(matches!(refused, Err(SubmitError::ShutDown)), "{refused:?}");
        let Err(SendError::Failed { message, key, outcome, .. }) = ticket.outcome().await else { panic!() };
        assert!(matches!(outcome.segments[..], [SegmentOutcome::Unanswered(_)]), "{outcome:?}");
        let unresolved = account.shutdown(Duration::from_secs(5)).await;
        let [Unresolved::NotAccepted { message: left, outcome: end, .. }] = &unresolved[..] else {
            panic!("{unresolved:?}");
        };
        assert_eq!((*left, key, end), (message, None, &outcome));
    });
}

/// Panics at its first call.
struct PanicsOnce(Arc<AtomicUsize>);

impl Observer for PanicsOnce {
    fn observe(&mut self, _: Instant, _: Direction, _: ObservedPdu<'_>) {
        assert!(self.0.fetch_add(1, Ordering::Relaxed) > 0, "expected panic");
    }
}

#[tokio::test]
async fn callbacks_that_panic_do_not_stop_the_account() {
    let smsc = testing::TestSmsc::builder().tls().start().await.unwrap();
    let endpoint: Endpoint = format!("smpps://localhost:{}", smsc.local_addr().port()).parse().unwrap();
    let (resolved, observed) = <[Arc<AtomicUsize>; 2]>::default().into();
    let address = smsc.local_addr();
    let backoff = Backoff::default().initial(Duration::from_millis(2));
    let connector = AccountConnector::new(&endpoint, options().backoff(backoff))
        .tls(smsc.client_tls())
        .resolver({
            let resolved = Arc::clone(&resolved);
            move |_| {
                let times = resolved.fetch_add(1, Ordering::Relaxed);
                async move {
                    assert!(times > 0, "expected panic");
                    Ok(vec![address])
                }
            }
        })
        .observe({
            let observed = Arc::clone(&observed);
            move |_| PanicsOnce(Arc::clone(&observed))
        });
    let (account, _arrivals) = connector.connect().await.unwrap();
    account.send(&Message::text(&template(), "Hello")).await.unwrap();
    assert_eq!(resolved.load(Ordering::Relaxed), 3, "the resolver panics, then the observer, then none");
}
