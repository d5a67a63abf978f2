//! A bind that waits for a decision.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use smpp_proto::session::{Config, Refusal, Reply, Smsc};
use smpp_proto::{Bind, BindResp, COctets, CommandStatus, InterfaceVersion, Operation as _, Tlv, Tlvs};

use super::incoming::Origin;
use crate::error::{AcceptError, End};
use crate::handle::Peer;
use crate::handle_route::HandleRoute;
use crate::inbound::{Inbound, InboundRequest};
use crate::inbox::Inbox;
#[cfg(feature = "rustls")]
use crate::tls::TlsInfo;

/// How long a connection whose bind is refused may take to send the response before it is aborted.
const FINAL_RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A bind that waits for a decision. If it is dropped, it is refused with `ESME_RBINDFAIL`, and the connection ends.
///
/// ```no_run
/// use smpp_proto::session::Smsc;
/// use smpp_proto::{COctets, CommandStatus};
/// use smpp_std::{BindRequest, Inbox, Peer};
///
/// fn decide(request: BindRequest) -> Option<(Peer, Inbox<Smsc>)> {
///     println!("{} from {}", request.bind().system_id, request.peer_addr());
///     if request.bind().password.equals(b"secret") {
///         request.accept(COctets::default()).ok()
///     } else {
///         request.refuse(CommandStatus::RINVPASWD);
///         None
///     }
/// }
/// ```
pub struct BindRequest {
    pending: Arc<PendingBind>,
    inbox: Inbox<Smsc>,
}

/// A bind, and the right to respond to it once: in the thread that decides, or in another one that ends the wait.
pub(super) struct PendingBind {
    /// Without its reply.
    request: InboundRequest<Bind<'static>, HandleRoute<Smsc>>,
    reply: Mutex<Option<Reply<Bind<'static>>>>,
    peer: Peer,
    origin: Origin,
}

impl PendingBind {
    pub(super) const fn address(&self) -> SocketAddr {
        self.origin.address
    }

    pub(super) fn bind(&self) -> Bind<'_> {
        self.request.get()
    }

    /// Takes the right to respond, unless another thread has it.
    pub(super) fn take_reply(&self) -> Option<Reply<Bind<'static>>> {
        self.reply.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Refuses the bind.
    pub(super) fn respond(&self, reply: Reply<Bind<'static>>, status: CommandStatus) {
        // It fails if the session has ended, which is reported elsewhere.
        let _ = self.peer.shared.with(|state, _| {
            state.telemetry.bind_answered(status);
            state.session.respond(reply, Err(status))
        });
    }

    /// Refuses the bind, and ends the session once the response has left.
    pub(super) fn refuse(&self, reply: Reply<Bind<'static>>, status: CommandStatus) {
        self.respond(reply, status);
        self.peer.begin_unbind();
        if self.peer.closed_until(Instant::now() + FINAL_RESPONSE_TIMEOUT).is_none() {
            self.peer.begin_abort();
        }
    }

    /// Refuses the bind of a connection that is closed.
    pub(super) fn refuse_unanswered(&self, reply: Reply<Bind<'static>>) {
        self.refuse(reply, Bind::UNANSWERED);
    }
}

impl Drop for PendingBind {
    fn drop(&mut self) {
        if let Some(reply) = self.take_reply() {
            self.respond(reply, Bind::UNANSWERED);
        }
    }
}

/// Waits for the bind of a session.
pub(super) fn first_bind(
    peer: Peer,
    mut inbox: Inbox<Smsc>,
    origin: Origin,
) -> Result<BindRequest, AcceptError> {
    while let Some(inbound) = inbox.recv() {
        if let Inbound::Bind(mut request) = inbound {
            let reply = Mutex::new(request.take_reply());
            let pending = Arc::new(PendingBind { request, reply, peer, origin });
            return Ok(BindRequest { pending, inbox });
        }
    }
    Err(AcceptError::Ended(peer.closed()))
}

