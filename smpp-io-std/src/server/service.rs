//! What the application implements: the decision on a bind, and the response to a request.

use std::net::SocketAddr;
use std::sync::Arc;

use smpp_core::session::{Smsc, State, Stats};
use smpp_core::{Bind, CommandStatus};

use crate::handle::Peer;
use crate::handle_route::HandleRoute;
use crate::inbound::{Inbound, InboundRequest};

/// The application's part of an SMSC: it decides on binds and responds to requests.
///
/// Many connections call its methods at the same time, each in a thread of its own. If a method panics, its connection
/// ends and the others go on.
///
/// ```
/// use smpp_core::session::Smsc;
/// use smpp_core::{CommandStatus, SubmitSmResp};
/// use smpp_io_std::{BindRequest, BoundSession, HandleRoute, Inbound, Service};
///
/// struct Shop;
///
/// impl Service for Shop {
///     fn bind(&self, request: &BindRequest) -> Result<(), CommandStatus> {
///         let bind = request.bind();
///         match bind.system_id.as_bytes() {
///             b"shop" if bind.password.equals(b"secret") => Ok(()),
///             b"shop" => Err(CommandStatus::RINVPASWD),
///             _ => Err(CommandStatus::RINVSYSID),
///         }
///     }
///
///     fn request(&self, bound: &BoundSession, request: Inbound<HandleRoute<Smsc>>) {
///         match request {
///             Inbound::SubmitSm(message) => {
///                 println!("{} submits", bound.system_id().escape_ascii());
///                 let message_id = "1".try_into().unwrap_or_default();
///                 let _ = message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
///             }
///             // Dropped without a response, a request is refused with a temporary error.
///             other => drop(other),
///         }
///     }
/// }
/// ```
pub trait Service: Send + Sync + 'static {
    /// Decides on a bind: admits it with `Ok`.
    ///
    /// The decision has to be made within the rest of the ESME's
    /// [`Config::session_init_timeout`](smpp_core::session::Config::session_init_timeout); after that the session has
    /// ended, and the decision has no effect. The method has to return even then: until it does, its connection counts
    /// towards the [`ServerLimits`](crate::ServerLimits).
    ///
    /// # Errors
    ///
    /// The status with which the bind is refused, such as [`RINVPASWD`](CommandStatus::RINVPASWD).
    fn bind(&self, request: &BindRequest) -> Result<(), CommandStatus>;

    /// Responds to a request of a bound ESME, now or later: the request can be kept and passed to another thread. If it is
    /// dropped without a response, it is refused with a temporary error, so that the ESME keeps the message.
    ///
    /// The server calls it for one request of a session after another, in the order in which they came. While the method
    /// runs, later requests wait in the inbox, at most [`max_unanswered`](smpp_core::session::Config::max_unanswered), and
    /// the session is kept alive.
    fn request(&self, bound: &BoundSession, request: Inbound<HandleRoute<Smsc>>);
}

/// A bind that waits for the decision of [`Service::bind`].
///
/// ```
/// use smpp_core::CommandStatus;
/// use smpp_io_std::BindRequest;
///
/// fn decide(request: &BindRequest) -> Result<(), CommandStatus> {
///     let known = request.bind().password.equals(b"secret");
///     if known && request.peer_addr().ip().is_loopback() { Ok(()) } else { Err(CommandStatus::RINVPASWD) }
/// }
/// ```
#[derive(Debug)]
pub struct BindRequest {
    pub(super) request: InboundRequest<Bind<'static>, HandleRoute<Smsc>>,
    pub(super) address: SocketAddr,
}

impl BindRequest {
    /// Returns the fields of the bind.
    pub fn bind(&self) -> Bind<'_> {
        self.request.get()
    }

    /// Returns the address from which the ESME has connected.
    pub const fn peer_addr(&self) -> SocketAddr {
        self.address
    }
}

/// The session of one bound ESME. Cheap to clone.
///
/// If you drop it, the session goes on. If you keep it, the session still ends when its connection does.
#[derive(Clone, Debug)]
pub struct BoundSession {
    pub(super) peer: Peer,
    pub(super) system_id: Arc<[u8]>,
    pub(super) address: SocketAddr,
}

impl BoundSession {
    /// Returns the handle of the session, to deliver messages to the ESME.
    pub const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Returns the system_id with which the ESME has bound.
    pub fn system_id(&self) -> &[u8] {
        &self.system_id
    }

    /// Returns the address from which the ESME has connected.
    pub const fn peer_addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns the counters of the session.
    pub fn stats(&self) -> Stats {
        self.peer.stats()
    }

    /// Returns whether the ESME has bound in a mode that receives messages.
    pub(super) fn receives(&self) -> bool {
        matches!(self.peer.state(), State::Bound(mode) if mode.receives())
    }
}
