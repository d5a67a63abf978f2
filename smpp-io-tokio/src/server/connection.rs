//! The life of one connection to a server: handshake, bind, requests, end.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::ops::DerefMut;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use smpp_core::session::{Instant, Meter, Smsc};
use smpp_core::{COctets, CommandStatus};
use tokio::task::{JoinSet, coop};
use tokio::time::{self, timeout};

use super::binds::Bound;
use super::listener::{BindRequest, Connecting, first_bind};
use super::registry::{Registry, Slot};
use super::service::{Admission, ServerEvent, Service};
use crate::client::Peer;
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
    registry: Arc<Registry>,
    bound: Bound,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.registry.release(&self.bound);
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

    /// One connection from its beginning to its end.
    pub(super) fn host(
        self: Arc<Self>,
        connecting: Connecting,
        slot: Arc<Slot>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let max_unanswered = connecting.max_unanswered();
        // In memory of its own, which is given back: what comes before the bind needs more than a session at rest.
        let letting_in = Box::pin(Arc::clone(&self).let_in(connecting, Arc::clone(&slot)));
        async move {
            if let Some(admitted) = letting_in.await {
                self.keep(admitted, &slot, max_unanswered).await;
            }
        }
    }

    /// A bind, to its end.
    async fn keep(
        self: &Arc<Self>,
        (registered, inbox, meter): (Registered, Inbox<Smsc>, Option<Meter>),
        slot: &Slot,
        max_unanswered: u16,
    ) {
        let bound = &registered.bound;
        self.tell(ServerEvent::Bound(bound));
        let served = {
            let serving = pin!(self.serve(bound, inbox, meter, max_unanswered.into()));
            until(serving, pin!(slot.stop.notified())).await
        };
        // What still runs is dropped by now.
        let end = match served {
            Some(()) => bound.peer().closed().await,
            None => bound.peer().abort().await,
        };
        let bound = bound.clone();
        drop(registered);
        self.tell(ServerEvent::Ended { bound: &bound, end: &end });
    }

    /// From the handshake to the bind; `None` if there is none, which has been told.
    async fn let_in(
        self: Arc<Self>,
        connecting: Connecting,
        slot: Arc<Slot>,
    ) -> Option<(Registered, Inbox<Smsc>, Option<Meter>)> {
        let (address, tls) = (connecting.peer_addr(), connecting.is_tls());
        self.tell(ServerEvent::Connected { address, tls });
        let not_bound = |error| self.tell(ServerEvent::NotBound { address, error });

        let opening = connecting.open(Some(Arc::clone(&slot)), |stream| self.service.transport(stream));
        let (peer, inbox) = match until(pin!(opening), pin!(slot.stop.notified())).await {
            Some(Ok(opened)) => opened,
            Some(Err(error)) => {
                not_bound(Some(&error));
                return None;
            }
            None => {
                not_bound(None);
                return None;
            }
        };
        let admitting = Box::pin(self.admit(&slot, (address, tls), &peer, inbox));
        match until(admitting, pin!(slot.stop.notified())).await {
            Some(Ok(admitted)) => return Some(admitted),
            Some(Err(Unbound::Refused)) => {}
            Some(Err(Unbound::Failed(error))) => not_bound(Some(&error)),
            None => {
                if timeout(FAREWELL, peer.unbind()).await.is_err() {
                    peer.abort().await;
                }
                not_bound(None);
            }
        }
        None
    }

    /// Waits for the bind, has it decided on, and answers it.
    async fn admit(
        &self,
        slot: &Slot,
        (address, tls): (SocketAddr, bool),
        peer: &Peer,
        inbox: Inbox<Smsc>,
    ) -> Result<(Registered, Inbox<Smsc>, Option<Meter>), Unbound> {
        let request = first_bind(peer, inbox, (address, tls)).await.map_err(Unbound::Failed)?;
        let limits = self.registry.limits;
        let deciding = Box::pin(timeout(limits.decision, self.service.bind(&request)));
        let Some(decision) = until(deciding, pin!(peer.closed())).await else {
            return Err(Unbound::Failed(AcceptError::Ended(peer.closed().await)));
        };
        let bind = request.bind();
        let account = (bind.system_id.as_bytes(), bind.mode);
        let bound = Bound::new(slot.id(), account, (address, tls), peer.clone());
        let admission = decision.unwrap_or(Err(CommandStatus::RBINDFAIL)).and_then(|admission| {
            self.registry.bind(&bound, admission.binds.unwrap_or(limits.binds)).map(|()| admission)
        });
        let Admission { rate, .. } = match admission {
            Ok(admission) => admission,
            Err(status) => return Err(self.refuse(request, status).await),
        };
        let registered = Registered { registry: Arc::clone(&self.registry), bound };
        match request.accept(COctets::new(&self.name).unwrap_or_default()) {
            Ok((_, inbox)) => Ok((registered, inbox, rate.or(limits.rate).map(Meter::new))),
            Err(_) => Err(Unbound::Failed(AcceptError::Ended(peer.closed().await))),
        }
    }

    async fn refuse(&self, request: BindRequest, status: CommandStatus) -> Unbound {
        let address = request.peer_addr();
        let system_id = request.bind().system_id.as_bytes().to_vec();
        self.tell(ServerEvent::BindRefused { address, system_id: &system_id, status });
        request.refuse(status).await;
        Unbound::Refused
    }

    /// Hands each request to the service, until the session has ended.
    async fn serve(
        self: &Arc<Self>,
        bound: &Bound,
        mut inbox: Inbox<Smsc>,
        mut meter: Option<Meter>,
        most: usize,
    ) {
        let start = time::Instant::now();
        let mut waiting = JoinSet::new();
        while let Some(inbound) = inbox.recv().await {
            // A peer that never pauses leaves the others their turn.
            coop::consume_budget().await;
            let meter = meter.as_mut().filter(|_| is_message(&inbound));
            if meter.is_some_and(|meter| meter.take(Instant::after(start.elapsed())).is_err()) {
                self.tell(ServerEvent::Throttled(bound));
                throttle(inbound);
                continue;
            }
            while waiting.try_join_next().is_some() {}
            if waiting.len() >= most {
                let closed = Box::pin(bound.peer().closed());
                if until(pin!(waiting.join_next()), closed).await.is_none() {
                    return;
                }
            }
            let (house, bound) = (Arc::clone(self), bound.clone());
            let mut work = Box::pin(async move { house.service.request(&bound, inbound).await });
            // Most requests are answered at once: a task is for those that wait. A panic refuses the request, there as here.
            let begun = poll_fn(|cx| {
                Poll::Ready(catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx).is_pending())))
            });
            if begun.await.unwrap_or(false) {
                waiting.spawn(work);
            }
        }
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
