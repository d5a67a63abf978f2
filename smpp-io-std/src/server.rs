//! The SMSC's side: listen, handshake, decide on the bind, hand over what is asked.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use smpp_core::session::{Config, NotSentReason, RequestError, Response, SentBy, Smsc, State};
use smpp_core::{Bind, BindResp, COctets, CommandStatus, InterfaceVersion, Operation, Tlv, Tlvs};

use crate::error::End;
use crate::handle::{self, Peer};
use crate::inbox::Inbox;
use crate::incoming::{HandleRoute, Inbound, InboundRequest};
use crate::stream::Stream;
use crate::tls_stream::TlsStream;

/// How long to wait before the next attempt to accept a connection failed: the process may be short of something.
const PAUSE: Duration = Duration::from_millis(100);

/// What an SMSC of one's own decides and does.
///
/// Its methods are called by many connections at once, each in its own thread. A panic in one of them ends the
/// connection it is about.
pub trait Service: Send + Sync + 'static {
    /// Decides on a bind: admits it, or gives the status it is refused with, such as
    /// [`RINVPASWD`](CommandStatus::RINVPASWD).
    ///
    /// The time that it takes is the ESME's, of [`Config::session_init_timeout`]: what is decided later is told to nobody. It is to
    /// return all the same, for until then its connection counts.
    fn bind(&self, request: &BindRequest) -> Result<(), CommandStatus>;

    /// Answers a request of a bound ESME, now or later: the request can be kept and passed on. Dropped unanswered it
    /// is answered with a temporary error, so that the ESME keeps the message.
    ///
    /// Called for one request of a session after another, in the order in which they come. While it is busy, others wait
    /// in the inbox, [`max_unanswered`](Config::max_unanswered) at most, and the session is kept alive.
    fn request(&self, bound: &BoundSession, request: Inbound<HandleRoute<Smsc>>);
}

/// A bind that waits for a decision.
#[derive(Debug)]
pub struct BindRequest {
    request: InboundRequest<Bind<'static>, HandleRoute<Smsc>>,
    address: SocketAddr,
}

impl BindRequest {
    /// Who wants to bind, and how.
    pub fn bind(&self) -> Bind<'_> {
        self.request.get()
    }

    /// Where the ESME connects from.
    pub const fn peer_addr(&self) -> SocketAddr {
        self.address
    }
}

/// How many may connect and bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections at once, bound or not; one more is closed at once. Default 1,000.
    pub connections: usize,
    /// The same for one IP address. Default 100.
    pub connections_per_address: usize,
    /// Binds that a system_id may hold at once; one more is refused with `ESME_RALYBND`. Default 10.
    pub binds_per_account: u16,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self { connections: 1000, connections_per_address: 100, binds_per_account: 10 }
    }
}

/// Where an SMSC listens, and how the sessions run that come in there. Give it to a [`Server`].
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    config: Config,
}

impl Listener {
    /// Listens on a TCP address; sessions run with `config`. From the connection to the bind, the TLS handshake
    /// included, an ESME has [`Config::session_init_timeout`].
    pub fn bind(address: impl ToSocketAddrs, config: Config) -> io::Result<Self> {
        Ok(Self { tcp: TcpListener::bind(address)?, tls: None, config })
    }

    /// Speaks TLS from the first octet: see [`tls::server`](crate::tls::server).
    #[must_use]
    pub fn tls(self, tls: Arc<ServerConfig>) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Where it listens.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// A running SMSC. What it decides and does is its [`Service`]'s; who may be connected is in its [`ServerLimits`]; the times
/// and bounds of each session are in the `Config` of the [`Listener`] that it came by.
///
/// Each connection has two threads: one for the service, one that keeps the session alive while the service is busy.
///
/// ```
/// use smpp_core::session::{Config, Smsc};
/// use smpp_core::{Bind, CommandStatus, SubmitSm, SubmitSmResp};
/// use smpp_io_std::{BindRequest, BoundSession, Connector, Inbound, Listener, Server, Service, HandleRoute};
///
/// struct Shop;
///
/// impl Service for Shop {
///     fn bind(&self, request: &BindRequest) -> Result<(), CommandStatus> {
///         if request.bind().password.equals(b"secret") { Ok(()) } else { Err(CommandStatus::RINVPASWD) }
///     }
///
///     fn request(&self, _: &BoundSession, request: Inbound<HandleRoute<Smsc>>) {
///         // What is not a message is dropped: that refuses it.
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
/// # Its end
///
/// [`shutdown`](Self::shutdown) ends it in good order. Dropped, it ends at once: it stops listening, and every session
/// is aborted.
pub struct Server {
    shared: Arc<Shared>,
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

impl<S: Service> ServerBuilder<S> {
    /// Who may be connected.
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

