//! The features `tracing` and `metrics`: which events and metrics sessions, accounts and servers produce. They are those of
//! `smpp-tokio`.

mod common;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use common::watched;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use serde_json::Value;
use smpp_proto::account::{Credentials, Message, Options};
use smpp_proto::provider::Provider;
use smpp_proto::session::{Config, Esme, Smsc};
use smpp_proto::{
    Address, Bind, BindResp, COctets, CommandId, CommandStatus, Endpoint, Frame, Password, Pdu,
    SequenceNumber, ShortMessage, SubmitSm, SubmitSmResp,
};
use smpp_std::account::AccountConnector;
use smpp_std::metrics::{describe, publish, publish_account, publish_server};
use smpp_std::{
    Admission, BindRequest, BoundSession, Connection, Connector, HandleRoute, Inbound, Inbox, Listener,
    Server, Service, start,
};

/// Nothing is published before the end.
const NEVER: Duration = Duration::MAX;

fn bind<'a>(system_id: &'a str, password: &'a str) -> Bind<'a> {
    Bind {
        system_id: COctets::new(system_id.as_bytes()).unwrap(),
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

/// Responds to a message as its text says.
fn respond(inbound: Inbound<HandleRoute<Smsc>>) {
    match inbound {
        Inbound::Bind(bind) => bind.respond(Ok(BindResp::default())).unwrap(),
        Inbound::SubmitSm(message) => match message.get().text() {
            b"throttle" => message.refuse(CommandStatus::RTHROTTLED).unwrap(),
            b"refuse" => message.refuse(CommandStatus::RINVDSTADR).unwrap(),
            _ => message.respond(Ok(SubmitSmResp::default())).unwrap(),
        },
        other => panic!("{other:?}"),
    }
}

fn serve(inbox: Inbox<Smsc>) {
    inbox.for_each(respond);
}

/// Returns the two ends of a connection.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let esme = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (esme, listener.accept().unwrap().0)
}

fn endpoint(address: SocketAddr) -> Endpoint {
    format!("smpp://{address}").parse().unwrap()
}

/// The metrics that a recorder has received.
struct Published {
    snapshotter: Snapshotter,
    totals: BTreeMap<String, f64>,
}

impl Published {
    fn by(recorder: &DebuggingRecorder) -> Self {
        Self { snapshotter: recorder.snapshotter(), totals: BTreeMap::new() }
    }

    /// Returns the metrics with this label that are not zero, sorted: `name label=value ...: value`, without the common labels.
    /// That of a histogram is the number of its samples.
    fn with_label(&mut self, label: &str) -> Vec<String> {
        // A snapshot resets the recorder.
        for (key, _, _, value) in self.snapshotter.snapshot().into_vec() {
            let (_, key) = key.into_parts();
            let labels = key.labels().map(|label| format!(" {}={}", label.key(), label.value()));
            let mut labels: Vec<_> = labels.collect();
            labels.sort();
            let key = format!("{}{}", key.name(), labels.concat());
            *self.totals.entry(key).or_default() += match value {
                DebugValue::Counter(count) => f64::from(u32::try_from(count).unwrap()),
                DebugValue::Gauge(level) => level.0,
                DebugValue::Histogram(samples) => f64::from(u32::try_from(samples.len()).unwrap()),
            };
        }
        let totals = self.totals.iter().filter(|(key, total)| **total != 0.0 && key.contains(label));
        totals
            .map(|(key, total)| {
                let key = key.replace(label, "").replace(" session=8x8", "").replace("smpp_", "");
                format!("{key}: {total}")
            })
            .collect()
    }
}

#[test]
fn the_counters_of_a_session_are_published_and_its_gauges_go_back_to_zero() {
    watched(|| {
        let recorder = DebuggingRecorder::new();
        let mut published = Published::by(&recorder);
        let (near, far) = pair();
        let (client, _inbox) = start::<Esme, _>(near, Config::default()).unwrap();
        let (peer, inbox) = start::<Smsc, _>(far, Config::default()).unwrap();
        let serving = thread::spawn(move || serve(inbox));
        let (often, esme, smsc) = metrics::with_local_recorder(&recorder, || {
            describe();
            let often = publish(&client, "often", Duration::from_millis(1));
            (often, publish(&client, "8x8", NEVER), publish(&peer, "8x8", NEVER))
        });
        drop(peer);
        let often = thread::spawn(often);
        // The gauges are momentary values.
        let open = "sessions role=esme state=open: 1".to_owned();
        while !published.with_label(" session=often").contains(&open) {
            thread::yield_now();
        }
        client.bind(&bind("shop", "s3cret")).unwrap();
        let bound = "sessions role=esme state=bound: 1".to_owned();
        while !published.with_label(" session=often").contains(&bound) {
            thread::yield_now();
        }
        for message in ["Hello", "Hello", "throttle", "refuse"] {
            let _ = client.submit(&text(message.as_bytes()));
        }
        let publishing = [thread::spawn(esme), thread::spawn(smsc), often];
        client.unbind();
        drop(client);
        serving.join().unwrap();
        for thread in publishing {
            thread.join().unwrap();
        }
        let expected = [
            "octets_total direction=in kind=bind: 17",
            "octets_total direction=in kind=message: 66",
            "octets_total direction=in kind=unbind: 16",
            "octets_total direction=out kind=bind: 33",
            "octets_total direction=out kind=message: 196",
            "octets_total direction=out kind=unbind: 16",
            "pdus_total direction=in kind=bind type=response: 1",
            "pdus_total direction=in kind=message type=response: 4",
            "pdus_total direction=in kind=unbind type=response: 1",
            "pdus_total direction=out kind=bind type=request: 1",
            "pdus_total direction=out kind=message type=request: 4",
            "pdus_total direction=out kind=unbind type=request: 1",
            // The bind response has no sc_interface_version.
            "quirks_total: 1",
            "requests_total outcome=accepted: 3",
            "requests_total outcome=refused: 1",
            "requests_total outcome=throttled: 1",
            "response_seconds: 5",
            "throttled_total: 1",
            "transmitted_octets_total: 245",
        ];
        let esme = published.with_label(" role=esme session=8x8");
        assert_eq!(esme, expected);
        let smsc = published.with_label(" role=smsc");
        let received = "pdus_total direction=in kind=message type=request: 4".to_owned();
        assert!(smsc.contains(&received), "{smsc:?}");
        let often = published.with_label(" role=esme session=often");
        assert_eq!(often, expected, "the intervals make no difference");
    });
}

#[test]
fn a_publisher_does_not_keep_its_session_alive() {
    watched(|| {
        let recorder = DebuggingRecorder::new();
        let (near, far) = pair();
        let (client, inbox) = start::<Esme, _>(near, Config::default()).unwrap();
        let publishing = metrics::with_local_recorder(&recorder, || publish(&client, "8x8", NEVER));
        let publishing = thread::spawn(publishing);
        drop((client, inbox));
        publishing.join().unwrap();
        drop(far);
    });
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
    /// Returns the log of the process: many threads emit the events of one session.
    fn install() -> &'static Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        LOG.get_or_init(|| {
            let log = Self::default();
            let writer = log.clone();
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::DEBUG)
                .with_writer(move || writer.clone())
                .without_time()
                .json()
                .finish();
            tracing::subscriber::set_global_default(subscriber).unwrap();
            log
        })
    }

    fn text(&self) -> String {
        let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        for secret in ["s3cret", "guessed", "6591234567", "Hello", "throttle\\\""] {
            assert!(!log.contains(secret), "{secret} in {log}");
        }
        log
    }

    /// Returns the events of the spans that the function selects: level, system_id, message and fields.
    fn events(&self, is_selected: impl Fn(&Value) -> bool) -> Vec<String> {
        let log = self.text();
        let events = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let events = events.filter(|event| event["target"] == "smpp" && is_selected(&event["span"]));
        let shown = events.map(|event| {
            let mut fields = event["fields"].clone();
            let message = fields.as_object_mut().unwrap().remove("message").unwrap();
            let system_id = event["span"]["system_id"].as_str().unwrap_or("?");
            format!("{} {system_id} {} {fields}", event["level"].as_str().unwrap(), message.as_str().unwrap())
        });
        shown.collect()
    }

    /// Returns the events of spans of this name: level, kind and message, without addresses.
    fn of_span(&self, name: &str, system_id: Option<&str>) -> Vec<String> {
        let log = self.text();
        let events = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let events = events.filter(|event| {
            event["span"]["name"] == name && event["span"]["system_id"].as_str() == system_id
        });
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let events = events.map(|event| {
            let fields = &event["fields"];
            let (level, message) = (text(&event["level"]), text(&fields["message"]));
            // The ports differ.
            let message: Vec<_> = message.split(' ').filter(|word| !word.starts_with("127.0.0.1:")).collect();
            format!("{level} {}: {}", text(&fields["kind"]), message.join(" "))
        });
        events.collect()
    }
}

