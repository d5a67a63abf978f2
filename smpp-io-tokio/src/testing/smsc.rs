//! A running SMSC, as a test uses it.

use std::fmt;
use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use smpp_proto::account::Options;
use smpp_proto::session::{Config, InvalidOption};
use smpp_proto::simulator::{
    Answer, DeliverError, Faults, MoMessage, OriginateError, Rules, StreamEnd, When,
};
use smpp_proto::{Address, Bind, COctets, Endpoint, Password};
use tokio::io::{DuplexStream, duplex};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::Certificate;
use super::builder::TestSmscBuilder;
use super::service::Shared;
use crate::account::AccountConnector;
use crate::error::DialTarget;
use crate::tls::{ClientTls, ServerTls};
use crate::{Acceptor, BindRegistry, Connector, IncomingConnection, Server, Shutdown};

/// The octets that one end of a connection in memory may write before the other end reads.
const MEMORY_BUFFER: usize = 64 * 1024;

/// A running SMSC. Dropping it closes the listeners and every connection.
///
/// ```
/// use smpp_tokio::Connector;
/// use smpp_tokio::testing::TestSmsc;
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
    pub(super) shared: Arc<Shared>,
    /// The task that delivers receipts and messages; dropping the set stops it.
    deliveries: JoinSet<()>,
    endpoint: Endpoint,
    certificate: Certificate,
    /// `None` if the SMSC listens on a port.
    memory: Option<Memory>,
    pub(super) wait_limit: Duration,
}

/// How clients connect in memory.
#[derive(Clone)]
struct Memory {
    acceptor: Acceptor,
    runtime: Handle,
    tls: Option<ServerTls>,
    config: Config,
    /// The port of the last client: it makes the addresses of clients different.
    last_port: Arc<AtomicU16>,
}

impl Memory {
    /// Connects a client.
    fn dial(&self) -> DuplexStream {
        let (near, far) = duplex(MEMORY_BUFFER);
        let port = self.last_port.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let connection = IncomingConnection::new(far, address, self.config);
        let connection = match &self.tls {
            Some(tls) => connection.tls(tls.clone()),
            None => connection,
        };
        // The client may run elsewhere.
        let _in_runtime = self.runtime.enter();
        // An SMSC that is full or has ended closes its end: the client sees that.
        let _ = self.acceptor.serve(connection);
        near
    }
}

impl TestSmsc {
    /// Starts an SMSC on a free port of 127.0.0.1, without TLS, for [`ACCOUNT`](super::ACCOUNT).
    ///
    /// # Errors
    ///
    /// No free port.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Starts an SMSC in memory, without a port, for [`ACCOUNT`](super::ACCOUNT): see [`TestSmscBuilder::in_memory`].
    ///
    /// # Errors
    ///
    /// None in practice: the certificate, which it does not use, could not be made.
    pub async fn in_memory() -> io::Result<Self> {
        Self::builder().in_memory().start().await
    }

    /// Returns the default settings.
    pub fn builder() -> TestSmscBuilder {
        TestSmscBuilder::default()
    }

    pub(super) fn new(
        server: Server,
        shared: Arc<Shared>,
        deliveries: JoinSet<()>,
        endpoint: Endpoint,
        certificate: Certificate,
        memory: Option<(Option<ServerTls>, Config)>,
        wait_limit: Duration,
    ) -> Self {
        let memory = memory.map(|(tls, config)| {
            let last_port = Arc::default();
            Memory { acceptor: server.acceptor(), runtime: Handle::current(), tls, config, last_port }
        });
        Self { server, shared, deliveries, endpoint, certificate, memory, wait_limit }
    }

    /// Returns a connector of sessions that reaches the SMSC at [`endpoint`](Self::endpoint): in memory if it has no port, and
    /// with its certificate if it speaks TLS.
    ///
    /// ```
    /// use smpp_tokio::testing::TestSmsc;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let smsc = TestSmsc::builder().in_memory().tls().start().await?;
    /// let (client, _inbox) = smsc.connector().connect(&smsc.endpoint()).await?;
    /// client.bind(&smsc.bind()).await?;
    /// # Ok(())
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
    /// ```
    pub fn connector(&self) -> Connector {
        let connector = Connector::new().tls(self.client_tls());
        match &self.memory {
            Some(_) => connector.dial_by_name(self.dialer()),
            None => connector,
        }
    }

    /// Returns a connector of accounts that reaches the SMSC, with the credentials of its first account: in memory if it has
    /// no port, and with its certificate if it speaks TLS. The credentials of the options are replaced.
    pub fn account_connector(&self, options: Options) -> AccountConnector {
        let connector = AccountConnector::new(&self.endpoint, options).tls(self.client_tls());
        match &self.memory {
            Some(_) => connector.dial_by_name(self.dialer()),
            None => connector,
        }
    }

