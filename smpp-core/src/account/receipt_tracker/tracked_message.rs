//! The messages whose receipts are tracked, and the results of matching a receipt.

use alloc::vec::Vec;

use crate::account::link::BindId;
use crate::account::message_key::MessageKey;
use crate::account::outcome::{MessageId, MessageNumber};
use crate::account::receipt::{ReceiptDestination, ReceiptMatch};
use crate::sms::MessageIdKey;

/// The result of matching a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::account) enum Match {
    /// It belongs to this message, and is new. The number is that of the node that recorded it, for
    /// [`ReportedReceipt::node`](crate::account::receipt::ReportedReceipt::node).
    New(ReceiptMatch, u32),
    /// It was emitted before, and the application acknowledged it.
    Repeated,
    /// It was emitted before, and the application has not acknowledged it yet.
    Unacknowledged,
    /// Its id is not known.
    Unknown,
}

/// A message whose receipts are tracked.
#[derive(Clone, Debug)]
pub(in crate::account) struct TrackedMessage {
    pub(in crate::account) number: MessageNumber,
    /// The bind that sent the segment; `None` if an earlier process sent it.
    pub(in crate::account) bind: Option<BindId>,
    /// How many segments it has.
    pub(in crate::account) total: u8,
    /// Whether it requested a final receipt for every final state.
    pub(in crate::account) is_due: bool,
    /// The caller's own key of the message.
    pub(in crate::account) key: Option<MessageKey>,
    /// Where an adapter passes its receipts.
    pub(in crate::account) destination: ReceiptDestination,
}

/// What identifies a segment in a receipt.
#[derive(Clone, Copy, Debug)]
pub(in crate::account) enum SegmentId<'a> {
    /// The id in the response of the SMSC, all octets of it.
    Id(&'a [u8]),
    /// The key of an id that is not known any more.
    Key(MessageIdKey),
}

/// A message that is not tracked any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::account) struct ExpiredMessage {
    pub(in crate::account) number: MessageNumber,
    /// The ids of its segments that lack a receipt that was due.
    pub(in crate::account) ids: Vec<MessageId>,
    /// The caller's own key of the message.
    pub(in crate::account) key: Option<MessageKey>,
}

/// A message that [`ReceiptTracker::expire`](super::ReceiptTracker::expire) has removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::account) enum Removed {
    /// It had all its receipts.
    Done,
    /// It waited for receipts.
    Expired(ExpiredMessage),
}
