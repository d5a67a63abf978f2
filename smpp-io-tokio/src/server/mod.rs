//! The server side (SMSC).
//!
//! [`Server`] runs a whole SMSC; with a [`Listener`] alone the application handles each connection itself.

mod acceptor;
mod binds;
mod bound;
mod connection;
mod events;
mod handlers;
mod incoming;
mod listener;
mod registry;
mod sending;
mod service;
mod stream;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use smpp_proto::server::{DeliverError, Delivery};
use smpp_proto::session::{CloseReason, Observer, RequestError, Response};
use smpp_proto::{COctets, InterfaceVersion};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout_at};

pub use acceptor::Acceptor;
pub use binds::{BindRegistry, QueuedDelivery};
pub use bound::{BindId, BoundSession};
pub use events::Events;
pub use incoming::{BindRequest, IncomingConnection};
pub use listener::Listener;
pub use service::{ServerEvent, Service};
pub use smpp_common::ServerLimits;
use smpp_common::check_limits;
pub use smpp_proto::server::{Admission, ProxyHeaderError, RejectReason};
pub use stream::ServerStream;

use crate::clock::after;
use crate::error::End;
use connection::{ObserverFactory, ServerContext};
use registry::Registry;

/// The pause after an error of accepting connections.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long [`Server::shutdown`] waits after its timeout for the ends of the sessions that it has aborted. Only a handler that blocks its thread
/// takes longer.
const ABORT_TIMEOUT: Duration = Duration::from_millis(100);

/// A running SMSC. Its [`Service`] decides on binds and responds to requests, its [`ServerLimits`] bound connections and
/// rates, and the [`Config`](smpp_proto::session::Config) of each [`Listener`] sets the timeouts and bounds of the sessions.
///
/// The [crate documentation](crate#server) has a whole example with a service. Listening, delivering and shutting down:
///
/// ```no_run
/// use std::time::Duration;
///
/// use smpp_proto::session::Config;
/// use smpp_proto::{Address, DeliverSm, ShortMessage};
/// use smpp_tokio::{Listener, Server, Service, tls};
///
/// # async fn example(service: impl Service) -> Result<(), Box<dyn std::error::Error>> {
/// let tls = tls::server_files("chain.pem".as_ref(), "key.pem".as_ref())?;
/// let server = Server::builder(service)
///     .listen(Listener::bind("0.0.0.0:2775", Config::default()).await?)
///     .listen(Listener::bind("0.0.0.0:2776", Config::default()).await?.tls(tls))
///     .start()?;
/// let message = DeliverSm {
///     source: Address::international("6591234567")?,
///     short_message: ShortMessage::new(b"Hello")?,
///     ..DeliverSm::default()
/// };
/// match server.deliver(b"shop", &message).await {
///     Ok(_) => println!("delivered"),
///     Err(error) if error.is_safe_to_resend() => println!("refused or not sent, retry it later: {error}"),
///     Err(error) => println!("the account may have it: {error}"),
/// }
/// let shutdown = server.shutdown(Duration::from_secs(10)).await;
/// println!("{} sessions ended, {} of them aborted", shutdown.ended.len(), shutdown.aborted());
/// # Ok(())
/// # }
/// ```
///
/// # Shutdown
///
/// [`shutdown`](Self::shutdown) ends the server gracefully. If a server is dropped, it stops listening and aborts every
/// session at once.
pub struct Server {
    binds: BindRegistry,
    acceptor: Acceptor,
    addresses: Vec<SocketAddr>,
    /// The tasks of the listeners.
    accepting: Vec<JoinHandle<()>>,
    /// Runs the timers of the registry.
    timers: JoinHandle<()>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// Configures a [`Server`].
///
/// ```no_run
/// use smpp_proto::session::Config;
/// use smpp_tokio::{Listener, Server, ServerLimits, Service};
///
/// # async fn example(service: impl Service) -> std::io::Result<Server> {
/// Server::builder(service)
///     .limits(ServerLimits::default().binds_per_account(4))
///     .listen(Listener::bind("0.0.0.0:2775", Config::default()).await?)
///     .start()
/// # }
/// ```
#[must_use = "a server does nothing before `start`"]
pub struct ServerBuilder<S> {
    service: S,
    limits: ServerLimits,
    system_id: Vec<u8>,
    version: Option<InterfaceVersion>,
    observer: Option<ObserverFactory>,
    listeners: Vec<Listener>,
}

impl<S> fmt::Debug for ServerBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder").field("limits", &self.limits).finish_non_exhaustive()
    }
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

    /// Sets the system_id of the SMSC, which is in its bind responses. Default: empty.
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
    ///
    /// use smpp_proto::session::{Direction, Instant, ObservedPdu, Observer, RejectedPdu};
    /// use smpp_tokio::{Server, ServerBuilder, Service};
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

    /// Adds a listener. A server may have any number, with and without TLS, or none: see [`Server::serve`].
    pub fn listen(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Starts the server in tasks of its own. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system if the local address of a listener cannot be read;
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) with the option if a limit or the configuration of a listener cannot work.
    pub fn start(self) -> io::Result<Server> {
        let Self { service, limits, system_id, version, observer, listeners } = self;
        check_limits(&limits)?;
        listeners.iter().try_for_each(Listener::check)?;
        let addresses = listeners.iter().map(Listener::local_addr).collect::<io::Result<Vec<_>>>()?;
        let (registry, timers) = Registry::start(limits);
        let context = Arc::new(ServerContext {
            service,
            registry: Arc::clone(&registry),
            system_id,
            version,
            observer,
        });
        let accepting = listeners.into_iter().zip(addresses.iter().copied());
        let accepting = accepting
            .map(|(listener, address)| tokio::spawn(accept(Arc::clone(&context), listener, address)))
            .collect();
        let acceptor = Acceptor::new(context);
        Ok(Server { binds: BindRegistry { registry }, acceptor, addresses, accepting, timers })
    }
}

