//! Why a test did not get what it waited for.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::OriginateError;
use super::log::{DeliveryFailure, Log, LogEntry};

/// What a test waited for was not logged in time. It shows the log.
#[derive(Clone, Debug)]
pub struct NotLogged {
    expected: &'static str,
    limit: Duration,
    entries: Vec<LogEntry>,
}

/// Why a mobile-originated message was not delivered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DeliverError {
    /// It cannot be sent.
    NotSent(OriginateError),
    /// The client did not accept it.
    Failed(DeliveryFailure),
    /// The account has no bind that receives. The message waits for one, also after this error.
    #[non_exhaustive]
    NoBind {
        /// The account.
        system_id: String,
        /// How long the test has waited, and the log.
        waited: NotLogged,
    },
    /// It has no outcome yet: the client has not responded.
    Timeout(NotLogged),
}

impl NotLogged {
    /// Makes the error of a wait for something that the log did not get within this time.
    pub fn new(expected: &'static str, limit: Duration, log: &Log) -> Self {
        Self { expected, limit, entries: log.entries().cloned().collect() }
    }

    /// Returns how long the test has waited.
    pub const fn limit(&self) -> Duration {
        self.limit
    }

    /// Returns the log at the end of the wait.
    pub fn entries(&self) -> &[LogEntry] {
        &self.entries
    }
}

impl fmt::Display for NotLogged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expected, limit, .. } = self;
        write!(f, "no {expected} within {limit:?}; ")?;
        self.fmt_log(f)
    }
}

impl NotLogged {
    fn fmt_log(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the log of the SMSC")?;
        if self.entries.is_empty() {
            return f.write_str(" is empty");
        }
        f.write_str(":")?;
        self.entries.iter().try_for_each(|entry| write!(f, "\n  {entry}"))
    }
}

impl core::error::Error for NotLogged {}

impl From<NotLogged> for DeliverError {
    fn from(error: NotLogged) -> Self {
        Self::Timeout(error)
    }
}

impl fmt::Display for DeliverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(error) => error.fmt(f),
            Self::Failed(error) => error.fmt(f),
            Self::NoBind { system_id, waited } => {
                write!(
                    f,
                    "no {} within {:?}, because the account \"{system_id}\" has no bind that receives: bind as a transceiver or \
                     as a receiver; ",
                    waited.expected, waited.limit
                )?;
                waited.fmt_log(f)
            }
            Self::Timeout(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for DeliverError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::NotSent(error) => Some(error),
            Self::Failed(error) => Some(error),
            Self::NoBind { .. } => None,
            Self::Timeout(error) => Some(error),
        }
    }
}
