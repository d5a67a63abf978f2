//! The task of one connection to a server: TLS handshake, bind, requests, end.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::ops::DerefMut;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use smpp_common::Arrival;
use smpp_proto::server::{Admission, BindRefusal, ConnectionId, RejectReason};
use smpp_proto::session::{CloseReason, Config, Observer, RateMeter, Smsc};
use smpp_proto::{COctets, CommandStatus, InterfaceVersion, Operation as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::bound::{BindId, BoundSession};
use super::handlers::Handlers;
use super::incoming::{BindRequest, IncomingConnection, Opened, Origin, first_bind};
use super::registry::{Registry, Signals, Slot};
use super::service::{ServerEvent, Service};
use crate::driver::Driver;
use crate::error::AcceptError;
use crate::handle::Peer;
use crate::inbox::{Inbound, Inbox};
use crate::shared::{ServerSide, SessionHook};

/// How long a connection without a bind may take to send its last response before it is aborted.
const FINAL_RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How many requests a connection passes to the service before other tasks get the thread.
const MAX_REQUESTS_PER_POLL: usize = 128;

/// What all connections of a server share.
pub(super) struct ServerContext<S> {
    pub(super) service: S,
    pub(super) registry: Arc<Registry>,
    /// The system_id of the SMSC.
    pub(super) system_id: Vec<u8>,
    /// The version that bind responses state.
    pub(super) version: Option<InterfaceVersion>,
    pub(super) observer: Option<ObserverFactory>,
}

/// Creates the observer of a connection from the address of the client.
pub(super) type ObserverFactory = Box<dyn Fn(SocketAddr) -> Box<dyn Observer + Send> + Send + Sync>;

/// Ends a bind in the registry when it is dropped.
struct RegisteredBind {
    slot: Arc<Slot>,
    bound: BoundSession,
}

impl Drop for RegisteredBind {
    fn drop(&mut self) {
        let reason = self.bound.peer().end().map_or(CloseReason::Aborted, |end| end.reason);
        self.slot.registry.ended(self.slot.id, reason);
    }
}

/// Why a connection was not bound.
enum NotBound {
    Failed(AcceptError),
    /// The bind was refused, and the event is emitted.
    Refused,
}

impl<S: Service> ServerContext<S> {
    /// Emits an event to the service. A panic in there does not affect the connection.
    pub(super) fn emit(&self, event: ServerEvent<'_>) {
        let _ = catch_unwind(AssertUnwindSafe(|| self.service.event(event)));
    }

    /// Runs a connection in a task of its own, if it is accepted.
    pub(super) fn serve(self: &Arc<Self>, connection: IncomingConnection) -> Result<(), RejectReason> {
        let address = connection.peer_addr();
        match self.registry.admit(address, connection.arrival()) {
            Ok((slot, signals)) => {
                let running = Arc::clone(self).run_connection(connection, slot, signals);
                self.registry.spawn(running);
                Ok(())
            }
            Err(reason) => {
                self.emit(ServerEvent::ConnectionRejected { address, reason });
                Err(reason)
            }
        }
    }

    /// Reads the header of the PROXY protocol. Returns whether the connection is accepted with the address that it states.
    async fn identify(&self, connection: &mut IncomingConnection, slot: &Slot, signals: &Signals) -> bool {
        let reading = Box::pin(connection.read_proxy_header());
        let read = unless_stopped(reading, pin!(signals.stop.notified())).await;
        let result = match read {
            Some(Err(error)) => Err(self.registry.reject(slot.id, RejectReason::ProxyHeader(error))),
            // If it is closed for another one, this returns the reason.
            Some(Ok(())) | None => self.registry.identify(slot.id, connection.peer_addr()),
        };
        let Err(reason) = result else { return true };
        self.emit(ServerEvent::ConnectionRejected { address: connection.peer_addr(), reason });
        false
    }

    /// Runs a connection until it is bound, and spawns a new task for the bound session: the future of the handshake and the
    /// bind takes more memory than an idle session.
    pub(super) async fn run_connection(
        self: Arc<Self>,
        mut connection: IncomingConnection,
        slot: Arc<Slot>,
        signals: Arc<Signals>,
    ) {
        if connection.arrival() == Arrival::Proxied && !self.identify(&mut connection, &slot, &signals).await
        {
            return;
        }
        let stop = &signals.stop;
        let (address, tls) = (connection.peer_addr(), connection.is_tls());
        // Before the first event: if it panics, there is none.
        let connection = match &self.observer {
            Some(observer) => connection.observe(observer(address)),
            None => connection,
        };
        self.emit(ServerEvent::Connected { connection: BindId(slot.id), address, tls });
        let not_bound = |error: Option<&AcceptError>| {
            if let Some(AcceptError::Ended(end)) = error {
                self.registry.ended(slot.id, end.reason);
            }
            self.emit(ServerEvent::NotBound { connection: BindId(slot.id), address, error });
        };
        let config = connection.config();
        let connection = connection.with_config(self.registry.unbound_config(&config));
        let opening = connection.open(Some(Arc::clone(&slot)), |stream| self.service.transport(stream));
        let opening = Box::pin(opening);
        let Opened { peer, inbox, driver, origin } =
            match unless_stopped(opening, pin!(stop.notified())).await {
                Some(Ok(opened)) => opened,
                Some(Err(error)) => {
                    not_bound(Some(&error));
                    return;
                }
                None => {
                    not_bound(None);
                    return;
                }
            };
        let mut driver = GuardedDriver(Some(driver));
        let deciding = Box::pin(self.decide((&slot, &signals), origin, config, &peer, inbox));
        let stopped = pin!(stop.notified());
        let decided = driver.run_before_bind(&slot, pin!(unless_stopped(deciding, stopped))).await;
        match decided {
            Some(Ok((registered, inbox, meter))) => {
                self.emit(ServerEvent::Bound(&registered.bound));
                let (context, registered) = (Arc::clone(&self), Some(registered));
                let handle = handle::<S>;
                tokio::spawn(BoundConnection {
                    context,
                    driver,
                    registered,
                    inbox,
                    handle,
                    parts: meter.map(|meter| Box::new(OptionalParts { meter: Some(meter), handlers: None })),
                });
                return;
            }
            Some(Err(NotBound::Refused)) => {
                let unbinding = Box::pin(peer.unbind());
                if driver.run_while(pin!(unless_stopped(unbinding, pin!(stop.notified())))).await.is_none() {
                    driver.close(&peer).await;
                }
                self.registry.ended(slot.id, CloseReason::Unbound);
            }
            Some(Err(NotBound::Failed(error))) => not_bound(Some(&error)),
            None => {
                driver.close(&peer).await;
                not_bound(None);
            }
        }
        poll_fn(|cx| driver.poll(cx)).await;
    }

    /// Waits for the bind, lets the service decide on it, and responds. A session that is bound has the `config`.
    async fn decide(
        &self,
        (slot, signals): (&Arc<Slot>, &Signals),
        origin: Origin,
        config: Config,
        peer: &Peer,
        inbox: Inbox<Smsc>,
    ) -> Result<(RegisteredBind, Inbox<Smsc>, Option<RateMeter>), NotBound> {
        let from = (origin.address, origin.tls.is_some());
        let request = first_bind(peer, inbox, origin).await.map_err(NotBound::Failed)?;
        // The registry has the deadline.
        self.registry.begin_decision(slot.id);
        let decided = {
            let deciding = Box::pin(catch_panic(self.service.bind(&request)));
            let deciding = Box::pin(unless_stopped(deciding, Box::pin(signals.undecided.notified())));
            unless_stopped(deciding, pin!(peer.closed())).await
        };
        let Some(decision) = decided else {
            return Err(NotBound::Failed(AcceptError::Ended(peer.closed().await)));
        };
        let bind = request.bind();
        let account = (bind.system_id.as_bytes(), bind.mode);
        let decision = match decision {
            Some(Some(decision)) => decision.map_err(BindRefusal::Application),
            // A panic.
            Some(None) => Err(BindRefusal::Application(CommandStatus::RBINDFAIL)),
            None => Err(BindRefusal::Undecided),
        };
        let admission = decision.as_ref().map_err(|refusal| *refusal);
        // Cloned here: a handle takes the lock of its session, which must not be taken under that of the registry.
        let own = peer.clone();
        let decided = self.registry.decide(slot.id, account, config.window, admission, |name| {
            BoundSession::new(BindId(slot.id), account, name, from, own)
        });
        let (bound, Admission { rate, tolerance, peer_version, .. }) = match (decided, decision) {
            (Ok(bound), Ok(admission)) => (bound, admission),
            (Ok(_), Err(_)) => return Err(NotBound::Refused),
            (Err(status), _) => {
                self.refuse(slot.id, request, status);
                return Err(NotBound::Refused);
            }
        };
        let registered = RegisteredBind { slot: Arc::clone(slot), bound };
        let config = config
            .tolerance(tolerance.or(config.tolerance))
            .peer_version(peer_version.or(config.peer_version));
        peer.shared.with(|core, now| {
            core.session.reconfigure(now, config);
            core.session.raise_max_pdu(config.max_pdu);
        });
        let system_id = COctets::new(&self.system_id).unwrap_or_default();
        let Ok((peer, inbox)) = request.accept_as(system_id, self.version) else {
            return Err(NotBound::Failed(AcceptError::Ended(peer.closed().await)));
        };
        let slot: Arc<dyn SessionHook> = registered.slot.clone();
        let hook = Arc::downgrade(&slot);
        peer.shared.lock().server = Some(ServerSide { hook, is_bound: true });
        self.registry.ready(registered.slot.id);
        let meter = rate.or(self.registry.limits.rate).map(RateMeter::new);
        Ok((registered, inbox, meter))
    }

    fn refuse(&self, id: ConnectionId, request: BindRequest, status: CommandStatus) {
        let (connection, address, bind) = (BindId(id), request.peer_addr(), request.bind());
        let (system_id, mode) = (bind.system_id.as_bytes(), bind.mode);
        self.emit(ServerEvent::BindRefused { connection, address, system_id, mode, status });
        request.respond(status);
    }
}

/// The driver of a session, until it has completed. If it panics, for example in an observer, only its session ends.
struct GuardedDriver<T>(Option<Driver<Smsc, T>>);

impl<T: AsyncRead + AsyncWrite + Unpin> GuardedDriver<T> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(driver) = &mut self.0 else { return Poll::Ready(()) };
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(driver).poll(cx)));
        if matches!(polled, Ok(Poll::Pending)) {
            return Poll::Pending;
        }
        self.0 = None;
        Poll::Ready(())
    }

    /// Unbinds the session so that its last response is sent, and aborts it if that takes too long.
    async fn close(&mut self, peer: &Peer) {
        if self.run_while(pin!(timeout(FINAL_RESPONSE_TIMEOUT, peer.unbind()))).await.is_err() {
            self.run_while(pin!(peer.abort())).await;
        }
    }

    /// Runs `work` and the session of a connection without a bind until `work` has completed. Reports what the connection
    /// holds.
    async fn run_before_bind<V>(&mut self, slot: &Slot, mut work: Pin<&mut impl Future<Output = V>>) -> V {
        let mut held = 0;
        poll_fn(|cx| {
            let _ = self.poll(cx);
            let holds = self.0.as_ref().map_or(0, Driver::held);
            if held != holds {
                held = holds;
                slot.registry.set_unbound_octets(slot.id, held);
            }
            work.as_mut().poll(cx)
        })
        .await
    }

    /// Runs `work` and the session until `work` has completed.
    async fn run_while<V>(&mut self, mut work: Pin<&mut impl Future<Output = V>>) -> V {
        poll_fn(|cx| {
            let _ = self.poll(cx);
            work.as_mut().poll(cx)
        })
        .await
    }
}

