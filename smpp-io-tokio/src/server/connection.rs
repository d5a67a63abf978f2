//! The life of one connection to a server: handshake, bind, requests, end.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::ops::DerefMut;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use smpp_core::session::{Instant, RateMeter, Smsc};
use smpp_core::{COctets, CommandStatus};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::task::{JoinSet, coop};
use tokio::time::timeout;

use super::binds::BoundSession;
use super::listener::{BindRequest, IncomingConnection, first_bind};
use super::registry::{Registry, Slot};
use super::service::{Admission, ServerEvent, Service};
use crate::client::Peer;
use crate::driver::Driver;
use crate::error::AcceptError;
use crate::inbox::{Inbound, Inbox};

/// How long a connection without a bind that has to go is given to take a last answer.
const FAREWELL: Duration = Duration::from_secs(1);

/// What all connections of a server share.
pub(super) struct House<S> {
    pub(super) service: S,
    pub(super) registry: Arc<Registry>,
    /// The SMSC's own system_id.
    pub(super) name: Vec<u8>,
}

/// A bind in the registry, until it is dropped.
struct Registered {
    slot: Arc<Slot>,
    bound: BoundSession,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.slot.registry().release(&self.bound);
    }
}

/// How a connection came to no bind.
enum Unbound {
    /// By itself.
    Failed(AcceptError),
    /// It was refused, and that was told.
    Refused,
}

impl<S: Service> House<S> {
    /// Lets the service see what happens. If it panics over that, nobody else has to suffer.
    pub(super) fn tell(&self, event: ServerEvent<'_>) {
        let _ = catch_unwind(AssertUnwindSafe(|| self.service.event(event)));
    }

    /// A connection, from the handshake to the bind. Who is bound gets a task of his own: what comes before needs more
    /// memory than a session at rest.
    pub(super) async fn let_in(
        self: Arc<Self>,
        connecting: IncomingConnection,
        slot: Arc<Slot>,
        stop: Arc<Notify>,
    ) {
        let (address, tls) = (connecting.peer_addr(), connecting.is_tls());
        self.tell(ServerEvent::Connected { address, tls });
        let not_bound = |error| self.tell(ServerEvent::NotBound { address, error });

        let opening = connecting.open(Some(Arc::clone(&slot)), |stream| self.service.transport(stream));
        let opening = Box::pin(opening);
        let (peer, inbox, driver) = match until(opening, pin!(stop.notified())).await {
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
        let mut driving = Driving(Some(driver));
        let admitting = Box::pin(self.admit(slot, (address, tls), &peer, inbox));
        let admitted = driving.beside(pin!(until(admitting, pin!(stop.notified())))).await;
        match admitted {
            Some(Ok((registered, inbox, meter))) => {
                self.tell(ServerEvent::Bound(&registered.bound));
                let (house, registered) = (Arc::clone(&self), Some(registered));
                tokio::spawn(Guest { house, driving, registered, inbox, meter, waiting: None });
                return;
            }
            Some(Err(Unbound::Refused)) => {
                let leaving = Box::pin(peer.unbind());
                if driving.beside(pin!(until(leaving, pin!(stop.notified())))).await.is_none() {
                    driving.dismiss(&peer).await;
                }
            }
            Some(Err(Unbound::Failed(error))) => not_bound(Some(&error)),
            None => {
                driving.dismiss(&peer).await;
                not_bound(None);
            }
        }
        poll_fn(|cx| driving.poll(cx)).await;
    }

    /// Waits for the bind, has it decided on, and answers it.
    async fn admit(
        &self,
        slot: Arc<Slot>,
        (address, tls): (SocketAddr, bool),
        peer: &Peer,
        inbox: Inbox<Smsc>,
    ) -> Result<(Registered, Inbox<Smsc>, Option<RateMeter>), Unbound> {
        let request = first_bind(peer, inbox, (address, tls)).await.map_err(Unbound::Failed)?;
        let limits = self.registry.limits;
        let deciding =
            Box::pin(timeout(limits.decision_timeout, unless_it_panics(self.service.bind(&request))));
        let Some(decision) = until(deciding, pin!(peer.closed())).await else {
            return Err(Unbound::Failed(AcceptError::Ended(peer.closed().await)));
        };
        let bind = request.bind();
        let account = (bind.system_id.as_bytes(), bind.mode);
        let bound = BoundSession::new(slot.id(), account, (address, tls), peer.clone());
        let decision = decision.ok().flatten().unwrap_or(Err(CommandStatus::RBINDFAIL));
        let admission = decision.and_then(|admission| {
            self.registry
                .bind(&bound, admission.binds.unwrap_or(limits.binds_per_account))
                .map(|()| admission)
        });
        let Admission { rate, .. } = match admission {
            Ok(admission) => admission,
            Err(status) => {
                self.refuse(request, status);
                return Err(Unbound::Refused);
            }
        };
        let registered = Registered { slot, bound };
        match request.accept(COctets::new(&self.name).unwrap_or_default()) {
            Ok((_, inbox)) => Ok((registered, inbox, rate.or(limits.rate).map(RateMeter::new))),
            Err(_) => Err(Unbound::Failed(AcceptError::Ended(peer.closed().await))),
        }
    }

    fn refuse(&self, request: BindRequest, status: CommandStatus) {
        let (address, system_id) = (request.peer_addr(), request.bind().system_id.as_bytes());
        self.tell(ServerEvent::BindRefused { address, system_id, status });
        request.answer(status);
    }
}

/// The driver of a session, until it is done. If it panics, in an observer perhaps, its session has ended.
struct Driving<T>(Option<Driver<Smsc, T>>);

impl<T: AsyncRead + AsyncWrite + Unpin> Driving<T> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(driver) = &mut self.0 else { return Poll::Ready(()) };
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(driver).poll(cx)));
        if matches!(polled, Ok(Poll::Pending)) {
            return Poll::Pending;
        }
        self.0 = None;
        Poll::Ready(())
    }

    /// Ends the session, which may take a last answer with it.
    async fn dismiss(&mut self, peer: &Peer) {
        if self.beside(pin!(timeout(FAREWELL, peer.unbind()))).await.is_err() {
            self.beside(pin!(peer.abort())).await;
        }
    }

    /// What `work` gives, while the session goes on.
    async fn beside<V>(&mut self, mut work: Pin<&mut impl Future<Output = V>>) -> V {
        poll_fn(|cx| {
            let _ = self.poll(cx);
            work.as_mut().poll(cx)
        })
        .await
    }
}

