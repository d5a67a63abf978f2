//! Sends the deliveries that the registry has assigned to a bind.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use smpp_proto::Operation;
use smpp_proto::server::{ConnectionId, DeliveryPdu};
use smpp_proto::session::{
    CloseReason, Instant, NotSentReason, RequestError, SentBy, Smsc, UnansweredReason,
};

use super::bound::{BindId, BoundSession};
use super::registry::Registry;
use crate::session_state::{NotAdmitted, SessionState};
use crate::shared::Shared;
use crate::waiting_threads::WaitRole;

/// What became of the next delivery of a bind.
enum Next {
    /// It was sent, or has ended.
    Taken,
    /// The session does not accept it now. The time is when the rate limit allows it, if that is the reason.
    Later(Option<Instant>),
    /// There is none.
    Done,
}

const MAY_HAVE_LEFT: RequestError = RequestError::Unanswered(UnansweredReason::Closed(CloseReason::Aborted));

impl Registry {
    /// Sends deliveries on a bind until none is left: the only thread that does. It waits while the session does not accept
    /// one; an observer may block it. The session reports their outcomes to the registry.
    pub(super) fn send_deliveries(self: &Arc<Self>, bound: &BoundSession) {
        let BindId(id) = bound.id();
        let shared = &bound.peer().shared;
        // An observer may panic while the thread reads.
        while catch_unwind(AssertUnwindSafe(|| self.send_all(id, shared))).is_err() {
            // One delivery ends with each panic, so that there is an end.
            let Some((delivery, _)) = self.take_delivery(id) else { break };
            self.handle_result(delivery, Err(MAY_HAVE_LEFT));
        }
        self.flush();
    }

    fn send_all(self: &Arc<Self>, id: ConnectionId, shared: &Shared<Smsc>) {
        loop {
            // What the session accepts leaves in one write.
            let next = shared.with(|state, now| {
                loop {
                    match self.send_next(id, state, now, None) {
                        Next::Taken => {}
                        next => return next,
                    }
                }
            });
            self.flush();
            if let Next::Done = next {
                return;
            }
            let next = shared.wait(WaitRole::Sender, None, |state, waiter| {
                match self.send_next(id, state, shared.now(), Some(waiter)) {
                    Next::Later(at) => Err(at),
                    next => Ok(next),
                }
            });
            // Without a deadline the wait ends only with a result.
            if let Some(Next::Done) = next {
                return;
            }
        }
    }

    /// Takes and sends under one lock of the session: the deliveries leave in their order. With a `waiter`, the thread is put into
    /// the queue for capacity.
    fn send_next(
        &self,
        id: ConnectionId,
        state: &mut SessionState<Smsc>,
        now: Instant,
        waiter: Option<&mut Option<u32>>,
    ) -> Next {
        let Some((delivery, frame)) = self.take_delivery(id) else { return Next::Done };
        let sent = catch_unwind(AssertUnwindSafe(|| match frame.pdu() {
            DeliveryPdu::DeliverSm(message) => request(state, now, &message, waiter),
            DeliveryPdu::DataSm(message) => request(state, now, &message, waiter),
            // There is no other one.
            _ => Err(NotAdmitted::Never(NotSentReason::NoBind)),
        }));
        let error = match sent {
            Ok(Ok(number)) => {
                state.pending.set_delivery(number, delivery);
                return Next::Taken;
            }
            Ok(Err(NotAdmitted::Later(at))) => {
                self.put_back(delivery);
                return Next::Later(at);
            }
            Ok(Err(NotAdmitted::Never(reason))) => RequestError::NeverSent(reason),
            // An observer has panicked.
            Err(_) => MAY_HAVE_LEFT,
        };
        self.handle_result(delivery, Err(error));
        Next::Taken
    }
}

/// Submits a request. Returns the slot of its outcome.
fn request<O: Operation + SentBy<Smsc>>(
    state: &mut SessionState<Smsc>,
    now: Instant,
    request: &O,
    waiter: Option<&mut Option<u32>>,
) -> Result<u32, NotAdmitted> {
    match waiter {
        None => state.try_request(now, request),
        Some(waiter) => state.request_or_queue(now, request, WaitRole::Sender, waiter),
    }
}
