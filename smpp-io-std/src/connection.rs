//! One session that the calling thread drives.

mod deadline;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{self, Duration};

use smpp_core::session::{
    CloseReason, Config, Esme, Event, Instant, NotSentReason, Notification, Observer, Refusal, RequestError,
    Response, Role, SentBy, Session, Smsc, State, Stats, Timer, UnansweredReason,
};
use smpp_core::{Bind, CommandStatus, DeliverSm, Frame, InterfaceVersion, Operation, SubmitSm};

use crate::buffer::Buffer;
use crate::error::{End, ReceivedInstead};
use crate::halves::{SOCKET_BUFFER_MAX, WRITE_TIMEOUT};
use crate::inbound::{Inbound, InboundRequest};
use crate::pending_requests::RequestResult;
use crate::sent_request::{SentRequest, Tag};
use crate::transport::{MIN_WAIT, Transport, is_pause};

/// The longest time that one read waits. Most deadlines are further away, so the read timeout seldom changes.
const MAX_READ: Duration = Duration::from_secs(1);

/// One session over one transport, in the caller's thread. It starts no thread.
///
/// The session works only while the caller is in one of the methods: it then reads, writes, answers enquire_link and keeps
/// the timeouts. Call [`recv`](Self::recv) often enough that the peer's enquire_link is answered in time.
///
/// ```no_run
/// use std::time::Duration;
/// use smpp_core::{Bind, ShortMessage, SubmitSm};
/// use smpp_io_std::{Connector, Inbound};
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
    events: PendingEvents,
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
    /// Requests of the peer: at most `limit`. A notification that comes while there are as many is dropped.
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
        self.request(bind)
    }

    /// Returns what the peer sent instead of the response to a bind that failed with `error`: HTTP, TLS, another protocol,
    /// or nothing. Returns `None` if the peer responded. [`Connector::bind`](crate::Connector::bind) reports it by itself.
    pub fn diagnose_bind(&self, error: &RequestError) -> Option<ReceivedInstead> {
        self.session.diagnose_bind(error)
    }

    /// Submits a message and waits for the response, which holds the message id (SMPP 3.4 §4.4.1).
    ///
    /// While the rate limit is reached, it waits for its turn first. Messages and delivery receipts that come meanwhile are
    /// kept for [`recv`](Self::recv), and are not answered until then.
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
    /// Some ESMEs answer only after their own request was answered. With such an ESME use [`send`](Self::send): otherwise
    /// the two sides wait for each other until [`Config::response_timeout`] has passed.
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
    /// use smpp_core::BindResp;
    /// use smpp_core::session::{Config, Smsc};
    /// use smpp_io_std::{Connection, Inbound};
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
            events: PendingEvents { limit: config.max_unanswered.max(1).into(), ..PendingEvents::default() },
        })
    }

    /// Sends a request and waits for its outcome: at most [`Config::response_timeout`] after it was sent.
    ///
    /// # Errors
    ///
    /// [`RequestError::Refused`] with the status of the response, [`RequestError::Nacked`] with the status of a
    /// generic_nack, [`RequestError::NeverSent`] if the request was not sent (it is safe to send it again), and
    /// [`RequestError::Unanswered`] if it was sent and not answered (the peer may have accepted it).
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
    /// Use it to have several requests in flight, or to answer the peer meanwhile, as an SMSC has to while it delivers. It
    /// blocks only while the window is full, the rate limit is reached, or too much output waits to be written.
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
            let rate_limited_until = match refused.reason {
                Refusal::RateLimited(until) => Some(until),
                _ => None,
            };
            self.turn(deadline.into_iter().chain(rate_limited_until).min());
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
    /// connection, and returns how the session ended. [`CloseReason::Unbound`](smpp_core::session::CloseReason::Unbound)
    /// means that the peer has answered the unbind.
    ///
    /// Requests of the peer that were not fetched are refused, so that the peer keeps the messages. A request that was
    /// fetched and not answered delays the end by up to [`Config::drain_timeout`].
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

    /// Returns how the session ended, if it has.
    pub(crate) const fn end(&self) -> Option<&End> {
        self.events.end.as_ref()
    }

    fn now(&self) -> Instant {
        Instant::after(self.start.elapsed())
    }

    /// Takes turns until all output is written. `now` is the current time.
    fn write_all(&mut self, now: Instant) -> Result<(), End> {
        self.write_until(now, None)
    }

    /// Takes turns until all output is written, at most until `deadline`. `now` is the current time.
    fn write_until(&mut self, now: Instant, deadline: Option<Instant>) -> Result<(), End> {
        self.write_output(Some(now));
        loop {
            if let Some(end) = &self.events.end {
                return Err(end.clone());
            }
            if !self.write_failed && !self.has_output() {
                return Ok(());
            }
            if deadline.is_some_and(|deadline| deadline <= self.now()) {
                return Ok(());
            }
            self.turn(Some(Instant::ZERO));
        }
    }

    /// Takes one turn: writes, reads once, passes the input and the time to the session, writes its output. The read waits
    /// until the session's next deadline, and at most until `until`.
    fn turn(&mut self, until: Option<Instant>) {
        self.write_output(None);
        self.read_once(until);
        self.drive_session();
        self.write_output(None);
    }

    /// Reads once. If the session wants no input, sleeps instead, until its next deadline and at most until `until`. If
    /// input was left over that the session wants now, does neither.
    fn read_once(&mut self, until: Option<Instant>) {
        let now = self.now();
        let wants_input = self.session.wants_input();
        if self.held && wants_input {
            return;
        }
        let deadline = self.session.poll_timeout().map(|(at, _)| at);
        let until = deadline.into_iter().chain(until).min();
        let wait = until.map_or(MAX_READ, |until| (until - now).min(MAX_READ));
        // If the transport is blocked, wait only for as long as it takes to try to write again.
        let wait = if self.write_failed || self.has_output() { MIN_WAIT } else { wait };
        if !wants_input {
            if !self.write_failed && deadline.is_some() {
                thread::sleep(wait);
            }
            self.catch_up(self.now());
            return;
        }
        match self.read(wait) {
            Ok(0) if self.write_failed => self.handle_disconnect(None),
            // The session reads no more. It still transmits the responses of the application.
            Ok(0) => self.session.handle_eof(),
            Ok(read) => {
                self.received.advance(read);
                // A timeout counts only after all received octets were read, however late the program reads them.
                // But a peer that never pauses must not stop the clock.
                self.octets_since = self.octets_since.saturating_add(read);
                if self.octets_since > SOCKET_BUFFER_MAX {
                    self.caught_up = now;
                }
            }
            Err(error) if is_pause(&error) => self.catch_up(now),
            Err(error) => self.handle_disconnect(Some(error)),
        }
    }

    /// Reads once, and waits at most `wait`.
    fn read(&mut self, wait: Duration) -> io::Result<usize> {
        let space = self.received.space();
        if wait.is_zero() {
            self.read_timeout = None;
            return self.stream.read_available(space);
        }
        let wait = wait.max(MIN_WAIT);
        if self.read_timeout != Some(wait) {
            self.stream.set_read_timeout(Some(wait))?;
            self.read_timeout = Some(wait);
        }
        self.stream.read(space)
    }

    /// Records that there was nothing more to read at `now`.
    fn catch_up(&mut self, now: Instant) {
        self.caught_up = now;
        self.octets_since = 0;
        if self.write_failed {
            self.handle_disconnect(None);
        }
    }

    /// Passes the received octets to the session, and the time up to which all received octets were read.
    fn drive_session(&mut self) {
        let (now, had_ended) = (self.now(), self.events.end.is_some());
        let mut input = self.received.received();
        while let Some(event) = self.session.handle_input(now, &mut input) {
            self.events.handle_event(event);
        }
        let remaining = input.len();
        self.received.keep_last(remaining);
        self.held = remaining > 0 && !self.session.wants_input();
        while let Some(event) = self.session.handle_timeout(self.caught_up) {
            self.events.handle_event(event);
        }
        if self.events.end.is_some() && !had_ended {
            // The session has ended, with or without an error here.
            let _ = self.stream.shutdown();
        }
    }

    /// Writes until there is no output, the transport takes no more, or a deadline of the session has passed. `now` is the
    /// time before the first write, if it is known.
    fn write_output(&mut self, mut now: Option<Instant>) {
        while !self.write_failed && self.has_output() && !self.is_due(now.take()) {
            match self.write() {
                Ok(()) => {}
                Err(error) if is_pause(&error) => return,
                Err(error) => {
                    // Octets that the peer sent before the failure are still read.
                    self.events.error = Some(Arc::new(error));
                    self.write_failed = true;
                }
            }
        }
    }

    fn has_output(&mut self) -> bool {
        if self.written == self.output.len() {
            self.output.clear();
            self.written = 0;
            self.session.poll_transmit(&mut self.output);
        }
        self.unflushed || !self.output.is_empty()
    }

    fn is_due(&self, now: Option<Instant>) -> bool {
        let deadline = self.session.poll_timeout();
        // Input that was left over does not go before output.
        deadline.is_some_and(|(at, timer)| timer != Timer::Input && at <= now.unwrap_or_else(|| self.now()))
    }

    /// Writes once, and flushes after the last octets.
    fn write(&mut self) -> io::Result<()> {
        let remaining = self.output.get(self.written..).unwrap_or_default();
        if !remaining.is_empty() {
            let written = self.stream.write(remaining)?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.written = self.output.len().min(self.written + written);
            self.unflushed = true;
            self.session.handle_transmitted(written);
        }
        if self.written == self.output.len() {
            self.stream.flush()?;
            self.unflushed = false;
        }
        Ok(())
    }

    /// Reports to the session that the transport has failed: with `error`, or with the error of an earlier write.
    fn handle_disconnect(&mut self, error: Option<io::Error>) {
        self.events.error = self.events.error.take().or(error.map(Arc::new));
        self.session.handle_disconnect();
        self.output.clear();
        self.written = 0;
        self.unflushed = false;
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
            Event::Outcome { tag, outcome, .. } => {
                let answer = outcome.into_result();
                match tag {
                    // The send fails if the `SentRequest` was dropped.
                    Some(sender) => drop(sender.send(answer)),
                    None => self.answer = Some(answer),
                }
            }
            Event::Closed(reason) => self.end = Some(End { reason, error: self.error.clone() }),
            // The session counts these, and answers them where an answer is due.
            _ => {}
        }
    }
}

impl<R: Role, S: Transport> fmt::Debug for Connection<R, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("state", &self.state()).field("stats", &self.stats()).finish()
    }
}
