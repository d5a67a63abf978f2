//! An SMSC: listens, lets the application decide on binds, and passes requests to it.

mod connection;
mod listener;
mod registry;
mod service;
mod shared;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use smpp_core::session::{CloseReason, NotSentReason, Observer, RequestError, Response, SentBy, Smsc, State};
use smpp_core::{COctets, InterfaceVersion, Operation};

pub use listener::Listener;
pub use registry::ServerLimits;
pub use service::{BindRequest, BoundSession, Service};

use crate::error::End;
use crate::handle::Peer;
use connection::ACCEPT_PAUSE;
use shared::{ObserverFactory, Shared};

/// How long [`Server::shutdown`] waits for the end of the sessions that it has aborted. Only an observer that does not
/// return delays it longer.
const ABORT_TIMEOUT: Duration = Duration::from_secs(1);

/// How often [`Server::shutdown`] checks whether a session has ended.
const END_POLL_INTERVAL: Duration = Duration::from_millis(2);

/// A running SMSC. Its [`Service`] decides on binds and responds to requests; its [`ServerLimits`] bound connections and
/// binds; the [`Config`](smpp_core::session::Config) of a [`Listener`] has the timeouts and bounds of each session.
///
/// Each connection has two threads: one calls the service, one keeps the session alive while the service is busy. Use it
/// for tests, gateways, and up to some hundreds of binds; beyond that use the server of `smpp-io-tokio`.
///
/// ```
/// use smpp_core::session::{Config, Smsc};
/// use smpp_core::{Bind, CommandStatus, SubmitSm, SubmitSmResp};
/// use smpp_io_std::{BindRequest, BoundSession, Connector, HandleRoute, Inbound, Listener, Server, Service};
///
/// struct Shop;
///
/// impl Service for Shop {
///     fn bind(&self, request: &BindRequest) -> Result<(), CommandStatus> {
///         if request.bind().password.equals(b"secret") { Ok(()) } else { Err(CommandStatus::RINVPASWD) }
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
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    accept_threads: Vec<JoinHandle<()>>,
}

/// Builds a [`Server`]: its limits, its system_id, and the addresses on which it listens.
///
/// ```no_run
/// use smpp_core::session::Config;
/// use smpp_io_std::{Listener, Server, ServerLimits, Service};
///
/// fn run(service: impl Service) -> Result<Server, Box<dyn std::error::Error>> {
///     let limits = ServerLimits { binds_per_account: 4, ..ServerLimits::default() };
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
    /// Sets the limits on connections and binds.
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
    /// use smpp_core::session::{Direction, Instant, ObservedPdu, Observer, RejectedPdu};
    /// use smpp_io_std::{Server, ServerBuilder, Service};
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

    /// Starts to accept connections, with one thread for each listener. Does not block.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system if it cannot start a thread or does not return the address of a listener.
    pub fn start(self) -> io::Result<Server> {
        let Self { service, limits, system_id, version, observer, listeners } = self;
        let shared = Arc::new(Shared::new(Box::new(service), limits, (system_id, version), observer));
        let mut server = Server { shared, addresses: Vec::new(), accept_threads: Vec::new() };
        for listener in listeners {
            server.addresses.push(listener.local_addr()?);
            let shared = Arc::clone(&server.shared);
            let thread = thread::Builder::new().name("smpp accept".into());
            server.accept_threads.push(thread.spawn(move || connection::accept(&shared, &listener))?);
        }
        Ok(server)
    }
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

    /// Returns the addresses on which the server listens, in the order of the listeners.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns the sessions that are bound at this moment. It waits while an observer of one of the sessions runs.
    pub fn binds(&self) -> Vec<BoundSession> {
        let mut bound: Vec<_> = self.shared.lock().admitted().cloned().collect();
        bound.retain(|bound| bound.peer.state() != State::Open);
        bound
    }

    /// Delivers a message or a delivery receipt (deliver_sm, data_sm) to an account, and waits for the response. The binds
    /// of the account that receive are used in turn. It blocks as [`Handle::request`](crate::Handle::request) does.
    ///
    /// # Errors
    ///
    /// `NeverSent` with [`NotSentReason::NoBind`] if the account has no bind that receives; otherwise as
    /// [`Handle::request`](crate::Handle::request).
    pub fn deliver<O>(&self, system_id: &[u8], message: &O) -> Result<Response, RequestError>
    where
        O: Operation + SentBy<Smsc>,
    {
        let (turn, mut receivers) = self.shared.lock().next_delivery(system_id);
        receivers.retain(BoundSession::receives);
        match turn.checked_rem(receivers.len()).and_then(|turn| receivers.get(turn)) {
            Some(bound) => bound.peer.request(message),
            None => Err(RequestError::NeverSent(NotSentReason::NoBind)),
        }
    }

    /// Shuts the server down gracefully, and returns how each session ended. It accepts no new connection; each session
    /// waits up to [`Config::drain_timeout`](smpp_core::session::Config::drain_timeout) for the requests in flight, and
    /// unbinds. Sessions that are left after `timeout` are aborted.
    ///
    /// It blocks until all sessions have ended: at most for `timeout`, and about a second more if sessions are left that
    /// cannot end at once. A thread in which the service or an observer does not return outlives the server; the session
    /// of such an observer is reported as [`Aborted`](CloseReason::Aborted).
    pub fn shutdown(mut self, timeout: Duration) -> Shutdown {
        // A timeout beyond the range of the clock becomes 30 years.
        let deadline = Instant::now() + timeout.min(Duration::from_secs(30 * 365 * 24 * 3600));
        self.stop_accepting();
        let (bound, not_bound) = {
            let registry = self.shared.lock();
            let bound: Vec<_> = registry.admitted().cloned().collect();
            let not_bound = registry.all.len() - bound.len();
            (bound, not_bound)
        };
        for peer in self.shared.peers() {
            // A write that the peer does not take delays the next session.
            if Instant::now() < deadline {
                peer.begin_unbind();
            }
        }
        self.shared.wait_for_end(deadline);
        // If the thread of a connection has ended, by a panic of the service, its session may still wait for the ESME.
        wait_for_ends(&bound, deadline);
        self.shared.peers().iter().chain(bound.iter().map(BoundSession::peer)).for_each(Peer::begin_abort);
        wait_for_ends(&bound, Instant::now() + ABORT_TIMEOUT);
        let aborted = End { reason: CloseReason::Aborted, error: None };
        let ended = bound.into_iter().map(|bound| {
            let end = bound.peer.try_end().unwrap_or_else(|| aborted.clone());
            (bound, end)
        });
        Shutdown { ended: ended.collect(), not_bound }
    }

    fn stop_accepting(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        for (address, accept_thread) in self.addresses.iter().zip(self.accept_threads.drain(..)) {
            // A connection wakes the thread from its accept. If none can be made, the thread ends with the next one.
            let local = match address.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
                IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
                _ => *address,
            };
            if TcpStream::connect_timeout(&local, ACCEPT_PAUSE).is_ok() {
                // The thread returns nothing.
                let _ = accept_thread.join();
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop_accepting();
        self.shared.peers().iter().for_each(Peer::begin_abort);
    }
}

/// Waits until all sessions have ended, at most until `deadline`. It never waits for the lock of a session.
fn wait_for_ends(sessions: &[BoundSession], deadline: Instant) {
    for session in sessions {
        while session.peer.try_end().is_none() && Instant::now() < deadline {
            thread::sleep(END_POLL_INTERVAL);
        }
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
