//! The dialects of the test SMSC, and what changes while it runs, from the view of a client.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use smpp_proto::session::{Direction, Esme, Instant, ObservedPdu, Observer, RequestError};
use smpp_proto::simulator::{Dialect, Rules};
use smpp_proto::tlv::Tag;
use smpp_proto::{Address, CommandStatus, InterfaceVersion, RegisteredDelivery, ShortMessage, SubmitSm};
use smpp_tokio::testing::{Faults, TestSmsc};
use smpp_tokio::{Client, Connector, Inbound, Inbox};
use tokio::time::timeout;

/// The test fails if something takes longer.
const TIMEOUT: Duration = Duration::from_secs(30);

async fn smsc(dialect: &str) -> TestSmsc {
    let dialect: Dialect = if dialect.is_empty() { Dialect::default() } else { dialect.parse().unwrap() };
    let rules = Rules::default().dialect(dialect).receipt_delay(Duration::from_millis(10)).max_binds(2);
    TestSmsc::builder().rules(rules).start().await.unwrap()
}

async fn connect(smsc: &TestSmsc) -> (Client, Inbox<Esme>) {
    Connector::new().connect(&smsc.endpoint()).await.unwrap()
}

fn message(text: &[u8]) -> SubmitSm<'_> {
    SubmitSm {
        destination: Address::international("6591234567").unwrap(),
        registered_delivery: RegisteredDelivery::RECEIPT,
        short_message: ShortMessage::new(text).unwrap(),
        ..SubmitSm::default()
    }
}

/// Returns the text of the next delivery, which is accepted.
async fn delivered(inbox: &mut Inbox<Esme>) -> Vec<u8> {
    let Some(Inbound::DeliverSm(message)) = timeout(TIMEOUT, inbox.recv()).await.unwrap() else { panic!() };
    let text = message.get().text().to_vec();
    message.accept().unwrap();
    text
}

#[tokio::test]
async fn responses_and_statuses_are_those_of_the_dialect() {
    let smsc = smsc(
        "version=5.0,ids=hex,text-ids=dec14,response-tlv=0x1400:4142,bind-status=RBINDFAIL,\
                     refuse=6591234568:RMSGQFUL",
    )
    .await;
    let (client, mut inbox) = connect(&smsc).await;
    let bound = client.bind(&smsc.bind()).await.unwrap();
    assert_eq!(bound.bind_resp().tlvs.sc_interface_version(), Some(InterfaceVersion::V5_0));
    let (second, _second) = connect(&smsc).await;
    second.bind(&smsc.bind()).await.unwrap();
    let (third, _third) = connect(&smsc).await;
    let refused = third.bind(&smsc.bind()).await.unwrap_err();
    assert_eq!(refused.status(), Some(CommandStatus::RBINDFAIL));
    let response = client.submit(&message(b"Hello")).await.unwrap();
    assert_eq!(response.tlv(Tag(0x1400)), Some(&b"AB"[..]));
    let id = std::str::from_utf8(response.message_id()).unwrap();
    let number = u64::from_str_radix(id, 16).unwrap();
    drop(second);
    let text = String::from_utf8(delivered(&mut inbox).await).unwrap();
    assert!(text.starts_with(&format!("id:{number:014} ")), "{text}");
    let full = SubmitSm { destination: Address::international("6591234568").unwrap(), ..message(b"Hello") };
    let error = client.submit(&full).await.unwrap_err();
    assert!(matches!(error, RequestError::Refused { status: CommandStatus::RMSGQFUL, .. }), "{error}");
}

#[tokio::test]
async fn deliveries_take_the_bind_of_the_dialect_one_at_a_time() {
    let smsc = smsc("version=none,route=submitting,one-at-a-time=yes").await;
    let (first, mut first_inbox) = connect(&smsc).await;
    let bound = first.bind(&smsc.bind()).await.unwrap();
    assert_eq!(bound.bind_resp().tlvs.sc_interface_version(), None);
    let (second, mut second_inbox) = connect(&smsc).await;
    second.bind(&smsc.bind()).await.unwrap();
    for (client, inbox) in [(&second, &mut second_inbox), (&first, &mut first_inbox)] {
        client.submit(&message(b"one")).await.unwrap();
        client.submit(&message(b"two")).await.unwrap();
        for _ in 0..2 {
            assert!(delivered(inbox).await.starts_with(b"id:"));
        }
    }
}

#[tokio::test]
async fn an_idle_bind_is_ended() {
    let smsc = smsc("idle=20").await;
    let (client, _inbox) = connect(&smsc).await;
    client.bind(&smsc.bind()).await.unwrap();
    timeout(TIMEOUT, client.closed()).await.unwrap();
}

#[tokio::test]
async fn a_window_is_kept_by_the_smsc() {
    let smsc = smsc("window=1,window-status=RSYSERR").await;
    let (client, _inbox) = connect(&smsc).await;
    client.bind(&smsc.bind()).await.unwrap();
    // One after the other never exceeds it.
    for _ in 0..3 {
        client.submit(&message(b"Hello")).await.unwrap();
    }
}

#[tokio::test]
async fn faults_and_rules_change_while_a_client_is_bound() {
    let smsc = smsc("").await;
    let (client, mut inbox) = connect(&smsc).await;
    client.bind(&smsc.bind()).await.unwrap();
    client.submit(&message(b"Hello")).await.unwrap();
    assert!(delivered(&mut inbox).await.starts_with(b"id:"));

    // The session stays in step with and without faults: what was written in between is whole.
    for _ in 0..20 {
        smsc.set_faults(Faults::default().coalesce(true)).unwrap();
        client.submit(&message(b"Hello")).await.unwrap();
        smsc.set_faults(Faults::default()).unwrap();
        client.submit(&message(b"Hello")).await.unwrap();
    }
    smsc.change_rules(|rules| {
        rules.throttled_percent = 100;
        rules.max_binds = 1;
    })
    .unwrap();
    let refused = client.submit(&message(b"Hello")).await.unwrap_err();
    assert_eq!(refused.status(), Some(CommandStatus::RTHROTTLED));
    // The limit of binds does not change.
    let (second, _second) = connect(&smsc).await;
    second.bind(&smsc.bind()).await.unwrap();
    smsc.change_rules(|rules| rules.throttled_percent = 0).unwrap();

    smsc.set_faults(Faults::default().reset_percent(100)).unwrap();
    assert_eq!(smsc.faults().reset_percent, 100);
    client.submit(&message(b"Hello")).await.unwrap_err();
    timeout(TIMEOUT, client.closed()).await.unwrap();
}

struct Recorder(SocketAddr, Arc<Mutex<Vec<(SocketAddr, Direction, String)>>>);

impl Observer for Recorder {
    fn observe(&mut self, _: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        self.1.lock().unwrap().push((self.0, direction, pdu.header().command.to_string()));
    }
}

#[tokio::test]
async fn an_observer_gets_the_pdus_of_each_connection() {
    let observed = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&observed);
    let builder = TestSmsc::builder().observe(move |peer| Recorder(peer, Arc::clone(&list)));
    let smsc = builder.start().await.unwrap();
    let (client, _inbox) = connect(&smsc).await;
    client.bind(&smsc.bind()).await.unwrap();
    let peer = smsc.binds().list()[0].peer_addr();
    let expected = [(Direction::In, "bind_transceiver"), (Direction::Out, "bind_transceiver_resp")];
    let expected = expected.map(|(direction, command)| (peer, direction, command.to_owned()));
    assert_eq!(*observed.lock().unwrap(), expected);
}
