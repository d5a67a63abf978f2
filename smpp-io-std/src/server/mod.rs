//! An SMSC: listens, lets the application decide on binds, and passes requests to it.

mod accept_waker;
mod acceptor;
mod bind_request;
mod binds;
mod bound;
mod connection;
mod events;
mod incoming;
mod listener;
mod registry;
mod sending;
mod service;
mod slot;
mod stream;
mod unbound;
mod workers;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use smpp_proto::server::{DeliverError, Delivery};
use smpp_proto::session::{CloseReason, Observer, RequestError, Response};
use smpp_proto::{COctets, InterfaceVersion};

pub use acceptor::Acceptor;
pub use bind_request::BindRequest;
pub use binds::{BindRegistry, QueuedDelivery};
pub use bound::{BindId, BoundSession};
pub use events::Events;
pub use incoming::IncomingConnection;
pub use listener::Listener;
pub use service::{ServerEvent, Service};
pub use smpp_common::ServerLimits;
use smpp_common::check_limits;
pub use smpp_proto::server::{Admission, ProxyHeaderError, RejectReason};
pub use stream::ServerStream;

use crate::error::End;
use accept_waker::AcceptThread;
use acceptor::start_connection;
use connection::{ObserverFactory, ServerContext};
use registry::Registry;
use unbound::Unbound;

/// The pause after an error of accepting connections.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long the threads that accept connections have to end: one may be in a call of the service.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long [`Server::shutdown`] waits for the end of the sessions that it has aborted. Only an observer that does not
/// return delays it longer.
const ABORT_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest timeout of a shutdown: the clock of the operating system has a range.
const MAX_TIMEOUT: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// A running SMSC. Its [`Service`] decides on binds and responds to requests; its [`ServerLimits`] bound connections,
/// binds and rates; the [`Config`](smpp_proto::session::Config) of a [`Listener`] has the timeouts and bounds of each session.
///
/// Each connection has two threads: one calls the service, one keeps the session alive while the service is busy. The server
/// has one thread for each listener, one for its timers, and one for deliveries (more while observers or slow peers block
/// them). Use it for tests, gateways, and up to some hundreds of binds; beyond that use the server of `smpp-tokio`.
///
/// ```
/// use smpp_proto::session::{Config, Smsc};
/// use smpp_proto::{Bind, CommandStatus, SubmitSm, SubmitSmResp};
/// use smpp_std::{Admission, BindRequest, BoundSession, Connector, HandleRoute, Inbound, Listener, Server, Service};
///
/// struct Shop;
///
/// impl Service for Shop {
///     fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
///         let is_known = request.bind().password.equals(b"secret");
///         if is_known { Ok(Admission::default()) } else { Err(CommandStatus::RINVPASWD) }
///     }
///
///     fn request(&self, _: &BoundSession, request: Inbound<HandleRoute<Smsc>>) {
///         // Dropped without a response, a request is refused with a temporary error.
///         let Inbound::SubmitSm(message) = request else { return };
///         let message_id = "1".try_into().unwrap_or_default();
///         let _ = message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
///     }
/// }
///
/// let server = Server::builder(Shop).listen(Listener::bind("127.0.0.1:0", Config::default())?).start()?;
/// let endpoint = format!("smpp://{}", server.local_addrs()[0]).parse()?;
/// let (client, _inbox) = Connector::new().start(&endpoint)?;
/// client.bind(&Bind { password: "secret".try_into()?, ..Bind::default() })?;
/// assert_eq!(client.submit(&SubmitSm::default())?.message_id(), b"1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Shutdown
///
/// [`shutdown`](Self::shutdown) ends the server gracefully. If you drop the server, it stops listening and aborts every
/// session.
pub struct Server {
    binds: BindRegistry,
    addresses: Vec<SocketAddr>,
    is_stopping: Arc<AtomicBool>,
    accept_threads: Vec<AcceptThread>,
    acceptor: Acceptor,
}

/// Builds a [`Server`]: its limits, its system_id, and the addresses on which it listens.
///
/// ```no_run
/// use smpp_proto::session::Config;
/// use smpp_std::{Listener, Server, ServerLimits, Service};
///
/// fn run(service: impl Service) -> Result<Server, Box<dyn std::error::Error>> {
///     let limits = ServerLimits::default().binds_per_account(4);
///     let server = Server::builder(service)
///         .limits(limits)
///         .system_id("smsc".try_into()?)
///         .listen(Listener::bind("0.0.0.0:2775", Config::default())?)
///         .start()?;
///     Ok(server)
/// }
/// ```
///
/// If you drop it without [`start`](Self::start), the listeners are closed.
#[must_use = "the server does not run until `start`"]
pub struct ServerBuilder<S> {
    service: S,
    limits: ServerLimits,
    system_id: Vec<u8>,
    version: Option<InterfaceVersion>,
    observer: Option<ObserverFactory>,
    listeners: Vec<Listener>,
}

