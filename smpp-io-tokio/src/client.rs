//! A handle on a session: requests out, outcomes back.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use smpp_core::session::{
    Config, Esme, Notification, Observer, Refusal, Request, RequestError, Response, Role, SentBy, Smsc,
    State, Stats,
};
use smpp_core::{Bind, DeliverSm, Operation, SubmitSm};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::answer::Responder;
use crate::driver::{Driver, End, Shared};
use crate::inbox::Inbox;
use crate::request::Requesting;

/// A handle on one session; clone it freely. When the last handle and the inbox are dropped, the session
/// unbinds.
pub struct Handle<R: Role> {
    pub(crate) shared: Arc<Shared<R>>,
}

/// The handle of an ESME: binds, submits.
pub type Client = Handle<Esme>;

/// The handle of an SMSC on one bound ESME: delivers.
pub type Peer = Handle<Smsc>;

/// Runs a session over any transport, in a task of its own. Call it within a tokio runtime.
///
/// This is what [`Connector`](crate::Connector) and [`Listener`](crate::Listener) do with the connections they
/// make: use it for a transport of your own. A write of it that fails must have taken nothing: what a failed write
/// has taken would be told as never sent.
pub fn start<R, S>(io: S, config: Config) -> (Handle<R>, Inbox<R>)
where
    R: Role,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (handle, inbox, driver) = open(io, config);
    tokio::spawn(driver);
    (handle, inbox)
}

/// A session over any transport. It goes on for as long as its driver is polled.
pub(crate) fn open<R, S>(io: S, config: Config) -> (Handle<R>, Inbox<R>, Driver<R, S>)
where
    R: Role,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let shared = Shared::new(config);
    let driver = Driver::new(Arc::clone(&shared), io);
    let handle = Handle::new(shared);
    (handle.clone(), Inbox::new(handle), driver)
}

impl<R: Role> Handle<R> {
    fn new(shared: Arc<Shared<R>>) -> Self {
        shared.lock().handles += 1;
        Self { shared }
    }

    /// Sends a request and waits for its outcome. While the window is full, the rate reached, or too much
    /// output waiting, it waits for its turn first.
    ///
    /// Cancel-safe in this sense: dropped while it waits for its turn, nothing was sent; dropped later, the
    /// request stays in flight and its outcome goes unseen.
    pub fn request<O>(&self, operation: &O) -> impl Future<Output = Result<Response, RequestError>>
    where
        O: Operation + SentBy<R>,
    {
        Requesting::new(&self.shared, operation)
    }

    /// Ends the session in good order, and says how it ended: no new requests, what is in flight may finish
    /// within `Config::drain_timeout`, then unbind. Everyone's requests, not only this handle's.
    ///
    /// Cancel-safe: the session ends all the same.
    pub async fn unbind(&self) -> End {
        self.shared.with(|core, now| core.session.unbind(now));
        self.closed().await
    }

    /// Ends the session at once, without unbind.
    pub async fn abort(&self) -> End {
        self.shared.with(|core, _| core.session.abort());
        self.closed().await
    }

    /// Waits for the end of the session.
    ///
    /// Cancel-safe.
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

    /// How the session has ended, if it has.
    pub(crate) fn end(&self) -> Option<End> {
        self.shared.lock().end.clone()
    }

    /// Where the session stands.
    pub fn state(&self) -> State {
        self.shared.lock().session.state()
    }

    /// Shows every PDU from now on to `observer`, without passwords. Set it before the bind to see all of them.
    ///
    /// It is called while the session is locked: it should be quick, and it must not call this handle.
    pub fn observe(&self, observer: impl Observer + Send + 'static) {
        let old = self.shared.lock().session.observer_mut().replace(Box::new(observer));
        // It may hold anything, a handle too: not under the lock.
        drop(old);
    }

    /// Lets `answer` answer requests of the peer where they are read, from now on: nothing is copied, nothing queued,
    /// no task woken. What it gives back comes out of the inbox, as what has come before.
    ///
    /// It is called while the session is locked: it should be quick, and it must not call this handle. It answers
    /// what it does not give back: a [`Reply`](smpp_core::session::Reply) that it drops leaves the peer without an
    /// answer.
    ///
    /// ```
    /// use smpp_core::session::Request;
    /// use smpp_core::{COctets, SubmitSmResp};
    ///
    /// # fn serve(peer: &smpp_io_tokio::Peer) {
    /// peer.respond_inline(|request, responder| match request {
    ///     Request::SubmitSm(message, reply) => {
    ///         println!("{}", message.text().escape_ascii());
    ///         let message_id = COctets::new(b"1").unwrap_or_default();
    ///         // Refused if the session has ended: the peer has seen no answer.
    ///         let _ = responder.respond(reply, Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
    ///         None
    ///     }
    ///     other => Some(other),
    /// });
    /// # }
    /// ```
    pub fn respond_inline<F>(&self, answer: F)
    where
        F: for<'r> FnMut(Request<'r>, Responder<'_, R>) -> Option<Request<'r>> + Send + 'static,
    {
        let old = self.shared.lock().answerer.replace(Box::new(answer));
        // It may hold anything: not under the lock.
        drop(old);
    }

    /// The counters of the session.
    pub fn stats(&self) -> Stats {
        self.shared.lock().session.stats()
    }
}

impl Handle<Esme> {
    /// Binds, and gives the SMSC's answer. A refusal names the status: `ESME_RINVPASWD` for a wrong password.
    ///
    /// See [`request`](Self::request) for cancel-safety.
    pub async fn bind(&self, bind: &Bind<'_>) -> Result<Response, RequestError> {
        self.shared.lock().watch.binds(bind.system_id);
        self.request(bind).await
    }

    /// Submits a message and waits for the SMSC's answer, which holds the message's id.
    ///
    /// See [`request`](Self::request) for waiting and cancel-safety.
    pub fn submit(&self, message: &SubmitSm<'_>) -> impl Future<Output = Result<Response, RequestError>> {
        self.request(message)
    }
}

impl Handle<Smsc> {
    /// Delivers a message or a receipt and waits for the ESME's answer.
    ///
    /// See [`request`](Self::request) for waiting and cancel-safety.
    pub fn deliver(&self, message: &DeliverSm<'_>) -> impl Future<Output = Result<Response, RequestError>> {
        self.request(message)
    }

    /// Tells the ESME something that has no response: outbind on a connection that the SMSC has made,
    /// alert_notification. Whether it arrives is never known.
    ///
    /// It does not wait: [`Refusal::OutputFull`] passes, the others last.
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
