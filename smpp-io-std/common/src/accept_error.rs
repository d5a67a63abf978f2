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

impl Error for AcceptError {}
