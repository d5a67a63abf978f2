//! `smpp-gateway status`: the nodes, the binds and the queues of an account, as NATS has them.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, pull};
use async_nats::jetstream::message::Message;
use async_nats::jetstream::stream::Stream;
use futures_util::StreamExt;

use crate::names::Names;
use crate::nats::{self, CLOCK_SKEW};
use crate::node::{Attempt, Priority};
use crate::settings::NatsSettings;

/// Prints the status of an account.
///
/// # Errors
///
/// NATS is not there within 10 s, or the account has no streams.
pub async fn show(settings: &NatsSettings, system_id: &str) -> Result<(), String> {
    let client = nats::connect(settings, "smpp-gateway status").await.map_err(|error| error.to_string())?;
    let context = async_nats::jetstream::new(client.clone());
    let text = tokio::time::timeout(Duration::from_secs(10), status(&context, &Names::new(system_id))).await;
    let is_connected = client.connection_state() == State::Connected;
    let text = text.map_err(|_| String::new()).flatten();
    let no_nats =
        || format!("no NATS at {}: start it, or name another with --nats", settings.shown_servers());
    print!("{}", text.map_err(|error| if is_connected && !error.is_empty() { error } else { no_nats() })?);
    Ok(())
}

/// Returns the status as text.
///
/// # Errors
///
/// NATS does not answer, or the account has no streams.
pub async fn status(context: &Context, names: &Names) -> Result<String, String> {
    let mut text = String::new();
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    let all = DeliverPolicy::LastPerSubject;
    let nodes = entries(&stream(context, names.bucket_stream("NODES")).await?, all).await?;
    let leases = entries(&stream(context, names.bucket_stream("BINDS")).await?, all).await?;
    let mut held: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (subject, payload) in leases {
        let number = subject.rsplit('.').next().unwrap_or_default().to_owned();
        held.entry(String::from_utf8_lossy(&payload).into_owned()).or_default().push(number);
    }
    let mut alive = Vec::new();
    for (subject, payload) in nodes {
        let mut tokens = subject.rsplit('.');
        let (instance, state) = (tokens.next().unwrap_or_default(), tokens.next().unwrap_or_default());
        let entry: serde_json::Value = serde_json::from_slice(&payload).unwrap_or_default();
        let leases = held.remove(instance).unwrap_or_default().join(", ");
        let binds = entry.get("binds").and_then(serde_json::Value::as_u64).unwrap_or_default();
        line(format!("node {instance}: {state}, {binds} bound, leases [{leases}]"));
        alive.push(instance.to_owned());
    }
    for (holder, numbers) in held {
        line(format!("node {holder}: dead, its leases [{}] end in seconds", numbers.join(", ")));
    }
    let send = stream(context, names.stream("SEND")).await?;
    for priority in Priority::ALL {
        let name = priority.name();
        let consumer: Consumer<pull::Config> =
            send.get_consumer(name).await.map_err(|error| error.to_string())?;
        let info = consumer.cached_info();
        line(format!(
            "queue {name}: {} wait, {} in the hands of nodes",
            info.num_pending, info.num_ack_pending
        ));
    }
    let (mut in_flight, mut in_doubt) = (0, 0);
    // An attempt without an outcome is younger than its message, which is in the queue.
    let queue = &send.cached_info().state;
    let mut attempts = Vec::new();
    if queue.messages > 0 {
        let start_time = queue.first_timestamp - CLOCK_SKEW;
        let since = DeliverPolicy::ByStartTime { start_time };
        attempts = entries(&stream(context, names.bucket_stream("ATTEMPTS")).await?, since).await?;
    }
    for (_, payload) in attempts {
        let Ok(attempt) = serde_json::from_slice::<Attempt>(&payload) else { continue };
        if attempt.outcome.is_none() && !attempt.node.is_empty() {
            if alive.contains(&attempt.node) {
                in_flight += 1;
            } else {
                in_doubt += 1;
            }
        }
    }
    line(format!("messages: {in_flight} being sent, {in_doubt} in doubt because their node has died"));
    for part in ["EVENT", "PARTS"] {
        let state = stream(context, names.stream(part)).await?.cached_info().state.clone();
        line(format!("stream {part}: {} messages, {} octets", state.messages, state.bytes));
    }
    Ok(text)
}

async fn stream(context: &Context, name: String) -> Result<Stream, String> {
    context.get_stream(&name).await.map_err(|error| format!("the stream {name}: {error}"))
}

/// Returns the messages of a stream that has one for each subject.
async fn entries(stream: &Stream, deliver_policy: DeliverPolicy) -> Result<Vec<(String, Vec<u8>)>, String> {
    let config = pull::Config {
        deliver_policy,
        // Its filter must name subjects.
        filter_subject: stream.cached_info().config.subjects.first().cloned().unwrap_or_default(),
        ack_policy: AckPolicy::None,
        inactive_threshold: Duration::from_secs(5),
        ..pull::Config::default()
    };
    let consumer = stream.create_consumer(config).await.map_err(|error| error.to_string())?;
    let mut left = consumer.cached_info().num_pending;
    let mut entries = Vec::new();
    while left > 0 {
        let batch = consumer.fetch().max_messages(1_000).messages().await;
        let batch: Vec<Message> = batch
            .map_err(|error| error.to_string())?
            .filter_map(async |message| message.ok())
            .collect()
            .await;
        if batch.is_empty() {
            break;
        }
        left = left.saturating_sub(batch.len() as u64);
        entries.extend(batch.into_iter().map(|it| (it.subject.to_string(), it.payload.to_vec())));
    }
    Ok(entries)
}
