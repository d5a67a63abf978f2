//! The SMSC: the simulator of `smpp-core` decides, a [`Server`] carries it out.

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use rustls::ClientConfig;
use smpp_core::session::{Config, Instant, RequestError, Smsc as Role};
use smpp_core::simulator::{
    self, Delivery, DeliveryRoute, Dialect, OriginateError, ReceiptTiming, Rng, Rules, Simulator,
};
use smpp_core::{
    Address, Bind, COctets, CommandStatus, Endpoint, MessageState, NoBody, Password, SubmitSm, SubmitSmResp,
    Tlvs,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time;

use super::faults;
use super::{Certificate, Faults};
use crate::{
    Admission, BindId, BindRegistry, BindRequest, BoundSession, Inbound, InboundRequest, Listener, Server,
    ServerBuilder, ServerEvent, ServerLimits, ServerStream, Service, Shutdown,
};

/// The account of the SMSC if the builder adds none: system_id and password.
pub const ACCOUNT: (&str, &str) = ("demo_shop", "s3cret");

/// The system_id of the SMSC in its bind responses.
const NAME: &[u8] = b"8x8_demo";

/// The largest number of deliveries in flight.
const MAX_DELIVERIES: usize = 1000;

/// A running SMSC. Dropping it closes the listeners and every connection.
///
/// ```
/// use smpp_io_tokio::Connector;
/// use smpp_io_tokio::testing::TestSmsc;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let smsc = TestSmsc::start().await?;
/// let (client, _inbox) = Connector::new().connect(&smsc.endpoint()).await?;
/// client.bind(&smsc.bind()).await?;
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
/// ```
pub struct TestSmsc {
    server: Server,
    shared: Arc<Shared>,
    /// The task that delivers receipts and messages; dropping the set stops it.
    deliveries: JoinSet<()>,
    endpoint: Endpoint,
    certificate: Certificate,
}

/// Settings of an [`TestSmsc`] that is not running yet.
///
/// ```
/// use smpp_core::simulator::Rules;
/// use smpp_io_tokio::Connector;
/// use smpp_io_tokio::testing::{Faults, TestSmsc};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let smsc = TestSmsc::builder()
///     .account("shop", "secret")
///     .rules(Rules { max_binds: 1, ..Rules::default() })
///     .faults(Faults { reorder: true, ..Faults::default() })
///     .tls()
///     .start()
///     .await?;
/// let (client, _inbox) = Connector::new().tls(smsc.client_tls()).connect(&smsc.endpoint()).await?;
/// client.bind(&smsc.bind()).await?;
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
/// ```
#[must_use = "call start"]
pub struct TestSmscBuilder {
    rules: Rules,
    accounts: Vec<(String, String)>,
    faults: Faults,
    listeners: Vec<Listener>,
    tls: bool,
    max_connections: usize,
    subscriber: Subscriber,
}

type Subscriber = Box<dyn Fn(TestSmscEvent<'_>) + Send + Sync>;

/// An event of an [`TestSmsc`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum TestSmscEvent<'a> {
    /// A connection or a bind began, ended or was refused.
    Server(ServerEvent<'a>),
    /// A bind submitted a message.
    #[non_exhaustive]
    Submitted {
        /// The bind.
        bound: &'a BoundSession,
        /// The message.
        message: &'a SubmitSm<'a>,
        /// The message id, or the status with which the message was refused.
        outcome: Result<&'a str, CommandStatus>,
    },
    /// A delivery of a receipt or of a mobile-originated message ended.
    #[non_exhaustive]
    Delivered {
        /// The account.
        system_id: &'a str,
        /// The message state in the receipt; `None` for a mobile-originated message.
        state: Option<MessageState>,
        /// Whether the ESME accepted it. A delivery that fails is repeated after `Rules::receipt_delay`.
        outcome: Result<(), &'a RequestError>,
    },
}

/// The state that all connections share.
struct Shared {
    simulator: Mutex<Simulator>,
    /// The simulator's id of each bind of the server.
    binds: Mutex<HashMap<BindId, simulator::SimulatedBind>>,
    rng: Mutex<Rng>,
    faults: Faults,
    /// Whether receipts are sent before the submit_sm_resp.
    before_response: bool,
    dialect: Dialect,
    subscriber: Subscriber,
    /// Wakes the delivery task: a delivery may be due.
    changed: Notify,
    start: time::Instant,
}

/// The [`Service`] that responds with the simulator's decisions.
struct SimulatorService(Arc<Shared>);

impl TestSmscBuilder {
    /// Sets the rules: binds and messages a second that an account may use, receipts, message states, the dialect. `epoch`
    /// is ignored: dates in receipts are real. [`Dialect::idle_timeout`] applies to the listeners that the SMSC opens by
    /// itself; set [`Config::inactivity_timeout`] on those of [`listen`](Self::listen).
    ///
    /// By default the rules of 8x8, with receipts after 200 ms.
    pub fn rules(self, rules: Rules) -> Self {
        Self { rules, ..self }
    }

    /// Adds an account. Without any, [`ACCOUNT`] is the only one.
    pub fn account(mut self, system_id: &str, password: &str) -> Self {
        self.accounts.push((system_id.into(), password.into()));
        self
    }

    /// Sets the faults; none by default.
    pub fn faults(self, faults: Faults) -> Self {
        Self { faults, ..self }
    }

    /// Speaks TLS on the free port, with a new [`Certificate`] for `localhost`. [`TestSmsc::client_tls`] trusts it.
    pub fn tls(self) -> Self {
        Self { tls: true, ..self }
    }

    /// Listens there instead of on a free port of 127.0.0.1. May be called several times.
    pub fn listen(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Sets the largest number of connections, bound or not; 1,000 by default. They may all come from one address.
    pub fn max_connections(self, max_connections: usize) -> Self {
        Self { max_connections, ..self }
    }

    /// Calls `subscriber` with each event, from the tasks of the SMSC.
    pub fn subscribe(self, subscriber: impl Fn(TestSmscEvent<'_>) + Send + Sync + 'static) -> Self {
        Self { subscriber: Box::new(subscriber), ..self }
    }

    /// Starts the SMSC in tasks of the current tokio runtime.
    ///
    /// # Errors
    ///
    /// No free port, or no certificate could be made.
    pub async fn start(self) -> io::Result<TestSmsc> {
        let Self { rules, mut accounts, faults, mut listeners, tls, max_connections, subscriber } = self;
        if accounts.is_empty() {
            accounts.push((ACCOUNT.0.into(), ACCOUNT.1.into()));
        }
        let certificate = Certificate::for_localhost()?;
        if listeners.is_empty() {
            let listener = Listener::bind("127.0.0.1:0", config(&rules.dialect)).await?;
            listeners.push(if tls { listener.tls(certificate.server_config()) } else { listener });
        }
        // The server counts binds and messages, so that the simulator does not have to.
        let limits = ServerLimits {
            connections: max_connections,
            connections_per_address: max_connections,
            binds_per_account: rules.max_binds,
            binds_status: rules.dialect.bind_status,
            rate: rules.rate,
            rate_status: rules.dialect.rate_status,
            ..ServerLimits::default()
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let rng = Mutex::new(Rng::new(rules.seed));
        let before_response = rules.receipt_timing == ReceiptTiming::BeforeResponse;
        let dialect = rules.dialect.clone();
        let mut simulator = Simulator::new(Rules { epoch: now.as_secs(), rate: None, ..rules });
        for (system_id, password) in &accounts {
            simulator.add_account(system_id, password);
        }
        let shared = Arc::new(Shared {
            simulator: Mutex::new(simulator),
            binds: Mutex::default(),
            rng,
            faults,
            before_response,
            dialect,
            subscriber,
            changed: Notify::new(),
            start: time::Instant::now(),
        });
        let name = COctets::new(NAME).unwrap_or_default();
        let builder = Server::builder(SimulatorService(Arc::clone(&shared)))
            .limits(limits)
            .system_id(name)
            .interface_version(shared.dialect.sc_interface_version);
        let server = listeners.into_iter().fold(builder, ServerBuilder::listen).start()?;
        let mut deliveries = JoinSet::new();
        deliveries.spawn(Arc::clone(&shared).run(server.binds().clone()));
        let address = server.local_addrs().first().copied();
        let (system_id, password) = accounts.into_iter().next().unwrap_or_default();
        let endpoint = Endpoint {
            tls,
            // The certificate is for this name.
            host: if tls {
                "localhost".into()
            } else {
                address.map(|it| it.ip().to_string()).unwrap_or_default()
            },
            port: address.map(|address| address.port()).unwrap_or_default(),
            system_id: Some(system_id),
            password: Some(password),
        };
        Ok(TestSmsc { server, shared, deliveries, endpoint, certificate })
    }
}

impl TestSmsc {
    /// Starts an SMSC on a free port of 127.0.0.1, without TLS, for [`ACCOUNT`].
    ///
    /// # Errors
    ///
    /// No free port.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Returns the default settings.
    pub fn builder() -> TestSmscBuilder {
        TestSmscBuilder {
            rules: Rules::default(),
            accounts: Vec::new(),
            faults: Faults::default(),
            listeners: Vec::new(),
            tls: false,
            max_connections: 1000,
            subscriber: Box::new(|_| {}),
        }
    }

    /// Returns where to connect, and the first account: system_id and password.
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }

    /// Returns a bind_transceiver of the first account.
    pub fn bind(&self) -> Bind<'_> {
        let Endpoint { system_id, password, .. } = &self.endpoint;
        let [system_id, password] = [system_id, password].map(|text| text.as_deref().unwrap_or_default());
        Bind {
            system_id: COctets::new(system_id.as_bytes()).unwrap_or_default(),
            password: Password::new(password.as_bytes()).unwrap_or_default(),
            ..Bind::default()
        }
    }

    /// Returns the addresses that the SMSC listens on, in the order of [`TestSmscBuilder::listen`].
    pub fn local_addrs(&self) -> &[SocketAddr] {
        self.server.local_addrs()
    }

    /// Returns the first address that the SMSC listens on.
    pub fn local_addr(&self) -> SocketAddr {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        self.local_addrs().first().copied().unwrap_or(any)
    }

    /// Returns the certificate that the SMSC uses after [`TestSmscBuilder::tls`].
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Returns a client configuration that trusts the certificate, for [`Connector::tls`](crate::Connector::tls).
    pub fn client_tls(&self) -> Arc<ClientConfig> {
        self.certificate.client_config()
    }

    /// Returns the bound sessions.
    pub fn binds(&self) -> &BindRegistry {
        self.server.binds()
    }

    /// Queues a mobile-originated message from `source` to `destination` for an account. Returns the number of its
    /// segments.
    pub fn originate(
        &self,
        account: &str,
        source: Address<'_>,
        destination: Address<'_>,
        text: &str,
    ) -> Result<usize, OriginateError> {
        let segments =
            self.shared.simulator().originate(self.shared.now(), account, (source, destination), text);
        self.shared.changed.notify_one();
        segments
    }

    /// Returns the number of receipts and messages that wait for delivery.
    pub fn pending(&self) -> usize {
        self.shared.simulator().pending()
    }

    /// Stops delivering and listening, unbinds every session, and returns how each ended. Sessions that have not
    /// unbound within `timeout` are aborted.
    pub async fn shutdown(mut self, timeout: Duration) -> Shutdown {
        self.deliveries.shutdown().await;
        self.server.shutdown(timeout).await
    }
}

/// Returns the configuration of the sessions.
fn config(dialect: &Dialect) -> Config {
    Config { inactivity_timeout: dialect.idle_timeout, enquire_link_is_activity: true, ..Config::default() }
}

impl fmt::Debug for TestSmscBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestSmscBuilder").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl fmt::Debug for TestSmsc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestSmsc").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Service for SimulatorService {
    async fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
        self.0.simulator().authenticate(&request.bind())?;
        Ok(Admission::default())
    }

    async fn request(&self, bound: &BoundSession, request: Inbound<Role>) {
        let shared = &self.0;
        let Some(id) = shared.binds().get(&bound.id()).copied() else { return };
        let Some(message) = shared.answer(id, request) else { return };
        let submitted = shared.simulator().submit(shared.now(), id, &message.get());
        let outcome = submitted.as_deref().map_err(|status| *status);
        (shared.subscriber)(TestSmscEvent::Submitted { bound, message: &message.get(), outcome });
        if shared.before_response {
            shared.deliver_on(bound).await;
        }
        shared.changed.notify_one();
        let delay = shared.faults.delay(&mut shared.rng());
        if !delay.is_zero() {
            time::sleep(delay).await;
        }
        // It fails only if the session has ended: no response is expected then.
        let tlvs = shared.dialect.tlvs_of_response();
        let _ = message.respond(outcome.map(|message_id| SubmitSmResp {
            message_id: COctets::new(message_id.as_bytes()).unwrap_or_default(),
            tlvs: Tlvs::list(&tlvs),
        }));
        shared.simulator().responded(id);
    }

    fn event(&self, event: ServerEvent<'_>) {
        let shared = &self.0;
        match event {
            ServerEvent::Bound(bound) => {
                let id = shared.simulator().admit(bound.system_id(), bound.mode());
                shared.binds().extend(id.map(|id| (bound.id(), id)));
                shared.changed.notify_one();
            }
            ServerEvent::Ended { bound, .. } => {
                let id = shared.binds().remove(&bound.id());
                if let Some(id) = id {
                    shared.simulator().release(id);
                }
            }
            _ => {}
        }
        (shared.subscriber)(TestSmscEvent::Server(event));
    }

    fn transport(&self, stream: ServerStream) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
        let seed = self.0.rng().next_u64();
        faults::transport(stream, self.0.faults, Rng::new(seed))
    }
}

