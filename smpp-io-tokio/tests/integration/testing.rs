//! The SMSC of the module `testing`: its log, its scripted answers, its messages of phones and its faults, in memory and mostly
//! on paused time.

use std::io::ErrorKind;
use std::time::Duration;

use smpp_proto::account::{Credentials, Message, Options};
use smpp_proto::provider::Provider;
use smpp_proto::session::Esme;
use smpp_proto::session::{CloseReason, Config, RequestError, UnansweredReason};
use smpp_proto::simulator::{OriginateError, ReceiptTiming, Rules};
use smpp_proto::{
    Address, Bind, BindMode, CommandStatus, DataCoding, Frame, MessageState, Pdu, RegisteredDelivery,
    SequenceNumber, ShortMessage, SubmitSm,
};
use smpp_tokio::testing::{
    ACCOUNT, Answer, DeliverError, DeliveryFailure, Faults, LogEntry, MoMessage, MoSegmentation,
    ResponseFault, StreamEnd, TestSmsc, When,
};
use smpp_tokio::{Client, Inbound, Inbox};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

fn message(text: &[u8]) -> SubmitSm<'_> {
    SubmitSm {
        source: Address::alphanumeric("8x8").unwrap(),
        destination: Address::international("6591234567").unwrap(),
        registered_delivery: RegisteredDelivery::RECEIPT,
        short_message: ShortMessage::new(text).unwrap(),
        ..SubmitSm::default()
    }
}

async fn bound(smsc: &TestSmsc, config: Config) -> (Client, Inbox<Esme>) {
    let (client, inbox) = smsc.connector().config(config).connect(&smsc.endpoint()).await.unwrap();
    client.bind(&smsc.bind()).await.unwrap();
    (client, inbox)
}

/// An SMSC in memory and a client that is bound.
async fn in_memory() -> (TestSmsc, Client, Inbox<Esme>) {
    let smsc = TestSmsc::in_memory().await.unwrap();
    let config = Config::default().response_timeout(Duration::from_secs(5));
    let (client, inbox) = bound(&smsc, config).await;
    (smsc, client, inbox)
}

