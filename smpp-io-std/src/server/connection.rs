//! The thread of one connection: TLS handshake, bind, requests.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use smpp_common::{Arrival, ServerLimits};
use smpp_proto::server::{Admission, BindRefusal, ConnectionId, RejectReason};
use smpp_proto::session::{Observer, RateMeter, Smsc};
use smpp_proto::{COctets, CommandStatus, InterfaceVersion, Operation as _};

use super::bind_request::{BindRequest, PendingBind, first_bind};
use super::bound::{BindId, BoundSession};
use super::incoming::IncomingConnection;
use super::registry::Registry;
use super::service::{ServerEvent, Service};
use super::slot::Slot;
use super::stream::ServerStream;
use super::unbound::Unbound;
use crate::error::AcceptError;
use crate::handle_route::HandleRoute;
use crate::inbound::Inbound;
use crate::inbox::Inbox;
use crate::session_hook::SessionHook;

/// What all connections of a server share.
pub(super) struct ServerContext {
    pub(super) service: Box<dyn Service>,
    pub(super) registry: Arc<Registry>,
    /// The system_id of the SMSC.
    pub(super) system_id: Vec<u8>,
    /// The version that bind responses state.
    pub(super) version: Option<InterfaceVersion>,
    pub(super) observer: Option<ObserverFactory>,
}

/// Creates the observer of a connection from the address of the client.
pub(super) type ObserverFactory = Box<dyn Fn(SocketAddr) -> Box<dyn Observer + Send> + Send + Sync>;

/// Why a connection was not bound.
enum NotBound {
    Failed(AcceptError),
    /// It was closed for a newer connection, or because the server stops.
    Closed,
    /// The bind was refused, and the event is emitted.
    Refused,
}

/// A bind, its requests, and its rate limit.
type Admitted = (BoundSession, Inbox<Smsc>, Option<RateMeter>);

impl ServerContext {
    /// Emits an event to the service. A panic in there does not affect the connection.
    pub(super) fn emit(&self, event: ServerEvent<'_>) {
        let _ = catch_unwind(AssertUnwindSafe(|| self.service.event(event)));
    }

    /// Runs a connection until its session has ended.
    pub(super) fn run_connection(
        &self,
        mut connection: IncomingConnection,
        slot: &Arc<Slot>,
        unbound: Arc<Unbound>,
    ) {
        if connection.arrival() == Arrival::Proxied && !self.identify(&mut connection, slot, &unbound) {
            return;
        }
        let (address, tls) = (connection.peer_addr(), connection.is_tls());
        // Before the first event: if it panics, there is none.
        let connection = match &self.observer {
            Some(observer) => connection.observe(observer(address)),
            None => connection,
        };
        self.emit(ServerEvent::Connected { connection: BindId(slot.id), address, tls });
        let not_bound = |error: Option<&AcceptError>| {
            self.emit(ServerEvent::NotBound { connection: BindId(slot.id), address, error });
        };
        let admitted = self.admit(connection, slot, &unbound);
        let (bound, inbox, meter) = match admitted {
            Ok(admitted) => admitted,
            Err(NotBound::Failed(_)) if unbound.is_closed() => return not_bound(None),
            Err(NotBound::Failed(error)) => return not_bound(Some(&error)),
            Err(NotBound::Closed) => return not_bound(None),
            Err(NotBound::Refused) => return,
        };
        drop(unbound);
        slot.announce(&bound);
        self.serve(slot, &bound, inbox, meter);
    }

    /// Reads the header of the PROXY protocol. Returns whether the connection is accepted with the address that it states.
    fn identify(&self, connection: &mut IncomingConnection, slot: &Slot, unbound: &Unbound) -> bool {
        let result = match connection.read_proxy_header() {
            Err(error) if !unbound.is_closed() => {
                Err(self.registry.reject(slot.id, RejectReason::ProxyHeader(error)))
            }
            // If it is closed for another one, this returns the reason.
            _ => self.registry.identify(slot.id, connection.peer_addr()),
        };
        let Err(reason) = result else { return true };
        self.emit(ServerEvent::ConnectionRejected { address: connection.peer_addr(), reason });
        false
    }

