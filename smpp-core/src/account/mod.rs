//! An account: several binds to one SMSC, kept up and used as one connection.
//!
//! An [`Account`]
//!
//! - keeps the configured number of **binds**, and **reconnects** with exponential back-off;
//! - **queues** messages, and spreads their segments over the binds by priority and free window;
//! - keeps the **rate limit** of each bind, and **retries throttled** messages;
//! - matches **delivery receipts** (DLRs) to the messages, whichever bind they arrive on;
//! - reassembles concatenated **mobile-originated (MO) messages** from segments on any bind;
//! - **shuts down gracefully**, and reports what it left unresolved.
//!
//! It is a sans-IO state machine, as [`Session`](crate::session::Session) is, and holds the session of each of its binds:
//! octets and time go in; octets, [`Action`]s and [`Event`]s come out. The adapter opens the connections, resolves the
//! host's name and runs the timers.
//!
//! ```text
//!   submit, cancel, acknowledge, set_binds, shutdown   poll_event: outcomes, receipts, messages, link events
//!        │                                                 ▲
//!   ┌────▼─────────────────────────────────────────────────┴───┐
//!   │ queue: priority, deadline, order     receipt tracker     │
//!   │ inbound segments: reassembly         back-off, addresses │
//!   │   link 0: Session    link 1: Session    link 2: Session  │
//!   └────┬──────────▲──────────────────────────┬───────────────┘
//!        ▼          │                          ▼
//!   poll_transmit  handle_input          poll_action: Resolve, Connect, Close
//! ```
//!
//! # Run loop
//!
//! After each call of a method that takes the time, the adapter
//!
//! 1. fetches [`poll_action`](Account::poll_action) and [`poll_event`](Account::poll_event) until both return `None`;
//! 2. transmits what [`poll_transmit`](Account::poll_transmit) returns for each link that
//!    [`wants_transmit`](Account::wants_transmit), and reports what the transport has taken with
//!    [`handle_transmitted`](Account::handle_transmitted);
//! 3. reads from each link that [`wants_input`](Account::wants_input), into [`handle_input`](Account::handle_input), and
//!    reports the end of a connection with [`handle_eof`](Account::handle_eof);
//! 4. sleeps until [`poll_timeout`](Account::poll_timeout) or a link's [`poll_link_timeout`](Account::poll_link_timeout).
//!    It calls [`handle_link_timeout`](Account::handle_link_timeout) only once all octets that have arrived on the link
//!    have been passed in.
//!
//! ```no_run
//! use std::io::{ErrorKind, Read, Write};
//! use std::net::{TcpStream, ToSocketAddrs};
//! use std::time::Duration;
//! use smpp_core::account::{Account, Action, ConnectFailure, Credentials, Event, Message, Options};
//! use smpp_core::provider::Provider;
//! use smpp_core::session::Instant;
//! use smpp_core::{Address, MessageState, SubmitSm};
//!
//! let start = std::time::Instant::now();
//! let now = || Instant::after(start.elapsed());
//! let provider = Provider::EIGHT_BY_EIGHT;
//! let mut account = Account::<()>::new(Options::new(Credentials::new("shop", "s3cret"), &provider), now())?;
//! let template = SubmitSm { destination: Address::international("6591234567")?, ..SubmitSm::default() };
//! let number = account.submit(now(), &Message::text(&template, "Hello"))?;
//!
//! // One bind on a blocking socket, read with a short timeout.
//! let mut connection: Option<TcpStream> = None;
//! let (mut output, mut input) = (Vec::new(), Vec::new());
//! 'run: loop {
//!     while let Some(action) = account.poll_action() {
//!         match action {
//!             Action::Resolve { link } => {
//!                 match (provider.host, 2775).to_socket_addrs() {
//!                     Ok(found) => account.handle_resolved(now(), link, Ok(&found.collect::<Vec<_>>())),
//!                     Err(error) => account.handle_resolved(now(), link, Err(&error.to_string())),
//!                 }
//!             }
//!             Action::Connect { link, address } => match TcpStream::connect(address) {
//!                 Ok(stream) => {
//!                     stream.set_read_timeout(Some(Duration::from_millis(10)))?;
//!                     (connection, output, input) = (Some(stream), Vec::new(), Vec::new());
//!                     if !account.handle_connected(now(), link, ()) {
//!                         connection = None;
//!                         account.handle_closed(now(), link);
//!                     }
//!                 }
//!                 Err(error) => {
//!                     account.handle_connect_failed(now(), link, ConnectFailure::Network, &error.to_string());
//!                 }
//!             },
//!             Action::Close { link } => {
//!                 connection = None;
//!                 account.handle_closed(now(), link);
//!             }
//!         }
//!     }
//!     while let Some(event) = account.poll_event() {
//!         match event {
//!             Event::Outcome { message, outcome } if message == number => {
//!                 println!("{:?}, safe to resend: {}", outcome.result(), outcome.is_safe_to_resend());
//!                 account.shutdown(now(), Duration::from_secs(10));
//!             }
//!             Event::Receipt { receipt, ack, .. } => {
//!                 println!("{} delivered: {}", receipt.id, receipt.state == MessageState::DELIVERED);
//!                 let _ = account.acknowledge(now(), ack, Ok(()));
//!             }
//!             Event::Message { message, ack } => {
//!                 println!("{:?}", message.text());
//!                 let _ = account.acknowledge(now(), ack, Ok(()));
//!             }
//!             Event::Closed { .. } => break 'run,
//!             _ => {}
//!         }
//!     }
//!     let Some((link, _)) = account.links().next() else { break };
//!     if let Some(stream) = &mut connection {
//!         account.poll_transmit(link, &mut output);
//!         let mut is_open = true;
//!         if !output.is_empty() {
//!             is_open = stream.write_all(&output).is_ok();
//!             account.handle_transmitted(now(), link, output.len());
//!             output.clear();
//!         }
//!         let mut buffer = [0; 4096];
//!         match stream.read(&mut buffer) {
//!             Ok(0) => is_open = false,
//!             Ok(length) => input.extend_from_slice(&buffer[..length]),
//!             Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
//!             Err(_) => is_open = false,
//!         }
//!         let mut rest = &input[..];
//!         account.handle_input(now(), link, &mut rest);
//!         input = rest.to_vec();
//!         if !is_open {
//!             account.handle_eof(now(), link);
//!         }
//!     } else {
//!         std::thread::sleep(Duration::from_millis(10));
//!     }
//!     // Instead of sleeping until the deadlines, this loop checks them every 10 ms.
//!     account.handle_link_timeout(now(), link);
//!     account.handle_timeout(now());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An adapter whose users wait for outcomes, receipts and messages passes the events to an [`EventRouter`], which buffers
//! them and returns the waiters to wake.
//!
//! # Binds and reconnecting
//!
//! - The account keeps [`Options::binds`] binds, and holds at most [`max_binds`](Options::max_binds) connections,
//!   including those that are being made or closed: it reuses a slot only after
//!   [`handle_closed`](Account::handle_closed). [`set_binds`](Account::set_binds) changes their number at run time.
//! - While it has no bind, it tries one connection at a time. Once that is bound, the others follow,
//!   [`connect_interval`](Options::connect_interval) apart.
//! - It resolves the host's name anew for each reconnect, and tries all addresses; the address of the last accepted bind
//!   goes first.
//! - After a failure it waits: [`Backoff`]. [`LinkEvent`] says what failed, and when the account retries.
//! - If the SMSC refuses the credentials (`ESME_RINVPASWD`, `ESME_RINVSYSID`, `ESME_RINVSYSTYP` or `ESME_RPROHIBITED`), the
//!   account makes no further bind, because repeated attempts may lock it: [`Event::Stopped`]. Binds that it has stay.
//! - Each session sends keep-alives: [`enquire_link_interval`](crate::session::Config::enquire_link_interval).
//!
//! # Sending: queue, priority and order
//!
//! - [`submit`](Account::submit) splits a text into segments and queues them. Each message that it accepts has exactly one
//!   [`Event::Outcome`], with one [`SegmentOutcome`] for each segment.
//! - Messages of higher [`Priority`] go first; within one priority, the older message does.
//!   [`Message::in_order`] keeps the order of messages to one destination across all binds, one round trip each.
//! - Each segment goes to the bind with the most free capacity in its [`window`](crate::session::Config::window).
//! - [`Message::deadline`] limits how long a message waits. [`cancel`](Account::cancel) withdraws it. If one segment is not
//!   accepted, the account sends no further segments of the message.
//!
//! # Retry and throttling
//!
//! - No bind exceeds its [rate limit](crate::session::Config::rate). Each segment counts.
//! - `ESME_RTHROTTLED` and `ESME_RMSGQFUL` pause the bind for [`throttle_pause`](Options::throttle_pause), and the segment
//!   returns to its old position in the queue, [`throttle_retries`](Options::throttle_retries) times at most. So does
//!   `ESME_RINVBNDSTS`, which an SMSC sends when it has begun to end the bind.
//! - A segment that was never sent, because its bind ended first, goes to another bind.
//! - A segment that was sent and got no response may have been accepted. [`UnansweredPolicy`] says whether the account
//!   reports or resends it.
//!
//! # Delivery receipts
//!
//! - A message requests receipts with [`registered_delivery`](crate::SubmitSm::registered_delivery). The account remembers
//!   the SMSC's ids of its segments, and matches each receipt ([`ReceiptMatch`]), whichever bind it arrives on.
//!   `message_state` is the state of the whole message, once each segment has its final receipt.
//! - A receipt that arrives before the `submit_sm_resp` of its segment is held until the response has arrived.
//! - A redelivered receipt is emitted once. A final state that changes, for example from undeliverable to delivered, is
//!   emitted with the [`previous`](ReceiptMatch::previous) one. The account remembers a message for
//!   [`remember_completed`](ReceiptOptions::remember_completed) after its last receipt.
//! - [`ReceiptDialect`](crate::provider::ReceiptDialect) says how the provider's receipts differ: one for each segment or
//!   one for the message, which states are final, which `esm_class` values mark receipts, other notations of ids, a parser
//!   of your own.
//! - [`ReceiptOptions`] bounds how many segments wait, and for how long: [`Event::ReceiptsExpired`]. A segment takes about
//!   145 octets while it waits, and a receipt is matched in the same time however many wait.
//!
//! # Mobile-originated messages
//!
//! - The account reassembles the segments of a concatenated message within [`ReassemblyLimits`](crate::sms::ReassemblyLimits),
//!   and emits one [`Event::Message`]. If segments are missing for too long, it emits those that are there:
//!   [`InboundMessage::is_complete`].
//! - The SMSC keeps each receipt and message until the application calls [`acknowledge`](Account::acknowledge) with its
//!   [`Ack`]. [`segment_ack_timeout`](Options::segment_ack_timeout) is the exception: it bounds how long the segments of
//!   an incomplete message stay unacknowledged.
//!
//! # Backpressure
//!
//! - Sending: [`submit`](Account::submit) returns [`SubmitError::Full`] beyond
//!   [`queue_capacity`](Options::queue_capacity). [`available_capacity`](Account::available_capacity) says how many
//!   segments fit; it grows with each outcome.
//! - Receiving: refuse a delivery with `ESME_RX_T_APPN`, and the SMSC redelivers it later. Beyond
//!   [`max_unanswered`](crate::session::Config::max_unanswered) unacknowledged PDUs, the session stops reading; after
//!   [`backpressure_timeout`](crate::session::Config::backpressure_timeout) it responds with `ESME_RTHROTTLED` by
//!   itself.
//! - A transport that takes no octets stops the reading: [`wants_input`](Account::wants_input).
//!
//! # Shutdown
//!
//! [`shutdown`](Account::shutdown) accepts no further messages, sends the queued ones until the deadline, unbinds, and emits
//! [`Event::Closed`] with the [`Unresolved`] messages: those that were not accepted, and those whose receipts have not
//! arrived.
//!
//! # Errors: which type is returned where
//!
//! | type | returned by | means | safe to resend? |
//! | --- | --- | --- | --- |
//! | [`OptionsError`] | [`Account::new`], [`Account::set_binds`] | the options are inconsistent | nothing was sent |
//! | [`SubmitError`] | [`Account::submit`], [`EventRouter::submit`] | the account did not accept the message | yes |
//! | [`MessageOutcome`] | [`Event::Outcome`] | how an accepted message ended | [`is_safe_to_resend`](MessageOutcome::is_safe_to_resend) |
//! | [`SegmentOutcome`] | [`MessageOutcome::segments`], [`MessageOutcome::result`] | how a segment ended | `NeverSent`, `Refused`, `Nacked`: yes; `Unanswered`: may duplicate it |
//! | [`SegmentNotSentReason`] | [`SegmentOutcome::NeverSent`] | why a segment was never sent | yes |
//! | [`SendError`] | [`EventRouter::poll_outcome`], the adapters | not accepted by the account, or not by the SMSC | `NotAccepted`: yes; `Failed`: see its outcome; `DriverGone`: may duplicate it |
//! | [`NoMoreReceipts`] | [`EventRouter::poll_receipt`], the adapters | no further receipt will arrive | the message was sent: do not |
//! | [`FirstBindError`] | [`EventRouter::first_bind`], the adapters | the account has no first bind | says nothing about messages |
//! | [`Unresolved`] | [`Event::Closed`] | a message without a good end at shutdown | `NotAccepted`: see its outcome; `NoReceipt`: no |
//!
//! A resend is safe if the SMSC cannot have accepted any segment: the phone then cannot receive one twice.

