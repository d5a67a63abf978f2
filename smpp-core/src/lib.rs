//! SMPP 3.4 without I/O: a zero-copy codec and the state machine of a session, for ESME and SMSC.
//!
//! Octets and time go in, octets and events come out. There is no socket, clock, thread, task, log or random
//! source here: embed it in any runtime, or take one of the adapters, `smpp-io-tokio` and `smpp-io-std`.
//!
//! ```text
//!                       ┌────────────────────── smpp-core ─────────────────────┐
//!   octets from the peer│                                                      │
//!   ──── handle_input ──▶ frame::split ─▶ Pdu (borrows the octets) ─▶ Session ─┼─▶ Event
//!   the time            │                                             ▲  │     │
//!   ──── handle_timeout ▶─────────────────────────────────────────────┘  │     │
//!   what you want       │                                             ▲  │     │
//!   ──── request, respond, unbind ────────────────────────────────────┘  │     │
//!   octets to the peer  │                                                │     │
//!   ◀─── poll_transmit ─┼────────────────────────────────────────────────┘     │
//!   when to call again  │                                                      │
//!   ◀─── poll_timeout ──┤                                                      │
//!                       └──────────────────────────────────────────────────────┘
//! ```
//!
//! # The run loop
//!
//! Whatever moves the octets, the loop is this:
//!
//! ```
//! use std::io::{self, Read, Write};
//! use smpp_core::session::{Config, Esme, Event, Instant, Outcome, Request, Session};
//! use smpp_core::{Bind, COctets, DeliverSmResp, ShortMessage, SubmitSm};
//!
//! /// Binds, sends "Hello", and gives the message id. `wait` reads until the deadline at most, and gives the number of
//! /// octets: 0 at the end of the stream, `None` at the deadline.
//! fn hello(
//!     mut write: impl FnMut(&[u8]) -> io::Result<usize>,
//!     mut wait: impl FnMut(&mut Vec<u8>, Option<Instant>) -> io::Result<Option<usize>>,
//!     now: impl Fn() -> Instant,
//! ) -> Option<Vec<u8>> {
//!     let mut session = Session::<Esme, &str>::new(Config::default(), now());
//!     let bind = Bind { system_id: COctets::new(b"shop").ok()?, ..Bind::default() };
//!     session.request(now(), &bind, "the bind").ok()?;
//!
//!     let (mut input, mut output, mut id) = (Vec::new(), Vec::new(), None);
//!     loop {
//!         // Octets and time in, events out. Events borrow the input, so the session is free at once.
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
//!         let held = !session.wants_input();
//!         // Octets out. Say how many have left: it tells "never sent" from "sent and unanswered".
//!         while session.poll_transmit(&mut output) {
//!             while !output.is_empty() {
//!                 let Ok(written @ 1..) = write(&output) else { return id };
//!                 output.drain(..written);
//!                 session.handle_transmitted(written);
//!             }
//!         }
//!         if held && session.wants_input() {
//!             // There is room for answers again: what was left in the input comes first.
//!             continue;
//!         }
//!         match wait(&mut input, session.poll_timeout().map(|(at, _)| at)) {
//!             Ok(Some(1..) | None) => {}
//!             Ok(Some(0)) | Err(_) => session.handle_eof(),
//!         }
//!     }
//! }
//! # // The SMSC's side, played by the other role of the same state machine.
//! # use smpp_core::session::Smsc;
//! # use smpp_core::{BindResp, SubmitSmResp};
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
//! #     |input, _| {
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
//! # The rules
//!
//! 1. **Octets in, octets out, time in.** The caller owns the input and events borrow it; the session owns the
//!    output and the socket takes it.
//! 2. **Nothing is queued on anyone's behalf.** A request is taken and encoded, or refused with the reason and
//!    the caller's tag. Every buffer, table and counter that a peer can make grow has a bound in
//!    [`Config`](session::Config).
//! 3. **Every request that is taken has exactly one [`Outcome`](session::Outcome), every session exactly one
//!    [`Closed`](session::CloseReason).** Both say why.
//!
//! # The life of a session
//!
//! ```text
//!            request(Bind)            unbind()
//!   Open ───────────────────▶ Bound ───────────▶ Bound, draining ──▶ Unbinding ──▶ Closed
//!    │ │  accepted        ▲   │  │ peer's unbind                         ▲             ▲
//!    │ │ outbind          │   │  └───────────────────────────────────────┘             │
//!    │ └──▶ Outbound ─────┘   │                                                        │
//!    │         │              │                                                        │
//!    └─────────┴ session_init ┴── end of stream, dead link, broken framing, abort ─────┘
//! ```
//!
//! Who may send what in which [`State`](session::State) is one table, from SMPP 3.4 §2.3: what is not in it is refused
//! with [`Refusal::State`](session::Refusal::State) here, and answered `ESME_RINVBNDSTS` if it comes from the peer.
//! What a side never sends does not compile.
//!
//! # Three kinds of wrong
//!
//! | whose mistake | how it is told | what becomes of the session |
//! | --- | --- | --- |
//! | the caller's | [`Refused`](session::Refused) gives the tag back and says why | nothing was sent |
//! | the peer's, inside a PDU | [`Event::Malformed`](session::Event::Malformed) or [`Event::Refused`](session::Event::Refused), already answered | it lives |
//! | what breaks the stream | [`Event::Closed`](session::Event::Closed), once and last | it is over |
//!
//! # Panics
//!
//! None, whatever a peer sends and in whatever order the methods are called: a panic is a bug. The library
//! contains no `unwrap`, `expect` or indexing outside its tests, and no `unsafe`.
//!
//! # The house
//!
//! [`frame`] finds where a PDU ends; the structs at the crate's root are its fields, in [`Pdu`]; [`tlv`] is the
//! optional parameters; [`session`] is one bind, [`account`] many binds of one customer; [`sms`] is what travels inside a message: text, segments,
//! receipts, times; [`provider`] is what a provider publishes, as data; [`simulator`] is an SMSC to test against. The
//! version of the protocol is 3.4 (Issue 1.2), with the PDUs and TLVs that 5.0 adds; sections are cited as
//! `SMPP 3.4 §4.4.1`.
//!
//! # Features
//!
//! All are off by default. `url`: `Endpoint`, which parses `smpps://system_id:password@host:2776`. `charsets`: texts in
//! all character sets of `data_coding`. `graphemes`: texts that are not cut within what a reader takes for a character.
//! `time`, `chrono`, `jiff`: moments from and to those of the crates. `arbitrary`: valid PDUs for fuzzing and property
//! tests. `pcap`: sessions as a file for Wireshark. `serde`: PDUs serialize, with passwords hidden.
#![no_std]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

extern crate alloc;

pub mod account;
#[cfg(feature = "arbitrary")]
pub mod arbitrary;
#[cfg(feature = "url")]
mod endpoint;
pub mod frame;
mod header;
mod open_enum;
#[cfg(feature = "pcap")]
pub mod pcap;
mod pdu;
pub mod provider;
#[cfg(feature = "serde")]
mod serialize;
pub mod session;
pub mod simulator;
pub mod sms;
mod time;
pub mod tlv;
mod values;
mod wire;

#[cfg(feature = "url")]
pub use endpoint::{Endpoint, EndpointError};
pub use frame::{Field, Frame, FramingError, Header, SequenceNumber};
pub use pdu::*;
pub use tlv::{Tag, Tlv, TlvIter, Tlvs};
pub use wire::{
    COctets, DecodeError, DecodeErrorKind, InvalidOctets, List, ListIter, Octets, Password, Quirks, Time,
    Tolerance,
};
