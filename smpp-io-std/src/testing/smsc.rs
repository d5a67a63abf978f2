//! The SMSC: the simulator of `smpp-core` decides; each connection has a thread.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rustls::{ClientConfig, ServerConfig};
use smpp_core::session::{self, Config, Smsc as Role};
use smpp_core::simulator::{Delivery, Dialect, Rules, SimulatedBind, Simulator};
use smpp_core::{Bind, BindResp, COctets, Endpoint, NoBody, Password, SubmitSmResp, Tlv, Tlvs};

use super::Certificate;
use crate::{Connection, End, Inbound, SentRequest, Stream, TlsStream};

/// The account of the SMSC if the builder adds none: system_id and password.
pub const ACCOUNT: (&str, &str) = ("demo_shop", "s3cret");

/// The system_id of the SMSC in its bind responses.
const NAME: &[u8] = b"8x8_demo";

/// How often a connection checks for receipts that another connection took out of the simulator, and for the end of the
/// SMSC.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A running SMSC. Dropping it closes the listener, and every connection within 20 ms.
///
/// ```
/// use smpp_io_std::Connector;
/// use smpp_io_std::testing::TestSmsc;
///
/// let smsc = TestSmsc::start()?;
/// let connection = Connector::new().bind(&smsc.endpoint(), &smsc.bind())?;
/// connection.unbind();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TestSmsc {
    shared: Arc<Shared>,
    address: SocketAddr,
    endpoint: Endpoint,
    certificate: Certificate,
}

/// Settings of an [`TestSmsc`] that is not running yet.
///
/// ```
/// use smpp_core::simulator::Rules;
/// use smpp_io_std::Connector;
/// use smpp_io_std::testing::TestSmsc;
///
/// let smsc = TestSmsc::builder()
///     .account("shop", "secret")
///     .rules(Rules { max_binds: 1, ..Rules::default() })
///     .tls()
///     .start()?;
/// let connection = Connector::new().tls(smsc.client_tls()).bind(&smsc.endpoint(), &smsc.bind())?;
/// connection.unbind();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "call start"]
pub struct TestSmscBuilder {
    rules: Rules,
    accounts: Vec<(String, String)>,
    tls: bool,
}

/// The state that all connections share.
struct Shared {
    service: Mutex<Service>,
    dialect: Dialect,
    start: Instant,
    stopping: AtomicBool,
}

struct Service {
    simulator: Simulator,
    /// Receipts that are due, each for the bind that it names.
    due: Vec<Delivery>,
}

impl TestSmscBuilder {
    /// Sets the rules: binds and messages a second that an account may use, receipts, message states, the dialect. `epoch`
    /// is ignored: dates in receipts are real.
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

    /// Speaks TLS, with a new [`Certificate`] for `localhost`. [`TestSmsc::client_tls`] trusts it.
    pub fn tls(self) -> Self {
        Self { tls: true, ..self }
    }

    /// Starts the SMSC on a free port of 127.0.0.1, with one thread that accepts connections and one for each
    /// connection.
    ///
    /// # Errors
    ///
    /// No free port, or no certificate could be made.
    pub fn start(self) -> io::Result<TestSmsc> {
        let Self { rules, mut accounts, tls } = self;
        if accounts.is_empty() {
            accounts.push((ACCOUNT.0.into(), ACCOUNT.1.into()));
        }
        let certificate = Certificate::for_localhost()?;
        let server_tls = tls.then(|| certificate.server_config());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let dialect = rules.dialect.clone();
        let mut simulator = Simulator::new(Rules { epoch: now.as_secs(), ..rules });
        for (system_id, password) in &accounts {
            simulator.add_account(system_id, password);
        }
        let service = Mutex::new(Service { simulator, due: Vec::new() });
        let (start, stopping) = (Instant::now(), AtomicBool::new(false));
        let shared = Arc::new(Shared { service, dialect, start, stopping });

        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let accepting = Arc::clone(&shared);
        thread::Builder::new()
            .name("smsc".into())
            .spawn(move || accepting.accept(&listener, server_tls.as_ref()))?;
        let (system_id, password) = accounts.into_iter().next().unwrap_or_default();
        let endpoint = Endpoint {
            tls,
            // The certificate is for this name.
            host: if tls { "localhost".into() } else { address.ip().to_string() },
            port: address.port(),
            system_id: Some(system_id),
            password: Some(password),
        };
        Ok(TestSmsc { shared, address, endpoint, certificate })
    }
}

impl TestSmsc {
    /// Starts an SMSC on a free port of 127.0.0.1, without TLS, for [`ACCOUNT`].
    ///
    /// # Errors
    ///
    /// No free port.
    pub fn start() -> io::Result<Self> {
        Self::builder().start()
    }

