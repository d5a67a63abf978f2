//! The handle of a session: sends requests and ends the session.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use smpp_proto::diagnosis::ReceivedInstead;
use smpp_proto::session::{
    Esme, Notification, Observer, Refusal, Request, RequestError, Response, Role, SentBy, Smsc, State, Stats,
};
use smpp_proto::{Bind, DeliverSm, Operation, SubmitSm};

use crate::error::End;
use crate::request::RequestFuture;
use crate::responder::Responder;
use crate::shared::Shared;

/// A handle of one session. [`Client`] is the handle of an ESME, [`Peer`] that of an SMSC.
///
/// Clone it to send from several tasks. When the last handle and the [`Inbox`](crate::Inbox) are dropped, the session
/// unbinds.
///
/// Requests are encoded straight into the output buffer and written in batches. Many requests can be in flight at once,
/// from one task or several; while the window is full, further requests wait (backpressure):
///
/// ```no_run
/// use smpp_proto::{Address, ShortMessage, SubmitSm};
///
/// # async fn example(client: smpp_tokio::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let message = SubmitSm {
///     destination: Address::international("6591234567")?,
///     short_message: ShortMessage::new(b"Hello")?,
///     ..SubmitSm::default()
/// };
/// let (first, second) = tokio::join!(client.submit(&message), client.submit(&message));
/// println!("{}", first?.message_id().escape_ascii());
/// println!("{}", second?.message_id().escape_ascii());
/// # Ok(())
/// # }
/// ```
pub struct Handle<R: Role> {
    pub(crate) shared: Arc<Shared<R>>,
}

/// The handle of a client session (ESME): [`bind`](Handle::bind) and [`submit`](Handle::submit).
pub type Client = Handle<Esme>;

/// The handle of a server session (SMSC) with one ESME: [`deliver`](Handle::deliver) and [`notify`](Handle::notify).
pub type Peer = Handle<Smsc>;

impl<R: Role> Handle<R> {
    pub(crate) fn new(shared: Arc<Shared<R>>) -> Self {
        shared.lock().handles += 1;
        Self { shared }
    }

    /// Sends a request and waits for its response. It waits for its turn first while the window is full, the rate limit
    /// is reached, or [`max_output`](smpp_proto::session::Config::max_output) octets are not written yet. Requests that wait
    /// get their turn in the order of their first poll.
    ///
    /// At its turn a place is reserved for the request, and its task is woken once. Other requests do not take the place:
    /// until the future is polled or dropped, the window has one place less, and a rate limit lets fewer others pass. Do not
    /// keep a future that you do not poll.
    ///
    /// [`response_timeout`](smpp_proto::session::Config::response_timeout) begins after this wait.
    ///
    /// ```no_run
    /// use smpp_proto::QuerySm;
    ///
    /// # async fn example(client: smpp_tokio::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let query = QuerySm { message_id: "5f0c4c5e".try_into()?, ..QuerySm::default() };
    /// match client.request(&query).await {
    ///     Ok(_response) => println!("the SMSC has the message"),
    ///     Err(error) if error.is_safe_to_resend() => println!("refused or not sent: {error}"),
    ///     Err(error) => println!("{error}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns a [`RequestError`]: the peer refused the request, did not understand it (generic_nack), the request was
    /// never sent (safe to send again), or it was sent and got no response (the peer may have accepted it).
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped while it waits for its turn sends nothing. If it is dropped later, the request stays in
    /// flight and its outcome is discarded.
    pub fn request<O>(&self, operation: &O) -> impl Future<Output = Result<Response, RequestError>>
    where
        O: Operation + SentBy<R>,
    {
        RequestFuture::new(&self.shared, operation)
    }

    /// Ends the session gracefully and returns how it ended. New requests of all handles are refused, requests in flight
    /// may complete within [`drain_timeout`](smpp_proto::session::Config::drain_timeout), then the session unbinds and
    /// closes the connection.
    ///
    /// ```no_run
    /// # async fn example(client: smpp_tokio::Client) {
    /// let end = client.unbind().await;
    /// println!("{end}");
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// The session ends also if the future is dropped after its first poll.
    #[doc(alias = "graceful")]
    #[doc(alias = "disconnect")]
    pub async fn unbind(&self) -> End {
        self.shared.with(|core, now| core.session.unbind(now));
        self.closed().await
    }

