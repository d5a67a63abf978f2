//! A handle on a session with a background thread: sends requests from any thread.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use smpp_proto::diagnosis::ReceivedInstead;
use smpp_proto::session::{
    self, CloseReason, Esme, NotSentReason, Notification, Observer, Refusal, RequestError, Response, Role,
    SentBy, Smsc, State, Stats, UnansweredReason,
};
use smpp_proto::{Bind, DeliverSm, Operation, SubmitSm};

use crate::end_request::EndRequest;
use crate::error::End;
use crate::pending_requests::RequestResult;
use crate::pending_response::{DeadlineError, PendingResponse, SlotGuard};
use crate::session_state::NotAdmitted;
use crate::shared::Shared;
use crate::sync::atomic::Ordering;
use crate::waiting_threads::WaitRole;

/// A handle on one session. Clone it, one for each thread: any number of threads may call its methods at the same time.
///
/// A thread that waits in one of the methods does the session's work meanwhile, also for the other threads.
///
/// ```no_run
/// use std::thread;
/// use smpp_proto::{Bind, SubmitSm};
/// use smpp_std::Connector;
///
/// let (client, _inbox) = Connector::new().start(&"smpps://smpp.8x8.com".parse()?)?;
/// client.bind(&Bind { system_id: "shop".try_into()?, password: "secret".try_into()?, ..Bind::default() })?;
/// let submitting = [client.clone(), client.clone()].map(|client| {
///     thread::spawn(move || client.submit(&SubmitSm::default()))
/// });
/// for thread in submitting {
///     let response = thread.join().map_err(|_| "the thread panicked")??;
///     println!("message id {}", response.message_id().escape_ascii());
/// }
/// println!("{}", client.unbind());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// When the last handle and the [`Inbox`](crate::Inbox) are dropped, the session shuts down gracefully: it accepts no new
/// request, waits up to [`Config::drain_timeout`](smpp_proto::session::Config::drain_timeout) for the requests in flight,
/// and unbinds. The drop does not wait for that.
pub struct Handle<R: Role> {
    pub(crate) shared: Arc<Shared<R>>,
}

/// The handle of an ESME on its session with an SMSC: it binds and submits. See [`Handle`] for an example.
pub type Client = Handle<Esme>;

/// The handle of an SMSC on its session with one ESME: it delivers.
///
/// ```no_run
/// use smpp_proto::{DeliverSm, ShortMessage};
/// use smpp_std::{Peer, RequestError};
///
/// fn deliver(peer: &Peer, text: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
///     peer.deliver(&DeliverSm { short_message: ShortMessage::new(text)?, ..DeliverSm::default() })?;
///     Ok(())
/// }
/// ```
pub type Peer = Handle<Smsc>;

impl<R: Role> Handle<R> {
    pub(crate) fn new(shared: Arc<Shared<R>>) -> Self {
        shared.handles.fetch_add(1, Ordering::SeqCst);
        Self { shared }
    }

    /// Sends a request and waits for its outcome.
    ///
    /// While the window is full, the rate limit is reached, or too much output waits to be written, it waits for its turn
    /// first. Waiting threads get their turns in the order in which they came.
    ///
    /// It blocks until the outcome: at most [`Config::response_timeout`](smpp_proto::session::Config::response_timeout)
    /// after the request was sent.
    ///
    /// # Errors
    ///
    /// [`RequestError::Refused`] with the status of the response, [`RequestError::Nacked`] with the status of a
    /// generic_nack, [`RequestError::NeverSent`] if the request was not sent (it is safe to send it again), and
    /// [`RequestError::Unanswered`] if it was sent and got no response (the peer may have accepted it).
    pub fn request<O>(&self, operation: &O) -> Result<Response, RequestError>
    where
        O: Operation + SentBy<R>,
    {
        // Without a deadline there is no `DeadlineError`.
        self.exchange(operation, None).unwrap_or(Err(RequestError::Unanswered(UnansweredReason::Timeout)))
    }

