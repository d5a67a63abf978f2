//! One session that the calling thread drives.

mod deadline;
mod turn;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::{self, Duration};

use smpp_common::telemetry::SessionTelemetry;
use smpp_proto::session::{
    CloseReason, Config, Esme, Event, Instant, NotSentReason, Notification, Observer, Refusal, RequestError,
    Response, Role, SentBy, Session, Smsc, State, Stats, UnansweredReason,
};
use smpp_proto::{Bind, CommandStatus, DeliverSm, Frame, InterfaceVersion, Operation, SubmitSm};

use crate::buffer::Buffer;
use crate::error::{End, ReceivedInstead};
use crate::halves::{WRITE_TIMEOUT, shrink_interval};
use crate::inbound::{Inbound, InboundRequest};
use crate::pending_requests::RequestResult;
use crate::sent_request::{SentRequest, Tag};
use crate::transport::Transport;

/// One session over one transport, in the caller's thread. It starts no thread.
///
/// The session works only while the caller is in one of the methods: it then reads, writes, responds to enquire_link
/// and keeps the timeouts. Call [`recv`](Self::recv) often enough that the peer's enquire_link gets its response in
/// time.
///
/// ```no_run
/// use std::time::Duration;
/// use smpp_proto::{Bind, ShortMessage, SubmitSm};
/// use smpp_std::{Connector, Inbound};
///
/// let bind = Bind { system_id: "shop".try_into()?, password: "secret".try_into()?, ..Bind::default() };
/// let mut connection = Connector::new().bind(&"smpps://smpp.8x8.com".parse()?, &bind)?;
/// let message = SubmitSm { short_message: ShortMessage::new(b"Hello")?, ..SubmitSm::default() };
/// println!("message id {}", connection.submit(&message)?.message_id().escape_ascii());
/// while let Some(inbound) = connection.recv(Some(Duration::from_secs(30)))? {
///     match inbound {
///         Inbound::DeliverSm(receipt) => connection.accept(receipt)?,
///         other => connection.refuse(other)?,
///     }
/// }
/// println!("{}", connection.unbind());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Dropping the connection closes the transport without unbind. [`unbind`](Self::unbind) shuts it down gracefully.
pub struct Connection<R: Role, S: Transport> {
    session: Session<R, Tag, Option<Box<dyn Observer + Send>>>,
    stream: S,
    /// The read timeout that was set last.
    read_timeout: Option<Duration>,
    start: time::Instant,
    received: Buffer,
    /// Whether whole PDUs may be in `received`, left there while the session wanted no input.
    held: bool,
    /// Output of the session, and how many octets of it the transport has taken.
    output: Vec<u8>,
    written: usize,
    /// Whether the transport may hold back octets that it has taken.
    unflushed: bool,
    /// The last time at which the transport had nothing to read. Octets that came later came in time.
    caught_up: Instant,
    /// Octets read since `caught_up`.
    octets_since: usize,
    /// Whether nothing more can be written.
    write_failed: bool,
    shrink_interval: Duration,
    /// When the memory of empty buffers and tables is freed next.
    shrink_at: Instant,
    events: PendingEvents,
    telemetry: SessionTelemetry,
}

/// Why a request was not submitted.
enum SubmitError {
    /// The session does not accept it.
    Never(NotSentReason),
    /// The deadline passed first.
    Deadline,
}

/// What the session has emitted and the caller has not fetched yet.
#[derive(Debug, Default)]
struct PendingEvents {
    /// Requests of the peer: at most `limit`. A notification or a late response that comes while there are as many
    /// entries is dropped.
    inbox: VecDeque<Inbound>,
    /// [`Config::max_unanswered`].
    limit: usize,
    /// The outcome of the request that a call of [`Connection::request`] waits for.
    answer: Option<RequestResult>,
    /// The transport's error.
    error: Option<Arc<io::Error>>,
    end: Option<End>,
}

impl<S: Transport> Connection<Esme, S> {
    /// Binds and waits for the response (SMPP 3.4 §4.1).
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request). A refusal has the SMSC's status: `ESME_RINVPASWD` for a wrong password.
    pub fn bind(&mut self, bind: &Bind<'_>) -> Result<Response, RequestError> {
        self.telemetry.bind_requested(bind.system_id);
        self.request(bind)
    }

    /// Returns what the peer sent instead of the response to a bind that failed with `error`: HTTP, TLS, another protocol,
    /// or nothing. Returns `None` if the peer responded. [`Connector::bind`](crate::Connector::bind) reports it by itself.
    pub fn diagnose_bind(&self, error: &RequestError) -> Option<ReceivedInstead> {
        self.session.diagnose_bind(error)
    }

    /// Submits a message and waits for the response, which holds the message id (SMPP 3.4 §4.4.1).
    ///
    /// While the rate limit is reached, it waits for its turn first. Messages and delivery receipts that come meanwhile
    /// are kept for [`recv`](Self::recv), and get no response until then.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    pub fn submit(&mut self, message: &SubmitSm<'_>) -> Result<Response, RequestError> {
        self.request(message)
    }
}

