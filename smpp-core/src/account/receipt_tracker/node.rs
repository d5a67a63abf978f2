//! A tracked segment. The first segment of a message also holds what belongs to the message as a whole.

use core::iter;

use super::stored_id::StoredId;
use crate::account::link::ShortBindId;
use crate::account::message_key::MessageKey;
use crate::account::outcome::MessageNumber;
use crate::account::receipt::ReceiptDestination;
use crate::pdu::MessageState;
use crate::sms::{MessageIdKey, MessageIdPolicy, Receipt, digest};
use crate::table::{Chain, NONE, Slot};
use crate::time::Instant;

/// A tracked segment: 128 octets, two cache lines. The id and the segment's number are in the first one, and what a message of one
/// segment needs besides in the second one.
#[repr(C, align(128))]
pub(super) struct Node {
    pub(super) id: StoredId,
    /// The bind that sent the segment.
    pub(super) bind: ShortBindId,
    /// Of a submit_multi with several recipients, a number made of the address of this one: see [`recipient`]. Otherwise 0.
    pub(super) recipient: u32,
    /// The first node of the message.
    pub(super) head: u32,
    /// Of the first node, the next one in the same bucket of the index of messages.
    pub(super) number_next: u32,
    pub(super) segment: u8,
    /// Whether another segment of the message has the same id.
    pub(super) is_shared: bool,
    /// Of the first node: how many segments of the message are tracked.
    pub(super) accepted: u8,
    pub(super) number: MessageNumber,
    /// The hash of the id's key.
    pub(super) id_hash: u32,
    /// The next segment of the message; of a vacant node, the next vacant one.
    pub(super) sibling: u32,
    /// The receipts that were emitted: see [`bit`].
    pub(super) reported: u32,
    /// The receipts of `reported` that the application has not acknowledged yet.
    pub(super) unacknowledged: u32,
    /// The state in the last final receipt.
    pub(super) last: Option<MessageState>,
    /// Whether the index of ids has the node: of several segments with the same id it has one.
    pub(super) is_indexed: bool,
    // The fields below are those of the message, in its first node.
    /// How many segments the message has.
    pub(super) total: u8,
    /// How many of those that are tracked lack their final receipt.
    pub(super) open: u8,
    /// Whether no further segment will be accepted.
    pub(super) is_complete: bool,
    /// Whether the message requested a final receipt for every final state.
    pub(super) is_due: bool,
    /// Whether the message is complete and has all its receipts.
    pub(super) is_done: bool,
    pub(super) destination: ReceiptDestination,
    /// The position in the order of the messages by time.
    pub(super) position: u32,
    /// When the first segment was accepted; of a message that has all its receipts, when the last one arrived.
    pub(super) at: Instant,
    pub(super) key: Option<MessageKey>,
}

/// Returns the bit of a receipt. The states that no version of SMPP defines share one.
pub(super) fn bit(state: MessageState, is_final: bool) -> u32 {
    1 << (state.0.min(15) + if is_final { 16 } else { 0 })
}

/// Returns a number for the address of a recipient, above [`UNKNOWN_RECIPIENT`]. A leading `+` or zeros do not count.
pub(in crate::account) fn recipient(address: &[u8]) -> u32 {
    let digits = address.iter().copied().skip_while(|octet| matches!(octet, b'+' | b'0'));
    ((digest(digits) >> 32) as u32).max(UNKNOWN_RECIPIENT + 1)
}

/// The number of a recipient whose address is not known any more.
pub(in crate::account) const UNKNOWN_RECIPIENT: u32 = 1;

/// Whether a receipt was emitted before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    New,
    /// The application has not acknowledged it yet.
    Unacknowledged,
    Acknowledged,
}

impl Node {
    /// Returns whether a receipt with this state, final or not, was emitted before. An intermediate receipt after the final one
    /// changes nothing: it counts as a repetition of the final one.
    #[inline(always)]
    pub(super) fn known(&self, (state, is_final): (MessageState, bool)) -> Known {
        let known = match self.last {
            Some(last) if !is_final => bit(last, true),
            _ => bit(state, is_final),
        };
        if self.unacknowledged & known != 0 {
            Known::Unacknowledged
        } else if self.reported & known != 0 {
            Known::Acknowledged
        } else {
            Known::New
        }
    }

    /// Returns the final state that counts once the application has refused the last one: `previous`. If it has refused that
    /// too, another one that was emitted and not refused, rather one that it has accepted.
    pub(super) fn final_state_before(&self, previous: Option<MessageState>) -> Option<MessageState> {
        let states = (0..16).map(MessageState).filter(|state| self.reported & bit(*state, true) != 0);
        let other = states.min_by_key(|state| self.unacknowledged & bit(*state, true) != 0);
        previous.filter(|state| self.reported & bit(*state, true) != 0).or(other)
    }
}