/// A bound ESME. The future is written by hand, because it is most of the memory of an idle bind: an `async fn` would store
/// its arguments twice, and reserve memory for everything that can ever run in it.
struct BoundConnection<S, T, H, F> {
    context: Arc<ServerContext<S>>,
    driver: GuardedDriver<T>,
    /// Dropped when the session has ended. Closing the transport may take longer.
    registered: Option<RegisteredBind>,
    inbox: Inbox<Smsc>,
    /// [`handle`]: a parameter, because the type of its futures has no name.
    handle: H,
    /// What an idle bind does not have.
    parts: Option<Box<OptionalParts<F>>>,
}

struct OptionalParts<F> {
    /// What the rate limit of the bind has counted.
    meter: Option<RateMeter>,
    /// The futures of the service; `None` until the first request, and after the session was quiet.
    handlers: Option<Handlers<F>>,
}

impl<F> Default for OptionalParts<F> {
    fn default() -> Self {
        Self { meter: None, handlers: None }
    }
}

/// The future of one request.
async fn handle<S: Service>(context: Arc<ServerContext<S>>, bound: BoundSession, request: Inbound<Smsc>) {
    context.service.request(&bound, request).await;
}

impl<S, T, H, F> Future for BoundConnection<S, T, H, F>
where
    S: Service,
    T: AsyncRead + AsyncWrite + Unpin,
    H: Fn(Arc<ServerContext<S>>, BoundSession, Inbound<Smsc>) -> F + Unpin,
    F: Future<Output = ()> + Send + 'static,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let driven = this.driver.poll(cx);
        this.context.registry.flush();
        if let Some(RegisteredBind { bound, .. }) = &this.registered {
            let bound = bound.clone();
            ready!(this.poll_requests(cx, &bound));
            this.detach_handlers();
            this.registered = None;
            if let Some(end) = bound.peer().end() {
                this.context.emit(ServerEvent::Ended { bound: &bound, end: &end });
            }
        }
        driven
    }
}

