//! The errors of connecting, and how a session ended.

pub use smpp_common::{AcceptError, ConnectError, ConnectErrorKind, DialTarget, End};
#[doc(inline)]
pub(crate) use smpp_common::{check_connector, no_answer, unresolved};
#[doc(inline)]
pub use smpp_proto::diagnosis::ReceivedInstead;
