//! SMPP 3.4 without I/O (sans-IO): a zero-copy PDU codec, the state machine of a session (one bind), and the state machine
//! of an account (several binds with reconnect, queue and delivery receipts). For clients (ESME) and servers (SMSC).
//!
//! Octets and time go in, octets and events come out. This crate has no socket, clock, thread, task, log or random source.
//! Embed it in any runtime, or use one of the adapters: `smpp-tokio` (async) or `smpp-std` (blocking threads).
//!
//! # Which API do I need?
//!
//! | you want to | use |
//! | --- | --- |
//! | send and receive messages with tokio or with threads | the adapters `smpp-tokio` and `smpp-std`, which drive the state machines of this crate over TCP and TLS |
//! | send through a provider: several binds on one or several hosts, reconnect and rebind, failover, retry, rate limit, queue, delivery receipts (DLR), concatenated messages, mobile-originated (MO) messages | [`account`] |
//! | an SMSC: connections and their limits, binds of accounts, rates, delivery queues, shutdown | [`server`] |
//! | one bind with full control: bind, window, rate limit, keep-alive (enquire_link), timeouts, graceful shutdown (unbind) | [`session`] |
//! | decode and encode PDUs | [`Pdu`], [`frame`] and [`tlv`] |
//! | text and `data_coding` (GSM 7-bit, UCS-2), segments, user data headers, the text of delivery receipts | [`sms`] |
//! | the limits, statuses and receipt dialect of a provider, as data | [`provider`] |
//! | an SMSC for tests | [`simulator`] |
//!
//! # Data flow
//!
//! ```text
//!                       ┌────────────────────── smpp-proto ────────────────────┐
//!   octets from the peer│                                                      │
//!   ──── handle_input ──▶ frame::split ─▶ Pdu (borrows the octets) ─▶ Session ─┼─▶ Event
//!   the time            │                                             ▲  │     │
//!   ──── handle_timeout ▶─────────────────────────────────────────────┘  │     │
//!   commands            │                                             ▲  │     │
//!   ──── request, respond, unbind ────────────────────────────────────┘  │     │
//!   octets to the peer  │                                                │     │
//!   ◀─── poll_transmit ─┼────────────────────────────────────────────────┘     │
//!   the next deadline   │                                                      │
//!   ◀─── poll_timeout ──┤                                                      │
//!                       └──────────────────────────────────────────────────────┘
//! ```
//!
//! # The run loop
//!
//! Every transport uses this loop. The adapters contain it.
//!
//! ```
//! use std::io::{self, Read, Write};
//! use smpp_proto::session::{Config, Esme, Event, Instant, Outcome, Request, Session};
//! use smpp_proto::{Bind, COctets, DeliverSmResp, ShortMessage, SubmitSm};
//!
//! /// Binds, sends "Hello", and returns the message_id. `wait` waits until the deadline at the latest, and reads if its
//! /// second argument is true. It returns the number of octets: 0 at the end of the stream, and `None` at the deadline.
//! fn hello(
//!     mut write: impl FnMut(&[u8]) -> io::Result<usize>,
//!     mut wait: impl FnMut(&mut Vec<u8>, bool, Option<Instant>) -> io::Result<Option<usize>>,
//!     now: impl Fn() -> Instant,
//! ) -> Option<Vec<u8>> {
//!     let mut session = Session::<Esme, &str>::new(Config::default(), now());
//!     let bind = Bind { system_id: COctets::new(b"shop").ok()?, ..Bind::default() };
//!     session.request(now(), &bind, "the bind").ok()?;
//!
//!     let (mut input, mut output, mut id) = (Vec::new(), Vec::new(), None);
//!     loop {
//!         // Octets and time in, events out. An event borrows the input and not the session.
//!         let mut rest = &input[..];
//!         while let Some(event) = session.handle_input(now(), &mut rest).or_else(|| session.handle_timeout(now())) {
//!             match event {
//!                 Event::Outcome { tag: "the bind", outcome: Outcome::Accepted(_), .. } => {
//!                     let message = SubmitSm { short_message: ShortMessage::new(b"Hello").ok()?, ..SubmitSm::default() };
//!                     session.request(now(), &message, "the message").ok()?;
//!                 }
//!                 Event::Outcome { outcome: Outcome::Accepted(response), .. } => {
//!                     id = Some(response.message_id().to_vec());
//!                     session.unbind(now());
//!                 }
//!                 Event::Outcome { .. } => session.unbind(now()),
//!                 Event::Request { request: Request::DeliverSm(_, reply), .. } => {
//!                     let _ = session.respond(reply, Ok(DeliverSmResp::default()));
//!                 }
//!                 Event::Closed(_) => return id,
//!                 _ => {}
//!             }
//!         }
//!         let consumed = input.len() - rest.len();
//!         input.drain(..consumed);
//!         // Octets out. Report how many have left: this decides between `NeverSent` and `Unanswered`.
//!         while session.poll_transmit(&mut output) {
//!             while !output.is_empty() {
//!                 let Ok(written @ 1..) = write(&output) else { return id };
//!                 output.drain(..written);
//!                 session.handle_transmitted(written);
//!             }
//!         }
//!         // Backpressure: `wait` reads only while the session wants input. If input was left over and the session reads again,
//!         // the deadline is now.
//!         match wait(&mut input, session.wants_input(), session.poll_timeout().map(|(at, _)| at)) {
//!             Ok(Some(1..) | None) => {}
//!             Ok(Some(0)) => session.handle_eof(),
//!             Err(_) => session.handle_disconnect(),
//!         }
//!     }
//! }
//! # // The SMSC is the other role of the same state machine.
//! # use smpp_proto::session::Smsc;
//! # use smpp_proto::{BindResp, SubmitSmResp};
//! # use std::cell::RefCell;
//! # let smsc = RefCell::new((Session::<Smsc, ()>::new(Config::default(), Instant::ZERO), Vec::new()));
//! # let id = hello(
//! #     |octets| {
//! #         let (session, output) = &mut *smsc.borrow_mut();
//! #         let mut rest = octets;
//! #         while let Some(event) = session.handle_input(Instant::ZERO, &mut rest) {
//! #             match event {
//! #                 Event::Request { request: Request::Bind(_, reply), .. } => {
//! #                     session.respond(reply, Ok(BindResp::default())).unwrap();
//! #                 }
//! #                 Event::Request { request: Request::SubmitSm(_, reply), .. } => {
//! #                     let message_id = COctets::new(b"id-1").unwrap();
//! #                     session.respond(reply, Ok(SubmitSmResp { message_id, ..Default::default() })).unwrap();
//! #                 }
//! #                 _ => {}
//! #             }
//! #         }
//! #         let before = output.len();
//! #         session.poll_transmit(output);
//! #         session.handle_transmitted(output.len() - before);
//! #         Ok(octets.len())
//! #     },
//! #     |input, _, _| {
//! #         let (_, output) = &mut *smsc.borrow_mut();
//! #         let octets = output.len();
//! #         input.append(output);
//! #         Ok(Some(octets))
//! #     },
//! #     || Instant::ZERO,
//! # );
//! # assert_eq!(id.as_deref(), Some(&b"id-1"[..]));
//! ```
//!
//! # Rules
//!
//! 1. **Octets in, octets out, time in.** The caller owns the input, and events borrow it. The session owns the output
//!    until the caller takes it for the transport.
//! 2. **The session queues no requests.** It accepts and encodes a request, or refuses it with the reason and the caller's
//!    tag. The [`account`] has a bounded queue. Every buffer, table and counter that a peer can make grow has a bound in
//!    [`Config`](session::Config).
//! 3. **Each accepted request has exactly one [`Outcome`](session::Outcome), and each session exactly one
//!    [`Closed`](session::Event::Closed).** Both carry the reason.
//!
//! # Session states
//!
//! ```text
//!   Session::new
//!        │
//!        ▼      outbind             bind accepted
//!      Open ──────────────▶ Outbound ────────────────┐
//!        │                                           ▼
//!        └──────────── bind accepted ────────────▶ Bound ──┐ unbind() drains: no new requests, until
//!                                                    │  ◀──┘ none is in flight or drain_timeout passes
//!             unbind sent, the peer's unbind         │
//!             answered, or end of stream             ▼
//!                                                Unbinding
//!                                                    │ unbind answered, responses transmitted
//!                                                    ▼
//!                                                 Closed
//!
//!   any state ── failed connection, abort(), timeout, dead link, broken framing ──▶ Closed
//! ```
//!
//! One table, from SMPP 3.4 §2.3, says which side may send which request in which [`State`](session::State). The session
//! refuses other requests of the caller with [`Refusal::State`](session::Refusal::State), and responds to other requests of the
//! peer with `ESME_RINVBNDSTS`. Once its shutdown has begun, it refuses with [`Refusal::Closing`](session::Refusal::Closing),
//! and after its end with [`Refusal::Closed`](session::Refusal::Closed): both say why. A request that a side never sends does
//! not compile.
//!
//! # Error handling
//!
//! | who caused the error | how the session reports it | consequence |
//! | --- | --- | --- |
//! | the caller | [`Refused`](session::Refused) with the tag and the reason | nothing is sent; the session continues |
//! | the peer, in one PDU | [`Event::Malformed`](session::Event::Malformed) or [`Event::Refused`](session::Event::Refused); the session has responded to it | the session continues, up to [`max_malformed`](session::Config::max_malformed) |
//! | the peer or the network, in the stream | [`Event::Closed`](session::Event::Closed), once and as the last event | the session has ended; reconnect |
//!
//! The [table of results](session#results-and-errors) lists every type that reports the end of a request or message, and
//! whether it is safe to resend.
//!
//! # Panics
//!
//! This crate does not panic, for any input and any order of method calls. A panic is a bug. The
//! code contains no `unwrap`, `expect` or indexing outside its tests, and no `unsafe`.
//!
//! # Architecture
//!
//! Imports run in one direction: each module uses only modules to its left.
//!
//! ```text
//!   wire ◀── pdu field values ◀── tlv ◀── pdu ◀── diagnosis ◀── frame ◀── session ◀──┬── server
//!                                          ▲                                         ├── provider ◀── account, simulator
//!                                          └──────────────── sms ◀───────────────────┘
//! ```
//!
//! - `wire`: fields of fixed and variable length, and the tolerated deviations ([`Quirks`], [`Tolerance`]).
//! - `pdu`: the PDUs and their fields, exported at the root of the crate: [`Pdu`], [`SubmitSm`], [`CommandStatus`].
//! - [`tlv`]: optional parameters.
//! - [`diagnosis`]: what a peer sent instead of SMPP, and what to check. It uses `pdu`.
//! - [`frame`]: splits a stream into PDUs. It uses `diagnosis`.
//! - [`session`]: one bind.
//! - [`sms`]: the content of messages. It uses `pdu` and `wire`.
//! - [`provider`]: providers as data. It uses `pdu`, `session` and `sms`.
//! - [`account`]: several binds of one customer. It uses `session`, `sms` and `provider`.
//! - [`server`]: all connections of an SMSC. It uses `session`.
//! - `settings`, feature `serde`: options, configurations and providers as a file. It uses `account`, `session` and `provider`.
//! - [`simulator`]: an SMSC for tests. It uses `pdu`, `session`, `sms` and `provider`.
//!
//! The protocol is SMPP 3.4 (Issue 1.2), with the PDUs and TLVs that 5.0 adds. Sections are cited as `SMPP 3.4 §4.4.1`.
//!
//! # Features
//!
//! All features are off by default.
//!
//! | feature | adds |
//! | --- | --- |
//! | `charsets` | text in all character sets of `data_coding` |
//! | `graphemes` | long texts are split only between graphemes, the characters that a reader perceives |
//! | `time`, `chrono`, `jiff` | conversion of times from and to the types of these crates |
//! | `arbitrary` | valid PDUs for fuzzing and property tests |
//! | `pcap` | a capture of a session as a file for Wireshark |
//! | `serde` | serialization of PDUs, passwords hidden; options of accounts, configurations and providers from a file: `settings` |
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

extern crate alloc;

pub mod account;
#[cfg(feature = "arbitrary")]
pub mod arbitrary;
#[cfg(not(test))]
mod auto_traits;
pub mod diagnosis;
mod endpoint;
#[cfg(test)]
mod error_tests;
pub mod frame;
mod header;
mod open_enum;
#[cfg(feature = "pcap")]
pub mod pcap;
mod pdu;
pub mod provider;
#[cfg(feature = "serde")]
mod serialize;
pub mod server;
pub mod session;
mod setters;
#[cfg(feature = "serde")]
pub mod settings;
pub mod simulator;
pub mod sms;
mod table;
mod time;
pub mod tlv;
mod values;
mod wire;

pub use endpoint::{Endpoint, EndpointError};
pub use frame::{Field, Frame, FramingError};
pub use header::{Header, SequenceNumber};
pub use pdu::*;
pub use tlv::{Tag, Tlv, TlvIter, Tlvs};
pub use wire::{
    COctets, DecodeError, DecodeErrorKind, InvalidOctets, List, ListIter, Octets, Password, Quirks, Time,
    Tolerance,
};

/// The example in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
