//! The life of one connection to a server: handshake, bind, requests, end.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
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
    pub(super) async fn host(self: Arc<Self>, connecting: Connecting, slot: Arc<Slot>) {
        let address = connecting.peer_addr();
        let (tls, max_unanswered) = (connecting.is_tls(), connecting.max_unanswered());
        self.tell(ServerEvent::Connected { address, tls });
        let not_bound = |error| self.tell(ServerEvent::NotBound { address, error });

        let opening = connecting.open(Some(Arc::clone(&slot)), |stream| self.service.transport(stream));
        let (peer, inbox) = match until(opening, slot.stop.notified()).await {
            Some(Ok(opened)) => opened,
            Some(Err(error)) => return not_bound(Some(&error)),
            None => return not_bound(None),
        };
        let admitting = self.admit(&slot, (address, tls), &peer, inbox);
        let (registered, inbox, meter) = match until(admitting, slot.stop.notified()).await {
            Some(Ok(admitted)) => admitted,
            Some(Err(Unbound::Refused)) => return,
            Some(Err(Unbound::Failed(error))) => return not_bound(Some(&error)),
            None => {
                if timeout(FAREWELL, peer.unbind()).await.is_err() {
                    peer.abort().await;
                }
                return not_bound(None);
            }
        };
        let bound = &registered.bound;
        self.tell(ServerEvent::Bound(bound));
        let serving = self.serve(bound, inbox, meter, max_unanswered.into());
        let end = match until(serving, slot.stop.notified()).await {
            Some(()) => peer.closed().await,
            None => peer.abort().await,
        };
        let bound = bound.clone();
        drop(registered);
        self.tell(ServerEvent::Ended { bound: &bound, end: &end });
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
        let decision = timeout(limits.decision, self.service.bind(&request));
        let Some(decision) = until(decision, peer.closed()).await else {
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
            if waiting.len() >= most && until(waiting.join_next(), bound.peer().closed()).await.is_none() {
                return;
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
async fn until<T>(work: impl Future<Output = T>, stop: impl Future) -> Option<T> {
    let (mut work, mut stop) = (pin!(work), pin!(stop));
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => stop.as_mut().poll(cx).map(|_| None),
    })
    .await
}
