//! Why an account cannot be connected.

use std::fmt;
use std::time::Duration;

use smpp_core::account::OptionsError;
use smpp_core::{CommandStatus, EndpointError};

/// Why an account cannot be created, or has no first bind.
#[derive(Debug)]
#[non_exhaustive]
pub enum AccountError {
    /// The URL is invalid.
    Url(EndpointError),
    /// The options contradict each other, or the credentials do not fit into a bind.
    Options(OptionsError),
    /// The SMSC refuses the account, for example because of a wrong password.
    Refused(CommandStatus),
    /// The server's certificate is not accepted, at any address of the host. Holds the error text.
    Untrusted(String),
    /// There was no bind within [`bind_timeout`](super::AccountConnector::bind_timeout).
    Timeout {
        /// The timeout.
        after: Duration,
        /// The last error of a connection.
        last: Option<String>,
    },
}

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(error) => error.fmt(f),
            Self::Options(error) => error.fmt(f),
            Self::Refused(status) => write!(f, "the SMSC refuses the account: {status}"),
            Self::Untrusted(error) => f.write_str(error),
            Self::Timeout { after, last } => {
                write!(f, "no bind within {after:?}")?;
                last.as_ref().map_or(Ok(()), |last| write!(f, ": {last}"))
            }
        }
    }
}

impl std::error::Error for AccountError {}
