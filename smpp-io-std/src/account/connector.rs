//! The settings of an account that its options do not have: where to connect, which certificates to trust, what to
//! observe.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use smpp_common::LastFailure;
use smpp_proto::Endpoint;
use smpp_proto::account::{Expected, LinkId, Options};
use smpp_proto::session::Observer;

use crate::dial::Dialer;
use crate::error::{ConnectError, ConnectErrorKind, DialTarget, unresolved};
use crate::tls::ClientTls;
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
/// use smpp_proto::account::{Credentials, Options};
/// use smpp_proto::provider::Provider;
/// use smpp_std::account::AccountConnector;
/// use smpp_std::tls;
///
/// let options = Options::new(Credentials::new("shop", "secret"), &Provider::EIGHT_BY_EIGHT);
/// let (account, arrivals) = AccountConnector::new(&"smpps://localhost:2776".parse()?, options)
///     .tls(tls::ca_file(Path::new("ca.pem"))?)
///     .bind_timeout(Duration::from_secs(10))
///     .connect()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct AccountConnector {
    /// The options at the start.
    pub(super) options: Options,
    pub(super) tls: ClientTls,
    pub(super) dialer: Option<Dialer>,
    pub(super) bind_timeout: Duration,
    pub(super) arrivals_capacity: usize,
    /// The messages of an earlier process, until the account has them.
    pub(super) expected: Vec<Expected>,
    pub(super) events_capacity: usize,
    pub(super) resolver: Resolver,
    pub(super) observer: Option<Box<dyn Fn(LinkId) -> BoxedObserver + Send + Sync>>,
}

impl AccountConnector {
    /// Creates a connector for an account at the endpoint. It goes before the [`endpoints`](Options::endpoints) of the
    /// options, which are tried when it fails. A system_id and a password in the endpoint replace those of the options.
    pub fn new(endpoint: &Endpoint, mut options: Options) -> Self {
        let Endpoint { system_id, password, .. } = endpoint.clone();
        if let Some(system_id) = system_id {
            options.credentials.system_id = system_id;
        }
        if let Some(password) = password {
            options.credentials.password = password;
        }
        options.endpoints.insert(0, endpoint.clone());
        Self::with_options(options)
    }