/// The result of [`Server::shutdown`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Shutdown {
    /// The binds, and how each ended.
    pub ended: Vec<(BoundSession, End)>,
    /// The number of connections without a bind that were closed.
    pub not_bound: usize,
}

impl Shutdown {
    /// Returns the number of binds that did not unbind in time. The outcome of their requests in flight is unknown.
    pub fn aborted(&self) -> usize {
        self.ended.iter().filter(|(_, end)| end.reason == CloseReason::Aborted).count()
    }
}

impl<S: Service> ServerBuilder<S> {
    /// Sets the limits of connections, binds and rates. Default: [`ServerLimits::default`].
    pub fn limits(self, limits: ServerLimits) -> Self {
        Self { limits, ..self }
    }

    /// Sets the SMSC's own system_id, which is in its bind responses. Default empty.
    pub fn system_id(self, system_id: COctets<'_, 16>) -> Self {
        Self { system_id: system_id.as_bytes().to_vec(), ..self }
    }

    /// Sets the `sc_interface_version` of bind responses (SMPP 3.4 §5.3.2.25); `None` to leave it out, as some SMSCs do.
    /// Default 3.4.
    pub fn interface_version(self, version: Option<InterfaceVersion>) -> Self {
        Self { version, ..self }
    }

    /// Sets the function that creates an observer for each connection, from the address of the client. The observer gets
    /// every PDU from the bind on, and the PDUs that the session rejects: see [`Handle::observe`](crate::Handle::observe).
    ///
    /// ```no_run
    /// use std::net::SocketAddr;
    /// use smpp_proto::session::{Direction, Instant, ObservedPdu, Observer, RejectedPdu};
    /// use smpp_std::{Server, ServerBuilder, Service};
    ///
    /// struct PrintRejected(SocketAddr);
    ///
    /// impl Observer for PrintRejected {
    ///     fn observe(&mut self, _: Instant, _: Direction, _: ObservedPdu<'_>) {}
    ///
    ///     fn rejected(&mut self, _: Instant, pdu: RejectedPdu<'_>) {
    ///         println!("{}: {pdu}", self.0);
    ///     }
    /// }
    ///
    /// fn builder<S: Service>(service: S) -> ServerBuilder<S> {
    ///     Server::builder(service).observe(PrintRejected)
    /// }
    /// ```
    pub fn observe<T: Observer + Send + 'static>(
        self,
        observer: impl Fn(SocketAddr) -> T + Send + Sync + 'static,
    ) -> Self {
        Self { observer: Some(Box::new(move |address| Box::new(observer(address)))), ..self }
    }

    /// Adds an address on which to listen. There may be any number, plain and TLS.
    pub fn listen(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Starts the server, with one thread for each listener, one for its timers, and one for deliveries. Does not block.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system if it cannot start a thread or does not return the address of a listener;
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) with the option if a limit or the configuration of a listener cannot work.
    pub fn start(self) -> io::Result<Server> {
        let Self { service, limits, system_id, version, observer, listeners } = self;
        check_limits(&limits)?;
        listeners.iter().try_for_each(Listener::check)?;
        let registry = Arc::new(Registry::new(limits)?);
        let service = Box::new(service);
        let context = Arc::new(ServerContext {
            service,
            registry: Arc::clone(&registry),
            system_id,
            version,
            observer,
        });
        // If a thread cannot be started, its drop ends those that run.
        let mut server = Server {
            binds: BindRegistry { registry: Arc::clone(&registry) },
            addresses: Vec::new(),
            is_stopping: Arc::default(),
            acceptor: Acceptor::new(Arc::clone(&context)),
            accept_threads: Vec::new(),
        };
        let timers = Arc::clone(&context);
        let refuse = move |id, unbound: Arc<Unbound>| {
            let context = Arc::clone(&timers);
            // The session may block it.
            timers.registry.workers.run(move || context.refuse_undecided(id, &unbound));
        };
        let spawn = |name: &str| thread::Builder::new().name(name.into());
        spawn("smpp timers").spawn(move || registry.run_timers(refuse))?;
        for listener in listeners {
            let address = listener.local_addr()?;
            server.addresses.push(address);
            let (context, is_stopping) = (Arc::clone(&context), Arc::clone(&server.is_stopping));
            let waker = listener.waker()?;
            let (running, ended) = mpsc::channel();
            let accept = move || {
                accept(&context, &listener, address, &is_stopping);
                // The address is closed before the thread is reported as ended.
                drop(listener);
                drop::<mpsc::Sender<()>>(running);
            };
            let thread = spawn("smpp accept").spawn(accept)?;
            server.accept_threads.push(AcceptThread { waker, thread, ended: Mutex::new(ended) });
        }
        Ok(server)
    }
}

