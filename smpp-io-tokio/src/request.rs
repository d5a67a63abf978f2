//! The future of one request: it waits for capacity, sends the request, and waits for its result.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use smpp_proto::session::{Instant, NotSentReason, Readiness, Refusal, RequestError, Role, SentBy};
use smpp_proto::{CommandId, Operation};

use crate::shared::{Core, Shared};
use crate::wait::{RequestResult, WakeList};

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
    Waiting(Option<u32>),
    /// In flight. Holds the slot among the pending requests.
    InFlight(u32),
    Done,
}

impl<'s, 'o, R: Role, O> RequestFuture<'s, 'o, R, O> {
    pub(crate) const fn new(shared: &'s Shared<R>, operation: &'o O) -> Self {
        Self { shared, operation, stage: Stage::Waiting(None) }
    }

    /// Returns whether the request is not sent yet.
    #[cfg(feature = "testing")]
    pub(crate) const fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::Waiting(_))
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
        let mut after = None;
        let entered = shared.with_driver(|core, now| {
            let operation = *operation;
            if core.wait_queue.is_unused() || core.is_its_turn(now, operation.command(), ticket) {
                let slot = core.pending.next_slot();
                let sent = core.session.request(now, operation, slot);
                if sent.is_ok() {
                    core.pending.insert(cx.waker().clone());
                    if !core.wait_queue.is_unused() {
                        core.leave_queue(now, ticket, &mut after);
                    }
                    return (Ok(Stage::InFlight(slot)), true);
                }
                if let Some(reason) = sent.err().and_then(|refused| refused.reason.permanent()) {
                    core.leave_queue(now, ticket, &mut after);
                    return (Err(reason), true);
                }
            }
            let (ticket, wakes_driver) = core.wait(now, operation.command(), ticket, cx.waker(), &mut after);
            (Ok(Stage::Waiting(Some(ticket))), wakes_driver)
        });
        after.into_iter().for_each(AfterUnlock::run);
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

/// What happens after the lock is released: tasks are woken, and a waker is dropped.
#[derive(Default)]
pub(crate) struct AfterUnlock {
    wake: WakeList,
    unused: Option<Waker>,
}

impl AfterUnlock {
    #[cold]
    pub(crate) fn run(mut self) {
        self.wake.wake_all();
    }
}

impl<R: Role> Core<R> {
    /// Returns whether the request with this ticket, or a new one, may be sent before those in the wait queue.
    #[inline(never)]
    pub(crate) fn is_its_turn(&self, now: Instant, command: CommandId, ticket: Option<u32>) -> bool {
        self.end.is_some()
            || match ticket {
                Some(ticket) => self.wait_queue.is_reserved(ticket),
                None => self.has_capacity(now, command),
            }
    }

    /// Removes the request from the wait queue, if it was there, and reserves the capacity that it leaves. Returns whether the
    /// driver has to sleep until another time.
    #[inline(never)]
    pub(crate) fn leave_queue(
        &mut self,
        now: Instant,
        ticket: Option<u32>,
        after: &mut Option<AfterUnlock>,
    ) -> bool {
        let after = after.get_or_insert_default();
        after.unused = ticket.and_then(|ticket| self.wait_queue.remove(ticket));
        self.reserve_and_compare(now, &mut after.wake)
    }

    /// Puts the request into the wait queue, at its position. Returns its ticket, and whether the driver has to sleep until
    /// another time.
    #[cold]
    pub(crate) fn wait(
        &mut self,
        now: Instant,
        command: CommandId,
        ticket: Option<u32>,
        waker: &Waker,
        after: &mut Option<AfterUnlock>,
    ) -> (u32, bool) {
        let after = after.get_or_insert_default();
        let ticket = match ticket {
            Some(ticket) => {
                after.unused = self.wait_queue.wait(ticket, waker);
                ticket
            }
            None => self.wait_queue.push(command, waker.clone()),
        };
        (ticket, self.reserve_and_compare(now, &mut after.wake))
    }

    /// Returns whether a new request may be sent before those in the wait queue: none waits, and there is more capacity than
    /// is reserved.
    fn has_capacity(&self, now: Instant, command: CommandId) -> bool {
        self.wait_queue.first().is_none()
            && !matches!(
                self.session.readiness_after(now, self.wait_queue.reserved(), command),
                Readiness::Refusing(Refusal::WindowFull | Refusal::OutputFull | Refusal::RateLimited(_))
            )
    }

    /// Reserves capacity for the requests that wait. Returns whether the driver has to sleep until another time.
    fn reserve_and_compare(&mut self, now: Instant, wake: &mut WakeList) -> bool {
        let before = self.rate_limited_until;
        self.reserve(now, wake);
        self.rate_limited_until.is_some() && self.rate_limited_until != before
    }
}

/// A request that is dropped leaves the queue, or its result is discarded. A place that was reserved for it is reserved for
/// the next request in the queue.
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
                let mut after = None;
                self.shared.with_driver(|core, now| ((), core.leave_queue(now, Some(ticket), &mut after)));
                after.into_iter().for_each(AfterUnlock::run);
            }
            Stage::Waiting(None) | Stage::Done => {}
        }
    }
}