    /// Creates a connector for the endpoints of the options: [`Options::endpoints`], and those of the groups of
    /// [`Options::binds`]. Their system_id and password are not used.
    ///
    /// ```no_run
    /// use smpp_proto::Endpoint;
    /// use smpp_proto::account::{Binds, Credentials, Options};
    /// use smpp_proto::provider::Provider;
    /// use smpp_std::account::AccountConnector;
    ///
    /// let (tx, rx): (Endpoint, Endpoint) = ("smpps://tx.example.com".parse()?, "smpps://rx.example.com".parse()?);
    /// let options = Options::new(Credentials::new("shop", "secret"), &Provider::UNSTATED)
    ///     .binds(Binds::transmitters(1).at([tx]).and(Binds::receivers(1).at([rx])))
    ///     .max_binds(2);
    /// let (account, arrivals) = AccountConnector::with_options(options).connect()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_options(options: Options) -> Self {
        Self {
            options,
            tls: ClientTls::default(),
            dialer: None,
            bind_timeout: Duration::from_secs(60),
            arrivals_capacity: 1_000,
            expected: Vec::new(),
            events_capacity: 1_024,
            resolver: Box::new(|endpoint| {
                Ok((endpoint.host.as_str(), endpoint.port).to_socket_addrs()?.collect())
            }),
            observer: None,
        }
    }

    /// Sets the TLS configuration for `smpps` endpoints. Default: trust the root certificates of the operating system, or what the
    /// features say: [`ClientTls`]. See [`tls`](crate::tls).
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(self, tls: impl Into<ClientTls>) -> Self {
        Self { tls: tls.into(), ..self }
    }

    /// Sets a function that makes the connection to an address, instead of TCP: from a local address, with socket options of
    /// your own, or in memory. It also gets the endpoint with the host's name. For `smpps://` the TLS handshake is made over it.
    ///
    /// The thread of the connection calls it, so it may block. But it has to return:
    /// [`Options::connect_timeout`] does not apply to it. When the account no longer needs a transport, also during the TLS
    /// handshake, it [closes](Duplex::close) the transport; a read or a write in progress has to return then.
    ///
    /// ```no_run
    /// use std::net::TcpStream;
    /// use smpp_std::account::AccountConnector;
    /// # fn example(connector: AccountConnector) {
    /// let connector = connector.dial(|target| {
    ///     let tcp = TcpStream::connect(target.address)?;
    ///     tcp.set_ttl(10)?;
    ///     Ok(tcp)
    /// });
    /// # }
    /// ```
    #[must_use]
    pub fn dial<S: Duplex + 'static>(
        self,
        dialer: impl Fn(DialTarget) -> io::Result<S> + Send + Sync + 'static,
    ) -> Self {
        Self { dialer: Some(Dialer::new(dialer)), ..self }
    }

    /// As [`dial`](Self::dial), but the host's name is not resolved: the function gets it in
    /// [`DialTarget::endpoint`](crate::DialTarget::endpoint). For a proxy that resolves names, and for transports without
    /// addresses, for example a Unix socket. Errors and events name the address `0.0.0.0` then. It replaces the
    /// [`resolver`](Self::resolver).
    ///
    /// ```no_run
    /// # #[cfg(unix)]
    /// use std::os::unix::net::UnixStream;
    ///
    /// # #[cfg(unix)]
    /// # fn example(connector: smpp_std::account::AccountConnector) -> smpp_std::account::AccountConnector {
    /// connector.dial_by_name(|target| UnixStream::connect(format!("/run/smsc/{}", target.endpoint.host)))
    /// # }
    /// ```
    #[must_use]
    pub fn dial_by_name<S: Duplex + 'static>(
        self,
        dialer: impl Fn(DialTarget) -> io::Result<S> + Send + Sync + 'static,
    ) -> Self {
        self.dial(dialer).resolver(|endpoint| Ok(vec![unresolved(endpoint)]))
    }

    /// Sets how long [`connect`](Self::connect) waits for the first bind. Default 60 s.
    #[must_use]
    pub fn bind_timeout(self, timeout: Duration) -> Self {
        Self { bind_timeout: timeout, ..self }
    }

    /// Sets how many messages and delivery receipts may wait in [`Arrivals`](super::Arrivals), and as many KiB of their PDUs.
    /// Default 1,000. While as many wait, the account refuses further ones with a temporary error (`ESME_RX_T_APPN`), so that
    /// the SMSC keeps them.
    ///
    /// A concatenated message of which the account has acknowledged a segment may wait up to twice this limit, because the
    /// SMSC does not redeliver that segment. Beyond it the message is lost, and the event stream has an
    /// [`InboundMessageLost`](smpp_proto::account::AccountEvent::InboundMessageLost).
    #[must_use]
    pub fn arrivals_capacity(self, capacity: usize) -> Self {
        Self { arrivals_capacity: capacity, ..self }
    }

    /// Sets the messages of an earlier process whose receipts the account waits for, before it makes a bind: no receipt arrives
    /// earlier. See [`Account::expect`](super::Account::expect) for a single message.
    ///
    /// ```
    /// use smpp_proto::account::Expected;
    ///
    /// # struct Row { id: i64, smsc_id: Vec<u8> }
    /// # fn example(
    /// #     connector: smpp_std::account::AccountConnector,
    /// #     accepted_without_receipt: Vec<Row>,
    /// # ) -> smpp_std::account::AccountConnector {
    /// let expected = |row: &Row| Expected::new(1).id(0, &row.smsc_id).key(row.id.to_be_bytes());
    /// connector.expect(accepted_without_receipt.iter().map(expected))
    /// # }
    /// ```
    #[must_use]
    pub fn expect(mut self, expected: impl IntoIterator<Item = Expected>) -> Self {
        self.expected.extend(expected);
        self
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
}

/// Returns the failure of a connection to this endpoint.
pub(super) fn connect_error(endpoint: &Endpoint, kind: ConnectErrorKind) -> LastFailure {
    ConnectError::new(endpoint, kind).into()
}

/// Returns the failure of a bind to this endpoint.
pub(super) fn bind_error(endpoint: &Endpoint, kind: ConnectErrorKind, system_id: &str) -> LastFailure {
    ConnectError::bind(endpoint, system_id, kind).into()
}

impl fmt::Debug for AccountConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountConnector").field("options", &self.options).finish_non_exhaustive()
    }
}