    /// Sends a request and waits for its outcome, at most until `deadline`. The deadline covers the wait for a turn and
    /// the wait for the response.
    ///
    /// # Errors
    ///
    /// The outer error is a [`DeadlineError`] if there is no outcome by then: `NeverSent`, or `InFlight` with the
    /// [`PendingResponse`] if the request was sent. The inner one is that of [`request`](Self::request).
    pub fn request_until<O>(
        &self,
        operation: &O,
        deadline: Instant,
    ) -> Result<RequestResult, DeadlineError<PendingResponse<R>>>
    where
        O: Operation + SentBy<R>,
    {
        self.exchange(operation, Some(self.shared.session_time(deadline)))
    }

    fn exchange<O>(
        &self,
        operation: &O,
        until: Option<session::Instant>,
    ) -> Result<RequestResult, DeadlineError<PendingResponse<R>>>
    where
        O: Operation + SentBy<R>,
    {
        let mut slot = SlotGuard::new(&self.shared);
        let answer = self.shared.wait(WaitRole::MayLead, until, |state, waiter| {
            let number = match slot.number {
                Some(number) => number,
                None => match state.request_or_queue(self.shared.now(), operation, WaitRole::MayLead, waiter)
                {
                    Ok(number) => *slot.number.insert(number),
                    Err(NotAdmitted::Never(reason)) => return Ok(Err(RequestError::NeverSent(reason))),
                    Err(NotAdmitted::Later(at)) => return Err(at),
                },
            };
            let answer = state.pending.take(number, *waiter).ok_or(None)?;
            slot.number = None;
            Ok(answer)
        });
        let in_flight = || slot.into_response().map_or(DeadlineError::NeverSent, DeadlineError::InFlight);
        answer.ok_or_else(in_flight)
    }

    /// Sends a request and does not wait for its outcome, which the returned [`PendingResponse`] has later.
    ///
    /// It blocks only while the window is full, the rate limit is reached, or the transport takes nothing. Requests may be
    /// deferred so that many leave in one write: until a thread waits for an outcome, and at most 5 ms.
    ///
    /// # Errors
    ///
    /// [`RequestError::NeverSent`] if the session did not accept the request: it is safe to send it again. Every other
    /// outcome comes from the `PendingResponse`.
    pub fn request_pipelined<O>(&self, operation: &O) -> Result<PendingResponse<R>, RequestError>
    where
        O: Operation + SentBy<R>,
    {
        let mut slot = SlotGuard::new(&self.shared);
        let sent = self.shared.with_deferred_write(|state, now| {
            (state.try_request(now, operation).map(|number| slot.number = Some(number)), true)
        });
        match sent {
            Ok(()) => Ok(()),
            Err(NotAdmitted::Never(reason)) => Err(reason),
            Err(NotAdmitted::Later(_)) => self.submit_in_turn(operation, &mut slot),
        }
        // Without an error it was sent.
        .and_then(|()| slot.into_response().ok_or(NotSentReason::Closed(CloseReason::Aborted)))
        .map_err(RequestError::NeverSent)
    }

