//! The caller's own key of a message.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// The caller's own key of a message: 0 to 64 octets that the account returns with everything that it reports about the
/// message. It is not sent to the SMSC.
///
/// A program with a database uses the primary key of the row: it then finds the row without a table of
/// [`MessageNumber`](super::MessageNumber)s, which are valid in one process only. Keys need not be unique; the account
/// does not compare them. A clone costs no allocation.
///
/// ```
/// use smpp_proto::SubmitSm;
/// use smpp_proto::account::Message;
///
/// let row: i64 = 4711;
/// let message = Message::text(&SubmitSm::default(), "Hello").key(row.to_be_bytes());
/// let key = message.message_key().unwrap();
/// assert_eq!(i64::from_be_bytes(key.as_bytes().try_into()?), row);
/// # Ok::<(), std::array::TryFromSliceError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey(Arc<[u8]>);

impl MessageKey {
    /// The most octets of a key.
    pub const MAX_OCTETS: usize = 64;

    /// The octets may be too many: what accepts a message checks that.
    pub(super) fn new(octets: Vec<u8>) -> Self {
        Self(octets.into())
    }

    /// Returns the octets.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Escapes octets that are not printable ASCII.
impl fmt::Display for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.escape_ascii().fmt(f)
    }
}

impl fmt::Debug for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}