    /// Starts to accept connections, in threads of its own, one for each listener. It does not block.
    ///
    /// It fails if the operating system has no thread to give, or does not say where a listener listens.
    pub fn start(self) -> io::Result<Server> {
        let Self { service, limits, name, listeners } = self;
        let shared = Arc::new(Shared {
            service: Box::new(service),
            limits,
            name,
            stopping: AtomicBool::new(false),
            connections: Mutex::default(),
            ended: Condvar::new(),
        });
        let mut server = Server { shared, addresses: Vec::new(), acceptors: Vec::new() };
        for listener in listeners {
            server.addresses.push(listener.local_addr()?);
            let shared = Arc::clone(&server.shared);
            let thread = thread::Builder::new().name("smpp accept".into());
            server.acceptors.push(thread.spawn(move || shared.accept(&listener))?);
        }
        Ok(server)
    }
}

/// One bound ESME. Cheap to clone.
#[derive(Clone, Debug)]
pub struct BoundSession {
    peer: Peer,
    system_id: Arc<[u8]>,
    address: SocketAddr,
}

impl BoundSession {
    /// The session: delivers.
    pub const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// As whom the ESME has bound.
    pub fn system_id(&self) -> &[u8] {
        &self.system_id
    }

    /// Where it comes from.
    pub const fn peer_addr(&self) -> SocketAddr {
        self.address
    }

    fn receives(&self) -> bool {
        matches!(self.peer.state(), State::Bound(mode) if mode.receives())
    }
}

struct Shared {
    service: Box<dyn Service>,
    limits: ServerLimits,
    name: Vec<u8>,
    stopping: AtomicBool,
    connections: Mutex<Connections>,
    /// A connection has ended.
    ended: Condvar,
}

#[derive(Default)]
struct Connections {
    all: HashMap<u64, Connection>,
    next: u64,
    /// Whose turn it is to receive.
    turn: usize,
}

struct Connection {
    address: IpAddr,
    /// Once there is a session: before the bind too.
    peer: Option<Peer>,
    bound: Option<BoundSession>,
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

    /// Who is bound at this moment. It does not block.
    pub fn bound(&self) -> Vec<BoundSession> {
        self.shared.lock().bound().cloned().collect()
    }

    /// Delivers a message or a receipt (deliver_sm, data_sm) to an account: on one of its binds that receive, each in
    /// its turn. It blocks as [`Handle::request`](crate::Handle::request) does. If the account has no such bind, the
    /// error is `NeverSent`, [`NotSentReason::NoBind`].
    pub fn deliver<O>(&self, system_id: &[u8], message: &O) -> Result<Response, RequestError>
    where
        O: Operation + SentBy<Smsc>,
    {
        let receiver = self.shared.lock().receiver(system_id);
        match receiver {
            Some(bound) => bound.peer.request(message),
            None => Err(RequestError::NeverSent(NotSentReason::NoBind)),
        }
    }

    /// Ends it in good order: nobody is let in any more, what is under way may finish within [`Config::drain_timeout`], then
    /// each session unbinds. What is left after `within` is aborted. Blocks until then, and says how each session
    /// ended.
    ///
    /// A thread in which the service does not return outlives the server.
    pub fn shutdown(mut self, within: Duration) -> Vec<(BoundSession, End)> {
        // A time that no clock reaches is one of these years.
        let deadline = Instant::now() + within.min(Duration::from_secs(30 * 365 * 24 * 3600));
        self.stop_accepting();
        let bound = self.bound();
        self.shared.peers().iter().for_each(Peer::begin_unbind);
        self.shared.wait_for_end(deadline);
        self.shared.peers().iter().for_each(|peer| drop(peer.abort()));
        let ended = bound.into_iter().map(|bound| {
            let end = bound.peer.closed();
            (bound, end)
        });
        ended.collect()
    }

    fn stop_accepting(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        for (address, acceptor) in self.addresses.iter().zip(self.acceptors.drain(..)) {
            // The acceptor is woken by a connection; if none can be made, it stops with the next that comes.
            let here = match address.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
                IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
                _ => *address,
            };
            if TcpStream::connect_timeout(&here, PAUSE).is_ok() {
                // It has nothing to tell.
                let _ = acceptor.join();
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop_accepting();
        self.shared.peers().iter().for_each(|peer| drop(peer.abort()));
    }
}

impl Shared {
    fn accept(self: Arc<Self>, listener: &Listener) {
        for accepted in listener.tcp.incoming() {
            if self.stopping.load(Ordering::SeqCst) {
                return;
            }
            let Ok(tcp) = accepted else {
                thread::sleep(PAUSE);
                continue;
            };
            let Ok(address) = tcp.peer_addr() else { continue };
            let Some(number) = self.lock().enter(address.ip(), self.limits) else { continue };
            let place = Place { shared: Arc::clone(&self), number };
            // If there is no thread for it, the connection is closed.
            let thread = thread::Builder::new().name("smpp handler".into());
            let (tls, config) = (listener.tls.clone(), listener.config);
            let _ = thread.spawn(move || place.serve(tcp, tls, config, address));
        }
    }

