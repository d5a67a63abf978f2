//! The future of one request: it waits for capacity, sends the request, and waits for its result.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use smpp_core::Operation;
use smpp_core::session::{Instant, NotSentReason, Refusal, RequestError, Role, SentBy};

use crate::shared::{Core, Shared};
use crate::wait::RequestResult;

/// Waits until the session accepts the request, then for its result. It allocates nothing, and each poll takes the lock
/// once.
pub(crate) struct RequestFuture<'s, 'o, R: Role, O> {
    shared: &'s Shared<R>,
    operation: &'o O,
    stage: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    /// Not sent yet. Holds the ticket in the wait queue, once the request has had to wait.
    Waiting(Option<u64>),
    /// In flight. Holds the slot among the pending requests.
    InFlight(u32),
    Done,
}

impl<'s, 'o, R: Role, O> RequestFuture<'s, 'o, R, O> {
    pub(crate) const fn new(shared: &'s Shared<R>, operation: &'o O) -> Self {
        Self { shared, operation, stage: Stage::Waiting(None) }
    }
}

impl<R: Role, O: Operation + SentBy<R>> Future for RequestFuture<'_, '_, R, O> {
    type Output = RequestResult;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<RequestResult> {
        let Self { shared, operation, stage } = self.get_mut();
        let ticket = match *stage {
            Stage::Waiting(ticket) => ticket,
            Stage::InFlight(slot) => {
                // Dropped after the lock is released.
                let mut replaced = None;
                let mut core = shared.lock();
                if !core.pending.is_completed(slot, cx.waker(), &mut replaced) {
                    return Poll::Pending;
                }
                *stage = Stage::Done;
                return core.pending.take_result(slot);
            }
            Stage::Done => return Poll::Pending,
        };
        // Wakers are woken and dropped after the lock is released.
        let (mut unused, mut next) = (None, None);
        let entered = shared.with(|core, now| {
            let entered = core.send_or_wait(now, *operation, ticket, cx.waker(), &mut unused);
            // A request that was in the queue and has left it lets the next one check for capacity.
            if ticket.is_some() && !matches!(entered, Ok(Stage::Waiting(_))) {
                next = core.next_waiter(now);
            }
            entered
        });
        if let Some(next) = next {
            next.wake();
        }
        match entered {
            Ok(entered) => {
                *stage = entered;
                Poll::Pending
            }
            Err(reason) => {
                *stage = Stage::Done;
                never_sent(reason)
            }
        }
    }
}

/// Out of line: the result of a request that was sent is then moved as one block.
#[cold]
#[inline(never)]
fn never_sent(reason: NotSentReason) -> Poll<RequestResult> {
    Poll::Ready(Err(RequestError::NeverSent(reason)))
}

impl<R: Role> Core<R> {
    /// Sends the request, or puts it into the wait queue. Returns the next stage; `unused` receives a waker to drop.
    fn send_or_wait<O: Operation + SentBy<R>>(
        &mut self,
        now: Instant,
        operation: &O,
        ticket: Option<u64>,
        waker: &Waker,
        unused: &mut Option<Waker>,
    ) -> Result<Stage, NotSentReason> {
        if self.end.is_some() || self.wait_queue.is_first(ticket) {
            let slot = self.pending.next_slot();
            let Err(refused) = self.session.request(now, operation, slot) else {
                self.pending.insert(waker.clone());
                *unused = self.leave_queue(ticket);
                return Ok(Stage::InFlight(slot));
            };
            if let Some(reason) = refused.reason.permanent() {
                *unused = self.leave_queue(ticket);
                return Err(reason);
            }
            if let Refusal::RateLimited(at) = refused.reason {
                self.rate_limited_until = Some(at);
            }
        }
        let (ticket, replaced) = self.wait_queue.wait(ticket, waker);
        *unused = replaced;
        Ok(Stage::Waiting(Some(ticket)))
    }

    fn leave_queue(&mut self, ticket: Option<u64>) -> Option<Waker> {
        let ticket = ticket?;
        if self.wait_queue.is_first(Some(ticket)) {
            self.rate_limited_until = None;
        }
        self.wait_queue.remove(ticket)
    }
}

/// A request that is dropped leaves the queue, or its result is discarded. The next request in the queue is woken.
impl<R: Role, O> Drop for RequestFuture<'_, '_, R, O> {
    #[inline]
    fn drop(&mut self) {
        if !matches!(self.stage, Stage::Waiting(None) | Stage::Done) {
            self.abandon();
        }
    }
}

impl<R: Role, O> RequestFuture<'_, '_, R, O> {
    #[cold]
    fn abandon(&self) {
        match self.stage {
            Stage::InFlight(slot) => drop(self.shared.lock().pending.abandon(slot)),
            Stage::Waiting(Some(ticket)) => {
                let (_unused, next) =
                    self.shared.with(|core, now| (core.leave_queue(Some(ticket)), core.next_waiter(now)));
                if let Some(next) = next {
                    next.wake();
                }
            }
            Stage::Waiting(None) | Stage::Done => {}
        }
    }
}
