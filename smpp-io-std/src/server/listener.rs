//! A TCP address on which a server listens.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;

use rustls::ServerConfig;
use smpp_core::session::Config;

/// An address on which a [`Server`](crate::Server) listens, and the configuration of the sessions that are accepted there.
///
/// ```no_run
/// use std::path::Path;
/// use smpp_core::session::Config;
/// use smpp_io_std::{Listener, tls};
///
/// let plain = Listener::bind("0.0.0.0:2775", Config::default())?;
/// let certificate = tls::server_files(Path::new("chain.pem"), Path::new("key.pem"))?;
/// let secure = Listener::bind("0.0.0.0:2776", Config::default())?.tls(certificate);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// If you drop it, the address is closed.
#[derive(Debug)]
pub struct Listener {
    pub(super) tcp: TcpListener,
    pub(super) tls: Option<Arc<ServerConfig>>,
    pub(super) config: Config,
}

impl Listener {
    /// Listens on a TCP address. `config` is the configuration of each session. From the TCP connection to the bind,
    /// including the TLS handshake, an ESME has [`Config::session_init_timeout`].
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system, for example if the address is in use.
    pub fn bind(address: impl ToSocketAddrs, config: Config) -> io::Result<Self> {
        Ok(Self { tcp: TcpListener::bind(address)?, tls: None, config })
    }

    /// Requires TLS from the first octet. Make the configuration with [`tls::server`](crate::tls::server) or
    /// [`tls::server_files`](crate::tls::server_files).
    #[must_use]
    pub fn tls(self, tls: Arc<ServerConfig>) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Returns the address. If the port was 0, it is the port that the operating system has chosen.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}
