//! Receipts of messages of one segment, the usual case: one node has all that is needed. Those whose caller waits for them are
//! accepted as soon as they are matched.

use super::node::{IdKey, Known, bit};
use super::{Match, NONE, ReceiptTracker, set_position};
use crate::account::outcome::MessageNumber;
use crate::account::receipt::{ReceiptDestination, ReceiptMatch};
use crate::pdu::MessageState;
use crate::time::Instant;

/// A new receipt of a message of one segment: what [`match_receipt_of`](ReceiptTracker::match_receipt_of) would find.
pub(in crate::account) struct NewReceipt {
    pub(in crate::account) message: MessageNumber,
    /// The final state before it.
    pub(in crate::account) previous: Option<MessageState>,
    node: u32,
}

impl ReceiptTracker {
    /// Finds the message of a new receipt, if it has one segment and passes its receipts to
    /// [`ReceiptDestination::Sent`]. Returns `None` for any other receipt.
    #[inline(always)]
    pub(in crate::account) fn find_new(
        &self,
        key: &IdKey<'_>,
        (state, is_final): (MessageState, bool),
    ) -> Option<NewReceipt> {
        let number = self.find_id(key, self.hash(key))?;
        let node = self.nodes.get(number)?;
        let is_new = node.known((state, is_final)) == Known::New;
        (node.total == 1 && is_new && node.destination == ReceiptDestination::Sent).then_some(NewReceipt {
            message: node.number,
            previous: node.last.filter(|_| is_final),
            node: number,
        })
    }

    /// Records a receipt that the application has, with its state and whether it is final. Returns how many segments lack their
    /// final receipt, and the state of the message if it has it.
    #[inline(always)]
    pub(in crate::account) fn record_accepted(
        &mut self,
        now: Instant,
        new: &NewReceipt,
        receipt: (MessageState, bool),
    ) -> (u8, Option<MessageState>) {
        self.record_only(now, new.node, receipt)
    }

    /// As [`record_accepted`](Self::record_accepted), for a node of a message of one segment.
    #[inline(always)]
    pub(super) fn record_only(
        &mut self,
        now: Instant,
        number: u32,
        (state, is_final): (MessageState, bool),
    ) -> (u8, Option<MessageState>) {
        let Some(node) = self.nodes.get_mut(number) else { return (0, None) };
        node.reported |= bit(state, is_final);
        if is_final {
            node.last = Some(state);
            if node.is_due {
                self.awaited = self.awaited.saturating_sub(node.open.into());
            }
            node.open = 0;
        }
        let (pending, message_state) = (node.open, node.last);
        if pending > 0 {
            return (pending, None);
        }
        let (position, list) = (node.position, if node.is_done { &mut self.done } else { &mut self.waiting });
        list.remove(position, set_position(&mut self.nodes));
        let position = self.done.push(number, set_position(&mut self.nodes));
        if let Some(node) = self.nodes.get_mut(number) {
            // There are more positions than nodes can exist.
            (node.position, node.is_done, node.at) = (position.unwrap_or(NONE), true, now);
        }
        (pending, message_state)
    }

    /// Records the receipt of a message of one segment.
    #[inline(always)]
    pub(super) fn match_only(
        &mut self,
        now: Instant,
        number: u32,
        receipt: (MessageState, bool),
    ) -> Option<Match> {
        let node = self.nodes.get_mut(number)?;
        match node.known(receipt) {
            Known::Unacknowledged => return Some(Match::Unacknowledged),
            Known::Acknowledged => return Some(Match::Repeated),
            Known::New => {}
        }
        let (state, is_final) = receipt;
        let previous = node.last.filter(|_| is_final);
        node.unacknowledged |= bit(state, is_final);
        let matched = ReceiptMatch {
            message: node.number,
            key: node.key.clone(),
            destination: node.destination,
            segment: node.segment,
            segments: 1,
            pending: 0,
            message_state: None,
            previous,
        };
        let (pending, message_state) = self.record_only(now, number, receipt);
        Some(Match::New(ReceiptMatch { pending, message_state, ..matched }, number))
    }
}
