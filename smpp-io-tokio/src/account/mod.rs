//! Several binds as one account: messages in, receipts and messages from phones out, whatever becomes of a bind.
//!
//! What is decided is decided in [`smpp_core::account`]; here are its sockets, its name server and its clock. The binds
//! are made, spread over, watched and made again; a message goes on the one with most room, and its receipt comes on any
//! of them.
//!
//! ```no_run
//! use smpp_core::account::{Binds, Credentials, Message, Options};
//! use smpp_core::provider::Provider;
//! use smpp_core::{Address, MessageState, RegisteredDelivery, SubmitSm};
//! use smpp_io_tokio::account::{Account, Arrival};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let options = Options {
//!     binds: Binds::Transceivers(4),
//!     ..Options::new(Credentials::new("my_subaccount", "secret"), &Provider::EIGHT_BY_EIGHT)
//! };
//! let (account, mut arrivals) = Account::connect("smpps://smpp.8x8.com", options).await?;
//!
//! // Messages from phones, and receipts that nobody else waits for.
//! tokio::spawn(async move {
//!     while let Some(arrival) = arrivals.recv().await {
//!         match arrival {
//!             Arrival::Message(message) => {
//!                 println!("{} wrote {:?}", message.get().source().digits, message.get().text());
//!                 let _ = message.accept(); // it is safe here: the SMSC may forget it
//!             }
//!             Arrival::Receipt(receipt) => drop(receipt.accept()),
//!             _ => {}
//!         }
//!     }
//! });
//!
//! let template = SubmitSm {
//!     source: Address::alphanumeric("8x8")?,
//!     destination: Address::international("6591234567")?,
//!     registered_delivery: RegisteredDelivery::RECEIPT,
//!     ..SubmitSm::default()
//! };
//! let mut sent = account.send(&Message::text(&template, "Hello, however long this is")).await?;
//! println!("accepted as {:?}", sent.ids());
//! assert_eq!(sent.receipt().await?, MessageState::DELIVERED);
//!
//! for unresolved in account.shutdown(std::time::Duration::from_secs(10)).await {
//!     println!("{unresolved:?}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What becomes of a message
//!
//! [`send`](Account::send) ends with all parts accepted, or with an [`MessageOutcome`](smpp_core::account::MessageOutcome) that says of each part what it was:
//! accepted, refused, never sent, sent and unanswered. What to do about the last is the message's own policy.
//!
//! # Bounds
//!
//! [`Options::queue_capacity`] parts wait or are in flight; then `send` and `submit` wait and `try_submit` refuses.
//! [`AccountConnector::arrivals_capacity`] receipts and messages wait to be fetched; beyond that the SMSC is told to keep them. Fetch
//! what arrives, or drop the [`Arrivals`]: an SMSC whose deliveries are not answered delivers nothing else.

mod arrivals;
mod driver;
mod link;
mod ticket;
mod watch;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use smpp_core::account::{
    Binds, Credentials, LinkEvent, LinkId, LinkState, Message, Options, OptionsError, SubmitError, Unresolved,
};
use smpp_core::session::{Observer, Stats};
use smpp_core::{CommandStatus, Endpoint, EndpointError};
use tokio::net::lookup_host;
use tokio::time;

pub use arrivals::{Arrival, Arrivals, Unacknowledged};
pub use smpp_core::account::{NoMoreReceipts, SendError};
pub use ticket::{Sent, Ticket};

use driver::Driver;
pub(crate) use driver::Shared;

/// What sees the PDUs of one bind.
type Watcher = Box<dyn Observer + Send>;

/// All addresses of an endpoint, whoever is asked.
type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// What an account needs besides its [`Options`]: where to connect, whom to trust, who looks on.
pub struct AccountConnector {
    pub(crate) endpoint: Endpoint,
    options: Options,
    pub(crate) tls: Option<Arc<ClientConfig>>,
    bind_timeout: Duration,
    arrivals_capacity: usize,
    resolver: Box<dyn Fn(&Endpoint) -> Resolving + Send + Sync>,
    observer: Option<Box<dyn Fn(LinkId) -> Watcher + Send + Sync>>,
    subscriber: Option<Box<dyn Fn(LinkId, LinkEvent) + Send + Sync>>,
}

