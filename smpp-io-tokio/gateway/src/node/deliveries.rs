//! Receipts and messages from phones: each is acknowledged once its event is stored.

use std::collections::BTreeMap;

use smpp_proto::session::Instant;

use super::protocol::{
    Command, DeliveryId, Event, EventBody, IdOwner, PhonePart, ReceiptDetails, Reply, Request, StoredParts,
};
use super::timers::Timer;
use super::{Node, Purpose};

#[derive(Debug)]
struct Delivery {
    arrived: Instant,
    stage: Stage,
    /// A request has no reply yet.
    is_pending: bool,
}

#[derive(Clone, Debug)]
enum Stage {
    /// A receipt whose message is looked for.
    Lookup {
        ids: Vec<String>,
        receipt: ReceiptDetails,
    },
    /// Was this part told before?
    ReadingTold(PhonePart),
    StoringPart(PhonePart),
    /// Are all parts there?
    ReadingParts(PhonePart),
    /// The event is being stored. Of a message with parts: the parts to delete afterwards.
    Publishing(Event, Option<TellParts>),
    FinishingParts(TellParts),
}

/// The parts of a message that is told.
#[derive(Clone, Debug)]
struct TellParts {
    group: String,
    up_to: u64,
    digests: Vec<String>,
}

#[derive(Debug, Default)]
pub(super) struct Deliveries {
    waiting: BTreeMap<DeliveryId, Delivery>,
    last_message: u64,
}

impl Deliveries {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Returns how many receipts wait for their ids.
    fn lookups(&self) -> usize {
        self.waiting.values().filter(|it| matches!(it.stage, Stage::Lookup { .. })).count()
    }
}

impl<M> Node<M> {
    /// Returns whether the node takes another receipt or message from a phone now.
    pub fn wants_deliveries(&self) -> bool {
        self.deliveries.len() < self.options.deliveries
    }

    /// Handles a receipt. `owner` is the part of the message if the account knows it; otherwise `ids` are the normalised ids
    /// that it may mean, the most likely first. [`Command::Answer`] follows.
    pub fn handle_receipt(
        &mut self,
        now: Instant,
        delivery: DeliveryId,
        owner: Option<IdOwner>,
        ids: Vec<String>,
        receipt: ReceiptDetails,
    ) {
        self.now = now;
        let stage = match owner {
            Some(owner) => Self::tell(Some(owner), receipt),
            None => Stage::Lookup { ids, receipt },
        };
        self.start(delivery, stage);
    }

    /// Handles a message from a phone, or a part of one. [`Command::Answer`] follows.
    ///
    /// The event of a message without parts has an id of this node: if the node ends before the SMSC has read the
    /// acknowledgement, the message is told a second time under another id, because nothing distinguishes it from the same
    /// text that was written twice.
    pub fn handle_phone_part(&mut self, now: Instant, delivery: DeliveryId, part: PhonePart) {
        self.now = now;
        let stage = if part.group.is_empty() {
            self.deliveries.last_message += 1;
            let id = format!("{}:message:{}", self.instance, self.deliveries.last_message);
            Stage::Publishing(Event { id, body: EventBody::Message { parts: vec![part] } }, None)
        } else {
            Stage::ReadingTold(part)
        };
        self.start(delivery, stage);
    }

    fn start(&mut self, id: DeliveryId, stage: Stage) {
        let delivery = Delivery { arrived: self.now, stage, is_pending: false };
        self.deliveries.waiting.insert(id, delivery);
        self.advance_delivery(id);
    }

    /// The event of a receipt. The same receipt on another bind or node has the same id. A message that was sent twice has
    /// the receipts of two ids.
    fn tell(owner: Option<IdOwner>, receipt: ReceiptDetails) -> Stage {
        let id = match &owner {
            Some(owner) => format!("{}:receipt:{}:{}", owner.key, receipt.id, receipt.stat),
            None => format!("unmatched:{}:{}", receipt.id, receipt.stat),
        };
        Stage::Publishing(Event { id, body: EventBody::Receipt { owner, receipt } }, None)
    }

