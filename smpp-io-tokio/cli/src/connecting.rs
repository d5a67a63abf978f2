//! What a command waits for while it connects.

use std::fmt::Display;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::output::printable;

/// How long a command waits before it says so.
const PATIENCE: Duration = Duration::from_secs(1);

/// Prints to the standard error that the command still connects, if that takes longer than a second. Dropping it ends that.
pub(crate) struct Connecting {
    /// Its drop wakes the thread.
    _done: Sender<()>,
}

impl Connecting {
    /// The command connects to this endpoint and binds. `limit` says how long it may take.
    pub(crate) fn to(endpoint: impl Display, limit: &str) -> Self {
        let (done, waiting) = channel();
        let text = format!("still connecting to {endpoint} and binding, which may take {limit} ...");
        // Without a thread the command only says less.
        let _ = thread::Builder::new().spawn(move || {
            if waiting.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                eprintln!("{}", printable(text));
            }
        });
        Self { _done: done }
    }
}

/// The limits of one session: those of the connectors and of the session's `response_timeout`.
pub(crate) const SESSION_LIMIT: &str = "10 s for each address, for TLS and for the bind";

/// The limit of an account: that of its connector.
pub(crate) const ACCOUNT_LIMIT: &str = "60 s";
