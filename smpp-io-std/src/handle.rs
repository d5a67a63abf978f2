//! A handle on a session that runs by itself: requests out, outcomes back, from any thread.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use smpp_core::session::{
    self, CloseReason, Config, Esme, NotSentReason, Notification, Observer, Refusal, RequestError, Response,
    Role, SentBy, Smsc, State, Stats, UnansweredReason,
};
use smpp_core::{Bind, DeliverSm, Operation, SubmitSm};

use crate::error::{DeadlineError, End};
use crate::inbox::Inbox;
use crate::keeper::Watch;
use crate::locked::Core;
use crate::outcomes::Answer;
use crate::shared::Shared;
use crate::stream::Duplex;
use crate::waiters::Part;

/// A handle on one session; clone it freely, one for each thread. When the last handle and the inbox are dropped, the
/// session unbinds.
///
/// Each method may be called in any thread, also in several at once. Those that wait do the session's work meanwhile,
/// whosever it is.
pub struct Handle<R: Role> {
    pub(crate) shared: Arc<Shared<R>>,
}

/// The handle of an ESME: binds, submits.
pub type Client = Handle<Esme>;

/// The handle of an SMSC on one bound ESME: delivers.
pub type Peer = Handle<Smsc>;

/// Runs a session over any stream, with a thread of its own that reads and keeps time while no other thread does.
///
/// This is what [`Connector::start`](crate::Connector::start) and [`Server`](crate::Server) do with the connections they
/// make: use it for a transport of your own. It does not block. The error is the transport's, or the operating system
/// has no thread to give.
pub fn start<R, S>(stream: S, config: Config) -> io::Result<(Handle<R>, Inbox<R>)>
where
    R: Role,
    S: Duplex + 'static,
{
    let shared = Arc::new(Shared::new(Box::new(stream), &config)?);
    let watch = Watch(Arc::clone(&shared));
    thread::Builder::new().name("smpp".into()).spawn(move || watch.run())?;
    let handle = Handle::new(shared);
    Ok((handle.clone(), Inbox::new(handle)))
}

/// A request that is in flight, or whose outcome has not been fetched: see [`Handle::request_pipelined`].
///
/// Dropped, the request stays in flight and its outcome goes unseen. It does not keep the session: when the last
/// handle is dropped, what is in flight has [`Config::drain_timeout`](smpp_core::session::Config::drain_timeout) to be answered.
#[must_use = "the outcome tells whether the request succeeded"]
pub struct PendingResponse<R: Role> {
    shared: Arc<Shared<R>>,
    number: u32,
    fetched: bool,
}

impl<R: Role> Handle<R> {
    fn new(shared: Arc<Shared<R>>) -> Self {
        shared.lock().handles += 1;
        Self { shared }
    }

    /// Sends a request and waits for its outcome. While the window is full, the rate reached, or too much
    /// output waiting, it waits for its turn first: those who wait go in the order they came.
    ///
    /// It blocks until the outcome is known: not longer than
    /// [`Config::response_timeout`](smpp_core::session::Config::response_timeout) once the request is sent.
    pub fn request<O>(&self, operation: &O) -> Result<Response, RequestError>
    where
        O: Operation + SentBy<R>,
    {
        // Without a deadline it is never late.
        self.exchange(operation, None).unwrap_or(Err(RequestError::Unanswered(UnansweredReason::Timeout)))
    }

    /// As [`request`](Self::request), and waits until `deadline` at most: for its turn and for the outcome. What was
    /// sent and is not answered by then is in flight, and its ticket given back.
    pub fn request_until<O>(&self, operation: &O, deadline: Instant) -> Result<Answer, DeadlineError<R>>
    where
        O: Operation + SentBy<R>,
    {
        self.exchange(operation, Some(self.shared.moment(deadline)))
    }

    fn exchange<O>(&self, operation: &O, until: Option<session::Instant>) -> Result<Answer, DeadlineError<R>>
    where
        O: Operation + SentBy<R>,
    {
        let mut taken = None;
        let answer = self.shared.wait(Part::Leads, until, |core, waiter| {
            let number = match taken {
                Some(number) => number,
                None => match core.request(self.shared.now(), operation, waiter) {
                    Ok(number) => *taken.insert(number),
                    Err(NotYet::Never(why)) => return Ok(Err(RequestError::NeverSent(why))),
                    Err(NotYet::Later(at)) => return Err(at),
                },
            };
            core.outcomes.take(number, *waiter).ok_or(None)
        });
        match (answer, taken) {
            (Some(answer), _) => Ok(answer),
            (None, Some(number)) => Err(DeadlineError::InFlight(self.ticket(number))),
            (None, None) => Err(DeadlineError::NeverSent),
        }
    }

    fn ticket(&self, number: u32) -> PendingResponse<R> {
        PendingResponse { shared: Arc::clone(&self.shared), number, fetched: false }
    }

