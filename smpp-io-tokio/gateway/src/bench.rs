//! `smpp-gateway bench`: how many messages a node carries, what that costs each process, and what NATS alone does for the same
//! stored operations. Everything runs on this machine; the files of NATS are in the folder for temporary files.

#![expect(clippy::cast_precision_loss, reason = "figures of a few digits")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::message::PublishMessage;
use futures_util::StreamExt;
use futures_util::stream;
use serde_json::{Value, json};
use smpp_proto::session::Config;
use smpp_proto::simulator::Rules;
use smpp_proto::sms::Codings;
use smpp_tokio::Listener;
use smpp_tokio::testing::TestSmsc;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::runtime::Runtime;
use tokio::time::{Instant, interval, sleep, timeout};

use crate::demo::{free_port, start_nats};
use crate::names::{Names, event_kind};
use crate::nats::{self, Engine, StreamSettings};
use crate::node::{
    AcceptedPart, Attempt, Event, EventKind, IdOwner, Outcome, Priority, ReceiptDetails, Reply, Request,
};
use crate::settings::NatsSettings;
use crate::status::status;

/// The account: system_id and password.
const ACCOUNT: (&str, &str) = ("bench", "s3cret");

/// How many messages are published before the first is stored, and how many steps the engine does at once.
const IN_FLIGHT: usize = 1_000;

