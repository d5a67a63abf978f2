//! What the SMSC delivers, and the events of the account.

use std::sync::Arc;
use std::time::Duration;

use smpp_proto::DeliverSm;
use smpp_proto::Operation;
use smpp_proto::account::{
    AccountEvent, DeliveryReceipt, InboundMessage, LinkEvent, MessageKey, ReceiptMatch, SegmentOutcome,
};
use smpp_tokio::account::{Arrival, Unacknowledged};
use tokio::time;

use super::Driver;
use crate::account::{accepted_part, phone_part, receipt};
use crate::log;
use crate::node::{DeliveryId, IdOwner, Reply, Request};

/// What waits for its acknowledgement.
pub(super) enum Delivery {
    Receipt(Unacknowledged<(DeliveryReceipt, Option<ReceiptMatch>)>),
    Message(Unacknowledged<InboundMessage>),
}

impl Driver {
    pub(super) fn handle_arrival(&mut self, arrival: Arrival) {
        let now = self.now();
        self.last_delivery += 1;
        let id = DeliveryId(self.last_delivery);
        match arrival {
            Arrival::Receipt(delivered) => {
                let (details, owner, ids) =
                    receipt(&delivered.get().0, delivered.get().1.as_ref(), &self.dialect);
                self.deliveries.insert(id, Delivery::Receipt(delivered));
                self.node.handle_receipt(now, id, owner, ids, details);
            }
            Arrival::Message(delivered) => {
                let part = phone_part(delivered.get());
                self.deliveries.insert(id, Delivery::Message(delivered));
                self.node.handle_phone_part(now, id, part);
            }
            Arrival::LateOutcome { key: Some(key), segment, outcome, .. } => {
                self.store_late_id(&key, segment, &outcome);
            }
            _ => {}
        }
    }

    /// Acknowledges or refuses a delivery. It fails if its bind has ended: the SMSC delivers it again.
    pub(super) fn answer(&mut self, id: DeliveryId, accept: bool) {
        let _ = match self.deliveries.remove(&id) {
            Some(Delivery::Receipt(delivery)) if accept => delivery.accept(),
            Some(Delivery::Receipt(delivery)) => delivery.refuse(DeliverSm::UNANSWERED),
            Some(Delivery::Message(delivery)) if accept => delivery.accept(),
            Some(Delivery::Message(delivery)) => delivery.refuse(DeliverSm::UNANSWERED),
            None => Ok(()),
        };
    }

    /// The response to a segment came after the message was told as uncertain: its receipts have a key all the same.
    fn store_late_id(&self, key: &MessageKey, segment: u8, outcome: &SegmentOutcome) {
        let (Some(id), Ok(key)) = (outcome.id(), std::str::from_utf8(key.as_bytes())) else { return };
        let part = segment.saturating_add(1);
        let id = accepted_part(part, id, self.dialect.message_ids, true).normalised;
        if id.is_empty() {
            return;
        }
        let owner = IdOwner { key: key.to_owned(), part, parts: 0 };
        let engine = Arc::clone(&self.engine);
        tokio::spawn(async move {
            for _ in 0..20 {
                let request = Request::StoreId { id: id.clone(), owner: owner.clone() };
                if engine.request(request).await != Reply::Failed {
                    return;
                }
                time::sleep(Duration::from_secs(1)).await;
            }
        });
    }

    pub(super) fn handle_account_event(&mut self, event: &AccountEvent) {
        // A message that fails or is in doubt has an event of its own.
        if event.message().is_none() {
            log(&self.instance, &event.to_string());
        }
        let is_told = match event {
            AccountEvent::Link { event, .. } => matches!(
                event,
                LinkEvent::Bound { .. } | LinkEvent::BindRefused { .. } | LinkEvent::Closed { .. }
            ),
            AccountEvent::Stopped { .. } | AccountEvent::InboundMessageLost { .. } => true,
            _ => false,
        };
        if is_told {
            let (number, value) = self.node_event(event.kind(), &event.to_string());
            let engine = Arc::clone(&self.engine);
            tokio::spawn(async move { engine.publish_node_event(number, &value).await });
        }
        self.report_binds();
    }
}
