//! One connection, driven by the thread that uses it.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, mpsc};
use std::time::{self, Duration};

use smpp_core::session::{
    CloseReason, Config, Esme, Event, Instant, NotSentReason, Notification, Observer, Refusal, RequestError,
    Response, Role, SentBy, Session, Smsc, State, Stats, UnansweredReason,
};
use smpp_core::{Bind, CommandStatus, DeliverSm, Frame, InterfaceVersion, Operation, SubmitSm};

use crate::buffer::Buffer;
use crate::error::End;
use crate::incoming::{Inbound, InboundRequest};
use crate::link::{SOCKET_HOLDS, TICK, WRITE_SLICE};
use crate::outcomes::Answer;
use crate::stream::{Transport, is_pause};

/// The longest time to wait at once. Most deadlines are further off, so that the transport need not be told each.
const LONGEST: Duration = Duration::from_secs(1);

/// One session over one transport, in the caller's thread.
///
/// Dropped, it closes the transport without a word: [`unbind`](Self::unbind) is the good end.
pub struct Connection<R: Role, S: Transport> {
    session: Session<R, Tag, Option<Box<dyn Observer + Send>>>,
    stream: S,
    /// What the transport was last told.
    read_timeout: Option<Duration>,
    start: time::Instant,
    received: Buffer,
    /// Whether whole PDUs may be in `received`, left there while the session wanted no input.
    held: bool,
    /// What the session gave to be transmitted, and how much of it the transport has taken.
    output: Vec<u8>,
    taken: usize,
    /// Whether the transport may hold back what it has taken.
    unflushed: bool,
    /// When there was last nothing to read: what came since has been in time.
    caught_up: Instant,
    /// Octets read since then.
    unpaused: usize,
    /// Whether nothing more can be written.
    failed: bool,
    kept: Kept,
}

/// Whom to tell how a request ended; `None` is the call of [`Connection::request`] that is under way.
type Tag = Option<mpsc::Sender<Answer>>;

/// A request that was sent and whose outcome is not known yet: see [`Connection::send`].
#[derive(Debug)]
#[must_use = "the outcome tells whether the request succeeded"]
pub struct SentRequest(mpsc::Receiver<Answer>);

impl SentRequest {
    /// The outcome, or the token back if there is none yet.
    pub fn try_outcome(self) -> Result<Result<Response, RequestError>, Self> {
        match self.0.try_recv() {
            Ok(answer) => Ok(answer),
            Err(mpsc::TryRecvError::Empty) => Err(self),
            // The session tells every outcome; it is gone without one only when the connection was dropped.
            Err(mpsc::TryRecvError::Disconnected) => {
                let cause = UnansweredReason::Closed(CloseReason::Aborted);
                Ok(Err(RequestError::Unanswered(cause)))
            }
        }
    }
}

/// What the session has told and nobody has asked for yet.
#[derive(Debug, Default)]
struct Kept {
    /// Requests of the peer: at most `limit`. What has no response is dropped beyond it.
    inbox: VecDeque<Inbound>,
    /// [`Config::max_unanswered`].
    limit: usize,
    /// How the request ended that a call waits for.
    answer: Option<Answer>,
    /// What the transport reported.
    error: Option<Arc<io::Error>>,
    end: Option<End>,
}

impl<S: Transport> Connection<Esme, S> {
    /// Binds: says who the ESME is, and waits for the answer (SMPP 3.4 §4.1).
    pub fn bind(&mut self, bind: &Bind<'_>) -> Result<Response, RequestError> {
        self.request(bind)
    }

    /// Submits a message and waits for its outcome; the response has its id (SMPP 3.4 §4.4.1).
    ///
    /// While the rate is reached it waits for its turn first. Messages and receipts that come meanwhile are
    /// kept for [`recv`](Self::recv), unanswered until then.
    pub fn submit(&mut self, message: &SubmitSm<'_>) -> Result<Response, RequestError> {
        self.request(message)
    }
}

impl<S: Transport> Connection<Smsc, S> {
    /// Delivers a message or a receipt and waits for its outcome (SMPP 3.4 §4.6.1).
    ///
    /// An ESME may answer only once its own request is answered. Where that matters, use [`send`](Self::send):
    /// two sides that wait for each other wait until [`Config::response_timeout`] has passed.
    pub fn deliver(&mut self, message: &DeliverSm<'_>) -> Result<Response, RequestError> {
        self.request(message)
    }

