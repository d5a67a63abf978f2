//! A NATS server, an SMSC and nodes in processes of their own, and the comparison of what each of them says.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::{self, Context};
use futures_util::StreamExt;
use serde_json::{Value, json};
use smpp_gateway::demo::free_port;
use smpp_gateway::names::{Names, event_kind};
use smpp_gateway::nats::connect;
use smpp_gateway::settings::NatsSettings;
use smpp_proto::session::Rate;
use smpp_proto::simulator::Rules;
use smpp_tokio::testing::{Faults, TestSmsc, TestSmscEvent};
use smpp_tokio::{Listener, ServerEvent};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

pub(crate) const ACCOUNT: (&str, &str) = ("demo_shop", "s3cret");

/// Where a node that loses NATS gives up its binds after two seconds.
pub(crate) const LEASE_SECONDS: u64 = 3;

/// What the SMSC has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// How often each recipient's message was accepted.
    pub(crate) accepted: BTreeMap<String, usize>,
    pub(crate) binds: usize,
    pub(crate) most_binds: usize,
    /// How many binds were refused.
    pub(crate) refused: usize,
    /// How many messages came faster than allowed.
    pub(crate) throttled: usize,
}

pub(crate) struct World {
    servers: Vec<NatsServer>,
    folder: PathBuf,
    pub(crate) smsc: Option<TestSmsc>,
    smsc_address: SocketAddr,
    pub(crate) seen: Arc<Mutex<Seen>>,
    pub(crate) context: Context,
    pub(crate) names: Names,
    pub(crate) nodes: Vec<Child>,
    published: usize,
}