impl<S, T, H, F> BoundConnection<S, T, H, F>
where
    S: Service,
    H: Fn(Arc<ServerContext<S>>, BoundSession, Inbound<Smsc>) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    /// Lets the futures that still run go on without the session, unless too many do.
    fn detach_handlers(&mut self) {
        if let Some(handlers) = self.parts.as_mut().and_then(|parts| parts.handlers.take()) {
            self.context.registry.detach(handlers);
        }
    }

    /// Frees the memory of the futures if none runs.
    fn shrink(&mut self) {
        let Some(parts) = &mut self.parts else { return };
        parts.handlers.take_if(|handlers| handlers.running() == 0);
        if parts.handlers.is_none() && parts.meter.is_none() {
            self.parts = None;
        }
    }

    /// Runs the futures of the service, and passes the requests to it. Ready once the session has ended.
    fn poll_requests(&mut self, cx: &mut Context<'_>, bound: &BoundSession) -> Poll<()> {
        if let Some(handlers) = self.parts.as_mut().and_then(|parts| parts.handlers.as_mut()) {
            handlers.poll(cx);
        }
        for _ in 0..MAX_REQUESTS_PER_POLL {
            match self.poll_request(cx, bound) {
                Poll::Ready(true) => {}
                Poll::Ready(false) => return Poll::Ready(()),
                Poll::Pending => {
                    if self.inbox.is_shrunk() {
                        // The session is quiet.
                        self.shrink();
                    }
                    return Poll::Pending;
                }
            }
        }
        // A peer that sends without a pause does not block the thread for other tasks.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Passes the next request to the service. Returns `false` once the session has ended.
    fn poll_request(&mut self, cx: &mut Context<'_>, bound: &BoundSession) -> Poll<bool> {
        let handlers = self.parts.as_ref().and_then(|parts| parts.handlers.as_ref());
        let running = handlers.map_or(0, Handlers::running);
        if running >= self.inbox.max_unanswered() {
            let has_ended = bound.peer().shared.lock().end.is_some();
            return if has_ended { Poll::Ready(false) } else { Poll::Pending };
        }
        let Some(inbound) = ready!(self.inbox.poll_recv(cx)) else { return Poll::Ready(false) };
        let registry = &self.context.registry;
        let BindId(id) = bound.id();
        let recipients = recipients(&inbound);
        let exceeds_rate = (self.parts.is_some() || registry.has_account_rates())
            && recipients.is_some_and(|recipients| {
                !registry.take_rate(
                    id,
                    self.parts.as_mut().and_then(|parts| parts.meter.as_mut()),
                    recipients,
                )
            });
        if exceeds_rate {
            if !bound.set_throttled(true) {
                registry.throttled(id);
            }
            self.context.emit(ServerEvent::Throttled(bound));
            // The observer gets the response, and may panic.
            let status = registry.limits.rate_status;
            let _ = catch_unwind(AssertUnwindSafe(|| throttle(inbound, status)));
            return Poll::Ready(true);
        }
        if recipients.is_some() {
            bound.set_throttled(false);
        }
        let (context, bound) = (Arc::clone(&self.context), bound.clone());
        let parts = self.parts.get_or_insert_default();
        let handlers = parts.handlers.get_or_insert_with(|| Handlers::new(cx));
        handlers.start((self.handle)(context, bound, inbound));
        Poll::Ready(true)
    }
}