    /// Tells the ESME something that has no response: outbind on a connection that the SMSC has made,
    /// alert_notification. Whether it arrives is never known. It waits only if too much output is waiting.
    pub fn notify<N: Notification>(&mut self, notification: &N) -> Result<(), NotSentReason> {
        let mut now = self.now();
        while let Err(refusal) = self.session.notify(now, notification) {
            let ended = self.kept.end.as_ref().map(|end| NotSentReason::Closed(end.reason));
            if let Some(why) = ended.or(refusal.permanent()) {
                return Err(why);
            }
            self.turn(None);
            now = self.now();
        }
        self.settle(now).map_err(|end| NotSentReason::Closed(end.reason))
    }
}

impl<R: Role, S: Transport> Connection<R, S> {
    /// A session over a fresh connection: an ESME on one it made, an SMSC on one it accepted.
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
    pub fn new(mut stream: S, config: Config) -> io::Result<Self> {
        stream.set_write_timeout(Some(WRITE_SLICE))?;
        Ok(Self {
            session: Session::with_observer(config, Instant::ZERO, None),
            stream,
            read_timeout: None,
            start: time::Instant::now(),
            received: Buffer::new(config.max_pdu),
            held: false,
            output: Vec::new(),
            taken: 0,
            unflushed: false,
            caught_up: Instant::ZERO,
            unpaused: 0,
            failed: false,
            kept: Kept { limit: config.max_unanswered.max(1).into(), ..Kept::default() },
        })
    }

    /// Sends any request that this side may send, and waits for its outcome.
    pub fn request<O>(&mut self, operation: &O) -> Result<Response, RequestError>
    where
        O: Operation + SentBy<R>,
    {
        self.admit(operation, None)?;
        loop {
            if let Some(answer) = self.kept.answer.take() {
                return answer;
            }
            self.turn(None);
        }
    }

    /// Sends any request that this side may send, and does not wait for its outcome: go on with
    /// [`recv`](Self::recv), and look at [`SentRequest::try_outcome`] in between.
    ///
    /// This is for who has to answer the peer meanwhile, as an SMSC has that delivers. It waits only if the
    /// window is full, the rate reached, or too much output waiting.
    pub fn send<O>(&mut self, operation: &O) -> Result<SentRequest, RequestError>
    where
        O: Operation + SentBy<R>,
    {
        let (sender, receiver) = mpsc::channel();
        self.admit(operation, Some(sender))?;
        Ok(SentRequest(receiver))
    }

    /// Waits until the session takes the request, then until it is transmitted.
    fn admit<O>(&mut self, operation: &O, mut tag: Tag) -> Result<(), RequestError>
    where
        O: Operation + SentBy<R>,
    {
        let mut now = self.now();
        while let Err(refused) = self.session.request(now, operation, tag) {
            tag = refused.tag;
            let ended = self.kept.end.as_ref().map(|end| NotSentReason::Closed(end.reason));
            if let Some(why) = ended.or(refused.reason.permanent()) {
                return Err(RequestError::NeverSent(why));
            }
            match refused.reason {
                Refusal::RateLimited(until) => self.turn(Some(until)),
                _ => self.turn(None),
            }
            now = self.now();
        }
        // How the session ends, if it ends here, is the request's outcome.
        let _ = self.settle(now);
        Ok(())
    }

    /// Waits for the outcome of a request that this connection has sent.
    pub fn wait(&mut self, mut pending: SentRequest) -> Result<Response, RequestError> {
        loop {
            match pending.try_outcome() {
                Ok(answer) => return answer,
                Err(still) => pending = still,
            }
            // Every outcome is told before the end: this request was another connection's.
            if let Some(end) = &self.kept.end {
                return Err(RequestError::Unanswered(UnansweredReason::Closed(end.reason)));
            }
            self.turn(None);
        }
    }

    /// The next request of the peer, in the order they came. Answer it with [`respond`](Self::respond).
    ///
    /// `timeout` is how long to wait for one: `None` for as long as the session lives, zero for what one read
    /// gives. `Ok(None)` means that none came in time. Requests that came before the end of the session
    /// are still given out; once none is left, the error says how it ended.
    pub fn recv(&mut self, timeout: Option<Duration>) -> Result<Option<Inbound>, End> {
        let deadline = timeout.map(|timeout| self.now() + timeout);
        let mut late = false;
        loop {
            if let Some(inbound) = self.kept.inbox.pop_front() {
                return Ok(Some(inbound));
            }
            if let Some(end) = &self.kept.end {
                return Err(end.clone());
            }
            if late {
                return Ok(None);
            }
            late = deadline.is_some_and(|deadline| deadline <= self.now());
            self.turn(deadline);
        }
    }

