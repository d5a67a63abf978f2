//! The receipts of the messages that were sent: from when the account waits for them, and until when.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::event::Event;
use super::link_slot::Phase;
use super::message_key::MessageKey;
use super::outbound_pdu::OutboundPdu;
use super::outcome::{MessageNumber, SegmentOutcome};
use super::queue::SegmentRef;
use super::queued_message::ReceiptRequest;
use super::receipt_tracker::{
    EarlyReceipt, ExpiredMessage, Removed, SegmentId, TrackedMessage, UNKNOWN_RECIPIENT, recipient,
};
use super::state::Account;
use crate::pdu::Destination;
use crate::session::{AcceptedResponse, Observer};
use crate::time::Instant;

impl<O: Observer> Account<O> {
    /// Starts to track the receipts of an accepted segment. Returns those that have already arrived, and an event if none will,
    /// because the SMSC has refused all recipients. The outcome of the segment goes first.
    pub(super) fn track_receipts(
        &mut self,
        now: Instant,
        segment: SegmentRef,
        key: Option<MessageKey>,
        (receipts, recipients): (ReceiptRequest, Vec<u32>),
        (id, outcome): (&[u8], &SegmentOutcome),
    ) -> (Vec<EarlyReceipt>, Option<Box<Event>>) {
        let ReceiptRequest { total, is_due, destination, .. } = receipts;
        let bind = outcome.bind();
        let mut message = TrackedMessage { number: segment.message, bind, total, is_due, key, destination };
        let mut expired = None;
        if receipts.recipients > 1 {
            let accepted = accepted_recipients(recipients, outcome);
            message.total = accepted.len() as u8;
            if accepted.is_empty() {
                let (message, key) = (message.number, message.key.clone());
                expired = Some(Box::new(Event::ReceiptsExpired { message, key, ids: Vec::new() }));
            }
            for (recipient, index) in accepted.into_iter().zip(0..) {
                self.receipts.track_recipient(now, &message, index, id, recipient);
            }
        } else {
            self.receipts.track(now, &message, segment.index, SegmentId::Id(id));
        }
        if self.receipts.early.is_empty() {
            return (Vec::new(), expired);
        }
        let key = self.receipts.submitted_key(id);
        (self.receipts.early.take(&key), expired)
    }

    /// Returns the numbers of the recipients of a submit_multi, if each has receipts of its own; otherwise none. The message
    /// is in the queue.
    pub(super) fn recipients(&self, segment: SegmentRef, receipts: ReceiptRequest) -> Vec<u32> {
        if receipts.recipients <= 1 {
            return Vec::new();
        }
        match self.queue.frame(segment).map(|(frame, _)| OutboundPdu::decode(frame)) {
            Some(OutboundPdu::SubmitMulti(message)) => message
                .destinations
                .iter()
                .map(|destination| match destination {
                    Destination::Sme(address) => recipient(address.digits.as_bytes()),
                    Destination::DistributionList(_) => UNKNOWN_RECIPIENT,
                })
                .collect(),
            _ => vec![UNKNOWN_RECIPIENT; receipts.recipients.into()],
        }
    }

    /// Tracks no receipts of a message of which no accepted segment has requested one, also if one of its segments turns out
    /// to be accepted later.
    pub(super) fn stop_receipts(&mut self, message: MessageNumber) {
        self.receipts.forget(message);
        let links = self.links.iter_mut().filter_map(|link| match &mut link.phase {
            Phase::Open(open) => Some(open),
            _ => None,
        });
        for timed_out in links.flat_map(|open| &mut open.timed_out) {
            if timed_out.segment.message == message {
                timed_out.receipts = None;
            }
        }
    }

    /// Gives up some of the messages that exceed the capacity of the receipt tracker, and of those whose receipts are too
    /// old. The next call, which is due at once, continues: so no call takes long, however many messages there are.
    pub(super) fn expire_receipts(&mut self, now: Instant) {
        let mut count = 0;
        while (count < EXPIRED_AT_ONCE || count < EXCESS_AT_ONCE && self.receipts.exceeds_capacity())
            && let Some(expired) = self.receipts.expire(now)
        {
            count += 1;
            if let Removed::Expired(ExpiredMessage { number, key, ids }) = expired {
                self.emit(Event::ReceiptsExpired { message: number, key, ids });
            }
        }
    }
}

/// How many messages are given up in one call because their receipts are too old.
const EXPIRED_AT_ONCE: usize = 64;

/// How many messages are given up in one call because there are too many.
const EXCESS_AT_ONCE: usize = 1024;

/// Removes the recipients that the SMSC has refused.
fn accepted_recipients(mut recipients: Vec<u32>, outcome: &SegmentOutcome) -> Vec<u32> {
    for refused in outcome.response().into_iter().flat_map(AcceptedResponse::unsuccessful) {
        let refused = recipient(refused.destination.digits.as_bytes());
        let found = recipients.iter().position(|other| *other == refused || *other == UNKNOWN_RECIPIENT);
        if let Some(index) = found {
            recipients.remove(index);
        }
    }
    recipients
}
