//! An SMSC inside the process, for tests of programs that use SMPP. Needs the feature `testing`.
//!
//! It listens on a free port, follows the rules of [`smpp_core::simulator`] (by default those of 8x8) and delivers
//! receipts:
//!
//! ```
//! use smpp_io_tokio::Connector;
//! use smpp_io_tokio::testing::TestSmsc;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let smsc = TestSmsc::start().await?;
//! let (client, _inbox) = Connector::new().connect(&smsc.endpoint()).await?;
//! client.bind(&smsc.bind()).await?;
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
//! ```
//!
//! [`TestSmsc::builder`] sets accounts, rules, TLS and [`Faults`]: late, missing and reordered responses, throttling, reset
//! connections. `smpp_io_std::testing` has an SMSC with the same names over blocking sockets.

mod certificate;
mod faults;
mod smsc;

pub use certificate::Certificate;
pub use faults::Faults;
pub use smsc::{ACCOUNT, TestSmsc, TestSmscBuilder, TestSmscEvent};
