//! Why an account could not be started.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use smpp_proto::account::{ExpectError, OptionsError};
use smpp_proto::diagnosis::refused_bind_advice;
use smpp_proto::session::{RefusedResponse, RequestError};
use smpp_proto::{CommandStatus, EndpointError};

use crate::last_failure::LastFailure;

/// Starting an account failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum AccountError {
    /// The URL is not a valid endpoint.
    Url(EndpointError),
    /// The operating system could not start a thread: only in `smpp-std`.
    Thread(io::Error),
    /// The options contradict each other, or the credentials do not fit into a bind.
    Options(OptionsError),
    /// The account cannot wait for the receipts of `AccountConnector::expect`.
    Expect(ExpectError),
    /// The SMSC refused the bind with a permanent status.
    Refused {
        /// The status of the bind response.
        status: CommandStatus,
        /// The bind response, with its TLVs.
        response: RefusedResponse,
    },
    /// Every address was tried, and the certificate of the last one was rejected, or there is no TLS configuration.
    Untrusted(LastFailure),
    /// No bind succeeded within the timeout.
    Timeout {
        /// The timeout: see `AccountConnector::bind_timeout`.
        after: Duration,
        /// The last failure.
        last: Option<LastFailure>,
    },
}

impl AccountError {
    /// Returns the error of a server that is not trusted, from the last failure.
    #[doc(hidden)]
    pub fn untrusted(failure: Option<LastFailure>) -> Self {
        let unknown = || io::Error::other("the server is not trusted");
        Self::Untrusted(failure.unwrap_or_else(|| LastFailure::Transport(Arc::new(unknown()))))
    }
}

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(error) => error.fmt(f),
            Self::Thread(error) => {
                write!(f, "cannot start a thread for the account: {error}; check the limit on threads")
            }
            Self::Options(error) => error.fmt(f),
            Self::Expect(error) => write!(f, "cannot wait for the receipts of an earlier process: {error}"),
            Self::Refused { status, response } => {
                let refused = RequestError::Refused { status: *status, response: response.clone() };
                write!(f, "bind {refused}; {}", refused_bind_advice(*status))
            }
            Self::Untrusted(failure) => failure.fmt(f),
            Self::Timeout { after, last } => {
                write!(f, "no bind succeeded within {after:?}")?;
                last.as_ref().map_or(Ok(()), |last| write!(f, "; last failure: {last}"))
            }
        }
    }
}

impl Error for AccountError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Url(error) => Some(error),
            Self::Thread(error) => Some(error),
            Self::Options(error) => Some(error),
            Self::Expect(error) => Some(error),
            Self::Untrusted(failure) => Some(failure.error()),
            Self::Timeout { last, .. } => last.as_ref().map(LastFailure::error),
            Self::Refused { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use smpp_proto::Endpoint;

    use super::*;
    use crate::connect_error::{ConnectError, ConnectErrorKind};
    use crate::tls::TlsError;

    fn tls() -> ConnectErrorKind {
        ConnectErrorKind::Tls(TlsError::NoRoots)
    }

    #[test]
    fn an_error_returns_its_cause() {
        let url = "http://smsc".parse::<Endpoint>().unwrap_err();
        let options = AccountError::Options(OptionsError::NoEndpoint);
        let expect = AccountError::Expect(ExpectError::Full);
        assert!(AccountError::Url(url).source().is_some_and(<dyn Error>::is::<EndpointError>));
        assert!(options.source().is_some_and(<dyn Error>::is::<OptionsError>));
        assert!(expect.source().is_some_and(<dyn Error>::is::<ExpectError>));
        let thread = AccountError::Thread(io::Error::from_raw_os_error(11));
        assert!(thread.source().is_some_and(<dyn Error>::is::<io::Error>));
        let failure = || LastFailure::from(ConnectError::new(&Endpoint::tls("smsc", 2776), tls()));
        for error in [
            AccountError::Untrusted(failure()),
            AccountError::Timeout { after: Duration::from_secs(60), last: Some(failure()) },
        ] {
            let causes = std::iter::successors(error.source(), |&cause| cause.source());
            assert_eq!(
                causes.filter(|cause| cause.is::<ConnectError>() || cause.is::<TlsError>()).count(),
                2
            );
            assert!(error.to_string().contains("no trusted certificate authority"), "{error}");
        }
        assert!(AccountError::Timeout { after: Duration::ZERO, last: None }.source().is_none());
    }
}
