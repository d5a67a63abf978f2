//! An SMSC inside the process, for tests of programs that use SMPP. Needs the feature `testing`.
//!
//! It runs on a free port, or in memory without one, follows the rules of [`smpp_proto::simulator`] (by default those of 8x8)
//! and delivers receipts. The test sees what it received:
//!
//! ```
//! use smpp_proto::account::{Credentials, Message, Options};
//! use smpp_proto::provider::Provider;
//! use smpp_proto::{Address, SubmitSm};
//! use smpp_std::testing::TestSmsc;
//!
//! let smsc = TestSmsc::in_memory()?;
//! let options = Options::new(Credentials::default(), &Provider::EIGHT_BY_EIGHT);
//! let (account, _arrivals) = smsc.account_connector(options).connect()?;
//!
//! let template = SubmitSm { destination: Address::international("6591234567")?, ..SubmitSm::default() };
//! account.send(&Message::text(&template, "Hello"))?;
//! assert_eq!(smsc.next_message()?.text.as_deref(), Some("Hello"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`TestSmsc::start`] listens on a free port, [`TestSmsc::in_memory`] on none; [`TestSmsc::builder`] sets accounts, rules,
//!   TLS and faults.
//! - The log: [`TestSmsc::next_message`], [`next_bind`](TestSmsc::next_bind), [`next_refusal`](TestSmsc::next_refusal) and
//!   [`next_delivery`](TestSmsc::next_delivery) wait with a limit; [`TestSmsc::log`] has everything.
//! - Scripted answers: [`TestSmsc::script`]. Messages of phones: [`TestSmsc::deliver`]. Faults of all connections:
//!   [`TestSmsc::set_faults`], and at once: [`TestSmsc::end_connections`].
//!
//! `smpp_tokio::testing` has an SMSC over tokio with the same names and some more, and its manual a chapter about it.
//!
//! # Differences
//!
//! | | `smpp_tokio` | `smpp_std` |
//! | --- | --- | --- |
//! | methods that wait | `async` | block the thread |
//! | `TestSmsc::in_memory` | works on paused time | a socket pair for each connection, real time |
//! | `TestSmscBuilder::subscribe` and `TestSmscEvent` | yes | no: use the log, or a [`Server`](crate::Server) of your own |

mod builder;
mod faults;
mod log;
mod service;
mod smsc;
mod socket;

pub use builder::{ACCOUNT, TestSmscBuilder};
#[doc(inline)]
pub use smpp_common::Certificate;
pub use smpp_proto::simulator::{
    Answer, DeliverError, DeliveryFailure, DeliveryRoute, Dialect, DialectError, Echo, Faults, IdForm, Log,
    LogEntry, LoggedBind, LoggedDelivery, LoggedMessage, MoMessage, MoSegmentation, NotLogged,
    OriginateError, ReceiptContent, ReceiptTiming, ResponseFault, Rules, SegmentReceipts, StateWeights,
    StateWeightsError, StreamEnd, SubmitTlvs, UnknownIdForm, When,
};
pub use smsc::TestSmsc;
pub use socket::MemoryStream;
