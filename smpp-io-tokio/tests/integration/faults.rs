//! The injected faults of the test SMSC, from the view of a client.

use std::collections::HashSet;
use std::future::{Future, poll_fn};
use std::sync::mpsc;
use std::task::Poll;
use std::time::Duration;

use smpp_proto::session::{
    CloseReason, Config, Direction, Esme, Instant, ObservedPdu, Observer, RequestError, UnansweredReason,
};
use smpp_proto::simulator::{ReceiptTiming, Rules};
use smpp_proto::{
    Address, Bind, COctets, CommandId, CommandStatus, Password, RegisteredDelivery, ShortMessage, SubmitSm,
};
use smpp_tokio::testing::{Faults, TestSmsc};
use smpp_tokio::{Client, Inbound, Inbox, start};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The test fails if something takes longer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Sends the command and the sequence number of each PDU that is read.
struct InputObserver(mpsc::Sender<(CommandId, u32)>);

impl Observer for InputObserver {
    fn observe(&mut self, _: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        if direction == Direction::In {
            let header = pdu.header();
            let _ = self.0.send((header.command, header.sequence.0));
        }
    }
}

/// Binds a client to an SMSC with these rules and faults. Returns the client and the PDUs that it reads.
async fn bound(
    rules: Rules,
    faults: Faults,
    config: Config,
) -> (TestSmsc, Client, Inbox<Esme>, mpsc::Receiver<(CommandId, u32)>) {
    let smsc =
        TestSmsc::builder().rules(rules).account("shop", "secret").faults(faults).start().await.unwrap();
    let (client, inbox) = start(TcpStream::connect(smsc.local_addr()).await.unwrap(), config);
    let (sender, seen) = mpsc::channel();
    client.observe(InputObserver(sender));
    let bind = Bind {
        system_id: COctets::new(b"shop").unwrap(),
        password: Password::new(b"secret").unwrap(),
        ..Bind::default()
    };
    client.bind(&bind).await.unwrap();
    (smsc, client, inbox, seen)
}

fn message() -> SubmitSm<'static> {
    SubmitSm {
        destination: Address::international("6591234567").unwrap(),
        registered_delivery: RegisteredDelivery::RECEIPT,
        short_message: ShortMessage::new(b"Hello").unwrap(),
        ..SubmitSm::default()
    }
}

/// Receives and accepts a receipt.
async fn receipt(inbox: &mut Inbox<Esme>) {
    let inbound = timeout(TIMEOUT, inbox.recv()).await.expect("no receipt");
    let Some(Inbound::DeliverSm(receipt)) = inbound else { panic!("no receipt") };
    assert!(receipt.get().esm_class.is_receipt());
    receipt.accept().unwrap();
}

fn short_response_timeout() -> Config {
    Config::default().response_timeout(Duration::from_millis(500))
}

#[tokio::test]
async fn a_message_without_a_response_was_accepted() {
    let faults = Faults::default().drop_percent(100);
    let (_smsc, client, mut inbox, _) = bound(Rules::default(), faults, short_response_timeout()).await;
    let error = client.submit(&message()).await.unwrap_err();
    assert_eq!(error, RequestError::Unanswered(UnansweredReason::Timeout));
    receipt(&mut inbox).await;
    assert_eq!(client.unbind().await.reason, CloseReason::Unbound);
}

#[tokio::test]
async fn a_reset_leaves_the_message_unanswered() {
    let faults = Faults::default().reset_percent(100);
    let (_smsc, client, _inbox, _) = bound(Rules::default(), faults, Config::default()).await;
    let error = client.submit(&message()).await.unwrap_err();
    assert_eq!(error, RequestError::Unanswered(UnansweredReason::Closed(CloseReason::Disconnected)));
    let error = client.closed().await.error.expect("no error");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn an_unbind_without_a_response_times_out() {
    let faults = Faults::default().no_unbind_resp(true);
    let (_smsc, client, _inbox, _) = bound(Rules::default(), faults, short_response_timeout()).await;
    assert_eq!(client.unbind().await.reason, CloseReason::UnbindTimeout);
}

#[tokio::test]
async fn throttled_messages_are_refused() {
    let rules = Rules::default().throttled_percent(100);
    let (_smsc, client, _inbox, _) = bound(rules, Faults::default(), Config::default()).await;
    let error = client.submit(&message()).await.unwrap_err();
    assert_eq!(error.status(), Some(CommandStatus::RTHROTTLED));
}

#[tokio::test]
async fn responses_arrive_in_another_order() {
    let faults = Faults::default().reorder(true);
    let rules = Rules::default().receipt_timing(ReceiptTiming::Never);
    let (_smsc, client, _inbox, seen) = bound(rules, faults, Config::default()).await;
    let messages = [message(); 16];
    let mut submits: Vec<_> = messages.iter().map(|message| Box::pin(client.submit(message))).collect();
    // They are sent in the order of their first poll.
    for submit in &mut submits {
        assert!(poll_fn(|cx| Poll::Ready(submit.as_mut().poll(cx).is_pending())).await);
    }
    let mut ids = HashSet::new();
    for submit in submits {
        ids.insert(submit.await.unwrap().message_id().to_vec());
    }
    assert_eq!(ids.len(), 16, "each message has an id of its own");
    let responses: Vec<_> = seen.try_iter().map(|(_, sequence)| sequence).collect();
    assert!(responses.len() == 17 && !responses.is_sorted(), "{responses:?}");
}

#[tokio::test]
async fn a_receipt_arrives_before_the_response() {
    let rules = Rules::default().receipt_timing(ReceiptTiming::BeforeResponse);
    for faults in [Faults::default(), Faults::default().coalesce(true)] {
        let (_smsc, client, mut inbox, seen) = bound(rules.clone(), faults, Config::default()).await;
        client.submit(&message()).await.unwrap();
        receipt(&mut inbox).await;
        let seen: Vec<_> = seen.try_iter().map(|(command, _)| command).take(3).collect();
        let expected = [CommandId::BIND_TRANSCEIVER_RESP, CommandId::DELIVER_SM, CommandId::SUBMIT_SM_RESP];
        assert_eq!(seen, expected);
    }
}
