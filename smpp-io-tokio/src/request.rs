//! One request, from the line it waits in to its outcome.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use smpp_core::Operation;
use smpp_core::session::{Instant, NotSentReason, Refusal, RequestError, Role, SentBy};

use crate::driver::{Core, Shared};
use crate::waiters::Answer;

/// Waits until the session takes the request, then for its outcome. It holds no memory of its own, and takes the lock
/// once each time.
pub(crate) struct Requesting<'s, 'o, R: Role, O> {
    shared: &'s Shared<R>,
    operation: &'o O,
    stage: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    /// Not sent yet. It waits for its turn with this ticket, once it has been polled.
    SegmentNotSentReason(Option<u64>),
    /// In flight, with this place among those who wait.
    InFlight(u32),
    Over,
}

impl<'s, 'o, R: Role, O> Requesting<'s, 'o, R, O> {
    pub(crate) const fn new(shared: &'s Shared<R>, operation: &'o O) -> Self {
        Self { shared, operation, stage: Stage::SegmentNotSentReason(None) }
    }
}

impl<R: Role, O: Operation + SentBy<R>> Future for Requesting<'_, '_, R, O> {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        let Self { shared, operation, stage } = self.get_mut();
        let ticket = match *stage {
            Stage::SegmentNotSentReason(ticket) => ticket,
            Stage::InFlight(place) => {
                let heard = shared.lock().waiters.hear(place, cx.waker());
                return match heard {
                    Ok(answer) => {
                        *stage = Stage::Over;
                        Poll::Ready(answer)
                    }
                    Err(_) => Poll::Pending,
                };
            }
            Stage::Over => return Poll::Pending,
        };
        // Wakers are woken, and dropped, once the lock is released.
        let (mut old, mut next) = (None, None);
        let entered = shared.with(|core, now| {
            let entered = core.enter(now, *operation, ticket, cx.waker(), &mut old);
            // Who did not stand in line leaves nobody behind.
            if ticket.is_some() && !matches!(entered, Ok(Stage::SegmentNotSentReason(_))) {
                next = core.call_next(now);
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
            Err(why) => {
                *stage = Stage::Over;
                Poll::Ready(Err(RequestError::NeverSent(why)))
            }
        }
    }
}

impl<R: Role> Core<R> {
    /// Sends the request, or lets it stand in line. Gives what it waits for now; `old` becomes a waker that is of no
    /// use.
    fn enter<O: Operation + SentBy<R>>(
        &mut self,
        now: Instant,
        operation: &O,
        ticket: Option<u64>,
        waker: &Waker,
        old: &mut Option<Waker>,
    ) -> Result<Stage, NotSentReason> {
        if self.end.is_some() || self.line.is_first(ticket) {
            let place = self.waiters.next();
            let Err(refused) = self.session.request(now, operation, place) else {
                self.waiters.take(waker.clone());
                *old = self.leave_line(ticket);
                return Ok(Stage::InFlight(place));
            };
            let end = self.end.as_ref().map(|end| NotSentReason::Closed(end.reason));
            if let Some(why) = end.or(refused.reason.permanent()) {
                *old = self.leave_line(ticket);
                return Err(why);
            }
            if let Refusal::RateLimited(at) = refused.reason {
                self.paced = Some(at);
            }
        }
        let (ticket, unused) = self.line.stand(ticket, waker);
        *old = unused;
        Ok(Stage::SegmentNotSentReason(Some(ticket)))
    }

    fn leave_line(&mut self, ticket: Option<u64>) -> Option<Waker> {
        let ticket = ticket?;
        if self.line.is_first(Some(ticket)) {
            self.paced = None;
        }
        self.line.leave(ticket)
    }
}

/// Gives up what it waits for. Who is next in line takes his turn.
impl<R: Role, O> Drop for Requesting<'_, '_, R, O> {
    #[inline]
    fn drop(&mut self) {
        if !matches!(self.stage, Stage::SegmentNotSentReason(None) | Stage::Over) {
            self.give_up();
        }
    }
}

impl<R: Role, O> Requesting<'_, '_, R, O> {
    #[cold]
    fn give_up(&self) {
        match self.stage {
            Stage::InFlight(place) => drop(self.shared.lock().waiters.forsake(place)),
            Stage::SegmentNotSentReason(Some(ticket)) => {
                let (_old, next) =
                    self.shared.with(|core, now| (core.leave_line(Some(ticket)), core.call_next(now)));
                if let Some(next) = next {
                    next.wake();
                }
            }
            Stage::SegmentNotSentReason(None) | Stage::Over => {}
        }
    }
}
