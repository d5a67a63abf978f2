//! Why an accepted connection was not bound.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use smpp_proto::server::RejectReason;
use smpp_proto::session::CloseReason;

use crate::end::End;
use crate::tls::TlsError;

/// Why an accepted connection did not send a bind.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AcceptError {
    /// The connection was closed before the TLS handshake: it has no valid header of the PROXY protocol, or may not send one.
    Rejected(RejectReason),
    /// The TLS handshake failed.
    Tls(Arc<TlsError>),
    /// The TLS handshake took longer than [`session_init_timeout`](smpp_proto::session::Config::session_init_timeout).
    Timeout,
    /// The session ended before a bind arrived.
    Ended(End),
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(reason) => write!(f, "the connection was rejected: {reason}"),
            Self::Tls(error) => write!(f, "the TLS handshake with the client failed: {error}"),
            Self::Timeout => {
                f.write_str("the client did not complete the TLS handshake within session_init_timeout")
            }
            Self::Ended(end) => {
                write!(f, "the session ended before a bind: {end}")?;
                match end.reason {
                    CloseReason::Framing(error) => {
                        write!(f, "; {}", error.received_instead().advice_for_smsc())
                    }
                    _ => Ok(()),
                }
            }
        }
    }
}

impl Error for AcceptError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Rejected(reason) => Some(reason),
            Self::Tls(error) => Some(&**error),
            Self::Timeout => None,
            Self::Ended(end) => Some(end),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn an_error_says_what_the_client_did_and_what_to_check() {
        let ended = |reason| AcceptError::Ended(End { reason, error: None }).to_string();
        let http = smpp_proto::frame::split(b"GET / HTTP/1.1\r\n\r\n", 100).unwrap_err();
        let text = ended(CloseReason::Framing(http));
        assert!(text.starts_with("the session ended before a bind: ") && text.contains("HTTP"), "{text}");
        assert!(text.ends_with(http.received_instead().advice_for_smsc()), "{text}");
        let text = ended(CloseReason::Disconnected);
        assert_eq!(text, format!("the session ended before a bind: {}", CloseReason::Disconnected));
        let reset = Some(Arc::new(io::Error::from(io::ErrorKind::ConnectionReset)));
        let reset = AcceptError::Ended(End { reason: CloseReason::Disconnected, error: reset }).to_string();
        assert_eq!(reset, format!("{text} (transport error: connection reset)"));
        assert_eq!(
            AcceptError::Timeout.to_string(),
            "the client did not complete the TLS handshake within session_init_timeout"
        );
        let tls = AcceptError::Tls(Arc::new(TlsError::ServerName)).to_string();
        assert_eq!(tls, format!("the TLS handshake with the client failed: {}", TlsError::ServerName));
        let rejected = AcceptError::Rejected(RejectReason::Connections).to_string();
        assert_eq!(rejected, format!("the connection was rejected: {}", RejectReason::Connections));
    }

    #[test]
    fn an_error_returns_its_cause() {
        let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
        let kind = |error: &(dyn Error + 'static)| error.downcast_ref::<io::Error>().map(io::Error::kind);
        let tls = AcceptError::Tls(Arc::new(TlsError::Io(reset())));
        assert_eq!(tls.source().and_then(Error::source).and_then(kind), Some(io::ErrorKind::ConnectionReset));
        let end = |reason, error| AcceptError::Ended(End { reason, error });
        let failed = end(CloseReason::Disconnected, Some(Arc::new(reset())));
        assert_eq!(
            failed.source().and_then(Error::source).and_then(kind),
            Some(io::ErrorKind::ConnectionReset)
        );
        let framing = smpp_proto::frame::split(&[0, 0, 0, 7], 100).unwrap_err();
        let malformed = end(CloseReason::Framing(framing), None);
        let cause = malformed.source().and_then(Error::source).and_then(|cause| cause.downcast_ref());
        assert_eq!(cause, Some(&framing));
        assert!(AcceptError::Rejected(RejectReason::Connections).source().is_some());
        assert!(AcceptError::Timeout.source().is_none());
    }
}