    /// Returns the default settings.
    pub fn builder() -> TestSmscBuilder {
        TestSmscBuilder { rules: Rules::default(), accounts: Vec::new(), tls: false }
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

    /// Returns the address that the SMSC listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns the certificate that the SMSC uses after [`TestSmscBuilder::tls`].
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Returns a client configuration that trusts the certificate, for [`Connector::tls`](crate::Connector::tls).
    pub fn client_tls(&self) -> Arc<ClientConfig> {
        self.certificate.client_config()
    }

    /// Returns the number of receipts and messages that wait for delivery.
    pub fn pending(&self) -> usize {
        let service = self.shared.service();
        service.simulator.pending() + service.due.len()
    }
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

impl Drop for TestSmsc {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts connections. If it fails, that thread has ended.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn accept(self: Arc<Self>, listener: &TcpListener, tls: Option<&Arc<ServerConfig>>) {
        for stream in listener.incoming().flatten() {
            if self.stopping.load(Ordering::SeqCst) {
                return;
            }
            let (shared, tls) = (Arc::clone(&self), tls.cloned());
            // The client reports how a connection ends.
            thread::spawn(move || shared.serve(stream, tls));
        }
    }

    /// Serves one connection until it ends.
    fn serve(&self, stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let config = Config {
            inactivity_timeout: self.dialect.idle_timeout,
            enquire_link_is_activity: true,
            ..Config::default()
        };
        let stream = match tls {
            Some(tls) => {
                let stream = TlsStream::accept(stream, tls, config.session_init_timeout);
                Stream::Tls(Box::new(stream.map_err(io::Error::other)?))
            }
            None => Stream::Tcp(stream),
        };
        let mut bind = None;
        let served = self.session(stream, config, &mut bind);
        if let Some(bind) = bind {
            self.service().simulator.release(bind);
        }
        served
    }

    /// Responds to the requests of the ESME and delivers its receipts, until the connection or the SMSC ends.
    fn session(&self, stream: Stream, config: Config, bind: &mut Option<SimulatedBind>) -> io::Result<()> {
        let mut connection = Connection::<Role, _>::new(stream, config)?;
        let mut in_flight = None;
        while !self.stopping.load(Ordering::SeqCst) {
            let answered = self.answer(&mut connection, bind);
            in_flight = self.deliver(&mut connection, *bind, in_flight);
            if answered.is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Waits for one request and responds to it.
    fn answer(
        &self,
        connection: &mut Connection<Role, Stream>,
        bind: &mut Option<SimulatedBind>,
    ) -> Result<(), End> {
        match connection.recv(Some(POLL_INTERVAL))? {
            Some(Inbound::Bind(request)) => {
                let admitted = self.service().simulator.bind(&request.get());
                *bind = admitted.ok();
                let system_id = COctets::new(NAME).unwrap_or_default();
                let version = self.dialect.sc_interface_version.map(Tlv::sc_interface_version);
                let response = BindResp { system_id, tlvs: Tlvs::list(version.as_slice()) };
                connection.respond(request, admitted.map(|_| response))
            }
            Some(Inbound::SubmitSm(message)) => {
                // The session lets no message through before the bind.
                let Some(bind) = *bind else { return Ok(()) };
                let now = self.now();
                let submitted = self.service().simulator.submit(now, bind, &message.get());
                let tlvs = self.dialect.tlvs_of_response();
                let response = submitted.as_ref().map(|id| SubmitSmResp {
                    message_id: COctets::new(id.as_bytes()).unwrap_or_default(),
                    tlvs: Tlvs::list(&tlvs),
                });
                let responded = connection.respond(message, response.map_err(|status| *status));
                self.service().simulator.responded(bind);
                responded
            }
            Some(request) => self.answer_about_message(connection, *bind, request),
            None => Ok(()),
        }
    }

    /// Responds to a request about a message, and refuses any other request.
    fn answer_about_message(
        &self,
        connection: &mut Connection<Role, Stream>,
        bind: Option<SimulatedBind>,
        request: Inbound,
    ) -> Result<(), End> {
        // The session lets no request through before the bind.
        let (Some(bind), now) = (bind, self.now()) else { return Ok(()) };
        match request {
            Inbound::QuerySm(request) => {
                let message_id = request.get().message_id.as_bytes().to_vec();
                let found = self.service().simulator.query(now, bind, &request.get());
                let response = found.as_ref().map(|found| found.response(&message_id));
                connection.respond(request, response.map_err(|status| *status))
            }
            Inbound::CancelSm(request) => {
                let result = self.service().simulator.cancel(now, bind, &request.get());
                connection.respond(request, result.map(|()| NoBody))
            }
            Inbound::ReplaceSm(request) => {
                let result = self.service().simulator.replace(now, bind, &request.get());
                connection.respond(request, result.map(|()| NoBody))
            }
            other => connection.refuse(other),
        }
    }

    /// Sends one receipt at a time without waiting: the ESME may respond to it only after its next message. A receipt
    /// that is not accepted is delivered again later.
    fn deliver(
        &self,
        connection: &mut Connection<Role, Stream>,
        bind: Option<SimulatedBind>,
        in_flight: Option<(SentRequest, Delivery)>,
    ) -> Option<(SentRequest, Delivery)> {
        if let Some((sent, delivery)) = in_flight {
            match sent.try_outcome() {
                Err(sent) => return Some((sent, delivery)),
                Ok(Ok(_)) => self.service().simulator.accepted(&delivery),
                Ok(Err(_)) => self.redeliver(delivery),
            }
        }
        let delivery = self.next_delivery(bind?)?;
        if let Ok(sent) = connection.send(&delivery.deliver_sm()) {
            return Some((sent, delivery));
        }
        self.redeliver(delivery);
        None
    }

    fn next_delivery(&self, bind: SimulatedBind) -> Option<Delivery> {
        let now = self.now();
        let mut service = self.service();
        while let Some(delivery) = service.simulator.poll_delivery(now) {
            service.due.push(delivery);
        }
        let at = service.due.iter().position(|delivery| delivery.bind == bind)?;
        Some(service.due.remove(at))
    }

    fn redeliver(&self, delivery: Delivery) {
        let now = self.now();
        self.service().simulator.redeliver(now, delivery);
    }

    fn now(&self) -> session::Instant {
        session::Instant::after(self.start.elapsed())
    }

    fn service(&self) -> MutexGuard<'_, Service> {
        self.service.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