impl World {
    pub(crate) async fn start(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("smpp-gateway-{name}-{}", std::process::id()));
        Self::with_servers(folder.clone(), vec![NatsServer::single(&folder)]).await
    }

    /// Starts with a cluster of three NATS servers.
    pub(crate) async fn start_cluster(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("smpp-gateway-{name}-{}", std::process::id()));
        let servers = NatsServer::cluster(&folder);
        Self::with_servers(folder, servers).await
    }

    /// Starts a NATS server that lets not everybody in. `guard` writes what it needs into the folder, and returns the arguments of
    /// the server, and how the test reaches it at the port.
    pub(crate) async fn start_guarded(
        name: &str,
        guard: impl FnOnce(&Path, u16) -> (Vec<String>, NatsSettings),
    ) -> Self {
        let folder = std::env::temp_dir().join(format!("smpp-gateway-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let port = free_port().unwrap();
        let (more, settings) = guard(&folder, port);
        let mut arguments = arguments(port, &folder);
        arguments.extend(more);
        Self::with_settings(folder, vec![NatsServer::new(port, arguments)], settings).await
    }

    async fn with_servers(folder: PathBuf, servers: Vec<NatsServer>) -> Self {
        let settings = nats_settings(urls(&servers));
        Self::with_settings(folder, servers, settings).await
    }

    async fn with_settings(folder: PathBuf, servers: Vec<NatsServer>, settings: NatsSettings) -> Self {
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let smsc = start_smsc(&seen, SocketAddr::from(([127, 0, 0, 1], 0))).await;
        let smsc_address = smsc.local_addr();
        let context = jetstream::new(connect(&settings, "test").await.unwrap());
        let names = Names::new(ACCOUNT.0);
        let nodes = Vec::new();
        let smsc = Some(smsc);
        Self { servers, folder, smsc, smsc_address, seen, context, names, nodes, published: 0 }
    }

    /// Starts a node that reaches NATS at this port; `None` for the port of NATS itself.
    pub(crate) fn spawn_node(&self, nats_port: Option<u16>) -> Child {
        self.command(nats_port).spawn().unwrap()
    }

    /// Returns the command that starts it.
    pub(crate) fn command(&self, nats_port: Option<u16>) -> Command {
        let url = nats_port.map_or_else(|| urls(&self.servers), |port| format!("nats://127.0.0.1:{port}"));
        let replicas = self.servers.len().to_string();
        let lease = LEASE_SECONDS.to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_smpp-gateway"));
        command
            .args(["run", "--nats", &url, "--replicas", &replicas])
            .args(["--url", &format!("smpp://{}@{}", ACCOUNT.0, self.smsc_address)])
            .args(["--rate", "200", "--lease-seconds", &lease, "--ack-seconds", "6", "--lookup-seconds", "8"])
            .env("SMPP_GATEWAY_PASSWORD", ACCOUNT.1)
            .stdin(Stdio::null())
            .stderr(if std::env::var_os("LOG").is_some() { Stdio::inherit() } else { self.log() })
            .kill_on_drop(true);
        command
    }

    /// Returns where the nodes write what they log.
    fn log(&self) -> Stdio {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.join("nodes.log"));
        file.map_or_else(|_| Stdio::null(), Stdio::from)
    }

    pub(crate) fn add_node(&mut self) {
        let node = self.spawn_node(None);
        self.nodes.push(node);
    }

    /// Waits until the SMSC has this many binds.
    pub(crate) async fn wait_for_binds(&self, count: usize) {
        let end = Instant::now() + Duration::from_secs(60);
        while self.seen.lock().unwrap().binds != count {
            if Instant::now() > end {
                let log = std::fs::read_to_string(self.folder.join("nodes.log")).unwrap_or_default();
                let lines: Vec<&str> = log.lines().rev().take(30).collect();
                panic!(
                    "{} binds, not {count}; the newest lines of the nodes: {lines:#?}",
                    self.seen.lock().unwrap().binds
                );
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Publishes a message until NATS has stored it. Its number is its recipient and its key.
    pub(crate) async fn publish(&mut self) {
        let number = self.published;
        self.published += 1;
        let key = format!("key-{number}");
        let message = json!({"key": key, "from": "8x8", "to": recipient(number), "text": "Hello"});
        let queue = ["high", "normal", "low"][number % 3];
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Nats-Msg-Id", key.as_str());
        loop {
            let payload = message.to_string().into();
            let sent =
                self.context.publish_with_headers(self.names.send(queue), headers.clone(), payload).await;
            if let Ok(stored) = sent
                && stored.await.is_ok()
            {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Publishes for this long, about a hundred messages a second.
    pub(crate) async fn publish_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.publish().await;
            sleep(Duration::from_millis(8)).await;
        }
    }

    /// Kills a NATS server.
    pub(crate) async fn kill_nats(&mut self, server: usize) {
        self.servers[server].process.kill().await.unwrap();
    }

    /// Starts it again.
    pub(crate) fn restart_nats(&mut self, server: usize) {
        self.servers[server].start();
    }

    /// Returns which server of the cluster leads a stream.
    pub(crate) async fn leader(&self, stream: &str) -> usize {
        loop {
            if let Ok(stream) = self.context.get_stream(stream).await
                && let Some(leader) = stream.cached_info().cluster.as_ref().and_then(|it| it.leader.as_ref())
            {
                return leader.trim_start_matches("server").parse().unwrap();
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Ends the SMSC without an unbind and starts it again.
    pub(crate) async fn restart_smsc(&mut self) {
        drop(self.smsc.take());
        self.seen.lock().unwrap().binds = 0;
        sleep(Duration::from_millis(300)).await;
        self.smsc = Some(start_smsc(&self.seen, self.smsc_address).await);
    }

    /// Returns the folder with the files of NATS.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn nats_port(&self) -> u16 {
        self.servers[0].port
    }

    /// Returns all events that are stored: kind, id and content. What NATS does not answer in time is asked again.
    pub(crate) async fn events(&self) -> Vec<(String, String, Value)> {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            match self.read_events().await {
                Ok(events) => return events,
                Err(error) => assert!(Instant::now() < end, "{error}"),
            }
            sleep(Duration::from_millis(500)).await;
        }
    }

    async fn read_events(&self) -> Result<Vec<(String, String, Value)>, async_nats::Error> {
        let stream = self.context.get_stream(self.names.stream("EVENT")).await?;
        let config = pull::Config { ack_policy: AckPolicy::None, ..pull::Config::default() };
        let consumer = stream.create_consumer(config).await?;
        let mut left = consumer.cached_info().num_pending;
        let mut events = Vec::new();
        while left > 0 {
            let mut batch = consumer.fetch().max_messages(1_000).messages().await?;
            let before = left;
            while let Some(event) = batch.next().await {
                let event = event?;
                left = left.saturating_sub(1);
                let kind = event_kind(&event.subject).to_owned();
                let id = event.headers.as_ref().and_then(|it| it.get("Nats-Msg-Id"));
                let id = id.ok_or("an event without an id")?.to_string();
                events.push((kind, id, serde_json::from_slice(&event.payload)?));
            }
            if left == before {
                return Err("no events came".into());
            }
        }
        Ok(events)
    }

    /// Waits until the queue is empty and each receipt is there, then compares the events with what the SMSC has seen,
    /// message by message. Returns how many messages ended in which way.
    pub(crate) async fn compare(&self) -> BTreeMap<String, usize> {
        let end = Instant::now() + Duration::from_secs(90);
        loop {
            let (told, receipts) = self.told().await;
            let accepted = |key: &&String| told[*key] == ["accepted"];
            let is_done = told.len() == self.published
                && told.keys().filter(accepted).all(|key| receipts.contains_key(key))
                && self.smsc.as_ref().is_none_or(|smsc| smsc.pending() == 0);
            if is_done || Instant::now() > end {
                break;
            }
            sleep(Duration::from_millis(500)).await;
        }
        let end = Instant::now() + Duration::from_secs(20);
        while self.queued().await.unwrap_or(u64::MAX) > 0 {
            assert!(Instant::now() < end, "messages are left in the queue");
            sleep(Duration::from_millis(200)).await;
        }
        let mut ids = BTreeSet::new();
        for (_, id, _) in self.events().await {
            assert!(ids.insert(id.clone()), "{id} was told twice");
        }
        let (told, receipts) = self.told().await;
        let seen = self.seen.lock().unwrap();
        let mut counts = BTreeMap::new();
        for number in 0..self.published {
            let key = format!("key-{number}");
            let sent = seen.accepted.get(&recipient(number)[1..]).copied().unwrap_or_default();
            let outcomes = told.get(&key).map_or(&[][..], Vec::as_slice);
            let [outcome] = outcomes else { panic!("{key}: {outcomes:?}, sent {sent} times") };
            let receipts = receipts.get(&key).copied().unwrap_or_default();
            match outcome.as_str() {
                "accepted" => {
                    assert!(sent == 1 && receipts == 1, "{key}: sent {sent} times, {receipts} receipts");
                }
                "uncertain" => {
                    assert!(sent <= 1 && receipts <= 1, "{key}: sent {sent} times, {receipts} receipts");
                }
                _ => assert_eq!(sent, 0, "{key}: {outcome}"),
            }
            *counts.entry(outcome.clone()).or_default() += 1;
        }
        assert!(seen.most_binds <= 4, "{} binds", seen.most_binds);
        assert_eq!(seen.refused, 0, "binds were refused");
        assert_eq!(seen.throttled, 0, "messages came too fast");
        println!("{} messages: {counts:?}; at most {} binds", self.published, seen.most_binds);
        counts
    }

    /// Returns how many messages are in the queue.
    async fn queued(&self) -> Result<u64, async_nats::Error> {
        let stream = self.context.get_stream(self.names.stream("SEND")).await?;
        Ok(stream.cached_info().state.messages)
    }

    /// Returns the outcomes and the number of receipts of each key.
    async fn told(&self) -> (BTreeMap<String, Vec<String>>, BTreeMap<String, usize>) {
        let (mut told, mut receipts) = (BTreeMap::<String, Vec<String>>::new(), BTreeMap::new());
        for (kind, _, value) in self.events().await {
            let Some(key) = value.get("key").and_then(Value::as_str) else { continue };
            match kind.as_str() {
                "receipt" => *receipts.entry(key.to_owned()).or_default() += 1,
                _ => told.entry(key.to_owned()).or_default().push(kind),
            }
        }
        (told, receipts)
    }
}

struct NatsServer {
    process: Child,
    port: u16,
    arguments: Vec<String>,
}

impl NatsServer {
    fn new(port: u16, arguments: Vec<String>) -> Self {
        Self { process: spawn_nats(&arguments), port, arguments }
    }

    fn single(folder: &Path) -> Self {
        let port = free_port().unwrap();
        Self::new(port, arguments(port, folder))
    }

    fn cluster(folder: &Path) -> Vec<Self> {
        let routes: Vec<u16> = (0..3).map(|_| free_port().unwrap()).collect();
        let url = |port: &u16| format!("nats://127.0.0.1:{port}");
        let all = routes.iter().map(url).collect::<Vec<_>>().join(",");
        let server = |(number, route): (usize, &u16)| {
            let port = free_port().unwrap();
            let mut arguments = arguments(port, &folder.join(number.to_string()));
            let name = format!("server{number}");
            let more = [
                "--server_name",
                &name,
                "--cluster_name",
                "test",
                "--cluster",
                &url(route),
                "--routes",
                &all,
            ];
            arguments.extend(more.map(str::to_owned));
            Self::new(port, arguments)
        };
        routes.iter().enumerate().map(server).collect()
    }

    fn start(&mut self) {
        self.process = spawn_nats(&self.arguments);
    }
}

fn arguments(port: u16, folder: &Path) -> Vec<String> {
    let (port, folder) = (port.to_string(), folder.to_string_lossy().into_owned());
    ["-js", "-a", "127.0.0.1", "-p", &port, "-sd", &folder].map(str::to_owned).to_vec()
}

fn spawn_nats(arguments: &[String]) -> Child {
    let mut command = Command::new(program());
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.kill_on_drop(true).spawn().expect("the variable NATS_SERVER names the program of a NATS server")
}

fn urls(servers: &[NatsServer]) -> String {
    servers.iter().map(|server| format!("nats://127.0.0.1:{}", server.port)).collect::<Vec<_>>().join(",")
}

impl Drop for World {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.process.start_kill();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn program() -> PathBuf {
    std::env::var_os("NATS_SERVER").map_or_else(|| "nats-server".into(), PathBuf::from)
}

pub(crate) fn nats_settings(servers: String) -> NatsSettings {
    NatsSettings {
        servers,
        credentials: None,
        nkey: None,
        token: None,
        ca: None,
        certificate: None,
        key: None,
    }
}

fn recipient(number: usize) -> String {
    format!("+65910{number:05}")
}

async fn start_smsc(seen: &Arc<Mutex<Seen>>, address: SocketAddr) -> TestSmsc {
    let seen = Arc::clone(seen);
    let listener = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    };
    TestSmsc::builder()
        .account(ACCOUNT.0, ACCOUNT.1)
        .rules(Rules::default().rate(Rate::per_second(200)).seed(rand_seed()))
        .faults(Faults::default().response_delay(Duration::from_millis(20)))
        .listen(Listener::new(listener, smpp_proto::session::Config::default()))
        .subscribe(move |event| {
            let mut seen = seen.lock().unwrap();
            match event {
                TestSmscEvent::Submitted { message, outcome: Ok(_), .. } => {
                    let to = message.destination.digits.to_string();
                    *seen.accepted.entry(to).or_default() += 1;
                }
                TestSmscEvent::Server(ServerEvent::Bound(_)) => {
                    seen.binds += 1;
                    seen.most_binds = seen.most_binds.max(seen.binds);
                }
                TestSmscEvent::Server(ServerEvent::Ended { .. }) => {
                    seen.binds = seen.binds.saturating_sub(1);
                }
                TestSmscEvent::Server(ServerEvent::BindRefused { .. }) => seen.refused += 1,
                TestSmscEvent::Server(ServerEvent::Throttled(_)) => seen.throttled += 1,
                _ => {}
            }
        })
        .start()
        .await
        .unwrap()
}

/// A restarted SMSC gives other ids.
fn rand_seed() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64
}