    /// Answers a request of the peer: with a response, or with a status other than `ESME_ROK`.
    ///
    /// The error means that the session is over: the peer may not have seen the answer. A response longer than
    /// [`Config::max_pdu`] is not sent: the peer is answered `ESME_RSYSERR` then.
    pub fn respond<O: Operation>(
        &mut self,
        mut incoming: InboundRequest<O>,
        result: Result<O::Response<'_>, CommandStatus>,
    ) -> Result<(), End> {
        // If the session is over, `settle` says how it ended.
        if let Some(reply) = incoming.take_reply() {
            let _ = self.session.respond(reply, result);
        }
        self.settle(self.now())
    }

    /// Answers with an error that has more to say than its status, as TLVs in a data_sm_resp.
    pub fn respond_with_reason<O: Operation>(
        &mut self,
        mut incoming: InboundRequest<O>,
        status: CommandStatus,
        body: &O::Response<'_>,
    ) -> Result<(), End> {
        if let Some(reply) = incoming.take_reply() {
            let _ = self.session.respond_with_reason(reply, status, body);
        }
        self.settle(self.now())
    }

    /// Answers `ESME_ROK` with an empty body.
    pub fn accept<O: Operation>(&mut self, incoming: InboundRequest<O>) -> Result<(), End> {
        self.respond(incoming, Ok(Default::default()))
    }

    /// Answers a request that the program does not offer with a status of its operation that says so: for the rest of
    /// a `match` on [`Inbound`].
    pub fn refuse(&mut self, inbound: Inbound) -> Result<(), End> {
        inbound.refuse(self)
    }