    /// Ends the session at once, without an unbind, and returns how it ended. Requests in flight are reported as
    /// unanswered.
    ///
    /// ```no_run
    /// # async fn example(client: smpp_tokio::Client) {
    /// use std::time::Duration;
    ///
    /// // Graceful shutdown with a deadline.
    /// if tokio::time::timeout(Duration::from_secs(5), client.unbind()).await.is_err() {
    ///     client.abort().await;
    /// }
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// The session ends also if the future is dropped after its first poll.
    pub async fn abort(&self) -> End {
        self.shared.with(|core, _| core.session.abort());
        self.closed().await
    }

    /// Waits until the session has ended and returns how it ended.
    ///
    /// ```no_run
    /// # async fn example(client: smpp_tokio::Client) {
    /// tokio::spawn(async move {
    ///     let end = client.closed().await;
    ///     eprintln!("the session ended, reconnect: {end}");
    /// });
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: the future has no effect on the session.
    pub async fn closed(&self) -> End {
        loop {
            let mut ended = pin!(self.shared.ended.notified());
            ended.as_mut().enable();
            if let Some(end) = self.end() {
                return end;
            }
            ended.await;
        }
    }

    /// Returns how the session ended, or `None` while it runs.
    pub(crate) fn end(&self) -> Option<End> {
        self.shared.lock().end.clone()
    }

    /// Returns the state of the session: open, bound, unbinding or closed.
    pub fn state(&self) -> State {
        self.shared.lock().session.state()
    }

    /// Sets the observer that gets every PDU from now on: each PDU as it is read and as it is encoded, with everything but
    /// passwords. It also gets the PDUs that the session [rejects](Observer::rejected). Set it before the bind to see all
    /// PDUs. The previous observer is dropped.
    ///
    /// The observer is called while the session is locked: it should return quickly, and it must not call this handle.
    ///
    /// ```no_run
    /// use smpp_proto::session::{Direction, Instant, ObservedPdu, Observer};
    ///
    /// struct PrintPdus;
    ///
    /// impl Observer for PrintPdus {
    ///     fn observe(&mut self, _: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
    ///         println!("{direction:?} {pdu}");
    ///     }
    /// }
    ///
    /// # fn example(client: smpp_tokio::Client) {
    /// client.observe(PrintPdus);
    /// # }
    /// ```
    pub fn observe(&self, observer: impl Observer + Send + 'static) {
        let old = self.shared.lock().session.observer_mut().replace(Box::new(observer));
        // The observer may own anything, also a handle: it is dropped after the lock is released.
        drop(old);
    }

    /// Sets a closure that responds to requests of the peer where they are read: without copying the PDU, without the inbox
    /// and without waking a task. Requests that the closure returns, and those that arrived before, go to the inbox.
    ///
    /// The closure is called while the session is locked: it should return quickly, and it must not call this handle. If
    /// it drops a [`Reply`](smpp_proto::session::Reply), the peer gets no response.
    ///
    /// ```
    /// use smpp_proto::session::Request;
    /// use smpp_proto::{COctets, SubmitSmResp};
    ///
    /// # fn serve(peer: &smpp_tokio::Peer) {
    /// peer.respond_inline(|request, responder| match request {
    ///     Request::SubmitSm(message, reply) => {
    ///         println!("{} octets", message.text().len());
    ///         let message_id = COctets::new(b"1").unwrap_or_default();
    ///         // Fails if the session has ended. The peer has received no response and may send the message again.
    ///         let _ = responder.respond(reply, Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
    ///         None
    ///     }
    ///     other => Some(other),
    /// });
    /// # }
    /// ```
    pub fn respond_inline<F>(&self, handler: F)
    where
        F: for<'r> FnMut(Request<'r>, Responder<'_, R>) -> Option<Request<'r>> + Send + 'static,
    {
        let old = self.shared.lock().inline_handler.replace(Box::new(handler));
        // The closure may own anything: it is dropped after the lock is released.
        drop(old);
    }

    /// Returns the counters of the session: PDUs, octets, requests in flight, timeouts, response times.
    ///
    /// ```no_run
    /// # fn example(client: smpp_tokio::Client) {
    /// let stats = client.stats();
    /// println!("{} in flight, {} PDUs sent", stats.in_flight, stats.sent.total().pdus());
    /// # }
    /// ```
    pub fn stats(&self) -> Stats {
        self.shared.lock().session.stats()
    }
}

