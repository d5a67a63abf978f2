//! One request, from the line it waits in to its outcome.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use smpp_core::Operation;
use smpp_core::session::{Instant, NotSent, Refusal, RequestError, Role, SentBy};

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
    /// Not yet polled.
    New,
    /// Waiting for its turn, with this ticket.
    InLine(u64),
    /// In flight, with this place among those who wait.
    InFlight(u32),
    Over,
}

impl<'s, 'o, R: Role, O> Requesting<'s, 'o, R, O> {
    pub(crate) const fn new(shared: &'s Shared<R>, operation: &'o O) -> Self {
        Self { shared, operation, stage: Stage::New }
    }
}

impl<R: Role, O: Operation + SentBy<R>> Future for Requesting<'_, '_, R, O> {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        let Self { shared, operation, stage } = self.get_mut();
        let ticket = match *stage {
            Stage::New => None,
            Stage::InLine(ticket) => Some(ticket),
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
        let (entered, _old, next) = shared.with(|core, now| {
            let (entered, old) = core.enter(now, *operation, ticket, cx.waker());
            // Who did not stand in line leaves nobody behind.
            let left = ticket.is_some() && !matches!(entered, Ok(Stage::InLine(_)));
            (entered, old, if left { core.call_next(now) } else { None })
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
    /// Sends the request, or lets it stand in line. Gives what it waits for now, and a waker that is of no use.
    fn enter<O: Operation + SentBy<R>>(
        &mut self,
        now: Instant,
        operation: &O,
        ticket: Option<u64>,
        waker: &Waker,
    ) -> (Result<Stage, NotSent>, Option<Waker>) {
        if self.end.is_some() || self.line.is_first(ticket) {
            let place = self.waiters.next();
            let Err(refused) = self.session.request(now, operation, place) else {
                self.waiters.take(waker.clone());
                return (Ok(Stage::InFlight(place)), self.leave_line(ticket));
            };
            let end = self.end.as_ref().map(|end| NotSent::Closed(end.reason));
            if let Some(why) = end.or(refused.why.lasting()) {
                return (Err(why), self.leave_line(ticket));
            }
            if let Refusal::Paced(at) = refused.why {
                self.paced = Some(at);
            }
        }
        let (ticket, old) = self.line.stand(ticket, waker);
        (Ok(Stage::InLine(ticket)), old)
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
    fn drop(&mut self) {
        match self.stage {
            Stage::InFlight(place) => drop(self.shared.lock().waiters.forsake(place)),
            Stage::InLine(ticket) => {
                let (_old, next) =
                    self.shared.with(|core, now| (core.leave_line(Some(ticket)), core.call_next(now)));
                if let Some(next) = next {
                    next.wake();
                }
            }
            Stage::New | Stage::Over => {}
        }
    }
}
