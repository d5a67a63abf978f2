//! The settings of an account that its options do not have: where to connect, which certificates to trust, what to
//! observe.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use smpp_core::Endpoint;
use smpp_core::account::{Credentials, LinkId, Options};
use smpp_core::session::Observer;

use crate::dial::{ClientTls, Dialer};
use crate::error::{ConnectError, ConnectErrorKind};
use crate::transport::Duplex;

/// The observer of the PDUs of one bind.
pub(super) type BoxedObserver = Box<dyn Observer + Send>;

/// Returns all addresses of an endpoint.
type Resolver = Box<dyn Fn(&Endpoint) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// Starts an [`Account`](super::Account): takes the endpoint, the [`Options`], and everything else that an account needs.
///
/// ```no_run
/// use std::path::Path;
/// use std::time::Duration;
/// use smpp_core::account::{Credentials, Options};
/// use smpp_core::provider::Provider;
/// use smpp_io_std::account::AccountConnector;
/// use smpp_io_std::tls;
///
/// let options = Options::new(Credentials::new("shop", "secret"), &Provider::EIGHT_BY_EIGHT);
/// let (account, arrivals) = AccountConnector::new(&"smpps://localhost:2776".parse()?, options)
///     .tls(tls::ca_file(Path::new("ca.pem"))?)
///     .bind_timeout(Duration::from_secs(10))
///     .connect()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct AccountConnector {
    pub(super) endpoint: Endpoint,
    pub(super) options: Options,
    pub(super) tls: ClientTls,
    pub(super) dialer: Option<Dialer>,
    pub(super) bind_timeout: Duration,
    pub(super) arrivals_capacity: usize,
    pub(super) events_capacity: usize,
    pub(super) resolver: Resolver,
    pub(super) observer: Option<Box<dyn Fn(LinkId) -> BoxedObserver + Send + Sync>>,
}

impl AccountConnector {
    /// Creates a connector for an account at the endpoint. A system_id and a password in the endpoint replace those of the
    /// options.
    pub fn new(endpoint: &Endpoint, options: Options) -> Self {
        let Endpoint { system_id, password, .. } = endpoint.clone();
        let credentials = Credentials {
            system_id: system_id.unwrap_or(options.credentials.system_id),
            password: password.unwrap_or(options.credentials.password),
            ..options.credentials
        };
        Self {
            endpoint: endpoint.clone(),
            options: Options { credentials, ..options },
            tls: ClientTls::default(),
            dialer: None,
            bind_timeout: Duration::from_secs(60),
            arrivals_capacity: 1_000,
            events_capacity: 1_024,
            resolver: Box::new(|endpoint| {
                Ok((endpoint.host.as_str(), endpoint.port).to_socket_addrs()?.collect())
            }),
            observer: None,
        }
    }

    /// Sets the TLS configuration, instead of the certificate authorities that the operating system trusts. Create one with
    /// [`tls`](crate::tls), or pass your own.
    #[must_use]
    pub fn tls(self, tls: Arc<ClientConfig>) -> Self {
        Self { tls: ClientTls::new(tls), ..self }
    }

    /// Sets a function that makes the connection to an address, instead of TCP: for a proxy, a socket with options of your
    /// own, or a transport in memory. For `smpps://` the TLS handshake is made over it.
    ///
    /// The thread of the connection calls it, so it may block. But it has to return:
    /// [`Options::connect_timeout`] does not apply to it. When the account no longer needs a transport, also during the TLS
    /// handshake, it [closes](Duplex::close) the transport; a read or a write in progress has to return then.
    ///
    /// ```no_run
    /// use std::net::TcpStream;
    /// use smpp_io_std::account::AccountConnector;
    /// # fn example(connector: AccountConnector) {
    /// let connector = connector.dial(|address| {
    ///     let tcp = TcpStream::connect(address)?;
    ///     tcp.set_ttl(10)?;
    ///     Ok(tcp)
    /// });
    /// # }
    /// ```
    #[must_use]
    pub fn dial<S: Duplex + 'static>(
        self,
        dialer: impl Fn(SocketAddr) -> io::Result<S> + Send + Sync + 'static,
    ) -> Self {
        Self { dialer: Some(Dialer::new(dialer)), ..self }
    }

    /// Sets how long [`connect`](Self::connect) waits for the first bind. Default 60 s.
    #[must_use]
    pub fn bind_timeout(self, timeout: Duration) -> Self {
        Self { bind_timeout: timeout, ..self }
    }

    /// Sets how many messages and delivery receipts may wait in [`Arrivals`](super::Arrivals). Default 1,000. While as many
    /// wait, the account refuses further ones with a temporary error (`ESME_RX_T_APPN`), so that the SMSC keeps them.
    #[must_use]
    pub fn arrivals_capacity(self, capacity: usize) -> Self {
        Self { arrivals_capacity: capacity, ..self }
    }

    /// Sets how many events a receiver of [`Account::events`](super::Account::events) may have left to read, at least 1. Beyond
    /// it the receiver loses the oldest. Default 1,024; also at most 256 KiB of texts of the SMSC.
    #[must_use]
    pub fn events_capacity(self, capacity: usize) -> Self {
        Self { events_capacity: capacity, ..self }
    }

    /// Sets a function that resolves the host of the endpoint, instead of the operating system's resolver.
    ///
    /// The thread of the connection calls it, so it may block. If it takes longer than [`Options::connect_timeout`], the
    /// attempt counts as failed. But the function has to return: until it does, the account makes no further attempt for
    /// that connection.
    #[must_use]
    pub fn resolver(
        self,
        resolver: impl Fn(&Endpoint) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self { resolver: Box::new(resolver), ..self }
    }

    /// Sets a function that makes an observer for each bind. The observer sees the PDUs of the bind, without passwords.
    ///
    /// The thread that does the account's work calls the observer, under the account's lock. So the observer should return
    /// quickly, and must not call the account. If it panics, the bind or the account may end.
    #[must_use]
    pub fn observe<T: Observer + Send + 'static>(
        self,
        observer: impl Fn(LinkId) -> T + Send + Sync + 'static,
    ) -> Self {
        Self { observer: Some(Box::new(move |link| Box::new(observer(link)))), ..self }
    }

    pub(super) fn connect_error(&self, kind: ConnectErrorKind) -> ConnectError {
        ConnectError { endpoint: self.endpoint.to_string(), kind }
    }
}

impl fmt::Debug for AccountConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountConnector")
            .field("endpoint", &self.endpoint)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