impl Shared {
    /// Delivers receipts and messages when they are due. Never returns.
    async fn run(self: Arc<Self>, binds: BindRegistry) {
        let mut in_flight = JoinSet::new();
        loop {
            let due = self.simulator().poll_timeout();
            match due {
                Some(due) => {
                    let due = self.start + (due - Instant::ZERO);
                    let _ = time::timeout_at(due, self.changed.notified()).await;
                }
                None => self.changed.notified().await,
            }
            while let Some(delivery) = self.next_delivery() {
                in_flight.spawn(Arc::clone(&self).deliver(binds.clone(), delivery));
                if in_flight.len() > MAX_DELIVERIES {
                    in_flight.join_next().await;
                }
            }
            while in_flight.try_join_next().is_some() {}
        }
    }

    fn next_delivery(&self) -> Option<Delivery> {
        self.simulator().poll_delivery(self.now())
    }

    /// Delivers on any bind of the account, or on the one that the dialect chooses.
    async fn deliver(self: Arc<Self>, binds: BindRegistry, delivery: Delivery) {
        let outcome = match self.chosen(&binds, &delivery) {
            Some(bound) => bound.peer().deliver(&delivery.deliver_sm()).await,
            None => binds.deliver(delivery.system_id.as_bytes(), &delivery.deliver_sm()).await,
        };
        self.delivered(delivery, outcome.as_ref().map(|_| ()));
    }

