//! An account: several binds to one SMSC with automatic reconnect and rebind.
//!
//! An [`Account`] connects, binds, keeps the binds alive, and reconnects with backoff. It splits long messages into
//! segments, sends each on the bind with the most capacity, and matches delivery receipts to messages, on whichever bind
//! they arrive. [`smpp_proto::account`] makes the decisions; this module provides sockets, name resolution and the clock.
//!
//! ```no_run
//! use smpp_proto::account::{Binds, Credentials, Message, Options};
//! use smpp_proto::provider::Provider;
//! use smpp_proto::{Address, MessageState, RegisteredDelivery, SubmitSm};
//! use smpp_tokio::account::{Account, Arrival};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let options = Options::new(Credentials::new("my_subaccount", "secret"), &Provider::EIGHT_BY_EIGHT)
//!     .binds(Binds::transceivers(4));
//! let (account, mut arrivals) = Account::connect("smpps://smpp.8x8.com", options).await?;
//!
//! // Mobile-originated messages, and receipts without a `Sent` that waits for them.
//! tokio::spawn(async move {
//!     while let Some(arrival) = arrivals.recv().await {
//!         match arrival {
//!             Arrival::Message(message) => {
//!                 println!("{} wrote {:?}", message.get().source().digits, message.get().text());
//!                 let _ = message.accept(); // after the message is stored: the SMSC deletes it
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
//! let mut sent = account.send(&Message::text(&template, "Hello, however long this is")).await?;
//! println!("accepted as {:?}", sent.ids());
//! assert_eq!(sent.receipt().await?, MessageState::DELIVERED);
//!
//! for unresolved in account.shutdown(std::time::Duration::from_secs(10)).await {
//!     println!("{unresolved:?}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The outcome of a message
//!
//! [`send`](Account::send) returns a [`Sent`] once the SMSC has accepted all segments. Otherwise it returns a
//! [`SendError`] with a [`MessageOutcome`](smpp_proto::account::MessageOutcome), which gives the outcome of each segment:
//! accepted, refused, not understood (generic_nack), never sent, or sent and unanswered. The
//! [`UnansweredPolicy`](smpp_proto::account::UnansweredPolicy) of a message decides whether an unanswered segment is sent
//! again.
//!
//! # Asking about a message
//!
//! [`query_sm`](Account::query_sm), [`cancel_sm`](Account::cancel_sm) and [`replace_sm`](Account::replace_sm) ask the SMSC about a
//! message that it has accepted, on any bind or on the one that sent it ([`request`](Account::request)).
//!
//! # Backpressure
//!
//! [`queue_capacity`](smpp_proto::account::Options::queue_capacity) segments wait or are in flight at most. Then `send` and
//! `submit` wait, and `try_submit` fails. [`arrivals_capacity`](AccountConnector::arrivals_capacity) receipts and messages
//! wait in [`Arrivals`] at most; further ones are refused with a temporary error, so that the SMSC redelivers them. Fetch
//! what arrives; a program that only sends, and asks for no receipts or waits for each with `Sent`, drops [`Arrivals`]
//! instead. An SMSC whose deliveries get no response delivers nothing else.

mod arrivals;
mod connector;
mod driver;
mod events;
mod handle;
mod link;
mod requests;
mod settings;
pub(crate) mod shared;
mod submission;
mod ticket;
mod turns;

pub use arrivals::{Arrival, Arrivals, Unacknowledged};
pub use connector::AccountConnector;
pub use events::Events;
pub use handle::Account;
pub use smpp_common::AccountError;
pub use smpp_proto::account::{AckError, NoMoreReceipts, SendError};
pub use ticket::{Sent, Ticket};
