//! A NATS server, an SMSC and nodes in processes of their own, and the comparison of what each of them says.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::{self, Context};
use futures_util::StreamExt;
use serde_json::{Value, json};
use smpp_gateway::demo::free_port;
use smpp_gateway::names::{Names, event_kind};
use smpp_gateway::nats::connect;
use smpp_gateway::settings::NatsSettings;
use smpp_gateway::status::status;
use smpp_proto::session::Rate;
use smpp_proto::simulator::Rules;
use smpp_tokio::testing::{Faults, TestSmsc, TestSmscEvent};
use smpp_tokio::{Listener, ServerEvent};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::node_process::NodeProcess;

pub(crate) const ACCOUNT: (&str, &str) = ("demo_shop", "s3cret");

/// Where a node that loses NATS gives up its binds after two seconds.
pub(crate) const LEASE_SECONDS: u64 = 3;

/// The test fails if what it waits for takes longer.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);

/// How many messages wait at most while a test publishes without end.
const MOST_WAITING: usize = 50;

/// What the SMSC has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// How often the SMSC was started.
    starts: usize,
    /// How often each recipient's message was accepted.
    pub(crate) accepted: BTreeMap<String, usize>,
    pub(crate) binds: usize,
    pub(crate) most_binds: usize,
    /// How many binds have ended.
    pub(crate) ended: usize,
    /// How many binds were refused.
    pub(crate) refused: usize,
    /// How many messages came faster than allowed.
    pub(crate) throttled: usize,
}

impl Seen {
    fn record(&mut self, event: &TestSmscEvent<'_>) {
        match event {
            TestSmscEvent::Submitted { message, outcome: Ok(_), .. } => {
                let to = message.destination.digits.to_string();
                *self.accepted.entry(to).or_default() += 1;
            }
            TestSmscEvent::Server(ServerEvent::Bound(_)) => {
                self.binds += 1;
                self.most_binds = self.most_binds.max(self.binds);
            }
            TestSmscEvent::Server(ServerEvent::Ended { .. }) => {
                self.binds = self.binds.saturating_sub(1);
                self.ended += 1;
            }
            TestSmscEvent::Server(ServerEvent::BindRefused { .. }) => self.refused += 1,
            TestSmscEvent::Server(ServerEvent::Throttled(_)) => self.throttled += 1,
            _ => {}
        }
    }
}