/// How long nothing may happen.
const PATIENCE: Duration = Duration::from_secs(60);

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Runs the benchmark: `messages` without limits, then `paced` with the limits of 8x8, 150 a second.
///
/// # Errors
///
/// There is no NATS server, or something took too long.
pub async fn run(
    messages: usize,
    paced: usize,
    options: &[String],
    nats_server: &Path,
) -> Result<(), String> {
    let folder = std::env::temp_dir().join(format!("smpp-gateway-bench-{}", std::process::id()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("smsc")
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let bench = Bench { folder: folder.clone(), nats_server, smsc: &runtime };
    let result = async {
        bench.without_limits(messages, options).await?;
        bench.engine_alone(messages).await?;
        bench.with_limits(paced).await
    };
    let result: Result<(), Error> = result.await;
    let _ = std::fs::remove_dir_all(&folder);
    runtime.shutdown_background();
    result.map_err(|error| error.to_string())
}

struct Bench<'a> {
    folder: std::path::PathBuf,
    nats_server: &'a Path,
    smsc: &'a Runtime,
}

/// A NATS server, an SMSC and a node.
struct Processes {
    context: Context,
    names: Names,
    nats: Child,
    node: Child,
    _smsc: TestSmsc,
}

impl Bench<'_> {
    async fn nats(&self, name: &str) -> Result<(Child, async_nats::Client, String), Error> {
        let port = free_port()?;
        let server = start_nats(self.nats_server, port, &self.folder.join(name))?;
        let url = format!("nats://127.0.0.1:{port}");
        let settings = NatsSettings {
            servers: url.clone(),
            credentials: None,
            nkey: None,
            token: None,
            ca: None,
            certificate: None,
            key: None,
        };
        let client = nats::connect(&settings, "bench").await?;
        client.flush().await?;
        Ok((server, client, url))
    }

    async fn start(&self, name: &str, rules: Rules, options: &[String]) -> Result<Processes, Error> {
        let (nats, client, nats_url) = self.nats(name).await?;
        let started = self.smsc.spawn(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
            let smsc = TestSmsc::builder()
                .account(ACCOUNT.0, ACCOUNT.1)
                .rules(rules)
                .log_capacity(1)
                .listen(Listener::new(listener, Config::default().window(2_000)));
            smsc.start().await.map_err(|error| error.to_string())
        });
        let smsc = started.await??;
        let url = format!("smpp://{}@{}", ACCOUNT.0, smsc.local_addr());
        let mut node = Command::new(std::env::current_exe()?)
            .args(["run", "--nats", &nats_url, "--url", &url])
            .args(options)
            .env("SMPP_GATEWAY_PASSWORD", ACCOUNT.1)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let context = nats::context(client, PATIENCE);
        let names = Names::new(ACCOUNT.0);
        let end = Instant::now() + PATIENCE;
        while !status(&context, &names).await.unwrap_or_default().contains(": active, 4 bound") {
            if let Some(status) = node.try_wait()? {
                return Err(format!(
                    "the node has ended, {status}: `smpp-gateway run` with these options says why"
                )
                .into());
            }
            if Instant::now() > end {
                return Err("the node does not have the 4 binds that are measured".into());
            }
            sleep(Duration::from_millis(300)).await;
        }
        Ok(Processes { context, names, nats, node, _smsc: smsc })
    }

    async fn without_limits(&self, messages: usize, options: &[String]) -> Result<(), Error> {
        let rules = Rules::default().rate(None).max_receipts(4 * messages);
        let fast = ["--rate", "0", "--window", "500", "--prefetch", "4000"].map(str::to_owned);
        let options: Vec<String> = fast.into_iter().chain(options.iter().cloned()).collect();
        let world = self.start("limits-off", rules, &options).await?;
        let before = Cpu::read(&world);
        let start = Instant::now();
        let reader = tokio::spawn(read_events(world.context.clone(), world.names.clone(), messages));
        let publish = |number: usize| {
            let (context, subject) = (&world.context, world.names.send("normal"));
            async move { publish(context, subject, number).await }
        };
        let mut stored = stream::iter(0..messages).map(publish).buffer_unordered(IN_FLIGHT);
        while let Some(result) = stored.next().await {
            result?;
        }
        let published = start.elapsed();
        let times = reader.await??;
        let time = start.elapsed();
        let used = Cpu::read(&world).since(&before);
        let mut operations = 0;
        for name in ["SEND", "EVENT"].map(|part| world.names.stream(part)) {
            operations += world.context.get_stream(name).await?.cached_info().state.last_sequence;
        }
        for name in ["ATTEMPTS", "IDS"].map(|part| world.names.bucket_stream(part)) {
            operations += world.context.get_stream(name).await?.cached_info().state.last_sequence;
        }
        println!(
            "limits off: {messages} messages with receipts in {:.1} s: {:.0} a second (published in {:.1} s)",
            time.as_secs_f64(),
            messages as f64 / time.as_secs_f64(),
            published.as_secs_f64()
        );
        println!(
            "  stored operations for each message: {:.2}, and an acknowledgement",
            per(operations, messages)
        );
        used.print(messages);
        print_percentiles("  from publish to `accepted`, the queue included", times);
        Ok(())
    }

    /// Does what a node asks of NATS for each message, with nothing between.
    async fn engine_alone(&self, messages: usize) -> Result<(), Error> {
        let (server, client, _) = self.nats("alone").await?;
        let names = Names::new(ACCOUNT.0);
        let hour = Duration::from_secs(3_600);
        let settings = StreamSettings {
            max_binds: 4,
            replicas: 1,
            send_octets: 1 << 30,
            event_octets: 4 << 30,
            key_octets: 0,
            receipt_octets: 0,
            event_age: hour,
            receipt_age: hour,
            key_age: hour,
            duplicate_window: Duration::from_secs(120),
            lease: Duration::from_secs(9),
            ack_wait: Duration::from_secs(300),
        };
        nats::create_streams(&client, &names, &settings).await?;
        let context = nats::context(client.clone(), PATIENCE);
        let opened =
            Engine::open(client, names.clone(), "alone".into(), PATIENCE, (hour, hour), Codings::default());
        let engine = Arc::new(Box::pin(opened).await?);
        let id = server.id().unwrap_or_default();
        let (own, before, start) =
            (process_seconds("self"), process_seconds(&id.to_string()), Instant::now());
        let step = |number: usize| {
            let (context, subject, engine) = (&context, names.send("normal"), Arc::clone(&engine));
            async move {
                publish(context, subject, number).await?;
                steps(&engine, number).await
            }
        };
        let mut done = stream::iter(0..messages).map(step).buffer_unordered(IN_FLIGHT);
        while let Some(result) = done.next().await {
            result?;
        }
        let queue = engine.queue(Priority::Normal).ok_or("there is no queue")?;
        let mut left = messages;
        while left > 0 {
            let batch = queue.fetch().max_messages(IN_FLIGHT.min(left)).messages().await?;
            let acks = batch.map(async |message| message?.double_ack().await);
            let mut acks = std::pin::pin!(acks.buffer_unordered(IN_FLIGHT));
            while let Some(ack) = acks.next().await {
                ack?;
                left -= 1;
            }
        }
        let time = start.elapsed();
        println!(
            "NATS alone, the same operations: {:.1} s: as for {:.0} messages a second",
            time.as_secs_f64(),
            messages as f64 / time.as_secs_f64()
        );
        let used = [
            ("nats-server", process_seconds(&id.to_string()) - before),
            ("the client", process_seconds("self") - own),
        ];
        Cpu(used.into()).print(messages);
        Ok(())
    }

    async fn with_limits(&self, messages: usize) -> Result<(), Error> {
        let world = self.start("limits", Rules::default(), &[]).await?;
        let reader = tokio::spawn(read_events(world.context.clone(), world.names.clone(), messages));
        let mut turns = interval(Duration::from_micros(6_667));
        for number in 0..messages {
            turns.tick().await;
            publish(&world.context, world.names.send("normal"), number).await?;
        }
        let times = reader.await??;
        print_percentiles("limits of 8x8, 150 messages a second: from publish to `accepted`", times);
        Ok(())
    }
}