    /// Returns a function that connects in memory, for [`Connector::dial_by_name`] or [`AccountConnector::dial_by_name`]. It
    /// fails if the SMSC listens on a port.
    pub fn dialer(
        &self,
    ) -> impl Fn(DialTarget) -> Ready<io::Result<DuplexStream>> + Clone + Send + Sync + 'static {
        let memory = self.memory.clone();
        move |_| {
            let dialed = memory.as_ref().map(Memory::dial);
            ready(dialed.ok_or_else(|| io::Error::other("the SMSC listens on a port, not in memory")))
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
    pub fn client_tls(&self) -> ClientTls {
        self.certificate.client_tls()
    }

    /// Returns the bound sessions.
    pub fn binds(&self) -> &BindRegistry {
        self.server.binds()
    }

    /// Scripts an answer to the messages that the rule names: see [`Simulator::script`](smpp_proto::simulator::Simulator::script).
    ///
    /// ```
    /// use smpp_proto::simulator::{Answer, ResponseFault, When};
    /// use smpp_proto::{CommandStatus, MessageState};
    /// use smpp_tokio::testing::TestSmsc;
    ///
    /// # async fn example() -> std::io::Result<()> {
    /// let smsc = TestSmsc::in_memory().await?;
    /// smsc.script(When::next(), Answer::refuse(CommandStatus::RTHROTTLED));
    /// smsc.script(When::always().to("6591234567"), Answer::accept().receipt(MessageState::EXPIRED));
    /// smsc.script(When::every(100), Answer::accept().fault(ResponseFault::Cut));
    /// # Ok(())
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
    /// ```
    pub fn script(&self, when: When, answer: Answer) {
        self.shared.simulator().script(when, answer);
    }

    /// Removes all scripted answers.
    pub fn clear_script(&self) {
        self.shared.simulator().clear_script();
    }

    /// Sends a mobile-originated (MO) message from a phone to a number of the first account, and waits until the client has
    /// accepted all its segments. If the account has no bind that receives, it waits for one first. The text may have any length up to 255 segments, and any characters.
    ///
    /// ```
    /// use smpp_tokio::Inbound;
    /// use smpp_tokio::testing::TestSmsc;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let smsc = TestSmsc::in_memory().await?;
    /// let (client, mut inbox) = smsc.connector().connect(&smsc.endpoint()).await?;
    /// client.bind(&smsc.bind()).await?;
    /// let program = async {
    ///     let Some(Inbound::DeliverSm(message)) = inbox.recv().await else { panic!("no message") };
    ///     message.accept()
    /// };
    /// let (delivered, accepted) = tokio::join!(smsc.deliver("+6591234567", "8888", "STOP"), program);
    /// delivered?;
    /// # let _ = accepted;
    /// # Ok(())
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`DeliverError`] if the message cannot be sent, the client refuses a segment, or the [wait
    /// limit](TestSmscBuilder::wait_limit) is over: then it may still be delivered. [`DeliverError::NoBind`] says that no bind
    /// received it.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped after its first poll leaves the message to be delivered.
    pub async fn deliver(&self, source: &str, destination: &str, text: &str) -> Result<(), DeliverError> {
        self.deliver_message(&MoMessage::new(source, destination, text)).await
    }

    /// As [`deliver`](Self::deliver), to any account, in any alphabet, and in segments of any form.
    ///
    /// # Errors
    ///
    /// As [`deliver`](Self::deliver).
    ///
    /// # Cancel safety
    ///
    /// As [`deliver`](Self::deliver).
    pub async fn deliver_message(&self, message: &MoMessage<'_>) -> Result<(), DeliverError> {
        let sent = self.shared.simulator().deliver(self.shared.now(), message);
        let id = sent.map_err(DeliverError::NotSent)?;
        self.shared.changed.notify_one();
        let outcome = self.wait_for("outcome of the message", |simulator| simulator.poll_delivered(id)).await;
        let outcome = outcome.map_err(|waited| self.shared.simulator().no_outcome(message, waited))?;
        outcome.map_err(DeliverError::Failed)
    }

    /// Ends all connections that are open: resets them, closes them, or closes the sending side only (half-close). In memory a
    /// reset is a close. New connections are not affected.
    pub fn end_connections(&self, end: StreamEnd) {
        self.shared.end_connections(end);
    }

    /// Queues a mobile-originated message from `source` to `destination` for an account. Returns the number of its
    /// segments.
    ///
    /// Messages and their segments leave on one bind in the order in which they were queued. One that is sent again may leave later.
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

    /// Returns the faults.
    pub fn faults(&self) -> Faults {
        self.shared.faults.get()
    }

    /// Sets the faults, also those of the connections that are open. They begin with the next PDU; a message that waits
    /// for its response keeps its delay.
    ///
    /// ```
    /// use smpp_tokio::testing::{Faults, TestSmsc};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let smsc = TestSmsc::start().await?;
    /// smsc.set_faults(Faults::default().drop_percent(100))?;
    /// # Ok(())
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// The error of [`Faults::check`]; the faults are unchanged then.
    pub fn set_faults(&self, faults: Faults) -> Result<(), InvalidOption> {
        faults.check()?;
        self.shared.faults.set(faults);
        Ok(())
    }

    /// Changes the rules of the messages that follow: see [`Simulator::change_rules`](smpp_proto::simulator::Simulator::change_rules). The limits of binds and of rates, and
    /// the dialect, keep the values that the SMSC was started with.
    ///
    /// # Errors
    ///
    /// The error of [`Rules::check`]; the rules are unchanged then.
    pub fn change_rules(&self, change: impl FnOnce(&mut Rules)) -> Result<(), InvalidOption> {
        self.shared.simulator().change_rules(|rules| {
            let (max_binds, rate, dialect) = (rules.max_binds, rules.rate, rules.dialect.clone());
            change(rules);
            (rules.max_binds, rules.rate, rules.dialect) = (max_binds, rate, dialect);
        })?;
        self.shared.changed.notify_one();
        Ok(())
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

impl fmt::Debug for TestSmsc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestSmsc").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
