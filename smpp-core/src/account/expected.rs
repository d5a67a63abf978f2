//! Messages of an earlier process whose receipts are still to come.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::message_key::MessageKey;
use crate::sms::MessageIdKey;

/// A message that an earlier process sent and whose receipts may still arrive, for
/// [`Account::expect`](super::Account::expect).
///
/// ```
/// use std::time::Duration;
/// use smpp_proto::account::Expected;
///
/// // Of three segments, the second has its final receipt already.
/// let expected = Expected::new(3)
///     .id(0, b"7f00a1b2")
///     .id(2, b"7f00a1b4")
///     .key(4711_i64.to_be_bytes())
///     .wait(Duration::from_secs(24 * 3600));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    pub(super) segments: u8,
    pub(super) ids: Vec<(u8, ExpectedId)>,
    pub(super) key: Option<MessageKey>,
    pub(super) wait: Option<Duration>,
}

/// How the caller has stored the id of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ExpectedId {
    /// As in the `submit_sm_resp`.
    Id(Box<[u8]>),
    Key(MessageIdKey),
}

impl Expected {
    /// Creates the expectation of a message that has this many segments. No receipt of it is expected yet.
    pub const fn new(segments: u8) -> Self {
        Self { segments, ids: Vec::new(), key: None, wait: None }
    }

    /// Expects the receipts of a segment, from 0, with the id of its `submit_sm_resp`: the whole id, from the outcome of its
    /// message. For SMSCs whose ids have more than 64 octets, store the key instead: a [`MessageId`](super::MessageId) keeps no
    /// more.
    #[must_use]
    pub fn id(mut self, segment: u8, id: &[u8]) -> Self {
        self.ids.push((segment, ExpectedId::Id(id.into())));
        self
    }

    /// Expects the receipts of a segment, from 0, with the [key](crate::sms::MessageIdPolicy::submitted_key) of its id.
    #[must_use]
    pub fn id_key(mut self, segment: u8, key: MessageIdKey) -> Self {
        self.ids.push((segment, ExpectedId::Key(key)));
        self
    }

    /// Sets the caller's own key of the message, as [`Message::key`](super::Message::key). Default none.
    #[must_use]
    pub fn key(self, key: impl Into<Vec<u8>>) -> Self {
        Self { key: Some(MessageKey::new(key.into())), ..self }
    }

    /// Sets how long the account waits for the receipts, from the call of `expect`. Default, and at most,
    /// [`max_age`](super::ReceiptOptions::max_age).
    #[must_use]
    pub fn wait(self, wait: Duration) -> Self {
        Self { wait: Some(wait), ..self }
    }

    /// Checks the segments and the key. No segment twice: so there are at most 255.
    pub(super) fn check(&self) -> Result<(), ExpectError> {
        if let Some((segment, _)) = self.ids.iter().find(|(segment, _)| *segment >= self.segments) {
            return Err(ExpectError::NoSuchSegment { segment: *segment, segments: self.segments });
        }
        let mut seen = BTreeSet::new();
        if let Some((segment, _)) = self.ids.iter().find(|(segment, _)| !seen.insert(*segment)) {
            return Err(ExpectError::SegmentTwice { segment: *segment });
        }
        match &self.key {
            Some(key) if key.as_bytes().len() > MessageKey::MAX_OCTETS => {
                Err(ExpectError::KeyTooLong { octets: key.as_bytes().len() })
            }
            _ => Ok(()),
        }
    }
}

/// Why the account does not wait for the receipts of a message of an earlier process. It waits for none of them then: a
/// receipt that arrives is emitted without a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExpectError {
    /// As many segments wait for receipts as [`ReceiptOptions::capacity`](super::ReceiptOptions::capacity) allows.
    Full,
    /// A segment has a number that the message does not have.
    NoSuchSegment {
        /// The segment, from 0.
        segment: u8,
        /// How many segments the message has.
        segments: u8,
    },
    /// Two ids were given for a segment, or one id twice.
    SegmentTwice {
        /// The segment, from 0.
        segment: u8,
    },
    /// The key has more than [`MessageKey::MAX_OCTETS`].
    KeyTooLong {
        /// How many octets it has.
        octets: usize,
    },
    /// The account is being shut down.
    ShutDown,
}

impl fmt::Display for ExpectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => {
                f.write_str("too many segments wait for receipts: raise the capacity in ReceiptOptions")
            }
            Self::NoSuchSegment { segment, segments } => {
                write!(f, "segment {segment} of {segments}: the segments are counted from 0")
            }
            Self::SegmentTwice { segment } => {
                write!(f, "segment {segment} has two ids: give one for each segment")
            }
            Self::KeyTooLong { octets } => {
                write!(f, "the key has {octets} octets, more than {}: shorten it", MessageKey::MAX_OCTETS)
            }
            Self::ShutDown => f.write_str("the account is being shut down: use another account"),
        }
    }
}

impl core::error::Error for ExpectError {}
