//! What the driver and the handles of one connection share: the session behind a lock, and the tasks that wait on it.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;

use smpp_common::telemetry::SessionTelemetry;
use smpp_proto::server::DeliveryId;
use smpp_proto::session::{Config, Event, Instant, Readiness, Refusal, Request, Role, Session};
use smpp_proto::{
    Bind, BroadcastSm, CancelBroadcastSm, CancelSm, DataSm, DeliverSm, Frame, Operation, QueryBroadcastSm,
    QuerySm, ReplaceSm, SubmitMulti, SubmitSm,
};
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::error::End;
use crate::inbound_queue::{InboundQueue, Queued};
use crate::macros::with_requests;
use crate::responder::{DriverSession, InlineHandler, Responder};
use crate::wait::{PendingRequests, RequestResult, WakeList};
use crate::wait_queue::WaitQueue;

/// What the driver and the handles of one connection share.
pub(crate) struct Shared<R: Role> {
    core: Mutex<Core<R>>,
    pub(crate) clock: Clock,
    /// Notified when the session has ended.
    pub(crate) ended: Notify,
}

/// The connection of a server. The methods are called under the lock of the session.
pub(crate) trait SessionHook: Send + Sync {
    /// Records that the session is no longer bound. Its output has not left yet. Called once.
    fn unbinding(&self);

    /// Records how a delivery ended.
    fn handle_result(&self, delivery: DeliveryId, result: RequestResult);
}

/// What a session knows about the server that it belongs to.
pub(crate) struct ServerSide {
    pub(crate) hook: Weak<dyn SessionHook>,
    /// Until the server knows that the session is no longer bound.
    pub(crate) is_bound: bool,
}

pub(crate) struct Core<R: Role> {
    pub(crate) session: DriverSession<R>,
    /// Responds to requests before they reach the inbox.
    pub(crate) inline_handler: Option<InlineHandler<R>>,
    /// The requests in flight. The tag of a request is its slot.
    pub(crate) pending: PendingRequests,
    /// The requests that wait for capacity.
    pub(crate) wait_queue: WaitQueue,
    /// When the rate limit allows the first waiting request, if that is what it waits for. The driver sleeps until then.
    pub(crate) rate_limited_until: Option<Instant>,
    /// The peer's requests that the application has not fetched: `max_unanswered` at most. Notifications beyond that are
    /// dropped.
    pub(crate) inbox: InboundQueue,
    pub(crate) max_unanswered: usize,
    /// A request was queued since the last [`shrink`](Self::shrink).
    pub(crate) inbox_used: bool,
    /// The session is quiet: the `Inbox` frees its memory when it is empty.
    pub(crate) inbox_shrunk: bool,
    /// Whether the `Inbox` still exists.
    pub(crate) inbox_open: bool,
    /// The waker of the task that waits in `Inbox::recv`.
    pub(crate) inbox_waker: Option<Waker>,
    /// The number of handles. At zero the session unbinds.
    pub(crate) handles: usize,
    pub(crate) end: Option<End>,
    /// The server of a session that is bound, or was.
    pub(crate) server: Option<ServerSide>,
    /// The error of the transport, until the session ends with it.
    pub(crate) transport_error: Option<Arc<io::Error>>,
    /// The waker of the driver, while it is idle.
    pub(crate) driver_waker: Option<Waker>,
    /// The time of the first change since the driver was idle.
    now: Instant,
    pub(crate) telemetry: SessionTelemetry,
}