impl<S: Transport> Connection<Smsc, S> {
    /// Delivers a message or a delivery receipt and waits for the response (SMPP 3.4 §4.6.1).
    ///
    /// Some ESMEs respond only after their own request has a response. With such an ESME use [`send`](Self::send):
    /// otherwise the two sides wait for each other until [`Config::response_timeout`] has passed.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    pub fn deliver(&mut self, message: &DeliverSm<'_>) -> Result<Response, RequestError> {
        self.request(message)
    }

    /// Sends a PDU that has no response: alert_notification, or outbind on a connection that the SMSC has made. The
    /// session cannot find out whether it arrives. It blocks only while too much output waits to be written.
    ///
    /// # Errors
    ///
    /// Returns why the PDU was not sent.
    pub fn notify<N: Notification>(&mut self, notification: &N) -> Result<(), NotSentReason> {
        let mut now = self.now();
        while let Err(refusal) = self.session.notify(now, notification) {
            let ended = self.events.end.as_ref().map(|end| NotSentReason::Closed(end.reason));
            if let Some(reason) = ended.or(refusal.permanent()) {
                return Err(reason);
            }
            self.turn(None);
            now = self.now();
        }
        self.write_all(now).map_err(|end| NotSentReason::Closed(end.reason))
    }
}

impl<R: Role, S: Transport> Connection<R, S> {
    /// Starts a session over a stream that is connected already: an ESME on a connection that it made, an SMSC on one that
    /// it accepted.
    ///
    /// ```no_run
    /// use std::net::TcpListener;
    /// use smpp_proto::BindResp;
    /// use smpp_proto::session::{Config, Smsc};
    /// use smpp_std::{Connection, Inbound};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:2775")?;
    /// let (stream, _) = listener.accept()?;
    /// stream.set_nodelay(true)?;
    /// let mut connection = Connection::<Smsc, _>::new(stream, Config::default())?;
    /// if let Some(Inbound::Bind(bind)) = connection.recv(None)? {
    ///     println!("{} binds", bind.get().system_id);
    ///     connection.respond(bind, Ok(BindResp { system_id: "smsc".try_into()?, ..BindResp::default() }))?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the transport's error if its write timeout cannot be set.
    pub fn new(mut stream: S, config: Config) -> io::Result<Self> {
        stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        Ok(Self {
            session: Session::with_observer(config, Instant::ZERO, None),
            stream,
            read_timeout: None,
            start: time::Instant::now(),
            received: Buffer::new(config.max_pdu),
            held: false,
            output: Vec::new(),
            written: 0,
            unflushed: false,
            caught_up: Instant::ZERO,
            octets_since: 0,
            write_failed: false,
            shrink_interval: shrink_interval(&config),
            shrink_at: Instant::ZERO,
            events: PendingEvents { limit: config.max_unanswered.max(1).into(), ..PendingEvents::default() },
            telemetry: SessionTelemetry::new(R::SIDE),
        })
    }

    /// Sends a request and waits for its outcome: at most [`Config::response_timeout`] after it was sent.
    ///
    /// # Errors
    ///
    /// [`RequestError::Refused`] with the status of the response, [`RequestError::Nacked`] with the status of a
    /// generic_nack, [`RequestError::NeverSent`] if the request was not sent (it is safe to send it again), and
    /// [`RequestError::Unanswered`] if it was sent and got no response (the peer may have accepted it).
    pub fn request<O>(&mut self, operation: &O) -> Result<Response, RequestError>
    where
        O: Operation + SentBy<R>,
    {
        self.submit_tagged(operation, None)?;
        loop {
            if let Some(answer) = self.events.answer.take() {
                return answer;
            }
            self.turn(None);
        }
    }

    /// Sends a request and does not wait for its outcome. Call [`recv`](Self::recv) next, and check
    /// [`SentRequest::try_outcome`] in between; or [`wait`](Self::wait) for the outcome.
    ///
    /// Use it to have several requests in flight, or to respond to the peer meanwhile, as an SMSC has to while it
    /// delivers. It blocks only while the window is full, the rate limit is reached, or too much output waits to be
    /// written.
    ///
    /// # Errors
    ///
    /// [`RequestError::NeverSent`] if the session did not accept the request: it is safe to send it again. Every other
    /// outcome comes from the `SentRequest`.
    pub fn send<O>(&mut self, operation: &O) -> Result<SentRequest, RequestError>
    where
        O: Operation + SentBy<R>,
    {
        let (sender, receiver) = mpsc::channel();
        self.submit_tagged(operation, Some(sender))?;
        Ok(SentRequest(receiver))
    }

