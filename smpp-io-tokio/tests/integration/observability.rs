//! The features `tracing` and `metrics`: which events and metrics sessions and accounts produce.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use smpp_proto::account::{Credentials, Message, Options};
use smpp_proto::provider::Provider;
use smpp_proto::session::{Config, Esme, Smsc};
use smpp_proto::{
    Address, Bind, BindResp, COctets, CommandId, CommandStatus, DeliverSm, EsmClass, Frame, Password, Pdu,
    SequenceNumber, ShortMessage, SubmitSm, SubmitSmResp,
};
use smpp_tokio::account::AccountConnector;
use smpp_tokio::metrics::{describe, publish, publish_account};
use smpp_tokio::{Connector, Inbound, Inbox, Listener, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{sleep, timeout};

const EVERY: Duration = Duration::from_secs(10);
const LATENCY: Duration = Duration::from_millis(250);

fn bind(password: &str) -> Bind<'_> {
    Bind {
        system_id: COctets::new(b"shop").unwrap(),
        password: Password::new(password.as_bytes()).unwrap(),
        ..Bind::default()
    }
}

fn text(octets: &[u8]) -> SubmitSm<'_> {
    SubmitSm {
        destination: Address::international("6591234567").unwrap(),
        short_message: ShortMessage::new(octets).unwrap(),
        ..SubmitSm::default()
    }
}

