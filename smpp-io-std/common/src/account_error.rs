//! Why an account could not be started.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use smpp_proto::account::{Account, ExpectError, FirstBindError, LinkState, OptionsError};
use smpp_proto::diagnosis::{ReceivedInstead, refused_bind_advice};
use smpp_proto::session::{Observer, RefusedResponse, RequestError, State};
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
    #[non_exhaustive]
    Refused {
        /// Where the SMSC is: scheme, host and port. `None` if the account has no endpoint.
        endpoint: Option<String>,
        /// The system_id of the bind.
        system_id: String,
        /// The status of the bind response.
        status: CommandStatus,
        /// The bind response, with its TLVs.
        response: RefusedResponse,
    },
    /// Every address was tried, and the certificate of the last one was rejected, or there is no TLS configuration.
    Untrusted(LastFailure),
    /// No bind succeeded within the timeout.
    #[non_exhaustive]
    Timeout {
        /// The timeout: see `AccountConnector::bind_timeout`.
        after: Duration,
        /// What the account waited for at the end, and where; `None` if it waited for its next attempt.
        pending: Option<String>,
        /// The last failure.
        last: Option<LastFailure>,
    },
}

impl AccountError {
    /// Returns the error of an account that has no first bind in time. `last` is the last failure.
    #[doc(hidden)]
    pub fn timeout<O: Observer>(after: Duration, last: Option<LastFailure>, account: &Account<O>) -> Self {
        Self::Timeout { after, pending: pending(account), last }
    }

    /// Returns the error of an account that has no first bind. `failure` is the last one.
    #[doc(hidden)]
    pub fn no_first_bind(error: FirstBindError, failure: Option<LastFailure>) -> Self {
        if let FirstBindError::Refused { endpoint, system_id, status, response, .. } = error {
            return Self::Refused { endpoint, system_id, status, response };
        }
        let unknown = || io::Error::other("the server is not trusted");
        Self::Untrusted(failure.unwrap_or_else(|| LastFailure::Transport(Arc::new(unknown()))))
    }
}

/// Returns what the first connection that is under way waits for.
fn pending<O: Observer>(account: &Account<O>) -> Option<String> {
    account.links().find_map(|(link, state)| {
        let endpoint = account.endpoint(link).map_or_else(|| "the SMSC".into(), ToString::to_string);
        match state {
            LinkState::Resolving => {
                Some(format!("the host of {endpoint} was not resolved yet; check the name server"))
            }
            LinkState::Connecting(address) => {
                let advice =
                    "check host, port and scheme, and whether a firewall or an IP allow-list blocks the connection";
                Some(format!("the connection to {endpoint} at {address} was not made yet; {advice}"))
            }
            LinkState::Open(address, State::Open) => {
                let advice = ReceivedInstead::Nothing.advice_for_esme();
                Some(format!("{endpoint} at {address} had not answered the bind; {advice}"))
            }
            _ => None,
        }
    })
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
            Self::Refused { endpoint, system_id, status, response } => {
                f.write_str("the bind")?;
                endpoint.as_ref().map_or(Ok(()), |endpoint| write!(f, " to {endpoint}"))?;
                let refused = RequestError::Refused { status: *status, response: response.clone() };
                write!(f, " as \"{system_id}\" failed: {refused}; {}", refused_bind_advice(*status))
            }
            Self::Untrusted(failure) => failure.fmt(f),
            Self::Timeout { after, pending, last } => {
                write!(f, "no bind succeeded within {after:?}")?;
                pending.as_ref().map_or(Ok(()), |pending| write!(f, "; at the end, {pending}"))?;
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
            AccountError::Timeout { after: Duration::from_secs(60), pending: None, last: Some(failure()) },
        ] {
            let causes = std::iter::successors(error.source(), |&cause| cause.source());
            assert_eq!(
                causes.filter(|cause| cause.is::<ConnectError>() || cause.is::<TlsError>()).count(),
                2
            );
            assert!(error.to_string().contains("no trusted certificate authority"), "{error}");
        }
        assert!(
            AccountError::Timeout { after: Duration::ZERO, pending: None, last: None }.source().is_none()
        );
    }
}
