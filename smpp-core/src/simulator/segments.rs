//! The messages whose segments share an id.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::pdu::SubmitSm;
use crate::sms::{MessageReference, SegmentInfo};

/// The most messages with missing segments. Beyond it the oldest one is removed: its later segments get another id.
const MAX_MESSAGES: usize = 1000;

/// The messages that have an id and miss segments, oldest first.
#[derive(Debug, Default)]
pub(super) struct SharedIds(VecDeque<Partial>);

#[derive(Debug)]
struct Partial {
    account: usize,
    addresses: [Vec<u8>; 2],
    reference: MessageReference,
    total: u8,
    /// The number that the segments share.
    number: u64,
    missing: u8,
}

impl SharedIds {
    /// Returns the number that the message of this segment has, or gives it the `new` one. Returns also whether this is its
    /// last segment to arrive.
    pub(super) fn number(
        &mut self,
        account: usize,
        message: &SubmitSm<'_>,
        segment: SegmentInfo,
        new: u64,
    ) -> (u64, bool) {
        let addresses = [message.source.digits.as_bytes(), message.destination.digits.as_bytes()];
        let is_same = |other: &Partial| {
            (other.account, other.reference, other.total) == (account, segment.reference, segment.total)
                && other.addresses.iter().zip(addresses).all(|(one, another)| one == another)
        };
        let at = self.0.iter().position(is_same);
        let Some(partial) = at.and_then(|at| self.0.get_mut(at)) else {
            if segment.total > 1 {
                if self.0.len() >= MAX_MESSAGES {
                    self.0.pop_front();
                }
                self.0.push_back(Partial {
                    account,
                    addresses: addresses.map(Vec::from),
                    reference: segment.reference,
                    total: segment.total,
                    number: new,
                    missing: segment.total - 1,
                });
            }
            return (new, segment.total <= 1);
        };
        partial.missing = partial.missing.saturating_sub(1);
        let (number, is_last) = (partial.number, partial.missing == 0);
        if is_last && let Some(at) = at {
            self.0.remove(at);
        }
        (number, is_last)
    }
}
