//! The SMSC of the module `testing`: its log, its scripted answers, its messages of phones and its faults, in memory and on
//! ports.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use smpp_proto::account::{Credentials, Message, Options};
use smpp_proto::provider::Provider;
use smpp_proto::session::{
    CloseReason, Config, Direction, Esme, Instant, ObservedPdu, Observer, RequestError, UnansweredReason,
};
use smpp_proto::simulator::{OriginateError, ReceiptTiming, Rules};
use smpp_proto::{
    Address, BindMode, CommandStatus, DataCoding, Endpoint, Frame, MessageState, Pdu, RegisteredDelivery,
    SequenceNumber, ShortMessage, SubmitSm,
};
use smpp_std::testing::{
    Answer, DeliverError, DeliveryFailure, Faults, LogEntry, MoMessage, MoSegmentation, ResponseFault,
    StreamEnd, TestSmsc, When,
};
use smpp_std::{Client, Inbound, Inbox, Listener};

fn message(text: &[u8]) -> SubmitSm<'_> {
    SubmitSm {
        source: Address::alphanumeric("8x8").unwrap(),
        destination: Address::international("6591234567").unwrap(),
        registered_delivery: RegisteredDelivery::RECEIPT,
        short_message: ShortMessage::new(text).unwrap(),
        ..SubmitSm::default()
    }
}

fn bound(smsc: &TestSmsc, config: Config) -> (Client, Inbox<Esme>) {
    let (client, inbox) = smsc.connector().config(config).start(&smsc.endpoint()).unwrap();
    client.bind(&smsc.bind()).unwrap();
    (client, inbox)
}

/// A client that waits for a short time for what does not come. On a busy machine, its bind takes less.
fn impatient() -> Config {
    Config::default().response_timeout(Duration::from_millis(500)).max_response_timeouts(0)
}

fn in_memory() -> (TestSmsc, Client, Inbox<Esme>) {
    let smsc = TestSmsc::in_memory().unwrap();
    let (client, inbox) = bound(&smsc, Config::default());
    (smsc, client, inbox)
}

#[test]
fn an_account_sends_and_receives_in_memory() {
    let smsc = TestSmsc::in_memory().unwrap();
    let options = Options::new(Credentials::default(), &Provider::EIGHT_BY_EIGHT);
    let (account, _arrivals) = smsc.account_connector(options).connect().unwrap();
    let template = SubmitSm { short_message: ShortMessage::EMPTY, ..message(b"") };
    let text = "A text that is too long for one segment: 你好. ".repeat(10);
    let mut sent = account.send(&Message::text(&template, &text)).unwrap();
    assert_eq!(sent.receipt().unwrap(), MessageState::DELIVERED);
    let logged = smsc.next_message().unwrap();
    assert_eq!((logged.text.as_deref(), &*logged.destination), (Some(&*text), "6591234567"));
    assert!(logged.message_ids.len() > 1);
    assert_eq!((&*logged.bind.system_id, logged.bind.mode), ("demo_shop", BindMode::Transceiver));
    let receipt = smsc.next_delivery().unwrap();
    assert_eq!((receipt.state, receipt.outcome), (Some(MessageState::DELIVERED), Ok(())));
    assert!(logged.message_ids.contains(&receipt.message_id.unwrap()));
    account.shutdown(Duration::from_secs(1));
    smsc.wait_until(|log| log.entries().any(|it| matches!(it, LogEntry::Ended(..))).then_some(())).unwrap();
}

#[test]
fn what_does_not_happen_is_reported_with_the_log() {
    let smsc = TestSmsc::builder().in_memory().wait_limit(Duration::from_millis(1)).start().unwrap();
    let error = smsc.next_message().unwrap_err();
    assert_eq!(error.to_string(), "no message within 1ms; the log of the SMSC is empty");
    let (_client, _inbox) = bound(&smsc, Config::default());
    let (bind, outcome) = smsc.next_bind().unwrap();
    assert_eq!((outcome, bind.mode), (Ok(()), BindMode::Transceiver));
    let error = smsc.next_refusal().unwrap_err();
    let peer = bind.peer.unwrap();
    let expected = format!(
        "no refused message within 1ms; the log of the SMSC:\n  bound: demo_shop (Transceiver) from {peer}"
    );
    assert_eq!((error.to_string(), error.entries().len()), (expected, 1));
}

