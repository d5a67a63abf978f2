//! Making the transport of an ESME: TCP or a function of the application.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use smpp_proto::Endpoint;

use crate::error::{DialTarget, no_answer};
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
    let tcp = TcpStream::connect_timeout(&address, timeout);
    let tcp = tcp.map_err(|error| match (error.kind(), error.raw_os_error()) {
        (io::ErrorKind::TimedOut, None) => no_answer(timeout),
        _ => error,
    })?;
    // Without it, Nagle's algorithm delays each PDU. A failure to set it is harmless.
    let _ = tcp.set_nodelay(true);
    Ok(tcp)
}
