//! The errors of connecting and accepting.

pub use smpp_common::{AcceptError, ConnectError, ConnectErrorKind, DialTarget, End};
#[doc(inline)]
pub(crate) use smpp_common::{check_connector, no_answer, unresolved};