pub(crate) struct World {
    servers: Vec<NatsServer>,
    folder: PathBuf,
    pub(crate) smsc: Option<TestSmsc>,
    smsc_address: SocketAddr,
    pub(crate) seen: watch::Sender<Seen>,
    pub(crate) context: Context,
    pub(crate) names: Names,
    pub(crate) nodes: Vec<NodeProcess>,
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
        let seen = watch::Sender::new(Seen::default());
        let smsc = start_smsc(&seen, SocketAddr::from(([127, 0, 0, 1], 0))).await;
        let smsc_address = smsc.local_addr();
        let context = jetstream::new(connect(&settings, "test").await.unwrap());
        let names = Names::new(ACCOUNT.0);
        let nodes = Vec::new();
        let smsc = Some(smsc);
        Self { servers, folder, smsc, smsc_address, seen, context, names, nodes, published: 0 }
    }

    /// Starts a node that reaches NATS at this port; `None` for the port of NATS itself.
    pub(crate) fn spawn_node(&self, nats_port: Option<u16>) -> NodeProcess {
        NodeProcess::start(&mut self.command(nats_port))
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
            .kill_on_drop(true);
        command
    }

    pub(crate) fn add_node(&mut self) {
        let node = self.spawn_node(None);
        self.nodes.push(node);
    }

    /// Waits until the SMSC has this many binds.
    pub(crate) async fn wait_for_binds(&self, count: usize) {
        self.wait_for(&format!("{count} binds"), |seen| seen.binds == count).await;
    }

    /// Waits until the SMSC has seen what is expected.
    pub(crate) async fn wait_for(&self, what: &str, mut is_expected: impl FnMut(&Seen) -> bool) {
        let mut seen = self.seen.subscribe();
        let is_seen = timeout(LIMIT, seen.wait_for(&mut is_expected)).await.is_ok();
        let binds = self.seen.borrow().binds;
        assert!(is_seen, "not seen: {what}; {binds} binds; {:#?}", self.newest_lines());
    }

    /// Returns the newest lines of each node.
    fn newest_lines(&self) -> Vec<String> {
        let newest = |log: String| log.lines().rev().take(15).map(str::to_owned).collect::<Vec<_>>();
        self.nodes.iter().flat_map(|node| newest(node.log())).collect()
    }

    /// Waits until NATS lists so many nodes, and each has a bind.
    pub(crate) async fn wait_for_a_bind_on_each_node(&self, nodes: usize) {
        until("each node has a bind", async || {
            let status = status(&self.context, &self.names).await.ok()?;
            let active =
                status.lines().filter(|line| line.starts_with("node ") && line.contains(": active,"));
            let bound = active.clone().filter(|line| !line.contains(" 0 bound,"));
            ((active.count(), bound.count()) == (nodes, nodes)).then_some(())
        })
        .await;
    }

    /// Publishes so many messages.
    pub(crate) async fn publish(&mut self, count: usize) {
        for _ in 0..count {
            self.publish_one().await;
        }
    }

    /// Publishes so many messages, and waits until the SMSC has accepted one of them or of those before: the nodes send.
    pub(crate) async fn publish_and_send(&mut self, count: usize) {
        let accepted = self.seen.borrow().accepted.len();
        self.publish(count).await;
        self.wait_for("a message", |seen| seen.accepted.len() > accepted).await;
    }

    /// Publishes until the SMSC has seen what is expected.
    pub(crate) async fn publish_until(&mut self, what: &str, mut is_expected: impl FnMut(&Seen) -> bool) {
        let mut seen = self.seen.subscribe();
        let publishing = async {
            loop {
                let accepted = {
                    let seen = seen.borrow_and_update();
                    if is_expected(&seen) {
                        return;
                    }
                    seen.accepted.len()
                };
                if self.published < accepted + MOST_WAITING {
                    self.publish_one().await;
                } else {
                    seen.changed().await.unwrap();
                }
            }
        };
        assert!(timeout(LIMIT, publishing).await.is_ok(), "not seen: {what}; {:#?}", self.newest_lines());
    }

    /// Publishes a message until NATS has stored it. Its number is its recipient and its key.
    async fn publish_one(&mut self) {
        let number = self.published;
        self.published += 1;
        let key = format!("key-{number}");
        let message = json!({"key": key, "from": "8x8", "to": recipient(number), "text": "Hello"});
        let queue = ["high", "normal", "low"][number % 3];
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Nats-Msg-Id", key.as_str());
        until("NATS stores the message", async || {
            let payload = message.to_string().into();
            let sent = self.context.publish_with_headers(self.names.send(queue), headers.clone(), payload);
            sent.await.ok()?.await.ok()
        })
        .await;
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
        until("the stream has a leader", async || {
            let stream = self.context.get_stream(stream).await.ok()?;
            let leader = stream.cached_info().cluster.as_ref()?.leader.as_ref()?;
            Some(leader.trim_start_matches("server").parse().unwrap())
        })
        .await
    }

    /// Waits until the other servers of the cluster have all that the leader of a stream has.
    pub(crate) async fn wait_for_replicas(&self, stream: &str) {
        until("the replicas of the stream are current", async || {
            let stream = self.context.get_stream(stream).await.ok()?;
            let replicas = &stream.cached_info().cluster.as_ref()?.replicas;
            (replicas.len() == 2 && replicas.iter().all(|replica| replica.current)).then_some(())
        })
        .await;
    }

    /// Ends the SMSC without an unbind and starts it again. What ends with it is not counted later.
    pub(crate) async fn restart_smsc(&mut self) {
        drop(self.smsc.take());
        self.seen.send_modify(|seen| seen.binds = 0);
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
        until("NATS lists the events", async || self.read_events().await.ok()).await
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
        let is_done = async || {
            let (told, receipts) = self.told().await;
            let accepted = |key: &&String| told[*key] == ["accepted"];
            let is_done = told.len() == self.published
                && told.keys().filter(accepted).all(|key| receipts.contains_key(key))
                && self.smsc.as_ref().is_none_or(|smsc| smsc.pending() == 0);
            is_done.then_some(())
        };
        // If it takes too long, the comparison names what is missing.
        let _ = timeout(LIMIT, poll(is_done)).await;
        until("the queue is empty", async || (self.queued().await.ok()? == 0).then_some(())).await;
        let mut ids = BTreeSet::new();
        for (_, id, _) in self.events().await {
            assert!(ids.insert(id.clone()), "{id} was told twice");
        }
        let (told, receipts) = self.told().await;
        let seen = self.seen.borrow();
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

async fn start_smsc(seen: &watch::Sender<Seen>, address: SocketAddr) -> TestSmsc {
    let listener = until("the port is free", async || TcpListener::bind(address).await.ok()).await;
    seen.send_modify(|seen| seen.starts += 1);
    let (seen, start) = (seen.clone(), seen.borrow().starts);
    TestSmsc::builder()
        .account(ACCOUNT.0, ACCOUNT.1)
        .rules(Rules::default().rate(Rate::per_second(200)).seed(rand_seed()))
        .faults(Faults::default().response_delay(Duration::from_millis(20)))
        .listen(Listener::new(listener, smpp_proto::session::Config::default()))
        .subscribe(move |event| {
            seen.send_modify(|seen| {
                if seen.starts == start {
                    seen.record(&event);
                }
            });
        })
        .start()
        .await
        .unwrap()
}

/// A restarted SMSC gives other ids.
fn rand_seed() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64
}

/// Asks again and again until there is an answer. NATS and the operating system report no change of what is asked here.
async fn poll<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Polls. Fails if it takes too long.
pub(crate) async fn until<T>(what: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
    timeout(LIMIT, poll(ask)).await.unwrap_or_else(|_| panic!("it takes too long until {what}"))
}