#[test]
fn a_connection_is_traced_on_both_sides() {
    watched(|| {
        let log = Log::install();
        let listener = Listener::bind("127.0.0.1:0", Config::default()).unwrap();
        let address = listener.local_addr().unwrap();
        let smsc = thread::spawn(move || {
            for _ in 0..3 {
                let request = listener.accept().unwrap().bind_request().unwrap();
                if request.bind().password.equals(b"s3cret") {
                    let (_peer, inbox) = request.accept(COctets::new(b"smsc").unwrap()).unwrap();
                    serve(inbox);
                } else {
                    request.refuse(CommandStatus::RINVPASWD);
                }
            }
        });
        let (client, _inbox) = Connector::new().start(&endpoint(address)).unwrap();
        assert!(client.bind(&bind("both", "guessed")).is_err());
        client.closed();
        let (client, _inbox) = Connector::new().start(&endpoint(address)).unwrap();
        client.bind(&bind("both", "s3cret")).unwrap();
        client.submit(&text(b"Hello")).unwrap();
        client.submit(&text(b"throttle")).unwrap_err();
        client.unbind();
        // In one thread.
        let connection = Connector::new().bind(&endpoint(address), &bind("both", "s3cret"));
        let mut connection: Connection<_, _> = connection.unwrap();
        connection.submit(&text(b"throttle")).unwrap_err();
        connection.unbind();
        smsc.join().unwrap();
        let expected = [
            "DEBUG ? connected {}",
            r#"WARN both bind refused {"status":"ESME_RINVPASWD"}"#,
            r#"WARN both closed {"reason":"the connection ended without unbind"}"#,
            "DEBUG ? connected {}",
            "INFO both bound {}",
            r#"DEBUG both throttled {"sequence":3,"status":"ESME_RTHROTTLED"}"#,
            r#"INFO both closed {"reason":"closed by unbind of this side"}"#,
            "DEBUG ? connected {}",
            "INFO both bound {}",
            r#"DEBUG both throttled {"sequence":2,"status":"ESME_RTHROTTLED"}"#,
            r#"INFO both closed {"reason":"closed by unbind of this side"}"#,
        ];
        let peer = address.to_string();
        assert_eq!(log.events(|span| span["role"] == "esme" && span["peer"] == peer), expected);
        let smsc = log.events(|span| span["role"] == "smsc" && span["system_id"] == "both");
        let expected = [
            r#"WARN both bind refused {"status":"ESME_RINVPASWD"}"#,
            r#"INFO both closed {"reason":"closed by unbind of this side"}"#,
            "INFO both bound {}",
            "INFO both peer unbind {}",
            r#"INFO both closed {"reason":"the peer unbound"}"#,
            "INFO both bound {}",
            "INFO both peer unbind {}",
            r#"INFO both closed {"reason":"the peer unbound"}"#,
        ];
        assert_eq!(smsc, expected);
    });
}

