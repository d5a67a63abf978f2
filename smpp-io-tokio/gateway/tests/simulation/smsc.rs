//! The SMSC, and the accounts of the nodes that talk to it.

use std::collections::BTreeSet;
use std::time::Duration;

use smpp_gateway::node::{
    AcceptedPart, DeliveryId, Ended, EventKind, IdOwner, ItemId, Outcome, PhonePart, ReceiptDetails,
};
use smpp_proto::session::Instant;

use super::world::{Action, Delivered, World};

/// A message that an account has.
#[derive(Debug)]
pub(crate) struct Submission {
    message: usize,
    /// The connection that it was sent on.
    pub(crate) sent_on: Option<u64>,
    /// What the SMSC answers.
    answer: Answer,
}

#[derive(Debug)]
enum Answer {
    Accepted(Vec<AcceptedPart>),
    Refused,
    /// It gives none. Of some messages it has accepted the first part.
    None(Vec<AcceptedPart>),
}

impl Submission {
    pub(crate) const fn new(message: usize) -> Self {
        Self { message, sent_on: None, answer: Answer::Refused }
    }
}

pub(crate) struct Receipt {
    pub(crate) id: String,
    pub(crate) message: usize,
    pub(crate) part: u8,
    pub(crate) arrived: Option<Instant>,
    pub(crate) is_delivered: bool,
}

/// A message from a phone, or a part of one.
pub(crate) struct Phone {
    /// The number of the message.
    pub(crate) message: usize,
    pub(crate) group: String,
    pub(crate) number: u8,
    pub(crate) total: u8,
    pub(crate) digest: String,
    /// When it was first delivered, and when it was acknowledged.
    pub(crate) arrived: Option<Instant>,
    pub(crate) acknowledged: Option<Instant>,
    /// It never arrives.
    pub(crate) is_lost: bool,
}

#[derive(Default)]
pub(crate) struct Smsc {
    /// The messages that it has accepted, in part or whole, as often as it has.
    pub(crate) accepted: Vec<usize>,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) phones: Vec<Phone>,
    /// How long it waits for an answer before it delivers again.
    patience: Duration,
    last_id: u64,
}

impl Smsc {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { patience, ..Self::default() }
    }

    pub(crate) fn is_delivered(&self, what: Delivered) -> bool {
        match what {
            Delivered::Receipt(index) => self.receipts[index].is_delivered,
            Delivered::Phone(index) => self.phones[index].acknowledged.is_some(),
        }
    }

    fn delivered(&mut self, now: Instant, what: Delivered) {
        match what {
            Delivered::Receipt(index) => self.receipts[index].is_delivered = true,
            Delivered::Phone(index) => self.phones[index].acknowledged = Some(now),
        }
    }
}

impl World {
    /// The account sends the message, if it has a bind.
    pub(crate) fn send(&mut self, run: usize, item: ItemId) {
        let it = &self.runs[run];
        let Some(submission) = it.submissions.get(&item) else { return };
        if !it.is_alive {
            return;
        }
        if self.messages[submission.message].expires.is_some_and(|expires| expires <= self.now) {
            self.count("expired in the account");
            let expired = Outcome::new(EventKind::Expired, "in the account");
            return self.ended(run, item, Ended::Outcome(expired));
        }
        let bound: Vec<u64> = it.connections.iter().filter(|it| it.is_bound).map(|it| it.id).collect();
        if bound.is_empty() {
            return self.after(Duration::from_millis(200), Action::Send(run, item));
        }
        let connection = bound[self.rng.index(bound.len())];
        if let Some(submission) = self.runs[run].submissions.get_mut(&item) {
            submission.sent_on = Some(connection);
        }
        let delay = self.rng.millis(0, 300);
        self.after(delay, Action::Arrive(run, item, connection));
    }

    /// The message arrives at the SMSC, perhaps after its connection has ended.
    pub(crate) fn arrive(&mut self, run: usize, item: ItemId, connection: u64) {
        let is_open = self.runs[run].connections.iter().any(|it| it.id == connection);
        let Some(submission) = self.runs[run].submissions.get(&item) else {
            return;
        };
        if !is_open && self.rng.chance(500) {
            return;
        }
        let message = submission.message;
        let parts = self.messages[message].parts;
        if self.rng.chance(60) {
            self.answer(run, item, Answer::Refused);
            let delay = self.rng.millis(0, 500);
            return self.after(delay, Action::Respond(run, item));
        }
        let is_silent = self.rng.chance(60);
        if is_silent && self.rng.chance(400) {
            self.answer(run, item, Answer::None(Vec::new()));
            return self.after(Duration::from_secs(3), Action::Respond(run, item));
        }
        self.smsc.accepted.push(message);
        let count = if is_silent && parts > 1 { 1 } else { parts };
        let mut accepted = Vec::new();
        for part in 1..=count {
            self.smsc.last_id += 1;
            let id = format!("id{}", self.smsc.last_id);
            accepted.push(AcceptedPart { part, id: id.clone(), normalised: id.clone() });
            self.smsc.receipts.push(Receipt { id, message, part, arrived: None, is_delivered: false });
            let delay = self.rng.millis(0, 4_000);
            self.after(delay, Action::Deliver(Delivered::Receipt(self.smsc.receipts.len() - 1)));
        }
        if !is_silent {
            let delay =
                if self.rng.chance(100) { self.rng.millis(0, 5_000) } else { self.rng.millis(0, 500) };
            self.answer(run, item, Answer::Accepted(accepted));
            return self.after(delay, Action::Respond(run, item));
        }
        // The response of the first part arrives, if there are more.
        if parts == 1 {
            accepted.clear();
        }
        self.answer(run, item, Answer::None(accepted));
        self.after(Duration::from_secs(3), Action::Respond(run, item));
    }