    /// Sends the request of the stage, or gives the delivery up.
    pub(super) fn advance_delivery(&mut self, id: DeliveryId) {
        let Some(delivery) = self.deliveries.waiting.get_mut(&id).filter(|it| !it.is_pending) else { return };
        if self.now - delivery.arrived >= self.options.answer {
            return self.answer(id, false);
        }
        delivery.is_pending = true;
        let request = match &delivery.stage {
            Stage::Lookup { ids, .. } => Request::FindId { ids: ids.clone() },
            Stage::ReadingTold(part) | Stage::ReadingParts(part) => {
                Request::ReadParts { group: part.group.clone() }
            }
            Stage::StoringPart(part) => Request::StorePart(Box::new(part.clone())),
            Stage::Publishing(event, _) => Request::Publish(Box::new(event.clone())),
            Stage::FinishingParts(told) => {
                let TellParts { group, up_to, digests } = told.clone();
                Request::FinishParts { group, up_to, digests }
            }
        };
        self.request(request, Purpose::Delivery(id));
    }

    fn answer(&mut self, id: DeliveryId, accept: bool) {
        self.deliveries.waiting.remove(&id);
        self.timers.clear(Timer::Delivery(id));
        self.commands.push_back(Command::Answer { delivery: id, accept });
    }

    /// Handles the reply to a request about a delivery.
    pub(super) fn handle_delivery_reply(&mut self, id: DeliveryId, reply: Reply) {
        let (now, lookup) = (self.now, self.options.lookup);
        let has_room = self.deliveries.lookups() <= self.options.lookups;
        let Some(delivery) = self.deliveries.waiting.get_mut(&id) else { return };
        delivery.is_pending = false;
        let next = match (&delivery.stage, reply) {
            (Stage::Lookup { receipt, .. }, Reply::Owner(owner)) => {
                if owner.is_none() && now - delivery.arrived < lookup {
                    if !has_room {
                        return self.answer(id, false);
                    }
                    None
                } else {
                    Some(Self::tell(owner, receipt.clone()))
                }
            }
            (Stage::ReadingTold(part), Reply::Parts(stored)) => {
                if is_told(&stored, part) {
                    return self.answer(id, true);
                }
                Some(Stage::StoringPart(part.clone()))
            }
            (Stage::StoringPart(part), Reply::Done(_)) => Some(Stage::ReadingParts(part.clone())),
            (Stage::ReadingParts(part), Reply::Parts(stored)) => match whole(&stored, part) {
                Some((event, told)) => Some(Stage::Publishing(event, Some(told))),
                // The others are still to come, or another node has told the message.
                None => return self.answer(id, true),
            },
            (Stage::Publishing(_, Some(told)), Reply::Done(_)) => Some(Stage::FinishingParts(told.clone())),
            (Stage::Publishing(_, None) | Stage::FinishingParts(_), Reply::Done(_)) => {
                return self.answer(id, true);
            }
            _ => None,
        };
        match next {
            Some(stage) => {
                delivery.stage = stage;
                self.advance_delivery(id);
            }
            None => self.timers.set(Timer::Delivery(id), now + self.options.retry),
        }
    }
}

/// Returns whether a message with this part was told.
fn is_told(stored: &StoredParts, part: &PhonePart) -> bool {
    let index = usize::from(part.number).checked_sub(1);
    index.and_then(|index| stored.told.get(index)) == Some(&part.digest)
}

/// Returns the event of the message if all parts are stored.
fn whole(stored: &StoredParts, part: &PhonePart) -> Option<(Event, TellParts)> {
    let mut parts = BTreeMap::new();
    for (sequence, other) in &stored.parts {
        if other.total == part.total {
            parts.insert(other.number, (*sequence, other));
        }
    }
    let all: Option<Vec<_>> = (1..=part.total).map(|number| parts.get(&number).copied()).collect();
    let all = all?;
    // Another part may have replaced this one in the meantime: then whoever stored that one tells the message.
    let is_stored = all.iter().any(|(_, other)| other.digest == part.digest);
    if !is_stored {
        return None;
    }
    let digests: Vec<String> = all.iter().map(|(_, part)| part.digest.clone()).collect();
    let up_to = all.iter().map(|(sequence, _)| *sequence).max()?;
    let id = format!("{}:{}", part.group, digests.join("-"));
    let parts = all.into_iter().map(|(_, part)| part.clone()).collect();
    let told = TellParts { group: part.group.clone(), up_to, digests };
    Some((Event { id, body: EventBody::Message { parts } }, told))
}
