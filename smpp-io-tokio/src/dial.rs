//! Opens the connections of clients: TCP or a transport of the application, and TLS over it.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use smpp_proto::Endpoint;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::{DialTarget, TlsError};
use crate::tls;

/// A transport of any type.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Transport for T {}

pub(crate) type BoxedTransport = Box<dyn Transport>;

type DialFuture = Pin<Box<dyn Future<Output = io::Result<BoxedTransport>> + Send>>;

/// Opens transports with a function of the application.
#[derive(Clone)]
pub(crate) struct Dialer(Arc<dyn Fn(DialTarget) -> DialFuture + Send + Sync>);

impl Dialer {
    pub(crate) fn new<F, T>(dialer: impl Fn(DialTarget) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<T>> + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Self(Arc::new(move |target| {
            let dialing = dialer(target);
            Box::pin(async move { Ok(Box::new(dialing.await?) as BoxedTransport) })
        }))
    }

    pub(crate) async fn dial(&self, endpoint: &Endpoint, address: SocketAddr) -> io::Result<BoxedTransport> {
        (self.0)(DialTarget::new(endpoint, address)).await
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer").finish_non_exhaustive()
    }
}

/// The TLS configuration of a connector: that of the application, or the system's roots. These are loaded once, so that
/// later connections resume TLS sessions.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientTls(Arc<OnceCell<Arc<ClientConfig>>>);

impl From<Arc<ClientConfig>> for ClientTls {
    fn from(config: Arc<ClientConfig>) -> Self {
        Self(Arc::new(OnceCell::new_with(Some(config))))
    }
}

impl ClientTls {
    pub(crate) async fn config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        // Reading the files of the system blocks the thread.
        let load = || async {
            let loading = tokio::task::spawn_blocking(tls::system_roots);
            loading.await.unwrap_or_else(|error| Err(TlsError::Io(error.into())))
        };
        self.0.get_or_try_init(load).await.map(Arc::clone)
    }
}

/// Performs the TLS handshake until the deadline, and verifies the certificate for the host.
pub(crate) async fn handshake<S>(
    config: Arc<ClientConfig>,
    host: &str,
    stream: S,
    deadline: Instant,
) -> Result<TlsStream<S>, TlsError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = ServerName::try_from(host.to_owned()).map_err(|_| TlsError::ServerName)?;
    Ok(in_time(deadline, TlsConnector::from(config).connect(name, stream)).await?)
}

/// Returns the result of `work`, or the error `TimedOut` once the deadline has passed.
pub(crate) async fn in_time<T>(
    deadline: Instant,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    timeout_at(deadline, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Opens a TCP connection.
pub(crate) async fn tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // With Nagle's algorithm each response would be delayed. If the option cannot be set, the connection still works.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_roots_of_the_system_are_loaded_once() {
        let tls = ClientTls::default();
        // A system may have none.
        if let (Ok(first), Ok(second)) = (tls.config().await, tls.clone().config().await) {
            assert!(Arc::ptr_eq(&first, &second));
        }
    }
}
