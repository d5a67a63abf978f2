//! The errors of connecting, and how a session ended.

#[doc(inline)]
pub(crate) use smpp_common::unresolved;
pub use smpp_common::{AcceptError, ConnectError, ConnectErrorKind, DialTarget, End};
#[doc(inline)]
pub use smpp_proto::diagnosis::ReceivedInstead;
