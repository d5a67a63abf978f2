//! When and how does an account reconnect, and what does it do when the SMSC is overloaded?
//!
//! **Short answer.** An [`Account`] reconnects by itself, for ever, with exponential back-off, never with more
//! connections than [`Options::max_binds`]. Queued messages wait and go out on any bind. In-flight messages without a
//! response get the outcome `Unanswered`. By default only rejected credentials that were never accepted stop an account,
//! until you resume it. A plain session ([`Client`](crate::Client)) does not reconnect.
//!
//! # Back-off
//!
//! After a failure the account waits before the next try. The wait starts at [`Backoff::initial`] (1 s), and doubles
//! with each failure up to [`Backoff::max`] (60 s). The actual wait is a random time between half of this value and all
//! of it. Many clients of one SMSC therefore do not come back at the same moment. A bind that lived for
//! [`Backoff::reset_after`] (10 s) resets the wait.
//!
//! | failure | what the account does |
//! | --- | --- |
//! | the host name cannot be resolved, or has no address | tries the next endpoint at once; after the last endpoint back-off |
//! | no TCP connection, or the TLS handshake fails | tries the next address at once, then the next endpoint; after the last one back-off |
//! | the bind gets no response, or the connection breaks before the response | the same |
//! | the bind is refused with `ESME_RALYBND`, `ESME_RBINDFAIL` or another status | tries the next endpoint at once, not the other addresses of this one; after the last endpoint back-off |
//! | the bind is refused with `ESME_RINVPASWD`, `ESME_RINVSYSID`, `ESME_RINVSYSTYP` or `ESME_RPROHIBITED` | stops, unless the SMSC has accepted these credentials before: then as for other statuses |
//! | a bind is lost, or the SMSC unbinds | back-off (0.5 to 1 s if the bind had lived for 10 s) |
//!
//! The waits of two processes differ: unless you set [`Options::seed`], the adapter takes a random one from the system for
//! each account.
//!
//! # Keep-alive: how a dead link is detected
//!
//! After 20 s without a PDU from the peer ([`Config::enquire_link_interval`]) the session sends `enquire_link`; if
//! nothing at all comes within [`Config::response_timeout`] (10 s), the session closes with `LinkDead`, and the account
//! reconnects. So a connection that breaks silently is detected after at most 30 s. A request that times out is a
//! reason to ask at once: the session sends `enquire_link`, and sends no new request until the peer has sent something.
//! A peer that responds to `enquire_link` but to no request for [`Config::max_response_timeouts`] (6) response timeouts
//! is left with `Unresponsive`. Shorten these times for a faster reaction.
//!
//! # Connection limits: `max_binds`
//!
//! Providers allow few binds for each account (8x8: four) and respond with `ESME_RALYBND` above that.
//!
//! - Connections that are being made or closed count. A new connection starts only after the old one is
//!   closed.
//! - While a group of binds has none, one of its connections at a time tries. Once one is bound, the others follow at
//!   least [`Options::connect_interval`] (200 ms) apart.
//! - After a bind ends, the next one in its place sends no message for 1 s if a rate is set: the SMSC may still count
//!   what was sent in the last second.
//! - If two programs share an account, split the limit between them. After a crash the SMSC may count the old binds until
//!   its own timeout: the account then sees `ESME_RALYBND` and keeps trying with back-off.
//! - [`Account::set_binds`] changes the binds at run time. Surplus binds are unbound after what they have in flight
//!   has its response; the others stay. With [`Binds::NONE`] the account unbinds all: it keeps its messages and receipts,
//!   and takes messages up to [`Options::queue_capacity`].
//!
//! # Modes, several hosts, failover
//!
//! [`Options::binds`] is a list of groups. A group has a mode (transceivers, transmitters, receivers, or pairs of the
//! latter two), a number of binds, and endpoints. A group without endpoints uses [`Options::endpoints`], which begins with
//! the URL of the connector. All groups together stay within [`Options::max_binds`].
//!
//! `connect` returns with the first bind: with transmitters and receivers apart, the other mode may follow later.
//! [`Account::links`] and the event stream say which binds there are.
//!
//! To answer on the bind on which a message came, as a USSD session requires:
//!
//! ```no_run
//! use smpp_proto::account::{InboundMessage, Message};
//! use smpp_proto::tlv::UssdServiceOp;
//! use smpp_proto::{SubmitSm, Tlv, Tlvs};
//! use smpp_tokio::account::Account;
//!
//! # async fn example(account: Account, question: &InboundMessage, answer: SubmitSm<'_>) -> Result<(), Box<dyn std::error::Error>> {
//! let tlvs = [Tlv::ussd_service_op(UssdServiceOp::USSR_REQUEST)];
//! let menu = SubmitSm { tlvs: Tlvs::list(&tlvs), ..answer };
//! account.send(&Message::text(&menu, "1 Balance\n2 Help").bind(question.bind())).await?;
//! # Ok(())
//! # }
//! ```
//!
//! ```no_run
//! use smpp_proto::Endpoint;
//! use smpp_proto::account::{Binds, Credentials, Options};
//! use smpp_proto::provider::Provider;
//! use smpp_tokio::account::AccountConnector;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let [tx, rx, backup]: [Endpoint; 3] = [
//!     "smpps://tx.example.com:2776".parse()?,
//!     "smpps://rx.example.com:2776".parse()?,
//!     "smpps://backup.example.com:2776".parse()?,
//! ];
//! let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED)
//!     // Two transmitters, which use the backup while `tx` fails, and one receiver on another host.
//!     .binds(Binds::transmitters(2).at([tx, backup]).and(Binds::receivers(1).at([rx])))
//!     .max_binds(3);
//! let (account, arrivals) = AccountConnector::with_options(options).connect().await?;
//! # drop((account, arrivals));
//! # Ok(())
//! # }
//! ```
//!
//! - When every address of an endpoint has failed, the next endpoint of the group is tried at once. Only after the last
//!   one does the group back off. The endpoint and the address of the last accepted bind of the group go first, also after
//!   the first endpoint works again.
//! - A group whose hosts are down does not delay the other groups.
//! - At least one bind on each of two hosts: two groups with the same endpoints in reverse order,
//!   `Binds::transceivers(1).at([a, b]).and(Binds::transceivers(1).at([b, a]))`.
//! - A backup for the URL of [`AccountConnector::new`](crate::account::AccountConnector::new): put it into
//!   [`Options::endpoints`].
//!
//! # Fields of the bind
//!
//! [`Credentials`] has every field: `system_type`, `addr_ton`, `addr_npi`, `address_range`, and `tlvs`, which some providers
//! define. [`Options::interface_version`] is the version. If a provider issues a system_type of more than 12 octets, or a
//! system_id of more than 15, set [`Options::bind_quirks`] to [`Quirks::LONG_STRING`]; without it, such a value is an error.
//!
//! # Change an account while it runs
//!
//! [`Account::options`] returns the options, [`Account::reconfigure`] sets them. Messages and receipts are kept. The
//! [core's method](smpp_proto::account::Account::reconfigure) has a table of when each field takes effect.
//!
//! To change a password without a break, let the provider set it first, then call `reconfigure`. New binds use it at once.
//! Existing binds are replaced one at a time, each after what it has in flight has its response: every event stream shows
//! `Closed` and `Bound` for each slot. If the SMSC refuses the password, one bind is lost and the account stops
//! (`BindRefused`, `Stopped`); the others stay bound with the old password, and send. `reconfigure` with the old password
//! resumes the account.
//!
//! ```no_run
//! use smpp_proto::account::{AccountEvent, LinkEvent};
//! use smpp_tokio::account::Account;
//!
//! /// Returns whether the SMSC accepts the password. If not, the account goes on with the one that it had.
//! async fn change_password(account: &Account, password: &str) -> Result<bool, Box<dyn std::error::Error>> {
//!     let before = account.options();
//!     if before.credentials.password == password {
//!         return Ok(true); // no bind is replaced
//!     }
//!     let mut events = account.events();
//!     let mut changed = before.clone();
//!     changed.credentials.password = password.into();
//!     account.reconfigure(changed)?;
//!     while let Some(event) = events.recv().await {
//!         match event {
//!             AccountEvent::Link { event: LinkEvent::Bound { .. }, .. } => return Ok(true),
//!             AccountEvent::Stopped { .. } => {
//!                 account.reconfigure(before)?;
//!                 return Ok(false);
//!             }
//!             _ => {}
//!         }
//!     }
//!     Ok(false)
//! }
//! ```
//!
//! The first bind with the new password decides: the others follow. `smpp smsc --account shop:s3cret` is an SMSC to try it
//! with: it refuses every other password.
//!
//! # DNS and several addresses
//!
//! The account resolves the host name before each connection, tries all addresses in turn, and begins with the last one
//! that accepted a bind. Each address has [`Options::connect_timeout`] (10 s), TLS included; resolving has the same. TLS
//! verifies the host of the endpoint. A resolver of your own is set with [`AccountConnector::resolver`]:
//!
//! ```no_run
//! use smpp_proto::Endpoint;
//! use smpp_proto::account::{Backoff, Credentials, Options};
//! use smpp_proto::provider::Provider;
//! use smpp_tokio::account::AccountConnector;
//! use std::time::Duration;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let endpoint: Endpoint = "smpp://smsc.example:2775".parse()?;
//! let mut options = Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED);
//! options.backoff = Backoff::default().max(Duration::from_secs(30));
//! options.session.enquire_link_interval = Some(Duration::from_secs(10));
//! let (account, _arrivals) = AccountConnector::new(&endpoint, options)
//!     .resolver(|_| async { Ok(vec![([192, 0, 2, 1], 2775).into(), ([192, 0, 2, 2], 2775).into()]) })
//!     .connect()
//!     .await?;
//! # drop(account);
//! # Ok(())
//! # }
//! ```
//!
//! # Local address, proxy, Unix socket
//!
//! [`AccountConnector::dial`](crate::account::AccountConnector::dial) sets the function that opens the transport. It gets a
//! [`DialTarget`](crate::DialTarget): the address, and the endpoint with the host's name. With
//! [`dial_by_name`](crate::account::AccountConnector::dial_by_name) the name is not resolved, for a proxy that does so. TLS
//! runs over the transport: a proxy sees neither the password nor the messages. [`Connector`](crate::Connector) has the same
//! two methods. The examples `local_address` and `socks_proxy` (SOCKS5, with the crate `tokio-socks`) are programs for each.
//!
//! An HTTP proxy needs a `CONNECT` before:
//!
//! ```no_run
//! use smpp_tokio::account::AccountConnector;
//! use std::io;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! use tokio::net::TcpStream;
//!
//! # fn example(connector: AccountConnector) {
//! let connector = connector.dial_by_name(|target| async move {
//!     let mut stream = TcpStream::connect("proxy.example:3128").await?;
//!     let to = format!("{}:{}", target.endpoint.host, target.endpoint.port);
//!     stream.write_all(format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n").as_bytes()).await?;
//!     let mut head = Vec::new();
//!     // The octets behind the head are the SMSC's.
//!     while !head.ends_with(b"\r\n\r\n") && head.len() < 8_192 {
//!         head.push(stream.read_u8().await?);
//!     }
//!     match head.get(8..12) {
//!         Some(b" 200") => Ok(stream),
//!         _ => Err(io::Error::other("the HTTP proxy refuses the connection")),
//!     }
//! });
//! # let _ = connector;
//! # }
//! ```
//!
//! # Watch the binds
//!
//! [`Account::events`] returns a receiver of every [`AccountEvent`]; those of a link are [`LinkEvent`]s: binding, bound,
//! refused, not resolved, connect failed, throttled, paused, resumed, closed. `Display` says what happened, where, and what
//! the account does next: `link 0: connection to 192.0.2.1:2775 closed: the peer unbound; rebinding in 1.3 s`. The field
//! `retry_in` has that time; `None` means that the account tries the next address at once, or does not reconnect.
//!
//! ```no_run
//! # async fn example(account: smpp_tokio::account::Account) {
//! let mut events = account.events();
//! while let Some(event) = events.recv().await {
//!     println!("{event}");
//! }
//! # }
//! ```
//!
//! [`Account::links`] returns the state and the counters of each link, [`Account::stats`] the counters across all sessions.
//! The features `tracing` and `metrics` report the same: [`observability`](super::observability).
//!
//! # The first bind
//!
//! [`AccountConnector::connect`] waits for it, at most [`AccountConnector::bind_timeout`] (60 s). [`AccountError`] says
//! what was last in the way. It fails early if the credentials are rejected, or if every address was tried and the
//! certificate of the last one was rejected. In every error case the account is gone: call `connect` again. A service that
//! must survive an SMSC that is down at its start uses [`AccountConnector::start`]: it returns at once, and the account
//! tries for ever.
//!
//! # What happens to messages when a bind is lost
//!
//! | the message (segment) was | outcome |
//! | --- | --- |
//! | in the queue | it waits; goes out on another bind or the next one. Its [`deadline`](smpp_proto::account::Message::deadline) still counts |
//! | bound to one bind by [`Message::bind`](smpp_proto::account::Message::bind) | `NeverSent(BindEnded)` |
//! | encoded, last octet not yet handed to the transport | the same: it was never sent |
//! | handed to the transport, without a response | `Unanswered`: reported, or sent again, as [`UnansweredPolicy`](smpp_proto::account::UnansweredPolicy) says |
//! | accepted, receipt pending | nothing changes: the receipt arrives on any bind of the account |
//!
//! Without a deadline a message waits for as long as there is no bind. One-time passwords should have one:
//!
//! ```
//! use smpp_proto::SubmitSm;
//! use smpp_proto::account::{Message, Priority};
//! use std::time::Duration;
//!
//! let code = Message::text(&SubmitSm::default(), "Your code is 123456")
//!     .priority(Priority::High)
//!     .deadline(Duration::from_secs(60));
//! # let _ = code;
//! ```
//!
//! The deadline bounds the time in the account's queue. `validity_period` of the `submit_sm` bounds how long the SMSC tries
//! to deliver what it has accepted: set both, see [`sms::time`](smpp_proto::sms::time).
//!
//! What you received and did not acknowledge before the bind was lost, the SMSC delivers again; `accept()` returns an
//! error then.
//!
//! # Throttled messages: `ESME_RTHROTTLED`, `ESME_RMSGQFUL`, `ESME_RINVBNDSTS`
//!
//! A table says what the account does for each status: [`Options::statuses`]. It is the provider's
//! ([`Provider::statuses`](smpp_proto::provider::Provider::statuses)), and you can override it. Without a statement of the
//! provider these apply:
//!
//! | status of a submit | [`SubmitAction`] | effect |
//! | --- | --- | --- |
//! | `ESME_RTHROTTLED` | `Pause { times: 10, delay: 1 s }` | the bind sends nothing for 1 s; the segment returns to its old place in the queue, and may go out on another bind at once |
//! | `ESME_RMSGQFUL` | `Retry { times: 10, delay: 1 s }` | this message waits for 1 s, others do not: it may be the queue of one subscriber |
//! | `ESME_RSYSERR`, `ESME_RX_T_APPN` | `Retry { times: 3, delay: 1 s }` | the same |
//! | `ESME_RINVBNDSTS` | `Rebind { times: 3 }` | the segment goes out on another bind, or after 1 s if there is none |
//! | any other | `Refuse` | the outcome is `Refused` |
//!
//! - A `generic_nack` to a message follows the same table.
//! - The event stream has `Paused` when a bind is paused, after `Throttled` if the status was `ESME_RTHROTTLED` or
//!   `ESME_RMSGQFUL`, and `Resumed` when it sends again. A `Retry` that pauses no bind emits nothing:
//!   [`Account::stats`] counts the responses.
//! - After `times` retries the outcome is `Refused`. Deadlines and [`cancel`](smpp_proto::account::Account::cancel) count
//!   while a message waits. Messages in order to the same destination wait behind it.
//! - `Retry` pauses the bind only if the SMSC refuses messages to two destinations on it, and accepts none in between.
//! - `Rebind` unbinds and binds again, with back-off, if the bind refuses two segments in a row: the SMSC has lost the bind
//!   and has not said so.
//! - `Stop` stops the account, for a status such as "no credit": see below.
//!
//! A provider that uses status 4 for "invalid number", and a status of its own for "too fast":
//!
//! ```
//! use std::time::Duration;
//!
//! use smpp_proto::CommandStatus;
//! use smpp_proto::account::{Credentials, Options};
//! use smpp_proto::provider::{Provider, SubmitAction};
//!
//! let mut options = Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED);
//! options.statuses = options
//!     .statuses
//!     .on_submit(CommandStatus::RINVBNDSTS, SubmitAction::Refuse)
//!     .on_submit(CommandStatus(0x451), SubmitAction::Pause { times: 20, delay: Duration::from_millis(500) });
//! ```
//!
//! # Slow-down and recovery
//!
//! Independently of the account, each session slows down when the peer is overloaded
//! ([`Config::slow_down_when_throttled`], on by default):
//!
//! | signal | effect |
//! | --- | --- |
//! | `ESME_RTHROTTLED`, or `congestion_state` of 100 or more | half the speed, at once |
//! | `congestion_state` 90 to 99 | eight ninths of the speed |
//!
//! The speed then grows back to the configured rate in a straight line within 10 s. It never falls below one message a
//! second (or below the configured rate, if that is slower). Only messages sent after the last slow-down can cause another
//! one. Without a rate, the recent speed is the reference, and after 10 s there is no limit again.
//!
//! # Stopped accounts
//!
//! After rejected credentials no further bind is tried, because repeated attempts may lock the account at the provider.
//! [`Options::statuses`] says which statuses of a bind do so; with [`SubmitAction::Stop`], the status of a message stops the
//! account as well: then it sends no message on any bind, and the queued messages end as `NeverSent(Stopped)`.
//!
//! By default a stop concerns credentials that the SMSC has not accepted since the account was started. If it rejects
//! accepted ones, for example while it starts and its accounts are not loaded yet, the account tries again with back-off.
//!
//! You learn of a stop in two ways: [`Account::events`] returns `BindRefused` with one of the four statuses above, then
//! `Stopped`; and without a bind that can send, submit returns [`SubmitError::Stopped`]. Binds that exist live on, and send
//! what you submit; when no connection can send any more, queued messages end as `NeverSent(Stopped)`. Correct the
//! credentials with [`Account::reconfigure`], or call [`Account::resume`] once the provider has corrected them.
//!
//! # Reconnecting a plain session
//!
//! When [`Handle::closed`](crate::Handle::closed) returns, connect again with [`Connector`](crate::Connector) after a
//! pause of your own. Two connections of one account that overlap count twice against the limit.
//!
//! # Blocking crate
//!
//! The account of `smpp-std` reconnects in the same way, with the same options. `resolver`, `dial` and `dial_by_name`
//! take blocking functions; `dial` has to return by itself, because `connect_timeout` does not apply to it.
//!
//! [`Account`]: crate::account::Account
//! [`Account::events`]: crate::account::Account::events
//! [`Account::links`]: crate::account::Account::links
//! [`Account::options`]: crate::account::Account::options
//! [`Account::reconfigure`]: crate::account::Account::reconfigure
//! [`Account::resume`]: crate::account::Account::resume
//! [`Account::set_binds`]: crate::account::Account::set_binds
//! [`Account::stats`]: crate::account::Account::stats
//! [`AccountConnector::bind_timeout`]: crate::account::AccountConnector::bind_timeout
//! [`AccountConnector::connect`]: crate::account::AccountConnector::connect
//! [`AccountConnector::resolver`]: crate::account::AccountConnector::resolver
//! [`AccountConnector::start`]: crate::account::AccountConnector::start
//! [`AccountEvent`]: smpp_proto::account::AccountEvent
//! [`AccountError`]: crate::account::AccountError
//! [`Binds::NONE`]: smpp_proto::account::Binds::NONE
//! [`Credentials`]: smpp_proto::account::Credentials
//! [`Backoff::initial`]: smpp_proto::account::Backoff::initial
//! [`Backoff::max`]: smpp_proto::account::Backoff::max
//! [`Backoff::reset_after`]: smpp_proto::account::Backoff::reset_after
//! [`Config::enquire_link_interval`]: smpp_proto::session::Config::enquire_link_interval
//! [`Config::max_response_timeouts`]: smpp_proto::session::Config::max_response_timeouts
//! [`Config::response_timeout`]: smpp_proto::session::Config::response_timeout
//! [`Config::slow_down_when_throttled`]: smpp_proto::session::Config::slow_down_when_throttled
//! [`LinkEvent`]: smpp_proto::account::LinkEvent
//! [`Options::bind_quirks`]: smpp_proto::account::Options::bind_quirks
//! [`Options::binds`]: smpp_proto::account::Options::binds
//! [`Options::endpoints`]: smpp_proto::account::Options::endpoints
//! [`Options::interface_version`]: smpp_proto::account::Options::interface_version
//! [`Options::queue_capacity`]: smpp_proto::account::Options::queue_capacity
//! [`Quirks::LONG_STRING`]: smpp_proto::Quirks::LONG_STRING
//! [`Options::connect_interval`]: smpp_proto::account::Options::connect_interval
//! [`Options::connect_timeout`]: smpp_proto::account::Options::connect_timeout
//! [`Options::max_binds`]: smpp_proto::account::Options::max_binds
//! [`Options::seed`]: smpp_proto::account::Options::seed
//! [`Options::statuses`]: smpp_proto::account::Options::statuses
//! [`SubmitAction`]: smpp_proto::provider::SubmitAction
//! [`SubmitAction::Stop`]: smpp_proto::provider::SubmitAction::Stop
//! [`SubmitError::Stopped`]: smpp_proto::account::SubmitError::Stopped
