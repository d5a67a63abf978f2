//! Options that cannot work.

use core::fmt;

/// An option has a value with which nothing could work. Returned before anything starts, so that no peer is blamed for it.
///
/// `Display` names the option, and says what is wrong and which values work: `window is 0, so no request could be sent: set it
/// to 1 or more`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidOption {
    /// The name of the option: the field of its struct, for example `window`.
    pub option: &'static str,
    /// What is wrong with its value, and which values work.
    pub problem: &'static str,
}

impl InvalidOption {
    /// Returns this error unless the value is valid. For the options of the adapters.
    #[doc(hidden)]
    pub fn check(is_valid: bool, option: &'static str, problem: &'static str) -> Result<(), Self> {
        if is_valid { Ok(()) } else { Err(Self { option, problem }) }
    }
}

impl fmt::Display for InvalidOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.option, self.problem)
    }
}

impl core::error::Error for InvalidOption {}
