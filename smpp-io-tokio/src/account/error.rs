//! Why an account could not be started.

use std::fmt;
use std::time::Duration;

use smpp_proto::account::{ExpectError, OptionsError};
use smpp_proto::diagnosis::refused_bind_advice;
use smpp_proto::session::{RefusedResponse, RequestError};
use smpp_proto::{CommandStatus, EndpointError};

/// Starting an account failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum AccountError {
    /// The URL is not a valid endpoint.
    Url(EndpointError),
    /// The options contradict each other, or the credentials do not fit into a bind.
    Options(OptionsError),
    /// The account cannot wait for the receipts of [`AccountConnector::expect`](super::AccountConnector::expect).
    Expect(ExpectError),
    /// The SMSC refused the bind with a permanent status.
    Refused {
        /// The status of the bind response.
        status: CommandStatus,
        /// The bind response, with its TLVs.
        response: RefusedResponse,
    },
    /// Every address was tried, and the certificate of the last one was rejected, or there is no TLS configuration. Holds
    /// the error text.
    Untrusted(String),
    /// No bind succeeded within the timeout.
    Timeout {
        /// The timeout: see [`AccountConnector::bind_timeout`](super::AccountConnector::bind_timeout).
        after: Duration,
        /// The last failure.
        last: Option<String>,
    },
}

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(error) => error.fmt(f),
            Self::Options(error) => error.fmt(f),
            Self::Expect(error) => write!(f, "cannot wait for the receipts of an earlier process: {error}"),
            Self::Refused { status, response } => {
                let refused = RequestError::Refused { status: *status, response: response.clone() };
                write!(f, "bind {refused}; {}", refused_bind_advice(*status))
            }
            Self::Untrusted(error) => f.write_str(error),
            Self::Timeout { after, last } => {
                write!(f, "no bind succeeded within {after:?}")?;
                last.as_ref().map_or(Ok(()), |last| write!(f, "; last failure: {last}"))
            }
        }
    }
}

impl std::error::Error for AccountError {}
