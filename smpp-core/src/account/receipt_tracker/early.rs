//! Receipts with an unknown id, held because their `submit_sm_resp` may still arrive.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::node::{UNKNOWN_RECIPIENT, recipient};
use crate::account::ack::Ack;
use crate::account::receipt::DeliveryReceipt;
use crate::pdu::{MessageState, Pdu};
use crate::sms::MessageIdKey;

/// How many octets the PDUs of the held receipts may have on average, before the oldest is given up.
const AVERAGE_OCTETS: usize = 1024;

/// A receipt with an unknown id.
pub(in crate::account) struct EarlyReceipt {
    /// [`Queue::last_sent`](crate::account::queue::Queue::last_sent) when the receipt arrived.
    pub(in crate::account) last_sent: u64,
    pub(in crate::account) key: MessageIdKey,
    /// The other keys that its id may have.
    pub(in crate::account) fallback: Vec<MessageIdKey>,
    pub(in crate::account) receipt: DeliveryReceipt,
    pub(in crate::account) ack: Ack,
}

/// The receipts with unknown ids, the oldest first: at most `capacity`, and as many KiB.
pub(in crate::account) struct EarlyReceipts {
    capacity: usize,
    by_age: BTreeMap<u64, EarlyReceipt>,
    /// The keys of `by_age`, by message id.
    by_id: BTreeSet<(MessageIdKey, u64)>,
    last: u64,
    octets: usize,
}

impl EarlyReceipts {
    pub(super) const fn new(capacity: usize) -> Self {
        Self { capacity, by_age: BTreeMap::new(), by_id: BTreeSet::new(), last: 0, octets: 0 }
    }

    /// Changes how many receipts it holds. Then call [`pop_excess`](Self::pop_excess) until it returns `None`.
    pub(super) const fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    /// Holds a receipt. Then call [`pop_excess`](Self::pop_excess) until it returns `None`.
    pub(in crate::account) fn hold(&mut self, early: EarlyReceipt) {
        self.last += 1;
        self.octets += early.octets();
        self.by_id.insert((early.key, self.last));
        self.by_age.insert(self.last, early);
    }

    /// Removes and returns the oldest receipt if there are too many.
    pub(in crate::account) fn pop_excess(&mut self) -> Option<EarlyReceipt> {
        let is_full =
            self.by_age.len() > self.capacity || self.octets > self.capacity.saturating_mul(AVERAGE_OCTETS);
        if is_full { self.pop() } else { None }
    }

    /// Removes and returns the receipts with this id, in the order in which they arrived.
    pub(in crate::account) fn take(&mut self, key: &MessageIdKey) -> Vec<EarlyReceipt> {
        if self.by_age.is_empty() {
            return Vec::new();
        }
        let found: Vec<_> =
            self.by_id.range((*key, 0)..=(*key, u64::MAX)).map(|(_, number)| *number).collect();
        found.into_iter().filter_map(|number| self.remove(number)).collect()
    }

    /// Removes and returns the oldest receipt.
    pub(in crate::account) fn pop(&mut self) -> Option<EarlyReceipt> {
        let (&number, _) = self.by_age.first_key_value()?;
        self.remove(number)
    }

    /// Returns the last send number when the oldest receipt arrived.
    pub(in crate::account) fn oldest(&self) -> Option<u64> {
        self.by_age.first_key_value().map(|(_, early)| early.last_sent)
    }

    fn remove(&mut self, number: u64) -> Option<EarlyReceipt> {
        let early = self.by_age.remove(&number)?;
        self.octets -= early.octets();
        self.by_id.remove(&(early.key, number));
        Some(early)
    }
}

impl EarlyReceipt {
    /// Returns the state, and whether it is final.
    pub(in crate::account) const fn state(&self) -> (MessageState, bool) {
        (self.receipt.state, self.receipt.is_final)
    }

    /// Returns the number of the phone that it is about: see [`recipient`].
    pub(in crate::account) fn recipient(&self) -> u32 {
        match self.receipt.pdu() {
            Some(Pdu::DeliverSm(message)) => recipient(message.source.digits.as_bytes()),
            Some(Pdu::DataSm(message)) => recipient(message.source.digits.as_bytes()),
            _ => UNKNOWN_RECIPIENT,
        }
    }

    fn octets(&self) -> usize {
        self.receipt.frame().octets().len()
    }
}