#[test]
fn protocol_violations_are_traced_and_cannot_flood_the_log() {
    watched(|| {
        let log = Log::install();
        let listener = Listener::bind("127.0.0.1:0", Config::default()).unwrap();
        let address = listener.local_addr().unwrap();
        let mut far = TcpStream::connect(address).unwrap();
        let (near, accepted) = (far.local_addr().unwrap().to_string(), listener.accept().unwrap());
        let serving = thread::spawn(move || accepted.bind_request().map(drop));
        let unexpected = Frame::encode(&Pdu::EnquireLinkResp, CommandStatus::ROK, SequenceNumber(77));
        let unexpected: Frame<Vec<u8>> = unexpected;
        let mut garbled = unexpected.octets().to_vec();
        garbled[4..8].copy_from_slice(&CommandId::SUBMIT_SM.0.to_be_bytes());
        for _ in 0..100 {
            far.write_all(&[unexpected.octets(), &garbled[..]].concat()).unwrap();
        }
        far.shutdown(std::net::Shutdown::Write).unwrap();
        let _ = far.read_to_end(&mut Vec::new());
        serving.join().unwrap().unwrap_err();
        let events = log.events(|span| span["role"] == "smsc" && span["peer"] == near);
        let count = |text: &str| events.iter().filter(|event| event.contains(text)).count();
        assert_eq!(count("unexpected response"), 7, "{events:?}: of 100, each power of two");
        assert!(events.len() < 20, "{events:?}");
        assert!(events.last().unwrap().contains("closed"), "{events:?}");
    });
}

