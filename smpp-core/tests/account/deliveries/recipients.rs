//! The recipients of a submit_multi: each one that the SMSC has accepted has receipts of its own, all with the same id.

use super::super::harness::rng::Rng;
use super::super::messages::Messages;
use super::Deliveries;

/// The recipients of each submit_multi that has several.
pub(crate) const RECIPIENTS: [&str; 3] = ["6590", "6591", "6592"];

impl Deliveries {
    /// Returns the recipients of a message that the SMSC accepts: the same for each copy of the message.
    pub(crate) fn accept_recipients(&mut self, rng: &mut Rng, message: usize) -> Vec<&'static str> {
        let draw = || {
            let refused = rng.pick(&[0, 0, 300, 1000]);
            RECIPIENTS.into_iter().filter(|_| !rng.chance(refused)).collect()
        };
        self.recipients.entry(message).or_insert_with(draw).clone()
    }

    /// Returns the accepted recipients of a submit_multi to several.
    pub(crate) fn accepted_recipients(&self, message: usize) -> Option<&[&'static str]> {
        self.recipients.get(&message).map(Vec::as_slice)
    }

    /// Returns of how many segments or recipients a message has receipts.
    pub(crate) fn count(&self, message: usize, messages: &Messages) -> usize {
        self.recipients.get(&message).map_or(messages.all[message].segments.len(), Vec::len)
    }

    /// Returns the segment of a receipt's segment or recipient.
    pub(crate) fn segment(&self, message: usize, subject: u8) -> u8 {
        if self.recipients.contains_key(&message) { 0 } else { subject }
    }
}
