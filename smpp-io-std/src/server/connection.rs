//! Accepting connections, and the thread of one connection: handshake, bind, requests.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use smpp_core::session::{Config, Smsc};
use smpp_core::{BindResp, COctets, Tlv, Tlvs};

use super::listener::Listener;
use super::service::{BindRequest, BoundSession};
use super::shared::Shared;
use crate::handle::Peer;
use crate::inbound::Inbound;
use crate::inbox::Inbox;
use crate::start::start_observed;
use crate::stream::Stream;
use crate::tls_stream::TlsStream;

/// The pause after a failed accept: the process may have too many open files, for example.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections until the server stops. Each gets a thread.
pub(super) fn accept(shared: &Arc<Shared>, listener: &Listener) {
    for accepted in listener.tcp.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(tcp) = accepted else {
            thread::sleep(ACCEPT_PAUSE);
            continue;
        };
        let Ok(address) = tcp.peer_addr() else { continue };
        let Some(number) = shared.lock().register(address.ip(), shared.limits) else { continue };
        let connection = RegisteredConnection { shared: Arc::clone(shared), number };
        // If there is no thread for it, the connection is closed.
        let thread = thread::Builder::new().name("smpp handler".into());
        let (tls, config) = (listener.tls.clone(), listener.config);
        let _ = thread.spawn(move || connection.serve(tcp, tls, config, address));
    }
}

/// A connection that counts towards the limits until it is dropped.
struct RegisteredConnection {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for RegisteredConnection {
    fn drop(&mut self) {
        let ended = self.shared.lock().all.remove(&self.number);
        self.shared.connection_ended.notify_all();
        // Without its thread the session ends, even if the application keeps a handle. Not under the lock.
        ended.and_then(|connection| connection.peer).inspect(Peer::begin_unbind);
    }
}

impl RegisteredConnection {
    /// Serves the connection until its session has ended.
    fn serve(self, tcp: TcpStream, tls: Option<Arc<ServerConfig>>, config: Config, address: SocketAddr) {
        let Some((bound, mut inbox)) = self.admit(tcp, tls, config, address) else { return };
        while let Some(request) = inbox.recv() {
            self.shared.service.request(&bound, request);
        }
    }

    /// Makes the TLS handshake and waits for the bind, both within [`Config::session_init_timeout`]; then lets the service
    /// decide.
    fn admit(
        &self,
        tcp: TcpStream,
        tls: Option<Arc<ServerConfig>>,
        config: Config,
        address: SocketAddr,
    ) -> Option<(BoundSession, Inbox<Smsc>)> {
        let began = Instant::now();
        // Without it, Nagle's algorithm delays each response. A failure to set it is harmless.
        let _ = tcp.set_nodelay(true);
        let stream = match tls {
            Some(tls) => {
                Stream::Tls(Box::new(TlsStream::accept(tcp, tls, config.session_init_timeout).ok()?))
            }
            None => Stream::Tcp(tcp),
        };
        let session_init_timeout = config.session_init_timeout.saturating_sub(began.elapsed());
        let observer = self.shared.observer.as_ref().map(|observer| observer(address));
        let config = Config { session_init_timeout, ..config };
        let (peer, mut inbox) = start_observed(stream, config, observer).ok()?;
        self.shared.lock().all.get_mut(&self.number)?.peer = Some(peer.clone());
        if self.shared.stopping.load(Ordering::SeqCst) {
            return None;
        }
        // The session refuses every other request before the bind.
        let Inbound::Bind(request) = inbox.recv()? else { return None };
        let request = BindRequest { request, address };
        let system_id = request.bind().system_id.as_bytes().into();
        let bound = BoundSession { peer, system_id, address };
        let admitted = self.shared.service.bind(&request).and_then(|()| {
            let limit = self.shared.limits.binds_per_account;
            let registered = self.shared.lock().bind(self.number, &bound, limit);
            if registered { Ok(()) } else { Err(self.shared.limits.binds_status) }
        });
        if let Err(status) = admitted {
            // The response fails if the ESME has disconnected.
            let _ = request.request.refuse(status);
            bound.peer.unbind();
            return None;
        }
        let version = self.shared.version.map(Tlv::sc_interface_version);
        let system_id = COctets::new(&self.shared.system_id).unwrap_or_default();
        let response = BindResp { system_id, tlvs: Tlvs::list(version.as_slice()) };
        request.request.respond(Ok(response)).ok().map(|()| (bound, inbox))
    }
}
