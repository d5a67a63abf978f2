//! An SMSC inside the process, for tests of programs that use SMPP. Needs the feature `testing`.
//!
//! It listens on a free port, follows the rules of [`smpp_core::simulator`] (by default those of 8x8) and delivers
//! receipts:
//!
//! ```
//! use smpp_io_std::Connector;
//! use smpp_io_std::testing::TestSmsc;
//!
//! let smsc = TestSmsc::start()?;
//! let connection = Connector::new().bind(&smsc.endpoint(), &smsc.bind())?;
//! connection.unbind();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`TestSmsc::builder`] sets accounts, rules and TLS. `smpp_io_tokio::testing` has an SMSC with the same names over
//! tokio, which also injects faults.

mod certificate;
mod smsc;

pub use certificate::Certificate;
pub use smsc::{ACCOUNT, TestSmsc, TestSmscBuilder};