impl Default for Node {
    fn default() -> Self {
        Self {
            id: StoredId::default(),
            number: MessageNumber(0),
            id_hash: 0,
            head: NONE,
            sibling: NONE,
            reported: 0,
            unacknowledged: 0,
            recipient: 0,
            bind: ShortBindId::default(),
            segment: 0,
            last: None,
            is_indexed: false,
            is_shared: false,
            number_next: NONE,
            position: NONE,
            at: Instant::ZERO,
            key: None,
            destination: ReceiptDestination::Sent,
            total: 0,
            accepted: 0,
            open: 0,
            is_complete: false,
            is_due: false,
            is_done: false,
        }
    }
}

impl Slot for Node {
    const CHUNK: u32 = 256;

    fn vacant_link(&mut self) -> &mut u32 {
        &mut self.sibling
    }

    fn vacate(&mut self) {
        // What else is there is not read: no message has this number, which an acknowledgement compares first.
        (self.number, self.key) = (MessageNumber(u64::MAX), None);
    }
}

/// The index of messages by number.
pub(super) struct ByNumber;

impl ByNumber {
    /// Returns the hash of a message's number. The account assigns the numbers: a peer cannot choose them.
    pub(super) const fn hash_of(number: MessageNumber) -> u32 {
        (number.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32
    }
}

impl Chain for ByNumber {
    type Node = Node;

    const BUCKETS: usize = 1024;

    const PER_NODE: u32 = 2;

    fn hash(node: &Node) -> u32 {
        Self::hash_of(node.number)
    }

    fn link(node: &mut Node) -> &mut u32 {
        &mut node.number_next
    }

    fn next(node: &Node) -> u32 {
        node.number_next
    }
}

/// What an id is compared by.
#[derive(Clone, Copy)]
pub(in crate::account) enum IdKey<'a> {
    /// The octets of an id of at most 64 octets that is compared exactly: its key need not be made.
    Exact(&'a [u8]),
    Key(MessageIdKey),
    /// The [digest](IdKey::digest) of a key that is not kept. Only what is stored has one, never what is looked for.
    Digest(u64),
}

impl<'a> IdKey<'a> {
    /// Returns the key of an id in a response.
    #[inline(always)]
    pub(super) fn submitted(policy: MessageIdPolicy, id: &'a [u8]) -> Self {
        match Self::exact(policy, id) {
            Some(exact) => exact,
            None => Self::of_submitted(policy, id),
        }
    }

    /// Returns the key of a receipt's id.
    #[inline(always)]
    pub(in crate::account) fn of_receipt(policy: MessageIdPolicy, receipt: &Receipt<'a>) -> Self {
        match Self::exact(policy, receipt.id) {
            Some(exact) => exact,
            None => Self::of_other_receipt(policy, receipt),
        }
    }

    #[inline(never)]
    fn of_submitted(policy: MessageIdPolicy, id: &[u8]) -> Self {
        Self::Key(policy.submitted_key(id))
    }

    #[inline(never)]
    fn of_other_receipt(policy: MessageIdPolicy, receipt: &Receipt<'_>) -> Self {
        Self::Key(policy.receipt_key(receipt))
    }

    #[inline(always)]
    fn exact(policy: MessageIdPolicy, id: &'a [u8]) -> Option<Self> {
        (policy == MessageIdPolicy::EXACT && id.len() <= MessageIdKey::MAX_EXACT).then_some(Self::Exact(id))
    }

    /// Returns the octets of the key that tell keys of one policy apart: all of [`MessageIdKey::as_octets`] but the first, which
    /// is their number.
    #[inline(always)]
    pub(super) fn octets(&self) -> &[u8] {
        match self {
            Self::Exact(id) => id,
            Self::Key(key) => key.as_octets().get(1..).unwrap_or_default(),
            Self::Digest(_) => &[],
        }
    }

    /// Returns the digest of the key: that of the octets of [`MessageIdKey::as_octets`].
    pub(super) fn digest(&self) -> u64 {
        match self {
            // At most 64 octets.
            Self::Exact(id) => digest(iter::once(id.len() as u8).chain(id.iter().copied())),
            Self::Key(key) => digest(key.as_octets().iter().copied()),
            Self::Digest(digest) => *digest,
        }
    }

    /// Returns whether it is the key of the empty id, which identifies no message.
    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Exact(id) => id.is_empty(),
            Self::Key(key) => key.is_empty(),
            Self::Digest(_) => false,
        }
    }
}