/// Returns how many messages the rate limit counts the request as; `None` if it is none.
fn recipients(inbound: &Inbound<Smsc>) -> Option<u32> {
    match inbound {
        Inbound::SubmitMulti(message) => Some(message.get().recipients()),
        Inbound::SubmitSm(_) | Inbound::DataSm(_) | Inbound::BroadcastSm(_) => Some(1),
        _ => None,
    }
}

/// Refuses a message above the rate limit. Fails if the session has ended: then no response is needed.
fn throttle(inbound: Inbound<Smsc>, status: CommandStatus) {
    let _ = match inbound {
        Inbound::SubmitSm(message) => message.refuse(status),
        Inbound::SubmitMulti(message) => message.refuse(status),
        Inbound::DataSm(message) => message.refuse(status),
        Inbound::BroadcastSm(message) => message.refuse(status),
        _ => return,
    };
}

/// Runs `work` until it completes; returns `None` if `stop` completes first.
async fn unless_stopped<T>(
    mut work: Pin<impl DerefMut<Target = impl Future<Output = T>>>,
    mut stop: Pin<impl DerefMut<Target = impl Future>>,
) -> Option<T> {
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => stop.as_mut().poll(cx).map(|_| None),
    })
    .await
}

/// Runs `work` until it completes; returns `None` if it panics.
async fn catch_panic<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx)));
        polled.map_or(Poll::Ready(None), |polled| polled.map(Some))
    })
    .await
}
