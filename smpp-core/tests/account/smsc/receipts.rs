//! The ids of messages, and their receipts.

use smpp_proto::sms::MessageIdPolicy;
use smpp_proto::{MessageState, RegisteredDelivery};

use super::super::context::Context;
use super::super::deliveries::{DeliveryKind, RECIPIENTS};
use super::super::harness::span;
use super::super::messages::Messages;
use super::super::scenario::NamedSegment;
use super::Smsc;

impl Smsc {
    /// Returns the id of a segment of this message.
    pub(super) fn id_of(&mut self, message: usize) -> (String, String) {
        if !self.has_shared_ids {
            return self.next_id();
        }
        if let Some(ids) = self.shared_ids.get(&message) {
            return ids.clone();
        }
        let ids = self.next_id();
        self.shared_ids.insert(message, ids.clone());
        ids
    }

    /// Returns a new id, as the response writes it and as the receipt does.
    pub(crate) fn next_id(&mut self) -> (String, String) {
        self.ids += 1;
        let number = self.ids;
        if let Some(fixed_id) = self.fixed_id {
            return (fixed_id.into(), fixed_id.into());
        }
        if self.policy == MessageIdPolicy::HEXADECIMAL_TO_DECIMAL {
            (format!("{number:x}"), format!("{number}"))
        } else if self.policy == MessageIdPolicy::DECIMAL_TO_HEXADECIMAL {
            (format!("{number}"), format!("{number:X}"))
        } else if self.policy == MessageIdPolicy::IGNORE_LEADING_ZEROS {
            (format!("{number}"), format!("000{number}"))
        } else {
            (format!("id-{number}"), format!("id-{number}"))
        }
    }

    /// Schedules the receipts of a message that has one, once all its segments are accepted. Those of a resent copy do not
    /// count.
    pub(super) fn schedule_one_receipt(
        &mut self,
        context: &mut Context,
        messages: &Messages,
        (message, segment): (usize, u8),
        ids: &(String, String),
        registered_delivery: RegisteredDelivery,
    ) {
        let total = messages.all[message].segments.len();
        let is_last = usize::from(segment) + 1 == total;
        assert!(
            registered_delivery.is_empty() || is_last || !self.on_last_segment,
            "only the last segment requests a receipt"
        );
        let accepted = self.accepted.entry(message).or_default();
        if accepted.contains_key(&segment) {
            return;
        }
        accepted.insert(segment, ids.clone());
        if accepted.len() < total || messages.all[message].registered_delivery.is_empty() {
            return;
        }
        let named = if self.receipts.named == NamedSegment::First { 0 } else { (total - 1) as u8 };
        let ids = accepted[&named].clone();
        context.count(|| {
            format!("SMSC one receipt for {}", if total > 1 { "several segments" } else { "a segment" })
        });
        self.schedule_receipts(context, (message, named), &ids, messages.all[message].registered_delivery);
    }

    /// Accepts some of the recipients of a submit_multi, and schedules their receipts. Returns the others.
    pub(super) fn accept_recipients(
        &mut self,
        context: &mut Context,
        message: usize,
        ids: &(String, String),
        registered_delivery: RegisteredDelivery,
    ) -> Vec<&'static str> {
        let accepted = self.deliveries.accept_recipients(&mut context.rng, message);
        context.count(|| format!("SMSC accepts {} of several recipients", accepted.len()));
        if !registered_delivery.is_empty() {
            for recipient in 0..accepted.len() as u8 {
                self.schedule_receipts(context, (message, recipient), ids, registered_delivery);
            }
        }
        RECIPIENTS.into_iter().filter(|recipient| !accepted.contains(recipient)).collect()
    }

    /// Schedules the receipts of a segment, or of a recipient.
    pub(super) fn schedule_receipts(
        &mut self,
        context: &mut Context,
        (message, segment): (usize, u8),
        (id, receipted): &(String, String),
        registered_delivery: RegisteredDelivery,
    ) {
        let rng = &mut context.rng;
        let last = rng.pick(&self.deliveries.final_states());
        if registered_delivery == RegisteredDelivery::RECEIPT_ON_FAILURE && last == MessageState::DELIVERED {
            return;
        }
        let mut states = vec![];
        states
            .extend([MessageState::ENROUTE, MessageState::ACCEPTED].into_iter().filter(|_| rng.chance(200)));
        states.push(last);
        if last != MessageState::DELIVERED && rng.chance(self.receipts.changes) {
            states.push(MessageState::DELIVERED);
        }
        let mut at = context.now + span(rng, 0, 60);
        for state in states {
            let kind = DeliveryKind::Receipt { message, segment, state };
            if !matches!(state, MessageState::ENROUTE | MessageState::ACCEPTED) {
                self.store_final_state(id, at, state);
            }
            self.deliveries.receipt(&mut context.rng, at, (id, receipted), kind);
            at = at + span(&mut context.rng, 0, 60);
        }
    }
}