// Imports between the files run one way, from the last line to the first:
//   link, outcome                         plain data
//   error, options, receipt               data that refers to it
//   message, inbound_message, ack, event  the account's input and output
//   queue, receipt_tracker, inbound_segments, link_slot   the account's tables
//   state                                 the account
//   reconnect, sending, receiving, shutdown   its operations
//   event_router                          on top of the account
mod ack;
mod error;
mod event;
mod event_router;
mod inbound_message;
mod inbound_segments;
mod link;
mod link_slot;
mod message;
mod options;
mod outcome;
mod queue;
mod receipt;
mod receipt_tracker;
mod receiving;
mod reconnect;
mod sending;
mod shutdown;
mod state;
#[cfg(test)]
mod tests;

pub use ack::Ack;
pub use error::{FirstBindError, NoMoreReceipts, SendError, SubmitError};
pub use event::{Action, Event};
pub use event_router::{EventRouter, RoutedEvent};
pub use inbound_message::InboundMessage;
pub use link::{ConnectFailure, LinkEvent, LinkId, LinkState};
pub use message::{Message, Priority};
pub use options::{Backoff, Binds, Credentials, Options, OptionsError, ReceiptOptions, UnansweredPolicy};
pub use outcome::{
    MessageId, MessageNumber, MessageOutcome, SegmentNotSentReason, SegmentOutcome, Unresolved,
};
pub use receipt::{DeliveryReceipt, ReceiptMatch};
pub use state::Account;
