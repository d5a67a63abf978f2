//! Messages of an earlier process: the application hands over their ids, and the SMSC sends their receipts.

use std::collections::BTreeMap;

use smpp_proto::account::{
    ExpectError, Expected, MessageKey, MessageNumber, ReceiptDestination, ReceiptMatch,
};

use super::deliveries::DeliveryKind;
use super::harness::span;
use super::simulation::AccountSimulation;

/// The messages that the account expects receipts of, and their numbers in the test.
pub(crate) type ExpectedMessages = BTreeMap<MessageNumber, usize>;

fn key(index: usize) -> String {
    format!("earlier-{index}")
}

impl AccountSimulation {
    /// Hands over the messages of an earlier process, before the first bind.
    pub(crate) fn expect_earlier(&mut self) {
        for index in 0..self.context.rng.pick(&[0, 0, 0, 1, 5]) {
            let ids = self.smsc.next_id();
            let expected = Expected::new(1).id(0, ids.0.as_bytes()).key(key(index));
            match self.account.expect(self.context.now, expected) {
                Ok(number) => drop(self.expected.insert(number, index)),
                Err(reason) => assert_eq!((reason, self.scenario.ample_limits), (ExpectError::Full, false)),
            }
            let due = self.context.now + span(&mut self.context.rng, 0, 600);
            let kind = DeliveryKind::Earlier;
            self.smsc.deliveries.receipt(&mut self.context.rng, due, (&ids.0, &ids.1), kind);
        }
    }

    /// Checks the key of a message of an earlier process. Returns false if the message is one of this process.
    pub(crate) fn is_earlier(&self, message: MessageNumber, given: Option<&MessageKey>) -> bool {
        let Some(index) = self.expected.get(&message) else { return false };
        assert_eq!(given.map(MessageKey::as_bytes), Some(key(*index).as_bytes()));
        true
    }

    /// Checks the match of a receipt of such a message.
    pub(crate) fn check_earlier(&mut self, matched: &ReceiptMatch) {
        assert_eq!((matched.segment, matched.segments), (0, 1));
        assert_eq!(matched.destination, ReceiptDestination::Arrivals);
        self.context.count(|| "receipt of a message of an earlier process".into());
    }
}