#[test]
fn scripted_answers_reach_the_client() {
    let smsc = TestSmsc::in_memory().unwrap();
    let (client, _inbox) = bound(&smsc, Config::default());
    let (impatient, _inbox) = bound(&smsc, impatient());
    smsc.script(When::next(), Answer::refuse(CommandStatus::RMSGQFUL));
    let refused = client.submit(&message(b"refused")).unwrap_err();
    assert_eq!(refused.status(), Some(CommandStatus::RMSGQFUL));
    let (logged, status) = smsc.next_refusal().unwrap();
    assert_eq!((logged.text.as_deref(), status), (Some("refused"), CommandStatus::RMSGQFUL));

    smsc.script(When::next(), Answer::accept().message_id("other"));
    assert_eq!(client.submit(&message(b"id")).unwrap().message_id(), b"other");

    smsc.script(When::next(), Answer::accept().after(Duration::from_millis(1)));
    client.submit(&message(b"not so late")).unwrap();
    // One timeout for all.
    smsc.script(When::next(), Answer::accept().after(Duration::from_secs(600)));
    smsc.script(When::next(), Answer::never());
    smsc.script(When::next(), Answer::accept().fault(ResponseFault::WrongSequence));
    let unanswered = [&b"late"[..], b"never", b"wrong"]
        .map(|text| (text, impatient.submit_pipelined(&message(text)).unwrap()));
    for (text, pending) in unanswered {
        let timeout = RequestError::Unanswered(UnansweredReason::Timeout);
        assert_eq!(pending.wait().unwrap_err(), timeout, "{}", text.escape_ascii());
    }

    smsc.script(When::next(), Answer::accept().fault(ResponseFault::AfterNext));
    let first = client.submit_pipelined(&message(b"first")).unwrap();
    client.submit(&message(b"second")).unwrap();
    first.wait().unwrap();
    smsc.script(When::always(), Answer::refuse(CommandStatus::RSYSERR));
    smsc.clear_script();
    client.submit(&message(b"accepted")).unwrap();
}

#[test]
fn faults_end_connections_as_the_script_says() {
    use ResponseFault::{CorruptBody, CorruptLength, Cut, HalfClose, Reset};
    for in_memory in [false, true] {
        for (fault, is_answered) in
            [(Cut, false), (Reset, false), (CorruptLength, false), (HalfClose, true), (CorruptBody, true)]
        {
            let builder = TestSmsc::builder();
            let smsc = if in_memory { builder.in_memory() } else { builder }.start().unwrap();
            let (client, _inbox) = bound(&smsc, Config::default());
            smsc.script(When::next(), Answer::accept().fault(fault));
            let answered = client.submit(&message(b"Hello"));
            assert_eq!(answered.is_ok(), is_answered, "{fault:?}: {answered:?}");
            if fault == CorruptBody {
                // The id is wrong, and the stream intact.
                assert!(answered.unwrap().message_id().iter().all(|octet| !octet.is_ascii()));
            } else {
                let end = client.closed();
                let expected = if fault == CorruptLength { "command_length" } else { "" };
                assert!(end.to_string().contains(expected), "{fault:?}: {end}");
                if (fault, in_memory) == (Reset, false) {
                    assert_eq!(end.error.map(|error| error.kind()), Some(ErrorKind::ConnectionReset));
                }
            }
            assert_eq!(smsc.messages().len(), 1, "{fault:?}");
            // The SMSC goes on.
            let (client, _inbox) = bound(&smsc, Config::default());
            client.submit(&message(b"again")).unwrap();
        }
    }
}

#[test]
fn a_silent_smsc_answers_nothing_and_then_again() {
    let smsc = TestSmsc::in_memory().unwrap();
    let (client, _inbox) = bound(&smsc, impatient());
    smsc.set_faults(Faults::default().silent(true)).unwrap();
    let timeout = RequestError::Unanswered(UnansweredReason::Timeout);
    assert_eq!(client.submit(&message(b"Hello")).unwrap_err(), timeout);
    smsc.set_faults(Faults::default().max_write(1)).unwrap();
    let (client, _inbox) = bound(&smsc, Config::default());
    client.submit(&message(b"octet by octet")).unwrap();
    smsc.set_faults(Faults::default().coalesce(true)).unwrap();
    client.submit(&message(b"held back")).unwrap();
    let texts: Vec<_> = smsc.messages().into_iter().filter_map(|it| it.text).collect();
    assert_eq!(texts, ["Hello", "octet by octet", "held back"]);
}

