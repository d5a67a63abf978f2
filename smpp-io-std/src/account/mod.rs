//! Several binds as one account: messages in, receipts and messages from phones out, whatever becomes of a bind.
//!
//! What is decided is decided in [`smpp_core::account`]; here are its sockets, its name server and its clock. The binds
//! are made, spread over, watched and made again; a message goes on the one with most room, and its receipt comes on any
//! of them.
//!
//! ```no_run
//! use std::thread;
//! use std::time::Duration;
//! use smpp_core::account::{Binds, Credentials, Message, Options};
//! use smpp_core::provider::Provider;
//! use smpp_core::{Address, MessageState, RegisteredDelivery, SubmitSm};
//! use smpp_io_std::account::{Account, Arrival};
//!
//! let options = Options {
//!     binds: Binds::Transceivers(4),
//!     ..Options::new(Credentials::new("my_subaccount", "secret"), &Provider::EIGHT_BY_EIGHT)
//! };
//! let (account, mut arrivals) = Account::connect("smpps://smpp.8x8.com", options)?;
//!
//! // Messages from phones, and receipts that nobody else waits for.
//! thread::spawn(move || {
//!     while let Some(arrival) = arrivals.recv() {
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
//! let mut sent = account.send(&Message::text(&template, "Hello, however long this is"))?;
//! println!("accepted as {:?}", sent.ids());
//! assert_eq!(sent.receipt()?, MessageState::DELIVERED);
//!
//! for unresolved in account.shutdown(Duration::from_secs(10)) {
//!     println!("{unresolved:?}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
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
//!
//! # Side by side with tokio's
//!
//! The account of `smpp-io-tokio` has the same methods; here they block, and those that may block for long have a
//! second form with a deadline. Both run the same [`smpp_core::account`]: back-off, the cap on binds, the next address,
//! what becomes of a message and which receipt is whose do not differ.
//!
//! | `smpp_io_tokio::account` | here | here, until a deadline |
//! | --- | --- | --- |
//! | `Account::connect(url, options).await` | [`Account::connect`] | [`AccountConnector::bind_timeout`] |
//! | `AccountConnector::start()` | [`AccountConnector::start`] | |
//! | `account.send(&message).await` | [`Account::send`] | [`Account::send_until`] |
//! | `account.submit(&message).await` | [`Account::submit`] | [`Account::submit_until`] |
//! | `account.try_submit(&message)` | [`Account::try_submit`] | |
//! | `ticket.outcome().await` | [`Ticket::outcome`] | [`Ticket::outcome_until`] |
//! | `sent.receipt().await` | [`Sent::receipt`] | [`Sent::receipt_until`] |
//! | `sent.next_receipt().await` | [`Sent::next_receipt`] | [`Sent::next_receipt_until`] |
//! | `arrivals.recv().await` | [`Arrivals::recv`] | [`Arrivals::recv_until`] |
//! | `account.shutdown(deadline).await` | [`Account::shutdown`] | it has one |
//! | `account.closed().await` | [`Account::closed`] | [`Account::closed_until`] |
//!
//! # Threads
//!
//! One keeps the account's time, and there is one for each connection while it is made or open: it asks for the
//! addresses, connects and reads, so that a slow name server or a server that does not answer holds up nobody else. What
//! is to be sent is written by the thread that has given it, for about 50 ms at most on each connection that takes it
//! slowly or not at all; the rest is written by the thread that keeps the time.
//!
//! They end when the account does: a connection's thread as soon as it is closed. One that is still asking for addresses
//! or connecting when nobody wants that any more cannot be woken: its place counts as free at once, and whatever it
//! comes back with is thrown away. It ends with the connect, [`Options::connect_timeout`] after its beginning at the latest, or
//! when the [resolver](AccountConnector::resolver) returns; if the place is wanted again before, the same thread begins
//! then. There are never two for one place, and so never more than
//! [`max_binds`](smpp_core::account::Options::max_binds) connections.
//!
//! # Time
//!
//! A time-out of a bind is told only once all that has come on the connection was read: an answer in the socket counts,
//! however late the program gets round to it. No time-out is told early, and none later than a millisecond or two after
//! it is due, as far as the system gives the threads their turn; while a transport takes nothing, about 50 ms later, for
//! what a write has taken has to be known first. Where the session's
//! [`response`](smpp_core::session::Config::response_timeout) or [`drain`](smpp_core::session::Config::drain_timeout) is less than
//! 100 ms, it may be told up to 100 ms late.

mod arrivals;
mod clock;
mod inner;
mod link;
mod shared;
mod task;
mod ticket;

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use smpp_core::account::{
    Binds, Credentials, LinkEvent, LinkId, LinkState, Message, Options, OptionsError, SubmitError, Unresolved,
};
use smpp_core::session::{Observer, Stats};
use smpp_core::{CommandStatus, Endpoint, EndpointError};