    /// Sends a request, and does not wait for its outcome: the ticket has it later.
    ///
    /// It blocks only while the window is full, the rate reached, or the transport takes nothing. A request may wait for
    /// company, so that many leave at once: until any thread waits for an outcome, for 5 ms at most.
    pub fn request_pipelined<O>(&self, operation: &O) -> Result<PendingResponse<R>, RequestError>
    where
        O: Operation + SentBy<R>,
    {
        let at_once = self.shared.with_company(|core, now| (core.request_at_once(now, operation), true));
        let taken = match at_once {
            Ok(number) => Ok(number),
            Err(NotYet::Never(why)) => Err(why),
            Err(NotYet::Later(_)) => self.queue(operation),
        };
        taken.map(|number| self.ticket(number)).map_err(RequestError::NeverSent)
    }

    /// Waits for its turn, then for room or for the pace.
    fn queue<O>(&self, operation: &O) -> Result<u32, NotSentReason>
    where
        O: Operation + SentBy<R>,
    {
        let taken = self.shared.wait(Part::Leads, None, |core, waiter| {
            match core.request(self.shared.now(), operation, waiter) {
                Ok(number) => Ok(Ok(number)),
                Err(NotYet::Never(why)) => Ok(Err(why)),
                Err(NotYet::Later(at)) => Err(at),
            }
        });
        // Without a deadline it waits until there is one or the other.
        taken.unwrap_or(Err(NotSentReason::Closed(CloseReason::Aborted)))
    }

    /// Ends the session in good order, and says how it ended: no new requests, what is in flight may finish
    /// within [`Config::drain_timeout`](smpp_core::session::Config::drain_timeout), then unbind. Everyone's requests, not only this
    /// handle's. It blocks until the session is over.
    pub fn unbind(&self) -> End {
        self.begin_unbind();
        self.closed()
    }

    pub(crate) fn begin_unbind(&self) {
        self.shared.with(|core, now| core.session.unbind(now));
    }

    /// Ends the session at once, without unbind. It waits only for a write that another thread is in the middle of, for
    /// about 50 ms at most.
    pub fn abort(&self) -> End {
        self.shared.with(|core, _| core.abort());
        self.closed()
    }

    /// Waits for the end of the session, and says how it ended.
    pub fn closed(&self) -> End {
        let end = self.shared.wait(Part::Watches, None, |core, _| core.end.clone().ok_or(None));
        end.unwrap_or(End { reason: CloseReason::Aborted, error: None })
    }

    /// Where the session stands. It does not block.
    pub fn state(&self) -> State {
        self.shared.lock().session.state()
    }

    /// Shows every PDU from now on to `observer`, without passwords. Set it before the bind to see all of them.
    ///
    /// It is called in whichever thread does the work, while the session is locked: it should be quick, and it must not
    /// call this handle.
    pub fn observe(&self, observer: impl Observer + Send + 'static) {
        let before = self.shared.lock().session.observer_mut().replace(Box::new(observer));
        // Not under the lock: it may hold a handle.
        drop(before);
    }

    /// The counters of the session. It does not block.
    pub fn stats(&self) -> Stats {
        self.shared.lock().session.stats()
    }
}

/// Why a request was not taken.
enum NotYet {
    /// It never will be.
    Never(NotSentReason),
    /// Room or time may help; the pace lets it go at this time.
    Later(Option<session::Instant>),
}

impl<R: Role> Core<R> {
    /// The request's place among the outcomes, if it is taken now and nobody has waited for longer.
    fn request_at_once<O>(&mut self, now: session::Instant, operation: &O) -> Result<u32, NotYet>
    where
        O: Operation + SentBy<R>,
    {
        if self.waiters.may_take(None, self.room()) {
            self.attempt(now, operation)
        } else {
            Err(NotYet::Later(None))
        }
    }

    /// The same, or the thread waits in the queue.
    fn request<O>(
        &mut self,
        now: session::Instant,
        operation: &O,
        waiter: &mut Option<u32>,
    ) -> Result<u32, NotYet>
    where
        O: Operation + SentBy<R>,
    {
        let taken = if self.end.is_some() || self.waiters.may_take(*waiter, self.room()) {
            self.attempt(now, operation)
        } else {
            Err(NotYet::Later(None))
        };
        if let Err(NotYet::Later(at)) = &taken {
            let number = *waiter.get_or_insert_with(|| self.waiters.enlist(Part::Leads));
            self.waiters.queue(number, *at);
        } else if let Some(number) = waiter {
            self.waiters.leave_queue(*number);
            self.grant();
        }
        taken
    }

    fn attempt<O>(&mut self, now: session::Instant, operation: &O) -> Result<u32, NotYet>
    where
        O: Operation + SentBy<R>,
    {
        let number = self.outcomes.open();
        let Err(refused) = self.session.request(now, operation, number) else {
            self.written(now);
            return Ok(number);
        };
        self.outcomes.forget(number, false);
        let ended = self.end.as_ref().map(|end| NotSentReason::Closed(end.reason));
        Err(match (ended.or(refused.reason.permanent()), refused.reason) {
            (Some(why), _) => NotYet::Never(why),
            (None, Refusal::RateLimited(at)) => NotYet::Later(Some(at)),
            (None, _) => NotYet::Later(None),
        })
    }
}