impl Handle<Esme> {
    /// Binds, and waits for the response of the SMSC.
    ///
    /// ```no_run
    /// use smpp_proto::session::RequestError;
    /// use smpp_proto::{Bind, CommandStatus};
    ///
    /// # async fn example(client: smpp_tokio::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let bind = Bind { system_id: "shop".try_into()?, password: "secret".try_into()?, ..Bind::default() };
    /// match client.bind(&bind).await {
    ///     Ok(response) => println!("bound to {}", response.bind_resp().system_id),
    ///     Err(RequestError::Refused { status: CommandStatus::RINVPASWD, .. }) => println!("wrong password"),
    ///     Err(error) => println!("{error}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`RequestError::Refused`] with the status of the SMSC, for example `ESME_RINVPASWD` for a wrong password;
    /// otherwise as [`request`](Self::request).
    ///
    /// # Cancel safety
    ///
    /// As [`request`](Self::request).
    pub async fn bind(&self, bind: &Bind<'_>) -> Result<Response, RequestError> {
        self.shared.lock().telemetry.bind_requested(bind.system_id);
        self.request(bind).await
    }

    /// Returns what the peer sent instead of the response to a bind that failed with `error`: HTTP, TLS, another protocol,
    /// or nothing. Returns `None` if the peer responded. [`Connector::bind`](crate::Connector::bind) reports it by itself.
    pub fn diagnose_bind(&self, error: &RequestError) -> Option<ReceivedInstead> {
        self.shared.lock().session.diagnose_bind(error)
    }

    /// Submits a message and waits for the response of the SMSC, which holds the message id. Waits for its turn as
    /// [`request`](Self::request) does.
    ///
    /// ```no_run
    /// use smpp_proto::{Address, RegisteredDelivery, ShortMessage, SubmitSm};
    ///
    /// # async fn example(client: smpp_tokio::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let response = client
    ///     .submit(&SubmitSm {
    ///         source: Address::alphanumeric("8x8")?,
    ///         destination: Address::international("6591234567")?,
    ///         registered_delivery: RegisteredDelivery::RECEIPT,
    ///         short_message: ShortMessage::new(b"Hello")?,
    ///         ..SubmitSm::default()
    ///     })
    ///     .await?;
    /// println!("accepted as {}", response.message_id().escape_ascii());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request). `ESME_RTHROTTLED` means that the SMSC's rate limit is reached.
    ///
    /// # Cancel safety
    ///
    /// As [`request`](Self::request).
    pub fn submit(&self, message: &SubmitSm<'_>) -> impl Future<Output = Result<Response, RequestError>> {
        self.request(message)
    }
}

impl Handle<Smsc> {
    /// Delivers a mobile-originated (MO) message or a delivery receipt (DLR) and waits for the response of the ESME. Waits
    /// for its turn as [`request`](Self::request) does.
    ///
    /// ```no_run
    /// use smpp_proto::{Address, DeliverSm, ShortMessage};
    ///
    /// # async fn example(peer: smpp_tokio::Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// let message = DeliverSm {
    ///     source: Address::international("6591234567")?,
    ///     short_message: ShortMessage::new(b"Hello")?,
    ///     ..DeliverSm::default()
    /// };
    /// peer.deliver(&message).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    ///
    /// # Cancel safety
    ///
    /// As [`request`](Self::request).
    pub fn deliver(&self, message: &DeliverSm<'_>) -> impl Future<Output = Result<Response, RequestError>> {
        self.request(message)
    }

    /// Sends a PDU that has no response: an alert_notification, or an outbind on a connection that the SMSC has opened. It
    /// does not wait, and there is no confirmation that the PDU arrives.
    ///
    /// ```no_run
    /// # fn example(peer: smpp_tokio::Peer) -> Result<(), smpp_proto::session::Refusal> {
    /// peer.notify(&smpp_proto::AlertNotification::default())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns a [`Refusal`]. [`Refusal::OutputFull`] is temporary, the others are permanent.
    pub fn notify<N: Notification>(&self, notification: &N) -> Result<(), Refusal> {
        self.shared.with(|core, now| core.session.notify(now, notification))
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
            self.shared.with(|core, now| core.session.unbind(now));
        }
    }
}

impl<R: Role> fmt::Debug for Handle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("state", &self.state()).finish_non_exhaustive()
    }
}
