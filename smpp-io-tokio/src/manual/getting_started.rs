//! Which API do I need, and what does the smallest program look like?
//!
//! **Short answer.** To send messages through a provider, use an [`Account`]: it keeps the binds, reconnects, limits
//! the rate, splits long texts into segments and matches delivery receipts. Use a session ([`Connector`], [`Client`]) to
//! control one bind yourself. Use a [`Server`] to be the SMSC. All three exist in blocking form in the crate
//! `smpp-std`.
//!
//! # Which API do I need?
//!
//! | you want | use | it does for you | you do |
//! | --- | --- | --- | --- |
//! | to send and receive messages of one account in production | [`account`](crate::account) | binds, reconnect, back-off, rate, window, segments, receipts, retry of throttled messages | decide what to do with an unanswered message |
//! | one bind, every PDU under your control | [`Connector`], [`Client`], [`Inbox`] | encoding, window, rate, keep-alive, timeouts | bind, reconnect, segments, receipts |
//! | an SMSC, a gateway, a test server | [`Server`], [`Service`] | accept, TLS, limits, routing of deliveries | decide on binds, respond to messages |
//! | no async runtime | the crate `smpp-std` | the same | the same, in threads |
//! | another runtime or transport | [`smpp_proto`], or [`start`] for any `AsyncRead + AsyncWrite` | protocol decisions | move octets and time: [`embedding_the_core`](super::embedding_the_core) |
//!
//! # Add the dependencies
//!
//! ```sh
//! cargo add smpp-tokio --path CLONE/smpp-io-tokio
//! cargo add smpp-proto --path CLONE/smpp-core
//! cargo add tokio --features macros,rt-multi-thread
//! ```
//!
//! `CLONE` is the repository, until the packages are published; so it is for features, as in
//! `cargo add smpp-proto --path CLONE/smpp-core --features serde`. `smpp-proto` is also re-exported as
//! [`smpp_tokio::smpp_proto`](crate::smpp_proto); then the first package alone is enough. The examples of
//! this manual use `smpp-proto` as a dependency of its own; with `smpp-tokio` alone, write
//! `smpp_tokio::smpp_proto` instead of `smpp_proto`. Without async: `smpp-std`. Rust 1.88 or later and a C
//! compiler (for the TLS library, [`rustls`](crate::tls::rustls) with the provider `ring`) are all that a build needs; without
//! TLS, Rust alone. The crates contain no `unsafe` code.
//!
//! Features of `smpp-tokio`; those of `smpp-std` are the same, without `stream`:
//!
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `rustls`, `ring`, `native-roots` | yes | TLS with the certificate authorities of the operating system: [`tls`](super::tls) |
//! | `aws-lc-rs`, `fips`, `platform-verifier`, `webpki-roots` | no | [other choices](super::tls#choose-the-cryptography-library-and-the-roots) of the same |
//! | `tracing` | no | spans and log events: [`observability`](super::observability) |
//! | `metrics` | no | counters, gauges and a histogram for the facade `metrics` |
//! | `stream` | no | [`Arrivals`], [`Events`](crate::account::Events) and [`Inbox`] are `Stream`s of `futures-core` |
//! | `testing` | no | an SMSC for tests: [`testing_against_an_smsc`](super::testing_against_an_smsc) |
//! | `full` | no | all but `aws-lc-rs` and `fips` |
//!
//! # An account in 40 lines
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use smpp_proto::account::{Binds, Credentials, Message, Options};
//! use smpp_proto::provider::Provider;
//! use smpp_proto::{Address, RegisteredDelivery, SubmitSm};
//! use smpp_tokio::account::{Account, Arrival};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let credentials = Credentials::new("my_subaccount", std::env::var("SMPP_PASSWORD")?);
//!     let options = Options::new(credentials, &Provider::EIGHT_BY_EIGHT).binds(Binds::transceivers(2));
//!     let (account, mut arrivals) = Account::connect("smpps://smpp.8x8.com", options).await?;
//!
//!     // Mobile-originated messages, and receipts that no `Sent` waits for.
//!     tokio::spawn(async move {
//!         while let Some(arrival) = arrivals.recv().await {
//!             match arrival {
//!                 Arrival::Message(message) => {
//!                     println!("{} wrote {:?}", message.get().source().digits, message.get().text());
//!                     let _ = message.accept(); // acknowledges: the SMSC forgets the message
//!                 }
//!                 Arrival::Receipt(receipt) => drop(receipt.accept()),
//!                 // A message that `send` reported as `Unanswered` was accepted or refused after all.
//!                 Arrival::LateOutcome { message, outcome, .. } => println!("late: {message}: {outcome}"),
//!                 _ => {}
//!             }
//!         }
//!     });
//!
//!     let template = SubmitSm {
//!         source: Address::alphanumeric("8x8")?,
//!         destination: Address::international("6591234567")?,
//!         registered_delivery: RegisteredDelivery::RECEIPT,
//!         ..SubmitSm::default()
//!     };
//!     let mut sent = account.send(&Message::text(&template, "Hello")).await?;
//!     println!("accepted as {:?}", sent.ids());
//!     println!("then {:?}", sent.receipt().await?);
//!     account.shutdown(Duration::from_secs(10)).await;
//!     Ok(())
//! }
//! ```
//!
//! What the lines mean:
//!
//! - [`Provider`] holds what a provider publishes: ports, TLS versions, the limit on binds, the rate.
//!   [`Provider::UNSTATED`] is the base for a provider of your own. [`Options::new`] copies the limits from it.
//! - Settings are `#[non_exhaustive]`: start from `new` or `default`, chain the setter of each field that differs, which has the field's
//!   name, or assign: `options.session.window = 32`.
//! - An error of `main` is printed by its `Debug` form. For its text, which says what to do, print it with `{}`.
//! - [`Account::connect`] waits for the first bind, 60 s by default, and fails at once if the SMSC rejects the
//!   credentials or the certificate is not accepted. A service that must survive an SMSC that is down at its start uses
//!   [`AccountConnector::start`], which does not wait.
//! - [`Options::binds`] says how many binds, in which modes and on which hosts; one transceiver by default:
//!   [several hosts and failover](super::reconnecting_and_throttling#modes-several-hosts-failover).
//! - A URL may also hold system_id and password, which replace those of the options, `smpps://shop:p%40ss@host`: percent-encode `@`, `:`, `/`, `#`, `?` and `%`.
//! - [`Account::send`] waits until the SMSC has responded to every segment. To send many messages, run many `send`
//!   calls at the same time (tasks, `join_all`), or use [`Account::submit`] and wait for the [`Ticket`] later.
//! - Read [`Arrivals`]. While it is full, the account responds with `ESME_RX_T_APPN` to new deliveries, and the SMSC sends
//!   them again later. Drop it only in a program that only sends and asks for no receipts, or waits for each with `Sent`.
//!
//! # One session
//!
//! ```no_run
//! use smpp_proto::session::{Config, Rate};
//! use smpp_proto::{Address, Bind, Endpoint, RegisteredDelivery, ShortMessage, SubmitSm};
//! use smpp_tokio::{Connector, Inbound};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let endpoint: Endpoint = "smpps://smpp.8x8.com".parse()?;
//! let config = Config::default().window(32).rate(Rate::per_second(50));
//! let (client, mut inbox) = Connector::new().config(config).connect(&endpoint).await?;
//! client.bind(&Bind { system_id: "shop".try_into()?, password: "secret".try_into()?, ..Bind::default() }).await?;
//!
//! let response = client
//!     .submit(&SubmitSm {
//!         destination: Address::international("6591234567")?,
//!         registered_delivery: RegisteredDelivery::RECEIPT,
//!         short_message: ShortMessage::new(b"Hello")?,
//!         ..SubmitSm::default()
//!     })
//!     .await?;
//! println!("message id {}", response.message_id().escape_ascii());
//!
//! while let Some(inbound) = inbox.recv().await {
//!     if let Inbound::DeliverSm(message) = inbound {
//!         println!("{}", message.get().text().escape_ascii());
//!         message.accept()?;
//!         break;
//!     }
//! }
//! println!("{}", client.unbind().await);
//! # Ok(())
//! # }
//! ```
//!
//! A session does not use the credentials in a URL by itself: [`Endpoint::bind`](smpp_proto::Endpoint::bind) returns a bind with
//! them. The session responds to `enquire_link` itself, and sends one after 20 s of silence of the peer. `short_message`
//! holds octets: a session does not encode texts. [`smpp_proto::sms`] does:
//! [`long_messages_and_encodings`](super::long_messages_and_encodings).
//!
//! # Blocking crate
//!
//! `smpp-std` works over `std::net` and threads. `Account`, `Arrivals`, `Sent`, `Ticket`, `Connector`, `Handle`, `Inbox`,
//! `Server` and `Service` exist in both; methods block instead of being `async`, and those that may block for long have a
//! second form with a deadline (`send_until`, `recv_until`). The names are the same, with this exception:
//!
//! | `smpp_tokio` | `smpp_std` |
//! | --- | --- |
//! | `Connector::connect`: a `Client` and its `Inbox` | `Connector::start` |
//! | `Connector::bind`: the same, bound | `Connector::start`, then `Client::bind` |
//! | | `Connector::connect`, `Connector::bind`: a `Connection`, for one thread |
//!
//! ```no_run
//! use smpp_proto::account::{Credentials, Message, Options};
//! use smpp_proto::provider::Provider;
//! use smpp_proto::{Address, SubmitSm};
//! use smpp_std::account::Account;
//!
//! let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::EIGHT_BY_EIGHT);
//! let (account, _arrivals) = Account::connect("smpps://smpp.8x8.com", options)?;
//! let template = SubmitSm { destination: Address::international("6591234567")?, ..SubmitSm::default() };
//! println!("accepted as {:?}", account.send(&Message::text(&template, "Hello"))?.ids());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! It also has `Connection`, one session in the caller's own thread with no other thread. It sends and responds to
//! `enquire_link` only while you are in one of its methods: call `recv` often enough. The blocking `Server` has two
//! threads for each connection; it is meant for tests, gateways and some hundreds of binds.
//!
//! # Settings from a file
//!
//! With the feature `serde` of `smpp-proto`, [`Options`](smpp_proto::account::Options) and [`Provider`] are read from TOML, JSON or
//! any other format of `serde`: `toml::from_str(text)`. Durations are written `"30s"`; a key that does not exist is an error, and so is a number out of its range, which the error states. The module
//! `settings` of `smpp-proto` describes the keys, and the example `account_from_file` reads this:
//!
//! ```toml
//! system_id = "shop"
//! password = "s3cret"
//! provider = "8x8"
//! endpoints = ["smpps://smpp.8x8.com:2776"]
//! binds = { transceivers = 2 }
//! rate = 80
//!
//! [session]
//! enquire_link_interval = "20s"
//!
//! [receipts]
//! max_age = "48h"
//! ```
//!
//! # Programs to read
//!
//! One subject each, with `cargo run --example`: `account`, `account_from_file`, `receive`, `outbox` (messages and receipts in a database),
//! `session`, `server`, `observe`, `local_address`, `socks_proxy` and `test_smsc` in `smpp-tokio`; `blocking`, `blocking_account`,
//! `blocking_receive` and `blocking_test_smsc` in `smpp-std`; `mio`, `smol` and `proxy` in `smpp-proto`.
//!
//! # Try it without a provider
//!
//! ```sh
//! cargo run --bin smpp -- smsc --listen 127.0.0.1:2775 --account shop:s3cret
//! ```
//!
//! Then connect to `smpp://shop:s3cret@127.0.0.1:2775`. More:
//! [`testing_against_an_smsc`](super::testing_against_an_smsc).
//!
//! [`Account`]: crate::account::Account
//! [`Account::connect`]: crate::account::Account::connect
//! [`Account::send`]: crate::account::Account::send
//! [`Account::submit`]: crate::account::Account::submit
//! [`AccountConnector::start`]: crate::account::AccountConnector::start
//! [`Arrivals`]: crate::account::Arrivals
//! [`Client`]: crate::Client
//! [`Connector`]: crate::Connector
//! [`Inbox`]: crate::Inbox
//! [`Options::binds`]: smpp_proto::account::Options::binds
//! [`Options::new`]: smpp_proto::account::Options::new
//! [`Provider`]: smpp_proto::provider::Provider
//! [`Provider::UNSTATED`]: smpp_proto::provider::Provider::UNSTATED
//! [`Server`]: crate::Server
//! [`Service`]: crate::Service
//! [`Ticket`]: crate::account::Ticket
//! [`start`]: crate::start
