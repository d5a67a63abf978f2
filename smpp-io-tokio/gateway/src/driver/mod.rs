//! Runs a node: carries out the commands of its logic with NATS and an account.

mod account_side;
mod commands;

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::connection::State as NatsState;
use smpp_proto::account::{Message, MessageNumber};
use smpp_proto::provider::ReceiptDialect;
use smpp_proto::session::Instant;
use smpp_proto::sms::Codings;
use smpp_tokio::account::{Account, AccountConnector, Arrivals, Events};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::{self, sleep_until};

use crate::json::node_event_json;
use crate::leased::Connections;
use crate::log;
use crate::metrics::{self, Metrics};
use crate::names::Names;
use crate::nats::{self, Engine};
use crate::node::{DeliveryId, Ended, ItemId, Node, Priority, Reply, RequestId, Work};
use crate::settings::{Settings, TOLD_AGE, hours, seconds};
use account_side::Delivery;

/// How often the connections and gauges are looked at, beside the events of the account.
const TICK: Duration = Duration::from_millis(200);

/// How long NATS may be connected and not do what the node needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a node logs that is stopped while it waits for NATS.
const STOPPED_EARLY: &str = "stopped before NATS was ready";

/// A message that is ready to be submitted.
#[derive(Debug)]
struct Body {
    message: Message,
    deadline: Option<time::Instant>,
}

/// What the tasks of the driver report.
enum Input {
    Reply(RequestId, Reply),
    Work(Box<Work<Body>>),
    PullEnded(Priority),
    Ended(ItemId, Ended),
}

/// Why a node cannot run.
#[derive(Debug)]
pub struct RunError {
    what: String,
    cause: Option<nats::NatsError>,
}

impl std::fmt::Display for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}

impl From<String> for RunError {
    fn from(what: String) -> Self {
        Self { what, cause: None }
    }
}

impl From<nats::NatsError> for RunError {
    fn from(error: nats::NatsError) -> Self {
        Self { what: error.to_string(), cause: Some(error) }
    }
}

struct Driver {
    node: Node<Body>,
    instance: String,
    client: async_nats::Client,
    engine: Arc<Engine>,
    account: Account,
    connections: Connections,
    dialect: ReceiptDialect,
    inputs: UnboundedSender<Input>,
    deliveries: HashMap<DeliveryId, Delivery>,
    last_delivery: u64,
    /// The messages that the account has.
    submitted: HashMap<ItemId, MessageNumber>,
    node_events: AtomicU64,
    metrics: Arc<Metrics>,
    start: time::Instant,
}

/// Runs a node until `stop` completes, then ends it gracefully.
///
/// # Errors
///
/// [`RunError`] if the settings are wrong, or NATS does not allow what the node needs.
pub async fn run(settings: &Settings, stop: impl Future<Output = ()>) -> Result<(), RunError> {
    settings.check()?;
    let options = settings.account()?;
    let endpoint = settings.endpoint()?;
    let names = Names::new(&options.credentials.system_id);
    let instance = instance(&settings.node);
    let mut stop = pin!(stop);
    let client = tokio::select! {
        // The first poll of `stop` starts to listen for signals.
        biased;
        () = &mut stop => {
            log(&instance, STOPPED_EARLY);
            return Ok(());
        }
        client = nats::connect(&settings.nats, &instance) => client?,
    };
    log(&instance, &format!("starting: account {}, waiting for NATS", names.account()));
    let node_options = settings.node_options();
    let codings = options.text.codings;
    let engine = tokio::select! {
        engine = engine(settings, &client, &names, &instance, codings) => engine?,
        () = &mut stop => {
            log(&instance, STOPPED_EARLY);
            return Ok(());
        }
    };
    let connections = Connections::default();
    let leased = connections.clone();
    let dialect = options.receipts.dialect;
    let mut connector = AccountConnector::new(&endpoint, options)
        .arrivals_capacity(node_options.deliveries)
        .dial(move |target| {
            let leased = leased.clone();
            async move {
                let stream = TcpStream::connect(target.address).await?;
                stream.set_nodelay(true)?;
                leased.add(stream)
            }
        });
    if let Some(path) = &settings.ca {
        let tls = smpp_tokio::tls::ca_file(path).map_err(|error| format!("--ca: {error}"))?;
        connector = connector.tls(tls);
    }
    let (account, arrivals) = connector.start().map_err(|error| error.to_string())?;
    let metrics = Arc::new(Metrics::default());
    if let Some(address) = settings.http {
        let listener =
            TcpListener::bind(address).await.map_err(|error| format!("--http {address}: {error}"))?;
        tokio::spawn(metrics::serve(listener, Arc::clone(&metrics)));
    }
    let (inputs, received) = mpsc::unbounded_channel();
    let events = account.events();
    let start = time::Instant::now();
    let driver = Driver {
        node: Node::new(node_options, instance.clone(), Instant::ZERO),
        instance,
        client,
        engine: Arc::new(engine),
        account,
        connections,
        dialect,
        inputs,
        deliveries: HashMap::new(),
        last_delivery: 0,
        submitted: HashMap::new(),
        node_events: AtomicU64::new(0),
        metrics,
        start,
    };
    driver.run((received, arrivals, events), stop, seconds(settings.stop_seconds)).await;
    Ok(())
}

