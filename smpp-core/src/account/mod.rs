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
//!   submit, request, acknowledge, reconfigure, shutdown  poll_event: outcomes, receipts, messages, link events
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
//! use smpp_proto::account::{Account, Action, ConnectFailure, Credentials, Event, Message, Options};
//! use smpp_proto::provider::Provider;
//! use smpp_proto::session::Instant;
//! use smpp_proto::{Address, MessageState, SubmitSm};
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
//!             Event::Outcome { message, outcome, .. } if message == number => {
//!                 println!("{:?}, safe to resend: {}", outcome.result(), outcome.is_safe_to_resend());
//!                 account.shutdown(now(), Duration::from_secs(10));
//!             }
//!             Event::Receipt { receipt, ack, .. } => {
//!                 println!("{} delivered: {}", receipt.id, receipt.state == MessageState::DELIVERED);
//!                 let _ = account.acknowledge(now(), ack, Ok(()));
//!             }
//!             Event::Message { message, ack, .. } => {
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
//! - The account keeps [`Options::binds`]: groups of transmitters, receivers, transceivers or pairs, each with its
//!   endpoints. It holds at most [`max_binds`](Options::max_binds) connections, including those that are being made or
//!   closed: it reuses a slot only after [`handle_closed`](Account::handle_closed).
//!   [`set_binds`](Account::set_binds) changes them at run time, also to [`Binds::NONE`].
//! - While a group has no bind, the account tries one of its connections at a time. Once that is bound, the others follow,
//!   [`connect_interval`](Options::connect_interval) apart.
//! - It resolves the host's name anew for each reconnect, and tries all addresses, then at once the next endpoint of the
//!   group (failover). The endpoint and the address of the group's last accepted bind go first.
//! - After the last endpoint has failed it waits: [`Backoff`]. [`LinkEvent`] says what failed, and when the account retries.
//! - If the SMSC refuses credentials that it has never accepted (`ESME_RINVPASWD`, `ESME_RINVSYSID`, `ESME_RINVSYSTYP` or
//!   `ESME_RPROHIBITED`), the account makes no further bind, because repeated attempts may lock it: [`Event::Stopped`].
//!   Binds that it has stay, and send what is submitted. [`resume`](Account::resume), or
//!   [`reconfigure`](Account::reconfigure) with other credentials, ends the stop. Credentials that the SMSC has accepted
//!   before are tried again with back-off. [`Options::statuses`] changes which statuses stop the account.
//! - [`reconfigure`](Account::reconfigure) changes the options while the account runs: credentials, endpoints, rate limits,
//!   windows, timeouts.
//! - Each session sends keep-alives: [`enquire_link_interval`](crate::session::Config::enquire_link_interval).
//!
//! # Sending: queue, priority and order
//!
//! - [`submit`](Account::submit) splits a text into segments and queues them. Each message that it accepts has exactly one
//!   [`Event::Outcome`], with one [`SegmentOutcome`] for each segment.
//! - Messages of higher [`Priority`] go first; within one priority, the older message does.
//!   [`Message::in_order`] keeps the order of messages to one destination across all binds, one round trip each.
//! - Each message goes to the bind with the most free capacity in its [`window`](crate::session::Config::window). The
//!   segments of a long message follow the first on the same bind, in order, unless
//!   [`Options::spread_segments`] is true; when that bind ends or pauses, the rest moves to another.
//! - [`Message::bind`] names the bind, for example to answer on the bind that a USSD request came on
//!   ([`InboundMessage::bind`]). A message that waits for its bind does not stop others.
//! - [`Message::deadline`] limits how long a message waits. [`cancel`](Account::cancel) withdraws it. If one segment is not
//!   accepted, the account sends no further segments of the message.
//!
//! # What a message states
//!
//! - [`Message::text`] takes a text of any length, and chooses its alphabet. The [`MessageClass`](crate::MessageClass) (flash
//!   messages), application ports and other elements of the user data header are stated with [`Message::class`],
//!   [`Message::ports`] and [`Message::header`]; [`Message::prepared`] sends a [`Text`](crate::sms::Text) as the caller
//!   has prepared it.
//! - [`Message::submit_sm`], [`Message::data_sm`] and [`Message::submit_multi`] send a whole PDU as it is.
//! - What a template or a message states is sent, or the message is refused: [`DataCodingError`], [`TemplateField`].
//! - The response to each segment is in its outcome, with the TLVs of the SMSC: [`SegmentOutcome::Accepted`].
//!
//! # Requests about messages
//!
//! [`request`](Account::request) sends a [`MessageRequest`], once: a `query_sm`, `cancel_sm` or `replace_sm` about a message that
//! the SMSC has accepted. [`MessageRequest::bind`] names the bind of a message without receipts, for an SMSC that knows it only
//! there. Each request has one [`Event::RequestOutcome`]. At most
//! [`request_capacity`](Options::request_capacity) have no outcome yet.
//!
//! # Retry and throttling
//!
//! - No bind exceeds its [rate limit](crate::session::Config::rate), and all together do not exceed that of the account
//!   ([`Options::rate`]). Each segment counts.
//! - [`Options::statuses`] says what the account does when the SMSC refuses a segment: the provider's
//!   [`StatusTable`](crate::provider::StatusTable), which you can override. By default `ESME_RTHROTTLED` pauses the bind, and
//!   the segment returns to its old position in the queue; `ESME_RMSGQFUL` delays only its own message, unless messages to
//!   other destinations are refused too; `ESME_RINVBNDSTS` sends the segment on another bind, and a bind that refuses two in
//!   a row like that is made again. Each has a limit of retries. A generic_nack to a segment follows the same table.
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
//! - The account reassembles the segments of a concatenated message within
//!   [`ReassemblyLimits`](crate::sms::ReassemblyLimits), and emits one [`Event::Message`]. If segments are missing for too
//!   long, it emits those that are there: [`InboundMessage::is_complete`].
//! - The SMSC keeps each receipt and message until the application calls [`acknowledge`](Account::acknowledge) with its
//!   [`Ack`]. [`SegmentAckMode`] is the exception: it says how long the segments of an incomplete message stay
//!   unacknowledged.
//! - One sender does not keep out others: if it has too many incomplete messages, its oldest makes room. The account
//!   refuses the segments of that message with `ESME_RX_T_APPN`, so that the SMSC keeps them. If one was acknowledged
//!   already, or if the message comes back and has to make room again, it emits the message as it is.
//!
//! # Redelivery: what the application gets once
//!
//! If a bind ends before the SMSC has read an acknowledgement, the SMSC redelivers the PDU, usually on another bind.
//!
//! | redelivered | while the application has not acknowledged the first copy | after it has accepted it |
//! | --- | --- | --- |
//! | a segment of an incomplete message | replaces the first copy if the bind of that has ended, otherwise is refused with `ESME_RX_T_APPN`; acknowledged if the first copy was | |
//! | a segment of an emitted message | refused with `ESME_RX_T_APPN` | acknowledged, for [`duplicate_window`](crate::sms::ReassemblyLimits::duplicate_window) |
//! | a receipt of a message of this account | refused with `ESME_RX_T_APPN` | acknowledged, while the account remembers the message |
//! | an MO message of one PDU, or another receipt, whose bind has ended | gets the response that the application gives to the first copy | acknowledged once, for `duplicate_window`, if the response had not left; otherwise emitted again |
//!
//! An MO message of one PDU has no id: a person may send the same text twice, and both must arrive. So the account counts
//! an equal PDU as a redelivery only if the SMSC cannot have read a response to the first copy, and only once. If the
//! response had left, but was lost with the connection, the application gets the message again. If the SMSC discards the
//! first copy instead of redelivering it, and the same person sends the same PDU within
//! [`duplicate_window`](crate::sms::ReassemblyLimits::duplicate_window), this second one counts as the redelivery. A
//! `duplicate_window` of zero switches the detection off for accepted messages.
//!
//! # Programs with a database
//!
//! The account keeps everything in memory. A program that must survive being killed uses the database as its queue:
//!
//! - It marks a row as being sent, commits, and then submits the message, with the row's key ([`Message::key`]). Whatever
//!   may leave the process is marked. After a restart the marked rows without an outcome are in doubt, and the program does
//!   not resend them by itself; all others are safe to send.
//! - It submits no more than [`ready_capacity`](Account::ready_capacity), so that few messages are in doubt: no message waits
//!   in the account that can wait in the database.
//! - [`Event::HandedToTransport`] is emitted for a segment before [`poll_transmit`](Account::poll_transmit) returns its
//!   octets. A program that commits this event before it transmits narrows the doubt to the rows for which it was emitted.
//!   The commit must come first: a mark that is written after the octets have left may be lost with the process.
//! - It [acknowledges](Account::acknowledge) a receipt after it has committed it. With an adapter,
//!   [`Message::receipts_to`] passes the receipts to its `Arrivals`, where nothing is acknowledged by itself.
//! - After a restart it passes the messages whose receipts are missing to [`expect`](Account::expect), before the first bind:
//!   their receipts are matched, and have the row's key.
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
//! arrived. [`unbind_timeout`](Options::unbind_timeout) bounds the unbinds, whatever the SMSC does.
//!
//! # Monitoring
//!
//! - [`AccountEvent::new`] returns what an operator wants to see of an [`Event`], with `Display`: binds, refusals, pauses,
//!   failed messages and messages in doubt. An [`EventRouter`] keeps them for any number of receivers.
//! - [`stats`](Account::stats) returns the counters of the account's life: those of each connection slot across its sessions,
//!   with a [`Histogram`](crate::session::Histogram) of the response times, their sum, and the queues.
//!
//! # Errors: which type is returned where
//!
//! | type | returned by | means | safe to resend? |
//! | --- | --- | --- | --- |
//! | [`OptionsError`] | [`Options::check`], [`Account::new`], [`Account::set_binds`], [`Account::reconfigure`] | the options are inconsistent | nothing was sent |
//! | [`SubmitError`] | [`Account::submit`], [`Account::ready_capacity`], [`EventRouter::submit`] | the account did not accept the message | yes |
//! | [`MessageOutcome`] | [`Event::Outcome`] | how an accepted message ended | [`is_safe_to_resend`](MessageOutcome::is_safe_to_resend) |
//! | [`SegmentOutcome`] | [`MessageOutcome::segments`], [`MessageOutcome::result`] | how a segment ended | `NeverSent`, `Refused`, `Nacked`: yes; `Unanswered`: may duplicate it |
//! | [`SegmentNotSentReason`] | [`SegmentOutcome::NeverSent`] | why a segment was never sent | yes |
//! | [`SendError`] | [`EventRouter::poll_outcome`], the adapters | not accepted by the account, or not by the SMSC | `NotAccepted`: yes; `Failed`: see its outcome; `DriverGone`: may duplicate it |
//! | [`RequestNotSentReason`] | [`Account::request`], [`EventRouter::request`], [`MessageRequestError::NeverSent`] | why a request about a message was never sent | yes |
//! | [`MessageRequestError`] | [`Event::RequestOutcome`], [`EventRouter::poll_request`], the adapters | why a request about a message did not succeed | [`is_safe_to_resend`](MessageRequestError::is_safe_to_resend) |
//! | [`NoMoreReceipts`] | [`EventRouter::poll_receipt`], the adapters | no further receipt will arrive | the message was sent: do not |
//! | [`AckError`] | [`Account::acknowledge`], the adapters | a delivery was not acknowledged or refused as requested | says nothing about messages |
//! | [`ExpectError`] | [`Account::expect`], the adapters | the account does not wait for the receipts of a message | the message was sent: do not |
//! | [`FirstBindError`] | [`EventRouter::first_bind`], the adapters | the account has no first bind | says nothing about messages |
//! | [`Unresolved`] | [`Event::Closed`] | a message without a good end at shutdown | `NotAccepted`: see its outcome; `NoReceipt`: no |
//!
//! A resend is safe if the SMSC cannot have accepted any segment: the phone then cannot receive one twice.

