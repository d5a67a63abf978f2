//! The errors of connecting and accepting.

#[doc(inline)]
pub(crate) use smpp_common::unresolved;
pub use smpp_common::{AcceptError, ConnectError, ConnectErrorKind, DialTarget, End};