/// Accepts connections, and spawns a task for each.
async fn accept<S: Service>(context: Arc<ServerContext<S>>, listener: Listener, local: SocketAddr) {
    loop {
        match listener.accept().await {
            // A connection that is rejected has its event.
            Ok(connection) => _ = context.serve(connection),
            Err(error) if is_connection_error(&error) => {}
            Err(error) => {
                context.emit(ServerEvent::AcceptFailed { listener: local, error: &error });
                sleep(ACCEPT_PAUSE).await;
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
    /// Returns the builder of a server with this service.
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

    /// Returns the local addresses, in the order of the listeners. A Unix socket has the address `0.0.0.0:0`.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Serves a connection that the application has accepted itself: see [`IncomingConnection::new`]. It counts for the limits of
    /// the server as those of its listeners do.
    ///
    /// # Errors
    ///
    /// Returns why the connection is closed at once.
    pub fn serve(&self, connection: IncomingConnection) -> Result<(), RejectReason> {
        self.acceptor.serve(connection)
    }

    /// Returns what serves connections from other tasks, for example from an accept loop of the application.
    pub fn acceptor(&self) -> Acceptor {
        self.acceptor.clone()
    }

    /// Returns the binds of the server. Clone the registry to deliver from other tasks.
    pub fn binds(&self) -> &BindRegistry {
        &self.binds
    }

    /// Delivers a message to an account: see [`BindRegistry::deliver`].
    ///
    /// # Errors
    ///
    /// As [`BindRegistry::deliver`].
    ///
    /// # Cancel safety
    ///
    /// As [`BindRegistry::deliver`].
    pub async fn deliver(
        &self,
        account: &[u8],
        message: impl Into<Delivery>,
    ) -> Result<Response, RequestError> {
        self.binds.deliver(account, message).await
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

    /// Shuts down the server gracefully, and returns how each session ended. The server stops listening, requests in
    /// flight may complete within [`drain_timeout`](smpp_proto::session::Config::drain_timeout), then each session
    /// unbinds. Sessions that have not ended after `timeout` are aborted; it returns 100 ms later at most, also if a
    /// handler of the service blocks its thread.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped early, the sessions that have not ended are aborted at once.
    pub async fn shutdown(mut self, timeout: Duration) -> Shutdown {
        let deadline = after(timeout);
        let abort_by = deadline + ABORT_TIMEOUT;
        for accepting in std::mem::take(&mut self.accepting) {
            accepting.abort();
            // The task is aborted. After it, the local address is free.
            let _ = timeout_at(deadline, accepting).await;
        }
        let registry = &self.binds.registry;
        let not_bound = registry.stop();
        let mut sessions = JoinSet::new();
        for bound in registry.bound(None) {
            sessions.spawn(async move {
                let end = if let Ok(end) = timeout_at(deadline, bound.peer().unbind()).await {
                    end
                } else {
                    bound.abort();
                    let aborted = End::new(CloseReason::Aborted, None);
                    timeout_at(abort_by, bound.peer().closed()).await.unwrap_or(aborted)
                };
                (bound, end)
            });
        }
        let mut ended = Vec::new();
        while let Some(session) = sessions.join_next().await {
            ended.extend(session.ok());
        }
        let _ = timeout_at(deadline, registry.all_removed()).await;
        registry.close();
        // Their sessions have ended.
        let _ = timeout_at(abort_by, registry.all_delivered()).await;
        Shutdown { ended, not_bound }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.iter().for_each(JoinHandle::abort);
        self.timers.abort();
        self.binds.registry.abort_all();
    }
}
