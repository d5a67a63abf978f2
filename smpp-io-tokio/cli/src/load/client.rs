//! The ESME that measures.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use smpp_core::session::{Config, NotSentReason, Rate};
use smpp_core::{Address, Bind, COctets, Endpoint, Password, ShortMessage, SubmitSm};
use smpp_io_tokio::{Client, Connector, RequestError, Response, tls};
use tokio::task::JoinSet;
use tokio::time;

use super::report::{Report, Tally};
use super::{Arguments, Stop};

/// Messages that one task has under way. With few, tasks cost more than the messages; with many, a task that is
/// woken for one outcome looks after many others.
const LANES: usize = 16;

/// What is sent, and what became of it.
struct Load {
    /// Messages that nobody has taken yet.
    left: AtomicI64,
    text: Vec<u8>,
    to: String,
    /// Messages with an outcome.
    told: AtomicU64,
    began: Instant,
}

/// Binds, submits, unbinds, reports. Whether every message was accepted.
pub(crate) async fn submit(arguments: &Arguments, url: &str) -> Result<bool, Stop> {
    let (endpoint, connector) = target(arguments, url)?;
    Address::international(&arguments.to).map_err(|error| Stop::usage(format!("--to: {error}")))?;
    let mut clients = Vec::new();
    for _ in 0..arguments.connections {
        clients.push(bound(&connector, &endpoint).await?);
    }
    let words = b"The quick brown fox jumps over the lazy dog. ".iter().copied().cycle();
    let load = Arc::new(Load {
        left: AtomicI64::new(arguments.messages.cast_signed()),
        text: words.take(arguments.length.into()).collect(),
        to: arguments.to.clone(),
        told: AtomicU64::new(0),
        began: Instant::now(),
    });
    let mut tasks = JoinSet::new();
    for client in &clients {
        for first in (0..usize::from(arguments.window)).step_by(LANES) {
            let lanes = LANES.min(usize::from(arguments.window) - first);
            tasks.spawn(Arc::clone(&load).lanes(client.clone(), lanes));
        }
    }
    let progress = progress(arguments);
    let mut tick = time::interval(Duration::from_millis(100));
    let mut tally = Tally::new();
    while !tasks.is_empty() {
        tokio::select! {
            _ = tick.tick() => progress.set_position(load.told.load(Ordering::Relaxed)),
            Some(Ok(told)) = tasks.join_next() => tally.add(told),
        }
    }
    let took = load.began.elapsed();
    progress.finish_and_clear();
    let mut ends = Vec::new();
    for client in &clients {
        ends.push(client.unbind().await);
    }
    let report = Report { took, ends, messages: arguments.messages, tally: &tally };
    report.print(arguments.json);
    Ok(report.is_good())
}

impl Load {
    /// Submits so many messages at a time until none is left, or the session has ended. Each lane submits one
    /// message after another and awaits each.
    async fn lanes(self: Arc<Self>, client: Client, lanes: usize) -> Tally {
        let message = SubmitSm {
            destination: Address::international(&self.to).unwrap_or_default(),
            short_message: ShortMessage::new(&self.text).unwrap_or_default(),
            ..SubmitSm::default()
        };
        let mut tally = Tally::new();
        // None: it has ended.
        let mut lanes: Vec<_> = (0..lanes)
            .map(|_| self.take().then(|| (self.nanos(), Box::pin(client.submit(&message)))))
            .collect();
        poll_fn(|cx| {
            // The outcomes that have woken the task came at the same time.
            let (now, before) = (self.nanos(), tally.all());
            for lane in &mut lanes {
                while let Some((began, submission)) = lane {
                    let Poll::Ready(outcome) = submission.as_mut().poll(cx) else { break };
                    tally.count(&outcome, now - *began);
                    if is_over(&outcome) || !self.take() {
                        *lane = None;
                        break;
                    }
                    *began = now;
                    submission.set(client.submit(&message));
                }
            }
            self.told.fetch_add(tally.all() - before, Ordering::Relaxed);
            if lanes.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        tally
    }

    /// Nanoseconds since it began.
    fn nanos(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    /// Takes one of the messages that are left.
    fn take(&self) -> bool {
        self.left.fetch_sub(1, Ordering::Relaxed) > 0
    }
}

/// Whether the session takes no more.
fn is_over(outcome: &Result<Response, RequestError>) -> bool {
    matches!(outcome, Err(RequestError::NeverSent(NotSentReason::Closed(_) | NotSentReason::State(_))))
}

/// Where to bind, trusting whom.
fn target(arguments: &Arguments, url: &str) -> Result<(Endpoint, Connector), Stop> {
    let mut endpoint: Endpoint = url.parse().map_err(|error| Stop::usage(format!("--url: {error}")))?;
    if endpoint.password.is_none() {
        endpoint.password = std::env::var("SMPP_PASSWORD").ok();
    }
    let rate = arguments.rate.map(Rate::per_second);
    let connector = Connector::new().config(Config { window: arguments.window, rate, ..Config::default() });
    match &arguments.ca {
        Some(ca) => {
            let trust = tls::ca_file(ca).map_err(|error| Stop::usage(format!("--ca: {error}")))?;
            Ok((endpoint, connector.tls(trust)))
        }
        None => Ok((endpoint, connector)),
    }
}

/// Connects and binds. What the SMSC delivers is refused for now: it keeps it.
async fn bound(connector: &Connector, endpoint: &Endpoint) -> Result<Client, Stop> {
    let octets = |text: &Option<String>| text.clone().unwrap_or_default().into_bytes();
    let (system_id, password) = (octets(&endpoint.system_id), octets(&endpoint.password));
    let bind = Bind {
        system_id: COctets::new(&system_id).map_err(|error| Stop::usage(format!("system_id: {error}")))?,
        password: Password::new(&password).map_err(|error| Stop::usage(format!("password: {error}")))?,
        ..Bind::default()
    };
    let connected = connector.connect(endpoint).await;
    let (client, _) = connected.map_err(|error| Stop::failed(error.to_string()))?;
    client.bind(&bind).await.map_err(|error| Stop::failed(format!("bind_transceiver: {error}")))?;
    Ok(client)
}

fn progress(arguments: &Arguments) -> ProgressBar {
    if arguments.json {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len}  {per_sec}  {eta} left");
    ProgressBar::new(arguments.messages).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