// Imports between the files run one way, from the last line to the first:
//   binds, link, message_key, options_error, per_segment, outcome, statuses   plain data
//   touched_links, link_index, credentials, error, options, receipt, outbound_pdu   data that refers to it
//   content                               what a message says
//   message, expected, message_request, inbound_message, ack, event   the account's input and output
//   account_event, stats                  what follows from the events
//   fifo, max_tree, ready_messages, send_periods   tables of the queue
//   queued_message, message_table         its messages
//   queue, request_table, receipt_tracker, inbound_segments, delivered_pdus, group, link_slot   the account's tables
//   delivery                              what the SMSC delivers
//   state                                 the account
//   link_refresh, monitoring              what its binds can do, its counters and pauses
//   refusals, reconfigure, reconnect, transmit, tracking, sending, submitting, requesting, receiving, input, shutdown   its operations
//   event_log, request_slots, buffered_receipt, message_slots, routed_event, event_router, router_events, router_messages,
//   router_input                          on top of the account
mod account_event;
mod ack;
mod binds;
mod buffered_receipt;
mod content;
mod credentials;
mod delivered_pdus;
mod delivery;
mod error;
mod event;
mod event_log;
mod event_router;
mod expected;
mod fifo;
mod group;
mod inbound_message;
mod inbound_segments;
mod input;
mod link;
mod link_index;
mod link_refresh;
mod link_slot;
mod max_tree;
mod message;
mod message_key;
mod message_request;
mod message_slots;
mod message_table;
mod monitoring;
mod options;
mod options_error;
mod outbound_pdu;
mod outcome;
mod per_segment;
mod queue;
mod queued_message;
mod ready_messages;
mod receipt;
mod receipt_tracker;
mod receiving;
mod reconfigure;
mod reconnect;
mod refusals;
mod request_slots;
mod request_table;
mod requesting;
mod routed_event;
mod router_events;
mod router_input;
mod router_messages;
mod send_periods;
mod sending;
mod shutdown;
mod slot_slab;
mod state;
mod stats;
mod statuses;
mod submitting;
#[cfg(test)]
mod tests;
mod touched_links;
mod tracking;
mod transmit;

