//! How do I write an SMSC, a gateway or a test server that ESMEs bind to?
//!
//! **Short answer.** Implement [`Service`]: `bind` decides who may bind, `request` responds to each message. Give it to
//! a [`Server`] with [`Listener`]s and [`ServerLimits`]. The server accepts, does TLS, keeps the limits, responds to
//! `enquire_link` and `unbind`, and routes deliveries to the binds of an account.
//!
//! # A small SMSC with receipts
//!
//! ```no_run
//! use std::sync::atomic::{AtomicU64, Ordering};
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use smpp_proto::session::{Config, Rate, Smsc};
//! use smpp_proto::sms::Receipt;
//! use smpp_proto::frame::Frame;
//! use smpp_proto::{COctets, CommandStatus, DeliverSm, Pdu, RegisteredDelivery, ShortMessage, SubmitSmResp, Tolerance};
//! use smpp_proto::server::BindLimits;
//! use smpp_tokio::{
//!     Admission, BindRequest, BoundSession, Inbound, Listener, Server, ServerEvent, ServerLimits, Service,
//! };
//! use tokio::sync::mpsc;
//!
//! /// A message whose receipt is due: the account, the message id, and the `submit_sm`.
//! type Due = (Vec<u8>, String, Frame<Bytes>);
//!
//! struct Gateway {
//!     messages: AtomicU64,
//!     due: mpsc::Sender<Due>,
//! }
//!
//! impl Service for Gateway {
//!     async fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
//!         let bind = request.bind();
//!         match bind.system_id.as_bytes() {
//!             b"shop" if !request.is_tls() => Err(CommandStatus::RBINDFAIL),
//!             b"shop" if bind.password.equals(b"s3cret") => {
//!                 // Limits of this account, instead of those of the server.
//!                 Ok(Admission::default().binds(BindLimits::total(2)).rate(Rate::per_second(100)))
//!             }
//!             b"shop" => Err(CommandStatus::RINVPASWD),
//!             _ => Err(CommandStatus::RINVSYSID),
//!         }
//!     }
//!
//!     async fn request(&self, bound: &BoundSession, request: Inbound<Smsc>) {
//!         // Any other request is dropped here, which refuses it.
//!         let Inbound::SubmitSm(message) = request else { return };
//!         let id = self.messages.fetch_add(1, Ordering::Relaxed).to_string();
//!         let wants_receipt = message.get().registered_delivery.contains(RegisteredDelivery::RECEIPT);
//!         let frame = message.frame().clone();
//!         let message_id = COctets::new(id.as_bytes()).unwrap_or_default();
//!         let responded = message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
//!         if responded.is_ok() && wants_receipt {
//!             let _ = self.due.send((bound.system_id().to_vec(), id, frame)).await;
//!         }
//!     }
//!
//!     fn event(&self, event: ServerEvent<'_>) {
//!         if let ServerEvent::BindRefused { address, status, .. } = event {
//!             eprintln!("{address}: bind refused: {status}");
//!         }
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let (due, mut receipts) = mpsc::channel::<Due>(10_000);
//!     let tls = smpp_tokio::tls::server_files("chain.pem".as_ref(), "key.pem".as_ref())?;
//!     let config = Config::default().max_unanswered(1_000).window(100);
//!     let server = Server::builder(Gateway { messages: AtomicU64::new(1), due })
//!         .limits(ServerLimits::default().binds_per_account(4).rate(Rate::per_second(50)))
//!         .system_id("gateway".try_into()?)
//!         .listen(Listener::bind("0.0.0.0:2776", config).await?.tls(tls))
//!         .start()?;
//!
//!     let binds = server.binds().clone();
//!     tokio::spawn(async move {
//!         while let Some((system_id, id, frame)) = receipts.recv().await {
//!             let Ok((Pdu::SubmitSm(submit_sm), _)) = frame.pdu(Tolerance::LENIENT) else { continue };
//!             let receipt = Receipt::default().id(id.as_bytes()).stat(b"DELIVRD").err(b"000");
//!             let mut text = Vec::new();
//!             receipt.emit(&mut text);
//!             let message = DeliverSm {
//!                 source: submit_sm.destination,
//!                 destination: submit_sm.source,
//!                 esm_class: receipt.esm_class(),
//!                 short_message: ShortMessage::new(&text).unwrap_or_default(),
//!                 ..DeliverSm::default()
//!             };
//!             if let Err(error) = binds.deliver(&system_id, &message).await {
//!                 eprintln!("receipt {id} was not delivered: {error}"); // keep it, try again later
//!             }
//!         }
//!     });
//!     tokio::signal::ctrl_c().await?;
//!     server.shutdown(Duration::from_secs(10)).await;
//!     Ok(())
//! }
//! ```
//!
//! This program needs `cargo add bytes`, and `cargo add tokio --features macros,rt-multi-thread,signal,sync`. `respond` ends the
//! message: to read the `submit_sm` after it, keep a clone of [`frame`](crate::InboundRequest::frame), which shares the octets.
//!
//! # Bind decisions
//!
//! | `bind` returns | the ESME sees |
//! | --- | --- |
//! | `Ok(Admission::default())` | bound, under the server's limits |
//! | `Ok(Admission { binds, rate, .. })` | bound, under limits of its own |
//! | `Err(status)` | the bind refused with that status; then the connection ends |
//! | nothing within [`ServerLimits::decision_timeout`] (5 s), or it panics | `ESME_RBINDFAIL` |
//! | `Ok`, but the account has as many binds as allowed | [`ServerLimits::binds_status`], by default `ESME_RALYBND` |
//!
//! `bind` may await a database. Compare passwords with [`Password::equals`](smpp_proto::Password::equals): it takes
//! constant time. A bind counts for its system_id as it is; if you ignore the case of a system_id, name the account in one
//! spelling with [`Admission::account`](crate::Admission), so that its limits, rate and deliveries are one. From accept to the bind response, TLS included, a connection has [`Config::session_init_timeout`] (10
//! s).
//!
//! # Respond to requests
//!
//! [`Service::request`] is called for one request of a session after another. Each call runs until its first wait; from
//! there the calls of one bind take turns in the task of its session, at most [`Config::max_unanswered`] (256). Responses may therefore
//! leave in another order than the requests came; SMPP allows that. Keep an [`InboundRequest`](crate::InboundRequest)
//! to respond to it later, from any task. Dropped unanswered, it is refused with an error (`submit_sm`:
//! `ESME_RSYSERR`). A call of `Service::request` goes on when its session ends, so that its work is finished; its response
//! then fails, and the ESME may send the request again. Above [`ServerLimits::detached_requests`] such calls on the server,
//! those of a session are cancelled with it. Move work that keeps a thread busy into `spawn_blocking`: a call that does not
//! wait stops its session. A panic refuses that request only.
//!
//! The fastest way is [`Handle::respond_inline`](crate::Handle::respond_inline) on [`BoundSession::peer`]: it responds
//! where the request is read, without a copy or a queue. It must not wait, and the server's rate limit does not count
//! these requests.
//!
//! # Deliver messages and receipts
//!
//! [`Server::queue`] and [`BindRegistry::queue`] put a message or a receipt into the queue of the account. It is sent on one of
//! its receiving binds, and on another one if that ends or refuses it with a temporary error; while no bind receives, it waits.
//! Deliveries of an account leave on one bind in the order in which they were queued; one that is sent again leaves after those
//! that were sent meanwhile. The returned future completes with the outcome. [`ServerLimits::deliveries`] bounds the queue in
//! number, octets and age.
//!
//! [`Server::deliver`] and [`BindRegistry::deliver`] send once, and only while a bind receives; if it ends before the request has
//! left, another bind gets it. They wait for the windows of the binds ([`Config::window`], [`Config::rate`]).
//!
//! | result | meaning | do |
//! | --- | --- | --- |
//! | `Ok(_)` | acknowledged | forget it |
//! | `Err(NeverSent(NoBind))` | no receiver or transceiver is bound | keep it, try after the next [`ServerEvent::Bound`] |
//! | `Err(Refused { status, .. })`, with the status `ESME_RX_T_APPN` | the ESME asks for redelivery | try again later |
//! | `Err(Refused { .. })`, any other status | the ESME does not want it | drop it, or try a few times |
//! | `Err(Unanswered(_))` | the ESME may have it | deliver again: it may arrive twice |
//!
//! To deliver on one bind use `bound.peer().deliver(...)`. To end a bind: `bound.peer().unbind().await`. `outbind` and
//! `alert_notification` are sent with [`Peer::notify`](crate::Handle::notify).
//!
//! # Limits
//!
//! | limit | default | above it |
//! | --- | --- | --- |
//! | [`ServerLimits::connections`] | 1,000 | the oldest connection without a bind is closed; if there is none, the new one is rejected |
//! | [`ServerLimits::connections_per_address`] (for IPv6: one /64 network) | 100 | the same, for that address |
//! | [`ServerLimits::unbound_connections`], those without a bind | 1,000 | the oldest of them is closed |
//! | [`ServerLimits::unbound_octets`], what they hold together | 1 MiB | the oldest of them is closed |
//! | [`ServerLimits::unbound_pdu`], a PDU before the bind | 1,024 octets | the connection is closed |
//! | [`ServerLimits::binds_per_account`] | 10 | [`ServerLimits::binds_status`], `ESME_RALYBND` |
//! | [`ServerLimits::rate`], messages a second of one bind | none | [`ServerLimits::rate_status`], `ESME_RTHROTTLED` |
//! | [`ServerLimits::account_rate`], messages a second of all binds of an account | none | the same |
//! | [`ServerLimits::deliveries`], of one account | 1,000 deliveries, 1 MiB, 24 h | [`BindRegistry::queue`] refuses, [`BindRegistry::deliver`] waits |
//!
//! Bound sessions are never closed to make room. Set `connections` below half the number of files that the process
//! may open. An idle bind takes less than 2½ KiB of heap.
//!
//! # Sessions on the server side
//!
//! The [`Config`] of the [`Listener`] holds for its sessions. The server sends `enquire_link` after 20 s of silence;
//! set `inactivity_timeout` to unbind ESMEs that send no messages. ESMEs of SMPP 3.3 get no TLVs. A message that the
//! server cannot deliver as it was meant, with a truncated TLV or an address that is too long for example, is refused
//! with the status of the field: see [`Config::tolerance`]. An ESME that closes its side of the connection still gets
//! the responses that you give within `drain_timeout`.
//!
//! # Behind a load balancer: the PROXY protocol
//!
//! [`Listener::proxy_protocol`](crate::Listener::proxy_protocol) expects the header of the PROXY protocol (version 1 or 2), which HAProxy
//! sends with `send-proxy` or `send-proxy-v2`, and which the load balancers of cloud providers can send. It comes before TLS.
//!
//! ```no_run
//! use smpp_proto::session::Config;
//! use smpp_tokio::{Listener, ProxyProtocol, Server, Service, tls};
//!
//! # async fn example(service: impl Service) -> Result<(), Box<dyn std::error::Error>> {
//! let tls = tls::server_files("chain.pem".as_ref(), "key.pem".as_ref())?;
//! let proxies = ProxyProtocol::from_trusted(["10.0.0.0/8".parse()?]);
//! let listener = Listener::bind("0.0.0.0:2776", Config::default()).await?.tls(tls).proxy_protocol(proxies);
//! let server = Server::builder(service).listen(listener).start()?;
//! # drop(server);
//! # Ok(())
//! # }
//! ```
//!
//! | connection | what counts as the client's address, for limits, events and `peer_addr` |
//! | --- | --- |
//! | from a trusted network, the header states an address | that address |
//! | from a trusted network, `LOCAL`, `UNKNOWN` or a Unix address | the address of the proxy |
//! | from a trusted network, no valid header within 5 s | none: closed, [`RejectReason::ProxyHeader`](crate::RejectReason::ProxyHeader) |
//! | from elsewhere | none: closed, [`RejectReason::UntrustedProxy`](crate::RejectReason::UntrustedProxy); its own with [`accept_direct`](crate::ProxyProtocol::accept_direct) |
//! | on a Unix socket | as from a trusted network |
//! | on a Unix socket without the PROXY protocol | `0.0.0.0:0` for all of them |
//! | that you accept yourself | what you pass to [`IncomingConnection::new`](crate::IncomingConnection::new) |
//!
//! A connection that waits for its header counts for `connections` and `unbound_connections`, and for no address. A client that reaches
//! the port past the proxy could state any address: trust only the networks of your proxies.
//!
//! # Unix sockets and other transports
//!
//! [`Listener::bind_unix`](crate::Listener::bind_unix) listens on a Unix socket. For any other stream (websockets, SSH, in memory), accept
//! it in a loop of your own, and pass it to [`Server::serve`](crate::Server::serve), or to [`Acceptor::serve`](crate::Acceptor::serve) in
//! another task.
//!
//! # Certificates
//!
//! The manual on [TLS](super::tls) says how to replace a certificate while the server runs, and how to accept a system_id only with the
//! client certificate that belongs to it.
//!
//! # Accept connections yourself
//!
//! [`Listener::accept`](crate::Listener::accept),
//! [`IncomingConnection::bind_request`](crate::IncomingConnection::bind_request) and
//! [`BindRequest::accept`](crate::BindRequest::accept) give a [`Peer`](crate::Peer) and its [`Inbox`](crate::Inbox)
//! without a [`Server`]. Then limits, registry and rates are yours.
//!
//! ```no_run
//! use smpp_proto::COctets;
//! use smpp_proto::session::Config;
//! use smpp_tokio::{Inbound, Listener};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = Listener::bind("127.0.0.1:2775", Config::default()).await?;
//! let request = listener.accept().await?.bind_request().await?;
//! let (peer, mut inbox) = request.accept(COctets::new(b"smsc")?)?;
//! while let Some(request) = inbox.recv().await {
//!     if let Inbound::SubmitSm(message) = request {
//!         message.accept()?;
//!     }
//! }
//! println!("{}", peer.closed().await);
//! # Ok(())
//! # }
//! ```
//!
//! # Blocking crate
//!
//! `smpp_std::Server` is the same server with the same names and limits: both drive
//! [`smpp_proto::server::Registry`]. It has two threads for each connection. The differences:
//!
//! | | `smpp_tokio` | `smpp_std` |
//! | --- | --- | --- |
//! | `Service::bind`, `Service::request` | `async`, in the task of the connection | in the thread of the connection |
//! | a decision above [`ServerLimits::decision_timeout`] | is cancelled | goes on without effect; until it returns, its connection counts among those that are being closed |
//! | requests of one bind | run side by side | one after the other |
//! | [`ServerLimits::detached_requests`] is reached | the calls of a session are cancelled with it | the requests that wait for their call are dropped |
//! | [`Service::transport`](crate::Service::transport) | an `AsyncRead + AsyncWrite` | a `Box<dyn Duplex>` |
//! | [`IncomingConnection::new`](crate::IncomingConnection::new) takes | an `AsyncRead + AsyncWrite` | a `Duplex` |
//! | [`QueuedDelivery`](crate::QueuedDelivery) | a future | `wait`, `wait_until` |
//! | [`Events`](crate::Events) | `recv` | `recv`, `recv_until`, an `Iterator` |
//! | a handler that blocks its thread | stops its session | stops no session |
//!
//! [`BindRegistry::deliver`]: crate::BindRegistry::deliver
//! [`BindRegistry::queue`]: crate::BindRegistry::queue
//! [`Server::queue`]: crate::Server::queue
//! [`ServerLimits::account_rate`]: crate::ServerLimits::account_rate
//! [`ServerLimits::deliveries`]: crate::ServerLimits::deliveries
//! [`ServerLimits::detached_requests`]: crate::ServerLimits::detached_requests
//! [`ServerLimits::unbound_connections`]: crate::ServerLimits::unbound_connections
//! [`ServerLimits::unbound_octets`]: crate::ServerLimits::unbound_octets
//! [`ServerLimits::unbound_pdu`]: crate::ServerLimits::unbound_pdu
//! [`BoundSession::peer`]: crate::BoundSession::peer
//! [`Config`]: smpp_proto::session::Config
//! [`Config::max_unanswered`]: smpp_proto::session::Config::max_unanswered
//! [`Config::tolerance`]: smpp_proto::session::Config::tolerance
//! [`Config::rate`]: smpp_proto::session::Config::rate
//! [`Config::session_init_timeout`]: smpp_proto::session::Config::session_init_timeout
//! [`Config::window`]: smpp_proto::session::Config::window
//! [`Listener`]: crate::Listener
//! [`Server`]: crate::Server
//! [`Server::deliver`]: crate::Server::deliver
//! [`ServerEvent::Bound`]: crate::ServerEvent::Bound
//! [`ServerLimits`]: crate::ServerLimits
//! [`ServerLimits::binds_per_account`]: crate::ServerLimits::binds_per_account
//! [`ServerLimits::binds_status`]: crate::ServerLimits::binds_status
//! [`ServerLimits::connections`]: crate::ServerLimits::connections
//! [`ServerLimits::connections_per_address`]: crate::ServerLimits::connections_per_address
//! [`ServerLimits::decision_timeout`]: crate::ServerLimits::decision_timeout
//! [`ServerLimits::rate`]: crate::ServerLimits::rate
//! [`ServerLimits::rate_status`]: crate::ServerLimits::rate_status
//! [`Service`]: crate::Service
//! [`Service::request`]: crate::Service::request