impl AccountConnector {
    /// An account at the endpoint. The name and the password that it has win over those of the options.
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
            tls: None,
            bind_timeout: Duration::from_secs(60),
            arrivals_capacity: 1_000,
            resolver: Box::new(|endpoint| {
                let (host, port) = (endpoint.host.clone(), endpoint.port);
                Box::pin(async move { Ok(lookup_host((host, port)).await?.collect()) })
            }),
            observer: None,
            subscriber: None,
        }
    }

    /// Whom to trust instead of the system's roots: see [`tls`](crate::tls), or bring your own.
    #[must_use]
    pub fn tls(self, tls: Arc<ClientConfig>) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// How long [`connect`](Self::connect) waits for the first bind: 60 s unless said otherwise.
    #[must_use]
    pub fn bind_timeout(self, timeout: Duration) -> Self {
        Self { bind_timeout: timeout, ..self }
    }

    /// How many receipts and messages may wait in [`Arrivals`]: 1,000 unless said otherwise. The SMSC is told to keep
    /// what comes then (`ESME_RX_T_APPN`).
    #[must_use]
    pub fn arrivals_capacity(self, capacity: usize) -> Self {
        Self { arrivals_capacity: capacity, ..self }
    }

    /// Asks for the addresses of the host in another way than the system does.
    #[must_use]
    pub fn resolver<F>(self, resolver: impl Fn(&Endpoint) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        Self { resolver: Box::new(move |endpoint| Box::pin(resolver(endpoint))), ..self }
    }

    /// Makes an observer for each bind, which is shown its PDUs, without passwords.
    ///
    /// It is called while the account is locked: it should be quick, and must not call the account.
    #[must_use]
    pub fn observe<T: Observer + Send + 'static>(
        self,
        observer: impl Fn(LinkId) -> T + Send + Sync + 'static,
    ) -> Self {
        Self { observer: Some(Box::new(move |link| Box::new(observer(link)))), ..self }
    }

    /// Is told what each connection does: bound, refused, ended, when it is tried again.
    ///
    /// It is called while the account is locked: it should be quick, and must not call the account.
    #[must_use]
    pub fn subscribe(self, subscriber: impl Fn(LinkId, LinkEvent) + Send + Sync + 'static) -> Self {
        Self { subscriber: Some(Box::new(subscriber)), ..self }
    }

    /// Starts the account and waits for its first bind. The others follow.
    ///
    /// Fails if the SMSC refuses the account, if its certificate is not accepted at any address, or if there is no bind
    /// in time; the account is gone then. Call it within a tokio runtime.
    ///
    /// Cancel-safe: dropped before it is done, the account is gone.
    pub async fn connect(self) -> Result<(Account, Arrivals), AccountError> {
        let timeout = self.bind_timeout;
        let (account, arrivals) = self.start()?;
        match time::timeout(timeout, account.shared.first_bind()).await {
            Ok(Ok(())) => Ok((account, arrivals)),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                let last = account.shared.lock().failure.take();
                Err(AccountError::Timeout { after: timeout, last })
            }
        }
    }

    /// Starts the account and waits for nothing: messages are taken, and sent once there is a bind. Call it within a
    /// tokio runtime.
    pub fn start(self) -> Result<(Account, Arrivals), AccountError> {
        let shared = Shared::new(self)?;
        tokio::spawn(Driver(Arc::clone(&shared)).run());
        let account = Account::new(shared);
        Ok((account.clone(), Arrivals::new(account)))
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

/// A handle on an account; clone it freely. When the last handle and the [`Arrivals`] are dropped, the account shuts
/// down: what waits is not sent, what is in flight may finish, then it unbinds.
pub struct Account {
    shared: Arc<Shared>,
}

impl Account {
    /// Starts an account at `smpp[s]://[SYSTEM_ID[:PASSWORD]@]HOST[:PORT]` and waits for its first bind: see
    /// [`AccountConnector`] for more to say.
    pub async fn connect(url: &str, options: Options) -> Result<(Self, Arrivals), AccountError> {
        let endpoint = url.parse().map_err(AccountError::Url)?;
        AccountConnector::new(&endpoint, options).connect().await
    }

    fn new(shared: Arc<Shared>) -> Self {
        shared.lock().handles += 1;
        Self { shared }
    }

    #[cfg(feature = "metrics")]
    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Sends a message and waits for its outcome. Waits for room in the queue first.
    ///
    /// Cancel-safe in this sense: dropped while it waits for room, nothing is sent; dropped later, the message goes all
    /// the same and its outcome goes unseen; its receipts come out of [`Arrivals`].
    pub async fn send(&self, message: &Message) -> Result<Sent, SendError> {
        let ticket = self.submit(message).await.map_err(SendError::NotAccepted)?;
        ticket.outcome().await
    }

    /// Gives the account a message, waiting for room in the queue, and does not wait for its outcome.
    ///
    /// Cancel-safe: dropped before it is done, nothing is sent.
    pub async fn submit(&self, message: &Message) -> Result<Ticket, SubmitError> {
        let _turn = self.shared.turnstile.lock().await;
        loop {
            let mut room = pin!(self.shared.room.notified());
            let taken = self.shared.with(|inner, now| {
                let taken = inner.submit(now, message);
                if taken.is_err() {
                    // Within the lock under which room is made, so that no notice of it is missed.
                    room.as_mut().enable();
                }
                taken
            });
            match taken {
                Err(SubmitError::Full) => room.await,
                Err(why) => return Err(why),
                Ok(message) => return Ok(Ticket::new(message, &self.shared)),
            }
        }
    }

    /// Gives the account a message if there is room in the queue now.
    pub fn try_submit(&self, message: &Message) -> Result<Ticket, SubmitError> {
        let message = self.shared.with(|inner, now| inner.submit(now, message))?;
        Ok(Ticket::new(message, &self.shared))
    }

    /// Keeps so many binds from now on: see [`set_binds`](smpp_core::account::Account::set_binds).
    pub fn set_binds(&self, binds: Binds) -> Result<(), OptionsError> {
        self.shared.with(|inner, now| inner.account.set_binds(now, binds))
    }

    /// Ends the account, for everyone: takes no more messages, sends what it has until `deadline` from now, unbinds, and
    /// says which messages are not known to have come to a good end. Of several calls the earliest deadline counts.
    ///
    /// Cancel-safe: the account ends all the same. Empty if someone has been told already.
    pub async fn shutdown(&self, deadline: Duration) -> Vec<Unresolved> {
        self.shared.with(|inner, now| inner.account.shutdown(now, deadline));
        // Whoever waits for room waits for nothing.
        self.shared.room.notify_waiters();
        self.closed().await;
        self.shared.lock().desk.take_unresolved()
    }

    /// Waits for the end of the account.
    ///
    /// Cancel-safe.
    pub async fn closed(&self) {
        loop {
            let mut changed = pin!(self.shared.ended.notified());
            changed.as_mut().enable();
            if self.shared.lock().desk.is_over() {
                return;
            }
            changed.await;
        }
    }

    /// What the connections are doing, each with the counters of its session if it has one.
    pub fn links(&self) -> Vec<(LinkId, LinkState, Option<Stats>)> {
        let inner = self.shared.lock();
        let account = &inner.account;
        account.links().map(|(link, state)| (link, state, account.stats(link))).collect()
    }

    /// Parts of messages that wait to be sent, or for their answers.
    pub fn queued(&self) -> usize {
        self.shared.lock().account.queued()
    }
}

impl Clone for Account {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.shared))
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let mut inner = self.shared.lock();
        inner.handles -= 1;
        let last = inner.handles == 0;
        drop(inner);
        if last {
            self.shared.with(|inner, now| inner.account.shutdown(now, Duration::ZERO));
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.lock().account.fmt(f)
    }
}

/// Why there is no account.
#[derive(Debug)]
#[non_exhaustive]
pub enum AccountError {
    /// The URL cannot be read.
    Url(EndpointError),
    /// The options contradict each other, or the credentials do not fit a bind.
    Options(OptionsError),
    /// The SMSC refuses the account.
    Refused(CommandStatus),
    /// The server's certificate is not accepted, at whichever address.
    Untrusted(String),
    /// There was no bind in time.
    Timeout {
        /// How long it was given.
        after: Duration,
        /// What was last in the way.
        last: Option<String>,
    },
}

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(error) => error.fmt(f),
            Self::Options(error) => error.fmt(f),
            Self::Refused(status) => write!(f, "the SMSC refuses the account: {status}"),
            Self::Untrusted(error) => f.write_str(error),
            Self::Timeout { after, last } => {
                write!(f, "no bind within {after:?}")?;
                last.as_ref().map_or(Ok(()), |last| write!(f, ": {last}"))
            }
        }
    }
}

impl std::error::Error for AccountError {}
