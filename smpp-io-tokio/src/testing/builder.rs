//! The settings of the SMSC.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use smpp_common::invalid_input;
use smpp_proto::session::RequestError;
use smpp_proto::session::{Config, Observer};
use smpp_proto::simulator::{Dialect, Faults, Rules};
use smpp_proto::{COctets, CommandStatus, Endpoint, MessageState, SubmitSm};
use tokio::task::JoinSet;

use super::Certificate;
use super::service::{Shared, SimulatorService};
use super::smsc::TestSmsc;
use crate::{BoundSession, Listener, Server, ServerBuilder, ServerEvent, ServerLimits};

/// The account of the SMSC if the builder adds none: system_id and password.
pub const ACCOUNT: (&str, &str) = ("demo_shop", "s3cret");

/// The system_id of the SMSC in its bind responses.
const NAME: &[u8] = b"8x8_demo";

/// Settings of an [`TestSmsc`] that is not running yet.
///
/// ```
/// use smpp_proto::simulator::Rules;
/// use smpp_tokio::Connector;
/// use smpp_tokio::testing::{Faults, TestSmsc};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let smsc = TestSmsc::builder()
///     .account("shop", "secret")
///     .rules(Rules::default().max_binds(1))
///     .faults(Faults::default().reorder(true))
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
    in_memory: bool,
    wait_limit: Duration,
    log_capacity: usize,
    max_connections: usize,
    subscriber: Subscriber,
    observer: Option<ObserverFactory>,
}

/// Creates the observer of a connection from the address of the client.
type ObserverFactory = Box<dyn Fn(SocketAddr) -> Box<dyn Observer + Send> + Send + Sync>;

pub(super) type Subscriber = Box<dyn Fn(TestSmscEvent<'_>) + Send + Sync>;

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

impl Default for TestSmscBuilder {
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            accounts: Vec::new(),
            faults: Faults::default(),
            listeners: Vec::new(),
            tls: false,
            in_memory: false,
            wait_limit: Duration::from_secs(10),
            log_capacity: 10_000,
            max_connections: 1000,
            subscriber: Box::new(|_| {}),
            observer: None,
        }
    }
}

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

    /// Listens on no port: clients connect through [`TestSmsc::connector`], [`TestSmsc::account_connector`] or
    /// [`TestSmsc::dialer`], within the process. With tokio's paused clock no timeout costs time then.
    pub fn in_memory(self) -> Self {
        Self { in_memory: true, ..self }
    }

    /// Sets how long the test waits for what it expects, before it fails: for [`TestSmsc::next_message`] and the like.
    /// Default 10 s.
    pub fn wait_limit(self, wait_limit: Duration) -> Self {
        Self { wait_limit, ..self }
    }

    /// Sets how many entries the log holds; 0 for no log. Default 10,000.
    pub fn log_capacity(self, log_capacity: usize) -> Self {
        Self { log_capacity, ..self }
    }

    /// Speaks TLS on the free port or in memory, with a new [`Certificate`] for `localhost`. [`TestSmsc::client_tls`] trusts it.
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

    /// Sets the function that creates an observer for each connection, from the address of the client. The observer gets
    /// every PDU from the bind on: see [`ServerBuilder::observe`].
    pub fn observe<T: Observer + Send + 'static>(
        self,
        observer: impl Fn(SocketAddr) -> T + Send + Sync + 'static,
    ) -> Self {
        Self { observer: Some(Box::new(move |address| Box::new(observer(address)))), ..self }
    }

    /// Starts the SMSC in tasks of the current tokio runtime.
    ///
    /// # Errors
    ///
    /// No free port, or no certificate could be made; [`InvalidInput`](io::ErrorKind::InvalidInput) with the name of the field if the
    /// rules or the faults cannot work.
    pub async fn start(self) -> io::Result<TestSmsc> {
        let Self { rules, mut accounts, faults, mut listeners, tls, in_memory, max_connections, .. } = self;
        rules.check().map_err(invalid_input)?;
        faults.check().map_err(invalid_input)?;
        if accounts.is_empty() {
            accounts.push((ACCOUNT.0.into(), ACCOUNT.1.into()));
        }
        let certificate = Certificate::for_localhost()?;
        let config = config(&rules.dialect);
        if listeners.is_empty() && !in_memory {
            let listener = Listener::bind("127.0.0.1:0", config).await?;
            listeners.push(if tls { listener.tls(certificate.server_tls()) } else { listener });
        }
        // The server counts binds and messages, so that the simulator does not have to.
        let limits = ServerLimits::default()
            .connections(max_connections)
            .connections_per_address(max_connections)
            .binds_per_account(rules.max_binds)
            .binds_status(rules.dialect.bind_status)
            .rate(rules.rate)
            .rate_status(rules.dialect.rate_status);
        let version = rules.dialect.sc_interface_version;
        let shared = Shared::new(rules, &accounts, faults, self.subscriber);
        shared.simulator().log_mut().set_capacity(self.log_capacity);
        let name = COctets::new(NAME).unwrap_or_default();
        let builder = Server::builder(SimulatorService(Arc::clone(&shared)))
            .limits(limits)
            .system_id(name)
            .interface_version(version);
        let builder = match self.observer {
            Some(observer) => builder.observe(observer),
            None => builder,
        };
        let server = listeners.into_iter().fold(builder, ServerBuilder::listen).start()?;
        // Nothing binds before: this function has not waited since the server runs.
        shared.registry.get_or_init(|| server.binds().clone());
        let mut deliveries = JoinSet::new();
        deliveries.spawn(Arc::clone(&shared).run(server.binds().clone()));
        let (system_id, password) = accounts.into_iter().next().unwrap_or_default();
        // In memory it is the address that clients show, and no more.
        let address = server.local_addrs().first().copied().unwrap_or(([127, 0, 0, 1], 2775).into());
        let port = address.port();
        // The certificate is for this name.
        let endpoint = if tls {
            Endpoint::tls("localhost", port)
        } else {
            Endpoint::plain(address.ip().to_string(), port)
        };
        let endpoint = endpoint.system_id(system_id).password(password);
        let memory = in_memory.then(|| (tls.then(|| certificate.server_tls()), config));
        Ok(TestSmsc::new(server, shared, deliveries, endpoint, certificate, memory, self.wait_limit))
    }
}

/// Returns the configuration of the sessions.
fn config(dialect: &Dialect) -> Config {
    Config::default().inactivity_timeout(dialect.idle_timeout).enquire_link_is_activity(true)
}

impl fmt::Debug for TestSmscBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestSmscBuilder").field("rules", &self.rules).finish_non_exhaustive()
    }
}
