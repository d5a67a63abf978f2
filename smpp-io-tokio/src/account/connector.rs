//! Creates accounts.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use smpp_proto::Endpoint;
use smpp_proto::account::{Expected, LinkId, Options};
use smpp_proto::session::Observer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::lookup_host;
use tokio::time;

use super::AccountError;
use super::arrivals::Arrivals;
use super::driver::Driver;
use super::handle::Account;
use super::settings::Settings;
use super::shared::Shared;
use crate::dial::Dialer;
use crate::error::{DialTarget, unresolved};
use crate::tls::ClientTls;

/// Configures an account beyond its [`Options`], and connects it.
///
/// ```no_run
/// use std::time::Duration;
///
/// use smpp_proto::account::{Credentials, Options};
/// use smpp_proto::provider::Provider;
/// use smpp_tokio::account::AccountConnector;
/// use smpp_tokio::tls;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let options = Options::new(Credentials::new("shop", "secret"), &Provider::UNSTATED);
/// let (account, arrivals) = AccountConnector::new(&"smpps://smsc.example.com".parse()?, options)
///     .tls(tls::ca_file("ca.pem".as_ref())?)
///     .bind_timeout(Duration::from_secs(20))
///     .connect()
///     .await?;
/// # drop((account, arrivals));
/// # Ok(())
/// # }
/// ```
pub struct AccountConnector {
    settings: Settings,
    bind_timeout: Duration,
}

impl AccountConnector {
    /// Creates a connector for the endpoint. It goes before the [`endpoints`](Options::endpoints) of the options, which are
    /// tried when it fails. The system_id and the password of the endpoint, if it has them, replace those of the options.
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
    /// use smpp_tokio::account::AccountConnector;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let (tx, rx): (Endpoint, Endpoint) = ("smpps://tx.example.com".parse()?, "smpps://rx.example.com".parse()?);
    /// let options = Options::new(Credentials::new("shop", "secret"), &Provider::UNSTATED)
    ///     .binds(Binds::transmitters(1).at([tx]).and(Binds::receivers(1).at([rx])))
    ///     .max_binds(2);
    /// let (account, arrivals) = AccountConnector::with_options(options).connect().await?;
    /// # drop((account, arrivals));
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_options(options: Options) -> Self {
        let settings = Settings {
            options,
            tls: ClientTls::default(),
            dialer: None,
            arrivals_capacity: 1_000,
            expected: Vec::new(),
            events_capacity: 1_024,
            resolver: Box::new(|endpoint| {
                let (host, port) = (endpoint.host.clone(), endpoint.port);
                Box::pin(async move { Ok(lookup_host((host, port)).await?.collect()) })
            }),
            observer: None,
        };
        Self { settings, bind_timeout: Duration::from_secs(60) }
    }

    /// Sets the TLS configuration for `smpps` endpoints. Default: trust the root certificates of the operating system, or what the
    /// features say: [`ClientTls`]. See [`tls`](crate::tls).
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(mut self, tls: impl Into<ClientTls>) -> Self {
        self.settings.tls = tls.into();
        self
    }

    /// Sets the function that opens the transport to an address, instead of a TCP connection: from a local address, with
    /// socket options of your choice, or in memory for a test. It also gets the endpoint with the host's name. With an
    /// `smpps` endpoint, TLS runs over the transport.
    ///
    /// As for [`start`](crate::start), a `poll_write` that fails must consume nothing.
    ///
    /// ```
    /// use tokio::net::TcpSocket;
    ///
    /// # fn example(connector: smpp_tokio::account::AccountConnector) -> smpp_tokio::account::AccountConnector {
    /// connector.dial(|target| async move {
    ///     let socket = TcpSocket::new_v4()?;
    ///     socket.bind(([192, 0, 2, 7], 0).into())?;
    ///     socket.connect(target.address).await
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn dial<F, T>(mut self, dialer: impl Fn(DialTarget) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<T>> + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.settings.dialer = Some(Dialer::new(dialer));
        self
    }

