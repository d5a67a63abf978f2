//! Sends the deliveries that the registry has assigned to a bind.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};

use smpp_proto::server::{ConnectionId, DeliveryFrame, DeliveryId, DeliveryPdu};
use smpp_proto::session::{
    CloseReason, Instant, NotSentReason, RequestError, SentBy, Smsc, UnansweredReason,
};
use smpp_proto::{CommandId, Operation};

use super::bound::{BindId, BoundSession};
use super::registry::Registry;
use crate::request::AfterUnlock;
use crate::shared::Core;

/// Sends deliveries on a bind until none is left. It waits while the session does not accept one. The session reports their
/// outcomes to the registry.
pub(super) fn send_deliveries(registry: Arc<Registry>, bound: BoundSession) -> impl Future<Output = ()> {
    let mut sender = Sender { registry, bound, ticket: None, is_done: false };
    poll_fn(move |cx| sender.poll(cx))
}

/// The only one of a bind.
struct Sender {
    registry: Arc<Registry>,
    bound: BoundSession,
    /// Its ticket in the wait queue of the session, while it waits for capacity.
    ticket: Option<u32>,
    is_done: bool,
}

impl Sender {
    fn id(&self) -> ConnectionId {
        let BindId(id) = self.bound.id();
        id
    }

    fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        let id = self.id();
        let Self { registry, bound, ticket, is_done } = self;
        // Wakers are woken and dropped after the lock is released.
        let mut after = None;
        // Each delivery is taken and sent under one lock of the session: they leave in their order.
        *is_done = bound.peer().shared.with_driver(|core, now| {
            let mut wakes_driver = false;
            while let Some((delivery, frame)) = registry.take_delivery(id) {
                match send(core, now, delivery, &frame, *ticket) {
                    Ok(()) => {
                        wakes_driver = true;
                        if ticket.is_some() {
                            core.leave_queue(now, ticket.take(), &mut after);
                        }
                    }
                    Err(NotSent::Never(error)) => registry.handle_result(delivery, Err(error)),
                    Err(NotSent::Later(command)) => {
                        registry.put_back(delivery);
                        let (waiting, wakes) = core.wait(now, command, *ticket, cx.waker(), &mut after);
                        *ticket = Some(waiting);
                        return (false, wakes_driver || wakes);
                    }
                }
            }
            if ticket.is_some() {
                wakes_driver |= core.leave_queue(now, ticket.take(), &mut after);
            }
            (true, wakes_driver)
        });
        after.into_iter().for_each(AfterUnlock::run);
        registry.flush();
        if *is_done { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// The runtime ends. What was not sent returns to the queue.
impl Drop for Sender {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let (ticket, mut after) = (self.ticket.take(), None);
        self.bound.peer().shared.with_driver(|core, now| {
            self.registry.lose_sender(self.id());
            ((), ticket.is_some() && core.leave_queue(now, ticket, &mut after))
        });
        after.into_iter().for_each(AfterUnlock::run);
    }
}

/// Why a delivery is not sent.
enum NotSent {
    /// The session does not accept this command now.
    Later(CommandId),
    Never(RequestError),
}

fn send(
    core: &mut Core<Smsc>,
    now: Instant,
    delivery: DeliveryId,
    frame: &DeliveryFrame,
    ticket: Option<u32>,
) -> Result<(), NotSent> {
    match frame.pdu() {
        DeliveryPdu::DeliverSm(message) => send_request(core, now, delivery, &message, ticket),
        DeliveryPdu::DataSm(message) => send_request(core, now, delivery, &message, ticket),
        // There is no other one.
        _ => Err(NotSent::Never(RequestError::NeverSent(NotSentReason::NoBind))),
    }
}

/// Sends a request whose outcome goes to the server, if it is its turn.
fn send_request<O: Operation + SentBy<Smsc>>(
    core: &mut Core<Smsc>,
    now: Instant,
    delivery: DeliveryId,
    request: &O,
    ticket: Option<u32>,
) -> Result<(), NotSent> {
    let later = NotSent::Later(request.command());
    if !core.wait_queue.is_unused() && !core.is_its_turn(now, request.command(), ticket) {
        return Err(later);
    }
    let slot = core.pending.next_slot();
    // An observer may panic.
    match catch_unwind(AssertUnwindSafe(|| core.session.request(now, request, slot))) {
        Ok(Ok(_)) => {
            core.pending.insert_delivery(delivery);
            Ok(())
        }
        Ok(Err(refused)) => {
            let never = |reason| NotSent::Never(RequestError::NeverSent(reason));
            Err(refused.reason.permanent().map_or(later, never))
        }
        Err(_) => {
            // It may have left.
            let reason = UnansweredReason::Closed(CloseReason::Aborted);
            Err(NotSent::Never(RequestError::Unanswered(reason)))
        }
    }
}