#[tokio::test(start_paused = true)]
async fn an_account_sends_and_receives_in_memory_on_paused_time() {
    let smsc = TestSmsc::in_memory().await.unwrap();
    let options = Options::new(Credentials::default(), &Provider::EIGHT_BY_EIGHT);
    let (account, _arrivals) = smsc.account_connector(options).connect().await.unwrap();
    let template = SubmitSm { short_message: ShortMessage::EMPTY, ..message(b"") };
    let text = "A text that is too long for one segment: 你好. ".repeat(10);
    let mut sent = account.send(&Message::text(&template, &text)).await.unwrap();
    assert_eq!(sent.receipt().await.unwrap(), MessageState::DELIVERED);
    let logged = smsc.next_message().await.unwrap();
    assert_eq!((logged.text.as_deref(), &*logged.destination), (Some(&*text), "6591234567"));
    assert!(logged.message_ids.len() > 1);
    assert_eq!((&*logged.bind.system_id, logged.bind.mode), ("demo_shop", BindMode::Transceiver));
    let receipt = smsc.next_delivery().await.unwrap();
    assert_eq!((receipt.state, receipt.outcome), (Some(MessageState::DELIVERED), Ok(())));
    assert!(logged.message_ids.contains(&receipt.message_id.unwrap()));
    account.shutdown(Duration::from_secs(1)).await;
    let ended =
        smsc.wait_until(|log| log.entries().any(|it| matches!(it, LogEntry::Ended(..))).then_some(()));
    ended.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_does_not_happen_is_reported_with_the_log() {
    let smsc = TestSmsc::builder().in_memory().wait_limit(Duration::from_secs(3600)).start().await.unwrap();
    let error = smsc.next_message().await.unwrap_err();
    assert_eq!(error.to_string(), "no message within 3600s; the log of the SMSC is empty");
    let (_client, _inbox) = bound(&smsc, Config::default()).await;
    let (bind, outcome) = smsc.next_bind().await.unwrap();
    assert_eq!((outcome, bind.mode), (Ok(()), BindMode::Transceiver));
    let error = smsc.next_refusal().await.unwrap_err();
    let peer = bind.peer.unwrap();
    let expected = format!(
        "no refused message within 3600s; the log of the SMSC:\n  bound: demo_shop (Transceiver) from {peer}"
    );
    assert_eq!((error.to_string(), error.entries().len()), (expected, 1));
}

#[tokio::test(start_paused = true)]
async fn scripted_answers_reach_the_client() {
    let (smsc, client, _inbox) = in_memory().await;
    smsc.script(When::next(), Answer::refuse(CommandStatus::RMSGQFUL));
    let refused = client.submit(&message(b"refused")).await.unwrap_err();
    assert_eq!(refused.status(), Some(CommandStatus::RMSGQFUL));
    let (logged, status) = smsc.next_refusal().await.unwrap();
    assert_eq!((logged.text.as_deref(), status), (Some("refused"), CommandStatus::RMSGQFUL));

    smsc.script(When::next(), Answer::accept().message_id("other"));
    assert_eq!(client.submit(&message(b"id")).await.unwrap().message_id(), b"other");

    let before = tokio::time::Instant::now();
    smsc.script(When::next(), Answer::accept().after(Duration::from_secs(3)));
    client.submit(&message(b"late")).await.unwrap();
    assert!(before.elapsed() >= Duration::from_secs(3));

    smsc.script(When::next(), Answer::never());
    let timeout = RequestError::Unanswered(UnansweredReason::Timeout);
    assert_eq!(client.submit(&message(b"never")).await.unwrap_err(), timeout);
    smsc.script(When::next(), Answer::accept().fault(ResponseFault::WrongSequence));
    assert_eq!(client.submit(&message(b"wrong")).await.unwrap_err(), timeout);
    smsc.script(When::next(), Answer::accept().fault(ResponseFault::AfterNext));
    let (first, second) = (message(b"first"), message(b"second"));
    let order = std::sync::Mutex::new(Vec::new());
    let submit = async |message: &SubmitSm<'_>, name| {
        client.submit(message).await.unwrap();
        order.lock().unwrap().push(name);
    };
    tokio::join!(submit(&first, "first"), submit(&second, "second"));
    assert_eq!(client.stats().late_responses, 0);
    assert_eq!(*order.lock().unwrap(), ["second", "first"]);
    smsc.script(When::always(), Answer::refuse(CommandStatus::RSYSERR));
    smsc.clear_script();
    client.submit(&message(b"accepted")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn faults_end_connections_as_the_script_says() {
    use ResponseFault::{CorruptBody, CorruptLength, Cut, HalfClose, Reset};
    for (fault, is_answered) in
        [(Cut, false), (Reset, false), (CorruptLength, false), (HalfClose, true), (CorruptBody, true)]
    {
        let (smsc, client, _inbox) = in_memory().await;
        smsc.script(When::next(), Answer::accept().fault(fault));
        let answered = client.submit(&message(b"Hello")).await;
        assert_eq!(answered.is_ok(), is_answered, "{fault:?}: {answered:?}");
        if fault == CorruptBody {
            let id = answered.unwrap().message_id().to_vec();
            assert!(
                id.iter().all(|octet| !octet.is_ascii()),
                "the id is wrong, and the stream intact: {id:?}"
            );
            client.submit(&message(b"again")).await.unwrap();
            continue;
        }
        let end = client.closed().await;
        let expected = if fault == CorruptLength { "command_length" } else { "" };
        assert!(end.to_string().contains(expected), "{fault:?}: {end}");
        assert_eq!(smsc.messages().len(), 1, "{fault:?}");
        // The SMSC goes on.
        let (client, _inbox) = bound(&smsc, Config::default()).await;
        client.submit(&message(b"again")).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_smsc_answers_nothing_and_then_again() {
    let (smsc, client, _inbox) = in_memory().await;
    smsc.set_faults(Faults::default().silent(true)).unwrap();
    let timeout = RequestError::Unanswered(UnansweredReason::Timeout);
    assert_eq!(client.submit(&message(b"Hello")).await.unwrap_err(), timeout);
    assert_eq!(client.closed().await.reason, CloseReason::LinkDead);
    smsc.set_faults(Faults::default().max_write(1)).unwrap();
    let (client, _inbox) = bound(&smsc, Config::default()).await;
    client.submit(&message(b"octet by octet")).await.unwrap();
    let texts: Vec<_> = smsc.messages().into_iter().filter_map(|it| it.text).collect();
    assert_eq!(texts, ["Hello", "octet by octet"]);
}

#[tokio::test(start_paused = true)]
async fn binds_are_refused_with_the_status_of_the_test() {
    let smsc = TestSmsc::in_memory().await.unwrap();
    smsc.set_faults(Faults::default().refuse_binds(CommandStatus::RSYSERR)).unwrap();
    let (client, _inbox) = smsc.connector().connect(&smsc.endpoint()).await.unwrap();
    let refused = client.bind(&smsc.bind()).await.unwrap_err();
    assert_eq!(refused.status(), Some(CommandStatus::RSYSERR));
    let (bind, outcome) = smsc.next_bind().await.unwrap();
    assert_eq!((&*bind.system_id, outcome), ("demo_shop", Err(CommandStatus::RSYSERR)));
}

#[tokio::test]
async fn connections_end_when_the_test_says_so() {
    for tls in [false, true] {
        let builder = TestSmsc::builder().rules(Rules::default().max_binds(10));
        let smsc = if tls { builder.tls() } else { builder }.start().await.unwrap();
        let (client, _inbox) = bound(&smsc, Config::default()).await;
        smsc.end_connections(StreamEnd::Reset);
        let end = client.closed().await;
        assert_eq!(end.reason, CloseReason::Disconnected);
        assert_eq!(end.error.map(|error| error.kind()), Some(ErrorKind::ConnectionReset));
        for end in [StreamEnd::Close, StreamEnd::HalfClose] {
            let (client, _inbox) = bound(&smsc, Config::default()).await;
            smsc.end_connections(end);
            client.closed().await;
        }
        bound(&smsc, Config::default()).await;
    }
}

/// A client that goes on after the end of what the SMSC sends.
#[tokio::test]
async fn a_half_closed_connection_can_be_closed_and_reset_afterwards() {
    for end in [StreamEnd::Close, StreamEnd::Reset] {
        let smsc = TestSmsc::start().await.unwrap();
        let mut peer = TcpStream::connect(smsc.local_addr()).await.unwrap();
        let encode = |pdu| Frame::encode(&pdu, CommandStatus::ROK, SequenceNumber(1)).into_inner();
        peer.write_all(&encode(Pdu::Bind(smsc.bind()))).await.unwrap();
        assert!(peer.read(&mut [0; 256]).await.unwrap() > 16, "the bind response");
        smsc.end_connections(StreamEnd::HalfClose);
        assert_eq!(peer.read(&mut [0; 256]).await.unwrap(), 0, "the end of the stream");
        smsc.end_connections(end);
        let request = encode(Pdu::EnquireLink);
        let ended = async { while peer.write_all(&request).await.is_ok() {} };
        timeout(Duration::from_secs(30), ended).await.expect("the connection stays open");
    }
}

/// Several threads run the tasks of the SMSC.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn segments_of_a_phone_arrive_in_their_order() {
    let (smsc, _client, mut inbox) = in_memory().await;
    let (_, outcome) = smsc.next_bind().await.unwrap();
    outcome.unwrap();
    let (phone, program) = (Address::international("6591234567").unwrap(), Address::sender("8888").unwrap());
    for message in 0..50 {
        let count = smsc.originate(ACCOUNT.0, phone, program, &"a long text ".repeat(60)).unwrap();
        let mut numbers = Vec::new();
        while numbers.len() < count {
            let Some(Inbound::DeliverSm(message)) = inbox.recv().await else {
                panic!("the session has ended")
            };
            numbers.push(message.get().user_data().unwrap().segment.unwrap().number);
            message.accept().unwrap();
        }
        assert_eq!(numbers, (1..=5).collect::<Vec<_>>(), "message {message}");
    }
}

#[tokio::test(start_paused = true)]
async fn messages_of_phones_have_any_length_and_alphabet() {
    let (smsc, _client, mut inbox) = in_memory().await;
    let texts = ["Hello", "Grüße", "你好 🙂", &"a long text ".repeat(30)];
    let program = async {
        let mut count = 0;
        while let Some(Inbound::DeliverSm(message)) = inbox.recv().await {
            count += 1;
            if message.get().text() == b"refuse" {
                message.refuse(CommandStatus::RX_P_APPN).unwrap();
            } else {
                message.accept().unwrap();
            }
        }
        count
    };
    let test = async move {
        for text in texts {
            smsc.deliver("+6591234567", "8888", text).await.unwrap();
        }
        let sar = MoMessage::new("8x8", "8888", texts[3]).segmentation(MoSegmentation::Sar);
        smsc.deliver_message(&sar).await.unwrap();
        let ucs2 = MoMessage::new("8x8", "8888", "Hi").data_coding(DataCoding::UCS2);
        smsc.deliver_message(&ucs2).await.unwrap();
        let logged: Vec<_> = smsc.log();
        let delivered = logged.iter().filter_map(|entry| match entry {
            LogEntry::Delivered(delivery) => delivery.text.as_deref(),
            _ => None,
        });
        let texts: Vec<_> = delivered.collect();
        assert_eq!(texts[..3], ["Hello", "Grüße", "你好 🙂"]);
        let refused = smsc.deliver("+6591234567", "8888", "refuse").await.unwrap_err();
        let status = CommandStatus::RX_P_APPN;
        assert!(matches!(refused, DeliverError::Failed(DeliveryFailure::Refused(it)) if it == status));
        let unknown = MoMessage::new("8x8", "8888", "Hi").account("who");
        let error = smsc.deliver_message(&unknown).await.unwrap_err();
        assert!(matches!(error, DeliverError::NotSent(OriginateError::NoAccount)));
        // The end of the program.
        drop(smsc);
    };
    let ((), count) = tokio::join!(test, program);
    assert_eq!(count, 3 + 3 + 3 + 1 + 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_of_a_phone_waits_for_a_receiver_and_then_times_out() {
    let smsc = TestSmsc::in_memory().await.unwrap();
    let error = smsc.deliver("+6591234567", "8888", "Hello").await.unwrap_err();
    assert!(matches!(error, DeliverError::NoBind { .. }), "{error}");
    // It waits until somebody receives.
    let (_client, mut inbox) = bound(&smsc, Config::default()).await;
    let Some(Inbound::DeliverSm(message)) = inbox.recv().await else { panic!("no message") };
    assert_eq!(message.get().text(), b"Hello");
}

#[tokio::test(start_paused = true)]
async fn receipts_before_the_response_go_to_a_receiver_of_their_account() {
    let rules = Rules::default().receipt_timing(ReceiptTiming::BeforeResponse);
    let builder = TestSmsc::builder().account("first", "pw").account("second", "pw").rules(rules);
    let smsc = builder.in_memory().start().await.unwrap();
    let client = async |system_id: &'static str, mode| {
        let connected = smsc.connector().connect(&smsc.endpoint()).await;
        let (client, inbox) = connected.unwrap();
        let system_id = system_id.try_into().unwrap();
        client.bind(&Bind { mode, system_id, ..smsc.bind() }).await.unwrap();
        (client, inbox)
    };
    let (first, _inbox) = client("first", BindMode::Transmitter).await;
    let (second, _inbox) = client("second", BindMode::Transmitter).await;
    let mut receivers =
        [client("first", BindMode::Receiver).await, client("second", BindMode::Receiver).await];
    let phones = ["6590000001", "6590000002"];
    let message_to = |phone: &'static str| SubmitSm {
        destination: Address::international(phone).unwrap(),
        ..message(b"text")
    };
    for _ in 0..10 {
        let [to_first, to_second] = phones.map(message_to);
        let (one, other) = tokio::join!(first.submit(&to_first), second.submit(&to_second));
        drop((one.unwrap(), other.unwrap()));
        for (phone, (_, inbox)) in phones.iter().zip(&mut receivers) {
            let Some(Inbound::DeliverSm(receipt)) = inbox.recv().await else { panic!("no receipt") };
            assert_eq!(receipt.get().source.digits.as_bytes(), phone.as_bytes());
            receipt.accept().unwrap();
        }
    }
    for _ in 0..20 {
        assert_eq!(smsc.next_delivery().await.unwrap().outcome, Ok(()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_run_side_by_side_and_do_not_mix() {
    let tasks: Vec<_> = (0..100)
        .map(|number| {
            crate::spawn(async move {
                let builder = TestSmsc::builder().account("shop", &number.to_string());
                let builder = if number % 2 == 0 { builder.in_memory() } else { builder };
                let smsc = builder.start().await.unwrap();
                let (client, _inbox) = bound(&smsc, Config::default()).await;
                for text in [format!("{number} one"), format!("{number} two")] {
                    client.submit(&message(text.as_bytes())).await.unwrap();
                    assert_eq!(smsc.next_message().await.unwrap().text, Some(text));
                }
                // Every other one is dropped with a client that is bound and a receipt that is due.
                if number % 4 < 2 {
                    drop(smsc);
                    client.closed().await;
                } else {
                    smsc.shutdown(Duration::from_secs(10)).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_smsc_that_is_dropped_ends_its_sessions_and_lets_no_more_in() {
    let (smsc, client, _inbox) = in_memory().await;
    smsc.script(When::next(), Answer::accept().after(Duration::from_secs(1000)));
    let hello = message(b"Hello");
    let submitted = client.submit(&hello);
    let (connector, endpoint) = (smsc.connector(), smsc.endpoint());
    let test = async move {
        smsc.next_message().await.unwrap();
        drop(smsc);
    };
    let ((), answered) = tokio::join!(test, submitted);
    assert!(matches!(answered, Err(RequestError::Unanswered(UnansweredReason::Closed(_)))), "{answered:?}");
    client.closed().await;
    if let Ok((late, _inbox)) = connector.connect(&endpoint).await {
        late.closed().await;
    }
}
