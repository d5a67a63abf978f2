//! How a session ended.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use smpp_proto::session::CloseReason;

/// How a session ended: the reason, and the transport's error if there was one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct End {
    /// Why the session ended.
    pub reason: CloseReason,
    /// The transport's error, if the transport failed.
    pub error: Option<Arc<io::Error>>,
}

impl End {
    /// Creates an end with this reason, and with the transport's error if the transport failed.
    pub const fn new(reason: CloseReason, error: Option<Arc<io::Error>>) -> Self {
        Self { reason, error }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)?;
        self.error.as_ref().map_or(Ok(()), |error| write!(f, " (transport error: {error})"))
    }
}

impl Error for End {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.error {
            Some(error) => Some(&**error),
            None => self.reason.source(),
        }
    }
}
