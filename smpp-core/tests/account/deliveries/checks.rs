//! What must hold when the SMSC has an acknowledgement, and at the end.

use smpp_proto::MessageState;
use smpp_proto::account::InboundMessage;
use smpp_proto::session::Instant;

use super::super::messages::Messages;
use super::{Deliveries, Delivery, DeliveryKind, Received, ack_delay};

impl Deliveries {
    /// Checks that the account may acknowledge a delivery: the application has accepted it.
    pub(crate) fn check_acknowledged(&mut self, now: Instant, index: usize, messages: &Messages) {
        let delivery = &self.all[index];
        let good = match delivery.kind {
            _ if delivery.accepted || self.fixed_id => true,
            DeliveryKind::Foreign | DeliveryKind::Earlier => false,
            DeliveryKind::Flood => {
                delivery.arrived.is_some_and(|arrived| now - arrived >= ack_delay(&self.options))
            }
            DeliveryKind::Receipt { message, segment, state } => {
                let known = self.is_known(index, messages);
                let reported = self.reported.get(&self.subject(message, segment));
                known
                    && reported
                        .is_some_and(|reported| reported.accepted.contains(&state) || reported.last.is_some())
            }
            DeliveryKind::Mo { mo, .. } => {
                let held = delivery.arrived.is_some_and(|arrived| now - arrived >= ack_delay(&self.options));
                self.mo_messages[mo].accepted > 0
                    || (self.mo_messages[mo].segments > 1 && held)
                    || self.mo_messages[mo].is_partial
            }
        };
        assert!(
            good,
            "delivery {index}, {:?}, is acknowledged, and the application did not accept it",
            delivery.kind
        );
        self.all[index].acknowledged = true;
    }

    /// Checks that the account may refuse a delivery with `ESME_RX_T_APPN`. A segment that arrives for the first time has room,
    /// whatever other senders send.
    pub(crate) fn check_refused(&self, index: usize) {
        let delivery = &self.all[index];
        let DeliveryKind::Mo { mo, .. } = delivery.kind else { return };
        let mo = &self.mo_messages[mo];
        if self.ample_limits && mo.segments > 1 && !self.closing {
            assert!(delivery.arrivals > 1 || mo.refused > 0, "delivery {index} is kept out");
        }
    }

    /// Records and checks a first segment that the account emits alone.
    pub(super) fn record_flood(&mut self, now: Instant, message: &InboundMessage) -> Received {
        let octets = message.octets();
        let is_this =
            |delivery: &Delivery| delivery.kind == DeliveryKind::Flood && delivery.octets[7..] == octets;
        let index = self.all.iter().position(is_this).expect("a delivery of the test");
        let delivery = &mut self.all[index];
        delivery.reported += 1;
        assert!(delivery.reported <= delivery.arrivals, "it is emitted more often than it arrived");
        let held_long = delivery.arrived.is_some_and(|arrived| now - arrived >= ack_delay(&self.options));
        let came_back = delivery.arrivals > 1;
        assert!(held_long || came_back || !self.ample_limits, "the SMSC still has it");
        Received::Flood { delivery: index }
    }

    /// Checks after the end of the account that no acknowledged segment is lost silently.
    pub(crate) fn check_floods(&self) {
        for (index, delivery) in self.all.iter().enumerate() {
            let is_lost = delivery.acknowledged && delivery.reported == 0;
            assert!(delivery.kind != DeliveryKind::Flood || !is_lost, "segment {index} is lost");
        }
    }

    /// Checks that everything was delivered to the application.
    pub(crate) fn check_end(&self, messages: &Messages) {
        for (index, mo) in self.mo_messages.iter().enumerate() {
            assert!(mo.accepted > 0 || mo.is_partial, "MO message {index} is lost");
            if self.ample_limits && mo.segments > 1 && !mo.is_partial {
                assert_eq!(mo.accepted, 1, "MO message {index} was accepted more than once");
            }
        }
        for (index, delivery) in self.all.iter().enumerate() {
            let DeliveryKind::Receipt { message, segment, state } = delivery.kind else { continue };
            if self.fixed_id || !self.ample_limits || self.unmatched.contains(&index) {
                continue;
            }
            let reported = self.reported.get(&self.subject(message, segment));
            let good = reported
                .is_some_and(|reported| reported.accepted.contains(&state) || reported.last.is_some());
            assert!(good, "{state:?} of {message} segment {segment} is lost");
            assert!(!messages.all[message].registered_delivery.is_empty());
        }
    }

    /// Returns whether the account may have forgotten a message: a receipt of it was final long ago.
    pub(crate) fn may_be_forgotten(&self, now: Instant, message: usize) -> bool {
        let remembers = self.options.receipts.remember_completed;
        let of_message = self.reported.range((message, 0)..=(message, u8::MAX));
        let mut completed = of_message.filter_map(|(_, reported)| reported.completed);
        completed.any(|at| now - at >= remembers)
    }

    /// Returns whether the account has emitted the final receipt of a segment.
    pub(crate) fn has_final_receipt(&self, message: usize, segment: u8) -> bool {
        self.reported.get(&self.subject(message, segment)).is_some_and(|reported| reported.last.is_some())
    }
}

/// Returns the word of a receipt for a state.
pub(super) fn word(state: MessageState) -> &'static str {
    match state {
        MessageState::ENROUTE => "ENROUTE",
        MessageState::ACCEPTED => "ACCEPTD",
        MessageState::DELIVERED => "DELIVRD",
        MessageState::EXPIRED => "EXPIRED",
        MessageState::UNKNOWN => "UNKNOWN",
        MessageState::REJECTED => "nack",
        _ => "UNDELIV",
    }
}