#[test]
fn binds_are_refused_with_the_status_of_the_test_or_of_the_rules() {
    let rules = Rules::default().max_binds(1);
    let smsc = TestSmsc::builder().rules(rules).in_memory().start().unwrap();
    let (_client, _inbox) = bound(&smsc, Config::default());
    for status in [CommandStatus::RALYBND, CommandStatus::RSYSERR] {
        let (client, _inbox) = smsc.connector().start(&smsc.endpoint()).unwrap();
        assert_eq!(client.bind(&smsc.bind()).unwrap_err().status(), Some(status));
        smsc.set_faults(Faults::default().refuse_binds(CommandStatus::RSYSERR)).unwrap();
    }
    let outcomes: Vec<_> = (0..3).map(|_| smsc.next_bind().unwrap().1).collect();
    assert_eq!(outcomes, [Ok(()), Err(CommandStatus::RALYBND), Err(CommandStatus::RSYSERR)]);
}

#[test]
fn connections_end_when_the_test_says_so() {
    for tls in [false, true] {
        let builder = TestSmsc::builder().rules(Rules::default().max_binds(10));
        let smsc = if tls { builder.tls() } else { builder }.start().unwrap();
        let (client, _inbox) = bound(&smsc, Config::default());
        smsc.end_connections(StreamEnd::Reset);
        let end = client.closed();
        assert_eq!(end.reason, CloseReason::Disconnected);
        assert_eq!(end.error.map(|error| error.kind()), Some(ErrorKind::ConnectionReset));
        for end in [StreamEnd::Close, StreamEnd::HalfClose] {
            let (client, _inbox) = bound(&smsc, Config::default());
            smsc.end_connections(end);
            client.closed();
        }
        bound(&smsc, Config::default());
    }
}

/// A client that goes on after the end of what the SMSC sends.
#[test]
fn a_half_closed_connection_can_be_closed_and_reset_afterwards() {
    for end in [StreamEnd::Close, StreamEnd::Reset] {
        let smsc = TestSmsc::start().unwrap();
        let mut peer = TcpStream::connect(smsc.local_addr()).unwrap();
        let encode = |pdu| Frame::encode(&pdu, CommandStatus::ROK, SequenceNumber(1)).into_inner();
        peer.write_all(&encode(Pdu::Bind(smsc.bind()))).unwrap();
        assert!(peer.read(&mut [0; 256]).unwrap() > 16, "the bind response");
        smsc.end_connections(StreamEnd::HalfClose);
        assert_eq!(peer.read(&mut [0; 256]).unwrap(), 0, "the end of the stream");
        smsc.end_connections(end);
        let (request, deadline) =
            (encode(Pdu::EnquireLink), std::time::Instant::now() + Duration::from_secs(30));
        while peer.write_all(&request).is_ok() {
            assert!(std::time::Instant::now() < deadline, "the connection stays open");
        }
    }
}

/// Counts the PDUs of all connections.
struct Counter(Arc<AtomicUsize>);

