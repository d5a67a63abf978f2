//! The SMSC's side: a server that ESMEs bind to.
//!
//! See [`Server`]; [`Listener`] alone is for who wants to hold each connection in his own hands.

mod binds;
mod connection;
mod listener;
mod registry;
mod service;
mod stream;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use smpp_core::session::{CloseReason, RequestError, Response, SentBy, Smsc};
use smpp_core::{COctets, Operation};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout_at};

pub use binds::{BindId, BindRegistry, BoundSession};
pub use listener::{BindRequest, IncomingConnection, Listener};
pub use registry::{RejectReason, ServerLimits};
pub use service::{Admission, ServerEvent, Service};
pub use stream::ServerStream;

use crate::driver::{AGES, End};
use connection::House;
use registry::Registry;

/// How long to wait where connections cannot be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// A running SMSC. What it decides and does is its [`Service`]'s; who may be connected is in its [`ServerLimits`]; the times
/// and bounds of each session are in the `Config` of the [`Listener`] that it came by.
///
/// The [crate documentation](crate#an-smsc) has a whole one. What it delivers, where it listens, and how it ends:
///
/// ```no_run
/// use std::time::Duration;
///
/// use smpp_core::session::Config;
/// use smpp_core::{Address, DeliverSm, ShortMessage};
/// use smpp_io_tokio::{Listener, Server, Service, tls};
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
///     Ok(_) => println!("the account has it"),
///     Err(error) if error.is_safe_to_resend() => println!("it has not, keep the message: {error}"),
///     Err(error) => println!("it may have it: {error}"),
/// }
/// for bound in server.binds().list() {
///     let messages = bound.stats().received.total().requests;
///     println!("{} from {}: {messages}", bound.system_id().escape_ascii(), bound.peer_addr());
/// }
/// let shutdown = server.shutdown(Duration::from_secs(10)).await;
/// println!("{} sessions ended, {} of them aborted", shutdown.ended.len(), shutdown.aborted());
/// # Ok(())
/// # }
/// ```
///
/// # Its end
///
/// [`shutdown`](Self::shutdown) ends it in good order. Dropped, it ends at once: it stops listening, and every session
/// is aborted.
pub struct Server {
    binds: BindRegistry,
    addresses: Vec<SocketAddr>,
    acceptors: Vec<JoinHandle<()>>,
}

/// A server that is not running yet.
#[must_use = "it has to be started"]
pub struct ServerBuilder<S> {
    service: S,
    limits: ServerLimits,
    name: Vec<u8>,
    listeners: Vec<Listener>,
}

/// What a [`Server::shutdown`] came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Shutdown {
    /// The binds that there were, and how each ended.
    pub ended: Vec<(BoundSession, End)>,
    /// Connections that had no bind, and were closed.
    pub not_bound: usize,
}

impl Shutdown {
    /// Binds that did not unbind in time: what was under way on them has an unknown outcome.
    pub fn aborted(&self) -> usize {
        self.ended.iter().filter(|(_, end)| end.reason == CloseReason::Aborted).count()
    }
}

impl<S: Service> ServerBuilder<S> {
    /// Who may be connected, and how fast a bind may send.
    pub fn limits(self, limits: ServerLimits) -> Self {
        Self { limits, ..self }
    }

    /// The SMSC's own system_id, which it tells in its bind responses; empty unless set.
    pub fn system_id(self, system_id: COctets<'_, 16>) -> Self {
        Self { name: system_id.as_bytes().to_vec(), ..self }
    }

    /// Listens there too: any number of addresses, plain and TLS.
    pub fn listen(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Starts to accept connections, in tasks of its own. Call it within a tokio runtime.
    ///
    /// It fails only if the system does not say where a listener listens.
    pub fn start(self) -> io::Result<Server> {
        let Self { service, limits, name, listeners } = self;
        let addresses = listeners.iter().map(Listener::local_addr).collect::<io::Result<Vec<_>>>()?;
        let registry = Registry::new(limits);
        let house = Arc::new(House { service, registry: Arc::clone(&registry), name });
        let acceptors = listeners.into_iter().zip(addresses.iter().copied());
        let acceptors = acceptors
            .map(|(listener, address)| tokio::spawn(accept(Arc::clone(&house), listener, address)))
            .collect();
        Ok(Server { binds: BindRegistry { registry }, addresses, acceptors })
    }
}

/// Accepts connections, each into a task of its own, for ever.
async fn accept<S: Service>(house: Arc<House<S>>, listener: Listener, at: SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(connecting) => {
                let address = connecting.peer_addr();
                match house.registry.admit(address) {
                    Ok((slot, stop)) => drop(tokio::spawn(Arc::clone(&house).let_in(connecting, slot, stop))),
                    Err(cap) => house.tell(ServerEvent::ConnectionRejected { address, reason: cap }),
                }
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                house.tell(ServerEvent::AcceptFailed { listener: at, error: &error });
                sleep(PAUSE).await;
            }
        }
    }
}

/// So long from now.
fn after(time: Duration) -> Instant {
    Instant::now() + time.min(AGES)
}

/// Whether the connection that was to be accepted is the one that failed: others are not to wait for that.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

impl Server {
    /// A server that asks this service, with the default [`ServerLimits`].
    pub fn builder<S: Service>(service: S) -> ServerBuilder<S> {
        ServerBuilder { service, limits: ServerLimits::default(), name: Vec::new(), listeners: Vec::new() }
    }

    /// Where it listens, in the order of the listeners.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Who is bound. Clone it to deliver from elsewhere.
    pub fn binds(&self) -> &BindRegistry {
        &self.binds
    }

    /// Delivers to an account: [`BindRegistry::deliver`].
    pub async fn deliver<O>(&self, system_id: &[u8], message: &O) -> Result<Response, RequestError>
    where
        O: Operation + SentBy<Smsc>,
    {
        self.binds.deliver(system_id, message).await
    }

    /// Ends it in good order, and says how each session ended: nobody is let in any more, what is under way may finish
    /// within `Config::drain_timeout`, then each session unbinds. What is left after `within` is aborted.
    ///
    /// Dropped before it is done, the rest is aborted at once.
    pub async fn shutdown(mut self, within: Duration) -> Shutdown {
        let deadline = after(within);
        for acceptor in std::mem::take(&mut self.acceptors) {
            acceptor.abort();
            // It ends by being aborted. Then its address is free.
            let _ = acceptor.await;
        }
        let registry = &self.binds.registry;
        let not_bound = registry.stop();
        let mut leaving = JoinSet::new();
        for bound in registry.bound(None) {
            leaving.spawn(async move {
                let end = match timeout_at(deadline, bound.peer().unbind()).await {
                    Ok(end) => end,
                    Err(_) => bound.peer().abort().await,
                };
                (bound, end)
            });
        }
        let mut ended = Vec::new();
        while let Some(left) = leaving.join_next().await {
            ended.extend(left.ok());
        }
        let _ = timeout_at(deadline, registry.emptied()).await;
        Shutdown { ended, not_bound }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.acceptors.iter().for_each(JoinHandle::abort);
        self.binds.registry.cut();
    }
}