impl Handle<Esme> {
    /// Binds, and waits for the SMSC's answer. A refusal names the status: `ESME_RINVPASWD` for a wrong password.
    pub fn bind(&self, bind: &Bind<'_>) -> Result<Response, RequestError> {
        self.request(bind)
    }

    /// Submits a message and waits for the SMSC's answer, which holds the message's id: [`request`](Self::request).
    pub fn submit(&self, message: &SubmitSm<'_>) -> Result<Response, RequestError> {
        self.request(message)
    }

    /// Submits a message and waits until `deadline` at most: [`request_until`](Self::request_until).
    pub fn submit_until(
        &self,
        message: &SubmitSm<'_>,
        deadline: Instant,
    ) -> Result<Answer, DeadlineError<Esme>> {
        self.request_until(message, deadline)
    }

    /// Submits a message and does not wait for the answer: [`request_pipelined`](Self::request_pipelined).
    pub fn submit_pipelined(&self, message: &SubmitSm<'_>) -> Result<PendingResponse<Esme>, RequestError> {
        self.request_pipelined(message)
    }
}

impl Handle<Smsc> {
    /// Delivers a message or a receipt and waits for the ESME's answer: [`request`](Self::request).
    pub fn deliver(&self, message: &DeliverSm<'_>) -> Result<Response, RequestError> {
        self.request(message)
    }

    /// Delivers a message or a receipt and waits until `deadline` at most: [`request_until`](Self::request_until).
    pub fn deliver_until(
        &self,
        message: &DeliverSm<'_>,
        deadline: Instant,
    ) -> Result<Answer, DeadlineError<Smsc>> {
        self.request_until(message, deadline)
    }

    /// Delivers a message or a receipt and does not wait for the answer:
    /// [`request_pipelined`](Self::request_pipelined).
    pub fn deliver_pipelined(&self, message: &DeliverSm<'_>) -> Result<PendingResponse<Smsc>, RequestError> {
        self.request_pipelined(message)
    }

    /// Tells the ESME something that has no response: outbind on a connection that the SMSC has made,
    /// alert_notification. Whether it arrives is never known.
    ///
    /// It does not wait for room: [`Refusal::OutputFull`] passes, the others last.
    pub fn notify<N: Notification>(&self, notification: &N) -> Result<(), Refusal> {
        self.shared.with(|core, now| core.session.notify(now, notification))
    }
}

impl<R: Role> PendingResponse<R> {
    /// Waits for the outcome: not longer than [`Config::response_timeout`](smpp_core::session::Config::response_timeout) after the
    /// request was sent.
    pub fn wait(mut self) -> Result<Response, RequestError> {
        let answer = self.outcome(None);
        // Every request has an outcome, and the session is told the time until it has ended.
        answer.unwrap_or(Err(RequestError::Unanswered(UnansweredReason::Timeout)))
    }

    /// Waits for the outcome until `deadline` at most: then the ticket is given back.
    pub fn wait_until(mut self, deadline: Instant) -> Result<Answer, Self> {
        let until = self.shared.moment(deadline);
        self.outcome(Some(until)).ok_or(self)
    }

    /// The outcome, or the ticket back if there is none yet. It does not block.
    ///
    /// What has come is looked at by the threads that wait, and else within about 10 ms.
    pub fn try_outcome(mut self) -> Result<Answer, Self> {
        let answer = self.shared.lock().outcomes.take(self.number, None);
        self.fetched = answer.is_some();
        answer.ok_or(self)
    }

    fn outcome(&mut self, until: Option<session::Instant>) -> Option<Answer> {
        let number = self.number;
        let answer = self
            .shared
            .wait(Part::Leads, until, |core, waiter| core.outcomes.take(number, *waiter).ok_or(None));
        self.fetched = answer.is_some();
        answer
    }
}

impl<R: Role> Drop for PendingResponse<R> {
    fn drop(&mut self) {
        if !self.fetched {
            self.shared.lock().outcomes.forget(self.number, true);
        }
    }
}

impl<R: Role> fmt::Debug for PendingResponse<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingResponse").finish_non_exhaustive()
    }
}

impl<R: Role> Clone for Handle<R> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.shared))
    }
}

impl<R: Role> Drop for Handle<R> {
    fn drop(&mut self) {
        let mut core = self.shared.lock();
        core.handles -= 1;
        let last = core.handles == 0;
        drop(core);
        if last {
            self.begin_unbind();
        }
    }
}

impl<R: Role> fmt::Debug for Handle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("state", &self.state()).finish_non_exhaustive()
    }
}
