//! Sends the deliveries that the registry has assigned to a bind.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use smpp_proto::Operation;
use smpp_proto::server::{DeliveryFrame, DeliveryId, DeliveryPdu};
use smpp_proto::session::{CloseReason, NotSentReason, RequestError, SentBy, Smsc, UnansweredReason};

use super::bound::BoundSession;
use super::registry::Registry;
use crate::session_state::NotAdmitted;
use crate::shared::Shared;
use crate::waiting_threads::WaitRole;

impl Registry {
    /// Sends deliveries on a bind until none is left. It waits while the session does not accept one; an observer may block it.
    pub(super) fn send_deliveries(self: &Arc<Self>, bound: &BoundSession) {
        loop {
            let mut deliveries = bound.take_deliveries();
            if deliveries.is_empty() {
                return;
            }
            while let Some((delivery, frame)) = deliveries.pop_front() {
                let more = !deliveries.is_empty();
                // An observer may panic.
                let sent =
                    catch_unwind(AssertUnwindSafe(|| send(&bound.peer().shared, delivery, &frame, more)));
                let error = match sent {
                    // The session reports its outcome.
                    Ok(Ok(())) => continue,
                    Ok(Err(reason)) => RequestError::NeverSent(reason),
                    // It may have left.
                    Err(_) => RequestError::Unanswered(UnansweredReason::Closed(CloseReason::Aborted)),
                };
                self.handle_result(delivery, Err(error));
            }
        }
    }
}

fn send(
    shared: &Shared<Smsc>,
    delivery: DeliveryId,
    frame: &DeliveryFrame,
    more: bool,
) -> Result<(), NotSentReason> {
    match frame.pdu() {
        DeliveryPdu::DeliverSm(message) => send_request(shared, delivery, &message, more),
        DeliveryPdu::DataSm(message) => send_request(shared, delivery, &message, more),
        // There is no other one.
        _ => Err(NotSentReason::NoBind),
    }
}

/// Submits a request whose outcome goes to the server. If `more` follow, they leave in one write.
fn send_request<O>(
    shared: &Shared<Smsc>,
    delivery: DeliveryId,
    request: &O,
    more: bool,
) -> Result<(), NotSentReason>
where
    O: Operation + SentBy<Smsc>,
{
    let submitted = shared.with_deferred_write(|state, now| {
        let submitted = state.try_request(now, request);
        (submitted.map(|number| state.pending.set_delivery(number, delivery)), more)
    });
    match submitted {
        Ok(()) => return Ok(()),
        Err(NotAdmitted::Never(reason)) => return Err(reason),
        Err(NotAdmitted::Later(_)) => {}
    }
    let role = WaitRole::Sender;
    let submitted = shared.wait(role, None, |state, waiter| {
        match state.request_or_queue(shared.now(), request, role, waiter) {
            Ok(number) => {
                state.pending.set_delivery(number, delivery);
                Ok(Ok(()))
            }
            Err(NotAdmitted::Never(reason)) => Ok(Err(reason)),
            Err(NotAdmitted::Later(at)) => Err(at),
        }
    });
    // Without a deadline the wait ends only with a result.
    submitted.unwrap_or(Err(NotSentReason::Closed(CloseReason::Aborted)))
}
