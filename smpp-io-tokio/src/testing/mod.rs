//! An SMSC inside the process, for tests of programs that use SMPP. Needs the feature `testing`.
//!
//! It runs on a free port, or in memory without one, follows the rules of [`smpp_proto::simulator`] (by default those of 8x8)
//! and delivers receipts. The test sees what it received:
//!
//! ```
//! use smpp_proto::account::{Credentials, Message, Options};
//! use smpp_proto::provider::Provider;
//! use smpp_proto::{Address, SubmitSm};
//! use smpp_tokio::testing::TestSmsc;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let smsc = TestSmsc::in_memory().await?;
//! let options = Options::new(Credentials::default(), &Provider::EIGHT_BY_EIGHT);
//! let (account, _arrivals) = smsc.account_connector(options).connect().await?;
//!
//! let template = SubmitSm { destination: Address::international("6591234567")?, ..SubmitSm::default() };
//! account.send(&Message::text(&template, "Hello")).await?;
//! assert_eq!(smsc.next_message().await?.text.as_deref(), Some("Hello"));
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
//! ```
//!
//! - [`TestSmsc::start`] listens on a free port, [`TestSmsc::in_memory`] on none; [`TestSmsc::builder`] sets accounts, rules,
//!   TLS and faults.
//! - The log: [`TestSmsc::next_message`], [`next_bind`](TestSmsc::next_bind), [`next_refusal`](TestSmsc::next_refusal) and
//!   [`next_delivery`](TestSmsc::next_delivery) wait with a limit; [`TestSmsc::log`] has everything.
//! - Scripted answers: [`TestSmsc::script`]. Messages of phones: [`TestSmsc::deliver`]. Faults of all connections:
//!   [`TestSmsc::set_faults`], and at once: [`TestSmsc::end_connections`].
//!
//! The manual has a chapter: [`testing_against_an_smsc`](crate::manual::testing_against_an_smsc). `smpp_std::testing` has an
//! SMSC for blocking programs. It has the same names, without some of the builder: a
//! [table](crate::manual::testing_against_an_smsc#blocking-crate) lists the differences.

mod builder;
mod faults;
mod log;
mod service;
mod smsc;

pub use builder::{ACCOUNT, TestSmscBuilder, TestSmscEvent};
#[doc(inline)]
pub use smpp_common::Certificate;
pub use smpp_proto::simulator::{
    Answer, DeliverError, DeliveryFailure, DeliveryRoute, Dialect, DialectError, Echo, Faults, IdForm, Log,
    LogEntry, LoggedBind, LoggedDelivery, LoggedMessage, MoMessage, MoSegmentation, NotLogged,
    OriginateError, ReceiptContent, ReceiptTiming, ResponseFault, Rules, SegmentReceipts, StateWeights,
    StateWeightsError, StreamEnd, SubmitTlvs, UnknownIdForm, When,
};
pub use smsc::TestSmsc;
