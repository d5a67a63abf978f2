//! The last failure of a connection of an account.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use crate::connect_error::ConnectError;

/// Why a connection of an account failed last.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LastFailure {
    /// Connecting or binding failed.
    Connect(Arc<ConnectError>),
    /// The transport of a connection failed, or a function of the application panicked.
    Transport(Arc<io::Error>),
}

impl LastFailure {
    /// Returns the error: a [`ConnectError`] or an [`io::Error`].
    pub fn error(&self) -> &(dyn Error + 'static) {
        match self {
            Self::Connect(error) => &**error,
            Self::Transport(error) => &**error,
        }
    }
}

impl From<ConnectError> for LastFailure {
    fn from(error: ConnectError) -> Self {
        Self::Connect(Arc::new(error))
    }
}

/// The text of the error.
impl fmt::Display for LastFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.error(), f)
    }
}
