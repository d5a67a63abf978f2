//! The features `tracing` and `metrics`: the metrics and the log of a server.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use smpp_proto::session::{Config, Esme, Smsc};
use smpp_proto::{Bind, COctets, CommandStatus, DeliverSm, Password};
use smpp_tokio::metrics::publish_server;
use smpp_tokio::{Admission, BindRequest, BoundSession, Inbound, Listener, Server, Service, start};
use tokio::net::TcpStream;

/// Accepts one password.
struct Shop;

impl Service for Shop {
    async fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
        let is_known = request.bind().password.equals(b"s3cret");
        if is_known { Ok(Admission::default()) } else { Err(CommandStatus::RINVPASWD) }
    }

    async fn request(&self, _: &BoundSession, _: Inbound<Smsc>) {}
}

fn bind(password: &[u8]) -> Bind<'_> {
    let (system_id, password) = (COctets::new(b"shop").unwrap(), Password::new(password).unwrap());
    Bind { system_id, password, ..Bind::default() }
}

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

#[tokio::test]
async fn a_server_is_counted_and_traced() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(move || writer.clone())
        .without_time()
        .json()
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let recorder = DebuggingRecorder::new();
    let listener = Listener::bind("127.0.0.1:0", Config::default()).await.unwrap();
    let server = Server::builder(Shop).listen(listener).start().unwrap();
    let address = server.local_addrs()[0];
    let publishing =
        metrics::with_local_recorder(&recorder, || publish_server(server.binds(), "smsc", Duration::MAX));
    let publishing = crate::spawn(publishing);
    let (client, _inbox) = start::<Esme, _>(TcpStream::connect(address).await.unwrap(), Config::default());
    client.bind(&bind(b"guessed")).await.unwrap_err();
    client.closed().await;
    let (client, mut inbox) = start::<Esme, _>(TcpStream::connect(address).await.unwrap(), Config::default());
    client.bind(&bind(b"s3cret")).await.unwrap();
    let queued = server.queue(b"shop", &DeliverSm::default()).unwrap();
    let Some(Inbound::DeliverSm(message)) = inbox.recv().await else { panic!() };
    message.accept().unwrap();
    assert_eq!(queued.await.to_string(), "accepted");
    client.unbind().await;
    server.shutdown(Duration::from_secs(30)).await;
    publishing.await.unwrap();
    let mut published: Vec<_> = recorder
        .snapshotter()
        .snapshot()
        .into_vec()
        .into_iter()
        .filter_map(|(key, _, _, value)| {
            let (_, key) = key.into_parts();
            let labels: Vec<_> =
                key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
            match value {
                DebugValue::Counter(count) if count > 0 => {
                    Some(format!("{} {}: {count}", key.name(), labels.join(" ")))
                }
                DebugValue::Gauge(level) if level.0 != 0.0 => Some(format!("{}: {level}", key.name())),
                _ => None,
            }
        })
        .collect();
    published.sort_unstable();
    let expected = [
        "smpp_server_binds_total server=smsc outcome=bound: 1",
        "smpp_server_binds_total server=smsc outcome=ended: 1",
        "smpp_server_binds_total server=smsc outcome=refused: 1",
        "smpp_server_connections_total server=smsc outcome=accepted: 2",
        "smpp_server_connections_total server=smsc outcome=not_bound: 1",
        "smpp_server_deliveries_total server=smsc outcome=accepted: 1",
    ];
    assert_eq!(published, expected);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(!log.contains("s3cret") && !log.contains("guessed"), "{log}");
    let events = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let events = events.filter(|event| event["span"]["name"] == "smpp_server");
    let kinds: Vec<_> = events
        .map(|event| {
            format!("{} {}", event["level"].as_str().unwrap(), event["fields"]["kind"].as_str().unwrap())
        })
        .collect();
    let expected = [
        "DEBUG connected",
        "WARN bind_refused",
        "DEBUG not_bound",
        "DEBUG connected",
        "INFO bound",
        "INFO ended",
        "INFO closed",
    ];
    assert_eq!(kinds, expected);
}
