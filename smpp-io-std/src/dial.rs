//! Making the transport of an ESME: TCP or a function of the application, and the TLS configuration.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;
use smpp_proto::Endpoint;

use crate::error::{DialTarget, TlsError};
use crate::transport::Duplex;

/// A function that makes a transport to an address.
#[derive(Clone)]
pub(crate) struct Dialer(Arc<dyn Fn(DialTarget) -> io::Result<Box<dyn Duplex>> + Send + Sync>);

impl Dialer {
    pub(crate) fn new<S: Duplex + 'static>(
        dialer: impl Fn(DialTarget) -> io::Result<S> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move |target| Ok(Box::new(dialer(target)?))))
    }

    pub(crate) fn dial(&self, endpoint: &Endpoint, address: SocketAddr) -> io::Result<Box<dyn Duplex>> {
        (self.0)(DialTarget::new(endpoint, address))
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer").finish_non_exhaustive()
    }
}

/// Makes a TCP connection to the address.
pub(crate) fn tcp(address: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect_timeout(&address, timeout)?;
    // Without it, Nagle's algorithm delays each PDU. A failure to set it is harmless.
    let _ = tcp.set_nodelay(true);
    Ok(tcp)
}

/// The TLS configuration of a connector: the one that the application has set, or the operating system's certificate
/// authorities. These are loaded for the first connection, and the later ones resume TLS sessions with them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientTls(Arc<Mutex<Option<Arc<ClientConfig>>>>);

impl ClientTls {
    pub(crate) fn new(config: Arc<ClientConfig>) -> Self {
        Self(Arc::new(Mutex::new(Some(config))))
    }

    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let mut config = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = &*config {
            return Ok(Arc::clone(config));
        }
        Ok(Arc::clone(config.insert(system_roots()?)))
    }
}

#[cfg(feature = "native-roots")]
fn system_roots() -> Result<Arc<ClientConfig>, TlsError> {
    crate::tls::system_roots()
}

#[cfg(not(feature = "native-roots"))]
fn system_roots() -> Result<Arc<ClientConfig>, TlsError> {
    Err(TlsError::NoRoots)
}

#[cfg(all(test, feature = "native-roots"))]
mod tests {
    use super::*;

    #[test]
    fn the_system_roots_are_loaded_once_for_a_connector_and_its_clones() {
        let tls = ClientTls::default();
        let Ok(first) = tls.config() else { return };
        assert!(Arc::ptr_eq(&first, &tls.clone().config().unwrap()));
    }
}