pub use arrivals::{Arrival, Arrivals, Ended, Unacknowledged};
pub use smpp_core::account::{NoMoreReceipts, SendError};
pub use ticket::{Sent, Ticket};

use shared::{Alarm, Shared, Turn};

/// What sees the PDUs of one bind.
type Watcher = Box<dyn Observer + Send>;

/// All addresses of an endpoint, whoever is asked.
type Resolver = Box<dyn Fn(&Endpoint) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// What an account needs besides its [`Options`]: where to connect, whom to trust, who looks on.
pub struct AccountConnector {
    endpoint: Endpoint,
    options: Options,
    tls: Option<Arc<ClientConfig>>,
    bind_timeout: Duration,
    arrivals_capacity: usize,
    resolver: Resolver,
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
                Ok((endpoint.host.as_str(), endpoint.port).to_socket_addrs()?.collect())
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

    /// Asks for the addresses of the host in another way than the system does. It may block: it is called in the thread
    /// of the connection that wants them. What it has not found within [`Options::connect_timeout`] counts as not found; but it has
    /// to return, for until then nothing more is tried for that connection.
    #[must_use]
    pub fn resolver(
        self,
        resolver: impl Fn(&Endpoint) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self { resolver: Box::new(resolver), ..self }
    }

    /// Makes an observer for each bind, which is shown its PDUs, without passwords.
    ///
    /// It is called while the account is locked, in whichever thread has caused it: it should be quick, and must not call
    /// the account. A panic in it may end the bind, or the account.
    #[must_use]
    pub fn observe<T: Observer + Send + 'static>(
        self,
        observer: impl Fn(LinkId) -> T + Send + Sync + 'static,
    ) -> Self {
        Self { observer: Some(Box::new(move |link| Box::new(observer(link)))), ..self }
    }

    /// Is told what each connection does: bound, refused, ended, when it is tried again.
    ///
    /// It is called while the account is locked, in whichever thread has caused it: it should be quick, and must not call
    /// the account. A panic in it may end the bind, or the account.
    #[must_use]
    pub fn subscribe(self, subscriber: impl Fn(LinkId, LinkEvent) + Send + Sync + 'static) -> Self {
        Self { subscriber: Some(Box::new(subscriber)), ..self }
    }

    /// Starts the account and waits for its first bind. The others follow.
    ///
    /// Fails if the SMSC refuses the account, if its certificate is not accepted at any address, or if there is no bind
    /// [in time](Self::bind_timeout); the account is gone then.
    pub fn connect(self) -> Result<(Account, Arrivals), AccountError> {
        let timeout = self.bind_timeout;
        let (account, arrivals) = self.start()?;
        account.shared.first_bind(timeout)?;
        Ok((account, arrivals))
    }

    /// Starts the account and waits for nothing: messages are taken, and sent once there is a bind.
    pub fn start(self) -> Result<(Account, Arrivals), AccountError> {
        let shared = Shared::new(self)?;
        clock::start(&shared).map_err(AccountError::Thread)?;
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

/// A handle on an account; clone it freely, and use it in any thread. When the last handle and the [`Arrivals`] are
/// dropped, the account shuts down: what waits is not sent, what is in flight may finish, then it unbinds. Dropping
/// waits for none of that.
pub struct Account {
    shared: Arc<Shared>,
}

impl Account {
    /// Starts an account at `smpp[s]://[SYSTEM_ID[:PASSWORD]@]HOST[:PORT]` and waits for its first bind: see
    /// [`AccountConnector`] for more to say.
    pub fn connect(url: &str, options: Options) -> Result<(Self, Arrivals), AccountError> {
        let endpoint = url.parse().map_err(AccountError::Url)?;
        AccountConnector::new(&endpoint, options).connect()
    }

    fn new(shared: Arc<Shared>) -> Self {
        shared.lock().handles += 1;
        Self { shared }
    }

    /// Sends a message and waits for its outcome. Waits for room in the queue first.
    ///
    /// It may wait for as long as there is no bind, unless the message has a
    /// [deadline](smpp_core::account::Message::deadline).
    pub fn send(&self, message: &Message) -> Result<Sent, SendError> {
        self.submit(message).map_err(SendError::NotAccepted)?.outcome()
    }

    /// As [`send`](Self::send), and waits until `deadline` at most. If there is no room in the queue by then, nothing is
    /// sent: [`SubmitError::Full`]. If there is no outcome by then, the ticket is given back, and the message goes all the
    /// same unless it is [cancelled](Ticket::cancel).
    ///
    /// ```no_run
    /// use std::time::{Duration, Instant};
    /// use smpp_core::account::Message;
    /// # fn example(account: &smpp_io_std::account::Account, message: &Message) {
    /// match account.send_until(message, Instant::now() + Duration::from_secs(30)) {
    ///     Ok(Ok(sent)) => println!("accepted as {:?}", sent.ids()),
    ///     Ok(Err(error)) => println!("{error}"),
    ///     Err(ticket) => {
    ///         ticket.cancel(); // what is in flight is answered soon, and the rest is not sent
    ///         println!("{:?}", ticket.outcome());
    ///     }
    /// }
    /// # }
    /// ```
    pub fn send_until(
        &self,
        message: &Message,
        deadline: Instant,
    ) -> Result<Result<Sent, SendError>, Ticket> {
        match self.submit_until(message, deadline) {
            Ok(ticket) => ticket.outcome_until(deadline),
            Err(why) => Ok(Err(SendError::NotAccepted(why))),
        }
    }

    /// Gives the account a message, waiting for room in the queue, and does not wait for its outcome. Those who wait go
    /// in the order they came.
    pub fn submit(&self, message: &Message) -> Result<Ticket, SubmitError> {
        self.enter(message, None)
    }

    /// As [`submit`](Self::submit), and waits until `deadline` at most: [`SubmitError::Full`] if there is no room by then.
    pub fn submit_until(&self, message: &Message, deadline: Instant) -> Result<Ticket, SubmitError> {
        self.enter(message, Some(deadline))
    }

    fn enter(&self, message: &Message, deadline: Option<Instant>) -> Result<Ticket, SubmitError> {
        let shared = &self.shared;
        let until = deadline.map(|deadline| shared.moment(deadline));
        let _alarm = Alarm(shared);
        let turn = Turn::new(shared);
        let mut inner = shared.lock();
        inner.waiting.push_back(Arc::clone(&turn.condvar));
        let taken = loop {
            let now = shared.now();
            let is_first = inner.waiting.front().is_some_and(|first| Arc::ptr_eq(first, &turn.condvar));
            let taken = if is_first { inner.submit(now, message) } else { Err(SubmitError::Full) };
            match taken {
                Err(SubmitError::Full) if until.is_none_or(|until| now < until) => {
                    inner = shared.wait(&turn.condvar, inner, until);
                }
                taken => break taken,
            }
        };
        inner.leave_queue(&turn.condvar);
        // Before what may panic: its place goes with the ticket.
        let ticket = taken.map(|message| Ticket::new(message, shared));
        shared.see_to(inner);
        ticket
    }

    /// Gives the account a message if there is room in the queue now.
    pub fn try_submit(&self, message: &Message) -> Result<Ticket, SubmitError> {
        let shared = &self.shared;
        shared.with(|inner, now| inner.submit(now, message).map(|message| Ticket::new(message, shared)))
    }

    /// Keeps so many binds from now on: see [`set_binds`](smpp_core::account::Account::set_binds). It does not wait for
    /// them.
    pub fn set_binds(&self, binds: Binds) -> Result<(), OptionsError> {
        self.shared.with(|inner, now| inner.account.set_binds(now, binds))
    }

    /// Ends the account, for everyone: takes no more messages, sends what it has until `deadline` from now, unbinds, and
    /// says which messages are not known to have come to a good end. It blocks until then: `deadline` and
    /// [`drain`](smpp_core::session::Config::drain_timeout) and [`response`](smpp_core::session::Config::response_timeout) at most.
    /// Of several calls the earliest deadline counts.
    ///
    /// Empty if someone has been told already.
    pub fn shutdown(&self, deadline: Duration) -> Vec<Unresolved> {
        self.shared.with(|inner, now| {
            inner.account.shutdown(now, deadline);
            inner.wake_first();
        });
        self.closed();
        self.shared.lock().desk.take_unresolved()
    }

    /// Waits for the end of the account.
    pub fn closed(&self) {
        self.over(None);
    }

    /// Waits for the end of the account until `deadline` at most. Whether it has come.
    pub fn closed_until(&self, deadline: Instant) -> bool {
        self.over(Some(deadline))
    }

    fn over(&self, deadline: Option<Instant>) -> bool {
        let shared = &self.shared;
        let until = deadline.map(|deadline| shared.moment(deadline));
        let mut inner = shared.lock();
        while !inner.desk.is_over() && until.is_none_or(|until| shared.now() < until) {
            inner = shared.wait(&shared.ended, inner, until);
        }
        inner.desk.is_over()
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
    /// The system gives no thread to run it in.
    Thread(io::Error),
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
            Self::Thread(error) => write!(f, "there is no thread for the account: {error}"),
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
