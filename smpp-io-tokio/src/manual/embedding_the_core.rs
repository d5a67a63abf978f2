//! How do I use the protocol on another runtime or transport, without the adapters?
//!
//! **Short answer.** With tokio and a stream of your own call [`start`]`(io, config)`. With anything else use
//! [`smpp_proto`], which has no sockets, clock, threads or tasks (`no_std` with `alloc`): pass in octets and the time,
//! take out octets, events and the next deadline. Take [`Session`](smpp_proto::session::Session) for one bind,
//! [`Account`](smpp_proto::account::Account) for many.
//!
//! # tokio with a transport of your own
//!
//! [`start`] runs a session in a task over any `AsyncRead + AsyncWrite`: a Unix socket, a tunnel, another TLS library,
//! `tokio::io::duplex`.
//!
//! ```no_run
//! # #[cfg(unix)]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use smpp_proto::Bind;
//! use smpp_proto::session::{Config, Esme};
//! use smpp_tokio::start;
//!
//! let stream = tokio::net::UnixStream::connect("/run/smsc.sock").await?;
//! let (client, _inbox) = start::<Esme, _>(stream, Config::default());
//! client.bind(&Bind::default()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! One condition: a write that fails must have consumed nothing. Otherwise a request that was sent is reported as
//! `NeverSent`. For a server wrap accepted streams in [`Service::transport`](crate::Service::transport). The blocking
//! crate has the traits `Transport` and `Duplex` for the same purpose.
//!
//! # One session: the run loop
//!
//! | step | call | note |
//! | --- | --- | --- |
//! | octets came in | [`handle_input`] until it returns `None` | events borrow your buffer; what is left in `input` is an incomplete PDU: keep it |
//! | the deadline passed | [`handle_timeout`] until it returns `None` | after all input was passed in: a response at the same instant wins |
//! | the stream ended | `handle_eof`, then `handle_timeout` | responses that you owe are still transmitted; then the outcome of every request, and `Closed` |
//! | the transport failed | `handle_disconnect`, then `handle_timeout` | reports the outcome of every request, then `Closed` |
//! | you want something | `request`, `respond`, `unbind`, `abort` | `request` returns `Err(Refused)` with your tag: nothing was sent, try again later |
//! | octets go out | `poll_transmit`, write, `handle_transmitted(n)` | `n`: how many octets the transport took. It decides between `NeverSent` and `Unanswered` |
//! | read again? | `wants_input` | if `false`, do not read: this is backpressure. When it turns true (`Timer::Input`), pass the input that was left over first |
//! | sleep until | `poll_timeout` | ask again after every other call |
//!
//! The complete loop is the first example in the documentation of [`smpp_proto`]. Two programs show it with real
//! sockets:
//!
//! ```sh
//! cargo run -p smpp-proto --example mio -- 127.0.0.1:2775 shop s3cret 6591234567 "Hello"
//! cargo run -p smpp-proto --example smol -- 127.0.0.1:2775 shop s3cret 6591234567 "Hello"
//! ```
//!
//! # An account: the run loop
//!
//! An account has one session for each connection (`LinkId`) and asks for connections with actions:
//!
//! | action | the adapter does | the adapter reports |
//! | --- | --- | --- |
//! | [`Action::Resolve`](smpp_proto::account::Action::Resolve) | ask DNS for all addresses of `account.endpoint(link)` | `handle_resolved` (with the addresses or the error) |
//! | [`Action::Connect`](smpp_proto::account::Action::Connect) | connect to the address, TLS included, within `Options::connect_timeout`; `account.endpoint(link)` has the host's name for TLS | `handle_connected` or `handle_connect_failed` |
//! | [`Action::Close`](smpp_proto::account::Action::Close) | close the connection, or give up making it | `handle_closed` |
//!
//! For each open link do what the table above says for a session, with the methods of the account: `handle_input` (of the
//! [`EventRouter`](smpp_proto::account::EventRouter) if you route all events with it),
//! `poll_transmit`, `handle_transmitted`, `handle_eof`, `handle_disconnect`, `poll_link_timeout`, `handle_link_timeout`. After each call look at
//! `poll_action`, `poll_event`, `wants_transmit` of every link, and `poll_timeout`. Fetch the events before you transmit:
//! then [`Event::HandedToTransport`](smpp_proto::account::Event::HandedToTransport) precedes the octets of its segment.
//! Each [`Event::Receipt`](smpp_proto::account::Event::Receipt) and [`Event::Message`](smpp_proto::account::Event::Message) has an
//! `ack`: pass it to `acknowledge`. [`Event::Closed`](smpp_proto::account::Event::Closed) is the last event, after `shutdown`.
//! If `handle_connected` returns `false`, the account no longer needs the connection: close it, and call `handle_closed`.
//!
//! The documentation of [`smpp_proto::account`] has a whole program with `std::net`: one bind, receipts, shutdown.
//! This program runs an account against an SMSC session in memory. Time is a number that the program advances:
//!
//! ```
//! use std::net::SocketAddr;
//! use std::time::Duration;
//!
//! use smpp_proto::account::{Account, Action, Credentials, Event, Message, Options};
//! use smpp_proto::provider::Provider;
//! use smpp_proto::session::{self, Config, Instant, Request, Session, Smsc};
//! use smpp_proto::{Address, BindResp, SubmitSm, SubmitSmResp};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut now = Instant::ZERO;
//! let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::EIGHT_BY_EIGHT);
//! let mut account = Account::<()>::new(options, now)?;
//! let template = SubmitSm { destination: Address::international("6591234567")?, ..SubmitSm::default() };
//! let number = account.submit(now, &Message::text(&template, "Hello"))?;
//!
//! let address: SocketAddr = "192.0.2.1:2776".parse()?;
//! let mut smsc = Session::<Smsc, ()>::new(Config::default(), now);
//! let mut outcomes = Vec::new();
//! for _ in 0..10 {
//!     // 1. Actions: here the "network" connects at once.
//!     while let Some(action) = account.poll_action() {
//!         match action {
//!             Action::Resolve { link } => account.handle_resolved(now, link, Ok(&[address])),
//!             Action::Connect { link, .. } => assert!(account.handle_connected(now, link, ())),
//!             Action::Close { link } => account.handle_closed(now, link),
//!         }
//!     }
//!     // 2. Events.
//!     while let Some(event) = account.poll_event() {
//!         if let Event::Outcome { message, outcome, .. } = event {
//!             outcomes.push((message, outcome));
//!         }
//!     }
//!     // 3. Octets of each link, both ways.
//!     let links: Vec<_> = account.links().map(|(link, _)| link).collect();
//!     for link in links {
//!         let mut out = Vec::new();
//!         if account.poll_transmit(link, &mut out) {
//!             account.handle_transmitted(now, link, out.len());
//!             let mut input = &out[..];
//!             while let Some(event) = smsc.handle_input(now, &mut input) {
//!                 match event {
//!                     session::Event::Request { request: Request::Bind(_, reply), .. } => {
//!                         smsc.respond(reply, Ok(BindResp::default()))?;
//!                     }
//!                     session::Event::Request { request: Request::SubmitSm(_, reply), .. } => {
//!                         let message_id = "id-1".try_into()?;
//!                         smsc.respond(reply, Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }))?;
//!                     }
//!                     _ => {}
//!                 }
//!             }
//!         }
//!         let mut back = Vec::new();
//!         if smsc.poll_transmit(&mut back) {
//!             smsc.handle_transmitted(back.len());
//!             account.handle_input(now, link, &mut &back[..]);
//!         }
//!         account.handle_link_timeout(now, link);
//!     }
//!     // 4. Time: a real adapter sleeps until `poll_timeout` and the `poll_link_timeout` of each link.
//!     now = now + Duration::from_millis(10);
//!     account.handle_timeout(now);
//! }
//! assert_eq!(outcomes.len(), 1);
//! assert_eq!(outcomes[0].0, number);
//! assert_eq!(outcomes[0].1.result().map(|ids| ids[0].to_string()).ok().as_deref(), Some("id-1"));
//! # Ok(())
//! # }
//! ```
//!
//! # Let callers wait: `EventRouter`
//!
//! [`EventRouter`](smpp_proto::account::EventRouter) keeps outcomes, receipts and arrivals until a caller fetches them,
//! bounded, and returns the waiters to wake (`Waker`s, condition variables, anything). Both adapters are built on it,
//! so an adapter of your own gets the same behaviour of `Sent`, `Ticket`, `Arrivals` and `Events`.
//!
//! # Rules for an adapter
//!
//! - Time only moves forward. [`Instant`](smpp_proto::session::Instant) is nanoseconds since any start of yours.
//! - Call `handle_transmitted` with what the transport took, not with what you buffered.
//! - Pass in what has been read before you pass in the time.
//! - Do not read or write while you hold a lock around the session.
//! - The core has no source of random numbers: set [`Options::seed`](smpp_proto::account::Options::seed) to one of the system.
//!   Otherwise all processes reconnect in step.
//! - Respond to every request: a `Reply` or `Ack` that is dropped takes one place of `max_unanswered` for the rest of
//!   the session.
//! - Nothing panics, for any input and any order of calls.
//!
//! # Only the codec
//!
//! The example `proxy` of `smpp-proto` prints the PDUs that pass between two programs, without a session.
//!
//! [`Frame`](smpp_proto::Frame) and [`Pdu`](smpp_proto::Pdu) encode and decode without a session:
//!
//! ```
//! use smpp_proto::{CommandStatus, Frame, Pdu, SequenceNumber, ShortMessage, SubmitSm, Tolerance};
//!
//! let message = SubmitSm { short_message: ShortMessage::new(b"Hello")?, ..SubmitSm::default() };
//! let frame = Frame::encode(&Pdu::SubmitSm(message), CommandStatus::ROK, SequenceNumber::FIRST);
//! let (pdu, quirks) = frame.pdu(Tolerance::LENIENT)?;
//! assert!(quirks.is_empty());
//! assert_eq!(pdu, Pdu::SubmitSm(message));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`handle_input`]: smpp_proto::session::Session::handle_input
//! [`handle_timeout`]: smpp_proto::session::Session::handle_timeout
//! [`start`]: crate::start