/// Accepts connections until the server stops. Each gets a thread.
fn accept(context: &Arc<ServerContext>, listener: &Listener, local: SocketAddr, is_stopping: &AtomicBool) {
    loop {
        let accepted = listener.accept();
        if is_stopping.load(Ordering::SeqCst) {
            return;
        }
        match accepted {
            // A connection that is rejected has its event.
            Ok(connection) => _ = start_connection(context, connection),
            Err(error) if is_connection_error(&error) => {}
            Err(error) => {
                context.emit(ServerEvent::AcceptFailed { listener: local, error: &error });
                thread::sleep(ACCEPT_PAUSE);
            }
        }
    }
}

/// Returns whether the error concerns only the connection that was to be accepted: then there is no pause.
fn is_connection_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

impl Server {
    /// Makes a builder for a server with this service and the default [`ServerLimits`].
    pub fn builder<S: Service>(service: S) -> ServerBuilder<S> {
        ServerBuilder {
            service,
            limits: ServerLimits::default(),
            system_id: Vec::new(),
            version: Some(InterfaceVersion::V3_4),
            observer: None,
            listeners: Vec::new(),
        }
    }

    /// Returns the addresses on which the server listens, in the order of the listeners. A Unix socket has the address `0.0.0.0:0`.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Serves a connection that the application has accepted itself: see [`IncomingConnection::new`]. It counts for the limits of
    /// the server as those of its listeners do. Does not block.
    ///
    /// # Errors
    ///
    /// Returns why the connection is closed at once.
    pub fn serve(&self, connection: IncomingConnection) -> Result<(), RejectReason> {
        self.acceptor.serve(connection)
    }

    /// Returns what serves connections from other threads, for example from an accept loop of the application.
    pub fn acceptor(&self) -> Acceptor {
        self.acceptor.clone()
    }

    /// Returns the binds of the server. Clone the registry to deliver from other threads.
    pub const fn binds(&self) -> &BindRegistry {
        &self.binds
    }

    /// Delivers a message to an account: see [`BindRegistry::deliver`].
    ///
    /// # Errors
    ///
    /// As [`BindRegistry::deliver`].
    pub fn deliver(&self, account: &[u8], message: impl Into<Delivery>) -> Result<Response, RequestError> {
        self.binds.deliver(account, message)
    }

    /// Queues a message or a receipt for an account: see [`BindRegistry::queue`].
    ///
    /// # Errors
    ///
    /// As [`BindRegistry::queue`].
    pub fn queue(
        &self,
        account: &[u8],
        message: impl Into<Delivery>,
    ) -> Result<QueuedDelivery, DeliverError> {
        self.binds.queue(account, message)
    }

    /// Shuts the server down gracefully, and returns how each session ended. It accepts no new connection; each session
    /// waits up to [`Config::drain_timeout`](smpp_proto::session::Config::drain_timeout) for the requests in flight, and
    /// unbinds. Sessions that are left after `timeout` are aborted.
    ///
    /// It connects to each address on which it listens, so that the thread that accepts there ends. If you have a clone of the
    /// socket, it may accept such a connection; the clone itself stays usable, unless it is a Unix socket whose file is removed.
    /// A thread that has not ended after a second, for example because the service does not return from an event, is left: it
    /// ends, and closes its socket, with the next connection.
    ///
    /// It blocks until all sessions have ended: at most for `timeout`, and about a second more if sessions are left that
    /// cannot end at once, or a thread that accepts. It does not wait for calls of the service that go on after the end of their session. A thread in
    /// which the service or an observer does not return outlives the server; the session of such an observer is reported as
    /// [`Aborted`](CloseReason::Aborted).
    pub fn shutdown(mut self, timeout: Duration) -> Shutdown {
        let deadline = Instant::now() + timeout.min(MAX_TIMEOUT);
        self.stop_accepting();
        let registry = &self.binds.registry;
        let not_bound = registry.stop();
        let bound = registry.bound(None);
        for session in &bound {
            // A write that the peer does not take delays the next session.
            if Instant::now() < deadline {
                session.peer().begin_unbind();
            }
        }
        registry.wait_for_connections(deadline);
        let abort_by = Instant::now() + ABORT_TIMEOUT;
        for session in &registry.bound(None) {
            session.peer().begin_abort();
        }
        registry.wait_for_connections(abort_by);
        // An observer blocks those that are left.
        for session in &registry.bound(None) {
            registry.ended(session.id().0, CloseReason::Aborted);
        }
        registry.close();
        registry.wait_for_deliveries(abort_by);
        let aborted = End::new(CloseReason::Aborted, None);
        let ended = bound.into_iter().map(|bound| {
            let end = bound.peer().try_end().unwrap_or_else(|| aborted.clone());
            (bound, end)
        });
        Shutdown { ended: ended.collect(), not_bound }
    }

    fn stop_accepting(&mut self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        let deadline = Instant::now() + ACCEPT_TIMEOUT;
        self.accept_threads.drain(..).for_each(|thread| thread.end(deadline));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop_accepting();
        let registry = &self.binds.registry;
        registry.stop();
        registry.bound(None).iter().for_each(|bound| bound.peer().begin_abort());
        registry.close();
        registry.end_threads();
    }
}

impl<S> fmt::Debug for ServerBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}