/// Responds to each message after `latency`, as its text says. An empty message gets no response.
async fn serve(mut inbox: Inbox<Smsc>, latency: Option<Duration>) {
    let mut held = Vec::new();
    while let Some(inbound) = inbox.recv().await {
        match inbound {
            Inbound::Bind(bind) => bind.respond(Ok(BindResp::default())).unwrap(),
            Inbound::SubmitSm(message) => {
                if let Some(latency) = latency {
                    sleep(latency).await;
                }
                match message.get().text() {
                    b"" => held.push(message),
                    b"throttle" => message.refuse(CommandStatus::RTHROTTLED).unwrap(),
                    b"refuse" => message.refuse(CommandStatus::RINVDSTADR).unwrap(),
                    _ => message.respond(Ok(SubmitSmResp::default())).unwrap(),
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The metrics that a recorder has received.
struct Published {
    snapshotter: Snapshotter,
    totals: BTreeMap<String, f64>,
    samples: BTreeMap<String, Vec<f64>>,
}

impl Published {
    fn by(recorder: &DebuggingRecorder) -> Self {
        Self { snapshotter: recorder.snapshotter(), totals: BTreeMap::new(), samples: BTreeMap::new() }
    }

    /// Returns the metrics of a role that are not zero, sorted: `name label=value ...: value`, without the common labels.
    fn of(&mut self, role: &str) -> Vec<String> {
        self.with_label(&format!(" role={role}"))
    }

    fn with_label(&mut self, label: &str) -> Vec<String> {
        // A snapshot resets the recorder.
        for (key, _, _, value) in self.snapshotter.snapshot().into_vec() {
            let (_, key) = key.into_parts();
            let labels = key.labels().map(|label| format!(" {}={}", label.key(), label.value()));
            let mut labels: Vec<_> = labels.collect();
            labels.sort();
            let key = format!("{}{}", key.name(), labels.concat());
            match value {
                DebugValue::Counter(count) => {
                    *self.totals.entry(key).or_default() += f64::from(u32::try_from(count).unwrap());
                }
                DebugValue::Gauge(level) => *self.totals.entry(key).or_default() += level.0,
                DebugValue::Histogram(more) => {
                    self.samples.entry(key).or_default().extend(more.iter().map(|sample| sample.0));
                }
            }
        }
        let totals = self.totals.iter().filter(|(_, total)| **total != 0.0);
        let totals = totals.map(|(key, total)| format!("{key}: {total}"));
        let samples = self.samples.iter().filter(|(_, samples)| !samples.is_empty());
        let mut lines: Vec<_> =
            totals.chain(samples.map(|(key, samples)| format!("{key}: {samples:?}"))).collect();
        lines.sort();
        lines.retain(|line| line.contains(label));
        lines
            .iter()
            .map(|line| line.replace(label, "").replace(" session=8x8", "").replace("smpp_", ""))
            .collect()
    }
}

#[tokio::test(start_paused = true)]
async fn counters_are_published_at_intervals_and_gauges_go_back_to_zero() {
    let recorder = DebuggingRecorder::new();
    let mut published = Published::by(&recorder);
    let (near, far) = duplex(4096);
    let (client, _inbox) = start::<Esme, _>(near, Config::default());
    let (peer, inbox) = start::<Smsc, _>(far, Config::default());
    let (esme, smsc) = metrics::with_local_recorder(&recorder, || {
        describe();
        (publish(&client, "8x8", EVERY), publish(&peer, "8x8", EVERY))
    });
    drop(peer);
    let tasks = [crate::spawn(esme), crate::spawn(smsc), crate::spawn(serve(inbox, Some(LATENCY)))];

    sleep(Duration::from_secs(1)).await;
    assert_eq!(published.of("esme"), ["sessions state=open: 1"]);

    client.bind(&bind("s3cret")).await.unwrap();
    for message in ["Hello", "Hello", "throttle", "refuse"] {
        let _ = client.submit(&text(message.as_bytes())).await;
    }
    let waiting = crate::spawn({
        let client = client.clone();
        async move { client.submit(&text(b"")).await }
    });
    sleep(Duration::from_secs(1)).await;
    assert_eq!(
        published.of("esme"),
        ["sessions state=open: 1"],
        "nothing is published before the interval ends"
    );

    sleep(Duration::from_secs(8)).await;
    let expected = [
        "in_flight: 1",
        "octets_total direction=in kind=bind: 17",
        "octets_total direction=in kind=message: 66",
        "octets_total direction=out kind=bind: 33",
        "octets_total direction=out kind=message: 239",
        "pdus_total direction=in kind=bind type=response: 1",
        "pdus_total direction=in kind=message type=response: 4",
        "pdus_total direction=out kind=bind type=request: 1",
        "pdus_total direction=out kind=message type=request: 5",
        // The bind response has no sc_interface_version.
        "quirks_total: 1",
        "requests_total outcome=accepted: 3",
        "requests_total outcome=refused: 1",
        "requests_total outcome=throttled: 1",
        // The bind is answered at once, each of the four messages after 250 ms: the middle of the buckets 0 to 1.024 µs and
        // 234.881 ms to 268.435 ms.
        "response_seconds: [5.12e-7, 0.25165824, 0.25165824, 0.25165824, 0.25165824]",
        "sessions state=bound: 1",
        "throttled_total: 1",
        "transmitted_octets_total: 272",
    ];
    assert_eq!(published.of("esme"), expected);
    let smsc = published.of("smsc");
    for line in
        ["sessions state=bound: 1", "unanswered: 1", "pdus_total direction=in kind=message type=request: 5"]
    {
        assert!(smsc.contains(&line.to_owned()), "{line} in {smsc:?}");
    }

    // Waits for the response timeout.
    assert!(waiting.await.unwrap().is_err());
    client.unbind().await;
    drop(client);
    for task in tasks {
        task.await.unwrap();
    }
    let (esme, smsc) = (published.of("esme"), published.of("smsc"));
    for line in
        ["requests_total outcome=unanswered: 1", "timeouts_total: 1", "requests_total outcome=accepted: 3"]
    {
        assert!(esme.contains(&line.to_owned()), "{line} in {esme:?}");
    }
    for gauge in ["sessions", "in_flight", "unanswered"] {
        assert!(!esme.iter().chain(&smsc).any(|line| line.starts_with(gauge)), "{esme:?} {smsc:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn sessions_with_one_name_add_up_and_a_dropped_publisher_leaves_the_gauges() {
    let recorder = DebuggingRecorder::new();
    let mut published = Published::by(&recorder);
    let mut kept = Vec::new();
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let (near, far) = duplex(4096);
        let client = start::<Esme, _>(near, Config::default());
        let publishing =
            metrics::with_local_recorder(&recorder, || publish(&client.0, "8x8", Duration::ZERO));
        tasks.push(crate::spawn(publishing));
        kept.push((client, far));
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(published.of("esme"), ["sessions state=open: 3"]);
    let dropped = tasks.remove(0);
    dropped.abort();
    assert!(dropped.await.unwrap_err().is_cancelled());
    assert_eq!(published.of("esme"), ["sessions state=open: 2"]);
    // A publisher does not keep its session alive.
    kept.clear();
    for task in tasks {
        timeout(Duration::from_secs(30), task).await.expect("the sessions have ended").unwrap();
    }
    assert_eq!(published.of("esme").iter().filter(|line| line.contains("sessions")).count(), 0);
}

/// Collects what the subscriber writes.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn install(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(move || log.clone())
            .without_time()
            .json()
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    /// Returns the events of a role: level, system_id, message and fields.
    fn events(&self, role: &str) -> Vec<String> {
        let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        for secret in ["s3cret", "guessed", "6591234567", "Hello", "throttle\\\""] {
            assert!(!log.contains(secret), "{secret} in {log}");
        }
        let events = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let events = events.filter(|event| event["span"]["role"] == role);
        let shown = events.map(|event| {
            assert_eq!(event["target"], "smpp");
            let mut fields = event["fields"].clone();
            let message = fields.as_object_mut().unwrap().remove("message").unwrap();
            let system_id = event["span"]["system_id"].as_str().unwrap_or("?");
            assert!(
                event["span"]["peer"].is_null()
                    || event["span"]["peer"].as_str().unwrap().starts_with("127.")
            );
            format!("{} {system_id} {} {fields}", event["level"].as_str().unwrap(), message.as_str().unwrap())
        });
        shown.collect()
    }

    /// Returns the events of the account: level, message, and the mode of a bind.
    fn of_account(&self) -> Vec<String> {
        let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        for secret in ["s3cret", "6591234567", "Hello"] {
            assert!(!log.contains(secret), "{secret} in {log}");
        }
        let events = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let of_account = events.filter(|event| event["span"]["name"] == "smpp_account");
        let events = of_account.map(|event| {
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            assert_eq!(event["span"]["system_id"], "shop");
            let fields = &event["fields"];
            let (level, message) = (text(&event["level"]), text(&fields["message"]));
            // The texts are those of the event stream. The ports differ.
            let message: Vec<_> = message.split(' ').filter(|word| !word.starts_with("127.0.0.1:")).collect();
            format!("{level} {}: {}", text(&fields["kind"]), message.join(" "))
        });
        events.collect()
    }
}

#[tokio::test]
async fn a_connection_is_traced_on_both_sides() {
    let log = Log::default();
    let _guard = log.install();
    let listener = Listener::bind("127.0.0.1:0", Config::default()).await.unwrap();
    let endpoint = format!("smpp://{}", listener.local_addr().unwrap()).parse().unwrap();
    let smsc = async {
        for _ in 0..2 {
            let request = listener.accept().await.unwrap().bind_request().await.unwrap();
            if request.bind().password.equals(b"s3cret") {
                let (_peer, inbox) = request.accept(COctets::new(b"smsc").unwrap()).unwrap();
                serve(inbox, None).await;
            } else {
                request.refuse(CommandStatus::RINVPASWD).await;
            }
        }
    };
    let esme = async {
        let (client, _inbox) = Connector::new().connect(&endpoint).await.unwrap();
        assert!(client.bind(&bind("guessed")).await.is_err());
        client.closed().await;
        let (client, _inbox) = Connector::new().connect(&endpoint).await.unwrap();
        client.bind(&bind("s3cret")).await.unwrap();
        client.submit(&text(b"Hello")).await.unwrap();
        client.submit(&text(b"throttle")).await.unwrap_err();
        client.unbind().await;
    };
    tokio::join!(smsc, esme);
    let expected = [
        "DEBUG ? connected {}",
        r#"WARN shop bind refused {"status":"ESME_RINVPASWD"}"#,
        r#"WARN shop closed {"reason":"the connection ended without unbind"}"#,
        "DEBUG ? connected {}",
        "INFO shop bound {}",
        r#"DEBUG shop throttled {"sequence":3,"status":"ESME_RTHROTTLED"}"#,
        r#"INFO shop closed {"reason":"closed by unbind of this side"}"#,
    ];
    assert_eq!(log.events("esme"), expected);
    let smsc = log.events("smsc");
    for event in [
        "INFO shop bound {}",
        "INFO shop peer unbind {}",
        r#"INFO shop closed {"reason":"the peer unbound"}"#,
    ] {
        assert!(smsc.contains(&event.to_owned()), "{event} in {smsc:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_smscs_explanation_of_a_refused_bind_is_traced_and_cut() {
    let log = Log::default();
    let _guard = log.install();
    let (near, mut far) = duplex(4096);
    let (client, _inbox) = start::<Esme, _>(near, Config::default());
    let text = "y".repeat(300);
    let smsc = async {
        let mut bind = [0; 64];
        let read = far.read(&mut bind).await.unwrap();
        assert!(read > 16);
        // The sequence number of the first request is 1.
        let body = [&[0, 0x1D, 1, 44][..], text.as_bytes()].concat();
        let header = [16 + body.len() as u32, 0x8000_0009, CommandStatus::RBINDFAIL.0, 1];
        far.write_all(&[header.map(u32::to_be_bytes).as_flattened(), &body].concat()).await.unwrap();
    };
    let bind = bind("s3cret");
    let (refused, ()) = tokio::join!(client.bind(&bind), smsc);
    assert!(refused.is_err());
    let shown =
        format!(r#"WARN shop bind refused {{"status":"ESME_RBINDFAIL","text":"{}"}}"#, "y".repeat(256));
    assert_eq!(log.events("esme"), [shown]);
}

#[tokio::test(start_paused = true)]
async fn protocol_violations_are_traced() {
    let log = Log::default();
    let _guard = log.install();
    let (near, mut far) = duplex(4096);
    let (client, _inbox) = start::<Esme, _>(near, Config::default());
    let unexpected = Frame::encode(&Pdu::EnquireLinkResp, CommandStatus::ROK, SequenceNumber(77));
    let mut garbled = unexpected.octets().to_vec();
    garbled[4..8].copy_from_slice(&CommandId::DELIVER_SM.0.to_be_bytes());
    far.write_all(&[unexpected.octets(), &garbled[..]].concat()).await.unwrap();
    far.read_exact(&mut [0; 16]).await.unwrap();
    drop(far);
    client.closed().await;
    let expected = [
        r#"DEBUG ? unexpected response {"command":"enquire_link_resp","sequence":77}"#,
        r#"WARN ? malformed PDU {"command":"deliver_sm","error":""#,
        r#"WARN ? closed {"reason":"the connection ended without unbind"}"#,
    ];
    let events = log.events("esme");
    assert_eq!(events.len(), expected.len(), "{events:?}");
    for (event, expected) in events.iter().zip(expected) {
        assert!(event.starts_with(expected), "{event}");
    }
}

/// A peer without credentials sends as much as it may.
#[tokio::test(start_paused = true)]
async fn a_hostile_peer_cannot_flood_the_log() {
    let log = Log::default();
    let _guard = log.install();
    for number in 0..20 {
        let (near, mut far) = duplex(1 << 20);
        let (_peer, mut inbox) = start::<Smsc, _>(near, Config::default());
        crate::spawn(async move { while inbox.recv().await.is_some() {} });
        let pdu = |command: u32, body: &[u8]| {
            let fields = [16 + body.len() as u32, command, 0, 1];
            [&fields.map(u32::to_be_bytes).concat(), body].concat()
        };
        let body = [vec![b'x'; 71_000], vec![0, 0, 0, 0x34, 0, 0, 0]].concat();
        far.write_all(&pdu(CommandId::BIND_TRANSCEIVER.0, &body)).await.unwrap();
        far.write_all(&pdu(0x7777, b"").repeat(if number < 10 { 0 } else { 2_000 })).await.unwrap();
        far.shutdown().await.unwrap();
        let _ = far.read_to_end(&mut Vec::new()).await;
        let length = log.0.lock().unwrap().len();
        let limit = if number < 10 { 10 * 1024 } else { 40 * 1024 };
        assert!(length > 0 && length < limit, "{length} octets of log");
    }
}

#[tokio::test]
async fn an_account_is_counted_and_traced() {
    let recorder = DebuggingRecorder::new();
    let mut published = Published::by(&recorder);
    let log = Log::default();
    let _guard = log.install();
    let listener = Listener::bind("127.0.0.1:0", Config::default()).await.unwrap();
    let endpoint = format!("smpp://{}", listener.local_addr().unwrap()).parse().unwrap();
    let smsc = crate::spawn(async move {
        let request = listener.accept().await.unwrap().bind_request().await.unwrap();
        let (_peer, inbox) = request.accept(COctets::new(b"smsc").unwrap()).unwrap();
        serve(inbox, None).await;
    });
    let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED);
    let (account, arrivals) = AccountConnector::new(&endpoint, options).connect().await.unwrap();
    let publishing = metrics::with_local_recorder(&recorder, || publish_account(&account, "8x8", EVERY));
    let publishing = crate::spawn(publishing);
    for (octets, accepted) in [(&b"Hello"[..], true), (b"refuse", false)] {
        let sent = account.send(&Message::submit_sm(&text(octets))).await;
        assert_eq!(sent.is_ok(), accepted);
    }
    let unresolved = account.shutdown(Duration::from_secs(5)).await;
    assert_eq!(unresolved, []);
    drop(arrivals);
    publishing.await.unwrap();
    smsc.await.unwrap();
    let metrics = published.with_label(" account=8x8");
    let expected = [
        "account_binds_total outcome=bound: 1",
        "account_links_closed_total: 1",
        "account_octets_total direction=in kind=bind link=0: 26",
        "account_octets_total direction=in kind=message link=0: 33",
        "account_octets_total direction=in kind=unbind link=0: 16",
        "account_octets_total direction=out kind=bind link=0: 33",
        "account_octets_total direction=out kind=message link=0: 97",
        "account_octets_total direction=out kind=unbind link=0: 16",
        "account_pdus_total direction=in kind=bind link=0 type=response: 1",
        "account_pdus_total direction=in kind=message link=0 type=response: 2",
        "account_pdus_total direction=in kind=unbind link=0 type=response: 1",
        "account_pdus_total direction=out kind=bind link=0 type=request: 1",
        "account_pdus_total direction=out kind=message link=0 type=request: 2",
        "account_pdus_total direction=out kind=unbind link=0 type=request: 1",
        "account_requests_total link=0 outcome=accepted: 2",
        "account_requests_total link=0 outcome=refused: 1",
        "account_segments_total outcome=accepted: 1",
        "account_segments_total outcome=refused: 1",
        "account_transmitted_octets_total link=0: 146",
    ];
    let (times, counts): (Vec<_>, Vec<_>) =
        metrics.iter().map(String::as_str).partition(|line| line.starts_with("account_response_seconds"));
    assert_eq!(counts, expected);
    assert_eq!(times.len(), 1);
    assert_eq!(times[0].split(',').count(), 3, "{times:?}: each response is a sample");
    let expected = [
        "DEBUG binding: link 0: connected to binding as transceiver",
        "INFO bound: link 0: bound as transceiver at",
        "DEBUG message_failed: message 2 failed: refused by the peer: ESME_RINVDSTADR (0x0000000b): destination address \
         not accepted; a resend is safe",
        "INFO link_closed: link 0: connection to closed: closed by unbind of this side",
        "INFO closed: the account is shut down, 0 messages unresolved",
    ];
    assert_eq!(log.of_account(), expected);
}

#[tokio::test]
async fn an_inbound_message_that_is_lost_is_traced() {
    let log = Log::default();
    let _guard = log.install();
    let listener = Listener::bind("127.0.0.1:0", Config::default()).await.unwrap();
    let endpoint = format!("smpp://{}", listener.local_addr().unwrap()).parse().unwrap();
    let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED)
        .segment_ack_timeout(Duration::from_millis(1));
    let connector = AccountConnector::new(&endpoint, options);
    let bind =
        async { listener.accept().await.unwrap().bind_request().await.unwrap().accept(COctets::default()) };
    let (connected, bound) = tokio::join!(connector.connect(), bind);
    let ((account, arrivals), (peer, _inbox)) = (connected.unwrap(), bound.unwrap());
    let first = DeliverSm {
        esm_class: EsmClass::UDHI,
        short_message: ShortMessage::new(&[5, 0, 3, 7, 2, 1, b'a']).unwrap(),
        ..DeliverSm::default()
    };
    peer.deliver(&first).await.expect("the segment is acknowledged before the other arrives");
    drop(arrivals);
    account.shutdown(Duration::ZERO).await;
    let log = log.of_account();
    let lost = "WARN inbound_message_lost: bind 0.1: 1 segment of an inbound message lost";
    assert!(log.iter().any(|line| line.starts_with(lost)), "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_connection_is_counted_and_traced() {
    let recorder = DebuggingRecorder::new();
    let mut published = Published::by(&recorder);
    let log = Log::default();
    let _guard = log.install();
    let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED);
    let connector = AccountConnector::new(&"smpp://192.0.2.1:2775".parse().unwrap(), options);
    let refused = |_| async { Err::<DuplexStream, _>(io::ErrorKind::ConnectionRefused.into()) };
    let (account, arrivals) = connector.dial(refused).start().unwrap();
    let publishing = metrics::with_local_recorder(&recorder, || publish_account(&account, "8x8", EVERY));
    let publishing = crate::spawn(publishing);
    // Less than the pause before the second attempt.
    sleep(Duration::from_millis(1)).await;
    account.shutdown(Duration::ZERO).await;
    drop(arrivals);
    publishing.await.unwrap();
    assert_eq!(published.with_label(" account=8x8"), ["account_binds_total outcome=connect_failed: 1"]);
    let log = log.of_account();
    let [failed, closed] = &log[..] else { panic!("{log:?}") };
    let text = "WARN connect_failed: link 0: cannot connect to 192.0.2.1:2775: no connection to the server: connection \
                refused; next attempt in ";
    assert!(failed.starts_with(text), "{failed}");
    assert_eq!(closed, "INFO closed: the account is shut down, 0 messages unresolved");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_failing_messages_does_not_flood_the_log() {
    let log = Log::default();
    let _guard = log.install();
    let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED);
    let connector = AccountConnector::new(&"smpp://192.0.2.1:2775".parse().unwrap(), options);
    let hangs = |_| std::future::pending::<io::Result<DuplexStream>>();
    let (account, arrivals) = connector.dial(hangs).start().unwrap();
    let mut events = account.events();
    for _ in 0..500 {
        account.try_submit(&Message::submit_sm(&text(b"Hello"))).unwrap().cancel();
    }
    account.shutdown(Duration::ZERO).await;
    drop(arrivals);
    let logged = log.of_account();
    assert_eq!(logged.iter().filter(|line| line.contains("message_failed")).count(), 20);
    assert_eq!(logged.last().unwrap(), "INFO closed: the account is shut down, 0 messages unresolved");
    let mut failed = 0;
    while let Some(event) = events.recv().await {
        failed += usize::from(event.kind() == "message_failed");
    }
    assert_eq!(
        (failed, account.stats().counters.segments_never_sent),
        (500, 500),
        "the stream has all of them"
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_receiver_of_events_is_told_what_it_has_lost() {
    let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED);
    let connector = AccountConnector::new(&"smpp://192.0.2.1:2775".parse().unwrap(), options);
    let hangs = |_| std::future::pending::<io::Result<DuplexStream>>();
    let (account, _arrivals) = connector.dial(hangs).events_capacity(3).start().unwrap();
    let mut events = account.events();
    for _ in 0..10 {
        account.try_submit(&Message::submit_sm(&text(b"Hello"))).unwrap().cancel();
    }
    let mut shown = Vec::new();
    while let Ok(event) = timeout(Duration::from_secs(1), events.recv()).await {
        shown.push(event.unwrap().to_string());
    }
    let failed =
        |number| format!("message {number} failed: not sent: the message was cancelled; a resend is safe");
    let lost = "7 events lost: the receiver reads too slowly".to_owned();
    assert_eq!(shown, [lost, failed(8), failed(9), failed(10)]);
}

#[cfg(feature = "stream")]
#[tokio::test(start_paused = true)]
async fn the_receiver_of_events_is_a_stream() {
    use std::pin::pin;

    use futures_core::Stream;

    let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED);
    let connector = AccountConnector::new(&"smpp://192.0.2.1:2775".parse().unwrap(), options);
    let refused = |_| async { Err::<DuplexStream, _>(io::ErrorKind::ConnectionRefused.into()) };
    let (account, _arrivals) = connector.dial(refused).start().unwrap();
    let mut events = pin!(account.events());
    let mut kinds = Vec::new();
    account.shutdown(Duration::ZERO).await;
    while let Some(event) = std::future::poll_fn(|cx| events.as_mut().poll_next(cx)).await {
        kinds.push(event.kind());
    }
    assert_eq!(kinds, ["closed"]);
}
