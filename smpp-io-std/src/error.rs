//! The errors of connecting, and how a session ended.

#[doc(inline)]
pub use smpp_core::diagnosis::ReceivedInstead;
#[doc(inline)]
pub use smpp_io_common::{ConnectError, ConnectErrorKind, End, TlsError};