    /// Waits for its turn, then for window capacity or the rate limit, and submits the request.
    fn submit_in_turn<O>(&self, operation: &O, slot: &mut SlotGuard<'_, R>) -> Result<(), NotSentReason>
    where
        O: Operation + SentBy<R>,
    {
        let role = WaitRole::Sender;
        let submitted = self.shared.wait(role, None, |state, waiter| {
            match state.request_or_queue(self.shared.now(), operation, role, waiter) {
                Ok(number) => {
                    slot.number = Some(number);
                    Ok(Ok(()))
                }
                Err(NotAdmitted::Never(reason)) => Ok(Err(reason)),
                Err(NotAdmitted::Later(at)) => Err(at),
            }
        });
        // Without a deadline the wait ends only with a result.
        submitted.unwrap_or(Err(NotSentReason::Closed(CloseReason::Aborted)))
    }

    /// Shuts the session down gracefully, waits for its end, and returns how it ended.
    ///
    /// The session accepts no new request from any handle, waits up to
    /// [`Config::drain_timeout`](smpp_proto::session::Config::drain_timeout) for the requests in flight, and unbinds.
    #[doc(alias = "graceful")]
    #[doc(alias = "disconnect")]
    pub fn unbind(&self) -> End {
        self.shared.with(|state, now| state.session.unbind(now));
        self.closed()
    }

    /// Begins to unbind. Does not wait for the session's lock, nor for a transport that takes nothing: the unbind leaves
    /// later then, when the read returns in which the background thread is.
    pub(crate) fn begin_unbind(&self) {
        self.shared.request_end(EndRequest::Unbind);
    }

    /// Begins to abort the session. Does not wait for the session's lock.
    pub(crate) fn begin_abort(&self) {
        self.shared.request_end(EndRequest::Abort);
    }

    /// Returns how the session ended, if it has and no thread holds the session's lock.
    pub(crate) fn try_end(&self) -> Option<End> {
        self.shared.try_lock()?.end.clone()
    }

    /// Ends the session at once, without unbind, and returns how it ended. It waits only for a write that another thread
    /// has begun: about 50 ms at most.
    pub fn abort(&self) -> End {
        self.begin_abort();
        self.closed()
    }

    /// Waits for the end of the session, and returns how it ended.
    pub fn closed(&self) -> End {
        let end = self.shared.wait(WaitRole::Passive, None, |state, _| state.end.clone().ok_or(None));
        end.unwrap_or(End::new(CloseReason::Aborted, None))
    }

    /// Waits for the end of the session, at most until `deadline`. Returns `None` if it has not ended by then.
    pub fn closed_until(&self, deadline: Instant) -> Option<End> {
        let until = Some(self.shared.session_time(deadline));
        self.shared.wait(WaitRole::Passive, until, |state, _| state.end.clone().ok_or(None))
    }

    /// Returns the state of the session. Does not block.
    pub fn state(&self) -> State {
        self.shared.lock().session.state()
    }

    /// Shows every later PDU to `observer`, without passwords, also those that the session
    /// [rejects](Observer::rejected). Call it before the bind to observe all of them.
    ///
    /// The thread that does the session's work calls the observer, under the session's lock. So the observer should
    /// return quickly, and must not call this handle. A later call replaces the observer.
    pub fn observe(&self, observer: impl Observer + Send + 'static) {
        let before = self.shared.lock().session.observer_mut().replace(Box::new(observer));
        // Drop it after the lock is released: it may hold a handle.
        drop(before);
    }

    /// Returns the counters of the session. Does not block.
    pub fn stats(&self) -> Stats {
        self.shared.lock().session.stats()
    }
}

impl Handle<Esme> {
    /// Binds and waits for the response (SMPP 3.4 §4.1).
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request). A refusal has the SMSC's status: `ESME_RINVPASWD` for a wrong password.
    pub fn bind(&self, bind: &Bind<'_>) -> Result<Response, RequestError> {
        self.shared.lock().telemetry.bind_requested(bind.system_id);
        self.request(bind)
    }

    /// Returns what the peer sent instead of the response to a bind that failed with `error`: HTTP, TLS, another protocol,
    /// or nothing. Returns `None` if the peer responded.
    pub fn diagnose_bind(&self, error: &RequestError) -> Option<ReceivedInstead> {
        self.shared.lock().session.diagnose_bind(error)
    }

    /// Submits a message and waits for the response, which holds the message id (SMPP 3.4 §4.4.1).
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    pub fn submit(&self, message: &SubmitSm<'_>) -> Result<Response, RequestError> {
        self.request(message)
    }

    /// Submits a message and waits for the response, at most until `deadline`.
    ///
    /// # Errors
    ///
    /// As [`request_until`](Self::request_until).
    pub fn submit_until(
        &self,
        message: &SubmitSm<'_>,
        deadline: Instant,
    ) -> Result<RequestResult, DeadlineError<PendingResponse<Esme>>> {
        self.request_until(message, deadline)
    }

    /// Submits a message and does not wait for the response, as [`request_pipelined`](Self::request_pipelined).
    ///
    /// # Errors
    ///
    /// As [`request_pipelined`](Self::request_pipelined).
    pub fn submit_pipelined(&self, message: &SubmitSm<'_>) -> Result<PendingResponse<Esme>, RequestError> {
        self.request_pipelined(message)
    }
}