impl BindRequest {
    /// Returns the fields of the bind. [`Password::equals`](smpp_proto::Password::equals) compares in constant time.
    pub fn bind(&self) -> Bind<'_> {
        self.pending.bind()
    }

    /// Returns the address of the ESME.
    pub fn peer_addr(&self) -> SocketAddr {
        self.pending.origin.address
    }

    /// Returns whether the connection uses TLS.
    pub fn is_tls(&self) -> bool {
        self.pending.origin.tls.is_some()
    }

    /// Returns what the TLS handshake has agreed on, and the certificates that the client has shown; `None` without TLS.
    ///
    /// A service that accepts a system_id only with the certificate that belongs to it. The TLS configuration asks clients for a
    /// certificate ([`tls::server_verifying_clients`](crate::tls::server_verifying_clients)):
    ///
    /// ```
    /// use std::collections::HashMap;
    ///
    /// use smpp_proto::session::Smsc;
    /// use smpp_proto::CommandStatus;
    /// use smpp_std::tls::CertificateDer;
    /// use smpp_std::{Admission, BindRequest, BoundSession, HandleRoute, Inbound, Service};
    ///
    /// struct Accounts {
    ///     /// The certificate of each system_id.
    ///     certificates: HashMap<Vec<u8>, CertificateDer<'static>>,
    /// }
    ///
    /// impl Service for Accounts {
    ///     fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
    ///         let expected = self.certificates.get(request.bind().system_id.as_bytes());
    ///         let expected = expected.ok_or(CommandStatus::RINVSYSID)?;
    ///         match request.tls().and_then(|tls| tls.client_certificate()) {
    ///             Some(shown) if shown == expected => Ok(Admission::default()),
    ///             _ => Err(CommandStatus::RBINDFAIL),
    ///         }
    ///     }
    ///
    ///     fn request(&self, _: &BoundSession, _: Inbound<HandleRoute<Smsc>>) {}
    /// }
    /// ```
    #[cfg(feature = "rustls")]
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.pending.origin.tls.as_deref()
    }

    /// Returns the handle of the session, which is not bound yet.
    pub fn peer(&self) -> &Peer {
        &self.pending.peer
    }

    pub(super) const fn pending(&self) -> &Arc<PendingBind> {
        &self.pending
    }

    /// Accepts the bind. `system_id` is that of the SMSC; it may be empty.
    ///
    /// # Errors
    ///
    /// Returns a [`Refusal`] if the session has ended.
    pub fn accept(self, system_id: COctets<'_, 16>) -> Result<(Peer, Inbox<Smsc>), Refusal> {
        if let Some(reply) = self.pending.take_reply() {
            self.respond(reply, (system_id, Some(InterfaceVersion::V3_4)), None)?;
        }
        Ok((self.pending.peer.clone(), self.inbox))
    }

    /// Accepts the bind. The response states the version, or none. The session has the configuration from now on.
    pub(super) fn accept_as(
        self,
        reply: Reply<Bind<'static>>,
        from: (COctets<'_, 16>, Option<InterfaceVersion>),
        config: Config,
    ) -> Result<Inbox<Smsc>, Refusal> {
        self.respond(reply, from, Some(config))?;
        Ok(self.inbox)
    }

    fn respond(
        &self,
        reply: Reply<Bind<'static>>,
        (system_id, version): (COctets<'_, 16>, Option<InterfaceVersion>),
        config: Option<Config>,
    ) -> Result<(), Refusal> {
        let tlvs = version.map(Tlv::sc_interface_version);
        let response = BindResp { system_id, tlvs: Tlvs::list(tlvs.as_slice()) };
        self.pending.peer.shared.with(|state, now| {
            if let Some(config) = config {
                state.session.reconfigure(now, config);
                state.session.raise_max_pdu(config.max_pdu);
                state.max_pdu = config.max_pdu;
            }
            state.session.respond(reply, Ok(response))?;
            state.telemetry.bind_answered(CommandStatus::ROK);
            if let Some(server) = &mut state.server {
                server.bound();
            }
            Ok(())
        })
    }

    /// Refuses the bind with a status, and ends the session after the response is sent. Returns how the session ended.
    pub fn refuse(self, status: CommandStatus) -> End {
        if let Some(reply) = self.pending.take_reply() {
            self.pending.respond(reply, status);
        }
        self.pending.peer.unbind()
    }
}

impl fmt::Debug for BindRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BindRequest")
            .field("request", &self.pending.request)
            .field("origin", &self.pending.origin)
            .finish_non_exhaustive()
    }
}
