//! Serves connections that the application accepts.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use smpp_proto::server::RejectReason;

use super::connection::ServerContext;
use super::incoming::IncomingConnection;
use super::service::ServerEvent;
use super::slot::Slot;
use super::unbound::Unbound;

/// Serves connections for a [`Server`](crate::Server), from an accept loop of the application. Cheap to clone. It keeps the service,
/// and does not keep the server running: then [`serve`](Self::serve) returns [`RejectReason::Stopping`].
///
/// ```no_run
/// use smpp_proto::session::Config;
/// use smpp_std::{IncomingConnection, Server};
///
/// # fn accept_stream() -> std::io::Result<(std::net::TcpStream, std::net::SocketAddr)> {
/// #     unimplemented!()
/// # }
/// # fn example(server: &Server) {
/// let acceptor = server.acceptor();
/// std::thread::spawn(move || {
///     while let Ok((stream, address)) = accept_stream() {
///         if let Err(reason) = acceptor.serve(IncomingConnection::new(stream, address, Config::default())) {
///             println!("connection from {address} rejected: {reason}");
///         }
///     }
/// });
/// # }
/// ```
#[derive(Clone)]
pub struct Acceptor(Arc<ServerContext>);

impl Acceptor {
    pub(super) const fn new(context: Arc<ServerContext>) -> Self {
        Self(context)
    }

    /// Serves a connection: see [`Server::serve`](crate::Server::serve).
    ///
    /// # Errors
    ///
    /// Returns why the connection is closed at once.
    pub fn serve(&self, connection: IncomingConnection) -> Result<(), RejectReason> {
        start_connection(&self.0, connection)
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").finish_non_exhaustive()
    }
}

/// Starts the thread of a connection. If there is none for it, the connection is closed.
pub(super) fn start_connection(
    context: &Arc<ServerContext>,
    connection: IncomingConnection,
) -> Result<(), RejectReason> {
    let address = connection.peer_addr();
    let unbound = Arc::new(Unbound::new(Arc::clone(connection.socket())));
    let accepted = context.registry.accept(address, connection.arrival(), &unbound);
    let started = accepted.and_then(|id| {
        let slot = Arc::new(Slot::new(id, Arc::clone(context)));
        let run = move || {
            let context = &slot.context;
            let run = || context.run_connection(connection, &slot, unbound);
            if catch_unwind(AssertUnwindSafe(run)).is_err() {
                slot.abort();
            }
        };
        // If it fails, `run` is dropped, which closes the connection.
        let started = thread::Builder::new().name("smpp handler".into()).spawn(run);
        started.map(drop).map_err(|_| RejectReason::NoThread)
    });
    if let Err(reason) = started {
        context.emit(ServerEvent::ConnectionRejected { address, reason });
    }
    started
}