    /// As `dial`, but the host's name is not resolved: the function gets it in
    /// [`DialTarget::endpoint`](crate::DialTarget::endpoint). For a proxy that resolves names, and for transports without
    /// addresses, for example a Unix socket. Errors and events name the address `0.0.0.0` then. It
    /// replaces the [`resolver`](Self::resolver).
    ///
    /// ```
    /// # #[cfg(unix)]
    /// use tokio::net::UnixStream;
    ///
    /// # #[cfg(unix)]
    /// # fn example(connector: smpp_tokio::account::AccountConnector) -> smpp_tokio::account::AccountConnector {
    /// connector.dial_by_name(|target| UnixStream::connect(format!("/run/smsc/{}", target.endpoint.host)))
    /// # }
    /// ```
    #[must_use]
    pub fn dial_by_name<F, T>(self, dialer: impl Fn(DialTarget) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<T>> + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.dial(dialer).resolver(|endpoint| std::future::ready(Ok(vec![unresolved(endpoint)])))
    }

    /// Sets how long [`connect`](Self::connect) waits for the first bind. Default 60 s.
    #[must_use]
    pub fn bind_timeout(self, timeout: Duration) -> Self {
        Self { bind_timeout: timeout, ..self }
    }

    /// Sets how many receipts and messages may wait in [`Arrivals`], and as many KiB of their PDUs. Further ones are refused
    /// with `ESME_RX_T_APPN`, so that the SMSC redelivers them. Default 1,000.
    ///
    /// A concatenated message of which the account has acknowledged a segment may wait up to twice this limit, because the
    /// SMSC does not redeliver that segment. Beyond it the message is lost, and the event stream has an
    /// [`InboundMessageLost`](smpp_proto::account::AccountEvent::InboundMessageLost).
    #[must_use]
    pub fn arrivals_capacity(mut self, capacity: usize) -> Self {
        self.settings.arrivals_capacity = capacity;
        self
    }

    /// Sets the messages of an earlier process whose receipts the account waits for, before it makes a bind: no receipt arrives
    /// earlier. See [`Account::expect`] for a single message.
    ///
    /// ```
    /// use smpp_proto::account::Expected;
    ///
    /// # struct Row { id: i64, smsc_id: Vec<u8> }
    /// # fn example(
    /// #     connector: smpp_tokio::account::AccountConnector,
    /// #     accepted_without_receipt: Vec<Row>,
    /// # ) -> smpp_tokio::account::AccountConnector {
    /// let expected = |row: &Row| Expected::new(1).id(0, &row.smsc_id).key(row.id.to_be_bytes());
    /// connector.expect(accepted_without_receipt.iter().map(expected))
    /// # }
    /// ```
    #[must_use]
    pub fn expect(mut self, expected: impl IntoIterator<Item = Expected>) -> Self {
        self.settings.expected.extend(expected);
        self
    }

    /// Sets how many events a receiver of [`Account::events`] may have left to read, at least 1. Beyond it the receiver loses
    /// the oldest. Default 1,024; also at most 256 KiB of texts of the SMSC.
    #[must_use]
    pub fn events_capacity(mut self, capacity: usize) -> Self {
        self.settings.events_capacity = capacity;
        self
    }

    /// Sets the function that resolves the addresses of the host. Default: the resolver of the operating system. It is
    /// called before each round of connection attempts.
    #[must_use]
    pub fn resolver<F>(mut self, resolver: impl Fn(&Endpoint) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        self.settings.resolver = Box::new(move |endpoint| Box::pin(resolver(endpoint)));
        self
    }

