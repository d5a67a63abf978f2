//! When and how does an account reconnect, and what does it do when the SMSC is overloaded?
//!
//! **Short answer.** An [`Account`] reconnects by itself, for ever, with exponential back-off, never with more
//! connections than [`Options::max_binds`]. Queued messages wait and go out on any bind. In-flight messages without a
//! response get the outcome `Unanswered`. Only rejected credentials stop an account. A plain session
//! ([`Client`](crate::Client)) does not reconnect.
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
//! | the host name cannot be resolved, or has no address | back-off, then resolves again |
//! | no TCP connection, or the TLS handshake fails | tries the next address at once; after the last address back-off |
//! | the bind gets no response, or the connection breaks before the response | the same |
//! | the bind is refused with `ESME_RALYBND`, `ESME_RBINDFAIL` or another status | back-off; other addresses are not tried first |
//! | the bind is refused with `ESME_RINVPASWD`, `ESME_RINVSYSID`, `ESME_RINVSYSTYP` or `ESME_RPROHIBITED` | stops: no new bind is ever tried |
//! | a bind is lost, or the SMSC unbinds | back-off (0.5 to 1 s if the bind had lived for 10 s) |
//!
//! Set [`Options::seed`] to a different number in each process: it makes the waits differ.
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
//! - While no bind exists, one connection at a time tries. Once one is bound, the others follow at least
//!   [`Options::connect_interval`] (200 ms) apart.
//! - After a bind ends, the next one in its place sends no message for 1 s if a rate is set: the SMSC may still count
//!   what was sent in the last second.
//! - If two programs share an account, split the limit between them. After a crash the SMSC may count the old binds until
//!   its own timeout: the account then sees `ESME_RALYBND` and keeps trying with back-off.
//! - [`Account::set_binds`] changes the number at run time. Surplus binds are unbound after what they have in flight
//!   has its response.
//!
//! # DNS and several addresses
//!
//! The account resolves the host name before each connection, tries all addresses in turn, and begins with the last one
//! that accepted a bind. Each address has [`Options::connect_timeout`] (10 s), TLS included; resolving has the same.
//! An account has one host. For failover to a second SMSC host, run a second account, or return the addresses of both from
//! [`AccountConnector::resolver`]: they are tried in turn, and TLS verifies the host of the URL at each. Through a SOCKS or
//! HTTP proxy, connect with [`AccountConnector::dial`](crate::account::AccountConnector::dial). A resolver of your own:
//!
//! ```no_run
//! use smpp_core::Endpoint;
//! use smpp_core::account::{Backoff, Credentials, Options};
//! use smpp_core::provider::Provider;
//! use smpp_io_tokio::account::AccountConnector;
//! use std::time::Duration;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let endpoint: Endpoint = "smpp://smsc.example:2775".parse()?;
//! let mut options = Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED);
//! options.backoff = Backoff { max: Duration::from_secs(30), ..Backoff::default() };
//! options.session.enquire_link_interval = Some(Duration::from_secs(10));
//! options.seed = u64::from(std::process::id());
//! let (account, _arrivals) = AccountConnector::new(&endpoint, options)
//!     .resolver(|_| async { Ok(vec![([192, 0, 2, 1], 2775).into(), ([192, 0, 2, 2], 2775).into()]) })
//!     .subscribe(|link, event| println!("link {link}: {event:?}"))
//!     .connect()
//!     .await?;
//! # drop(account);
//! # Ok(())
//! # }
//! ```
//!
//! # Watch the binds
//!
//! [`AccountConnector::subscribe`] receives every [`LinkEvent`]: bound, refused, not resolved, connect
//! failed, closed. Its `retry_at` is on the account's clock: the time since the account was started, as `as_nanos()`. The
//! observers of the account get the same clock. Use it to compare events; there is no conversion to the time of day. `None`
//! means: tries the next address at once, or does not reconnect.
//! [`Account::links`] returns the state and the counters of each link. The features `tracing` and `metrics`
//! report the same: [`observability`](super::observability).
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
//! | in the queue | it waits; goes out on another bind or the next one. Its [`deadline`](smpp_core::account::Message::deadline) still counts |
//! | bound to one bind by [`Message::bind`](smpp_core::account::Message::bind) | `NeverSent(BindEnded)` |
//! | encoded, last octet not yet handed to the transport | the same: it was never sent |
//! | handed to the transport, without a response | `Unanswered`: reported, or sent again, as [`UnansweredPolicy`](smpp_core::account::UnansweredPolicy) says |
//! | accepted, receipt pending | nothing changes: the receipt arrives on any bind of the account |
//!
//! Without a deadline a message waits for as long as there is no bind. One-time passwords should have one:
//!
//! ```
//! use smpp_core::SubmitSm;
//! use smpp_core::account::{Message, Priority};
//! use std::time::Duration;
//!
//! let code = Message::text(&SubmitSm::default(), "Your code is 123456")
//!     .priority(Priority::High)
//!     .deadline(Duration::from_secs(60));
//! # let _ = code;
//! ```
//!
//! The deadline bounds the time in the account's queue. `validity_period` of the `submit_sm` bounds how long the SMSC tries
//! to deliver what it has accepted: set both, see [`sms::time`](smpp_core::sms::time).
//!
//! What you received and did not acknowledge before the bind was lost, the SMSC delivers again; `accept()` returns an
//! error then.
//!
//! # Throttled messages: `ESME_RTHROTTLED`, `ESME_RMSGQFUL`, `ESME_RINVBNDSTS`
//!
//! A table says what the account does for each status: [`Options::statuses`]. It is the provider's
//! ([`Provider::statuses`](smpp_core::provider::Provider::statuses)), and you can override it. Without a statement of the
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
//! - After `times` retries the outcome is `Refused`. Deadlines and [`cancel`](smpp_core::account::Account::cancel) count
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
//! use smpp_core::CommandStatus;
//! use smpp_core::account::{Credentials, Options};
//! use smpp_core::provider::{Provider, SubmitAction};
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
//! second (or below the configured rate, if that is slower). Only messages sent after the last
//! slow-down can cause another one. Without a rate, the recent speed is the reference, and after 10 s there is no limit again.
//!
//! # Stopped accounts
//!
//! After rejected credentials no further bind is tried, because repeated attempts may lock the account at the provider.
//! [`Options::statuses`] says which statuses of a bind do so; with [`SubmitAction::Stop`], the status of a message stops the
//! account as well, and the queued messages end as `NeverSent(Stopped)`.
//! New messages are refused with [`SubmitError::Stopped`]. You learn of it in two ways: [`AccountConnector::subscribe`]
//! receives `LinkEvent::BindRefused` with one of the four statuses above, then `LinkEvent::Closed` with `retry_at: None`;
//! and the next submit returns [`SubmitError::Stopped`]. Binds that exist live on; when no connection can send any
//! more, queued messages end as `NeverSent(Stopped)`. Correct the credentials and start a new account.
//!
//! # Reconnecting a plain session
//!
//! When [`Handle::closed`](crate::Handle::closed) returns, connect again with [`Connector`](crate::Connector) after a
//! pause of your own. Two connections of one account that overlap count twice against the limit.
//!
//! # Blocking crate
//!
//! The account of `smpp-io-std` reconnects in the same way, with the same options. `resolver` and `dial` are blocking
//! functions.
//!
//! [`Account`]: crate::account::Account
//! [`Account::links`]: crate::account::Account::links
//! [`Account::set_binds`]: crate::account::Account::set_binds
//! [`AccountConnector::bind_timeout`]: crate::account::AccountConnector::bind_timeout
//! [`AccountConnector::connect`]: crate::account::AccountConnector::connect
//! [`AccountConnector::resolver`]: crate::account::AccountConnector::resolver
//! [`AccountConnector::start`]: crate::account::AccountConnector::start
//! [`AccountConnector::subscribe`]: crate::account::AccountConnector::subscribe
//! [`AccountError`]: crate::account::AccountError
//! [`Backoff::initial`]: smpp_core::account::Backoff::initial
//! [`Backoff::max`]: smpp_core::account::Backoff::max
//! [`Backoff::reset_after`]: smpp_core::account::Backoff::reset_after
//! [`Config::enquire_link_interval`]: smpp_core::session::Config::enquire_link_interval
//! [`Config::max_response_timeouts`]: smpp_core::session::Config::max_response_timeouts
//! [`Config::response_timeout`]: smpp_core::session::Config::response_timeout
//! [`Config::slow_down_when_throttled`]: smpp_core::session::Config::slow_down_when_throttled
//! [`LinkEvent`]: smpp_core::account::LinkEvent
//! [`Options::connect_interval`]: smpp_core::account::Options::connect_interval
//! [`Options::connect_timeout`]: smpp_core::account::Options::connect_timeout
//! [`Options::max_binds`]: smpp_core::account::Options::max_binds
//! [`Options::seed`]: smpp_core::account::Options::seed
//! [`Options::statuses`]: smpp_core::account::Options::statuses
//! [`SubmitAction`]: smpp_core::provider::SubmitAction
//! [`SubmitAction::Stop`]: smpp_core::provider::SubmitAction::Stop
//! [`SubmitError::Stopped`]: smpp_core::account::SubmitError::Stopped