    /// Unbinds and closes the connection (SMPP 3.4 §4.2).
    ///
    /// Requests of the peer that were not fetched are refused, so that the peer keeps the messages. One that was
    /// fetched and not answered delays the end by [`Config::drain_timeout`]. Says how it ended: in good order with
    /// [`CloseReason::Unbound`].
    pub fn unbind(mut self) -> End {
        self.session.unbind(self.now());
        loop {
            while let Some(inbound) = self.kept.inbox.pop_front() {
                // If the session is over, the peer knows that nothing was taken.
                let _ = self.refuse(inbound);
            }
            match self.kept.end.take() {
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

    /// Where the session stands.
    pub fn state(&self) -> State {
        self.session.state()
    }

    /// Whether the session is bound, in any mode.
    pub fn is_bound(&self) -> bool {
        self.state().is_bound()
    }

    /// The version the peer stated in its bind, or in its answer to ours.
    pub fn peer_version(&self) -> Option<InterfaceVersion> {
        self.session.peer_version()
    }

    /// The session's counters.
    pub fn stats(&self) -> Stats {
        self.session.stats()
    }

    /// Shows every PDU from now on to `observer`, without passwords. Set it before the bind to see all of them.
    pub fn observe(&mut self, observer: impl Observer + Send + 'static) {
        *self.session.observer_mut() = Some(Box::new(observer));
    }

    fn now(&self) -> Instant {
        Instant::after(self.start.elapsed())
    }

    /// Takes turns until all output is transmitted. `now` is the time at present.
    fn settle(&mut self, now: Instant) -> Result<(), End> {
        self.transmit(Some(now));
        loop {
            if let Some(end) = &self.kept.end {
                return Err(end.clone());
            }
            if !self.failed && !self.has_output() {
                return Ok(());
            }
            self.turn(Some(Instant::ZERO));
        }
    }

    /// One turn: writes, reads once, tells the session what came and what time it is, writes what that led to.
    /// Waits for input until the session's next deadline, and until `until` at most.
    fn turn(&mut self, until: Option<Instant>) {
        self.transmit(None);
        self.receive(until);
        self.tell();
        self.transmit(None);
    }

    /// Reads once, if the session wants to and has seen all that was read before.
    fn receive(&mut self, until: Option<Instant>) {
        let asked = self.now();
        if self.held || !self.session.wants_input() {
            self.catch_up(asked);
            return;
        }
        let deadline = self.session.poll_timeout().map(|(at, _)| at);
        let until = deadline.into_iter().chain(until).min();
        // With output left, a pause in writing is what there was time for.
        let until = if self.failed || self.has_output() { Some(asked) } else { until };
        let wait = until.map_or(LONGEST, |until| (until - asked).clamp(TICK, LONGEST));
        let read = match self.set_read_timeout(wait) {
            Ok(()) => self.stream.read(self.received.space()),
            Err(error) => Err(error),
        };
        match read {
            Ok(0) => self.lose(None),
            Ok(read) => {
                self.received.advance(read);
                // What has come is read before silence is counted, however long the program was away; but a
                // peer that never pauses does not stop the clock.
                self.unpaused = self.unpaused.saturating_add(read);
                if self.unpaused > SOCKET_HOLDS {
                    self.caught_up = asked;
                }
            }
            Err(error) if is_pause(&error) => self.catch_up(asked),
            Err(error) => self.lose(Some(error)),
        }
    }

    /// Tells the transport only what is new to it.
    fn set_read_timeout(&mut self, wait: Duration) -> io::Result<()> {
        if self.read_timeout != Some(wait) {
            self.stream.set_read_timeout(Some(wait))?;
            self.read_timeout = Some(wait);
        }
        Ok(())
    }

    /// There was nothing more to read at this time.
    fn catch_up(&mut self, asked: Instant) {
        self.caught_up = asked;
        self.unpaused = 0;
        if self.failed {
            self.lose(None);
        }
    }

    /// Tells the session what was received, and what time it was when there was nothing more.
    fn tell(&mut self) {
        let (now, was_over) = (self.now(), self.kept.end.is_some());
        let mut input = self.received.received();
        while let Some(event) = self.session.handle_input(now, &mut input) {
            self.kept.keep(event);
        }
        let left = input.len();
        self.received.keep(left);
        self.held = left > 0 && !self.session.wants_input();
        while let Some(event) = self.session.handle_timeout(self.caught_up) {
            self.kept.keep(event);
        }
        if self.kept.end.is_some() && !was_over {
            // The session is over either way.
            let _ = self.stream.shutdown();
        }
    }

    /// Writes until nothing is left, the transport takes no more, or the session has to be told the time. That is
    /// `now`, if it is known, until something was written.
    fn transmit(&mut self, mut now: Option<Instant>) {
        while !self.failed && self.has_output() && !self.is_due(now.take()) {
            match self.write() {
                Ok(()) => {}
                Err(error) if is_pause(&error) => return,
                Err(error) => {
                    // What the peer said before it went is still read.
                    self.kept.error = Some(Arc::new(error));
                    self.failed = true;
                }
            }
        }
    }

    fn has_output(&mut self) -> bool {
        if self.taken == self.output.len() {
            self.output.clear();
            self.taken = 0;
            self.session.poll_transmit(&mut self.output);
        }
        self.unflushed || !self.output.is_empty()
    }

    fn is_due(&self, now: Option<Instant>) -> bool {
        let deadline = self.session.poll_timeout();
        deadline.is_some_and(|(at, _)| at <= now.unwrap_or_else(|| self.now()))
    }

    /// One write, and the flush if it was the last one.
    fn write(&mut self) -> io::Result<()> {
        let left = self.output.get(self.taken..).unwrap_or_default();
        if !left.is_empty() {
            let written = self.stream.write(left)?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.taken = self.output.len().min(self.taken + written);
            self.unflushed = true;
            self.session.handle_transmitted(written);
        }
        if self.taken == self.output.len() {
            self.stream.flush()?;
            self.unflushed = false;
        }
        Ok(())
    }

    /// The transport is of no use any more.
    fn lose(&mut self, error: Option<io::Error>) {
        self.kept.error = self.kept.error.take().or(error.map(Arc::new));
        self.session.handle_eof();
        self.output.clear();
        self.taken = 0;
        self.unflushed = false;
    }
}

impl Kept {
    fn keep(&mut self, event: Event<'_, Tag>) {
        match event {
            Event::Request { request, frame, .. } => self.inbox.extend(Inbound::new(request, frame)),
            Event::Notification { frame, .. } if self.inbox.len() < self.limit => {
                let frame = Frame::new(frame.octets().to_vec());
                self.inbox.extend(frame.map(Inbound::Notification));
            }
            Event::Outcome { tag, outcome, .. } => {
                let answer = outcome.into_result();
                match tag {
                    // Nobody has to wait for it.
                    Some(sender) => drop(sender.send(answer)),
                    None => self.answer = Some(answer),
                }
            }
            Event::Closed(reason) => self.end = Some(End { reason, error: self.error.clone() }),
            // Answered and counted by the session.
            _ => {}
        }
    }
}

impl<R: Role, S: Transport> fmt::Debug for Connection<R, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("state", &self.state()).field("stats", &self.stats()).finish()
    }
}