    /// A panic of a handler leaves what is counted as it was.
    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn peers(&self) -> Vec<Peer> {
        self.lock().all.values().filter_map(|connection| connection.peer.clone()).collect()
    }

    /// Whether all connections have ended in time.
    fn wait_for_end(&self, deadline: Instant) -> bool {
        let mut connections = self.lock();
        while !connections.all.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.ended.wait_timeout(connections, left);
            connections = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Connections {
    /// The number of a new connection, unless there are as many as there may be.
    fn enter(&mut self, address: IpAddr, limits: ServerLimits) -> Option<u64> {
        let from_there = self.all.values().filter(|connection| connection.address == address).count();
        if self.all.len() >= limits.connections || from_there >= limits.connections_per_address {
            return None;
        }
        self.next += 1;
        self.all.insert(self.next, Connection { address, peer: None, bound: None });
        Some(self.next)
    }

    /// Those whose bind was admitted: they count.
    fn admitted(&self) -> impl Iterator<Item = &BoundSession> {
        self.all.values().filter_map(|connection| connection.bound.as_ref())
    }

    /// Those whose bind was answered, too: they can be delivered to.
    fn bound(&self) -> impl Iterator<Item = &BoundSession> {
        self.admitted().filter(|bound| bound.peer.state() != State::Open)
    }

    /// One more bind, unless there are as many of its system_id as there may be.
    fn bind(&mut self, number: u64, bound: &BoundSession, limit: u16) -> bool {
        let same = self.admitted().filter(|other| other.system_id == bound.system_id).count();
        if same >= limit.into() {
            return false;
        }
        if let Some(connection) = self.all.get_mut(&number) {
            connection.bound = Some(bound.clone());
        }
        true
    }

    fn receiver(&mut self, system_id: &[u8]) -> Option<BoundSession> {
        self.turn = self.turn.wrapping_add(1);
        let account = self.bound().filter(|bound| bound.system_id() == system_id && bound.receives());
        let account: Vec<_> = account.collect();
        account.get(self.turn.checked_rem(account.len())?).map(|bound| (*bound).clone())
    }
}

/// A connection among those that are counted, until it is dropped.
struct Place {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let ended = self.shared.lock().all.remove(&self.number);
        self.shared.ended.notify_all();
        // A session that nobody serves any more ends, whoever keeps a handle on it. Not under the lock.
        ended.and_then(|connection| connection.peer).inspect(Peer::begin_unbind);
    }
}

impl Place {
    /// One connection, to its end. How it ends is the ESME's to tell.
    fn serve(self, tcp: TcpStream, tls: Option<Arc<ServerConfig>>, config: Config, address: SocketAddr) {
        let Some((bound, mut inbox)) = self.admit(tcp, tls, config, address) else { return };
        while let Some(request) = inbox.recv() {
            self.shared.service.request(&bound, request);
        }
    }

    /// The handshake and the bind, within [`Config::session_init_timeout`].
    fn admit(
        &self,
        tcp: TcpStream,
        tls: Option<Arc<ServerConfig>>,
        config: Config,
        address: SocketAddr,
    ) -> Option<(BoundSession, Inbox<Smsc>)> {
        let began = Instant::now();
        // Without it, Nagle's algorithm delays each response; a failure to set it harms nothing.
        let _ = tcp.set_nodelay(true);
        let stream = match tls {
            Some(tls) => {
                Stream::Tls(Box::new(TlsStream::accept(tcp, tls, config.session_init_timeout).ok()?))
            }
            None => Stream::Tcp(tcp),
        };
        let session_init = config.session_init_timeout.saturating_sub(began.elapsed());
        let (peer, mut inbox) =
            handle::start(stream, Config { session_init_timeout: session_init, ..config }).ok()?;
        self.shared.lock().all.get_mut(&self.number)?.peer = Some(peer.clone());
        if self.shared.stopping.load(Ordering::SeqCst) {
            return None;
        }
        // Nothing else is let through before it.
        let Inbound::Bind(request) = inbox.recv()? else { return None };
        let request = BindRequest { request, address };
        let system_id = request.bind().system_id.as_bytes().into();
        let bound = BoundSession { peer, system_id, address };
        let admitted = self.shared.service.bind(&request).and_then(|()| {
            let one_more = self.shared.lock().bind(self.number, &bound, self.shared.limits.binds_per_account);
            if one_more { Ok(()) } else { Err(CommandStatus::RALYBND) }
        });
        if let Err(status) = admitted {
            // If the ESME has gone, there is nobody to tell.
            let _ = request.request.refuse(status);
            bound.peer.unbind();
            return None;
        }
        let version = [Tlv::sc_interface_version(InterfaceVersion::V3_4)];
        let system_id = COctets::new(&self.shared.name).unwrap_or_default();
        let response = BindResp { system_id, tlvs: Tlvs::list(&version) };
        request.request.respond(Ok(response)).ok().map(|()| (bound, inbox))
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
