//! What an SMSC of one's own decides and does.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use smpp_core::CommandStatus;
use smpp_core::session::{Rate, Smsc};
use tokio::io::{AsyncRead, AsyncWrite};

use super::binds::BoundSession;
use super::listener::BindRequest;
use super::registry::RejectReason;
use super::stream::ServerStream;
use crate::driver::End;
use crate::error::AcceptError;
use crate::inbox::Inbound;

/// What a [`Server`](super::Server) asks: who may bind, and what to answer.
///
/// Its methods are called by many connections at once. A panic of [`bind`](Self::bind) refuses the bind, one of
/// [`request`](Self::request) that request; others go on.
pub trait Service: Send + Sync + 'static {
    /// Decides on a bind: admits it, or gives the status it is refused with, such as
    /// [`RINVPASWD`](CommandStatus::RINVPASWD).
    ///
    /// It may take [`ServerLimits::decision_timeout`](super::ServerLimits::decision_timeout); then the bind is refused with `ESME_RBINDFAIL`. It is
    /// dropped at its next await if the ESME goes meanwhile, or the server. It runs in the connection's own task: it may
    /// wait, but not block its thread.
    fn bind(&self, request: &BindRequest) -> impl Future<Output = Result<Admission, CommandStatus>> + Send;

    /// Answers a request of a bound ESME, now or later: the request can be kept and passed on. Dropped unanswered it
    /// is answered with a temporary error, so that the ESME keeps the message.
    ///
    /// Called for one request of a session after another, each as far as its first wait; from there on they run side by
    /// side, [`max_unanswered`](smpp_core::session::Config::max_unanswered) at most. Its first poll runs in the
    /// session's own task, so a handler must not block its thread. With the end of the session those that still run
    /// are dropped at their next await: spawn what has to be finished.
    fn request(&self, bound: &BoundSession, request: Inbound<Smsc>) -> impl Future<Output = ()> + Send;

    /// Sees what happens. It is called in the midst of things, so it should be quick.
    fn event(&self, event: ServerEvent<'_>) {
        let _ = event;
    }

    /// Puts something between a connection and its session: what counts, records, or fails on purpose.
    fn transport(&self, stream: ServerStream) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
        stream
    }
}

impl<S: Service> Service for Arc<S> {
    async fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
        S::bind(self, request).await
    }

    async fn request(&self, bound: &BoundSession, request: Inbound<Smsc>) {
        S::request(self, bound, request).await;
    }

    fn event(&self, event: ServerEvent<'_>) {
        S::event(self, event);
    }

    fn transport(&self, stream: ServerStream) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
        S::transport(self, stream)
    }
}

/// A bind is admitted: under which terms, if they are not those of the server's [`ServerLimits`](super::ServerLimits).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// Binds that the account may hold at once, this one included.
    pub binds: Option<u16>,
    /// Messages that this bind may send.
    pub rate: Option<Rate>,
}

/// What happens at a server.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ServerEvent<'a> {
    /// A connection was accepted.
    Connected {
        /// Who connects.
        address: SocketAddr,
        /// Whether it is to speak TLS.
        tls: bool,
    },
    /// A connection was closed at once: there is no room for it.
    ConnectionRejected {
        /// Who connects.
        address: SocketAddr,
        /// What is full.
        reason: RejectReason,
    },
    /// A connection did not come to a bind, or had to make room for a newer one before it did.
    NotBound {
        /// Who connected.
        address: SocketAddr,
        /// Why; `None` if it made room, or the server stopped.
        error: Option<&'a AcceptError>,
    },
    /// A bind was refused.
    BindRefused {
        /// Who wanted to bind.
        address: SocketAddr,
        /// As whom.
        system_id: &'a [u8],
        /// What it was answered.
        status: CommandStatus,
    },
    /// An ESME is bound.
    Bound(&'a BoundSession),
    /// A message was refused with `ESME_RTHROTTLED`: its bind is at its rate.
    Throttled(&'a BoundSession),
    /// A bind is over.
    Ended {
        /// Which.
        bound: &'a BoundSession,
        /// How its session ended.
        end: &'a End,
    },
    /// Connections cannot be accepted. It is tried again after a pause.
    AcceptFailed {
        /// Where the server listens.
        listener: SocketAddr,
        /// What the system says: too many open files, perhaps.
        error: &'a io::Error,
    },
}
