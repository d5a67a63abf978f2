//! Several binds as one account: it spreads messages over them, reconnects and rebinds, and matches each delivery receipt
//! (DLR) to its message.
//!
//! [`smpp_proto::account`] makes every decision; this module adds sockets, the resolver, a clock and threads. The account
//! sends a message on the bind with the most capacity; its receipt may come on any bind.
//!
//! ```no_run
//! use std::thread;
//! use std::time::Duration;
//! use smpp_proto::account::{Binds, Credentials, Message, Options};
//! use smpp_proto::provider::Provider;
//! use smpp_proto::{Address, MessageState, RegisteredDelivery, SubmitSm};
//! use smpp_std::account::{Account, Arrival};
//!
//! let options = Options::new(Credentials::new("my_subaccount", "secret"), &Provider::EIGHT_BY_EIGHT)
//!     .binds(Binds::transceivers(4));
//! let (account, mut arrivals) = Account::connect("smpps://smpp.8x8.com", options)?;
//!
//! // Mobile-originated messages, and receipts that no `Sent` waits for.
//! thread::spawn(move || {
//!     while let Some(arrival) = arrivals.recv() {
//!         match arrival {
//!             Arrival::Message(message) => {
//!                 println!("{} wrote {:?}", message.get().source().digits, message.get().text());
//!                 let _ = message.accept(); // acknowledged: the SMSC forgets the message
//!             }
//!             Arrival::Receipt(receipt) => drop(receipt.accept()),
//!             // `send` had failed with `Unanswered`; `message` is the number in `SendError::Failed`.
//!             Arrival::LateOutcome { message, outcome, .. } => println!("late: {message}: {outcome}"),
//!             _ => {}
//!         }
//!     }
//! });
//!
//! let template = SubmitSm {
//!     source: Address::alphanumeric("8x8")?,
//!     destination: Address::international("6591234567")?,
//!     registered_delivery: RegisteredDelivery::RECEIPT,
//!     ..SubmitSm::default()
//! };
//! let mut sent = account.send(&Message::text(&template, "Hello, however long this is"))?;
//! println!("accepted as {:?}", sent.ids());
//! assert_eq!(sent.receipt()?, MessageState::DELIVERED);
//!
//! for unresolved in account.shutdown(Duration::from_secs(10)) {
//!     println!("{unresolved:?}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The outcome of a message
//!
//! [`send`](Account::send) returns a [`Sent`] once the SMSC has accepted all segments. Otherwise it returns a [`SendError`]
//! with a [`MessageOutcome`](smpp_proto::account::MessageOutcome) that has the outcome of each segment: accepted, refused,
//! not understood (generic_nack), never sent, or sent and unanswered. The
//! [`UnansweredPolicy`](smpp_proto::account::UnansweredPolicy) of a message says whether to resend unanswered segments.
//!
//! # Asking about a message
//!
//! [`query_sm`](Account::query_sm), [`cancel_sm`](Account::cancel_sm) and [`replace_sm`](Account::replace_sm) ask the SMSC about a
//! message that it has accepted, on any bind or on the one that sent it ([`request`](Account::request)).
//!
//! # Backpressure
//!
//! At most [`Options::queue_capacity`](smpp_proto::account::Options::queue_capacity) segments wait or are in flight. Beyond
//! that, `send` and `submit` wait, and `try_submit` refuses.
//!
//! At most [`AccountConnector::arrivals_capacity`] messages and receipts wait to be fetched. Beyond that, the account
//! refuses deliveries with a temporary error, so that the SMSC keeps them. Fetch what arrives; a program
//! that only sends, and asks for no receipts or waits for each with `Sent`, drops [`Arrivals`] instead. An SMSC whose
//! deliveries get no response delivers nothing else.
//!
//! # Side by side with tokio's
//!
//! The account of `smpp-tokio` has the same methods. Here they block, and those that may block for long have a second
//! form with a deadline. Both run the same [`smpp_proto::account`]: back-off, the limit on binds, the choice of the next
//! address, the outcome of a message and the matching of receipts are the same.
//!
//! | `smpp_tokio::account` | here | here, with a deadline |
//! | --- | --- | --- |
//! | `Account::connect(url, options).await` | [`Account::connect`] | [`AccountConnector::bind_timeout`] |
//! | `AccountConnector::start()` | [`AccountConnector::start`] | |
//! | `with_options`, `tls`, `dial`, `dial_by_name`, `resolver`, `observe`, `expect`, `arrivals_capacity`, `events_capacity` of `AccountConnector` | the same; `dial` and `resolver` take blocking functions | |
//! | `account.send(&message).await` | [`Account::send`] | [`Account::send_until`] |
//! | `account.submit(&message).await` | [`Account::submit`] | [`Account::submit_until`] |
//! | `account.try_submit(&message)` | [`Account::try_submit`] | |
//! | `account.ready().await` | [`Account::ready`] | [`Account::ready_until`] |
//! | `account.expect(expected)` | [`Account::expect`] | |
//! | `ticket.outcome().await` | [`Ticket::outcome`] | [`Ticket::outcome_until`] |
//! | `ticket.cancel()`, `message()`, `key()` | the same | |
//! | `account.request(&request).await` | [`Account::request`] | [`Account::request_until`] |
//! | `account.query_sm(&query).await` | [`Account::query_sm`] | [`Account::query_sm_until`] |
//! | `account.cancel_sm(&cancel).await` | [`Account::cancel_sm`] | [`Account::cancel_sm_until`] |
//! | `account.replace_sm(&replace).await` | [`Account::replace_sm`] | [`Account::replace_sm_until`] |
//! | `sent.ids()`, `responses()`, `bind()`, `message()`, `key()` | the same | |
//! | `sent.receipt().await` | [`Sent::receipt`] | [`Sent::receipt_until`] |
//! | `sent.next_receipt().await` | [`Sent::next_receipt`] | [`Sent::next_receipt_until`] |
//! | `arrivals.recv().await` | [`Arrivals::recv`] | [`Arrivals::recv_until`] |
//! | `accept()`, `refuse(status)`, `is_acknowledged()` of an arrival | the same on [`Unacknowledged`] | |
//! | `Arrivals` and `Events` as `Stream`s (feature `stream`) | as `Iterator`s | |
//! | `account.set_binds(binds)`, `reconfigure(options)`, `resume()`, `options()` | the same | |
//! | `account.events()`, `events.recv().await` | [`Account::events`], [`Events::recv`] | [`Events::recv_until`] |
//! | `account.stats()`, `links()`, `queued()` | the same | |
//! | `account.shutdown(timeout).await` | [`Account::shutdown`] | it has a timeout |
//! | `account.closed().await` | [`Account::closed`] | [`Account::closed_until`] |
//!
//! # Threads
//!
//! The account has one background thread, which keeps the time, and one thread for each connection that is open or
//! being made. The thread of a connection resolves the host, connects and reads, so that a slow resolver or a server
//! that does not respond delays no other connection. The thread that sends a message also writes it, for about 50 ms at
//! most on each connection whose transport is slow or blocked; the background thread writes the rest. What the threads send that
//! a read has woken leaves in one write of the reading thread, if they are quick. So do messages that are only
//! [submitted](Account::submit), up to 32 of them and after 5 ms at the latest.
//!
//! The threads end with the account; the thread of a connection ends as soon as the connection is closed. A thread that is
//! resolving or connecting cannot be interrupted. If the account no longer needs its connection, its result is dropped. The
//! thread ends after at most [`Options::connect_timeout`](smpp_proto::account::Options::connect_timeout), or when the
//! [resolver](AccountConnector::resolver) returns, unless it serves the next connection of the same slot. Each slot has at
//! most one thread, so there are never more connections than [`max_binds`](smpp_proto::account::Options::max_binds).
//!
//! # Timeouts and their accuracy
//!
//! A timeout of a bind fires only after all received octets were read: a response in the socket counts, however late the
//! program reads it. No timeout fires early. It fires at most one or two milliseconds late, as far as the operating system
//! schedules the threads in time; while the transport takes nothing about 50 ms later, because the result of the current
//! write has to be known first. If the session's
//! [`response_timeout`](smpp_proto::session::Config::response_timeout) or
//! [`drain_timeout`](smpp_proto::session::Config::drain_timeout) is less than 100 ms, or
//! [`unbind_timeout`](smpp_proto::account::Options::unbind_timeout) less than 150 ms, its timeout may fire up to 100 ms late.

mod arrivals;
mod background;
mod connect;
mod connector;
mod dispatch;
mod error;
mod events;
mod handle;
mod link_task;
mod link_thread;
mod links;
#[cfg(feature = "metrics")]
pub(crate) mod publish;
mod requests;
mod shared;
mod state;
mod ticket;

pub use arrivals::{Arrival, Arrivals, Unacknowledged};
pub use connector::AccountConnector;
pub use error::Ended;
pub use events::Events;
pub use handle::Account;
pub use smpp_common::AccountError;
pub use smpp_proto::account::{AckError, NoMoreReceipts, SendError};
pub use ticket::{Sent, Ticket};
