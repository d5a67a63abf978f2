//! Serves connections that the application accepts.

use std::fmt;
use std::sync::Arc;

use smpp_proto::server::RejectReason;

use super::connection::ServerContext;
use super::incoming::IncomingConnection;
use super::service::Service;

/// Serves connections for a [`Server`](super::Server), from an accept loop of the application. Cheap to clone. It keeps the
/// service, and does not keep the server running: then [`serve`](Self::serve) returns [`RejectReason::Stopping`].
///
/// ```no_run
/// use smpp_proto::session::Config;
/// use smpp_tokio::{IncomingConnection, Server};
///
/// # async fn accept_websocket() -> std::io::Result<(tokio::io::DuplexStream, std::net::SocketAddr)> {
/// #     unimplemented!()
/// # }
/// # fn example(server: &Server) {
/// let acceptor = server.acceptor();
/// tokio::spawn(async move {
///     while let Ok((stream, address)) = accept_websocket().await {
///         if let Err(reason) = acceptor.serve(IncomingConnection::new(stream, address, Config::default())) {
///             println!("connection from {address} rejected: {reason}");
///         }
///     }
/// });
/// # }
/// ```
#[derive(Clone)]
pub struct Acceptor(Arc<dyn Serve>);

/// A server with a service of any type.
trait Serve: Send + Sync {
    fn serve(self: Arc<Self>, connection: IncomingConnection) -> Result<(), RejectReason>;
}

impl<S: Service> Serve for ServerContext<S> {
    fn serve(self: Arc<Self>, connection: IncomingConnection) -> Result<(), RejectReason> {
        Self::serve(&self, connection)
    }
}

impl Acceptor {
    pub(super) fn new<S: Service>(context: Arc<ServerContext<S>>) -> Self {
        Self(context)
    }

    /// Serves a connection: see [`Server::serve`](super::Server::serve).
    ///
    /// # Errors
    ///
    /// Returns why the connection is closed at once.
    pub fn serve(&self, connection: IncomingConnection) -> Result<(), RejectReason> {
        Arc::clone(&self.0).serve(connection)
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").finish_non_exhaustive()
    }
}
