//! A handle on a session: requests out, outcomes back.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use smpp_core::session::{
    Cause, Closed, Config, Esme, NotSent, Notification, Observer, Refusal, RequestError, Response, Role,
    SentBy, Smsc, State, Stats,
};
use smpp_core::{Bind, DeliverSm, Operation, SubmitSm};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio::time;

use crate::driver::{Answer, Driver, End, Shared};
use crate::inbox::Inbox;

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
    let shared = Shared::new(config);
    tokio::spawn(Driver::new(Arc::clone(&shared), io).run());
    let handle = Handle::new(shared);
    (handle.clone(), Inbox::new(handle))
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
    pub async fn request<O>(&self, operation: &O) -> Result<Response, RequestError>
    where
        O: Operation + SentBy<R>,
    {
        let answer = self.admit(operation).await.map_err(RequestError::NeverSent)?;
        // The driver tells every outcome; it is gone without one only when its runtime is.
        answer.await.unwrap_or(Err(RequestError::Unanswered(Cause::Closed(Closed::Aborted))))
    }

    /// Waits until the session takes the request: at the turnstile, then for room or for the pace.
    async fn admit<O>(&self, operation: &O) -> Result<oneshot::Receiver<Answer>, NotSent>
    where
        O: Operation + SentBy<R>,
    {
        let (mut sender, receiver) = oneshot::channel();
        let _turn = self.shared.turnstile.lock().await;
        loop {
            let mut room = pin!(self.shared.room.notified());
            let ended = self.shared.ended.notified();
            let taken = self.shared.with(|core, now| {
                let result = core.session.request(now, operation, sender);
                if result.is_err() {
                    // Within the lock under which room is made, so that no notice of it is missed.
                    room.as_mut().enable();
                }
                result.map_err(|refused| (refused, core.end.as_ref().map(|end| end.reason)))
            });
            let Err((refused, end)) = taken else { return Ok(receiver) };
            sender = refused.tag;
            if let Some(why) = end.map(NotSent::Closed).or(refused.why.lasting()) {
                return Err(why);
            }
            match refused.why {
                // Until then, or until the session ends.
                Refusal::Paced(at) => drop(time::timeout_at(self.shared.clock(at), ended).await),
                _ => room.await,
            }
        }
    }

    /// Ends the session in good order, and says how it ended: no new requests, what is in flight may finish
    /// within `Config::drain`, then unbind. Everyone's requests, not only this handle's.
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
            if let Some(end) = self.shared.lock().end.clone() {
                return end;
            }
            ended.await;
        }
    }

    /// Where the session stands.
    pub fn state(&self) -> State {
        self.shared.lock().session.state()
    }

    /// Shows every PDU from now on to `observer`, without passwords. Set it before the bind to see all of them.
    ///
    /// It is called while the session is locked: it should be quick, and it must not call this handle.
    pub fn observe(&self, observer: impl Observer + Send + 'static) {
        *self.shared.lock().session.observer_mut() = Some(Box::new(observer));
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
    pub async fn submit(&self, message: &SubmitSm<'_>) -> Result<Response, RequestError> {
        self.request(message).await
    }
}

impl Handle<Smsc> {
    /// Delivers a message or a receipt and waits for the ESME's answer.
    ///
    /// See [`request`](Self::request) for waiting and cancel-safety.
    pub async fn deliver(&self, message: &DeliverSm<'_>) -> Result<Response, RequestError> {
        self.request(message).await
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
