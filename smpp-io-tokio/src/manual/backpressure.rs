//! Where are the queues, how large are they, and what happens when they are full?
//!
//! **Short answer.** Every buffer has a bound. Towards the SMSC, your `send` or `submit` call waits. From the SMSC, the
//! session or the account responds with a temporary error, so that the SMSC keeps the message and delivers it again;
//! below that, TCP pushes back. Only what the SMSC does not repeat can be lost: an `alert_notification`, a late response,
//! and acknowledged receipts of a [`Sent`] that you drop while [`Arrivals`] is overfull. A slow receiver of events loses the
//! oldest.
//!
//! # Outbound: your messages
//!
//! | queue or limit | bound (default) | when it is full |
//! | --- | --- | --- |
//! | account queue: segments that wait or are in flight | [`Options::queue_capacity`] (1,000) | [`Account::send`] and [`Account::submit`] wait, in the order they were called; [`Account::try_submit`] returns [`SubmitError::Full`] |
//! | window: requests in flight on one bind | [`Config::window`] (16) | account: the segment waits in the queue. Session: [`Handle::request`] waits, first come first served |
//! | rate | [`Config::rate`] of a bind, [`Options::rate`](smpp_proto::account::Options::rate) of an account (none) | the same |
//! | requests about messages (`query_sm`, `cancel_sm`, `replace_sm`) of an account without an outcome | [`Options::request_capacity`](smpp_proto::account::Options::request_capacity) (100) | [`Account::request`](crate::account::Account::request) returns `NeverSent(Full)` |
//! | output buffer of a session | [`Config::max_output`] (256 KiB) | requests wait until the transport takes something. Responses may take as much again; then the session stops reading, and TCP pushes back on the peer |
//! | segments that wait for receipts | [`ReceiptOptions::capacity`] (100,000) | the account stops waiting for the oldest message: [`NoMoreReceipts::NotReceived`]. Its receipts still arrive, unmatched, through [`Arrivals`] |
//!
//! A [`Handle::request`] that waits holds no copy of the PDU: it borrows your struct and encodes it when its turn
//! comes. A place in the window that becomes free is reserved for the first request that waits, whose task is woken
//! once; a future that is dropped passes its place on. The number of tasks that wait is yours to bound. To shed load
//! instead of waiting, use [`Account::try_submit`]:
//!
//! ```no_run
//! use smpp_proto::account::{Message, SubmitError};
//! use smpp_tokio::account::{Account, Ticket};
//!
//! # fn example(account: &Account, message: &Message) -> Option<Ticket> {
//! match account.try_submit(message) {
//!     Ok(ticket) => Some(ticket),
//!     Err(SubmitError::Full) => {
//!         eprintln!("overloaded: {} segments are queued", account.queued());
//!         None // answer 503, or keep the message in your own queue
//!     }
//!     Err(error) => {
//!         eprintln!("{error}");
//!         None
//!     }
//! }
//! # }
//! ```
//!
//! To bound the time instead, wrap `submit` in `tokio::time::timeout`: dropped before it is done, nothing was sent. A
//! [`Message::deadline`](smpp_proto::account::Message::deadline) bounds the time in the queue.
//!
//! # Inbound: what the SMSC delivers
//!
//! | queue or limit | bound (default) | when it is full |
//! | --- | --- | --- |
//! | requests of the peer without your response, on one session: those in the [`Inbox`] and those you hold | [`Config::max_unanswered`] (256) | the session stops reading, so that TCP slows the peer down; after [`Config::backpressure_timeout`] (5 s) without a response of yours it responds with `ESME_RTHROTTLED` |
//! | [`Arrivals`] of an account | [`AccountConnector::arrivals_capacity`] (1,000), and as many KiB of PDUs | the account responds with `ESME_RX_T_APPN`: the SMSC redelivers |
//! | receipts that wait in one [`Sent`] | 1,024, and 255 KiB of PDUs | the same |
//! | receipts that came before their `submit_sm_resp` | [`ReceiptOptions::early_capacity`] (64), and 1,024 octets for each on average | the oldest is delivered through [`Arrivals`], unmatched |
//! | MO messages of which the account has acknowledged a segment | twice `arrivals_capacity` | **lost**, and reported as `AccountEvent::InboundMessageLost` |
//! | acknowledged receipts of a dropped [`Sent`], which move to [`Arrivals`] | twice `arrivals_capacity` | **lost** |
//! | segments of incomplete MO messages | [`ReassemblyLimits`](smpp_proto::sms::ReassemblyLimits): 50 messages and 128 KiB of one sender, 1,000 messages and 1 MiB in all, 10 minutes | the oldest message of the sender, or of all, makes room: `ESME_RX_T_APPN` for its segments, or you get what there is; after the time you get what there is |
//! | `alert_notification` that waits to be read | `max_unanswered`, or `arrivals_capacity` | **lost** |
//! | late responses: `Arrival::LateOutcome` of an account, `Inbound::LateResponse` of a session | twice `arrivals_capacity`; `max_unanswered` entries in the [`Inbox`] | **lost**: the message stays `Unanswered` for you; receipts are matched all the same |
//! | events of an account that one receiver has left to read | [`AccountConnector::events_capacity`](crate::account::AccountConnector::events_capacity) (1,024), and 256 KiB of texts of the SMSC | that receiver loses the oldest: `AccountEvent::Lagged` |
//! | one PDU | [`Config::max_pdu`] (70 KiB) | the session ends: `Framing` |
//! | PDUs that cannot be decoded, and unknown commands | [`Config::max_malformed`] (1,000) | the session ends: `TooManyMalformed` |
//!
//! Each arrival that waits is unanswered, so with few binds `max_unanswered` (256 for each bind) is reached before
//! `arrivals_capacity`. Raise both for bursts of receipts:
//!
//! ```
//! use smpp_proto::account::{Credentials, Options};
//! use smpp_proto::provider::Provider;
//! use smpp_tokio::account::AccountConnector;
//!
//! let mut options = Options::new(Credentials::new("shop", "s3cret"), &Provider::EIGHT_BY_EIGHT);
//! options.session.max_unanswered = 4_096;
//! options.queue_capacity = 10_000;
//! let connector = AccountConnector::new(&"smpps://smpp.8x8.com".parse()?, options).arrivals_capacity(20_000);
//! # drop(connector);
//! # Ok::<(), smpp_proto::EndpointError>(())
//! ```
//!
//! What happens if you do not read at all:
//!
//! - [`Arrivals`] exists and is not read: it fills up, then every delivery is refused with an error. Many SMSCs
//!   deliver in order, so one message that is never acknowledged can hold up all receipts. Read it, or drop it.
//! - [`Arrivals`] is dropped: MO messages and unmatched receipts are refused with `ESME_RX_T_APPN`; receipts of this
//!   account's own messages are acknowledged and discarded, unless a [`Sent`] waits for them; late outcomes are lost. Drop it
//!   only in a program that only sends and asks for no receipts, or waits for each with [`Sent`].
//! - [`Inbox`] is dropped: every request of the peer is refused with an error that makes it keep the message.
//!
//! # Errors that make the other side keep the message
//!
//! For an unanswered request that you drop, the session responds:
//!
//! | request | response |
//! | --- | --- |
//! | `deliver_sm`, `data_sm` | `ESME_RX_T_APPN` |
//! | `submit_sm`, `submit_multi` | `ESME_RSYSERR` |
//! | `query_sm`, `cancel_sm`, `replace_sm` | `ESME_RQUERYFAIL`, `ESME_RCANCELFAIL`, `ESME_RREPLACEFAIL` |
//! | a bind | `ESME_RBINDFAIL` |
//!
//! # Server side
//!
//! | limit | bound (default) | when it is full |
//! | --- | --- | --- |
//! | connections in all; for one address | [`ServerLimits::connections`] (1,000), [`ServerLimits::connections_per_address`] (100) | the oldest connection without a bind is closed for the new one; if all are bound, the new one is rejected |
//! | connections without a bind; what they hold | [`ServerLimits::unbound_connections`](crate::ServerLimits::unbound_connections) (1,000), [`ServerLimits::unbound_octets`](crate::ServerLimits::unbound_octets) (1 MiB) | the oldest of them is closed |
//! | binds of one account | [`ServerLimits::binds_per_account`] (10) | `ESME_RALYBND` |
//! | messages a second of one bind | [`ServerLimits::rate`] (none) | `ESME_RTHROTTLED` |
//! | unfinished [`Service::request`] calls of one bind | [`Config::max_unanswered`] (256) | the server stops reading from that bind; after `backpressure_timeout` the session responds with `ESME_RTHROTTLED` |
//! | deliveries | the window of each bind, [`ServerLimits::deliveries`](crate::ServerLimits::deliveries) for one account (1,000, 1 MiB, 24 h) | [`BindRegistry::deliver`] waits, [`BindRegistry::queue`](crate::BindRegistry::queue) refuses |
//!
//! # Blocking crate
//!
//! The bounds are the same, since `smpp-proto` keeps them. Calls block instead of waiting as futures; `submit_until`,
//! `send_until` and `recv_until` bound the time. `Handle::submit_pipelined` blocks only while the window is full, the
//! rate is reached or the transport takes nothing.
//!
//! [`Account::send`]: crate::account::Account::send
//! [`Account::submit`]: crate::account::Account::submit
//! [`Account::try_submit`]: crate::account::Account::try_submit
//! [`AccountConnector::arrivals_capacity`]: crate::account::AccountConnector::arrivals_capacity
//! [`Arrivals`]: crate::account::Arrivals
//! [`BindRegistry::deliver`]: crate::BindRegistry::deliver
//! [`Config::max_malformed`]: smpp_proto::session::Config::max_malformed
//! [`Config::max_output`]: smpp_proto::session::Config::max_output
//! [`Config::max_pdu`]: smpp_proto::session::Config::max_pdu
//! [`Config::backpressure_timeout`]: smpp_proto::session::Config::backpressure_timeout
//! [`Config::max_unanswered`]: smpp_proto::session::Config::max_unanswered
//! [`Config::rate`]: smpp_proto::session::Config::rate
//! [`Config::window`]: smpp_proto::session::Config::window
//! [`Handle::request`]: crate::Handle::request
//! [`Inbox`]: crate::Inbox
//! [`NoMoreReceipts::NotReceived`]: crate::account::NoMoreReceipts::NotReceived
//! [`Options::queue_capacity`]: smpp_proto::account::Options::queue_capacity
//! [`ReceiptOptions::capacity`]: smpp_proto::account::ReceiptOptions::capacity
//! [`ReceiptOptions::early_capacity`]: smpp_proto::account::ReceiptOptions::early_capacity
//! [`Sent`]: crate::account::Sent
//! [`ServerLimits::binds_per_account`]: crate::ServerLimits::binds_per_account
//! [`ServerLimits::connections`]: crate::ServerLimits::connections
//! [`ServerLimits::connections_per_address`]: crate::ServerLimits::connections_per_address
//! [`ServerLimits::rate`]: crate::ServerLimits::rate
//! [`Service::request`]: crate::Service::request
//! [`SubmitError::Full`]: smpp_proto::account::SubmitError::Full
