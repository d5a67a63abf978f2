//! Why an account cannot run with its options.

use core::fmt;

use crate::session::InvalidOption;
use crate::wire::InvalidOctets;

/// The most octets of a field of the bind with [`Quirks::LONG_STRING`](crate::Quirks::LONG_STRING).
pub(super) const MAX_LONG_FIELD: usize = 255;

/// Why an account cannot run with its [`Options`](super::Options).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionsError {
    /// The system_id is empty.
    NoSystemId,
    /// A field of the bind does not fit.
    BindField {
        /// The name of the field (SMPP 3.4 §4.1).
        field: &'static str,
        /// What is wrong with its value.
        error: InvalidOctets,
    },
    /// The bind with its TLVs is longer than [`max_pdu`](crate::session::Config::max_pdu).
    BindTooLong {
        /// The length of the PDU, in octets.
        length: usize,
        /// The limit.
        max: usize,
    },
    /// The number of binds exceeds [`Options::max_binds`](super::Options::max_binds).
    TooManyBinds {
        /// How many binds were requested.
        count: u16,
        /// The limit.
        max: u16,
    },
    /// A group of [`Options::binds`](super::Options::binds) has no endpoint, and
    /// [`Options::endpoints`](super::Options::endpoints) is empty.
    NoEndpoint,
    /// [`Options::binds`](super::Options::binds) requests no bind, and the caller waits for the first.
    NoBinds,
    /// An option has a value with which nothing could work.
    Invalid(InvalidOption),
    /// A field of [`Options::session`](super::Options::session) has a value with which nothing could work.
    Session(InvalidOption),
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSystemId => {
                f.write_str("the system_id is empty: set it (at 8x8 it is the sub-account id)")
            }
            Self::BindField { field, error: InvalidOctets::TooLong { length, limit } }
                if *limit < MAX_LONG_FIELD && *length <= MAX_LONG_FIELD && *field != "password" =>
            {
                write!(
                    f,
                    "{field} has {length} octets, but SMPP 3.4 allows {limit}: shorten it, or if the provider requires it, \
                     set the option bind_quirks to Quirks::LONG_STRING"
                )
            }
            Self::BindField { field, error } => write!(f, "{field} does not fit its field: {error}"),
            Self::BindTooLong { length, max } => {
                write!(f, "the bind has {length} octets, more than max_pdu, {max}: shorten its TLVs")
            }
            Self::TooManyBinds { count, max } => {
                write!(f, "{count} binds exceed the limit of {max}: request fewer, or raise max_binds")
            }
            Self::NoEndpoint => f.write_str(
                "a group of binds has no endpoint: set the option endpoints, or give the group its own with Binds::at",
            ),
            Self::NoBinds => f.write_str(
                "the option binds requests no bind, so none can be waited for: request one, or start the account without waiting",
            ),
            Self::Invalid(error) => error.fmt(f),
            Self::Session(error) => write!(f, "session.{error}"),
        }
    }
}

impl core::error::Error for OptionsError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::BindField { error, .. } => Some(error),
            Self::Invalid(error) | Self::Session(error) => Some(error),
            _ => None,
        }
    }
}