impl Handle<Smsc> {
    /// Delivers a message or a delivery receipt and waits for the response (SMPP 3.4 §4.6.1).
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    pub fn deliver(&self, message: &DeliverSm<'_>) -> Result<Response, RequestError> {
        self.request(message)
    }

    /// Delivers a message or a delivery receipt and waits for the response, at most until `deadline`.
    ///
    /// # Errors
    ///
    /// As [`request_until`](Self::request_until).
    pub fn deliver_until(
        &self,
        message: &DeliverSm<'_>,
        deadline: Instant,
    ) -> Result<RequestResult, DeadlineError<PendingResponse<Smsc>>> {
        self.request_until(message, deadline)
    }

    /// Delivers a message or a delivery receipt and does not wait for the response, as
    /// [`request_pipelined`](Self::request_pipelined).
    ///
    /// # Errors
    ///
    /// As [`request_pipelined`](Self::request_pipelined).
    pub fn deliver_pipelined(&self, message: &DeliverSm<'_>) -> Result<PendingResponse<Smsc>, RequestError> {
        self.request_pipelined(message)
    }

    /// Sends a PDU that has no response: alert_notification, or outbind on a connection that the SMSC has made. The
    /// session cannot find out whether it arrives.
    ///
    /// # Errors
    ///
    /// It does not wait for capacity. [`Refusal::OutputFull`] is temporary; every other refusal is permanent.
    pub fn notify<N: Notification>(&self, notification: &N) -> Result<(), Refusal> {
        self.shared.with(|state, now| state.session.notify(now, notification))
    }
}

impl<R: Role> Clone for Handle<R> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.shared))
    }
}

impl<R: Role> Drop for Handle<R> {
    fn drop(&mut self) {
        if self.shared.handles.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.begin_unbind();
        }
    }
}

impl<R: Role> fmt::Debug for Handle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("state", &self.state()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use smpp_proto::session::{Config, Direction, ObservedPdu};
    use smpp_proto::{CommandId, SubmitSmResp};

    use super::*;
    use crate::inbound::Inbound;
    use crate::start;

    /// An observer that panics at a PDU of a kind.
    struct PanicsAt(Direction, CommandId);

    impl Observer for PanicsAt {
        fn observe(&mut self, _: session::Instant, direction: Direction, pdu: ObservedPdu<'_>) {
            assert!(direction != self.0 || pdu.header().command != self.1, "expected panic");
        }
    }

    #[test]
    fn a_request_at_which_an_observer_panics_keeps_no_slot() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (client, _inbox) = start::<Esme, _>(near, Config::default()).unwrap();
        let (_peer, mut requests) =
            start::<Smsc, _>(listener.accept().unwrap().0, Config::default()).unwrap();
        let serving = std::thread::spawn(move || {
            while let Some(inbound) = requests.recv() {
                match inbound {
                    Inbound::Bind(bind) => bind.accept().unwrap(),
                    Inbound::SubmitSm(message) => message.respond(Ok(SubmitSmResp::default())).unwrap(),
                    _ => {}
                }
            }
        });
        client.bind(&Bind::default()).unwrap();
        let in_use = || client.shared.lock().pending.in_use();
        let panics = |at: PanicsAt, act: &dyn Fn()| {
            client.observe(at);
            assert!(catch_unwind(AssertUnwindSafe(act)).is_err());
            client.observe(());
        };
        let submit = || drop(client.submit(&SubmitSm::default()));
        panics(PanicsAt(Direction::Out, CommandId::SUBMIT_SM), &submit);
        panics(PanicsAt(Direction::Out, CommandId::SUBMIT_SM), &|| {
            drop(client.submit_pipelined(&SubmitSm::default()));
        });
        assert_eq!(in_use(), 0, "none of them was sent");
        client.observe(PanicsAt(Direction::In, CommandId::SUBMIT_SM_RESP));
        // The background thread panics if it reads: then the session ends.
        let _ = catch_unwind(AssertUnwindSafe(submit));
        client.observe(());
        client.unbind();
        serving.join().unwrap();
        assert_eq!(in_use(), 0);
    }
}
