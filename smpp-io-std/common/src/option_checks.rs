//! Checks of options before anything starts.

use std::io;
use std::time::Duration;

use smpp_proto::session::{Config, InvalidOption};

use crate::server_limits::ServerLimits;

/// Checks what a connector of sessions is configured with.
#[doc(hidden)]
pub fn check_connector(config: &Config, timeout: Duration) -> Result<(), InvalidOption> {
    let problem = "is zero, so every connection would take too long: set a longer time, such as 10 s";
    InvalidOption::check(!timeout.is_zero(), "timeout", problem)?;
    config.check()
}

/// Checks the configuration of the sessions of a listener.
#[doc(hidden)]
pub fn check_listener(config: &Config) -> io::Result<()> {
    config.check().map_err(invalid_input)
}

/// Checks the limits of a server.
#[doc(hidden)]
pub fn check_limits(limits: &ServerLimits) -> io::Result<()> {
    limits.options().check().map_err(invalid_input)
}

/// Returns the error of an option for functions that return errors of the operating system.
#[doc(hidden)]
pub fn invalid_input(error: InvalidOption) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}