    fn submit_tagged<O>(&mut self, operation: &O, tag: Tag) -> Result<(), RequestError>
    where
        O: Operation + SentBy<R>,
    {
        self.submit_request(operation, tag, None).map_err(|error| {
            RequestError::NeverSent(match error {
                SubmitError::Never(reason) => reason,
                // There is no deadline.
                SubmitError::Deadline => NotSentReason::Closed(CloseReason::Aborted),
            })
        })
    }

    /// Waits until the session accepts the request, then until its octets are written; at most until `deadline`.
    fn submit_request<O>(
        &mut self,
        operation: &O,
        mut tag: Tag,
        deadline: Option<Instant>,
    ) -> Result<(), SubmitError>
    where
        O: Operation + SentBy<R>,
    {
        let mut now = self.now();
        while let Err(refused) = self.session.request(now, operation, tag) {
            tag = refused.tag;
            let ended = self.events.end.as_ref().map(|end| NotSentReason::Closed(end.reason));
            if let Some(reason) = ended.or(refused.reason.permanent()) {
                return Err(SubmitError::Never(reason));
            }
            if deadline.is_some_and(|deadline| deadline <= now) {
                return Err(SubmitError::Deadline);
            }
            match refused.reason {
                Refusal::RateLimited(at) => {
                    self.wait_for_rate(deadline.map_or(at, |deadline| deadline.min(at)));
                }
                _ => self.turn(deadline),
            }
            now = self.now();
        }
        // If the session ends here, the request has an outcome that says so.
        let _ = self.write_until(now, deadline);
        Ok(())
    }

