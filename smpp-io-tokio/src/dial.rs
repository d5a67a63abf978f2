//! Opens the connections of clients: TCP or a transport of the application, and TLS over it.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use smpp_proto::Endpoint;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::error::{DialTarget, no_answer};
use crate::tls::{ClientConfig, ClientTls, TlsError};

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

/// Returns the TLS configuration of a connector.
pub(crate) async fn tls_config(tls: &ClientTls) -> Result<Arc<ClientConfig>, TlsError> {
    if let Some(config) = tls.loaded() {
        return Ok(config);
    }
    // Reading the files of the system blocks the thread.
    let tls = tls.clone();
    let loading = tokio::task::spawn_blocking(move || tls.config());
    loading.await.unwrap_or_else(|error| Err(TlsError::Io(error.into())))
}

/// Performs the TLS handshake until the deadline, and verifies the certificate for the host.
#[cfg(feature = "rustls")]
pub(crate) async fn handshake<S>(
    config: Arc<ClientConfig>,
    host: &str,
    stream: S,
    deadline: Instant,
) -> Result<tokio_rustls::client::TlsStream<S>, TlsError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    use crate::tls::rustls::pki_types::ServerName;

    let name = ServerName::try_from(host.to_owned()).map_err(|_| TlsError::ServerName)?;
    Ok(in_time(deadline, tokio_rustls::TlsConnector::from(config).connect(name, stream)).await?)
}

/// Stands for the handshake in a program without TLS: it has no configuration of a client.
#[cfg(not(feature = "rustls"))]
pub(crate) async fn handshake<S>(
    config: Arc<ClientConfig>,
    _: &str,
    _: S,
    _: Instant,
) -> Result<S, TlsError> {
    match *config {}
}

/// Returns the result of `work`, or the error `TimedOut` once the deadline has passed. It says how long the work had.
pub(crate) async fn in_time<T>(
    deadline: Instant,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let timeout = deadline.saturating_duration_since(Instant::now());
    timeout_at(deadline, work).await.unwrap_or_else(|_| Err(no_answer(timeout)))
}

/// Opens a TCP connection.
pub(crate) async fn tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // With Nagle's algorithm each response would be delayed. If the option cannot be set, the connection still works.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}