    /// Returns the bind that the dialect chooses; `None` if any will do or it has ended.
    fn chosen(&self, binds: &BindRegistry, delivery: &Delivery) -> Option<BoundSession> {
        if self.dialect.route == DeliveryRoute::Any {
            return None;
        }
        let of_account = binds.of(delivery.system_id.as_bytes());
        let simulated = self.binds();
        of_account.into_iter().find(|bound| simulated.get(&bound.id()) == Some(&delivery.bind))
    }

    /// Sends the deliveries that are due on this bind, without waiting for their responses.
    async fn deliver_on(self: &Arc<Self>, bound: &BoundSession) {
        while let Some(delivery) = self.next_delivery() {
            let (shared, peer) = (Arc::clone(self), bound.peer().clone());
            let mut sending = Box::pin(async move {
                let outcome = peer.deliver(&delivery.deliver_sm()).await;
                shared.delivered(delivery, outcome.as_ref().map(|_| ()));
            });
            // The first poll writes the deliver_sm to the output, so that the submit_sm_resp follows it.
            if poll_fn(|cx| Poll::Ready(sending.as_mut().poll(cx))).await.is_pending() {
                tokio::spawn(sending);
            }
        }
    }

    /// Emits the outcome of a delivery, and schedules one that failed again.
    fn delivered(&self, delivery: Delivery, outcome: Result<(), &RequestError>) {
        let (system_id, state) = (&*delivery.system_id, delivery.state());
        (self.subscriber)(TestSmscEvent::Delivered { system_id, state, outcome });
        if outcome.is_err() {
            self.simulator().redeliver(self.now(), delivery);
        } else {
            self.simulator().accepted(&delivery);
        }
        if outcome.is_err() || self.dialect.one_at_a_time {
            self.changed.notify_one();
        }
    }