impl Observer for Counter {
    fn observe(&mut self, _at: Instant, _direction: Direction, _pdu: ObservedPdu<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn an_smsc_has_several_listeners_a_limit_of_connections_and_observers_and_shuts_down() {
    let observed = Arc::<AtomicUsize>::default();
    let pdus = Arc::clone(&observed);
    let listener = || Listener::bind("127.0.0.1:0", Config::default()).unwrap();
    let smsc = TestSmsc::builder()
        .listen(listener())
        .listen(listener())
        .max_connections(2)
        .observe(move |_| Counter(Arc::clone(&pdus)))
        .start()
        .unwrap();
    let endpoints: Vec<Endpoint> =
        smsc.local_addrs().iter().map(|address| smsc.endpoint().port(address.port())).collect();
    assert_eq!(endpoints.len(), 2);
    let connect = |endpoint| smsc.connector().start(endpoint).unwrap();
    let clients = [connect(&endpoints[0]), connect(&endpoints[1])];
    for (client, _) in &clients {
        client.bind(&smsc.bind()).unwrap();
    }
    assert_eq!(observed.load(Ordering::Relaxed), 4, "two binds and their responses");
    let (refused, _inbox) = connect(&endpoints[0]);
    let end = refused.closed();
    assert_eq!(end.reason, CloseReason::Disconnected, "the third connection of two");
    // The clients answer the unbind.
    let shutdown = smsc.shutdown(Duration::from_secs(30));
    assert_eq!((shutdown.ended.len(), shutdown.aborted(), shutdown.not_bound), (2, 0, 0));
    for (client, _) in &clients {
        assert_eq!(client.closed().reason, CloseReason::PeerUnbound);
    }
}

#[test]
fn messages_of_phones_have_any_length_and_alphabet() {
    let (smsc, _client, mut inbox) = in_memory();
    let texts = ["Hello", "Grüße", "你好 🙂", &"a long text ".repeat(30)];
    let program = thread::spawn(move || {
        let mut count = 0;
        while let Some(Inbound::DeliverSm(message)) = inbox.recv() {
            count += 1;
            if message.get().text() == b"refuse" {
                message.refuse(CommandStatus::RX_P_APPN).unwrap();
            } else {
                message.accept().unwrap();
            }
        }
        count
    });
    for text in texts {
        smsc.deliver("+6591234567", "8888", text).unwrap();
    }
    let sar = MoMessage::new("8x8", "8888", texts[3]).segmentation(MoSegmentation::Sar);
    smsc.deliver_message(&sar).unwrap();
    let ucs2 = MoMessage::new("8x8", "8888", "Hi").data_coding(DataCoding::UCS2);
    smsc.deliver_message(&ucs2).unwrap();
    assert_eq!(smsc.next_delivery().unwrap().text.as_deref(), Some("Hello"));
    let refused = smsc.deliver("+6591234567", "8888", "refuse").unwrap_err();
    let status = CommandStatus::RX_P_APPN;
    assert!(matches!(refused, DeliverError::Failed(DeliveryFailure::Refused(it)) if it == status));
    let unknown = MoMessage::new("8x8", "8888", "Hi").account("who");
    let error = smsc.deliver_message(&unknown).unwrap_err();
    assert!(matches!(error, DeliverError::NotSent(OriginateError::NoAccount)));
    // The end of the program.
    drop(smsc);
    assert_eq!(program.join().unwrap(), 3 + 3 + 3 + 1 + 1);
}

#[test]
fn receipts_do_not_wait_for_one_that_the_client_keeps() {
    for receipt_timing in [ReceiptTiming::Delayed, ReceiptTiming::BeforeResponse] {
        let rules = Rules::default().receipt_timing(receipt_timing).receipt_delay(Duration::from_millis(1));
        let smsc = TestSmsc::builder().rules(rules).in_memory().start().unwrap();
        let (client, mut inbox) = bound(&smsc, Config::default());
        let mut kept = Vec::new();
        for text in [b"one", b"two"] {
            client.submit(&message(text)).unwrap();
            let Some(Inbound::DeliverSm(receipt)) = inbox.recv() else { panic!("no receipt") };
            assert!(receipt.get().esm_class.is_receipt());
            kept.push(receipt);
        }
        for receipt in kept.into_iter().rev() {
            receipt.accept().unwrap();
        }
        for _ in 0..2 {
            assert_eq!(smsc.next_delivery().unwrap().outcome, Ok(()));
        }
        assert_eq!(smsc.pending(), 0);
    }
}

#[test]
fn more_messages_than_may_be_in_flight_are_all_delivered() {
    const MESSAGES: usize = 1200;
    let smsc = TestSmsc::in_memory().unwrap();
    let phone = Address::international("6591234567").unwrap();
    for _ in 0..MESSAGES {
        smsc.originate("demo_shop", phone, phone, "text").unwrap();
    }
    let (_client, inbox) = bound(&smsc, Config::default());
    for inbound in inbox.take(MESSAGES) {
        let Inbound::DeliverSm(message) = inbound else { panic!("no message") };
        message.accept().unwrap();
    }
    assert_eq!(smsc.pending(), 0);
}

#[test]
fn a_hundred_run_side_by_side_and_do_not_mix() {
    let threads: Vec<_> = (0..100)
        .map(|number| {
            thread::spawn(move || {
                let builder = TestSmsc::builder().account("shop", &number.to_string());
                let builder = if number % 2 == 0 { builder.in_memory() } else { builder };
                let smsc = builder.start().unwrap();
                let (client, _inbox) = bound(&smsc, Config::default());
                for text in [format!("{number} one"), format!("{number} two")] {
                    client.submit(&message(text.as_bytes())).unwrap();
                    assert_eq!(smsc.next_message().unwrap().text, Some(text));
                }
                // Dropped with a client that is bound and a receipt that is due.
                drop(smsc);
                client.closed();
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn an_smsc_that_is_dropped_ends_its_sessions_and_lets_no_more_in() {
    let (smsc, client, _inbox) = in_memory();
    smsc.script(When::next(), Answer::accept().after(Duration::from_secs(1000)));
    let submitted = client.submit_pipelined(&message(b"Hello")).unwrap();
    let (connector, endpoint) = (smsc.connector(), smsc.endpoint());
    smsc.next_message().unwrap();
    drop(smsc);
    let answered = submitted.wait();
    assert!(matches!(answered, Err(RequestError::Unanswered(UnansweredReason::Closed(_)))), "{answered:?}");
    client.closed();
    let (late, _inbox) = connector.start(&endpoint).unwrap();
    late.closed();
}
