//! The application's part of a server.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use smpp_proto::server::{Admission, RejectReason};
use smpp_proto::session::Smsc;
use smpp_proto::{BindMode, CommandStatus};

use super::bind_request::BindRequest;
use super::bound::{BindId, BoundSession};
use super::stream::ServerStream;
use crate::error::{AcceptError, End};
use crate::handle_route::HandleRoute;
use crate::inbound::Inbound;
use crate::transport::Duplex;

/// Decides on binds and responds to requests, for a [`Server`](crate::Server).
///
/// Many connections call its methods at the same time, each in a thread of its own. A panic in [`bind`](Self::bind) refuses the
/// bind, a panic in [`request`](Self::request) refuses the request; other binds and requests are not affected.
///
/// ```
/// use smpp_proto::session::Smsc;
/// use smpp_proto::{COctets, CommandStatus, SubmitSmResp};
/// use smpp_std::{Admission, BindRequest, BoundSession, HandleRoute, Inbound, ServerEvent, Service};
///
/// struct Shop;
///
/// impl Service for Shop {
///     fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
///         let bind = request.bind();
///         match bind.system_id.as_bytes() {
///             b"shop" if bind.password.equals(b"secret") => Ok(Admission::default()),
///             b"shop" => Err(CommandStatus::RINVPASWD),
///             _ => Err(CommandStatus::RINVSYSID),
///         }
///     }
///
///     fn request(&self, bound: &BoundSession, request: Inbound<HandleRoute<Smsc>>) {
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
    /// It may take [`decision_timeout`](crate::ServerLimits::decision_timeout); then the bind is refused with
    /// `ESME_RBINDFAIL`, and what it returns later has no effect. The same holds if the ESME disconnects or the server stops.
    /// It runs in the thread of the connection, which cannot be interrupted: until it returns, its connection counts among
    /// those that are being closed.
    fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus>;

    /// Responds to a request of a bound ESME, now or later: the request can be stored or passed to another thread. If it is
    /// dropped without a response, it is refused with a temporary error, so that the ESME keeps the message.
    ///
    /// The requests of a session are passed one after the other, in the thread of the connection. While the method runs, later
    /// requests wait, at most [`max_unanswered`](smpp_proto::session::Config::max_unanswered), and the session is kept alive.
    ///
    /// A call that has begun goes on when its session ends, and so do the requests of the session that were received and wait
    /// for their call: so their work completes. Their responses then fail, and the ESME may send the requests again. If more
    /// than [`detached_requests`](crate::ServerLimits::detached_requests) calls go on whose sessions have ended, requests that
    /// wait are dropped. [`Server::shutdown`](crate::Server::shutdown) waits for none of them: a call that does not return
    /// outlives the server.
    fn request(&self, bound: &BoundSession, request: Inbound<HandleRoute<Smsc>>);

    /// Gets the events of the server. It is called in the threads of the connections, so it should return quickly.
    fn event(&self, event: ServerEvent<'_>) {
        let _ = event;
    }

    /// Wraps the transport of a connection, for example to count octets, to record them, or to inject faults in tests.
    fn transport(&self, stream: ServerStream) -> Box<dyn Duplex> {
        Box::new(stream)
    }
}

impl<S: Service + ?Sized> Service for Arc<S> {
    fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
        S::bind(self, request)
    }

    fn request(&self, bound: &BoundSession, request: Inbound<HandleRoute<Smsc>>) {
        S::request(self, bound, request);
    }

    fn event(&self, event: ServerEvent<'_>) {
        S::event(self, event);
    }

    fn transport(&self, stream: ServerStream) -> Box<dyn Duplex> {
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
    /// A message was refused with [`ServerLimits::rate_status`](crate::ServerLimits::rate_status), because the bind has
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