    fn now(&self) -> Instant {
        Instant::after(self.start.elapsed())
    }

    /// Responds to a request about a message, and returns a message. Refuses any other request, by dropping it.
    fn answer(
        &self,
        id: simulator::SimulatedBind,
        request: Inbound<Role>,
    ) -> Option<InboundRequest<Role, SubmitSm<'static>>> {
        let now = self.now();
        // They fail only if the session has ended: no response is expected then.
        let _ = match request {
            Inbound::SubmitSm(message) => return Some(message),
            Inbound::QuerySm(request) => {
                let found = self.simulator().query(now, id, &request.get());
                let message_id = request.get().message_id.as_bytes().to_vec();
                request.respond(
                    found.as_ref().map(|found| found.response(&message_id)).map_err(|status| *status),
                )
            }
            Inbound::CancelSm(request) => {
                let result = self.simulator().cancel(now, id, &request.get());
                self.changed.notify_one();
                request.respond(result.map(|()| NoBody))
            }
            Inbound::ReplaceSm(request) => {
                let result = self.simulator().replace(now, id, &request.get());
                request.respond(result.map(|()| NoBody))
            }
            _ => Ok(()),
        };
        None
    }

    fn simulator(&self) -> MutexGuard<'_, Simulator> {
        self.simulator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn binds(&self) -> MutexGuard<'_, HashMap<BindId, simulator::SimulatedBind>> {
        self.binds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rng(&self) -> MutexGuard<'_, Rng> {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
