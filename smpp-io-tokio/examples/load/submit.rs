//! The ESME that measures.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use smpp_core::session::{Config, NotSent, Rate};
use smpp_core::{Address, Bind, COctets, Endpoint, Password, ShortMessage, SubmitSm};
use smpp_io_tokio::{Client, Connector, RequestError, tls};
use tokio::task::JoinSet;
use tokio::time;

use super::report::{Report, Tally};
use super::{Arguments, Stop};

/// What the lanes share. A lane submits one message after another; a connection has as many as its window.
struct Load {
    /// Messages that no lane has taken yet.
    left: AtomicI64,
    text: Vec<u8>,
    to: String,
    tally: Mutex<Tally>,
}

/// Binds, submits, unbinds, reports. Whether every message was accepted.
pub(crate) async fn submit(arguments: &Arguments) -> Result<bool, Stop> {
    let (endpoint, connector) = target(arguments)?;
    Address::international(&arguments.to).map_err(|error| Stop::usage(format!("--to: {error}")))?;
    let mut clients = Vec::new();
    for _ in 0..arguments.connections {
        clients.push(bound(&connector, &endpoint).await?);
    }
    let load = Arc::new(Load {
        left: AtomicI64::new(arguments.messages as i64),
        text: b"The quick brown fox jumps over the lazy dog. "
            .iter()
            .copied()
            .cycle()
            .take(arguments.length.into())
            .collect(),
        to: arguments.to.clone(),
        tally: Mutex::new(Tally::new()),
    });
    let began = Instant::now();
    let mut lanes = JoinSet::new();
    for client in &clients {
        for _ in 0..arguments.window {
            lanes.spawn(Arc::clone(&load).lane(client.clone()));
        }
    }
    let progress = progress(arguments);
    let mut tick = time::interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            _ = tick.tick() => progress.set_position(load.tally().all()),
            ended = lanes.join_next() => if ended.is_none() { break },
        }
    }
    let took = began.elapsed();
    progress.finish_and_clear();
    let mut ends = Vec::new();
    for client in &clients {
        ends.push(client.unbind().await);
    }
    let report = Report { took, ends, messages: arguments.messages, tally: &load.tally() };
    report.print(arguments.json);
    Ok(report.is_good())
}

impl Load {
    /// Submits until no message is left, or the session has ended.
    async fn lane(self: Arc<Self>, client: Client) {
        let message = SubmitSm {
            destination: Address::international(&self.to).unwrap_or_default(),
            short_message: ShortMessage::new(&self.text).unwrap_or_default(),
            ..SubmitSm::default()
        };
        let mut began = Instant::now();
        while self.left.fetch_sub(1, Ordering::Relaxed) > 0 {
            let outcome = client.submit(&message).await;
            let now = Instant::now();
            self.tally().count(&outcome, now - began);
            began = now;
            if matches!(outcome, Err(RequestError::NeverSent(NotSent::Closed(_) | NotSent::State(_)))) {
                return;
            }
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where to bind, trusting whom.
fn target(arguments: &Arguments) -> Result<(Endpoint, Connector), Stop> {
    let url = arguments.url.as_deref().unwrap_or_default();
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
