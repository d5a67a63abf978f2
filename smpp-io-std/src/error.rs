//! The errors of connecting, and how a session ended.

#[doc(inline)]
pub use smpp_core::diagnosis::ReceivedInstead;
#[doc(inline)]
pub(crate) use smpp_io_common::unresolved;
pub use smpp_io_common::{AcceptError, ConnectError, ConnectErrorKind, DialTarget, End, TlsError};