/// The messages carry when they were published, in microseconds of this process.
async fn publish(context: &Context, subject: String, number: usize) -> Result<(), Error> {
    let key = format!("{number}-{}", since_start().as_micros());
    let message = json!({"key": key, "from": "8x8", "to": "+6591234567", "text": "Your parcel is here"});
    let message = PublishMessage::build().payload(message.to_string().into()).message_id(&key);
    context.send_publish(subject, message).await?.await?;
    Ok(())
}

fn since_start() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// The requests of a node for a message that is accepted and has a receipt.
async fn steps(engine: &Engine, number: usize) -> Result<(), Error> {
    let key = format!("{number}-12345678");
    let id = format!("{number:032x}");
    let attempt = |outcome| Attempt {
        node: "node-0123456789abcdef".into(),
        nonce: 1,
        sequence: 1,
        sent_before: 0,
        outcome,
    };
    let accepted = AcceptedPart { part: 1, id: id.clone(), normalised: id.clone() };
    let outcome =
        Outcome { parts: 1, accepted: vec![accepted], reason: None, ..Outcome::new(EventKind::Accepted, "") };
    let owner = IdOwner { key: key.clone(), part: 1, parts: 1 };
    let done = async |request| match engine.request(request).await {
        Reply::Done(revision) => Ok::<u64, Error>(revision),
        other => Err(format!("NATS has not done it: {other:?}").into()),
    };
    let revision =
        done(Request::WriteAttempt { key: key.clone(), revision: 0, attempt: attempt(None) }).await?;
    let store = done(Request::StoreId { id: id.clone(), owner: owner.clone() });
    let outcome_attempt = attempt(Some(outcome.clone()));
    let write = done(Request::WriteAttempt { key: key.clone(), revision, attempt: outcome_attempt });
    tokio::try_join!(store, write)?;
    let event = Event::outcome(&key, 1, outcome);
    done(Request::Publish(Box::new(event))).await?;
    let receipt = ReceiptDetails {
        id: id.clone(),
        state: "DELIVERED".into(),
        is_final: true,
        stat: "DELIVRD".into(),
        err: None,
        digest: String::new(),
    };
    done(Request::Publish(Box::new(Event::receipt(Some(owner), receipt)))).await?;
    Ok(())
}