    /// Waits for the bind, and lets the service decide on it.
    fn admit(
        &self,
        connection: IncomingConnection,
        slot: &Arc<Slot>,
        unbound: &Unbound,
    ) -> Result<Admitted, NotBound> {
        let config = connection.config();
        let connection = connection.with_config(self.registry.unbound_config(&config));
        let hook: Arc<dyn SessionHook> = slot.clone();
        let of_bind = |stream: ServerStream| stream.of_bind(BindId(slot.id));
        let opened = connection.open(Some(hook), |stream| self.service.transport(of_bind(stream)));
        let (peer, inbox, origin) = opened.map_err(NotBound::Failed)?;
        slot.set_peer(&peer);
        if !unbound.set_peer(&peer) {
            peer.begin_abort();
            return Err(NotBound::Closed);
        }
        let request = first_bind(peer, inbox, origin).map_err(NotBound::Failed)?;
        // The bind first: from the decision's begin on, its timeout refuses the bind that it finds there.
        if !unbound.set_bind(request.pending()) {
            return Err(NotBound::Closed);
        }
        self.registry.begin_decision(slot.id);
        let call = slot.begin_call();
        let decision = catch_unwind(AssertUnwindSafe(|| self.service.bind(&request)));
        drop(call);
        let Some(reply) = request.pending().take_reply() else {
            // The bind has been refused meanwhile.
            return Err(if unbound.is_closed() { NotBound::Closed } else { NotBound::Refused });
        };
        if let Some(end) = request.peer().try_end() {
            return Err(NotBound::Failed(AcceptError::Ended(end)));
        }
        let decision = decision.unwrap_or(Err(CommandStatus::RBINDFAIL)).map_err(BindRefusal::Application);
        let decided =
            self.decide(slot, &request, config.window, decision.as_ref().map_err(|refusal| *refusal));
        let (bound, Admission { rate, tolerance, peer_version, .. }) = match (decided, decision) {
            (Ok(bound), Ok(admission)) => (bound, admission),
            (Ok(_), Err(_)) => return Err(NotBound::Refused),
            (Err(status), _) => {
                self.refused(slot.id, request.pending(), status);
                request.pending().refuse(reply, status);
                return Err(NotBound::Refused);
            }
        };
        let config = config
            .tolerance(tolerance.or(config.tolerance))
            .peer_version(peer_version.or(config.peer_version));
        let system_id = COctets::new(&self.system_id).unwrap_or_default();
        let peer = request.peer().clone();
        let Ok(inbox) = request.accept_as(reply, (system_id, self.version), config) else {
            return Err(NotBound::Failed(AcceptError::Ended(peer.closed())));
        };
        self.registry.ready(slot.id);
        Ok((bound, inbox, rate.or(self.registry.limits.rate).map(RateMeter::new)))
    }

    fn decide(
        &self,
        slot: &Slot,
        request: &BindRequest,
        window: u16,
        decision: Result<&Admission, BindRefusal>,
    ) -> Result<BoundSession, CommandStatus> {
        let (bind, peer) = (request.bind(), request.peer().clone());
        let account = (bind.system_id.as_bytes(), bind.mode);
        self.registry.decide(slot.id, account, window, decision, |name| {
            BoundSession::new(BindId(slot.id), account, name, (request.peer_addr(), request.is_tls()), peer)
        })
    }

    fn refused(&self, id: ConnectionId, pending: &PendingBind, status: CommandStatus) {
        let (connection, address, bind) = (BindId(id), pending.address(), pending.bind());
        let (system_id, mode) = (bind.system_id.as_bytes(), bind.mode);
        self.emit(ServerEvent::BindRefused { connection, address, system_id, mode, status });
    }

    /// Refuses a bind that the service has not decided on in time.
    pub(super) fn refuse_undecided(&self, id: ConnectionId, unbound: &Unbound) {
        let Some(pending) = unbound.bind() else { return };
        let Some(reply) = pending.take_reply() else { return };
        let bind = pending.bind();
        let account = (bind.system_id.as_bytes(), bind.mode);
        let refusal = BindRefusal::Undecided;
        let status = self.registry.refuse(id, account, refusal);
        self.refused(id, &pending, status);
        pending.refuse(reply, status);
    }

    /// Passes the requests of a bind to the service until its session has ended.
    fn serve(&self, slot: &Slot, bound: &BoundSession, mut inbox: Inbox<Smsc>, mut meter: Option<RateMeter>) {
        while let Some(request) = inbox.recv() {
            let recipients = recipients(&request);
            if let Some(recipients) = recipients
                && (meter.is_some() || self.registry.has_account_rates())
                && !self.registry.take_rate(slot.id, meter.as_mut(), recipients)
            {
                if !bound.set_throttled(true) {
                    self.registry.throttled(slot.id);
                }
                self.emit(ServerEvent::Throttled(bound));
                let ServerLimits { rate_status, .. } = self.registry.limits;
                // The observer gets the response, and may panic.
                let _ = catch_unwind(AssertUnwindSafe(|| throttle(request, rate_status)));
                continue;
            }
            if recipients.is_some() {
                bound.set_throttled(false);
            }
            let Some(_call) = slot.begin_call() else { return };
            // A request that is dropped by a panic is refused.
            let _ = catch_unwind(AssertUnwindSafe(|| self.service.request(bound, request)));
        }
    }
}

/// Returns how many messages the rate limit counts the request as; `None` if it is none.
fn recipients(inbound: &Inbound<HandleRoute<Smsc>>) -> Option<u32> {
    match inbound {
        Inbound::SubmitMulti(message) => Some(message.get().recipients()),
        Inbound::SubmitSm(_) | Inbound::DataSm(_) | Inbound::BroadcastSm(_) => Some(1),
        _ => None,
    }
}

/// Refuses a message above the rate limit. Fails if the session has ended: then no response is needed.
fn throttle(inbound: Inbound<HandleRoute<Smsc>>, status: CommandStatus) {
    let _ = match inbound {
        Inbound::SubmitSm(message) => message.refuse(status),
        Inbound::SubmitMulti(message) => message.refuse(status),
        Inbound::DataSm(message) => message.refuse(status),
        Inbound::BroadcastSm(message) => message.refuse(status),
        _ => return,
    };
}
