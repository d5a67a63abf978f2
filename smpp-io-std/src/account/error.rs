//! The end of an account or a server.

use std::error::Error;
use std::fmt;

/// The account or the server has ended, and every delivery or event was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended;

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the account or the server has ended, and everything that it received was fetched")
    }
}

impl Error for Ended {}
