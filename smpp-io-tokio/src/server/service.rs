//! The application's part of a server.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use smpp_proto::server::{Admission, RejectReason};
use smpp_proto::session::Smsc;
use smpp_proto::{BindMode, CommandStatus};
use tokio::io::{AsyncRead, AsyncWrite};

use super::bound::{BindId, BoundSession};
use super::incoming::BindRequest;
use super::stream::ServerStream;
use crate::error::{AcceptError, End};
use crate::inbox::Inbound;

/// Decides on binds and responds to requests, for a [`Server`](super::Server).
///
/// The methods are called from many connections at once. A panic in [`bind`](Self::bind) refuses the bind, a panic in
/// [`request`](Self::request) refuses the request; other binds and requests are not affected.
///
/// ```no_run
/// use smpp_proto::session::Smsc;
/// use smpp_proto::{COctets, CommandStatus, SubmitSmResp};
/// use smpp_tokio::{Admission, BindRequest, BoundSession, Inbound, ServerEvent, Service};
///
/// struct Shop;
///
/// impl Service for Shop {
///     async fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
///         let bind = request.bind();
///         match bind.system_id.as_bytes() {
///             b"shop" if bind.password.equals(b"secret") => Ok(Admission::default()),
///             b"shop" => Err(CommandStatus::RINVPASWD),
///             _ => Err(CommandStatus::RINVSYSID),
///         }
///     }
///
///     async fn request(&self, bound: &BoundSession, request: Inbound<Smsc>) {
///         // Other requests are dropped: refused with a temporary error.
///         let Inbound::SubmitSm(message) = request else { return };
///         let id = format!("{}-{}", bound.id(), message.frame().header().sequence.0);
///         let message_id = COctets::new(id.as_bytes()).unwrap_or_default();
///         let _ = message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
///     }
///
///     fn event(&self, event: ServerEvent<'_>) {
///         if let ServerEvent::Ended { bound, end, .. } = event {
///             println!("{} has ended: {end}", bound.system_id().escape_ascii());
///         }
///     }
/// }
/// ```
pub trait Service: Send + Sync + 'static {
    /// Decides on a bind: accepts it, or returns the status to refuse it with, for example
    /// [`RINVPASWD`](CommandStatus::RINVPASWD).
    ///
    /// It may take [`decision_timeout`](super::ServerLimits::decision_timeout); then the bind is refused with
    /// `ESME_RBINDFAIL`. It runs in the task of the connection: it may wait, but must not block the thread.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped at its next await if the ESME disconnects or the server stops. If the ESME has closed only its
    /// own side of the connection, it is dropped [`drain_timeout`](smpp_proto::session::Config::drain_timeout) later.
    fn bind(&self, request: &BindRequest) -> impl Future<Output = Result<Admission, CommandStatus>> + Send;

    /// Responds to a request of a bound ESME, now or later: the request can be stored or passed on. If it is dropped
    /// without a response, it is refused with a temporary error, so that the ESME keeps the message.
    ///
    /// The requests of a session are passed one after the other, each until its future waits for the first time. From
    /// there on the futures run concurrently, [`max_unanswered`](smpp_proto::session::Config::max_unanswered) at most. They
    /// run in the task of the session, so they must not block the thread: pass work that takes long to
    /// [`spawn_blocking`](tokio::task::spawn_blocking) or a task of its own.
    ///
    /// # Cancel safety
    ///
    /// A future that has begun goes on when its session ends, so that its work completes; its response then fails, and the ESME
    /// may send the request again. Only if more than
    /// [`detached_requests`](super::ServerLimits::detached_requests) run on the server are those of the session dropped at their
    /// next await. A future that does not complete outlives the server.
    fn request(&self, bound: &BoundSession, request: Inbound<Smsc>) -> impl Future<Output = ()> + Send;

    /// Gets the events of the server. It is called in the tasks of the connections, so it should return quickly.
    fn event(&self, event: ServerEvent<'_>) {
        let _ = event;
    }

    /// Wraps the transport of a connection, for example to count octets, to record them, or to inject faults in tests.
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

/// An event of a server.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ServerEvent<'a> {
    /// A connection was accepted; through a proxy, with the address of the client.
    #[non_exhaustive]
    Connected {
        /// The connection: the later events of it have the same.
        connection: BindId,
        /// The address of the client.
        address: SocketAddr,
        /// Whether the listener uses TLS.
        tls: bool,
    },
    /// A connection was closed at once, or before a proxy had stated the address of its client.
    #[non_exhaustive]
    ConnectionRejected {
        /// The address of the client; that of the proxy if it has not stated one.
        address: SocketAddr,
        /// Why.
        reason: RejectReason,
    },
    /// A connection ended before it was bound.
    #[non_exhaustive]
    NotBound {
        /// The connection.
        connection: BindId,
        /// The address of the client.
        address: SocketAddr,
        /// Why; `None` if it was closed for a newer connection, or because the server stops.
        error: Option<&'a AcceptError>,
    },
    /// A bind was refused.
    #[non_exhaustive]
    BindRefused {
        /// The connection.
        connection: BindId,
        /// The address of the ESME.
        address: SocketAddr,
        /// The system_id of the bind.
        system_id: &'a [u8],
        /// The mode of the bind.
        mode: BindMode,
        /// The status of the response.
        status: CommandStatus,
    },
    /// An ESME has bound.
    Bound(&'a BoundSession),
    /// A message was refused with [`ServerLimits::rate_status`](super::ServerLimits::rate_status), because the bind has
    /// reached its rate limit.
    Throttled(&'a BoundSession),
    /// A bind has ended.
    #[non_exhaustive]
    Ended {
        /// The bind.
        bound: &'a BoundSession,
        /// How its session ended.
        end: &'a End,
    },
    /// Accepting connections failed, for example because too many files are open. The server tries again after 100 ms.
    #[non_exhaustive]
    AcceptFailed {
        /// The local address of the listener.
        listener: SocketAddr,
        /// The error of the operating system.
        error: &'a io::Error,
    },
}