    /// Sets the function that creates an observer for each bind. The observer gets every PDU of the bind, with everything
    /// but passwords.
    ///
    /// It is called while the account is locked: it should return quickly, and it must not call the account.
    ///
    /// ```no_run
    /// use smpp_proto::session::{Direction, Instant, ObservedPdu, Observer};
    /// use smpp_tokio::account::AccountConnector;
    ///
    /// struct PrintPdus(String);
    ///
    /// impl Observer for PrintPdus {
    ///     fn observe(&mut self, _: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
    ///         println!("{} {direction:?} {pdu}", self.0);
    ///     }
    /// }
    ///
    /// # fn example(connector: AccountConnector) -> AccountConnector {
    /// connector.observe(|link| PrintPdus(format!("link {link}")))
    /// # }
    /// ```
    #[must_use]
    pub fn observe<T: Observer + Send + 'static>(
        mut self,
        observer: impl Fn(LinkId) -> T + Send + Sync + 'static,
    ) -> Self {
        self.settings.observer = Some(Box::new(move |link| Box::new(observer(link))));
        self
    }

    /// Starts the account and waits for its first bind; the other binds follow. A service that must survive an SMSC that is
    /// down at its start calls [`start`](Self::start) instead. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start); also [`OptionsError::NoBinds`](smpp_proto::account::OptionsError::NoBinds), [`AccountError::Refused`], [`AccountError::Untrusted`], and [`AccountError::Timeout`]
    /// if there is no bind within [`bind_timeout`](Self::bind_timeout) (60 s). Then the account is shut down.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped early shuts down the account.
    pub async fn connect(self) -> Result<(Account, Arrivals), AccountError> {
        self.settings.options.check_waits_for_bind().map_err(AccountError::Options)?;
        let timeout = self.bind_timeout;
        let (account, arrivals) = self.start()?;
        match time::timeout(timeout, account.shared().first_bind()).await {
            Ok(Ok(())) => Ok((account, arrivals)),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                let mut inner = account.shared().lock();
                let last = inner.last_error.take();
                Err(AccountError::timeout(timeout, last, &inner.account))
            }
        }
    }

    /// Starts the account without waiting. It accepts messages at once and sends them when there is a bind. Must be called
    /// within a tokio runtime.
    ///
    /// # Errors
    ///
    /// Returns [`AccountError::Options`] if the options are invalid or a group of binds has no endpoint, and
    /// [`AccountError::Expect`] if the messages of [`expect`](Self::expect) are invalid or too many.
    pub fn start(self) -> Result<(Account, Arrivals), AccountError> {
        let shared = self.shared()?;
        tokio::spawn(Driver(Arc::clone(&shared)).run());
        let account = Account::new(shared);
        Ok((account.clone(), Arrivals::new(account)))
    }

    /// Creates the account, without a driver.
    pub(super) fn shared(self) -> Result<Arc<Shared>, AccountError> {
        Shared::new(self.settings)
    }
}

impl fmt::Debug for AccountConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountConnector").field("options", &self.settings.options).finish_non_exhaustive()
    }
}

impl Account {
    /// Starts an account at `smpp[s]://[SYSTEM_ID[:PASSWORD]@]HOST[:PORT]` and waits for its first bind, at most 60 s. A
    /// service that must survive an SMSC that is down at its start uses [`AccountConnector::start`]. An
    /// [`AccountConnector`] has more settings. A system_id and a password in the URL replace those of the options. Must be called within
    /// a tokio runtime.
    ///
    /// ```no_run
    /// use smpp_proto::account::{Credentials, Options};
    /// use smpp_proto::provider::Provider;
    /// use smpp_tokio::account::Account;
    ///
    /// # async fn example() -> Result<(), smpp_tokio::account::AccountError> {
    /// let options = Options::new(Credentials::new("shop", "secret"), &Provider::UNSTATED);
    /// let (account, arrivals) = Account::connect("smpps://smsc.example.com", options).await?;
    /// # drop((account, arrivals));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`AccountConnector::connect`]; also [`AccountError::Url`] if the URL is invalid.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped early shuts down the account.
    pub async fn connect(url: &str, options: Options) -> Result<(Self, Arrivals), AccountError> {
        let endpoint = url.parse().map_err(AccountError::Url)?;
        AccountConnector::new(&endpoint, options).connect().await
    }
}