/// A bound ESME, to its end. Written by hand, as it is most of what an idle bind costs: an `async fn` holds its
/// arguments twice, and room for all that may ever be under way.
struct Guest<S, T> {
    house: Arc<House<S>>,
    driving: Driving<T>,
    /// Until the session has ended; its transport may take longer.
    registered: Option<Registered>,
    inbox: Inbox<Smsc>,
    meter: Option<RateMeter>,
    /// Requests that the service has not answered at once, if there are any.
    waiting: Option<JoinSet<()>>,
}

impl<S: Service, T: AsyncRead + AsyncWrite + Unpin> Future for Guest<S, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let driven = this.driving.poll(cx);
        if let Some(Registered { bound, .. }) = &this.registered {
            let bound = bound.clone();
            ready!(this.poll_requests(cx, &bound));
            // What still runs is told to end.
            (this.waiting, this.registered) = (None, None);
            if let Some(end) = bound.peer().end() {
                this.house.tell(ServerEvent::Ended { bound: &bound, end: &end });
            }
        }
        driven
    }
}

impl<S: Service, T> Guest<S, T> {
    /// Hands each request to the service. Ready once the session has ended.
    fn poll_requests(&mut self, cx: &mut Context<'_>, bound: &BoundSession) -> Poll<()> {
        // One at least, however busy the driver was.
        while ready!(self.poll_request(cx, bound)) {
            // A peer that never pauses leaves the others their turn.
            ready!(pin!(coop::consume_budget()).poll(cx));
        }
        Poll::Ready(())
    }

    /// Hands the next request to the service. Whether there is one: none once the session has ended.
    fn poll_request(&mut self, cx: &mut Context<'_>, bound: &BoundSession) -> Poll<bool> {
        let waiting = self.poll_waiting(cx);
        if waiting > 0 {
            let core = bound.peer().shared.lock();
            if waiting >= core.max_unanswered {
                return if core.end.is_some() { Poll::Ready(false) } else { Poll::Pending };
            }
        }
        let Some(inbound) = ready!(self.inbox.poll_recv(cx)) else { return Poll::Ready(false) };
        let meter = self.meter.as_mut().filter(|_| is_message(&inbound));
        if meter.is_some_and(|meter| meter.take(Instant::after(bound.since().elapsed())).is_err()) {
            self.house.tell(ServerEvent::Throttled(bound));
            // Shown to an observer, who may panic over it.
            let _ = catch_unwind(AssertUnwindSafe(|| throttle(inbound)));
            return Poll::Ready(true);
        }
        let (house, bound) = (Arc::clone(&self.house), bound.clone());
        let mut work = Box::pin(async move { house.service.request(&bound, inbound).await });
        // Most requests are answered at once: a task is for those that wait. A panic refuses the request, there as here.
        let begun = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx).is_pending()));
        if begun.unwrap_or(false) {
            self.waiting.get_or_insert_default().spawn(work);
        }
        Poll::Ready(true)
    }

    /// How many requests the service has not answered yet.
    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> usize {
        let Some(waiting) = &mut self.waiting else { return 0 };
        // There are only so many; and the driver may have used up what this task may do in one go.
        while let Poll::Ready(done) =
            pin!(coop::unconstrained(poll_fn(|cx| waiting.poll_join_next(cx)))).poll(cx)
        {
            if done.is_none() {
                self.waiting = None;
                return 0;
            }
        }
        waiting.len()
    }
}

/// Whether the rate counts it.
fn is_message(inbound: &Inbound<Smsc>) -> bool {
    matches!(
        inbound,
        Inbound::SubmitSm(_) | Inbound::SubmitMulti(_) | Inbound::DataSm(_) | Inbound::BroadcastSm(_)
    )
}

/// Refuses a message for now. If the session has ended, the ESME knows that nothing was taken.
fn throttle(inbound: Inbound<Smsc>) {
    let status = CommandStatus::RTHROTTLED;
    let _ = match inbound {
        Inbound::SubmitSm(message) => message.refuse(status),
        Inbound::SubmitMulti(message) => message.refuse(status),
        Inbound::DataSm(message) => message.refuse(status),
        Inbound::BroadcastSm(message) => message.refuse(status),
        _ => return,
    };
}

/// What `work` gives, unless `stop` comes first.
async fn until<T>(
    mut work: Pin<impl DerefMut<Target = impl Future<Output = T>>>,
    mut stop: Pin<impl DerefMut<Target = impl Future>>,
) -> Option<T> {
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => stop.as_mut().poll(cx).map(|_| None),
    })
    .await
}

/// What `work` gives; `None` if it panics.
async fn unless_it_panics<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx)));
        polled.map_or(Poll::Ready(None), |polled| polled.map(Some))
    })
    .await
}