#[test]
fn an_account_is_counted_and_traced() {
    watched(|| {
        let recorder = DebuggingRecorder::new();
        let mut published = Published::by(&recorder);
        let log = Log::install();
        let listener = Listener::bind("127.0.0.1:0", Config::default()).unwrap();
        let address = listener.local_addr().unwrap();
        let smsc = thread::spawn(move || {
            let request = listener.accept().unwrap().bind_request().unwrap();
            let (_peer, inbox) = request.accept(COctets::new(b"smsc").unwrap()).unwrap();
            serve(inbox);
        });
        let options = Options::new(Credentials::new("counted", "s3cret"), &Provider::UNSTATED);
        let (account, arrivals) = AccountConnector::new(&endpoint(address), options).connect().unwrap();
        let publishing = metrics::with_local_recorder(&recorder, || publish_account(&account, "8x8", NEVER));
        let publishing = thread::spawn(publishing);
        for (octets, accepted) in [(&b"Hello"[..], true), (b"refuse", false)] {
            assert_eq!(account.send(&Message::submit_sm(&text(octets))).is_ok(), accepted);
        }
        assert_eq!(account.shutdown(Duration::from_secs(5)), []);
        drop(arrivals);
        publishing.join().unwrap();
        smsc.join().unwrap();
        let expected = [
            "account_binds_total outcome=bound: 1",
            "account_links_closed_total: 1",
            "account_octets_total direction=in kind=bind link=0: 26",
            "account_octets_total direction=in kind=message link=0: 33",
            "account_octets_total direction=in kind=unbind link=0: 16",
            "account_octets_total direction=out kind=bind link=0: 36",
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
            "account_response_seconds link=0: 3",
            "account_segments_total outcome=accepted: 1",
            "account_segments_total outcome=refused: 1",
            "account_transmitted_octets_total link=0: 149",
        ];
        assert_eq!(published.with_label(" account=8x8"), expected);
        let expected = [
            "DEBUG binding: link 0: connected to binding as transceiver",
            "INFO bound: link 0: bound as transceiver at",
            "DEBUG message_failed: message 2 failed: refused by the peer: ESME_RINVDSTADR (0x0000000b): destination \
             address not accepted; a resend is safe",
            "INFO link_closed: link 0: connection to closed: closed by unbind of this side",
            "INFO closed: the account is shut down, 0 messages unresolved",
        ];
        assert_eq!(log.of_span("smpp_account", Some("counted")), expected);
    });
}

/// Accepts one password.
struct Shop;

impl Service for Shop {
    fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
        let is_known = request.bind().password.equals(b"s3cret");
        if is_known { Ok(Admission::default()) } else { Err(CommandStatus::RINVPASWD) }
    }

    fn request(&self, _: &BoundSession, request: Inbound<HandleRoute<Smsc>>) {
        respond(request);
    }
}

#[test]
fn a_server_is_counted_and_traced() {
    watched(|| {
        let recorder = DebuggingRecorder::new();
        let mut published = Published::by(&recorder);
        let log = Log::install();
        let listener = Listener::bind("127.0.0.1:0", Config::default()).unwrap();
        let server = Server::builder(Shop).listen(listener).start().unwrap();
        let (binds, address) = (server.binds().clone(), server.local_addrs()[0]);
        let publishing = metrics::with_local_recorder(&recorder, || {
            let often = publish_server(server.binds(), "often", Duration::from_millis(1));
            [thread::spawn(often), thread::spawn(publish_server(server.binds(), "smsc", NEVER))]
        });
        let (client, _inbox) = Connector::new().start(&endpoint(address)).unwrap();
        assert!(client.bind(&bind("served", "guessed")).is_err());
        client.closed();
        let (client, mut inbox) = Connector::new().start(&endpoint(address)).unwrap();
        client.bind(&bind("served", "s3cret")).unwrap();
        let bound = "server_connections state=bound: 1".to_owned();
        while !published.with_label(" server=often").contains(&bound) {
            thread::yield_now();
        }
        let queued = binds.queue(b"served", &smpp_proto::DeliverSm::default()).unwrap();
        let Some(Inbound::DeliverSm(message)) = inbox.recv() else { panic!() };
        message.accept().unwrap();
        assert_eq!(queued.wait().to_string(), "accepted");
        client.unbind();
        server.shutdown(Duration::from_secs(30));
        for thread in publishing {
            thread.join().unwrap();
        }
        let expected = [
            "server_binds_total outcome=bound: 1",
            "server_binds_total outcome=ended: 1",
            "server_binds_total outcome=refused: 1",
            "server_connections_total outcome=accepted: 2",
            "server_connections_total outcome=not_bound: 1",
            "server_deliveries_total outcome=accepted: 1",
        ];
        assert_eq!(published.with_label(" server=smsc"), expected);
        assert_eq!(published.with_label(" server=often"), expected);
        let log = log.of_span("smpp_server", None);
        let mut log: Vec<_> = log.iter().map(String::as_str).collect();
        // Several threads log them.
        log.sort_unstable();
        let expected = [
            "DEBUG connected: connection 1: from",
            "DEBUG connected: connection 2: from",
            "DEBUG not_bound: connection 1: from ended without a bind: its bind was refused",
            "INFO bound: connection 2: served bound as transceiver from",
            "INFO closed: the server is shut down",
            "INFO ended: connection 2: served from ended: the peer unbound",
            "WARN bind_refused: connection 1: bind of served from refused, by the application: ESME_RINVPASWD \
             (0x0000000e): password wrong",
        ];
        assert_eq!(log, expected);
    });
}
