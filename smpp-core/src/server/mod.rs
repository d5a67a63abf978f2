//! An SMSC: all connections of a server, their binds, and the deliveries to them.
//!
//! A [`Server`]
//!
//! - **accepts connections** up to a limit in all and for each address; the oldest one without a bind makes room for a new
//!   one, and a bound one never does;
//! - asks the application to **decide on binds**, and counts them for the account that the application names;
//! - limits the **rate** of each bind and of each account;
//! - **delivers** messages and receipts (DLRs) from a bounded queue for each account, on any of its binds that receive;
//! - **shuts down gracefully**, in a bounded time.
//!
//! It is a sans-IO state machine, as [`Session`](crate::session::Session) is, and the counterpart of an
//! [`Account`](crate::account::Account). It holds the session of each connection: octets and time go in; octets, [`Action`]s,
//! [`Event`]s and requests of the ESMEs ([`Inbound`]) come out.
//!
//! ```text
//!   decide, respond, deliver, shutdown          poll_event: connected, bound, refused, ended, outcomes of deliveries
//!        │                                        ▲
//!   ┌────▼────────────────────────────────────────┴───┐
//!   │ accounts: binds, rates, delivery queues         │
//!   │ connection 1: Session   connection 2: Session   │
//!   └────┬───────────▲────────────┬──────────▲────────┘
//!        ▼           │            ▼          │
//!   poll_transmit  handle_input  poll_action  accept
//! ```
//!
//! # Example
//!
//! An ESME binds, submits a message, and gets a receipt. Both sides are state machines, so a `Vec` is the network.
//!
//! ```
//! use smpp_proto::server::{Admission, Delivery, Event, Inbound, Options, Server};
//! use smpp_proto::session::{self, Config, Esme, Instant, Request, Session};
//! use smpp_proto::{Bind, COctets, CommandStatus, DeliverSm, DeliverSmResp, Password, ShortMessage, SubmitSm, SubmitSmResp};
//!
//! let now = Instant::ZERO;
//! let mut server = Server::new(Options::default());
//! let connection = server.accept(now, ([192, 0, 2, 1], 40_000).into(), Config::default(), ()).unwrap();
//!
//! let mut esme = Session::<Esme, &str>::new(Config::default(), now);
//! let bind = Bind { system_id: COctets::new(b"shop")?, password: Password::new(b"secret")?, ..Bind::default() };
//! esme.request(now, &bind, "bind").unwrap();
//! let mut received = None;
//! let (mut up, mut down) = (Vec::new(), Vec::new());
//! while esme.poll_transmit(&mut up) | server.poll_transmit(connection, &mut down) {
//!     esme.handle_transmitted(up.len());
//!     server.handle_transmitted(now, connection, down.len());
//!     let mut input = &up[..];
//!     while let Some(inbound) = server.handle_input(now, connection, &mut input) {
//!         match inbound {
//!             Inbound::Bind { bind, .. } => {
//!                 // The application may also decide later.
//!                 let known = bind.password.equals(b"secret");
//!                 let decision = if known { Ok(Admission::default()) } else { Err(CommandStatus::RINVPASWD) };
//!                 server.decide(now, connection, decision)?;
//!             }
//!             Inbound::Request { request: Request::SubmitSm(message, reply), .. } => {
//!                 let message_id = COctets::new(b"id-1")?;
//!                 server.respond(now, connection, reply, Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() })).unwrap();
//!                 let receipt = DeliverSm { short_message: ShortMessage::new(b"id:id-1 stat:DELIVRD")?, ..DeliverSm::default() };
//!                 server.deliver(now, b"shop", Delivery::deliver_sm(&receipt).key(7))?;
//!             }
//!             Inbound::Request { request, .. } => server.refuse(now, connection, request).unwrap(),
//!             _ => {}
//!         }
//!     }
//!     let mut input = &down[..];
//!     while let Some(event) = esme.handle_input(now, &mut input) {
//!         match event {
//!             session::Event::Outcome { tag: "bind", outcome, .. } => {
//!                 outcome.into_result()?;
//!                 esme.request(now, &SubmitSm::default(), "message").unwrap();
//!             }
//!             session::Event::Request { request: Request::DeliverSm(message, reply), .. } => {
//!                 received = Some(message.text().to_vec());
//!                 esme.respond(reply, Ok(DeliverSmResp::default())).unwrap();
//!             }
//!             _ => {}
//!         }
//!     }
//!     (up, down) = (Vec::new(), Vec::new());
//! }
//! assert_eq!(received.as_deref(), Some(&b"id:id-1 stat:DELIVRD"[..]));
//! let events: Vec<_> = std::iter::from_fn(|| server.poll_event()).collect();
//! assert_eq!(events[1].to_string(), "connection 1: shop bound as transceiver from 192.0.2.1:40000");
//! assert!(matches!(events[2], Event::Delivery { key: 7, .. }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Run loop
//!
//! The adapter calls [`accept`](Server::accept) for each connection that it has accepted. After each call of a method that
//! takes the time, it
//!
//! 1. fetches [`poll_action`](Server::poll_action) and [`poll_event`](Server::poll_event) until both return `None`;
//! 2. transmits what [`poll_transmit`](Server::poll_transmit) returns for the connection that it has named, and for those of
//!    [`Action::Wake`], and reports what the transport has taken with [`handle_transmitted`](Server::handle_transmitted);
//! 3. reads from each connection that [`wants_input`](Server::wants_input), into [`handle_input`](Server::handle_input), and
//!    reports the end of a stream with [`handle_eof`](Server::handle_eof), and that of a transport with
//!    [`handle_closed`](Server::handle_closed);
//! 4. sleeps until [`poll_timeout`](Server::poll_timeout) or a connection's
//!    [`poll_connection_timeout`](Server::poll_connection_timeout).
//!
//! No call takes longer because there are more connections: what has to be done for all of them is done some at a time.
//!
//! An adapter that locks each session by itself uses a [`Registry`] instead: the same server, without the sessions.
//!
//! # Connections before their bind
//!
//! - [`Options::connections`] and [`connections_per_address`](Options::connections_per_address) limit how many there are. The
//!   addresses of an IPv6 /64 network count as one. At a limit, the oldest connection without a bind is closed for the new one.
//! - [`Options::unbound_connections`] limits those without a bind, and [`Options::unbound_octets`] what they hold together:
//!   incomplete PDUs and responses that the client does not read. A PDU before the bind has at most
//!   [`Options::unbound_pdu`] octets.
//! - A connection that has not bound within [`session_init_timeout`](crate::session::Config::session_init_timeout) ends.
//!
//! # Binds and accounts
//!
//! - [`Inbound::Bind`] asks the application, which calls [`decide`](Server::decide) at once or later, within
//!   [`decision_timeout`](Options::decision_timeout).
//! - [`Admission::account`] names the account that the bind counts for. It is not the system_id if the application accepts
//!   several spellings of it.
//! - [`BindLimits`] limits the binds of an account, in all and for each mode. A bind counts from the decision until its
//!   session unbinds or ends.
//! - Rate limits are those of a bind and of the account. A submit_multi counts as many messages as it has destinations.
//!
//! # Requests
//!
//! The application answers a request with the token that it has, now or later, in any order. If the session has ended
//! meanwhile, [`respond`](Server::respond) returns [`Refusal::Closed`](crate::session::Refusal::Closed): the work is done, and
//! the ESME has no response, so it may send the request again. The server never waits for an application: a connection with
//! [`max_unanswered`](crate::session::Config::max_unanswered) requests is not read, and its end and the server's shutdown have
//! deadlines of their own.
//!
//! # Deliveries
//!
//! - [`deliver`](Server::deliver) queues a message or a receipt. [`DeliveryOptions`] bounds the queue of each account in
//!   number, octets and age. A delivery to an account with many binds costs what it costs with one.
//! - The deliveries of an account leave on one bind in the order in which they were queued. One that is sent again, because its bind
//!   has ended or the ESME has refused it for now, leaves after those that were sent meanwhile. There is no order between binds.
//! - A bind with nothing in flight is first; of several, the one whose turn it is. No more than the
//!   [`window`](crate::session::Config::window) of its session are in flight on a bind, and its rate limit is kept.
//! - If the ESME refuses a delivery with a temporary error (`ESME_RX_T_APPN`, `ESME_RTHROTTLED`, `ESME_RMSGQFUL`,
//!   `ESME_RSYSERR`), or if its bind ends, another bind is tried at once. If that refuses it too, or if there is none, it is sent
//!   again after [`retry_interval`](DeliveryOptions::retry_interval), up to
//!   [`max_attempts`](DeliveryOptions::max_attempts).
//! - A delivery that has left and got no response is sent again: the ESME may receive it twice, unless it is
//!   [`at_most_once`](Delivery::at_most_once).
//! - While no bind receives, it waits. [`Event::Delivery`] reports how each ended.
//!
//! # Shutdown
//!
//! [`shutdown`](Server::shutdown) rejects new connections and unbinds the others. At its deadline the sessions that are left are
//! aborted, whatever the application and the ESMEs do. [`Event::Closed`] is the last event.

// Imports between the files run one way, from the last line to the first:
//   connection                     names and reasons
//   delivery, options              plain data that refers to them
//   event                          what comes out
//   stats                          counters of events
//   connection_table, account_table, delivery_queue   the tables
//   registry                       the tables together
//   proxied, routing               connections through a proxy, and deliveries, over the tables
//   state                          a registry and the sessions
//   shutdown, input                its operations
mod account_table;
mod connection;
mod connection_table;
mod delivery;
mod delivery_queue;
mod event;
mod input;
mod options;
mod proxied;
mod registry;
mod routing;
mod shutdown;
mod state;
mod stats;
#[cfg(test)]
mod tests;

pub use connection::{
    AccountName, BindRefusal, ConnectionId, NotBoundReason, ProxyHeaderError, RejectReason,
};
pub use delivery::{
    DeliverError, Delivery, DeliveryFrame, DeliveryId, DeliveryNotSentReason, DeliveryOutcome, DeliveryPdu,
};
pub use event::{Action, Event, Inbound};
pub use options::{Admission, BindLimits, DeliveryOptions, Options};
pub use registry::Registry;
pub use state::Server;
pub use stats::{Counters, ServerStats};