    /// Waits for the outcome of a request that this connection has sent.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    pub fn wait(&mut self, sent: SentRequest) -> Result<Response, RequestError> {
        // Without a deadline, the wait ends only with an outcome.
        self.wait_for_outcome(sent, None).unwrap_or(Err(RequestError::Unanswered(UnansweredReason::Timeout)))
    }

    fn wait_for_outcome(
        &mut self,
        mut sent: SentRequest,
        deadline: Option<Instant>,
    ) -> Result<RequestResult, SentRequest> {
        loop {
            match sent.try_outcome() {
                Ok(answer) => return Ok(answer),
                Err(still_in_flight) => sent = still_in_flight,
            }
            // The session emits every outcome before its end. So another connection has sent this request.
            if let Some(end) = &self.events.end {
                return Ok(Err(RequestError::Unanswered(UnansweredReason::Closed(end.reason))));
            }
            if deadline.is_some_and(|deadline| deadline <= self.now()) {
                return Err(sent);
            }
            self.turn(deadline);
        }
    }

    /// Waits for the next request of the peer. Requests are returned in the order in which they came. Respond to each with
    /// [`respond`](Self::respond), [`accept`](Self::accept) or [`refuse`](Self::refuse).
    ///
    /// `timeout` is how long to wait for one: `None` waits until the session ends, zero makes one read that does not wait.
    /// `Ok(None)` means that no request came within the timeout.
    ///
    /// # Errors
    ///
    /// Once the session has ended and all requests were returned, the error says how the session ended.
    pub fn recv(&mut self, timeout: Option<Duration>) -> Result<Option<Inbound>, End> {
        let deadline = timeout.map(|timeout| self.now() + timeout);
        let mut late = false;
        loop {
            if let Some(inbound) = self.events.inbox.pop_front() {
                return Ok(Some(inbound));
            }
            if let Some(end) = &self.events.end {
                return Err(end.clone());
            }
            if late {
                return Ok(None);
            }
            late = deadline.is_some_and(|deadline| deadline <= self.now());
            self.turn(deadline);
        }
    }

    /// Responds to a request of the peer: with a response body, or with a status other than `ESME_ROK`.
    ///
    /// A response longer than [`Config::max_pdu`] is not sent: the session responds `ESME_RSYSERR` instead.
    ///
    /// # Errors
    ///
    /// If the session has ended, the error says how. The peer may not have received the response.
    pub fn respond<O: Operation>(
        &mut self,
        mut request: InboundRequest<O>,
        result: Result<O::Response<'_>, CommandStatus>,
    ) -> Result<(), End> {
        // If the session has ended, `write_all` returns the end.
        if let Some(reply) = request.take_reply() {
            let _ = self.session.respond(reply, result);
        }
        self.write_all(self.now())
    }

    /// Responds with an error status and a body whose TLVs give the reason. Only data_sm_resp has such a body.
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond).
    pub fn respond_with_reason<O: Operation>(
        &mut self,
        mut request: InboundRequest<O>,
        status: CommandStatus,
        body: &O::Response<'_>,
    ) -> Result<(), End> {
        if let Some(reply) = request.take_reply() {
            let _ = self.session.respond_with_reason(reply, status, body);
        }
        self.write_all(self.now())
    }

    /// Responds `ESME_ROK` with an empty body. For a message: acknowledges it, so that the peer forgets it.
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond).
    pub fn accept<O: Operation>(&mut self, request: InboundRequest<O>) -> Result<(), End> {
        self.respond(request, Ok(Default::default()))
    }

    /// Refuses a request that the application does not support, with a status for its operation. Use it for the last arm
    /// of a `match` on [`Inbound`].
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond).
    pub fn refuse(&mut self, inbound: Inbound) -> Result<(), End> {
        if inbound.refuse(&mut self.session) { self.write_all(self.now()) } else { Ok(()) }
    }

    /// Shuts the session down gracefully: waits for the requests in flight, unbinds (SMPP 3.4 §4.2), closes the
    /// connection, and returns how the session ended.
    /// [`CloseReason::Unbound`](smpp_proto::session::CloseReason::Unbound) means that the peer has responded to the
    /// unbind.
    ///
    /// Requests of the peer that were not fetched are refused, so that the peer keeps the messages. A request that was
    /// fetched and has no response delays the end by up to [`Config::drain_timeout`].
    #[doc(alias = "graceful")]
    #[doc(alias = "disconnect")]
    pub fn unbind(mut self) -> End {
        self.session.unbind(self.now());
        loop {
            while let Some(inbound) = self.events.inbox.pop_front() {
                // If the session has ended, the peer sees no response and keeps the message.
                let _ = self.refuse(inbound);
            }
            match self.events.end.take() {
                Some(end) => return end,
                None => self.turn(None),
            }
        }
    }

    /// Closes the connection at once, without unbind.
    pub fn close(mut self) {
        self.session.abort();
        self.turn(None);
    }

    /// Returns the state of the session.
    pub fn state(&self) -> State {
        self.session.state()
    }

    /// Returns whether the session is bound, in any mode.
    pub fn is_bound(&self) -> bool {
        self.state().is_bound()
    }

    /// Returns the SMPP version that the peer stated in its bind, or in its response to ours.
    pub fn peer_version(&self) -> Option<InterfaceVersion> {
        self.session.peer_version()
    }

    /// Returns the counters of the session.
    pub fn stats(&self) -> Stats {
        self.session.stats()
    }

    /// Shows every later PDU to `observer`, without passwords. Call it before the bind to observe all of them. A later call
    /// replaces the observer.
    pub fn observe(&mut self, observer: impl Observer + Send + 'static) {
        *self.session.observer_mut() = Some(Box::new(observer));
    }

    /// Records the address of the peer.
    pub(crate) fn connected(&self, peer: SocketAddr) {
        self.telemetry.connected(peer);
    }

    /// Returns how the session ended, if it has.
    pub(crate) const fn end(&self) -> Option<&End> {
        self.events.end.as_ref()
    }

    fn now(&self) -> Instant {
        Instant::after(self.start.elapsed())
    }
}

impl PendingEvents {
    fn handle_event(&mut self, event: Event<'_, Tag>) {
        match event {
            Event::Request { request, frame, .. } => self.inbox.extend(Inbound::new(request, frame)),
            Event::Notification { frame, .. } if self.inbox.len() < self.limit => {
                let frame = Frame::new(frame.octets().to_vec());
                self.inbox.extend(frame.map(Inbound::Notification));
            }
            Event::LateResponse { sequence, outcome, .. } if self.inbox.len() < self.limit => {
                self.inbox.push_back(Inbound::LateResponse { sequence, result: outcome.into_result() });
            }
            Event::Outcome { tag, outcome, .. } => {
                let answer = outcome.into_result();
                match tag {
                    // The send fails if the `SentRequest` was dropped.
                    Some(sender) => drop(sender.send(answer)),
                    None => self.answer = Some(answer),
                }
            }
            Event::Closed(reason) => self.end = Some(End::new(reason, self.error.clone())),
            // The session counts these, and responds to them where a response is due.
            _ => {}
        }
    }
}

impl<R: Role, S: Transport> fmt::Debug for Connection<R, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("state", &self.state()).field("stats", &self.stats()).finish()
    }
}