    fn answer(&mut self, run: usize, item: ItemId, answer: Answer) {
        if let Some(submission) = self.runs[run].submissions.get_mut(&item) {
            submission.answer = answer;
        }
    }

    pub(crate) fn respond(&mut self, run: usize, item: ItemId) {
        let Some(submission) = self.runs[run].submissions.get(&item) else { return };
        let parts = self.messages[submission.message].parts;
        let key = self.messages[submission.message].key.clone();
        let outcome = match &submission.answer {
            Answer::Accepted(accepted) => Outcome {
                parts,
                accepted: accepted.clone(),
                reason: None,
                ..Outcome::new(EventKind::Accepted, "")
            },
            Answer::Refused => Outcome::new(EventKind::Refused, "refused"),
            Answer::None(accepted) => Outcome {
                parts,
                accepted: accepted.clone(),
                ..Outcome::new(EventKind::Uncertain, "no response")
            },
        };
        for AcceptedPart { part, id, .. } in &outcome.accepted {
            let owner = IdOwner { key: key.clone(), part: *part, parts };
            self.runs[run].known_ids.insert(id.clone(), owner);
        }
        self.ended(run, item, Ended::Outcome(outcome));
    }

    /// The connection has ended before the response.
    pub(crate) fn end_unanswered(&mut self, run: usize, item: ItemId) {
        self.count("unanswered");
        let uncertain = Outcome::new(EventKind::Uncertain, "the connection has ended");
        self.ended(run, item, Ended::Outcome(uncertain));
    }

    pub(crate) fn cancel(&mut self, run: usize, item: ItemId) {
        let is_unsent = self.runs[run].submissions.get(&item).is_some_and(|it| it.sent_on.is_none());
        if is_unsent {
            self.count("cancelled");
            self.ended(run, item, Ended::NeverSent);
        }
    }

    /// Delivers a receipt or a message from a phone on any bind.
    pub(crate) fn deliver(&mut self, what: Delivered) {
        if self.smsc.is_delivered(what) {
            return;
        }
        let bound: Vec<(usize, u64)> = self
            .runs
            .iter()
            .enumerate()
            .filter(|(_, run)| run.is_alive && run.node.wants_deliveries())
            .flat_map(|(run, it)| it.connections.iter().filter(|it| it.is_bound).map(move |it| (run, it.id)))
            .collect();
        if bound.is_empty() {
            return self.after(Duration::from_secs(1), Action::Deliver(what));
        }
        let (run, connection) = bound[self.rng.index(bound.len())];
        self.last_delivery += 1;
        let id = DeliveryId(self.last_delivery);
        self.runs[run].deliveries.insert(id, (what, connection, self.now));
        match what {
            Delivered::Receipt(index) => {
                let now = self.now;
                let Receipt { id: smsc_id, arrived, .. } = &mut self.smsc.receipts[index];
                arrived.get_or_insert(now);
                let details = ReceiptDetails {
                    id: smsc_id.clone(),
                    state: "DELIVERED".into(),
                    is_final: true,
                    stat: "DELIVRD".into(),
                    err: None,
                    digest: "d".into(),
                };
                let it = &mut self.runs[run];
                let owner = it.known_ids.get(smsc_id).cloned();
                it.node.handle_receipt(now, id, owner, vec![smsc_id.clone()], details);
            }
            Delivered::Phone(index) => {
                self.smsc.phones[index].arrived.get_or_insert(self.now);
                let Phone { group, number, total, digest, .. } = &self.smsc.phones[index];
                let part = PhonePart {
                    group: group.clone(),
                    number: *number,
                    total: *total,
                    digest: digest.clone(),
                    from: String::new(),
                    to: String::new(),
                    data_coding: 0,
                    esm_class: 0,
                    octets: String::new(),
                };
                self.runs[run].node.handle_phone_part(self.now, id, part);
            }
        }
        self.pump(run);
    }

    pub(crate) fn answered(&mut self, run: usize, id: DeliveryId, accept: bool) {
        // If the connection has ended, the SMSC delivers it again already.
        let Some((what, _, since)) = self.runs[run].deliveries.remove(&id) else { return };
        if self.now - since > self.smsc.patience {
            self.count("answered too late");
            self.after(Duration::from_secs(2), Action::Deliver(what));
        } else if accept {
            self.smsc.delivered(self.now, what);
        } else {
            self.count("delivery refused");
            self.after(Duration::from_secs(2), Action::Deliver(what));
        }
    }

    pub(crate) fn redeliver(&mut self, run: usize, closed: &BTreeSet<u64>) {
        let deliveries = &mut self.runs[run].deliveries;
        let gone: Vec<DeliveryId> =
            deliveries.iter().filter(|(_, (_, on, _))| closed.contains(on)).map(|(id, _)| *id).collect();
        for id in gone {
            if let Some((what, ..)) = self.runs[run].deliveries.remove(&id) {
                self.count("redelivered");
                let delay = self.rng.millis(100, 3_000);
                self.after(delay, Action::Deliver(what));
            }
        }
    }
}