/// Creates what does not exist in NATS, and opens it. A cluster that has no leader yet is asked again for a minute.
async fn engine(
    settings: &Settings,
    client: &async_nats::Client,
    names: &Names,
    instance: &str,
    codings: Codings,
) -> Result<Engine, RunError> {
    let timeout = settings.node_options().lease / 4;
    let times = (hours(settings.key_hours), TOLD_AGE);
    let mut end = time::Instant::now() + PATIENCE;
    loop {
        let opened = match nats::create_streams(client, names, &settings.streams()).await {
            Ok(()) => {
                let (names, instance) = (names.clone(), instance.to_owned());
                Box::pin(Engine::open(client.clone(), names, instance, timeout, times, codings)).await
            }
            Err(error) => Err(error),
        };
        match opened {
            Ok(engine) => return Ok(engine),
            Err(error) if error.is_final() => return Err(error.into()),
            Err(error) if is_connected(client) => {
                if time::Instant::now() > end {
                    return Err(error.into());
                }
                log(instance, &format!("{error}; trying again"));
            }
            Err(_) => end = time::Instant::now() + PATIENCE,
        }
        time::sleep(Duration::from_secs(1)).await;
    }
}

impl Driver {
    async fn run(
        mut self,
        sources: (UnboundedReceiver<Input>, Arrivals, Events),
        mut stop: impl Future<Output = ()> + Unpin,
        stop_timeout: Duration,
    ) {
        let (mut inputs, mut arrivals, mut events) = sources;
        let mut tick = time::interval(TICK);
        tick.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        let mut end: Option<time::Instant> = None;
        self.tell_node("started", "").await;
        while !self.node.is_drained() {
            self.pump();
            let far = self.start + Duration::from_secs(365 * 24 * 3600);
            let timer = self.node.poll_timeout().map_or(far, |at| self.start + (at - Instant::ZERO));
            tokio::select! {
                Some(input) = inputs.recv() => {
                    self.handle(input);
                    // More at once cost less; the timers have their turn all the same.
                    for _ in 0..256 {
                        let Ok(input) = inputs.try_recv() else { break };
                        self.handle(input);
                    }
                }
                Some(arrival) = arrivals.recv(), if self.node.wants_deliveries() => self.handle_arrival(arrival),
                Some(event) = events.recv() => self.handle_account_event(&event),
                () = sleep_until(timer) => {
                    let now = self.now();
                    self.node.handle_timeout(now);
                }
                _ = tick.tick() => self.tick(),
                () = &mut stop, if end.is_none() => {
                    log(&self.instance, "stopping: what is not sent goes back to the queue");
                    end = Some(time::Instant::now() + stop_timeout);
                    let now = self.now();
                    self.node.shutdown(now);
                }
                () = sleep_until(end.unwrap_or(far)), if end.is_some() => {
                    log(&self.instance, "the graceful stop has taken too long: what is in flight is uncertain");
                    break;
                }
            }
        }
        self.pump();
        self.tell_node("stopped", "").await;
        self.account.shutdown(Duration::ZERO).await;
        let _ = time::timeout(Duration::from_secs(2), self.client.flush()).await;
        log(&self.instance, "stopped");
    }

    fn now(&self) -> Instant {
        Instant::after(self.start.elapsed())
    }

    fn handle(&mut self, input: Input) {
        let now = self.now();
        match input {
            Input::Reply(id, reply) => self.node.handle_reply(now, id, reply),
            Input::Work(work) => self.node.handle_work(now, *work),
            Input::PullEnded(priority) => self.node.handle_pull_ended(now, priority),
            Input::Ended(item, ended) => {
                self.submitted.remove(&item);
                self.node.handle_ended(now, item, ended);
            }
        }
    }

    fn tick(&mut self) {
        self.report_binds();
        let metrics = &self.metrics;
        let (messages, deliveries) = self.node.in_hand();
        metrics.messages_in_hand.store(messages as u64, Ordering::Relaxed);
        metrics.deliveries_in_hand.store(deliveries as u64, Ordering::Relaxed);
        metrics.leases.store(self.node.leases().len() as u64, Ordering::Relaxed);
        let connected = is_connected(&self.client);
        if metrics.is_connected.swap(connected, Ordering::Relaxed) != connected {
            log(&self.instance, if connected { "NATS is connected" } else { "NATS is not connected" });
        }
    }

    /// Stores an event about the node.
    async fn tell_node(&self, what: &str, detail: &str) {
        let (number, event) = self.node_event(what, detail);
        self.engine.publish_node_event(number, &event).await;
    }

    fn node_event(&self, what: &str, detail: &str) -> (u64, serde_json::Value) {
        let number = self.node_events.fetch_add(1, Ordering::Relaxed);
        (number, node_event_json(&self.instance, what, detail))
    }
}

fn is_connected(client: &async_nats::Client) -> bool {
    client.connection_state() == NatsState::Connected
}

/// Returns a name that no other node has, and no earlier start of this one.
fn instance(name: &str) -> String {
    let safe = name.chars().map(|it| if it.is_ascii_alphanumeric() || it == '-' { it } else { '_' });
    // The standard library keys its hash maps with random numbers of the system.
    let random = std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), name);
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mixed = random ^ u64::from(std::process::id()).rotate_left(32) ^ time.as_nanos() as u64;
    safe.chain(['-']).chain(format!("{mixed:016x}").chars()).collect()
}
