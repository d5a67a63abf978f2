//! What the SMSC originates, and how it delivers.

use smpp_proto::BindMode;
use smpp_proto::server::{DeliverError, Delivery};
use smpp_proto::session::{Instant, Readiness, State};

use super::super::context::Context;
use super::super::deliveries::{DeliveryKind, DeliveryPdu};
use super::super::harness::rng::Rng;
use super::super::harness::{span, ticks};
use super::side::Side;
use super::{Connection, Smsc};

impl Smsc {
    /// Schedules a receipt of another application's message, or an MO message, or sends an alert_notification.
    pub(crate) fn originate(&mut self, context: &mut Context) {
        let rng = &mut context.rng;
        let now = context.now;
        if rng.chance(100) {
            return self.alert(context);
        }
        if rng.chance(400) {
            self.ids += 1;
            let (id, receipted) = self.next_id();
            let at = now + span(&mut context.rng, 0, 20);
            return self.deliveries.receipt(&mut context.rng, at, (&id, &receipted), DeliveryKind::Foreign);
        }
        if self.has_ample_limits && rng.chance(60) {
            let count = rng.pick(&[3, 60]);
            self.deliveries.flood(count, || now + span(rng, 0, 30));
            return context.count(|| format!("first segments of one sender: {count}"));
        }
        let length = rng.pick(&[3, 20, 200, 500]);
        let text = text(rng, length);
        self.deliveries.mo(text, || now + span(rng, 0, 100));
    }

    /// Sends an alert_notification on a random connection, if that is bound to receive.
    fn alert(&mut self, context: &mut Context) {
        if self.connections.is_empty() {
            return;
        }
        let index = context.rng.index(self.connections.len());
        let Self { connections, host, alerts, .. } = self;
        let connection = &mut connections[index];
        let alert = alerts.next();
        let sent = alert.with_pdu(|pdu| connection.side.notify(host.as_deref_mut(), context.now, pdu));
        if sent {
            context.trace(|| format!("  SMSC: {alert:?} on {}", connection.id));
            context.count(|| "SMSC alert_notification".into());
            alerts.record_sent(connection.id);
        }
    }

    /// Delivers what is due on a random bind that receives.
    pub(super) fn deliver(&mut self, context: &mut Context) -> bool {
        let now = context.now;
        if self.host.as_ref().is_some_and(|host| !host.takes_deliveries()) || now < self.is_full_until {
            return false;
        }
        let mut moved = false;
        while let Some((due, index)) = self.deliveries.queue.first().copied()
            && due <= now
        {
            let receivers: Vec<usize> = (0..self.connections.len())
                .filter(|connection| receives(&self.connections[*connection], now))
                .collect();
            if receivers.is_empty() && self.host.is_none() {
                break;
            }
            if self.behaviour.one_at_a_time && self.deliveries.waits_for_earlier_segment(index) {
                context.count(|| "SMSC waits for the acknowledgement of a segment".into());
                self.deliveries.queue.pop_first();
                self.deliveries.queue.insert((now + ticks(1), index));
                continue;
            }
            self.deliveries.queue.pop_first();
            moved = true;
            if let Some(host) = &mut self.host {
                let delivery = self.deliveries.with_pdu(index, |pdu| match pdu {
                    DeliveryPdu::DataSm(message) => Delivery::data_sm(message),
                    DeliveryPdu::DeliverSm(message) => Delivery::deliver_sm(message),
                });
                let queued = host.deliver(context, index, delivery);
                if queued.is_ok() {
                    self.deliveries.in_flight += 1;
                    continue;
                }
                let wait = span(&mut context.rng, 1, self.behaviour.retry);
                self.deliveries.queue.insert((now + wait, index));
                if queued == Err(DeliverError::Full) {
                    self.is_full_until = now + wait;
                    break;
                }
                continue;
            }
            let connection = &mut self.connections[receivers[context.rng.index(receivers.len())]];
            let Side::Scripted(session) = &mut connection.side else { continue };
            let sent = self.deliveries.with_pdu(index, |pdu| match pdu {
                DeliveryPdu::DataSm(message) => session.request(now, message, index),
                DeliveryPdu::DeliverSm(message) => session.request(now, message, index),
            });
            assert!(sent.is_ok(), "the session accepts the request");
            self.deliveries.in_flight += 1;
        }
        moved
    }
}

pub(super) fn receives(connection: &Connection, now: Instant) -> bool {
    let Side::Scripted(session) = &connection.side else { return false };
    let State::Bound(mode) = session.state() else { return false };
    mode != BindMode::Transmitter && matches!(session.readiness(now), Readiness::Ready { .. })
}

/// Returns a random text of this many characters.
pub(crate) fn text(rng: &mut Rng, length: usize) -> String {
    let alphabet: &[char] = if rng.chance(200) { &['ж', 'б', 'a'] } else { &['a', 'b', '€', ' '] };
    (0..length).map(|_| rng.pick(alphabet)).collect()
}