macro_rules! handle_event {
    ($($(#[$meta:meta])* $name:ident,)+) => {
        impl<R: Role> Core<R> {
            /// Handles an event that is not the outcome of a request.
            ///
            /// Only the token is moved out of a request: its fields are many.
            fn handle_event(&mut self, event: Event<'_, u32>, wake: &mut WakeList) {
                let (frame, queued) = match event {
                    $(Event::Request { request: Request::$name(_, reply), frame, .. }
                        if self.inline_handler.is_none() =>
                    {
                        (frame, Queued::$name(length(frame), reply))
                    })+
                    Event::Request { request, frame, .. } => {
                        let responder = Responder { session: &mut self.session };
                        let unhandled = match &mut self.inline_handler {
                            Some(handler) => handler(request, responder),
                            None => Some(request),
                        };
                        match unhandled {
                            None => return,
                            $(Some(Request::$name(_, reply)) => (frame, Queued::$name(length(frame), reply)),)+
                            Some(other) => {
                                // If the session has ended, the peer sees no response: it has to assume that the request
                                // was not accepted.
                                let _ = self.session.refuse(other);
                                return;
                            }
                        }
                    }
                    Event::Notification { frame, .. } if self.inbox.len() < self.max_unanswered => {
                        (frame, Queued::Notification(length(frame)))
                    }
                    event => return self.handle_other_event(&event, wake),
                };
                if self.inbox_open {
                    self.inbox_used = true;
                    self.inbox.push_frame(frame, queued);
                    wake.add(self.inbox_waker.take());
                } else {
                    self.refuse_queued(queued);
                }
            }

            /// Refuses a request, because there is no inbox.
            #[cold]
            fn refuse_queued(&mut self, queued: Queued) {
                // Fails if the session has ended: then no response is needed.
                let _ = match queued {
                    $(Queued::$name(_, reply) => self.session.respond(reply, Err($name::UNANSWERED)),)+
                    Queued::Notification(_) | Queued::LateResponse(..) => return,
                };
            }
        }
    };
}

with_requests!(handle_event);

impl<R: Role> Shared<R> {
    pub(crate) fn new(config: Config) -> Arc<Self> {
        let core = Core {
            session: Session::with_observer(config, Instant::ZERO, None),
            inline_handler: None,
            pending: PendingRequests::default(),
            wait_queue: WaitQueue::default(),
            rate_limited_until: None,
            inbox: InboundQueue::default(),
            max_unanswered: config.max_unanswered.max(1).into(),
            inbox_used: false,
            inbox_shrunk: false,
            inbox_open: true,
            inbox_waker: None,
            handles: 0,
            end: None,
            server: None,
            transport_error: None,
            driver_waker: None,
            now: Instant::ZERO,
            telemetry: SessionTelemetry::new(R::SIDE),
        };
        Arc::new(Self { core: Mutex::new(core), clock: Clock::start(), ended: Notify::new() })
    }

    /// Locks the session. A poisoned lock is used as it is: a call of the session that panics leaves it consistent.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Core<R>> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `act` with the locked session, then wakes the driver.
    ///
    /// All calls between two turns of the driver get the time of the first one, so that the clock is read once. Their
    /// output leaves in one write.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Core<R>, Instant) -> T) -> T {
        self.with_driver(|core, now| (act(core, now), true))
    }

    /// As [`with`](Self::with), and wakes the driver only if `act` returns `true` beside its value.
    #[inline(always)]
    pub(crate) fn with_driver<T>(&self, act: impl FnOnce(&mut Core<R>, Instant) -> (T, bool)) -> T {
        let mut core = self.lock();
        if core.driver_waker.is_some() || core.end.is_some() {
            core.now = self.clock.now();
        }
        let now = core.now;
        let (value, wakes_driver) = act(&mut core, now);
        // Taken after `act`: if an observer panics in there, the next caller still wakes the driver.
        let driver = if wakes_driver { core.driver_waker.take() } else { None };
        drop(core);
        if let Some(driver) = driver {
            driver.wake();
        }
        value
    }
}

impl<R: Role> Core<R> {
    /// Handles the event that `next` returns, and adds the tasks to wake to `wake`. Returns whether there was an event.
    #[inline(always)]
    pub(crate) fn dispatch<'b>(
        &mut self,
        wake: &mut WakeList,
        next: impl FnOnce(&mut DriverSession<R>) -> Option<Event<'b, u32>>,
    ) -> bool {
        let event = next(&mut self.session);
        if let Some(event) = &event {
            let times = self.session.response_times();
            self.telemetry.record(event, times, self.transport_error.as_deref());
        }
        match event {
            Some(Event::Outcome { tag, outcome, .. }) => {
                let server = &self.server;
                wake.add(self.pending.complete(tag, outcome, |delivery, result| {
                    if let Some(server) = server.as_ref().and_then(|server| server.hook.upgrade()) {
                        server.handle_result(delivery, result);
                    }
                }));
            }
            Some(event) => self.handle_event(event, wake),
            None => return false,
        }
        true
    }

    /// Puts the next PDU of `input` into the inbox, if it is a submit_sm without deviations: as [`dispatch`](Self::dispatch),
    /// without an event. Returns whether it was one.
    #[inline(always)]
    pub(crate) fn queue_submit_sm(&mut self, now: Instant, input: &mut &[u8], wake: &mut WakeList) -> bool {
        if self.inline_handler.is_some() || !self.inbox_open {
            return false;
        }
        let Some((frame, reply)) = self.session.take_submit_sm(now, input) else { return false };
        self.inbox_used = true;
        self.inbox.push_frame(frame, Queued::SubmitSm(length(frame), reply));
        wake.add(self.inbox_waker.take());
        true
    }

    /// Reserves capacity that is free for the first requests in the queue, and adds their tasks to `wake`. Called after
    /// whatever may have freed capacity or changed the first request.
    pub(crate) fn reserve(&mut self, now: Instant, wake: &mut WakeList) {
        // A reservation that its task has not used when the next message is due does not stop those that wait for the rate
        // limit.
        let mut is_overdue =
            self.rate_limited_until.take().is_some_and(|at| at <= now) && self.wait_queue.reserved() > 0;
        while let Some(command) = self.wait_queue.first() {
            match self.session.readiness_after(now, self.wait_queue.reserved(), command) {
                Readiness::Refusing(Refusal::WindowFull | Refusal::OutputFull) => return,
                Readiness::Refusing(Refusal::RateLimited(at)) if !is_overdue => {
                    self.rate_limited_until = Some(at);
                    return;
                }
                // Other refusals are permanent: the request fails when it tries.
                Readiness::Ready { .. } | Readiness::Refusing(_) => {}
            }
            is_overdue = false;
            wake.add(self.wait_queue.reserve_first());
        }
    }

    /// Frees the memory of empty collections. Returns the waker of the task that waits in `Inbox::recv` if the inbox has memory
    /// to free as well.
    pub(crate) fn shrink(&mut self) -> Option<Waker> {
        self.session.shrink();
        self.pending.shrink();
        self.wait_queue.shrink();
        if !self.inbox.is_empty() {
            return None;
        }
        self.inbox = InboundQueue::default();
        if !std::mem::take(&mut self.inbox_used) {
            return None;
        }
        self.inbox_shrunk = true;
        self.inbox_waker.take()
    }

    fn handle_other_event(&mut self, event: &Event<'_, u32>, wake: &mut WakeList) {
        match event {
            Event::LateResponse { sequence, outcome, .. }
                if self.inbox_open && self.inbox.len() < self.max_unanswered =>
            {
                let mut result = None;
                outcome.store_in(&mut result);
                if let Some(result) = result {
                    self.inbox.push(Queued::LateResponse(*sequence, Box::new(result)));
                    wake.add(self.inbox_waker.take());
                }
            }
            Event::Closed(reason) => {
                self.end = Some(End::new(*reason, self.transport_error.take()));
                self.wait_queue.take_wakers().for_each(|waker| wake.add(Some(waker)));
                wake.add(self.inbox_waker.take());
            }
            // The session counts the others, and has responded to them if they have a response.
            _ => {}
        }
    }
}

/// Returns the octets of a PDU; the session accepts none of 2^32.
fn length(frame: Frame<&[u8]>) -> u32 {
    frame.header().length
}