pub use account_event::AccountEvent;
pub use ack::Ack;
pub use binds::{BindGroup, Binds};
pub use credentials::Credentials;
pub use error::{
    AckError, AwaitedReceipts, DataCodingError, FirstBindError, NoMoreReceipts, SendError, SubmitError,
    TemplateField,
};
pub use event::{Action, Event, StopCause};
pub use event_log::ReceiverId;
pub use event_router::EventRouter;
pub use expected::{ExpectError, Expected};
pub use inbound_message::InboundMessage;
pub use link::{BindId, ConnectFailure, LinkEvent, LinkId, LinkState};
pub use message::{Message, Priority};
pub use message_key::MessageKey;
pub use message_request::{MessageRequest, MessageRequestError, RequestNotSentReason, RequestNumber};
pub use options::{Backoff, Options, ReceiptOptions, SegmentAckMode, UnansweredPolicy};
pub use options_error::OptionsError;
pub use outcome::{
    AcceptedMessage, MessageId, MessageNumber, MessageOutcome, SegmentNotSentReason, SegmentOutcome,
    Unresolved,
};
pub use per_segment::PerSegment;
pub use receipt::{DeliveryReceipt, ReceiptDestination, ReceiptMatch, ReceiptWord};
pub use routed_event::RoutedEvent;
pub use state::Account;
pub use stats::{AccountCounters, AccountStats, LinkStats};
pub use statuses::Statuses;
