//! The errors of connecting and accepting.

#[doc(inline)]
pub(crate) use smpp_io_common::unresolved;
pub use smpp_io_common::{AcceptError, ConnectError, ConnectErrorKind, DialTarget, End, TlsError};