/// Reads events until each message is accepted and has its receipt. Returns the time from publish to `accepted` of each.
async fn read_events(context: Context, names: Names, messages: usize) -> Result<Vec<Duration>, Error> {
    let stream = context.get_stream(names.stream("EVENT")).await?;
    let config = pull::Config { ack_policy: AckPolicy::None, ..pull::Config::default() };
    let mut events = stream.create_consumer(config).await?.messages().await?;
    let (mut times, mut receipts) = (Vec::new(), 0);
    let mut others: BTreeMap<String, usize> = BTreeMap::new();
    while times.len() < messages || receipts < messages {
        let event = timeout(PATIENCE, events.next()).await;
        let Ok(Some(event)) = event else {
            return Err(format!("{} accepted, {receipts} receipts, {others:?}", times.len()).into());
        };
        let event = event?;
        match event_kind(&event.subject) {
            "receipt" => receipts += 1,
            "accepted" => {
                let value: Value = serde_json::from_slice(&event.payload)?;
                let key = value.get("key").and_then(Value::as_str).unwrap_or_default();
                let published =
                    key.rsplit('-').next().and_then(|micros| micros.parse().ok()).unwrap_or_default();
                times.push(since_start().saturating_sub(Duration::from_micros(published)));
            }
            kind => *others.entry(kind.to_owned()).or_default() += 1,
        }
    }
    Ok(times)
}

fn print_percentiles(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
    let milliseconds = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
    println!("{what}: p50 {:.1} ms, p99 {:.1} ms", milliseconds(at(50)), milliseconds(at(99)));
}

fn per(count: u64, messages: usize) -> f64 {
    count as f64 / messages.max(1) as f64
}

/// Seconds of CPU by process; 0 where the system does not say.
struct Cpu(Vec<(&'static str, f64)>);

impl Cpu {
    fn read(world: &Processes) -> Self {
        let of = |child: &Child| process_seconds(&child.id().unwrap_or_default().to_string());
        let smsc = thread_seconds("smsc");
        Self(vec![
            ("node", of(&world.node)),
            ("nats-server", of(&world.nats)),
            ("SMSC", smsc),
            ("publisher and reader", process_seconds("self") - smsc),
        ])
    }

    fn since(mut self, before: &Self) -> Self {
        for ((_, seconds), (_, earlier)) in self.0.iter_mut().zip(&before.0) {
            *seconds -= earlier;
        }
        self
    }

    fn print(&self, messages: usize) {
        let each = |seconds: f64| seconds * 1_000.0 / messages.max(1) as f64;
        let list: Vec<String> =
            self.0.iter().map(|(what, seconds)| format!("{what} {:.3}", each(*seconds))).collect();
        let all = each(self.0.iter().map(|(_, seconds)| seconds).sum());
        println!("  seconds of CPU for 1,000 messages: {}; in all {all:.3}", list.join(", "));
    }
}

/// Returns the seconds of CPU that a process has used.
fn process_seconds(id: &str) -> f64 {
    stat_seconds(&format!("/proc/{id}/stat"))
}

/// Returns the seconds of CPU that the threads of this name have used.
fn thread_seconds(name: &str) -> f64 {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return 0.0 };
    let all = threads.flatten().map(|thread| thread.path());
    let named = all.filter(|path| {
        std::fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim_end().starts_with(name))
    });
    named.map(|path| stat_seconds(&path.join("stat").to_string_lossy())).sum()
}

fn stat_seconds(path: &str) -> f64 {
    let stat = std::fs::read_to_string(path).unwrap_or_default();
    // The name in parentheses may contain spaces. User and system time are the 12th and 13th field behind it, in hundredths.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}
